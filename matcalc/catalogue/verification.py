"""Verify an identity: its closed form before the referee, its layouts by their definitions, and how it is printed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from matcalc.catalogue.checking import check_at, claim_of, subject_at
from matcalc.catalogue.declaration import Arguments, Declaration
from matcalc.catalogue.identities import Identity
from matcalc.catalogue.sampling import sample
from matcalc.catalogue.signature import Kind
from matcalc.layout import Layout, to_layout
from matcalc.referee import Precision, Verdict
from matcalc.referee import settings as in_force
from matcalc.referee.runs import Runs
from matcalc.streams import stream

Array = np.ndarray[Any, Any]

PRINTED = 1e-8  # relative: printed forms are textbook forms, which may square a condition number
ENTRIES = 4096  # of a derivative that are read one by one; of a larger one, so many at random


@dataclass(frozen=True)
class Settings:
    """How to verify: dtypes, layouts, the device, the precision of matrix products, and where to draw samples."""

    dtypes: Sequence[str] = ("float32", "float64")
    layouts: Sequence[Layout] = ("numerator", "denominator")
    platform: str | None = None
    precision: Precision = "highest"
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """One line of the protocol. Errors are norm-wise relative; they are those of the closed form against a witness."""

    name: str
    covers: tuple[str, ...]
    formula: str
    derivative: str
    kind: Kind
    layout: Layout
    dtype: str
    sizes: Mapping[str, Any]
    seed: int
    verdict: Verdict
    cause: str | None
    error_autodiff: float
    error_reference: float
    error_fd: float
    tolerance: float
    condition: float
    chapter: str = ""


def verify(entry: Identity[Any], settings: Settings, inputs: Mapping[str, Any] | None = None) -> list[Result]:
    """Verify `entry` at a random point of its domain, or at `inputs`, arguments by name.

    A result for each kind that it is stated for (of inputs: that they are of), each dtype and each layout. Where its
    domain has no point of the sizes asked for, the verdict is inconclusive. ValueError or TypeError for inputs that do
    not fit it.
    """
    results: list[Result] = []
    with jax.enable_x64(True):
        for kind in entry.covers if inputs is None else _kinds_of(entry, inputs):
            names = entry.signature.names(kind)
            sizes = {name: size for name, size in settings.sizes.items() if name in names}
            for dtype in settings.dtypes:
                try:
                    given = (
                        _inputs(entry, inputs, dtype)
                        if inputs is not None
                        else sample(entry.declaration, settings.seed, dtype, kind, sizes)
                    )
                except ValueError as error:
                    lengths = entry.signature.sizes(kind, sizes)
                    found = [Finding(layout, "inconclusive", str(error)) for layout in settings.layouts]
                else:
                    lengths = _lengths(entry, given)
                    found = _at_point(entry.declaration, given, settings, is_drawn=inputs is None)
                results += [_result(entry, kind, dtype, lengths, settings, finding) for finding in found]
    return results


def _inputs(entry: Identity[Any], inputs: Mapping[str, Any], dtype: str) -> tuple[Any, ...]:
    """Arguments that were given by name, in a dtype; what float32 cannot hold is infinite, and reported as such."""
    with np.errstate(over="ignore"):
        return tuple(
            inputs[p.name] if p.is_integer else np.asarray(inputs[p.name], dtype) for p in entry.signature.parameters
        )


def _lengths(entry: Identity[Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The sizes of axes and the integers, by name."""
    names = [p.name for p in entry.signature.parameters]
    values = dict(zip(names, arguments, strict=True))
    sizes = {axis: size for axis, size in entry.signature.measure(values).items() if not axis.isdigit()}
    return sizes | {p.name: values[p.name] for p in entry.signature.integers}


def _kinds_of(entry: Identity[Any], inputs: Mapping[str, Any]) -> list[Kind]:
    """Those kinds whose ranks the inputs have."""
    ranks = {p.name: np.ndim(inputs[p.name]) for p in entry.signature.arrays}
    shapes = {kind: entry.signature.shapes(kind, {}) for kind in entry.covers}
    kinds: list[Kind] = [
        kind for kind in entry.covers if ranks == {name: len(shape) for name, shape in shapes[kind].items()}
    ]
    if not kinds:
        raise ValueError(f"{entry.name} is stated for {', '.join(entry.covers)}; these inputs are of no such kind.")
    return kinds


@dataclass(frozen=True)
class Finding:
    """What is found at a point in one layout."""

    layout: Layout
    verdict: Verdict
    cause: str | None = None
    error_autodiff: float = math.nan
    error_reference: float = math.nan
    error_fd: float = math.nan
    tolerance: float = math.nan
    condition: float = math.nan


