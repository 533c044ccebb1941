"""What people bring: f with a state, masks, matrices that are symmetric to rounding, empty layers, trees of gradients.

In each situation the right gradient passes, a planted mistake is found, and what cannot be told is said in words.
"""

import collections
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from matcalc import check_gradient, check_log_det

RNG = np.random.default_rng(0)


def said(report):
    return f"{report.cause or ''} {' '.join(report.notes)}"


def twice(gradient):
    """The same, off by a factor."""
    return lambda *args: jax.tree.map(lambda D: 2 * D, gradient(*args))


# --- State


def with_a_global_key():
    state = {"key": jax.random.PRNGKey(1)}

    def f(x):
        state["key"], key = jax.random.split(state["key"])
        return jnp.sum(x * jax.random.normal(key, x.shape))

    return f


def with_running_statistics():
    state = {"mean": jnp.zeros(3)}

    def f(x):
        state["mean"] = 0.9 * state["mean"] + 0.1 * x
        return jnp.sum((x - state["mean"]) ** 2)

    return f


def test_a_function_that_keeps_what_was_traced_has_no_one_derivative():
    for stateful in (with_a_global_key, with_running_statistics):
        for claim, options in ((lambda x: x, {}), (None, {}), (lambda x: x, {"order": 2}), (np.ones(3), {})):
            report = check_gradient(stateful(), claim, np.ones(3), **options)
            assert (report.verdict, report.cause.name) == ("inconclusive", "state"), report
            assert "f keeps state between calls" in said(report)
            assert "as an argument" in said(report)


def test_a_gradient_that_keeps_what_was_traced_is_told():
    f = with_running_statistics()
    report = check_gradient(lambda x: jnp.sum(x**2), lambda x: 3 * x + f(x), np.ones(3))
    assert (report.verdict, report.cause.name) == ("inconclusive", "state")
    assert "The gradient keeps state between calls" in said(report)


def test_what_is_kept_and_never_used_again_is_no_state():
    log = []

    def f(x):
        log.append(jnp.sum(x**2))
        return log[-1]

    assert check_gradient(f, lambda x: 2 * x, np.ones(3)).verdict == "pass"
    assert check_gradient(f, lambda x: 3 * x, np.ones(3)).verdict == "fail"


# --- Domains that a point lies in to rounding

Q = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
SPECTRAL = (Q * [1.0, 2, 3, 4]) @ Q.T
SINGLE = (SPECTRAL * (1 + 4e-7 * np.triu(np.ones((4, 4)), 1))).astype(np.float32)
PRECISION = np.linalg.inv((Q * [1e-4, 1.0, 2, 3]) @ Q.T)


@pytest.mark.parametrize("where", ["symmetric", "positive definite"])
@pytest.mark.parametrize("S", [SPECTRAL, PRECISION, SINGLE], ids=["spectral", "inverse", "float32"])
def test_what_is_symmetric_to_rounding_is_symmetric(where, S):
    assert not np.array_equal(S, S.T)

    def f(X):
        return jnp.linalg.slogdet(X)[1]

    def gradient(X):  # without the transpose, as is right for symmetric X only
        return jnp.linalg.inv(X)

    assert check_gradient(f, gradient, S, where=where).verdict == "pass"
    assert check_gradient(f, np.linalg.inv(S), S, where=where).verdict == "pass"
    assert check_gradient(f, twice(gradient), S, where=where).verdict == "fail"
    assert check_gradient(f, lambda X: gradient(X) * (1 + 1e-3), S, where=where).verdict == "fail"
    apart = check_gradient(f, gradient, S + 0.01 * np.triu(S), where=where)
    assert (apart.verdict, apart.cause.name) == ("inconclusive", "domain")


# --- What is not finite, where it is not differentiated by

MASK = np.array([0, 0, -np.inf])
GAPS = np.array([0.3, 0.5, np.nan])
MASKED = {
    "attention": (lambda q, m: jax.nn.logsumexp(q + m), lambda q, m: jax.nn.softmax(q + m), MASK),
    "attention, NumPy": (
        lambda q, m: np.log(np.sum(np.exp(q + m))),
        lambda q, m: np.exp(q + m) / np.sum(np.exp(q + m)),
        MASK,
    ),
    "gaps": (
        lambda q, m: jnp.sum(jnp.where(jnp.isnan(m), 0, q - jnp.nan_to_num(m)) ** 2),
        lambda q, m: 2 * jnp.where(jnp.isnan(m), 0, q - jnp.nan_to_num(m)),
        GAPS,
    ),
    "gaps, NumPy": (lambda q, m: np.nansum((q - m) ** 2), lambda q, m: 2 * np.nan_to_num(q - m), GAPS),
}


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_and_data_with_gaps_are_taken(name):
    f, gradient, data = MASKED[name]
    q = np.array([1.0, 0.4, -0.7])
    assert check_gradient(f, gradient, q, data).verdict == "pass"
    wrong = check_gradient(f, twice(gradient), q, data)
    assert wrong.verdict == "fail"
    assert "It is 2 times the gradient" in said(wrong)
    apart = check_gradient(f, lambda *a: gradient(*a) + np.array([0, 1e-3, 0]), q, data)
    assert apart.verdict == "fail"


