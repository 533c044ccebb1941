"""How the house is built."""

import pkgutil
from importlib import import_module
from types import ModuleType

import pytest

import matcalc

NAMES = [
    found.name for found in pkgutil.walk_packages(matcalc.__path__, "matcalc.") if not found.name.endswith("__main__")
]


def test_all_rooms_are_walked():
    rooms = {name.split(".")[1] for name in NAMES}
    assert {"catalogue", "claims", "cli", "formula", "handbook", "linalg", "planner", "referee", "timing"} <= rooms


@pytest.mark.parametrize("name", NAMES)
def test_no_re_export_hides_a_module(name):
    """`import matcalc.formula.parser as p` gives the module, whatever its package re-exports."""
    package, _, leaf = name.rpartition(".")
    parent = import_module(package)
    if leaf in dir(parent):  # before the module is imported itself, too
        assert isinstance(getattr(parent, leaf), ModuleType)
    assert getattr(parent, leaf, import_module(name)) is import_module(name)
