"""What stands around a formula: left sides, and definitions."""

import itertools
import re

import pytest

from matcalc.formula import FormulaError, parse
from matcalc.formula.texts import (
    claimed_side,
    definitions,
    second_order,
    split_where,
    substitute,
    without_left_side,
)


@pytest.mark.parametrize("left", ["f = ", "f(X) = ", r"\mathcal{L}(w) := ", "J_1 = ", "L(X, A) = "])
def test_the_name_of_a_function_stands_before_it(left):
    assert parse(without_left_side(f"{left}tr(A X)")) == parse("tr(A X)")


@pytest.mark.parametrize(
    "left",
    [
        r"\frac{\partial f}{\partial X} = ",
        r"\frac{\partial \operatorname{tr}(A X)}{\partial \mathbf{X}} = ",
        r"\dfrac{\partial}{\partial X} \operatorname{tr}(A X) = ",
        r"\frac{\mathrm{d} f}{\mathrm{d} X} = ",
        "∂f/∂X = ",
        "df/dX = ",
        r"\nabla_X f = ",
        r"\nabla_{\mathbf{X}} \operatorname{tr}(A X) = ",
        "∇f = ",
        "df = ",
        "G = ",
    ],
)
def test_the_derivative_is_named_before_a_claim(left):
    assert claimed_side(f"{left}A^T", "X").strip() == "A^T"


def test_claims_by_another_variable_and_equations_are_refused():
    for text in (r"\nabla_A f = X^T", r"\frac{\partial f}{\partial A} = X^T"):
        with pytest.raises(FormulaError, match="the claim is a derivative by A; asked for is that by X"):
            claimed_side(text, "X")
    for text in ("A = B = C", "A X = X A"):
        with pytest.raises(FormulaError, match="one by one"):
            claimed_side(text, "X")
    for text in ("tr(A X) = tr(X A)", "f = g = h"):
        with pytest.raises(FormulaError, match="this is an equation"):
            without_left_side(text)


@pytest.mark.parametrize(
    ("left", "wrt"),
    [
        (r"\frac{\partial^2 \|A x\|^2}{\partial \mathbf{x}\,\partial \mathbf{x}^\top}", "x"),
        (r"\dfrac{\partial^{2}}{\partial x\partial x^T} f(x)", "x"),
        (r"\frac{\partial^2 f}{\partial\operatorname{vec}(X)\partial\operatorname{vec}(X)^\top}", "X"),
        (r"\nabla^2_{\beta\beta} f", "β"),
        (r"\nabla_{\beta\beta} f", "β"),
        ("∇²_β f", "β"),
        ("∂²f/(∂x_1 ∂x_1')", "x_1"),
        ("d²f/dλ²", "λ"),
    ],
)
def test_a_second_derivative_is_named_before_a_claim(left, wrt):
    assert second_order(f"{left} = A^T")[1]
    assert claimed_side(f"{left} = A^T", wrt, 2).strip() == "A^T"


@pytest.mark.parametrize("left", ["f", "∇f", r"\nabla_x f", "∂f/∂x", "df", "J", "g(x)", r"\Delta f", "HX", "D f"])
def test_what_says_no_second_derivative(left):
    assert second_order(f"{left} = A^T") == ("", False)


def test_second_derivatives_by_others_and_first_ones_are_refused():
    for left in (r"\frac{\partial^2 f}{\partial x \partial y^T}", "∂²f/∂y∂xᵀ", r"\nabla^2_{xy} f"):
        with pytest.raises(FormulaError, match="a derivative by y too; asked for is that by x twice"):
            claimed_side(f"{left} = A", "x", 2)
    for left in (r"\frac{\partial f}{\partial x}", r"\nabla_x f"):
        with pytest.raises(FormulaError, match="a first derivative; asked for is the second"):
            claimed_side(f"{left} = A", "x", 2)
    long = "∂²" + "}{" * 9000 + " = A"
    assert second_order(long) == ("", False)


