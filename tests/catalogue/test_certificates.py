"""Ball arithmetic: a witness that shares no arithmetic with the others."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import matcalc
from matcalc.catalogue.certificates import certify
from matcalc.cli import app
from matcalc.formula import FormulaError, evaluate, parse
from matcalc.formula import tree as t
from matcalc.formula.balls import evaluate_in_balls, precision

DIGITS = 13  # in which closed forms in float64 agree with their printed formulas


def test_every_closed_form_agrees_with_its_printed_formula_to_float64(entry):
    for c in certify(entry):
        assert (c.digits or 0) >= DIGITS, c
        assert (c.difference or 0) >= 20, c


@pytest.mark.parametrize(
    "text",
    [
        *("tr(A X)", "A X^-1 + X'", "|A| ||X||", "exp(A) sin(X)", "kron(A, X)", "adj(A) X^2/3", "A^+"),
        *("exp.(A) .* tanh(X) ./ cos.(A)", "sigmoid(A) - softplus(X)", "X 1 + sqrt.(exp.(A)) 1"),
    ],
)
def test_it_evaluates_what_numpy_does(text):
    A, X = np.random.default_rng(0).normal(size=(2, 3, 3))
    with precision():
        balls = evaluate_in_balls(parse(text), {"A": A, "X": X})
        assert np.vectorize(lambda ball: float(ball.rad()))(balls).max() < 1e-50
        middle = np.vectorize(float)(balls)
    np.testing.assert_allclose(middle, evaluate(parse(text), {"A": A, "X": X}), rtol=1e-11, atol=1e-11)


def test_a_wrong_formula_does_not_agree():
    X = np.eye(2) + 0.1
    with precision():
        one, other = (evaluate_in_balls(parse(text), {"X": X}) for text in ("X^-1", "X"))
    assert abs(float((one - other)[0, 0])) > 0.1


def test_what_ball_arithmetic_does_not_have_is_said():
    with precision(), pytest.raises(FormulaError, match="no nuclear of a matrix"):
        evaluate_in_balls(parse("‖X‖_*"), {"X": np.eye(2)})
    with precision(), pytest.raises(FormulaError, match="cannot tell"):
        evaluate_in_balls(parse("X^-1"), {"X": np.zeros((2, 2))})


def test_a_certificate_says_why_it_has_no_digits(monkeypatch):
    def evaluate_nuclear(tree, values, **options):
        return evaluate_in_balls(t.Product((t.Apply("nuclear", tree), tree)), values, **options)

    monkeypatch.setattr("matcalc.catalogue.certificates.evaluate_in_balls", evaluate_nuclear)
    (c,) = certify(matcalc.CATALOGUE["ln_xa"])
    assert (c.digits, c.difference, c.reason) == (None, None, "ball arithmetic has no nuclear of a matrix")


def test_the_command():
    result = CliRunner().invoke(app, ["verify", "tr_axbxtc", "ln_xa", "--certify", "--dtype", "float64", "--json", "-"])
    assert result.exit_code == 0, result.output
    by_name = {c["name"]: c for c in json.loads(result.output)["certificates"]}
    assert by_name["tr_axbxtc"]["digits"] > DIGITS
    assert by_name["ln_xa"]["digits"] > DIGITS
