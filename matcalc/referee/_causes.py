"""Why a gradient is wrong: hypotheses, each tested numerically, the most specific that explains it reported.

A hypothesis says what the claim would be if it were right: its transpose, twice it, it with one term dropped. It is
accepted where that agrees with the truth to within the tolerance, and with all of the discrepancy gone.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from matcalc._domains import named
from matcalc._layout import LAYOUTS, from_layout, layout_shape, to_layout
from matcalc.referee._evidence import Evidence, in_dtype, in_float64
from matcalc.referee._program import SITES, Site
from matcalc.referee._report import Cause
from matcalc.referee._subject import Arrays, Program, Raised, is_real
from matcalc.referee._tolerance import APPROXIMATED, MEANINGLESS, relative, tolerance, unit_roundoff

if TYPE_CHECKING:
    from matcalc.referee._judge import Comparison

Array = np.ndarray[Any, Any]
Blocks = list[Array]

GONE = 8  # an explanation leaves at most this fraction of the discrepancy
SINGLE = 4  # entries that are off at most, for the cause to be single entries
FAR = 0.5  # relative change of the variables by which a constant is told
WHOLE = (0.0, 1.0, 2.0, -1.0, 0.5)  # of an addend: dropped, twice, negated, half; of a matrix: transposed
# From the weakest condition to the strongest, so that what holds for all symmetric matrices is not called diagonal.
SPECIAL = ("symmetric", "skew-symmetric", "orthogonal", "lower triangular", "upper triangular", "diagonal")


def explain(evidence: Evidence, wrong: "Comparison") -> Cause:
    """The most specific cause that explains why the claim is wrong there."""
    search = Search(evidence, wrong)
    hypotheses: tuple[Callable[[Search], Iterator[Cause]], ...]
    if wrong.place == "nearby":
        hypotheses = (constant, special_arguments, this_point)
    else:
        hypotheses = (
            not_finite,
            zero,
            not_zero,
            sign,
            named_factor,
            vec_order,
            other_layout,
            symmetric_convention,
            other_argument,
            one_entry,
            operand_transposed,
            claim_edited,
            special_arguments,
            truth_edited,
            constant,
            any_factor,
            single_entries,
            claim_scaled,
            truth_scaled,
            layout_and_factor,
        )
    found = next((cause for hypothesis in hypotheses for cause in hypothesis(search)), None) or unknown(search)
    return replace(found, text=search.prefix + found.text)


class Search:
    """A claim that is wrong, beside the truth, and the test of an explanation."""

    def __init__(self, evidence: Evidence, wrong: "Comparison") -> None:
        self.evidence, self.wrong = evidence, wrong
        self.bad = wrong.bad
        self.claim = evidence.claim if evidence.formula is None else evidence.formula  # in float64 it is sharper
        self.truth = wrong.truth
        self.seen = evidence.view(self.claim)
        self.before = evidence.distances(self.seen, self.truth)
        self.allowed = [max(allowed, APPROXIMATED) for allowed in wrong.allowed]
        names = [] if evidence.witness_is_projected else [evidence.names[k] for k in self.bad]
        self.prefix = f"By {' and '.join(names)}: " if 0 < len(names) < len(evidence.names) else ""

    @functools.cached_property
    def edits_of_claim(self) -> list[tuple[Site, float]]:
        evidence = self.evidence
        if evidence.formula is None or evidence.claim_program.mode != "jit":
            return []
        arguments = (evidence.exact, evidence.tangents(np.float64))
        return _edits(self, evidence.claim_program, arguments, to_truth=True)

    @functools.cached_property
    def edits_of_truth(self) -> list[tuple[Site, float]]:
        evidence = self.evidence
        if not self.has_automatic or evidence.subject.derivative.mode != "jit":
            return []
        arguments = (evidence.subject.start(evidence.exact), evidence.exact, evidence.tangents(np.float64))
        return _edits(self, evidence.subject.derivative, arguments, to_truth=False)

    @property
    def has_automatic(self) -> bool:
        """Whether the truth is JAX's derivative, which can be computed with other arguments too."""
        return self.evidence.trusts_autodiff

    def explains(self, right: Blocks) -> bool:
        """Whether the claim, corrected to this, is right, and was not before."""
        return self.agree(self.evidence.view(right), self.truth)

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
        return tuple(map(int, parts.get(self.evidence.form, place)))

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


