"""Adjoints: one rule for each linear operation, ⟨G, L ∂X R⟩ = ⟨Lᵀ G Rᵀ, ∂X⟩. This is the trace trick as a table.

The adjoint E* of a formula E that is linear in ∂X gives the gradient of a scalar with differential ⟨G, E⟩ as E*(G).
"""

from collections.abc import Iterator, Sequence

from matcalc.calculus.algebra import Algebra
from matcalc.calculus.differential import inner_product, of_matrix
from matcalc.calculus.terms import (
    ONE,
    UNIT,
    Dims,
    Factor,
    NotDerivable,
    fresh,
    identity,
    ones,
    product,
    quotient,
    sized,
    trace,
    unit,
)
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.arbitrary import is_arbitrary


def adjoint(a: Algebra, G: Formula, E: Formula) -> Iterator[Formula]:
    """The parts of E*(G), for E linear in ∂X."""

    def pull(G: Formula, E: Formula) -> Iterator[Formula]:
        return adjoint(a, G, E)

    match E:
        case t.Derivative():
            yield G
        case t.Neg(e):
            yield from pull(t.Neg(G), e)
        case t.Sum(parts):
            for part in parts:
                yield from pull(G, part)
        case t.Transpose(e):
            yield from pull(t.Transpose(G), e)
        case t.Product(factors):
            yield from _product(a, G, factors)
        case t.Infix("/", e, s):
            yield from pull(quotient(G, s), e)
        case t.Infix("⊙", left, right):  # ⟨G, M ⊙ E⟩ = ⟨M ⊙ G, E⟩
            e, other = (left, right) if a.moving(left) else (right, left)
            yield from pull(t.Infix("⊙", other, G), e)
        case t.Infix("⊘", e, other):
            yield from pull(t.Infix("⊘", G, other), e)
        case t.Infix("×", left, right):  # ⟨G, u × e⟩ = ⟨G × u, e⟩
            turned = t.Infix("×", right, G) if a.moving(left) else t.Infix("×", G, left)
            yield from pull(turned, left if a.moving(left) else right)
        case t.Infix("⊗", left, right):
            yield from _kronecker(a, G, left, right)
        case t.Apply("tr", e):
            yield from pull(product(G, identity(a.dims(e)[0])), e)
        case t.Apply("sum", e):
            yield from pull(product(G, ones(a.dims(e))), e)
        case t.Apply("diag" | "tril" | "triu" as function, e):
            yield from pull(t.Apply(function, G), e)
        case t.Apply("cross", e):  # [e]_× = Σ (e × e_i) e_iᵀ
            (i,) = fresh(1, G, e)
            e_i = unit(i, 3)
            each = t.Infix("×", e_i, product(G, e_i))
            yield from pull(t.Sigma(i, t.Number(1), t.Number(3), each), e)
        case t.Apply("vec", e):
            yield from pull(_unvec(a, G, a.dims(e)), e)
        case t.Entry(e, indices):
            yield from pull(product(G, _unit_of(a, e, indices)), e)
        case t.Unvec(_, e):
            yield from pull(t.Apply("vec", G), e)
        case t.Sigma(index, start, stop, body):
            for part in pull(G, body):
                yield t.Sigma(index, start, stop, part)
        case t.Frechet(function, U, e):
            yield from _frechet(a, G, function, U, e)
        case _:
            raise NotDerivable(f"{E} has no adjoint here")


def _product(a: Algebra, G: Formula, factors: Sequence[Formula]) -> Iterator[Formula]:
    """⟨G, L E R⟩ = ⟨Lᵀ G Rᵀ, E⟩, of a scalar e times M it is ⟨⟨G, M⟩, e⟩."""
    (i,) = [i for i, factor in enumerate(factors) if a.moving(factor)]
    left, e, right = factors[:i], factors[i], factors[i + 1 :]
    if a.is_scalar(e) and not a.is_scalar(t.product_of(factors)):
        yield from adjoint(a, inner_product(a, G, t.product_of([*left, *right])), e)
        return
    rows, columns = ([t.Transpose(factor) for factor in reversed(side)] for side in (left, right))
    yield from adjoint(a, a.simplify(product(*rows, G, *columns)), e)


def _unit_of(a: Algebra, e: Formula, indices: tuple[Formula, ...]) -> Formula:
    """What an entry is the inner product with, e_i or E_ij; of a column of a matrix the e_iᵀ of ⟨G, E e_i⟩."""
    m, n = a.dims(e)
    if len(indices) == 1 and UNIT not in (m, n):
        return t.Transpose(unit(indices[0], n))
    if len(indices) == 1:
        made = unit(indices[0], m if n == UNIT else n)
        return made if n == UNIT else t.Transpose(made)
    return t.Constant("E", (*indices, sized(m), sized(n)))


