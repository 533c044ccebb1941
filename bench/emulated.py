"""The catalogue with matrix products rounded as those of a GPU or a TPU, emulated on the CPU.

    python bench/emulated.py [--json FILE] [--seed N]

Every entry is verified in float32 in every kind, with products in TF32 and in bfloat16, each in a process of its own.
Then errors are planted in the derivatives, of 1% of their norm under TF32 and 10% under bfloat16, and it is counted how
many fail.
"""

import argparse
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from unittest.mock import patch

import machine
import numpy as np
import records

from matcalc import CATALOGUE
from matcalc.catalogue.checking import check_at
from matcalc.catalogue.sampling import sample
from matcalc.catalogue.verification import Settings, verify
from matcalc.referee import EMULATED, Cause, Emulated, causes, emulate_products
from matcalc.referee.runs import Runs

PLANTED = {"tf32": 0.01, "bf16": 0.1}  # of the norm of the derivative
ERRORS = ("larger", "smaller", "one entry", "every entry")

Row = dict[str, Any]


def wrong(D: Any, error: str, size: float) -> Any:
    """A derivative that is off by so much of its norm."""
    if error in ("larger", "smaller"):
        return D * (1 + size if error == "larger" else 1 - size)
    off = np.random.default_rng(0).normal(size=D.shape)
    if error == "one entry":
        off = np.zeros(D.shape)
        off[(-1,) * D.ndim] = 1
    return D + size * np.linalg.norm(D.ravel()) * off / np.linalg.norm(off.ravel())


def of_entry(name: str, emulated: Emulated, seed: int) -> tuple[list[Row], list[Row]]:
    """The results of an entry, and the verdicts on planted errors, where the derivative is not 0."""
    entry, claimed = CATALOGUE[name], Runs.claimed
    settings = Settings(dtypes=("float32",), layouts=("jax",), precision="default", seed=seed)
    results: list[Row] = []
    planted: list[Row] = []
    for r in verify(entry, settings):
        known = {"precision": emulated, "name": name, "kind": r.kind}
        numbers = {"error": r.error_reference, "tolerance": r.tolerance, "condition": r.condition}
        results.append(known | {"verdict": r.verdict} | numbers)
        at = sample(entry.declaration, seed, "float32", r.kind, {})
        for error in ERRORS:
            seen = list[bool]()

            def off(runs: Runs, arrays: Any, error: str = error, seen: list[bool] = seen) -> Any:
                right = claimed(runs, arrays)
                seen.append(all(np.any(D) for D in right))
                return [wrong(D, error, PLANTED[emulated]) for D in right]

            # Why it is wrong is not searched for.
            with patch.object(Runs, "claimed", off), patch.object(causes, "explain", lambda *_: Cause("planted", "")):
                verdict = check_at(entry.declaration, at, seed=seed, precision="default").verdict
            if all(seen):
                planted.append(known | {"error": error, "verdict": verdict})
    return results, planted


def main() -> None:
    """Print the counts, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    asked = parser.parse_args()
    results, planted = list[Row](), list[Row]()
    context = multiprocessing.get_context("spawn")
    pools = {e: ProcessPoolExecutor(1, context, emulate_products, (e,)) for e in EMULATED}
    futures = [pool.submit(of_entry, name, e, asked.seed) for e, pool in pools.items() for name in CATALOGUE]
    for future in futures:
        found, of_planted = future.result()
        results += found
        planted += of_planted
    for pool in pools.values():
        pool.shutdown()
    for e in EMULATED:
        verdicts = Counter(r["verdict"] for r in results if r["precision"] == e)
        caught = Counter(r["verdict"] for r in planted if r["precision"] == e)
        print(f"{e}: {dict(verdicts)}; errors of {PLANTED[e]:.0%} planted: {dict(caught)}")
    for r in (r for r in planted if r["verdict"] != "fail"):
        print(" ", *r.values())
    counts = Counter((r["precision"], r["error"], r["verdict"]) for r in planted)
    if asked.json:
        columns = ("precision", "error", "verdict")
        rows = [dict(zip(columns, key, strict=True)) | {"count": count} for key, count in counts.items()]
        record = {
            "schema": 1,
            "environment": machine.environment(),
            "seed": asked.seed,
            "size": PLANTED,
            "kinds": records.table(results),
            "planted": records.table(rows),
        }
        records.write(asked.json, record)


if __name__ == "__main__":
    main()
