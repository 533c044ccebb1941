"""The application: its commands, with an example of each and the rule of exit codes in their help."""

from collections.abc import Callable
from inspect import getdoc
from typing import Annotated, Any

import jax
import typer
from typer.core import TyperGroup

import matcalc
from matcalc.cli import exits
from matcalc.cli.bench import bench
from matcalc.cli.check import check
from matcalc.cli.compile import compile_
from matcalc.cli.derive import derive
from matcalc.cli.devices import devices
from matcalc.cli.list import list_
from matcalc.cli.options import on_a_device
from matcalc.cli.show import show
from matcalc.cli.verify import verify
from matcalc.formula.spelling import as_text


class Commands(TyperGroup):
    """The commands, of which each ends in the same way on Ctrl-C: left to itself, typer exits with 130, silently."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        return _unless_interrupted(super().make_context, *args, **options)

    def invoke(self, ctx: Any) -> Any:
        return _unless_interrupted(super().invoke, ctx)


def _unless_interrupted(step: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return step(*args, **options)
    except KeyboardInterrupt:
        raise typer.Exit(exits.interrupted()) from None


def _say_version(is_asked: bool) -> None:
    if is_asked:
        print(f"matcalc {matcalc.__version__}, jax {jax.__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the versions.")]

app = typer.Typer(
    cls=Commands,
    epilog=exits.CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def handbook(is_version: Version = False) -> None:
    """The matrix-calculus handbook as running JAX code."""


def _add(name: str, command: Callable[..., None], example: str, **settings: Any) -> None:
    app.command(name, epilog=f"Example: matcalc {name} {example}\n\n{exits.CODES}", **settings)(command)


_add("list", list_, "traces --json -")
_add("show", show, "tr_axbxtc --layout numerator --style tex")
_add("verify", on_a_device(verify), "tr_axbxtc --sizes l=2,m=8,n=5 --dtype float64 --json result.json")
# A formula may begin with a minus, and is no option then.
_add(
    "check",
    on_a_device(check),
    """"tr(A X B X' C)" --wrt X --claim "B X' C A + B' X' A' C'\"""",
    context_settings={"ignore_unknown_options": True},
    help=f"{getdoc(check)}\n\n" + "\n\n".join(f"\b\n{section}" for section in as_text().split("\n\n")),
)
_add(
    "derive",
    derive,
    """"ln |X' A X|" --wrt X --where "A=positive definite" --layout numerator --steps""",
    context_settings={"ignore_unknown_options": True},
)
_add("bench", on_a_device(bench), "tr_axbxtc --regime square,tall --against autodiff,numpy --json result.json")
_add("compile", compile_, "traces --for cpu,cuda,rocm,tpu --dtype float32 --json result.json")
_add("devices", on_a_device(devices), "--json -")
