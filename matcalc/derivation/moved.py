"""Variables that are functions of another one: U of U V by x, of which ∂_x U is a variable too."""

from collections.abc import Sequence
from dataclasses import replace

from matcalc.calculus import NotDerivable
from matcalc.calculus.terms import at, product
from matcalc.claims.problem import Problem
from matcalc.claims.reading import absent
from matcalc.formula import Formula
from matcalc.formula import tree as t


def with_derivatives(problem: Problem, moved: Sequence[str]) -> Problem:
    """The problem with ∂_x U among its variables. ValueError for what is none, NotDerivable for matrices by vectors."""
    if not moved:
        return problem
    x = problem.wrt
    shapes = dict(problem.shapes)
    for name in moved:
        if name not in shapes or name == x:
            raise ValueError(
                f"{name} is no variable besides {x}; those are {', '.join(key for key in shapes if key != x)}."
            )
        of, by = shapes[name], shapes[x]
        if len(of) + len(by) > 2:
            raise NotDerivable(f"the derivative of {name} by {x} has {len(of) + len(by)} axes")
        shapes[t.Derivative(name, x).key] = (*of, *by)
    notes = tuple(note for note in problem.notes if note != absent(x))
    return replace(problem, shapes=shapes, notes=notes)


def meant(tree: Formula, problem: Problem, moved: Sequence[str]) -> Formula:
    """A formula with U + x ∂_x U for each U that moves with x: what witnesses differentiate."""
    x = problem.wrt

    def line(name: str) -> Formula:
        D = t.Derivative(name, x)
        if not problem.shapes[x]:
            return t.Sum((t.Name(name), product(t.Name(x), D)))
        return t.Sum((t.Name(name), product(D if problem.shapes[name] else t.Transpose(D), t.Name(x))))

    return at(tree, {name: line(name) for name in moved})
