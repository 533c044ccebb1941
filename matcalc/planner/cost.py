"""The work of a program: its arithmetic and its memory traffic."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import Jaxpr

from matcalc.planner.operations import ClosedJaxpr, JaxprEqn, called_program, known, name_of, needed

# What sums of products consist of; all else that is no free operation is named in `Work.others`.
OF_SUMS = {"add", "add_any", "dot_general", "mul", "product_by_entries", "reduce_sum", "sub", "trace"}
# What leaves entries where they lie, and what moves them or writes constants: no work by itself.
VIEWS = {"optimization_barrier", "reshape", "squeeze", "stop_gradient"}
FREE = VIEWS | {
    "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "eq", "iota", "neg", "select_n", "slice",
    "transpose",
}  # fmt: skip


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
    out = math.prod(eqn.outvars[0].aval.shape)
    moved = out + sum(math.prod(a.aval.shape) for a in eqn.invars)
    match name_of(eqn):
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
            return Work(out * eqn.outvars[0].aval.shape[-1] // 3, moved)
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
    inner = called_program(eqn)
    return sum(work_of(each).operations for each in ([eqn] if inner is None else needed(inner)))


def work(closed: ClosedJaxpr) -> Work:
    """The work of a program; what its results do not need is not counted."""
    eqns = [eqn for eqn in needed(closed.jaxpr) if eqn.primitive.name not in FREE]
    works = list(map(work_of, eqns))
    moved = sum(each.moved for each in works)
    moved += sum(math.prod(var.aval.shape) for var in closed.jaxpr.outvars if _is_written(closed.jaxpr, var))
    others = {name_of(eqn) for eqn in eqns} - OF_SUMS
    others |= {name for eqn in eqns if eqn.primitive.name == "scan" for name in work(eqn.params["jaxpr"]).others}
    return Work(sum(each.operations for each in works), moved, frozenset(others))


def _is_written(jaxpr: Jaxpr, result: Any) -> bool:
    """Whether a result of a program is written by an operation that moves entries or writes constants."""
    makers = [eqn for eqn in jaxpr.eqns if any(var is result for var in eqn.outvars)]
    if not makers:
        return False
    (eqn,) = makers
    if (inner := called_program(eqn)) is not None:
        return _is_written(inner, inner.outvars[eqn.outvars.index(result)])
    return known(eqn) == "diag" or eqn.primitive.name in FREE - VIEWS
