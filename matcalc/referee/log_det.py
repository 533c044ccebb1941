"""The log-determinant of a change of variables against its Jacobian."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.referee.check import check_gradient, settings
from matcalc.referee.findings import Cause
from matcalc.referee.report import Report


def check_log_det(bijector: Callable[[Any], Any], log_det: Callable[[Any], Any], x: Any, **options: Any) -> Report:
    """Check that `log_det(x)` is ln |∂y/∂x| of y = bijector(x), and say what is wrong with it.

    `bijector` takes an array to one of as many entries, such as a layer of a normalizing flow, and is differentiable by
    JAX; `log_det` gives one number. `options` are the `seed`, `platform`, `precision` and `seconds` of
    `matcalc.check_gradient`.

    JAX's derivative of the bijector is checked first, by finite differences; a report on it that does not pass is what
    is returned. Then the claim stands before ln |det J| of that Jacobian J, with the tolerance of every check: the
    derivative by t of t ln |det J(x)| at t = 1 is what is claimed. Returns a `Report`. Raises as `check_gradient` does.
    Source: D. J. Rezende and S. Mohamed, Variational inference with normalizing flows (ICML 2015), eq. 6.
    """
    own = check_gradient(bijector, None, x, **options)
    if not own.ok:
        note = "This is the derivative of the bijector, without which its determinant is not known."
        return replace(own, notes=(*own.notes, note))
    size, size_of_y = jnp.size(x), math.prod(jax.eval_shape(bijector, x).shape)

    def f(t: Any, x: Any) -> Any:
        return t * jnp.linalg.slogdet(jax.jacobian(bijector)(x).reshape(size, size))[1]

    if size_of_y != size:
        text = f"The bijector takes {size} entries to {size_of_y}, and its Jacobian has no determinant."
        return replace(own, verdict="inconclusive", cause=Cause("shape", text, "Give one that keeps their number."))
    if _is_singular(bijector, x):
        text = "The Jacobian of the bijector is singular at this point: y is no bijection here, and ln |∂y/∂x| is -∞."
        return replace(
            own, verdict="inconclusive", cause=Cause("singular", text, "Give another one, or move the point.")
        )
    found = check_gradient(f, lambda t, x: log_det(x), 1.0, x, **options)
    (variable,) = found.variables
    cause = found.cause
    if cause and cause.name == "not zero":
        cause = Cause("not zero", "It is not 0, and ln |∂y/∂x| is 0 here.", "Look for what is added to it.")
    if cause and cause.name == "non-finite" and found.verdict == "inconclusive":
        cause = Cause("non-finite", "ln |∂y/∂x| is not finite at this point.", "Choose another.")
    return replace(found, function=own.function, cause=cause, variables=(replace(variable, name="ln |∂y/∂x|"),))


def _is_singular(bijector: Callable[[Any], Any], x: Any) -> bool:
    """Whether the Jacobian is so to rounding, with its rows and columns scaled: what is small is not singular."""
    with settings("highest"):
        J = np.asarray(jax.jacobian(bijector)(np.asarray(x, np.float64)))
    J = J.reshape(np.size(x), np.size(x))
    eps = np.finfo(J.dtype).eps
    for axis in (1, 0):
        sizes = np.max(np.abs(J), axis, keepdims=True)
        if not np.all(sizes > 0):
            return True
        J = J / sizes
    s = np.linalg.svd(J, compute_uv=False)
    return bool(s[-1] <= len(J) * eps * s[0])