def test_what_is_not_finite_is_refused_where_it_is_differentiated_by_or_f_is_not_finite():
    f = MASKED["attention"][0]
    report = check_gradient(f, None, np.zeros(3), MASK, wrt=(0, 1))
    assert (report.verdict, report.cause.name) == ("inconclusive", "domain")
    assert "m contains an infinite entry" in said(report)
    report = check_gradient(lambda q, m: jnp.sum(q * m), lambda q, m: m, np.ones(3), GAPS)
    assert (report.verdict, report.cause.name) == ("inconclusive", "non-finite")


# --- Variables without an entry


def test_a_variable_without_an_entry_hides_no_other():
    def f(x, b):
        return jnp.sum(x**2) + jnp.sum(b**3)

    nothing, b = np.zeros((0, 2)), np.array([0.4, -1.2, 0.7])
    right = check_gradient(f, lambda x, b: (2 * x, 3 * b**2), nothing, b, wrt=(0, 1))
    assert right.verdict == "pass"
    assert "Without an entry, and with nothing to compare: x." in said(right)
    assert check_gradient(f, None, nothing, b, wrt=(0, 1)).verdict == "pass"
    wrong = check_gradient(f, lambda x, b: (2 * x, 6 * b**2), nothing, b, wrt=(0, 1))
    assert (wrong.verdict, wrong.cause.name) == ("fail", "factor")

    def of_layers(p):
        return f(p["empty"], p["b"])

    p = {"empty": nothing, "b": b}
    for claim, verdict in ((jax.grad(of_layers), "pass"), (twice(jax.grad(of_layers)), "fail")):
        assert check_gradient(of_layers, claim, p).verdict == verdict
    for claim, verdict in ((jax.hessian(of_layers), "pass"), (twice(jax.hessian(of_layers)), "fail")):
        assert check_gradient(of_layers, claim, p, order=2).verdict == verdict
    alone = check_gradient(f, lambda x, b: 2 * x, nothing, b)
    assert (alone.verdict, alone.cause.name) == ("inconclusive", "empty")
    assert "x has shape (0, 2), and no entry." in said(alone)


def test_a_large_jacobian_by_some_of_the_leaves():
    A = RNG.normal(size=(100, 90))

    def f(p):
        return A @ p["w"] ** 2

    p = {"empty": np.zeros(0), "step": np.int32(3), "w": RNG.normal(size=90)}

    def jacobian(p):
        return {"empty": jnp.zeros((100, 0)), "step": jnp.zeros(100), "w": 2 * A * p["w"]}

    assert check_gradient(f, jacobian, p).verdict == "pass"
    assert check_gradient(f, twice(jacobian), p).verdict == "fail"


# --- The structure of a claim

Swapped = collections.namedtuple("Swapped", "b a")
TREE = {"a": np.array([1.0, 0.4, -2.0]), "b": np.array([0.5, 3.0, -0.2])}
A_OF, B_OF = (lambda p: 2 * p["a"]), (lambda p: 3 * p["b"] ** 2)


def of_tree(p):
    return jnp.sum(p["a"] ** 2) + jnp.sum(p["b"] ** 3)


@pytest.mark.parametrize(
    "claim",
    [
        lambda p: {"b": B_OF(p), "a": A_OF(p)},
        lambda p: Swapped(a=A_OF(p), b=B_OF(p)),
        lambda p: [A_OF(p), B_OF(p)],
        lambda p: (A_OF(p), B_OF(p)),
        lambda p: {"p": {"a": A_OF(p), "b": B_OF(p)}},
    ],
    ids=["dict", "namedtuple", "list", "tuple", "by argument"],
)
def test_leaves_are_matched_by_name_or_by_order(claim):
    for given in (claim, claim(TREE)):
        assert check_gradient(of_tree, given, TREE).verdict == "pass"
    wrong = check_gradient(of_tree, twice(claim), TREE)
    assert wrong.verdict == "fail"


