"""`reassociate` of random functions, in float32: no more operations than written, and the same values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planned_programs import operations

from matcalc import reassociate

SIZES = (1, 2, 3, 5, 8)


def expression(rng, sizes=SIZES):
    """A random function of matrices, vectors and scalars in sums of products, and arguments of it."""
    shapes = {f"{kind}{k}": tuple(map(int, rng.choice(sizes, rank))) for k in range(3) for kind, rank in RANKS.items()}
    pool = [(name, shape) for name, shape in shapes.items()]
    steps = []
    for _ in range(rng.integers(10, 60)):
        (a, s), (b, t) = (pool[i] for i in len(pool) - 1 - rng.integers(min(len(pool), 12), size=2))
        choices = []
        if s and t and s[-1] == t[0] and len(s) + len(t) > 1:
            choices += [("matmul", s[:-1] + t[1:])] * 4
        if s == t:
            choices += [("add", s), ("sub", s)]
        if len(s) == 2:
            choices += [("transpose", s[::-1])] + [("trace", ())] * (s[0] == s[1])
        if not s or not t:
            choices += [("scale", s or t)]
        if choices:
            what, shape = choices[rng.integers(len(choices))]
            pool.append((len(pool), shape))
            steps.append((what, a, b))
    made = [name for name, _ in pool if not isinstance(name, str)]
    asked = made[-2:]

    def fun(args):
        values = dict(args)
        for name, (what, a, b) in zip(made, steps, strict=True):
            values[name] = DO[what](values[a], values[b])
        return [values[name] for name in asked]

    return fun, {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


DO = {
    "matmul": lambda x, y: x @ y,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "scale": lambda x, y: x * y,
    "trace": lambda x, _: jnp.trace(x),
    "transpose": lambda x, _: x.T,
}
RANKS = {"M": 2, "N": 2, "v": 1, "s": 0}


@pytest.mark.parametrize("seed", range(4))
def test_it_never_takes_more_operations_than_written(seed):
    rng, fewer = np.random.default_rng([0, seed]), 0
    for _ in range(250):
        fun, args = expression(rng)
        written, planned = (operations(jax.make_jaxpr(f)(args).jaxpr) for f in (fun, reassociate(fun)))
        assert planned <= written
        fewer += planned < written
    assert fewer > 50


def test_it_computes_the_same():
    rng = np.random.default_rng(1)
    for _ in range(100):
        fun, args = expression(rng, sizes=(1, 2))  # few, as every shape is compiled
        for got, want in zip(reassociate(fun)(args), fun(args), strict=True):
            size = max(float(np.max(np.abs(want), initial=0)), 1.0)
            assert got.shape == want.shape
            assert got.dtype == want.dtype
            assert np.max(np.abs(got - want), initial=0) <= 1e-4 * size
