"""The one place that simplifies: formulas in normal form, and back.

A formula is a sum of terms, a term a coefficient, scalars with exponents and a word of matrix factors (see `terms`).
Sums stay closed inside a word, unless a differential is in them: this alone keeps 2 (X a - b) aᵀ as people write it.
What operations do stands in tables that the other modules fill: `normal_form` of a kind of formula, `meeting` of two
neighbours in a word, `closing` of a row times a column.
"""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from matcalc.calculus.terms import (
    HALF,
    ONE,
    ZERO,
    Dims,
    Exponent,
    Factor,
    NotDerivable,
    Poly,
    Scalar,
    Term,
    is_constant,
    length,
    product,
    quotient,
)
from matcalc.calculus.words import Words, as_tree
from matcalc.formula import Formula
from matcalc.formula import tree as t

NORMAL_FORMS: dict[Any, Callable[..., Poly]] = {}  # by the class of a node, or by the name of a function
SYMMETRIC: list[Callable[["Algebra", Formula], bool]] = []


def normal_form(*of: Any) -> Callable[[Callable[..., Poly]], Callable[..., Poly]]:
    """Declares the normal form of a class of formulas, or of functions by name."""

    def declare(rule: Callable[..., Poly]) -> Callable[..., Poly]:
        NORMAL_FORMS.update(dict.fromkeys(of, rule))
        return rule

    return declare


def symmetric(rule: Callable[["Algebra", Formula], bool]) -> Callable[["Algebra", Formula], bool]:
    """Declares of which formulas symmetry is seen."""
    SYMMETRIC.append(rule)
    return rule


