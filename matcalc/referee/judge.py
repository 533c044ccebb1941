"""From the evidence on a gradient to the verdict, its cause, and the report."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from matcalc.referee import causes
from matcalc.referee.causes.purity import impurity, instability
from matcalc.referee.causes.shapes import misshapen
from matcalc.referee.comparison import Comparison, compare
from matcalc.referee.constants import APPROXIMATED, ASYMMETRIC, MEANINGLESS
from matcalc.referee.evidence import Evidence, Look
from matcalc.referee.findings import Cause, Variable, Verdict
from matcalc.referee.programs import Array, Raised
from matcalc.referee.report import Report
from matcalc.referee.runs import Misshapen
from matcalc.referee.tolerances import relative
from matcalc.streams import recorded

Explain = Callable[[Evidence, Look, Comparison], Cause]  # what makes the claim wrong there


@dataclass(frozen=True)
class Judgement:
    """The verdict with its cause, the comparisons that it rests on, and with what care they were made."""

    verdict: Verdict
    cause: Cause | None
    look: Look | None = None
    found: list[Comparison] = field(default_factory=list[Comparison])
    notes: tuple[str, ...] = ()


def judge(evidence: Evidence, explain: Explain) -> Judgement:
    """The verdict on a claim at a point that is fit."""
    try:
        return _judge(evidence, explain)
    except Raised as error:
        text = f"Near this point f, or its derivative, raised {error}."
        return Judgement("inconclusive", Cause("raises", text, "Move the point farther inside its domain."))


def _judge(evidence: Evidence, explain: Explain) -> Judgement:
    runs = evidence.runs
    try:
        _ = evidence.claim
    except Raised as error:
        cause = Cause("raises", f"The gradient raised {error}.", "It must return an array at this point.")
        return Judgement("fail", cause)
    except Misshapen as claimed:
        return Judgement("fail", misshapen(evidence, list(claimed.args)))
    if evidence.kink:
        left, right = evidence.kink
        text = f"f has a kink at this point: its slope is {left:.3g} on one side of it and {right:.3g} on the other."
        return Judgement("inconclusive", Cause("kink", text, "There is no derivative to compare with; move the point."))
    if not evidence.trusts_autodiff and not evidence.fine.spread < MEANINGLESS:
        text = "Finite differences of f are noise at this point: it rounds coarsely inside, or is not smooth here."
        noise = Cause("noise", text, "Compute f more precisely, or move the point.")
        return Judgement("inconclusive", impurity(runs) or noise)
    is_partly_seen = runs.order == 2 and evidence.witness_is_projected
    if is_partly_seen and (off := evidence.space.asymmetry(evidence.claim)) > ASYMMETRIC:
        text = f"It is not symmetric: off by {off:.1e} from its transpose, and a second derivative of f is."
        remedy = "Look for a term that should be there with its transpose."
        return Judgement("fail", Cause("asymmetric", text, remedy))
    look = evidence.glance
    found = compare(evidence, look)
    if any(c.bad for c in found) or _autodiff_error(evidence, found[0]):
        look = evidence.scrutiny
        found = compare(evidence, look)
    given = found[0]
    # What is wrong in float64 is a wrong formula, whatever rounding adds to it.
    if bad := next((c for c in sorted(found, key=lambda c: c.place != "float64") if c.bad), None):
        vanishes = any(not np.any(c.truth[k]) for c in found for k in c.bad)
        if (off := max(c.errors[k] for c in found for k in c.bad)) <= APPROXIMATED and not vanishes:
            note = f"Off by {off:.0e}: more than rounding explains, and less than library functions may be off by."
            return Judgement("pass", None, look, found, (note,))
        undecided = impurity(runs) or instability(evidence, look, bad)
        if undecided:
            return Judgement("inconclusive", undecided, look, found)
        return Judgement("fail", explain(evidence, look, bad), look, found)
    if not max(given.allowed) < MEANINGLESS:
        return Judgement("inconclusive", _ill_conditioned(evidence, look, found), look, found)
    if off := _autodiff_error(evidence, given):
        if impure := impurity(runs):
            return Judgement("inconclusive", impure, look, found)
        text = f"The gradient and finite differences agree, and JAX's automatic derivative is off by {off:.1e}."
        return Judgement("autodiff-wrong", Cause("autodiff", text), look, found)
    return Judgement("pass", None, look, found)


def _autodiff_error(evidence: Evidence, given: Comparison) -> float:
    """How far JAX's own derivative is off, 0 if that is rounding or if it has none."""
    automatic = evidence.autodiff if evidence.trusts_autodiff else evidence.reference
    if automatic is None:
        return 0.0
    off = evidence.distances(evidence.view(automatic), given.truth)
    return max((e for e, a in zip(off, given.allowed, strict=True) if not e <= a), default=0.0)


