"""Names for what a formula says more than once: T1 = X a - b."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from matcalc.calculus.terms import length, replace
from matcalc.formula import Formula
from matcalc.formula import tree as t

LEAST = 4  # nodes of what gets a name
LETTERS = "TUVWPQRSZ"

Worth = Callable[[Formula, int], bool]  # of a formula that occurs so often


@dataclass(frozen=True)
class Named:
    """A formula in which parts have names: `parts` are formulas in the names before them, as is the `whole`."""

    parts: Mapping[str, Formula]
    whole: Formula

    def spelled_out(self, tree: Formula) -> Formula:
        """A formula in these names without them."""

        def change(node: Formula) -> Formula | None:
            match node:
                case t.Name(name) if name in self.parts:
                    return self.spelled_out(self.parts[name])
                case _:
                    return None

        return replace(tree, change)


def with_names(
    tree: Formula,
    taken: Collection[str],
    numbers: Collection[str],
    is_worth: Worth | None = None,
    sees_through: Callable[[Formula], bool] = lambda node: False,
    spelling: str = "{}{}",
) -> Named:
    """The formula with names for parts that occur more than once, of four nodes or more unless `is_worth` says else.

    `taken` are names of variables and `numbers` those of integers and sizes. A negative or transposed formula gets no
    name of its own, nor does what `sees_through` says: that inside of it does. `spelling` puts a letter and a number
    together.
    """

    def inner(node: Formula) -> Formula:
        while isinstance(node, t.Neg | t.Transpose) or sees_through(node):
            (node,) = t.children(node)
        return node

    counts = Counter[Formula]()
    order: dict[Formula, None] = {}  # what is inside of a formula comes before it

    def visit(node: Formula) -> None:
        for child in map(inner, values(node)):
            counts[child] += 1
            if child not in order:
                visit(child)
                order[child] = None

    visit(t.Neg(tree))
    letter = _letter(taken, len(order))
    indices = {node.index for node in t.nodes(tree) if isinstance(node, t.Sigma)}
    worth = is_worth or (lambda node, count: length(node) >= LEAST)
    named: dict[Formula, Formula] = {}
    for node in order:
        if counts[node] > 1 and worth(node, counts[node]) and not (_is_number(node, numbers) or _loose(node, indices)):
            named[node] = t.Name(spelling.format(letter, len(named) + 1))

    parts: dict[str, Formula] = {}
    for node, name in named.items():
        assert isinstance(name, t.Name)
        parts[name.name] = t.with_children(node, [replace(child, named.get) for child in t.children(node)])
    return Named(parts, replace(tree, named.get))


def shortened(tree: Formula, taken: Collection[str], numbers: Collection[str], style: t.Style = "unicode") -> Named:
    """The formula with names for parts where that makes the text shorter, definitions included."""

    def is_worth(node: Formula, count: int) -> bool:
        text = len(node.show(style))
        return length(node) >= LEAST and (count - 1) * text > 2 * count + len("T1 = ")

    found = with_names(tree, taken, numbers, is_worth, spelling="{}_{}" if style == "tex" else "{}{}")
    lines = [found.whole.show(style), *(f"{name} = {part.show(style)}" for name, part in found.parts.items())]
    return found if len("\n".join(lines)) < len(tree.show(style)) else Named({}, tree)


def equations(left: str, tree: Formula, taken: Collection[str], numbers: Collection[str]) -> list[str]:
    """The lines of an equation, that of the formula first and then those of its parts, if it has names for some."""
    named = shortened(tree, taken, numbers)
    return [f"{left} = {named.whole}", *(f"{name} = {part}" for name, part in named.parts.items())]


def values(node: Formula) -> tuple[Formula, ...]:
    """The formulas inside a formula whose values enter it, and not only the numbers that they say."""
    match node:
        case t.Constant():
            return ()
        case t.Entry(of, _) | t.Unvec(_, of) | t.Sigma(_, _, _, of):
            return (of,)
        case t.Power(base, exponent) | t.Infix(".^", base, exponent) if t.is_arithmetic(exponent):
            return (base,)
        case _:
            return t.children(node)


def _loose(tree: Formula, indices: Collection[str]) -> bool:
    """Whether a formula is another one for each value of an index that a sum around it binds."""
    match tree:
        case t.Name(name):
            return name in indices
        case t.Sigma(index):
            return any(_loose(child, {*indices} - {index}) for child in t.children(tree))
        case _:
            return any(_loose(child, indices) for child in t.children(tree))


def _is_number(tree: Formula, numbers: Collection[str]) -> bool:
    """Whether it is a number that sizes and integers say."""
    names = {node.name for node in t.nodes(tree) if isinstance(node, t.Name)}
    return t.is_arithmetic(tree) and names <= {*numbers}


def _letter(taken: Collection[str], count: int) -> str:
    """A letter that makes no name of a variable with a number behind it."""
    known = {name.replace("_", "") for name in taken}
    free = [letter for letter in LETTERS if not any(f"{letter}{number}" in known for number in range(1, count + 1))]
    return free[0] if free else "T__"
