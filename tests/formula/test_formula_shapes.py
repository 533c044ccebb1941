"""Shapes of formulas, and of variables from formulas."""

import numpy as np
import pytest

from matcalc.formula import FormulaError, evaluate, infer, parse
from matcalc.formula.meaning import settle
from matcalc.formula.shapes import deduce
from matcalc.formula.sizes import size_in_numbers, size_product, size_quotient
from matcalc.formula.variables import variables

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
        ("L_exp(S, S')", ("n", "n")),
        ("L_exp(s, 2)", ()),
        ("vech(S)", ("n(n+1)/2",)),
        ("vech(S ⊗ S)", ("(n n)(n n+1)/2",)),
        ("duplication(n) vech(S)", ("n n",)),
        ("elimination(n) vec(S) + vech(S)", ("n(n+1)/2",)),
        ("vech(vech(S) vech(S)')", ("(n(n+1)/2)(n(n+1)/2+1)/2",)),
        ("unvec_mn(vec(A)) + A", ("m", "n")),
        ("unvec_{m n,p}(vec(A ⊗ B) + 0)", None),
        ("unvec_{m n,n p}(vec(A ⊗ B))", ("m n", "n p")),
        ("commutation(m, n) vec(A)", ("m n",)),
        ("I_mn vec(A)", ("m n",)),
        ("[1_3]_×", (3, 3)),
    ],
)
def test_shapes(text, shape):
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
        ("L_exp(A, A)", "A must be square and is m×n", "A"),
        ("L_exp(S, A)", "S is n×n, A is m×n", "A"),
        ("[x]_×", "is of vectors of length 3; x is n×1", "x"),
        ("vech(A)", "A must be square and is m×n", "A"),
        ("unvec_mn(x)", r"unvec_mn\(x\) is m×n, of a vector of as many entries; x is n×1", "x"),
        ("unvec_mn(A)", r"unvec_mn\(A\) is m×n, of a vector of as many entries; A is m×n", "A"),
        ("unvec_ij(0)", "nothing here tells the size of unvec_ij", "unvec_ij(0)"),
        ("A_i", "its entries have two subscripts", "A_i"),
        ("I", "nothing here tells the size of I", "I"),
        ("tr(e_i e_jᵀ)", "nothing here tells the size of e_i", "e_i"),
    ],
)
def test_mismatches(text, message, under):
    with pytest.raises(FormulaError, match=message) as caught:
        infer(parse(text), SHAPES)
    *_, line, carets = str(caught.value).splitlines()
    assert line[carets.index("^") : carets.rindex("^") + 1] == under


def test_the_expected_shape():
    assert infer(parse("0"), {}, ("m", "n")) == ("m", "n")
    assert infer(parse("E_ij"), {}, ("m", "n")) == ("m", "n")
    assert infer(parse("I ⊗ A"), {"A": (2, 3)}, (8, 12)) == (8, 12)
    with pytest.raises(FormulaError, match="the formula is m×n; expected n×m"):
        infer(parse("A"), SHAPES, ("n", "m"))
    with pytest.raises(FormulaError, match="does not divide"):
        infer(parse("I ⊗ A"), {"A": (3, 3)}, (8, 8))


def test_shapes_are_deduced():
    def shapes(text):
        tree = parse(text)
        return deduce(tree, variables(tree).ranks)

    assert shapes("tr(A X B)") == {"A": ("l", "m"), "X": ("m", "n"), "B": ("n", "l")}
    assert shapes("x' A x + λ") == {"x": ("l",), "A": ("l", "l"), "λ": ()}
    assert shapes("A ⊗ B") == {"A": ("l", "m"), "B": ("n", "p")}
    with pytest.raises(FormulaError, match="≠"):
        deduce(parse("A x"), {"A": 2, "x": 1}, {"A": (2, 3), "x": (2,)})


