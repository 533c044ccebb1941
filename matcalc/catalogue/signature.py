"""The arguments of an identity: their shapes by name of axis, and what is wrong with a call."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.catalogue.placement import explicit_mesh

Kind = Literal[
    "scalar by scalar",
    "scalar by vector",
    "scalar by matrix",
    "vector by scalar",
    "vector by vector",
    "vector by matrix",
    "matrix by scalar",
    "matrix by vector",
    "matrix by matrix",
    "Hessian by vector",
    "definition",
]
RANKS = ("scalar", "vector", "matrix")

# Never equal, so that a missing transpose cannot hide.
DEFAULT_SIZES: Mapping[str, int] = MappingProxyType({"l": 2, "m": 3, "n": 4, "p": 5, "q": 6})


@dataclass(frozen=True)
class Parameter:
    """One argument: its name, the names of its axes, and for an integer the axis that it indexes, if it is an index.

    An axis is a name ("m"), a number ("3"), or "*U": all the axes of U, however many. The axes of a derivative, those
    of U and then those of x, are written "*dU".
    """

    name: str
    axes: tuple[str, ...] = ()
    is_integer: bool = False
    indexes: str | None = None

    @classmethod
    def read(cls, parameter: inspect.Parameter) -> "Parameter":
        """From `Float[Array, "m n"]`, `int` (an exponent), or `Annotated[int, "m"]` (an index less than m)."""
        match parameter.annotation, get_args(parameter.annotation):
            case annotation, _ if annotation is int:
                return cls(parameter.name, is_integer=True)
            case _, (base, axis) if base is int:
                return cls(parameter.name, is_integer=True, indexes=axis)
            case annotation, _:
                return cls(parameter.name, tuple(_spelled_out(annotation.dim_str)))

    @property
    def shape_text(self) -> str:
        """For people: "m×n", "a vector of n", "a scalar"."""
        match self.axes:
            case ():
                return "a scalar"
            case (axis,) if not axis.startswith("*"):
                return f"a vector of {axis}"
            case axes:
                return "×".join(map(_readable, axes))


class Signature:
    """The parameters of a function, checked against the arguments of a call.

    Every check can be made while tracing, on shapes and dtypes alone. Errors are a TypeError or ValueError that states
    the rule, what was got, and the remedy.
    """

    def __init__(self, function: Callable[..., Any], sizes: Mapping[str, int] | None = None) -> None:
        """`sizes` are those that axes have by default."""
        self.name = function.__name__
        self.usual = {**DEFAULT_SIZES, **(sizes or {})}
        self.python = inspect.signature(function)
        self.parameters = tuple(Parameter.read(p) for p in self.python.parameters.values())
        self.arrays = tuple(p for p in self.parameters if not p.is_integer)
        self.integers = tuple(p for p in self.parameters if p.is_integer)

    def __getitem__(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)

    # --- From sizes to shapes

    def names(self, kind: str) -> list[str]:
        """The sizes that can be chosen."""
        return [axis for axis in self.sizes(kind, {}) if axis.isidentifier()]

    def sizes(self, kind: str, given: Mapping[str, int]) -> dict[str, int]:
        """The size of every axis, by default where not given. ValueError for an unknown name or a size below 1."""
        axes = dict.fromkeys(axis for p in self.arrays for axis in _resolved(p, kind))
        names_of_sizes = dict.fromkeys(name for axis in axes for name in letters(axis))
        for name, size in given.items():
            if name not in names_of_sizes:
                names = ", ".join(names_of_sizes) or "sizes that are fixed"
                raise ValueError(f"{self.name}: there is no size {name!r} here, only {names}.")
            if isinstance(size, bool) or not hasattr(size, "__index__"):
                raise ValueError(f"{self.name}: the size {name} must be an integer, got {size!r}.")
            if size < 1:
                raise ValueError(f"{self.name}: the size {name} must be at least 1, got {size}.")
        usual = dict(self.usual)
        for name in names_of_sizes:  # a letter that no chapter uses
            usual.setdefault(name, max(usual.values()) + 1)
        chosen = {name: given.get(name, usual[name]) for name in names_of_sizes}
        return chosen | {axis: length(axis, chosen) for axis in axes}

    def shapes(self, kind: str, given: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """The shape of every array argument; axes `*U` are those of the value of `kind`, `*x` those of its variable."""
        sizes = self.sizes(kind, given)
        return {p.name: tuple(sizes[axis] for axis in _resolved(p, kind)) for p in self.arrays}

    # --- From arguments to values

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, checked; numbers of Python become arrays of the dtype of the others."""
        try:
            given = self.python.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}; it takes ({', '.join(self.python.parameters)}).") from None
        dtype = self._dtype(given)
        explicit_mesh(self.name, given)  # before JAX finds several meshes
        values = {p.name: jnp.asarray(given[p.name], dtype) for p in self.arrays}
        sizes = self.measure(values)
        return values | {p.name: self._integer(p, given[p.name], sizes) for p in self.integers}

    def _dtype(self, given: Mapping[str, Any]) -> Any:
        """The one dtype of all array arguments."""
        dtypes: dict[str, Any] = {}
        for p in self.arrays:
            value = given[p.name]
            weak = getattr(value, "weak_type", False) and not jnp.iscomplexobj(value)
            if not p.axes and (weak or type(value) in (int, float)):
                continue  # a number of Python takes the dtype of the others
            if not isinstance(value, (jax.Array, np.ndarray, np.generic)):
                what = type(value).__name__
                raise TypeError(
                    f"{self.name}: {p.name} must be an array ({p.shape_text}), got {what}. Use jnp.asarray."
                )
            if isinstance(value, np.ma.MaskedArray):
                raise TypeError(
                    f"{self.name}: {p.name} must be a plain array, got a masked one, whose mask would be lost. "
                    "Fill it, for example by .filled(0)."
                )
            if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.isnative:
                raise TypeError(
                    f"{self.name}: {p.name} must be in the byte order of this machine, got {value.dtype.str}. "
                    "Convert it, for example by .astype(np.float32)."
                )
            if not jnp.issubdtype(value.dtype, jnp.floating):
                raise TypeError(
                    f"{self.name}: {p.name} must have a real floating dtype, got {value.dtype}. "
                    "Convert it, for example by .astype(jnp.float32)."
                )
            dtypes[p.name] = jax.dtypes.canonicalize_dtype(value.dtype)
        if len(set(dtypes.values())) > 1:
            listed = ", ".join(f"{name} is {dtype}" for name, dtype in dtypes.items())
            raise TypeError(f"{self.name}: all arguments must have one dtype, but {listed}. Convert by .astype.")
        return next(iter(dtypes.values()), jnp.result_type(float))

    def measure(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The size of every axis, read off the shapes: a number, or a shape for "*U"."""
        sizes: dict[str, Any] = {}
        fixed_by: dict[str, str] = {}
        for p in sorted(self.arrays, key=lambda p: any(map(is_compound, p.axes))):  # m and n come before m*n
            shape = np.shape(values[p.name])
            if 0 in shape:
                raise ValueError(f"{self.name}: {p.name} has shape {shape}; every size must be at least 1.")
            for axis, size in list(self._matched(p, shape, sizes)):  # how many axes there are comes before their sizes
                if sizes.setdefault(axis, size) != size:
                    if axis.isdigit():
                        reason = f", where {axis} is due"
                    elif axis not in fixed_by:
                        reason = f", but {axis}={sizes[axis]} follows from the others"
                    elif fixed_by[axis] == p.name:
                        reason = f", where both {axis} must agree"
                    else:
                        reason = f", but {_readable(axis)}={sizes[axis]} was fixed by {fixed_by[axis]}"
                    raise self._shape_error(p, shape, reason)
                fixed_by.setdefault(axis, p.name)
        return sizes

    def _matched(self, p: Parameter, shape: tuple[int, ...], sizes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """The axes of one parameter with the sizes they meet in `shape`."""
        rest = list(shape)
        for position, axis in enumerate(p.axes):
            if axis.startswith("*"):
                following = len(p.axes) - position - 1
                count = len(sizes[axis]) if axis in sizes else max(len(rest) - following, 0)
                yield axis, tuple(rest[:count])
                rest = rest[count:]
            elif not rest:
                raise self._shape_error(p, shape)
            else:
                unknown = [name for name in letters(axis) if name not in sizes]
                if is_compound(axis) and len(unknown) == 1:  # n of m*n, and of m+n
                    base, slope = (length(axis, {**sizes, unknown[0]: size}) for size in (0, 1))
                    if slope > base:
                        sizes[unknown[0]] = (rest[0] - base) // (slope - base)
                if set(letters(axis)) <= sizes.keys():
                    sizes[axis] = length(axis, sizes)
                yield axis, rest.pop(0)
        if rest:
            raise self._shape_error(p, shape)

    def _shape_error(self, p: Parameter, shape: tuple[int, ...], reason: str = "") -> ValueError:
        return ValueError(
            f"{self.name}: {p.name} must be {p.shape_text}, got shape {shape}{reason}. "
            "(Identities are unbatched; use jax.vmap.)"
        )

    def _integer(self, p: Parameter, value: Any, sizes: Mapping[str, Any]) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            what = "jax.Array" if isinstance(value, jax.Array) else type(value).__name__
            raise TypeError(
                f"{self.name}: {p.name} must be an integer of Python, known while tracing, got {what}. "
                "(Under jax.jit, name it in static_argnames.)"
            )
        if p.indexes is None and value < 1:
            raise ValueError(f"{self.name}: {p.name} must be at least 1, got {value}.")
        if p.indexes is not None and not 0 <= value < sizes[p.indexes]:
            raise ValueError(
                f"{self.name}: the index {p.name} must be from 0 to {sizes[p.indexes] - 1} "
                f"({p.indexes}={sizes[p.indexes]}), got {value}."
            )
        return int(value)


def letters(axis: str) -> list[str]:
    """The names in an axis: m and n in m*n, none in 3."""
    return re.findall(r"[^\W\d]\w*", axis) if not axis.startswith("*") else [axis]


def is_compound(axis: str) -> bool:
    """Whether an axis is an expression in others: m*n, m+n or n*(n+1)//2."""
    return not (axis.isidentifier() or axis.isdigit() or axis.startswith("*"))


def length(axis: str, sizes: Mapping[str, Any]) -> int:
    """The size of an axis by those of the names in it."""

    def value(node: ast.expr) -> int:
        match node:
            case ast.Constant(int() as number):
                return number
            case ast.Name(name):
                return sizes[name]
            case ast.BinOp(left, ast.Add(), right):
                return value(left) + value(right)
            case ast.BinOp(left, ast.Mult(), right):
                return value(left) * value(right)
            case ast.BinOp(left, ast.FloorDiv(), right):
                return value(left) // value(right)
            case _:
                raise ValueError(f"An axis is a name, a number, or made of them by +, * and //; got {axis!r}.")

    return sizes[axis] if axis in sizes else value(ast.parse(axis, mode="eval").body)


def _readable(axis: str) -> str:
    return f"(axes of {axis[1:]})" if axis.startswith("*") else axis


def _spelled_out(axes: str) -> Iterator[str]:
    for axis in axes.split():
        yield from ("*" + axis[2:], "*x") if axis.startswith("*d") else (axis,)


def _resolved(p: Parameter, kind: str) -> Iterator[str]:
    """The axes of a parameter with any `*U` and `*x` replaced by those that `kind` says."""
    value, _, variable = kind.partition(" by ")
    of_value = {"vector": ("l",), "matrix": ("l", "p")}.get(value, ())
    of_variable = {"vector": ("n",), "matrix": ("m", "n")}.get(variable, ())
    for axis in p.axes:
        if axis.startswith("*"):
            yield from of_variable if axis == "*x" else of_value
        else:
            yield axis
