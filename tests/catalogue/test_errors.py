"""What a wrong call is told: the rule, what was got, and the remedy, in these words."""

import contextlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import matcalc

UNBATCHED = " (Identities are unbatched; use jax.vmap.)"
STATIC = " (Under jax.jit, name it in static_argnames.)"
METHODS = ("__call__", "derivative", "value_and_derivative", "autodiff")


def ones(*shape, dtype="float32"):
    return jnp.ones(shape, dtype)


def good():
    return {"A": ones(2, 3), "X": ones(3, 4), "B": ones(4, 4), "C": ones(3, 2)}


def tr_axbxtc(**changes):
    return matcalc.tr_axbxtc(**good() | changes)


@contextlib.contextmanager
def says(kind, message):
    """That this error is raised, with exactly this message (to which JAX may add notes)."""
    with pytest.raises(kind, match=re.escape(message)) as caught:
        yield
    assert str(caught.value) == message


# --- Shapes

THE_EXAMPLE = "tr_axbxtc: X must be m×n, got shape (4, 3), but m=3 was fixed by A." + UNBATCHED

SHAPES = [
    (lambda: tr_axbxtc(X=ones(4, 3)), THE_EXAMPLE),
    (lambda: tr_axbxtc(X=ones(3)), "tr_axbxtc: X must be m×n, got shape (3,)." + UNBATCHED),
    (lambda: tr_axbxtc(X=ones()), "tr_axbxtc: X must be m×n, got shape ()." + UNBATCHED),
    (lambda: tr_axbxtc(X=ones(1, 3, 4)), "tr_axbxtc: X must be m×n, got shape (1, 3, 4)." + UNBATCHED),
    (lambda: tr_axbxtc(X=ones(5, 3, 4)), "tr_axbxtc: X must be m×n, got shape (5, 3, 4)." + UNBATCHED),
    (
        lambda: tr_axbxtc(B=ones(4, 5)),
        "tr_axbxtc: B must be n×n, got shape (4, 5), but n=4 was fixed by X." + UNBATCHED,
    ),
    (
        lambda: tr_axbxtc(C=ones(3, 7)),
        "tr_axbxtc: C must be m×l, got shape (3, 7), but l=2 was fixed by A." + UNBATCHED,
    ),
    (lambda: matcalc.det_x(ones(2, 3)), "det_x: X must be n×n, got shape (2, 3), where both n must agree." + UNBATCHED),
    (lambda: matcalc.det_x(ones(5, 3, 3)), "det_x: X must be n×n, got shape (5, 3, 3)." + UNBATCHED),
    (lambda: matcalc.ax(ones(2, 3), ones(3, 1)), "ax: x must be a vector of n, got shape (3, 1)." + UNBATCHED),
    (
        lambda: matcalc.ax(ones(2, 3), ones(4)),
        "ax: x must be a vector of n, got shape (4,), but n=3 was fixed by A." + UNBATCHED,
    ),
    (
        lambda: matcalc.matrix_by_element(ones(3, 4), ones(1), 0, 1),
        "matrix_by_element: s must be a scalar, got shape (1,)." + UNBATCHED,
    ),
    (
        lambda: matcalc.cross_rule(ones(4), ones(4), ones(4), ones(4)),
        "cross_rule: u must be a vector of 3, got shape (4,), where 3 is due." + UNBATCHED,
    ),
    (
        lambda: matcalc.cross_rule(ones(3), ones(3, 2), ones(3), ones(3)),
        "cross_rule: du must be a vector of 3, got shape (3, 2)." + UNBATCHED,
    ),
    (
        lambda: matcalc.cross_product(ones(3), ones(2)),
        "cross_product: v must be a vector of 3, got shape (2,), where 3 is due." + UNBATCHED,
    ),
    (
        lambda: matcalc.sum_rule(ones(2, 3), ones(3, 3, 5), ones(2, 3), ones(2, 3, 5)),
        "sum_rule: dU must be (axes of U)×(axes of x), got shape (3, 3, 5), but (axes of U)=(2, 3) was fixed by U."
        + UNBATCHED,
    ),
    (
        lambda: matcalc.sum_rule(ones(2, 3), ones(2, 3, 5), ones(2, 3), ones(2, 3, 6)),
        "sum_rule: dV must be (axes of U)×(axes of x), got shape (2, 3, 6), but (axes of x)=(5,) was fixed by dU."
        + UNBATCHED,
    ),
    *(
        (
            lambda of=of: of(ones(3, 5)),
            "logdet_xtx: X must be of full column rank, and nothing of shape (3, 5) is. Choose others.",
        )
        for of in (matcalc.logdet_xtx, matcalc.logdet_xtx.derivative, matcalc.logdet_xtx.derivative_operator)
    ),
    (lambda: matcalc.tr_x(ones(0, 0)), "tr_x: X has shape (0, 0); every size must be at least 1."),
    (lambda: tr_axbxtc(X=ones(3, 0)), "tr_axbxtc: X has shape (3, 0); every size must be at least 1."),
]


