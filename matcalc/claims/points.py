"""Where claims are compared: points drawn at random, points near one, and other numbers for sizes."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.slopes import along, condition, direction
from matcalc.domains import Domain, general, positive, well_conditioned, with_principal_logarithm
from matcalc.formula import Formula, FormulaError, infer
from matcalc.formula import tree as t
from matcalc.formula.variables import variables
from matcalc.streams import stream

DRAWS = (10, 10, 60)  # in each turn; in the last one until there is a point
WELL = 1e3  # the condition of a point that is well conditioned
ROOTS = ("ln", "sqrt")  # functions of matrices that are real where no eigenvalue is negative
SINGULAR = 1e-12  # relative, what of singular values is of rounding
KINKED = frozenset({"abs", "relu", "sign", "norm1"})
FARTHER = (1.0, 4.0, 0.25, 16.0, 2.0**-4, 64.0)  # times its size, that a variable is, to be beyond a kink
SCALES = (2.0**-3, 2.0**-6, 2.0**-9)  # of points nearer to 0, at which a claim has to hold too


def draw(problem: Problem, seed: Any, purpose: str, *, well: float = WELL) -> dict[str, Array]:
    """A random point where the function is finite and, if there are such, has a condition no larger than `well`.

    FormulaError where none is found.
    """
    rng = stream(seed, purpose)
    best, least = None, np.inf
    point: dict[str, Array] = {}
    for turn in (turn for turn, count in enumerate(DRAWS) for _ in range(count)):
        if best is not None and turn == len(DRAWS) - 1:
            break
        point = _point(problem, rng, turn)
        if not np.all(np.isfinite(problem.value_of(problem.formula, point))):
            continue
        if well == np.inf or (kappa := condition(problem, point)) <= well:
            return point
        if best is None or kappa < least:
            best, least = point, kappa
    if best is not None:
        return best
    text = str(problem.formula)
    reason = f"no random point was found where this is a finite number{not_real(problem, problem.formula, point)}"
    raise FormulaError(reason, text, 0, len(text))


def _point(problem: Problem, rng: np.random.Generator, turn: int) -> dict[str, Array]:
    """A random point of the domains; in the second turn one at which more functions are real, in the third any."""
    ways = (_principal, _positive, _general) if _is_restricted(problem) else (_general, _principal, _general)
    point: dict[str, Array] = {}
    for name, shape in problem.arguments.items():
        lengths = problem.numbers(shape)
        domain = problem.where.get(name)
        a = np.asarray((domain or ways[turn](lengths)).sample(rng, lengths), np.float64)
        if domain and turn == 1:
            a = next((other for other in _more_positive(a) if domain.contains(other)), a)
        point[name] = a
    return point


def _more_positive(a: Array) -> Iterator[Array]:
    """What of a domain may be positive where it is not: A A', or the entries without their signs."""
    if a.ndim == 2 and a.shape[0] == a.shape[1]:
        yield (a @ a.T + (a @ a.T).T) / 2
    yield np.abs(a)


def not_real(problem: Problem, tree: Formula, point: Arguments) -> str:
    """Which part of a formula is no finite number at a point, and what to declare against that; for messages."""
    for node in _inner_first(tree):
        try:
            value = problem.value_of(node, point)
            parts = [problem.value_of(child, point) for child in t.children(node)]
        except ValueError:  # constants that are sized by what stands around them
            continue
        if np.all(np.isfinite(value)) or not all(np.all(np.isfinite(part)) for part in parts):
            continue
        if isinstance(node, t.Apply) and node.function in ROOTS and np.ndim(parts[0]) == 2:
            names = [name for name in variables(node).ranks if _is_square(problem.shapes.get(name, ()))]
            free = [name for name in names if name not in problem.where]
            remedy = f". Is {' and '.join(free)} positive definite? Say so" if free else ""
            return f": {node} is real where {node.of} has no negative eigenvalues{remedy}"
        return f": {node} is none"
    return ""


def _inner_first(tree: Formula) -> Iterator[Formula]:
    for child in t.children(tree):
        yield from _inner_first(child)
    yield tree


