"""Functions of matrices that the chapters need and `jax.numpy` lacks, or computes unsoundly.

Each is plain JAX: it runs on every platform, under jit, vmap and differentiation of any order, save where its
docstring says otherwise.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jax.scipy.linalg import lu_factor, lu_solve

UNROLLED = 8  # rows, up to which an adjugate is computed without loops: XLA then runs it on the calling thread
SQUARINGS = 16  # a norm of 2¹⁷ overflows, and underflows, long before
PADE_NORM = 5.37  # up to which the rational approximation of order 13 of the exponential is exact to rounding

multiply = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)

tr = jnp.trace
inv = jnp.linalg.inv
mpow = jnp.linalg.matrix_power


def eye(X: Array) -> Array:
    """The identity matrix with as many rows as X, in X's dtype."""
    return jnp.diag(jnp.ones(len(X), X.dtype))  # on a CPU twice as fast as jnp.eye


def unit(i: int | tuple[int, int], x: Array) -> Array:
    """The unit array eᵢ or Eᵢⱼ of the shape and dtype of `x`: 1 at the index `i`, else 0."""
    return jnp.zeros_like(x).at[i].set(1)


def outer(U: Array, V: Array) -> Array:
    """All products of an entry of U with an entry of V: the axes of U, then those of V."""
    return jnp.tensordot(U, V, axes=0)


def with_derivative(
    f: Callable[..., Array], both: Callable[..., tuple[Array, Array]], argnum: int
) -> Callable[..., Array]:
    """The function `f`, differentiated with respect to argument `argnum` by a closed form.

    `both(*arguments)` returns the value and ∂f/∂(argument) in JAX's layout, computed together. With respect to the
    other arguments JAX differentiates `f` itself. Neither is computed unless it is asked for. Forward mode, reverse
    mode and higher orders work: they differentiate the closed form.
    """
    function: Any = jax.custom_jvp(f)

    def rule(primals: Any, tangents: Any) -> Any:
        moving = [i for i, t in enumerate(tangents) if not isinstance(t, SymbolicZero)]
        if argnum in moving:
            X, dX = primals[argnum], tangents[argnum]
            value, derivative = both(*primals)
            change = jnp.tensordot(derivative, dX, axes=jnp.ndim(X))
            moving.remove(argnum)
        else:
            value = function(*primals)
            change = jnp.zeros_like(value)
        if moving:

            def of_the_others(*others: Array) -> Array:
                arguments = list(primals)
                for i, other in zip(moving, others, strict=True):
                    arguments[i] = other
                return f(*arguments)

            change += jax.jvp(of_the_others, [primals[i] for i in moving], [tangents[i] for i in moving])[1]
        return value, change

    function.defjvp(rule, symbolic_zeros=True)
    return function


_jax_rules: ContextVar[bool] = ContextVar("jax_rules", default=False)


@contextlib.contextmanager
def jax_rules() -> Generator[None]:
    """While this is open, functions of this module are differentiated by JAX's own rules, where JAX has one.

    So automatic differentiation stays a witness of its own.
    """
    token = _jax_rules.set(True)
    try:
        yield
    finally:
        _jax_rules.reset(token)


def det(X: Array) -> Array:
    """The determinant of a square matrix, with a derivative, the adjugate, that is right at singular matrices too."""
    if _jax_rules.get():
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
    return jnp.linalg.slogdet(X if _jax_rules.get() else X.T)[1]  # of the factors that the inverse is made from


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


def factor(X: Array) -> tuple[Array, Array]:
    """The LU factors of Xᵀ. LAPACK reads columns: X as it lies in memory is Xᵀ to it, and X would have to be turned."""
    return lu_factor(X.T)


@jax.custom_jvp
def inverse(X: Array, factors: tuple[Array, Array]) -> Array:
    """X⁻¹ from `factor(X)`, with the derivative -X⁻¹ dX X⁻¹: two products.

    The factors must be differentiable functions of X too: in loops JAX drops custom rules before it differentiates a
    second time. (What is made of them but not needed is not compiled.)
    """
    return lu_solve(factors, eye(X)).T


