"""Derivatives by SymPy's matrix expressions, of formulas of matcalc.

A formula is written as a user of SymPy would: matrices are `MatrixSymbol`s of symbolic sizes, functions by entry are
`applyfunc`. A scalar such as xᵀ A x is a 1×1 matrix there or, in the other spelling, the trace of one; SymPy has rules
for each of them that it lacks for the other, so both are tried.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from matcalc.calculus import Algebra
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import SCALAR, UNIT, dims_of
from matcalc.claims.problem import Problem
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.shapes import typed
from matcalc.formula.words import MATRIX_FUNCTIONS

Spelling = Literal["1×1", "trace"]
SPELLINGS: tuple[Spelling, ...] = ("1×1", "trace")

Array = np.ndarray[Any, Any]


class Unsupported(Exception):
    """What SymPy has no word for, or leaves as an unevaluated derivative."""


class Written:
    """A function in SymPy, with its variables by name."""

    def __init__(self, problem: Problem, spelling: Spelling) -> None:
        import sympy

        self.sympy: Any = sympy
        self.problem, self.spelling = problem, spelling
        self.algebra = Algebra({name: dims_of(shape) for name, shape in problem.symbols.items()}, {})
        self.variables: dict[str, Any] = {}
        self.f = self.read(with_sizes(typed(problem.formula, problem.symbols)))

    # --- Reading

    def size(self, size: Any) -> Any:
        """A size: a number or a symbol."""
        if size == UNIT or isinstance(size, int):
            return int(size)
        if not str(size).isalpha():
            raise Unsupported(f"the size {size}")
        return self.sympy.Symbol(str(size), integer=True, positive=True)

    def variable(self, name: str) -> Any:
        """A variable, or an integer."""
        if name not in self.variables:
            rows, columns = self.algebra.dims(t.Name(name))
            if (rows, columns) == SCALAR:
                self.variables[name] = self.sympy.Symbol(name, integer=name in self.problem.integers)
            else:
                self.variables[name] = self.sympy.MatrixSymbol(name, self.size(rows), self.size(columns))
        return self.variables[name]

    def read(self, tree: Formula) -> Any:
        """A formula as an expression of SymPy."""
        s, read = self.sympy, self.read
        match tree:
            case t.Name(name):
                return self.variable(name)
            case t.Number(value):
                return s.nsimplify(value)
            case t.Constant("I", _):
                return s.Identity(self.size(self.algebra.dims(tree)[0]))
            case t.Constant("1", _):
                return s.OneMatrix(*map(self.size, self.algebra.dims(tree)))
            case t.Neg(of):
                return -read(of)
            case t.Transpose(of):
                return read(of) if self.algebra.is_scalar(of) else read(of).T
            case t.Sum(terms):
                return self.sum(list(map(read, terms)))
            case t.Product(factors):
                return self.product(list(map(read, factors)))
            case t.Infix("·", left, right):
                return self.product([read(left).T, read(right)])
            case t.Infix("/", left, right):
                return self.product([read(left), self.power(read(right), -1)])
            case t.Infix("⊙", left, right):
                return s.HadamardProduct(read(left), read(right))
            case t.Infix("⊘", left, right):
                return s.HadamardProduct(read(left), s.HadamardPower(read(right), -1))
            case t.Infix(".^", left, right):
                return s.HadamardPower(read(left), read(right))
            case t.Infix("⊗", left, right):
                return s.KroneckerProduct(read(left), read(right))
            case t.Power(base, exponent):
                return self.power(read(base), read(exponent))
            case t.Entry(of, (i, j)):
                return read(of)[read(i), read(j)]
            case t.Apply(function, of):
                return self.function(function.removesuffix("."), read(of), function.endswith("."))
            case _:
                raise Unsupported(str(tree))

    def function(self, name: str, u: Any, is_by_entry: bool) -> Any:
        s = self.sympy
        if not self.is_matrix(u) or u.shape == (1, 1):
            return self.of_number(name, u)
        rows, columns = u.shape
        match name:
            case "tr":
                return s.Trace(u)
            case "det":
                return s.Determinant(u)
            case "inv":
                return u.I
            case "sum":
                return self.scalar(s.OneMatrix(1, rows) * u * s.OneMatrix(columns, 1))
            case "norm" | "norm2" if name == "norm" or 1 in u.shape:
                return self.power(self.scalar(u.T * u) if columns == 1 else s.Trace(u.T * u), s.Rational(1, 2))
            case "norm1" if columns == 1:
                return self.scalar(s.OneMatrix(1, rows) * u.applyfunc(self.number_function("abs")))
            case "diag" if columns == 1:
                return s.DiagMatrix(u)
            case "diag":
                return s.DiagonalOf(u)
            case "softmax":
                e = u.applyfunc(s.exp)
                return self.product([e, self.power(self.scalar(s.OneMatrix(1, rows) * e), -1)])
            case "logsumexp":
                return self.of_number("ln", self.scalar(s.OneMatrix(1, rows) * u.applyfunc(s.exp)))
            case _ if name in MATRIX_FUNCTIONS and columns != 1 and not is_by_entry:
                raise Unsupported(f"{name} of a matrix")
            case _:
                return u.applyfunc(self.number_function(name))

    def of_number(self, name: str, u: Any) -> Any:
        if name in ("tr", "sum", "vec", "diag"):
            return u
        function = self.number_function(name)
        return u.applyfunc(function) if self.is_matrix(u) else function(u)

    def number_function(self, name: str) -> Any:
        s = self.sympy
        u = s.Dummy("u", real=True)
        own = {
            "ln": s.log,
            "sigmoid": s.Lambda(u, 1 / (1 + s.exp(-u))),
            "softplus": s.Lambda(u, s.log(1 + s.exp(u))),
            **dict.fromkeys(("abs", "det", "norm", "norm1", "norm2"), s.Lambda(u, s.Abs(u))),
        }
        if name in own:
            return own[name]
        if name not in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt", "sign"):
            raise Unsupported(name)
        return getattr(s, name)

    # --- Scalars, which are numbers, 1×1 matrices or traces

    def is_matrix(self, u: Any) -> bool:
        return isinstance(u, self.sympy.MatrixExpr)

    def scalar(self, u: Any) -> Any:
        """A 1×1 matrix in the spelling."""
        return self.sympy.Trace(u) if self.spelling == "trace" and self.is_matrix(u) else u

    def sum(self, terms: Sequence[Any]) -> Any:
        is_mixed = len({self.is_matrix(term) for term in terms}) > 1
        one = self.sympy.Identity(1)
        summed: Any = None
        for term in terms:
            each = term * one if is_mixed and not self.is_matrix(term) else term
            summed = each if summed is None else summed + each
        return summed

    def product(self, factors: Sequence[Any]) -> Any:
        """A product, in which a row times a column is a scalar."""
        made: Any = None
        for factor in factors:
            if made is None:
                made = factor
            elif self.is_matrix(made) and self.is_matrix(factor) and made.shape[1] != factor.shape[0]:
                number, other = (made, factor) if made.shape == (1, 1) else (factor, made)
                if number.shape != (1, 1):
                    raise Unsupported(f"a product of shapes {made.shape} and {factor.shape}")
                made = self.sympy.Trace(number) * other
            else:
                made = made * factor
            if self.is_matrix(made) and made.shape == (1, 1):
                made = self.scalar(made)
        return made

    def power(self, base: Any, exponent: Any) -> Any:
        return self.sympy.Pow(base, exponent) if not self.is_matrix(base) else self.sympy.MatPow(base, exponent).doit()

    # --- Differentiating

    def derived(self, names: Sequence[str]) -> Any:
        """The derivative by one variable after the other."""
        found = self.f
        for name in names:
            found = found.diff(self.variable(name))
        return found

    def length(self, found: Any) -> int:
        """How often a variable stands in an expression."""
        nodes = self.sympy.preorder_traversal(found)
        return sum(node in self.variables.values() for node in nodes)

    def value(self, found: Any, point: Mapping[str, Array]) -> Array:
        """A derivative at a point, in JAX's layout. SymPy has the axes of the variable first."""
        problem = self.problem
        variable, value = (problem.numbers(shape) for shape in (problem.shapes[problem.wrt], problem.outer_shape))
        number = Numbers(self, point).of(found)
        if np.size(number) != prod(variable + value):
            return np.full(value + variable, np.nan)  # of a wrong shape
        places = (*range(len(variable), len(variable + value)), *range(len(variable)))
        return np.reshape(number, variable + value).transpose(places)


