"""What the whole formula settles: subscripts, superscripts, and which letters are vectors."""

import pytest

from matcalc.formula import FormulaError, parse
from matcalc.formula import tree as t
from matcalc.formula.meaning import settle, understand
from matcalc.formula.parser import name_of
from matcalc.formula.variables import variables


def understood(text, known=(), given=None, square=()):
    tree, notes = settle(parse(text), known)
    meaning = understand(tree, variables(tree), given or {}, square)
    ranks = {name: len(shape) for name, shape in meaning.shapes.items()}
    return str(meaning.tree), ranks, (*notes, *meaning.notes)


@pytest.mark.parametrize(
    ("text", "ranks"),
    [
        ("w' S_B w + w' S_W w", {"w": 1, "S_B": 2, "S_W": 2}),
        ("a_1' X a_2", {"a_1": 1, "X": 2, "a_2": 1}),
        (r"x_{k+1}^T A x_k", {"x_{k+1}": 1, "A": 2, "x_k": 1}),
        (r"\ln|\Sigma_{xx} - \Sigma_{xy} \Sigma_{yy}^{-1} \Sigma_{yx}|", dict.fromkeys(
            ("Σ_{xx}", "Σ_{xy}", "Σ_{yy}", "Σ_{yx}"), 2)),
        (r"x_{new}^T A x_\text{old}", {"x_{new}": 1, "A": 2, "x_{old}": 1}),
        (r"W^{(2)} \tanh(W^{(1)} x)", {"W^{(2)}": 2, "W^{(1)}": 2, "x": 1}),
        ("A_{11} x + A_{12} y", {"A_11": 2, "x": 1, "A_12": 2, "y": 1}),
        ("W_1 x + W y", {"W_1": 2, "x": 1, "W": 2, "y": 1}),
        (r"\hat{x}^T A x", {"x̂": 1, "A": 2, "x": 1}),
        ("x'x + x_1", {"x": 1}),
        ("a_ij tr(A) + A_{12}", {"A": 2}),
        (r"\sum_{i,j} a_ij + tr(A)", {"A": 2}),
        (r"\sum_i c_i x_i", {"c": 1, "x": 1}),
        (r"\sum_i \alpha_i x_i' w", {"α": 1, "x": 2, "w": 1}),
        (r"\sum_{i=1}^n (y_i - w'x_i)^2", {"y": 1, "w": 1, "x": 2}),
        (r"\sum_i x_i^T A x_i", {"x": 2, "A": 2}),
        (r"\sum_i \|A x^{(i)} - b\|^2", {"A": 2, "x": 2, "b": 1}),
        (r"\sum_{i,j} \gamma_{ij} x_i x_j", {"γ": 2, "x": 1}),
    ],
)  # fmt: skip
def test_a_letter_with_a_subscript_is_a_name_or_an_entry(text, ranks):
    assert understood(text)[1] == ranks


def test_k_mn_of_two_sizes_is_the_commutation_matrix():
    assert settle(parse("K_mn vec(X)"), ["X"], ["m", "n"])[0] == t.Product((
        t.Constant("K", (t.Name("m"), t.Name("n"))), parse("vec(X)")))  # fmt: skip
    assert settle(parse("K_mn vec(X)"), ["X"])[0] == t.Product((t.Name("K_{mn}"), parse("vec(X)")))
    assert settle(parse("K_mn + tr(K)"), [], ["m", "n"])[0] == parse("K_mn + tr(K)")


def test_what_is_declared_is_a_name():
    assert understood("x'x + x_1 x'x_2", ["x_1", "x_2"], {"x_1": ()})[1] == {"x": 1, "x_1": 0, "x_2": 1}
    assert understood("S_W", ["S"])[1] == {"S_W": 2}
    assert understood("x_i", ["x"])[1] == {"x": 1}


