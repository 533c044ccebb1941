"""Every code block of the README is run, and the output that it shows is what it prints."""

import re
from pathlib import Path

import pytest
from code_blocks import blocks, commands, parsed, run_command, run_python, same, takes_minutes

import matcalc

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace(" --quiet", "")


def test_the_readme_does_what_it_shows(tmp_path, monkeypatch):
    """Python blocks one after another, as in one file. What takes minutes, and pip, is run by CI and not here."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in blocks(README):
        where = f"README.md:{block.line}"
        if block.language == "python":
            printed, is_well = run_python(block.text, tmp_path / "model.py", namespace), True
        else:
            assert block.language == "sh", where
            outcomes = [run_command(words[1:]) for words in commands(block.text) if is_for_here(words, where)]
            printed, is_well = "".join(output for _, output in outcomes), not any(code for code, _ in outcomes)
        if block.output is None:
            assert is_well, f"{where}: {printed}"
            assert not re.search(r"^\w*Error: ", printed, re.MULTILINE), f"{where}: {printed}"
        else:
            assert same(printed, block.output), f"{where} prints\n{printed}"


def is_for_here(words, where):
    """Whether a command is to be run. One of minutes has to be without wrong options; any other has to be in CI."""
    if words[0] == "matcalc" and not takes_minutes(words[1:]):
        return True
    if words[0] != "matcalc":
        assert " ".join(f'"{word}"' if "[" in word else word for word in words) in CI, where
    return False


@pytest.mark.parametrize("document", ["README.md", "bench/README.md"])
def test_commands_have_the_options_that_documents_give_them(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    for block in blocks(text):
        for words in commands(block.text) if block.language == "sh" else ():
            if words[0] == "matcalc":
                parsed(words[1:])
            elif words[0] == "python":
                assert (ROOT / words[1]).is_file()


def test_the_readme_is_read_in_one_sitting():
    assert len(README.splitlines()) <= 180
    assert f"{len(matcalc.CATALOGUE)} identities, rules and definitions in seven chapters" in README


@pytest.mark.parametrize("document", ["README.md", "bench/README.md", ".github/CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(document):
    path = ROOT / document
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


# --- What runs them


def test_a_wrong_output_a_wrong_option_and_a_wrong_call_are_seen(tmp_path):
    text = "```python\nprint(1)\nf = 2\n```\n\n```\n2\n```\n\n```sh\nmatcalc verify --quik  # soon\n```\n"
    first, second = blocks(text)
    assert (first.line, first.output, second.output) == (1, "2\n", None)
    assert not same(run_python(first.text, tmp_path / "model.py", {}), first.output)
    assert "NameError: name 'g'" in run_python("g", tmp_path / "model.py", {})
    (words,) = commands(second.text)
    assert words == ["matcalc", "verify", "--quik"]
    with pytest.raises(Exception, match="No such option"):
        parsed(words[1:])


def test_what_takes_minutes_is_known():
    assert takes_minutes(["verify"])
    assert takes_minutes(["bench", "--quick"])
    assert not takes_minutes(["verify", "det_x", "--dtype", "float64"])


def test_only_rounding_errors_may_differ():
    assert same("error 1e-16\n", "error 2e-16  \n")
    assert not same("error 1e-16", "error 3e-12")
    assert not same("condition 4.0e+00", "condition 3.8e+00")
    assert not same("1e-16 against autodiff", "1e-16 against reference")
