"""Where a derivative has a value: what is inverted, divided by, or under a root or a logarithm in it."""

from collections.abc import Iterator

from matcalc.calculus import Algebra, written
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import shape_of_array

INVERTIBLE, NONZERO, POSITIVE, NOT_NEGATIVE = "{} is invertible", "{} ≠ 0", "{} > 0", "{} ≥ 0"
OF_CONSTANT_RANK = "the rank of {} is locally constant"


def conditions(tree: Formula, a: Algebra) -> tuple[str, ...]:
    """The conditions that a formula needs, without those that were declared."""
    found = dict.fromkeys(requirements(tree, a))
    # s ≠ 0 and s ≥ 0 are s > 0.
    positive = {s for s, condition in found if condition == NOT_NEGATIVE and (s, NONZERO) in found}
    kept = dict.fromkeys((s, POSITIVE if s in positive else condition) for s, condition in found)
    return tuple(condition.format(said(part, a)) for part, condition in kept)


def said(part: Formula, a: Algebra) -> Formula:
    """A part of the formula as it is printed."""
    return written(part, a.names, shape_of_array(a.dims(part)))


def requirements(tree: Formula, a: Algebra) -> Iterator[tuple[Formula, str]]:
    """What a formula needs: parts of it, each with what it must be."""

    def nonzero(s: Formula) -> Iterator[tuple[Formula, str]]:
        """What must not be zero for a product not to be."""
        match s:
            case t.Number() | t.Apply("exp"):
                return
            case t.Apply("sum", t.Apply("exp")):
                return
            case t.Product(parts) if all(map(a.is_scalar, parts)):
                for part in parts:
                    yield from nonzero(part)
            case t.Power(base) | t.Apply("sqrt", base):
                yield from nonzero(base)
            case _:
                yield s, NONZERO

    for node in t.nodes(tree):
        match node:
            case t.Apply("inv", u) if not a.is_scalar(u) and not a.is_(u, "invertible"):
                yield u, INVERTIBLE
            case t.Power(u, t.Neg()) if not a.is_scalar(u) and not a.is_(u, "invertible"):
                yield u, INVERTIBLE
            case t.Apply("pinv", u):
                yield u, OF_CONSTANT_RANK
            case t.Infix("/", _, s):
                yield from nonzero(s)
            case t.Apply("ln" | "sqrt" as function, s) if a.is_scalar(s):
                yield s, POSITIVE if function == "ln" else NOT_NEGATIVE
            case _:
                pass
