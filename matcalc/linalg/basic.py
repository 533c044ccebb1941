"""Products, units, norms and factorisations, from which the other functions of matrices are made."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import lu_factor, lu_solve

product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)

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


def factor(X: Array) -> tuple[Array, Array]:
    """The LU factors of Xᵀ.

    JAX stores a matrix by rows and LAPACK by columns, so that LAPACK takes Xᵀ from the memory of X without a copy.
    """
    return lu_factor(X.T)


@jax.custom_jvp
def inverse(X: Array, factors: tuple[Array, Array]) -> Array:
    """X⁻¹ from `factor(X)`, with the derivative -X⁻¹ dX X⁻¹: two products.

    From X X⁻¹ = I follows dX X⁻¹ + X dX⁻¹ = 0. The factors must be differentiable functions of X too, because JAX drops
    custom rules in a loop before it differentiates a second time. Elsewhere their derivatives are not used, and the
    compiler removes them.
    """
    return lu_solve(factors, eye(X)).T


@inverse.defjvp
def _inverse_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    X_inv = inverse(*primals)
    return X_inv, -product(product(X_inv, tangents[0]), X_inv)


def norm(x: Array) -> Array:
    """The Euclidean norm. It is not differentiable at 0.

    ‖x‖ = s ‖x/s‖ for every s > 0, and with the largest |xᵢ| for s no square over- or underflows. The norm does not
    depend on s, so that s counts as a constant when it is differentiated.
    """
    size = jax.lax.stop_gradient(jnp.max(jnp.abs(x)))
    scale = jnp.where(size > 0, size, 1)
    return scale * jnp.sqrt(jnp.sum((x / scale) ** 2))


def kron_diagonal(A: Array, X: Array) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The indices (i, j) and (r, s) of the factors a_ij x_rs on the diagonal of A ⊗ X, which must be square.

    With m×n matrices X, the entry of A ⊗ X in the row i m + r and the column j n + s is a_ij x_rs; on the diagonal both
    are t.
    """
    t = np.arange(A.shape[0] * X.shape[0])
    return (t // X.shape[0], t // X.shape[1]), (t % X.shape[0], t % X.shape[1])


def tall(X: Array) -> Array:
    """X, with rows of zeros appended if it has fewer rows than columns. XᵀX stays the same."""
    m, n = X.shape
    return jnp.pad(X, ((0, max(n - m, 0)), (0, 0)))
