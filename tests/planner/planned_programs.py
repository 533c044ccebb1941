"""What tests of the planner share: programs, what they cost, and arrays to run them on."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from matcalc import reassociate

A, B, x = (np.random.default_rng(0).standard_normal(s).astype(np.float32) for s in ((4, 4), (4, 4), (4,)))


def operations(jaxpr):
    """Multiply-adds, and additions and multiplications entry by entry, of all that is needed, in the program itself."""
    total, needed = 0, {id(atom) for atom in jaxpr.outvars}
    for eqn in reversed(jaxpr.eqns):
        if not any(id(var) in needed for var in eqn.outvars):
            continue
        needed |= {id(atom) for atom in eqn.invars}
        out = math.prod(eqn.outvars[0].aval.shape)
        if eqn.primitive.name == "dot_general":
            total += out * math.prod(eqn.invars[0].aval.shape[i] for i in eqn.params["dimension_numbers"][0][0])
        elif eqn.primitive.name in ("add", "sub", "mul", "add_any"):
            total += out
        elif eqn.params.get("name") == "trace":
            total += eqn.invars[0].aval.shape[0]
    return total


def program(fun, *shapes):
    """A function of arrays of these shapes as `reassociate` has it."""
    return jax.make_jaxpr(reassociate(fun))(*(jnp.ones(shape) for shape in shapes)).jaxpr


def agree(got, want):
    assert jax.tree.structure(got) == jax.tree.structure(want)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
