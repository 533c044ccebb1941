"""Identities are found by their function, in whatever names and order it is written."""

import pytest

import matcalc
from matcalc.catalogue.lookup import find
from matcalc.formula import parse
from matcalc.formula.tree import rename
from matcalc.formula.variables import variables


def shows_its_arguments(entry):
    """Whether all arguments stand in the printed function, and nothing else: no size, as in n ln(a)."""
    found = variables(parse(entry.formulas[0]))
    return {*found.ranks, *found.integers} == {p.name for p in entry.signature.parameters}


FUNCTIONS = [
    e for e in matcalc.CATALOGUE.values() if e.order and not isinstance(e, matcalc.Rule) and shows_its_arguments(e)
]


@pytest.mark.parametrize("known", FUNCTIONS, ids=lambda e: e.name)
def test_every_identity_is_found_by_its_function_in_other_names(known):
    names = {"A": "M", "X": "Y", "x": "y", "a": "u", "b": "v"}
    renamed = rename(parse(known.formulas[0]), names)
    shapes = known.signature.shapes(next(iter(known.covers)), {})
    ranks = {names.get(name, name): len(shape) for name, shape in shapes.items()}
    assert known.name in [match.identity.name for match in find(renamed, names.get(known.wrt, known.wrt), ranks)]


@pytest.mark.parametrize(
    ("formula", "wrt", "name"),
    [
        ("tr(Z' R Y Z Q)", "Z", "tr_axbxtc"),
        ("tr(B A X)", "X", "tr_axb"),
        ("sum_{i=1}^{1} tr(X' B)", "B", "tr_atx"),
        ("||y||^2", "y", "sqnorm_x"),
        ("\\ln |\\mathbf{W}|", "W", "logabsdet_x"),
    ],
)
def test_it_is_found_however_it_is_written(formula, wrt, name):
    assert name in [m.identity.name for m in find(parse(formula), wrt)]


def test_what_the_catalogue_does_not_know_is_not_found():
    assert find(parse("tr(sin(X) cos(A) X)"), "X") == []
