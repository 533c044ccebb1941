"""How the command ends: on terminals, in pipes, on a full disk and by Ctrl-C. Its exit codes follow one rule."""

import errno
import os
import runpy
import signal
import sys

import pytest
from command_line import matcalc, process, read

from matcalc import CATALOGUE
from matcalc.catalogue.certificates import certify
from matcalc.catalogue.verification import verify
from matcalc.cli import main

FEW = ("--dtype", "float64", "--layout", "numerator")


@pytest.fixture
def at_the_prompt(monkeypatch):
    """Run `main` in this process as a shell runs it: with Ctrl-C heard, and with signal handlers of its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(sys, "argv", ["matcalc", "list", "tr_x"])
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# --- Terminals and pipes


@pytest.mark.parametrize("columns", ["40", "10"])
def test_narrow_terminals(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    for args in (["list"], ["show", "tr_axbxtc"], ["verify", "tr_x"], ["devices"], ["verify", "--help"]):
        lines = matcalc(*args).stdout.splitlines()
        if args[0] in ("list", "devices"):
            assert max(map(len, lines)) <= int(columns)


def test_a_pipe_gets_plain_lines():
    result = matcalc("verify", "tr_x", "tr_axb")
    assert result.stderr == ""
    assert "8 checks: 8 pass" in result.stdout
    is_plain(result.stdout)


def is_plain(printed):
    assert "\x1b" not in printed
    assert "\r" not in printed
    assert "━" not in printed  # of the progress bar


@pytest.mark.parametrize("args", [["list"], ["list", "--json", "-"]])
def test_a_pipe_that_closes_early_leaves_no_traceback(args):
    """Nor has the command imported what only `bench` needs, or it would say so."""
    run = process(*args, last="assert 'matcalc.timing' not in sys.modules")
    run.stdout.readline()
    run.stdout.close()
    errors = run.stderr.read()
    run.stderr.close()
    run.wait(timeout=60)
    assert errors == ""


def test_a_full_disk_is_told_in_a_line(at_the_prompt, tmp_path, monkeypatch, capsys):
    def app():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("matcalc.cli.commands.app", app)
    with (tmp_path / "full").open("w") as full, monkeypatch.context() as planted:
        planted.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main()
        assert os.fstat(full.fileno()).st_dev == os.stat(os.devnull).st_dev  # nothing more is written there
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: cannot write what is printed: No space left on device.\n"


def test_python_m_matcalc_is_the_command(at_the_prompt, capsys):
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("matcalc", run_name="__main__")
    assert "1 identities" in capsys.readouterr().out


# --- Ctrl-C


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("args", "where"),
    [
        (["list"], "matcalc.cli.list.chosen"),
        (["show", "tr_x"], "matcalc.cli.show.chosen"),
        (["verify", "tr_x"], "matcalc.cli.verify.chosen"),
        (["verify", "tr_x", "--json", "-"], "matcalc.cli.verify.environment"),
        (["check", "tr(X)", "--wrt", "X", "--claim", "I"], "matcalc.claims.check_formula"),
        (["bench", "tr_x"], "matcalc.cli.bench.chosen"),
        (["compile", "tr_x"], "matcalc.cli.compile.chosen"),
        (["devices"], "matcalc.cli.devices.environment"),
        (["--version"], "matcalc.cli.commands.print"),  # while the options are read
    ],
)
def test_every_command_is_interrupted_alike(args, where, monkeypatch):
    monkeypatch.setattr(where, interrupt, raising=not where.endswith(".print"))
    result = matcalc(*args, code=1)
    assert result.stdout == ""
    assert result.stderr == "Interrupted.\n"


class Interrupting:
    """A finder of modules that sends Ctrl-C when the commands are imported, and catches all, as some modules do."""

    def find_spec(self, name, path, target=None):
        if name == "matcalc.cli.commands":
            try:
                signal.raise_signal(signal.SIGINT)
            except Exception:
                return


def leave(code):
    raise SystemExit(code)


def test_ctrl_c_while_modules_are_imported_leaves_at_once(at_the_prompt, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "matcalc.cli.commands")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "Interrupted.\n")


def test_ctrl_c_after_all_is_written_leaves_at_once(at_the_prompt, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="0"):
        main()
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGINT)
    assert ended.value.code == 1
    assert capsys.readouterr().err == ""


def test_a_command_in_the_background_does_not_hear_ctrl_c(at_the_prompt, capsys):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(SystemExit, match="0"):
        main()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


ONE_BY_ONE = """
import os
import matcalc.cli.verify as command

def verify_entry(entry, settings, inputs, verify=command.verify_entry):
    if entry.name == "element":  # the second, so that the first is done
        os.kill(os.getpid(), signal.SIGINT)
    return verify(entry, settings, inputs)

command.verify_entry = verify_entry
os.cpu_count = lambda: 1
"""


def test_ctrl_c_ends_cleanly_with_the_results_so_far(tmp_path):
    """The signal is a real one, and comes at a point of the work and not of time, whatever else the machine does."""
    file = tmp_path / "result.json"
    file.write_text("old")
    with process("verify", "tr_x", "traces", "--json", file, first=ONE_BY_ONE) as run:
        printed, errors = run.communicate(timeout=120)
    assert run.returncode == 1, (printed, errors)
    assert errors == ""
    is_plain(printed)
    result = read(file.read_text(encoding="utf-8"))
    count = sum(e.chapter == "traces" for e in CATALOGUE.values())
    assert result["summary"]["interrupted"] is True
    assert {r["name"] for r in result["results"]} == {"tr_x"}
    assert f"Interrupted: 1 of {count} identities were verified." in printed
    assert "tr_x" in printed


def test_an_interrupted_run_has_what_is_done_in_the_order_of_the_catalogue(tmp_path, monkeypatch):
    def interrupted(entry, *rest):
        return interrupt() if entry.name == "matvec" else verify(entry, *rest)

    monkeypatch.setattr("matcalc.cli.verify.verify_entry", interrupted)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    file, names = tmp_path / "result.json", ("ax", "tr_x", "matvec", "xa")
    printed = matcalc("verify", *names, *FEW, "--json", file, code=1).stdout
    result = read(file.read_text(encoding="utf-8"))
    assert [r["name"] for r in result["results"]][:2] == ["ax", "tr_x"]
    assert "matvec" not in {r["name"] for r in result["results"]}
    assert result["summary"]["interrupted"] is True
    assert "of 4 identities were verified." in printed


def test_an_interrupted_run_has_the_certificates_so_far(monkeypatch):
    def interrupted(entry, seed):
        return interrupt() if entry.name == "ax" else certify(entry, seed)

    monkeypatch.setattr("matcalc.cli.verify.certify_entry", interrupted)
    names = ("tr_x", "ax", "xa")
    result = read(matcalc("verify", *names, *FEW, "--certify", "--json", "-", code=1).stdout)
    assert [r["name"] for r in result["results"]] == list(names)
    assert [c["name"] for c in result["certificates"]] == ["tr_x"]
    assert result["summary"]["interrupted"] is True
    printed = matcalc("verify", *names, *FEW, "--certify", code=1).stdout
    assert "Interrupted: 3 of 3 identities were verified, 1 of them in ball arithmetic." in printed
