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


HINGES = [
    # f, variable, right, right on one side only, shape
    ("relu(w'x)", "w", "(1 + sign(w'x)) x/2", "x", {}),
    ("max(0, 1 - y w'x)", "w", "-y (1 + sign(1 - y w'x)) x/2", "-y x", {"y": ()}),
    ("relu(a'x)^2", "x", "2 relu(a'x) a", "2 (a'x) a", {}),
    ("max(0, ||x||^2 - 1)", "x", "(1 + sign(||x||^2 - 1)) x", "2 x", {}),
    ("relu(tr(X) + 3)", "X", "(1 + sign(tr(X) + 3)) I/2", "I", {}),
    (r"\max(0, c + \|a-x\|^2 - \|b-x\|^2)", "x",
     r"(1 + \mathrm{sign}(c + \|a-x\|^2 - \|b-x\|^2)) (b - a)", "2(b - a)", {"c": ()}),
    ("abs(5 - a'x)", "x", "-sign(5 - a'x) a", "-a", {}),
    (r"\|x - 5\mathbf{1}\|_1", "x", r"\mathrm{sign}(x - 5\mathbf{1})", r"-\mathbf 1", {}),
    ("sqrt((a'x - 4)^2)", "x", "sign(a'x - 4) a", "-a", {}),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "wrt", "right", "one_sided", "shape"), HINGES)
@pytest.mark.parametrize("seed", range(3))
def test_a_claim_has_to_hold_on_either_side_of_a_kink(formula, wrt, right, one_sided, shape, seed):
    given = {"wrt": wrt, "shape": shape, "seed": seed}
    assert check_formula(formula, right, **given).verdict == "pass"
    wrong = check_formula(formula, one_sided, **given)
    assert wrong.verdict == "fail", wrong
    assert "where signs are others, it is wrong" in wrong.cause.text


def test_a_cause_has_to_hold_on_either_side_of_a_kink_too():
    assert "It should be" not in check_formula("relu(-a'x)", "0 a", wrt="x").cause.text


def test_large_numbers_are_no_integers_of_a_machine():
    for f, claim in (
        ("10^20 x'x", "2 10^20 x"),
        ("10^9 10^9 10^9 x'x", "2e27 x"),
        ("99999999999999999999 x'x", "2e20 x"),
    ):
        assert check_formula(f, claim, wrt="x").verdict == "pass"
        assert check_formula(f, f"3 ({claim})", wrt="x").verdict == "fail"
