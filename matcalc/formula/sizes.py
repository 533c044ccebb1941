"""Sizes and shapes, as formulas have them.

A size is a number, a name such as n, a product such as "2 m n", a sum such as "m n+p", a product of sums such as
"2 (m+n)", or the number of entries of a triangle, "n(n+1)/2". A shape is a tuple of sizes: that of a
scalar is (`UNIT`, `UNIT`), that of a column (n, `UNIT`), so that a row times a column *is* a scalar. `UNIT` is not the
number 1: where the data happen to have n = 1, a 1x1 matrix stays a matrix. While shapes are inferred a size may be
unknown.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Size = int | str
LETTERS = "lmnpqrstuvw"  # of sizes
UNIT = "1"  # the width of a column; no name of a size is spelled so


@dataclass(eq=False, slots=True)
class Unknown:
    """A size to be found; one of a variable has a letter, and is not the width of a column."""

    found: "int | str | Unknown | None" = None
    letter: str = ""


Dim = int | str | Unknown
Dims = tuple[Dim, ...]


@dataclass(eq=False, slots=True)
class AnyShape:
    """The shape of a plain 0: whatever the context wants, a tensor's too."""

    found: Dims | None = None


Shape = Dims | AnyShape
SCALAR: Dims = (UNIT, UNIT)


# --- What is found


def known(size: Dim) -> Dim:
    """The size that was found for an unknown one, as far as there is one."""
    while isinstance(size, Unknown) and size.found is not None:
        size = size.found
    return size


def known_shape(shape: Shape) -> Shape:
    """The shape that was found for a plain 0, if there is one."""
    return shape.found if isinstance(shape, AnyShape) and shape.found is not None else shape


def dims(shape: Shape) -> Dims:
    """The sizes of a shape, as far as they are found; a 0 of which nothing is known is a scalar."""
    shape = known_shape(shape)
    return SCALAR if isinstance(shape, AnyShape) else tuple([known(size) for size in shape])


def is_single(shape: Dims) -> bool:
    """Whether the shape is that of one number, by more than the accident of a size being 1."""
    sizes = [known(size) for size in shape]
    return UNIT in sizes and all(size in (1, UNIT) for size in sizes)


# --- Arrays


def shape_of_array(sizes: Sequence[Size]) -> tuple[Size, ...]:
    """The shape that an array has: () of a scalar, (n,) of a column."""
    match tuple(sizes):
        case ("1", "1"):
            return ()
        case (rows, "1"):
            return (rows,)
        case whole:
            return tuple(1 if size == UNIT else size for size in whole)


def dims_of_array(shape: Sequence[Dim]) -> Dims:
    """The sizes of an array of this shape, as formulas have them: the inverse of `shape_of_array`."""
    match tuple(shape):
        case ():
            return SCALAR
        case (rows,):
            return (rows, UNIT)
        case sizes:
            return sizes


# --- Products and sums of sizes, and triangles


def size_product(left: Size, right: Size) -> Size:
    """2 and 3 make 6, m and n make "m n"."""
    numbers = [size for size in (left, right) if isinstance(size, int)]
    names = sorted(name for size in (left, right) if isinstance(size, str) for name in _factors(size))
    if len(numbers) == 2:
        return numbers[0] * numbers[1]
    return " ".join([*map(str, numbers), *names])


def size_sum(left: Size, right: Size) -> Size:
    """2 and 3 make 5, m and n make "m+n"."""
    numbers = [int(size) for size in (left, right) if isinstance(size, int) or size == UNIT]
    if len(numbers) == 2:
        return sum(numbers)
    return "+".join(sorted(split_size(left, "+") + split_size(right, "+")))


def size_triangle(side: Size) -> Size:
    """The entries on and below the diagonal: 3 makes 6, n makes "n(n+1)/2"."""
    if isinstance(side, int):
        return side * (side + 1) // 2
    if side == UNIT:
        return UNIT
    return f"{side}({side}+1)/2" if side.isidentifier() else f"({side})({side}+1)/2"


def triangle_side(whole: Size) -> Size | None:
    """The size of the matrix whose triangle has so many entries, if there is one: the inverse of `size_triangle`."""
    if isinstance(whole, int):
        side = (math.isqrt(8 * whole + 1) - 1) // 2
        return side if size_triangle(side) == whole else None
    found = re.fullmatch(r"\(?(.+?)\)?\(\1\+1\)/2", whole)
    return UNIT if whole == UNIT else found[1] if found else None


def size_in_numbers(size: Size, numbers: Mapping[str, int]) -> int:
    """The number that a size is, of products, sums and triangles too: "m+n", "2 m" and "n(n+1)/2"."""
    text = str(size)
    if (terms := split_size(text, "+"))[1:]:
        return sum(size_in_numbers(term, numbers) for term in terms)
    if (factors := split_size(text, " "))[1:]:
        return math.prod(size_in_numbers(factor, numbers) for factor in factors)
    if (side := triangle_side(text)) not in (None, UNIT):
        return int(size_triangle(size_in_numbers(side, numbers)))
    return size_in_numbers(text[1:-1], numbers) if text.startswith("(") else int(numbers.get(text, text))


def names_in_size(size: Size) -> list[str]:
    """The names in a size, in the order in which they stand: m and n in "m n+m"."""
    return list(dict.fromkeys(re.findall(r"[^\W\d]\w*", str(size))))


def size_quotient(whole: Size, factor: Size) -> Size | None:
    """The size by which `factor` must be multiplied, if there is one."""
    if isinstance(whole, int) and isinstance(factor, int):
        return whole // factor if factor and whole % factor == 0 else None
    left = _factors(whole)
    for name in _factors(factor):
        if name not in left:
            return None
        left.remove(name)
    text = " ".join(left)
    is_sum = len(left) == 1 and text.endswith(")")
    return int(text) if text.isdigit() else text[1:-1] if is_sum else text or 1


def _factors(size: Size) -> list[str]:
    """The factors of a size, a sum in parentheses."""
    return [f"({size})"] if len(split_size(size, "+")) > 1 else split_size(size, " ")


def split_size(size: Size, separator: str) -> list[str]:
    """The parts of a size between separators that stand in no parentheses."""
    parts, depth = [""], 0
    for letter in str(size):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


# --- Words


def size_in_words(size: Dim) -> str:
    """The number or name of a size; of an unknown one its letter."""
    size = known(size)
    return (size.letter or "?") if isinstance(size, Unknown) else str(size)


def in_words(shape: Shape) -> str:
    """The shape as messages say it: m×n, or a scalar."""
    match [size_in_words(size) for size in dims(shape)]:
        case ["1", "1"]:
            return "a scalar"
        case sizes:
            return "×".join(sizes)
