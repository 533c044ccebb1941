"""The command `matcalc`: list, show, verify and time the catalogue, and see the devices it can run on."""

import contextlib
import datetime
import difflib
import errno
import gc
import io
import itertools
import json
import math
import os
import platform as host
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, cast

import jax
import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import matcalc
from matcalc.catalogue import CATALOGUE, Identity
from matcalc.catalogue.certificates import Certificate
from matcalc.catalogue.certificates import certify as certify_entry
from matcalc.catalogue.lookup import Match, find
from matcalc.catalogue.printing import layouts
from matcalc.catalogue.verification import Result, Settings
from matcalc.catalogue.verification import verify as verify_entry
from matcalc.formula.balls import DIGITS
from matcalc.formula.errors import point
from matcalc.layout import LAYOUTS, Layout
from matcalc.referee import PRECISIONS, VERDICTS, Precision

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Names = Annotated[list[str] | None, typer.Argument(help="Identities or chapters; all of them by default.")]
Certify = Annotated[bool, typer.Option("--certify", help="Also in ball arithmetic, by the printed formulas.")]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for stdout.")]

CERTAIN = 12  # digits in which a formula and its certificate agree at least
CERTIFICATES = 8  # of those that are shown
COLOURS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "autodiff-wrong": "magenta"}


class Usage(typer.BadParameter):
    """Wrong usage: exit code 2."""


# --- Commands


def _say_version(is_asked: bool) -> None:
    if is_asked:
        print(f"matcalc {matcalc.__version__}, jax {jax.__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the versions.")]


@app.callback()
def handbook(is_version: Version = False) -> None:
    """The matrix-calculus handbook as running JAX code."""


@app.command("list", epilog="Example: matcalc list traces --json -")
def list_(
    names: Names = None,
    search: Annotated[str | None, typer.Option(help="Only those with this text, or else of this function.")] = None,
    json_file: Json = None,
) -> None:
    """List the identities, with their formulas, shapes and conditions."""
    with output(json_file) as write:
        entries = chosen(names)
        if search is not None:
            entries = [e for e in entries if search.lower() in _searchable(e)] or _of_function(search, entries)
        write({"schema": 1, "identities": [_listed(e) for e in entries]})
    if json_file == "-":
        return
    console = _console()
    for chapter, members in by_chapter(entries, lambda e: e.chapter):
        table = _table(chapter, "name", "f", "derivative", "requires")
        for e in members:
            table.add_row(e.name, " = ".join(e.formulas), e.derivative_formulas[0], e.declaration.condition)
        console.print(table)
    rows = sum(len(ids) for e in entries for ids in e.covers.values())
    console.print(f"{len(entries)} identities, rules and definitions, for {rows} formulas of the notes.")


@app.command(epilog="Example: matcalc show tr_axbxtc --layout numerator --style tex")
def show(
    name: Annotated[str, typer.Argument(help="An identity.")],
    layout: Annotated[str, typer.Option(help="numerator, denominator or jax; both by default.")] = "",
    style: Annotated[str, typer.Option(help="unicode, ascii or tex.")] = "unicode",
    json_file: Json = None,
) -> None:
    """Show one identity: formula, layouts, shapes, conditions and source."""
    (entry,) = chosen([name], chapters=False)
    printed = layouts(entry.declaration) or ("jax",)
    one_of("--style", [style], ("unicode", "ascii", "tex"))
    wanted = one_of("--layout", [layout], tuple(dict.fromkeys(("jax", *printed)))) if layout else printed
    equations = {each: entry.equation(cast(Any, each), cast(Any, style)) for each in wanted}
    with output(json_file) as write:
        write({"schema": 1, **_listed(entry), "equations": equations, "description": entry.describe()})
    if json_file == "-":
        return
    if layout or style != "unicode":
        print("\n".join(dict.fromkeys(equations.values())))
    else:
        print(f"{entry.name}({', '.join(p.name for p in entry.signature.parameters)})\n\n{entry.describe()}")


