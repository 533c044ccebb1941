"""Each identity as a function in other people's code: transformations, the other arguments, and what is computed."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import matcalc
from matcalc import reassociate
from matcalc.catalogue.identities import Identity
from matcalc.referee.programs import hasty


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
    return lambda *args: identity.declaration.value_of(dict(zip(names, args, strict=True)))


def assert_close(actual, expected):
    """Norm-wise, to a few hundred roundings: the samples are well conditioned."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.all(np.isfinite(actual))
    size = np.linalg.norm(expected.ravel())
    assert np.linalg.norm((actual - expected).ravel()) <= 500 * np.finfo(expected.dtype).eps * (size or 1)


@pytest.fixture(scope="module")
def found(identity):
    """All that is compared of an identity, computed by one program: compiling it takes most of the time."""
    args, (argnum, others) = arguments(identity), positions(identity)
    other = [b if isinstance(b, int) else a for a, b in zip(arguments(identity, seed=1), args, strict=True)]
    names = [p.name for p in identity.signature.parameters]
    axes = [None if isinstance(a, int) else 0 for a in args]
    nested = jax.jit(identity, static_argnums=integers(args))
    modes = {"closed form": identity.derivative, "autodiff": identity.autodiff}
    if identity.order == 2:
        modes |= {"hessian": jax.hessian(identity, argnum)}
    else:
        modes |= {"forward": jax.jacfwd(identity, argnum), "reverse": jax.jacrev(nested, argnum)}

    def together(*both):
        args, other = both[: len(names)], both[len(names) :]
        batch = [a if axis is None else jnp.stack([a, b]) for a, b, axis in zip(args, other, axes, strict=True)]
        value, derivative = identity.value_and_derivative(*args)
        derivatives = {name: mode(*args) for name, mode in modes.items()} | {"with the value": derivative}
        if identity.order == 1 and value.ndim == 0:
            derivatives["grad"] = jax.grad(identity, argnum)(*args)
        by_name = identity(**dict(zip(names, args, strict=True)))
        every = (argnum, *others)
        return {
            "values": {"jitted": identity(*args), "by name": by_name, "with its derivative": value},
            "mapped": jax.vmap(identity, axes)(*batch),
            "expected": [plain(identity)(*args), plain(identity)(*other)],
            "derivatives": derivatives,
            "hessians": [jax.hessian(weighted(f), argnum)(*args) for f in (identity, plain(identity))],
            "gradient": jax.grad(weighted(identity), argnum)(*args),
            "by the others": jax.jacfwd(identity, others)(*args) if others else (),
            "by every": [jax.jacrev(f, every)(*args) for f in (identity, plain(identity))],
        }

    return compiled(together, [*args, *other]) | {"eager": identity(*args)}


def weighted(f):
    """A number, for second derivatives: a sum of all entries, each with another weight."""

    def of(*args):
        values = jnp.ravel(f(*args))
        return jnp.cos(jnp.arange(values.size, dtype=values.dtype)) @ values

    return of


def integers(args):
    return tuple(i for i, a in enumerate(args) if isinstance(a, int))


def compiled(f, args):
    """f(*args) as one program."""
    return jax.jit(f, static_argnums=integers(args), compiler_options=hasty())(*args)


def test_value_is_that_of_the_body_eager_jitted_and_mapped(found):
    expected, of_other = found["expected"]
    for value in (found["eager"], *found["values"].values(), found["mapped"][0]):
        assert_close(value, expected)
    assert_close(found["mapped"][1], of_other)


def test_every_mode_of_differentiation_gives_the_closed_form(found):
    for derivative in found["derivatives"].values():
        assert_close(derivative, found["derivatives"]["closed form"])


LARGER = {"l": 7, "m": 8, "n": 9, "p": 8, "q": 7}  # whose products are not taken by entries


def test_it_is_right_for_larger_arrays_too(identity):
    axes = identity.signature.names(next(iter(identity.covers)))
    args = arguments(identity, **{axis: size for axis, size in LARGER.items() if axis in axes})
    closed, expected = compiled(lambda *args: (identity.derivative(*args), identity.autodiff(*args)), args)
    assert_close(closed, expected)


