"""Functions of JAX are read back into formulas: their values and derivatives are those of the functions themselves."""

import functools

import jax
import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
import pytest

import matcalc
from matcalc import derive
from matcalc.calculus import NotDerivable
from matcalc.claims.verification import Disagreement
from matcalc.derivation.traced import read_function
from matcalc.derivation.traced.rules import RULES, entrywise
from matcalc.formula import evaluate

C = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [2.0, 1.0, 1.0]])
K = C @ C.T + np.eye(3)
SIZES = {"m": 5, "n": 3, "p": 4, "q": 2}

VECTORS = {"x": ("n",), "y": ("n",)}
SQUARE = {"X": ("n", "n"), "b": ("n",)}
LEAST = {"X": ("m", "n"), "w": ("n",), "y": ("m",)}
LAYER = {"W": ("m", "n"), "x": ("n",), "v": ("m",)}


@pytest.fixture(autouse=True)
def _as_users_have_jax():
    """The types and ranks of a plain JAX, in float64."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"), jax.enable_x64(True):
        yield


def gaussian_process(X, y):
    L = jnp.linalg.cholesky(X @ X.T + jnp.eye(X.shape[0]))
    return jnp.sum(jsp.linalg.solve_triangular(L, y, lower=True) ** 2) + 2 * jnp.log(jnp.diag(L)).sum()


def factor_there_and_back(X, y):
    U = jsp.linalg.cholesky(X @ X.T + jnp.eye(X.shape[0]))
    return jsp.linalg.solve_triangular(U, jsp.linalg.solve_triangular(U, y, trans=1)) @ y


def own_softmax(x, y):
    powers = jnp.exp(x - x.max())
    return y @ (powers / powers.sum())


def own_logsumexp(X):
    largest = X.max(axis=1, keepdims=True)
    return (largest + jnp.log(jnp.exp(X - largest).sum(axis=1, keepdims=True))).sum()


def gaussian(x, mu, S):
    return -0.5 * (x - mu) @ jnp.linalg.solve(S, x - mu) - 0.5 * jnp.linalg.slogdet(S)[1]


@jax.jit
def of_a_jitted_function(A, x):
    return jax.nn.relu(A @ x).sum()


# What each is read as, the function, the variable, and the shapes of the arguments.
READ = [
    # Products, in all orientations
    ("tr(A X B Xᵀ C)", lambda A, X, B, C: jnp.trace(A @ X @ B @ X.T @ C), "X",
     {"A": ("p", "m"), "X": ("m", "n"), "B": ("n", "n"), "C": ("m", "p")}),
    ("xᵀ X x", lambda x, X: x @ X @ x, "x", {"x": ("n",), "X": ("n", "n")}),
    ("‖X w - y‖²", lambda X, w, y: jnp.sum((X @ w - y) ** 2), "w", LEAST),
    ("‖X w - y‖²/(2 m)", lambda X, w, y: jnp.mean((X @ w - y) ** 2) / 2, "X", LEAST),
    ("‖X w - y‖²/2", lambda X, w, y: 0.5 * jnp.sum(jnp.square(X @ w - y)), "w", LEAST),
    ("A X B", lambda A, X, B: A @ X @ B, "X", {"A": ("m", "n"), "X": ("n", "p"), "B": ("p", "q")}),
    ("Aᵀ x", lambda x, A: x @ A, "x", {"x": ("n",), "A": ("n", "m")}),
    ("Aᵀ x", lambda x, A: x[None, :] @ A, "A", {"x": ("n",), "A": ("n", "m")}),
    ("A x", lambda x, A: (A @ x[:, None])[:, 0], "x", {"x": ("n",), "A": ("m", "n")}),
    ("sum(A ⊙ (A X))", lambda A, X: jnp.einsum("ij,jk,ik->", A, X, A), "X", {"A": ("m", "n"), "X": ("n", "n")}),
    ("tr(X X)", lambda X: jnp.einsum("ii->", X @ X), "X", {"X": ("n", "n")}),
    ("A Bᵀ", lambda A, B: jnp.einsum("ij,kj->ik", A, B), "A", {"A": ("m", "n"), "B": ("p", "n")}),
    ("sum(A ⊙ Bᵀ)", lambda A, B: jnp.einsum("ij,ji->", A, B), "B", {"A": ("m", "n"), "B": ("n", "m")}),
    ("sum(diag(x) A)", lambda x, A: jnp.einsum("i,ij->ij", x, A).sum(), "x", {"x": ("n",), "A": ("n", "m")}),
    ("diag(X)", lambda X: jnp.einsum("ii->i", X), "X", {"X": ("n", "n")}),
    ("sum(((X A) ⊙ X) 𝟏)", lambda X, A: jax.vmap(lambda r: r @ A @ r)(X).sum(), "X",
     {"X": ("m", "n"), "A": ("n", "n")}),
    ("tr(A X Xᵀ)", lambda A, X: jnp.vdot(A, X @ X.T), "X", {"A": ("n", "n"), "X": ("n", "m")}),
    ("sum(A ⊙ (x yᵀ))", lambda A, x, y: jnp.sum(A * jnp.outer(x, y)), "x", {"A": ("n", "m"), "x": ("n",), "y": ("m",)}),
    ("tr(A ⊗ X)", lambda A, X: jnp.trace(jnp.kron(A, X)), "X", {"A": ("m", "m"), "X": ("n", "n")}),
    ("bᵀ (a × x)", lambda a, x, b: b @ jnp.cross(a, x), "x", {"a": (3,), "x": (3,), "b": (3,)}),
    ("tr(X X X)", lambda X: jnp.trace(jnp.linalg.matrix_power(X, 3)), "X", {"X": ("n", "n")}),
    ("bᵀ (X + Xᵀ) b/2", lambda X, b: b @ ((X + X.T) / 2) @ b, "X", SQUARE),
    ("Xᵀ b + X b", lambda X, b: jax.grad(lambda z: z @ X @ z)(b), "b", SQUARE),
    # Diagonals, triangles, and what is spread over rows and columns
    ("tr(diag(x) A)", lambda x, A: jnp.trace(jnp.diag(x) @ A), "x", {"x": ("n",), "A": ("n", "n")}),
    ("diag(X)ᵀ b", lambda X, b: jnp.diag(X) @ b, "X", SQUARE),
    ("bᵀ tril(X) b", lambda X, b: b @ jnp.tril(X) @ b, "X", SQUARE),
    ("bᵀ triu(X) b", lambda X, b: b @ jnp.triu(X) @ b, "X", SQUARE),
    ("‖A diag(x)‖²", lambda A, x: jnp.sum((A * x) ** 2), "A", {"A": ("m", "n"), "x": ("n",)}),
    ("tr(diag(x) A Aᵀ)", lambda A, x: jnp.trace((A * x[:, None]) @ A.T), "x", {"A": ("n", "m"), "x": ("n",)}),
    ("sum(A ⊘ (𝟏 xᵀ))", lambda A, x: jnp.sum(A / x), "A", {"A": ("m", "n"), "x": ("n",)}),
    ("‖X - 𝟏 (𝟏ᵀ X/m)‖²", lambda X: jnp.sum((X - X.mean(0)) ** 2), "X", {"X": ("m", "n")}),
    ("‖x - (sum(x)/n) 𝟏‖²/n", lambda x: jnp.var(x), "x", {"x": ("n",)}),
    ("sum(W ⊙ (x 𝟏ᵀ - 𝟏 xᵀ).^2)", lambda x, W: jnp.sum(W * (x[:, None] - x[None, :]) ** 2), "x",
     {"x": ("n",), "W": ("n", "n")}),
    ("‖A + λ I‖²", lambda A, λ: jnp.sum((A + λ * jnp.eye(A.shape[0])) ** 2), "λ", {"A": ("n", "n"), "λ": ()}),
    ("sum((A + 𝟏 𝟏ᵀ) X)", lambda A, X: ((A + 1) @ X).sum(), "X", {"A": ("m", "n"), "X": ("n", "p")}),
    # Inverses, determinants, solutions
    ("bᵀ X⁻¹ b", lambda X, b: b @ jnp.linalg.inv(X) @ b, "X", SQUARE),
    ("|X|", jnp.linalg.det, "a", {"a": ("n", "n")}),
    ("ln(abs(|X|))", lambda X: jnp.linalg.slogdet(X)[1], "X", {"X": ("n", "n")}),
    ("ln(abs(|Xᵀ X|))", lambda X: jnp.linalg.slogdet(X.T @ X).logabsdet, "X", {"X": ("m", "n")}),
    ("bᵀ X⁻¹ b", lambda X, b: b @ jnp.linalg.solve(X, b), "X", SQUARE),
    ("tr(X⁻¹ B)", lambda X, B: jnp.trace(jnp.linalg.solve(X, B)), "X", {"X": ("n", "n"), "B": ("n", "n")}),
    ("bᵀ tril(X)⁻¹ b", lambda X, b: b @ jsp.linalg.solve_triangular(X, b, lower=True), "X", SQUARE),
    ("yᵀ (X Xᵀ + I)⁻¹ y",
     lambda X, y: y @ jsp.linalg.cho_solve(jsp.linalg.cho_factor(X @ X.T + jnp.eye(len(y))), y), "X",
     {"X": (3, 4), "y": (3,)}),
    ("yᵀ (X Xᵀ + I)⁻¹ y + ln |X Xᵀ + I|", gaussian_process, "X", {"X": ("n", "m"), "y": ("n",)}),
    ("yᵀ (X Xᵀ + I)⁻¹ y", factor_there_and_back, "X", {"X": ("n", "m"), "y": ("n",)}),
    ("tr(X⁺ B)", lambda X, B: jnp.trace(jnp.linalg.pinv(X) @ B), "X", {"X": (3, 2), "B": (3, 2)}),
    ("-(xᵀ - μᵀ) S⁻¹ (x - μ)/2 - ln(abs(|S|))/2", gaussian, "mu", {"x": ("n",), "mu": ("n",), "S": ("n", "n")}),
    ("tr(exp(X))", lambda X: jsp.linalg.expm(X).trace(), "X", {"X": ("n", "n")}),
    ("tr(exp(t A))", lambda t, A: jnp.trace(jsp.linalg.expm(t * A)), "t", {"t": (), "A": ("n", "n")}),
    # Norms and functions of each entry
    ("‖x - y‖", lambda x, y: jnp.linalg.norm(x - y), "x", VECTORS),
    ("‖X‖", lambda X: jnp.linalg.norm(X), "X", {"X": ("m", "n")}),
    ("sum(abs(x - y))", lambda x, y: jnp.linalg.norm(x - y, 1), "x", VECTORS),
    ("xᵀ y/(‖x‖ ‖y‖)", lambda x, y: x @ y / (jnp.linalg.norm(x) * jnp.linalg.norm(y)), "x", VECTORS),
    ("vᵀ tanh(W x)", lambda W, x, v: v @ jnp.tanh(W @ x), "W", LAYER),
    ("vᵀ sigmoid(W x)", lambda W, x, v: v @ jax.nn.sigmoid(W @ x), "x", LAYER),
    ("sum(softplus(X w) - y ⊙ (X w))", lambda X, w, y: jnp.sum(jax.nn.softplus(X @ w) - y * (X @ w)), "w", LEAST),
    ("sum(sin(x) ⊙ cos(y) + exp(x))", lambda x, y: jnp.sum(jnp.sin(x) * jnp.cos(y) + jnp.exp(x)), "x", VECTORS),
    ("sum(x.^3 + 2 x.^(-2))", lambda x: jnp.sum(x**3 + 2 * x**-2.0), "x", {"x": ("n",)}),
    ("sum(exp(x ln(2)))", lambda x: jnp.sum(2.0**x), "x", {"x": ("n",)}),
    ("sum(exp.(X) ⊘ (𝟏 𝟏ᵀ + exp.(X)))", lambda X: jnp.sum(jnp.exp(X) / (1 + jnp.exp(X))), "X", {"X": ("m", "n")}),
    ("sum(sqrt(𝟏 + x.^2) - 𝟏)", lambda x: jnp.sum(jnp.sqrt(1 + x**2) - 1), "x", {"x": ("n",)}),
    ("sum(ln(𝟏 + x.^2))", lambda x: jnp.log1p(x**2).sum(), "x", {"x": ("n",)}),
    # Against overflow
    ("logsumexp(x)", lambda x: jax.nn.logsumexp(x), "x", {"x": ("n",)}),
    ("yᵀ softmax(x)", lambda x, y: y @ jax.nn.softmax(x), "x", VECTORS),
    ("softmax(x)", jax.nn.softmax, "x", {"x": ("n",)}),
    ("yᵀ softmax(x)", own_softmax, "x", VECTORS),
    ("-vᵀ (W x - logsumexp(W x) 𝟏)", lambda W, x, v: -v @ jax.nn.log_softmax(W @ x), "W", LAYER),
    ("sum(ln(exp.(X) 𝟏))", lambda X: jsp.special.logsumexp(X, axis=1).sum(), "X", {"X": ("m", "n")}),
    ("sum(ln(exp.(X) 𝟏))", own_logsumexp, "X", {"X": ("m", "n")}),
    ("sum(W ⊙ (exp.(X) ⊘ (exp.(X) 𝟏 𝟏ᵀ)))", lambda X, W: jnp.sum(W * jax.nn.softmax(X, axis=1)), "X",
     {"X": ("m", "n"), "W": ("m", "n")}),
    # Choices by sign
    ("vᵀ relu(W x)", lambda W, x, v: v @ jax.nn.relu(W @ x), "W", LAYER),
    ("sum(relu(𝟏 - y ⊙ (X w)))", lambda X, w, y: jnp.sum(jnp.maximum(0, 1 - y * (X @ w))), "w", LEAST),
    ("sum(relu(x))", lambda x: jnp.where(x > 0, x, 0).sum(), "x", {"x": ("n",)}),
    ("sum(abs(x))", lambda x: jnp.where(x < 0, -x, x).sum(), "x", {"x": ("n",)}),
    ("sum(x/100 + 99 relu(x)/100)", lambda x: jax.nn.leaky_relu(x).sum(), "x", {"x": ("n",)}),
    ("sum(sin(x) + sign(relu(x)) ⊙ (x.^2 - sin(x)))", lambda x: jnp.where(x > 0, x**2, jnp.sin(x)).sum(), "x",
     {"x": ("n",)}),
    ("sum(y + relu(x - y))", lambda x, y: jnp.maximum(x, y).sum(), "x", VECTORS),
    ("sum(y - relu(y - x))", lambda x, y: jnp.minimum(x, y).sum(), "x", VECTORS),
    ("sum(X + tril(-X) - sign(relu(x xᵀ)) ⊙ (X + tril(-X)))",
     lambda X, x: jnp.where(jnp.outer(x, x) > 0, 0, jnp.triu(X, 1)).sum(), "X", {"X": ("n", "n"), "x": ("n",)}),
    ("(1 + sign(s)) a/2", lambda s, a: jnp.where(s > 0, a, 0), "a", {"s": (), "a": ()}),
    # Entries, and entries stacked
    ("bᵀ vec(Xᵀ)", lambda X, b: b @ X.ravel(), "X", {"X": (2, 3), "b": (6,)}),
    ("bᵀ vec(X)", lambda X, b: b @ X.T.reshape(-1), "X", {"X": (2, 3), "b": (6,)}),
    ("X_{1,2}²", lambda X: X[0, 1] ** 2, "X", {"X": ("n", "n")}),
    ("e_1ᵀ X b", lambda X, b: X[0] @ b, "X", SQUARE),
    ("x_3", lambda x: x[-1], "x", {"x": (3,)}),
    # Whatever calls a function
    ("sum(relu(A x))", of_a_jitted_function, "A", {"A": ("m", "n"), "x": ("n",)}),
    ("3 ‖x‖²", functools.partial(lambda a, x: a * jnp.sum(x**2), 3.0), "x", {"x": ("n",)}),
    ("sum(sin(x))", jax.checkpoint(lambda x: jnp.sin(x).sum()), "x", {"x": ("n",)}),
    ("xᵀ y", lambda x, y: x @ jax.lax.stop_gradient(y), "x", VECTORS),
    ("tr(A X B Xᵀ C)", matcalc.tr_axbxtc, "X", {"A": ("p", "m"), "X": ("m", "n"), "B": ("n", "n"), "C": ("m", "p")}),
]  # fmt: skip

# What is read, and of whose derivative the rules know nothing.
ONLY_READ = [
    ("cᵀ (x ⊗ y)", lambda c, x, y: c @ jnp.kron(x, y), "x", {"c": (6,), "x": (2,), "y": (3,)}),
    ("max(x) ‖x‖²", lambda x: x.max() * jnp.sum(x**2), "x", {"x": ("n",)}),
]


def drawn(shapes, seed=3):
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.3, 2.0, [SIZES.get(size, size) for size in shape]) * rng.choice([-1, 1], [1] * len(shape))
        for name, shape in shapes.items()
    }


def spelled(point):
    return {{"mu": "μ"}.get(name, name): value for name, value in point.items()}


def cases(table):
    return pytest.mark.parametrize(
        ("text", "function", "wrt", "shapes"), table, ids=[f"{k}-{case[0]}" for k, case in enumerate(table)]
    )


@cases(READ + ONLY_READ)
def test_a_function_is_read(text, function, wrt, shapes):
    problem = read_function(function, [wrt], shape=shapes)
    text = text.replace("X", "a") if function is jnp.linalg.det else text
    assert str(problem.formula).replace("exp(ln(2) x)", "exp(x ln(2))") == text
    point = drawn(shapes)
    value = evaluate(problem.formula, spelled(point), sizes=SIZES)
    np.testing.assert_allclose(np.ravel(value), np.ravel(function(*point.values())), rtol=1e-9)


@cases(READ)
def test_the_derivative_is_that_of_jax(text, function, wrt, shapes):
    found = derive(function, wrt=wrt, shape=shapes)
    point, place = drawn(shapes), list(shapes).index(wrt)
    J = np.asarray(jax.jacobian(lambda *a: jnp.asarray(function(*a)), argnums=place)(*point.values()))
    variable = point[wrt]
    J = J.reshape([*(size for size in J.shape[: J.ndim - variable.ndim] if size != 1), *variable.shape])
    if found.natural == "vec":  # columns are stacked
        value_axes = range(J.ndim - variable.ndim)
        J = J.transpose(*reversed(value_axes), *reversed(range(J.ndim - variable.ndim, J.ndim)))
        J = J.reshape(-1, variable.size)
    D = evaluate(found.formula, spelled(point), sizes=SIZES, shape=J.shape)
    np.testing.assert_allclose(D, J, rtol=1e-7, atol=1e-9)


# --- Arguments


def with_options(X, k=2, *, weight=0.5, name="f"):
    del name
    return jnp.trace(jnp.linalg.matrix_power(X, k)) + weight * jnp.sum(X)


@pytest.mark.parametrize(
    ("given", "wrt", "text"),
    [
        ({"shape": {"X": ("n", "n")}}, "X", "tr(X X) + sum(X)/2"),
        ({"shape": {"X": ("n", "n"), "weight": ()}}, "weight", "tr(X X) + weight sum(X)"),
        ({"args": {"X": np.ones((3, 3)), "k": 3}}, "X", "tr(X X X) + sum(X)/2"),
        ({"args": (np.ones((3, 3)), 1)}, "X", "tr(X) + sum(X)/2"),
        ({"args": {"X": np.ones((3, 3)), "weight": 2.0}}, "X", "tr(X X) + weight sum(X)"),
        ({"args": {"k": np.int64(1)}, "shape": {"X": ("n", "n")}}, "X", "tr(X) + sum(X)/2"),
    ],
)
def test_options_keep_their_defaults_integers_are_constants_and_floats_are_variables(given, wrt, text):
    assert str(derive(with_options, wrt=wrt, **given).asked.formula) == text


def test_names_of_several_letters_and_greek_ones_are_those_of_the_arguments():
    def f(weight_matrix, beta, x_1):
        return weight_matrix @ x_1 @ beta

    shape = {"weight_matrix": ("m", "n"), "beta": ("m",), "x_1": ("n",)}
    assert str(derive(f, wrt="weight_matrix", shape=shape).formula) == "β x_1ᵀ"
    assert str(derive(f, wrt="beta", shape=shape).formula) == "weight_matrix x_1"


def test_equal_sizes_of_examples_are_one_size_and_others_have_letters_of_their_own():
    found = derive(lambda A, x, m: x @ A @ x + m @ m, wrt="x", args=(np.ones((3, 3)), np.ones(3), np.ones(4)))
    rows, columns = found.asked.shapes["A"]
    assert rows == columns == found.asked.shapes["x"][0] != found.asked.shapes["m"][0]
    assert isinstance(rows, str)
    assert rows not in "Axm"


def test_sizes_by_letters_may_differ_where_those_of_examples_are_equal():
    def f(A, B):
        return jnp.sum(A @ B)

    assert derive(f, wrt="A", shape={"A": ("m", "n"), "B": ("n", "p")}).asked.shapes["B"] == ("n", "p")
    assert len({*derive(f, wrt="A", args=(np.ones((3, 3)), np.ones((3, 3)))).asked.shapes["B"]}) == 1


@pytest.mark.parametrize(
    ("function", "args", "wrt"),
    [
        (lambda A, x: (A @ x).sum(), ((4, 1), (1,)), "A"),
        (lambda A, x: (A * x).sum(), ((4, 1), (1,)), "A"),
        (lambda A, B: (A * B).sum(), ((4, 1), (4, 3)), "A"),
        (lambda A, B: (A + B**2).sum(), ((1, 3), (4, 3)), "B"),
        (lambda A: jnp.sum(A.squeeze() ** 2), ((4, 1),), "A"),
        (lambda X: jnp.linalg.det(X), ((1, 1),), "X"),
        (lambda X, w: (X @ w)[0] ** 2, ((1, 3), (3,)), "w"),
        (lambda X: jnp.mean(X, axis=1).sum(), ((3, 1),), "X"),
    ],
)
def test_sizes_of_one(function, args, wrt):
    rng = np.random.default_rng(0)
    point = {name: rng.normal(size=shape) for name, shape in zip("AB" if len(args) == 2 else "A", args, strict=False)}
    values = list(point.values())
    found = derive(function, wrt=wrt, args=tuple(values))
    names = list(found.asked.shapes)
    place = [*function.__code__.co_varnames].index(wrt)
    given = dict(zip(function.__code__.co_varnames, values, strict=False))
    D = evaluate(found.formula, {name: given[name] for name in names}, shape=values[place].shape)
    np.testing.assert_allclose(D, jax.grad(function, argnums=place)(*values), rtol=1e-9)


def test_float32_and_float64_off():
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    with jax.enable_x64(False):
        for args in ((x,), (x.astype(np.float64),)):
            assert str(derive(lambda x: 0.1 * jax.nn.softmax(x) @ x, wrt="x", args=args).asked.formula) == (
                "softmax(x)ᵀ x/10"
            )


def test_closed_over_arrays_are_variables_and_numbers_are_numbers():
    found = derive(lambda x: x @ C @ x + np.float64(0.25), wrt="x", shape={"x": (3,)})
    assert str(found.asked.formula) == "xᵀ c1 x + 1/4"
    assert str(found.formula) == "(c1 + c1ᵀ) x"
    assert "c1 is an array that it closes over" in str(found)
    point = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(evaluate(found.formula, {"x": point, "c1": C}), jax.grad(lambda x: x @ C @ x)(point))


def test_what_is_seen_of_a_closed_over_array_is_used():
    assert str(derive(lambda x: x @ K @ x, wrt="x", shape={"x": (3,)}).formula) == "2 c1 x"
    assert str(derive(lambda X: jnp.trace(np.eye(3) @ X), wrt="X", shape={"X": (3, 3)}).formula) == "I"
    text = "xᵀ c1⁻¹ x"
    found = read_function(lambda x: x @ jsp.linalg.cho_solve(jsp.linalg.cho_factor(K), x), ["x"], shape={"x": (3,)})
    assert str(found.formula) in (text, "xᵀ c1 x")  # JAX may factorise a constant before anything is traced


def test_a_variable_that_the_function_ignores():
    found = derive(lambda x, a: a @ a, wrt="x", shape={"x": ("n",), "a": ("m",)})
    assert str(found.formula) == "0"
    assert "it does not depend on x" in str(found)
    assert str(derive(lambda x: 3.0, wrt="x", shape={"x": ("n",)}).formula) == "0"


def test_a_size_that_no_variable_has_is_a_number():
    found = derive(lambda X, y: X.shape[0] * y @ y, wrt="y", shape={"X": ("m", "n"), "y": ("n",)})
    (size,) = found.asked.shapes["y"]
    assert isinstance(size, int)
    assert "since it cannot be for all" in str(found)


def test_domains_are_used():
    def f(S, x):
        return x @ jsp.linalg.cho_solve(jsp.linalg.cho_factor(S), x)

    shape = {"S": ("n", "n"), "x": ("n",)}
    assert str(derive(f, wrt="S", shape=shape, where={"S": "positive definite"}).formula) == "-S⁻¹ x xᵀ S⁻¹"
    with pytest.raises(NotDerivable, match=r"reads one triangle of S.*where="):
        derive(f, wrt="S", shape=shape)


def test_second_derivatives():
    shape = {"x": ("n",), "A": ("n", "m"), "y": ("m",)}
    assert str(derive(lambda x, A, y: x @ A @ y, wrt=("x", "y"), shape=shape).formula) == "A"
    assert str(derive(lambda x: jnp.sum(x**3), wrt="x", order=2, shape={"x": ("n",)}).formula) == "6 diag(x)"


# --- What is not read


def branches(x):
    return x.sum() if x[0] > 0 else -x.sum()


def calls_numpy(X):
    return np.linalg.det(X)


def loops(x):
    return jax.lax.fori_loop(0, 3, lambda _, y: y * x, x).sum()


@pytest.mark.parametrize(
    ("function", "shapes", "said"),
    [
        (lambda X: jnp.linalg.norm(X, 2), {"X": ("n", "n")}, r"svd at .*py:\d+ `jnp.linalg.norm\(X, 2\)`"),
        (lambda x: jnp.cumsum(x) @ x, {"x": ("n",)}, r"cumsum at .*py:\d+ `jnp.cumsum\(x\)`"),
        (lambda x: jnp.sort(x)[0], {"x": ("n",)}, r"sort at .*py:\d+ `jnp.sort\(x\)`"),
        (lambda x: x[:2].sum(), {"x": (3,)}, r"slice at .*py:\d+ `x\[:2\]`"),
        (lambda X: jnp.linalg.cholesky(X).sum(), {"X": ("n", "n")}, r"cholesky at .*py:\d+ `jnp.linalg.cholesky\(X\)`"),
        (lambda x: x @ jax.lax.stop_gradient(x), {"x": ("n",)}, r"stop_gradient at .*`jax.lax.stop_gradient\(x\)`"),
        (lambda X: ((X[:, None, :] - X[None]) ** 2).sum(), {"X": ("m", "n")}, r"sub at .*three axes"),
        (lambda x: jnp.round(x).sum(), {"x": ("n",)}, r"round at .*`jnp.round\(x\)`"),
        (lambda x: x @ jnp.arange(3.0), {"x": (3,)}, r"iota|places for numbers"),
        (lambda X: jnp.linalg.eigvalsh(X).sum(), {"X": ("n", "n")}, r"eigh at .*`jnp.linalg.eigvalsh\(X\)`"),
        (lambda X: X.max(axis=0).sum(), {"X": ("m", "n")}, r"max at .*each row or column|reduce_max"),
        (loops, {"x": ("n",)}, r"scan at .*`jax.lax.fori_loop"),
        (branches, {"x": ("n",)}, r"branches cannot be traced at .*`return x.sum\(\) if"),
        (calls_numpy, {"X": ("n", "n")}, r"calls_numpy cannot be traced at .*`return np.linalg.det\(X\)`"),
        (lambda X: X.sum(), {"X": ("n", "n", "n")}, r"3 axes"),
    ],
)  # fmt: skip
def test_what_no_formula_says_is_named_with_its_line(function, shapes, said):
    with pytest.raises(NotDerivable, match=said):
        derive(function, wrt=next(iter(shapes)), shape=shapes)


@pytest.mark.parametrize(
    ("function", "given", "said"),
    [
        (lambda x: (x, x), {"shape": {"x": ("n",)}}, "must return one array; it returns a tuple of 2"),
        (lambda x: None, {"shape": {"x": ("n",)}}, "must return one array; it returns a NoneType"),
        (lambda x: 3, {"shape": {"x": ("n",)}}, "returns integers"),
        (lambda x: x > 0, {"shape": {"x": ("n",)}}, "returns integers"),
        (jnp.fft.fft, {"shape": {"a": ("n",)}, "wrt": "a"}, "returns complex numbers"),
        (lambda x: 1 / 0, {"shape": {"x": ("n",)}}, r"fails at .*`.*1 / 0.*ZeroDivisionError: division by zero"),
        (lambda x, A: A @ x, {"shape": {"x": ("n",), "A": ("n", "m")}}, r"fails at .*A 4×5.*TypeError"),
        (lambda x, A: A @ x, {"shape": {"x": ("n",)}}, r'needs A: give its shape, as in shape=\{"A"'),
        (lambda x: x @ x, {"shape": {"x": ("n",), "y": ()}}, "y is no argument of the function; its arguments are x"),
        (lambda x: x @ x, {"shape": {"x": ("n",)}, "wrt": "y"}, "y is no argument of the function"),
        (lambda x, k=2: x @ x, {"shape": {"x": ("n",)}, "wrt": "k"}, "k has no shape here"),
        (lambda x: x @ x, {"shape": {"x": ("n",)}, "args": (np.ones(3),)}, "not both"),
        (lambda x: x @ x, {"args": (np.ones(3), np.ones(3))}, "too many positional arguments"),
        (lambda *x: x[0] @ x[0], {"shape": {"x": ("n",)}}, "x is no argument"),
        (lambda x: x["a"] @ x["a"], {"args": ({"a": np.ones(3)},)}, "array of real numbers; got dict"),
        (lambda x: x.sum(), {"shape": {"x": (0, 3)}}, "at least 1; x has 0"),
        (lambda x: x.sum(), {"shape": {"x": ("x",)}}, "a name of its own"),
        (lambda I: I.sum(), {"shape": {"I": ("n", "n")}, "wrt": "I"}, "cannot be told from I"),
        (lambda beta, β: beta @ β, {"shape": {"beta": ("n",), "β": ("n",)}, "wrt": "β"}, "both β"),
        (lambda x: x @ x, {"shape": {"x": ("n",)}, "where": {"y": "positive"}}, "y is no argument"),
        (lambda x: x @ x, {"shape": {"x": ("n",)}, "let": ["a = b"]}, "let, functions and moved are of"),
        ("x'x", {"args": (np.ones(3),)}, "args are example arguments of a function"),
        (3, {}, "got int"),
        (lambda x, c1: x @ np.arange(3.0) + c1, {"shape": {"x": (3,), "c1": ()}}, "called c1; rename that argument"),
    ],
)  # fmt: skip
def test_wrong_arguments(function, given, said):
    with pytest.raises(ValueError, match=said):
        derive(function, **{"wrt": "x", **given})


# --- Mistakes of the reader


def exchanged(rule):
    return lambda r, eqn, a, b: rule(r, eqn, b, a)


def negated(rule):
    return lambda r, eqn, a: r.writer.neg(rule(r, eqn, a))


def unchanged(r, eqn, a):
    return a


@pytest.mark.parametrize(
    ("primitive", "wrong"),
    [
        ("dot_general", exchanged(lambda r, eqn, a, b: r.writer.dot(a, len(a.axes) - 1, b, 0))),
        ("transpose", unchanged),
        ("sub", RULES["add"]),
        ("sub", exchanged(RULES["sub"])),
        ("div", RULES["mul"]),
        ("reduce_sum", negated(RULES["reduce_sum"])),
        ("sin", lambda r, eqn, a: entrywise(r, "tanh", a)),
    ],
)
def test_a_mistake_of_a_rule_is_found(monkeypatch, primitive, wrong):
    def f(A, B):
        return jnp.sum(jnp.sin((A - B.T) @ A) / 3)

    shape = {"A": ("n", "n"), "B": ("n", "n")}
    assert str(read_function(f, ["A"], shape=shape).formula) == "sum(sin.((A - Bᵀ) A)/3)"
    monkeypatch.setitem(RULES, primitive, wrong)
    with pytest.raises(Disagreement, match="which has other values"):
        read_function(f, ["A"], shape=shape)


def test_a_function_that_is_none_of_its_arguments_is_no_fault_of_the_rules():
    rng = np.random.default_rng(0)
    with pytest.raises(Disagreement, match="If it depends on its arguments alone"):
        derive(lambda x: x.sum() * rng.normal(), wrt="x", shape={"x": ("n",)})


def test_a_function_of_ones_own_with_a_name_of_jax_is_its_own():
    @jax.jit
    def inv(X):
        return X + X.T

    assert str(derive(lambda X, b: b @ inv(X) @ b, wrt="X", shape={"X": ("n", "n"), "b": ("n",)}).formula) == "2 b bᵀ"
