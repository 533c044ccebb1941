"""Gradients that others wrote, through the public functions: what is right passes, and what is wrong is found."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from statsmodels.discrete import count_model, discrete_model

from matcalc import check_gradient, check_log_det
from matcalc.referee import finite_differences

RNG = np.random.default_rng(0)
N = 60
X = np.column_stack([np.ones(N), RNG.normal(size=(N, 2))])
B = np.array([0.3, 0.5, -0.4])
BINARY = (RNG.random(N) < 1 / (1 + np.exp(-X @ B))).astype(float)
COUNTS = RNG.poisson(np.exp(X @ B)).astype(float)


def said(report):
    return f"{report.cause or ''} {' '.join(report.notes)}".lower()


# --- Statistics: log-likelihoods, their scores and their Hessians

MODELS = {
    "Logit": (discrete_model.Logit(BINARY, X), B),
    "Probit": (discrete_model.Probit(BINARY, X), B),
    "Poisson": (discrete_model.Poisson(COUNTS, X), B),
    "NB1": (discrete_model.NegativeBinomial(COUNTS, X, loglike_method="nb1"), np.r_[B, 0.5]),
    "NB2": (discrete_model.NegativeBinomial(COUNTS, X, loglike_method="nb2"), np.r_[B, 0.5]),
    "NBP": (discrete_model.NegativeBinomialP(COUNTS, X, p=2), np.r_[B, 0.5]),
    "generalized Poisson": (discrete_model.GeneralizedPoisson(COUNTS, X, p=1), np.r_[B, 0.2]),
    "MNLogit": (discrete_model.MNLogit(RNG.integers(0, 3, N), X), np.r_[B, -0.7 * B]),
    "zero-inflated Poisson": (count_model.ZeroInflatedPoisson(COUNTS, X), np.r_[0.2, B]),
}


@pytest.mark.parametrize("name", MODELS)
def test_scores_and_hessians_of_statsmodels(name):
    model, at = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        def loglike(p):
            return np.asarray(model.loglike(np.asarray(p)))

        def score(p):
            return np.asarray(model.score(np.asarray(p)))

        def hessian(p):
            return np.asarray(model.hessian(np.asarray(p)))

        assert check_gradient(loglike, score, at).verdict == "pass"
        doubled = check_gradient(loglike, lambda p: 2 * score(p), at)
        assert (doubled.verdict, doubled.cause.name) == ("fail", "factor")
        # Some Hessians are wrong in the version at hand: those that are not what the score changes by.
        slopes = finite_differences(score, at, 1).values
        off = np.linalg.norm(hessian(at) - slopes) / np.linalg.norm(slopes)
        assert off < 1e-7 or off > 1e-3
        assert check_gradient(loglike, hessian, at, order=2).verdict == ("pass" if off < 1e-7 else "fail")


def test_an_optimum_of_statsmodels():
    """Where everyone stands who has fitted a model."""
    model, at = MODELS["Logit"]
    fitted = model.fit(at, disp=False).params
    assert check_gradient(lambda p: np.asarray(model.loglike(p)), model.score, fitted).verdict == "pass"
    wrong = check_gradient(lambda p: np.asarray(model.loglike(p)), lambda p: -model.score(p), fitted)
    assert wrong.verdict == "fail"
    assert "negative" in said(wrong)


# --- A Gaussian process, by its length and by the logarithm of it


def test_a_gaussian_process_of_sklearn():
    points = RNG.normal(size=(12, 2))
    kernel = ConstantKernel(1.5) * RBF([0.7, 1.3])
    model = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(points, np.sin(points.sum(axis=1)))

    def likelihood(theta):
        return np.asarray(model.log_marginal_likelihood(np.asarray(theta)))

    def gradient(theta):
        return model.log_marginal_likelihood(np.asarray(theta), eval_gradient=True)[1]

    theta = model.kernel_.theta
    assert check_gradient(likelihood, gradient, theta).verdict == "pass"

    def by_itself(parameters):
        return likelihood(np.log(parameters))

    report = check_gradient(by_itself, lambda p: gradient(np.log(p)), np.exp(theta))
    assert report.verdict == "fail"
    assert "derivative by log parameters" in said(report)
    assert check_gradient(by_itself, lambda p: gradient(np.log(p)) / p, np.exp(theta)).verdict == "pass"


# --- Models: pytrees with functions and numbers in them


def test_a_multilayer_perceptron_of_equinox():
    model = eqx.nn.MLP(2, 1, 4, 2, key=jax.random.key(0))
    x = jnp.asarray(RNG.normal(size=2), jnp.float32)

    def loss(model, x):
        return jnp.sum(model(x) ** 2)

    right = check_gradient(loss, eqx.filter_grad(loss), model, x)
    assert right.verdict == "pass", said(right)
    assert "held fixed" in said(right)

    def without_a_bias(model, x):
        gradient = eqx.filter_grad(loss)(model, x)
        return eqx.tree_at(lambda g: g.layers[0].bias, gradient, 2 * gradient.layers[0].bias)

    wrong = check_gradient(loss, without_a_bias, model, x)
    assert wrong.verdict == "fail"
    assert "layers[0].bias: it is 2 times the gradient" in said(wrong)


def test_a_tree_of_parameters_as_flax_has_it():
    parameters = {
        "params": {
            "Dense_0": {"kernel": RNG.normal(size=(3, 4)), "bias": np.zeros(4)},
            "Dense_1": {"kernel": RNG.normal(size=(4, 1)), "bias": np.zeros(1)},
        },
        "step": 7,
    }
    x = RNG.normal(size=(5, 3))

    def loss(variables, x):
        first, second = (variables["params"][f"Dense_{i}"] for i in (0, 1))
        return jnp.mean((jax.nn.tanh(x @ first["kernel"] + first["bias"]) @ second["kernel"] + second["bias"]) ** 2)

    def gradient(variables, x):
        return {"params": jax.grad(lambda p: loss({"params": p}, x))(variables["params"])}

    assert check_gradient(loss, gradient, parameters, x).verdict == "pass"
    assert check_gradient(loss, None, parameters, x).verdict == "pass"


# --- A layer of a flow


def test_a_coupling_layer():
    W = RNG.normal(size=(2, 2))

    def coupling(x):
        return jnp.concatenate([x[:2], x[2:] * jnp.exp(jnp.tanh(W @ x[:2])) + x[:2] ** 2])

    x = RNG.normal(size=4)
    assert check_log_det(coupling, lambda x: jnp.sum(jnp.tanh(W @ x[:2])), x).verdict == "pass"
    forgotten = check_log_det(coupling, lambda x: jnp.sum(W @ x[:2]), x)
    assert forgotten.verdict == "fail"


# --- Solvers, as accurate as they are told to be


def test_a_differential_equation_of_scipy():
    def decay(k):
        return solve_ivp(lambda t, y: -float(k) * y, (0, 1), [2.0], rtol=1e-5, atol=1e-8).y[0, -1]

    assert check_gradient(decay, lambda k: -2 * np.exp(-k), 0.7, accuracy=1e-4).verdict == "pass"
    assert check_gradient(decay, lambda k: -1.8 * np.exp(-k), 0.7, accuracy=1e-4).verdict == "fail"


def test_a_root_of_scipy():
    def root(a):
        return np.asarray(brentq(lambda x: x**3 + x - float(a), -9, 9, xtol=1e-6))

    def slope(a):
        return 1 / (3 * brentq(lambda x: x**3 + x - float(a), -9, 9) ** 2 + 1)

    assert check_gradient(root, slope, 1.7, accuracy=1e-5).verdict == "pass"
    assert check_gradient(root, lambda a: 2 * slope(a), 1.7, accuracy=1e-5).verdict == "fail"
