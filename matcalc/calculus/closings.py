"""What a row times a column is: an entry, a sum, a trace of rank one; and traces, which may be turned in a circle."""

from matcalc.calculus.algebra import Algebra, is_lone_sum, normal_form
from matcalc.calculus.terms import (
    ONE,
    UNIT,
    Factor,
    Poly,
    Term,
    is_constant,
    is_ones,
    ones,
    product,
    sized,
    trace,
)
from matcalc.calculus.words import closing
from matcalc.formula import Formula
from matcalc.formula import tree as t

Word = tuple[Factor, ...]


@closing
def _of_ones(a: Algebra, word: Word) -> Poly | None:
    """𝟏ᵀ 𝟏 = n."""
    if len(word) == 2 and is_constant(word[0].base, "1") and word[0].base == word[1].base:
        n = a.dims(word[0].base)[0]
        return (Term(ONE, ((t.Name(str(n)), ONE),)),) if isinstance(n, str) and n.isalpha() else a.poly(sized(n))
    return None


@closing
def _of_units(a: Algebra, word: Word) -> Poly | None:
    """e_iᵀ M e_j = [M]_ij, and e_iᵀ v = v_i."""
    match word:
        case (Factor(t.Constant("e", (i, _))), *middle, Factor(t.Constant("e", (j, _)))) if middle:
            return entry(a, tuple(middle), (i, j))
        case (Factor(t.Constant("e", (i, _))), *rest) if rest:
            return entry(a, tuple(rest), (i,))
        case (*rest, Factor(t.Constant("e", (i, _)))) if rest:
            return entry(a, a.turned_word(rest), (i,))
        case _:
            return None


def entry(a: Algebra, word: Word, indices: tuple[Formula, ...]) -> Poly:
    """An entry of a word, of a transposed factor the other one."""
    if len(indices) == 2 and len(word) == 1 and word[0].turned:
        word, indices = (word[0]._replace(turned=False),), indices[::-1]
    return (Term(ONE, ((t.Entry(a.word_tree(word), indices), ONE),)),)


@closing
def _of_one(a: Algebra, word: Word) -> Poly | None:
    """A factor that is a number."""
    return a.poly(word[0].base if word[0].turned else a.word_tree(word)) if len(word) == 1 else None


@closing
def _sums(a: Algebra, word: Word) -> Poly | None:
    """𝟏ᵀ (u ⊙ v) = uᵀ v, and 𝟏ᵀ M 𝟏 is the sum of the entries."""
    if not is_constant(word[0].base, "1"):
        word = a.turned_word(word)
    if not is_constant(word[0].base, "1"):
        return None
    match word:
        case (_, Factor(t.Infix("⊙") as base)) if split := _first_of(base):
            return a.poly(product(t.Transpose(split[0]), split[1]))
        case (_, Factor(t.Apply("diag", M), power)) if power == 1 and a.dims(M)[1] != UNIT:  # 𝟏ᵀ diag(M) = tr(M)
            return a.poly(trace(M))
        case _:
            pass
    inner = word[1 : -1 if is_constant(word[-1].base, "1") else len(word)]
    if is_lone_sum(Term(ONE, (), inner)):
        return a.poly(t.Apply("sum", a.word_tree(inner)))
    ways = (inner, a.turned_word(inner))
    return a.named_scalar(("sum of", frozenset(ways)), ways, lambda M: t.Apply("sum", M))


def _first_of(base: Formula) -> tuple[Formula, Formula] | None:
    """An entrywise product as its first factor and the rest."""
    match base:
        case t.Infix("⊙", t.Infix("⊙") as left, right):
            first = _first_of(left)
            return (first[0], t.Infix("⊙", first[1], right)) if first else None
        case t.Infix("⊙", left, right):
            return left, right
        case _:
            return None


@closing
def _inner_product(a: Algebra, word: Word) -> Poly | None:
    """uᵀ v, where both may be products of entries: all ways to share them out are one scalar."""
    if len(word) != 2:
        return None
    items: dict[Formula, int] = {}
    for factor in word:
        for item in _items(factor.base):
            items[item] = items.get(item, 0) + 1
    ways = (word, a.turned_word(word))
    return a.named_scalar(("inner", frozenset(items.items())), ways, product)


