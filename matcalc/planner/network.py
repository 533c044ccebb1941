"""Tensor networks in canonical form: products of arrays whose axes carry labels.

A X Xᵀ is the network A_ij X_jk X_lk. A label that stands twice and is not open is summed over; the open ones, here i
and l, are the axes of the value. A transposition is then no operation but another order of labels, a trace is a label
that stands twice on one array, and a batch is an open label that stands twice.

Two networks are the same whatever their labels are called and in whatever order their factors and axes stand. The
canonical form is the same for all of these: common subexpressions are found by comparing it.
"""

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Label = int
Labels = tuple[Label, ...]
Node = int  # the number of an array, or of another network, in a `Space`
Factor = tuple[Node, Labels]
T = TypeVar("T")

REORDERED = 24  # orders of the factors of one product, at most, that are compared


@dataclass(frozen=True)
class Term:
    """Plus or minus a product, with the labels of the axes of its value in order."""

    sign: int
    factors: tuple[Factor, ...]
    axes: Labels


@dataclass(frozen=True)
class Part:
    """A node where it is used: `labels` are those that its axes have there, in the order of the node's own axes."""

    node: Node
    labels: Labels


@dataclass(frozen=True)
class CommonPart:
    """Where a part that several terms have in common stands in one of them.

    `border` are the labels of the rest that the part shares or that are axes of the term, in an order that is the same
    for all the terms.
    """

    factors: tuple[Factor, ...]
    rest: tuple[Factor, ...]
    border: Labels


def canonical_product(factors: Iterable[Factor], opened: frozenset[Label]) -> tuple[tuple[Factor, ...], Labels, Labels]:
    """The canonical form of a product, then its open labels, first by their names in that form, then by their own."""
    return min(_renamed(order, {}, opened) for order in orders(factors))


def canonical_sum(
    terms: Sequence[Term], of_factors: Sequence[Sequence[Sequence[Factor]]], of_axes: Iterable[Sequence[int]]
) -> tuple[tuple[tuple[int, tuple[Factor, ...]], ...], Sequence[int]]:
    """The canonical form of a sum, and the order of axes that gives it.

    It is the least among these orders of the factors of each term and these orders of the axes.
    """

    def canonical(term: Term, orders: Iterable[Sequence[Factor]], axes: Sequence[int]) -> Any:
        names = {term.axes[axis]: place for place, axis in enumerate(axes)}
        return term.sign, min(_renamed(order, names, ())[0] for order in orders)

    return min((tuple(sorted(map(canonical, terms, of_factors, itertools.repeat(axes)))), axes) for axes in of_axes)


def orders(factors: Iterable[Factor]) -> Iterator[tuple[Factor, ...]]:
    """The orders of factors that the canonical form has to compare: sorted, and those of the same array in all orders.

    Where there are too many, only one, in which the order of the same array is as given: equal products may then be
    taken for different ones.
    """

    def node(factor: Factor) -> Node:
        return factor[0]

    groups = [list(group) for _, group in itertools.groupby(sorted(factors, key=node), key=node)]
    if math.prod(math.factorial(len(group)) for group in groups) > REORDERED:
        groups = [[factor] for group in groups for factor in group]
    for ordered in itertools.product(*map(itertools.permutations, groups)):
        yield tuple(itertools.chain(*ordered))


def _renamed(
    factors: Sequence[Factor], names: Mapping[Label, int], opened: Iterable[Label]
) -> tuple[tuple[Factor, ...], Labels, Labels]:
    """Factors with labels numbered as they come, after those that have names; the open ones by new name and by old."""
    named = dict(names)
    renamed = tuple((node, tuple(named.setdefault(l, len(named)) for l in labels)) for node, labels in factors)
    pairs = sorted((named[label], label) for label in opened)
    return renamed, tuple(new for new, _ in pairs), tuple(old for _, old in pairs)


def connected_components(items: Iterable[T], marks: Callable[[T], Iterable[Hashable]]) -> list[list[T]]:
    """The items in groups such that items of different groups have no mark in common."""
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


def components(factors: Iterable[Factor]) -> list[list[Factor]]:
    """The connected components of a network: factors in groups that share no label."""
    return connected_components(factors, lambda factor: factor[1])


def common_parts(terms: Sequence[Term], axes: Labels) -> list[list[tuple[int, CommonPart]]]:
    """The connected parts that several terms have in common in the same place: for each, by term, where it stands."""
    found: dict[Any, dict[int, CommonPart]] = {}
    names = {label: place for place, label in enumerate(axes)}
    for k, term in enumerate(terms):
        for mask in range(1, 2 ** len(term.factors) - 1):
            part = [f for j, f in enumerate(term.factors) if mask >> j & 1]
            rest = tuple(f for j, f in enumerate(term.factors) if not mask >> j & 1)
            if len(components(part)) > 1:
                continue
            outside = {label for _, labels in rest for label in labels}
            inside = {label for _, labels in part for label in labels}
            border = outside & (inside | set(axes))
            renamed, new, old = min(_renamed(order, names, border) for order in orders(part))
            place = (renamed, new, frozenset(set(axes) - outside))
            found.setdefault(place, {}).setdefault(k, CommonPart(tuple(part), rest, old))
    return [list(by_term.items()) for by_term in found.values() if len(by_term) > 1]
