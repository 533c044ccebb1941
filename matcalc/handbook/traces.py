"""Traces, and forms, norms and entries that can be written as traces, by a matrix. Notes 000 C, and 002 5 and 6.1."""

from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from matcalc.catalogue import definition, identity, rule
from matcalc.domains import invertible
from matcalc.linalg import (
    expm,
    eye,
    inv,
    kron_diagonal,
    mpow,
    outer,
    power_series,
    sandwiched_powers,
    sinm_cosm,
    tr,
    unit,
)


@identity("x_ij", "E_ij", source="notes 002 1", references="MC 32", covers="element_by_matrix")
def element(X: Float[Array, "m n"], i: Annotated[int, "m"], j: Annotated[int, "n"]):
    """One entry of a matrix; i and j count from 0."""
    f = X[i, j]
    df_dX = unit((i, j), X)
    return f, df_dX


@identity("tr(X)", "I", source="notes 002 6.1", references="MC 99; WP scalar by matrix; MN 9.10", covers="tr_X")
def tr_x(X: Float[Array, "n n"]):
    """The trace."""
    f = tr(X)
    df_dX = eye(X)
    return f, df_dX


@identity(
    "tr(Aᵀ X) = tr(A Xᵀ)",
    "A",
    source="notes 000 C",
    references="MC 103; MC 104; WP scalar by matrix",
    covers="tr_AtX tr_AXt",
)
def tr_atx(A: Float[Array, "m n"], X: Float[Array, "m n"]):
    """The inner product of two matrices."""
    f = tr(A.T @ X)
    df_dX = A
    return f, df_dX


@identity(
    "tr(A X) = tr(X A)",
    "Aᵀ",
    source="notes 000 C",
    references="MC 100; WP scalar by matrix; MN 9.10",
    covers="tr_AX tr_XA",
)
def tr_ax(A: Float[Array, "n m"], X: Float[Array, "m n"]):
    """A linear form of X. (A has the shape of Xᵀ here; in `tr_atx`, that of X.)"""
    f = tr(A @ X)
    df_dX = A.T
    return f, df_dX


@identity(
    "tr(A X B) = tr(B A X)",
    "Aᵀ Bᵀ",
    source="notes 002 6.1",
    references="MC 101; WP scalar by matrix",
    covers="tr_AXB tr_BAX",
)
def tr_axb(A: Float[Array, "l m"], X: Float[Array, "m n"], B: Float[Array, "n l"]):
    """A linear form of X, with a matrix on either side."""
    f = tr(A @ X @ B)
    df_dX = A.T @ B.T
    return f, df_dX


@identity(
    "tr(B A Xᵀ) = tr(X Aᵀ Bᵀ) = tr(Aᵀ Bᵀ X)",
    "B A",
    source="notes 002 6.1",
    references="MC 102",
    covers="tr_BAXt tr_XAtBt tr_AtBtX",
)
def tr_baxt(B: Float[Array, "m l"], A: Float[Array, "l n"], X: Float[Array, "m n"]):
    """A linear form of Xᵀ."""
    f = tr(B @ A @ X.T)
    df_dX = B @ A
    return f, df_dX


@identity(
    "tr(A X Xᵀ) = tr(Xᵀ A X) = tr(X Xᵀ A)",
    "(A + Aᵀ) X = A X + Aᵀ X",
    source="notes 002 6.1",
    references="MC 108; MC 109; MC 110; WP scalar by matrix",
    covers="tr_AXXt tr_XtAX tr_XXtA",
)
def tr_axxt(A: Float[Array, "m m"], X: Float[Array, "m n"]):
    """The sum of the quadratic forms xᵀ A x over the columns x of X."""
    f = tr(A @ X @ X.T)
    df_dX = (A + A.T) @ X
    return f, df_dX


@identity(
    "tr(A Xᵀ X) = tr(X A Xᵀ) = tr(Xᵀ X A)",
    "X (A + Aᵀ) = X A + X Aᵀ",
    source="notes 002 6.1",
    references="MC 111; MC 112; MC 113",
    covers="tr_AXtX tr_XAXt tr_XtXA",
)
def tr_axtx(A: Float[Array, "n n"], X: Float[Array, "m n"]):
    """The sum of the quadratic forms xᵀ A x over the rows xᵀ of X."""
    f = tr(A @ X.T @ X)
    df_dX = X @ (A + A.T)
    return f, df_dX


