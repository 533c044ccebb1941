"""`matcalc devices`: what JAX sees to compute on, how it computes there, and what can be compiled for."""

import contextlib
from typing import Any, cast

import jax

from matcalc.cli.environment import environment
from matcalc.cli.options import Json
from matcalc.cli.output import output
from matcalc.cli.tables import console, table
from matcalc.devices.targets import TARGETS


def devices(json_file: Json = None) -> None:
    """List the devices that JAX sees, how it computes on them, and what `matcalc compile` can compile for here."""
    config = cast(Any, jax.config)
    precision, is_x64 = config.jax_default_matmul_precision or "default", bool(config.jax_enable_x64)
    found: list[dict[str, Any]] = []
    for name in ("cpu", "gpu", "tpu"):
        with contextlib.suppress(RuntimeError):
            found += [
                {"platform": name, "id": d.id, "device_kind": d.device_kind, "memory_bytes": _memory(d)}
                for d in jax.devices(name)
            ]
    targets = [{"name": t.name, "is_chip": t.is_chip, "missing": t.missing} for t in TARGETS.values()]
    with output(json_file) as write:
        known = environment(precision=precision)
        write({"schema": 1, "environment": known, "x64": is_x64, "devices": found, "targets": targets})
    if json_file == "-":
        return
    rows = table("devices", "platform", "id", "kind", "memory")
    for device in found:
        memory = device["memory_bytes"]
        in_gib = "" if memory is None else f"{memory / 2**30:.1f} GiB"
        rows.add_row(device["platform"], str(device["id"]), device["device_kind"], in_gib)
    shown = console()
    shown.print(rows)
    shown.print(f"Default: {jax.default_backend()}. Use --platform to verify on another.")
    shown.print(f"Precision of matrix products outside of matcalc: {precision}. float64: {'on' if is_x64 else 'off'}.")
    shown.print(f"Lowered for, without the hardware: {', '.join(t.name for t in TARGETS.values() if not t.is_chip)}.")
    for extra in dict.fromkeys(t.extra for t in TARGETS.values() if t.is_chip):
        chips = [t for t in TARGETS.values() if t.extra == extra]
        remedy = f', after pip install "jax-matcalc[{extra}]"' if chips[0].missing else ""
        shown.print(f"Compiled for, without the hardware: {', '.join(t.name for t in chips)}{remedy}.")


def _memory(device: Any) -> int | None:
    """All that there is for arrays; None where JAX does not tell."""
    return (device.memory_stats() or {}).get("bytes_limit")
