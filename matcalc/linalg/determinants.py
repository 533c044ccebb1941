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
    # Of the parts that the adjugate is computed from, so that both together cost one of them.
    return jnp.linalg.det(X.T) if len(X) <= 4 else _det_of(factor(X))


def _det_of(factors: tuple[Array, Array]) -> Array:
    LU, swaps = factors
    return _sign(swaps, LU.dtype) * jnp.prod(jnp.diag(LU))


def logabsdet(X: Array) -> Array:
    """ln |det X|, where the determinant itself would overflow too."""
    return jnp.linalg.slogdet(X if jax_rules_are_asked_for() else X.T)[
        1
    ]  # of the factors that the inverse is made from


def adj(X: Array) -> Array:
    """The adjugate X*, with X X* = |X| I, of a square matrix of any rank.

    By cofactors up to 4×4, else from one LU factorisation, and above 8×8 from a second one where pivots are 0 to
    rounding. Derivatives of every order are right at invertible matrices and up to 4×4 (but for the third at a 4×4
    zero), the first derivative also at larger singular ones. Source: G. W. Stewart, "On the adjugate matrix", Linear
    Algebra and its Applications 283 (1998).
    """
    return _adj_by_cofactors(X) if len(X) <= 4 else _adj_of_any_rank(X)


@jax.custom_jvp
def _adj_of_any_rank(X: Array) -> Array:
    if len(X) <= UNROLLED:
        return _adj_without_division(X.T).T  # see `factor`
    A, pivots = _adj_by_lu(X.T)

    # A loop of at most one step: under vmap it runs only if some matrix of the batch needs it.
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
    LU, swaps, permutation = jax.lax.linalg.lu(X)
    pivots = jnp.diag(LU)
    # X = Pᵀ L U has the adjugate |P| adj(U) L⁻¹ P. In adj(U) = |U| U⁻¹ the last pivot divides only what it has
    # multiplied, and is left out of both. Roundings change the entries of L and U relatively, so all of adj(U) alike.
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
    # X = Pᵀ L U as above. Where U has the pivots dᵢ, (adj U)ᵢⱼ = ∏_{l<i} d_l Gᵢⱼ ∏_{l>j} d_l with the inverse G of the
    # unit triangular matrix of uᵢₖ ∏_{i<l<k} d_l: back substitution with the divisors multiplied out, so that pivots
    # may be 0 wherever the rank puts them. Products of many would overflow.
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
    match len(X):
        case 1:
            return jnp.ones_like(X)
        case 2:
            (a, b), (c, d) = X
            return jnp.stack([jnp.stack([d, -b]), jnp.stack([-c, a])])
        case 3:
            u, v, w = X
            return jnp.stack([jnp.cross(v, w), jnp.cross(w, u), jnp.cross(u, v)], axis=1)
        case _:
            # The largest entry p goes to the corner, [[p, rᵀ], [c, B]]; its Schur complement S = B - c rᵀ/p then has no
            # entry that is large against the second singular value, and neither have the cofactors of S.
            n = len(X)
            i, j = jnp.divmod(jnp.argmax(jnp.abs(X)), n)
            k = jnp.arange(n)
            rows, columns = (jnp.where(k == 0, index, jnp.where(k == index, 0, k)) for index in (i, j))
            sign = jnp.where(i == 0, 1, -1) * jnp.where(j == 0, 1, -1)
            Y = X[rows][:, columns]
            p, r, c = Y[0, 0], Y[0, 1:], Y[1:, 0]
            inverse_p = jnp.where(p == 0, 0, 1 / jnp.where(p == 0, 1, p))  # X = 0 has nothing to eliminate
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
    # d(|X| X⁻¹) = tr(X* dX) X⁻¹ - X* dX X⁻¹
    X_adj, X_inv, dX = _det_times_inverse(*primals), inverse(*primals), tangents[0]
    return X_adj, jnp.sum(X_adj.T * dX) * X_inv - X_adj @ dX @ X_inv


def _adj_of_mixed(X: Array) -> Array:
    """The adjugate where pivots before the last may be 0 to rounding."""
    # The reflection Q takes the last axis to a random one, to which what X takes to 0 is hardly orthogonal. Then the
    # last pivot of X Q is the one that shows it; and adj(X) = |Q| Q adj(X Q).
    v = np.random.default_rng(0).standard_normal(len(X))
    v /= np.linalg.norm(v)
    v[-1] -= 1
    v = jnp.asarray(v / np.linalg.norm(v), X.dtype)
    A, _ = _adj_by_lu(X - 2 * outer(product(X, v), v))
    return 2 * outer(v, product(v, A)) - A


def _change_of_adj_by_svd(X: Array, dX: Array) -> Array:
    # With X = U S Vᵀ, F = Uᵀ dX V, and P_ij the product of all singular values but the i-th and j-th, S + F has the
    # adjugate Π_{k≠i} (s_k + F_kk) on the diagonal and -F_ij P_ij off it, up to terms of second order in F.
    U, s, Vt = jnp.linalg.svd(X)
    same = jnp.eye(len(s), dtype=bool)
    P = jnp.prod(jnp.where(same[:, None, :] | same[None, :, :], 1, s[None, None, :]), axis=2)
    P = jnp.where(same, 0, P)
    F = U.T @ dX @ Vt.T
    d_adj_S = jnp.diag(P @ jnp.diag(F)) - P * F
    return jnp.linalg.det(U) * jnp.linalg.det(Vt) * Vt.T @ d_adj_S @ U.T
