"""From what a user types to a problem: the formula is read, shapes are found, and numbers are chosen for sizes."""

import difflib
import itertools
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np

from matcalc.claims.points import has_shapes, regularity
from matcalc.claims.problem import Problem, Shape
from matcalc.domains import Domain, named
from matcalc.formula import Formula, FormulaError, infer, parse
from matcalc.formula import tree as t
from matcalc.formula.arbitrary import KINDS, NUMBERS, key_of, name_of_function
from matcalc.formula.meaning import settle, understand
from matcalc.formula.names import letter_of
from matcalc.formula.parser import name_of
from matcalc.formula.sizes import Size, names_in_size
from matcalc.formula.texts import (
    Meaning,
    definitions,
    differentiated,
    doubts,
    spelled,
    split_where,
    substitute,
    without_left_side,
)
from matcalc.formula.variables import Variables, variables
from matcalc.formula.words import FUNCTIONS, GREEK

SIZES = (3, 4, 2, 5, 6, 7, 8, *range(9, 80))  # distinct, so that nothing fits by accident
ASSIGNMENTS = 60  # of numbers to sizes, that are tried
MOST = 4096  # entries of a variable


Order = Literal[1, 2]
Convention = Literal["full", "independent"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)
ORDERS: tuple[Order, ...] = get_args(Order)
Shapes = Mapping[str, Sequence[Size]] | str | Sequence[str] | None
Functions = Mapping[str, str] | Sequence[str] | str
Domains = Mapping[str, str | Domain] | str | None
SYMMETRIC = (named("symmetric"), named("positive definite"))
SAID = {
    r"(?:1|𝟏|ones) ?(?:'|ᵀ|\^T) ?(\w+) ?= ?1": "sums to one",
    r"(\w+) ?= ?\1(?:'|ᵀ|\^T)": "symmetric",
    r"(\w+)(?:'|ᵀ|\^T) ?= ?\1": "symmetric",
    r"(\w+)(?:'|ᵀ|\^T) ?\1 ?= ?I": "orthogonal",
}


def shapes_of(shape: Shapes) -> dict[str, tuple[Size, ...]]:
    """Shapes of variables: a mapping, or text such as "A=3,4" or "c=scalar", or several of them."""
    if isinstance(shape, Mapping):
        return dict(_shape_of(f"{k}={v}") if isinstance(v, str) else (k, tuple(v)) for k, v in shape.items())
    return dict(map(_shape_of, [shape] if isinstance(shape, str) else shape or ()))


def _shape_of(text: str) -> tuple[str, tuple[Size, ...]]:
    name, _, sizes = (part.strip() for part in text.partition("="))
    parts = [part.strip() for part in sizes.split(",")]
    if not name or not all(part.isdecimal() or part.isalpha() for part in parts) or "0" in parts:
        raise ValueError(f"shape takes name=sizes, such as A=3,4 or x=n, or c=scalar; got {text!r}.")
    is_scalar = parts == ["scalar"]
    return name, () if is_scalar else tuple(int(part) if part.isdecimal() else part for part in parts)


def domains_of(where: Domains) -> dict[str, str | Domain]:
    """Domains of variables: a mapping, or text such as "A=symmetric, X=invertible" or "1't = 1"."""
    if not isinstance(where, str):
        return dict(where or {})
    found: dict[str, str | Domain] = {}
    for part in map(str.strip, where.split(",") if where.strip() else ()):
        forms = ((re.fullmatch(form, part), kind) for form, kind in SAID.items())
        said = next(((form[1], kind) for form, kind in forms if form), None)
        name, *kinds = (side.strip() for side in part.split("="))
        if not said and (len(kinds) != 1 or not name):
            raise ValueError(f"where takes name=domain, such as A=symmetric,X=invertible; got {where!r}.")
        name, kind = said or (name, kinds[0])
        found[name] = kind
    return found


