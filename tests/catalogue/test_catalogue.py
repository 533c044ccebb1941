"""The catalogue is whole, and each entry is what it says it is."""

import copy
import json
import pickle
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import pytest

import matcalc
from matcalc import CATALOGUE, Rule
from matcalc.catalogue import identity

ROWS = json.loads((Path(__file__).parent / "rows.json").read_text())


def test_every_row_of_the_notes_is_covered_once():
    covered = Counter(row for e in CATALOGUE.values() for rows in e.covers.values() for row in rows)
    assert len(ROWS) == 157
    assert not set(ROWS) - set(covered), "missing"
    assert not set(covered) - set(ROWS), "unknown"
    assert not [row for row, count in covered.items() if count > 1], "doubled"


def test_every_row_is_covered_under_its_own_kind():
    wrong = [
        (row, kind, ROWS[row])
        for e in CATALOGUE.values()
        for kind, rows in e.covers.items()
        for row in rows
        if ROWS[row] != kind
        # Its row reads ∂X/∂x_ij, and so on: the layouts' own transposition is stated for all kinds at once.
    ]
    assert wrong == []


def test_every_entry_is_exported_under_its_name(entry):
    assert getattr(matcalc, entry.name) is entry


def test_the_catalogue_cannot_be_changed_from_outside():
    with pytest.raises(TypeError):
        CATALOGUE["tr_x"] = CATALOGUE["det_x"]  # pyright: ignore[reportIndexIssue]


def test_a_name_can_be_taken_only_once():
    with pytest.raises(ValueError, match="two identities of the catalogue are named tr_x"):
        identity("tr(X)", "I", source="", covers="")(CATALOGUE["tr_x"].declaration.body)


def test_help_shows_formula_layouts_shapes_condition_and_source(entry):
    text = entry.__doc__
    assert entry.source in text
    assert entry.equation() in text or f"{entry.equation('numerator')}    (numerator layout)" in text
    for layout in ("numerator", "denominator") if entry.order else ():
        for line in entry.equation(layout).splitlines():
            assert f"{line}    ({layout} layout)" in text
    for p in entry.signature.arrays:
        assert f"{p.name}: {p.shape_text}" in text
    assert entry.declaration.condition in text


def test_help_of_an_identity_is_not_the_help_of_its_class():
    import pydoc

    text = pydoc.render_doc(matcalc.tr_axbxtc, renderer=pydoc.plaintext)
    assert re.search(r"tr_axbxtc\(\s*A: ", text)
    assert "C A X B + Aᵀ Cᵀ X Bᵀ    (denominator layout)" in text
    assert "A function with a closed-form derivative" in (matcalc.Identity.__doc__ or "")


def test_a_notebook_shows_the_formula(entry):
    assert entry._repr_latex_().startswith("$\\displaystyle ")


@pytest.mark.parametrize(
    ("name", "layout", "equation"),
    [
        ("tr_axbxtc", "numerator", "∂/∂X tr(A X B Xᵀ C) = Bᵀ Xᵀ Aᵀ Cᵀ + B Xᵀ C A"),
        ("tr_axbxtc", "denominator", "∂/∂X tr(A X B Xᵀ C) = C A X B + Aᵀ Cᵀ X Bᵀ"),
        ("ax", "numerator", "∂/∂x A x = A"),
        ("ax", "denominator", "∂/∂x A x = Aᵀ"),
        ("exp_xa", "denominator", "∂/∂x exp(x A) = exp(x A)ᵀ Aᵀ"),
        ("sqnorm_x", "numerator", "∂/∂x xᵀ x = 2 xᵀ"),
        ("hess_quad_xax", "numerator", "∂²/∂x² xᵀ A x = A + Aᵀ"),
        ("inner_rule", "numerator", "∂/∂x uᵀ v = uᵀ ∂v + vᵀ ∂u"),
        ("linear_rule", "denominator", "∂/∂x A u = (∂u)ᵀ Aᵀ"),
    ],
)
def test_printed_equations(name, layout, equation):
    assert CATALOGUE[name].equation(layout) == equation


