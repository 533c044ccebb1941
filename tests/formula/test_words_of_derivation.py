"""The words that derivatives need, against their definitions: by loops, differences, integrals and series."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from matcalc.formula import FormulaError, evaluate, parse
from matcalc.formula.balls import balls, evaluate_in_balls, precision
from matcalc.formula.meaning import settle
from matcalc.formula.words import MATRIX_FUNCTIONS

RNG = np.random.default_rng(11)
X, V, G = RNG.normal(size=(3, 3, 3)) / 2
P = X @ X.T + np.eye(3) + 0.2 * V  # not symmetric, and no eigenvalue is negative
A = RNG.normal(size=(2, 3))
a, b = RNG.normal(size=(2, 3))
SIZES = {"m": 2, "n": 3}
OF_SCIPY = {
    **{"exp": scipy.linalg.expm, "ln": scipy.linalg.logm, "sqrt": scipy.linalg.sqrtm, "sin": scipy.linalg.sinm},
    **{"cos": scipy.linalg.cosm, "sinh": scipy.linalg.sinhm, "cosh": scipy.linalg.coshm, "tan": scipy.linalg.tanm},
}


def values_of(texts, values=None, sizes=None):
    """The values by NumPy, after JAX (in one program, which is quick) and ball arithmetic have said the same."""
    values, sizes = values or {}, sizes or SIZES
    trees = [settle(parse(text), (), sizes)[0] for text in texts]
    by_numpy = [evaluate(tree, values, sizes=sizes) for tree in trees]
    with jax.enable_x64(True):
        by_jax = jax.jit(lambda values: [evaluate(tree, values, sizes=sizes, xp=jnp) for tree in trees])(values)
    with precision(50):
        exact = [evaluate_in_balls(tree, values, sizes=sizes) for tree in trees]
    assert max(float(ball.rad()) for value in exact for ball in balls(value).ravel()) < 1e-40
    for value, of_jax, in_balls in zip(by_numpy, by_jax, exact, strict=True):
        for other in (np.asarray(of_jax), np.vectorize(float)(in_balls)):
            assert other.shape == value.shape
            np.testing.assert_allclose(other, value, rtol=1e-11, atol=1e-12)
    return by_numpy


def value_of(text, values=None, sizes=None):
    """The value by NumPy, JAX and ball arithmetic."""
    return values_of([text], values, sizes)[0]


def vec(matrix):
    """The columns one below the other, by a loop."""
    return np.array([matrix[i, j] for j in range(matrix.shape[1]) for i in range(matrix.shape[0])])


def vech(matrix):
    """The columns of the lower triangle one below the other, by a loop."""
    return np.array([matrix[i, j] for j in range(len(matrix)) for i in range(j, len(matrix))])


# --- Matrices of zeros and ones


@pytest.mark.parametrize(("m", "n"), [(2, 3), (3, 2), (3, 3), (1, 4), (4, 1)])
def test_the_commutation_matrix(m, n):
    K = value_of("K_mn", sizes={"m": m, "n": n})
    B = RNG.normal(size=(m, n))
    np.testing.assert_array_equal(K @ vec(B), vec(B.T))
    np.testing.assert_array_equal(value_of(f"commutation({m}, {n})"), K)
    np.testing.assert_array_equal(evaluate(settle(parse("K_mn"), (), "mn")[0].T, {}, sizes={"m": m, "n": n}), K.T)
    assert set(K.ravel()) <= {0, 1}


def test_the_square_commutation_matrix():
    for text in ("K_nn", "K_{n}", "K_n", "commutation(3, n)"):
        np.testing.assert_array_equal(value_of(text) @ vec(X), vec(X.T))


def test_the_commutation_matrix_turns_kronecker_products():
    P, Q = RNG.normal(size=(2, 3)), RNG.normal(size=(4, 5))
    values = {"P": P, "Q": Q}
    for right in ("commutation(4, 2) (P ⊗ Q)", "(Q ⊗ P) commutation(5, 3)"):
        np.testing.assert_array_equal(value_of(right, values), value_of("commutation(4, 2) (P ⊗ Q)", values))
    assert not np.array_equal(np.kron(P, Q), np.kron(Q, P))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_duplication_and_the_elimination_matrix(n):
    B = RNG.normal(size=(n, n))
    S = B + B.T
    D, L = value_of("D_n", sizes={"n": n}), value_of("L_n", sizes={"n": n})
    assert D.shape == L.T.shape == (n * n, n * (n + 1) // 2)
    np.testing.assert_array_equal(D @ vech(S), vec(S))
    np.testing.assert_array_equal(L @ vec(B), vech(B))
    np.testing.assert_array_equal(L @ D, np.eye(n * (n + 1) // 2))
    np.testing.assert_array_equal(value_of("vech(B)", {"B": B}), vech(B))
    np.testing.assert_array_equal(value_of(f"duplication({n})"), D)
    np.testing.assert_array_equal(value_of("elimination(n)", sizes={"n": n}), L)
    np.testing.assert_allclose(value_of("duplication(n)^+", sizes={"n": n}) @ vec(S), vech(S), atol=1e-14)
    np.testing.assert_allclose(
        D @ np.linalg.pinv(D), (np.eye(n * n) + value_of("K_nn", sizes={"n": n})) / 2, atol=1e-14
    )
    if n > 1:
        assert not np.array_equal(D @ vech(B), vec(B))


# --- Vectors and matrices


def test_unvec_is_column_major():
    for text in ("unvec_mn(v)", "unvec_{2,n}(v)", "unvec_{m,3}(v)"):
        np.testing.assert_array_equal(value_of(text, {"v": vec(A)}), A)
    np.testing.assert_array_equal(value_of("unvec_mn(vec(A))", {"A": A}), A)
    np.testing.assert_array_equal(value_of("unvec_n(vec(X))", {"X": X}), X)
    assert not np.array_equal(value_of("unvec_mn(vec(A'))", {"A": A}), A)
    np.testing.assert_array_equal(value_of("unvec_mn(vec(A))'", {"A": A}), A.T)
    np.testing.assert_array_equal(value_of("unvec_{1,1}(s)", {"s": 2.0}), [[2.0]])
    assert evaluate(parse("unvec_{2,k}(v)"), {"v": vec(A)}).shape == (2, 3)  # 2 k = 6


def test_the_matrix_of_a_cross_product():
    M = value_of("[a]_×", {"a": a})
    for i in range(3):  # by the permutation symbol
        for j in range(3):
            assert M[i, j] == sum((i - j) * (j - k) * (k - i) / -2 * a[k] for k in range(3))
    np.testing.assert_allclose(M @ b, np.cross(a, b), atol=1e-15)
    np.testing.assert_array_equal(evaluate(parse("[a]_×").T, {"a": a}), M.T)
    np.testing.assert_allclose(
        value_of("[X b]_× a + a_× b", {"X": X, "a": a, "b": b}), np.cross(X @ b - b, a), atol=1e-15
    )
    assert evaluate(parse("[a]_×"), {"a": a.astype(np.float32)}).dtype == np.float32


# --- Derivatives of functions of matrices


@pytest.mark.parametrize("function", MATRIX_FUNCTIONS)
def test_derivatives_of_functions(function):
    """Against differences; they are linear, and of their adjoints the arguments are transposed."""
    values = {"U": P / 2, "V": V, "G": G, "s": 0.7, "u": 1.5}
    D, other, of_sum, turned, inner, adjoint, at_itself, times, of_numbers = values_of(
        [
            text.replace("L", f"L_{function}")
            for text in (
                *("L(U, V)", "L(U, G)", "L(U, 2 V - G)", "L(U', V')", "tr(G' L(U, V))", "tr(L(U', G)' V)"),
                *("L(U, U)", "L(U, I) U", "L(s, u)"),
            )
        ],
        values,
    )
    np.testing.assert_allclose(D, _slope(OF_SCIPY[function], P / 2, V), atol=1e-9)
    assert np.abs(D - _slope(OF_SCIPY[function], P / 2, V.T)).max() > 0.01
    np.testing.assert_allclose(of_sum, 2 * D - other, atol=1e-12)
    np.testing.assert_allclose(turned, D.T, atol=1e-12)
    np.testing.assert_allclose(evaluate(parse(f"L_{function}(U, V)").T, values), D.T, atol=1e-12)
    assert inner == pytest.approx(adjoint, rel=1e-10)
    np.testing.assert_allclose(at_itself, times, atol=1e-11)
    number = np.array([[0.7]])
    assert of_numbers == pytest.approx(_slope(OF_SCIPY[function], number, 1.5).item(), rel=1e-9)


def _slope(g, U, V, h=1e-3):
    """The derivative of g at U along V, by differences of the fourth order."""
    plus, minus, plus2, minus2 = (g(U + step * V) for step in (h, -h, 2 * h, -2 * h))
    return (8 * (plus - minus) - (plus2 - minus2)) / (12 * h)


def test_the_derivative_of_the_exponential_is_an_integral_and_a_series():
    L = value_of("L_exp(X, V)", {"X": X, "V": V})
    nodes, weights = np.polynomial.legendre.leggauss(20)
    integral = sum(
        w / 2 * scipy.linalg.expm((1 + s) / 2 * X) @ V @ scipy.linalg.expm((1 - s) / 2 * X)
        for s, w in zip(nodes, weights, strict=True)
    )  # ∫₀¹ e^{sX} V e^{(1-s)X} ds
    powers = [np.linalg.matrix_power(X, k) for k in range(30)]
    series = sum(powers[i] @ V @ powers[k - 1 - i] / math.factorial(k) for k in range(1, 30) for i in range(k))
    np.testing.assert_allclose(L, integral, atol=1e-14)
    np.testing.assert_allclose(L, series, atol=1e-14)
    np.testing.assert_allclose(L, scipy.linalg.expm_frechet(X, V, compute_expm=False), atol=1e-14)


def test_derivatives_of_roots_and_logarithms_solve_their_equations():
    values = {"P": P, "V": V}
    S = value_of("sqrt(P)", values)
    L = value_of("L_sqrt(P, V)", values)
    np.testing.assert_allclose(S @ L + L @ S, V, atol=1e-13)  # of S² = P
    along = value_of("L_ln(P, V)", values)
    np.testing.assert_allclose(value_of("L_exp(ln(P), W)", values | {"W": along}), V, atol=1e-12)


def test_numbers_are_taken_as_they_are():
    assert evaluate(parse("L_exp(2, 1)"), {}) == pytest.approx(np.exp(2))
    assert evaluate(parse("L_ln(X, V)"), {"X": P.astype(np.float32), "V": V.astype(np.float32)}).dtype == np.float32


# --- Roots and logarithms in ball arithmetic


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_roots_and_logarithms_are_enclosed(seed, n):
    random = np.random.default_rng(seed)
    B = random.normal(size=(n, n))
    B = B @ B.T + np.eye(n) / 10 + random.normal(size=(n, n)) / 50
    with precision(50):
        for text in ("sqrt(B)^2 - B", "exp(ln(B)) - B", "ln(B)/2 - ln(sqrt(B))"):
            rest = balls(evaluate_in_balls(parse(text), {"B": B})).ravel()
            assert all(ball.contains(0) for ball in rest), text
            assert max(float(ball.rad()) for ball in rest) < 1e-30


@pytest.mark.parametrize("text", ["sqrt(B)", "ln(B)", "L_ln(B, I)"])
@pytest.mark.parametrize("B", [np.diag([2.0, -1.0]), np.zeros((2, 2)), np.array([[0.0, 1.0], [-1.0, 0.0]]) - np.eye(2)])
def test_there_are_none_where_eigenvalues_are_negative(text, B):
    if B[0, 1]:  # complex eigenvalues -1 ± i are none
        evaluate_in_balls(parse(text), {"B": B})
        return
    with pytest.raises(FormulaError, match="ball arithmetic cannot tell"):
        evaluate_in_balls(parse(text), {"B": B})


# --- What is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unvec(x)", "unvec takes the sizes of the matrix, as in unvec_mn(v)"),
        ("tr_n(X)", "tr takes no subscript; of functions only unvec does"),
        ("commutation(2)", "commutation takes two formulas"),
        ("duplication(2, 3)", "duplication takes one formula"),
        ("L_exp(X)", "expected ','; found ')'"),
        ("L_tanh(X, V)", "after _ come one or two letters"),
        ("unvec_{i,j,k}(x)", "more than two subscripts"),
        ("unvec_{2,2}(a)", "unvec_{2,2}(a) is 2×2, of a vector of as many entries; a is 3×1"),
        ("unvec_{2,k}(a)", "2 does not divide 3"),
        ("unvec_jk(a)", "nothing here tells the size of unvec_jk(a)"),
        ("duplication(20000)", "duplication(20000) would have more than"),
        ("[A]_×", "[a]_× is of vectors of length 3; A is 2×3"),
        ("vech(A)", "A must be square and is 2×3"),
    ],
)
def test_what_has_no_value_is_said(text, message):
    with pytest.raises(FormulaError) as raised:
        evaluate(parse(text), {"A": A, "X": X, "V": V, "a": a})
    assert message in str(raised.value)


def test_letters_that_are_no_such_matrices_stay_names():
    for text, name in [("D_n x", "D_n"), ("L_k X", "L_k"), ("K_mn X", "K_{mn}"), ("D_1 X", "D_1")]:
        assert name in str(settle(parse(text), ())[0])
        assert settle(parse(text), ())[1] == ()
    assert str(settle(parse("tr(D) + D_n I_n"), ())[0]) == "tr(D) + D_n I_n"
    assert settle(parse("tr(L) + L_n I_n"), ())[1] == ()
    assert settle(parse("D_n x"), ["D_n"], ["n"])[1] == ()
    assert settle(parse("D_n x"), (), ["n"])[1] == ("D_n is read as the duplication matrix",)
