"""What was measured, for people: who won, where not, and a picture of all."""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from matcalc.timing.cell import GIVEN, REGIMES
from matcalc.timing.clock import geometric_mean
from matcalc.timing.run import AUTODIFF, OURS, Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Verdict = Literal["win", "tie", "loss", "same"]
LIMIT = 1.25  # of the least time that the machine needs: what takes longer is counted
SHORT = 0.95  # of autodiff's speed: a lower end of the interval below it is named

COLOURS = {"win": "#2a9d4a", "tie": "#8a8a8a", "same": "#c8c8c8", "loss": "#e0434b"}


def verdict(result: Measured) -> Verdict:
    """Whether a contender is faster than autodiff, slower, or neither can be told, or is the same program."""
    if result.is_autodiff:
        return "same"
    if result.ratio_low > 1:
        return "win"
    return "loss" if result.ratio_high < 1 else "tie"


def summary(results: Sequence[Measured]) -> Iterator[str]:
    """How the closed forms do, regime by regime and in all, with every cell that falls short."""
    ours = [r for r in results if r.contender == OURS]
    if not ours:
        return
    yield f"{'regime':16} {'cells':>5} {'wins':>5} {'ties':>5} {'same':>5} {'losses':>6}  geometric mean  below {SHORT}"
    regimes = [regime for regime in (*REGIMES, GIVEN) if any(r.regime == regime for r in ours)]
    for name, members in [(regime, [r for r in ours if r.regime == regime]) for regime in regimes] + [("all", ours)]:
        counts = Counter(map(verdict, members))
        mean = geometric_mean([r.ratio_to_autodiff for r in members])
        low = sum(r.ratio_low < SHORT for r in members if not r.is_autodiff)
        wins, ties, same, losses = (counts[each] for each in ("win", "tie", "same", "loss"))
        yield f"{name:16} {len(members):5} {wins:5} {ties:5} {same:5} {losses:6}  {mean:14.2f}  {low:10}"
    if same := sorted(r.ratio_to_autodiff for r in ours if r.is_autodiff):
        lie = f"{same[len(same) // 20]:.2f} and {same[-1 - len(same) // 20]:.2f}"
        yield f"XLA makes the same program of both in {len(same)} cells: there 90% of the ratios lie between {lie}."
    autodiff = {_cell(r): r for r in results if r.contender == AUTODIFF}
    compiling = [(r.compile_s or 0) / (autodiff[_cell(r)].compile_s or 1) for r in ours]
    yield f"XLA compiles a closed form in {statistics.median(compiling):.2f} times what autodiff takes (median)."
    if limited := [r for r in ours if r.over_limit is not None]:
        median = statistics.median(r.over_limit or 0 for r in limited)
        above = sum((r.over_limit or 0) > LIMIT for r in limited)
        yield f"{len(limited)} of products only take {median:.2f} of the limit (median), {above} more than {LIMIT}."
    short = [r for r in ours if r.ratio_low < SHORT and not r.is_autodiff]
    yield f"{len(short)} cells with a lower end of the interval below {SHORT}" + (":" if short else ".")
    for r in sorted(short, key=lambda r: r.ratio_to_autodiff):
        yield f"  {r.name} ({r.kind}), {r.regime}, {r.dtype}, {r.quantity}: {shown_ratio(r)}"
    larger = [r for r in ours if (r.peak_bytes or 0) > (autodiff[_cell(r)].peak_bytes or 0)]
    if larger:
        names = ", ".join(dict.fromkeys(r.name for r in larger))
        yield f"{len(larger)} cells take more memory than autodiff: {names}."


def shown_ratio(r: Measured) -> str:
    """A ratio with its interval."""
    return f"{r.ratio_to_autodiff:.2f} ({r.ratio_low:.2f} to {r.ratio_high:.2f})"


def shown_time(seconds: float) -> str:
    """Seconds in a unit that fits."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _cell(r: Measured) -> tuple[object, ...]:
    return r.name, r.kind, r.regime, r.dtype, r.quantity, tuple(r.sizes.items())


def plot(results: Sequence[Measured]) -> "Figure":
    """The ratio of every cell with its interval, regime by regime, sorted. ImportError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('a plot needs matplotlib: pip install "jax-matcalc[report]"') from None
    ours = [r for r in results if r.contender == OURS]
    regimes = [regime for regime in (*REGIMES, GIVEN) if any(r.regime == regime for r in ours)]
    figure = Figure(figsize=(11, 1.2 + 1.5 * len(regimes)), layout="constrained")
    axes = figure.subplots(len(regimes), 1, sharex=False, squeeze=False)[:, 0]
    for ax, regime in zip(axes, regimes, strict=True):
        members = sorted((r for r in ours if r.regime == regime), key=lambda r: r.ratio_to_autodiff)
        for x, r in enumerate(members):
            ax.plot([x, x], [r.ratio_low, r.ratio_high], color=COLOURS[verdict(r)], linewidth=2)
            ax.plot(x, r.ratio_to_autodiff, ".", color=COLOURS[verdict(r)], markersize=4)
        ax.axhline(1, color="black", linewidth=0.5)
        ax.set_yscale("log")
        ax.set_xticks([])
        ax.set_title(f"{regime}: {len(members)} cells", loc="left", fontsize=9)
    figure.suptitle("time of autodiff / time of the closed form, 95% intervals: above 1 the closed form is faster")
    return figure
