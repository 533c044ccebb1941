"""The clock of the benchmark: who runs when, how often, and what a ratio and its interval are. None asserts a time."""

import math
import time

import numpy as np
import pytest

from matcalc.timing import clock, geometric_mean, in_turn, ratio


def test_contenders_run_in_turn_each_round_in_another_order():
    calls = []
    thunks = {name: lambda name=name: (calls.append(name), time.sleep(0.002)) for name in "ABC"}
    samples = in_turn(thunks, seconds=60, pairs=6)
    rounds = ["".join(calls[-18:][k : k + 3]) for k in range(0, 18, 3)]
    assert {"".join(sorted(each)) for each in rounds} == {"ABC"}
    assert len(set(rounds)) > 2
    assert {name: len(taken) for name, taken in samples.items()} == dict.fromkeys("ABC", 6)


class Clock:
    """Time as the benchmark sees it, in a process with a thread that spins until some moment."""

    def __init__(self):
        self.now = self.used = self.spins_until = 0.0

    def sleep(self, seconds):
        self.used += max(0.0, min(seconds, self.spins_until - self.now))
        self.now += seconds

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.used


@pytest.mark.parametrize("settling", [True, False])
def test_a_contender_begins_when_the_threads_of_the_last_are_still(monkeypatch, settling):
    time, found = Clock(), []
    monkeypatch.setattr(clock, "time", time)

    def spins():
        time.sleep(0.01)
        time.spins_until = time.now + 0.11

    def looks():
        found.append(time.now < time.spins_until)
        time.sleep(0.01)

    in_turn({"spins": spins, "looks": looks}, seconds=60, pairs=9, settling=settling)
    assert any(found[-9:]) is not settling


def test_short_calls_are_taken_many_at_a_time():
    count = 0

    def thunk():
        nonlocal count
        count += 1

    in_turn({"A": thunk}, seconds=60, pairs=7)
    assert count > 7 * 100


@pytest.mark.parametrize(("noise", "is_enough"), [(0.01, True), (0.3, False)])
def test_a_ratio_that_is_not_known_well_isclockd_on(monkeypatch, noise, is_enough):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(clock, "_sample", lambda thunk, calls: rng.lognormal(0, noise))
    samples = in_turn(dict.fromkeys("AB", int), seconds=60, pairs=40, against="A")
    middle, low, high = ratio(samples["B"], samples["A"])
    assert high - low <= 2 * clock.PRECISION * middle
    assert (len(samples["A"]) == 40) is is_enough


@pytest.mark.parametrize("factor", [1 / 3, 3])
def test_far_from_1_a_ratio_need_not_be_known_as_well_on_either_side(monkeypatch, factor):
    rng, thunks = np.random.default_rng(0), {"A": int, "B": float}
    monkeypatch.setattr(clock, "_sample", lambda f, calls: rng.lognormal(0, 0.3) * (factor if f is float else 1))
    assert len(in_turn(thunks, seconds=60, pairs=40, against="A")["A"]) == 40


def test_slow_calls_get_their_rounds_too(monkeypatch):
    rng, time = np.random.default_rng(0), Clock()
    monkeypatch.setattr(clock, "time", time)
    monkeypatch.setattr(clock, "_sample", lambda thunk, calls: time.sleep(1) or rng.lognormal(0, 0.5))
    rounds = len(in_turn(dict.fromkeys("AB", int), seconds=0.1, against="A")["A"])
    assert rounds == clock.LEAST * clock.PATIENCE


def test_a_ratio_is_paired_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    disturbance = rng.lognormal(0, 2, size=40)  # of the machine, the same for both contenders of a round
    middle, low, high = ratio(disturbance, 3 * disturbance * rng.normal(1, 0.01, size=40))
    assert 2.97 < low <= middle <= high < 3.03


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.95), (1.1, 0.5)])
def test_the_interval_covers_the_true_ratio_as_often_as_it_says(factor, expected):
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        ours, theirs = rng.lognormal(0, 0.1, size=(2, 40))
        _, low, high = ratio(ours, theirs)
        covered += low <= factor <= high
    assert covered >= 180 if factor == 1.0 else covered <= 100


def test_the_geometric_mean():
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4)
    assert math.isnan(geometric_mean([]))
