"""What is known about a claimed derivative at a point: the claim, the witnesses, and how far they may lie apart."""

import contextlib
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from matcalc._layout import Layout, from_layout
from matcalc.referee._finite_differences import (
    BASIS_UP_TO,
    RANDOM_DIRECTIONS,
    Estimate,
    basis,
    basis_size,
    finite_differences,
    hessian,
)
from matcalc.referee._report import Cause
from matcalc.referee._subject import TANGENTS, Arrays, Program, Raised, Subject, is_real
from matcalc.referee._tolerance import (
    FD_SAFETY,
    MEANINGLESS,
    Precision,
    relative,
    tolerance,
    unit_roundoff,
)

Array = np.ndarray[Any, Any]

QUICK_STEP = 2.0**-13  # that confirms a derivative where f is smooth; many where it does not
FINE_STEPS = 40  # down to 2⁻⁴¹: where f is ill-conditioned only the smallest are small enough
LADDER_STEPS = 20
QUICK_DIRECTIONS = 2
AGREES = 1e-6  # a wrong rule of JAX is off by more, and what a library function is approximated to is less
KINK_STEPS = 8  # that the bend of a kink stays over, while that of a smooth function falls to 1/256
FINE_STEP = 2.0**-26  # relative change of the arguments, by which condition numbers are measured in float64,
FINEST_STEP = 2.0**-39  # and where all of the derivative changes with it, this one
COARSE_STEP = 2.0**-10  # or where the dtype resolves no less, this one
FAR_STEP = 2.0**-13  # that a point nearby is away at least, before anything is called wrong
SUSPICIONS = 8  # such changes, before a gradient is called wrong
GROUPS = 8  # of variables, that finite differences move apart from each other
WITNESSED = 1024  # entries of the variables, up to which finite differences take every direction where JAX has none


class Misshapen(Exception):
    """The claimed derivative does not have the shape that is due; `args` are the arrays claimed."""


