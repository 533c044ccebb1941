"""Why a formula is no finite real number: the innermost operation that has no value."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from matcalc.formula import tree as t
from matcalc.formula.evaluation import Array, Evaluation
from matcalc.formula.typed import Typed, is_entrywise

_OF_MATRICES = {"sqrt": "has a negative eigenvalue", "ln": "has an eigenvalue that is negative or 0"}
_OF_NUMBERS = {"sqrt": "is negative", "ln": "is negative or 0"}


def why_not_finite(
    tree: t.Formula, values: Mapping[str, Array], *, sizes: Mapping[str, int] | None = None
) -> str | None:
    """What has no finite real value in a formula, and why, as "sqrt(X), as X has a negative eigenvalue".

    None where the formula has a value.
    """
    watching = _Watching(tree, values, sizes or {}, np)
    try:
        with np.errstate(all="ignore"):
            value = watching.run(None)
    except _NoValue as found:
        return str(found)
    except (ValueError, ArithmeticError) as error:
        return str(error)
    return None if _is_finite(value) else f"{tree} is not finite"


class _NoValue(Exception):
    pass


class _Watching(Evaluation):
    """An evaluation that stops at the first operation without a finite real value."""

    def value(self, of: Typed) -> Array:
        try:
            value = super().value(of)
        except np.linalg.LinAlgError:
            raise _NoValue(f"{of.node}, as a matrix in it is singular") from None
        if not _is_finite(value):
            raise _NoValue(f"{of.node}{_reason(of)}")
        return value


def _reason(node: Typed) -> str:
    match node.node:
        case t.Infix("/" | "⊘", _, right):
            return ", as it is divided by 0" if right == t.Number(0) else f", as it is divided by {right}, which is 0"
        case t.Apply(function, of) if (bare := function.removesuffix(".")) in _OF_NUMBERS:
            (part,) = node.parts
            is_matrix = not part.is_scalar and not is_entrywise(function, part)
            return f", as {of} {(_OF_MATRICES if is_matrix else _OF_NUMBERS)[bare]}"
        case t.Apply("inv", of):
            return f", as {of} is singular"
        case t.Apply("exp" | "exp.") | t.Power():
            return ", which is too large"
        case _:
            return ""


def _is_finite(value: Any) -> bool:
    array = np.asarray(value)
    return bool(np.isrealobj(array) and np.all(np.isfinite(array.astype(float))))
