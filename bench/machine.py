"""What a measurement was made on, as it stands in the result files."""

import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any


def environment(*packages: str) -> dict[str, Any]:
    """That of the command, with the versions of NumPy and other packages."""
    command = [sys.executable, "-m", "matcalc", "devices", "--json", "-"]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(told)["environment"] | {package: version(package) for package in ("numpy", *packages)}
