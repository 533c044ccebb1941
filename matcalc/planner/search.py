"""The cheapest order in which to evaluate sums of products of arrays.

A product is a network: factors with a label on every axis, where a label that stands twice and is not open is summed
over. A Xᵀ is A_ij X_kj with i and k open. A transposition is then no operation but another order of labels, a trace a
label that closes on itself, a batch an open label that stands twice. What can be computed is a *node*, and an *option*
gives it from others. The cheapest plan chooses an option for every node that is needed; a node needed twice is computed
once.
"""

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Label = int
Labels = tuple[Label, ...]
Node = int
Factor = tuple[Node, Labels]
T = TypeVar("T")

FACTORS = 8  # of one product, beyond which its orders are too many
NODES = 500  # that a search may look at
WRITTEN = 1000  # orders of factors in sums that it may write down
STEPS = 5000  # that it may take to better the best plan found
REORDERED = 24  # ways to write a product in which an array stands several times
TRAFFIC = 8  # operations of a product in the time in which an entry is read or written
UNIT = 2**64  # of cost; what is less decides only between equal costs
SOLVING = 3  # operations of a product in the time of one of a solution, which is no product of large blocks


class TooLarge(Exception):
    """The search would take too long: evaluate as written."""


@dataclass(frozen=True)
class Term:
    """Plus or minus a product, with the labels of the axes of its value in order."""

    sign: int
    factors: tuple[Factor, ...]
    axes: Labels


@dataclass(frozen=True)
class Part:
    """A node where it is used, with the labels that its axes have there, in the node's own order."""

    node: Node
    labels: Labels


@dataclass(frozen=True)
class Option:
    """One way to compute a node: an operation on parts, named by the labels that the node has in itself.

    `operations` counts multiply-adds and additions, `moved` the entries read and written.
    """

    name: str
    parts: tuple[Part, ...]
    operations: int
    moved: int
    labels: Labels
    signs: tuple[int, ...] = ()

    @property
    def cost(self) -> int:
        return time(self.operations, self.moved, solves=self.name in ("solve", "invert"))


def time(operations: int, moved: int, *, solves: bool = False) -> int:
    """What is made small: the time of a step, in operations of a product."""
    return operations * (SOLVING if solves else 1) + TRAFFIC * moved


@dataclass(frozen=True)
class Plan:
    """For each node that the goals need the option chosen."""

    goals: tuple[Node, ...]
    chosen: Mapping[Node, Option]

    @property
    def operations(self) -> int:
        return sum(option.operations for option in self.chosen.values())

    @property
    def cost(self) -> int:
        return sum(option.cost for option in self.chosen.values())


