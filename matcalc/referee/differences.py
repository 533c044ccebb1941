"""Finite differences in float64, of high order, with the step and the error found automatically."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from matcalc.referee.constants import (
    AS_GOOD,
    BASIS_UP_TO,
    BENT,
    BISECTIONS,
    CLIMBED,
    CLIMBS,
    DRAWN,
    EXTRAPOLATIONS,
    FD_BEST,
    FIRST_STEP,
    GROWS,
    LEAPS,
    LEVEL,
    LINE,
    MEANINGLESS,
    NOISE,
    OUTWARD,
    RANDOM_DIRECTIONS,
    ROUNDINGS,
    SEEN,
    SMALLEST,
    SMOOTH,
    STAYS,
    STEPS,
)
from matcalc.referee.tolerances import norm, relative
from matcalc.streams import stream

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Estimate:
    """Derivatives of the value along some directions, and how far each may be off.

    `directions` has the shape (directions, axes of x), `values` (directions, axes of f), `errors` (directions,). What
    they were computed from is kept: the values of f at `steps` to either side, (steps, directions, axes of f), and at
    the centre, (directions, axes of f), and what rounding makes of them, (steps, directions).
    """

    directions: Array
    values: Array
    errors: Array
    steps: Array
    right: Array
    left: Array
    centre: Array
    rounding: Array
    eps: float = float(np.finfo(np.float64).eps)

    def part(self, rows: Array) -> "Estimate":
        """The same along some of the directions."""
        of_f = self.right[:, rows], self.left[:, rows], self.centre[rows], self.rounding[:, rows]
        return Estimate(self.directions[rows], self.values[rows], self.errors[rows], self.steps, *of_f, self.eps)

    @functools.cached_property
    def spread(self) -> float:
        """How far the derivatives may be off, relative to them; infinite where they are noise."""
        if not np.all(np.isfinite(self.errors)):
            return float("inf")
        off = self.values + self.errors.reshape(-1, *(1,) * (self.values.ndim - 1))
        return max(relative(off, self.values, 1.0), FD_BEST)

    @property
    def bends(self) -> bool:
        """Whether the one-sided slopes differ, at the last step, by more than where f is smooth: a kink, perhaps."""
        with np.errstate(all="ignore"):
            bend = np.abs(self.right[-1] - 2 * self.centre + self.left[-1])
            return bool(np.any(bend > SMOOTH * np.abs(self.right[-1] - self.left[-1]) + self._noise[-1]))

    @property
    def roughness(self) -> float:
        """How far values scatter at the smallest steps, relatively, where a smooth function is a line."""
        with np.errstate(all="ignore"):
            bend = np.abs(self.right - 2 * self.centre + self.left)[-SMALLEST:]
            return float(np.max(np.nan_to_num(bend), initial=0.0) / (np.max(np.abs(self.centre)) or 1.0))

    @property
    def _noise(self) -> Array:
        """What rounding may make of sums of values, at each step."""
        return ROUNDINGS * self.eps * (np.abs(self.right) + np.abs(self.left))

    def kink(self, run: int) -> tuple[float, float] | None:
        """The slopes to the left and right of a kink at the point, where one-sided slopes do not draw together.

        The difference of the one-sided slopes halves with the step where f is smooth. At a kink it stays, over `run`
        steps at least, and down to the smallest step at which rounding does not hide it: at a kink beside the point it
        stays for a while, and is gone at steps that do not reach there.
        """
        h = self.steps.reshape(-1, *(1,) * (self.right.ndim - 1))
        with np.errstate(all="ignore"):
            after, before = (self.right - self.centre) / h, (self.centre - self.left) / h
            bend, size = np.abs(after - before), np.abs(after) + np.abs(before)
            noise = self._noise / h
            stays = (bend[1:] > STAYS[0] * bend[:-1]) & (bend[1:] < STAYS[1] * bend[:-1])
            stays &= (bend[1:] > noise[1:]) & (bend[1:] > BENT * size[1:])
        for k in range(len(stays) - run + 1):
            last = k + run
            gone = np.any((bend[last:] < DRAWN * bend[last]) & (noise[last:] < SEEN * bend[last]), axis=0)
            kinked = np.all(stays[k:last], axis=0) & ~gone
            if kinked.any():
                place = (last, *np.argwhere(kinked)[0])
                return float(before[place]), float(after[place])
        return None

    def jump(self, run: int) -> float | None:
        """By how much f jumps at the point, where its values stay apart as steps are halved, over the last `run`."""
        if len(self.steps) <= run:
            return None
        with np.errstate(all="ignore"):
            apart = np.maximum(np.abs(self.right - self.centre), np.abs(self.left - self.centre))[-run - 1 :]
            stays = np.all((apart[1:] > STAYS[0] * apart[:-1]) & (apart[1:] < STAYS[1] * apart[:-1]), axis=0)
            noise = np.max(np.nan_to_num(self._noise), axis=(0, 1))  # the value itself may be rounding
            jumps = np.where(stays & (apart[-1] > noise), apart[-1], 0)
        return float(np.max(jumps)) or None

    def best_window(self, order: int, count: int) -> tuple[int, bool]:
        """The first of so many steps that by themselves see the derivative best, and whether they see it."""
        with np.errstate(all="ignore"):
            unit = self.largest
            table = _quotients(self.right / unit, self.left / unit, self.centre / unit, self.steps, order)
            rounding = self.rounding / unit / self.steps[:, None] ** order
            windows = [slice(k, k + count) for k in range(len(self.steps) - count + 1)]
            seen = [_smoothest(table[w], rounding[w])[:2] for w in windows]
            k = int(np.argmin(np.nan_to_num([np.max(errors) for _, errors in seen], nan=np.inf)))
            off, size = _size(unit * seen[k][0] - self.values), _size(self.values)
            sees = off <= AS_GOOD * np.maximum(self.errors, FD_BEST * size)
            return k, bool(np.all(sees | (off + size <= FD_BEST * unit)))

    @property
    def largest(self) -> float:
        """The largest value of f about the point."""
        return float(np.max(np.abs(self.right[np.isfinite(self.right)]), initial=0.0)) or 1.0

    def remainders(self, along: Array) -> Array:
        """|f(x + h v) - f(x) - h D v| for each step, over all directions, from the derivative D v along them."""
        h = self.steps.reshape(-1, *(1,) * (self.right.ndim - 1))
        with np.errstate(all="ignore"):
            return _size(self.right - self.centre - h * along)

    def project(self, derivative: Array, order: int) -> Array:
        """A derivative in JAX's layout along the same directions."""
        size = self.directions[0].size
        axes = self.values.shape[1:]
        V = self.directions.reshape(len(self.directions), size)
        if order == 0:
            return derivative[None]
        if order == 1:
            return np.einsum("kn,...n->k...", V, derivative.reshape(*axes, size))
        return np.einsum("ka,...ab,kb->k...", V, derivative.reshape(*axes, size, size), V)


