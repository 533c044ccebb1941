"""What is no wrong gradient: a function that is random, and a formula that rounding spoils."""

from typing import Any

import numpy as np

from matcalc.referee.causes.search import claim_at, truth_at
from matcalc.referee.comparison import Comparison
from matcalc.referee.constants import MEANINGLESS
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause
from matcalc.referee.fitness import stateful
from matcalc.referee.look import Look
from matcalc.referee.programs import Arrays, KeepsState
from matcalc.referee.runs import Runs
from matcalc.referee.subject import in_dtype, in_float64
from matcalc.referee.tolerances import tolerance


def impurity(runs: Runs) -> Cause | None:
    """Whether f, or the gradient, gives other results when it is called again."""
    arguments: tuple[Arrays, ...] = (runs.exact, runs.tangents(np.float64))
    running: list[tuple[str, Any, Any]] = [("f", runs.of_value, (runs.subject.start(runs.exact), *arguments))]
    if runs.of_claim:
        running.append(("The gradient", runs.of_claim, arguments))
    for name, each, given in running:
        try:
            is_impure = each.is_impure(*given)
        except KeepsState:
            return stateful(name)
        if is_impure:
            text = f"{name} gives other results when it is called again with the same arguments."
            return Cause("non-deterministic", text, "Fix its random numbers: pass a key or a seed as an argument.")
    return None


def _is_right_eagerly(evidence: Evidence, wrong: Comparison) -> bool:
    runs = evidence.runs.eagerly()
    try:
        claim = evidence.view(runs.claimed(runs.subject.arrays))
    except Exception:  # what is raised here says nothing
        return False
    return all(e <= a for e, a in zip(evidence.distances(claim, evidence.truth.blocks), wrong.allowed, strict=True))


def instability(evidence: Evidence, look: Look, wrong: Comparison) -> Cause | None:
    """Whether rounding inside the claim explains what it is off by, though the truth is well-conditioned."""
    if not evidence.runs.of_claim:
        return None
    if not all(np.all(np.isfinite(D)) for D in evidence.claim) and _is_right_eagerly(evidence, wrong):
        text = (
            "The gradient is right where it runs eagerly, and is not finite under jax.jit, which computes (a/s)/s as "
        )
        return Cause("unstable", f"{text}a/(s·s), for example.", "Scale what is very small or very large.")
    if wrong.place == "float64":
        return None
    if wrong.place == "nearby":
        point = in_float64(look.point)
        claimed, true = claim_at(evidence, point), truth_at(evidence, point)
        if evidence.runs.u == evidence.runs.u_inside or not evidence.trusts_autodiff or claimed is None or true is None:
            return None
        exact = evidence.distances(claimed, true)
        if any(exact[k] > tolerance(evidence.runs.u_inside, look.conditions[k]) for k in wrong.bad):
            return None
    if evidence.formula is not None and evidence.runs.u > evidence.runs.u_inside:
        # The formula is right in float64: what is off is rounding.
        text = f"The formula is right in float64, but rounding makes it {max(wrong.errors):.0e} off as it is computed; "
        text += f"{max(wrong.allowed):.0e} would be due."
        return Cause("unstable", text, "Compute it in a more stable way, or in float64.")
    coarse = in_dtype(evidence.runs.subject.arrays, np.float32)
    u = evidence.runs.u_of_claim(np.float32, coarse)
    if evidence.formula is None or evidence.runs.u > u or evidence.runs.loops:
        return None  # a loop until numbers are close might never end in float32
    rounded, exact = claim_at(evidence, coarse), claim_at(evidence, in_float64(coarse))
    if rounded is None or exact is None:
        return None
    grown = [g / u for g in evidence.distances(rounded, exact)]
    if all(grown[k] < MEANINGLESS / u and wrong.errors[k] <= tolerance(evidence.runs.u, grown[k]) for k in wrong.bad):
        text = f"Rounding inside the gradient explains its being off by {max(wrong.errors):.0e}: "
        text += f"it amplifies it {max(grown):.0e} times."
        return Cause("unstable", text, "Compute it in a more stable way.")
    return None
