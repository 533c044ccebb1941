"""What is printed: tables of identities, results and certificates, and the lines below them."""

import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from matcalc.catalogue.certificates import Certificate
from matcalc.catalogue.verification import Result, Settings
from matcalc.cli.output import discard_output
from matcalc.formula.balls import DIGITS
from matcalc.referee import VERDICTS

CERTAIN = 12  # digits in which a formula and its certificate agree at least
CERTIFICATES = 8  # of those that are shown
COLOURS = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "autodiff-wrong": "magenta"}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read what is printed has gone; a result file is written all the same."""
        discard_output()


def console(file: io.StringIO | None = None, record: bool = False) -> Console:
    """To stdout by default. What is printed is text: the brackets in [adj(Y)]_ij are no markup."""
    return _Console(file=file, record=record, markup=False, emoji=False)


def table(title: str, *columns: str) -> Table:
    """An empty table, whose names are never broken."""
    table = Table(title=title.replace("_", " "), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    return table


def by_chapter(items: Iterable[Any], chapter: Callable[[Any], str]) -> Iterator[tuple[str, list[Any]]]:
    """The items of each chapter, in the order in which chapters appear."""
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(chapter(item), []).append(item)
    yield from groups.items()


# --- Of `verify`


def protocol(chapter: str, results: Iterable[Result], settings: Settings) -> Table:
    """The table of a chapter: an identity a line, with the worst error over witnesses and layouts in each dtype."""
    shown = table(chapter, "name", "f", "kind", *settings.dtypes, "verdict")
    lines: dict[tuple[str, str], list[Result]] = {}
    for r in results:
        lines.setdefault((r.name, r.kind), []).append(r)
    for (name, kind), members in lines.items():
        errors = [max((_worst(r) for r in members if r.dtype == dtype), default=math.nan) for dtype in settings.dtypes]
        verdict = max((r.verdict for r in members), key=("pass", "autodiff-wrong", "inconclusive", "fail").index)
        cells = [f"{error:.0e}" if math.isfinite(error) else str(error) for error in errors]
        shown.add_row(name, members[0].formula, kind, *cells, Text(verdict, COLOURS[verdict]))
    return shown


def _worst(r: Result) -> float:
    return max((e for e in (r.error_autodiff, r.error_reference, r.error_fd) if not math.isnan(e)), default=math.nan)


def summary(
    results: Sequence[Result], settings: Settings, environment: Mapping[str, Any], seconds: float
) -> Iterator[str]:
    """What did not pass and why, and how many did, on what and in which time."""
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
        f"{environment['matmul_precision']} precision, in {seconds:.1f} s:"
    )
    yield f"{len(results)} checks: " + ", ".join(f"{counts[v]} {v}" for v in VERDICTS) + "."


def certified(certificates: Sequence[Certificate]) -> Iterator[str]:
    """In how many digits the printed formulas agree, the least first, and which have none."""
    if not certificates:
        return
    known = sorted((c for c in certificates if c.digits is not None), key=digits_of)
    yield f"{len(known)} printed derivatives in ball arithmetic of {DIGITS} digits: those that agree"
    yield "  with the closed form in float64, and with a difference quotient in balls, in the fewest digits are"
    for c in known[:CERTIFICATES]:
        digits, difference = digits_of(c)
        yield f"  {digits:5.1f} {difference:5.1f}  {c.name} ({c.kind}): {c.derivative}"
    for c in certificates:
        if c.digits is None:
            yield f"  not evaluated: {c.name} ({c.kind}): {c.reason}"


def digits_of(c: Certificate) -> tuple[float, float]:
    """In which a certificate agrees with the closed form and with the difference quotient; all of them without one."""
    return (math.inf, math.inf) if c.digits is None or c.difference is None else (c.digits, c.difference)
