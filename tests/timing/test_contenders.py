"""Cells measured: what is known of each contender, which peers are timed, and what has a limit. None asserts a time."""

import operator

import jax
import numpy as np
import pytest

import matcalc
from matcalc.referee.programs import hasty
from matcalc.timing import AUTODIFF, OURS, cells, measure, run
from matcalc.timing.limit import is_of_products
from matcalc.timing.peers import Tape, peer
from matcalc.timing.run import compiled


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
    monkeypatch.setattr(run, "peer", lambda *_: lambda: factor * D)
    names = [r.contender for r in measure(cell, seconds=0.01, against=["numpy"])]
    assert names == [OURS, AUTODIFF] + ["numpy"] * (factor == 1.0)


def test_what_numpy_computes_are_the_same_derivatives(entry):
    for cell in cells(entry, ["float64"], ("scalar", "square 8")) if entry.order else ():
        thunk = peer("numpy", cell.identity, cell.values)
        with jax.enable_x64(True):
            expected = jax.jit(cell.by_jax(), compiler_options=hasty())(*cell.arrays)
        if thunk is not None:
            np.testing.assert_allclose(thunk(), expected, rtol=1e-8, atol=1e-8 * float(np.abs(expected).max()))


def test_the_tape_of_a_rule_is_its_compound_as_a_function_of_x(rule):
    """What PyTorch and autograd differentiate, which are not installed here."""
    for cell in cells(rule, ["float64"], ("scalar", "square 8")):
        declared, values = rule.declaration, cell.values
        origin = declared.origin(values)
        x = np.random.default_rng(0).normal(size=origin.shape)
        with jax.enable_x64(True):
            expected = np.asarray(declared.value_of(declared.moved(values, x)))
        tape = Tape(rule, {**values, "x": x}, expected.shape, lambda name: operator.attrgetter(name)(np))
        arrays = {p.name: values[p.name] for p in rule.signature.arrays} | {"x": x}
        found = tape.function(list(arrays))(*arrays.values())
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * float(np.abs(expected).max()))


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
