"""Emitted code: every piece runs, in each language, and computes the derivative that was verified."""

import importlib.util
import itertools
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES, PUBLIC, derivation_of, expected, name_of, point_of
from torch_by_numpy import module

from matcalc import derive
from matcalc.calculus.shapes import Shapes
from matcalc.catalogue import declare
from matcalc.derivation.emission import Writer
from matcalc.derivation.words import LANGUAGES
from matcalc.formula import evaluate, parse
from matcalc.formula.meaning import settle
from matcalc.layout import LAYOUTS, from_layout

every_case = pytest.mark.parametrize("question", CASES, ids=name_of)


@pytest.fixture(autouse=True)
def _in_float64(monkeypatch):
    """Code in PyTorch runs by it where it is installed, and by NumPy under its name elsewhere."""
    if importlib.util.find_spec("torch") is None:
        monkeypatch.setitem(sys.modules, "torch", module())
    with jax.enable_x64(True):
        yield


def run(code, name="derivative"):
    """What a text of Python defines."""
    namespace = {}
    exec(code, namespace)
    return namespace[name]


def arrays(language, values):
    """Values as arrays of a library; integers stay Python's."""
    make = {"jax": jnp.asarray, "numpy": np.asarray}.get(language)
    if make is None:
        import torch

        make = torch.tensor
    return [value if isinstance(value, int) else make(value) for value in values]


def error(actual, due):
    """The relative error; infinite where the shape is another."""
    actual, due = np.asarray(actual), np.asarray(due)
    if actual.shape != due.shape:
        return np.inf
    return float(np.linalg.norm((actual - due).ravel()) / (np.linalg.norm(due.ravel()) or 1))


EXACT = 1e-11  # relative, in float64: samples are well conditioned

# --- Functions


@pytest.mark.parametrize("language", ["jax", "numpy", "torch"])
@every_case
def test_functions_compute_the_derivative(question, language):
    derivation, point = derivation_of(question), point_of(derivation_of(question))
    function = run(derivation.code(language))
    actual = function(*arrays(language, point.values()))
    assert error(actual, expected(derivation, derivation.natural, point)) < EXACT


@every_case
def test_functions_compute_it_in_every_layout(question):
    derivation, point = derivation_of(question), point_of(derivation_of(question))
    last = derivation.last
    value, variable = (last.numbers(shape) for shape in (last.value_shape, last.shapes[last.wrt]))
    in_jax = from_layout(expected(derivation, derivation.natural, point), value, variable, derivation.natural)
    for layout in LAYOUTS:
        actual = np.asarray(run(derivation.code("numpy", layout))(*point.values()))
        assert error(from_layout(actual, value, variable, layout), in_jax) < EXACT


def test_a_slip_in_a_text_is_found():
    derivation = derivation_of(PUBLIC[0])
    point = point_of(derivation)
    code = derivation.code("numpy")
    for right, wrong in ((" + ", " - "), ("C.T", "C.T * 1.001"), ("X @ B.T", "X @ B")):
        assert right in code
        value = run(code.replace(right, wrong))(*point.values())
        assert error(value, expected(derivation, "jax", point)) > 1e-5


def test_they_take_float32_and_sizes_that_are_not_those_of_the_test():
    derivation = derive("(x - a)/||x - a||", "x")
    x, a = np.arange(1, 8, dtype=np.float32), np.ones(7, np.float32)
    values = [run(derivation.code(language))(*arrays(language, (x, a))) for language in ("jax", "numpy", "torch")]
    assert [str(value.dtype).removeprefix("torch.") for value in values] == ["float32"] * 3
    assert all(error(value, values[1]) < 1e-5 for value in values)


# --- How they are written


SUMS = ["T1 = np.exp(x)", "T2 = np.sum(T1)"]


def body(f, wrt, language="numpy", **options):
    """The lines of the emitted function."""
    code = derive(f, wrt, **options).code(language)
    return [line.strip() for line in code.split('"""')[-1].strip().splitlines()]


