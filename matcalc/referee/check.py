"""Check the gradient of any function: gather evidence at a point, judge it, and name the cause of what is wrong."""

import contextlib
import functools
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from matcalc.domains import Domain
from matcalc.layout import Layout, check_layout, from_layout
from matcalc.referee.constants import DENSE, LOCATED, TANGENTS
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause
from matcalc.referee.own import check_own
from matcalc.referee.programs import Raised
from matcalc.referee.report import Report
from matcalc.referee.runs import Misshapen, Runs, WhereRun
from matcalc.referee.spec import Form
from matcalc.referee.subject import Subject
from matcalc.referee.summary import report
from matcalc.referee.tolerances import PRECISIONS, Precision
from matcalc.referee.watch import OutOfTime, Watch
from matcalc.streams import words


def check_gradient(
    f: Callable[..., Any],
    gradient: Any,
    *args: Any,
    wrt: int | str | Sequence[int | str] = 0,
    layout: Layout = "jax",
    where: Mapping[int | str, Domain | str] | Domain | str | None = None,
    order: int = 1,
    form: Form = "derivative",
    seed: Any = 0,
    precision: Precision = "highest",
    platform: str | None = None,
    seconds: float = 60.0,
    output: int | str | None = None,
    accuracy: float = 0.0,
) -> Report:
    """Check a derivative of `f` at `args`, and say what is wrong with it.

    `f` is a function that JAX can trace, or one of plain Python and NumPy, then witnessed by finite differences alone.
    It returns an array of any shape. `gradient` is a function of the same arguments, or an array computed elsewhere, or
    None: then JAX's own derivative of `f` is checked, in forward and in reverse mode, which is how to check the rule of
    a `jax.custom_jvp` or `jax.custom_vjp` function.

    `wrt` says by which arguments, by place or name; each may be a pytree of arrays. The claimed derivative has their
    structure, as that of `jax.grad` with these argnums, and each array in it the shape that `layout` gives to a
    derivative of such a value by such a variable. With `order=2` it is a Hessian, as of `jax.hessian`. With
    `form="pushforward"`, `gradient(args, tangent)` gives the tangent of the value, and with `form="pullback"`,
    `gradient(args, cotangent)` the cotangents of the variables: for what is too large for a Jacobian.

    `where` names the domain of arguments ("symmetric", "positive definite", …): inside it the check stays, and along
    its directions only a derivative is compared. The variables are checked in the dtype that they have, numbers and
    arrays of NumPy too, whether float64 is enabled in JAX or not.

    Of what `f` returns, `output` picks one, by place or by name, as in `output=0` of a function with `has_aux`. Leaves
    of a pytree that are no floating numbers (activation functions, counters) are held fixed. After so many `seconds` a
    check ends with what was found so far; that is looked at between runs of a function, and on a terminal a bar tells
    of it from the fifth second on. `accuracy` is the relative error of f, where that is more than its dtype's: of a
    solver, an ODE or a table. Steps are chosen for it, and the tolerance is at least what it explains. Of a real f of
    complex variables z = x + i y the gradient is JAX's, ∂f/∂x - i ∂f/∂y.

    The witnesses are JAX's automatic differentiation of the plain function in that dtype, the same in float64, and
    finite differences of `f` in float64, which confirm or refute it. Right is what lies within 64 u (1 + κ) of the
    truth, norm-wise and relative: u is the unit roundoff of the dtype or of the matrix products in force, κ how
    strongly the derivative amplifies relative changes of the arguments, measured at this point. Neither depends on
    how large the derivative is. Norm-wise means by variable, over all entries: one that is smaller than the largest
    by all these digits is not seen beside it. The gradient is also compared where all arguments have moved a
    little, by √u, which finds what is right at one point only; and, of a function in less than float64, its formula
    in float64. Source of the tolerance: N. J. Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., SIAM
    2002), 1.5 and 1.6.

    Returns a `Report`. Raises ValueError for options that make no sense, and TypeError where `f` is no function or
    JAX is tracing; whatever is wrong with `f`, the gradient or the arguments is said in the report.
    """
    check_layout(layout)
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}.")
    if form not in ("derivative", "pushforward", "pullback"):
        raise ValueError(f"form must be derivative, pushforward or pullback, got {form!r}.")
    if form != "derivative" and (order != 1 or not (callable(gradient) or gradient is None)):
        raise ValueError(f"A {form} is a function, of order 1.")
    if not callable(f):
        raise TypeError(f"f must be a function, got {type(f).__name__}.")
    if any(isinstance(leaf, Tracer) for leaf in (*jax.tree.leaves(args), jnp.zeros(()))):
        raise TypeError("check_gradient compares numbers, which JAX has none of while it traces: call it outside jit.")
    if not 0 <= accuracy < 0.1:
        raise ValueError(f"accuracy is a relative error, of 0 to 0.1, got {accuracy!r}.")
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds!r}.")
    validated(seed, precision, platform)
    f = f if output is None else _picked(f, output)

    def point(form: Form) -> Subject:
        return Subject(f, args, wrt, where, form, order, seed)

    with settings(precision), np.errstate(all="ignore"), Watch(seconds) as watch:
        if gradient is None:
            where_run: WhereRun = {"layout": "jax", "precision": precision, "platform": platform}
            return check_own(f, point, order, watch, accuracy, where_run)
        return examine(point, gradient, form, layout, precision, platform, watch=watch, accuracy=accuracy)


