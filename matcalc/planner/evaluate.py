"""The values of the nodes of a plan, by JAX."""

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

from matcalc.linalg import factor, inverse
from matcalc.linalg import product as full_product
from matcalc.planner.search import Label, Labels, Node, Option, Part, Plan, Space, thin_sums

SMALL = 8  # of an axis, at most, of arrays that are multiplied by entries
# The same where one of the arrays is the same for a batch, unless the batch is large. Measured: by entries, 10,000
# products of 6×6 to 8×8 matrices with one matrix take 0.2 to 1 times as long; 72 to 500 in float32 1.1 to 1.9 times.
SMALL_WITH_ONE, MANY = 4, 2000
UNROLLED = 64  # entries of a diagonal, at most, that are added one by one

Labelled = tuple[Array, Labels]  # with a label on every axis


class Values:
    """The values of nodes, each computed once, from the arrays that `read` gives by name."""

    def __init__(self, space: Space, plan: Plan, read: Callable[[Any], Array], precision: Any) -> None:
        self.space, self.plan, self.read, self.precision = space, plan, read, precision
        self._known: dict[Node, Any] = {}
        self._solved: Array | None = None
        self._thin = thin_sums(space, plan)
        self._products = {node: option for node, option in plan.chosen.items() if option.name == "multiply"}
        self._multiplied = {part.node for product in self._products.values() for part in product.parts}

    def of(self, part: Part, axes: Labels) -> Array:
        """The value of a part, with its axes in the given order."""
        array, labels = self._labelled(part, axes)
        return array if labels == axes else lax.transpose(array, [labels.index(label) for label in axes])

    def _labelled(self, part: Part, wanted: Labels = ()) -> Labelled:
        array, places = self._value(part.node, [part.labels.index(label) for label in wanted])
        return array, tuple(part.labels[place] for place in places)

    def _value(self, node: Node, wanted: Sequence[int] = ()) -> tuple[Any, Labels]:
        """A value, and for each of its axes which axis of the node it is."""
        if node not in self._known:
            self._known[node] = self._computed(node, wanted)
        return self._known[node]

    def _computed(self, node: Node, wanted: Sequence[int]) -> tuple[Any, Labels]:
        kind, what, *_ = self.space.nodes[node]
        if kind == "array":
            array = self.read(what)
            return array, tuple(range(array.ndim))
        if kind == "ones":
            return jnp.ones(*what), (0,)
        option = self.plan.chosen[node]
        if option.name == "factor":
            X, _ = self._labelled(option.parts[0])
            return (X, factor(X)), (0, 1)
        array, labels = self._operation(option, tuple(option.labels[place] for place in wanted))
        if option.name == "invert" and node in self._multiplied:
            # X⁻¹ is the result of LAPACK turned. XLA would multiply by the turned one; as it lies in memory is faster.
            array = lax.optimization_barrier(array)
        return array, tuple(option.labels.index(label) for label in labels)

    def _operation(self, option: Option, wanted: Labels) -> Labelled:
        parts = option.parts
        if option.name == "same":
            return self._labelled(parts[0], wanted)
        if option.name == "add":
            axes = wanted or option.labels
            return (self._stacked(option, axes) if option in self._thin else self._added(option, axes)), axes
        if option.name == "invert":
            (X, factors), _ = self._value(parts[0].node)
            self._solved = inverse(X, factors)
            return self._solved, (0, 1)
        if option.name == "solve":
            factored, _ = self._value(parts[0].node)
            rows, columns = parts[0].labels
            array, labels = self._labelled(parts[1])
            solved, left = (columns, rows) if columns in labels else (rows, columns)
            axis = labels.index(solved)
            others = labels[:axis] + labels[axis + 1 :]
            array = jnp.moveaxis(array, axis, 0)
            flat = array.reshape(len(array), -1) if array.ndim > 2 else array
            self._solved = _solve(factored, self._waiting(flat), transposed=solved == rows)
            return self._solved.reshape(array.shape), (left, *others)
        if option.name == "reduce":
            array, labels = self._labelled(parts[0])
            while len(set(labels)) < len(labels):
                twice = next(label for label in labels if labels.count(label) > 1)
                i, j = (k for k, label in enumerate(labels) if label == twice)
                array, labels = diagonal(array, i, j), (twice, *labels[:i], *labels[i + 1 : j], *labels[j + 1 :])
            summed = [k for k, label in enumerate(labels) if label not in option.labels]
            return jnp.sum(array, summed), tuple(label for label in labels if label in option.labels)
        one, other = (self._labelled(part) for part in parts)
        for part, (array, own) in zip(parts, (one, other), strict=True):
            is_turned = {*own} == {*wanted} and own[-1:] != wanted[-1:]
            if is_turned and part.node in self._products and max(array.shape) > SMALL:
                # A product that is scaled and turned: in two passes, or XLA multiplies Bᵀ Aᵀ, or takes one slow pass.
                scaled, _ = self._product(one, other, option.labels, own)
                return lax.optimization_barrier(scaled), own
        return self._product(one, other, option.labels, wanted)

    def _waiting(self, b: Array) -> Array:
        """A right side that waits for the last solution.

        Batches of solutions that run at once lock jaxlib 0.10 up on a CPU of few cores, in plain JAX too.
        """
        if self._solved is None or not self._solved.size:
            return b
        entry = jnp.ravel(self._solved)[0]
        never = (entry == entry) & (entry != entry)  # XLA would drop a barrier; and 0 times an entry may be NaN
        return jnp.where(never, 0, b)

    def _added(self, option: Option, axes: Labels) -> Array:
        terms = [self.of(part, axes) for part in option.parts]
        first, *others = sorted(zip(option.signs, terms, strict=True), key=lambda pair: -pair[0])
        total = first[1] if first[0] > 0 else -first[1]
        for sign, term in others:
            total = total + term if sign > 0 else total - term
        return total

    def _stacked(self, option: Option, axes: Labels) -> Array:
        """P Q + R S = [P R] [Q; S]."""
        sides: tuple[list[Array], list[Array]] = ([], [])
        for sign, part in zip(option.signs, option.parts, strict=True):
            product = self.plan.chosen[part.node]
            row, column = (product.labels[part.labels.index(axis)] for axis in axes)
            left, right = sorted(product.parts, key=lambda factor: row not in factor.labels)
            (summed,) = {*left.labels} & {*right.labels}
            array = self.of(left, (row, summed))
            sides[0].append(array if sign > 0 else -array)
            sides[1].append(self.of(right, (summed, column)))
        left, right = jnp.concatenate(sides[0], 1), jnp.concatenate(sides[1], 0)
        return lax.dot_general(left, right, (((1,), (0,)), ((), ())), self.precision, left.dtype)

    def _product(self, one: Labelled, other: Labelled, opened: Labels, wanted: Labels) -> Labelled:
        """Two arrays multiplied, and summed over the labels that they share and that are not open."""
        summed = tuple(label for label in one[1] if label in other[1] and label not in opened)
        sizes = {label: size for array, labels in (one, other) for label, size in zip(labels, array.shape, strict=True)}
        if copied(other[1], one[1], sizes, opened, wanted) < copied(one[1], other[1], sizes, opened, wanted):
            one, other = other, one
        (a, left), (b, right) = one, other
        if not summed:
            labels = left + tuple(label for label in right if label not in left)
            if {*wanted} == {*labels}:
                labels = wanted  # turned as it is made, not afterwards
            return _spread(a, left, labels) * _spread(b, right, labels), labels
        batch = tuple(label for label in left if label in right and label in opened)

        def places(chosen: Labels) -> tuple[Labels, Labels]:
            return tuple(map(left.index, chosen)), tuple(map(right.index, chosen))

        dimensions = (places(summed), places(batch))
        free = [label for label in left + right if label not in summed and label not in batch]
        if is_small(a.shape, b.shape, a.dtype, dimensions):
            return small_product(a, b, dimensions, self.precision), (*batch, *free)
        if len(summed) == len(left) == len(right) > 1 and keeps_sums(a.dtype):
            return jnp.sum(a * lax.transpose(b, [right.index(label) for label in left])), ()
        product = lax.dot_general(a, b, dimensions, self.precision, a.dtype)
        if wanted and free[:1] != [*wanted[:1]]:  # to be turned; XLA would then turn Bᵀ A back into Aᵀ B
            product = lax.optimization_barrier(product)
        return product, (*batch, *free)


