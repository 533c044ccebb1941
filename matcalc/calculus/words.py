"""Words: products of matrix factors, of which neighbours meet, and rows times columns leave as scalars.

`meeting` declares what two neighbours make, `closing` what scalar a row times a column is.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from matcalc.calculus.shapes import Shapes
from matcalc.calculus.terms import (
    ONE,
    UNIT,
    Dims,
    Exponent,
    Factor,
    Poly,
    Term,
    identity,
    is_constant,
    length,
    number,
    product,
)
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.words import MATRIX_FUNCTIONS

MEETINGS: list[Callable[[Any, Factor, Factor], list[Factor] | None]] = []
CLOSINGS: list[Callable[[Any, tuple[Factor, ...]], Poly | None]] = []


def meeting(rule: Callable[[Any, Factor, Factor], list[Factor] | None]) -> None:
    """Declares what two neighbours make."""
    MEETINGS.append(rule)


def closing(rule: Callable[[Any, tuple[Factor, ...]], Poly | None]) -> None:
    """Declares what scalar a row times a column is."""
    CLOSINGS.append(rule)


class Words(Shapes):
    """The rules of words; what is in the factors is simplified by the `Algebra`, which they belong to."""

    def __init__(self, names: Mapping[str, Dims], moving: str) -> None:
        super().__init__(names, moving)
        self._series: dict[Formula, str | None] = {}
        self.spelled: dict[Any, Formula] = {}  # what was met first, by a key that does not depend on its spelling

    def poly(self, tree: Formula) -> Poly:
        """The normal form."""
        raise NotImplementedError

    def simplify(self, tree: Formula) -> Formula:
        """The formula by its normal form."""
        raise NotImplementedError

    def collect(self, terms: Any) -> Poly:
        """Like terms added."""
        raise NotImplementedError

    def plus(self, one: Exponent, other: Exponent) -> Exponent:
        """The sum of exponents."""
        raise NotImplementedError

    def is_(self, base: Formula, fact: str) -> bool:
        """Whether a fact is known of a formula."""
        raise NotImplementedError

    def reduced(self, factors: list[Factor]) -> tuple[tuple[Factor, ...], list[tuple[Factor, ...]]]:
        """The word that factors make, and the rows times columns that were in it."""
        word: list[Factor] = []
        closed: list[tuple[Factor, ...]] = []
        left = [self.oriented(factor) for factor in factors]
        eye: list[Factor] = []
        while left:
            factor = left.pop(0)
            if is_constant(factor.base, "I"):
                eye = [factor]
                continue
            if word and self.is_behind(word[-1], factor):
                left = [factor, word.pop(), *left]
                continue
            met = self.meet(word[-1], factor) if word else None
            if met is not None:
                del word[-1]
                left = met + left
                continue
            word.append(factor)
            if len(word) > 2 and (kept := self._absorbed(*word[-3:])):
                word[-3:] = []
                left = [*kept, *left]
                continue
            if self.factor_dims(factor)[1] == UNIT:
                start = next((i for i in reversed(range(len(word))) if self.factor_dims(word[i])[0] == UNIT), None)
                if start is not None:
                    closed.append(tuple(word[start:]))
                    del word[start:]
        return self._without_diagonals(word or ([] if closed else eye)), closed

    def is_behind(self, one: Factor, other: Factor) -> bool:
        """Whether neighbours commute, as functions of one matrix do, and stand in the other order than of old."""
        series = self.series(one.base)
        commutes = bool(series) and one.turned == other.turned and self.series(other.base) == series
        return commutes and (length(one.base), str(one.base)) > (length(other.base), str(other.base))

    def series(self, tree: Formula) -> str | None:
        """The matrix of which a formula is a power series by its form; "" of none, None where it is no such series."""
        if tree not in self._series:
            self._series[tree] = self._series_of(tree)
        return self._series[tree]

    def _series_of(self, tree: Formula) -> str | None:
        if self.is_scalar(tree) or is_constant(tree, "I"):
            return ""
        match tree:
            case t.Name(name):
                return name if self.is_square(tree) else None
            case t.Sum(parts) | t.Product(parts):
                found = {name for name in map(self.series, parts) if name != ""}
                return found.pop() if len(found) == 1 else None if found else ""
            case t.Neg(of) | t.Power(of) | t.Infix("/", of):
                return self.series(of)
            case t.Apply(function, of) if function in ("inv", "adj", *MATRIX_FUNCTIONS):
                return self.series(of)
            case _:
                return None

    def meet(self, one: Factor, other: Factor) -> list[Factor] | None:
        """What two neighbours make together, if anything."""
        rows, columns = self.dims(one.base)
        if one.base == other.base and one.turned == other.turned and rows == columns != UNIT:
            power = self.plus(one.power, other.power)
            return [Factor(identity(rows))] if power == 0 else [self.oriented(Factor(one.base, power, one.turned))]
        for rule in MEETINGS:
            if (made := rule(self, one, other)) is not None:
                return made
        return None

    def _absorbed(self, f: Factor, g: Factor, h: Factor) -> list[Factor] | None:
        """X X⁺ X = X, and X⁺ X Xᵀ = Xᵀ."""
        turned = self.turned(g)
        if self.are_pinv(f, g) and h in (f, turned):
            return [h]
        if self.are_pinv(g, h) and f in (h, turned):
            return [f]
        return None

    def are_pinv(self, one: Factor, other: Factor) -> bool:
        """Whether one is the pseudoinverse of the other."""
        for a, b in ((one, other), (other, one)):
            match a:
                case Factor(t.Apply("pinv", u), power, turned) if power == 1:
                    if self.poly(t.Transpose(u) if turned else u) == (Term(ONE, (), (b,)),):
                        return True
                case _:
                    pass
        return False

    def _without_diagonals(self, word: list[Factor]) -> tuple[Factor, ...]:
        """diag(a) B c is a ⊙ (B c)."""
        for _ in range(2):
            for i in reversed(range(len(word) - 1)):
                match word[i]:
                    case Factor(t.Apply("diag", v), power) if self.dims(v)[1] == UNIT and power in (1, -1):
                        end = next((j for j in range(i + 1, len(word)) if self.factor_dims(word[j])[1] == UNIT), None)
                        if end is not None:
                            inner = self.word_tree(word[i + 1 : end + 1])
                            by = t.Infix("⊙", v, inner) if power == 1 else t.Infix("⊘", inner, v)
                            if (made := self.factors(by)) is not None:
                                word = [*word[:i], *made, *word[end + 1 :]]
                    case _:
                        pass
            word = list(self.turned_word(word))
        return tuple(word)

    def closing(self, word: tuple[Factor, ...]) -> Poly:
        """A row times a column as a scalar, spelled as it was first."""
        for rule in CLOSINGS:
            if (made := rule(self, word)) is not None:
                return made
        return self.named_scalar(frozenset((word, self.turned_word(word))), (word, self.turned_word(word)), product)

    def named_scalar(self, key: Any, ways: Sequence[tuple[Factor, ...]], made_of: Callable[[Formula], Formula]) -> Poly:
        """A scalar that can be written in several ways, as it was first, with the fewest transposes."""
        if key not in self.spelled:
            self.spelled[key] = made_of(self.word_tree(min(ways, key=lambda w: sum(f.turned for f in w))))
        return (Term(ONE, ((self.spelled[key], ONE),)),)

    def factors(self, tree: Formula) -> list[Factor] | None:
        """The factors of a formula that is a mere word."""
        match self.poly(tree):
            case (Term(coef, (), word),) if coef == 1:
                return list(word)
            case _:
                return None

    # --- Transposition

    def oriented(self, factor: Factor) -> Factor:
        """A factor with its transpose moved inside, or away where it is symmetric."""
        base, power, turned = factor
        if not turned:
            return factor
        if self.is_(base, "orthogonal") and isinstance(power, Fraction):
            return Factor(base, -power)
        match base:
            case t.Infix("⊗" | "⊕" as op, left, right):
                return Factor(t.Infix(op, *(self.simplify(t.Transpose(part)) for part in (left, right))), power)
            case t.Sigma(index, start, stop, body) if power == 1:
                return Factor(t.Sigma(index, start, stop, self.simplify(t.Transpose(body))))
            case t.Constant("E" | "K"):
                return Factor(turned_constant(base), power)
            case _:
                return Factor(base, power, not self.is_(base, "symmetric"))

    def turned(self, factor: Factor) -> Factor:
        return self.oriented(factor._replace(turned=not factor.turned))

    def turned_word(self, word: Sequence[Factor]) -> tuple[Factor, ...]:
        return tuple(self.turned(factor) for factor in reversed(word))

    def transposed(self, poly: Poly) -> Poly:
        return self.collect(term._replace(word=self.reduced(list(self.turned_word(term.word)))[0]) for term in poly)

    # --- Back to trees

    def factor_tree(self, factor: Factor) -> Formula:
        base, power, turned = factor
        if power == -1:
            tree: Formula = t.Transpose(base) if self.is_(base, "orthogonal") else t.Apply("inv", base)
        else:
            tree = base if power == 1 else t.Power(base, as_tree(power))
        return t.Transpose(tree) if turned else tree

    def word_tree(self, word: Sequence[Factor]) -> Formula:
        return t.product_of([self.factor_tree(factor) for factor in word])


def as_tree(power: Exponent) -> Formula:
    """An exponent as a formula."""
    return number(power) if isinstance(power, Fraction) else power


def turned_constant(constant: t.Constant) -> Formula:
    """E_ijᵀ = E_ji, with the sizes exchanged too; K_mnᵀ = K_nm."""
    match constant.indices:
        case (i, j, m, n):
            return t.Constant("E", (j, i, n, m))
        case (m, n):
            return t.Constant(constant.symbol, (n, m))
        case _:
            return t.Transpose(constant)
