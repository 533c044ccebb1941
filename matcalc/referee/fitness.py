"""Why there is nothing to judge at a point: what the arguments are, and what f makes of them."""

import numpy as np

from matcalc.referee.findings import Cause
from matcalc.referee.programs import KeepsState, Raised, is_real
from matcalc.referee.runs import Runs
from matcalc.referee.subject import Subject
from matcalc.referee.watch import OutOfTime


def unfit(runs: Runs) -> Cause | None:
    """Why there is nothing to judge, if so."""
    try:
        return of_arguments(runs.subject) or of_value(runs)
    except OutOfTime:
        return late("the value was known")


def late(before: str) -> Cause:
    """That there was not the time."""
    return Cause("out of time", f"The time for a check was over before {before}.", "Give it more, as by seconds=600.")


def stateful(name: str) -> Cause:
    """That a function is another at each call."""
    text = f"{name} keeps state between calls: a value of one call is used in the next."
    return Cause("state", text, "Let it take what it keeps, such as a key or running statistics, as an argument.")


def of_arguments(subject: Subject) -> Cause | None:
    """Arguments that have no derivative, or that are no numbers."""
    if subject.masked:
        text = f"{subject.masked[0]} is a masked array, of which the mask would be lost."
        return Cause("integer", text, "Fill it, for example by x.filled(0).")
    if subject.not_arrays:
        return Cause(
            "integer",
            f"{subject.not_arrays[0]} is no array of floating numbers, and has no derivative.",
            "Convert it, for example by np.asarray(x, float).",
        )
    if not subject.variables:
        return Cause("empty", "The variable holds no array.", "Give a pytree with at least one array.")
    for name, k in zip(subject.names, subject.variables, strict=True):
        a = subject.arrays[k]
        if not is_real(a):
            text = f"{name} has dtype {a.dtype}, and integers have no derivative."
            return Cause("integer", text, "Convert it by .astype(float).")
        if not np.all(np.isfinite(a.astype(np.float64))):
            what = "NaN" if np.any(np.isnan(a.astype(np.float64))) else "an infinite entry"
            return Cause("domain", f"{name} contains {what}.", "Every entry must be finite.")
    if not any(subject.arrays[k].size for k in subject.variables):
        shapes = " and ".join(f"{n} has shape {s}" for n, s in zip(subject.names, subject.shapes, strict=True))
        return Cause("empty", f"{shapes}, and no entry.", "Give it at least one.")
    if outside := subject.outside():
        return Cause("domain", outside, "Choose a point inside.")
    return None


def of_value(runs: Runs) -> Cause | None:
    """What f returns that has no derivative."""
    try:
        value = runs.centre
    except KeepsState:
        return stateful("f")
    except Raised as error:
        return Cause("raises", f"f raised {error}.", "It must return an array at this point.")
    if len(value) != 1 or not is_real(value[0]):
        if len(value) != 1:
            remedy = "Return one of them, or say which, as by output=0."
            return Cause("shape", f"f must return one array of real numbers, got {len(value)} arrays.", remedy)
        text = f"f must return one array of real numbers, got dtype {value[0].dtype}."
        return Cause("shape", text, "Return its real or its imaginary part.")
    if value[0].size == 0:
        return Cause("empty", f"f returns an array of shape {value[0].shape}, without an entry.", "")
    if not np.all(np.isfinite(value[0])):
        return Cause("non-finite", "f is not finite at this point.", "Choose a point inside its domain.")
    return None
