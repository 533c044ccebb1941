"""`matcalc verify`: the closed forms of the catalogue against every witness."""

import io
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Annotated, Any, cast

import jax
import typer

from matcalc.catalogue import Identity
from matcalc.catalogue.certificates import Certificate
from matcalc.catalogue.certificates import certify as certify_entry
from matcalc.catalogue.verification import Result, Settings
from matcalc.catalogue.verification import verify as verify_entry
from matcalc.cli import exits
from matcalc.cli.environment import environment
from matcalc.cli.options import (
    Certify,
    Json,
    Names,
    Usage,
    arrays_of,
    certifiable,
    chosen,
    lengths,
    one_of,
    platform_of,
)
from matcalc.cli.output import output, result_as_json
from matcalc.cli.progress import Bar
from matcalc.cli.tables import CERTAIN, by_chapter, certified, console, digits_of, protocol, summary
from matcalc.layout import LAYOUTS, Layout
from matcalc.referee import EMULATED, PRECISIONS, VERDICTS, Emulated, Precision, emulate_products

WORTH = 8  # identities that take as long to verify as a process to start, or longer


def verify(
    names: Names = None,
    dtype: Annotated[str, typer.Option(help="float32, float64, or both with a comma.")] = "float32,float64",
    layout: Annotated[str, typer.Option(help="Of numerator, denominator, jax, vec.")] = "numerator,denominator",
    platform: Annotated[str | None, typer.Option(help="cpu, gpu or tpu; JAX's default otherwise.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of matrix products: highest (the default), high or default.")
    ] = None,
    emulate: Annotated[
        str | None,
        typer.Option(help="tf32 or bf16: round matrix products as a GPU or TPU does by default, on the CPU."),
    ] = None,
    sizes: Annotated[str | None, typer.Option(help="Sizes of axes, such as l=2,m=3,n=4.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random points, any integer.")] = 0,
    inputs: Annotated[Path | None, typer.Option(help="An .npz file of arrays named as the arguments.")] = None,
    certify: Certify = False,
    json_file: Json = None,
    html: Annotated[Path | None, typer.Option(help="Write the tables as HTML.")] = None,
) -> None:
    """Verify closed forms against JAX's automatic derivatives, a float64 reference and finite differences."""
    started = time.perf_counter()
    entries = chosen(names)
    emulated = cast(Emulated | None, emulate if emulate is None else one_of("--emulate", [emulate], EMULATED)[0])
    if emulated and platform not in (None, "cpu"):
        raise Usage(f"--emulate rounds the products of a CPU, as if it were another; got --platform {platform}.")
    if emulated and precision == "highest":
        raise Usage("--emulate rounds products of high or default precision; got --precision highest.")
    settings = Settings(
        dtypes=one_of("--dtype", dtype.split(","), ("float32", "float64")),
        layouts=cast(list[Layout], one_of("--layout", layout.split(","), LAYOUTS)),
        platform=platform_of("cpu" if emulated else platform),
        precision=cast(
            Precision, one_of("--precision", [precision or ("default" if emulated else "highest")], PRECISIONS)[0]
        ),
        sizes=lengths(sizes, entries),
        seed=seed,
    )
    arrays = None if inputs is None else arrays_of(inputs, entries if names else [])
    certifiable(certify)
    with output(json_file) as write, output(str(html) if html else None) as write_html:
        shown = console(io.StringIO() if json_file == "-" else None, record=html is not None)
        results, stopped = _verified(entries, settings, arrays, emulated, Bar(entries, is_shown=shown.is_terminal))
        seconds = time.perf_counter() - started
        counts = Counter(r.verdict for r in results)
        precise = f"{settings.precision} ({emulated} emulated)" if emulated else settings.precision
        known = environment(settings.platform, precise)
        for chapter, members in by_chapter(results, lambda r: r.chapter):
            shown.print(protocol(chapter, members, settings))
        for line in summary(results, settings, known, seconds):
            shown.print(line)
        certificates = list[Certificate]()
        if certify and not stopped:
            certificates, stopped = _certificates(entries, seed)
        for line in certified(certificates):
            shown.print(line)
        if stopped:
            done = f"{len({r.name for r in results})} of {len(entries)} identities were verified"
            of_them = f", {len({c.name for c in certificates})} of them in ball arithmetic" if certificates else ""
            shown.print(f"Interrupted: {done}{of_them}.")
        write(
            {
                "schema": 1,
                "environment": known,
                "results": [result_as_json(r) for r in results],
                "certificates": [result_as_json(c) for c in certificates],
                "summary": {v: counts[v] for v in VERDICTS} | {"seconds": round(seconds, 3), "interrupted": stopped},
            }
        )
        if html:
            write_html(shown.export_html())
    uncertain = [c for c in certificates if min(digits_of(c)) < CERTAIN]
    if stopped or counts["fail"] or counts["inconclusive"] or not results or uncertain:
        raise typer.Exit(exits.FAILED)


