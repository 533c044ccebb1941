"""What a variable is presumed to be: domains, conventions, shapes, and points that are drawn there."""

import numpy as np
import pytest

from matcalc import check_formula
from matcalc.claims.points import WELL, draw, turned
from matcalc.claims.reading import domains_of, read_problem, shapes_of
from matcalc.claims.slopes import condition


@pytest.mark.parametrize(
    ("formula", "wrt", "where"),
    [
        ("y' inv(L) y", "L", {"L": "lower triangular"}),
        ("y' inv(L L') y", "L", {"L": "lower triangular"}),
        ("tr(inv(A) X inv(A))", "X", {"A": "symmetric"}),
        ("tr(inv(D X) A)", "X", {"D": "diagonal"}),
        ("tr(inv(exp.(λ H)))", "λ", {}),
        ("tr(inv(A B C X))", "X", {}),
    ],
)
def test_points_are_well_conditioned_whatever_the_domain(formula, wrt, where):
    shape = {"X": ("l", "l"), "A": ("l", "l"), "B": ("l", "l"), "C": ("l", "l")} if "B" in formula else {}
    problem = read_problem(formula, wrt, where=where, shape=shape)
    assert all(condition(problem, draw(problem, seed, "a test")) <= WELL for seed in range(10))


def test_a_condition_is_that_of_the_slope():
    problem = read_problem("tr(inv(X))", "X")
    near_singular = np.ones((3, 3)) + 1e-5 * np.diag([1.0, 2.0, 3.0])
    assert condition(problem, {"X": np.eye(3)}) < 10
    assert condition(problem, {"X": near_singular}) > 1e4


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "where"),
    [
        ("tr(inv(exp.(λ H)))", "λ", "-tr(inv(exp.(λ H)) (H .* exp.(λ H)) inv(exp.(λ H)))", ""),
        ("y'inv(LL')y", "L", "-2 inv(LL') y y' inv(L')", "L=lower triangular"),
        ("ln |D|", "D", "D^-1", "D=positive diagonal"),
        ("tr(ln(D))", "D", "D^-1", "D=diagonal"),
        ("||X||_F^2", "X", "2 X", "X=full column rank"),
        ("ln |X'X|", "X", "2 X (X'X)^-1", "X=full column rank"),
        ("ln |R|", "R", "R^-1", "R=correlation"),
    ],
)
def test_no_right_claim_is_rejected_for_its_draw(seed, formula, wrt, claim, where):
    assert check_formula(formula, claim, wrt=wrt, where=where, seed=seed).verdict == "pass"


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "where"),
    [
        ("-t'ln(exp(W x)/sum(exp(W x)))", "W", "(exp(W x)/sum(exp(W x)) - t) x'", "1't = 1"),
        ("||F .* M||^2", "F", "2 M .* F", "M=0/1"),
        ("||A X||^2", "X", "2 X", "A'A = I"),
        ("x'A x", "x", "2 A x", "A = A'"),
    ],
)
def test_what_is_right_under_a_condition_says_so(formula, wrt, claim, where):
    shape = {"A": ("l", "l"), "X": ("l", "l")} if "A" in formula and "X" in formula else None
    alone = check_formula(formula, claim, wrt=wrt, shape=shape)
    assert (alone.verdict, alone.cause.name) == ("fail", "condition")
    assert check_formula(formula, claim, wrt=wrt, shape=shape, where=where).verdict == "pass"


def test_several_matrices_that_have_to_be_symmetric_are_named_together():
    cause = check_formula("||X' A X - B||_F^2", "4 A X (X' A X - B)", wrt="X").cause
    assert cause.name == "condition"
    assert 'A="symmetric", B="symmetric"' in cause.remedy


# --- The convention of independent entries


def test_the_derivative_by_independent_entries_is_taken_where_it_is_asked_for():
    given = {"wrt": "X", "convention": "independent"}
    right = check_formula("ln |X|", "2 X^-1 - X^-1 .* I", **given)
    assert right.verdict == "pass"
    assert "by the independent entries of a symmetric X" in str(right)
    assert right.as_dict()["convention"] == "independent"
    assert check_formula("tr(A X)", "A + A' - A .* I", certify=True, **given).certificate > 35
    full = check_formula("ln |X|", "X^-1", **given)
    assert (full.verdict, full.cause.name) == ("fail", "symmetric convention")
    lopsided = check_formula("tr(A X)", "2 A - A .* I", **given)
    assert (lopsided.verdict, lopsided.cause.name) == ("fail", "symmetric convention")
    assert check_formula("tr(A X)", "A + A' + A .* I", **given).cause.name == "sign"