class Space:
    """The nodes of sums of products, and how each can be computed.

    A node is a number; what it is stands in `nodes`: its kind, what it is made of, and more.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[Any, ...]] = []
        self.shapes: list[tuple[int, ...]] = []
        self.arrays: list[Counter[Node]] = []  # that stand in each node, with how often they do
        self.computed: set[Node] = set()  # those of them that are not there from the start; the later, the higher
        self._numbers: dict[tuple[Any, ...], Node] = {}
        self._options: dict[Node, tuple[Option, ...]] = {}
        self._written = 0

    # --- Nodes

    def array(self, name: Hashable, shape: tuple[int, ...], kind: str = "array") -> Node:
        """An array that is given, or of the kind "inverse" its inverse, or "factored" its LU factors.

        One of the kind "ones" is known by its name, (size, dtype).
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
        """The product with these labels open, whatever the names of the labels and the order of the axes."""
        opened = frozenset(axes)
        (node, labels), *others = factors
        if not others and frozenset(labels) == opened and len(labels) == len(opened):
            return Part(node, labels)
        renamed, new, old = min(_renamed(order, {}, opened) for order in _orders(factors))
        sizes = self.sizes(renamed)
        shape = tuple(sizes[label] for label in new)
        return Part(self._node(("product", renamed, new), shape, (node for node, _ in renamed)), old)

    def sum(self, terms: Sequence[Term]) -> Part:
        """The sum of terms whose axes correspond by place, whatever the order of the axes."""
        if len(terms) == 1 and terms[0].sign == 1:
            return self.product(terms[0].factors, terms[0].axes)
        orders = [list(_orders(term.factors)) for term in terms]
        turned = list(itertools.permutations(range(len(terms[0].axes))))
        self._written += len(turned) * sum(map(len, orders))
        if self._written > WRITTEN:
            raise TooLarge
        written, order = min((tuple(sorted(map(_placed, terms, orders, itertools.repeat(t)))), t) for t in turned)
        axes = tuple(terms[0].axes[axis] for axis in order)
        sizes = self.sizes(terms[0].factors)
        inside = (node for _, factors in written for node, _ in factors)
        return Part(self._node(("sum", written), tuple(sizes[label] for label in axes), inside), axes)

    def sizes(self, factors: Iterable[Factor]) -> dict[Label, int]:
        return {label: size for node, labels in factors for label, size in zip(labels, self.shapes[node], strict=True)}

    # --- Options

    def options(self, node: Node) -> tuple[Option, ...]:
        """All ways to compute a node, none for an array that is given."""
        if node not in self._options:
            if len(self._options) > NODES:
                raise TooLarge
            kinds = {"product": self._of_product, "sum": self._of_sum, "scaled": self._of_scaled}
            self._options[node] = tuple(kinds.get(self.nodes[node][0], self._given)(node))
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

    def _given(self, node: Node) -> Iterator[Option]:
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
        yield self._option("multiply", (Part(scalar, ()), Part(scaled, labels)), size, size, labels)

    def _of_product(self, node: Node) -> Iterator[Option]:
        _, factors, opened = self.nodes[node]
        sizes = self.sizes(factors)
        entries = _count(opened, sizes)
        if len(factors) == 1:
            (array, labels), *_ = factors
            seen = _count(set(labels), sizes)
            yield self._option(
                "reduce", (Part(array, labels),), seen if len(opened) < len(labels) else 0, entries, opened
            )
            return
        pieces = _pieces(factors)
        if len(pieces) == 1:
            yield from self._contractions(factors, opened, sizes, entries)
            return
        scalars = [f for piece in pieces for f in piece if not any(label in opened for _, l in piece for label in l)]
        others = [piece for piece in pieces if piece[0] not in scalars]
        scaling: list[Factor] = []
        if scalars and others:
            scalar, unscaled = self.product(scalars, ()), [f for piece in others for f in piece]
            yield self._option("multiply", (scalar, self.product(unscaled, opened)), entries, entries, opened)
            if len(others) == 1:
                # A scalar can go to the smallest factor instead of the result.
                k = min(range(len(unscaled)), key=lambda k: math.prod(self.shapes[unscaled[k][0]]))
                array, labels = unscaled[k]
                if math.prod(self.shapes[array]) < entries and len(set(labels)) == len(labels):
                    scaled = self._node(("scaled", scalar.node, array), self.shapes[array], (scalar.node, array))
                    rest = [*unscaled[:k], (scaled, labels), *unscaled[k + 1 :]]
                    yield Option("same", (self.product(rest, opened),), 0, 0, opened)
                return
            # Or to a piece, best one that is given: then it is scaled as the result is written.
            pieces, scaling = sorted(others, key=len), scalars
        for k in range(len(pieces)):  # an outer product of one piece with all others
            rest = [f for j, piece in enumerate(pieces) if j != k for f in piece]
            parts = (self._open([*scaling, *pieces[k]], rest, opened), self._open(rest, pieces[k], opened))
            yield self._option("multiply", parts, entries, entries, opened)

    def _contractions(
        self, factors: tuple[Factor, ...], opened: Labels, sizes: Mapping[Label, int], entries: int
    ) -> Iterator[Option]:
        """The product of two connected parts of the network, for all such parts."""
        count = len(factors)
        if count > FACTORS:
            raise TooLarge
        for mask in range(1, 2 ** (count - 1)):  # the last factor stands in the other part
            ones = [f for k, f in enumerate(factors) if mask >> k & 1]
            others = [f for k, f in enumerate(factors) if not mask >> k & 1]
            if len(_pieces(ones)) > 1 or len(_pieces(others)) > 1:
                continue
            left, right = self._open(ones, others, opened), self._open(others, ones, opened)
            operations = _count({*left.labels, *right.labels}, sizes)
            yield self._option("multiply", (left, right), operations, entries, opened)
            for inverse, other in ((left, right), (right, left)):
                kind, name, *_ = self.nodes[inverse.node]
                solved = {*inverse.labels} & {*other.labels}
                if kind == "inverse" and len(solved) == 1 and not solved & {*opened}:
                    factored = self.array(name, self.shapes[inverse.node], "factored")
                    parts = (Part(factored, inverse.labels), other)
                    yield self._option("solve", parts, operations, entries, opened)

    def _open(self, factors: Sequence[Factor], rest: Sequence[Factor], opened: Iterable[Label]) -> Part:
        """The product of some factors of a network, with all labels open that the rest needs."""
        needed = {*opened, *(label for _, labels in rest for label in labels)}
        return self.product(factors, needed & {label for _, labels in factors for label in labels})

    def _of_sum(self, node: Node) -> Iterator[Option]:
        _, written = self.nodes[node]
        axes = tuple(range(len(self.shapes[node])))
        terms = [Term(sign, factors, axes) for sign, factors in written]
        entries = math.prod(self.shapes[node])
        parts = tuple(self.product(term.factors, axes) for term in terms)
        yield self._option("add", parts, (len(terms) - 1) * entries, entries, axes, tuple(term.sign for term in terms))
        # Common ends: P Q + P R = P (Q + R), for every P that stands in several terms.
        for found in _common(terms, axes):
            for size in range(2, len(found) + 1):
                for group in itertools.combinations(found, size):
                    yield self._factored(terms, dict(group), axes)

    def _factored(self, terms: list[Term], group: dict[int, tuple[Any, ...]], axes: Labels) -> Option:
        rests: list[Term] = []
        for k, (_, others, border) in group.items():
            rests.append(Term(terms[k].sign, others, border))
        common, *_ = group[min(group)]
        inner = self.sum(rests)  # in the labels of the first of them, as the common part is
        together = Term(1, (*common, (inner.node, inner.labels)), axes)
        others = [term for k, term in enumerate(terms) if k not in group]
        return Option("same", (self.sum([*others, together]),), 0, 0, axes)


