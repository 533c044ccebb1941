"""Changes of formulas that correct the mistakes people make, and what they are called."""

import itertools
from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction

from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.arbitrary import derivative_of, is_arbitrary
from matcalc.formula.tokens import MATRIX_FUNCTIONS

# Functions of which one is written where the other is meant.
MEANT = {
    **{"sin": "cos", "cos": "sin", "exp": "ln", "ln": "exp", "inv": "pinv", "adj": "inv", "det": "tr", "tr": "det"},
    **{"softplus": "sigmoid", "sigmoid": "softplus"},
}
ENTRYWISE = ("exp", "ln", "sin", "cos", "sqrt", "tanh", "sigmoid", "softplus")
DENOMINATOR = 12  # of the coefficients that people write: whole ones, halves, thirds, quarters, sixths


def single_edits(tree: Formula, names: Sequence[str], scalars: Collection[str] = ()) -> Iterator[Formula]:
    """The formulas that differ from this one in one place, where `names` may stand instead or beside."""
    yield from _instead_of(tree, names)
    yield from _rearranged(tree)
    yield from _raised(tree, scalars)
    yield from _with_a_factor(tree, names, scalars)
    below = t.children(tree)
    for place, child in enumerate(below):
        for edited in single_edits(child, names, scalars):
            yield t.with_children(tree, [*below[:place], edited, *below[place + 1 :]])


def _instead_of(tree: Formula, names: Sequence[str]) -> Iterator[Formula]:
    """What may be meant instead of a node: its transpose or inverse, another name, number, function or exponent."""
    match tree:
        case t.Number(value):
            yield from (t.Number(other) for other in (1, 2, 3, value + 1, value - 1) if other > 0)
            yield from map(t.Name, names)
        case t.Transpose(of) | t.Neg(of):
            yield of
        case t.Name() | t.Sum() | t.Infix("⊗" | "⊙" | "⊘"):
            yield t.Transpose(tree)
            if isinstance(tree, t.Name):
                yield t.Apply("inv", tree)
                yield from (t.Name(other) for other in names if other != tree.name)
                yield t.Constant("I")
        case t.Apply(function, of):
            yield t.Transpose(tree)
            if isinstance(of, t.Apply):
                yield t.Apply(of.function, t.Apply(function, of.of))
            if function in MEANT:
                yield t.Apply(MEANT[function], of)
            if is_arbitrary(function):
                yield t.Apply(derivative_of(function), of)
                yield from (t.Apply(function.replace("'", "", 1), of) for _ in range(min(function.count("'"), 1)))
            if (function in MATRIX_FUNCTIONS or is_arbitrary(function)) and not function.endswith("."):
                yield t.Apply(f"{function}.", of)
            if function.endswith("."):
                yield t.Apply(function.removesuffix("."), of)
            if function in ("inv", "pinv"):
                yield of
        case t.Frechet(function, of, along):
            yield t.Transpose(tree)
            yield t.Frechet(function, along, of)
        case t.Power(base, exponent):
            yield base
            for changed in (t.Sum((exponent, t.Number(1))), t.Sum((exponent, t.Neg(t.Number(1)))), t.Neg(exponent)):
                yield t.Power(base, changed)
            yield t.Transpose(tree)
        case _:
            pass


def _rearranged(tree: Formula) -> Iterator[Formula]:
    """What the operands of a node make in another order, with one fewer or one more, or with another sign."""
    match tree:
        case t.Product(factors):
            for place in range(len(factors)):
                yield t.product_of(factors[:place] + factors[place + 1 :])
            for i, j in itertools.pairwise(range(len(factors))):
                swapped = list(factors)
                swapped[i], swapped[j] = swapped[j], swapped[i]
                yield t.Product(tuple(swapped))
            yield t.Product(factors[::-1])
            for place in range(1, len(factors)):
                yield t.Infix("⊙", t.product_of(factors[:place]), t.product_of(factors[place:]))
            found = sorted({node.name for node in t.nodes(tree) if isinstance(node, t.Name)})
            for one, other in itertools.combinations(found, 2):
                yield t.rename(tree, {one: other, other: one})
            yield t.Transpose(tree)
            for factor in dict.fromkeys(factors):  # one that stands there is meant once more
                yield t.Product((factor, *factors))
                yield t.Product((*factors, factor))
        case t.Infix(op, left, right):
            yield t.Infix(op, right, left)
            yield left
            yield t.product_of((left, right))
        case t.Sum(parts):
            for place, part in enumerate(parts):
                yield t.Sum((*parts[:place], negated(part), *parts[place + 1 :]))
                yield t.sum_of(parts[:place] + parts[place + 1 :])
        case _:
            pass