def _is_square(shape: Sequence[Any]) -> bool:
    return len(shape) == 2 and shape[0] == shape[1]


def regularity(problem: Problem) -> int:
    """2 where the function is smooth and varies, 1 where it is smooth, else 0, as ln |X'X| is of a wide X."""
    problem = replace(problem, order=1)  # a function varies though its second derivative is 0
    try:
        point = draw(problem, 0, "regularity of a claim")
        (slopes,) = along(problem, point, direction(problem, 0)[None])
        # All arguments move: (X'X)^-1 y of a wide X is smooth in y, and has no value.
        moved = {
            name: a * (1 + 1e-7 * np.cos(np.arange(1.0, a.size + 1))).reshape(a.shape) for name, a in point.items()
        }
        before, after = (problem.value_of(problem.formula, at) for at in (point, moved))
    except FormulaError:
        return 0
    with np.errstate(all="ignore"):
        slope, change = np.abs(slopes).max(), np.abs(after - before).max()
    if not slope < 1e6 or not change < 1e-4 * (1 + np.abs(before).max()):
        return 0
    return 2 if slope > 1e-6 and not is_degenerate(problem, point) else 1


def singular(problem: Problem, formula: Formula, point: Arguments, spread: float = SINGULAR) -> Formula | None:
    """The first matrix of which a formula takes the inverse where, to rounding, it has none; so it has no value here.

    `spread` is of its singular values, the least over the largest.
    """
    inverted = (U for node in t.nodes(formula) if (U := _inverted(node)))
    return next((U for U in inverted if _is_singular(problem, U, point, spread)), None)


def is_degenerate(problem: Problem, point: Arguments) -> bool:
    """Whether a determinant or an inverse in it is of a singular matrix, so that its value is of rounding alone."""
    f = problem.formula
    dets = (node.of for node in t.nodes(f) if isinstance(node, t.Apply) and node.function == "det")
    return bool(singular(problem, f, point)) or any(_is_singular(problem, U, point, SINGULAR) for U in dets)


def _inverted(node: Formula) -> Formula | None:
    """The matrix of which this is the inverse or a negative power: of a root, that under it, which is singular too."""
    match node:
        case t.Apply("inv", U) | t.Power(U, t.Neg()):
            pass
        case t.Power(U, t.Number(k)) if k < 0:
            pass
        case _:
            return None
    while isinstance(U, t.Apply) and U.function == "sqrt":
        U = U.of
    return U


def _is_singular(problem: Problem, formula: Formula, point: Arguments, spread: float) -> bool:
    try:
        U = np.asarray(problem.value_of(formula, point))
    except (ValueError, KeyError):  # what a Σ counts, or a constant that is sized by what stands around it
        return False
    if U.ndim != 2 or min(U.shape) < 2 or not np.all(np.isfinite(U)):
        return False
    values = np.linalg.svd(U, compute_uv=False)
    return bool(values[-1] <= spread * values[0])


def near(problem: Problem, point: Arguments) -> Iterator[tuple[str, dict[str, Array]]]:
    """Points that differ in signs or in scale, as far as the domains allow; each with which of these it is."""

    def changed(change: Callable[[Array], Array], names: Iterable[str]) -> dict[str, Array]:
        new = {name: change(point[name]) for name in names}
        return {**point, **{name: a for name, a in new.items() if _is_inside(problem, name, a)}}

    for name in point:
        yield "sign", changed(np.negative, [name])
    yield "sign", changed(lambda a: np.concatenate([-a[:1], a[1:]]) if a.ndim else -a, [problem.wrt])
    for factor in SCALES:
        yield "scale", changed(lambda a, factor=factor: factor * a, point)


def other_sides(problem: Problem, point: Arguments) -> Iterator[dict[str, Array]]:
    """Points beyond the kinks of f: where relu(1 - a'x), which is 0 here, is positive, or the other way round.

    A function with a kink in a number has one formula on either side, and a random point is always on the same one
    where that number is 1 + ‖x‖². Of many entries some are on either side anyway.
    """
    for U in dict.fromkeys(U for node in t.nodes(problem.formula) for U in _bent(problem, node)):
        side = _side(problem, U, point)
        if side:
            moved = (other for other in _farther(problem, point) if _side(problem, U, other) not in (side, None))
            yield from itertools.islice(moved, 1)


