"""What the referee reports of a gradient: the verdict, its cause, and the comparison that shows it."""

import html
import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

Array = np.ndarray[Any, Any]
Verdict = Literal["pass", "fail", "inconclusive", "autodiff-wrong"]
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "inconclusive", "autodiff-wrong")

WIDTH = 100  # of a line of plain text
SMALL = 8  # up to so many rows and columns the entries themselves are shown
MAP = (16, 40)  # rows and columns at most of a map of where larger derivatives differ
PICTURES = 20  # lines for all comparisons together, so that a report stays on one screen; the worst is always shown
LISTED = 6  # variables in the table
PLOTTED = 3  # variables in a plot
SERIALIZED = 1024  # entries at most of an array that is written as JSON
ROUNDING = 1e-16  # no difference below it is shown

Segment = tuple[str, str]  # a text and its style
Rows = list[list[Segment]]  # lines of which the segments stand in columns

# Each style in a terminal and on a page, where it has to do on white and on black.
STYLES = {
    "": ("", ""),
    "dim": ("dim", "opacity:.65"),
    "pass": ("bold green", "color:#2a9d4a;font-weight:bold"),
    "fail": ("bold red", "color:#e0434b;font-weight:bold"),
    "inconclusive": ("bold yellow", "color:#b8860b;font-weight:bold"),
    "autodiff-wrong": ("bold magenta", "color:#b65fcf;font-weight:bold"),
    "wrong": ("red", "color:#e0434b;font-weight:bold"),
    "·": ("dim", "opacity:.4"),
    "░": ("yellow", "color:transparent;background:rgba(224,67,75,.25)"),
    "▒": ("dark_orange", "color:transparent;background:rgba(224,67,75,.5)"),
    "▓": ("red", "color:transparent;background:rgba(224,67,75,.75)"),
    "█": ("bright_red", "color:transparent;background:rgb(224,67,75)"),
}
SHADES = "·░▒▓█"


class GradientError(AssertionError):
    """A gradient is not right, or could not be shown to be. Its text is the report."""

    __module__ = "matcalc.testing"  # where it is to be imported from, and what a traceback shows

    @property
    def report(self) -> "Report":
        """What was found."""
        return self.args[0]


@dataclass(frozen=True)
class Cause:
    """Why a gradient is wrong, or why it cannot be told: a name, a sentence with numbers, and what to do about it."""

    name: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}".strip()


