"""`matcalc show`: one identity, with its formula, layouts, shapes, conditions and source."""

from typing import Annotated, Any, cast

import typer

from matcalc.catalogue import Identity
from matcalc.catalogue.printing import layouts
from matcalc.cli.options import Json, Usage, chosen, one_of
from matcalc.cli.output import identity_as_json, output


def show(
    name: Annotated[str, typer.Argument(help="An identity.")],
    layout: Annotated[str, typer.Option(help="numerator, denominator or jax; both by default.")] = "",
    style: Annotated[str, typer.Option(help="unicode, ascii or tex.")] = "unicode",
    steps: Annotated[bool, typer.Option("--steps", help="Derive it, line by line.")] = False,
    json_file: Json = None,
) -> None:
    """Show one identity: formula, layouts, shapes, conditions and source."""
    (entry,) = chosen([name], chapters=False)
    printed = layouts(entry.declaration) or ("jax",)
    one_of("--style", [style], ("unicode", "ascii", "tex"))
    wanted = one_of("--layout", [layout], tuple(dict.fromkeys(("jax", *printed)))) if layout else printed
    equations = {each: entry.equation(cast(Any, each), cast(Any, style)) for each in wanted}
    way = _steps(entry) if steps else []
    with output(json_file) as write:
        data = {"schema": 1, **identity_as_json(entry), "equations": equations, "description": entry.describe()}
        write(data | {"steps": way} if steps else data)
    if json_file == "-":
        return
    if layout or style != "unicode":
        print("\n".join(dict.fromkeys(equations.values())))
    else:
        print(f"{entry.name}({', '.join(p.name for p in entry.signature.parameters)})\n\n{entry.describe()}")
    if steps:
        print("\n" + "\n".join(f"    {step['text']}   [{step['rule']}]" for step in way))


def _steps(entry: Identity[Any]) -> list[dict[str, str]]:
    """The lines of its derivation. Usage error where the rules have none."""
    from matcalc.derivation.listed import derivation_of

    try:
        return [{"rule": step.rule, "text": step.text, "tex": step.tex} for step in derivation_of(entry).steps]
    except ValueError as reason:
        raise Usage(f"--steps: {reason}") from None
