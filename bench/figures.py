"""What a study of checkers comes to: rows are counted, and shown to people."""

import collections
import itertools
import math
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import records
from contenders import ANSWERS, Case, Contender, Outcome
from rich.console import Console
from rich.table import Table

DTYPES = ("float64", "float32")
VISIBLE = 1e-6  # in float64, a mutant that nobody should miss
SCIPY_THRESHOLDS = (1e-7, 1e-6, 1e-5, 1e-4)  # relative; each at which its answers are counted anew
CRASHES = 20  # of each contender, that are listed
SHORT = ("inconcl.", "n/a", "crashed")


@dataclass(frozen=True)
class Row:
    """One check, without the function and the gradient, so that no program is kept.

    Of a right gradient, `causes` is empty. `shared` says that every contender was given it, `cold` that the contender
    had not yet compiled what it needs.
    """

    contender: str
    dtype: str
    name: str
    point: int
    mutant: str
    causes: tuple[str, ...]
    size: float
    elsewhere: bool
    outcome: Outcome
    shared: bool
    cold: bool

    @classmethod
    def of(cls, contender: str, case: Case, point: int, outcome: Outcome, *, shared: bool, cold: bool) -> "Row":
        m = case.mutant
        mistake = (m.label, m.causes, m.size, m.elsewhere) if m else ("", (), 0.0, False)
        return cls(contender, str(case.x.dtype), case.specimen.key, point, *mistake, outcome, shared, cold)

    @property
    def answer(self) -> str:
        return self.outcome.answer

    @property
    def is_right(self) -> bool:
        """Whether the gradient was right."""
        return not self.causes

    @property
    def is_named(self) -> bool:
        """Whether the cause that is named is one of the mutant."""
        return self.outcome.cause in self.causes

    @property
    def decade(self) -> str:
        """The power of ten below the relative size of the mutant."""
        return f"1e{math.floor(math.log10(self.size)):+03d}" if self.size < math.inf else "another shape, or from zero"

    def as_dict(self) -> dict[str, Any]:
        """For the list of those that went wrong."""
        o = self.outcome
        about: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "point": self.point}
        if self.causes:
            about |= {"mutant": self.mutant, "expected": " or ".join(self.causes), "size": self.size}
            about |= {"elsewhere": True} if self.elsewhere else {}
        about |= {"verdict": o.verdict or o.answer, "cause": o.cause, "tolerance": o.tolerance}
        return about | ({"detail": o.detail} if o.detail else {})


# --- Counting


def tally(rows: Iterable[Row]) -> dict[str, int]:
    """How many of each answer."""
    answers = collections.Counter(row.answer for row in rows)
    return {"checks": answers.total()} | {answer: answers[answer] for answer in ANSWERS}


def grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, dict[str, int]]:
    """Tallies by a key, in the order of the largest mutant of each."""
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: -row.size):
        groups.setdefault(key(row), []).append(row)
    return {name: tally(group) for name, group in groups.items()}


