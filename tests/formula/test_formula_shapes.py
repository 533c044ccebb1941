"""Shapes of formulas, and of variables from formulas."""

import pytest

from matcalc.formula import FormulaError, infer, parse
from matcalc.formula.shapes import deduce
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