@pytest.mark.parametrize(("call", "message"), SHAPES, ids=[message.split(";")[0][:70] for _, message in SHAPES])
def test_a_wrong_shape(call, message):
    with says(ValueError, message):
        call()


@pytest.mark.parametrize("method", [*METHODS, "outside"])
def test_every_method_checks_in_the_same_words(method):
    call = getattr(matcalc.tr_axbxtc, method)
    arguments = good() | {"X": ones(4, 3)}
    with says(ValueError, THE_EXAMPLE):
        call(**arguments)
    with says(ValueError, THE_EXAMPLE):
        call(*arguments.values())
    with says(TypeError, "tr_axbxtc: missing a required argument: 'C'; it takes (A, X, B, C)."):
        call(ones(2, 3), ones(3, 4), ones(4, 4))


TRANSFORMATIONS = {
    "jit": lambda f: jax.jit(f),
    "grad": lambda f: jax.grad(f, 1),
    "hessian": lambda f: jax.hessian(f, 1),
    "jvp": lambda f: lambda *args: jax.jvp(f, args, args),
    "vmap": lambda f: lambda *args: jax.vmap(f)(*(jnp.stack([a, a]) for a in args)),
    "jit of grad of vmap": lambda f: jax.jit(
        lambda *args: jax.grad(lambda X: jax.vmap(f, (None, 0, None, None))(args[0], X, *args[2:]).sum())(args[1][None])
    ),
    "checkpoint": jax.checkpoint,
    "eval_shape": lambda f: lambda *args: jax.eval_shape(f, *args),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_under_transformations_the_words_are_the_same(name):
    f = TRANSFORMATIONS[name](matcalc.tr_axbxtc)
    with says(ValueError, THE_EXAMPLE):
        f(*(good() | {"X": ones(4, 3)}).values())
    with says(ValueError, "tr_axbxtc: B must be n×n, got shape (4, 5), but n=4 was fixed by X." + UNBATCHED):
        f(*(good() | {"B": ones(4, 5)}).values())


def test_through_keywords_under_jit_and_grad():
    wrong = good() | {"X": ones(4, 3)}
    for f in (jax.jit(matcalc.tr_axbxtc), jax.jit(tr_axbxtc)):
        with says(ValueError, THE_EXAMPLE):
            f(**wrong)
    with says(ValueError, THE_EXAMPLE):
        jax.grad(lambda X: tr_axbxtc(X=X))(wrong["X"])


# --- Dtypes and kinds of arguments


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "bool", "complex64"])
@pytest.mark.parametrize("method", METHODS)
def test_a_dtype_that_is_not_real_floating(dtype, method):
    message = f"tr_x: X must have a real floating dtype, got {dtype}. Convert it, for example by .astype(jnp.float32)."
    for X in (ones(3, 3, dtype=dtype), np.eye(3, dtype=dtype)):
        with says(TypeError, message):
            getattr(matcalc.tr_x, method)(X)
    with says(TypeError, message):
        jax.vmap(matcalc.tr_x)(ones(2, 3, 3, dtype=dtype))
    with says(TypeError, message):
        jax.jit(matcalc.tr_x)(ones(3, 3, dtype=dtype))


