"""Of the ways to write a derivative, the shortest: factored, multiplied out, transposed."""

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from matcalc.calculus.algebra import Algebra, negated, transposes
from matcalc.calculus.sums import multiplied_out
from matcalc.calculus.terms import (
    ONE,
    SCALAR,
    Dims,
    Factor,
    Poly,
    Scalar,
    Term,
    flipped,
    identity,
    length,
)
from matcalc.formula import Formula
from matcalc.formula import tree as t

MULTIPLIED_OUT, MOST_TERMS = 3, 12  # how often, and up to how many terms are compared
MOST_COMPARED = 100_000  # nodes of terms that are compared two by two, for what they have in common
A_TRANSPOSE_AROUND = 4  # nodes that a transpose around the whole must save


def shortest(a: Algebra, G: Formula, dims: Dims) -> Formula:
    """A formula of this shape as briefly as it can be written."""
    poly = a.poly(G)
    ways = [factored(a, poly, dims)]
    opened = poly
    for _ in range(MULTIPLIED_OUT):
        before, opened = opened, multiplied_out(a, opened)
        if opened == before or len(opened) > MOST_TERMS:
            break
        ways.append(factored(a, opened, dims))
    if dims != SCALAR and transposes(poly) > 1:
        match factored(a, a.transposed(poly), flipped(dims)):
            case t.Neg(inner):
                ways.append(t.Neg(t.Transpose(inner)))
            case inner:
                ways.append(t.Transpose(inner))
    return min(ways, key=lambda way: length(way) + A_TRANSPOSE_AROUND * _is_transposed(way))


def _is_transposed(way: Formula) -> bool:
    return isinstance(way.of if isinstance(way, t.Neg) else way, t.Transpose)


def factored(a: Algebra, poly: Poly, dims: Dims) -> Formula:
    """A sum with common factors outside, where that is shorter."""
    poly = tuple(sorted(poly, key=lambda term: transposes((term,))))
    ways = [_signed(a, _factored(a, poly, dims)), _signed(a, poly)]
    return min(ways, key=length)


def _signed(a: Algebra, poly: Poly) -> Formula:
    """A sum that begins with a term without a minus, if there is one."""
    if len(poly) == 1:
        poly = (_flipped(a, poly[0]),)
    first = next((i for i, term in enumerate(poly) if term.coef > 0), 0)
    return a.tree((*poly[first : first + 1], *poly[:first], *poly[first + 1 :]))


def _flipped(a: Algebra, term: Term) -> Term:
    """-(u - v) A as (v - u) A."""
    if term.coef > 0:
        return term
    for i, factor in enumerate(term.word):
        if isinstance(factor.base, t.Sum) and factor.power == 1:
            base = _signed(a, negated(a.poly(factor.base)))
            if length(base) <= length(factor.base):
                word = (*term.word[:i], factor._replace(base=base), *term.word[i + 1 :])
                return Term(-term.coef, term.scalars, word)
    return term


def _factored(a: Algebra, poly: Poly, dims: Dims) -> Poly:
    """Two terms after two are joined, those first that save most."""
    terms = dict(enumerate(poly))
    lengths = {number: length(a.term_tree(term)) for number, term in terms.items()}
    gains: dict[tuple[int, int], tuple[int, Term] | None] = {}  # of pairs of terms, by their numbers
    while len(terms) > 1:
        pairs = list(itertools.combinations(terms, 2))
        new = [pair for pair in pairs if pair not in gains]
        a.compared += sum(lengths[p] + lengths[q] for p, q in new)
        if a.compared > MOST_COMPARED:
            break
        gains |= {(p, q): _most(a, terms[p], terms[q], dims) for p, q in new}
        found = [(gain, p, q) for p, q in pairs if (gain := gains[p, q])]
        if not found:
            break
        (_, made), p, q = max(found, key=lambda each: each[0][0])
        number = len(lengths)
        lengths[number] = length(a.term_tree(made))
        terms = {number if key == p else key: made if key == p else term for key, term in terms.items() if key != q}
    return tuple(terms.values())


def _most(a: Algebra, one: Term, other: Term, dims: Dims) -> tuple[int, Term] | None:
    """What two terms make together that saves most, and how much it saves; None where nothing saves."""
    best: tuple[int, Term] | None = None
    before = a.tree((one, other))
    for made in _joined(a, one, other, dims):
        after = a.term_tree(made)
        gain = length(before) - length(after) - 2 * (_eyes(after) - _eyes(before))
        if gain > 0 and (best is None or gain > best[0]):
            best = (gain, made)
    return best


def _eyes(tree: Formula) -> int:
    return sum(isinstance(node, t.Constant) and node.symbol == "I" for node in t.nodes(tree))


