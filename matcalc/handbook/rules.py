"""Rules for functions of a scalar, a vector or a matrix x: constants, multiples, sums, products, chains. Notes 002 1.

`U` is the value of a function and `dU` its derivative ∂U, in JAX's layout: the axes of U, then those of x.
"""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from matcalc.catalogue import identity, rule
from matcalc.linalg import outer


@identity(
    "A",
    "0",
    wrt="x",
    source="notes 002 1",
    references="MC 33",
    covers={
        "scalar by scalar": "const_scalar_by_scalar",
        "scalar by vector": "const_scalar_by_vector",
        "scalar by matrix": "const_scalar_by_matrix",
        "vector by scalar": "const_vector_by_scalar",
        "vector by vector": "const_vector_by_vector",
        "matrix by scalar": "const_matrix_by_scalar",
    },
)
def constant(A: Float[Array, "*A"], x: Float[Array, "*x"]):
    """A constant by a scalar, a vector or a matrix: zeros, in the shape that the layout asks for."""
    f = A
    df_dx = jnp.zeros(A.shape + x.shape, A.dtype)
    return f, df_dx


@identity(
    "x",
    "I",
    wrt="x",
    source="notes 000 B, 002 1",
    references="WP vector by vector",
    covers={"scalar by scalar": "ident_scalar", "vector by vector": "ident_vector"},
)
def itself(x: Float[Array, "*x"]):
    """The variable by itself."""
    f = x
    df_dx = jnp.eye(x.size, dtype=x.dtype).reshape(x.shape + x.shape)
    return f, df_dx


@rule(
    "U",
    "∂U",
    source="notes 000, 001, 002 0",
    references="WP layout conventions",
    covers={
        "scalar by vector": "def_scalar_by_vector def_gradient",
        "scalar by matrix": "def_scalar_by_matrix",
        "vector by scalar": "def_vector_by_scalar",
        "vector by vector": "def_vector_by_vector layout_transpose",
        "matrix by scalar": "def_matrix_by_scalar",
    },
)
def derivative_of(U: Float[Array, "*U"], dU: Float[Array, "*dU"]):
    """The derivative of a function, as the layouts arrange it: each is the transpose of the other."""
    f = U
    df_dx = dU
    return f, df_dx


@rule(
    "a U",
    "a ∂U",
    source="notes 002 1",
    references="MC 34",
    covers={
        "scalar by scalar": "scale_scalar_by_scalar",
        "scalar by vector": "scale_scalar_by_vector",
        "scalar by matrix": "scale_scalar_by_matrix",
        "vector by scalar": "scale_vector_by_scalar",
        "vector by vector": "scale_vector_by_vector",
        "matrix by scalar": "scale_matrix_by_scalar",
    },
)
def multiple_rule(a: Float[Array, ""], U: Float[Array, "*U"], dU: Float[Array, "*dU"]):
    """A constant multiple of a function."""
    f = a * U
    df_dx = a * dU
    return f, df_dx


@rule(
    "U + V",
    "∂U + ∂V",
    source="notes 002 1",
    references="MC 35",
    covers={
        "scalar by scalar": "sum_scalar_by_scalar",
        "scalar by vector": "sum_scalar_by_vector",
        "scalar by matrix": "sum_scalar_by_matrix",
        "vector by scalar": "sum_vector_by_scalar",
        "vector by vector": "sum_vector_by_vector",
        "matrix by scalar": "sum_matrix_by_scalar",
    },
)
def sum_rule(U: Float[Array, "*U"], dU: Float[Array, "*dU"], V: Float[Array, "*U"], dV: Float[Array, "*dU"]):
    """The sum of two functions."""
    f = U + V
    df_dx = dU + dV
    return f, df_dx


@rule(
    "u V",
    "V ∂u + u ∂V",
    source="notes 002 1 and 5",
    references="WP scalar by vector; WP scalar by matrix",
    covers={
        "scalar by scalar": "prod_scalar_by_scalar",
        "scalar by vector": "prod_scalar_by_vector",
        "scalar by matrix": "prod_scalar_by_matrix",
        "vector by scalar": "prod_vector_scalar_by_scalar prod_scalar_vector_by_scalar",
        "matrix by scalar": "prod_scalar_matrix",
    },
)
def scaled_rule(u: Float[Array, ""], du: Float[Array, "*x"], V: Float[Array, "*V"], dV: Float[Array, "*dV"]):
    """The product of a scalar function with any function."""
    f = u * V
    df_dx = outer(V, du) + u * dV
    return f, df_dx


@rule(
    "g",
    "∂g ∂u",
    through="u",
    source="notes 002 1",
    references="WP scalar by vector; WP scalar by matrix",
    covers={
        "scalar by scalar": "chain_scalar",
        "scalar by vector": "chain_vector_inner_scalar",
        "scalar by matrix": "chain_scalar_of_matrix",
    },
)
def chain_rule_scalar(g: Float[Array, ""], dg: Float[Array, ""], du: Float[Array, "*x"]):
    """g(u(x)) with scalars g and u, where dg is ∂g/∂u at u(x)."""
    dg_dx = dg * du
    return g, dg_dx


@rule(
    "g",
    "∂g ∂u",
    through="u",
    source="notes 002 1",
    references="WP vector by vector; MN 5.12",
    covers={"vector by vector": "chain_vector"},
)
def chain_rule(g: Float[Array, "l"], dg: Float[Array, "l m"], du: Float[Array, "m n"]):
    """g(u(x)) with vectors throughout, where dg is ∂g/∂u at u(x); in denominator layout the factors change places."""
    dg_dx = dg @ du
    return g, dg_dx


@rule(
    "g",
    "tr((∂g)ᵀ ∂U)",
    through="U",
    source="notes 002 1 (1)",
    references="MC 137; WP scalar by scalar",
    covers={"scalar by scalar": "chain_through_matrix"},
)
def chain_rule_matrix(g: Float[Array, ""], dg: Float[Array, "m n"], dU: Float[Array, "m n"]):
    """g(U(x)) with a matrix between two scalars, where dg is ∂g/∂U at U(x): Σ ∂g/∂uₚ ∂uₚ/∂x over all entries of U."""
    dg_dx = jnp.sum(dg * dU)
    return g, dg_dx
