"""Result files: JSON, in which a table is the names of its columns once and then a row a line.

    {"schema": 1, "environment": {...}, "cells": {"columns": ["name", "seconds"], "rows": [["det_x", 1.174e-05]]}}

A column in which the same texts come again and again has them once, under `texts`, and their numbers in the rows.
Numbers have four digits at most: no measurement here is known better, and the files stay small enough to be kept.
"""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

DIGITS = 4
AGAIN = 3  # times that a text of a column comes in the mean, where it is written as a number


def table(rows: Iterable[Mapping[str, Any]], columns: Iterable[str] = ()) -> dict[str, Any]:
    """Rows with names, as a table: by default with the columns of all rows, null where a row has none."""
    members = list(rows)
    names = list(columns) or list(dict.fromkeys(name for row in members for name in row))
    texts: dict[str, list[str]] = {}
    for name in names:
        values = [value for row in members if (value := row.get(name)) is not None]
        different = list(dict.fromkeys(values)) if all(isinstance(value, str) for value in values) else []
        if different and len(values) >= AGAIN * len(different):
            texts[name] = different
    places = {name: {text: place for place, text in enumerate(found)} for name, found in texts.items()}

    def written(name: str, value: Any) -> Any:
        return places[name][value] if name in places and value is not None else value

    made = {"columns": names, "rows": [[written(name, row.get(name)) for name in names] for row in members]}
    return made | ({"texts": texts} if texts else {})


def rows(of: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table, with names."""
    texts: Mapping[str, list[str]] = of.get("texts", {})

    def read(name: str, value: Any) -> Any:
        return texts[name][value] if name in texts and value is not None else value

    return [{name: read(name, value) for name, value in zip(of["columns"], row, strict=True)} for row in of["rows"]]


def digits(x: float, towards: Literal["nearest", "down", "up"] = "nearest", count: int = DIGITS) -> float:
    """A number to so many digits; the ends of an interval outwards, so that none gets narrower."""
    if not x or not math.isfinite(x):
        return x
    place = count - 1 - math.floor(math.log10(abs(x)))
    scaled = x * 10.0**place
    number = {"nearest": round, "down": math.floor, "up": math.ceil}[towards](scaled)
    return float(f"{number}e{-place}")


def write(path: str | Path, record: Mapping[str, Any]) -> None:
    """Write a record. Numbers that are not finite, which JSON does not have, become null."""
    Path(path).write_text(_written(_plain(record)) + "\n", encoding="utf-8")


def read(path: str | Path) -> dict[str, Any]:
    """The record in a file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _plain(x: Any) -> Any:
    if isinstance(x, Mapping):
        return {str(key): _plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_plain(value) for value in x]
    if isinstance(x, float):
        return digits(x) if math.isfinite(x) else None
    return x


def _written(x: Any, indent: str = "") -> str:
    """What holds no records of its own stands on one line."""
    members = list(x.values() if isinstance(x, dict) else x) if isinstance(x, dict | list) else []
    if not any(isinstance(member, dict | list) for member in members):
        separators = (", ", ": ") if isinstance(x, dict) else (",", ": ")  # of rows there are thousands
        return json.dumps(x, ensure_ascii=False, allow_nan=False, separators=separators)
    inner = [_written(member, indent + " ") for member in members]
    if isinstance(x, dict):
        inner = [f"{json.dumps(key, ensure_ascii=False)}: {text}" for key, text in zip(x, inner, strict=True)]
    opening, closing = "{}" if isinstance(x, dict) else "[]"
    return f"{opening}\n{indent} " + f",\n{indent} ".join(inner) + f"\n{indent}{closing}"
