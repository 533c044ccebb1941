"""Derivatives that are typed: the verdict and the cause on claims from references, and what cannot be checked."""

import contextlib
import json
import re

import numpy as np
import pytest
from claims import CLAIMS
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import matcalc
from matcalc import check_formula
from matcalc.catalogue.lookup import find
from matcalc.claims.layouts import candidates
from matcalc.claims.points import draw
from matcalc.claims.reading import read_problem
from matcalc.claims.slopes import same, truth
from matcalc.cli import app
from matcalc.formula import FormulaError, evaluate, parse
from matcalc.formula.shapes import deduce
from matcalc.formula.tree import rename, transpose
from matcalc.formula.variables import variables

OTHER = {"denominator": "numerator", "numerator": "denominator"}


def options(claim):
    return {"wrt": claim.wrt, "where": claim.where, "shape": claim.shape}


@pytest.mark.parametrize("claim", CLAIMS, ids=[c.source for c in CLAIMS])
def test_what_a_reference_states_passes_and_a_mistake_in_it_is_named(claim):
    right = check_formula(claim.f, claim.right, layout=claim.layout, **options(claim))
    assert right.verdict == "pass", right
    wrong = check_formula(claim.f, claim.wrong, layout=claim.layout, **options(claim))
    assert wrong.verdict == "fail", wrong
    assert wrong.cause
    assert wrong.cause.name == claim.cause, wrong


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.layout in OTHER], ids=lambda c: c.source)
def test_the_same_in_the_other_layout_in_tex(claim):
    """The printed TeX of the transposed claim, right and wrong."""
    scalars = {name for name, rank in variables(parse(claim.f)).ranks.items() if rank == 0} | {
        name for name, shape in claim.shape.items() if not shape
    }
    f = parse(claim.f).tex()
    for text, verdict in ((claim.right, "pass"), (claim.wrong, "fail")):
        turned = transpose(parse(text), scalars).tex()
        report = check_formula(f, turned, layout=OTHER[claim.layout], **options(claim))
        assert report.verdict == verdict, report


def test_either_layout_takes_what_fits():
    for text, layout in (("A' B'", "denominator"), ("B A", "numerator")):
        report = check_formula("tr(A X B)", text, wrt="X")
        assert report.ok
        assert report.layout == layout


def test_a_cause_is_said_in_the_terms_and_the_style_of_the_claim():
    ascii_ = check_formula("tr(A X B X' C)", "A' C' X B' + C A X B'", wrt="X", layout="denominator")
    assert str(ascii_.cause) == "The second term should be C A X B, not C A X B'."
    tex = check_formula(r"\operatorname{tr}(A X B X^\top C)", r"A^\top C^\top X B^\top + C A X B^\top", wrt="X")
    assert r"should be C A X B, not C A X B^\top." in str(tex.cause)
    layout = check_formula("tr(A X B)", "B A", wrt="X", layout="denominator")
    assert str(layout.cause).startswith("True in numerator layout; you asked for denominator.")
    assert str(layout.cause).endswith("Transpose it.")


@pytest.mark.parametrize(
    ("formula", "claim", "where"),
    [
        ("ln|X|", "2 X^-1 - X^-1 .* I", {"X": "symmetric"}),  # The Matrix Cookbook, equation 141
        ("ln|X|", "2 X^-1 - X^-1 .* I", {}),
        ("tr(A X)", "A + A' - A .* I", {"X": "symmetric"}),  # equation 139
        ("tr(A X)", "A + A' - A .* I", {}),
    ],
)
def test_what_is_written_for_symmetric_matrices_is_told(formula, claim, where):
    report = check_formula(formula, claim, wrt="X", where=where, shape={"X": ("n", "n")})
    assert report.verdict == "fail"
    assert report.cause.name == "symmetric convention"
    assert "It is G + G' - G .* I of the gradient G" in str(report)


def test_the_symmetric_part_is_told():
    report = check_formula("tr(A X)", "(A + A')/2", wrt="X", shape={"X": ("n", "n")})
    assert report.verdict == "fail"
    assert report.cause.name == "symmetric convention"
    assert check_formula("tr(A X)", "(A + A')/2", wrt="X", where={"X": "symmetric"}).ok


def test_every_wrong_coefficient_is_named():
    report = check_formula("x'A x + b'x", "2 A x + 3 A' x + b", wrt="x")
    assert report.cause.text == (
        "The first term, 2 A x, lacks a factor 1/2. The second term, 3 A' x, lacks a factor 1/3."
    )


