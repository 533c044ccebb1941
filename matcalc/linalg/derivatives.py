"""How a function of matrices is differentiated: by a closed form, or by what `jax.grad`, `jacfwd` … make of it."""

import contextlib
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero


def with_derivative(
    f: Callable[..., Array], both: Callable[..., tuple[Array, Array]], argnum: int
) -> Callable[..., Array]:
    """The function `f`, differentiated with respect to argument `argnum` by a closed form.

    `both(*arguments)` returns the value and ∂f/∂(argument) in JAX's layout, computed together. With respect to the
    other arguments JAX differentiates `f` itself. A derivative is computed only with respect to the arguments that are
    differentiated. Forward mode, reverse mode and higher orders work: they differentiate the closed form.
    """
    function: Any = jax.custom_jvp(f)

    def rule(primals: Any, tangents: Any) -> Any:
        moving = [i for i, t in enumerate(tangents) if not isinstance(t, SymbolicZero)]
        if argnum in moving:
            X, dX = primals[argnum], tangents[argnum]
            value, derivative = both(*primals)
            change = jnp.tensordot(derivative, dX, axes=jnp.ndim(X))
            moving.remove(argnum)
        else:
            value = function(*primals)
            change = jnp.zeros_like(value)
        if moving:

            def of_the_others(*others: Array) -> Array:
                arguments = list(primals)
                for i, other in zip(moving, others, strict=True):
                    arguments[i] = other
                return f(*arguments)

            change += jax.jvp(of_the_others, [primals[i] for i in moving], [tangents[i] for i in moving])[1]
        return value, change

    function.defjvp(rule, symbolic_zeros=True)
    return function


_jax_rules: ContextVar[bool] = ContextVar("jax_rules", default=False)


@contextlib.contextmanager
def jax_rules() -> Generator[None]:
    """While this is open, the functions of this package are differentiated by JAX's own rules, where JAX has one.

    A closed form is compared with automatic differentiation under this, so that the two share no rule.
    """
    token = _jax_rules.set(True)
    try:
        yield
    finally:
        _jax_rules.reset(token)


def jax_rules_are_asked_for() -> bool:
    """Whether `jax_rules` is open."""
    return _jax_rules.get()


def autodiff(f: Callable[[Any], Array], order: int = 1) -> Callable[[Any], Array]:
    """The derivative of the given order of a function of one array, in JAX's layout, by JAX's own rules.

    Reverse mode for a scalar value, forward mode otherwise, and forward over reverse for a second derivative; order 0
    is the function itself.
    """

    def derivative(x: Any) -> Array:
        g = f
        for _ in range(order):
            is_scalar = jax.eval_shape(g, x).shape == ()
            g = jax.grad(g) if is_scalar else jax.jacfwd(g)
        with jax_rules():
            return g(x)

    return derivative
