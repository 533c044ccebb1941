"""`reassociate`: no more operations than written, and nothing touched that it does not understand."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from planned_programs import A, B, agree, x

import matcalc
from matcalc import reassociate

# --- Of what it does not understand


def cond(A, B, x):
    return jax.lax.cond(x[0] > 0, lambda: A @ B @ x, lambda: x)


def loop(A, B, x):
    return jax.lax.fori_loop(0, 3, lambda _, v: A @ (B @ v), x)


def scan(A, B, x):
    return jax.lax.scan(lambda v, a: (a * v + A @ x, jnp.sum(v)), x, jnp.arange(4, dtype=x.dtype))


@jax.custom_jvp
def twice(x):
    return 2 * x


@twice.defjvp
def twice_jvp(primals, tangents):
    return twice(*primals), 3 * tangents[0]  # not the derivative, so that it shows which is used


def custom(A, B, x):
    return jnp.sum(twice(A @ B @ x) ** 2)


def convolution(A, B, x):
    return jnp.convolve(A @ B @ x, x, mode="same")


def random(A, B, x):
    return A @ B @ x + jax.random.normal(jax.random.key(0), x.shape, x.dtype)


def sharded(A, B, x):
    mesh = jax.make_mesh((1,), ("a",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("a"))
    return jax.lax.with_sharding_constraint(A @ B @ x, spec)


def mixed(A, B, x):
    y = jnp.tanh(A @ B @ x)
    return {"sum": jnp.sum(y), "sorted": jnp.sort(y), "index": jnp.argmax(y), "inverse": jnp.linalg.inv(A) @ B @ x}


def inner(A, B, x):
    return jax.jit(lambda A, B, x: A @ B @ x)(A, B, x), jax.checkpoint(lambda x: jnp.sin(A @ x))(x)


OTHERS = [cond, loop, scan, custom, convolution, random, sharded, mixed, inner]


@pytest.mark.parametrize("fun", OTHERS)
def test_everything_else_stays_what_it_is(fun):
    agree(reassociate(fun)(A, B, x), fun(A, B, x))
    agree(jax.jit(reassociate(fun))(A, B, x), fun(A, B, x))
    agree(reassociate(jax.jit(fun))(A, B, x), fun(A, B, x))


@pytest.mark.parametrize("fun", [loop, custom, convolution, inner])
def test_it_can_be_differentiated_and_mapped(fun):
    def total(fun):
        return lambda *args: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(fun(*args)))

    agree(jax.jacfwd(reassociate(fun))(A, B, x), jax.jacfwd(fun)(A, B, x))
    agree(jax.jacfwd(jax.grad(reassociate(total(fun)), 1))(A, B, x), jax.jacfwd(jax.grad(total(fun), 1))(A, B, x))
    agree(reassociate(jax.grad(total(fun), (0, 1, 2)))(A, B, x), jax.grad(total(fun), (0, 1, 2))(A, B, x))
    batch = np.stack([x, 2 * x])
    mapped = jax.vmap(fun, (None, None, 0))
    agree(jax.vmap(reassociate(fun), (None, None, 0))(A, B, batch), mapped(A, B, batch))
    agree(reassociate(mapped)(A, B, batch), mapped(A, B, batch))
    agree(jax.lax.map(lambda v: reassociate(fun)(A, B, v), batch), mapped(A, B, batch))


def test_effects_stay_and_keep_their_order():
    seen = []

    def fun(x):
        for k in range(3):
            jax.debug.callback(lambda k=k: seen.append(k), ordered=True)
        return x.T @ (x @ x) @ x

    jax.block_until_ready(reassociate(fun)(A))
    jax.effects_barrier()
    assert seen == [0, 1, 2]


def test_what_gains_nothing_is_the_same_program():
    def layer(W, b, x):
        return jnp.sum(jax.nn.relu(W @ x + b) * 2)

    assert str(jax.make_jaxpr(reassociate(layer))(A, x, x)) == str(jax.make_jaxpr(layer)(A, x, x))


@pytest.mark.parametrize(
    ("diagonal", "dtype"),
    [([100] * 3, jnp.int8), ([True] * 3, bool), ([6e4, 6e4, -6e4], jnp.float16), ([256] + 7 * [1], jnp.bfloat16),
     ([2, 3], jnp.complex64)],
)  # fmt: skip
def test_traces_are_as_jax_has_them(diagonal, dtype):
    X = jnp.diag(jnp.array(diagonal, dtype))
    for matrix in (X, jnp.broadcast_to(X[..., None], (*X.shape, 4))):
        expected, found = jnp.trace(matrix), reassociate(jnp.trace)(matrix)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


WEAK = jnp.broadcast_to(jnp.asarray(2.0), (12, 12))  # of a dtype that gives way, as that of a number of Python


@pytest.mark.parametrize(
    "fun",
    [
        lambda A: (A @ A, 2.0),
        lambda A: A * 2.0 * 3.0 * A[0, 0],
        lambda A: jnp.linalg.inv(A + jnp.eye(12)) @ A @ A[0],
        lambda A: jnp.trace(A[:3, :3]),
        lambda A: jnp.trace(A @ A @ A),
    ],
)
def test_dtypes_give_way_as_they_did(fun):
    for transform in (lambda f: f, jax.jit):
        for X in (WEAK, jnp.eye(12)):
            expected, found = (jax.tree.leaves(transform(f)(X)) for f in (fun, reassociate(fun)))
            assert [(x.dtype, x.weak_type) for x in map(jnp.asarray, found)] == [
                (x.dtype, x.weak_type) for x in map(jnp.asarray, expected)
            ]


@pytest.mark.parametrize(
    ("fun", "shapes", "parts"),
    [
        (lambda B, A: B @ A, [(4, 4), (4, 4)], [(None, None), ("rows", None)]),
        (lambda A, B: jnp.linalg.inv(A + 2 * jnp.eye(12)) @ B, [(12, 12), (12, 12)], [(None, None), ("rows", None)]),
        (lambda A, B, C: A @ (B @ C), [(4, 90), (90, 90), (90, 90)], [("rows", None), (None, None), (None, None)]),
        (lambda v, A: jnp.diag(v) @ A, [(8,), (8, 8)], [(None,), ("rows", None)]),
    ],
)
def test_arrays_keep_the_axes_of_a_mesh_in_their_types(fun, shapes, parts):
    mesh = jax.make_mesh((1,), ("rows",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        arrays = [jax.device_put(jnp.ones(shape), jax.P(*part)) for shape, part in zip(shapes, parts, strict=True)]
        assert jax.typeof(reassociate(fun)(*arrays)) == jax.typeof(fun(*arrays))


def test_arrays_of_numpy_become_those_of_jax():
    found = reassociate(jnp.asarray)(np.arange(4.0))
    assert isinstance(found, jax.Array)
    assert found.dtype == jnp.result_type(float)
    with np.errstate(all="raise"):
        assert reassociate(jnp.trace)(np.diag(np.float32([3e38, 3e38]))) == np.inf


def test_arguments_with_a_dtype_that_are_no_arrays_stay_as_they_are():
    fun = reassociate(lambda A, x, dtype: (A @ A @ x).astype(dtype))
    assert fun(A, A[0], dtype=jnp.bfloat16).dtype == jnp.bfloat16
    assert reassociate(lambda names, A: len(names) * A)(np.array(["a", "b"]), A)[0, 0] == 2 * A[0, 0]
    with pytest.raises(TypeError, match="reassociate takes a function, got int"):
        reassociate(3)


@pytest.mark.parametrize("fun", [reassociate(lambda A, B: A @ B @ A + jnp.trace(A) * jnp.linalg.inv(A)), matcalc.tr_ax])
def test_sizes_can_be_unknown(fun):
    (size,) = jax.export.symbolic_shape("n")
    unknown = jax.ShapeDtypeStruct((size, size), jnp.float32)
    exported = jax.export.export(jax.jit(fun))(unknown, unknown)
    arrays = [np.float32(A), np.float32(B)]
    agree(exported.call(*arrays), fun(*arrays))


def test_numbers_of_64_bits_stay_so_where_they_are_asked_for_inside():
    def fun(A, x):
        with jax.enable_x64(True):
            A, x = A.astype(jnp.float64), x.astype(jnp.float64)
            return A @ A @ x, ((A @ x) * jnp.float64(3)).astype(jnp.float32)

    arrays = np.ones((20, 20), np.float32), np.ones(20, np.float32)
    assert [x.dtype for x in reassociate(fun)(*arrays)] == [np.float64, np.float32]
    agree(reassociate(fun)(*arrays), fun(*arrays))


def test_a_trace_of_a_product_in_float16_overflows_no_earlier():
    rows = jnp.float16([[300, -300], [300, -300]]), jnp.float16([[300, 300], [300, 300]])
    arrays = [jnp.tile(each, (10, 10)) for each in rows]
    assert reassociate(lambda A, B: jnp.trace(A @ B))(*arrays) == 0


def test_what_counts_anew_is_no_identity():
    def fun(A):
        rows, columns = (lax.broadcasted_iota(jnp.uint8, (300, 300), axis) for axis in (0, 1))
        return (rows == columns).astype(jnp.float32) @ A

    A = jnp.ones((300, 3), jnp.float32)
    agree(reassociate(fun)(A), fun(A))
