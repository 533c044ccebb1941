"""Matrices, by a scalar: products, powers, inverses, Kronecker products and functions of matrices. Notes 002 1, 5, 6.2.

The rules take a matrix function U of x and its derivative ∂U, `dU`.
"""

from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jax.numpy import kron
from jaxtyping import Float

from matcalc.catalogue import definition, identity, rule
from matcalc.domains import invertible, positive, with_principal_logarithm
from matcalc.linalg import (
    expm,
    eye,
    inv,
    logm,
    mpow,
    outer,
    polynomial,
    polynomial_slope,
    sandwiched_powers,
    sinm_cosm,
    unit,
)


@identity("X + s E_ij", "E_ij", wrt="s", source="notes 002 1", references="MC 73", covers="matrix_by_element")
def matrix_by_element(X: Float[Array, "m n"], s: Float[Array, ""], i: Annotated[int, "m"], j: Annotated[int, "n"]):
    """A matrix by one of its entries, to which s is added: ∂X/∂xᵢⱼ = Eᵢⱼ. i and j count from 0."""
    f = X + s * unit((i, j), X)
    df_ds = unit((i, j), X)
    return f, df_ds


@identity(
    "A (X + s E_ji) B",
    "A E_ji B",
    wrt="s",
    source="notes 002 6.2",
    references="WP matrix by scalar with U = X + s E_ji",
    covers="AXB_by_element",
)
def axb_by_element(
    A: Float[Array, "l m"],
    X: Float[Array, "m n"],
    B: Float[Array, "n l"],
    s: Float[Array, ""],
    j: Annotated[int, "m"],
    i: Annotated[int, "n"],
):
    """A X B by one entry of X, to which s is added: column j of A times row i of B. i and j count from 0."""
    f = A @ (X + s * unit((j, i), X)) @ B
    df_ds = outer(A[:, j], B[i])
    return f, df_ds


@rule(
    "U V",
    "∂U V + U ∂V",
    source="notes 002 1",
    references="MC 37; WP matrix by scalar; Giles 2.2.2",
    covers={"matrix by scalar": "prod_matrix_by_scalar"},
)
def product_rule(U: Float[Array, "l m"], dU: Float[Array, "l m"], V: Float[Array, "m n"], dV: Float[Array, "m n"]):
    """The product of two matrix functions."""
    f = U @ V
    df_dx = dU @ V + U @ dV
    return f, df_dx


@rule(
    "u vᵀ",
    "∂u vᵀ + u (∂v)ᵀ",
    source="notes 002 1",
    references="MC 37 with X, Y = u, vᵀ",
    covers={"matrix by scalar": "prod_outer_by_scalar"},
)
def outer_rule(u: Float[Array, "l"], du: Float[Array, "l"], v: Float[Array, "m"], dv: Float[Array, "m"]):
    """The outer product of two vector functions."""
    f = outer(u, v)
    df_dx = outer(du, v) + outer(u, dv)
    return f, df_dx


@rule(
    "U V W",
    "∂U V W + U ∂V W + U V ∂W = ∂U V W + U (∂V W + V ∂W)",
    source="notes 002 5 (3)",
    covers={"matrix by scalar": "prod_three"},
)
def triple_product_rule(
    U: Float[Array, "l m"],
    dU: Float[Array, "l m"],
    V: Float[Array, "m n"],
    dV: Float[Array, "m n"],
    W: Float[Array, "n p"],
    dW: Float[Array, "n p"],
):
    """The product of three matrix functions."""
    f = U @ V @ W
    df_dx = dU @ V @ W + U @ dV @ W + U @ V @ dW
    return f, df_dx


@rule(
    "A U B",
    "A ∂U B",
    source="notes 002 5",
    references="WP matrix by scalar",
    covers={"matrix by scalar": "sandwich_AUB"},
)
def sandwich_rule(A: Float[Array, "l m"], U: Float[Array, "m n"], dU: Float[Array, "m n"], B: Float[Array, "n p"]):
    """A matrix function between two constant matrices."""
    f = A @ U @ B
    df_dx = A @ dU @ B
    return f, df_dx


