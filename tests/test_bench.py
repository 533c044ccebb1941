"""The benchmark: what it times, in which order, what it makes of the times, what it prints. None asserts a time."""

import json
import math
import re
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

import matcalc
from matcalc import Rule
from matcalc.cli import app
from matcalc.timing import (
    AUTODIFF,
    OURS,
    REGIMES,
    Measured,
    _measure,
    _run,
    cells,
    geometric_mean,
    in_turn,
    measure,
    plot,
    ratio,
    summary,
    verdict,
)
from matcalc.timing.limit import is_of_products
from matcalc.timing.peers import peer
from matcalc.timing.run import compiled

FIELDS = {
    "name", "sizes", "dtype", "batch", "contender", "median_s", "low_s", "high_s", "ratio_to_autodiff", "ratio_low",
    "ratio_high", "compile_s", "flops", "peak_bytes",
}  # fmt: skip


# --- Measuring


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
    clock, found = Clock(), []
    monkeypatch.setattr(_measure, "time", clock)

    def spins():
        clock.sleep(0.01)
        clock.spins_until = clock.now + 0.11

    def looks():
        found.append(clock.now < clock.spins_until)
        clock.sleep(0.01)

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
def test_a_ratio_that_is_not_known_well_is_measured_on(monkeypatch, noise, is_enough):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(_measure, "_sample", lambda thunk, calls: rng.lognormal(0, noise))
    samples = in_turn(dict.fromkeys("AB", int), seconds=60, pairs=40, against="A")
    middle, low, high = ratio(samples["B"], samples["A"])
    assert high - low <= 2 * _measure.PRECISION * middle
    assert (len(samples["A"]) == 40) is is_enough


@pytest.mark.parametrize("factor", [1 / 3, 3])
def test_far_from_1_a_ratio_need_not_be_known_as_well_on_either_side(monkeypatch, factor):
    rng, thunks = np.random.default_rng(0), {"A": int, "B": float}
    monkeypatch.setattr(_measure, "_sample", lambda f, calls: rng.lognormal(0, 0.3) * (factor if f is float else 1))
    assert len(in_turn(thunks, seconds=60, pairs=40, against="A")["A"]) == 40


def test_slow_calls_get_their_rounds_too(monkeypatch):
    rng, clock = np.random.default_rng(0), Clock()
    monkeypatch.setattr(_measure, "time", clock)
    monkeypatch.setattr(_measure, "_sample", lambda thunk, calls: clock.sleep(1) or rng.lognormal(0, 0.5))
    rounds = len(in_turn(dict.fromkeys("AB", int), seconds=0.1, against="A")["A"])
    assert rounds == _measure.LEAST * _measure.PATIENCE


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


# --- What is measured


def test_every_derivative_has_cells_in_both_dtypes():
    for entry in matcalc.CATALOGUE.values():
        found = {cell.dtype for cell in cells(entry, regimes=("scalar", "square 8"))} if entry.order else set()
        assert found == ({"float32", "float64"} if entry.order else set())


@pytest.mark.parametrize("regime", ["scalar", "square 64", "tall", "wide", "thin", "long", REGIMES[-1]])
def test_every_regime_has_some_in_both_dtypes(regime):
    entries = (matcalc.scaled_rule, matcalc.tr_axbxtc, matcalc.det_x)
    found = {cell.dtype for entry in entries for cell in cells(entry, regimes=[regime])}
    assert found == {"float32", "float64"}


@pytest.mark.parametrize(
    "name", ["tr_axbxtc", "det_x", "hess_quad_xax", "direction_x_minus_a", "product_rule", "tr_xk"]
)
@pytest.mark.parametrize("quantity", ["derivative", "both", "value", "hessian"])
def test_contenders_compute_the_same(name, quantity):
    regimes = ("square 8", "10000 of 4") if quantity == "derivative" else ("square 8",)
    for cell in cells(matcalc.CATALOGUE[name], ["float64"], regimes, quantity):
        with jax.enable_x64(True):
            ours, theirs = (f(*cell.arrays) for f in (cell.ours(), cell.by_jax()))
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * float(np.abs(b).max()))


