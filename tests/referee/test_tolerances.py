"""Distances and tolerances."""

import numpy as np
import pytest

from matcalc.referee import tolerance, unit_roundoff
from matcalc.referee.tolerances import relative


def test_the_distance_of_two_derivatives_is_never_nan_and_never_empty():
    one = np.ones((2, 2))
    assert relative(one, one) == 0
    assert relative(np.zeros(2), np.zeros(2)) == 0
    assert relative(1e-300 * one, np.zeros((2, 2))) == np.inf
    assert relative(one * np.nan, one) == np.inf
    assert relative(one, one * np.inf) == np.inf
    assert relative(one, np.ones(4)) == np.inf
    assert relative(1e200 * one, 2e200 * one) == pytest.approx(0.5)
    assert relative(1e-200 * one, 2e-200 * one) == pytest.approx(0.5)


def test_tolerances_follow_from_precision_and_conditioning_alone():
    assert unit_roundoff(np.float64) == 2.0**-53
    assert unit_roundoff("float32") == 2.0**-24
    assert unit_roundoff("float32", "gpu", "default") == 2.0**-11
    assert unit_roundoff("float64", "gpu", "default") == 2.0**-53
    assert unit_roundoff("float32", "tpu", "default") == 2.0**-8
    assert unit_roundoff("float32", "cpu", "default") == 2.0**-24
    assert 1 / 64 > tolerance(unit_roundoff("float32", "gpu", "default"), 1.0) == tolerance(2.0**-11, 1.0) / 2
    assert tolerance(2.0**-53, 10.0) == pytest.approx(10 * tolerance(2.0**-53, 0.1), rel=0.1)