@rule(
    "U^k",
    "Σ_{i=1}^{k} U^(i-1) ∂U U^(k-i)",
    source="notes 002 5 (4)",
    references="WP differential form; MN 9.14",
    covers={"matrix by scalar": "power_by_scalar"},
)
def power_rule(U: Float[Array, "n n"], dU: Float[Array, "n n"], k: int):
    """A power of a matrix function, k ≥ 1; U⁰ = I for singular U too."""
    f = mpow(U, k)
    df_dx = sandwiched_powers(U, dU, k)
    return f, df_dx


@rule(
    "U⁻¹",
    "-U⁻¹ ∂U U⁻¹",
    where={"U": invertible},
    source="notes 002 5 (5)",
    references="MC 40; MC 59; WP matrix by scalar; MN 8.4; Giles 2.2.3",
    covers={"matrix by scalar": "inverse_by_scalar"},
)
def inverse_rule(U: Float[Array, "n n"], dU: Float[Array, "n n"]):
    """The inverse of a matrix function."""
    f = inv(U)
    df_dx = -inv(U) @ dU @ inv(U)
    return f, df_dx


@rule(
    "-U⁻¹ ∂_xU U⁻¹",
    "U⁻¹ (∂_yU U⁻¹ ∂_xU - ∂²U + ∂_xU U⁻¹ ∂_yU) U⁻¹",
    where={"U": invertible},
    moves={"U": "dU_dy", "dU_dx": "d2U"},
    source="notes 002 5",
    references="WP matrix by scalar",
    covers={"matrix by scalar": "inverse_second_derivative"},
)
def inverse_second_rule(
    U: Float[Array, "n n"], dU_dx: Float[Array, "n n"], dU_dy: Float[Array, "n n"], d2U: Float[Array, "n n"]
):
    """∂²U⁻¹/∂x∂y, the derivative by y of ∂U⁻¹/∂x. U is twice continuously differentiable, and ∂²U is ∂²U/∂x∂y."""
    f = -inv(U) @ dU_dx @ inv(U)
    P, Q = inv(U) @ dU_dx, inv(U) @ dU_dy
    df_dy = (Q @ P - inv(U) @ d2U + P @ Q) @ inv(U)
    return f, df_dy


@identity(
    "[(X + s E_ij)⁻¹]_kl",
    "-[(X + s E_ij)⁻¹]_ki [(X + s E_ij)⁻¹]_jl = -tr(E_lk (X + s E_ij)⁻¹ E_ij (X + s E_ij)⁻¹)",
    wrt="s",
    where={"X + s E_ij": invertible},
    source="notes 002 5",
    references="MC 60",
    covers="inv_element_by_element",
)
def inv_element_by_element(
    X: Float[Array, "n n"],
    s: Float[Array, ""],
    i: Annotated[int, "n"],
    j: Annotated[int, "n"],
    k: Annotated[int, "n"],
    l: Annotated[int, "n"],
):
    """One entry of the inverse by one entry of X, to which s is added: ∂[X⁻¹]ₖₗ/∂xᵢⱼ. Indices count from 0."""
    X_inv = inv(X + s * unit((i, j), X))
    f = X_inv[k, l]
    df_ds = -X_inv[k, i] * X_inv[j, l]
    return f, df_ds


@definition(
    "U ⊗ V = Σ_{i=1}^{l} Σ_{j=1}^{m} u_ij E_ij ⊗ V", source="notes 002 5", references="MC 505", covers="def_kron"
)
def kronecker_product(U: Float[Array, "l m"], V: Float[Array, "n p"]):
    """The Kronecker product: the blocks uᵢⱼ V, of which each has the shape of V."""
    n, p = V.shape
    u = jnp.repeat(jnp.repeat(U, n, axis=0), p, axis=1)
    return kron(U, V), u * jnp.tile(V, U.shape)


