"""Find an identity by its function: the same function, whatever its variables are called and however it is written."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from matcalc.catalogue.declare import CATALOGUE
from matcalc.catalogue.identities import Identity, Rule
from matcalc.formula import Formula, FormulaError, evaluate
from matcalc.formula.printing import Style
from matcalc.formula.variables import variables
from matcalc.layout import Layout

SIDE = 3  # all sizes are the same, so that shapes never stand in the way
SAME = 1e-9  # relative
INTEGER = 2


@dataclass(frozen=True)
class Match:
    """An identity, and what its arguments are called in the formula that was looked up."""

    identity: Identity[Any]
    names: Mapping[str, str]

    def equation(self, layout: Layout = "jax", style: Style = "unicode") -> str:
        """∂f/∂X = …, in the names of the formula that was looked up."""
        from matcalc.catalogue.printing import equation

        return equation(self.identity.declaration, layout, style, self.names)

    @property
    def condition(self) -> str:
        """What the identity requires, in the names of the formula that was looked up."""
        return ", ".join(
            f"{' '.join(self.names.get(word, word) for word in expression.split())} {domain.text}"
            for expression, domain in self.identity.where.items()
        )


def find(formula: Formula, wrt: str | None = None, ranks: Mapping[str, int] | None = None) -> list[Match]:
    """The identities whose function this is, and their variable `wrt`, up to names, equal forms and cyclic order.

    Functions are compared by their values at random points, so that every way to write one is the same. `ranks` say how
    many axes the variables have, where that is not what their names say.
    """
    found = variables(formula)
    arrays = dict(ranks or found.ranks)
    integers = dict.fromkeys(sorted(found.integers - {*arrays}), INTEGER)
    points = [_point(arrays, is_safe) for is_safe in (False, True)]
    values = [_value(formula, point | integers) for point in points]
    if all(value is None for value in values):
        return []
    matches: list[Match] = []
    for identity in CATALOGUE.values():
        if not isinstance(identity, Rule) and identity.order:
            of_identity = _matches(identity, arrays, sorted(integers), points, values)
            matches += itertools.islice((m for m in of_identity if wrt in (None, m.names[identity.wrt])), 1)
    return matches


def _matches(
    identity: Identity[Any],
    arrays: Mapping[str, int],
    integers: list[str],
    points: list[dict[str, Any]],
    values: list[Any],
) -> Iterator[Match]:
    function = identity.declaration.parsed(identity.formulas[0])
    own_integers = [p.name for p in identity.signature.integers]
    if len(own_integers) != len(integers):
        return
    for kind in identity.covers:
        own = {name: len(shape) for name, shape in identity.signature.shapes(kind, {}).items()}
        if sorted(own.values()) != sorted(arrays.values()):
            continue
        for order in itertools.permutations(arrays):
            names = dict(zip(own, order, strict=True))
            if any(rank != arrays[names[name]] for name, rank in own.items()):
                continue
            renamed = [
                {name: point[names[name]] for name in own} | dict.fromkeys(own_integers, INTEGER) for point in points
            ]
            if all(_is_same(_value(function, at), value) for at, value in zip(renamed, values, strict=True)):
                yield Match(identity, names | dict(zip(own_integers, integers, strict=True)))


def _point(ranks: Mapping[str, int], is_safe: bool) -> dict[str, Any]:
    """Random arrays; where it is to be safe, logarithms and roots of them are real."""
    rng = np.random.default_rng(1)
    point = {name: rng.normal(size=(SIDE,) * rank) for name, rank in ranks.items()}
    if is_safe:
        point = {name: np.eye(SIDE) + a / 10 if a.ndim == 2 else np.abs(a) + 0.5 for name, a in point.items()}
    return point


def _value(formula: Formula, values: Mapping[str, Any]) -> Any:
    """None where it has none."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(evaluate(formula, values))
    except (FormulaError, np.linalg.LinAlgError, ArithmeticError):
        return None
    return value if np.isrealobj(value) and np.all(np.isfinite(value)) else None


def _is_same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and bool(np.linalg.norm(one - other) <= SAME * np.linalg.norm(other))