def _ill_conditioned(evidence: Evidence, look: Look, found: list[Comparison]) -> Cause:
    allowed, condition = max(found[0].allowed), max(look.conditions)
    k = max(range(len(found[0].allowed)), key=lambda k: found[0].allowed[k])
    names = evidence.runs.names
    which = f"By {names[k]}: " if 1 < len(names) == len(found[0].allowed) else ""
    if math.isinf(condition):
        text = (
            f"{which}The smallest changes of the arguments change all of the derivative: it vanishes to rounding, or "
        )
        text += "the point is singular."
    else:
        text = f"{which}The condition number {condition:.1e} lets rounding alone explain an error of {allowed:.0e}."
    for c in found:
        if c.place == "float64" and max(c.allowed) < MEANINGLESS:
            text += f" In float64 the formula is right to {max(c.errors):.0e}."
    return Cause("ill-conditioned", text, "Give the arguments in a more precise dtype, or move the point.")


def report(evidence: Evidence, explain: Explain | None = None, reason: Cause | None = None) -> Report:
    """Judge, explain what is wrong, and write down what was seen. `reason` says why nothing is judged, if so."""
    runs, subject = evidence.runs, evidence.runs.subject
    reason = reason or evidence.unfit
    judged = Judgement("inconclusive", reason) if reason else judge(evidence, explain or causes.explain)
    errors: dict[str, float] = {}
    allowed, condition = math.nan, math.nan
    steps, remainders = np.empty(0), np.empty(0)
    if reason:
        pairs = zip(subject.names, subject.shapes, strict=True)
        variables = [Variable(name, shape, None, None, math.nan) for name, shape in pairs]
    else:
        shapes = [shape for _, shape in evidence.space.due]
        variables = [Variable(n, s, None, None, math.nan) for n, s in zip(runs.names, shapes, strict=True)]
    if judged.found and judged.look:
        given = judged.found[0]
        allowed, condition = given.allowed[given.worst], judged.look.conditions[given.worst]
        for name, witness in (("autodiff", evidence.autodiff), ("reference", evidence.reference)):
            if witness is not None:
                errors[name] = max(evidence.distances(given.claim, evidence.view(witness)))
        finite = evidence.agreement.by
        along = evidence.space.along(evidence.claim, finite)
        errors["finite differences"] = relative(along, finite.values, max(evidence.zeros))
        shown = next((c for c in judged.found if c.bad), given)
        for k, (variable, (_, shape)) in enumerate(zip(variables, evidence.space.due, strict=True)):
            whole = not evidence.witness_is_projected
            both = (shown.claim[k], shown.truth[k]) if whole else (None, None)
            variables[k] = Variable(variable.name, shape, *both, shown.errors[k if whole else 0])
        if runs.order == 1 and judged.verdict != "pass" and subject.spec.by == "jax":
            ladder = evidence.ladder
            steps, remainders = ladder.steps, ladder.remainders(evidence.space.along(evidence.claim, ladder))
    return Report(
        verdict=judged.verdict,
        cause=judged.cause,
        function=getattr(subject.f, "__name__", type(subject.f).__name__),
        dtype=", ".join(dict.fromkeys(str(subject.arrays[k].dtype) for k in subject.variables)),
        layout=runs.layout,
        order=runs.order,
        form=runs.form,
        precision=runs.precision,
        seed=recorded(subject.seed),
        errors=errors,
        tolerance=allowed,
        condition=condition,
        variables=tuple(variables),
        steps=steps,
        remainders=remainders,
        slope=_slope(steps, remainders, evidence),
        evaluations=runs.counts(),
        notes=(*(() if reason else evidence.notes), *judged.notes, *runs.mutations()),
    )


def _slope(steps: Array, remainders: Array, evidence: Evidence) -> float:
    """The slope of the remainders in double logarithmic scale, at the smallest steps where they are not rounding."""
    if not steps.size:
        return math.nan
    noise = 100 * np.finfo(np.float64).eps * float(np.linalg.norm(evidence.centre))
    seen = np.isfinite(remainders) & (remainders > noise)
    h, r = np.log(steps[seen][-5:]), np.log(remainders[seen][-5:])
    return float(np.polyfit(h, r, 1)[0]) if len(h) >= 3 else math.nan
