"""Jacobians: the same linear operations as matrices, vec(E) = J vec(∂X)."""

from matcalc.calculus.adjoint import adjoint, is_multiple
from matcalc.calculus.algebra import Algebra
from matcalc.calculus.differential import of_matrix
from matcalc.calculus.terms import (
    UNIT,
    Factor,
    NotDerivable,
    Size,
    Term,
    commutation,
    fresh,
    identity,
    inverse,
    ones,
    product,
    sized,
    times,
    unit,
)
from matcalc.formula import Formula
from matcalc.formula import tree as t


def jacobian(a: Algebra, E: Formula) -> Formula:
    """The J of vec(E) = J vec(∂X), for E linear in ∂X."""
    poly = a.poly(E)
    if a.dims(E)[0] == UNIT and not a.is_scalar(E):
        poly = a.transposed(poly)
    return t.sum_of([_of_term(a, term) for term in poly])


def _of_term(a: Algebra, term: Term) -> Formula:
    """vec(L E R) = (Rᵀ ⊗ L) vec(E), and of e(∂X) M with a scalar e it is vec(M) vec(e*)ᵀ."""
    moving = [i for i, factor in enumerate(term.word) if a.moving(factor.base)]
    outside = a.term_tree(Term(term.coef, tuple(s for s in term.scalars if not a.moving(s[0]))))
    if not moving:
        ((e, _),) = [s for s in term.scalars if a.moving(s[0])]
        G = t.sum_of(list(adjoint(a, t.Number(1), e)))
        return product(outside, _vec(a, a.word_tree(term.word)), t.Transpose(_vec(a, G)))
    (i,) = moving
    rows, columns = a.factor_dims(term.word[i])
    L = a.word_tree(term.word[:i]) if i else identity(rows)
    R = t.Transpose(a.word_tree(term.word[i + 1 :])) if term.word[i + 1 :] else identity(columns)
    return product(outside, t.Infix("⊗", R, L), _of_factor(a, term.word[i]))


def _vec(a: Algebra, M: Formula) -> Formula:
    return M if a.dims(M)[1] == UNIT else t.Apply("vec", M)


def _entries(a: Algebra, M: Formula) -> Size:
    return times(*a.dims(M))


def _of_factor(a: Algebra, factor: Factor) -> Formula:
    """The matrix of one factor that is linear in ∂X."""
    if factor.turned:  # vec(Eᵀ) = K vec(E)
        rows, columns = a.dims(factor.base)
        made = _of_factor(a, factor._replace(turned=False))
        return made if UNIT in (rows, columns) else product(commutation(rows, columns), made)
    match factor.base:
        case t.Derivative() as dX:
            return identity(_entries(a, dX))
        case t.Infix("⊙", left, right):  # vec(M ⊙ E) = diag(vec M) vec(E)
            e, other = (left, right) if a.moving(left) else (right, left)
            return product(t.Apply("diag", _vec(a, other)), jacobian(a, e))
        case t.Infix("⊘", e, other):
            return product(inverse(t.Apply("diag", _vec(a, other))), jacobian(a, e))
        case t.Apply("diag", e) if a.dims(e)[1] != UNIT:  # Σ e_i (e_i ⊗ e_i)ᵀ vec(E)
            (i,) = fresh(1, e)
            e_i = unit(i, a.dims(e)[0])
            pick = product(e_i, t.Infix("⊗", t.Transpose(e_i), t.Transpose(e_i)))
            return product(t.Sigma(i, t.Number(1), sized(a.dims(e)[0]), pick), jacobian(a, e))
        case t.Apply("diag", e):  # vec(diag(v)) = Σ (e_i ⊗ e_i) e_iᵀ v
            (i,) = fresh(1, e)
            e_i = unit(i, a.dims(e)[0])
            put = product(t.Infix("⊗", e_i, e_i), t.Transpose(e_i))
            return product(t.Sigma(i, t.Number(1), sized(a.dims(e)[0]), put), jacobian(a, e))
        case t.Apply("tril" | "triu" as function, e):
            every = t.Apply(function, ones(a.dims(e)))
            return product(t.Apply("diag", t.Apply("vec", every)), jacobian(a, e))
        case t.Apply("vec", e) | t.Unvec(_, e):
            return jacobian(a, e)
        case t.Apply("vech", e):  # L_n vec(E), with the elimination matrix
            return product(t.Constant("L", (sized(a.dims(e)[0]),)), jacobian(a, e))
        case t.Infix("×", left, right):  # u × e = [u]_× e
            if a.moving(left):
                return t.Neg(product(t.Apply("cross", right), jacobian(a, left)))
            return product(t.Apply("cross", left), jacobian(a, right))
        case t.Apply("cross", e):  # vec([e]_×) = Σ e_i ⊗ (e × e_i)
            (i,) = fresh(1, e)
            turn = t.Infix("⊗", unit(i, 3), t.Apply("cross", unit(i, 3)))
            return t.Neg(product(t.Sigma(i, t.Number(1), t.Number(3), turn), jacobian(a, e)))
        case t.Sigma(index, start, stop, body):
            return t.Sigma(index, start, stop, jacobian(a, body))
        case t.Frechet(function, U, e) if is_multiple(a, U, e):
            return jacobian(a, product(of_matrix(a, function, U), e))
        case t.Frechet("sqrt", U, e):  # S dS + dS S = dU of S = √U
            S, eye = t.Apply("sqrt", U), identity(a.dims(U)[0])
            both = t.Sum((t.Infix("⊗", eye, S), t.Infix("⊗", t.Transpose(S), eye)))
            return product(inverse(both), jacobian(a, e))
        case t.Frechet(function):
            raise NotDerivable(f"L_{function}(U, ∂X) is no product with ∂X")
        case t.Infix("⊗", left, right):
            return _kronecker(a, left, right)
        case base:
            raise NotDerivable(f"{base} has no matrix here")


def _kronecker(a: Algebra, left: Formula, right: Formula) -> Formula:
    """vec(A ⊗ X) = (I ⊗ K ⊗ I) (vec A ⊗ vec X)."""
    is_left = a.moving(left)
    (m, n), (p, q) = a.dims(left), a.dims(right)
    if n == q == UNIT:
        e, eye = (left, identity(m)) if is_left else (right, identity(p))
        return product(t.Infix("⊗", eye, right) if is_left else t.Infix("⊗", left, eye), jacobian(a, e))
    if UNIT in (m, n, p, q):
        raise NotDerivable("the vec of a matrix times a vector, in the sense of Kronecker, has no matrix here")
    middle = t.Infix("⊗", t.Infix("⊗", identity(n), commutation(q, m)), identity(p))
    if is_left:
        return product(middle, t.Infix("⊗", identity(times(m, n)), _vec(a, right)), jacobian(a, left))
    return product(middle, t.Infix("⊗", _vec(a, left), identity(times(p, q))), jacobian(a, right))