@app.command(epilog="Example: matcalc verify tr_axbxtc --sizes l=2,m=8,n=5 --dtype float64 --json result.json")
def verify(
    names: Names = None,
    dtype: Annotated[str, typer.Option(help="float32, float64, or both with a comma.")] = "float32,float64",
    layout: Annotated[str, typer.Option(help="Of numerator, denominator, jax, vec.")] = "numerator,denominator",
    platform: Annotated[str | None, typer.Option(help="cpu, gpu or tpu; JAX's default otherwise.")] = None,
    precision: Annotated[str, typer.Option(help="Of matrix products: highest, high or default.")] = "highest",
    sizes: Annotated[str | None, typer.Option(help="Sizes of axes, such as l=2,m=3,n=4.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random points.")] = 0,
    inputs: Annotated[Path | None, typer.Option(help="An .npz file of arrays named as the arguments.")] = None,
    certify: Certify = False,
    json_file: Json = None,
    html: Annotated[Path | None, typer.Option(help="Write the tables as HTML.")] = None,
) -> None:
    """Verify closed forms against JAX's automatic derivatives, a float64 reference and finite differences."""
    started = time.perf_counter()
    entries = chosen(names)
    settings = Settings(
        dtypes=one_of("--dtype", dtype.split(","), ("float32", "float64")),
        layouts=cast(list[Layout], one_of("--layout", layout.split(","), LAYOUTS)),
        platform=_platform(platform),
        precision=cast(Precision, one_of("--precision", [precision], PRECISIONS)[0]),
        sizes=_sizes(sizes, entries),
        seed=seed,
    )
    arrays = None if inputs is None else _inputs(inputs, entries if names else [])
    _certifiable(certify)
    with output(json_file) as write, output(str(html) if html else None) as write_html:
        console = _console(io.StringIO() if json_file == "-" else None, record=html is not None)
        results, stopped = _run(entries, settings, arrays, show_progress=console.is_terminal)
        seconds = time.perf_counter() - started
        counts = Counter(r.verdict for r in results)
        known = environment(settings)
        for chapter, members in by_chapter(results, lambda r: r.chapter):
            console.print(_protocol(chapter, members, settings))
        for line in _summary(results, settings, known, seconds):
            console.print(line)
        certificates = [c for e in entries for c in certify_entry(e, seed)] if certify and not stopped else []
        for line in _certified(certificates):
            console.print(line)
        if stopped:
            console.print(f"Interrupted: {len({r.name for r in results})} of {len(entries)} identities were verified.")
        write(
            {
                "schema": 1,
                "environment": known,
                "results": [_as_json(r) for r in results],
                "certificates": [_as_json(c) for c in certificates],
                "summary": {v: counts[v] for v in VERDICTS} | {"seconds": round(seconds, 3), "interrupted": stopped},
            }
        )
        if html:
            write_html(console.export_html())
    uncertain = [c for c in certificates if min(_digits(c)) < CERTAIN]
    if stopped or counts["fail"] or counts["inconclusive"] or not results or uncertain:
        raise typer.Exit(1)


