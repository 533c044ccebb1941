"""Factorisations of a matrix of balls, by the textbook; Unknown where one cannot be told to exist."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from matcalc.referee.ball_numbers import Array, Unknown, ball, mapped


def _cholesky(params: Any, A: Array) -> list[Array]:
    del params
    n = len(A)
    L = mapped(ball, np.zeros((n, n)))
    for j in range(n):
        d = A[j, j] - sum((L[j, k] * L[j, k] for k in range(j)), ball(0))
        if not d > 0:
            raise Unknown("a matrix that is not positive definite")
        L[j, j] = d.sqrt()
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - sum((L[i, k] * L[j, k] for k in range(j)), ball(0))) / L[j, j]
    return [L]


def _triangular_solve(params: Any, A: Array, B: Array) -> list[Array]:
    if params["conjugate_a"] and A.dtype != object:
        raise Unknown("a complex matrix")
    lower, turned = params["lower"], params["transpose_a"]
    if not params["left_side"]:  # X A = B is Aᵀ Xᵀ = Bᵀ
        flipped = {**params, "left_side": True, "transpose_a": not turned}
        return [_triangular_solve(flipped, A, B.T)[0].T]
    if turned:
        A, lower = A.T, not lower
    X, n = B.astype(object), len(A)
    for i in range(n) if lower else reversed(range(n)):
        done = range(i) if lower else range(i + 1, n)
        row = X[i] - sum((A[i, k] * X[k] for k in done), mapped(ball, np.zeros(X.shape[1])))
        X[i] = row if params["unit_diagonal"] else row / A[i, i]
    return [X]


def _lu(params: Any, A: Array) -> list[Array]:
    del params
    LU, (m, n) = A.copy(), A.shape
    pivots, order = np.arange(min(m, n), dtype=np.int32), np.arange(m, dtype=np.int32)
    for k in range(min(m, n)):
        p = k + int(np.argmax([float(abs(x).mid()) for x in LU[k:, k]]))
        pivots[k] = p
        LU[[k, p]], order[[k, p]] = LU[[p, k]], order[[p, k]]
        if LU[k, k].contains(0):
            raise Unknown("a pivot that may be zero")
        for i in range(k + 1, m):
            LU[i, k] = LU[i, k] / LU[k, k]
            LU[i, k + 1 :] = LU[i, k + 1 :] - LU[i, k] * LU[k, k + 1 :]
    return [LU, pivots, order]


FACTORS = {"cholesky": _cholesky, "triangular_solve": _triangular_solve, "lu": _lu}


def batched(factor: Callable[..., list[Array]], operands: list[Array], outvars: Any) -> list[Array]:
    """A factorisation of each matrix in a batch."""
    batch = operands[0].shape[:-2]
    dtypes = [v.aval.dtype if jnp.issubdtype(v.aval.dtype, jnp.integer) else object for v in outvars]
    results = [np.empty(v.aval.shape, dtype) for v, dtype in zip(outvars, dtypes, strict=True)]
    for place in np.ndindex(batch):
        for result, found in zip(results, factor(*(a[place] for a in operands)), strict=True):
            result[place] = found
    return results
