"""`matcalc.derive`: right by independent witnesses, short, in every layout; and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

import matcalc
from matcalc import Rule, derive
from matcalc.calculus import NotDerivable
from matcalc.calculus.adjoint import adjoint
from matcalc.calculus.differential import OF_FUNCTIONS, OF_ONE_NUMBER
from matcalc.calculus.jacobian import jacobian
from matcalc.calculus.terms import length
from matcalc.calculus.words import MEETINGS
from matcalc.claims.points import draw
from matcalc.claims.verification import Disagreement
from matcalc.derivation import Derivation, Derivations
from matcalc.domains import invertible
from matcalc.formula import FormulaError, evaluate, parse
from matcalc.formula import tree as t
from matcalc.layout import LAYOUTS, to_layout

PUBLIC = json.loads((Path(__file__).parent / "public.json").read_text())
CLOSE = 1e-6
SCALAR = {"shape": "s=scalar"}


def options_of(case):
    return {key: case[key] for key in ("where", "shape", "order") if key in case}


def entries(derivation, seed, purpose="test of a derivation"):
    """The function that is differentiated last by central differences of eighth order: its derivative as JAX has it."""
    last = derivation.last
    point = draw(last, seed, purpose)
    x = point[last.wrt]

    def at(value):
        return np.asarray(last.value_of(last.formula, {**point, last.wrt: value}))

    columns = []
    step = 1e-3
    for axis in np.eye(x.size).reshape(-1, *x.shape):
        column = 0
        for k, weight in enumerate((4 / 5, -1 / 5, 4 / 105, -1 / 280), 1):
            column = column + weight * (at(x + k * step * axis) - at(x - k * step * axis))
        columns.append(column / step)
    return point, np.stack(columns, -1).reshape((*columns[0].shape, *x.shape))


def valued(derivation, layout, point):
    """The derivative in a layout, evaluated as a formula of its own."""
    last = derivation.last
    return evaluate(
        derivation.layout(layout), {**point, **last.integers}, sizes=last.sizes, shape=last.numbers(last.due(layout))
    )


def agree(one, other):
    return np.allclose(one, other, rtol=CLOSE, atol=CLOSE * (1 + np.abs(other).max()))


# --- What is known to be right


@pytest.mark.parametrize("public", PUBLIC, ids=lambda case: f"{case['f']} {options_of(case) or ''}")
def test_public_expressions(public):
    """The value of the answer that is given, and no longer than a quarter more."""
    derivation = derive(public["f"], public["wrt"], **options_of(public))
    layout = public.get("layout", "numerator")
    last = derivation.last
    answer = parse(public["numerator"])
    assert length(derivation.layout(layout)) <= 1.25 * length(answer)
    for seed in (1, 2):
        point = draw(last, seed, "test of a derivation")
        given = {**point, **last.integers}
        expected = evaluate(answer, given, sizes=last.sizes, shape=last.numbers(last.due(layout)))
        assert np.allclose(valued(derivation, layout, point), expected, rtol=1e-8, atol=1e-9)
    assert "finite differences" in derivation.verified.witnesses


IDENTITIES = [entry for entry in matcalc.CATALOGUE.values() if not isinstance(entry, Rule) and entry.order > 0]
RULES = [entry for entry in matcalc.CATALOGUE.values() if isinstance(entry, Rule)]
NOT_DERIVED = {
    "inverse_second_rule": "order must be 1",  # of a U by two variables that it depends on
    "chain_rule": "g is any function of vectors or matrices",
    "chain_rule_matrix": "g is any function of vectors or matrices",
}


def test_the_printed_derivatives_of_the_catalogue_are_derived(identity):
    entry, declaration = identity, identity.declaration
    shapes = {p.name: ("n",) if "*" in str(p.axes) else tuple(int(a) if a.isdigit() else a for a in p.axes)
              for p in entry.signature.parameters if not p.is_integer}  # fmt: skip
    where = {name: domain for name, domain in entry.where.items() if name in shapes}
    f = declaration.parsed(entry.formulas[0])
    derivation = derive(f, entry.wrt, order=entry.order, shape=shapes, where=where)
    last = derivation.last
    point = draw(last, 1, "test of the catalogue")
    found = last.in_jax_layout(derivation.formula, point, derivation.natural)
    expected = declaration.evaluate_derivative(entry.derivative_formulas[0], {**point, **last.integers}, found.shape)
    assert np.allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_the_rules_of_the_catalogue_are_derived(rule):
    """By a scalar, or by a vector where the rule says so; U, u, V and v move along."""
    axes = {p.name: p.axes for p in rule.signature.parameters if not p.is_integer}
    moved = [name for name in axes if f"d{name}" in axes and name != "g"]
    shapes = {name: () if name.islower() and axes[f"d{name}"] == ("*x",) else _sizes(axes[name]) for name in moved}
    shapes |= {name: _sizes(axes[name]) for name in axes if name not in moved and not name.startswith("d")}
    by = next((axes[f"d{name}"][1:] for name in moved if len(axes[name]) == 1 and "*x" not in axes[f"d{name}"]), ())
    f, options = rule.formulas[0], {}
    if "dg" in axes:
        f, moved, options = "g(u)", ["u"], {"functions": ["g" if rule.name == "chain_rule_scalar" else "g=vector"]}
        shapes = {"u": () if rule.name == "chain_rule_scalar" else ("m",)}
    if rule.name in NOT_DERIVED:
        order = 2 if rule.name == "inverse_second_rule" else None
        with pytest.raises(ValueError, match=NOT_DERIVED[rule.name]):
            derive("U^-1" if order else f, "x", shape={**shapes, "x": ()}, moved=moved or ["U"], order=order, **options)
        return
    derivation = derive(f, "x", shape={**shapes, "x": _sizes(by)}, moved=moved, **options)
    last = derivation.last
    point = draw(last, 1, "test of the catalogue")
    found = last.in_jax_layout(derivation.formula, point, derivation.natural)
    given = {name: point[name] for name in axes if name in point}
    given |= {f"d{name}": point[f"d{name}_dx"] for name in moved}
    if "dg" in axes:
        given["dg"] = last.value_of(parse("g'(u)", functions=["g"]), point)
    printed = rule.declaration.parsed(rule.derivative_formulas[0])
    assert np.allclose(found, evaluate(printed, {**given, **last.integers}, shape=found.shape), rtol=1e-8)


def _sizes(axes):
    return tuple(int(a) if a.isdigit() else a.replace("*", "").lower() for a in axes if a != "*x")


def test_ninety_of_the_catalogue_are_derived():
    assert len(IDENTITIES) + len(RULES) - len(NOT_DERIVED) >= 90


# --- Second derivatives

HESSIANS = [
    *[("x'A x", "x", {}), ("exp(x'A x)", "x", {}), ("||x - a||^3", "x", {}), ("ln(a'x)", "x", {})],
    *[("(a'x)^4", "x", {})],
    *[("sum(softplus(A x))", "x", {}), ("logsumexp(A x)", "x", {}), ("x'A x/(x'x)", "x", {}), ("sum(x.^3)", "x", {})],
    *[("s^3 + sin(s)", "s", SCALAR), ("exp(s A)", "s", SCALAR), ("|A + s B|", "s", SCALAR), ("tr(X X X)", "X", {})],
    *[("ln |X|", "X", {}), ("||A X - B||^2", "X", {}), ("a' X^-1 b", "X", {}), ("sum_{i=1}^3 (a'x)^i", "x", {})],
    *[("X X", "X", {}), ("x x'A x", "x", {}), ("tr(X A X')", "X", {"where": "A=symmetric"})],
]  # fmt: skip
MIXED = [("x'A y", ("x", "y")), ("exp(a'x) b'y", ("x", "y")), ("||A x - y||^2", ("x", "y")), ("x'A y", ("x", "A")),
         ("tr(X A Y)", ("X", "Y")), ("(A + β B)^-1 b", ("β", "b")), ("β ||x||^2", ("β", "x"))]  # fmt: skip


@pytest.mark.parametrize(("f", "x", "options"), HESSIANS, ids=[f for f, _, _ in HESSIANS])
def test_hessians(f, x, options):
    derivation = derive(f, x, order=2, **options)
    assert derivation.wrt == (derivation.wrt[0],) * 2
    for seed in (1, 2):
        point, expected = entries(derivation, seed)
        found = derivation.last.in_jax_layout(derivation.formula, point, derivation.natural)
        assert agree(found, expected)
    if derivation.natural == "jax" and not derivation.asked.value_shape and derivation.asked.shapes[derivation.wrt[0]]:
        assert agree(found, found.T)


@pytest.mark.parametrize(("f", "wrt"), MIXED, ids=[f"{f} by {','.join(wrt)}" for f, wrt in MIXED])
def test_mixed_second_derivatives(f, wrt):
    derivation = derive(f, wrt)
    assert derivation.wrt == wrt
    point, expected = entries(derivation, 1)
    assert agree(derivation.last.in_jax_layout(derivation.formula, point, derivation.natural), expected)
    assert str(derivation).startswith(f"∂²/∂{wrt[0]}∂{wrt[1]} ")


# --- Layouts

OF_KINDS = [("a'x", "x"), ("x'A x", "x"), ("tr(A X B)", "X"), ("ln |X|", "X"), ("β x", "β"), ("A x", "x"), ("β A", "β"),
            ("β^2", "β"), ("x'", "x"), ("(A x)'", "x")]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("f", "x"), OF_KINDS, ids=[f"{f} by {x}" for f, x in OF_KINDS])
def test_layouts(f, x, layout):
    derivation = derive(f, x)
    point, expected = entries(derivation, 1)
    expected = to_layout(expected, len(derivation.last.value_shape), layout)
    found = valued(derivation, layout, point)
    assert found.shape == expected.shape
    assert agree(found, expected)


@pytest.mark.parametrize("f", ["A X B", "X^-1", "X X X", "kron(A, X)", "kron(X, A)", "diag(X)", "X x", "X .* X", "X'"])
def test_the_vec_layout(f):
    derivation = derive(f, "X")
    assert derivation.natural == "vec"
    point, expected = entries(derivation, 1)
    expected = to_layout(expected, len(derivation.last.value_shape), "vec")
    assert agree(valued(derivation, "vec", point), expected)
    with pytest.raises(ValueError, match=r"In numerator layout this derivative has [34] axes.*take layout='vec'"):
        derivation.layout("numerator")


# --- What may be asked


def test_without_a_variable_all_are_derived():
    found = derive("tr(A X B)")
    assert isinstance(found, Derivations)
    assert {name: str(each.formula) for name, each in found.items()} == {"A": "Bᵀ Xᵀ", "X": "Aᵀ Bᵀ", "B": "Xᵀ Aᵀ"}
    assert str(found).count("in jax layout") == 3
    some = derive("max(x) + a'x")
    assert list(some) == ["a"]
    assert str(some).splitlines()[-1].startswith("by x: max(x) + aᵀ x has no derivative by x in closed form")
    with pytest.raises(NotDerivable, match=r"by x: .*there is no rule for max"):
        derive("max(x)")
    assert {name: str(each.formula) for name, each in derive("x'A x", order=2).items()}["x"] == "A + Aᵀ"


@pytest.mark.parametrize("order", [1, 2])
def test_a_variable_that_does_not_occur(order):
    derivation = derive("a'b", "x", order=order)
    assert derivation.formula == t.Number(0)
    assert "x does not occur in it" in str(derivation)
    assert all(np.all(valued(derivation, layout, draw(derivation.last, 0, "zero")) == 0) for layout in LAYOUTS)


@pytest.mark.parametrize(
    ("f", "wrt", "options", "error", "message"),
    [
        ("X^k", "k", {}, ValueError, "k is an integer in X^k; a derivative is by a number that can move"),
        ("x'A x", "x", {"order": 3}, ValueError, "order must be 1 or 2; got 3"),
        ("x'A x", ("x", "y", "A"), {}, ValueError, "A derivative is by one variable, or of order 2 by two"),
        ("x'A x", ("x", "A"), {"order": 1}, ValueError, "A derivative is by one variable, or of order 2 by two"),
        ("x'A x", ("x", "y"), {}, ValueError, "y does not occur in xᵀ A x as a variable; its variables are x, A"),
        ("5", "x", {}, ValueError, "x does not occur in 5"),
        ("x'A x", "", {}, ValueError, "wrt is the name of a variable, such as X; got ''"),
        ("x'A x", "2 x", {}, ValueError, "wrt is the name of a variable, such as X; got '2 x'"),
        ("tr(A X", "X", {}, FormulaError, "^"),
        ("A X + B C'", "X", {"shape": {"A": (2, 3), "X": (4, 5)}}, FormulaError, "3 ≠ 4"),
        ("x'A x", "x", {"where": "A=round"}, ValueError, "round"),
        ("x'A x", "x", {"args": [1]}, ValueError, "args are example arguments of a function"),
        ("x'A x", "x", {"convention": "both"}, ValueError, "convention must be one of full, independent"),
        ("x'A x", None, {"convention": "independent"}, ValueError, "Name the symmetric matrix"),
        ("X A", "X", {"convention": "independent"}, ValueError, "of a scalar function; X A is none"),
        ("ln |X|", "X", {"convention": "independent", "order": 2}, ValueError, "is a first derivative"),
        ("ln |X|", "X", {"convention": "independent", "where": "X=orthogonal"}, ValueError, "declared orthogonal"),
        ("U V", "x", {"moved": ["Y"], "shape": "x=scalar"}, ValueError, "Y is no variable besides x"),
        ("U V", "x", {"moved": ["x"], "shape": "x=scalar"}, ValueError, "x is no variable besides x"),
        ("U V", "x", {"moved": ["U"], "order": 2, "shape": "x=scalar"}, ValueError, "order must be 1"),
        ("U V", "x", {"moved": ["U"], "shape": "x=n"}, NotDerivable, "the derivative of U by x has 3 axes"),
        ("g(A x)", "x", {"functions": ["g=vector"]}, NotDerivable, "g is any function of vectors or matrices"),
        ("max(x)", "x", {}, NotDerivable, "max(x) has no derivative by x in closed form: there is no rule for max"),
        ("norm2(X)", "X", {}, NotDerivable, "the spectral norm of a matrix needs its singular vectors"),
        ("tr(A exp(X))", "X", {"order": 2}, NotDerivable, "the derivative of L_exp has no word here"),
        ("tr(A g(X))", "X", {"functions": ["g"]}, NotDerivable, "the derivative of g along a matrix"),
        ("x/(a'a - a'a)", "x", {}, ValueError, "it divides by 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_asked_is_said(f, wrt, options, error, message):
    with pytest.raises(error) as caught:
        derive(f, wrt, **options)
    assert isinstance(caught.value, ValueError)
    assert message in str(caught.value)


def test_a_function_needs_a_variable_and_no_options_of_formulas():
    with pytest.raises(ValueError, match="Name the argument to differentiate a function by"):
        derive(lambda x: x @ x)
    with pytest.raises(ValueError, match="of a typed formula"):
        derive(lambda x: x @ x, "x", shape={"x": ("n",)}, moved=["x"])
    with pytest.raises(ValueError, match="By independent entries is of a typed formula"):
        derive(lambda X: (X * X).sum(), "X", shape={"X": ("n", "n")}, convention="independent")


def test_where_only_the_differential_is_closed_it_is_given():
    derivation = derive("A exp(X) B", "X")
    assert not derivation.is_closed
    assert str(derivation.formula) == "A L_exp(X, dX) B"
    assert "No formula has the derivative itself: L_exp(U, ∂X) is no product with ∂X." in str(derivation)
    with pytest.raises(NotDerivable, match="Only the differential has a closed form"):
        derivation.layout("vec")
    assert derivation.check().ok


# --- Variables that move along, and functions that have only a name


def test_variables_that_move_along():
    assert str(derive("U V", "x", moved=["U", "V"], shape="x=scalar").formula) == "∂_xU V + U ∂_xV"
    assert str(derive("U V", "x", moved=["U"], shape="x=scalar").formula) == "∂_xU V"
    assert str(derive("u'v", "x", moved=["u", "v"], shape="x=n").formula) == "(∂_xu)ᵀ v + (∂_xv)ᵀ u"
    derivation = derive("exp(u)", "x", moved=["u"], shape=["u=scalar", "x=n"])
    assert str(derivation.formula) == "exp(u) ∂_xu"
    assert [step.rule for step in derivation.steps]


@pytest.mark.parametrize(
    ("f", "x", "derivative"),
    [
        ("g(a'x)", "x", "g'(aᵀ x) a"),
        ("sum(g(x))", "x", "g'(x)"),
        ("tr(g(X))", "X", "g'(X)ᵀ"),
        ("g(β) h(β)", "β", "g'(β) h(β) + g(β) h'(β)"),
        ("g(||x||^2)", "x", "2 g'(‖x‖²) x"),
    ],
)
def test_functions_that_have_only_a_name(f, x, derivative):
    functions = [name for name in "gh" if f"{name}(" in f]
    derivation = derive(f, x, functions=functions)
    assert str(derivation.formula) == derivative
    assert derivation.check().ok
    assert set(derivation.as_dict()["code"]) == {"tex"}  # no library has such a function
    with pytest.raises(NotDerivable, match="g' has no code"):
        derivation.code("jax")


# --- What is known of variables


@pytest.mark.parametrize(
    ("f", "x", "where", "derivative"),
    [
        ("x'A x", "x", "A=symmetric", "2 A x"),
        ("ln |X' A X|", "X", "A=positive definite", "2 A X (Xᵀ A X)⁻¹"),
        ("|X|", "X", "X=invertible", "|X| X⁻ᵀ"),
        ("tr(A X^-1)", "X", "X=symmetric", "-X⁻¹ Aᵀ X⁻¹"),  # and not by what X is while it is differentiated
        ("tr(X X)", "X", "X=symmetric", "2 X"),
        ("tr(Q'X Q)", "X", "Q=orthogonal", "I"),
        ("tr(A X^+)", "X", "X=invertible", "-X⁻ᵀ Aᵀ X⁻ᵀ"),
    ],
)
def test_domains(f, x, where, derivative):
    derivation = derive(f, x, where=where)
    assert str(derivation.formula) == derivative
    assert derivation.check().ok


def test_by_a_symmetric_matrix_all_entries_move_and_this_is_said():
    note = 'by all entries of a symmetric X, each alone; convention="independent" is by those of one triangle'
    derivation = derive("ln |X|", "X", where="X=positive definite")
    assert str(derivation.formula) == "X⁻¹"
    assert note in str(derivation).splitlines()
    assert note in derivation.as_dict()["read"]
    assert "each alone" not in str(derive("ln |X|", "X"))
    assert "each alone" not in str(derive("x'A x", "x", where="A=symmetric"))


INDEPENDENT = [
    ("ln |X|", {}), ("a'X b", {}), ("a'X b", {"where": "X=positive definite"}), ("tr(A X B X)", {}), ("||X||^2", {}),
    ("tr(A X^-1)", {}), ("a' X^2 b", {}), ("|A X|", {}),
]  # fmt: skip


@pytest.mark.parametrize(("f", "options"), INDEPENDENT, ids=str)
def test_by_independent_entries(f, options):
    """An entry beside the diagonal moves with the one that mirrors it: 2 G - G ⊙ I of the symmetric part G."""
    derivation = derive(f, "X", convention="independent", **options)
    last = derivation.last
    point = draw(last, 1, "test of independent entries")
    X = point["X"]
    expected = np.zeros_like(X)
    for i, j in np.ndindex(X.shape):
        E = np.zeros_like(X)
        E[i, j] = E[j, i] = 1
        there, back = (last.value_of(last.formula, {**point, "X": X + step * E}) for step in (1e-5, -1e-5))
        expected[i, j] = (there - back) / 2e-5
    for layout in ("jax", "numerator", "denominator"):
        assert np.allclose(valued(derivation, layout, point), expected, rtol=1e-6, atol=1e-7)
    assert "by the independent entries of a symmetric X" in str(derivation)
    assert derivation.check().ok
    assert derivation.steps[-1].rule == "by independent entries: G + Gᵀ - G ⊙ I"
    assert "identity" not in derivation.as_dict()["code"]
    with pytest.raises(ValueError, match="there is no vec layout"):
        derivation.layout("vec")


def test_an_identity_is_by_entries_that_move_freely():
    with pytest.raises(NotDerivable, match="leave the convention out"):
        derive("ln |X|", "X", convention="independent").identity()


@pytest.mark.parametrize(
    ("f", "x", "where", "conditions"),
    [
        ("tr(A X^-1)", "X", None, ("X is invertible",)),
        ("tr(A X^-1)", "X", "X=invertible", ()),
        ("|X|", "X", None, ()),  # the adjugate needs none
        ("ln |X' X|", "X", None, ("Xᵀ X is invertible",)),
        ("||x - a||", "x", None, ("‖x - a‖ ≠ 0",)),
        ("tr(A X^+)", "X", None, ("the rank of X is locally constant",)),
        ("ln(a'x)", "x", None, ("aᵀ x ≠ 0",)),
        ("sqrt(a'x)", "x", None, ("aᵀ x > 0",)),
    ],
)
def test_conditions(f, x, where, conditions):
    derivation = derive(f, x, where=where)
    assert derivation.conditions == conditions
    if conditions:
        assert f"where {', '.join(conditions)}" in str(derivation)


# --- The way there, and what it looks like


def test_steps():
    steps = derive("x'A x", "x").steps
    assert [(step.text, step.rule) for step in steps] == [
        ("d(xᵀ A x) = d(xᵀ) A x + xᵀ A dx", "product rule"),
        ("= dxᵀ A x + xᵀ A dx", "d Uᵀ = (dU)ᵀ"),
        ("= xᵀ (A + Aᵀ) dx", "transposed"),
        ("∂/∂x (xᵀ A x) = (A + Aᵀ) x", "read off"),
    ]
    assert steps[-1].rule == "read off"
    assert steps[0].tex.count("&=") == 1


@pytest.mark.parametrize(
    ("f", "x", "rules"),
    [
        ("tr(A X B)", "X", ["tr is linear", "product rule", "trace trick", "read off"]),
        ("X^-1", "X", ["dU⁻¹ = -U⁻¹ dU U⁻¹", "read off"]),
        ("|X|", "X", ["d|U| = tr(adj(U) dU), of an invertible U |U| tr(U⁻¹ dU)", "read off"]),
        ("sin(a'x)", "x", ["d sin(u) = (cos(u)) du", "product rule", "collected", "transposed", "read off"]),
    ],
)
def test_every_step_has_its_rule(f, x, rules):
    assert [step.rule for step in derive(f, x).steps] == rules


def test_steps_of_a_long_derivation_are_cut_and_all_are_equalities():
    derivation = derive("sin(" * 40 + "x'x" + ")" * 40, "x")
    assert len(derivation.steps) < 30
    assert derivation.steps[-1].rule == "read off"
    assert str(derivation.steps[-1].right) == str(derivation.formula)


def test_a_planted_step_is_found(monkeypatch):
    """The lines are compared one by one: a rule that is wrong after the derivation was verified is found there."""
    derivation = derive("tanh(a'x)^2", "x")
    monkeypatch.setitem(OF_ONE_NUMBER, "tanh", parse("1 + tanh(u)^2"))
    with pytest.raises(Disagreement, match=r"is no equality\. That is a fault of matcalc"):
        _ = derivation.steps


CONTRACT = {"schema", "environment", "formula", "wrt", "order", "layout", "derivative", "differential", "conditions",
            "steps", "code", "verified", "seconds"}  # fmt: skip


def test_json():
    derivation = derive("ln |X|", "X")
    data = json.loads(json.dumps(derivation.as_dict("numerator")))
    assert CONTRACT - {"environment"} <= data.keys()  # which the command adds
    assert (data["formula"], data["wrt"], data["order"], data["layout"]) == ("ln |X|", "X", 1, "numerator")
    assert data["derivative"] == "X⁻¹"
    assert data["differential"] == "tr(X⁻¹ dX)"
    assert data["conditions"] == ["X is invertible"]
    assert data["steps"][-1] == {"rule": "read off", "text": "∂/∂X ln |X| = X⁻ᵀ",
                                 "tex": derivation.steps[-1].tex}  # fmt: skip
    assert set(data["code"]) == {"jax", "numpy", "torch", "tex", "identity"}
    assert data["verified"]["error"] < 1e-5
    assert data["verified"]["digits"] > 30
    assert data["seconds"] > 0
    assert derive("x'A y", ("x", "y")).as_dict()["wrt"] == ["x", "y"]
    assert derive("x'A x", "x", order=2).as_dict()["wrt"] == "x"


def test_what_a_notebook_shows():
    assert derive("x'A x", "x")._repr_latex_() == (r"$$\frac{\partial}{\partial x} (x^\top A x) = (A + A^\top) x$$")
    assert derive("x'A x", "x", order=2)._repr_latex_() == (
        r"$$\frac{\partial^2}{\partial x^2} (x^\top A x) = A + A^\top$$"
    )
    assert derive("A exp(X) B", "X")._repr_latex_().startswith(r"$$\mathrm{d}(A")


def test_the_whole_referee():
    report = derive("tr(A X B X' C)", "X").check()
    assert report.verdict == "pass"
    assert derive("x'A x", "x", order=2).check(certify=True).certificate > 30


# --- Names, sizes and lengths


@pytest.mark.parametrize(
    ("f", "x", "options"),
    [
        ("T1 (A x - b)'(A x - b)/(1 + (A x - b)'(A x - b))", "x", {"shape": "T1=scalar"}),
        ("tr(S_W^-1 S_B)", "S_W", {"shape": {"S_W": ("n", "n"), "S_B": ("n", "n")}}),
        ("||W^{(1)} x - y||^2", "W^{(1)}", {}),
        (r"\hat{x}' A \hat{x}", r"\hat{x}", {}),
        ("d' x", "x", {}),
        ("dx' x", "x", {"shape": {"dx": ("n",), "x": ("n",)}}),
        ("x'A x", "x", {"shape": {"A": (1, 1), "x": (1,)}}),
        ("X a", "a", {"shape": {"X": (1, 1), "a": (1,)}}),
        ("tr(A X)", "X", {"shape": {"A": (1, 4), "X": (4, 1)}}),
        ("ln |X|", "X", {"shape": {"X": (1, 1)}}),
        ("a'x", "x", {"shape": {"a": (3,)}}),
        ("sum_{i=1}^n x_i^2", "x", {"shape": {"x": ("n",)}}),
        ("||A (A (A (A (A (A (A x))))))||^2", "x", {}),
        ("(((((((((((((x'x)))))))))))))", "x", {}),
        (" + ".join(["x'A x"] * 60), "x", {}),
        (" ".join(["X"] * 20), "X", {}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_names_sizes_and_depth(f, x, options):
    derivation = derive(f, x, **options)
    point, expected = entries(derivation, 3)
    found = derivation.last.in_jax_layout(derivation.formula, point, derivation.natural)
    assert agree(found, expected)
    assert derivation.text()


def test_parts_get_names_that_no_variable_has():
    text = str(derive("T1 (A x - b)'(A x - b)/(1 + (A x - b)'(A x - b))", "x", shape="T1=scalar"))
    assert "U1 = A x - b" in text.splitlines()
    assert not any(line.startswith("T1 =") for line in text.splitlines())


def test_the_same_derivation_every_time():
    one, other = (derive("||A X B - C||^2 + ln |X|", "X") for _ in range(2))
    assert one.formula == other.formula
    assert one.verified == other.verified
    assert str(one) == str(other)


def test_a_formula_that_grows_ends_with_less_factored(monkeypatch):
    f = "(a'x b'x c'x d'x) (e'x f'x g'x h'x) (k'x) (l'x) (m'x)"
    derivation = derive(f, "x", order=2)
    assert not derivation.found[-1].is_factored
    assert "It has too many terms to look for all common factors." in str(derivation)
    assert derive("a'x b'x", "x", order=2).found[-1].is_factored
    point, expected = entries(derivation, 1)
    assert agree(valued(derivation, "jax", point), expected)


@pytest.mark.parametrize("depth", [30, 60])
def test_nested_squares_of_sums_end(depth):
    """Multiplied out they would be 2^depth terms."""
    f = "(1 + " * depth + "x'x" + ")^2" * depth
    with pytest.raises(NotDerivable, match="No point was found"):  # where such a number is finite
        derive(f, "x")


# --- Where a derivative has no value


def test_what_the_claim_inverts_must_have_an_inverse_where_it_is_asked():
    """A'A of a wide A has none; it is verified with a tall one."""
    derivation = derive("tr(adj(A'A))", "A")
    assert derivation.conditions == ("Aᵀ A is invertible",)
    assert derivation.verified.error < 1e-5