def _joined(a: Algebra, one: Term, other: Term, dims: Dims) -> Iterator[Term]:
    """P M S + P N S = P (M + N) S, for the longest P and S, for one of them, and for none."""
    longest = min(len(one.word), len(other.word))
    scalars = _common(one, other)
    number = Fraction(
        math.gcd(one.coef.numerator, other.coef.numerator), math.lcm(one.coef.denominator, other.coef.denominator)
    )
    number = -number if one.coef < 0 and other.coef < 0 else number
    for head, tail in ((True, True), (True, False), (False, True), (False, False)):
        p = _agreeing(one.word, other.word)[:longest] if head else ()
        s = _agreeing(one.word[::-1], other.word[::-1])[: longest - len(p)] if tail else ()
        if (head and not p) or (tail and not s) or (number in (1, -1) and not scalars and not p and not s):
            continue
        P, S = p, s[::-1]
        outside = a.powers(scalars, -ONE)
        middles = [
            Term(term.coef / number, a.merged((*term.scalars, *outside)), term.word[len(P) : len(term.word) - len(S)])
            for term in (one, other)
        ]
        shape = _shape_between(a, P, S, middles, dims)
        if shape and (inner := _sum_of(a, middles, shape)):
            if shape == SCALAR:
                yield Term(number, a.merged((*scalars, (inner.base, ONE))), (*P, *S))
            else:
                yield Term(number, scalars, (*P, inner, *S))
    yield from _joined_inside(a, one, other)


def _agreeing(one: Sequence[Factor], other: Sequence[Factor]) -> tuple[Factor, ...]:
    """The factors with which both words begin."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(f for f, _ in pairs)


def _common(one: Term, other: Term) -> tuple[Scalar, ...]:
    """The scalars in both, of what both divide by the smaller power."""
    found: list[Scalar] = []
    for (base, p), (other_base, q) in itertools.product(one.scalars, other.scalars):
        if base == other_base and p == q:
            found.append((base, p))
        elif base == other_base and isinstance(p, Fraction) and isinstance(q, Fraction) and p * q > 0:
            found.append((base, min(p, q, key=abs)))
    return tuple(found)


def _shape_between(
    a: Algebra, P: Sequence[Factor], S: Sequence[Factor], middles: Sequence[Term], dims: Dims
) -> Dims | None:
    if dims == SCALAR or not any(term.word for term in middles):
        return SCALAR
    shape = (a.factor_dims(P[-1])[1] if P else dims[0], a.factor_dims(S[0])[0] if S else dims[1])
    return None if shape == SCALAR else shape


def _sum_of(a: Algebra, middles: Sequence[Term], dims: Dims) -> Factor | None:
    """The sum as a factor, with one transpose outside rather than many inside; None where it is none."""
    parts: list[Term] = []
    for term in middles:
        if not term.word and dims != SCALAR:
            if dims[0] != dims[1]:
                return None
            term = term._replace(word=(Factor(identity(dims[0])),))
        match term.word:
            case (Factor(t.Sum() as base, power, turned),) if power == 1:
                inner = a.transposed(a.poly(base)) if turned else a.poly(base)
                parts += a.scale(inner, term._replace(word=()))
            case _:
                parts.append(term)
    poly = tuple(sorted(a.collect(parts), key=lambda term: transposes((term,))))
    if not poly:
        return None
    base = _signed(a, poly)
    if dims == SCALAR or transposes(poly) < 2:  # the one around it is a node too
        return Factor(base)
    other = _signed(a, a.transposed(poly))
    return Factor(other, ONE, True) if length(other) + 1 < length(base) else Factor(base)


def _joined_inside(a: Algebra, one: Term, other: Term) -> Iterator[Term]:
    """A ⊗ M + A ⊗ N = A ⊗ (M + N), and Σ M + Σ N = Σ (M + N)."""
    apart = [i for i, (f, g) in enumerate(zip(one.word, other.word, strict=False)) if f != g]
    if one.scalars != other.scalars or len(one.word) != len(other.word) or len(apart) != 1:
        return
    (i,) = apart
    ratio = other.coef / one.coef
    if abs(ratio) != 1:
        return

    def added(left: Formula, right: Formula) -> Formula:
        poly = (*a.poly(left), *a.scale(a.poly(right), Term(ratio)))
        return factored(a, a.collect(poly), a.dims(left))

    made: Formula | None = None
    match one.word[i].base, other.word[i].base:
        case t.Infix("⊗", M, N), t.Infix("⊗", P, Q) if M == P:
            made = t.Infix("⊗", M, added(N, Q))
        case t.Infix("⊗", M, N), t.Infix("⊗", P, Q) if N == Q:
            made = t.Infix("⊗", added(M, P), N)
        case t.Sigma(index, start, stop, body), t.Sigma(index_, start_, stop_, body_) if (start, stop) == (
            start_,
            stop_,
        ):
            made = t.Sigma(index, start, stop, added(body, t.rename(body_, {index_: index})))
        case _:
            pass
    if made is not None:
        yield one._replace(word=(*one.word[:i], Factor(made), *one.word[i + 1 :]))
