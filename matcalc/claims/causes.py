"""Why a derivative that was typed is wrong, in the terms of its formula: edits of it, each tested numerically."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np

from matcalc.claims.check import SAME, Array, AskedLayout, Problem, same
from matcalc.domains import named
from matcalc.formula import Formula, FormulaError, parse, terms
from matcalc.formula import tree as t
from matcalc.formula.printing import Style, show
from matcalc.formula.tokens import MATRIX_FUNCTIONS
from matcalc.layout import LAYOUTS, Layout, from_layout, layout_shape
from matcalc.referee.causes.points import SPECIAL
from matcalc.referee.report import Cause

EDITS = 400  # at most, of a term
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
MEANT = {"sin": "cos", "cos": "sin", "exp": "ln", "ln": "exp", "inv": "pinv", "adj": "inv", "det": "tr", "tr": "det"}


def explain(
    asked: Problem, claim: Formula, layout: Layout, wanted: AskedLayout, style: Style, seed: int
) -> Cause | None:
    """The most specific cause that makes the claim right at random points; None where there is none, or it is."""
    search = _Search(asked, claim, layout, style, seed)
    if search.is_right(_sum(search.values)):
        return None
    hypotheses = (
        search.other_layout(wanted),
        search.factor(),
        search.symmetric_convention(),
        search.coefficients(),
        search.other_variable(),
        search.one_term(),
        search.special(),
        search.missing_term(),
        search.missing_and_wrong(),
    )
    return next((cause for hypothesis in hypotheses for cause in hypothesis), None)


class _Search:
    def __init__(self, asked: Problem, claim: Formula, layout: Layout, style: Style, seed: int) -> None:
        self.asked, self.claim = asked, claim
        self.layout: Layout = layout
        self.style: Style = style
        self.points = [(asked, asked.draw(seed + 1)), _with_other_numbers(asked, seed + 2)]
        self.truth = _joined([each.truth(values) for each, values in self.points])
        self.terms = terms(claim)
        self.values = [self.value(term) for term in self.terms]

    def value(self, tree: Formula, layout: Layout | None = None) -> Array | None:
        """A formula at all points, in JAX's layout; None where it does not fit, or is infinite."""
        try:
            value = _joined([asked.in_jax_layout(tree, values, layout or self.layout) for asked, values in self.points])
        except ValueError:
            return None
        return value if np.all(np.isfinite(value)) else None

    def is_right(self, value: Array | None) -> bool:
        return value is not None and same(value, self.truth)

    def text(self, tree: Formula) -> str:
        return show(tree, self.style)

    def term(self, place: int) -> str:
        """The claim's only term, or which of several."""
        if len(self.terms) == 1:
            return "it"
        return f"the {ORDINALS[place] if place < len(ORDINALS) else f'{place + 1}th'} term"

    # Hypotheses ------------------------------------------------------------------------------------------------------

    def other_layout(self, wanted: AskedLayout) -> Iterator[Cause]:
        for layout in LAYOUTS:
            if layout != self.layout and self.is_right(self.value(self.claim, layout)):
                asked = f"you asked for {self.layout}" if wanted != "either" else f"it has the shape of {self.layout}"
                yield Cause("layout", f"True in {layout} layout; {asked}.", "Transpose it.")
        turned = t.transpose(self.claim, self.scalars)
        if self.is_right(self.value(turned)):
            yield Cause("layout", f"It is transposed: {self.text(turned)} is right in {self.layout} layout.")

    @property
    def scalars(self) -> frozenset[str]:
        return frozenset(name for name, shape in self.asked.symbols.items() if not shape)

    def factor(self) -> Iterator[Cause]:
        """The claim is a multiple of the truth."""
        total = _sum(self.values)
        if total is None or not np.any(total):
            return
        c = float(np.vdot(total, self.truth) / np.vdot(total, total))
        if c and same(c * total, self.truth):
            if same(-total, self.truth):
                yield Cause("sign", "The sign is wrong.", f"It is {self.text(_negated(self.claim))}.")
            else:
                yield Cause("factor", f"A factor {_number(c)} is missing: the derivative is {_number(c)} times that.")

    def symmetric_convention(self) -> Iterator[Cause]:
        """What people write for symmetric matrices, whose entries are no independent variables."""
        wrt = self.asked.wrt
        shape = self.asked.numbers(self.asked.shapes[wrt])
        if self.asked.numbers(self.asked.value_shape) or len(shape) != 2 or shape[0] != shape[1]:
            return
        asked = replace(self.asked, where={wrt: named("symmetric"), **self.asked.where})
        try:
            points = [asked.draw(seed) for seed in (1, 2)]
            claims = [asked.in_jax_layout(self.claim, values, self.layout) for values in points]
        except FormulaError:
            return
        gradients = [asked.truth(values) for values in points]

        def is_claimed(convention: Callable[[Array], Array]) -> bool:
            return all(same(D, convention(G)) for D, G in zip(claims, gradients, strict=True))

        if is_claimed(lambda G: G + G.T - np.diag(np.diag(G))):
            G = self.text(parse("G + G' - G ⊙ I"))
            text = f"It is {G} of the gradient G, the derivative by the independent entries of a symmetric {wrt}."
            yield Cause("symmetric convention", text, "Give G, for which every entry moves freely.")
        if is_claimed(lambda G: (G + G.T) / 2) and not is_claimed(lambda G: G):
            text = f"It is the symmetric part of the gradient, which is enough where {wrt} is symmetric."
            yield Cause("symmetric convention", text, f'Say so, {wrt}="symmetric", or give all of it.')

    def coefficients(self) -> Iterator[Cause]:
        """Terms with other coefficients."""
        if len(self.terms) < 2 or any(value is None for value in self.values):
            return
        columns = np.stack([np.ravel(value) for value in self.values if value is not None], 1)
        c, *_ = np.linalg.lstsq(columns, self.truth, rcond=None)
        if not same(columns @ c, self.truth):
            return
        wrong = [(place, float(each)) for place, each in enumerate(c) if abs(each - 1) > 1e-5]
        causes = [self.coefficient(place, each) for place, each in wrong]
        if causes:
            yield Cause(causes[0].name, " ".join(cause.text for cause in causes))

    def coefficient(self, place: int, due: float) -> Cause:
        """A term has another coefficient than what is due."""
        term = self.text(self.terms[place])
        if abs(due) < 1e-5:
            return Cause("term", f"{self.term(place).capitalize()}, {term}, does not belong there.")
        if abs(due + 1) < 1e-5:
            return Cause("sign", f"The sign of {self.term(place)}, {term}, is wrong.")
        return Cause("factor", f"{self.term(place).capitalize()}, {term}, lacks a factor {_number(due)}.")

    def one_term(self) -> Iterator[Cause]:
        """One term with a single edit in it."""
        for place, term in enumerate(self.terms):
            others = _sum([value for k, value in enumerate(self.values) if k != place])
            if others is None and len(self.terms) > 1:
                continue
            for edited in self.edits(term):
                value = self.value(edited)
                if value is not None and self.is_right(value if others is None else others + value):
                    yield Cause("term", self.should_be(place, edited))

    def edits(self, term: Formula) -> Iterator[Formula]:
        """Formulas that differ from a term in one place: a sign, a transpose, a factor, their order, a function."""
        seen = {term}
        for edited in itertools.islice(one_edit(term, list(self.asked.symbols)), EDITS):
            if edited not in seen:
                seen.add(edited)
                yield edited
        yield from (t.Product((t.Name(scalar), *_factors(term))) for scalar in sorted(self.scalars))

    def should_be(self, place: int, edited: Formula) -> str:
        old, new = self.terms[place], _simple(edited)
        signs = [isinstance(part, t.Neg) for part in (old, new)]
        if place and all(signs):
            old, new = (part.of for part in (old, new) if isinstance(part, t.Neg))
        return f"{self.term(place).capitalize()} should be {self.text(new)}, not {self.text(old)}."

    def missing_term(self) -> Iterator[Cause]:
        """One more term makes it right, with these or other coefficients: an edit of one, or a product of variables."""
        values = [value for value in self.values if value is not None]
        if len(values) < len(self.terms):
            return
        edits = (edited for term in self.terms for edited in (t.transpose(term, self.scalars), *self.edits(term)))
        for candidate in itertools.chain(edits, self.monomials()):
            value = self.value(candidate)
            if value is None or not np.any(value):
                continue
            columns = np.stack([*values, value], 1)
            c, *_ = np.linalg.lstsq(columns, self.truth, rcond=1e-9)
            if abs(c[-1]) > 1e-6 and same(columns @ c, self.truth) and all(map(_is_plain, c)):
                scaled = [_scaled(float(a), term) for a, term in zip(c, (*self.terms, candidate), strict=True)]
                missing = self.text(_simple(scaled[-1]))
                whole = t.sum_of(_simple(part) for part in scaled if part != t.Number(0))
                if np.allclose(c[:-1], 0, atol=1e-5):
                    yield Cause("term", f"It should be {self.text(whole)}.")
                elif np.allclose(c[:-1], 1, atol=1e-5):
                    yield Cause("missing term", f"A term is missing: {missing}.")
                else:
                    yield Cause("missing term", f"A term is missing, {missing}: it should be {self.text(whole)}.")
                return

    def monomials(self) -> Iterator[Formula]:
        """Products of up to three variables and their transposes."""
        names = [t.Name(name) for name in self.asked.shapes]
        matrices = [name for name in names if self.asked.shapes[name.name]]
        factors = [each for name in matrices for each in (name, t.Transpose(name))]
        for count in (1, 2, 3):
            for product in itertools.product(factors, repeat=count):
                yield t.product_of(product)
        yield t.Constant("I")

    def missing_and_wrong(self) -> Iterator[Cause]:
        """Two terms with a single edit each."""
        if len(self.terms) != 2:
            return
        ways = [[(edited, self.value(edited)) for edited in (term, *self.edits(term))] for term in self.terms]
        for one, first in ways[0]:
            for two, second in ways[1]:
                if first is not None and second is not None and self.is_right(first + second):
                    text = f"{self.should_be(0, one)} {self.should_be(1, two)}"
                    yield Cause("terms", text)
                    return

    def special(self) -> Iterator[Cause]:
        """It holds for special arguments only."""
        for kind in SPECIAL:
            for name, shape in self.asked.shapes.items():
                if len(shape) != 2 or shape[0] != shape[1] or name in self.asked.where:
                    continue
                asked = replace(self.asked, where={**self.asked.where, name: named(kind)})
                if self.holds(asked, 1) and self.holds(asked, 2):
                    yield Cause("condition", f"True only for {kind} {name}.", f'Say so, {name}="{kind}", or mend it.')

    def holds(self, asked: Problem, seed: int) -> bool:
        """Whether the claim is right, and not zero, at a random point of a problem."""
        try:
            values = asked.draw(seed)
            D = asked.in_jax_layout(self.claim, values, self.layout)
        except FormulaError:
            return False
        # In directions that leave the domain too.
        return bool(np.abs(D).max() > SAME and self.asked.confirms(D, values))

    def other_variable(self) -> Iterator[Cause]:
        """It is the derivative by another variable, with the shape that it has by itself."""
        try:
            claims = [np.asarray(asked.evaluate(self.claim, values)) for asked, values in self.points]
        except FormulaError:
            return
        for name in self.asked.shapes:
            for layout in LAYOUTS:
                if name != self.asked.wrt and all(
                    _is_derivative_by(name, claim, asked, values, layout)
                    for claim, (asked, values) in zip(claims, self.points, strict=True)
                ):
                    yield Cause("variable", f"That is the derivative by {name}, in {layout} layout.")


