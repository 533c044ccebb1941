"""`matcalc derive`: what it prints, its exit codes, its messages and its JSON."""

import json

import pytest
from command_line import ENVIRONMENT, matcalc, process, read, wrong

CONTRACT = {"schema", "environment", "formula", "wrt", "order", "layout", "derivative", "differential", "conditions",
            "steps", "code", "verified", "seconds"}  # fmt: skip
MORE = {"read", "shapes"}


def derive(*arguments, code=0):
    return matcalc("derive", *arguments, code=code)


def test_a_derivative():
    assert derive("tr(A X B X' C)", "--wrt", "X").stdout.splitlines() == [
        "∂/∂X tr(A X B Xᵀ C) = C A X B + Aᵀ Cᵀ X Bᵀ",
        "in jax layout",
        "with A l×m, X m×n, B n×n, C m×l",
        "in the catalogue: tr_axbxtc",
    ]


def test_layouts():
    assert "= X⁻¹\nin numerator layout" in derive(r"\ln |X|", "--wrt", "X", "--layout", "numerator").stdout
    assert "= X⁻ᵀ\nin jax layout" in derive(r"\ln |X|", "--wrt", "X").stdout
    assert "= Bᵀ ⊗ A\nin vec layout" in derive("A X B", "--wrt", "X").stdout
    assert "take layout='vec'" in wrong("derive", "A X B", "--wrt", "X", "--layout", "numerator")


def test_all_variables_and_several():
    every = derive("tr(A X B)").stdout
    assert every.count("in jax layout") == 3
    assert "∂/∂A tr(A X B) = Bᵀ Xᵀ" in every
    assert "∂²/∂x∂y (xᵀ A y) = A" in derive("x' A y", "--wrt", "x,y").stdout
    assert "∂²/∂x² (xᵀ A x) = A + Aᵀ" in derive("x' A x", "--wrt", "x", "--order", "2").stdout
    assert "∂²/∂x² (xᵀ A x) = A + Aᵀ" in derive("x' A x", "--order", "2").stdout
    some = derive("max(x) + a'x")
    assert "∂/∂a (max(x) + aᵀ x) = x" in some.stdout
    assert some.stderr.startswith("by x: max(x) + aᵀ x has no derivative by x in closed form")
    zero = derive("a' b", "--wrt", "x").stdout
    assert "= 0\n" in zero
    assert "x does not occur in it" in zero


def test_options_of_the_formula():
    assert "= 2 A x\n" in derive("x' A x", "--wrt", "x", "--where", "A=symmetric").stdout
    assert "= 2 c x\n" in derive("c x'x", "--wrt", "x", "--shape", "c=scalar").stdout
    let = derive("||r||^2", "--wrt", "x", "--let", "r = A x - b").stdout
    assert "= 2 Aᵀ (A x - b)\n" in let
    assert "= g'(aᵀ x) a\n" in derive("g(a'x)", "--wrt", "x", "--function", "g").stdout
    moved = derive("U V", "--wrt", "x", "--moved", "U", "--moved", "V", "--shape", "x=scalar").stdout
    assert "= ∂_xU V + U ∂_xV\n" in moved


def test_conventions_of_symmetric_matrices():
    full = derive("ln |X|", "--wrt", "X", "--where", "X=symmetric").stdout
    assert "= X⁻¹\n" in full
    assert "by all entries of a symmetric X, each alone" in full
    independent = derive("ln |X|", "--wrt", "X", "--convention", "independent").stdout
    assert "= 2 X⁻¹ - diag(diag(X⁻¹))\n" in independent
    assert "by the independent entries of a symmetric X" in independent
    assert "--convention takes full, independent" in wrong("derive", "x'x", "--wrt", "x", "--convention", "both")


def test_steps():
    lines = derive("tr(A X B)", "--wrt", "X", "--steps").stdout.splitlines()
    steps = [line for line in lines if line.startswith("  ")]
    assert steps[0].startswith("  d(tr(A X B)) = ")
    assert steps[-1] == "  ∂/∂X tr(A X B) = Aᵀ Bᵀ   [read off]"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("jax", "import jax.numpy as jnp"),
        ("numpy", "def derivative(A, X, B):"),
        ("torch", "def derivative(A, X, B):"),
        ("tex", r"\frac{\partial f}{\partial X} = A^\top B^\top"),
        ("identity", "@identity("),
    ],
)
def test_code(language, said):
    printed = derive("tr(A X B)", "--wrt", "X", "--code", language).stdout
    assert said in printed if language != "jax" else "def derivative(A, X, B):" in printed
    assert "in jax layout\n" not in printed


def test_code_is_a_program_in_a_pipe():
    """What goes into a file is the program and nothing else."""
    printed = derive("||A x - b||^2", "--wrt", "x", "--code", "numpy").stdout
    compile(printed, "pasted", "exec")


def test_certify():
    printed = derive("x' A x", "--wrt", "x", "--certify").stdout
    assert "ball arithmetic agrees to" in printed
    assert "finite differences agree to" in printed


