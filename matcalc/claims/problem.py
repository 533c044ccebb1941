"""A function typed as a formula: the shapes of its variables, numbers for its sizes, and its value."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.domains import Domain
from matcalc.formula import Formula, FormulaError, evaluate, infer
from matcalc.formula import tree as t
from matcalc.formula.errors import Misfit
from matcalc.formula.sizes import Size, size_in_numbers, size_product
from matcalc.formula.texts import Meaning
from matcalc.formula.variables import Variables
from matcalc.layout import Layout, from_layout, layout_shape

Array = np.ndarray[Any, Any]
Shape = tuple[Size, ...]
Arguments = Mapping[str, Array]  # by name

EXPONENT = 3


@dataclass(frozen=True)
class Problem:
    """A function as a formula, with the shapes of its variables; sizes that it leaves free are letters."""

    formula: Formula
    wrt: str
    found: Variables
    shapes: Mapping[str, Shape]
    where: Mapping[str, Domain]
    sizes: Mapping[str, int]  # a number for every letter that is a size
    names: frozenset[str]  # declared ones, of several letters
    named_sizes: Mapping[str, Size] = field(default_factory=dict)  # what the n of I_n is by the shapes
    exponent: int = EXPONENT  # and bound of sums
    notes: tuple[str, ...] = ()  # how the function was read, where that could be doubted
    definitions: Mapping[str, Meaning] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)  # that have only a name, with their kinds
    stand_ins: Mapping[str, Shape] = field(default_factory=dict)  # the shapes of what stands for them, by key
    is_independent: bool = False  # whether derivatives are by the independent entries of a symmetric matrix
    order: int = 1  # of the derivative

    # --- Shapes

    @cached_property
    def integers(self) -> dict[str, int]:
        """A value for every integer: subscripts count entries from 0."""
        places = {name: (self.exponent + place) % 2 for place, name in enumerate(sorted(self.found.indices))}
        told = {name: size_in_numbers(size, self.sizes) for name, size in self.named_sizes.items()}
        numbers = {**dict.fromkeys(self.found.integers, self.exponent), **places, **told}
        return {name: numbers[name] for name in sorted(self.found.integers) if name not in self.sizes}

    @property
    def symbols(self) -> dict[str, Shape]:
        """The shapes of all names, those of integers too."""
        return dict(self.shapes) | {name: () for name in self.integers}

    @property
    def arguments(self) -> dict[str, Shape]:
        """The shapes of what the value depends on: the variables, and what stands for functions with only a name."""
        return {**self.shapes, **self.stand_ins}

    @property
    def sized(self) -> dict[str, Shape]:
        """The shapes that formulas are sized by: those of all names and functions."""
        return {**self.symbols, **self.stand_ins}

    @cached_property
    def value_shape(self) -> Shape:
        """The shape of the function's value."""
        return infer(self.formula, self.sized)

    @property
    def outer_shape(self) -> Shape:
        """The shape of what is differentiated last: of the value or, for a second derivative, of the gradient."""
        return self.value_shape if self.order == 1 else self.shapes[self.wrt]

    @property
    def derivative_shape(self) -> Shape:
        """The shape of the derivative in JAX's layout."""
        return (*self.outer_shape, *self.shapes[self.wrt])

    def due(self, layout: Layout) -> Shape:
        """The shape that the derivative has in a layout, in letters."""
        value, variable = (tuple(shape) for shape in (self.outer_shape, self.shapes[self.wrt]))
        if layout == "vec":
            return (_entries(value), _entries(variable))
        # Every axis gets a number of its own, so that where it goes can be read off.
        count = len(value) + len(variable)
        places = layout_shape(tuple(range(2, len(value) + 2)), tuple(range(len(value) + 2, count + 2)), layout)
        return tuple(1 if place == 1 else (value + variable)[place - 2] for place in places)

    @property
    def what(self) -> str:
        """What the derivative is called."""
        if self.order == 1:
            return "the derivative"
        return "the Hessian" if self.shapes[self.wrt] else "the second derivative"

    def numbers(self, shape: Shape) -> tuple[int, ...]:
        """A shape with numbers for letters."""
        return tuple(size_in_numbers(size, self.sizes) for size in shape)

    # --- Values

    def value_of(
        self, tree: Formula, arguments: Mapping[str, Any], shape: Sequence[int] | None = None, xp: Any = np
    ) -> Any:
        """A formula in the variables, by NumPy or JAX; NaN where it is no real number."""
        try:
            with np.errstate(all="ignore"):
                value = evaluate(tree, {**arguments, **self.integers}, sizes=self.sizes, shape=shape, xp=xp)
        except FormulaError:
            raise
        except (ValueError, ArithmeticError):  # by which NumPy and SciPy say that a matrix is singular or infinite
            value = None
        if value is None or np.iscomplexobj(value):
            return np.full(self.numbers(infer(tree, self.sized)) if shape is None else tuple(shape), np.nan)
        return value

    @property
    def differential(self) -> str:
        """What the differential of the variable is called in a claim: dX."""
        return f"d{self.wrt}"

    def is_differential(self, claim: Formula) -> bool:
        """Whether a claim is the differential of the function, -X⁻¹ dX X⁻¹, or the second one, dxᵀ A dx."""
        return self.differential not in self.shapes and t.Name(self.differential) in t.nodes(claim)

    def columns(self, value_along: Callable[[Array], Any]) -> Any:
        """The derivative, in JAX's layout, by its value along every axis.

        Misfit where it is not linear, of second order not quadratic.
        """
        shape = self.numbers(self.shapes[self.wrt])
        axes = np.eye(math.prod(shape)).reshape(-1, *shape)
        D = np.stack([np.asarray(value_along(axis)) for axis in axes], -1)
        weights = np.cos(np.arange(1.0, len(axes) + 1))
        at_once = value_along(np.tensordot(weights, axes, 1))
        if self.order == 2:
            pairs = np.stack([[np.asarray(value_along(one + other)) for other in axes] for one in axes])
            D = (pairs - D - D[:, None]) / 2
        summed = D @ weights if self.order == 1 else weights @ D @ weights
        error = np.abs(np.asarray(at_once - summed, float))
        if np.any(error > 1e-3 * (1 + np.abs(np.asarray(summed, float)))):
            what = f"a differential has one {self.differential}" if self.order == 1 else "a second one has two"
            raise Misfit(f"{what} in each term")
        return D.reshape(*D.shape[: -self.order], *shape * self.order)

    def claimed(self, claim: Formula, arguments: Arguments, layout: Layout) -> Array:
        """A claimed derivative, for entries that move freely. FormulaError where its shape does not fit."""
        if self.is_differential(claim):
            shape = self.numbers(self.value_shape)
            name, dtype = self.differential, np.asarray(arguments[self.wrt]).dtype
            return self.columns(lambda v: self.value_of(claim, {**arguments, name: v.astype(dtype)}, shape))
        return self.freed(self.value_of(claim, arguments, self.numbers(self.due(layout))))

    def freed(self, D: Array) -> Array:
        """The symmetric G of D = 2 G - G ⊙ I, where D is by the independent entries; otherwise D itself."""
        return (D + D * np.eye(len(D), dtype=int)) / 2 if self.is_independent else D

    def in_jax_layout(self, claim: Formula, arguments: Arguments, layout: Layout) -> Array:
        """The same with the axes of the value first."""
        value, variable = self.numbers(self.outer_shape), self.numbers(self.shapes[self.wrt])
        layout = "jax" if self.is_differential(claim) else layout
        return from_layout(self.claimed(claim, arguments, layout), value, variable, layout)

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function of the arrays: by NumPy for its arrays, so that only what JAX differentiates is compiled.

        It is jitted to say that it is one and the same at every call, so that its programs are kept.
        """

        def f(*arrays: Any) -> Any:
            xp = np if all(isinstance(a, np.ndarray) for a in arrays) else jnp
            return self.value_of(self.formula, dict(zip(self.arguments, arrays, strict=True)), xp=xp)

        f.__name__ = str(self.formula)
        return jax.jit(f)


def _entries(shape: Shape) -> Size:
    """The number of entries, in letters."""
    return reduce(size_product, shape) if shape else 1
