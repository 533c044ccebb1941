"""Nodes of a formula with their shapes, and what their form says of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from matcalc.formula import tree as t
from matcalc.formula.arbitrary import is_arbitrary
from matcalc.formula.sizes import SCALAR, UNIT, Dims, Shape, Size, Unknown, dims, known
from matcalc.formula.words import ENTRYWISE, MATRIX_FUNCTIONS


@dataclass(eq=False, slots=True)
class Typed:
    """A node with its shape and its typed operands; a product is typed as a chain of products of two."""

    node: t.Formula
    shape: Shape
    parts: "tuple[Typed, ...]" = ()

    @property
    def nodes(self) -> "Iterator[Typed]":
        """This node and all below it, by an iteration, as a product is a deep chain."""
        left: list[Typed] = [self]
        while left:
            yield (node := left.pop())
            left += node.parts

    @property
    def dims(self) -> tuple[Size, ...]:
        """The shape when everything is found (a size never found is 0)."""
        return tuple(0 if isinstance(size, Unknown) else size for size in dims(self.shape))

    @property
    def is_scalar(self) -> bool:
        """Whether the value is a number."""
        return dims(self.shape) == SCALAR


def is_entrywise(function: str, part: Typed) -> bool:
    """Whether a function acts entry by entry on a typed formula."""
    return acts_by_entry(function, dims(part.shape))


def acts_by_entry(function: str, shape: Dims) -> bool:
    """Whether a function acts entry by entry: with a dot, or of a vector, it does."""
    if is_arbitrary(function):
        return function.endswith(".") or UNIT in shape
    return function in ENTRYWISE or (function in MATRIX_FUNCTIONS and UNIT in shape)


# What to write of a matrix instead.
INSTEAD = {
    "norm1": "write sum(abs(X)), of all entries",
    "norminf": "write max(abs(X)), of all entries",
    "softmax": "of the rows of X write diag(exp.(X) 1)^-1 exp.(X)",
    "logsumexp": "of all entries write ln(sum(exp.(X)))",
}


def is_column(shape: Dims) -> bool:
    """Whether this is the shape of a vector, and not of a number."""
    return known(shape[1]) == UNIT and known(shape[0]) not in (1, UNIT)


def is_zero(node: t.Formula) -> bool:
    return bare(node) == t.Number(0)


def is_spread(part: Typed) -> bool:
    """Whether it is a number by its form, which beside an array stands at every entry."""
    return part.is_scalar and _is_number(part.node)


def _is_number(node: t.Formula) -> bool:
    match node:
        case t.Number(value):
            return value != 0
        case t.Apply("mean" | "max" | "min" | "logsumexp"):
            return True
        case t.Neg() | t.Product() | t.Infix("/"):
            return all(map(_is_number, t.children(node)))
        case _:
            return False


def bare(node: t.Formula) -> t.Formula:
    return node.of if isinstance(node, t.Neg) else node


def so_far(node: t.Formula, left: Typed) -> t.Formula:
    """The part of a product that `left` is."""
    if left.node is not node or not isinstance(node, t.Product):
        return left.node
    count = 1
    while left.node is node:
        left, count = left.parts[0], count + 1
    return t.product_of(node.factors[:count])
