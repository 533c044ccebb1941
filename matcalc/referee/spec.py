"""How the arguments of a function are made of arrays, and back: statics, tensors, complex numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.referee.programs import is_real
from matcalc.referee.tensors import tensor

Form = Literal["derivative", "pushforward", "pullback"]
By = Literal["jax", "numpy"]


@dataclass(frozen=True)
class Spec:
    """How the arguments of a function are made of arrays, and what is differentiated by which of them.

    `statics` are those leaves of the arguments that are no arrays, by place, with their types, for 1 is equal to True;
    `variables` are places in the list of the arrays, `positions` says which arguments they make up, and `owners` of
    which argument each leaf is. With `is_hasty` the witnesses are compiled with little optimisation, and `by` says what
    computes values and claims. `tensors` are places in the list of the arrays that f takes as tensors of PyTorch, and
    `pairs` those of complex variables, which move as real and imaginary parts, on an axis of their own at the end.
    """

    tree: Any
    statics: tuple[tuple[int, Any, type], ...]
    variables: tuple[int, ...]
    positions: tuple[int, ...]
    owners: tuple[int, ...]
    is_one: bool
    form: Form
    order: int
    is_hasty: bool
    by: By
    tensors: tuple[int, ...] = ()
    pairs: tuple[int, ...] = ()

    def arguments(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of the function."""
        leaves = [tensor(a) if k in self.tensors and isinstance(a, np.ndarray) else a for k, a in enumerate(arrays)]
        leaves = [a[..., 0] + 1j * a[..., 1] if k in self.pairs and is_real(a) else a for k, a in enumerate(leaves)]
        for place, leaf, _ in self.statics:
            leaves.insert(place, leaf)
        return jax.tree.unflatten(self.tree, leaves)

    def split(self, arguments: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
        """The variables and all arrays of arguments of the function."""
        statics = {place for place, _, _ in self.statics}
        leaves = enumerate(self.tree.flatten_up_to(arguments))
        arrays = [leaf for place, leaf in leaves if place not in statics]
        return tuple(arrays[k] for k in self.variables), arrays

    def moving(self, claim: Any) -> Any:
        """Of a claim in the structure of the variables what is by those that move."""
        leaves = jax.tree.leaves(claim)
        places = [k for k in range(self.tree.num_leaves) if self.owners[k] in self.positions]
        statics = {place for place, _, _ in self.statics}
        arrays = [k for k in range(self.tree.num_leaves) if k not in statics]
        moving = [arrays[k] for k in self.variables]
        chosen = [places.index(k) for k in moving]
        count = len(places) ** self.order
        if len(leaves) == count:
            blocks = np.arange(count).reshape((len(places),) * self.order)
            leaves = [leaves[k] for k in blocks[np.ix_(*[chosen] * self.order)].ravel()]
        if not self.pairs or self.order > 1 or len(leaves) != len(moving):
            return leaves if len(leaves) == len(moving) ** self.order < count else claim
        return [self._paired(k, leaf) for k, leaf in zip(self.variables, leaves, strict=True)]

    def _paired(self, place: int, claim: Any) -> Any:
        """JAX's gradient ∂f/∂x - i ∂f/∂y by x and by y."""
        if place not in self.pairs:
            return claim
        return jnp.stack([jnp.real(claim), -jnp.imag(claim)], axis=-1)

    def moved(self, arrays: Sequence[Any], variables: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of the function with other values of the variables."""
        at = dict(zip(self.variables, variables, strict=True))
        return self.arguments([at.get(place, a) for place, a in enumerate(arrays)])

    def tangents(self, arrays: Sequence[Any], variables: Sequence[Any]) -> Any:
        """Something for each variable, in the structure that the variables have among the arguments."""
        arguments = self.moved(arrays, variables)
        return arguments[self.positions[0]] if self.is_one else tuple(arguments[p] for p in self.positions)