def _items(base: Formula) -> list[Formula]:
    match base:
        case t.Infix("⊙", left, right):
            return _items(left) + _items(right)
        case t.Infix("⊘", left, right):
            return [*_items(left), t.Infix("⊘", t.Number(1), right)]
        case _:
            return [] if is_ones(base) else [base]


# --- The sum of all entries, and the trace


@normal_form("sum")
def _sum(a: Algebra, tree: t.Apply) -> Poly:
    rows, columns = a.dims(tree.of)
    left = [Factor(t.Constant("1", (sized(rows),)), ONE, True)] if rows != UNIT else []
    right = [Factor(t.Constant("1", (sized(columns),)))] if columns != UNIT else []

    def summed(word: Word) -> Poly:
        match word:
            case (Factor(t.Infix("⊙") as base),) if left and right and (split := _first_of(base)):
                return a.poly(trace(product(t.Transpose(split[0]), split[1])))  # 𝟏ᵀ (A ⊙ B) 𝟏 = tr(Aᵀ B)
            case _:
                return a.term(ONE, (), [*left, *word, *right])

    return a.linear(tree.of, summed)


@normal_form("mean")
def _mean(a: Algebra, tree: t.Apply) -> Poly:
    rows, columns = a.dims(tree.of)
    count = product(*[sized(n) for n in (rows, columns) if n != UNIT])
    return a.poly(t.Infix("/", t.Apply("sum", tree.of), count))


@normal_form("tr")
def _trace(a: Algebra, tree: t.Apply) -> Poly:
    return a.poly(tree.of) if a.is_scalar(tree.of) else a.linear(tree.of, lambda word: _traced(a, word))


def _traced(a: Algebra, word: Word) -> Poly:
    """The trace of a word."""
    column = next((i for i, f in enumerate(word) if a.factor_dims(f)[1] == UNIT), None)
    if column is not None:  # tr(u vᵀ) = vᵀ u
        return a.term(ONE, (), (*word[column + 1 :], *word[: column + 1]))
    while len(word) > 1 and (met := a.meet(word[-1], word[0])) is not None and len(met) == 1:
        again, closed = a.reduced([*met, *word[1:-1]])
        if closed:
            return a.term(ONE, (), (*met, *word[1:-1]))
        word = again
    if len(word) == 1 and (made := _of_factor(a, word[0])) is not None:
        return made
    for i, factor in enumerate(word):
        match factor.base:
            case t.Constant("E", (row, column_, *_)) if len(word) > 1:  # tr(M E_ij) = [M]_ji
                return entry(a, (*word[i + 1 :], *word[:i]), (column_, row))
            case _:
                pass
    word = (word[0]._replace(turned=False),) if len(word) == 1 else word
    ways = [w[i:] + w[:i] for w in (word, a.turned_word(word)) for i in range(len(word))]
    return a.named_scalar(("tr", frozenset(ways)), (word, a.turned_word(word)), trace)


def _of_factor(a: Algebra, factor: Factor) -> Poly | None:
    """The trace of one factor."""
    match factor:
        case Factor(t.Constant("I", (n,))):
            return a.poly(n)
        case Factor(t.Sigma(index, start, stop, body), power) if power == 1:
            return a.poly(t.Sigma(index, start, stop, trace(body)))
        case Factor(t.Apply("diag", v), power) if power in (1, -1):
            return a.poly(t.Apply("sum", v if power == 1 else t.Infix("⊘", ones(a.dims(v)), v)))
        case Factor(t.Infix("⊗", left, right), power) if power == 1 and a.is_square(left) and a.is_square(right):
            return a.poly(product(trace(left), trace(right)))
        case Factor(t.Infix("⊕", left, right), power) if power == 1:
            return a.poly(t.Sum((trace(left), trace(right))))
        case Factor(t.Constant("E", (i, j, *_))) if i == j:
            return a.poly(t.Number(1))
        case Factor(t.Apply("tril" | "triu", of), power) if power == 1:
            return a.poly(trace(of))
        case _:
            return None
