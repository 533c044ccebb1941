"""A claim beside the truth at two points, and the test of an explanation.

An explanation is another formula: the claim transposed, or with a change in one of its terms. It holds where that is
the derivative at the point where the claim is wrong and at others, some of which have other sizes and integers.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from matcalc.claims.causes.edits import factors_of, single_edits
from matcalc.claims.causes.factors import Chain, matrices, products, scalar_values
from matcalc.claims.layouts import AskedLayout
from matcalc.claims.points import draw, elsewhere, other_sides
from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.slopes import along, direction, same, seen, truth
from matcalc.formula import Formula, FormulaError, terms
from matcalc.formula import tree as t
from matcalc.formula.tree import Style
from matcalc.layout import Layout, to_layout
from matcalc.referee import Cause

WORK = 20_000  # nodes of all the edits of a claim, at most
FEWEST_POINTS, MOST_POINTS = 3, 7
SPARE = 4  # equations more than twice what is fitted
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Mended(Cause):
    """A cause, and the derivative as it should be written where that is known."""

    derivative: Formula | None = None


@dataclass(frozen=True, eq=False)
class Truth:
    """Points, and the derivative at each, as far as it can be seen in the domain of the variable."""

    points: list[tuple[Problem, Arguments]]
    values: list[Array]


class Search:
    """A claim that is wrong, beside the truth, and the test of an explanation."""

    def __init__(
        self,
        seen_at: "Truth",
        claim: Formula,
        layout: Layout,
        asked: AskedLayout,
        style: Style,
        seed: Any,
    ) -> None:
        self.problem, self.claim, self.seed = seen_at.points[0][0], claim, seed
        self.layout: Layout = layout
        self.asked: AskedLayout = asked
        self.style: Style = style
        self.terms = terms(claim)
        self.points, self.truths = seen_at.points, seen_at.values
        self.truth = _joined(self.truths)
        self.first = self.truths[0].size  # how many of the entries are those of the first point
        self.known: dict[Formula, Array | None] = {}
        self.parts = [self.value(term) for term in self.terms]
        self.total = sum_of_values(self.parts)

    def value(self, tree: Formula, layout: Layout | None = None) -> Array | None:
        """A formula at all points, in JAX's layout; None where it does not fit, or is infinite.

        Of variables of a subspace, it is what can be seen in that.
        """
        return self._value(tree, layout or self.layout, self.points)

    def first_value(self, tree: Formula) -> Array | None:
        """The same at the first point only."""
        if tree not in self.known:
            self.known[tree] = self._value(tree, self.layout, self.points[:1])
        return self.known[tree]

    def by_rows(self) -> Array | None:
        """The claim at all points, read as one about a vec that stacks rows; None where it is about no vec."""
        if self.layout != "vec" or self.problem.is_differential(self.claim):
            return None

        def value(each: Problem, at: Arguments) -> Array:
            return each.claimed(self.claim, at, "vec").reshape(each.numbers(each.derivative_shape))

        return self._seen(value, self.points)

    def _value(self, tree: Formula, layout: Layout, points: Sequence[tuple[Problem, Arguments]]) -> Array | None:
        return self._seen(lambda each, at: each.in_jax_layout(tree, at, layout), points)

    def _seen(
        self, value_at: Callable[[Problem, Arguments], Array], points: Sequence[tuple[Problem, Arguments]]
    ) -> Array | None:
        try:
            value = _joined([seen(each, value_at(each, at)) for each, at in points])
        except ValueError:
            return None
        return value if np.all(np.isfinite(value)) else None

    def is_right(self, value: Array | None) -> bool:
        """Whether this is the derivative."""
        return value is not None and same(value, self.truth)

    def corrects(self, tree: Formula, others: Array | None = None) -> bool:
        """Whether a formula, and other terms beside it, are the derivative: at one point, and at all."""
        value = self.first_value(tree)
        if value is None or not same(value + (0 if others is None else others[: self.first]), self.truth[: self.first]):
            return False
        value = self.value(tree)
        return value is not None and self.is_right(value if others is None else value + others)

    def others(self, place: int) -> Array | None:
        """The sum of the terms but one; None where there are none."""
        return sum_of_values([value for k, value in enumerate(self.parts) if k != place])

    @cached_property
    def numbers(self) -> list[tuple[Formula, Array]]:
        """Numbers that may be a factor, with their values at the points."""
        return scalar_values(self.problem, self.claim, self.points)

    def times(self, values: Array, of: Array) -> Array:
        """Something at all points times a number that has a value at each."""
        sizes = [math.prod(each.numbers(each.derivative_shape)) for each, _ in self.points]
        return np.repeat(values, sizes) * of

    def products(self, place: int | None) -> Iterator[Formula]:
        """Products that may stand instead of a term, or beside all of them, but for a coefficient; short ones first."""
        same_sizes = [k for k, (each, _) in enumerate(self.points) if each is self.problem]
        points = [self.points[k] for k in same_sizes]
        shape = self.problem.numbers(self.problem.due(self.layout))
        if len(shape) > 2 or len(points) < 2:
            return

        def arranged(D: Array, each: Problem) -> Array:
            value = to_layout(D, len(each.outer_shape), self.layout)
            return value.reshape(*value.shape[:1] or (1,), -1)  # a vector is a column

        target = np.stack([arranged(self.truths[k], self.problem) for k in same_sizes])
        terms = [
            np.stack([arranged(seen(each, each.in_jax_layout(term, at, self.layout)), each) for each, at in points])
            for k, term in enumerate(self.terms)
            if k != place
        ]
        if place is not None:
            target = target - sum(terms, np.zeros_like(target))
        others = np.stack(terms) if place is None else np.empty((0, *target.shape))
        numbers = [(tree, values[same_sizes]) for tree, values in self.numbers]
        pool = self.pool
        for factors in (pool[: 3 * len(self.problem.shapes)], pool):
            yield from map(t.product_of, products(factors, numbers, target, others))

    @cached_property
    def pool(self) -> list[Chain]:
        """What may be a factor."""
        return matrices(self.problem, self.claim, [(each, at) for each, at in self.points if each is self.problem])

    @property
    def scalars(self) -> frozenset[str]:
        """The names of the scalars, integers too."""
        return frozenset(name for name, shape in self.problem.symbols.items() if not shape)

    def edits(self, term: Formula) -> Iterator[Formula]:
        """Formulas that differ from a term in one place: a sign, a transpose, a factor, their order, a function."""
        tried, work = {term}, WORK // len(self.terms)
        for edited in single_edits(term, list(self.problem.symbols), self.scalars):
            if edited not in tried:
                tried.add(edited)
                yield edited
                work -= sum(1 for _ in t.nodes(edited))
                if work < 0:
                    return
        if self.layout == "vec":
            yield from self._commuted(term)

    def _commuted(self, term: Formula) -> Iterator[Formula]:
        """A term of a derivative by vec(X) times the commutation matrix, from either side."""
        if len(shape := self.problem.shapes[self.problem.wrt]) == 2:
            m, n = (t.Number(size) if isinstance(size, int) else t.Name(size) for size in shape)
            for K in dict.fromkeys((t.Constant("K", (m, n)), t.Constant("K", (n, m)))):
                factors = factors_of(term.of if isinstance(term, t.Neg) else term)
                numbers = [factor for factor in factors[:1] if isinstance(factor, t.Number)]
                others = factors[len(numbers) :]
                for product in ((*numbers, K, *others), (*factors, K)):
                    yield t.Neg(t.Product(product)) if isinstance(term, t.Neg) else t.Product(product)

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


def observe(problem: Problem, claim: Formula, point: Arguments, seed: Any) -> Truth:
    """The derivative at the point, at one with other sizes and integers, and at as many more as the claim has terms.

    So what is fitted to them is no accident.
    """
    equations = 2 * len(terms(claim)) + SPARE
    found = [(problem, point)]
    entries = math.prod(problem.numbers(problem.derivative_shape))
    for turn in range(MOST_POINTS):
        if len(found) >= FEWEST_POINTS and len(found) * entries >= equations:
            break
        each = problem if turn % 2 else elsewhere(problem)
        with contextlib.suppress(FormulaError):
            at = draw(each, seed, f"point {turn} of a cause")
            if np.all(np.isfinite(along(each, at, direction(each, seed)[None]))):
                found.append((each, at))
    found += [(problem, at) for at in other_sides(problem, point)]
    return Truth(found, [seen(each, truth(each, at)) for each, at in found])


def _joined(parts: list[Array]) -> Array:
    return np.concatenate([np.ravel(part) for part in parts])