@identity("tr(X A Xᵀ B)", "Bᵀ X Aᵀ + B X A", source="notes 000 C", references="MC 117; MN 9.10", covers="tr_XAXtB")
def tr_xaxtb(X: Float[Array, "m n"], A: Float[Array, "n n"], B: Float[Array, "m m"]):
    """A quadratic form of X, with a matrix on either side."""
    f = tr(X @ A @ X.T @ B)
    df_dX = B.T @ X @ A.T + B @ X @ A
    return f, df_dX


@identity(
    "tr(A X B Xᵀ C)",
    "C A X B + Aᵀ Cᵀ X Bᵀ",
    source="notes 002 6.1",
    references="MC 118; WP scalar by matrix",
    covers="trace_axbxtc",
)
def tr_axbxtc(A: Float[Array, "l m"], X: Float[Array, "m n"], B: Float[Array, "n n"], C: Float[Array, "m l"]):
    """A quadratic form of X, with matrices before, between and after."""
    f = tr(A @ X @ B @ X.T @ C)
    df_dX = C @ A @ X @ B + A.T @ C.T @ X @ B.T
    return f, df_dX


@identity(
    "tr(A Xᵀ B X C)",
    "Bᵀ X Aᵀ Cᵀ + B X C A",
    source="notes 002 6.1",
    references="MC 117 with C = C A",
    covers="trace_axtbxc",
)
def tr_axtbxc(A: Float[Array, "l n"], X: Float[Array, "m n"], B: Float[Array, "m m"], C: Float[Array, "n l"]):
    """A quadratic form of Xᵀ, with matrices before, between and after."""
    f = tr(A @ X.T @ B @ X @ C)
    df_dX = B.T @ X @ A.T @ C.T + B @ X @ C @ A
    return f, df_dX


@identity(
    "tr(A X⁻¹ B) = tr(B A X⁻¹)",
    "-X⁻ᵀ Aᵀ Bᵀ X⁻ᵀ = -(X⁻¹ B A X⁻¹)ᵀ",
    where={"X": invertible},
    source="notes 002 6.1",
    references="MC 63; MC 124",
    covers="tr_AXinvB tr_BAXinv",
)
def tr_axinvb(A: Float[Array, "l n"], X: Float[Array, "n n"], B: Float[Array, "n l"]):
    """A linear form of the inverse."""
    f = tr(A @ inv(X) @ B)
    df_dX = -((inv(X) @ B) @ (A @ inv(X))).T
    return f, df_dX


@identity(
    "tr((X + A)⁻¹)",
    "-((X + A)⁻¹ (X + A)⁻¹)ᵀ",
    where={"X + A": invertible},
    source="notes 002 6.1",
    references="MC 64",
    covers="tr_inv_XplusA",
)
def tr_inv_x_plus_a(X: Float[Array, "n n"], A: Float[Array, "n n"]):
    """The trace of an inverse. (Notes 002 write tr(X + A)⁻¹, which does not mean 1/tr(X + A).)"""
    f = tr(inv(X + A))
    df_dX = -(inv(X + A) @ inv(X + A)).T
    return f, df_dX


@identity(
    "[X⁻¹]_kl",
    "-X⁻ᵀ E_kl X⁻ᵀ",
    where={"X": invertible},
    source="notes 002 5",
    references="MC 61 with a, b = e_k, e_l",
    covers="inv_element_by_matrix",
)
def inv_element(X: Float[Array, "n n"], k: Annotated[int, "n"], l: Annotated[int, "n"]):
    """One entry of the inverse: row k of X⁻¹ against its column l. k and l count from 0."""
    f = inv(X)[k, l]
    df_dX = -outer(inv(X)[k, :], inv(X)[:, l])
    return f, df_dX


