"""A formula from a JAX function: it is traced, its program is read back, and both are compared at random points."""

import linecache
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.calculus import NotDerivable, written
from matcalc.calculus.terms import dims_of
from matcalc.claims.derived import FACTS, facts_of
from matcalc.claims.points import draw, elsewhere, has_shapes
from matcalc.claims.problem import Problem, Shape
from matcalc.claims.reading import SIZES, Domains, Shapes, domains_of, read_problem
from matcalc.claims.verification import Disagreement
from matcalc.derivation.traced.arguments import Examples, Subject, subject_of
from matcalc.derivation.traced.arrays import COLUMNS, ROWS, Array, constant, matrix, vector
from matcalc.derivation.traced.program import ProgramReader
from matcalc.domains import Domain, named
from matcalc.formula import Formula, FormulaError
from matcalc.formula import tree as t
from matcalc.formula.parser import name_of
from matcalc.formula.variables import Variables
from matcalc.referee.jaxprs import HERE
from matcalc.streams import stream

CLOSE = 30  # times the square root of the unit roundoff, or a change of the arguments by that: how near values must be
LIBRARIES = tuple(str(Path(np.__file__).parents[1] / name) for name in ("numpy", "scipy"))  # in which no user's code is
DRAWS = "point of a traced function"


# --- Tracing


@dataclass(frozen=True)
class Traced:
    """A function read back: its formula, the shapes of all variables, and the arrays that it closes over."""

    subject: Subject
    formula: Formula
    shapes: Mapping[str, Shape]  # by the names of variables
    constants: Mapping[str, Any] = field(default_factory=dict)
    has_maxima: bool = False
    has_choices: bool = False


def trace(subject: Subject, facts: Mapping[Formula, frozenset[str]], wrt: Sequence[str], *, drops: bool) -> Traced:
    """The formula of a function. NotDerivable where an operation has none, with the place of it."""
    dims = {subject.names[name]: dims_of(shape) for name, shape in subject.shapes.items()}
    closed, out = _program(subject)
    kinds = "integers" if out.dtype.kind in "iub" else "complex numbers" if out.dtype.kind == "c" else ""
    if kinds:
        raise ValueError(f"{subject.name} returns {kinds}; a derivative is of real numbers.")
    values = [jnp.asarray(value) for value in closed.consts]
    named_values = {f"c{k}": np.asarray(value) for k, value in enumerate(filter(_is_array, values), 1)}
    clash = named_values.keys() & dims.keys()
    if clash:
        raise ValueError(f"{subject.name} closes over an array, which is called {min(clash)}; rename that argument.")
    dims |= {name: dims_of(value.shape) for name, value in named_values.items()}
    facts = {**facts, **{t.Name(name): frozenset(FACTS.get(_kind(v), ())) for name, v in named_values.items()}}
    reader = ProgramReader(dims, facts, wrt, drops_maxima=drops)
    variables = [_variable(subject.names[name], shape) for name, shape in subject.shapes.items()]
    names = iter(named_values)
    constants = [_variable(next(names), v.shape) if _is_array(v) else _same_everywhere(v) for v in values]
    (result,) = reader.read(closed, variables, constants)
    if not isinstance(result, Array):
        raise NotDerivable(f"{subject.name} returns places, and no numbers.")
    kept = [k for k, size in enumerate(result.shape) if size != 1 or result.axes[k] is not None]
    result = Array(result.tree, tuple(result.axes[k] for k in kept), tuple(result.shape[k] for k in kept))
    if len(kept) > 2:
        raise NotDerivable(f"{subject.name} returns an array with {len(kept)} axes, and a formula has two at most.")
    tree = reader.writer.laid(result, dict(zip(range(len(kept)), (ROWS, COLUMNS), strict=False)))
    tree = written(reader.finished(tree), dims, result.shape)
    shapes = {subject.names[name]: shape for name, shape in subject.shapes.items()}
    shapes |= {name: value.shape for name, value in named_values.items()}
    return Traced(subject, tree, shapes, named_values, reader.has_maxima, reader.has_choices)


def _variable(name: str, shape: Shape) -> Array:
    match len(shape):
        case 0:
            return Array(t.Name(name))
        case 1:
            return vector(t.Name(name), shape[0])
        case _:
            return matrix(t.Name(name), shape)


def _is_array(value: Any) -> bool:
    """Whether a constant is more than one number, and not the unit matrix."""
    return value.ndim > 0 and not _is_eye(value) and bool(np.any(np.asarray(value) != np.asarray(value).flat[0]))


def _is_eye(value: Any) -> bool:
    return (
        value.ndim == 2 and value.shape[0] == value.shape[1] and bool(np.all(np.asarray(value) == np.eye(len(value))))
    )


