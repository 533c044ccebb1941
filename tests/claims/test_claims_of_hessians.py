"""Second derivatives: right ones pass at every seed, and what is wrong with others is told."""

import json
import re

import numpy as np
import pytest

from matcalc import check_formula
from matcalc.claims.points import draw
from matcalc.claims.reading import read_problem
from matcalc.claims.slopes import confirms, same, truth
from matcalc.formula import parse

SQUARE = {"X": ("n", "n")}
HESSIANS = [
    # f, variable, right, wrong, what is said of it, shapes
    ("x'A x", "x", "A + A'", "A", "A term is missing: A'", {}),
    ("x'A x", "x", "A + A'", "2 A", "True only for symmetric A", {}),
    ("x'A x", "x", "A + A'", "(A + A') x", "That is the first derivative; asked for is the Hessian", {}),
    ("||A x - b||^2", "x", "2 A'A", "A'A", "A factor 2 is missing: the Hessian is 2 times that", {}),
    ("||A x - b||^2 + λ x'x", "x", "2 A'A + 2 λ I", "2 A'A", "A term is missing: 2 λ I", {}),
    (
        *("ln(sum(exp(x)))", "x", "diag(softmax(x)) - softmax(x) softmax(x)'"),
        *("diag(softmax(x)) + softmax(x) softmax(x)'", "The sign of the second term", {}),
    ),
    (
        *("sum(softplus(X w)) - y'X w", "w", "X' diag(sigmoid(X w) .* (1 - sigmoid(X w))) X"),
        *("X' diag(sigmoid(X w)) X", "A term is missing", {}),
    ),
    ("-sum(ln(b - A x))", "x", "A' diag(1 ./ (b - A x).^2) A", "A' diag(1 ./ (b - A x)) A", "It should be", {}),
    ("||x||", "x", "I/||x|| - x x'/||x||^3", "I/||x||", "A term is missing: -(1/||x||^3) x x'", {}),
    ("||x||", "x", "I/||x|| - x x'/||x||^3", "I/||x|| - x x'/||x||^2", "should be x x'/||x||^3", {}),
    ("1/(x'x)", "x", "8 x x'/(x'x)^3 - 2 I/(x'x)^2", "8 x x'/(x'x)^3 + 2 I/(x'x)^2", "sign of the second term", {}),
    (
        "x_1^2 x_2",
        "x",
        "2 x_2 e_1 e_1' + 2 x_1 (e_1 e_2' + e_2 e_1')",
        "2 x_2 e_1 e_1' + 2 x_1 e_1 e_2'",
        "missing",
        {},
    ),
    ("||x||^4", "x", "4 ||x||^2 I + 8 x x'", "4 ||x||^2 I", "A term is missing: 8 x x'", {}),
    ("a'x", "x", "0", "I", "", {}),
    # by a matrix, that of vec(X)
    ("tr(A X B X')", "X", "kron(B', A) + kron(B, A')", "kron(A, B') + kron(A', B)", "True where vec stacks rows", {}),
    ("tr(A X B X')", "X", "kron(B', A) + kron(B, A')", "2 kron(B', A)", "True only for symmetric A and B", {}),
    ("tr(A X B X')", "X", "kron(B', A) + kron(B, A')", "kron(B', A)", "A term is missing: kron(B, A')", {}),
    ("tr(X'X)", "X", "2 I", "I", "A factor 2", {}),
    ("(1/2) ||A X - B||^2", "X", "kron(I, A'A)", "kron(A'A, I)", "It should be kron(I, A' A)", {}),
    ("ln|X|", "X", "-K_nn kron(X^-T, X^-1)", "-kron(X^-T, X^-1)", "It should be -K_nn kron(X^-T, X^-1)", SQUARE),
    ("tr(A X)^2", "X", "2 vec(A') vec(A')'", "2 vec(A) vec(A)'", "True only for symmetric A", SQUARE),
    # by a scalar
    ("λ^3", "λ", "6 λ", "3 λ^2", "That is the first derivative; asked for is the second derivative", {}),
    ("sin(λ)", "λ", "-sin(λ)", "sin(λ)", "The sign is wrong", {}),
    ("ln|A + λ B|", "λ", "-tr((A + λ B)^-1 B (A + λ B)^-1 B)", "tr((A + λ B)^-1 B)", "first derivative", {}),
    # by differential
    ("x'A x", "x", "dx'(A + A')dx", "dx' A dx", "A factor 2", {}),
    ("ln|X|", "X", "-tr(X^-1 dX X^-1 dX)", "tr(X^-1 dX X^-1 dX)", "The sign is wrong", {}),
]


@pytest.mark.parametrize(("formula", "wrt", "right", "wrong", "said", "shape"), HESSIANS)
def test_a_hessian_is_judged_as_a_derivative_is(formula, wrt, right, wrong, said, shape):
    for seed in range(3):
        report = check_formula(formula, right, wrt=wrt, order=2, shape=shape, seed=seed)
        assert report.verdict == "pass", report
        mistaken = check_formula(formula, wrong, wrt=wrt, order=2, shape=shape, seed=seed)
        assert mistaken.verdict == "fail", mistaken
        assert said in str(mistaken.cause), mistaken


