"""The operations of a plan that JAX or XLA would do more slowly as they are: small products, traces, solutions."""

import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import SymbolicZero
from jax.scipy.linalg import lu_solve

from matcalc import linalg
from matcalc.planner.network import Label, Labels

SMALL = 8  # of an axis, at most, of arrays that are multiplied by entries
# The same where one of the arrays is the same for a batch, unless the batch is large. Measured: by entries, 10,000
# products of 6×6 to 8×8 matrices with one matrix take 0.2 to 1 times as long; 72 to 500 in float32 1.1 to 1.9 times.
SMALL_WITH_ONE, MANY = 4, 2000
UNROLLED = 64  # entries of a diagonal, at most, that are added one by one

Dimensions = Any  # of `lax.dot_general`: the axes summed over and those of a batch, each of the left and of the right


# --- Products


def copied_entries(left: Labels, right: Labels, sizes: Mapping[Label, int], opened: Labels, wanted: Labels) -> int:
    """The entries that XLA copies for a product: those of a factor not summed over its inner axes, of a turned result.

    `opened` are the labels of the result, `wanted` is the order that they should have, if any. A B is summed over the
    last axis of A and the first of B. Measured on a CPU: Aᵀ B takes up to 15 times as long as Bᵀ A where A is large and
    B thin, A Bᵀ up to 1.4 times as long as B Aᵀ, and Aᵀ Bᵀ up to twice as long as B A turned.
    """

    def entries(labels: Labels) -> int:
        return math.prod(sizes[label] for label in labels)

    shared = {*left} & {*right}
    summed, own = shared - {*opened}, [label for label in right if label not in shared & {*opened}]
    copies = 0
    if {*left[len(left) - len(summed) :]} != summed:
        copies += entries(left)
    if {*own[: len(summed)]} != summed and {*left} - shared:  # of a matrix right of a vector nothing is copied
        copies += entries(right)
    if wanted and wanted[0] in right and wanted[0] not in left:
        copies += entries(opened) * 3 // 2  # a turned result takes memory of its own
    return copies


def with_axes(array: Array, labels: Labels, wanted: Labels) -> Array:
    """An array with an axis for each label that is wanted, of size 1 where it has none."""
    ordered = lax.transpose(array, [labels.index(label) for label in wanted if label in labels])
    return jnp.expand_dims(ordered, [k for k, label in enumerate(wanted) if label not in labels])


def keeps_sums(dtype: Any) -> bool:
    """Whether intermediate results of products and sums are rounded to this dtype, as their result is.

    Of shorter dtypes JAX rounds the last result only. Rounding one by one would give other results, or overflow.
    """
    return jnp.finfo(dtype).bits >= 32


def is_small(left: Sequence[int], right: Sequence[int], dtype: Any, dimensions: Dimensions, most: int = SMALL) -> bool:
    """Whether a product is one of matrices, or of vectors, so small that computing it by entries is faster.

    Measured on a CPU: XLA takes 25 (float64) to 90 times (float32) as long for 10,000 products of 4×4 matrices, 4 to 17
    times for 7×7, 1 to 3 times for 8×8, or 4 to 33 times where the left one is turned, and for some of 9×9 less; for
    three products of 8×8 matrices, one after the other, 3 to 5 times, a call left out. It takes twice as long for
    products of vectors, and less for those of matrices and vectors.
    """
    (summed, batch), shapes = dimensions, (left, right)
    sizes = [n for shape, axes in zip(shapes, batch, strict=True) for i, n in enumerate(shape) if i not in axes]
    has_axes = {len(shape) > len(s) + len(t) for shape, s, t in zip(shapes, summed, batch, strict=True)}
    is_exact = jnp.issubdtype(dtype, jnp.inexact) and keeps_sums(dtype)
    return is_exact and len(summed[0]) in (1, 2) and len(has_axes) == 1 and min(sizes) > 0 and max(sizes) <= most


