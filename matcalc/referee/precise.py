"""Programs of JAX in ball arithmetic: what they would give if nothing were rounded, with proven bounds.

Floating numbers become balls; integers and booleans stay what they are. A program is followed operation by operation,
as far as its operations are known here, its comparisons can be decided, and the work is small.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from matcalc.referee.ball_factors import FACTORS, batched
from matcalc.referee.ball_numbers import Array, Budget, Unknown, ball, balls, mapped

REPEATS = 10_000  # of a loop


def evaluate(program: Any, arguments: Sequence[Array], budget: Budget) -> list[Array]:
    """What a traced program gives for these arguments, in the `digits` in force, as arrays of balls.

    Unknown where an operation is not known here, a comparison cannot be decided, or it takes too much work.
    """
    try:
        return _Balls(budget).run(program.jaxpr, program.consts, [balls(a) for a in arguments])
    except Unknown:
        raise
    except Exception as error:  # an operation of a form that is not known here
        raise Unknown(f"{type(error).__name__}: {error}") from None


def _is_less(a: Any, b: Any) -> bool:
    if a < b:
        return True
    if a >= b:
        return False
    raise Unknown("a comparison cannot be decided")


def _is_equal(a: Any, b: Any) -> bool:
    if (a - b).is_zero():
        return True
    if not (a - b).contains(0):
        return False
    raise Unknown("a comparison cannot be decided")


def _sorted(row: Array) -> Array:
    order = functools.cmp_to_key(lambda a, b: -1 if _is_less(a, b) else 0 if _is_equal(a, b) else 1)
    result = np.empty(len(row), object)
    result[:] = sorted(row.tolist(), key=order)
    return result


def _truncated(x: Any) -> int:
    whole = (x.floor() if not _is_less(x, ball(0)) else -(-x).floor()).unique_fmpz()
    if whole is None:
        raise Unknown("a rounding cannot be decided")
    return int(whole)


def _sign(x: Any) -> Any:
    return ball(0) if _is_equal(x, ball(0)) else ball(-1 if _is_less(x, ball(0)) else 1)


def _power(x: Any, y: Any) -> Any:
    whole = y.unique_fmpz() if hasattr(y, "is_exact") and y.is_exact() else None
    return x ** (y if whole is None else int(whole))


# Elementwise functions by the names of JAX's primitives.
_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **{name: operator.methodcaller(name) for name in ("exp", "expm1", "log1p", "sin", "cos", "tan", "sqrt", "rsqrt")},
    **{name: operator.methodcaller(name) for name in ("asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh")},
    **{name: operator.methodcaller(name) for name in ("acosh", "atanh", "erf", "erfc", "lgamma", "digamma", "floor")},
    "log": lambda x: x.log(),
    "erf_inv": lambda x: x.erfinv(),
    "ceil": lambda x: x.ceil(),
    "exp2": lambda x: ball(2) ** x,
    "cbrt": lambda x: _sign(x) * abs(x).root(3),
    "logistic": lambda x: 1 / (1 + (-x).exp()),
    "neg": operator.neg,
    "abs": abs,
    "sign": _sign,
    "square": lambda x: x * x,
    "add": operator.add,
    "add_any": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "max": lambda x, y: y if _is_less(x, y) else x,
    "min": lambda x, y: x if _is_less(x, y) else y,
    "pow": _power,
    "atan2": lambda y, x: import_module("flint").arb.atan2(y, x),
    "clamp": lambda low, x, high: low if _is_less(x, low) else high if _is_less(high, x) else x,
    "copy": lambda x: x,
    "copy_p": lambda x: x,
    "stop_gradient": lambda x: x,
    "reduce_precision": lambda x: x,
    "optimization_barrier": lambda x: x,
}
_COMPARED: dict[str, Callable[..., bool]] = {
    "lt": _is_less,
    "gt": lambda a, b: _is_less(b, a),
    "le": lambda a, b: not _is_less(b, a),
    "ge": lambda a, b: not _is_less(a, b),
    "eq": _is_equal,
    "ne": lambda a, b: not _is_equal(a, b),
    "is_finite": lambda a: a.is_finite(),
    "lt_to": _is_less,
    "le_to": lambda a, b: not _is_less(b, a),
}
# What only moves entries about: where each goes is asked of JAX, with the places of entries in their stead.
_MOVED = {"reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "slice", "rev", "concatenate", "pad"}
_MOVED |= {"gather", "dynamic_slice", "dynamic_update_slice", "split", "tile"}
_REDUCED: dict[str, Callable[[Any, Any], Any]] = {
    "reduce_sum": operator.add,
    "reduce_prod": operator.mul,
    "reduce_max": _ELEMENTWISE["max"],
    "reduce_min": _ELEMENTWISE["min"],
}
_CALLED = ("jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint", "custom_lin")
_CALLED += ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")


class _Balls:
    """A program under way, and how much it may still do."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def run(self, jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Array]) -> list[Array]:
        values: dict[Any, Array] = {v: balls(c) for v, c in zip(jaxpr.constvars, consts, strict=True)}
        values |= zip(jaxpr.invars, arguments, strict=True)

        def read(variable: Any) -> Array:
            return balls(variable.val) if hasattr(variable, "val") else values[variable]

        for equation in jaxpr.eqns:
            operands = [read(v) for v in equation.invars]
            values |= zip(equation.outvars, self.operation(equation, operands), strict=True)
        return [read(v) for v in jaxpr.outvars]

    def closed(self, program: Any, arguments: Sequence[Array]) -> list[Array]:
        return self.run(getattr(program, "jaxpr", program), getattr(program, "consts", ()), arguments)

    def operation(self, equation: Any, operands: list[Array]) -> list[Array]:
        name, params = equation.primitive.name, equation.params
        self.budget.take(sum(int(np.prod(v.aval.shape)) for v in equation.outvars if hasattr(v.aval, "shape")))
        if name in _CALLED:
            return self.closed(params.get("jaxpr") or params.get("call_jaxpr") or params["fun_jaxpr"], operands)
        if name == "scan":
            outside, inside = equation.outvars, params["jaxpr"].jaxpr.outvars
            stacked = sum(len(a.aval.shape) > len(b.aval.shape) for a, b in zip(outside, inside, strict=True))
            return self._scan(params, operands, stacked)
        if name in ("cond", "while"):
            return getattr(self, f"_{name}")(params, operands)
        if not any(a.dtype == object for a in operands):  # of whole numbers, which JAX computes exactly
            results = equation.primitive.bind(*operands, **params)
            results = results if equation.primitive.multiple_results else [results]
            return [balls(r) for r in results]
        if name in _MOVED:
            return _moved(equation, operands)
        if name in _ELEMENTWISE:
            return [mapped(_ELEMENTWISE[name], *operands)]
        if name in _COMPARED:
            return [mapped(_COMPARED[name], *operands).astype(bool)]
        if name in _REDUCED:
            return [_reduced(_REDUCED[name], operands[0], params["axes"], name)]
        if name == "integer_pow":
            return [mapped(lambda x: x ** params["y"], operands[0])]
        if name == "select_n":
            which, *cases = operands
            shape = cases[0].shape
            return [mapped(lambda k, *of: of[int(k)], np.broadcast_to(which, shape), *cases)]
        if name == "convert_element_type":
            if jnp.issubdtype(params["new_dtype"], jnp.floating):
                return [operands[0]]
            return [mapped(_truncated, operands[0]).astype(params["new_dtype"])]
        if name in ("cumsum", "cumprod"):
            axis, turned = params["axis"], (lambda a: np.flip(a, params["axis"])) if params["reverse"] else np.asarray
            accumulate = np.add.accumulate if name == "cumsum" else np.multiply.accumulate
            return [turned(accumulate(turned(operands[0]), axis=axis, dtype=object))]
        if name == "custom_linear_solve":
            of = params["const_lengths"]
            start, stop = of.matvec + of.vecmat, of.matvec + of.vecmat + of.solve
            return self.closed(params["jaxprs"].solve, operands[start:stop] + operands[sum(of) :])
        if name in ("scatter-add", "scatter"):
            return [_scattered(params, *operands, is_sum=name == "scatter-add")]
        if name == "sort" and len(operands) == 1:
            return [np.apply_along_axis(_sorted, params["dimension"], operands[0])]
        if name == "dot_general":
            return [self._product(params["dimension_numbers"], *operands)]
        if name in ("cholesky", "triangular_solve", "lu"):
            return batched(functools.partial(FACTORS[name], params), operands, equation.outvars)
        raise Unknown(f"{name} is not known in ball arithmetic")

    def _cond(self, params: Any, operands: list[Array]) -> list[Array]:
        which, *rest = operands
        branches = params["branches"]
        return self.closed(branches[min(max(int(which), 0), len(branches) - 1)], rest)

    def _while(self, params: Any, operands: list[Array]) -> list[Array]:
        a, b = params["cond_nconsts"], params["body_nconsts"]
        of_condition, of_body, carried = operands[:a], operands[a : a + b], operands[a + b :]
        for _ in range(REPEATS):
            (goes_on,) = self.closed(params["cond_jaxpr"], [*of_condition, *carried])
            if not goes_on:
                return carried
            carried = self.closed(params["body_jaxpr"], [*of_body, *carried])
        raise Unknown("a loop does not end")

    def _scan(self, params: Any, operands: list[Array], stacked: int) -> list[Array]:
        inner = params["jaxpr"].jaxpr
        # Whatever the version of JAX calls their numbers: what is stacked has an axis more outside than inside.
        given_count = sum(np.ndim(a) > len(v.aval.shape) for a, v in zip(operands, inner.invars, strict=True))
        k = len(inner.outvars) - stacked
        c = len(operands) - given_count - k
        consts, carried, given = operands[:c], operands[c : c + k], operands[c + k :]
        steps = range(params["length"])
        rows: list[list[Array]] = []
        for i in reversed(steps) if params["reverse"] else steps:
            results = self.closed(params["jaxpr"], [*consts, *carried, *(np.asarray(a[i]) for a in given)])
            carried = results[:k]
            rows.append(results[k:])
        if not rows:
            raise Unknown("a loop of no steps")
        rows = rows[::-1] if params["reverse"] else rows
        return [*carried, *(np.stack(column) for column in zip(*rows, strict=True))]

    def _product(self, dimensions: Any, a: Array, b: Array) -> Array:
        ((sum_a, sum_b), (batch_a, batch_b)) = dimensions
        free_a = [k for k in range(a.ndim) if k not in (*sum_a, *batch_a)]
        free_b = [k for k in range(b.ndim) if k not in (*sum_b, *batch_b)]
        left, right = a.transpose(*batch_a, *free_a, *sum_a), b.transpose(*batch_b, *sum_b, *free_b)
        batch = tuple(a.shape[k] for k in batch_a)
        rows, columns = tuple(a.shape[k] for k in free_a), tuple(b.shape[k] for k in free_b)
        size = int(np.prod([a.shape[k] for k in sum_a]))
        left = left.reshape(*batch, int(np.prod(rows)), size)
        right = right.reshape(*batch, size, int(np.prod(columns)))
        self.budget.take(left.size * right.shape[-1])
        if not size:
            return mapped(ball, np.zeros(batch + rows + columns))
        return (left.astype(object) @ right.astype(object)).reshape(batch + rows + columns)