def _same_everywhere(value: Any) -> Array:
    if _is_eye(value):
        return matrix(t.Constant("I", (t.Number(len(value)),)), value.shape)
    return constant(float(np.asarray(value).flat[0]), value.shape)


def _kind(value: Any) -> str:
    """What is known of an array that does not change."""
    if value.ndim != 2 or value.shape[0] != value.shape[1] or np.any(value != value.T):
        return ""
    is_definite = np.all(np.linalg.eigvalsh(np.asarray(value, float)) > 0)
    return "symmetric and positive definite" if is_definite else "symmetric"


def _program(subject: Subject) -> tuple[Any, Any]:
    """The program of a function, for sizes that may be letters, and what it returns."""
    letters = subject.letters
    symbols = dict(zip(letters, jax.export.symbolic_shape(", ".join(letters)), strict=True)) if letters else {}
    structs = [
        jax.ShapeDtypeStruct(
            tuple(symbols.get(str(n), n) for n in shape), subject.dtypes.get(name, jnp.result_type(float))
        )
        for name, shape in subject.shapes.items()
    ]
    try:
        closed, out = jax.make_jaxpr(subject.call, return_shape=True)(*structs)
    except Exception as error:
        raise _failure(subject, error) from error
    if not isinstance(out, jax.ShapeDtypeStruct):
        what = f"{type(out).__name__} of {len(out)}" if isinstance(out, tuple | list | dict) else type(out).__name__
        raise ValueError(f"{subject.name} must return one array; it returns a {what}. Return the one to differentiate.")
    return closed, out


def _failure(subject: Subject, error: Exception) -> ValueError:
    """What went wrong while the function ran on tracers, in its own terms."""
    place = _place(error)
    if isinstance(error, jax.errors.JAXTypeError):
        return NotDerivable(
            f"{subject.name} cannot be traced{place}: it asks for the value of an argument, as an if, a loop or NumPy "
            "does. Write it with jax.numpy, without a decision by values."
        )
    shapes = ", ".join(f"{name} {_in_words(shape)}" for name, shape in subject.shapes.items())
    text = (str(error).strip().splitlines() or [""])[0]
    return ValueError(f"{subject.name} fails{place} with {shapes}: {type(error).__name__}: {text}")


