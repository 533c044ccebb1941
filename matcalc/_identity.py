"""The machinery of the catalogue: what `@identity`, `@rule` and `@definition` make of a function of a chapter.

A chapter declares each formula as one function that returns a pair, the value and its derivative in JAX's layout.
Shapes stand once, in the signature; conditions once, in `where`; the printed formulas are strings in the language of
`matcalc.formula`, which the referee evaluates too.
"""

import functools
import math
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, cast

import jax
import jax.numpy as jnp
import numpy as np

from matcalc._autodiff import autodiff
from matcalc._domains import DEPTH, LEAST_DEPTH, Domain, general, well_conditioned
from matcalc._layout import Layout, check_layout, to_layout
from matcalc._linalg import with_derivative
from matcalc._signature import RANKS, Kind, Signature

if TYPE_CHECKING:
    from matcalc._operator import DerivativeOperator
    from matcalc.planner import Order
    from matcalc.referee import Report

P = ParamSpec("P")
Covers = str | Mapping[Kind, str]
Values = dict[str, Any]

LARGE = 2**16  # entries of an array, of which drawing another one takes long

_catalogue: dict[str, "Identity[Any]"] = {}
CATALOGUE: Mapping[str, "Identity[Any]"] = MappingProxyType(_catalogue)


class _Doc:
    """The docstring: the given text on the class; of an identity, its description, composed when it is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, identity: "Identity[Any] | None", owner: type) -> str:
        return self.text if identity is None else identity.describe()


class Identity(Generic[P]):
    __doc__: Any = _Doc(
        """A function with a closed-form derivative.

        Calling it gives the value. `jax.grad`, `jacfwd`, `jacrev` and `hessian` of it run the closed form with respect
        to `wrt`, and JAX's own rules with respect to every other argument; it can be jitted, mapped and sharded.

        Shapes and dtypes are checked when a call is traced: ValueError or TypeError says the rule, what was got and the
        remedy. Conditions on values, in `where`, are not checked by a call; `outside` checks them.
        """
    )

    def __init__(
        self,
        body: Callable[P, tuple[Any, Any]],
        formula: str,
        derivative: str,
        *,
        source: str,
        covers: Covers,
        wrt: str = "X",
        where: Mapping[str, Domain] | None = None,
        order: Literal[0, 1, 2] = 1,
    ) -> None:
        self.body: Callable[..., tuple[Any, Any]] = body
        self.formulas = tuple(formula.split(" = "))
        self.derivative_formulas = tuple(derivative.split(" = "))
        self.source, self.wrt, self.order = source, wrt, order
        self.where: Mapping[str, Domain] = MappingProxyType(dict(where or {}))
        self.signature = Signature(body)
        self._covers = covers
        self.__name__, self.__qualname__, self.__module__ = body.__name__, body.__qualname__, body.__module__
        self.__wrapped__, self.__signature__ = body, self.signature.python
        self._value = self.jit(self._differentiable)
        self._compiled: dict[tuple[str, Layout], Callable[..., Any]] = {}

    # --- What it is

    @property
    def name(self) -> str:
        """The name that it is imported by."""
        return self.__name__

    @property
    def chapter(self) -> str:
        """The module that it stands in, such as "traces"."""
        return self.__module__.rpartition(".")[2]

    @functools.cached_property
    def covers(self) -> Mapping[Kind, tuple[str, ...]]:
        """Which rows of the notes it covers, under what is differentiated by what ("scalar by matrix")."""
        covers: Mapping[Kind, str]
        covers = {self._kind(): self._covers} if isinstance(self._covers, str) else self._covers
        return MappingProxyType({kind: tuple(ids.split()) for kind, ids in covers.items()})

    def _kind(self) -> Kind:
        from matcalc.formula import infer, parse

        shapes = {p.name: p.axes for p in self.signature.parameters}
        value = infer(parse(self.formulas[0]), shapes)
        of = "Hessian" if self.order == 2 else RANKS[len(value)]
        kind: Any = f"{of} by {RANKS[len(shapes[self.wrt])]}"
        return kind

    def _chosen(self, kind: Kind | None) -> Kind:
        """A kind of `covers`, by default the first. ValueError for another."""
        if kind is not None and kind not in self.covers:
            raise ValueError(f"{self.name}: the kinds here are {', '.join(self.covers)}; got {kind!r}.")
        return kind or next(iter(self.covers))

    @property
    def condition(self) -> str:
        """Where the formula is true, in words; empty where it always is."""
        return ", ".join(f"{expression} {domain.text}" for expression, domain in self.where.items())

    def __repr__(self) -> str:
        return f"<{self.name}: {self.formulas[0]}>"

    def __get__(self, instance: object, owner: type | None = None) -> "Identity[P]":
        # An identity stays what it is as an attribute of a class; and `help()` describes what has a __get__ itself.
        return self

    def equation(self, layout: Layout = "jax", style: Literal["unicode", "ascii", "tex"] = "unicode") -> str:
        """The printed formula, ∂f/∂X = …, in the given layout and style.

        One line, or one for each of several kinds where they differ. ValueError for a layout in which it is not
        printed: a definition is printed in JAX's only.
        """
        from matcalc import _printing

        return _printing.equation(cast("Identity[Any]", self), layout, style)

    def describe(self) -> str:
        """Formula, both layouts, shapes, conditions and source, as `help()` shows them."""
        from matcalc import _printing

        return _printing.description(cast("Identity[Any]", self))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.equation(style='tex')}$"

    # --- What it computes

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> jax.Array:
        """The value."""
        return self._run(self._value, args, kwargs)

    def derivative(self, *args: Any, layout: Layout = "jax", **kwargs: Any) -> jax.Array:
        """The closed form of the derivative with respect to `wrt`, in the given layout."""
        return self._run(self._in_layout("derivative", layout), args, kwargs)

    def value_and_derivative(self, *args: Any, layout: Layout = "jax", **kwargs: Any) -> tuple[jax.Array, jax.Array]:
        """The value and the closed form of its derivative, computed together."""
        return self._run(self._in_layout("both", layout), args, kwargs)

    def autodiff(self, *args: Any, layout: Layout = "jax", **kwargs: Any) -> jax.Array:
        """The same derivative by JAX's automatic differentiation of the plain function, without the closed form."""
        return self._run(self._in_layout("autodiff", layout), args, kwargs)

    def derivative_operator(
        self, *args: Any, order: Literal[1, 2] | None = None, **kwargs: Any
    ) -> "DerivativeOperator":
        """The derivative with respect to `wrt` at a point as a linear map, with `@`, `.T` and `.dense()`.

        `order` 2 is the Hessian, the derivative of the closed form, of an identity with a scalar value; by default it
        is that of the identity. A product with it costs what its factors cost: with ∂X⁻ᵀ, two matrix products. Raises
        as a call does for wrong shapes and dtypes, ValueError for a Hessian of what is no scalar, and for a definition.
        """
        from matcalc._operator import derivative_operator

        if self.order == 0:
            raise ValueError(f"{self.name} is a definition, and has no derivative.")
        if order not in (None, 1, 2):
            raise ValueError(f"{self.name}: order is 1, the derivative, or 2, the Hessian; got {order!r}.")
        values = self._bound(args, kwargs)
        plain = _planned(self.value_of)

        def value(x: Any) -> Any:
            return plain(self.moved(values, x))

        def gradient(x: Any) -> Any:
            moved = self.moved(values, x)
            return self.derivative_of(moved) if self.order == 1 else jax.grad(value)(x)

        x = jnp.asarray(self.origin(values))
        of_order = order or self.order
        if of_order == 2 and (axes := jax.eval_shape(value, x).ndim):
            raise ValueError(f"{self.name}: order=2 is the Hessian of a scalar, and the value has {axes} axes.")
        return derivative_operator(value if of_order == 1 else gradient, x)

    def plan(self, *, dtype: Any = np.float32, kind: Kind | None = None, **sizes: int) -> "Order":
        """The order in which the closed form is evaluated at these sizes, with multiply-adds and bytes, to print.

        Beside it stand the order of the chapter and JAX's automatic derivative. `sizes` and `kind` are those of
        `sample`, and raise the same errors; TypeError for a dtype of no floating point numbers. Nothing is computed.
        """
        from matcalc.planner import Order, steps, work

        try:
            is_floating = jnp.issubdtype(dtype := np.dtype(dtype), np.floating)
        except TypeError:
            is_floating = False
        if not is_floating:
            raise TypeError(f"{self.name}: a plan is one for floating point numbers, got {dtype}.")
        kind = self._chosen(kind)
        lengths, shapes = self.signature.sizes(kind, sizes), self.signature.shapes(kind, sizes)
        self._check_shapes(shapes)
        arrays = {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape in shapes.items()}
        integers = {p.name: 2 if p.indexes is None else 0 for p in self.signature.integers}
        chosen = {name: number for name, number in (lengths | integers).items() if not name.isdigit()}
        where = "".join(f", {name}={number}" for name, number in chosen.items()).replace(",", ", at", 1)

        def program(of: Callable[[Values], Any]) -> Any:
            return jax.make_jaxpr(lambda *given: of(dict(zip(arrays, given, strict=True)) | integers))(*arrays.values())

        with jax.enable_x64(True) if dtype == np.float64 else nullcontext():
            planned = program(self.derivative_of)
            ways = {"this order": planned, "as written": program(lambda values: self.body(**values)[1])}
            if self.order:
                ways["autodiff"] = program(self.autodiff_of)
            works = {way: work(closed) for way, closed in ways.items()}
            title = f"{self.equation()}{where} in {dtype}"
            return Order(title, steps(planned, list(arrays)), works, dtype.itemsize)

    def sample(
        self, key: Any = 0, *, dtype: Any = np.float32, kind: Kind | None = None, **sizes: int
    ) -> tuple[Any, ...]:
        """Random arguments, well inside the domain of the formula.

        `key` is an integer or a JAX key; `sizes` are sizes of axes (m=3), by default l=2, m=3, n=4, p=5, q=6; `kind`
        chooses among several in `covers`. Returns NumPy arrays of `dtype`, and integers where the signature asks for
        them, in the order of the signature. ValueError for a size that the signature does not have or that is below 1,
        and where the domain has no point of these sizes.
        """
        kind = self._chosen(kind)
        shapes, lengths = self.signature.shapes(kind, sizes), self.signature.sizes(kind, sizes)
        seed = key if isinstance(key, int) else int(np.asarray(jax.random.key_data(key)).ravel()[-1])
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        # A condition on a product or a sum is met by drawing well-conditioned matrices until it is met deeply.
        compound = set(self.where) - set(shapes)
        usual = well_conditioned if compound else general
        deepest, found = LEAST_DEPTH, None
        enough = DEPTH if max(map(math.prod, shapes.values())) <= LARGE else LEAST_DEPTH
        for _ in range(20):
            values: Values = {}
            for p in self.signature.parameters:
                if p.is_integer:
                    values[p.name] = int(rng.integers(lengths[p.indexes]) if p.indexes else rng.integers(2, 6))
                else:
                    drawn = self.where.get(p.name, usual).sample(rng, shapes[p.name])
                    values[p.name] = np.asarray(drawn, dtype)
            depth = min((domain.depth(self.evaluate(text, values)) for text, domain in self.where.items()), default=1)
            if depth > deepest:
                deepest, found = depth, values
            if deepest > enough:
                break
        if found:
            return tuple(found.values())
        listed = ", ".join(f"{axis}={size}" for axis, size in lengths.items())
        raise ValueError(f"{self.name}: found no point with {self.condition} at the sizes {listed}; choose others.")

    def check(self, *args: Any, **options: Any) -> "Report":
        """The closed form checked by the referee, at these arguments or, without any, at a random point of its domain.

        `options` are those of `matcalc.check_gradient`: layout, seed, precision, platform. ValueError or TypeError for
        arguments that do not fit the signature, and for a definition, which has no derivative.
        """
        from matcalc.referee._check import check_identity

        return check_identity(cast("Identity[Any]", self), args, **options)

    def outside(self, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """Why these values lie outside the domain of the formula, in one sentence; None if they lie inside.

        It looks at values (NaN, infinity, the conditions of `where`) at the cost of a factorisation or so, and is
        therefore no part of a call. Raises as a call does for wrong shapes and dtypes.
        """
        values = self.signature.bind(args, kwargs)
        values |= {p.name: np.asarray(values[p.name]) for p in self.signature.arrays}
        for p in self.signature.arrays:
            if not np.all(np.isfinite(values[p.name])):
                what = "NaN" if np.any(np.isnan(values[p.name])) else "an infinite entry"
                return f"{p.name} contains {what}; every entry must be finite."
        for expression, domain in self.where.items():
            if not domain.contains(np.asarray(self.evaluate(expression, values))):
                return f"The formula requires {expression} {domain.text}, and here it is not."
        return None

    def evaluate(
        self,
        expression: str,
        values: Mapping[str, Any],
        shape: tuple[int, ...] | None = None,
        by: Callable[..., Any] | None = None,
    ) -> Any:
        """A printed expression in the arguments, such as "X + A", at their values: by NumPy or another evaluator."""
        if expression in values:
            return values[expression]
        from matcalc.formula import evaluate, parse

        sizes = {axis: size for axis, size in self.signature.measure(values).items() if isinstance(size, int)}
        return (by or evaluate)(parse(expression), values, sizes=sizes, shape=shape)

    # --- How

    def value_of(self, values: Values) -> Any:
        """The plain value at arguments by name: what JAX differentiates by its own rules."""
        return self.body(**values)[0]

    def derivative_of(self, values: Values) -> Any:
        """The closed form at arguments by name, in JAX's layout, its products in the cheapest order."""
        return _planned(lambda values: self.body(**values)[1])(values)

    def both_of(self, values: Values) -> tuple[Any, Any]:
        """Value and closed form at arguments by name, planned together."""
        return _planned(lambda values: self.body(**values))(values)

    @property
    def _variable(self) -> str:
        """What moves: `wrt`, or the first argument of a definition, which has no derivative."""
        return self.wrt or self.signature.arrays[0].name

    def origin(self, values: Values) -> Any:
        """The value of the variable: the point where the derivative is taken."""
        return values[self._variable]

    def moved(self, values: Values, x: Any) -> Values:
        """The arguments with the variable at `x`, of NumPy or JAX."""
        return values | {self._variable: x}

    def autodiff_of(self, values: Values) -> Any:
        """The derivative by JAX's own rules at arguments by name, in JAX's layout."""
        return autodiff(lambda x: self.value_of(self.moved(values, x)), self.order)(self.origin(values))

    def value_axes(self, value_ndim: int) -> int:
        """How many axes of the derivative are those of what is differentiated last: for a Hessian, the gradient."""
        return value_ndim + 1 if self.order == 2 else value_ndim

    def _differentiable(self, values: Values) -> Any:
        """The value, differentiated by the closed form with respect to `wrt`."""
        plain = _planned(self.value_of)
        if self.order == 0:
            return plain(values)
        names = [p.name for p in self.signature.arrays]
        argnum = names.index(self.wrt)

        def value(*arrays: Any) -> Any:
            return plain(values | dict(zip(names, arrays, strict=True)))

        def both(*arrays: Any) -> Any:
            return self.both_of(values | dict(zip(names, arrays, strict=True)))

        if self.order == 2:
            gradient = jax.grad(value, argnum)
            of_gradient = with_derivative(gradient, lambda *a: (gradient(*a), both(*a)[1]), argnum)
            return with_derivative(value, lambda *a: (value(*a), of_gradient(*a)), argnum)(*map(values.get, names))
        return with_derivative(value, both, argnum)(*map(values.get, names))

    def _in_layout(self, what: Literal["derivative", "both", "autodiff"], layout: Layout) -> Callable[..., Any]:
        check_layout(layout)
        if (what, layout) not in self._compiled:

            def arranged(derivative: Any, values: Values) -> Any:
                variable_axes = np.ndim(self.origin(values)) if self.order else 0
                return to_layout(derivative, derivative.ndim - variable_axes, layout)

            def function(values: Values) -> Any:
                if what == "both":
                    value, derivative = self.both_of(values)
                    return value, arranged(derivative, values)
                return arranged({"derivative": self.derivative_of, "autodiff": self.autodiff_of}[what](values), values)

            self._compiled[what, layout] = self.jit(function)
        return self._compiled[what, layout]

    def jit(self, function: Callable[[Values], Any]) -> Callable[..., Any]:
        """A function of arguments by name, jitted, with the signature of the body and a check of its arguments."""

        @functools.wraps(self.body)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return function(self._bound(args, kwargs))

        return jax.jit(checked, static_argnames=[p.name for p in self.signature.integers])

    def _bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Values:
        values = self.signature.bind(args, kwargs)
        self._check_shapes({p.name: values[p.name].shape for p in self.signature.arrays})
        return values

    def _check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """ValueError where the domain of an argument has nothing of its shape."""
        for name, domain in self.where.items():
            if name in shapes and not domain.has_shape(shape := shapes[name]):
                raise ValueError(
                    f"{self.name}: {name} must be {domain.text}, and nothing of shape {shape} is. Choose others."
                )

    def _run(self, compiled: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        try:
            return compiled(*args, **kwargs)
        except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
            try:
                values = self._bound(args, kwargs)  # what jit itself rejects is explained here
            except (TypeError, ValueError) as explained:
                raise explained from None
            dtype = values[self.signature.arrays[0].name].dtype
            if jnp.finfo(dtype).bits < 32:
                raise TypeError(
                    f"{self.name}: JAX's linear algebra does not take {dtype} here. Use .astype(jnp.float32)."
                ) from None
            raise error


class Rule(Identity[P]):
    __doc__: Any = _Doc(
        """A rule for functions of a variable x: from U, ∂U, V, ∂V to the derivative of a compound such as U V.

        The argument `dU` is the derivative of `U` in JAX's layout: axes of U, then those of x. Calling the rule gives
        the derivative of the compound. Shapes and dtypes are checked as for every `Identity`.
        """
    )

    def __init__(
        self,
        body: Callable[P, tuple[Any, Any]],
        formula: str,
        derivative: str,
        *,
        source: str,
        covers: Covers,
        where: Mapping[str, Domain] | None = None,
        moves: Mapping[str, str] | None = None,
        through: str | None = None,
    ) -> None:
        super().__init__(body, formula, derivative, source=source, covers=covers, wrt="x", where=where)
        names = [p.name for p in self.signature.arrays]
        self.moves = dict(moves or {name[1:]: name for name in names if name.startswith("d")})
        self.through = through

    def origin(self, values: Values) -> Any:
        """x = 0, of the right shape: the axes of ∂U beyond those of U are those of x."""
        (U, dU), *_ = self.moves.items()
        axes = values[dU].shape[values[U].ndim :]
        if self.through:  # those of ∂g beyond g are those of u, and those of ∂u beyond u are those of x
            axes = values[self.moves[self.through]].shape[len(axes) :]
        return np.zeros(axes, values[dU].dtype)

    def moved(self, values: Values, x: Any) -> Values:
        """The functions at `x`, taken as U + ∂U·x, V + ∂V·x, …

        These stand for all functions with the same values and derivatives: no more enters the derivative of a compound.
        """
        tensordot: Any = np.tensordot if isinstance(x, np.ndarray) else jnp.tensordot

        def displacement(U: str) -> Any:
            variable = displacement(self.through) if self.through and self.through != U else x
            return tensordot(values[self.moves[U]], variable, axes=np.ndim(variable))

        return values | {U: values[U] + displacement(U) for U in self.moves if U in values}

    def evaluate(
        self,
        expression: str,
        values: Mapping[str, Any],
        shape: tuple[int, ...] | None = None,
        by: Callable[..., Any] | None = None,
    ) -> Any:
        """A printed expression at values; where ∂U has more axes than a matrix, entry by entry of x."""
        tensors = {dU: values[dU] for dU in self.moves.values() if np.ndim(values[dU]) > 2}
        if not tensors:
            return super().evaluate(expression, values, shape, by)
        from matcalc.formula import evaluate, parse

        formula, entries = parse(expression), np.ndindex(shape or ())
        at = ({**values, **{dU: D[(..., *entry)] for dU, D in tensors.items()}} for entry in entries)
        return np.array([(by or evaluate)(formula, each)[()] for each in at]).reshape(shape or ())

    def _differentiable(self, values: Values) -> Any:
        return self.derivative_of(values)


def _planned(function: Callable[[Values], Any]) -> Callable[[Values], Any]:
    """The function with its matrix products in the cheapest order."""
    from matcalc.planner import reassociate  # when something is traced, not when matcalc is imported

    return reassociate(function)


def _register(entry: Any) -> Any:
    if entry.name in _catalogue:
        raise ValueError(f"two identities of the catalogue are named {entry.name}.")
    _catalogue[entry.name] = entry
    return entry


def identity(
    formula: str,
    derivative: str,
    *,
    source: str,
    covers: Covers,
    wrt: str = "X",
    where: Mapping[str, Domain] | None = None,
    order: Literal[1, 2] = 1,
) -> Callable[[Callable[P, tuple[Any, Any]]], Identity[P]]:
    """Declare an identity: the decorated function returns the value and its derivative by `wrt`, in JAX's layout.

    `formula` and `derivative` are what is printed, with equal forms joined by " = "; `covers` names the rows of the
    notes that it states (by kind, where it states several); `where` holds the conditions; `order=2` is a Hessian.
    """

    def declare(body: Callable[P, tuple[Any, Any]]) -> Identity[P]:
        return _register(
            Identity(body, formula, derivative, source=source, covers=covers, wrt=wrt, where=where, order=order)
        )

    return declare


def rule(
    formula: str,
    derivative: str,
    *,
    source: str,
    covers: Covers,
    where: Mapping[str, Domain] | None = None,
    moves: Mapping[str, str] | None = None,
    through: str | None = None,
) -> Callable[[Callable[P, tuple[Any, Any]]], Rule[P]]:
    """Declare a rule: the decorated function takes U, dU, … and returns the compound and its derivative by x.

    `moves` says which argument is the derivative of which, unless it is dU of U; `through="u"` says that the other
    functions are functions of u.
    """

    def declare(body: Callable[P, tuple[Any, Any]]) -> Rule[P]:
        return _register(
            Rule(body, formula, derivative, source=source, covers=covers, where=where, moves=moves, through=through)
        )

    return declare


def definition(
    formula: str, *, source: str, covers: str, where: Mapping[str, Domain] | None = None
) -> Callable[[Callable[P, tuple[Any, Any]]], Identity[P]]:
    """Declare an equality without a derivative: the decorated function returns both sides.

    It is an identity of order 0: its "derivative" is the value itself, as defined.
    """
    left, right = formula.split(" = ")

    def declare(body: Callable[P, tuple[Any, Any]]) -> Identity[P]:
        of: Mapping[Kind, str] = {"definition": covers}
        return _register(Identity(body, left, right, source=source, covers=of, wrt="", where=where, order=0))

    return declare