def test_hessians_are_those_of_scalars_that_do_not_vanish():
    found = {
        name: {cell.regime for cell in cells(matcalc.CATALOGUE[name], ["float32"], quantity="hessian")}
        for name in ("tr_xk", "quad_xax", "tr_ax", "ax", "inner_rule", "hess_quad_xax")
    }
    assert found.pop("tr_xk") == {"square 8", "square 64", "10000 of 4"}  # at 256 it has 4,294,967,296 entries
    assert found.pop("quad_xax") == {"square 8", "square 64", "square 256", "square 1024", "10000 of 4"}
    assert not any(found.values())


def test_determinants_are_scaled_so_that_none_overflows():
    (cell,) = cells(matcalc.det_axb, ["float32"], ["square 256"])
    assert np.isfinite(cell.ours()(*cell.arrays)).all()


def test_a_cell_has_times_ratios_and_what_xla_says():
    (cell,) = cells(matcalc.tr_axbxtc, ["float32"], ["square 8"])
    ours, theirs = measure(cell, seconds=0.01, with_limit=True)
    assert (ours.contender, theirs.contender) == (OURS, AUTODIFF)
    assert theirs.ratio_to_autodiff == theirs.ratio_low == theirs.ratio_high == 1
    for r in (ours, theirs):
        assert 0 < r.low_s <= r.median_s <= r.high_s
        assert r.compile_s > 0
        assert r.peak_bytes >= 8 * 8 * 4
    assert ours.operations < theirs.operations
    assert ours.over_limit is None  # a call takes longer than the work


def test_what_has_enough_to_do_is_compared_with_the_limit():
    (cell,) = cells(matcalc.tr_axb, ["float32"], ["square 256"])
    ours, theirs = measure(cell, seconds=0.01, with_limit=True)
    assert ours.over_limit > 0
    assert theirs.over_limit is None


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_a_peer_that_computes_something_else_is_not_timed(monkeypatch, factor):
    (cell,) = cells(matcalc.tr_axbxtc, ["float32"], ["square 8"])
    D = np.asarray(cell.by_jax()(*cell.arrays))
    monkeypatch.setattr(_run, "peer", lambda *_: lambda: factor * D)
    names = [r.contender for r in measure(cell, seconds=0.01, against=["numpy"])]
    assert names == [OURS, AUTODIFF] + ["numpy"] * (factor == 1.0)


def test_what_numpy_computes_are_the_same_derivatives(entry):
    for cell in cells(entry, ["float64"], ("scalar", "square 8")) if entry.order else ():
        thunk = peer("numpy", cell.identity, cell.values)
        with jax.enable_x64(True):
            expected = cell.by_jax()(*cell.arrays)
        if thunk is not None:
            np.testing.assert_allclose(thunk(), expected, rtol=1e-8, atol=1e-8 * float(np.abs(expected).max()))


def test_what_xla_makes_the_same_program_of_is_known():
    def same(one, other):
        X = np.ones((4, 4), np.float32)
        return compiled(one, [X, X]).text == compiled(other, [X, X]).text

    assert same(lambda A, X: A @ X + 1, lambda B, Y: 1 + B @ Y - 0)
    assert not same(lambda A, X: A @ X, lambda A, X: X @ A)
    assert not same(lambda A, X: A + 1, lambda A, X: A + 2)
    (cell,) = cells(matcalc.inner_ax, ["float32"], ["square 8"])
    assert [r.is_autodiff for r in measure(cell, seconds=0.01)] == [True, True]
    (cell,) = cells(matcalc.tr_axbxtc, ["float32"], ["square 8"])
    assert [r.is_autodiff for r in measure(cell, seconds=0.01)] == [False, True]


@pytest.mark.parametrize(
    ("name", "regime"),
    [
        ("det_axb", "long"),  # does not turn its result
        ("polynomial_xa", "tall"),  # makes no array of coefficients
        ("tr_axkb", "square 8"),  # squares no power that it does not need
        ("tr_axkb", "10000 of 4"),  # adds two products before it goes on
        ("tr_axtbxc", "long"),
    ],
)
def test_a_closed_form_takes_no_more_memory_than_autodiff(name, regime):
    (cell,) = cells(matcalc.CATALOGUE[name], ["float32"], [regime])
    ours, theirs = (compiled(f, cell.arrays).analysis["peak_bytes"] for f in (cell.ours(), cell.by_jax()))
    assert 0 < ours <= theirs


