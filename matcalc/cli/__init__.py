"""The command `matcalc`: a file for each of its commands, and one for what they share of options, tables and output."""

from typing import TYPE_CHECKING, Any

from matcalc.cli.entry import main as main

if TYPE_CHECKING:
    from matcalc.cli.commands import app as app


def __getattr__(name: str) -> Any:
    """The application is imported when it is asked for: `main` answers Ctrl-C while it is."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from matcalc.cli.commands import app

    return app
