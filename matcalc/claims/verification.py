"""Whether a derivative by rules is one: finite differences and ball arithmetic are asked before it is printed."""

import itertools
from dataclasses import dataclass

import numpy as np

from matcalc.calculus.terms import replace
from matcalc.claims.certificate import certify_claim
from matcalc.claims.points import draw, elsewhere, has_shapes, singular, turned
from matcalc.claims.problem import Arguments, Problem
from matcalc.claims.slopes import along, condition, direction
from matcalc.claims.verdict import CERTAIN, ILL
from matcalc.formula import Formula, FormulaError
from matcalc.formula import tree as t
from matcalc.layout import Layout

CLOSE = 1e-5  # relative, what finite differences tell at a point that is not ill-conditioned


@dataclass(frozen=True)
class Verified:
    """Who agreed with a derivative: the largest relative error in float64, and the digits in ball arithmetic."""

    witnesses: tuple[str, ...]
    error: float
    digits: float | None = None


class Disagreement(RuntimeError):
    """A derivative by rules with which the witnesses disagree: a fault of this package."""


def verify(problem: Problem, claim: Formula, layout: Layout, seed: int = 0) -> Verified | None:
    """The witnesses at two points, of which one has other sizes and signs; None where there is no point to ask at.

    Where there is none with these sizes, as A'A has no inverse of a wide A, others are tried.

    Raises Disagreement where they say that it is wrong.
    """
    errors: list[float] = []
    first: Arguments | None = None  # the point of the problem itself, as it was drawn
    others = ((other, 1.0) for _, other in turned(problem) if not errors)
    for each, sign in itertools.chain(((problem, 1.0), (elsewhere(problem), -1.0)), others):
        if not has_shapes(each):
            continue
        try:
            point = draw(each, seed, "point of a derivation")
        except FormulaError:
            continue
        first = point if each is problem else first
        moved = {**point, problem.wrt: sign * point[problem.wrt]}
        point = moved if _is_regular(each, moved) else point
        error = _error(each, claim, layout, point)
        if error is not None and not (error > CLOSE and condition(each, point) > ILL):
            errors.append(error)
    if not errors:
        return None
    digits = certified(problem, claim, layout, first, seed) if first else None
    if max(errors) > CLOSE and not (digits and digits >= CERTAIN):
        raise Disagreement(
            f"The rules give {claim} as the derivative of {problem.formula} by {problem.wrt}, and finite differences "
            "disagree. That is a fault of matcalc: please report it, with this message."
        )
    witnesses = ("finite differences", "ball arithmetic") if digits else ("finite differences",)
    return Verified(witnesses, max(errors), digits)


def with_names(differential: Formula) -> Formula:
    """A differential with dX as a name, as claims and readers have it."""
    return replace(
        differential, lambda node: t.Name(node.key) if isinstance(node, t.Derivative) and not node.by else None
    )


def certified(problem: Problem, claim: Formula, layout: Layout, point: Arguments, seed: int = 0) -> float | None:
    """The digits in which ball arithmetic agrees; None where it cannot tell, or is not installed."""
    try:
        digits = certify_claim(problem, claim, layout, point, seed)
    except (FormulaError, ImportError):
        return None
    return digits if digits >= CERTAIN else None


def _is_regular(problem: Problem, point: dict[str, np.ndarray]) -> bool:
    domain = problem.where.get(problem.wrt)
    value = problem.value_of(problem.formula, point)
    return (domain is None or domain.contains(point[problem.wrt])) and bool(np.all(np.isfinite(value)))


def _error(problem: Problem, claim: Formula, layout: Layout, point: dict[str, np.ndarray]) -> float | None:
    """The relative error along a random direction; None where there is no slope, and where the claim has no value.

    It has none where it inverts a singular matrix: what is computed then is rounding, and not even linear.
    """
    if singular(problem, claim, point, 1 / ILL):
        return None
    v = direction(problem, 0)
    (slope,) = along(problem, point, v[None])
    D = np.tensordot(problem.in_jax_layout(claim, point, layout), v, v.ndim)
    if not np.all(np.isfinite(slope)) or not np.all(np.isfinite(D)):
        return None
    return float(np.linalg.norm(D - slope) / max(np.linalg.norm(slope), 1e-3 * np.linalg.norm(D), 1e-9))