@identity(
    "tr(A X^k B) = tr(B A X^k)",
    "Σ_{i=1}^{k} (X^(i-1))ᵀ Aᵀ Bᵀ (X^(k-i))ᵀ",
    source="notes 002 6.1",
    references="MC 122 with A = B A",
    covers="tr_AXkB tr_BAXk",
)
def tr_axkb(A: Float[Array, "l n"], X: Float[Array, "n n"], B: Float[Array, "n l"], k: int):
    """A linear form of a power, k ≥ 1; X⁰ = I for singular X too."""
    f = tr(A @ mpow(X, k) @ B)
    df_dX = sandwiched_powers(X.T, A.T @ B.T, k)
    return f, df_dX


@identity(
    "tr(X^k)", "k (Xᵀ)^(k-1)", source="notes 002 6.1", references="MC 121; WP scalar by matrix; MN 9.10", covers="tr_Xk"
)
def tr_xk(X: Float[Array, "n n"], k: int):
    """The trace of a power, k ≥ 1."""
    f = tr(mpow(X, k))
    df_dX = k * mpow(X.T, k - 1)
    return f, df_dX


@definition("exp(X) = Σ_{i=1}^{40} X^(i-1)/(i-1)!", source="notes 002 6.1", references="MC 494", covers="def_expm")
def exp_series(X: Float[Array, "n n"]):
    """The matrix exponential and its power series."""
    return expm(X), power_series(X, [1, 1, 1, 1])


@definition(
    "sin(X) = Σ_{i=1}^{20} (-1)^(i-1) X^(2 i - 1)/(2 i - 1)!",
    source="notes 002 6.1",
    references="MC 503",
    covers="def_sinm",
)
def sin_series(X: Float[Array, "n n"]):
    """The matrix sine and its power series."""
    return sinm_cosm(X)[0], power_series(X, [0, 1, 0, -1])


@definition(
    "cos(X) = Σ_{i=1}^{20} (-1)^(i-1) X^(2 i - 2)/(2 i - 2)!",
    source="notes 002 6.1",
    references="MC 504",
    covers="def_cosm",
)
def cos_series(X: Float[Array, "n n"]):
    """The matrix cosine and its power series."""
    return sinm_cosm(X)[1], power_series(X, [1, 0, -1, 0])


@identity("tr(exp(X))", "exp(X)ᵀ", source="notes 002 6.1", references="WP scalar by matrix", covers="tr_expm")
def tr_expm(X: Float[Array, "n n"]):
    """The trace of the exponential; one exponential gives both the value and the gradient."""
    E = expm(X)
    return tr(E), E.T


@identity("tr(sin(X))", "cos(X)ᵀ", source="notes 002 6.1", references="MC 128; WP scalar by matrix", covers="tr_sinm")
def tr_sinm(X: Float[Array, "n n"]):
    """The trace of the sine."""
    sin_X, cos_X = sinm_cosm(X)
    return tr(sin_X), cos_X.T


@identity("tr(cos(X))", "-sin(X)ᵀ", source="notes 002 6.1", references="WP scalar by matrix", covers="tr_cosm")
def tr_cosm(X: Float[Array, "n n"]):
    """The trace of the cosine."""
    sin_X, cos_X = sinm_cosm(X)
    return tr(cos_X), -sin_X.T


@identity("tr(A ⊗ X) = tr(A) tr(X)", "tr(A) I", source="notes 002 6.1", references="MC 105", covers="tr_kron_AX")
def tr_kron_ax(A: Float[Array, "p p"], X: Float[Array, "n n"]):
    """The trace of a Kronecker product of square matrices, for which alone it is tr(A) tr(X)."""
    f = tr(A) * tr(X)
    df_dX = tr(A) * eye(X)
    return f, df_dX


@identity(
    "tr(A ⊗ X)",
    "Σ_{r=1}^{m} Σ_{s=1}^{l} tr(A ⊗ E_rs) E_rs",
    source="correction of notes 002 6.1",
    covers="tr_kron_AX_rect",
)
def tr_kron_ax_rect(A: Float[Array, "l m"], X: Float[Array, "m l"]):
    """The trace of a square A ⊗ X of rectangular A and X: Σ a_ij x_rs over i m + r = j l + s, counted from 0."""
    (i, j), (r, s) = kron_diagonal(A, X)
    f = jnp.sum(A[i, j] * X[r, s])
    df_dX = jnp.zeros_like(X).at[r, s].add(A[i, j])
    return f, df_dX