def small_product(a: Array, b: Array, dimensions: Dimensions, precision: Any) -> Array:
    """`lax.dot_general` of small arrays, by entries. Its derivative is products again, which a plan can reorder."""
    by_entries = functools.partial(product_by_entries, dimensions=dimensions)
    mapped = custom_vmap(by_entries)
    product = jax.custom_jvp(mapped)

    @mapped.def_vmap
    def of_batch(size: int, is_batched: Sequence[bool], left: Array, right: Array) -> tuple[Array, bool]:
        def of_one(a: Array, b: Array) -> Array:
            most = SMALL if all(is_batched) or size >= MANY else SMALL_WITH_ONE
            if is_small(a.shape, b.shape, a.dtype, dimensions, most):
                return by_entries(a, b)
            return lax.dot_general(a, b, dimensions, precision, a.dtype)

        return jax.vmap(of_one, [0 if has else None for has in is_batched])(left, right), True

    def jvp(primals: Any, tangents: Any) -> Any:
        (a, b), value = primals, product(*primals)
        moving = [pair for pair in ((tangents[0], b), (a, tangents[1])) if SymbolicZero not in map(type, pair)]
        changes = [lax.dot_general(*pair, dimensions, precision, value.dtype) for pair in moving]
        return value, functools.reduce(operator.add, changes) if changes else jnp.zeros_like(value)

    product.defjvp(jvp, symbolic_zeros=True)
    return product(a, b)


@functools.partial(jax.jit, static_argnames="dimensions")  # so that `operations` knows it by its name
def product_by_entries(a: Array, b: Array, dimensions: Dimensions) -> Array:
    """A product as a sum of outer products, one for each index that is summed over, which XLA computes in one pass."""
    (summed, batch), labels = dimensions, (list(range(a.ndim)), list(range(a.ndim, a.ndim + b.ndim)))
    for i, j in zip(*batch, strict=True):
        labels[1][j] = labels[0][i]
    free = [[l for i, l in enumerate(labels[k]) if i not in (*summed[k], *batch[k])] for k in (0, 1)]
    axes = (*(labels[0][i] for i in batch[0]), *free[0], *free[1])

    def entries(k: int, at: Sequence[int]) -> Array:
        """Those of the left or the right array at these indices of the axes that are summed over."""
        array, index = (a, b)[k], dict(zip(summed[k], at, strict=True))
        starts = [index.get(i, 0) for i in range(array.ndim)]
        limits = [index[i] + 1 if i in index else size for i, size in enumerate(array.shape)]
        kept = tuple(label for i, label in enumerate(labels[k]) if i not in index)
        return with_axes(lax.squeeze(lax.slice(array, starts, limits), summed[k]), kept, axes)

    indices = itertools.product(*(range(a.shape[i]) for i in summed[0]))
    product = functools.reduce(operator.add, (entries(0, at) * entries(1, at) for at in indices))
    # Without the barrier XLA computes an entry of a matrix again wherever it is read. An entry of a vector it may
    # compute again: then it does so in one pass with what reads it.
    return lax.optimization_barrier(product) if axes[len(batch[0]) :] else product


# --- Diagonals and traces


def diagonal(array: Array, i: int, j: int) -> Array:
    """The entries where the indices i and j are the same, along the first axis: a slice, whose derivative is a pad."""
    array = jnp.moveaxis(array, (i, j), (0, 1))
    n, _, *others = array.shape
    return array.reshape(n * n, *others)[:: n + 1]


@jax.custom_jvp
def trace(array: Array) -> Array:
    """The trace over the first two axes. Where the array is square in them it reads the diagonal only.

    A short diagonal is added entry by entry, which XLA does in one pass; a slice it would copy.
    """
    n, columns, *others = array.shape
    if n != columns or not 0 < n <= (UNROLLED if others else UNROLLED // 8):
        return sliced_trace(array)
    entries = array.reshape(n * n, *others)
    return functools.reduce(operator.add, (entries[k * (n + 1)] for k in range(n)))


@jax.jit  # so that `operations` knows it by its name
def sliced_trace(array: Array) -> Array:
    """The trace over the first two axes, as the sum of a slice."""
    return jnp.sum(diagonal(array, 0, 1), 0) if array.shape[0] == array.shape[1] else jnp.trace(array)


trace.defjvp(lambda primals, tangents: (trace(*primals), sliced_trace(*tangents)))  # whose transpose is one pad


# --- Inverses


def solve(factored: tuple[Array, Any], b: Array, *, transposed: bool) -> Array:
    """X⁻¹ b or X⁻ᵀ b from X and its factors, differentiated as a solution and not through the factors."""
    X, factors = factored
    A = X.T if transposed else X
    return lax.custom_linear_solve(
        functools.partial(linalg.product, A),
        b,
        solve=lambda _, b: lu_solve(factors, b, trans=int(not transposed)),  # `linalg.factor` gives those of Xᵀ
        transpose_solve=lambda _, b: lu_solve(factors, b, trans=int(transposed)),
    )


# From the name of a function of `jax.numpy` to what computes the same faster.
REPLACEMENTS: Mapping[str | None, Callable[[Array], Array]] = {
    "inv": lambda X: linalg.inverse(X, linalg.factor(X)),
    "trace": trace,
}
