"""What finite differences say of a function, and of a claim about it.

They are those of the referee, with a few steps instead of twenty-six: that is quick enough for a search among the
causes, and right to about ten digits where the function is smooth, of second order to eight. The referee has the last
word.
"""

import math
from typing import Any

import numpy as np

from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.domains import Domain
from matcalc.referee.differences import basis, finite_differences, hessian
from matcalc.streams import stream

STEPS = {1: (2.0**-9, 3), 2: (2.0**-8, 5)}  # the first step, relative, and how many, by the order
SAME = 1e-6  # relative, of what is compared by them
CHANGE = 1e-6  # relative, of arguments, by which a condition is measured
SHORT = {1: 2.0**-24, 2: 2.0**-12}  # relative, a step for that, by the order
LEVEL = 2.0**-8  # relative, how far about a point f is looked at
FLAT = 1e-6  # relative to the value, what is no slope


def along(problem: Problem, point: Arguments, directions: Array) -> Array:
    """The derivatives along directions, (directions, axes of the value); NaN where there is none.

    Those of second order are along each direction twice.
    """

    def f(x: Array) -> Array:
        return np.asarray(problem.value_of(problem.formula, {**point, problem.wrt: x}))

    first, steps = STEPS[problem.order]
    found = finite_differences(f, point[problem.wrt], problem.order, directions=directions, first=first, steps=steps)
    is_finite = np.isfinite(found.errors).reshape(-1, *(1,) * (found.values.ndim - 1))
    return np.where(is_finite, found.values, np.nan)


def truth(problem: Problem, point: Arguments) -> Array:
    """The derivative along every axis, in JAX's layout."""
    x = point[problem.wrt]
    columns = along(problem, point, basis(x.size, problem.order).reshape(-1, *x.shape))
    if problem.order == 2:
        return hessian(columns, x.size).reshape(x.shape * 2)
    return np.moveaxis(columns, 0, -1).reshape((*columns.shape[1:], *x.shape))


def direction(problem: Problem, seed: Any, *, leaves_domain: bool = False, turn: str = "") -> Array:
    """A random direction, of length 1, in which the variable may move; or in which it leaves its domain too.

    Independent entries of a symmetric matrix move along symmetric ones.
    """
    v = stream(seed, f"{turn}direction of a claim").standard_normal(problem.numbers(problem.shapes[problem.wrt]))
    domain = problem.where.get(problem.wrt)
    v = v + v.T if problem.is_independent else v
    v = domain.project(v) if domain and domain.is_subspace and not leaves_domain else v
    return v / np.linalg.norm(v)


def agrees(problem: Problem, D: Array, point: Arguments, seed: Any, *, leaves_domain: bool = False) -> bool | None:
    """Whether this is the derivative, in JAX's layout, along a random direction; None where there is none.

    One of second order is compared along two directions, since along one only its symmetric part is seen.
    """
    v = direction(problem, seed, leaves_domain=leaves_domain)
    if problem.order == 1:
        (slope,) = along(problem, point, v[None])
    else:
        w = direction(problem, seed, leaves_domain=leaves_domain, turn="second ")
        w = -w if np.vdot(v, w) < 0 else w  # for the sum of both is no direction where it is 0
        both, one, other = along(problem, point, np.stack([v + w, v, w]))
        slope, D = (both - one - other) / 2, np.tensordot(D, w, w.ndim)
    if not np.all(np.isfinite(slope)):
        return None
    return bool(np.all(np.isfinite(D))) and same(np.tensordot(D, v, v.ndim), slope)


def confirms(problem: Problem, D: Array, point: Arguments, seed: Any) -> bool | None:
    """Whether this is the derivative along a random direction in which the variable may move."""
    return agrees(problem, D, point, seed)


def condition(problem: Problem, point: Arguments) -> float:
    """How strongly the slope along a direction amplifies relative changes of the arguments; infinite where none is.

    It is infinite where f is flat too, as exp(-x²) is far out: there a right claim may be a difference of larger
    numbers.
    """
    v, rng = direction(problem, 0), stream(0, "conditions of a claim")
    moved = {
        name: _inside(problem.where.get(name), a * (1 + CHANGE * rng.choice([-1.0, 1.0], a.shape)))
        for name, a in point.items()
    }
    with np.errstate(all="ignore"):
        here, there = (_slope(problem, at, v) for at in (point, moved))
        value = np.abs(problem.value_of(problem.formula, point)).max()
        size, change = np.abs(here).max(), np.abs(there - here).max()
        is_flat = not size > FLAT * value / max(np.abs(point[problem.wrt]).max(), FLAT) ** problem.order
    return np.inf if is_flat or not change < np.inf else float(change / (CHANGE * size))


def is_level(problem: Problem, point: Arguments) -> bool:
    """Whether f does not change at all about a point, in either of two directions, as relu(a'x) where a'x < 0."""
    x = point[problem.wrt]
    here = problem.value_of(problem.formula, point)
    moves = (direction(problem, 0, turn=turn) * (np.abs(x).max() or 1.0) * LEVEL for turn in ("", "second "))
    with np.errstate(all="ignore"):
        return all(
            np.array_equal(problem.value_of(problem.formula, {**point, problem.wrt: x + sign * move}), here)
            for move in moves
            for sign in (1, -1)
        )


def _slope(problem: Problem, point: Arguments, v: Array) -> Array:
    """The derivative along a direction by a single difference, of points that are nearer than a pole may be."""
    x = point[problem.wrt]
    h = SHORT[problem.order] * (np.abs(x).max() or 1.0)
    steps = (h, -h, 0)[: problem.order + 1]
    right, left, *here = (problem.value_of(problem.formula, {**point, problem.wrt: x + step * v}) for step in steps)
    return (right - left) / (2 * h) if problem.order == 1 else (right - 2 * here[0] + left) / h**2


def _inside(domain: Domain | None, value: Array) -> Array:
    return domain.project(value) if domain else value


def seen(problem: Problem, D: Array) -> Array:
    """What of a derivative, in JAX's layout, can be seen along directions in which the variable may move."""
    domain = problem.where.get(problem.wrt)
    if not domain or not domain.is_subspace:
        return D
    shape = problem.numbers(problem.shapes[problem.wrt])
    for _ in range(problem.order):  # a Hessian from both sides
        D = np.stack([domain.project(d) for d in D.reshape(-1, *shape)]).reshape(D.shape)
        D = D if problem.order == 1 else D.reshape((math.prod(shape),) * 2).T.reshape(D.shape)
    return D


def same(one: Array, other: Array, tolerance: float = SAME) -> bool:
    """Whether two arrays are equal up to what finite differences can tell."""
    if one.shape != other.shape or not np.all(np.isfinite(one)):
        return False
    return bool(
        np.linalg.norm(one - other) <= tolerance * max(np.linalg.norm(other), 1e-3 * np.linalg.norm(one), 1e-12)
    )
