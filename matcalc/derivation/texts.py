"""Pieces of Python: their texts, with how tightly they hold together."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
WIDTH = 110  # of a line, without what it is indented by


class Code(NamedTuple):
    """An expression in Python, and the operation that it is."""

    text: str
    level: int = ATOM

    def at(self, least: int) -> str:
        """The text, in parentheses if it holds together less than `least`."""
        return self.text if self.level >= least else f"({self.text})"

    @property
    def is_matmul(self) -> bool:
        """Whether it is a product by @."""
        return self.level == PRODUCT and " @ " in self.text


def times(factors: Sequence[Code]) -> Code:
    """The product by *."""
    if len(factors) == 1:
        return factors[0]
    first, *rest = factors
    head = first.at(SIGN if first.is_matmul else PRODUCT)
    return Code(" * ".join([head, *(factor.at(SIGN) for factor in rest)]), PRODUCT)


def matmul(factors: Sequence[Code]) -> Code:
    """The product by @, from left to right."""
    if len(factors) == 1:
        return factors[0]
    first, *rest = factors
    head = first.text if first.is_matmul else first.at(POWER)
    return Code(" @ ".join([head, *(factor.at(POWER) for factor in rest)]), PRODUCT)


def divided(above: Code, below: Code) -> Code:
    return Code(f"{above.at(PRODUCT)} / {below.at(POWER)}", PRODUCT)


def negative(code: Code) -> Code:
    return Code(f"-{code.at(SIGN if code.is_matmul else PRODUCT)}", SUM)


def power(base: Code, exponent: Code) -> Code:
    """The power, with spaces where an operand is more than a name or a number."""
    operands = base.at(ATOM), exponent.at(ATOM)
    is_short = all(operand.replace(".", "").isidentifier() or operand.isdigit() for operand in operands)
    return Code(("**" if is_short else " ** ").join(operands), POWER)


def added(terms: Iterable[tuple[bool, Code]]) -> Code:
    """The sum of terms, each with whether it is subtracted."""
    (is_negative, first), *rest = terms
    head = negative(first).text if is_negative else first.at(PRODUCT)
    return Code(head + "".join([f" {'-' if less else '+'} {term.at(PRODUCT)}" for less, term in rest]), SUM)


def call(function: str, *arguments: Code) -> Code:
    return Code(f"{function}({', '.join([argument.text for argument in arguments])})")


def turned(code: Code) -> Code:
    """The transpose of a matrix."""
    is_turned = code.level == ATOM and code.text.endswith(".T")
    return Code(code.text.removesuffix(".T") if is_turned else f"{code.at(ATOM)}.T")


def statement(left: str, code: Code) -> list[str]:
    """The lines of an assignment or a return: a long sum has a line for each term."""
    line = f"{left} {code.text}"
    if code.level != SUM or len(line) <= WIDTH:
        return [line]
    depth, places = 0, [0]
    for place, letter in enumerate(code.text):
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and place and code.text[place - 1 : place + 2] in (" + ", " - "):
            places.append(place)
    ends = [*places[1:], len(code.text)]
    terms = [code.text[start:end].strip() for start, end in zip(places, ends, strict=True)]
    return [f"{left} (", *[f"    {term}" for term in terms], ")"]


def free(name: str, taken: Collection[str]) -> str:
    """The name, with underscores behind it where it is taken."""
    return name if name not in taken else free(f"{name}_", taken)


def indexed(code: Code, *places: str) -> Code:
    return Code(f"{code.at(ATOM)}[{', '.join(places)}]")
