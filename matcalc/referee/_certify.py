"""Printed formulas in ball arithmetic: a witness of 60 digits, which shares no arithmetic with JAX or NumPy."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from matcalc._identity import Identity
from matcalc._layout import Layout, from_layout
from matcalc.formula import Formula, FormulaError
from matcalc.formula.balls import balls, evaluate_in_balls, precision
from matcalc.formula.shapes import Size
from matcalc.referee._formula import Problem
from matcalc.referee._verify import Case

STEPS = {1: 1e-20, 2: 1e-13}  # of the differences of first and second order, along a random direction
MOST = 99.0  # digits, of what agrees exactly


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
        # As `verify` runs it, so that its programs are compiled once for both.
        with jax.enable_x64(True), jax.default_matmul_precision("highest"), precision():
            case = Case(entry, entry.sample(seed, dtype=np.float64, kind=kind), seed)
            values, f, closed = case.values, case.reference.value, case.reference.closed
            try:
                exact = entry.evaluate(about[3], values, closed.shape, by=evaluate_in_balls)
                difference = _difference(entry, values, f.shape, exact, seed)
            except FormulaError as error:
                certificates.append(Certificate(*about, None, None, error.reason))
            else:
                certificates.append(Certificate(*about, _agreement(closed, exact), difference))
    return certificates


def certify_claim(asked: Problem, claim: Formula, layout: Layout, values: Mapping[str, Any], seed: int = 0) -> float:
    """The digits in which a claimed derivative agrees with a difference quotient along a random direction.

    FormulaError for what ball arithmetic cannot evaluate, ImportError where python-flint is not installed.
    """

    def at(tree: Formula, values: Mapping[str, Any], shape: Sequence[Size]) -> Any:
        return evaluate_in_balls(
            tree, {**values, **asked.integers}, sizes=asked.sizes, shape=asked.numbers(tuple(shape))
        )

    with precision():
        x, value_shape = values[asked.wrt], asked.numbers(asked.value_shape)
        D = from_layout(at(claim, values, asked.due(layout)), value_shape, x.shape, layout)
        return _against_differences(
            lambda x: at(asked.formula, {**values, asked.wrt: x}, asked.value_shape), x, D, 1, seed
        )


def _difference(entry: Identity[Any], values: dict[str, Any], shape: tuple[int, ...], exact: Any, seed: int) -> float:
    """The digits in which the derivative agrees with a difference quotient; of a definition, its sides."""

    def at(moved: Any) -> Any:
        return entry.evaluate(entry.formulas[0], moved, shape, by=evaluate_in_balls)

    if entry.order == 0:
        return _agreement(at(values), exact)
    x = np.asarray(entry.origin(values))
    return _against_differences(lambda x: at(entry.moved(values, x)), x, exact, entry.order, seed)


def _against_differences(f: Callable[[Any], Any], x: Any, D: Any, order: int, seed: int) -> float:
    """The digits in which a derivative of f agrees with a difference quotient along a random direction."""
    v, h = balls(np.random.default_rng(seed).standard_normal(x.shape)), balls(STEPS[order])[()]
    here = balls(x)
    plus, minus = (f(balls(here + step * v)) for step in (h, -h))
    along = np.tensordot(D, v, x.ndim)
    if order == 1:
        return _agreement((plus - minus) / (2 * h), along)
    return _agreement((plus - 2 * f(here) + minus) / h**2, np.tensordot(v, along, x.ndim))


def _agreement(one: Any, other: Any) -> float:
    """The digits in which two arrays agree, by their mid-points and radii; of a zero absolute."""
    apart, size = (math.sqrt(sum(_upper(ball) ** 2 for ball in balls(a).ravel())) for a in (one - other, other))
    return MOST if apart == 0 else min(MOST, -math.log10(apart / (size or 1.0)))


def _upper(ball: Any) -> float:
    return float(abs(ball).upper())
