"""What `@identity`, `@rule` and `@definition` declare: a formula with its derivative, as functions of named arguments.

A chapter declares each formula as one function that returns a pair, the value and its derivative in JAX's layout.
Shapes stand once, in the signature; conditions once, in `where`; the printed formulas are strings in the language of
`matcalc.formula`, which `verify` evaluates too.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from matcalc.catalogue.placement import Labels, Spec, by_name, with_automatic_axes
from matcalc.catalogue.signature import RANKS, Kind, Signature, letters
from matcalc.domains import Domain
from matcalc.layout import Layout, from_layout, layout_shape, placed_in_layout
from matcalc.linalg import autodiff, with_derivative

if TYPE_CHECKING:
    from matcalc.formula import Formula

Covers = str | Mapping[Kind, str]
Printed = Literal["jax", "vec"]  # vec where JAX's has more axes than a formula
Gives = Literal["value", "derivative", "both"]
Arguments = dict[str, Any]  # by name


class Declaration:
    """A function of named arguments, and its derivative by `wrt` in closed form.

    `order` is that of the derivative: 1, 2 for a Hessian, and 0 for a definition, whose "derivative" is the other side
    of the equality. Products of matrices are planned where it says so, and stand as in the chapter elsewhere.
    """

    is_rule = False

    def __init__(
        self,
        body: Callable[..., tuple[Any, Any]],
        formula: str,
        derivative: str,
        *,
        source: str,
        covers: Covers,
        references: str = "",
        wrt: str = "X",
        where: Mapping[str, Domain] | None = None,
        order: Literal[0, 1, 2] = 1,
        printed: Printed = "jax",
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """`printed` is the layout of the printed derivative, and `sizes` are those at which points are drawn."""
        self.body = body
        self.name: str = body.__name__
        self.formulas = tuple(formula.split(" = "))
        self.derivative_formulas = tuple(derivative.split(" = "))
        self.source, self.wrt, self.order = source, wrt, order
        self.printed: Printed = printed
        self.references = tuple(filter(None, (reference.strip() for reference in references.split(";"))))
        self.where: Mapping[str, Domain] = MappingProxyType(dict(where or {}))
        self.signature = Signature(body, sizes)
        self._covers = covers

    # --- Facts

    @functools.cached_property
    def covers(self) -> Mapping[Kind, tuple[str, ...]]:
        """Which rows of the notes it covers, under what is differentiated by what ("scalar by matrix")."""
        covers: Mapping[Kind, str]
        covers = {self._kind(): self._covers} if isinstance(self._covers, str) else self._covers
        return MappingProxyType({kind: tuple(ids.split()) for kind, ids in covers.items()})

    def _kind(self) -> Kind:
        of = "Hessian" if self.order == 2 else RANKS[len(self.value_labels)]
        kind: Any = f"{of} by {RANKS[len(self.signature[self.wrt].axes)]}"
        return kind

    @functools.cached_property
    def value_labels(self) -> tuple[int | str, ...]:
        """The axes of the value as sizes of the language, inferred from the formula."""
        from matcalc.formula import FormulaError, infer  # lark need not be loaded before a formula is read

        shapes = {p.name: tuple(map(_as_size, p.axes)) for p in self.signature.parameters}
        try:
            return infer(self.parsed(self.formulas[0]), shapes)
        except FormulaError as error:
            raise ValueError(f"The declaration of {self.name} does not fit its arguments: {error}") from None

    def chosen(self, kind: Kind | None) -> Kind:
        """A kind of `covers`, by default the first. ValueError for another."""
        if kind is not None and kind not in self.covers:
            raise ValueError(f"{self.name}: the kinds here are {', '.join(self.covers)}; got {kind!r}.")
        return kind or next(iter(self.covers))

    @property
    def condition(self) -> str:
        """Where the formula is true, in words; empty where it always is."""
        return ", ".join(f"{expression} {domain.text}" for expression, domain in self.where.items())

    # --- Arguments

    def bound(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """The arguments by name. TypeError and ValueError for dtypes and shapes that do not fit."""
        arguments = self.signature.bind(args, kwargs)
        self.check_shapes({p.name: arguments[p.name].shape for p in self.signature.arrays})
        return arguments

    def check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """ValueError where the domain of an argument has nothing of its shape."""
        for name, domain in self.where.items():
            if name in shapes and not domain.has_shape(shape := shapes[name]):
                raise ValueError(
                    f"{self.name}: {name} must be {domain.text}, and nothing of shape {shape} is. Choose others."
                )

    def outside(self, arguments: Arguments) -> str | None:
        """Why these values lie outside the domain of the formula, in one sentence; None if they lie inside."""
        values = arguments | {p.name: np.asarray(arguments[p.name]) for p in self.signature.arrays}
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
        arguments: Mapping[str, Any],
        shape: tuple[int, ...] | None = None,
        by: Callable[..., Any] | None = None,
    ) -> Any:
        """A printed expression in the arguments, such as "X + A", at their values: by NumPy or another evaluator."""
        if expression in arguments:
            return arguments[expression]
        from matcalc.formula import evaluate

        sizes = {axis: size for axis, size in self.signature.measure(arguments).items() if isinstance(size, int)}
        return (by or evaluate)(self.parsed(expression), arguments, sizes=sizes, shape=shape)

    def evaluate_derivative(
        self,
        expression: str,
        arguments: Mapping[str, Any],
        shape: tuple[int, ...],
        by: Callable[..., Any] | None = None,
    ) -> Any:
        """A printed derivative at values, in JAX's layout, in which it has this shape."""
        if self.printed == "jax":
            return self.evaluate(expression, arguments, shape, by)
        count = len(shape) - np.ndim(self.origin(dict(arguments)))
        value, variable = shape[:count], shape[count:]
        stacked = self.evaluate(expression, arguments, layout_shape(value, variable, "vec"), by)
        return from_layout(stacked, value, variable, "vec")

    def parsed(self, expression: str) -> "Formula":
        """A printed expression as a formula, in which S_W is an argument if there is one, and K_mn is a constant."""
        from matcalc.formula import parse
        from matcalc.formula.meaning import settle

        if self.is_rule:
            return parse(expression)
        names = [p.name for p in self.signature.parameters]
        sizes = {name for p in self.signature.arrays for axis in p.axes for name in letters(axis)}
        read = parse(expression, [name for name in names if len(name) > 1])
        return settle(read, names, sizes - {*names}, [p.name for p in self.signature.integers])[0]

    @property
    def variable(self) -> str:
        """What moves: `wrt`, or the first argument of a definition, which has no derivative."""
        return self.wrt or self.signature.arrays[0].name

    @property
    def placed_as(self) -> str:
        """The argument whose last axes are those of the variable."""
        return self.variable

    def origin(self, arguments: Arguments) -> Any:
        """The value of the variable: the point where the derivative is taken."""
        return arguments[self.variable]

    def moved(self, arguments: Arguments, x: Any) -> Arguments:
        """The arguments with the variable at `x`, of NumPy or JAX."""
        return arguments | {self.variable: x}

    # --- Functions of the arguments

    def value_of(self, arguments: Arguments) -> Any:
        """The plain value: what JAX differentiates by its own rules."""
        return self.body(**arguments)[0]

    def derivative_of(self, arguments: Arguments) -> Any:
        """The closed form in JAX's layout, its products in the cheapest order."""
        return planned(lambda arguments: self.body(**arguments)[1])(arguments)

    def both_of(self, arguments: Arguments) -> tuple[Any, Any]:
        """Value and closed form, planned together."""
        return planned(lambda arguments: self.body(**arguments))(arguments)

    def autodiff_of(self, arguments: Arguments) -> Any:
        """The derivative by JAX's own rules, in JAX's layout."""
        return autodiff(lambda x: self.value_of(self.moved(arguments, x)), self.order)(self.origin(arguments))

    def value_axes(self, value_ndim: int) -> int:
        """How many axes of the derivative are those of what is differentiated last: for a Hessian, the gradient."""
        return value_ndim + len(self.signature[self.wrt].axes) if self.order == 2 else value_ndim

    def differentiable(self, arguments: Arguments) -> Any:
        """The value, differentiated by the closed form with respect to `wrt`, and by JAX's rules by the others."""
        plain = planned(self.value_of)
        if self.order == 0:
            return plain(arguments)
        names = [p.name for p in self.signature.arrays]
        argnum = names.index(self.wrt)

        def value(*arrays: Any) -> Any:
            return plain(arguments | dict(zip(names, arrays, strict=True)))

        def both(*arrays: Any) -> Any:
            return self.both_of(arguments | dict(zip(names, arrays, strict=True)))

        if self.order == 2:
            gradient = jax.grad(value, argnum)
            of_gradient = with_derivative(gradient, lambda *a: (gradient(*a), both(*a)[1]), argnum)
            return with_derivative(value, lambda *a: (value(*a), of_gradient(*a)), argnum)(*map(arguments.get, names))
        return with_derivative(value, both, argnum)(*map(arguments.get, names))

    def jit(self, function: Callable[[Arguments], Any], gives: Gives, layout: Layout = "jax") -> Callable[..., Any]:
        """A function of arguments by name, jitted, with the signature of the body and a check of its arguments.

        What it gives is placed on a mesh with explicit axes: a derivative, in this layout, as its variable is.
        """

        @functools.wraps(self.body)
        def checked(*args: Any, **kwargs: Any) -> Any:
            arguments = self.bound(args, kwargs)
            places = functools.partial(self._places, arguments, gives, layout)
            return with_automatic_axes(function, arguments, places, self.name)

        return jax.jit(checked, static_argnames=[p.name for p in self.signature.integers])

    def _places(self, arguments: Arguments, gives: Gives, layout: Layout, specs: Mapping[str, Spec]) -> Any:
        """Where the value, the derivative or both are placed: axes of the variable as they are, the others by name."""
        sizes = self.signature.measure(arguments)

        def labels(axes: Iterable[int | str]) -> Labels:
            """A name for each axis; of " U", all axes of U, as many as it has here."""
            counts = [(a, len(sizes[f"*{a[1:]}"]) if isinstance(a, str) and a[:1] == " " else 1) for a in axes]
            return tuple((a, k) for a, count in counts for k in range(count))

        names = {p.name: labels(map(_as_size, p.axes)) for p in self.signature.arrays}
        known = [(names[name], specs[name]) for name in names]
        value = labels(self.value_labels)
        of_value = PartitionSpec(*by_name(value, known))
        if gives == "value" or self.order == 0:
            return (of_value, of_value) if gives == "both" else of_value
        axes = np.ndim(self.origin(arguments))
        variable = specs[self.placed_as][len(specs[self.placed_as]) - axes :]
        before = value + names[self.wrt] if self.order == 2 else value
        placed = (*by_name(before, known, variable), *variable)
        of_derivative = PartitionSpec(*placed_in_layout(placed, len(before), layout))
        return (of_value, of_derivative) if gives == "both" else of_derivative


