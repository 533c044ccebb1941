"""Linear programs run on sums of products: what depends on the variable V is a sum of terms with V as one factor.

Each primitive that is understood has a rule: in SUM_RULES one for the operations that add such sums, in TERM_RULES one
for those that act on each term alone. All that does not depend on V is computed as it is.
"""

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import Literal

from matcalc.planner.network import Label, Labels
from matcalc.planner.operations import ClosedJaxpr, JaxprEqn, is_jitted, name_of, rule
from matcalc.planner.transform import bind

MOST_TERMS = 64  # of one map, beyond which a basis is less work


class NotLinearTerms(Exception):
    """The map is not a sum of products with its variable as one factor."""


@dataclass(frozen=True)
class LinearTerm:
    """Plus or minus a product of arrays and V, with a label on every axis.

    The labels of V are `of_V`. A label that is not one of `axes` is summed over. Instead of a vector of ones there
    stands its size.
    """

    sign: int
    factors: tuple[tuple[Array | int, Labels], ...]
    of_V: Labels
    axes: Labels

    def times(self, array: Array | int, labels: Labels, axes: Labels) -> "LinearTerm":
        """With one more factor."""
        return replace(self, factors=(*self.factors, (array, labels)), axes=axes)

    def renamed(self, old: Label, new: Label) -> "LinearTerm":
        """With one label for two."""

        def named(labels: Labels) -> Labels:
            return tuple(new if label == old else label for label in labels)

        factors = tuple((array, named(labels)) for array, labels in self.factors)
        return LinearTerm(self.sign, factors, named(self.of_V), named(self.axes))


LinearSum = tuple[LinearTerm, ...]  # a value that is linear in V
Value = Array | LinearSum
OnTerm = Callable[[LinearTerm], LinearTerm]


class LinearInterpreter:
    """Runs a program with what depends on V as sums of terms, and all else as arrays."""

    def __init__(self, variable: jax.ShapeDtypeStruct) -> None:
        self.dtype = variable.dtype
        self.assumed: list[Array] = []  # conditions under which the map is the one that was found
        self.precisions: set[Any] = set()  # of the products with V
        self.labels = itertools.count()
        axes = tuple(itertools.islice(self.labels, len(variable.shape)))
        self.V: LinearSum = (LinearTerm(1, (), axes, axes),)

    def run(self, closed: ClosedJaxpr, values: Sequence[Value]) -> list[Value]:
        """The results of a program. NotLinearTerms if one of them depends on V in another way."""
        env: dict[Any, Value] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        env |= zip(closed.jaxpr.invars, values, strict=True)

        def read(atom: Any) -> Value:
            aval: Any = atom.aval
            return jnp.asarray(atom.val, aval.dtype) if isinstance(atom, Literal) else env[atom]

        for eqn in closed.jaxpr.eqns:
            operands = [read(atom) for atom in eqn.invars]
            is_linear = any(isinstance(value, tuple) for value in operands)
            env |= zip(eqn.outvars, self._linear(eqn, operands) if is_linear else bind(eqn, operands), strict=True)
        return [read(atom) for atom in closed.jaxpr.outvars]

    def _linear(self, eqn: JaxprEqn, operands: list[Any]) -> Sequence[Value]:
        """The results of an operation on what depends on V."""
        name = name_of(eqn)
        if is_jitted(eqn):
            return self.run(eqn.params["jaxpr"], operands)
        if name == "optimization_barrier":
            return operands
        if name == "cond":
            return self._cond(eqn, *operands)
        if eqn.outvars[0].aval.dtype != self.dtype:
            raise NotLinearTerms
        if name in SUM_RULES:
            over = eqn.outvars[0].aval.shape
            spread = [
                tuple(map(self.stretched(atom.aval.shape, over), value)) if isinstance(value, tuple) else value
                for atom, value in zip(eqn.invars, operands, strict=True)
            ]
            terms = SUM_RULES[name](self, *spread)
            if len(terms) > MOST_TERMS:
                raise NotLinearTerms
            return [terms]
        k, *more = (k for k, value in enumerate(operands) if isinstance(value, tuple))
        if more or name not in TERM_RULES:
            raise NotLinearTerms
        others = [*operands[:k], *operands[k + 1 :]]
        on_term = TERM_RULES[name](self, eqn, k, eqn.invars[k].aval.shape, *others)
        return [tuple(map(on_term, operands[k]))]

    def _cond(self, eqn: JaxprEqn, index: Any, *operands: Any) -> list[Value]:
        """The results of the first branch that gives sums of terms, assumed to be taken."""
        before = self.assumed
        for k, branch in enumerate(eqn.params["branches"]):
            self.assumed = [*before, index == jnp.asarray(k, index.dtype)]
            try:
                return self.run(branch, operands)
            except NotLinearTerms:
                continue
        raise NotLinearTerms

    def stretched(self, shape: Sequence[int], over: Sequence[int]) -> OnTerm:
        """A term whose shape is stretched to another, as operations by entries do: from () or along axes of size 1."""
        return self.broadcast({i: i for i in _kept(shape, over)}, over)

    def broadcast(self, kept: Mapping[int, int], over: Sequence[int]) -> OnTerm:
        """A term with the shape `over`, constant along all axes but those that are kept.

        `kept` says which axes of the term these were, from new place to old. All its other axes have one entry.
        """

        def on_term(term: LinearTerm) -> LinearTerm:
            axes = term.axes
            new = {j: next(self.labels) for j in range(len(over)) if j not in kept}
            term = replace(term, axes=tuple(axes[kept[j]] if j in kept else new[j] for j in range(len(over))))
            return functools.reduce(lambda t, j: t.times(over[j], (new[j],), t.axes), new, term)

        return on_term


