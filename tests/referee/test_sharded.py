"""Sharded arguments stay so in a check: eight simulated devices, in a process of their own."""

import subprocess
import sys

PROGRAM = """
import jax
jax.config.update("jax_num_cpu_devices", 8)
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from matcalc import check_gradient

mesh = jax.make_mesh((8,), ("rows",), axis_types=(AxisType.Auto,))
rows = NamedSharding(mesh, PartitionSpec("rows", None))
seen = set()

def f(X, w):
    jax.debug.inspect_array_sharding(X, callback=lambda s: seen.add(len(s.device_set)))
    return jnp.sum(jnp.sin(X) @ w)

def g(X, w):
    jax.debug.inspect_array_sharding(X, callback=lambda s: seen.add(len(s.device_set)))
    return jnp.cos(X) * w

X, w = np.random.default_rng(0).standard_normal((16, 3)), np.arange(1.0, 4.0)
for dtype in (np.float32, np.float64):
    with jax.enable_x64(True):
        sharded = jax.device_put(X.astype(dtype), rows)
    for wrt in ((0, 1), 0, 1):
        seen.clear()
        both = jax.grad(f, (0, 1)) if wrt == (0, 1) else g if wrt == 0 else lambda X, w: jnp.sum(jnp.sin(X), axis=0)
        report = check_gradient(f, both, sharded, w.astype(dtype), wrt=wrt)
        assert report.verdict == "pass", report
        assert seen == {8}, (dtype, wrt, seen)
    wrong = check_gradient(f, lambda X, w: 2 * g(X, w), sharded, w.astype(dtype))
    assert wrong.cause.text == "It is 2 times the gradient.", wrong
print("sharded")
"""


def test_sharded_arguments_stay_so():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "sharded"