@inverse.defjvp
def _inverse_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    X_inv = inverse(*primals)
    return X_inv, -multiply(multiply(X_inv, tangents[0]), X_inv)


def _adj_of_mixed(X: Array) -> Array:
    """The adjugate where pivots before the last may be 0 to rounding."""
    # The reflection Q takes the last axis to a random one, to which what X takes to 0 is hardly orthogonal. Then the
    # last pivot of X Q is the one that shows it; and adj(X) = |Q| Q adj(X Q).
    v = np.random.default_rng(0).standard_normal(len(X))
    v /= np.linalg.norm(v)
    v[-1] -= 1
    v = jnp.asarray(v / np.linalg.norm(v), X.dtype)
    A, _ = _adj_by_lu(X - 2 * outer(multiply(X, v), v))
    return 2 * outer(v, multiply(v, A)) - A


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


def norm(x: Array) -> Array:
    """The Euclidean norm, without overflow or underflow of the squares. Not differentiable at 0."""
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(x)))
    scale = jnp.where(size > 0, size, 1)
    return scale * jnp.sqrt(jnp.sum((x / scale) ** 2))


def sandwiched_powers(X: Array, M: Array, k: int) -> Array:
    """Σ Xⁱ⁻¹ M Xᵏ⁻ⁱ over i = 1 … k, for k ≥ 1, in O(log k) products: the derivative of Xᵏ in the direction M.

    By doubling: S₂ₖ = Xᵏ Sₖ + Sₖ Xᵏ and Sₖ₊₁ = Sₖ X + Xᵏ M.
    """
    power, S, bits = X, M, bin(k)[3:]
    for place, bit in enumerate(bits, start=1):
        S = power @ S + S @ power
        S = S @ X if bit == "1" else S
        if place < len(bits) or bit == "1":  # the power is needed again
            power, S = jax.lax.optimization_barrier((power, S))  # or XLA keeps X²ᵏ, or both products, beside S₂ₖ
            power = power @ power
        if bit == "1":
            power, S = power @ X, S + power @ M
    return S


def polynomial(c: Array, X: Array) -> Array:
    """c₁ I + c₂ X + c₃ X² + …, by Horner's rule."""
    return jax.lax.scan(lambda P, c_i: (P @ X + c_i * eye(X), None), jnp.zeros_like(X), c, reverse=True)[0]


def polynomial_slope(c: Array, X: Array) -> Array:
    """c₂ I + 2 c₃ X + 3 c₄ X² + …, the derivative of `polynomial`, by Horner's rule, without an array of i cᵢ₊₁."""
    p = len(c)

    def step(k: Array, P: Array) -> Array:
        i = p - k  # from p - 1 down to 1
        return P @ X + i.astype(c.dtype) * c[i] * eye(X)

    return jax.lax.fori_loop(1, p, step, jnp.zeros_like(X))


