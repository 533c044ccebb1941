"""Claims about functions that have only a name, g(a'x), and about functions that are defined."""

import re

import numpy as np
import pytest

from matcalc import check_formula
from matcalc.claims.points import draw
from matcalc.claims.reading import read_problem
from matcalc.formula import parse
from matcalc.formula.arbitrary import NUMBERS, key_of

CHAIN_RULES = [
    # f, variable, right, wrong, what is said of it
    ("g(a'x)", "x", "g'(a'x) a", "g(a'x) a", "It should be g'(a' x) a"),
    ("g(a'x)", "x", "g'(a'x) a", "a", "A factor g'(a' x) is missing"),
    ("g(a'x)", "x", "g'(a'x) a", "g''(a'x) a", "It should be g'(a' x) a"),
    ("g(||x||^2)", "x", "2 g'(||x||^2) x", "g'(||x||^2) x", "A factor 2 is missing"),
    ("g(h(a'x))", "x", "g'(h(a'x)) h'(a'x) a", "g'(h(a'x)) a", "A factor h'(a' x) is missing"),
    ("g(a'x) h(b'x)", "x", "g'(a'x) h(b'x) a + g(a'x) h'(b'x) b", "g'(a'x) h(b'x) a", "A term is missing"),
    ("g(a'x)/h(b'x)", "x", "(g'(a'x)/h(b'x)) a - (g(a'x) h'(b'x)/h(b'x)^2) b",
     "(g'(a'x)/h(b'x)) a + (g(a'x) h'(b'x)/h(b'x)^2) b", "The sign of the second term"),
    ("sum(g(X w))", "w", "X' g'(X w)", "X' g(X w)", "It should be X' g'(X w)"),
    ("y' g(X w)", "w", "X' (y .* g'(X w))", "X' g'(X w)", "It should be X' (y .* g'(X w))"),
    ("g(A x + b)", "x", "diag(g'(A x + b)) A", "A diag(g'(A x + b))", ""),
    ("g(A h(B x))", "x", "diag(g'(A h(B x))) A diag(h'(B x)) B", "diag(g'(A h(B x))) A B", ""),
    ("tr(g(X))", "X", "g'(X)'", "g(X)'", "It should be g'(X)'"),
    ("tr(A g.(X))", "X", "A' .* g'.(X)", "A' .* g.(X)", "It should be A' .* g'.(X)"),
    ("g(tr(A X))", "X", "g'(tr(A X)) A'", "A'", "A factor g'(tr(A X)) is missing"),
    ("g(ln |X|)", "X", "g'(ln |X|) X^-T", "g'(ln |X|) X^-1 X^-T", "X^-T"),
    ("g(λ)^2", "λ", "2 g(λ) g'(λ)", "2 g(λ)", ""),
    (r"\phi(w^T x)", "w", r"\phi'(w^T x) x", r"\phi(w^T x) x", r"It should be \phi'(w^\top x) x"),
]  # fmt: skip
DECLARED = ["g", "h", r"\phi"]


def functions_in(text):
    return [name for name in DECLARED if re.search(rf"(?<![a-z]){re.escape(name)}\W", text)]


@pytest.mark.parametrize(("formula", "wrt", "right", "wrong", "said"), CHAIN_RULES)
def test_a_chain_rule_holds_for_any_function(formula, wrt, right, wrong, said):
    functions = functions_in(formula)
    for seed in range(4):
        report = check_formula(formula, right, wrt=wrt, functions=functions, seed=seed)
        assert report.verdict == "pass", report
        mistaken = check_formula(formula, wrong, wrt=wrt, functions=functions, seed=seed)
        assert mistaken.verdict == "fail", mistaken
        assert said in str(mistaken.cause), mistaken


@pytest.mark.parametrize(
    ("formula", "wrt", "hessian"),
    [
        ("g(a'x)", "x", "g''(a'x) a a'"),
        ("sum(g(X w))", "w", "X' diag(g''(X w)) X"),
        ("g(||x||^2/2)", "x", "g'(||x||^2/2) I + g''(||x||^2/2) x x'"),
        ("g(tr(A X))", "X", "g''(tr(A X)) vec(A') vec(A')'"),
    ],
)
def test_their_second_derivatives(formula, wrt, hessian):
    assert check_formula(formula, hessian, wrt=wrt, order=2, functions=["g"]).verdict == "pass"
    assert check_formula(formula, hessian.replace("''(", "'("), wrt=wrt, order=2, functions=["g"]).verdict == "fail"