@pytest.mark.parametrize("dtype", ["int64", "complex128", "object", "<U1", "datetime64[s]"])
def test_a_dtype_of_numpy_that_is_not_real_floating(dtype):
    with says(
        TypeError,
        f"tr_x: X must have a real floating dtype, got {dtype}. Convert it, for example by .astype(jnp.float32).",
    ):
        matcalc.tr_x(np.zeros((3, 3), dtype))


def test_mixed_dtypes():
    message = (
        "tr_axbxtc: all arguments must have one dtype, but A is float32, X is float64, B is float32, C is float32. "
        "Convert by .astype."
    )
    with jax.enable_x64(True):
        mixed = good() | {"X": ones(3, 4, dtype="float64")}
        for f in (matcalc.tr_axbxtc, jax.jit(matcalc.tr_axbxtc), jax.grad(matcalc.tr_axbxtc, 1)):
            with says(TypeError, message):
                f(*mixed.values())
        with says(TypeError, message):
            matcalc.tr_axbxtc.derivative(**mixed)
    with says(TypeError, "ax: all arguments must have one dtype, but A is float16, x is float32. Convert by .astype."):
        matcalc.ax(ones(2, 3, dtype="float16"), ones(3))


def test_with_float64_off_an_array_of_numpy_in_float64_is_one_in_float32():
    with jax.enable_x64(False):
        assert matcalc.ax(ones(2, 3), np.ones(3)).dtype == jnp.float32


NO_ARRAYS = {
    "list": [[1.0, 2.0], [3.0, 4.0]],
    "tuple": ((1.0, 2.0), (3.0, 4.0)),
    "dict": {"X": 1.0},
    "NoneType": None,
    "str": "X",
    "float": 1.0,
    "int": 1,
    "bool": True,
}


@pytest.mark.parametrize("what", NO_ARRAYS)
@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_array(what, method):
    for args, kwargs in (((NO_ARRAYS[what],), {}), ((), {"X": NO_ARRAYS[what]})):
        with says(TypeError, f"tr_x: X must be an array (n×n), got {what}. Use jnp.asarray."):
            getattr(matcalc.tr_x, method)(*args, **kwargs)


def test_what_is_no_array_where_a_vector_or_a_scalar_is_due():
    with says(TypeError, "ax: x must be an array (a vector of n), got list. Use jnp.asarray."):
        matcalc.ax(ones(2, 3), [1.0, 2.0, 3.0])
    for s, what in ((True, "bool"), ("1", "str"), (None, "NoneType"), (1j, "complex")):
        with says(TypeError, f"matrix_by_element: s must be an array (a scalar), got {what}. Use jnp.asarray."):
            matcalc.matrix_by_element(ones(3, 4), s, 0, 1)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_numbers_of_python_are_scalars_of_the_dtype_of_the_others(dtype):
    def f(s):
        return matcalc.matrix_by_element(ones(3, 4, dtype=dtype), s, 0, 1)

    for s in (2, 2.0, jnp.asarray(2.0, dtype), np.asarray(2.0, dtype)[()]):
        value = f(s)
        assert value.dtype == dtype
        assert value[0, 1] == 3
    assert jax.jit(f)(2.0).dtype == jax.jit(f)(2).dtype == dtype
    assert jax.grad(lambda s: f(s).sum())(2.0) == 1


def test_a_complex_number_never_loses_its_imaginary_part_in_silence():
    f = jax.jit(lambda s: matcalc.matrix_by_element(ones(3, 4), s, 0, 1))
    with pytest.raises(
        TypeError, match=r"^matrix_by_element: s must have a real floating dtype, got complex(64|128)\."
    ):
        f(2j)


# --- The list of arguments