def test_sizes_in_kronecker_products_that_nothing_tells_are_asked_for():
    tree = parse("tr(A ⊗ X)")  # 2 p = 3 q has many solutions
    with pytest.raises(FormulaError, match="does not tell the sizes in its Kronecker products; give them"):
        deduce(tree, {"A": 2, "X": 2}, {"A": (2, 3)})
    assert deduce(tree, {"A": 2, "X": 2}, {"A": (2, 3), "X": (3, 2)})["X"] == (3, 2)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("a' vec(X)", {"a": ("l m",), "X": ("m", "l")}),
        ("x' kron(A, B) x", {"x": ("l m",), "A": ("l", "l"), "B": ("m", "m")}),
        ("x' blkdiag(kron(A, A), B) x", {"x": ("l l+m",), "A": ("l", "l"), "B": ("m", "m")}),
        ("a' vech(X)", {"a": ("l(l+1)/2",), "X": ("l", "l")}),
        ("tr(A unvec_mn(x))", {"A": ("n", "m"), "x": ("m n",)}),
        ("a' unvec_{2,n}(x)", {"a": (2,), "x": ("2 n",)}),
        ("D_n vech(S)", {"S": ("n", "n")}),
        ("[a]_× b", {"a": (3,), "b": (3,)}),
        ("L_ln(A X, V)", {"A": ("l", "m"), "X": ("m", "l"), "V": ("l", "l")}),
    ],
)
def test_sizes_that_are_composed_of_others_are_deduced(text, shapes):
    tree, _ = settle(parse(text), (), "mn")
    assert deduce(tree, {name: rank for name, rank in variables(tree).ranks.items()}) == shapes
    infer(tree, shapes | dict.fromkeys(variables(tree).integers, ()))


def test_the_side_of_a_triangle_is_found():
    tree = parse("vech(X) + a")
    assert deduce(tree, {"X": 2, "a": 1}, {"a": (6,)})["X"] == (3, 3)
    assert deduce(tree, {"X": 2, "a": 1}, {"a": ("k(k+1)/2",)})["X"] == ("k", "k")
    with pytest.raises(FormulaError, match="7 is n\\(n\\+1\\)/2, the length of vech of an n×n matrix, for no n"):
        deduce(tree, {"X": 2, "a": 1}, {"a": (7,)})
    with pytest.raises(FormulaError, match="vech\\(S\\) is as long as S"):
        deduce(parse("X vech(X)"), {"X": 2})
    both = deduce(parse("(vech(X) - vech(Y))' A 1"), {"X": 2, "Y": 2, "A": 2})
    assert both["X"] == both["Y"]


@pytest.mark.parametrize(
    ("size", "number"),
    [("m", 3), ("2 m n", 24), ("m n+p", 17), ("2 (m+n)", 14), ("(m+n) p", 35), ("n(n+1)/2", 10), ("m n(n+1)/2", 30),
     ("(m n)(m n+1)/2", 78), ("(m+n)(m+n+1)/2+p", 33), ("(m(m+1)/2)(m(m+1)/2+1)/2", 21)],
)  # fmt: skip
def test_sizes_in_numbers(size, number):
    assert size_in_numbers(size, {"m": 3, "n": 4, "p": 5}) == number


def test_products_and_sums_of_sizes_do_not_mix():
    shapes = {"A": ("m", "n"), "B": ("n", "p"), "C": ("p", "m")}
    numbers = {"m": 2, "n": 3, "p": 4}
    values = {name: np.ones([numbers[size] for size in shape]) for name, shape in shapes.items()}
    for text in ("blkdiag(A ⊗ B, C)", "A ⊗ blkdiag(B, C)", "blkdiag(A, B) ⊗ blkdiag(B, C)", "vec(blkdiag(A, B ⊗ C))"):
        tree = parse(text)
        assert tuple(size_in_numbers(s, numbers) for s in infer(tree, shapes)) == evaluate(tree, values).shape, text
    whole = size_product("m+n", size_product(2, "p"))
    assert (size_quotient(whole, "m+n"), size_quotient(whole, "2 p"), size_quotient(whole, "m")) == ("2 p", "m+n", None)