@pytest.mark.parametrize(("formula", "wrt", "claim"), [
    ("g(a'x)", "x", "g'(a'x) a"), ("tr(g(X))", "X", "g'(X)'"), ("sum(g(X w))", "w", "X' g'(X w)"),
])  # fmt: skip
def test_they_are_certified(formula, wrt, claim):
    assert check_formula(formula, claim, wrt=wrt, functions=["g"], certify=True).certificate > 35


def test_a_claim_true_for_one_function_only_is_wrong():
    for claim in ("exp(a'x) a", "2 (a'x) a", "a", "cos(a'x) a"):
        assert check_formula("g(a'x)", claim, wrt="x", functions=["g"]).verdict == "fail"


def test_a_function_is_another_at_every_point():
    problem = read_problem("g(a'x)", "x", functions=["g"])
    one, other = (draw(problem, 0, purpose)[key_of("g")] for purpose in ("here", "there"))
    assert one.shape == (NUMBERS,)
    assert not np.allclose(one, other)


def test_marks_are_derivatives():
    """Those of a function by finite differences of it, and of its derivatives."""
    problem = read_problem("g(λ)", "λ", functions=["g"])
    point, h = draw(problem, 0, "a test"), 1e-4
    for order in range(5):
        f, derivative = (parse(f"g{marks}(λ)", functions=["g"]) for marks in ("'" * order, "'" * (order + 1)))
        right, left = (problem.value_of(f, {**point, "λ": point["λ"] + step}) for step in (h, -h))
        assert problem.value_of(derivative, point) == pytest.approx((right - left) / (2 * h), rel=1e-5, abs=1e-5)


def test_only_declared_names_are_functions():
    assert check_formula("x(y'z)", "(y'z) I", wrt="x").ok
    assert check_formula("g(a'x)", "a g'", wrt="x", shape={"g": ()}).ok  # g is a number
    report = check_formula(r"\phi(x)^T w", r"\phi x", wrt="w")
    assert "φ(x) is read as a product, for φ is not declared as a function" in str(report)


def test_what_is_defined_is_put_in():
    assert check_formula("f(a'x)", "-2 (a'x) f(a'x) a", wrt="x", let=["f(t) = exp(-t^2)"]).ok
    assert not check_formula("f(a'x)", "-2 f(a'x) a", wrt="x", let=["f(t) = exp(-t^2)"]).ok
    assert check_formula("f(x)'f(x) where f(x) = A x - b", "2 A' f(x)", wrt="x").ok
    assert check_formula("u(x)' B v(x)", "A' B v(x) + C' B' u(x)", wrt="x", let=["u(x) = A x", "v(x) = C x"]).ok
    assert check_formula("r'r where r(w) = y - X w", "-2 X'r where r = y - X w", wrt="w").ok
    assert check_formula("f(x)", "g'(a'x) a", wrt="x", let=["f(x) = g(a'x)"], functions=["g"]).ok


def test_the_report_names_them():
    report = check_formula("g(a'x)", "g'(a'x) a", wrt="x", functions="g")
    assert "g any smooth function" in str(report)
    assert report.as_dict()["functions"] == {"g": ""}
    report = check_formula("g(f(x))", "g'(f(x)) ∇f(x)", wrt="x", functions=["g", "f=scalar"])
    assert "with x l, g any smooth function, f any smooth function to a scalar, at l=3" in str(report)
    assert report.as_dict()["functions"] == {"g": "", "f": "scalar"}


VALUED = [
    # f, functions, variable, right, wrong, what is said of it
    ("u(x)' A v(x)", "uv", "x", "u'(x)' A v(x) + v'(x)' A' u(x)", "u'(x)' A v(x)", "missing: v'(x)' A' u(x)"),
    (
        "u(x)' A v(x)",
        "uv",
        "x",
        "u'(x)' A v(x) + v'(x)' A' u(x)",
        "u'(x) A v(x) + v'(x)' A' u(x)",
        "should be u'(x)' A v(x)",
    ),
    ("A u(x)", "u", "x", "A u'(x)", "u'(x)", "It should be A u'(x)"),
    ("u(B x)", "u", "x", "u'(B x) B", "u'(B x)", "It should be u'(B x) B"),
    ("u(v(x))", "uv", "x", "u'(v(x)) v'(x)", "u'(v(x))", ""),
    (
        r"\|y - u(\theta)\|^2",
        "u",
        r"\theta",
        r"-2 u'(\theta)^T (y - u(\theta))",
        r"2 u'(\theta)^T (y - u(\theta))",
        "sign",
    ),
    ("f(A x)", "f", "x", "A' ∇f(A x)", "∇f(A x)", "It should be Aᵀ f'(A x)ᵀ"),
    ("f(A X B)", "f", "X", "A' ∇f(A X B) B'", "B' ∇f(A X B) A'", ""),
    ("f(u(x))", "fu", "x", "u'(x)' ∇f(u(x))", "∇f(u(x))", ""),
    ("f(x)^2", "f", "x", "2 f(x) ∇f(x)", "2 f(x)", ""),
    ("exp(-f(x))", "f", "x", "-exp(-f(x)) ∇f(x)", "exp(-f(x)) ∇f(x)", "sign"),
    ("ln|U(λ)|", "U", "λ", "tr(U(λ)^-1 U'(λ))", "tr(U(λ)^-1)", ""),
    ("U(λ)^-1", "U", "λ", "-U(λ)^-1 U'(λ) U(λ)^-1", "U(λ)^-1 U'(λ) U(λ)^-1", "The sign is wrong"),
    ("U(λ) A V(λ)", "UV", "λ", "U'(λ) A V(λ) + U(λ) A V'(λ)", "U'(λ) A V(λ)", "A term is missing: U(λ) A V'(λ)"),
]
KINDS_OF = {"f": "scalar", "u": "vector", "v": "vector", "U": "matrix", "V": "matrix"}