def _moved(equation: Any, operands: list[Array]) -> list[Array]:
    flat = [a.ravel() for a in operands if a.dtype == object]
    ends = iter(np.cumsum([0, *(len(a) for a in flat)]).tolist())
    places = [next(ends) + np.arange(a.size).reshape(a.shape) if a.dtype == object else a for a in operands]
    params = dict(equation.params)
    if equation.primitive.name == "gather":
        params["fill_value"] = -1
    found = equation.primitive.bind(*map(jnp.asarray, places), **params)
    entries = np.concatenate([*flat, np.array([ball("nan")], object)])  # which the place -1 is of
    results = found if equation.primitive.multiple_results else [found]
    return [entries[np.asarray(r)] if np.ndim(r) else np.array(entries[int(r)], object) for r in results]


def _scattered(params: Any, target: Array, indices: Array, updates: Array, is_sum: bool) -> Array:
    """Each update added where it goes, or put there, which JAX is asked for with one of them at a time."""
    options = {k: params[k] for k in ("indices_are_sorted", "unique_indices", "mode")}
    result = target.astype(object).ravel()
    for place, update in enumerate(updates.ravel()):
        one = jnp.zeros(updates.size, int).at[place].set(1).reshape(updates.shape)
        there = lax.scatter_add(jnp.zeros(target.shape, int), indices, one, params["dimension_numbers"], **options)
        for k in np.flatnonzero(there):
            result[k] = result[k] + update if is_sum else update
    return result.reshape(target.shape)


def _reduced(combine: Callable[[Any, Any], Any], a: Array, axes: Sequence[int], name: str) -> Array:
    kept = [k for k in range(a.ndim) if k not in axes]
    rows = a.transpose(*kept, *axes).reshape(*(a.shape[k] for k in kept), -1)
    if not rows.shape[-1]:
        if name not in ("reduce_sum", "reduce_prod"):
            raise Unknown("the largest of no numbers")
        return mapped(ball, np.full(rows.shape[:-1], float(name == "reduce_prod")))
    result = np.empty(rows.shape[:-1], object)
    for place in np.ndindex(result.shape):
        result[place] = functools.reduce(combine, rows[place])
    return result
