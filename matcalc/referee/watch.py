"""The time that a check may take, and what is seen of it on a terminal meanwhile."""

import math
import sys
import time
from typing import Any, Self

PATIENCE = 5.0  # seconds, after which one who waits at a terminal is told for how long


class OutOfTime(Exception):
    """The seconds that a check may take are over."""


class Watch:
    """Looked at before each run of a function: it raises OutOfTime once the seconds are over.

    Entered, it shows a progress bar from the fifth second on, where stderr is a terminal: of the time, as nobody knows
    how many runs a check will need.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self.seconds, self.began = seconds, time.monotonic()
        self.runs = 0
        self._bar: Any = None
        self._is_shown = False

    def look(self) -> None:
        """Before a run."""
        elapsed = time.monotonic() - self.began
        if elapsed > self.seconds:
            raise OutOfTime
        self.runs += 1
        if self._is_shown and elapsed > PATIENCE:
            self._show(elapsed)

    def _show(self, elapsed: float) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(), TextColumn("{task.fields[spent]}"))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=self.seconds, spent="")
            self._bar.start()
        spent = f"{self.runs} runs in {elapsed:.0f} of at most {self.seconds:.0f} s"
        self._bar.update(self._task, completed=elapsed, spent=spent)

    def __enter__(self) -> Self:
        self._is_shown = math.isfinite(self.seconds) and sys.stderr is not None and sys.stderr.isatty()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
