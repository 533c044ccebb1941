"""What `jax.grad`, `jacfwd`, `jacrev` and `hessian` make of a function: the automatic twin of each closed form."""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array

from matcalc._linalg import jax_rules


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
