r"""What notation leaves open is settled by the whole formula: subscripts, `A^t`, and Greek letters that are vectors.

The rule for a letter with a subscript, in this order:

* It is a name of its own where it was declared, `wrt="S_B"`.
* It is an entry where an index of a sum counts it: x_i in \sum_i x_i. Where only vectors fit, x_i are the columns of x.
* It is a name of its own where it is a term beside the letter without a subscript, x - x_0: both are vectors.
* K_mn of two sizes is the commutation matrix; of one size D_n is the duplication and L_n the elimination matrix.
* It is an entry where the letter stands in the formula without a subscript too, or was declared, the subscript is a
  number or a small letter, and their number fits: x_i and x_1 of a vector x, X_{ij} or x_ij of a matrix X.
* Else it is a name of its own: S_W, W_1, K_{k+1}, \Sigma_{xy}, x_{new}.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from matcalc.formula import tree as t
from matcalc.formula.errors import FormulaError
from matcalc.formula.names import is_one_letter, joined, letter_of
from matcalc.formula.shapes import deduce, typed_with_sizes
from matcalc.formula.sizes import Size, shape_of_array
from matcalc.formula.typed import Typed, bare
from matcalc.formula.variables import Variables
from matcalc.formula.words import SPELLED

SIZES = ("n", "N", "m", "d", "p")  # letters that are sizes where neither a vector nor a matrix fits
OF_ONE_SIZE: dict[str, tuple[Literal["D", "L"], str]] = {"D": ("D", "duplication"), "L": ("L", "elimination")}
NORMS = ("norm", "norm1", "norm2", "norminf")
TRIES = 128  # of readings
WORK = 20_000  # nodes that are sized for that, about


@dataclass(frozen=True)
class Meaning:
    """A formula as it was understood, its variables with their shapes, and what a reader could doubt, in words."""

    tree: t.Formula
    found: Variables
    shapes: Mapping[str, tuple[Size, ...]]
    sizes: Mapping[str, Size]  # that integers stand for
    notes: tuple[str, ...]


# --- Letters with subscripts and superscripts


def settle(
    tree: t.Formula, known: Collection[str], sizes: Collection[str] = (), integers: Collection[str] = ()
) -> tuple[t.Formula, tuple[str, ...]]:
    """The formula in which every subscript and superscript is what it means, and what was read, in words.

    `known` are the names that are declared, of a claim all of those in the function; `sizes` the names of sizes, and
    `integers` those of positions and exponents.
    """
    settling = _Settling(tree, frozenset(known), frozenset(sizes), frozenset(integers))
    return settling.settle(tree, frozenset()), tuple(dict.fromkeys(settling.notes))


class _Settling:
    def __init__(self, tree: t.Formula, known: frozenset[str], sizes: frozenset[str], integers: frozenset[str]) -> None:
        self.bare = frozenset(_values(tree)) | known
        self.known = known
        self.sizes = sizes | _written_sizes(tree)
        self.counting = self.sizes | integers
        self.beside = _beside(tree)
        self.uses_t = "t" in known or _uses_t(tree)
        self.notes: list[str] = []

    def settle(self, tree: t.Formula, bound: frozenset[str]) -> t.Formula:
        match tree:
            case t.Sigma(index):
                bound = bound | {index}
            case t.Entry(t.Name(base), indices):
                return self.subscripted(base, indices, bound) or tree
            case t.Name(name) if (index := _label(name)) in bound:
                return t.Entry(t.Name(name.partition("^")[0]), (t.Name(index),))  # x^{(i)}
            case t.Transpose(t.Power(t.Name(name), _)) if letter_of(name) in SPELLED and letter_of(name).islower():
                raise FormulaError(f"{name} is a scalar, and T no transpose in its exponent; take another letter")
            case t.Power(base, t.Name("t") | t.Neg(t.Name("t"))) if "t" not in bound and not t.is_scalar(base):
                return self.transposed(tree, self.settle(base, bound))
            case _:
                pass
        return t.with_children(tree, [self.settle(child, bound) for child in t.children(tree)])

    def subscripted(self, base: str, indices: tuple[t.Formula, ...], bound: frozenset[str]) -> t.Formula | None:
        """The name or the constant that it is; None for an entry."""
        name = joined(base, indices)
        letters = {node.name for index in indices for node in t.nodes(index) if isinstance(node, t.Name)}
        if name in self.known:
            return t.Name(name)
        if len(indices) == 2 and base not in self.bare and base.upper() in self.bare and base.islower():
            return t.Entry(t.Name(base.upper()), indices)  # a_ij
        if letters & bound:
            return None
        if name in self.beside:
            return t.Name(name)
        if base == "K" and "K" not in self.bare and letters and letters <= self.sizes:
            return t.Constant("K", indices if len(indices) == 2 else indices * 2)
        if base in OF_ONE_SIZE and base not in self.bare and letters and letters <= self.sizes and len(indices) == 1:
            symbol, words = OF_ONE_SIZE[base]
            self.notes.append(f"{name} is read as the {words} matrix")
            return t.Constant(symbol, indices)
        match indices:  # A_{12}
            case (t.Number(int() as number),) if 10 < number < 100 and number % 10 and self.has_entries(base, 2):
                if letter_of(base).isupper():
                    self.notes.append(f"{name} is read as an entry of {base}")
                    return t.Entry(t.Name(base), (t.Number(number // 10), t.Number(number % 10)))
            case _:
                pass
        counted = all(_is_index(index) for index in indices) and not (letters & self.bare - self.counting)
        if counted and self.has_entries(base, len(indices)):
            return None
        if not is_one_letter(base):
            return None
        return t.Name(name)

    def has_entries(self, base: str, count: int) -> bool:
        """Whether the letter is a variable with so many subscripts: of a vector one, of a matrix two."""
        if count == 2:
            return base in self.bare or base.upper() in self.bare
        return base in self.bare and not letter_of(base).isupper()

    def transposed(self, tree: t.Power, base: t.Formula) -> t.Formula:
        if self.uses_t:
            return t.Power(base, tree.exponent)
        turned = t.Transpose(base if isinstance(tree.exponent, t.Name) else t.Apply("inv", base))
        self.notes.append(f"{tree} is read as {turned}")
        return turned


def _values(tree: t.Formula) -> Iterator[str]:
    """The names that stand somewhere as they are, neither with a subscript nor as one, nor in an exponent."""
    match tree:
        case t.Name(name):
            yield name
        case t.Entry(t.Name(), _) | t.Constant():
            return
        case t.Unvec(_, of):
            yield from _values(of)
        case t.Power(base, exponent):
            yield from _values(base)
            yield from () if t.is_arithmetic(exponent) else _values(exponent)
        case t.Sigma(index, _, _, body):
            yield from (name for name in _values(body) if name != index)
        case _:
            for child in t.children(tree):
                yield from _values(child)


def _beside(tree: t.Formula) -> frozenset[str]:
    """The small letters with one subscript that are terms beside the letter itself: the x_0 of x - x_0."""
    found: set[str] = set()
    for node in t.nodes(tree):
        if isinstance(node, t.Sum):
            terms = [bare(term) for term in node.terms]
            for term in terms:
                match term:
                    case t.Entry(t.Name(base), (_,) as indices) if t.Name(base) in terms and letter_of(base).islower():
                        found.add(joined(base, indices))
                    case _:
                        pass
    return frozenset(found)


def _written_sizes(tree: t.Formula) -> frozenset[str]:
    """The names of sizes in I_n, 0_mn, 1_n and unvec_mn."""
    written = (size for node in t.nodes(tree) for size in t.written_sizes(node))
    return frozenset(part.name for size in written for part in t.nodes(size) if isinstance(part, t.Name))


def _uses_t(tree: t.Formula) -> bool:
    """Whether t is a variable: it stands elsewhere than alone in an exponent."""
    match tree:
        case t.Name("t"):
            return True
        case t.Sigma("t"):
            return True
        case t.Power(base, t.Name("t") | t.Neg(t.Name("t"))):
            return _uses_t(base)
        case _:
            return any(_uses_t(child) for child in t.children(tree))


def _label(name: str) -> str:
    """The letter in the label of x^{(i)}."""
    _, _, label = name.partition("^{(")
    return label.removesuffix(")}")


def _is_index(tree: t.Formula) -> bool:
    match tree:
        case t.Number(value):
            return isinstance(value, int)
        case t.Name(name):
            return len(name) == 1 and name.islower()
        case t.Sum() | t.Neg():
            return all(map(_is_index, t.children(tree)))
        case _:
            return False


# --- Letters that are scalars, vectors or matrices


def understand(
    tree: t.Formula,
    found: Variables,
    given: Mapping[str, Sequence[Size]],
    square: Collection[str] = (),
    wrt: str = "",
    others: Mapping[str, Sequence[int]] | None = None,
) -> Meaning:
    """The formula with the shapes of its variables: of Greek letters that which fits.

    `given` are shapes that are known, `square` the variables that are square matrices by what is known of them, `wrt`
    the variable that is differentiated by, which is no size, and `others` how many axes may have what stands for
    functions. FormulaError where no reading fits.
    """
    fixed = dict(given)
    names = [name for name in found.ranks if name not in fixed and name not in square]
    greek = [name for name in names if letter_of(name) in SPELLED and letter_of(name).islower() and is_one_letter(name)]
    turned = _transposed(tree)
    entries = _families(tree)
    ranks = {**found.ranks, **{name: 1 for name in greek if name in turned or name in entries}}
    ranks |= {name: 2 for name in names if name in _of_pairs(tree)}
    ranks |= {key: most_likely for key, (most_likely, *_) in (others or {}).items()}
    preferred = [name for name in _behind_matrices(tree, found.ranks) if name in greek and name not in turned]
    choices: dict[str, int] = {name: 1 for name in greek if not ranks[name]}
    sizes = [name for name in names if name in SIZES and name != wrt and name not in turned]
    choices |= dict.fromkeys([*sizes, *(name for name in names if name in _alone(tree) and name != wrt)], 0)
    normed = _in_norms(tree)
    ranks |= {name: 2 for name in names if name in entries and name in normed}
    choices |= {name: 1 if name in normed else 2 for name in names if name in entries}
    choices |= {key: less_likely for key, (_, *more) in (others or {}).items() for less_likely in more}
    failure: FormulaError | None = None
    fallback: Meaning | None = None
    tries = max(1, min(TRIES, WORK // sum(1 for _ in t.nodes(tree))))
    for changed in itertools.islice(_selections(preferred, list(choices)), tries):
        tried = ranks | {name: choices[name] for name in changed}
        try:
            shapes = deduce(tree, tried, fixed, square)
            symbols = {**shapes, **dict.fromkeys(found.integers, ())}
            whole, sizes_named = typed_with_sizes(tree, symbols)
        except FormulaError as error:
            failure = failure or error
            continue
        notes = _notes(found.ranks, tried, entries)
        meaning = Meaning(tree, replace(found, ranks=tried), shapes, sizes_named, notes)
        value = shape_of_array(whole.dims)
        # A row may be meant as a number, with a Greek letter that is a vector, x'β; n ln|X| as well, with a size n.
        # What is transposed is no scalar.
        is_other = _has_transposed_scalar(whole) or value[:1] == (1,) or (value != () and sizes)
        if fallback is None and is_other and choices:
            fallback = meaning
        elif fallback is None or (value == () and not is_other):
            return meaning
    if fallback:
        return fallback
    assert failure is not None
    raise failure


def _selections(preferred: Sequence[str], choices: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Which letters to read otherwise: first those that stand as vectors do, then none, then more and more."""
    seen: set[tuple[str, ...]] = set()
    likely = (each for count in range(len(preferred), 0, -1) for each in itertools.combinations(preferred, count))
    others = (each for count in range(len(choices) + 1) for each in itertools.combinations(choices, count))
    for each in itertools.chain(itertools.islice(likely, TRIES // 2), others):
        if each not in seen:
            seen.add(each)
            yield each


def _notes(usual: Mapping[str, int], ranks: Mapping[str, int], entries: Mapping[str, str]) -> tuple[str, ...]:
    words = {
        0: "{} is read as a number",
        1: "{} is read as a vector",
        2: "{0}_{1} are read as vectors, the columns of {0}",
    }

    def is_said(name: str, rank: int) -> bool:
        return name in usual and rank != usual[name] and (name not in entries or rank == 2)

    return tuple(words[rank].format(name, entries.get(name)) for name, rank in ranks.items() if is_said(name, rank))


def _transposed(tree: t.Formula) -> frozenset[str]:
    """The names that are transposed: these are no scalars."""
    return frozenset(
        node.of.name for node in t.nodes(tree) if isinstance(node, t.Transpose) and isinstance(node.of, t.Name)
    )


def _has_transposed_scalar(whole: Typed) -> bool:
    """Whether something is transposed that is a scalar in this reading, and by its form could be none."""
    return any(
        isinstance(part.node, t.Transpose)
        and part.parts[0].is_scalar
        and isinstance(part.node.of, t.Name | t.Entry | t.Sum | t.Neg)
        for part in whole.nodes
    )


def _of_pairs(tree: t.Formula) -> frozenset[str]:
    """The small letters that have two subscripts wherever they stand, and whose capitals are no variables."""
    whole = frozenset(_values(tree))
    pairs = (node.of.name for node in t.nodes(tree) if isinstance(node, t.Entry) and len(node.indices) == 2
             and isinstance(node.of, t.Name))  # fmt: skip
    return frozenset(name for name in pairs if name[0].islower() and not {name, name.upper()} & whole)


def _behind_matrices(tree: t.Formula, ranks: Mapping[str, int]) -> list[str]:
    """The names at the end of a product, behind a matrix or a row, where a vector is written and a scalar is not."""
    found: dict[str, None] = {}
    for node in t.nodes(tree):
        match node:
            case t.Product((*_, before, t.Name(name))) if _is_matrix_or_row(before, ranks):
                found[name] = None
            case t.Infix("·", left, right):
                found.update({side.name: None for side in (left, right) if isinstance(side, t.Name)})
            case _:
                pass
    return list(found)


def _is_matrix_or_row(tree: t.Formula, ranks: Mapping[str, int]) -> bool:
    match tree:
        case t.Name(name):
            return ranks.get(name) == 2
        case t.Transpose(t.Name(name)):
            return ranks.get(name, 0) > 0
        case t.Transpose(of) | t.Neg(of) | t.Apply("inv" | "pinv" | "adj" | "sqrt", of) | t.Sum((of, *_)):
            return _is_matrix_or_row(of, ranks)
        case _:
            return False


def _alone(tree: t.Formula) -> frozenset[str]:
    """The small letters that are a term or a denominator, where a scalar is written: xᵀ A x + c."""
    found: set[str] = set()
    for node in t.nodes(tree):
        match node:
            case t.Sum(parts):
                found |= {part.name for part in map(bare, parts) if isinstance(part, t.Name)}
            case t.Infix("/", _, t.Name(name)):
                found.add(name)
            case _:
                pass
    return frozenset(name for name in found if name[0].islower() and name[0].isascii())


def _in_norms(tree: t.Formula) -> frozenset[str]:
    """The letters with one subscript that are a term in a norm, where a vector is written: ‖y_i - y_j‖."""
    found: set[str] = set()
    for node in t.nodes(tree):
        if isinstance(node, t.Apply) and node.function in NORMS:
            of = bare(node.of)
            for term in map(bare, of.terms if isinstance(of, t.Sum) else (of,)):
                if isinstance(term, t.Entry) and isinstance(term.of, t.Name) and len(term.indices) == 1:
                    found.add(term.of.name)
    return frozenset(found)


def _families(tree: t.Formula) -> dict[str, str]:
    """The small letters that have one subscript, an index of a sum, wherever they stand: x_i may be vectors."""
    whole = frozenset(_values(tree))

    def counted(node: t.Formula, bound: frozenset[str]) -> Iterator[tuple[str, str]]:
        match node:
            case t.Sigma(index):
                bound = bound | {index}
            case t.Entry(t.Name(base), (t.Name(index),)) if index in bound and base[0].islower() and base not in whole:
                yield base, index
            case _:
                pass
        for child in t.children(node):
            yield from counted(child, bound)

    return dict(counted(tree, frozenset()))
