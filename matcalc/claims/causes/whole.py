"""Causes that the claim as a whole shows: its layout, a factor, a convention, another variable, special arguments."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from matcalc.claims.causes.edits import in_numbers, is_plain, negated, scaled
from matcalc.claims.causes.search import Mended, Search
from matcalc.claims.layouts import candidates
from matcalc.claims.points import draw, near
from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.slopes import SAME, confirms, same, seen, truth
from matcalc.domains import named
from matcalc.formula import FormulaError, parse
from matcalc.formula import tree as t
from matcalc.layout import LAYOUTS, Layout
from matcalc.referee import Cause
from matcalc.referee.causes.points import SPECIAL

KINDS = (*SPECIAL, "correlation")
ASKED = 'convention="independent"'
POINTS = (1, 2)  # at which a claim has to be as it is said to be
ONE_SIGN = Cause("special", "True at some points only: where signs are others, it is wrong.")


def other_layout(search: Search) -> Iterator[Cause]:
    """The claim is right in another layout, or transposed."""
    turned = t.transpose(search.claim, search.scalars)
    for layout in LAYOUTS:
        if layout != search.layout and search.is_right(search.value(search.claim, layout)):
            is_asked = search.asked != "either"
            why = f"you asked for {search.layout}" if is_asked else f"it has the shape of {search.layout}"
            yield Mended("layout", f"True in {layout} layout; {why}.", "Transpose it.", turned)
    if search.is_right(search.value(turned)):
        text = f"It is transposed: {search.text(turned)} is right in {search.layout} layout."
        yield Mended("layout", text, "", turned)


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
            turned = negated(search.claim)
            yield Mended("sign", "The sign is wrong.", f"It is {search.text(turned)}.", turned)
        else:
            due = in_numbers(c)
            derivative = t.sum_of(scaled(c, term) for term in search.terms) if is_plain(c) else None
            yield Mended(
                "factor", f"A factor {due} is missing: {search.problem.what} is {due} times that.", "", derivative
            )


def symmetric_convention(search: Search) -> Iterator[Cause]:
    """What people write for symmetric matrices, whose entries are no independent variables."""
    problem, wrt = search.problem, search.problem.wrt
    shape = problem.numbers(problem.shapes[wrt])
    if problem.derivative_shape != problem.shapes[wrt] or len(shape) != 2 or shape[0] != shape[1]:
        return
    if problem.is_independent:
        if all(_is_full(search, *each) for each in zip(search.points, search.truths, strict=True)):
            G = search.text(parse("2 G - G ⊙ I"))
            text = f"It is the derivative G for which every entry of {wrt} moves freely."
            yield Cause("symmetric convention", text, f"By the independent entries it is {G} of its symmetric part.")
        return
    problem = replace(problem, where={wrt: named("symmetric"), **problem.where})
    known: list[tuple[Array, Array]] = []

    def is_claimed(convention: Callable[[Array], Array]) -> bool:
        for k, turn in enumerate(POINTS):
            if k == len(known):
                point = draw(problem, search.seed, f"symmetric convention {turn}", well=np.inf)
                known.append((problem.in_jax_layout(search.claim, point, search.layout), truth(problem, point)))
            D, G = known[k]
            if not same(D, convention(G)):
                return False
        return True

    try:
        is_independent = is_claimed(lambda G: G + G.T - np.diag(np.diag(G)))
    except FormulaError:
        return
    if is_independent:
        G = search.text(parse("G + G' - G ⊙ I"))
        text = f"It is {G} of the gradient G, the derivative by the independent entries of a symmetric {wrt}."
        yield Cause(
            "symmetric convention", text, f"Give G, for which every entry moves freely, or ask for it: {ASKED}."
        )
    if is_claimed(lambda G: (G + G.T) / 2) and not is_claimed(lambda G: G):
        text = f"It is the symmetric part of the gradient, which is enough where {wrt} is symmetric."
        yield Cause("symmetric convention", text, f'Say so, {wrt}="symmetric", or give all of it.')


def stacked_rows(search: Search) -> Iterator[Cause]:
    """It is right for a vec that stacks rows."""
    if search.is_right(search.by_rows()):
        rule = search.text(parse("(B' ⊗ A) vec(X)"))
        yield Cause("vec", f"True where vec stacks rows; here it stacks columns: vec(A X B) is {rule}.")


def other_order(search: Search) -> Iterator[Cause]:
    """It is the first derivative where the second is asked for, or the other way round."""
    problem = search.problem
    if problem.value_shape or problem.is_independent:
        return
    other = replace(problem, order=3 - problem.order)
    if any(_is_that(search, layout, order=other.order) for layout in candidates(other, "either")):
        if problem.order == 2:
            yield Cause("order", f"That is the first derivative; asked for is {problem.what}.", "Differentiate it.")
        else:
            yield Cause("order", f"That is {other.what}; asked for is the first derivative.", "Or ask for it: order=2.")


def other_variable(search: Search) -> Iterator[Cause]:
    """It is the derivative by another variable, with the shape that it has by itself."""
    try:
        search.problem.value_of(search.claim, search.points[0][1])
    except FormulaError:
        return
    for name in search.problem.shapes:
        for layout in LAYOUTS:
            if name != search.problem.wrt and _is_that(search, layout, wrt=name):
                how = f", in {layout} layout" if search.problem.order == 1 else ""
                yield Cause("variable", f"That is {replace(search.problem, wrt=name).what} by {name}{how}.")


def _is_that(search: Search, layout: Layout, **other: Any) -> bool:
    """Whether the claim is another derivative of the same function, and not zero."""
    for problem, point in search.points:
        each = replace(problem, **other)
        try:
            D = each.in_jax_layout(search.claim, point, layout)
        except FormulaError:
            return False
        if not np.any(D) or not confirms(each, D, point, search.seed):
            return False
    return True


def special_values(search: Search) -> Iterator[Cause]:
    """It holds for vectors that sum to one, or for masks, only."""
    problem = search.problem
    for kind, told in (("sums to one", "{0} that sums to one, 1' {0} = 1"), ("0/1", "{0} of zeros and ones")):
        for name, shape in problem.shapes.items():
            fits = named(kind).has_shape(problem.numbers(shape)) and shape and name != problem.wrt
            if fits and name not in problem.where and _holds_for(search, {name: kind}):
                yield Cause("condition", f"True only for {told.format(name)}.", f'Say so, {name}="{kind}", or mend it.')


def special_arguments(search: Search) -> Iterator[Cause]:
    """It holds for a special matrix only."""
    for kind in KINDS:
        for name in _squares(search.problem):
            if _holds_for(search, {name: kind}):
                yield Cause("condition", f"True only for {kind} {name}.", f'Say so, {name}="{kind}", or mend it.')


def several_special_arguments(search: Search) -> Iterator[Cause]:
    """It holds only where several matrices are special at once."""
    squares = _squares(search.problem)
    for kind in KINDS if len(squares) > 1 else ():
        if _holds_for(search, dict.fromkeys(squares, kind)):
            needed = squares
            for name in squares:
                fewer = [other for other in needed if other != name]
                needed = fewer if fewer and _holds_for(search, dict.fromkeys(fewer, kind)) else needed
            said = ", ".join(f'{name}="{kind}"' for name in needed)
            yield Cause("condition", f"True only for {kind} {' and '.join(needed)}.", f"Say so, {said}, or mend it.")


def _squares(problem: Problem) -> list[str]:
    """The square matrices of which nothing is declared."""
    return [name for name, s in problem.shapes.items() if len(s) == 2 and s[0] == s[1] and name not in problem.where]


def _holds_for(search: Search, kinds: Mapping[str, str]) -> bool:
    """Whether the claim is right where these variables are special, at several points."""
    special = replace(search.problem, where={**search.problem.where, **{name: named(kinds[name]) for name in kinds}})
    return all(_holds(search, special, kinds, f"special arguments {k}") for k in POINTS)


def _is_full(search: Search, at: tuple[Problem, Arguments], gradient: Array) -> bool:
    """Whether the claim is the derivative at a point where every entry moves freely."""
    problem = replace(at[0], is_independent=False)
    try:
        return same(seen(problem, problem.in_jax_layout(search.claim, at[1], search.layout)), gradient)
    except FormulaError:
        return False


def _holds(search: Search, special: Problem, kinds: Mapping[str, str], purpose: str) -> bool:
    """Whether the claim is right, and not zero, at a random point of a special problem."""
    try:
        point = draw(special, search.seed, purpose, well=np.inf)
        D = special.in_jax_layout(search.claim, point, search.layout)
        doubled = {**point, **{name: 2 * point[name] for name in kinds}}
        if "skew-symmetric" in kinds.values() and same(special.in_jax_layout(search.claim, doubled, search.layout), D):
            return False  # A skew-symmetric matrix makes much vanish, and then the claim is right for want of it.
    except FormulaError:
        return False
    # In directions that leave the special arguments too.
    return bool(np.abs(D).max() > SAME and confirms(search.problem, D, point, search.seed))
