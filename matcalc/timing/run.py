"""Cells measured: each contender compiled and analysed by itself, then all of them timed in turn."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from matcalc.planner import Work, work
from matcalc.timing.cell import Cell
from matcalc.timing.clock import Thunk, in_turn, once, ratio, typical
from matcalc.timing.limit import SIDE, is_of_products, limit, references
from matcalc.timing.peers import peer

OURS, AUTODIFF = "closed form", "autodiff"
AGREE = 0.01  # norm-wise: a peer that differs by more computes something else, and its time says nothing
LONGEST = 2.0  # seconds of a call; what takes longer is left out
RATIO = ("ratio_to_autodiff", "ratio_low", "ratio_high")


class LeftOut(Exception):
    """Why a cell is not measured."""


@dataclass(frozen=True)
class Measured:
    """A contender in a cell. Times in seconds, with 95% confidence intervals; `ratio` is autodiff's time over its own.

    `compile_s` is XLA's time, `trace_s` JAX's before that. `flops` and `peak_bytes` are what XLA says of the program,
    `operations` the multiply-adds and additions counted in it; `over_limit` is its time over what the machine needs at
    the least for them and for reading the arguments and writing the result once. `is_autodiff` says that XLA makes the
    same program of it as of autodiff: what its ratio differs from 1 by is the error of measuring.
    """

    name: str
    kind: str
    regime: str
    quantity: str
    sizes: Mapping[str, int]
    dtype: str
    batch: int | None
    contender: str
    median_s: float
    low_s: float
    high_s: float
    ratio_to_autodiff: float
    ratio_low: float
    ratio_high: float
    rounds: int
    trace_s: float | None = None
    compile_s: float | None = None
    flops: float | None = None
    peak_bytes: int | None = None
    operations: int | None = None
    over_limit: float | None = None
    is_autodiff: bool = False


@dataclass(frozen=True)
class Executable:
    """A compiled contender, what XLA says that it takes, and its work."""

    thunk: Thunk
    analysis: Mapping[str, Any]
    work: Work
    text: str


def compiled(function: Callable[..., Any], arrays: Sequence[Any]) -> Executable:
    """A function of arrays compiled for them, and what XLA says of it."""
    start = time.perf_counter()
    traced = jax.jit(function).trace(*arrays)
    lowered = traced.lower()
    between = time.perf_counter()
    executable = lowered.compile()
    end = time.perf_counter()
    costs: Any = executable.cost_analysis() or {}
    memory: Any = executable.memory_analysis()
    counted = work(traced.jaxpr)
    analysis = {
        "trace_s": between - start,
        "compile_s": end - between,
        "flops": costs.get("flops"),
        "peak_bytes": memory and memory.temp_size_in_bytes + memory.output_size_in_bytes,
        "operations": counted.operations,
    }
    return Executable(lambda: executable(*arrays), analysis, counted, _canonical(executable.as_text() or ""))


def _agree(one: Any, other: Any) -> bool:
    return bool(np.linalg.norm(np.ravel(one - other)) <= AGREE * np.linalg.norm(np.ravel(other)))


def _canonical(text: str) -> str:
    """The text of a program, with numbers for names in the order in which they come, and not where it is from."""
    body = re.sub(r", (metadata|frontend_attributes)=\{[^}]*\}", "", text)
    body = "".join(re.split(r"^(?=%|ENTRY)", body, flags=re.MULTILINE)[1:])  # without the header, which has its name
    numbers: dict[str, str] = {}
    return re.sub(r"%[\w.-]+|\b\w+\.\d+(?=:)", lambda name: numbers.setdefault(name.group(), f"%{len(numbers)}"), body)


def measure(cell: Cell, *, seconds: float, against: Sequence[str] = (), with_limit: bool = False) -> list[Measured]:
    """The closed form, autodiff and the peers in a cell, timed in turn for so many seconds or, see `in_turn`, longer.

    With `with_limit`, a cell of matrix products only is compared with what the machine can do at best, if it has as
    much to do as a product of its matrix with a vector. Raises LeftOut where no random point was found, and where a
    call of the closed form or of autodiff takes longer than `LONGEST`.
    """
    with jax.enable_x64(cell.dtype == "float64"):
        try:
            arrays = cell.arrays
        except ValueError as error:
            raise LeftOut(str(error)) from None
        executables = {OURS: compiled(cell.ours(), arrays), AUTODIFF: compiled(cell.by_jax(), arrays)}
        thunks = {name: executable.thunk for name, executable in executables.items()}
        for name, thunk in thunks.items():
            if (seconds_a_call := once(thunk)) > LONGEST:
                raise LeftOut(f"a call of {name} takes {seconds_a_call:.1f} s.")
        if against and cell.quantity == "derivative":
            peers = {name: peer(name, cell.identity, cell.values, cell.batch) for name in against}
            ours = np.asarray(thunks[OURS]())
            thunks |= {name: thunk for name, thunk in peers.items() if thunk and _agree(np.asarray(thunk()), ours)}
        work = executables[OURS].work
        is_same = executables[OURS].text == executables[AUTODIFF].text != ""
        has_peers = len(thunks) > len(executables)
        samples = in_turn(thunks, seconds=seconds, against=None if is_same else AUTODIFF, settling=has_peers)
        over_limit = None
        if with_limit and is_of_products(work) and work.operations >= SIDE**2:
            # Apart, as a large product leaves nothing in the caches.
            beside = in_turn({OURS: thunks[OURS], **references(cell)}, seconds=seconds, settling=has_peers)
            over_limit, *_ = ratio(limit(work, beside["product"], beside["copy"]).tolist(), beside[OURS])
    return [
        Measured(
            name=cell.identity.name,
            kind=cell.kind,
            regime=cell.regime,
            quantity=cell.quantity,
            sizes=dict(cell.sizes),
            dtype=cell.dtype,
            batch=cell.batch,
            contender=contender,
            **dict(zip(("median_s", "low_s", "high_s"), typical(taken), strict=True)),
            **dict(zip(RATIO, ratio(taken, samples[AUTODIFF]), strict=True)),
            rounds=len(taken),
            over_limit=over_limit if contender == OURS else None,
            is_autodiff=contender == AUTODIFF or (contender == OURS and is_same),
            **(executables[contender].analysis if contender in executables else {}),
        )
        for contender, taken in samples.items()
    ]
