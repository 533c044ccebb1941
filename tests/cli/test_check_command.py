"""`matcalc check`, and `list` by formula."""

import json

import pytest
from typer.testing import CliRunner

from matcalc.cli import app


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


def test_the_command_without_a_claim_asks_the_catalogue_and_the_rules():
    known = run("tr(P Q)", "--wrt", "Q")
    assert known.exit_code == 0
    assert "∂/∂Q tr(P Q) = Pᵀ" in known.output
    derived = run("tr(A X) + a'X b", "--wrt", "X")
    assert derived.exit_code == 0
    assert "the derivative of tr(A X) + aᵀ X b by X is Aᵀ + a bᵀ, in denominator layout" in derived.output
    unknown = run("max(X a)", "--wrt", "X")
    assert unknown.exit_code == 1
    assert "The rules give no derivative of max(X a) by X; --claim checks yours." in unknown.output


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


def test_the_command_certifies_claims():
    result = CliRunner().invoke(app, ["check", "x'x", "--wrt", "x", "--claim", "2x", "--certify", "--json", "-"])
    assert json.loads(result.output)["certificate"] > 35


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        (["tr(A X)", "--wrt", "X", "--claim", "2 A'"], "the derivative of tr(A X) by X is A'"),
        (["x'A x/α", "--wrt", "x", "--claim", "(A + A')x"], "the derivative of xᵀ A x/α by x is (A + Aᵀ) x/α"),
        (["x'x", "--wrt", "x", "--claim", "2 x sqrt(-1)"], "the derivative of x' x by x is 2 x"),
    ],
)
def test_a_failing_check_ends_in_the_right_derivative(arguments, last):
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(last)


def test_the_convention_of_independent_entries():
    arguments = ["ln |X|", "--wrt", "X", "--claim", "2 X^-1 - X^-1 .* I"]
    assert run(*arguments).exit_code == 1
    assert "by the independent entries of a symmetric X" in run(*arguments, "--convention", "independent").output
    wrong = run(*arguments, "--convention", "both")
    assert wrong.exit_code == 2
    assert "--convention takes full, independent" in wrong.output


def test_domains_as_equations():
    softmax = ["t'ln(exp(W x)/sum(exp(W x)))", "--wrt", "W", "--claim", "(t - exp(W x)/sum(exp(W x)))x'"]
    assert "True only for t that sums to one" in run(*softmax).output
    assert run(*softmax, "--where", "1't = 1").exit_code == 0


def test_hessians():
    asked = ["x'A x", "--wrt", "x"]
    assert run(*asked, "--claim", "A + A'", "--order", "2").output.startswith("pass: the Hessian of x' A x by x is")
    assert "∇²f is the Hessian" in run(*asked, "--claim", "∇²f = A + A'").output
    wrong = run(*asked, "--claim", "A", "--order", "2")
    assert wrong.exit_code == 1
    assert wrong.output.splitlines()[-1] == "the Hessian of x' A x by x is A + A'"
    assert "the Hessian of xᵀ A x by x is A + Aᵀ" in run(*asked, "--order", "2").output
    assert "--order takes 1, 2" in run(*asked, "--order", "3").output


def test_functions_that_stand_for_any():
    asked = ["g(a'x)", "--wrt", "x", "--function", "g", "--claim"]
    assert "with a l, x l, g any smooth function, at l=3" in run(*asked, "g'(a'x) a").output
    wrong = run(*asked, "a")
    assert wrong.exit_code == 1
    assert wrong.output.splitlines()[-1] == "the derivative of g(a' x) by x is g'(a' x) a, in denominator layout"
    defined = ["f(a'x)", "--wrt", "x", "--let", "f(t) = exp(-t^2)", "--claim", "-2 (a'x) f(a'x) a"]
    assert run(*defined).exit_code == 0
    assert run("exp(x)", "--wrt", "x", "--function", "exp").exit_code == 2