def copied(left: Labels, right: Labels, sizes: Mapping[Label, int], opened: Labels, wanted: Labels) -> int:
    """The entries that a product copies: those of a factor that is not summed over its inner axes, of a turned result.

    A B is summed over the last axis of A and the first of B. Measured on a CPU: Aᵀ B takes up to 15 times as long as
    Bᵀ A where A is large and B thin, A Bᵀ up to 1.4 times as long as B Aᵀ, and Aᵀ Bᵀ up to twice as long as B A turned.
    """

    def entries(labels: Labels) -> int:
        return math.prod(sizes[label] for label in labels)

    shared = {*left} & {*right}
    summed, own = shared - {*opened}, [label for label in right if label not in shared & {*opened}]
    copies = 0
    if {*left[len(left) - len(summed) :]} != summed:
        copies += entries(left)
    if {*own[: len(summed)]} != summed and {*left} - shared:  # nothing of a matrix is copied where a vector stands left
        copies += entries(right)
    if wanted and wanted[0] in right and wanted[0] not in left:
        copies += entries(opened) * 3 // 2  # a turned result takes memory of its own
    return copies


def _spread(array: Array, labels: Labels, over: Labels) -> Array:
    """An array with an axis for each label, of size 1 where it has none."""
    ordered = lax.transpose(array, [labels.index(label) for label in over if label in labels])
    return jnp.expand_dims(ordered, [k for k, label in enumerate(over) if label not in labels])


