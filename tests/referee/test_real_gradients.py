"""Where people stand: at an optimum, at zero, on a staircase, beside a cancellation, with a solver or a model inside f.

The right answers were found by hand or by mpmath; wrong claims are planted beside the right ones.
"""

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
import pytest

import matcalc
from matcalc import check_gradient, check_log_det

RNG = np.random.default_rng(0)
A, y = RNG.normal(size=(20, 4)), RNG.normal(size=20)
B = RNG.normal(size=(4, 4))
S = B @ B.T + np.eye(4)
OPTIMUM = np.linalg.lstsq(A, y, rcond=None)[0]


def said(report):
    return f"{report.cause or ''} {' '.join(report.notes)}".lower()


# --- Where the derivative vanishes

VANISHING = {
    "cos at 0, NumPy": (lambda x: np.cos(x).sum(), lambda x: -np.sin(x), np.zeros(3)),
    "cos at 0": (lambda x: jnp.cos(x).sum(), lambda x: -jnp.sin(x), np.zeros(3)),
    "least squares at its solution": (lambda x: jnp.sum((A @ x - y) ** 2), lambda x: 2 * A.T @ (A @ x - y), OPTIMUM),
    "the same, NumPy": (lambda x: np.sum((A @ x - y) ** 2), lambda x: 2 * A.T @ (A @ x - y), OPTIMUM),
    "(3x - 1)² at 1/3": (lambda x: jnp.sum((3 * x - 1) ** 2), lambda x: 6 * (3 * x - 1), np.full(3, 1 / 3)),
    "quartic at its minimum": (lambda x: jnp.sum((x - 1) ** 4), lambda x: 4 * (x - 1) ** 3, np.ones(3)),
    "x³ at 0": (lambda x: jnp.sum(x**3), lambda x: 3 * x**2, np.zeros(2)),
    "saddle": (lambda x: x[0] ** 2 - x[1] ** 2, lambda x: jnp.array([2 * x[0], -2 * x[1]]), np.zeros(2)),
    "of values": (
        lambda x: jnp.stack([jnp.cos(x[0]), x[1]]),
        lambda x: jnp.diag(jnp.array([-jnp.sin(x[0]), 1.0])),
        np.zeros(2),
    ),
    "float32": (lambda x: jnp.sum((3 * x - 1) ** 2), lambda x: 6 * (3 * x - 1), np.full(3, 1 / 3, np.float32)),
    "tiny": (lambda x: 1e-30 * jnp.sum((3 * x - 1) ** 2), lambda x: 6e-30 * (3 * x - 1), np.full(3, 1 / 3)),
    "huge": (lambda x: 1e30 * jnp.sum((3 * x - 1) ** 2), lambda x: 6e30 * (3 * x - 1), np.full(3, 1 / 3)),
}


@pytest.mark.parametrize("name", VANISHING)
def test_a_right_gradient_passes_where_it_vanishes_and_a_wrong_one_fails(name):
    f, gradient, x = VANISHING[name]
    right = check_gradient(f, gradient, x)
    assert right.verdict == "pass", said(right)
    for factor, cause in ((2, "2 times"), (-1, "negative")):
        wrong = check_gradient(f, lambda x, by=factor: by * gradient(x), x)
        assert wrong.verdict == "fail", (factor, said(wrong))
        assert cause in said(wrong)
    size = np.max(np.abs(gradient(1.5 * x + 0.5))).astype(x.dtype)
    constant = check_gradient(f, lambda x: gradient(x) + size, x)
    assert constant.verdict == "fail", said(constant)


def test_it_is_said_where_it_is_judged():
    right = check_gradient(lambda x: jnp.sum((A @ x - y) ** 2), lambda x: 2 * A.T @ (A @ x - y), OPTIMUM)
    assert "vanishes here to rounding" in said(right)
    assert "moved by 6.2%" in said(right)


def test_one_of_several_variables_may_be_stationary():
    def f(x, w):
        return jnp.sum((x - 1) ** 2) + jnp.sum(w**3)

    def gradient(x, w, of_x=2.0, of_w=3.0):
        return of_x * (x - 1), of_w * w**2

    w = np.array([0.5, -1.2])
    assert check_gradient(f, gradient, np.ones(3), w, wrt=(0, 1)).verdict == "pass"
    for wrong in ({"of_x": 4.0}, {"of_w": 6.0}):
        report = check_gradient(f, lambda x, w, k=wrong: gradient(x, w, **k), np.ones(3), w, wrt=(0, 1))
        assert report.verdict == "fail"
        assert f"by {next(iter(wrong))[-1]}: it is 2 times the gradient" in said(report)


