"""Time measured so that a ratio can be believed: contenders in turn within one run, round by round.

What disturbs a machine for a while disturbs all contenders of a round, and drops out of the ratio of that round.
"""

import ctypes
import gc
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

Thunk = Callable[[], Any]

SAMPLE = 0.001  # seconds that a sample takes at least, by as many calls as it needs
LONG_SAMPLE = 0.03  # the same where each begins at rest
LEAST = 7  # rounds
PATIENCE = 8  # times as long is measured on where a ratio is not known well enough
PRECISION = 0.025  # to which a ratio should be known: half its interval; or, where that is more,
OF_DISTANCE = 0.25  # to this part of its distance from 1
STILL = 0.005  # seconds in which threads that are done use no processor
SETTLED = 1.0  # second, at most, that is waited for them
RESAMPLES = 2000
CONFIDENCE = 0.95


# Of glibc's mallopt: the kept end of the heap in bytes, areas mapped for large blocks, arenas.
TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8


def keep_memory() -> None:
    """Have this process keep the memory that it frees, where its C library is glibc; best before JAX computes anything.

    Otherwise the pages of a large result are asked of the system anew for some calls and not for others, which can take
    longer than the call itself: measured, A + Aᵀ of 4096×4096 takes 29 ms with new pages and 12 ms without.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, value in ((TRIM_THRESHOLD, 2**31 - 1), (MMAP_MAX, 0), (ARENA_MAX, 1)):
            mallopt(parameter, value)


def compute_on_call() -> None:
    """Have JAX compute on the thread that calls, on a CPU, as PyTorch and NumPy do; only before it computes anything.

    Otherwise it hands all but the smallest programs over to a thread of its own: measured, 0.05 ms for some of 0.1 ms.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def in_turn(
    contenders: Mapping[str, Thunk],
    *,
    seconds: float = 1.0,
    pairs: int = 400,
    against: str | None = None,
    settling: bool = False,
) -> dict[str, list[float]]:
    """Seconds a call, for each contender one number per round; each round they run in another order.

    There are at most `pairs` rounds, and fewer where they would take longer than `seconds`, but never less than
    `LEAST`. With the name of a contender as `against`, it goes on until the ratios to that one are known well enough,
    up to `PATIENCE` times as long: to ±`PRECISION`, or less well far from 1, on either side alike; and that is asked
    only whenever the rounds have doubled, so that luck does not end it. A call ends when its result is there.

    With `settling`, as is fair among libraries with threads of their own, each begins when those of the last are still,
    with a call that is not timed.
    """
    least = LONG_SAMPLE if settling else SAMPLE
    calls = {name: max(1, math.ceil(least / seconds)) for name, seconds in _first(contenders).items()}
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    order, shuffled = list(contenders), random.Random(0)

    def measure(rounds: int, until: float) -> None:
        while len(samples[order[0]]) < rounds and (len(samples[order[0]]) < LEAST or time.perf_counter() < until):
            for name in order:
                if settling:
                    settle()
                    once(contenders[name])  # wakes its own threads
                samples[name].append(_sample(contenders[name], calls[name]))
            shuffled.shuffle(order)  # who runs after whom finds other things in the caches

    is_enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        measure(pairs, start + seconds)
        end = start + PATIENCE * max(seconds, time.perf_counter() - start)
        while against and time.perf_counter() < end and not _are_known(samples, against):
            measure(2 * len(samples[against]), end)
    finally:
        if is_enabled:
            gc.enable()
    return samples


def settle() -> None:
    """Wait until the threads of this process are still.

    Those of OpenMP and of OpenBLAS, which PyTorch and NumPy use, go on spinning for 10 and 110 ms when they are done,
    and take a processor from whatever runs next.
    """
    end = time.perf_counter() + SETTLED
    is_still = False
    while not is_still and time.perf_counter() < end:
        used = time.process_time()
        time.sleep(STILL)
        is_still = time.process_time() - used < STILL / 4


def _are_known(samples: Mapping[str, Sequence[float]], against: str) -> bool:
    """Whether the ratio of every contender to this one is known well enough."""
    ratios = (ratio(taken, samples[against]) for taken in samples.values())
    return all(
        high - low <= 2 * middle * max(PRECISION, OF_DISTANCE * abs(math.log(middle))) for middle, low, high in ratios
    )


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
