"""What is known about a claimed derivative at a point: the claim, the witnesses, and how far they may lie apart.

Nothing here is changed once it is known, and nothing depends on what was asked before: every piece is gathered when it
is first asked for, with random numbers of its own.
"""

import contextlib
import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np

from matcalc.referee.blocks import Blocks, Space
from matcalc.referee.constants import (
    AGREES,
    FD_SAFETY,
    FINE_STEP,
    MEANINGLESS,
    MOVED,
    SMALL,
    SMOOTH,
    VANISHING,
)
from matcalc.referee.differences import Estimate
from matcalc.referee.findings import Cause
from matcalc.referee.fitness import unfit
from matcalc.referee.programs import Array, Arrays, KeepsState, Raised
from matcalc.referee.runs import Runs
from matcalc.referee.tolerances import norm, relative, tolerance, unit_roundoff
from matcalc.referee.witnesses import Differences, Precise

Witness = Literal["autodiff", "ball arithmetic", "finite differences"]


@dataclass(frozen=True)
class Truth:
    """A derivative that is trusted, as it is compared, and how far each block may be off itself, in its norm."""

    blocks: Blocks
    uncertain: list[float]


@dataclass(frozen=True)
class Agreement:
    """Whether finite differences confirm a derivative; None where they are noise. `by` is what they were taken by."""

    confirmed: bool | None
    by: Estimate
    is_fine: bool


