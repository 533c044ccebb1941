"""`Derivation.function` and `Derivation.identity()`: what was derived, as functions of arrays."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES, PUBLIC, WORDS, derivation_of, expected, name_of, point_of

from matcalc import CATALOGUE, Identity, derive
from matcalc.layout import from_layout

EXACT = 1e-11


@pytest.fixture(autouse=True)
def _in_float64():
    with jax.enable_x64(True):
        yield


def arguments(point):
    return [value if isinstance(value, int) else jnp.asarray(value) for value in point.values()]


def error(actual, due):
    actual, due = np.asarray(actual), np.asarray(due)
    if actual.shape != due.shape:
        return np.inf
    return float(np.linalg.norm((actual - due).ravel()) / (np.linalg.norm(due.ravel()) or 1))


def in_jax(derivation, point):
    """The verified derivative in JAX's layout."""
    last = derivation.last
    value, variable = (last.numbers(shape) for shape in (last.value_shape, last.shapes[last.wrt]))
    return from_layout(expected(derivation, derivation.natural, point), value, variable, derivation.natural)


# --- The function


@pytest.mark.parametrize("question", CASES, ids=name_of)
def test_the_function_is_the_derivative_under_jit(question):
    derivation, point = derivation_of(question), point_of(derivation_of(question))
    given = arguments(point)
    static = [place for place, value in enumerate(given) if isinstance(value, int)]
    assert error(jax.jit(derivation.function, static_argnums=static)(*given), in_jax(derivation, point)) < EXACT


MAPPED = [question for question in (*PUBLIC[::4], *WORDS[::5]) if "k" not in question[0] and "_i" not in question[0]]


@pytest.mark.parametrize("question", MAPPED, ids=name_of)
def test_the_function_can_be_mapped_and_differentiated(question):
    derivation = derivation_of(question)
    points = [point_of(derivation, seed) for seed in (0, 1)]
    mapped = jax.vmap(derivation.function)(*[jnp.stack(pair) for pair in zip(*map(arguments, points), strict=True)])
    assert error(mapped, np.stack([in_jax(derivation, point) for point in points])) < EXACT
    # The slope of the derivative along a direction, by JAX's rules and by differences.
    x, place = arguments(points[0]), [*derivation.last.shapes].index(derivation.last.wrt)
    v = jnp.asarray(np.random.default_rng(3).normal(size=x[place].shape))

    def along(step):
        return derivation.function(*x[:place], x[place] + step * v, *x[place + 1 :])

    _, slope = jax.jvp(along, (0.0,), (1.0,))
    h = 1e-5
    assert float(jnp.linalg.norm(slope - (along(h) - along(-h)) / (2 * h))) < 1e-6 * float(
        1 + jnp.linalg.norm(along(0.0))
    )


def test_the_gradient_of_the_function_is_the_hessian():
    derivation, second = derive("ln(sum(exp(x)))", "x"), derive("ln(sum(exp(x)))", "x", order=2)
    x = jnp.asarray([0.3, -1.0, 2.0])
    assert error(jax.jacobian(derivation.function)(x), second.function(x)) < EXACT
    w = jnp.asarray([1.0, 2.0, -1.0])
    assert error(jax.grad(lambda x: derivation.function(x) @ w)(x), second.function(x) @ w) < EXACT


def test_its_products_are_in_the_cheapest_order():
    derivation = derive("tr(A X B X' C)", "X")
    identity = derivation.identity()
    cheap, plain = (identity.plan(l=4, m=256, n=16).works[way] for way in ("this order", "as written"))
    assert cheap.operations < plain.operations / 10
    shapes = [jnp.ones(shape) for shape in ((4, 256), (256, 16), (16, 16), (256, 4))]
    products = str(jax.make_jaxpr(derivation.function)(*shapes)).count("f64[256,256]")
    assert products == 0  # C A, which the text writes first, is never formed


def test_it_says_what_does_not_fit():
    function = derive("tr(A X B)", "X").function
    with pytest.raises(ValueError, match="X must be m×n, got shape \\(4, 3\\), but m=3 was fixed by A"):
        function(jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.ones((4, 2)))
    with pytest.raises(TypeError, match="takes \\(A, X, B\\)"):
        function(jnp.ones((2, 3)))
    assert function.__doc__ == "∂/∂X tr(A X B) = Aᵀ Bᵀ."


