"""What the referee finds out about a gradient."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, Any]
Verdict = Literal["pass", "fail", "inconclusive", "autodiff-wrong"]
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "inconclusive", "autodiff-wrong")


@dataclass(frozen=True)
class Cause:
    """Why a gradient is wrong, or why it cannot be told: a name, a sentence with numbers, and what to do about it."""

    name: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}".strip()


@dataclass(frozen=True, eq=False)
class Variable:
    """A variable, and the claimed and the true derivative by it, with the axes of the value first.

    Both are None where they are not compared entry by entry. `error` is norm-wise relative.
    """

    name: str
    shape: tuple[int, ...]
    claim: Array | None
    truth: Array | None
    error: float


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """The verdict with its cause, and the numbers that it rests on.

    `errors` are those of the claim against each witness, norm-wise relative. `remainders` are what is left of f after
    its first-order expansion with the claimed derivative, at steps of relative size `steps`; `slope` is their slope in
    double logarithmic scale, 2 for a right gradient and 1 for a wrong one, NaN where it cannot be measured.
    """

    verdict: Verdict
    cause: Cause | None
    function: str
    dtype: str
    layout: str
    order: int
    form: str
    precision: str
    seed: int | tuple[int, ...]
    errors: Mapping[str, float]
    tolerance: float
    condition: float
    variables: tuple[Variable, ...]
    steps: Array
    remainders: Array
    slope: float
    evaluations: Mapping[str, int]
    notes: tuple[str, ...] = ()