def functions_of(functions: Functions) -> dict[str, str]:
    """The kinds of functions that have only a name: a mapping, or text such as "g" or "u=vector", or several such."""
    if isinstance(functions, Mapping):
        pairs = list(functions.items())
    else:
        texts = [functions] if isinstance(functions, str) else functions
        pairs = [(name, kind) for name, _, kind in (text.partition("=") for text in texts)]
    found: dict[str, str] = {}
    for name, kind in ((name.strip(), kind.strip()) for name, kind in pairs):
        if not re.fullmatch(r"\\?[^\W\d_]\w*", name) or (function := name_of(name)) in FUNCTIONS:
            raise ValueError(f"A function is declared by its name, g of g(a'x), one that is not known; got {name!r}.")
        if kind and kind not in KINDS:
            raise ValueError(f"The values of a function are {', '.join(KINDS)}, u=vector; got {name}={kind}.")
        found[function] = kind
    return found


def read_problem(
    formula: str | Formula,
    wrt: str,
    *,
    shape: Shapes = None,
    where: Domains = None,
    convention: Convention = "full",
    let: Sequence[str] = (),
    order: Order = 1,
    functions: Functions = (),
    may_be_absent: bool = False,
) -> Problem:
    """A function typed as a formula. FormulaError for what cannot be read or sized, ValueError for wrong options.

    The variable has to occur in it, unless it `may_be_absent`.
    """
    shape, where = shapes_of(shape), domains_of(where)
    names = spelled((*shape, *where, wrt))
    given = {name_of(name): sizes for name, sizes in shape.items()}
    domains = {name_of(name): each if isinstance(each, Domain) else named(each) for name, each in where.items()}
    wrt = name_of(wrt)
    if convention == "independent" and domains.setdefault(wrt, named("symmetric")) not in SYMMETRIC:
        raise ValueError(f"By independent entries is of a symmetric {wrt}; it is declared {domains[wrt].text}.")
    text, definitions_behind = split_where(formula) if isinstance(formula, str) else ("", [])
    kinds = functions_of(functions)
    meanings = definitions((*let, *definitions_behind), sorted(names), kinds)
    called = {*kinds, *(name for name, meaning in meanings.items() if meaning.argument)}
    names |= spelled(sorted(meanings)) | {each.partition("=")[0].strip(" :") for each in (*let, *definitions_behind)}
    for name in (*given, *domains, wrt):
        if name in meanings:
            raise ValueError(f"{name} is defined as {meanings[name]}; say it of the variables in there.")
    given_text = without_left_side(text)
    text = differentiated(given_text, "" if may_be_absent else wrt)
    typed = parse(text, names, called) if isinstance(formula, str) else formula
    tree, notes = settle(substitute(typed, meanings), {*given, *domains, wrt}, _letters(given))
    notes += doubts(text, tree, called, names)
    notes += (f"the function is {tree}",) if text != given_text else ()
    applied = {name_of_function(node.function) for node in t.nodes(tree) if isinstance(node, t.Apply)}
    for name in kinds:
        if name not in applied:
            raise ValueError(f"{name} is declared as a function, and {tree} has no {name}( ).")
        if t.Name(name) in t.nodes(tree):
            raise ValueError(f"{name} is declared as a function, and stands in {tree} without an argument too.")
    found = variables(tree)
    found = replace(found, ranks={name: rank for name, rank in found.ranks.items() if name not in _letters(given)})
    meant = {name: _meant(name, found.ranks) for name in (*given, *domains, wrt)}
    notes += tuple(f"{name} is {full}" for name, full in meant.items() if full != name)
    given, wrt = {meant[name]: sizes for name, sizes in given.items()}, meant[wrt]
    domains = {meant[name]: domain for name, domain in domains.items()}
    given = {name: sizes for name, sizes in given.items() if sizes or name not in found.integers}  # n=scalar is known
    if may_be_absent and wrt not in found.ranks and wrt not in found.integers and found.ranks:
        found = replace(found, ranks={**found.ranks, **variables(t.Name(wrt)).ranks})
        notes += (absent(wrt),)
    for name in (*given, *domains, wrt):
        if name in found.integers and name == wrt:
            raise ValueError(f"{name} is an integer in {tree}; a derivative is by a number that can move.")
        if name not in found.ranks:
            listed = ", ".join(found.ranks) or "none"
            raise ValueError(f"{name} does not occur in {tree} as a variable; its variables are {listed}.")
    for name, domain in domains.items():
        if _is_of_square_matrices(domain) and not found.ranks[name] and name not in given:  # a Σ that is a covariance
            found = replace(found, ranks={**found.ranks, name: 2})
    if any(size == 0 for sizes in given.values() for size in sizes):
        raise ValueError("A size must be at least 1; got 0.")
    square = [name for name, domain in domains.items() if _is_of_square_matrices(domain) and found.ranks[name] == 2]
    try:
        of_values = {key_of(name, kind): KINDS[kind] for name, kind in kinds.items() if kind}
        meaning = understand(tree, found, given, square, wrt, of_values)
    except FormulaError as error:
        hint = _hint(str(formula), [name for name, rank in found.ranks.items() if rank == 1 and name not in given])
        raise FormulaError(error.reason + hint, error.text, error.start, error.end) from None
    shapes, found, notes = meaning.shapes, meaning.found, (*notes, *meaning.notes)
    # A row has the derivative of the column: tables of derivatives do not tell them apart.
    scalars = {name for name, sizes in shapes.items() if not sizes} | found.integers
    if infer(tree, {**shapes, **dict.fromkeys(found.integers, ())})[:1] == (1,):
        tree = t.transpose(tree, scalars)
    most = max((math.prod(size for size in sizes if isinstance(size, int)) for sizes in shapes.values()), default=1)
    if most > MOST:
        raise ValueError(f"A variable of {most:,} entries; at most {MOST:,} are tried. Smaller sizes tell as much.")
    is_independent, is_scalar = (
        convention == "independent",
        not infer(tree, {**shapes, **dict.fromkeys(found.integers, ())}),
    )
    if is_independent and not is_scalar:
        raise ValueError(f"By independent entries is of a scalar function; {tree} is none.")
    if order == 2 and not is_scalar:
        raise ValueError(f"A second derivative is of a scalar function; {tree} is none.")
    if order == 2 and is_independent:
        raise ValueError("A second derivative is by entries that move freely: leave the convention out.")
    shapes = {**shapes, **{key_of(name): (NUMBERS,) for name, kind in kinds.items() if not kind}}
    known = _Known(
        str(tree),
        wrt,
        tuple(shapes.items()),
        tuple(meaning.sizes.items()),
        tuple(domains.items()),
        names,
        notes,
        tuple(meanings.items()),
        is_independent,
        order,
        tuple(kinds.items()),
        tree,
        found,
    )
    # A domain of one's own may be of any kind, and a tree of one's own may be printed as another is.
    is_kept = isinstance(formula, str) and all(isinstance(domain, str) for domain in where.values())
    return (_kept if is_kept else _most_regular)(known)


