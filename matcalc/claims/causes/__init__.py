"""Why a derivative that was typed is wrong, in the terms of its formula: hypotheses, each tested numerically.

A hypothesis is a function from a `Search` to the causes that hold, and stands in the module of what it looks at: the
whole claim, or its terms. A new one is put in its place among HYPOTHESES, the most specific ones first.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from matcalc.claims.causes import terms, whole
from matcalc.claims.causes.search import Search, observe
from matcalc.claims.layouts import AskedLayout
from matcalc.claims.problem import Arguments, Problem
from matcalc.formula import Formula
from matcalc.formula.tree import Style
from matcalc.layout import Layout
from matcalc.referee import Cause

Hypothesis = Callable[[Search], Iterator[Cause]]

HYPOTHESES: tuple[Hypothesis, ...] = (
    whole.other_layout,
    whole.other_order,
    whole.factor,
    whole.symmetric_convention,
    terms.coefficients,
    whole.other_variable,
    whole.special_values,
    terms.one_term,
    terms.number,
    whole.special_arguments,
    whole.stacked_rows,
    terms.two_terms,
    whole.several_special_arguments,
    terms.missing_term,
    terms.product_of_factors,
)


def explain(
    problem: Problem,
    claim: Formula,
    point: Arguments,
    layouts: Sequence[Layout],
    asked: AskedLayout,
    style: Style,
    seed: Any,
) -> tuple[Cause, Layout] | None:
    """The most specific cause of what is wrong at a point, and at others, and the layout in which it is read so.

    None where there is none.
    """
    seen_at = observe(problem, claim, point, seed)
    searches = [Search(seen_at, claim, layout, asked, style, seed) for layout in layouts]
    for search in searches:
        if cause := whole.one_sign(search):
            return cause, search.layout
    searches = [search for search in searches if not search.is_right(search.total)]
    for hypothesis in HYPOTHESES:
        for search in searches:
            for cause in hypothesis(search):
                return cause, search.layout
    return None
