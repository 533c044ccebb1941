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
    size (zero or less: outside), and `sample` draws one of a shape from a NumPy generator. `project` brings an array
    nearby back into a set that is thin, such as that of the symmetric matrices; where the set is a linear subspace, a
    derivative has a meaning along its directions only. `has_shape` says whether there is any of a shape.
    """

    text: str
    depth: Callable[[Array], float]
    sample: Callable[[np.random.Generator, tuple[int, ...]], Array]
    project: Callable[[Array], Array] = lambda a: a
    is_subspace: bool = False
    has_shape: Callable[[tuple[int, ...]], bool] = lambda shape: True

    def contains(self, value: Array) -> bool:
        """Whether `value` lies in the domain by more than the rounding of its own dtype; no vector is invertible.

        In a set that is thin, such as that of the symmetric matrices, lies what is in it to half the digits of the
        dtype: so much an inverse or a product of matrices may be off by.
        """
        try:
            return bool(self.depth(value) > max(value.shape, default=1) * np.finfo(value.dtype).eps)
        except (IndexError, ValueError, np.linalg.LinAlgError):  # a condition on matrices, and this is none
            return False


def _is_near(a: Array, b: Array) -> bool:
    """Whether two arrays are equal to half the digits of the dtype."""
    if a.shape != b.shape:
        return False
    return bool(np.all(np.abs(a - b) <= np.sqrt(np.finfo(a.dtype).eps) * np.max(np.abs(a), initial=0.0)))


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


def _depth_nonzero(x: Array) -> float:
    return 1.0 if np.any(x) else 0.0


def _depth_off_the_negative_axis(X: Array) -> float:
    """The smallest angle between an eigenvalue and the negative real axis, over π; 0 for a singular matrix."""
    eigenvalues = np.linalg.eigvals(X.astype(np.float64))
    size = np.abs(eigenvalues)
    if size.min() <= len(X) * np.finfo(X.dtype).eps * size.max():
        return 0.0
    return float(1 - np.abs(np.angle(eigenvalues)).max() / np.pi)


def _near_identity(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.eye(shape[0]) + 0.4 * rng.standard_normal(shape) / np.sqrt(shape[0])


def _depth_positive_definite(A: Array) -> float:
    if A.shape[0] != A.shape[1] or not _is_near(A, A.T):
        return 0.0
    eigenvalues = np.linalg.eigvalsh(_symmetric_part(A.astype(np.float64)))
    return float(eigenvalues[0] / eigenvalues[-1]) if eigenvalues[-1] > 0 else 0.0


def _depth_orthogonal(X: Array) -> float:
    if X.shape[0] != X.shape[1]:
        return 0.0
    return float(_is_near(X.T @ X, np.eye(len(X))))


def _is_unchanged(project: Callable[[Array], Array]) -> Callable[[Array], float]:
    return lambda A: float(_is_square(A.shape) and _is_near(A, project(A)))


def _symmetric_part(A: Array) -> Array:
    return (A + A.T) / 2


def _skew_part(A: Array) -> Array:
    return (A - A.T) / 2


def _diagonal_part(A: Array) -> Array:
    return np.diag(np.diag(A))


def _polar_factor(X: Array) -> Array:
    """The orthogonal matrix nearest to X."""
    U, _, Vt = np.linalg.svd(X)
    return U @ Vt


def _bounded(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Entries of either sign and of sizes between 1/2 and 2."""
    return rng.uniform(0.5, 2.0, shape) * rng.choice([-1, 1], shape)


