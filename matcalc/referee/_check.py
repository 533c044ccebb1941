"""Check the gradient of any function: gather evidence at a point, judge it, and name the cause of what is wrong."""

import contextlib
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from matcalc._domains import Domain
from matcalc._identity import Identity, Rule
from matcalc._layout import Layout, check_layout, from_layout, to_layout
from matcalc.referee._evidence import AGREES, Evidence, Misshapen, in_float64
from matcalc.referee._judge import report
from matcalc.referee._report import Cause, Report
from matcalc.referee._subject import TANGENTS, Form, Raised, Subject
from matcalc.referee._tolerance import PRECISIONS, Precision, relative

DENSE = 64  # passes that a Jacobian may take; of a larger one, random projections are compared
LOCATED = 2**22  # entries of a Jacobian that is computed in full to find where it is wrong


def check_gradient(
    f: Callable[..., Any],
    gradient: Any,
    *args: Any,
    wrt: int | str | Sequence[int | str] = 0,
    layout: Layout = "jax",
    where: Mapping[int | str, Domain | str] | Domain | str | None = None,
    order: int = 1,
    form: Form = "derivative",
    seed: int = 0,
    precision: Precision = "highest",
    platform: str | None = None,
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
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    if form != "derivative" and (order != 1 or not (callable(gradient) or gradient is None)):
        raise ValueError(f"A {form} is a function, of order 1.")
    if not callable(f):
        raise TypeError(f"f must be a function, got {type(f).__name__}.")
    if not isinstance(cast(Any, seed), (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be a number 0, 1, 2, …, got {seed!r}.")
    if any(isinstance(leaf, Tracer) for leaf in (*jax.tree.leaves(args), jnp.zeros(()))):
        raise TypeError("check_gradient compares numbers, which JAX has none of while it traces: call it outside jit.")
    try:
        jax.devices(platform)
    except RuntimeError:
        raise ValueError(f"There is no platform {platform!r} here; JAX runs on {jax.default_backend()}.") from None
    options: dict[str, Any] = {"layout": layout, "precision": precision, "platform": platform}
    point = partial(Subject, f, args, wrt, where, order=order, seed=seed)
    with settings(precision), np.errstate(all="ignore"):
        if gradient is None:
            return _check_own(f, point, order, options)
        evidence = Evidence(point(form=form), gradient, **options)
        if form == "derivative" and order == 1 and evidence.passes > DENSE:
            return _check_projected(evidence, point, options)
        return report(evidence)


def check_identity(entry: Identity[Any], args: tuple[Any, ...], **options: Any) -> Report:
    """`check_gradient` of the closed form of an identity, at a random point of its domain where none is given."""
    if entry.order == 0:
        raise ValueError(
            f"{entry.name} is a definition and has no derivative; `matcalc verify` compares its two sides."
        )
    with jax.enable_x64(True):
        values = entry.signature.bind(args or entry.sample(options.get("seed", 0), dtype=np.float64), {})
    layout: Layout = options.get("layout", "jax")

    def derivative(values: dict[str, Any]) -> Any:
        value, D = entry.both_of(values)
        return to_layout(D, entry.value_axes(value.ndim), layout)

    names = list(values)

    def along(x: Any) -> dict[str, Any]:
        return entry.moved(values, x)

    def anywhere(*args: Any) -> dict[str, Any]:
        return dict(zip(names, args, strict=True))

    at: Callable[..., dict[str, Any]]
    where: Any = None
    if isinstance(entry, Rule):  # by x, along which its functions move
        at, args, wrt = along, (entry.origin(values),), 0
    else:
        at, args, wrt = anywhere, tuple(values.values()), names.index(entry.wrt)
        where = {names.index(name): domain for name, domain in entry.where.items() if name in names}

    @wraps(at)  # for the names of the arguments
    def f(*args: Any) -> Any:
        return entry.value_of(at(*args))

    def gradient(*args: Any) -> Any:
        return derivative(at(*args))

    f.__name__ = entry.name
    return check_gradient(f, gradient, *args, wrt=wrt, where=where, order=entry.order, **options)


def _check_own(f: Callable[..., Any], point: Any, order: int, options: dict[str, Any]) -> Report:
    """JAX's own derivative of f, forward and reverse: the worse report of the two."""
    options = options | {"layout": "jax"}
    if order == 2:
        spec = point(form="derivative").spec
        own = jax.hessian(f, spec.positions[0] if spec.is_one else spec.positions)
        return _noted(report(Evidence(point(form="derivative"), own, **options)), "This is JAX's own Hessian of f.")
    reports: list[Report] = []
    for form, own in (("pushforward", _own_pushforward), ("pullback", _own_pullback)):
        subject = point(form=form)
        found = report(Evidence(subject, own(f, subject), **options))
        if not (found.cause and found.cause.name == "raises" and "custom_vjp" in found.cause.text):
            reports.append(found)  # a function with a pullback of its own has no pushforward
    worst = min(reports, key=lambda r: ("fail", "inconclusive", "autodiff-wrong", "pass").index(r.verdict))
    if worst.ok and (off := _value_apart(f, point(form="derivative"))) > AGREES:
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


def _check_projected(evidence: Evidence, point: Any, options: dict[str, Any]) -> Report:
    """A derivative with many entries along random tangents and cotangents; in full only where it is wrong there."""
    gradient, shapes, layout = evidence.gradient, evidence.shapes, evidence.layout
    value_shape = evidence.centre.shape
    try:
        _ = evidence.claim
    except (Raised, Misshapen):
        return report(evidence)

    def blocks(arguments: tuple[Any, ...]) -> list[Any]:
        claimed = jax.tree.leaves(gradient(*arguments)) if callable(gradient) else evidence.given
        return [from_layout(D, value_shape, shape, layout) for D, shape in zip(claimed, shapes, strict=True)]

    def push(arguments: tuple[Any, ...], tangent: Any) -> Any:
        pairs = zip(blocks(arguments), jax.tree.leaves(tangent), strict=True)
        return sum(jnp.tensordot(D, v, np.ndim(v)) for D, v in pairs)

    def pull(arguments: tuple[Any, ...], cotangent: Any) -> Any:
        return [jnp.tensordot(cotangent, D, np.ndim(cotangent)) for D in blocks(arguments)]

    options = options | {"layout": "jax", "moves": evidence.moves}
    found = report(Evidence(point(form="pullback"), pull, **options))
    if found.ok:
        found = report(Evidence(point(form="pushforward"), push, **options))
    if not found.ok and math.prod(value_shape) * sum(map(math.prod, shapes)) <= LOCATED:
        return report(evidence)
    note = f"Compared along {TANGENTS} random tangents and {TANGENTS} random cotangents, not entry by entry."
    return replace(_noted(found, note), form="derivative", layout=layout)


def _noted(found: Report, note: str) -> Report:
    return replace(found, notes=(*found.notes, note))


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
