"""From the evidence on a gradient to the verdict, its cause, and the report."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from matcalc.referee import _causes
from matcalc.referee._evidence import Evidence, Misshapen
from matcalc.referee._report import Cause, Report, Variable, Verdict
from matcalc.referee._subject import Raised
from matcalc.referee._tolerance import APPROXIMATED, MEANINGLESS, relative, tolerance

Array = np.ndarray[Any, Any]

ASYMMETRIC = 1e-6  # of a claimed Hessian, where along single directions only it can be compared
BLURRED = 2  # a condition number from which on more is seen in float64 than in the dtype asked for


@dataclass(frozen=True)
class Comparison:
    """The claim beside the truth at a place, as they are compared, and how far they may lie apart."""

    place: str  # "given", "float64" (the formula at the same point) or "nearby"
    claim: list[Array]
    truth: list[Array]
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


Explain = Callable[[Evidence, Comparison], Cause]  # what makes the claim wrong there


def compare(evidence: Evidence) -> list[Comparison]:
    """The claim and the truth at the point, there in float64, and nearby, as far as the claim can be computed so."""
    found: list[Comparison] = []

    def add(place: str, claim: list[Array], truth: list[Array], allowed: list[float]) -> None:
        seen = evidence.view(claim)
        found.append(Comparison(place, seen, truth, evidence.distances(seen, truth), allowed))

    truth = evidence.truth

    def within(u: float, conditions: list[float]) -> list[float]:
        return [tolerance(u, c) + off for c, off in zip(conditions, evidence.uncertain, strict=True)]

    allowed = within(evidence.u, evidence.conditions)
    add("given", evidence.claim, truth, allowed)
    blurred = evidence.suspicious or max(evidence.conditions) > BLURRED
    if blurred and evidence.formula is not None and evidence.formula is not evidence.claim:
        # In float64 rounding blurs nothing: the formula must be right to the resolution of the dtype asked for.
        exact = within(evidence.u_inside, evidence.conditions)
        add("float64", evidence.formula, truth, [max(a, tolerance(evidence.u, 0)) for a in exact])
    if evidence.moves:
        point, there = evidence.moved
        try:
            claim = evidence.claimed(point)
        except (Raised, Misshapen):
            return found
        if all(np.all(np.isfinite(T)) for T in there):
            add("nearby", claim, there, within(evidence.u, evidence.conditions_nearby))
    return found


def judge(evidence: Evidence, explain: Explain) -> tuple[Verdict, Cause | None, list[Comparison]]:
    """The verdict with its cause, and the comparisons that it rests on."""
    try:
        return _judge(evidence, explain)
    except Raised as error:
        text = f"Near this point f, or its derivative, raised {error}."
        return "inconclusive", Cause("raises", text, "Move the point farther inside its domain."), []


def _judge(evidence: Evidence, explain: Explain) -> tuple[Verdict, Cause | None, list[Comparison]]:
    if evidence.unfit:
        return "inconclusive", evidence.unfit, []
    try:
        _ = evidence.claim
    except Raised as error:
        return "fail", Cause("raises", f"The gradient raised {error}.", "It must return an array at this point."), []
    except Misshapen as misshapen:
        return "fail", _causes.misshapen(evidence, list(misshapen.args)), []
    # Where JAX has no derivative, finite differences are the truth, and must be taken before kinks can be seen.
    if evidence.reference is None:
        _ = evidence.fine
    agreed = evidence.reference is not None and evidence.confirms(evidence.reference)
    if evidence.kink:
        left, right = evidence.kink
        text = f"f has a kink at this point: its slope is {left:.3g} on one side of it and {right:.3g} on the other."
        return "inconclusive", Cause("kink", text, "There is no derivative to compare with; move the point."), []
    evidence.trusts_autodiff = agreed is True
    if not agreed and not evidence.fine.spread < MEANINGLESS:
        text = "Finite differences of f are noise at this point: it rounds coarsely inside, or is not smooth here."
        noise = Cause("noise", text, "Compute f more precisely, or move the point.")
        return "inconclusive", _causes.impurity(evidence) or noise, []
    if evidence.order == 2 and evidence.witness_is_projected and (off := evidence.asymmetry) > ASYMMETRIC:
        text = f"It is not symmetric: off by {off:.1e} from its transpose, and a second derivative of f is."
        return "fail", Cause("asymmetric", text, "Look for a term that should be there with its transpose."), []
    found = compare(evidence)
    if any(c.bad for c in found) or _autodiff_error(evidence, found[0]):
        evidence.look_closer()
        found = compare(evidence)
    given = found[0]
    # What is wrong in float64 is a wrong formula, whatever rounding adds to it.
    if bad := next((c for c in sorted(found, key=lambda c: c.place != "float64") if c.bad), None):
        vanishes = any(not np.any(c.truth[k]) for c in found for k in c.bad)
        if (off := max(c.errors[k] for c in found for k in c.bad)) <= APPROXIMATED and not vanishes:
            note = "more than rounding explains, and less than library functions may be off by."
            evidence.notes.append(f"Off by {off:.0e}: {note}")
            return "pass", None, found
        undecided = _causes.impurity(evidence) or _causes.instability(evidence, bad)
        if undecided:
            return "inconclusive", undecided, found
        return "fail", explain(evidence, bad), found
    if not max(given.allowed) < MEANINGLESS:
        return "inconclusive", _ill_conditioned(evidence, found), found
    if off := _autodiff_error(evidence, given):
        if impure := _causes.impurity(evidence):
            return "inconclusive", impure, found
        text = f"The gradient and finite differences agree, and JAX's automatic derivative is off by {off:.1e}."
        return "autodiff-wrong", Cause("autodiff", text), found
    return "pass", None, found


def _autodiff_error(evidence: Evidence, given: Comparison) -> float:
    """How far JAX's own derivative is off, 0 if that is rounding or if it has none."""
    automatic = evidence.autodiff if evidence.trusts_autodiff else evidence.reference
    if automatic is None:
        return 0.0
    off = evidence.distances(evidence.view(automatic), given.truth)
    return max((e for e, a in zip(off, given.allowed, strict=True) if not e <= a), default=0.0)


