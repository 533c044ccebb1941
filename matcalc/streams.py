"""Random numbers: one stream for each purpose, so that a seed fixes each of them whatever else is drawn."""

import operator
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def words(seed: Any) -> list[int]:
    """A seed as non-negative integers: any integer, or a JAX key, of which every word counts.

    TypeError for anything else, and for an array of several keys.
    """
    if isinstance(seed, (jax.Array, np.ndarray)) and seed.ndim:
        is_key = jnp.issubdtype(seed.dtype, jax.dtypes.prng_key)
        if not is_key and seed.dtype == np.uint32 and seed.ndim == 1:  # as jax.random.PRNGKey makes them
            return [int(word) for word in np.asarray(seed)]
        raise TypeError(f"a seed is an integer or one JAX key, got an array of shape {seed.shape}.")
    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        return [int(word) for word in np.asarray(jax.random.key_data(seed)).ravel()]
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"a seed is an integer or one JAX key, got {seed!r}.") from None
    return [number] if number >= 0 else [-number, 1]


def recorded(seed: Any) -> int | tuple[int, ...]:
    """A seed as it is written down: an integer as it is, a key by its words."""
    try:
        return operator.index(seed)
    except TypeError:
        return tuple(words(seed))


def stream(seed: Any, purpose: str) -> np.random.Generator:
    """The random numbers of a seed for one purpose, which is any text."""
    return np.random.default_rng([*words(seed), zlib.crc32(purpose.encode())])