def test_the_nuclear_norm_where_columns_are_independent():
    derivation = derive("||A X||_*", "X")
    assert str(derivation.formula) == "Aᵀ A X sqrt(Xᵀ Aᵀ A X)⁻¹"
    assert derivation.conditions == ("Xᵀ Aᵀ A X is invertible",)


def test_what_has_no_value_where_the_function_has_a_slope_is_not_verified():
    """The derivative that the rules give of the diagonal of roots has roots beside the diagonal."""
    with pytest.raises(NotDerivable, match="No point was found"):
        derive("sum(diag(S.^(1/2)))", "S", where={"S": invertible})


# --- Planted errors end in Disagreement, and never in a derivative

WRONG_FUNCTIONS = {
    "det": ("|X|", "X"), "inv": ("tr(A X^-1)", "X"), "pinv": ("tr(A X^+)", "X"), "adj": ("tr(A adj(X))", "X"),
    "norm": ("||x - a||", "x"), "norm1": ("norm1(x)", "x"), "nuclear": ("||X||_*", "X"),
    "logsumexp": ("logsumexp(x)", "x"), "softmax": ("softmax(x)", "x"),
}  # fmt: skip


def test_all_functions_have_a_planted_error():
    assert set(WRONG_FUNCTIONS) == {*OF_FUNCTIONS} - {"norm2"}  # which is norm of vectors, and refused of matrices


