"""Tensors of PyTorch, which is used where it is given and never imported for its own sake."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def is_tensor(leaf: Any) -> bool:
    """Whether it is a tensor of PyTorch."""
    return "torch" in sys.modules and isinstance(leaf, sys.modules["torch"].Tensor)


def array(result: Any) -> Array:
    """A result as an array of NumPy, without the history of a tensor."""
    return result.detach().cpu().resolve_conj().numpy() if is_tensor(result) else np.asarray(result)


def tensor(a: Array) -> Any:
    """An array as a tensor of its own memory."""
    return sys.modules["torch"].from_numpy(np.array(a))


def jacobian(f: Callable[[Any], Any], variables: Sequence[Array], order: int) -> list[Any]:
    """The derivative of f(list of tensors) by torch.autograd: a block for each variable, of order 2 for each pair."""
    functional = sys.modules["torch"].autograd.functional
    inputs = tuple(tensor(v) for v in variables)

    def of(*moved: Any) -> Any:
        return f(list(moved))

    if order == 1:
        return list(functional.jacobian(of, inputs))
    return [block for row in functional.hessian(of, inputs) for block in row]
