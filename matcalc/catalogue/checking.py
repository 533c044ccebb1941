"""The closed form of an identity before the referee."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import numpy as np

from matcalc.catalogue.declaration import Arguments, Declaration
from matcalc.catalogue.sampling import sample
from matcalc.layout import Layout, to_layout
from matcalc.referee import Report, check_gradient


def check(declared: Declaration, args: tuple[Any, ...], **options: Any) -> Report:
    """`check_gradient` of the closed form of an identity, at a random point of its domain where none is given."""
    if declared.order == 0:
        raise ValueError(
            f"{declared.name} is a definition and has no derivative; `matcalc verify` compares its two sides."
        )
    with jax.enable_x64(True):
        args = args or sample(declared, options.get("seed", 0), np.float64, None, {})
        values = declared.signature.bind(args, {})
    layout: Layout = options.get("layout", "jax")

    def derivative(values: Arguments) -> Any:
        value, D = declared.both_of(values)
        return to_layout(D, declared.value_axes(value.ndim), layout)

    names = list(values)

    def along(x: Any) -> Arguments:
        return declared.moved(values, x)

    def anywhere(*args: Any) -> Arguments:
        return dict(zip(names, args, strict=True))

    at: Callable[..., Arguments]
    where: Any = None
    if declared.is_rule:  # by x, along which its functions move
        at, args, wrt = along, (declared.origin(values),), 0
    else:
        at, args, wrt = anywhere, tuple(values.values()), names.index(declared.wrt)
        where = {names.index(name): domain for name, domain in declared.where.items() if name in names}

    @wraps(at)  # for the names of the arguments
    def f(*args: Any) -> Any:
        return declared.value_of(at(*args))

    def gradient(*args: Any) -> Any:
        return derivative(at(*args))

    f.__name__ = declared.name
    return check_gradient(f, gradient, *args, wrt=wrt, where=where, order=declared.order, **options)
