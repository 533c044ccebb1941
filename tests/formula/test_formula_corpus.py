"""Every formula of the book's kind is read, printed, read back, sized and evaluated."""

import time

import numpy as np
import pytest

from matcalc.formula import evaluate, infer, parse, parse_equation, terms

VALUES = """
aᵀ x = xᵀ a | bᵀ A x | e_iᵀ A x | x_i | xᵀ A x = Σ_{i=1}^{n} Σ_{j=1}^{n} a_ij x_i x_j | βᵀ Aᵀ A β | xᵀ x = ‖x‖²
xᵀ b aᵀ x = aᵀ x xᵀ b | (A x + b)ᵀ C (D x + e) = xᵀ Aᵀ C D x + bᵀ C D x + xᵀ Aᵀ C e + bᵀ C e | ‖x - a‖ | A x | Aᵀ x
x | (x - a)/‖x - a‖ | x + (s - x_i) e_i | X + (s - x_ij) E_ij | [X⁻¹]_kl | A (X + (s - x_ij) E_ij) B
Σ_{i=1}^{p} c_i X^(i-1) | tr(X)
tr(Aᵀ X) = tr(A Xᵀ) | tr(A X B) = tr(B A X) | tr(B A Xᵀ) = tr(X Aᵀ Bᵀ) = tr(Aᵀ Bᵀ X) | tr(A X Xᵀ) | tr(X A Xᵀ B)
tr(A X⁻¹ B) = tr(B A X⁻¹) | tr((X + A)⁻¹) | tr(A X B Xᵀ C) | tr(A X^k B) = tr(B A X^k) | tr(X^k) | tr(exp(X))
tr(sin(X)) | tr(A ⊗ X) | tr(X ⊗ X) | aᵀ X b | aᵀ Xᵀ X a = ‖X a‖² | (X a - b)ᵀ (X a - b) = ‖X a - b‖²
‖X Aᵀ - B‖² = tr((X Aᵀ - B)ᵀ (X Aᵀ - B)) | |X| | |A X B| | |X^k| = |X|^k | |Xᵀ A X|
ln |Xᵀ X| | |Y + c E_ji| - |Y| ? c | U V W | U^k | U⁻¹ | U ⊗ V | U ⊙ V | uᵀ A v | exp(X) = Σ_{i=1}^{20} X^(i-1)/(i-1)!
u × v ? 3 | ln |det(a X)| ? a | n ln(a) ? a | exp(x A) ? x | ln(x A) ? x | sin(x A) ? x
Σ_{i=1}^{p} c_i (x A)^(i-1) ? x
"""
DERIVATIVES = """
a | Aᵀ b | Aᵀ e_i | e_i | (A + Aᵀ) x = A x + Aᵀ x | 2 A x | A + Aᵀ | 2 Aᵀ A β | 2 x
(a bᵀ + b aᵀ) x = (aᵀ x) b + (bᵀ x) a | Aᵀ C (D x + e) + Dᵀ Cᵀ (A x + b) | (x - a)/‖x - a‖ | A | I
(I - ((x - a)/‖x - a‖) ((x - a)/‖x - a‖)ᵀ)/‖x - a‖ = I/‖x - a‖ - (x - a) (x - a)ᵀ/‖x - a‖³ | E_ij
-[X⁻¹]_ki [X⁻¹]_jl = -tr(E_lk X⁻¹ E_ij X⁻¹) | -X⁻ᵀ E_kl X⁻ᵀ | A E_ij B
∂u × v + u × ∂v ? 3
Σ_{i=2}^{p} (i-1) c_i A (x A)^(i-2) ? x | A exp(x A) = exp(x A) A ? x | A (x A)⁻¹ = I/x ? x | -A sin(x A) ? x
Aᵀ Bᵀ | B A | (A + Aᵀ) X | Bᵀ X Aᵀ + B X A | -X⁻ᵀ Aᵀ Bᵀ X⁻ᵀ | -((X + A)⁻¹ (X + A)⁻¹)ᵀ | C A X B + Aᵀ Cᵀ X Bᵀ
Σ_{i=1}^{k} (X^(i-1))ᵀ Aᵀ Bᵀ (X^(k-i))ᵀ | k (Xᵀ)^(k-1) | exp(X)ᵀ | -sin(X)ᵀ | tr(A) I | 2 tr(X) I | a bᵀ | 2 X a aᵀ
2 (X a - b) aᵀ | 2 (X Aᵀ - B) A | adj(X)ᵀ = |X| X⁻ᵀ | Aᵀ adj(A X B)ᵀ Bᵀ = |A X B| Aᵀ (A X B)⁻ᵀ Bᵀ
k |X|^(k-1) adj(X)ᵀ = k |X|^k X⁻ᵀ | X⁻ᵀ = adj(X)ᵀ/|X| | 0 | A X adj(Xᵀ A X) + Aᵀ X adj(Xᵀ A X)ᵀ
|Xᵀ A X| (A X (Xᵀ A X)⁻¹ + Aᵀ X (Xᵀ A X)⁻ᵀ) | 2 |X|² |A| X⁻ᵀ | 2 |Xᵀ X| (X⁺)ᵀ = 2 |Xᵀ X| X (Xᵀ X)⁻¹
∂U V + U ∂V | ∂U V W + U ∂V W + U V ∂W | Σ_{i=1}^{k} U^(i-1) ∂U U^(k-i) | -U⁻¹ ∂U U⁻¹
U⁻¹ (∂_yU U⁻¹ ∂_xU - ∂²U + ∂_xU U⁻¹ ∂_yU) U⁻¹ | ∂U ⊗ V + U ⊗ ∂V | ∂U ⊙ V + U ⊙ ∂V
(∂v)ᵀ Aᵀ u + (∂u)ᵀ A v ? J | v ∂u + u (∂v)ᵀ ? g | a ∂U ? a | ∂U + ∂V | A ∂U B | tr((∂g)ᵀ ∂U)
"""


