"""Matrix products that keep less than float32: which programs have any, and what that does to condition and verdict."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from matcalc.referee.jaxprs import multiplies_coarsely

HERE = Path(__file__).parent
U = 2.0**-11  # of TF32


@pytest.fixture(scope="module")
def emulated():
    """What a process finds in which products are in TF32."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, HERE / "under_tf32.py"], env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_products_are_rounded_as_tf32_rounds_them(emulated):
    """Of 1 + 2⁻¹¹ + 2⁻²⁰ the ten bits of TF32 make 1 + 2⁻¹⁰, and sums keep what float32 keeps."""
    entries = 2.0**-20 + 1 + U
    assert emulated["products"]["default"] == [[1 + 2 * U + 2.0**-23] * 2] * 3
    assert emulated["products"]["highest"] == [[float(np.float32(entries) + np.float32(2.0**-23))] * 2] * 3
    assert emulated["products"]["float64"] == [[entries + 2.0**-23] * 2] * 3


def test_the_condition_is_that_of_the_derivative_and_not_of_the_products(emulated):
    for gradient in ("right", "off"):
        found = emulated[gradient]
        assert 0.3 < found["default"]["condition"] / found["highest"]["condition"] < 3


def test_an_error_of_a_hundredth_fails_and_a_right_gradient_passes(emulated):
    assert [emulated["right"][p]["verdict"] for p in ("highest", "default")] == ["pass", "pass"]
    assert [emulated["off"][p]["verdict"] for p in ("highest", "default")] == ["fail", "fail"]
    assert emulated["right"]["default"]["error"] > 1e-5  # the products were coarse
    assert emulated["right"]["default"]["tolerance"] > U


def test_the_tolerance_of_a_program_without_products_is_that_of_float32(emulated):
    found = emulated["without products"]
    assert found["default"] == found["highest"]
    assert found["default"]["tolerance"] < 1e-4


def test_a_claim_without_products_is_held_to_float32_where_autodiff_has_some(emulated):
    found = emulated["entries only"]
    assert (found["default"]["verdict"], found["highest"]["verdict"]) == ("pass", "pass")
    assert found["default"]["tolerance"] < 1e-4
    assert emulated["entries only, off"]["default"]["verdict"] == "fail"


X, SQUARE = jnp.ones(3, jnp.float32), jnp.ones((3, 3), jnp.float32)


@jax.custom_jvp
def with_a_rule(A, x):
    return A @ x


with_a_rule.defjvp(lambda primals, tangents: (with_a_rule(*primals), with_a_rule(tangents[0], primals[1])))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda A, x: A @ x, True),
        (lambda A, x: jax.jit(jnp.matmul)(A, x), True),
        (lambda A, x: jax.lax.scan(lambda y, _: (A @ y, None), x, None, 2)[0], True),
        (lambda A, x: jax.lax.cond(x[0] > 0, lambda: A @ x, lambda: x), True),
        (lambda A, x: jax.lax.while_loop(lambda y: y[0] < 9, lambda y: A @ y, x), True),
        (lambda A, x: jax.vmap(lambda row: row @ x)(A), True),
        (with_a_rule, True),
        (jax.grad(lambda A, x: jnp.sum((A @ x) ** 2)), True),
        (lambda A, x: jnp.convolve(A[0], x), True),
        (lambda A, x: jnp.matmul(A, x, precision="high"), True),
        (lambda A, x: A.astype(jnp.bfloat16) @ x.astype(jnp.bfloat16), True),
        (lambda A, x: jnp.matmul(A, x, precision="highest"), False),
        (lambda A, x: jnp.sum(A * x[None], 1), False),
        (lambda A, x: jnp.linalg.inv(A)[0] + x, False),
    ],
)
def test_which_programs_multiply_coarsely(function, expected):
    assert multiplies_coarsely(jax.make_jaxpr(function)(SQUARE, X).jaxpr) is expected


def test_products_of_float64_are_in_full():
    with jax.enable_x64(True):
        A = jnp.ones((2, 3), jnp.float64)
        assert not multiplies_coarsely(jax.make_jaxpr(lambda A: A @ A.T)(A).jaxpr)