def test_f_may_have_no_value_farther_away():
    """ln cos 30 x has none from x = 0.053 on, and the gradient is compared nearer by."""

    def f(x):
        return jnp.sum(jnp.log(jnp.cos(30 * x)))

    assert check_gradient(f, lambda x: -30 * jnp.tan(30 * x), np.zeros(3)).verdict == "pass"
    assert check_gradient(f, lambda x: -60 * jnp.tan(30 * x), np.zeros(3)).verdict == "fail"


def test_a_kernel_at_equal_points():
    def rbf(x, y):
        return jnp.exp(-jnp.sum((x - y) ** 2))

    one = np.ones(3)
    assert check_gradient(rbf, None, one, one).verdict == "pass"
    assert check_gradient(rbf, lambda x, y: -2 * (x - y) * rbf(x, y), one, one).verdict == "pass"
    assert check_gradient(rbf, lambda x, y: 2 * (x - y) * rbf(x, y), one, one).verdict == "fail"


def test_an_array_that_is_claimed_at_an_optimum():
    def f(x):
        return jnp.sum((A @ x - y) ** 2)

    assert check_gradient(f, np.asarray(2 * A.T @ (A @ OPTIMUM - y)), OPTIMUM).verdict == "pass"
    assert check_gradient(f, np.asarray(2 * A.T @ (A @ OPTIMUM + y)), OPTIMUM).verdict == "fail"


def test_where_the_derivative_of_jax_is_nan_and_the_truth_is_zero():
    report = check_gradient(
        lambda x: jnp.exp(-(jnp.linalg.norm(x) ** 2)), lambda x: -2 * x * jnp.exp(-x @ x), np.zeros(3)
    )
    assert report.verdict == "autodiff-wrong", said(report)

    def matern(x, y):
        d = jnp.linalg.norm(x - y)
        return (1 + jnp.sqrt(3.0) * d) * jnp.exp(-jnp.sqrt(3.0) * d)

    def claim(x, y):
        return -3 * (x - y) * jnp.exp(-jnp.sqrt(3.0) * jnp.sqrt(jnp.sum((x - y) ** 2)))

    assert check_gradient(matern, claim, np.ones(3), np.ones(3)).verdict == "autodiff-wrong"
    wrong = check_gradient(matern, lambda x, y: -claim(x, y), np.ones(3), np.ones(3))
    assert wrong.verdict == "fail"
    assert "negative" in said(wrong)


# --- Where a witness is wrong


def test_a_staircase_is_no_slope_of_zero():
    def f(x):
        return jnp.log(1 - jax.nn.sigmoid(x))

    for gradient in (lambda x: -jax.nn.sigmoid(x), None):
        assert check_gradient(f, gradient, 30.0).verdict == "pass"
    assert check_gradient(f, lambda x: -2 * jax.nn.sigmoid(x), 30.0).verdict == "fail"

    def of_numpy(x):
        return np.log(1 - 1 / (1 + np.exp(-np.asarray(x))))

    assert check_gradient(of_numpy, lambda x: -1 / (1 + np.exp(-x)), 30.0).verdict in ("pass", "inconclusive")


def test_level_is_level():
    """A ReLU that is off is no staircase, and neither is a floor."""
    x = np.array([-0.3, -1.0, -2.0])
    for f in (lambda x: np.maximum(x, 0).sum(), lambda x: jnp.maximum(x, 0).sum(), lambda x: jnp.floor(x + 0.25).sum()):
        assert check_gradient(f, lambda x: 0 * x, x).verdict == "pass"
        assert check_gradient(f, lambda x: 1 + 0 * x, x).verdict == "fail"


