"""Programs of JAX in ball arithmetic: the same values as JAX's to rounding, and none where they cannot be followed."""

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
import pytest
from jax import lax

from matcalc.referee.ball_numbers import Budget, Unknown, digits, rounded
from matcalc.referee.precise import evaluate

RNG = np.random.default_rng(0)
x, B = RNG.normal(size=7), RNG.normal(size=(5, 5))
S = B @ B.T + np.eye(5)

PROGRAMS = {
    "elementary": (lambda x: jnp.exp(x) + jnp.sin(x) * jnp.cos(x) - jnp.tan(x) + jnp.log1p(x**2) + jnp.expm1(x), x),
    "hyperbolic": (lambda x: jnp.tanh(x) + jnp.sinh(x) / jnp.cosh(x) + jnp.arcsinh(x) + jnp.arctan(x), x),
    "special": (lambda x: jax.nn.sigmoid(x) + lax.erf(x) + lax.lgamma(x**2 + 1) + lax.digamma(x**2 + 1), x),
    "powers": (lambda x: jnp.abs(x) ** 2.5 + x**3 + jnp.sqrt(jnp.abs(x)) + jnp.cbrt(x) + lax.rsqrt(x**2), x),
    "choices": (
        lambda x: jnp.where(x > 0, x**2, jnp.exp(x)) + jnp.maximum(x, 0.1) + jnp.clip(x, -0.5, 0.5) + jnp.sign(x),
        x,
    ),
    "reductions": (lambda x: jnp.sum(x) + jnp.prod(x) + jnp.max(x) - jnp.min(x) + jnp.std(x) + jnp.median(x), x),
    "logsumexp": (lambda x: jax.nn.logsumexp(x) + jnp.sum(jax.nn.softmax(x) ** 2), x),
    "cumulative": (lambda x: jnp.cumsum(x) @ jnp.cumprod(jnp.flip(x)), x),
    "indices": (lambda x: x[jnp.array([0, 2, 2])] @ x[1:4] + x[::2].sum() + x.at[jnp.array([0, 0])].add(x[:2]) @ x, x),
    "put": (lambda x: x.at[2].set(3.0) @ jnp.roll(x, 2) + jnp.pad(x, 1) @ jnp.tile(x[:3], 3), x),
    "sorted": (lambda x: jnp.sort(x) @ jnp.arange(7.0), x),
    "products": (lambda A: jnp.einsum("ij,jk,ki", A, A, B) + jnp.trace(A @ A.T @ A), S),
    "Cholesky": (lambda A: jnp.sum(jsl.cholesky(A, lower=True)), S),
    "solutions": (lambda A: jnp.sum(jnp.linalg.solve(A, B)) + jnp.sum(jnp.linalg.inv(A)), S),
    "determinants": (lambda A: jnp.linalg.slogdet(A)[1] + jnp.linalg.det(A), S),
    "triangular": (lambda A: jnp.sum(jsl.solve_triangular(A, B, lower=True, trans=1)), S),
    "scan": (lambda x: lax.scan(lambda c, t: (c * jnp.sin(t) + t, c), 1.0, x)[0], x),
    "reversed scan": (lambda x: lax.scan(lambda c, t: (c - t * c, c * t), 1.0, x, reverse=True)[1] @ x, x),
    "while": (lambda x: lax.while_loop(lambda c: c < 100, lambda c: c * (1 + jnp.abs(x[0])), 1.0), x),
    "cond": (lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x[1]), x),
    "batch": (lambda x: jax.vmap(lambda t: jnp.linalg.inv(S + t * jnp.eye(5))[0, 0])(x[:3] ** 2), x),
    "random": (lambda x: x @ jax.random.normal(jax.random.key(0), x.shape, x.dtype), x),
    "integers": (lambda x: x @ jnp.arange(7).astype(x.dtype) ** 2 + x[jnp.argmax(jnp.arange(7) % 5)], x),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_what_it_gives_in_jax(name):
    f, argument = PROGRAMS[name]
    with jax.enable_x64(True), digits():
        traced = jax.jit(f).trace(argument).jaxpr
        (value,) = evaluate(traced, [argument], Budget())
        exact, expected = rounded(value), np.asarray(jax.jit(f)(argument))
    assert exact.shape == expected.shape
    np.testing.assert_allclose(exact, expected, rtol=1e-11, atol=1e-11)


def test_it_is_more_precise_than_float64():
    with jax.enable_x64(True), digits():
        traced = jax.jit(lambda x: (jnp.exp(x) - 1 - x) / x**2).trace(1e-8).jaxpr
        ((value,), small) = evaluate(traced, [np.float64(1e-8)], Budget()), 1e-8
        assert abs(float(rounded(np.asarray(value)[None])[0]) - (0.5 + small / 6)) < 1e-15


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda x: jnp.linalg.eigh(S * x[0])[0], "eigh is not known"),
        (lambda x: lax.while_loop(lambda c: c > 0, lambda c: c + 1, x[0] ** 2), "does not end|too much work"),
        (lambda x: lax.fori_loop(0, 100, lambda _, M: M @ M / 2, jnp.ones((40, 40)) * x[0]), "too much work"),
        (lambda x: jnp.where(jnp.sin(x) ** 2 + jnp.cos(x) ** 2 == 1, x, -x), "comparison cannot be decided"),
    ],
)
def test_what_it_cannot_follow(f, why):
    with jax.enable_x64(True), digits():
        traced = jax.jit(f).trace(x).jaxpr
        with pytest.raises(Unknown, match=why):
            evaluate(traced, [x], Budget())