@app.command(epilog="""Example: matcalc check "tr(A X B X' C)" --wrt X --claim "B X' C A + B' X' A' C'\"""")
def check(
    formula: Annotated[str, typer.Argument(help="A function, such as tr(A X B) or \\ln |X|.")],
    wrt: Annotated[str, typer.Option(help="The variable.")],
    claim: Annotated[str | None, typer.Option(help="Its derivative; otherwise that of the catalogue is shown.")] = None,
    layout: Annotated[str, typer.Option(help="Of the claim: numerator, denominator, jax, vec or either.")] = "either",
    where: Annotated[str | None, typer.Option(help="Domains, such as A=symmetric,X=invertible.")] = None,
    shape: Annotated[list[str] | None, typer.Option(help="Such as A=3,4 or c=scalar; may be repeated.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float64",
    seed: Annotated[int, typer.Option(min=0, help="Of the random point.")] = 0,
    certify: Certify = False,
    json_file: Json = None,
) -> None:
    """Check a derivative that is typed as a formula: in ASCII, Unicode or TeX, freely mixed.

    A capital is a matrix, a lower-case letter a vector, a Greek letter a scalar, and any letter an integer in the
    exponent of a matrix, as a bound or a subscript. --shape and --where say otherwise.

    \b
    A X B   A*B   A@B   A \\cdot B         products
    X'   X^T   X.T   X^\\top   Xᵀ          transpose
    X^-1   X^{-T}   X^+   X^*   inv(X)    inverses, pseudoinverse, adjugate: adj(X)
    X^2   X^{k-1}   2x   a/b   \\frac{a}{b}
    tr(X)   \\det X   |X|   logdet(X)      ln |X|
    ||x||   ||x||_2   ||X||_F   norm(x)
    exp ln log sin cos sqrt               of a square matrix that of the matrix; of a
                                          vector, and with a dot, exp.(X), entry by entry
    tanh sigmoid softplus                 entry by entry
    A .* B   A \\odot B   A ./ B           products and quotients entry by entry
    kron(A, B)   A \\otimes B   u \\times v
    vec(X)   diag(x)   diag(X)   sum(X)
    x_i   a_ij   [A X]_{ij}               entries
    I   I_n   0   e_i   E_ij
    1'x   X 1   ones   1_n                the vector of ones
    sum_{i=1}^{k} X^i   \\sum_{i=1}^{k}
    """
    from matcalc.claims import check_formula
    from matcalc.claims.layouts import ASKED
    from matcalc.claims.reading import read_problem
    from matcalc.formula import FormulaError

    one_of("--layout", [layout], ASKED)
    one_of("--dtype", [dtype], ("float32", "float64"))
    _certifiable(certify)
    options: dict[str, Any] = {"shape": dict(map(_shape, shape or [])), "where": _domains(where)}
    with output(json_file) as write:
        try:
            report = claim and check_formula(
                formula,
                claim,
                wrt=wrt,
                layout=cast(Any, layout),
                dtype=cast(Any, dtype),
                seed=seed,
                certify=certify,
                **options,
            )
            asked = report.asked if report else read_problem(formula, wrt, **options)
            ranks = {name: len(shape) for name, shape in asked.shapes.items()}
            found = [] if report and report.ok and not json_file else find(asked.formula, asked.wrt, ranks)
        except FormulaError as error:
            raise Usage(f"{error.reason}{chr(10)}{point(error.text, error.start, error.end)}") from None
        except ValueError as error:
            raise Usage(str(error)) from None
        known = [_found(match) for match in found]
        data = report.as_dict() if report else {"schema": 1, "formula": str(asked.formula), "wrt": asked.wrt}
        write(data | {"catalogue": known})
    if json_file != "-":
        console = _console()
        if report:
            head, _, rest = str(report).partition("\n")
            console.print(Text(head, COLOURS[report.verdict]) + Text("\n" + rest), soft_wrap=True)
        if not (report and report.ok):
            for each in known:
                console.print(f"{each['name']}: {each['derivative']}{each['requires'] and '  if ' + each['requires']}")
        if not report and not known:
            console.print(f"The catalogue has no derivative of {asked.formula} by {wrt}; --claim checks yours.")
    if not (report.ok if report else known):
        raise typer.Exit(1)


def _certifiable(certify: bool) -> None:
    if certify and find_spec("flint") is None:
        raise Usage('--certify needs python-flint: pip install "jax-matcalc[certify]".')


def _of_function(text: str, entries: Sequence[Identity[Any]]) -> list[Identity[Any]]:
    """Those whose function a formula is, in whatever names and order it is written."""
    from matcalc.formula import FormulaError, parse

    try:
        found = {match.identity.name for match in find(parse(text))}
    except FormulaError:  # a word that is no formula
        return []
    return [e for e in entries if e.name in found]


def _shape(text: str) -> tuple[str, tuple[Any, ...]]:
    """A=3,4 or c=scalar."""
    name, _, sizes = (part.strip() for part in text.partition("="))
    parts = [part.strip() for part in sizes.split(",")]
    if not name or not all(part.isdecimal() or part.isalpha() for part in parts) or "0" in parts:
        raise Usage(f"--shape takes name=sizes, such as A=3,4 or x=n, or c=scalar; got {text!r}.")
    is_scalar = parts == ["scalar"]
    return name, () if is_scalar else tuple(int(part) if part.isdecimal() else part for part in parts)


def _domains(text: str | None) -> dict[str, str]:
    """A=symmetric,X=invertible."""
    pairs = [[side.strip() for side in part.split("=")] for part in text.split(",")] if text else []
    if any(len(pair) != 2 for pair in pairs):
        raise Usage(f"--where takes name=domain, such as A=symmetric,X=invertible; got {text!r}.")
    return {name: domain for name, domain in pairs}


def _found(match: Match) -> dict[str, str]:
    """An identity that was found by its function, in the names of who asks."""
    printed = layouts(match.identity.declaration)
    equations = {layout: match.equation(layout) for layout in printed or ("jax",)}
    return {
        "name": match.identity.name,
        "derivative": match.equation(printed[-1] if printed else "jax"),
        "requires": match.condition,
        **{f"in {layout} layout": text for layout, text in equations.items()},
    }


@app.command(epilog="Example: matcalc bench tr_axbxtc --regime square,tall --against autodiff,numpy --json result.json")
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
    from matcalc import timing  # with JAX programs of its own, which the other commands need not wait for

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
    lengths = None if sizes is None else _sizes(sizes, entries)
    for peer in peers:
        _installed(peer)
    if peers:
        timing.compute_on_call()
    results, left_out = list[timing.Measured](), list[str]()
    with output(json_file) as write, _picture(plot_file) as draw:
        console = _console(io.StringIO() if json_file == "-" else None)
        console.print(f"{'cell':58} {'closed form':>11}  autodiff / closed form", soft_wrap=True)

        def leave_out(line: str, reason: object) -> None:
            left_out.append(f"{line.rstrip()}: {reason}")
            console.print(f"{line} left out: {reason}", soft_wrap=True)

        def cells() -> Iterator[timing.Cell]:
            for e, each in itertools.product(entries, cast(list[timing.Quantity], quantities)):
                found = list(timing.cells(e, dtypes, regimes, each, lengths))
                if not found and e.name in (names or ()):
                    leave_out(e.name.ljust(58), timing.why_none(e, regimes, each, lengths))
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
                    console.print(Text(line) + _timed(measured), soft_wrap=True)
        except KeyboardInterrupt:
            stopped = True
        known = environment(Settings(precision="default"))
        for line in timing.summary(results):
            console.print(line, soft_wrap=True)
        took = time.perf_counter() - started
        console.print(
            f"on {known['platform']} ({known['device_kind']}), {known['processor']}, "
            f"{known['cores']} cores, jax {known['jax']}, in {took:.1f} s" + (", interrupted." if stopped else "."),
            soft_wrap=True,
        )
        summary = {"seconds": round(took, 3), "interrupted": stopped, "left_out": left_out}
        if results or json_file == "-":
            write({"schema": 1, "environment": known, "results": list(map(_as_json, results)), "summary": summary})
        if results:
            draw(lambda: timing.plot(results))
        elif not stopped and not left_out:
            console.print("nothing to time at these regimes or sizes; name an identity to see why.")
    if stopped or not results:
        raise typer.Exit(1)


@app.command(epilog="Example: matcalc devices --json -")
def devices(json_file: Json = None) -> None:
    """List the devices that JAX sees, and what runs on them."""
    found: list[dict[str, Any]] = []
    for name in ("cpu", "gpu", "tpu"):
        with contextlib.suppress(RuntimeError):
            found += [{"platform": name, "id": d.id, "device_kind": d.device_kind} for d in jax.devices(name)]
    with output(json_file) as write:
        write({"schema": 1, "environment": environment(Settings()), "devices": found})
    if json_file == "-":
        return
    table = _table("devices", "platform", "id", "kind")
    for device in found:
        table.add_row(device["platform"], str(device["id"]), device["device_kind"])
    console = _console()
    console.print(table)
    console.print(f"Default: {jax.default_backend()}. Use --platform to verify on another.")


# --- What the options mean


def chosen(names: Sequence[str] | None, chapters: bool = True) -> list[Identity[Any]]:
    """The identities of these names or chapters, all for none. Usage error, with the nearest name, for others."""
    known = dict.fromkeys(e.chapter for e in CATALOGUE.values()) if chapters else {}
    entries: dict[str, Identity[Any]] = {}
    for name in names or CATALOGUE:
        if name in known:
            entries |= {e.name: e for e in CATALOGUE.values() if e.chapter == name}
        elif name in CATALOGUE:
            entries[name] = CATALOGUE[name]
        else:
            near = difflib.get_close_matches(name.lower(), [*CATALOGUE, *known], n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else "`matcalc list` shows all."
            raise Usage(f"there is no identity named {name!r}. {hint}")
    return list(entries.values())


def one_of(option: str, given: Iterable[str], allowed: Sequence[str]) -> list[str]:
    """The given values of an option, without repeats. Usage error for any that is not allowed."""
    values = list(dict.fromkeys(value.strip() for value in given))
    for value in values:
        if value not in allowed:
            raise Usage(f"{option} takes {', '.join(allowed)}; got {value!r}.")
    return values


def _regimes(text: str, known: Sequence[str]) -> list[str]:
    found = {r: None for part in text.split(",") for r in known if r.startswith(part.strip())}
    for part in text.split(",") if text else []:
        if not part.strip() or not any(r.startswith(part.strip()) for r in known):
            raise Usage(f"--regime takes {', '.join(known)}, or their beginnings; got {part!r}.")
    return list(found)


def _installed(peer: str) -> None:
    if find_spec(peer) is None:
        raise Usage(f'--against {peer} needs it installed: pip install "jax-matcalc[bench]".')


def _cell(cell: Any) -> str:
    """What is measured, in a column."""
    sizes = ",".join(f"{axis}={size}" for axis, size in cell.sizes)
    quantity = f" {cell.quantity}" if cell.quantity != "derivative" else ""
    batch = f" ×{cell.batch}" if cell.batch else ""
    return f"{cell.identity.name}{quantity} {sizes}{' ' if sizes else ''}{cell.dtype}{batch}".ljust(58)


def _timed(measured: Sequence[Any]) -> Text:
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


def _platform(name: str | None) -> str | None:
    if name is None:
        return None
    one_of("--platform", [name], ("cpu", "gpu", "tpu"))
    try:
        jax.devices(name)
    except RuntimeError:
        raise Usage(f"JAX finds no {name} here; `matcalc devices` lists what it finds.") from None
    return name


def _sizes(text: str | None, entries: Sequence[Identity[Any]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    known = {axis for e in entries for kind in e.covers for axis in e.signature.names(kind)}
    for part in [] if text is None else text.split(","):
        name, _, size = part.partition("=")
        if not size.strip().isdecimal() or int(size) < 1:
            raise Usage(f"--sizes takes name=number with numbers from 1, such as l=2,m=3; got {part!r}.")
        if name.strip() not in known:
            raise Usage(f"--sizes: no size is named {name.strip()!r} here, only {', '.join(sorted(known))}.")
        if name.strip() in sizes:
            raise Usage(f"--sizes: {name.strip()} is given twice.")
        sizes[name.strip()] = int(size)
    return sizes


def _inputs(path: Path, entries: Sequence[Identity[Any]]) -> dict[str, Any]:
    """The arrays of an .npz file, checked against each identity. Usage error for what does not fit."""
    if not entries:
        raise Usage("--inputs needs the name of the identity that the arrays are for.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: _plain(archive[name]) for name in archive.files}
    except Exception as error:  # NumPy, zipfile and zlib have many
        raise Usage(f"--inputs: {path} is not a readable .npz file of arrays ({error}).") from None
    for entry in entries:
        for p in entry.signature.parameters:
            if p.name not in arrays:
                got = ", ".join(arrays) or "nothing"
                raise Usage(f"--inputs: {path} lacks the argument {p.name} of {entry.name}; it holds {got}.")
        try:
            with jax.enable_x64(True):
                entry.signature.bind((), {p.name: _in_float64(arrays[p.name]) for p in entry.signature.parameters})
        except (TypeError, ValueError) as error:
            raise Usage(f"--inputs: {error}") from None
    return arrays


def _plain(array: Any) -> Any:
    """An array, or a number of Python for one without axes."""
    return array if array.shape else array.item()


def _in_float64(value: Any) -> Any:
    """The dtype is chosen by --dtype, so floats of any kind will do; anything else is left for the check to name."""
    if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
        return value.astype(np.float64)
    return value


# --- The main job


def _run(
    entries: Sequence[Identity[Any]], settings: Settings, inputs: Mapping[str, Any] | None, show_progress: bool
) -> tuple[list[Result], bool]:
    """Verify the entries, one a processor at a time: most of it is compiling. Returns results so far on Ctrl-C."""
    results: list[Result] = []
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    pending: list[Future[list[Result]]] = [pool.submit(verify_entry, entry, settings, inputs) for entry in entries]
    with Progress(disable=not show_progress, transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("verifying", total=len(entries))
        try:
            for entry, future in zip(entries, pending, strict=True):
                progress.update(task, description=f"{entry.chapter}: {entry.name}")
                results += future.result()
                progress.advance(task)
        except KeyboardInterrupt:
            finished = [f for f in pending if f.done() and not f.cancelled() and f.exception() is None]
            return [r for f in finished for r in f.result()], True
        except (ValueError, MemoryError) as error:  # inputs of no kind it is stated for, or sizes beyond memory
            raise Usage(str(error)) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return results, False


def _protocol(chapter: str, results: Iterable[Result], settings: Settings) -> Table:
    """The table of a chapter: an identity a line, with the worst error over witnesses and layouts in each dtype."""
    table = _table(chapter, "name", "f", "kind", *settings.dtypes, "verdict")
    lines: dict[tuple[str, str], list[Result]] = {}
    for r in results:
        lines.setdefault((r.name, r.kind), []).append(r)
    for (name, kind), members in lines.items():
        errors = [max((_worst(r) for r in members if r.dtype == dtype), default=math.nan) for dtype in settings.dtypes]
        verdict = max((r.verdict for r in members), key=("pass", "autodiff-wrong", "inconclusive", "fail").index)
        cells = [f"{error:.0e}" if math.isfinite(error) else str(error) for error in errors]
        table.add_row(name, members[0].formula, kind, *cells, Text(verdict, COLOURS[verdict]))
    return table


def _summary(
    results: Sequence[Result], settings: Settings, environment: Mapping[str, Any], seconds: float
) -> Iterator[str]:
    told: set[str] = set()
    for r in results:
        line = f"{r.verdict}: {r.name} ({r.kind}, {r.dtype}): {(r.cause or '').rstrip('.')}."
        if r.verdict != "pass" and line not in told:
            told.add(line)
            yield line
    counts = Counter(r.verdict for r in results)
    passed = {i for r in results for i in r.covers} - {
        i for r in results if r.verdict in ("fail", "inconclusive") for i in r.covers
    }
    yield (
        f"{len(passed)} formulas of the notes verified, as {len({r.name for r in results})} identities, rules and "
        f"definitions, in {len(settings.layouts)} layouts ({', '.join(settings.layouts)}) and "
        f"{len(settings.dtypes)} dtypes ({', '.join(settings.dtypes)})"
    )
    yield (
        f"on {environment['platform']} ({environment['device_kind']}), jax {environment['jax']}, matrix products in "
        f"{settings.precision} precision, in {seconds:.1f} s:"
    )
    yield f"{len(results)} checks: " + ", ".join(f"{counts[v]} {v}" for v in VERDICTS) + "."


def _certified(certificates: Sequence[Certificate]) -> Iterator[str]:
    """In how many digits the printed formulas agree, the least first, and which have none."""
    if not certificates:
        return
    known = sorted((c for c in certificates if c.digits is not None), key=_digits)
    yield f"{len(known)} printed derivatives in ball arithmetic of {DIGITS} digits: those that agree"
    yield "  with the closed form in float64, and with a difference quotient in balls, in the fewest digits are"
    for c in known[:CERTIFICATES]:
        digits, difference = _digits(c)
        yield f"  {digits:5.1f} {difference:5.1f}  {c.name} ({c.kind}): {c.derivative}"
    for c in certificates:
        if c.digits is None:
            yield f"  not evaluated: {c.name} ({c.kind}): {c.reason}"


def _digits(c: Certificate) -> tuple[float, float]:
    return (math.inf, math.inf) if c.digits is None or c.difference is None else (c.digits, c.difference)


def _worst(r: Result) -> float:
    return max((e for e in (r.error_autodiff, r.error_reference, r.error_fd) if not math.isnan(e)), default=math.nan)


# --- What is written


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
def _picture(path: Path | None) -> Generator[Callable[[Callable[[], Any]], None]]:
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


def _dumped(data: Any) -> str:
    """A text as it is, else JSON; results a line each."""
    if isinstance(data, str):
        return data
    rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in data.get("results", ()))
    text = json.dumps(data | {"results": []} if rows else data, ensure_ascii=False, indent=1)
    return text.replace('"results": []', f'"results": [\n{rows}\n ]', 1) if rows else text


def _listed(e: Identity[Any]) -> dict[str, Any]:
    return {
        "name": e.name,
        "formula": e.formulas[0],
        "derivative": e.derivative_formulas[0],
        "kind": ", ".join(e.covers),
        "wrt": e.wrt,
        "shapes": {p.name: " ".join(p.axes) for p in e.signature.arrays},
        "where": {expression: domain.text for expression, domain in e.where.items()},
        "source": e.source,
        "covers": [i for ids in e.covers.values() for i in ids],
        "also": list(e.formulas[1:]),
        "derivative_also": list(e.derivative_formulas[1:]),
    }


def _as_json(r: Any) -> dict[str, Any]:
    """The fields of a result. Numbers that are not finite, which JSON does not have, become null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(r).items()}


def environment(settings: Settings) -> dict[str, Any]:
    """The device, the machine, the time and the versions, as they stand in result files."""
    found = jax.devices(settings.platform)
    return {
        "matcalc": matcalc.__version__,
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "python": host.python_version(),
        "platform": found[0].platform,
        "device_kind": found[0].device_kind,
        "device_count": len(found),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "matmul_precision": settings.precision,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """The model of the processor, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, host.machine())


def _searchable(e: Identity[Any]) -> str:
    return " ".join((e.name, *e.formulas, *e.derivative_formulas)).lower()


def by_chapter(items: Iterable[Any], chapter: Callable[[Any], str]) -> Iterator[tuple[str, list[Any]]]:
    """The items of each chapter, in the order in which chapters appear."""
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(chapter(item), []).append(item)
    yield from groups.items()


def _console(file: io.StringIO | None = None, record: bool = False) -> Console:
    """To stdout by default. What is printed is text: the brackets in [adj(Y)]_ij are no markup."""
    return _Console(file=file, record=record, markup=False, emoji=False)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read what is printed has gone; a result file is written all the same."""
        _discard_output()


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title.replace("_", " "), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    return table


def main() -> None:
    """The entry point of the command. Where the terminal lacks a letter of a formula, it shows a question mark."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        cast(Any, stream).reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was measured is written
    gc.freeze()  # what was imported stays: looking through it for garbage takes a tenth of the time of a check
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        _discard_output()  # or Python tries once more when it ends
        sys.exit(f"Error: cannot write what is printed: {error.strerror}." if error.errno == errno.ENOSPC else 1)
