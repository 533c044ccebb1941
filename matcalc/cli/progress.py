"""The progress bar of `verify`: what is being verified now, how much is done, and how long the rest will take."""

import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from matcalc.catalogue import Identity

# The speed so far is enough to go by when this share of the work, and this many of its pieces, are done.
SHARE, PIECES = 0.08, 5
# What is told moves to a new estimate in about this share of the time that all of it takes, so that it does not jump.
DRIFT = 0.1
# Nearly all the time goes into compiling. For each kind of an identity, measured over the catalogue, it takes so much
# longer for series of powers of a matrix, and where something is factorised or raised to a power, than for products.
SERIES, FACTORS = 6, 3


def weight(entry: Identity[Any]) -> int:
    """How long an identity takes to verify, beside others."""
    formula = entry.formulas[0]
    if re.search(r"\b(exp|sin|cos|ln)\(", formula):
        return SERIES * len(entry.covers)
    return (FACTORS if re.search(r"[|^]|adj|⁻¹", formula) else 1) * len(entry.covers)


class Pace:
    """How long the rest of some work takes, by the speed so far."""

    def __init__(self, total: float) -> None:
        self.total, self.done, self.pieces = total, 0.0, 0
        # The time that all of it is expected to take, and what was told of it when that was found, and when.
        self.end, self.told, self.since = 0.0, 0.0, 0.0

    def advance(self, amount: float, elapsed: float) -> None:
        """A piece of the work was done, `elapsed` seconds after the start of all of it."""
        self.done += amount
        self.pieces += 1
        if self.pieces < PIECES or self.done < SHARE * self.total:
            return
        end = elapsed * self.total / self.done
        self.told = self._told(elapsed) if self.end else end
        self.end, self.since = end, elapsed

    def remaining(self, elapsed: float) -> float | None:
        """In seconds. None while there is too little to go by."""
        return max(self._told(elapsed) - elapsed, 0.0) if self.end else None

    def _told(self, elapsed: float) -> float:
        return self.end + (self.told - self.end) * math.exp((self.since - elapsed) / (DRIFT * self.end))


class Bar:
    """A progress bar on stderr, which is gone again afterwards. Identities may end in any order, in any thread."""

    def __init__(self, entries: Sequence[Identity[Any]], is_shown: bool) -> None:
        self.count, self.is_shown = len(entries), is_shown
        self.pace = Pace(sum(map(weight, entries)))
        self.running: dict[str, None] = {}
        self.began = time.monotonic()

    def __enter__(self) -> Self:
        to = Console(stderr=True)
        columns = (BarColumn(bar_width=24), _Words(self.words))
        self.progress = Progress(*columns, console=to, transient=True, disable=not self.is_shown)
        self.task = self.progress.add_task("", total=self.pace.total)
        self.began = time.monotonic()
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def started(self, entry: Identity[Any]) -> None:
        """An identity is being verified from now on."""
        self.running[f"{entry.chapter}: {entry.name}"] = None

    def ended(self, entry: Identity[Any]) -> None:
        """An identity is no longer being verified."""
        self.running.pop(f"{entry.chapter}: {entry.name}")

    def advance(self, entry: Identity[Any]) -> None:
        """The results of an identity are there."""
        self.pace.advance(weight(entry), time.monotonic() - self.began)
        self.progress.update(self.task, completed=self.pace.done)

    def words(self) -> str:
        """Beside the bar: how many are done, how long the rest takes, and which identity was the last to be started."""
        elapsed = time.monotonic() - self.began
        remaining = self.pace.remaining(elapsed)
        times = [] if remaining is None else [f"{_clock(elapsed)}, about {_clock(remaining)} left"]
        return "  ".join([f"{self.pace.pieces} of {self.count}", *times, *list(self.running)[-1:]])


class _Words(ProgressColumn):
    """What stands beside a bar, as it is each time that the bar is drawn."""

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self.words = words

    def render(self, task: Task) -> Text:
        return Text(self.words())


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
