"""The whole catalogue on eight simulated devices, distributed by rows and in blocks, gives what one device gives."""

from pathlib import Path

import pytest
from simulated import printed

import matcalc

PROGRAM = str(Path(__file__).parent / "sharded.py")
PARTS = 2


@pytest.mark.parametrize("part", range(PARTS))
def test_distributed_closed_forms_are_those_of_one_device(part: int):
    entries = list(matcalc.CATALOGUE.values())[part::PARTS]
    assert printed(PROGRAM, str(part), str(PARTS)) == [f"{sum(len(e.covers) for e in entries)} compared"]


def test_a_sum_that_is_not_taken_over_all_devices_is_found():
    *found, _ = printed(PROGRAM, "planted")
    for where in ("by rows", "in blocks"):
        for axes in ("auto", "explicit"):
            assert any(f"{where}, {axes} axes: derivative off" in line for line in found), found