@pytest.mark.parametrize(
    ("f", "wrt", "lines"),
    [
        ("tr(A X B X' C)", "X", ["return C @ A @ X @ B + A.T @ C.T @ X @ B.T"]),
        ("x' A x", "x", ["return (A + A.T) @ x"]),
        ("a' X^-1 b", "X", ["return -np.outer(np.linalg.solve(X.T, a), np.linalg.solve(X, b))"]),
        ("(A + β B)^-1 b", "β", ["T1 = A + beta * B", "return -np.linalg.solve(T1, B @ np.linalg.solve(T1, b))"]),
        ("X^-1", "X", ["T1 = np.linalg.inv(X)", "return -np.kron(T1.T, T1)"]),
        ("ln |X| x' x", "x", ["return 2 * np.linalg.slogdet(X)[1] * x"]),
        ("||A x - b||^2", "x", ["return 2 * (A.T @ (A @ x - b))"]),
        ("1' X 1", "X", ["l, m = X.shape", "return np.ones((l, m), dtype=X.dtype)"]),
        ("diag(x) A x", "x", ["return x[:, None] * A + np.diag(A @ x)"]),
        ("a' A B x", "x", ["return B.T @ (A.T @ a)"]),
        ("a' B x b' A x", "x", ["return (b @ A @ x) * (B.T @ a) + (a @ B @ x) * (A.T @ b)"]),
        (
            "exp(x)/sum(exp(x))",
            "x",
            ["T1 = np.exp(x)", "T2 = np.sum(T1)", "return (np.diag(T1) - np.outer(T1, T1) / T2) / T2"],
        ),
        ("sum(softplus(X w))", "w", ["return X.T @ scipy.special.expit(X @ w)"]),
    ],
)
def test_they_are_written_as_a_person_writes_them(f, wrt, lines):
    assert body(f, wrt) == lines


def test_a_whole_text():
    assert derive("tr(A exp(X)) ln |X|", "X").code("jax", "numerator", "gradient") == (
        "import jax.numpy as jnp\nimport jax.scipy.linalg\n\n\n"
        "def gradient(A, X):\n"
        '    """∂/∂X (tr(A exp(X)) ln |X|) = tr(A exp(X)) X⁻¹ + ln |X| L_exp(Xᵀ, Aᵀ)ᵀ."""\n'
        "    return (\n"
        "        jnp.trace(A @ jax.scipy.linalg.expm(X)) * jnp.linalg.inv(X)\n"
        "        + jnp.linalg.slogdet(X)[1] * jax.scipy.linalg.expm_frechet(X.T, A.T, compute_expm=False).T\n"
        "    )\n"
    )


def test_arguments_are_the_variables_in_order_under_names_of_python():
    assert "def derivative(a, X, b, k):" in derive("a' X^k b", "X").code("numpy")
    assert "def derivative(lambda_, x, A):" in derive("λ x' A x", "x").code("numpy")
    assert "def derivative(W_1, x_hat, Sigma):" in derive(
        r"W^{(1)} \hat{x} + Σ \hat{x}", "x̂", where="Σ=symmetric"
    ).code("numpy")
    assert "def derivative(np_, x):" in derive("np x' x", "x", shape="np=scalar").code("jax")


# --- Parts that have names


def test_what_repeats_has_a_name_in_print():
    text = str(derive("(x' A x + b)^3/(x' A x)", "x", shape="b=scalar"))
    assert "= T2² (3 - T2/T1) (A + Aᵀ) x/T1\nT1 = xᵀ A x\nT2 = T1 + b\n" in text


def test_names_stand_only_where_they_shorten():
    assert "T1" not in str(derive("(x - a)/||x - a||", "x"))
    assert "T1 = x - a" in derive("(x - a)/||x - a||", "x").code("numpy")


def test_a_variable_keeps_its_name():
    code = derive("T1 ||A x - b||", "x", shape="T1=scalar").code("numpy")
    assert "U1 = A @ x - b" in code
    assert "T1 * " in code


def test_what_is_in_a_sum_over_an_index_is_not_taken_out_of_it():
    f = "sum_{i=1}^{n} exp(a_i + x_i) sin(a_i + x_i)"
    derivation = derive(f, "x", shape={"x": ["n"], "a": ["n"]})
    assert all("[i]" not in line for line in derivation.code("numpy").splitlines() if line.strip().startswith("T"))