# --- Of the whole derivative


def not_finite(search: Search) -> Iterator[Cause]:
    for k in search.bad:
        D = search.seen[k]
        if not np.all(np.isfinite(D)):
            places = np.argwhere(~np.isfinite(D))
            what = "NaN" if np.any(np.isnan(D)) else "infinite"
            text = f"The gradient is {what} in {_places(places, D.size)}, and the truth is finite."
            yield Cause("non-finite", text, "Look for 0/0, ∞ - ∞ or an overflow on the way.")


def zero(search: Search) -> Iterator[Cause]:
    if not any(np.any(search.seen[k]) for k in search.bad):
        yield Cause("zero", "It is zero, and the gradient is not.", "Look for where the argument got lost on the way.")


def not_zero(search: Search) -> Iterator[Cause]:
    if not any(np.any(search.truth[k]) for k in search.bad):
        names = " and ".join(search.evidence.subject.names)
        text = f"It is not zero, and the gradient is: about this point f does not change with {names}."
        yield Cause("not zero", text, "Look for what f makes of it: rounding, a branch, an argument that it ignores.")


def sign(search: Search) -> Iterator[Cause]:
    if search.explains(search.changed(lambda k: -search.claim[k])):
        yield Cause("sign", "It is the negative of the gradient.", "Change the sign.")


def named_factor(search: Search) -> Iterator[Cause]:
    """A factor that means something: a small fraction, or a size."""
    factor = search.fitted(search.claim)
    if not math.isfinite(factor) or not search.explains(search.changed(lambda k: factor * search.claim[k])):
        return
    near = max(search.allowed[k] for k in search.bad)
    for name, size in _sizes(search.evidence):
        if size > 2 and abs(factor / size - 1) <= near:
            yield Cause("mean", f"It is the gradient over {size}: a mean instead of a sum?", f"Multiply it by {name}.")
        if size > 2 and abs(factor * size - 1) <= near:
            yield Cause("mean", f"It is {size} times the gradient: a sum instead of a mean?", f"Divide it by {name}.")
    fraction = Fraction(factor).limit_denominator(4)
    if abs(fraction) <= 4 and fraction not in (0, 1) and abs(factor / float(fraction) - 1) <= near:
        yield Cause("factor", f"It is {1 / fraction} times the gradient.", f"Multiply it by {fraction}.")


def any_factor(search: Search) -> Iterator[Cause]:
    factor = search.fitted(search.claim)
    if math.isfinite(factor) and factor != 0 and search.explains(search.changed(lambda k: factor * search.claim[k])):
        off = 1 / factor - 1
        text = f"It is {_number(1 / factor)} times the gradient" + (
            f": {abs(off):.2g} of it too {'large' if off > 0 else 'small'} everywhere." if abs(off) < 0.5 else "."
        )
        yield Cause("factor", text, f"Multiply it by {_number(factor)}.")


def other_layout(search: Search) -> Iterator[Cause]:
    for layout, right in _other_layouts(search):
        if search.explains(right):
            if layout == "transposed":
                yield Cause("transposed", "It is the transpose, with all axes reversed.", "Transpose it.")
            yield Cause(
                "transposed",
                f"It is right in {layout} layout, and {search.evidence.layout} layout was asked for.",
                f"Transpose it, or pass layout={layout!r}.",
            )


def layout_and_factor(search: Search) -> Iterator[Cause]:
    for layout, right in _other_layouts(search):
        factor = search.fitted(right)
        if math.isfinite(factor) and search.explains([factor * D for D in right]):
            where = "transposed" if layout == "transposed" else f"in {layout} layout"
            text = f"It is {where} and {1 / factor:.7g} times the gradient."
            yield Cause("transposed", text, f"Transpose it and multiply it by {factor:.7g}.")


def _other_layouts(search: Search) -> Iterator[tuple[str, Blocks]]:
    """The claim, as it was given, read in other layouts."""
    evidence = search.evidence
    arranged = [
        to_layout(D, len(value), evidence.layout) for D, (value, _) in zip(search.claim, evidence.due, strict=True)
    ]
    for layout in LAYOUTS:
        fits = [D.shape == layout_shape(*due, layout) for D, due in zip(arranged, evidence.due, strict=True)]
        if layout != evidence.layout and all(fits[k] for k in search.bad):
            yield layout, search.changed(lambda k, layout=layout: from_layout(arranged[k], *evidence.due[k], layout))
    if all(search.claim[k].shape == search.claim[k].T.shape for k in search.bad):
        yield "transposed", search.changed(lambda k: search.claim[k].T)


