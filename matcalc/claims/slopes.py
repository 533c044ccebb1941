"""What finite differences say of a function, and of a claim about it.

They are those of the referee, with three steps instead of twenty-six: that is quick enough for a search among the
causes, and right to about ten digits where the function is smooth. The referee has the last word.
"""

from typing import Any

import numpy as np

from matcalc.claims.points import draw
from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.formula import FormulaError
from matcalc.referee.differences import finite_differences
from matcalc.streams import stream

STEP, STEPS = 2.0**-9, 3  # the first step, relative, and how many
SAME = 1e-6  # relative, of what is compared by them


def along(problem: Problem, point: Arguments, directions: Array) -> Array:
    """The derivatives along directions, (directions, axes of the variable); NaN where there is none."""

    def f(x: Array) -> Array:
        return np.asarray(problem.value_of(problem.formula, {**point, problem.wrt: x}))

    found = finite_differences(f, point[problem.wrt], 1, directions=directions, first=STEP, steps=STEPS)
    is_finite = np.isfinite(found.errors).reshape(-1, *(1,) * (found.values.ndim - 1))
    return np.where(is_finite, found.values, np.nan)


def truth(problem: Problem, point: Arguments) -> Array:
    """The derivative along every axis, in JAX's layout."""
    x = point[problem.wrt]
    columns = along(problem, point, np.eye(x.size).reshape(-1, *x.shape))
    return np.moveaxis(columns, 0, -1).reshape((*columns.shape[1:], *x.shape))


def direction(problem: Problem, seed: Any, *, leaves_domain: bool = False) -> Array:
    """A random direction, of length 1, in which the variable may move; or in which it leaves its domain too."""
    v = stream(seed, "direction of a claim").standard_normal(problem.numbers(problem.shapes[problem.wrt]))
    domain = problem.where.get(problem.wrt)
    v = domain.project(v) if domain and domain.is_subspace and not leaves_domain else v
    return v / np.linalg.norm(v)


def agrees(problem: Problem, D: Array, point: Arguments, v: Array) -> bool | None:
    """Whether this is the derivative, in JAX's layout, along a direction; None where there is none."""
    (slope,) = along(problem, point, v[None])
    return same(np.tensordot(D, v, v.ndim), slope) if np.all(np.isfinite(slope)) else None


def confirms(problem: Problem, D: Array, point: Arguments, seed: Any) -> bool | None:
    """Whether this is the derivative along a random direction in which the variable may move."""
    return agrees(problem, D, point, direction(problem, seed))


def regularity(problem: Problem) -> int:
    """2 where the function is smooth and varies, 1 where it is smooth, else 0, as ln |X'X| is of a wide X."""
    try:
        point = draw(problem, 0, "regularity of a claim")
        (slopes,) = along(problem, point, direction(problem, 0)[None])
        moved = {**point, problem.wrt: point[problem.wrt] * (1 + 1e-7)}
        before, after = (problem.value_of(problem.formula, at) for at in (point, moved))
    except FormulaError:
        return 0
    with np.errstate(all="ignore"):
        slope, change = np.abs(slopes).max(), np.abs(after - before).max()
    if not slope < 1e6 or not change < 1e-4 * (1 + np.abs(before).max()):
        return 0
    return 2 if slope > 1e-6 else 1


def same(one: Array, other: Array, tolerance: float = SAME) -> bool:
    """Whether two arrays are equal up to what finite differences can tell."""
    if one.shape != other.shape or not np.all(np.isfinite(one)):
        return False
    return bool(
        np.linalg.norm(one - other) <= tolerance * max(np.linalg.norm(other), 1e-3 * np.linalg.norm(one), 1e-12)
    )