def keeps_sums(dtype: Any) -> bool:
    """Whether products and sums of floating point numbers are taken in this dtype; of shorter ones JAX rounds the last
    result only, and what is rounded one by one differs, or overflows."""
    return jnp.finfo(dtype).bits >= 32


Dimensions = Any  # of `lax.dot_general`: the axes summed over and those of a batch, each of the left and of the right


def is_small(left: Sequence[int], right: Sequence[int], dtype: Any, dimensions: Dimensions, most: int = SMALL) -> bool:
    """Whether a product is one of matrices, or of vectors, so small that it is rather computed by entries.

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
        def multiply(a: Array, b: Array) -> Array:
            most = SMALL if all(is_batched) or size >= MANY else SMALL_WITH_ONE
            if is_small(a.shape, b.shape, a.dtype, dimensions, most):
                return by_entries(a, b)
            return lax.dot_general(a, b, dimensions, precision, a.dtype)

        return jax.vmap(multiply, [0 if has else None for has in is_batched])(left, right), True

    def rule(primals: Any, tangents: Any) -> Any:
        (a, b), value = primals, product(*primals)
        moving = [pair for pair in ((tangents[0], b), (a, tangents[1])) if SymbolicZero not in map(type, pair)]
        changes = [lax.dot_general(*pair, dimensions, precision, value.dtype) for pair in moving]
        return value, functools.reduce(operator.add, changes) if changes else jnp.zeros_like(value)

    product.defjvp(rule, symbolic_zeros=True)
    return product(a, b)


@functools.partial(jax.jit, static_argnames="dimensions")
def product_by_entries(a: Array, b: Array, dimensions: Dimensions) -> Array:
    """A sum of outer products, which XLA computes in one pass."""
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
        return _spread(lax.squeeze(lax.slice(array, starts, limits), summed[k]), kept, axes)

    indices = itertools.product(*(range(a.shape[i]) for i in summed[0]))
    product = functools.reduce(operator.add, (entries(0, at) * entries(1, at) for at in indices))
    # Or XLA computes an entry of a matrix anew wherever it is read. Of vectors it may, in one pass with what reads it.
    return lax.optimization_barrier(product) if axes[len(batch[0]) :] else product


def diagonal(array: Array, i: int, j: int) -> Array:
    """The entries where the indices i and j are the same, along the first axis: a slice, whose derivative is a pad."""
    array = jnp.moveaxis(array, (i, j), (0, 1))
    n, _, *others = array.shape
    return array.reshape(n * n, *others)[:: n + 1]


@jax.custom_jvp
def trace(array: Array) -> Array:
    """The trace over the first two axes; it reads nothing but the diagonal where the array is square in them.

    Where these are short, entry by entry, which XLA does in one pass; of a slice it would make a copy.
    """
    n, columns, *others = array.shape
    if n != columns or not 0 < n <= (UNROLLED if others else UNROLLED // 8):
        return sliced_trace(array)
    entries = array.reshape(n * n, *others)
    return functools.reduce(operator.add, (entries[k * (n + 1)] for k in range(n)))


@jax.jit  # so that it is known by its name
def sliced_trace(array: Array) -> Array:
    """The trace over the first two axes, from the entries of the diagonal alone."""
    return jnp.sum(diagonal(array, 0, 1), 0) if array.shape[0] == array.shape[1] else jnp.trace(array)


trace.defjvp(lambda primals, tangents: (trace(*primals), sliced_trace(*tangents)))  # which is transposed by one pad


def _solve(factored: Any, b: Array, *, transposed: bool) -> Array:
    """X⁻¹ b or X⁻ᵀ b, differentiated as a solution and not through its factors."""
    X, factors = factored
    A = X.T if transposed else X
    return lax.custom_linear_solve(
        functools.partial(full_product, A),
        b,
        solve=lambda _, b: lu_solve(factors, b, trans=int(not transposed)),  # they are those of Xᵀ
        transpose_solve=lambda _, b: lu_solve(factors, b, trans=int(transposed)),
    )


# What stands for functions of `jax.numpy` by name.
OURS: dict[str | None, Callable[[Array], Array]] = {
    "inv": lambda X: inverse(X, factor(X)),
    "trace": trace,
}
