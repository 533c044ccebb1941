"""How far two right answers may lie apart.

A backward stable algorithm returns the exact answer for arguments x + Δx that are off by a few roundings each, so that
‖Δx‖ ≤ c u ‖x‖. To first order that answer is off by

    ‖D(x + Δx) - D(x)‖ ≤ κ c u ‖D(x)‖,    κ = lim max ‖D(x + Δx) - D(x)‖ ‖x‖ / (‖Δx‖ ‖D(x)‖),

and storing it rounds it once more, by u ‖D‖. Together that is c u (1 + κ) ‖D‖. The relative condition number κ belongs
to the derivative at this point, and is measured there; c was measured, see `constants.SAFETY`. Nothing in it depends on
how large the derivative or the function is. Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms (2nd
ed., SIAM 2002), sections 1.5 and 1.6.
"""

import math
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np

from matcalc.referee.constants import COARSE_SAFETY, FINE, PRODUCTS_SAFETY, SAFETY, TINY

Array = np.ndarray[Any, Any]

Precision = Literal["highest", "high", "default"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class OfProducts(float):
    """The unit roundoff of matrix products whose operands are rounded, and whose sums are not."""


# What a matrix product of float32 keeps below the highest precision: TF32 has 11 significant bits, one pass of bfloat16
# 8, three passes about 16. On the CPU every product is in full, unless it is told to emulate another (`emulation`).
OF_PRODUCTS: dict[tuple[str, Precision], OfProducts] = {
    ("gpu", "high"): OfProducts(2.0**-11),
    ("gpu", "default"): OfProducts(2.0**-11),
    ("tpu", "high"): OfProducts(2.0**-16),
    ("tpu", "default"): OfProducts(2.0**-8),
}


def unit_roundoff(dtype: Any, platform: str = "cpu", precision: Precision = "highest") -> float:
    """Half the distance from 1 to the next number: of the dtype, or of its matrix products where they keep less."""
    u = float(jnp.finfo(dtype).eps) / 2
    return max(u, OF_PRODUCTS.get((platform, precision), 0.0)) if jnp.dtype(dtype).itemsize <= 4 else u


def tolerance(u: float, condition: float) -> float:
    """The norm-wise relative error that rounding explains: SAFETY · u · (1 + κ), with a factor for each kind of u.

    u is the unit roundoff and κ the relative condition number. The derivation stands at the head of this module.
    """
    safety = PRODUCTS_SAFETY if isinstance(u, OfProducts) else SAFETY if u <= FINE else COARSE_SAFETY
    return safety * u * (1 + condition)


def norm(array: Array) -> float:
    """The Euclidean norm of all entries, however large or small they are; infinite where one is not finite."""
    if TINY < (squares := _squares(array)) < 1 / TINY:
        return math.sqrt(squares)
    size = float(np.max(np.abs(array), initial=0.0))
    if not math.isfinite(size):
        return math.inf
    if size == 0:
        return 0.0
    return size * math.sqrt(_squares(array / size))


def relative(D: Array, reference: Array, size_of_zero: float = 0.0) -> float:
    """The norm-wise relative distance, infinite and never NaN where one of them is not finite.

    From a reference that is exactly zero the distance is relative to `size_of_zero` instead.
    """
    if D.shape != reference.shape:
        return float("inf")
    off, whole = _squares(D - reference), _squares(reference)
    if TINY < off < 1 / TINY and TINY < whole < 1 / TINY:
        return math.sqrt(off / whole)
    if not (np.all(np.isfinite(D)) and np.all(np.isfinite(reference))):
        return float("inf")
    size = np.max(np.abs(reference), initial=0.0)
    distance = np.max(np.abs(D - reference), initial=0.0)
    if distance == 0:
        return 0.0
    if size == 0:
        return float(distance / size_of_zero) if size_of_zero > 0 else float("inf")
    # Scaled, so that the squares neither overflow nor vanish.
    return math.sqrt(_squares((D - reference) / size) / _squares(reference / size))


def _squares(a: Array) -> float:
    """The sum of the squares of all entries."""
    return float(np.einsum("i,i->", a.ravel(), a.ravel()))
