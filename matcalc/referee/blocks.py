"""Derivatives as lists of blocks, and what is pure arithmetic on them: shapes, scales, directions, projections.

A derivative is a list of blocks in JAX's layout, in float64: one for each variable, for a Hessian one for each pair of
them.
"""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from matcalc.referee.constants import GROUPS
from matcalc.referee.differences import Estimate, basis_size, hessian
from matcalc.referee.tolerances import relative

Array = np.ndarray[Any, Any]
Blocks = list[Array]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Space:
    """Where a derivative lives: the shape of the value, and shapes and scales of the variables.

    `scales` are the units of finite differences: the largest entry of each variable. `projections` bring a direction
    into the linear subspace that is the domain of a variable; None where it is no such.
    """

    value: Shape
    variables: tuple[Shape, ...]
    scales: tuple[float, ...]
    projections: tuple[Callable[[Array], Array] | None, ...]
    order: int

    @functools.cached_property
    def sizes(self) -> list[int]:
        """How many entries each variable has."""
        return [math.prod(shape) for shape in self.variables]

    @property
    def entries(self) -> int:
        """How many all of them have."""
        return sum(self.sizes)

    @functools.cached_property
    def places(self) -> list[slice]:
        """Where each variable stands among the entries of all."""
        return [slice(i, j) for i, j in itertools.pairwise([0, *itertools.accumulate(self.sizes)])]

    def split(self, entries: Array) -> list[Array]:
        """The variables that have these entries."""
        return [entries[place].reshape(x) for place, x in zip(self.places, self.variables, strict=True)]

    @property
    def basis_size(self) -> int:
        """How many directions determine the derivative."""
        return basis_size(self.entries, self.order)

    @functools.cached_property
    def due(self) -> list[tuple[Shape, Shape]]:
        """For each block the shape of what is differentiated and of what by; for a Hessian, the former a gradient's."""
        if self.order == 1:
            return [(self.value, x) for x in self.variables]
        return [(self.value + x, y) for x in self.variables for y in self.variables]

    @property
    def is_restricted(self) -> bool:
        """Whether some variable moves in a subspace only."""
        return any(self.projections)

    def sizes_of_zero(self, f: float) -> list[float]:
        """For each block what a derivative that vanishes is small against: the size of f over that of the variable."""
        if self.order == 1:
            return [f / s for s in self.scales]
        return [f / (s * t) for s in self.scales for t in self.scales]

    # --- Directions

    @functools.cached_property
    def groups(self) -> list[slice]:
        """Where each variable stands among the entries of all; of many, some together."""
        borders = np.unique(np.linspace(0, len(self.sizes), min(len(self.sizes), GROUPS) + 1).astype(int))
        return [slice(self.places[i].start, self.places[j - 1].stop) for i, j in itertools.pairwise(borders)]

    def confined(self, rng: np.random.Generator, count: int) -> Array:
        """That many random directions in each group of variables: a change by one must not hide that by another."""
        V = np.zeros((count * len(self.groups), self.entries))
        for k, part in enumerate(self.groups):
            V[count * k : count * (k + 1), part] = rng.standard_normal((count, part.stop - part.start))
        return V

    def parts(self, estimate: Estimate) -> list[Array]:
        """Which directions of finite differences move each group of variables; of second order, all are one part."""
        every = np.arange(len(estimate.directions))
        if self.order == 2:
            return [every]
        moves = [np.any(estimate.directions[:, part] != 0, axis=1) for part in self.groups]
        return [every[m] for m in moves if np.any(m)]

    def inside(self, V: Array) -> Array:
        """Directions brought into the subspaces that are the domains of variables."""
        if not self.is_restricted:
            return V
        parts = [
            V[:, at]
            if project is None
            else np.stack([project(v) for v in V[:, at].reshape(-1, *x)]).reshape(len(V), -1)
            for at, x, project in zip(self.places, self.variables, self.projections, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    # --- Derivatives

    def along(self, blocks: Blocks, estimate: Estimate) -> Array:
        """A derivative along the directions of finite differences, which are in units of the scales."""
        sizes = self.sizes
        if self.order == 1:
            flat = [s * D.reshape(-1, n) for D, s, n in zip(blocks, self.scales, sizes, strict=True)]
            return estimate.project(np.concatenate(flat, axis=1), 1)
        k = len(sizes)
        rows = [
            np.concatenate(
                [self.scales[i] * self.scales[j] * blocks[k * i + j].reshape(-1, sizes[i], sizes[j]) for j in range(k)],
                axis=2,
            )
            for i in range(k)
        ]
        return estimate.project(np.concatenate(rows, axis=1), 2)

    def shaped(self, blocks: Blocks) -> Blocks:
        """Blocks of a derivative with the axes that are due, of the value and then of the variable."""
        return [D.reshape(a + b) for D, (a, b) in zip(blocks, self.due, strict=True)]

    def projected(self, blocks: Blocks) -> Blocks:
        """What of a derivative has a meaning: its directions inside the domain; of a Hessian, from both sides."""
        if not self.is_restricted:
            return blocks
        count = len(self.variables)
        inside = [self._inside(D, k % count) for k, D in enumerate(blocks)]
        if self.order == 2:
            for k, D in enumerate(inside):
                axes = len(self.variables[k // count])
                outer, last = range(len(self.value), len(self.value) + axes), range(-axes, 0)
                inside[k] = np.moveaxis(self._inside(np.moveaxis(D, outer, last), k // count), last, outer)
        return inside

    def _inside(self, D: Array, place: int) -> Array:
        """A block of which the last axes, those of a variable, are brought into its subspace."""
        project, x = self.projections[place], self.variables[place]
        return D if project is None else np.stack([project(d) for d in D.reshape(-1, *x)]).reshape(D.shape)

    def of_differences(self, estimate: Estimate) -> Blocks:
        """All of a derivative, from finite differences along the directions that determine it."""
        scaled = list(zip(self.places, self.scales, strict=True))
        if self.order == 2:
            H = hessian(estimate.values, self.entries)
            return self.shaped([H[..., i, j] / (s * t) for i, s in scaled for j, t in scaled])
        J = np.moveaxis(estimate.values, 0, -1)  # directions are axes, in units of each variable
        return self.projected(self.shaped([J[..., i] / s for i, s in scaled]))

    def asymmetry(self, blocks: Blocks) -> float:
        """How far a Hessian is from being symmetric."""
        k = len(self.sizes)
        flat = [D.reshape(-1, self.sizes[i // k], self.sizes[i % k]) for i, D in enumerate(blocks)]
        return max(relative(D.swapaxes(1, 2), flat[i % k * k + i // k], 1.0) for i, D in enumerate(flat))


def scale(a: Array) -> float:
    """The size of the largest entry, or 1 where all are zero."""
    return float(np.max(np.abs(a), initial=0.0)) or 1.0