class Evidence:
    """A claimed derivative at a point, and the witnesses.

    With `is_precise` f in ball arithmetic is the truth. `is_locating` is for a claim that is known to be off: every
    entry is asked for. They differ in nothing else, and share what has run.
    """

    def __init__(self, runs: Runs, *, is_precise: bool = False, is_locating: bool = False) -> None:
        self.runs, self.is_precise, self.is_locating = runs, is_precise, is_locating

    def precisely(self) -> "Evidence | None":
        """The same with f in ball arithmetic as the truth, if it can be followed."""
        if self.runs.accuracy:  # what f would be without rounding is no more accurate
            return None
        precise = Evidence(self.runs, is_precise=True)
        try:
            _ = precise.truth
        except Raised:
            return None
        return precise

    def elsewhere(self) -> "Evidence":
        """The same where all variables have moved by a little that is far more than rounding."""
        subject = self.runs.subject
        return Evidence(self.runs.at(subject.perturbed(subject.arrays, MOVED, "elsewhere", subject.variables)))

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
    def size_of_f(self) -> float:
        """That of the value or, where it is 0, that which it has about this point."""
        return float(np.max(np.abs(self.centre))) or self.differences.size_about()

    @functools.cached_property
    def zeros(self) -> list[float]:
        """For each block what a derivative that vanishes is small against."""
        return self.space.sizes_of_zero(self.size_of_f)

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
        if not isinstance(self._reference, Raised) or self.is_stateful:
            return []
        is_program = self.runs.of_value.mode == "jit" or self.runs.subject.spec.tensors
        what = "differentiate" if is_program else "trace"
        why = str(self._reference).partition(":")[0]
        return [f"{self.runs.library} cannot {what} f ({why}): finite differences are the witness."]

    @property
    def is_stateful(self) -> bool:
        """Whether f could not be differentiated, as it keeps what was traced before."""
        return isinstance(self._reference, KeepsState)

    @functools.cached_property
    def _reference(self) -> Blocks | Raised:
        try:
            return self.runs.automatic(self.runs.exact)
        except Raised as error:
            return error

    # --- Who is right

    @functools.cached_property
    def differences(self) -> Differences:
        """Finite differences of f."""
        return Differences(self.runs, is_only=self.reference is None, is_locating=self.is_locating)

    @functools.cached_property
    def agreement(self) -> Agreement:
        """Whether finite differences confirm JAX's derivative in float64."""
        by = self.differences
        if self.reference is None:
            _ = by.quick  # first, for it may be all that there is time for
            return Agreement(None, by.fine, True)
        if np.all([np.all(np.isfinite(D)) for D in self.reference]) and self._is_slope(by.quick, SMOOTH):
            if self._confirms(by.quick):
                return Agreement(True, by.quick, False)
            if self._confirms(by.nearer):  # where a smooth function bends, a smaller step has more digits of its slope
                return Agreement(True, by.nearer, False)
        return Agreement(self._agrees_with_fine(self.reference), by.fine, True)

    def _confirms(self, quick: Estimate) -> bool:
        return not quick.bends and self._is_slope(quick, AGREES)

    def _is_slope(self, quick: Estimate, within: float) -> bool:
        """Whether JAX's derivative is what finite differences see along each direction."""
        along = self.space.along(self.reference or [], quick)
        return all(relative(along[p], quick.values[p], 1.0) <= within for p in self.space.parts(quick))

    def _agrees_with_fine(self, blocks: Blocks) -> bool | None:
        fine, space, runs = self.differences.fine, self.space, self.runs
        if not all(np.all(np.isfinite(D)) for D in blocks):
            return False if fine.spread < MEANINGLESS else None
        every = [(part, fine.part(part)) for part in space.parts(fine)]
        seen = [(part, e, self._vanishes(e)) for part, e in every if e.spread < MEANINGLESS or self._vanishes(e)]
        if not seen:
            return None
        # The rounding of the derivative itself is no reason to refute it.
        point = runs.subject.perturbed(runs.exact, FINE_STEP, "rounding of a witness")
        with contextlib.suppress(Raised):
            there, along = space.along(runs.automatic(point), fine), space.along(blocks, fine)
            for part, estimate, vanishes in seen:
                change = relative(there[part], along[part], 1.0)
                rounding = tolerance(runs.u_inside, change / FINE_STEP)
                allowed = min(max(FD_SAFETY * estimate.spread + rounding, AGREES), MEANINGLESS) * norm(estimate.values)
                allowed = FD_SAFETY * norm(estimate.errors) if vanishes else allowed
                if not norm(along[part] - estimate.values) <= allowed:
                    return False
            return True
        return None

    def _vanishes(self, estimate: Estimate) -> bool:
        """Whether all that finite differences see of a derivative is less than f resolves."""
        small = VANISHING * self.size_of_f * norm(np.sqrt(np.sum(estimate.directions**2, axis=1)))
        return not estimate.spread < MEANINGLESS and norm(estimate.values) + FD_SAFETY * norm(estimate.errors) <= small

    @functools.cached_property
    def is_seen(self) -> bool:
        """Whether the witness says what the derivative is: finite differences may be noise."""
        return self.witness != "finite differences" or self.differences.fine.spread < MEANINGLESS

    @functools.cached_property
    def is_bounded(self) -> bool:
        """Whether it says at least of every variable that the derivative is this, or that it vanishes."""
        if self.is_seen:
            return True
        fine = self.differences.fine
        parts = [fine.part(part) for part in self.space.parts(fine)]
        return all(e.spread < MEANINGLESS or self._vanishes(e) for e in parts)

    @property
    def witness(self) -> Witness:
        """Who is trusted: JAX's derivative where finite differences confirm it, else they themselves."""
        if self.is_precise:
            return "ball arithmetic"
        return "autodiff" if self.agreement.confirmed is True else "finite differences"

    @property
    def trusts_autodiff(self) -> bool:
        """Whether JAX's derivative is the truth."""
        return self.witness == "autodiff"

    @property
    def kink(self) -> tuple[float, float] | None:
        """The one-sided slopes of f, where it has a kink at this point."""
        return self.differences.kink if self.agreement.is_fine else None

    @property
    def jump(self) -> float | None:
        """By how much f jumps at this point, if it does."""
        return self.differences.jump if self.agreement.is_fine else None

    @functools.cached_property
    def truth(self) -> Truth:
        """What is trusted."""
        if self.trusts_autodiff and self.reference is not None:
            return self._certain(self.reference)
        if self.witness == "finite differences":
            return self._of_differences(self.differences.fine)
        return self.truth_at(self.runs.exact)

    def truth_at(self, arrays: Arrays) -> Truth:
        """What is trusted, at another point."""
        if self.trusts_autodiff:
            return self._certain(self.runs.automatic(arrays))
        if self.witness == "finite differences":
            return self._of_differences(self.differences.like_fine(self.runs.promoted(arrays)))
        return self._of_differences(self._precise.at(self.runs.promoted(arrays)))

    @functools.cached_property
    def _precise(self) -> Precise:
        return Precise(self.runs, self.differences.directions)

    def _certain(self, blocks: Blocks) -> Truth:
        return Truth(self.view(blocks), [0.0] * len(blocks))

    def _of_differences(self, estimate: Estimate) -> Truth:
        if self.witness_is_projected:
            parts = self.space.parts(estimate)
            return Truth([estimate.values[p] for p in parts], [norm(estimate.errors[p]) for p in parts])
        if self.space.order == 2:
            sizes = [1 / (s * t) for s in self.space.scales for t in self.space.scales]
            uncertain = [norm(estimate.errors) * size for size in sizes]
        else:
            parts = zip(self.space.places, self.space.scales, strict=True)
            uncertain = [norm(estimate.errors[place]) / s for place, s in parts]
        return Truth(self.space.of_differences(estimate), uncertain)

    # --- Comparing

    @property
    def witness_is_projected(self) -> bool:
        """Whether differences along random directions are the only witness."""
        return not self.trusts_autodiff and len(self.differences.directions) != self.space.basis_size

    def view(self, blocks: Blocks) -> Blocks:
        """What of a derivative is compared: all of it, or its directions inside the domain, or along random ones."""
        if self.witness_is_projected:
            by = self.differences
            along = self.space.along(blocks, by.fine)
            return [along[rows] for rows in self.space.parts(by.fine)]
        return self.space.projected(blocks)

    def sizes(self, blocks: Blocks) -> list[float]:
        """The norm of each block or, where that is 0, what one that vanishes is small against."""
        whole = len(blocks) == len(self.zeros) and not self.witness_is_projected
        return [norm(D) or zero for D, zero in zip(blocks, self.zeros if whole else [0.0] * len(blocks), strict=True)]

    def smallness(self, blocks: Blocks) -> list[bool]:
        """Whether each block is much smaller than what f, or what it is about this point, would let one expect."""
        return [norm(D) < SMALL * size for D, size in zip(blocks, self.sizes_expected(len(blocks)), strict=True)]

    def sizes_expected(self, count: int) -> list[float]:
        """What f, or what it is about this point, would let one expect of each block."""
        f = max(self.size_of_f, self.differences.size_about())
        return [f] * count if self.witness_is_projected else self.space.sizes_of_zero(f)

    def distances(self, blocks: Blocks, others: Blocks) -> list[float]:
        """The norm-wise relative distance of each block from another."""
        return [relative(D, T, size) for D, T, size in zip(blocks, others, self.sizes(others), strict=True)]