# --- Networks


def _array(factor: Factor) -> Node:
    return factor[0]


def _orders(factors: Iterable[Factor]) -> Iterator[tuple[Factor, ...]]:
    """The factors in one order, but those of the same array in all."""
    groups = [list(group) for _, group in itertools.groupby(sorted(factors, key=_array), key=_array)]
    if math.prod(math.factorial(len(group)) for group in groups) > REORDERED:
        groups = [[factor] for group in groups for factor in group]
    for orders in itertools.product(*map(itertools.permutations, groups)):
        yield tuple(itertools.chain(*orders))


def _renamed(
    factors: Sequence[Factor], names: Mapping[Label, int], opened: Iterable[Label]
) -> tuple[tuple[Factor, ...], Labels, Labels]:
    """Factors with their labels renamed as they come, beside these names; the open ones by new name and by old."""
    named = dict(names)
    renamed = tuple((node, tuple(named.setdefault(l, len(named)) for l in labels)) for node, labels in factors)
    pairs = sorted((named[label], label) for label in opened)
    return renamed, tuple(new for new, _ in pairs), tuple(old for _, old in pairs)


def _placed(term: Term, orders: Iterable[Sequence[Factor]], turned: Sequence[int]) -> tuple[int, tuple[Factor, ...]]:
    """A term in the least of these orders of its factors, with its axes turned and renamed by their place."""
    names = {term.axes[axis]: place for place, axis in enumerate(turned)}
    return term.sign, min(_renamed(order, names, ())[0] for order in orders)


def connected(items: Iterable[T], marks: Callable[[T], Iterable[Hashable]]) -> list[list[T]]:
    """The items in groups that have no mark in common."""
    groups: list[tuple[set[Hashable], list[T]]] = []
    for item in items:
        marked, members = set(marks(item)), [item]
        apart = []
        for group in groups:
            if group[0] & marked:
                marked, members = marked | group[0], [*group[1], *members]
            else:
                apart.append(group)
        groups = [*apart, (marked, members)]
    return [members for _, members in groups]


def _pieces(factors: Iterable[Factor]) -> list[list[Factor]]:
    """The factors in groups that share no label."""
    return connected(factors, lambda factor: factor[1])


