"""Identities on a mesh whose axes are explicit, as those of `jax.make_mesh` are: eight simulated devices."""

from simulated import printed

PROGRAM = """
import jax
jax.config.update("jax_enable_x64", True)
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import matcalc
from matcalc import det_x, exp_xa, hess_quad_xax, itself, product_rule, tr_axbxtc

mesh = jax.make_mesh((4, 2), ("rows", "columns"))
jax.set_mesh(mesh)

def on(array, *spec, mesh=mesh):
    return jax.device_put(array, NamedSharding(mesh, P(*spec)))

def same(got, expected, *spec):
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)
    assert got.sharding.spec == P(*spec), got.sharding.spec

def raises(text, f, *arguments):
    try:
        f(*arguments)
    except ValueError as error:
        assert str(error) == text, error
    else:
        raise AssertionError(text)

A, X, B, C = arguments = tr_axbxtc.sample(0, dtype=np.float64, l=8, m=16, n=6)
placed = (on(A, None, "rows"), on(X, "rows", "columns"), B, on(C, "rows"))
value, D = tr_axbxtc.value_and_derivative(*arguments)

# The derivative is placed as its variable is, in every layout in which that can be said.
same(tr_axbxtc(*placed), value)
same(tr_axbxtc.derivative(*placed), D, "rows", "columns")
same(tr_axbxtc.derivative(*placed, layout="numerator"), D.T, "columns", "rows")
same(tr_axbxtc.derivative(*placed, layout="vec"), D.T.reshape(1, -1), None, "columns")
same(tr_axbxtc.autodiff(*placed), D, "rows", "columns")

# Every mode of differentiation, by each argument, and under vmap along and across the axes of the mesh.
for grad in (jax.grad(tr_axbxtc, 1), jax.jit(jax.grad(tr_axbxtc, 1))):
    same(grad(*placed), D, "rows", "columns")
np.testing.assert_allclose(jax.jit(jax.jacfwd(tr_axbxtc, 1))(*placed), D, rtol=1e-10)
second = jax.jit(jax.hessian(tr_axbxtc, 1))
np.testing.assert_allclose(second(*placed), second(*arguments), rtol=1e-10, atol=1e-10)
by_others = jax.jit(jax.grad(tr_axbxtc, (0, 3)))
for one, other in zip(by_others(*placed), by_others(*arguments)):
    np.testing.assert_allclose(one, other, rtol=1e-10)
along = lambda X: tr_axbxtc(A, X, B, C)
same(jax.jvp(along, (placed[1],), (placed[1],))[1], jax.jvp(along, (X,), (X,))[1])
each = jax.jit(jax.vmap(jax.grad(det_x)))
many = np.random.default_rng(0).standard_normal((4, 6, 6))
for spec in (("rows", None, "columns"), (None, "columns")):
    spec = (*spec, None, None)[:3]
    same(each(on(many, *spec)), each(many), *spec)

# The value is placed by the names of its axes; the Hessian in its last axes as the variable.
a = np.float64(0.1)
M = np.random.default_rng(1).standard_normal((8, 8)) / 8
same(exp_xa(a, on(M, "columns", "rows")), exp_xa(a, M), "columns", "rows")
U, V = np.random.default_rng(2).standard_normal((2, 8, 8))
same(product_rule(on(U, "rows"), on(U, "rows"), V, V), product_rule(U, U, V, V), "rows", None)
x, S = hess_quad_xax.sample(0, dtype=np.float64, n=8)
same(hess_quad_xax.derivative(on(x, "rows"), on(S, "rows")), hess_quad_xax.derivative(x, S), None, "rows")
same(itself.derivative(on(x, "rows")), np.eye(8), None, "rows")

# Where some axes are explicit and others are not, and inside shard_map, where they are neither.
some = jax.make_mesh((4, 2), ("rows", "columns"), axis_types=(AxisType.Explicit, AxisType.Auto))
with jax.set_mesh(some):
    np.testing.assert_allclose(tr_axbxtc.derivative(A, on(X, "rows", "columns", mesh=some), B, C), D, rtol=1e-10)
inside = jax.jit(jax.shard_map(each, in_specs=P("rows"), out_specs=P("rows"), axis_names={"rows"}))
np.testing.assert_allclose(inside(on(many, "rows", None, "columns")), each(many), rtol=1e-10)

# A derivative as a linear map takes automatic axes only.
raises(
    "tr_axbxtc: a derivative operator takes arrays on a mesh with automatic axes, and these lie on one with explicit "
    "axes. Make it by jax.make_mesh with axis_types=(AxisType.Auto,) for each axis.",
    tr_axbxtc.derivative_operator, *placed,
)

# What lies on several meshes is refused.
auto = jax.make_mesh((4, 2), ("rows", "columns"), axis_types=(AxisType.Auto,) * 2)
rule = "tr_axbxtc: all arguments must lie on one mesh, with axes of one type, but "
raises(
    rule + "that of A is (rows=4 auto, columns=2 auto), that of X is (rows=4 explicit, columns=2 explicit), that of "
    "jax.set_mesh is (rows=4 explicit, columns=2 explicit). Place them on one by jax.device_put.",
    tr_axbxtc, on(A, mesh=auto), placed[1], B, C,
)
with jax.set_mesh(jax.make_mesh((8,), ("all",))):
    raises(
        rule + "that of X is (rows=4 explicit, columns=2 explicit), that of jax.set_mesh is (all=8 explicit). "
        "Place them on one by jax.device_put.",
        jax.grad(tr_axbxtc, 1), A, placed[1], B, C,
    )
print("placed")
"""


def test_identities_take_arrays_on_explicit_axes():
    assert printed("-c", PROGRAM) == ["placed"]
