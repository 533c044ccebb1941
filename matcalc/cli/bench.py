"""`matcalc bench`: closed forms against automatic differentiation, timed in turn."""

import io
import itertools
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.text import Text

from matcalc.catalogue import CATALOGUE
from matcalc.cli import exits
from matcalc.cli.environment import environment
from matcalc.cli.options import Json, Names, Usage, chosen, lengths, one_of
from matcalc.cli.output import output, picture, result_as_json
from matcalc.cli.tables import console

# With JAX programs of its own, which the other commands need not wait for: imported where it is used.
if TYPE_CHECKING:
    from matcalc import timing


def bench(
    names: Names = None,
    quick: Annotated[bool, typer.Option("--quick", help="All identities at size 64 in float32: two minutes.")] = False,
    against: Annotated[str, typer.Option(help="Of autodiff, torch, autograd, tensorgrad, numpy.")] = "autodiff",
    quantity: Annotated[str, typer.Option(help="Of derivative, both (with the value), value, hessian.")] = "derivative",
    regime: Annotated[str, typer.Option(help="Beginnings of the names of regimes, such as square,tall.")] = "",
    sizes: Annotated[str | None, typer.Option(help="Of axes, such as l=512,m=8, instead of a regime.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or float64 instead of both.")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.01, help="For a cell; 7 rounds at least, 8 times that if noisy.")
    ] = 0.5,
    json_file: Json = None,
    plot_file: Annotated[Path | None, typer.Option("--plot", help="Write a picture: .png, .svg or .pdf.")] = None,
) -> None:
    """Time closed forms against automatic differentiation, in turn within one run.

    A ratio is the time of autodiff over that of the contender, with a 95% interval. A regime is a choice of sizes: all
    the same (square 8 to square 1024), the first, second or third much larger (tall, wide, long) or only the second
    (thin), and 10000 points of size 4.
    """
    from matcalc import timing

    started = time.perf_counter()
    timing.keep_memory()
    dtypes = one_of("--dtype", (dtype or "float32,float64").split(","), ("float32", "float64"))
    peers = [
        name for name in one_of("--against", against.split(","), ("autodiff", *timing.PEERS)) if name != "autodiff"
    ]
    quantities = one_of("--quantity", quantity.split(","), timing.QUANTITIES)
    regimes = _regimes(regime, timing.REGIMES)
    if peers and quantities != ["derivative"]:
        raise Usage(f"--against: other frameworks are timed for the derivative only; got --quantity {quantity}.")
    if quick and (dtype or regime or sizes is not None):
        raise Usage("--quick is all at size 64 in float32; leave out --dtype, --regime and --sizes.")
    if quick:
        dtypes, regimes, seconds = ["float32"], ["scalar", "square 64"], min(seconds, 0.2)
    if definitions := [name for name in names or () if name in CATALOGUE and not CATALOGUE[name].order]:
        raise Usage(f"{definitions[0]} is a definition and has no derivative to time; `matcalc list` shows what has.")
    entries = [e for e in chosen(names) if e.order]
    if sizes is not None and regime:
        raise Usage("--sizes stands instead of --regime.")
    if json_file and plot_file and Path(json_file).absolute() == plot_file.absolute():
        raise Usage(f"--json and --plot are to write the same file, {plot_file}. Name two.")
    given = None if sizes is None else lengths(sizes, entries)
    for peer in peers:
        _installed(peer)
    if peers:
        timing.compute_on_call()
    results, left_out = list[timing.Measured](), list[str]()
    with output(json_file) as write, picture(plot_file) as draw:
        shown = console(io.StringIO() if json_file == "-" else None)
        shown.print(f"{'cell':58} {'closed form':>11}  autodiff / closed form", soft_wrap=True)

        def leave_out(line: str, reason: object) -> None:
            left_out.append(f"{line.rstrip()}: {reason}")
            shown.print(f"{line} left out: {reason}", soft_wrap=True)

        def cells() -> "Iterator[timing.Cell]":
            for e, each in itertools.product(entries, cast("list[timing.Quantity]", quantities)):
                found = list(timing.cells(e, dtypes, regimes, each, given))
                if not found and e.name in (names or ()):
                    leave_out(e.name.ljust(58), timing.why_none(e, regimes, each, given))
                yield from (cell for cell in found if not quick or cell.kind == [*e.covers][-1])

        stopped = False
        try:
            for cell in cells():
                is_large = sizes is not None or "1024" in cell.regime
                line = _cell(cell)
                try:
                    measured = timing.measure(cell, seconds=seconds, against=peers, with_limit=is_large)
                except timing.LeftOut as reason:
                    leave_out(line, reason)
                else:
                    results += measured
                    shown.print(Text(line) + _timed(measured), soft_wrap=True)
        except KeyboardInterrupt:
            stopped = True
        known = environment(precision="default")
        for line in timing.summary(results):
            shown.print(line, soft_wrap=True)
        took = time.perf_counter() - started
        shown.print(
            f"on {known['platform']} ({known['device_kind']}), {known['processor']}, "
            f"{known['cores']} cores, jax {known['jax']}, in {took:.1f} s" + (", interrupted." if stopped else "."),
            soft_wrap=True,
        )
        summary = {"seconds": round(took, 3), "interrupted": stopped, "left_out": left_out}
        if results or json_file == "-":
            rows = list(map(result_as_json, results))
            write({"schema": 1, "environment": known, "results": rows, "summary": summary})
        if results:
            draw(lambda: timing.plot(results))
        elif not stopped and not left_out:
            shown.print("nothing to time at these regimes or sizes; name an identity to see why.")
    if stopped or not results:
        raise typer.Exit(exits.FAILED)


def _regimes(text: str, known: Sequence[str]) -> list[str]:
    found = {r: None for part in text.split(",") for r in known if r.startswith(part.strip())}
    for part in text.split(",") if text else []:
        if not part.strip() or not any(r.startswith(part.strip()) for r in known):
            raise Usage(f"--regime takes {', '.join(known)}, or their beginnings; got {part!r}.")
    return list(found)


def _installed(peer: str) -> None:
    if find_spec(peer) is None:
        raise Usage(f'--against {peer} needs it installed: pip install "jax-matcalc[bench]".')


def _cell(cell: "timing.Cell") -> str:
    """What is measured, in a column."""
    sizes = ",".join(f"{axis}={size}" for axis, size in cell.sizes)
    quantity = f" {cell.quantity}" if cell.quantity != "derivative" else ""
    batch = f" ×{cell.batch}" if cell.batch else ""
    return f"{cell.identity.name}{quantity} {sizes}{' ' if sizes else ''}{cell.dtype}{batch}".ljust(58)


def _timed(measured: "Sequence[timing.Measured]") -> Text:
    """The closed form against autodiff, and the time of others over its own."""
    from matcalc import timing

    ours = next(r for r in measured if r.contender == timing.OURS)
    found = timing.verdict(ours)
    line = Text(f" {timing.shown_time(ours.median_s):>11}  ")
    line.append(f"{timing.shown_ratio(ours):24} {found}", {"win": "green", "loss": "bold red"}.get(found, ""))
    others = [r for r in measured if r.contender not in (timing.OURS, timing.AUTODIFF)]
    for r in others:
        line.append(f"  {r.contender} / closed form {r.median_s / ours.median_s:.2f}")
    if ours.over_limit is not None:
        line.append(f"  {ours.over_limit:.2f} of the limit")
    return line
