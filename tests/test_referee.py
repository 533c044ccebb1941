"""The referee: what it passes, and above all what it must not."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import matcalc
from matcalc import CATALOGUE
from matcalc.catalogue.identities import Identity
from matcalc.catalogue.verification import Case, Settings, entry_by_entry, verify
from matcalc.formula import evaluate, parse, terms
from matcalc.referee import finite_differences, tolerance, unit_roundoff
from matcalc.referee.tolerances import relative

LAYOUTS = ("jax", "numerator", "denominator")

# Derivatives that a planted error leaves as they are, each for its reason.
ZERO = "it is zero everywhere, so a factor or a sign changes nothing"
SCALAR_MATRIX = "it is a multiple of the identity matrix, which is its own transpose"
SYMMETRIC = "it is a symmetric matrix by nature"
SURVIVORS = {
    ("constant", "sign"): ZERO,
    ("constant", "double"): ZERO,
    ("constant", "slightly"): ZERO,
    ("ln_power_of_a", "sign"): ZERO,
    ("ln_power_of_a", "double"): ZERO,
    ("ln_power_of_a", "slightly"): ZERO,
    ("ln_power_of_a", "transposed"): ZERO,
    ("tr_x", "transposed"): SCALAR_MATRIX,
    ("itself", "transposed"): SCALAR_MATRIX,
    ("ln_xa", "transposed"): SCALAR_MATRIX,
    ("tr_kron_ax", "transposed"): SCALAR_MATRIX,
    ("tr_kron_xx", "transposed"): SCALAR_MATRIX,
    ("direction_x_minus_a", "transposed"): SYMMETRIC,
    ("hess_quad_xax", "transposed"): SYMMETRIC,
    ("hess_quad_xax_symmetric", "transposed"): SYMMETRIC,
    ("gram", "transposed"): SYMMETRIC,
}


def one_entry_off(D):
    wrong = D.copy()
    wrong[(-1,) * D.ndim] += 0.1 * (np.linalg.norm(D.ravel()) or 1.0)
    return wrong


PLANTED = {
    "sign": lambda D: -D,
    "double": lambda D: 2 * D,
    "slightly": lambda D: 1.001 * D,
    "transposed": lambda D: D.T,
    "one entry": one_entry_off,
}


@pytest.fixture
def plant(monkeypatch):
    """Let the closed form of whatever is verified come out with an error.

    The next error finds the same points, and what was computed there for the one before.
    """
    run, known = Case._run, {}

    def plant(error):
        def planted(case, arguments, device):
            place = case.entry, *((a.dtype, a.shape, a.tobytes()) for a in map(np.asarray, arguments))
            if place not in known:
                known[place] = run(case, arguments, device)
            return replace(known[place], closed=error(known[place].closed, case, arguments))

        monkeypatch.setattr(Case, "_run", planted)

    return plant


def stays(entry, kind, error):
    """Whether an error leaves the derivative as it is: one that survives, or the transpose of a number or a column."""
    return (entry.name, error) in SURVIVORS or (error == "transposed" and not has_a_transpose(entry, kind))


def has_a_transpose(entry, kind):
    """Whether the derivative is more than a number or a column."""
    names = [p.name for p in entry.signature.parameters]
    values = dict(zip(names, entry.sample(0, kind=kind), strict=True))
    integers = {name: value for name, value in values.items() if isinstance(value, int)}
    arrays = {name: value for name, value in values.items() if name not in integers}
    return len(jax.eval_shape(lambda arrays: entry.declaration.derivative_of(arrays | integers), arrays).shape) >= 2


def test_planted_errors_fail_in_every_kind_layout_and_dtype(entry, plant):
    for error, wrong in PLANTED.items():
        plant(lambda D, *_, wrong=wrong: wrong(D))
        # In float32 an error of 1e-3 can be less than what rounding explains.
        dtypes = ("float64",) if error == "slightly" else ("float64", "float32")
        results = verify(entry, Settings(dtypes=dtypes, layouts=LAYOUTS))
        found = [(r.kind, r.dtype, r.layout, r.verdict) for r in results]
        verdicts = {kind: "pass" if stays(entry, kind, error) else "fail" for kind in entry.covers}
        assert found == [(k, dtype, l, verdicts[k]) for k in verdicts for dtype in dtypes for l in LAYOUTS], error


def test_every_survivor_is_still_one():
    """The list holds nothing that the referee could catch."""
    for (name, error), reason in SURVIVORS.items():
        entry = CATALOGUE[name]
        kind = list(entry.covers)[-1]
        case = Case(entry, entry.sample(0, dtype=np.float64, kind=kind), 0)
        with jax.enable_x64(True):
            D = case.reference.closed
        wrong = PLANTED[error](D)
        if wrong.shape == D.shape:
            np.testing.assert_allclose(wrong, D, atol=1e-15, err_msg=reason)


def test_a_dropped_term_fails(entry, plant):
    """Each term of the printed derivative in turn is taken out of the closed form."""
    formula = parse(entry.derivative_formulas[0])
    for term in terms(formula) if len(terms(formula)) > 1 else ():

        def without(D, case, arguments, term=term):
            values = dict(zip(case.names, arguments, strict=True))
            dropped = case.entry.declaration.evaluate(str(term), values, D.shape)
            return D - np.asarray(dropped)

        plant(without)
        results = verify(entry, Settings(dtypes=("float64",)))
        assert results
        assert [r.verdict for r in results] == ["fail"] * len(results), str(term)


def undeclared(body, like, **changes):
    """An identity outside the catalogue, with the signature of another."""
    body.__annotations__ = like.declaration.body.__annotations__
    given = {"source": "", "covers": "", "wrt": like.wrt, "where": like.where, "order": like.order} | changes
    return Identity(body, like.formulas[0], like.derivative_formulas[0], **given)


def verdicts(entry, arguments=None, **settings):
    names = [p.name for p in entry.signature.parameters]
    inputs = None if arguments is None else dict(zip(names, arguments, strict=True))
    return verify(entry, Settings(**settings), inputs)


def test_an_identity_written_with_an_error_fails():
    def forgets_a_transpose(A, X, B, C):
        f, _ = matcalc.tr_axbxtc.declaration.body(A, X, B, C)
        return f, C @ A @ X @ B + A.T @ C.T @ X @ B

    results = verdicts(undeclared(forgets_a_transpose, matcalc.tr_axbxtc))
    assert {r.verdict for r in results} == {"fail"}
    assert all("rounding explains" in (r.cause or "") for r in results)


def test_a_derivative_of_the_wrong_shape_fails():
    def transposed(A, X, B):
        f, df_dX = matcalc.tr_axb.declaration.body(A, X, B)
        return f, df_dX.T

    results = verdicts(undeclared(transposed, matcalc.tr_axb))
    assert {(r.verdict, r.cause) for r in results} == {("fail", "the closed form has shape (4, 3), and (3, 4) is due")}


def test_a_misprint_fails():
    misprinted = Identity(matcalc.tr_axb.declaration.body, "tr(A X B)", "Bᵀ Aᵀ", source="", covers="")
    results = verdicts(misprinted)
    assert {r.verdict for r in results} == {"fail"}
    assert all("the printed form Bᵀ Aᵀ cannot be evaluated" in (r.cause or "") for r in results)
    misprinted = Identity(matcalc.tr_x.declaration.body, "tr(X) = tr(Xᵀ X)", "I", source="", covers="")
    results = verdicts(misprinted)
    assert {(r.verdict, r.cause) for r in results} == {
        ("fail", "the printed form tr(Xᵀ X) does not evaluate to what is computed")
    }


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_a_closed_form_that_is_nan_infinite_or_zero_never_passes(bad, plant):
    plant(lambda D, *_: np.full_like(D, bad))
    assert {r.verdict for r in verdicts(matcalc.det_x)} == {"fail"}


def test_a_constant_gradient_of_a_value_that_is_nan_never_passes():
    def nan(X):
        return jnp.nan * jnp.sum(X), jnp.zeros_like(X)

    assert {r.verdict for r in verdicts(undeclared(nan, matcalc.tr_x))} == {"inconclusive"}


# The matrices of rank n-1 whose zero pivot is not the last: JAX's derivative of det is silently 0 or NaN there.
ZERO_PIVOT = np.array([[1.0, 1, 1, 2], [1, 1, 0, 3], [2, 2, 1, 7], [0, 0, 1, 1]])
NAN_HESSIAN = np.array([[1.0, 1, 2, 1], [1, 1, 2, 1], [0, 1, 1, 0], [0, 2, 3, 4]])


@pytest.mark.parametrize("name", ["det_x", "det_xk"])
def test_where_the_gradient_of_det_in_jax_is_wrong_ours_is_right_and_the_verdict_says_so(name):
    entry = CATALOGUE[name]
    arguments = [ZERO_PIVOT] if name == "det_x" else [ZERO_PIVOT, 1]
    results = verdicts(entry, arguments)
    assert {r.verdict for r in results} == {"autodiff-wrong"}
    assert all("autodiff is off by 1.0e+00" in (r.cause or "") for r in results)
    with jax.enable_x64(True):
        ours = np.asarray(entry.derivative(*arguments))
    cofactors = np.array(
        [
            [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(ZERO_PIVOT, i, 0), j, 1)) for j in range(4)]
            for i in range(4)
        ]
    )
    np.testing.assert_allclose(ours, cofactors, atol=1e-13)


def test_the_hessian_of_det_is_right_where_that_of_jax_is_nan():
    with jax.enable_x64(True):
        X = jnp.asarray(NAN_HESSIAN)
        assert np.isnan(jax.jit(jax.hessian(jnp.linalg.det))(X)).any()
        ours = np.asarray(jax.jit(jax.hessian(matcalc.det_x))(X))
        estimate = finite_differences(lambda X: np.asarray(matcalc.det_x.derivative(X)), NAN_HESSIAN, 1)
    assert relative(estimate.project(ours, 1), estimate.values) < 1e-9


def test_outside_the_domain_is_inconclusive_and_says_why():
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    (first, *_) = verdicts(matcalc.logabsdet_x, [singular])
    assert (first.verdict, first.cause) == (
        "inconclusive",
        "The formula requires X invertible, and here it is not.",
    )
    A = np.array([[1.0, 2.0], [0.0, 4.0]])
    (first, *_) = verdicts(matcalc.quad_xax_symmetric, [np.ones(2), A])
    assert first.cause == "The formula requires A symmetric, and here it is not."
    (first, *_) = verdicts(matcalc.norm_x_minus_a, [np.ones(2), np.ones(2)])
    assert first.cause == "The formula requires x - a nonzero, and here it is not."
    (first, *_) = verdicts(matcalc.tr_x, [np.array([[np.nan]])])
    assert (first.verdict, first.cause) == ("inconclusive", "X contains NaN; every entry must be finite.")


def test_an_ill_conditioned_point_is_inconclusive_in_float32_and_decided_in_float64():
    hilbert = np.array([[1.0 / (i + j + 1) for j in range(5)] for i in range(5)])
    results = verdicts(matcalc.logabsdet_x, [hilbert], layouts=("jax",))
    assert [(r.dtype, r.verdict) for r in results] == [("float32", "inconclusive"), ("float64", "pass")]
    assert "condition number" in (results[0].cause or "")


def test_a_derivative_that_vanishes_to_rounding_is_inconclusive():
    """|A X B| = 0 for all A, X, B of these sizes: what is computed is noise, on either side."""
    results = verdicts(matcalc.det_axb, sizes={"l": 5, "m": 2, "n": 3})
    assert {r.verdict for r in results} == {"inconclusive"}


def test_a_derivative_that_is_zero_for_a_reason_passes():
    """(x - a)/|x - a| is a sign where n = 1; there autodiff leaves a rounding error and no more."""
    assert {r.verdict for r in verdicts(matcalc.direction_x_minus_a, sizes={"n": 1})} == {"pass"}


@pytest.mark.parametrize("sizes", [{"l": 1}, {"m": 1, "l": 1}, {"n": 1}, {"l": 3, "m": 5, "n": 6, "p": 2}])
@pytest.mark.parametrize("name", ["tr_axbxtc", "det_x", "det_xtx", "tr_axinvb", "affine_bilinear", "kronecker_rule"])
def test_other_sizes_pass(name, sizes):
    entry = CATALOGUE[name]
    known = {k: v for k, v in sizes.items() if k in entry.signature.names(next(iter(entry.covers)))}
    assert {r.verdict for r in verdicts(entry, sizes=known, layouts=("jax",))} == {"pass"}


def test_scaling_the_function_changes_no_verdict():
    """Nothing is scaled by the size of the output: the same relative error fails at 1e-12 and at 1e12."""
    for scale in (1e-12, 1.0, 1e12):
        for factor, verdict in ((1.0, "pass"), (1.001, "fail")):
            entry = Identity(scaled_cube(scale, factor), "X", "X", source="", covers="")
            results = verdicts(entry, matcalc.tr_x.sample(0, dtype=np.float64), dtypes=("float64",))
            assert {r.verdict for r in results} == {verdict}, scale


def scaled_cube(scale, factor):
    """scale · tr X³, with a derivative that is off by a factor."""

    def body(X):
        f, df_dX = matcalc.tr_xk.declaration.body(X, 3)
        return scale * f, factor * scale * df_dX

    body.__annotations__ = matcalc.tr_x.declaration.body.__annotations__
    return body


# --- The witnesses themselves


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


@pytest.mark.parametrize(
    ("outputs", "inputs"),
    [((), ()), ((), (4,)), ((), (3, 4)), ((2,), ()), ((2,), (4,)), ((2, 5), ()), ((2, 5), (3, 4))],
)
@pytest.mark.parametrize("layout", ["jax", "numerator", "denominator", "vec"])
def test_reading_entry_by_entry_undoes_the_adapter(outputs, inputs, layout):
    """The two share no code, so neither can hide an error of the other."""
    from matcalc.layout import to_layout

    D = np.random.default_rng(0).normal(size=outputs + inputs)
    np.testing.assert_array_equal(entry_by_entry(to_layout(D, len(outputs), layout), outputs, inputs, layout), D)


def test_the_distance_of_two_derivatives_is_never_nan_and_never_empty():
    one = np.ones((2, 2))
    assert relative(one, one) == 0
    assert relative(np.zeros(2), np.zeros(2)) == 0
    assert relative(1e-300 * one, np.zeros((2, 2))) == np.inf
    assert relative(one * np.nan, one) == np.inf
    assert relative(one, one * np.inf) == np.inf
    assert relative(one, np.ones(4)) == np.inf
    assert relative(1e200 * one, 2e200 * one) == pytest.approx(0.5)
    assert relative(1e-200 * one, 2e-200 * one) == pytest.approx(0.5)


def test_tolerances_follow_from_precision_and_conditioning_alone():
    assert unit_roundoff(np.float64) == 2.0**-53
    assert unit_roundoff("float32") == 2.0**-24
    assert unit_roundoff("float32", "gpu", "default") == 2.0**-11
    assert unit_roundoff("float64", "gpu", "default") == 2.0**-53
    assert unit_roundoff("float32", "tpu", "default") == 2.0**-8
    assert unit_roundoff("float32", "cpu", "default") == 2.0**-24
    assert tolerance(2.0**-53, 10.0) == pytest.approx(10 * tolerance(2.0**-53, 0.1), rel=0.1)


def test_a_printed_form_is_evaluated_without_jax():
    values = {"X": np.array([[1.0, 2.0], [3.0, 5.0]])}
    assert float(evaluate(parse("|X|"), values)) == pytest.approx(-1)


def test_verifying_leaves_no_setting_of_jax_behind():
    before = jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision
    for _ in verify(matcalc.tr_x, Settings()):
        assert (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision) == before


def test_inputs_of_a_rule_are_verified_in_the_one_kind_that_they_are_of():
    U, dU = np.ones(3), np.ones((3, 4))
    results = verify(matcalc.sum_rule, Settings(), {"U": U, "dU": dU, "V": U, "dV": dU})
    assert {(r.kind, r.verdict) for r in results} == {("vector by vector", "pass")}
    with pytest.raises(ValueError, match="sum_rule is stated for scalar by scalar"):
        verify(matcalc.sum_rule, Settings(), {"U": dU, "dU": np.ones((3, 4, 2)), "V": dU, "dV": np.ones((3, 4, 2))})


def test_sizes_without_a_point_of_the_domain_are_inconclusive():
    results = verdicts(matcalc.det_axb_invertible, sizes={"l": 5})
    assert {r.verdict for r in results} == {"inconclusive"}
    assert all("found no point with A X B invertible at the sizes l=5" in (r.cause or "") for r in results)


def test_numbers_that_float32_cannot_hold_are_inconclusive_there():
    results = verdicts(matcalc.tr_x, [np.eye(2) * 1e300], layouts=("jax",))
    assert [(r.dtype, r.verdict) for r in results] == [("float32", "inconclusive"), ("float64", "pass")]
    assert results[0].cause == "X contains an infinite entry; every entry must be finite."
