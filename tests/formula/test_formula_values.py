"""The values of formulas, in NumPy and jax.numpy."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special

import matcalc.formula
from matcalc.formula import FormulaError, evaluate, parse


def test_constants_and_subscripts():
    X = np.arange(12.0).reshape(3, 4)
    x = np.arange(4.0)
    values = {"X": X, "x": x, "i": 0, "j": 2, "s": 5.0}
    assert evaluate(parse("x_j"), values) == 2.0  # a given position counts from 0
    assert evaluate(parse("x_ij"), values) == X[0, 2]  # the capital's
    assert evaluate(parse("X_ij + [X']_ji"), values) == 2 * X[0, 2]
    assert evaluate(parse("x_1 + x_{i+1}"), values) == 1.0  # a number counts from 1
    assert evaluate(parse("Σ_{l=2}^{4} l x_l"), values) == 2 * 1 + 3 * 2 + 4 * 3  # the index of a sum from 1
    np.testing.assert_array_equal(
        evaluate(parse("E_ij"), values, shape=(3, 4)), np.eye(3, 4, 2) * (np.arange(3) == 0)[:, None]
    )
    np.testing.assert_array_equal(evaluate(parse("x + (s - x_j) e_j"), values), [0, 1, 5, 3])
    np.testing.assert_array_equal(evaluate(parse("0"), {}, shape=(2, 3, 2, 3)), np.zeros((2, 3, 2, 3)))
    np.testing.assert_array_equal(evaluate(parse("0_mn + I_3"), {}, sizes={"m": 3, "n": 3}), np.eye(3))
    assert evaluate(parse("0"), {}).shape == ()
    for text in ("x_9", "x_{l}"):
        with pytest.raises(FormulaError, match=r"out of range|nothing is given"):
            evaluate(parse(text), values)
    with pytest.raises(FormulaError, match="mixes"):
        evaluate(parse("Σ_{l=1}^{2} x_{l+j}"), values)


def test_functions():
    random = np.random.default_rng(2)
    X = random.normal(size=(3, 3)) / 2
    P = X @ X.T + np.eye(3)
    values = {"X": X, "P": P, "x": 0.7, "v": X[0]}
    cases = {
        "exp(X)": scipy.linalg.expm(X),
        "ln(P)": scipy.linalg.logm(P),
        "sin(X)": scipy.linalg.sinm(X),
        "cos(X)": scipy.linalg.cosm(X),
        "sqrt(P)": scipy.linalg.sqrtm(P),
        "exp(x) + ln(x) + sin(x) + cos(x) + sqrt(x)": sum(f(0.7) for f in (np.exp, np.log, np.sin, np.cos, np.sqrt)),
        "vec(X)": X.T.ravel(),
        "diag(X)": np.diag(X),
        "diag(v)": np.diag(X[0]),
        "sum(X)": X.sum(),
        "X⁺": np.linalg.pinv(X),
        "‖X‖": np.linalg.norm(X),
        "‖v‖²": X[0] @ X[0],
        "|-x|": 0.7,
        "|det(-X)|": abs(np.linalg.det(X)),
        "X^0": np.eye(3),
        "X^(-2)": np.linalg.inv(X @ X),
        "x^0.5": np.sqrt(0.7),
        "x^(1/2)": np.sqrt(0.7),
        "5!/3!": 20.0,
        "X ⊗ v": np.kron(X, X[0][:, None]),
        "v × X v": np.cross(X[0], X @ X[0]),
        "(1/2) v": X[0] / 2,
        "1_3": np.ones(3),
        "1' X 1": X.sum(),
        "‖v‖_2": np.linalg.norm(X[0]),
        "ln(1 + exp(-x))": np.log1p(np.exp(-0.7)),
        "exp(v) + sin(v)": np.exp(X[0]) + np.sin(X[0]),
        "exp(v') X": np.exp(X[:1]) @ X,
        "exp.(X) ./ cos.(X)": np.exp(X) / np.cos(X),
        "sigmoid(X) - 1 1'/2": scipy.special.expit(X) - 0.5,
        "tanh(x) + sum(tanh(v))": np.tanh(0.7) + np.tanh(X[0]).sum(),
        "softplus(-X)": np.log1p(np.exp(-X)),
    }

    def computed(xp, values):
        return [evaluate(parse(text), values, xp=xp) for text in cases]

    with jax.enable_x64(True):
        by_jax = jax.jit(partial(computed, jnp))(values)  # one program
    for results in (computed(np, values), by_jax):
        for (text, expected), got in zip(cases.items(), results, strict=True):
            assert np.asarray(got).dtype == np.float64
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10, err_msg=text)
    with pytest.raises(FormulaError, match="must be an integer"):
        evaluate(parse("X^(1/3)"), values)
    with pytest.raises(FormulaError, match="must be an integer"):
        evaluate(parse("X^2.0"), values)
    np.testing.assert_allclose(evaluate(parse("X^2"), values), X @ X)  # an equal tree, of other numbers
    with pytest.raises(FormulaError, match="norm1 is of vectors"):
        evaluate(parse("‖X‖_1"), values)
    far = evaluate(parse("sigmoid(v) + softplus(v)"), {"v": np.array([-800.0, 800.0])})
    np.testing.assert_array_equal(far, [0.0, 801.0])


@pytest.mark.parametrize("xp", [np, jnp])
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_the_adjugate_at_every_rank(xp, rank):
    random = np.random.default_rng(rank)
    X = random.normal(size=(4, rank)) @ random.normal(size=(rank, 4))
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(X, i, 0), j, 1)) for i in range(4)] for j in range(4)
    ]
    with jax.enable_x64(True):
        np.testing.assert_allclose(evaluate(parse("adj(X)"), {"X": X}, xp=xp), cofactors, atol=1e-12)
    np.testing.assert_allclose(evaluate(parse("adj(X)"), {"X": np.array([[5.0]])}, xp=xp), [[1.0]], rtol=1e-6)


def test_a_singular_power_zero():
    np.testing.assert_array_equal(evaluate(parse("X^0"), {"X": np.zeros((2, 2))}), np.eye(2))
    assert evaluate(parse("Σ_{i=1}^{k} X^i"), {"X": np.ones((2, 2)), "k": 0}).tolist() == [[0, 0], [0, 0]]


def test_size_one():
    """Where n happens to be 1, matrices stay matrices, columns columns."""
    values = {"X": np.array([[-3.0]]), "A": np.array([[2.0]]), "x": np.array([4.0]), "a": np.array([0.5])}
    assert evaluate(parse("|X|"), values) == pytest.approx(-3.0)
    assert evaluate(parse("|Xᵀ A X|"), values).shape == ()
    assert evaluate(parse("|-aᵀ x|"), values) == 2.0
    for text, shape in [
        ("A X", (1, 1)),
        ("A x", (1,)),
        ("aᵀ x", ()),
        ("aᵀ x a", (1,)),
        ("a aᵀ", (1, 1)),
        ("aᵀ", (1, 1)),
    ]:
        assert evaluate(parse(text), values).shape == shape
    column = {"X": np.ones((3, 1)), "a": np.ones(1), "b": np.ones(3)}
    assert evaluate(parse("X a"), column).shape == (3,)
    assert evaluate(parse("bᵀ X"), column).shape == (1, 1)
    assert evaluate(parse("bᵀ X a b"), column).shape == (3,)
    assert evaluate(parse("(I - x xᵀ/‖x‖²)/‖x‖"), values, shape=(1, 1)).shape == (1, 1)


def test_tensors():
    random = np.random.default_rng(3)
    for shape in [(2, 3, 2), (2, 3, 2, 3)]:
        dU, dV = random.normal(size=(2, *shape))
        values = {"dU": dU, "dV": dV, "a": 2.0}
        np.testing.assert_allclose(evaluate(parse("∂U + ∂V - 0"), values, shape=shape), dU + dV)
        np.testing.assert_allclose(evaluate(parse("-(a ∂U + 3 ∂V a)/a"), values), -dU - 3 * dV)
    with pytest.raises(FormulaError, match="tensor"):
        evaluate(parse("A ∂U"), {"A": np.eye(2), "dU": np.ones((2, 2, 2, 2))})
    with pytest.raises(FormulaError, match="∂U is 2×2×2, ∂V is 3×3×3"):
        evaluate(parse("∂U + ∂V"), {"dU": np.ones((2, 2, 2)), "dV": np.ones((3, 3, 3))})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(dtype):
    A = np.array([[2.0, 0.5], [0.1, 3.0]], dtype)
    for text in ("2 A + I", "exp(A) + 0.5 ln(A)", "tr(A)/2", "adj(A) |A|", "ln(2) A", "A² sqrt(A) sin(A) cos(A)", "A⁺"):
        value = evaluate(parse(text), {"A": A})
        assert value.dtype == dtype, text
        with jax.enable_x64(True):
            of_jax = jax.eval_shape(lambda A, text=text: evaluate(parse(text), {"A": A}, xp=jnp), A)
        assert of_jax.dtype == dtype, text
    assert evaluate(parse("A⁻¹"), {"A": np.array([[2, 0], [0, 2]])}).tolist() == [[0.5, 0], [0, 0.5]]


def _run(tree, static, A, X, x):
    return evaluate(tree, {"A": A, "X": X, "x": x, **static}, sizes={"n": 3}, xp=jnp)


def test_under_jit():
    random = np.random.default_rng(4)
    A = random.normal(size=(3, 3))
    X = A @ A.T + np.eye(3)
    x = random.normal(size=3)
    texts = [
        "exp(X) + ln(X) + sin(X) + cos(X) + sqrt(X) + adj(X) + X⁺ + X⁻ᵀ + |X| X^k + X_ij I",
        "Σ_{i=1}^{n} (i-1) x_i A E_ij A + 0",
        "x ⊗ x",
        "x × A x",
        "tr(A)/‖x‖ + ln |X| + xᵀ A x",
    ]
    static = {"k": 2, "i": 0, "j": 1}
    with jax.enable_x64(True):
        for text in texts:
            tree = parse(text)
            run = partial(_run, tree, static)
            got = jax.jit(run)(A, X, x)
            expected = evaluate(tree, {"A": A, "X": X, "x": x, **static}, sizes={"n": 3})
            np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)


def test_missing_values():
    with pytest.raises(FormulaError, match="nothing is given for B"):
        evaluate(parse("A B"), {"A": np.eye(2)})
    with pytest.raises(FormulaError, match="A is 2×2, x is 3×1; 2 ≠ 3"):
        evaluate(parse("A x"), {"A": np.eye(2), "x": np.ones(3)})
    with pytest.raises(FormulaError, match="expected 3"):
        evaluate(parse("A"), {"A": np.eye(2)}, shape=(3,))


def test_the_package_is_light():
    """Importing the package imports neither jax nor lark."""
    code = (
        "import sys, types; package = types.ModuleType('matcalc'); package.__path__ = sys.argv[1:];"
        "sys.modules['matcalc'] = package; import matcalc.formula;"
        "assert not {'jax', 'lark', 'scipy'} & set(sys.modules)"
    )
    folder = str(Path(matcalc.formula.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code, folder], check=True)


def test_formulas_are_jax_functions():
    X = np.random.default_rng(0).normal(size=(3, 3))
    f = jax.jit(lambda X: evaluate(parse("tr(X' X)"), {"X": X}, xp=jnp))
    np.testing.assert_allclose(jax.grad(f)(X), 2 * X, rtol=1e-5)
