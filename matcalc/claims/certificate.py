"""A claimed derivative in ball arithmetic."""

from collections.abc import Mapping, Sequence
from typing import Any

from matcalc.claims.check import Problem
from matcalc.formula import Formula
from matcalc.formula.balls import evaluate_in_balls, precision
from matcalc.formula.digits import against_differences
from matcalc.formula.sizes import Size
from matcalc.layout import Layout, from_layout


def certify_claim(asked: Problem, claim: Formula, layout: Layout, values: Mapping[str, Any], seed: int = 0) -> float:
    """The digits in which a claimed derivative agrees with a difference quotient along a random direction.

    FormulaError for what ball arithmetic cannot evaluate, ImportError where python-flint is not installed.
    """

    def at(tree: Formula, values: Mapping[str, Any], shape: Sequence[Size]) -> Any:
        return evaluate_in_balls(
            tree, {**values, **asked.integers}, sizes=asked.sizes, shape=asked.numbers(tuple(shape))
        )

    with precision():
        x, value_shape = values[asked.wrt], asked.numbers(asked.value_shape)
        D = from_layout(at(claim, values, asked.due(layout)), value_shape, x.shape, layout)
        return against_differences(
            lambda x: at(asked.formula, {**values, asked.wrt: x}, asked.value_shape), x, D, 1, seed
        )
