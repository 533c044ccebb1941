"""`matcalc check`: a derivative that is typed as a formula."""

from typing import Annotated, Any, cast

import typer
from rich.text import Text

from matcalc.catalogue.lookup import Match, find
from matcalc.catalogue.printing import layouts
from matcalc.cli import exits
from matcalc.cli.options import Certify, Json, Usage, certifiable, one_of
from matcalc.cli.output import output
from matcalc.cli.tables import COLOURS, console
from matcalc.formula.errors import point


def check(
    formula: Annotated[str, typer.Argument(help="A function, such as tr(A X B) or \\ln |X|.")],
    wrt: Annotated[str, typer.Option(help="The variable.")],
    claim: Annotated[str | None, typer.Option(help="Its derivative; without one, what is known is shown.")] = None,
    layout: Annotated[str, typer.Option(help="Of the claim: numerator, denominator, jax, vec or either.")] = "either",
    where: Annotated[str | None, typer.Option(help="Domains, such as A=symmetric,X=invertible.")] = None,
    shape: Annotated[list[str] | None, typer.Option(help="Such as A=3,4 or c=scalar; may be repeated.")] = None,
    let: Annotated[list[str] | None, typer.Option(help="A definition, such as 'M = I - A X'; may be repeated.")] = None,
    function: Annotated[
        list[str] | None,
        typer.Option(help="A function that stands for any: g of g(a'x), or u=vector; may be repeated."),
    ] = None,
    order: Annotated[int, typer.Option(help="1, or 2 of a Hessian, which a claim may say too: '∇²f = A'.")] = 1,
    convention: Annotated[
        str, typer.Option(help="full, or independent: by the independent entries of a symmetric matrix.")
    ] = "full",
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float64",
    seed: Annotated[int, typer.Option(help="Of the random point, any integer.")] = 0,
    certify: Certify = False,
    json_file: Json = None,
) -> None:
    """Check a derivative that is typed as a formula: in ASCII, Unicode or TeX, freely mixed.

    A capital is a matrix, a lower-case letter a vector, a lower-case Greek letter a scalar, or a vector where only that
    fits, and any letter an integer in the exponent of a matrix, as a bound or a subscript. --shape and --where say
    otherwise. A letter with a subscript is an entry where the letter is a variable, x_i, else a name, S_W. Definitions
    stand in --let or at the end of a formula, "... where M = I - A X".
    """
    from matcalc.claims import check_formula
    from matcalc.claims.derived import right_derivative
    from matcalc.claims.layouts import ASKED, candidates
    from matcalc.claims.reading import CONVENTIONS, ORDERS, domains_of, read_problem, shapes_of
    from matcalc.formula import FormulaError

    one_of("--layout", [layout], ASKED)
    one_of("--dtype", [dtype], ("float32", "float64"))
    one_of("--order", [str(order)], [str(each) for each in ORDERS])
    certifiable(certify)
    one_of("--convention", [convention], CONVENTIONS)
    try:
        options: dict[str, Any] = {"shape": shapes_of(shape), "where": domains_of(where), "convention": convention}
    except ValueError as error:
        raise Usage(f"--{error}") from None
    options |= {"let": let or [], "order": order, "functions": function or []}
    with output(json_file) as write:
        try:
            report = claim and check_formula(
                formula,
                claim,
                wrt=wrt,
                layout=cast(Any, layout),
                dtype=cast(Any, dtype),
                seed=seed,
                certify=certify,
                **options,
            )
            asked = report.asked if report else read_problem(formula, wrt, **options)
            ranks = {name: len(shape) for name, shape in asked.shapes.items()}
            is_needed = asked.order == 1 and not (report and report.ok and not json_file)
            found = find(asked.formula, asked.wrt, ranks) if is_needed else []
            read = candidates(asked, cast(Any, layout))[0]
            derived = None if report else right_derivative(asked, read)
        except FormulaError as error:
            raise Usage(f"{error.reason}{chr(10)}{point(error.text, error.start, error.end)}") from None
        except ValueError as error:
            raise Usage(str(error)) from None
        known = [_found(match) for match in found]
        data = report.as_dict() if report else {"schema": 1, "formula": str(asked.formula), "wrt": asked.wrt}
        data |= {"derivative": str(derived), "layout": read} if derived else {}
        write(data | {"catalogue": known})
    if json_file != "-":
        shown = console()
        if report:
            head, _, rest = str(report).partition("\n")
            shown.print(Text(head, COLOURS[report.verdict]) + Text("\n" + rest), soft_wrap=True)
        if not (report and report.ok):
            for each in known:
                shown.print(f"{each['name']}: {each['derivative']}{each['requires'] and '  if ' + each['requires']}")
            if report and report.derivative:
                shown.print(f"{report.what} is {report.derivative.show(report.style)}{report.manner}", soft_wrap=True)
        if derived:
            shown.print(
                f"{asked.what} of {asked.formula} by {asked.wrt} is {derived}, in {read} layout", soft_wrap=True
            )
        elif not report and not known:
            what = asked.what.removeprefix("the ")
            shown.print(f"The rules give no {what} of {asked.formula} by {wrt}; --claim checks yours.")
    if not (report.ok if report else known or derived):
        raise typer.Exit(exits.FAILED)


def _found(match: Match) -> dict[str, str]:
    """An identity that was found by its function, in the names of who asks."""
    printed = layouts(match.identity.declaration)
    equations = {layout: match.equation(layout) for layout in printed or ("jax",)}
    return {
        "name": match.identity.name,
        "derivative": match.equation(printed[-1] if printed else "jax"),
        "requires": match.condition,
        **{f"in {layout} layout": text for layout, text in equations.items()},
    }
