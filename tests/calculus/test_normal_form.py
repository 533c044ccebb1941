"""The normal form keeps values, whatever is known of the variables; what it has simplified it does not change again."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_formulas import FACTS, NAMES, formulas, points, spread, value

from matcalc.calculus import Algebra, NotDerivable, terms
from matcalc.calculus.products import commutation
from matcalc.calculus.shorten import shortest
from matcalc.calculus.terms import SCALAR, UNIT, identity, ones, product, times
from matcalc.formula import tree as t

SAME_EVERY_TIME = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
A, B, X, S, Q, P = map(t.Name, "ABXSQP")
x, y = map(t.Name, "xy")
α, β = map(t.Name, "αβ")
n, m = map(t.Name, "nm")
POINT = points(0)


def simplified(a, f):
    try:
        return a.simplify(f)
    except NotDerivable:  # it divides by 0
        assume(False)


def same(f, g, dims, point=POINT):
    """Whether g has the value of f, where f has one that rounding does not move."""
    expected, uncertain = spread(f, dims, point)
    assume(np.all(np.isfinite(expected)) and uncertain < 1e-6 and np.abs(expected).max() < 1e8)
    return np.allclose(value(g, dims, point), expected, rtol=1e-7, atol=1e-7 + 1e4 * uncertain)


@SAME_EVERY_TIME
@given(formulas(), st.booleans())
def test_it_keeps_the_value_and_leaves_itself_alone(f, is_known):
    a = Algebra(NAMES, FACTS if is_known else {})
    g = simplified(a, f)
    assert same(f, g, a.dims(f)), f"{f} became {g}"
    assert a.simplify(g) == g


@SAME_EVERY_TIME
@given(formulas())
def test_the_transpose_is_that_of_the_value(f):
    a = Algebra(NAMES, FACTS)
    rows, columns = a.dims(f)
    g = simplified(a, t.Transpose(f))
    turned = value(g, (columns, rows), POINT)
    expected, uncertain = spread(f, (rows, columns), POINT)
    assume(np.all(np.isfinite(expected)) and uncertain < 1e-6 and np.abs(expected).max() < 1e8)
    if UNIT not in (rows, columns):
        expected = expected.T
    assert np.allclose(turned.reshape(-1), expected.reshape(-1), rtol=1e-7, atol=1e-7 + 1e4 * uncertain)


@SAME_EVERY_TIME
@given(st.data())
def test_the_order_of_a_sum_does_not_matter(data):
    dims = data.draw(st.sampled_from([SCALAR, ("n", UNIT), ("n", "n"), ("m", "n")]))
    parts = [data.draw(formulas(dims, depth=2)) for _ in range(3)]
    a = Algebra(NAMES, FACTS)
    try:
        polys = [a.poly(t.Sum(tuple(order))) for order in itertools.permutations(parts)]
    except NotDerivable:
        assume(False)
    assert len(set(map(frozenset, polys))) == 1


@SAME_EVERY_TIME
@given(formulas(), st.booleans())
def test_the_shortest_form_has_the_same_value_and_is_not_longer(f, is_known):
    a = Algebra(NAMES, FACTS if is_known else {})
    dims = a.dims(f)
    plain = simplified(a, f)
    assume(dims[0] != UNIT or dims == SCALAR)
    g = shortest(a, f, dims)
    assert same(f, g, dims), f"{f} became {g}"
    assert terms.length(g) <= terms.length(plain) + 1  # the sign of a first term may move


@pytest.mark.parametrize("known", [{}, FACTS], ids=["nothing known", "facts"])
@pytest.mark.parametrize("letter", "XSQP")
def test_all_words_of_a_matrix_its_pseudoinverse_and_their_transposes(letter, known):
    """Also of a matrix without an inverse, where no fact says that it has one."""
    M = t.Name(letter)
    a, point = Algebra(NAMES, known), dict(POINT)
    if known.get(M, frozenset()).isdisjoint({"invertible"}):
        for_rank = np.diag([1.0, 1.0, 0.0])
        point[letter] = for_rank @ point[letter] @ for_rank if letter == "S" else point[letter] @ for_rank
    pinv = t.Apply("pinv", M)
    letters = [M, pinv, t.Transpose(M), t.Transpose(pinv)]
    for word in itertools.chain(*(itertools.product(letters, repeat=k) for k in (2, 3, 4))):
        f = product(*word)
        assert np.allclose(value(f, ("n", "n"), point), value(a.simplify(f), ("n", "n"), point)), f


def e(i):
    return terms.unit(t.Number(i), "n")


AS = [  # what each becomes, in an algebra that knows the facts
    (t.Sum((X, X)), "2 X"),
    (t.Sum((X, t.Neg(X))), "0"),
    (product(x, t.Transpose(y), x), "(yᵀ x) x"),
    (product(t.Transpose(y), S, x), "yᵀ S x"),
    (product(X, terms.inverse(X)), "I_n"),
    (product(t.Power(X, t.Number(2)), t.Power(X, t.Number(3))), "X⁵"),
    (product(t.Transpose(Q), Q), "I_n"),
    (t.Transpose(S), "S"),
    (t.Transpose(product(P, S)), "S P"),
    (t.Apply("pinv", P), "P⁻¹"),
    (t.Apply("pinv", t.Apply("pinv", A)), "A"),
    (t.Apply("pinv", product(β, A)), "A⁺/β"),
    (terms.trace(product(A, B)), "tr(A B)"),
    (terms.minus(terms.trace(product(A, X, B)), terms.trace(product(B, A, X))), "0"),
    (terms.minus(terms.trace(product(A, B)), terms.trace(product(t.Transpose(A), t.Transpose(B)))), "0"),
    (terms.trace(product(x, t.Transpose(y))), "yᵀ x"),
    (terms.trace(identity("n")), "n"),
    (t.Apply("sum", identity("n")), "n"),
    (product(t.Transpose(ones(("n", UNIT))), ones(("n", UNIT))), "n"),
    (product(t.Transpose(ones(("n", UNIT))), t.Infix("⊙", x, y)), "xᵀ y"),
    (product(t.Apply("diag", x), y), "x ⊙ y"),
    (product(terms.inverse(t.Apply("diag", x)), y), "y ⊘ x"),
    (t.Infix("⊙", identity("n"), X), "diag(diag(X))"),
    (t.Infix("⊘", X, identity("n")), "X ⊘ I_n"),
    (t.Infix("⊙", product(x, t.Transpose(y)), X), "diag(x) X diag(y)"),
    (t.Infix("⊘", X, product(x, t.Transpose(y))), "diag(x)⁻¹ X diag(y)⁻¹"),
    (t.Infix(".^", t.Infix("⊙", x, x), terms.number(terms.HALF)), "(x.^2).^(1/2)"),  # it is |x|
    (t.Infix(".^", t.Infix(".^", t.Infix("⊙", x, y), terms.number(terms.HALF)), t.Number(2)), "x ⊙ y"),
    (t.Apply("sqrt", product(α, β)), "sqrt(α β)"),
    (t.Power(t.Apply("sqrt", product(α, β)), t.Number(2)), "α β"),
    (t.Apply("det", t.Neg(α)), "|α|"),
    (t.Power(t.Apply("det", α), t.Number(2)), "α²"),
    (t.Apply("det", product(X, Q)), "|Q| |X|"),
    (t.Apply("norm", product(t.Number(-1 * -2), t.Transpose(A))), "2 ‖A‖"),
    (terms.quotient(t.Apply("adj", X), t.Apply("det", X)), "X⁻¹"),
    (product(t.Infix("⊗", X, Q), t.Infix("⊗", S, t.Transpose(Q))), "(X S) ⊗ I_n"),
    (product(commutation("m", "n"), commutation("n", "m")), "I_{m n}"),
    (product(t.Infix("⊗", X, t.Apply("exp", product(A, B))), commutation("n", "m")), "K_nm (exp(A B) ⊗ X)"),
    (t.Apply("cos", t.Sum((X, t.Neg(X)))), "I_n"),
    (t.Apply("sigmoid", t.Sum((x, t.Neg(x)))), "𝟏_n/2"),
    (product(t.Transpose(e(1)), X, e(2)), "X_{1,2}"),
    (t.Infix("×", x, x), "0"),
    (product(t.Sum((X, S)), t.Transpose(X)), "(X + S) Xᵀ"),  # a sum stays closed
    (t.Frechet("exp", X, product(β, S)), "β L_exp(X, S)"),
    (t.Sigma("i", t.Number(1), n, product(t.Entry(x, (t.Name("i"),)), terms.unit("i", "n"))), "x"),
    (t.Sigma("i", t.Number(1), n, product(t.Entry(x, (t.Name("i"),)), t.Entry(y, (t.Name("i"),)))), "xᵀ y"),
    (t.Sigma("i", t.Number(1), n, t.Entry(X, (t.Name("i"), t.Name("i")))), "tr(X)"),
    (t.Sigma("i", t.Number(1), n, product(β, x)), "n β x"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "expected"), AS, ids=[str(f) for f, _ in AS])
def test_rules(f, expected):
    a = Algebra(NAMES, FACTS)
    g = a.simplify(f)
    assert str(g) == expected
    dims = a.dims(f)
    if str(f) != "x × x":  # which is of three entries, and n need not be 3
        expected = value(f, dims, POINT)
        has_value = np.isfinite(expected)
        assert np.allclose(value(g, dims, POINT)[has_value], expected[has_value])


def test_kronecker_products_meet_commutations_of_their_own_sizes_only():
    """(I_n ⊗ M) K_mp of other sizes, whose products are the same, is left as it is."""
    a = Algebra({"M": ("n n", "n n"), "X": ("n", "n")}, {})
    K = commutation(times("n", "n"), "n")
    f = product(t.Infix("⊗", identity("n"), t.Name("M")), K)
    assert a.simplify(f) == f
    turned = product(t.Infix("⊗", t.Name("M"), identity("n")), K)
    assert str(a.simplify(turned)) == f"{K} (I_n ⊗ M)"


def test_the_trace_of_what_commutes_around_a_circle_ends():
    a = Algebra(NAMES, {})
    f = terms.trace(product(t.Infix("⊗", X, Q), commutation("n", "n"), t.Infix("⊗", S, Q)))
    g = a.simplify(f)
    assert np.allclose(value(g, SCALAR, POINT), value(f, SCALAR, POINT))


@pytest.mark.parametrize("f", [t.Power(t.Sum((α, t.Neg(α))), t.Neg(t.Number(1))), t.Apply("inv", t.Sum((X, t.Neg(X)))),
                               t.Apply("adj", t.Sum((X, t.Neg(X)))), t.Apply("softmax", t.Sum((x, t.Neg(x))))],
                         ids=str)  # fmt: skip
def test_what_has_no_normal_form_is_said(f):
    with pytest.raises(NotDerivable):
        Algebra(NAMES, {}).simplify(f)


def test_common_factors_are_looked_for_up_to_a_bound(monkeypatch):
    """Without the bound all is factored, with it as much as was reached, with the same value."""
    f = t.Sum(tuple(product(t.Name(left), X, t.Name(right)) for left, right in itertools.product("SQP", "SQP")))
    f = t.Sum((*f.terms, product(S, S)))
    whole, part = Algebra(NAMES, {}), Algebra(NAMES, {})
    full = shortest(whole, f, ("n", "n"))
    monkeypatch.setattr("matcalc.calculus.shorten.MOST_COMPARED", 100)
    cut = shortest(part, f, ("n", "n"))
    assert terms.length(full) < terms.length(cut)
    for g in (full, cut):
        assert np.allclose(value(g, ("n", "n"), POINT), value(f, ("n", "n"), POINT))
