"""What a measurement was made on, as it stands in the result files."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import jax

import matcalc
from matcalc.cli import processor


def environment(*packages: str) -> dict[str, Any]:
    """The machine, the time, and the versions of matcalc, jax and other packages."""
    return {
        "matcalc": matcalc.__version__,
        **{package: version(package) for package in dict.fromkeys(("jax", "jaxlib", "numpy", *packages))},
        "python": platform.python_version(),
        "platform": jax.default_backend(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
