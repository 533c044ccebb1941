"""What is said of a claim that is wrong."""

import numpy as np
import pytest

from matcalc import check_formula
from matcalc.claims.layouts import candidates
from matcalc.claims.points import draw
from matcalc.claims.reading import read_problem
from matcalc.claims.slopes import same, truth
from matcalc.formula import parse


def test_a_cause_is_said_in_the_terms_and_the_style_of_the_claim():
    ascii_ = check_formula("tr(A X B X' C)", "A' C' X B' + C A X B'", wrt="X", layout="denominator")
    assert str(ascii_.cause) == "The second term should be C A X B, not C A X B'."
    tex = check_formula(r"\operatorname{tr}(A X B X^\top C)", r"A^\top C^\top X B^\top + C A X B^\top", wrt="X")
    assert r"should be C A X B, not C A X B^\top." in str(tex.cause)
    layout = check_formula("tr(A X B)", "B A", wrt="X", layout="denominator")
    assert str(layout.cause).startswith("True in numerator layout; you asked for denominator.")
    assert str(layout.cause).endswith("Transpose it.")


@pytest.mark.parametrize(
    ("formula", "claim", "where"),
    [
        ("ln|X|", "2 X^-1 - X^-1 .* I", {"X": "symmetric"}),  # The Matrix Cookbook, equation 141
        ("ln|X|", "2 X^-1 - X^-1 .* I", {}),
        ("tr(A X)", "A + A' - A .* I", {"X": "symmetric"}),  # equation 139
        ("tr(A X)", "A + A' - A .* I", {}),
    ],
)
def test_what_is_written_for_symmetric_matrices_is_told(formula, claim, where):
    report = check_formula(formula, claim, wrt="X", where=where, shape={"X": ("n", "n")})
    assert report.verdict == "fail"
    assert report.cause.name == "symmetric convention"
    assert "It is G + G' - G .* I of the gradient G" in str(report)


def test_the_symmetric_part_is_told():
    report = check_formula("tr(A X)", "(A + A')/2", wrt="X", shape={"X": ("n", "n")})
    assert report.verdict == "fail"
    assert report.cause.name == "symmetric convention"
    assert check_formula("tr(A X)", "(A + A')/2", wrt="X", where={"X": "symmetric"}).ok


def test_every_wrong_coefficient_is_named():
    report = check_formula("x'A x + b'x", "2 A x + 3 A' x + b", wrt="x")
    assert report.cause.text == (
        "The first term, 2 A x, lacks a factor 1/2. The second term, 3 A' x, lacks a factor 1/3."
    )


def test_a_cause_that_is_true_for_one_exponent_only_is_not_named():
    assert check_formula("tr(X^n)", "2 X'", wrt="X").cause.name == "unknown"
    assert "should be n (X^(n-1))'" in str(check_formula("tr(X^n)", "(n-1)(X^{n-1})'", wrt="X").cause)


@pytest.mark.parametrize(
    ("formula", "claim", "cause"),
    [
        ("tr(exp(X))", "exp.(X)'", "exp(X)"),
        ("sum(A .* exp.(X))", "A .* exp(X)", "A .* exp.(X)"),
        ("tr(A (B .* X))", "A' B", "A' .* B"),
    ],
)
def test_a_missing_dot_is_named(formula, claim, cause):
    report = check_formula(formula, claim, wrt="X")
    assert report.verdict == "fail"
    assert cause in report.cause.text


@pytest.mark.parametrize(("claim", "digits"), [("2.000000001 x", 9), ("2.00000000002 x", 11), ("2.0000003 x", 7)])
def test_a_claim_that_is_nearly_right_is_none(claim, digits):
    report = check_formula("x'x", claim, wrt="x")
    assert (report.verdict, report.cause.name) == ("fail", "digits")
    assert f"to {digits} digits only" in str(report.cause)


def terms_of(rng, count):
    """A random sum of products of square matrices, as text."""
    factors = ["A", "X", "B", "A'", "X'", "B'", "X^-1", "(A + X)"]
    products = [" ".join(rng.choice(factors, size=rng.integers(1, 4))) for _ in range(count)]
    return "".join(f" {rng.choice(['+', '-'])} {product}" for product in products).removeprefix(" + ")


