"""Causes that look at shapes: a derivative of another shape than is due, and what it may have been meant to be."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from matcalc.layout import LAYOUTS, from_layout, layout_shape
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause
from matcalc.referee.look import Look
from matcalc.referee.programs import Array, is_real
from matcalc.referee.tolerances import tolerance


def misshapen(evidence: Evidence, claimed: list[Array]) -> Cause:
    """What a derivative of the wrong shape may have been meant to be."""
    due = evidence.space.due
    if len(claimed) != len(due):
        listed = "; ".join(evidence.runs.names)
        return Cause("shape", f"It has {len(claimed)} arrays, and {len(due)} are due: by {listed}.")
    if any(not is_real(a) and a.dtype != bool and a.dtype.kind not in "iu" for a in claimed):
        return Cause("shape", f"It has dtype {claimed[0].dtype}, and real numbers are due.")
    truth = evidence.reference
    if truth is not None and evidence.trusts_autodiff:
        for text, remedy, name, read in _readings(evidence):
            with_it = [read(k, a) for k, a in enumerate(claimed)]
            right = [D for D in with_it if D is not None]
            if len(right) == len(due) and max(evidence.distances(right, truth)) <= max(
                tolerance(evidence.runs.u, c) for c in Look(evidence, is_close=False).conditions
            ):
                return Cause(name, text, remedy)
    shapes = "; ".join(
        f"by {name} {a.shape}, and {layout_shape(*d, evidence.runs.layout)} is due"
        for name, a, d in zip(evidence.runs.names, claimed, due, strict=True)
        if a.shape != layout_shape(*d, evidence.runs.layout)
    )
    fitting = [
        layout
        for layout in LAYOUTS
        if all(a.shape == layout_shape(*d, layout) for a, d in zip(claimed, due, strict=True))
    ]
    text = f"It has another shape than the {evidence.runs.layout} layout asks for: {shapes}."
    if fitting:
        return Cause("shape", f"{text} It would fit {' or '.join(fitting)} layout, and is not right there either.")
    return Cause("shape", f"{text} It fits no other layout either.")


def _readings(evidence: Evidence) -> Iterator[tuple[str, str, str, Callable[[int, Array], Array | None]]]:
    due = evidence.space.due

    def in_layout(layout: Any) -> Callable[[int, Array], Array | None]:
        def read(k: int, a: Array) -> Array | None:
            return from_layout(a, *due[k], layout) if a.shape == layout_shape(*due[k], layout) else None

        return read

    for layout in LAYOUTS:
        if layout != evidence.runs.layout:
            text = f"It is right in {layout} layout, and {evidence.runs.layout} layout was asked for."
            yield text, f"Transpose it, or pass layout={layout!r}.", "transposed", in_layout(layout)
    for order, what in (("C", "rows"), ("F", "columns")):

        def flattened(k: int, a: Array, order: Any = order) -> Array | None:
            shape = due[k][0] + due[k][1]
            return a.reshape(shape, order=order) if a.size == math.prod(shape) else None

        text = f"Its entries are right and their shape is not: they stand in the order of {what}."
        remedy = f"Reshape it to what {evidence.runs.layout} layout asks for."
        yield text, remedy, "shape" if order == "C" else "vec order", flattened

    def summed(k: int, a: Array) -> Array | None:
        shape = due[k][0] + due[k][1]
        for count in range(1, a.ndim - len(shape) + 1):
            for axes in itertools.combinations(range(a.ndim), count):
                if (total := a.sum(axes)).shape == shape:
                    return total
        return None

    yield "It has an axis too many, over which it should be summed.", "Sum over it.", "shape", summed

    def by_row(k: int, a: Array) -> Array | None:
        value, variable = due[k]
        if len(value) != 1 or a.shape != variable or variable[:1] != value:
            return None
        D = np.zeros(value + variable, a.dtype)
        D[np.arange(value[0]), np.arange(value[0])] = a
        return D

    text = "It is the derivative of each value by its own row: f works on a batch of rows, and mixes none of them."
    yield text, "Check one row, or the sum of the values; jax.vmap maps f over rows.", "batch", by_row

    def spread(k: int, a: Array) -> Array | None:
        shape = due[k][0] + due[k][1]
        try:
            return np.broadcast_to(a, shape).copy()
        except ValueError:
            return None

    yield "Its entries are right and broadcast to the shape that is due.", "Broadcast it.", "shape", spread