@pytest.mark.parametrize("function", WRONG_FUNCTIONS)
@pytest.mark.parametrize("change", ["sign", "factor"])
def test_planted_errors_of_functions(monkeypatch, function, change):
    f, x = WRONG_FUNCTIONS[function]
    right = OF_FUNCTIONS[function]

    def wrong(a, U, dU):
        made = right(a, U, dU)
        return t.Neg(made) if change == "sign" else t.Product((t.Number(2), made))

    monkeypatch.setitem(OF_FUNCTIONS, function, wrong)
    with pytest.raises(Disagreement, match=r"finite differences disagree\. That is a fault of matcalc: please report"):
        derive(f, x)


@pytest.mark.parametrize(
    "f",
    [f"{function}(a'x)" for function in OF_ONE_NUMBER if function not in ("abs", "sign")]  # which are |s| and s/|s|
    + [f"sum({function}(x))" for function in OF_ONE_NUMBER if function != "sign"],
)
def test_planted_errors_of_functions_of_one_number(monkeypatch, f):
    function = f.removeprefix("sum(").partition("(")[0]
    right = OF_ONE_NUMBER[function]
    monkeypatch.setitem(OF_ONE_NUMBER, function, t.Sum((right, t.Number(1))))
    with pytest.raises(Disagreement):
        derive(f, "x")


