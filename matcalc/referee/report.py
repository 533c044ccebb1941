"""The report of a check: what was found, to print, to show in a notebook, to plot, to raise in a test."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matcalc.referee.findings import Findings
from matcalc.referee.rendering import STYLES, WIDTH, lines, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

SERIALIZED = 1024  # entries at most of an array that is written as JSON


class GradientError(AssertionError):
    """A gradient is not right, or could not be shown to be. Its text is the report."""

    __module__ = "matcalc.testing"  # where it is to be imported from, and what a traceback shows

    @property
    def report(self) -> "Report":
        """What was found."""
        return self.args[0]


@dataclass(frozen=True, eq=False, repr=False)
class Report(Findings):
    """What was found about a gradient. Print it; display it in a notebook; `plot()` it; `raise_if_failed()` in a test.

    `errors` are those of the claim against each witness, norm-wise relative. `remainders` are what is left of f after
    its first-order expansion with the claimed derivative, at steps of relative size `steps`; `slope` is their slope in
    double logarithmic scale, 2 for a right gradient and 1 for a wrong one, NaN where it cannot be measured.
    """

    @property
    def ok(self) -> bool:
        """Whether the gradient given is right."""
        return self.verdict in ("pass", "autodiff-wrong")

    def raise_if_failed(self) -> "Report":
        """The report itself. GradientError, with the report as its text, unless the gradient is right."""
        __tracebackhide__ = True  # pytest then points at the line of the test
        if not self.ok:
            raise GradientError(self)
        return self

    def as_dict(self) -> dict[str, Any]:
        """All of it in terms of JSON: None for numbers that are not finite, and for arrays of over 1024 entries."""
        return {"schema": 1, **_plain(self)}

    def plot(self) -> "Figure":
        """A figure of claimed and true derivatives in JAX's layout, where they differ, and the Taylor remainders.

        By the worst variables. What is not finite is grey. ImportError where matplotlib is not installed.
        """
        from matcalc.referee.figures import figure

        return figure(self)

    def __str__(self) -> str:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in lines(self, WIDTH))

    __repr__ = __str__

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Text]":
        from rich.text import Text

        for line in lines(self, min(options.max_width, WIDTH)):
            yield Text.assemble(*((text, STYLES[style][0]) for text, style in line))

    def _repr_html_(self) -> str:
        return page(self)


def _plain(value: Any) -> Any:
    """In terms of JSON, which has no numbers that are not finite."""
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(x) for key, x in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist()) if value.size <= SERIALIZED else None
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
