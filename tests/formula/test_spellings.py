"""Every spelling of the table is read, those of one line are one formula, and `--help` and `help` show them."""

import re

import pytest
from typer.testing import CliRunner

import matcalc.formula
from matcalc.cli import app
from matcalc.formula import parse
from matcalc.formula.meaning import settle
from matcalc.formula.spelling import as_text, table
from matcalc.formula.words import FUNCTIONS, OPERATIONS

HELP = matcalc.formula.__doc__ or ""


def test_there_are_many():
    assert sum(len(line.spellings) for line in table()) >= 120
    assert all(line.meaning and line.section for line in table())


@pytest.mark.parametrize("line", table(), ids=lambda line: line.meaning)
def test_spellings_of_one_line_are_one_formula(line):
    assert len(set(line.spellings)) > 1
    first = settle(parse(line.spellings[0]), ())[0]
    for spelling in line.spellings:
        assert settle(parse(spelling), ())[0] == first, spelling


def test_no_two_lines_are_the_same_formula_under_other_words():
    formulas = [str(settle(parse(line.spellings[0]), ())[0]) for line in table()]
    repeated = {formula for formula in formulas if formulas.count(formula) > 1}
    assert repeated <= {"Xᵀ"}  # X^t


def test_help_shows_them():
    shown = CliRunner().invoke(app, ["check", "--help"]).output
    for line in as_text().splitlines():
        assert line.strip() in shown
    assert as_text() in HELP


def test_all_functions_are_listed():
    listed = re.search(r"The functions are (.*?)\.\n", HELP, re.DOTALL)
    assert listed
    assert set(re.findall(r"\w+", listed[1])) - {"and"} == set(FUNCTIONS.values()) - {*OPERATIONS, "norm2"}