def test_a_planted_slope_of_what_is_flat_is_not_printed(monkeypatch):
    monkeypatch.setitem(OF_ONE_NUMBER, "sign", parse("1"))
    with pytest.raises(NotDerivable, match="No point was found"):  # a condition of nothing is infinite
        derive("sum(sign(x))", "x")


@pytest.mark.parametrize("place", range(len(MEETINGS)), ids=lambda place: MEETINGS[place].__name__)
def test_planted_errors_of_neighbours(monkeypatch, place):
    """Where neighbours swallow what they make, the derivative is wrong, or there is none."""
    right = MEETINGS[place]
    cases = [
        ("diag(a) diag(x) b", "x"), ("tr(A X^+)", "X"), ("kron(A, X) kron(B, C)", "X"), ("X X", "X"),
        ("kron(X, A)", "X"), ("[X^-1]_kl", "X"), ("tr(A X e_k e_l')", "X"),
    ]  # fmt: skip
    said = 0
    for f, x in cases:
        made = derive(f, x).formula
        with monkeypatch.context() as patch:
            wrong = [*MEETINGS]
            wrong[place] = lambda a, one, other: [one] if right(a, one, other) else None
            patch.setattr("matcalc.calculus.words.MEETINGS", wrong)
            try:
                assert derive(f, x).formula == made
            except (Disagreement, ValueError):
                said += 1
    assert said


