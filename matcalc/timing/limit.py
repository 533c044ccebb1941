"""What the machine can do at best: the rate of its matrix products, and of its memory."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.planner import Work
from matcalc.timing.cell import Cell

SIDE = 1024  # of the product


def references(cell: Cell) -> dict[str, Callable[[], Any]]:
    """What is timed beside a cell to know its limit: a square product, and a copy of as many bytes as it moves."""
    dtype = jnp.dtype(cell.dtype)
    A = jnp.ones((SIDE, SIDE), dtype)
    x = jnp.ones(max(1, _least_bytes(cell) // (2 * dtype.itemsize)), dtype)
    multiply = jax.jit(jnp.matmul).lower(A, A).compile()
    copy = jax.jit(jnp.negative).lower(x).compile()
    return {"product": lambda: multiply(A, A), "copy": lambda: copy(x)}


def limit(work: Work, product: Any, copy: Any) -> Any:
    """The seconds that the cell takes at least, by those of the two references: its multiply-adds or its bytes."""
    return np.maximum(work.operations / SIDE**3 * np.asarray(product), np.asarray(copy))


def is_of_products(work: Work) -> bool:
    """Whether a program consists of sums of matrix products only."""
    return not work.others and work.operations > 0


def _least_bytes(cell: Cell) -> int:
    """The arguments read once, and the result written once."""
    results = jax.eval_shape(cell.ours(), *cell.arrays)
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in (*cell.arrays, *jax.tree.leaves(results)))