def test_only_programs_of_products_have_a_limit():
    def program(name):
        (cell,) = cells(matcalc.CATALOGUE[name], ["float32"], ["square 8"])
        return compiled(cell.ours(), cell.arrays).work

    assert is_of_products(program("tr_axbxtc"))
    assert not is_of_products(program("logabsdet_x"))
    assert not is_of_products(program("tr_expm"))


# --- What is shown


def measured(contender, ratios=(1.0, 1.0, 1.0), **changes):
    given = dict(zip(("ratio_to_autodiff", "ratio_low", "ratio_high"), ratios, strict=True))
    times = {"median_s": 1e-3, "low_s": 1e-3, "high_s": 1e-3, "rounds": 7, "peak_bytes": 10}
    where = {"name": "f", "kind": "scalar by matrix", "regime": "square 8", "quantity": "derivative", "sizes": {"n": 8}}
    return Measured(**where | times | given | changes, dtype="float32", batch=None, contender=contender)


def test_verdicts_and_the_summary_name_what_falls_short():
    assert verdict(measured(OURS, (2.0, 1.5, 3.0))) == "win"
    assert verdict(measured(OURS, (1.0, 0.9, 1.1))) == "tie"
    assert verdict(measured(OURS, (0.5, 0.4, 0.6))) == "loss"
    assert verdict(measured(OURS, (0.5, 0.4, 0.6), is_autodiff=True)) == "same"
    results = []
    for name, ratios, peak in (("good", (4.0, 3.0, 5.0), 10), ("bad", (0.25, 0.2, 0.3), 11)):
        results += [measured(OURS, ratios, name=name, peak_bytes=peak), measured(AUTODIFF, name=name)]
    text = "\n".join(summary(results))
    assert re.search(r"square 8 +2 +1 +0 +0 +1 +1\.00 +1\n", text)
    assert "1 cells with a lower end of the interval below 0.95:" in text
    assert "bad (scalar by matrix), square 8, float32, derivative: 0.25 (0.20 to 0.30)" in text
    assert "1 cells take more memory than autodiff: bad." in text
    assert "good" not in text
    assert len(plot(results).axes) == 1


def run(*arguments):
    return CliRunner().invoke(app, ["bench", *arguments])


def test_the_command(tmp_path):
    result_file, picture = tmp_path / "result.json", tmp_path / "plot.png"
    options = ["--regime", "square 8", "--dtype", "float32", "--seconds", "0.01", "--against", "autodiff,numpy"]
    result = run("tr_axb", "tr_xk", *options, "--json", str(result_file), "--plot", str(picture))
    assert result.exit_code == 0, result.output
    assert "tr_axb l=8,m=8,n=8 float32" in result.output
    assert "numpy / closed form" in result.output
    protocol = json.loads(result_file.read_text())
    assert protocol["environment"]["processor"]
    rows = protocol["results"]
    assert {(r["name"], r["contender"]) for r in rows} == {
        (name, contender) for name in ("tr_axb", "tr_xk") for contender in (OURS, AUTODIFF, "numpy")
    }
    assert all(set(r) >= FIELDS for r in rows)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_to_stdout_is_nothing_else():
    result = run("tr_x", "--regime", "square 8", "--dtype", "float32", "--seconds", "0.01", "--json", "-")
    assert {r["name"] for r in json.loads(result.output)["results"]} == {"tr_x"}


def test_sizes_of_ones_own():
    result = run("tr_axbxtc", "--sizes", "l=3,m=5,n=2", "--dtype", "float32", "--seconds", "0.01")
    assert result.exit_code == 0, result.output
    assert "tr_axbxtc l=3,m=5,n=2 float32" in result.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["det_axb", "--sizes", "l=5,m=3,n=2"], "the function vanishes at these sizes."),
        (["tr_ax", "--sizes", "m=3,n=2", "--quantity", "hessian"], "the Hessian vanishes at these sizes."),
        (["logdet_xtx", "--sizes", "m=3,l=5"], "there is no point with X of full column rank."),
        (["det_x", "--sizes", "n=1000000"], "an array of 1,000,000,000,000 entries is too large"),
        (["det_x", "--regime", "tall,wide"], "its regimes are square 8, square 64, square 256, square 1024, 10000 of"),
        (["ax", "--quantity", "hessian"], "only a scalar by an array has a Hessian."),
        (["rules", "--quantity", "hessian"], "nothing to time at these regimes or sizes"),
    ],
)
def test_the_reason_why_nothing_is_timed(arguments, reason):
    result = run(*arguments)
    assert result.exit_code == 1
    assert reason in " ".join(result.output.split())
    result = run(*arguments, "--json", "-")
    told = json.loads(result.output)["summary"]["left_out"]
    assert all(text.startswith(arguments[0]) and reason in text for text in told)
    assert len(told) == (arguments[0] != "rules")


