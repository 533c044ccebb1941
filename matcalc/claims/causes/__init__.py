"""Why a derivative that was typed is wrong, in the terms of its formula: hypotheses, each tested numerically.

A hypothesis is a function from a `Search` to the causes that hold, and stands in the module of what it looks at: the
whole claim, or its terms. A new one is put in its place among HYPOTHESES, the most specific ones first.
"""

from collections.abc import Callable, Iterator
from typing import Any

from matcalc.claims.causes import terms, whole
from matcalc.claims.causes.search import Search
from matcalc.claims.layouts import AskedLayout
from matcalc.claims.problem import Arguments, Problem
from matcalc.formula import Formula
from matcalc.formula.tree import Style
from matcalc.layout import Layout
from matcalc.referee import Cause

Hypothesis = Callable[[Search], Iterator[Cause]]

HYPOTHESES: tuple[Hypothesis, ...] = (
    whole.other_layout,
    whole.factor,
    whole.symmetric_convention,
    terms.coefficients,
    whole.other_variable,
    terms.one_term,
    whole.special_arguments,
    terms.missing_term,
    terms.two_terms,
)


def explain(
    problem: Problem, claim: Formula, point: Arguments, layout: Layout, asked: AskedLayout, style: Style, seed: Any
) -> Cause | None:
    """The most specific cause of what is wrong at a point, and at another one; None where there is none."""
    search = Search(problem, claim, point, layout, asked, style, seed)
    if cause := whole.one_sign(search):
        return cause
    if search.is_right(search.total):
        return None
    return next((cause for hypothesis in HYPOTHESES for cause in hypothesis(search)), None)
