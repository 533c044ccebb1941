"""Check typed claims, right and wrong, at many seeds.

    python bench/claims.py [--seeds 20] [--every N] [--processes 2] [--json FILE]

Those of public references and those with domains, Greek letters and subscripts from the tests, what papers write, and
the identities beyond the notes in `identities.json`, each with a mistake in it. A right claim has to pass at every
seed, and a wrong one to fail.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "claims"))

import records
import references
import test_claims_of_papers as papers
from machine import environment

from matcalc import check_formula

HERE = Path(__file__).parent
Claim = Mapping[str, Any]  # f, wrt, right, and perhaps wrong, layout, where, shape


def read(path: Path) -> list[Claim]:
    return json.loads(path.read_text(encoding="utf-8"))


def claims() -> Iterator[tuple[str, Claim]]:
    """All claims, with where they come from."""
    for claim in references.CLAIMS:
        yield "references", asdict(claim)
    for claim in references.CLAIMS:
        if claim.layout in references.OTHER:
            yield "references, in the other layout and in TeX", asdict(references.turned(claim))
    for f, wrt, right in papers.CLAIMS:
        yield "as papers write", {"f": f, "wrt": wrt, "right": right}
    for claim in read(Path(references.__file__).with_name("letters.json")):
        yield "domains, Greek letters, subscripts", claim
    for claim in read(HERE / "identities.json"):
        yield "identities beyond the notes", claim


def judged(source: str, claim: Claim, seeds: int) -> dict[str, Any]:
    """How often a claim and the mistake in it got each verdict, and the longest check."""
    given = {name: claim[name] for name in ("wrt", "layout", "where", "shape") if claim.get(name)}
    row: dict[str, Any] = {"source": source, "f": claim["f"], "wrt": claim["wrt"]}
    longest = 0.0
    for side in ("right", "wrong"):
        verdicts = Counter[str]()
        for seed in range(seeds if side in claim else 0):
            began = time.perf_counter()
            try:
                verdicts[check_formula(claim["f"], claim[side], seed=seed, **given).verdict] += 1
            except ValueError as error:
                verdicts[f"refused: {error}"] += 1
            longest = max(longest, time.perf_counter() - began)
        row[side] = dict(verdicts)
    return row | {"longest_s": longest}


def failures(row: Mapping[str, Any]) -> list[str]:
    """What of a claim is not as it should be."""
    asked = {"right": "pass", "wrong": "fail"}
    return [
        f"{row['f']} by {row['wrt']}, {side}: {verdict} at {number} seeds"
        for side, should in asked.items()
        for verdict, number in row[side].items()
        if verdict != should
    ]


def main() -> None:
    """Check all claims, print what is not as it should be, and write a line for each source."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--every", type=int, default=1, help="Of the claims only every Nth.")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    sources, asked = zip(*list(claims())[:: options.every], strict=True)
    began = time.perf_counter()
    found: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        for row in pool.map(judged, sources, asked, [options.seeds] * len(asked)):
            found.append(row)
            for failure in failures(row):
                print(failure, flush=True)
    seconds = time.perf_counter() - began
    rows: list[dict[str, Any]] = []
    for source in dict.fromkeys(sources):
        mine = [row for row in found if row["source"] == source]
        counts = {
            f"{side}, {verdict}": sum(row[side].get(verdict, 0) for row in mine)
            for side in ("right", "wrong")
            for verdict in ("pass", "fail", "inconclusive")
        }
        rows.append({"source": source, "claims": len(mine), **counts, "longest_s": max(r["longest_s"] for r in mine)})
    missed = [failure for row in found for failure in failures(row)]
    print(*rows, sep="\n")
    print(f"{len(missed)} of {len(found)} claims not as they should be, {options.seeds} seeds, {seconds:.0f} s")
    if options.json:
        result = {"schema": 1, "environment": environment("python-flint"), "seeds": options.seeds, "seconds": seconds}
        records.write(options.json, {**result, "sources": records.table(rows), "failures": missed})
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
