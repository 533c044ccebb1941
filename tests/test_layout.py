"""The layout adapter against the definitions of the notes, entry by entry, and against finite differences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from matcalc.layout import LAYOUTS, from_layout, layout_shape, to_layout

SHAPES = {"scalar": (), "vector": (2,), "matrix": (2, 5)}
VARIABLES = {"scalar": (), "vector": (4,), "matrix": (3, 4)}
KINDS = list(itertools.product(SHAPES, VARIABLES))


def table(f, x):
    """The nine rows of the table in the design: the shapes in numerator and in denominator layout."""
    l, (p, q), n, (m, k) = 2, (2, 5), 4, (3, 4)
    return {
        ("scalar", "scalar"): ((), ()),
        ("scalar", "vector"): ((1, n), (n,)),
        ("scalar", "matrix"): ((k, m), (m, k)),
        ("vector", "scalar"): ((l,), (1, l)),
        ("vector", "vector"): ((l, n), (n, l)),
        ("vector", "matrix"): ((l, k, m), (m, k, l)),
        ("matrix", "scalar"): ((p, q), (q, p)),
        ("matrix", "vector"): ((p, q, n), (n, q, p)),
        ("matrix", "matrix"): ((p, q, k, m), (m, k, q, p)),
    }[f, x]


def derivative(f, x):
    """Distinct numbers: entry (o, i) is ∂f_o/∂x_i."""
    shape = SHAPES[f] + VARIABLES[x]
    return np.arange(float(np.prod(shape))).reshape(shape)


@pytest.mark.parametrize(("f", "x"), KINDS)
def test_shapes_are_those_of_the_table(f, x):
    D = derivative(f, x)
    numerator, denominator = table(f, x)
    assert to_layout(D, len(SHAPES[f]), "jax").shape == D.shape
    assert to_layout(D, len(SHAPES[f]), "numerator").shape == numerator
    assert to_layout(D, len(SHAPES[f]), "denominator").shape == denominator
    assert to_layout(D, len(SHAPES[f]), "vec").shape == (int(np.prod(SHAPES[f])), int(np.prod(VARIABLES[x])))


def test_entries_of_the_five_kinds_of_the_notes():
    """Notes 002 section 0, one loop a definition; counted from 0."""
    D = derivative("scalar", "vector")
    num, den = to_layout(D, 0, "numerator"), to_layout(D, 0, "denominator")
    for i in range(4):
        assert num[0, i] == D[i]  # the row [∂u/∂x_1 … ∂u/∂x_n]
        assert den[i] == D[i]
    D = derivative("scalar", "matrix")
    num, den = to_layout(D, 0, "numerator"), to_layout(D, 0, "denominator")
    for i, j in itertools.product(range(4), range(3)):
        assert num[i, j] == D[j, i]  # [∂u/∂X]_ij = ∂u/∂x_ji
        assert den[j, i] == D[j, i]
    D = derivative("vector", "scalar")
    num, den = to_layout(D, 1, "numerator"), to_layout(D, 1, "denominator")
    for i in range(2):
        assert num[i] == D[i]  # a column
        assert den[0, i] == D[i]
    D = derivative("vector", "vector")
    num, den = to_layout(D, 1, "numerator"), to_layout(D, 1, "denominator")
    for i, j in itertools.product(range(2), range(4)):
        assert num[i, j] == D[i, j]  # [∂u/∂x]_ij = ∂u_i/∂x_j
        assert den[j, i] == D[i, j]
    D = derivative("matrix", "scalar")
    num, den = to_layout(D, 2, "numerator"), to_layout(D, 2, "denominator")
    for i, j in itertools.product(range(2), range(5)):
        assert num[i, j] == D[i, j]  # [∂U/∂x]_ij = ∂u_ij/∂x
        assert den[j, i] == D[i, j]


def test_entries_of_the_kinds_that_are_tensors():
    D = derivative("vector", "matrix")
    num, den = to_layout(D, 1, "numerator"), to_layout(D, 1, "denominator")
    for i, r, s in itertools.product(range(2), range(3), range(4)):
        assert num[i, s, r] == D[i, r, s] == den[r, s, i]
    D = derivative("matrix", "vector")
    num, den = to_layout(D, 2, "numerator"), to_layout(D, 2, "denominator")
    for i, j, r in itertools.product(range(2), range(5), range(4)):
        assert num[i, j, r] == D[i, j, r] == den[r, j, i]
    D = derivative("matrix", "matrix")
    num, den = to_layout(D, 2, "numerator"), to_layout(D, 2, "denominator")
    for i, j, r, s in itertools.product(range(2), range(5), range(3), range(4)):
        assert num[i, j, s, r] == D[i, j, r, s] == den[r, s, j, i]


@pytest.mark.parametrize(("f", "x"), KINDS)
def test_vec_stacks_columns(f, x):
    """Magnus and Neudecker: vec F = D vec X for a linear F, with vec by NumPy's column-major order."""
    D = derivative(f, x)
    X = np.random.default_rng(0).normal(size=VARIABLES[x])
    F = np.tensordot(D, X, axes=X.ndim)
    vec = to_layout(D, len(SHAPES[f]), "vec")
    np.testing.assert_allclose(vec @ X.ravel(order="F"), np.ravel(F, order="F"), rtol=1e-12)


def test_the_chain_rule_reads_left_to_right_in_numerator_layout_and_backwards_in_denominator_layout():
    rng = np.random.default_rng(0)
    dg, du = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))
    dgu = dg @ du  # JAX's layout of ∂g/∂x for vectors
    num = to_layout(dg, 1, "numerator") @ to_layout(du, 1, "numerator")
    den = to_layout(du, 1, "denominator") @ to_layout(dg, 1, "denominator")
    np.testing.assert_allclose(num, to_layout(dgu, 1, "numerator"))
    np.testing.assert_allclose(den, to_layout(dgu, 1, "denominator"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_numpy_and_jax_arrays_alike(layout):
    D = derivative("vector", "matrix").astype(np.float32)
    np.testing.assert_array_equal(to_layout(D, 1, layout), np.asarray(to_layout(jnp.asarray(D), 1, layout)))
    jitted = jax.jit(lambda D: to_layout(D, 1, layout))
    np.testing.assert_array_equal(to_layout(D, 1, layout), jitted(D))


def test_an_unknown_layout_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match="layout must be one of jax, numerator, denominator, vec; got 'transposed'"):
        to_layout(np.zeros((2, 3)), 1, "transposed")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("f", "x"), KINDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_reading_a_layout_undoes_writing_it(f, x, layout):
    D = derivative(f, x)
    arranged = to_layout(D, len(SHAPES[f]), layout)
    assert arranged.shape == layout_shape(SHAPES[f], VARIABLES[x], layout)
    np.testing.assert_array_equal(from_layout(arranged, SHAPES[f], VARIABLES[x], layout), D)


def test_reading_a_wrong_shape_says_what_is_due():
    with pytest.raises(ValueError, match=r"In numerator layout the shape \(4, 3\) is due, got \(3, 4\)"):
        from_layout(np.ones((3, 4)), (), (3, 4), "numerator")
