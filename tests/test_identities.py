"""Each identity as a function in other people's code: transformations, the other arguments, and what is computed."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import matcalc
from matcalc import reassociate
from matcalc._identity import Identity


def arguments(identity, seed=0, **sizes):
    """A sample in the default dtype, as JAX arrays."""
    dtype = jnp.result_type(float)
    kind = next(iter(identity.covers))
    return [
        a if isinstance(a, int) else jnp.asarray(a)
        for a in identity.sample(seed, dtype=np.dtype(dtype), kind=kind, **sizes)
    ]


def positions(identity):
    """Of the variable, and of the other arrays."""
    names = [p.name for p in identity.signature.parameters]
    others = [names.index(p.name) for p in identity.signature.arrays if p.name != identity.wrt]
    return names.index(identity.wrt), tuple(others)


def plain(identity):
    """The value without the closed form, as a function with the same arguments."""
    names = [p.name for p in identity.signature.parameters]
    return lambda *args: identity.value_of(dict(zip(names, args, strict=True)))


def assert_close(actual, expected):
    """Norm-wise, to a few hundred roundings: the samples are well conditioned."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.all(np.isfinite(actual))
    size = np.linalg.norm(expected.ravel())
    assert np.linalg.norm((actual - expected).ravel()) <= 500 * np.finfo(expected.dtype).eps * (size or 1)


def test_value_is_that_of_the_body_eager_jitted_and_mapped(identity):
    args = arguments(identity)
    expected = plain(identity)(*args)
    assert_close(identity(*args), expected)
    names = [p.name for p in identity.signature.parameters]
    assert_close(identity(**dict(zip(names, args, strict=True))), expected)
    arrays = [i for i, a in enumerate(args) if not isinstance(a, int)]

    def of_arrays(*values):
        full = list(args)
        for i, value in zip(arrays, values, strict=True):
            full[i] = value
        return identity(*full)

    assert_close(jax.jit(of_arrays)(*(args[i] for i in arrays)), expected)
    other = arguments(identity, seed=1)
    other = [args[i] if isinstance(args[i], int) else other[i] for i in range(len(args))]
    batch = [jnp.stack([args[i], other[i]]) for i in arrays]
    mapped = jax.vmap(of_arrays)(*batch)
    assert_close(mapped[0], expected)
    assert_close(mapped[1], plain(identity)(*other))


def test_every_mode_of_differentiation_gives_the_closed_form(identity):
    args = arguments(identity)
    argnum, _ = positions(identity)
    derivative = identity.derivative(*args)
    value, together = identity.value_and_derivative(*args)
    assert_close(value, plain(identity)(*args))
    assert_close(together, derivative)
    assert_close(identity.autodiff(*args), derivative)
    if identity.order == 2:
        assert_close(compiled(jax.hessian(identity, argnum), args), derivative)
        return
    assert_close(compiled(jax.jacfwd(identity, argnum), args), derivative)
    nested = jax.jit(identity, static_argnums=integers(args))
    assert_close(compiled(jax.jacrev(nested, argnum), args), derivative)
    if value.ndim == 0:
        assert_close(jax.grad(identity, argnum)(*args), derivative)


def integers(args):
    return tuple(i for i, a in enumerate(args) if isinstance(a, int))


def compiled(f, args):
    """f(*args) as one program: much quicker to test than operation by operation."""
    return jax.jit(f, static_argnums=integers(args))(*args)


def test_second_derivatives_are_right(identity):
    args = arguments(identity)
    argnum, _ = positions(identity)
    weights = jnp.cos(jnp.arange(plain(identity)(*args).size, dtype=args[argnum].dtype))

    def weighted(f):
        return lambda *args: weights @ jnp.ravel(f(*args))

    hessian = compiled(jax.hessian(weighted(identity), argnum), args)
    expected = compiled(jax.hessian(weighted(plain(identity)), argnum), args)
    # Relative to the size of the derivative too: a Hessian that vanishes does so up to rounding only.
    size = np.linalg.norm(np.ravel(compiled(jax.grad(weighted(identity), argnum), args))) + np.linalg.norm(
        np.ravel(expected)
    )
    assert np.all(np.isfinite(hessian))
    assert np.linalg.norm(np.ravel(hessian - expected)) <= 2000 * np.finfo(hessian.dtype).eps * size


def test_the_other_arguments_are_differentiated_rightly_alone_and_together(identity):
    args = arguments(identity)
    argnum, others = positions(identity)
    every = (argnum, *others)
    expected = compiled(jax.jacrev(plain(identity), every), args)
    for actual, right in zip(compiled(jax.jacrev(identity, every), args), expected, strict=True):
        assert_close(actual, right)
    if others:
        for actual, right in zip(compiled(jax.jacfwd(identity, others), args), expected[1:], strict=True):
            assert_close(actual, right)