def test_an_identity_that_has_no_such_cell_is_named_beside_others():
    result = run("logdet_xtx", "det_x", "--sizes", "m=3,l=5,n=2", "--seconds", "0.01", "--dtype", "float32")
    assert result.exit_code == 0
    assert "logdet_xtx left out" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tr_x", "--sizes", "n=3", "--quick"], "leave out --dtype, --regime and --sizes"),
        (["tr_x", "--quick", "--dtype", "float32"], "leave out --dtype, --regime and --sizes"),
        (["tr_x", "--sizes", "n=3", "--regime", "tall"], "--sizes stands instead of --regime"),
        (["tr_x", "--sizes", ""], "--sizes takes name=number with numbers from 1"),
        (["tr_x", "--sizes", "n=3,n=5"], "n is given twice"),
        (["tr_x", "--regime", "square 8,"], "--regime takes scalar, square 8"),
        (
            ["tr_x", "--against", "numpy", "--quantity", "hessian"],
            "timed for the derivative only; got --quantity hessian",
        ),
        (["tr_x", "--json", "one.svg", "--plot", "one.svg"], "are to write the same file"),
        (["tr_x", "gram"], "gram is a definition"),
        (["tr_x", "--sizes", "z=3"], "no size is named 'z' here"),
        (["tr_y"], "there is no identity named 'tr_y'"),
        (["gram"], "gram is a definition and has no derivative to time"),
        (["tr_x", "--regime", "round"], "--regime takes scalar, square 8"),
        (["tr_x", "--against", "fortran"], "--against takes autodiff, torch, autograd, tensorgrad, numpy"),
        (["tr_x", "--quantity", "speed"], "--quantity takes derivative, both, value, hessian"),
        (["tr_x", "--plot", "picture.txt"], "--plot takes a file named .png, .svg or .pdf"),
        (["tr_x", "--seconds", "0"], "0.01"),
    ],
)
def test_wrong_usage(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_files_stay_where_nothing_was_timed(tmp_path, monkeypatch, is_interrupted):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("matcalc.timing.measure", interrupt)
    old, new, picture = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "new.png"
    old.write_text("old")
    regime = "square 8" if is_interrupted else "scalar"
    for file in (old, new):
        result = run("tr_x", "--regime", regime, "--json", str(file), "--plot", str(picture))
        assert result.exit_code == 1
        assert ("interrupted" if is_interrupted else "its regimes are") in result.output
    assert old.read_text() == "old"
    assert not new.exists()
    assert not picture.exists()


@pytest.mark.parametrize("ends", ["reader", "process"])
def test_what_was_timed_is_written_when_the_reader_or_the_process_is_ended(tmp_path, ends):
    file = tmp_path / "result.json"
    command = [sys.executable, "-m", "matcalc", "bench", "tr_x", "tr_ax", "--seconds", "0.01", "--dtype", "float32"]
    process = subprocess.Popen([*command, "--json", str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("tr_"):
            break
    process.stdout.close()
    if ends == "process":
        process.terminate()
    assert process.wait(120) == (1 if ends == "process" else 0)
    written = json.loads(file.read_text())
    assert written["results"]
    assert written["summary"]["interrupted"] == (ends == "process")


def test_the_quick_overview_has_every_identity_once():
    quick = [
        cell
        for entry in matcalc.CATALOGUE.values()
        if entry.order
        for cell in cells(entry, ["float32"], ["scalar", "square 64"])
        if cell.kind == [*entry.covers][-1]
    ]
    assert [cell.identity for cell in quick] == [entry for entry in matcalc.CATALOGUE.values() if entry.order]
    assert any(isinstance(cell.identity, Rule) for cell in quick)
