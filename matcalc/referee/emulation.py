"""Matrix products of an accelerator, emulated on the CPU: entries are rounded first, and summed in float32."""

import math
from typing import Any, Literal, get_args

import jax.numpy as jnp
from jax import lax
from jax.interpreters import mlir

from matcalc.referee.jaxprs import is_full
from matcalc.referee.tolerances import OF_PRODUCTS

Emulated = Literal["tf32", "bf16"]
EMULATED: tuple[Emulated, ...] = get_args(Emulated)
_ON = {"tf32": "gpu", "bf16": "tpu"}
_EXPONENT_BITS = 8  # as many as float32 has


def emulate_products(kind: Emulated) -> None:
    """Let the CPU multiply matrices of float32 as a GPU does in TF32, or a TPU in bfloat16, and tolerances know it.

    Products that ask for the highest precision stay in full. It holds for all of this process, and nothing takes it
    back.
    """
    # How a product is lowered has no public name, and importing the package depends on public ones only.
    from jax._src.lax.lax import _dot_general_lower  # pyright: ignore[reportPrivateUsage]

    high, default = OF_PRODUCTS[_ON[kind], "high"], OF_PRODUCTS[_ON[kind], "default"]
    OF_PRODUCTS["cpu", "high"], OF_PRODUCTS["cpu", "default"] = high, default

    def lower(ctx: Any, a: Any, b: Any, **parameters: Any) -> Any:
        asked = parameters["precision"]
        if is_full(asked) or all(v.dtype != jnp.float32 for v in ctx.avals_in):
            return _dot_general_lower(ctx, a, b, **parameters, platform="cpu")
        u = high if lax.Precision.HIGH in (asked if isinstance(asked, tuple) else (asked,)) else default
        in_full = parameters | {"precision": (lax.Precision.HIGHEST, lax.Precision.HIGHEST)}

        def product(a: Any, b: Any) -> Any:
            return lax.dot_general_p.bind(_rounded(a, u), _rounded(b, u), **in_full)

        return mlir.lower_fun(product, multiple_results=False)(ctx, a, b)

    mlir.register_lowering(lax.dot_general_p, lower, platform="cpu")


def _rounded(a: Any, u: float) -> Any:
    """The nearest array of this unit roundoff, of one in float32."""
    return lax.reduce_precision(a, _EXPONENT_BITS, -round(math.log2(u)) - 1) if a.dtype == jnp.float32 else a
