"""Products of a formula as Python: in which order they are taken, and what is no product by @.

A column times a row is an outer product, an inverse in front of something a linear system, a diagonal matrix scales
rows or columns, and what ends in a vector is multiplied from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matcalc.calculus.terms import UNIT, is_constant
from matcalc.derivation import texts
from matcalc.derivation.texts import Code
from matcalc.derivation.writing import Writing
from matcalc.formula import Formula
from matcalc.formula import tree as t


def product(w: Writing, factors: Sequence[Formula]) -> Code:
    """The product: scalars, and at most a column and a row or a matrix."""
    scalars: list[Code] = []
    runs: list[list[Formula]] = []
    for factor in [part for whole in factors for part in _with_units(whole)]:
        if w.is_scalar(factor):
            scalars.append(w.code(factor))
        elif runs and w.dims(runs[-1][-1])[1] != UNIT:
            runs[-1].append(factor)
        else:
            runs.append([factor])
    arrays: list[Code] = []
    for run in runs:
        is_scalar = w.dims(run[0])[0] == w.dims(run[-1])[1] == UNIT
        (scalars if is_scalar else arrays).append(chain(w, _without_identities(run)))
    if len(arrays) == 2:
        arrays = [_ones(w, runs) or w.call("outer", *arrays)]
    scalars = [scalar for scalar in scalars if scalar.text != "1"]
    return texts.times([*scalars, *arrays]) if scalars or arrays else Code("1")


def _ones(w: Writing, runs: Sequence[Sequence[Formula]]) -> Code | None:
    """𝟏 𝟏ᵀ as one array."""
    match [run for run in runs if w.dims(run[0])[0] != UNIT or w.dims(run[-1])[1] != UNIT]:
        case [[t.Constant("1", (m,))], [t.Transpose(t.Constant("1", (n,)))]]:
            return w.code(t.Constant("1", (m, n)))
        case _:
            return None


def _with_units(factor: Formula) -> tuple[Formula, ...]:
    """E_ij as e_i e_jᵀ."""
    match factor:
        case t.Constant("E", (i, j, m, n)):
            return t.Constant("e", (i, m)), t.Transpose(t.Constant("e", (j, n)))
        case t.Transpose(t.Constant("E", (i, j, m, n))):
            return t.Constant("e", (j, n)), t.Transpose(t.Constant("e", (i, m)))
        case _:
            return (factor,)


def _without_identities(run: Sequence[Formula]) -> list[Formula]:
    return [factor for factor in run if not is_constant(factor, "I")] or [run[0]]


def chain(w: Writing, run: Sequence[Formula]) -> Code:
    """The product of matrices, with a row before and a column behind them where there are such."""
    if len(run) == 1:
        return w.code(run[0])
    has_row, has_column = w.dims(run[0])[0] == UNIT, w.dims(run[-1])[1] == UNIT
    if has_row and has_column and all(isinstance(_operand(w, factor), Plain) for factor in run):
        return texts.matmul([w.code(factor) for factor in run])
    if has_column:
        return _from_right(w, run)
    return _from_left(w, run) if has_row else _of_matrices(w, run)


# --- What a factor is


@dataclass(frozen=True)
class Plain:
    """Anything else."""


@dataclass(frozen=True)
class Inverse:
    """U⁻¹ or U⁻ᵀ."""

    of: Formula
    is_turned: bool

    def code(self, w: Writing, is_turned: bool = False) -> Code:
        """U, as it is inverted here; transposed where what is transposed is wanted."""
        U = w.code(self.of)
        return texts.turned(U) if self.is_turned != is_turned else U


@dataclass(frozen=True)
class Diagonal:
    """diag(v) or its inverse."""

    of: Formula
    is_inverse: bool

    def scaled(self, w: Writing, x: Code, places: tuple[str, ...]) -> Code:
        """x by these entries, which stand beside it at `places`."""
        v = w.code(self.of)
        v = texts.indexed(v, *places) if places else v
        return texts.divided(x, v) if self.is_inverse else texts.times([v, x] if places != ROW else [x, v])


@dataclass(frozen=True)
class Ones:
    """𝟏 or 𝟏ᵀ."""


@dataclass(frozen=True)
class Unit:
    """e_i or e_iᵀ."""

    place: Formula


@dataclass(frozen=True)
class Crossing:
    """[a]_×, or its transpose."""

    of: Formula
    is_turned: bool


COLUMN, ROW = (":", "None"), ("None", ":")


def _operand(w: Writing, factor: Formula) -> Plain | Inverse | Diagonal | Ones | Unit | Crossing:
    is_turned = isinstance(factor, t.Transpose)
    match factor.of if isinstance(factor, t.Transpose) else factor:
        case t.Apply("diag", v) if w.dims(v)[1] == UNIT and w.is_matrix(factor):
            return Diagonal(v, False)
        case t.Apply("inv", t.Apply("diag", v)) if w.dims(v)[1] == UNIT and w.is_matrix(factor):
            return Diagonal(v, True)
        case t.Apply("inv", U) if w.language.solves:
            return Inverse(U, is_turned)
        case t.Constant("1", (_,)):
            return Ones()
        case t.Constant("e", (i, _)):
            return Unit(i)
        case t.Apply("cross", a):
            return Crossing(a, is_turned)
        case _:
            return Plain()


# --- Products with vectors


def _from_right(w: Writing, run: Sequence[Formula]) -> Code:
    """A (B x)."""
    *before, last = run
    match _operand(w, last):
        case Ones() if isinstance(_operand(w, before[-1]), Plain):
            x = w.code(before.pop())
            x = _summed(w, x, 1) if w.is_matrix(run[-2]) else w.word("sum", x)
        case Unit(i) if isinstance(_operand(w, before[-1]), Plain):
            x = w.code(before.pop())
            x = texts.indexed(x, ":", w.place(i)) if w.is_matrix(run[-2]) else texts.indexed(x, w.place(i))
        case _:
            x = w.code(last)
    for factor in reversed(before):
        x = _on_vector(w, factor, x)
    return x


def _on_vector(w: Writing, factor: Formula, x: Code) -> Code:
    """A matrix times a column, or a row times it."""
    match _operand(w, factor):
        case Inverse() as inverse:
            return w.call("solve", inverse.code(w), x)
        case Diagonal() as diagonal:
            return diagonal.scaled(w, x, ())
        case Ones():
            return w.word("sum", x)
        case Unit(i):
            return texts.indexed(x, w.place(i))
        case Crossing(a, is_turned):
            return w.call("cross", *((x, w.code(a)) if is_turned else (w.code(a), x)))
        case _:
            return texts.matmul([w.code(factor), Code(x.at(texts.POWER))])


def _from_left(w: Writing, run: Sequence[Formula]) -> Code:
    """(xᵀ A) B."""
    first, *behind = run
    match _operand(w, first):
        case Ones() if isinstance(_operand(w, behind[0]), Plain):
            x = _summed(w, w.code(behind.pop(0)), 0)
        case Unit(i) if isinstance(_operand(w, behind[0]), Plain):
            x = texts.indexed(w.code(behind.pop(0)), w.place(i))
        case _:
            x = w.code(first)
    for factor in behind:
        match _operand(w, factor):
            case Inverse() as inverse:
                x = w.call("solve", inverse.code(w, is_turned=True), x)
            case Diagonal() as diagonal:
                x = diagonal.scaled(w, x, ())
            case Crossing(a, is_turned):
                x = w.call("cross", *((w.code(a), x) if is_turned else (x, w.code(a))))
            case _:
                x = texts.matmul([x, w.code(factor)])
    return x


def _summed(w: Writing, X: Code, axis: int) -> Code:
    return Code(f"{w.language.xp}.sum({X.text}, {axis})")


# --- Products of matrices


def _of_matrices(w: Writing, run: Sequence[Formula]) -> Code:
    """A B C from left to right, but for what is solved with or scaled by."""
    if len(run) == 1:
        return w.code(run[0])
    match _operand(w, run[0]), _operand(w, run[-1]):
        case Diagonal() as diagonal, _:
            return diagonal.scaled(w, _of_matrices(w, run[1:]), COLUMN)
        case _, Diagonal() as diagonal:
            return diagonal.scaled(w, _of_matrices(w, run[:-1]), ROW)
        case Inverse() as inverse, _:
            w.inverted[inverse.of] += 1
            return w.call("solve", inverse.code(w), _of_matrices(w, run[1:]))
        case _:
            pass
    for i, factor in enumerate(run[1:-1], 1):
        if isinstance(_operand(w, factor), Inverse | Diagonal):
            return texts.matmul([_of_matrices(w, run[:i]), Code(_of_matrices(w, run[i:]).at(texts.POWER))])
    return texts.matmul([w.code(factor) for factor in run])