CANCELLING = {
    "sin x / x": (lambda x: jnp.sin(x) / x, lambda x: -x / 3 + x**3 / 30, 1e-4),
    "√(1 + x²) - x": (
        lambda x: jnp.sqrt(1 + x**2) - x,
        lambda x: -1 / (jnp.sqrt(1 + x**2) * (jnp.sqrt(1 + x**2) + x)),
        1e6,
    ),
    "(eˣ - 1 - x) / x²": (
        lambda x: (jnp.exp(x) - 1 - x) / x**2,
        lambda x: 1 / 6 + x / 12 + x**2 / 40 + x**3 / 180 + x**4 / 1008 + x**5 / 6720,
        1e-2,
    ),
    "(1 - cos x) / x": (lambda x: (1 - jnp.cos(x)) / x, lambda x: 0.5 - x**2 / 8, 1e-5),
}


@pytest.mark.parametrize("name", CANCELLING)
def test_what_cancellation_makes_of_jax_is_not_the_truth(name):
    f, gradient, x = CANCELLING[name]
    assert check_gradient(f, gradient, x).verdict in ("pass", "autodiff-wrong")
    wrong = check_gradient(f, lambda x: 1.001 * gradient(x), x)
    assert wrong.verdict == "fail", said(wrong)


def test_what_underflows_is_compared_all_the_same():
    assert check_gradient(jnp.expm1, jnp.exp, -40.0).ok  # in some versions of JAX its own derivative is lost there
    assert check_gradient(jnp.expm1, lambda x: 10 * jnp.exp(x), -40.0).verdict == "fail"


def test_a_value_that_is_replaced_where_it_is_not_defined():
    def sinc(x):
        return jnp.where(x == 0, 1.0, jnp.sin(x) / jnp.where(x == 0, 1.0, x))

    assert check_gradient(sinc, None, 0.0).verdict == "pass"


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: jnp.where(x == 0, 5.0, x**2 + 3 * x), 0.0),
        (lambda x: jnp.where(x == 0, 5.0 + 3 * x, x**2 + 3 * x), 0.0),
        (lambda x: jnp.where(x >= 1, x, 0.0), 1.0),
        (lambda x: np.where(np.asarray(x) >= 1, x, 0.0).sum(), np.array([1.0, 2.0])),
        (lambda x: jnp.heaviside(x, 0.5) + x, 0.0),
    ],
)
def test_a_jump_has_no_derivative(f, x):
    for gradient in (lambda x: 2 * x + 3, lambda x: 0 * x):
        report = check_gradient(f, gradient, x)
        assert report.verdict == "inconclusive"
        assert "jumps" in said(report)


@pytest.mark.parametrize("steep", [1e6, 1e9])
def test_a_steep_function_does_not_jump(steep):
    assert check_gradient(lambda x: steep * x, lambda x: steep + 0 * x, 1.0).verdict == "pass"
    slope = check_gradient(lambda x: jnp.tanh(steep * x), lambda x: steep / jnp.cosh(steep * x) ** 2, 0.0)
    assert slope.verdict == "pass", said(slope)


# --- JAX's own derivative


def test_own_derivatives_inside_a_domain():
    def f(A):
        return jnp.sum(jsl.cholesky(A, lower=True))

    assert check_gradient(f, None, S, where="positive definite").verdict == "pass"
    assert check_gradient(f, jax.grad(f), S, where="positive definite").verdict == "pass"


def newton(a, within=1e-6):
    return jax.lax.while_loop(lambda x: jnp.abs(x * x - a) > within * a, lambda x: 0.5 * (x + a / x), a)


def test_a_loop_has_a_pushforward_only():
    report = check_gradient(newton, None, 2.0)
    assert report.verdict == "pass", said(report)
    assert "as a pushforward." in said(report)


def test_what_jax_cannot_differentiate_is_no_wrong_gradient():
    report = check_gradient(lambda x: jnp.sum(jsl.sqrtm(x).real), None, S)
    assert report.verdict == "inconclusive"
    assert "jax has no derivative of this" in said(report)


def test_several_results():
    def f(x):
        return jnp.sum(x**2), {"aux": x}

    for gradient in (None, lambda x: 2 * x):
        report = check_gradient(f, gradient, np.ones(3))
        assert report.verdict == "inconclusive"
        assert "one array" in said(report)
        assert check_gradient(f, gradient, np.ones(3), output=0).verdict == "pass"
    assert check_gradient(lambda x: {"a": x, "b": jnp.sum(x)}, lambda x: 1 + 0 * x, np.ones(3), output="b").ok
    assert "picks nothing" in said(check_gradient(f, None, np.ones(3), output=7))