def _at_point(declared: Declaration, arguments: tuple[Any, ...], settings: Settings, is_drawn: bool) -> list[Finding]:
    """What the referee says and, where it passes, the two witnesses of a formula: its layouts and how it is printed."""
    report = check_at(declared, arguments, seed=settings.seed, precision=settings.precision, platform=settings.platform)
    found = Finding(
        "jax",
        report.verdict,
        report.cause and str(report.cause),
        *(report.errors.get(witness, math.nan) for witness in ("autodiff", "reference", "finite differences")),
        tolerance=report.tolerance,
        condition=report.condition,
    )
    if not report.ok:
        return [replace(found, layout=layout) for layout in settings.layouts]
    with in_force(settings.precision), np.errstate(all="ignore"):
        f, D, values = computed(declared, arguments, settings.seed)
        misprint = _misprint(declared, values, f, D) if is_drawn else None
        findings: list[Finding] = []
        for layout in settings.layouts:
            cause = misprint or _misplaced(D, declared.value_axes(f.ndim), layout)
            each = replace(found, layout=layout)
            findings.append(replace(each, verdict="fail", cause=cause) if cause else each)
    return findings


def computed(declared: Declaration, arguments: tuple[Any, ...], seed: int) -> tuple[Array, Array, Arguments]:
    """The value, the closed form and the arguments in float64: by the programs that the referee runs too."""
    bound = declared.bound(tuple(a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arguments), {})
    point, gradient = subject_at(declared, bound, "jax", seed), claim_of(declared, "jax").gradient
    runs = Runs(point("derivative"), gradient, layout="jax", precision="highest", platform=None)
    values = {name: a if isinstance(a, int) else np.asarray(a) for name, a in bound.items()}
    return runs.centre[0], runs.claimed(runs.exact)[0], values


def _misprint(declared: Declaration, values: Arguments, f: Array, D: Array) -> str | None:
    """Which printed form does not evaluate to the value or to the derivative, if any."""
    f_size, x_size = float(np.linalg.norm(f)), float(np.linalg.norm(declared.origin(values)))
    variation = float(np.linalg.norm(D)) * x_size
    for expressions, expected in ((declared.formulas, f), (declared.derivative_formulas, D)):
        evaluate = declared.evaluate if expected is f else declared.evaluate_derivative
        for expression in expressions:
            try:
                printed = np.asarray(evaluate(expression, values, expected.shape))
            except ValueError as error:
                return f"the printed form {expression} cannot be evaluated: {error}"
            size = float(np.linalg.norm(expected)) + (variation if expected is f else 0)
            if not np.linalg.norm(printed - expected) <= PRINTED * (size or f_size / (x_size or 1.0)):
                return f"the printed form {expression} does not evaluate to what is computed"
    return None


def _misplaced(D: Array, value_axes: int, layout: Layout) -> str | None:
    """Which entry of a derivative, arranged in a layout, does not stand where the definition of that puts it."""
    arranged = to_layout(D, value_axes, layout)
    outputs, inputs = D.shape[:value_axes], D.shape[value_axes:]
    places = range(D.size) if D.size <= ENTRIES else stream(0, "entries").integers(0, D.size, ENTRIES)
    for place in places:
        entry = tuple(map(int, np.unravel_index(place, D.shape)))
        if arranged[place_of(entry[:value_axes], entry[value_axes:], outputs, inputs, layout)] != D[entry]:
            return f"in {layout} layout the entry {entry} does not stand where its definition puts it"
    return None


def _result(
    entry: Identity[Any], kind: Kind, dtype: str, lengths: Mapping[str, Any], settings: Settings, finding: Finding
) -> Result:
    return Result(
        name=entry.name,
        covers=entry.covers[kind],
        formula=entry.formulas[0],
        derivative=entry.derivative_formulas[0],
        kind=kind,
        dtype=dtype,
        sizes=lengths,
        seed=settings.seed,
        chapter=entry.chapter,
        **vars(finding),
    )


def place_of(
    o: tuple[int, ...], i: tuple[int, ...], outputs: tuple[int, ...], inputs: tuple[int, ...], layout: Layout
) -> tuple[int, ...]:
    """Where the definition of a layout puts ∂f_o/∂x_i, f having the shape `outputs` and x the shape `inputs`.

    It shares no code with the layout adapter, which it judges. Source: the definitions in notes 002 section 0, such as
    [∂u/∂X]_ij = ∂u/∂x_ji.
    """
    match layout:
        case "jax":
            return o + i
        case "numerator":
            return (0, *i) if len(i) == 1 and not o else o + i[::-1]
        case "denominator":
            return (0, *o) if len(o) == 1 and not i else i + o[::-1]
        case "vec":
            return (_stacked(o, outputs), _stacked(i, inputs))


def _stacked(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Where an entry stands when columns are stacked."""
    return int(np.ravel_multi_index(index, shape, order="F")) if shape else 0
