"""Files that the command writes: they cost no work where they cannot be, and old ones survive what fails."""

import pytest
from command_line import matcalc, read, wrong
from typer.testing import CliRunner

from matcalc.cli import app


def never(*args, **kwargs):
    raise AssertionError("work was done")


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_path_that_cannot_be_written_costs_no_work(option, tmp_path, monkeypatch):
    monkeypatch.setattr("matcalc.cli.verify.verify_entry", never)
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

    monkeypatch.setattr("matcalc.cli.verify.environment", fail)
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text("old")
    for file in (old, new):
        result = CliRunner().invoke(app, ["verify", "tr_x", "--json", str(file)])
        assert result.exit_code not in (0, 2)
    assert old.read_text() == "old"
    assert not new.exists()


def test_wrong_usage_leaves_files_as_they_are(tmp_path):
    old = tmp_path / "old.json"
    old.write_text("old")
    wrong("verify", "tr_x", "--sizes", "n=10000000", "--json", old)
    wrong("verify", "nosuch", "--json", old)
    assert old.read_text() == "old"
