"""What is read in ASCII, Unicode and TeX, how it is printed, and what is refused."""

import sys

import numpy as np
import pytest

from matcalc.formula import FormulaError, evaluate, infer, parse, parse_equation, terms
from matcalc.formula import tree as t


@pytest.mark.parametrize(
    ("text", "unicode", "tex"),
    [
        ("A*X@B·C", "A X B C", "A X B C"),
        ("AXB", "A X B", "A X B"),
        ("CAXB + A'C'X B'", "C A X B + Aᵀ Cᵀ X Bᵀ", r"C A X B + A^\top C^\top X B^\top"),
        ("tr(A X B)", "tr(A X B)", r"\operatorname{tr}(A X B)"),
        ("X^-1 X^-T X^+ inv(X)", "X⁻¹ X⁻ᵀ X⁺ X⁻¹", r"X^{-1} X^{-\top} X^{+} X^{-1}"),
        ("(X⁻¹)' + (X')⁻¹", "X⁻ᵀ + (Xᵀ)⁻¹", r"X^{-\top} + (X^\top)^{-1}"),
        ("det(X) + |A X|", "|X| + |A X|", r"\lvert X \rvert + \lvert A X \rvert"),
        ("ln|X| + log(|det(a X)|)", "ln |X| + ln |det(a X)|", None),
        (
            "(x-a)/||x-a||",
            "(x - a)/‖x - a‖",
            r"\frac{x - a}{\lVert x - a \rVert}",
        ),
        (
            "d(U) V + ∂_yU - d2(U)",
            "∂U V + ∂_yU - ∂²U",
            r"\frac{\partial U}{\partial x} V + \partial_{y} U - \partial^{2} U",
        ),
        ("exp(X) + exp(x A)'", "exp(X) + exp(x A)ᵀ", r"e^{X} + (e^{x A})^\top"),
        ("A B kron C", None, None),
        ("kron(A B, C)", "(A B) ⊗ C", r"(A B) \otimes C"),
        ("A B ⊗ C D", "(A B) ⊗ (C D)", r"(A B) \otimes (C D)"),
        ("A .* B ⊙ C", "A ⊙ B ⊙ C", r"A \odot B \odot C"),
        ("cross(u, v)", "u × v", r"u \times v"),
        ("beta' Xᵀ X β", "βᵀ Xᵀ X β", r"\beta^\top X^\top X \beta"),
        ("X^k X^(k-1) X² Xᵏ Xᵏ⁻¹ X^{2}", "X^k X^(k-1) X² X^k X^(k-1) X²", "X^{k} X^{k-1} X^{2} X^{k} X^{k-1} X^{2}"),
        ("[X^-1]_kl a_ij xᵢ e_{i} E_ij", "[X⁻¹]_kl a_ij x_i e_i E_ij", "[X^{-1}]_{kl} a_{ij} x_{i} e_{i} E_{ij}"),
        ("sum_{i=1}^{k} X^(i-1)/(i-1)! + A", "Σ_{i=1}^{k} X^(i-1)/(i - 1)! + A", None),
        ("Σ_{t=1}^T x_t Σ⁻¹", "Σ_{t=1}^{(T)} x_t Σ⁻¹", None),
        ("a - (b - c)", "a - (b - c)", "a - (b - c)"),
        ("-(a + b) c", "-(a + b) c", "-(a + b) c"),
        ("(aᵀ x) b", "(aᵀ x) b", r"(a^\top x) b"),
        ("1'X 1 - 2 1", "𝟏ᵀ X 𝟏 - 2 𝟏", r"\mathbf{1}^\top X \mathbf{1} - 2 \mathbf{1}"),
        ("2*1 + 1 X + ones 1_mn", "2 (1) + (1) X + 𝟏 𝟏_mn", None),
        ("11' + 11 X + (11)' + X^11'", "𝟏 𝟏ᵀ + 11 X + (11)ᵀ + (X¹¹)ᵀ", None),
        ("1 1' + X^1 1", "𝟏 𝟏ᵀ + X¹ 𝟏", None),
        ("x.T @ A @ x + X**-1 + X**2", "xᵀ A x + X.^(-1) + X.^2", None),
        ("X**-1 + X**2", "X⁻¹ + X²", None),
        ("exp.(X) + sqrt.(A) ./ B", "exp.(X) + sqrt.(A) ⊘ B", None),
        ("tr X + 2 det A", "tr(X) + 2 |A|", None),
        ("tr X A", None, None),
        ("det X^2", None, None),
        ("tr.(X)", None, None),
        ("||x||_3", None, None),
        ("dU V + adU", "∂U V + a d U", None),
    ],
)
def test_spelling(text, unicode, tex):
    if unicode is None:
        with pytest.raises(FormulaError):
            parse(text)
        return
    assert str(parse(text)) == unicode
    if tex is not None:
        assert parse(text).tex() == tex


