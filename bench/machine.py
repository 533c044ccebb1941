"""What a measurement was made on, as it stands in the result files."""

from importlib.metadata import version
from typing import Any

from matcalc.cli import environment as of_the_command
from matcalc.referee import Settings


def environment(*packages: str) -> dict[str, Any]:
    """That of the command, with the versions of NumPy and other packages."""
    return of_the_command(Settings()) | {package: version(package) for package in ("numpy", *packages)}
