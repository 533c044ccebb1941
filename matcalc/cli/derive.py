"""`matcalc derive`: the derivative of a function that is typed as a formula."""

from typing import Annotated, Any, cast

import typer

from matcalc.catalogue.lookup import find
from matcalc.cli import exits
from matcalc.cli.environment import environment
from matcalc.cli.options import Certify, Json, Usage, certifiable, one_of
from matcalc.cli.output import output
from matcalc.cli.tables import console
from matcalc.formula.errors import point


def derive(
    formula: Annotated[str, typer.Argument(help="A function, such as tr(A X B) or \\ln |X|.")],
    wrt: Annotated[str | None, typer.Option(help="The variable, or two, x,y; by default each in turn.")] = None,
    layout: Annotated[
        str | None, typer.Option(help="numerator, denominator, jax or vec; by default jax, or vec of matrices.")
    ] = None,
    order: Annotated[int, typer.Option(help="2 for the Hessian.")] = 1,
    steps: Annotated[bool, typer.Option("--steps", help="Show the way there, line by line.")] = False,
    code: Annotated[str | None, typer.Option(help="Print code: jax, numpy, torch, tex or identity.")] = None,
    where: Annotated[str | None, typer.Option(help="Domains, such as A=symmetric,X=invertible.")] = None,
    shape: Annotated[list[str] | None, typer.Option(help="Such as A=3,4 or c=scalar; may be repeated.")] = None,
    let: Annotated[list[str] | None, typer.Option(help="A definition, such as 'M = I - A X'; may be repeated.")] = None,
    function: Annotated[
        list[str] | None, typer.Option(help="A name that stands for any smooth function, g of g(a'x); may be repeated.")
    ] = None,
    moved: Annotated[
        list[str] | None, typer.Option(help="A variable that is a function of --wrt, U of U V; may be repeated.")
    ] = None,
    convention: Annotated[
        str, typer.Option(help="full, or independent: by the independent entries of a symmetric matrix.")
    ] = "full",
    certify: Certify = False,
    json_file: Json = None,
) -> None:
    """Derive the derivative of a function that is typed as a formula, and verify it.

    The formula is read as `matcalc check` reads it; `matcalc check --help` lists all spellings. What is printed was
    compared with finite differences at two points and, where it can tell, in ball arithmetic; --certify says to how
    many digits. A derivative of a scalar has the shape of the variable, one of a vector a row for each of its entries,
    unless --layout says otherwise.
    """
    from matcalc.calculus import NotDerivable
    from matcalc.claims.reading import CONVENTIONS, domains_of, shapes_of
    from matcalc.claims.verification import Disagreement
    from matcalc.derivation import Derivation
    from matcalc.derivation import derive as derived
    from matcalc.derivation.code import CODE_LANGUAGES
    from matcalc.formula import FormulaError
    from matcalc.layout import LAYOUTS

    if layout is not None:
        one_of("--layout", [layout], LAYOUTS)
    if code is not None:
        one_of("--code", [code], CODE_LANGUAGES)
    one_of("--order", [str(order)], ("1", "2"))
    one_of("--convention", [convention], CONVENTIONS)
    certifiable(certify)
    names = [name.strip() for name in wrt.split(",")] if wrt is not None else None
    try:
        options: dict[str, Any] = {"shape": shapes_of(shape), "where": domains_of(where), "let": let or []}
        options |= {"functions": function or [], "convention": convention} | ({"moved": moved} if moved else {})
    except ValueError as error:
        raise Usage(f"--{error}") from None
    with output(json_file) as write:
        try:
            by = names[0] if names and len(names) == 1 else names
            found = derived(formula, by, order=cast(Any, order if by is None or isinstance(by, str) else 2), **options)
            each = [found] if isinstance(found, Derivation) else list(found.values())
            codes = [one.code(code, cast(Any, layout)) for one in each] if code is not None else []
            ways = [cast(Any, layout if one.is_closed else None) for one in each]
            texts = [one.text(way) for one, way in zip(each, ways, strict=True)]
            lines = [one.steps if steps else () for one in each]
            data = [one.as_dict(way) for one, way in zip(each, ways, strict=True)] if json_file else []
        except (NotDerivable, Disagreement) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(exits.FAILED) from None
        except FormulaError as error:
            raise Usage(f"{error.reason}{chr(10)}{point(error.text, error.start, error.end)}") from None
        except ValueError as error:
            raise Usage(str(error)) from None
        if json_file:
            whole = data[0] if isinstance(found, Derivation) else {"schema": 1, "derivations": data}
            write(whole | {"environment": environment()})
    if json_file == "-":
        return
    shown = console()
    for number, one in enumerate(each):
        if number:
            shown.print()
        if codes:
            shown.print(codes[number], soft_wrap=True, highlight=False, markup=False)
            continue
        shown.print(texts[number], soft_wrap=True)
        if certify:
            digits = one.verified.digits
            told = "cannot tell" if digits is None else f"agrees to {digits:.0f} digits"
            shown.print(f"ball arithmetic {told}; finite differences agree to {one.verified.error:.0e}")
        for step in lines[number]:
            shown.print(f"  {step.text}   [{step.rule}]", soft_wrap=True, markup=False)
        ranks = {name: len(shape) for name, shape in one.asked.shapes.items()}
        for match in find(one.asked.formula, one.wrt[0], ranks) if len(one.wrt) == 1 else ():
            shown.print(f"in the catalogue: {match.identity.name}")
    for reason in () if isinstance(found, Derivation) else found.missing:
        typer.echo(reason, err=True)
