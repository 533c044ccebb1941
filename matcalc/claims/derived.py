"""The derivative of a problem by rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from matcalc.calculus import Algebra, Derivative, NotDerivable, derivative, written
from matcalc.calculus.layouts import arranged, by_independent_entries, natural
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import Dims, dims_of
from matcalc.claims.problem import Problem
from matcalc.claims.verification import Disagreement, verify
from matcalc.domains import Domain
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.shapes import typed
from matcalc.layout import Layout

# What the domains say that the rules use.
FACTS = {
    "invertible": {"invertible"},
    "symmetric": {"symmetric"},
    "orthogonal": {"orthogonal", "invertible"},
    "symmetric and positive definite": {"symmetric", "invertible"},
    "a correlation matrix": {"symmetric", "invertible"},
    "diagonal": {"symmetric"},
    "diagonal and positive": {"symmetric", "invertible"},
    "invertible, without eigenvalues on the negative real axis": {"invertible"},
}


def derived(problem: Problem, wrt: Sequence[str], moved: Collection[str] = ()) -> list[Derivative]:
    """The derivatives of the function by one variable after the other. NotDerivable where there is no closed form.

    `moved` are variables that are functions of the first.
    """
    if of_arrays := [name for name, kind in problem.functions.items() if kind]:
        raise NotDerivable(f"{of_arrays[0]} is any function of vectors or matrices, which has no rule here")
    tree = with_sizes(typed(problem.formula, problem.symbols))
    return derivative(tree, dims_of_names(problem), facts_of(problem.where), wrt, moved)


def dims_of_names(problem: Problem) -> dict[str, Dims]:
    """The shapes of all names as the rules have them."""
    return {name: dims_of(shape) for name, shape in problem.symbols.items()}


def facts_of(where: Mapping[str, Domain]) -> dict[Formula, frozenset[str]]:
    """What the domains of variables say that the rules use."""
    return {t.Name(name): frozenset(FACTS.get(domain.text, ())) for name, domain in where.items()}


def algebra_of(problem: Problem) -> Algebra:
    """The rules for the variables of a problem."""
    return Algebra(dims_of_names(problem), facts_of(problem.where))


def by_rules(problem: Problem, layout: Layout | None = None) -> tuple[Formula, Layout]:
    """The derivative of the problem's order in a layout, by default the natural one, before anybody verified it.

    NotDerivable where there is no closed form, ValueError for a layout with more than two axes.
    """
    found = derived(replace(problem, order=1), (problem.wrt,) * problem.order)
    if found[-1].formula is None or len(found) < problem.order:
        raise NotDerivable(found[-1].reason)
    a = algebra_of(problem)
    value = found[0].dims if problem.order == 2 else dims_of(problem.value_shape)
    variable = a.names[problem.wrt]
    own = natural(value, variable)
    of_one = layout if layout and problem.order == 1 else own  # a Hessian is the same in all
    tree = in_layout(a, found[-1], value, variable, of_one, is_independent=problem.is_independent)
    layout = layout or own
    return written(tree, a.names, problem.due(layout)), layout


def in_layout(
    a: Algebra, found: Derivative, value: Dims, variable: Dims, layout: Layout, *, is_independent: bool
) -> Formula:
    """A derivative in a layout, by entries that all move or by the independent ones of a symmetric matrix."""
    tree = arranged(a, found, value, variable, layout)
    if not is_independent:
        return tree
    if layout == "vec":
        raise ValueError("By independent entries there is no vec layout: take numerator, denominator or jax.")
    return by_independent_entries(a, tree)


def right_derivative(problem: Problem, layout: Layout) -> Formula | None:
    """The derivative in a layout by rules, if there is one and the witnesses agree."""
    try:
        claim, _ = by_rules(problem, layout)
        return claim if verify(problem, claim, layout) else None
    except (ValueError, Disagreement):  # NotDerivable and FormulaError are such
        return None
