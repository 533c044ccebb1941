"""How strongly a derivative amplifies rounding, and a point nearby at which it is compared too."""

import contextlib
import functools
import math
import statistics

import numpy as np

from matcalc.referee.blocks import Blocks
from matcalc.referee.constants import (
    COARSE_STEP,
    FAR_STEP,
    FINE_STEP,
    FINEST_STEP,
    LINEAR,
    MEANINGLESS,
    SUSPICIONS,
)
from matcalc.referee.evidence import Evidence, Truth
from matcalc.referee.programs import Arrays, Raised
from matcalc.referee.subject import in_dtype, in_float64
from matcalc.referee.tolerances import norm


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
    def truth(self) -> Truth:
        """The truth there."""
        return self._truth_at(self.point)

    def _truth_at(self, arrays: Arrays) -> Truth:
        """The truth at a point in the dtype asked for; in float64 where products would blur it more than that does."""
        runs = self.evidence.runs
        return self.evidence.truth_at(runs.promoted(arrays) if runs.is_autodiff_coarse else arrays)

    @property
    def conditions(self) -> list[float]:
        """How strongly each block of the truth amplifies relative changes of the arguments."""
        sizes = self.evidence.sizes(self.evidence.truth.blocks)
        return [g / size if size else math.inf if g else 0.0 for g, size in zip(self.growth, sizes, strict=True)]

    @functools.cached_property
    def growth(self) -> list[float]:
        """By how much each block of the truth changes, in its norm, for each relative change of the arguments.

        Infinite where it is not proportional to that: where the derivative is singular, or noise.
        """
        evidence, subject, runs = self.evidence, self.evidence.runs.subject, self.evidence.runs
        trusted, here = evidence.trusts_autodiff, evidence.truth.blocks
        sizes = evidence.sizes(here)

        def is_small(grown: float, change: float, size: float) -> bool:
            return grown * change < MEANINGLESS * size or grown == 0

        is_exact = runs.is_float64 or runs.is_autodiff_coarse
        from_here = here if is_exact or not trusted else evidence.view(evidence.autodiff or [])
        worst = self._growth(self.truth, from_here, self.step)
        seen = [is_small(g, self.step, size) for g, size in zip(worst, sizes, strict=True)]
        if all(seen) and not (self.is_close and evidence.witness != "finite differences"):
            return worst
        # Where so little changes so much, any condition number may be behind it: closer, and in float64.
        h, fine, count = {
            "autodiff": (FINE_STEP, FINEST_STEP, SUSPICIONS),
            "ball arithmetic": (FINE_STEP, FINEST_STEP, 2),
            "finite differences": (2 * self.step, self.step / 32, 3),
        }[evidence.witness]
        wide = self._grown(h, count)
        closer = [max(each) for each in wide]
        if not all(is_small(g, h, size) for g, size in zip(closer, sizes, strict=True)):
            closer = [
                _steady(w, n, is_small(max(w), h, size), is_small(max(n), fine, size))
                for w, n, size in zip(wide, self._grown(fine, count), sizes, strict=True)
            ]
        worst = [max(g, c) if s else c for g, c, s in zip(worst, closer, seen, strict=True)]
        if subject.spec.by == "numpy" or not trusted or runs.loops:  # nothing is compiled for another dtype
            return worst
        # What rounding to float32 does to a derivative is what rounding to float64 does, on another scale.
        coarse = in_dtype(subject.arrays, np.float32)
        u = runs.u_of_autodiff(np.float32, coarse)
        with contextlib.suppress(Raised):
            rounded = self._growth(evidence.truth_at(coarse), evidence.truth_at(in_float64(coarse)).blocks, u)
            worst = [
                w if math.isinf(w) or not r * u < MEANINGLESS * size else max(w, r)
                for w, r, size in zip(worst, rounded, sizes, strict=True)
            ]
        return worst

    def _grown(self, change: float, count: int) -> list[tuple[float, ...]]:
        """The growth of each block at some points at one distance."""
        evidence, subject = self.evidence, self.evidence.runs.subject
        points = (subject.perturbed(evidence.runs.exact, change, f"{change}, {i}") for i in range(count))
        grown = [self._growth(evidence.truth_at(p), evidence.truth.blocks, change) for p in points]
        return list(zip(*grown, strict=True))

    @functools.cached_property
    def growth_nearby(self) -> list[float]:
        """The same at the point nearby, where a derivative may vanish to rounding that at the point is exactly zero."""
        evidence = self.evidence
        if not (self.is_close and evidence.trusts_autodiff):
            return self.growth
        least = FINE_STEP if evidence.runs.is_float64 else COARSE_STEP
        # A number has but two points at one distance, and there rounding may by chance be the same.
        changes = [least * (1 + i / SUSPICIONS) for i in range(SUSPICIONS)]
        points = [evidence.runs.subject.perturbed(self.point, h, f"about nearby, {h}") for h in changes]
        grown = [self._growth(self._truth_at(p), self.truth.blocks, h) for p, h in zip(points, changes, strict=True)]
        return [max(each) for each in zip(self.growth, *grown, strict=True)]

    def _growth(self, there: Truth, here: Blocks, change: float) -> list[float]:
        pairs = zip(there.blocks, here, strict=True)
        grown = [norm(a - b) / change for a, b in pairs]
        return [g if math.isfinite(g) else math.inf for g in grown]


def _steady(wide: tuple[float, ...], narrow: tuple[float, ...], wide_is_small: bool, narrow_is_small: bool) -> float:
    """The growth, where at the wider step or else the narrower one it is less than the derivative itself.

    A derivative that vanishes changes by more than itself, but by no more than in proportion; noise, and what is
    singular, changes the more for each step the smaller that is.
    """
    if wide_is_small:
        return max(wide)
    if narrow_is_small:
        return max(narrow)
    return max(*wide, *narrow) if max(narrow) <= LINEAR * statistics.median(wide) else math.inf
