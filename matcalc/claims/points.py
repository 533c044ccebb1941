"""Where claims are compared: points drawn at random, points near one, and other numbers for sizes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.domains import Domain, general, positive, well_conditioned, with_principal_logarithm
from matcalc.formula import FormulaError
from matcalc.formula import tree as t
from matcalc.streams import stream

DRAWS = 20
SCALES = (2.0**-3, 2.0**-6, 2.0**-9)  # of points nearer to 0, at which a claim has to hold too


def draw(problem: Problem, seed: Any, purpose: str) -> dict[str, Array]:
    """A random point where the function is finite. FormulaError where none is found."""
    rng = stream(seed, purpose)
    first, then = (_principal, _positive) if _is_restricted(problem) else (_general, _principal)
    for attempt in range(DRAWS):
        usual = first if attempt < DRAWS // 2 else then
        point: dict[str, Array] = {}
        for name, shape in problem.shapes.items():
            lengths = problem.numbers(shape)
            domain = problem.where.get(name) or usual(lengths)
            point[name] = np.asarray(domain.sample(rng, lengths), np.float64)
        if np.all(np.isfinite(problem.value_of(problem.formula, point))):
            return point
    text = str(problem.formula)
    raise FormulaError("no random point was found where this is a finite number", text, 0, len(text))


def near(problem: Problem, point: Arguments) -> Iterator[tuple[str, dict[str, Array]]]:
    """Points that differ in signs or in scale, as far as the domains allow; each with which of these it is."""

    def changed(change: Callable[[Array], Array], names: Iterable[str]) -> dict[str, Array]:
        new = {name: change(point[name]) for name in names}
        return {**point, **{name: a for name, a in new.items() if _is_inside(problem, name, a)}}

    for name in point:
        yield "sign", changed(np.negative, [name])
    yield "sign", changed(lambda a: np.concatenate([-a[:1], a[1:]]) if a.ndim else -a, [problem.wrt])
    for factor in SCALES:
        yield "scale", changed(lambda a, factor=factor: factor * a, point)


def elsewhere(problem: Problem) -> Problem:
    """The same with other numbers for sizes and integers, by which what is true for one number only is found."""
    larger = {letter: size + 1 for letter, size in problem.sizes.items()}
    return replace(problem, sizes=larger, exponent=problem.exponent + 1)


def _is_inside(problem: Problem, name: str, value: Array) -> bool:
    """Whether a value is in the domain that was declared for the variable, if any was."""
    return name not in problem.where or problem.where[name].contains(value)


def _is_restricted(problem: Problem) -> bool:
    """Whether it has a logarithm or a root, of which not every argument is inside its domain."""
    functions = {node.function for node in t.nodes(problem.formula) if isinstance(node, t.Apply)}
    return not functions.isdisjoint(("ln", "sqrt", "ln.", "sqrt."))


def _general(shape: tuple[int, ...]) -> Domain:
    return well_conditioned if len(shape) == 2 else general


def _principal(shape: tuple[int, ...]) -> Domain:
    """Where logarithms and roots are real, of square matrices those of matrices."""
    return with_principal_logarithm if len(shape) == 2 and shape[0] == shape[1] else positive


def _positive(_: tuple[int, ...]) -> Domain:
    return positive