class Evidence:
    """A claimed derivative at a point, with the evidence on it, each piece gathered when it is first asked for.

    A derivative is a list of blocks in JAX's layout, in float64: one for each variable, for a Hessian one for each pair
    of them. `moves` says whether the claim can be computed at another point too.
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
    ) -> None:
        self.subject, self.gradient = subject, gradient
        self.layout: Layout = layout
        self.precision: Precision = precision
        self.order, self.form = subject.spec.order, subject.spec.form
        (self.device,) = jax.devices(platform)[:1] if platform else jax.device_put(0.0).devices()  # that JAX takes
        self.platform = platform or jax.default_backend()
        self.moves = callable(gradient) if moves is None else moves
        self.exact = in_float64(subject.arrays)
        self.notes: list[str] = []
        self.suspicious = False

    @property
    def names(self) -> list[str]:
        """What each block is a derivative by."""
        names = ["the tangents"] if self.form == "pushforward" else self.subject.names
        return names if self.order == 1 else [f"{a}, {b}" for a in names for b in names]

    def look_closer(self) -> None:
        """Measure the condition numbers with more care, as long as it takes, before anything is called wrong."""
        self.suspicious = True
        for known in ("conditions", "conditions_nearby", "moved"):
            vars(self).pop(known, None)

    def runs(self) -> dict[str, int]:
        """How often each program has run."""
        programs = {"f": self.subject.value, "autodiff": self.subject.derivative}
        if callable(self.gradient):
            programs["gradient"] = self.claim_program
        return {name: program.runs for name, program in programs.items()}

    def mutations(self) -> list[str]:
        """Which functions change their arguments."""
        programs = {"f": self.subject.value}
        if callable(self.gradient):
            programs["The gradient"] = self.claim_program
        return [
            f"{name} changes its arguments in place; it was given copies. Let it return new arrays."
            for name, program in programs.items()
            if program.mutates
        ]

    # --- Programs, and where they run

    @functools.cached_property
    def claim_program(self) -> Program:
        return self.subject.claim(self.gradient)

    def value(self, variables: Arrays, arrays: Arrays) -> list[Array]:
        with jax.default_device(self._cpu):
            return self.subject.value(variables, self._placed(arrays), self.tangents(np.float64))

    def _placed(self, arrays: Arrays) -> Arrays:
        """The arguments where they are computed with, so that each run need not bring them there again.

        They are not committed to that device: for those that are, JAX would compile another program.
        """
        if arrays is self.exact:
            return self._exact_placed
        return self._given_placed if arrays is self.subject.arrays else arrays

    @functools.cached_property
    def _exact_placed(self) -> Arrays:
        with jax.default_device(self._cpu):
            return [jax.device_put(a) for a in self.exact]

    @functools.cached_property
    def _given_placed(self) -> Arrays:
        with jax.default_device(self.device):
            return [jax.device_put(a) for a in self.subject.arrays]

    def automatic(self, arrays: Arrays) -> list[Array]:
        """JAX's own derivative, on the device where the numbers are coarse and on the CPU in float64."""
        exact = arrays[self.subject.variables[0]].dtype == np.float64
        tangents = self.tangents(np.float64 if exact else None)
        with jax.default_device(self._cpu if exact else self.device):
            blocks = self.subject.derivative(self.subject.start(arrays), self._placed(arrays), tangents)
        return [D.astype(np.float64, copy=False).reshape(a + b) for D, (a, b) in zip(blocks, self.due, strict=True)]

    def automatic_by(self, place: int) -> Array | None:
        """JAX's derivative in float64 by another of the arrays, if it has one."""
        program = self.subject.derivative_by(place)
        try:
            with jax.default_device(self._cpu):
                (D,) = program([self.exact[place]], self.exact, [])
        except Raised:
            return None
        return D.astype(np.float64)

    def claimed(self, arrays: Arrays) -> list[Array]:
        """The claim, read into JAX's layout. Raised for what it raises, Misshapen where it does not fit."""
        if callable(self.gradient):
            exact = arrays[self.subject.variables[0]].dtype == np.float64
            with jax.default_device(self._cpu if arrays is self.exact else self.device):
                blocks = self.claim_program(self._placed(arrays), self.tangents(np.float64 if exact else None))
        else:
            blocks = self.given
        if len(blocks) != len(self.due) or any(np.iscomplexobj(D) for D in blocks):
            raise Misshapen(*blocks)
        try:
            return [
                np.asarray(from_layout(D, *due, self.layout), np.float64)
                for D, due in zip(blocks, self.due, strict=True)
            ]
        except ValueError:
            raise Misshapen(*blocks) from None

    @functools.cached_property
    def given(self) -> list[Array]:
        """The arrays claimed, where the claim is no function."""
        leaves = [self.gradient] if len(self.due) == 1 else jax.tree.leaves(self.gradient)
        try:
            arrays = [np.asarray(leaf) for leaf in leaves]
            if len(arrays) == 1 and arrays[0].dtype == object:
                arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(self.gradient)]
            return [a if is_real(a) or np.iscomplexobj(a) else a.astype(np.float64) for a in arrays]
        except Exception as error:
            raise Raised(f"{type(error).__name__}: {error}") from None

    def tangents(self, dtype: Any) -> Arrays:
        """Random tangents of the variables, or cotangents of the value, along which a map is examined."""
        return [a if dtype is None else a.astype(dtype) for a in self._tangents]

    @functools.cached_property
    def _tangents(self) -> Arrays:
        rng = np.random.default_rng(self.subject.rng.integers(2**32))
        coarse = np.result_type(*(self.subject.arrays[k].dtype for k in self.subject.variables))
        if self.form == "pushforward":
            arrays = [self.subject.arrays[k] for k in self.subject.variables]
            return [np.asarray(_scale(a) * rng.standard_normal((TANGENTS, *a.shape)), a.dtype) for a in arrays]
        if self.form == "pullback":
            with jax.default_device(self._cpu):
                plain = Program(lambda arrays: self.subject.plain(*self.subject.spec.arguments(arrays)))
                (shape,) = plain.shapes(self.exact)
            return [np.asarray(rng.standard_normal((TANGENTS, *shape)), coarse)]
        return []

    @property
    def _cpu(self) -> Any:
        return jax.devices("cpu")[0]

    # --- The point

    @functools.cached_property
    def unfit(self) -> Cause | None:
        """Why there is nothing to judge, if so."""
        subject = self.subject
        if subject.not_arrays:
            return Cause(
                "integer",
                f"{subject.not_arrays[0]} is no array of floating numbers, and has no derivative.",
                "Convert it, for example by np.asarray(x, float).",
            )
        if not subject.variables:
            return Cause("empty", "The variable holds no array.", "Give a pytree with at least one array.")
        for name, k in zip(subject.names, subject.variables, strict=True):
            a = subject.arrays[k]
            if not is_real(a):
                what = "complex variables are not examined" if np.iscomplexobj(a) else "integers have no derivative"
                remedy = "Give real and imaginary part." if np.iscomplexobj(a) else "Convert it by .astype(float)."
                return Cause("integer", f"{name} has dtype {a.dtype}, and {what}.", remedy)
            if a.size == 0:
                return Cause("empty", f"{name} has shape {a.shape} and no entry.", "Give it at least one.")
        for label, a in zip(subject.labels, subject.arrays, strict=True):
            if is_real(a) and not np.all(np.isfinite(a.astype(np.float64))):
                what = "NaN" if np.any(np.isnan(a.astype(np.float64))) else "an infinite entry"
                return Cause("domain", f"{label} contains {what}.", "Every entry must be finite.")
        if outside := subject.outside():
            return Cause("domain", outside, "Choose a point inside.")
        try:
            value = self._value
        except Raised as error:
            return Cause("raises", f"f raised {error}.", "It must return an array at this point.")
        if len(value) != 1 or not is_real(value[0]):
            got = f"{len(value)} arrays" if len(value) != 1 else f"dtype {value[0].dtype}"
            return Cause("shape", f"f must return one array of real numbers, got {got}.", "Return one of them.")
        if value[0].size == 0:
            return Cause("empty", f"f returns an array of shape {value[0].shape}, without an entry.", "")
        if not np.all(np.isfinite(value[0])):
            return Cause("non-finite", "f is not finite at this point.", "Choose a point inside its domain.")
        return None

    @functools.cached_property
    def _value(self) -> list[Array]:
        return self.value(self.subject.start(self.exact), self.exact)

    @property
    def centre(self) -> Array:
        """The value in float64."""
        return self._value[0].astype(np.float64)

    @functools.cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the variables of the derivative."""
        return [v.shape for v in self.subject.start(self.exact)]

    @functools.cached_property
    def sizes(self) -> list[int]:
        """How many entries each of them has."""
        return [math.prod(shape) for shape in self.shapes]

    @functools.cached_property
    def scales(self) -> list[float]:
        """The size of each variable: the unit of finite differences."""
        return [_scale(v) for v in self.subject.start(self.exact)]

    @functools.cached_property
    def due(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """For each block the shape of what is differentiated and of what by; for a Hessian, the former a gradient's."""
        value = self.centre.shape
        if self.order == 1:
            return [(value, x) for x in self.shapes]
        return [(value + x, y) for x in self.shapes for y in self.shapes]

    @property
    def passes(self) -> int:
        """How many passes JAX takes for all of the derivative."""
        return 0 if self.unfit else min(self.centre.size, sum(self.sizes))

    @functools.cached_property
    def u(self) -> float:
        """The unit roundoff of the coarsest numbers that are computed with."""
        dtypes = [self.subject.arrays[k].dtype for k in self.subject.variables]
        u = max(unit_roundoff(dtype, self.platform, self.precision) for dtype in dtypes)
        if not callable(self.gradient):
            u = max([u, *(unit_roundoff(a.dtype) for a in self.given if is_real(a))])
        return max(u, self.u_inside)

    @functools.cached_property
    def u_of_f(self) -> float:
        """The same inside f when it is given float64."""
        start = self.subject.start(self.exact)
        return unit_roundoff(self.subject.value.coarsest(start, self.exact, self.tangents(np.float64)))

    @functools.cached_property
    def u_inside(self) -> float:
        """The same inside f and the gradient: what a function rounds to inside stays, whatever it is given."""
        if not callable(self.gradient):
            return self.u_of_f
        dtype = self.claim_program.coarsest(self.exact, self.tangents(np.float64))
        return max(self.u_of_f, unit_roundoff(dtype, self.platform, self.precision))

    # --- The witnesses

    @functools.cached_property
    def claim(self) -> list[Array]:
        """The claim in the dtype asked for."""
        return self.claimed(self.subject.arrays)

    @functools.cached_property
    def formula(self) -> list[Array] | None:
        """The claim in float64, where that is more precise, and it can be computed so."""
        if not callable(self.gradient) or not self.moves or self.u_inside > unit_roundoff(np.float64):
            return None
        if self.u == self.u_inside:
            return self.claim
        try:
            return self.claimed(self.exact)
        except Raised:
            return None

    @functools.cached_property
    def autodiff(self) -> list[Array] | None:
        """JAX's own derivative in the dtype asked for, if it has one."""
        if self.reference is None:
            return None
        return self.reference if self._is_float64 else self.automatic(self.subject.arrays)

    @functools.cached_property
    def reference(self) -> list[Array] | None:
        """JAX's own derivative in float64, if it has one."""
        try:
            return self.automatic(self.exact)
        except Raised as error:
            what = "differentiate" if self.subject.value.mode == "jit" else "trace"
            self.notes.append(
                f"JAX cannot {what} f ({str(error).partition(':')[0]}): finite differences are the witness."
            )
            return None

    @property
    def _is_float64(self) -> bool:
        return all(self.subject.arrays[k].dtype == np.float64 for k in self.subject.variables)

    @functools.cached_property
    def quick(self) -> Estimate:
        """Finite differences with one step along one direction or two: enough where they confirm a derivative."""
        n = sum(self.sizes)
        V = self._confined(min(n, QUICK_DIRECTIONS) if n <= BASIS_UP_TO else 1)
        return self.differences(self.exact, directions=V, first=QUICK_STEP / math.sqrt(n), steps=1)

    def _confined(self, count: int) -> Array:
        """That many random directions in each group of variables: a change by one must not hide that by another."""
        groups, n = self._groups, sum(self.sizes)
        V = np.zeros((count * len(groups), n))
        for k, part in enumerate(groups):
            V[count * k : count * (k + 1), part] = self.subject.rng.standard_normal((count, part.stop - part.start))
        return V

    @functools.cached_property
    def _groups(self) -> list[slice]:
        """Where each variable stands among the entries of all; of many, some together."""
        ends = np.cumsum([0, *self.sizes])
        borders = np.unique(np.linspace(0, len(self.shapes), min(len(self.shapes), GROUPS) + 1).astype(int))
        return [slice(int(ends[i]), int(ends[j])) for i, j in itertools.pairwise(borders)]

    def _parts(self, estimate: Estimate) -> list[Array]:
        """Which directions of finite differences move each group of variables; of second order, all are one part."""
        every = np.arange(len(estimate.directions))
        if self.order == 2:
            return [every]
        moves = [np.any(estimate.directions[:, part] != 0, axis=1) for part in self._groups]
        return [every[m] for m in moves if np.any(m)]

    @functools.cached_property
    def fine(self) -> Estimate:
        """Finite differences at all steps; along every axis where JAX has no derivative to confirm."""
        n = sum(self.sizes)
        V, size = None, basis_size(n, self.order)
        if self.reference is None and size <= WITNESSED:
            V = basis(n, self.order)
        elif self.order == 1 and size > BASIS_UP_TO:
            V = self._confined(max(RANDOM_DIRECTIONS // len(self._groups), 2))
        return self.differences(self.exact, directions=V, steps=FINE_STEPS)

    @functools.cached_property
    def ladder(self) -> Estimate:
        """Along one direction from large steps to small ones: what shows in the report of a gradient that is off."""
        n = sum(self.sizes)
        V = self.subject.rng.standard_normal((1, n)) / math.sqrt(n)
        return self.differences(self.exact, directions=V, steps=LADDER_STEPS)

    @property
    def finite(self) -> Estimate:
        """The finite differences that were needed."""
        return self.fine if "fine" in vars(self) else self.quick

    def differences(self, arrays: Arrays, **options: Any) -> Estimate:
        """Finite differences of f, each variable in units of its largest entry."""
        start, scales = self.subject.start(arrays), self.scales
        if (V := options.get("directions")) is not None:
            options["directions"] = self._inside(V)

        def f(point: Array) -> Array:
            if point is origin and arrays is self.exact:
                return self.centre
            parts = np.split(point, np.cumsum([v.size for v in start])[:-1])
            variables = [s * p.reshape(v.shape) for s, p, v in zip(scales, parts, start, strict=True)]
            try:
                return self.value(variables, arrays)[0].astype(np.float64)
            except Raised:  # that far away f may have no value, and smaller steps do without
                return np.full(self.centre.shape, np.nan)

        origin = np.concatenate([v.ravel() / s for v, s in zip(start, scales, strict=True)])
        seed = int(self.subject.rng.integers(2**32))
        return finite_differences(f, origin, self.order, seed, eps=2 * self.u_of_f, **options)

    def _inside(self, V: Array) -> Array:
        """Directions brought into the subspaces that are the domains of variables."""
        if self.form != "derivative" or not self._subspaces:
            return V
        ends = np.cumsum(self.sizes)[:-1]
        parts = [
            np.stack([project(v) for v in part.reshape(-1, *shape)]).reshape(len(V), -1)
            for part, shape, project in zip(np.split(V, ends, axis=1), self.shapes, self._projections, strict=True)
        ]
        return np.concatenate(parts, axis=1)

    @functools.cached_property
    def _subspaces(self) -> bool:
        return any(self.subject.domains[k].is_subspace for k in self.subject.variables if k in self.subject.domains)

    @property
    def _projections(self) -> list[Callable[[Array], Array]]:
        domains = [self.subject.domains.get(k) for k in self.subject.variables]
        return [d.project if d and d.is_subspace else (lambda a: a) for d in domains]

    def along(self, blocks: list[Array], estimate: Estimate) -> Array:
        """A derivative along the directions of finite differences."""
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

    def view(self, blocks: list[Array]) -> list[Array]:
        """What of a derivative is compared: all of it, or its directions inside the domain, or along random ones."""
        if self.witness_is_projected:
            along = self.along(blocks, self.fine)
            return [along[rows] for rows in self._parts(self.fine)]
        if not self._subspaces or self.order == 2 or self.form != "derivative":
            return blocks
        return [
            np.stack([project(d) for d in D.reshape(-1, *x)]).reshape(D.shape)
            for D, (_, x), project in zip(blocks, self.due, self._projections, strict=True)
        ]

    @property
    def witness_is_projected(self) -> bool:
        """Whether finite differences along random directions are the only witness."""
        n = sum(self.sizes)
        return not self.trusts_autodiff and len(self.fine.directions) != basis_size(n, self.order)

    @property
    def asymmetry(self) -> float:
        """How far a claimed Hessian is from being symmetric."""
        k = len(self.sizes)
        flat = [D.reshape(-1, self.sizes[i // k], self.sizes[i % k]) for i, D in enumerate(self.claim)]
        return max(relative(D.swapaxes(1, 2), flat[i % k * k + i // k], 1.0) for i, D in enumerate(flat))

    trusts_autodiff = True

    # --- Comparing

    @functools.cached_property
    def zeros(self) -> list[float]:
        """For each block what a derivative that vanishes is small against: the size of f over that of the variable."""
        scales = self.scales
        f = float(np.max(np.abs(self.centre)))
        if f == 0:  # the size that it has about this point
            away = self.differences(self.exact, directions=self._confined(1), steps=1)
            f = float(np.max(np.abs(away.right[np.isfinite(away.right)]), initial=0.0))
        return [f / s for s in scales] if self.order == 1 else [f / (s * t) for s in scales for t in scales]

    def distances(self, blocks: list[Array], others: list[Array]) -> list[float]:
        """The norm-wise relative distance of each block from another."""
        whole = len(blocks) == len(self.zeros) and not self.witness_is_projected
        zeros = self.zeros if whole else [0.0] * len(blocks)
        return [relative(D, T, zero) for D, T, zero in zip(blocks, others, zeros, strict=True)]

    @functools.cached_property
    def truth(self) -> list[Array]:
        """What is trusted, as it is compared: JAX's derivative in float64, or finite differences."""
        if self.trusts_autodiff and self.reference is not None:
            return self.view(self.reference)
        return self._by_differences(self.fine)

    def _by_differences(self, estimate: Estimate) -> list[Array]:
        if self.witness_is_projected:
            return [estimate.values[rows] for rows in self._parts(estimate)]
        ends = np.cumsum(self.sizes)[:-1]
        if self.order == 2:
            H = hessian(estimate.values, sum(self.sizes))
            rows = zip(np.split(H, ends, axis=-2), self.scales, strict=True)
            blocks = [
                part / (s * t) for row, s in rows for part, t in zip(np.split(row, ends, -1), self.scales, strict=True)
            ]
            return [block.reshape(a + b) for block, (a, b) in zip(blocks, self.due, strict=True)]
        J = np.moveaxis(estimate.values, 0, -1)  # directions are axes, in units of each variable
        parts = zip(np.split(J, ends, axis=-1), self.scales, self.due, strict=True)
        return self.view([part.reshape(a + b) / s for part, s, (a, b) in parts])

    @functools.cached_property
    def moved(self) -> tuple[Arrays, list[Array]]:
        """A point nearby, in the dtype asked for, and the truth there."""
        point = self.subject.perturbed(self.subject.arrays, self.step, self.subject.variables)
        return point, self.truth_at(point)

    def truth_at(self, arrays: Arrays) -> list[Array]:
        """What is trusted, at another point."""
        if self.trusts_autodiff:
            return self.view(self.automatic(arrays))
        return self._by_differences(self.differences(in_float64(arrays), directions=self.fine.directions))

    @property
    def step(self) -> float:
        """How far a point nearby is, relatively: far enough to be seen, and no farther."""
        # What is off nearby because the point has moved is farther off farther away; what is approximated is not.
        coarse = self.suspicious or not self.trusts_autodiff
        return max(math.sqrt(self.u), FAR_STEP) if coarse else math.sqrt(self.u)

    @functools.cached_property
    def conditions(self) -> list[float]:
        """How strongly each block of the truth amplifies relative changes of the arguments."""
        _, there = self.moved
        here = self.truth if self._is_float64 or not self.trusts_autodiff else self.view(self.autodiff or [])
        worst = self._amplification(there, here, self.step)
        if not self.trusts_autodiff or not (self.suspicious or math.inf in worst):
            return worst
        # Where so little changes so much, any condition number may be behind it: closer, and in float64.
        for change in (FINE_STEP, FINEST_STEP):
            points = (self.subject.perturbed(self.exact, change) for _ in range(SUSPICIONS))
            finer = [self._amplification(self.view(self.automatic(p)), self.truth, change) for p in points]
            finer = [max(each) for each in zip(*finer, strict=True)]
            worst = [fine if math.isinf(w) else max(w, fine) for w, fine in zip(worst, finer, strict=True)]
            if math.inf not in worst:
                break
        if self.subject.spec.is_hasty:
            return worst
        # What rounding to float32 does to a derivative is what rounding to float64 does, on another scale.
        u = unit_roundoff(np.float32)
        with contextlib.suppress(Raised):
            coarse = in_dtype(self.subject.arrays, np.float32)
            rounded = self._amplification(
                self.view(self.automatic(coarse)), self.view(self.automatic(in_float64(coarse))), u
            )
            worst = [w if math.isinf(r) else max(w, r) for w, r in zip(worst, rounded, strict=True)]
        return worst

    @functools.cached_property
    def conditions_nearby(self) -> list[float]:
        """The same at the point nearby, where a derivative may vanish to rounding that at the point is exactly zero."""
        if not (self.suspicious and self.trusts_autodiff):
            return self.conditions
        point, there = self.moved
        least = FINE_STEP if self._is_float64 else COARSE_STEP
        # A number has but two points at one distance, and there rounding may by chance be the same.
        changes = [least * (1 + i / SUSPICIONS) for i in range(SUSPICIONS)]
        grown = [self._amplification(self.truth_at(self.subject.perturbed(point, h)), there, h) for h in changes]
        return [max(each) for each in zip(self.conditions, *grown, strict=True)]

    def _amplification(self, there: list[Array], here: list[Array], change: float) -> list[float]:
        grown = self.distances(there, here)
        return [g / change if g < MEANINGLESS else math.inf for g in grown]

    def confirms(self, blocks: list[Array]) -> bool | None:
        """Whether finite differences agree; None where they are noise."""
        if not all(np.all(np.isfinite(D)) for D in blocks):
            return False if self.fine.spread < MEANINGLESS else None
        if "fine" not in vars(self) and not self.quick.bends:
            along = self.along(blocks, self.quick)
            if all(relative(along[p], self.quick.values[p], 1.0) <= AGREES for p in self._parts(self.quick)):
                return True
        fine = self.fine
        seen = [(part, fine.part(part)) for part in self._parts(fine)]
        seen = [(part, estimate) for part, estimate in seen if estimate.spread < MEANINGLESS]
        if not seen:
            return None
        # The rounding of the derivative itself is no reason to refute it.
        point = self.subject.perturbed(self.exact, FINE_STEP)
        with contextlib.suppress(Raised):
            there = self.along(self.automatic(point) if blocks is self.reference else self.claimed(point), fine)
            along = self.along(blocks, fine)
            for part, estimate in seen:
                change = relative(there[part], along[part], 1.0)
                rounding = tolerance(self.u_inside, change / FINE_STEP)
                allowed = min(max(FD_SAFETY * estimate.spread + rounding, AGREES), MEANINGLESS)
                if not relative(along[part], estimate.values, 1.0) <= allowed:
                    return False
            return True
        return None

    @property
    def uncertain(self) -> list[float]:
        """How far each block of the truth may be off itself: finite differences are, where they are it."""
        if self.trusts_autodiff:
            return [0.0] * len(self.due)
        if self.witness_is_projected:
            return [FD_SAFETY * self.fine.part(rows).spread for rows in self._parts(self.fine)]
        if self.order == 2:
            return [FD_SAFETY * self.fine.spread] * len(self.due)
        ends = np.cumsum([0, *self.sizes])
        return [FD_SAFETY * self.fine.part(np.arange(i, j)).spread for i, j in itertools.pairwise(ends)]

    @property
    def kink(self) -> tuple[float, float] | None:
        """The one-sided slopes of f, where it has a kink at this point."""
        return self.fine.kink(KINK_STEPS) if "fine" in vars(self) else None


def in_dtype(arrays: Arrays, dtype: Any) -> Arrays:
    """The same arrays, those of floating numbers in this dtype."""
    return [a.astype(dtype, copy=False) if is_real(a) else a for a in arrays]


def in_float64(arrays: Arrays) -> Arrays:
    return in_dtype(arrays, np.float64)


def _scale(a: Array) -> float:
    """The size of the largest entry, or 1 where all are zero."""
    return float(np.max(np.abs(a), initial=0.0)) or 1.0
