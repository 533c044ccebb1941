"""An identity, as a user holds it: a function with a closed-form derivative."""

import functools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.catalogue.declaration import Arguments, Covers, Declaration, Printed, RuleDeclaration
from matcalc.catalogue.signature import Kind, Signature
from matcalc.domains import Domain
from matcalc.layout import Layout, check_layout, to_layout

if TYPE_CHECKING:
    from matcalc.planner import DerivativeOperator, Order
    from matcalc.referee import Report

P = ParamSpec("P")
Quantity = Literal["derivative", "both", "autodiff"]


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
        to `wrt`, and JAX's own rules with respect to every other argument; it can be jitted, mapped and sharded,
        pickled and copied.

        On a mesh with explicit axes the derivative is placed as its variable is, and the value by the names that its
        axes have in the signature. ValueError for arrays on several meshes.

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
        references: str = "",
        wrt: str = "X",
        where: Mapping[str, Domain] | None = None,
        order: Literal[0, 1, 2] = 1,
        printed: Printed = "jax",
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """As `@identity` takes them. `sizes` are those at which points are drawn, unless others are asked for."""
        self._declare(
            Declaration(
                body,
                formula,
                derivative,
                source=source,
                covers=covers,
                references=references,
                wrt=wrt,
                where=where,
                order=order,
                printed=printed,
                sizes=sizes,
            )
        )

    def _declare(self, declaration: Declaration) -> None:
        self.declaration = declaration  # what the machinery of the catalogue works on
        body: Any = declaration.body
        self.__name__, self.__qualname__, self.__module__ = body.__name__, body.__qualname__, body.__module__
        self.__wrapped__, self.__signature__ = body, declaration.signature.python
        self._value = declaration.jit(declaration.differentiable, "derivative" if declaration.is_rule else "value")
        self._compiled: dict[tuple[Quantity, Layout], Callable[..., Any]] = {}

    # --- Facts

    @property
    def name(self) -> str:
        """The name that it is imported by."""
        return self.__name__

    @property
    def chapter(self) -> str:
        """The chapter that it stands in, such as "traces"."""
        return self.__module__.rpartition(".")[2]

    @property
    def formulas(self) -> tuple[str, ...]:
        """The function as it is printed, in equal forms."""
        return self.declaration.formulas

    @property
    def derivative_formulas(self) -> tuple[str, ...]:
        """The derivative as it is printed, in equal forms, in the layout of JAX."""
        return self.declaration.derivative_formulas

    @property
    def wrt(self) -> str:
        """The argument that it is differentiated by; empty for a definition."""
        return self.declaration.wrt

    @property
    def order(self) -> int:
        """The order of the derivative: 1, 2 for a Hessian, 0 for a definition, which has none."""
        return self.declaration.order

    @property
    def where(self) -> Mapping[str, Domain]:
        """The conditions under which the formula is true, by argument or by expression."""
        return self.declaration.where

    @property
    def source(self) -> str:
        """Where it stands in the notes."""
        return self.declaration.source

    @property
    def references(self) -> tuple[str, ...]:
        """Where it stands in public: a work with the number of the equation, the table or the section."""
        return self.declaration.references

    @property
    def covers(self) -> Mapping[Kind, tuple[str, ...]]:
        """Which rows of the notes it covers, under what is differentiated by what ("scalar by matrix")."""
        return self.declaration.covers

    @property
    def signature(self) -> Signature:
        """The arguments with their shapes."""
        return self.declaration.signature

    def __repr__(self) -> str:
        return f"<{self.name}: {self.formulas[0]}>"

    def __get__(self, instance: object, owner: type | None = None) -> "Identity[P]":
        # An identity stays what it is as an attribute of a class; and `help()` describes what has a __get__ itself.
        return self

    def __reduce__(self) -> str:
        # As of a function: copies are the identity itself, and a pickle holds the name that it is found by.
        return self.__qualname__

    def equation(self, layout: Layout = "jax", style: Literal["unicode", "ascii", "tex"] = "unicode") -> str:
        """The printed formula, ∂f/∂X = …, in the given layout and style.

        One line, or one for each of several kinds where they differ. ValueError for a layout in which it is not
        printed: a definition is printed in JAX's only.
        """
        from matcalc.catalogue.printing import equation

        return equation(self.declaration, layout, style)

    def describe(self) -> str:
        """Formula, both layouts, shapes, conditions, source and references, as `help()` shows them."""
        from matcalc.catalogue.printing import description

        return description(self.declaration)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.equation(style='tex')}$"

    # --- What it computes

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> jax.Array:
        """The value."""
        return self._run(self._value, args, kwargs)

    def value(self, *args: P.args, **kwargs: P.kwargs) -> jax.Array:
        """The value, as by a call."""
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
        as a call does for wrong shapes and dtypes, ValueError for a Hessian of what is no scalar, for a definition, and
        for arrays on a mesh with explicit axes.
        """
        from matcalc.catalogue.operators import operator_of

        return operator_of(self.declaration, self.declaration.bound(args, kwargs), order)

    def plan(self, *, dtype: Any = np.float32, kind: Kind | None = None, **sizes: int) -> "Order":
        """The order in which the closed form is evaluated at these sizes, with multiply-adds and bytes, to print.

        Beside it stand the order of the chapter and JAX's automatic derivative. `sizes` and `kind` are those of
        `sample`, and raise the same errors; TypeError for a dtype of no floating point numbers. Nothing is computed.
        """
        from matcalc.catalogue.operators import plan_of

        with jax.enable_x64(True) if _is_float64(dtype) else nullcontext():
            return plan_of(self.declaration, self.equation(), dtype, kind, sizes)

    def sample(
        self, key: Any = 0, *, dtype: Any = np.float32, kind: Kind | None = None, **sizes: int
    ) -> tuple[Any, ...]:
        """Random arguments, well inside the domain of the formula.

        `key` is any integer or a JAX key; `sizes` are sizes of axes (m=3), by default l=2, m=3, n=4, p=5, q=6; `kind`
        chooses among several in `covers`. Returns NumPy arrays of `dtype`, and integers where the signature asks for
        them, in the order of the signature. ValueError for a size that the signature does not have or that is below 1,
        and where the domain has no point of these sizes; TypeError for a key that is none.
        """
        from matcalc.catalogue.sampling import sample

        return sample(self.declaration, key, dtype, kind, sizes)

    def check(self, *args: Any, **options: Any) -> "Report":
        """The closed form checked by the referee, at these arguments or, without any, at a random point of its domain.

        `options` are layout, seed, precision and platform, as of `matcalc.check_gradient`. Of a definition the two
        sides are compared. ValueError or TypeError for arguments that do not fit the signature, and for other options.
        """
        from matcalc.catalogue.checking import check

        return check(self.declaration, args, **options)

    def outside(self, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """Why these values lie outside the domain of the formula, in one sentence; None if they lie inside.

        It looks at values (NaN, infinity, the conditions of `where`) at the cost of a factorisation or so, and is
        therefore no part of a call. Raises as a call does for wrong shapes and dtypes.
        """
        return self.declaration.outside(self.signature.bind(args, kwargs))

    # --- How

    @functools.cached_property
    def __plain__(self) -> Callable[..., Any]:
        """The function without its rule of differentiation, by which the referee finds what JAX's rules say."""
        return self.declaration.jit(self.declaration.value_of, "value")

    def _in_layout(self, what: Quantity, layout: Layout) -> Callable[..., Any]:
        check_layout(layout)
        declared = self.declaration
        if (what, layout) not in self._compiled:

            def arranged(derivative: Any, arguments: Arguments) -> Any:
                variable_axes = np.ndim(declared.origin(arguments)) if declared.order else 0
                return to_layout(derivative, derivative.ndim - variable_axes, layout)

            def function(arguments: Arguments) -> Any:
                if what == "both":
                    value, derivative = declared.both_of(arguments)
                    return value, arranged(derivative, arguments)
                of = declared.derivative_of if what == "derivative" else declared.autodiff_of
                return arranged(of(arguments), arguments)

            self._compiled[what, layout] = declared.jit(function, "both" if what == "both" else "derivative", layout)
        return self._compiled[what, layout]

    def _run(self, compiled: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        for argument in (*args, *kwargs.values()) if kwargs else args:
            # A jitted function that is called again takes the bytes of a NumPy array as they lie in memory.
            if isinstance(argument, np.ndarray) and not (type(argument) is np.ndarray and argument.dtype.isnative):
                self.declaration.bound(args, kwargs)
        try:
            return compiled(*args, **kwargs)
        except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
            try:
                arguments = self.declaration.bound(args, kwargs)  # what jit itself rejects is explained here
            except (TypeError, ValueError) as explained:
                raise explained from None
            dtype = arguments[self.signature.arrays[0].name].dtype
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
        references: str = "",
        where: Mapping[str, Domain] | None = None,
        moves: Mapping[str, str] | None = None,
        through: str | None = None,
    ) -> None:
        self._declare(
            RuleDeclaration(
                body,
                formula,
                derivative,
                source=source,
                covers=covers,
                references=references,
                where=where,
                moves=moves,
                through=through,
            )
        )


def _is_float64(dtype: Any) -> bool:
    try:
        return np.dtype(dtype) == np.float64
    except TypeError:
        return False
