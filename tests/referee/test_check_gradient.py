"""`check_gradient`: what it passes, what it does not, and the reason it gives."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import matcalc
from matcalc import check_gradient
from matcalc.testing import GradientError, assert_gradient

RNG = np.random.default_rng(0)
A, X, B, C = (RNG.normal(size=shape) for shape in [(2, 3), (3, 4), (4, 4), (3, 2)])
S = RNG.normal(size=(4, 4))
x, y = RNG.normal(size=5), RNG.normal(size=5)


@jax.jit  # so that one program serves all tests
def f(A, X, B, C):
    return jnp.trace(A @ X @ B @ X.T @ C)


def gradient(A, X, B, C):
    return C @ A @ X @ B + A.T @ C.T @ X @ B.T


# --- What is right


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["jax", "numerator", "denominator", "vec"])
def test_the_right_gradient_passes_in_every_layout(dtype, layout):
    def arranged(*args):
        G = gradient(*args)
        return {"numerator": G.T, "vec": G.T.reshape(1, -1)}.get(layout, G)

    report = check_gradient(f, arranged, *(a.astype(dtype) for a in (A, X, B, C)), wrt="X", layout=layout)
    assert report.verdict == "pass"
    assert report.cause is None
    assert report.ok
    assert report.raise_if_failed() is report
    assert report.dtype == dtype
    assert set(report.errors) == {"autodiff", "reference", "finite differences"}


VALUES = {
    "scalar": jax.jit(lambda x: jnp.sum(jnp.sin(x) * jnp.cos(2 * x))),
    "vector": jax.jit(lambda x: jnp.sin(jnp.ravel(x))[:1] * jnp.array([1.0, 2.0]) + jnp.sum(x**2)),
    "matrix": jax.jit(lambda x: jnp.outer(jnp.array([1.0, -2.0]), jnp.array([1.0, 2.0, 3.0])) * jnp.sum(x**3)),
}
VARIABLES = {"scalar": np.asarray(0.7), "vector": x, "matrix": X}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("layout", ["jax", "numerator", "denominator"])
def test_all_nine_kinds(value, variable, layout):
    g = VALUES[value]

    def derivative(x):
        D = jax.jacfwd(g)(x)
        axes = range(D.ndim)
        outputs, inputs = axes[: D.ndim - x.ndim], axes[D.ndim - x.ndim :]
        if layout == "numerator":
            D = D.transpose(*outputs, *reversed(inputs)) if D.ndim else D
            return D[None] if (value, variable) == ("scalar", "vector") else D
        if layout == "denominator":
            D = D.transpose(*inputs, *reversed(outputs)) if D.ndim else D
            return D[None] if (value, variable) == ("vector", "scalar") else D
        return D

    assert check_gradient(g, derivative, VARIABLES[variable], layout=layout).verdict == "pass"
    report = check_gradient(g, lambda x: 2 * derivative(x), VARIABLES[variable], layout=layout)
    assert (report.verdict, report.cause.name) == ("fail", "factor")


def test_an_identity_is_checked_where_it_is_asked_to_be():
    assert matcalc.tr_axbxtc.check(A, X, B, C, layout="numerator").ok
    report = matcalc.logabsdet_x.check(np.array([[1.0, 2.0], [2.0, 4.0]]))
    assert (report.verdict, report.cause.name) == ("inconclusive", "domain")
    with pytest.raises(ValueError, match="X must be m×n"):
        matcalc.tr_axbxtc.check(A, X.T, B, C)
    assert matcalc.kronecker_product.check().ok  # of a definition the two sides are compared


def test_an_array_computed_elsewhere():
    D = np.asarray(gradient(A, X, B, C))
    assert check_gradient(f, D, A, X, B, C, wrt=1).verdict == "pass"
    assert check_gradient(f, D.astype(np.float32), A, X, B, C, wrt=1).verdict == "pass"
    assert check_gradient(lambda x: jnp.sum(x**2), [2.0, 4.0], np.array([1.0, 2.0])).verdict == "pass"
    report = check_gradient(f, 2 * D, A, X, B, C, wrt=1)
    assert (report.verdict, report.cause.name) == ("fail", "factor")


def test_several_variables_and_trees_of_them():
    def loss(p, u):
        return jnp.mean(jnp.tanh(u @ p["w"] + p["b"]) ** 2)

    p, u = {"w": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}, RNG.normal(size=(6, 3))
    assert check_gradient(loss, jax.grad(loss), p, u).verdict == "pass"
    assert check_gradient(loss, jax.grad(loss, (0, 1)), p, u, wrt=("p", 1)).verdict == "pass"
    assert check_gradient(lambda x, y: x @ y, lambda x, y: (y, x), x, y, wrt=(0, 1)).verdict == "pass"

    def wrong(p, u):
        right = jax.grad(loss)(p, u)
        return right | {"b": 2 * right["b"]}

    report = check_gradient(loss, wrong, p, u)
    assert str(report.cause).startswith("By p['b']: It is 2 times the gradient. Multiply it by 1/2.")
    assert [v.name for v in report.variables] == ["p['b']", "p['w']"]


def test_hessians():
    M = RNG.normal(size=(5, 5))
    assert check_gradient(lambda x, M: x @ M @ x, lambda x, M: M + M.T, x, M, order=2).verdict == "pass"
    report = check_gradient(lambda x, M: x @ M @ x, lambda x, M: 2 * M, x, M, order=2)
    assert (report.verdict, report.cause.name) == ("fail", "special arguments")
    assert "only for symmetric M" in report.cause.text

    def both(x, y):
        return jnp.sum(x**2 * y) + jnp.sum(y**3)

    assert check_gradient(both, jax.hessian(both, (0, 1)), x, y, wrt=(0, 1), order=2).verdict == "pass"


def test_a_hessian_is_compared_inside_the_domain():
    """Of symmetric matrices tr(X X) and tr(X Xᵀ) are the same, and so are their Hessians, K and I."""
    S = RNG.normal(size=(3, 3))
    S, twice = S + S.T, 2 * np.eye(9).reshape(3, 3, 3, 3)
    for c, verdict in ((1, "pass"), (1.01, "fail")):
        assert check_gradient(lambda X: jnp.trace(X @ X), c * twice, S, order=2, where="symmetric").verdict == verdict
    assert check_gradient(lambda X: jnp.trace(X @ X), twice, S, order=2).verdict == "fail"


def test_pushforwards_and_pullbacks():
    def g(x, y):
        return jnp.sin(x) * y

    def push(args, t):
        return jnp.cos(args[0]) * args[1] * t

    assert check_gradient(g, push, x, y, form="pushforward").verdict == "pass"
    assert check_gradient(g, push, x, y, form="pullback").verdict == "pass"  # diagonal, so its own transpose
    pull = check_gradient(lambda x: X.T @ x[:3], lambda _, u: jnp.zeros(5).at[:3].set(X @ u), x, form="pullback")
    assert pull.verdict == "pass"
    report = check_gradient(g, lambda a, t: -push(a, t), x, y, form="pushforward")
    assert (report.verdict, report.cause.name) == ("fail", "sign")
    large = RNG.normal(size=20_000)  # a Jacobian of 4·10⁸ entries
    assert check_gradient(lambda x: x * jnp.sum(x**2), lambda a, t: t * (a[0] @ a[0]) + 2 * a[0] * (a[0] @ t), large,
                          form="pushforward").verdict == "pass"  # fmt: skip


def test_large_jacobians_are_compared_along_random_directions_and_located_where_wrong():
    def g(x):
        return x * jnp.sum(jnp.sin(x))

    z = RNG.normal(size=100)
    report = check_gradient(g, jax.jacfwd(g), z)
    assert report.verdict == "pass"
    assert "random tangents" in report.notes[-1]
    report = check_gradient(g, lambda x: jax.jacfwd(g)(x).at[3, 7].multiply(1.01), z)
    assert str(report.cause).startswith("Entry (3, 7) is 1% too large; all others agree.")


# --- Rules that a function brings with it


def with_jvp(factor):
    @jax.custom_jvp
    def cube(x):
        return jnp.sum(x**3)

    cube.defjvp(lambda p, t: (cube(p[0]), factor * jnp.sum(p[0] ** 2 * t[0])))
    return cube


def with_vjp(factor):
    @jax.custom_vjp
    def cube(x):
        return jnp.sum(x**3)

    cube.defvjp(lambda x: (cube(x), x), lambda x, u: (factor * x**2 * u,))
    return cube


@pytest.mark.parametrize("decorated", [with_jvp, with_vjp])
def test_a_rule_is_checked_against_the_function_without_it(decorated):
    assert check_gradient(decorated(3.0), None, x).verdict == "pass"
    assert check_gradient(jax.jit(decorated(3.0)), None, x).verdict == "pass"
    for function in (decorated(2.0), jax.jit(decorated(2.0))):
        report = check_gradient(function, None, x)
        assert (report.verdict, report.cause.name) == ("fail", "factor")
        assert check_gradient(function, lambda x: 3 * x**2, x).verdict == "pass"  # its rule is no witness


def test_a_rule_must_return_the_value_of_its_function():
    @jax.custom_jvp
    def cube(x):
        return jnp.sum(x**3)

    cube.defjvp(lambda p, t: (cube(*p) + 1, jnp.sum(3 * p[0] ** 2 * t[0])))
    report = check_gradient(cube, None, x)
    assert (report.verdict, report.cause.name) == ("fail", "value")


def test_the_derivative_of_jax_itself():
    assert check_gradient(lambda x: jnp.sum(jnp.sin(x)), None, x).verdict == "pass"
    assert check_gradient(lambda x: jnp.sum(jnp.sin(x)), None, x, order=2).verdict == "pass"
    zero_pivot = np.array([[1.0, 1, 1, 2], [1, 1, 0, 3], [2, 2, 1, 7], [0, 0, 1, 1]])
    assert check_gradient(jnp.linalg.det, None, zero_pivot).verdict == "fail"
    report = check_gradient(jnp.linalg.det, lambda X: matcalc.det_x.derivative(X), zero_pivot)
    assert report.verdict == "autodiff-wrong"
    assert report.ok
    assert "JAX's automatic derivative is off by 1.0e+00" in report.cause.text


# --- What is wrong, and why

T = gradient  # the truth, for short
WRONG = {
    "sign": (lambda *a: -T(*a), "It is the negative of the gradient. Change the sign."),
    "factor": (lambda *a: T(*a) / 2, "It is 1/2 times the gradient. Multiply it by 2."),
    "any factor": (lambda *a: 1.01 * T(*a), "It is 1.01 times the gradient: 0.01 of it too large everywhere."),
    "mean": (lambda *a: T(*a) / 12, "It is the gradient over 12: a mean instead of a sum?"),
    "transposed": (lambda *a: T(*a).T, "It is right in numerator layout, and jax layout was asked for."),
    "entries": (lambda *a: T(*a).at[0, 1].multiply(1.1), "Entry (0, 1) is 10% too large; all others agree."),
    "missing term": (
        lambda A, X, B, C: C @ A @ X @ B,
        "A term is missing: the part of one use at test_check_gradient.py:",
    ),
    "doubled term": (
        lambda A, X, B, C: C @ A @ X @ B + 2 * (A.T @ C.T @ X @ B.T),
        "It becomes right with half the second term of the sum at test_check_gradient.py:",
    ),
    "term": (
        lambda A, X, B, C: C @ A @ X @ B - A.T @ C.T @ X @ B.T,
        "It becomes right when the second term of the difference at test_check_gradient.py:",
    ),
    "operand transposed": (
        lambda A, X, B, C: C @ A @ X @ B + A.T @ C.T @ X @ B,
        "It becomes right when the second factor of the product at test_check_gradient.py:",
    ),
    "constant": (lambda A, _, B, C: T(A, X + 1, B, C), "It does not change with X, and the gradient does:"),
    "constant here": (lambda A, _, B, C: T(A, X, B, C), "It does not change with X, and the gradient does:"),
    "zero": (lambda *a: 0 * T(*a), "It is zero, and the gradient is not."),
    "non-finite": (lambda *a: T(*a).at[1, 2].set(jnp.nan), "The gradient is NaN in entry (1, 2),"),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_cause_is_named(name):
    wrong, text = WRONG[name]
    report = check_gradient(f, wrong, A, X, B, C, wrt=1)
    assert report.verdict == "fail"
    assert report.cause.name == {"any factor": "factor", "constant here": "constant"}.get(name, name)
    assert str(report.cause).startswith(text)


@pytest.mark.parametrize("size", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_small_errors_are_caught_and_named(size):
    for wrong, name in (
        (lambda *a: T(*a) * (1 + size), "factor"),
        (lambda *a: T(*a).at[2, 3].multiply(1 + size), "entries"),
    ):
        report = check_gradient(f, wrong, A, X, B, C, wrt=1)
        assert (report.verdict, report.cause.name) == ("fail", name)
        single = check_gradient(f, wrong, *(a.astype(np.float32) for a in (A, X, B, C)), wrt=1)
        assert single.verdict == ("fail" if size > 1e-4 else single.verdict)
        assert single.verdict in ("pass", "fail")


def test_what_is_true_for_special_arguments_only():
    report = check_gradient(lambda x, M: x @ M @ x, lambda x, M: 2 * M @ x, x, RNG.normal(size=(5, 5)))
    assert (report.verdict, report.cause.name) == ("fail", "special arguments")
    assert "true only for symmetric M" in report.cause.text
    assert "where={'M': 'symmetric'}" in report.cause.remedy
    # At a symmetric point it is right; it is not nearby.
    spd = S @ S.T + np.eye(4)
    report = check_gradient(lambda X: jnp.linalg.slogdet(X)[1], jnp.linalg.inv, spd)
    assert (report.verdict, report.cause.name) == ("fail", "special arguments")
    for domain in ("symmetric", "positive definite"):
        report = check_gradient(lambda X: jnp.linalg.slogdet(X)[1], jnp.linalg.inv, spd, where=domain)
        assert report.verdict == "pass"
    report = check_gradient(lambda X: jnp.linalg.slogdet(X)[1], jnp.linalg.inv, S, where={"X": "symmetric"})
    assert (report.verdict, report.cause.name) == ("inconclusive", "domain")


def test_conventions_for_symmetric_matrices():
    def logdet(X):
        return jnp.linalg.slogdet(X)[1]

    def by_independent_entries(X):
        G = jnp.linalg.inv(X).T
        return G + G.T - jnp.diag(jnp.diag(G))

    for options in ({}, {"where": "symmetric"}):
        report = check_gradient(logdet, by_independent_entries, S @ S.T + np.eye(4), **options)
        assert (report.verdict, report.cause.name) == ("fail", "symmetric convention")


def test_a_derivative_by_another_argument():
    def g(x, y):
        return jnp.sum(x * jnp.sin(y))

    report = check_gradient(g, lambda x, y: x * jnp.cos(y), x, y)
    assert str(report.cause) == "It is the derivative by y, not by x. Differentiate by x."


def test_rows_stacked_for_vec():
    def g(X):
        return X @ S @ X.T

    def rows(X):
        return jax.jacfwd(g)(X).reshape(9, 12)

    report = check_gradient(g, rows, X, layout="vec")
    assert (report.verdict, report.cause.name) == ("fail", "vec order")


def test_shapes():
    def g(x):
        return jnp.sum(x**2)

    for wrong, text in (
        (
            lambda x: jnp.ones((2, 2)),
            "It has another shape than the jax layout asks for: by x (2, 2), and (5,) is due.",
        ),
        (lambda x: jnp.stack([x, x]), "It has an axis too many, over which it should be summed. Sum over it."),
        (lambda x: 2 * x[:, None], "Its entries are right and their shape is not"),
        (lambda x: 2 * x[None], "It is right in numerator layout, and jax layout was asked for."),
        (lambda x: (x, x), "It has 2 arrays, and 1 are due: by x."),
    ):
        report = check_gradient(g, wrong, x)
        assert report.verdict == "fail"
        assert text in str(report.cause)


# --- What cannot be told


def inconclusive(cause, *args, **options):
    report = check_gradient(*args, **options)
    assert (report.verdict, report.cause.name) == ("inconclusive", cause)
    assert not report.ok
    with pytest.raises(GradientError):
        report.raise_if_failed()
    return report


def test_kinks():
    """Wherever the claim is one of the slopes, or what JAX says there."""
    for g, derivative, point in (
        (lambda x: jnp.sum(jnp.abs(x)), jnp.sign, np.array([0.0, 1.0, 2.0])),
        (lambda x: jnp.sum(jax.nn.relu(x)), lambda x: (x > 0) * 1.0, np.array([0.0, 1.0, -2.0])),
        (jnp.linalg.norm, lambda x: x / jnp.linalg.norm(x), np.zeros(3)),
        (jnp.linalg.norm, lambda x: jnp.zeros(3), np.zeros(3)),
        (jnp.max, lambda x: jnp.array([0.5, 0.5]), np.ones(2)),
        (lambda x: np.abs(x).sum(), np.sign, np.zeros(2)),
    ):
        report = inconclusive("kink", g, derivative, point)
        assert "its slope is" in report.cause.text
        assert "move the point" in report.cause.remedy
    assert check_gradient(lambda x: jnp.sum(jax.nn.relu(x)), lambda x: (x > 0) * 1.0, x).verdict == "pass"


def test_points_where_there_is_nothing_to_check():
    def square(x):
        return jnp.sum(x**2)

    inconclusive("non-finite", lambda x: jnp.sum(jnp.log(x)), lambda x: 1 / x, -np.ones(2))
    inconclusive("domain", square, lambda x: 2 * x, np.array([1.0, np.nan]))
    inconclusive("domain", square, lambda x: 2 * x, np.array([1.0, np.inf]))
    inconclusive("integer", square, lambda x: 2 * x, np.arange(3))
    inconclusive("integer", square, lambda x: 2 * x, [1, 2, 3])
    inconclusive("integer", square, lambda x: 2 * x, "text")
    inconclusive("shape", square, lambda x: 2 * x, np.ones(2) * 1j)
    inconclusive("empty", square, lambda x: 2 * x, np.zeros((0, 3)))
    inconclusive("empty", lambda x: x[:0], lambda x: jnp.zeros((0, 5)), x)
    inconclusive("empty", square, lambda x: 2 * x, {})
    for domain in ("symmetric", "invertible", "orthogonal", "positive definite", "full column rank", "diagonal"):
        inconclusive("domain", lambda x: x**2, lambda x: 2 * x, 3.0, where=domain)
        inconclusive("domain", square, lambda x: 2 * x, X.T if "rank" not in domain else X, where=domain)
    inconclusive("shape", lambda x: (x, x), lambda x: x, x)


def test_functions_that_raise():
    def boom(*_):
        raise RuntimeError("boom")

    inconclusive("raises", boom, lambda x: x, x)
    report = check_gradient(lambda x: jnp.sum(x), boom, x)
    assert (report.verdict, report.cause.name) == ("fail", "raises")
    assert "RuntimeError: boom" in report.cause.text


def test_random_functions():
    rng = np.random.default_rng(0)
    inconclusive("non-deterministic", lambda x: np.sum(x * rng.normal(size=5)), lambda x: x, x)
    inconclusive("non-deterministic", lambda x: jnp.sum(x * rng.normal(size=5)), lambda x: x, x)
    inconclusive("non-deterministic", lambda x: jnp.sum(x**2), lambda x: x * rng.normal(size=5), x)


def test_a_function_that_changes_its_argument():
    def doubled(x):
        x *= 2.0
        np.sqrt(x**2, out=x)
        return np.sum(x**2) / 4

    before = x.copy()
    report = check_gradient(doubled, lambda x: 2 * x, x)
    assert report.verdict == "pass"
    assert any("f changes its arguments in place" in note for note in report.notes)
    np.testing.assert_array_equal(x, before)


def test_ill_conditioned_points():
    hilbert = np.array([[1.0 / (i + j + 1) for j in range(6)] for i in range(6)])

    def logdet(X):
        return jnp.linalg.slogdet(X)[1]

    report = inconclusive("ill-conditioned", logdet, lambda X: jnp.linalg.inv(X).T, hilbert.astype(np.float32))
    assert "condition number" in report.cause.text
    assert check_gradient(logdet, lambda X: jnp.linalg.inv(X).T, hilbert).verdict == "pass"
    # An error is one there too, as long as the formula can be computed in float64.
    wrong = check_gradient(logdet, lambda X: 1.01 * jnp.linalg.inv(X).T, hilbert.astype(np.float32))
    assert (wrong.verdict, wrong.cause.name) == ("fail", "factor")


def test_an_unstable_gradient_is_told_from_a_wrong_one():
    """1 - cos x without a half angle: right in float64, and nothing is left of it in float32."""

    def g(x):
        return jnp.sum(2 * jnp.sin(x / 2) ** 2 * x**0)

    report = check_gradient(g, lambda x: (1 - jnp.cos(x)) / jnp.tan(x / 2) + 0 * x, np.full(3, 1e-3, np.float32))
    assert (report.verdict, report.cause.name) == ("inconclusive", "unstable")


def test_numbers_that_are_rounded_inside():
    """Float32 and bfloat16 inside f limit what can be told, and are taken into account."""
    assert check_gradient(lambda x: jnp.sum(jnp.sin(x.astype(jnp.float32))), jnp.cos, x).verdict == "pass"
    report = check_gradient(lambda x: jnp.sum(jnp.sin(x.astype(jnp.float32))), lambda x: 1.001 * jnp.cos(x), x)
    assert report.verdict == "fail"
    report = check_gradient(lambda x: jnp.sum(x.astype(jnp.bfloat16) ** 2), lambda x: 2 * x, x)
    assert report.verdict in ("pass", "inconclusive")
    assert check_gradient(lambda x: jnp.sum(x**2), lambda x: 2 * x, x.astype(jnp.bfloat16)).verdict == "pass"


@pytest.mark.parametrize("scale", [1e-100, 1e-12, 1.0, 1e12, 1e100])
def test_neither_the_size_of_the_value_nor_of_the_argument_matters(scale):
    for g, derivative, point in (
        (lambda x: scale * jnp.sum(x**3), lambda x: 3 * scale * x**2, x),
        (lambda x: jnp.sum((x / scale) ** 3), lambda x: 3 * (x / scale) ** 2 / scale, scale * x),
    ):
        assert check_gradient(g, derivative, point).verdict == "pass"
        assert check_gradient(g, lambda x, D=derivative: 1.00001 * D(x), point).verdict == "fail"
        assert check_gradient(g, lambda x: 0 * x, point).verdict == "fail"


# --- Functions that JAX cannot trace


def test_functions_of_numpy():
    def g(x):
        return np.sum(np.sin(x) * x)

    def derivative(x):
        return np.cos(x) * x + np.sin(x)

    report = check_gradient(g, derivative, x)
    assert report.verdict == "pass"
    assert "finite differences are the witness" in report.notes[0]
    assert set(report.errors) == {"finite differences"}
    for wrong, name in (
        (lambda x: -derivative(x), "sign"),
        (lambda x: 2 * derivative(x), "factor"),
        (lambda x: derivative(x) * np.array([1, 1, 1.01, 1, 1]), "entries"),
        (lambda _: derivative(x + 1), "constant"),
        (lambda _: derivative(x), "constant"),
    ):
        report = check_gradient(g, wrong, x)
        assert (report.verdict, report.cause.name) == ("fail", name)
    # Some of these derivatives are a millionth of others.
    for z in 6 * RNG.normal(size=(5, 6)):
        assert check_gradient(lambda x: np.log(np.exp(x).sum()), lambda x: np.exp(x) / np.exp(x).sum(), z).ok
    large = RNG.normal(size=3000)
    assert check_gradient(g, derivative, large).verdict == "pass"
    assert check_gradient(g, lambda x: -derivative(x), large).cause.name == "sign"


def test_functions_that_branch_on_values():
    """They cannot be jitted, and differentiated all the same."""

    def g(x):
        return jnp.sum(x**2) if x[0] > 0 else jnp.sum(x**3)

    report = check_gradient(g, lambda x: 2 * x, np.abs(x))
    assert report.verdict == "pass"
    assert "reference" in report.errors


# --- What is asked for wrongly


def test_options_that_make_no_sense():
    for options, text in (
        ({"wrt": 7}, "There is no argument 7; there are 1: x."),
        ({"wrt": "z"}, "There is no argument 'z'; there are 1: x."),
        ({"wrt": None}, "There is no argument None; there are 1: x."),
        ({"wrt": ()}, "wrt must name one or more different arguments"),
        ({"wrt": (0, 0)}, "wrt must name one or more different arguments"),
        ({"layout": "row"}, "layout must be one of jax, numerator, denominator, vec; got 'row'."),
        ({"where": "round"}, "There is no domain 'round'; there are general, invertible"),
        ({"where": 5}, "where names domains, such as 'symmetric', got 5."),
        ({"seed": 1.5}, "seed must be an integer or a JAX key, got 1.5."),
        ({"platform": "abacus"}, "There is no platform 'abacus' here"),
        ({"order": 3}, "order must be 1 or 2, got 3."),
        ({"form": "adjoint"}, "form must be derivative, pushforward or pullback"),
        ({"form": "pullback", "order": 2}, "A pullback is a function, of order 1."),
        ({"precision": "exact"}, "precision must be one of highest, high, default"),
    ):
        with pytest.raises(ValueError, match=text.replace("(", r"\(").replace(".", r"\.")):
            check_gradient(lambda x: jnp.sum(x), lambda x: jnp.ones(5), x, **options)
    with pytest.raises(TypeError, match="f must be a function, got ndarray"):
        check_gradient(x, x, x)


def test_the_assertion():
    assert assert_gradient(lambda x: jnp.sum(x**2), lambda x: 2 * x, x).ok
    with pytest.raises(GradientError, match="negative") as failure:
        assert_gradient(lambda x: jnp.sum(x**2), lambda x: -2 * x, x)
    assert failure.value.report.verdict == "fail"
    assert isinstance(failure.value, AssertionError)


def test_nothing_is_left_behind():
    """No setting of JAX, no warning, no argument changed; and the same seed gives the same report."""
    before = jax.config.jax_enable_x64, jax.config.jax_numpy_dtype_promotion, jax.config.jax_default_matmul_precision
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, other = (check_gradient(f, lambda *a: 1.1 * T(*a), A, X, B, C, wrt=1, seed=3) for _ in range(2))
    after = jax.config.jax_enable_x64, jax.config.jax_numpy_dtype_promotion, jax.config.jax_default_matmul_precision
    assert before == after
    assert str(one) == str(other)


def test_stale_programs_are_not_kept():
    """A function that reads something else by now is another function."""
    scale = {"by": 1.0}

    def g(x):
        return scale["by"] * jnp.sum(x**2)

    assert check_gradient(g, lambda x: 2 * x, x).verdict == "pass"
    scale["by"] = 3.0
    report = check_gradient(g, lambda x: 2 * x, x)
    assert (report.verdict, report.cause.name) == ("fail", "factor")


def test_the_slope_of_the_remainder_tells_right_from_wrong():
    right = check_gradient(f, lambda *a: T(*a), A, X, B, C, wrt=1)
    wrong = check_gradient(f, lambda *a: 1.1 * T(*a), A, X, B, C, wrt=1)
    assert wrong.slope == pytest.approx(1, abs=0.2)
    assert np.isnan(right.slope) or right.slope == pytest.approx(2, abs=0.2)


def test_what_a_library_function_is_approximated_to_is_no_wrong_gradient():
    """JAX's expm is off by up to 2e-10 at norms just below 2·5.37; the textbook derivative is not its own."""
    M = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 1.0], [2.0, 0.1, 0.7]])
    M *= 10.6 / np.abs(M).sum(0).max()

    @jax.jit
    def g(t):
        return jnp.sum(jax.scipy.linalg.expm(t * M))

    report = check_gradient(g, lambda t: jnp.sum(M @ jax.scipy.linalg.expm(t * M)), 1.0)
    assert report.verdict == "pass"
    if report.notes:
        assert "less than library functions may be off by" in report.notes[0]
    report = check_gradient(g, lambda t: (1 + 1e-7) * jnp.sum(M @ jax.scipy.linalg.expm(t * M)), 1.0)
    assert (report.verdict, report.cause.name) == ("fail", "factor")


