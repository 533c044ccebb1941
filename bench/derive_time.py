"""How long a derivation takes, beside SymPy and tensorgrad: the time, whether it is right, and how long the result is.

    python bench/derive_time.py [--rounds 7] [--every N] [--json FILE]

Each expression of expressions.py is derived by each contender in turn, round by round, in one process. `matcalc` is the
derivation alone, by rules, from a formula that was read to one that can be printed; `matcalc.derive` reads it and
verifies the result too. SymPy begins each round with an empty cache. All are judged by finite differences at a random
point; what a contender cannot write, or leaves undone, is no answer. Of the two spellings that SymPy has for a scalar
such as xᵀ A x, the one counts that it gets right, and shorter. The length of a result is how often a variable stands in
it.
"""

import argparse
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import by_sympy
import by_tensorgrad
import numpy as np
import records
from expressions import EXPRESSIONS, Expression
from machine import environment

from matcalc import derive
from matcalc.claims.derived import by_rules
from matcalc.claims.points import draw
from matcalc.claims.problem import Array, Problem
from matcalc.claims.reading import read_problem
from matcalc.claims.slopes import truth
from matcalc.formula import tree as t

CLOSE = 1e-6  # norm-wise, to finite differences

OURS, WHOLE, SYMPY, TENSORGRAD = "matcalc", "matcalc.derive", "sympy", "tensorgrad"


@dataclass(frozen=True)
class Answer:
    """What a contender found: `verdict` is right, wrong, or empty where there is none. `again` derives it anew."""

    verdict: str
    length: int | None
    again: Callable[[], float] | None


NONE = Answer("", None, None)


def timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def verdict(found: Array, expected: Array) -> str:
    return "right" if np.linalg.norm(found - expected) <= CLOSE * np.linalg.norm(expected) else "wrong"


def of_matcalc(problem: Problem, point: dict[str, Array], expected: Array) -> Answer:
    formula, layout = by_rules(problem)
    found = problem.in_jax_layout(formula, point, layout)
    length = sum(isinstance(node, t.Name) and node.name in problem.shapes for node in t.nodes(formula))
    return Answer(verdict(found, expected), length, lambda: timed(lambda: by_rules(problem)))


def of_another(read: Callable[[], Any], before: Callable[[], None]) -> Callable[..., Answer]:
    """A contender that derives what `read` gives; it is read anew for each round, and that is not timed."""

    def answer(problem: Problem, point: dict[str, Array], expected: Array) -> Answer:
        names = (problem.wrt,) * problem.order

        def again() -> float:
            before()
            function = read()
            return timed(lambda: function.derived(names))

        try:
            function = read()
            found = function.derived(names)
            value = function.value(found, point)
        except Exception:  # of its own kinds, too many to name
            return NONE
        return Answer(verdict(value, expected), function.length(found), again)

    return answer


def answers(expression: Expression) -> dict[str, Answer]:
    """What each contender says of an expression."""
    import sympy.core.cache as cache

    problem = replace(read_problem(expression.f, expression.wrt, **expression.options), order=expression.order)
    point = draw(problem, 0, "point of a benchmark")
    asked = problem, point, truth(problem, point)
    ours = of_matcalc(*asked)

    def whole() -> None:
        derive(expression.f, expression.wrt, order=expression.order, **expression.options)

    spelled = [
        of_another(lambda spelling=spelling: by_sympy.Written(problem, spelling), cache.clear_cache)(*asked)
        for spelling in by_sympy.SPELLINGS
    ]
    spelled.sort(key=lambda each: (each.verdict != "right", each.verdict != "wrong", each.length))
    return {
        OURS: ours,
        WHOLE: replace(ours, again=lambda: timed(whole)),
        SYMPY: spelled[0],
        TENSORGRAD: of_another(lambda: by_tensorgrad.Written(problem), lambda: None)(*asked),
    }


def measured(found: dict[str, Answer], rounds: int) -> Iterator[tuple[str, float]]:
    """The median seconds of each contender that has a right answer, over rounds in turn."""
    again = {name: answer.again for name, answer in found.items() if answer.verdict == "right" and answer.again}
    taken: dict[str, list[float]] = {name: [] for name in again}
    for turn in range(rounds):
        for name in list(again)[:: 1 if turn % 2 else -1]:
            taken[name].append(again[name]())
    for name, seconds in taken.items():
        yield name, statistics.median(seconds)


def main() -> None:
    """Print what each contender did, and write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--every", type=int, default=1, help="only every Nth expression")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    import sympy

    warnings.simplefilter("ignore", sympy.utilities.exceptions.SymPyDeprecationWarning)  # of what it does itself
    rows: list[dict[str, Any]] = []
    for expression in EXPRESSIONS[:: options.every]:
        found = answers(expression)
        seconds = dict(measured(found, options.rounds))
        row: dict[str, Any] = {
            "source": expression.source, "f": expression.f, "wrt": expression.wrt, "order": expression.order
        }  # fmt: skip
        for name, answer in found.items():
            took = seconds.get(name)
            row |= {f"{name}_s": None if took is None else records.digits(took, count=3)}
            row |= {} if name == WHOLE else {name: answer.verdict, f"{name}_length": answer.length}
        rows.append(row)
        print(expression, *(f"{name} {a.verdict or '-'} {1e3 * seconds.get(name, 0):.1f}" for name, a in found.items()))
    for name in (OURS, WHOLE, SYMPY, TENSORGRAD):
        times = sorted(row[f"{name}_s"] for row in rows if row[f"{name}_s"] is not None)
        counts = Counter(row.get(name, row[OURS]) or "no answer" for row in rows)
        print(
            f"{name}: {dict(counts)}, median {1e3 * statistics.median(times):.1f} ms, longest {1e3 * times[-1]:.0f} ms"
        )
    if options.json:
        known = environment("sympy", "tensorgrad") | {"rounds": options.rounds}
        records.write(options.json, {"schema": 1, "environment": known, "expressions": records.table(rows)})


if __name__ == "__main__":
    main()
