"""What is compiled: the closed form of each entry of the catalogue, and the same by automatic differentiation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax

from matcalc.catalogue import CATALOGUE, Identity, Rule
from matcalc.linalg import autodiff

Quantity = Literal["derivative", "hessian"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
CLOSED, AUTODIFF = "closed form", "autodiff"
HESSIANS = ("scalar by vector", "scalar by matrix")  # kinds of which there are any
# By so much sizes exceed those at which points are drawn: of matrices up to 8×8 the planner writes products by entries.
LARGER = 8
EXPONENT = 3


@dataclass(frozen=True)
class Program:
    """A quantity of an entry, computed in one of two ways, at sizes and in a dtype."""

    name: str
    kind: Any
    quantity: Quantity
    contender: str
    dtype: str
    sizes: tuple[tuple[str, int], ...]

    @property
    def entry(self) -> Identity[Any]:
        """The entry of the catalogue that it belongs to."""
        return CATALOGUE[self.name]

    @property
    def function(self) -> Callable[..., Any]:
        """It, as a function of the arrays, in the order of the signature."""
        declared, signature = self.entry.declaration, self.entry.signature
        integers = {p.name: EXPONENT if p.indexes is None else 0 for p in signature.integers}

        def closed_hessian(values: dict[str, Any]) -> Any:
            return self.entry.derivative_operator(order=2, **values).dense()

        def hessian(values: dict[str, Any]) -> Any:
            return autodiff(lambda x: declared.value_of(declared.moved(values, x)), 2)(declared.origin(values))

        of: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("derivative", CLOSED): declared.derivative_of,
            ("derivative", AUTODIFF): declared.autodiff_of,
            ("hessian", CLOSED): closed_hessian,
            ("hessian", AUTODIFF): hessian,
        }
        names, chosen = [p.name for p in signature.arrays], of[self.quantity, self.contender]
        return lambda *arrays: chosen(dict(zip(names, arrays, strict=True)) | integers)

    def arguments(self, device: Any = None) -> list[Any]:
        """The arrays by shape and dtype, on a device where one is given; there are no numbers in them."""
        sharding = None if device is None else jax.sharding.SingleDeviceSharding(device)
        shapes = self.entry.signature.shapes(self.kind, _chosen(self.entry, self.kind, dict(self.sizes)))
        return [jax.ShapeDtypeStruct(shape, self.dtype, sharding=sharding) for shape in shapes.values()]


def programs(
    entries: Sequence[Identity[Any]],
    quantities: Sequence[Quantity] = ("derivative",),
    dtypes: Sequence[str] = ("float32",),
    sizes: Mapping[str, int] | None = None,
) -> Iterator[Program]:
    """All programs of these entries, of every kind that they are stated for.

    Of an equality without a derivative, its other side is what is computed. Sizes that are not given are by 8 larger
    than those of `Identity.sample`. An entry whose domain has nothing of such shapes has no programs there.
    """
    for entry in entries:
        for kind in entry.covers:
            lengths = sizes_of(entry, kind, sizes or {})
            if why_none(entry, kind, lengths) is not None:
                continue
            for quantity in quantities:
                if quantity == "hessian" and not _has_hessian(entry, kind):
                    continue
                for contender in (CLOSED, AUTODIFF) if entry.order else (CLOSED,):
                    for dtype in dtypes:
                        yield Program(entry.name, kind, quantity, contender, dtype, tuple(lengths.items()))


def left_out(entries: Sequence[Identity[Any]], sizes: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each entry that has no programs at these sizes, with the reason."""
    for entry in entries:
        for kind in entry.covers:
            if reason := why_none(entry, kind, sizes_of(entry, kind, sizes)):
                yield f"left out: {reason}"


def sizes_of(entry: Identity[Any], kind: Any, given: Mapping[str, int]) -> dict[str, int]:
    """The sizes of axes, where not given larger than those at which points are drawn."""
    usual = entry.signature.sizes(kind, {})
    larger = {name: usual[name] + LARGER for name in entry.signature.names(kind)}
    return entry.signature.sizes(kind, larger | _chosen(entry, kind, given))


def why_none(entry: Identity[Any], kind: Any, sizes: Mapping[str, int]) -> str | None:
    """Why an entry has no programs at these sizes; None if it has."""
    try:
        entry.declaration.check_shapes(entry.signature.shapes(kind, _chosen(entry, kind, sizes)))
    except ValueError as error:
        return str(error)
    return None


def _chosen(entry: Identity[Any], kind: Any, sizes: Mapping[str, int]) -> dict[str, int]:
    """Those of the sizes that can be chosen here."""
    return {name: size for name, size in sizes.items() if name in entry.signature.names(kind)}


def _has_hessian(entry: Identity[Any], kind: Any) -> bool:
    return kind in HESSIANS and entry.order == 1 and not isinstance(entry, Rule)