def milliseconds(rows: Iterable[Row]) -> dict[str, float | int | None]:
    """Quartiles."""
    times = [1e3 * row.outcome.seconds for row in rows if row.answer != "not applicable"]
    low, median, high = statistics.quantiles(times, n=4) if len(times) > 1 else (times or [None]) * 3
    return {"median": median, "low": low, "high": high, "checks": len(times)}


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Of one contender in one dtype: right gradients, mutants, times."""
    right = [row for row in rows if row.is_right]
    wrong = [row for row in rows if not row.is_right and not row.elsewhere]
    shared = [row for row in right if row.shared]
    return {
        "right": tally(right),
        "right_shared": tally(shared),
        "points": len({(row.name, row.point) for row in right}),
        "mutants": tally(wrong),
        "mutants_by_cause": grouped(wrong, lambda row: row.causes[0]),
        "mutants_by_size": grouped(wrong, lambda row: row.decade),
        "wrong_elsewhere_only": tally(row for row in rows if row.elsewhere),
        "milliseconds_right_warm": milliseconds(row for row in shared if not row.cold),
        "milliseconds_mutant_warm": milliseconds(row for row in wrong if not row.cold),
        "milliseconds_cold": milliseconds(row for row in rows if row.cold),
    }


def diagnoses(rows: Sequence[Row]) -> dict[str, Any]:
    """What only matcalc has: causes, and a tolerance to hold it to. What went wrong is listed one by one."""
    right, wrong = ([row for row in rows if row.is_right == is_right] for is_right in (True, False))
    caught = [row for row in wrong if row.answer == "rejected"]
    named = collections.Counter((row.causes[0], row.is_named) for row in caught)
    here = [row for row in wrong if not row.elsewhere]
    undecided = [row for row in right if row.answer == "inconclusive"]
    return {
        "cause_named_right": sum(row.is_named for row in caught),
        "of_caught": len(caught),
        "cause_named_right_by_cause": {
            cause: {"right": named[cause, True], "wrong": named[cause, False]} for cause, _ in sorted(named)
        },
        "mutants_visible": tally(row for row in here if row.size >= VISIBLE),
        "mutants_above_the_tolerance": tally(row for row in here if not row.size < row.outcome.tolerance),
        "inconclusive_right_by_cause": dict(collections.Counter(row.outcome.cause for row in undecided)),
        "false_alarms": [row.as_dict() for row in right if row.answer == "rejected"],
        "autodiff_wrong": [row.as_dict() for row in right if row.outcome.verdict == "autodiff-wrong"],
        "inconclusive": [row.as_dict() for row in undecided],
        "misses": [row.as_dict() for row in wrong if row.answer in ("accepted", "inconclusive")],
        "wrong_causes": [row.as_dict() for row in caught if not row.is_named],
        "crashes": [row.as_dict() for row in rows if row.answer == "crashed"],
    }


def summary(rows: Sequence[Row], contenders: Sequence[Contender]) -> dict[str, Any]:
    """All figures, by contender and dtype."""
    of: dict[str, Any] = {}
    for contender in contenders:
        own = [row for row in rows if row.contender == contender.name]
        by_dtype = {dtype: [row for row in own if row.dtype == dtype] for dtype in DTYPES}
        of[contender.name] = {
            "package": contender.package,
            "version": contender.version,
            "terms": contender.terms,
            **{dtype: figures(group) for dtype, group in by_dtype.items()},
            "crashes": [row.as_dict() for row in own if row.answer == "crashed"][:CRASHES],
        }
    for dtype in DTYPES:
        of["matcalc"][dtype] |= diagnoses([row for row in rows if (row.contender, row.dtype) == ("matcalc", dtype)])
    distances = [row for row in rows if row.contender == "scipy" and row.outcome.tolerance >= 0]
    if "scipy" in of:
        of["scipy"]["at_thresholds"] = {f"{t:.0e}": at_threshold(distances, t) for t in SCIPY_THRESHOLDS}
    return of


def at_threshold(rows: Iterable[Row], threshold: float) -> dict[str, int]:
    """What a checker that returns a distance comes to at a threshold."""
    pairs = collections.Counter((row.is_right, row.outcome.tolerance <= threshold) for row in rows if not row.elsewhere)
    return {
        "false_alarms": pairs[True, False],
        "of_right": pairs[True, False] + pairs[True, True],
        "missed": pairs[False, True],
        "of_mutants": pairs[False, True] + pairs[False, False],
    }


# --- Writing


LISTS = ("false_alarms", "autodiff_wrong", "inconclusive", "wrong_causes", "crashes")  # what is kept; not the misses
LISTED = ("name", "dtype", "mutant", "expected", "cause")


def counted(result: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a study: counts in tables, and what matcalc left open or got wrong, save what it missed."""
    of = result["contenders"]
    answers, times, causes = (list[dict[str, Any]]() for _ in range(3))
    others = collections.Counter[tuple[str, ...]]()
    for (name, contender), dtype in itertools.product(of.items(), DTYPES):
        for kind, figure in contender[dtype].items():
            about = {"contender": name, "dtype": dtype, "gradients": kind}
            if kind.startswith("milliseconds"):
                times.append({"contender": name, "dtype": dtype, "checks of": kind.partition("_")[2]} | figure)
            elif kind in ("mutants_by_cause", "mutants_by_size"):
                answers += [about | {"of": of_these} | each for of_these, each in figure.items()]
            elif isinstance(figure, dict) and "checks" in figure:
                answers.append(about | {"of": ""} | figure)
            elif kind == "cause_named_right_by_cause":
                causes += [{"dtype": dtype, "cause": cause} | each for cause, each in figure.items()]
            elif kind in LISTS:
                others.update((kind, *[each.get(field, "") for field in LISTED]) for each in figure)
    cost = [
        {k: v for k, v in each.items() if k not in ("ratio_quartiles", "evaluations")}
        | dict(zip(("low", "high"), each["ratio_quartiles"], strict=True))
        | {f"{what} runs": count for what, count in each["evaluations"].items()}
        for each in result["cost"]
    ]
    points = [{"dtype": dtype, "points": of["matcalc"][dtype]["points"]} for dtype in DTYPES]
    thresholds = of.get("scipy", {}).get("at_thresholds", {})
    about = [{"contender": name} | {k: each[k] for k in ("package", "version", "terms")} for name, each in of.items()]
    return {key: value for key, value in result.items() if key not in ("contenders", "cost")} | {
        "contenders": records.table(about),
        "answers": records.table(answers),
        "milliseconds": records.table(times),
        "points": records.table(points),
        "causes_named": records.table(causes),
        "scipy_at_thresholds": records.table({"threshold": t} | each for t, each in thresholds.items()),
        "left_open_or_wrong": {"columns": ["list", *LISTED, "points"], "rows": [[*k, n] for k, n in others.items()]},
        "cost": records.table(cost),
    }


