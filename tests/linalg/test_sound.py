"""Sound numerics: where the textbook form overflows, squares a condition number, or is NaN, ours is right."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import matcalc
from matcalc import linalg
from matcalc.referee.programs import hasty

# Compiled once for each shape, and not each operation apart.
adj, logm, sinm_cosm = map(jax.jit, (linalg.adj, linalg.logm, linalg.sinm_cosm))
expm_and_jacobian = jax.jit(lambda X: (linalg.expm(X), jax.jacrev(linalg.expm)(X)))
hessian_of_det = jax.jit(jax.hessian(matcalc.det_x))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def of_rank(rng, n, rank):
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n))


def cofactor_adjugate(X):
    n = len(X)
    minors = [[np.delete(np.delete(X, j, 0), i, 1) for j in range(n)] for i in range(n)]
    return np.array(
        [[(-1) ** (i + j) * (np.linalg.det(minors[i][j]) if n > 1 else 1) for j in range(n)] for i in range(n)]
    )


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("n", "rank"), [(n, r) for n in range(1, 7) for r in range(n + 1)])
def test_the_adjugate_at_every_rank(rng, n, rank):
    for X in (of_rank(rng, n, rank), np.diag((np.arange(n) < rank) * 1.0)):
        expected = cofactor_adjugate(X)
        scale = np.linalg.norm(X, 2) ** (n - 1) or 1
        np.testing.assert_allclose(adj(X), expected, atol=1e-13 * scale)
        if rank < n - 1:
            assert np.abs(matcalc.det_x.derivative(X)).max() <= 1e-13 * scale


@functools.cache
def derivatives_of_det(order):
    """The derivatives of |X + t V| by t at 0, up to the given order."""

    def all_of_them(X, V):
        along = [lambda t: matcalc.det_x(X + t * V)]
        for _ in range(order):
            along.append(jax.jacfwd(along[-1]))
        return [f(0.0) for f in along]

    return jax.jit(all_of_them, compiler_options=hasty())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("n", "rank"), [(n, r) for n in range(1, 5) for r in range(n + 1)])
def test_every_derivative_of_a_small_determinant_at_every_rank(rng, n, rank):
    """|X + t V| is a polynomial in t, whose coefficients are its derivatives at 0, found here by interpolation."""
    X, V = of_rank(rng, n, rank), rng.normal(size=(n, n))
    t = np.cos(np.pi * (np.arange(n + 1) + 0.5) / (n + 1))
    coefficients = np.polynomial.polynomial.polyfit(t, [np.linalg.det(X + s * V) for s in t], n)
    expected = [c * math.factorial(k) for k, c in enumerate(coefficients)]
    scale = (np.linalg.norm(X, 2) + np.linalg.norm(V, 2)) ** n
    actual = derivatives_of_det(n)(X, V)
    for k in range(1, n + 1 if (n, rank) != (4, 0) else 4):  # the fourth at the 4×4 zero is not, as the docstring says
        np.testing.assert_allclose(actual[k], expected[k], atol=1e-12 * scale * math.factorial(k))


@pytest.mark.parametrize("n", [5, 8, 30])
def test_the_adjugate_where_elimination_meets_a_zero_at_every_step(n):
    """Ones above the diagonal: all pivots are 0, and yet the rank is n - 1."""
    X = np.eye(n, k=1, dtype=np.float32)
    expected = np.zeros((n, n))
    expected[0, -1] = (-1) ** (n - 1)
    np.testing.assert_allclose(adj(X), expected, atol=1e-6)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("n", [9, 30])
def test_the_adjugate_of_large_matrices_that_miss_one_rank(rng, n):
    """Elimination meets the zero pivot anywhere: at equal columns, equal rows, and a zero on a diagonal."""
    equal = rng.normal(size=(n, n))
    equal[:, 5] = equal[:, 2]
    for X in (equal, equal.T, np.diag((np.arange(n) != 0) * 1.0), np.diag((np.arange(n) != n // 2) * 1.0)):
        expected = cofactor_adjugate(X)
        np.testing.assert_allclose(adj(X), expected, atol=1e-12 * np.linalg.norm(expected))


def test_the_adjugate_of_a_large_matrix_of_low_rank_is_zero(rng):
    X = np.asarray(of_rank(rng, 256, 3) / 256, np.float32)
    assert np.all(np.asarray(adj(X)) == 0)


def test_adjugates_of_a_batch_with_singular_members(rng):
    batch = np.stack([of_rank(rng, 6, rank) for rank in (6, 5, 4, 0)]).astype(np.float32)
    for X, A in zip(batch, np.asarray(jax.vmap(adj)(batch)), strict=True):
        scale = np.linalg.norm(X, 2) ** 5
        np.testing.assert_allclose(A, cofactor_adjugate(X.astype(np.float64)), atol=1e-5 * scale)


@pytest.mark.parametrize("s", [(1, 1e-2, 1e-2, 1e-2), (1, 1, 1e-2, 1e-2), (1e8, 1e6, 1e5, 1)])
def test_the_adjugate_of_a_small_graded_matrix_is_as_precise_as_it_can_be(rng, s):
    """Relative rounding u of X changes adj(X) by u σ₁/σ₂ at the least; cofactors alone would lose its square."""
    U, V = (np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in "UV")
    X = (U * s @ V).astype(np.float32)
    expected = cofactor_adjugate(X.astype(np.float64))
    error = np.linalg.norm(np.asarray(adj(X)) - expected) / np.linalg.norm(expected)
    assert error <= 16 * np.finfo(np.float32).eps * s[0] / s[1]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("rank", [5, 4, 3])
def test_second_derivatives_of_the_determinant_at_every_rank(rng, rank):
    """∂²|X|/∂x_ij∂x_kl is a minor of order n - 2, exact by differences: |X| is affine in each entry."""
    X = of_rank(rng, 5, rank)
    H = np.asarray(hessian_of_det(X))
    assert np.all(np.isfinite(H))

    def at(*entries):
        moved = X.copy()
        for entry in entries:
            moved[entry] += 1
        return np.linalg.det(moved)

    for one, two in itertools.product([(0, 1), (2, 2), (4, 0)], [(1, 0), (3, 4), (0, 1)]):
        mixed = at(one, two) - at(one) - at(two) + at() if one != two else 0.0
        np.testing.assert_allclose(H[(*one, *two)], mixed, atol=1e-11)


def test_determinants_of_a_batch_with_singular_members_have_gradients_without_nan():
    batch = jnp.stack([jnp.eye(3), jnp.ones((3, 3)), jnp.zeros((3, 3)), jnp.diag(jnp.array([1.0, 2.0, 0.0]))])
    gradient, hessian = jax.grad(matcalc.det_x), jax.hessian(matcalc.det_x)
    gradients, hessians = jax.jit(jax.vmap(lambda X: (gradient(X), hessian(X))))(batch)
    assert np.all(np.isfinite(gradients))
    for X, G in zip(batch, gradients, strict=True):
        np.testing.assert_allclose(G, cofactor_adjugate(np.asarray(X)).T, atol=1e-6)
    assert np.all(np.isfinite(hessians))


def test_other_arguments_of_a_singular_determinant_are_right_too():
    """|A X B| by A, where the zero pivot of A X B makes JAX's own derivative vanish."""
    X = jnp.array([[1.0, 1, 1, 2], [1, 1, 0, 3], [2, 2, 1, 7], [0, 0, 1, 1]])
    I = jnp.eye(4)
    by_A = jax.jit(jax.grad(matcalc.det_axb, 0))(I, X, I)
    expected = (np.asarray(X) @ cofactor_adjugate(np.asarray(X))).T  # zero: X X* = |X| I
    np.testing.assert_allclose(by_A, expected, atol=1e-4)
    by_B = jax.jit(jax.grad(matcalc.det_axb, 2))(jnp.diag(jnp.arange(1.0, 5)), I, X)
    np.testing.assert_allclose(by_B, 24 * cofactor_adjugate(np.asarray(X)).T, rtol=1e-4, atol=1e-3)


