"""The code blocks of a document, run as a reader would run them.

    python code_blocks.py DOCUMENT

prints what is wrong with a document, in the folder where it is called.
"""

import contextlib
import io
import linecache
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

from matcalc.cli import app

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\b\d(?:\.\d+)?e[+-]\d+")
RAISED = re.compile(r"^\w*Error: ", re.MULTILINE)
ROUNDING = 1e-6  # an error below it is one of rounding, or of finite differences
MINUTES = ("verify", "bench")  # commands that take minutes where no identity is named


@dataclass(frozen=True)
class Block:
    """A fenced block, the line where it starts, and the output that is shown under it; None where there is none."""

    language: str
    text: str
    line: int
    output: str | None


def blocks(document: str) -> Iterator[Block]:
    """The blocks of a document that have a language. One without is the output of the block directly above it."""
    found = list(FENCED.finditer(document))
    for block, after in zip(found, [*found[1:], None], strict=True):
        follows = after is not None and not after[1] and not document[block.end() : after.start()].strip()
        if block[1]:
            line = document.count("\n", 0, block.start()) + 1
            yield Block(block[1], block[2], line, after[2] if after is not None and follows else None)


def mistakes(document: str) -> Iterator[str]:
    """What does not work or prints something else than is shown.

    Python blocks run one after another, as if in one file. Of the others, commands of matcalc run, save those that take
    minutes, and have the options that they are given. Changes to files are those of `changed`.
    """
    namespace: dict[str, Any] = {}
    for block in blocks(document):
        exit_codes = [0]
        if block.language == "python":
            printed = run_python(block.text, Path("model.py").absolute(), namespace)
        elif block.language == "sh":
            asked = [words[1:] for words in commands(block.text) if words[0] == "matcalc"]
            outcomes = [run_command(arguments) for arguments in asked if not takes_minutes(arguments)]
            printed = "".join(output for _, output in outcomes)
            exit_codes += [exit_code for exit_code, _ in outcomes]
        else:
            continue
        # A claim that is shown to be wrong exits with 1, and a call that is shown to raise does.
        is_well = not any(exit_codes) and not RAISED.search(printed) if block.output is None else max(exit_codes) < 2
        if not is_well or not same(printed, printed if block.output is None else block.output):
            yield f"line {block.line} prints\n{printed}"


def run_python(text: str, file: Path, namespace: dict[str, Any]) -> str:
    """What a block prints, and the last line of the traceback where it raises. It lies in a file, as a user's does."""
    file.write_text(text, encoding="utf-8")
    linecache.checkcache(str(file))  # the block before it had the same name
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            exec(compile(text, str(file), "exec"), namespace)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
    return printed.getvalue()


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a block for the shell, word by word, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            yield words[:end]
            words = words[end + 1 :]


def takes_minutes(arguments: list[str]) -> bool:
    """Whether a command of matcalc is about the whole catalogue."""
    return arguments[0] in MINUTES and not parsed(arguments).get("names")


def parsed(arguments: list[str]) -> Mapping[str, Any]:
    """The values of the arguments and options of a command. It raises for those that there are none of."""
    group: Any = typer.main.get_command(app)
    with group.make_context("matcalc", arguments[:1], resilient_parsing=True) as context:
        name, command, rest = group.resolve_command(context, arguments)
        with command.make_context(name, rest, parent=context) as found:
            return found.params


def run_command(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command of matcalc, and what it prints."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "120"})
    return result.exit_code, result.output


def same(printed: str, shown: str) -> bool:
    """Whether an output is the one shown. Rounding errors differ between machines, and may be others of their size."""
    outputs = [[line.rstrip() for line in text.strip().splitlines()] for text in (printed, shown)]
    words, others = ([NUMBER.sub("0e0", line) for line in output] for output in outputs)
    numbers, other_numbers = ([float(n) for line in output for n in NUMBER.findall(line)] for output in outputs)
    return words == others and all(map(_alike, numbers, other_numbers))


def _alike(x: float, y: float) -> bool:
    return x == y or (max(x, y) < ROUNDING and max(x, y) <= 100 * min(x, y))


def changed(document: str, root: Path) -> list[str]:
    """Make the changes of a document below a folder. Returns the files. ValueError where a place is not found once.

    They are blocks in the language diff: `+++` and a file, and after each `@@` lines that begin with a space, - or +.
    Where none is old, the new ones are put at the end of the file, or are all of it.
    """
    files: list[str] = []
    for block in (block for block in blocks(document) if block.language == "diff"):
        head, *hunks = re.split(r"^@@.*\n", block.text, flags=re.MULTILINE)
        files.append(head.removeprefix("+++").strip())
        path = root / files[-1]
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in marks) for marks in (" -", " +"))
            if old and text.count(old) != 1:
                raise ValueError(f"line {block.line}: its place is in {files[-1]} {text.count(old)} times")
            text = text.replace(old, new) if old else text + new
        path.write_text(text, encoding="utf-8")
    return files


if __name__ == "__main__":
    print(*mistakes(Path(sys.argv[1]).read_text(encoding="utf-8")), sep="\n", end="")
