"""The report on a gradient: what it says, and that it always says it."""

import html
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from matcalc.referee import Cause, GradientError, Report, Variable

RNG = np.random.default_rng(0)
T = RNG.standard_normal((3, 4))
W = RNG.standard_normal((60, 100))


def entry_off(A, index, value):
    A = A.copy()
    A[index] = value
    return A


def variable(name, claim, truth, value_axes=0, error=1.0):
    claim, truth = np.asarray(claim, float), np.asarray(truth, float)
    return Variable(name, truth.shape[value_axes:], claim, truth, error)


def report(verdict, *variables, **others):
    settings = dict(
        verdict=verdict,
        cause=None if verdict == "pass" else Cause("factor", "It is 2 times the derivative.", "Divide it by 2."),
        function="loss",
        dtype="float64",
        layout="jax",
        order=1,
        form="derivative",
        precision="highest",
        seed=0,
        errors={"autodiff": 1.0, "reference": 1.0, "finite differences": 1.0},
        tolerance=3e-13,
        condition=14.0,
        variables=variables,
        steps=np.array([1e-1, 1e-2, 1e-3]),
        remainders=np.array([1e-1, 1e-2, 1e-3]),
        slope=1.0,
        evaluations={"f": 34, "gradient": 5},
        notes=("f cannot be traced by JAX.",),
    )
    return Report(**(settings | others))


def absent(verdict):
    """Nothing was compared."""
    missing = Variable("X", (3, 4), None, None, np.nan)
    nothing = np.array([])
    numbers = dict(errors={}, tolerance=np.nan, condition=np.nan, slope=np.nan, steps=nothing, remainders=nothing)
    return report(verdict, missing, cause=Cause("raises", "gradient raises <TypeError>."), evaluations={}, **numbers)


REPORTS = {
    "pass": report("pass", variable("X", T, T, error=0.0), errors={"autodiff": 1e-16}, slope=2.0),
    "matrix": report("fail", variable("X", 2 * T, T)),
    "number": report("fail", variable("x", 2.0, 1.0)),
    "vector": report("fail", variable("x", -T[0], T[0])),
    "vector by vector": report("fail", variable("x", -T, T, value_axes=1)),
    "matrix by number": report("fail", variable("t", -T, T, value_axes=2)),
    "three axes": report("fail", variable("x", -W[:6].reshape(4, 10, 15), W[:6].reshape(4, 10, 15), value_axes=2)),
    "four axes": report("fail", variable("X", 2 * W[0, :36].reshape(2, 3, 3, 2), W[0, :36].reshape(2, 3, 3, 2), 2)),
    "large": report("fail", variable("W", entry_off(W, (7, 3), 9.0), W)),
    "long": report("fail", variable("x", 1.001 * W.ravel(), W.ravel())),
    "not finite": report(
        "fail", variable("X", entry_off(T, (0, 1), np.nan), T, error=np.inf), errors={"autodiff": np.inf}
    ),
    "infinite on both sides": report("fail", variable("X", [np.inf, np.nan, 1], [np.inf, np.nan, 2], error=np.inf)),
    "zero": report("fail", variable("X", np.eye(2), np.zeros((2, 2)))),
    "both zero": report("fail", variable("X", np.zeros((2, 2)), np.zeros((2, 2)))),
    "huge and tiny": report("fail", variable("x", [1e308, -1e308, 1e-308], [-1e308, 1e308, 0.0])),
    "other shape": report("fail", Variable("X", (3, 4), T.T, T, np.inf)),
    "empty": report("inconclusive", variable("X", np.zeros((0, 4)), np.zeros((0, 4)), error=0.0)),
    "raises": absent("fail"),
    "several": report("fail", variable("p['w']", 2 * T, T, error=0.5), variable("p['b']", T, T, error=0.0)),
    "many": report("fail", *(variable(f"x{i}", (1 + i) * T, T, error=float(i)) for i in range(30))),
    "autodiff-wrong": report("autodiff-wrong", variable("X", T, T, error=0.0)),
    "no variables": report("inconclusive"),
}


@pytest.fixture(params=REPORTS, name="made")
def fixture_made(request):
    return REPORTS[request.param]


def test_text_says_verdict_and_cause_first(made):
    lines = str(made).splitlines()
    assert lines[0].startswith(f"{made.verdict}: loss, derivative")
    assert " by ," not in lines[0]
    if made.cause:
        assert lines[1] == str(made.cause)
    assert repr(made) == str(made)