@pytest.mark.parametrize(("formula", "names", "wrt", "right", "wrong", "said"), VALUED)
def test_functions_of_vectors_and_matrices(formula, names, wrt, right, wrong, said):
    functions = {name: KINDS_OF[name] for name in names}
    for seed in range(4):
        report = check_formula(formula, right, wrt=wrt, functions=functions, seed=seed)
        assert report.verdict == "pass", report
        mistaken = check_formula(formula, wrong, wrt=wrt, functions=functions, seed=seed)
        assert mistaken.verdict == "fail", mistaken
        assert said in str(mistaken.cause), mistaken
    if "ln" not in formula:
        assert check_formula(formula, right, wrt=wrt, functions=functions, certify=True).certificate > 35


@pytest.mark.parametrize(
    ("formula", "wrt", "hessian", "functions"),
    [
        ("f(A x)", "x", "A' f''(A x) A", "f=scalar"),
        ("tr(U(λ) A)", "λ", "tr(U''(λ) A)", "U=matrix"),
        ("u(λ)'u(λ)", "λ", "2 u'(λ)'u'(λ) + 2 u(λ)'u''(λ)", "u=vector"),
    ],
)
def test_their_hessians(formula, wrt, hessian, functions):
    given = {"functions": functions, "order": 2, "shape": {"λ": ()} if "λ" in formula else None}
    assert check_formula(formula, hessian, wrt=wrt, **given).verdict == "pass"
    assert check_formula(formula, f"1.001 ({hessian})", wrt=wrt, **given).verdict == "fail"


@pytest.mark.parametrize(
    ("formula", "functions", "message"),
    [
        ("f(a'x)", "f=scalar", "a function of numbers is declared by its name only"),
        ("tr(x u(x x')')", "u=vector", "x xᵀ is l×l, and u is of other arguments"),
        ("tr(U(x))", "U=matrix", "x is l×1, and U is of other arguments"),
        ("a'x", "f=number", "The values of a function are scalar, vector, matrix, u=vector; got f=number"),
        ("a'u''(x)", "u=vector", "u'' is not read of such a function"),
    ],
)
def test_what_they_cannot_be_is_said(formula, functions, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_formula(formula, "x", wrt="x", functions=functions)


@pytest.mark.parametrize(
    ("formula", "claim", "given", "message"),
    [
        ("g(a'x)", "g' a", {"functions": ["g"]}, "g is a function, and stands here without an argument"),
        ("g(a'x) g", "a", {"functions": ["g"]}, "stands in g(aᵀ x) g without an argument too"),
        ("a'x", "a", {"functions": ["g"]}, "g is declared as a function, and aᵀ x has no g( )"),
        ("g(x, y)", "a", {"functions": ["g"]}, "g takes one formula"),
        ("exp(a'x)", "a", {"functions": ["exp"]}, "one that is not known; got 'exp'"),
        ("g(a'x)", "a", {"functions": ["g(t)"]}, "declared by its name"),
        ("f(a'x)", "f'(a'x) a", {"let": ["f(t) = t^2"]}, "f is defined, and f' is not: write it out"),
        ("g(A)", "A", {"functions": ["g"], "shape": {"A": (2, 3)}}, "A must be square"),
    ],
)
def test_what_is_refused_says_the_remedy(formula, claim, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_formula(formula, claim, wrt="A" if "A" in formula else "x", **given)