def _with_other_numbers(asked: Problem, seed: int) -> tuple[Problem, dict[str, Array]]:
    """A point of the problem with other sizes and integers, if there is one where it has a derivative."""
    other = asked.elsewhere
    try:
        values = other.draw(seed)
        return (other, values) if np.all(np.isfinite(other.slope(values))) else (asked, asked.draw(seed))
    except FormulaError:
        return asked, asked.draw(seed)


def _is_derivative_by(name: str, claim: Array, asked: Problem, values: dict[str, Array], layout: Layout) -> bool:
    asked = replace(asked, wrt=name)
    value, variable = asked.numbers(asked.value_shape), asked.numbers(asked.shapes[name])
    if layout_shape(value, variable, layout) != claim.shape:
        return False
    return bool(asked.confirms(from_layout(claim, value, variable, layout), values))


def _joined(parts: list[Array]) -> Array:
    return np.concatenate([np.ravel(part) for part in parts])


def _sum(values: list[Array | None]) -> Array | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(values) else None


def _negated(tree: Formula) -> Formula:
    match tree:
        case t.Neg(of):
            return of
        case t.Sum(parts):
            return t.Sum(tuple([_negated(part) for part in parts]))
        case _:
            return t.Neg(tree)


def _is_plain(c: float) -> bool:
    """Whether it is a coefficient that people write."""
    return abs(c * 12 - round(c * 12)) < 1e-4