def test_text_fits_a_screen(made):
    lines = str(made).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if line != line.rstrip()]


def test_pass_is_short():
    assert len(str(REPORTS["pass"]).splitlines()) == 4


def test_text_of_a_small_derivative():
    made = report("fail", variable("X", [[1.0, 2.0], [3.0, 5.0]], [[1.0, 2.0], [3.0, 4.0]]))
    assert str(made) == (
        "fail: loss, derivative by X (2, 2), float64, jax layout\n"
        "It is 2 times the derivative. Divide it by 2.\n"
        "  error against  autodiff  float64 autodiff  finite differences  tolerance  condition\n"
        "                  1.0e+00           1.0e+00             1.0e+00    3.0e-13    1.4e+01\n"
        "\n"
        "by X, 1 of 4 entries off:\n"
        "  claimed  1.00   2.00   true  1.00   2.00\n"
        "           3.00   5.00*        3.00   4.00\n"
        "\n"
        "slope of the Taylor remainder: 1.00 (2 is right, 1 is wrong)\n"
        "evaluations: f 34, gradient 5; seed 0; matrix products in highest precision\n"
        "f cannot be traced by JAX."
    )


def test_a_difference_is_seen_in_the_digits():
    text = str(report("fail", variable("x", [1.0, 2.0000001], [1.0, 2.0])))
    assert re.findall(r"2\.\d+\*?", text) == ["2.0000001*", "2.0000000"]
    barely = str(report("fail", variable("x", [1.0, 2.0 + 1e-12], [1.0, 2.0], error=5e-13)))
    assert "2.000000000001*" in barely
    large = str(report("fail", variable("W", entry_off(W, (7, 3), W[7, 3] * (1 + 1e-7)), W)))
    claimed, true = re.search(r"claimed (\S+), true (\S+)", large).groups()
    assert float(claimed) == pytest.approx(W[7, 3], rel=1e-6)
    assert claimed != true


@pytest.mark.parametrize("factor", [1.0, 1e300, 1e-300])
def test_marks_are_those_of_the_entries_off(factor):
    claim = T * (1 + np.eye(3, 4))
    made = report("fail", variable("X", factor * claim, factor * T))
    assert str(made).count("*") == 3
    assert "3 of 12 entries off" in str(made)


def test_whenever_norms_differ_an_entry_is_marked():
    D = np.ones((8, 8))
    tolerance = 1e-6
    made = report("fail", variable("X", D * (1 + 1.01 * tolerance), D, error=1.01 * tolerance), tolerance=tolerance)
    assert "64 of 64 entries off" in str(made)


def test_not_a_number_is_shown_and_marked():
    assert str(REPORTS["not finite"]).count("nan*") == 1
    text = str(REPORTS["infinite on both sides"])
    assert "1 of 3 entries off" in text
    assert re.search(r"claimed +inf +nan +1\.00\* +true +inf +nan +2\.00\n", text)


def test_rows_are_of_the_value_and_columns_of_the_variable():
    lines = str(REPORTS["four axes"]).splitlines()
    start = next(i for i, line in enumerate(lines) if "claimed" in line)
    assert [line.count("*") for line in lines[start : start + 7]] == [6] * 6 + [0]
    assert str(REPORTS["vector"]).count("*") == 4


def test_map_shows_where():
    text = str(REPORTS["large"])
    assert "most at [7, 3]: claimed 9.00, true" in text
    rows = [line.strip() for line in text.splitlines() if set(line.strip()) <= set("·░▒▓█") and line]
    assert [len(row) for row in rows] == [40] * 16
    assert [(i, j) for i, row in enumerate(rows) for j, shade in enumerate(row) if shade == "█"] == [(2, 1)]
    assert "worst of 4×3" in text


def test_map_shades_by_size():
    claim = np.ones(50) + np.array([0.0] * 10 + [1e-7] * 10 + [1e-5] * 10 + [1e-3] * 10 + [0.5] * 10)
    text = str(report("fail", variable("x", claim, np.ones(50)), tolerance=1e-8))
    shades = next(line for line in text.splitlines() if line.startswith("  ·") and "right" not in line)
    assert shades == "  " + "".join(8 * shade for shade in "·░▒▓█")
    assert "· right, ░ > 1e-08, ▒ > 1e-06, ▓ > 1e-04, █ > 1e-02 of the root mean square" in text