def test_what_hardly_changes_is_still_no_constant():
    """The gradient changes by a hundredth of what x changes: nearby a stale one is off by 1e-10."""

    def g(x):
        return jnp.sum(100 * x + x**2 / 200)

    point = np.full(3, 1.0)
    assert check_gradient(g, lambda x: 100 + x / 100, point).verdict == "pass"
    report = check_gradient(g, lambda _: 100 + point / 100, point)
    assert (report.verdict, report.cause.name) == ("fail", "constant")


def test_a_derivative_that_vanishes_only_to_rounding_nearby_is_no_wrong_one():
    """Of numbers, the cosine of the angle between them is ±1: its derivative is rounding, here zero by chance."""

    @jax.jit
    def cosine(a, b):
        return a @ b / (jnp.sqrt(a @ a) * jnp.sqrt(b @ b))

    @jax.jit
    def gradient(a, b):
        ra, rb = jnp.sqrt(a @ a), jnp.sqrt(b @ b)
        return b / (ra * rb) - (a @ b) * a / (ra**3 * rb)

    @jax.jit
    def off(a, b):
        return gradient(a, b) + 1

    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        for seed in range(30):
            a, b = rng.standard_normal((2, 1)).astype(dtype)
            report = check_gradient(cosine, gradient, a, b, seed=seed)
            assert report.verdict in ("pass", "inconclusive"), report
            wrong = check_gradient(cosine, off, a, b, seed=seed)
            assert wrong.verdict in ("fail", "inconclusive"), wrong


