"""A program lowered or compiled, and what the compiler says of it."""

import re
import textwrap
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
from jax import export

from matcalc.devices.program import Program
from matcalc.referee.jaxprs import products, weak_products

Verdict = Literal["lowered", "compiled", "rejected", "crashed", "timed out"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
LONGEST = 240  # letters of a reason


@dataclass(frozen=True)
class Outcome:
    """What became of a program for a target.

    `seconds` are those of tracing, lowering and compiling; all platforms that a program is lowered for share them.
    `products` are the matrix products of the program as JAX traced it, `weak` those below full precision.
    `memory_bytes` is what the compiler reserves on the device for arguments, results and what is between.
    """

    verdict: Verdict
    reason: str | None = None
    seconds: float = 0.0
    products: int | None = None
    weak: int | None = None
    memory_bytes: int | None = None
    custom_calls: list[str] | None = None


def lowered(program: Program, platforms: Sequence[str], precision: str) -> list[Outcome]:
    """For each platform, the program lowered to StableHLO by `jax.export`; each by itself where one rejects it."""
    start = time.perf_counter()
    counts = None, None
    with _in_force(program, precision):
        try:
            jitted, arguments = jax.jit(program.function), program.arguments()
            counts = _counts(jitted.trace(*arguments).jaxpr)
            export.export(jitted, platforms=platforms)(*arguments)
        except Exception as error:
            if len(platforms) > 1:
                return [outcome for name in platforms for outcome in lowered(program, [name], precision)]
            return [_rejected(error, start, *counts)]
    return [Outcome("lowered", None, time.perf_counter() - start, *counts)] * len(platforms)


def compiled(program: Program, platform: str, device: Any, precision: str) -> Outcome:
    """The program compiled by XLA for a device that need not be here."""
    start = time.perf_counter()
    counts = None, None
    with _in_force(program, precision):
        try:
            traced = jax.jit(program.function).trace(*program.arguments(device))
            counts = _counts(traced.jaxpr)
            executable = traced.lower(lowering_platforms=(platform,)).compile()
            memory: Any = executable.memory_analysis()
            calls = re.findall(r'custom_call_target="([^"]+)"', executable.as_text() or "")
        except Exception as error:
            return _rejected(error, start, *counts)
    of = ("temp", "argument", "output")
    needed = memory and sum(getattr(memory, f"{what}_size_in_bytes") for what in of)
    return Outcome("compiled", None, time.perf_counter() - start, *counts, needed, sorted(set(calls)))


@contextmanager
def _in_force(program: Program, precision: str) -> Generator[None]:
    """Float64 only where a program is of it: with it on, libtpu ends the process on some programs of float32."""
    with jax.enable_x64(program.dtype == "float64"), jax.default_matmul_precision(precision):
        yield


def _counts(jaxpr: Any) -> tuple[int, int]:
    """How many matrix products there are, and how many of them are weak."""
    return len(list(products(jaxpr))), len(weak_products(jaxpr))


def _rejected(error: Exception, start: float, count: int | None, weak: int | None) -> Outcome:
    lines = str(error).split("\n\n")[0]
    reason = textwrap.shorten(f"{type(error).__name__}: {lines}", LONGEST, placeholder=" …")
    return Outcome("rejected", reason, time.perf_counter() - start, count, weak)