def _scaled(c: float, term: Formula) -> Formula:
    """A term with another coefficient."""
    number = round(abs(c) * 12) / 12
    sign, inner = (-1, term.of) if isinstance(term, t.Neg) else (1, term)
    match inner:
        case t.Product((t.Number(given), *factors)):
            number, inner = number * given, t.product_of(factors)
        case _:
            pass
    if number == 0:
        return t.Number(0)
    whole = int(number) if number == int(number) else number
    scaled = inner if whole == 1 else t.Product((t.Number(whole), *(_factors(inner))))
    return t.Neg(scaled) if sign * c < 0 else scaled


def _factors(tree: Formula) -> tuple[Formula, ...]:
    return tree.factors if isinstance(tree, t.Product) else (tree,)


def _number(c: float) -> str:
    """A number as people write it."""
    fraction = Fraction(c).limit_denominator(12)
    return str(fraction) if abs(fraction - c) < 1e-5 * abs(c) else f"{c:.4g}"


def _simple(tree: Formula) -> Formula:
    """The formula with transposes pushed inwards and signs in front."""
    match tree:
        case t.Transpose(t.Product() | t.Neg() | t.Transpose() as of):
            return t.transpose(of)
        case t.Neg(t.Neg(of)):
            return of
        case _:
            return t.with_children(tree, [_simple(child) for child in t.children(tree)])