def _unvec(a: Algebra, G: Formula, dims: Dims) -> Formula:
    """The matrix whose vec is G: of vec(M) it is M, of (B ⊗ A) vec(M) it is A M Bᵀ."""
    parts: list[Formula] = []
    for term in a.poly(G):
        outside = a.term_tree(term._replace(word=()))
        match term.word:
            case (Factor(t.Apply("vec", M)),):
                inner: Formula = M
            case (Factor(t.Infix("⊗", B, A), power, turned), Factor(t.Apply("vec", M))) if power == 1:
                A, B = (t.Transpose(A), t.Transpose(B)) if turned else (A, B)
                inner = product(A, M, t.Transpose(B))
                if a.dims(M) != (a.dims(A)[1], a.dims(B)[1]):  # as many entries, in columns of another length
                    inner = _reshaped(a, term.word, dims)
            case (Factor(t.Constant("1")),):
                inner = ones(dims)
            case word:
                inner = _reshaped(a, word, dims)
        if a.dims(inner) != dims:
            inner = _reshaped(a, term.word, dims)
        parts.append(product(outside, inner))
    return t.sum_of(parts)


def _reshaped(a: Algebra, word: tuple[Factor, ...], dims: Dims) -> Formula:
    return t.Unvec((sized(dims[0]), sized(dims[1])), a.word_tree(word))


# --- Kronecker products


def _kronecker(a: Algebra, G: Formula, left: Formula, right: Formula) -> Iterator[Formula]:
    """⟨P ⊗ Q, A ⊗ E⟩ = ⟨P, A⟩ ⟨Q, E⟩; of another G by the entries of A."""
    is_left = a.moving(left)
    e, other = (left, right) if is_left else (right, left)
    for term in a.opened(a.poly(G)):
        outside = a.term_tree(term._replace(word=()))
        match term.word:
            case (Factor(t.Constant("I")),) if a.is_square(left) and a.is_square(right):
                yield from adjoint(a, product(outside, trace(other), identity(a.dims(e)[0])), e)
            case (Factor(t.Infix("⊗", P, Q), power, turned),) if power == 1 and (
                a.dims(t.Transpose(P) if turned else P) == a.dims(left)
            ):
                P, Q = (t.Transpose(P), t.Transpose(Q)) if turned else (P, Q)
                mine, theirs = (P, Q) if is_left else (Q, P)
                yield from adjoint(a, product(outside, inner_product(a, theirs, other), mine), e)
            case word:
                yield from _kronecker_by_entries(a, product(outside, a.word_tree(word)), other, e, is_left)


def _kronecker_by_entries(a: Algebra, G: Formula, other: Formula, e: Formula, is_left: bool) -> Iterator[Formula]:
    """⟨G, A ⊗ E⟩ = Σ_ij a_ij ⟨(e_iᵀ ⊗ I) G (e_j ⊗ I), E⟩."""
    (m, n), (p, q) = a.dims(other), a.dims(e)
    if n == q == UNIT:  # a ⊗ e = vec(e aᵀ)
        M = _unvec(a, G, (m, p) if is_left else (p, m))
        yield from adjoint(a, product(t.Transpose(M) if is_left else M, other), e)
        return
    if UNIT in (m, n):
        raise NotDerivable("a Kronecker product with a vector is seen by what is no Kronecker product")
    i, j = fresh(2, G, other, e)
    rows, columns = (t.Transpose(unit(i, m)), identity(p)), (unit(j, n), identity(q))
    if is_left:
        rows, columns = rows[::-1], columns[::-1]
    entry = t.Entry(other, (t.Name(i), t.Name(j)))
    body = product(entry, t.Infix("⊗", *rows), G, t.Infix("⊗", *columns))
    made = t.Sigma(i, t.Number(1), sized(m), t.Sigma(j, t.Number(1), sized(n), body))
    yield from adjoint(a, made, e)


# --- Functions of matrices


def _frechet(a: Algebra, G: Formula, function: str, U: Formula, e: Formula) -> Iterator[Formula]:
    """⟨G, L_g(U, E)⟩ = ⟨L_g(Uᵀ, G), E⟩, which is ⟨G g'(U)ᵀ, E⟩ where Gᵀ is a function of U too."""
    rule = t.Transpose(of_matrix(a, function, U))
    if a.poly(G) and is_function_of(a, t.Transpose(G), U):
        yield from adjoint(a, product(G, rule), e)
    elif is_multiple(a, U, e):
        yield from adjoint(a, product(rule, G), e)
    elif is_arbitrary(function):
        raise NotDerivable(
            f"the derivative of {function} along a matrix that does not commute with it has no word here"
        )
    else:
        yield from adjoint(a, t.Frechet(function, t.Transpose(U), G), e)


def is_function_of(a: Algebra, G: Formula, U: Formula) -> bool:
    """Whether G is a function of the matrix U by its form, so that both commute."""
    base = a.poly(U)
    alone = base[0].word if len(base) == 1 else ()

    def commutes(factor: Factor) -> bool:
        match factor:
            case Factor(t.Constant("I")):
                return True
            case Factor(t.Apply(_, V), _, False) if a.dims(V) == a.dims(U) and a.poly(V) == base:
                return True
            case Factor(b, _, turned):
                if alone in ((Factor(b, ONE, turned),), (factor,)) or (not turned and a.poly(b) == base):
                    return True
                return isinstance(b, t.Sum) and not turned and is_function_of(a, b, U)

    return all(commutes(factor) for term in a.poly(G) for factor in term.word)


def is_multiple(a: Algebra, U: Formula, dU: Formula) -> bool:
    """Whether U = s M and dU = ds M with a scalar s, which commute."""
    one, other = a.poly(U), a.poly(dU)
    return len(one) == len(other) == 1 and one[0].word == other[0].word