def absent(name: str) -> str:
    """What is noted of a variable that does not occur."""
    return f"{name} does not occur in it"


def variables_of(formula: str | Formula, **options: Any) -> tuple[str, ...]:
    """The variables of a formula, read as `read_problem` reads it."""
    unused = next(letter for letter in "ωψχφτπ" if letter not in str(formula))
    return tuple(name for name in read_problem(formula, unused, may_be_absent=True, **options).shapes if name != unused)


@dataclass(frozen=True)
class _Known:
    """All of a problem but the numbers for its sizes. Trees are told apart by their text: 2 and 2.0 are equal."""

    text: str
    wrt: str
    shapes: tuple[tuple[str, Shape], ...]
    named_sizes: tuple[tuple[str, Size], ...]
    domains: tuple[tuple[str, Domain], ...]
    names: frozenset[str]
    notes: tuple[str, ...]
    definitions: tuple[tuple[str, Meaning], ...]
    is_independent: bool
    order: Order
    functions: tuple[tuple[str, str], ...]
    tree: Formula = field(compare=False)
    found: Variables = field(compare=False)

    def problem(self, sizes: Mapping[str, int]) -> Problem:
        keys = {key_of(name, kind) for name, kind in self.functions}
        return Problem(
            self.tree,
            self.wrt,
            self.found,
            {name: shape for name, shape in self.shapes if name not in keys},
            dict(self.domains),
            sizes,
            self.names,
            dict(self.named_sizes),
            notes=self.notes,
            definitions=dict(self.definitions),
            is_independent=self.is_independent,
            order=self.order,
            functions=dict(self.functions),
            stand_ins={key: shape for key, shape in self.shapes if key in keys},
        )