def _common(terms: Sequence[Term], axes: Labels) -> list[list[tuple[int, tuple[Any, ...]]]]:
    """Connected parts that stand in several terms, in the same place: for each by term the part, the rest, its border.

    The border are the labels of the rest, in an order that is the same in all terms.
    """
    found: dict[Any, dict[int, tuple[Any, ...]]] = {}
    names = {label: place for place, label in enumerate(axes)}
    for k, term in enumerate(terms):
        for mask in range(1, 2 ** len(term.factors) - 1):
            part = [f for j, f in enumerate(term.factors) if mask >> j & 1]
            rest = tuple(f for j, f in enumerate(term.factors) if not mask >> j & 1)
            if len(_pieces(part)) > 1:
                continue
            outside = {label for _, labels in rest for label in labels}
            inside = {label for _, labels in part for label in labels}
            border = outside & (inside | set(axes))
            renamed, new, old = min(_renamed(order, names, border) for order in _orders(part))
            place = (renamed, new, frozenset(set(axes) - outside))
            found.setdefault(place, {}).setdefault(k, (tuple(part), rest, old))
    return [list(by_term.items()) for by_term in found.values() if len(by_term) > 1]


def _count(labels: Iterable[Label], sizes: Mapping[Label, int]) -> int:
    return math.prod(sizes[label] for label in labels)


# --- The search


def cheapest(space: Space, goals: Sequence[Node]) -> Plan:
    """The plan of least cost; of several, one that keeps little meanwhile. TooLarge if that would take too long."""
    supply = sum((space.arrays[goal] for goal in goals), Counter[Node]())
    bounds: dict[Node, int] = {}
    twice = functools.cache(lambda node: all(2 * count <= supply[a] for a, count in space.arrays[node].items()))

    @functools.cache
    def kept(node: Node) -> int:
        """The entries of a node, as often as arrays are computed later than all that it is made of.

        A (X Y) keeps less than (A X) Y where much is done to get Y.
        """
        newest = max(space.computed & {*space.arrays[node]}, default=-1)
        return math.prod(space.shapes[node]) * sum(array > newest for array in space.computed & {*supply})

    def price(node: Node, option: Option) -> int:
        return UNIT * option.cost + kept(node)

    def bound(node: Node) -> int:
        """The price of this node at least, without what the arrays would do for at two places."""
        if node not in bounds:
            bounds[node] = min((at_least(node, option) for option in space.options(node)), default=0)
        return bounds[node]

    def at_least(node: Node, option: Option) -> int:
        return price(node, option) + sum(bound(part) for part in {p.node for p in option.parts} if not twice(part))

    best: tuple[float, dict[Node, Option]] = (math.inf, {})
    steps = 0

    def search(todo: frozenset[Node], chosen: dict[Node, Option], paid: int) -> None:
        nonlocal best, steps
        steps += 1
        if paid + sum(map(bound, todo)) >= best[0] or (steps > STEPS and best[1]):
            return
        if not todo:
            best = (paid, chosen)
            return
        node = max(todo, key=lambda node: (space.arrays[node].total(), node))
        rest = todo - {node}
        options = space.options(node)
        if not options:
            search(rest, chosen, paid)
        for option in sorted(options, key=functools.partial(at_least, node)):
            new = {part.node for part in option.parts} - chosen.keys()
            search(rest | new, chosen | {node: option}, paid + price(node, option))

    search(frozenset(goals), {}, 0)
    return Plan(tuple(goals), best[1])


def thin_sums(space: Space, plan: Plan) -> list[Option]:
    """The sums of matrix products that are rather one product: P Q + R S = [P R] [Q; S].

    That writes the sum once instead of each product and the sum, and pays where [P R] and [Q; S], which are written
    instead, have together no more entries than the sum.
    """
    uses = Counter(plan.goals) + Counter(part.node for option in plan.chosen.values() for part in option.parts)

    def is_thin(option: Option) -> bool:
        copied = written = 0
        for part in option.parts:
            product = plan.chosen.get(part.node)
            if product is None or product.name != "multiply" or uses[part.node] > 1:
                return False
            left, right = product.parts
            if not len(left.labels) == len(right.labels) == len(product.labels) == 2:
                return False
            if len({*left.labels} - {*product.labels}) != 1 or {*left.labels} == {*right.labels}:
                return False
            copied += math.prod(space.shapes[left.node]) + math.prod(space.shapes[right.node])
            written = math.prod(space.shapes[part.node])
        return copied <= written

    return [option for option in plan.chosen.values() if option.name == "add" and is_thin(option)]
