"""The derivative of an identity as a linear map, and the order in which its closed form is evaluated."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.catalogue.declaration import Arguments, Declaration, planned
from matcalc.catalogue.placement import explicit_mesh
from matcalc.catalogue.signature import Kind
from matcalc.planner import DerivativeOperator, Order, derivative_operator, steps, work


def operator_of(declared: Declaration, arguments: Arguments, order: Literal[1, 2] | None) -> DerivativeOperator:
    """The derivative of the given order at a point.

    ValueError for a definition, for a Hessian of no scalar, and for arrays on a mesh with explicit axes.
    """
    if declared.order == 0:
        raise ValueError(f"{declared.name} is a definition, and has no derivative.")
    if order not in (None, 1, 2):
        raise ValueError(f"{declared.name}: order is 1, the derivative, or 2, the Hessian; got {order!r}.")
    if explicit_mesh(declared.name, arguments) is not None:
        raise ValueError(
            f"{declared.name}: a derivative operator takes arrays on a mesh with automatic axes, and these lie on one "
            "with explicit axes. Make it by jax.make_mesh with axis_types=(AxisType.Auto,) for each axis."
        )
    plain = planned(declared.value_of)

    def value(x: Any) -> Any:
        return plain(declared.moved(arguments, x))

    def gradient(x: Any) -> Any:
        moved = declared.moved(arguments, x)
        return declared.derivative_of(moved) if declared.order == 1 else jax.grad(value)(x)

    x = jnp.asarray(declared.origin(arguments))
    of_order = order or declared.order
    if of_order == 2 and (axes := jax.eval_shape(value, x).ndim):
        raise ValueError(f"{declared.name}: order=2 is the Hessian of a scalar, and the value has {axes} axes.")
    return derivative_operator(value if of_order == 1 else gradient, x)


def plan_of(declared: Declaration, title: str, dtype: Any, kind: Kind | None, sizes: Mapping[str, int]) -> Order:
    """The order at these sizes. ValueError for sizes and kinds that there are none of, TypeError for other dtypes."""
    try:
        is_floating = jnp.issubdtype(dtype := np.dtype(dtype), np.floating)
    except TypeError:
        is_floating = False
    if not is_floating:
        raise TypeError(f"{declared.name}: a plan is one for floating point numbers, got {dtype}.")
    kind = declared.chosen(kind)
    lengths, shapes = declared.signature.sizes(kind, sizes), declared.signature.shapes(kind, sizes)
    declared.check_shapes(shapes)
    arrays = {name: jax.ShapeDtypeStruct(shape, dtype) for name, shape in shapes.items()}
    integers = {p.name: 2 if p.indexes is None else 0 for p in declared.signature.integers}
    numbers = {name: number for name, number in (lengths | integers).items() if not name.isdigit()}
    where = "".join(f", {name}={number}" for name, number in numbers.items()).replace(",", ", at", 1)

    def program(of: Callable[[Arguments], Any]) -> Any:
        return jax.make_jaxpr(lambda *given: of(dict(zip(arrays, given, strict=True)) | integers))(*arrays.values())

    plan = program(declared.derivative_of)
    ways = {"this order": plan, "as written": program(lambda arguments: declared.body(**arguments)[1])}
    if declared.order:
        ways["autodiff"] = program(declared.autodiff_of)
    works = {way: work(closed) for way, closed in ways.items()}
    return Order(f"{title}{where} in {dtype}", steps(plan, list(arrays)), works, dtype.itemsize)