# --- TeX


@every_case
def test_tex_is_read_back(question):
    derivation, point = derivation_of(question), point_of(derivation_of(question))
    last, layouts = derivation.last, LAYOUTS if derivation.natural == "jax" else ("vec",)
    for layout in layouts:
        tex = derivation.code("tex", layout).replace(r"\begin{align*}", "").replace(r"\end{align*}", "")
        equations = [line.strip().split("=", 1) for line in tex.replace("&", "").split(r"\\")]
        parts = {}
        for left, right in equations:
            names = {*last.names, *last.symbols, *parts}
            tree, _ = settle(parse(right, names), names, {*last.sizes}, {*last.integers})
            if left.startswith(r"\frac"):
                due, values = last.numbers(last.due(layout)), {**point, **parts}
                assert (
                    error(evaluate(tree, values, sizes=last.sizes, shape=due), expected(derivation, layout, point))
                    < EXACT
                )
            else:
                (name,) = re.fullmatch(r"(\w)_\{(\d+)\}", left.strip()).expand(r"\1_\2").split()
                parts[name] = evaluate(tree, {**point, **parts}, sizes=last.sizes)


def test_tex_of_named_parts_is_an_align_block():
    assert derive("||A x - b|| exp(||A x - b||)", "x").code("tex").splitlines() == [
        r"\begin{align*}",
        r"T_{1} &= \lVert A x - b \rVert \\",
        r"\frac{\partial f}{\partial x} &= e^{T_{1}} \left(\frac{1}{T_{1}} + 1\right) A^\top (A x - b)",
        r"\end{align*}",
    ]


def test_left_sides():
    lefts = [
        derive(f, wrt, **options).code("tex", layout).partition(" = ")[0]
        for f, wrt, layout, options in (
            ("x' A x", "x", None, {}),
            ("f' x", "x", None, {}),
            ("A X", "X", None, {}),
            ("x' A x", "x", None, {"order": 2}),
            ("x' A y", ("x", "y"), None, {}),
        )
    ]
    assert lefts == [
        r"\frac{\partial f}{\partial x}",
        r"\frac{\partial g}{\partial x}",
        r"\frac{\partial \operatorname{vec} F}{\partial (\operatorname{vec} X)^\top}",
        r"\frac{\partial^2 f}{\partial x^2}",
        r"\frac{\partial^2 f}{\partial x \partial y}",
    ]


# --- Declarations


@every_case
def test_declarations_run(question, monkeypatch):
    monkeypatch.setattr(declare, "_catalogue", {})
    derivation, point = derivation_of(question), point_of(derivation_of(question))
    entry = run(derivation.code("identity", name="declared"), "declared")
    values = arrays("jax", point.values())
    layout = derivation.natural
    assert error(entry.derivative(*values, layout=layout), expected(derivation, layout, point)) < EXACT
    function = derivation.last if len({*derivation.wrt}) > 1 else derivation.asked
    names = {name: value for name, value in point.items() if name not in function.integers}
    assert error(entry(*values), function.value_of(function.formula, names)) < EXACT
    written = dict(zip(entry.signature.python.parameters, map(np.asarray, values), strict=True))
    written = {name: int(v) if entry.signature[name].is_integer else v for name, v in written.items()}
    due = np.shape(entry.derivative(*values))
    printed = entry.declaration.evaluate_derivative(entry.derivative_formulas[0], written, due)
    assert error(printed, entry.derivative(*values)) < EXACT