def _cases(corpus):
    """The formulas of a corpus: between bars that stand alone with spaces, and lines."""
    cases: list[str] = []
    for line in corpus.strip().splitlines():
        open_bar = ""
        for piece in line.split(" | "):
            open_bar = f"{open_bar} | {piece}" if open_bar else piece
            if open_bar.count("|") % 2 == 0:
                cases.append(open_bar)
                open_bar = ""
    return cases


CASES = list(dict.fromkeys(_cases(VALUES) + _cases(DERIVATIVES)))


# Formulas in which nothing but the result's shape sizes a constant.
UNSIZED: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("I", "0", "E_ij", "tr(A) I", "2 tr(X) I", "A (x A)⁻¹ = I/x"), (4, 4)),
    "e_i": (4,),
}


def _values(tag, n=4):
    random = np.random.default_rng(0)
    matrices = ["A", "B", "C", "D", "U", "V", "W", "X", "Y", "dU", "dV", "dW", "dU_dx", "dU_dy", "d2U", "dg"]
    values: dict[str, object] = {name: np.eye(n) + 0.2 * random.normal(size=(n, n)) for name in matrices}
    values |= {name: random.normal(size=n) for name in ["a", "b", "c", "e", "x", "u", "v", "β"]}
    values |= {"k": 3, "i": 1, "j": 2, "l": 0, "p": n, "s": np.float64(0.7)}
    if tag == "3":
        values |= {name: random.normal(size=3) for name in ["u", "v", "du", "dv"]}
    elif tag == "J":
        values |= {name: random.normal(size=(n, n)) for name in ["du", "dv"]}
    elif tag == "g":
        values |= {"v": np.float64(2.0), "u": np.float64(3.0), "du": np.float64(0.1), "dv": np.float64(0.2)}
    elif tag:
        values[tag] = np.float64(1.3)
    return values


def _turned(shape):
    return None if shape is None else (1, *shape) if len(shape) == 1 else shape[::-1]


def test_there_are_enough_cases():
    assert len(CASES) > 110


@pytest.mark.parametrize("line", CASES)
def test_read_print_and_evaluate(line):
    text, _, tag = line.partition(" ? ")
    sides = parse_equation(text)
    values, sizes = _values(tag.strip()), {"n": 4}
    shape = UNSIZED.get(text)
    results = [np.asarray(evaluate(side, values, sizes=sizes, shape=shape)) for side in sides]
    shapes = {name: np.shape(value) for name, value in values.items()} | {"n": ()}
    for side, result in zip(sides, results, strict=True):
        assert parse(str(side)) == side
        assert parse(side.ascii()) == side
        assert parse(side.tex()) == side
        assert side.ascii().isascii()
        assert infer(side, shapes, shape) == result.shape
        turned = np.asarray(evaluate(side.T, values, sizes=sizes, shape=_turned(shape)))
        expected = result.T if result.ndim == 2 else result
        np.testing.assert_allclose(turned.reshape(expected.shape), expected, rtol=1e-9, atol=1e-12)
        if len(terms(side)) > 1:
            total = sum(np.asarray(evaluate(term, values, sizes=sizes, shape=result.shape)) for term in terms(side))
            np.testing.assert_allclose(total, result, rtol=1e-9, atol=1e-12)
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-7, atol=1e-9)


def test_fast():
    """Reading and evaluating the corpus takes far less than a second (a generous bound for busy machines)."""
    import matcalc.formula.parser as parser

    parser.parse("x")
    prepared = [(case.partition(" ? ")[0], _values(case.partition(" ? ")[2].strip())) for case in CASES]
    start = time.perf_counter()
    for text, values in prepared:
        shape = UNSIZED.get(text)
        for side in parse_equation(text):
            evaluate(side, values, sizes={"n": 4}, shape=shape)
    assert time.perf_counter() - start < 3
