"""What references state passes, in either layout and in TeX, and a mistake in it is named."""

import pytest
from references import CLAIMS, OTHER, turned

from matcalc import check_formula

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
    other = turned(claim)
    for text, verdict in ((other.right, "pass"), (other.wrong, "fail")):
        report = check_formula(other.f, text, layout=other.layout, **options(other))
        assert report.verdict == verdict, report