def test_a_declaration_is_written_as_in_a_chapter():
    assert derive("tr(A X^-1) + ln(k)", "X", where="A=symmetric", shape="k=scalar").code("identity", name="trace") == (
        "import jax.numpy as jnp\nfrom jax import Array\nfrom jaxtyping import Float\n\n"
        "from matcalc.catalogue import identity\nfrom matcalc.domains import invertible, positive, symmetric\n"
        "from matcalc.linalg import inv, tr\n\n\n"
        "@identity(\n"
        '    "tr(A X⁻¹) + ln(k)",\n'
        '    "-X⁻ᵀ A X⁻ᵀ",\n'
        '    wrt="X",\n'
        '    where={"A": symmetric, "k": positive, "X": invertible},\n'
        '    source="derived by matcalc",\n'
        '    covers="",\n'
        ")\n"
        'def trace(A: Float[Array, "l l"], X: Float[Array, "l l"], k: Float[Array, ""]):\n'
        '    """Derived by rules, and verified."""\n'
        "    T1 = inv(X)\n"
        "    f = tr(A @ T1) + jnp.log(k)\n"
        "    df_dX = -(T1.T @ A @ T1.T)\n"
        "    return f, df_dX\n"
    )


def test_a_domain_of_ones_own_has_no_name_in_a_declaration():
    from matcalc.domains import Domain

    own = Domain("mine", lambda a: 1.0, lambda rng, shape: rng.normal(size=shape))
    derivation = derive("x' A x", "x", where={"A": own})
    with pytest.raises(ValueError, match=r"The domain of A, mine, has no name in matcalc\.domains; use identity"):
        derivation.code("identity")
    assert derivation.identity().where["A"] is own


# --- What is refused


def test_what_there_is_not_is_refused():
    derivation = derivation_of(PUBLIC[0])
    with pytest.raises(ValueError, match="language must be one of jax, numpy, torch, tex, identity; got 'fortran'"):
        derivation.code("fortran")
    with pytest.raises(ValueError, match="name must be a name of Python, such as gradient_of_loss; got 'my gradient'"):
        derivation.code("jax", name="my gradient")
    with pytest.raises(ValueError, match="layout must be one of"):
        derivation.code("jax", "rows")
    with pytest.raises(ValueError, match="In numerator layout this derivative has 4 axes"):
        derive("A X B", "X").code("tex", "numerator")


def test_no_text_becomes_code_that_is_no_name():
    writer = Writer(LANGUAGES["numpy"], Shapes({}, ""), {"m": "m"}, "x")
    assert [writer.size(size).text for size in ("n", "2 m n", "m+n", "n(n+1)/2")] == [
        *("n", "2 * m_ * n", "m_ + n", "n * (n + 1) // 2")
    ]
    with pytest.raises(ValueError, match="A size is a number or a letter, or made of such; got"):
        writer.size("n);import os;(n")
    with pytest.raises(ValueError, match="name must be a name of Python"):
        derivation_of(PUBLIC[0]).identity("f(): pass\ndef g")


@pytest.mark.parametrize("language", ["jax", "numpy", "torch"])
def test_matrices_that_select_entries_do_what_they_say(language):
    rng = np.random.default_rng(5)
    A, S = rng.normal(size=(3, 4)), rng.normal(size=(3, 3))
    S = S + S.T
    helpers = {"np": np}
    for name in ("commutation", "duplication", "elimination", "vech"):
        exec(LANGUAGES[language].helpers[name], helpers)

    def vec(M):
        return M.flatten("F")

    lower = np.array([S[i, j] for j in range(3) for i in range(j, 3)])
    np.testing.assert_array_equal(helpers["commutation"](3, 4) @ vec(A), vec(A.T))
    np.testing.assert_array_equal(helpers["vech"](S), lower)
    np.testing.assert_array_equal(helpers["duplication"](3) @ lower, vec(S))
    np.testing.assert_array_equal(helpers["elimination"](3) @ vec(S), lower)


def test_names_never_clash():
    for question, language in itertools.product([q for q in CASES if q not in PUBLIC], ("numpy", "jax", "torch")):
        code = derivation_of(question).code(language)
        arguments = re.search(r"def derivative\((.*)\):", code)[1].split(", ")
        assert len({*arguments}) == len(arguments)
        assigned = {name for line in code.split("def derivative")[1].splitlines() for name in _assigned(line)}
        assert not assigned & {*arguments}


def _assigned(line):
    left, is_assignment, _ = line.strip().partition(" = ")
    return left.split(", ") if is_assignment and re.fullmatch(r"[\w, ]+", left) else []