class Algebra(Words):
    """The rules of simplification for variables of given shapes, of which facts are known."""

    def __init__(self, names: Mapping[str, Dims], facts: Mapping[Formula, frozenset[str]], moving: str = "") -> None:
        """`facts` are of variables and of formulas; `moving` is the key of the differential ∂X."""
        super().__init__(names, moving)
        self.facts = facts
        self.compared = 0  # nodes of terms in which common factors were looked for
        self.roots: dict[Formula, Term] = {}  # the products of scalars under a root
        self._places: dict[Formula, tuple[int, str]] = {}  # of scalars among others
        self._polys: dict[Formula, Poly] = {}
        self._asking: set[tuple[Formula, str]] = set()
        self._told: dict[tuple[Formula, str], bool] = {}

    # --- Facts

    def is_(self, base: Formula, fact: str) -> bool:
        """Whether a formula is symmetric, invertible or orthogonal, by what is said of it or by its form."""
        asked = (base, fact)
        if fact in self.facts.get(base, ()) or asked in self._asking:
            return fact in self.facts.get(base, ())
        if is_constant(base, "I"):
            return fact != "orthogonal"  # it is, and I⁻¹ need not be thought of
        if asked in self._told and not self._asking:
            return self._told[asked]
        self._asking.add(asked)  # a fact about a formula may be asked while that formula is read
        try:
            known = [other for other, facts in self.facts.items() if fact in facts and not isinstance(other, t.Name)]
            found = any(self.dims(other) == self.dims(base) and self.poly(other) == self.poly(base) for other in known)
            if not found and fact == "symmetric" and self.is_square(base) and not isinstance(base, t.Name):
                found = any(rule(self, base) for rule in SYMMETRIC)
        finally:
            self._asking.discard(asked)
        if not self._asking:
            self._told[asked] = found
        return found

    def is_symmetric(self, tree: Formula) -> bool:
        """Whether a formula equals its transpose: it is decided by transposing and comparing."""
        poly = self.poly(tree)
        return self.is_square(tree) and set(self.transposed(poly)) == set(poly)

    # --- From trees to terms

    def poly(self, tree: Formula) -> Poly:
        """The normal form."""
        if tree not in self._polys:
            named = NORMAL_FORMS.get(tree.function) if isinstance(tree, t.Apply) else None
            rule = named or NORMAL_FORMS.get(type(tree), Algebra.atom)
            poly = rule(self, tree)
            if any(map(is_lone_sum, poly)):
                poly = self.collect(
                    out for term in poly for out in (inside(self, term) if is_lone_sum(term) else (term,))
                )
            self._polys[tree] = poly
        return self._polys[tree]

    def atom(self, tree: Formula) -> Poly:
        """A formula that nothing is known of."""
        if self.is_scalar(tree):
            return (Term(ONE, ((tree, ONE),)),)
        return (Term(ONE, (), self.reduced([Factor(tree)])[0]),)

    def simplify(self, tree: Formula) -> Formula:
        return self.tree(self.poly(tree))

    def collect(self, terms: Iterable[Term]) -> Poly:
        """Like terms added, in the order in which they first appear."""
        sums: dict[tuple[Any, Any], Fraction] = {}
        for coef, scalars, word in terms:
            sums[scalars, word] = sums.get((scalars, word), ZERO) + coef
        return tuple(Term(coef, *rest) for rest, coef in sums.items() if coef)

    def scale(self, poly: Poly, by: Term) -> Poly:
        """A number times a sum; the number is a term without a word."""
        return tuple(Term(term.coef * by.coef, self.merged((*term.scalars, *by.scalars)), term.word) for term in poly)

    def opened(self, poly: Poly) -> Poly:
        """The terms to multiply by: a sum is one closed factor, unless a differential is in it."""
        return (self.closed(poly),) if len(poly) > 1 and not any(map(self.term_moves, poly)) else poly

    def term_moves(self, term: Term) -> bool:
        return any(self.moving(base) for base, _ in term.scalars) or any(self.moving(f.base) for f in term.word)

    def times(self, left: Poly, right: Poly) -> Poly:
        """The product of two sums."""
        pairs = ((one, other) for one in self.opened(left) for other in self.opened(right))
        return self.collect(term for one, other in pairs for term in self.multiply(one, other))

    def multiply(self, one: Term, other: Term) -> Poly:
        return self.term(one.coef * other.coef, (*one.scalars, *other.scalars), (*one.word, *other.word))

    def linear(self, of: Formula, rule: Callable[[tuple[Factor, ...]], Poly]) -> Poly:
        """A linear operation, term by term."""
        terms = (each for term in self.poly(of) for each in inside(self, term))
        return self.collect(out for term in terms for out in self.scale(rule(term.word), term._replace(word=())))

    def term(self, coef: Fraction, scalars: Iterable[Scalar], factors: Iterable[Factor]) -> Poly:
        """A term from loose parts: neighbours meet, rows times columns leave as scalars, exponents are added."""
        word, closed = self.reduced(list(factors))
        made: Poly = (Term(coef, self.merged(scalars), word),)
        for inner in closed:
            made = tuple(each for a in made for b in self.closing(inner) for each in self.scale((a,), b))
        return tuple(self._with_inverse(term) for term in made if term.coef)

    def _with_inverse(self, term: Term) -> Term:
        """adj(U)/|U| is U⁻¹."""
        for i, factor in enumerate(term.word):
            match factor:
                case Factor(t.Apply("adj", u), power) if power == 1:
                    (det,) = self.poly(t.Apply("det", u))
                    base = det.scalars[0][0] if det.scalars else t.Number(1)
                    found = dict(term.scalars).get(base, ZERO)
                    if isinstance(found, Fraction) and found < 0:
                        inv = self.poly(t.Apply("inv", u))
                        inv = self.transposed(inv) if factor.turned else inv
                        scalars = (*term.scalars, (base, ONE), *inv[0].scalars)
                        word = (*term.word[:i], *inv[0].word, *term.word[i + 1 :])
                        return self.term(term.coef * inv[0].coef, scalars, word)[0]
                case _:
                    pass
        return term

    # --- Exponents, and scalars with exponents

    def exponent(self, tree: Formula) -> Exponent:
        """A formula as an exponent: a number if it is one."""
        match self.poly(tree):
            case ():
                return ZERO
            case (Term(coef, (), ()),):
                return coef
            case poly:
                return self.tree(poly)

    def plus(self, one: Exponent, other: Exponent) -> Exponent:
        if isinstance(one, Fraction) and isinstance(other, Fraction):
            return one + other
        return self.exponent(t.Sum((as_tree(one), as_tree(other))))

    def scaled(self, power: Exponent, by: Exponent) -> Exponent:
        if isinstance(power, Fraction) and isinstance(by, Fraction):
            return power * by
        return self.exponent(product(as_tree(power), as_tree(by)))

    def powers(self, scalars: Iterable[Scalar], by: Exponent) -> tuple[Scalar, ...]:
        """Π sᵖ to a power."""
        return tuple((base, self.scaled(power, by)) for base, power in scalars)

    def merged(self, scalars: Iterable[Scalar]) -> tuple[Scalar, ...]:
        """Exponents of like bases added, in an order of their own; |s|² is s², and √(ab)² is a b."""
        sums: dict[Formula, Exponent] = {}
        left = list(scalars)
        while left:
            base, power = left.pop(0)
            power = self.plus(sums.pop(base), power) if base in sums else power
            inner: tuple[Scalar, ...] = ()
            if isinstance(power, Fraction) and power and power.denominator == 1:
                match base:
                    case t.Apply("abs" | "det", s) if power % 2 == 0 and self.is_scalar(s):
                        inner = self.poly(s)[0].scalars if len(self.poly(s)) == 1 else ((s, ONE),)
                    case _ if base in self.roots:
                        inner = self.roots[base].scalars
                    case _:
                        pass
            if inner:
                left = [*self.powers(inner, power), *left]
            elif power != 0:
                sums[base] = power
        for base in sums:
            if base not in self._places:
                self._places[base] = (length(base), str(base))

        def place(scalar: Scalar) -> tuple[int, str]:
            count, text = self._places[scalar[0]]
            return (count + 9 * isinstance(scalar[1], Formula), text)

        return tuple(sorted(sums.items(), key=place))

    # --- Sums as factors

    def closed(self, poly: Poly) -> Term:
        """Several terms as one factor: what is common outside, the rest as it was first spelled, up to sign and T."""
        sign = -1 if poly[0].coef < 0 else 1
        below = {term.coef.denominator for term in poly}
        coef = sign * Fraction(1, below.pop() if len(below) == 1 else 1)
        common = self._common(poly)
        outside = self.powers(common, -ONE)
        rest = tuple(Term(term.coef / coef, self.merged((*term.scalars, *outside)), term.word) for term in poly)
        if len(rest) == 1:
            return Term(coef * rest[0].coef, self.merged((*common, *rest[0].scalars)), rest[0].word)
        is_scalar = not any(term.word for term in rest)
        turned = rest if is_scalar else self.transposed(rest)
        ways = [(rest, 1, False), (negated(rest), -1, False), (turned, 1, True), (negated(turned), -1, True)]
        found = [way for way in ways if ("sum", frozenset(way[0])) in self.spelled]
        way, factor, is_turned = found[0] if found else ways[2 if transposes(turned) < transposes(rest) else 0]
        base = self.spelled.setdefault(("sum", frozenset(way)), self.tree(way))
        self._polys.setdefault(base, way)
        if is_scalar:
            return Term(coef * factor, self.merged((*common, (base, ONE))))
        return Term(coef * factor, self.merged(common), (self.oriented(Factor(base, ONE, is_turned)),))

    def _common(self, poly: Poly) -> tuple[Scalar, ...]:
        """The scalars of every term; of sums of scalars also the variables that some are divided by."""
        common = [s for s in poly[0].scalars if all(s in term.scalars for term in poly)]
        if any(term.word for term in poly):
            return tuple(common)
        least: dict[Formula, Exponent] = {}  # 1 + q/a = (a + q)/a
        for base, power in (scalar for term in poly for scalar in term.scalars if scalar not in common):
            is_variable = isinstance(base, t.Name) and base.name in self.names and base.name not in self.sizes
            if is_variable and isinstance(power, Fraction) and power < 0:
                least[base] = min(power, *(p for b, p in least.items() if b == base and isinstance(p, Fraction)), power)
        return (*common, *least.items())

    def reciprocal(self, tree: Formula) -> Poly:
        """1/s."""
        poly = self.poly(tree)
        if not poly:
            raise NotDerivable("it divides by 0")
        term = as_one(self, poly)
        return (Term(1 / term.coef, self.powers(term.scalars, -ONE)),)

    # --- Back to trees

    def term_tree(self, term: Term) -> Formula:
        """The coefficient and the scalars in front, what is divided by behind."""
        coef = abs(term.coef)
        above: list[Formula] = [] if coef.numerator == 1 else [t.Number(coef.numerator)]
        below: list[Formula] = [] if coef.denominator == 1 else [t.Number(coef.denominator)]
        for base, power in term.scalars:
            is_below = isinstance(power, Fraction) and power < 0
            shown = -power if isinstance(power, Fraction) and power < 0 else power
            tree = base if shown == 1 else t.Power(base, as_tree(shown))
            (below if is_below else above).append(t.Apply("sqrt", base) if shown == HALF else tree)
        above += [self.factor_tree(factor) for factor in term.word]
        tree = t.product_of(above)
        if below:
            tree = quotient(tree, t.product_of(below))
        return t.Neg(tree) if term.coef < 0 else tree

    def tree(self, poly: Poly) -> Formula:
        """The sum of the terms as a formula."""
        return t.sum_of([self.term_tree(term) for term in poly])


def is_lone_sum(term: Term) -> bool:
    """Whether a term is a sum, up to its sign: alone, it is no factor."""
    match term:
        case Term(coef, (), (Factor(t.Sum(), power),)) | Term(coef, ((t.Sum(), power),), ()):
            return power == 1 and abs(coef) == 1
        case _:
            return False


def inside(a: Algebra, term: Term) -> Poly:
    """The terms of one whose word, or all of it, is a sum."""
    match term:
        case Term(_, _, (Factor(t.Sum() as base, power, turned),)) if power == 1:
            inner = a.transposed(a.poly(base)) if turned else a.poly(base)
            return a.scale(inner, term._replace(word=()))
        case Term(coef, ((t.Sum() as base, power),), ()) if power == 1:
            return a.scale(a.poly(base), Term(coef))
        case _:
            return (term,)


def as_one(a: Algebra, poly: Poly) -> Term:
    """A sum as one term: several terms are one factor."""
    return poly[0] if len(poly) == 1 else a.closed(poly)


def negated(poly: Poly) -> Poly:
    return tuple(term._replace(coef=-term.coef) for term in poly)


def transposes(poly: Poly) -> int:
    """How many factors are transposed."""
    return sum(factor.turned for term in poly for factor in term.word)
