"""Every code block of the README and of CONTRIBUTING is run, and the output that it shows is what it prints."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import code_blocks
import pytest
from code_blocks import blocks, changed, commands, mistakes, parsed, run_python, same, takes_minutes

import matcalc

ROOT = Path(__file__).parent.parent.parent
README, CONTRIBUTING, BENCH = DOCUMENTS = ("README.md", ".github/CONTRIBUTING.md", "bench/README.md")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace(" --quiet", "")


def text_of(document):
    return (ROOT / document).read_text(encoding="utf-8")


def test_the_readme_does_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list(mistakes(text_of(README))) == []


def test_what_the_readme_asks_of_pip_and_pytest_is_what_ci_runs():
    asked = [words for block in blocks(text_of(README)) if block.language == "sh" for words in commands(block.text)]
    others = [words for words in asked if words[0] != "matcalc"]
    assert [words[0] for words in others] == ["pip", "pip", "pytest"]
    assert ["matcalc", "verify"] in asked
    for words in [*others, ["matcalc", "verify"]]:
        assert " ".join(f'"{word}"' if "[" in word else word for word in words) in CI


def test_who_follows_contributing_adds_what_it_says(tmp_path):
    """The six changes are made in a copy of the package, in a process that imports it."""
    shutil.copytree(ROOT / "matcalc", tmp_path / "matcalc", ignore=shutil.ignore_patterns("__pycache__"))
    files = changed(text_of(CONTRIBUTING), tmp_path)
    rooms = {"handbook", "__init__.py", "referee", "formula", "calculus", "derivation", "cli"}
    assert {file.split("/")[1] for file in files} == rooms
    command = [sys.executable, code_blocks.__file__, str(ROOT / CONTRIBUTING)]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert (run.returncode, run.stdout) == (0, ""), run.stdout + run.stderr


@pytest.mark.parametrize("document", [README, BENCH])
def test_commands_have_the_options_that_documents_give_them(document):
    for block in blocks(text_of(document)):
        for words in commands(block.text) if block.language == "sh" else ():
            if words[0] == "matcalc":
                parsed(words[1:])
            elif words[0] == "python":
                assert (ROOT / words[1]).is_file()


def test_the_readme_is_read_in_one_sitting():
    assert len(text_of(README).splitlines()) <= 180
    assert f"{len(matcalc.CATALOGUE)} identities, rules and definitions in seven chapters" in text_of(README)


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text_of(document))
    assert [link for link in links if not ((ROOT / document).parent / link).exists()] == []


# --- What runs them


def fenced(language, text):
    return f"```{language}\n{text}\n```\n"


@pytest.mark.parametrize(
    ("document", "mistake"),
    [
        (fenced("python", "print(1)") + "\n" + fenced("", "2"), "line 1 prints\n1\n"),
        (fenced("python", "x = 2") + "\n" + fenced("python", "print(x)\ny"), "line 5 prints\n2\nNameError: name 'y'"),
        (fenced("sh", "matcalc show tr_y  # there is none"), "line 1 prints\nUsage"),
        (
            fenced("sh", "matcalc show tr_x --style ascii") + fenced("", "d/dX tr(X) = 0"),
            "line 1 prints\nd/dX tr(X) = I",
        ),
        (fenced("python", "1/0") + "\n" + fenced("", "ZeroDivisionError: division by zero"), ""),
        (fenced("python", "1/0") + "\nSome text.\n\n" + fenced("", "ZeroDivisionError: division by zero"), "line 1"),
    ],
)
def test_what_does_not_do_what_it_shows_is_seen(tmp_path, monkeypatch, document, mistake):
    monkeypatch.chdir(tmp_path)
    found = list(mistakes(document))
    assert len(found) == bool(mistake)
    assert "".join(found).startswith(mistake)


def test_a_wrong_option_is_seen_where_a_command_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert takes_minutes(["verify"])
    assert takes_minutes(["bench", "--quick"])
    assert not takes_minutes(["verify", "det_x", "--dtype", "float64"])
    with pytest.raises(Exception, match="No such option"):
        list(mistakes(fenced("sh", "matcalc verify --quik")))


def test_a_block_lies_in_a_file_as_code_of_users_does(tmp_path):
    text = "import inspect\ndef f(x):\n    return x\nprint(inspect.getsource(f))"
    for name in "fgh":
        printed = run_python(text.replace("return x", f"return {name}"), tmp_path / "model.py", {})
        assert f"return {name}" in printed


def test_only_rounding_errors_may_differ():
    assert same("error 1e-16\n", "error 2e-16  \n")
    assert not same("error 1e-16", "error 3e-12")
    assert not same("condition 4.0e+00", "condition 3.8e+00")
    assert not same("1e-16 against autodiff", "1e-16 against reference")


def test_changes_are_made_where_they_say(tmp_path):
    (tmp_path / "old.py").write_text("a = 1\nb = 2\n")
    within = "+++ old.py\n@@\n a = 1\n-b = 2\n+b = 3\n@@ at the end\n+c = 4"
    assert changed(fenced("diff", within) + fenced("diff", "+++ new.py\n@@\n+d = 5"), tmp_path) == ["old.py", "new.py"]
    assert (tmp_path / "old.py").read_text() == "a = 1\nb = 3\nc = 4\n"
    assert (tmp_path / "new.py").read_text() == "d = 5\n"
    with pytest.raises(ValueError, match=r"line 1: its place is in old\.py 0 times"):
        changed(fenced("diff", within), tmp_path)
