"""Where results lie on a mesh of devices whose axes are explicit, so that the axes of types name them.

JAX then asks where the result of an operation lies wherever that could be one place or another, as in a product that
is summed over a distributed axis. Formulas do not say. So they are computed with automatic axes, as if nothing was
distributed, and only what an identity returns is placed: by the names that the axes have in its signature.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec, auto_axes, get_abstract_mesh

Spec = tuple[Any, ...]  # for each axis of an array, the axis of the mesh over which it is distributed, several, or None
Labels = tuple[Any, ...]  # for each axis of an array, its name


def with_automatic_axes(
    function: Callable[[dict[str, Any]], Any],
    arguments: Mapping[str, Any],
    places: Callable[[Mapping[str, Spec]], PartitionSpec | tuple[PartitionSpec, ...]],
    name: str,
) -> Any:
    """The function of arguments by name, computed with automatic axes if they lie on a mesh with explicit ones.

    `places` gives the places of its results from those of the arrays.
    """
    arrays = {key: value for key, value in arguments.items() if isinstance(value, jax.Array)}
    mesh = explicit_mesh(name, arrays)
    if mesh is None:
        return function({**arguments})
    specs = places({key: tuple(jax.typeof(array).sharding.spec) for key, array in arrays.items()})
    out = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
    computed: Any = auto_axes(
        lambda arrays: function({**arguments, **arrays}), axes=mesh.explicit_axes, out_sharding=out
    )
    return computed(arrays)


def explicit_mesh(name: str, arguments: Mapping[str, Any]) -> Any:
    """The mesh on which the arrays among the arguments lie, if it has explicit axes; else None.

    ValueError, in which the function is called `name`, for several meshes, of which one has explicit axes.
    """
    meshes = {key: jax.typeof(value).sharding.mesh for key, value in arguments.items() if isinstance(value, jax.Array)}
    known: dict[str, Any] = {key: mesh for key, mesh in meshes.items() if not mesh.empty}
    mesh = next(iter(known.values()), None)
    if not (around := get_abstract_mesh()).empty:
        known["jax.set_mesh"] = around
    if mesh is None or not any(mesh.explicit_axes for mesh in known.values()):
        return None
    if len({*known.values()}) > 1:
        listed = ", ".join(f"that of {key} is {_text(mesh)}" for key, mesh in known.items())
        raise ValueError(
            f"{name}: all arguments must lie on one mesh, with axes of one type, but {listed}. "
            "Place them on one by jax.device_put."
        )
    return mesh


def _text(mesh: Any) -> str:
    """Such as (rows=8 explicit)."""
    axes = zip(mesh.axis_names, mesh.axis_sizes, mesh.axis_types, strict=True)
    return f"({', '.join(f'{name}={size} {kind.name.lower()}' for name, size, kind in axes)})"


def by_name(labels: Labels, arguments: Iterable[tuple[Labels, Spec]], taken: Sequence[Any] = ()) -> Spec:
    """Places for axes of these names: of each, that of the first axis of arguments that has this name.

    An axis of the mesh distributes one axis of an array only; those of `taken` are not used.
    """
    known = [pair for names, spec in arguments for pair in zip(names, spec, strict=True)]
    used, places = {axis for place in taken for axis in _axes(place)}, list[Any]()
    for label in labels:
        places.append(next((place for own, place in known if own == label and used.isdisjoint(_axes(place))), None))
        used.update(_axes(places[-1]))
    return tuple(places)


def _axes(place: Any) -> tuple[Any, ...]:
    """The axes of a mesh in the place of an axis of an array."""
    return () if place is None else place if isinstance(place, tuple) else (place,)
