"""What references state passes, in either layout and in TeX, and a mistake in it is named."""

import pytest
from references import CLAIMS

from matcalc import check_formula
from matcalc.formula import parse
from matcalc.formula.tree import transpose
from matcalc.formula.variables import variables

OTHER = {"denominator": "numerator", "numerator": "denominator"}
# Those first that are checked in the other layout too. All checks of a claim come one after another, as the scope says:
# its programs are compiled once.
ORDERED = sorted(CLAIMS, key=lambda claim: claim.layout not in OTHER)


def options(claim):
    return {"wrt": claim.wrt, "where": claim.where, "shape": claim.shape}


@pytest.mark.parametrize("claim", ORDERED, ids=lambda c: c.source, scope="module")
def test_what_a_reference_states_passes_and_a_mistake_in_it_is_named(claim):
    right = check_formula(claim.f, claim.right, layout=claim.layout, **options(claim))
    assert right.verdict == "pass", right
    wrong = check_formula(claim.f, claim.wrong, layout=claim.layout, **options(claim))
    assert wrong.verdict == "fail", wrong
    assert wrong.cause
    assert wrong.cause.name == claim.cause, wrong


@pytest.mark.parametrize("claim", [c for c in ORDERED if c.layout in OTHER], ids=lambda c: c.source, scope="module")
def test_the_same_in_the_other_layout_in_tex(claim):
    """The printed TeX of the transposed claim, right and wrong."""
    scalars = {name for name, rank in variables(parse(claim.f)).ranks.items() if rank == 0} | {
        name for name, shape in claim.shape.items() if not shape
    }
    f = parse(claim.f).tex()
    for text, verdict in ((claim.right, "pass"), (claim.wrong, "fail")):
        turned = transpose(parse(text), scalars).tex()
        report = check_formula(f, turned, layout=OTHER[claim.layout], **options(claim))
        assert report.verdict == verdict, report