def _most_regular(known: _Known) -> Problem:
    """The first problem of the best kind: whether A X B is invertible depends on which of the sizes is the larger."""
    best, reached = None, -1
    for sizes in _numbers(dict(known.shapes)):
        problem = known.problem(sizes)
        if has_shapes(problem) and (regular := regularity(problem)) > reached:
            best, reached = problem, regular
        if reached == 2:
            break
    if best is None:
        told = ", ".join(f"{name} {'×'.join(map(str, dict(known.shapes)[name]))}" for name, _ in known.domains)
        raise ValueError(f"No arrays of these shapes are in the domains: {told}. Give other shapes.")
    return best


@lru_cache(maxsize=64)
def _kept(known: _Known) -> Problem:
    """The same problem, with the programs that were compiled for it, at every claim about it."""
    return _most_regular(known)


def _numbers(shapes: Mapping[str, Shape]) -> Iterator[dict[str, int]]:
    """Numbers for the letters among the sizes, in one order after the other."""
    named_sizes = (size for shape in shapes.values() for size in shape)
    letters = list(dict.fromkeys(name for size in named_sizes for name in names_in_size(size)))
    taken = {size for shape in shapes.values() for size in shape}
    free = [size for size in SIZES if size not in taken][: len(letters) + 1]
    for numbers in itertools.islice(itertools.permutations(free, len(letters)), ASSIGNMENTS):
        yield dict(zip(letters, numbers, strict=True))


def _hint(text: str, vectors: Sequence[str]) -> str:
    """What may be behind sizes that do not fit: a function that is none, or a scalar."""
    for word in re.findall(r"(?<![A-Za-z\\])[A-Za-z]{3,}(?=\()", text):
        if word not in FUNCTIONS and word not in GREEK:
            close = difflib.get_close_matches(word.lower(), FUNCTIONS, 1, 0.5)
            return f". {word} is read as {' '.join(word)}" + (f"; is {close[0]} meant?" if close else "")
    said = ", ".join(f"{name}=scalar" for name in vectors)
    return f". A lower-case letter is a vector, unless it is said to be a scalar: {said}" if said else ""


def _meant(name: str, variables: Collection[str]) -> str:
    """The variable that is meant by a letter: the only one with that letter, W^{(1)} by W."""
    of_letter = [each for each in variables if letter_of(each) == name]
    return of_letter[0] if name not in variables and len(of_letter) == 1 else name


def _letters(shapes: Mapping[str, Sequence[Size]]) -> frozenset[str]:
    """The letters among the sizes, which are numbers and no variables, `n` of `--shape x=n`."""
    return frozenset(size for sizes in shapes.values() for size in sizes if isinstance(size, str)) - {*shapes}


def _is_of_square_matrices(domain: Domain) -> bool:
    """Whether there is nothing else in it."""
    try:
        a = domain.sample(np.random.default_rng(0), (3, 2))
        return a.shape != (3, 2) or not domain.contains(a)
    except (ValueError, IndexError, np.linalg.LinAlgError):
        return True
