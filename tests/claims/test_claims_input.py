"""What people type: how it is read, what can be said beside it, and what cannot be checked."""

import contextlib
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcalc import check_formula
from matcalc.claims.layouts import candidates
from matcalc.claims.points import draw
from matcalc.claims.reading import read_problem
from matcalc.claims.slopes import truth
from matcalc.formula import parse


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "given"),
    [
        (r"\sum_{i=1}^n\sum_{j=1}^m X_{ij}^2", "X", "2X", {}),
        (r"\sum_{i=1}^n\sum_{j=1}^n x_i A_{ij} x_j", "x", "(A + A')x", {}),
        ("x'A", "x", "A", {"layout": "denominator"}),
        ("x'A", "x", "A'", {"layout": "numerator"}),
        ("(x-μ)'Σ^-1 (x-μ)", "x", "2 Σ^-1 (x-μ)", {"where": {"Σ": "symmetric"}, "shape": {"μ": ("n",)}}),
        ("tr(X)^k", "X", "k tr(X)^(k-1) I", {}),
        ("||x||^p", "x", "p ||x||^(p-2) x", {}),
        ("tr(X^-2)", "X", "-2 (X^-3)'", {}),
        ("1/2 x'A x", "x", "1/2 (A + A') x", {}),
        (r"$\|Xw-y\|^2_2$", "w", r"2 X^{\!\top}(Xw-y)", {}),
    ],
)
def test_it_is_read_as_it_is_meant(formula, wrt, claim, given):
    assert check_formula(formula, claim, wrt=wrt, **given).verdict == "pass"


@pytest.mark.parametrize(
    ("formula", "wrt", "claim"),
    [
        ("sum(exp(x))", "x", "exp(x)"),
        ("ln(sum(exp(x)))", "x", "exp(x)/sum(exp(x))"),
        ("1'tanh(X)1", "X", "1 1' - tanh(X) .* tanh(X)"),
        ("a'sigmoid(X b)", "X", "(a .* sigmoid(X b) .* (ones - sigmoid(X b))) b'"),
        ("sum(softplus(X w)) - y'X w", "w", "X' (sigmoid(X w) - y)"),
        ("sum(ln.(X A))", "X", "(1 1' ./ (X A)) A'"),
        ("sum(A .* sqrt.(X))", "X", "(A ./ sqrt.(X))/2"),
        (r"\operatorname{tr}(\operatorname{exp.}(X))", "X", r"\operatorname{exp.}(X) \odot I"),
        ("exp(x)", "x", "diag(exp(x))"),
        ("A tanh(x)", "x", "A diag(ones - tanh(x) .* tanh(x))"),
    ],
)
def test_functions_of_entries(formula, wrt, claim):
    assert check_formula(formula, claim, wrt=wrt).verdict == "pass"
    assert check_formula(formula, f"1.0001 ({claim})", wrt=wrt).verdict == "fail"


def test_either_layout_takes_what_fits():
    for text, layout in (("A' B'", "denominator"), ("B A", "numerator")):
        report = check_formula("tr(A X B)", text, wrt="X")
        assert report.ok
        assert report.layout == layout


def test_conditions_and_shapes_can_be_said():
    assert not check_formula("x' A x", "2 A x", wrt="x").ok
    report = check_formula("x' A x", "2 A x", wrt="x", where={"A": "symmetric"})
    assert report.ok
    assert len(set(report.asked.shapes["A"])) == 1
    assert check_formula("c X", "X", wrt="c", shape={"c": ()}).ok
    assert check_formula(r"\lambda X", "X", wrt="lambda", layout="numerator").ok


def test_float32():
    assert check_formula("tr(A X B)", "A' B'", wrt="X", dtype="float32").report.dtype == "float32"


def test_the_report_as_json():
    data = json.loads(json.dumps(check_formula("tr(A X)", "A", wrt="X", layout="denominator").as_dict()))
    assert data["verdict"] == "fail"
    assert data["cause"]["name"] == "layout"
    assert data["shapes"]["X"]


# --- Bad input


