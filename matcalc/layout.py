"""The layout adapter: the only place that knows in which order the axes of a derivative are written.

A derivative of `f` by `x` has one entry for each entry of `f` and each entry of `x`. JAX puts the axes of `f` first and
those of `x` after them. The *numerator* layout reverses the axes of `x`, the *denominator* layout reverses all axes of
that. A column is a 1-D array; where the result is a row, it has the shape (1, n). `"vec"` is the layout of Magnus and
Neudecker, ∂ vec F / ∂(vec X)ᵀ, with the columns of a matrix stacked.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

Layout = Literal["jax", "numerator", "denominator", "vec"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def check_layout(layout: str) -> None:
    """Raise ValueError unless `layout` is one of `LAYOUTS`."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}; got {layout!r}.")


def _axes(value_ndim: int, ndim: int, layout: Layout) -> tuple[tuple[int, ...], bool]:
    """The order in which `layout` takes the axes of JAX, and whether the result is a row."""
    outputs, inputs = tuple(range(value_ndim)), tuple(range(value_ndim, ndim))
    match layout:
        case "jax":
            return outputs + inputs, False
        case "numerator":
            return outputs + inputs[::-1], (len(outputs), len(inputs)) == (0, 1)
        case "denominator":
            return inputs + outputs[::-1], (len(outputs), len(inputs)) == (1, 0)
        case "vec":
            return outputs[::-1] + inputs[::-1], False


def to_layout(derivative: Any, value_ndim: int, layout: Layout) -> Any:
    """Rearrange a derivative from JAX's layout, axes of the value first, into `layout`.

    `derivative` is a NumPy or JAX array of shape value axes + variable axes, `value_ndim` the number of value axes.
    Raises ValueError for an unknown layout. Source: notes 002 section 0.
    """
    check_layout(layout)
    axes, is_row = _axes(value_ndim, derivative.ndim, layout)
    arranged = derivative.transpose(axes)
    if layout == "vec":
        return arranged.reshape(math.prod(derivative.shape[:value_ndim]), -1)
    return arranged[None] if is_row else arranged


def placed_in_layout(places: Sequence[Any], value_ndim: int, layout: Layout) -> tuple[Any, ...]:
    """What belongs to the axes of a derivative in JAX's layout, such as axes of a mesh, arranged as by `to_layout`.

    To the new axis of a row belongs None. To axes that are stacked belongs what belongs to the slowest of them, so that
    what is contiguous along that axis stays so.
    """
    axes, is_row = _axes(value_ndim, len(places), layout)
    arranged = tuple(places[axis] for axis in axes)
    if layout == "vec":
        return tuple(part[0] if part else None for part in (arranged[:value_ndim], arranged[value_ndim:]))
    return (None, *arranged) if is_row else arranged


def from_layout(arranged: Any, value_shape: tuple[int, ...], variable_shape: tuple[int, ...], layout: Layout) -> Any:
    """Rearrange a derivative from `layout` into JAX's: the inverse of `to_layout`.

    `arranged` is a NumPy or JAX array. Raises ValueError for an unknown layout, and for a shape that no derivative of
    such a value by such a variable has in it.
    """
    due = layout_shape(value_shape, variable_shape, layout)
    if arranged.shape != due:
        raise ValueError(f"In {layout} layout the shape {due} is due, got {arranged.shape}.")
    axes, is_row = _axes(len(value_shape), len(value_shape) + len(variable_shape), layout)
    if layout == "vec":
        arranged = arranged.reshape([(value_shape + variable_shape)[axis] for axis in axes])
    return (arranged[0] if is_row else arranged).transpose(np.argsort(axes))


def layout_shape(value_shape: tuple[int, ...], variable_shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """The shape that the derivative of such a value by such a variable has in `layout`."""
    zero = np.broadcast_to(np.zeros(()), value_shape + variable_shape)  # no memory, whatever the shape
    if layout == "vec":
        return (math.prod(value_shape), math.prod(variable_shape))
    return to_layout(zero, len(value_shape), layout).shape