# --- Never for ever


def test_a_loop_that_would_not_end_in_float32():
    def tight(a):
        return newton(a, within=1e-13)

    report = check_gradient(tight, lambda a: 1 / tight(a), 2.0)
    assert report.verdict == "fail"
    assert "2 times" in said(report)


@pytest.mark.parametrize(("n", "most", "most_of_wrong"), [(8, 30, 60), (32, 20, 40), (100, 20, 50), (1000, 1, 50)])
def test_a_function_of_numpy_takes_few_evaluations(n, most, most_of_wrong):
    count = [0]

    def f(x):
        count[0] += 1
        return np.sum(np.sin(np.float64(x)) * np.arange(1, n + 1))

    x = np.linspace(0.1, 3, n)
    assert check_gradient(f, lambda x: np.cos(x) * np.arange(1, n + 1), x).verdict == "pass"
    assert count[0] <= most * n
    count[0] = 0
    off = np.where(np.arange(n) == 5, 1.5, 1.0)
    report = check_gradient(f, lambda x: np.cos(x) * np.arange(1, n + 1) * off, x)
    assert report.verdict == "fail"
    assert "ntry (5)" in said(report)
    assert count[0] <= most_of_wrong * n


@pytest.mark.parametrize("n", [6, 20, 40])
def test_what_happens_along_one_axis_of_a_function_of_numpy_is_seen(n):
    x = np.random.default_rng(0).standard_normal(n)
    x[3] = 0

    def squares(x):
        return np.sum(np.float64(x) ** 2)

    def by_cause(f, gradient):
        cause = check_gradient(f, gradient, x).cause
        return cause and cause.name

    assert by_cause(squares, lambda x: 2 * x) is None
    assert by_cause(lambda x: squares(x) + 0.1 * np.abs(x[3]), lambda x: 2 * x) == "kink"
    assert by_cause(lambda x: squares(x) + (x[3] > 0), lambda x: 2 * x) == "jump"


@pytest.mark.parametrize("n", [6, 31, 40])
def test_sums_of_an_argument_and_a_small_step_are_rounded(n):
    """At a zero of f nothing else shows that the smallest steps are not what they should be."""
    x = np.random.default_rng(0).standard_normal(n)

    def f(y):
        return np.sum(np.tanh(1e4 * (np.float64(y) - x)))

    assert check_gradient(f, lambda y: 1e4 / np.cosh(1e4 * (y - x)) ** 2, x).verdict == "pass"
    wrong = check_gradient(f, lambda y: 1.001e4 / np.cosh(1e4 * (y - x)) ** 2, x)
    assert wrong.verdict == "fail"


@pytest.mark.parametrize("seed", range(20))
def test_what_rounding_leaves_of_a_zero_derivative_is_no_mistake(seed):
    """Two numbers have the cosine 1 or -1: the derivative is 0, and its formula gives a few units of rounding."""

    def cosine(a, b):
        return a @ b / (jnp.sqrt(a @ a) * jnp.sqrt(b @ b))

    def gradient(a, b):
        ra, rb = jnp.sqrt(a @ a), jnp.sqrt(b @ b)
        return b / (ra * rb) - (a @ b) * a / (ra**3 * rb)

    a, b = np.random.default_rng(seed).standard_normal((2, 1))
    assert check_gradient(cosine, gradient, a, b).verdict in ("pass", "inconclusive")
    assert check_gradient(cosine, lambda a, b: 1e-9 + gradient(a, b), a, b).verdict != "pass"


@pytest.mark.parametrize("seed", range(8))
def test_quotients_of_noise_are_not_equal_by_chance(seed):
    """The determinant of a nearly singular matrix is a difference of larger numbers, and less precise than it seems."""
    X = np.array([[1.0, 1, 1, 2], [1, 1, 0, 3], [2, 2, 1, 7], [0, 0, 1, 1]])

    def det(X):
        return np.linalg.det(np.asarray(X))

    assert check_gradient(det, lambda X: matcalc.det_x.derivative(X), X, seed=seed).verdict == "pass"


