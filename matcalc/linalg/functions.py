"""Powers, polynomials and functions of square matrices: exponential, sine, cosine, logarithm, square root."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from matcalc.linalg.basic import eye, factor, inverse, product

SQUARINGS = 16  # a norm of 2¹⁷ overflows, and underflows, long before
PADE_NORM = 5.37  # up to which the rational approximation of order 13 of the exponential is exact to rounding


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
    A2 = product(A, A)
    A4 = product(A2, A2)
    A6 = product(A4, A2)
    b = [float(math.factorial(26 - k) // (math.factorial(k) * math.factorial(13 - k))) for k in range(14)]
    odd = product(A6, b[13] * A6 + b[11] * A4 + b[9] * A2) + b[7] * A6 + b[5] * A4 + b[3] * A2 + b[1] * I
    even = product(A6, b[12] * A6 + b[10] * A4 + b[8] * A2) + b[6] * A6 + b[4] * A4 + b[2] * A2 + b[0] * I
    odd = product(A, odd)

    def square(i: Array, E: Array) -> Array:
        return jax.lax.cond(i < squarings, lambda E: product(E, E), lambda E: E, E)

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
