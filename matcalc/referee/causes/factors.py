"""Causes that are a factor: what a number, an array or a matrix would have to be multiplied by, and where it stands."""

import functools
from collections.abc import Callable, Iterator

import jax
import numpy as np

from matcalc.referee.causes.search import Search
from matcalc.referee.findings import Cause
from matcalc.referee.jaxprs import intermediates
from matcalc.referee.programs import Array, Arrays, is_real

FACTORS = 400  # values inside a program that may be the factor; of one with more, the first

Factor = Callable[[Arrays], Array | None]  # of the arguments


def by_log(search: Search) -> Iterator[Cause]:
    """The derivative by log x, or by exp x, entry by entry: the usual scales of positive parameters."""
    if search.runs.order != 1 or search.runs.form != "derivative":
        return

    places = search.runs.subject.variables
    names = " and ".join(search.runs.names[k] for k in search.bad)
    with np.errstate(all="ignore"):
        if search.explains_anywhere(lambda k, D, at: D * (1 / at[places[k]])):
            text = f"It is {names} times the gradient, entry by entry: that is the derivative by log {names}."
            yield Cause("log", text, f"Divide it by {names}, or check f as a function of log {names}.")
        if search.explains_anywhere(lambda k, D, at: D * np.exp(at[places[k]])):
            text = f"It is the gradient over exp {names}, entry by entry: that is the derivative by exp {names}."
            yield Cause("log", text, f"Multiply it by exp {names}, or check f as a function of exp {names}.")


def missing_factor(search: Search) -> Iterator[Cause]:
    """A factor that is an argument, or a value on the way to the derivative, is missing or is one too many."""
    if search.runs.order != 1 or search.second is None:
        return
    for what, factor in (*_arguments(search), *_values(search)):
        value = factor(search.runs.exact)
        rank = 0 if value is None else value.ndim
        for is_column in (False, True)[: 1 + (rank == 1)]:  # of each row, too
            if search.explains_anywhere(functools.partial(_scaled, factor, 1, is_column)):
                yield Cause("factor", f"It lacks the factor {what}.", "Multiply it by that.")
            elif search.explains_anywhere(functools.partial(_scaled, factor, -1, is_column)):
                yield Cause("factor", f"It has the factor {what}, and the gradient has not.", "Divide it by that.")


def missing_matrix(search: Search) -> Iterator[Cause]:
    """A matrix is missing on one side, or is one too many there."""
    runs = search.runs
    if runs.order != 1 or runs.form != "derivative" or search.second is None or search.evidence.witness_is_projected:
        return
    for place, a in enumerate(runs.exact):
        if not is_real(a) or a.ndim != 2:
            continue
        name = runs.subject.labels[place]
        forms: dict[str, Callable[[Array], Array]] = {name: lambda M: M, f"{name}ᵀ": lambda M: M.T}
        if a.shape[0] == a.shape[1] and np.linalg.cond(a) < 1e8:
            forms |= {f"{name}⁻¹": np.linalg.inv, f"{name}⁻ᵀ": lambda M: np.linalg.inv(M).T}
        for text, form in forms.items():
            for side in ("right", "left"):
                if search.explains_anywhere(functools.partial(_multiplied, place, form, side)):
                    cause = f"A factor {text} is missing on the {side}."
                    yield Cause("factor", cause, f"Multiply it by {text} on the {side}.")


def _scaled(factor: Factor, power: int, is_column: bool, _: int, D: Array, at: Arrays) -> Array:
    value = factor(at)
    if value is None:
        return D
    with np.errstate(all="ignore"):
        scale = np.asarray(value, np.float64) ** power
        scale = scale[:, None] if is_column else scale
        return D * scale if _broadcasts(scale.shape, D.shape) else D


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of one shape broadcasts to another."""
    return len(shape) <= len(to) and all(m in (1, n) for m, n in zip(shape[::-1], to[::-1], strict=False))


def _multiplied(place: int, form: Callable[[Array], Array], side: str, _: int, D: Array, at: Arrays) -> Array:
    M = form(np.asarray(at[place], np.float64))
    rows, columns = D.shape[-2:] if D.ndim >= 2 else (0, 0)
    if side == "right":
        return D @ M if columns == M.shape[0] == M.shape[1] else D
    return M @ D if rows == M.shape[0] == M.shape[1] else D


def _arguments(search: Search) -> Iterator[tuple[str, Factor]]:
    """The arguments, and the value: of log f the derivative lacks that."""
    runs = search.runs
    for place, label in enumerate(runs.subject.labels):
        if is_real(runs.exact[place]):
            yield label, lambda at, place=place: at[place]
    if runs.form == "derivative" and not runs.space.value:
        yield "f(…) itself", lambda at: runs.value(runs.subject.start(at), at)[0]


def _values(search: Search) -> Iterator[tuple[str, Factor]]:
    """The values on the way to JAX's derivative: σ′, a mask, 1/n."""
    runs, second = search.runs, search.second
    if not search.has_automatic or runs.of_derivative.mode != "jit" or second is None:
        return

    @functools.cache
    def seen(is_second: bool) -> list[tuple[Array, str, str]]:
        at = second.arrays if is_second else runs.exact
        arguments = (runs.subject.start(at), at, runs.tangents(np.float64))
        program = runs.of_derivative.traced(*arguments)
        return intermediates(program, jax.tree.leaves(arguments))[:FACTORS]

    shapes = {search.claim[k].shape for k in search.bad}
    try:
        values = seen(is_second=False)
    except Exception:  # an operation that cannot be run alone: nothing is known this way
        return
    for place, (value, name, line) in enumerate(values):
        fits = any(_broadcasts(form, shape) for shape in shapes for form in (value.shape, (*value.shape, 1)))
        if fits and np.all(np.isfinite(value)) and np.any(np.abs(np.float64(value)) != 1):

            def factor(at: Arrays, place: int = place) -> Array | None:
                return seen(is_second=at is second.arrays)[place][0]

            what = "the mask" if value.dtype == bool else name
            yield f"that is {what}{f' at {line}' if line else ' of what f computes'}", factor
