"""Derivatives as linear maps: applied at the cost of their factors, and never written down unless asked for."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from matcalc.planner.linear import jacobian_of_linear
from matcalc.planner.transform import reassociate


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["apply"], meta_fields=["variable", "value", "is_transposed"]
)
@dataclass(frozen=True, repr=False)
class DerivativeOperator:
    """The derivative of a function at a point as a linear map, from changes of its variable to changes of its value.

    `D @ V` applies it, `D.T @ W` its transpose, and `D.dense()` writes it down. An operator can go through jit, vmap
    and other transformations. TypeError and ValueError say what is wrong with an argument.
    """

    apply: Callable[[Any], Any]  # what JAX keeps of the point is in it, such as X⁻¹
    variable: jax.ShapeDtypeStruct
    value: jax.ShapeDtypeStruct
    is_transposed: bool = False
    __array_ufunc__ = None  # so that NumPy leaves A @ D to the operator

    def __repr__(self) -> str:
        return f"<derivative, from {self.variable.shape} to {self.value.shape}, in {self.variable.dtype}>"

    @property
    def shape(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shape of what it gives, and of what it takes."""
        return self.value.shape, self.variable.shape

    @property
    def T(self) -> "DerivativeOperator":
        """The transpose, from changes of the value to changes of the variable: what `jax.vjp` applies."""
        return DerivativeOperator(self.apply, self.value, self.variable, not self.is_transposed)

    def __matmul__(self, V: Any) -> Array:
        try:
            V = jnp.asarray(V)
        except (TypeError, ValueError):
            raise TypeError(f"the operator takes an array, got {type(V).__name__}.") from None
        if V.shape != self.variable.shape:
            raise ValueError(f"the operator takes an array of shape {self.variable.shape}, got {V.shape}.")
        if V.dtype != self.variable.dtype:
            raise TypeError(f"the operator takes an array of {self.variable.dtype}, got {V.dtype}. Use .astype().")
        return self._function(V)

    def __rmatmul__(self, W: Any) -> Array:
        raise TypeError("the operator stands on the left, D @ V; the transpose is applied by D.T @ W.")

    def _function(self, V: Any) -> Array:
        return jax.linear_transpose(self.apply, self.value)(V)[0] if self.is_transposed else self.apply(V)

    def dense(self) -> Array:
        """All of it, in JAX's layout: the axes of the value, then those of the variable.

        Where it is a sum of products, -X⁻¹ V X⁻¹ for instance, its factors are multiplied, at the cost of writing the
        result; else it is applied to a basis.
        """
        if self.is_transposed:
            k = len(self.variable.shape)
            return jnp.moveaxis(self.T.dense(), range(k), range(-k, 0)) if k else self.T.dense()
        return jacobian_of_linear(self._function, self.variable)

    def as_lineax(self) -> Any:
        """The same as an operator of lineax, to solve with, for instance. ImportError where lineax is missing."""
        try:
            lineax: Any = import_module("lineax")
        except ImportError:
            raise ImportError('this needs lineax: pip install "jax-matcalc[operators]"') from None
        return lineax.FunctionLinearOperator(self._function, self.variable)


def derivative_operator(f: Callable[[Any], Any], x: Any) -> DerivativeOperator:
    """The derivative of a function of one array at `x`, as a linear map.

    `derivative_operator(jnp.linalg.inv, X) @ V` is -X⁻¹ V X⁻¹; with `jax.grad(f)` for f it is the Hessian. Products
    are taken in the cheapest order, see `reassociate`. TypeError for what is not an array of floating point numbers.
    """
    try:
        if not callable(f):
            raise TypeError
        x = jnp.asarray(x)
    except (TypeError, ValueError):
        got = ", ".join(type(given).__name__ for given in (f, x))
        raise TypeError(f"a derivative is that of a function at an array, in this order; got {got}.") from None
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise TypeError(f"a derivative is taken by floating point numbers, got {x.dtype}. Use .astype(jnp.float32).")
    value, apply = jax.linearize(reassociate(f), x)
    if not hasattr(value, "shape"):
        raise TypeError(f"the function must return one array, got {type(value).__name__}.")
    if not jnp.issubdtype(value.dtype, jnp.inexact):
        raise TypeError(f"the function must return floating point numbers, got {value.dtype}: it has no derivative.")
    variable, result = (jax.ShapeDtypeStruct(a.shape, a.dtype) for a in (x, value))
    return DerivativeOperator(apply, variable, result)
