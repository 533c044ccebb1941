"""From the evidence on a gradient to the verdict, its cause, and the report."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from matcalc.referee.blocks import Blocks
from matcalc.referee.causes.purity import impurity, instability
from matcalc.referee.causes.shapes import misshapen
from matcalc.referee.comparison import Comparison, compare
from matcalc.referee.constants import (
    AGREES,
    APPROXIMATED,
    ASYMMETRIC,
    COARSE,
    CONFIRMED,
    FD_SAFETY,
    MEANINGLESS,
    MOVED,
    SAFETY,
    SMALL,
    STEEP,
)
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause, Verdict
from matcalc.referee.fitness import late, stateful
from matcalc.referee.look import Look
from matcalc.referee.programs import KeepsState, Raised
from matcalc.referee.repeated import repeated
from matcalc.referee.runs import Misshapen
from matcalc.referee.spec import Misnamed
from matcalc.referee.tolerances import norm, relative, tolerance
from matcalc.referee.watch import OutOfTime

Explain = Callable[[Evidence, Look, Comparison], Cause]  # what makes the claim wrong there


@dataclass(frozen=True)
class Judgement:
    """The verdict with its cause, the evidence and the comparisons that it rests on, and with what care they were made.

    `wrong` is the comparison by which the claim is wrong, where the cause of that is still to be found.
    """

    verdict: Verdict
    cause: Cause | None
    evidence: Evidence
    look: Look | None = None
    found: list[Comparison] = field(default_factory=list[Comparison])
    notes: tuple[str, ...] = ()
    wrong: Comparison | None = None


def judge(evidence: Evidence, explain: Explain) -> Judgement:
    """The verdict on a claim at a point that is fit."""
    try:
        judged = _judge_where_seen(evidence)
    except KeepsState:
        return Judgement("inconclusive", stateful("f"), evidence)
    except Raised as error:
        text = f"Near this point f, or its derivative, raised {error}."
        cause = Cause("raises", text, "Move the point farther inside its domain.")
        return Judgement("inconclusive", cause, evidence)
    except OutOfTime:
        return Judgement("inconclusive", late("anything could be told"), evidence)
    try:
        return _explained(judged, explain)
    except (OutOfTime, Raised):
        return replace(judged, cause=late("the cause was found"))


def _explained(judged: Judgement, explain: Explain) -> Judgement:
    """The same with the cause of what is wrong."""
    if judged.wrong is None:
        return judged
    judged = _located(judged)
    evidence, look, wrong = judged.evidence, judged.look, judged.wrong
    assert look is not None
    assert wrong is not None
    if undecided := impurity(evidence.runs) or instability(evidence, look, wrong):
        return replace(judged, verdict="inconclusive", cause=undecided)
    return replace(judged, cause=explain(evidence, look, wrong))


def _judge_where_seen(evidence: Evidence) -> Judgement:
    """The verdict; where the derivative vanishes, by what it is nearby."""
    judged = _judge_by_all(evidence)
    lost = _lost(judged)
    if not lost:
        return judged
    if not evidence.runs.moves:  # at this point no more can be told
        if judged.verdict == "fail":
            return judged
        if not _is_resolved(judged, lost):
            return replace(judged, verdict="inconclusive", cause=_noise(evidence))
        return replace(judged, verdict="pass", cause=None, notes=(_vanishing(judged, lost),))
    elsewhere = evidence.elsewhere()
    if elsewhere.unfit:
        return judged
    there = _judge_by_all(elsewhere)
    if not there.evidence.is_seen:
        return replace(judged, verdict="inconclusive", cause=_noise(evidence))
    note = f"{_vanishing(judged, lost)} It is judged where the variables have moved by {MOVED:.1%} of their size."
    if there.verdict == "fail":
        return replace(there, notes=(*there.notes, note))
    if there.verdict == "inconclusive":
        return replace(judged, notes=(*judged.notes, note))
    given = judged.found[0]
    if given.bad:
        return replace(judged, verdict="fail", wrong=given, notes=(*judged.notes, note))
    assert judged.look is not None
    if off := _autodiff_error(evidence, judged.look, given):
        return replace(there, verdict="autodiff-wrong", cause=_autodiff(evidence, off), notes=(*there.notes, note))
    return replace(there, notes=(*there.notes, note))


def _lost(judged: Judgement) -> list[int]:
    """The blocks of the derivative that vanish at the point, to rounding at least, and not about it."""
    if not judged.found or judged.look is None:
        return []
    given, growth = judged.found[0], judged.look.growth
    if not judged.evidence.is_seen:
        return list(range(len(given.allowed)))
    sizes = [norm(T) for T in given.truth]
    unclear = [k for k, g in enumerate(growth) if 0 < g < math.inf and g > STEEP * sizes[k]]
    small = judged.evidence.smallness(given.truth) if unclear else []
    return [k for k in unclear if small[k]]


def _is_resolved(judged: Judgement, lost: list[int]) -> bool:
    """Whether what cannot be told from 0 is little beside what the derivative is farther away."""
    assert judged.look is not None
    given, growth = judged.found[0], judged.look.growth
    sizes = judged.evidence.sizes(given.truth)
    return all(given.allowed[k] * sizes[k] < SMALL * growth[k] < math.inf for k in lost)


def _vanishing(judged: Judgement, lost: list[int]) -> str:
    assert judged.look is not None
    evidence, given = judged.evidence, judged.found[0]
    names = [] if evidence.witness_is_projected else [evidence.runs.names[k] for k in lost]
    by = f" by {' and '.join(names)}" if 0 < len(names) < len(evidence.runs.names) else ""
    sizes = evidence.sizes(given.truth)
    size, seen = max(norm(given.truth[k]) for k in lost), max(given.allowed[k] * sizes[k] for k in lost)
    text = f"The derivative{by} vanishes here to rounding: its norm is {size:.1e}, and {seen:.1e} would not be told "
    return f"{text}from 0."


def _judge_by_all(evidence: Evidence) -> Judgement:
    """The verdict, before which f in ball arithmetic is asked where the other witnesses do not settle it."""
    judged = _judge(evidence)
    if _is_settled(judged):
        return judged
    precise = evidence.precisely()
    if precise is None:
        return _undecided_if_hidden(judged)
    try:
        again = _judge(precise)
    except Raised:
        return _undecided_if_hidden(judged)
    # Where the truth is 0 a claim that is noise is no wrong formula: it is what rounding leaves of it.
    is_rounding = again.verdict == "fail" and again.look is not None and _is_noise(again.evidence, again.look)
    return judged if is_rounding or again.verdict == judged.verdict else again


def _is_settled(judged: Judgement) -> bool:
    """Whether ball arithmetic could add nothing."""
    evidence, wrong = judged.evidence, judged.wrong
    if not judged.found:
        return judged.cause is None or judged.cause.name != "noise"
    if _is_hidden(judged):
        return False
    if wrong is None or not evidence.trusts_autodiff:
        # Where finite differences alone are against JAX, both may have lost what cancels.
        return judged.verdict == "pass" or (judged.verdict == "autodiff-wrong" and evidence.trusts_autodiff)
    # JAX's derivative was confirmed to within this, and the claim is farther off.
    confirmed = FD_SAFETY * evidence.agreement.by.spread if evidence.agreement.is_fine else AGREES
    return min(wrong.errors[k] for k in wrong.bad) > CONFIRMED * max(confirmed, AGREES)


def _is_hidden(judged: Judgement) -> bool:
    """Whether the claim is not 0 where the truth is, and less than f resolves: noise, perhaps, or what JAX has lost."""
    given = judged.found[0]
    return any(not np.any(T) and np.any(C) for C, T in zip(given.claim, given.truth, strict=True))


def _undecided_if_hidden(judged: Judgement) -> Judgement:
    evidence, look = judged.evidence, judged.look
    if judged.verdict != "pass" or look is None or not evidence.runs.moves or not _is_hidden(judged):
        return judged
    if _is_noise(evidence, look):
        return judged
    size = max(map(norm, judged.found[0].claim))
    text = f"The derivative vanishes here to what f resolves: the witnesses say 0, and the claim is {size:.1e}."
    cause = Cause("ill-conditioned", text, "Move the point to where the derivative is seen.")
    return replace(judged, verdict="inconclusive", cause=cause)


def _is_noise(evidence: Evidence, look: Look) -> bool:
    """Whether the claim is another at another point, as noise is; a derivative is nearly the same."""
    there = evidence.view(evidence.runs.claimed(look.point)) if evidence.runs.moves else []
    pairs = zip(there, evidence.view(evidence.claim), strict=False)
    return any(relative(a, b, 1.0) > MEANINGLESS for a, b in pairs)


def _located(judged: Judgement) -> Judgement:
    """The same with every entry of the truth known, where along random directions it was seen that the claim is off."""
    evidence = judged.evidence
    if not evidence.witness_is_projected or evidence.is_precise or evidence.reference is not None:
        return judged
    entry_by_entry = _judge(Evidence(evidence.runs, is_locating=True))
    return judged if entry_by_entry.wrong is None else replace(entry_by_entry, notes=judged.notes)


def _judge(evidence: Evidence) -> Judgement:
    runs = evidence.runs

    def judged(verdict: Verdict, cause: Cause | None, *rest: Any, **more: Any) -> Judgement:
        return Judgement(verdict, cause, evidence, *rest, **more)

    if evidence.is_stateful:
        return judged("inconclusive", stateful("f"))
    try:
        _ = evidence.claim
    except KeepsState:
        return judged("inconclusive", stateful("The gradient"))
    except Misnamed as error:
        text, due = error.args
        return judged(
            "fail", Cause("structure", f"{text} ({', '.join(due)}).", "Give it the structure of the variables.")
        )
    except Raised as error:
        return judged(
            "fail", Cause("raises", f"The gradient raised {error}.", "It must return an array at this point.")
        )
    except Misshapen as claimed:
        return judged("fail", misshapen(evidence, list(claimed.args)))
    if evidence.jump:
        text = f"f jumps at this point, by {evidence.jump:.3g}: it is not continuous.{repeated(runs)}"
        return judged("inconclusive", Cause("jump", text, "There is no derivative to compare with; move the point."))
    if evidence.kink:
        left, right = evidence.kink
        text = f"f has a kink at this point: its slope is {left:.3g} on one side of it and {right:.3g} on the other."
        text += repeated(runs)
        return judged("inconclusive", Cause("kink", text, "There is no derivative to compare with; move the point."))
    if not evidence.is_bounded:
        return judged("inconclusive", impurity(runs) or _noise(evidence))
    is_partly_seen = runs.order == 2 and evidence.witness_is_projected
    if is_partly_seen and (off := evidence.space.asymmetry(evidence.claim)) > ASYMMETRIC:
        text = f"It is not symmetric: off by {off:.1e} from its transpose, and a second derivative of f is."
        remedy = "Look for a term that should be there with its transpose."
        return judged("fail", Cause("asymmetric", text, remedy))
    look = Look(evidence, is_close=False)
    found = compare(evidence, look)
    is_clear = max(found[0].allowed) < MEANINGLESS and not _autodiff_error(evidence, look, found[0])
    if any(c.bad for c in found) or not is_clear:
        look = Look(evidence, is_close=True)
        found = compare(evidence, look)
    given = found[0]
    # What is wrong in float64 is a wrong formula, whatever rounding adds to it.
    in_turn = sorted(found, key=lambda c: c.place != "float64")
    if bad := next((c for c in in_turn if c.bad and not _is_rounding(evidence, look, c)), None):
        vanishes = any(not np.any(c.truth[k]) for c in found for k in c.bad)
        if (off := max(c.errors[k] for c in found for k in c.bad)) <= APPROXIMATED and not vanishes:
            note = f"Off by {off:.0e}: more than rounding explains, and less than library functions may be off by."
            return judged("pass", None, look, found, (note,))
        return judged("fail", None, look, found, wrong=bad)
    if not max(given.allowed) < MEANINGLESS:
        return judged("inconclusive", _ill_conditioned(evidence, look, found), look, found)
    if off := _autodiff_error(evidence, look, given):
        if impure := impurity(runs):
            return judged("inconclusive", impure, look, found)
        return judged("autodiff-wrong", _autodiff(evidence, off), look, found)
    return judged("pass", None, look, found)


def _is_rounding(evidence: Evidence, look: Look, found: Comparison) -> bool:
    """Whether what is off is no more than rounding leaves of a derivative that is 0, in the claim and in the truth.

    Then the truth is another at another point, as noise is; a derivative that is small beside f is nearly the same.
    """
    if not evidence.runs.moves:
        return False
    here, there = evidence.truth.blocks, look.truth.blocks
    if not all(relative(here[k], there[k], norm(here[k])) > MEANINGLESS for k in found.bad):
        return False
    left = [SAFETY * evidence.runs.u_of_f * size for size in evidence.sizes_expected(len(found.truth))]
    return all(max(norm(found.claim[k]), norm(found.truth[k])) <= left[k] for k in found.bad)


def _noise(evidence: Evidence) -> Cause:
    text = "Finite differences of f are noise at this point: it rounds coarsely inside, or is not smooth here."
    remedy = "Compute f more precisely, or move the point."
    if _is_rough(evidence):
        seen = evidence.differences.roughness
        text += f" Its values scatter by {seen:.0e} of their size."
        remedy += f" Of a solver or a table, accuracy={seen:.0e} says so."
    return Cause("noise", text, remedy)


def _is_rough(evidence: Evidence) -> bool:
    """Whether f is seen to be less accurate than its dtype."""
    return COARSE * 2 * evidence.runs.u_of_f < evidence.differences.roughness < MEANINGLESS


def _autodiff(evidence: Evidence, off: float) -> Cause:
    automatic = _automatic(evidence) or []
    how = f"is off by {off:.1e}" if math.isfinite(off) else "is not 0, as the truth is"
    how = how if all(np.all(np.isfinite(D)) for D in automatic) else "is not finite"
    by = {"autodiff": "the derivative in float64", "ball arithmetic": "f in ball arithmetic"}
    text = f"The gradient and {by.get(evidence.witness, evidence.witness)} agree"
    return Cause("autodiff", f"{text}, and {evidence.runs.library}'s automatic derivative {how} at this point.")


def _automatic(evidence: Evidence) -> Blocks | None:
    return evidence.autodiff if evidence.trusts_autodiff else evidence.reference


def _autodiff_error(evidence: Evidence, look: Look, given: Comparison) -> float:
    """How far JAX's own derivative is off, 0 if that is rounding or if it has none."""
    automatic = _automatic(evidence)
    if automatic is None:
        return 0.0
    off, allowed = evidence.distances(evidence.view(automatic), given.truth), given.allowed
    if evidence.runs.u_of_given > evidence.runs.u:  # it multiplies matrices, and the claim does not
        own = [tolerance(evidence.runs.u_of_given, condition) for condition in look.conditions]
        allowed = [max(pair) for pair in zip(allowed, own, strict=True)]
    return max((e for e, a in zip(off, allowed, strict=True) if not e <= a), default=0.0)


def _ill_conditioned(evidence: Evidence, look: Look, found: list[Comparison]) -> Cause:
    allowed, condition = max(found[0].allowed), max(look.conditions)
    k = max(range(len(found[0].allowed)), key=lambda k: found[0].allowed[k])
    names = evidence.runs.names
    which = f"By {names[k]}: " if 1 < len(names) == len(found[0].allowed) else ""
    if math.isinf(condition) and evidence.witness == "finite differences" and _is_rough(evidence):
        return _noise(evidence)
    if math.isinf(condition):
        text = f"{which}The smallest changes of the arguments change all of the derivative, and not in proportion: "
        text += f"it is noise, or the point is singular.{repeated(evidence.runs)}"
    elif tolerance(evidence.runs.u, condition) < MEANINGLESS:
        text = f"{which}Finite differences of f, the witness, see the derivative to within {allowed:.0e} of it."
    else:
        text = f"{which}The condition number {condition:.1e} lets rounding alone explain an error of {allowed:.0e}."
    for c in found:
        if c.place == "float64" and max(c.allowed) < MEANINGLESS:
            text += f" In float64 the formula is right to {max(c.errors):.0e}."
    return Cause("ill-conditioned", text, "Give the arguments in a more precise dtype, or move the point.")
