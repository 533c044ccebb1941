"""Formulas as Python: each operation in the words of an array library, vectors and rows as arrays of one axis.

Constants of the formulas carry their sizes. How a product is taken stands in `chains`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from matcalc.calculus import NotDerivable
from matcalc.calculus.shapes import Shapes, counted
from matcalc.calculus.terms import SCALAR, UNIT, Dims, is_ones, of_size
from matcalc.derivation import texts
from matcalc.derivation.applications import applied, frechet
from matcalc.derivation.chains import product
from matcalc.derivation.texts import PRODUCT, SIGN, Code
from matcalc.derivation.words import Language
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size, split_size, triangle_side


@dataclass
class Writer:
    """Writes formulas as expressions of Python, and notes which sizes and inverses they use."""

    language: Language
    shapes: Shapes
    names: Mapping[str, str]  # of variables and integers, as identifiers
    beside: str  # the array whose dtype new arrays get
    integers: frozenset[str] = frozenset()
    sizes: dict[str, str] = field(default_factory=dict[str, str])  # letters of sizes that are used, as identifiers
    inverted: Counter[Formula] = field(default_factory=Counter[Formula])  # what is inverted as a whole
    identities: dict[str, str] = field(default_factory=dict[str, str])  # the identity matrices, by their sizes
    counted: dict[str, bool] = field(default_factory=dict[str, bool])  # indices of sums, and whether from 0

    # --- What all of it needs

    def dims(self, tree: Formula) -> Dims:
        return self.shapes.dims(tree)

    def is_scalar(self, tree: Formula) -> bool:
        return self.dims(tree) == SCALAR

    def is_matrix(self, tree: Formula) -> bool:
        return UNIT not in self.dims(tree)

    def size(self, n: Size) -> Code:
        """A size as an expression: m * n."""
        if isinstance(n, int) or n == UNIT:
            return Code(str(n))
        if (side := triangle_side(n)) is not None:
            of = self.size(side)
            return Code(f"{of.at(SIGN)} * ({of.text} + 1) // 2", PRODUCT)
        if len(terms := split_size(n, "+")) > 1:
            return texts.added((False, self.size(term)) for term in terms)
        if len(factors := split_size(n, " ")) > 1:
            return texts.times([self.size(factor) for factor in factors if factor != UNIT])
        if n.startswith("("):
            return self.size(n[1:-1])
        if n.isdigit():
            return Code(n)
        if not n.isidentifier():
            raise ValueError(f"A size is a number or a letter, or made of such; got {n!r}.")
        return Code(self.sizes.setdefault(n, texts.free(n, self.names.values())))

    def word(self, name: str, x: Code) -> Code:
        """A call that `words` spells."""
        return self.called({**self.language.entries, **self.language.vectors, **self.language.matrices}, name, x)

    def called(self, templates: Mapping[str, str], name: str, x: Code) -> Code:
        """NotDerivable for what has no words here, as a function that has only a name."""
        if name not in templates:
            raise NotDerivable(f"{name} has no code in {self.language.xp}")
        return Code(templates[name].format(x=x.text))

    def new(self, function: str, shape: str) -> Code:
        return Code(f"{self.language.xp}.{function}({shape}, {self.language.places.format(self.beside)})")

    def call(self, name: str, *arguments: Code) -> Code:
        return texts.call(self.language.calls[name], *arguments)

    # --- The walk

    def code(self, tree: Formula) -> Code:
        """The value of a formula."""
        match tree:
            case t.Number(value):
                return Code(repr(value))
            case t.Name(name):
                return self.named(name)
            case t.Derivative():
                return self.named(tree.key)
            case t.Constant(symbol, indices):
                return self.constant(symbol, indices)
            case t.Entry(of, indices):
                column = [] if self.is_scalar(tree) else [":"]
                return texts.indexed(self.code(of), *column, *[self.place(index) for index in indices])
            case t.Neg(of):
                return texts.negative(self.code(of))
            case t.Sum(parts):
                return self.sum(tree, parts)
            case t.Product(factors):
                return product(self, factors)
            case t.Infix("/", t.Number(above), t.Number(below)) if below in (2, 4, 5, 8, 10):
                return Code(repr(above / below))
            case t.Infix("/", left, right):
                return texts.divided(self.code(left), self.code(right))
            case t.Infix(op, left, right):
                return self.infix(op, left, right)
            case t.Power(base, exponent):
                return self.power(base, exponent)
            case t.Transpose(of):
                return texts.turned(self.code(of)) if self.is_matrix(of) else self.code(of)
            case t.Apply(function, of):
                return applied(self, function, of)
            case t.Frechet(function, of, along):
                return frechet(self, function, self.code(of), self.code(along))
            case t.Unvec((rows, columns), of):
                shape = f"{self.size(of_size(columns)).text}, {self.size(of_size(rows)).text}"
                return Code(f"{self.code(of).at(texts.ATOM)}.reshape({shape}).T")
            case t.Sigma():
                return self.sigma(tree)
            case _:
                raise NotDerivable(f"{tree} has no code")

    def named(self, name: str) -> Code:
        if name in self.names or name in self.counted:
            return Code(self.names.get(name, name))
        return self.size(name)

    # --- Constants and entries

    def constant(self, symbol: str, indices: tuple[Formula, ...]) -> Code:
        match symbol, indices:
            case "I", (n,):
                return self.identity(self.size(of_size(n)).text)
            case "1", (n,):
                return self.new("ones", self.size(of_size(n)).text)
            case "e", (i, n):
                return texts.indexed(self.identity(self.size(of_size(n)).text), self.place(i))
            case "E", (i, j, m, n):
                return self.call("outer", self.constant("e", (i, m)), self.constant("e", (j, n)))
            case "0" | "1", _:
                shape = ", ".join([self.size(of_size(n)).text for n in indices])
                return self.new("zeros" if symbol == "0" else "ones", f"({shape})" if len(indices) > 1 else shape)
            case "K" | "D" | "L", _:
                name = {"K": "commutation", "D": "duplication", "L": "elimination"}[symbol]
                made = texts.call(name, *[self.size(of_size(n)) for n in indices])
                xp, places = self.language.xp, self.language.places.format(self.beside)
                return made if xp == "np" else Code(f"{xp}.asarray({made.text}, {places})")
            case _:
                raise NotDerivable(f"{symbol} has no code without its size")

    def identity(self, size: str) -> Code:
        made = self.new("eye", size)
        self.identities[size] = made.text
        return made

    def place(self, index: Formula) -> str:
        """A subscript: given integers count from 0, numbers and indices of sums from 1 as in books."""
        names = {node.name for node in t.nodes(index) if isinstance(node, t.Name)}
        match index:
            case t.Number(int() as value):
                return str(value - 1)
            case t.Name(name) if self.counted.get(name):
                return self.named(name).text
            case _ if names & self.counted.keys():
                return self.code(t.Sum((index, t.Neg(t.Number(1))))).text
            case _:
                return self.code(index).text

    def sigma(self, tree: t.Sigma) -> Code:
        """A sum by Python's own; its index counts from 0 where it only counts entries."""
        stop = self._last(tree)
        is_from_zero = tree.start == t.Number(1) and _only_counts(tree.index, tree.body)
        outside = self.counted.get(tree.index)
        self.counted[tree.index] = is_from_zero
        body = self.code(tree.body)
        self.counted.pop(tree.index)
        if outside is not None:
            self.counted[tree.index] = outside
        index = self.names.get(tree.index, tree.index)
        end = stop.text if is_from_zero else texts.added([(False, stop), (False, Code("1"))]).text
        if stop.text.isdigit() and not is_from_zero:
            end = str(int(stop.text) + 1)
        ends = end if is_from_zero else f"{self.code(tree.start).text}, {end}"
        terms = f"{body.text} for {index} in range({ends})"
        if isinstance(tree.stop, t.Name | t.Number):
            return Code(f"sum({terms})")
        rows, columns = self.dims(tree)  # there may be no term
        shape = [self.size(size).text for size in (rows, columns) if size != UNIT]
        start = self.new("zeros", f"({', '.join(shape)})" if len(shape) != 1 else shape[0])
        return Code(f"sum(({terms}), start={start.text})")

    def _last(self, tree: t.Sigma) -> Code:
        if tree.stop != t.OPEN:
            return self.code(tree.stop)
        if (stop := counted(tree, self.dims)) is not None:
            return self.size(stop)
        raise NotDerivable(f"{tree} does not say where it ends")

    # --- Operations

    def sum(self, tree: Formula, parts: tuple[Formula, ...]) -> Code:
        """A sum, in which a vector or matrix of equal numbers is a number."""
        is_scalar = self.is_scalar(tree)
        bare = [(part.of, True) if isinstance(part, t.Neg) else (part, False) for part in parts]
        spread = [None if is_scalar else self._everywhere(part) for part, _ in bare]
        if all(number is not None for number in spread):
            spread[0] = None
        return texts.added((less, number or self.code(part)) for (part, less), number in zip(bare, spread, strict=True))

    def _everywhere(self, tree: Formula) -> Code | None:
        """The number that stands at every entry."""
        factors = tree.factors if isinstance(tree, t.Product) else (tree,)
        numbers = [factor for factor in factors if self.is_scalar(factor)]
        others = [factor for factor in factors if not self.is_scalar(factor)]
        if not others or not all(map(is_ones, others)):
            return None
        return self.code(t.product_of(numbers))

    def infix(self, op: str, left: Formula, right: Formula) -> Code:
        one, other = self.code(left), self.code(right)
        match op:
            case "⊙":
                return texts.times([one, other])
            case "⊘":
                return texts.divided(one, other)
            case ".^":
                return texts.power(one, other)
            case "·":
                return texts.matmul([one, other]) if not self.is_scalar(left) else texts.times([one, other])
            case "×":
                return self.call("cross", one, other)
            case "⊗" if self.is_scalar(left) or self.is_scalar(right):
                return texts.times([one, other])
            case "⊗":
                return self._kronecker(left, right, one, other)
            case "⊕":
                return self.call("blkdiag", self.in_two_axes(left, one), self.in_two_axes(right, other))
            case _:
                raise NotDerivable(f"{op} has no code")

    def _kronecker(self, left: Formula, right: Formula, one: Code, other: Code) -> Code:
        (m, n), (p, q) = self.dims(left), self.dims(right)
        if n == p == UNIT:
            return self.call("outer", one, other)
        if m == q == UNIT:
            return self.call("outer", other, one)
        if self.is_matrix(left) or self.is_matrix(right):
            one, other = self.in_two_axes(left, one), self.in_two_axes(right, other)
        return self.call("kron", self._operand_of_kron(one), self._operand_of_kron(other))

    def _operand_of_kron(self, code: Code) -> Code:
        is_new = code.text in self.identities.values() or self.language.of_kron == "{x}"
        return code if is_new else Code(self.language.of_kron.format(x=code.at(texts.ATOM)))

    def in_two_axes(self, tree: Formula, code: Code) -> Code:
        """The value of a formula as a matrix: a row or a column has one axis otherwise."""
        rows, columns = self.dims(tree)
        if UNIT not in (rows, columns):
            return code
        if rows == columns:
            return Code(f"{code.at(texts.ATOM)}.reshape(1, 1)")
        return texts.indexed(code, *((":", "None") if columns == UNIT else ("None", ":")))

    def power(self, base: Formula, exponent: Formula) -> Code:
        match base, exponent:
            case t.Apply("norm" | "norm2" | "det", of), t.Number(int() as even) if (
                even > 0 and even % 2 == 0 and self._is_euclidean(base)
            ):
                x = self.code(of)
                is_short = not self.is_matrix(of) and x.text.isidentifier()
                squared = texts.matmul([x, x]) if is_short else None
                if self.is_scalar(of):
                    return texts.power(x, self.code(exponent))
                squared = squared or self.word("sum", texts.power(x, Code("2")))
                return squared if even == 2 else texts.power(squared, Code(str(even // 2)))
            case _ if self.is_scalar(base):
                return texts.power(self.code(base), self.code(exponent))
            case _:
                return self.call("matrix_power", self.code(base), self.code(exponent))

    def _is_euclidean(self, norm: t.Apply) -> bool:
        """Whether a norm is the root of a sum of squares."""
        return norm.function == "norm" or not self.is_matrix(norm.of)

    def is_static(self, tree: Formula) -> bool:
        """Whether it is a number of Python."""
        names = {node.name for node in t.nodes(tree) if isinstance(node, t.Name)}
        known = {*self.integers, *self.counted}
        return t.is_arithmetic(tree) and all(name in known or name not in self.names for name in names)


def _only_counts(index: str, tree: Formula) -> bool:
    """Whether a name stands for a place wherever it stands, and never for a number."""
    match tree:
        case t.Name(name):
            return name != index
        case t.Entry(of, indices):
            return _only_counts(index, of) and all(_only_counts(index, i) for i in indices if i != t.Name(index))
        case t.Constant("e" | "E", indices):
            return all(_only_counts(index, i) for i in indices if i != t.Name(index))
        case t.Sigma(other) if other == index:
            return True
        case _:
            return all(_only_counts(index, child) for child in t.children(tree))
