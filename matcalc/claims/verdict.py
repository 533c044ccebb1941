"""Whether a claim is right: what the referee says of it at a point, and whether it holds at others too."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from matcalc.claims.causes.whole import ONE_SIGN
from matcalc.claims.points import draw, elsewhere, near, other_sides, singular, turned
from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.slopes import condition, confirms, is_level
from matcalc.domains import Domain
from matcalc.formula import Formula, FormulaError
from matcalc.formula import tree as t
from matcalc.formula.arbitrary import is_arbitrary
from matcalc.formula.words import LIBRARY_FUNCTIONS
from matcalc.layout import Layout
from matcalc.referee import Cause, Report
from matcalc.referee.check import settings
from matcalc.referee.evidence import Evidence
from matcalc.referee.judge import Explain
from matcalc.referee.runs import Runs
from matcalc.referee.subject import Subject
from matcalc.referee.summary import report as report_on

CERTAIN = 20  # digits: the differences in ball arithmetic have about 40
ILL = 1e5  # the condition of a point at which nothing is believed


def ask_referee(
    problem: Problem, claim: Formula, layout: Layout, point: Arguments, explain: Explain, seed: Any = 0
) -> Report:
    """What the referee says of a claimed derivative at a point; `explain` names the cause of what is wrong."""
    names = list(problem.arguments)

    def gradient(*arrays: Any) -> Array:
        return problem.in_jax_layout(claim, dict(zip(names, arrays, strict=True)), layout)

    arrays = tuple(point[name] for name in names)
    domains: dict[int | str, Domain | str] = {names.index(name): domain for name, domain in problem.where.items()}
    wrt = names.index(problem.wrt)
    with settings("highest"), np.errstate(all="ignore"):
        subject = Subject(
            *(problem.function, arrays, wrt, domains or None, "derivative", problem.order, seed),
            is_hasty=True,
            by="numpy",
        )
        runs = Runs(subject, gradient, layout="jax", precision="highest", platform=None)
        found = report_on(Evidence(runs), explain)
    # The referee forgives what library functions may be off by, and here nothing else is forgiven.
    error = found.errors.get("autodiff", 0.0)
    if found.verdict == "pass" and error > found.tolerance and not is_approximated(problem, claim):
        return replace(found, verdict="fail", cause=too_few_digits(error))
    return found


def without_value(problem: Problem, claim: Formula, layout: Layout, point: Arguments, seed: Any) -> Cause | None:
    """Why a claim has no value here, where it inverts a singular matrix: at other shapes it may have one."""
    U = singular(problem, claim, point)
    if U is None:
        return None
    for shape, other in turned(problem):
        with contextlib.suppress(FormulaError):
            at = draw(other, seed, "point of a claim, with other numbers")
            if not singular(other, claim, at) and not _fails(other, claim, layout, at, seed):
                text = f"{U} has no inverse for {shape}; where it has one, the claim is true."
                return Cause("special", text, "Mend it for the others, or say what shape it has.")
    return Cause("not finite", f"It inverts {U}, which has no inverse here.")


def refuted_elsewhere(problem: Problem, claim: Formula, layout: Layout, point: Arguments, seed: Any) -> Cause | None:
    """Why a claim that is right at a point is not right at others, with other signs, numbers or sizes, if so.

    It is believed only if it fails at another draw too.
    """
    others = list(turned(problem))
    for cause, each, at in _elsewhere(problem, others, point, seed, ""):
        if _fails(each, claim, layout, at, seed):
            with contextlib.suppress(FormulaError):
                second = draw(problem, seed, "second point of a claim")
                again = [each for each in _elsewhere(problem, others, second, seed, ", again") if each[0] == cause]
                if not any(_fails(each, claim, layout, at, seed) for _, each, at in ((cause, problem, second), *again)):
                    continue
            return cause
    return None


def _elsewhere(
    problem: Problem, others: Sequence[tuple[str, Problem]], point: Arguments, seed: Any, turn: str
) -> Iterator[tuple[Cause, Problem, Arguments]]:
    """Where a claim has to hold too, and what it is if it does not."""
    causes = {
        "sign": ONE_SIGN,
        "scale": Cause("special", "True where both are flat to rounding, and wrong nearer to 0."),
    }
    for at in other_sides(problem, point):
        yield ONE_SIGN, problem, at
    for kind, at in near(problem, point):
        yield causes[kind], problem, at
    numbers = ", ".join(f"{name} = {number}" for name, number in {**problem.sizes, **problem.integers}.items())
    special = Cause("special", f"True only for {numbers}.", "A number in it should be one of these letters.")
    by_shape = [
        (Cause("special", f"True for {shape} only.", "Mend it for the others, or say what shape it has."), other)
        for shape, other in others
    ]
    for cause, other in ((special, elsewhere(problem)), *by_shape):
        with contextlib.suppress(FormulaError):
            yield cause, other, draw(other, seed, f"point of a claim, with other numbers{turn}")


def _fails(problem: Problem, claim: Formula, layout: Layout, point: Arguments, seed: Any) -> bool:
    """Whether a claim is wrong at another point, and that is not for rounding."""
    try:
        D = problem.in_jax_layout(claim, point, layout)
    except FormulaError:
        return True
    if singular(problem, claim, point):
        return True
    # Differences are quick, and the referee has the last word.
    if confirms(problem, D, point, seed) is not False:
        return False
    if condition(problem, point) > ILL and not is_level(problem, point):
        return False
    if not np.all(np.isfinite(D)):
        return True
    return ask_referee(problem, claim, layout, point, lambda *_: ONE_SIGN, seed).verdict == "fail"


def is_approximated(problem: Problem, claim: Formula) -> bool:
    """Whether there are functions such as those of matrices, which libraries compute to fewer digits than products."""
    nodes = (*t.nodes(problem.formula), *t.nodes(claim))
    functions = [node.function for node in nodes if isinstance(node, t.Apply | t.Frechet)]
    return any(function in LIBRARY_FUNCTIONS or is_arbitrary(function) for function in functions)


def too_few_digits(error: float) -> Cause:
    """The cause of a claim that is off by a little."""
    text = f"It is the derivative to {-math.log10(error):.0f} digits only."
    return Cause("digits", text, "Is there a rounded number in it?")