def test_what_jax_has_wrong_in_a_small_part_is_seen_beside_a_large_one():
    """The derivative by b of one factor of the two is a 1e-9th of that by w."""

    def loss(w, b):
        return 1e8 * jnp.sum(w**2) + jnp.sum(jax.lax.stop_gradient(b) * b)

    report = check_gradient(loss, lambda w, b: (2e8 * w, 2 * b), x, y, wrt=(0, 1))
    assert report.verdict == "autodiff-wrong"
    for claim in (lambda w, b: (2e8 * w, b), None):
        report = check_gradient(loss, claim, x, y, wrt=(0, 1))
        assert (report.verdict, report.cause.name) == ("fail", "factor"), report
        assert report.cause.text.startswith("By b: ")


@pytest.mark.parametrize("n", [4, 60])
def test_hessians_of_numpy_functions_are_compared_in_every_part(n):
    M, point = np.random.default_rng(n).normal(size=(n, n)), np.random.default_rng(0).normal(size=n)

    def quadratic(x):
        return float(np.asarray(x) @ M @ np.asarray(x))

    unit = np.zeros((n, n))
    unit[0, 0], unit[1, 1] = 5, -5
    assert check_gradient(quadratic, lambda x: M + M.T, point, order=2).verdict == "pass"
    for wrong in (2 * M, M + M.T + unit):
        report = check_gradient(quadratic, lambda x, wrong=wrong: wrong, point, order=2)
        assert report.verdict == "fail"


