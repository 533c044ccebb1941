"""`matcalc list`: the identities, with their formulas, shapes and conditions."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from matcalc.catalogue import Identity
from matcalc.catalogue.lookup import find
from matcalc.cli.options import Json, Names, chosen
from matcalc.cli.output import identity_as_json, output
from matcalc.cli.tables import by_chapter, console, table


def list_(
    names: Names = None,
    search: Annotated[str | None, typer.Option(help="Only those with this text, or else of this function.")] = None,
    json_file: Json = None,
) -> None:
    """List the identities, with their formulas, shapes and conditions."""
    with output(json_file) as write:
        entries = chosen(names)
        if search is not None:
            entries = [e for e in entries if search.lower() in _searchable(e)] or _of_function(search, entries)
        write({"schema": 1, "identities": [identity_as_json(e) for e in entries]})
    if json_file == "-":
        return
    shown = console()
    for chapter, members in by_chapter(entries, lambda e: e.chapter):
        rows = table(chapter, "name", "f", "derivative", "requires")
        for e in members:
            rows.add_row(e.name, " = ".join(e.formulas), e.derivative_formulas[0], e.declaration.condition)
        shown.print(rows)
    count = sum(len(ids) for e in entries for ids in e.covers.values())
    shown.print(f"{len(entries)} identities, rules and definitions, for {count} formulas of the notes.")


def _searchable(e: Identity[Any]) -> str:
    return " ".join((e.name, *e.formulas, *e.derivative_formulas)).lower()


def _of_function(text: str, entries: Sequence[Identity[Any]]) -> list[Identity[Any]]:
    """Those whose function a formula is, in whatever names and order it is written."""
    from matcalc.formula import FormulaError, parse

    try:
        found = {match.identity.name for match in find(parse(text))}
    except FormulaError:  # a word that is no formula
        return []
    return [e for e in entries if e.name in found]
