"""What the names in a formula stand for, where nobody says it: books have conventions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from matcalc.formula import tree as t
from matcalc.formula.names import is_one_letter, letter_of
from matcalc.formula.words import SPELLED


@dataclass(frozen=True)
class Variables:
    """The free names of a formula: how many axes those of arrays have, and which are integers.

    A capital is a matrix, Greek ones too, a lower-case letter a vector, a lower-case Greek letter and a name of several
    letters a scalar; a subscript changes nothing. What stands in an exponent of a matrix, as a bound of a sum or as a
    subscript is an integer, in one of a scalar a scalar.
    """

    ranks: Mapping[str, int]
    integers: frozenset[str]
    indices: frozenset[str]  # the integers that are subscripts, and count entries


def variables(tree: t.Formula) -> Variables:
    """The variables of a formula, in the order in which they first stand in it.

    >>> from matcalc.formula import parse
    >>> dict(variables(parse("β xᵀ A^k x")).ranks)
    {'β': 0, 'x': 1, 'A': 2}
    """
    found = dict.fromkeys(_free(tree, frozenset()))
    counted = {name for name, place in found if place not in ("value", "power")}
    names = dict.fromkeys(name for name, place in found if place in ("value", "power") and name not in counted)
    indices = {name for name, place in found if place == "index"}
    powers = {name for name, place in found if place == "power"}
    ranks = {name: 0 if name in powers else _rank(name) for name in names}
    return Variables(ranks, frozenset(counted), frozenset(indices))


def _rank(name: str) -> int:
    letter = letter_of(name)
    if not is_one_letter(name):
        return 0
    return 2 if letter.isupper() else 0 if letter in SPELLED else 1


def _free(tree: t.Formula, bound: frozenset[str], place: str = "value") -> Iterator[tuple[str, str]]:
    """The free names, each with where it stands: as a value, as a number, or as the index of an entry."""
    match tree:
        case t.Name(name):
            if name not in bound and tree != t.OPEN:
                yield name, place
        case t.Derivative():
            yield tree.key, place
        case t.Power(base, exponent):
            yield from _free(base, bound, place)
            # Of a scalar any number may stand in the exponent; of a matrix an integer.
            of_scalar = t.is_scalar(base) and place == "value"
            in_exponent = "value" if not t.is_arithmetic(exponent) else "power" if of_scalar else "number"
            yield from _free(exponent, bound, in_exponent)
        case t.Infix(".^", base, exponent):
            yield from _free(base, bound, place)
            yield from _free(exponent, bound, "power" if t.is_arithmetic(exponent) else place)
        case t.Entry(of, indices):
            yield from _free(of, bound, place)
            for index in indices:
                yield from _free(index, bound, "index")
        case t.Constant(_, indices):
            for index in indices:
                yield from _free(index, bound, "index" if tree.symbol in "eE" else "number")
        case t.Unvec(sizes, of):
            for size in sizes:
                yield from _free(size, bound, "number")
            yield from _free(of, bound, place)
        case t.Sigma(index, start, stop, body):
            yield from _free(start, bound, "number")
            yield from _free(stop, bound, "number")
            yield from _free(body, bound | {index}, place)
        case _:
            for child in t.children(tree):
                yield from _free(child, bound, place)


def spellings(name: str) -> tuple[str, ...]:
    """The keys a name may be given under: `β` also as `beta`, `dβ` also as `dbeta`."""
    spelled = "".join(SPELLED.get(letter, letter) for letter in name)
    return (name,) if spelled == name else (name, spelled)


def matrix_of(entry: t.Entry, ranks: Mapping[str, int]) -> t.Formula:
    """What `a_ij` is an entry of: A, where A is a matrix; otherwise a itself."""
    match entry:
        case t.Entry(t.Name(name), (_, _)) if name.islower():
            capital = name.upper()
            if any(ranks.get(key) == 2 for key in spellings(capital)):
                return t.Name(capital)
        case _:
            pass
    return entry.of
