"""What is known about a claimed derivative at a point: the claim, the witnesses, and how far they may lie apart.

Nothing here is changed once it is known, and nothing depends on what was asked before: every piece is gathered when it
is first asked for, with random numbers of its own.
"""

import contextlib
import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from matcalc.referee.blocks import Blocks, Space
from matcalc.referee.constants import (
    AGREES,
    BASIS_UP_TO,
    COARSE_STEP,
    FAR_STEP,
    FD_SAFETY,
    FINE_STEP,
    FINE_STEPS,
    FINEST_STEP,
    KINK_STEPS,
    LADDER_STEPS,
    MEANINGLESS,
    QUICK_DIRECTIONS,
    QUICK_STEP,
    QUICK_STEPS_OF_SMALL,
    RANDOM_DIRECTIONS,
    SUSPICIONS,
    WITNESSED,
)
from matcalc.referee.differences import Estimate, basis, basis_size, finite_differences
from matcalc.referee.findings import Cause
from matcalc.referee.fitness import unfit
from matcalc.referee.programs import Array, Arrays, Raised
from matcalc.referee.runs import Runs
from matcalc.referee.subject import in_dtype, in_float64
from matcalc.referee.tolerances import relative, tolerance, unit_roundoff


@dataclass(frozen=True)
class Agreement:
    """Whether finite differences confirm a derivative; None where they are noise. `by` is what they were taken by."""

    confirmed: bool | None
    by: Estimate
    is_fine: bool


