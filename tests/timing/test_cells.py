"""The cells of the benchmark: what is timed, at which sizes, and that both contenders compute the same there."""

import jax
import numpy as np
import pytest

import matcalc
from matcalc import Rule
from matcalc.referee.programs import hasty
from matcalc.timing import REGIMES, cells


def compiled(f):
    return jax.jit(f, compiler_options=hasty())


def test_every_derivative_has_cells_in_both_dtypes(entry):
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
            ours, theirs = (compiled(f)(*cell.arrays) for f in (cell.ours(), cell.by_jax()))
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
