"""Evaluation in ball arithmetic: numbers with proven error bounds, to as many digits as asked for, by python-flint.

It shares the reading and the sizes of formulas with the other evaluators, and no arithmetic.
"""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from functools import reduce
from importlib import import_module
from numbers import Integral
from typing import Any

import numpy as np

from matcalc.formula import tree as t
from matcalc.formula.errors import FormulaError
from matcalc.formula.evaluation import Array, Evaluation
from matcalc.formula.typed import Typed

DIGITS = 60
STEPS_TO_ROOT = 40


@contextlib.contextmanager
def precision(digits: int = DIGITS) -> Generator[None]:
    """Ball arithmetic to so many digits. ImportError where python-flint is not installed."""
    context = _flint().ctx
    before, context.dps = context.dps, digits
    try:
        yield
    finally:
        context.dps = before


def balls(array: Array) -> Array:
    """An array of numbers as an array of exact balls."""
    arb = _flint().arb
    given = np.asarray(array)
    exact = [value if isinstance(value, arb) else arb(value) for value in given.ravel().tolist()]
    result = np.empty(len(exact), object)
    result[:] = exact
    return result.reshape(given.shape)


def evaluate_in_balls(
    tree: t.Formula,
    values: Mapping[str, Array],
    *,
    sizes: Mapping[str, int] | None = None,
    shape: Sequence[int] | None = None,
) -> Array:
    """The value of a formula as an array of balls, in the `precision` in force.

    FormulaError where it has a function that ball arithmetic does not have, and where a ball is too wide to tell.
    """
    try:
        return _InBalls(tree, values, sizes or {}).run(shape)
    except (ZeroDivisionError, ValueError) as error:
        if isinstance(error, FormulaError):
            raise
        raise FormulaError(f"ball arithmetic cannot tell: {error}", str(tree), 0, len(str(tree))) from None


class _InBalls(Evaluation):
    def __init__(self, tree: t.Formula, values: Mapping[str, Array], sizes: Mapping[str, int]) -> None:
        self.tree, self.sizes, self.xp = tree, sizes, np
        self.integers = {name: int(value) for name, value in values.items() if isinstance(value, Integral)}
        self.arrays = {name: balls(value) for name, value in values.items() if name not in self.integers}
        self.dtype = np.dtype(object)
        self.functions = _FunctionsOfBalls()
        self.bound: dict[str, int] = {}

    def value(self, of: Typed) -> Array:
        match of.node:
            case t.Number(number) if number:
                return _flint().arb(repr(number))
            case t.Apply("!"):
                return _flint().arb(self.number(of.node))
            case _:
                return super().value(of)

    def power(self, exponent: t.Formula, of: Typed, base: Array) -> Array:
        number = self.number(exponent)
        if np.ndim(base) and isinstance(number, int) and number < 0:
            return np.linalg.matrix_power(self.functions.matrix("inv", base), -number)
        return super().power(exponent, of, base)


