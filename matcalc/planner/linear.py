"""The entries of a linear map that is a sum of products, from its factors."""

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import Array, lax

from matcalc.planner.execution import Execution
from matcalc.planner.linear_rules import LinearInterpreter, LinearSum, LinearTerm, NotLinearTerms
from matcalc.planner.network import Label, Node, Term
from matcalc.planner.operations import ClosedJaxpr
from matcalc.planner.recognition import TERMS
from matcalc.planner.search import cheapest
from matcalc.planner.space import Space, TooLarge
from matcalc.planner.transform import interpret


def jacobian_of_linear(apply: Callable[[Any], Any], variable: jax.ShapeDtypeStruct) -> Array:
    """The entries of a linear map, the axes of its value first and then those of its variable.

    P V Q is a product with V in it; without V, and with the labels of V open, it is the derivative P ⊗ Qᵀ. A map of
    another form is applied to a basis; TypeError if it is one of complex numbers, as it may be linear over ℝ only.
    """
    interpreter, written = LinearInterpreter(variable), cast(ClosedJaxpr, jax.make_jaxpr(apply)(variable))
    shape = (*written.out_avals[0].shape, *variable.shape)

    def by_basis() -> Array:
        if jnp.issubdtype(variable.dtype, jnp.complexfloating):
            raise TypeError(f"this map is written down for real variables only, got {variable.dtype}. Apply it with @.")
        if 0 in shape:
            return jnp.zeros(shape, written.out_avals[0].dtype)
        basis = jnp.eye(math.prod(variable.shape), dtype=variable.dtype).reshape(-1, *variable.shape)
        return jax.vmap(lambda V: interpret(written, [V])[0], out_axes=-1)(basis).reshape(shape)

    try:
        (value,) = interpreter.run(written, [interpreter.V])
        if not isinstance(value, tuple):  # 0, as it does not depend on V
            return jnp.zeros(shape, value.dtype)
        entries = _planned(interpreter, value, shape)
    except (NotLinearTerms, TooLarge):
        return by_basis()
    return lax.cond(jnp.all(jnp.stack(interpreter.assumed)), entries, by_basis) if interpreter.assumed else entries()


def _planned(interpreter: LinearInterpreter, value: LinearSum, shape: Sequence[int]) -> Callable[[], Array]:
    """A function that computes the entries of the derivative of a value by V. TooLarge if no plan is found."""
    derivatives = _derivatives(interpreter, value, shape)
    # Products of different precisions do not join; at the highest all do.
    precision = interpreter.precisions.pop() if len(interpreter.precisions) == 1 else (lax.Precision.HIGHEST,) * 2

    def in_parts(terms: Sequence[LinearTerm]) -> list[Callable[[], Array]]:
        """The sum in as few parts as can be planned."""
        half = len(terms) // 2
        try:
            if len(terms) <= TERMS:
                return [_plan(terms, interpreter.dtype, precision)]
        except TooLarge:
            if not half:
                raise
        return in_parts(terms[:half]) + in_parts(terms[half:])

    parts = in_parts(derivatives)
    return lambda: functools.reduce(operator.add, (part() for part in parts))


def _derivatives(interpreter: LinearInterpreter, value: LinearSum, shape: Sequence[int]) -> list[LinearTerm]:
    """The terms without V, with the axes of V behind their own.

    A label of V that is also an axis stands for δ, the entries of an identity matrix. One that no factor has gets a
    factor 1.
    """

    @functools.cache
    def eye(size: int) -> Array:
        return jnp.diag(jnp.ones(size, interpreter.dtype))

    def without_V(term: LinearTerm) -> LinearTerm:
        arrays = {label for array, labels in term.factors if not isinstance(array, int) for label in labels}
        factors = [f for f in term.factors if not isinstance(f[0], int) or f[1][0] not in arrays]
        axes: list[Label] = []
        for label, size in zip((*term.axes, *term.of_V), shape, strict=True):
            if label in axes:
                new = next(interpreter.labels)
                factors.append((eye(size), (label, new)))
                axes.append(new)
            else:
                if not any(label in labels for _, labels in factors):
                    factors.append((size, (label,)))
                axes.append(label)
        return LinearTerm(term.sign, tuple(factors) or ((jnp.ones((), interpreter.dtype), ()),), (), tuple(axes))

    return list(map(without_V, value))


def _plan(terms: Sequence[LinearTerm], dtype: Any, precision: Any) -> Callable[[], Array]:
    """A function that computes a sum of terms without V in the cheapest order."""
    space, arrays = Space(), dict[int, Array]()  # by place in memory, as arrays can't be hashed

    def node(array: Array | int) -> Node:
        if isinstance(array, int):
            return space.array((array, dtype), (array,), "ones")
        arrays[id(array)] = array
        return space.array(id(array), array.shape)

    def as_term(term: LinearTerm) -> Term:
        return Term(term.sign, tuple((node(array), labels) for array, labels in term.factors), term.axes)

    part = space.sum(list(map(as_term, terms)))
    plan = cheapest(space, [part.node])
    return lambda: Execution(space, plan, arrays.__getitem__, precision).value(part, terms[0].axes)
