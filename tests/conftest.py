"""Tests of what looks at the default dtype run twice: pytest, then JAX_ENABLE_X64=1 pytest -m default_dtype."""

from pathlib import Path

import jax
import pytest

import matcalc
from matcalc import Rule

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

ENTRIES = list(matcalc.CATALOGUE.values())
CASES = [(entry, kind) for entry in ENTRIES for kind in entry.covers]

# All else asks for the dtype that it needs: the referee, formulas, claims and commands compute in float64 anyway.
DEFAULT_DTYPE = ("handbook", "linalg", "planner", "catalogue/test_errors.py", "catalogue/test_sharding.py")
# Of these rooms, what asks for its dtype, or counts operations, which are the same in every dtype.
ANY_DTYPE = ("planner/test_contraction_order.py", "planner/test_random_functions.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests whose outcome may depend on the default dtype of JAX."""
    for item in items:
        place = item.path.relative_to(Path(__file__).parent)
        if any(map(place.is_relative_to, DEFAULT_DTYPE)) and not any(map(place.is_relative_to, ANY_DTYPE)):
            item.add_marker("default_dtype")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for every entry, every identity (what is called for its value), or every entry in every kind."""
    of_entries = {
        "entry": ENTRIES,
        "identity": [e for e in ENTRIES if not isinstance(e, Rule) and e.order > 0],
        "rule": [e for e in ENTRIES if isinstance(e, Rule)],
    }
    for argument, values in of_entries.items():
        if argument in metafunc.fixturenames:
            # Of the whole module, so that the tests of an entry run one after another, with what they share.
            metafunc.parametrize(argument, values, ids=lambda e: e.name, scope="module")
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=[f"{e.name}-{kind.replace(' ', '_')}" for e, kind in CASES])
