"""The claim beside the truth: at the point, there in float64, and nearby."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from matcalc.referee.blocks import Blocks
from matcalc.referee.constants import BLURRED, FD_SAFETY
from matcalc.referee.evidence import Evidence, Truth
from matcalc.referee.look import Look
from matcalc.referee.programs import Raised
from matcalc.referee.runs import Misshapen
from matcalc.referee.tolerances import relative, tolerance

Place = Literal["given", "float64", "nearby"]


@dataclass(frozen=True)
class Comparison:
    """The claim beside the truth at a place, as they are compared, and how far they may lie apart.

    The place is the point given, the formula in float64 at the same point, or a point nearby.
    """

    place: Place
    claim: Blocks
    truth: Blocks
    errors: list[float]
    allowed: list[float]

    @property
    def bad(self) -> list[int]:
        """The blocks that are off."""
        pairs = enumerate(zip(self.errors, self.allowed, strict=True))
        return [k for k, (error, allowed) in pairs if not error <= allowed or math.isinf(error)]

    @property
    def worst(self) -> int:
        """The block that is off most, measured by what is allowed."""
        ratios = [error / allowed for error, allowed in zip(self.errors, self.allowed, strict=True)]
        return int(np.argmax(np.nan_to_num(ratios, nan=np.inf)))


def compare(evidence: Evidence, look: Look) -> list[Comparison]:
    """The claim and the truth at each place, as far as the claim can be computed there."""
    runs = evidence.runs

    def sizes(truth: Truth) -> list[float]:
        """The norm of each block; of one that is 0, what it is small against, or how little is known of it."""
        known = zip(evidence.sizes(truth.blocks), truth.uncertain, look.growth, strict=True)
        return [size or FD_SAFETY * off or (g if math.isfinite(g) else 0.0) for size, off, g in known]

    def compared(place: Place, claim: Blocks, truth: Truth, allowed: list[float]) -> Comparison:
        seen = evidence.view(claim)
        errors = [relative(D, T, size) for D, T, size in zip(seen, truth.blocks, sizes(truth), strict=True)]
        return Comparison(place, seen, truth.blocks, errors, allowed)

    def within(u: float, truth: Truth, growth: list[float]) -> list[float]:
        parts = zip(growth, truth.uncertain, sizes(truth), strict=True)
        return [_allowed(u, g, FD_SAFETY * off, size) for g, off, size in parts]

    truth = evidence.truth
    found = [compared("given", evidence.claim, truth, within(runs.u, truth, look.growth))]
    blurred = look.is_close or max(look.conditions) > BLURRED
    if blurred and evidence.formula is not None and evidence.formula is not evidence.claim:
        # In float64 rounding blurs nothing: the formula must be right to the resolution of the dtype asked for.
        exact = within(runs.u_inside, truth, look.growth)
        allowed = [max(a, tolerance(runs.u, 0)) for a in exact]
        found.append(compared("float64", evidence.formula, truth, allowed))
    if runs.moves:
        there = look.truth
        try:
            claim = runs.claimed(look.point)
        except (Raised, Misshapen):
            return found
        if all(np.all(np.isfinite(T)) for T in there.blocks):
            found.append(compared("nearby", claim, there, within(runs.u, there, look.growth_nearby)))
    return found


def _allowed(u: float, growth: float, uncertain: float, size: float) -> float:
    """How far a claim may be off, relative to a truth of this size."""
    if size == 0:
        return math.inf if growth or uncertain else tolerance(u, 0)
    return tolerance(u, growth / size) + uncertain / size