def test_missing_misspelt_and_superfluous_arguments():
    A, X, B, C = good().values()
    takes = "; it takes (A, X, B, C)."
    for call, message in (
        (lambda: matcalc.tr_axbxtc(A, X, B), "tr_axbxtc: missing a required argument: 'C'"),
        (lambda: matcalc.tr_axbxtc(), "tr_axbxtc: missing a required argument: 'A'"),
        (lambda: matcalc.tr_axbxtc(A, x=X, B=B, C=C), "tr_axbxtc: missing a required argument: 'X'"),
        (lambda: tr_axbxtc(D=B), "tr_axbxtc: got an unexpected keyword argument 'D'"),
        (lambda: tr_axbxtc(layout="jax"), "tr_axbxtc: got an unexpected keyword argument 'layout'"),
        (lambda: matcalc.tr_axbxtc(A, X, B, C, C), "tr_axbxtc: too many positional arguments"),
        (lambda: matcalc.tr_axbxtc(A, X, B, C, X=X), "tr_axbxtc: multiple values for argument 'X'"),
        (lambda: jax.jit(matcalc.tr_axbxtc)(A, X, B), "tr_axbxtc: missing a required argument: 'C'"),
        (lambda: jax.grad(matcalc.tr_axbxtc)(A, X, B), "tr_axbxtc: missing a required argument: 'C'"),
    ):
        with says(TypeError, message + takes):
            call()
    with says(TypeError, "tr_xk: missing a required argument: 'k'; it takes (X, k)."):
        matcalc.tr_xk(ones(3, 3))


# --- Integers


@pytest.mark.parametrize("k", [0, -1, -7, np.int64(0)])
@pytest.mark.parametrize("method", METHODS)
def test_an_exponent_below_one(k, method):
    for args, kwargs in (((k,), {}), ((), {"k": k})):
        with says(ValueError, f"tr_xk: k must be at least 1, got {k}."):
            getattr(matcalc.tr_xk, method)(ones(3, 3), *args, **kwargs)


def not_an_integer(what):
    return says(TypeError, f"tr_xk: k must be an integer of Python, known while tracing, got {what}." + STATIC)


@pytest.mark.parametrize("k", [2.0, 2.5, True, None, "2", [2], np.array(2), np.float32(2)], ids=repr)
@pytest.mark.parametrize("method", METHODS)
def test_an_exponent_that_is_no_integer(k, method):
    with not_an_integer(type(k).__name__):
        getattr(matcalc.tr_xk, method)(ones(3, 3), k)
    with not_an_integer(type(k).__name__):
        jax.jit(lambda X: getattr(matcalc.tr_xk, method)(X, k=k))(ones(3, 3))


def test_a_traced_exponent():
    X = ones(3, 3)
    for call in (
        lambda: matcalc.tr_xk(X, jnp.int32(2)),
        lambda: matcalc.tr_xk(X, k=jnp.asarray(2.0)),
        lambda: jax.jit(matcalc.tr_xk)(X, 2),
        lambda: jax.jit(matcalc.tr_xk)(X, k=2),
        lambda: jax.jit(matcalc.tr_xk.derivative)(X, 2),
        lambda: jax.vmap(matcalc.tr_xk, (None, 0))(X, jnp.arange(1, 3)),
        lambda: jax.grad(matcalc.tr_xk, 1)(X, 2.0),
        lambda: jax.lax.map(lambda k: matcalc.tr_xk(X, k), jnp.arange(1, 3)),
    ):
        with not_an_integer("jax.Array"):
            call()
    assert jax.jit(matcalc.tr_xk, static_argnames="k")(X, k=2) == 9  # the remedy


@pytest.mark.parametrize("i", [3, 5, -1])
@pytest.mark.parametrize("method", METHODS)
def test_an_index_out_of_range(i, method):
    with says(ValueError, f"component: the index i must be from 0 to 2 (n=3), got {i}."):
        getattr(matcalc.component, method)(ones(3), i)
    with says(ValueError, f"component: the index i must be from 0 to 2 (n=3), got {i}."):
        jax.grad(lambda x: matcalc.component(x, i=i))(ones(3))


def test_an_index_is_told_whose_size_it_has():
    with says(ValueError, "element: the index j must be from 0 to 3 (n=4), got 4."):
        matcalc.element(ones(3, 4), 2, 4)
    with says(ValueError, "element: the index i must be from 0 to 2 (m=3), got 3."):
        matcalc.element(ones(3, 4), 3, 3)
    with says(TypeError, "component: i must be an integer of Python, known while tracing, got float." + STATIC):
        matcalc.component(ones(3), 1.0)
    assert matcalc.element(ones(3, 4), np.int64(2), np.uint8(3)) == 1


