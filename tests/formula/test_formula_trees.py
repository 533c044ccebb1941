"""Random trees are printed and read back; transposes and terms have the right values."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matcalc.formula import FormulaError, evaluate, infer, parse, terms
from matcalc.formula import tree as t
from matcalc.formula.words import ENTRYWISE, MATRIX_FUNCTIONS, OF_VECTORS, TO_SCALARS

NAMES = "AXBabxyesdEtrlnTkβμΣΓ"


def _short(strategy):
    """The same values. Its repr is a word; hypothesis refuses those that strategies inside one another would have."""

    @st.composite
    def short(draw):
        return draw(strategy)

    return short()


name = st.sampled_from([*NAMES, "x̂", "Σ̄", "W^{(1)}", "σ^{(i)}", "W^{[2]}", "x^{new}"]).map(t.Name)


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
    | st.tuples(st.integers(1, 30).map(t.Number), index).map(lambda i: t.Constant("K", i))
    | st.tuples(st.integers(1, 30).map(t.Number)).flatmap(
        lambda i: st.sampled_from("DL").map(lambda symbol: t.Constant(symbol, i))
    )
)


derivative = st.builds(t.Derivative, st.sampled_from("UVxβμ"), st.sampled_from(["", "²", "x", "y"]))


leaf = _short(name | number | constant | derivative)


FUNCTIONS = [
    *("tr", "det", "adj", "inv", "pinv", "sum", "vec", "diag", "norm", "norm2", "!"),
    *("norm1", "norminf", "nuclear", "tril", "triu", "vech", "cross", *TO_SCALARS, *OF_VECTORS),
    *MATRIX_FUNCTIONS,
    *ENTRYWISE,
]


def _canonical(tree):
    """Whether the parser can make the tree: X^(-1) is read as the inverse, X^(1/2) as the square root."""
    half = t.Infix("/", t.Number(1), t.Number(2))
    roots = (half, t.Neg(half), t.Number(0.5), t.Neg(t.Number(0.5)), t.Infix("/", t.Neg(t.Number(1)), t.Number(2)))
    return not (isinstance(tree, t.Power) and tree.exponent in (t.Neg(t.Number(1)), t.Neg(t.Name("T")), *roots))


def _larger(inner):
    inner = _short(inner)
    column = inner.filter(t.is_column) | st.sampled_from("axb").map(t.Name)
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return (
        several.map(t.Sum)
        | several.map(t.Product)
        | inner.map(t.Neg)
        | inner.map(t.Transpose)
        | st.builds(t.Infix, st.sampled_from([*"⊗⊙⊘×/⊕", ".^"]), inner, inner)
        | st.builds(t.Infix, st.just("·"), column, column)
        | st.builds(t.Power, inner, inner).filter(_canonical)
        | st.builds(t.Apply, st.sampled_from(FUNCTIONS), inner)
        | st.builds(t.Entry, inner, indices)
        | st.builds(t.Frechet, st.sampled_from(MATRIX_FUNCTIONS), inner, inner)
        | st.builds(t.Unvec, st.tuples(index, index), inner)
        | st.builds(t.Sigma, st.sampled_from("ijeΣ"), inner, inner, inner)
        | st.builds(t.Sigma, st.sampled_from("ije"), st.just(t.Number(1)), st.just(t.OPEN), inner)
    )


TREES = st.recursive(leaf, _larger, max_leaves=12)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(TREES)
def test_what_is_printed_is_read_back(tree):
    assert parse(str(tree)) == tree
    assert parse(tree.ascii()) == tree
    assert parse(tree.tex()) == tree
    assert tree.ascii().isascii()
    assert hash(parse(str(tree))) == hash(tree)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text("AXab()[]|‖^_'{}+-*/ᵀ⁻¹⁺²∂Σ∑=, 012.!\\exptr·<>", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        tree = parse(text)
    except FormulaError:
        return
    assert parse(str(tree)) == tree


def _larger_matrix(inner):
    inner = _short(inner)
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return (
        several.map(t.Sum)
        | several.map(t.Product)
        | inner.map(t.Neg)
        | inner.map(t.Transpose)
        | inner.map(lambda x: t.Product((t.Apply("tr", x), t.Name("A"))))
        | inner.map(lambda x: t.Power(x, t.Number(2)))
        | inner.map(lambda x: t.Apply("adj", x))
        | st.builds(t.Frechet, st.sampled_from(["sin", "cosh"]), inner, inner)
        | inner.map(lambda x: t.Unvec((t.Name("n"), t.Name("n")), t.Apply("vec", x)))
        | st.builds(t.Infix, st.just("⊙"), inner, inner)
        | inner.map(lambda x: t.Infix("/", x, t.Number(3)))
        | inner.map(lambda x: t.Sigma("i", t.Number(1), t.Number(2), t.Product((t.Name("i"), x))))
    )


MATRIX = st.sampled_from("ABX").map(t.Name) | st.just(t.Constant("I", (t.Name("n"),)))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.recursive(MATRIX, _larger_matrix, max_leaves=6))
def test_transposes_and_terms_have_the_right_values(tree):
    """On random formulas of 3x3 matrices, t.T is the transposed value and the terms add up."""
    random = np.random.default_rng(1)
    values = {letter: random.normal(size=(3, 3)) for letter in "ABX"}
    value = evaluate(tree, values, sizes={"n": 3})
    scale = max(1.0, float(np.abs(value).max()))
    np.testing.assert_allclose(evaluate(tree.T, values, sizes={"n": 3}) / scale, value.T / scale, atol=1e-6)
    parts = [evaluate(term, values, sizes={"n": 3}, shape=(3, 3)) for term in terms(tree)]
    np.testing.assert_allclose(sum(parts) / scale, value / scale, atol=1e-6)
    assert infer(tree, dict.fromkeys("ABX", ("n", "n"))) == ("n", "n")


def test_transposing():
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
        ("L_exp(U, V Wᵀ) X", "Xᵀ L_exp(Uᵀ, W Vᵀ)"),
        ("[a]_×", "-[a]_×"),
        ("unvec_mn(x)", "unvec_mn(x)ᵀ"),
        ("commutation(2, n)", "commutation(n, 2)"),
        ("duplication(2) vech(X)", "vech(X)ᵀ duplication(2)ᵀ"),
    ]:
        assert str(parse(text).T) == turned
    assert str(t.transpose(parse("k |X| adj(X)ᵀ"), {"k"})) == "k |X| adj(X)"


def test_terms():
    assert [str(term) for term in terms(parse("a - (b - c) + (-d)"))] == ["a", "-b", "c", "-d"]
    assert [str(term) for term in terms(parse("-(a + b)"))] == ["-a", "-b"]
    assert terms(parse("A X")) == (parse("A X"),)
    assert t.sum_of(terms(parse("a - b"))[1:]) == parse("-b")
