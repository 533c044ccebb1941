"""Scalars, by a vector: linear, bilinear and quadratic forms, Hessians, and norms. Notes 000 A, 001, 002 1 and 3."""

from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from matcalc.catalogue import definition, identity, rule
from matcalc.domains import nonzero, symmetric
from matcalc.linalg import norm, unit


@identity("x_i", "e_i", wrt="x", source="notes 002 1", references="MC 69 with a = e_i", covers="component_by_vector")
def component(x: Float[Array, "n"], i: Annotated[int, "n"]):
    """One component of a vector; i counts from 0."""
    f = x[i]
    df_dx = unit(i, x)
    return f, df_dx


@identity(
    "aᵀ x = xᵀ a",
    "a",
    wrt="x",
    source="notes 000 A, 002 3",
    references="MC 69; WP scalar by vector; MN 9.9",
    covers="inner_ax inner_xa",
)
def inner_ax(a: Float[Array, "n"], x: Float[Array, "n"]):
    """A linear form."""
    f = a @ x
    df_dx = a
    return f, df_dx


@identity(
    "bᵀ A x", "Aᵀ b", wrt="x", source="notes 000 A, 002 3", references="WP scalar by vector", covers="bilinear_bAx"
)
def bilinear_bax(b: Float[Array, "m"], A: Float[Array, "m n"], x: Float[Array, "n"]):
    """A bilinear form, by its second vector."""
    f = b @ A @ x
    df_dx = A.T @ b
    return f, df_dx


@identity(
    "e_iᵀ A x",
    "Aᵀ e_i",
    wrt="x",
    source="notes 001",
    references="WP scalar by vector with b = e_i",
    covers="lin_Ax_row",
)
def row_ax(A: Float[Array, "m n"], x: Float[Array, "n"], i: Annotated[int, "m"]):
    """One component of A x; its gradients, side by side, are Aᵀ. i counts from 0."""
    f = A[i] @ x
    df_dx = A[i]
    return f, df_dx


@identity(
    "xᵀ A x = Σ_{i=1}^{n} Σ_{j=1}^{n} a_ij x_i x_j",
    "(A + Aᵀ) x = A x + Aᵀ x = Σ_{i=1}^{n} Σ_{j=1}^{n} (a_ij + a_ji) x_j e_i",
    wrt="x",
    source="notes 000 A, 001, 002 3",
    references="MC 81; WP scalar by vector; MN 9.9",
    covers="quad_xAx quad_xAx_expanded quad_xAx_component",
)
def quad_xax(x: Float[Array, "n"], A: Float[Array, "n n"]):
    """A quadratic form. (Notes 001 sets one component of the gradient equal to all of it: a misprint.)"""
    f = x @ A @ x
    df_dx = A @ x + A.T @ x
    return f, df_dx


@identity(
    "xᵀ A x",
    "2 A x",
    wrt="x",
    where={"A": symmetric},
    source="notes 000 A, 001",
    references="WP scalar by vector",
    covers="quad_xAx_sym",
)
def quad_xax_symmetric(x: Float[Array, "n"], A: Float[Array, "n n"]):
    """A quadratic form with a symmetric matrix; for another A the gradient would be wrong by (Aᵀ - A) x."""
    f = x @ A @ x
    df_dx = 2 * A @ x
    return f, df_dx


@identity(
    "xᵀ A x",
    "A + Aᵀ",
    wrt="x",
    order=2,
    source="notes 000 A",
    references="MC 98 with b = 0; WP scalar by vector; MN 10.3",
    covers="hess_xAx",
)
def hess_quad_xax(x: Float[Array, "n"], A: Float[Array, "n n"]):
    """The Hessian of a quadratic form."""
    f = x @ A @ x
    d2f_dx2 = A + A.T
    return f, d2f_dx2


@identity(
    "xᵀ A x",
    "2 A",
    wrt="x",
    order=2,
    where={"A": symmetric},
    source="notes 000 A",
    references="WP scalar by vector",
    covers="hess_xAx_sym",
)
def hess_quad_xax_symmetric(x: Float[Array, "n"], A: Float[Array, "n n"]):
    """The Hessian of a quadratic form with a symmetric matrix."""
    f = x @ A @ x
    d2f_dx2 = 2 * A
    return f, d2f_dx2


@definition("Aᵀ A = (Aᵀ A)ᵀ", source="notes 001", covers="gram_is_symmetric")
def gram(A: Float[Array, "m n"]):
    """A Gram matrix is symmetric."""
    return A.T @ A, (A.T @ A).T


@identity(
    "βᵀ Aᵀ A β = ‖A β‖²", "2 Aᵀ A β", wrt="β", source="notes 001", references="MC 81 with B = Aᵀ A", covers="quad_AtA"
)
def quad_ata(A: Float[Array, "m n"], β: Float[Array, "n"]):
    """The squared length of A β; the Gram matrix AᵀA, with its squared condition number, is not formed."""
    f = (A @ β) @ (A @ β)
    df_dβ = 2 * A.T @ (A @ β)
    return f, df_dβ


