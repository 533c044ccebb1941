"""Two shapes are made the same by finding their unknown sizes."""

from matcalc.formula.sizes import (
    LETTERS,
    UNIT,
    AnyShape,
    Dim,
    Shape,
    Unknown,
    known,
    known_shape,
    size_product,
    size_quotient,
    size_sum,
    size_triangle,
    triangle_side,
)


class Mismatch(Exception):
    """Two sizes that should be equal are not."""


def unify(left: Shape, right: Shape) -> None:
    """Make two shapes the same; a plain 0 takes the other's."""
    left, right = known_shape(left), known_shape(right)
    if isinstance(left, AnyShape):
        if left is not right:
            left.found = right if not isinstance(right, AnyShape) else right.found or (Unknown(), Unknown())
            if isinstance(right, AnyShape):
                right.found = left.found
    elif isinstance(right, AnyShape):
        right.found = left
    elif len(left) != len(right):
        raise Mismatch
    else:
        for one, other in zip(left, right, strict=True):
            same_size(one, other)


def same_size(left: Dim, right: Dim) -> None:
    """Make two sizes the same."""
    left, right = known(left), known(right)
    if isinstance(right, Unknown) and not (isinstance(left, Unknown) and _yields(left, right)):
        left, right = right, left
    if isinstance(left, Unknown):
        if left.letter and right == UNIT:
            raise Mismatch
        left.found = None if left is right else right
    elif left != right and not {left, right} <= {1, UNIT}:
        raise Mismatch


def _yields(one: Unknown, other: Unknown) -> bool:
    """Whether of two unknown sizes it is the first that takes the name of the other."""
    return not one.letter or (bool(other.letter) and LETTERS.find(one.letter) > LETTERS.find(other.letter))


class SizeProducts:
    """The products of sizes, of Kronecker products and vec, that could not be computed when they were met."""

    def __init__(self) -> None:
        self.open: list[tuple[Dim, Dim, Dim]] = []  # a, b, c with a b = c
        self.sums: list[tuple[Dim, Dim, Unknown]] = []  # a, b, c with a + b = c
        self.triangles: list[tuple[Dim, Dim, Unknown]] = []  # a, a, c with a (a + 1)/2 = c

    def product(self, left: Dim, right: Dim) -> Dim:
        """The product of two sizes."""
        left, right = known(left), known(right)
        if left in (1, UNIT) or right in (1, UNIT):
            return right if left == UNIT or (left == 1 and right != UNIT) else left
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            product = Unknown()
            self.open.append((left, right, product))
            return product
        return size_product(left, right)

    def sum(self, left: Dim, right: Dim) -> Dim:
        """The sum of two sizes, of blocks side by side."""
        left, right = known(left), known(right)
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            total = Unknown()
            self.sums.append((left, right, total))
            return total
        return size_sum(left, right)

    def triangle(self, side: Dim) -> Dim:
        """The number of entries on and below the diagonal of a square matrix."""
        side = known(side)
        if isinstance(side, Unknown):
            whole = Unknown()
            self.triangles.append((side, side, whole))
            return whole
        return size_triangle(side)

    def solve(self) -> None:
        """Find the third size of a b = c where two are found, and what a triangle tells. Mismatch where none is."""
        for left, right, total in self.sums:
            one, other = known(left), known(right)
            if not (isinstance(one, Unknown) or isinstance(other, Unknown)):
                same_size(size_sum(one, other), total)
        progress = True
        while progress:
            progress = self._solve_triangles()
            for sizes in list(self.open):
                left, right, product = map(known, sizes)
                match left, right, product:
                    case (Unknown() as unknown, int() | str() as factor, int() | str() as whole) | (
                        (int() | str()) as factor,
                        Unknown() as unknown,
                        (int() | str()) as whole,
                    ):
                        unknown.found = size_quotient(whole, factor)
                        if unknown.found is None:
                            raise Mismatch(f"{factor} does not divide {whole}")
                    case (int() | str(), int() | str(), _):
                        same_size(size_product(left, right), product)
                    case _:
                        continue
                self.open.remove(sizes)
                progress = True

    def _solve_triangles(self) -> bool:
        """Whether there was one of which something could be found."""
        waiting: list[tuple[Dim, Dim, Unknown]] = []
        for each in self.triangles:
            match known(each[0]), known(each[2]):
                case Unknown(), Unknown():
                    waiting.append(each)
                case Unknown() as unknown, int() | str() as whole:
                    unknown.found = triangle_side(whole)
                    if unknown.found is None:
                        raise Mismatch(f"{whole} is n(n+1)/2, the length of vech of an n×n matrix, for no n")
                case side, whole:
                    assert not isinstance(side, Unknown)
                    same_size(size_triangle(side), whole)
        progress = len(waiting) < len(self.triangles)
        self.triangles = waiting
        return progress

    def match_factors(self) -> None:
        """Of two products that are the same, and not known, each factor is the same: of a square A ⊗ X both are.

        So it is of sums: of a square matrix of blocks each block is square. Of equal triangles the sides are equal.
        """
        for composed in 2 * (self.open, self.sums, self.triangles):  # twice, as one may stand in another
            seen: dict[Dim, tuple[Dim, Dim]] = {}
            for left, right, product in composed:
                whole = known(product)
                if whole in seen:
                    for one, other in zip(seen[whole], (left, right), strict=True):
                        same_size(one, other)
                else:
                    seen[whole] = (left, right)
