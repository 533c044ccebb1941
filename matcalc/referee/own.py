"""JAX's own derivative of a function, checked: the way to check the rule of a custom_jvp or custom_vjp function."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.referee.constants import AGREES
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause
from matcalc.referee.report import Report
from matcalc.referee.runs import Runs, WhereRun
from matcalc.referee.spec import Form, Spec
from matcalc.referee.subject import Subject, in_float64
from matcalc.referee.summary import report
from matcalc.referee.tensors import array, jacobian
from matcalc.referee.tolerances import relative
from matcalc.referee.watch import Watch

# What JAX says where it lacks a rule: of a function with a pullback of its own there is no pushforward, and of a loop
# that ends by a condition no pullback. Of a function that is no program of JAX there is neither.
LACKING = (
    "custom_vjp",
    "Reverse-mode differentiation does not work",
    "NotImplementedError",
    "not implemented",
    "TracerArrayConversionError",
)


def check_own(
    f: Callable[..., Any],
    point: Callable[[Form], Subject],
    order: int,
    watch: Watch,
    accuracy: float,
    where_run: WhereRun,
) -> Report:
    """JAX's own derivative of f, forward and reverse: the worse report of the two."""

    def found_of(subject: Subject, own: Any) -> Report:
        return report(Evidence(Runs(subject, own, watch=watch, accuracy=accuracy, **where_run)))

    at = point("derivative")
    if order == 2:
        own = jax.hessian(f, at.spec.positions[0] if at.spec.is_one else at.spec.positions)
        return _noted(found_of(at, own), "This is JAX's own Hessian of f.")
    if unfit := (evidence := Evidence(Runs(at, f, watch=watch, accuracy=accuracy, **where_run))).unfit:
        return report(evidence, reason=unfit)
    if at.spec.tensors:
        own = functools.partial(_own_of_tensors, at.plain, at.spec)
        return _noted(found_of(at, own), "This is the derivative of f by torch.autograd.")
    reports: list[Report] = []
    lacking: list[str] = []
    ways: tuple[tuple[Form, Any], ...] = (("pushforward", _own_pushforward), ("pullback", _own_pullback))
    for form, own in ways:
        subject = point(form)
        found = found_of(subject, own(f, subject.spec))
        if found.cause and found.cause.name == "raises" and any(words in found.cause.text for words in LACKING):
            lacking.append(found.cause.text.removeprefix("The gradient raised ").strip())
        else:
            reports.append(found)
    if not reports:
        cause = Cause("no derivative", f"JAX has no derivative of this: {lacking[-1]}", "Give it one by a custom_jvp.")
        return report(evidence, reason=cause)
    worst = min(reports, key=lambda r: ("fail", "inconclusive", "autodiff-wrong", "pass").index(r.verdict))
    if worst.ok and (off := _value_apart(f, at, ways_back=reports[-1].form == "pullback")) > AGREES:
        text = f"Where it is differentiated, f has another value than it has alone: off by {off:.1e}."
        worst = replace(worst, verdict="fail", cause=Cause("value", text, "Let its rule return the value of f itself."))
    return _noted(worst, f"This is JAX's own derivative of f, as a {' and a '.join(r.form for r in reports)}.")


def _own_of_tensors(f: Callable[..., Any], spec: Spec, *arguments: Any) -> list[Any]:
    of, variables = _of(f, spec, arguments)
    return jacobian(lambda moved: of(*moved), [array(v) for v in variables], spec.order)


def _value_apart(f: Callable[..., Any], subject: Subject, ways_back: bool) -> float:
    """How far the value that the rule of f returns with the derivative is from that of f."""
    arguments = subject.spec.arguments(in_float64(subject.arrays))
    of, variables = _of(f, subject.spec, arguments)
    value = jax.vjp(of, *variables)[0] if ways_back else jax.jvp(of, variables, variables)[0]
    return relative(np.asarray(value), np.asarray(subject.plain(*arguments)), 1.0)


def _own_pushforward(f: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    def own(arguments: Any, tangent: Any) -> Any:
        of, variables = _of(f, spec, arguments)
        tangents = dict(zip(spec.positions, (tangent,) if spec.is_one else tangent, strict=True))
        along = spec.split(tuple(tangents.get(p, a) for p, a in enumerate(arguments)))[0]
        return jax.jvp(of, variables, along)[1]

    return own


def _own_pullback(f: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    def own(arguments: Any, cotangent: Any) -> Any:
        of, variables = _of(f, spec, arguments)
        value, pull = jax.vjp(of, *variables)
        return pull(jnp.asarray(cotangent, value.dtype))

    return own


def _of(f: Callable[..., Any], spec: Spec, arguments: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """f as a function of its variables alone, and these."""
    variables, arrays = spec.split(arguments)
    return lambda *moved: f(*spec.moved(arrays, moved)), variables


def _noted(found: Report, note: str) -> Report:
    return replace(found, notes=(*found.notes, note))
