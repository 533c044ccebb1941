"""Causes in the terms of the claim: their coefficients, a change in one of them, one that is missing."""

import itertools
from collections.abc import Iterator

import numpy as np

from matcalc.claims.causes.edits import in_numbers, is_plain, scaled, simple
from matcalc.claims.causes.search import Search, sum_of_values
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.referee import Cause

ONE = 1e-5  # how far a coefficient may be off what it is
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
        yield Cause(causes[0].name, " ".join(cause.text for cause in causes))


def one_term(search: Search) -> Iterator[Cause]:
    """One term with a single edit in it."""
    for place, term in enumerate(search.terms):
        others = sum_of_values([value for k, value in enumerate(search.parts) if k != place])
        if others is None and len(search.terms) > 1:
            continue
        for edited in search.edits(term):
            value = search.value(edited)
            if value is not None and search.is_right(value if others is None else others + value):
                yield Cause("term", _should_be(search, place, edited))


def missing_term(search: Search) -> Iterator[Cause]:
    """One more term makes it right, with these or other coefficients: an edit of one, or a product of variables."""
    values = [value for value in search.parts if value is not None]
    if len(values) < len(search.terms):
        return
    turned = ((t.transpose(term, search.scalars), *search.edits(term)) for term in search.terms)
    for candidate in itertools.chain(itertools.chain.from_iterable(turned), _monomials(search)):
        value = search.value(candidate)
        if value is None or not np.any(value):
            continue
        columns = np.stack([*values, value], 1)
        c, *_ = np.linalg.lstsq(columns, search.truth, rcond=1e-9)
        if abs(c[-1]) > 1e-6 and search.is_right(columns @ c) and all(map(is_plain, c)):
            parts = [scaled(float(a), term) for a, term in zip(c, (*search.terms, candidate), strict=True)]
            missing = search.text(simple(parts[-1]))
            whole = search.text(t.sum_of(simple(part) for part in parts if part != t.Number(0)))
            if np.allclose(c[:-1], 0, atol=ONE):
                yield Cause("term", f"It should be {whole}.")
            elif np.allclose(c[:-1], 1, atol=ONE):
                yield Cause("missing term", f"A term is missing: {missing}.")
            else:
                yield Cause("missing term", f"A term is missing, {missing}: it should be {whole}.")
            return


def two_terms(search: Search) -> Iterator[Cause]:
    """Two terms with a single edit each."""
    if len(search.terms) != 2:
        return
    ways = [[(edited, search.value(edited)) for edited in (term, *search.edits(term))] for term in search.terms]
    for one, first in ways[0]:
        for two, second in ways[1]:
            if first is not None and second is not None and search.is_right(first + second):
                yield Cause("terms", f"{_should_be(search, 0, one)} {_should_be(search, 1, two)}")
                return


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
