"""`matcalc compile`: the programs of the catalogue, lowered and compiled for devices that need not be here."""

import contextlib
import io
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Annotated, Any, cast

import jax
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from matcalc import devices
from matcalc.cli import exits
from matcalc.cli.environment import environment
from matcalc.cli.options import Json, Names, Usage, chosen, lengths, one_of
from matcalc.cli.output import output
from matcalc.cli.tables import by_chapter, console, table
from matcalc.referee import PRECISIONS

DONE = ("lowered", "compiled")
PLATFORMS = "cpu,cuda,rocm,tpu"


def compile_(
    names: Names = None,
    for_: Annotated[
        str,
        typer.Option("--for", help="Platforms to lower for: cpu, cuda, rocm, tpu; chips to compile for: tpu:v5e, …"),
    ] = PLATFORMS,
    quantity: Annotated[str, typer.Option(help="derivative, hessian, or both with a comma.")] = "derivative",
    dtype: Annotated[str, typer.Option(help="float32, float64, or both with a comma.")] = "float32,float64",
    precision: Annotated[str, typer.Option(help="Of matrix products: highest, high or default.")] = "highest",
    sizes: Annotated[
        str | None, typer.Option(help="Of axes, such as l=12,m=64; others are 8 larger than in verify.")
    ] = None,
    json_file: Json = None,
) -> None:
    """Lower closed forms and their automatic equivalents for platforms, or compile them for chips, without the chips.

    For a platform (cpu, cuda, rocm, tpu) JAX lowers to StableHLO, which needs nothing else. For a chip XLA compiles,
    with the compiler of an extra: .[tpu-compile] for tpu:v4, tpu:v5e, tpu:v5p and tpu:v6e, .[cuda-compile] for
    cuda:sm_90a. Nothing is executed. A TPU computes in float32, so programs of float64 are left out there. A matrix
    product that asks for less than full precision is weak; under --precision highest, one is a failure.
    """
    started = time.perf_counter()
    _computing_nothing()
    entries = chosen(names)
    targets = [devices.TARGETS[name] for name in one_of("--for", for_.split(","), [*devices.TARGETS])]
    dtypes = one_of("--dtype", dtype.split(","), ("float32", "float64"))
    for target in targets:
        if target.missing:
            lacks = ", ".join(target.missing)
            raise Usage(f'--for {target.name} needs {lacks}: pip install "jax-matcalc[{target.extra}]".')
        if not set(dtypes) & set(target.dtypes):
            raise Usage(f"--for {target.name}: a TPU computes in float32, not in {dtype}. Use --dtype float32.")
    quantities = cast(list[devices.Quantity], one_of("--quantity", quantity.split(","), devices.QUANTITIES))
    (in_precision,) = one_of("--precision", [precision], PRECISIONS)
    given = lengths(sizes, entries)
    programs = list(devices.programs(entries, quantities, dtypes, given))
    left_out = list(devices.left_out(entries, given))
    with output(json_file) as write:
        shown = console(io.StringIO() if json_file == "-" else None)
        rows, stopped = _rows(programs, targets, in_precision, shown.is_terminal)
        for chapter, members in by_chapter(rows, lambda row: row.program.entry.chapter):
            shown.print(_table(chapter, members, targets))
        for line in (*_failures(rows), *left_out):
            shown.print(line, soft_wrap=True)
        for target in targets:
            for line in _summary(target, [row for row in rows if row.target == target.name], dtypes):
                shown.print(line, soft_wrap=True)
        weak = len({row.program for row in rows if row.outcome.weak})
        seconds = time.perf_counter() - started
        line = f"{len(programs)} programs, {weak} of them with weak products in {in_precision} precision"
        shown.print(f"{line}, in {seconds:.1f} s. Nothing was executed.", soft_wrap=True)
        if stopped:
            shown.print(f"Interrupted: {len(rows)} results were found.")
        known = environment(precision=in_precision)
        known["compilers"] = {package: version(package) for target in targets for package in target.packages}
        counts = Counter(row.outcome.verdict for row in rows)
        summary: dict[str, Any] = {verdict: counts[verdict] for verdict in devices.VERDICTS}
        summary |= {"weak": weak, "seconds": round(seconds, 3), "interrupted": stopped, "left_out": left_out}
        write({"schema": 1, "environment": known, "results": [row.as_json() for row in rows], "summary": summary})
    if stopped or not rows or any(counts[v] for v in devices.VERDICTS if v not in DONE):
        raise typer.Exit(exits.FAILED)
    if weak and in_precision == "highest":
        raise typer.Exit(exits.FAILED)