@identity(
    "xᵀ x = ‖x‖²",
    "2 x",
    wrt="x",
    source="notes 000 A, 002 3",
    references="MC 131; WP scalar by vector",
    covers="sqnorm_xx sqnorm_norm2",
)
def sqnorm_x(x: Float[Array, "n"]):
    """The squared norm, without the square root that makes automatic differentiation of ‖x‖² NaN at 0."""
    f = x @ x
    df_dx = 2 * x
    return f, df_dx


@identity(
    "xᵀ b aᵀ x = aᵀ x xᵀ b",
    "(a bᵀ + b aᵀ) x = aᵀ x b + bᵀ x a",
    wrt="x",
    source="notes 002 3",
    references="WP scalar by vector",
    covers="quad_xbax quad_axxb",
)
def quad_xbax(x: Float[Array, "n"], b: Float[Array, "n"], a: Float[Array, "n"]):
    """The product of two linear forms."""
    f = (x @ b) * (a @ x)
    df_dx = (a @ x) * b + (b @ x) * a
    return f, df_dx


@identity(
    "(A x + b)ᵀ C (D x + e) = xᵀ Aᵀ C D x + bᵀ C D x + xᵀ Aᵀ C e + bᵀ C e",
    "Aᵀ C (D x + e) + Dᵀ Cᵀ (A x + b) = (Aᵀ C D + Dᵀ Cᵀ A) x + Dᵀ Cᵀ b + Aᵀ C e",
    wrt="x",
    source="notes 002 3",
    references="MC 78; WP scalar by vector",
    covers="affine_bilinear affine_bilinear_expanded",
)
def affine_bilinear(
    A: Float[Array, "l n"],
    b: Float[Array, "l"],
    C: Float[Array, "l m"],
    D: Float[Array, "m n"],
    e: Float[Array, "m"],
    x: Float[Array, "n"],
):
    """A bilinear form of two affine functions. (Its constant term is bᵀ C e; notes 002 prints bᵀ e.)"""
    f = (A @ x + b) @ C @ (D @ x + e)
    df_dx = A.T @ (C @ (D @ x + e)) + D.T @ (C.T @ (A @ x + b))
    return f, df_dx


@identity(
    "‖x - a‖",
    "(x - a)/‖x - a‖",
    wrt="x",
    where={"x - a": nonzero},
    source="notes 002 3 (2)",
    references="MC 129; WP scalar by vector",
    covers="norm_xa",
)
def norm_x_minus_a(x: Float[Array, "n"], a: Float[Array, "n"]):
    """The distance of x from a. At x = a, which the notes do not exclude, it has no gradient, and the result is NaN."""
    f = norm(x - a)
    df_dx = (x - a) / norm(x - a)
    return f, df_dx


@rule(
    "uᵀ A v",
    "(∂v)ᵀ Aᵀ u + (∂u)ᵀ A v",
    source="notes 002 3",
    references="MC 93; WP scalar by vector; MN 9.9",
    covers={"scalar by vector": "bilinear_uAv"},
)
def bilinear_rule(
    u: Float[Array, "l"],
    du: Float[Array, "l n"],
    A: Float[Array, "l m"],
    v: Float[Array, "m"],
    dv: Float[Array, "m n"],
):
    """A bilinear form of two vector functions; A is constant."""
    f = u @ A @ v
    df_dx = dv.T @ (A.T @ u) + du.T @ (A @ v)
    return f, df_dx


@rule(
    "uᵀ v",
    "(∂v)ᵀ u + (∂u)ᵀ v",
    source="notes 002 1 and 3",
    references="WP scalar by vector; WP scalar by scalar",
    covers={"scalar by scalar": "prod_inner_by_scalar", "scalar by vector": "inner_uv"},
)
def inner_rule(u: Float[Array, "l"], du: Float[Array, "l *x"], v: Float[Array, "l"], dv: Float[Array, "l *x"]):
    """The inner product of two vector functions."""
    f = u @ v
    df_dx = jnp.tensordot(u, dv, 1) + jnp.tensordot(v, du, 1)
    return f, df_dx


@rule(
    "aᵀ v",
    "(∂v)ᵀ a",
    source="notes 002 3",
    references="WP scalar by vector; MN 9.9",
    covers={"scalar by vector": "inner_av"},
)
def inner_constant_rule(a: Float[Array, "l"], v: Float[Array, "l"], dv: Float[Array, "l n"]):
    """The inner product of a constant vector with a vector function."""
    f = a @ v
    df_dx = dv.T @ a
    return f, df_dx
