"""How the house is built."""

import ast
import itertools
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import matcalc

WALKED = list(pkgutil.walk_packages(matcalc.__path__, "matcalc."))
MODULES = [found.name for found in WALKED if not found.name.endswith("__main__")]
PACKAGES = ["matcalc", *(found.name for found in WALKED if found.ispkg)]


def names_of(package):
    """What a package binds by itself: functions, classes, constants and re-exports, but not modules of its own."""
    body = ast.parse(Path(import_module(package).__file__).read_text(encoding="utf-8")).body
    for node in itertools.chain(body, *(node.body for node in body if isinstance(node, ast.If))):
        if isinstance(node, ast.ImportFrom) and node.module != package:
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield from (
                name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
            )


def test_all_rooms_are_walked():
    rooms = {"catalogue", "claims", "cli", "devices", "formula", "handbook", "linalg", "planner", "referee", "timing"}
    assert {f"matcalc.{room}" for room in rooms} <= set(PACKAGES)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_package_has_under_the_name_of_a_module_is_that_module(name):
    """`import matcalc.formula.parser as p` gives the module, whatever its package re-exports."""
    package, _, leaf = name.rpartition(".")
    module = import_module(name)
    assert getattr(import_module(package), leaf) is module


@pytest.mark.parametrize("package", PACKAGES)
def test_no_re_export_has_the_name_of_a_module(package):
    """It would hide the module, or be hidden by it once that is imported."""
    modules = {found.name for found in pkgutil.iter_modules(import_module(package).__path__)}
    assert not modules & set(names_of(package))
