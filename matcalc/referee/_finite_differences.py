"""Finite differences in float64, of high order, with the step and the error found automatically."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

STEPS = 26  # from a quarter of the size of x down to 2⁻²⁷ of it: what happens at a scale between is seen
EXTRAPOLATIONS = 8
BASIS_UP_TO = 32  # entries of x; above that, random directions instead of every one
RANDOM_DIRECTIONS = 16


@dataclass(frozen=True)
class Estimate:
    """Derivatives of the value along some directions, and how far each may be off.

    `directions` has the shape (directions, axes of x), `values` (directions, axes of f), `errors` (directions,).
    """

    directions: Array
    values: Array
    errors: Array

    def project(self, derivative: Array, order: int) -> Array:
        """A derivative in JAX's layout along the same directions."""
        along = derivative
        size = self.directions[0].size
        axes = self.values.shape[1:]
        V = self.directions.reshape(len(self.directions), size)
        if order == 0:
            return along[None]
        if order == 1:
            return np.tensordot(V, along.reshape(*axes, size), axes=(1, len(axes)))
        return np.einsum("ka,...ab,kb->k...", V, along.reshape(*axes, size, size), V)


def finite_differences(f: Callable[[Array], Array], x: Array, order: int, seed: int = 0) -> Estimate:
    """The derivative of order 0, 1 or 2 of `f` at `x`, along every axis or, for many entries, random directions.

    `f` takes a batch of points, along a leading axis. Central differences at steps h, h/2, h/4, … are extrapolated to
    h = 0; of all extrapolations the one is taken that changes least from its neighbours, and that change, plus the
    rounding of the values at that step, is the estimate of its error. A second derivative is taken along e_i and
    e_i + e_j, which determine all of it. Source: C. J. F. Ridders, Advances in Engineering Software 4 (1982); the
    extrapolation is Romberg's.
    """
    V = _directions(x, order, seed)
    if order == 0:
        value = f(x[None])
        return Estimate(V[:1], value, _size(value) * np.finfo(np.float64).eps)
    size = np.max(np.abs(x)) or 1.0
    h = size * 0.25 * 0.5 ** np.arange(STEPS)
    shifts = np.multiply.outer(h, V)
    points = np.concatenate([x + shifts, x - shifts, np.broadcast_to(x, (1, *V.shape))])
    values = f(points.reshape(-1, *x.shape))
    unit = np.max(np.abs(values[np.isfinite(values)]), initial=0.0) or 1.0  # so that no square overflows
    values = values / unit
    values = values.reshape(2 * STEPS + 1, len(V), *values.shape[1:])
    right, left, centre = values[:STEPS], values[STEPS:-1], values[-1]
    steps = h.reshape(-1, *(1,) * (values.ndim - 1))
    with np.errstate(all="ignore"):
        table = (right - left) / (2 * steps) if order == 1 else (right - 2 * centre + left) / steps**2
        # Values that do not differ at all have a derivative of zero, whatever their rounding.
        magnitude = np.where(right == left, 0, np.abs(right) + np.abs(left))
        rounding = np.finfo(np.float64).eps * _size(magnitude, 2) / h[:, None] ** order
        derivatives, errors = _extrapolate(table, rounding)
        return Estimate(V, unit * derivatives, unit * errors)


def _extrapolate(table: Array, rounding: Array) -> tuple[Array, Array]:
    best, error = table[0], np.full(table.shape[1], np.inf)
    previous = table
    for m in range(1, EXTRAPOLATIONS + 1):
        current = previous[1:] + (previous[1:] - previous[:-1]) / (4.0**m - 1)
        # The change from either parent; row k of `current` rests on the steps k … k + m, of which the last is smallest.
        change = np.maximum(_size(current - previous[1:], 2), _size(current - previous[:-1], 2)) + rounding[m:]
        change = np.where(np.isfinite(change), change, np.inf)
        row, k = np.argmin(change, axis=0), np.arange(table.shape[1])
        better = change[row, k] < error
        best = np.where(better.reshape(-1, *(1,) * (best.ndim - 1)), current[row, k], best)
        error = np.minimum(error, change[row, k])
        previous = current
    return best, error


def _size(values: Array, leading: int = 1) -> Array:
    """The Euclidean norm over all but the leading axes."""
    return np.sqrt(np.sum(values.reshape(*values.shape[:leading], -1) ** 2, axis=-1))


def _directions(x: Array, order: int, seed: int) -> Array:
    n = x.size
    basis = np.eye(n)
    if order == 2:
        basis = np.concatenate([basis, [basis[i] + basis[j] for i in range(n) for j in range(i)]]) if n > 1 else basis
    if len(basis) > BASIS_UP_TO:
        basis = np.random.default_rng(seed).choice([-1.0, 1.0], (RANDOM_DIRECTIONS, n))
    return basis.reshape(-1, *x.shape)
