"""Where a formula is true: conditions on matrices, vectors and scalars that validate, sample and print themselves.

A condition is written `where={"X": invertible}` on an argument, or on an expression of several, `{"x - a": nonzero}`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# How far inside its domain a random point should lie, relative to its size: deep enough that the formula is well
# conditioned there, and not so deep that only special points are left; and how far it must.
DEPTH = 0.05
LEAST_DEPTH = 1e-3


@dataclass(frozen=True)
class Domain:
    """A set of arrays.

    `text` completes a sentence ("X is invertible"), `depth` says how far inside the set an array lies relative to its
    size (zero or less: outside), and `sample` draws one of a shape from a NumPy generator.
    """

    text: str
    depth: Callable[[Array], float]
    sample: Callable[[np.random.Generator, tuple[int, ...]], Array]

    def contains(self, value: Array) -> bool:
        """Whether `value` lies in the domain by more than the rounding of its own dtype."""
        return bool(self.depth(value) > max(value.shape, default=1) * np.finfo(value.dtype).eps)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def _orthogonal(rng: np.random.Generator, n: int) -> Array:
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def _full_rank(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random singular vectors on both sides, so nothing about it is symmetric; singular values between 1/2 and 2."""
    m, n = shape
    rank = min(m, n)
    return _orthogonal(rng, m)[:, :rank] * rng.uniform(0.5, 2.0, rank) @ _orthogonal(rng, n)[:rank]


def _relative_smallest_singular_value(X: Array) -> float:
    s = np.linalg.svd(X.astype(np.float64), compute_uv=False)
    return float(s[-1] / s[0]) if s[0] > 0 else 0.0


def _depth_invertible(X: Array) -> float:
    return _relative_smallest_singular_value(X) if X.shape[0] == X.shape[1] else 0.0


def _depth_full_column_rank(X: Array) -> float:
    return _relative_smallest_singular_value(X) if X.shape[0] >= X.shape[1] else 0.0


def _depth_symmetric(A: Array) -> float:
    return 1.0 if A.shape[0] == A.shape[1] and np.array_equal(A, A.T) else 0.0


def _depth_nonzero(x: Array) -> float:
    return 1.0 if np.any(x) else 0.0


def _depth_off_the_negative_axis(X: Array) -> float:
    """The smallest angle between an eigenvalue and the negative real axis, over π; 0 for a singular matrix."""
    eigenvalues = np.linalg.eigvals(X.astype(np.float64))
    size = np.abs(eigenvalues)
    if size.min() <= len(X) * np.finfo(X.dtype).eps * size.max():
        return 0.0
    return float(1 - np.abs(np.angle(eigenvalues)).max() / np.pi)


def _symmetric(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    A = rng.standard_normal(shape)
    return (A + A.T) / 2


def _near_identity(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.eye(shape[0]) + 0.4 * rng.standard_normal(shape) / np.sqrt(shape[0])


general = Domain("any", lambda _: 1.0, _normal)
well_conditioned = Domain(
    "any", lambda _: 1.0, lambda rng, shape: (_full_rank if len(shape) == 2 else _normal)(rng, shape)
)
invertible = Domain("invertible", _depth_invertible, _full_rank)
full_column_rank = Domain("of full column rank", _depth_full_column_rank, _full_rank)
symmetric = Domain("symmetric", _depth_symmetric, _symmetric)
nonzero = Domain(
    "nonzero", _depth_nonzero, lambda rng, shape: rng.uniform(0.5, 2.0, shape) * rng.choice([-1, 1], shape)
)
positive = Domain("positive", lambda x: float(np.min(np.sign(x))), lambda rng, shape: rng.uniform(0.5, 2.0, shape))
with_principal_logarithm = Domain(
    "invertible, without eigenvalues on the negative real axis", _depth_off_the_negative_axis, _near_identity
)