def test_log_determinants_where_determinants_overflow(rng):
    X = np.asarray(rng.normal(size=(200, 200)), np.float32)
    tall = np.asarray(1e10 * rng.normal(size=(300, 100)), np.float32)

    @jax.jit
    def computed(X, tall):
        of_X, of_tall = matcalc.logabsdet_x, matcalc.logdet_xtx
        scaled = matcalc.logabsdet_ax(jnp.float32(1e30), X)
        logarithms = of_X(X), of_X.derivative(X), scaled, of_tall(tall), of_tall.derivative(tall)
        return jnp.linalg.det(X), logarithms

    det, logarithms = computed(X, tall)
    assert np.isinf(det)
    assert all(np.all(np.isfinite(result)) for result in logarithms)


@pytest.mark.usefixtures("float64")
def test_gram_log_determinants_do_not_square_the_condition_number(rng):
    U, V = scipy.linalg.qr(rng.normal(size=(8, 5)), mode="economic")[0], scipy.linalg.qr(rng.normal(size=(5, 5)))[0]
    s = np.logspace(0, -7, 5)
    X, expected = (U * s) @ V, (U / s) @ V
    value, D = matcalc.logdet_xtx.value_and_derivative(X)
    assert abs(value - 2 * np.log(s).sum()) < 1e-7
    assert np.linalg.norm(D - 2 * expected) < 1e-7 * np.linalg.norm(expected)
    normal_equations = np.linalg.solve(X.T @ X, X.T).T
    assert np.linalg.norm(normal_equations - expected) > 1e-5 * np.linalg.norm(expected)