def _symmetric(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Eigenvalues of either sign and of sizes between 1/2 and 2, for a normal matrix may be all but singular."""
    Q = _orthogonal(rng, shape[0])
    return _symmetric_part(Q * _bounded(rng, shape[:1]) @ Q.T)


def _diagonal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.diag(_bounded(rng, shape[:1]))


def _triangular(project: Callable[[Array], Array]) -> Callable[[np.random.Generator, tuple[int, ...]], Array]:
    """The diagonal outweighs the rest, as the inverse of a normal triangular matrix grows exponentially with n."""
    return lambda rng, shape: _diagonal(rng, shape) + project(_normal(rng, shape) * (1 - np.eye(shape[0])) / shape[0])


def _depth_positive_diagonal(A: Array) -> float:
    is_diagonal = A.shape[0] == A.shape[1] and _is_near(A, _diagonal_part(A))
    return float(np.diag(A).min() / np.abs(A).max()) if is_diagonal and np.any(A) else 0.0


def _correlation(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Half of it is that of normal numbers, half of it I, so that it is far from singular."""
    B = _normal(rng, shape)
    B /= np.linalg.norm(B, axis=1, keepdims=True)
    return _with_unit_diagonal(B @ B.T / 2)


def _with_unit_diagonal(A: Array) -> Array:
    A = _symmetric_part(A)
    return A - _diagonal_part(A) + np.eye(len(A), dtype=A.dtype)


def _depth_correlation(A: Array) -> float:
    return _depth_positive_definite(A) if _is_near(np.diag(A), np.ones(len(A))) else 0.0


def _depth_sums_to_one(x: Array) -> float:
    return float(x.ndim == 1 and _is_near(x.sum(), np.ones(())))


def _simplex(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = rng.uniform(0.5, 2.0, shape)
    return x / x.sum()


def _depth_mask(A: Array) -> float:
    return float(np.all((A == 0) | (A == 1)))


def _mask(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Zeros and ones, and both of them where there is room for both."""
    entries = rng.integers(0, 2, shape).astype(np.float64).ravel()
    entries[rng.permutation(entries.size)[:2]] = (1.0, 0.0)[: entries.size]
    return entries.reshape(shape)


def _subspace(
    text: str,
    project: Callable[[Array], Array],
    sample: Callable[[np.random.Generator, tuple[int, ...]], Array] | None = None,
) -> Domain:
    """The square matrices that a linear projection leaves as they are."""

    def usual(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return project(_normal(rng, shape))

    return Domain(text, _is_unchanged(project), sample or usual, project, is_subspace=True, has_shape=_is_square)


def _is_square(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[0] == shape[1]


general = Domain("any", lambda _: 1.0, _normal)
well_conditioned = Domain(
    "any", lambda _: 1.0, lambda rng, shape: (_full_rank if len(shape) == 2 else _normal)(rng, shape)
)
invertible = Domain("invertible", _depth_invertible, _full_rank, has_shape=_is_square)
full_column_rank = Domain(
    "of full column rank",
    _depth_full_column_rank,
    _full_rank,
    has_shape=lambda shape: len(shape) == 2 and shape[0] >= shape[1],
)
symmetric = _subspace("symmetric", _symmetric_part, _symmetric)
skew_symmetric = _subspace("skew-symmetric", _skew_part)
diagonal = _subspace("diagonal", _diagonal_part, _diagonal)
positive_diagonal = Domain(
    "diagonal and positive",
    _depth_positive_diagonal,
    lambda rng, shape: np.abs(_diagonal(rng, shape)),
    _diagonal_part,
    is_subspace=True,
    has_shape=_is_square,
)
lower_triangular = _subspace("lower triangular", np.tril, _triangular(np.tril))
upper_triangular = _subspace("upper triangular", np.triu, _triangular(np.triu))
positive_definite = Domain(
    "symmetric and positive definite",
    _depth_positive_definite,
    lambda rng, shape: (lambda B: _symmetric_part(B @ B.T))(_full_rank(rng, shape)),
    _symmetric_part,
    is_subspace=True,
    has_shape=_is_square,
)
correlation = Domain(
    "a correlation matrix", _depth_correlation, _correlation, _with_unit_diagonal, has_shape=_is_square
)
orthogonal = Domain(
    "orthogonal",
    _depth_orthogonal,
    lambda rng, shape: _orthogonal(rng, shape[0]),
    _polar_factor,
    has_shape=_is_square,
)
nonzero = Domain("nonzero", _depth_nonzero, _bounded)
positive = Domain("positive", lambda x: float(np.min(np.sign(x))), lambda rng, shape: rng.uniform(0.5, 2.0, shape))
sums_to_one = Domain(
    "of sum one", _depth_sums_to_one, _simplex, lambda x: x / x.sum(), has_shape=lambda shape: len(shape) == 1
)
mask = Domain("of zeros and ones", _depth_mask, _mask, np.round)
with_principal_logarithm = Domain(
    "invertible, without eigenvalues on the negative real axis", _depth_off_the_negative_axis, _near_identity
)

_NAMED = {
    "general": general,
    "invertible": invertible,
    "full column rank": full_column_rank,
    "symmetric": symmetric,
    "skew-symmetric": skew_symmetric,
    "positive definite": positive_definite,
    "correlation": correlation,
    "orthogonal": orthogonal,
    "diagonal": diagonal,
    "positive diagonal": positive_diagonal,
    "lower triangular": lower_triangular,
    "upper triangular": upper_triangular,
    "nonzero": nonzero,
    "positive": positive,
    "sums to one": sums_to_one,
    "0/1": mask,
}


_ALSO = {
    "nonsingular": "invertible",
    "skew": "skew-symmetric",
    "antisymmetric": "skew-symmetric",
    "spd": "positive definite",
    "symmetric positive definite": "positive definite",
}  # other words for them; hyphens and capitals are all one


def named(name: str) -> Domain:
    """The domain of that name, such as "symmetric". ValueError for one that is not known."""
    words = " ".join(name.lower().replace("-", " ").split())
    plain = {kind.replace("-", " "): kind for kind in _NAMED}
    kind = plain.get(words) or _ALSO.get(words)
    if kind is None:
        raise ValueError(f"There is no domain {name!r}; there are {', '.join(_NAMED)}.")
    return _NAMED[kind]
