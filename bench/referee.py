"""A mutation study of checkers of gradients: which wrong gradients each catches, and which right ones it rejects.

    python bench/referee.py [--json FILE] [--details FILE] [--quick] [--cost] [--only REGEX] [--against NAMES]
                            [--jobs N]

Right gradients of the functions of `specimens.py` and the mutants of `mutants.py` are given to each checker of
`contenders.py` in turn, all in the same run. It needs torch, chex, scipy and autograd beside matcalc, or `--against`
with those that are there. `--json` writes all counts; `--details` also lists what matcalc misses, rejects, leaves open
and names wrong, check by check. With `--jobs` the functions are shared out among processes; in each the checkers still
take turns, and the cost is measured alone, after them.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import records
from contenders import CONTENDERS, Case, Contender, run
from figures import DTYPES, Row, counted, show, summary
from jax.scipy.special import logsumexp
from machine import environment
from mutants import mutants
from specimens import Specimen, by_hand, catalogue, hand, of_entry

import matcalc

POINTS = {True: (32, 22, 8), False: (24, 20, 16, 8)}  # right gradients, by sizes, in the catalogue or by hand
SHARED = 2  # of them, those that every contender checks
QUICK = 10  # every so many functions
COST_SIZE = 256
COST_PAIRS = 15
COST_SECONDS = 30.0


# --- Running


def specimens(quick: bool, only: str | None) -> Iterator[Specimen]:
    """Those to run, each made when its turn comes, so that their programs need not be kept."""
    for i, specimen in enumerate(s for source in (catalogue, by_hand) for s in source() if not quick or s.variant == 0):
        if (not quick or i % QUICK == 0) and (not only or re.search(only, specimen.key)):
            yield specimen


def checks(
    specimen: Specimen, quick: bool, counts: collections.Counter[str], contenders: Sequence[Contender]
) -> Iterator[Row]:
    """All checks of one function at its sizes; at each point and each mutant, the contenders take turns."""
    # A point that float32 holds exactly, so that a mutant is the same in either dtype.
    exact = tuple(a.astype(np.float64) for a in specimen.point(0, "float32"))
    made, without_effect = mutants(specimen, exact) if specimen.variant == 0 else ([], 0)
    counts.update({"functions at sizes": 1, "mutants": len(made), "mistakes without effect": without_effect})
    for dtype in DTYPES:
        seen: set[str] = set()
        points = SHARED + 1 if quick else POINTS[specimen.in_catalogue][specimen.variant]
        for seed in range(points):
            case = Case(specimen, specimen.point(seed, dtype))
            yield from turn(case, seed, contenders if seed < SHARED else contenders[:1], seen)
        for mutant in made:
            case = Case(specimen, tuple(a.astype(dtype) for a in exact), mutant)
            yield from turn(case, 0, contenders, seen)


def turn(case: Case, seed: int, contenders: Sequence[Contender], seen: set[str]) -> Iterator[Row]:
    """One case by each contender; `seen` are those that have compiled what they need."""
    for contender in contenders:
        outcome = run(contender.check, case)
        cold = contender.name not in seen
        seen.add(contender.name)
        yield Row.of(contender.name, case, seed, outcome, shared=len(contenders) > 1, cold=cold)


# --- What a check costs


large: list[Callable[[], Iterator[Specimen]]] = []


@hand(
    lambda rng, n: (rng.standard_normal((n, n)) / n**0.5, rng.standard_normal((n, n)), np.eye(n)),
    (COST_SIZE,),
    into=large,
)
def softmax_weights(W, X, Y):
    Z = X @ W
    loss = jnp.mean(logsumexp(Z, axis=1) - jnp.sum(Z * Y, axis=1))
    return loss, X.T @ (jax.nn.softmax(Z) - Y) / len(X)


@hand(lambda rng, n: (rng.standard_normal((n, n)),), (COST_SIZE,), into=large)
def sines(X):
    return jnp.sum(jnp.sin(X)), jnp.cos(X)


def large_specimens() -> Iterator[Specimen]:
    """Functions of a matrix of COST_SIZE rows and columns."""
    for name in ("tr_axbxtc", "logabsdet_x", "tr_axinvb"):
        entry = matcalc.CATALOGUE[name]
        kind = next(iter(entry.covers))
        yield of_entry(entry, kind, dict.fromkeys(entry.signature.names(kind), COST_SIZE))
    for specimens_of in large:
        yield from specimens_of()


def cost(specimen: Specimen, dtype: str) -> dict[str, Any]:
    """The time of a warm check over that of the function and its gradient by JAX, in turn, pair by pair."""
    args = specimen.point(0, dtype)

    def check() -> Any:
        return matcalc.check_gradient(specimen.f, specimen.gradient, *args, wrt=specimen.wrt)

    def bare() -> Any:
        return jax.block_until_ready((specimen.f(*args), specimen.autodiff(*args)))

    cold, report = timed(check)
    timed(bare)
    pairs: list[tuple[float, float]] = []
    start = time.perf_counter()
    while len(pairs) < COST_PAIRS and (len(pairs) < 3 or time.perf_counter() - start < COST_SECONDS):
        pairs.append((timed(check)[0], timed(bare)[0]))
    low, ratio, high = statistics.quantiles([ours / theirs for ours, theirs in pairs], n=4)
    return {
        "name": specimen.key,
        "dtype": dtype,
        "verdict": report.verdict,
        "ratio": ratio,
        "ratio_quartiles": [low, high],
        "check_s": statistics.median(ours for ours, _ in pairs),
        "bare_s": statistics.median(theirs for _, theirs in pairs),
        "cold_s": cold,
        "pairs": len(pairs),
        "evaluations": dict(report.evaluations),
    }


def timed(f: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = f()
    return time.perf_counter() - start, result


@contextlib.contextmanager
def reported(specimen: Specimen, errors: list[dict[str, str]]) -> Iterator[None]:
    """An error of the study itself is written down, and the study goes on."""
    try:
        yield
    except Exception as error:
        errors.append({"name": specimen.key, "error": f"{type(error).__name__}: {error}"})
        print(errors[-1], file=sys.stderr)


def prepare(names: Sequence[str]) -> list[Contender]:
    """The contenders of these names, ready to run in this process."""
    contenders = [c for c in CONTENDERS if c.name in names]
    for contender in contenders:
        contender.load()
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")  # torch warns of float32 at every check
    return contenders


def share(
    part: int, jobs: int, quick: bool, only: str | None, names: Sequence[str]
) -> tuple[list[Row], collections.Counter[str], list[dict[str, str]]]:
    """The checks of every so many functions: those of one process."""
    contenders, start = prepare(names), time.perf_counter()
    rows: list[Row] = []
    errors: list[dict[str, str]] = []
    counts = collections.Counter[str]()
    for specimen in itertools.islice(specimens(quick, only), part, None, jobs):
        print(f"{time.perf_counter() - start:6.0f} s  {len(rows):7} checks  {specimen.key}", file=sys.stderr)
        with reported(specimen, errors):
            rows += checks(specimen, quick, counts, contenders)
    return rows, counts, errors


def main() -> None:
    """Run, print tables, and write the file; so too when interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--details", metavar="FILE", help="the same, with a list of all that matcalc got wrong")
    parser.add_argument("--quick", action="store_true", help=f"every {QUICK}th function, at few points")
    parser.add_argument("--cost", action="store_true", help="nothing but the cost of one check of a 256×256 gradient")
    parser.add_argument("--only", metavar="REGEX", help="functions whose name contains this")
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--against", metavar="NAMES", default=",".join(names[1:]), help=f"of {', '.join(names[1:])}")
    parser.add_argument(
        "--jobs", metavar="N", type=int, default=1, help="processes among which functions are shared out"
    )
    options = parser.parse_args()
    chosen = [names[0], *options.against.split(",")]
    contenders = prepare(chosen)
    start, interrupted = time.perf_counter(), False
    rows: list[Row] = []
    costs: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    counts = collections.Counter[str]()
    try:
        jobs = 0 if options.cost else options.jobs
        with concurrent.futures.ProcessPoolExecutor(max(jobs, 1), multiprocessing.get_context("spawn")) as pool:
            parts = [pool.submit(share, k, jobs, options.quick, options.only, chosen) for k in range(jobs)]
            for part in concurrent.futures.as_completed(parts):
                of_part, counted_there, wrong_there = part.result()
                rows += of_part
                counts += counted_there
                errors += wrong_there
        for specimen in () if options.only else large_specimens():
            with reported(specimen, errors):
                costs += [cost(specimen, dtype) for dtype in DTYPES]
    except KeyboardInterrupt:
        interrupted = True
    result = {
        "schema": 1,
        "environment": environment(*sorted({c.package for c in contenders} - {"matcalc"})),
        "quick": options.quick,
        "jobs": options.jobs,
        "interrupted": interrupted,
        "seconds": time.perf_counter() - start,
        "counts": {**counts, "functions": len({row.name.partition("(")[0] for row in rows})},
        "errors": errors,
        "contenders": summary(rows, contenders),
        "cost": costs,
    }
    show(result)
    if options.json:
        records.write(options.json, counted(result))
    if options.details:
        records.write(options.details, result)


if __name__ == "__main__":
    main()
