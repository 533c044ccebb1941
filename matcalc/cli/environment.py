"""What a result was computed on: the device, the machine, the time and the versions."""

import datetime
import os
import platform as host
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

import matcalc


def environment(platform: str | None = None, precision: str = "highest") -> dict[str, Any]:
    """As it stands in result files: on this platform, JAX's default for None, with products in this precision."""
    found = jax.devices(platform)
    return {
        "matcalc": matcalc.__version__,
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "python": host.python_version(),
        "platform": found[0].platform,
        "device_kind": found[0].device_kind,
        "device_count": len(found),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "matmul_precision": precision,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """The model of the processor, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, host.machine())