def vec_order(search: Search) -> Iterator[Cause]:
    """Rows stacked instead of columns, on either side or both."""
    if search.evidence.layout != "vec":
        return
    due = search.evidence.due

    def restacked(k: int, value_rows: bool, variable_rows: bool) -> Array:
        value, variable = due[k]
        D = to_layout(search.claim[k], len(value), "vec")
        axes = (value if value_rows else value[::-1]) + (variable if variable_rows else variable[::-1])
        outer = range(len(value)) if value_rows else reversed(range(len(value)))
        inner = range(len(variable)) if variable_rows else reversed(range(len(variable)))
        return D.reshape(axes).transpose([*outer, *(len(value) + i for i in inner)])

    for rows in ((True, True), (False, True), (True, False)):
        if search.explains(search.changed(lambda k, rows=rows: restacked(k, *rows))):
            yield Cause("vec order", "It is right with rows stacked; vec stacks columns.", "Use order='F'.")


def symmetric_convention(search: Search) -> Iterator[Cause]:
    """What people write for symmetric matrices, where the entries are no independent variables."""
    if not search.has_automatic or search.evidence.order != 1:
        return
    G = search.evidence.reference or []
    if not all(len(x) == 2 and x[0] == x[1] for x in (search.evidence.due[k][1] for k in search.bad)):
        return

    def sym(G: Array) -> Array:
        return (G + G.swapaxes(-1, -2)) / 2

    conventions: tuple[tuple[str, Callable[[Array], Array]], ...] = (
        ("(G + Gᵀ)/2, the symmetric part of the gradient G", sym),
        ("G + Gᵀ - diag(G), by the independent entries", lambda G: 2 * sym(G) - G * np.eye(G.shape[-1])),
        ("G + Gᵀ of the gradient G", lambda G: 2 * sym(G)),
    )
    for text, convention in conventions:
        if search.agree(search.claim, [convention(D) for D in G]):
            remedy = "Give G, for which every entry moves freely"
            if convention is sym:
                remedy += "; or declare where='symmetric'"
            yield Cause("symmetric convention", f"It is {text}, as for a symmetric matrix.", remedy + ".")


def other_argument(search: Search) -> Iterator[Cause]:
    evidence = search.evidence
    if not search.has_automatic or evidence.form != "derivative" or evidence.order != 1 or len(search.bad) != 1:
        return
    (k,) = search.bad
    own = evidence.subject.variables[k]
    for other, a in enumerate(evidence.subject.arrays):
        if other != own and is_real(a) and a.shape == evidence.subject.arrays[own].shape:
            D = evidence.automatic_by(other)
            if D is not None and search.agree(search.claim, [D if i == k else B for i, B in enumerate(search.claim)]):
                by, asked = evidence.subject.labels[other], evidence.subject.labels[own]
                text = f"It is the derivative by {by}, not by {asked}."
                yield Cause("other argument", text, f"Differentiate by {asked}.")


# --- Of entries


def one_entry(search: Search) -> Iterator[Cause]:
    yield from _entries(search, 1)


def single_entries(search: Search) -> Iterator[Cause]:
    yield from _entries(search, SINGLE)