# --- JSON


def test_json_to_standard_output():
    result = derive("x' A x", "--wrt", "x", "--layout", "numerator", "--json", "-")
    data = read(result.stdout)
    assert data.keys() == CONTRACT | MORE
    assert data["environment"].keys() == ENVIRONMENT
    assert (data["derivative"], data["layout"], data["wrt"], data["order"]) == ("xᵀ (A + Aᵀ)", "numerator", "x", 1)
    assert data["verified"].keys() == {"witnesses", "error", "digits"}
    assert all(step.keys() == {"rule", "text", "tex"} for step in data["steps"])
    assert data["code"].keys() == {"jax", "numpy", "torch", "tex", "identity"}


def test_json_of_all_variables(tmp_path):
    file = tmp_path / "derivations.json"
    printed = derive("tr(A X)", "--json", str(file)).stdout
    data = json.loads(file.read_text())
    assert [each["wrt"] for each in data["derivations"]] == ["A", "X"]
    assert "∂/∂A tr(A X) = Xᵀ" in printed


@pytest.mark.parametrize(
    "arguments",
    [
        ["tr(g(X))", "--wrt", "X", "--function", "g"],
        ["g(a'x)", "--wrt", "x", "--function", "g"],
        ["A exp(X) B", "--wrt", "X"],
        ["ln |X|", "--wrt", "X", "--convention", "independent"],
        ["U V", "--wrt", "x", "--moved", "U", "--shape", "x=scalar"],
        ["a'b", "--wrt", "x"],
        ["x'A y", "--wrt", "x,y"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_json_leaves_out_languages_that_have_no_words_for_it(arguments):
    data = read(derive(*arguments, "--json", "-").stdout)
    assert data.keys() == CONTRACT | MORE
    assert set(data["code"]) <= {"jax", "numpy", "torch", "tex", "identity"}


# --- What is wrong


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["max(x)", "--wrt", "x"], "max(x) has no derivative by x in closed form: there is no rule for max."),
        (["tr(A exp(X))", "--wrt", "X", "--order", "2"], "the derivative of L_exp has no word here"),
        (["g(A x)", "--wrt", "x", "--function", "g=vector"], "g is any function of vectors or matrices"),
        (["g(a'x)", "--wrt", "x", "--function", "g", "--code", "numpy"], "g' has no code"),
        (["A exp(X) B", "--wrt", "X", "--code", "numpy"], "Only the differential has a closed form"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_has_no_derivative_ends_in_1(arguments, message):
    result = derive(*arguments, code=1)
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x'A x", "--wrt", "x", "--order", "3"], "--order takes 1, 2"),
        (["x'A x", "--wrt", "x", "--layout", "row"], "--layout"),
        (["x'A x", "--wrt", "x", "--code", "fortran"], "--code"),
        (["x'A x", "--wrt", "x", "--shape", "A"], "--shape takes name=sizes"),
        (["x'A x", "--wrt", "x", "--where", "A"], "--where takes name=domain"),
        (["X^k", "--wrt", "k"], "k is an integer in X^k"),
        (["x'A x", "--wrt", "x,y,z"], "A derivative is by one variable, or of order 2 by two"),
        (["x'A x", "--wrt", "x,y"], "y does not occur in xᵀ A x as a variable"),
        (["5", "--wrt", "x"], "x does not occur in 5"),
        (["x'A x", "--wrt", ""], "wrt is the name of a variable, such as X; got ''"),
        (["x'A x", "--wrt", "A x"], "wrt is the name of a variable, such as X; got 'A x'"),
        (["ln |X|", "--convention", "independent"], "Name the symmetric matrix"),
        (["ln |X|", "--wrt", "X", "--convention", "independent", "--layout", "vec"], "there is no vec layout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_ends_in_2(arguments, message):
    assert message in wrong("derive", *arguments)


def test_a_formula_that_cannot_be_read_is_shown():
    result = derive("tr(A X", "--wrt", "X", code=2)
    assert "tr(A X" in result.stderr
    assert "^" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_rule_prints_nothing_but_what_to_report(monkeypatch):
    from matcalc.calculus.differential import OF_ONE_NUMBER
    from matcalc.formula import parse

    monkeypatch.setitem(OF_ONE_NUMBER, "tanh", parse("1 + tanh(u)^2"))
    result = derive("a' tanh(x)", "--wrt", "x", code=1)
    assert result.stdout == ""
    assert "please report it" in result.stderr
    assert "a" in result.stderr


def test_help_has_examples():
    printed = derive("--help").stdout
    for option in ("--wrt", "--layout", "--order", "--steps", "--code", "--where", "--convention", "--moved"):
        assert option in printed
    assert """Example: matcalc derive "ln |X' A X|" --wrt X""" in " ".join(printed.split())


def test_a_process_of_its_own():
    ran = process("derive", "x' A x", "--wrt", "x", "--json", "-")
    out, err = ran.communicate(timeout=120)
    assert ran.returncode == 0, err
    assert read(out)["derivative"] == "(A + Aᵀ) x"
