"""Normal forms of Σ: what its index does not touch leaves, and a sum over all places of a vector is a product.

Σ x_i e_i = x, Σ a_ij x_j = [A x]_i, Σ x_i y_i = xᵀ y.
"""

import math
from fractions import Fraction

from matcalc.calculus.algebra import Algebra, normal_form
from matcalc.calculus.shapes import counted
from matcalc.calculus.terms import (
    ONE,
    UNIT,
    Factor,
    Poly,
    Size,
    Term,
    is_size,
    mentions,
    of_size,
    ones,
    product,
    sized,
    unit,
)
from matcalc.formula import Formula
from matcalc.formula import tree as t

MOST_TERMS = 40  # that a product of sums is multiplied out to


@normal_form(t.Sigma)
def _sigma(a: Algebra, tree: t.Sigma) -> Poly:
    poly = a.poly(tree.body)
    if tree.stop == t.OPEN:
        stop = counted(tree, a.dims)
        tree = t.Sigma(tree.index, t.Number(1), sized(stop), tree.body) if stop else tree
    if tree.start == t.Number(1) and is_size(tree.stop) and tree.stop != t.OPEN:
        n = of_size(tree.stop)
        found = [_contracted(a, term, tree.index, n) for term in poly]
        if any(each is None for each in found):
            opened = multiplied_out(a, poly)
            again = [_contracted(a, term, tree.index, n) for term in opened]
            if any(each is not None for each in again):
                poly, found = opened, again
        rest = tuple(term for term, made in zip(poly, found, strict=True) if made is None)
        return a.collect([*(out for each in found for out in each or ()), *(_left_over(a, tree, rest) if rest else ())])
    return _left_over(a, tree, poly) if poly else ()


def multiplied_out(a: Algebra, poly: Poly) -> Poly:
    """Products of sums multiplied out, once; a term that becomes too many is left as it is."""
    return a.collect(out for term in poly for out in _opened(a, term))


def _opened(a: Algebra, term: Term) -> Poly:
    sums = [base for base, power in term.scalars if isinstance(base, t.Sum) and power == 1]
    parts: Poly = (Term(term.coef, tuple(s for s in term.scalars if s[0] not in sums)),)
    inside: list[Poly] = [a.poly(base) for base in sums]
    for factor in term.word:
        if isinstance(factor.base, t.Sum) and factor.power == 1:
            inside.append(a.transposed(a.poly(factor.base)) if factor.turned else a.poly(factor.base))
        else:
            inside.append((Term(ONE, (), (factor,)),))
    if math.prod(map(len, inside)) > MOST_TERMS:
        return (term,)
    for inner in inside:
        parts = tuple(made for one in parts for other in inner for made in a.multiply(one, other))
    return parts


def _left_over(a: Algebra, tree: t.Sigma, poly: Poly) -> Poly:
    """What stays a sum, with all outside that its index does not touch."""
    if len(poly) > 1:
        if any(map(a.term_moves, poly)):
            return a.collect(out for term in poly for out in _left_over(a, tree, (term,)))
        return a.atom(t.Sigma(tree.index, tree.start, tree.stop, a.tree(poly)))
    return _left_over_of_one(a, tree, next(iter(poly)))


def _left_over_of_one(a: Algebra, tree: t.Sigma, term: Term) -> Poly:
    def uses(factor: Factor) -> bool:
        return mentions(factor.base, tree.index) or mentions(factor.power, tree.index)

    inside = tuple(s for s in term.scalars if mentions(s[0], tree.index) or mentions(s[1], tree.index))
    outside = tuple(s for s in term.scalars if s not in inside)
    places = [i for i, factor in enumerate(term.word) if uses(factor)]
    if not places and not inside:  # as often as there are terms
        count = a.poly(t.Sum((tree.stop, t.Number(1), t.Neg(tree.start))))
        return a.times(count, (Term(term.coef, outside, term.word),))
    first, last = (places[0], places[-1] + 1) if places else (len(term.word), len(term.word))
    left, word, right = term.word[:first], term.word[first:last], term.word[last:]
    body = a.term_tree(Term(ONE, inside, word))
    made = t.Sigma(tree.index, tree.start, tree.stop, body)
    if a.is_scalar(body):
        return a.term(term.coef, (*outside, (made, ONE)), [*left, *right])
    return a.term(term.coef, outside, [*left, Factor(made), *right])


