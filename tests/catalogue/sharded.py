"""The closed forms on eight simulated devices, in a process of their own, against those on one device.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python tests/catalogue/sharded.py PART PARTS | planted

Prints a line for each that differs, and in the end how many were compared.
"""

import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec, get_abstract_mesh
from jaxtyping import Array, Float

from matcalc import CATALOGUE, Identity, Rule

SIZES = {"l": 8, "m": 16, "n": 24, "p": 8, "q": 8}  # which every mesh divides
MESHES = {"by rows": ((8,), ("rows",)), "in blocks": ((4, 2), ("rows", "columns"))}
TOLERANCE = 1e-10  # relative, in float64: points are well conditioned


def spec_of(array: Any, axes: tuple[str, ...]) -> PartitionSpec:
    """Rows over the first axis of a mesh and columns over the second, where it has one and they are divisible."""
    spec: list[str | None] = [None] * array.ndim
    for name, axis in zip(axes, (0, -1), strict=False):
        if array.ndim > -axis and array.shape[axis] % 8 == 0 and spec[axis] is None:
            spec[axis] = name
    return PartitionSpec(*spec)


def variable_of(identity: Identity[Any]) -> int | None:
    """Which argument the derivative is placed as, if it has one."""
    names = [p.name for p in identity.signature.parameters]
    return None if identity.order == 0 or isinstance(identity, Rule) else names.index(identity.wrt)


def differences(identity: Identity[Any], kind: Any) -> Iterator[str]:
    """What differs on the meshes, with automatic and with explicit axes: numbers, or the place of the derivative."""
    sizes = {name: SIZES[name] for name in identity.signature.names(kind)}
    arguments = identity.sample(0, dtype=np.float64, kind=kind, **sizes)
    static = [k for k, a in enumerate(arguments) if isinstance(a, int)]
    program = jax.jit(identity.value_and_derivative, static_argnums=static)
    alone = program(*arguments)
    variable = variable_of(identity)
    for how, (shape, axes) in MESHES.items():
        for kind_of_axes in (AxisType.Auto, AxisType.Explicit):
            mesh = jax.make_mesh(shape, axes, axis_types=(kind_of_axes,) * len(axes))
            placed = [
                a if isinstance(a, int) else jax.device_put(a, NamedSharding(mesh, spec_of(a, axes))) for a in arguments
            ]
            due = None
            if variable is not None:
                X, D = placed[variable], alone[1]
                due = NamedSharding(mesh, PartitionSpec(*[None] * (D.ndim - X.ndim), *X.sharding.spec))
            on_mesh = program
            if kind_of_axes is AxisType.Auto:  # then it is where it is asked for
                on_mesh = jax.jit(identity.value_and_derivative, static_argnums=static, out_shardings=(None, due))
            with jax.set_mesh(mesh):
                found = on_mesh(*placed)
            where = f"{identity.name}, {kind}, {how}, {kind_of_axes.name.lower()} axes"
            for what, one, other in zip(("value", "derivative"), alone, found, strict=True):
                error = np.linalg.norm(np.ravel(one - np.asarray(other))) / (np.linalg.norm(np.ravel(one)) or 1)
                if not error <= TOLERANCE:
                    yield f"{where}: {what} off by {error:.1e}"
            D = found[1]
            # By a vector axis of the value the derivative may be distributed too, where its variable is not.
            own = D.sharding.spec[D.ndim - X.ndim :] if due else ()
            if due and tuple(own) != tuple(X.sharding.spec):
                yield f"{where}: the derivative is placed as {D.sharding.spec}, and the variable as {X.sharding.spec}"


def least_squares(X: Float[Array, "m n"], a: Float[Array, "n"], b: Float[Array, "m"]):
    """‖Xᵀ X a - Xᵀ b‖², whose partial sums Xᵀ r are not added up between devices."""

    def product(X: Any, r: Any) -> Any:
        return X.T @ r

    mesh, P = get_abstract_mesh(), PartitionSpec
    if not mesh.empty:
        product = jax.shard_map(product, in_specs=(P("rows", None), P("rows")), out_specs=P(), check_vma=False)
    g = product(X, X @ a - b)
    f = jnp.sum(g**2)
    df_dX = 2 * (jnp.outer(X @ a - b, g) + jnp.outer(X @ g, a))
    return f, df_dX


def main() -> None:
    """Compare a part of the catalogue, or what is planted."""
    jax.config.update("jax_enable_x64", True)
    if sys.argv[1] == "planted":
        entries = [Identity(least_squares, "||X' X a - X' b||^2", "0", source="", covers="")]
    else:
        part, parts = map(int, sys.argv[1:])
        entries = list(CATALOGUE.values())[part::parts]
    cases = [(identity, kind) for identity in entries for kind in identity.covers]
    for case in cases:
        for line in differences(*case):
            print(line, flush=True)
    print(f"{len(cases)} compared")


if __name__ == "__main__":
    main()
