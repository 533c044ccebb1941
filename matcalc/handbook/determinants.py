"""Determinants and their logarithms, by a matrix X: of X, A X B, powers of X, Xᵀ A X and Xᵀ X. Notes 002 6.2.

|X| is the determinant, adj(X) the adjugate and X⁺ the pseudoinverse.
"""

from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jax.numpy import log
from jax.numpy.linalg import qr
from jaxtyping import Float

from matcalc.catalogue import definition, identity
from matcalc.domains import full_column_rank, invertible, nonzero, positive, symmetric
from matcalc.linalg import adj, det, inv, logabsdet, tall, unit


@definition("|Y + c E_ji| = |Y| + c [adj(Y)]_ij", source="notes 002 6.2", covers="det_increment")
def cofactor(Y: Float[Array, "n n"], c: Float[Array, ""], j: Annotated[int, "n"], i: Annotated[int, "n"]):
    """A determinant is affine in each entry, and the slope is the cofactor. i and j count from 0."""
    return det(Y + c * unit((j, i), Y)), det(Y) + c * adj(Y)[i, j]


@identity(
    "|X|",
    "adj(X)ᵀ",
    source="notes 002 6.2",
    references="MC 41; WP scalar by matrix; MN 8.3",
    covers="det_X_adj det_by_itself",
)
def det_x(X: Float[Array, "n n"]):
    """The determinant of any square matrix, singular ones included."""
    f = det(X)
    df_dX = adj(X).T
    return f, df_dX


@identity(
    "|X|",
    "|X| X⁻ᵀ = adj(X)ᵀ",
    where={"X": invertible},
    source="notes 002 6.2",
    references="MC 49; WP scalar by matrix; MN 9.11",
    covers="det_X",
)
def det_x_invertible(X: Float[Array, "n n"]):
    """The determinant of an invertible matrix."""
    f = det(X)
    df_dX = det(X) * inv(X).T
    return f, df_dX


@identity(
    "|A X B|",
    "Aᵀ adj(A X B)ᵀ Bᵀ",
    source="notes 002 6.2",
    references="MC 41 with X = A X B",
    covers="det_AXB chain_det_AXB",
)
def det_axb(A: Float[Array, "l m"], X: Float[Array, "m n"], B: Float[Array, "n l"]):
    """The determinant of A X B, for A, X and B of any sizes. (adj(A X B) is l×l; notes 002 print it with n.)"""
    f = det(A @ X @ B)
    df_dX = A.T @ adj(A @ X @ B).T @ B.T
    return f, df_dX


@identity(
    "|A X B|",
    "|A X B| Aᵀ (A X B)⁻ᵀ Bᵀ",
    where={"A X B": invertible},
    source="correction of notes 002 6.2",
    references="MN 9.11",
    covers="det_AXB_inv_rect",
)
def det_axb_invertible(A: Float[Array, "l m"], X: Float[Array, "m n"], B: Float[Array, "n l"]):
    """The determinant of A X B where that is invertible; A, X and B may be rectangular."""
    f = det(A @ X @ B)
    df_dX = det(A @ X @ B) * A.T @ inv(A @ X @ B).T @ B.T
    return f, df_dX


@identity(
    "|A X B| = |A| |X| |B|",
    "|A X B| X⁻ᵀ = |A X B| Aᵀ (A X B)⁻ᵀ Bᵀ = Aᵀ adj(A X B)ᵀ Bᵀ",
    where={"A": invertible, "X": invertible, "B": invertible},
    source="notes 002 6.2 (6)",
    references="MC 51; WP scalar by matrix",
    covers="det_AXB_inv",
)
def det_axb_square(A: Float[Array, "n n"], X: Float[Array, "n n"], B: Float[Array, "n n"]):
    """The determinant of A X B where A, X and B are square and invertible."""
    f = det(A @ X @ B)
    df_dX = det(A @ X @ B) * inv(X).T
    return f, df_dX


@identity(
    "|X^k| = |X|^k",
    "k |X|^(k-1) adj(X)ᵀ",
    source="notes 002 6.2",
    references="MC 58; WP scalar by matrix; MN 9.11",
    covers="det_Xk det_X_pow_k",
)
def det_xk(X: Float[Array, "n n"], k: int):
    """The determinant of a power, k ≥ 1, of any square matrix; |X|⁰ is 1 for k = 1. (|X|ᵏ X⁻ᵀ needs X invertible.)"""
    f = det(X) ** k
    df_dX = k * det(X) ** (k - 1) * adj(X).T
    return f, df_dX


@identity(
    "ln |det(a X)|",
    "X⁻ᵀ = adj(X)ᵀ/|X|",
    where={"a": nonzero, "X": invertible},
    source="notes 002 6.2",
    references="WP scalar by matrix",
    covers="lndet_aX",
)
def logabsdet_ax(a: Float[Array, ""], X: Float[Array, "n n"]):
    """The logarithm of |det(a X)|, whatever its sign. (Notes 002 write ln |a X|, real only for |a X| > 0.)"""
    f = logabsdet(a * X)
    df_dX = inv(X).T
    return f, df_dX


