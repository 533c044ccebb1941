"""Causes in the terms of the claim: their coefficients, a change in one of them, one that is missing."""

import itertools
from collections.abc import Iterator

import numpy as np

from matcalc.claims.causes.edits import factors_of, in_numbers, is_plain, scaled, simple
from matcalc.claims.causes.search import Mended, Search, sum_of_values
from matcalc.claims.problem import Array
from matcalc.claims.slopes import same
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.referee import Cause

ONE = 1e-5  # how far a coefficient may be off what it is
SMALL = 1e-12  # the square of what is off, relative
MONOMIAL = 3  # factors, at most, of the products of variables that are tried as a missing term


def coefficients(search: Search) -> Iterator[Cause]:
    """Terms with other coefficients."""
    if len(search.terms) < 2 or search.total is None:
        return
    columns = np.stack([np.ravel(value) for value in search.parts if value is not None], 1)
    c, *_ = np.linalg.lstsq(columns, search.truth, rcond=None)
    if not search.is_right(columns @ c):
        return
    wrong = [(place, float(each)) for place, each in enumerate(c) if abs(each - 1) > ONE]
    causes = [_coefficient(search, place, each) for place, each in wrong]
    if causes:
        parts = [scaled(float(each), term) for each, term in zip(c, search.terms, strict=True)]
        tree = t.sum_of(simple(part) for part in parts if part != t.Number(0))
        derivative = tree if all(map(is_plain, c)) else None
        yield Mended(causes[0].name, " ".join(cause.text for cause in causes), "", derivative)


def number(search: Search) -> Iterator[Cause]:
    """A factor is missing that is a number of the function or the claim: a letter, a determinant, a sum, a size.

    It is one of the whole claim, or of one of its terms.
    """
    if search.total is None:
        return
    places = range(len(search.terms)) if len(search.terms) > 1 else ()
    parts = [(search.claim, search.total, search.truth, None)]
    parts += [(search.terms[k], search.parts[k], search.truth - search.others(k), k) for k in places]
    for term, value, due, place in parts:
        if value is None or not np.any(due):
            continue
        for factor, values in search.numbers:
            product = search.times(values, value)
            c = float(np.vdot(product, due) / (np.vdot(product, product) or 1.0))
            if not c or not is_plain(c) or not same(c * product, due):
                continue
            new = simple(scaled(c, _times(factor, term)))
            of = "" if place is None else f" of {search.term(place)}, {search.text(term)},"
            text = f"A factor {search.text(scaled(c, factor))}{of} is missing: it should be {search.text(new)}."
            yield Mended("factor", text, "", new if place is None else _with(search, place, new))


def one_term(search: Search) -> Iterator[Cause]:
    """One term with a single edit in it."""
    for place, term in enumerate(search.terms):
        others = search.others(place)
        if others is None and len(search.terms) > 1:
            continue
        for edited in search.edits(term):
            if search.corrects(edited, others):
                yield Mended("term", _should_be(search, place, edited), "", _with(search, place, edited))


def missing_term(search: Search) -> Iterator[Cause]:
    """One more term makes it right, with these or other coefficients: an edit of one, or a product of variables."""
    values = [value for value in search.parts if value is not None]
    if len(values) < len(search.terms):
        return
    turned = ((t.transpose(term, search.scalars), *search.edits(term)) for term in search.terms)
    near = [value[: search.first] for value in values]
    for candidate in itertools.chain(itertools.chain.from_iterable(turned), _monomials(search)):
        first = search.first_value(candidate)
        if first is None or not np.any(first):
            continue
        columns = np.stack([*near, first], 1)
        c, *_ = np.linalg.lstsq(columns, search.truth[: search.first], rcond=1e-9)
        if same(columns @ c, search.truth[: search.first]) and (cause := _with_one_more(search, candidate)):
            yield cause
            return


def product_of_factors(search: Search) -> Iterator[Cause]:
    """One more term that is a product of variables and of what stands in the function and the claim, or one instead."""
    if any(value is None for value in search.parts):
        return
    for found in search.products(None):
        if cause := _with_one_more(search, found):
            yield cause
            return
    for place in range(len(search.terms)):
        for found in search.products(place):
            others = search.others(place)
            value = search.value(found)
            due = search.truth if others is None else search.truth - others
            c = 0.0 if value is None else float(np.vdot(value, due) / (np.vdot(value, value) or 1.0))
            if c and is_plain(c) and value is not None and same(c * value, due):
                new = scaled(c, found)
                yield Mended("term", _should_be(search, place, new), "", _with(search, place, new))
                return


