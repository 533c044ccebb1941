"""What is written: JSON, HTML and pictures to files, and what is printed where nobody reads it any more."""

import contextlib
import io
import json
import math
import os
import sys
from collections.abc import Callable, Generator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from matcalc.catalogue import Identity
from matcalc.cli.options import Usage


@contextlib.contextmanager
def output(target: str | None) -> Generator[Callable[[Any], None]]:
    """A function that writes an object as JSON, or a text or bytes as they are, to a file, or to stdout for "-".

    The file is opened at once, so that a path that cannot be written costs no work; what it holds is replaced only when
    there is something to put there, and it is gone again if it was not there before and nothing is put there.
    """
    if target is None or target == "-":
        yield (lambda data: None) if target is None else (lambda data: print(_dumped(data)))
        return
    path = Path(target)
    is_unused = not os.path.lexists(path)

    def put(content: bytes, mode: str) -> None:
        try:
            with path.open(mode) as file:
                file.write(content)
        except OSError as error:
            raise Usage(f"cannot write {target}: {error.strerror}.") from None

    def write(data: Any) -> None:
        nonlocal is_unused
        put(data if isinstance(data, bytes) else (_dumped(data) + "\n").encode(), "wb")
        is_unused = False

    put(b"", "ab")
    try:
        yield write
    finally:
        if is_unused:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def picture(path: Path | None) -> Generator[Callable[[Callable[[], Any]], None]]:
    """A function that draws into a file; that it can is seen before the work begins."""
    if path is None:
        yield lambda figure: None
        return
    if find_spec("matplotlib") is None:
        raise Usage('--plot needs matplotlib: pip install "jax-matcalc[report]".')
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise Usage(f"--plot takes a file named .png, .svg or .pdf; got {path}.")
    with output(str(path)) as write:

        def draw(figure: Callable[[], Any]) -> None:
            drawn = io.BytesIO()
            figure().savefig(drawn, format=path.suffix[1:], dpi=150)
            write(drawn.getvalue())

        yield draw


def discard_output() -> None:
    """What is printed from now on goes nowhere: its reader has gone, or its disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def identity_as_json(e: Identity[Any]) -> dict[str, Any]:
    """An identity, as it stands in the JSON of `list` and `show`."""
    return {
        "name": e.name,
        "formula": e.formulas[0],
        "derivative": e.derivative_formulas[0],
        "kind": ", ".join(e.covers),
        "wrt": e.wrt,
        "shapes": {p.name: " ".join(p.axes) for p in e.signature.arrays},
        "where": {expression: domain.text for expression, domain in e.where.items()},
        "source": e.source,
        "references": list(e.references),
        "covers": [i for ids in e.covers.values() for i in ids],
        "also": list(e.formulas[1:]),
        "derivative_also": list(e.derivative_formulas[1:]),
    }


def result_as_json(r: Any) -> dict[str, Any]:
    """The fields of a result. Numbers that are not finite, which JSON does not have, become null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(r).items()}


def _dumped(data: Any) -> str:
    """A text as it is, else JSON; results a line each."""
    if isinstance(data, str):
        return data
    rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in data.get("results", ()))
    text = json.dumps(data | {"results": []} if rows else data, ensure_ascii=False, indent=1)
    return text.replace('"results": []', f'"results": [\n{rows}\n ]', 1) if rows else text