def _place(error: Exception) -> str:
    """Where in the user's code an error was raised."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((*HERE, *LIBRARIES, "<"))
    ]
    if not frames:
        return ""
    last = frames[-1]
    text = linecache.getline(last.filename, last.lineno or 0).strip()
    return f" at {last.filename.rpartition('/')[2]}:{last.lineno}" + (f" `{text[:60]}`" if text else "")


def _in_words(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "scalar"


# --- From the function to a problem


def read_function(
    function: Callable[..., Any],
    wrt: Sequence[str],
    *,
    shape: Shapes = None,
    args: Examples = None,
    where: Domains = None,
) -> Problem:
    """The formula of a function as a problem.

    ValueError for wrong arguments, and where the function fails; NotDerivable where an operation has no formula, with
    the place of it; Disagreement where the formula that was read back has other values than the function.
    """
    subject = subject_of(function, shape, args)
    wrt = [_asked(subject, name) for name in wrt]
    domains = {name_of(n): d if isinstance(d, Domain) else named(d) for n, d in domains_of(where).items()}
    for name in domains:
        if name not in subject.names.values():
            raise ValueError(f"{name} is no argument of {subject.name} with a shape; say it of those.")
    *others, last = _ways(subject)
    for way in others:
        try:
            return _read(way, wrt, domains)
        except ValueError:  # it cannot be traced or read where sizes are letters
            continue
    return _read(last, wrt, domains)


def _asked(subject: Subject, name: str) -> str:
    meant = name_of(name)
    if meant in subject.names.values():
        return meant
    listed = ", ".join(subject.names.values())
    if name in subject.signature.parameters:
        raise ValueError(f"{name} has no shape here, and is a constant; give its shape. Variables are {listed}.")
    raise ValueError(f"{name} is no argument of {subject.name}; its variables are {listed}.")


def _ways(subject: Subject) -> Iterator[Subject]:
    """The function with letters for its sizes, and then with numbers."""
    if not subject.letters:
        yield subject
        return
    yield subject
    free = (n for n in SIZES if n > 3)  # small ones are often special
    yield subject.at({letter: subject.sizes.get(letter) or next(free) for letter in subject.letters})


def _read(subject: Subject, wrt: Sequence[str], domains: Mapping[str, Domain]) -> Problem:
    """The problem; first without maxima, which are often there against overflow only, then with them.

    Sizes that are letters stay letters where the variables of the formula have them.
    """
    facts = facts_of(domains)
    for drops in (True, False):
        traced = trace(subject, facts, wrt, drops=drops)
        problem = _problem(traced, wrt[0], domains)
        same = _agrees(traced, problem)
        if same or not traced.has_maxima:
            break
    if same is None:
        raise NotDerivable(
            f"{subject.name} is read as {traced.formula}, and no point was found at which that could be compared with "
            "it. Give example arguments, args=(…), or domains, where=…"
        )
    if not same and traced.has_choices:
        raise NotDerivable(
            f"{subject.name} is read as {traced.formula}, which has other values where what it compares is equal."
        )
    if not same:
        raise Disagreement(
            f"{subject.name} is read as {traced.formula}, which has other values. If it depends on its arguments "
            "alone, that is a fault of matcalc: please report it, with this message."
        )
    return problem


def _problem(traced: Traced, wrt: str, domains: Mapping[str, Domain]) -> Problem:
    domains = {**domains, **{n: named(kind) for n, v in traced.constants.items() if (kind := _short(_kind(v)))}}
    used = {node.name for node in t.nodes(traced.formula) if isinstance(node, t.Name)}
    shapes = {name: shape for name, shape in traced.shapes.items() if name in used}
    notes = (
        *traced.subject.notes,
        *(f"{name} is an array that it closes over" for name in traced.constants if name in used),
    )
    letters = dict.fromkeys(size for shape in shapes.values() for size in shape if isinstance(size, str))
    if lost := used & {*traced.subject.letters} - letters.keys():
        raise NotDerivable(f"The size {min(lost)} is in {traced.formula}, and no variable there has it.")
    within = {name: domain for name, domain in domains.items() if name in used}
    sizes = dict(zip(traced.subject.letters, SIZES, strict=False))
    if wrt in used:
        problem = read_problem(traced.formula, wrt, shape=shapes, where=within)
        free = (size for size in SIZES if size not in problem.sizes.values())
        others = {letter: next(free) for letter in sizes if letter not in problem.sizes}
        return replace(problem, notes=notes, sizes={**problem.sizes, **others})
    shapes[wrt] = traced.shapes[wrt]
    found = Variables({name: len(shape) for name, shape in shapes.items()}, frozenset(), frozenset())
    notes = (*notes, f"it does not depend on {wrt}")
    return Problem(traced.formula, wrt, found, shapes, within, sizes, frozenset(), notes=notes)


def _short(kind: str) -> str:
    return "positive definite" if "definite" in kind else kind


# --- Whether the formula is the function


def _agrees(traced: Traced, problem: Problem) -> bool | None:
    """Whether they have the same values, at examples and random points of two sizes; None where there is no point."""
    found = [same for point, at in _points(traced, problem) if (same := _same(traced, at, point)) is not None]
    return all(found) if found else None


def _points(traced: Traced, problem: Problem) -> Iterator[tuple[dict[str, Any], Problem]]:
    subject = traced.subject
    others = [name for name in traced.shapes if name not in problem.shapes]
    for each in (problem, elsewhere(problem)) if problem.sizes else (problem,):
        if not has_shapes(each):
            continue
        try:
            point = draw(each, 0, DRAWS)
        except FormulaError:
            continue
        rng = stream(0, DRAWS)
        yield (
            {
                **point,
                **{name: rng.standard_normal(each.numbers(traced.shapes[name])) for name in others},
                **traced.constants,
            },
            each,
        )
    if len(subject.examples) == len(subject.shapes):
        point = {subject.names[name]: np.asarray(example, float) for name, example in subject.examples.items()}
        yield {**point, **traced.constants}, replace(problem, sizes=subject.sizes)


def _same(traced: Traced, problem: Problem, point: Mapping[str, Any]) -> bool | None:
    subject = traced.subject
    default = jnp.result_type(float)
    arrays = [jnp.asarray(point[subject.names[name]], subject.dtypes.get(name, default)) for name in subject.shapes]
    change, rng = float(jnp.finfo(default).eps) ** 0.5, stream(0, "changes of a traced function")
    moved = [a * (1 + change * rng.choice([-1.0, 1.0], a.shape).astype(a.dtype)) for a in arrays]
    try:
        program = jax.jit(subject.call)
        value, near = (np.asarray(program(*each)).astype(float) for each in (arrays, moved))
    except Exception:  # at these sizes the function has none
        return None
    read = np.asarray(problem.value_of(problem.formula, {n: point[n] for n in problem.shapes}), float)
    if read.size != value.size or not (np.all(np.isfinite(value)) and np.all(np.isfinite(read))):
        return None if read.size == value.size else False
    off, size = np.linalg.norm(read.ravel() - value.ravel()), max(np.linalg.norm(read), np.linalg.norm(value), 1e-30)
    # Of a singular matrix the determinant is rounding, and tells nothing.
    return bool(off <= min(CLOSE * change, 0.1) * size + CLOSE * np.linalg.norm(near - value))
