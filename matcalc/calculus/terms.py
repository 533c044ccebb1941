"""What a formula is made of in normal form: terms, and in them scalars with exponents and words of matrix factors.

Inside this room constants carry their sizes: I_n, 𝟏_n, e_i of size n, E_ij of sizes m×n; a scalar has the shape
(`UNIT`, `UNIT`), a column (n, `UNIT`), a row (`UNIT`, n).
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import UNIT, Size, size_product

Dims = tuple[Size, Size]
Exponent = Fraction | Formula
Scalar = tuple[Formula, Exponent]

SCALAR: Dims = (UNIT, UNIT)
ONE, HALF, ZERO = Fraction(1), Fraction(1, 2), Fraction(0)


class NotDerivable(ValueError):
    """What has no closed form in the language, and why."""


class Factor(NamedTuple):
    """base^power, transposed or not; the base is no power, inverse or transpose itself."""

    base: Formula
    power: Exponent = ONE
    turned: bool = False


class Term(NamedTuple):
    """coef · Π scalarᵏ · the product of the word."""

    coef: Fraction
    scalars: tuple[Scalar, ...] = ()
    word: tuple[Factor, ...] = ()


Poly = tuple[Term, ...]  # their sum


def dims_of(shape: Sequence[Size]) -> Dims:
    """The dims of an array of this shape."""
    match tuple(shape):
        case ():
            return SCALAR
        case (rows,):
            return (rows, UNIT)
        case (rows, columns):
            return (rows, columns)
        case _:
            raise NotDerivable(f"A variable with {len(shape)} axes has no place in a formula of matrices.")


def flipped(dims: Dims) -> Dims:
    """The dims of the transpose."""
    return dims[1], dims[0]


# --- Formulas from parts


def product(*factors: Formula) -> Formula:
    """The product, of nothing 1."""
    return t.product_of(factors)


def quotient(above: Formula, below: Formula) -> Formula:
    return t.Infix("/", above, below)


def minus(one: Formula, other: Formula) -> Formula:
    return t.Sum((one, t.Neg(other)))


def trace(M: Formula) -> Formula:
    return t.Apply("tr", M)


def inverse(M: Formula) -> Formula:
    return t.Apply("inv", M)


def number(value: Fraction) -> Formula:
    """A number as a formula."""
    top: Formula = t.Number(abs(value.numerator))
    if value.denominator != 1:
        top = quotient(top, t.Number(value.denominator))
    return t.Neg(top) if value < 0 else top


def sized(n: Size) -> Formula:
    """A size as a formula."""
    if isinstance(n, int):
        return t.Number(n)
    return product(*[t.Number(int(part)) if part.isdigit() else t.Name(part) for part in n.split()])


def of_size(tree: Formula) -> Size:
    """The size that a formula says."""
    match tree:
        case t.Number(int() as value):
            return value
        case t.Name(name):
            return name
        case t.Product(factors):
            return reduce(size_product, map(of_size, factors))
        case _:
            raise NotDerivable(f"{tree} is no size")


def is_size(tree: Formula) -> bool:
    return isinstance(tree, t.Name | t.Product) or (isinstance(tree, t.Number) and isinstance(tree.value, int))


def times(m: Size, n: Size) -> Size:
    """The size of a Kronecker product."""
    return n if m == UNIT else m if n == UNIT else size_product(m, n)


def identity(n: Size) -> Formula:
    return t.Number(1) if n == UNIT else t.Constant("I", (sized(n),))


def ones(dims: Dims) -> Formula:
    """𝟏, 𝟏ᵀ or 𝟏 𝟏ᵀ."""
    column = t.Number(1) if dims[0] == UNIT else t.Constant("1", (sized(dims[0]),))
    row = t.Number(1) if dims[1] == UNIT else t.Transpose(t.Constant("1", (sized(dims[1]),)))
    return column if dims[1] == UNIT else row if dims[0] == UNIT else product(column, row)


def unit(i: str | Formula, n: Size) -> Formula:
    """e_i of size n."""
    return t.Constant("e", (t.Name(i) if isinstance(i, str) else i, sized(n)))


def commutation(m: Size, n: Size) -> Formula:
    """K_mn, with K_mn vec(A) = vec(Aᵀ) of an m×n matrix A."""
    return t.Constant("K", (sized(m), sized(n)))


# --- Questions about formulas


def is_ones(tree: Formula) -> bool:
    """Whether every entry is 1."""
    match tree:
        case t.Constant("1"):
            return True
        case t.Transpose(of):
            return is_ones(of)
        case t.Product(factors):
            return all(map(is_ones, factors))
        case _:
            return False


def is_constant(tree: Formula, symbol: str) -> bool:
    return isinstance(tree, t.Constant) and tree.symbol == symbol


def mentions(tree: Formula | Fraction, name: str) -> bool:
    return not isinstance(tree, Fraction) and t.Name(name) in t.nodes(tree)


def length(tree: Formula) -> int:
    """How long a formula is: its nodes; a size that only a constant carries does not count."""
    count, left = 0, [tree]
    while left:
        node = left.pop()
        count += 1
        match node:
            case t.Constant("e" | "I", (*places, _)):
                left += places
            case _:
                left += t.children(node)
    return count


def replace(tree: Formula, change: Callable[[Formula], Formula | None]) -> Formula:
    """The formula with the largest parts that `change` knows of changed."""
    if (new := change(tree)) is not None:
        return new
    return t.with_children(tree, [replace(child, change) for child in t.children(tree)])


def at(rule: Formula, values: Mapping[str, Formula]) -> Formula:
    """The formula with formulas for names."""
    return replace(rule, lambda node: values.get(node.name) if isinstance(node, t.Name) else None)


def fresh(count: int, *trees: Formula) -> list[str]:
    """Letters for indices that none of the formulas uses."""
    taken = {node.name for tree in trees for node in t.nodes(tree) if isinstance(node, t.Name)}
    taken |= {node.index for tree in trees for node in t.nodes(tree) if isinstance(node, t.Sigma)}
    free = [letter for letter in "ijrsuvpqhg" if letter not in taken]
    free += [f"i_{number}" for number in range(1, count + 1)]
    return free[:count]
