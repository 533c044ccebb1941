"""Programs of JAX, read: how precise they are inside, and what becomes of them with one place changed."""

import itertools
import linecache
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SITES = 96  # a program with more places is not searched
_INLINED = ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call")
FLOAT32 = 4  # bytes; of more, every product is in full
HERE = (str(Path(jax.__file__).parent), str(Path(__file__).parent.parent))


def coarsest(program: Any) -> Any:
    """The dtype of the fewest bits among the floating numbers in a traced program; None if it has none."""
    found = [dtype for dtype in _dtypes(program.jaxpr) if jnp.issubdtype(dtype, jnp.floating)]
    return min(found, key=lambda dtype: -jnp.finfo(dtype).eps, default=None)


def has_loop(jaxpr: Any) -> bool:
    """Whether a program loops until a condition holds."""
    return any(e.primitive.name == "while" for e in jaxpr.eqns) or any(map(has_loop, _inner(jaxpr)))


def draws(jaxpr: Any) -> bool:
    """Whether a program draws random numbers."""
    return any(e.primitive.name.startswith(("random_", "rng_", "threefry")) for e in jaxpr.eqns) or any(
        map(draws, _inner(jaxpr))
    )


def products(jaxpr: Any) -> Iterator[Any]:
    """The operations that multiply matrices of floating numbers, to which JAX gives a precision; also those inside."""
    for equation in jaxpr.eqns:
        if "precision" in equation.params and jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.inexact):
            yield equation
    for inner in _inner(jaxpr):
        yield from products(inner)


def weak_products(jaxpr: Any) -> list[Any]:
    """Those that do not ask for `jax.lax.Precision.HIGHEST` of both operands."""
    return [equation for equation in products(jaxpr) if not is_full(equation.params["precision"])]


def multiplies_coarsely(jaxpr: Any) -> bool:
    """Whether a program multiplies matrices of float32, or of fewer bits, in less than the highest precision."""
    return any(equation.invars[0].aval.dtype.itemsize <= FLOAT32 for equation in weak_products(jaxpr))


def is_full(precision: Any) -> bool:
    """Whether a product asks for the highest precision of both operands."""
    pair = precision if isinstance(precision, tuple) else (precision, precision)
    return all(of_operand == jax.lax.Precision.HIGHEST for of_operand in pair)


def _dtypes(jaxpr: Any) -> Iterator[Any]:
    for variable in (*jaxpr.constvars, *jaxpr.invars, *(v for e in jaxpr.eqns for v in e.outvars)):
        if hasattr(variable.aval, "dtype"):
            yield variable.aval.dtype
    for inner in _inner(jaxpr):
        yield from _dtypes(inner)


def _inner(jaxpr: Any) -> Iterator[Any]:
    """The programs inside the operations of a program."""
    for equation in jaxpr.eqns:
        for parameter in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield inner


@dataclass(frozen=True)
class Site:
    """A place in a program that can be changed: a term, a square matrix in a product or a sum, two of them."""

    kind: str  # "addend", "matrix" or "product"
    operand: int
    primitive: str
    line: str  # file:line, and the text there; empty where unknown


class Edited:
    """A traced program in which addends can be scaled, square matrices in products transposed, and two exchanged.

    Called with a scale for each addend, and a number for each matrix and each product of two: 1 to change it, 0 to
    leave it. A matrix takes 2 as well, for the identity in its stead.
    """

    def __init__(self, program: Any) -> None:
        self.program = program
        self.sites: list[Site] = []
        shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in program.jaxpr.invars]
        jax.eval_shape(lambda *a: _run(program.jaxpr, program.consts, a, self._listed, _unchanged), *shapes)
        self.run = jax.jit(self._edited)

    def unchanged(self) -> Any:
        """The edit that changes nothing."""
        return np.array([float(site.kind == "addend") for site in self.sites])

    def _edited(self, edit: Any, *arguments: Any) -> list[Any]:
        edits = iter(edit)

        def change(value: Any, kind: str, *_: Any) -> Any:
            by = next(edits)
            if kind == "addend":
                return value * by.astype(value.dtype)
            if kind == "product":
                return [jnp.where(by > 0, b, a) for a, b in zip(value, reversed(value), strict=True)]
            return jnp.where(by == 2, jnp.eye(len(value), dtype=value.dtype), jnp.where(by > 0, value.T, value))

        return _run(self.program.jaxpr, self.program.consts, arguments, change, _unchanged)

    def _listed(self, value: Any, kind: str, operand: int, equation: Any, made_by: Any = None) -> Any:
        self.sites.append(Site(kind, operand, equation.primitive.name, line_of(made_by or equation)))
        return value


