"""How the arguments of a function are made of arrays, and back: statics, tensors, complex numbers."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.referee.programs import Raised, is_real
from matcalc.referee.tensors import tensor

Form = Literal["derivative", "pushforward", "pullback"]
By = Literal["jax", "numpy"]


class Misnamed(Raised):
    """A claim has names that the variables do not have; `args` are a sentence and the names that are due."""


@dataclass(frozen=True)
class Spec:
    """How the arguments of a function are made of arrays, and what is differentiated by which of them.

    `statics` are those leaves of the arguments that are no arrays, by place, with their types, for 1 is equal to True;
    `variables` are places in the list of the arrays, `positions` says which arguments they make up, and `owners` of
    which argument each leaf is. With `is_hasty` the witnesses are compiled with little optimisation, and `by` says what
    computes values and claims. `tensors` are places in the list of the arrays that f takes as tensors of PyTorch, and
    `pairs` those of complex variables, which move as real and imaginary parts, on an axis of their own at the end, and
    `names` are those of the arguments.
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
    names: tuple[str, ...] = ()

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
        """Of a claim in the structure of the variables what is by those that move. Misnamed where it names others."""
        places, chosen = self._places, self._chosen
        leaves = jax.tree.leaves(self.ordered(claim))
        if len(leaves) == len(places) ** self.order:
            leaves = [leaves[k] for k in chosen]
        if len(leaves) != len(chosen):
            return claim
        if not self.pairs or self.order > 1:
            return leaves
        return [self._paired(k, leaf) for k, leaf in zip(self.variables, leaves, strict=True)]

    @property
    def _places(self) -> list[int]:
        """Which leaves of the arguments are those of the variables, whether they move or not."""
        return [k for k in range(self.tree.num_leaves) if self.owners[k] in self.positions]

    @property
    def _chosen(self) -> list[int]:
        """Which of the blocks by all of them are by those that move."""
        places, statics = self._places, {place for place, _, _ in self.statics}
        arrays = [k for k in range(self.tree.num_leaves) if k not in statics]
        moving = [places.index(arrays[k]) for k in self.variables]
        blocks = np.arange(len(places) ** self.order).reshape((len(places),) * self.order)
        return blocks[np.ix_(*[moving] * self.order)].ravel().tolist()

    def ordered(self, claim: Any) -> Any:
        """The leaves of a claim by those variables that move, if it names them all; else the claim as it is.

        Misnamed where it names others.
        """
        places, chosen = self._places, self._chosen
        paths = jax.tree_util.tree_flatten_with_path(claim)[0]
        found = {_keys(path): leaf for path, leaf in paths}
        every = jax.tree_util.tree_flatten_with_path(jax.tree.unflatten(self.tree, range(self.tree.num_leaves)))[0]
        keys = [_keys(every[k][0]) for k in places]
        inside = [path[1:] for path in keys] if self.is_one else [(self.positions.index(p), *q) for p, *q in keys]
        by_argument = [(self.names[p], *q) for p, *q in keys]
        for due in (inside, by_argument):
            due = [sum(pair, ()) for pair in itertools.product(due, repeat=self.order)]
            if found.keys() <= set(due) and all(due[k] in found for k in chosen):
                return [found[due[k]] for k in chosen]
        known = {key for path in (*inside, *by_argument) for key in path}
        named = [k.key for path, _ in paths for k in path if isinstance(k, jax.tree_util.DictKey)]
        if unknown := [key for key in dict.fromkeys(named) if key not in known]:
            due = [self.names[p] + "".join(f"[{key!r}]" for key in q) for p, *q in keys]
            raise Misnamed(f"It has an entry {unknown[0]!r}, which names nothing of what is differentiated by", due)
        return claim

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


def _keys(path: Any) -> tuple[Any, ...]:
    """A path in a tree as keys, names and places, whatever holds them."""
    return tuple(getattr(k, "key", getattr(k, "name", getattr(k, "idx", None))) for k in path)
