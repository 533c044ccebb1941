"""The table of spellings, in `spellings.txt`: one for the tests of the grammar, for `--help` and for `help`."""

import re
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby


@dataclass(frozen=True)
class Line:
    """Spellings of one formula, and what it means."""

    section: str
    meaning: str
    spellings: tuple[str, ...]


def table() -> list[Line]:
    """The lines of the table."""
    section, lines = "", list[Line]()
    for line in files("matcalc.formula").joinpath("spellings.txt").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("#"):
            section = line.removeprefix("# ")
        else:
            meaning, _, spellings = line.partition(": ")
            lines.append(Line(section, meaning, tuple(re.split(r" {3,}", spellings))))
    return lines


def as_text() -> str:
    """The table as text: under each heading the spellings, and behind them what they mean."""
    sections = groupby(table(), lambda line: line.section)
    return "\n\n".join("\n".join([title, *(_shown(line) for line in lines)]) for title, lines in sections)


def _shown(line: Line) -> str:
    return f"  {'   '.join(line.spellings)}   ({line.meaning})"