def intermediates(program: Any, arguments: Any) -> list[tuple[Any, str, str]]:
    """Each number and mask on the way, with the operation that gives it and the line where that stands."""
    found: list[tuple[Any, str, str]] = []

    def seen(value: Any, equation: Any) -> Any:
        if jnp.issubdtype(value.dtype, jnp.floating) or value.dtype == bool:
            found.append((np.asarray(value), equation.primitive.name, line_of(equation)))
        return value

    _run(program.jaxpr, program.consts, arguments, _unchanged, seen)
    return found


class Held:
    """A traced program with values on the way held constant, as `jax.lax.stop_gradient` does.

    `sites` are the operation that gives each value and the line where that stands. Called with a mask of those that are
    held, and the arguments.
    """

    def __init__(self, program: Any) -> None:
        self.program = program
        self.sites: list[tuple[str, str]] = []
        shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in program.jaxpr.invars]
        jax.eval_shape(lambda *a: _run(program.jaxpr, program.consts, a, _unchanged, self._listed), *shapes)

    def __call__(self, held: Any, *arguments: Any) -> list[Any]:
        """The values of the program."""
        masks = iter(held)

        def hold(value: Any, _: Any) -> Any:
            if not jnp.issubdtype(value.dtype, jnp.floating):
                return value
            return jnp.where(next(masks), jax.lax.stop_gradient(value), value)

        return _run(self.program.jaxpr, self.program.consts, arguments, _unchanged, hold)

    def _listed(self, value: Any, equation: Any) -> Any:
        if jnp.issubdtype(value.dtype, jnp.floating):
            self.sites.append((equation.primitive.name, line_of(equation)))
        return value


def _unchanged(value: Any, *_: Any) -> Any:
    return value


def _run(
    jaxpr: Any, consts: Any, arguments: Any, change: Callable[..., Any], result: Callable[[Any, Any], Any]
) -> list[Any]:
    """What a program gives: operands that can be edited pass through `change`, and every result through `result`."""
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values |= zip(jaxpr.invars, arguments, strict=True)
    made: dict[Any, Any] = {}  # by which operation each is
    for equation in jaxpr.eqns:
        operands = [v.val if hasattr(v, "val") else values[v] for v in equation.invars]
        name = equation.primitive.name
        inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
        if name in _INLINED and hasattr(inner, "consts"):
            results = _run(inner.jaxpr, inner.consts, operands, change, result)
        else:
            is_floating = jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.floating)
            if name in ("add", "sub", "add_any") and is_floating:
                # What is added up of the parts of a derivative says itself where it comes from.
                of = [_maker(made, v, equation) if name == "add_any" else equation for v in equation.invars]
                operands = [change(v, "addend", k, equation, of[k]) for k, v in enumerate(operands)]
            elif name in ("dot_general", "mul") and is_floating:
                is_square = [np.ndim(v) == 2 and np.shape(v)[0] == np.shape(v)[1] > 1 for v in operands]
                operands = [change(v, "matrix", k, equation) if is_square[k] else v for k, v in enumerate(operands)]
                if all(is_square) and name == "dot_general" and len({np.shape(v) for v in operands}) == 1:
                    operands = change(operands, "product", 0, equation)
            elif name == "reduce_sum" and is_floating and len(equation.params["axes"]) == 1:
                is_square = np.ndim(operands[0]) == 2 and len(set(np.shape(operands[0]))) == 1
                operands = [change(operands[0], "matrix", 0, equation)] if is_square else operands
            parameters = equation.primitive.get_bind_params(equation.params)
            results = equation.primitive.bind(*operands, **parameters)
            results = results if equation.primitive.multiple_results else [results]
            results = [result(value, equation) for value in results]
        values |= zip(equation.outvars, results, strict=True)
        made |= dict.fromkeys(equation.outvars, equation)
    return [v.val if hasattr(v, "val") else values[v] for v in jaxpr.outvars]


def _maker(made: dict[Any, Any], variable: Any, otherwise: Any) -> Any:
    return otherwise if hasattr(variable, "val") else made.get(variable, otherwise)


def line_of(equation: Any) -> str:
    """Where an operation stands in the user's code: the file, the line, and the expression itself."""
    traceback = equation.source_info.traceback
    for code, instruction in zip(*traceback.raw_frames(), strict=True) if traceback else ():
        if code.co_filename.startswith((*HERE, "<")):
            continue
        number, last, start, stop = next(itertools.islice(code.co_positions(), instruction // 2, None))
        line = linecache.getline(code.co_filename, number or 0)
        if number == last and start is not None and stop is not None:
            line = line.encode()[start:stop].decode(errors="replace")
        text = textwrap.shorten(line.strip(), 60)
        return f"{Path(code.co_filename).name}:{number}" + (f" `{text}`" if text else "")
    return ""