def test_second_derivatives_are_right(found):
    hessian, expected = found["hessians"]
    # Relative to the size of the derivative too: a Hessian that vanishes does so up to rounding only.
    size = np.linalg.norm(np.ravel(found["gradient"])) + np.linalg.norm(np.ravel(expected))
    assert np.all(np.isfinite(hessian))
    assert np.linalg.norm(np.ravel(hessian - expected)) <= 2000 * np.finfo(hessian.dtype).eps * size


def test_the_other_arguments_are_differentiated_rightly_alone_and_together(found):
    every, expected = found["by every"]
    for actual, right in zip((*every, *found["by the others"]), (*expected, *expected[1:]), strict=True):
        assert_close(actual, right)


def cost(f, args, static):
    """Multiply-adds and calls of LAPACK in the compiled program, which is not run."""
    compiled = jax.jit(f, static_argnums=static, compiler_options=hasty()).lower(*args).compile()
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
        f, df_dX = matcalc.tr_axxt.declaration.body(A, X)
        return f, 3 * df_dX

    planted.__annotations__ = matcalc.tr_axxt.declaration.body.__annotations__
    wrong = Identity(planted, "tr(A X Xᵀ)", "3 (A + Aᵀ) X", source="", covers="")
    args = arguments(matcalc.tr_axxt)
    modes = (jax.grad, jax.jacfwd, jax.jacrev)

    def together(*args):
        right = matcalc.tr_axxt(*args), jax.grad(plain(matcalc.tr_axxt))(*args), matcalc.tr_axxt.autodiff(*args)
        return right, wrong(*args), wrong.autodiff(*args), [[mode(wrong, i)(*args) for mode in modes] for i in (0, 1)]

    (value, by_A, by_X), value_of_wrong, autodiff, (all_by_A, all_by_X) = compiled(together, args)
    for of_A, of_X in zip(all_by_A, all_by_X, strict=True):
        assert_close(of_A, by_A)
        assert_close(of_X, 3 * by_X)
    assert_close(autodiff, by_X)
    assert_close(value_of_wrong, value)


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
    arrays = tuple(i for i, a in enumerate(args) if not isinstance(a, int))

    def together(*args):
        return rule(*args), rule.autodiff(*args), jax.jacrev(rule, arrays)(*args)

    derivative, automatic, jacobians = compiled(together, args)
    assert_close(rule(*args), automatic)
    assert_close(derivative, automatic)
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

    def together(t):
        return matcalc.product_rule(U(t), -X * jnp.sin(t), V(t), A @ V(t)), jax.jacfwd(lambda t: U(t) @ V(t))(t)

    assert_close(*compiled(together, [t]))


def test_identities_work_inside_scan_cond_and_remat():
    A, X, B, C = arguments(matcalc.tr_axbxtc)

    def loss(X):
        def step(total, scale):
            return total + jax.checkpoint(matcalc.tr_axbxtc)(A, scale * X, B, C), None

        total, _ = jax.lax.scan(step, jnp.zeros((), X.dtype), jnp.arange(1, 4, dtype=X.dtype))
        return jax.lax.cond(total > 0, lambda: total, lambda: -total)

    def plain_loss(X):
        return jnp.abs(sum(plain(matcalc.tr_axbxtc)(A, s * X, B, C) for s in (1.0, 2.0, 3.0)))

    assert_close(*compiled(lambda X: (jax.grad(loss)(X), jax.grad(plain_loss)(X)), [X]))


@pytest.mark.parametrize("name", ["det_x_invertible", "inv_element", "tr_inv_x_plus_a"])
def test_second_derivatives_are_right_in_a_loop(name):
    # Where a scan moves what is constant out of its loop, JAX drops custom rules, and differentiates what they are for.
    identity = matcalc.CATALOGUE[name]
    args, (argnum, _) = arguments(identity), positions(identity)

    def step(X, _):
        f = weighted(identity)(*args[:argnum], X, *args[argnum + 1 :])
        return X * (1 + f / (4 + 4 * f**2)), None

    def unrolled(X):
        return jnp.sum(jnp.sin(step(step(X, 0)[0], 1)[0]))

    def looped(X):
        return jnp.sum(jnp.sin(jax.lax.scan(step, X, length=2)[0]))

    hessians = compiled(lambda X: [jax.jacfwd(jax.grad(f))(X) for f in (unrolled, looped)], [args[argnum]])
    np.testing.assert_allclose(
        *hessians, rtol=0, atol=2e3 * np.finfo(hessians[0].dtype).eps * np.abs(hessians[0]).max()
    )
