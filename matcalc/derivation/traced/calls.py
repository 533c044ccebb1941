"""Functions of JAX that are read by their names: what they do inside is an algorithm, and no formula.

A function is known by its name and by the file in which it stands, so that nobody's own function is taken for one.
"""

from pathlib import Path
from typing import Any

import jax

from matcalc.calculus.terms import times
from matcalc.derivation.traced.arrays import ROWS, Array, Unreadable, matrix, vector
from matcalc.derivation.traced.rules import Reader, Rule, entrywise
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.planner.operations import rule

JAX = str(Path(jax.__file__).parent)
CALLS: dict[str, Rule] = {}


def known(inner: Any) -> Rule | None:
    """The rule for the function of JAX that a program is, if there is one."""
    name, _, place = (inner.debug_info.func_src_info or "").partition(" at ")
    return CALLS.get(name.lstrip("_")) if place.startswith(JAX) else None


def is_of_jax(inner: Any) -> bool:
    """Whether a program is a function that stands in JAX."""
    return (inner.debug_info.func_src_info or "").partition(" at ")[2].startswith(JAX)


def _one(r: Reader, a: Array) -> Formula:
    """A single matrix as it is indexed."""
    if len(a.shape) != 2:
        raise Unreadable("it is of several matrices")
    return r.writer.laid(a, {0: 0, 1: 1})


@rule(CALLS, "inv")
def inv(r: Reader, eqn: Any, a: Array) -> Array:
    return matrix(t.Apply("inv", _one(r, a)), a.shape)


@rule(CALLS, "pinv")
def pinv(r: Reader, eqn: Any, a: Array) -> Array:
    return matrix(t.Apply("pinv", _one(r, a)), a.shape[::-1])


@rule(CALLS, "det")
def det(r: Reader, eqn: Any, a: Array) -> Array:
    return Array(t.Apply("det", _one(r, a)))


@rule(CALLS, "slogdet")
def slogdet(r: Reader, eqn: Any, a: Array) -> tuple[Array, Array]:
    """The sign of |A|, and ln of its modulus."""
    value = t.Apply("det", _one(r, a))
    return Array(t.Apply("sign", value)), Array(t.Apply("ln", t.Apply("abs", value)))


@rule(CALLS, "solve")
def solve(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    """A⁻¹ b."""
    if len(b.shape) > 2:
        raise Unreadable("it is of several systems")
    if "cholesky" in str(eqn.params["jaxpr"]):
        r.factor_of(a)  # which is of symmetric matrices only
    return r.writer.dot(inv(r, eqn, a), 1, b, 0)


@rule(CALLS, "expm")
def expm(r: Reader, eqn: Any, a: Array) -> Array:
    return matrix(t.Apply("exp", _one(r, a)), a.shape)


@rule(CALLS, "kron")
def kron(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    if len(a.shape) != len(b.shape) or len(a.shape) not in (1, 2):
        raise Unreadable("⊗ is of two matrices or of two vectors")
    if len(a.shape) == 1:
        left, right = (r.writer.laid(x, {0: ROWS}) for x in (a, b))
        return vector(t.Infix("⊗", left, right), times(a.shape[0], b.shape[0]))
    shape = [times(m, n) for m, n in zip(a.shape, b.shape, strict=True)]
    return matrix(t.Infix("⊗", _one(r, a), _one(r, b)), shape)


@rule(CALLS, "cross")
def cross(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    if a.shape != (3,) or b.shape != (3,):
        raise Unreadable("× is of two vectors of length 3")
    return vector(t.Infix("×", r.writer.laid(a, {0: ROWS}), r.writer.laid(b, {0: ROWS})), 3)


@rule(CALLS, "diag", "diagonal")
def diag(r: Reader, eqn: Any, a: Array) -> Array:
    """The diagonal of a square matrix, or the matrix with a diagonal."""
    if len(a.shape) == 1:
        return matrix(t.Apply("diag", r.writer.laid(a, {0: ROWS})), a.shape * 2)
    if len(a.shape) != 2 or a.shape[0] != a.shape[1]:
        raise Unreadable("a diagonal is of a square matrix")
    return vector(t.Apply("diag", _one(r, a)), a.shape[0])


@rule(CALLS, "logaddexp")
def logaddexp(r: Reader, eqn: Any, a: Array, b: Array) -> Array:
    """ln(eᵃ + eᵇ) = b + softplus(a - b)."""
    return r.writer.add(b, entrywise(r, "softplus", r.writer.sub(a, b)))
