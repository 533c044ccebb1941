"""Causes that look at the programs: the claimed one, or that of the true derivative, with one place changed."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from matcalc.layout import from_layout
from matcalc.referee.blocks import Blocks
from matcalc.referee.causes.search import Search, truth_at
from matcalc.referee.constants import SITES
from matcalc.referee.findings import Cause
from matcalc.referee.jaxprs import Site
from matcalc.referee.programs import Array, Running, is_real

WHOLE = (0.0, 1.0, 2.0, -1.0, 0.5)  # of an addend: dropped, twice, negated, half; of a matrix: transposed, dropped

# What to do where the claimed program was edited, and where that of the true derivative was.
REMEDIES = {
    "order": (
        "Products of matrices do not commute: exchange them.",
        "Look at the order of the factors in that term.",
    ),
    "factor": ("Leave it out.", "Multiply that term by it."),
    "axis": ("Change the axis.", "Look at its axis."),
    "operand transposed": ("Transpose it there.", "Look at the transposes in that term."),
}


def operand_transposed(search: Search) -> Iterator[Cause]:
    """The truth with one square argument transposed is what is claimed."""
    evidence = search.evidence
    if not search.has_automatic:
        return
    for k, a in enumerate(evidence.runs.exact):
        if is_real(a) and a.ndim == 2 and a.shape[0] == a.shape[1] and not np.array_equal(a, a.T):
            there = truth_at(evidence, [b.T.copy() if i == k else b for i, b in enumerate(evidence.runs.exact)])
            if there is not None and search.agree(search.seen, there):
                name = evidence.runs.subject.labels[k]
                text = f"It is the derivative with {name}ᵀ in the place of {name}."
                yield Cause("operand transposed", text, f"Transpose {name}.")


def claim_edited(search: Search) -> Iterator[Cause]:
    """One edit of the claimed program makes it right: it tells the line."""
    yield from (_edit_of_claim(*edit) for edit in _whole(_edits_of_claim(search)))


def truth_edited(search: Search) -> Iterator[Cause]:
    """One edit of the true derivative's program makes it the claim: it tells what was forgotten."""
    yield from (_edit_of_truth(*edit) for edit in _whole(_edits_of_truth(search)))


def _whole(edits: list[tuple[Site, float]]) -> list[tuple[Site, float]]:
    """Those that leave out, double or negate: first what is left out, as half of it negated comes to the same."""
    return sorted((edit for edit in edits if edit[1] in WHOLE), key=lambda edit: WHOLE.index(edit[1]))


def claim_scaled(search: Search) -> Iterator[Cause]:
    """The same with any factor at one addend, which is a weaker explanation: it was fitted."""
    yield from (_edit_of_claim(*edit) for edit in _edits_of_claim(search))


def truth_scaled(search: Search) -> Iterator[Cause]:
    yield from (_edit_of_truth(*edit) for edit in _edits_of_truth(search))


@functools.lru_cache(maxsize=2)  # asked for twice: for edits of a whole term, and later for any factor
def _edits_of_claim(search: Search) -> list[tuple[Site, float]]:
    runs = search.runs
    if search.evidence.formula is None or not runs.of_claim or runs.of_claim.mode != "jit":
        return []
    return _edits(search, runs.of_claim, (runs.exact, runs.tangents(np.float64)), to_truth=True)


@functools.lru_cache(maxsize=2)
def _edits_of_truth(search: Search) -> list[tuple[Site, float]]:
    runs = search.runs
    if not search.has_automatic or runs.of_derivative.mode != "jit":
        return []
    arguments = (runs.subject.start(runs.exact), runs.exact, runs.tangents(np.float64))
    return _edits(search, runs.of_derivative, arguments, to_truth=False)


