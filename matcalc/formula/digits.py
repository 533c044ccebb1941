"""In how many digits formulas agree in ball arithmetic: with each other, and with difference quotients.

The quotients are computed here and not by the referee's finite differences, because this witness is to share no code
with the others. Nor does it need their search for a step: with so many digits a single small step is precise enough.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from matcalc.formula.balls import balls
from matcalc.streams import stream

STEPS = {1: 1e-20, 2: 1e-13}  # of the differences of first and second order
MOST = 99.0  # digits, of what agrees exactly


def against_differences(f: Callable[[Any], Any], x: Any, D: Any, order: int, seed: Any) -> float:
    """The digits in which a derivative of f agrees with a difference quotient along a random direction.

    One of second order is compared along two, since along one only its symmetric part is seen.
    """
    rng = stream(seed, "direction in balls")
    v, w = (balls(rng.standard_normal(x.shape)) for _ in range(2))
    h, here = balls(STEPS[order])[()], balls(x)

    def slope(at: Any) -> Any:
        plus, minus = (f(balls(at + step * v)) for step in (h, -h))
        return (plus - minus) / (2 * h)

    along = np.tensordot(D, v, x.ndim)
    if order == 1:
        return agreement(slope(here), along)
    return agreement((slope(here + h * w) - slope(here - h * w)) / (2 * h), np.tensordot(along, w, x.ndim))


def agreement(one: Any, other: Any) -> float:
    """The digits in which two arrays agree, by their mid-points and radii; of a zero absolute."""
    apart, size = (math.sqrt(sum(_upper(ball) ** 2 for ball in balls(a).ravel())) for a in (one - other, other))
    return MOST if apart == 0 else min(MOST, -math.log10(apart / (size or 1.0)))


def _upper(ball: Any) -> float:
    return float(abs(ball).upper())
