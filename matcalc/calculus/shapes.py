"""The shapes of formulas whose constants carry their sizes."""

from collections.abc import Callable, Mapping
from functools import cached_property

from matcalc.calculus.terms import SCALAR, UNIT, Dims, Factor, flipped, identity, of_size, ones, sized, times
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size, names_in_size, size_sum, size_triangle
from matcalc.formula.typed import Typed

TO_SCALARS = (
    *("tr", "det", "norm", "norm2", "norm1", "norminf", "nuclear", "sum", "mean", "max", "min", "logsumexp", "!"),
)


class Shapes:
    """The shapes of formulas in variables of given shapes, and whether the differential is in them."""

    def __init__(self, names: Mapping[str, Dims], moving: str) -> None:
        self.names = dict(names)
        self.moving_key = moving
        self._dims: dict[Formula, Dims] = {}
        self._moving: dict[Formula, bool] = {}

    def dims(self, tree: Formula) -> Dims:
        """The shape of a formula."""
        if tree not in self._dims:
            match tree:
                case t.Name(name):
                    self._dims[tree] = self.names.get(name, SCALAR)
                case t.Derivative():
                    self._dims[tree] = self.names[tree.key]
                case _:
                    self._dims[tree] = shape_of(tree, self.dims)
        return self._dims[tree]

    def is_scalar(self, tree: Formula) -> bool:
        return self.dims(tree) == SCALAR

    def is_square(self, tree: Formula) -> bool:
        rows, columns = self.dims(tree)
        return rows == columns

    @cached_property
    def sizes(self) -> frozenset[str]:
        """The letters that are sizes."""
        return frozenset(name for dims in self.names.values() for size in dims for name in names_in_size(size))

    def factor_dims(self, factor: Factor) -> Dims:
        return flipped(self.dims(factor.base)) if factor.turned else self.dims(factor.base)

    def moving(self, tree: Formula) -> bool:
        """Whether the differential is in it."""
        if tree not in self._moving:
            found = isinstance(tree, t.Derivative) and tree.key == self.moving_key
            self._moving[tree] = found or any(map(self.moving, t.children(tree)))
        return self._moving[tree]


def shape_of(tree: Formula, dims: Callable[[Formula], Dims]) -> Dims:
    """The shape of a formula that is no variable, by those of its parts."""
    match tree:
        case t.Constant("I", (n,)):
            return (of_size(n), of_size(n))
        case t.Constant("1", (n,)) | t.Constant("e", (_, n)):
            return (of_size(n), UNIT)
        case t.Constant("E", (_, _, m, n)) | t.Constant("0" | "1", (m, n)):
            return (of_size(m), of_size(n))
        case t.Constant("K", (m, n)):
            return (size := times(of_size(m), of_size(n)), size)
        case t.Sum((first, *_)) | t.Neg(first) | t.Power(first) | t.Sigma(_, _, _, first) | t.Frechet(_, first):
            return dims(first)
        case t.Unvec((m, n)):
            return (of_size(m), of_size(n))
        case t.Apply("cross"):
            return (3, 3)
        case t.Apply("vech", of):
            return (size_triangle(dims(of)[0]), UNIT)
        case t.Constant("D", (n,)):
            return (times(of_size(n), of_size(n)), size_triangle(of_size(n)))
        case t.Constant("L", (n,)):
            return (size_triangle(of_size(n)), times(of_size(n), of_size(n)))
        case t.Transpose(of) | t.Apply("pinv", of):
            return flipped(dims(of))
        case t.Product(factors):
            shapes = [shape for shape in map(dims, factors) if shape != SCALAR]
            return (shapes[0][0], shapes[-1][1]) if shapes else SCALAR
        case t.Infix("⊗", left, right):
            (m, n), (p, q) = dims(left), dims(right)
            return (times(m, p), times(n, q))
        case t.Infix("⊕", left, right):
            (m, n), (p, q) = dims(left), dims(right)
            return (size_sum(m, p), size_sum(n, q))
        case t.Infix("×"):
            return (3, UNIT)
        case t.Infix("·"):
            return SCALAR
        case t.Infix(_, left, _):
            return dims(left)
        case t.Apply(function) if function in TO_SCALARS:
            return SCALAR
        case t.Apply("vec", of):
            return (times(*dims(of)), UNIT)
        case t.Entry(of, (_,)) if UNIT not in dims(of):  # a column of it
            return (dims(of)[0], UNIT)
        case t.Apply("diag", of):
            n, columns = dims(of)
            return (n, n) if columns == UNIT else (n, UNIT)
        case t.Apply(_, of):
            return dims(of)
        case _:
            return SCALAR


def counted(tree: t.Sigma, dims: Callable[[Formula], Dims]) -> Size | None:
    """How many entries the index of an open sum counts, or columns; None where it counts none."""
    index = t.Name(tree.index)
    for node in t.nodes(tree.body):
        match node:
            case t.Entry(of, (_, _) as places) if index in places:
                return dims(of)[places.index(index)]
            case t.Entry(of, places) if index in places:
                rows, columns = dims(of)
                return rows if columns == UNIT else columns
            case _:
                pass
    return None


def with_sizes(of: Typed) -> Formula:
    """A typed formula whose constants carry their sizes, and whose products are those that are multiplied."""
    node, parts, dims = of.node, of.parts, of.dims
    match node:
        case t.Number(0) if not of.is_scalar:
            return t.Constant("0", (sized(dims[0]), sized(dims[1])))
        case t.Constant("I"):
            return identity(dims[0])
        case t.Constant("1"):
            return ones((dims[0], dims[1]))
        case t.Constant("e", (i, *_)):
            row, column = dims
            unit = t.Constant("e", (i, sized(row if column == UNIT else column)))
            return unit if column == UNIT else t.Transpose(unit)
        case t.Constant("E", (i, j, *_)):
            return t.Constant("E", (i, j, sized(dims[0]), sized(dims[1])))
        case t.Sum() if not of.is_scalar:  # a number stands at every entry
            whole = (dims[0], dims[1])
            made = [with_sizes(part) for part in parts]
            return t.Sum(tuple(_spread(m, whole) if p.is_scalar else m for m, p in zip(made, parts, strict=True)))
        case t.Product():  # typed from left to right, two factors at a time
            first, *rest = (with_sizes(part) for part in parts)
            before = first.factors if isinstance(first, t.Product) and not parts[0].is_scalar else (first,)
            return t.product_of([*before, *rest])
        case t.Entry(_, indices):
            return t.Entry(with_sizes(parts[0]), indices)
        case t.Power(_, exponent):
            return t.Power(with_sizes(parts[0]), with_sizes(parts[1]) if len(parts) == 2 else exponent)
        case t.Sigma(index, start, stop, _):
            return t.Sigma(index, start, stop, with_sizes(parts[0]))
        case t.Apply("!"):
            return node
        case _ if parts:
            return t.with_children(node, [with_sizes(part) for part in parts])
        case _:
            return node


def _spread(number: Formula, whole: Dims) -> Formula:
    if isinstance(number, t.Neg):
        return t.Neg(_spread(number.of, whole))
    return ones(whole) if number == t.Number(1) else t.product_of([number, ones(whole)])
