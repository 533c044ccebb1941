"""Attack derivation with random formulas and random Hessians, and time it.

    python bench/derivations.py [--formulas 5000] [--hessians 1000] [--processes 2] [--json FILE]

Random scalars, vectors and matrices of A, B, X (n×n), M (m×n), a, b, x (n), c (m) and β are differentiated by X, M, x
or β; what is derived is judged at another point by ball arithmetic or, where that cannot tell, by the referee. `wrong`
is a derivative that a judge refutes, `refused` a formula without a regular point; what is not derivable is counted by
its reason.
"""

import argparse
import contextlib
import os
import random
import re
import statistics
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import records
from machine import environment

from matcalc import derive
from matcalc.calculus import NotDerivable
from matcalc.claims.certificate import certify_claim
from matcalc.claims.derived import derived
from matcalc.claims.points import draw, regularity
from matcalc.claims.reading import Order, read_problem
from matcalc.claims.slopes import condition
from matcalc.claims.verdict import CERTAIN, ILL, ask_referee
from matcalc.claims.verification import Disagreement
from matcalc.formula import Formula, FormulaError
from matcalc.formula import tree as t
from matcalc.referee import Cause

SHAPES = {
    **{name: ("n", "n") for name in "ABX"},
    **{name: ("n",) for name in "abx"},
    "M": ("m", "n"),
    "c": ("m",),
    "β": (),
}
WRT = {"X": 6, "x": 4, "M": 2, "β": 2}  # with how often each is taken
PART = 100  # formulas after which a process takes another seed
MOST_NODES = 60


def leaf(rng: random.Random, names: str) -> Formula:
    return t.Name(rng.choice(names))


def scalar(rng: random.Random, depth: int) -> Formula:
    """A random scalar."""
    if depth <= 0:
        return rng.choice([t.Name("β"), t.Product((t.Transpose(leaf(rng, "abx")), leaf(rng, "abx")))])
    M, v, s = matrix(rng, depth - 1), vector(rng, depth - 1), scalar(rng, depth - 1)
    other = scalar(rng, rng.randrange(depth))
    return rng.choice(
        [
            t.Apply("tr", M),
            t.Apply("tr", t.Product((M, matrix(rng, depth - 1)))),
            t.Apply("det", M),
            t.Apply("ln", t.Apply("det", t.Apply("det", M))),
            t.Power(t.Apply("norm", rng.choice([M, v])), t.Number(2)),
            t.Apply("norm", rng.choice([M, v])),
            t.Apply("sum", rng.choice([M, v])),
            t.Product((t.Transpose(v), vector(rng, depth - 1))),
            t.Product((t.Transpose(v), M, vector(rng, 0))),
            t.Apply("logsumexp", v),
            t.Apply(rng.choice(["exp", "sin", "tanh", "sigmoid", "softplus"]), s),
            t.Sum((s, other)),
            t.Product((s, other)),
            t.Infix("/", s, t.Sum((t.Number(1), t.Power(other, t.Number(2))))),
            t.Power(s, t.Number(rng.choice([2, 3]))),
            t.Infix("·", v, vector(rng, depth - 1)),
        ]
    )


def vector(rng: random.Random, depth: int) -> Formula:
    """A random vector of size n."""
    if depth <= 0:
        return leaf(rng, "abx")
    v, w, M = vector(rng, depth - 1), vector(rng, rng.randrange(depth)), matrix(rng, depth - 1)
    return rng.choice(
        [
            t.Product((M, v)),
            t.Product((t.Transpose(M), v)),
            t.Product((t.Transpose(t.Name("M")), t.Name("c"))),
            t.Sum((v, w)),
            t.Sum((v, t.Neg(w))),
            t.Infix("⊙", v, w),
            t.Product((scalar(rng, depth - 1), v)),
            t.Apply(rng.choice(["tanh", "sigmoid", "exp", "sin", "softplus", "softmax"]), v),
            t.Apply("diag", M),
            t.Infix("/", v, t.Apply("norm", w)),
            t.Infix(".^", v, t.Number(rng.choice([2, 3]))),
        ]
    )


def matrix(rng: random.Random, depth: int) -> Formula:
    """A random n×n matrix."""
    if depth <= 0:
        return leaf(rng, "ABX")
    M, N, v = matrix(rng, depth - 1), matrix(rng, rng.randrange(depth)), vector(rng, depth - 1)
    return rng.choice(
        [
            t.Product((M, N)),
            t.Sum((M, N)),
            t.Sum((M, t.Neg(N))),
            t.Transpose(M),
            t.Apply("inv", M),
            t.Power(M, t.Number(rng.choice([2, 3]))),
            t.Product((v, t.Transpose(vector(rng, depth - 1)))),
            t.Apply("diag", v),
            t.Infix("⊙", M, N),
            t.Product((scalar(rng, depth - 1), M)),
            t.Product((t.Transpose(t.Name("M")), t.Name("M"))),
            t.Apply("adj", M),
            t.Apply("exp", t.Product((t.Number(0.5), M))),
            t.Apply(rng.choice(["tril", "triu"]), M),
            t.Apply(rng.choice(["tanh", "exp.", "sin."]), M),
        ]
    )


