"""The command `matcalc compile`: its table, its JSON, wrong usage, and what is left of an interrupted run."""

import sys

import jax.numpy as jnp
import pytest
from command_line import ENVIRONMENT, matcalc, read, wrong

from matcalc import CATALOGUE
from matcalc.devices import TARGETS, Outcome, child, outcomes, run

RESULT = {
    "name", "kind", "quantity", "contender", "dtype", "sizes", "chapter", "target", "verdict", "reason", "seconds",
    "products", "weak", "memory_bytes", "custom_calls",
}  # fmt: skip
SUMMARY = {"lowered", "compiled", "rejected", "crashed", "timed out", "weak", "seconds", "interrupted", "left_out"}


def test_the_command(tmp_path):
    file = tmp_path / "result.json"
    printed = matcalc("compile", "tr_axb", "matvec", "--quantity", "derivative,hessian", "--json", file).stdout
    assert "0 of 28" in printed  # matrix products of the closed form and of autodiff, weak ones first
    assert "cpu: 10 lowered." in printed
    assert "tpu: 5 lowered.\n  float64 is left out: a TPU computes in float32." in printed
    assert "10 programs, 0 of them with weak products in highest precision" in printed
    assert printed.endswith("Nothing was executed.\n")
    written = read(file.read_text())
    assert written.keys() == {"schema", "environment", "results", "summary"}
    assert written["environment"].keys() == ENVIRONMENT | {"compilers"}
    assert written["environment"]["compilers"] == {}
    rows = written["results"]
    assert all(row.keys() == RESULT for row in rows)
    assert [row["name"] for row in rows] == ["tr_axb"] * 28 + ["matvec"] * 7
    assert [row["target"] for row in rows[:4]] == ["cpu", "cuda", "rocm", "tpu"]
    assert {row["verdict"] for row in rows} == {"lowered"}
    assert rows[0]["sizes"] == {"l": 10, "m": 11, "n": 12}
    assert rows[0]["memory_bytes"] is rows[0]["custom_calls"] is None  # which only a compiler knows
    assert written["summary"].keys() == SUMMARY
    assert written["summary"]["lowered"] == 35


def test_json_to_stdout_is_nothing_else():
    found = read(matcalc("compile", "tr_ax", "--for", "tpu", "--sizes", "m=17", "--json", "-").stdout)
    assert {row["target"] for row in found["results"]} == {"tpu"}
    assert found["results"][0]["sizes"] == {"m": 17, "n": 12}


def test_weak_products_are_told_and_fail_where_highest_was_asked_for(monkeypatch):
    assert (
        "2 of them with weak products in default precision"
        in matcalc("compile", "tr_axb", "--for", "tpu", "--precision", "default").stdout
    )

    def body(A, X, B):
        return jnp.trace(A @ X @ B), jnp.matmul(A.T, B.T, precision="default")

    monkeypatch.setattr(CATALOGUE["tr_axb"].declaration, "body", body)
    assert "2 of them with weak products in highest" in matcalc("compile", "tr_axb", "--for", "tpu", code=1).stdout


def test_what_is_rejected_is_told_once_with_its_reason(monkeypatch):
    def body(X):
        raise ValueError("planted")

    monkeypatch.setattr(CATALOGUE["tr_x"].declaration, "body", body)
    printed = matcalc("compile", "tr_x", "tr_ax", "--for", "cuda", code=1).stdout
    told = (
        "rejected: tr_x (scalar by matrix, derivative, closed form, float32) for cuda and 3 more: ValueError: planted\n"
    )
    assert told in printed
    assert "cuda: 4 rejected, 4 lowered." in printed


def test_sizes_that_leave_nothing():
    printed = matcalc("compile", "logdet_xtx", "--sizes", "m=3,l=5", code=1).stdout
    assert "left out: logdet_xtx: X must be of full column rank" in printed
    assert "cpu: nothing." in printed


