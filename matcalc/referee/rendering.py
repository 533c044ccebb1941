"""What a report says, in paragraphs, tables and maps, for a terminal, a pipe and a page."""

import html
import math
import textwrap
from collections.abc import Iterator

import numpy as np

from matcalc.referee.findings import Array, Findings, Variable

WIDTH = 100  # of a line of plain text
SMALL = 8  # up to so many rows and columns the entries themselves are shown
MAP = (16, 40)  # rows and columns at most of a map of where larger derivatives differ
PICTURES = 20  # lines for all comparisons together, so that a report stays on one screen; the worst is always shown
LISTED = 6  # variables in the table
BETWEEN_SLOPES = 1.5  # of the Taylor remainder: 2 of a right gradient, 1 of a wrong one
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


def lines(found: Findings, width: int) -> Iterator[list[Segment]]:
    """Every line as texts with their styles."""
    for block in blocks(found, width):
        if isinstance(block, list):
            yield from block
        else:
            text, style = block
            yield from ([(line, style)] for line in textwrap.wrap(text, width, break_on_hyphens=False) or [""])


def page(found: Findings) -> str:
    """The same in HTML."""
    return f"<div>{''.join(map(_html, blocks(found, WIDTH)))}</div>"


def blocks(found: Findings, width: int) -> Iterator[Segment | Rows]:
    yield headline(found), found.verdict
    if found.cause:
        yield str(found.cause), ""
    numbers = {_witness(n, x, found): x for n, x in found.errors.items()}
    numbers |= {"tolerance": found.tolerance, "condition": found.condition}
    if numbers := {n: x for n, x in numbers.items() if not math.isnan(x)}:
        header = ["error against" if found.errors else "", *numbers]
        yield _table([(n, "dim") for n in header], [("", ""), *((_number(x), "") for x in numbers.values())])
    if found.verdict != "pass":
        yield from _comparison(found, width)
        yield "", ""
        if slope := slope_text(found):
            yield slope, ""
        ran = ", ".join(f"{name} {times}" for name, times in found.evaluations.items()) or "none"
        yield f"evaluations: {ran}; seed {found.seed}; matrix products in {found.precision} precision", "dim"
    for note in found.notes:
        yield note, "dim"


def _witness(name: str, error: float, found: Findings) -> str:
    """What an error is against; where a right gradient is farther from finite differences, they are off."""
    if name == "reference":
        return "float64 autodiff"
    return (
        f"{name} (coarse)"
        if name == "finite differences" and found.verdict in ("pass", "autodiff-wrong") and error > found.tolerance
        else name
    )


def headline(found: Findings) -> str:
    named = [f"{v.name} {v.shape}" for v in found.variables]
    by = "by " * bool(named) + (" and ".join(named) if len(named) < 3 else f"{len(named)} variables")
    what = {1: "derivative", 2: "second derivative"}.get(found.order, f"derivative of order {found.order}")
    how = f"{found.layout} layout" if found.form == "derivative" else f"as a {found.form}"
    return f"{found.verdict}: {found.function}, {', '.join(filter(None, (f'{what} {by}'.strip(), found.dtype, how)))}"


def slope_text(found: Findings) -> str:
    """The slope, where it sees what the verdict says: the remainder of a small mistake falls as a right one's does."""
    is_right = {"pass": True, "autodiff-wrong": True, "fail": False}.get(found.verdict)
    if math.isnan(found.slope) or (is_right is not None and (found.slope > BETWEEN_SLOPES) != is_right):
        return ""
    return f"slope of the Taylor remainder: {found.slope:.2f} (2 is right, 1 is wrong)"


def _comparison(found: Findings, width: int) -> Iterator[Segment | Rows]:
    """Errors by variable, and pictures of those that are wrong."""
    worst = worst_first(found.variables)
    wrong = [v for v in worst if not v.error <= found.tolerance]
    if len(worst) > 1:
        header: list[Segment] = [(text, "dim") for text in ("variable", "shape", "error")]
        errors = [[(v.name, ""), (str(v.shape), ""), (_number(v.error), "wrong" * (v in wrong))] for v in worst]
        yield "", ""
        yield _table(header, *errors[:LISTED], left=2)
        if len(worst) > LISTED:
            yield f"and {len(worst) - LISTED} more variables, with errors that are no larger", "dim"
    room = PICTURES
    for v in wrong:
        picture = _picture(v, found.layout, found.tolerance, width)
        room -= sum(len(block) if isinstance(block, list) else 1 for block in picture)
        if room < 0 and v is not wrong[0]:
            break
        yield from picture


def worst_first(variables: tuple[Variable, ...]) -> list[Variable]:
    return sorted(variables, key=lambda v: -math.inf if math.isnan(v.error) else -v.error)


def _picture(v: Variable, layout: str, tolerance: float, width: int) -> list[Segment | Rows]:
    """A caption, and the entries or a map of them: where the claimed derivative is not the true one."""
    if v.truth is None or not (pair := as_matrices(v)):
        return []
    C, T = pair
    R = relative(C, T)
    threshold = threshold_of(tolerance)
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


def as_matrices(v: Variable) -> tuple[Array, Array] | None:
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


def threshold_of(tolerance: float) -> float:
    return min(max(tolerance, ROUNDING), 0.1) if math.isfinite(tolerance) else ROUNDING


def largest_entry(A: Array) -> float:
    return float(np.max(np.abs(A[np.isfinite(A)]), initial=0))


@np.errstate(all="ignore")
def relative(C: Array, T: Array) -> Array:
    """How far each entry is off, relative to the root mean square of the true ones; infinite where one is not finite.

    Where the norms differ by more than a tolerance so does an entry.
    """
    size = largest_entry(T) or largest_entry(C) or 1.0
    A = T if largest_entry(T) else C
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
    sizes = [size for size in (largest_entry(C), largest_entry(T)) if size] or [1.0]
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