def test_the_value_is_a_factor_too():
    def f(x):
        return np.exp(np.sum(np.float64(x) ** 2))

    report = check_gradient(f, lambda x: 2 * x, np.array([0.3, -0.4, 0.5]))
    assert report.verdict == "fail"
    assert report.cause is not None
    assert report.cause.text == "It lacks the factor f(…) itself."


def test_a_layout_is_no_cause_for_a_vector_and_no_factor_that_was_fitted_at_one_point():
    x = np.array([0.3, -0.4, 0.5])
    report = check_gradient(lambda x: np.exp(np.sum(np.float64(x) ** 2)) - 1, lambda x: 2 * x, x)
    assert report.verdict == "fail"
    assert report.cause is not None
    assert report.cause.name == "unknown"


# --- Random numbers of a dtype


def test_random_numbers_are_those_of_the_dtype_asked_for():
    def f(m, key):
        return jnp.sum(jnp.sin(m + jax.random.normal(key, m.shape, m.dtype)))

    def gradient(m, key, factor=1):
        return factor * jnp.cos(m + jax.random.normal(key, m.shape, m.dtype))

    m, key = np.ones(4, np.float32), jax.random.key(1)
    assert check_gradient(f, gradient, m, key).verdict == "pass"
    assert check_gradient(f, lambda m, key: gradient(m, key, 2), m, key).verdict == "fail"


# --- Models


def test_leaves_that_are_no_floating_numbers_are_held_fixed():
    model = {"act": jax.nn.relu, "step": np.int32(3), "w": B, "b": np.ones(4), "name": "mlp"}

    def f(model, x):
        return jnp.sum(model["act"](model["w"] @ x + model["b"]) ** 2)

    def gradient(model, x, factor=1):
        z = model["act"](model["w"] @ x + model["b"])
        return {"w": factor * 2 * jnp.outer(z, x), "b": 2 * z}

    x = np.ones(4)
    report = check_gradient(f, gradient, model, x)
    assert report.verdict == "pass", said(report)
    assert "held fixed, as they are no floating numbers: model['act'], model['name'], model['step']" in said(report)
    wrong = check_gradient(f, lambda m, x: gradient(m, x, 2), model, x)
    assert wrong.verdict == "fail"
    assert "by model['w']: it is 2 times" in said(wrong)
    whole = check_gradient(f, lambda m, x: {**m, **gradient(m, x)}, model, x)  # in the structure of the model
    assert whole.verdict == "pass", said(whole)
    assert check_gradient(f, None, model, x).verdict == "pass"


# --- Causes


def test_factors_that_change_places_and_one_too_many():
    X, M, w = RNG.normal(size=(4, 4)), RNG.normal(size=(4, 4)), RNG.normal(size=4)
    side = check_gradient(lambda X: jnp.sum((M @ X - B) ** 2), lambda X: 2 * (M @ X - B) @ M.T, X)
    assert side.verdict == "fail"
    assert "change places" in said(side)
    twice = check_gradient(lambda w, S: w @ S @ w, lambda w, S: 2 * S @ S @ w, w, S)
    assert twice.verdict == "fail"
    assert "without the" in said(twice)
    forgotten = check_gradient(jnp.linalg.det, lambda X: jnp.linalg.inv(X).T, X + 3 * np.eye(4))
    assert forgotten.verdict == "fail"
    assert "orthogonal" not in said(forgotten)


def test_a_function_that_is_level_at_a_tiny_argument():
    """1 - cos x is 0 as it is computed about 1e-9, and all its slope is lost."""
    assert check_gradient(lambda x: 1 - np.cos(x), np.sin, 1e-9).verdict != "fail"
    assert check_gradient(lambda x: 1 - jnp.cos(x), jnp.sin, 1e-9).verdict == "pass"


def test_by_one_triangle():
    def f(K):
        return jnp.sum(jnp.log(jnp.diag(jsl.cho_factor(K, lower=True)[0])))

    report = check_gradient(f, lambda K: 0.5 * jnp.linalg.inv(K), S)
    assert report.verdict == "fail"
    assert "where='symmetric'" in said(report)
    assert check_gradient(f, lambda K: 0.5 * jnp.linalg.inv(K), S, where="symmetric").verdict == "pass"

    def cubes(A):
        return jnp.sum(jnp.real(jnp.linalg.eigvals(A)) ** 3)

    report = check_gradient(cubes, lambda A: jnp.triu(3 * (A @ A).T) + jnp.triu(3 * (A @ A).T, 1), S)
    assert report.verdict == "fail"
    assert "symmetric directions only" in said(report)