@pytest.mark.parametrize(
    ("tex", "unicode"),
    [
        (r"\operatorname{tr}\left(\mathbf{A} \mathbf{X}^{\top}\right)", "tr(A Xᵀ)"),
        (r"\mathrm{tr}(A^\mathsf{T} X)", "tr(Aᵀ X)"),
        (r"\left\| \boldsymbol{x} - a \right\|^2", "‖x - a‖²"),
        (r"\frac{\partial \mathbf{x}}{2}", None),
        (r"\frac{1}{2} x^{\top} A x", "(1/2) xᵀ A x"),
        (r"\ln \left| X \right|", "ln |X|"),
        (r"A \cdot B \otimes C \odot D", "((A B) ⊗ C) ⊙ D"),
        (r"\sum_{i=1}^n \beta_i \, x_{i}", "Σ_{i=1}^{n} β_i x_i"),
        (r"X^{-\mathsf{T}} Y^{-T} Z^{\dagger}", "X⁻ᵀ Y⁻ᵀ Z⁺"),
        (r"\frac{\partial^2 U}{\partial x \partial y} + \frac{\partial U}{\partial y}", "∂²U + ∂_yU"),
        (r"\bm x^\top \mathbf A", "xᵀ A"),
        (r"\sqrt{x} \exp(X) \det(X) \lVert x \rVert", "sqrt(x) exp(X) |X| ‖x‖"),
        (r"e^{-x A} + e^2 + e^k", "exp(-x A) + e² + e^k"),
        (r"e^X + e^T", "exp(X) + eᵀ"),
        (r"\log\det X + \ln \det(A X) + \operatorname{logdet}(B)", "ln |X| + ln |A X| + ln |B|"),
        (r"\lambda \operatorname{Tr} X + \mathrm{Tr}\{A X\}", "λ tr(X) + tr(A X)"),
        (r"\|x\|_2^2 + \lVert X \rVert_F^2", "‖x‖₂² + ‖X‖²"),
        (r"A \circ B \oslash C", "(A ⊙ B) ⊘ C"),
        (r"X^* + X^{\ast}", "adj(X) + adj(X)"),
        (r"\frac12 {\bf x}^{\rm T} {\bf x}", "(1/2) xᵀ x"),
        (r"\frac1{2m}\sum_i x_i^2", "(1/(2 m)) ∑_i x_i²"),
        (r"\frac\lambda{2}\operatorname{tr}(X)", "(λ/2) tr(X)"),
        (r"\mathbf{1}^\top X \mathbf{1} + \mathbb{1}_n^\top a", "𝟏ᵀ X 𝟏 + 𝟏_nᵀ a"),
        (r"\tanh(x) + \operatorname{sigmoid}(x) + \operatorname{exp.}(X)", "tanh(x) + sigmoid(x) + exp.(X)"),
        (r"\left(A X\right)_{ij}", "[A X]_ij"),
        (r"$\vert X \vert + \Vert x \Vert^2_2 + \|X\|^{2}_{F}$", "|X| + ‖x‖₂² + ‖X‖²"),
        (r"x^{\prime} y + x^{\!\top} y + x^{\text{T}} y", "xᵀ y + xᵀ y + xᵀ y"),
        (r"\operatorname*{tr}(X) + \log p_i + \ln x_{i}", "tr(X) + ln(p_i) + ln(x_i)"),
        (r"\mathbb{I} X^-2 + X^-k + 3/4 x", "I X^(-2) + X^(-k) + (3/4) x"),
    ],
)
def test_tex(tex, unicode):
    if unicode is None:
        assert str(parse(tex)) == "∂x/2"
    else:
        assert str(parse(tex)) == unicode


@pytest.mark.parametrize(
    ("text", "names", "unicode"),
    [
        ("A_ix", [], "A_i x"),
        ("y_iw^Tx_i", [], "y_i wᵀ x_i"),
        ("y_iwx_i", [], "y_i w x_i"),
        ("S_Bw + S_WW", [], "S_B w + S_{WW}"),
        ("W S_BW", [], "W S_B W"),
        ("S_BW", ["S_B"], "S_B W"),
        ("S_BW", ["W"], "S_B W"),
        ("W S_BW", ["S_{BW}"], "W S_{BW}"),
        ("Σ_xy W_hh K_mnX a_ij", [], "Σ_xy W_hh K_mn X a_ij"),
        ("D_nvech(S) y_iln(x)", [], "D_n vech(S) y_i ln(x)"),
        ("x_iX x_iy_i", [], "x_i X x_i y_i"),
    ],
)
def test_a_subscript_without_braces_is_one_letter_or_two_of_a_kind(text, names, unicode):
    assert str(parse(text, names)) == unicode


