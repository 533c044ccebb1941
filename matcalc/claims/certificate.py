"""A claimed derivative in ball arithmetic."""

from collections.abc import Sequence
from typing import Any

from matcalc.claims.problem import Arguments, Problem
from matcalc.claims.slopes import seen
from matcalc.formula import Formula
from matcalc.formula.balls import balls, evaluate_in_balls, precision
from matcalc.formula.digits import against_differences
from matcalc.formula.sizes import Size
from matcalc.layout import Layout, from_layout


def certify_claim(problem: Problem, claim: Formula, layout: Layout, point: Arguments, seed: Any = 0) -> float:
    """The digits in which a claimed derivative agrees with a difference quotient along a random direction.

    FormulaError for what ball arithmetic cannot evaluate, ImportError where python-flint is not installed.
    """

    def at(tree: Formula, arguments: Arguments, shape: Sequence[Size]) -> Any:
        numbers = problem.numbers(tuple(shape))
        return evaluate_in_balls(tree, {**arguments, **problem.integers}, sizes=problem.sizes, shape=numbers)

    domain = problem.where.get(problem.wrt)
    project = domain.project if domain and domain.is_subspace else lambda a: a

    with precision():
        x, outer_shape = balls(point[problem.wrt]), problem.numbers(problem.outer_shape)

        def f(moved: Any) -> Any:
            inside = x + project(moved - x)
            return at(problem.formula, {**point, problem.wrt: inside}, problem.value_shape)

        if problem.is_differential(claim):
            D = problem.columns(lambda v: at(claim, {**point, problem.differential: v}, problem.value_shape))
        else:
            D = problem.freed(at(claim, point, problem.due(layout)))
            D = from_layout(D, outer_shape, x.shape, layout)
        D = seen(problem, D)
        return against_differences(f, x, D, problem.order, seed)
