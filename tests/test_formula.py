"""The formula language: reading, printing, transposing, shapes, values, and what is refused."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import matcalc.formula
from matcalc.formula import Formula, FormulaError, evaluate, infer, parse, parse_equation, terms
from matcalc.formula import tree as t
from matcalc.formula.tokens import ENTRYWISE, MATRIX_FUNCTIONS

# Random trees ---------------------------------------------------------------------------------------------------------

NAMES = "AXBabxyesdEtrlnTkβμΣΓ"
name = st.sampled_from(NAMES).map(t.Name)
number = st.integers(0, 99).map(t.Number) | st.sampled_from([0.5, 2.0, 1.25e-7, 1e22]).map(t.Number)
index = (
    st.sampled_from("ijkltrnμ").map(t.Name)
    | st.integers(1, 30).map(t.Number)
    | st.just(t.Sum((t.Name("i"), t.Neg(t.Number(1)))))
)
indices = st.tuples(index) | st.tuples(index, index)
constant = (
    st.just(t.Constant("I"))
    | st.tuples(index).map(lambda i: t.Constant("I", i))
    | st.tuples(index).map(lambda i: t.Constant("e", i))
    | st.tuples(index, index).map(lambda i: t.Constant("E", i))
    | indices.map(lambda i: t.Constant("0", i))
    | indices.map(lambda i: t.Constant("1", i))
    | st.just(t.Constant("1"))
)
derivative = st.builds(t.Derivative, st.sampled_from("UVxβμ"), st.sampled_from(["", "²", "x", "y"]))
leaf = name | number | constant | derivative
FUNCTIONS = [
    *("tr", "det", "adj", "inv", "pinv", "sum", "vec", "diag", "norm", "norm2", "!"),
    *MATRIX_FUNCTIONS,
    *ENTRYWISE,
]


def _canonical(tree: Formula) -> bool:
    """Whether the parser can make the tree: X^(-1) is read as the inverse."""
    return not (isinstance(tree, t.Power) and tree.exponent in (t.Neg(t.Number(1)), t.Neg(t.Name("T"))))


def _larger(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return (
        several.map(t.Sum)
        | several.map(t.Product)
        | inner.map(t.Neg)
        | inner.map(t.Transpose)
        | st.builds(t.Infix, st.sampled_from("⊗⊙⊘×/"), inner, inner)
        | st.builds(t.Power, inner, inner).filter(_canonical)
        | st.builds(t.Apply, st.sampled_from(FUNCTIONS), inner)
        | st.builds(t.Entry, inner, indices)
        | st.builds(t.Sigma, st.sampled_from("ijeΣ"), inner, inner, inner)
    )


TREES = st.recursive(leaf, _larger, max_leaves=12)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(TREES)
def test_what_is_printed_is_read_back(tree: Formula) -> None:
    assert parse(str(tree)) == tree
    assert parse(tree.ascii()) == tree
    assert parse(tree.tex()) == tree
    assert tree.ascii().isascii()
    assert hash(parse(str(tree))) == hash(tree)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text("AXab()[]|‖^_'{}+-*/ᵀ⁻¹⁺²∂Σ=, 012.!\\exptr", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except FormulaError:
        return
    assert parse(str(tree)) == tree


def _larger_matrix(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return (
        several.map(t.Sum)
        | several.map(t.Product)
        | inner.map(t.Neg)
        | inner.map(t.Transpose)
        | inner.map(lambda x: t.Product((t.Apply("tr", x), t.Name("A"))))
        | inner.map(lambda x: t.Power(x, t.Number(2)))
        | inner.map(lambda x: t.Apply("adj", x))
        | st.builds(t.Infix, st.just("⊙"), inner, inner)
        | inner.map(lambda x: t.Infix("/", x, t.Number(3)))
        | inner.map(lambda x: t.Sigma("i", t.Number(1), t.Number(2), t.Product((t.Name("i"), x))))
    )


MATRIX = st.sampled_from("ABX").map(t.Name) | st.just(t.Constant("I", (t.Name("n"),)))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.recursive(MATRIX, _larger_matrix, max_leaves=6))
def test_transposes_and_terms_have_the_right_values(tree: Formula) -> None:
    """On random formulas of 3x3 matrices, t.T is the transposed value and the terms add up."""
    random = np.random.default_rng(1)
    values = {letter: random.normal(size=(3, 3)) for letter in "ABX"}
    value = evaluate(tree, values, sizes={"n": 3})
    scale = max(1.0, float(np.abs(value).max()))
    np.testing.assert_allclose(evaluate(tree.T, values, sizes={"n": 3}) / scale, value.T / scale, atol=1e-6)
    parts = [evaluate(term, values, sizes={"n": 3}, shape=(3, 3)) for term in terms(tree)]
    np.testing.assert_allclose(sum(parts) / scale, value / scale, atol=1e-6)
    assert infer(tree, dict.fromkeys("ABX", ("n", "n"))) == ("n", "n")


# Reading and printing -------------------------------------------------------------------------------------------------


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
        ("1 1' + X^1 1", "𝟏 𝟏ᵀ + X¹ 𝟏", None),
        ("x.T @ A @ x + X**-1 + X**2", "xᵀ A x + X⁻¹ + X²", None),
        ("exp.(X) + sqrt.(A) ./ B", "exp.(X) + sqrt.(A) ⊘ B", None),
        ("tr X + 2 det A", "tr(X) + 2 |A|", None),
        ("tr X A", None, None),
        ("det X^2", None, None),
        ("tr.(X)", None, None),
        ("||x||_1", None, None),
        ("dU V + adU", "∂U V + a d U", None),
    ],
)
def test_spelling(text: str, unicode: str | None, tex: str | None) -> None:
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
        (r"\mathbf{1}^\top X \mathbf{1} + \mathbb{1}_n^\top a", "𝟏ᵀ X 𝟏 + 𝟏_nᵀ a"),
        (r"\tanh(x) + \operatorname{sigmoid}(x) + \operatorname{exp.}(X)", "tanh(x) + sigmoid(x) + exp.(X)"),
        (r"\left(A X\right)_{ij}", "[A X]_ij"),
        (r"$\vert X \vert + \Vert x \Vert^2_2 + \|X\|^{2}_{F}$", "|X| + ‖x‖₂² + ‖X‖²"),
        (r"x^{\prime} y + x^{\!\top} y + x^{\text{T}} y", "xᵀ y + xᵀ y + xᵀ y"),
        (r"\operatorname*{tr}(X) + \log p_i + \ln x_{i}", "tr(X) + ln(p_i) + ln(x_i)"),
        (r"\mathbb{I} X^-2 + X^-k + 3/4 x", "I X^(-2) + X^(-k) + (3/4) x"),
    ],
)
def test_tex(tex: str, unicode: str | None) -> None:
    if unicode is None:
        assert str(parse(tex)) == "∂x/2"
    else:
        assert str(parse(tex)) == unicode


def test_greek_and_names() -> None:
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


def test_equations() -> None:
    assert len(parse_equation("tr(A X Xᵀ) = tr(Xᵀ A X) = tr(X Xᵀ A)")) == 3
    assert parse_equation("A") == (t.Name("A"),)
    with pytest.raises(FormulaError, match="expected the end"):
        parse("A = B")


def test_transposing() -> None:
    for text, turned in [
        ("C A X B + Aᵀ Cᵀ X Bᵀ", "Bᵀ Xᵀ Aᵀ Cᵀ + B Xᵀ C A"),
        ("tr(A) I", "tr(A) I"),
        ("X⁻ᵀ A", "Aᵀ X⁻¹"),
        ("X⁻¹", "X⁻ᵀ"),
        ("A ⊗ X", "Aᵀ ⊗ Xᵀ"),
        ("k |X|^(k-1) adj(X)ᵀ", "|X|^(k-1) adj(X) kᵀ"),
        ("E_ij", "E_ji"),
        ("-(A X)ᵀ/‖x‖", "-A X/‖x‖"),
        ("2 X a aᵀ", "2 a aᵀ Xᵀ"),
    ]:
        assert str(parse(text).T) == turned
    assert str(t.transpose(parse("k |X| adj(X)ᵀ"), {"k"})) == "k |X| adj(X)"


def test_terms() -> None:
    assert [str(term) for term in terms(parse("a - (b - c) + (-d)"))] == ["a", "-b", "c", "-d"]
    assert [str(term) for term in terms(parse("-(a + b)"))] == ["-a", "-b"]
    assert terms(parse("A X")) == (parse("A X"),)
    assert t.sum_of(terms(parse("a - b"))[1:]) == parse("-b")


# What is refused ------------------------------------------------------------------------------------------------------


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
        (r"\operatorname{vech}(X)", "unknown function vech", 0),
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
def test_the_place_of_an_error(text: str, message: str, column: int) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    if text:
        assert lines[-2] == f"  {text}"
        assert lines[-1].startswith("  " + " " * column + "^")


def test_bounds() -> None:
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


def test_nothing_is_executed() -> None:
    for text in ("__import__('os')", "A.B", "lambda: x", "x; y", 'f"{x}"'):
        with pytest.raises(FormulaError):
            parse(text)


# Shapes ---------------------------------------------------------------------------------------------------------------

SHAPES = {"A": ("m", "n"), "B": ("n", "p"), "S": ("n", "n"), "x": ("n",), "y": ("m",), "s": (), "X": ("p", "m")}


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("A x", ("m",)),
        ("xᵀ S x", ()),
        ("xᵀ x A", ("m", "n")),
        ("x yᵀ", ("n", "m")),
        ("xᵀ S", (1, "n")),
        ("A B X + s I", ("m", "m")),
        ("A ⊗ B", ("m n", "n p")),
        ("vec(A)", ("m n",)),
        ("diag(x) + diag(diag(S))", ("n", "n")),
        ("A⁺ + 0", ("n", "m")),
        ("n x", ("n",)),
        ("Σ_{i=1}^{n} x_i S E_ii S", ("n", "n")),
        ("e_iᵀ A x", ()),
        ("A + y e_iᵀ", ("m", "n")),
        ("(S ⊗ I) vec(A ⊗ x)", ("m n n",)),
        ("(S ⊗ I) vec(B)", ("n p",)),
        ("|S| + ‖A‖ + tr(S) + sum(A)", ()),
        ("exp(s) exp(s S)", ("n", "n")),
        ("I_n x", ("n",)),
        ("I_q 0_qn x", None),
    ],
)
def test_shapes(text: str, shape: tuple[int | str, ...] | None) -> None:
    if shape is None:
        with pytest.raises(FormulaError):
            infer(parse(text), SHAPES)
    else:
        assert infer(parse(text), SHAPES) == shape


@pytest.mark.parametrize(
    ("text", "message", "under"),
    [
        ("A A", "A is m×n, A is m×n; n ≠ m", "A"),
        ("A B x", "A B is m×p, x is n×1; p ≠ n", "x"),
        ("S - A", "S is n×n, A is m×n", "A"),
        ("|A|", "A must be square and is m×n", "A"),
        ("s/x", "the denominator must be a scalar; x is n×1", "x"),
        ("S + 1", "S is n×n, 1 is a scalar", "1"),
        ("x × y", "length 3", "x"),
        ("s + q", "nothing is given for q", "q"),
        ("A_i", "its entries have two subscripts", "A_i"),
        ("I", "nothing here tells the size of I", "I"),
        ("tr(e_i e_jᵀ)", "nothing here tells the size of e_i", "e_i"),
    ],
)
def test_mismatches(text: str, message: str, under: str) -> None:
    with pytest.raises(FormulaError, match=message) as caught:
        infer(parse(text), SHAPES)
    *_, line, carets = str(caught.value).splitlines()
    assert line[carets.index("^") : carets.rindex("^") + 1] == under


def test_the_expected_shape() -> None:
    assert infer(parse("0"), {}, ("m", "n")) == ("m", "n")
    assert infer(parse("E_ij"), {}, ("m", "n")) == ("m", "n")
    assert infer(parse("I ⊗ A"), {"A": (2, 3)}, (8, 12)) == (8, 12)
    with pytest.raises(FormulaError, match="the formula is m×n; expected n×m"):
        infer(parse("A"), SHAPES, ("n", "m"))
    with pytest.raises(FormulaError, match="does not divide"):
        infer(parse("I ⊗ A"), {"A": (3, 3)}, (8, 8))


# Values ---------------------------------------------------------------------------------------------------------------


def test_constants_and_subscripts() -> None:
    X = np.arange(12.0).reshape(3, 4)
    x = np.arange(4.0)
    values = {"X": X, "x": x, "i": 0, "j": 2, "s": 5.0}
    assert evaluate(parse("x_j"), values) == 2.0  # a given position counts from 0
    assert evaluate(parse("x_ij"), values) == X[0, 2]  # the capital's
    assert evaluate(parse("X_ij + [X']_ji"), values) == 2 * X[0, 2]
    assert evaluate(parse("x_1 + x_{i+1}"), values) == 1.0  # a number counts from 1
    assert evaluate(parse("Σ_{l=2}^{4} l x_l"), values) == 2 * 1 + 3 * 2 + 4 * 3  # the index of a sum from 1
    np.testing.assert_array_equal(
        evaluate(parse("E_ij"), values, shape=(3, 4)), np.eye(3, 4, 2) * (np.arange(3) == 0)[:, None]
    )
    np.testing.assert_array_equal(evaluate(parse("x + (s - x_j) e_j"), values), [0, 1, 5, 3])
    np.testing.assert_array_equal(evaluate(parse("0"), {}, shape=(2, 3, 2, 3)), np.zeros((2, 3, 2, 3)))
    np.testing.assert_array_equal(evaluate(parse("0_mn + I_3"), {}, sizes={"m": 3, "n": 3}), np.eye(3))
    assert evaluate(parse("0"), {}).shape == ()
    for text in ("x_9", "x_{l}"):
        with pytest.raises(FormulaError, match=r"out of range|nothing is given"):
            evaluate(parse(text), values)
    with pytest.raises(FormulaError, match="mixes"):
        evaluate(parse("Σ_{l=1}^{2} x_{l+j}"), values)


def test_functions() -> None:
    random = np.random.default_rng(2)
    X = random.normal(size=(3, 3)) / 2
    P = X @ X.T + np.eye(3)
    values = {"X": X, "P": P, "x": 0.7, "v": X[0]}
    cases = {
        "exp(X)": scipy.linalg.expm(X),
        "ln(P)": scipy.linalg.logm(P),
        "sin(X)": scipy.linalg.sinm(X),
        "cos(X)": scipy.linalg.cosm(X),
        "sqrt(P)": scipy.linalg.sqrtm(P),
        "exp(x) + ln(x) + sin(x) + cos(x) + sqrt(x)": sum(f(0.7) for f in (np.exp, np.log, np.sin, np.cos, np.sqrt)),
        "vec(X)": X.T.ravel(),
        "diag(X)": np.diag(X),
        "diag(v)": np.diag(X[0]),
        "sum(X)": X.sum(),
        "X⁺": np.linalg.pinv(X),
        "‖X‖": np.linalg.norm(X),
        "‖v‖²": X[0] @ X[0],
        "|-x|": 0.7,
        "|det(-X)|": abs(np.linalg.det(X)),
        "X^0": np.eye(3),
        "X^(-2)": np.linalg.inv(X @ X),
        "x^0.5": np.sqrt(0.7),
        "x^(1/2)": np.sqrt(0.7),
        "5!/3!": 20.0,
        "X ⊗ v": np.kron(X, X[0][:, None]),
        "v × X v": np.cross(X[0], X @ X[0]),
        "(1/2) v": X[0] / 2,
        "1_3": np.ones(3),
        "1' X 1": X.sum(),
        "‖v‖_2": np.linalg.norm(X[0]),
        "ln(1 + exp(-x))": np.log1p(np.exp(-0.7)),
        "exp(v) + sin(v)": np.exp(X[0]) + np.sin(X[0]),
        "exp(v') X": np.exp(X[:1]) @ X,
        "exp.(X) ./ cos.(X)": np.exp(X) / np.cos(X),
        "sigmoid(X) - 1 1'/2": scipy.special.expit(X) - 0.5,
        "tanh(x) + sum(tanh(v))": np.tanh(0.7) + np.tanh(X[0]).sum(),
        "softplus(-X)": np.log1p(np.exp(-X)),
    }
    for text, expected in cases.items():
        for xp in (np, jnp):
            with jax.enable_x64(True):
                got = np.asarray(evaluate(parse(text), values, xp=xp))
            assert got.dtype == np.float64
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10, err_msg=text)
    with pytest.raises(FormulaError, match="must be an integer"):
        evaluate(parse("X^(1/2)"), values)
    with pytest.raises(FormulaError, match="must be an integer"):
        evaluate(parse("X^2.0"), values)
    np.testing.assert_allclose(evaluate(parse("X^2"), values), X @ X)  # an equal tree, of other numbers
    with pytest.raises(FormulaError, match="‖ ‖_2 is of vectors, of matrices write ‖ ‖_F"):
        evaluate(parse("‖X‖_2"), values)
    far = evaluate(parse("sigmoid(v) + softplus(v)"), {"v": np.array([-800.0, 800.0])})
    np.testing.assert_array_equal(far, [0.0, 801.0])


@pytest.mark.parametrize("xp", [np, jnp])
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_the_adjugate_at_every_rank(xp: object, rank: int) -> None:
    random = np.random.default_rng(rank)
    X = random.normal(size=(4, rank)) @ random.normal(size=(rank, 4))
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(X, i, 0), j, 1)) for i in range(4)] for j in range(4)
    ]
    with jax.enable_x64(True):
        np.testing.assert_allclose(evaluate(parse("adj(X)"), {"X": X}, xp=xp), cofactors, atol=1e-12)
    np.testing.assert_allclose(evaluate(parse("adj(X)"), {"X": np.array([[5.0]])}, xp=xp), [[1.0]], rtol=1e-6)


def test_a_singular_power_zero() -> None:
    np.testing.assert_array_equal(evaluate(parse("X^0"), {"X": np.zeros((2, 2))}), np.eye(2))
    assert evaluate(parse("Σ_{i=1}^{k} X^i"), {"X": np.ones((2, 2)), "k": 0}).tolist() == [[0, 0], [0, 0]]


def test_size_one() -> None:
    """Where n happens to be 1, matrices stay matrices, columns columns."""
    values = {"X": np.array([[-3.0]]), "A": np.array([[2.0]]), "x": np.array([4.0]), "a": np.array([0.5])}
    assert evaluate(parse("|X|"), values) == pytest.approx(-3.0)
    assert evaluate(parse("|Xᵀ A X|"), values).shape == ()
    assert evaluate(parse("|-aᵀ x|"), values) == 2.0
    for text, shape in [
        ("A X", (1, 1)),
        ("A x", (1,)),
        ("aᵀ x", ()),
        ("aᵀ x a", (1,)),
        ("a aᵀ", (1, 1)),
        ("aᵀ", (1, 1)),
    ]:
        assert evaluate(parse(text), values).shape == shape
    column = {"X": np.ones((3, 1)), "a": np.ones(1), "b": np.ones(3)}
    assert evaluate(parse("X a"), column).shape == (3,)
    assert evaluate(parse("bᵀ X"), column).shape == (1, 1)
    assert evaluate(parse("bᵀ X a b"), column).shape == (3,)
    assert evaluate(parse("(I - x xᵀ/‖x‖²)/‖x‖"), values, shape=(1, 1)).shape == (1, 1)


def test_tensors() -> None:
    random = np.random.default_rng(3)
    for shape in [(2, 3, 2), (2, 3, 2, 3)]:
        dU, dV = random.normal(size=(2, *shape))
        values = {"dU": dU, "dV": dV, "a": 2.0}
        np.testing.assert_allclose(evaluate(parse("∂U + ∂V - 0"), values, shape=shape), dU + dV)
        np.testing.assert_allclose(evaluate(parse("-(a ∂U + 3 ∂V a)/a"), values), -dU - 3 * dV)
    with pytest.raises(FormulaError, match="tensor"):
        evaluate(parse("A ∂U"), {"A": np.eye(2), "dU": np.ones((2, 2, 2, 2))})
    with pytest.raises(FormulaError, match="∂U is 2×2×2, ∂V is 3×3×3"):
        evaluate(parse("∂U + ∂V"), {"dU": np.ones((2, 2, 2)), "dV": np.ones((3, 3, 3))})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(dtype: type) -> None:
    A = np.array([[2.0, 0.5], [0.1, 3.0]], dtype)
    for text in ("2 A + I", "exp(A) + 0.5 ln(A)", "tr(A)/2", "adj(A) |A|", "ln(2) A", "A² sqrt(A) sin(A) cos(A)", "A⁺"):
        value = evaluate(parse(text), {"A": A})
        assert value.dtype == dtype, text
        with jax.enable_x64(True):
            of_jax = jax.eval_shape(lambda A, text=text: evaluate(parse(text), {"A": A}, xp=jnp), A)
        assert of_jax.dtype == dtype, text
    assert evaluate(parse("A⁻¹"), {"A": np.array([[2, 0], [0, 2]])}).tolist() == [[0.5, 0], [0, 0.5]]


def _run(tree: Formula, static: dict[str, int], A: jax.Array, X: jax.Array, x: jax.Array) -> jax.Array:
    return evaluate(tree, {"A": A, "X": X, "x": x, **static}, sizes={"n": 3}, xp=jnp)


def test_under_jit() -> None:
    random = np.random.default_rng(4)
    A = random.normal(size=(3, 3))
    X = A @ A.T + np.eye(3)
    x = random.normal(size=3)
    texts = [
        "exp(X) + ln(X) + sin(X) + cos(X) + sqrt(X) + adj(X) + X⁺ + X⁻ᵀ + |X| X^k + X_ij I",
        "Σ_{i=1}^{n} (i-1) x_i A E_ij A + 0",
        "x ⊗ x",
        "x × A x",
        "tr(A)/‖x‖ + ln |X| + xᵀ A x",
    ]
    static = {"k": 2, "i": 0, "j": 1}
    with jax.enable_x64(True):
        for text in texts:
            tree = parse(text)
            run = partial(_run, tree, static)
            got = jax.jit(run)(A, X, x)
            expected = evaluate(tree, {"A": A, "X": X, "x": x, **static}, sizes={"n": 3})
            np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)


def test_missing_values() -> None:
    with pytest.raises(FormulaError, match="nothing is given for B"):
        evaluate(parse("A B"), {"A": np.eye(2)})
    with pytest.raises(FormulaError, match="A is 2×2, x is 3×1; 2 ≠ 3"):
        evaluate(parse("A x"), {"A": np.eye(2), "x": np.ones(3)})
    with pytest.raises(FormulaError, match="expected 3"):
        evaluate(parse("A"), {"A": np.eye(2)}, shape=(3,))


def test_the_package_is_light() -> None:
    """Importing the package imports neither jax nor lark."""
    code = (
        "import sys, types; package = types.ModuleType('matcalc'); package.__path__ = sys.argv[1:];"
        "sys.modules['matcalc'] = package; import matcalc.formula;"
        "assert not {'jax', 'lark', 'scipy'} & set(sys.modules)"
    )
    folder = str(Path(matcalc.formula.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code, folder], check=True)