@pytest.mark.parametrize("scale", [np.array([1.5, 3.0]), 2.0])
def test_by_the_logarithm_of_a_parameter(scale):
    b = np.array([0.7, -1.3]) if np.ndim(scale) else 1.0

    def f(ell):
        return jnp.exp(-jnp.sum((b / ell) ** 2))

    report = check_gradient(f, lambda ell: f(ell) * 2 * b**2 / ell**2, scale)
    assert report.verdict == "fail"
    assert "derivative by log ell" in said(report)
    assert check_gradient(
        lambda t: f(jnp.exp(t)), lambda t: f(jnp.exp(t)) * 2 * b**2 / jnp.exp(t) ** 2, np.log(scale)
    ).ok


def test_a_factor_that_is_a_value_on_the_way():
    def f(x, gamma):
        return gamma * jnp.sum(jnp.sin(x) ** 2)

    x = RNG.normal(size=3)
    without_gamma = check_gradient(f, lambda x, gamma: 2 * jnp.sin(x) * jnp.cos(x), x, 1.7)
    assert "lacks the factor gamma" in said(without_gamma)
    without_slope = check_gradient(f, lambda x, gamma: 2 * gamma * jnp.sin(x), x, 1.7)
    assert "lacks the factor that is cos" in said(without_slope)
    too_much = check_gradient(f, lambda x, gamma: 2 * gamma**2 * jnp.sin(x) * jnp.cos(x), x, 1.7)
    assert "has the factor gamma" in said(too_much)


def test_a_matrix_that_is_missing():
    X, M = RNG.normal(size=(4, 4)) + 3 * np.eye(4), RNG.normal(size=(4, 4))

    def f(X, M):
        return jnp.trace(M @ jnp.linalg.inv(X))

    def right(X, M):
        Xi = jnp.linalg.inv(X)
        return -(Xi @ M @ Xi).T

    assert check_gradient(f, right, X, M).verdict == "pass"
    for name, wrong in {
        "x⁻ᵀ is missing on the left": lambda X, M: -(jnp.linalg.inv(X).T.T @ M).T @ jnp.eye(4),
        "x⁻ᵀ is missing on the right": lambda X, M: -(M @ jnp.linalg.inv(X)).T,
    }.items():
        report = check_gradient(f, wrong, X, M)
        assert report.verdict == "fail"
        assert "is missing on the" in said(report), name


def test_a_condition_that_the_user_excluded_is_no_cause():
    w = RNG.normal(size=4)

    def f(w, S):
        return w @ S @ w + w @ w

    report = check_gradient(f, lambda w, S: 2 * S @ S @ w + 2 * w, w, S, where={"S": "symmetric"})
    assert report.verdict == "fail"
    assert "skew" not in said(report)


def test_a_batch_with_the_gradient_of_each_row():
    rows = RNG.normal(size=(5, 3))

    def f(X):
        return jnp.sum(jnp.sin(X), axis=1)

    report = check_gradient(f, jnp.cos, rows)
    assert (report.verdict, report.cause.name) == ("fail", "batch")
    assert "jax.vmap" in said(report)
    assert check_gradient(lambda X: jnp.sum(f(X)), jnp.cos, rows).verdict == "pass"


# --- Changes of variables


def test_log_determinants():
    def affine(x):
        return S @ x + 1.0

    right = check_log_det(affine, lambda x: jnp.linalg.slogdet(S)[1], RNG.normal(size=4))
    assert right.verdict == "pass", said(right)

    def squash(x):
        return jnp.tanh(x)

    x = RNG.normal(size=5)
    assert check_log_det(squash, lambda x: jnp.sum(jnp.log(1 - jnp.tanh(x) ** 2)), x).verdict == "pass"
    wrong = check_log_det(squash, lambda x: -jnp.sum(jnp.log(1 - jnp.tanh(x) ** 2)), x)
    assert wrong.verdict == "fail"
    assert "negative" in said(wrong)
    assert check_log_det(lambda x: x[:2], lambda x: 0.0, x).verdict == "inconclusive"
    assert check_log_det(squash, lambda x: jnp.log(1 - jnp.tanh(x) ** 2), x).verdict == "fail"  # not summed


