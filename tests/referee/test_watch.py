"""The time that a check may take: it ends when that is over, whatever runs then, and a terminal shows it pass."""

import io
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

from matcalc import check_gradient
from matcalc.referee import watch

X = np.linspace(0.1, 1, 8)


def slow(x):
    time.sleep(0.02)
    return float(np.sum(np.exp(x)))


def fast(x):
    return jnp.sum(jnp.exp(x))


@pytest.mark.parametrize("seconds", [1e-9, 0.03, 0.05, 0.1, 0.5])
@pytest.mark.parametrize(
    "claim", [np.exp, lambda x: 2 * np.exp(x), np.exp(X), None], ids=["f", "wrong", "array", "own"]
)
def test_a_check_ends_when_its_time_is_over(seconds, claim):
    report = check_gradient(slow, claim, X, seconds=seconds)
    assert not report.ok
    assert report.cause is not None
    assert str(report)
    if report.cause.name == "out of time":
        assert "seconds=" in report.cause.remedy


def test_what_was_found_until_then_is_told():
    report = check_gradient(slow, lambda x: 2 * np.exp(x), X, seconds=0.5)
    assert report.verdict == "inconclusive"
    assert report.errors["finite differences"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("form", ["derivative", "pushforward", "pullback"])
@pytest.mark.parametrize("runs", range(12))
def test_it_may_be_over_before_any_run(monkeypatch, form, runs):
    def look(self):
        self.runs += 1
        if self.runs > runs:
            raise watch.OutOfTime

    monkeypatch.setattr(watch.Watch, "look", look)
    report = check_gradient(fast, None, X, form=form)
    assert report.verdict in ("pass", "inconclusive")
    assert str(report)


def test_a_terminal_shows_the_time_pass(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(watch, "PATIENCE", 0.0)
    for stream, is_shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        assert check_gradient(fast, jnp.exp, X).ok
        assert ("of at most 60 s" in stream.getvalue()) == is_shown


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_the_time_is_positive(seconds):
    with pytest.raises(ValueError, match="seconds must be positive"):
        check_gradient(fast, jnp.exp, X, seconds=seconds)
