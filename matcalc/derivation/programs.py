"""The lines of a program that computes formulas in the variables of a derivation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from matcalc.calculus import Algebra
from matcalc.calculus.shapes import Shapes
from matcalc.calculus.terms import SCALAR, Dims, length
from matcalc.claims.derived import dims_of_names
from matcalc.claims.problem import Problem
from matcalc.derivation.emission import Writer
from matcalc.derivation.naming import LEAST, Named, with_names
from matcalc.derivation.texts import ATOM, Code, free, statement
from matcalc.derivation.words import Language
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size
from matcalc.layout import Layout

Shape = Sequence[Size]
CHEAP = ("vec", "vech", "diag", "cross", "tril", "triu", "!")


class Derived(Protocol):
    """What code is made of: a `Derivation`."""

    @property
    def asked(self) -> Problem: ...
    @property
    def wrt(self) -> tuple[str, ...]: ...
    @property
    def formula(self) -> Formula: ...
    @property
    def last(self) -> Problem: ...
    @property
    def natural(self) -> Layout: ...
    @cached_property
    def algebra(self) -> Algebra: ...
    def layout(self, layout: Layout) -> Formula: ...
    def sized(self, layout: Layout) -> Formula: ...


@dataclass(frozen=True)
class Program:
    """Lines that define parts, and an expression for each formula."""

    problem: Problem
    parts: tuple[str, ...]
    values: tuple[Code, ...]
    writer: Writer

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines before the expressions: the sizes that were used until now, and the parts."""
        return (*_sizes(self.problem, self.writer), *self.parts)


def program(problem: Problem, language: Language, names: Mapping[str, str], trees: Sequence[Formula]) -> Program:
    """The program for formulas whose constants carry their sizes; `names` are the identifiers of the variables."""
    inverses: set[Formula] = set()
    while True:
        named = _named(problem, names, trees, inverses)
        made = _program(problem, language, names, named)
        again = {named.spelled_out(U) for U, count in made.writer.inverted.items() if count > 1} - inverses
        if not again:
            return made
        inverses |= again


def _named(problem: Problem, names: Mapping[str, str], trees: Sequence[Formula], inverses: set[Formula]) -> Named:
    """The formulas with names for what repeats; inverses have one where they are taken as a whole more than once."""
    shapes = shapes_of(problem)

    def is_inverse(node: Formula) -> bool:
        return isinstance(node, t.Apply) and node.function == "inv" and shapes.dims(node.of) != SCALAR

    def is_worth(node: Formula, count: int) -> bool:
        return is_inverse(node) or length(node) >= LEAST or _is_work(node, shapes.dims)

    def sees_through(node: Formula) -> bool:
        return is_inverse(node) and t.children(node)[0] not in inverses

    numbers = {*problem.integers, *shapes.sizes}
    taken = {*names, *names.values(), *numbers}
    return with_names(t.Sum(tuple(trees)), taken, numbers, is_worth, sees_through)


def _is_work(node: Formula, dims: Callable[[Formula], Dims]) -> bool:
    """Whether it is worth a name although it is short: exp(x) and A x are."""
    match node:
        case t.Apply(function, _):
            return function not in CHEAP
        case t.Product(factors):
            return sum(dims(factor) != SCALAR for factor in factors) > 1
        case t.Power(base):
            return dims(base) != SCALAR
        case t.Frechet() | t.Infix("⊗" | "⊕" | "×" | "⊙" | "⊘") | t.Constant("K" | "D" | "L"):
            return True
        case _:
            return False


def _program(problem: Problem, language: Language, names: Mapping[str, str], named: Named) -> Program:
    shapes = shapes_of(problem)
    writer = Writer(
        language, shapes, {**names, **{name: name for name in named.parts}}, "", frozenset(problem.integers)
    )
    arrays = [name for name, shape in problem.shapes.items() if shape] or [*problem.shapes]
    writer.beside = names[problem.wrt if problem.shapes[problem.wrt] else arrays[0]]
    parts: list[str] = []
    for name, part in named.parts.items():
        shapes.names[name] = shapes.dims(part)
        parts += statement(f"{name} =", writer.code(part))
    assert isinstance(named.whole, t.Sum)
    values = [writer.code(tree) for tree in named.whole.terms]
    text = "\n".join([*parts, *(value.text for value in values)])
    for n, made in writer.identities.items():  # which are written out where they are needed once
        if text.count(made) > 1:
            name = free(f"I_{n}" if n.isalnum() else "I_", {*writer.names.values(), *writer.sizes.values()})
            parts = [f"{name} = {made}", *[part.replace(made, name) for part in parts]]
            values = [value._replace(text=value.text.replace(made, name)) for value in values]
    return Program(problem, tuple(parts), tuple(values), writer)


