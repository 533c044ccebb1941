"""Causes that the claim as a whole shows: its layout, a factor, a convention, another variable, special arguments."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from matcalc.claims.causes.edits import in_numbers, negated
from matcalc.claims.causes.search import Search
from matcalc.claims.points import draw, near
from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.slopes import SAME, confirms, same, truth
from matcalc.domains import named
from matcalc.formula import FormulaError, parse
from matcalc.formula import tree as t
from matcalc.layout import LAYOUTS, Layout, from_layout, layout_shape
from matcalc.referee import Cause
from matcalc.referee.causes.points import SPECIAL

POINTS = (1, 2)  # at which a claim has to be as it is said to be
ONE_SIGN = Cause("special", "True at some points only: where signs are others, it is wrong.")


def other_layout(search: Search) -> Iterator[Cause]:
    """The claim is right in another layout, or transposed."""
    for layout in LAYOUTS:
        if layout != search.layout and search.is_right(search.value(search.claim, layout)):
            is_asked = search.asked != "either"
            why = f"you asked for {search.layout}" if is_asked else f"it has the shape of {search.layout}"
            yield Cause("layout", f"True in {layout} layout; {why}.", "Transpose it.")
    turned = t.transpose(search.claim, search.scalars)
    if search.is_right(search.value(turned)):
        yield Cause("layout", f"It is transposed: {search.text(turned)} is right in {search.layout} layout.")


def one_sign(search: Search) -> Cause | None:
    """The claim is right where signs are others."""
    problem = search.problem
    for kind, point in near(problem, search.points[0][1]):
        if kind != "sign":
            continue
        try:
            D = problem.in_jax_layout(search.claim, point, search.layout)
        except FormulaError:
            return None
        if np.any(D) and confirms(problem, D, point, search.seed):
            return ONE_SIGN
    return None


def factor(search: Search) -> Iterator[Cause]:
    """The claim is a multiple of the truth."""
    total = search.total
    if total is None or not np.any(total):
        return
    c = float(np.vdot(total, search.truth) / np.vdot(total, total))
    if c and search.is_right(c * total):
        if search.is_right(-total):
            yield Cause("sign", "The sign is wrong.", f"It is {search.text(negated(search.claim))}.")
        else:
            due = in_numbers(c)
            yield Cause("factor", f"A factor {due} is missing: the derivative is {due} times that.")


def symmetric_convention(search: Search) -> Iterator[Cause]:
    """What people write for symmetric matrices, whose entries are no independent variables."""
    problem, wrt = search.problem, search.problem.wrt
    shape = problem.numbers(problem.shapes[wrt])
    if problem.numbers(problem.value_shape) or len(shape) != 2 or shape[0] != shape[1]:
        return
    problem = replace(problem, where={wrt: named("symmetric"), **problem.where})
    try:
        points = [draw(problem, search.seed, f"symmetric convention {k}") for k in POINTS]
        claims = [problem.in_jax_layout(search.claim, point, search.layout) for point in points]
    except FormulaError:
        return
    gradients = [truth(problem, point) for point in points]

    def is_claimed(convention: Callable[[Array], Array]) -> bool:
        return all(same(D, convention(G)) for D, G in zip(claims, gradients, strict=True))

    if is_claimed(lambda G: G + G.T - np.diag(np.diag(G))):
        G = search.text(parse("G + G' - G ⊙ I"))
        text = f"It is {G} of the gradient G, the derivative by the independent entries of a symmetric {wrt}."
        yield Cause("symmetric convention", text, "Give G, for which every entry moves freely.")
    if is_claimed(lambda G: (G + G.T) / 2) and not is_claimed(lambda G: G):
        text = f"It is the symmetric part of the gradient, which is enough where {wrt} is symmetric."
        yield Cause("symmetric convention", text, f'Say so, {wrt}="symmetric", or give all of it.')


def other_variable(search: Search) -> Iterator[Cause]:
    """It is the derivative by another variable, with the shape that it has by itself."""
    try:
        claims = [np.asarray(problem.value_of(search.claim, point)) for problem, point in search.points]
    except FormulaError:
        return
    for name in search.problem.shapes:
        for layout in LAYOUTS:
            if name != search.problem.wrt and all(
                _is_derivative(claim, replace(problem, wrt=name), point, layout, search)
                for claim, (problem, point) in zip(claims, search.points, strict=True)
            ):
                yield Cause("variable", f"That is the derivative by {name}, in {layout} layout.")


def special_arguments(search: Search) -> Iterator[Cause]:
    """It holds for special arguments only."""
    problem = search.problem
    for kind in SPECIAL:
        for name, shape in problem.shapes.items():
            if len(shape) != 2 or shape[0] != shape[1] or name in problem.where:
                continue
            special = replace(problem, where={**problem.where, name: named(kind)})
            if all(_holds(search, special, f"special arguments {k}") for k in POINTS):
                yield Cause("condition", f"True only for {kind} {name}.", f'Say so, {name}="{kind}", or mend it.')


def _is_derivative(claim: Array, problem: Problem, point: Arguments, layout: Layout, search: Search) -> bool:
    value, variable = problem.numbers(problem.value_shape), problem.numbers(problem.shapes[problem.wrt])
    if layout_shape(value, variable, layout) != claim.shape:
        return False
    return bool(confirms(problem, from_layout(claim, value, variable, layout), point, search.seed))


def _holds(search: Search, special: Problem, purpose: str) -> bool:
    """Whether the claim is right, and not zero, at a random point of a special problem."""
    try:
        point = draw(special, search.seed, purpose)
        D = special.in_jax_layout(search.claim, point, search.layout)
    except FormulaError:
        return False
    # In directions that leave the special arguments too.
    return bool(np.abs(D).max() > SAME and confirms(search.problem, D, point, search.seed))
