"""A claim beside the truth at two points, and the test of an explanation.

An explanation is another formula: the claim transposed, or with a change in one of its terms. It holds where that is
the derivative at the point where the claim is wrong and at a second one, which has other sizes and integers.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from matcalc.claims.causes.edits import factors_of, single_edits
from matcalc.claims.layouts import AskedLayout
from matcalc.claims.points import draw, elsewhere
from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.slopes import along, direction, same, truth
from matcalc.formula import Formula, FormulaError, terms
from matcalc.formula import tree as t
from matcalc.formula.tree import Style
from matcalc.layout import Layout

EDITS = 400  # at most, of a term
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Search:
    """A claim that is wrong, beside the truth, and the test of an explanation."""

    def __init__(
        self,
        problem: Problem,
        claim: Formula,
        point: Arguments,
        layout: Layout,
        asked: AskedLayout,
        style: Style,
        seed: Any,
    ) -> None:
        self.problem, self.claim, self.seed = problem, claim, seed
        self.layout: Layout = layout
        self.asked: AskedLayout = asked
        self.style: Style = style
        self.points = [(problem, point), _with_other_numbers(problem, seed)]
        self.truth = _joined([truth(each, at) for each, at in self.points])
        self.terms = terms(claim)
        self.parts = [self.value(term) for term in self.terms]
        self.total = sum_of_values(self.parts)

    def value(self, tree: Formula, layout: Layout | None = None) -> Array | None:
        """A formula at all points, in JAX's layout; None where it does not fit, or is infinite."""
        try:
            value = _joined([each.in_jax_layout(tree, at, layout or self.layout) for each, at in self.points])
        except ValueError:
            return None
        return value if np.all(np.isfinite(value)) else None

    def is_right(self, value: Array | None) -> bool:
        """Whether this is the derivative."""
        return value is not None and same(value, self.truth)

    @property
    def scalars(self) -> frozenset[str]:
        """The names of the scalars, integers too."""
        return frozenset(name for name, shape in self.problem.symbols.items() if not shape)

    def edits(self, term: Formula) -> Iterator[Formula]:
        """Formulas that differ from a term in one place: a sign, a transpose, a factor, their order, a function."""
        seen = {term}
        for edited in itertools.islice(single_edits(term, list(self.problem.symbols)), EDITS):
            if edited not in seen:
                seen.add(edited)
                yield edited
        yield from (t.Product((t.Name(scalar), *factors_of(term))) for scalar in sorted(self.scalars))

    # --- Words

    def text(self, tree: Formula) -> str:
        """A formula in the style of the claim."""
        return tree.show(self.style)

    def term(self, place: int) -> str:
        """The claim's only term, or which of several."""
        if len(self.terms) == 1:
            return "it"
        return f"the {ORDINALS[place] if place < len(ORDINALS) else f'{place + 1}th'} term"


def sum_of_values(values: Sequence[Array | None]) -> Array | None:
    """The sum of the values of terms; None where one has none, or there are none."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(values) else None


def _with_other_numbers(problem: Problem, seed: Any) -> tuple[Problem, Arguments]:
    """A point of the problem with other sizes and integers, if there is one where it has a derivative."""
    other = elsewhere(problem)
    try:
        point = draw(other, seed, "point of a cause, with other numbers")
        if np.all(np.isfinite(along(other, point, direction(other, seed)[None]))):
            return other, point
    except FormulaError:
        pass
    return problem, draw(problem, seed, "second point of a cause")


def _joined(parts: list[Array]) -> Array:
    return np.concatenate([np.ravel(part) for part in parts])
