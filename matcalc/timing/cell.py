"""What is measured: an identity, a quantity, sizes and a dtype make a cell."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.catalogue import Identity, Rule
from matcalc.linalg import autodiff
from matcalc.planner import reassociate

Quantity = Literal["derivative", "both", "value", "hessian"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

SQUARES = (8, 64, 256, 1024)
SHAPES = {"tall": (2048, 8, 64), "wide": (8, 2048, 64), "thin": (64, 2048, 8), "long": (64, 64, 2048)}
OTHERWISE = 64  # sizes beyond the third
BATCH, BATCHED = 10_000, 4
ENTRIES = 2**24  # of the largest array
HESSIANS = ("scalar by vector", "scalar by matrix")  # kinds of which there are any
REGIMES = ("scalar", *(f"square {n}" for n in SQUARES), *SHAPES, f"{BATCH} of {BATCHED}")
GIVEN = "given"  # a regime of sizes that were asked for
DRAWN = 100  # points of a batch, which stand in it again and again


@dataclass(frozen=True)
class Cell:
    """One quantity of one identity at one point, or at a batch of points."""

    identity: Identity[Any]
    kind: Any
    regime: str
    sizes: tuple[tuple[str, int], ...]
    dtype: str
    quantity: Quantity = "derivative"
    batch: int | None = None

    @functools.cached_property
    def values(self) -> dict[str, Any]:
        """The arguments by name, of NumPy. ValueError where the domain has no point of these sizes."""
        values = dict(_point(self.identity, self.kind, self.sizes, self.batch))
        return values | {p.name: values[p.name].astype(self.dtype) for p in self.identity.signature.arrays}

    @property
    def arrays(self) -> list[Any]:
        """Those of the values that are arrays, on the device."""
        return [jnp.asarray(self.values[p.name]) for p in self.identity.signature.arrays]

    def ours(self) -> Callable[..., Any]:
        """The quantity by the closed form, as a function of the arrays."""
        declared = self.identity.declaration
        of = {
            "derivative": declared.derivative_of,
            "both": declared.both_of,
            "value": reassociate(declared.value_of),
            "hessian": lambda values: self.identity.derivative_operator(order=2, **values).dense(),
        }
        return self._of_arrays(of[self.quantity])

    def by_jax(self) -> Callable[..., Any]:
        """The same by JAX of the plain function."""
        declared = self.identity.declaration

        def along(values: dict[str, Any]) -> tuple[Callable[[Any], Any], Any]:
            return lambda x: declared.value_of(declared.moved(values, x)), jnp.asarray(declared.origin(values))

        def both(values: dict[str, Any]) -> Any:
            f, x = along(values)
            if declared.order == 1 and jax.eval_shape(f, x).shape == ():
                return jax.value_and_grad(f)(x)
            return f(x), autodiff(f, declared.order)(x)

        def hessian(values: dict[str, Any]) -> Any:
            f, x = along(values)
            return autodiff(f, 2)(x)

        of = {
            "derivative": declared.autodiff_of,
            "both": both,
            "value": declared.value_of,
            "hessian": hessian,
        }
        return self._of_arrays(of[self.quantity])

    def _of_arrays(self, of: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
        names = [p.name for p in self.identity.signature.arrays]
        integers = {p.name: self.values[p.name] for p in self.identity.signature.integers}

        def function(*arrays: Any) -> Any:
            return of(dict(zip(names, arrays, strict=True)) | integers)

        return jax.vmap(function) if self.batch else function


@functools.lru_cache(maxsize=2)
def _point(identity: Identity[Any], kind: Any, sizes: tuple[tuple[str, int], ...], batch: int | None) -> dict[str, Any]:
    """Arguments by name in float64; matrices scaled, so that no determinant over- or underflows."""
    names = [p.name for p in identity.signature.parameters]
    drawn = [identity.sample(seed, dtype=np.float64, kind=kind, **dict(sizes)) for seed in range(DRAWN if batch else 1)]
    points = [dict(zip(names, point, strict=True)) for point in drawn]
    values = dict(points[0])
    for p in identity.signature.arrays:
        arrays = np.stack([_scaled(np.asarray(point[p.name])) for point in points])
        repeats = [math.ceil(batch / DRAWN), *[1] * (arrays.ndim - 1)] if batch else []
        values[p.name] = np.tile(arrays, repeats)[:batch] if batch else arrays[0]
    return values


def _scaled(A: Any) -> Any:
    """A matrix divided by the geometric mean of its singular values."""
    if A.ndim != 2:
        return A
    s = np.linalg.svd(A, compute_uv=False)
    return A / np.exp(np.mean(np.log(s))) if s[-1] > 0 else A


def cells(
    identity: Identity[Any],
    dtypes: Sequence[str] = ("float32", "float64"),
    regimes: Sequence[str] = REGIMES,
    quantity: Quantity = "derivative",
    sizes: Mapping[str, int] | None = None,
) -> Iterator[Cell]:
    """The cells of an identity: every kind, regime and dtype that its shapes and conditions allow.

    With `sizes`, such as those of `Identity.sample`, the only regime is "given". A Hessian is that of a scalar by an
    array; a rule has none, as it knows first derivatives only.
    """
    for cell in _candidates(identity, regimes, quantity, sizes):
        if _why_impossible(cell) is None:
            yield from (replace(cell, dtype=dtype) for dtype in dtypes)


def why_none(
    identity: Identity[Any], regimes: Sequence[str], quantity: Quantity, sizes: Mapping[str, int] | None = None
) -> str:
    """Why an identity has none of these cells."""
    reasons = filter(None, map(_why_impossible, _candidates(identity, regimes, quantity, sizes)))
    others = ", ".join(dict.fromkeys(cell.regime for cell in _candidates(identity, REGIMES, quantity, None)))
    return next(reasons, f"its regimes are {others}." if others else "only a scalar by an array has a Hessian.")


def _candidates(
    identity: Identity[Any], regimes: Sequence[str], quantity: Quantity, sizes: Mapping[str, int] | None
) -> Iterator[Cell]:
    """The cells, in float64, of which some may be impossible."""
    for kind in identity.covers:
        if quantity == "hessian" and (isinstance(identity, Rule) or kind not in HESSIANS or identity.order != 1):
            continue
        names = identity.signature.names(kind)
        if sizes is None:
            found = [each for each in _regimes(names) if each[0] in regimes]
        else:
            known = {name: size for name, size in sizes.items() if name in names}
            found = [(GIVEN, identity.signature.sizes(kind, known), None)]
        for regime, lengths, batch in found:
            yield Cell(identity, kind, regime, tuple(lengths.items()), "float64", quantity, batch)


def _regimes(names: list[str]) -> Iterator[tuple[str, dict[str, int], int | None]]:
    if not names:
        yield "scalar", {}, None
        return
    for n in SQUARES:
        yield f"square {n}", dict.fromkeys(names, n), None
    if len(names) > 1:
        for regime, first in SHAPES.items():
            sizes = dict(zip(names, (*first, *[OTHERWISE] * len(names)), strict=False))
            if len(set(sizes.values())) > 1:
                yield regime, sizes, None
    yield f"{BATCH} of {BATCHED}", dict.fromkeys(names, BATCHED), BATCH


def _why_impossible(cell: Cell) -> str | None:
    """None where its arrays are small enough, the formula fits its shapes, and the domain has points of these.

    That is asked of small sizes in the same order of size, for a search in vain is long among large matrices. Where a
    function vanishes identically, as |A X B| does where X is thinner than A is high, or its Hessian, there is nothing
    to compute.
    """
    shapes = cell.identity.signature.shapes(cell.kind, dict(cell.sizes))
    ranks = sorted(set(dict(cell.sizes).values()))
    small = {name: 2 + ranks.index(size) for name, size in cell.sizes}
    try:
        values = cell.identity.sample(0, dtype=np.float64, kind=cell.kind, **small)
    except ValueError:
        return f"of these sizes there is no point with {cell.identity.declaration.condition}."
    with jax.enable_x64(True):
        if cell.quantity == "hessian":
            computed = (cell.identity.derivative_operator(*values, order=2).dense(),)
        else:
            computed = cell.identity.value_and_derivative(*values)
    if all(np.abs(result).max() < 1e-9 for result in computed):
        return f"the {'Hessian' if cell.quantity == 'hessian' else 'function'} vanishes at these sizes."
    arrays = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    integers = {p.name: 1 if p.indexes is None else 0 for p in cell.identity.signature.integers}
    results = jax.eval_shape(lambda arrays: cell.identity.declaration.body(**arrays | integers), arrays)
    largest = max(math.prod(a.shape) for a in (*arrays.values(), *results))
    if cell.quantity == "hessian":
        largest = max(largest, math.prod(shapes[cell.identity.wrt]) ** 2)
    entries = largest * (cell.batch or 1)
    return f"an array of {entries:,} entries is too large; {ENTRIES:,} are the most." if entries > ENTRIES else None