def test_of_an_interrupted_run_what_was_found_is_kept(monkeypatch, tmp_path):
    def interrupted(*options):
        found = outcomes(*options)
        yield from (next(found) for _ in range(3))
        raise KeyboardInterrupt

    monkeypatch.setattr("matcalc.devices.outcomes", interrupted)
    printed = matcalc("compile", "tr_ax", "--json", tmp_path / "some.json", code=1).stdout
    assert printed.endswith("Interrupted: 3 results were found.\n")
    written = read((tmp_path / "some.json").read_text())
    assert len(written["results"]) == written["summary"]["lowered"] == 3
    assert written["summary"]["interrupted"] is True


# --- Chips, compiled for by a planted process

WORKER = """
import json, os, sys
print(json.dumps({"device": sys.argv[1]}), flush=True)
for line in sys.stdin:
    program = json.loads(line)["program"]
    if program["contender"] == "autodiff":
        os.abort()
    answer = {"verdict": "compiled", "seconds": 1.5, "products": 2, "weak": 0, "memory_bytes": 2500000}
    print(json.dumps([answer | {"custom_calls": ["Solve"]}]), flush=True)
"""


def test_for_a_chip_seconds_memory_and_custom_calls_are_told(monkeypatch):
    monkeypatch.setattr(child, "WORKER", [sys.executable, "-c", WORKER])
    monkeypatch.setattr(type(TARGETS["tpu:v5e"]), "missing", [])
    monkeypatch.setattr("matcalc.cli.compile.version", lambda package: f"of {package}")
    monkeypatch.setattr(run, "_cores", lambda: 1)
    result = matcalc("compile", "ax", "matvec", "--for", "tpu:v5e", "--json", "-", code=1)
    found = read(result.stdout)
    assert found["environment"]["compilers"] == {"libtpu": "of libtpu"}
    by = {(row["name"], row["contender"], row["target"]): row for row in found["results"]}
    assert by["ax", "closed form", "tpu:v5e"]["custom_calls"] == ["Solve"]
    assert by["ax", "closed form", "tpu:v5e"]["memory_bytes"] == 2500000
    assert by["ax", "autodiff", "tpu:v5e"]["verdict"] == "crashed"
    assert by["ax", "autodiff", "tpu:v5e"]["reason"].startswith("The process that compiled it was ended by SIGABRT")
    assert by["matvec", "closed form", "tpu:v5e"]["verdict"] == "compiled"  # after that
    assert "float64" not in {row["dtype"] for row in found["results"]}
    printed = matcalc("compile", "matvec", "--for", "tpu:v5e").stdout
    assert (
        "tpu:v5e: 1 compiled; the slowest matvec in 1.5 s, the largest matvec with 2.50 MB; custom calls: Solve."
        in (printed)
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--for", "tpu:v9"],
            "--for takes cpu, cuda, rocm, tpu, tpu:v4, tpu:v5e, tpu:v5p, tpu:v6e, cuda:sm_90a; got 'tpu:v9'.",
        ),
        (["--for", "tpu", "--dtype", "float64"], "--for tpu: a TPU computes in float32, not in float64. Use --dtype"),
        (["--dtype", "bfloat16"], "--dtype takes float32, float64; got 'bfloat16'."),
        (["--quantity", "jacobian"], "--quantity takes derivative, hessian; got 'jacobian'."),
        (["--sizes", "z=3"], "--sizes: no size is named 'z' here, only m, n."),
        (["--precision", "low"], "--precision takes highest, high, default; got 'low'."),
    ],
)
def test_wrong_usage(args, message):
    assert wrong("compile", "tr_ax", *args).startswith(message)


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.is_chip])
def test_a_compiler_that_is_not_installed(name, monkeypatch, tmp_path):
    target = TARGETS[name]
    monkeypatch.setattr("matcalc.devices.targets._is_installed", lambda package: False)
    message = wrong("compile", "tr_x", "--for", f"cpu,{name}", "--json", tmp_path / "none.json")
    needed = ", ".join(target.packages)
    assert message == f'--for {name} needs {needed}: pip install "jax-matcalc[{target.extra}]".'
    assert not (tmp_path / "none.json").exists()


def test_an_outcome_says_no_more_than_is_known():
    assert Outcome("lowered") == Outcome("lowered", None, 0.0, None, None, None, None)
