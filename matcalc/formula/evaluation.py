"""Evaluation, in NumPy or jax.numpy: what a formula says is what is computed.

Inside, scalars have no dimensions and everything else has two (tensors keep theirs).
"""

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from typing import Any, NoReturn

import numpy as np

from matcalc.formula import tree as t
from matcalc.formula.arbitrary import combination, is_arbitrary, key_of, kind_of, name_of_function, valued
from matcalc.formula.errors import FormulaError
from matcalc.formula.functions import Functions
from matcalc.formula.printing import locate
from matcalc.formula.shapes import typed_with_sizes
from matcalc.formula.sizes import UNIT, dims, shape_of_array
from matcalc.formula.typed import Typed, is_entrywise
from matcalc.formula.variables import spellings

Array = Any  # of NumPy or JAX, or a Python number

ENTRIES = 2**28  # of anything that is computed
TERMS = 10_000  # of a sum
BITS = 1000  # of a number in an exponent or a bound


def evaluate(
    tree: t.Formula,
    values: Mapping[str, Array],
    *,
    sizes: Mapping[str, int] | None = None,
    shape: Sequence[int] | None = None,
    xp: Any = np,
) -> Array:
    """The value of the formula.

    `values` maps names to scalars, vectors (which are columns), matrices, and static Python integers such as an
    exponent k or a position i (as a subscript an integer counts from 0; the index of a Σ counts from 1). `sizes`
    gives numbers such as the n of `Σ_{i=1}^{n}`. `shape` is the shape the result must have, and sizes I, 0, e_i
    and E_ij where nothing else does. `xp` is `numpy` or `jax.numpy`.

    >>> from matcalc.formula import parse
    >>> float(evaluate(parse("xᵀ x"), {"x": np.array([3.0, 4.0])}))
    25.0
    """
    return Evaluation(tree, values, sizes or {}, xp).run(shape)


class Evaluation:
    """One formula at given values; of NumPy or jax.numpy, and to be derived from for other numbers."""

    def __init__(self, tree: t.Formula, values: Mapping[str, Array], sizes: Mapping[str, int], xp: Any) -> None:
        self.tree = tree
        self.sizes = sizes
        self.xp = xp
        self.integers = {name: operator.index(value) for name, value in values.items() if isinstance(value, Integral)}
        others = {name: value for name, value in values.items() if name not in self.integers}
        arrays: dict[str, Array] = {name: xp.asarray(value) for name, value in others.items()}
        self.dtype = _dtype([array for name, array in arrays.items() if hasattr(others[name], "dtype")], xp)
        self.arrays = {name: array.astype(self.dtype) for name, array in arrays.items()}
        self.functions: Any = Functions(xp)
        self.bound: dict[str, int] = {}  # the summation indices, counted from 1

    def run(self, shape: Sequence[int] | None) -> Array:
        shapes = [(name, a.shape) for name, a in self.arrays.items()] + [(name, ()) for name in self.integers]
        numbers = tuple({**self.integers, **self.sizes}.items())
        root, named = _sized(_Same(self.tree), tuple(shapes), None if shape is None else tuple(shape), numbers)
        self.sizes = {**named, **self.sizes}
        value = self.xp.asarray(self.value(root))
        if not self.xp.issubdtype(value.dtype, self.xp.complexfloating):
            value = value.astype(self.dtype)
        dims = [int(size) for size in (shape_of_array(root.dims) if shape is None else shape)]
        return value.reshape(dims)

    def fail(self, node: t.Formula, message: str) -> NoReturn:
        raise FormulaError(message, *locate(self.tree, node)) from None

    def value(self, of: Typed) -> Array:
        """The value of a typed node."""
        xp, parts = self.xp, of.parts
        match of.node:
            case t.Number(0):
                return 0 if of.is_scalar else xp.zeros(self.size(of), self.dtype)
            case t.Number(value):
                return float(value)  # for JAX's integers overflow
            case t.Name(name):
                return self.bound[name] if name in self.bound else self.given(name, of)
            case t.Derivative():
                return self.given(of.node.key, of)
            case t.Constant(symbol, indices):
                return self.constant(symbol, indices, of)
            case t.Entry(_, indices):
                return self.entry(indices, of)
            case t.Neg():
                return -self.value(parts[0])
            case t.Sum():
                total = self.value(parts[0])
                for part in parts[1:]:
                    if isinstance(part.node, t.Neg):
                        total = total - self.value(part.parts[0])
                    else:
                        total = total + self.value(part)
                return total
            case t.Product():
                return self.product(of)
            case t.Infix(op):
                return self.infix(op, of, self.value(parts[0]), self.value(parts[1]))
            case t.Power(t.Apply("norm" | "norm2"), t.Number(int() as even)) if even > 0 and even % 2 == 0:
                return self.norm_squared(parts[0].parts[0], parts[0]) ** (even // 2)
            case t.Power(_, exponent):
                if len(parts) == 2:
                    return self.value(parts[0]) ** self.value(parts[1])
                return self.power(exponent, of, self.value(parts[0]))
            case t.Transpose():
                value = self.value(parts[0])
                return value if of.is_scalar else value.T
            case t.Apply("!"):
                return float(self.number(of.node))
            case t.Apply(function):
                return self.apply(function, parts[0], self.value(parts[0]))
            case t.Frechet(function):
                return self.frechet(function, of, *map(self.value, parts))
            case t.Unvec():
                rows, columns = self.size(of)
                return xp.reshape(self.value(parts[0]), (columns, rows)).T
            case t.Sigma():
                return self.sigma(of.node, of)
            case _:
                raise TypeError(f"not a formula: {type(of.node).__name__}")

    def size(self, of: Typed) -> tuple[int, ...]:
        return tuple([int(size) for size in of.dims])

    def given(self, name: str, of: Typed) -> Array:
        for key in spellings(name):
            if key in self.arrays:
                array = self.arrays[key]
                return array[:, None] if array.ndim == 1 else array
            if key in self.integers:
                return self.integers[key]
            if key in self.sizes:
                return self.sizes[key]
        self.fail(of.node, f"nothing is given for {name}")

    def constant(self, symbol: str, indices: tuple[t.Formula, ...], of: Typed) -> Array:
        shape = self.size(of)
        match symbol:
            case "I":
                return self.xp.eye(shape[0], dtype=self.dtype)
            case "0":
                return self.xp.zeros(shape, self.dtype)
            case "1":
                return self.xp.ones(shape, self.dtype)
            case "K":
                m, n = (int(self.number(index)) for index in indices)
                places = np.arange(m * n).reshape(m, n, order="F").ravel()  # vec(Aᵀ) in the order of vec(A)
                return self.xp.asarray(np.eye(m * n, dtype=self.dtype)[places])
            case "D" | "L":
                n = math.isqrt(max(shape))
                columns, rows = np.triu_indices(n)  # of the lower triangle, column after column
                below, above = (
                    np.eye(n * n, dtype=self.dtype)[places] for places in (rows + n * columns, columns + n * rows)
                )
                return self.xp.asarray(below if symbol == "L" else np.maximum(below, above).T)
            case _:
                unit = np.zeros(shape, self.dtype)
                place = tuple(
                    [self.position(index, size, of.node) for index, size in zip(indices, shape, strict=False)]
                )
                unit[place] = 1  # a row of e_i has one entry
                return self.xp.asarray(unit)

    def entry(self, indices: tuple[t.Formula, ...], of: Typed) -> Array:
        (part,) = of.parts
        value = self.value(part)
        if part.is_scalar:
            value = self.xp.reshape(value, (1, 1))
        if not of.is_scalar:  # x_i of vectors, the columns of x
            place = self.position(indices[0], value.shape[1], of.node)
            return value[:, place : place + 1]
        if len(indices) == 1:
            value = value.reshape(-1)
        return value[self.place(indices, value.shape, of.node)]

    def place(self, indices: tuple[t.Formula, ...], shape: Sequence[int], node: t.Formula) -> tuple[int, ...]:
        return tuple([self.position(index, size, node) for index, size in zip(indices, shape, strict=False)])

    def position(self, index: t.Formula, size: int, node: t.Formula) -> int:
        """The place, from 0, that a subscript says: given integers say it from 0, all else from 1 as in books."""
        names = {part.name for part in t.nodes(index) if isinstance(part, t.Name)}
        counted = names & self.bound.keys()
        if counted and counted != names:
            self.fail(node, f"the subscript {index} mixes an index of Σ (from 1) and a given position (from 0)")
        number = self.number(index)
        if not isinstance(number, int):
            self.fail(node, f"the subscript {index} is not an integer")
        place = number - 1 if counted or not names else number
        if not 0 <= place < size:
            self.fail(node, f"the subscript {index} is out of range: there are {size} places")
        return place

    def number(self, node: t.Formula) -> Any:
        """The number a bound, an exponent or a subscript says: an integer if it is one."""
        match node:
            case t.Number(value):
                return value
            case t.Name(name):
                if name in self.bound:
                    return self.bound[name]
                value = self.given(name, Typed(node, ()))
                return (
                    value if isinstance(value, int) else value.reshape(()) if value.size == 1 else self.no_number(node)
                )
            case t.Neg(of):
                return -self.number(of)
            case t.Sum(terms):
                return sum(self.number(term) for term in terms)
            case t.Product(factors):
                return math.prod(self.number(factor) for factor in factors)
            case t.Infix("/", left, right):
                one, other = self.number(left), self.number(right)
                exact = isinstance(one, int) and isinstance(other, int) and other != 0 and one % other == 0
                return one // other if exact else one / other
            case t.Power(base, exponent):
                one, other = self.number(base), self.number(exponent)
                if abs(other) * math.log2(abs(one) + 2) > BITS:
                    self.fail(node, f"{node} is too large a number")
                return one**other
            case t.Apply("!", of):
                number = self.number(of)
                if not isinstance(number, int) or not 0 <= number <= 170:
                    self.fail(node, f"{of} = {number}; the factorial is of an integer from 0 to 170")
                return math.factorial(number)
            case _:
                self.no_number(node)

    def no_number(self, node: t.Formula) -> NoReturn:
        self.fail(node, f"{node} is not an integer expression")

    def product(self, of: Typed) -> Array:
        """The product from left to right, by a loop over the chain of products of two."""
        steps: list[Typed] = []
        first = of
        while first.node is of.node:
            steps.append(first)
            first = first.parts[0]
        value = self.value(first)
        for step in reversed(steps):
            factor = self.value(step.parts[1])
            if np.ndim(value) == 2 and np.ndim(factor) == 2 and value.shape[1] == factor.shape[0]:
                value = value @ factor
                value = value.reshape(()) if step.is_scalar else value
            else:
                value = value * factor
        return value

    def infix(self, op: str, of: Typed, left: Array, right: Array) -> Array:
        xp = self.xp
        match op:
            case "/":
                return left / right if np.ndim(right) == 0 else left / right.reshape(())
            case "⊗":
                return left * right if np.ndim(left) == 0 or np.ndim(right) == 0 else xp.kron(left, right)
            case "⊙":
                return left * right
            case "⊘":
                return left / right
            case ".^":
                return left**right
            case "·":
                return xp.sum(left * right) if np.ndim(left) == 2 and np.ndim(right) == 2 else left * right
            case "⊕":
                one, other = (part if np.ndim(part) else xp.reshape(part, (1, 1)) for part in (left, right))
                corners = (xp.zeros((len(a), b.shape[1]), self.dtype) for a, b in ((one, other), (other, one)))
                return xp.block([[one, next(corners)], [next(corners), other]])
            case _:
                return xp.cross(left.reshape(3), right.reshape(3)).reshape(3, 1)

    def power(self, exponent: t.Formula, of: Typed, base: Array) -> Array:
        number = self.number(exponent)
        if np.ndim(base) == 0:
            return base**number
        try:
            return self.xp.linalg.matrix_power(base, operator.index(number))
        except TypeError:
            self.fail(exponent, f"the exponent of a matrix must be an integer; it is {number}")

    def norm_squared(self, inner: Typed, norm: Typed) -> Array:
        """‖X‖² as a sum of squares, which has a derivative at 0 too."""
        value = self.value(inner)
        if np.ndim(value) == 0:
            return value * value
        if norm.node == t.Apply("norm2", inner.node) and UNIT not in dims(inner.shape):
            return self.apply("norm2", inner, value) ** 2
        return self.xp.sum(value * value)

    def apply(self, function: str, part: Typed, value: Array) -> Array:
        """A function of one argument; scalars take the ordinary one, as each entry does."""
        if is_arbitrary(function):
            return self.called(function, part, value)
        if np.ndim(value) == 2 and function in ("norm2", "det"):
            is_vector = UNIT in dims(part.shape)
            function = ("norm" if is_vector else "spectral") if function == "norm2" else "norm" if is_vector else "det"
        if np.ndim(value) == 0 or is_entrywise(function, part):
            number = value if hasattr(value, "dtype") else self.xp.asarray(value, self.dtype)
            return self.functions.scalar(function.removesuffix("."), number)
        return self.functions.matrix(function, value)

    def frechet(self, function: str, of: Typed, U: Array, V: Array) -> Array:
        """The derivative of g at U along V, which is the upper right block of g([[U, V], [0, U]])."""
        n = 1 if of.is_scalar else self.size(of)[0]
        U, V = (self.xp.asarray(part, self.dtype).reshape(n, n) for part in (U, V))
        whole = self.xp.block([[U, V], [self.xp.zeros((n, n), self.dtype), U]])
        value = self.called(function, of, whole) if is_arbitrary(function) else self.functions.matrix(function, whole)
        return value[0, 1] if of.is_scalar else value[:n, n:]

    def called(self, function: str, part: Typed, value: Array) -> Array:
        """A function that has only a name."""
        kind = kind_of(name := name_of_function(function), self.arrays)
        numbers = self.arrays.get(key_of(name, kind))
        if numbers is None:
            self.fail(part.node, f"nothing is given for the function {name}")
        value = value if hasattr(value, "dtype") else self.xp.asarray(value, self.dtype)
        if kind:
            return valued(kind, function.count("'"), value, numbers, self.functions)
        of_matrix = np.ndim(value) == 2 and not is_entrywise(function, part)
        return combination(function, value, numbers, self.functions, of_matrix=of_matrix)

    def sigma(self, node: t.Sigma, of: Typed) -> Array:
        start, stop = self.number(node.start), self.counted(node, of) if node.stop == t.OPEN else self.number(node.stop)
        if not (isinstance(start, int) and isinstance(stop, int)):
            self.fail(node, "the bounds of a sum must be integers")
        if stop - start > TERMS:
            self.fail(node, f"a sum of {stop - start + 1:,} terms; at most {TERMS:,} are computed")
        outside = self.bound.get(node.index)
        total: Array = 0 if of.is_scalar else self.xp.zeros(self.size(of), self.dtype)
        for index in range(start, stop + 1):
            self.bound[node.index] = index
            total = total + self.value(of.parts[0])
        self.bound.pop(node.index, None)
        if outside is not None:
            self.bound[node.index] = outside
        return total

    def counted(self, node: t.Sigma, of: Typed) -> int:
        """How many entries the index of an open sum counts."""
        index = t.Name(node.index)
        for part in of.parts[0].nodes:
            if isinstance(part.node, t.Entry) and index in part.node.indices:
                rows, columns = (int(size) for size in part.parts[0].dims)
                return (
                    columns
                    if not part.is_scalar
                    else max(rows, columns)
                    if len(part.node.indices) == 1
                    else ((rows, columns)[part.node.indices.index(index)])
                )
        self.fail(node, f"nothing in this sum has entries that {node.index} counts; give its bounds")


@dataclass(frozen=True, eq=False)
class _Same:
    """A tree that is the same as itself only: equal ones may differ, as 2 and 2.0 do, and are slow to compare."""

    tree: t.Formula

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.tree is other.tree

    def __hash__(self) -> int:
        return id(self.tree)


@lru_cache(maxsize=256)
def _sized(
    same: _Same,
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
    shape: tuple[int, ...] | None,
    numbers: tuple[tuple[str, int], ...],
) -> tuple[Typed, dict[str, int]]:
    """The formula with its shapes, and the sizes it names; nothing is larger than `ENTRIES`, but for what is given."""
    root, named = typed_with_sizes(same.tree, dict(shapes), shape, dict(numbers))
    for part in root.nodes:
        is_computed = part.parts or isinstance(part.node, t.Constant)
        if is_computed and math.prod(size for size in part.dims if isinstance(size, int)) > ENTRIES:
            raise FormulaError(f"{part.node} would have more than {ENTRIES:,} entries", *locate(same.tree, part.node))
    return root, {name: int(size) for name, size in named.items()}


def _dtype(arrays: Iterable[Array], xp: Any) -> Any:
    """The common floating type of the arrays; Python numbers adapt to it."""
    types: set[Any] = {array.dtype for array in arrays}
    floating = [dtype for dtype in types if xp.issubdtype(dtype, xp.inexact)]
    return np.result_type(*floating) if floating else xp.asarray(0.0).dtype