def test_a_name_that_no_variable_has_is_told():
    for claim in (
        lambda p: {"a": A_OF(p), "c": B_OF(p)},
        lambda p: {"nonsense": A_OF(p), "b": B_OF(p)},
    ):
        for given in (claim, claim(TREE)):
            report = check_gradient(of_tree, given, TREE)
            assert (report.verdict, report.cause.name) == ("fail", "structure")
            assert "which names nothing of what is differentiated by (p['a'], p['b'])" in said(report)
    report = check_gradient(lambda x: jnp.sum(x**2), lambda x: {"nonsense": 2 * x}, np.ones(3))
    assert (report.verdict, report.cause.name) == ("fail", "structure")


def test_names_of_arguments_and_of_both_sides_of_a_hessian():
    def f(x, b):
        return jnp.sum(x**2) + jnp.sum(b**3)

    by_name = check_gradient(f, lambda x, b: {"x": 2 * x, "b": 3 * b**2}, TREE["a"], TREE["b"], wrt=(0, 1))
    assert by_name.verdict == "pass"  # in alphabetical order b is first

    hessian = jax.hessian(of_tree)
    assert check_gradient(of_tree, hessian, TREE, order=2).verdict == "pass"
    report = check_gradient(of_tree, lambda p: {"a": hessian(p)["a"], "z": hessian(p)["b"]}, TREE, order=2)
    assert (report.verdict, report.cause.name) == ("fail", "structure")


# --- What is said of the witnesses


def test_the_witness_that_was_trusted_is_named():
    """Finite differences lose (√(1+x) - 1)/x at 1e-6, where ball arithmetic does not."""
    report = check_gradient(lambda x: (jnp.sqrt(1 + x) - 1) / x, lambda x: -1 / 8 + x / 8, 1e-6)
    assert report.verdict == "autodiff-wrong"
    assert said(report).startswith("The gradient and f in ball arithmetic agree, and JAX's automatic derivative is off")
    assert report.errors["ball arithmetic"] < report.tolerance < report.errors["finite differences"]
    assert "slope" not in str(report)
    report = check_gradient(lambda x: jnp.linalg.norm(x) ** 2, lambda x: 2 * x, np.zeros(3))
    assert report.verdict == "autodiff-wrong"
    assert "JAX's automatic derivative is not finite at this point" in said(report)


def test_the_slope_is_shown_where_it_sees_the_mistake():
    x = np.array([0.3, 0.4])
    for size, is_seen in ((1e-8, False), (0.5, True)):
        report = check_gradient(lambda x: jnp.sum(jnp.sin(x)), lambda x, by=1 + size: by * jnp.cos(x), x)
        assert report.verdict == "fail"
        assert ("slope of the Taylor remainder: 1.0" in str(report)) == is_seen
        assert ("slope" in str(report)) == is_seen


class Tensor:
    """What the referee asks of a tensor of PyTorch, about an array of NumPy."""

    def __init__(self, a):
        self.a = a

    detach = cpu = resolve_conj = lambda self: self

    def numpy(self):
        return np.asarray(self.a)


def test_a_mistake_in_pytorch_is_not_that_of_jax(monkeypatch):
    """A rule of torch.autograd with the wrong sign."""
    torch = types.ModuleType("torch")
    functional = types.SimpleNamespace(jacobian=lambda f, inputs: [Tensor(-2 * v.a) for v in inputs])
    torch.Tensor, torch.from_numpy, torch.autograd = Tensor, Tensor, types.SimpleNamespace(functional=functional)
    monkeypatch.setitem(sys.modules, "torch", torch)
    report = check_gradient(lambda x: Tensor(np.sum(x.a**2)), lambda x: Tensor(2 * x.a), Tensor(np.array([1.0, 2.0])))
    assert report.verdict == "autodiff-wrong"
    assert "PyTorch's automatic derivative is off by 2.0e+00" in said(report)
    assert "JAX" not in said(report)


# --- Treads: what f does between the stairs that rounding makes of it

CANCELLING = {
    "Box-Cox": (lambda x, m: (1.5**x - 1) / x, lambda x: -(1.5**x - 1) / x**2, 1e-6),
    "(x - sin x) / x³": (
        lambda x, m: (x - m.sin(x)) / x**3,
        lambda x: -3 * (x - np.sin(x)) / x**4,
        1e-3,
    ),
    "(1 - cos x) / x²": (lambda x, m: (1 - m.cos(x)) / x**2, lambda x: -2 * (1 - np.cos(x)) / x**3, 1e-5),
    "(eˣ - 1) / x": (lambda x, m: (m.exp(x) - 1) / x, lambda x: -(np.exp(x) - 1) / x**2, 1e-10),
    "ln(1 + x) / x": (lambda x, m: m.log(1 + x) / x, lambda x: -np.log(1 + x) / x**2, 1e-8),
    "(√(1 + x) - 1) / x": (lambda x, m: (m.sqrt(1 + x) - 1) / x, lambda x: -(np.sqrt(1 + x) - 1) / x**2, 1e-6),
}


