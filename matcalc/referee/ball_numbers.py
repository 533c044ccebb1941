"""Balls: numbers of 80 digits with proven bounds, by python-flint, and how many operations on them may be done.

Literature: F. Johansson, Arb: efficient arbitrary-precision midpoint-radius interval arithmetic, IEEE Trans. Computers
66 (2017).
"""

import contextlib
from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray[Any, Any]

DIGITS = 80
WORK = 1_000_000  # operations on balls, about a second or two


class Unknown(Exception):
    """A program that ball arithmetic cannot follow."""


class Budget:
    """How many operations on balls may still be done."""

    def __init__(self, operations: int = WORK) -> None:
        self.left = operations

    def take(self, operations: int) -> None:
        """Unknown where they are more than are left."""
        self.left -= operations
        if self.left < 0:
            raise Unknown("it takes too much work")


@contextlib.contextmanager
def digits(count: int = DIGITS) -> Generator[None]:
    """Ball arithmetic to so many digits. Unknown where python-flint is not installed."""
    try:
        context = import_module("flint").ctx
    except ImportError:
        raise Unknown("python-flint is not installed") from None
    before, context.dps = context.dps, count
    try:
        yield
    finally:
        context.dps = before


def rounded(balls: Array) -> Array:
    """The nearest numbers in float64. Unknown where a ball is too wide to tell them."""
    balls = np.asarray(balls, object)
    if not all(b.is_finite() and (b.rel_accuracy_bits() > 60 or abs(b) < 1e-300) for b in balls.ravel()):
        raise Unknown("a ball is too wide")
    return mapped(lambda b: float(b.mid()), balls).astype(np.float64)


def ball(value: Any) -> Any:
    """A number as an exact ball."""
    return import_module("flint").arb(value)


def balls(array: Any) -> Any:
    """An array of floating numbers as exact balls; of balls, of other numbers, or of keys, as it is."""
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return array
    array = np.asarray(array)
    if array.dtype == object or not jnp.issubdtype(array.dtype, jnp.floating):
        return array
    return mapped(ball, array.astype(np.float64))


def mapped(function: Callable[..., Any], *arrays: Array) -> Array:
    """An elementwise function of arrays of one shape, or of scalars, as an array of objects."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
    flat = [np.broadcast_to(a, shape).ravel() for a in arrays]
    result = np.empty(len(flat[0]), object)
    result[:] = [function(*values) for values in zip(*(a.tolist() for a in flat), strict=True)]
    return result.reshape(shape)