def _kept(shape: Sequence[int], over: Sequence[int]) -> list[int]:
    """The axes along which an array is not repeated where it stands for one of another shape."""
    if shape and len(shape) != len(over):
        raise NotLinearTerms
    return [i for i, size in enumerate(shape) if size == over[i]]


# --- Rules of sums. They get the interpreter and the operands.

SUM_RULES: dict[str, Callable[..., LinearSum]] = {}


def _terms(value: Value) -> LinearSum:
    """Those of a value; none of what does not depend on V, which is 0."""
    return value if isinstance(value, tuple) else ()


@rule(SUM_RULES, "add", "add_any")
def add(_: LinearInterpreter, a: Any, b: Any) -> LinearSum:
    return _terms(a) + _terms(b)


@rule(SUM_RULES, "sub")
def sub(_: LinearInterpreter, a: Any, b: Any) -> LinearSum:
    return _terms(a) + tuple(replace(term, sign=-term.sign) for term in _terms(b))


@rule(SUM_RULES, "select_n")
def select_n(interpreter: LinearInterpreter, which: Any, *cases: Any) -> LinearSum:
    """Where one number decides, the terms of all cases; those of a case that is not taken have the factors 0."""
    if isinstance(which, tuple) or which.ndim:
        raise NotLinearTerms

    def where(is_taken: Array, term: LinearTerm) -> LinearTerm:
        factors = tuple((a if isinstance(a, int) else jnp.where(is_taken, a, 0), labels) for a, labels in term.factors)
        return replace(term, factors=factors).times(is_taken.astype(interpreter.dtype), (), term.axes)

    return tuple(
        where(which == jnp.asarray(k, which.dtype), term) for k, case in enumerate(cases) for term in _terms(case)
    )


# --- Rules of terms. They get the interpreter, the operation, which operand depends on V, its shape, and the others.

TERM_RULES: dict[str, Callable[..., OnTerm]] = {}


@rule(TERM_RULES, "dot_general")
def dot_general(interpreter: LinearInterpreter, eqn: JaxprEqn, k: int, shape: Sequence[int], array: Array) -> OnTerm:
    contracted, batch = eqn.params["dimension_numbers"]
    if eqn.params.get("preferred_element_type") not in (None, interpreter.dtype) or eqn.params.get("out_sharding"):
        raise NotLinearTerms
    if contracted[0]:
        interpreter.precisions.add(eqn.params["precision"])
    same = dict(zip((*contracted[1 - k], *batch[1 - k]), (*contracted[k], *batch[k]), strict=True))

    def on_term(term: LinearTerm) -> LinearTerm:
        axes = term.axes
        labels = tuple(axes[same[j]] if j in same else next(interpreter.labels) for j in range(array.ndim))
        ours = tuple(label for i, label in enumerate(axes) if i not in same.values())
        others = tuple(label for j, label in enumerate(labels) if j not in same)
        free = ours + others if k == 0 else others + ours
        return term.times(array, labels, (*(axes[i] for i in batch[k]), *free))

    return on_term


@rule(TERM_RULES, "mul")
def mul(interpreter: LinearInterpreter, eqn: JaxprEqn, k: int, shape: Sequence[int], array: Array) -> OnTerm:
    over = eqn.outvars[0].aval.shape
    kept, stretched = _kept(array.shape, over), interpreter.stretched(shape, over)
    factor = array.reshape([over[i] for i in kept])

    def on_term(term: LinearTerm) -> LinearTerm:
        term = stretched(term)
        return term.times(factor, tuple(term.axes[i] for i in kept), term.axes)

    return on_term


@rule(TERM_RULES, "neg")
def neg(*_: Any) -> OnTerm:
    return lambda term: replace(term, sign=-term.sign)


@rule(TERM_RULES, "transpose")
def transpose(interpreter: LinearInterpreter, eqn: JaxprEqn, *_: Any) -> OnTerm:
    return lambda term: replace(term, axes=tuple(term.axes[i] for i in eqn.params["permutation"]))


