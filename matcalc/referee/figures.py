"""A report as a figure."""

import textwrap
from typing import Any

import numpy as np

from matcalc.referee.findings import Findings
from matcalc.referee.rendering import (
    WIDTH,
    as_matrices,
    headline,
    largest_entry,
    relative,
    slope_text,
    threshold_of,
    worst_first,
)

PLOTTED = 3  # variables in a plot


def figure(found: Findings) -> Any:
    """A figure of claimed and true derivatives in JAX's layout, where they differ, and the Taylor remainders.

    By the worst variables. What is not finite is grey. ImportError where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('a plot needs matplotlib: pip install "jax-matcalc[report]"') from None
    pairs = [(v.name, *pair) for v in worst_first(found.variables) if (pair := as_matrices(v))][:PLOTTED]
    seen = np.isfinite(found.remainders) & (found.remainders > 0)  # on a logarithmic scale
    rows = len(pairs) + bool(seen.any())
    drawing = Figure(figsize=(10, 1 + 2.6 * rows), layout="constrained")
    drawing.suptitle(textwrap.fill(headline(found), WIDTH))
    grid = drawing.add_gridspec(max(rows, 1), 3)
    for row, (name, C, T) in enumerate(pairs):
        largest = float(
            np.clip(max(largest_entry(C), largest_entry(T)) or 1, 1e-300, 1e300)
        )  # what matplotlib can scale
        threshold = threshold_of(found.tolerance)
        panels = (
            ("claimed", C, "RdBu", "linear", -largest, largest),
            ("true", T, "RdBu", "linear", -largest, largest),
            (
                "|claimed − true| / root mean square",
                np.clip(relative(C, T), threshold, 1),
                "Reds",
                "log",
                threshold,
                1,
            ),
        )
        for column, (title, A, colours, scale, low, high) in enumerate(panels):
            axes = drawing.add_subplot(grid[row, column], title="" if row else title, facecolor="0.8")
            image = axes.imshow(A, colours, norm=scale, vmin=low, vmax=high, aspect="auto", interpolation="nearest")
            axes.locator_params(integer=True, min_n_ticks=1)
            axes.set_ylabel("" if column else f"by {name}")
            drawing.colorbar(image, ax=axes)
    if seen.any():
        axes = drawing.add_subplot(
            grid[-1, :], xscale="log", yscale="log", title=slope_text(found) or "Taylor remainder"
        )
        axes.set(xlabel="relative step h", ylabel="|f(x + hv) − f(x) − h D v|")
        h, r = found.steps[seen], found.remainders[seen]
        axes.plot(h, r, "o", label="remainder")
        for power, line in ((1, ":"), (2, "--")):
            axes.plot(h, r[np.argmax(h)] * (h / h.max()) ** power, line, color="gray", label=f"slope {power}")
        axes.set_ylim(r.min() / 3, r.max() * 3)
        axes.legend()
    return drawing