def _edits(search: Search, program: Running, arguments: Any, to_truth: bool) -> list[tuple[Site, float]]:
    """Places and factors with which the program gives the truth, or with which the true program gives the claim."""
    try:
        edited = program.edited(*arguments)
    except Exception:  # an operation that cannot be run alone: nothing is known this way
        return []
    if not 0 < len(edited.sites) <= SITES:
        return []
    leaves, due = jax.tree.leaves(arguments), search.evidence.space.due

    def run(edit: Array) -> Blocks:
        blocks = [np.asarray(D, np.float64) for D in edited.run(edit, *leaves)]
        if to_truth:
            blocks = [from_layout(D, *d, search.runs.layout) for D, d in zip(blocks, due, strict=True)]
        else:
            blocks = search.evidence.space.shaped(blocks)
        return search.evidence.view(blocks)

    start, goal = (search.seen, search.truth) if to_truth else (search.truth, search.seen)
    found: list[tuple[Site, float]] = []
    for k, site in enumerate(edited.sites):
        edit = edited.unchanged()
        edit[k] = 1.0 - edit[k]
        there = run(edit)
        if search.agree(there, goal):
            found.append((site, float(edit[k])))
        elif site.kind == "matrix" and site.primitive == "dot_general":
            edit[k] = 2.0
            if search.agree(run(edit), goal):
                found.append((site, 2.0))
        elif site.kind == "addend":
            # What scaling this addend does, as far as it does it linearly; the whole number nearby first.
            top = sum(np.vdot(goal[i] - start[i], start[i] - there[i]) for i in search.bad)
            bottom = sum(np.vdot(start[i] - there[i], start[i] - there[i]) for i in search.bad)
            fitted = 1 + float(top / bottom) if bottom > 0 else math.nan
            for factor in (f for f in (*WHOLE, fitted) if abs(f - fitted) < 1e-3):
                edit[k] = factor
                if search.agree(run(edit), goal):
                    found.append((site, factor))
                    break
    return found


def _edit_of_claim(site: Site, factor: float) -> Cause:
    where = f" at {site.line}" if site.line else ""
    if site.kind != "addend":
        name, change = _change(site, factor, "the")
        return Cause(name, f"It becomes right {change}.", REMEDIES[name][0])
    term = f"the {_ordinal(site.operand)} term of the {'difference' if site.primitive == 'sub' else 'sum'}{where}"
    if factor == 0:
        return Cause("doubled term", f"It becomes right without {term}.", "Drop that term.")
    if factor == 0.5:
        return Cause("doubled term", f"It becomes right with half {term}: it is counted twice.", "Count it once.")
    if factor == -1:
        return Cause("term", f"It becomes right when {term} changes its sign.", "Change its sign.")
    return Cause("term", f"It becomes right with {factor:.7g} times {term}.", f"Multiply that term by {factor:.7g}.")


def _edit_of_truth(site: Site, factor: float) -> Cause:
    where = f" at {site.line}" if site.line else ""
    if site.kind != "addend":
        name, change = _change(site, factor, "a")
        return Cause(name, f"It is what comes out {change}.", REMEDIES[name][1])
    part = f"the part of the {_ordinal(site.operand)} term" if site.primitive != "add_any" else "the part of one use"
    if factor == 0:
        return Cause("missing term", f"A term is missing: {part}{where}.", "Add it.")
    if factor == 2:
        return Cause("doubled term", f"A term is counted twice: {part}{where}.", "Count it once.")
    if factor == -1:
        return Cause("term", f"A term has the wrong sign: {part}{where}.", "Change its sign.")
    text = f"A term is {factor:.7g} times what it should be: {part}{where}."
    return Cause("term", text, f"Divide it by {factor:.7g}.")


def _change(site: Site, factor: float, article: str) -> tuple[str, str]:
    """What an edit of matrices is called, and what it does."""
    where, which = f" at {site.line}" if site.line else "", _ordinal(site.operand)
    if site.kind == "product":
        return "order", f"when the two factors of {article} product{where} change places"
    if factor == 2:
        return "factor", f"without the {which} factor of {article} product{where}"
    if site.primitive == "reduce_sum":
        return "axis", f"when {article} sum{where} is over the other axis"
    return "operand transposed", f"when the {which} factor of {article} product{where} is transposed"


def _ordinal(operand: int) -> str:
    return ("first", "second", "third")[operand] if operand < 3 else f"{operand + 1}th"
