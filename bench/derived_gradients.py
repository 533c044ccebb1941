"""Derived derivatives against autodiff: `Derivation.function` against `jax.grad`, `jacfwd`, `jacrev` and `hessian`.

    OPENBLAS_NUM_THREADS=1 python bench/derived_gradients.py [--seconds 1] [--every N] [--json FILE]

Thirty expressions of expressions.py, derived by `matcalc.derive`, each at two shapes, in float32. Both are compiled and
called in turn, as `matcalc bench` does it: the derivation is asked for its identity, whose closed form runs in
`reassociate`, and whose plain function is what JAX differentiates. Where a call of either takes long, as of a large
Kronecker product, the next smaller shape is taken. The threads of OpenBLAS, by which JAX factorises, wait for each
other as long as another process has their processors: one is enough.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import records
from expressions import EXPRESSIONS, Expression
from machine import environment

from matcalc import derive
from matcalc.timing import (
    AUTODIFF,
    OURS,
    Cell,
    cells,
    compute_on_call,
    geometric_mean,
    in_turn,
    keep_memory,
    ratio,
    shown_time,
)
from matcalc.timing.clock import once, typical
from matcalc.timing.run import compiled

CHOSEN = (
    *("tr(A X B X' C) by X", "ln |X| by X", "|X| by X", "|A X B| by X", "ln |X' A X| by X", "a' X^-1 b by X"),
    *("tr((X + A)^-1) by X", "tr(X^k) by X", "a' X^k b by X", "tr(exp(X)) by X", "||A X B - C||^2 by X", "||X|| by X"),
    *("||A x - b|| by x", "(x - a)/||x - a|| by x", "(x' A x)/(x' x) by x", "ln(sum(exp(x))) by x"),
    *("exp(x)/sum(exp(x)) by x", "sum(softplus(X w) - y .* (X w)) by w", "sum(softplus(X w) - y .* (X w)) by w twice"),
    *("a' tanh(X b) by X", "diag(x) A x by x", "vec(X)' kron(B, A) vec(X) by X", "A X B by X", "X^-1 by X"),
    *("ln |A + β B| by β", "x' A x by x twice", "ln(sum(exp(x))) by x twice", "(w' r - ρ)/sqrt(w' C w) by w"),
    *("||A x - y||_1 by A", "||T - U V'||^2 by U"),
)
REGIMES = ("tall", "square 256", "square 64", "square 8")  # the first two of them that can be measured
LONGEST = 1.0  # seconds of a call
DTYPE = "float32"
AGREE = 0.01  # norm-wise: what differs by more computes something else, unless the point is ill-conditioned


def places(expression: Expression) -> Iterator[Cell]:
    """Where an expression might be measured."""
    identity = derive(expression.f, expression.wrt, order=expression.order, **expression.options).identity()
    yield from (cell for regime in REGIMES for cell in cells(identity, [DTYPE], [regime]))


def agree(ours: Any, autodiff: Any) -> bool:
    return bool(np.linalg.norm(ours - autodiff) <= AGREE * np.linalg.norm(autodiff))


def measured(expression: Expression, cell: Cell, seconds: float) -> dict[str, Any] | None:
    """Autodiff's time over that of the derived formula, with its interval and what it counts as; None of long calls."""
    contenders = {OURS: compiled(cell.ours(), cell.arrays), AUTODIFF: compiled(cell.by_jax(), cell.arrays)}
    if max(once(each.thunk) for each in contenders.values()) > LONGEST:
        return None
    if not agree(*[np.asarray(each.thunk()) for each in contenders.values()]):
        with jax.enable_x64(True):
            precise = replace(cell, dtype="float64")
            if not agree(*[np.asarray(jax.jit(f)(*precise.arrays)) for f in (precise.ours(), precise.by_jax())]):
                raise SystemExit(f"{expression}, {cell.regime}: the two differ.")
    samples = in_turn({name: each.thunk for name, each in contenders.items()}, seconds=seconds)
    middle, low, high = ratio(samples[OURS], samples[AUTODIFF])
    is_same = len({each.text for each in contenders.values()}) == 1
    return {
        "f": expression.f,
        "wrt": expression.wrt,
        "order": expression.order,
        "sizes": cell.regime,
        "verdict": "same" if is_same else "win" if low > 1 else "loss" if high < 1 else "tie",
        "ratio": records.digits(middle, count=3),
        "low": records.digits(low, "down", 3),
        "high": records.digits(high, "up", 3),
        "seconds": records.digits(typical(samples[OURS])[0], count=3),
    }


def main() -> None:
    """Print a line for each cell, and write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each cell")
    parser.add_argument("--every", type=int, default=1, help="only every Nth expression")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    keep_memory()
    compute_on_call()
    by_name = {str(expression): expression for expression in reversed(EXPRESSIONS)}
    rows: list[dict[str, Any]] = []
    began = time.perf_counter()
    for expression in [by_name[name] for name in CHOSEN][:: options.every]:
        every = (measured(expression, cell, options.seconds) for cell in places(expression))
        for one in itertools.islice(filter(None, every), 2):
            rows.append(one)
            where = f"{expression!s:45}{one['sizes']:12}{one['verdict']:5}"
            told = f"{one['ratio']:6} ({one['low']} to {one['high']})"
            print(f"{where}{told:26}{shown_time(one['seconds'])}", flush=True)
        jax.clear_caches()
    lasted = time.perf_counter() - began
    print(f"{len(rows)} cells, geometric mean {geometric_mean([r['ratio'] for r in rows]):.2f}, {lasted:.0f} s")
    if options.json:
        known = {"schema": 1, "environment": environment(), "seconds": lasted}
        records.write(options.json, known | {"cells": records.table(rows)})


if __name__ == "__main__":
    main()