def _computing_nothing() -> None:
    """JAX begins with the CPU alone, in silence about compilers that are here without the devices."""
    os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")
    jax.config.update("jax_platforms", "cpu")


@dataclass(frozen=True)
class _Row:
    program: devices.Program
    target: str
    outcome: devices.Outcome

    def __str__(self) -> str:
        p = self.program
        return f"{p.name} ({p.kind}, {p.quantity}, {p.contender}, {p.dtype}) for {self.target}"

    def as_json(self) -> dict[str, Any]:
        """All that is known, by name."""
        program = asdict(self.program) | {"sizes": dict(self.program.sizes), "chapter": self.program.entry.chapter}
        found = asdict(self.outcome) | {"seconds": float(f"{self.outcome.seconds:.4g}")}
        return program | {"target": self.target} | found


def _rows(
    programs: Sequence[devices.Program], targets: Sequence[devices.Target], precision: str, is_shown: bool
) -> tuple[list[_Row], bool]:
    """What became of each program for each target, in that order, and whether Ctrl-C left only some of them."""
    rows: list[_Row] = []
    stopped = False
    total = sum(program.dtype in target.dtypes for program in programs for target in targets)
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with (
            Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_shown) as progress,
            contextlib.closing(devices.outcomes(programs, targets, precision)) as found,
        ):
            task = progress.add_task("", total=total)
            for program, target, outcome in found:
                rows.append(_Row(program, target, outcome))
                progress.advance(task)
    except KeyboardInterrupt:
        stopped = True
    place = {program: k for k, program in enumerate(programs)}
    order = [target.name for target in targets]
    return sorted(rows, key=lambda row: (place[row.program], order.index(row.target))), stopped


def _table(chapter: str, rows: Sequence[_Row], targets: Sequence[devices.Target]) -> Table:
    """The table of a chapter: an entry a line, with the worst of what became of its programs."""
    shown = table(chapter, "name", "weak products", *(target.name for target in targets))
    for name, members in by_chapter(rows, lambda row: row.program.name):
        of_program = {row.program: row.outcome for row in members}.values()
        weak, count = (sum(getattr(outcome, what) or 0 for outcome in of_program) for what in ("weak", "products"))
        verdicts = [[row.outcome.verdict for row in members if row.target == target.name] for target in targets]
        worst = [max(of_target, key=devices.VERDICTS.index, default="") for of_target in verdicts]
        shown.add_row(name, f"{weak} of {count}", *worst)
    return shown


def _failures(rows: Sequence[_Row]) -> Iterator[str]:
    """What was neither lowered nor compiled, and why; what many have in common is told of the first."""
    of_reason: dict[tuple[str, str, str | None], list[_Row]] = {}
    for row in rows:
        if row.outcome.verdict not in DONE:
            of_reason.setdefault((row.target, row.outcome.verdict, row.outcome.reason), []).append(row)
    for (_, verdict, reason), members in of_reason.items():
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        yield f"{verdict}: {members[0]}{more}: {reason}"


def _summary(target: devices.Target, rows: Sequence[_Row], dtypes: Sequence[str]) -> Iterator[str]:
    """How many programs were lowered or compiled, the slowest, the largest, and what the compiler calls."""
    counts = Counter(row.outcome.verdict for row in rows)
    line = f"{target.name}: " + (", ".join(f"{counts[v]} {v}" for v in counts) or "nothing")
    if done := [row for row in rows if row.outcome.verdict == "compiled"]:
        slowest = max(done, key=lambda row: row.outcome.seconds)
        largest = max(done, key=lambda row: row.outcome.memory_bytes or 0)
        calls = sorted({call for row in done for call in row.outcome.custom_calls or ()})
        line += (
            f"; the slowest {slowest.program.name} in {slowest.outcome.seconds:.1f} s, the largest "
            f"{largest.program.name} with {(largest.outcome.memory_bytes or 0) / 1e6:.2f} MB; "
            f"custom calls: {', '.join(calls) or 'none'}"
        )
    yield line + "."
    if left := [name for name in dtypes if name not in target.dtypes]:
        yield f"  {', '.join(left)} is left out: a TPU computes in float32."