@pytest.mark.parametrize(
    ("f", "x", "plant"),
    [
        ("tr(A X B)", "X", "adjoint"),
        ("x'A x", "x", "adjoint"),
        ("ln |X|", "X", "adjoint"),
        ("A X B", "X", "jacobian"),
        ("X x", "x", "jacobian"),
        ("X^-1", "X", "jacobian"),
    ],
)
def test_planted_errors_of_adjoints_and_jacobians(monkeypatch, f, x, plant):
    wrong = {
        "adjoint": lambda a, G, E: (t.Neg(part) for part in adjoint(a, G, E)),
        "jacobian": lambda a, E: t.Product((t.Number(2), jacobian(a, E))),
    }[plant]
    monkeypatch.setattr(f"matcalc.calculus.derive.{plant}", wrong)
    with pytest.raises(Disagreement):
        derive(f, x)


def test_what_is_printed_was_derived_and_verified():
    derivation = derive("tr(A X B X' C)", "X")
    assert isinstance(derivation, Derivation)
    assert str(derivation).splitlines() == [
        "∂/∂X tr(A X B Xᵀ C) = C A X B + Aᵀ Cᵀ X Bᵀ",
        "in jax layout",
        "with A l×m, X m×n, B n×n, C m×l",
    ]
    assert repr(derivation) == str(derivation)
    assert derivation.verified.witnesses == ("finite differences", "ball arithmetic")