class Numbers:
    """The values of expressions of SymPy at a point: of matrices with two axes, of arrays with more."""

    def __init__(self, written: Written, point: Mapping[str, Array]) -> None:
        import sympy
        from sympy.tensor import array as arrays
        from sympy.tensor.array import expressions

        self.sympy, self.arrays, self.expressions = sympy, arrays, expressions
        problem = written.problem
        self.known: dict[Any, Any] = {}
        for name, variable in written.variables.items():
            value = np.asarray({**problem.integers, **point}[name])
            is_matrix = written.is_matrix(variable)
            self.known[variable] = value.reshape(-1, 1) if is_matrix and value.ndim == 1 else value[()]
        for letter, size in problem.sizes.items():
            self.known[sympy.Symbol(letter, integer=True, positive=True)] = size

    def of(self, x: Any) -> Any:
        """The value. `Unsupported` for what has none."""
        if x in self.known:
            return self.known[x]
        rule = self.rules.get(type(x).__name__)
        if rule is not None:
            return rule(x)
        if isinstance(x, self.sympy.Function):
            function: Any = self.sympy.lambdify(
                names := self.sympy.symbols(f"u:{len(x.args)}"), x.func(*names), "numpy"
            )
            return function(*map(self.of, x.args))
        if isinstance(x, self.sympy.Number | self.sympy.NumberSymbol):
            return float(x)
        raise Unsupported(f"the value of a {type(x).__name__}")

    @property
    def rules(self) -> dict[str, Callable[[Any], Any]]:
        of = self.of

        def all_of(x: Any) -> list[Any]:
            return [of(arg) for arg in x.args]

        def applied(x: Any) -> Any:
            u = self.sympy.Dummy("u")
            return self.sympy.lambdify([u], x.function(u), "numpy")(of(x.expr)) * np.ones_like(of(x.expr))

        def size(x: Any) -> tuple[int, ...]:
            return tuple(int(of(n)) for n in x.shape)

        def product(x: Any) -> Any:
            made: Any = 1.0
            for value in all_of(x):
                is_matrix = np.ndim(made) == 2 and np.ndim(value) == 2
                made = made @ value if is_matrix else made * value
            return made

        def matrix_power(x: Any) -> Any:
            base, k = of(x.base), of(x.exp)
            return (
                np.linalg.matrix_power(base, int(k)) if float(k).is_integer() else base**k if base.size == 1 else None
            )

        def tensor_product(x: Any) -> Any:
            made: Any = np.ones(())
            for value in all_of(x):
                made = np.multiply.outer(made, value)
            return made

        def contracted(x: Any, keeps: bool) -> Any:
            value, places = of(x.expr), [*range(len(x.expr.shape))]
            groups = x.diagonal_indices if keeps else x.contraction_indices
            for group in groups:
                for place in group:
                    places[place] = group[0]
            kept = [p for p in range(len(places)) if not any(p in group for group in groups)]
            return np.einsum(value, places, kept + [group[0] for group in groups] * keeps)

        return {
            "Add": lambda x: sum(all_of(x)),
            "Mul": lambda x: np.prod(all_of(x)),
            "Pow": lambda x: of(x.base) ** of(x.exp),
            "MatAdd": lambda x: sum(all_of(x)),
            "MatMul": product,
            "MatPow": matrix_power,
            "Inverse": lambda x: np.linalg.inv(of(x.arg)),
            "Transpose": lambda x: of(x.arg).T,
            "Trace": lambda x: np.trace(of(x.arg)),
            "Determinant": lambda x: np.linalg.det(of(x.arg)),
            "Identity": lambda x: np.eye(size(x)[0]),
            "GenericIdentity": lambda x: 1.0,
            "OneMatrix": lambda x: np.ones(size(x)),
            "ZeroMatrix": lambda x: np.zeros(size(x)),
            "HadamardProduct": lambda x: np.prod(np.stack(all_of(x)), 0),
            "HadamardPower": lambda x: of(x.base) ** of(x.exp),
            "ElementwiseApplyFunction": applied,
            "ArrayElementwiseApplyFunc": applied,
            "DiagMatrix": lambda x: np.diag(of(x.args[0]).reshape(-1)),
            "DiagonalMatrix": lambda x: np.diag(np.diag(of(x.arg))),
            "DiagonalOf": lambda x: np.diag(of(x.arg))[:, None],
            "KroneckerProduct": lambda x: self.reduced(np.kron, all_of(x)),
            "MatrixElement": lambda x: of(x.parent)[int(of(x.i)), int(of(x.j))],
            "ArrayTensorProduct": tensor_product,
            "ArrayAdd": lambda x: sum(all_of(x)),
            "PermuteDims": lambda x: np.transpose(of(x.expr), x.permutation.array_form),
            "ArrayContraction": lambda x: contracted(x, keeps=False),
            "ArrayDiagonal": lambda x: contracted(x, keeps=True),
            "OneArray": lambda x: np.ones(size(x)),
            "ZeroArray": lambda x: np.zeros(size(x)),
            "Reshape": lambda x: np.reshape(of(x.expr), size(x)),
        }

    @staticmethod
    def reduced(function: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
        made = values[0]
        for value in values[1:]:
            made = function(made, value)
        return made
