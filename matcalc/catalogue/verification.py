"""Verify an identity: its closed form against every witness, in each layout and dtype."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from matcalc.catalogue.identities import Identity
from matcalc.catalogue.signature import Kind
from matcalc.layout import Layout, to_layout
from matcalc.referee.constants import FD_SAFETY, MEANINGLESS
from matcalc.referee.differences import Estimate, finite_differences
from matcalc.referee.report import Verdict
from matcalc.referee.tolerances import (
    Precision,
    relative,
    tolerance,
    unit_roundoff,
)

Array = np.ndarray[Any, Any]

PERTURBATION = 2.0**-24  # relative change of the arguments, by which the condition number is measured
PERTURBATIONS = 3
PRINTED = 1e-8  # printed forms are textbook forms, which may square a condition number


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


@dataclass(frozen=True)
class Witnesses:
    """Value and derivatives in JAX's layout, as NumPy arrays."""

    value: Array
    closed: Array
    autodiff: Array


def verify(entry: Identity[Any], settings: Settings, inputs: Mapping[str, Any] | None = None) -> list[Result]:
    """Verify `entry` at a random point of its domain, or at `inputs`, arguments by name.

    A result for each kind that it is stated for (of inputs: that they are of), each dtype and each layout. Where its
    domain has no point of the sizes asked for, the verdict is inconclusive. ValueError or TypeError for inputs that do
    not fit it.
    """
    results: list[Result] = []
    judged: dict[Layout, Judgement]
    with jax.enable_x64(True), jax.default_matmul_precision(settings.precision):
        for kind in entry.covers if inputs is None else _kinds_of(entry, inputs):
            names = entry.signature.names(kind)
            sizes = {name: size for name, size in settings.sizes.items() if name in names}
            for dtype in settings.dtypes:
                if inputs is None:
                    try:
                        arguments = entry.sample(settings.seed, dtype=dtype, kind=kind, **sizes)
                    except ValueError as error:
                        judged = {layout: Judgement("inconclusive", str(error)) for layout in settings.layouts}
                        results += _results(entry, kind, dtype, entry.signature.sizes(kind, sizes), settings, judged)
                        continue
                else:
                    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and reported as such
                        arguments = tuple(
                            inputs[p.name] if p.is_integer else np.asarray(inputs[p.name], dtype)
                            for p in entry.signature.parameters
                        )
                results += _at_point(entry, kind, dtype, arguments, settings, printed=inputs is None)
    return results


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


def _at_point(
    entry: Identity[Any], kind: Kind, dtype: str, arguments: tuple[Any, ...], settings: Settings, printed: bool
) -> Iterator[Result]:
    case = Case(entry, arguments, settings.seed)
    sizes = {axis: size for axis, size in entry.signature.measure(case.values).items() if not axis.isdigit()}
    sizes |= {p.name: case.values[p.name] for p in entry.signature.integers}
    u = unit_roundoff(dtype, settings.platform or jax.default_backend(), settings.precision)
    judged: dict[Layout, Judgement]
    if outside := entry.outside(*arguments):
        judged = {layout: Judgement("inconclusive", outside) for layout in settings.layouts}
    else:
        computed = case.compute(settings.platform)
        judged = {layout: judge(case, computed, layout, u, printed) for layout in settings.layouts}
    return _results(entry, kind, dtype, sizes, settings, judged)


def _results(
    entry: Identity[Any],
    kind: Kind,
    dtype: str,
    sizes: Mapping[str, Any],
    settings: Settings,
    judged: "Mapping[Layout, Judgement]",
) -> Iterator[Result]:
    for layout, judgement in judged.items():
        yield Result(
            name=entry.name,
            covers=entry.covers[kind],
            formula=entry.formulas[0],
            derivative=entry.derivative_formulas[0],
            kind=kind,
            layout=layout,
            dtype=dtype,
            sizes=sizes,
            seed=settings.seed,
            chapter=entry.chapter,
            **vars(judgement),
        )


