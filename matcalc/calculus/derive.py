"""Derivatives of formulas: the differential, and what it is transposed to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from matcalc.calculus import terms
from matcalc.calculus.adjoint import adjoint, is_multiple
from matcalc.calculus.algebra import Algebra
from matcalc.calculus.differential import differential, of_matrix
from matcalc.calculus.jacobian import jacobian
from matcalc.calculus.shorten import MOST_COMPARED, shortest
from matcalc.calculus.terms import SCALAR, UNIT, Dims, NotDerivable, length, product, times
from matcalc.formula import Formula
from matcalc.formula import tree as t

Kind = Literal["gradient", "jacobian", "by scalar", "differential"]
Facts = Mapping[Formula, frozenset[str]]

AN_INVERSE = 3  # nodes that it must save: an inverse needs a condition more than an adjugate


@dataclass(frozen=True)
class Derivative:
    """A derivative: of a scalar the gradient, of the variable's shape, else the Jacobian, of matrices by their vecs.

    Its constants carry their sizes. `differential` is linear in ∂X; where only that is closed, `formula` is None and
    `reason` says why. One that is not factored has too many terms for that.
    """

    kind: Kind
    formula: Formula | None
    differential: Formula
    dims: Dims
    reason: str = ""
    is_factored: bool = True


def derivative(
    tree: Formula, names: Mapping[str, Dims], facts: Facts, wrt: Sequence[str], moved: Collection[str] = ()
) -> list[Derivative]:
    """The derivatives of a formula by one variable after the other: the Hessian is the last of two.

    The constants of the formula carry their sizes. What is known of a variable is used only after the last
    differentiation by it: the differential of a symmetric X need not be symmetric. `moved` are variables that are
    functions of the first of `wrt`: their derivatives ∂_x U are variables too. Raises NotDerivable where the language
    has no closed form.
    """
    moving = {t.Name(name) for name in wrt}
    while_moving = {of: known & {"invertible"} if of in moving else known for of, known in facts.items()}
    found = _in_turn(tree, names, while_moving, wrt, moved)
    dets = [node.of for node in t.nodes(tree) if isinstance(node, t.Apply) and node.function == "det"]
    if dets and (plain := found[-1].formula) is not None:
        inverted = {**while_moving, **dict.fromkeys(dets, frozenset({"invertible"}))}
        other = _in_turn(tree, names, inverted, wrt, moved)
        shorter = other[-1].formula
        if shorter is not None and (shorter == plain or length(shorter) + AN_INVERSE <= length(plain)):
            found = other
    if while_moving == facts:
        return found
    a = Algebra(names, facts)
    return [_written_with(a, each) for each in found]


def _written_with(a: Algebra, found: Derivative) -> Derivative:
    """A derivative in its shortest form by all that is known."""
    if found.formula is None:
        return found
    formula = shortest(a, found.formula, found.dims)
    return replace(found, formula=formula, is_factored=found.is_factored and a.compared <= MOST_COMPARED)


def _in_turn(
    tree: Formula, names: Mapping[str, Dims], facts: Facts, wrt: Sequence[str], moved: Collection[str]
) -> list[Derivative]:
    found: list[Derivative] = []
    for variable in wrt:
        found.append(_derivative(tree, names, facts, variable, moved))
        if (formula := found[-1].formula) is None:
            break
        rows, columns = found[-1].dims
        is_zero = formula == t.Number(0) and (rows, columns) != SCALAR
        tree = t.Constant("0", (terms.sized(rows), terms.sized(columns))) if is_zero else formula
    return found


def leaves(a: Algebra, wrt: str, moved: Collection[str]) -> dict[str, Formula]:
    """The differentials of the variables: ∂x, and ∂_x U ∂x of a U that is a function of x.

    ∂_x u of a scalar u is a column.
    """
    dx = t.Derivative(wrt)

    def moved_by(name: str) -> Formula:
        D = t.Derivative(name, wrt)
        return product(t.Transpose(D) if a.is_scalar(t.Name(name)) and not a.is_scalar(dx) else D, dx)

    return {wrt: dx} | {name: moved_by(name) for name in moved}


def _derivative(tree: Formula, names: Mapping[str, Dims], facts: Facts, wrt: str, moved: Collection[str]) -> Derivative:
    a = Algebra(names, facts, f"d{wrt}")
    x = a.names[wrt]
    a.names[f"d{wrt}"] = x
    if a.dims(tree)[0] == UNIT and not a.is_scalar(tree):
        tree = t.Transpose(tree)
    value = a.dims(tree)
    dF = differential(a, a.simplify(tree), leaves(a, wrt, moved))
    dims = x if value == SCALAR else value if x == SCALAR else (times(*value), times(*x))
    if dF is None or not a.poly(dF):
        zero = t.Number(0)
        return Derivative("gradient" if value == SCALAR else "jacobian", zero, zero, dims)
    tidy = a.simplify(dF)
    if value == SCALAR:
        G = t.sum_of([a.simplify(part) for part in adjoint(a, t.Number(1), tidy)])
        return _shortest(a, "gradient", G, tidy, dims)
    if x == SCALAR:
        J = terms.replace(commuted(a, dF), lambda node: t.Number(1) if node == t.Derivative(wrt) else None)
        return _shortest(a, "by scalar", J, a.simplify(commuted(a, dF)), dims)
    tidy = a.simplify(commuted(a, tidy))
    try:
        J = jacobian(a, tidy)
    except NotDerivable as reason:
        return Derivative("differential", None, tidy, dims, str(reason))
    return _shortest(a, "jacobian", J, tidy, dims)


def _shortest(a: Algebra, kind: Kind, tree: Formula, differential: Formula, dims: Dims) -> Derivative:
    formula = shortest(a, tree, dims)
    return Derivative(kind, formula, differential, dims, is_factored=a.compared <= MOST_COMPARED)


def commuted(a: Algebra, dF: Formula) -> Formula:
    """The differential with L_g(s M, ds M) as the product that it is, for a scalar s."""

    def change(node: Formula) -> Formula | None:
        match node:
            case t.Frechet(function, U, e) if is_multiple(a, U, e):
                return product(commuted(a, e), of_matrix(a, function, U))
            case _:
                return None

    return terms.replace(dF, change)
