"""The operations of a traced program: what each is, what it calls, and whether its results are needed."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Jaxpr, Var

from matcalc.planner.kernels import is_small, sliced_trace

JaxprEqn = Any  # of JAX, whose types say too little of shapes
ClosedJaxpr = Any  # the same; in jax 0.12 it is but another name of Jaxpr

# From operations that call a function to the parameter that holds its program.
CALLS = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr", "custom_vmap_call": "call"}


F = TypeVar("F", bound=Callable[..., Any])


def rule(table: dict[str, F], *names: str) -> Callable[[F], F]:
    """A decorator that enters a function in a table from the names of operations to what is done with them."""

    def enter(function: F) -> F:
        table.update(dict.fromkeys(names, function))
        return function

    return enter


# --- What an operation is


def name_of(eqn: JaxprEqn) -> str:
    """The name of the function that an operation calls, if the planner knows that; else that of the primitive."""
    return known(eqn) or eqn.primitive.name


def known(eqn: JaxprEqn) -> str | None:
    """The name of the jitted function that an operation calls, if the planner knows it and need not look inside."""
    if eqn.primitive.name != "jit":
        return None
    name = eqn.params["name"]
    return name if name == "product_by_entries" else _known(name, eqn.params["jaxpr"])


@functools.lru_cache(maxsize=1024)
def _known(name: str, closed: ClosedJaxpr) -> str | None:
    """The name under which the planner knows a function: its own name is right, and so is its program."""
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


def is_jitted(eqn: JaxprEqn) -> bool:
    """Whether an operation calls a jitted function that the planner does not know, and has to look into."""
    return eqn.primitive.name == "jit" and not known(eqn)


def is_plain(eqn: JaxprEqn, *, converts: bool = False) -> bool:
    """Whether the planner can compute an operation itself: its arrays are floating point numbers, all of one dtype.

    The dtype is not weak, so it does not give way to that of others, and it is one that JAX as it is set has. All sizes
    are known, and no axis of a mesh is in the types. An operation that `converts` may have arguments of another dtype.
    """
    *given, out = (atom.aval for atom in (*eqn.invars, *eqn.outvars))
    is_one = converts or all(aval.dtype == out.dtype for aval in given)
    is_floating = is_one and jnp.issubdtype(out.dtype, jnp.inexact) and not out.weak_type
    return is_floating and all(map(_is_plain, (*given, out)))


def _is_plain(aval: Any) -> bool:
    is_sharded = any(part is not None for part in aval.sharding.spec)
    is_sized = all(isinstance(size, int) for size in aval.shape)
    return is_sized and not is_sharded and jax.dtypes.canonicalize_dtype(aval.dtype) == aval.dtype


def is_small_product(eqn: JaxprEqn) -> bool:
    """Whether an operation is a product of small arrays, which is computed by entries."""
    if eqn.primitive is not lax.dot_general_p or eqn.params.get("out_sharding"):
        return False
    a, b = (atom.aval for atom in eqn.invars)
    return is_plain(eqn) and is_small(a.shape, b.shape, a.dtype, eqn.params["dimension_numbers"])


# --- What it calls


def called_program(eqn: JaxprEqn) -> Jaxpr | None:
    """The program of the function that an operation calls, unless the planner knows that function."""
    if eqn.primitive.name not in CALLS or known(eqn):
        return None
    inner = eqn.params[CALLS[eqn.primitive.name]]
    return getattr(inner, "jaxpr", inner)


def called_operation(eqn: JaxprEqn) -> JaxprEqn:
    """The one operation that a called function consists of, if it is one, on the same operands; else the call."""
    inner = called_program(eqn)
    while inner is not None and len(inner.eqns) == 1 and inner.eqns[0].invars == inner.invars:
        (eqn,) = inner.eqns
        inner = called_program(eqn)
    return eqn


def called_name(eqn: JaxprEqn) -> str | None:
    """The name of the function that an operation calls, if it calls one."""
    inner = called_program(eqn)
    return inner and (eqn.params.get("name") or inner.debug_info.func_name or "").strip("_")


# --- What is needed


def needed(jaxpr: Jaxpr, *, inside: bool = True) -> Iterator[JaxprEqn]:
    """The operations that the results need, last first; instead of a call, those `inside` the function."""
    wanted = {id(var) for var in jaxpr.outvars}
    for eqn in reversed(jaxpr.eqns):
        if not eqn.effects and not any(id(var) in wanted for var in eqn.outvars):
            continue
        wanted |= {id(var) for var in eqn.invars if isinstance(var, Var)}
        if inside and (inner := called_program(eqn)) is not None:
            yield from needed(inner)
        else:
            yield eqn
