"""The matrix products of a traced program, and those of them that may be computed in less than full precision."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp


def products(jaxpr: Any) -> Iterator[Any]:
    """The operations that multiply matrices of floating numbers: those that JAX gives a precision.

    Also those in programs inside the program: of loops, conditionals, jitted functions, and functions with derivatives
    of their own.
    """
    for equation in jaxpr.eqns:
        if "precision" in equation.params and jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.inexact):
            yield equation
        for parameter in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from products(inner)


def weak_products(jaxpr: Any) -> list[Any]:
    """Those that do not ask for `jax.lax.Precision.HIGHEST` of both operands."""
    return [equation for equation in products(jaxpr) if not _is_full(equation.params["precision"])]


def _is_full(precision: Any) -> bool:
    pair = precision if isinstance(precision, tuple) else (precision, precision)
    return all(of_operand == jax.lax.Precision.HIGHEST for of_operand in pair)
