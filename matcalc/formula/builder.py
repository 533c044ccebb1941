"""From grammar rules to trees: one method for each rule of `grammar.lark` that builds something."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal, cast

from lark import Token, Transformer, v_args

from matcalc.formula import tree as t
from matcalc.formula.arbitrary import derivative_of, is_arbitrary
from matcalc.formula.names import joined, letter_of
from matcalc.formula.words import ENTRYWISE

_OPS: dict[str, Literal["⊗", "⊙", "⊘", "×"]] = {
    "KRON": "⊗",
    "HADAMARD": "⊙",
    "HADAMARD_QUOTIENT": "⊘",
    "CROSS": "×",
}
_MAX_DIGITS = 300
_NORMS = "of norms ‖X‖, ‖X‖_F, ‖X‖_2, ‖X‖_*, ‖X‖_{2,1} and, of vectors, ‖x‖_1, ‖x‖_∞ and ‖x‖_A of a matrix A are read"
_DOT = t.Name("·")  # between factors
_WORDS_OF_TWO: dict[str, Callable[[t.Formula, t.Formula], t.Formula]] = {
    "cross": lambda left, right: t.Infix("×", left, right),
    "dot": lambda left, right: t.Infix("·", left, right) if t.is_column(left) else t.Product((left, right)),
    "inner": lambda left, right: t.Apply("tr", t.Product((t.Transpose(left), right))),
    "outer": lambda left, right: t.Product((left, t.Transpose(right))),
    "hadamard": lambda left, right: t.Infix("⊙", left, right),
    "solve": lambda left, right: t.Product((t.Apply("inv", left), right)),
    "power": lambda base, exponent: t.Infix(".^", base, exponent),
    "matmul": lambda left, right: t.Product((left, right)),
    "commutation": lambda rows, columns: t.Constant("K", (rows, columns)),
}
_CHAINED: dict[str, Literal["⊗", "⊕"]] = {"kron": "⊗", "blkdiag": "⊕"}
_HALVES = (t.Number(0.5), t.Infix("/", t.Number(1), t.Number(2)))
_inline = cast(Any, v_args)(inline=True)


class Misread(Exception):
    """What the grammar allows and the language does not; at the token given, else at the last one read."""

    def __init__(self, message: str, token: Token | None = None) -> None:
        super().__init__(message)
        self.token = token


@_inline
class Operands(Transformer[Token, Any]):
    """Names, numbers, constants, and entries."""

    def name_of_mark(self, mark: Token) -> t.Formula:
        if "T" not in mark.value:
            raise Misread("a sum goes up to a number", mark)
        return t.Name("T")

    def derivative(self, mark: Token, name: Token) -> t.Formula:
        return t.Derivative(name.value, mark.value.removeprefix("∂").removeprefix("_"))

    def name(self, name: Token) -> t.Formula:
        return _variable(name.value)

    def number(self, number: Token) -> t.Formula:
        value = Decimal(number.value)
        if len(number.value) > _MAX_DIGITS or abs(value.adjusted()) > _MAX_DIGITS:
            raise Misread(f"a number of more than {_MAX_DIGITS} digits", number)
        is_whole = "." not in number.value and value == value.to_integral_value()
        return t.Number(int(value) if is_whole else float(value))

    def multiple(self, number: Token, name: Token) -> t.Formula:
        if name.value != "π":
            raise Misread("write the argument of the function in parentheses", number)
        return t.Product((self.number(number), t.Name(name.value)))

    def negative(self, _: Token, of: Token) -> t.Formula:
        return t.Neg(self.number(of) if of.type == "NUMBER" else _variable(of.value))

    def subscripted(self, name: Token, indices: tuple[t.Formula, ...]) -> t.Formula:
        match name.value, len(indices):
            case ("e", 1) | ("E", 2) | ("I", 1) as known:
                symbol: Literal["e", "E", "I"] = known[0]
                return t.Constant(symbol, indices)
            case "I", 2 if all(isinstance(index, t.Name) for index in indices):
                return t.Constant("I", (t.Product(indices),))  # I_mn has m n rows
            case "E" | "I", _:
                raise Misread(f"{name.value} with {len(indices)} subscripts; read are e_i, E_ij, I_n and I_mn", name)
            case _:
                return t.Entry(t.Name(name.value), indices)

    def labelled(self, name: Token, label: Token, indices: tuple[t.Formula, ...] = ()) -> t.Formula:
        named = t.Name(f"{name.value}^{{{label.value}}}")
        return t.Entry(named, indices) if indices else named

    def relabelled(self, name: Token, indices: tuple[t.Formula, ...], label: Token) -> t.Formula:
        return t.Name(f"{joined(name.value, indices)}^{{{label.value}}}")

    def word_subscript(self, word: Token) -> tuple[t.Formula, ...]:
        return (t.Name(word.value),)

    def ones(self, _: Token) -> t.Formula:
        return t.Constant("1")

    def sized(self, number: Token, sizes: tuple[t.Formula, ...]) -> t.Formula:
        if number.type == "ONES" or number.value == "1":
            return t.Constant("1", sizes)
        if number.value != "0":
            raise Misread("of the numbers only 0 and 1 take a size", number)
        return t.Constant("0", sizes)

    def entry(self, of: t.Formula, indices: tuple[t.Formula, ...]) -> t.Formula:
        return t.Entry(of, indices)

    def letters(self, letters: Token) -> tuple[t.Formula, ...]:
        if letters.value.isdigit():
            return (self.number(letters),)
        if len(letters.value) > 2:
            raise Misread("more than two subscripts; separate longer ones by commas, in braces", letters)
        return tuple(_variable(letter) if letter.isalpha() else t.Number(int(letter)) for letter in letters.value)

    def indices(self, *indices: t.Formula) -> tuple[t.Formula, ...]:
        match indices:
            case (t.Product((t.Name() | t.Constant("I", ()), t.Name() | t.Constant("I", ())) as pair),):
                return pair  # _{ij}
            case _ if len(indices) > 2 or _are_letters_of_indices(indices):
                raise Misread("more than two subscripts")
            case _:
                return indices


@_inline
class Builder(Operands):
    """Called by the parser with the parts of each rule as it recognises it."""

    def formula(self, side: t.Formula) -> tuple[t.Formula, ...]:
        return (side,)

    def equation(self, *sides: t.Formula) -> tuple[t.Formula, ...]:
        return sides

    def sum(self, *parts: t.Formula | Token) -> t.Formula:
        return t.sum_of(_signed(parts))

    def tail(self, factors: list[t.Formula], *sigma: t.Formula | Token) -> t.Formula:
        return _product([*factors, *_dotted(sigma)])

    def sigma(self, index: Token, start: t.Formula, stop: t.Formula, body: t.Formula) -> t.Formula:
        return t.Sigma(index.value, start, stop, body)

    def open_sigma(self, indices: Token | list[str], body: t.Formula) -> t.Formula:
        names = indices if isinstance(indices, list) else list(indices.value)
        if not "".join(names).isalpha():
            raise Misread("a sum goes over a letter")
        for index in reversed(names):
            body = t.Sigma(index, t.Number(1), t.OPEN, body)
        return body

    def indexes(self, *names: Token) -> list[str]:
        return [name.value for name in names]

    def bare_sigma(self, body: t.Formula) -> t.Formula:
        counted = [index for node in t.nodes(body) if isinstance(node, t.Entry) for index in node.indices]
        bound = {node.index for node in t.nodes(body) if isinstance(node, t.Sigma)}
        letters = {index.name for index in counted if isinstance(index, t.Name)} - bound
        if len(letters) != 1:
            raise Misread("say over what the sum goes, as in \\sum_i")
        return t.Sigma(letters.pop(), t.Number(1), t.OPEN, body)

    def infix(self, left: t.Formula, op: Token, right: t.Formula) -> t.Formula:
        return t.Infix(_OPS[op.type], left, right)

    def quotient(self, left: t.Formula, right: t.Formula) -> t.Formula:
        return t.Infix("/", left, right)

    fraction = quotient

    def times(self, *parts: t.Formula | Token) -> t.Formula:
        return _product(_dotted(parts))

    def product(self, factors: list[t.Formula]) -> t.Formula:
        return _product(factors)

    def factors(self, first: t.Formula) -> list[t.Formula]:
        return [first]

    def more_factors(self, factors: list[t.Formula], *more: t.Formula | Token) -> list[t.Formula]:
        factors.extend(_dotted(more))
        return factors

    def marked(self, base: t.Formula, mark: Token) -> t.Formula:
        match mark.type:
            case "TRANSPOSE":
                return t.Transpose(base)
            case "INVERSE":
                return t.Apply("inv", base)
            case "INVERSE_TRANSPOSE":
                return t.Transpose(t.Apply("inv", base))
            case "PINV":
                return t.Apply("pinv", base)
            case "ADJUGATE":
                return t.Apply("adj", base)
            case "METHOD":
                return self.apply(mark, base)
            case _:
                return t.Apply("!", base)

    def power(self, base: t.Formula, exponent: t.Formula) -> t.Formula:
        match exponent:
            case t.Product(factors) if t.Name("T") in factors:
                raise Misread("a T beside others in an exponent: the transpose of a power is (X^2)^T")
            case t.Name("H"):
                raise Misread("X^H is of complex matrices; here they are real: write X^T")
            case t.Neg(t.Number(1)):
                return t.Apply("inv", base)
            case t.Neg(t.Name("T")):
                return t.Transpose(t.Apply("inv", base))
            case half if half in _HALVES:
                return t.Apply("sqrt", base)
            case t.Neg(half) if half in _HALVES:
                return t.Apply("inv", t.Apply("sqrt", base))
            case t.Infix("/", t.Neg(t.Number(1)), t.Number(2)):
                return t.Apply("inv", t.Apply("sqrt", base))
            case _:
                return t.Power(base, exponent)

    def power_of_entries(self, base: t.Formula, exponent: t.Formula) -> t.Formula:
        return t.Infix(".^", base, exponent)

    def power_in_code(self, base: t.Formula, exponent: t.Formula) -> t.Formula:
        is_number = t.is_scalar(base) and t.is_arithmetic(exponent)
        return self.power(base, exponent) if is_number else self.power_of_entries(base, exponent)

    def exponential(self, exponent: t.Formula) -> t.Formula:
        return t.Apply("exp", exponent)

    def exponential_of(self, exponent: Token) -> t.Formula:
        return t.Apply("exp", _variable(exponent.value))

    def group(self, inner: t.Formula) -> t.Formula:
        return inner

    def apply(self, function: Token, *arguments: t.Formula) -> t.Formula:
        match function.value, arguments:
            case name, (argument,) if name.startswith("∇"):
                return t.Transpose(t.Apply(derivative_of(name.removeprefix("∇")), argument))
            case "square", (of,):
                return self.power_of_entries(of, t.Number(2))
            case name, (argument,) if is_arbitrary(name):
                return t.Apply(name, argument)
            case "kron" | "blkdiag" as name, (first, second, *more):
                tree = t.Infix(_CHAINED[name], first, second)
                for argument in more:
                    tree = t.Infix(_CHAINED[name], tree, argument)
                return tree
            case name, (left, right) if name in _WORDS_OF_TWO:
                return _WORDS_OF_TWO[name](left, right)
            case "max", (t.Number(0), of) | (of, t.Number(0)):
                return t.Apply("relu", of)
            case "norm", (of, t.Number(1 | 2 as kind)):
                return t.Apply(f"norm{kind}", of)
            case "transpose", (of,):
                return t.Transpose(of)
            case "eye", (size,):
                return t.Constant("I", (size,))
            case "duplication", (size,):
                return t.Constant("D", (size,))
            case "elimination", (size,):
                return t.Constant("L", (size,))
            case "unvec", (_,):
                raise Misread("unvec takes the sizes of the matrix, as in unvec_mn(v)", function)
            case "logdet", (argument,):
                return t.Apply("ln", t.Apply("det", argument))
            case name, _ if name in _WORDS_OF_TWO or name in _CHAINED:
                raise Misread(f"{name} takes two formulas", function)
            case name, (argument,) if name.endswith(".") and name not in ENTRYWISE:
                bare = name.removesuffix(".")
                if bare in ENTRYWISE:
                    return t.Apply(bare, argument)
                raise Misread(f"{bare} is of a whole matrix; with a dot are read {', '.join(ENTRYWISE)}", function)
            case name, (argument,):
                return t.Apply(name, argument)
            case name, _:
                raise Misread(f"{name} takes one formula", function)

    def apply_sized(self, function: Token, sizes: tuple[t.Formula, ...], of: t.Formula) -> t.Formula:
        if function.value != "unvec":
            raise Misread(f"{function.value} takes no subscript; of functions only unvec does", function)
        return t.Unvec((sizes[0], sizes[-1]), of)

    def apply_of_kind(self, function: Token, of: t.Formula, kind: Token) -> t.Formula:
        if function.value != "norm":
            raise Misread(f"{function.value} takes one formula", kind)
        return t.Apply({"fro": "norm", "nuc": "nuclear"}.get(kind.value, "norminf"), of)

    def log_of_modulus(self, function: Token, of: t.Formula, place: Token) -> t.Formula:
        if place.value != "1":
            raise Misread("of slogdet the logarithm is read, slogdet(X)[1]", function)
        return t.Apply("ln", t.Apply("abs", t.Apply("det", of)))

    def frechet(self, function: Token, of: t.Formula, along: t.Formula) -> t.Formula:
        return t.Frechet(function.value, of, along)

    def cross_matrix(self, of: t.Formula) -> t.Formula:
        return t.Apply("cross", of)

    def cross_matrix_of(self, name: Token) -> t.Formula:
        return t.Apply("cross", _variable(name.value))

    def determinant(self, of: t.Formula) -> t.Formula:
        return t.Apply("det", of)

    def norm(self, of: t.Formula, kind: tuple[t.Formula, ...] = ()) -> t.Formula:
        match kind:
            case () | (t.Name("F"),):
                return t.Apply("norm", of)
            case (t.Number(2),) | (t.Name("op"),):
                return t.Apply("norm2", of)
            case (t.Number(1),):
                return t.Apply("norm1", of)
            case (t.Number(2), t.Number(1)) | (t.Number(21),):  # of the columns
                squares = t.Product((t.Transpose(t.Infix("⊙", of, of)), t.Constant("1")))
                return t.Apply("sum", t.Infix(".^", squares, t.Infix("/", t.Number(1), t.Number(2))))
            case (t.Number() | t.Constant(),):
                raise Misread(_NORMS)
            case (weight,) if any(isinstance(node, t.Name) and _is_matrix(node.name) for node in t.nodes(weight)):
                return t.Apply("sqrt", t.product_of([t.Transpose(of), weight, of]))
            case _:
                raise Misread(_NORMS)

    def norm_of_kind(self, of: t.Formula, kind: Token) -> t.Formula:
        return t.Apply("norminf" if kind.value == "∞" else "nuclear", of)

    def inner(self, left: t.Formula, right: t.Formula) -> t.Formula:
        return _WORDS_OF_TWO["inner"](left, right)


def _variable(name: str) -> t.Formula:
    return t.Constant("I") if name == "I" else t.Name(name)


def _is_matrix(name: str) -> bool:
    return letter_of(name).isupper()


def _are_letters_of_indices(indices: tuple[t.Formula, ...]) -> bool:
    """Whether one subscript is a product such as i j k."""
    match indices:
        case (t.Product(factors),) if len(factors) > 2:
            return all(isinstance(factor, t.Name) and factor.name in "ijkl" for factor in factors)
        case _:
            return False


def _dotted(parts: tuple[t.Formula | Token, ...]) -> list[t.Formula]:
    """Factors, the dots between them marked."""
    return [part if isinstance(part, t.Formula) else _DOT for part in parts]


def _product(factors: list[t.Formula]) -> t.Formula:
    """The product; a dot between two columns multiplies them to a number, elsewhere it says nothing."""
    groups: list[list[t.Formula]] = [[]]
    for factor in factors:
        if factor is _DOT:
            groups.append([])
        else:
            groups[-1].append(factor)
    product, *others = groups
    for group in others:
        left, right = t.product_of(product), t.product_of(group)
        is_dot = t.is_column(left) and t.is_column(right)
        product = [t.Infix("·", left, right)] if is_dot else product + group
    return t.product_of(product)


def _signed(parts: tuple[t.Formula | Token, ...]) -> Iterator[t.Formula]:
    """The terms of a sum, those behind a minus negated."""
    for before, part in pairwise((None, *parts)):
        if isinstance(part, t.Formula):
            yield t.Neg(part) if isinstance(before, Token) else part