# --- Layouts and values


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("layout", ["rows", "", "Numerator", None])
def test_an_unknown_layout(method, layout):
    with says(ValueError, f"layout must be one of jax, numerator, denominator, vec; got {layout!r}."):
        getattr(matcalc.tr_axbxtc, method)(**good(), layout=layout)


def test_values_that_are_not_finite_are_outside():
    def outside(entry):
        return matcalc.tr_axbxtc.outside(**good() | {"X": ones(3, 4).at[1, 2].set(entry)})

    assert outside(0.0) is None
    assert outside(jnp.nan) == "X contains NaN; every entry must be finite."
    for infinity in (jnp.inf, -jnp.inf):
        assert outside(infinity) == "X contains an infinite entry; every entry must be finite."
    assert matcalc.matrix_by_element.outside(ones(3, 4), float("nan"), 0, 1) == (
        "s contains NaN; every entry must be finite."
    )


def test_conditions_on_values_are_looked_at_by_outside_and_never_by_a_call():
    singular = jnp.zeros((3, 3))
    assert matcalc.logabsdet_x.outside(singular) == "The formula requires X invertible, and here it is not."
    for f in (matcalc.logabsdet_x, jax.jit(matcalc.logabsdet_x)):
        assert f(singular) == -jnp.inf
    for f in (matcalc.logabsdet_x.derivative, jax.jit(matcalc.logabsdet_x.derivative), jax.grad(matcalc.logabsdet_x)):
        assert not np.all(np.isfinite(f(singular)))
    nan = jnp.full((3, 3), jnp.nan)
    assert np.isnan(jax.jit(matcalc.tr_x)(nan))


@pytest.mark.parametrize("name", ["det_x", "tr_expm", "logdet_xtx"])
def test_half_precision_where_the_linear_algebra_does_not_take_it(name):
    entry = matcalc.CATALOGUE[name]
    (X,) = entry.sample(0)
    message = f"{name}: JAX's linear algebra does not take bfloat16 here. Use .astype(jnp.float32)."
    with pytest.raises(TypeError, match=re.escape(message)):
        entry(jnp.asarray(X, jnp.bfloat16))


def test_half_precision_where_products_are_all_there_is():
    arguments = [jnp.asarray(a, jnp.bfloat16) for a in matcalc.tr_axb.sample(0)]
    assert matcalc.tr_axb.derivative(*arguments).dtype == jnp.bfloat16


# --- Arrays that jitted functions would read wrongly


@pytest.mark.parametrize("method", METHODS)
def test_another_byte_order_and_masks_are_refused_also_after_calls(method):
    """A jitted function that has been called takes the bytes as they lie there, and 14 becomes 0."""
    x = np.arange(1, 4, dtype=np.float32)
    run = getattr(matcalc.sqnorm_x, method)
    for _ in range(3):
        run(x)
    order = "got >f4. Convert it, for example by .astype(np.float32)."
    with says(TypeError, f"sqnorm_x: x must be in the byte order of this machine, {order}"):
        run(x.astype(">f4"))
    mask = "whose mask would be lost. Fill it, for example by .filled(0)."
    with says(TypeError, f"sqnorm_x: x must be a plain array, got a masked one, {mask}"):
        run(np.ma.array(x, mask=[False, True, False]))


def test_wrong_options_of_check_are_named():
    with says(TypeError, "tr_x.check has no option 'dtype'; its options are layout, seed, precision, platform."):
        matcalc.tr_x.check(dtype="float32")
    with says(ValueError, "seed must be an integer or a JAX key, got 'one'."):
        matcalc.tr_x.check(np.eye(2), seed="one")
    with says(TypeError, "a seed is an integer or one JAX key, got 1.5."):
        matcalc.tr_x.sample(1.5)
    with says(TypeError, "a seed is an integer or one JAX key, got an array of shape (2,)."):
        matcalc.tr_x.sample(jax.random.split(jax.random.key(0)))
