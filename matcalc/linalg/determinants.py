"""Determinants and adjugates that are right at singular matrices too, with their derivatives."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from matcalc.linalg.basic import eye, factor, inverse, outer, product
from matcalc.linalg.derivatives import jax_rules_are_asked_for, with_derivative

UNROLLED = 8  # rows, up to which an adjugate is computed without loops: XLA then runs it on the calling thread


def det(X: Array) -> Array:
    """The determinant of a square matrix, with a derivative, the adjugate, that is right at singular matrices too."""
    if jax_rules_are_asked_for():
        return jnp.linalg.det(X)
    return with_derivative(_det_by_lu, lambda X: (_det_by_lu(X), adj(X).T), 0)(X)


def _det_by_lu(X: Array) -> Array:
    # By the factorisation from which `adj` is computed, so that the compiler factors once for both.
    return jnp.linalg.det(X.T) if len(X) <= 4 else _det_of(factor(X))


def _det_of(factors: tuple[Array, Array]) -> Array:
    LU, swaps = factors
    return _sign(swaps, LU.dtype) * jnp.prod(jnp.diag(LU))


def logabsdet(X: Array) -> Array:
    """ln |det X|, also where the determinant itself overflows."""
    # Of Xᵀ, because `inverse` too is computed from the factors of Xᵀ: the compiler then factors once for both.
    return jnp.linalg.slogdet(X if jax_rules_are_asked_for() else X.T)[1]


def adj(X: Array) -> Array:
    """The adjugate X*, with X X* = |X| I, of a square matrix of any rank.

    By cofactors up to 4×4, else from one LU factorisation, and above 8×8 from a second one where pivots are 0 to
    rounding. Derivatives of every order are right at invertible matrices and up to 4×4 (but for the third at a 4×4
    zero), the first derivative also at larger singular ones. Source: G. W. Stewart, "On the adjugate matrix", Linear
    Algebra and its Applications 283 (1998).
    """
    # The entries of X* are polynomials in those of X, namely determinants of order n - 1. So an equation of polynomials
    # that holds where X is invertible and X* = |X| X⁻¹ holds for every X. That gives
    #     (X Y)* = Y* X*,    (Xᵀ)* = (X*)ᵀ,    Q* = |Q| Qᵀ for an orthogonal Q,
    # on which the functions below rest. They factor X into matrices whose adjugates are plain, and divide by nothing
    # that is 0 where X is singular.
    return _adj_by_cofactors(X) if len(X) <= 4 else _adj_of_any_rank(X)


@jax.custom_jvp
def _adj_of_any_rank(X: Array) -> Array:
    if len(X) <= UNROLLED:
        return _adj_without_division(X.T).T  # see `factor`
    A, pivots = _adj_by_lu(X.T)

    # A loop of at most one step, and not a `cond`: under vmap it runs only if some matrix of the batch needs it.
    def once_more(_: Any) -> tuple[Any, Array]:
        return jnp.array(True), _adj_of_mixed(X.T)

    return jax.lax.while_loop(lambda state: ~state[0], once_more, (_are_safe(pivots[:-1]), A))[1].T


@_adj_of_any_rank.defjvp
def _adj_of_any_rank_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (X,), (dX,) = primals, tangents
    factors = factor(X)
    safe = _are_safe(jnp.diag(factors[0]))

    # Under vmap both branches run and one is selected, so each is given a matrix that it can take.
    def invertible(X: Array, dX: Array, LU: Array, swaps: Array) -> Array:
        Y, factors = jnp.where(safe, X, eye(X)), (jnp.where(safe, LU, eye(X)), swaps)
        return jax.jvp(lambda Y: _det_times_inverse(Y, factors), (Y,), (dX,))[1]

    def singular(X: Array, dX: Array, *_: Array) -> Array:
        return _change_of_adj_by_svd(jnp.where(safe, eye(X), X), dX)

    return _adj_of_any_rank(X), jax.lax.cond(safe, invertible, singular, X, dX, *factors)


def _adj_by_lu(X: Array) -> tuple[Array, Array]:
    """The adjugate where no pivot but the last is 0, and the pivots."""
    # X = Pᵀ L U with the pivots d₁ … dₙ on the diagonal of U, and with |L| = 1, has the adjugate
    #     X* = U* L* (Pᵀ)* = U* L⁻¹ |P| P.
    # The last row of U is dₙ eₙᵀ. So U = D V with D = diag(1, …, 1, dₙ), where V is U with 1 in place of dₙ, and
    #     U* = V* D* = V⁻¹ diag(dₙ, …, dₙ, 1) d₁ … dₙ₋₁.
    # Nothing is divided by dₙ, and of almost every matrix of rank n - 1 only dₙ is 0. Another pivot of 0 is replaced by
    # 1; the result is then not used, or multiplied by that 0.
    LU, swaps, permutation = jax.lax.linalg.lu(X)
    pivots = jnp.diag(LU)
    others = _sign(swaps, X.dtype) * jnp.prod(pivots[:-1])
    factors = jnp.full(len(X), others * pivots[-1]).at[-1].set(others)
    V = jnp.where(eye(X) == 1, jnp.where(pivots == 0, 1, pivots).at[-1].set(1), LU)
    L_inv_P = _solve_lower(V, permutation)
    return jax.lax.linalg.triangular_solve(V, factors[:, None] * L_inv_P, left_side=True), pivots


def _solve_lower(L: Array, permutation: Array) -> Array:
    """L⁻¹ P, of the entries below the diagonal of L and ones on it."""
    P = (permutation[:, None] == np.arange(len(L), dtype=permutation.dtype)[None]).astype(L.dtype)
    return jax.lax.linalg.triangular_solve(L, P, left_side=True, lower=True, unit_diagonal=True)


def _adj_without_division(X: Array) -> Array:
    """The adjugate, whichever pivots are 0. Products of many pivots would overflow, so for few rows only."""
    # X* = U* L⁻¹ |P| P as in `_adj_by_lu`. With aᵢ = d₁ … dᵢ₋₁, the matrix
    #     W = diag(1/aᵢ₊₁) U diag(aₖ),    wᵢₖ = uᵢₖ aₖ/aᵢ₊₁ = uᵢₖ dᵢ₊₁ … dₖ₋₁ for i < k,    wᵢᵢ = dᵢ aᵢ/aᵢ₊₁ = 1,
    # is unit upper triangular. So U⁻¹ = diag(aᵢ) W⁻¹ diag(1/aⱼ₊₁), and with |U| = aₙ₊₁ and aₙ₊₁/aⱼ₊₁ = dⱼ₊₁ … dₙ
    #     (U*)ᵢⱼ = d₁ … dᵢ₋₁ (W⁻¹)ᵢⱼ dⱼ₊₁ … dₙ.
    # Nothing is divided: W and W⁻¹ are polynomials in the entries of U. Below, G is W⁻¹ diag(dⱼ₊₁ … dₙ) L⁻¹ |P| P.
    n, (LU, swaps, permutation) = len(X), jax.lax.linalg.lu(X)
    products = [jnp.ones(n + 1, X.dtype)]  # of row i, counted from -1, the d_l with i < l < k, for k from 0 to n
    for k, d in enumerate(jnp.diag(LU)):
        products.append(jnp.where(np.arange(-1, n) < k, products[-1] * d, products[-1]))
    between = jnp.stack(products, axis=1)
    before, W, after = between[0, :n], LU * between[1:, :n], _sign(swaps, X.dtype) * between[1:, n]
    G = jax.lax.linalg.triangular_solve(
        W, after[:, None] * _solve_lower(W, permutation), left_side=True, unit_diagonal=True
    )
    return before[:, None] * G


def _sign(swaps: Array, dtype: Any) -> Array:
    """The determinant of a permutation, ±1, given as swaps of each row with a later one."""
    return jnp.prod(jnp.where(swaps != np.arange(len(swaps), dtype=swaps.dtype), -1, 1).astype(dtype))


def _are_safe(pivots: Array) -> Array:
    """Whether no pivot is as small as the rounding of another."""
    size = jnp.abs(pivots)
    return jnp.min(size) > (len(size) + 1) * jnp.finfo(size.dtype).eps * jnp.max(size)


def _adj_by_cofactors(X: Array) -> Array:
    """The adjugate of up to 4×4, without a factorisation."""
    match len(X):
        case 1:
            return jnp.ones_like(X)
        case 2:
            (a, b), (c, d) = X
            return jnp.stack([jnp.stack([d, -b]), jnp.stack([-c, a])])
        case 3:
            u, v, w = X  # rows: u·(v×w) = v·(w×u) = w·(u×v) = |X|, and u·(w×u) = 0
            return jnp.stack([jnp.cross(v, w), jnp.cross(w, u), jnp.cross(u, v)], axis=1)
        case _:
            # Rows and columns are swapped so that the largest entry p is in the corner. Then with S = B - c rᵀ/p,
            #     Y = [p  rᵀ] = [ 1   0] [p  0] [1  rᵀ/p],    Y* = [1  -rᵀ/p] [|S|   0 ] [ 1    0]
            #         [c  B ]   [c/p  I] [0  S] [0   I  ]          [0    I  ] [ 0  p S*] [-c/p  I],
            # and multiplied out Y* = [|S| + rᵀ S* c/p   -rᵀ S*]
            #                         [    -S* c          p S* ].
            # As p is the largest entry, S has none that is large against the second singular value of X, so that
            # its cofactors lose no digits to a large first one.
            n = len(X)
            i, j = jnp.divmod(jnp.argmax(jnp.abs(X)), n)
            k = jnp.arange(n)
            rows, columns = (jnp.where(k == 0, index, jnp.where(k == index, 0, k)) for index in (i, j))
            sign = jnp.where(i == 0, 1, -1) * jnp.where(j == 0, 1, -1)
            Y = X[rows][:, columns]
            p, r, c = Y[0, 0], Y[0, 1:], Y[1:, 0]
            inverse_p = jnp.where(p == 0, 0, 1 / jnp.where(p == 0, 1, p))  # p is 0 only for X = 0
            S = Y[1:, 1:] - outer(c, r) * inverse_p
            C = _adj_by_cofactors(S)
            det_S = S[0] @ C[:, 0]
            corner = det_S + r @ C @ c * inverse_p
            adj_Y = jnp.block([[corner, -(r @ C)[None]], [-(C @ c)[:, None], p * C]])
            return sign.astype(X.dtype) * adj_Y[columns][:, rows]


@jax.custom_jvp
def _det_times_inverse(X: Array, factors: tuple[Array, Array]) -> Array:
    return _det_of(factors) * inverse(X, factors)


@_det_times_inverse.defjvp
def _det_times_inverse_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    # d|X| = tr(X* dX) and dX⁻¹ = -X⁻¹ dX X⁻¹ give d(|X| X⁻¹) = tr(X* dX) X⁻¹ - X* dX X⁻¹.
    X_adj, X_inv, dX = _det_times_inverse(*primals), inverse(*primals), tangents[0]
    return X_adj, jnp.sum(X_adj.T * dX) * X_inv - X_adj @ dX @ X_inv


def _adj_of_mixed(X: Array) -> Array:
    """The adjugate where pivots before the last may be 0 to rounding."""
    # With the reflection Q = I - 2 v vᵀ, whose determinant is -1, X = (X Q) Q has the adjugate
    #     X* = Q* (X Q)* = -Q (X Q)* = 2 v vᵀ (X Q)* - (X Q)*.
    # Elimination finds a pivot of 0 in the column that depends on those before it. The v below makes the last column
    # of Q a random unit vector. If X has rank n - 1 and X z = 0, then X Q takes Q z to 0, and the last component of
    # Q z, the product of z with that random vector, is almost surely not 0: the last column depends on the others, and
    # the others are independent. So only the last pivot is 0. For a smaller rank X* is 0.
    v = np.random.default_rng(0).standard_normal(len(X))
    v /= np.linalg.norm(v)
    v[-1] -= 1
    v = jnp.asarray(v / np.linalg.norm(v), X.dtype)
    A, _ = _adj_by_lu(X - 2 * outer(product(X, v), v))
    return 2 * outer(v, product(v, A)) - A


def _change_of_adj_by_svd(X: Array, dX: Array) -> Array:
    """The differential of the adjugate, for X of any rank."""
    # With X = U S Vᵀ and F = Uᵀ dX V, X + dX = U (S + F) Vᵀ has the adjugate |U| |V| V (S + F)* Uᵀ. In first order,
    # with Pᵢⱼ the product of all singular values but the i-th and the j-th,
    #     ((S + F)*)ᵢᵢ = ∏ (sₖ + Fₖₖ) over k ≠ i, which changes by Σ Fₖₖ Pᵢₖ over k ≠ i,
    #     ((S + F)*)ᵢⱼ = -Fᵢⱼ Pᵢⱼ for i ≠ j.
    U, s, Vt = jnp.linalg.svd(X)
    same = jnp.eye(len(s), dtype=bool)
    P = jnp.prod(jnp.where(same[:, None, :] | same[None, :, :], 1, s[None, None, :]), axis=2)
    P = jnp.where(same, 0, P)
    F = U.T @ dX @ Vt.T
    d_adj_S = jnp.diag(P @ jnp.diag(F)) - P * F
    return jnp.linalg.det(U) * jnp.linalg.det(Vt) * Vt.T @ d_adj_S @ U.T
