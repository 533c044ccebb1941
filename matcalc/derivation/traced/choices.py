"""Maxima, comparisons and choices.

Truth values are numbers, 0 and 1.
"""

from typing import Any

from matcalc.calculus.terms import sized
from matcalc.derivation.traced.arrays import (
    COLUMNS,
    ONE,
    ROWS,
    ZERO,
    Array,
    Count,
    Indicator,
    Triangle,
    Unreadable,
    as_number,
    constant,
    matrix,
)
from matcalc.derivation.traced.primitives import triangle
from matcalc.derivation.traced.rules import RULES, Reader, Value, entrywise
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size
from matcalc.planner.operations import rule

# --- Maxima, comparisons and choices


@rule(RULES, "max")
def maximum(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    """max(a, b) = b + relu(a - b)."""
    infinite = t.Neg(t.Number(float("inf")))
    if infinite in (a.tree, b.tree):
        return r.writer.joint(b if a.tree == infinite else a)[0][0]
    if a.is_zero:
        a, b = b, a
    return r.writer.add(b, entrywise(r, "relu", r.writer.sub(a, b)))


@rule(RULES, "min")
def minimum(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    """min(a, b) = b - relu(b - a)."""
    return r.writer.sub(b, entrywise(r, "relu", r.writer.sub(b, a)))


@rule(RULES, "clamp")
def clamp(r: Reader, eqn: Any, low: Array, x: Array, high: Array) -> Array:
    return minimum(r, eqn, high, maximum(r, eqn, x, low))


@rule(RULES, "reduce_max")
def reduce_max(r: Reader, eqn: Any, a: Array) -> Array:
    axes = eqn.params["axes"]
    r.has_maxima = True
    kept = tuple(size for k, size in enumerate(a.shape) if k not in axes)
    if r.drops_maxima:
        return constant(0, kept)
    return _largest(a, "max", axes, kept)


@rule(RULES, "reduce_min")
def reduce_min(r: Reader, eqn: Any, a: Array) -> Array:
    axes = eqn.params["axes"]
    return _largest(a, "min", axes, tuple(size for k, size in enumerate(a.shape) if k not in axes))


def _largest(a: Array, function: str, axes: Any, kept: tuple[Size, ...]) -> Array:
    if not {*a.used} <= {*axes}:
        raise Unreadable(f"the {function} of each row or column has no word")
    return Array(t.Apply(function, a.tree), (None,) * len(kept), kept)


@rule(RULES, "is_finite")
def is_finite(r: Reader, eqn: Any, a: Array) -> Array:
    return constant(1, a.shape)


@rule(RULES, "gt", "ge", "lt", "le", "eq", "ne")
def compare(r: Reader, eqn: Any, a: Value, b: Value) -> Value:
    name = eqn.primitive.name
    if isinstance(a, Count) and isinstance(b, Count):
        return _of_counts(name, a, b)
    if not isinstance(a, Array) or not isinstance(b, Array):
        raise Unreadable("it compares places")
    greater, less = (a, b) if name in ("gt", "ge") else (b, a)
    difference = r.writer.sub(greater, less)
    match r.algebra.poly(difference.tree):
        case ():
            return constant(float(name in ("ge", "le", "eq")), difference.shape)
        case (term,) if not term.word and all(_is_size(r, base) for base, _ in term.scalars):
            holds = term.coef > 0 if name in ("gt", "ge", "lt", "le") else name == "ne"
            return constant(float(holds), difference.shape)
        case _ if name in ("eq", "ne"):
            r.has_choices = True
            return constant(float(name == "ne"), difference.shape)
        case _:
            pass
    found = _is_positive(r, difference, name in ("ge", "le"))
    return Indicator(found.tree, found.axes, found.shape, difference)


def _is_positive(r: Reader, a: Array, or_zero: bool) -> Array:
    """[a > 0] or [a ≥ 0]: sign(relu(a)), of a number (1 + sign(a))/2, whose derivative has a value at 0."""
    one = constant(1, a.shape)
    if a.is_number:
        r.has_choices = True
        return r.writer.div(r.writer.add(one, entrywise(r, "sign", a)), constant(2, a.shape))
    if or_zero:
        return r.writer.sub(one, _is_positive(r, r.writer.neg(a), False))
    return entrywise(r, "sign", entrywise(r, "relu", a))


def _is_size(r: Reader, tree: Formula) -> bool:
    return isinstance(tree, t.Name) and tree.name in r.algebra.sizes


def _of_counts(name: str, a: Count, b: Count) -> Value:
    """The unit matrix, and triangles, as comparisons of the row with the column."""
    if len(a.shape) != 2 or a.shape[0] != a.shape[1] or {a.axis, b.axis} != {0, 1}:
        raise Unreadable("it compares places")
    if name == "eq" and a.start == b.start:
        return matrix(t.Constant("I", (sized(a.shape[0]),)), a.shape)
    if name in ("le", "lt"):
        a, b = b, a
    match name, a.start - b.start - (name in ("gt", "lt")):  # a + shift ≥ b
        case "ge" | "le" | "gt" | "lt", 0:
            return Triangle("tril" if a.axis == 0 else "triu")
        case "ge" | "le" | "gt" | "lt", -1:
            return Triangle("triu" if a.axis == 0 else "tril", outside=True)
        case _:
            raise Unreadable("it compares places")


@rule(RULES, "not")
def not_(r: Reader, eqn: Any, a: Array) -> Array:
    made = r.writer.sub(constant(1, a.shape), a)
    of = r.writer.neg(a.of) if isinstance(a, Indicator) and a.of else None
    return Indicator(made.tree, made.axes, made.shape, of)


@rule(RULES, "and")
def and_(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    return r.writer.mul(a, b)


@rule(RULES, "or")
def or_(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    return r.writer.sub(r.writer.add(a, b), r.writer.mul(a, b))


@rule(RULES, "select_n")
def select_n(r: Reader, eqn: Any, which: Value, no: Array, *more: Array) -> Array:
    """no + [which] ⊙ (yes - no)."""
    if len(more) != 1:
        raise Unreadable("it chooses among several")
    (yes,) = more
    if isinstance(which, Array) and which.tree in (ZERO, ONE):
        return no if which.is_zero else yes
    if isinstance(which, Triangle) and which.outside:
        no, yes = yes, no
    difference = r.writer.sub(yes, no)
    match which:
        case Triangle(function):
            (difference,), _, _ = r.writer.joint(difference)
            part = matrix(triangle(r, r.writer.laid(difference, {0: ROWS, 1: COLUMNS}), function), difference.shape)
            return r.writer.add(no, part)
        case Indicator(_, _, _, Array() as of) if (k := _multiple(r, difference, of)) is not None:
            if no.is_zero and k == ONE:
                return entrywise(r, "relu", yes)
            if k == t.Number(2) and _multiple(r, no, of) == t.Neg(ONE):
                return entrywise(r, "abs", no if isinstance(yes.tree, t.Neg) else yes)
            return r.writer.add(no, r.writer.mul(Array(k), entrywise(r, "relu", of)))
        case Array(t.Constant("I")):
            (mask, array), places, shape = r.writer.joint(which, difference)
            tree = t.Infix("⊙", mask.tree, r.writer.laid(array, places))
            return r.writer.add(no, r.writer.result(tree, places, shape))
        case Array():
            return r.writer.add(no, r.writer.mul(which, difference))
        case _:
            raise Unreadable("it chooses by places")


def _multiple(r: Reader, a: Array, of: Array) -> Formula | None:
    """The number by which one array is a multiple of another, of the same axes."""
    if a.is_zero or a.axes != of.axes:
        return None
    one, other = r.algebra.poly(a.tree), r.algebra.poly(of.tree)
    if len(one) != len(other) or not other:
        return None
    ratio = one[0].coef / other[0].coef
    same = {term._replace(coef=term.coef / ratio) for term in one} == {*other}
    return as_number(float(ratio)) if same else None
