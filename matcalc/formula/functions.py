"""The functions of formulas, for NumPy and for jax.numpy."""

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

Array = Any
OF_REAL_NUMBERS = ("relu", "sign", "softplus", "sigmoid")


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of one array module."""

    xp: Any

    def identity(self, X: Array) -> Array:
        """The identity matrix, of the size of another one."""
        return self.xp.eye(len(X), dtype=X.dtype)

    def scalar(self, function: str, x: Array) -> Array:
        """The function of a number, or of every entry."""
        xp = self.xp
        if function in OF_REAL_NUMBERS and xp.iscomplexobj(x):
            raise ValueError(f"{function} is of real numbers, and this is a complex one.")
        match function:
            case "abs" | "det" | "norm" | "norm2" | "norm1" | "norminf" | "nuclear":
                return xp.abs(x)
            case "inv":
                return 1 / x
            case "pinv":
                return xp.where(x == 0, xp.zeros_like(x), 1 / xp.where(x == 0, xp.ones_like(x), x))
            case "adj":
                return xp.ones_like(x)
            case "vec" | "vech" | "diag":
                return x.reshape(1, 1)
            case "ln":
                return xp.log(x)
            case "exp" | "sin" | "cos" | "sqrt" | "tanh" | "sinh" | "cosh" | "tan" | "sign":
                return getattr(xp, function)(x)
            case "relu":
                return xp.maximum(x, xp.zeros_like(x))
            case "softmax":
                return xp.ones_like(x)
            case "softplus":  # ln(1 + eˣ)
                return xp.logaddexp(x, xp.zeros_like(x))
            case "sigmoid":  # 1/(1 + e⁻ˣ), which would overflow
                return xp.exp(-xp.logaddexp(-x, xp.zeros_like(x)))
            case _:  # tr, sum, mean, max, min, logsumexp
                return x

    def matrix(self, function: str, X: Array) -> Array:
        """The function of a matrix: exp, ln, sin, cos, sqrt … are those of the matrix, not of its entries."""
        xp = self.xp
        if xp is np and function in ("pinv", "adj", "spectral", "nuclear") and not np.all(np.isfinite(X)):
            raise np.linalg.LinAlgError("singular values of an infinite matrix")  # LAPACK would print what it thinks
        match function:
            case "tr":
                return xp.trace(X)
            case "det":
                return xp.linalg.det(X)
            case "inv":
                return xp.linalg.inv(X)
            case "pinv":
                return xp.linalg.pinv(X)
            case "norm":
                return xp.linalg.norm(X)
            case "norm1":
                return xp.sum(xp.abs(X))
            case "norminf":
                return xp.max(xp.abs(X))
            case "spectral":
                return xp.linalg.norm(X, 2)
            case "nuclear":
                return xp.sum(xp.linalg.svd(X, compute_uv=False))
            case "sum" | "mean" | "max" | "min":
                return getattr(xp, function)(X)
            case "logsumexp" | "softmax" if xp is not np:
                of_jax: Any = import_module("jax.nn")  # which does not differentiate through the largest entry
                return of_jax.logsumexp(X) if function == "logsumexp" else of_jax.softmax(X, axis=None)
            case "logsumexp":
                return X.max() + np.log(np.sum(np.exp(X - X.max())))
            case "softmax":
                powers = np.exp(X - X.max())
                return powers / np.sum(powers)
            case "tril" | "triu":
                return getattr(xp, function)(X)
            case "adj":
                return self.adjugate(X)
            case "vec":
                return X.T.reshape(-1, 1)
            case "vech":
                columns, rows = np.triu_indices(len(X))
                return X[rows, columns][:, None]
            case "cross":
                a, b, c = X[:, 0]
                return xp.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
            case "diag":
                return xp.diag(X[:, 0]) if X.shape[1] == 1 else xp.diag(X)[:, None]
            case "sinh" | "cosh":
                there, back = self.matrix("exp", X), self.matrix("exp", -X)
                return (there - back if function == "sinh" else there + back) / 2
            case "tan":
                return xp.linalg.solve(self.matrix("cos", X), self.matrix("sin", X))
            case "exp" | "ln" | "sin" | "cos" | "sqrt":
                return (_numpy if xp is np else _jax)(function, X)
            case _:
                raise TypeError(f"no function {function}")

    def adjugate(self, X: Array) -> Array:
        """adj(X), at every rank: with X = U diag(s) Vᵀ it is |U| |V| V diag(∏_{j≠i} s_j) Uᵀ."""
        xp = self.xp
        U, s, Vt = xp.linalg.svd(X)
        others = xp.prod(xp.where(xp.eye(len(s), dtype=bool), 1, s[None, :]), axis=1)
        sign = xp.sign(xp.linalg.det(U) * xp.linalg.det(Vt))
        return sign * (Vt.T * others[None, :]) @ U.T


def _numpy(function: str, X: Array) -> Array:
    """The matrix function by SciPy, computed in double precision; complex only where it must be."""
    linalg: Any = import_module("scipy.linalg")
    name = {"exp": "expm", "ln": "logm", "sin": "sinm", "cos": "cosm", "sqrt": "sqrtm"}[function]
    with warnings.catch_warnings(action="ignore"):  # of rounding, which the referee measures
        value = np.asarray(getattr(linalg, name)(X.astype(np.result_type(X.dtype, np.float64))))
    return value if np.iscomplexobj(value) else value.astype(X.dtype)


def _jax(function: str, X: Array) -> Array:
    """The matrix function by JAX, traceable."""
    from matcalc import linalg  # JAX is not needed to evaluate with NumPy

    match function:
        case "exp":
            return linalg.expm(X)
        case "sin":
            return linalg.sinm_cosm(X)[0]
        case "cos":
            return linalg.sinm_cosm(X)[1]
        case "sqrt":
            return linalg.sqrtm(X)
        case _:
            return linalg.logm(X)
