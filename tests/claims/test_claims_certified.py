"""Claims in ball arithmetic."""

import pytest

from matcalc import check_formula


@pytest.mark.parametrize(
    ("formula", "wrt", "claim"),
    [
        ("tr(A X B X' C)", "X", "C A X B + A'C'X B'"),
        ("A X B", "X", "kron(B', A)"),
        ("sum(softplus(X w))", "w", "X' sigmoid(X w)"),
        ("|X^3|", "X", "3 |X^3| X^-T"),
        ("X x", "x", "X"),
        ("[X A]_ij", "X", "E_ij A'"),
        ("tr(ln(X))", "X", "X^-T"),
        ("tr(A sqrt(X))", "X", "L_sqrt(X', A')"),
        ("a' [x]_× b", "x", "b × a"),
        ("vech(X)", "X", "elimination(n)"),
    ],
)
def test_a_right_claim_is_certified(formula, wrt, claim):
    report = check_formula(formula, claim, wrt=wrt, certify=True)
    assert report.verdict == "pass"
    assert report.certificate > 35


def test_a_claim_that_is_right_in_float64_only_is_not_certified():
    report = check_formula("x'x", "2.000000000000002 x", wrt="x", certify=True)
    assert (report.verdict, report.cause.name) == ("fail", "digits")
    assert 14 < report.certificate < 16
    assert check_formula("x'x", "2.000000000000002 x", wrt="x").ok
    assert check_formula("x'x", "3 x", wrt="x", certify=True).cause.name == "factor"


def test_a_claim_that_ball_arithmetic_cannot_evaluate_is_judged_without_it():
    report = check_formula("a' X x + ‖A‖_*", "a x'", wrt="X", certify=True)
    assert report.verdict == "pass"
    assert report.certificate == "ball arithmetic has no nuclear of a matrix"
    assert "not certified: ball arithmetic has no nuclear of a matrix" in str(report)
