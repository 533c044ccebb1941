"""The progress bar of `matcalc verify`: what it says, and that its estimate does not jump."""

import heapq
import itertools
import os
import threading

import numpy as np
import pytest
from command_line import matcalc, read

from matcalc import CATALOGUE
from matcalc.catalogue.verification import verify
from matcalc.cli.progress import Bar, Pace, weight

WEIGHTS = [weight(e) for e in CATALOGUE.values()]


def a_run(seed, workers):
    """When each entry of the catalogue ends: each takes its weight in seconds, times a factor that nobody knows."""
    costs = WEIGHTS * np.exp(np.random.default_rng(seed).normal(0, 0.6, len(WEIGHTS)))
    free = [0.0] * workers
    for entry, cost in enumerate(costs):
        end = heapq.heappop(free) + cost
        heapq.heappush(free, end)
        yield end, WEIGHTS[entry]


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_does_not_jump(seed, workers):
    ends = sorted(a_run(seed, workers))
    total = ends[-1][0]
    pace, told = Pace(sum(WEIGHTS)), []
    for now in np.linspace(0, total, 400):
        while ends and ends[0][0] <= now:
            at, done = ends.pop(0)
            pace.advance(done, at)
        told.append((now, pace.remaining(now)))
    shown = [(now / total, remaining / total) for now, remaining in told if remaining is not None]
    assert 0.02 < shown[0][0] < 0.3  # there is a little to go by, and it does not wait for more
    for (now, remaining), (then, rest) in itertools.pairwise(shown):
        assert abs((rest + then) - (remaining + now)) < 0.02
    wrong = [abs(remaining - (1 - now)) for now, remaining in shown]
    assert np.median(wrong) < 0.3
    assert max(each for each, (now, _) in zip(wrong, shown, strict=True) if now > 0.9) < 0.15


def test_nothing_is_estimated_from_too_little():
    pace = Pace(100)
    assert pace.remaining(0) is None
    for elapsed in range(1, 5):
        pace.advance(20, elapsed)
        assert pace.remaining(elapsed) is None
    pace.advance(10, 5)
    assert pace.remaining(5) == pytest.approx(5 / 0.9 - 5)
    assert pace.remaining(50) == 0


def test_the_bar_says_how_many_how_long_and_what_is_verified_now(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("matcalc.cli.progress.time.monotonic", lambda: clock[0])
    entries = [CATALOGUE[name] for name in ("tr_x", "tr_ax", "ax", "xa", "matvec", "element", "row_ax", "inner_ax")]
    bar = Bar(entries, is_shown=False)
    with bar:
        assert bar.words() == "0 of 8"
        for entry in entries[:3]:
            bar.started(entry)
        assert bar.words() == "0 of 8  vector_by_vector: ax"
        bar.ended(entries[2])
        bar.advance(entries[2])
        assert bar.words() == "1 of 8  traces: tr_ax"
        for entry in entries[3:7]:
            bar.started(entry)
            bar.ended(entry)
            bar.advance(entry)
            clock[0] += 20
        assert bar.words() == "5 of 8  1:20, about 0:16 left  traces: tr_ax"


def test_it_advances_when_any_identity_is_done_and_the_results_keep_their_order(monkeypatch):
    others, told = threading.Semaphore(0), []

    class Told(Bar):
        def advance(self, entry):
            super().advance(entry)
            told.append(self.words())

    def first_is_last(entry, *rest):
        if entry.name == "tr_x":
            for _ in range(2):
                assert others.acquire(timeout=60)
        results = verify(entry, *rest)
        others.release()
        return results

    monkeypatch.setattr("matcalc.cli.verify.verify_entry", first_is_last)
    monkeypatch.setattr("matcalc.cli.verify.Bar", Told)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    options = ("--dtype", "float64", "--layout", "numerator", "--json", "-")
    result = read(matcalc("verify", "tr_x", "ax", "xa", *options).stdout)
    assert [r["name"] for r in result["results"]] == ["tr_x", "ax", "xa"]
    assert [words.partition("  ")[0] for words in told] == ["1 of 3", "2 of 3", "3 of 3"]
    assert told[1] == "2 of 3  traces: tr_x"


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch):
    assert matcalc("verify", "tr_x").stderr == ""
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    assert "0 of 1" in matcalc("verify", "tr_x").stderr
