"""The command: list, show, devices and help, and what wrong usage is told."""

import json
from pathlib import Path

import jax
import pytest
from command_line import ENVIRONMENT, LISTED, matcalc, process, read, wrong

from matcalc import CATALOGUE, __version__
from matcalc.devices import TARGETS

ROWS = json.loads(next(Path(__file__).parents[1].rglob("rows.json")).read_text(encoding="utf-8"))


def test_list_as_json_covers_every_row_of_the_notes_once():
    listed = read(matcalc("list", "--json", "-").stdout)
    assert listed.keys() == {"schema", "identities"}
    assert listed["schema"] == 1
    for e in listed["identities"]:
        assert e.keys() == LISTED
    assert [e["name"] for e in listed["identities"]] == list(CATALOGUE)
    covered = [i for e in listed["identities"] for i in e["covers"]]
    assert len(covered) == 157
    assert sorted(covered) == sorted(ROWS)


def test_list_prints_every_identity_and_its_text_as_it_is():
    printed = matcalc("list").stdout
    assert printed.endswith(f"{len(CATALOGUE)} identities, rules and definitions, for 157 formulas of the notes.\n"), (
        printed[-200:]
    )
    assert "c [adj(Y)]_ij" in matcalc("list", "cofactor").stdout  # brackets are no markup
    assert "tr(A X B Xᵀ C)" in matcalc("list", "traces", "--search", "x b xᵀ c").stdout


def test_list_of_names_and_chapters_has_each_identity_once():
    listed = read(matcalc("list", "tr_x", "traces", "tr_x", "--json", "-").stdout)["identities"]
    assert sorted(e["name"] for e in listed) == sorted(e.name for e in CATALOGUE.values() if e.chapter == "traces")


def test_show():
    printed = matcalc("show", "tr_axbxtc").stdout
    for part in ("tr_axbxtc(A, X, B, C)", "C A X B + Aᵀ Cᵀ X Bᵀ", "(numerator layout)", "A: l×m", "notes 002"):
        assert part in printed
    assert "x: a vector of n" in matcalc("show", "ax").stdout
    assert matcalc("show", "tr_axbxtc", "--layout", "denominator", "--style", "tex").stdout.count("\n") == 1
    shown = read(matcalc("show", "tr_axbxtc", "--json", "-").stdout)
    assert shown.keys() == LISTED | {"schema", "equations", "description"}
    assert shown["equations"].keys() == {"numerator", "denominator"}


def test_devices():
    assert "Default: cpu" in matcalc("devices").stdout or jax.default_backend() != "cpu"
    found = read(matcalc("devices", "--json", "-").stdout)
    assert found.keys() == {"schema", "environment", "x64", "devices", "targets"}
    assert found["environment"].keys() == ENVIRONMENT
    assert "cpu" in {d["platform"] for d in found["devices"]}
    assert [t["name"] for t in found["targets"]] == list(TARGETS)


def test_devices_say_what_is_in_force_and_what_can_be_compiled_for(monkeypatch):
    monkeypatch.setattr("matcalc.devices.targets._is_installed", lambda package: package == "libtpu")
    with jax.default_matmul_precision("high"), jax.enable_x64(True):
        printed = " ".join(matcalc("devices").stdout.split())
        found = read(matcalc("devices", "--json", "-").stdout)
    assert "Precision of matrix products outside of matcalc: high. float64: on." in printed
    assert "Lowered for, without the hardware: cpu, cuda, rocm, tpu." in printed
    assert "tpu:v4, tpu:v5e, tpu:v5p, tpu:v6e. Compiled" in printed
    assert 'cuda:sm_90a, after pip install "jax-matcalc[cuda-compile]".' in printed
    assert (found["environment"]["matmul_precision"], found["x64"]) == ("high", True)
    missing = {target["name"]: target["missing"] for target in found["targets"]}
    assert missing["tpu:v5e"] == []
    assert missing["cuda:sm_90a"] == list(TARGETS["cuda:sm_90a"].packages)


def test_the_memory_of_a_device(monkeypatch):
    class Gpu:
        id, device_kind, platform = 0, "an abacus", "gpu"

        def memory_stats(self):
            return {"bytes_limit": 3 * 2**30}

    here = jax.devices()
    monkeypatch.setattr(jax, "devices", lambda platform=None: [Gpu()] if platform == "gpu" else here)
    assert "3.0 GiB" in matcalc("devices").stdout
    found = read(matcalc("devices", "--json", "-").stdout)["devices"]
    assert {"platform": "gpu", "id": 0, "device_kind": "an abacus", "memory_bytes": 3 * 2**30} in found


ON_A_DEVICE = (["verify", "tr_x"], ["check", "tr(X)", "--wrt", "X", "--claim", "I"], ["bench", "tr_x"], ["devices"])


@pytest.mark.parametrize("error", [RuntimeError, AssertionError])
@pytest.mark.parametrize("args", ON_A_DEVICE)
def test_platforms_that_are_not_here(args, error, monkeypatch):
    def devices(platform=None):
        raise error("Unable to initialize backend")

    monkeypatch.setattr(jax, "devices", devices)
    message = wrong(*args)
    assert message.startswith("JAX_PLATFORMS=")
    assert message.endswith(" names a platform that JAX does not find here. Unset it, or name others.")


def test_platforms_without_a_cpu(monkeypatch):
    def devices(platform=None):
        if platform == "cpu":
            raise RuntimeError("Unknown backend cpu")
        return ["a GPU"]

    monkeypatch.setattr(jax, "devices", devices)
    assert wrong("verify", "tr_x").startswith("references are computed on the CPU, which JAX_PLATFORMS=")


def test_a_platform_that_is_not_here_in_a_process(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "abacus")
    with process("verify", "tr_x") as run:
        printed, errors = run.communicate(timeout=120)
    assert (run.returncode, printed) == (2, "")
    assert "Error: Invalid value: JAX_PLATFORMS=abacus names a platform that JAX does not find here." in errors


def test_the_versions_are_told():
    assert matcalc("--version").stdout == f"matcalc {__version__}, jax {jax.__version__}\n"


RULE = "Exit code: 0 all is well, 1 something failed or the run was interrupted, 2 wrong usage."


@pytest.mark.parametrize("command", ["list", "show", "verify", "check", "bench", "compile", "devices"])
def test_help_of_every_command_shows_an_example_and_the_rule_of_exit_codes(command):
    told = matcalc(command, "--help").stdout
    assert f"Example: matcalc {command}" in told
    assert " ".join(told.split()).endswith(RULE)
    told = matcalc("--help").stdout
    assert command in told
    assert " ".join(told.split()).endswith(RULE)


def test_an_unknown_name_is_told_the_nearest():
    for command in ("list", "show", "verify"):
        assert wrong(command, "tr_axbxtd") == "there is no identity named 'tr_axbxtd'. Did you mean tr_axbxtc?"
        assert wrong(command, "Tr_X") == "there is no identity named 'Tr_X'. Did you mean tr_x?"
        assert wrong(command, "qqqqqqqq") == "there is no identity named 'qqqqqqqq'. `matcalc list` shows all."
    assert wrong("list", "trace") == "there is no identity named 'trace'. Did you mean traces?"
    matcalc("lst", code=2)
    matcalc("verify", "tr_x", "--nosuch", code=2)
