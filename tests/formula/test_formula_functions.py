"""The functions and the notation of the larger language, by NumPy, by JAX and in ball arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special

from matcalc.formula import FormulaError, evaluate, infer, parse
from matcalc.formula.balls import balls, evaluate_in_balls, precision
from matcalc.formula.meaning import settle

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 3)) / 2
A = RNG.normal(size=(2, 3))
x, y = RNG.normal(size=(2, 3))
VALUES = {"X": X, "A": A, "x": x, "y": y, "a": 0.7, "w": RNG.normal(size=(2, 3))}
SIZES = {"m": 2, "n": 3}
SIZES_OF = dict.fromkeys(SIZES, ())

CASES = {
    "sinh(X) + cosh(X) + tan(X)": scipy.linalg.expm(X) + scipy.linalg.tanm(X),
    "sinh(x) + cosh(x) + tan(x)": np.exp(x) + np.tan(x),
    "sinh.(X) + cosh.(X) + tan.(X)": np.exp(X) + np.tan(X),
    "sinh(a) + cosh(a) + tan(a) + relu(-a) + sign(a) + abs(-a)": np.exp(0.7) + np.tan(0.7) + 1.7,
    "relu(X) - abs(X)/2": X / 2,
    "sign(x) .* abs(x)": x,
    "softmax(x)": scipy.special.softmax(x),
    "logsumexp(x)": scipy.special.logsumexp(x),
    "x - logsumexp(x)": scipy.special.log_softmax(x),
    "mean(A) + max(A) + min(A)": A.mean() + A.max() + A.min(),
    "‖x‖_1 + ‖x‖_∞": np.abs(x).sum() + np.abs(x).max(),
    "|x|^2 + |x|": x @ x + np.linalg.norm(x),
    "tril(X) + 2 triu(X)": np.tril(X) + 2 * np.triu(X),
    "blkdiag(A, X)": scipy.linalg.block_diag(A, X),
    "blkdiag(A, a)": scipy.linalg.block_diag(A, 0.7),
    "x · y": x @ y,
    "(a x) · (y + x)": 0.7 * x @ (y + x),
    "⟨A, 2 A⟩ + ⟨x, y⟩": 2 * (A * A).sum() + x @ y,
    "x.^2 + A'.^3 1": x**2 + (A.T**3).sum(1),
    "2^{x'y} + a^{x_1}": 2 ** (x @ y) + 0.7 ** x[0],
    "1 - 2 x + 0.5": 1.5 - 2 * x,
    "A + 1": A + 1,
    "1 ./ (1 + exp(-x))": scipy.special.expit(x),
    "a .* x + x ⊘ a": 0.7 * x + x / 0.7,
    r"\sum_i x_i y_i + ∑_j x_j": x @ y + x.sum(),
    r"\sum_{i,j} X_ij^2": (X**2).sum(),
    r"\sum_i w_i y_i": VALUES["w"] @ y,
    r"\sum_{i=1}^{n} w_i w_i'": VALUES["w"] @ VALUES["w"].T,
    r"\log\sum_i e^{x_i}": scipy.special.logsumexp(x),
    "‖x - x‖² + ‖x‖⁴ + ‖-a‖²": (x @ x) ** 2 + 0.49,
    "(X'X)^{1/2} (X'X)^{-1/2}": np.eye(3),
}
NOT_IN_BALLS = {
    "‖X‖_* + ‖X‖_2": np.linalg.norm(X, "nuc") + np.linalg.norm(X, 2),
    "‖X‖_2² + ‖x‖_2²": np.linalg.norm(X, 2) ** 2 + x @ x,
}


@pytest.mark.parametrize("text", [*CASES, *NOT_IN_BALLS])
def test_values(text):
    tree, expected = parse(text), {**CASES, **NOT_IN_BALLS}[text]
    assert parse(str(tree)) == parse(tree.ascii()) == parse(tree.tex()) == tree
    by_numpy = evaluate(tree, VALUES, sizes=SIZES)
    with jax.enable_x64(True):
        by_jax = evaluate(tree, VALUES, sizes=SIZES, xp=jnp)
    for value in (by_numpy, by_jax):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)
    assert infer(tree, {name: np.shape(value) for name, value in VALUES.items()} | SIZES_OF) == by_numpy.shape
    if text in CASES:
        with precision(40):
            exact = evaluate_in_balls(tree, {k: balls(v) for k, v in VALUES.items()}, sizes=SIZES)
        np.testing.assert_allclose(np.vectorize(float)(exact), expected, rtol=1e-12, atol=1e-14)


def test_the_commutation_matrix():
    tree, _ = settle(parse("K_mn"), (), SIZES)
    np.testing.assert_array_equal(evaluate(tree, {}, sizes=SIZES) @ A.ravel(order="F"), A.ravel())
    turned = evaluate(tree.T, {}, sizes=SIZES)
    np.testing.assert_array_equal(turned, evaluate(tree, {}, sizes=SIZES).T)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X + 1", "write 1 I, or 1 1 1' for a matrix full of it"),
        ("softmax(X)", "of the rows of X write"),
        ("‖X‖_1", "write sum(abs(X))"),
        ("logsumexp(A)", "of all entries write ln(sum(exp.(X)))"),
        ("tril(x)", "tril is of matrices"),
        ("2^{x}", "x is not an integer expression"),
        ("2^{A' A x}", "a power of this kind is of scalars"),
        (r"\sum_i a", "nothing in this sum has entries that i counts"),
        (r"\sum_i (x_i + A_{1,i} + A_{i,1})", "i goes over entries of several numbers"),
        ("X_1", "its entries have two subscripts"),
        ("X^{1/3}", "must be an integer"),
    ],
)
def test_what_has_no_value_is_said(text, message):
    with pytest.raises(FormulaError) as raised:
        evaluate(parse(text), VALUES)
    assert message in str(raised.value)


def test_squares_of_norms_have_derivatives_at_zero():
    for text in ("‖x‖²", "‖x - x‖² + ‖x‖⁴"):
        tree = parse(text)
        gradient = jax.grad(lambda v, tree=tree: evaluate(tree, {"x": v}, xp=jnp))(jnp.zeros(3))
        np.testing.assert_array_equal(gradient, np.zeros(3))


def test_softmax_does_not_overflow():
    far = {"x": np.array([-2000.0, 0.0, 2000.0])}
    np.testing.assert_array_equal(evaluate(parse("softmax(x)"), far), [0, 0, 1])
    assert evaluate(parse("logsumexp(x)"), far) == 2000
