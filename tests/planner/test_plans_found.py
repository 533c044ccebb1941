"""What plans gain: products in another order, taken once, factored, or not at all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planned_programs import A, agree, operations, program

import matcalc
from matcalc import reassociate


def test_chains():
    jaxpr = program(lambda A, B, x: A @ B @ x, (50, 60), (60, 70), (70,))
    assert operations(jaxpr) == 60 * 70 + 50 * 60
    jaxpr = program(lambda x, y, A: jnp.outer(x, y) @ A, (50,), (60,), (60, 70))
    assert operations(jaxpr) == 60 * 70 + 50 * 70


def test_jitted_functions_of_products_are_seen_through():
    product = jax.jit(lambda A, B: A @ B)
    jaxpr = program(lambda A, B, x: product(A, product(B, x)), (50, 60), (60, 70), (70, 1))
    assert not [eqn for eqn in jaxpr.eqns if eqn.primitive.name == "jit"]
    jaxpr = program(lambda A, B, x: jax.jit(lambda A, B: -product(A, B))(A, B) @ x, (50, 60), (60, 70), (70,))
    assert operations(jaxpr) == 60 * 70 + 50 * 60
    jaxpr = program(lambda A, x: jnp.linalg.matrix_power(A, 5) @ x, (50, 50), (50,))
    assert operations(jaxpr) == 5 * 50 * 50


@pytest.mark.parametrize(
    "inner",
    [
        jax.jit(lambda A, B: jnp.tanh(A @ B)),
        jax.jit(lambda A, B: A @ B, donate_argnums=0),
        jax.jit(lambda A, B: A @ B, out_shardings=jax.sharding.SingleDeviceSharding(jax.devices()[0])),
    ],
)
def test_other_jitted_functions_stay_as_they_are(inner):
    written = jax.make_jaxpr(lambda A, B, x: inner(A, B) @ x)
    arrays = jnp.ones((50, 60)), jnp.ones((60, 70)), jnp.ones(70)
    assert str(jax.make_jaxpr(reassociate(lambda A, B, x: inner(A, B) @ x))(*arrays)) == str(written(*arrays))


def test_a_product_that_is_used_twice_is_taken_once_up_to_transposition():
    jaxpr = program(lambda C, A, X: (C @ A @ X, (C @ A).T @ X), (9, 2), (2, 9), (9, 100))
    assert operations(jaxpr) == 2 * 9 * 2 * 100 * 2
    jaxpr = program(lambda C, A, X: (C @ A @ X, A.T @ C.T @ X), (9, 90), (90, 9), (9, 100))
    assert operations(jaxpr) == 9 * 90 * 9 + 2 * 9 * 9 * 100


def test_common_ends_are_factored():
    jaxpr = program(lambda P, Q, R: P @ Q - P @ R, (20, 30), (30, 40), (30, 40))
    assert operations(jaxpr) == 30 * 40 + 20 * 30 * 40


def test_a_trace_needs_no_last_product():
    jaxpr = program(lambda P, Q: jnp.trace(P @ Q), (20, 30), (30, 20))
    assert operations(jaxpr) == 20 * 30


def test_scalars_go_where_least_is_to_be_multiplied():
    jaxpr = program(lambda s, x, y: s * jnp.outer(x, y), (), (20,), (30,))
    assert operations(jaxpr) == 20 + 20 * 30
    jaxpr = program(lambda A, x, y: 2 * jnp.outer(A @ x, y), (20, 30), (30,), (40,))
    assert operations(jaxpr) == 20 * 30 + 20 + 20 * 40


@pytest.mark.parametrize(
    ("product", "shapes", "is_swapped"),
    [
        (lambda A, B: A.T @ B.T, [(30, 20), (40, 30)], True),
        (lambda A, B: A.T @ B.T, [(3, 20), (40, 3)], False),  # the result has more entries than both
        (lambda A, B: A.T @ B.T, [(9, 9), (30, 9)], False),  # nearly as many, and its copy takes memory
        (lambda A, B: A @ B.T, [(7, 30), (40, 30)], True),
        (lambda A, B: A @ B.T, [(40, 30), (7, 30)], False),
        (lambda A, B: A.T @ B, [(30, 40), (30, 7)], True),
        (lambda A, B: A.T @ B, [(30, 40), (30, 39)], False),
        (lambda A, B: A @ B, [(7, 30), (30, 40)], False),
        (lambda A, x: A.T @ x, [(30, 40), (30,)], True),
    ],
)
def test_the_factors_stand_in_the_order_that_copies_least(product, shapes, is_swapped):
    (dot,) = (eqn for eqn in program(product, *shapes).eqns if eqn.primitive.name == "dot_general")
    assert (dot.invars[0].aval.shape == shapes[1]) is is_swapped


def test_a_product_that_is_scaled_and_turned_is_turned_apart():
    """Measured with XLA: one pass that scales and turns 1024×1024 takes three times as long as two."""
    *_, scaled, waits, turned = program(lambda X: 3 * (X.T @ X.T), (9, 9)).eqns
    assert [eqn.primitive.name for eqn in (scaled, waits, turned)] == ["mul", "optimization_barrier", "transpose"]
    assert "barrier" not in str(program(lambda X: 3 * (X @ X), (9, 9)))


def test_a_scalar_goes_to_a_factor_that_is_multiplied_entry_by_entry():
    """XLA scales y while it writes the outer product, x it would have to scale apart."""
    jaxpr = program(lambda A, x: 2 * jnp.outer(A @ x, x), (50, 8), (8,))
    (dot,) = (eqn for eqn in jaxpr.eqns if eqn.primitive.name == "dot_general")
    assert {*dot.invars} <= {*jaxpr.invars}


def test_of_plans_of_the_same_cost_one_that_keeps_less():
    """Aᵀ (X adj Yᵀ), not (Aᵀ X) adj Yᵀ, whose first product would be there while the adjugate is made."""
    texts = [step.text for step in matcalc.det_xtax.plan(m=9, l=9).steps]
    assert "Xᵀ A" not in texts


def test_inverses_share_one_factorisation():
    jaxpr = program(lambda X, b: (jnp.linalg.inv(X) @ b, jnp.linalg.inv(X).T @ b), (9, 9), (9,))
    assert str(jaxpr).count(" lu ") == 1
    assert "eye" not in str(jaxpr)


def test_batches_are_planned_too():
    batched = jax.vmap(lambda A, B, x: A @ B @ x)
    jaxpr = program(batched, (7, 50, 60), (7, 60, 70), (7, 70))
    assert operations(jaxpr) == 7 * (60 * 70 + 50 * 60)


def test_diagonal_and_identity_matrices_are_never_formed():
    jaxpr = program(lambda x, A: jnp.diag(x) @ A, (50,), (50, 60))
    assert operations(jaxpr) == 50 * 60
    jaxpr = program(lambda A: jnp.eye(50) @ A @ jnp.eye(60), (50, 60))
    assert not jaxpr.eqns
    assert (
        float(reassociate(lambda A: jnp.trace(jnp.eye(3) @ jnp.eye(3)) + jnp.trace(jnp.eye(4) @ A))(jnp.ones((4, 4))))
        == 7
    )
    agree(reassociate(lambda A: A + 2 * jnp.eye(4, dtype=A.dtype))(A), A + 2 * np.eye(4, dtype=A.dtype))


def test_thin_sums_are_one_product():
    def thin(P, Q, R, S):
        return P @ Q - R.T @ S

    shapes = (30, 2), (2, 40), (3, 30), (3, 40)
    assert str(program(thin, *shapes)).count("dot_general") == 1
    args = [np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in shapes]
    agree(reassociate(thin)(*args), thin(*args))
    thick = program(thin, (3, 20), (20, 4), (30, 3), (30, 4))
    assert str(thick).count("dot_general") == 2


def test_the_derivative_of_an_inverse_is_two_products():
    lowered = jax.jit(lambda X, V: jax.jvp(reassociate(jnp.linalg.inv), (X,), (V,))[1]).lower(A, A)
    assert lowered.as_text().count("dot_general") == 2
    X = A + 4 * np.eye(4, dtype=A.dtype)
    for derivative in (jax.jacfwd, jax.jacrev):
        agree(*(jax.jit(derivative(f))(X) for f in (reassociate(jnp.linalg.inv), jnp.linalg.inv)))
        agree(*(jax.jit(derivative(derivative(f)))(X) for f in (reassociate(jnp.linalg.inv), jnp.linalg.inv)))


@pytest.mark.parametrize(
    ("fun", "shapes"),
    [
        (lambda s, A, x: (jnp.tanh(s * A), (s * A) @ x), [(), (20, 20), (20,)]),
        (lambda s, v, A: (jnp.sin(s * v[:, None] * jnp.ones_like(A)), s * v[:, None] * A), [(), (20,), (20, 2)]),
        (lambda A, b: (jnp.linalg.inv(A), jnp.linalg.inv(A) @ b), [(20, 20), (20,)]),
    ],
)
@pytest.mark.parametrize("precision", ["default", "highest"])
def test_what_is_done_all_the_same_saves_nothing(fun, shapes, precision):
    arrays = [np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in shapes]
    with jax.default_matmul_precision(precision):
        assert operations(jax.make_jaxpr(reassociate(fun))(*arrays)) <= operations(jax.make_jaxpr(fun)(*arrays))