@pytest.mark.parametrize(
    ("formula", "claim", "given", "message"),
    [
        ("tr(A X", "A'", {"wrt": "X"}, "expected"),
        ("tr(A X)", "A' +", {"wrt": "X"}, "expected"),
        ("tr(A X)", "A'", {"wrt": "Y"}, "Y does not occur in tr(A X) as a variable; its variables are A, X"),
        ("tr(A X)", "A' B", {"wrt": "X"}, "B is not in the function, which has A, X"),
        ("c X", "X", {"wrt": "c"}, "c=scalar"),
        ("tr(A X)", "A'", {"wrt": "X", "where": {"B": "symmetric"}}, "B does not occur in tr(A X)"),
        ("tr(A X)", "A'", {"wrt": "X", "where": {"A": "round"}}, "There is no domain 'round'"),
        ("tr(A X)", "A'", {"wrt": "X", "shape": {"A": (2, 3), "X": (4, 2)}}, "3 ≠ 4"),
        ("tr(A X)", "A'", {"wrt": "X", "layout": "row"}, "layout must be one of"),
        ("ln(-x' x)", "x", {"wrt": "x"}, "no random point was found"),
        ("foo(X)", "X", {"wrt": "X"}, "foo is read as f o o"),
        ("tarce(A X)", "A'", {"wrt": "X"}, "is trace meant?"),
        ("tr(X^(9^(9^9)))", "X", {"wrt": "X"}, "too large a number"),
        ("sum_{i=1}^{1000000000} tr(X)", "X", {"wrt": "X"}, "at most 10,000 are computed"),
        ("tr(" + " ⊗ ".join(["X"] * 20) + ")", "X", {"wrt": "X"}, "entries"),
        ("tr(X)", "I", {"wrt": "X", "shape": {"X": (10**6, 10**6)}}, "at most 4,096 are tried"),
        ("((((" * 1000, "X", {"wrt": "X"}, "nested"),
        ("X" * 1_000_000, "X", {"wrt": "X"}, "at most 20,000 are read"),
        ("X\x00", "X", {"wrt": "X"}, "x00"),
        ("x'x", "2x", {"wrt": "x", "shape": {"x": (0,)}}, "A size must be at least 1"),
        ("tr(X^H X)", "2X", {"wrt": "X"}, "here they are real"),
    ],
)
def test_what_cannot_be_checked_is_said(formula, claim, given, message):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        check_formula(formula, claim, **given)
    assert len(str(raised.value)) < 2000


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "message"),
    [
        ("tr(A X B)", "X", "A A A A B", "A is l×m, A is l×m; m ≠ l"),
        ("a' X b", "X", "a a' a a' a a'", "the claim is l×l; the derivative of aᵀ X b by X is"),
        (r"\log\det\Sigma", r"\Sigma", r"tr(\Sigma^{-1})", "the claim is a scalar"),
    ],
)
def test_a_claim_whose_shapes_do_not_fit_is_wrong(formula, wrt, claim, message):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.verdict == "fail"
    assert message in report.cause.text


def test_a_number_beside_an_array_stands_at_every_entry():
    assert check_formula("sum(tanh(x))", "1 - tanh(x) .* tanh(x)", wrt="x").ok
    assert not check_formula("sum(tanh(x))", "2 - tanh(x) .* tanh(x)", wrt="x").ok
    report = check_formula("tr(X X)", "X + 1", wrt="X")
    assert report.verdict == "fail"
    assert "write 1 I, or 1 1 1' for a matrix full of it" in report.cause.text


WORDS = (
    "tr( det( ln exp( inv( kron( cross( vec( diag( || ^-1 ^T ^{-T} ^+ \\frac{ \\top ⊗ ⊙ × Σ_{i=1}^{3} e_i E_ij I ᵀ ⁻¹"
)


PIECES = st.sampled_from([*"AXBxaβk+-*/'()|_^[]{}=,.!0123 ", *WORDS.split()])


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=12).map("".join), st.lists(PIECES, min_size=1, max_size=8).map("".join))
def test_no_text_makes_it_crash(formula, claim):
    """Up to where JAX would begin: read, sized, drawn, evaluated, and compared by finite differences."""
    with contextlib.suppress(ValueError, np.linalg.LinAlgError):  # with a message, as the tests above see
        asked = read_problem(formula, "X")
        tree = parse(claim)
        values = draw(asked, 0, "a test")
        assert truth(asked, values).shape == (*asked.numbers(asked.value_shape), *asked.numbers(asked.shapes["X"]))
        for layout in candidates(asked, "either"):
            asked.in_jax_layout(tree, values, layout)