@pytest.mark.parametrize("name", CANCELLING)
def test_the_slope_of_a_tread_is_no_derivative(name):
    """What a numerator that does not move leaves of a quotient is wrong by 10⁶ and more, and smooth."""
    f, of_tread, x = CANCELLING[name]
    by_jax = check_gradient(lambda x: f(x, jnp), np.asarray(of_tread(x)), x)
    assert by_jax.verdict == "fail", by_jax
    by_numpy = check_gradient(lambda x: f(np.asarray(x), np), np.asarray(of_tread(x)), x)
    assert not by_numpy.ok, by_numpy


def test_a_right_gradient_is_not_refuted_by_the_slope_of_a_tread():
    a = np.log(1.5)

    def right(x):
        return a**2 / 2 + x * a**3 / 3

    for m in (np, jnp):
        report = check_gradient(lambda x, m=m: (m.power(1.5, x) - 1) / x, right, 1e-6)
        assert report.ok or report.verdict == "inconclusive", report


@pytest.mark.parametrize("n", [2, 40])
def test_a_part_in_float32_makes_treads(n):
    x = np.random.default_rng(3).normal(size=n)

    def f(x):
        return np.sum(x * np.tanh(x).astype(np.float32))

    assert not check_gradient(f, np.tanh, x).ok
    right = check_gradient(f, lambda x: np.tanh(x) + x / np.cosh(x) ** 2, x)
    assert right.verdict in ("pass", "inconclusive"), right


@pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-4])
def test_one_jump_or_kink_beside_the_point_is_no_staircase(distance):
    x = np.array([0.7, -1.3])
    for beside in (lambda y: y[0] > 0.7 + distance, lambda y: np.maximum(y[0] - 0.7 - distance, 0)):

        def f(y, beside=beside):
            return np.sum(np.sin(np.asarray(y))) + beside(y)

        assert check_gradient(f, np.cos, x).verdict == "pass"
        assert check_gradient(f, lambda y: 2 * np.cos(y), x).verdict == "fail"


# --- Changes of variables, in their own words


def test_a_jacobian_that_is_singular_is_called_that():
    x = np.array([0.1, -0.4, 0.7])
    for bijector, at in ((jax.nn.softmax, x), (jax.nn.sigmoid, np.array([800.0, 0.2, 0.5])), (lambda x: x * 0, x)):
        report = check_log_det(bijector, lambda x: 1.0, at)
        assert (report.verdict, report.cause.name) == ("inconclusive", "singular"), report
        assert "y is no bijection here" in said(report)
    # What is small is not singular.
    at = np.array([-40.0, -0.2, 0.5])

    def log_det(x):
        return jnp.sum(jax.nn.log_sigmoid(x) + jax.nn.log_sigmoid(-x))

    assert check_log_det(jax.nn.sigmoid, log_det, at).verdict == "pass"
    assert check_log_det(jax.nn.sigmoid, lambda x: log_det(x) + 0.1, at).verdict == "fail"


@pytest.mark.parametrize("claimed", [0.0, 1e-3])
def test_a_log_determinant_of_zero(claimed):
    report = check_log_det(lambda x: x + 1, lambda x: claimed, np.array([0.1, -0.4, 0.7]))
    assert report.verdict == ("fail" if claimed else "pass")
    assert not claimed or said(report).startswith("It is not 0, and ln |∂y/∂x| is 0 here.")


# --- What XLA rewrites


def test_what_is_infinite_only_where_it_is_compiled_is_not_called_wrong():
    s = 1e-300
    x = np.array([1.0, -2.0]) * s

    def f(x):
        return jnp.sum((x / s) ** 2)

    def gradient(x):
        return 2 * (x / s) / s

    with jax.enable_x64(True):
        is_rewritten = not np.all(np.isfinite(jax.jit(gradient)(x)))  # some versions of XLA make it x/(s s)
    report = check_gradient(f, gradient, x)
    assert report.verdict == ("inconclusive" if is_rewritten else "pass"), report
    assert ("right where it runs eagerly" in said(report)) == is_rewritten
    assert check_gradient(f, lambda x: 3 * (x / s) / s, x).verdict == "fail"
    assert check_gradient(f, lambda x: x / 0, x).verdict == "fail"
