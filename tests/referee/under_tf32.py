"""Checks in a process whose matrix products are in TF32; what they find is printed as JSON."""

import json

import jax
import jax.numpy as jnp
import numpy as np

import matcalc
from matcalc import check_gradient
from matcalc.referee import emulate_products

PRECISIONS = ("highest", "default")


def product(precision, dtype):
    """Of entries that TF32 cannot hold with others that it can; the terms of a sum differ in size."""
    entry = 1 + 2.0**-11 + 2.0**-20
    A = jnp.asarray([[entry, 2.0**-23, 0.0]] * 3, dtype)
    B = jnp.asarray([[1.0, 1.0]] * 3, dtype)
    return np.asarray(jax.jit(lambda A, B: jnp.matmul(A, B, precision=precision))(A, B)).tolist()


def found(f, gradient, *args, wrt):
    """What the referee finds in each precision."""
    reports = {p: check_gradient(f, gradient, *args, wrt=wrt, precision=p) for p in PRECISIONS}
    return {
        p: {"verdict": r.verdict, "condition": r.condition, "tolerance": r.tolerance, "error": r.errors["reference"]}
        for p, r in reports.items()
    }


def det(A, X, B):
    return jnp.linalg.det(A @ X @ B)


def right(A, X, B):
    return jnp.linalg.det(A @ X @ B) * A.T @ jnp.linalg.inv(A @ X @ B).T @ B.T


def form(A, x):
    return x @ A @ x


def by_entries(A, x):
    return jnp.sum((A + A.T) * x, 1)


emulate_products("tf32")
point = matcalc.det_axb.sample(0, l=2, m=3, n=4)
A, x = (np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in [(4, 4), (4,)])
with jax.enable_x64(True):
    products = {precision: product(precision, np.float32) for precision in PRECISIONS}
    products["float64"] = product("default", np.float64)
report = {
    "products": products,
    "right": found(det, right, *point, wrt="X"),
    "off": found(det, lambda A, X, B: 1.01 * right(A, X, B), *point, wrt="X"),
    "without products": found(lambda x: jnp.sum(x**3), lambda x: 3 * x**2, x, wrt="x"),
    "entries only": found(form, by_entries, A, x, wrt="x"),
    "entries only, off": found(form, lambda A, x: 1.001 * by_entries(A, x), A, x, wrt="x"),
}
print(json.dumps(report))
