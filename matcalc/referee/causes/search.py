"""A claim that is wrong beside the truth, and the test of an explanation.

An explanation says what the claim would be if it were right: its transpose, twice it, it with one term dropped. It
holds where that agrees with the truth to within the tolerance, and with all of the discrepancy gone.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from matcalc.referee.blocks import Blocks
from matcalc.referee.comparison import Comparison
from matcalc.referee.constants import AGREES, APPROXIMATED, GONE, SECOND
from matcalc.referee.evidence import Evidence
from matcalc.referee.look import Look
from matcalc.referee.programs import Array, Arrays, Raised


@dataclass(frozen=True)
class Point:
    """Arguments, and the truth there, as it is compared."""

    arrays: Arrays
    truth: Blocks


class Search:
    """A claim that is wrong, beside the truth, and the test of an explanation."""

    def __init__(self, evidence: Evidence, look: Look, wrong: Comparison) -> None:
        self.evidence, self.look, self.wrong, self.runs = evidence, look, wrong, evidence.runs
        self.bad = wrong.bad
        self.claim = evidence.claim if evidence.formula is None else evidence.formula  # in float64 it is sharper
        self.truth = wrong.truth
        self.seen = evidence.view(self.claim)
        self.before = evidence.distances(self.seen, self.truth)
        self.allowed = [max(allowed, APPROXIMATED) for allowed in wrong.allowed]
        names = [] if evidence.witness_is_projected else [evidence.runs.names[k] for k in self.bad]
        self.prefix = f"By {' and '.join(names)}: " if 0 < len(names) < len(evidence.runs.names) else ""

    @property
    def has_automatic(self) -> bool:
        """Whether the truth is JAX's derivative, which can be computed with other arguments too."""
        return self.evidence.trusts_autodiff

    def explains(self, right: Blocks) -> bool:
        """Whether the claim, corrected to this, is right, and was not before."""
        return self.agree(self.evidence.view(right), self.truth)

    @functools.cached_property
    def second(self) -> "Point | None":
        """A second point: what is a cause holds there too. None where the claim, or the truth, is not known there."""
        runs = self.runs
        if not runs.moves or self.evidence.witness_is_projected:
            return None
        arrays = runs.subject.perturbed(runs.exact, SECOND, "second point")
        truth = truth_at(self.evidence, arrays)
        return None if truth is None or claim_at(self.evidence, arrays) is None else Point(arrays, truth)

    def explains_anywhere(self, change: Callable[[int, Array, Arrays], Array]) -> bool:
        """Whether the claim, its blocks that are off changed, is right here and at a second point.

        `change` takes the place of a block, the block, and the arguments.
        """

        def changed(claim: Blocks, at: Arrays) -> Blocks:
            return [change(k, D, at) if k in self.bad else D for k, D in enumerate(claim)]

        if not self.explains(changed(self.claim, self.runs.exact)):
            return False
        if self.second is None:
            return True
        try:
            there = self.evidence.view(changed(self.runs.claimed(self.second.arrays), self.second.arrays))
        except Exception:  # what is raised elsewhere says nothing
            return True
        errors = self.evidence.distances(there, self.second.truth)
        return all(errors[k] <= max(GONE * self.limit(k), AGREES) for k in self.bad)

    def agree(self, these: Blocks, those: Blocks) -> bool:
        """Whether two derivatives agree in the blocks that are off."""
        if [D.shape for D in these] != [D.shape for D in those]:
            return False
        errors = self.evidence.distances(these, those)
        return all(errors[k] <= self.limit(k) for k in self.bad)

    def limit(self, k: int) -> float:
        """How far a block may be off where an explanation holds: rounding at most, and the discrepancy is gone."""
        return min(self.allowed[k], max(self.before[k], self.allowed[k]) / GONE)

    def entry(self, place: tuple[Any, ...]) -> tuple[int, ...]:
        """A place, without the axis of the random tangents or cotangents along which a map is examined."""
        parts = {"pullback": place[1:], "pushforward": place[:-1]}
        return tuple(map(int, parts.get(self.runs.form, place)))

    def changed(self, change: Callable[[int], Array]) -> Blocks:
        """The claim with the blocks that are off changed."""
        return [change(k) if k in self.bad else D for k, D in enumerate(self.claim)]

    def fitted(self, claim: Blocks) -> float:
        """The factor by which the claim is nearest to the truth, in the blocks that are off."""
        seen = self.evidence.view(claim)
        with np.errstate(all="ignore"):
            sizes = [np.max(np.abs(self.truth[k])) or 1.0 for k in self.bad]
            top = sum(np.vdot(seen[k] / s, self.truth[k] / s) for k, s in zip(self.bad, sizes, strict=True))
            bottom = sum(np.vdot(seen[k] / s, seen[k] / s) for k, s in zip(self.bad, sizes, strict=True))
            return float(top / bottom) if bottom > 0 and np.isfinite(top / bottom) else math.nan


def claim_at(evidence: Evidence, arrays: Arrays) -> Blocks | None:
    """The claim at other arguments, as it is compared; None where it has no finite value."""
    try:
        blocks = evidence.view(evidence.runs.claimed(arrays))
    except Exception:  # what is raised elsewhere says nothing of this point
        return None
    return blocks if all(np.all(np.isfinite(D)) for D in blocks) else None


def truth_at(evidence: Evidence, arrays: Arrays) -> Blocks | None:
    """The truth there."""
    try:
        blocks = evidence.truth_at(arrays).blocks
    except (Raised, np.linalg.LinAlgError):
        return None
    return blocks if all(np.all(np.isfinite(D)) for D in blocks) else None
