"""The search space: sums of products of arrays as nodes, and for each node all options to compute it."""

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matcalc.planner.network import (
    CommonPart,
    Factor,
    Label,
    Labels,
    Node,
    Part,
    Term,
    canonical_product,
    canonical_sum,
    common_parts,
    components,
    orders,
)

FACTORS = 8  # of one product, beyond which its contraction orders are too many
NODES = 500  # that a search may look at
WRITTEN = 1000  # orders of factors in sums, at most, that are compared
TRAFFIC = 8  # multiply-adds of a product in the time in which an entry is read or written
SOLVING = 3  # multiply-adds of a product in the time of one of a solution, which is no product of large blocks


class TooLarge(Exception):
    """The search would take too long: evaluate as written."""


@dataclass(frozen=True)
class Option:
    """One way to compute a node: an operation on parts. `labels` are those of the node's axes among the parts' labels.

    The operations are "contract", a product of two parts summed over the labels that they share and that are not open;
    "reduce", a part summed over labels, or its diagonal; "add", a sum of parts with `signs`; "rewrite", a part that has
    the same value; and for inverses "factor", "invert" and "solve". `operations` counts multiply-adds and additions,
    `moved` the entries read and written.
    """

    name: str
    parts: tuple[Part, ...]
    operations: int
    moved: int
    labels: Labels
    signs: tuple[int, ...] = ()

    @property
    def cost(self) -> int:
        return estimated_time(self.operations, self.moved, solves=self.name in ("solve", "invert"))


def estimated_time(operations: int, moved: int, *, solves: bool = False) -> int:
    """The time of a step in units of one multiply-add of a product: the cost that is minimised."""
    return operations * (SOLVING if solves else 1) + TRAFFIC * moved


