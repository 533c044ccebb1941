"""Causes that look at the whole derivative: a sign, a factor, a layout, a convention, another argument."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from matcalc.domains import Domain, named
from matcalc.layout import LAYOUTS, Layout, from_layout, layout_shape, to_layout
from matcalc.referee.blocks import Blocks
from matcalc.referee.causes.search import Search
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause
from matcalc.referee.programs import Array, is_real
from matcalc.referee.repeated import repeated


def not_finite(search: Search) -> Iterator[Cause]:
    for k in search.bad:
        D = search.seen[k]
        if not np.all(np.isfinite(D)):
            places = np.argwhere(~np.isfinite(D))
            what = "NaN" if np.any(np.isnan(D)) else "infinite"
            text = f"The gradient is {what} in {_places(places, D.size)}, and the truth is finite."
            text += repeated(search.runs)
            yield Cause("non-finite", text, "Look for 0/0, ∞ - ∞ or an overflow on the way.")


def zero(search: Search) -> Iterator[Cause]:
    if not any(np.any(search.seen[k]) for k in search.bad):
        yield Cause("zero", "It is zero, and the gradient is not.", "Look for where the argument got lost on the way.")


def not_zero(search: Search) -> Iterator[Cause]:
    if not any(np.any(search.truth[k]) for k in search.bad):
        names = " and ".join(search.runs.subject.names)
        text = f"It is not zero, and the gradient is: about this point f does not change with {names}."
        yield Cause("not zero", text, "Look for what f makes of it: rounding, a branch, an argument that it ignores.")


def sign(search: Search) -> Iterator[Cause]:
    if search.explains(search.changed(lambda k: -search.claim[k])):
        yield Cause("sign", "It is the negative of the gradient.", "Change the sign.")


def conjugated(search: Search) -> Iterator[Cause]:
    """The other conventions for the gradient by a complex variable z = x + i y."""
    runs, spec = search.runs, search.runs.subject.spec
    if runs.order != 1 or not all(runs.subject.variables[k] in spec.pairs for k in search.bad):
        return

    for factor, sign, what, remedy in (
        (1, -1, "the conjugate, ∂f/∂x + i ∂f/∂y", "Conjugate it"),
        (2, -1, "Wirtinger's conjugate gradient, ∂f/∂z̄ = (∂f/∂x + i ∂f/∂y)/2", "Take twice its conjugate"),
        (2, 1, "Wirtinger's ∂f/∂z = (∂f/∂x - i ∂f/∂y)/2", "Double it"),
    ):
        parts = factor * np.array([1.0, sign])
        if search.explains_anywhere(lambda _, D, __, parts=parts: D * parts):
            text = f"It is {what}, and JAX's gradient is ∂f/∂x - i ∂f/∂y."
            yield Cause("conjugate", text, f"{remedy}.")


def named_factor(search: Search) -> Iterator[Cause]:
    """A factor that means something: a small fraction, or a size."""
    factor = search.fitted(search.claim)
    if not math.isfinite(factor) or not search.explains_anywhere(lambda _, D, __: factor * D):
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
    if math.isfinite(factor) and factor != 0 and search.explains_anywhere(lambda _, D, __: factor * D):
        off = 1 / factor - 1
        text = f"It is {_number(1 / factor)} times the gradient" + (
            f": {abs(off):.2g} of it too {'large' if off > 0 else 'small'} everywhere." if abs(off) < 0.5 else "."
        )
        yield Cause("factor", text, f"Multiply it by {_number(factor)}.")


def other_layout(search: Search) -> Iterator[Cause]:
    for layout, read in _other_layouts(search):
        if search.explains_anywhere(lambda k, D, _, read=read: read(k, D)):
            if layout == "transposed":
                yield Cause("transposed", "It is the transpose, with all axes reversed.", "Transpose it.")
            yield Cause(
                "transposed",
                f"It is right in {layout} layout, and {search.runs.layout} layout was asked for.",
                f"Transpose it, or pass layout={layout!r}.",
            )


def layout_and_factor(search: Search) -> Iterator[Cause]:
    for layout, read in _other_layouts(search):
        factor = search.fitted(search.changed(lambda k, read=read: read(k, search.claim[k])))
        if math.isfinite(factor) and search.explains_anywhere(lambda k, D, _, r=read, c=factor: c * r(k, D)):
            where = "transposed" if layout == "transposed" else f"in {layout} layout"
            text = f"It is {where} and {1 / factor:.7g} times the gradient."
            yield Cause("transposed", text, f"Transpose it and multiply it by {factor:.7g}.")


def _other_layouts(search: Search) -> Iterator[tuple[str, Callable[[int, Array], Array]]]:
    """Ways of reading the claim, as it was given, that make something else of it: in other layouts, transposed."""
    asked, due = search.runs.layout, search.evidence.space.due

    def arranged(k: int, D: Array) -> Array:
        return to_layout(D, len(due[k][0]), asked)

    for layout in LAYOUTS:

        def read(k: int, D: Array, layout: Layout = layout) -> Array:
            return from_layout(arranged(k, D), *due[k], layout)

        fits = all(arranged(k, search.claim[k]).shape == layout_shape(*due[k], layout) for k in search.bad)
        if fits and any(not np.array_equal(read(k, search.claim[k]), search.claim[k]) for k in search.bad):
            yield layout, read
    if all(search.claim[k].shape == search.claim[k].T.shape and search.claim[k].ndim > 1 for k in search.bad):
        yield "transposed", lambda _, D: D.T


def vec_order(search: Search) -> Iterator[Cause]:
    """Rows stacked instead of columns, on either side or both."""
    if search.runs.layout != "vec":
        return
    due = search.evidence.space.due

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
    if not search.has_automatic or search.runs.order != 1:
        return
    G = search.evidence.reference or []
    if not all(len(x) == 2 and x[0] == x[1] for x in (search.evidence.space.due[k][1] for k in search.bad)):
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


def along_a_domain(search: Search) -> Iterator[Cause]:
    """Where the variables lie in a subspace, the claim may be right along that only: by one triangle, for example."""
    runs = search.runs
    if runs.order != 1 or runs.form != "derivative" or search.evidence.witness_is_projected:
        return
    places = [runs.subject.variables[k] for k in search.bad]
    if any(runs.exact[p].ndim != 2 or p in runs.subject.domains for p in places):
        return
    for kind in ("diagonal", "lower triangular", "upper triangular", "symmetric"):
        domain = named(kind)
        if not all(domain.contains(runs.exact[p]) for p in places):
            continue

        def along(blocks: Blocks, domain: Domain = domain) -> Blocks:
            return [
                np.stack([domain.project(d) for d in D.reshape(-1, *D.shape[-2:])]).reshape(D.shape) for D in blocks
            ]

        if search.agree(along(search.seen), along(search.truth)) and all(map(np.any, along(search.truth))):
            names = " and ".join(runs.names[k] for k in search.bad)
            text = f"It is right along {kind} directions only, and {names} is {kind} here: a convention, perhaps."
            remedy = f"Declare where={kind!r}, or give the derivative by every entry of {names}."
            yield Cause("directions", text, remedy)


def other_argument(search: Search) -> Iterator[Cause]:
    runs = search.runs
    if not search.has_automatic or runs.form != "derivative" or runs.order != 1 or len(search.bad) != 1:
        return
    (k,) = search.bad
    own = runs.subject.variables[k]
    for other, a in enumerate(runs.subject.arrays):
        if other != own and is_real(a) and a.shape == runs.subject.arrays[own].shape:
            D = runs.automatic_by(other)
            if D is not None and search.agree(search.claim, [D if i == k else B for i, B in enumerate(search.claim)]):
                by, asked = runs.subject.labels[other], runs.subject.labels[own]
                text = f"It is the derivative by {by}, not by {asked}."
                yield Cause("other argument", text, f"Differentiate by {asked}.")


def _sizes(evidence: Evidence) -> Iterator[tuple[str, int]]:
    """Sizes that a mean may be taken over, with what they are sizes of."""
    seen: set[int] = {0, 1}
    subject = evidence.runs.subject
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


def _places(places: Array, size: int) -> str:
    if len(places) == size:
        return "every entry"
    listed = ", ".join(f"({', '.join(map(str, map(int, p)))})" for p in places[:3])
    return f"entry {listed}" if len(places) == 1 else f"{len(places)} of {size} entries, such as {listed}"
