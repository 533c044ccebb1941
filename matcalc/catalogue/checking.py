"""The closed form of an identity before the referee, which sees functions of arrays and no identities."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import jax
import numpy as np

from matcalc.catalogue.declaration import Arguments, Declaration
from matcalc.catalogue.sampling import sample
from matcalc.layout import Layout, check_layout, to_layout
from matcalc.referee import Precision, Report, examine, settings, validated
from matcalc.referee.findings import Cause
from matcalc.referee.spec import Form
from matcalc.referee.subject import Subject

OPTIONS = ("layout", "seed", "precision", "platform")


@dataclass(frozen=True)
class Claim:
    """The closed form of an identity as a claim about its plain function, both of all arguments.

    By a rule, the variable x comes before the arguments: its functions move along it, and x is 0. A definition says
    that its sides are equal: that the derivative of t times the left one, by t at t = 1, is the right one.
    """

    f: Callable[..., Any]
    gradient: Callable[..., Any]
    variable: str
    before: Callable[[Arguments], tuple[Any, ...]]  # what comes before the arguments


def check(declared: Declaration, args: tuple[Any, ...], **options: Any) -> Report:
    """The report on the closed form at these arguments or, without any, at a random point of its domain in float64.

    TypeError for other options, ValueError for options that make no sense, both for arguments that do not fit.
    """
    for option in options:
        if option not in OPTIONS:
            known = ", ".join(OPTIONS)
            raise TypeError(f"{declared.name}.check has no option {option!r}; its options are {known}.")
    return check_at(declared, args or sample(declared, options.get("seed", 0), np.float64, None, {}), **options)


def check_at(
    declared: Declaration,
    args: tuple[Any, ...],
    *,
    layout: Layout = "jax",
    seed: Any = 0,
    precision: Precision = "highest",
    platform: str | None = None,
) -> Report:
    """The report at given arguments: that of `matcalc.check_gradient`, inside the domain of the formula."""
    check_layout(layout)
    validated(seed, precision, platform)
    with settings(precision), np.errstate(all="ignore"):
        arguments = declared.bound(args, {})
        outside = declared.outside(arguments)
        reason = Cause("domain", outside) if outside else None
        point = subject_at(declared, arguments, layout, seed)
        gradient = claim_of(declared, layout).gradient
        return examine(point, gradient, "derivative", layout, precision, platform, reason)


def subject_at(declared: Declaration, arguments: Arguments, layout: Layout, seed: Any) -> Callable[..., Subject]:
    """The plain function at these arguments, as the referee takes it."""
    claim = claim_of(declared, layout)
    given = (*claim.before(arguments), *(np.asarray(a) if hasattr(a, "shape") else a for a in arguments.values()))
    where: dict[int | str, Any] = {name: domain for name, domain in declared.where.items() if name in arguments}

    def point(form: Form) -> Subject:
        return Subject(claim.f, given, claim.variable, where, form, max(declared.order, 1), seed, is_hasty=True)

    return point


@functools.cache
def claim_of(declared: Declaration, layout: Layout) -> Claim:
    """The claim, made once, so that its programs are compiled once."""
    before = {"t": 1} if declared.order == 0 else {"x": 0} if declared.is_rule else {}
    names = [*before, *(p.name for p in declared.signature.parameters)]
    integers = tuple(p.name for p in declared.signature.integers)

    def function(of: Callable[..., Any]) -> Callable[..., Any]:
        """A jitted function of these names, from one of the variable before them, if any, and the arguments."""

        def named(*args: Any) -> Any:
            given = dict(zip(names, args, strict=True))
            return of(*(given.pop(name) for name in before), given)

        parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names]
        cast(Any, named).__signature__ = inspect.Signature(parameters)
        named.__name__ = declared.name
        return jax.jit(named, static_argnums=[names.index(name) for name in integers])

    def arranged(D: Any, value_axes: int) -> Any:
        return to_layout(D, value_axes, layout)

    if declared.order == 0:

        def right(t: Any, arguments: Arguments) -> Any:
            D = declared.derivative_of(arguments)
            return arranged(D, D.ndim)

        f, gradient = function(lambda t, arguments: t * declared.value_of(arguments)), function(right)
        return Claim(f, gradient, "t", lambda arguments: (np.ones((), _dtype(arguments)),))

    def closed(arguments: Arguments) -> Any:
        value, D = declared.both_of(arguments)
        return arranged(D, declared.value_axes(value.ndim))

    if declared.is_rule:
        f = function(lambda x, arguments: declared.value_of(declared.moved(arguments, x)))
        return Claim(
            f, function(lambda x, arguments: closed(declared.moved(arguments, x))), "x", lambda a: (declared.origin(a),)
        )
    return Claim(function(declared.value_of), function(closed), declared.wrt, lambda arguments: ())


def _dtype(arguments: Arguments) -> Any:
    return next(a.dtype for a in arguments.values() if hasattr(a, "dtype"))
