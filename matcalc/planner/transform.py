"""From a function to one that takes its matrix products in the cheapest order."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Literal, Var

from matcalc.planner.execution import Execution
from matcalc.planner.grouping import Grouping
from matcalc.planner.kernels import REPLACEMENTS, keeps_sums, small_product
from matcalc.planner.operations import (
    ClosedJaxpr,
    JaxprEqn,
    is_jitted,
    is_plain,
    is_small_product,
    known,
    name_of,
)
from matcalc.planner.recognition import RULES

P = ParamSpec("P")
R = TypeVar("R")


def reassociate(fun: Callable[P, R]) -> Callable[P, R]:
    """The same function with sums of matrix products evaluated in the cheapest order for the shapes it is called with.

    Products are associated anew, sub-products that are used twice computed once (up to transposition), common ends
    factored, P Q + P R = P (Q + R), traces of products taken without the last product, scalars multiplied where they
    meet the fewest entries, and inverses applied as solutions that share one factorisation. Jitted functions of nothing
    but such sums count as if written out. It never takes more multiply-adds and additions than `fun` as written, which
    is evaluated as it is where nothing is to be gained, as is all else in `fun`. The result agrees to rounding, as no
    product is multiplied out, unless it overflows on the way: Q + R may where P Q + P R does not, and the other way.

    It can be jitted, mapped and differentiated. The order is chosen when it is traced, so jit it: an eager call chooses
    it every time. Arguments are what `fun` takes; those that are no arrays stay as they are.
    """

    if not callable(fun):
        raise TypeError(f"reassociate takes a function, got {type(fun).__name__}.")

    @functools.wraps(fun)
    def reassociated(*args: P.args, **kwargs: P.kwargs) -> R:
        leaves, tree = jax.tree.flatten((args, kwargs))
        places = [k for k, leaf in enumerate(leaves) if _is_array(leaf)]

        def of_arrays(*arrays: Any) -> Any:
            at = dict(zip(places, arrays, strict=True))
            arguments: Any = jax.tree.unflatten(tree, [at.get(k, leaf) for k, leaf in enumerate(leaves)])
            return cast(Any, fun)(*arguments[0], **arguments[1])

        # As JAX takes them: arrays of NumPy have other dtypes, and arithmetic of their own.
        arrays = [
            jnp.asarray(leaves[k]) if isinstance(leaves[k], np.ndarray | np.generic) else leaves[k] for k in places
        ]
        closed, shape = jax.make_jaxpr(of_arrays, return_shape=True)(*arrays)
        return jax.tree.unflatten(jax.tree.structure(shape), interpret(closed, arrays))

    return reassociated


def _is_array(leaf: Any) -> bool:
    try:
        return hasattr(leaf, "dtype") and jax.typeof(leaf) is not None
    except TypeError:  # what has a dtype and is no array, such as jnp.float32
        return False


def interpret(closed: ClosedJaxpr, arrays: Sequence[Any]) -> list[Any]:
    """The results of a program, with each group of sums of products computed by its plan."""
    closed = inlined(closed)
    grouping = Grouping(closed.jaxpr)
    space, atoms = grouping.recognised.space, grouping.recognised.atoms
    env: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    env |= dict(zip(closed.jaxpr.invars, arrays, strict=True))

    def read(atom: Any) -> Any:
        return jnp.asarray(atom.val) if isinstance(atom, Literal) else env[atom]

    executions: dict[Var, Execution] = {}
    for group in grouping.groups:
        execution = Execution(space, group.plan, lambda name: read(atoms[name]), group.precision)
        executions |= dict.fromkeys(group.goals, execution)
    for eqn in closed.jaxpr.eqns:
        if executions.keys() & {*eqn.outvars}:
            (goal,) = eqn.outvars
            env[goal] = _with_strong_dtype(executions[goal].value(*grouping.parts[goal]))
        elif id(eqn) in grouping.rest:
            operands = [a.val if isinstance(a, Literal) else env[a] for a in eqn.invars]
            env |= zip(eqn.outvars, bind(eqn, operands), strict=True)
    return [read(atom) for atom in closed.jaxpr.outvars]


def bind(eqn: JaxprEqn, operands: list[Any]) -> list[Any]:
    """The results of an operation outside of plans.

    Inverses, traces and products of small arrays are computed by functions of our own; a jitted function is planned
    inside if that gains something; all else is computed as written.
    """
    if (name := known(eqn)) in REPLACEMENTS and is_plain(eqn) and keeps_sums(eqn.outvars[0].aval.dtype):
        return [_with_strong_dtype(REPLACEMENTS[name](*operands))]
    if is_small_product(eqn):
        a, b = operands
        return [small_product(a, b, eqn.params["dimension_numbers"], eqn.params["precision"])]
    if eqn.primitive.name == "jit" and _gains(inner := eqn.params["jaxpr"]):
        planned = jax.make_jaxpr(lambda *arrays: interpret(inner, arrays))(*inner.in_avals)
        eqn = eqn.replace(params=eqn.params | {"jaxpr": planned})
    return _as_written(eqn, operands)


def _with_strong_dtype(array: Any) -> Any:
    """An array whose dtype does not give way to that of others, as the dtype of a number of Python does."""
    return lax.convert_element_type(array, array.dtype)


def _as_written(eqn: JaxprEqn, operands: list[Any]) -> list[Any]:
    with eqn.ctx.manager:
        results = eqn.primitive.bind(*operands, **eqn.primitive.get_bind_params(eqn.params))
    return list(results) if eqn.primitive.multiple_results else [results]


def _gains(closed: ClosedJaxpr) -> bool:
    """Whether there is anything to gain in a program."""
    jaxpr = inlined(closed).jaxpr
    inner = (eqn.params["jaxpr"] for eqn in jaxpr.eqns if is_jitted(eqn))
    return any(map(is_small_product, jaxpr.eqns)) or bool(Grouping(jaxpr).groups) or any(map(_gains, inner))


def inlined(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same program with jitted functions of nothing but sums of products written out, as a power of a matrix is."""
    chosen = {id(eqn) for eqn in closed.jaxpr.eqns if _is_of_sums(eqn)}
    if not chosen:
        return closed

    def run(closed: ClosedJaxpr, arrays: Sequence[Any], is_inlined: Callable[[JaxprEqn], bool]) -> list[Any]:
        env: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        env |= dict(zip(closed.jaxpr.invars, arrays, strict=True))
        for eqn in closed.jaxpr.eqns:
            operands = [a.val if isinstance(a, Literal) else env[a] for a in eqn.invars]
            # A jitted function inside of one that is written out is of sums of products, too.
            results = run(eqn.params["jaxpr"], operands, is_jitted) if is_inlined(eqn) else _as_written(eqn, operands)
            env |= zip(eqn.outvars, results, strict=True)
        return [a.val if isinstance(a, Literal) else env[a] for a in closed.jaxpr.outvars]

    return jax.make_jaxpr(lambda *arrays: run(closed, arrays, lambda eqn: id(eqn) in chosen))(*closed.in_avals)


def _is_of_sums(eqn: JaxprEqn) -> bool:
    """Whether an operation is a jitted function of sums of products only, compiled in no way of its own."""
    if not is_jitted(eqn):
        return False
    inside = eqn.params["jaxpr"].jaxpr.eqns
    if not all(name_of(e) in RULES or _is_of_sums(e) for e in inside):
        return False
    (plain,) = jax.make_jaxpr(jax.jit(lambda x: x))(0.0).eqns
    own = {name: value for name, value in eqn.params.items() if name not in ("jaxpr", "name")}
    return all({*_entries(value)} <= {*_entries(plain.params[name])} for name, value in own.items())


def _entries(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
