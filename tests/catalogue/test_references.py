"""Public references: their keys and places are known, and what describes an identity prints them."""

import pydoc
import re

import pytest
from typer.testing import CliRunner

import matcalc
from matcalc import cli
from matcalc.catalogue.references import WORKS, reference_texts

PLACES = {
    "MC": r"\d{2,3}",
    "MN": r"(5|8|9|10)\.\d{1,2}",
    "Giles": r"2\.\d\.\d",
    "WP": r"(scalar|vector|matrix) by (scalar|vector|matrix)|layout conventions|differential form",
}
LETTERS = r"( with \w+(, \w+)* = [^=]+)?"


def test_every_reference_has_a_work_and_a_place_in_it(entry):
    for reference in entry.references:
        key, place = reference.split(" ", 1)
        assert key in WORKS
        assert re.fullmatch(f"({PLACES[key]}){LETTERS}", place), reference
    assert len(set(entry.references)) == len(entry.references)


def test_sections_by_kind_are_those_of_the_kinds_of_an_identity(entry):
    kinds = {kind.replace("Hessian", "scalar") for kind in entry.covers}
    sections = {reference[3:].split(" with ")[0] for reference in entry.references if re.match(r"WP \w+ by", reference)}
    assert sections <= kinds


def test_every_work_is_referred_to():
    assert {reference.split()[0] for e in matcalc.CATALOGUE.values() for reference in e.references} == {*WORKS}


def test_references_in_full_name_the_work_the_places_and_an_address():
    (cookbook, wikipedia) = reference_texts(matcalc.tr_axxt.declaration)
    assert "The Matrix Cookbook" in cookbook
    assert "equations 108 and 109 and 110" in cookbook
    assert "https://www.math.uwaterloo.ca" in cookbook
    assert (
        wikipedia
        == "Wikipedia, Matrix calculus, section scalar by matrix, https://en.wikipedia.org/wiki/Matrix_calculus"
    )
    assert reference_texts(matcalc.gram.declaration) == ()


@pytest.mark.parametrize("shown", ["help", "show"])
def test_what_describes_an_identity_prints_its_references(shown):
    def description(name):
        if shown == "help":
            return pydoc.render_doc(matcalc.CATALOGUE[name], renderer=pydoc.plaintext)
        result = CliRunner().invoke(cli.app, ["show", name])
        assert result.exit_code == 0
        return result.output

    text = description("inverse_rule")
    for reference in reference_texts(matcalc.inverse_rule.declaration):
        assert reference in text
    assert text.count("References:") == 1
    assert "References:" not in description("gram")