# --- How accurate f is


def root(a, tolerance=1e-5):
    """The solution of x³ + x = a by bisection, to a tolerance: a staircase of small steps."""
    low, high = -10.0, 10.0
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (middle, high) if middle**3 + middle < a else (low, middle)
    return np.asarray((low + high) / 2)


def test_a_solver_is_as_accurate_as_is_told():
    def slope(a):
        return 1 / (3 * root(a, 1e-14) ** 2 + 1)

    # JAX differentiates the loop itself, which gives 0.
    assert check_gradient(root, slope, 1.7, accuracy=1e-5).verdict == "autodiff-wrong"
    assert check_gradient(root, lambda a: 1.5 * slope(a), 1.7, accuracy=1e-5).verdict == "fail"
    assert check_gradient(root, slope, 1.7).verdict != "fail"


def test_a_rough_function_is_told_how_rough_it_is():
    def rough(x):
        return np.sum(np.sin(x)) * (1 + 1e-6 * np.sin(1e9 * np.sum(x)))

    x = np.array([0.3, 1.1])
    report = check_gradient(rough, np.cos, x)
    assert report.verdict == "inconclusive"
    assert "accuracy=" in said(report)
    assert check_gradient(rough, np.cos, x, accuracy=1e-5).verdict == "pass"
    assert check_gradient(rough, lambda x: 2 * np.cos(x), x, accuracy=1e-5).verdict == "fail"
    with pytest.raises(ValueError, match="accuracy is a relative error"):
        check_gradient(rough, np.cos, x, accuracy=2)


# --- Complex variables

Z = RNG.normal(size=3) + 1j * RNG.normal(size=3)


def test_the_gradient_by_a_complex_variable_is_that_of_jax():
    M = RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3))

    def f(z):
        return jnp.sum(jnp.abs(M @ z) ** 2) + jnp.sum(jnp.real(z**3))

    def conjugate(z):  # Wirtinger's ∂f/∂z̄
        return M.conj().T @ (M @ z) + 1.5 * jnp.conj(z) ** 2

    for z in (Z, Z.astype(np.complex64)):
        assert check_gradient(f, jax.grad(f), z).verdict == "pass"
        assert check_gradient(f, lambda z: 2 * jnp.conj(conjugate(z)), z).verdict == "pass"
        assert check_gradient(f, None, z).verdict == "pass"
        for wrong, name in (
            (conjugate, "wirtinger's conjugate gradient"),
            (lambda z: jnp.conj(conjugate(z)), "wirtinger's ∂f/∂z ="),
            (lambda z: 2 * conjugate(z), "it is the conjugate"),
            (lambda z: -jax.grad(f)(z), "negative"),
        ):
            report = check_gradient(f, wrong, z)
            assert report.verdict == "fail"
            assert name in said(report)
    assert check_gradient(f, np.asarray(2 * np.conj(conjugate(Z))), Z).verdict == "pass"


def test_values_that_are_complex_are_refused():
    report = check_gradient(lambda z: jnp.sum(z**2), lambda z: 2 * z, Z)
    assert report.verdict == "inconclusive"
    assert "real numbers, got dtype complex128" in said(report)


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda S: jnp.linalg.eigvalsh(S)[-1], "eigenvalues"),
        (lambda S: jnp.linalg.eigh(S)[1], "eigenvalues"),
        (lambda S: jnp.linalg.norm(S, 2), "singular values"),
        (lambda S: jnp.linalg.svd(S)[0], "singular values"),
    ],
)
def test_a_repeated_eigenvalue_is_called_that(f, what):
    for S in (np.eye(3), np.diag([2.0, 1.0, 2.0])):
        assert f"two {what} are equal here" in said(check_gradient(f, jax.jacobian(f), S, where="symmetric"))
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    S = Q @ np.diag([3.0, 1.0, 2.0]) @ Q.T
    apart = check_gradient(f, jax.jacobian(f), (S + S.T) / 2, where="symmetric")
    assert apart.verdict == "pass"


W_OF_LAYER = np.random.default_rng(7).standard_normal((4, 5))
X_OF_LAYER = np.array([0.7, -1.2, 0.4, -0.3, 1.5])
B_OF_LAYER = np.random.default_rng(9).standard_normal(4)


