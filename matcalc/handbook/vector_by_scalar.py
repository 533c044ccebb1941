"""Vectors, by a scalar: components, linear maps and cross products. Notes 002 1 and 2."""

from typing import Annotated

import jax.numpy as jnp
from jax import Array
from jax.numpy import cross
from jaxtyping import Float

from matcalc.catalogue import definition, identity, rule
from matcalc.linalg import unit


@identity("x + s e_i", "e_i", wrt="s", source="notes 002 1", covers="vector_by_component")
def vector_by_component(x: Float[Array, "n"], s: Float[Array, ""], i: Annotated[int, "n"]):
    """A vector by one of its components, to which s is added: ∂x/∂xᵢ = eᵢ. i counts from 0."""
    f = x + s * unit(i, x)
    df_ds = unit(i, x)
    return f, df_ds


@rule(
    "Aᵀ u",
    "Aᵀ ∂u",
    source="notes 002 2",
    references="WP vector by scalar",
    covers={"vector by scalar": "lin_rowvector_by_scalar"},
)
def row_linear_rule(u: Float[Array, "n"], du: Float[Array, "n"], A: Float[Array, "n p"]):
    """The row uᵀ A, read as the vector Aᵀ u; A is constant."""
    f = A.T @ u
    df_dx = A.T @ du
    return f, df_dx


@definition(
    "u × v = (u_2 v_3 - u_3 v_2) e_1 + (u_3 v_1 - u_1 v_3) e_2 + (u_1 v_2 - u_2 v_1) e_3",
    source="notes 002 2",
    covers="def_cross",
)
def cross_product(u: Float[Array, "3"], v: Float[Array, "3"]):
    """The cross product of two vectors. (In Chinese the outer product has the same name.)"""
    return cross(u, v), jnp.stack([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]])


@rule(
    "u × v",
    "∂u × v + u × ∂v",
    source="notes 002 2",
    references="WP vector by scalar",
    covers={"vector by scalar": "cross_by_scalar"},
)
def cross_rule(u: Float[Array, "3"], du: Float[Array, "3"], v: Float[Array, "3"], dv: Float[Array, "3"]):
    """The cross product of two vector functions; the order of the factors matters."""
    f = cross(u, v)
    df_dx = cross(du, v) + cross(u, dv)
    return f, df_dx
