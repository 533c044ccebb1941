"""Normal forms of sums, products, powers and transposes, and what neighbours in a product make."""

from fractions import Fraction
from typing import Any

from matcalc.calculus.algebra import Algebra, as_one, normal_form, symmetric
from matcalc.calculus.terms import (
    ONE,
    UNIT,
    Factor,
    NotDerivable,
    Poly,
    Term,
    commutation,
    identity,
    of_size,
    product,
)
from matcalc.calculus.words import meeting
from matcalc.formula import Formula
from matcalc.formula import tree as t

WRITTEN_OUT = 4  # the largest power of a product of matrices that is written as factors

MINUS = Term(-ONE)


@normal_form(t.Number)
def _number(a: Algebra, tree: t.Number) -> Poly:
    return (Term(Fraction(str(tree.value))),) if tree.value else ()


@normal_form(t.Constant)
def _constant(a: Algebra, tree: t.Constant) -> Poly:
    return () if tree.symbol == "0" else a.atom(tree)


@normal_form(t.Neg)
def _neg(a: Algebra, tree: t.Neg) -> Poly:
    return a.scale(a.poly(tree.of), MINUS)


@normal_form(t.Sum)
def _sum(a: Algebra, tree: t.Sum) -> Poly:
    return a.collect(term for part in tree.terms for term in a.poly(part))


@normal_form(t.Product)
def _product(a: Algebra, tree: t.Product) -> Poly:
    result = a.poly(tree.factors[0])
    for factor in tree.factors[1:]:
        result = a.times(result, a.poly(factor))
    return result


@normal_form(t.Transpose)
def _transpose(a: Algebra, tree: t.Transpose) -> Poly:
    return a.poly(tree.of) if a.is_scalar(tree.of) else a.transposed(a.poly(tree.of))


# --- Powers


@normal_form(t.Power)
def _power(a: Algebra, tree: t.Power) -> Poly:
    k, poly = a.exponent(tree.exponent), a.poly(tree.base)
    if k == 0:
        return a.poly(identity(a.dims(tree.base)[0]))
    if not poly:
        if isinstance(k, Fraction) and k < 0:
            raise NotDerivable(f"{tree} divides by 0")
        return ()
    term = as_one(a, poly)
    is_whole = isinstance(k, Fraction) and k.denominator == 1
    if a.is_scalar(tree.base):
        return power_of_scalar(a, term, k)
    if k == -1:
        return a.poly(t.Apply("inv", tree.base))
    is_bare = term.coef == 1 and not term.scalars
    if len(term.word) == 1 and (is_bare or is_whole):
        (factor,) = term.word
        coef = term.coef ** int(k) if isinstance(k, Fraction) else ONE
        return a.term(coef, a.powers(term.scalars, k), [factor._replace(power=a.scaled(factor.power, k))])
    if isinstance(k, Fraction) and is_whole and 0 < k <= WRITTEN_OUT:
        return a.term(term.coef ** int(k), a.powers(term.scalars, k), term.word * int(k))
    if term.coef > 0 or is_whole:
        scale = (t.Power(a.term_tree(Term(term.coef, term.scalars)), tree.exponent),) if not is_bare else ()
        base = a.spelled.setdefault(("product", term.word), a.word_tree(term.word))
        outside = a.poly(product(*scale)) if scale else (Term(ONE),)
        return a.times(outside, (Term(ONE, (), (Factor(base, k),)),))
    return a.atom(tree)


def power_of_scalar(a: Algebra, term: Term, k: Any) -> Poly:
    """A power of a scalar; a root is of the whole, as √(ab) is not √a √b."""
    if isinstance(k, Fraction) and k.denominator == 1:
        return (Term(term.coef ** int(k), a.merged(a.powers(term.scalars, k))),)
    if term.coef == 1 and len(term.scalars) == 1 and term.scalars[0][1] == 1:
        return (Term(ONE, ((term.scalars[0][0], k),)),)
    if not term.scalars and term.coef > 0 and isinstance(k, Fraction):
        root = float(term.coef) ** 0.5
        if k.denominator == 2 and root.is_integer():  # √4
            return (Term(Fraction(int(root)) ** k.numerator),)
    base = a.spelled.setdefault(("base", term), a.term_tree(term))
    if term.coef == 1:
        a.roots[base] = term
    return (Term(ONE, ((base, k),)),)