@pytest.mark.parametrize(
    ("formula", "given", "message"),
    [
        ("tr(A X)", {"where": {"X": "orthogonal"}}, "it is declared orthogonal"),
        ("A X", {}, "is of a scalar function"),
        ("tr(A X)", {"convention": "both"}, "convention must be one of full, independent"),
    ],
)
def test_the_convention_is_refused_where_it_has_no_meaning(formula, given, message):
    with pytest.raises(ValueError, match=message):
        check_formula(formula, "A", wrt="X", **{"convention": "independent", **given})


# --- Other shapes


@pytest.mark.parametrize(
    ("formula", "claim", "words"),
    [
        ("||X^+ b||^2", "-2 (X^+)' X^+ b (X^+ b)'", "True for wide X only"),
        ("||b' X^+||^2", "-2 (X^+)' b b' X^+ (X^+)'", "True for tall X only"),
        ("||X||_*", "X (X'X)^{-1/2}", "Xᵀ X has no inverse for wide X; where it has one, the claim is true."),
        ("||X||_*", "(X X')^{-1/2} X", "True for wide X only"),
        ("tr(X'X)", "2 X (X'X) (X'X)^-1", "Xᵀ X has no inverse for wide X"),
        ("tr(X'X)", "3 X (X'X) (X'X)^-1", "It inverts Xᵀ X, which has no inverse here."),
    ],
)
def test_a_claim_that_is_true_for_one_shape_only_says_so(formula, claim, words):
    report = check_formula(formula, claim, wrt="X")
    assert report.verdict == "fail"
    assert words in report.cause.text, report


def test_sizes_are_turned_where_f_is_regular_only():
    wide = read_problem("||X^+ b||^2", "X")
    assert {name for name, _ in turned(wide)} == {"wide X"}
    assert not list(turned(read_problem("ln |X'X|", "X")))
    assert not list(turned(read_problem("||X||^2", "X", where={"X": "full column rank"})))


# --- As text


def test_domains_and_shapes_are_read_from_text():
    assert domains_of("A=symmetric, X = invertible") == {"A": "symmetric", "X": "invertible"}
    assert domains_of("1't = 1, Q'Q = I, A = A'") == {"t": "sums to one", "Q": "orthogonal", "A": "symmetric"}
    assert domains_of(None) == {}
    assert shapes_of("A=3,n") == {"A": (3, "n")}
    assert shapes_of(["A=3,4", "c=scalar"]) == {"A": (3, 4), "c": ()}
    assert check_formula("c x'x", "2 c x", wrt="x", shape="c=scalar").ok
    assert check_formula("|A X|", "|A X| X^-T", wrt="X", where="X=invertible").ok


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"where": "A"}, "where takes name=domain"),
        ({"where": "A=round"}, "There is no domain 'round'"),
        ({"shape": "A"}, "shape takes name=sizes"),
        ({"where": "X=full column rank", "shape": "X=2,3"}, "No arrays of these shapes are in the domains: X 2×3"),
    ],
)
def test_text_that_says_nothing_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        check_formula("tr(A X)", "A'", wrt="X", **given)


# --- No numbers


@pytest.mark.parametrize(
    ("given", "like"),
    [
        ({"where": "S=symmetric positive-definite"}, {"where": {"S": "positive definite"}}),
        ({"where": {"S": "SPD"}}, {"where": {"S": "positive definite"}}),
        ({"shape": {"c": "scalar", "x": "3"}}, {"shape": {"c": (), "x": (3,)}}),
    ],
)
def test_other_words_for_the_same(given, like):
    one, other = (
        check_formula("c x'S x", "c (S + S') x", wrt="x", **{"shape": {"c": ()}, **options})
        for options in (given, like)
    )
    assert one.ok
    assert (one.asked.where, one.asked.shapes) == (other.asked.where, other.asked.shapes)


@pytest.mark.parametrize("claim", ["2 x sqrt(-1)", "2 x/0", "2 x ln(0)", "2 x/(1 - 1)"])
def test_a_claim_that_is_no_number_fails(claim):
    report = check_formula("x'x", claim, wrt="x")
    assert (report.verdict, report.cause.name) == ("fail", "not finite")
    assert "not a finite number here" in report.cause.text


def test_a_root_that_is_not_real_wants_positive_definite():
    report = check_formula("tr(X)", "sqrt(-X X') + I", wrt="X", shape={"X": ("l", "l")})
    assert report.verdict == "fail"
    assert "has no negative eigenvalues" in report.cause.text
    assert "Is X positive definite?" in report.cause.text
