"""What the operands of functions and signs must be, and what is said where they are not."""

from typing import NoReturn

from matcalc.formula import tree as t
from matcalc.formula.errors import FormulaError, Misfit
from matcalc.formula.printing import locate
from matcalc.formula.sizes import SCALAR, UNIT, AnyShape, Dims, Unknown, in_words, known, known_shape
from matcalc.formula.typed import INSTEAD, Typed, bare, is_column, is_entrywise
from matcalc.formula.unification import Mismatch, SizeProducts, same_size, unify
from matcalc.formula.words import OF_VECTORS, TO_SCALARS


class Operands:
    """The operands in one formula; errors point at their place in it."""

    def __init__(self, tree: t.Formula) -> None:
        self.tree = tree
        self.products = SizeProducts()

    def fail(self, node: t.Formula, message: str) -> NoReturn:
        raise FormulaError(message, *locate(self.tree, node)) from None

    def misfit(self, node: t.Formula, message: str) -> NoReturn:
        raise Misfit(message, *locate(self.tree, node)) from None

    def fail_as_whole(self, message: str) -> NoReturn:
        raise Misfit(message, str(self.tree), 0, len(str(self.tree))) from None

    def agree(self, one: Typed, other: Typed) -> None:
        """Both operands must have the same shape."""
        try:
            unify(one.shape, other.shape)
        except Mismatch:
            left, right = bare(one.node), bare(other.node)
            hint = "; 𝟏 (ones) is the vector of ones" if t.Number(1) in (left, right) else ""
            self.misfit(right, f"{left} is {in_words(one.shape)}, {right} is {in_words(other.shape)}{hint}")

    def square(self, part: Typed) -> Dims:
        """The operand must be square (or a scalar)."""
        shape = self.matrix(part)
        try:
            same_size(shape[0], shape[1])
        except Mismatch:
            self.misfit(part.node, f"{part.node} must be square and is {in_words(shape)}")
        return shape

    def matrix(self, part: Typed) -> Dims:
        """The operand must have rows and columns."""
        shape = known_shape(part.shape)
        if isinstance(shape, AnyShape):
            shape.found = shape = (Unknown(), Unknown())
        if len(shape) != 2:
            self.misfit(part.node, f"{part.node} is {in_words(shape)}; such a tensor can only be added and scaled")
        return shape

    def scalar(self, part: Typed) -> Typed:
        """The operand must be a scalar."""
        try:
            unify(part.shape, SCALAR)
        except Mismatch:
            self.misfit(part.node, f"{part.node} is {in_words(part.shape)}; a power of this kind is of scalars")
        return part

    def of_length_three(self, part: Typed, sign: str) -> None:
        """The operand must be a vector of three entries."""
        try:
            unify(part.shape, (3, UNIT))
        except Mismatch:
            self.misfit(part.node, f"{sign} is of vectors of length 3; {part.node} is {in_words(part.shape)}")

    def applied(self, function: str, part: Typed) -> Dims:
        match function:
            case "det" if is_column(self.matrix(part)):
                return SCALAR  # |x| of a vector is its length
            case "tr" | "det":
                self.square(part)
                return SCALAR
            case "norm" | "norm2" | "nuclear":
                self.matrix(part)
                return SCALAR
            case _ if function in TO_SCALARS:
                self.matrix(part)
                return SCALAR
            case _ if function in OF_VECTORS:
                shape = self.matrix(part)
                if UNIT not in (known(shape[0]), known(shape[1])):
                    remedy = INSTEAD.get(function, "take it of vectors")
                    self.fail(part.node, f"{part.node} is {in_words(shape)}; {function} is of vectors: {remedy}")
                return shape if function == "softmax" else SCALAR
            case "tril" | "triu":
                shape = self.matrix(part)
                if UNIT in (known(shape[0]), known(shape[1])):
                    self.fail(part.node, f"{part.node} is {in_words(shape)}; {function} is of matrices")
                return shape
            case _ if is_entrywise(function, part):
                return self.matrix(part)
            case "pinv":
                rows, columns = self.matrix(part)
                return (columns, rows)
            case "vec":
                rows, columns = self.matrix(part)
                return (self.products.product(columns, rows), UNIT)  # as of B ⊗ A, where (B ⊗ A) vec X = vec(A X Bᵀ)
            case "vech":
                return (self.products.triangle(self.square(part)[0]), UNIT)
            case "cross":
                self.of_length_three(part, "[a]_×")
                return (3, 3)
            case "diag":
                rows, columns = self.matrix(part)
                return (rows, rows) if known(columns) == UNIT else (self.square(part)[0], UNIT)
            case _:
                return self.square(part)
