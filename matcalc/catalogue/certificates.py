"""Printed formulas in ball arithmetic: a witness of 60 digits, which shares no arithmetic with JAX or NumPy."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from matcalc.catalogue.identities import Identity
from matcalc.catalogue.verification import computed
from matcalc.formula import FormulaError
from matcalc.formula.balls import evaluate_in_balls, precision
from matcalc.formula.digits import against_differences, agreement
from matcalc.referee import settings


@dataclass(frozen=True)
class Certificate:
    """A printed formula at a random point, in digits that agree, norm-wise relative.

    `digits` are those of the closed form in float64 with the printed derivative in ball arithmetic, `difference` those
    of that with the difference quotient of the printed function in ball arithmetic, along a random direction. Both are
    None where ball arithmetic cannot evaluate the formula, and `reason` says why.
    """

    name: str
    kind: str
    formula: str
    derivative: str
    digits: float | None
    difference: float | None
    reason: str = ""


def certify(entry: Identity[Any], seed: int = 0) -> list[Certificate]:
    """A certificate for each kind that an identity is stated for. ImportError where python-flint is not installed."""
    certificates: list[Certificate] = []
    for kind in entry.covers:
        about = (entry.name, kind, entry.formulas[0], entry.derivative_formulas[0])
        with settings("highest"), precision():
            f, closed, values = computed(entry.declaration, entry.sample(seed, dtype=np.float64, kind=kind), seed)
            try:
                exact = entry.declaration.evaluate_derivative(about[3], values, closed.shape, by=evaluate_in_balls)
                difference = _difference(entry, values, f.shape, exact, seed)
            except FormulaError as error:
                certificates.append(Certificate(*about, None, None, error.reason))
            else:
                certificates.append(Certificate(*about, agreement(closed, exact), difference))
    return certificates


def _difference(entry: Identity[Any], values: dict[str, Any], shape: tuple[int, ...], exact: Any, seed: int) -> float:
    """The digits in which the derivative agrees with a difference quotient; of a definition, its sides."""

    def at(moved: Any) -> Any:
        return entry.declaration.evaluate(entry.formulas[0], moved, shape, by=evaluate_in_balls)

    if entry.order == 0:
        return agreement(at(values), exact)
    x = np.asarray(entry.declaration.origin(values))
    return against_differences(lambda x: at(entry.declaration.moved(values, x)), x, exact, entry.order, seed)
