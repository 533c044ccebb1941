"""Any seed is taken, and fixes every point and direction, each by a stream of its own."""

import jax
import numpy as np
import pytest

from matcalc import check_formula
from matcalc.claims.points import draw, elsewhere
from matcalc.claims.reading import read_problem
from matcalc.claims.slopes import confirms, direction, same, truth
from matcalc.formula import Formula, parse

KEY = jax.random.key(7)


@pytest.mark.parametrize("seed", [3, -3, 2**80, np.int64(3), KEY, jax.random.PRNGKey(7), jax.random.split(KEY, 2)[1]])
def test_any_integer_and_any_key_is_a_seed(seed):
    first, second = (check_formula("x'A x", "2 A x", wrt="x", seed=seed, certify=True) for _ in range(2))
    assert first.cause.name == "condition"
    assert first.as_dict() == second.as_dict()
    assert check_formula("x'A x", "(A + A') x", wrt="x", seed=seed, certify=True).certificate > 35


@pytest.mark.parametrize("seed", ["3", 3.0, None, jax.random.split(KEY, 2)])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be an integer or a JAX key"):
        check_formula("x'x", "2 x", wrt="x", seed=seed)


def test_every_word_of_a_key_counts():
    problem = read_problem("x'x", "x")
    keys = [jax.random.wrap_key_data(np.array(words, np.uint32)) for words in ((1, 2), (1, 3), (0, 2))]
    points = [draw(problem, key, "a test")["x"] for key in (*keys, 2)]
    assert len({tuple(x) for x in points}) == len(points)


def test_each_purpose_has_a_stream_of_its_own():
    problem = read_problem("tr(A X B)", "X")
    here, there = (draw(problem, 0, purpose)["X"] for purpose in ("here", "there"))
    assert not np.allclose(here, there)
    np.testing.assert_array_equal(here, draw(problem, 0, "here")["X"])  # whatever else was drawn
    v = direction(problem, 0)
    np.testing.assert_array_equal(v, direction(problem, 0))
    assert not np.allclose(v, direction(problem, 1))
    assert np.linalg.norm(v) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "cause"),
    [
        ("α^2", "α", "2|α|", "special"),
        ("|a'x|", "x", "a", "special"),
        ("exp(-100000 x'x)", "x", "2 x exp(-100000 x'x)", "special"),
        (
            "tr((X' C X)^-1 (X' B X))",
            "X",
            "-2 C X (X' C X)^-1 X' B X (X' C X)^-1 + B X (X' C X)^-1",
            "factor",
        ),
    ],
)
def test_verdict_and_cause_are_the_same_at_every_seed(seed, formula, wrt, claim, cause):
    where = {"B": "symmetric", "C": "symmetric"} if "C" in formula else {}
    report = check_formula(formula, claim, wrt=wrt, where=where, seed=seed)
    assert (report.verdict, report.cause.name) == ("fail", cause)


# --- Points and slopes


def test_other_numbers_are_others():
    problem = read_problem("tr(A X^k)", "X")
    other = elsewhere(problem)
    assert other.integers["k"] != problem.integers["k"]
    assert all(other.sizes[letter] != size for letter, size in problem.sizes.items())
    assert draw(other, 0, "a test")["X"].shape != draw(problem, 0, "a test")["X"].shape


@pytest.mark.parametrize(
    ("formula", "wrt", "derivative"),
    [
        ("tr(A X B X')", "X", "A' X B' + A X B"),
        ("A x", "x", "A'"),
        ("λ^3", "λ", "3 λ^2"),
        ("ln |X|", "X", "X^-T"),
    ],
)
def test_finite_differences_are_right_to_ten_digits(formula, wrt, derivative):
    problem = read_problem(formula, wrt)
    point = draw(problem, 0, "a test")
    D = problem.in_jax_layout(parse(derivative), point, "denominator")
    assert same(truth(problem, point), D, 1e-9)
    assert confirms(problem, D, point, 0)
    assert confirms(problem, 1.00001 * D, point, 0) is False


def test_where_there_is_no_slope_nothing_is_confirmed():
    problem = read_problem("ln(x)", "x", shape={"x": ()})
    assert confirms(problem, np.array(1.0), {"x": np.array(-1.0)}, 0) is None


# --- A problem is kept for the next claim


def test_what_was_compiled_for_a_function_serves_the_next_claim():
    one, other = (check_formula("tr(A X B)", claim, wrt="X").asked for claim in ("A' B'", "A B"))
    assert one is other
    assert read_problem("tr(A X B)", "X", where={"A": "invertible"}) is not one
    assert read_problem("tr(A X B)", "B") is not one
    tree = parse("tr(A X B)")
    assert isinstance(tree, Formula)
    assert read_problem(tree, "X") is not one


def test_equal_trees_of_other_numbers_are_other_problems():
    assert check_formula("tr(X^2)", "2 X'", wrt="X").ok
    with pytest.raises(ValueError, match="must be an integer"):
        check_formula("tr(X^2.0)", "2 X'", wrt="X")


GAUSSIAN = "(G .* exp.((diag(X X') ones' + ones diag(X X')' - 2 X X')/(-2 a^2)))"


@pytest.mark.parametrize("seed", [3, 7, 16, 18])
def test_a_right_claim_that_loses_digits_as_it_is_written_passes(seed):
    """Far from each other points have a kernel of next to nothing, and the claim is a difference of larger numbers."""
    claim = f"-(diag(({GAUSSIAN} + {GAUSSIAN}') ones) - ({GAUSSIAN} + {GAUSSIAN}')) X/a^2"
    right = check_formula(f"sum{GAUSSIAN}", claim, wrt="X", shape={"a": ()}, seed=seed)
    assert right.verdict == "pass", right
    wrong = check_formula(f"sum{GAUSSIAN}", f"1.0000001 ({claim})", wrt="X", shape={"a": ()}, seed=seed)
    assert wrong.verdict == "fail", wrong