@identity("tr(X ⊗ X) = tr(X)²", "2 tr(X) I", source="notes 002 6.1", references="MC 120", covers="tr_kron_XX")
def tr_kron_xx(X: Float[Array, "n n"]):
    """The trace of the Kronecker square."""
    f = tr(X) ** 2
    df_dX = 2 * tr(X) * eye(X)
    return f, df_dX


@identity("aᵀ X b", "a bᵀ", source="notes 000 C", references="MC 70; MC 71; WP scalar by matrix", covers="aXb")
def bilinear_axb(a: Float[Array, "m"], X: Float[Array, "m n"], b: Float[Array, "n"]):
    """A bilinear form, by its matrix."""
    f = a @ X @ b
    df_dX = outer(a, b)
    return f, df_dX


@identity("aᵀ Xᵀ X a = ‖X a‖²", "2 X a aᵀ", source="notes 000 C", references="MC 77 with b, c = a, a", covers="aXtXa")
def quad_axtxa(a: Float[Array, "n"], X: Float[Array, "m n"]):
    """The squared length of X a, by the matrix."""
    f = (X @ a) @ (X @ a)
    df_dX = 2 * outer(X @ a, a)
    return f, df_dX


@identity(
    "(X a - b)ᵀ (X a - b) = ‖X a - b‖²",
    "2 (X a - b) aᵀ",
    source="notes 000 C",
    references="MC 83 with D, b, c = I, a, -b; WP scalar by matrix with C, b = I, -b",
    covers="lsq_Xab",
)
def lsq_xa_minus_b(X: Float[Array, "m n"], a: Float[Array, "n"], b: Float[Array, "m"]):
    """Least squares, by the design matrix."""
    r = X @ a - b
    f = r @ r
    df_dX = 2 * outer(r, a)
    return f, df_dX


@identity(
    "‖X Aᵀ - B‖² = tr((X Aᵀ - B)ᵀ (X Aᵀ - B))",
    "2 (X Aᵀ - B) A",
    source="notes 000 C",
    references="MC 119 with A, B, C = I, Aᵀ, -B",
    covers="fro_XAtB",
)
def fro_xat_minus_b(X: Float[Array, "m n"], A: Float[Array, "p n"], B: Float[Array, "m p"]):
    """The squared Frobenius norm of a residual."""
    R = X @ A.T - B
    f = jnp.sum(R**2)
    df_dX = 2 * R @ A
    return f, df_dX


@rule(
    "tr(U + V)",
    "tr(∂U) + tr(∂V)",
    source="notes 002 6.1",
    references="WP scalar by matrix",
    covers={"scalar by matrix": "tr_sum"},
)
def tr_sum_rule(
    U: Float[Array, "p p"], dU: Float[Array, "p p m n"], V: Float[Array, "p p"], dV: Float[Array, "p p m n"]
):
    """The trace of a sum of matrix functions; trace and derivative commute."""
    f = tr(U + V)
    df_dX = tr(dU) + tr(dV)
    return f, df_dX


@rule(
    "tr(a U)",
    "a tr(∂U)",
    source="notes 002 6.1",
    references="WP scalar by matrix",
    covers={"scalar by matrix": "tr_scale"},
)
def tr_multiple_rule(a: Float[Array, ""], U: Float[Array, "p p"], dU: Float[Array, "p p m n"]):
    """The trace of a constant multiple of a matrix function."""
    f = tr(a * U)
    df_dX = a * tr(dU)
    return f, df_dX


@rule(
    "tr(U V)",
    "tr(∂U V) + tr(U ∂V)",
    source="notes 002 6.1",
    references="MN 9.10",
    covers={"scalar by matrix": "tr_product"},
)
def tr_product_rule(
    U: Float[Array, "l p"], dU: Float[Array, "l p m n"], V: Float[Array, "p l"], dV: Float[Array, "p l m n"]
):
    """The trace of a product of matrix functions. The traces on the right are taken for each entry of X."""
    f = tr(U @ V)
    df_dX = jnp.tensordot(V.T, dU) + jnp.tensordot(U.T, dV)
    return f, df_dX
