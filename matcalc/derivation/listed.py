"""The identities of the catalogue, derived."""

from typing import Any

from matcalc.calculus import NotDerivable
from matcalc.catalogue import Identity
from matcalc.catalogue.signature import Parameter
from matcalc.derivation.derivation import Derivation
from matcalc.derivation.deriving import derive
from matcalc.formula import parse
from matcalc.formula import tree as t

AXES = {"scalar": (), "vector": ("s",), "matrix": ("s", "t")}


def derivation_of(identity: Identity[Any]) -> Derivation:
    """The derivative of an identity's function, by the rules. NotDerivable where there is none, ValueError of others.

    A variable U of which it takes dU is one that moves with the variable.
    """
    if not identity.wrt:
        raise ValueError(f"{identity.name} is a definition, and no derivative.")
    kind = next((kind for kind in identity.covers if kind.endswith("scalar")), next(iter(identity.covers)))
    value, _, variable = kind.partition(" by ")
    names = {parameter.name for parameter in identity.signature.parameters}
    moved = [name for name in names if f"d{name}" in names]
    f = identity.formulas[0]
    if not {*moved} <= {node.name for node in t.nodes(parse(f)) if isinstance(node, t.Name)}:
        raise NotDerivable(f"{f} is any function of {', '.join(moved)}: {identity.name} is the chain rule itself.")
    given = [p for p in identity.signature.arrays if p.name.removeprefix("d") not in moved or p.name in moved]
    shape = {parameter.name: _shape(parameter, value) for parameter in given}
    if identity.wrt not in names:  # a rule for matrices by a matrix is one for each of its entries
        shape[identity.wrt] = AXES["scalar" if any(len(shape[name]) == 2 for name in moved) else variable]
    return derive(
        f,
        identity.wrt,
        order=2 if identity.order == 2 else None,
        shape=shape,
        where={name: domain for name, domain in identity.where.items() if name in names},
        moved=moved,
    )


def _shape(parameter: Parameter, value: str) -> tuple[int | str, ...]:
    if any(axis.startswith("*") for axis in parameter.axes):
        return AXES[value]
    return tuple(int(axis) if axis.isdigit() else axis for axis in parameter.axes)