def test_conditions_and_shapes_can_be_said():
    assert not check_formula("x' A x", "2 A x", wrt="x").ok
    report = check_formula("x' A x", "2 A x", wrt="x", where={"A": "symmetric"})
    assert report.ok
    assert len(set(report.asked.shapes["A"])) == 1
    assert check_formula("c X", "X", wrt="c", shape={"c": ()}).ok
    assert check_formula(r"\lambda X", "X", wrt="lambda", layout="numerator").ok


def test_float32():
    assert check_formula("tr(A X B)", "A' B'", wrt="X", dtype="float32").report.dtype == "float32"


def test_the_report_as_json():
    data = json.loads(json.dumps(check_formula("tr(A X)", "A", wrt="X", layout="denominator").as_dict()))
    assert data["verdict"] == "fail"
    assert data["cause"]["name"] == "layout"
    assert data["shapes"]["X"]


# --- Bad input


@pytest.mark.parametrize(
    ("formula", "claim", "given", "message"),
    [
        ("tr(A X", "A'", {"wrt": "X"}, "expected"),
        ("tr(A X)", "A' +", {"wrt": "X"}, "expected"),
        ("tr(A X)", "A'", {"wrt": "Y"}, "Y does not occur in tr(A X) as a variable; its variables are A, X"),
        ("tr(A X)", "A' B", {"wrt": "X"}, "B is not in the function, which has A, X"),
        ("tr(A X B)", "A A A A B", {"wrt": "X"}, "A is l×m, A is l×m; m ≠ l"),
        ("a' X b", "a a' a a' a a'", {"wrt": "X"}, "the claim is l×l; the derivative of aᵀ X b by X is"),
        ("c X", "X", {"wrt": "c"}, "c=scalar"),
        ("tr(A X)", "A'", {"wrt": "X", "where": {"B": "symmetric"}}, "B does not occur in tr(A X)"),
        ("tr(A X)", "A'", {"wrt": "X", "where": {"A": "round"}}, "There is no domain 'round'"),
        ("tr(A X)", "A'", {"wrt": "X", "shape": {"A": (2, 3), "X": (4, 2)}}, "3 ≠ 4"),
        ("tr(A X)", "A'", {"wrt": "X", "layout": "row"}, "layout must be one of"),
        ("ln(-x' x)", "x", {"wrt": "x"}, "no random point was found"),
        ("foo(X)", "X", {"wrt": "X"}, "foo is read as f o o"),
        ("tarce(A X)", "A'", {"wrt": "X"}, "is trace meant?"),
        ("tr(X^(9^(9^9)))", "X", {"wrt": "X"}, "too large a number"),
        ("sum_{i=1}^{1000000000} tr(X)", "X", {"wrt": "X"}, "at most 10,000 are computed"),
        ("tr(" + " ⊗ ".join(["X"] * 20) + ")", "X", {"wrt": "X"}, "entries"),
        ("tr(X)", "I", {"wrt": "X", "shape": {"X": (10**6, 10**6)}}, "at most 4,096 are tried"),
        ("((((" * 1000, "X", {"wrt": "X"}, "nested"),
        ("X" * 1_000_000, "X", {"wrt": "X"}, "at most 20,000 are read"),
        ("X\x00", "X", {"wrt": "X"}, "x00"),
        ("x'x", "2x", {"wrt": "x", "shape": {"x": (0,)}}, "A size must be at least 1"),
        ("tr(X^H X)", "2X", {"wrt": "X"}, "here they are real"),
    ],
)
def test_what_cannot_be_checked_is_said(formula, claim, given, message):
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        check_formula(formula, claim, **given)
    assert len(str(raised.value)) < 2000


def test_shapes_are_deduced():
    def shapes(text):
        tree = parse(text)
        return deduce(tree, variables(tree).ranks)

    assert shapes("tr(A X B)") == {"A": ("l", "m"), "X": ("m", "n"), "B": ("n", "l")}
    assert shapes("x' A x + λ") == {"x": ("l",), "A": ("l", "l"), "λ": ()}
    assert shapes("A ⊗ B") == {"A": ("l", "m"), "B": ("n", "p")}
    with pytest.raises(FormulaError, match="≠"):
        deduce(parse("A x"), {"A": 2, "x": 1}, {"A": (2, 3), "x": (2,)})