@pytest.mark.parametrize("layout", ["numerator", "denominator"])
def test_what_is_printed_in_a_layout_is_the_derivative_in_it(case, layout):
    entry, kind = case
    if entry.order == 0:
        with pytest.raises(ValueError, match="is printed in these layouts: jax; got"):
            entry.equation(layout)
        return
    lines = entry.equation(layout).splitlines()
    (line,) = [line for line in lines if len(lines) == 1 or f"({kind}" in line or f", {kind}" in line]
    formula = line.split(" = ", 1)[1].partition("    (")[0]
    with jax.enable_x64(True):
        args = entry.sample(3, dtype=np.float64, kind=kind)
        values = entry.signature.bind(args, {})
        if any(np.ndim(value) > 2 for value in values.values()):
            layout = "jax"  # ∂U of a matrix U is printed for an entry of x, and has no layout
        D = np.asarray(entry.derivative(*args, layout=layout))
    printed = entry.declaration.evaluate(formula, values, D.shape)
    np.testing.assert_allclose(printed, D, rtol=1e-9, atol=1e-9 * np.abs(D).max())


def test_samples_are_asymmetric_reproducible_and_inside_the_domain(case):
    entry, kind = case
    first, again, other = (entry.sample(seed, kind=kind) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    changed = any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert changed
    assert entry.outside(*first) is None
    for p, a in zip(entry.signature.parameters, first, strict=True):
        if np.ndim(a) == 2 and a.shape[0] == a.shape[1] > 1 and "symmetric" not in entry.declaration.condition:
            assert not np.allclose(a, a.T), p.name


def test_sizes_of_a_sample_can_be_chosen_and_are_checked():
    A, X, B, C = matcalc.tr_axbxtc.sample(0, m=7, dtype=np.float64)
    assert (A.shape, X.shape, B.shape, C.shape) == ((2, 7), (7, 4), (4, 4), (7, 2))
    assert A.dtype == np.float64
    with pytest.raises(ValueError, match="tr_axbxtc: there is no size 'k' here, only l, m, n"):
        matcalc.tr_axbxtc.sample(0, k=7)
    with pytest.raises(ValueError, match="the size m must be at least 1, got 0"):
        matcalc.tr_axbxtc.sample(0, m=0)
    with pytest.raises(ValueError, match="found no point with A X B invertible at the sizes l=5"):
        matcalc.det_axb_invertible.sample(0, l=5)


def test_a_sample_and_a_check_take_any_integer_and_any_key_of_which_every_word_counts():
    seeds = [0, 1, -1, -2, 2**70, np.int8(3), *(jax.random.key(i) for i in (1, 2)), jax.random.PRNGKey(2**33 + 7)]
    seeds += [jax.random.wrap_key_data(np.array(words, np.uint32)) for words in ([1, 0], [0, 5], [3, 5])]
    drawn = [matcalc.tr_x.sample(seed)[0] for seed in seeds]
    assert len({X.tobytes() for X in drawn}) == len(seeds)
    for seed in seeds:
        report = matcalc.tr_x.check(seed=seed)
        assert report.verdict == "pass"
        json.dumps(report.as_dict())


def test_an_identity_can_be_pickled_and_copied(entry):
    """It stays itself, as a function does; a model that holds one can be copied."""
    held = {"loss": entry}
    for other in (pickle.loads(pickle.dumps(held)), copy.copy(held), copy.deepcopy(held)):
        assert other["loss"] is entry


def test_what_a_user_sees_of_an_identity():
    """Twelve methods and what is said of it; the rest is behind `declaration`."""
    methods = {"value", "derivative", "value_and_derivative", "autodiff", "derivative_operator", "plan", "sample"}
    methods |= {"check", "outside", "equation", "describe"}
    facts = {"name", "chapter", "formulas", "derivative_formulas", "wrt", "order", "where", "source", "references"}
    facts |= {"covers", "signature", "declaration"}
    assert {name for name in dir(matcalc.tr_axbxtc) if not name.startswith("_")} == methods | facts


def test_a_check_calls_the_variable_by_its_name():
    assert [v.name for v in matcalc.tr_axbxtc.check().variables] == ["X"]
    assert [v.name for v in matcalc.product_rule.check().variables] == ["x"]
    assert "by X (3, 4)" in str(matcalc.tr_axbxtc.check())


def test_rules_say_what_moves(rule):
    assert isinstance(rule, Rule)
    assert rule.declaration.moves


def test_what_is_loaded_later_is_there():
    assert {"check_gradient", "reassociate", "tr_x"} <= set(dir(matcalc))
    unknown = "tr_y"
    with pytest.raises(AttributeError, match="has no attribute 'tr_y'"):
        getattr(matcalc, unknown)


def test_import_loads_nothing_that_it_does_not_need():
    heavy = ("rich", "typer", "lark", "matplotlib", "scipy", "matcalc.referee", "matcalc.planner")
    code = f"import sys, matcalc; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