@pytest.mark.parametrize(("formula", "wrt", "right", "wrong", "said", "shape"), HESSIANS)
def test_a_hessian_off_by_little_is_wrong(formula, wrt, right, wrong, said, shape):
    del wrong, said
    claim = f"1.00001 ({right})" if right != "0" else "0.00001 I"
    assert check_formula(formula, claim, wrt=wrt, order=2, shape=shape).verdict == "fail"


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "said"),
    [
        ("x'A x", "x", "∇²f = A + A'", "∇²f is the Hessian"),
        ("x'A x", "x", "H = A + A'", "H is the Hessian"),
        ("x'A x", "x", r"\frac{\partial^2 f}{\partial x \partial x^\top} = A + A^\top", "is the Hessian"),
        ("x'A x", "x", "d²f = dx'(A + A')dx", "d²f is the Hessian"),
        ("λ^3", "λ", "d²f/dλ² = 6 λ", "d²f/dλ² is the second derivative"),
        ("||y - X β||^2", "β", r"\nabla^2_\beta f = 2 X'X where M = X", "is the Hessian"),
    ],
)
def test_the_left_side_of_a_claim_says_the_order(formula, wrt, claim, said):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.verdict == "pass", report
    assert said in str(report)
    assert report.as_dict()["order"] == 2
    assert check_formula(formula, claim, wrt=wrt, order=2).ok


def test_h_may_be_another_name():
    report = check_formula("A x", "H = A", wrt="x")  # the Jacobian of a vector, as filters call it
    assert (report.verdict, report.as_dict()["order"]) == ("pass", 1)


def test_a_hessian_where_a_gradient_is_asked_for():
    report = check_formula("x'A x", "A + A'", wrt="x")
    assert report.verdict == "fail"
    assert "That is the Hessian; asked for is the first derivative." in report.cause.text
    assert report.cause.remedy == "Or ask for it: order=2."
    assert check_formula("λ^3", "6 λ", wrt="λ").cause.name == "order"


def test_what_is_said_of_it():
    assert str(check_formula("x'A x", "A + A'", wrt="x", order=2)).startswith(
        "pass: the Hessian of x' A x by x is A + A'\n"
    )
    by_matrix = check_formula("tr(A X'X)", "2 A ⊗ I", wrt="X", order=2)
    assert str(by_matrix).startswith("fail: (2 A) ⊗ I is not the Hessian of tr(A Xᵀ X) by X, by vec(X)\n")
    misfit = check_formula("tr(A X'X)", "A", wrt="X", order=2)
    assert "the claim is l×l; the Hessian of tr(A Xᵀ X) by X is lm×lm" in misfit.cause.text
    json.dumps(by_matrix.as_dict())


def test_by_a_matrix_with_a_domain_it_is_seen_inside():
    square = {"A": "symmetric", "X": "symmetric"}
    assert check_formula("tr(A X A X)", "2 A ⊗ A", wrt="X", order=2, where=square).verdict == "pass"
    assert check_formula("tr(A X A X)", "A ⊗ A", wrt="X", order=2, where=square).cause.name == "factor"
    free = check_formula("tr(A X A X)", "2 A ⊗ A", wrt="X", order=2, where={"A": "symmetric"})
    assert "K_ll" in str(free.cause)


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "given"),
    [
        ("x'A x", "x", "A + A'", {}),
        ("ln(sum(exp(x)))", "x", "diag(softmax(x)) - softmax(x) softmax(x)'", {}),
        ("tr(A X B X')", "X", "B' ⊗ A + B ⊗ A'", {}),
        ("tr(X^3)", "X", "3 K_nn (X' ⊗ I + I ⊗ X)", {"shape": SQUARE}),
        ("x'A x", "x", "dx'(A + A')dx", {}),
    ],
)
def test_a_hessian_in_ball_arithmetic(formula, wrt, claim, given):
    report = check_formula(formula, claim, wrt=wrt, order=2, certify=True, **given)
    assert report.verdict == "pass", report
    assert report.certificate > 24


def test_ball_arithmetic_sees_what_is_not_symmetric():
    """Along one direction 2 A and A + A' are the same."""
    report = check_formula("x'A x", "2 A", wrt="x", order=2, certify=True)
    assert report.verdict == "fail"
    assert report.certificate < 2
    right = check_formula("x'x", "2.000000000000002 I", wrt="x", order=2, certify=True)
    assert (right.verdict, right.cause.name) == ("fail", "digits")


@pytest.mark.parametrize(
    ("formula", "wrt", "hessian"),
    [("tr(A X B X')", "X", "B' ⊗ A + B ⊗ A'"), ("ln(sum(exp(x)))", "x", "diag(softmax(x)) - softmax(x) softmax(x)'")],
)
def test_second_differences_see_it_to_eight_digits(formula, wrt, hessian):
    problem = read_problem(formula, wrt, order=2)
    point = draw(problem, 0, "a test")
    D = problem.in_jax_layout(parse(hessian), point, "vec")
    assert same(truth(problem, point), D, 1e-8)
    assert confirms(problem, D, point, 0)
    assert confirms(problem, D * (1 + 1e-5), point, 0) is False
    n = point[wrt].size
    skew = np.triu(np.ones((n, n)), 1) - np.tril(np.ones((n, n)), -1)  # nothing along any single direction
    assert confirms(problem, D + skew.reshape(D.shape), point, 0) is False


@pytest.mark.parametrize(
    ("formula", "claim", "given", "message"),
    [
        ("A x", "A", {"order": 2}, "A second derivative is of a scalar function; A x is none"),
        ("x'x", "2 I", {"order": 3}, "order must be 1 or 2; got 3"),
        ("x'x", "∇f = 2 x", {"order": 2}, "the claim is a first derivative; asked for is the second"),
        ("x'A y", r"\frac{\partial^2 f}{\partial x \partial y^T} = A", {}, "a derivative by y too"),
        ("x'x", "2 I", {"order": 2, "convention": "independent"}, "by entries that move freely"),
    ],
)
def test_what_cannot_be_asked_is_said(formula, claim, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_formula(formula, claim, wrt="x", **given)