@pytest.mark.parametrize("seed", range(40))
def test_a_random_claim_passes_only_if_it_is_right(seed):
    rng = np.random.default_rng(seed)
    formula = f"tr({terms_of(rng, rng.integers(1, 3))} + X) + tr(A - A + B - B)"
    claim = f"{terms_of(rng, rng.integers(1, 3))} + I"
    shape = dict.fromkeys("AXB", (3, 3))
    asked = read_problem(formula, "X", shape=shape)
    values = draw(asked, 99, "a test")
    D = truth(asked, values)
    report = check_formula(formula, claim, wrt="X", shape=shape)
    is_right = any(same(asked.in_jax_layout(parse(claim), values, each), D) for each in candidates(asked, "either"))
    assert report.ok == is_right


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "words"),
    [
        ("a'a σ^2 - b'b σ^2", "σ", "a'a - b'b", "2 σ"),
        ("(1/α) x'A x + b'x", "x", "(A+A')x + b", "α"),
        ("(α/2) tr(X'X) + (α/2) tr(A X)", "X", "2 X + A'", "α"),
        ("|A + λ B|", "λ", "tr((A + λ B)^-1 B)", "|A + λ B|"),
        ("ln(sum(exp(x)))", "x", "exp(x)", "sum(exp(x))"),
        ("ln tr(exp(X))", "X", "exp(X)'", "tr(exp(X))"),
        ("sum(softplus(x))", "x", "softplus(x)", "sigmoid(x)"),
        ("ln ||x||", "x", "x/||x||", "‖x‖²"),
        ("sum(tanh(A x))", "x", "A'(ones - tanh(A x))", "tanh(A x) ⊙ tanh(A x)"),
        ("ln |X'X + a a' + I|", "X", "(X'X + a a' + I) X", "X (Xᵀ X + a aᵀ + I)⁻¹"),
        ("(c'x)/(a'x)", "x", "c/(a'x)", "A term is missing"),
        ("tr(A X^-1) + tr(B X)", "X", "B'", "A term is missing: -X⁻ᵀ Aᵀ X⁻ᵀ"),
        ("λ ||x||^2 + ||A x - b||^2", "x", "2 λ x + 2 A'A x", "2 Aᵀ b"),
    ],
)
def test_a_missing_factor_or_term_is_named_as_an_expression(formula, wrt, claim, words):
    shape = {"X": ("l", "l")} if "a a'" in formula else None
    report = check_formula(parse(formula), parse(claim), wrt=wrt, shape=shape)
    assert report.verdict == "fail"
    said = str(report.cause).replace(" ", "")
    assert words.replace(" ", "") in said, report.cause


@pytest.mark.parametrize(
    ("formula", "wrt", "claim"),
    [
        ("tr(A X B X' C)", "X", "A' C' X B' + C A X B'"),
        ("x'A x/α", "x", "(A+A')x"),
        ("x'x", "x", "3 x"),
        ("ln |X|", "X", "-X^-T"),
        ("tr(X'X)/2 + tr(A X)", "X", "2 X"),
    ],
)
def test_what_a_cause_makes_of_the_claim_is_the_derivative(formula, wrt, claim):
    wrong = check_formula(formula, claim, wrt=wrt)
    assert wrong.verdict == "fail"
    assert check_formula(formula, wrong.derivative, wrt=wrt).verdict == "pass"
    assert wrong.as_dict()["derivative"] == str(wrong.derivative)


def test_a_cause_obeys_the_domain_of_the_variable():
    sign = check_formula("tr(A X)", "-(A + A')/2", wrt="X", where={"X": "symmetric"})
    assert sign.cause.name == "sign"
    factor = check_formula("ln |L L'|", "L^-1 .* I", wrt="L", where={"L": "lower triangular"})
    assert (factor.cause.name, "2" in factor.cause.text) == ("factor", True)


def test_a_matrix_by_a_scalar_is_explained_in_every_layout_that_fits():
    report = check_formula("(λ I - A)^-1", "(λ I - A)^-2", wrt="λ")
    assert report.cause.name == "sign"
    assert report.layout == "numerator"


def test_one_draw_of_a_scalar_is_no_cause():
    """Two coefficients always fit a derivative that is one number, at one point."""
    report = check_formula("sin(α) a'a + cos(α) b'b", "a'a + b'b", wrt="α")
    assert report.verdict == "fail"
    assert "lacks a factor" not in report.cause.text
