"""JAX's own derivative of a function, checked: the way to check the rule of a custom_jvp or custom_vjp function."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.referee.constants import AGREES
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause
from matcalc.referee.judge import report
from matcalc.referee.report import Report
from matcalc.referee.runs import Runs, WhereRun
from matcalc.referee.subject import Form, Subject, in_float64
from matcalc.referee.tolerances import relative


def check_own(f: Callable[..., Any], point: Callable[[Form], Subject], order: int, where_run: WhereRun) -> Report:
    """JAX's own derivative of f, forward and reverse: the worse report of the two."""
    if order == 2:
        spec = point("derivative").spec
        own = jax.hessian(f, spec.positions[0] if spec.is_one else spec.positions)
        return _noted(report(Evidence(Runs(point("derivative"), own, **where_run))), "This is JAX's own Hessian of f.")
    reports: list[Report] = []
    ways: tuple[tuple[Form, Any], ...] = (("pushforward", _own_pushforward), ("pullback", _own_pullback))
    for form, own in ways:
        subject = point(form)
        found = report(Evidence(Runs(subject, own(f, subject), **where_run)))
        if not (found.cause and found.cause.name == "raises" and "custom_vjp" in found.cause.text):
            reports.append(found)  # a function with a pullback of its own has no pushforward
    worst = min(reports, key=lambda r: ("fail", "inconclusive", "autodiff-wrong", "pass").index(r.verdict))
    if worst.ok and (off := _value_apart(f, point("derivative"))) > AGREES:
        text = f"Where it is differentiated, f has another value than it has alone: off by {off:.1e}."
        worst = replace(worst, verdict="fail", cause=Cause("value", text, "Let its rule return the value of f itself."))
    return _noted(worst, f"This is JAX's own derivative of f, as a {' and a '.join(r.form for r in reports)}.")


def _value_apart(f: Callable[..., Any], subject: Subject) -> float:
    """How far the value that the rule of f returns with the derivative is from that of f."""
    arguments = subject.spec.arguments(in_float64(subject.arrays))
    positions = subject.spec.positions
    value, _ = jax.vjp(_of(f, arguments, positions), *(arguments[p] for p in positions))
    return relative(np.asarray(value), np.asarray(subject.plain(*arguments)), 1.0)


def _own_pushforward(f: Callable[..., Any], subject: Subject) -> Callable[..., Any]:
    def own(arguments: Any, tangent: Any) -> Any:
        positions = subject.spec.positions
        tangents = (tangent,) if subject.spec.is_one else tangent
        return jax.jvp(_of(f, arguments, positions), tuple(arguments[p] for p in positions), tuple(tangents))[1]

    return own


def _own_pullback(f: Callable[..., Any], subject: Subject) -> Callable[..., Any]:
    def own(arguments: Any, cotangent: Any) -> Any:
        positions = subject.spec.positions
        value, pull = jax.vjp(_of(f, arguments, positions), *(arguments[p] for p in positions))
        return pull(jnp.asarray(cotangent, value.dtype))

    return own


def _of(f: Callable[..., Any], arguments: Sequence[Any], positions: Sequence[int]) -> Callable[..., Any]:
    """f as a function of some of its arguments."""

    def of(*chosen: Any) -> Any:
        at = dict(zip(positions, chosen, strict=True))
        return f(*(at.get(p, a) for p, a in enumerate(arguments)))

    return of


def _noted(found: Report, note: str) -> Report:
    return replace(found, notes=(*found.notes, note))
