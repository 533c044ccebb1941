"""What closed forms move between eight simulated devices, read off the compiled programs: X by rows, automatic axes."""

from simulated import printed

PROGRAM = """
import math
import re
import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import matcalc

mesh = jax.make_mesh((8,), ("rows",), axis_types=(AxisType.Auto,))
SIZES = {"m": 512, "n": 16, "l": 8, "p": 8}
COLLECTIVE = re.compile(r"= (.*) (?:all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?[(]")

def moved(name):
    # The entries of the largest array that a collective operation gives. Axes of m are distributed, others are not.
    identity = matcalc.CATALOGUE[name]
    (kind,) = identity.covers
    sizes = {axis: SIZES[axis] for axis in identity.signature.names(kind)}
    shapes = identity.signature.shapes(kind, sizes)
    arrays = [
        jax.ShapeDtypeStruct(
            shapes[p.name], jnp.float32,
            sharding=NamedSharding(mesh, P(*("rows" if axis == "m" else None for axis in p.axes))),
        )
        for p in identity.signature.arrays
    ]
    rows = NamedSharding(mesh, P("rows", None))
    program = jax.jit(identity.value_and_derivative, out_shardings=(None, rows)).lower(*arrays).compile()
    results = "".join(COLLECTIVE.findall(program.as_text()))
    shapes = re.findall(r"[a-z]+[0-9]+.([0-9,]*)]", results)
    return max((math.prod(map(int, filter(None, shape.split(",")))) for shape in shapes), default=0)

for name in ("tr_axtx", "fro_xat_minus_b", "lsq_xa_minus_b", "tr_axbxtc", "logdet_xtx"):
    print(name, moved(name))
"""
M, N, L = 512, 16, 8


def test_products_move_nothing_of_the_size_of_x():
    moved = {name: int(entries) for name, entries in map(str.split, printed("-c", PROGRAM))}
    # A QR factorisation takes all rows of its X, m×l: so what is as large as X is found.
    assert moved.pop("logdet_xtx") >= M * L
    # Of the others, sums over rows are added up: Xᵀ X, n×n, the product A X, l×n, and numbers.
    assert moved == {"tr_axtx": N * N, "tr_axbxtc": L * N, "fro_xat_minus_b": 1, "lsq_xa_minus_b": 1}