def test_what_does_not_move_in_float64_proves_nothing():
    def of_numpy(x):
        return 1e16 + np.sum(np.cos(np.asarray(x)))

    for claim in (np.sin, np.zeros_like):
        report = check_gradient(of_numpy, claim, x)
        assert (report.verdict, report.cause.name) == ("inconclusive", "noise")
    # The program of JAX can be followed without rounding.
    report = check_gradient(lambda x: 1e16 + jnp.sum(jnp.cos(x)), jnp.sin, x)
    assert (report.verdict, report.cause.name) == ("fail", "sign")
    assert check_gradient(lambda x: 1e16 + jnp.sum(jnp.cos(x)), lambda x: -jnp.sin(x), x).verdict == "pass"


def test_where_f_is_constant_only_zero_is_right():
    for flat in (
        lambda x: jnp.sum(jnp.floor(x)),
        lambda x: jnp.sum(jax.nn.relu(x - 10)),
        lambda x: jnp.float64(3),
        lambda x: 1e8 + 0 * jnp.sum(x),
    ):
        assert check_gradient(flat, jnp.zeros_like, x).verdict == "pass"
        report = check_gradient(flat, lambda x: jnp.full(5, 0.02), x)
        assert (report.verdict, report.cause.name) == ("fail", "not zero")


