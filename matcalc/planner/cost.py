"""What the operations of a program are, and how much they have to do."""

import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Var

from matcalc.planner.evaluate import sliced_trace

JaxprEqn = Any  # of JAX, whose types say too little of shapes
ClosedJaxpr = Any  # the same; in jax 0.12 it is but another name of Jaxpr

INNER = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr", "custom_vmap_call": "call"}
PRODUCTS = {"add", "add_any", "dot_general", "mul", "product_by_entries", "reduce_sum", "sub", "trace"}
# What leaves entries where they lie, and what moves them or makes them of nothing: no work by itself.
VIEWS = {"optimization_barrier", "reshape", "squeeze", "stop_gradient"}
FREE = VIEWS | {
    "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "eq", "iota", "neg", "select_n", "slice",
    "transpose",
}  # fmt: skip


def known(eqn: JaxprEqn) -> str | None:
    """The function that a jitted operation is, if it is one that is understood as a whole."""
    if eqn.primitive.name != "jit":
        return None
    name = eqn.params["name"]
    return name if name == "product_by_entries" else _function(name, eqn.params["jaxpr"])


def is_jitted(eqn: JaxprEqn) -> bool:
    """Whether an operation is a jitted function, to look into; not one that is understood as a whole."""
    return eqn.primitive.name == "jit" and not known(eqn)


@functools.lru_cache(maxsize=1024)
def _function(name: str, closed: ClosedJaxpr) -> str | None:
    functions = {
        "trace": ("trace", jnp.trace, (2, 3, 4)),
        "sliced_trace": ("trace", sliced_trace, (2, 3, 4)),
        "inv": ("inv", jnp.linalg.inv, (2,)),
        "_diag": ("diag", jnp.diag, (1,)),
    }
    word, function, ranks = functions.get(name, (None, None, ()))
    if function is None or len(closed.in_avals) != 1 or len(closed.in_avals[0].shape) not in ranks:
        return None
    (eqn,) = jax.make_jaxpr(function)(*closed.in_avals).eqns
    same = eqn.params["jaxpr"] is closed or str(eqn.params["jaxpr"]) == str(closed)
    return word if same else None


class Work(NamedTuple):
    """Multiply-adds and additions, the entries that they read and write, and the names of all other operations.

    Of those, quotients, factorisations, solutions and the steps of a scan are counted too; the names are also those of
    what is in such a step.
    """

    operations: int
    moved: int
    others: frozenset[str] = frozenset()


def work_of(eqn: JaxprEqn) -> Work:
    """The work of an operation as written; none of one that only moves entries or counts, or is not understood."""
    if eqn.primitive.name == "scan":
        step, steps = work(eqn.params["jaxpr"]), eqn.params["length"]
        return Work(steps * step.operations, steps * step.moved)
    if not jnp.issubdtype(eqn.outvars[0].aval.dtype, jnp.inexact):
        return Work(0, 0)
    name, out = known(eqn) or eqn.primitive.name, math.prod(eqn.outvars[0].aval.shape)
    moved = out + sum(math.prod(a.aval.shape) for a in eqn.invars)
    match name:
        case "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            return Work(out * math.prod(eqn.invars[0].aval.shape[i] for i in contracted), moved)
        case "product_by_entries":
            inner = (e for e in eqn.params["jaxpr"].eqns if e.primitive.name == "mul")
            return Work(sum(math.prod(e.outvars[0].aval.shape) for e in inner), moved)
        case "inv":
            n = math.isqrt(out)
            return Work(n**3 // 3 + n**3, 2 * moved)
        case "lu":
            return Work(math.prod(eqn.outvars[0].aval.shape) * eqn.outvars[0].aval.shape[-1] // 3, moved)
        case "custom_linear_solve":
            return Work(out * eqn.outvars[0].aval.shape[0], moved)
        case "triangular_solve":
            return Work(out * eqn.invars[0].aval.shape[-1] // 2, moved)
        case "trace":
            return Work(out * eqn.invars[0].aval.shape[0], moved)
        case "add" | "add_any" | "sub" | "mul" | "div":
            return Work(out, moved)
        case _:
            return Work(0, 0)


def operations_of(eqn: JaxprEqn) -> int:
    """The multiply-adds and additions of an operation; of a function that is called, those inside."""
    inner = _inside(eqn)
    return sum(work_of(each).operations for each in ([eqn] if inner is None else needed(inner)))


def work(closed: ClosedJaxpr) -> Work:
    """The work of a program; what its results do not need is not counted."""
    eqns = [eqn for eqn in needed(closed.jaxpr) if eqn.primitive.name not in FREE]
    works = list(map(work_of, eqns))
    moved = sum(each.moved for each in works)
    moved += sum(math.prod(var.aval.shape) for var in closed.jaxpr.outvars if _is_moved(closed.jaxpr, var))
    others = {known(eqn) or eqn.primitive.name for eqn in eqns} - PRODUCTS
    others |= {name for eqn in eqns if eqn.primitive.name == "scan" for name in work(eqn.params["jaxpr"]).others}
    return Work(sum(each.operations for each in works), moved, frozenset(others))


def _is_moved(jaxpr: Jaxpr, result: Any) -> bool:
    """Whether a result of a program is written by an operation that moves entries, or makes them of nothing."""
    makers = [eqn for eqn in jaxpr.eqns if any(var is result for var in eqn.outvars)]
    if not makers:
        return False
    (eqn,) = makers
    if (inner := _inside(eqn)) is not None:
        return _is_moved(inner, inner.outvars[eqn.outvars.index(result)])
    return known(eqn) == "diag" or eqn.primitive.name in FREE - VIEWS


def needed(jaxpr: Jaxpr, *, inside: bool = True) -> Iterator[JaxprEqn]:
    """The operations that the results need, last first; of functions that are called, those inside."""
    wanted = {id(var) for var in jaxpr.outvars}
    for eqn in reversed(jaxpr.eqns):
        if not eqn.effects and not any(id(var) in wanted for var in eqn.outvars):
            continue
        wanted |= {id(var) for var in eqn.invars if isinstance(var, Var)}
        if inside and (inner := _inside(eqn)) is not None:
            yield from needed(inner)
        else:
            yield eqn


def called(eqn: JaxprEqn) -> JaxprEqn:
    """The operation that a call consists of, where it is but one on the same operands; else the call."""
    inner = _inside(eqn)
    while inner is not None and len(inner.eqns) == 1 and inner.eqns[0].invars == inner.invars:
        (eqn,) = inner.eqns
        inner = _inside(eqn)
    return eqn


def function_of(eqn: JaxprEqn) -> str | None:
    """The name of the function that is called, if one is."""
    inner = _inside(eqn)
    return inner and (eqn.params.get("name") or inner.debug_info.func_name or "").strip("_")


def _inside(eqn: JaxprEqn) -> Jaxpr | None:
    """The program of a function that is called, unless that is understood as a whole."""
    if eqn.primitive.name not in INNER or known(eqn):
        return None
    inner = eqn.params[INNER[eqn.primitive.name]]
    return getattr(inner, "jaxpr", inner)
