"""Time measured so that a ratio can be believed: contenders in turn within one run, round by round.

What disturbs a machine for a while disturbs all contenders of a round, and drops out of the ratio of that round.
"""

import gc
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

Thunk = Callable[[], Any]

SAMPLE = 0.001  # seconds that a sample takes at least, by as many calls as it needs
LEAST = 7  # rounds
PATIENCE = 8  # times as long is measured on where a ratio is not known well enough
PRECISION = 0.025  # to which a ratio should be known: half its interval
RESAMPLES = 2000
CONFIDENCE = 0.95


def in_turn(
    contenders: Mapping[str, Thunk], *, seconds: float = 1.0, pairs: int = 400, against: str | None = None
) -> dict[str, list[float]]:
    """Seconds a call, for each contender one number per round; each round they run in another order.

    There are at most `pairs` rounds, and fewer where they would take longer than `seconds`, but never less than
    `LEAST`. With the name of a contender as `against`, it goes on until the ratios to that one are known to
    ±`PRECISION`, up to `PATIENCE` times as long: how wide the interval is decides, not where it lies, and that is asked
    only whenever the rounds have doubled, so that luck does not end it. A call ends when its result is there.
    """
    calls = {name: max(1, math.ceil(SAMPLE / seconds)) for name, seconds in _first(contenders).items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    order, shuffled = list(contenders), random.Random(0)

    def measure(rounds: int, until: float) -> None:
        while len(samples[order[0]]) < rounds and (len(samples[order[0]]) < LEAST or time.perf_counter() < until):
            for name in order:
                samples[name].append(_sample(contenders[name], calls[name]))
            shuffled.shuffle(order)  # who runs after whom finds other things in the caches

    is_enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        measure(pairs, start + seconds)
        end = start + PATIENCE * seconds
        while against and time.perf_counter() < end and not _are_known(samples, against):
            measure(2 * len(samples[against]), end)
    finally:
        if is_enabled:
            gc.enable()
    return samples


def _are_known(samples: Mapping[str, Sequence[float]], against: str) -> bool:
    """Whether the ratio of every contender to this one is known to `PRECISION`."""
    ratios = (ratio(taken, samples[against]) for taken in samples.values())
    return all(high - low <= 2 * PRECISION * middle for middle, low, high in ratios)


def _first(contenders: Mapping[str, Thunk]) -> dict[str, float]:
    """Seconds a call, roughly: the shorter of two rounds, for the first of which something may be cold."""
    rounds = [{name: once(thunk) for name, thunk in contenders.items()} for _ in range(2)]
    return {name: min(taken[name] for taken in rounds) for name in contenders}


def once(thunk: Thunk) -> float:
    """The seconds of one call."""
    return _sample(thunk, 1)


def _sample(thunk: Thunk, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        jax.block_until_ready(thunk())
    return (time.perf_counter() - start) / calls


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """The median over rounds of theirs/ours, with a 95% confidence interval by bootstrap over rounds."""
    ratios = np.asarray(theirs) / np.asarray(ours)
    return _interval(ratios)


def typical(samples: Sequence[float]) -> tuple[float, float, float]:
    """The median of samples, with its 95% confidence interval."""
    return _interval(np.asarray(samples))


def _interval(values: Any) -> tuple[float, float, float]:
    rng = np.random.default_rng(0)
    medians = np.median(values[rng.integers(len(values), size=(RESAMPLES, len(values)))], axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(np.median(values)), float(low), float(high)


def geometric_mean(values: Sequence[float]) -> float:
    """The geometric mean; NaN of none."""
    return math.exp(statistics.fmean(map(math.log, values))) if values else math.nan
