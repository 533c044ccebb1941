"""How a chapter declares its formulas: `@identity`, `@rule`, `@definition`, and the catalogue of them all."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from matcalc.catalogue.declaration import Covers, Printed
from matcalc.catalogue.identities import Identity, P, Rule
from matcalc.catalogue.signature import Kind
from matcalc.domains import Domain

_catalogue: dict[str, Identity[Any]] = {}
CATALOGUE: Mapping[str, Identity[Any]] = MappingProxyType(_catalogue)


def identity(
    formula: str,
    derivative: str,
    *,
    source: str,
    covers: Covers,
    references: str = "",
    wrt: str = "X",
    where: Mapping[str, Domain] | None = None,
    order: Literal[1, 2] = 1,
    printed: Printed = "jax",
) -> Callable[[Callable[P, tuple[Any, Any]]], Identity[P]]:
    """Declare an identity: the decorated function returns the value and its derivative by `wrt`, in JAX's layout.

    `formula` and `derivative` are what is printed, with equal forms joined by " = "; `covers` names the rows of the
    notes that it states (by kind, where it states several); `references` are works where it stands, "MC 101; MN 9.9",
    see `references.WORKS`; `where` holds the conditions; `order=2` is a Hessian; `printed="vec"` says that `derivative`
    is printed in vec layout, as one of more than two axes is.
    """

    def declare(body: Callable[P, tuple[Any, Any]]) -> Identity[P]:
        return _registered(
            Identity(
                body,
                formula,
                derivative,
                source=source,
                covers=covers,
                references=references,
                wrt=wrt,
                where=where,
                order=order,
                printed=printed,
            )
        )

    return declare


def rule(
    formula: str,
    derivative: str,
    *,
    source: str,
    covers: Covers,
    references: str = "",
    where: Mapping[str, Domain] | None = None,
    moves: Mapping[str, str] | None = None,
    through: str | None = None,
) -> Callable[[Callable[P, tuple[Any, Any]]], Rule[P]]:
    """Declare a rule: the decorated function takes U, dU, … and returns the compound and its derivative by x.

    `moves` says which argument is the derivative of which, unless it is dU of U; `through="u"` says that the other
    functions are functions of u.
    """

    def declare(body: Callable[P, tuple[Any, Any]]) -> Rule[P]:
        return _registered(
            Rule(
                body,
                formula,
                derivative,
                source=source,
                covers=covers,
                references=references,
                where=where,
                moves=moves,
                through=through,
            )
        )

    return declare


def definition(
    formula: str, *, source: str, covers: str, references: str = "", where: Mapping[str, Domain] | None = None
) -> Callable[[Callable[P, tuple[Any, Any]]], Identity[P]]:
    """Declare an equality without a derivative: the decorated function returns both sides.

    It is an identity of order 0: its "derivative" is the value itself, as defined.
    """
    left, right = formula.split(" = ")

    def declare(body: Callable[P, tuple[Any, Any]]) -> Identity[P]:
        of: Mapping[Kind, str] = {"definition": covers}
        return _registered(
            Identity(body, left, right, source=source, covers=of, references=references, wrt="", where=where, order=0)
        )

    return declare


def _registered(entry: Any) -> Any:
    if entry.name in _catalogue:
        raise ValueError(f"two identities of the catalogue are named {entry.name}.")
    _catalogue[entry.name] = entry
    return entry
