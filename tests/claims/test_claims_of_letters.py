"""Claims with triangular and symmetric matrices, Greek letters and names with subscripts, each with a mistake in it."""

import json
from pathlib import Path

import pytest

from matcalc import check_formula

CLAIMS = json.loads(Path(__file__).with_name("letters.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim['f']} by {claim['wrt']}")
def test_what_is_right_passes_and_a_mistake_in_it_does_not(claim):
    given = {name: claim[name] for name in ("wrt", "layout", "where", "shape") if name in claim}
    right = check_formula(claim["f"], claim["right"], **given)
    assert right.verdict == "pass", right
    wrong = check_formula(claim["f"], claim["wrong"], **given)
    assert wrong.verdict == "fail", wrong
