"""The layout in which a claim is read, and what is said of one whose shape fits none."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Literal, get_args

from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.slopes import agrees
from matcalc.formula import Formula, FormulaError, infer
from matcalc.formula import tree as t
from matcalc.formula.errors import Misfit
from matcalc.formula.sizes import LETTERS, Size
from matcalc.formula.variables import variables
from matcalc.layout import LAYOUTS, Layout

AskedLayout = Literal["jax", "numerator", "denominator", "vec", "either"]
ASKED: tuple[AskedLayout, ...] = get_args(AskedLayout)


def candidates(problem: Problem, asked: AskedLayout) -> tuple[Layout, ...]:
    """The layouts in which a claim may be read; a Hessian is symmetric, the same in each, and that by X of vec(X)."""
    if problem.order == 2:
        return ("vec",) if len(problem.shapes[problem.wrt]) == 2 else ("jax",)
    if asked != "either":
        return (asked,)
    axes = len(problem.value_shape) + len(problem.shapes[problem.wrt])
    return ("vec",) if axes > 2 else ("denominator", "numerator")


def choose(
    problem: Problem, claim: Formula, point: Arguments, asked: AskedLayout, seed: Any
) -> tuple[Layout, list[Layout]]:
    """The layout in which the claim is right or, if it is in none, in which it has a shape; and all of these.

    FormulaError where its shape fits none of those that may be.
    """
    fitting: dict[Layout, Array] = {}
    failure: FormulaError | None = None
    for layout in ("jax",) if problem.is_differential(claim) else candidates(problem, asked):
        try:
            fitting[layout] = problem.in_jax_layout(claim, point, layout)
        except FormulaError as error:
            failure = failure or _explained(problem, claim, layout, error)
    if not fitting:
        assert failure is not None
        raise failure
    # In all directions first: inside the domain of symmetric matrices layouts do not differ.
    for leaves_domain in (True, False):
        for layout, D in fitting.items():
            if agrees(problem, D, point, seed, leaves_domain=leaves_domain):
                return layout, list(fitting)
    return next(iter(fitting)), list(fitting)


def with_letters_for(problem: Problem, claim: Formula, asked: AskedLayout, given: Collection[Size]) -> Problem:
    """The problem in which sizes have letters that the claim does not use, where it fits only so.

    The I_m of a claim may be of any size, where nobody said what m is.
    """
    written = {size.name for node in t.nodes(claim) for size in t.written_sizes(node) if isinstance(size, t.Name)}
    taken = {node.name for tree in (problem.formula, claim) for node in t.nodes(tree) if isinstance(node, t.Name)}
    ours = {*problem.sizes} - {*given} - {node.name for node in t.nodes(problem.formula) if isinstance(node, t.Name)}
    unused = [letter for letter in LETTERS if letter not in taken | {*problem.sizes} | {*problem.symbols}]
    letters = dict(zip(sorted(written & ours - {*variables(claim).ranks}), unused, strict=False))
    sizes = {size for shape in problem.arguments.values() for size in shape if isinstance(size, str)}
    if not letters or not sizes <= {*problem.sizes} or _fits(problem, claim, asked):
        return problem
    shapes, stand_ins = (
        {name: tuple(letters.get(str(size), size) for size in shape) for name, shape in each.items()}
        for each in (problem.shapes, problem.stand_ins)
    )
    numbers = {letters.get(size, size): number for size, number in problem.sizes.items()}
    renamed = replace(problem, shapes=shapes, stand_ins=stand_ins, sizes=numbers)
    return renamed if _fits(renamed, claim, asked) else problem


def _fits(problem: Problem, claim: Formula, asked: AskedLayout) -> bool:
    """Whether the claim has the shape of the derivative in some layout."""
    for layout in candidates(problem, asked):
        try:
            infer(claim, problem.sized, problem.due(layout))
        except FormulaError:
            continue
        return True
    return False


def _explained(problem: Problem, claim: Formula, layout: Layout, error: FormulaError) -> FormulaError:
    """What is wrong with the shapes of a claim, in letters."""
    if problem.is_differential(claim):
        return error
    try:
        got = infer(claim, problem.sized)
    except FormulaError as inner:
        return inner
    text = str(claim)
    ways = " and ".join(f"{_in_words(problem.due(each))} in {each} layout" for each in LAYOUTS[1:3])
    ways = ways if problem.order == 1 else _in_words(problem.due(layout))
    message = f"the claim is {_in_words(got)}; {problem.what} of {problem.formula} by {problem.wrt} is {ways}"
    return Misfit(message, text, 0, len(text)) if got != problem.due(layout) else error


def _in_words(shape: Iterable[Size]) -> str:
    sizes = [str(size).replace(" ", "") for size in shape]
    return "×".join(sizes) if len(sizes) > 1 else f"{sizes[0]}×1" if sizes else "a scalar"