def _verified(
    entries: Sequence[Identity[Any]],
    settings: Settings,
    inputs: Mapping[str, Any] | None,
    emulated: Emulated | None,
    bar: Bar,
) -> tuple[list[Result], bool]:
    """The results of all entries, in their order, and whether Ctrl-C left only some of them.

    One entry a processor at a time.
    """
    processors = os.cpu_count() or 1
    processes = _processes(min(processors, len(entries) // WORTH), settings.platform, emulated)

    def verified(entry: Identity[Any]) -> list[Result]:
        bar.started(entry)
        try:
            if processes is None:
                return verify_entry(entry, settings, inputs)
            return processes.submit(verify_entry, entry, settings, inputs).result()
        finally:
            bar.ended(entry)

    threads = ThreadPoolExecutor(max_workers=processors)
    of_entry: dict[Future[list[Result]], Identity[Any]] = {}
    stopped = False
    try:
        with bar:
            of_entry.update((threads.submit(verified, entry), entry) for entry in entries)
            for future in as_completed(of_entry):
                future.result()  # or the first error
                bar.advance(of_entry[future])
    except KeyboardInterrupt:
        stopped = True
    except (ValueError, MemoryError) as error:  # inputs of no kind it is stated for, or sizes beyond memory
        raise Usage(str(error)) from None
    except BrokenProcessPool:
        raise Usage("A process that verified was ended from outside, as is done where memory runs out.") from None
    finally:
        finished = [f for f in of_entry if f.done() and not f.cancelled() and f.exception() is None]
        threads.shutdown(wait=False, cancel_futures=True)
        if processes is not None:
            processes.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
                process.join()
    return [r for f in finished for r in f.result()], stopped


def _processes(count: int, platform: str | None, emulated: Emulated | None) -> ProcessPoolExecutor | None:
    """Processes to verify in, each with its own interpreter: most of the work is Python's. None for one alone.

    None, too, where the platform is no CPU: a process keeps most of an accelerator's memory to itself. What is emulated
    always has a process of its own, of which all products are.
    """
    if not emulated and (count < 2 or (platform or jax.default_backend()) != "cpu"):
        return None
    # A process a processor: threads of BLAS would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return ProcessPoolExecutor(max(count, 1), multiprocessing.get_context("spawn"), _on_cpu, (emulated,))


def _on_cpu(emulated: Emulated | None) -> None:
    """Of a process that verifies: it takes hold of no accelerator, and leaves Ctrl-C to the one that prints."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jax.config.update("jax_platforms", "cpu")
    if emulated:
        emulate_products(emulated)


def _certificates(entries: Sequence[Identity[Any]], seed: int) -> tuple[list[Certificate], bool]:
    """Those of all entries, and whether Ctrl-C left only some of them."""
    certificates: list[Certificate] = []
    try:
        for entry in entries:
            certificates += certify_entry(entry, seed)
    except KeyboardInterrupt:
        return certificates, True
    return certificates, False