WORDS = (
    "tr( det( ln exp( inv( kron( cross( vec( diag( || ^-1 ^T ^{-T} ^+ \\frac{ \\top ⊗ ⊙ × Σ_{i=1}^{3} e_i E_ij I ᵀ ⁻¹"
)
PIECES = st.sampled_from([*"AXBxaβk+-*/'()|_^[]{}=,.!0123 ", *WORDS.split()])


@settings(max_examples=1500, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=12).map("".join), st.lists(PIECES, min_size=1, max_size=8).map("".join))
def test_no_text_makes_it_crash(formula, claim):
    """Up to where JAX would begin: read, sized, drawn, evaluated, and compared by finite differences."""
    with contextlib.suppress(ValueError, np.linalg.LinAlgError):  # with a message, as the tests above see
        asked = read_problem(formula, "X")
        tree = parse(claim)
        values = draw(asked, 0, "a test")
        assert truth(asked, values).shape == (*asked.numbers(asked.value_shape), *asked.numbers(asked.shapes["X"]))
        for layout in candidates(asked, "either"):
            asked.in_jax_layout(tree, values, layout)


def terms_of(rng, count):
    """A random sum of products of square matrices, as text."""
    factors = ["A", "X", "B", "A'", "X'", "B'", "X^-1", "(A + X)"]
    products = [" ".join(rng.choice(factors, size=rng.integers(1, 4))) for _ in range(count)]
    return "".join(f" {rng.choice(['+', '-'])} {product}" for product in products).removeprefix(" + ")


@pytest.mark.parametrize("seed", range(40))
def test_a_random_claim_passes_only_if_it_is_right(seed):
    rng = np.random.default_rng(seed)
    formula = f"tr({terms_of(rng, rng.integers(1, 3))} + X) + tr(A - A + B - B)"
    claim = f"{terms_of(rng, rng.integers(1, 3))} + I"
    shape = dict.fromkeys("AXB", (3, 3))
    asked = read_problem(formula, "X", shape=shape)
    values = draw(asked, 99, "a test")
    D = truth(asked, values)
    report = check_formula(formula, claim, wrt="X", shape=shape)
    is_right = any(same(asked.in_jax_layout(parse(claim), values, each), D) for each in candidates(asked, "either"))
    assert report.ok == is_right


# --- The catalogue, by formula


def shows_its_arguments(entry):
    """Whether all arguments stand in the printed function, and nothing else: no size, as in n ln(a)."""
    found = variables(parse(entry.formulas[0]))
    return {*found.ranks, *found.integers} == {p.name for p in entry.signature.parameters}


FUNCTIONS = [
    e for e in matcalc.CATALOGUE.values() if e.order and not isinstance(e, matcalc.Rule) and shows_its_arguments(e)
]


@pytest.mark.parametrize("known", FUNCTIONS, ids=lambda e: e.name)
def test_every_identity_is_found_by_its_function_in_other_names(known):
    names = {"A": "M", "X": "Y", "x": "y", "a": "u", "b": "v"}
    renamed = rename(parse(known.formulas[0]), names)
    shapes = known.signature.shapes(next(iter(known.covers)), {})
    ranks = {names.get(name, name): len(shape) for name, shape in shapes.items()}
    assert known.name in [match.identity.name for match in find(renamed, names.get(known.wrt, known.wrt), ranks)]


@pytest.mark.parametrize(
    ("formula", "wrt", "name"),
    [
        ("tr(Z' R Y Z Q)", "Z", "tr_axbxtc"),
        ("tr(B A X)", "X", "tr_axb"),
        ("sum_{i=1}^{1} tr(X' B)", "B", "tr_atx"),
        ("||y||^2", "y", "sqnorm_x"),
        ("\\ln |\\mathbf{W}|", "W", "logabsdet_x"),
    ],
)
def test_it_is_found_however_it_is_written(formula, wrt, name):
    assert name in [m.identity.name for m in find(parse(formula), wrt)]


def test_what_the_catalogue_does_not_know_is_not_found():
    assert find(parse("tr(sin(X) cos(A) X)"), "X") == []


# --- What is right for some numbers only


