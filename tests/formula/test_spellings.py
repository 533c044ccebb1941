"""The spellings that `help(matcalc.formula)` lists are read, and those of one line are one tree."""

import re

import pytest

import matcalc.formula
from matcalc.formula import parse
from matcalc.formula.tokens import FUNCTIONS

HELP = matcalc.formula.__doc__ or ""
LINES = [re.split(r" {3,}", line.strip()) for line in HELP.partition("are one tree:")[2].splitlines() if line.strip()]


def test_there_are_some():
    assert len(LINES) > 20
    assert min(map(len, LINES)) > 1


@pytest.mark.parametrize("spellings", LINES, ids=lambda line: line[0])
def test_spellings_of_one_line_are_one_tree(spellings):
    assert {parse(spelling) for spelling in spellings} == {parse(spellings[0])}


def test_all_functions_are_listed():
    listed = re.search(r"The functions are (.*?)\.", HELP, re.DOTALL)
    assert listed
    assert set(re.findall(r"\w+", listed[1])) - {"and"} == set(FUNCTIONS.values()) - {"norm2"}
