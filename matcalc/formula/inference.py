"""The shape of every node of a formula, by a walk over the tree; constants get theirs from the context."""

from collections.abc import Mapping, Sequence
from functools import reduce

from matcalc.formula import tree as t
from matcalc.formula.arbitrary import key_of, kind_of, name_of_function
from matcalc.formula.errors import FormulaError
from matcalc.formula.operands import Operands
from matcalc.formula.sizes import (
    SCALAR,
    UNIT,
    AnyShape,
    Dim,
    Dims,
    Size,
    Unknown,
    dims,
    dims_of_array,
    in_words,
    is_single,
    known,
    known_shape,
    size_in_words,
)
from matcalc.formula.typed import Typed, bare, is_spread, is_zero, so_far
from matcalc.formula.unification import Mismatch, same_size, unify
from matcalc.formula.variables import matrix_of, spellings


class Inference(Operands):
    """The walk over one formula, with the shapes that are given and those that are to be found."""

    def __init__(
        self,
        tree: t.Formula,
        shapes: Mapping[str, Sequence[Size]],
        sizes: Mapping[str, int],
        unknown: Mapping[str, tuple[Unknown, ...]] | None = None,
    ) -> None:
        super().__init__(tree)
        self.unknown = unknown or {}
        self.deduces = unknown is not None
        self.shapes = shapes
        self.sizes = sizes
        self.scalars = {size for shape in shapes.values() for size in shape if isinstance(size, str)} | set(sizes)
        self.ranks = {name: len(shape) for name, shape in {**shapes, **self.unknown}.items()}
        self.bound: list[str] = []  # summation indices, and what they go up to where that has a name
        self.bounds: list[str | None] = []
        self.constants: list[Typed] = []  # and other nodes whose sizes are written
        self.units: dict[t.Constant, Dims] = {}
        self.named: dict[str, Unknown] = {}  # sizes known by nothing but the n of I_n
        self.spread: list[tuple[Typed, Typed]] = []  # numbers, each beside an array at all of whose entries it stands
        self.open: dict[str, Dim] = {}  # how far the indices of open sums go
        self.counted: dict[str, Size] = {}  # how far those go up to a name do, where it is a number

    def run(self, shape: Sequence[Size] | None) -> Typed:
        """The formula with the shape of every node; `shape` is what the result must have."""
        root = self.visit(self.tree)
        if shape is not None:
            wanted = dims_of_array(shape)
            try:
                unify(root.shape, wanted)
            except Mismatch:
                self.fail_as_whole(f"the formula is {in_words(root.shape)}; expected {in_words(wanted)}")
        try:
            self.products.solve()
        except Mismatch as mismatch:
            context = " the expected shape" if shape else ""
            self.fail_as_whole(str(mismatch) or f"the sizes of the Kronecker products do not fit{context}")
        for number, array in self.spread:
            rows, columns = dims(array.shape)
            if rows == columns != UNIT:
                words = f"{array.node} is {in_words(array.shape)}, {number.node} is a scalar"
                one = bare(number.node)
                self.misfit(number.node, f"{words}; write {one} I, or {one} 1 1' for a matrix full of it")
        for constant in self.constants:
            if not (self.deduces and t.written_sizes(constant.node)) and any(
                isinstance(size, Unknown) and not size.letter for size in dims(constant.shape)
            ):
                remedy = "write it, as in I_3 and 1_3, or give the result's shape"
                self.fail(constant.node, f"nothing here tells the size of {constant.node}; {remedy}")
        return root

    # --- The walk

    def visit(self, node: t.Formula) -> Typed:
        match node:
            case t.Number(value):
                return Typed(node, AnyShape() if value == 0 else SCALAR)
            case t.Name(name):
                return Typed(node, SCALAR if name in self.bound else self.given(node, name))
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
                return self.sum(node, [self.visit(term) for term in terms])
            case t.Product((first, *rest)):
                product = self.visit(first)
                for factor in rest:
                    product = self.product(node, product, self.visit(factor))
                return product
            case t.Infix(op, left, right):
                return self.infix(node, op, self.visit(left), self.visit(right))
            case t.Power(base, exponent):
                part = self.visit(base)
                if t.is_arithmetic(exponent):
                    return Typed(node, self.square(part), (part,))
                return Typed(node, SCALAR, (self.scalar(part), self.scalar(self.visit(exponent))))
            case t.Transpose(of):
                part = self.visit(of)
                rows, columns = self.matrix(part)
                return Typed(node, (columns, rows), (part,))
            case t.Apply("!"):
                return Typed(node, SCALAR)
            case t.Apply(function, of):
                part = self.visit(of)
                kind = kind_of(name_of_function(function), {**self.shapes, **self.unknown})
                return Typed(node, self.called(node, kind, part) if kind else self.applied(function, part), (part,))
            case t.Frechet(_, of, along):
                part, direction = self.visit(of), self.visit(along)
                shape = self.square(part)
                self.agree(part, direction)
                return Typed(node, shape, (part, direction))
            case t.Unvec(sizes, of):
                part = self.visit(of)
                shape = tuple(map(self.written, sizes))
                self.constants.append(matrix := Typed(node, shape, (part,)))
                try:
                    unify(part.shape, (self.products.product(*shape[::-1]), UNIT))
                except Mismatch:
                    words = f"{of} is {in_words(part.shape)}"
                    self.misfit(of, f"{node} is {in_words(shape)}, of a vector of as many entries; {words}")
                return matrix
            case t.Sigma(index, _, stop, body):
                self.bound.append(index)
                self.bounds.append(stop.name if isinstance(stop, t.Name) else None)
                part = self.visit(body)
                if stop == t.OPEN and index not in self.open:
                    self.fail(node, f"nothing in this sum has entries that {index} counts; give its bounds")
                self.open.pop(index, None)
                self.bound.pop()
                self.bounds.pop()
                return Typed(node, part.shape, (part,))
            case _:
                raise TypeError(f"not a formula: {type(node).__name__}")

    def given(self, node: t.Formula, name: str) -> Dims:
        for key in spellings(name):
            if key in self.shapes:
                return dims_of_array(self.shapes[key])
            if key in self.unknown:
                return dims_of_array(self.unknown[key])
            if key in self.scalars:
                return SCALAR
        self.fail(node, f"nothing is given for {name}")

    def constant(self, node: t.Constant) -> Dims:
        match node.symbol, node.indices:
            case "I", ():
                size = Unknown()
                return (size, size)
            case "I", (size,):
                return (self.written(size), self.written(size))
            case "1", ():
                return (Unknown(), UNIT)
            case "0" | "1", (rows,):
                return (self.written(rows), UNIT)
            case "0" | "1", (rows, columns):
                return (self.written(rows), self.written(columns))
            case "K", (rows, columns):
                size = self.products.product(self.written(columns), self.written(rows))
                return (size, size)
            case "D" | "L" as symbol, (side,):
                size = self.written(side)
                shape = (self.products.product(size, size), self.products.triangle(size))
                return shape if symbol == "D" else shape[::-1]
            case "e", _:
                return (Unknown(), UNIT)
            case _:  # the same E_ij is the same matrix wherever it stands, and E_ji is its transpose
                turned = t.Constant("E", node.indices[::-1])
                if turned in self.units and node not in self.units:
                    return self.units[turned][::-1]
                return self.units.setdefault(node, (Unknown(), Unknown()))

    def written(self, size: t.Formula) -> Dim:
        """A size written as a subscript: I_n, or a product or a sum of such."""
        match size:
            case t.Number(int() as number):
                return number
            case t.Name(name) if name in self.sizes:
                return self.sizes[name]
            case t.Name(name):
                return name if name in self.scalars else self.named.setdefault(name, Unknown())
            case t.Product(factors):
                return reduce(self.products.product, map(self.written, factors))
            case t.Power(base, t.Number(int() as count)) if count > 0:  # I_{n²}
                return reduce(self.products.product, [self.written(base)] * count)
            case t.Sum(terms):
                return reduce(self.products.sum, map(self.written, terms))
            case _:
                self.fail(self.tree, f"{size} is not the name of a size")

    def entry(self, node: t.Entry, count: int) -> Typed:
        of = matrix_of(node, self.ranks)
        try:
            part = self.visit(of)
        except FormulaError as error:
            self.fail(node, error.reason)
        rows, columns = self.matrix(part)
        if count == 1 and UNIT not in (known(rows), known(columns)):
            if isinstance(part.node, t.Name) and part.node.name[0].islower():  # x_i of vectors, the columns of x
                self.sum_over(node.indices[0], columns)
                return Typed(node, (rows, UNIT), (part,))
            if any(isinstance(index, t.Name) and index.name in self.bound for index in node.indices):
                self.fail(
                    node, f"{node} would be a matrix for every {node.indices[0]}, of three axes; write the sum out"
                )
            self.misfit(node, f"{part.node} is {in_words(part.shape)}; its entries have two subscripts")
        for index, size in zip(node.indices, (rows, columns), strict=False):
            self.sum_over(index, size)
        return Typed(node, SCALAR, (part,))

    def sum_over(self, index: t.Formula, size: Dim) -> None:
        """Σ_{i=1}^{n} x_i tells that x has n entries, where nothing else does."""
        size = known(size)
        if not isinstance(index, t.Name) or index.name not in self.bound:
            return
        bound = self.bounds[len(self.bound) - 1 - self.bound[::-1].index(index.name)]
        if bound == t.OPEN.name:
            try:
                same_size(self.open.setdefault(index.name, size), size)
            except Mismatch:
                sizes = f"{size_in_words(self.open[index.name])} ≠ {size_in_words(size)}"
                self.fail(index, f"{index} goes over entries of several numbers; {sizes}")
        elif isinstance(size, Unknown) and size.letter:
            size.found = bound
        elif bound and isinstance(size, int):
            self.counted[bound] = size

    def sum(self, node: t.Formula, parts: "list[Typed]") -> Typed:
        """The sum; a number beside arrays stands at every entry."""
        arrays = [part for part in parts if not is_spread(part)] or parts
        for part in arrays[1:]:
            self.agree(arrays[0], part)
        if not arrays[0].is_scalar and not isinstance(known_shape(arrays[0].shape), AnyShape):
            self.spread += [(part, arrays[0]) for part in parts if part not in arrays and not is_zero(part.node)]
        return Typed(node, arrays[0].shape, tuple(parts))

    def product(self, node: t.Formula, left: Typed, right: Typed) -> Typed:
        """The product of two; a scalar multiplies anything."""
        parts = (left, right)
        if left.is_scalar or right.is_scalar:
            return Typed(node, right.shape if left.is_scalar else left.shape, parts)
        one, other = self.matrix(left), self.matrix(right)
        try:
            same_size(one[1], other[0])
        except Mismatch:
            if is_single(one):
                return Typed(node, right.shape, parts)
            if is_single(other):
                return Typed(node, left.shape, parts)
            sizes = f"{size_in_words(one[1])} ≠ {size_in_words(other[0])}"
            done = f"{so_far(node, left)} is {in_words(one)}"
            self.misfit(right.node, f"{done}, {right.node} is {in_words(other)}; {sizes}")
        return Typed(node, (one[0], other[1]), parts)

    def infix(self, node: t.Formula, op: str, left: Typed, right: Typed) -> Typed:
        parts = (left, right)
        match op:
            case "/":
                try:
                    unify(right.shape, SCALAR)
                except Mismatch:
                    words = f"{right.node} is {in_words(right.shape)}"
                    self.misfit(right.node, f"the denominator must be a scalar; {words}")
                return Typed(node, left.shape, parts)
            case "⊗":
                one, other = self.matrix(left), self.matrix(right)
                rows, columns = (self.products.product(a, b) for a, b in zip(one, other, strict=True))
                return Typed(node, (rows, columns), parts)
            case "⊙" | "⊘" | ".^" if left.is_scalar or right.is_scalar:
                return Typed(node, right.shape if left.is_scalar else left.shape, parts)
            case "⊙" | "⊘" | ".^":
                self.agree(left, right)
                return Typed(node, left.shape, parts)
            case "·":
                if left.is_scalar or right.is_scalar:
                    return Typed(node, right.shape if left.is_scalar else left.shape, parts)
                self.agree(left, right)
                if known(self.matrix(left)[1]) != UNIT:
                    self.fail(node, f"{left.node} is {in_words(left.shape)}; a dot between factors is of two vectors")
                return Typed(node, SCALAR, parts)
            case "⊕":
                one, other = self.matrix(left), self.matrix(right)
                rows, columns = (self.products.sum(a, b) for a, b in zip(one, other, strict=True))
                return Typed(node, (rows, columns), parts)
            case _:
                for part in parts:
                    self.of_length_three(part, "×")
                return Typed(node, (3, UNIT), parts)

    def called(self, node: t.Apply, kind: str, part: Typed) -> Dims:
        """The shape of a function that has only a name and is no one of numbers, from that of what stands for it."""
        name, order = name_of_function(node.function), node.function.count("'")
        key = key_of(name, kind)
        W, x = self.given(node, key), self.matrix(part)
        try:
            match kind, self.ranks[key]:
                case ("vector", 1) | ("matrix", 2):
                    unify(x, SCALAR)
                    return W
                case "vector", _:
                    unify(x, (W[1], UNIT))
                    shapes = [(W[0], UNIT), W]
                case _ if part.is_scalar:
                    self.fail(part.node, f"{part.node} is a scalar; a function of numbers is declared by its name only")
                case _:
                    unify(x, W)
                    shapes = [SCALAR, W[::-1], *([(W[0], W[0])] if known(W[1]) == UNIT else [])]
        except Mismatch:
            self.misfit(part.node, f"{part.node} is {in_words(x)}, and {name} is of other arguments")
        if order >= len(shapes) or node.function.endswith("."):
            self.fail(node, f"{node.function} is not read of such a function")
        return shapes[order]