def _ill_conditioned(evidence: Evidence, found: list[Comparison]) -> Cause:
    allowed, condition = max(found[0].allowed), max(evidence.conditions)
    k = max(range(len(found[0].allowed)), key=lambda k: found[0].allowed[k])
    which = f"By {evidence.names[k]}: " if 1 < len(evidence.names) == len(found[0].allowed) else ""
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


def report(evidence: Evidence, explain: Explain = _causes.explain) -> Report:
    """Judge, explain what is wrong, and write down what was seen."""
    before = evidence.runs()
    verdict, cause, found = judge(evidence, explain)
    subject = evidence.subject
    errors: dict[str, float] = {}
    variables: list[Variable] = []
    allowed, condition = math.nan, math.nan
    steps, remainders = np.empty(0), np.empty(0)
    if evidence.unfit:
        pairs = zip(subject.names, subject.shapes, strict=True)
        variables = [Variable(name, shape, None, None, math.nan) for name, shape in pairs]
    else:
        shapes = [shape for _, shape in evidence.due]
        variables = [Variable(n, s, None, None, math.nan) for n, s in zip(evidence.names, shapes, strict=True)]
    if found:
        given = found[0]
        allowed, condition = given.allowed[given.worst], evidence.conditions[given.worst]
        for name, witness in (("autodiff", evidence.autodiff), ("reference", evidence.reference)):
            if witness is not None:
                errors[name] = max(evidence.distances(given.claim, evidence.view(witness)))
        finite = evidence.finite
        along = evidence.along(evidence.claim, finite)
        errors["finite differences"] = relative(along, finite.values, max(evidence.zeros))
        shown = next((c for c in found if c.bad), given)
        for k, (name, (_, shape)) in enumerate(zip(evidence.names, evidence.due, strict=True)):
            whole = not evidence.witness_is_projected
            both = (shown.claim[k], shown.truth[k]) if whole else (None, None)
            variables[k] = Variable(name, shape, *both, shown.errors[k if whole else 0])
        if evidence.order == 1 and verdict != "pass" and not subject.spec.is_hasty:
            ladder = evidence.ladder
            steps, remainders = ladder.steps, ladder.remainders(evidence.along(evidence.claim, ladder))
    return Report(
        verdict=verdict,
        cause=cause,
        function=getattr(subject.f, "__name__", type(subject.f).__name__),
        dtype=", ".join(dict.fromkeys(str(subject.arrays[k].dtype) for k in subject.variables)),
        layout=evidence.layout,
        order=evidence.order,
        form=evidence.form,
        precision=evidence.precision,
        seed=subject.seed,
        errors=errors,
        tolerance=allowed,
        condition=condition,
        variables=tuple(variables),
        steps=steps,
        remainders=remainders,
        slope=_slope(steps, remainders, evidence),
        evaluations={name: runs - before.get(name, 0) for name, runs in evidence.runs().items()},
        notes=(*evidence.notes, *evidence.mutations()),
    )


def _slope(steps: Array, remainders: Array, evidence: Evidence) -> float:
    """The slope of the remainders in double logarithmic scale, at the smallest steps where they are not rounding."""
    if not steps.size:
        return math.nan
    noise = 100 * np.finfo(np.float64).eps * float(np.linalg.norm(evidence.centre))
    seen = np.isfinite(remainders) & (remainders > noise)
    h, r = np.log(steps[seen][-5:]), np.log(remainders[seen][-5:])
    return float(np.polyfit(h, r, 1)[0]) if len(h) >= 3 else math.nan
