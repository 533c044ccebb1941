"""What was found out about a claim, written into a report."""

import contextlib
import math
from dataclasses import replace
from typing import Any

import numpy as np

from matcalc.referee import causes
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause, Variable
from matcalc.referee.judge import Explain, Judgement, judge
from matcalc.referee.programs import Array, Raised
from matcalc.referee.report import Report
from matcalc.referee.runs import Misshapen
from matcalc.referee.tolerances import relative
from matcalc.referee.watch import OutOfTime
from matcalc.streams import recorded


def report(evidence: Evidence, explain: Explain | None = None, reason: Cause | None = None) -> Report:
    """Judge, explain what is wrong, and write down what was seen. `reason` says why nothing is judged, if so."""
    runs, subject = evidence.runs, evidence.runs.subject
    reason = reason or evidence.unfit
    judged = Judgement("inconclusive", reason, evidence) if reason else judge(evidence, explain or causes.explain)
    named = zip(subject.names, subject.shapes, strict=True)
    if not reason:
        named = zip(runs.names, [shape for _, shape in judged.evidence.space.due], strict=True)
    seen: dict[str, Any] = {
        "errors": {},
        "variables": [Variable(name, shape, None, None, math.nan) for name, shape in named],
        "notes": [*judged.notes],
    }
    if not reason:
        with contextlib.suppress(OutOfTime):  # what had run before that is seen all the same
            (_write_comparison if judged.found else _write_distance)(judged, seen)
    variables, notes = tuple(seen.pop("variables")), seen.pop("notes")
    written = Report(
        verdict=judged.verdict,
        cause=judged.cause,
        function=getattr(subject.f, "__name__", type(subject.f).__name__),
        dtype=", ".join(dict.fromkeys(str(subject.arrays[k].dtype) for k in subject.variables)),
        layout=runs.layout,
        order=runs.order,
        form=runs.form,
        precision=runs.precision,
        seed=recorded(subject.seed),
        errors={},
        tolerance=math.nan,
        condition=math.nan,
        variables=variables,
        steps=np.empty(0),
        remainders=np.empty(0),
        slope=math.nan,
        evaluations=runs.counts(),
        notes=(*notes, *subject.notes, *runs.mutations()),
    )
    return replace(written, **seen)


def _write_comparison(judged: Judgement, seen: dict[str, Any]) -> None:
    """The claim beside each witness, and beside the truth by each variable."""
    evidence, look, given = judged.evidence, judged.look, judged.found[0]
    assert look is not None
    runs, errors, notes = evidence.runs, seen["errors"], seen["notes"]
    notes[:0] = evidence.notes
    seen["tolerance"], seen["condition"] = given.allowed[given.worst], look.conditions[given.worst]
    shown = next((c for c in judged.found if c.bad), given)
    for k, (variable, (_, shape)) in enumerate(zip(seen["variables"], evidence.space.due, strict=True)):
        whole = not evidence.witness_is_projected
        both = (shown.claim[k], shown.truth[k]) if whole else (None, None)
        seen["variables"][k] = Variable(variable.name, shape, *both, shown.errors[k if whole else 0])
    if judged.verdict == "fail" and shown.place == "nearby":
        notes.append(f"Variables are compared nearby, where they have moved by {look.step:.0e} of their size.")
    for name, witness in (("autodiff", evidence.autodiff), ("reference", evidence.reference)):
        if witness is not None:
            errors[name] = max(evidence.distances(given.claim, evidence.view(witness)))
    if evidence.is_precise:
        errors["ball arithmetic"] = max(given.errors)
    finite = evidence.agreement.by
    along = evidence.space.along(evidence.claim, finite)
    errors["finite differences"] = relative(along, finite.values, max(evidence.zeros))
    if runs.order == 1 and judged.verdict != "pass" and runs.subject.spec.by == "jax":
        ladder = evidence.differences.ladder
        seen["steps"] = ladder.steps
        seen["remainders"] = ladder.remainders(evidence.space.along(evidence.claim, ladder))
        seen["slope"] = _slope(ladder.steps, seen["remainders"], evidence)


def _write_distance(judged: Judgement, seen: dict[str, Any]) -> None:
    """Of a claim that was not compared why JAX has no derivative and, if the time was over, what a first look gave."""
    evidence = judged.evidence
    seen["notes"][:0] = evidence.notes
    if not judged.cause or judged.cause.name != "out of time":
        return
    with contextlib.suppress(Raised, Misshapen, ValueError):
        if evidence.reference is not None:
            pairs = zip(evidence.claim, evidence.reference, strict=True)
            seen["errors"]["autodiff"] = max(relative(C, D, 1.0) for C, D in pairs)
        quick = evidence.differences.quick
        along = evidence.space.along(evidence.claim, quick)
        seen["errors"]["finite differences"] = relative(along, quick.values, 1.0)


def _slope(steps: Array, remainders: Array, evidence: Evidence) -> float:
    """The slope of the remainders in double logarithmic scale, at the smallest steps where they are not rounding."""
    if not steps.size:
        return math.nan
    noise = 100 * np.finfo(np.float64).eps * float(np.linalg.norm(evidence.centre))
    seen = np.isfinite(remainders) & (remainders > noise)
    h, r = np.log(steps[seen][-5:]), np.log(remainders[seen][-5:])
    return float(np.polyfit(h, r, 1)[0]) if len(h) >= 3 else math.nan