def _entries(search: Search, at_most: int) -> Iterator[Cause]:
    if search.evidence.witness_is_projected:
        return
    found: list[str] = []
    for k in search.bad:
        D, T = search.seen[k], search.truth[k]
        if D.size == 1 or D.shape != T.shape:
            return
        by_size = np.argsort(-np.abs(D - T).ravel())
        corrected = D.copy()
        for count, flat in enumerate(by_size[: min(at_most, (D.size + 1) // 2)], 1):
            place = np.unravel_index(flat, D.shape)
            corrected[place] = T[place]
            if search.evidence.distances([corrected], [T])[0] <= search.limit(k):
                places = [np.unravel_index(i, D.shape) for i in by_size[:count]]
                seen = {search.entry(place): _entry(search, k, place) for place in reversed(places)}
                found += reversed(seen.values())
                break
        else:
            return
    if found:
        yield Cause("entries", f"{'; '.join(found)}; all others agree.", "Look at these entries.")


def _entry(search: Search, block: int, place: tuple[Any, ...]) -> str:
    claimed, true = float(search.seen[block][place]), float(search.truth[block][place])
    where = f"Entry ({', '.join(map(str, search.entry(place)))})"
    if true and abs(claimed / true - 1) < 0.5:
        off = claimed / true - 1
        return f"{where} is {100 * abs(off):.2g}% too {'large' if off > 0 else 'small'}"
    return f"{where} is {claimed:.4g} and should be {true:.4g}"


# --- Of the programs


def operand_transposed(search: Search) -> Iterator[Cause]:
    """The truth with one square argument transposed is what is claimed."""
    evidence = search.evidence
    if not search.has_automatic:
        return
    for k, a in enumerate(evidence.exact):
        if is_real(a) and a.ndim == 2 and a.shape[0] == a.shape[1] and not np.array_equal(a, a.T):
            there = _truth_at(evidence, [b.T.copy() if i == k else b for i, b in enumerate(evidence.exact)])
            if there is not None and search.agree(search.seen, there):
                name = evidence.subject.labels[k]
                text = f"It is the derivative with {name}ᵀ in the place of {name}."
                yield Cause("operand transposed", text, f"Transpose {name}.")


def claim_edited(search: Search) -> Iterator[Cause]:
    """One edit of the claimed program makes it right: it tells the line."""
    yield from (_edit_of_claim(*edit) for edit in _whole(search.edits_of_claim))


def truth_edited(search: Search) -> Iterator[Cause]:
    """One edit of the true derivative's program makes it the claim: it tells what was forgotten."""
    yield from (_edit_of_truth(*edit) for edit in _whole(search.edits_of_truth))


def _whole(edits: list[tuple[Site, float]]) -> list[tuple[Site, float]]:
    """Those that leave out, double or negate: first what is left out, as half of it negated comes to the same."""
    return sorted((edit for edit in edits if edit[1] in WHOLE), key=lambda edit: WHOLE.index(edit[1]))


def claim_scaled(search: Search) -> Iterator[Cause]:
    """The same with any factor at one addend, which is a weaker explanation: it was fitted."""
    yield from (_edit_of_claim(*edit) for edit in search.edits_of_claim)


def truth_scaled(search: Search) -> Iterator[Cause]:
    yield from (_edit_of_truth(*edit) for edit in search.edits_of_truth)


def _edits(search: Search, program: Program, arguments: Any, to_truth: bool) -> list[tuple[Site, float]]:
    """Places and factors with which the program gives the truth, or with which the true program gives the claim."""
    evidence = search.evidence
    try:
        edited = program.edited(*arguments)
    except Exception:  # an operation that cannot be run alone: nothing is known this way
        return []
    if not 0 < len(edited.sites) <= SITES:
        return []
    leaves = jax.tree.leaves(arguments)

    def run(edit: Array) -> Blocks:
        blocks = [np.asarray(D, np.float64) for D in edited.run(edit, *leaves)]
        if to_truth:
            blocks = [from_layout(D, *due, evidence.layout) for D, due in zip(blocks, evidence.due, strict=True)]
        else:
            blocks = [D.reshape(a + b) for D, (a, b) in zip(blocks, evidence.due, strict=True)]
        return evidence.view(blocks)

    start, goal = (search.seen, search.truth) if to_truth else (search.truth, search.seen)
    found: list[tuple[Site, float]] = []
    for k, site in enumerate(edited.sites):
        edit = edited.unchanged()
        edit[k] = 1.0 - edit[k]
        there = run(edit)
        if search.agree(there, goal):
            found.append((site, float(edit[k])))
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
    if site.kind == "matrix":
        text = f"It becomes right when the {_ordinal(site.operand)} factor of the product{where} is transposed."
        return Cause("operand transposed", text, "Transpose it there.")
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
    if site.kind == "matrix":
        text = f"It is what comes out when the {_ordinal(site.operand)} factor of a product{where} is transposed."
        return Cause("operand transposed", text, "Look at the transposes in that term.")
    part = f"the part of the {_ordinal(site.operand)} term" if site.primitive != "add_any" else "the part of one use"
    if factor == 0:
        return Cause("missing term", f"A term is missing: {part}{where}.", "Add it.")
    if factor == 2:
        return Cause("doubled term", f"A term is counted twice: {part}{where}.", "Count it once.")
    if factor == -1:
        return Cause("term", f"A term has the wrong sign: {part}{where}.", "Change its sign.")
    text = f"A term is {factor:.7g} times what it should be: {part}{where}."
    return Cause("term", text, f"Divide it by {factor:.7g}.")


# --- Of other points


def special_arguments(search: Search) -> Iterator[Cause]:
    """The claim is right once arguments are projected to a special set."""
    evidence = search.evidence
    if not search.has_automatic or not evidence.moves or evidence.u_inside > unit_roundoff(np.float64):
        return
    arrays = evidence.exact
    squares = [k for k, a in enumerate(arrays) if is_real(a) and a.ndim == 2 and 1 < a.shape[0] == a.shape[1]]
    # Not where it is, but at a general point: at a symmetric one every formula for symmetric matrices is right.
    general = evidence.subject.general(arrays, squares)
    claimed, true = _claim_at(evidence, general), _truth_at(evidence, general)
    if claimed is None or true is None:
        return
    off = max(relative(claimed[k], true[k]) for k in search.bad)
    for chosen in (*((k,) for k in squares), *([tuple(squares)] if len(squares) > 1 else [])):
        for kind in SPECIAL:
            project = named(kind).project
            point = [project(a) if k in chosen else a for k, a in enumerate(general)]
            claimed, true = _claim_at(evidence, point), _truth_at(evidence, point)
            if claimed is None or true is None:
                continue
            left = max(relative(claimed[k], true[k]) for k in search.bad)
            limit = tolerance(unit_roundoff(np.float64), max(evidence.conditions[k] for k in search.bad))
            if left <= max(limit, 1e-11) < off / GONE and all(np.any(true[k]) for k in search.bad):
                labels = [evidence.subject.labels[k] for k in chosen]
                names, domains = " and ".join(labels), dict.fromkeys(labels, kind)
                text = f"It is true only for {kind} {names}: {off:.2g} off in general, {left:.0e} after projecting."
                remedy = f"Correct it for every {names}, or declare where={domains}."
                yield Cause("special arguments", text, remedy)


def constant(search: Search) -> Iterator[Cause]:
    evidence = search.evidence
    if not evidence.moves:
        return
    subject = evidence.subject
    point = list(subject.arrays)
    for k in subject.variables:
        change = 1 + FAR * subject.rng.uniform(0.5, 1.0, point[k].shape)
        point[k] = np.asarray(point[k] * change + FAR * (point[k] == 0), point[k].dtype)
    there = _claim_at(evidence, point)
    if there is None or not all(np.array_equal(there[k], evidence.view(evidence.claim)[k]) for k in search.bad):
        return
    true = _truth_at(evidence, point)
    if true is not None and any(relative(true[k], search.truth[k]) > search.allowed[k] for k in search.bad):
        names = " and ".join(subject.names)
        text = f"It does not change with {names}, and the gradient does: was it computed from an old value?"
        yield Cause("constant", text, f"Let it depend on {names} (a stale closure is the usual reason).")


def this_point(search: Search) -> Iterator[Cause]:
    off = max(search.wrong.errors[k] for k in search.bad)
    given = search.evidence.distances(search.evidence.view(search.evidence.claim), search.evidence.truth)
    text = f"It is right at this point, to {max(given):.0e}, and wrong nearby: off by {off:.1e} when the arguments "
    text += f"change by {search.evidence.step:.0e} of their size."
    yield Cause("this point", text, "Look for what holds at this point only; or declare the domain with where=.")


def unknown(search: Search) -> Cause:
    k = max(search.bad, key=lambda k: search.before[k])
    D, T = search.seen[k], search.truth[k]
    text = f"It is off by {search.before[k]:.1e}, where rounding explains {search.wrong.allowed[k]:.0e}"
    if search.evidence.witness_is_projected:
        text += ", along random directions"
    elif D.shape == T.shape and D.size > 1:
        off = np.abs(D - T)
        wrong = int(np.sum(off > search.allowed[k] * np.linalg.norm(T) / math.sqrt(T.size)))
        place = np.unravel_index(int(np.argmax(off)), D.shape)
        entry = _entry(search, k, place).replace("Entry", "entry")
        text += f"; {wrong} of {D.size} entries are off, most of all {entry}"
    return Cause("unknown", text + ".", "No single cause explains it.")


def _claim_at(evidence: Evidence, arrays: Arrays) -> Blocks | None:
    try:
        blocks = evidence.view(evidence.claimed(arrays))
    except Exception:  # what is raised elsewhere says nothing of this point
        return None
    return blocks if all(np.all(np.isfinite(D)) for D in blocks) else None


def _truth_at(evidence: Evidence, arrays: Arrays) -> Blocks | None:
    try:
        blocks = evidence.truth_at(arrays)
    except (Raised, np.linalg.LinAlgError):
        return None
    return blocks if all(np.all(np.isfinite(D)) for D in blocks) else None


# --- Of what is not a wrong gradient


def impurity(evidence: Evidence) -> Cause | None:
    """Whether f, or the gradient, gives other results when it is called again."""
    arguments: tuple[Arrays, ...] = (evidence.exact, evidence.tangents(np.float64))
    start = evidence.subject.start(evidence.exact)
    programs: list[tuple[str, Any, Any]] = [("f", evidence.subject.value, (start, *arguments))]
    if callable(evidence.gradient):
        programs.append(("The gradient", evidence.claim_program, arguments))
    for name, program, given in programs:
        if program.is_impure(*given):
            text = f"{name} gives other results when it is called again with the same arguments."
            return Cause("non-deterministic", text, "Fix its random numbers: pass a key or a seed as an argument.")
    return None


def instability(evidence: Evidence, wrong: "Comparison") -> Cause | None:
    """Whether rounding inside the claim explains what it is off by, though the truth is well-conditioned."""
    if not callable(evidence.gradient) or wrong.place == "float64":
        return None
    if wrong.place == "nearby":
        point = in_float64(evidence.moved[0])
        claimed, true = _claim_at(evidence, point), _truth_at(evidence, point)
        if evidence.u == evidence.u_inside or not evidence.trusts_autodiff or claimed is None or true is None:
            return None
        exact = evidence.distances(claimed, true)
        if any(exact[k] > tolerance(evidence.u_inside, evidence.conditions[k]) for k in wrong.bad):
            return None
    if evidence.formula is not None and evidence.u > evidence.u_inside:
        # The formula is right in float64: what is off is rounding.
        text = f"The formula is right in float64, but rounding makes it {max(wrong.errors):.0e} off as it is computed; "
        text += f"{max(wrong.allowed):.0e} would be due."
        return Cause("unstable", text, "Compute it in a more stable way, or in float64.")
    u = unit_roundoff(np.float32)
    if evidence.formula is None or evidence.u > u:
        return None
    coarse = in_dtype(evidence.subject.arrays, np.float32)
    rounded, exact = _claim_at(evidence, coarse), _claim_at(evidence, in_float64(coarse))
    if rounded is None or exact is None:
        return None
    grown = [g / u for g in evidence.distances(rounded, exact)]
    if all(grown[k] < MEANINGLESS / u and wrong.errors[k] <= tolerance(evidence.u, grown[k]) for k in wrong.bad):
        text = f"Rounding inside the gradient explains its being off by {max(wrong.errors):.0e}: "
        text += f"it amplifies it {max(grown):.0e} times."
        return Cause("unstable", text, "Compute it in a more stable way.")
    return None


def misshapen(evidence: Evidence, claimed: list[Array]) -> Cause:
    """What a derivative of the wrong shape may have been meant to be."""
    due = evidence.due
    if len(claimed) != len(due):
        listed = "; ".join(evidence.names)
        return Cause("shape", f"It has {len(claimed)} arrays, and {len(due)} are due: by {listed}.")
    if any(not is_real(a) and a.dtype != bool and a.dtype.kind not in "iu" for a in claimed):
        return Cause("shape", f"It has dtype {claimed[0].dtype}, and real numbers are due.")
    truth = evidence.reference
    if truth is not None and evidence.confirms(truth):
        for text, remedy, name, read in _readings(evidence):
            with_it = [read(k, a) for k, a in enumerate(claimed)]
            right = [D for D in with_it if D is not None]
            if len(right) == len(due) and max(evidence.distances(right, truth)) <= max(
                tolerance(evidence.u, c) for c in evidence.conditions
            ):
                return Cause(name, text, remedy)
    shapes = "; ".join(
        f"by {name} {a.shape}, and {layout_shape(*d, evidence.layout)} is due"
        for name, a, d in zip(evidence.names, claimed, due, strict=True)
        if a.shape != layout_shape(*d, evidence.layout)
    )
    fitting = [
        layout
        for layout in LAYOUTS
        if all(a.shape == layout_shape(*d, layout) for a, d in zip(claimed, due, strict=True))
    ]
    text = f"It has another shape than the {evidence.layout} layout asks for: {shapes}."
    if fitting:
        return Cause("shape", f"{text} It would fit {' or '.join(fitting)} layout, and is not right there either.")
    return Cause("shape", f"{text} It fits no other layout either.")


def _readings(evidence: Evidence) -> Iterator[tuple[str, str, str, Callable[[int, Array], Array | None]]]:
    due = evidence.due

    def in_layout(layout: Any) -> Callable[[int, Array], Array | None]:
        def read(k: int, a: Array) -> Array | None:
            return from_layout(a, *due[k], layout) if a.shape == layout_shape(*due[k], layout) else None

        return read

    for layout in LAYOUTS:
        if layout != evidence.layout:
            text = f"It is right in {layout} layout, and {evidence.layout} layout was asked for."
            yield text, f"Transpose it, or pass layout={layout!r}.", "transposed", in_layout(layout)
    for order, what in (("C", "rows"), ("F", "columns")):

        def flattened(k: int, a: Array, order: Any = order) -> Array | None:
            shape = due[k][0] + due[k][1]
            return a.reshape(shape, order=order) if a.size == math.prod(shape) else None

        text = f"Its entries are right and their shape is not: they stand in the order of {what}."
        remedy = f"Reshape it to what {evidence.layout} layout asks for."
        yield text, remedy, "shape" if order == "C" else "vec order", flattened

    def summed(k: int, a: Array) -> Array | None:
        shape = due[k][0] + due[k][1]
        for count in range(1, a.ndim - len(shape) + 1):
            for axes in itertools.combinations(range(a.ndim), count):
                if (total := a.sum(axes)).shape == shape:
                    return total
        return None

    yield "It has an axis too many, over which it should be summed.", "Sum over it.", "shape", summed

    def spread(k: int, a: Array) -> Array | None:
        shape = due[k][0] + due[k][1]
        try:
            return np.broadcast_to(a, shape).copy()
        except ValueError:
            return None

    yield "Its entries are right and broadcast to the shape that is due.", "Broadcast it.", "shape", spread


# --- Words


def _sizes(evidence: Evidence) -> Iterator[tuple[str, int]]:
    """Sizes that a mean may be taken over, with what they are sizes of."""
    seen: set[int] = {0, 1}
    subject = evidence.subject
    named_shapes = [(label, np.shape(a)) for label, a in zip(subject.labels, subject.arrays, strict=True)]
    for label, shape in [*named_shapes, ("the value", evidence.centre.shape)]:
        for axis, size in enumerate(shape):
            if size not in seen:
                seen.add(size)
                yield f"{size}, the size of axis {axis} of {label}", size
        if len(shape) > 1 and math.prod(shape) not in seen:
            seen.add(math.prod(shape))
            yield f"{math.prod(shape)}, the number of entries of {label}", math.prod(shape)


def _number(factor: float) -> str:
    """A factor in words; of one that is nearly 1, how far it is from that."""
    off = factor - 1
    return f"{factor:.7g}" if abs(off) > 1e-4 else f"(1 {'+' if off > 0 else '-'} {abs(off):.2g})"


def _ordinal(operand: int) -> str:
    return ("first", "second", "third")[operand] if operand < 3 else f"{operand + 1}th"


def _places(places: Array, size: int) -> str:
    if len(places) == size:
        return "every entry"
    listed = ", ".join(f"({', '.join(map(str, map(int, p)))})" for p in places[:3])
    return f"entry {listed}" if len(places) == 1 else f"{len(places)} of {size} entries, such as {listed}"