def test_where_everything_is_zero():
    assert check_gradient(lambda x: jnp.sum(x**2), lambda x: 2 * x, np.zeros(3)).verdict == "pass"
    assert check_gradient(lambda x: np.sum(np.asarray(x) ** 2), lambda x: 2 * x, np.zeros(3)).verdict == "pass"
    assert check_gradient(lambda x: jnp.sum(x**2), lambda x: 3 * x, np.zeros(3)).verdict == "fail"


def test_functions_that_raise_outside_their_domain():
    def entropy(p):
        if not 0 < p < 1:
            raise ValueError("no probability")
        return float(-p * np.log(p))

    assert check_gradient(entropy, lambda p: -np.log(p) - 1, 0.9).verdict == "pass"
    assert check_gradient(entropy, lambda p: -np.log(p) - 2, 0.9).verdict == "fail"

    def log_det(A):
        return 2 * np.sum(np.log(np.diag(np.linalg.cholesky(A))))

    assert check_gradient(log_det, np.linalg.inv, np.eye(3) / 10 + 1, where="positive definite").verdict == "pass"


def test_an_imaginary_part_is_no_gradient():
    report = check_gradient(lambda x: jnp.sum(x**2), lambda x: 2 * x + 1j, x)
    assert (report.verdict, report.cause.name) == ("fail", "shape")
    assert "complex128" in report.cause.text