def finite_differences(
    f: Callable[[Array], Array],
    x: Array,
    order: int,
    seed: int = 0,
    *,
    directions: Array | None = None,
    first: float = FIRST_STEP,
    steps: int = STEPS,
    eps: float = float(np.finfo(np.float64).eps),
) -> Estimate:
    """The derivative of order 0, 1 or 2 of `f` at `x`, along every axis or, for many entries, random directions.

    Others can be given as `directions`, (directions, axes of x); fewer steps, from another `first` one; and as `eps`
    how precise the values are, relatively, where f rounds to less than float64 inside.

    Central differences at steps h, h/2, h/4, … are extrapolated to
    h = 0; of all extrapolations the one is taken that changes least from its neighbours, and that change, plus the
    rounding of the values at that step, is the estimate of its error. A second derivative is taken along e_i and
    e_i + e_j, which determine all of it. Source: C. J. F. Ridders, Advances in Engineering Software 4 (1982); the
    extrapolation is Romberg's.
    """
    V = _directions(x, order, seed) if directions is None else directions
    if order == 0:
        value = f(x)[None]
        none = np.empty((0, *value.shape))
        errors = _size(value) * np.finfo(np.float64).eps
        return Estimate(V[:1], value, errors, none[:, 0, ...], none, none, value, none)
    size = np.max(np.abs(x)) or 1.0
    h = size * first * 0.5 ** np.arange(steps)
    values = np.stack([*(f(x + s * step * v) for s in (1, -1) for step in h for v in V), f(x)])
    of_sides = values[:-1].reshape(2, steps, len(V), *values.shape[1:])
    stairs = _stairs(f, x, V, h, of_sides, values[-1]) if steps > LEVEL else np.zeros(len(V))
    unit = np.max(np.abs(values[np.isfinite(values)]), initial=0.0) or 1.0  # so that no square overflows
    values = values / unit
    right, left = values[:-1].reshape(2, steps, len(V), *values.shape[1:])
    centre = values[-1]
    with np.errstate(all="ignore"):
        slope = _size(right - left, 2) / (2 * h[:, None])
        rounding = eps * _size(np.abs(right) + np.abs(left), 2) + slope * _rounded(x, V)
        rounding = np.maximum(rounding, stairs / unit)
        scatter = np.maximum(rounding, _scatter(h / size, right - 2 * centre + left))
        table, of_h = _quotients(right, left, centre, h, order), h[:, None] ** order
        derivatives, errors = _extrapolate(table, rounding / of_h, scatter / of_h)
        if order == 1 and steps > LEVEL:
            treads = _treads(lambda y: f(y) / unit, x, V, h, (right, left, centre), derivatives, rounding)
            if np.any(treads):
                rounding, scatter = np.maximum(rounding, treads), np.maximum(scatter, treads)
                derivatives, errors = _extrapolate(table, rounding / of_h, scatter / of_h)
        f_of = unit * right, unit * left, unit * np.broadcast_to(centre, right.shape[1:]), unit * rounding
        return Estimate(V, unit * derivatives, unit * errors, h, *f_of, eps)