@identity(
    "ln |det(X)|",
    "X⁻ᵀ = adj(X)ᵀ/|X|",
    where={"X": invertible},
    source="notes 002 6.2",
    references="MC 57; WP scalar by matrix",
    covers="lndet_X",
)
def logabsdet_x(X: Float[Array, "n n"]):
    """The logarithm of |det X|, finite where the determinant overflows."""
    f = logabsdet(X)
    df_dX = inv(X).T
    return f, df_dX


@identity("n ln(a)", "0", where={"a": positive}, source="notes 002 6.2", covers="ln_const")
def ln_power_of_a(a: Float[Array, ""], X: Float[Array, "n n"]):
    """The term ln aⁿ of ln |a X|, which does not depend on X."""
    f = len(X) * log(a)
    df_dX = jnp.zeros_like(X)
    return f, df_dX


@identity(
    "|Xᵀ A X|",
    "A X adj(Xᵀ A X) + Aᵀ X adj(Xᵀ A X)ᵀ",
    source="notes 002 6.2",
    references="MC 41 with X = Xᵀ A X",
    covers="det_XtAX",
)
def det_xtax(X: Float[Array, "m l"], A: Float[Array, "m m"]):
    """The determinant of Xᵀ A X, which may be singular; notes 002 exclude that without need."""
    Y = X.T @ A @ X
    f = det(Y)
    df_dX = A @ X @ adj(Y) + A.T @ X @ adj(Y).T
    return f, df_dX


@identity(
    "|Xᵀ A X|",
    "|Xᵀ A X| (A X (Xᵀ A X)⁻¹ + Aᵀ X (Xᵀ A X)⁻ᵀ)",
    where={"Xᵀ A X": invertible},
    source="notes 002 6.2",
    references="MC 54; WP scalar by matrix",
    covers="det_XtAX_inv",
)
def det_xtax_invertible(X: Float[Array, "m l"], A: Float[Array, "m m"]):
    """The determinant of Xᵀ A X where that is invertible."""
    Y = X.T @ A @ X
    f = det(Y)
    df_dX = det(Y) * (A @ X @ inv(Y) + A.T @ X @ inv(Y).T)
    return f, df_dX


@identity(
    "|Xᵀ A X|",
    "2 |Xᵀ A X| A X (Xᵀ A X)⁻¹",
    where={"A": symmetric, "Xᵀ A X": invertible},
    source="notes 002 6.2",
    references="MC 53; WP scalar by matrix",
    covers="det_XtAX_sym",
)
def det_xtax_symmetric(X: Float[Array, "m l"], A: Float[Array, "m m"]):
    """The determinant of Xᵀ A X for a symmetric A. For a rectangular X and another A the gradient would be wrong."""
    Y = X.T @ A @ X
    f = det(Y)
    df_dX = 2 * det(Y) * A @ X @ inv(Y)
    return f, df_dX


@identity(
    "|Xᵀ A X| = |X|² |A|",
    "2 |X|² |A| X⁻ᵀ = 2 |A| |X| adj(X)ᵀ",
    where={"X": invertible},
    source="notes 002 6.2",
    references="MC 52; WP scalar by matrix",
    covers="det_XtAX_square det_XtAX_square_sym",
)
def det_xtax_square(X: Float[Array, "n n"], A: Float[Array, "n n"]):
    """The determinant of Xᵀ A X for a square, invertible X and any A; notes 002 ask for a symmetric A without need."""
    f = det(X) ** 2 * det(A)
    df_dX = 2 * det(X) ** 2 * det(A) * inv(X).T
    return f, df_dX


@identity(
    "|Xᵀ X|",
    "2 |Xᵀ X| (X⁺)ᵀ = 2 X adj(Xᵀ X)",
    source="notes 002 6.2",
    references="MC 53 with A = I; MN 9.11",
    covers="det_XtX",
)
def det_xtx(X: Float[Array, "m l"]):
    """The determinant of a Gram matrix, of any X; it and its gradient are 0 where the columns of X are dependent.

    For X = Q R, Xᵀ X = Rᵀ R and X⁺ = R⁻¹ Qᵀ, so that |Xᵀ X| (X⁺)ᵀ = |R| Q adj(R)ᵀ. Xᵀ X, whose condition number is the
    square of that of X, is not formed.
    """
    Q, R = qr(tall(X))
    f = det(R) ** 2
    df_dX = 2 * det(R) * (Q @ adj(R).T)[: len(X)]
    return f, df_dX


@identity(
    "ln |Xᵀ X|",
    "2 (X⁺)ᵀ = 2 X (Xᵀ X)⁻¹",
    where={"X": full_column_rank},
    source="notes 002 6.2",
    references="MC 55; WP scalar by matrix",
    covers="lndet_XtX",
)
def logdet_xtx(X: Float[Array, "m l"]):
    """The logarithm of the determinant of a Gram matrix, for X of full column rank: X = Q R gives X⁺ = R⁻¹ Qᵀ."""
    Q, R = qr(X)
    f = 2 * logabsdet(R)
    df_dX = 2 * Q @ inv(R).T
    return f, df_dX
