"""Arrays of a traced program as formulas: which axis of the array lies along the rows of the formula, which along the
columns, and along which it is constant.

So transposing and broadcasting are no formulas until an operation needs them: A x[:, None] is A diag(x) or diag(x) A,
and a number beside an array is a factor or a multiple of 𝟏.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from matcalc.calculus.terms import UNIT, Dims, number, quotient, sized
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size

ROWS, COLUMNS = 0, 1
ZERO, ONE = t.Number(0), t.Number(1)
Axis = int | None  # ROWS, COLUMNS, or None of an axis along which the array is constant
SIMPLE = 1000  # the largest denominator of a number that is written as a fraction


class Unreadable(ValueError):
    """An operation that no formula says, and why."""


@dataclass(frozen=True)
class Array:
    """A formula, and where each axis of the array lies in it; of a scalar formula every axis is constant."""

    tree: Formula
    axes: tuple[Axis, ...] = ()
    shape: tuple[Size, ...] = ()

    @property
    def dims(self) -> Dims:
        """The shape of the formula."""
        sizes = {axis: size for axis, size in zip(self.axes, self.shape, strict=True) if axis is not None}
        return (sizes.get(ROWS, UNIT), sizes.get(COLUMNS, UNIT))

    @property
    def used(self) -> tuple[int, ...]:
        """The axes along which the array is not constant."""
        return tuple(k for k, axis in enumerate(self.axes) if axis is not None)

    @property
    def is_number(self) -> bool:
        """Whether all entries are the same, by the formula."""
        return not self.used

    @property
    def is_zero(self) -> bool:
        return self.tree == ZERO


@dataclass(frozen=True)
class Indicator(Array):
    """An array of truth values: 1 where `of` is positive, 0 where it is negative."""

    of: Array | None = None


@dataclass(frozen=True)
class Count:
    """0, 1, 2 … along an axis of an array, or from another number on."""

    axis: int
    shape: tuple[Size, ...]
    start: int = 0


@dataclass(frozen=True)
class Triangle:
    """True in a triangle of a square array, "tril" or "triu", or outside of it."""

    function: str
    outside: bool = False


def vector(tree: Formula, size: Size) -> Array:
    return Array(tree, (ROWS,), (size,))


def matrix(tree: Formula, shape: Sequence[Size]) -> Array:
    return Array(tree, (ROWS, COLUMNS), tuple(shape))


def constant(value: float, shape: Sequence[Size] = ()) -> Array:
    """A number at every entry."""
    return Array(as_number(value), (None,) * len(shape), tuple(shape))


def as_number(value: float) -> Formula:
    """A number as a person writes it: 1/2 for 0.5."""
    if abs(value) == float("inf") or value != value:
        return t.Neg(t.Number(float("inf"))) if value < 0 else t.Number(value)
    fraction = Fraction(value).limit_denominator(SIMPLE)
    if float(fraction) == value:
        return number(fraction)
    return t.Neg(t.Number(-value)) if value < 0 else t.Number(value)


# --- Products of formulas


def coefficient(tree: Formula) -> tuple[Fraction, Formula]:
    """The number in front of a formula, or behind it as a divisor, and the rest."""
    match tree:
        case t.Neg(of):
            number, rest = coefficient(of)
            return -number, rest
        case t.Number(int() as value):
            return Fraction(value), ONE
        case t.Infix("/", of, t.Number(int() as below)):
            number, rest = coefficient(of)
            return number / below, rest
        case t.Product((t.Number() | t.Infix("/", t.Number()) as first, *others)):
            number, rest = coefficient(first)
            return number, t.product_of(others if rest == ONE else (rest, *others))
        case _:
            return Fraction(1), tree


def scaled(number: Fraction, tree: Formula) -> Formula:
    """A multiple of a formula, as a person writes it: 2 X, -X/2."""
    if not number or tree == ZERO:
        return ZERO
    if isinstance(tree, t.Infix) and tree.op == "/" and abs(number) != 1:
        above, below = scaled(Fraction(abs(number.numerator)), tree.left), tree.right
        made = quotient(above, scaled(Fraction(number.denominator), below))
        return t.Neg(made) if number < 0 else made
    above = [t.Number(abs(number.numerator))] if abs(number.numerator) != 1 or tree == ONE else []
    made = t.product_of([*above, *(_flat(tree) if tree != ONE and above else [tree] if tree != ONE else [])])
    if number.denominator != 1:
        made = quotient(made, t.Number(number.denominator))
    return t.Neg(made) if number < 0 else made


def _flat(tree: Formula) -> tuple[Formula, ...]:
    return tree.factors if isinstance(tree, t.Product) else (tree,)


def times(scalar: Formula, tree: Formula, *, is_number: bool = True) -> Formula:
    """A number times a formula; of two numbers each stays together, as xᵀ y in front of a product does."""
    (one, first), (other, second) = coefficient(scalar), coefficient(tree)
    if isinstance(second, t.Number):
        first, second = second, first
    factors = [first, *((second,) if is_number else _flat(second))]
    return scaled(one * other, t.product_of([factor for factor in factors if factor != ONE]))


def matrix_product(left: Formula, right: Formula) -> Formula:
    """The product of two matrices, in a chain of all their factors."""
    (one, first), (other, second) = coefficient(left), coefficient(right)
    return scaled(one * other, t.product_of((*_flat(first), *_flat(second))))


def divided(tree: Formula, by: Formula) -> Formula:
    """A formula over a number."""
    (one, above), (other, below) = coefficient(tree), coefficient(by)
    return scaled(one / other, above if below == ONE else quotient(above, below))


def ones(size: Size) -> Formula:
    """𝟏, whose size is written."""
    return t.Constant("1", (sized(size),))


class Writer:
    """Writes operations on arrays as formulas; `scalars` are the names of variables and sizes that are numbers."""

    def __init__(self, scalars: Iterable[str]) -> None:
        self.scalars = frozenset(scalars)

    # --- Where axes lie

    def turned(self, a: Array) -> Array:
        """The same array, by the transposed formula."""
        if a.is_number:
            return a
        axes = tuple(None if axis is None else 1 - axis for axis in a.axes)
        return replace(a, tree=t.transpose(a.tree, self.scalars), axes=axes)

    def along(self, a: Array, axis: int, place: int) -> Array:
        """The array with an axis along the rows or the columns; filled with 𝟏 where it is constant along it."""
        if a.axes[axis] is None:
            a = self.filled(a, axis)
        return a if a.axes[axis] == place else self.turned(a)

    def filled(self, a: Array, axis: int) -> Array:
        """The array by a formula that has this axis too."""
        if len(a.used) == 2:
            raise Unreadable("it has three axes, and a formula has rows and columns only")
        one = ones(a.shape[axis])
        axes = list(a.axes)
        if a.is_number:
            axes[axis] = ROWS
            return Array(times(a.tree, one, is_number=False), tuple(axes), a.shape)
        (used,) = a.used
        axes[axis] = 1 - (a.axes[used] or 0)
        is_column = a.axes[used] == ROWS
        tree = matrix_product(a.tree, t.Transpose(one)) if is_column else matrix_product(one, a.tree)
        return Array(tree, tuple(axes), a.shape)

    def without(self, a: Array, axis: int) -> Array:
        """The array summed over an axis, which stays as one of size 1 along which it is constant."""
        shape = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
        axes = (*a.axes[:axis], None, *a.axes[axis + 1 :])
        if a.axes[axis] is None:
            return Array(times(sized(a.shape[axis]), a.tree), axes, shape)
        one = ones(a.shape[axis])
        if len(a.used) == 1:
            return Array(t.Apply("sum", a.tree), axes, shape)
        is_column = a.axes[axis] == COLUMNS
        tree = matrix_product(a.tree, one) if is_column else matrix_product(t.Transpose(one), a.tree)
        return Array(tree, axes, shape)

    def laid(self, a: Array, places: Mapping[int, int]) -> Formula:
        """The formula with axes where they are wanted, filled with 𝟏 along those that it lacks."""
        for axis in places:
            if a.axes[axis] is None:
                a = self.filled(a, axis)
        if any(a.axes[axis] != place for axis, place in places.items()):
            a = self.turned(a)
        return a.tree

    def whole(self, a: Array) -> Formula:
        """A matrix as it is indexed, a vector as a column."""
        return self.laid(a, dict(zip(a.used, (ROWS, COLUMNS), strict=False)))

    # --- Operations

    def joint(self, *arrays: Array) -> tuple[list[Array], dict[int, int], tuple[Size, ...]]:
        """Arrays with as many axes, where all of their axes lie together, and the shape that they make."""
        rank = max(len(a.axes) for a in arrays)
        arrays = tuple(a if len(a.axes) == rank else Array(a.tree, (None,) * rank, (1,) * rank) for a in arrays)
        shape = tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*(a.shape for a in arrays), strict=True))
        arrays = tuple(self.stretched(a, shape) for a in arrays)
        leading = max(arrays, key=lambda a: len(a.used))
        places = {axis: leading.axes[axis] or 0 for axis in leading.used}
        for axis in sorted({axis for a in arrays for axis in a.used} - places.keys()):
            if len(places) == 2:
                raise Unreadable("it has three axes, and a formula has rows and columns only")
            places[axis] = 1 - next(iter(places.values())) if places else ROWS
        return list(arrays), places, shape

    def stretched(self, a: Array, shape: Sequence[Size]) -> Array:
        """The array, constant along axes of size 1 that become larger."""
        for axis, (old, new) in enumerate(zip(a.shape, shape, strict=True)):
            if old == 1 != new and a.axes[axis] is not None:
                a = self.without(a, axis)
        return replace(a, shape=tuple(shape))

    def result(self, tree: Formula, places: Mapping[int, int], shape: tuple[Size, ...]) -> Array:
        return Array(tree, tuple(places.get(axis) for axis in range(len(shape))), shape)

    def add(self, a: Array, b: Array) -> Array:
        (a, b), places, shape = self.joint(a, b)
        if a.is_zero or b.is_zero:
            other = b if a.is_zero else a
            return self.result(other.tree, {axis: other.axes[axis] or 0 for axis in other.used}, shape)
        return self.result(added(self.laid(a, places), self.laid(b, places)), places, shape)

    def neg(self, a: Array) -> Array:
        return a if a.is_zero else replace(a, tree=negative(a.tree))

    def sub(self, a: Array, b: Array) -> Array:
        return self.add(a, self.neg(b))

    def mul(self, a: Array, b: Array) -> Array:
        """The product entry by entry: with a number, of two vectors along two axes, with rows or columns, of others."""
        (a, b), places, shape = self.joint(a, b)
        if a.is_number or b.is_number:
            one, other = (a, b) if a.is_number else (b, a)
            tree = times(one.tree, other.tree, is_number=other.is_number)
            return self.result(tree, dict(_places(other)) if tree != ZERO else {}, shape)
        if len(a.used) == len(b.used) == 1 and a.used != b.used:
            column, row = (a, b) if places[a.used[0]] == ROWS else (b, a)
            left = self.laid(column, {column.used[0]: ROWS})
            return self.result(matrix_product(left, self.laid(row, {row.used[0]: COLUMNS})), places, shape)
        if len(a.used) != len(b.used):
            scale, array = (a, b) if len(a.used) < len(b.used) else (b, a)
            diagonal = t.Apply("diag", self.laid(scale, {scale.used[0]: ROWS}))
            on_rows = places[scale.used[0]] == ROWS
            tree = self.laid(array, places)
            return self.result(
                matrix_product(diagonal, tree) if on_rows else matrix_product(tree, diagonal), places, shape
            )
        one, other = (self.laid(each, places) for each in (a, b))
        return self.result(_signed(lambda u, v: t.Infix("⊙", u, v), one, other), places, shape)

    def div(self, a: Array, b: Array) -> Array:
        (a, b), places, shape = self.joint(a, b)
        if b.is_number:
            return self.result(divided(a.tree, b.tree), dict(_places(a)), shape)
        if a.is_zero:
            return self.result(ZERO, {}, shape)
        one, other = self.laid(a, places), self.laid(b, places)
        return self.result(_signed(lambda u, v: t.Infix("⊘", u, v), one, other), places, shape)

    def dot(self, a: Array, i: int, b: Array, j: int) -> Array:
        """The sum over one axis of each."""
        a, b = self.along(a, i, COLUMNS), self.along(b, j, ROWS)
        made = matrix_product(a.tree, b.tree)
        match positive(a.tree), positive(b.tree):
            case t.Transpose(t.Apply("vec", A)), t.Apply("vec", B):  # vec(A)ᵀ vec(B)
                made = t.Apply("tr", matrix_product(t.transpose(A, self.scalars), B))
            case _:
                pass
        axes = [axis for k, axis in enumerate(a.axes) if k != i] + [axis for k, axis in enumerate(b.axes) if k != j]
        shape = [size for k, size in enumerate(a.shape) if k != i] + [size for k, size in enumerate(b.shape) if k != j]
        return Array(made, tuple(axes), tuple(shape))


def _places(a: Array) -> Iterable[tuple[int, int]]:
    return ((axis, a.axes[axis] or 0) for axis in a.used)


def _signed(make: Callable[[Formula, Formula], Formula], one: Formula, other: Formula) -> Formula:
    """An operation with the signs of its operands in front."""
    made = make(positive(one), positive(other))
    return t.Neg(made) if isinstance(one, t.Neg) != isinstance(other, t.Neg) else made


def positive(tree: Formula) -> Formula:
    return tree.of if isinstance(tree, t.Neg) else tree


def negative(tree: Formula) -> Formula:
    return tree.of if isinstance(tree, t.Neg) else t.Neg(tree)


def added(one: Formula, other: Formula) -> Formula:
    """A sum, of all terms in one."""
    return t.Sum((*t.terms(one), *t.terms(other)))
