"""Plans carried out: JAX operations that compute the nodes of a plan."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from matcalc import linalg
from matcalc.planner.kernels import (
    SMALL,
    copied_entries,
    diagonal,
    is_small,
    keeps_sums,
    small_product,
    solve,
    with_axes,
)
from matcalc.planner.network import Labels, Node, Part
from matcalc.planner.plan import Plan, thin_sums
from matcalc.planner.space import Option, Space

Labelled = tuple[Array, Labels]  # with a label on every axis


class Execution:
    """Computes each node of a plan once, from the arrays that `read` gives by name."""

    def __init__(self, space: Space, plan: Plan, read: Callable[[Any], Array], precision: Any) -> None:
        self.space, self.plan, self.read, self.precision = space, plan, read, precision
        self._computed: dict[Node, tuple[Any, Labels]] = {}
        self._last_solution: Array | None = None
        self._thin = thin_sums(space, plan)
        self._products = {node: option for node, option in plan.chosen.items() if option.name == "contract"}
        self._multiplied = {part.node for product in self._products.values() for part in product.parts}

    def value(self, part: Part, axes: Labels) -> Array:
        """The value of a part, with its axes in the given order."""
        array, labels = self._labelled(part, axes)
        return array if labels == axes else lax.transpose(array, [labels.index(label) for label in axes])

    def _labelled(self, part: Part, wanted: Labels = ()) -> Labelled:
        """The value of a part with its axes in any order; the order that is wanted is taken where it costs nothing."""
        array, places = self._node(part.node, [part.labels.index(label) for label in wanted])
        return array, tuple(part.labels[place] for place in places)

    def _node(self, node: Node, wanted: Sequence[int] = ()) -> tuple[Any, Labels]:
        """The value of a node, and for each of its axes which axis of the node it is."""
        if node not in self._computed:
            self._computed[node] = self._compute(node, wanted)
        return self._computed[node]

    def _compute(self, node: Node, wanted: Sequence[int]) -> tuple[Any, Labels]:
        kind, what, *_ = self.space.nodes[node]
        if kind == "array":
            array = self.read(what)
            return array, tuple(range(array.ndim))
        if kind == "ones":
            return jnp.ones(*what), (0,)
        option = self.plan.chosen[node]
        if option.name == "factor":
            X, _ = self._labelled(option.parts[0])
            return (X, linalg.factor(X)), (0, 1)
        array, labels = OPERATIONS[option.name](self, option, tuple(option.labels[place] for place in wanted))
        if option.name == "invert" and node in self._multiplied:
            # LAPACK gives X⁻¹ turned. XLA would multiply by the turned array; it is faster as it lies in memory.
            array = lax.optimization_barrier(array)
        return array, tuple(option.labels.index(label) for label in labels)

    # --- One method for each operation of an option; `wanted` is the order of axes to prefer, if there is one

    def rewrite(self, option: Option, wanted: Labels) -> Labelled:
        return self._labelled(option.parts[0], wanted)

    def reduce(self, option: Option, wanted: Labels) -> Labelled:
        array, labels = self._labelled(option.parts[0])
        while len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            i, j = (k for k, label in enumerate(labels) if label == twice)
            array, labels = diagonal(array, i, j), (twice, *labels[:i], *labels[i + 1 : j], *labels[j + 1 :])
        summed = [k for k, label in enumerate(labels) if label not in option.labels]
        return jnp.sum(array, summed), tuple(label for label in labels if label in option.labels)

    def invert(self, option: Option, wanted: Labels) -> Labelled:
        (X, factors), _ = self._node(option.parts[0].node)
        self._last_solution = linalg.inverse(X, factors)
        return self._last_solution, (0, 1)

    def solve(self, option: Option, wanted: Labels) -> Labelled:
        inverse, right_side = option.parts
        factored, _ = self._node(inverse.node)
        rows, columns = inverse.labels
        array, labels = self._labelled(right_side)
        solved, left = (columns, rows) if columns in labels else (rows, columns)
        axis = labels.index(solved)
        others = labels[:axis] + labels[axis + 1 :]
        array = jnp.moveaxis(array, axis, 0)
        flat = array.reshape(len(array), -1) if array.ndim > 2 else array
        self._last_solution = solve(factored, self._after_last_solution(flat), transposed=solved == rows)
        return self._last_solution.reshape(array.shape), (left, *others)

    def _after_last_solution(self, b: Array) -> Array:
        """A right side that depends on the last solution, so that the two are not computed at once.

        Batches of solutions that run at once lock jaxlib 0.10 up on a CPU of few cores, in plain JAX too.
        """
        if self._last_solution is None or not self._last_solution.size:
            return b
        entry = jnp.ravel(self._last_solution)[0]
        never = (entry == entry) & (entry != entry)  # XLA would drop a barrier; and 0 times an entry may be NaN
        return jnp.where(never, 0, b)

    def add(self, option: Option, wanted: Labels) -> Labelled:
        axes = wanted or option.labels
        if option in self._thin:
            return self._stacked(option, axes), axes
        terms = [self.value(part, axes) for part in option.parts]
        first, *others = sorted(zip(option.signs, terms, strict=True), key=lambda pair: -pair[0])
        total = first[1] if first[0] > 0 else -first[1]
        for sign, term in others:
            total = total + term if sign > 0 else total - term
        return total, axes

    def _stacked(self, option: Option, axes: Labels) -> Array:
        """P Q + R S = [P R] [Q; S]."""
        sides: tuple[list[Array], list[Array]] = ([], [])
        for sign, part in zip(option.signs, option.parts, strict=True):
            product = self.plan.chosen[part.node]
            row, column = (product.labels[part.labels.index(axis)] for axis in axes)
            left, right = sorted(product.parts, key=lambda factor: row not in factor.labels)
            (summed,) = {*left.labels} & {*right.labels}
            array = self.value(left, (row, summed))
            sides[0].append(array if sign > 0 else -array)
            sides[1].append(self.value(right, (summed, column)))
        left, right = jnp.concatenate(sides[0], 1), jnp.concatenate(sides[1], 0)
        return lax.dot_general(left, right, (((1,), (0,)), ((), ())), self.precision, left.dtype)

    def contract(self, option: Option, wanted: Labels) -> Labelled:
        one, other = (self._labelled(part) for part in option.parts)
        for part, (array, own) in zip(option.parts, (one, other), strict=True):
            is_turned = {*own} == {*wanted} and own[-1:] != wanted[-1:]
            if is_turned and part.node in self._products and max(array.shape) > SMALL:
                # A product that is scaled and turned takes two passes: in one, XLA multiplies Bᵀ Aᵀ, or is slow.
                scaled, _ = self._contracted(one, other, option.labels, own)
                return lax.optimization_barrier(scaled), own
        return self._contracted(one, other, option.labels, wanted)

    def _contracted(self, one: Labelled, other: Labelled, opened: Labels, wanted: Labels) -> Labelled:
        """The product of two arrays, summed over the labels that they share and that are not open."""
        summed = tuple(label for label in one[1] if label in other[1] and label not in opened)
        sizes = {label: size for array, labels in (one, other) for label, size in zip(labels, array.shape, strict=True)}
        swapped, as_given = (
            copied_entries(left, right, sizes, opened, wanted)
            for left, right in ((other[1], one[1]), (one[1], other[1]))
        )
        (a, left), (b, right) = (other, one) if swapped < as_given else (one, other)
        if not summed:
            labels = left + tuple(label for label in right if label not in left)
            if {*wanted} == {*labels}:
                labels = wanted  # turned as it is written, not afterwards
            return with_axes(a, left, labels) * with_axes(b, right, labels), labels
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


OPERATIONS: dict[str, Callable[[Execution, Option, Labels], Labelled]] = {
    "add": Execution.add,
    "contract": Execution.contract,
    "invert": Execution.invert,
    "reduce": Execution.reduce,
    "rewrite": Execution.rewrite,
    "solve": Execution.solve,
}