# --- The identity


def test_an_identity_stands_in_no_catalogue():
    before = set(CATALOGUE)
    identity = derive("tr(A X B X' C)", "X").identity("mine")
    assert isinstance(identity, Identity)
    assert set(CATALOGUE) == before
    assert identity.name == "mine"
    assert identity.chapter == "derived"
    assert copy.deepcopy(identity) is identity


CHECKED = [question for question in (*PUBLIC[::3], *WORDS[::4])]


@pytest.mark.parametrize("question", CHECKED, ids=name_of)
def test_the_referee_passes_it(question):
    report = derivation_of(question).identity().check()
    assert report.ok, str(report)


def test_the_referee_finds_a_wrong_one():
    derivation = derive("tr(A X B X' C)", "X")
    identity = derivation.identity()
    right = identity.declaration.body

    def wrong(A, X, B, C):
        f, df_dX = right(A, X, B, C)
        return f, 2 * df_dX

    wrong.__signature__ = identity.signature.python
    assert not Identity(wrong, *("tr(A X B Xᵀ C)", "2 C A X B"), source="", covers="").check().ok


def test_it_has_the_rule_the_layouts_the_plan_and_the_print():
    identity = derive("a' X^-1 b", "X").identity()
    a, X, b = (jnp.asarray(value) for value in identity.sample(3, dtype=np.float64))
    text = str(jax.make_jaxpr(jax.grad(identity, 1))(a, X, b))
    assert text.count("lu[") == 1 or text.count("lu ") >= 1
    assert error(jax.grad(identity, 1)(a, X, b), identity.derivative(a, X, b)) < EXACT
    assert error(identity.derivative(a, X, b, layout="numerator"), identity.derivative(a, X, b).T) == 0
    assert error(identity.autodiff(a, X, b), identity.derivative(a, X, b)) < 1e-9
    assert identity.equation("numerator") == "∂/∂X aᵀ X⁻¹ b = -X⁻¹ b aᵀ X⁻¹"
    assert "Requires:    X invertible" in identity.describe()
    assert "this order" in str(identity.plan(l=7))
    assert identity.outside(a, jnp.zeros_like(X), b) == "The formula requires X invertible, and here it is not."


def test_a_derivative_of_matrices_is_printed_in_vec_layout():
    identity = derive("A X B", "X").identity()
    assert identity.equation("vec") == "∂/∂X A X B = Bᵀ ⊗ A"
    with pytest.raises(ValueError, match="is printed in these layouts: jax, vec; got 'numerator'"):
        identity.equation("numerator")
    A, X, B = (jnp.asarray(value) for value in identity.sample(dtype=np.float64))
    assert error(identity.derivative(A, X, B), jax.jacobian(lambda X: A @ X @ B)(X)) < EXACT
    assert error(identity.derivative(A, X, B, layout="vec"), jnp.kron(B.T, A)) < EXACT


def test_hessians_are_of_order_two_and_mixed_ones_of_the_gradient():
    assert derive("(a' X b)^2", "X", order=2).identity().order == 2
    mixed = derive("x' A y", ("x", "y")).identity()
    assert (mixed.order, mixed.wrt, mixed.formulas) == (1, "y", ("A y",))


def test_sizes_are_products_and_sums_of_others():
    identity = derive("tr(X kron(A, B))", "X", shape={"A": ["m", "m"], "B": ["n", "n"]}).identity()
    assert identity.signature["X"].shape_text == "m*n×m*n"
    X, A, B = (jnp.asarray(value) for value in identity.sample(m=2, n=3))
    assert X.shape == (6, 6)
    with pytest.raises(
        ValueError, match=r"X must be m\*n×m\*n, got shape \(5, 5\), but m\*n=6 follows from the others"
    ):
        identity(jnp.ones((5, 5), A.dtype), A, B)


def test_points_are_drawn_where_the_function_is_regular():
    f = "|A' X A|"  # 0 for every X, if A has more columns than rows
    identity = derive(f, "X").identity()
    assert abs(float(identity(*identity.sample(dtype=np.float64)))) > 1e-3
    with pytest.raises(ValueError, match="there is no size 'q' here"):
        identity.sample(q=3)
