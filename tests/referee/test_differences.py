"""Finite differences: how good they are, and that they know it."""

import numpy as np
import pytest

from matcalc.referee import finite_differences
from matcalc.referee.tolerances import relative


def test_finite_differences_of_smooth_functions_are_good_to_eleven_digits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4))
    cases = [
        (lambda X: np.sin(X).sum(), np.cos(x)),
        (lambda X: np.exp(X[0, 0]) * X[1, 1], None),
        (lambda X: np.linalg.norm(X), x / np.linalg.norm(x)),
    ]
    for f, derivative in cases:
        if derivative is None:
            derivative = np.zeros_like(x)
            derivative[0, 0], derivative[1, 1] = np.exp(x[0, 0]) * x[1, 1], np.exp(x[0, 0])
        estimate = finite_differences(f, x, 1)
        error = np.abs(estimate.values - derivative.ravel())
        assert np.all(error <= 1e-11 * np.linalg.norm(derivative))
        assert np.all(error <= 10 * estimate.errors + 1e-14)


def test_finite_differences_admit_what_they_cannot_tell():
    noisy = np.random.default_rng(0)
    estimate = finite_differences(lambda _: noisy.normal(), np.ones(3), 1)
    assert np.linalg.norm(estimate.errors) > 1e-3 * np.linalg.norm(estimate.values)
    kink = finite_differences(lambda x: np.abs(x).sum(), np.zeros(2), 1)
    nan = finite_differences(lambda _: np.nan, np.ones(2), 1)
    assert np.all(np.isinf(nan.errors))
    assert np.all(kink.values == 0)  # central differences cannot see a kink; one-sided ones can
    assert kink.kink(8) == (-1, 1)
    assert finite_differences(lambda x: np.sin(x).sum(), np.ones(2), 1).kink(8) is None


def test_finite_differences_of_what_rounds_inside_know_it():
    """Rounded to float16, sin is a staircase: its steps are no derivative of zero."""

    def f(x):
        return float(np.sin(x).astype(np.float16).sum())

    warned = finite_differences(f, np.ones(2), 1, eps=2.0**-10)
    assert np.all(np.abs(warned.values - np.cos(1)) <= warned.errors)
    assert np.all(warned.errors > 1e-3)


def test_small_derivatives_are_not_lost_in_the_rounding_of_a_large_value():
    """By x₂ the derivative is 1e-6 of that by x₁; at small steps the value does not change at all."""
    x = np.array([8.0, -6.0, 1.0])
    estimate = finite_differences(lambda x: np.log(np.sum(np.exp(x))), x, 1)
    softmax = np.exp(x) / np.sum(np.exp(x))
    assert np.all(np.abs(estimate.values - softmax) <= 10 * estimate.errors + 1e-15)
    assert np.linalg.norm(estimate.values - softmax) < 1e-10
    assert np.all(finite_differences(lambda x: x[0] ** 2, x, 1).values[1:] == 0)


def test_many_variables_take_no_memory_for_their_axes():
    x = np.ones(100_000)
    assert len(finite_differences(lambda x: x @ x, x, 1).directions) == 16


def test_second_differences_see_every_entry_of_a_hessian():
    A = np.random.default_rng(0).normal(size=(4, 4))
    x = np.ones(4)
    estimate = finite_differences(lambda x: x @ A @ x, x, 2)
    H = A + A.T
    assert relative(estimate.project(H, 2), estimate.values) < 1e-9
    for i in range(4):
        for j in range(4):
            wrong = H.copy()
            wrong[i, j] += 0.01
            assert relative(estimate.project(wrong, 2), estimate.values) > 1e-4


def test_many_entries_are_checked_along_random_directions():
    x = np.random.default_rng(0).normal(size=(10, 10))
    estimate = finite_differences(lambda X: (X**2).sum(), x, 1)
    assert len(estimate.directions) == 16
    wrong = 2 * x
    wrong[3, 4] += 1e-3
    assert relative(estimate.project(2 * x, 1), estimate.values) < 1e-11
    assert relative(estimate.project(wrong, 1), estimate.values) > 1e-6


def test_a_plateau_that_smaller_steps_contradict_is_left_for_one_below():
    """ln |det X| of a Hilbert matrix looks flat far from it, by chance, along some directions; its slope is 10⁷."""
    H = np.array([[1 / (i + j + 1) for j in range(6)] for i in range(6)])
    V = np.random.default_rng(0).standard_normal((200, 36))
    estimate = finite_differences(lambda x: np.linalg.slogdet(x.reshape(6, 6))[1], H.ravel(), 1, directions=V, steps=40)
    slopes = V @ np.linalg.inv(H).T.ravel()
    assert np.all(estimate.errors < 1e-5 * np.abs(slopes))
    assert np.all(np.abs(estimate.values - slopes) < 1e-5 * np.abs(slopes))


@pytest.mark.parametrize("distance", [0.0, 1e-6, 1e-9])
def test_a_kink_beside_the_point_is_none_at_it(distance):
    x = np.ones(2)

    def f(y):
        return np.linalg.norm(y - x + distance)

    assert (finite_differences(f, x, 1, steps=40).kink(8) is not None) == (distance == 0)
