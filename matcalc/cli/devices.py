"""`matcalc devices`: what JAX sees to compute on."""

import contextlib
from typing import Any

import jax

from matcalc.cli.environment import environment
from matcalc.cli.options import Json
from matcalc.cli.output import output
from matcalc.cli.tables import console, table


def devices(json_file: Json = None) -> None:
    """List the devices that JAX sees, and what runs on them."""
    found: list[dict[str, Any]] = []
    for name in ("cpu", "gpu", "tpu"):
        with contextlib.suppress(RuntimeError):
            found += [{"platform": name, "id": d.id, "device_kind": d.device_kind} for d in jax.devices(name)]
    with output(json_file) as write:
        write({"schema": 1, "environment": environment(), "devices": found})
    if json_file == "-":
        return
    rows = table("devices", "platform", "id", "kind")
    for device in found:
        rows.add_row(device["platform"], str(device["id"]), device["device_kind"])
    shown = console()
    shown.print(rows)
    shown.print(f"Default: {jax.default_backend()}. Use --platform to verify on another.")