@rule(TERM_RULES, "broadcast_in_dim")
def broadcast_in_dim(interpreter: LinearInterpreter, eqn: JaxprEqn, k: int, shape: Sequence[int], *_: Any) -> OnTerm:
    over = eqn.params["shape"]
    kept = {j: i for i, j in enumerate(eqn.params["broadcast_dimensions"]) if shape[i] == over[j]}
    return interpreter.broadcast(kept, over)


@rule(TERM_RULES, "reshape")
def reshape(interpreter: LinearInterpreter, eqn: JaxprEqn, k: int, shape: Sequence[int], *_: Any) -> OnTerm:
    """Only one that adds or drops axes of size 1."""
    over = eqn.params["new_sizes"]
    axes, places = ([i for i, size in enumerate(sizes) if size != 1] for sizes in (shape, over))
    if eqn.params["dimensions"] is not None or [shape[i] for i in axes] != [over[j] for j in places]:
        raise NotLinearTerms
    return interpreter.broadcast(dict(zip(places, axes, strict=True)), over)


@rule(TERM_RULES, "squeeze")
def squeeze(interpreter: LinearInterpreter, eqn: JaxprEqn, *_: Any) -> OnTerm:
    return _summed(eqn.params["dimensions"])


@rule(TERM_RULES, "reduce_sum")
def reduce_sum(interpreter: LinearInterpreter, eqn: JaxprEqn, *_: Any) -> OnTerm:
    return _summed(eqn.params["axes"])


def _summed(axes: Sequence[int]) -> OnTerm:
    return lambda term: replace(term, axes=tuple(l for i, l in enumerate(term.axes) if i not in axes))


@rule(TERM_RULES, "slice")
def slice_(interpreter: LinearInterpreter, eqn: JaxprEqn, k: int, shape: Sequence[int], *_: Any) -> OnTerm:
    """A product with rows of the identity matrix."""
    limits, strides = eqn.params["limit_indices"], eqn.params["strides"] or (1,) * len(shape)
    rows: dict[int, Array] = {}
    for axis, bounds in enumerate(zip(eqn.params["start_indices"], limits, strides, strict=True)):
        if len(range(*bounds)) < shape[axis]:
            rows[axis] = (jnp.arange(*bounds)[:, None] == jnp.arange(shape[axis])[None]).astype(interpreter.dtype)

    def on_term(term: LinearTerm) -> LinearTerm:
        for axis, E in rows.items():
            new, old = next(interpreter.labels), term.axes[axis]
            term = term.times(E, (new, old), (*term.axes[:axis], new, *term.axes[axis + 1 :]))
        return term

    return on_term


@rule(TERM_RULES, "trace")
def trace(interpreter: LinearInterpreter, eqn: JaxprEqn, k: int, shape: Sequence[int]) -> OnTerm:
    if shape[0] != shape[1]:
        raise NotLinearTerms

    def on_term(term: LinearTerm) -> LinearTerm:
        i, j, *others = term.axes
        return replace(term, axes=tuple(others)).renamed(j, i)

    return on_term


@rule(TERM_RULES, "diag")
def diag(*_: Any) -> OnTerm:
    return lambda term: replace(term, axes=2 * term.axes)


@rule(TERM_RULES, "custom_linear_solve")
def custom_linear_solve(
    interpreter: LinearInterpreter, eqn: JaxprEqn, k: int, shape: Sequence[int], *constants: Array
) -> OnTerm:
    """A product with the inverse, where each column of the solution depends on one column of the right side."""
    is_by_columns = len(shape) == 1 or _is_matrix_product(eqn.params["jaxprs"].matvec)
    if 0 in shape or not is_by_columns or not sum(eqn.params["const_lengths"]) == k == len(constants):
        raise NotLinearTerms
    n, m = shape[0], math.prod(shape[1:])
    E = jnp.eye(n, -(-n // m) * m, dtype=interpreter.dtype).reshape(n, -1, *shape[1:])
    A_inv = jax.vmap(lambda b: bind(eqn, [*constants, b])[0], 1, 1)(E).reshape(n, -1)[:, :n]

    def on_term(term: LinearTerm) -> LinearTerm:
        row, (column, *others) = next(interpreter.labels), term.axes
        return term.times(A_inv, (row, column), (row, *others))

    return on_term


def _is_matrix_product(matvec: ClosedJaxpr) -> bool:
    """Whether a function of a matrix is the product of another with it."""
    if len(matvec.jaxpr.eqns) != 1:
        return False
    (eqn,) = matvec.jaxpr.eqns
    if eqn.primitive is not lax.dot_general_p or eqn.invars[1] is not matvec.jaxpr.invars[-1]:
        return False
    return eqn.params["dimension_numbers"] == (((1,), (0,)), ((), ()))