def test_worst_variables_first():
    text = str(REPORTS["many"])
    assert "derivative by 30 variables" in text
    assert re.findall(r"^  (x\d+)", text, re.M) == ["x29", "x28", "x27", "x26", "x25", "x24"]
    assert "and 24 more variables" in text
    assert text.index("by x29,") < text.index("by x28,")
    several = str(REPORTS["several"])
    assert "by p['w'] (3, 4) and p['b'] (3, 4)," in several
    assert "by p['b'], " not in several


def test_headline_names_what_was_checked():
    made = report("fail", variable("x", 1.0, 2.0))
    assert "second derivative by x ()" in str(replace(made, order=2))
    assert str(replace(made, form="pullback")).splitlines()[0].endswith("float64, as a pullback")
    assert ", jax layout (3, 4):" in str(replace(REPORTS["matrix"], layout="numerator"))


def printed(made, **options):
    console = Console(file=io.StringIO(), **options)
    console.print(made)
    return console.file.getvalue()


def test_rich_says_the_same_in_colours(made):
    plain = printed(made, width=100, color_system=None)
    assert [line.rstrip() for line in plain.splitlines()] == str(made).splitlines()
    coloured = printed(made, width=100, force_terminal=True, color_system="truecolor")
    assert "\x1b[1;" in coloured.splitlines()[0]
    assert "[b]" in printed(replace(made, notes=("[b]",)), width=100)  # no markup
    assert max(map(len, printed(made, width=30).splitlines())) <= 30


def test_html_says_the_same(made):
    page = made._repr_html_()
    said = html.unescape(re.sub("<[^>]*>", " ", page)).split()
    assert said == str(made).split() or "░" in str(made)  # a map has a cell for each mark
    assert "".join(said) == "".join(str(made).split())
    assert "<script" not in page


def test_html_is_escaped():
    name = '<b onclick="f()">&amp;'
    made = report("fail", variable(name, 2 * T, T), function=name, cause=Cause(name, name, name), notes=(name,))
    page = made._repr_html_()
    assert "<b" not in page
    assert page.count(html.escape(name)) >= 5


def test_dict_is_json(made):
    read = json.loads(json.dumps(made.as_dict(), allow_nan=False))
    assert read["schema"] == 1
    assert read["verdict"] == made.verdict
    assert read["cause"] == (made.cause and vars(made.cause))
    assert len(read["variables"]) == len(made.variables)
    assert read["steps"] == made.steps.tolist()


def test_dict_omits_what_is_large_or_not_finite():
    read = REPORTS["large"].as_dict()["variables"][0]
    assert read == {"name": "W", "shape": [60, 100], "claim": None, "truth": None, "error": 1.0}
    read = REPORTS["not finite"].as_dict()
    assert read["errors"] == {"autodiff": None}
    assert read["variables"][0]["claim"][0][1] is None
    assert read["variables"][0]["truth"] == T.tolist()


def test_plot_draws_each_report(made):
    figure = made.plot()
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    drawn = sum(len(axes.get_images()) for axes in figure.axes)
    compared = [v for v in made.variables if v.claim is not None and v.claim.shape == v.truth.shape and v.claim.size]
    assert drawn == 3 * min(len(compared), 3)


def test_plot_shows_the_remainders():
    axes = REPORTS["matrix"].plot().axes[-1]
    remainder, one, two = axes.get_lines()
    np.testing.assert_allclose(remainder.get_ydata(), [1e-1, 1e-2, 1e-3])
    np.testing.assert_allclose(one.get_ydata(), [1e-1, 1e-2, 1e-3])
    np.testing.assert_allclose(two.get_ydata(), [1e-1, 1e-3, 1e-5])


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=re.escape('pip install "jax-matcalc[report]"')):
        REPORTS["matrix"].plot()


def test_raises_unless_right(made):
    if made.verdict in ("pass", "autodiff-wrong"):
        assert made.ok
        assert made.raise_if_failed() is made
    else:
        assert not made.ok
        with pytest.raises(AssertionError) as caught:
            made.raise_if_failed()
        assert isinstance(caught.value, GradientError)
        assert caught.value.report is made
        assert str(caught.value) == str(made)


def test_cause_reads_as_sentences():
    assert str(Cause("sign", "It is minus the derivative.")) == "It is minus the derivative."
    assert str(Cause("sign", "It is minus it.", "Change the sign.")) == "It is minus it. Change the sign."


def test_import_loads_neither_rich_nor_matplotlib():
    code = "import sys, matcalc.referee.report; print({'rich', 'matplotlib'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
