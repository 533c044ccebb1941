"""Condense what `matcalc bench --json` writes into a result file: a row a cell.

    python bench/condense.py FILE [FILE ...] RESULT [--without COLUMNS]

Several files are runs on the same machine, one after another. A row has the ratio of autodiff's time to that of the
closed form with its interval and what it counts as, the seconds of a call of the closed form, and the bytes that both
take. Other frameworks have a column of seconds each. Of the time of compilation the record has the median over cells,
with and without tracing, over that of autodiff; and where it was measured, the time over the least that the machine
needs stands in a table of its own.
"""

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import records

from matcalc.timing import AUTODIFF, OURS, Measured, verdict
from matcalc.timing.cell import GIVEN

DIGITS = 3  # of cells, of which there are thousands


def condensed(written: Sequence[Mapping[str, Any]], without: Sequence[str] = ()) -> dict[str, Any]:
    """A record of what the command wrote."""
    results = [Measured(**result) for each in written for result in each["results"]]
    kinds = Counter(name for name, _ in {(r.name, r.kind) for r in results})
    by_cell: dict[tuple[Any, ...], dict[str, Measured]] = {}
    for r in results:
        by_cell.setdefault((r.name, r.kind, r.regime, r.dtype, r.quantity, *r.sizes.items()), {})[r.contender] = r
    cells, limits = list[dict[str, Any]](), list[dict[str, Any]]()
    for by in by_cell.values():
        where = place(by[OURS], is_one_of_many=kinds[by[OURS].name] > 1)
        cells.append({name: x for name, x in (where | row(by)).items() if name not in without})
        if by[OURS].over_limit is not None:
            limits.append(where | {"limit": records.digits(by[OURS].over_limit or 0.0, count=DIGITS)})
    summaries = [each["summary"] for each in written]
    return {
        "schema": 1,
        "environment": written[-1]["environment"],
        "quantity": ", ".join(dict.fromkeys(r.quantity for r in results)),
        "seconds": sum(each["seconds"] for each in summaries),
        "interrupted": any(each["interrupted"] for each in summaries),
        "left_out": [text for each in summaries for text in each["left_out"]],
        "compiling_over_autodiff": compiling(by_cell.values(), "compile_s"),
        "tracing_and_compiling_over_autodiff": compiling(by_cell.values(), "trace_s", "compile_s"),
        "cells": records.table(cells),
        "limits": records.table(limits),
    }


def place(r: Measured, is_one_of_many: bool) -> dict[str, Any]:
    """Which cell it is. The kind stands where the identity has several."""
    return {
        "name": f"{r.name} ({r.kind})" if is_one_of_many else r.name,
        "sizes": ",".join(f"{k}={n}" for k, n in r.sizes.items()) if r.regime == GIVEN else r.regime,
        "dtype": r.dtype,
    }


def row(by: Mapping[str, Measured]) -> dict[str, Any]:
    """A cell, by what each contender took."""
    ours, autodiff = by[OURS], by[AUTODIFF]
    others = [(name, r.median_s) for name, r in by.items() if name not in (OURS, AUTODIFF)]
    return {
        "verdict": verdict(ours),
        "ratio": records.digits(ours.ratio_to_autodiff, count=DIGITS),
        "low": records.digits(ours.ratio_low, "down", DIGITS),
        "high": records.digits(ours.ratio_high, "up", DIGITS),
        "seconds": records.digits(ours.median_s, count=DIGITS),
        "bytes": ours.peak_bytes,
        "autodiff_bytes": autodiff.peak_bytes,
        **{f"{name}_s": records.digits(seconds, count=DIGITS) for name, seconds in others},
    }


def compiling(cells: Collection[Mapping[str, Measured]], *fields: str) -> float:
    """The median over cells of a time of the closed form, the sum of these fields, over that of autodiff."""
    sums = [[sum(getattr(by[name], field) for field in fields) for name in (OURS, AUTODIFF)] for by in cells]
    return statistics.median(ours / autodiff for ours, autodiff in sums)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="what the command wrote")
    parser.add_argument("result", metavar="RESULT", type=Path)
    parser.add_argument("--without", default="", metavar="COLUMNS", help="columns to leave out, with commas")
    asked = parser.parse_args()
    written = [json.loads(path.read_text(encoding="utf-8")) for path in asked.files]
    records.write(asked.result, condensed(written, asked.without.split(",")))


if __name__ == "__main__":
    main()