@rule(
    "U ⊗ V",
    "∂U ⊗ V + U ⊗ ∂V",
    source="notes 002 5",
    references="MC 39; WP matrix by scalar",
    covers={"matrix by scalar": "kron_by_scalar"},
)
def kronecker_rule(U: Float[Array, "l m"], dU: Float[Array, "l m"], V: Float[Array, "n p"], dV: Float[Array, "n p"]):
    """The Kronecker product of two matrix functions."""
    f = kron(U, V)
    df_dx = kron(dU, V) + kron(U, dV)
    return f, df_dx


@rule(
    "U ⊙ V",
    "∂U ⊙ V + U ⊙ ∂V",
    source="notes 002 5",
    references="MC 38; WP matrix by scalar",
    covers={"matrix by scalar": "hadamard_by_scalar"},
)
def hadamard_rule(U: Float[Array, "m n"], dU: Float[Array, "m n"], V: Float[Array, "m n"], dV: Float[Array, "m n"]):
    """The elementwise product of two matrix functions."""
    f = U * V
    df_dx = dU * V + U * dV
    return f, df_dx


@definition("c_1 I + Σ_{i=2}^{p} c_i (x A)^(i-1) = Σ_{i=1}^{p} c_i (x A)^(i-1)", source="notes 002 5", covers="def_gxA")
def polynomial_of_xa(c: Float[Array, "p"], x: Float[Array, ""], A: Float[Array, "n n"]):
    """A polynomial of the matrix x A."""
    return polynomial(c, x * A), sum((c[i] * mpow(x * A, i) for i in range(len(c))), jnp.zeros_like(A))


@identity(
    "Σ_{i=1}^{p} c_i (x A)^(i-1)",
    "Σ_{i=2}^{p} (i-1) c_i A (x A)^(i-2)",
    wrt="x",
    source="notes 002 5",
    references="WP matrix by scalar",
    covers="gxA_poly",
)
def polynomial_xa(c: Float[Array, "p"], x: Float[Array, ""], A: Float[Array, "n n"]):
    """A polynomial g of the matrix x A, with the derivative A g'(x A)."""
    f = polynomial(c, x * A)
    df_dx = A @ polynomial_slope(c, x * A)
    return f, df_dx


@identity(
    "exp(x A)",
    "A exp(x A) = exp(x A) A",
    wrt="x",
    source="notes 002 5",
    references="MC 500; WP matrix by scalar",
    covers="gxA_exp",
)
def exp_xa(x: Float[Array, ""], A: Float[Array, "n n"]):
    """The exponential of x A."""
    f = expm(x * A)
    df_dx = A @ f
    return f, df_dx


@identity(
    "ln(x A)",
    "A (x A)⁻¹ = (x A)⁻¹ A = I/x",
    wrt="x",
    where={"x": positive, "A": with_principal_logarithm},
    source="notes 002 5",
    references="WP matrix by scalar",
    covers="gxA_ln",
)
def ln_xa(x: Float[Array, ""], A: Float[Array, "n n"]):
    """The principal logarithm of x A. Its derivative does not depend on A.

    The notes conclude from power series that d ln(x A)/dx = A (x A)⁻¹. ln has none at 0, and needs the condition below.
    """
    f = logm(x * A)
    df_dx = eye(A) / x
    return f, df_dx


@identity(
    "sin(x A)",
    "A cos(x A) = cos(x A) A",
    wrt="x",
    source="notes 002 5",
    references="WP matrix by scalar",
    covers="gxA_sin",
)
def sin_xa(x: Float[Array, ""], A: Float[Array, "n n"]):
    """The sine of x A."""
    sin_xA, cos_xA = sinm_cosm(x * A)
    df_dx = A @ cos_xA
    return sin_xA, df_dx


@identity(
    "cos(x A)",
    "-A sin(x A) = -sin(x A) A",
    wrt="x",
    source="notes 002 5",
    references="WP matrix by scalar",
    covers="gxA_cos",
)
def cos_xa(x: Float[Array, ""], A: Float[Array, "n n"]):
    """The cosine of x A."""
    sin_xA, cos_xA = sinm_cosm(x * A)
    df_dx = -A @ sin_xA
    return cos_xA, df_dx