@pytest.mark.usefixtures("float64")
def test_gram_determinants_of_dependent_columns_and_of_wide_matrices_are_flat(rng):
    for X in (of_rank(rng, 4, 2)[:, :3], rng.normal(size=(2, 5)), np.zeros((3, 2))):
        value, D = matcalc.det_xtx.value_and_derivative(X)
        assert D.shape == X.shape
        assert abs(value) < 1e-12
        assert np.abs(D).max() < 1e-12


@pytest.mark.parametrize("scale", [1e30, 1e-30, 1.0])
def test_norms_neither_overflow_nor_underflow(scale):
    x, a = jnp.asarray([3.0 * scale, 0.0], jnp.float32), jnp.asarray([0.0, 4.0 * scale], jnp.float32)
    np.testing.assert_allclose(matcalc.norm_x_minus_a(x, a) / jnp.float32(scale), 5.0, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(matcalc.norm_x_minus_a)(x, a), [0.6, -0.8], rtol=1e-5)
    w, D = matcalc.direction_x_minus_a.value_and_derivative(x, a)
    np.testing.assert_allclose(w, [0.6, -0.8], rtol=1e-5)
    np.testing.assert_allclose(D * jnp.float32(scale), np.array([[0.64, 0.48], [0.48, 0.36]]) / 5, rtol=1e-4)


def test_the_squared_norm_is_differentiable_at_zero():
    zero = jnp.zeros(3)
    assert np.isnan(jax.grad(lambda x: jnp.linalg.norm(x) ** 2)(zero)).all()
    np.testing.assert_array_equal(jax.grad(matcalc.sqnorm_x)(zero), zero)
    np.testing.assert_array_equal(jax.jit(jax.hessian(matcalc.sqnorm_x))(zero), 2 * np.eye(3))


@pytest.mark.parametrize("k", range(1, 10))
def test_powers_from_one_on_of_singular_matrices_too(rng, k):
    X, M = jnp.asarray(of_rank(rng, 4, 3) / 3), jnp.asarray(rng.normal(size=(4, 4)))
    powers = [np.linalg.matrix_power(np.asarray(X, np.float64), i) for i in range(k + 1)]
    expected = sum(powers[i] @ np.asarray(M, np.float64) @ powers[k - 1 - i] for i in range(k))

    def computed(X, M):
        return linalg.sandwiched_powers(X, M, k), matcalc.tr_xk.derivative(X, k), matcalc.det_xk.derivative(X, k)

    sandwiched, of_trace, of_det = jax.jit(computed, compiler_options=hasty())(X, M)
    np.testing.assert_allclose(sandwiched, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_trace, k * powers[k - 1].T, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_det, cofactor_adjugate(np.asarray(X, np.float64)).T * (k == 1), atol=1e-4)