@pytest.mark.parametrize(
    ("formula", "claim"),
    [
        ("tr(X^n)", "3 X'^2"),
        ("sum_{k=1}^{n} tr(X^k)", "I + 2 X' + 3 X'^2"),
        ("tr(X ⊗ A A^-1)", "3 I"),
        ("tr(X) tr(A A^-1)", "3 I"),
        ("[X]_ij", "e_2 e_1'"),
    ],
)
def test_a_claim_that_is_right_for_one_number_only_is_none(formula, claim):
    shape = {"X": ("l", "l"), "A": ("l", "l")} if "A" in formula else {"X": ("l", "l")}
    report = check_formula(formula, claim, wrt="X", shape=shape)
    assert (report.verdict, report.cause.name) == ("fail", "special"), report


@pytest.mark.parametrize(
    ("formula", "wrt", "claim"),
    [
        ("sqrt(det(X)^2)", "X", "det(X) X^-T"),
        ("|det(X)|", "X", "det(X) X^-T"),
        ("det(X)", "X", "|det(X)| X^-T"),
        ("α^2", "α", "2|α|"),
        ("x_1^2", "x", "2 |x_1| e_1"),
        ("sqrt(x .* x)", "x", "I"),
        ("|a'x|", "x", "a"),
        ("|a'y| b'x", "x", "(a'y) b"),
        ("exp(-100000 x'x)", "x", "2 x exp(-100000 x'x)"),
        ("tanh(1000 a'x)", "x", "0 a"),
        ("softplus(1000 x'x)", "x", "2000 x"),
    ],
)
def test_a_claim_that_is_right_at_some_points_only_is_none(formula, wrt, claim):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.verdict == "fail", report
    assert report.cause.name == "special"


@pytest.mark.parametrize(("claim", "digits"), [("2.000000001 x", 9), ("2.00000000002 x", 11), ("2.0000003 x", 7)])
def test_a_claim_that_is_nearly_right_is_none(claim, digits):
    report = check_formula("x'x", claim, wrt="x")
    assert (report.verdict, report.cause.name) == ("fail", "digits")
    assert f"to {digits} digits only" in str(report.cause)


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "where"),
    [
        ("a'b + 0 a'x", "x", "0 a", {}),
        ("ln |X|", "X", "I .* X^-1", {"X": "lower triangular"}),
        ("x'A y", "A", "y x'", {"A": "symmetric"}),
        ("tr(A X)", "X", "I .* A", {"X": "diagonal"}),
        ("ln |X|", "X", "X^-1", {"X": "positive definite"}),
    ],
)
def test_what_holds_in_the_domain_is_right_at_other_points_of_it_too(formula, wrt, claim, where):
    assert check_formula(formula, claim, wrt=wrt, where=where).verdict == "pass"


def test_a_cause_that_is_true_for_one_exponent_only_is_not_named():
    assert check_formula("tr(X^n)", "2 X'", wrt="X").cause.name == "unknown"
    assert "should be n (X^(n-1))'" in str(check_formula("tr(X^n)", "(n-1)(X^{n-1})'", wrt="X").cause)


def test_claims_of_infinite_value_are_answered():
    report = check_formula("sum_{i=1}^{n} exp(w'x) y_i", "exp(w'x) (1'y) x", wrt="w", shape={"y": ("n",)})
    assert report.verdict == "pass"
    assert check_formula("x'x", "2 sqrt(x .* x)", wrt="x").verdict == "fail"


# --- As people write


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "given"),
    [
        (r"\sum_{i=1}^n\sum_{j=1}^m X_{ij}^2", "X", "2X", {}),
        (r"\sum_{i=1}^n\sum_{j=1}^n x_i A_{ij} x_j", "x", "(A + A')x", {}),
        ("x'A", "x", "A", {"layout": "denominator"}),
        ("x'A", "x", "A'", {"layout": "numerator"}),
        ("(x-μ)'Σ^-1 (x-μ)", "x", "2 Σ^-1 (x-μ)", {"where": {"Σ": "symmetric"}, "shape": {"μ": ("n",)}}),
        ("tr(X)^k", "X", "k tr(X)^(k-1) I", {}),
        ("||x||^p", "x", "p ||x||^(p-2) x", {}),
        ("tr(X^-2)", "X", "-2 (X^-3)'", {}),
        ("1/2 x'A x", "x", "1/2 (A + A') x", {}),
        (r"$\|Xw-y\|^2_2$", "w", r"2 X^{\!\top}(Xw-y)", {}),
    ],
)
def test_it_is_read_as_it_is_meant(formula, wrt, claim, given):
    assert check_formula(formula, claim, wrt=wrt, **given).verdict == "pass"


