"""Why a formula has no finite real value."""

import numpy as np
import pytest

from matcalc.formula import parse
from matcalc.formula.finite import why_not_finite

VALUES = {
    "X": np.array([[-1.0, 2.0], [0.5, -3.0]]),
    "S": np.ones((2, 2)),
    "x": np.array([1.0, -2.0]),
    "a": np.array([2.0, 1.0]),
    "c": 800.0,
}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tr(sqrt(X) A)", "sqrt(X), as X has a negative eigenvalue"),
        ("1 + tr(ln(X))", "ln(X), as X has an eigenvalue that is negative or 0"),
        ("x'x sqrt(-1)", "sqrt(-1), as -1 is negative"),
        ("ln(sum(x)) + a'x", "ln(sum(x)), as sum(x) is negative or 0"),
        ("sum(ln(x))", "ln(x), as x is negative or 0"),
        ("sum(sqrt.(X))", "sqrt.(X), as X is negative"),
        ("a/(a'x)", "a/(aᵀ x), as it is divided by aᵀ x, which is 0"),
        ("2 x/0", "2 x/0, as it is divided by 0"),
        ("tr(S^-1)", "S⁻¹, as a matrix in it is singular"),
        ("exp(c) x", "exp(c), which is too large"),
        ("x'x + tr(X^-1)", None),
        ("sqrt(x'x) X", None),
    ],
)
def test_the_innermost_operation_is_named(text, why):
    values = {**VALUES, "A": np.eye(2)}
    assert why_not_finite(parse(text), values) == why