class _FunctionsOfBalls:
    """The functions of one argument, of balls."""

    def identity(self, X: Array) -> Array:
        return balls(np.eye(len(X)))

    def scalar(self, function: str, x: Array) -> Array:
        if np.ndim(x):
            return balls([self.scalar(function, entry) for entry in x.ravel()]).reshape(x.shape)
        ball = _flint().arb(x.item() if isinstance(x, np.ndarray) else x)  # of I and 0 the entries are integers
        match function:
            case "abs" | "det" | "norm" | "norm2" | "norm1" | "norminf" | "nuclear":
                return abs(ball)
            case "relu":
                return ball.max(_flint().arb(0))
            case "sign":
                return ball.sgn()
            case "softmax":
                return _flint().arb(1)
            case "inv" | "pinv":
                return 1 / ball
            case "adj":
                return _flint().arb(1)
            case "vec" | "vech" | "diag":
                return balls(ball).reshape(1, 1)
            case "ln":
                return ball.log()
            case "exp" | "sin" | "cos" | "sqrt" | "tanh" | "sinh" | "cosh" | "tan":
                return getattr(ball, function)()
            case "softplus":
                return (1 + ball.exp()).log()
            case "sigmoid":
                return 1 / (1 + (-ball).exp())
            case "tr" | "sum" | "mean" | "max" | "min" | "logsumexp" | "tril" | "triu":
                return ball
            case _:
                raise FormulaError(f"ball arithmetic has no {function} of a number")

    def matrix(self, function: str, X: Array) -> Array:
        arb = _flint().arb
        match function:
            case "tr":
                return np.trace(X)
            case "sum":
                return np.sum(X)
            case "mean":
                return np.sum(X) / X.size
            case "max" | "min":
                return reduce(lambda one, other: getattr(one, function)(other), balls(X).ravel())
            case "norm1":
                return np.sum(self.scalar("abs", X))
            case "norminf":
                return self.matrix("max", self.scalar("abs", X))
            case "logsumexp":
                return np.sum(self.scalar("exp", X)).log()
            case "softmax":
                powers = self.scalar("exp", X)
                return powers / np.sum(powers)
            case "tril" | "triu":
                return balls(getattr(np, function)(X))
            case "sinh" | "cosh":
                there, back = self.matrix("exp", X), self.matrix("exp", -X)
                return (there - back if function == "sinh" else there + back) / 2
            case "tan":
                return self.matrix("inv", self.matrix("cos", X)) @ self.matrix("sin", X)
            case "norm":
                squares: Any = sum((arb(x) ** 2 for x in X.ravel()), arb(0))
                return squares.sqrt()
            case "vec":
                return X.T.reshape(-1, 1)
            case "vech":
                return balls([X[row, column] for column in range(len(X)) for row in range(column, len(X))])[:, None]
            case "cross":
                return np.cross(X[:, 0], np.eye(3, dtype=object)).T
            case "diag":
                return np.diag(X[:, 0]) if X.shape[1] == 1 else np.diag(X)[:, None]
            case "det":
                return _matrix(X).det()
            case "inv":
                return _array(_matrix(X).inv())
            case "adj":
                return _matrix(X).det() * _array(_matrix(X).inv())
            case "pinv":  # of full rank
                return self.matrix("inv", X.T @ X) @ X.T if len(X) >= X.shape[1] else X.T @ self.matrix("inv", X @ X.T)
            case "exp":
                return _array(_matrix(X).exp())
            case "sin" | "cos":  # exp [[0, X], [-X, 0]] = [[cos X, sin X], [-sin X, cos X]]
                n, zero = len(X), np.zeros_like(X)
                rotation = self.matrix("exp", np.block([[zero, X], [-X, zero]]))
                return rotation[:n, n:] if function == "sin" else rotation[:n, :n]
            case "sqrt":
                return self.root(X)
            case "ln":
                return self.logarithm(X)
            case _:
                raise FormulaError(f"ball arithmetic has no {function} of a matrix")

    def root(self, X: Array) -> Array:
        """The principal square root: a root R of numbers, and how far from it the root of X may be."""
        R = _near_root(X)
        # The root is R + E with R E + E R = X - R² - E². Let K be the inverse of the map of E on the left, β its norm,
        # and η that of K(X - R²). Then E ↦ K(X - R² - E²) maps what is no longer than 2 η into itself if 4 β η ≤ 1, as
        # η + β (2 η)² ≤ 2 η. So it has a fixed point there, by Brouwer's theorem.
        I = np.eye(len(X), dtype=object)
        K = self.matrix("inv", np.kron(I, R) + np.kron(R.T, I))
        step = _longest(K @ self.matrix("vec", X - R @ R))
        if not 4 * _longest(K) * step <= 1:
            raise ValueError("the square root of a matrix; has it eigenvalues that are negative or zero?")
        arb = _flint().arb
        return balls([arb(entry, 2 * step) for entry in R.ravel()]).reshape(R.shape)

    def logarithm(self, X: Array) -> Array:
        """The principal logarithm, from square roots Y of square roots: ln X = 2ᵏ ln Y."""
        I, roots = np.eye(len(X), dtype=object), 0
        while not _longest(X - I) < 0.25:
            X, roots = self.root(X), roots + 1
        # With Z = (Y + I)⁻¹ (Y - I), Y = (I + Z)/(I - Z), and ln Y = 2 artanh Z = 2 (Z + Z³/3 + Z⁵/5 + …).
        Z = self.matrix("inv", X + I) @ (X - I)
        size, power, total, place = _longest(Z), Z, Z, 1
        while not size ** (place + 2) < _flint().arb(10) ** -_flint().ctx.dps:
            power, place = power @ Z @ Z, place + 2
            total = total + power / place
        rest = _flint().arb(0, size ** (place + 2) / (1 - size**2))
        return 2 ** (roots + 1) * (total + np.full(X.shape, rest))


def _longest(X: Array) -> Any:
    """The largest that the Frobenius norm may be, as a ball without width."""
    squares: Any = sum((abs(entry).upper() ** 2 for entry in balls(X).ravel()), _flint().arb(0))
    return squares.sqrt().upper()


def _near_root(X: Array) -> Array:
    """A root of X to nearly all digits, in balls without width, by the iteration of Denman and Beavers."""
    root, inverse = _matrix(X).mid(), _matrix(np.eye(len(X), dtype=object))
    for _ in range(STEPS_TO_ROOT):
        root, inverse = ((root + inverse.inv()) / 2).mid(), ((inverse + root.inv()) / 2).mid()
    return _array(root)


def _matrix(X: Array) -> Any:
    return _flint().arb_mat(*X.shape, X.ravel().tolist())


def _array(X: Any) -> Array:
    return balls(np.array(X.entries(), object)).reshape(X.nrows(), X.ncols())


def _flint() -> Any:
    try:
        return import_module("flint")
    except ImportError:
        raise ImportError('ball arithmetic needs python-flint: pip install "jax-matcalc[certify]"') from None