@pytest.mark.usefixtures("float64")
def test_sine_cosine_and_logarithm_of_non_symmetric_matrices(rng):
    for n in (1, 2, 5, 9):
        X = rng.normal(size=(n, n))
        sin_X, cos_X = sinm_cosm(X)
        np.testing.assert_allclose(sin_X, scipy.linalg.sinm(X), atol=1e-12)
        np.testing.assert_allclose(cos_X, scipy.linalg.cosm(X), atol=1e-12)
        A = scipy.linalg.expm(X)  # eigenvalues over several orders of magnitude
        if np.abs(np.linalg.eigvals(X).imag).max() < 3:
            np.testing.assert_allclose(logm(A), X, atol=1e-9 * np.linalg.cond(A))


def test_no_kronecker_product_is_formed_only_to_be_traced():
    X, A = jnp.ones((50, 50)), jnp.ones((40, 50))
    for f, arguments in ((matcalc.tr_kron_xx, (X,)), (matcalc.tr_kron_ax, (X, X)), (matcalc.tr_kron_ax_rect, (A, A.T))):
        program = jax.make_jaxpr(f.value_and_derivative)(*arguments)
        assert largest(program.jaxpr) <= 2 * 50 * 50, f.name  # the product itself has 4 000 000 entries


def largest(jaxpr):
    """The number of entries of the largest array that a program computes."""
    sizes = [v.aval.size for equation in jaxpr.eqns for v in equation.outvars]
    inner: list[int] = []
    for equation in jaxpr.eqns:
        for parameter in equation.params.values():
            if hasattr(parameter, "jaxpr"):
                inner.append(largest(parameter.jaxpr))
    return max([*sizes, *inner], default=0)


@pytest.mark.parametrize(("p", "q"), [(1, 1), (1, 3), (2, 3), (3, 2), (4, 6)])
def test_rectangular_kronecker_traces(rng, p, q):
    A, X = (jnp.asarray(rng.normal(size=shape)) for shape in ((p, q), (q, p)))
    np.testing.assert_allclose(matcalc.tr_kron_ax_rect(A, X), np.trace(np.kron(A, X)), rtol=1e-4, atol=1e-5)


def test_nothing_is_differentiated_twice_into_nan_at_repeated_singular_values():
    """At X = I every singular value is the same, which the derivative of an SVD cannot take."""
    I = jnp.eye(3)
    hessian = jax.hessian(matcalc.det_x)
    derivatives = [hessian, jax.jacfwd(hessian), jax.hessian(matcalc.logdet_xtx)]
    results = jax.jit(lambda X: [f(X) for f in derivatives], compiler_options=hasty())(I)
    assert all(np.all(np.isfinite(result)) for result in results)


@pytest.mark.parametrize("norm", [0.0, 1.0, 5.0, 9.5, 10.0, 10.5, 10.74, 21.0, 100.0])
def test_the_exponential_is_right_where_that_of_jax_is_not(norm):
    """Just below a norm of 2·5.37 JAX squares once too few: its exponential is off by up to 2e-10."""
    X = np.random.default_rng(0).normal(size=(4, 4))
    X *= norm / np.abs(X).sum(0).max()
    exact, power = np.eye(4, dtype=np.longdouble), np.eye(4, dtype=np.longdouble)
    for k in range(1, 25):
        power = power @ (X.astype(np.longdouble) / 2**14) / k
        exact = exact + power
    for _ in range(14):
        exact = exact @ exact
    with jax.enable_x64(True):
        E, jacobian = map(np.asarray, expm_and_jacobian(X))
    assert np.linalg.norm(E - exact) <= 1e-13 * np.linalg.norm(exact)
    assert np.all(np.isfinite(jacobian))