# --- Showing


def table(title: str, *columns: str) -> Table:
    shown = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        shown.add_column(column, justify="right" if i else "left")
    return shown


def show(result: dict[str, Any]) -> None:
    """Tables for people."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    of, ours = result["contenders"], result["contenders"]["matcalc"]
    for dtype in DTYPES:
        answers = ("inconclusive", "not applicable", "crashed")
        shown = table(
            dtype, "contender", "right", "false alarms", *SHORT, "mutants", "caught", "missed", *SHORT, "ms", "cold"
        )
        for name, f in ((name, contender[dtype]) for name, contender in of.items()):
            right, wrong, warm = f["right_shared"], f["mutants"], f["milliseconds_right_warm"]
            shown.add_row(
                name,
                *(str(right[key]) for key in ("checks", "rejected", *answers)),
                *(str(wrong[key]) for key in ("checks", "rejected", "accepted", *answers)),
                f"{number(warm['median'])} ({number(warm['low'])} to {number(warm['high'])})",
                number(f["milliseconds_cold"]["median"]),
            )
        console.print(shown)
        for what in ("size", "cause"):
            keys = list(ours[dtype][f"mutants_by_{what}"])
            shown = table(f"{dtype}: mutants not caught, of those that apply, by {what}", what, *of, "named right")
            for key in keys:
                named = ours[dtype]["cause_named_right_by_cause"].get(key) if what == "cause" else None
                not_caught = (missed(contender[dtype][f"mutants_by_{what}"].get(key)) for contender in of.values())
                shown.add_row(key, *not_caught, f"{named['right']}/{sum(named.values())}" if named else "")
            console.print(shown)
    for dtype in DTYPES:
        f = ours[dtype]
        right = f["right"]
        console.print(
            f"[bold]matcalc, {dtype}[/]: {right['checks']} right gradients at {f['points']} points: "
            f"{right['rejected']} false alarms, {right['inconclusive']} inconclusive, {right['crashed']} crashed. "
            f"Not caught: {missed(f['mutants_visible'])} of size {VISIBLE:.0e} and more, "
            f"{missed(f['mutants_above_the_tolerance'])} above the tolerance, "
            f"{missed(f['wrong_elsewhere_only'])} wrong elsewhere only. "
            f"Cause named right: {f['cause_named_right']}/{f['of_caught']}."
        )
    if result["cost"]:
        shown = table(
            "A warm check over f and jax.grad(f)",
            "function",
            "dtype",
            "ratio",
            "check ms",
            "bare ms",
            "cold ms",
            "evaluations",
        )
        for c in result["cost"]:
            low, high = c["ratio_quartiles"]
            times = (number(1e3 * c[key]) for key in ("check_s", "bare_s", "cold_s"))
            runs = ", ".join(f"{count} {what}" for what, count in c["evaluations"].items())
            shown.add_row(c["name"], c["dtype"], f"{c['ratio']:.1f} ({low:.1f} to {high:.1f})", *times, runs)
        console.print(shown)
    console.print({**result["counts"], "seconds": round(result["seconds"]), "interrupted": result["interrupted"]})


def missed(t: dict[str, int] | None) -> str:
    """How many were not caught, of those that the checker takes."""
    return f"{t['checks'] - t['not applicable'] - t['rejected']}/{t['checks'] - t['not applicable']}" if t else "-"


def number(x: float | None) -> str:
    return "-" if x is None else f"{x:.3g}"