class Evidence:
    """A claimed derivative at a point, and the witnesses."""

    def __init__(self, runs: Runs) -> None:
        self.runs = runs

    # --- The point

    @functools.cached_property
    def unfit(self) -> Cause | None:
        """Why there is nothing to judge, if so."""
        return unfit(self.runs)

    @property
    def space(self) -> Space:
        return self.runs.space

    @functools.cached_property
    def centre(self) -> Array:
        """The value in float64."""
        return self.runs.centre[0].astype(np.float64)

    @property
    def passes(self) -> int:
        """How many passes JAX takes for all of the derivative."""
        return min(self.centre.size, self.space.entries)

    @functools.cached_property
    def zeros(self) -> list[float]:
        """For each block what a derivative that vanishes is small against."""
        f = float(np.max(np.abs(self.centre)))
        if f == 0:  # the size that it has about this point
            V = self.space.confined(self.runs.subject.random("size of zero"), 1)
            right = self.differences(self.runs.exact, directions=V, steps=1).right
            f = float(np.max(np.abs(right[np.isfinite(right)]), initial=0.0))
        return self.space.sizes_of_zero(f)

    # --- The claim, and JAX's derivative

    @functools.cached_property
    def claim(self) -> Blocks:
        """The claim in the dtype asked for."""
        return self.runs.claimed(self.runs.subject.arrays)

    @functools.cached_property
    def formula(self) -> Blocks | None:
        """The claim in float64, where that is more precise, and it can be computed so."""
        runs = self.runs
        if not runs.of_claim or not runs.moves or runs.u_inside > unit_roundoff(np.float64):
            return None
        if runs.u == runs.u_inside:
            return self.claim
        try:
            return runs.claimed(runs.exact)
        except Raised:
            return None

    @functools.cached_property
    def autodiff(self) -> Blocks | None:
        """JAX's own derivative in the dtype asked for, if it has one."""
        if self.reference is None or self.runs.is_float64:
            return self.reference
        return self.runs.automatic(self.runs.subject.arrays)

    @property
    def reference(self) -> Blocks | None:
        """JAX's own derivative in float64, if it has one."""
        return None if isinstance(self._reference, Raised) else self._reference

    @property
    def notes(self) -> list[str]:
        """Why JAX has no derivative, if so."""
        if not isinstance(self._reference, Raised):
            return []
        what = "differentiate" if self.runs.of_value.mode == "jit" else "trace"
        why = str(self._reference).partition(":")[0]
        return [f"JAX cannot {what} f ({why}): finite differences are the witness."]

    @functools.cached_property
    def _reference(self) -> Blocks | Raised:
        try:
            return self.runs.automatic(self.runs.exact)
        except Raised as error:
            return error

    # --- Finite differences

    @functools.cached_property
    def quick(self) -> Estimate:
        """Finite differences at one step or few, along one direction or two: enough where they confirm a derivative."""
        n = self.space.entries
        count = min(n, QUICK_DIRECTIONS) if n <= BASIS_UP_TO else 1
        V = self.space.confined(self.runs.subject.random("quick differences"), count)
        spec = self.runs.subject.spec
        steps = QUICK_STEPS_OF_SMALL if spec.is_hasty and spec.by == "jax" else 1
        first = 2.0 ** (steps - 1) * QUICK_STEP / math.sqrt(n)
        return self.differences(self.runs.exact, directions=V, first=first, steps=steps)

    @functools.cached_property
    def fine(self) -> Estimate:
        """Finite differences at all steps; along every axis where JAX has no derivative to confirm."""
        n, order = self.space.entries, self.space.order
        V, size = None, basis_size(n, order)
        if self.reference is None and size <= WITNESSED:
            V = basis(n, order)
        elif order == 1 and size > BASIS_UP_TO:
            count = max(RANDOM_DIRECTIONS // len(self.space.groups), 2)
            V = self.space.confined(self.runs.subject.random("fine differences"), count)
        return self.differences(self.runs.exact, directions=V, steps=FINE_STEPS)

    @functools.cached_property
    def ladder(self) -> Estimate:
        """Along one direction from large steps to small ones: what shows in the report of a gradient that is off."""
        n = self.space.entries
        V = self.runs.subject.random("ladder").standard_normal((1, n)) / math.sqrt(n)
        return self.differences(self.runs.exact, directions=V, steps=LADDER_STEPS)

    def differences(self, arrays: Arrays, **options: Any) -> Estimate:
        """Finite differences of f, each variable in units of its largest entry."""
        runs, scales = self.runs, self.space.scales
        start = runs.subject.start(arrays)
        if (V := options.get("directions")) is not None:
            options["directions"] = self.space.inside(V)

        def f(point: Array) -> Array:
            if point is origin and arrays is runs.exact:
                return self.centre
            parts = np.split(point, np.cumsum([v.size for v in start])[:-1])
            variables = [s * p.reshape(v.shape) for s, p, v in zip(scales, parts, start, strict=True)]
            try:
                return runs.value(variables, arrays)[0].astype(np.float64)
            except Raised:  # that far away f may have no value, and smaller steps do without
                return np.full(self.centre.shape, np.nan)

        origin = np.concatenate([v.ravel() / s for v, s in zip(start, scales, strict=True)])
        return finite_differences(f, origin, self.space.order, runs.subject.seed, eps=2 * runs.u_of_f, **options)

    # --- Who is right

    @functools.cached_property
    def agreement(self) -> Agreement:
        """Whether finite differences confirm JAX's derivative in float64."""
        if self.reference is None:
            return Agreement(None, self.fine, True)
        if np.all([np.all(np.isfinite(D)) for D in self.reference]) and not self.quick.bends:
            along = self.space.along(self.reference, self.quick)
            parts = self.space.parts(self.quick)
            if all(relative(along[p], self.quick.values[p], 1.0) <= AGREES for p in parts):
                return Agreement(True, self.quick, False)
        return Agreement(self._agrees_with_fine(self.reference), self.fine, True)

    def _agrees_with_fine(self, blocks: Blocks) -> bool | None:
        fine, space, runs = self.fine, self.space, self.runs
        if not all(np.all(np.isfinite(D)) for D in blocks):
            return False if fine.spread < MEANINGLESS else None
        seen = [(part, fine.part(part)) for part in space.parts(fine)]
        seen = [(part, estimate) for part, estimate in seen if estimate.spread < MEANINGLESS]
        if not seen:
            return None
        # The rounding of the derivative itself is no reason to refute it.
        point = runs.subject.perturbed(runs.exact, FINE_STEP, "rounding of a witness")
        with contextlib.suppress(Raised):
            there, along = space.along(runs.automatic(point), fine), space.along(blocks, fine)
            for part, estimate in seen:
                change = relative(there[part], along[part], 1.0)
                rounding = tolerance(runs.u_inside, change / FINE_STEP)
                allowed = min(max(FD_SAFETY * estimate.spread + rounding, AGREES), MEANINGLESS)
                if not relative(along[part], estimate.values, 1.0) <= allowed:
                    return False
            return True
        return None

    @property
    def trusts_autodiff(self) -> bool:
        """Whether JAX's derivative is the truth: finite differences confirm it. Else they are the truth themselves."""
        return self.agreement.confirmed is True

    @property
    def kink(self) -> tuple[float, float] | None:
        """The one-sided slopes of f, where it has a kink at this point."""
        return self.agreement.by.kink(KINK_STEPS) if self.agreement.is_fine else None

    @functools.cached_property
    def truth(self) -> Blocks:
        """What is trusted, as it is compared."""
        if self.trusts_autodiff and self.reference is not None:
            return self.view(self.reference)
        return self._of_differences(self.fine)

    def truth_at(self, arrays: Arrays) -> Blocks:
        """What is trusted, at another point."""
        if self.trusts_autodiff:
            return self.view(self.runs.automatic(arrays))
        return self._of_differences(self.differences(in_float64(arrays), directions=self.fine.directions))

    def _of_differences(self, estimate: Estimate) -> Blocks:
        if self.witness_is_projected:
            return [estimate.values[rows] for rows in self.space.parts(estimate)]
        return self.space.of_differences(estimate)

    # --- Comparing

    @property
    def witness_is_projected(self) -> bool:
        """Whether finite differences along random directions are the only witness."""
        if self.trusts_autodiff:
            return False
        return len(self.fine.directions) != basis_size(self.space.entries, self.space.order)

    def view(self, blocks: Blocks) -> Blocks:
        """What of a derivative is compared: all of it, or its directions inside the domain, or along random ones."""
        if self.witness_is_projected:
            along = self.space.along(blocks, self.fine)
            return [along[rows] for rows in self.space.parts(self.fine)]
        return self.space.projected(blocks)

    def distances(self, blocks: Blocks, others: Blocks) -> list[float]:
        """The norm-wise relative distance of each block from another."""
        whole = len(blocks) == len(self.zeros) and not self.witness_is_projected
        zeros = self.zeros if whole else [0.0] * len(blocks)
        return [relative(D, T, zero) for D, T, zero in zip(blocks, others, zeros, strict=True)]

    @property
    def uncertain(self) -> list[float]:
        """How far each block of the truth may be off itself: finite differences are, where they are it."""
        if self.trusts_autodiff:
            return [0.0] * len(self.space.due)
        if self.witness_is_projected:
            return [FD_SAFETY * self.fine.part(rows).spread for rows in self.space.parts(self.fine)]
        if self.space.order == 2:
            return [FD_SAFETY * self.fine.spread] * len(self.space.due)
        ends = np.cumsum([0, *self.space.sizes])
        return [FD_SAFETY * self.fine.part(np.arange(i, j)).spread for i, j in itertools.pairwise(ends)]

    @functools.cached_property
    def glance(self) -> "Look":
        """How strongly the truth amplifies rounding: what is enough where nothing is off."""
        return Look(self, is_close=False)

    @functools.cached_property
    def scrutiny(self) -> "Look":
        """The same measured with more care, as long as it takes, before anything is called wrong."""
        return Look(self, is_close=True)


class Look:
    """A point nearby and the condition numbers, measured with some care or, `is_close`, with all of it."""

    def __init__(self, evidence: Evidence, *, is_close: bool) -> None:
        self.evidence, self.is_close = evidence, is_close

    @property
    def step(self) -> float:
        """How far a point nearby is, relatively: far enough to be seen, and no farther."""
        # What is off nearby because the point has moved is farther off farther away; what is approximated is not.
        far = self.is_close or not self.evidence.trusts_autodiff
        return max(math.sqrt(self.evidence.runs.u), FAR_STEP) if far else math.sqrt(self.evidence.runs.u)

    @functools.cached_property
    def point(self) -> Arrays:
        """A point nearby, in the dtype asked for."""
        subject = self.evidence.runs.subject
        return subject.perturbed(subject.arrays, self.step, "nearby", subject.variables)

    @functools.cached_property
    def truth(self) -> Blocks:
        """The truth there."""
        return self.evidence.truth_at(self.point)

    @functools.cached_property
    def conditions(self) -> list[float]:
        """How strongly each block of the truth amplifies relative changes of the arguments."""
        evidence, subject = self.evidence, self.evidence.runs.subject
        trusted = evidence.trusts_autodiff
        here = evidence.truth if evidence.runs.is_float64 or not trusted else evidence.view(evidence.autodiff or [])
        worst = self._amplification(self.truth, here, self.step)
        if not trusted or not (self.is_close or math.inf in worst):
            return worst
        # Where so little changes so much, any condition number may be behind it: closer, and in float64.
        for change in (FINE_STEP, FINEST_STEP):
            points = (subject.perturbed(evidence.runs.exact, change, f"{change}, {i}") for i in range(SUSPICIONS))
            finer = [self._amplification(evidence.truth_at(p), evidence.truth, change) for p in points]
            finer = [max(each) for each in zip(*finer, strict=True)]
            worst = [fine if math.isinf(w) else max(w, fine) for w, fine in zip(worst, finer, strict=True)]
            if math.inf not in worst:
                break
        if subject.spec.by == "numpy":  # nothing is compiled for another dtype
            return worst
        # What rounding to float32 does to a derivative is what rounding to float64 does, on another scale.
        u = unit_roundoff(np.float32)
        with contextlib.suppress(Raised):
            coarse = in_dtype(subject.arrays, np.float32)
            rounded = self._amplification(evidence.truth_at(coarse), evidence.truth_at(in_float64(coarse)), u)
            worst = [w if math.isinf(r) else max(w, r) for w, r in zip(worst, rounded, strict=True)]
        return worst

    @functools.cached_property
    def conditions_nearby(self) -> list[float]:
        """The same at the point nearby, where a derivative may vanish to rounding that at the point is exactly zero."""
        evidence = self.evidence
        if not (self.is_close and evidence.trusts_autodiff):
            return self.conditions
        least = FINE_STEP if evidence.runs.is_float64 else COARSE_STEP
        # A number has but two points at one distance, and there rounding may by chance be the same.
        changes = [least * (1 + i / SUSPICIONS) for i in range(SUSPICIONS)]
        points = [evidence.runs.subject.perturbed(self.point, h, f"about nearby, {h}") for h in changes]
        grown = [self._amplification(evidence.truth_at(p), self.truth, h) for p, h in zip(points, changes, strict=True)]
        return [max(each) for each in zip(self.conditions, *grown, strict=True)]

    def _amplification(self, there: Blocks, here: Blocks, change: float) -> list[float]:
        grown = self.evidence.distances(there, here)
        return [g / change if g < MEANINGLESS else math.inf for g in grown]
