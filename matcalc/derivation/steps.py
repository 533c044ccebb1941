"""The way to a derivative, as a person writes it: the differential rule by rule, then what it is transposed to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from matcalc.calculus import Algebra, Derivative, terms, written
from matcalc.calculus.derive import leaves
from matcalc.calculus.differential import differential, name_of_rule, one_rule
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import SCALAR, UNIT, Dims, mentions, product, trace
from matcalc.claims.points import draw
from matcalc.claims.problem import Problem
from matcalc.claims.slopes import along, direction
from matcalc.claims.verification import CLOSE, Disagreement, with_names
from matcalc.derivation.lefts import derivative_of, differential_of
from matcalc.derivation.moved import meant
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.shapes import typed
from matcalc.formula.sizes import shape_of_array

MOST_WRITTEN = 4000  # nodes of lines, rule by rule; behind them the differential is written as a whole
PENDING = "d"  # d(U), which the next line differentiates


@dataclass(frozen=True)
class Step:
    """A line of a derivation: an equality, by a rule; where nothing stands to its left it goes on with the last."""

    rule: str
    right: Formula
    left: str = ""
    left_in_tex: str = ""

    @property
    def text(self) -> str:
        """The line in Unicode."""
        return f"{self.left} = {self.right}".strip()

    @property
    def tex(self) -> str:
        """The line in TeX, for an `aligned` block."""
        return rf"{self.left_in_tex} &= {self.right.tex()} && \text{{{self.rule}}}"


def steps(
    algebra: Algebra, stages: Sequence[Problem], derivatives: Sequence[Derivative], moved: Sequence[str] = ()
) -> tuple[Step, ...]:
    """The lines of one differentiation after the other, each compared with finite differences.

    Disagreement where a line is not an equality.
    """
    lines: list[Step] = []
    f = stages[0].formula
    for count, (stage, found) in enumerate(zip(stages, derivatives, strict=True), 1):
        lines += _of_stage(algebra, stage, found, moved)
        if found.formula is not None:
            by = [each.wrt for each in stages[:count]]
            right = written(found.formula, algebra.names, shape_of_array(found.dims))
            lines.append(Step("read off", right, derivative_of(f, by), derivative_of(f, by, "tex")))
    return tuple(lines)


def _of_stage(algebra: Algebra, problem: Problem, found: Derivative, moved: Sequence[str]) -> Iterator[Step]:
    """The lines of one differentiation."""
    x = problem.wrt
    names = {**algebra.names, f"d{x}": algebra.names[x]}
    a = Algebra(names, algebra.facts, f"d{x}")
    f = with_sizes(typed(problem.formula, problem.symbols))
    trees = [*_by_rules(a, f, leaves(a, x, moved)), ("collected", found.differential)]
    if found.formula is not None and (line := _read_off(a, found.formula, a.dims(f), a.names[x], x)):
        trees.append(line)
    point, v = draw(problem, 0, "point of a derivation"), direction(problem, 0)
    moving = replace(problem, formula=meant(problem.formula, problem, moved)) if moved else problem
    (slope,) = along(moving, point, v[None])
    arguments, shape = {**point, f"d{x}": v}, problem.numbers(problem.value_shape)
    left, before = (differential_of(problem.formula), differential_of(problem.formula, "tex")), ""
    for rule, tree in trees:
        claim = with_names(written(_finished(a, tree, leaves(a, x, moved)), names, problem.value_shape))
        value = problem.value_of(meant(claim, problem, moved), arguments, shape)
        shown = with_names(written(tree, names, problem.value_shape))
        if np.linalg.norm(value - slope) > CLOSE * max(np.linalg.norm(slope), CLOSE):
            line = f"d({problem.formula}) = {shown}, by {rule},"
            raise Disagreement(f"{line} is no equality. That is a fault of matcalc: please report it, with this line.")
        if str(shown) != before:
            yield Step(rule, shown, *left)
            left, before = ("", ""), str(shown)


def _finished(a: Algebra, tree: Formula, known: Mapping[str, Formula]) -> Formula:
    """A line with all that is pending differentiated."""

    def finish(node: Formula) -> Formula | None:
        return differential(a, node.of, known) or t.Number(0) if _is_pending(node) else None

    return terms.replace(tree, finish)


def _by_rules(a: Algebra, f: Formula, known: Mapping[str, Formula]) -> Iterator[tuple[str, Formula]]:
    """Line after line, all that is pending by one rule more."""

    def d(U: Formula) -> Formula | None:
        if isinstance(U, t.Name):
            return known.get(U.name)
        return t.Apply(PENDING, U) if any(mentions(U, name) for name in known) else None

    def expand(node: Formula) -> Formula | None:
        if not _is_pending(node):
            return None
        known_differential = known.get(node.of.name) if isinstance(node.of, t.Name) else None
        return known_differential or one_rule(a, node.of, d) or t.Number(0)

    tree: Formula = t.Apply(PENDING, f)
    written_out = 0
    while written_out < MOST_WRITTEN and (
        rules := dict.fromkeys(name_of_rule(a, node.of) for node in t.nodes(tree) if _is_pending(node))
    ):
        tree = terms.replace(tree, expand)
        written_out += terms.length(tree)
        yield ", ".join(rules), tree


def _is_pending(node: Formula) -> TypeGuard[t.Apply]:
    return isinstance(node, t.Apply) and node.function == PENDING


def _read_off(a: Algebra, G: Formula, value: Dims, variable: Dims, x: str) -> tuple[str, Formula] | None:
    """dF = ⟨G, dX⟩, or J dx; of matrices by their vecs, and of 0, there is no such line."""
    dx = t.Derivative(x)
    if t.Number(0) == G:
        return None
    if value == SCALAR:
        turned = a.simplify(t.Transpose(G))
        return ("transposed", product(turned, dx)) if UNIT in variable else ("trace trick", trace(product(turned, dx)))
    return ("factored", product(G, dx)) if variable == SCALAR or (UNIT in value and UNIT in variable) else None