class Space:
    """The nodes that stand for arrays, products and sums, and the options to compute each.

    A node is a number. `nodes` says what it is: a tuple of its kind and what it is made of. Products and sums are kept
    in canonical form, so what is equal up to names and orders of labels and factors is one node.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[Any, ...]] = []
        self.shapes: list[tuple[int, ...]] = []
        self.arrays: list[Counter[Node]] = []  # for each node the given arrays in it, and how often each stands there
        self.computed: set[Node] = set()  # the given arrays that a program computes, the later the higher the number
        self._numbers: dict[tuple[Any, ...], Node] = {}
        self._options: dict[Node, tuple[Option, ...]] = {}
        self._written = 0

    # --- Nodes

    def array(self, name: Hashable, shape: tuple[int, ...], kind: str = "array") -> Node:
        """An array that is given, or of the kind "inverse" its inverse, or of the kind "factored" its LU factors.

        Of the kind "ones" it is a vector of ones, and its name (size, dtype).
        """
        node = self._node((kind, name), shape)
        self.arrays[node] = Counter([self._node(("array", name), shape)])
        return node

    def _node(self, what: tuple[Any, ...], shape: tuple[int, ...], inside: Iterable[Node] = ()) -> Node:
        if what not in self._numbers:
            self._numbers[what] = len(self.nodes)
            self.nodes.append(what)
            self.shapes.append(shape)
            self.arrays.append(sum((self.arrays[node] for node in inside), Counter[Node]()))
        return self._numbers[what]

    def product(self, factors: Sequence[Factor], axes: Iterable[Label]) -> Part:
        """The product with these labels open, in any order."""
        opened = frozenset(axes)
        (node, labels), *others = factors
        if not others and frozenset(labels) == opened and len(labels) == len(opened):
            return Part(node, labels)
        renamed, new, old = canonical_product(factors, opened)
        sizes = self.sizes(renamed)
        shape = tuple(sizes[label] for label in new)
        return Part(self._node(("product", renamed, new), shape, (node for node, _ in renamed)), old)

    def sum(self, terms: Sequence[Term]) -> Part:
        """The sum of terms whose axes correspond by place. TooLarge if its canonical form would take too long."""
        if len(terms) == 1 and terms[0].sign == 1:
            return self.product(terms[0].factors, terms[0].axes)
        of_factors = [list(orders(term.factors)) for term in terms]
        of_axes = list(itertools.permutations(range(len(terms[0].axes))))
        self._written += len(of_axes) * sum(map(len, of_factors))
        if self._written > WRITTEN:
            raise TooLarge
        written, order = canonical_sum(terms, of_factors, of_axes)
        axes = tuple(terms[0].axes[axis] for axis in order)
        sizes = self.sizes(terms[0].factors)
        inside = (node for _, factors in written for node, _ in factors)
        return Part(self._node(("sum", written), tuple(sizes[label] for label in axes), inside), axes)

    def sizes(self, factors: Iterable[Factor]) -> dict[Label, int]:
        """The size of each label."""
        return {label: size for node, labels in factors for label, size in zip(labels, self.shapes[node], strict=True)}

    # --- Options

    def options(self, node: Node) -> tuple[Option, ...]:
        """All ways to compute a node, none for an array that is given. TooLarge if there are too many nodes."""
        if node not in self._options:
            if len(self._options) > NODES:
                raise TooLarge
            kinds = {"product": self._of_product, "sum": self._of_sum, "scaled": self._of_scaled}
            self._options[node] = tuple(kinds.get(self.nodes[node][0], self._of_array)(node))
        return self._options[node]

    def _option(
        self,
        name: str,
        parts: tuple[Part, ...],
        operations: int,
        entries: int,
        labels: Labels,
        signs: tuple[int, ...] = (),
    ) -> Option:
        moved = entries + sum(math.prod(self.shapes[part.node]) for part in parts)
        return Option(name, parts, operations, moved, labels, signs)

    def _of_array(self, node: Node) -> Iterator[Option]:
        (kind, name), shape = self.nodes[node], self.shapes[node]
        n = max(shape, default=1)
        if kind == "factored":
            yield self._option("factor", (Part(self.array(name, shape), (0, 1)),), n**3 // 3, n**2, (0, 1))
        elif kind == "inverse":
            yield self._option("invert", (Part(self.array(name, shape, "factored"), (0, 1)),), n**3, n**2, (0, 1))

    def _of_scaled(self, node: Node) -> Iterator[Option]:
        _, scalar, scaled = self.nodes[node]
        labels = tuple(range(len(self.shapes[scaled])))
        size = math.prod(self.shapes[scaled])
        yield self._option("contract", (Part(scalar, ()), Part(scaled, labels)), size, size, labels)

    def _of_product(self, node: Node) -> Iterator[Option]:
        _, factors, opened = self.nodes[node]
        sizes = self.sizes(factors)
        entries = _entries(opened, sizes)
        if len(factors) == 1:
            (array, labels), *_ = factors
            seen = _entries(set(labels), sizes)
            operations = seen if len(opened) < len(labels) else 0
            yield self._option("reduce", (Part(array, labels),), operations, entries, opened)
            return
        pieces = components(factors)
        if len(pieces) == 1:
            yield from self._contractions(factors, opened, sizes, entries)
            return
        scalars = [f for piece in pieces for f in piece if not any(label in opened for _, l in piece for label in l)]
        others = [piece for piece in pieces if piece[0] not in scalars]
        scaling: list[Factor] = []
        if scalars and others:
            scalar, unscaled = self.product(scalars, ()), [f for piece in others for f in piece]
            yield self._option("contract", (scalar, self.product(unscaled, opened)), entries, entries, opened)
            if len(others) == 1:
                # The scalar can be multiplied into the smallest factor instead of the result.
                k = min(range(len(unscaled)), key=lambda k: math.prod(self.shapes[unscaled[k][0]]))
                array, labels = unscaled[k]
                if math.prod(self.shapes[array]) < entries and len(set(labels)) == len(labels):
                    scaled = self._node(("scaled", scalar.node, array), self.shapes[array], (scalar.node, array))
                    rest = [*unscaled[:k], (scaled, labels), *unscaled[k + 1 :]]
                    yield Option("rewrite", (self.product(rest, opened),), 0, 0, opened)
                return
            # Or into one piece. A piece that is given is best: XLA then scales it while it writes the result.
            pieces, scaling = sorted(others, key=len), scalars
        for k in range(len(pieces)):  # an outer product of one piece with all others
            rest = [f for j, piece in enumerate(pieces) if j != k for f in piece]
            parts = (self._open([*scaling, *pieces[k]], rest, opened), self._open(rest, pieces[k], opened))
            yield self._option("contract", parts, entries, entries, opened)

    def _contractions(
        self, factors: tuple[Factor, ...], opened: Labels, sizes: Mapping[Label, int], entries: int
    ) -> Iterator[Option]:
        """The products of two connected parts of a connected network, for all ways to part it in two."""
        count = len(factors)
        if count > FACTORS:
            raise TooLarge
        for mask in range(1, 2 ** (count - 1)):  # the last factor always stands in the second part
            ones = [f for k, f in enumerate(factors) if mask >> k & 1]
            others = [f for k, f in enumerate(factors) if not mask >> k & 1]
            if len(components(ones)) > 1 or len(components(others)) > 1:
                continue
            left, right = self._open(ones, others, opened), self._open(others, ones, opened)
            operations = _entries({*left.labels, *right.labels}, sizes)
            yield self._option("contract", (left, right), operations, entries, opened)
            for inverse, other in ((left, right), (right, left)):
                kind, name, *_ = self.nodes[inverse.node]
                solved = {*inverse.labels} & {*other.labels}
                if kind == "inverse" and len(solved) == 1 and not solved & {*opened}:
                    factored = self.array(name, self.shapes[inverse.node], "factored")
                    parts = (Part(factored, inverse.labels), other)
                    yield self._option("solve", parts, operations, entries, opened)

    def _open(self, factors: Sequence[Factor], rest: Sequence[Factor], opened: Iterable[Label]) -> Part:
        """The product of some factors of a network, with all labels open that the rest or the result needs."""
        needed = {*opened, *(label for _, labels in rest for label in labels)}
        return self.product(factors, needed & {label for _, labels in factors for label in labels})

    def _of_sum(self, node: Node) -> Iterator[Option]:
        _, written = self.nodes[node]
        axes = tuple(range(len(self.shapes[node])))
        terms = [Term(sign, factors, axes) for sign, factors in written]
        entries = math.prod(self.shapes[node])
        parts = tuple(self.product(term.factors, axes) for term in terms)
        yield self._option("add", parts, (len(terms) - 1) * entries, entries, axes, tuple(term.sign for term in terms))
        # The distributive law, P Q + P R = P (Q + R), for every P that stands in several terms.
        for found in common_parts(terms, axes):
            for size in range(2, len(found) + 1):
                for group in itertools.combinations(found, size):
                    yield self._factored(terms, dict(group), axes)

    def _factored(self, terms: list[Term], group: dict[int, CommonPart], axes: Labels) -> Option:
        """The sum with a common part of these terms factored out."""
        inner = self.sum([Term(terms[k].sign, each.rest, each.border) for k, each in group.items()])
        common = group[min(group)].factors  # of the first term, in whose labels the inner sum is, too
        together = Term(1, (*common, (inner.node, inner.labels)), axes)
        others = [term for k, term in enumerate(terms) if k not in group]
        return Option("rewrite", (self.sum([*others, together]),), 0, 0, axes)


def _entries(labels: Iterable[Label], sizes: Mapping[Label, int]) -> int:
    """The entries of an array with these labels."""
    return math.prod(sizes[label] for label in labels)