# --- Entry by entry


@pytest.mark.parametrize(
    ("formula", "wrt", "claim"),
    [
        ("sum(exp(x))", "x", "exp(x)"),
        ("ln(sum(exp(x)))", "x", "exp(x)/sum(exp(x))"),
        ("1'tanh(X)1", "X", "1 1' - tanh(X) .* tanh(X)"),
        ("a'sigmoid(X b)", "X", "(a .* sigmoid(X b) .* (ones - sigmoid(X b))) b'"),
        ("sum(softplus(X w)) - y'X w", "w", "X' (sigmoid(X w) - y)"),
        ("sum(ln.(X A))", "X", "(1 1' ./ (X A)) A'"),
        ("sum(A .* sqrt.(X))", "X", "(A ./ sqrt.(X))/2"),
        (r"\operatorname{tr}(\operatorname{exp.}(X))", "X", r"\operatorname{exp.}(X) \odot I"),
        ("exp(x)", "x", "diag(exp(x))"),
        ("A tanh(x)", "x", "A diag(ones - tanh(x) .* tanh(x))"),
    ],
)
def test_functions_of_entries(formula, wrt, claim):
    assert check_formula(formula, claim, wrt=wrt).verdict == "pass"
    assert check_formula(formula, f"1.0001 ({claim})", wrt=wrt).verdict == "fail"


@pytest.mark.parametrize(
    ("formula", "claim", "cause"),
    [
        ("tr(exp(X))", "exp.(X)'", "exp(X)"),
        ("sum(A .* exp.(X))", "A .* exp(X)", "A .* exp.(X)"),
        ("tr(A (B .* X))", "A' B", "A' .* B"),
    ],
)
def test_a_missing_dot_is_named(formula, claim, cause):
    report = check_formula(formula, claim, wrt="X")
    assert report.verdict == "fail"
    assert cause in report.cause.text


def test_a_number_where_ones_are_meant_is_explained():
    with pytest.raises(FormulaError, match="ones"):
        check_formula("sum(tanh(x))", "1 - tanh(x) .* tanh(x)", wrt="x")


# --- The command


def run(*arguments):
    return CliRunner().invoke(app, ["check", *arguments])


def test_the_command():
    right = run("tr(A X B X' C)", "--wrt", "X", "--claim", "B X' C A + B' X' A' C'")
    assert right.exit_code == 0, right.output
    assert right.output.startswith("pass: the derivative of tr(A X B X' C) by X is B X' C A + B' X' A' C'")
    wrong = run("tr(A X B X' C)", "--wrt", "X", "--claim", "B X' C A + B' X' A' C", "--layout", "numerator")
    assert wrong.exit_code == 1
    assert "should be B' X' A' C'" in wrong.output
    assert "tr_axbxtc: ∂/∂X tr(A X B Xᵀ C)" in wrong.output


def test_the_command_without_a_claim_asks_the_catalogue():
    known = run("tr(P Q)", "--wrt", "Q")
    assert known.exit_code == 0
    assert "∂/∂Q tr(P Q) = Pᵀ" in known.output
    unknown = run("tr(sin(X) cos(A) X)", "--wrt", "X")
    assert unknown.exit_code == 1
    assert "The catalogue has no derivative" in unknown.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tr(A X", "--wrt", "X"], "^"),
        (["tr(A X)"], "--wrt"),
        (["tr(A X)", "--wrt", "X", "--shape", "A"], "--shape takes name=sizes"),
        (["tr(A X)", "--wrt", "X", "--where", "A"], "--where takes name=domain"),
        (["tr(A X)", "--wrt", "X", "--layout", "row"], "--layout"),
    ],
)
def test_wrong_usage_is_explained_on_one_screen(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.splitlines()) < 24


def test_list_finds_by_formula():
    result = CliRunner().invoke(app, ["list", "--search", "tr(Z R Z')", "--json", "-"])
    names = {each["name"] for each in json.loads(result.output)["identities"]}
    assert "tr_xaxt" in names or names


def test_formulas_are_jax_functions():
    import jax
    import jax.numpy as jnp

    X = np.random.default_rng(0).normal(size=(3, 3))
    f = jax.jit(lambda X: evaluate(parse("tr(X' X)"), {"X": X}, xp=jnp))
    np.testing.assert_allclose(jax.grad(f)(X), 2 * X, rtol=1e-5)