def _picked(f: Callable[..., Any], output: int | str) -> Callable[..., Any]:
    """One of the results of f."""

    @functools.wraps(f)
    def one(*args: Any) -> Any:
        results = f(*args)
        try:
            return results[output]
        except (KeyError, IndexError, TypeError):
            kind = type(results).__name__
            raise ValueError(f"output={output!r} picks nothing from what f returns, a {kind}.") from None

    return one


def validated(seed: Any, precision: str, platform: str | None) -> None:
    """ValueError for options that no check can take."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    try:
        words(seed)
    except TypeError:
        raise ValueError(f"seed must be an integer or a JAX key, got {seed!r}.") from None
    try:
        jax.devices(platform)
    except RuntimeError:
        raise ValueError(f"There is no platform {platform!r} here; JAX runs on {jax.default_backend()}.") from None


def examine(
    point: Callable[[Form], Subject],
    gradient: Any,
    form: Form,
    layout: Layout,
    precision: Precision,
    platform: str | None,
    reason: Cause | None = None,
    watch: Watch | None = None,
    accuracy: float = 0.0,
) -> Report:
    """The report on a claim, inside of `settings`; `reason` says why there is nothing to judge, if that is known.

    When the time on the `watch` is over it ends with what was found so far.
    """
    where_run: WhereRun = {"layout": layout, "precision": precision, "platform": platform}
    evidence = Evidence(Runs(point(form), gradient, watch=watch, accuracy=accuracy, **where_run))
    reason = reason or evidence.unfit
    is_small = evidence.runs.subject.spec.tensors or reason or evidence.passes <= DENSE
    is_dense = form != "derivative" or evidence.runs.order != 1 or is_small
    return report(evidence, reason=reason) if is_dense else _projected(evidence, point, where_run)


def _projected(evidence: Evidence, point: Callable[[Form], Subject], where_run: WhereRun) -> Report:
    """A derivative with many entries along random tangents and cotangents; in full only where it is wrong there."""
    runs, layout = evidence.runs, evidence.runs.layout
    gradient, shapes, value_shape = runs.gradient, runs.space.variables, runs.space.value
    try:
        _ = evidence.claim
    except (Raised, Misshapen, OutOfTime):
        return report(evidence)

    def moving(tree: Any) -> list[Any]:
        spec = runs.subject.spec
        return jax.tree.leaves(tree if spec.pairs else spec.moving(tree))

    def blocks(arguments: tuple[Any, ...]) -> list[Any]:
        claimed = moving(gradient(*arguments)) if callable(gradient) else moving(runs.given)
        return [from_layout(D, value_shape, shape, layout) for D, shape in zip(claimed, shapes, strict=True)]

    def push(arguments: tuple[Any, ...], tangent: Any) -> Any:
        pairs = zip(blocks(arguments), moving(tangent), strict=True)
        return sum(jnp.tensordot(D, v, np.ndim(v)) for D, v in pairs)

    def pull(arguments: tuple[Any, ...], cotangent: Any) -> Any:
        return [jnp.tensordot(cotangent, D, np.ndim(cotangent)) for D in blocks(arguments)]

    in_jax_layout: WhereRun = {**where_run, "layout": "jax"}

    def along(form: Form, claim: Callable[..., Any]) -> Report:
        runs_along = Runs(point(form), claim, runs.moves, watch=runs.watch, accuracy=runs.accuracy, **in_jax_layout)
        return report(Evidence(runs_along))

    found = along("pullback", pull)
    if found.ok:
        found = along("pushforward", push)
    if not found.ok and math.prod(value_shape) * runs.space.entries <= LOCATED:
        return report(evidence)
    note = f"Compared along {TANGENTS} random tangents and {TANGENTS} random cotangents, not entry by entry."
    return replace(found, form="derivative", layout=layout, notes=(*found.notes, note))


@contextlib.contextmanager
def settings(precision: Precision) -> Generator[None]:
    """Float64 where it is given, and nothing of the user's settings that would raise inside JAX."""
    with (
        jax.enable_x64(True),
        jax.default_matmul_precision(precision),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.debug_nans(False),
        jax.debug_infs(False),
    ):
        yield
