"""Condense what `matcalc compile --json` writes for chips into a result file: a row a program.

    python bench/compiled.py FILE RESULT

A row has for each chip the seconds of tracing, lowering and compiling, or the verdict where that is not `compiled`, and
the bytes of memory that the compiler reserves. What it calls of the chip's libraries is told once for each chip.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import records

DIGITS = 2  # of times on a machine that did other things too


def condensed(written: Mapping[str, Any]) -> dict[str, Any]:
    """A record of what the command wrote."""
    kinds = Counter(name for name, _ in {(r["name"], r["kind"]) for r in written["results"]})
    programs: dict[tuple[Any, ...], dict[str, Any]] = {}
    chips: dict[str, list[Mapping[str, Any]]] = {}
    for r in written["results"]:
        name = f"{r['name']} ({r['kind']})" if kinds[r["name"]] > 1 else r["name"]
        where = {"name": name, "quantity": r["quantity"], "contender": r["contender"], "dtype": r["dtype"]}
        row = programs.setdefault(tuple(where.values()), where)
        is_compiled = r["verdict"] == "compiled"
        row[r["target"]] = records.digits(r["seconds"], count=DIGITS) if is_compiled else r["verdict"]
        row[f"{r['target']} bytes"] = r["memory_bytes"]
        chips.setdefault(r["target"], []).append(r)
    return {
        "schema": 1,
        "environment": written["environment"],
        "summary": written["summary"],
        "chips": records.table(map(of_chip, chips.values())),
        "programs": records.table(programs.values()),
    }


def of_chip(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What became of all programs for a chip."""
    verdicts = Counter(r["verdict"] for r in rows)
    calls = sorted({call for r in rows for call in r["custom_calls"] or ()})
    return {"target": rows[0]["target"], "verdicts": dict(verdicts), "custom_calls": ", ".join(calls)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", metavar="FILE", type=Path, help="what the command wrote")
    parser.add_argument("result", metavar="RESULT", type=Path)
    asked = parser.parse_args()
    records.write(asked.result, condensed(json.loads(asked.file.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
