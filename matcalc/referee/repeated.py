"""Eigenvalues and singular values that are equal: there their vectors turn, and single ones have a kink."""

import jax
import numpy as np

from matcalc.referee.constants import REPEATED_VALUE
from matcalc.referee.jaxprs import intermediates
from matcalc.referee.runs import Runs

WHAT = {"eigh": "eigenvalues", "svd": "singular values"}  # by the operation of JAX that gives them


def repeated(runs: Runs) -> str:
    """A sentence that says so of what f computes at this point; empty where it does not, or nobody knows."""
    arguments = (runs.subject.start(runs.exact), runs.exact, runs.tangents(np.float64))
    try:
        program = runs.of_value.traced(*arguments)
        values = [] if program is None else intermediates(program, jax.tree.leaves(arguments))
    except Exception:  # an operation that cannot be run alone
        return ""
    for name, what in WHAT.items():
        results = [(value, line) for value, operation, line in values if operation == name]
        least = min((value.ndim for value, _ in results), default=0)  # the vectors have an axis more
        for value, line in results:
            if value.ndim == least and _has_equals(value):
                return f" Two {what} are equal here{f', at {line}' if line else ''}."
    return ""


def _has_equals(values: np.ndarray) -> bool:
    gaps = np.diff(np.sort(values, axis=-1), axis=-1)
    return bool(np.any(gaps <= REPEATED_VALUE * np.max(np.abs(values), initial=0.0)))