@dataclass(frozen=True, eq=False)
class Variable:
    """A variable, and the claimed and the true derivative by it, with the axes of the value first.

    Both are None where they are not compared entry by entry. `error` is norm-wise relative.
    """

    name: str
    shape: tuple[int, ...]
    claim: Array | None
    truth: Array | None
    error: float


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What was found about a gradient. Print it; display it in a notebook; `plot()` it; `raise_if_failed()` in a test.

    `errors` are those of the claim against each witness, norm-wise relative. `remainders` are what is left of f after
    its first-order expansion with the claimed derivative, at steps of relative size `steps`; `slope` is their slope in
    double logarithmic scale, 2 for a right gradient and 1 for a wrong one, NaN where it cannot be measured.
    """

    verdict: Verdict
    cause: Cause | None
    function: str
    dtype: str
    layout: str
    order: int
    form: str
    precision: str
    seed: int | tuple[int, ...]
    errors: Mapping[str, float]
    tolerance: float
    condition: float
    variables: tuple[Variable, ...]
    steps: Array
    remainders: Array
    slope: float
    evaluations: Mapping[str, int]
    notes: tuple[str, ...] = ()

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
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError('a plot needs matplotlib: pip install "jax-matcalc[report]"') from None
        pairs = [(v.name, *pair) for v in _worst_first(self.variables) if (pair := _as_matrices(v))][:PLOTTED]
        seen = np.isfinite(self.remainders) & (self.remainders > 0)  # on a logarithmic scale
        rows = len(pairs) + bool(seen.any())
        figure = Figure(figsize=(10, 1 + 2.6 * rows), layout="constrained")
        figure.suptitle(textwrap.fill(self._headline(), WIDTH))
        grid = figure.add_gridspec(max(rows, 1), 3)
        for row, (name, C, T) in enumerate(pairs):
            largest = float(np.clip(max(_largest(C), _largest(T)) or 1, 1e-300, 1e300))  # what matplotlib can scale
            threshold = _threshold(self.tolerance)
            panels = (
                ("claimed", C, "RdBu", "linear", -largest, largest),
                ("true", T, "RdBu", "linear", -largest, largest),
                (
                    "|claimed − true| / root mean square",
                    np.clip(_relative(C, T), threshold, 1),
                    "Reds",
                    "log",
                    threshold,
                    1,
                ),
            )
            for column, (title, A, colours, scale, low, high) in enumerate(panels):
                axes = figure.add_subplot(grid[row, column], title="" if row else title, facecolor="0.8")
                image = axes.imshow(A, colours, norm=scale, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
                axes.locator_params(integer=True, min_n_ticks=1)
                axes.set_ylabel("" if column else f"by {name}")
                figure.colorbar(image, ax=axes)
        if seen.any():
            axes = figure.add_subplot(
                grid[-1, :], xscale="log", yscale="log", title=self._slope() or "Taylor remainder"
            )
            axes.set(xlabel="relative step h", ylabel="|f(x + hv) − f(x) − h D v|")
            h, r = self.steps[seen], self.remainders[seen]
            axes.plot(h, r, "o", label="remainder")
            for power, line in ((1, ":"), (2, "--")):
                axes.plot(h, r[np.argmax(h)] * (h / h.max()) ** power, line, color="gray", label=f"slope {power}")
            axes.set_ylim(r.min() / 3, r.max() * 3)
            axes.legend()
        return figure

    def __str__(self) -> str:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self._lines(WIDTH))

    __repr__ = __str__

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Text]":
        from rich.text import Text

        for line in self._lines(min(options.max_width, WIDTH)):
            yield Text.assemble(*((text, STYLES[style][0]) for text, style in line))

    def _repr_html_(self) -> str:
        return f"<div>{''.join(map(_html, self._blocks(WIDTH)))}</div>"

    def _lines(self, width: int) -> Iterator[list[Segment]]:
        for block in self._blocks(width):
            if isinstance(block, list):
                yield from block
            else:
                text, style = block
                yield from ([(line, style)] for line in textwrap.wrap(text, width, break_on_hyphens=False) or [""])

    # --- What it says, in paragraphs and tables

    def _blocks(self, width: int) -> Iterator[Segment | Rows]:
        yield self._headline(), self.verdict
        if self.cause:
            yield str(self.cause), ""
        numbers = {n.replace("reference", "float64 autodiff"): x for n, x in self.errors.items()}
        numbers |= {"tolerance": self.tolerance, "condition": self.condition}
        if numbers := {n: x for n, x in numbers.items() if not math.isnan(x)}:
            header = ["error against" if self.errors else "", *numbers]
            yield _table([(n, "dim") for n in header], [("", ""), *((_number(x), "") for x in numbers.values())])
        if self.verdict != "pass":
            yield from self._comparison(width)
            yield "", ""
            if slope := self._slope():
                yield slope, ""
            ran = ", ".join(f"{name} {times}" for name, times in self.evaluations.items()) or "none"
            yield f"evaluations: {ran}; seed {self.seed}; matrix products in {self.precision} precision", "dim"
        for note in self.notes:
            yield note, "dim"

    def _headline(self) -> str:
        named = [f"{v.name} {v.shape}" for v in self.variables]
        by = "by " * bool(named) + (" and ".join(named) if len(named) < 3 else f"{len(named)} variables")
        what = {1: "derivative", 2: "second derivative"}.get(self.order, f"derivative of order {self.order}")
        how = f"{self.layout} layout" if self.form == "derivative" else f"as a {self.form}"
        return f"{self.verdict}: {self.function}, {', '.join(filter(None, (f'{what} {by}'.strip(), self.dtype, how)))}"

    def _slope(self) -> str:
        known = not math.isnan(self.slope)
        return f"slope of the Taylor remainder: {self.slope:.2f} (2 is right, 1 is wrong)" if known else ""

    def _comparison(self, width: int) -> Iterator[Segment | Rows]:
        """Errors by variable, and pictures of those that are wrong."""
        worst = _worst_first(self.variables)
        wrong = [v for v in worst if not v.error <= self.tolerance]
        if len(worst) > 1:
            header: list[Segment] = [(text, "dim") for text in ("variable", "shape", "error")]
            errors = [[(v.name, ""), (str(v.shape), ""), (_number(v.error), "wrong" * (v in wrong))] for v in worst]
            yield "", ""
            yield _table(header, *errors[:LISTED], left=2)
            if len(worst) > LISTED:
                yield f"and {len(worst) - LISTED} more variables, with errors that are no larger", "dim"
        room = PICTURES
        for v in wrong:
            picture = _picture(v, self.layout, self.tolerance, width)
            room -= sum(len(block) if isinstance(block, list) else 1 for block in picture)
            if room < 0 and v is not wrong[0]:
                break
            yield from picture


def _worst_first(variables: tuple[Variable, ...]) -> list[Variable]:
    return sorted(variables, key=lambda v: -math.inf if math.isnan(v.error) else -v.error)


def _picture(v: Variable, layout: str, tolerance: float, width: int) -> list[Segment | Rows]:
    """A caption, and the entries or a map of them: where the claimed derivative is not the true one."""
    if v.truth is None or not (pair := _as_matrices(v)):
        return []
    C, T = pair
    R = _relative(C, T)
    threshold = _threshold(tolerance)
    wrong = threshold < R
    if not wrong.any():
        return []
    caption = f"by {v.name}, {wrong.sum()} of {wrong.size} entries off"
    if layout != "jax" or v.truth.ndim > 2:
        caption += f", jax layout {v.truth.shape}"
    if max(C.shape) <= SMALL and (entries := _entries(C, T, wrong, width)):
        return [("", ""), (f"{caption}:", ""), entries]
    i, j = np.unravel_index(np.argmax(R), R.shape)
    ((claimed,),), ((true,),) = _written(C[i : i + 1, j : j + 1], T[i : i + 1, j : j + 1], np.array([[True]]))
    index = ", ".join(map(str, np.unravel_index(np.argmax(R), v.truth.shape)))
    return [("", ""), (f"{caption}, most at [{index}]: claimed {claimed}, true {true}", ""), *_map(R, threshold)]


def _as_matrices(v: Variable) -> tuple[Array, Array] | None:
    """Claim and truth with the axes of the value as rows; None where there is nothing to compare entry by entry.

    The last axis is the columns where the value or the variable has no axes.
    """
    if v.claim is None or v.truth is None or v.claim.shape != v.truth.shape or not v.truth.size:
        return None
    shape = v.truth.shape
    split = len(shape) - len(v.shape)
    if not 0 < split < len(shape):
        split = max(len(shape) - 1, 0)
    rows = math.prod(shape[:split])
    return v.claim.reshape(rows, -1), v.truth.reshape(rows, -1)


def _threshold(tolerance: float) -> float:
    return min(max(tolerance, ROUNDING), 0.1) if math.isfinite(tolerance) else ROUNDING


def _largest(A: Array) -> float:
    return float(np.max(np.abs(A[np.isfinite(A)]), initial=0))


@np.errstate(all="ignore")
def _relative(C: Array, T: Array) -> Array:
    """How far each entry is off, relative to the root mean square of the true ones; infinite where one is not finite.

    Where the norms differ by more than a tolerance so does an entry.
    """
    size = _largest(T) or _largest(C) or 1.0
    A = T if _largest(T) else C
    rms = np.sqrt(np.mean(np.where(np.isfinite(A), A / size, 0) ** 2)) or 1.0
    same = (C == T) | (np.isnan(C) & np.isnan(T))
    return np.where(same, 0, np.nan_to_num(np.abs(C / size - T / size) / rms, nan=np.inf))


def _entries(C: Array, T: Array, wrong: Array, width: int) -> Rows | None:
    """Claimed and true entries, side by side or one above the other; None where the lines are too narrow for either."""
    claimed, true = _written(C, T, wrong)
    left = [
        [("claimed" * (i == 0), "dim"), *((t + " *"[w], "wrong" * w) for t, w in zip(texts, marks, strict=True))]
        for i, (texts, marks) in enumerate(zip(claimed, wrong.tolist(), strict=True))
    ]
    right: Rows = [[("true" * (i == 0), "dim"), *((t + " ", "") for t in texts)] for i, texts in enumerate(true)]
    for rows in ([a + b for a, b in zip(left, right, strict=True)], left + right):
        table = _table(*rows)
        if sum(len(text) for text, _ in table[0]) <= width:
            return table
    return None


def _written(C: Array, T: Array, wrong: Array) -> list[list[list[str]]]:
    """All entries in the same format, with as many digits as show a difference wherever there is one."""
    sizes = [size for size in (_largest(C), _largest(T)) if size] or [1.0]
    low, high = (math.floor(math.log10(size)) for size in (min(sizes), max(sizes)))
    texts: list[list[list[str]]] = []
    for digits in range(3, 18):
        form = f"z.{max(digits - 1 - low, 0)}f" if low >= -4 and high <= 5 else f".{digits - 1}e"
        texts = [[[format(x, form) for x in row] for row in A.tolist()] for A in (C, T)]
        if all(texts[0][i][j] != texts[1][i][j] for i, j in np.argwhere(wrong)):
            break
    return texts


def _map(R: Array, threshold: float) -> list[Rows]:
    """A shade for how far entries are off, each for the worst of a block, and a legend."""
    pooled = R
    for axis, most in enumerate(MAP):
        starts = np.linspace(0, R.shape[axis], min(R.shape[axis], most) + 1).astype(int)[:-1]
        pooled = np.maximum.reduceat(pooled, starts, axis)
    block = "×".join(str(math.ceil(n / k)) for n, k in zip(R.shape, pooled.shape, strict=True))
    bounds = [threshold ** (1 - k / 4) for k in range(4)]
    shades = [[(SHADES[k], SHADES[k]) for k in row] for row in np.digitize(pooled, bounds, right=True).tolist()]
    legend: list[Segment] = [(SHADES[0], SHADES[0]), (" right", "dim")]
    for shade, bound in zip(SHADES[1:], bounds, strict=True):
        legend += [(", ", "dim"), (shade, shade), (f" > {bound:.0e}", "dim")]
    legend.append((" of the root mean square" + f"; worst of {block}" * (pooled.size < R.size), "dim"))
    return [[[("  ", ""), *row] for row in shades], [[("  ", ""), *legend]]]


# --- How it is written


def _table(*rows: list[Segment], left: int = 0) -> Rows:
    """Rows of equally many cells, padded so that they stand in columns, of which the first ones are flush left."""
    widths = [max(len(row[j][0]) for row in rows) for j in range(len(rows[0]))]

    def padded(j: int, segment: Segment) -> Segment:
        text, style = segment
        return "  " + (text.ljust(widths[j]) if j < left else text.rjust(widths[j])), style

    return [[padded(j, segment) for j, segment in enumerate(row)] for row in rows]


def _number(x: float) -> str:
    return f"{x:.1e}" if x else "0"


def _html(block: Segment | Rows) -> str:
    def tag(name: str, segment: Segment, style: str = "") -> str:
        return f'<{name} style="{style}{STYLES[segment[1]][1]}">{html.escape(segment[0])}</{name}>'

    if not isinstance(block, list):
        return tag("div", block, "margin:.3em 0;")
    cell = "padding:0;border:0;background:none;text-align:left;white-space:pre;font-family:monospace;line-height:1.3;"
    rows = "".join(f'<tr style="background:none">{"".join(tag("td", s, cell) for s in row)}</tr>' for row in block)
    return f'<table style="border-collapse:collapse;border:0;margin:.5em 0">{rows}</table>'


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
