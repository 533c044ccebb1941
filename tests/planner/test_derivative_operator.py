"""Derivatives as linear maps: they agree with JAX's Jacobians, and cost what their factors cost."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import matcalc
from matcalc import derivative_operator, reassociate
from matcalc.referee.programs import hasty

n = 9  # products of less are not taken as matrix products
rng = np.random.default_rng(0)
X, A, V = (jnp.asarray(rng.standard_normal((n, n)) + shift * np.eye(n), jnp.result_type(float)) for shift in (5, 0, 0))
B = jnp.asarray(rng.standard_normal((n, 3)), X.dtype)
ones = jnp.ones(n, X.dtype)

FUNCTIONS = {
    "inverse": jnp.linalg.inv,
    "gram": lambda X: X @ B @ B.T @ X,
    "transpose": lambda X: X.T,
    "multiple": lambda X: 2 * X,
    "sum": lambda X: X @ A + X.T @ A - X,
    "trace": jnp.trace,
    "trace times itself": lambda X: jnp.trace(X) * X,
    "total": lambda X: ones @ X @ ones,
    "direction": lambda X: X / jnp.linalg.norm(X),
    "elementwise": jnp.sin,
    "constant": lambda X: A,
    "solution": lambda X: reassociate(lambda X: jnp.linalg.inv(A) @ X @ B)(X),
    "solution of a vector": lambda X: jnp.linalg.solve(A, X[0]),
    "two inverses": lambda X: jnp.linalg.inv(X + A) @ jnp.linalg.inv(X),
    "row": lambda X: (A @ X)[1],
    "rows and columns": lambda X: X[1:3, ::2] + (X @ A)[:2, :5],
    "product of sums": lambda X: (A @ X + X.T @ A) @ (X @ A - 2 * X) @ B,
    "sums": lambda X: jnp.sum(A @ X, axis=0) + jnp.sum(X * A) * (X @ A)[:, 0],
    "by entries": lambda X: (A * (X @ A)) @ B,
    "spread": lambda X: (X @ ones)[:, None] * A + jnp.trace(X) + X[:1],
    "one entry for all": lambda X: jnp.sum(X, keepdims=True) * A + X @ A * jnp.sum(X, axis=1, keepdims=True),
    "diagonal": lambda X: jnp.diag(ones @ X) @ X,
    "batch": lambda X: jax.vmap(lambda a: a @ X @ X)(jnp.stack([A, V])),
    "taken branch": lambda X: lax.cond(X[0, 0] > 0, lambda X: A @ X @ X, jnp.sin, X),
    "other branch": lambda X: lax.cond(X[0, 0] < 0, lambda X: A @ X @ X, jnp.sin, X),
    "chosen": lambda X: jnp.where(X[0, 0] > 0, A @ X @ X, X),
}
BY_BASIS = {"elementwise", "direction", "taken branch", "other branch"}


def assert_close(a, b):
    assert a.shape == b.shape
    error, size = (float(jnp.max(jnp.abs(x), initial=0)) for x in (a - b, b))
    assert error <= 200 * float(jnp.finfo(b.dtype).eps) * (1 + size)


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_it_is_the_jacobian(f):
    J, D = jax.jacfwd(f)(X), derivative_operator(f, X)
    W = jnp.asarray(rng.standard_normal(D.shape[0]), X.dtype)
    assert D.shape == (W.shape, X.shape)
    assert D.T.shape == (X.shape, W.shape)
    assert_close(D @ V, jnp.tensordot(J, V, 2))
    assert_close(D.T @ W, jnp.tensordot(W, J, W.ndim))
    assert_close(D.T.T @ V, D @ V)
    assert_close(D.dense(), J)
    assert_close(D.T.dense(), jnp.moveaxis(J, range(W.ndim), range(-W.ndim, 0)))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in BY_BASIS])
def test_factors_are_multiplied_only_where_they_are_written_down(name):
    # A basis has n² matrices, and products with them n⁴ entries.
    closed = jax.make_jaxpr(derivative_operator(FUNCTIONS[name], X).dense)()
    assert all(eqn.outvars[0].aval.size <= 3 * n**2 for eqn in products(closed.jaxpr))


def test_what_is_not_chosen_does_not_matter_to_entries():
    infinite = jnp.full_like(A, jnp.inf)
    D = derivative_operator(lambda X: jnp.where(X[0, 0] > 0, X @ A, infinite @ X @ A), X)
    assert_close(D.dense(), derivative_operator(lambda X: X @ A, X).dense())


def products(jaxpr):
    """The matrix products of a program."""
    for eqn in jaxpr.eqns:
        if eqn.primitive is lax.dot_general_p:
            yield eqn
        for inner in jax.tree.leaves(eqn.params, is_leaf=lambda p: hasattr(p, "eqns")):
            if hasattr(inner, "eqns"):
                yield from products(inner)


def test_it_goes_through_transformations():
    D = derivative_operator(jnp.linalg.inv, X)
    assert_close(jax.jit(lambda D, V: D @ V)(D, V), D @ V)
    assert_close(jax.vmap(lambda V: D @ V)(jnp.stack([V, X]))[0], D @ V)
    assert_close(jax.jit(lambda X: derivative_operator(jnp.linalg.inv, X).dense())(X), D.dense())
    assert_close(jax.grad(lambda X: jnp.sum(derivative_operator(jnp.linalg.inv, X) @ V))(X), jax.grad(
        lambda X: jnp.sum(jax.jvp(jnp.linalg.inv, (X,), (V,))[1]))(X))  # fmt: skip


def test_a_kronecker_product_is_multiplied_only_where_it_is_written_down():
    D = derivative_operator(jnp.linalg.inv, X)
    assert str(jax.make_jaxpr(lambda V: D @ V)(V)).count("dot_general") == 2
    assert "dot_general" not in str(jax.make_jaxpr(D.dense)())  # products entry by entry: n⁴ of them
    H = matcalc.logabsdet_x.derivative_operator(X, order=2)
    assert str(jax.make_jaxpr(lambda V: H @ V)(V)).count("dot_general") == 2
    assert "dot_general" not in str(jax.make_jaxpr(H.dense)())


@pytest.mark.parametrize(
    "f",
    [
        lambda X: jax.lax.optimization_barrier(A @ X) @ A,
        lambda X: jnp.matmul(A, X, precision="highest") + X @ A,
        jax.jit(lambda X: A @ X @ A),
    ],
    ids=["barrier", "precision", "jit"],
)
def test_what_keeps_products_apart_does_not_matter_to_entries(f):
    D = derivative_operator(f, X)
    assert "dot_general" not in str(jax.make_jaxpr(D.dense)())
    np.testing.assert_allclose(D.dense(), jax.jacfwd(f)(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [2.0, np.ones(3)])
def test_a_constant_has_the_derivative_zero(value):
    D = derivative_operator(lambda x: jnp.asarray(value), X)
    assert not np.any(D.dense())
    assert D.dense().shape == np.shape(value) + X.shape


def test_complex_maps_are_written_down_where_they_are_products():
    Z, W = jax.lax.complex(X, A), jax.lax.complex(A, V)
    D = derivative_operator(jnp.linalg.inv, Z)
    assert_close(jnp.tensordot(D.dense(), W, 2), D @ W)
    with pytest.raises(TypeError, match="written down for real variables only, got complex"):
        derivative_operator(lambda Z: Z * jnp.conj(Z), Z).dense()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_arrays_without_entries_and_of_one(shape):
    for f in (lambda Y: 2 * Y.T, lambda Y: jnp.sum(Y @ Y.T), lambda Y: jnp.sin(Y)[:1], lambda Y: Y @ Y.T):
        Y = jnp.ones(shape, X.dtype)
        assert_close(derivative_operator(f, Y).dense(), jax.jacfwd(f)(Y))


def largest_product(D, v):
    """The entries of the largest array that a product with an operator makes, beside what it keeps of the point."""
    return max(np.prod(eqn.outvars[0].aval.shape, initial=1) for eqn in jax.make_jaxpr(lambda v: D @ v)(v).jaxpr.eqns)


def test_diagonal_plus_rank_one_is_applied_without_a_matrix():
    x, a, v = jnp.asarray(rng.standard_normal((3, 50)), X.dtype)
    D = matcalc.direction_x_minus_a.derivative_operator(x, a)
    assert_close(D @ v, matcalc.direction_x_minus_a.derivative(x, a) @ v)
    assert_close(D.dense(), matcalc.direction_x_minus_a.derivative(x, a))
    assert largest_product(D, v) == 50


def sample(identity):
    kind = next(iter(identity.covers))
    return [a if isinstance(a, int) else jnp.asarray(a) for a in identity.sample(0, dtype=X.dtype, kind=kind)]


def test_every_identity_has_one(entry):
    args = sample(entry)
    if entry.order == 0:
        with pytest.raises(ValueError, match="is a definition, and has no derivative"):
            entry.derivative_operator(*args)
        return

    def applied(*args):
        D = entry.derivative_operator(*args)
        dx = jnp.asarray(np.random.default_rng(0).standard_normal(D.shape[1]), X.dtype)
        return dx, D @ dx, entry.derivative(*args)

    integers = [place for place, a in enumerate(args) if isinstance(a, int)]
    dx, along, J = map(np.asarray, jax.jit(applied, static_argnums=integers, compiler_options=hasty())(*args))
    expected = np.tensordot(J, dx, dx.ndim)
    scale = np.linalg.norm(np.ravel(J)) * np.linalg.norm(np.ravel(dx))
    assert along.shape == expected.shape
    assert np.max(np.abs(along - expected), initial=0) <= 1e3 * float(jnp.finfo(X.dtype).eps * scale)


@pytest.mark.parametrize(
    "name",
    ["logabsdet_x", "quad_xax", "lsq_xa_minus_b", "fro_xat_minus_b", "tr_kron_xx", "det_x", "tr_axbxtc", "tr_axinvb"],
)
def test_hessians(name):
    identity = matcalc.CATALOGUE[name]
    args = sample(identity)
    names = [p.name for p in identity.signature.parameters]
    k = names.index(identity.wrt)

    def at(x):
        return [*args[:k], x, *args[k + 1 :]]

    @jax.jit
    def dense(x):
        H = identity.derivative_operator(*at(x), order=2)
        return H.dense(), H.T.dense()

    expected = jax.jit(jax.hessian(lambda x: identity.declaration.value_of(dict(zip(names, at(x), strict=True)))))
    found, transposed = dense(args[k])
    np.testing.assert_allclose(found, expected(args[k]), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(transposed, found, rtol=1e-3, atol=1e-4)  # symmetric in the two changes


def test_lineax_solves_with_it():
    import lineax

    D = derivative_operator(jnp.linalg.inv, X)
    found = lineax.linear_solve(D.as_lineax(), D @ V, lineax.GMRES(rtol=1e-5, atol=1e-5)).value
    np.testing.assert_allclose(found, V, atol=1e-3)


def test_an_operator_goes_through_transformations():
    points = jnp.stack([X, 2 * X])
    operators = jax.vmap(lambda X: derivative_operator(jnp.linalg.inv, X))(points)
    for k, point in enumerate(points):
        D = derivative_operator(jnp.linalg.inv, point)
        for made in (jax.jit(lambda X: derivative_operator(jnp.linalg.inv, X))(point),
                     jax.tree.map(lambda leaf, k=k: leaf[k], operators)):  # fmt: skip
            assert_close(made @ V, D @ V)
            assert_close(jax.jit(lambda D, V: D.T @ V)(made, V), D.T @ V)
        assert_close(jax.vmap(lambda D, V: D @ V)(operators, jnp.stack([V, V]))[k], D @ V)
        assert_close(jax.vmap(lambda D: D.dense())(operators)[k], D.dense())
    assert not np.any(jax.tree.map(jnp.zeros_like, D) @ V)
    assert repr(D) == f"<derivative, from (9, 9) to (9, 9), in {X.dtype}>"


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_a_variable_of_no_entries_has_an_empty_derivative(shape):
    x = jnp.ones(shape)
    for f in (jnp.cumsum, jnp.sin, lambda x: x.T):
        assert derivative_operator(f, x).dense().shape == jax.jacfwd(f)(x).shape


def test_a_solution_with_the_identity():
    def f(X):
        return lax.custom_linear_solve(lambda v: v, X @ A, solve=lambda _, b: b, transpose_solve=lambda _, b: b)

    assert_close(derivative_operator(f, X).dense(), jax.jacfwd(f)(X))


def test_a_point_can_be_a_list():
    point = [[1.0, 2.0], [3.0, 4.0]]
    assert_close(derivative_operator(jnp.linalg.inv, point).dense(), jax.jacfwd(jnp.linalg.inv)(jnp.array(point)))


def test_bad_arguments():
    D = derivative_operator(jnp.linalg.inv, X)
    with pytest.raises(ValueError, match=r"takes an array of shape \(9, 9\), got \(9,\)"):
        D @ ones
    for what in (D, "A"):
        with pytest.raises(TypeError, match=f"the operator takes an array, got {type(what).__name__}."):
            D @ what
    for A in (X, np.asarray(X)):
        with pytest.raises(TypeError, match="the operator stands on the left, D @ V"):
            A @ D
    with pytest.raises(TypeError, match=r"got int32. Use .astype"):
        D @ jnp.ones((n, n), jnp.int32)
    with pytest.raises(TypeError, match="floating point numbers, got int32"):
        derivative_operator(lambda X: X, jnp.ones((4, 4), jnp.int32))
    with pytest.raises(TypeError, match="a function at an array, in this order; got int, dict"):
        derivative_operator(3, {"X": X})
    with pytest.raises(TypeError, match="must return floating point numbers, got int"):
        derivative_operator(jnp.argmax, X)
    for order in (0, 3, "2"):
        with pytest.raises(ValueError, match="order is 1, the derivative, or 2, the Hessian; got"):
            matcalc.det_x.derivative_operator(X, order=order)
    with pytest.raises(TypeError, match="must return one array, got tuple"):
        derivative_operator(lambda X: (X, X), X)
    with pytest.raises(ValueError, match="X must be n×n"):
        matcalc.logabsdet_x.derivative_operator(B)
    with pytest.raises(ValueError, match="order=2 is the Hessian of a scalar, and the value has 1 axes"):
        matcalc.direction_x_minus_a.derivative_operator(ones, 2 * ones, order=2)


@pytest.mark.parametrize(("n", "is_by_entries"), [(4, True), (8, False)])
def test_products_with_a_basis_are_taken_by_entries_of_smaller_matrices_only(n, is_by_entries):
    """Measured: by entries, the Hessian of ln |Xᵀ X| at 8×8 takes up to twice as long."""
    X = np.random.default_rng(0).normal(size=(n + 1, n)).astype(np.float32)
    program = jax.make_jaxpr(lambda: matcalc.logdet_xtx.derivative_operator(X, order=2).dense())()
    assert bool(re.search(r"jit\[\s*name=product_by_entries", str(program))) is is_by_entries
