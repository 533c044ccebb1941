"""Every rule of the tables: differentials by finite differences, adjoints and Jacobians by their definitions."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_formulas import FACTS, NAMES, SIZES, along, formulas, points, slope, value

from matcalc.calculus import Algebra, NotDerivable, derivative, terms
from matcalc.calculus.adjoint import adjoint
from matcalc.calculus.differential import LINEAR, OF_FUNCTIONS, OF_ONE_NUMBER, differential, name_of_rule, rule_of
from matcalc.calculus.jacobian import jacobian
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import SCALAR, UNIT
from matcalc.formula import parse
from matcalc.formula import tree as t
from matcalc.formula.shapes import typed
from matcalc.formula.sizes import shape_of_array, size_in_numbers
from matcalc.formula.words import MATRIX_FUNCTIONS

ALL = {**NAMES, "a": (3, UNIT), "b": (3, UNIT), "R": (3, 3), "w": ("m n", UNIT)}


def read(text):
    """A formula whose constants carry their sizes."""
    shapes = {name: shape_of_array(dims) for name, dims in ALL.items()}
    known = {name: () for name in ("n", "m", "i", "j", "k", "l")}
    return with_sizes(typed(parse(text), {**shapes, **known}))


def point_of(seed):
    rng = np.random.default_rng(seed)
    point = points(seed)
    for name, dims in ALL.items():
        if name not in point:
            point[name] = rng.normal(size=[size_in_numbers(size, SIZES) for size in shape_of_array(dims)])
    return point


# --- Differentials

NUMBERS = {"α": 0.7, "x": np.array([0.3, 1.1, 0.6]), "X": np.diag([1.0, 2.0, 3.0]) + 0.1 * np.arange(9.0).reshape(3, 3)}
RULES = [
    *[(f"{g}(α)", "α") for g in OF_ONE_NUMBER],
    *[(f"{g}(α x)", "α") for g in OF_ONE_NUMBER],
    *[(f"{g}(x)", "x") for g in OF_ONE_NUMBER],
    *[(f"{g}{'.' if g in MATRIX_FUNCTIONS else ''}(X)", "X") for g in OF_ONE_NUMBER],
    *[(f"{g}(X)", "X") for g in MATRIX_FUNCTIONS],
    *[(f"{g}(α X)", "α") for g in MATRIX_FUNCTIONS],
    # Determinants and inverses
    ("|α|", "α"), ("|X|", "X"), ("|A X B|", "X"), ("|X P|", "P"), ("X^-1", "X"), ("A X^-1 B", "X"), ("1/α", "α"),
    ("X^+", "X"), ("A^+", "A"), ("B^+", "B"), ("adj(X)", "X"), ("adj(X S)", "X"),
    # Norms and functions of vectors
    ("||X||", "X"), ("||x||", "x"), ("||x||_2", "x"), ("||x||_1", "x"), ("norm1(x - y)", "x"), ("norm2(A x)", "x"),
    ("||X||_*", "X"),
    ("logsumexp(x)", "x"), ("softmax(A x)", "x"), ("logsumexp(A' u)", "A"),
    # What is linear
    ("tr(X)", "X"), ("sum(A)", "A"), ("sum(x)", "x"), ("mean(A)", "A"), ("mean(x)", "x"), ("vec(A)", "A"),
    ("vech(X)", "X"), ("diag(X)", "X"), ("diag(x)", "x"), ("tril(X)", "X"), ("triu(X)", "X"), ("[a]_×", "a"),
    ("-X", "X"), ("A'", "A"), ("X + S", "X"), ("3 A", "A"), ("A/β", "A"),
    ("x_2", "x"), ("X_{1,3}", "X"), ("unvec_{mn}(w)", "w"),
    # Products and quotients
    ("X A' B'", "X"), ("X X X", "X"), ("α A", "α"), ("x x' X", "x"), ("A/α", "α"), ("(x' x) A/(1 + x' x)", "x"),
    ("X .* S", "X"), ("X .* X", "X"), ("X ./ S", "X"), ("S ./ X", "X"), ("kron(A, X)", "X"), ("kron(X, X)", "X"),
    ("kron(x, A)", "x"), ("cross(a, b)", "a"), ("cross(a, b)", "b"), ("dot(x, y)", "x"),
    # Powers
    ("α^3", "α"), ("(x' x)^-2", "x"), ("β^α", "α"), ("(x' x)^(1/2)", "x"), ("α^α", "α"),
    ("X^2", "X"), ("X^3", "X"), ("X^5", "X"), ("X^-2", "X"), ("X^-5", "X"), ("x.^3", "x"), ("X.^2", "X"),
    ("x.^-1", "x"), ("(x .* x).^(1/2)", "x"),
    # Sums
    ("sum_{i=1}^n x_i^i", "x"), ("sum_{i=1}^3 tr(X^i)", "X"), ("sum_{i=1}^n sum_{j=1}^n X_ij x_i y_j", "X"),
    ("sum_{i=1}^4 X^i", "X"), ("sum_{i=1}^n x_i^2 I_n e_i", "x"),
]  # fmt: skip


def _id(rule):
    return " by ".join(rule)


@pytest.mark.parametrize(("text", "x"), dict.fromkeys(RULES), ids=map(_id, dict.fromkeys(RULES)))
def test_differentials(text, x):
    """They are the slopes of finite differences, also after they were simplified."""
    f = read(text)
    names = {**ALL, f"d{x}": ALL[x]}
    a = Algebra(names, {}, f"d{x}")
    dims = a.dims(f)
    point = {**point_of(3), **NUMBERS, "β": np.array(1.3), "P": point_of(3)["P"]}
    v = np.random.default_rng(5).normal(size=np.shape(point[x]))
    expected = slope(lambda p: value(f, dims, p, names), point, x, v)
    dF = differential(a, f, {x: t.Derivative(x)})
    arguments = {**point, f"d{x}": v}
    if dF is None or not a.poly(dF):
        assert np.allclose(expected, 0, atol=1e-8)
        return
    for tree in (dF, a.simplify(dF)):
        assert np.allclose(value(tree, dims, arguments, names), expected, rtol=1e-6, atol=1e-7), tree


def test_every_function_of_the_tables_is_tested():
    tested = {node.function.removesuffix(".") for text, _ in RULES for node in t.nodes(parse(text)) if
              isinstance(node, t.Apply)}  # fmt: skip
    assert {*OF_ONE_NUMBER, *OF_FUNCTIONS, *LINEAR} <= tested


def test_rules_have_names():
    a = Algebra(ALL, {})
    told = {text: name_of_rule(a, read(text)) for text, _ in RULES}
    assert told["X^-1"] == "dU⁻¹ = -U⁻¹ dU U⁻¹"
    assert told["tanh(α)"] == "d tanh(u) = (1 - tanh(u)²) du"
    assert told["tr(X)"] == "tr is linear"
    assert told["exp(X)"] == "the Fréchet derivative L_exp(U, dU)"
    assert told["X ./ S"] == "quotient rule"
    assert all(told.values())


@pytest.mark.parametrize(
    ("text", "x", "said"),
    [
        ("max(x)", "x", "no rule for max"),
        ("||X||_2", "X", "spectral norm"),
        ("x.^y", "y", "the exponent of"),
        ("X^k", "k", "the exponent of a matrix is an integer"),
        ("L_exp(X, S)", "X", "the derivative of L_exp"),
        ("blkdiag(X, S)", "X", "a block of"),
    ],
)
def test_what_has_no_rule_is_said(text, x, said):
    a = Algebra(ALL, {}, f"d{x}")
    a.names[f"d{x}"] = ALL.get(x, SCALAR)
    with pytest.raises(NotDerivable, match=said):
        differential(a, read(text), {x: t.Derivative(x)})


# --- Linear operations: their adjoints and their matrices

D, d, δ, D3 = t.Derivative("X"), t.Derivative("x"), t.Derivative("α"), t.Derivative("a")


def linear(text, E=D):
    """A formula in which E stands for Y, y or b."""
    return terms.at(read(text), {"Y": E, "y": E, "b": E})


OPERATIONS = [
    *[linear(text) for text in ("Y", "-Y", "Y'", "A Y B", "B' Y' A'", "A Y + A Y'", "Y + S Y", "Y/β", "β Y")],
    *[linear(text) for text in ("X .* Y", "Y .* X'", "Y ./ X", "Y' .* X", "tr(X Y) A", "sum(Y) X", "(x' Y x) A")],
    *[linear(text) for text in ("diag(Y)", "diag(Y x)", "tril(Y)", "triu(A Y B)", "tr(Y)", "sum(Y)", "vec(Y)")],
    *[linear(text) for text in ("vec(Y)' vec(X)", "x' Y", "Y x", "A Y x", "[Y]_{2,1}", "[A Y]_{1,3}", "[Y x]_2")],
    *[linear(text) for text in ("kron(A, Y)", "kron(Y, A)", "kron(A, A Y)", "kron(Y', A)", "tr(kron(Z, Y))")],
    *[linear(text) for text in ("L_exp(X, Y)", "tr(A L_exp(X, Y) B)", "L_sqrt(P, Y)", "L_sin(X, Y S)")],
    *[linear(text) for text in ("sum_{i=1}^3 X^i Y X^(3-i)", "Y (I - X)", "unvec_{nn}(vec(Y)) S")],
    *[linear(text, d) for text in ("y", "A y", "y x' S", "x y'", "diag(y)", "diag(y) X", "y .* x", "x' y")],
    *[linear(text, d) for text in ("kron(x, y)", "kron(y, x)", "sum(y) A", "y ./ x", "[y]_2", "(x' y) x")],
    *[linear(text, d) for text in ("sum_{i=1}^n [y]_i I_n e_i", "sum_{i=1}^n [y]_i X^i")],
    *[linear(text, D3) for text in ("cross(a, b)", "cross(b, a)", "cross(cross(a, b), a)")],
    *[linear(text, D3) for text in ("[b]_×", "[b]_× a", "tr(R [b]_×)", "R [b]_× R")],
]  # fmt: skip
OPERATIONS += [terms.product(δ, t.Name("A")), terms.product(t.Name("x"), δ), δ]


def of_operation(E):
    """The variable and what it needs to be evaluated."""
    (x,) = {node.of for node in t.nodes(E) if isinstance(node, t.Derivative)}
    key = f"d{x}"
    names = {**ALL, key: ALL[x]}
    point = point_of(7)
    point["X"] = NUMBERS["X"]
    a = Algebra(names, {}, key)
    return a, key, x, names, point


@pytest.mark.parametrize("E", OPERATIONS, ids=str)
def test_adjoints(E):
    """⟨G, E(V)⟩ = ⟨E*(G), V⟩ for a random G and V."""
    a, key, x, names, point = of_operation(E)
    dims, rng = a.dims(E), np.random.default_rng(11)
    G = t.Name("G")
    a.names["G"] = names["G"] = dims
    point["G"] = rng.normal(size=[size_in_numbers(size, SIZES) for size in shape_of_array(dims)])
    point[key] = rng.normal(size=np.shape(point[x]))
    expected = np.sum(point["G"] * value(E, dims, point, names))
    for tree in (E, a.simplify(E)):
        pulled = t.sum_of(list(adjoint(a, G, tree)))
        for way in (pulled, a.simplify(pulled)):
            found = np.sum(value(way, ALL[x], point, names) * point[key])
            assert np.isclose(found, expected, rtol=1e-9), way


@pytest.mark.parametrize("E", [E for E in OPERATIONS if t.Derivative("α") not in t.nodes(E)], ids=str)
def test_jacobians(E):
    """vec(E(V)) = J vec(V) for a random V."""
    a, key, x, names, point = of_operation(E)
    dims = a.dims(E)
    point[key] = np.random.default_rng(13).normal(size=np.shape(point[x]))
    try:
        J = jacobian(a, a.simplify(E))
    except NotDerivable:
        assert "L_" in str(E) or "⊗" in str(E), "only these have no matrix"
        return
    E_V = value(E, dims, point, names)
    shape = (terms.times(*dims), terms.times(*ALL[x]))
    for way in (J, a.simplify(J)):
        M = np.reshape(value(way, shape, point, names), [size_in_numbers(n, SIZES) for n in shape])
        assert np.allclose(M @ point[key].ravel(order="F"), E_V.ravel(order="F")), way


# --- All of it together

EVERY_TIME = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
BESIDE = (("A", "y", "α"), ("B", "X", "v"), ("P", "u", "β"), ("x", "A", "X"))


@EVERY_TIME
@given(st.data(), st.sampled_from("XxαASP"), st.booleans(), st.booleans())
def test_derivatives_of_random_formulas(data, x, is_known, is_twice):
    """Gradients, Jacobians and Hessians are the slopes of finite differences where these agree with each other."""
    names = tuple(dict.fromkeys((x, *data.draw(st.sampled_from(BESIDE)))))
    f = data.draw(formulas(SCALAR if is_twice else None, depth=3, names=names))
    assume(t.Name(x) in t.nodes(f))
    facts = FACTS if is_known else {}
    wrt = [x, x] if is_twice and NAMES[x][1] == UNIT else [x]
    try:
        found = derivative(f, NAMES, facts, wrt)
    except NotDerivable:
        assume(False)
    assume(len(found) == len(wrt) and found[-1].formula is not None)
    g, dims = (f, Algebra(NAMES, facts).dims(f)) if len(wrt) == 1 else (found[0].formula, found[0].dims)
    if dims[0] == UNIT != dims[1]:
        g, dims = t.Transpose(g), dims[::-1]
    point = points(1)
    v = np.random.default_rng(2).normal(size=np.shape(point[x]))
    v = v + v.T if is_known and x in "SP" else v
    expected, again = (slope(lambda p: value(g, dims, p), point, x, v, step) for step in (1e-3, 3e-4))
    D = along(found[-1], dims, NAMES[x], point, v)
    assume(np.all(np.isfinite(expected)) and np.all(np.isfinite(D)) and np.abs(expected).max() < 1e8)
    assume(np.allclose(expected, again, rtol=1e-6, atol=1e-6))
    scale = 1 + np.abs(value(g, dims, point)).max()
    assert np.allclose(D, expected, rtol=1e-5, atol=1e-6 * scale), f"{f} by {x}: {found[-1].formula}"


def test_a_new_function_takes_three_lines(monkeypatch):
    """Its name and its derivative, by which numbers, entries and Fréchet derivatives are done."""
    monkeypatch.setitem(OF_ONE_NUMBER, "sinh", parse("cosh(u)"))
    assert str(rule_of("sinh")) == "cosh(u)"
    (found,) = derivative(read("sum(sinh(x))"), ALL, {}, ["x"])
    assert str(found.formula) == "cosh(x)"
