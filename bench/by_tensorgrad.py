"""Derivatives by tensorgrad, of formulas of matcalc.

A formula is written as a user of tensorgrad would: a matrix is a variable with two edges, a vector one with one edge, a
product is a contraction over an edge of both. What is compared is its derivative after `full_simplify`.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from matcalc.calculus import Algebra
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import UNIT, dims_of
from matcalc.claims.problem import Problem
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.shapes import typed
from matcalc.formula.words import MATRIX_FUNCTIONS

Array = np.ndarray[Any, Any]


class Unsupported(Exception):
    """What tensorgrad has no word for."""


class Sided(NamedTuple):
    """A tensor as a matrix: the edge of its rows and that of its columns, None for a size of 1."""

    tensor: Any
    rows: str | None = None
    columns: str | None = None

    @property
    def edges(self) -> list[str]:
        return [edge for edge in (self.rows, self.columns) if edge is not None]

    @property
    def T(self) -> "Sided":
        return Sided(self.tensor, self.columns, self.rows)


class Written:
    """A function in tensorgrad, with its variables by name."""

    def __init__(self, problem: Problem) -> None:
        import sympy
        import tensorgrad
        import tensorgrad.functions as functions

        self.sympy, self.tensorgrad, self.functions = sympy, tensorgrad, functions
        self.problem = problem
        self.algebra = Algebra({name: dims_of(shape) for name, shape in problem.symbols.items()}, {})
        self.names = (f"e{k}" for k in itertools.count())
        self.variables: dict[str, Sided] = {}
        self.sizes: dict[str, Any] = {}
        self.f = self.read(with_sizes(typed(problem.formula, problem.symbols)))

    # --- Reading

    def size(self, size: Any) -> Any:
        """The symbol of a size."""
        if not str(size).isalpha():
            raise Unsupported(f"the size {size}")
        return self.sizes.setdefault(str(size), self.sympy.Symbol(str(size)))

    def edge(self) -> str:
        return next(self.names)

    def fresh(self, tensor: Sided) -> Sided:
        """The same with edges of new names."""
        new = {edge: self.edge() for edge in tensor.edges}
        return self.named(tensor, new)

    @staticmethod
    def named(tensor: Sided, new: Mapping[str, str]) -> Sided:
        rows, columns = (None if edge is None else new.get(edge, edge) for edge in tensor[1:])
        return Sided(tensor.tensor.rename(**new), rows, columns)

    def number(self, value: float) -> Sided:
        fraction = Fraction(value).limit_denominator(1000)
        return Sided(self.tensorgrad.Product([]) * (int(fraction) if fraction.denominator == 1 else fraction))

    def variable(self, name: str) -> Sided:
        if name in self.problem.integers:
            raise Unsupported(f"the integer {name}")
        if name not in self.variables:
            edges = [None if size == UNIT else self.edge() for size in self.algebra.dims(t.Name(name))]
            sizes = zip(edges, self.algebra.dims(t.Name(name)), strict=True)
            axes = {edge: self.size(size) for edge, size in sizes if edge is not None}
            self.variables[name] = Sided(self.tensorgrad.Variable(name, **axes), *edges)
        return self.variables[name]

    def read(self, tree: Formula) -> Sided:
        """A formula as a tensor."""
        read, F = self.read, self.functions
        match tree:
            case t.Name(name):
                return self.fresh(self.variable(name))
            case t.Number(value):
                return self.number(value)
            case t.Constant("I", _):
                rows, columns = self.edge(), self.edge()
                return Sided(self.tensorgrad.Delta(self.size(self.algebra.dims(tree)[0]), rows, columns), rows, columns)
            case t.Constant("1", _):
                edges = [None if size == UNIT else self.edge() for size in self.algebra.dims(tree)]
                sizes = zip(edges, self.algebra.dims(tree), strict=True)
                axes = {edge: self.size(size) for edge, size in sizes if edge is not None}
                return Sided(self.tensorgrad.Ones(**axes), *edges)
            case t.Neg(of):
                made = read(of)
                return made._replace(tensor=-made.tensor)
            case t.Transpose(of):
                return read(of).T
            case t.Sum(terms):
                return functools.reduce(self.sum, map(read, terms))
            case t.Product(factors):
                return functools.reduce(self.product, map(read, factors))
            case t.Infix("·", left, right):
                return self.product(read(left).T, read(right))
            case t.Infix("/", left, right):
                return self.product(read(left), self.by_entry(read(right), lambda u: F.pow(u, -1)))
            case t.Infix("⊙", left, right):
                return self.by_entries(read(left), read(right))
            case t.Infix("⊘", left, right):
                return self.by_entries(read(left), self.by_entry(read(right), lambda u: F.pow(u, -1)))
            case t.Infix(".^", left, t.Number(k)):
                return self.by_entry(read(left), lambda u: F.pow(u, Fraction(k)))
            case t.Power(base, exponent):
                return self.power(base, exponent)
            case t.Apply(function, of):
                is_of_matrix = function in MATRIX_FUNCTIONS and UNIT not in self.algebra.dims(of)
                if is_of_matrix:
                    raise Unsupported(f"{function} of a matrix")
                return self.function(function.removesuffix("."), read(of))
            case _:
                raise Unsupported(str(tree))

    def function(self, name: str, u: Sided) -> Sided:
        F = self.functions
        match name:
            case "tr":
                return Sided(F.trace(u.tensor))
            case "sum":
                return Sided(F.sum(u.tensor)) if u.edges else u
            case "det" if u.edges:
                return Sided(F.det(u.tensor))
            case "inv" if u.edges:  # contracted with X over edges of the same name it is I: X⁻ᵀ by their places
                return Sided(F.inverse(u.tensor), u.columns, u.rows)
            case "norm" | "norm2" if u.edges and (name == "norm" or len(u.edges) == 1):
                return Sided(F.sqrt(F.frobenius2(u.tensor)))
            case "norm1" if len(u.edges) == 1:
                return Sided(F.sum(F.abs(u.tensor)))
            case "diag" if len(u.edges) == 1:
                rows, columns = self.edge(), self.edge()
                return Sided(F.diag(u.tensor, [rows, columns]), rows, columns)
            case "diag" if len(u.edges) == 2:
                rows = self.edge()
                return Sided(F.diag(u.tensor, [rows]), rows)
            case "softmax":
                return self.by_entry(u, lambda tensor: F.softmax(tensor, dim=set(u.edges)))
            case "logsumexp":
                return Sided(F.log(F.sum(F.exp(u.tensor))))
            case "softplus":
                return self.by_entry(u, lambda tensor: F.log(F.exp(tensor) + 1))
            case "ln" | "det" | "norm" | "norm1" | "norm2" | "abs":
                return self.by_entry(u, F.log if name == "ln" else F.abs)
            case "exp" | "sqrt" | "tanh" | "sigmoid" | "relu" | "sign":
                return self.by_entry(u, getattr(F, name))
            case _:
                raise Unsupported(name)

    def power(self, base: Formula, exponent: Formula) -> Sided:
        u = self.read(base)
        if isinstance(exponent, t.Neg) and isinstance(exponent.of, t.Number):
            exponent = t.Number(-exponent.of.value)
        if not isinstance(exponent, t.Number):
            raise Unsupported(f"the exponent {exponent}")
        k = exponent.value
        if not u.edges:
            fraction = Fraction(k)
            return Sided(self.functions.pow(u.tensor, int(k) if fraction.denominator == 1 else fraction))
        if k != int(k) or k == 0:
            raise Unsupported(f"the power {k} of a matrix")
        one = u if k > 0 else self.function("inv", u)
        return functools.reduce(self.product, [one] * abs(int(k)))

    # --- Operations

    @staticmethod
    def by_entry(u: Sided, function: Any) -> Sided:
        return u._replace(tensor=function(u.tensor))

    def aligned(self, u: Sided, v: Sided) -> Sided:
        """v with the edges of u."""
        v = self.fresh(v)
        if [edge is None for edge in u[1:]] != [edge is None for edge in v[1:]]:
            raise Unsupported("operands of other shapes")
        return self.named(v, dict(zip(v.edges, u.edges, strict=True)))

    def sum(self, u: Sided, v: Sided) -> Sided:
        return u._replace(tensor=u.tensor + self.aligned(u, v).tensor)

    def by_entries(self, u: Sided, v: Sided) -> Sided:
        return u._replace(tensor=u.tensor * self.aligned(u, v).tensor)

    def product(self, u: Sided, v: Sided) -> Sided:
        u, v = self.fresh(u), self.fresh(v)
        if not u.edges or not v.edges:
            return Sided(u.tensor @ v.tensor, *(u if u.edges else v)[1:])
        if (u.columns is None) != (v.rows is None):
            raise Unsupported("a product of these shapes")
        if u.columns is not None and v.rows is not None:
            v = self.named(v, {v.rows: u.columns})
        return Sided(u.tensor @ v.tensor, u.rows, v.columns)

    # --- Differentiating

    def derived(self, names: Sequence[str]) -> tuple[Any, list[str]]:
        """The derivative by one variable after the other, simplified, with its edges in the order of JAX's layout."""
        tensor, order = self.f.tensor, list(self.f.edges)
        for name in names:
            variable = self.variable(name)
            new = {edge: self.edge() for edge in variable.edges}
            tensor = tensor.grad(variable.tensor, new)
            order += list(new.values())
        return tensor.full_simplify(), order

    def length(self, found: tuple[Any, list[str]]) -> int:
        """How often a variable stands in a tensor."""
        count, left = 0, [found[0]]
        while left:
            node = left.pop()
            count += isinstance(node, self.tensorgrad.Variable)
            inner = [getattr(node, name, None) for name in ("tensor", "inner")]
            left += [part for part in inner if isinstance(part, self.tensorgrad.Tensor)]
            for name in ("factors", "terms", "inputs"):
                left += getattr(node, name, [])
        return count

    def value(self, found: tuple[Any, list[str]], point: Mapping[str, Array]) -> Array:
        """A derivative at a point, in JAX's layout, by the program that tensorgrad generates."""
        import torch
        from tensorgrad.compiler import compile_to_callable

        tensor, order = found
        generated = compile_to_callable(tensor)
        sizes = {symbol: self.problem.sizes[letter] for letter, symbol in self.sizes.items()}
        function = generated.codegen.specialize(sizes, dtype=torch.float64)
        arrays = [torch.as_tensor(np.asarray(point[variable.name])) for variable in generated.vars]
        ((_, edges),) = generated.outputs
        with torch.no_grad():
            value = function(*arrays)[0]
        return np.asarray(value.permute([edges.index(edge) for edge in order]))
