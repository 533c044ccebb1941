"""What the rules for operations of JAX are: a table, what they ask of the reader, and what several of them do.

A rule gets the reader, the operation and the operands, and gives the result. It raises Unreadable where no formula
says the operation.
"""

from collections.abc import Callable
from typing import Any, Protocol

from matcalc.calculus import Algebra
from matcalc.derivation.traced.arrays import Array, Count, Triangle, Unreadable, Writer
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size
from matcalc.formula.words import MATRIX_FUNCTIONS

Value = Array | Count | Triangle


class Reader(Protocol):
    """What rules ask of the reader of a program."""

    writer: Writer
    algebra: Algebra
    drops_maxima: bool  # whether the largest entry is read as 0, as where it is subtracted and added again
    has_maxima: bool
    has_choices: bool  # whether a truth value is another where what is compared is equal

    def size_of(self, dim: Any) -> Size: ...
    def depends(self, tree: Formula) -> bool: ...
    def factor_of(self, a: Array) -> Formula: ...
    def is_factor(self, tree: Formula) -> bool: ...


Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}


def entrywise(r: Reader, function: str, a: Array) -> Array:
    """A function of each entry; with a dot where without it would be of the matrix."""
    is_matrix = len(a.used) == 2 and function in MATRIX_FUNCTIONS
    return Array(t.Apply(f"{function}." if is_matrix else function, a.tree), a.axes, a.shape)


def placed(a: Array, axes: list[int], places: list[int], rank: int) -> Array:
    """An array with its axes at these places among more, of size 1."""
    found: list[Any] = [None] * rank
    shape: list[Size] = [1] * rank
    for axis, place in zip(axes, places, strict=True):
        found[place], shape[place] = a.axes[axis], a.shape[axis]
    return Array(a.tree, tuple(found), tuple(shape))


def integer(a: Any) -> int:
    match a:
        case Array(t.Number(int() as value)):
            return value
        case Array(t.Neg(t.Number(int() as value))):
            return -value
        case _:
            raise Unreadable("a place that is computed has no word")