# --- Neighbours


@meeting
def _diagonals(a: Algebra, one: Factor, other: Factor) -> list[Factor] | None:
    """diag(v) diag(w) = diag(v ⊙ w)."""
    match one, other:
        case Factor(t.Apply("diag", v), p), Factor(t.Apply("diag", w), q) if p == q == 1:
            if a.dims(v)[1] == a.dims(w)[1] == UNIT:
                return a.factors(t.Apply("diag", t.Infix("⊙", v, w)))
        case _:
            pass
    return None


@meeting
def _pinv_transposed(a: Algebra, one: Factor, other: Factor) -> list[Factor] | None:
    """(X⁺)ᵀ Xᵀ = X X⁺ and Xᵀ (X⁺)ᵀ = X⁺ X."""
    for first, second in ((one, other), (other, one)):
        match first:
            case Factor(t.Apply("pinv", u), power, True) if power == second.power == 1:
                if a.poly(t.Transpose(u)) == (Term(ONE, (), (second,)),) and (factors := a.factors(u)):
                    pinv = Factor(first.base)
                    return [*factors, pinv] if first is one else [pinv, *factors]
            case _:
                pass
    return None


@meeting
def _kronecker(a: Algebra, one: Factor, other: Factor) -> list[Factor] | None:
    """(P ⊗ Q)(R ⊗ S) = P R ⊗ Q S, (P ⊗ Q) K = K (Q ⊗ P), and K_mn K_nm = I."""
    match one, other:
        case Factor(t.Constant("K", (m, n))), Factor(t.Constant("K", (p, q))) if (m, n) == (q, p):
            return [Factor(identity(a.dims(one.base)[0]))]
        case Factor(t.Infix("⊗", p, q), k), Factor(t.Infix("⊗", r, s), l) if k == l == 1:
            if a.dims(p)[1] == a.dims(r)[0] and a.dims(q)[1] == a.dims(s)[0]:
                return a.factors(t.Infix("⊗", product(p, r), product(q, s)))
        case Factor(t.Infix("⊗", p, q), k), Factor(t.Constant("K", (m, n))) if k == 1 and (
            (a.dims(p)[1], a.dims(q)[1]) == (of_size(m), of_size(n))
        ):
            rows = a.dims(p)[0], a.dims(q)[0]
            if (swapped := a.factors(t.Infix("⊗", q, p))) is not None:
                return swapped if UNIT in rows else [Factor(commutation(*rows)), *swapped]
        case _:
            pass
    return None


@meeting
def _units(a: Algebra, one: Factor, other: Factor) -> list[Factor] | None:
    """e_i e_jᵀ = E_ij."""
    match one, other:
        case Factor(t.Constant("e", (i, m)), _, False), Factor(t.Constant("e", (j, n)), _, True):
            return [Factor(t.Constant("E", (i, j, m, n)))]
        case _:
            return None


# --- Symmetry by form


@symmetric
def _as_a_whole(a: Algebra, tree: Formula) -> bool:
    return isinstance(tree, t.Sum | t.Product) and a.is_symmetric(tree)


@symmetric
def _of_parts(a: Algebra, tree: Formula) -> bool:
    match tree:
        case t.Infix("⊗" | "⊙" | "⊘" | "⊕", left, right):
            return a.is_symmetric(left) and a.is_symmetric(right)
        case t.Infix(".^", left, _):
            return a.is_symmetric(left)
        case t.Apply("diag", of):
            return a.dims(of)[1] == UNIT
        case t.Apply("tril" | "triu" | "vec" | "softmax"):
            return False
        case t.Apply(_, of):
            return a.dims(of)[1] != UNIT and a.is_symmetric(of)
        case t.Constant("E", (i, j, *_)):
            return i == j
        case _:
            return False