def _rounded(x: Array, V: Array) -> Array:
    """How far along each direction the sums x ± h v may be from where they should be, in units of v."""
    moved = np.where(V != 0, np.abs(x), 0).reshape(len(V), -1)
    return float(np.finfo(np.float64).eps) / 2 * np.max(moved, axis=1) / np.max(np.abs(V).reshape(len(V), -1), axis=1)


def _scatter(steps: Array, bend: Array) -> Array:
    """How far values scatter along each direction at the smallest steps, relative to x, beyond how f bends there.

    Where f is a difference of larger numbers it is less precise than its own size tells, and a few quotients of such
    values may be equal by chance: along any direction it scatters as far as along half of them. A bend is a quarter at
    half the step, and scatter is not.
    """
    seen = bend[steps < LINE]
    each = np.max(_size(seen[:-1] - 4 * seen[1:], 2) / 4, axis=0, initial=0.0) if len(seen) else np.zeros(bend.shape[1])
    scatters = each[(each > 0) & np.isfinite(each)]
    return np.maximum(np.nan_to_num(each), np.median(scatters) if scatters.size else 0.0)


def _quotients(right: Array, left: Array, centre: Array, h: Array, order: int) -> Array:
    """Central differences at each step, (steps, directions, axes of f)."""
    steps = h.reshape(-1, *(1,) * (right.ndim - 1))
    return (right - left) / (2 * steps) if order == 1 else (right - 2 * centre + left) / steps**2


