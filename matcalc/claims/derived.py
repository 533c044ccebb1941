"""The derivative of a problem by rules."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from matcalc.calculus import Algebra, Derivative, NotDerivable, derivative, written
from matcalc.calculus.layouts import arranged, by_independent_entries, natural
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import Dims, dims_of
from matcalc.claims.problem import Problem
from matcalc.claims.verification import Disagreement, verify
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
    return derivative(tree, dims_of_names(problem), facts_of(problem), wrt, moved)


def dims_of_names(problem: Problem) -> dict[str, Dims]:
    """The shapes of all names as the rules have them."""
    return {name: dims_of(shape) for name, shape in problem.symbols.items()}


def facts_of(problem: Problem) -> dict[Formula, frozenset[str]]:
    """What the domains of the variables say that the rules use."""
    return {t.Name(name): frozenset(FACTS.get(domain.text, ())) for name, domain in problem.where.items()}


def algebra_of(problem: Problem) -> Algebra:
    """The rules for the variables of a problem."""
    return Algebra(dims_of_names(problem), facts_of(problem))


def right_derivative(problem: Problem, layout: Layout) -> Formula | None:
    """The derivative in a layout by rules, if there is one and the witnesses agree."""
    try:
        found = derived(replace(problem, order=1), (problem.wrt,) * problem.order)
        if found[-1].formula is None or len(found) < problem.order:
            return None
        value = found[0].dims if problem.order == 2 else dims_of(problem.value_shape)
        a = algebra_of(problem)
        variable = a.names[problem.wrt]
        of_one = layout if problem.order == 1 else natural(value, variable)  # a Hessian is the same in all
        tree = arranged(a, found[-1], value, variable, of_one)
        tree = by_independent_entries(a, tree) if problem.is_independent else tree
        claim = written(tree, a.names, problem.due(layout))
        return claim if verify(problem, claim, layout) else None
    except (ValueError, Disagreement):  # NotDerivable and FormulaError are such
        return None