class RuleDeclaration(Declaration):
    """A rule for functions of a variable x: from U, ∂U, V, ∂V to the derivative of a compound such as U V.

    `moves` says which argument is the derivative of which, by default dU of U; with `through="u"` the other functions
    are functions of u, and u one of x.
    """

    is_rule = True

    def __init__(
        self,
        body: Callable[..., tuple[Any, Any]],
        formula: str,
        derivative: str,
        *,
        source: str,
        covers: Covers,
        references: str = "",
        where: Mapping[str, Domain] | None = None,
        moves: Mapping[str, str] | None = None,
        through: str | None = None,
    ) -> None:
        super().__init__(
            body, formula, derivative, source=source, covers=covers, references=references, wrt="x", where=where
        )
        names = [p.name for p in self.signature.arrays]
        self.moves = dict(moves or {name[1:]: name for name in names if name.startswith("d")})
        self.through = through

    @property
    def placed_as(self) -> str:
        """The argument whose last axes are those of x."""
        return self.moves[self.through] if self.through else next(iter(self.moves.values()))

    def origin(self, arguments: Arguments) -> Any:
        """x = 0, of the right shape: the axes of ∂U beyond those of U are those of x."""
        (U, dU), *_ = self.moves.items()
        axes = arguments[dU].shape[arguments[U].ndim :]
        if self.through:  # those of ∂g beyond g are those of u, and those of ∂u beyond u are those of x
            axes = arguments[self.moves[self.through]].shape[len(axes) :]
        return np.zeros(axes, arguments[dU].dtype)

    def moved(self, arguments: Arguments, x: Any, contracted: Callable[..., Any] | None = None) -> Arguments:
        """The functions at `x`, taken as U + ∂U·x, V + ∂V·x, …

        These stand for all functions with the same values and derivatives: no more enters the derivative of a compound.
        `contracted` is the `tensordot` of what the arguments are, where they are neither of NumPy nor of JAX.
        """
        tensordot: Any = contracted or (np.tensordot if isinstance(x, np.ndarray) else jnp.tensordot)

        def displacement(U: str) -> Any:
            variable = displacement(self.through) if self.through and self.through != U else x
            return tensordot(arguments[self.moves[U]], variable, axes=np.ndim(variable))

        return arguments | {U: arguments[U] + displacement(U) for U in self.moves if U in arguments}

    def evaluate(
        self,
        expression: str,
        arguments: Mapping[str, Any],
        shape: tuple[int, ...] | None = None,
        by: Callable[..., Any] | None = None,
    ) -> Any:
        """A printed expression at values; where ∂U has more axes than a matrix, entry by entry of x."""
        tensors = {dU: arguments[dU] for dU in self.moves.values() if np.ndim(arguments[dU]) > 2}
        if not tensors:
            return super().evaluate(expression, arguments, shape, by)
        from matcalc.formula import evaluate

        formula, entries = self.parsed(expression), np.ndindex(shape or ())
        at = ({**arguments, **{dU: D[(..., *entry)] for dU, D in tensors.items()}} for entry in entries)
        return np.array([(by or evaluate)(formula, each)[()] for each in at]).reshape(shape or ())

    def differentiable(self, arguments: Arguments) -> Any:
        """The derivative of the compound: what a call of the rule gives."""
        return self.derivative_of(arguments)


def _as_size(axis: str) -> int | str:
    """An axis as a size of the language: m*n is "m n"."""
    return int(axis) if axis.isdigit() else axis.replace("//", "/").replace("*", " ").replace(" (", "(")


def planned(function: Callable[[Arguments], Any]) -> Callable[[Arguments], Any]:
    """The function with its matrix products in the cheapest order."""
    from matcalc.planner import reassociate  # when something is traced, not when matcalc is imported

    return reassociate(function)
