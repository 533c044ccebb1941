"""The command: what it prints and writes, its exit codes, and how it ends when something is in the way."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from matcalc import CATALOGUE, cli
from matcalc.catalogue.verification import Case

ROWS = json.loads(Path(__file__).with_name("rows.json").read_text(encoding="utf-8"))
# Of the contract; what is more is named apart.
ENVIRONMENT = {
    "matcalc",
    "jax",
    "jaxlib",
    "python",
    "platform",
    "device_kind",
    "device_count",
    "matmul_precision",
    "date",
}
ENVIRONMENT |= {"processor", "cores"}
LISTED = {"name", "formula", "derivative", "kind", "wrt", "shapes", "where", "source", "covers", "also"}
LISTED |= {"derivative_also"}
RESULT = {
    "name",
    "covers",
    "formula",
    "derivative",
    "kind",
    "layout",
    "dtype",
    "sizes",
    "seed",
    "verdict",
    "cause",
    "error_autodiff",
    "error_reference",
    "error_fd",
    "tolerance",
    "condition",
} | {"chapter"}
SUMMARY = {"pass", "fail", "inconclusive", "autodiff-wrong", "seconds"} | {"interrupted"}
SQUARE = np.array([[2.0, 1.0, 0.0], [-1.0, 3.0, 0.5], [0.25, 0.0, 1.5]])


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def matcalc(*args, code=0):
    """Run the command in this process; no ending but an exit code."""
    result = CliRunner().invoke(cli.app, [str(arg) for arg in args], prog_name="matcalc")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def wrong(*args):
    """What wrong usage is told: exit code 2, nothing on stdout and one message, in one line."""
    result = matcalc(*args, code=2)
    assert result.stdout == ""
    (message,) = re.findall(r"^Error: (?:Invalid value: )?(.+)\Z", result.stderr.strip(), re.MULTILINE)
    return message


def read(text):
    """JSON in the strict sense."""

    def refuse(token):
        raise ValueError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def process(*args, **kwargs):
    """The command as a process of its own, in which Ctrl-C works even where the suite runs in the background."""
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "runpy.run_module('matcalc', run_name='__main__')"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, env=environment, **pipes | kwargs)


def test_a_full_disk_is_told_in_a_line():
    full = "import errno, matcalc.cli as cli\n"
    full += "def app(): raise OSError(errno.ENOSPC, 'No space left on device')\n"
    full += "cli.app = app; cli.main()"
    done = subprocess.run([sys.executable, "-c", full], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write what is printed: No space left on device.\n"


# --- list, show, devices


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
    assert found.keys() == {"schema", "environment", "devices"}
    assert found["environment"].keys() == ENVIRONMENT
    assert "cpu" in {d["platform"] for d in found["devices"]}


# --- verify


@pytest.mark.parametrize("names", [("tr_x",), ("tr_x", "ax")])
def test_verify(names, tmp_path):
    file = tmp_path / "result.json"
    printed = matcalc("verify", *names, "--json", file).stdout
    result = read(file.read_text(encoding="utf-8"))
    assert result.keys() == {"schema", "environment", "results", "certificates", "summary"}
    assert result["schema"] == 1
    assert result["environment"].keys() == ENVIRONMENT
    assert result["summary"].keys() == SUMMARY
    assert result["summary"]["pass"] == len(result["results"]) == 4 * len(names)
    assert result["summary"]["interrupted"] is False
    for r in result["results"]:
        assert r.keys() == RESULT
        assert (r["verdict"], r["cause"], r["seed"]) == ("pass", None, 0)
    assert {(r["name"], r["dtype"], r["layout"]) for r in result["results"]} == {
        (n, d, l) for n in names for d in ("float32", "float64") for l in ("numerator", "denominator")
    }
    assert all(name in printed for name in names)
    assert f"{4 * len(names)} checks: {4 * len(names)} pass, 0 fail, 0 inconclusive, 0 autodiff-wrong." in printed
    assert list(tmp_path.iterdir()) == [file]


def test_json_on_stdout_is_alone_there_and_html_has_the_tables_all_the_same(tmp_path):
    html = tmp_path / "tables.html"
    result = matcalc("verify", "tr_x", "--json", "-", "--html", html)
    assert read(result.stdout)["summary"]["pass"] == 4
    assert result.stderr == ""
    text = html.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "tr_x" in text
    assert "4 pass" in re.sub("<.*?>", "", text)


def test_options_of_verify_arrive(tmp_path):
    options = ["--dtype", "float64", "--layout", "jax,vec,jax", "--sizes", "m=2, n=5", "--seed", "7"]
    options += ["--precision", "default", "--platform", "cpu"]
    result = read(matcalc("verify", "ax", *options, "--json", "-").stdout)
    assert [(r["dtype"], r["layout"], r["seed"]) for r in result["results"]] == [
        ("float64", l, 7) for l in ("jax", "vec")
    ]
    assert all(r["sizes"] == {"m": 2, "n": 5} for r in result["results"])
    assert (result["environment"]["matmul_precision"], result["environment"]["platform"]) == ("default", "cpu")


def test_the_seed_decides_the_numbers():
    def errors(seed):
        results = read(matcalc("verify", "tr_axb", "--seed", seed, "--json", "-").stdout)["results"]
        return [(r["error_autodiff"], r["error_fd"]) for r in results]

    assert errors(1) == errors(1) != errors(2)


def test_a_wrong_closed_form_fails_and_says_why(monkeypatch):
    run = Case._run

    def doubled(case, arguments, device):
        witnesses = run(case, arguments, device)
        return replace(witnesses, closed=2 * witnesses.closed)

    monkeypatch.setattr(Case, "_run", doubled)
    printed = matcalc("verify", "tr_axb", code=1).stdout
    (result, *_) = read(matcalc("verify", "tr_axb", "--json", "-", code=1).stdout)["results"]
    assert result["verdict"] == "fail"
    assert result["cause"].startswith("off by 1.0e+00; rounding explains ")
    flat = " ".join(printed.split())
    assert "fail: tr_axb (scalar by matrix, float32): off by 1.0e+00; rounding explains" in flat
    assert "4 checks: 0 pass, 4 fail" in flat
    assert "0 formulas of the notes verified" in flat


def test_the_versions_are_told():
    assert matcalc("--version").stdout == f"matcalc {cli.matcalc.__version__}, jax {jax.__version__}\n"


# --- Wrong usage


@pytest.mark.parametrize("command", ["list", "show", "verify", "devices"])
def test_help_of_every_command_shows_an_example(command):
    assert f"Example: matcalc {command}" in matcalc(command, "--help").stdout
    assert command in matcalc("--help").stdout


def test_an_unknown_name_is_told_the_nearest():
    for command in ("list", "show", "verify"):
        assert wrong(command, "tr_axbxtd") == "there is no identity named 'tr_axbxtd'. Did you mean tr_axbxtc?"
        assert wrong(command, "Tr_X") == "there is no identity named 'Tr_X'. Did you mean tr_x?"
        assert wrong(command, "qqqqqqqq") == "there is no identity named 'qqqqqqqq'. `matcalc list` shows all."
    assert wrong("list", "trace") == "there is no identity named 'trace'. Did you mean traces?"
    matcalc("lst", code=2)
    matcalc("verify", "tr_x", "--nosuch", code=2)


FORM = "--sizes takes name=number with numbers from 1, such as l=2,m=3; got "


@pytest.mark.parametrize("part", ["n", "n=", "n=0", "n=-1", "n=x", "n=1.5", "n==2", "n=²", "=", ""])
def test_sizes_in_a_wrong_form(part):
    assert wrong("verify", "tr_x", "--sizes", part or "n=3,") == f"{FORM}{part!r}."


def test_sizes_that_do_not_exist_or_that_cannot_be():
    assert wrong("verify", "tr_x", "--sizes", "zz=3") == "--sizes: no size is named 'zz' here, only n."
    assert wrong("verify", "tr_axb", "--sizes", "=3").startswith("--sizes: no size is named '' here, only ")
    assert wrong("verify", "tr_x", "--sizes", "n=10000000").startswith("Unable to allocate")
    told = matcalc("verify", "det_axb_invertible", "--sizes", "l=5", code=1).stdout
    assert "found no point with A X B invertible at the sizes l=5" in " ".join(told.split())


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--dtype", "float16", "--dtype takes float32, float64; got 'float16'."),
        ("--dtype", "float32,", "--dtype takes float32, float64; got ''."),
        ("--layout", "rows", "--layout takes jax, numerator, denominator, vec; got 'rows'."),
        ("--layout", "", "--layout takes jax, numerator, denominator, vec; got ''."),
        ("--precision", "low", "--precision takes highest, high, default; got 'low'."),
        ("--platform", "cuda", "--platform takes cpu, gpu, tpu; got 'cuda'."),
    ],
)
def test_a_wrong_value_of_an_option(option, value, message):
    assert wrong("verify", "tr_x", option, value) == message


def test_other_wrong_values():
    assert wrong("show", "tr_x", "--layout", "vec") == "--layout takes jax, numerator, denominator; got 'vec'."
    assert wrong("show", "tr_x", "--style", "html") == "--style takes unicode, ascii, tex; got 'html'."
    assert "'--seed'" in wrong("verify", "tr_x", "--seed", "-1")
    assert "'--seed'" in wrong("verify", "tr_x", "--seed", "x")


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_a_platform_that_is_not_here(platform, monkeypatch):
    devices = jax.devices

    def without(name=None):
        if name == platform:
            raise RuntimeError(f"Unknown backend {name}")
        return devices(name)

    monkeypatch.setattr(jax, "devices", without)
    message = f"JAX finds no {platform} here; `matcalc devices` lists what it finds."
    assert wrong("verify", "tr_x", "--platform", platform) == message


# --- Files that are written


def never(*args, **kwargs):
    raise AssertionError("work was done")


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_path_that_cannot_be_written_costs_no_work(option, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "verify_entry", never)
    monkeypatch.chdir(tmp_path)
    for path, reason in (
        ("no/such/folder.json", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (".", "Is a directory"),
        ("x" * 300, "File name too long"),
    ):
        assert wrong("verify", "tr_x", option, path) == f"cannot write {path}: {reason}."
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("old and longer than what replaces it" * 1000)
    link.symlink_to(target)
    matcalc("list", "tr_x", "--json", link)
    assert link.is_symlink()
    assert read(target.read_text(encoding="utf-8"))["schema"] == 1


@pytest.mark.parametrize("error", [KeyError("planted"), KeyboardInterrupt(), ValueError("planted")], ids=repr)
def test_an_old_result_survives_a_run_that_fails(error, tmp_path, monkeypatch):
    def fail(*args):
        raise error

    monkeypatch.setattr(cli, "environment", fail)
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text("old")
    for file in (old, new):
        result = CliRunner().invoke(cli.app, ["verify", "tr_x", "--json", str(file)])
        assert result.exit_code not in (0, 2)
    assert old.read_text() == "old"
    assert not new.exists()


def test_wrong_usage_leaves_files_as_they_are(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("old")
    wrong("verify", "tr_x", "--sizes", "n=10000000", "--json", old)
    wrong("verify", "nosuch", "--json", old)
    assert old.read_text() == "old"


# --- Arrays that are given


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "inputs.npz", **arrays)
        return tmp_path / "inputs.npz"

    return save


def test_inputs_that_pass(save):
    rng = np.random.default_rng(0)
    A, X, B = (rng.standard_normal(shape) for shape in ((2, 3), (3, 4), (4, 2)))
    result = read(matcalc("verify", "tr_axb", "--inputs", save(A=A, X=X, B=B, unused=A), "--json", "-").stdout)
    assert result["summary"]["pass"] == 4
    assert all(r["sizes"] == {"l": 2, "m": 3, "n": 4} for r in result["results"])
    matcalc("verify", "tr_x", "--inputs", save(X=SQUARE.astype(np.float16)))


def test_an_integer_among_the_inputs_serves_several_identities(save):
    result = read(matcalc("verify", "tr_xk", "det_xk", "--inputs", save(X=SQUARE, k=3), "--json", "-").stdout)
    assert result["summary"]["pass"] == 8
    assert all(r["sizes"] == {"n": 3, "k": 3} for r in result["results"])


def test_scalars_and_indices_among_the_inputs(save):
    file = save(X=SQUARE, s=np.float32(2), i=np.uint8(1), j=0)
    result = read(matcalc("verify", "matrix_by_element", "--inputs", file, "--json", "-").stdout)
    assert result["summary"]["pass"] == 4
    matcalc("verify", "matrix_by_element", "--inputs", save(X=SQUARE, s=2, i=1, j=0))


STATIC = "(Under jax.jit, name it in static_argnames.)"


@pytest.mark.parametrize(
    ("name", "arrays", "message"),
    [
        ("tr_xk", {"X": SQUARE}, "FILE lacks the argument k of tr_xk; it holds X."),
        ("tr_x", {}, "FILE lacks the argument X of tr_x; it holds nothing."),
        ("tr_xk", {"X": SQUARE, "k": 0}, "tr_xk: k must be at least 1, got 0."),
        (
            "tr_xk",
            {"X": SQUARE, "k": 2.0},
            f"tr_xk: k must be an integer of Python, known while tracing, got float. {STATIC}",
        ),
        (
            "tr_xk",
            {"X": SQUARE, "k": [2]},
            f"tr_xk: k must be an integer of Python, known while tracing, got ndarray. {STATIC}",
        ),
        (
            "tr_x",
            {"X": np.eye(3, dtype=np.int32)},
            "tr_x: X must have a real floating dtype, got int32. Convert it, for example by .astype(jnp.float32).",
        ),
        (
            "tr_x",
            {"X": np.eye(3) * 1j},
            "tr_x: X must have a real floating dtype, got complex128. Convert it, for example by .astype(jnp.float32).",
        ),
        (
            "tr_x",
            {"X": np.ones((2, 3))},
            "tr_x: X must be n×n, got shape (2, 3), where both n must agree. (Identities are unbatched; use jax.vmap.)",
        ),
        ("tr_x", {"X": np.ones((0, 0))}, "tr_x: X has shape (0, 0); every size must be at least 1."),
        ("tr_x", {"X": 1.0}, "tr_x: X must be an array (n×n), got float. Use jnp.asarray."),
        (
            "tr_x",
            {"X": np.array([[None]])},
            "FILE is not a readable .npz file of arrays (Object arrays cannot be loaded when allow_pickle=False).",
        ),
    ],
)
def test_inputs_that_do_not_fit(name, arrays, message, save):
    file = save(**arrays)
    assert wrong("verify", name, "--inputs", file) == f"--inputs: {message.replace('FILE', str(file))}"


def test_inputs_need_a_name(save):
    message = "--inputs needs the name of the identity that the arrays are for."
    assert wrong("verify", "--inputs", save(X=SQUARE)) == message


def test_what_is_no_npz_file(save, tmp_path):
    good = save(X=SQUARE).read_bytes()
    np.save(tmp_path / "array.npy", SQUARE)
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "cut.npz").write_bytes(good[: len(good) // 2])
    (tmp_path / "damaged.npz").write_bytes(good.replace(SQUARE.tobytes()[:8], bytes(8)))
    np.save(tmp_path / "pickle.npy", np.array([None]), allow_pickle=True)
    for name in ("array.npy", "text.npz", "empty.npz", "cut.npz", "damaged.npz", "pickle.npy", "nosuch.npz", "."):
        path = tmp_path / name
        message = wrong("verify", "tr_x", "--inputs", path)
        assert message.startswith(f"--inputs: {path} is not a readable .npz file of arrays (")


@pytest.mark.parametrize(
    ("name", "X", "cause"),
    [
        ("tr_x", np.where(SQUARE == 0.25, np.nan, SQUARE), "X contains NaN; every entry must be finite."),
        ("tr_x", np.where(SQUARE == 0.25, np.inf, SQUARE), "X contains an infinite entry; every entry must be finite."),
        ("logabsdet_x", np.ones((3, 3)), "The formula requires X invertible, and here it is not."),
    ],
)
def test_inputs_outside_the_domain_are_inconclusive(name, X, cause, save):
    file = save(X=X)
    result = read(matcalc("verify", name, "--inputs", file, "--json", "-", code=1).stdout)
    assert {(r["verdict"], r["cause"]) for r in result["results"]} == {("inconclusive", cause)}
    assert all(r[error] is None for r in result["results"] for error in ("error_autodiff", "error_fd", "tolerance"))
    assert cause in " ".join(matcalc("verify", name, "--inputs", file, code=1).stdout.split())


# --- Terminals, pipes and Ctrl-C


@pytest.mark.parametrize("columns", ["40", "10"])
def test_narrow_terminals(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    for args in (["list"], ["show", "tr_axbxtc"], ["verify", "tr_x"], ["devices"], ["verify", "--help"]):
        lines = matcalc(*args).stdout.splitlines()
        if args[0] in ("list", "devices"):
            assert max(map(len, lines)) <= int(columns)


def test_a_pipe_gets_plain_lines():
    with process("verify", "tr_x", "tr_axb") as run:
        printed, errors = run.communicate(timeout=60)
    assert run.returncode == 0
    assert errors == ""
    assert "\x1b" not in printed
    assert "\r" not in printed
    assert "verifying" not in printed
    assert "8 checks: 8 pass" in printed


@pytest.mark.parametrize("args", [["list"], ["list", "--json", "-"]])
def test_a_pipe_that_closes_early_leaves_no_traceback(args):
    run = process(*args)
    run.stdout.readline()
    run.stdout.close()
    errors = run.stderr.read()
    run.stderr.close()
    run.wait(timeout=60)
    assert errors == ""


def test_ctrl_c_ends_cleanly_with_the_results_so_far(tmp_path):
    file = tmp_path / "result.json"
    file.write_text("old")
    marker = tmp_path / "started.html"  # opened when work begins
    with process("verify", "tr_x", "traces", "--json", file, "--html", marker) as run:
        deadline = time.monotonic() + 60
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2)
        run.send_signal(signal.SIGINT)
        printed, errors = run.communicate(timeout=60)
    assert run.returncode == 1, (printed, errors)
    assert "Traceback" not in errors
    assert errors == ""
    result = read(file.read_text(encoding="utf-8"))
    names = {r["name"] for r in result["results"]}
    count = sum(e.chapter == "traces" for e in CATALOGUE.values())
    assert result["summary"]["interrupted"] is True
    assert 0 < len(names) < count
    assert f"Interrupted: {len(names)} of {count} identities were verified." in printed
    assert all(name in printed for name in names)


def test_python_m_matcalc_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["matcalc", "list", "tr_x"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("matcalc", run_name="__main__")
    assert "1 identities" in capsys.readouterr().out
