"""Functions of square matrices: powers, polynomials, exponential, sine, cosine, logarithm and square root."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from matcalc.linalg.basic import eye, factor, inverse, product

SQUARINGS = 16  # enough for norms up to 5.37 · 2¹⁶, of which already e to the power of a number over- or underflows
PADE_NORM = 5.37  # up to this norm the rational approximation of order 13 of the exponential is exact to rounding


def sandwiched_powers(X: Array, M: Array, k: int) -> Array:
    """Sₖ = Σ Xⁱ⁻¹ M Xᵏ⁻ⁱ over i = 1 … k, for k ≥ 1, in O(log k) products: the derivative of Xᵏ in the direction M."""
    # By the product rule, moving one of the k factors X of Xᵏ by M gives Xⁱ⁻¹ M Xᵏ⁻ⁱ. In the derivative of
    # Xʲ⁺ᵏ = Xʲ Xᵏ the moved factor is one of the first j or one of the last k:
    #     Sⱼ₊ₖ = Sⱼ Xᵏ + Xʲ Sₖ.
    # With S₁ = M this gives S₂ₖ = Sₖ Xᵏ + Xᵏ Sₖ and Sₖ₊₁ = Sₖ X + Xᵏ M. The binary digits of k after the first say
    # which to apply: each doubles k, and a 1 then adds 1, as in computing Xᵏ itself by squaring.
    power, S, bits = X, M, bin(k)[3:]
    for place, bit in enumerate(bits, start=1):
        S = power @ S + S @ power
        S = S @ X if bit == "1" else S
        if place < len(bits) or bit == "1":  # the power is needed again
            power, S = jax.lax.optimization_barrier((power, S))  # otherwise XLA stores more beside S₂ₖ
            power = power @ power
        if bit == "1":
            power, S = power @ X, S + power @ M
    return S


def polynomial(c: Array, X: Array) -> Array:
    """c₁ I + c₂ X + c₃ X² + …, by Horner's rule."""
    return jax.lax.scan(lambda P, c_i: (P @ X + c_i * eye(X), None), jnp.zeros_like(X), c, reverse=True)[0]


def polynomial_slope(c: Array, X: Array) -> Array:
    """c₂ I + 2 c₃ X + 3 c₄ X² + …, the derivative of the scalar polynomial at X, by Horner's rule."""
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
    # eˣ = (eᴬ)^(2ˢ) with A = X/2ˢ, and eᴬ = p(A)/p(-A) to rounding for ‖A‖₁ ≤ 5.37, with the polynomial
    #     p(A) = Σ bₖ Aᵏ over k = 0 … 13,    bₖ ∝ (26 - k)!/(k! (13 - k)!).
    # Its even powers and its odd powers have the sums `even` and `odd`, so that p(±A) = even ± odd.
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
    # exp [[0, X], [-X, 0]] = [[cos X, sin X], [-sin X, cos X]], because the square of [[0, I], [-I, 0]] is -I, as that
    # of the imaginary unit is -1. So this is e^{iX} = cos X + i sin X in real arithmetic, which every platform has.
    zero, n = jnp.zeros_like(X), len(X)
    rotation = expm(jnp.block([[zero, X], [-X, zero]]))
    return rotation[:n, n:], rotation[:n, :n]


def logm(X: Array) -> Array:
    """The principal logarithm of a square matrix without eigenvalues on the closed negative real axis.

    By inverse scaling and squaring, with fixed numbers of steps, so that every mode of differentiation works. Source:
    N. J. Higham, Functions of Matrices (SIAM 2008), sections 6.3, 11.3 and 11.5.
    """
    # ln X = 2ʳ ln Y with Y = X^(1/2ʳ), which is close to I. With Z = (Y + I)⁻¹ (Y - I), Y = (I + Z)/(I - Z), and
    #     ln Y = 2 artanh Z = 2 Z (I + Z²/3 + Z⁴/5 + …).
    roots, terms = 5, 32
    X = jax.lax.scan(lambda X, _: (sqrtm(X), None), X, None, length=roots)[0]
    Z = jnp.linalg.solve(X + eye(X), X - eye(X))
    coefficients = jnp.asarray(1 / np.arange(1, 2 * terms, 2), X.dtype)
    return 2.0 ** (roots + 1) * Z @ polynomial(coefficients, Z @ Z)


def sqrtm(X: Array) -> Array:
    """The principal square root of a square matrix without eigenvalues on the closed negative real axis.

    By the product form of the Denman-Beavers iteration, with a fixed number of steps. Source: N. J. Higham, Functions
    of Matrices (SIAM 2008), equation 6.29 and section 6.5.
    """
    # Newton's method R ← (R + R⁻¹ X)/2 is unstable against rounding as it stands. With M = R² X⁻¹, which tends to I, it
    # reads R ← R (I + M⁻¹)/2 and M ← M (I + M⁻¹)²/4 = (2 I + M + M⁻¹)/4, from R = M = X on, with one inverse in a step.
    # While M is far from I, R is first scaled such that |det M| = 1, which takes fewer steps.
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
    """Σ signs[i mod 4] Xⁱ/i! for i < 40: the series of exp, sin and cos. It loses digits: a definition only."""

    def add(state: tuple[Array, Array], i: Array) -> tuple[tuple[Array, Array], None]:
        term, total = state
        sign = jnp.asarray(signs, X.dtype)[i % 4]
        return (term @ X / (i + 1).astype(X.dtype), total + sign * term), None

    return jax.lax.scan(add, (eye(X), jnp.zeros_like(X)), jnp.arange(40))[0][1]