def test_equals_signs_in_sums_are_none():
    assert without_left_side(r"\sum_{i=1}^{n} x_i") == r"\sum_{i=1}^{n} x_i"
    assert claimed_side(r"\sum_{i=1}^{n} e_i", "x") == r"\sum_{i=1}^{n} e_i"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tr(M'M) where M = I - A X", ["M = I - A X"]),
        ("tr(M'M), where M = A X, A = B + C.", ["M = A X", "A = B + C"]),
        (r"y^T M y \quad\text{where } M = I - P \text{ and } P = X X^+", ["M = I - P ", "P = X X^+"]),
        ("tr(A X)", []),
    ],
)
def test_definitions_stand_behind_where(text, parts):
    body, found = split_where(text)
    assert [part.strip() for part in found] == [part.strip() for part in parts]
    assert "where" not in body


def test_definitions_may_use_each_other_in_any_order():
    for texts in (["M = I - P", "P = X X^+"], ["P = X X^+", "M = I - P"]):
        meanings = definitions(texts, ["X"])
        assert str(substitute(parse("y' M y"), meanings)) == "yᵀ (I - X X⁺) y"
    meanings = definitions(["S_W = A A'", "res = y - X w", r"\hat y = X w"], [])
    assert str(substitute(parse("res' S_W res", ["res", "S_W"]), meanings)) == "(y - X w)ᵀ (A Aᵀ) (y - X w)"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["M"], "a definition is a name, = and a formula"),
        (["M = N", "N = M"], "M is defined by itself"),
        (["M = M + A"], "M is defined by itself"),
        (["M = A", "M = B"], "M cannot be defined twice"),
        (["I = A"], "I cannot be defined"),
        (["f(x, y) = x'y"], "a function is defined by one argument, a letter: f(x) = …"),
        (["f(2) = A"], "a function is defined by one argument"),
        (["f(x) = f(A x)"], "f is defined by itself"),
        (["f(x) = x", "f = A"], "f cannot be defined twice"),
        (["exp(x) = x"], "exp cannot be defined"),
        (["A = B +"], "expected a variable"),
    ],
)
def test_what_is_no_definition_is_said(texts, message):
    with pytest.raises(FormulaError, match=re.escape(message)):
        definitions(texts, [])


def test_definitions_of_functions():
    def put(text: str, *texts: str) -> str:
        meanings = definitions(texts, [])
        called = [name for name, meaning in meanings.items() if meaning.argument]
        return str(substitute(parse(text, meanings, called), meanings))

    assert put("f(a'x)", "f(t) = exp(-t^2)") == "exp(-(aᵀ x)²)"
    assert put("f(x)' f(y)", "f(x) = A x + x") == "(A x + x)ᵀ (A y + y)"
    assert put("f(h(x))", "f(t) = t^2", "h(x) = a'M x", "M = f(A)") == "(aᵀ A² x)²"
    assert put("r'r", "r(w) = y - X w") == "(y - X w)ᵀ (y - X w)"  # f alone is f of its argument
    assert put("Σ_{i=1}^{n} f(x_i)", "f(t) = ln(t)") == "Σ_{i=1}^{n} ln(x_i)"
    assert put("x (f(y) z)", "f(t) = A t") == "x ((A y) z)"
    for text, texts in (("Σ_{i=1}^{n} f(x_i)", ["f(t) = t + y_i"]), ("f(y_i)", ["f(t) = Σ_{i=1}^{n} t x_i"])):
        with pytest.raises(FormulaError, match="which is bound by a sum here"):
            put(text, *texts)
    with pytest.raises(FormulaError, match="f is defined, and f' is not: write it out"):
        put("f'(x)", "f(t) = t^2")
    with pytest.raises(FormulaError, match="more than 20,000 parts"):
        put("f(" * 40 + "x" + ")" * 40, "f(t) = t + t")


def test_definitions_that_grow_without_end_are_refused():
    letters = "ABCDFGHJKLM"
    doubled = [f"{new} = {old} {old} {old} {old}" for old, new in itertools.pairwise(letters)]
    with pytest.raises(FormulaError, match="more than 20,000 parts"):
        definitions(doubled, [])
    with pytest.raises(FormulaError, match="which is bound by a sum here"):
        substitute(parse("Σ_{i=1}^{n} p x_i"), definitions(["p = y_i"], []))