def test_quotients_go_from_left_to_right():
    for text, unicode in (("5/2*x'x", "(5/2) xᵀ x"), ("a/b/c", "(a/b)/c"), ("(x'x)/(y'y)*x", "(xᵀ x/(yᵀ y)) x")):
        assert str(parse(text)) == unicode
    with pytest.raises(FormulaError, match="After a quotient write parentheses"):
        parse("a/b*c d")


@pytest.mark.parametrize("text", ["W_new", "x_max y", "S_BAB"])
def test_a_word_as_a_subscript_takes_braces(text):
    with pytest.raises(FormulaError, match="after _ come one or two letters"):
        parse(text)


def test_greek_and_names():
    assert parse("beta") == parse("β") == parse(r"\beta") == parse("beta", names={"beta"})
    assert parse(r"\mu x").ascii() == r"\mu x"
    tree = parse("x1 + rate A", names=["x1", "rate"])
    assert tree == t.Sum((t.Name("x1"), t.Product((t.Name("rate"), t.Name("A")))))
    assert parse(tree.tex(), names=["x1", "rate"]) == tree
    for values in ({"β": np.ones(2)}, {"beta": np.ones(2)}):
        assert evaluate(parse("β' beta"), values) == 2.0
    assert evaluate(parse("∂β"), {"dbeta": 3.0}) == 3.0
    with pytest.raises(FormulaError, match="cannot be a name"):
        parse("x", names=["tr"])


def test_equations():
    assert len(parse_equation("tr(A X Xᵀ) = tr(Xᵀ A X) = tr(X Xᵀ A)")) == 3
    assert parse_equation("A") == (t.Name("A"),)
    with pytest.raises(FormulaError, match="expected the end"):
        parse("A = B")


# --- What is refused


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("A X B +", "expected a variable, a number, a function or a parenthesis", 7),
        ("A (X + B", r"expected '\)'", 8),
        ("A ) B", "expected the end", 2),
        ("tr X A", "expected an operator or the end; found 'A'", 5),
        ("a/b c", "expected an operator or the end", 4),
        ("A & é", "unexpected character 'é'", 4),
        (r"A \foo", r"unknown command \\foo", 2),
        (r"\operatorname{rank}(X)", "unknown function rank", 0),
        ("", "expected a variable", 0),
        ("X^2^3", "found '\\^'", 3),
        ("ln |X|²", "found '²'", 6),
        ("∂Uᵀ", "found 'ᵀ'", 2),
        ("kron(A)", "kron takes two formulas", 0),
        ("tr(A, B)", "tr takes one formula", 0),
        ("x_{i,j,k}", "more than two subscripts", 9),
        ("A E_i", "E with 1 subscripts", 2),
        ("3_n", "of the numbers only 0 and 1 take a size", 0),
    ],
)
def test_the_place_of_an_error(text, message, column):
    with pytest.raises(FormulaError, match=message) as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    if text:
        assert lines[-2] == f"  {text}"
        assert lines[-1].startswith("  " + " " * column + "^")


def test_bounds():
    with pytest.raises(FormulaError, match="at most 20,000"):
        parse("x" * 20_001)
    for text in ("(" * 5000 + "x" + ")" * 5000, "x" + "'" * 5000, "⊗".join(["A"] * 5000), "|" * 3000, "^" * 5000):
        with pytest.raises(FormulaError):
            parse(text)
    assert len(terms(parse("+".join("x" * 10_000)))) == 10_000
    assert parse("(" * 200 + "x" + ")" * 200) == t.Name("x")
    with pytest.raises(FormulaError, match="digits"):
        parse("1" * 5000)
    long = parse("+".join(["x"] * 5000) + "-x" + "x" * 5000)
    assert evaluate(long, {"x": 1.0}) == 4999.0
    deep = parse("a+b(" * 99 + "x" + ")" * 99)
    assert sys.getrecursionlimit() <= 1000
    assert parse(str(deep)) == parse(deep.tex()) == deep
    assert hash(deep.T)
    assert evaluate(deep, {"a": 1.0, "b": 1.0, "x": 1.0}) == 100.0
    assert infer(deep, {"a": (), "b": (), "x": ()}) == ()
    with pytest.raises(FormulaError, match="nested deeper"):
        parse("a+b(" * 150 + "x" + ")" * 150)


def test_nothing_is_executed():
    for text in ("__import__('os')", "A.B", "lambda: x", "x; y", 'f"{x}"'):
        with pytest.raises(FormulaError):
            parse(text)
