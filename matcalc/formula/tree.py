"""Formulas as trees: frozen, hashable, compared by structure.

`str(tree)` is the formula in Unicode, `tree.ascii()` and `tree.tex()` say it otherwise, `tree.T` is the transposed
formula. Parentheses are kept only where the tree needs them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Style = Literal["unicode", "ascii", "tex"]


class Formula:
    """Any formula; the classes below are its kinds."""

    __slots__ = ()
    show: ClassVar[Callable[[Any, Style], str]]  # of `printing`, which knows the trees, and puts it here

    def __str__(self) -> str:
        """The formula in Unicode: `-X⁻ᵀ Aᵀ Bᵀ X⁻ᵀ`."""
        return self.show("unicode")

    def ascii(self) -> str:
        """The formula in ASCII: `-X^-T A' B' X^-T`."""
        return self.show("ascii")

    def tex(self) -> str:
        r"""The formula in TeX: `-X^{-\top} A^\top B^\top X^{-\top}`."""
        return self.show("tex")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    @property
    def T(self) -> "Formula":
        """The transposed formula, with transposes pushed inwards: `(A X⁻¹ + B).T` is `X⁻ᵀ Aᵀ + Bᵀ`."""
        return transpose(self)


@dataclass(frozen=True, slots=True, repr=False)
class Number(Formula):
    """A number without sign; `0` is the zero of any shape."""

    value: int | float


@dataclass(frozen=True, slots=True, repr=False)
class Name(Formula):
    """A variable: one letter, with a subscript or a label where it has one (`S_W`, `W^{(1)}`), or a declared name.

    Spelled Greek letters are the letters.
    """

    name: str


@dataclass(frozen=True, slots=True, repr=False)
class Derivative(Formula):
    """`∂U`, `∂_x U`, `∂²U`: a value of its own, looked up under `key`."""

    of: str
    by: str = ""  # "", a letter, or "²"

    @property
    def key(self) -> str:
        """The name of the value: `dU`, `dU_dx`, `d2U`."""
        match self.by:
            case "":
                return f"d{self.of}"
            case "²":
                return f"d2{self.of}"
            case by:
                return f"d{self.of}_d{by}"


@dataclass(frozen=True, slots=True, repr=False)
class Constant(Formula):
    """A constant sized by its context: `I` (or `I_n`), `𝟏`, `e_i`, `E_ij`; also `0_mn`, `1_mn`, `K_mn`, `D_n`, `L_n`.

    K_mn is the commutation matrix, K_mn vec(A) = vec(Aᵀ) of an m×n matrix A. D_n is the duplication matrix,
    D_n vech(S) = vec(S) of a symmetric n×n matrix S, and L_n the elimination matrix, L_n vec(A) = vech(A) of any.
    """

    symbol: Literal["I", "e", "E", "0", "1", "K", "D", "L"]
    indices: tuple[Formula, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Entry(Formula):
    """`x_i`, `a_ij` (an entry of A where A is the matrix), `[X⁻¹]_kl`."""

    of: Formula
    indices: tuple[Formula, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Sum(Formula):
    """`a + b - c`: two terms or more, subtracted ones negated."""

    terms: tuple[Formula, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Neg(Formula):
    """`-a`."""

    of: Formula


@dataclass(frozen=True, slots=True, repr=False)
class Product(Formula):
    """`A X B`: two factors or more, matrices and scalars alike."""

    factors: tuple[Formula, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Infix(Formula):
    """`A ⊗ B`, `u × v`, `a/b`, `x · y`, blocks, `A ⊕ B`, and entry by entry `A ⊙ B`, `A ⊘ B` and the power `A.^k`."""

    op: Literal["⊗", "⊙", "⊘", "×", "/", "·", "⊕", ".^"]
    left: Formula
    right: Formula


@dataclass(frozen=True, slots=True, repr=False)
class Power(Formula):
    """`X^k`; the exponent is an integer expression, of a scalar any number."""

    base: Formula
    exponent: Formula


@dataclass(frozen=True, slots=True, repr=False)
class Transpose(Formula):
    """`Xᵀ`."""

    of: Formula


@dataclass(frozen=True, slots=True, repr=False)
class Apply(Formula):
    """A function of one argument; `inv`, `pinv` and `!` print behind it, `det` and `norm` around it.

    `cross` is the matrix `[a]_×` with [a]_× b = a × b.
    """

    function: str
    of: Formula


@dataclass(frozen=True, slots=True, repr=False)
class Frechet(Formula):
    """`L_g(U, V)`: the derivative of the matrix function g at U along V, linear in V."""

    function: str  # of `words.MATRIX_FUNCTIONS`
    of: Formula
    along: Formula


@dataclass(frozen=True, slots=True, repr=False)
class Unvec(Formula):
    """`unvec_mn(v)`: the m×n matrix A with vec(A) = v."""

    sizes: tuple[Formula, Formula]
    of: Formula


@dataclass(frozen=True, slots=True, repr=False)
class Sigma(Formula):
    """`Σ_{index=start}^{stop} body`; without a `stop`, `OPEN`, it goes over all entries that the index counts."""

    index: str
    start: Formula
    stop: Formula
    body: Formula


OPEN = Name("…")


def children(tree: Formula) -> tuple[Formula, ...]:
    """The formulas directly inside `tree`."""
    match tree:
        case Sum(parts) | Product(parts) | Constant(_, parts):
            return parts
        case Entry(of, indices):
            return (of, *indices)
        case Neg(of) | Transpose(of) | Apply(_, of):
            return (of,)
        case Infix(_, left, right) | Power(left, right) | Frechet(_, left, right):
            return (left, right)
        case Unvec(sizes, of):
            return (*sizes, of)
        case Sigma(_, start, stop, body):
            return (start, stop, body)
        case _:
            return ()


def written_sizes(tree: Formula) -> tuple[Formula, ...]:
    """The sizes that the node says itself: of I_n, 0_mn, 1_n, K_mn, D_n, L_n and unvec_mn."""
    match tree:
        case Constant("I" | "0" | "1" | "K" | "D" | "L", sizes) | Unvec(sizes):
            return sizes
        case _:
            return ()


def nodes(tree: Formula) -> Iterator[Formula]:
    """The formula and all formulas inside it, by an iteration, as a tree may be deep."""
    left = [tree]
    while left:
        yield (node := left.pop())
        left += children(node)


def with_children(tree: Formula, parts: Iterable[Formula]) -> Formula:
    """The formula with other formulas directly inside, as many as `children` gives."""
    given = tuple(parts)
    match tree, given:
        case Sum(), _:
            return Sum(given)
        case Product(), _:
            return Product(given)
        case Constant(symbol), _:
            return Constant(symbol, given)
        case Entry(), (of, *indices):
            return Entry(of, tuple(indices))
        case Neg(), (of,):
            return Neg(of)
        case Transpose(), (of,):
            return Transpose(of)
        case Apply(function), (of,):
            return Apply(function, of)
        case Infix(op), (left, right):
            return Infix(op, left, right)
        case Power(), (base, exponent):
            return Power(base, exponent)
        case Frechet(function), (of, along):
            return Frechet(function, of, along)
        case Unvec(), (rows, columns, of):
            return Unvec((rows, columns), of)
        case Sigma(index), (start, stop, body):
            return Sigma(index, start, stop, body)
        case _:
            return tree


def rename(tree: Formula, names: Mapping[str, str]) -> Formula:
    """The formula with other names for its variables; names bound by a sum stay."""
    match tree:
        case Name(name):
            return Name(names.get(name, name))
        case Sigma(index):
            names = {old: new for old, new in names.items() if old != index}
        case _:
            pass
    return with_children(tree, [rename(child, names) for child in children(tree)])


def depth(tree: Formula) -> int:
    """How many nodes deep the tree is; an iteration, so that any tree can be asked."""
    level, count = [tree], 0
    while level:
        level = [child for node in level for child in children(node)]
        count += 1
    return count


def sum_of(terms: Iterable[Formula]) -> Formula:
    """The sum of the terms: `0` of none, the term itself of one."""
    match tuple(terms):
        case ():
            return Number(0)
        case (term,):
            return term
        case several:
            return Sum(several)


def product_of(factors: Iterable[Formula]) -> Formula:
    """The product of the factors: `1` of none, the factor itself of one."""
    match tuple(factors):
        case ():
            return Number(1)
        case (factor,):
            return factor
        case several:
            return Product(several)


def terms(tree: Formula) -> tuple[Formula, ...]:
    """The summands of the formula, signs folded in: `a - (b - c)` has `a`, `-b` and `c`."""
    match tree:
        case Sum(parts):
            return tuple(term for part in parts for term in terms(part))
        case Neg(Sum() | Neg() as inner):
            return tuple(term.of if isinstance(term, Neg) else Neg(term) for term in terms(inner))
        case _:
            return (tree,)


def is_scalar(tree: Formula, scalars: Collection[str] = ()) -> bool:
    """Whether the formula is a scalar by its form; `scalars` are names known to be."""
    match tree:
        case Number(value):
            return value != 0
        case Name(name):
            return name in scalars
        case Entry() | Apply("tr" | "det" | "norm" | "norm2" | "norm1" | "norminf" | "nuclear" | "!"):
            return True
        case Apply("sum" | "mean" | "max" | "min" | "logsumexp") | Infix("·"):
            return True
        case Constant() | Apply("vec" | "vech" | "diag" | "cross") | Unvec():
            return False
        case Derivative():
            return tree.key in scalars
        case Power(base):
            return is_scalar(base, scalars)
        case Sigma(_, _, _, body):
            return is_scalar(body, scalars)
        case _:
            return all(is_scalar(child, scalars) for child in children(tree))


def is_arithmetic(tree: Formula) -> bool:
    """Whether the formula is of numbers and names only, as an exponent or a bound is that says a number."""
    match tree:
        case Number() | Name():
            return True
        case Neg() | Sum() | Product() | Infix("/") | Power() | Apply("!"):
            return all(is_arithmetic(child) for child in children(tree))
        case _:
            return False


def transpose(tree: Formula, scalars: Collection[str] = ()) -> Formula:
    """The transposed formula; `scalars` are names of scalars, which stay as they are."""
    if is_scalar(tree, scalars):
        return tree

    def turn(part: Formula) -> Formula:
        return transpose(part, scalars)

    match tree:
        case Number() | Constant("I"):
            return tree
        case Constant("E" | "0" | "1" | "K" as symbol, (row, column)):
            return Constant(symbol, (column, row))
        case Transpose(of):
            return of
        case Neg(of):
            return Neg(turn(of))
        case Sum(parts):
            return Sum(tuple([turn(part) for part in parts]))
        case Product(factors):
            numbers = [factor for factor in factors if is_scalar(factor, scalars)]
            matrices = [turn(factor) for factor in reversed(factors) if not is_scalar(factor, scalars)]
            return product_of(numbers + matrices)
        case Infix("⊗" | "⊙" | "⊘" as op, left, right):
            return Infix(op, turn(left), turn(right))
        case Infix("/" | ".^" as op, left, right):
            return Infix(op, turn(left), right)
        case Infix("⊕", left, right):
            return Infix("⊕", turn(left), turn(right))
        case Power(base, exponent):
            return Power(turn(base), exponent)
        case Frechet(function, of, along):
            return Frechet(function, turn(of), turn(along))
        case Apply("cross"):
            return Neg(tree)
        case Sigma(index, start, stop, body):
            return Sigma(index, start, stop, turn(body))
        case _:
            return Transpose(tree)


def is_column(tree: Formula) -> bool:
    """Whether the formula is a column by its form: lower-case letters are vectors, as far as nobody says otherwise."""
    match tree:
        case Name(name):
            return name[0].islower()
        case Entry(Name(name), (_,)):
            return name[0].islower()
        case Constant("e" | "1", indices):
            return len(indices) < 2
        case Neg(of) | Apply("tanh" | "sigmoid" | "softplus" | "relu" | "softmax" | "exp" | "ln", of):
            return is_column(of)
        case Sum((first, *_)) | Infix("⊙" | "⊘" | ".^" | "/", first):
            return is_column(first)
        case Product((first, *_, last)):
            return is_column(last) and not (isinstance(first, Transpose) and is_column(first.of))
        case Infix("×") | Apply("vec" | "vech"):
            return True
        case _:
            return False
