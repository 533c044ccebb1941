"""The programs of one check, where they run, and what they gave: values, JAX's derivative, and the claim."""

import functools
from collections.abc import Callable
from typing import Any, TypedDict

import jax
import numpy as np

from matcalc.layout import Layout, from_layout
from matcalc.referee.blocks import Blocks, Shape, Space, scale
from matcalc.referee.constants import MEANINGLESS, TANGENTS
from matcalc.referee.programs import Array, Arrays, Program, Raised, Running, is_real
from matcalc.referee.subject import Subject, in_float64
from matcalc.referee.tolerances import Precision, relative, unit_roundoff
from matcalc.referee.watch import Watch


class WhereRun(TypedDict):
    """How a claim is read and run: its layout, the precision of products, and the platform (None: JAX's default)."""

    layout: Layout
    precision: Precision
    platform: str | None


class Misshapen(Exception):
    """The claimed derivative does not have the shape that is due; `args` are the arrays claimed."""


class Runs:
    """What is computed of a claimed derivative at a point, on the device asked for and in float64 on the CPU.

    `moves` says whether the claim can be computed at another point too. When the time on the `watch` is over, nothing
    runs any more. `accuracy` is that of f, relatively, where it is told.
    """

    def __init__(
        self,
        subject: Subject,
        gradient: Any,
        moves: bool | None = None,
        *,
        layout: Layout,
        precision: Precision,
        platform: str | None,
        watch: Watch | None = None,
        accuracy: float = 0.0,
    ) -> None:
        self.subject, self.gradient, self.accuracy = subject, gradient, accuracy
        self.watch = watch or Watch()
        self.layout: Layout = layout
        self.precision: Precision = precision
        self.order, self.form = subject.spec.order, subject.spec.form
        (self.device,) = jax.devices(platform)[:1] if platform else jax.device_put(0.0).devices()  # that JAX takes
        self._asked, self.platform = platform, platform or jax.default_backend()
        self.moves = callable(gradient) if moves is None else moves
        self.of_value = Running(subject.value, self.watch)
        self.of_derivative = Running(subject.derivative, self.watch)
        self.of_claim = Running(subject.claim(gradient), self.watch) if callable(gradient) else None

    def at(self, arrays: Arrays) -> "Runs":
        """The same at another point; what was compiled is kept."""
        where: WhereRun = {"layout": self.layout, "precision": self.precision, "platform": self._asked}
        return Runs(
            self.subject.at(arrays), self.gradient, self.moves, watch=self.watch, accuracy=self.accuracy, **where
        )

    @functools.cached_property
    def exact(self) -> Arrays:
        """The arguments in float64, unless that makes another function of f: it then stays in the dtype given.

        So it is where random numbers are drawn in the dtype of an argument, and where weights of another dtype are
        written into f.
        """
        arrays, exact = self.subject.arrays, in_float64(self.subject.arrays)
        if all(a.dtype == b.dtype for a, b in zip(arrays, exact, strict=True) if is_real(a)):
            return exact
        given = self._of_value_at(exact, np.float64)
        try:
            with jax.default_device(self._cpu):
                if not self.of_value.draws(*given):
                    return exact
                value = self.of_value(*given)
        except Raised:
            value = []
        try:
            with jax.default_device(self._cpu):
                own = self.of_value(*self._of_value_at(arrays, None))
        except Raised:
            return exact
        pairs = zip(value, own, strict=True) if len(value) == len(own) else ()
        same = value and all(relative(a.astype(np.float64), b.astype(np.float64), 1.0) < MEANINGLESS for a, b in pairs)
        return exact if same else arrays

    def _of_value_at(self, arrays: Arrays, dtype: Any) -> tuple[Arrays, Arrays, Arrays]:
        """What the program of the value takes at a point."""
        start = self._variables_placed(self.subject.start(arrays), self._cpu)
        return start, self._put(arrays, self._cpu), self.tangents(dtype)

    def promoted(self, arrays: Arrays) -> Arrays:
        """Other arguments in the dtypes of `exact`."""
        return [a.astype(e.dtype, copy=False) if is_real(a) else a for a, e in zip(arrays, self.exact, strict=True)]

    @functools.cached_property
    def loops(self) -> bool:
        """Whether something loops until numbers are close: in a coarser dtype it might never end."""
        start, tangents = self.subject.start(self.exact), self.tangents(np.float64)
        of_f = self.of_value.loops(start, self.exact, tangents)
        return of_f or (self.of_claim is not None and self.of_claim.loops(self.exact, tangents))

    @property
    def library(self) -> str:
        """Whose automatic derivative f has."""
        return "PyTorch" if self.subject.spec.tensors else "JAX"

    @property
    def names(self) -> list[str]:
        """What each block is a derivative by."""
        names = ["the tangents"] if self.form == "pushforward" else self.subject.names
        return names if self.order == 1 else [f"{a}, {b}" for a in names for b in names]

    def counts(self) -> dict[str, int]:
        """How often each program has run."""
        running = {"f": self.of_value, "autodiff": self.of_derivative, "gradient": self.of_claim}
        return {name: each.count for name, each in running.items() if each}

    def mutations(self) -> list[str]:
        """Which functions change their arguments."""
        running = {"f": self.of_value, "The gradient": self.of_claim}
        return [
            f"{name} changes its arguments in place; it was given copies. Let it return new arrays."
            for name, each in running.items()
            if each and each.mutates
        ]

    # --- The point

    @functools.cached_property
    def centre(self) -> list[Array]:
        """What f returns in float64. Raised for what it raises."""
        return self.value(self.subject.start(self.exact), self.exact)

    @functools.cached_property
    def space(self) -> Space:
        """Where the derivative lives."""
        variables = self.subject.start(self.exact)
        domains = [self.subject.domains.get(k) for k in self.subject.variables]
        projections = [d.project if d and d.is_subspace else None for d in domains]
        shapes: tuple[Shape, ...] = tuple(v.shape for v in variables)
        if self.form == "pushforward":  # by the coefficients of tangents, which lie in the domains themselves
            projections = [None] * len(shapes)
        return Space(self.centre[0].shape, shapes, tuple(scale(v) for v in variables), tuple(projections), self.order)

    @property
    def is_float64(self) -> bool:
        """Whether all variables are given in float64."""
        return all(self.subject.arrays[k].dtype == np.float64 for k in self.subject.variables)

    @functools.cached_property
    def u(self) -> float:
        """The unit roundoff of the coarsest numbers that are computed with."""
        arrays, exact, variables = self.subject.arrays, self.exact, self.subject.variables
        u = max(self.u_of_claim(arrays[k].dtype, arrays) for k in variables)
        u = max(u, *(self.u_of_autodiff(exact[k].dtype, exact) for k in variables))  # which is the truth
        if not self.of_claim:
            # They were computed at the arguments as they were given.
            u = max([u, self.subject.rounded, *(unit_roundoff(a.real.dtype) for a in self.given if is_real(a.real))])
        return max(u, self.u_inside)

    @functools.cached_property
    def u_of_given(self) -> float:
        """That of JAX's own derivative in the dtype asked for."""
        arrays = self.subject.arrays
        return max(self.u_of_autodiff(arrays[k].dtype, arrays) for k in self.subject.variables)

    @property
    def is_autodiff_coarse(self) -> bool:
        """Whether it multiplies matrices more coarsely than the numbers are that it is given."""
        arrays = self.subject.arrays
        return self.u_of_given > max(unit_roundoff(arrays[k].dtype) for k in self.subject.variables)

    def u_of_autodiff(self, dtype: Any, arrays: Arrays) -> float:
        """That of a dtype or, where JAX's derivative multiplies matrices more coarsely at these arguments, of that."""

        def multiplies() -> bool:
            return self.of_derivative.multiplies_coarsely(self.subject.start(arrays), arrays, self._tangents_at(arrays))

        return self._u_of(dtype, multiplies)

    def u_of_claim(self, dtype: Any, arrays: Arrays) -> float:
        """The same of the claim; nobody knows how arrays were computed."""
        claim = self.of_claim
        return self._u_of(dtype, lambda: not claim or claim.multiplies_coarsely(arrays, self._tangents_at(arrays)))

    def _u_of(self, dtype: Any, multiplies: Callable[[], bool]) -> float:
        u, of_products = unit_roundoff(dtype), unit_roundoff(dtype, self.platform, self.precision)
        return of_products if of_products > u and multiplies() else u

    @functools.cached_property
    def u_of_f(self) -> float:
        """The same inside f when it is given float64; half its accuracy, where that is told."""
        start = self.subject.start(self.exact)
        coarsest = self.of_value.coarsest(start, self.exact, self.tangents(np.float64))
        return max(unit_roundoff(coarsest), self.accuracy / 2)

    @functools.cached_property
    def u_inside(self) -> float:
        """The same inside f and the gradient: what a function rounds to inside stays, whatever it is given."""
        if not self.of_claim:
            return self.u_of_f
        dtype = self.of_claim.coarsest(self.exact, self.tangents(np.float64))
        return max(self.u_of_f, self.u_of_claim(dtype, self.exact))

    # --- What is computed

    def value(self, variables: Arrays, arrays: Arrays) -> list[Array]:
        """What f returns, in float64 on the CPU. Raised for what it raises."""
        with jax.default_device(self._cpu):
            variables = self._variables_placed(variables, self._cpu)
            return self.of_value(variables, self._placed(arrays, self._cpu), self.tangents(np.float64))

    def automatic(self, arrays: Arrays) -> Blocks:
        """JAX's own derivative, on the device where the numbers are coarse and on the CPU in float64."""
        device = self._cpu if self._are_exact(arrays) else self.device
        tangents = self._tangents_at(arrays)
        with jax.default_device(device):
            start = self._variables_placed(self.subject.start(arrays), device)
            blocks = self.of_derivative(start, self._placed(arrays, device), tangents)
        return self.space.shaped([D.astype(np.float64, copy=False) for D in blocks])

    def automatic_by(self, place: int) -> Array | None:
        """JAX's derivative in float64 by another of the arrays, if it has one."""
        running = Running(self.subject.derivative_by(place))
        try:
            with jax.default_device(self._cpu):
                (D,) = running([self.exact[place]], self.exact, [])
        except Raised:
            return None
        return D.astype(np.float64)

    def claimed(self, arrays: Arrays) -> Blocks:
        """The claim, read into JAX's layout. Raised for what it raises, Misshapen where it does not fit."""
        if self.of_claim:
            device = self._cpu if arrays is self.exact else self.device
            with jax.default_device(device):
                blocks = self.of_claim(self._placed(arrays, device), self._tangents_at(arrays))
        else:
            blocks = [np.asarray(D) for D in jax.tree.leaves(self.subject.spec.moving(self.given))]
        due = self.space.due
        if len(blocks) != len(due) or any(np.iscomplexobj(D) for D in blocks):
            raise Misshapen(*blocks)
        try:
            return [np.asarray(from_layout(D, *d, self.layout), np.float64) for D, d in zip(blocks, due, strict=True)]
        except ValueError:
            raise Misshapen(*blocks) from None

    def eagerly(self) -> "Runs":
        """The same with a claim that runs operation by operation."""
        runs = self.at(self.subject.arrays)
        if runs.of_claim:
            runs.of_claim.modes = ("eager",)
        return runs

    @functools.cached_property
    def given(self) -> list[Array]:
        """The arrays claimed, where the claim is no function."""
        claim = self.subject.spec.ordered(self.gradient)
        leaves = [claim] if len(self.space.due) == 1 and claim is self.gradient else jax.tree.leaves(claim)
        try:
            arrays = [np.asarray(leaf) for leaf in leaves]
            if len(arrays) == 1 and arrays[0].dtype == object:
                arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(self.gradient)]
            return [a if is_real(a) or np.iscomplexobj(a) else a.astype(np.float64) for a in arrays]
        except Exception as error:
            raise Raised(f"{type(error).__name__}: {error}") from None

    def _are_exact(self, arrays: Arrays) -> bool:
        return arrays[self.subject.variables[0]].dtype == np.float64

    def _tangents_at(self, arrays: Arrays) -> Arrays:
        return self.tangents(np.float64 if self._are_exact(arrays) else None)

    def tangents(self, dtype: Any) -> Arrays:
        """Random tangents of the variables, or cotangents of the value, along which a map is examined."""
        return [a if dtype is None else a.astype(dtype) for a in self._tangents]

    @functools.cached_property
    def _tangents(self) -> Arrays:
        rng = self.subject.random("tangents")
        coarse = np.result_type(*(self.subject.arrays[k].dtype for k in self.subject.variables))
        if self.form == "pushforward":
            return [self._tangents_of(k, rng) for k in self.subject.variables]
        if self.form == "pullback":
            with jax.default_device(self._cpu):
                of_arrays = Program(
                    lambda arrays: self.subject.plain(*self.subject.spec.arguments(arrays)), ("jit", "eager", "numpy")
                )
                (shape,) = Running(of_arrays).shapes(self.subject.arrays)
            return [np.asarray(rng.standard_normal((TANGENTS, *shape)), coarse)]
        return []

    def _tangents_of(self, k: int, rng: np.random.Generator) -> Array:
        """Random tangents of a variable, inside of its domain."""
        a, domain = self.subject.arrays[k], self.subject.domains.get(k)
        V = scale(a) * rng.standard_normal((TANGENTS, *a.shape))
        return np.asarray([domain.project(v) for v in V] if domain and domain.is_subspace else V, a.dtype)

    # --- Where

    @functools.cached_property
    def _cpu(self) -> Any:
        return jax.devices("cpu")[0]

    def _placed(self, arrays: Arrays, device: Any) -> Arrays:
        """The arguments where they are computed with, so that each run need not bring them there again."""
        if arrays is self.exact:
            return self._exact_placed
        if arrays is self.subject.arrays:
            return self._given_placed
        return self._put(arrays, device) if any(self.subject.shardings) else arrays

    @functools.cached_property
    def _exact_placed(self) -> Arrays:
        return self._put(self.exact, self._cpu)

    @functools.cached_property
    def _given_placed(self) -> Arrays:
        return self._put(self.subject.arrays, self.device)

    def _variables_placed(self, variables: Arrays, device: Any) -> Arrays:
        shardings = [self.subject.shardings[k] for k in self.subject.variables]
        is_map = self.form == "pushforward"  # whose variables are coefficients of tangents
        return variables if is_map or not any(shardings) else self._put(variables, device, shardings)

    def _put(self, arrays: Arrays, device: Any, shardings: list[Any] | None = None) -> Arrays:
        """On the device, or over the devices of its kind over which they were given.

        They are not committed to the one device: for those that are, JAX would compile another program.
        """
        with jax.default_device(device):
            return [
                jax.device_put(a, s if s and device in s.device_set else None)
                for a, s in zip(arrays, shardings or self.subject.shardings, strict=True)
            ]