def _with_one_more(search: Search, candidate: Formula) -> Cause | None:
    """What is said of a claim that is right with one more term, if it is."""
    value = search.value(candidate)
    if value is None:
        return None
    columns = np.stack([*(part for part in search.parts if part is not None), value], 1)
    c, *_ = np.linalg.lstsq(columns, search.truth, rcond=1e-9)
    if abs(c[-1]) < 1e-6 or not search.is_right(columns @ c) or not all(map(is_plain, c)):
        return None
    parts = [scaled(float(a), term) for a, term in zip(c, (*search.terms, candidate), strict=True)]
    tree = t.sum_of(simple(part) for part in parts if part != t.Number(0))
    missing, whole = search.text(simple(parts[-1])), search.text(tree)
    if np.allclose(c[:-1], 0, atol=ONE):
        return Mended("term", f"It should be {whole}.", "", tree)
    if np.allclose(c[:-1], 1, atol=ONE):
        return Mended("missing term", f"A term is missing: {missing}.", "", tree)
    return Mended("missing term", f"A term is missing, {missing}: it should be {whole}.", "", tree)


def two_terms(search: Search) -> Iterator[Cause]:
    """Two terms with a single edit each."""
    if len(search.terms) != 2:
        return
    ways: list[list[Formula]] = []
    values: list[Array] = []
    for term in search.terms:
        known = [(tree, search.first_value(tree)) for tree in (term, *search.edits(term))]
        fitting = [(tree, value) for tree, value in known if value is not None]
        if not fitting:
            return
        ways.append([tree for tree, _ in fitting])
        values.append(np.stack([value for _, value in fitting]))
    one, two = values
    due = search.truth[: search.first]
    left = due - one
    # |due - one - two|², of all pairs at once
    off = np.sum(left**2, 1)[:, None] - 2 * left @ two.T + np.sum(two**2, 1)
    for i, j in np.argwhere(off <= SMALL * float(due @ due)):
        first, second = ways[0][i], ways[1][j]
        if search.is_right(sum_of_values([search.value(first), search.value(second)])):
            text = f"{_should_be(search, 0, first)} {_should_be(search, 1, second)}"
            yield Mended("terms", text, "", t.Sum((simple(first), simple(second))))
            return


def _times(factor: Formula, term: Formula) -> Formula:
    """A number times a term, as people write it: in front, or under a line."""
    match factor, term:
        case _, t.Neg(of):
            return t.Neg(_times(factor, of))
        case t.Infix("/", t.Number(1), under), _:
            return t.Infix("/", term, under)
        case _, t.Product((t.Number() as c, *factors)):
            return t.Product((c, factor, *factors))
        case _:
            return t.Product((factor, *factors_of(term)))


def _with(search: Search, place: int, new: Formula) -> Formula:
    """The claim with another term in that place."""
    return t.sum_of((*search.terms[:place], simple(new), *search.terms[place + 1 :]))


def _coefficient(search: Search, place: int, due: float) -> Cause:
    """A term has another coefficient than what is due."""
    term, which = search.text(search.terms[place]), search.term(place)
    if abs(due) < ONE:
        return Cause("term", f"{which.capitalize()}, {term}, does not belong there.")
    if abs(due + 1) < ONE:
        return Cause("sign", f"The sign of {which}, {term}, is wrong.")
    return Cause("factor", f"{which.capitalize()}, {term}, lacks a factor {in_numbers(due)}.")


def _should_be(search: Search, place: int, edited: Formula) -> str:
    old, new = search.terms[place], simple(edited)
    if place and isinstance(old, t.Neg) and isinstance(new, t.Neg):  # the minus of a later term stands before it
        old, new = old.of, new.of
    return f"{search.term(place).capitalize()} should be {search.text(new)}, not {search.text(old)}."


def _monomials(search: Search) -> Iterator[Formula]:
    """Products of a few variables and their transposes."""
    shapes = search.problem.shapes
    factors = [each for name in map(t.Name, shapes) if shapes[name.name] for each in (name, t.Transpose(name))]
    for count in range(1, MONOMIAL + 1):
        for product in itertools.product(factors, repeat=count):
            yield t.product_of(product)
    yield t.Constant("I")
    yield from (t.Product((number, t.Constant("I"))) for number, _ in search.numbers)
