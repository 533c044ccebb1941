"""A claim has to hold for other numbers, and at other points of the domain."""

import pytest

from matcalc import check_formula


@pytest.mark.parametrize(
    ("formula", "claim"),
    [
        ("tr(X^n)", "3 X'^2"),
        ("sum_{k=1}^{n} tr(X^k)", "I + 2 X' + 3 X'^2"),
        ("tr(X ⊗ A A^-1)", "3 I"),
        ("tr(X) tr(A A^-1)", "3 I"),
        ("[X]_ij", "e_2 e_1'"),
    ],
)
def test_a_claim_that_is_right_for_one_number_only_is_none(formula, claim):
    shape = {"X": ("l", "l"), "A": ("l", "l")} if "A" in formula else {"X": ("l", "l")}
    report = check_formula(formula, claim, wrt="X", shape=shape)
    assert (report.verdict, report.cause.name) == ("fail", "special"), report


@pytest.mark.parametrize(
    ("formula", "wrt", "claim"),
    [
        ("sqrt(det(X)^2)", "X", "det(X) X^-T"),
        ("|det(X)|", "X", "det(X) X^-T"),
        ("det(X)", "X", "|det(X)| X^-T"),
        ("α^2", "α", "2|α|"),
        ("x_1^2", "x", "2 |x_1| e_1"),
        ("sqrt(x .* x)", "x", "I"),
        ("|a'x|", "x", "a"),
        ("|a'y| b'x", "x", "(a'y) b"),
        ("exp(-100000 x'x)", "x", "2 x exp(-100000 x'x)"),
        ("tanh(1000000 a'x)", "x", "0 a"),
        ("softplus(1000 x'x)", "x", "2000 x"),
    ],
)
def test_a_claim_that_is_right_at_some_points_only_is_none(formula, wrt, claim):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.verdict == "fail", report
    assert report.cause.name == "special"


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "where"),
    [
        ("a'b + 0 a'x", "x", "0 a", {}),
        ("ln |X|", "X", "I .* X^-1", {"X": "lower triangular"}),
        ("x'A y", "A", "y x'", {"A": "symmetric"}),
        ("tr(A X)", "X", "I .* A", {"X": "diagonal"}),
        ("ln |X|", "X", "X^-1", {"X": "positive definite"}),
    ],
)
def test_what_holds_in_the_domain_is_right_at_other_points_of_it_too(formula, wrt, claim, where):
    assert check_formula(formula, claim, wrt=wrt, where=where).verdict == "pass"


def test_claims_of_infinite_value_are_answered():
    report = check_formula("sum_{i=1}^{n} exp(w'x) y_i", "exp(w'x) (1'y) x", wrt="w", shape={"y": ("n",)})
    assert report.verdict == "pass"
    assert check_formula("x'x", "2 sqrt(x .* x)", wrt="x").verdict == "fail"