class Case:
    """An identity at a point, and what the witnesses in float64 say there."""

    def __init__(self, entry: Identity[Any], arguments: tuple[Any, ...], seed: int) -> None:
        self.entry, self.arguments = entry, arguments
        self.names = [p.name for p in entry.signature.parameters]
        self.rng = np.random.default_rng(seed)
        self.seed = seed

    @functools.cached_property
    def exact(self) -> tuple[Any, ...]:
        """The arguments in float64."""
        return tuple(a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in self.arguments)

    @property
    def values(self) -> dict[str, Any]:
        """The arguments in float64 by name."""
        return dict(zip(self.names, self.exact, strict=True))

    def compute(self, platform: str | None) -> Witnesses:
        """On the device and in the dtype asked for."""
        device = jax.devices(platform)[0] if platform else None
        return self._run(self.arguments, device)

    @functools.cached_property
    def reference(self) -> Witnesses:
        """In float64, on the CPU."""
        return self._run(self.exact, self._cpu)

    @functools.cached_property
    def finite(self) -> Estimate:
        """By finite differences of the value, in float64 on the CPU."""
        values = self.values

        def f(x: Array) -> Array:
            return self._run(tuple(self.entry.declaration.moved(values, x).values()), self._cpu).value

        return finite_differences(f, self.entry.declaration.origin(values), self.entry.order, self.seed)

    @functools.cached_property
    def conditions(self) -> tuple[float, float]:
        """How strongly closed form and autodiff amplify relative changes of the arguments, each at this point."""
        worst = [0.0, 0.0]
        for _ in range(PERTURBATIONS):
            moved = self._run(tuple(self._perturbed(a) for a in self.exact), self._cpu)
            pairs = ((moved.closed, self.reference.closed), (moved.autodiff, self.reference.autodiff))
            for i, (D, D0) in enumerate(pairs):
                change = relative(D, D0, self.size_of_zero)
                # Where so little changes so much, any condition number may be behind it.
                worst[i] = max(worst[i], change / PERTURBATION if change < MEANINGLESS else float("inf"))
        return worst[0], worst[1]

    @functools.cached_property
    def size_of_zero(self) -> float:
        """What a derivative that vanishes is small against: the size of the value over that of the variable."""
        return float(
            np.max(np.abs(self.reference.value)) / (np.max(np.abs(self.entry.declaration.origin(self.values))) or 1.0)
        )

    @functools.cached_property
    def misprint(self) -> str | None:
        """Which printed form does not evaluate to the value or to the derivative, if any."""
        values = self.values
        f, D = self.reference.value, self.reference.closed
        variation = float(np.linalg.norm(D) * np.linalg.norm(self.entry.declaration.origin(values)))
        for expressions, expected in ((self.entry.formulas, f), (self.entry.derivative_formulas, D)):
            for expression in expressions:
                try:
                    printed = np.asarray(self.entry.declaration.evaluate(expression, values, expected.shape))
                except ValueError as error:
                    return f"the printed form {expression} cannot be evaluated: {error}"
                size = np.linalg.norm(expected) + (variation if expected is f else 0) or self.size_of_zero
                if not np.linalg.norm(printed - expected) <= PRINTED * size:
                    return f"the printed form {expression} does not evaluate to what is computed"
        return None

    @property
    def _cpu(self) -> Any:
        return jax.devices("cpu")[0]

    def _perturbed(self, argument: Any) -> Any:
        if not isinstance(argument, np.ndarray):
            return argument
        return np.asarray(argument * (1 + PERTURBATION * self.rng.choice([-1.0, 1.0], argument.shape)))

    def _run(self, arguments: tuple[Any, ...], device: Any) -> Witnesses:
        with jax.default_device(device):
            return Witnesses(*(np.asarray(a) for a in _witnesses(self.entry)(*arguments)))


@functools.cache
def _witnesses(entry: Identity[Any]) -> Any:
    """Value, closed form and autodiff in one program, for each dtype compiled once and not once for each layout."""

    def function(values: dict[str, Any]) -> tuple[Any, Any, Any]:
        value, closed = entry.declaration.both_of(values)
        return value, closed, entry.declaration.autodiff_of(values) if entry.order > 0 else value

    return entry.declaration.jit(function)


def entry_by_entry(arranged: Array, outputs: tuple[int, ...], inputs: tuple[int, ...], layout: Layout) -> Array:
    """A derivative in `layout` read into JAX's, each entry ∂f_o/∂x_i from where its definition puts it.

    It shares no code with the layout adapter, which it judges. Source: the definitions in notes 002 section 0, such as
    [∂u/∂X]_ij = ∂u/∂x_ji.
    """
    read = np.empty(outputs + inputs)
    for o in np.ndindex(outputs):
        for i in np.ndindex(inputs):
            match layout:
                case "jax":
                    place = o + i
                case "numerator":
                    place = (0, *i) if len(i) == 1 and not o else o + i[::-1]
                case "denominator":
                    place = (0, *o) if len(o) == 1 and not i else i + o[::-1]
                case "vec":
                    place = (_stacked(o, outputs), _stacked(i, inputs))
            read[o + i] = arranged[place]
    return read