@pytest.mark.parametrize(
    ("text", "read", "note"),
    [
        ("tr(A^t X)", "tr(Aᵀ X)", "A^t is read as Aᵀ"),
        ("x^t A x", "xᵀ A x", "x^t is read as xᵀ"),
        ("tr(X^{-t} A)", "tr(X⁻ᵀ A)", "X^(-t) is read as X⁻ᵀ"),
        ("tr(A^t) + t", "tr(A^t) + t", ""),
        (r"\sum_{t=1}^{3} tr(A^t)", "Σ_{t=1}^{3} tr(A^t)", ""),
        ("tr(X^{-2T} A)", "tr((X^(-2))ᵀ A)", ""),
        ("(b'x)^t", "(bᵀ x)ᵀ", "(bᵀ x)^t is read as (bᵀ x)ᵀ"),
        ("tr(A)^t", "tr(A)^t", ""),
    ],
)
def test_superscripts_that_are_no_powers(text, read, note):
    known = ["t"] if "+ t" in text else []
    tree, notes = settle(parse(text), known)
    assert str(tree) == read
    assert notes == ((note,) if note else ())


@pytest.mark.parametrize(
    ("text", "vectors"),
    [
        (r"(x - \mu)^T \Sigma^{-1} (x - \mu)", "μ"),
        (r"\|y - X \beta\|^2", "β"),
        (r"\|X \beta\|^2", "β"),
        ("beta' X' X beta", "β"),
        ("x'θ", "θ"),
        ("θ · x", "θ"),
        (r"\langle \theta, x\rangle", "θ"),
        (r"\lambda^T (A x - b)", "λ"),
        ("λ x'x", ""),
        ("tr(A λ)", ""),
        ("ln|λ I - A|", ""),
        (r"\lambda x^T A", ""),
        (r"\alpha \beta^T x", "β"),
        ("(A x - λ b)'(A x - λ b)", ""),
    ],
)
def test_greek_letters_are_vectors_where_only_that_fits(text, vectors):
    _, ranks, notes = understood(text)
    greek = {name for name, rank in ranks.items() if "α" <= name <= "ω" and rank}
    assert greek == set(vectors)
    assert notes == tuple(f"{name} is read as a vector" for name in vectors)


def test_capital_greek_letters_are_matrices():
    assert understood(r"x' Ω x + tr(\Lambda \Phi)")[1] == {"x": 1, "Ω": 2, "Λ": 2, "Φ": 2}


def test_letters_of_sizes_are_numbers_where_nothing_else_fits():
    assert understood(r"\frac{1}{n} \|X w - y\|^2")[1]["n"] == 0
    assert understood(r"\frac{N}{2} \ln|S|")[1]["N"] == 0
    assert understood("N x")[1]["N"] == 2
    assert understood("x'A x + b'x + c")[1]["c"] == 0
    assert understood("x'x/c")[1] == {"x": 1, "c": 0}
    with pytest.raises(FormulaError, match="c is l×1, X is m×n"):
        understood("c X")


def test_equations_of_sizes_are_solved_together():
    for square in (["A", "B", "X"], ["A", "B"], ["B", "X"], ["A", "X"], ["X", "A"]):
        tree = parse("|A X B|")
        shapes = understand(tree, variables(tree), {}, square).shapes
        assert set(shapes.values()) == {("l", "l")}


def test_names_as_they_are_typed():
    for text, name in {
        r"\Sigma_{xy}": "Σ_{xy}", "beta": "β", "mu": "μ", r"\hat x": "x̂", "S_W": "S_W", "W^{(1)}": "W^{(1)}",
        "rate": "rate", r"x_{\text{new}}": "x_{new}", "E_1": "E_1", "X": "X", r"\varphi": "φ",
    }.items():  # fmt: skip
        assert name_of(text) == name


def test_blocks_have_sizes_that_add_up():
    assert understood("ln|blkdiag(A, X)|")[1] == {"A": 2, "X": 2}
    tree = parse("tr(blkdiag(A, B) C)")
    assert understand(tree, variables(tree), {}).shapes["C"] == ("m+p", "l+n")
    with pytest.raises(FormulaError, match="a block is as large as all of the blocks"):
        understood("blkdiag(X, B) + X")