def _raised(tree: Formula, scalars: Collection[str]) -> Iterator[Formula]:
    """A square where there is none, or none where there is one; entry by entry of what is a function of entries."""
    match tree:
        case t.Infix("/", left, right) if not isinstance(right, t.Number):
            yield t.Infix("/", left, right.base if isinstance(right, t.Power) else t.Power(right, t.Number(2)))
            yield t.Infix("/", left, t.Power(right, t.Number(3)))
            yield t.Infix("/", left, t.Apply("sqrt", right))
        case t.Name() | t.Apply() | t.Sum() if t.is_scalar(tree, scalars):
            yield t.Power(tree, t.Number(2))
        case t.Apply(function, _) if function.removesuffix(".") in ENTRYWISE:
            yield t.Infix("⊙", tree, tree)
        case t.Infix("⊙", left, right) if left == right:
            yield left
        case _:
            pass


def _with_a_factor(tree: Formula, names: Sequence[str], scalars: Collection[str]) -> Iterator[Formula]:
    """One of the variables times it, from the left, from the right, inside, or entry by entry."""
    if isinstance(tree, t.Number) or (isinstance(tree, t.Name) and tree.name in scalars):
        return
    factors = factors_of(tree)
    for name in map(t.Name, names):
        if name.name in scalars:
            yield t.Product((name, *factors))
            yield t.Infix("/", tree, name)
            continue
        for turned in (name, t.Transpose(name)):
            yield from (t.Product((*factors[:k], turned, *factors[k:])) for k in range(len(factors) + 1))
        if not isinstance(tree, t.Name):
            yield t.Infix("⊙", name, tree)


def negated(tree: Formula) -> Formula:
    """The formula with the other sign, of a sum that of each term."""
    match tree:
        case t.Neg(of):
            return of
        case t.Sum(parts):
            return t.Sum(tuple([negated(part) for part in parts]))
        case _:
            return t.Neg(tree)


def simple(tree: Formula) -> Formula:
    """The formula with transposes pushed inwards and signs in front."""
    match tree:
        case t.Transpose(t.Product() | t.Neg() | t.Transpose() as of):
            return t.transpose(of)
        case t.Neg(t.Neg(of)):
            return of
        case t.Power(base, t.Sum((t.Number(number), t.Number(more)))):
            return t.Power(simple(base), t.Number(number + more))
        case _:
            return t.with_children(tree, [simple(child) for child in t.children(tree)])


def scaled(c: float, term: Formula) -> Formula:
    """A term with another coefficient, one that people write."""
    number = Fraction(abs(c)).limit_denominator(DENOMINATOR)
    sign, inner = (-1, term.of) if isinstance(term, t.Neg) else (1, term)
    match inner:
        case t.Product((t.Number(int() as given), *factors)):
            number, inner = number * given, t.product_of(factors)
        case t.Number(int() as given):
            number, inner = number * given, t.Number(1)
        case _:
            pass
    if number == 0:
        return t.Number(0)
    above = [] if number.numerator == 1 else [t.Number(number.numerator)]
    match inner:
        case t.Infix("/", left, right):
            product = t.Infix("/", _product(above, left), _product([t.Number(number.denominator)], right))
        case _:
            product = _product(above, inner)
            product = product if number.denominator == 1 else t.Infix("/", product, t.Number(number.denominator))
    return t.Neg(product) if sign * c < 0 else product


def _product(numbers: Sequence[Formula], of: Formula) -> Formula:
    left = [number for number in numbers if number != t.Number(1)]
    return t.product_of((*left, *factors_of(of))) if of != t.Number(1) else t.product_of(left)


def factors_of(tree: Formula) -> tuple[Formula, ...]:
    """The factors of a product; what is none is its only one."""
    return tree.factors if isinstance(tree, t.Product) else (tree,)


def is_plain(c: float) -> bool:
    """Whether it is a coefficient that people write."""
    return abs(c * DENOMINATOR - round(c * DENOMINATOR)) < 1e-4


def in_numbers(c: float) -> str:
    """A coefficient as people write it."""
    fraction = Fraction(c).limit_denominator(DENOMINATOR)
    return str(fraction) if abs(fraction - c) < 1e-5 * abs(c) else f"{c:.4g}"
