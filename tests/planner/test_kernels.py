"""Products of small arrays, which are taken by entries where that pays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planned_programs import A, B, agree

from matcalc import reassociate


def einsum(spec, sizes, dtype=np.float32):
    """A product of two arrays, and arrays of these sizes for it."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal([sizes[i] for i in axes]).astype(dtype) for axes in spec.split("->")[0].split(",")]
    return lambda *arrays: jnp.einsum(spec, *arrays, precision="highest"), arrays


@pytest.mark.parametrize(
    "spec",
    [
        "ij,jk->ik",
        "ji,jk->ik",
        "ij,kj->ki",
        "j,j->",
        "jk,jk->",
        "ijk,kj->i",
        "bij,bjk->bik",
        "bij,kjb->bki",
        "bj,bj->b",
    ],
)
def test_products_of_small_matrices_are_taken_by_entries(spec):
    fun, arrays = einsum(spec, dict(b=9, i=1, j=3, k=8))
    small = spec != "ijk,kj->i"  # of a matrix and a vector, so to speak
    assert ("dot_general" in str(jax.make_jaxpr(reassociate(fun))(*arrays))) != small
    agree(reassociate(fun)(*arrays), fun(*arrays))
    agree(jax.jit(reassociate(fun))(*arrays), fun(*arrays))
    for derivative in (jax.jacfwd, jax.jacrev, jax.hessian):
        agree(*(jax.jit(derivative(f, (0, 1)))(*arrays) for f in (reassociate(fun), fun)))
    agree(jax.jvp(reassociate(fun), arrays, arrays), jax.jvp(fun, arrays, arrays))
    batch = [np.stack([array, 2 * array]) for array in arrays]
    agree(jax.vmap(reassociate(fun))(*batch), jax.vmap(fun)(*batch))
    agree(jax.vmap(reassociate(fun), (None, 0))(arrays[0], batch[1]), jax.vmap(fun, (None, 0))(arrays[0], batch[1]))


@pytest.mark.parametrize(
    ("n", "size", "in_axes", "is_by_entries"),
    [(8, 3, (0, 0), True), (8, 3, (None, 0), False), (8, 3, (0, None), False), (4, 3, (None, 0), True),
     (4, 3, (1, None), True), (8, 2000, (None, 2), True)],
)  # fmt: skip
@pytest.mark.parametrize("spec", ["ij,jk->ik", "ji,kj->ki"])
def test_products_of_a_batch_with_one_array_are_taken_by_entries_where_it_pays(spec, n, size, in_axes, is_by_entries):
    fun, (one, _) = einsum(spec, dict(i=n, j=n, k=n))
    batch = np.random.default_rng(1).standard_normal((size, n, n)).astype(np.float32)
    arrays = [one if axis is None else np.moveaxis(batch, 0, axis) for axis in in_axes]
    mapped, plain = jax.vmap(reassociate(fun), in_axes), jax.vmap(fun, in_axes)
    assert ("dot_general" not in str(jax.make_jaxpr(mapped)(*arrays))) == is_by_entries
    agree(mapped(*arrays), plain(*arrays))
    agree(jax.jvp(mapped, arrays, arrays), jax.jvp(plain, arrays, arrays))
    for k in (0, 1):
        gradients = [jax.grad(lambda *arrays, f=f: jnp.sum(f(*arrays) ** 2), k)(*arrays) for f in (mapped, plain)]
        agree(*gradients)


@pytest.mark.parametrize(
    ("sizes", "dtype"),
    [(dict(i=9, j=2, k=2), np.float32), (dict(i=2, j=9, k=2), np.float32), (dict(i=2, j=2, k=2), jnp.bfloat16),
     (dict(i=2, j=2, k=2), np.int32), (dict(i=2, j=0, k=2), np.float32)],
)  # fmt: skip
def test_products_of_others_are_not(sizes, dtype):
    fun, arrays = einsum("ij,jk->ik", sizes, dtype)
    assert "dot_general" in str(jax.make_jaxpr(reassociate(fun))(*arrays))
    agree(reassociate(fun)(*arrays), fun(*arrays))


def test_derivatives_of_small_products_are_products():
    change = jax.jvp(reassociate(lambda X: X @ A), (A,), (B,))[1]
    agree(change, B @ A)
    closed = jax.make_jaxpr(lambda V: jax.jvp(reassociate(lambda X: X @ A), (A,), (V,))[1])(B)
    assert str(closed).count("dot_general") == 1  # for a plan to see
