"""What moves entries and leaves them as they are: transposes, other shapes and types, rows, columns and entries."""

from dataclasses import replace
from typing import Any

from matcalc.calculus.terms import sized, unit
from matcalc.derivation.traced.arrays import COLUMNS, ROWS, Array, Count, Unreadable, matrix_product, vector
from matcalc.derivation.traced.rules import RULES, Reader, Value, integer, placed
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size
from matcalc.planner.operations import rule

# --- Structure


@rule(RULES, "transpose")
def transpose(r: Reader, eqn: Any, a: Array) -> Array:
    order = eqn.params["permutation"]
    return replace(a, axes=tuple(a.axes[k] for k in order), shape=tuple(a.shape[k] for k in order))


@rule(RULES, "broadcast_in_dim")
def broadcast_in_dim(r: Reader, eqn: Any, a: Array, *sizes: Array) -> Array:
    shape = tuple(map(r.size_of, eqn.outvars[0].aval.shape))
    places = eqn.params["broadcast_dimensions"]
    axes: list[Any] = [None] * len(shape)
    for axis, place in enumerate(places):
        if a.axes[axis] is not None and a.shape[axis] == 1 != shape[place]:
            a = r.writer.without(a, axis)
    for axis, place in enumerate(places):
        axes[int(place)] = a.axes[axis]
    return replace(a, axes=tuple(axes), shape=shape)


@rule(RULES, "reshape", "squeeze", "expand_dims")
def reshape(r: Reader, eqn: Any, a: Array, *sizes: Array) -> Array:
    """Axes of size 1 come and go; the rows of a matrix one after the other are vec(Aᵀ)."""
    shape = tuple(map(r.size_of, eqn.outvars[0].aval.shape))
    if shape == a.shape:
        return a
    if a.is_number:
        return Array(a.tree, (None,) * len(shape), shape)
    old, new = ([k for k, size in enumerate(s) if size != 1] for s in (a.shape, shape))
    if [a.shape[k] for k in old] == [shape[k] for k in new]:
        for axis in a.used:
            a = a if axis in old else r.writer.without(a, axis)
        axes: list[Any] = [None] * len(shape)
        for axis, place in zip(old, new, strict=True):
            axes[place] = a.axes[axis]
        return Array(a.tree, tuple(axes), shape)
    match len(old), len(new), a.tree:
        case 2, 1, _:
            rows, columns = old
            A = r.writer.laid(a, {rows: ROWS, columns: COLUMNS})
            stacked = vector(t.Apply("vec", t.transpose(A, r.writer.scalars)), shape[new[0]])
            return placed(stacked, [0], [new[0]], len(shape))
        case 1, 2, t.Apply("vec", A) if r.algebra.dims(A) == (shape[new[1]], shape[new[0]]):
            return r.writer.result(t.transpose(A, r.writer.scalars), {new[0]: ROWS, new[1]: COLUMNS}, shape)
        case _:
            raise Unreadable("of other shapes than a matrix by rows it has no word")


@rule(RULES, "convert_element_type", "copy", "copy_p", "reduce_precision", "optimization_barrier", "pvary", "conj")
def the_same(r: Reader, eqn: Any, a: Value) -> Value:
    """What changes the type of numbers only; but to round them is a step."""
    old, new = (v.aval.dtype.kind for v in (eqn.invars[0], eqn.outvars[0]))
    if new == "c" or (old in "fV" and new in "iub" and not (isinstance(a, Array) and isinstance(a.tree, t.Number))):
        raise Unreadable("a conversion to integers, truth values or complex numbers has no formula")
    return a


@rule(RULES, "stop_gradient")
def stop_gradient(r: Reader, eqn: Any, a: Array) -> Array:
    if r.depends(a.tree):
        raise Unreadable("it holds constant what depends on the variable; give that as another argument")
    return a


@rule(RULES, "dim_as_value")
def dim_as_value(r: Reader, eqn: Any) -> Array:
    return Array(sized(r.size_of(eqn.params["dim"])))


@rule(RULES, "iota")
def iota(r: Reader, eqn: Any, *sizes: Array) -> Count:
    return Count(eqn.params["dimension"], tuple(map(r.size_of, eqn.outvars[0].aval.shape)))


# --- Entries, rows and columns


@rule(RULES, "slice")
def slice_(r: Reader, eqn: Any, a: Array) -> Array:
    p = eqn.params
    for axis, (start, stop) in enumerate(zip(p["start_indices"], p["limit_indices"], strict=True)):
        a = _part(r, a, axis, start, r.size_of(stop - start), step=(p["strides"] or (1,) * len(a.axes))[axis])
    return a


@rule(RULES, "dynamic_slice")
def dynamic_slice(r: Reader, eqn: Any, a: Array, *starts: Array) -> Array:
    for axis, (start, size) in enumerate(zip(starts, eqn.params["slice_sizes"], strict=False)):
        size = r.size_of(size)
        if size != a.shape[axis]:
            a = _part(r, a, axis, integer(start), size)
    return a


@rule(RULES, "gather")
def gather(r: Reader, eqn: Any, a: Array, indices: Array) -> Array:
    """A row, a column or an entry at a given place."""
    d, sizes = eqn.params["dimension_numbers"], tuple(map(r.size_of, eqn.params["slice_sizes"]))
    mapped = tuple(map(int, d.start_index_map))
    if d.operand_batching_dims or len(indices.shape) != 1 or len(mapped) != 1:
        raise Unreadable("of several places it has no word")
    a = _part(r, a, mapped[0], integer(indices), sizes[mapped[0]])
    gone = tuple(map(int, d.collapsed_slice_dims))
    kept = [k for k in range(len(a.axes)) if k not in gone]
    return Array(a.tree, tuple(a.axes[k] for k in kept), tuple(a.shape[k] for k in kept))


def _part(r: Reader, a: Array, axis: int, start: int, size: Size, step: int = 1) -> Array:
    """One row, column or entry, at an axis of size 1 along which the array is constant; or all of the axis."""
    if size == a.shape[axis] and step == 1:
        return a
    if size != 1:
        raise Unreadable("a part of several rows, columns or entries has no word")
    shape = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
    if a.axes[axis] is None:
        return replace(a, shape=shape)
    if start < 0:
        raise Unreadable("the place is counted from the end of a size that is a letter")
    place = unit(t.Number(start + 1), a.shape[axis])
    a = r.writer.along(a, axis, ROWS)
    axes = (*a.axes[:axis], None, *a.axes[axis + 1 :])
    if len(a.used) == 1:
        return Array(_entry(r, a.tree, t.Number(start + 1)), axes, shape)
    return Array(matrix_product(t.Transpose(place), a.tree), axes, shape)


def _entry(r: Reader, tree: Formula, place: Formula) -> Formula:
    """An entry of a column, and of a column or row of a matrix one of the matrix."""
    match tree:
        case t.Product((t.Transpose(A), t.Constant("e", (i, _)))):
            return t.Entry(A, (i, place))
        case t.Product((A, t.Constant("e", (j, _)))):
            return t.Entry(A, (place, j))
        case _:
            return t.Entry(tree, (place,))