def _sizes(problem: Problem, writer: Writer) -> list[str]:
    """The lines that read sizes off shapes: m, n = X.shape."""
    whole = {size for shape in problem.shapes.values() for size in shape}
    solved = _solved(problem, writer, {*writer.sizes} - whole)  # which may use others
    left = {size: name for size, name in writer.sizes.items() if size not in solved}
    lines: list[str] = []
    for name, shape in problem.shapes.items():
        found = [size for size in dict.fromkeys(shape) if isinstance(size, str) and size in left]
        if len(found) == len(shape) > 1:
            lines.append(f"{', '.join(left.pop(str(size)) for size in shape)} = {writer.names[name]}.shape")
        for size in found:
            if size in left:
                lines.append(f"{left.pop(size)} = {writer.names[name]}.shape[{shape.index(size)}]")
    if left:
        raise ValueError(
            f"Code reads the size {', '.join(left)} off the shape of a variable, and none of "
            f"{', '.join(problem.shapes)} has an axis that tells it. Give other shapes."
        )
    return [*lines, *solved.values()]


def _solved(problem: Problem, writer: Writer, wanted: set[str]) -> dict[str, str]:
    """The lines for sizes that stand in products and sums only: n = x.shape[0] // m of an x with m n entries."""
    lines: dict[str, str] = {}
    for name, shape in problem.shapes.items():
        for axis, size in enumerate(shape):
            for sign, operation in ((" ", "//"), ("+", "-")):
                parts = str(size).split(sign)
                unknown = [part for part in parts if part in wanted - lines.keys()]
                if len(parts) == 2 and len(unknown) == 1 and all(part.isalnum() for part in parts):
                    known = parts[1 - parts.index(unknown[0])]
                    text = f"{writer.names[name]}.shape[{axis}] {operation} {writer.size(known).text}"
                    lines[unknown[0]] = f"{writer.sizes[unknown[0]]} = {text}"
    return lines


def shapes_of(problem: Problem) -> Shapes:
    """The shapes of formulas in the variables of a problem."""
    return Shapes(dims_of_names(problem), "")


def in_shape(writer: Writer, tree: Formula, value: Code, due: Shape) -> Code:
    """The value of a formula as an array of a shape: a row has two axes there, and one in the program."""
    if tree == t.Number(0):
        sizes = ", ".join([writer.size(size).text for size in due])
        return writer.new("zeros", f"({sizes})" if len(due) != 1 else sizes)
    names = {node.name for node in t.nodes(tree) if isinstance(node, t.Name)}
    if writer.is_scalar(tree) and names <= {*writer.integers, *writer.sizes}:  # a number of Python
        value = writer.new("asarray", value.text)
    return value if len(due) < 2 else writer.in_two_axes(tree, value)


def from_vec(writer: Writer, stacked: Code, value: Shape, variable: Shape, layout: Layout) -> Code:
    """An array in vec layout in another one of three axes or more: its axes are told apart, and put in order."""
    outputs, inputs = range(len(value)), range(len(value), len(value) + len(variable))
    stands = [*reversed(outputs), *reversed(inputs)]
    match layout:
        case "jax":
            due = [*outputs, *inputs]
        case "numerator":
            due = [*outputs, *reversed(inputs)]
        case "denominator":
            due = [*inputs, *reversed(outputs)]
        case "vec":
            return stacked
    sizes = ", ".join([writer.size((*value, *variable)[axis]).text for axis in stands])
    order = ", ".join([str(stands.index(axis)) for axis in due])
    turned = f".{writer.language.permute}({order})" if stands != due else ""
    return Code(f"{stacked.at(ATOM)}.reshape({sizes}){turned}")