def expm(X: Array) -> Array:
    """eˣ of a square matrix, by scaling and squaring.

    JAX's own rounds the number of squarings down, and just below the next one loses up to six digits in float64; it
    also has a rational approximation for each of five norms, all of which are computed under vmap. Here it is one, of
    order 13. Source: N. J. Higham, Functions of Matrices (SIAM 2008), algorithm 10.20.
    """
    norm = jax.lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(X), axis=0)))
    squarings = jnp.clip(jnp.ceil(jnp.log2(norm / PADE_NORM)), 0, SQUARINGS)
    A, I = X / 2**squarings, eye(X)
    A2 = multiply(A, A)
    A4 = multiply(A2, A2)
    A6 = multiply(A4, A2)
    b = [float(math.factorial(26 - k) // (math.factorial(k) * math.factorial(13 - k))) for k in range(14)]
    odd = multiply(A6, b[13] * A6 + b[11] * A4 + b[9] * A2) + b[7] * A6 + b[5] * A4 + b[3] * A2 + b[1] * I
    even = multiply(A6, b[12] * A6 + b[10] * A4 + b[8] * A2) + b[6] * A6 + b[4] * A4 + b[2] * A2 + b[0] * I
    odd = multiply(A, odd)

    def square(i: Array, E: Array) -> Array:
        return jax.lax.cond(i < squarings, lambda E: multiply(E, E), lambda E: E, E)

    return jax.lax.fori_loop(0, SQUARINGS, square, jnp.linalg.solve(even - odd, even + odd))


def sinm_cosm(X: Array) -> tuple[Array, Array]:
    """The sine and the cosine of a square matrix, together, for symmetric and non-symmetric ones alike."""
    # exp [[0, X], [-X, 0]] = [[cos X, sin X], [-sin X, cos X]]: e^{iX} in real arithmetic, which every platform has.
    zero, n = jnp.zeros_like(X), len(X)
    rotation = expm(jnp.block([[zero, X], [-X, zero]]))
    return rotation[:n, n:], rotation[:n, :n]


def logm(X: Array) -> Array:
    """The principal logarithm of a square matrix without eigenvalues on the closed negative real axis.

    Inverse scaling and squaring: square roots bring X close to I, where ln X = 2 artanh (X - I)(X + I)⁻¹ is a short
    series. The number of steps is fixed, so that every mode of differentiation works. Source: N. J. Higham, Functions
    of Matrices (SIAM 2008), sections 6.3, 11.3 and 11.5.
    """
    roots, terms = 5, 32
    X = jax.lax.scan(lambda X, _: (sqrtm(X), None), X, None, length=roots)[0]
    Z = jnp.linalg.solve(X + eye(X), X - eye(X))
    coefficients = jnp.asarray(1 / np.arange(1, 2 * terms, 2), X.dtype)
    return 2.0 ** (roots + 1) * Z @ polynomial(coefficients, Z @ Z)


def sqrtm(X: Array) -> Array:
    """The principal square root of a square matrix without eigenvalues on the closed negative real axis.

    The product form of the Denman-Beavers iteration, scaled by determinants while it is far from its limit, with a
    fixed number of steps. Source: N. J. Higham, Functions of Matrices (SIAM 2008), equation 6.29 and section 6.5.
    """
    I, n = eye(X), len(X)

    def step(state: tuple[Array, Array], k: Array) -> tuple[tuple[Array, Array], None]:
        M, root = state
        factors = factor(M)
        pivots = jnp.abs(jnp.diag(jax.lax.stop_gradient(factors[0])))
        scale = jnp.where(k < 8, jnp.exp(jnp.sum(jnp.log(pivots)) / (-2 * n)), 1)
        M_inv = inverse(M, factors) / scale**2
        return ((2 * I + scale**2 * M + M_inv) / 4, scale * root @ (I + M_inv) / 2), None

    return jax.lax.scan(step, (X, X), jnp.arange(20))[0][1]


def power_series(X: Array, signs: list[int]) -> Array:
    """Σ signs[i mod 4] Xⁱ/i! for i < 40: the series of exp, sin and cos, for comparison; never to compute with."""

    def add(state: tuple[Array, Array], i: Array) -> tuple[tuple[Array, Array], None]:
        term, total = state
        sign = jnp.asarray(signs, X.dtype)[i % 4]
        return (term @ X / (i + 1).astype(X.dtype), total + sign * term), None

    return jax.lax.scan(add, (eye(X), jnp.zeros_like(X)), jnp.arange(40))[0][1]


def kron_diagonal(A: Array, X: Array) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Which entries (i, j) of A and (r, s) of X meet in each entry of the diagonal of A ⊗ X, if that is square."""
    t = np.arange(A.shape[0] * X.shape[0])
    return (t // X.shape[0], t // X.shape[1]), (t % X.shape[0], t % X.shape[1])


def tall(X: Array) -> Array:
    """X with rows of zeros below until it has at least as many rows as columns; XᵀX stays what it is."""
    m, n = X.shape
    return jnp.pad(X, ((0, max(n - m, 0)), (0, 0)))