def _contracted(a: Algebra, term: Term, index: str, n: Size) -> Poly | None:
    """The sum of a term over all n places, as a product; None where it is none."""
    weights = _weights(a, term, index, n)
    if weights is None:
        return None
    scalars, v = weights
    outside = Term(term.coef, scalars)
    places = [i for i, f in enumerate(term.word) if mentions(f.base, index) or mentions(f.power, index)]
    if len(places) > 1 or (not places and v is None):
        return None
    if not places:
        summed = a.poly(t.Apply("sum", v)) if v is not None else ()
        return a.scale(a.times(summed, (Term(ONE, (), term.word),)), outside)
    (i,) = places
    factor = term.word[i]
    new = _in_place_of(factor, index, n, v)
    if new is None:
        return None
    middle = a.poly(t.Transpose(new) if factor.turned else new)
    middle = middle if len(middle) == 1 else (a.closed(middle),)
    left, right = Term(ONE, (), term.word[:i]), Term(ONE, (), term.word[i + 1 :])
    return a.scale(a.times(a.times((left,), middle), (right,)), outside)


def _weights(
    a: Algebra, term: Term, index: str, n: Size
) -> tuple[tuple[tuple[Formula, Fraction | Formula], ...], Formula | None] | None:
    """The scalars that the index does not touch, and the others as a vector of n places; None where they are none."""
    name = t.Name(index)
    vector: Formula | None = None
    scalars: list[tuple[Formula, Fraction | Formula]] = []
    for base, power in term.scalars:
        if not mentions(base, index) and not mentions(power, index):
            scalars.append((base, power))
            continue
        match base:
            case t.Entry(of, indices) if not mentions(of, index) and isinstance(power, Fraction):
                u = _as_vector(a, of, indices, name)
            case _:
                return None
        if u is None or a.dims(u) != (n, UNIT) or power.denominator != 1 or power < 1:
            return None
        for _ in range(int(power)):
            vector = u if vector is None else t.Infix("⊙", vector, u)
    return tuple(scalars), vector


def _as_vector(a: Algebra, of: Formula, indices: tuple[Formula, ...], name: t.Name) -> Formula | None:
    """The entries that the index counts: x of x_i, A e_j of a_ij by i."""
    rows, columns = a.dims(of)
    match indices:
        case (_,) if UNIT in (rows, columns):
            u: Formula = of if rows != UNIT else t.Transpose(of)
        case (i, j) if i == j:
            u = t.Apply("diag", of)
        case (i, j) if i == name and not mentions(j, name.name):
            u = product(of, t.Constant("e", (j, sized(columns))))
        case (i, j) if j == name and not mentions(i, name.name):
            u = product(t.Transpose(of), t.Constant("e", (i, sized(rows))))
        case _:
            return None
    return u if indices[0] == name or indices[-1] == name else None


def _in_place_of(factor: Factor, index: str, n: Size, v: Formula | None) -> Formula | None:
    """What stands for e_i, E_ij or diag(…) once it is summed with weights v."""
    name, weights = t.Name(index), ones((n, UNIT)) if v is None else v
    match factor.base:
        case t.Constant("e", (i, m)) if i == name and of_size(m) == n:
            return weights
        case t.Apply("diag" | "vec" as function, inner) if v is None and factor.power == 1:
            return t.Apply(function, t.Sigma(index, t.Number(1), sized(n), inner))
        case t.Constant("E", (i, j, m, p)) if i == j == name and of_size(m) == of_size(p) == n:
            return t.Apply("diag", weights)
        case t.Constant("E", (i, j, m, p)) if i == name != j and of_size(m) == n:
            return product(weights, t.Transpose(unit(j, of_size(p))))
        case t.Constant("E", (i, j, m, p)) if j == name != i and of_size(p) == n:
            return product(unit(i, of_size(m)), t.Transpose(weights))
        case _:
            return None