def test_constants_that_change_from_trace_to_trace_are_no_fixed_function():
    calls = []

    def counted(x):
        calls.append(None)
        return jnp.sum(x**2) * len(calls)

    for changing in (lambda x: jnp.sum(x**2 * (np.random.default_rng().random(5) > 0.5)), counted):
        report = check_gradient(changing, lambda x: 2 * x, x)
        assert (report.verdict, report.cause.name) == ("inconclusive", "non-deterministic")


def test_a_constant_key_and_a_constant_nan_do_not_change_from_trace_to_trace():
    key, nan = jax.random.key(0), np.array([np.nan, 1, 1, 1, 1])
    for fixed in (
        lambda x: jnp.sum(x**2 * jax.random.uniform(key, (5,))),
        lambda x: jnp.sum(x**2 * jnp.where(jnp.isnan(nan), 1, nan)),
    ):
        report = check_gradient(fixed, lambda x: 3 * x, x)
        assert report.verdict == "fail"
        assert report.cause.name != "non-deterministic"


def test_arrays_of_other_kinds_are_taken_as_plain_ones():
    for kind in (S.astype(">f8"), S.astype(np.longdouble), np.ma.array(S)):
        assert check_gradient(lambda x: jnp.sum(x**2), lambda x: 2 * x, kind).verdict == "pass"


