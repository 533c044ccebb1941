"""`verify`: what it passes, and above all what it must not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import matcalc
from matcalc import CATALOGUE, Identity
from matcalc.catalogue.verification import Settings, computed, place_of, verify
from matcalc.formula import evaluate, parse, terms
from matcalc.layout import to_layout
from matcalc.referee import Cause, causes, finite_differences, judge, settings
from matcalc.referee.runs import Runs
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

    Why it is wrong is not searched for: that causes are found is tested with the referee.
    """
    claimed = Runs.claimed

    def plant(error):
        def planted(runs, arrays):
            (D,) = claimed(runs, arrays)
            return [error(D, runs.subject.spec.arguments(arrays))]

        monkeypatch.setattr(Runs, "claimed", planted)

    monkeypatch.setattr(judge, "impurity", lambda runs: None)
    monkeypatch.setattr(judge, "instability", lambda *evidence: None)
    monkeypatch.setattr(causes, "explain", lambda *evidence: Cause("planted", "It is off."))
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
        with settings("highest"):
            _, D, _ = computed(entry.declaration, entry.sample(0, dtype=np.float64, kind=kind), 0)
        wrong = PLANTED[error](D)
        if wrong.shape == D.shape:
            np.testing.assert_allclose(wrong, D, atol=1e-15, err_msg=reason)


def test_a_dropped_term_fails(entry, plant):
    """Each term of the printed derivative in turn is taken out of the closed form."""
    formula = parse(entry.derivative_formulas[0])
    for term in terms(formula) if len(terms(formula)) > 1 else ():

        def without(D, arguments, term=term):
            names = [p.name for p in entry.signature.parameters]
            values = dict(zip(names, arguments[-len(names) :], strict=True))
            dropped = entry.declaration.evaluate(str(term), values, D.shape)
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
    assert all("true only for symmetric B" in r.cause for r in results)


def test_a_derivative_of_the_wrong_shape_fails():
    def transposed(A, X, B):
        f, df_dX = matcalc.tr_axb.declaration.body(A, X, B)
        return f, df_dX.T

    results = verdicts(undeclared(transposed, matcalc.tr_axb))
    assert {r.verdict for r in results} == {"fail"}
    assert all(r.cause.startswith("It is right in numerator layout, and jax layout was asked for.") for r in results)


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
    assert all("automatic derivative is off by 1.0e+00" in (r.cause or "") for r in results)
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


# --- Layouts, printed forms and inputs


@pytest.mark.parametrize(
    ("outputs", "inputs"),
    [((), ()), ((), (4,)), ((), (3, 4)), ((2,), ()), ((2,), (4,)), ((2, 5), ()), ((2, 5), (3, 4))],
)
@pytest.mark.parametrize("layout", ["jax", "numerator", "denominator", "vec"])
def test_definitions_of_layouts_undo_the_adapter(outputs, inputs, layout):
    """The two share no code, so neither can hide an error of the other."""
    D = np.random.default_rng(0).normal(size=outputs + inputs)
    arranged = to_layout(D, len(outputs), layout)
    for o in np.ndindex(outputs):
        for i in np.ndindex(inputs):
            assert arranged[place_of(o, i, outputs, inputs, layout)] == D[o + i]


def test_an_adapter_that_is_wrong_fails_in_that_layout(monkeypatch):
    from matcalc.catalogue import verification

    def turned(D, value_axes, layout):
        return to_layout(D, value_axes, layout)[::-1] if layout == "numerator" else to_layout(D, value_axes, layout)

    monkeypatch.setattr(verification, "to_layout", turned)
    results = verify(matcalc.tr_axb, Settings(dtypes=("float64",), layouts=LAYOUTS))
    assert [(r.layout, r.verdict) for r in results] == [
        ("jax", "pass"),
        ("numerator", "fail"),
        ("denominator", "pass"),
    ]
    assert "does not stand where its definition puts it" in results[1].cause


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


# --- One referee


HILBERT = np.array([[1 / (i + j + 1) for j in range(6)] for i in range(6)])
FAR_FROM_A = np.array([0.3, -1.2, 0.7])


@pytest.mark.parametrize("seed", range(8))
def test_edge_points_are_judged_the_same_by_verify_and_check(seed):
    """The adjugate of a matrix of rank n - 2 is 0, and so is what is computed. The Hilbert matrix has κ = 1.5e7: with
    float64 that leaves eight digits. Where x is nearly a, in float32, an error of rounding in x or a alone turns
    (x - a)/‖x - a‖: it cannot be decided there, and is no kink; in float64 it passes."""
    a = FAR_FROM_A
    for name, arguments, verdict in (
        ("det_x", (np.ones((3, 3)),), "pass"),
        ("logabsdet_x", (HILBERT,), "pass"),
        ("norm_x_minus_a", (a + 1e-6, a), "pass"),
        ("norm_x_minus_a", ((a + 1e-6).astype(np.float32), a.astype(np.float32)), "inconclusive"),
    ):
        identity, dtype = CATALOGUE[name], arguments[0].dtype.name
        report = identity.check(*arguments, seed=seed)
        (result,) = verdicts(identity, arguments, seed=seed, dtypes=(dtype,), layouts=("jax",))
        assert (report.verdict, result.verdict) == (verdict, verdict), name
        if verdict == "inconclusive":
            assert report.cause.name == "ill-conditioned"
            assert str(report.cause) == result.cause


def test_verify_and_check_say_the_same(entry):
    kind = next(iter(entry.covers))
    for dtype in ("float32", "float64"):
        arguments = entry.sample(1, dtype=dtype, kind=kind)
        report = entry.check(*arguments, seed=1)
        results = verify(entry, Settings(seed=1, dtypes=(dtype,), layouts=("jax",)))
        assert (results[0].kind, results[0].verdict) == (kind, report.verdict)
        assert (results[0].tolerance, results[0].condition) == (report.tolerance, report.condition)


def test_every_entry_passes_its_check(entry):
    report = entry.check(layout="denominator")
    assert report.verdict == "pass", report
    assert report.function == entry.name
