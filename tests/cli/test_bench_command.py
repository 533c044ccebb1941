"""The command `matcalc bench`: its tables, its JSON, and what it says of wrong usage. None asserts a time."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from matcalc.cli import app
from matcalc.timing import AUTODIFF, OURS

FIELDS = {
    "name", "sizes", "dtype", "batch", "contender", "median_s", "low_s", "high_s", "ratio_to_autodiff", "ratio_low",
    "ratio_high", "compile_s", "flops", "peak_bytes",
}  # fmt: skip


def run(*arguments):
    return CliRunner().invoke(app, ["bench", *arguments])


def test_the_command(tmp_path):
    result_file, picture = tmp_path / "result.json", tmp_path / "plot.png"
    options = ["--regime", "square 8", "--dtype", "float32", "--seconds", "0.01", "--against", "autodiff,numpy"]
    result = run("tr_axb", "tr_xk", *options, "--json", str(result_file), "--plot", str(picture))
    assert result.exit_code == 0, result.output
    assert "tr_axb l=8,m=8,n=8 float32" in result.output
    assert "numpy / closed form" in result.output
    protocol = json.loads(result_file.read_text())
    assert protocol["environment"]["processor"]
    rows = protocol["results"]
    assert {(r["name"], r["contender"]) for r in rows} == {
        (name, contender) for name in ("tr_axb", "tr_xk") for contender in (OURS, AUTODIFF, "numpy")
    }
    assert all(set(r) >= FIELDS for r in rows)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_to_stdout_is_nothing_else():
    result = run("tr_x", "--regime", "square 8", "--dtype", "float32", "--seconds", "0.01", "--json", "-")
    assert {r["name"] for r in json.loads(result.output)["results"]} == {"tr_x"}


def test_sizes_of_ones_own():
    result = run("tr_axbxtc", "--sizes", "l=3,m=5,n=2", "--dtype", "float32", "--seconds", "0.01")
    assert result.exit_code == 0, result.output
    assert "tr_axbxtc l=3,m=5,n=2 float32" in result.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["det_axb", "--sizes", "l=5,m=3,n=2"], "the function vanishes at these sizes."),
        (["tr_ax", "--sizes", "m=3,n=2", "--quantity", "hessian"], "the Hessian vanishes at these sizes."),
        (["logdet_xtx", "--sizes", "m=3,l=5"], "there is no point with X of full column rank."),
        (["det_x", "--sizes", "n=1000000"], "an array of 1,000,000,000,000 entries is too large"),
        (["det_x", "--regime", "tall,wide"], "its regimes are square 8, square 64, square 256, square 1024, 10000 of"),
        (["ax", "--quantity", "hessian"], "only a scalar by an array has a Hessian."),
        (["rules", "--quantity", "hessian"], "nothing to time at these regimes or sizes"),
    ],
)
def test_the_reason_why_nothing_is_timed(arguments, reason):
    result = run(*arguments)
    assert result.exit_code == 1
    assert reason in " ".join(result.output.split())
    result = run(*arguments, "--json", "-")
    told = json.loads(result.output)["summary"]["left_out"]
    assert all(text.startswith(arguments[0]) and reason in text for text in told)
    assert len(told) == (arguments[0] != "rules")


def test_an_identity_that_has_no_such_cell_is_named_beside_others():
    result = run("logdet_xtx", "det_x", "--sizes", "m=3,l=5,n=2", "--seconds", "0.01", "--dtype", "float32")
    assert result.exit_code == 0
    assert "logdet_xtx left out" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tr_x", "--sizes", "n=3", "--quick"], "leave out --dtype, --regime and --sizes"),
        (["tr_x", "--quick", "--dtype", "float32"], "leave out --dtype, --regime and --sizes"),
        (["tr_x", "--sizes", "n=3", "--regime", "tall"], "--sizes stands instead of --regime"),
        (["tr_x", "--sizes", ""], "--sizes takes name=number with numbers from 1"),
        (["tr_x", "--sizes", "n=3,n=5"], "n is given twice"),
        (["tr_x", "--regime", "square 8,"], "--regime takes scalar, square 8"),
        (
            ["tr_x", "--against", "numpy", "--quantity", "hessian"],
            "timed for the derivative only; got --quantity hessian",
        ),
        (["tr_x", "--json", "one.svg", "--plot", "one.svg"], "are to write the same file"),
        (["tr_x", "gram"], "gram is a definition"),
        (["tr_x", "--sizes", "z=3"], "no size is named 'z' here"),
        (["tr_y"], "there is no identity named 'tr_y'"),
        (["gram"], "gram is a definition and has no derivative to time"),
        (["tr_x", "--regime", "round"], "--regime takes scalar, square 8"),
        (["tr_x", "--against", "fortran"], "--against takes autodiff, torch, autograd, tensorgrad, numpy"),
        (["tr_x", "--quantity", "speed"], "--quantity takes derivative, both, value, hessian"),
        (["tr_x", "--plot", "picture.txt"], "--plot takes a file named .png, .svg or .pdf"),
        (["tr_x", "--seconds", "0"], "0.01"),
    ],
)
def test_wrong_usage(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_files_stay_where_nothing_was_timed(tmp_path, monkeypatch, is_interrupted):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("matcalc.timing.measure", interrupt)
    old, new, picture = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "new.png"
    old.write_text("old")
    regime = "square 8" if is_interrupted else "scalar"
    for file in (old, new):
        result = run("tr_x", "--regime", regime, "--json", str(file), "--plot", str(picture))
        assert result.exit_code == 1
        assert ("interrupted" if is_interrupted else "its regimes are") in result.output
    assert old.read_text() == "old"
    assert not new.exists()
    assert not picture.exists()


@pytest.mark.parametrize("ends", ["reader", "process"])
def test_what_was_timed_is_written_when_the_reader_or_the_process_is_ended(tmp_path, ends):
    file = tmp_path / "result.json"
    command = [sys.executable, "-m", "matcalc", "bench", "tr_x", "tr_ax", "--seconds", "0.01", "--dtype", "float32"]
    process = subprocess.Popen([*command, "--json", str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("tr_"):
            break
    process.stdout.close()
    if ends == "process":
        process.terminate()
    assert process.wait(120) == (1 if ends == "process" else 0)
    written = json.loads(file.read_text())
    assert written["results"]
    assert written["summary"]["interrupted"] == (ends == "process")
