"""`matcalc.derive`: right by independent witnesses, short, in every layout; and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

import matcalc
from matcalc import Rule, derive
from matcalc.calculus.terms import length
from matcalc.claims.points import draw
from matcalc.formula import evaluate, parse

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
    return point, np.stack(columns, -1).reshape(*columns[0].shape, *x.shape)


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
