"""The precision gate: under precision `highest`, no matrix product of the catalogue asks for less."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.lax import Precision

from matcalc import CATALOGUE
from matcalc.devices import Program
from matcalc.devices.program import sizes_of, why_none
from matcalc.referee.jaxprs import products, weak_products

X = jax.ShapeDtypeStruct((4, 4), "float32")
HIGHEST, DEFAULT = Precision.HIGHEST, Precision.DEFAULT


def traced(function, *arguments, precision="highest"):
    with jax.enable_x64(False), jax.default_matmul_precision(precision):
        return jax.make_jaxpr(function)(*arguments).jaxpr


def every_way(entry, kind, sizes):
    """As the chapter has it, planned, planned with the value, as a call, by autodiff: a function, its arguments."""
    declared, names = entry.declaration, [p.name for p in entry.signature.arrays]
    integers = {p.name: 3 if p.indexes is None else 0 for p in entry.signature.integers}

    def function(*arrays):
        values = dict(zip(names, arrays, strict=True)) | integers
        ways = [declared.body(**values), declared.derivative_of(values), declared.both_of(values)]
        ways.append(declared.differentiable(values))
        return [*ways, declared.autodiff_of(values)] if declared.order else ways

    program = Program(entry.name, kind, "derivative", "closed form", "float32", tuple(sizes.items()))
    return function, program.arguments()


@pytest.mark.parametrize("larger", [0, 13])
def test_no_product_is_weak_under_highest(case, larger):
    """At sizes from 10 to 14, and from 23 to 27."""
    entry, kind = case
    sizes = {name: size + larger for name, size in sizes_of(entry, kind, {}).items() if name.isidentifier()}
    assert why_none(entry, kind, sizes) is None
    function, arguments = every_way(entry, kind, sizes)
    assert not weak_products(traced(function, *arguments))


def test_under_default_they_are():
    """So the gate can fail."""
    for name in ("tr_axbxtc", "det_x", "power_rule"):
        entry = CATALOGUE[name]
        kind = next(iter(entry.covers))
        function, arguments = every_way(entry, kind, sizes_of(entry, kind, {}))
        jaxpr = traced(function, *arguments, precision="default")
        assert len(weak_products(jaxpr)) > len(list(products(jaxpr))) / 3, name  # JAX's own may ask for more


def test_a_weak_product_in_a_chapter_is_found(monkeypatch):
    entry = CATALOGUE["tr_axb"]

    def body(A, X, B):
        return jnp.trace(A @ X @ B), jnp.matmul(A.T, B.T, precision=DEFAULT)

    monkeypatch.setattr(entry.declaration, "body", body)
    function, arguments = every_way(entry, "scalar by matrix", sizes_of(entry, "scalar by matrix", {}))
    assert len(weak_products(traced(function, *arguments))) == 4  # in every way but autodiff


# --- The walk: a product in every kind of program inside a program


@jax.custom_jvp
def with_a_tangent(A):
    return A @ A


@with_a_tangent.defjvp
def _(primals, tangents):
    (A,), (dA,) = primals, tangents
    return A @ A, A @ dA + dA @ A


@jax.custom_vjp
def with_a_pullback(A):
    return A @ A


with_a_pullback.defvjp(lambda A: (A @ A, A), lambda A, G: (A.T @ G + G @ A.T,))

INSIDE = {
    "plain": lambda A: A @ A,
    "jit": jax.jit(lambda A: A @ A),
    "scan": lambda A: jax.lax.scan(lambda B, _: (B @ A, None), A, None, length=3)[0],
    "loop": lambda A: jax.lax.fori_loop(0, 3, lambda _, B: B @ A, A),
    "while": lambda A: jax.lax.while_loop(lambda B: (B @ B)[0, 0] < 9, lambda B: B + 1, A),
    "cond": lambda A: jax.lax.cond(A[0, 0] > 0, lambda B: B, lambda B: B @ B, A),
    "switch": lambda A: jax.lax.switch(1, [lambda B: B, lambda B: -B, lambda B: jax.jit(jnp.matmul)(B, B)], A),
    "custom_jvp": with_a_tangent,
    "custom_vjp": with_a_pullback,
    "checkpoint": jax.checkpoint(lambda A: A @ A),
    "vmap": jax.vmap(lambda a: jnp.outer(a, a) @ a),
    "convolution": lambda A: jnp.convolve(A[0], A[1]),
    "of the derivative": jax.grad(lambda A: jnp.sum(jax.jit(with_a_tangent)(A) ** 2)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_the_walk_goes_everywhere(name):
    function = INSIDE[name]
    weak = traced(function, X, precision="default")
    assert len(weak_products(weak)) == len(list(products(weak))) > 0
    full = traced(lambda A: function(A), X)  # a function of its own: JAX keeps what it traced
    assert not weak_products(full)
    assert len(list(products(full))) == len(list(products(weak)))


@pytest.mark.parametrize("precision", [None, DEFAULT, Precision.HIGH, (HIGHEST, DEFAULT), "BF16_BF16_F32"])
def test_what_is_weak(precision):
    multiply = functools.partial(jnp.matmul, precision=precision)
    assert len(weak_products(traced(multiply, X, X, precision="default"))) == 1
    assert not weak_products(traced(functools.partial(jnp.matmul, precision=HIGHEST), X, X, precision="default"))


def test_products_of_integers_are_exact():
    assert not list(products(traced(jnp.matmul, *[jax.ShapeDtypeStruct((3, 3), "int32")] * 2)))
