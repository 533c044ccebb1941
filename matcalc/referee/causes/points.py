"""Causes that look at other points: special arguments, a stale value, what is right at one point only."""

from collections.abc import Iterator

import numpy as np

from matcalc.domains import named
from matcalc.referee.causes.search import Search, claim_at, truth_at
from matcalc.referee.constants import AGREES, FAR, GONE
from matcalc.referee.findings import Cause
from matcalc.referee.programs import Arrays, is_real
from matcalc.referee.tolerances import relative, tolerance, unit_roundoff

# From the weakest condition to the strongest, so that what holds for all symmetric matrices is not called diagonal.
SPECIAL = ("symmetric", "skew-symmetric", "orthogonal", "lower triangular", "upper triangular", "diagonal")


def special_arguments(search: Search) -> Iterator[Cause]:
    """The claim is right once arguments are projected to a special set."""
    evidence = search.evidence
    if not search.has_automatic or not evidence.runs.moves or evidence.runs.u_inside > unit_roundoff(np.float64):
        return
    arrays = evidence.runs.exact
    declared = evidence.runs.subject.domains
    squares = [k for k, a in enumerate(arrays) if is_real(a) and a.ndim == 2 and 1 < a.shape[0] == a.shape[1]]
    squares = [k for k in squares if k not in declared]  # of which the user said what they are
    # Not where it is, but at a general point: at a symmetric one every formula for symmetric matrices is right.
    general = evidence.runs.subject.general(arrays, squares)
    claimed, true = claim_at(evidence, general), truth_at(evidence, general)
    if claimed is None or true is None:
        return
    off = max(relative(claimed[k], true[k]) for k in search.bad)
    for chosen in (*((k,) for k in squares), *([tuple(squares)] if len(squares) > 1 else [])):
        for kind in SPECIAL:
            project = named(kind).project
            point = [project(a) if k in chosen else a for k, a in enumerate(general)]
            claimed, true = claim_at(evidence, point), truth_at(evidence, point)
            if claimed is None or true is None:
                continue
            left = max(relative(claimed[k], true[k]) for k in search.bad)
            limit = tolerance(unit_roundoff(np.float64), max(search.look.conditions[k] for k in search.bad))
            is_right = left <= max(limit, 1e-11) < off / GONE and all(np.any(true[k]) for k in search.bad)
            if is_right and _holds_inside(search, arrays, squares, chosen, kind):
                labels = [evidence.runs.subject.labels[k] for k in chosen]
                names, domains = " and ".join(labels), dict.fromkeys(labels, kind)
                text = f"It is true only for {kind} {names}: {off:.2g} off in general, {left:.0e} after projecting."
                remedy = f"Correct it for every {names}, or declare where={domains}."
                yield Cause("special arguments", text, remedy)


def _holds_inside(search: Search, arrays: Arrays, squares: list[int], chosen: tuple[int, ...], kind: str) -> bool:
    """Whether the claim is right at other points of the set, too: at orthogonal matrices of either determinant."""
    evidence, project = search.evidence, named(kind).project
    for turn in (1, 2, 3):
        other = evidence.runs.subject.general(arrays, squares, f"general matrices {turn}")
        point = [project(a) if k in chosen else a for k, a in enumerate(other)]
        if kind == "orthogonal" and turn > 1:
            point = [a * np.where(np.arange(len(a)) == 0, -1, 1) if k in chosen else a for k, a in enumerate(point)]
        claimed, true = claim_at(evidence, point), truth_at(evidence, point)
        if claimed is None or true is None or max(relative(claimed[k], true[k]) for k in search.bad) > AGREES:
            return False
    return True


def constant(search: Search) -> Iterator[Cause]:
    evidence = search.evidence
    if not evidence.runs.moves:
        return
    subject = evidence.runs.subject
    point, rng = list(subject.arrays), subject.random("far away")
    for k in subject.variables:
        change = 1 + FAR * rng.uniform(0.5, 1.0, point[k].shape)
        point[k] = np.asarray(point[k] * change + FAR * (point[k] == 0), point[k].dtype)
    there = claim_at(evidence, point)
    if there is None or not all(np.array_equal(there[k], evidence.view(evidence.claim)[k]) for k in search.bad):
        return
    true = truth_at(evidence, point)
    if true is not None and any(relative(true[k], search.truth[k]) > search.allowed[k] for k in search.bad):
        names = " and ".join(subject.names)
        text = f"It does not change with {names}, and the gradient does: was it computed from an old value?"
        yield Cause("constant", text, f"Let it depend on {names} (a stale closure is the usual reason).")


def this_point(search: Search) -> Iterator[Cause]:
    off = max(search.wrong.errors[k] for k in search.bad)
    given = search.evidence.distances(search.evidence.view(search.evidence.claim), search.evidence.truth.blocks)
    text = f"It is right at this point, to {max(given):.0e}, and wrong nearby: off by {off:.1e} when the arguments "
    text += f"change by {search.look.step:.0e} of their size."
    yield Cause("this point", text, "Look for what holds at this point only; or declare the domain with where=.")
