"""Domains: what is drawn lies inside, is well conditioned, and what lies outside is told."""

import numpy as np
import pytest

from matcalc.domains import named

SQUARE = [
    "invertible",
    "symmetric",
    "positive definite",
    "correlation",
    "orthogonal",
    "diagonal",
    "positive diagonal",
    "lower triangular",
    "upper triangular",
]


@pytest.mark.parametrize("name", SQUARE)
def test_square_matrices_are_drawn_inside_and_well_conditioned(name):
    domain, rng = named(name), np.random.default_rng(0)
    for n in (1, 2, 5, 8):
        drawn = [domain.sample(rng, (n, n)) for _ in range(40)]
        assert all(domain.contains(A) for A in drawn)
        assert max(np.linalg.cond(A) for A in drawn) < 200
    assert domain.has_shape((3, 3))
    assert not domain.has_shape((3, 2))


@pytest.mark.parametrize(("name", "shape"), [("sums to one", (4,)), ("0/1", (3, 4)), ("full column rank", (4, 2))])
def test_what_is_not_square_is_drawn_inside(name, shape):
    domain = named(name)
    assert all(domain.contains(domain.sample(np.random.default_rng(k), shape)) for k in range(20))
    assert domain.contains(domain.project(domain.sample(np.random.default_rng(0), shape)))
    assert domain.has_shape(shape)


@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("sums to one", np.array([0.5, 0.6])),
        ("0/1", np.array([0.5, 1.0])),
        ("correlation", np.array([[2.0, 0.0], [0.0, 1.0]])),
        ("correlation", np.array([[1.0, 2.0], [2.0, 1.0]])),
        ("positive diagonal", np.diag([1.0, -1.0])),
        ("positive diagonal", np.array([[1.0, 0.5], [0.0, 1.0]])),
    ],
)
def test_what_lies_outside_is_told(name, outside):
    assert not named(name).contains(outside)


def test_a_mask_has_both_numbers():
    assert all(set(named("0/1").sample(np.random.default_rng(k), (1, 2)).ravel()) == {0, 1} for k in range(20))


THIN = [*SQUARE[1:], "skew-symmetric"]


@pytest.mark.parametrize("name", [*THIN, "sums to one"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_off_by_rounding_lies_inside_and_what_is_off_by_more_outside(name, dtype):
    domain, rng = named(name), np.random.default_rng(1)
    a = domain.sample(rng, (4,) if name == "sums to one" else (4, 4))
    off = rng.uniform(0.5, 1, a.shape) * np.max(np.abs(a))
    u = np.finfo(dtype).eps
    assert domain.contains((a + 20 * u * off).astype(dtype))
    assert not domain.contains((a + 40 * np.sqrt(u) * off).astype(dtype))
    assert not domain.contains(np.where(a == a.max(), np.nan, a).astype(dtype))
    inside = domain.project((a + 20 * u * off).astype(dtype))
    assert inside.dtype == dtype
    np.testing.assert_allclose(inside, a, atol=100 * u * np.max(np.abs(a)))