def _stairs(f: Callable[[Array], Array], x: Array, V: Array, h: Array, values: Array, centre: Array) -> Array:
    """How high the stairs are that f climbs along each direction, where it does not change at the smallest steps.

    A function that rounds coarsely inside is level between its stairs, and no slope is seen there. The first change of
    its value, found by bisection, is the height of a stair; where f bends, that is next to nothing.
    `values` are those to either side, (2, steps, directions, axes of f).
    """
    level = np.all((values == centre).reshape(*values.shape[:3], -1), axis=3)
    on_a_stair = np.all(level[:, -LEVEL:], axis=(0, 1))
    height = 0.0
    for j in np.flatnonzero(on_a_stair)[:CLIMBED]:

        def change(step: float, j: int = int(j)) -> Array:
            return f(x + step * V[j]) - centre

        edge = _edge(change, h, level[:, :, j])
        if edge is not None:
            height = max(height, edge)
    return np.where(on_a_stair, height, 0.0)


def _treads(
    f: Callable[[Array], Array],
    x: Array,
    V: Array,
    h: Array,
    values: tuple[Array, Array, Array],
    slopes: Array,
    rounding: Array,
) -> Array:
    """How high the stairs are that f climbs along each direction, where its slope is taken for that of a tread.

    Where a numerator cancels, or a part of f is in coarser numbers, f changes smoothly between the stairs, and by
    another slope than over many of them. What is left of f beyond the slope then leaps from one step to the next, and
    grows with the step from there on.
    `values` are those to the right, to the left, and at the centre.
    """
    right, left, centre = values
    steep = h.reshape(-1, *(1,) * slopes.ndim) * slopes
    heights = np.zeros(len(V))
    for sign, side in ((1, right), (-1, left)):
        rest = _size(side - centre - sign * steep, 2)
        leaps = (rest[:-1] > LEAPS * rest[1:]) & (rest[:-1] > ROUNDINGS * rounding[:-1])
        grows = np.zeros_like(leaps)
        over = rest[:-4] / rest[3:-1]
        grows[3:] = (over > GROWS[0]) & (over < GROWS[1])
        for j in np.flatnonzero(np.any(leaps & grows, axis=0))[:CLIMBED]:
            k = int(np.flatnonzero((leaps & grows)[:, j])[-1])

            def change(step: float, j: int = int(j), sign: int = sign) -> Array:
                return f(x + sign * step * V[j]) - centre - sign * step * slopes[j]

            heights[j] = max(heights[j], _leap(change, h[k + 1], h[k], float(rest[k, j]) / LEAPS) or 0.0)
    return np.where(heights > 0, np.max(heights), 0.0) if np.any(heights) else heights


def _edge(change: Callable[[float], Array], h: Array, level: Array) -> float | None:
    """How high the first step of f is beyond where it is level; None where it bends there, or is level everywhere.

    `level` says so of the steps h to either side, (2, steps).
    """
    if level.all():  # farther out, then
        steps = h[0] * 2.0 ** np.arange(1, OUTWARD)
        far = next((step for step in steps if np.any(change(step) != 0)), None)
        low, high = (0.0, 0.0) if far is None else (far / 2, far)
    else:
        k, side = max((int(k), int(side)) for side, k in np.argwhere(~level))
        low, high = (1, -1)[side] * h[k + 1], (1, -1)[side] * h[k]
    return _leap(change, low, high, 0.0) if high else None


def _leap(change: Callable[[float], Array], low: float, high: float, beyond: float) -> float | None:
    """How far a change leaps where it first goes beyond this size, by bisection; None where it does not leap."""
    first = norm(change(high))
    if not np.isfinite(first):
        return None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if norm(change(middle)) > beyond else (middle, high)
    leap = norm(change(high) - change(low))
    return leap if leap > CLIMBS * first else None