def _stacked(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Where an entry stands when columns are stacked."""
    return int(np.ravel_multi_index(index, shape, order="F")) if shape else 0


@dataclass(frozen=True)
class Judgement:
    """What is found at a point in one layout."""

    verdict: Verdict
    cause: str | None = None
    error_autodiff: float = float("nan")
    error_reference: float = float("nan")
    error_fd: float = float("nan")
    tolerance: float = float("nan")
    condition: float = float("nan")


@np.errstate(all="ignore")
def judge(case: Case, computed: Witnesses, layout: Layout, u: float, printed: bool) -> Judgement:
    """Compare the closed form in `layout`, as computed with unit roundoff `u`, with every witness."""
    reference, fd, order = case.reference, case.finite, case.entry.order
    due = reference.autodiff.shape
    if computed.closed.shape != due:
        return Judgement("fail", f"the closed form has shape {computed.closed.shape}, and {due} is due")
    axes = case.entry.declaration.value_axes(reference.value.ndim)
    closed, automatic, expected = (
        to_layout(D, axes, layout) for D in (computed.closed, computed.autodiff, reference.autodiff)
    )
    read = entry_by_entry(closed, due[:axes], due[axes:], layout)

    distance = functools.partial(relative, size_of_zero=case.size_of_zero)

    # The truth is what finite differences confirm: autodiff or the closed form, in float64; of both, the better
    # conditioned.
    spread = fd.spread
    exact = unit_roundoff(np.float64)
    confirmed = [
        distance(fd.project(D, order), fd.values) <= min(FD_SAFETY * spread + tolerance(exact, condition), MEANINGLESS)
        for D, condition in zip((reference.closed, reference.autodiff), case.conditions, strict=True)
    ]
    truth, condition = reference.autodiff, case.conditions[1]
    if confirmed[0] and not (confirmed[1] and condition <= case.conditions[0]):
        truth, condition = reference.closed, case.conditions[0]
    allowed = tolerance(u, condition)
    errors = Judgement(
        "pass",
        None,
        error_autodiff=distance(closed, automatic),
        error_reference=distance(closed, expected),
        error_fd=distance(fd.project(read, order), fd.values),
        tolerance=allowed,
        condition=condition,
    )
    error = distance(computed.closed, truth)
    right = error <= allowed and errors.error_fd <= FD_SAFETY * spread + allowed
    autodiff_right = confirmed[1] and distance(computed.autodiff, truth) <= allowed

    if not np.all(np.isfinite(reference.value)):
        return replace(errors, verdict="inconclusive", cause="the value is not finite at this point")
    if not spread < MEANINGLESS:
        return replace(errors, verdict="inconclusive", cause="finite differences are noise at this point")
    if min(case.conditions) == float("inf"):
        cause = f"relative changes of {PERTURBATION:.0e} in the arguments change all of the derivative"
        return replace(errors, verdict="inconclusive", cause=cause)
    if not any(confirmed) and distance(reference.closed, reference.autodiff) <= tolerance(exact, condition):
        cause = "closed form and autodiff agree with each other, but not with finite differences"
        return replace(errors, verdict="inconclusive", cause=cause)
    if any(confirmed) and not allowed < MEANINGLESS:
        cause = f"the condition number {condition:.1e} lets rounding alone explain an error of {allowed:.0e}"
        return replace(errors, verdict="inconclusive", cause=cause)
    if not right:
        if not np.all(np.isfinite(computed.closed)):
            return replace(errors, verdict="fail", cause="the closed form is not finite")
        worst = max(error, errors.error_fd)
        return replace(errors, verdict="fail", cause=f"off by {worst:.1e}; rounding explains {allowed:.0e}")
    if printed and (cause := case.misprint):
        return replace(errors, verdict="fail", cause=cause)
    if not autodiff_right:
        off = distance(reference.autodiff if not confirmed[1] else computed.autodiff, truth)
        cause = f"closed form and finite differences agree, and autodiff is off by {off:.1e}"
        return replace(errors, verdict="autodiff-wrong", cause=cause)
    return errors
