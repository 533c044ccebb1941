"""Sharded arrays run under JAX's own partitioner: eight simulated devices, in a process of their own."""

import subprocess
import sys

PROGRAM = """
import jax
jax.config.update("jax_num_cpu_devices", 8)
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import matcalc

mesh = jax.make_mesh((8,), ("rows",), axis_types=(AxisType.Auto,))
rows = NamedSharding(mesh, PartitionSpec("rows", None))
sizes_of = {"tr_axbxtc": {"m": 16}, "fro_xat_minus_b": {"m": 16}, "logdet_xtx": {"m": 16}, "det_x": {"n": 8}}
for name, sizes in sizes_of.items():
    identity = matcalc.CATALOGUE[name]
    arguments = identity.sample(0, **sizes)
    argnum = [p.name for p in identity.signature.parameters].index("X")
    gradient = jax.jit(jax.value_and_grad(identity, argnum))
    alone = gradient(*arguments)
    moved = list(arguments)
    moved[argnum] = jax.device_put(arguments[argnum], rows)
    value, D = jax.jit(jax.value_and_grad(identity, argnum), out_shardings=(None, rows))(*moved)
    assert len(D.sharding.device_set) == 8, name
    np.testing.assert_allclose(value, alone[0], rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(D, alone[1], rtol=1e-3, atol=1e-4, err_msg=name)
print("sharded")
"""


def test_identities_run_on_sharded_arrays():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "sharded"
