"""How many threads multiply matrices: of small ones a single thread is faster by far than several that wait."""

import contextlib
from collections.abc import Generator
from functools import lru_cache
from importlib import import_module
from typing import Any


@lru_cache(maxsize=1)
def _libraries() -> Any:
    import_module("scipy.linalg")  # which has a BLAS of its own
    return import_module("threadpoolctl").ThreadpoolController()


@contextlib.contextmanager
def one_thread() -> Generator[None]:
    """BLAS with one thread, inside of it."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield
