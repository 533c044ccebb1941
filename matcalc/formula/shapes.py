"""Shapes by unification: every node of a formula gets one, constants get theirs from the context.

Inside, a shape is a tuple of sizes; a scalar is (``UNIT``, ``UNIT``) and a column (n, ``UNIT``), so that a row times a
column *is* a scalar.  ``UNIT`` is not the number 1: where the data happen to have n = 1, a 1x1 matrix stays a matrix.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

from matcalc.formula import tree as t
from matcalc.formula.errors import FormulaError
from matcalc.formula.printing import locate
from matcalc.formula.tokens import ENTRYWISE, MATRIX_FUNCTIONS, SPELLED

Size: TypeAlias = int | str
_LETTERS: Final = "lmnpqrstuvw"  # of sizes
UNIT: Final = "1"  # the width of a column; no name of a size is spelled so


@dataclass(eq=False, slots=True)
class _Unknown:
    """A size to be found; one of a variable has a letter, and is not the width of a column."""

    found: _Dim | None = None
    letter: str = ""


_Dim: TypeAlias = int | str | _Unknown


@dataclass(eq=False, slots=True)
class _AnyShape:
    """The shape of a plain 0: whatever the context wants, a tensor's too."""

    found: _Dims | None = None


_Dims: TypeAlias = tuple[_Dim, ...]
_Shape: TypeAlias = _Dims | _AnyShape
_SCALAR: Final[_Dims] = (UNIT, UNIT)


@dataclass(eq=False, slots=True)
class Typed:
    """A node with its shape and its typed operands; a product is typed as a chain of products of two."""

    node: t.Formula
    shape: _Shape
    parts: tuple[Typed, ...] = ()

    @property
    def nodes(self) -> Iterator[Typed]:
        """This node and all below it, by an iteration, as a product is a deep chain."""
        left: list[Typed] = [self]
        while left:
            yield (node := left.pop())
            left += node.parts

    @property
    def dims(self) -> tuple[Size, ...]:
        """The shape when everything is found (a size never found is 0)."""
        return tuple(0 if isinstance(size, _Unknown) else size for size in _dims(self.shape))

    @property
    def is_scalar(self) -> bool:
        """Whether the value is a number."""
        return _dims(self.shape) == _SCALAR


def is_entrywise(function: str, part: Typed) -> bool:
    """Whether a function acts entry by entry: with a dot, or of a vector, it does."""
    return function in ENTRYWISE or (function in MATRIX_FUNCTIONS and UNIT in _dims(part.shape))


class _Mismatch(Exception):
    """Two sizes that should be equal are not."""


def infer(
    tree: t.Formula, shapes: Mapping[str, Sequence[Size]], shape: Sequence[Size] | None = None
) -> tuple[Size, ...]:
    """The shape of the formula: ``()`` of a scalar, ``("n",)`` of a column, ``(1, "n")`` of a row, else all sizes.

    ``shapes`` maps names to shapes, given alike; names of sizes are scalars themselves.  ``shape`` is the expected
    result, from which ``I``, ``0``, ``e_i`` and ``E_ij`` can get their sizes.

    >>> from matcalc.formula import parse
    >>> infer(parse("A x + b"), {"A": ("m", "n"), "x": ("n",), "b": ("m",)})
    ('m',)
    """
    return outer(typed(tree, shapes, shape).dims)


def deduce(
    tree: t.Formula, ranks: Mapping[str, int], given: Mapping[str, Sequence[Size]] | None = None
) -> dict[str, tuple[Size, ...]]:
    """The shapes of variables, of which only the number of axes is known, that make the formula fit.

    Sizes that the formula leaves free are letters that it does not use. ``given`` are shapes that are known.

    >>> from matcalc.formula import parse
    >>> deduce(parse("tr(A X B)"), {"A": 2, "X": 2, "B": 2})
    {'A': ('l', 'm'), 'X': ('m', 'n'), 'B': ('n', 'l')}
    """
    known = dict(given or {})
    used: set[Size] = {node.name for node in t.nodes(tree) if isinstance(node, t.Name)} | {
        size for shape in known.values() for size in shape
    }

    def unused() -> Iterator[str]:
        yield from (letter for letter in _LETTERS if letter not in used)
        yield from (f"s{number}" for number in itertools.count(1))

    letters, names = unused(), unused()
    unknown = {
        name: tuple([_Unknown(letter=next(letters)) for _ in range(rank)])
        for name, rank in ranks.items()
        if name not in known
    }
    inference = _Inference(tree, known, {}, unknown)
    inference.run(None)
    inference.match_products()
    free: dict[_Unknown, str] = {}

    def found(size: _Dim) -> Size:
        size = _size(size)
        if isinstance(size, _Unknown):
            if size not in free:
                free[size] = next(names)
            return free[size]
        return size

    return {name: tuple(known[name]) if name in known else tuple(map(found, unknown[name])) for name in ranks}


def outer(dims: Sequence[Size]) -> tuple[Size, ...]:
    """The shape as users write it: () for a scalar, (n,) for a column."""
    match tuple(dims):
        case ("1", "1"):
            return ()
        case (rows, "1"):
            return (rows,)
        case sizes:
            return tuple(1 if size == UNIT else size for size in sizes)


def typed(
    tree: t.Formula,
    shapes: Mapping[str, Sequence[Size]],
    shape: Sequence[Size] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Typed:
    """The formula with the shape of every node."""
    return _Inference(tree, shapes, sizes or {}).run(shape)


def lookup(name: str) -> tuple[str, ...]:
    """The keys a name may be given under: ``β`` also as ``beta``, ``dβ`` also as ``dbeta``."""
    spelled = "".join(SPELLED.get(letter, letter) for letter in name)
    return (name,) if spelled == name else (name, spelled)


def matrix_of(entry: t.Entry, ranks: Mapping[str, int]) -> t.Formula:
    """What ``a_ij`` is an entry of: A, where A is a matrix; otherwise a itself."""
    match entry:
        case t.Entry(t.Name(name), (_, _)) if name.islower():
            capital = name.upper()
            if any(ranks.get(key) == 2 for key in lookup(capital)):
                return t.Name(capital)
        case _:
            pass
    return entry.of


class _Inference:
    def __init__(
        self,
        tree: t.Formula,
        shapes: Mapping[str, Sequence[Size]],
        sizes: Mapping[str, int],
        unknown: Mapping[str, tuple[_Unknown, ...]] | None = None,
    ) -> None:
        self.tree = tree
        self.unknown = unknown or {}
        self.shapes = shapes
        self.sizes = sizes
        self.scalars = {size for shape in shapes.values() for size in shape if isinstance(size, str)} | set(sizes)
        self.ranks = {name: len(shape) for name, shape in {**shapes, **self.unknown}.items()}
        self.bound: list[str] = []  # summation indices, and what they go up to where that has a name
        self.bounds: list[str | None] = []
        self.products: list[tuple[_Dim, _Dim, _Dim]] = []  # a, b, c with a b = c, of Kronecker products and vec
        self.constants: list[Typed] = []
        self.units: dict[t.Constant, _Dims] = {}
        self.named: dict[str, _Unknown] = {}  # sizes known by nothing but the n of I_n

    def run(self, shape: Sequence[Size] | None) -> Typed:
        root = self.visit(self.tree)
        if shape is not None:
            wanted = _inner(shape)
            try:
                self.unify(root.shape, wanted)
            except _Mismatch:
                message = f"the formula is {_say(root.shape)}; expected {_say(wanted)}"
                raise FormulaError(message, str(self.tree), 0, len(str(self.tree))) from None
        try:
            self.solve_products()
        except _Mismatch:
            message = f"the sizes of the Kronecker products do not fit{' the expected shape' if shape else ''}"
            raise FormulaError(message, str(self.tree), 0, len(str(self.tree))) from None
        for constant in self.constants:
            if any(isinstance(size, _Unknown) and not size.letter for size in _dims(constant.shape)):
                remedy = "write it, as in I_3 and 1_3, or give the result's shape"
                self.fail(constant.node, f"nothing here tells the size of {constant.node}; {remedy}")
        return root

    def fail(self, node: t.Formula, message: str) -> NoReturn:
        raise FormulaError(message, *locate(self.tree, node)) from None

    # Unification -----------------------------------------------------------------------------------------------------

    def unify(self, left: _Shape, right: _Shape) -> None:
        """Make two shapes the same; a plain 0 takes the other's."""
        left, right = _found(left), _found(right)
        if isinstance(left, _AnyShape):
            if left is not right:
                left.found = right if not isinstance(right, _AnyShape) else right.found or (_Unknown(), _Unknown())
                if isinstance(right, _AnyShape):
                    right.found = left.found
        elif isinstance(right, _AnyShape):
            right.found = left
        elif len(left) != len(right):
            raise _Mismatch
        else:
            for one, other in zip(left, right, strict=True):
                self.same(one, other)

    def same(self, left: _Dim, right: _Dim) -> None:
        """Make two sizes the same."""
        left, right = _size(left), _size(right)
        if isinstance(right, _Unknown) and not (isinstance(left, _Unknown) and _yields(left, right)):
            left, right = right, left
        if isinstance(left, _Unknown):
            if left.letter and right == UNIT:
                raise _Mismatch
            left.found = None if left is right else right
        elif left != right and not {left, right} <= {1, UNIT}:
            raise _Mismatch

    def agree(self, one: Typed, other: Typed) -> None:
        """Both operands must have the same shape."""
        try:
            self.unify(one.shape, other.shape)
        except _Mismatch:
            left, right = _bare(one.node), _bare(other.node)
            hint = "; 𝟏 (ones) is the vector of ones" if t.Number(1) in (left, right) else ""
            self.fail(right, f"{left} is {_say(one.shape)}, {right} is {_say(other.shape)}{hint}")

    def square(self, part: Typed) -> _Dims:
        """The operand must be square (or a scalar)."""
        shape = self.matrix(part)
        try:
            self.same(shape[0], shape[1])
        except _Mismatch:
            self.fail(part.node, f"{part.node} must be square and is {_say(shape)}")
        return shape

    def matrix(self, part: Typed) -> _Dims:
        """The operand must have rows and columns."""
        shape = _found(part.shape)
        if isinstance(shape, _AnyShape):
            shape.found = shape = (_Unknown(), _Unknown())
        if len(shape) != 2:
            self.fail(part.node, f"{part.node} is {_say(shape)}; such a tensor can only be added and scaled")
        return shape

    def times(self, left: _Dim, right: _Dim) -> _Dim:
        """The product of two sizes."""
        left, right = _size(left), _size(right)
        if left in (1, UNIT) or right in (1, UNIT):
            return right if left == UNIT or (left == 1 and right != UNIT) else left
        if isinstance(left, _Unknown) or isinstance(right, _Unknown):
            product = _Unknown()
            self.products.append((left, right, product))
            return product
        return multiply(left, right)

    def solve_products(self) -> None:
        """Find the third size of a b = c where two are found."""
        progress = True
        while progress and self.products:
            progress = False
            for known in list(self.products):
                left, right, product = map(_size, known)
                match left, right, product:
                    case (_Unknown() as unknown, int() | str() as factor, int() | str() as whole) | (
                        (int() | str()) as factor,
                        _Unknown() as unknown,
                        (int() | str()) as whole,
                    ):
                        unknown.found = _divide(whole, factor)
                        if unknown.found is None:
                            self.fail(self.tree, f"{factor} does not divide {whole}")
                    case (int() | str(), int() | str(), _):
                        self.same(multiply(left, right), product)
                    case _:
                        continue
                self.products.remove(known)
                progress = True

    def match_products(self) -> None:
        """Of two products that are the same, and not known, each factor is the same: of a square A ⊗ X both are."""
        seen: dict[_Dim, tuple[_Dim, _Dim]] = {}
        for left, right, product in self.products:
            whole = _size(product)
            if whole in seen:
                for one, other in zip(seen[whole], (left, right), strict=True):
                    self.same(one, other)
            else:
                seen[whole] = (left, right)

    # The walk --------------------------------------------------------------------------------------------------------

    def visit(self, node: t.Formula) -> Typed:
        match node:
            case t.Number(value):
                return Typed(node, _AnyShape() if value == 0 else _SCALAR)
            case t.Name(name):
                return Typed(node, _SCALAR if name in self.bound else self.given(node, name))
            case t.Derivative():
                return Typed(node, self.given(node, node.key))
            case t.Constant():
                constant = Typed(node, self.constant(node))
                self.constants.append(constant)
                return constant
            case t.Entry(_, indices):
                return self.entry(node, len(indices))
            case t.Neg(of):
                part = self.visit(of)
                return Typed(node, part.shape, (part,))
            case t.Sum(terms):
                parts = [self.visit(term) for term in terms]
                for part in parts[1:]:
                    self.agree(parts[0], part)
                return Typed(node, parts[0].shape, tuple(parts))
            case t.Product((first, *rest)):
                product = self.visit(first)
                for factor in rest:
                    product = self.product(node, product, self.visit(factor))
                return product
            case t.Infix(op, left, right):
                return self.infix(node, op, self.visit(left), self.visit(right))
            case t.Power(base):
                part = self.visit(base)
                return Typed(node, self.square(part), (part,))
            case t.Transpose(of):
                part = self.visit(of)
                rows, columns = self.matrix(part)
                return Typed(node, (columns, rows), (part,))
            case t.Apply("!"):
                return Typed(node, _SCALAR)
            case t.Apply(function, of):
                part = self.visit(of)
                return Typed(node, self.applied(function, part), (part,))
            case t.Sigma(index, _, stop, body):
                self.bound.append(index)
                self.bounds.append(stop.name if isinstance(stop, t.Name) else None)
                part = self.visit(body)
                self.bound.pop()
                self.bounds.pop()
                return Typed(node, part.shape, (part,))
            case _:
                raise TypeError(f"not a formula: {type(node).__name__}")

    def given(self, node: t.Formula, name: str) -> _Dims:
        for key in lookup(name):
            if key in self.shapes:
                return _inner(self.shapes[key])
            if key in self.unknown:
                return _inner(self.unknown[key])
            if key in self.scalars:
                return _SCALAR
        self.fail(node, f"nothing is given for {name}")

    def constant(self, node: t.Constant) -> _Dims:
        match node.symbol, node.indices:
            case "I", ():
                size = _Unknown()
                return (size, size)
            case "I", (size,):
                return (self.written(size), self.written(size))
            case "1", ():
                return (_Unknown(), UNIT)
            case "0" | "1", (rows,):
                return (self.written(rows), UNIT)
            case "0" | "1", (rows, columns):
                return (self.written(rows), self.written(columns))
            case "e", _:
                return (_Unknown(), UNIT)
            case _:  # the same E_ij is the same matrix wherever it stands, and E_ji is its transpose
                turned = t.Constant("E", node.indices[::-1])
                if turned in self.units and node not in self.units:
                    return self.units[turned][::-1]
                return self.units.setdefault(node, (_Unknown(), _Unknown()))

    def written(self, size: t.Formula) -> _Dim:
        """A size written as a subscript: I_n."""
        match size:
            case t.Number(int() as number):
                return number
            case t.Name(name) if name in self.sizes:
                return self.sizes[name]
            case t.Name(name):
                return name if name in self.scalars else self.named.setdefault(name, _Unknown())
            case _:
                self.fail(self.tree, f"{size} is not the name of a size")

    def entry(self, node: t.Entry, count: int) -> Typed:
        of = matrix_of(node, self.ranks)
        try:
            part = self.visit(of)
        except FormulaError as error:
            self.fail(node, error.reason)
        rows, columns = self.matrix(part)
        for index, size in zip(node.indices, (rows, columns), strict=False):
            self.sum_over(index, size)
        if count == 1 and UNIT not in (_size(rows), _size(columns)):
            self.fail(node, f"{part.node} is {_say(part.shape)}; its entries have two subscripts")
        return Typed(node, _SCALAR, (part,))

    def sum_over(self, index: t.Formula, size: _Dim) -> None:
        """Σ_{i=1}^{n} x_i tells that x has n entries, where nothing else does."""
        size = _size(size)
        if isinstance(index, t.Name) and index.name in self.bound and isinstance(size, _Unknown) and size.letter:
            size.found = self.bounds[len(self.bound) - 1 - self.bound[::-1].index(index.name)]

    def product(self, node: t.Formula, left: Typed, right: Typed) -> Typed:
        """The product of two; a scalar multiplies anything."""
        parts = (left, right)
        if left.is_scalar or right.is_scalar:
            return Typed(node, right.shape if left.is_scalar else left.shape, parts)
        one, other = self.matrix(left), self.matrix(right)
        try:
            self.same(one[1], other[0])
        except _Mismatch:
            if _is_single(one):
                return Typed(node, right.shape, parts)
            if _is_single(other):
                return Typed(node, left.shape, parts)
            done = _so_far(node, left)
            message = f"{done} is {_say(one)}, {right.node} is {_say(other)}; {_name(one[1])} ≠ {_name(other[0])}"
            self.fail(right.node, message)
        return Typed(node, (one[0], other[1]), parts)

    def infix(self, node: t.Formula, op: str, left: Typed, right: Typed) -> Typed:
        parts = (left, right)
        match op:
            case "/":
                try:
                    self.unify(right.shape, _SCALAR)
                except _Mismatch:
                    self.fail(right.node, f"the denominator must be a scalar; {right.node} is {_say(right.shape)}")
                return Typed(node, left.shape, parts)
            case "⊗":
                one, other = self.matrix(left), self.matrix(right)
                return Typed(node, (self.times(one[0], other[0]), self.times(one[1], other[1])), parts)
            case "⊙" | "⊘":
                self.agree(left, right)
                return Typed(node, left.shape, parts)
            case _:
                for part in parts:
                    try:
                        self.unify(part.shape, (3, UNIT))
                    except _Mismatch:
                        self.fail(part.node, f"× is of vectors of length 3; {part.node} is {_say(part.shape)}")
                return Typed(node, (3, UNIT), parts)

    def applied(self, function: str, part: Typed) -> _Dims:
        match function:
            case "tr" | "det":
                self.square(part)
                return _SCALAR
            case "norm" | "sum":
                self.matrix(part)
                return _SCALAR
            case "norm2":
                shape = self.matrix(part)
                if UNIT not in shape:
                    self.fail(part.node, f"{part.node} is {_say(shape)}; ‖ ‖_2 is of vectors, of matrices write ‖ ‖_F")
                return _SCALAR
            case _ if is_entrywise(function, part):
                return self.matrix(part)
            case "pinv":
                rows, columns = self.matrix(part)
                return (columns, rows)
            case "vec":
                rows, columns = self.matrix(part)
                return (self.times(rows, columns), UNIT)
            case "diag":
                rows, columns = self.matrix(part)
                return (rows, rows) if _size(columns) == UNIT else (self.square(part)[0], UNIT)
            case _:
                return self.square(part)


def _bare(node: t.Formula) -> t.Formula:
    return node.of if isinstance(node, t.Neg) else node


def _so_far(node: t.Formula, left: Typed) -> t.Formula:
    """The part of a product that ``left`` is."""
    if left.node is not node or not isinstance(node, t.Product):
        return left.node
    count = 1
    while left.node is node:
        left, count = left.parts[0], count + 1
    return t.multiply(node.factors[:count])


def _is_single(shape: _Dims) -> bool:
    """Whether the shape is that of one number, by more than the accident of a size being 1."""
    sizes = [_size(size) for size in shape]
    return UNIT in sizes and all(size in (1, UNIT) for size in sizes)


def _yields(one: _Unknown, other: _Unknown) -> bool:
    """Whether of two unknown sizes it is the first that takes the name of the other."""
    return not one.letter or (bool(other.letter) and _LETTERS.find(one.letter) > _LETTERS.find(other.letter))


def _size(size: _Dim) -> _Dim:
    while isinstance(size, _Unknown) and size.found is not None:
        size = size.found
    return size


def _found(shape: _Shape) -> _Shape:
    return shape.found if isinstance(shape, _AnyShape) and shape.found is not None else shape


def _dims(shape: _Shape) -> _Dims:
    shape = _found(shape)
    return _SCALAR if isinstance(shape, _AnyShape) else tuple([_size(size) for size in shape])


def _inner(shape: Sequence[_Dim]) -> _Dims:
    match tuple(shape):
        case ():
            return _SCALAR
        case (rows,):
            return (rows, UNIT)
        case sizes:
            return sizes


def multiply(left: Size, right: Size) -> Size:
    """2 and 3 make 6, m and n make "m n"."""
    numbers = [size for size in (left, right) if isinstance(size, int)]
    names = sorted(name for size in (left, right) if isinstance(size, str) for name in size.split())
    if len(numbers) == 2:
        return numbers[0] * numbers[1]
    return " ".join([*map(str, numbers), *names])


def _divide(whole: Size, factor: Size) -> Size | None:
    """The size by which ``factor`` must be multiplied, if there is one."""
    if isinstance(whole, int) and isinstance(factor, int):
        return whole // factor if factor and whole % factor == 0 else None
    left = str(whole).split()
    for name in str(factor).split():
        if name not in left:
            return None
        left.remove(name)
    text = " ".join(left)
    return int(text) if text.isdigit() else text or 1


def _name(size: _Dim) -> str:
    size = _size(size)
    return (size.letter or "?") if isinstance(size, _Unknown) else str(size)


def _say(shape: _Shape) -> str:
    """The shape in words."""
    match [_name(size) for size in _dims(shape)]:
        case ["1", "1"]:
            return "a scalar"
        case sizes:
            return "×".join(sizes)
