"""Vectors, by a vector: linear maps, scaled vectors and the direction of x - a. Notes 000 B, 001, and 002 4."""

from jax import Array
from jax import numpy as jnp
from jaxtyping import Float

from matcalc.catalogue import definition, identity, rule
from matcalc.domains import nonzero
from matcalc.linalg import eye, norm, outer


@definition("A x = Σ_{i=1}^{m} Σ_{j=1}^{n} a_ij x_j e_i", source="notes 001", covers="def_matvec_product")
def matvec(A: Float[Array, "m n"], x: Float[Array, "n"]):
    """The product of a matrix with a vector, entry by entry."""
    return A @ x, jnp.sum(A * x[None, :], axis=1)


@identity(
    "A x",
    "A",
    wrt="x",
    source="notes 000 B, 001, 002 4",
    references="WP vector by vector; MN 9.13",
    covers="lin_Ax def_elementwise def_row_denominator",
)
def ax(A: Float[Array, "m n"], x: Float[Array, "n"]):
    """A linear map, ∂[A x]_i/∂x_j = a_ij. (By the row xᵀ, as notes 001 also write it, in denominator layout: A.)"""
    f = A @ x
    df_dx = A
    return f, df_dx


@identity("Aᵀ x", "Aᵀ", wrt="x", source="notes 000 B, 001", references="WP vector by vector", covers="lin_xA")
def xa(x: Float[Array, "n"], A: Float[Array, "n m"]):
    """The row xᵀ A, read as the vector Aᵀ x. (A is n×m: with the m×n of notes 001 the product is undefined.)"""
    f = A.T @ x
    df_dx = A.T
    return f, df_dx


@identity(
    "(x - a)/‖x - a‖",
    "I/‖x - a‖ - (x - a) (x - a)ᵀ/‖x - a‖³",
    wrt="x",
    where={"x - a": nonzero},
    source="notes 002 4",
    references="MC 130",
    covers="normalised",
)
def direction_x_minus_a(x: Float[Array, "n"], a: Float[Array, "n"]):
    """The unit vector w from a to x, for x ≠ a. As (I - w wᵀ)/r with r = ‖x - a‖ no cube of r over- or underflows."""
    r = norm(x - a)
    w = (x - a) / r
    df_dx = (eye(x) - outer(w, w)) / r
    return w, df_dx


@rule(
    "A u",
    "A ∂u",
    source="notes 002 2 and 4",
    references="WP vector by scalar; WP vector by vector; MN 9.13",
    covers={"vector by scalar": "lin_vector_by_scalar", "vector by vector": "lin_Au"},
)
def linear_rule(A: Float[Array, "p m"], u: Float[Array, "m"], du: Float[Array, "m *x"]):
    """A constant matrix times a vector function."""
    f = A @ u
    df_dx = jnp.tensordot(A, du, 1)
    return f, df_dx


@rule(
    "v u",
    "v ∂u + u (∂v)ᵀ",
    source="notes 002 4",
    references="WP vector by vector",
    covers={"vector by vector": "prod_vu"},
)
def scaled_vector_rule(v: Float[Array, ""], dv: Float[Array, "n"], u: Float[Array, "l"], du: Float[Array, "l n"]):
    """A scalar function times a vector function."""
    f = v * u
    df_dx = v * du + outer(u, dv)
    return f, df_dx