def asked(rng: random.Random, order: int) -> tuple[Formula, str]:
    """A random formula with the variable to differentiate by, which occurs in it."""
    while True:
        if order == 2:
            f = scalar(rng, rng.randint(1, 3))
        else:
            f = rng.choice([scalar, scalar, vector, matrix])(rng, rng.randint(1, 3))
        names = {node.name for node in t.nodes(f) if isinstance(node, t.Name)}
        found = [name for name, weight in WRT.items() if name in names for _ in range(weight)]
        if found and sum(1 for _ in t.nodes(f)) <= MOST_NODES:
            return f, "x" if order == 2 and "x" in found else rng.choice(found)


def answer(f: Formula, wrt: str, order: Order, seconds: list[float]) -> str:
    """What became of one formula."""
    used = {node.name for node in t.nodes(f) if isinstance(node, t.Name)}
    shapes = {name: shape for name, shape in SHAPES.items() if name in used}
    try:
        problem = read_problem(f, wrt, shape=shapes)
        if regularity(problem) == 0:
            return "refused: no regular point"
    except ValueError as error:
        return f"refused: {re.sub(r'[0-9]+', '…', str(error).splitlines()[0])[:60]}"
    started = time.perf_counter()
    with contextlib.suppress(NotDerivable):
        derived(problem, (wrt,) * order)
    seconds.append(time.perf_counter() - started)
    try:
        found = derive(f, wrt, order=order, shape=shapes)
    except NotDerivable as reason:
        return f"not derivable: {_kind(str(reason))}"
    except Disagreement:
        return "wrong"
    claim = found.formula
    layout = found.natural if found.is_closed else "jax"
    try:
        digits = certify_claim(found.last, claim, layout, draw(found.last, 1, "another point of a derivation"))
        if digits >= CERTAIN:
            return "right"
    except FormulaError:
        pass
    point = draw(found.last, 2, "another point of a derivation")
    verdict = ask_referee(found.last, claim, layout, point, lambda *_: Cause("unknown", "")).verdict
    if verdict == "fail" and condition(found.last, point) > ILL:
        return "not judged: ill-conditioned"
    return {"pass": "right, by differences", "fail": "wrong"}.get(verdict, f"not judged: {verdict}")


def _kind(reason: str) -> str:
    """A reason without the formula in it."""
    found = re.search(r"L_\w+|Kronecker|spectral|singular|vec of a matrix|No point|adjoint|exponent|block", reason)
    return found.group() if found else reason[:60]


def attack(count: int, order: Order, seed: int) -> dict[str, Any]:
    """How often each answer came, and what went wrong."""
    rng, counts, failures = random.Random(seed), Counter[str](), list[str]()
    seconds: list[float] = []
    for _ in range(count):
        f, wrt = asked(rng, order)
        try:
            said = answer(f, wrt, order, seconds)
        except Exception:
            said = "crash"
            failures.append(f"{f} by {wrt}: {traceback.format_exc(limit=-2)}")
        if said == "wrong":
            failures.append(f"{f} by {wrt}, order {order}")
        counts[said] += 1
    if failures:
        print(*failures, sep="\n", file=sys.stderr, flush=True)
    return {"seed": seed, "order": order, "answers": dict(counts), "failures": failures, "seconds": seconds}


def main() -> None:
    """Run the attack, print what came of it, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--formulas", type=int, default=5000)
    parser.add_argument("--hessians", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    began = time.perf_counter()
    work: list[tuple[int, Order, int]] = []
    totals: dict[Order, int] = {1: options.formulas, 2: options.hessians}
    for order, total in totals.items():
        starts = range(0, total, PART)
        work.extend((min(PART, total - start), order, options.seed + start + order) for start in starts)
    runs: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        runs = list(pool.map(attack, *zip(*work, strict=True)))
    lasted = time.perf_counter() - began
    rows = []
    for order in (1, 2):
        mine = [run for run in runs if run["order"] == order]
        counts: Counter[str] = sum((Counter(run["answers"]) for run in mine), Counter())
        times = sorted(s for run in mine for s in run["seconds"])
        if not times:
            continue
        timing = {
            "median_s": statistics.median(times),
            "p99_s": times[int(0.99 * len(times))],
            "max_s": times[-1],
        }
        rows.append({"order": order, "formulas": counts.total(), **timing, "answers": dict(counts.most_common())})
        print(f"order {order}: {counts.total()} formulas, {timing}", *counts.most_common(), sep="\n  ")
    failures = [failure for run in runs for failure in run["failures"]]
    print(f"{len(failures)} failures, {lasted:.0f} s")
    if options.json:
        result = {"schema": 1, "environment": environment("python-flint"), "seconds": lasted, "runs": rows}
        records.write(options.json, {**result, "failures": failures})
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
