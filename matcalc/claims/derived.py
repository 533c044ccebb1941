"""The derivative of a problem by rules."""

from collections.abc import Sequence

from matcalc.calculus import Derivative, derivative
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import dims_of
from matcalc.claims.problem import Problem
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.shapes import typed

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


def derived(problem: Problem, wrt: Sequence[str]) -> list[Derivative]:
    """The derivatives of the function by one variable after the other. NotDerivable where there is no closed form."""
    names = {name: dims_of(shape) for name, shape in problem.symbols.items()}
    return derivative(with_sizes(typed(problem.formula, problem.symbols)), names, facts_of(problem), wrt)


def facts_of(problem: Problem) -> dict[Formula, frozenset[str]]:
    """What the domains of the variables say that the rules use."""
    return {t.Name(name): frozenset(FACTS.get(domain.text, ())) for name, domain in problem.where.items()}