def _layer_norm(x, statistics=lambda v: v):
    mean = statistics(x.mean())
    variance = statistics(((x - mean) ** 2).mean())
    return jnp.sum((x - mean) / jnp.sqrt(variance + 1e-5) * jnp.arange(5.0))


def _softmax_held(x):
    return jnp.sum(jnp.exp(x) / jax.lax.stop_gradient(jnp.sum(jnp.exp(x))) * jnp.arange(5.0))


@pytest.mark.parametrize(
    ("f", "wrong", "at", "says"),
    [
        (
            lambda W: jnp.sum(jax.nn.relu(W @ X_OF_LAYER + B_OF_LAYER)),
            lambda W: jnp.outer(jnp.ones(4), X_OF_LAYER),
            W_OF_LAYER,
            "lacks the factor that is the mask at",
        ),
        (
            lambda x: jnp.sum(jnp.where(x > 0, x**2, 0)),
            lambda x: 2 * x,
            X_OF_LAYER,
            "lacks the factor that is the mask at",
        ),
        (
            lambda W: jnp.sum(jax.nn.sigmoid(B_OF_LAYER)[:, None] * W**2),
            lambda W: 2 * W,
            W_OF_LAYER,
            "`jax.nn.sigmoid(b_of_layer)`",
        ),
        (
            lambda W: jnp.sum(jax.nn.softplus(W @ X_OF_LAYER)),
            lambda W: jnp.outer(jnp.ones(4), X_OF_LAYER),
            W_OF_LAYER,
            "lacks the factor",
        ),
        (
            _layer_norm,
            jax.grad(lambda x: _layer_norm(x, jax.lax.stop_gradient)),
            X_OF_LAYER,
            "with all sums and extrema inside f held constant",
        ),
        (
            lambda x: jnp.sum(jax.nn.softmax(x) * jnp.arange(5.0)),
            jax.grad(_softmax_held),
            X_OF_LAYER,
            "`jax.nn.softmax(x)`",
        ),
        (
            lambda x: jnp.sum(jnp.sin(x)) + 0.05 * jnp.sum(x**2),
            jnp.cos,
            X_OF_LAYER,
            "a term is missing: the part of one use at test_real_gradients.py",
        ),
        (
            lambda A: jnp.sum(jnp.sin(A.sum(0))) + jnp.sum(jnp.sin(A) * jnp.arange(5.0)),
            lambda A: jnp.cos(A.sum(1)) + jnp.cos(A) * jnp.arange(5.0),
            W_OF_LAYER.T @ W_OF_LAYER + np.outer(X_OF_LAYER, B_OF_LAYER @ W_OF_LAYER),
            "is over the other axis",
        ),
    ],
    ids=["relu", "where", "rows", "softplus", "layer norm", "softmax", "weight decay", "axis"],
)
def test_mistakes_in_layers_are_named(f, wrong, at, says):
    report = check_gradient(f, wrong, at)
    assert report.verdict == "fail"
    assert says in said(report)


def test_a_missing_term_is_named_by_its_own_expression():
    report = check_gradient(lambda x: jnp.sum(jnp.sin(x)) + 0.05 * jnp.sum(x**2), jnp.cos, X_OF_LAYER)
    assert "`x**2`" in said(report)


@pytest.mark.parametrize("n", [16, 32, 256])
@pytest.mark.parametrize("seed", range(3))
def test_a_function_that_bends_strongly_is_confirmed_by_few_evaluations(n, seed):
    rng = np.random.default_rng(seed)
    W, x = rng.standard_normal((n, n)), rng.standard_normal(n)

    def f(x):
        return jnp.sum(jnp.tanh(W @ x) ** 2)

    def gradient(x):
        z = jnp.tanh(W @ x)
        return W.T @ (2 * z * (1 - z**2))

    right = check_gradient(f, gradient, x)
    assert right.verdict == "pass"
    assert right.evaluations["f"] <= 50
    v = rng.standard_normal(n)
    kinked = check_gradient(lambda a: f(a) + 0.1 * jnp.abs(v @ (a - x)), gradient, x)
    assert (kinked.verdict, kinked.cause and kinked.cause.name) == ("inconclusive", "kink")