def cost(f, args, static):
    """Multiply-adds and calls of LAPACK in the compiled program."""
    compiled = jax.jit(f, static_argnums=static).lower(*args).compile()
    calls = len(re.findall(r"custom-call\(", compiled.as_text()))
    return compiled.cost_analysis().get("flops", 0), calls


def test_the_closed_form_is_computed_only_where_it_is_asked_for(identity):
    args = arguments(identity)
    static = integers(args)
    _, others = positions(identity)
    without_rule = reassociate(plain(identity))
    assert cost(identity, args, static) == cost(without_rule, args, static)
    if others:
        f = summed(identity), summed(without_rule)
        with_rule, without = (cost(jax.grad(g, others), args, static) for g in f)
        assert with_rule[0] <= without[0] * 1.02 + 10
        assert with_rule[1] <= without[1]


def summed(f):
    return lambda *args: jnp.sum(f(*args))


def test_differentiation_runs_the_closed_form_and_not_autodiff():
    """A planted error in the closed form comes out of every mode with respect to X, and out of none to A."""

    def planted(A, X):
        f, df_dX = matcalc.tr_axxt.body(A, X)
        return f, 3 * df_dX

    planted.__annotations__ = matcalc.tr_axxt.body.__annotations__
    wrong = Identity(planted, "tr(A X Xᵀ)", "3 (A + Aᵀ) X", source="", covers="")
    args = arguments(matcalc.tr_axxt)
    right = matcalc.tr_axxt.autodiff(*args)
    for mode in (jax.grad, jax.jacfwd, jax.jacrev):
        assert_close(mode(wrong, 1)(*args), 3 * right)
        assert_close(mode(wrong, 0)(*args), jax.grad(plain(matcalc.tr_axxt))(*args))
    assert_close(wrong.autodiff(*args), right)
    assert_close(wrong(*args), matcalc.tr_axxt(*args))


@pytest.mark.parametrize("layout", ["numerator", "denominator", "vec", "jax"])
def test_layouts_of_the_methods(layout):
    args = arguments(matcalc.tr_axb)
    D = np.asarray(matcalc.tr_axb.derivative(*args))
    expected = {"jax": D, "denominator": D, "numerator": D.T, "vec": D.T.reshape(1, -1)}[layout]
    np.testing.assert_array_equal(matcalc.tr_axb.derivative(*args, layout=layout), expected)
    np.testing.assert_array_equal(matcalc.tr_axb.value_and_derivative(*args, layout=layout)[1], expected)
    assert_close(matcalc.tr_axb.autodiff(*args, layout=layout), expected)


def test_rules_give_the_derivative_of_the_compound_and_can_be_transformed(rule):
    args = arguments(rule)
    derivative = rule(*args)
    assert_close(derivative, rule.autodiff(*args))
    assert_close(compiled(rule, args), derivative)
    arrays = tuple(i for i, a in enumerate(args) if not isinstance(a, int))
    jacobians = compiled(jax.jacrev(rule, arrays), args)
    assert all(np.all(np.isfinite(J)) for J in jacobians)


def test_the_product_rule_in_a_model():
    """U = X cos t, V = exp(t A): the rule against autodiff of the product as a function of t."""
    rng = np.random.default_rng(0)
    X, A = (jnp.asarray(rng.normal(size=(3, 3)), jnp.result_type(float)) for _ in range(2))
    t = jnp.asarray(0.3, X.dtype)

    def U(t):
        return X * jnp.cos(t)

    def V(t):
        return jax.scipy.linalg.expm(t * A)

    derivative = matcalc.product_rule(U(t), -X * jnp.sin(t), V(t), A @ V(t))
    assert_close(derivative, jax.jacfwd(lambda t: U(t) @ V(t))(t))


def test_identities_work_inside_scan_cond_and_remat():
    A, X, B, C = arguments(matcalc.tr_axbxtc)

    def loss(X):
        def step(total, scale):
            return total + jax.checkpoint(matcalc.tr_axbxtc)(A, scale * X, B, C), None

        total, _ = jax.lax.scan(step, jnp.zeros((), X.dtype), jnp.arange(1, 4, dtype=X.dtype))
        return jax.lax.cond(total > 0, lambda: total, lambda: -total)

    expected = jax.grad(lambda X: jnp.abs(sum(plain(matcalc.tr_axbxtc)(A, s * X, B, C) for s in (1.0, 2.0, 3.0))))(X)
    assert_close(jax.grad(loss)(X), expected)