def _extrapolate(table: Array, rounding: Array, scatter: Array) -> tuple[Array, Array]:
    """The derivatives at h = 0 from those at each step, and how far they may be off, for each direction.

    `rounding` is what it makes of each step at least, and `scatter` what is seen of it.
    """
    best, error, last = _smoothest(table, scatter)
    if len(table) < 3:
        return best, error
    # Far from x another derivative may look as smooth. The steps below those that were used must not contradict it,
    # beyond what they vary among themselves; where all of it is contradicted, the derivative is sought among them.
    apart, jumps = _size(table - best, 2), _size(table[1:] - table[:-1], 2)
    noise = rounding[1:-1] + jumps[1:] + jumps[:-1]
    contradicts = np.where(np.arange(1, len(table) - 1)[:, None] > last, apart[1:-1] - NOISE * noise, 0)
    contradiction = np.max(np.nan_to_num(contradicts), axis=0, initial=0)
    error = np.maximum(error, contradiction)
    for j in np.flatnonzero(contradiction > MEANINGLESS * np.maximum(_size(best), _size(table[-1]))):
        below = slice(int(last[j]) + 1, None)
        if len(table[below]) > 2:
            (value,), (off,) = _extrapolate(*(a[below, j : j + 1] for a in (table, rounding, scatter)))
            if off < error[j]:
                best[j], error[j] = value, off
    return best, error


def _smoothest(table: Array, rounding: Array) -> tuple[Array, Array, Array]:
    """Of all extrapolations the one that changes least from its neighbours, that change, and its smallest step."""
    best, error, last = table[0].copy(), np.full(table.shape[1], np.inf), np.zeros(table.shape[1], int)
    previous = table
    for m in range(1, min(EXTRAPOLATIONS, len(table) - 1) + 1):
        current = previous[1:] + (previous[1:] - previous[:-1]) / (4.0**m - 1)
        # The change from either parent; row k of `current` rests on the steps k … k + m, of which the last is smallest.
        change = np.maximum(_size(current - previous[1:], 2), _size(current - previous[:-1], 2)) + rounding[m:]
        change = np.where(np.isfinite(change), change, np.inf)
        row, k = np.argmin(change, axis=0), np.arange(table.shape[1])
        better = change[row, k] < error
        best = np.where(better.reshape(-1, *(1,) * (best.ndim - 1)), current[row, k], best)
        error = np.minimum(error, change[row, k])
        last = np.where(better, row + m, last)
        previous = current
    return best, error, last


def _size(values: Array, leading: int = 1) -> Array:
    """The Euclidean norm over all but the leading axes."""
    return np.sqrt(np.sum(values.reshape(*values.shape[:leading], -1) ** 2, axis=-1))


def _directions(x: Array, order: int, seed: int) -> Array:
    """Every axis, for a second derivative their sums in pairs too; of many, random directions instead."""
    if basis_size(x.size, order) > BASIS_UP_TO:
        return stream(seed, "finite differences").standard_normal((RANDOM_DIRECTIONS, *x.shape))
    return basis(x.size, order).reshape(-1, *x.shape)


def basis_size(n: int, order: int) -> int:
    """How many directions determine a derivative by n entries."""
    return n if order < 2 else n * (n + 1) // 2


def basis(n: int, order: int) -> Array:
    """These directions: eᵢ, and of second order eᵢ + eⱼ after them."""
    e = np.eye(n)
    return e if order < 2 else np.concatenate([e, *([e[i] + e[j]] for i in range(n) for j in range(i))])


def hessian(along: Array, n: int) -> Array:
    """The second derivative, (…, n, n), from those along this basis, (directions, …)."""
    H = np.zeros((*along.shape[1:], n, n))
    squares = along[:n]
    pairs = ((i, j) for i in range(n) for j in range(i))
    for (i, j), q in zip(pairs, along[n:], strict=True):
        H[..., i, j] = H[..., j, i] = (q - squares[i] - squares[j]) / 2
    H[..., np.arange(n), np.arange(n)] = np.moveaxis(squares, 0, -1)
    return H
