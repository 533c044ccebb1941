"""Every spelling of the table is read, those of one line are one formula, and `--help` and `help` show them."""

import re

import pytest
from typer.testing import CliRunner

import matcalc.formula
from matcalc.cli import app
from matcalc.formula import parse
from matcalc.formula.meaning import settle
from matcalc.formula.spelling import as_text, table
from matcalc.formula.texts import claimed_side, second_order
from matcalc.formula.words import FUNCTIONS, OPERATIONS

HELP = matcalc.formula.__doc__ or ""
LEFT_SIDES = [line for line in table() if line.section.startswith("Left sides")]
FUNCTIONS_OF_ONES_OWN = ["g"]
FORMULAS = [line for line in table() if line not in LEFT_SIDES]


def test_there_are_many():
    assert sum(len(line.spellings) for line in table()) >= 120
    assert all(line.meaning and line.section for line in table())


@pytest.mark.parametrize("line", FORMULAS, ids=lambda line: line.meaning)
def test_spellings_of_one_line_are_one_formula(line):
    assert len(set(line.spellings)) > 1
    first = settle(parse(line.spellings[0], (), FUNCTIONS_OF_ONES_OWN), ())[0]
    for spelling in line.spellings:
        assert settle(parse(spelling, (), FUNCTIONS_OF_ONES_OWN), ())[0] == first, spelling


def test_no_two_lines_are_the_same_formula_under_other_words():
    formulas = [str(settle(parse(line.spellings[0], (), FUNCTIONS_OF_ONES_OWN), ())[0]) for line in FORMULAS]
    repeated = {formula for formula in formulas if formulas.count(formula) > 1}
    assert repeated <= {"Xᵀ"}  # X^t


@pytest.mark.parametrize("line", LEFT_SIDES, ids=lambda line: line.meaning)
def test_left_sides_say_the_order(line):
    order = 1 if line.meaning.startswith("derivative") else 2
    for spelling in line.spellings:
        claim = f"{spelling} = A + A'"
        assert bool(second_order(claim)[0]) == (order == 2), spelling
        assert claimed_side(claim, "x", order).strip() == "A + A'"


def test_help_shows_them():
    shown = CliRunner().invoke(app, ["check", "--help"]).output
    for line in as_text().splitlines():
        assert line.strip() in shown
    assert as_text() in HELP


def test_all_functions_are_listed():
    listed = re.search(r"The functions are (.*?)\.\n", HELP, re.DOTALL)
    assert listed
    assert set(re.findall(r"\w+", listed[1])) - {"and"} == set(FUNCTIONS.values()) - {*OPERATIONS, "norm2"}