def test_a_factor_near_one_says_how_near():
    report = check_gradient(lambda x: jnp.sum(jnp.sin(x)), lambda x: jnp.cos(x) * (1 + 1e-8), x)
    assert report.cause.text.startswith("It is (1 + 1e-08) times the gradient")


def test_it_does_not_run_while_jax_traces():
    with pytest.raises(TypeError, match="outside jit"):
        jax.jit(lambda x: check_gradient(lambda x: jnp.sum(x), jnp.ones_like, x).ok)(x)


def test_a_failed_call_leaves_nothing_behind_in_programs_that_are_kept():
    """The report of a jitted gradient points at its line, also after a call with other shapes that it cannot take."""

    @jax.jit
    def doubled(A, X, B, C):
        return (C @ A @ X @ B + 2 * (A.T @ C.T @ X @ B.T)).reshape(3, 4)

    def cause():
        return str(check_gradient(f, doubled, A, X, B, C, wrt="X").cause)

    before = cause()
    assert "`C @ A @ X @ B + 2 * (A.T @ C.T @ X @ B.T)`" in before
    assert check_gradient(f, doubled, A, np.ones((3, 5)), np.ones((5, 5)), C, wrt="X").verdict == "fail"
    assert cause() == before


def test_a_masked_array_is_refused_and_one_without_a_mask_is_taken():
    masked = np.ma.array(x, mask=np.arange(5) == 2)
    report = check_gradient(lambda x: jnp.sum(x**2), lambda x: 2 * x, masked)
    assert report.verdict == "inconclusive"
    assert str(report.cause).startswith("x is a masked array, of which the mask would be lost.")


def test_a_seed_fixes_every_direction_whatever_is_asked_first():
    from matcalc.referee.evidence import Evidence
    from matcalc.referee.look import Look
    from matcalc.referee.runs import Runs
    from matcalc.referee.subject import Subject

    def evidence():
        subject = Subject(f, (A, X, B, C), "X", None, "derivative", 1, seed=7)
        return Evidence(Runs(subject, gradient, layout="jax", precision="highest", platform=None))

    with jax.enable_x64(True):
        one, other = evidence(), evidence()
        a, b = one.differences, other.differences
        looks = [[Look(each, is_close=close).conditions for close in (False, True)] for each in (one, other)]
        first = [a.quick.directions, a.ladder.directions, *looks[0]]
        last = [*looks[1][::-1], b.ladder.directions, b.quick.directions]
        for a, b in zip(first, reversed(last), strict=True):
            np.testing.assert_array_equal(a, b)
