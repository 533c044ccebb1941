"""Sums, products and functions of each entry, and solving with triangles: a rule for each primitive of JAX."""

from dataclasses import replace
from typing import Any

from matcalc.calculus.terms import quotient, sized
from matcalc.derivation.traced.arrays import (
    ONE,
    ROWS,
    ZERO,
    Array,
    Count,
    Unreadable,
    as_number,
    constant,
    matrix,
    matrix_product,
    times,
)
from matcalc.derivation.traced.rules import RULES, Reader, entrywise, integer, placed
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.planner.operations import rule

# --- Sums and products


@rule(RULES, "add", "add_any")
def add(r: Reader, eqn: Any, a: Array | Count, b: Array) -> Array | Count:
    return replace(a, start=a.start + integer(b)) if isinstance(a, Count) else r.writer.add(a, b)


@rule(RULES, "sub")
def sub(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    return r.writer.sub(a, b)


@rule(RULES, "neg")
def neg(r: Reader, eqn: Any, a: Array) -> Array:
    return r.writer.neg(a)


@rule(RULES, "mul")
def mul(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    return r.writer.mul(a, b)


@rule(RULES, "div")
def div(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    match a.tree, b.tree:
        case t.Apply("exp", u), t.Apply("sum", t.Apply("exp", v)) if u == v and a.used:
            return Array(t.Apply("softmax", u), a.axes, a.shape)
        case _:
            return r.writer.div(a, b)


@rule(RULES, "dot_general")
def dot_general(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    """A product of matrices; where axes go in step, or several are summed over, a product of entries, summed."""
    (left, right), (batch, other) = eqn.params["dimension_numbers"]
    if len(left) == 1 and not batch:
        return r.writer.dot(a, left[0], b, right[0])
    free = [[k for k in range(len(x.axes)) if k not in (*l, *m)] for x, l, m in ((a, left, batch), (b, right, other))]
    summed = len(batch) + len(free[0]) + len(free[1])
    rank = summed + len(left)
    one = placed(a, [*batch, *free[0], *left], [*range(len(batch) + len(free[0])), *range(summed, rank)], rank)
    places = [*range(len(batch)), *range(len(batch) + len(free[0]), rank)]
    two = placed(b, [*other, *free[1], *right], places, rank)
    return sum_over(r, r.writer.mul(one, two), range(summed, rank))


@rule(RULES, "reduce_sum")
def reduce_sum(r: Reader, eqn: Any, a: Array) -> Array:
    return sum_over(r, a, eqn.params["axes"])


def sum_over(r: Reader, a: Array, axes: Any) -> Array:
    """The sum over axes, which go."""
    kept = [k for k in range(len(a.axes)) if k not in axes]
    if a.used and {*a.used} <= {*axes}:
        tree = _sum_of_all(r, a)
        for axis in axes:
            tree = tree if a.axes[axis] is not None else times(sized(a.shape[axis]), tree)
        return Array(tree, (None,) * len(kept), tuple(a.shape[k] for k in kept))
    match a.tree, [k for k in axes if k in a.used]:
        case t.Infix("⊙", t.Constant("I"), A), [_]:  # the diagonal
            a = r.writer.result(t.Apply("diag", A), {k: ROWS for k in a.used if k not in axes}, a.shape)
            axes = [k for k in axes if k not in a.used]
            return Array(a.tree, tuple(a.axes[k] for k in kept), tuple(a.shape[k] for k in kept))
        case _:
            pass
    for axis in axes:
        a = r.writer.without(a, axis)
    return Array(a.tree, tuple(a.axes[k] for k in kept), tuple(a.shape[k] for k in kept))


def _sum_of_all(r: Reader, a: Array) -> Formula:
    """The sum of all entries: a trace, a squared norm, of logarithms of the diagonal of a factor ½ ln |A|."""
    match a.tree:
        case t.Neg(of):
            return t.Neg(_sum_of_all(r, replace(a, tree=of)))
        case t.Infix("⊙", t.Constant("I"), A):
            return t.Apply("tr", A)
        case t.Infix("⊙", U, V) if U == V:
            return _squares(r, U)
        case t.Infix(".^", U, t.Number(2)):
            return _squares(r, U)
        case t.Apply("ln", t.Apply("diag", L)) if r.is_factor(L):
            return quotient(t.Apply("ln", t.Apply("det", matrix_product(L, t.Transpose(L)))), t.Number(2))
        case t.Apply("vec", A):
            return t.Apply("sum", A)
        case tree:
            return t.Apply("sum", tree)


def _squares(r: Reader, U: Formula) -> Formula:
    """‖U‖², and where a factor of a Cholesky decomposition is in it, what that gives."""
    if any(r.is_factor(node) for node in t.nodes(U)):
        inner = matrix_product(t.transpose(U, r.writer.scalars), U)
        return inner if "1" in r.algebra.dims(U) else t.Apply("tr", inner)
    return t.Power(t.Apply("norm", U), t.Number(2))


# --- Solving with triangular matrices


@rule(RULES, "cholesky")
def cholesky(r: Reader, eqn: Any, a: Array) -> Array:
    if len(a.shape) != 2:
        raise Unreadable("it is of several matrices")
    return matrix(r.factor_of(a), a.shape)


@rule(RULES, "triangular_solve")
def triangular_solve(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    p = eqn.params
    if p["unit_diagonal"] or len(a.shape) != 2 or len(b.shape) != 2:
        raise Unreadable("it is of several matrices, or takes the diagonal for 1")
    T = triangle(r, r.writer.whole(a), "tril" if p["lower"] else "triu")
    inverse = t.Transpose(t.Apply("inv", T.of)) if isinstance(T, t.Transpose) else t.Apply("inv", T)
    inverse = t.transpose(inverse, r.writer.scalars) if p["transpose_a"] else inverse
    X = matrix(inverse, a.shape)
    if p["left_side"]:
        return r.writer.dot(X, 1, b, 0)
    return r.writer.dot(b, 1, X, 0)


def triangle(r: Reader, A: Formula, function: str) -> Formula:
    """A triangle of a matrix: a factor is one, its transpose the other."""
    lower = A.of if isinstance(A, t.Transpose) else A
    if r.is_factor(lower) and (lower is A) == (function == "tril"):
        return A
    return ZERO if A == ZERO else t.Apply(function, A)


# --- Functions of each entry

WORDS = {
    **{"exp": "exp", "log": "ln", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh"},
    **{"sqrt": "sqrt", "tanh": "tanh", "logistic": "sigmoid", "sign": "sign", "abs": "abs"},
}


@rule(RULES, *WORDS)
def a_function(r: Reader, eqn: Any, a: Array) -> Array:
    name = eqn.primitive.name
    match name, a.tree:
        case "sqrt", t.Power(base, t.Number(2)) if isinstance(base, t.Apply) and base.function == "norm":
            return Array(base, a.axes, a.shape)
        case "exp", t.Number(0):
            return constant(1, a.shape)
        case "abs", tree if _is_positive(tree):
            return a
        case "log", t.Apply("sum", t.Apply("exp", u)) if r.has_maxima and r.drops_maxima:
            return Array(t.Apply("logsumexp", u), a.axes, a.shape)
        case _:
            return entrywise(r, WORDS[name], a)


def _is_positive(tree: Formula) -> bool:
    """Whether it is exp, a sum of such, or exp.(X) 𝟏."""
    match tree:
        case t.Apply("exp" | "exp.") | t.Constant("1"):
            return True
        case t.Apply("sum", of) | t.Transpose(of):
            return _is_positive(of)
        case t.Product(factors):
            return all(map(_is_positive, factors))
        case _:
            return False


@rule(RULES, "log1p")
def log1p(r: Reader, eqn: Any, a: Array) -> Array:
    return entrywise(r, "ln", r.writer.add(constant(1, a.shape), a))


@rule(RULES, "expm1")
def expm1(r: Reader, eqn: Any, a: Array) -> Array:
    return r.writer.sub(entrywise(r, "exp", a), constant(1, a.shape))


@rule(RULES, "rsqrt")
def rsqrt(r: Reader, eqn: Any, a: Array) -> Array:
    return r.writer.div(constant(1, a.shape), entrywise(r, "sqrt", a))


@rule(RULES, "exp2")
def exp2(r: Reader, eqn: Any, a: Array) -> Array:
    return entrywise(r, "exp", r.writer.mul(Array(t.Apply("ln", t.Number(2))), a))


@rule(RULES, "square")
def square(r: Reader, eqn: Any, a: Array) -> Array:
    return power(a, t.Number(2))


@rule(RULES, "integer_pow")
def integer_pow(r: Reader, eqn: Any, a: Array) -> Array:
    return power(a, as_number(eqn.params["y"]))


@rule(RULES, "pow")
def pow_(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    if b.is_number and not (isinstance(a.tree, t.Number) and r.algebra.names.keys() & _names(b.tree)):
        return power(a, b.tree)
    return entrywise(r, "exp", r.writer.mul(b, entrywise(r, "ln", a)))


def _names(tree: Formula) -> set[str]:
    return {node.name for node in t.nodes(tree) if isinstance(node, t.Name)}


def power(a: Array, exponent: Formula) -> Array:
    """A power of each entry."""
    if exponent == ONE:
        return a
    if exponent == quotient(ONE, t.Number(2)):
        return Array(t.Apply("sqrt." if len(a.used) == 2 else "sqrt", a.tree), a.axes, a.shape)
    tree = t.Power(a.tree, exponent) if a.is_number else t.Infix(".^", a.tree, exponent)
    return Array(tree, a.axes, a.shape)
