"""What the options mean: identities, sizes, arrays and domains. What is wrong with them is told as wrong usage."""

import difflib
import functools
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, cast

import jax
import numpy as np
import typer

from matcalc.catalogue import CATALOGUE, Identity

Names = Annotated[list[str] | None, typer.Argument(help="Identities or chapters; all of them by default.")]
Certify = Annotated[bool, typer.Option("--certify", help="Also in ball arithmetic, by the printed formulas.")]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for stdout.")]


class Usage(typer.BadParameter):
    """Wrong usage: exit code 2."""


def chosen(names: Sequence[str] | None, chapters: bool = True) -> list[Identity[Any]]:
    """The identities of these names or chapters, all for none. Usage error, with the nearest name, for others."""
    known = dict.fromkeys(e.chapter for e in CATALOGUE.values()) if chapters else {}
    entries: dict[str, Identity[Any]] = {}
    for name in names or CATALOGUE:
        if name in known:
            entries |= {e.name: e for e in CATALOGUE.values() if e.chapter == name}
        elif name in CATALOGUE:
            entries[name] = CATALOGUE[name]
        else:
            near = difflib.get_close_matches(name.lower(), [*CATALOGUE, *known], n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else "`matcalc list` shows all."
            raise Usage(f"there is no identity named {name!r}. {hint}")
    return list(entries.values())


def one_of(option: str, given: Iterable[str], allowed: Sequence[str]) -> list[str]:
    """The given values of an option, without repeats. Usage error for any that is not allowed."""
    values = list(dict.fromkeys(value.strip() for value in given))
    for value in values:
        if value not in allowed:
            raise Usage(f"{option} takes {', '.join(allowed)}; got {value!r}.")
    return values


def platform_of(name: str | None) -> str | None:
    """A platform that JAX finds here, or None for its default."""
    if name is None:
        return None
    one_of("--platform", [name], ("cpu", "gpu", "tpu"))
    try:
        jax.devices(name)
    except RuntimeError:
        raise Usage(f"JAX finds no {name} here; `matcalc devices` lists what it finds.") from None
    return name


def on_a_device(command: Callable[..., None]) -> Callable[..., None]:
    """The command, before which JAX is asked for what it computes on. Usage error where that is missing."""

    @functools.wraps(command)
    def checked(*args: Any, **options: Any) -> None:
        wanted = f"JAX_PLATFORMS={cast(Any, jax.config).jax_platforms}"
        try:
            jax.devices()
        except (RuntimeError, AssertionError):  # an assertion of JAX fails for cuda where there is no GPU
            raise Usage(f"{wanted} names a platform that JAX does not find here. Unset it, or name others.") from None
        try:
            jax.devices("cpu")
        except RuntimeError:
            raise Usage(
                f"references are computed on the CPU, which {wanted} leaves out. Add it: {wanted},cpu."
            ) from None
        command(*args, **options)

    return checked


def certifiable(certify: bool) -> None:
    """Usage error where certificates are asked for, and the package that they need is not installed."""
    if certify and find_spec("flint") is None:
        raise Usage('--certify needs python-flint: pip install "jax-matcalc[certify]".')


def lengths(text: str | None, entries: Sequence[Identity[Any]]) -> dict[str, int]:
    """Sizes of axes, such as l=2,m=3."""
    sizes: dict[str, int] = {}
    known = {axis for e in entries for kind in e.covers for axis in e.signature.names(kind)}
    for part in [] if text is None else text.split(","):
        name, _, size = part.partition("=")
        if not size.strip().isdecimal() or int(size) < 1:
            raise Usage(f"--sizes takes name=number with numbers from 1, such as l=2,m=3; got {part!r}.")
        if name.strip() not in known:
            raise Usage(f"--sizes: no size is named {name.strip()!r} here, only {', '.join(sorted(known))}.")
        if name.strip() in sizes:
            raise Usage(f"--sizes: {name.strip()} is given twice.")
        sizes[name.strip()] = int(size)
    return sizes


def arrays_of(path: Path, entries: Sequence[Identity[Any]]) -> dict[str, Any]:
    """The arrays of an .npz file, checked against each identity. Usage error for what does not fit."""
    if not entries:
        raise Usage("--inputs needs the name of the identity that the arrays are for.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: _plain(archive[name]) for name in archive.files}
    except Exception as error:  # NumPy, zipfile and zlib have many
        raise Usage(f"--inputs: {path} is not a readable .npz file of arrays ({error}).") from None
    for entry in entries:
        for p in entry.signature.parameters:
            if p.name not in arrays:
                got = ", ".join(arrays) or "nothing"
                raise Usage(f"--inputs: {path} lacks the argument {p.name} of {entry.name}; it holds {got}.")
        try:
            with jax.enable_x64(True):
                entry.signature.bind((), {p.name: _in_float64(arrays[p.name]) for p in entry.signature.parameters})
        except (TypeError, ValueError) as error:
            raise Usage(f"--inputs: {error}") from None
    return arrays


def _plain(array: Any) -> Any:
    """An array, or a number of Python for one without axes."""
    return array if array.shape else array.item()


def _in_float64(value: Any) -> Any:
    """The dtype is chosen by --dtype, so floats of any kind will do; anything else is left for the check to name."""
    if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating):
        return value.astype(np.float64)
    return value