def _bent(problem: Problem, node: Formula) -> Iterator[Formula]:
    """What has a kink where it is 0: also a number under a norm, or under the root of its square."""
    match node:
        case t.Apply(function, U) if function in KINKED:
            yield U
        case t.Apply("norm" | "norm2" | "det", U) | t.Apply("sqrt", t.Power(U, t.Number(2))):
            with contextlib.suppress(FormulaError):
                if not infer(U, problem.sized):
                    yield U
        case _:
            pass


def _side(problem: Problem, tree: Formula, point: Arguments) -> float | None:
    """The sign of all entries of a value; 0 where there are both, None where it has no value."""
    try:
        signs = np.unique(np.sign(problem.value_of(tree, point)))
    except (ValueError, KeyError):  # what a Σ counts, or a constant that is sized by what stands around it
        return None
    return None if np.any(np.isnan(signs)) else float(signs[0]) if len(signs) == 1 else 0.0


def _farther(problem: Problem, point: Arguments) -> Iterator[dict[str, Array]]:
    """Points with some of the arguments scaled, from near 0 to far out, with either sign."""
    for names in (*((name,) for name in point), tuple(point)):
        for scale in FARTHER:
            for sign in (1.0, -1.0):
                moved = {name: sign * scale * point[name] for name in names}
                if all(_is_inside(problem, name, a) for name, a in moved.items()):
                    yield {**point, **moved}


def elsewhere(problem: Problem) -> Problem:
    """The same with other numbers for sizes and integers, by which what is true for one number only is found."""
    larger = {letter: size + 1 for letter, size in problem.sizes.items()}
    return replace(problem, sizes=larger, exponent=problem.exponent + 1)


def turned(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """The same with the sizes in another order, where that is allowed and f is as regular; each with what is special.

    What is wide is tall there: first all at once, then one variable after the other.
    """
    for name, shape in {problem.wrt: problem.shapes[problem.wrt], **problem.shapes}.items():
        if len(shape) != 2 or not {*shape} <= {*problem.sizes} or shape[0] == shape[1]:
            continue
        rows, columns = problem.numbers(shape)
        letters = sorted(problem.sizes, key=lambda letter: problem.sizes[letter])
        back = dict(zip(letters, sorted(problem.sizes.values(), reverse=True), strict=True))
        swapped = {**problem.sizes, str(shape[0]): columns, str(shape[1]): rows}
        for sizes in (back, swapped):
            other = replace(problem, sizes=sizes)
            if has_shapes(other) and regularity(other) == 2:
                yield f"{'wide' if rows < columns else 'tall'} {name}", other


def has_shapes(problem: Problem) -> bool:
    """Whether there are matrices of these shapes in the domains."""
    return all(domain.has_shape(problem.numbers(problem.shapes[name])) for name, domain in problem.where.items())


def _is_inside(problem: Problem, name: str, value: Array) -> bool:
    """Whether a value is in the domain that was declared for the variable, if any was."""
    return name not in problem.where or problem.where[name].contains(value)


def _is_restricted(problem: Problem) -> bool:
    """Whether it has a logarithm or a root, of which not every argument is inside its domain."""
    return any(map(_is_root, t.nodes(problem.formula)))


def _is_root(node: Formula) -> bool:
    match node:
        case t.Apply(function):
            return function in (*ROOTS, "ln.", "sqrt.")
        case t.Power(_, exponent) | t.Infix(".^", _, exponent):
            return isinstance(exponent, t.Infix) or (isinstance(exponent, t.Number) and exponent.value % 1 != 0)
        case _:
            return False


def _general(shape: tuple[int, ...]) -> Domain:
    return well_conditioned if len(shape) == 2 else general


def _principal(shape: tuple[int, ...]) -> Domain:
    """Where logarithms and roots are real, of square matrices those of matrices."""
    return with_principal_logarithm if len(shape) == 2 and shape[0] == shape[1] else positive


def _positive(_: tuple[int, ...]) -> Domain:
    return positive