def one_edit(tree: Formula, names: list[str]) -> Iterator[Formula]:
    match tree:
        case t.Number(value):
            yield from (t.Number(other) for other in (1, 2, 3, value + 1, value - 1) if other > 0)
            return
        case t.Transpose(of):
            yield of
        case t.Neg(of):
            yield of
        case t.Name() | t.Sum() | t.Infix("⊗" | "⊙" | "⊘"):
            yield t.Transpose(tree)
            if isinstance(tree, t.Name):
                yield t.Apply("inv", tree)
                yield from (t.Name(other) for other in names if other != tree.name)
                yield t.Constant("I")
        case t.Apply(function, of):
            yield t.Transpose(tree)
            if isinstance(of, t.Apply):
                yield t.Apply(of.function, t.Apply(function, of.of))
            if function in MEANT:
                yield t.Apply(MEANT[function], of)
            if function in MATRIX_FUNCTIONS:
                yield t.Apply(f"{function}.", of)
            if function.endswith("."):
                yield t.Apply(function.removesuffix("."), of)
            if function in ("inv", "pinv"):
                yield of
        case t.Power(base, exponent):
            yield base
            for changed in (t.Sum((exponent, t.Number(1))), t.Sum((exponent, t.Neg(t.Number(1)))), t.Neg(exponent)):
                yield t.Power(base, changed)
            yield t.Transpose(tree)
        case _:
            pass
    match tree:
        case t.Product(factors):
            for place in range(len(factors)):
                yield t.product_of(factors[:place] + factors[place + 1 :])
            for i, j in itertools.pairwise(range(len(factors))):
                swapped = list(factors)
                swapped[i], swapped[j] = swapped[j], swapped[i]
                yield t.Product(tuple(swapped))
            yield t.Product(factors[::-1])
            for place in range(1, len(factors)):
                yield t.Infix("⊙", t.product_of(factors[:place]), t.product_of(factors[place:]))
            for one, other in itertools.combinations(
                sorted({n.name for n in t.nodes(tree) if isinstance(n, t.Name)}), 2
            ):
                yield t.rename(tree, {one: other, other: one})
            yield t.Transpose(tree)
            for factor in dict.fromkeys(factors):  # one that stands there is meant once more
                yield t.Product((factor, *factors))
                yield t.Product((*factors, factor))
        case t.Infix(op, left, right):
            yield t.Infix(op, right, left)
            yield left
            yield t.product_of((left, right))
        case t.Sum(parts):
            for place, part in enumerate(parts):
                yield t.Sum((*parts[:place], _negated(part), *parts[place + 1 :]))
                yield t.sum_of(parts[:place] + parts[place + 1 :])
        case _:
            pass
    below = t.children(tree)
    for place, child in enumerate(below):
        for edited in one_edit(child, names):
            yield t.with_children(tree, [*below[:place], edited, *below[place + 1 :]])
