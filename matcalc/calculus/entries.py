"""Entry by entry: products, quotients and powers as multisets with exponents; diagonals; and single entries."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from matcalc.calculus.algebra import Algebra, normal_form
from matcalc.calculus.closings import entry as entry_of
from matcalc.calculus.terms import (
    ONE,
    SCALAR,
    UNIT,
    Dims,
    Factor,
    Poly,
    Term,
    flipped,
    identity,
    is_constant,
    is_ones,
    number,
    of_size,
    ones,
    product,
)
from matcalc.formula import Formula
from matcalc.formula import tree as t

Items = dict[Formula, Fraction]  # Π_⊙ item^exponent


@normal_form(t.Infix)
def _infix(a: Algebra, tree: t.Infix) -> Poly:
    return OPERATIONS[tree.op](a, tree)


def _quotient(a: Algebra, tree: t.Infix) -> Poly:
    return a.times(a.poly(tree.left), a.reciprocal(tree.right))


def _dot(a: Algebra, tree: t.Infix) -> Poly:
    """u · v = uᵀ v."""
    left, right = ((t.Transpose(part) if a.dims(part)[0] == UNIT else part) for part in (tree.left, tree.right))
    return a.poly(product(t.Transpose(left), right))


def _times(a: Algebra, tree: t.Infix) -> Poly:
    return by_entries(a, a.poly(tree.left), a.poly(tree.right), a.dims(tree))


def _over(a: Algebra, tree: t.Infix) -> Poly:
    return by_entries(a, a.poly(tree.left), a.poly(tree.right), a.dims(tree), -ONE)


def _to_the(a: Algebra, tree: t.Infix) -> Poly:
    """M.^k, of which the exponent may be a number or an array."""
    k, dims = a.exponent(tree.right) if a.is_scalar(tree.right) else None, a.dims(tree)
    if dims == SCALAR:
        return a.poly(t.Power(tree.left, tree.right))
    if isinstance(k, Fraction):
        return by_entries(a, a.poly(ones(dims)), a.poly(tree.left), dims, k)
    return a.atom(t.Infix(".^", a.simplify(tree.left), a.simplify(tree.right)))


def by_entries(a: Algebra, left: Poly, right: Poly, dims: Dims, power: Fraction = ONE) -> Poly:
    """left ⊙ right^power."""
    if dims == SCALAR:
        inverse = a.reciprocal(a.tree(right)) if power == -1 else right
        return a.times(left, inverse)
    if power != 1 and len(right) > 1:
        right = (a.closed(right),)
    pairs = ((one, other) for one in a.opened(left) for other in a.opened(right))
    return a.collect(term for one, other in pairs for term in _entrywise(a, one, other, dims, power))


def _entrywise(a: Algebra, one: Term, other: Term, dims: Dims, power: Fraction) -> Poly:
    if power.denominator != 1 and not _is_bare(a, other):  # a root is of the whole, as √(ab) is not √a √b
        base = a.spelled.setdefault(("base", other), a.term_tree(other))
        outside, items = one._replace(word=()), {**_items(a, one.word), base: power}
        return a.scale(_made(a, items, dims), outside)
    outside = Term(one.coef * other.coef ** int(power), a.merged((*one.scalars, *a.powers(other.scalars, power))))
    return a.scale(_of_words(a, one.word, other.word, dims, power), outside)


def _is_bare(a: Algebra, term: Term) -> bool:
    """Whether it is one item to no power, or a root already."""
    powers = list(_items(a, term.word).values())
    return term.coef == 1 and not term.scalars and (not powers or (len(powers) == 1 and _is_root(powers[0])))


def _is_root(power: Fraction) -> bool:
    return power == 1 or power.denominator != 1


def _of_words(a: Algebra, u: tuple[Factor, ...], v: tuple[Factor, ...], dims: Dims, power: Fraction) -> Poly:
    if dims[0] == UNIT:  # rows as columns
        made = _of_words(a, a.turned_word(u), a.turned_word(v), flipped(dims), power)
        return a.transposed(made)
    items = _items(a, u)
    for item, exponent in _items(a, v).items():
        items[item] = items.get(item, Fraction(0)) + power * exponent
    for item, exponent in [*items.items()]:  # (√(u ⊙ v))² = u ⊙ v
        if exponent.denominator == 1 and len(inner := items_of(item)) + (inner != {item: ONE}) > 1:
            del items[item]
            for each, k in inner.items():
                items[each] = items.get(each, Fraction(0)) + k * exponent
    return _made(a, {item: exponent for item, exponent in items.items() if exponent}, dims)


def _rank_one(a: Algebra, word: Sequence[Factor]) -> tuple[Formula, Formula] | None:
    """The u and v of u vᵀ."""
    for i, factor in enumerate(word[:-1]):
        if a.factor_dims(factor)[1] == UNIT:
            return a.word_tree(word[: i + 1]), a.word_tree(a.turned_word(word[i + 1 :]))
    return None


def _items(a: Algebra, word: tuple[Factor, ...]) -> Items:
    """The factors of a word that is an entrywise product."""
    match word:
        case (Factor(t.Infix("⊙" | "⊘" | ".^") as base, power, turned),) if power == 1:
            inner = items_of(base)
            return {_turned(a, item): k for item, k in inner.items()} if turned else inner
        case _:
            tree = a.word_tree(word)
            return {} if is_ones(tree) else {tree: ONE}


def _turned(a: Algebra, item: Formula) -> Formula:
    """The transpose of an item, of which a sum is spelled as it was first."""
    poly = a.transposed(a.poly(item))
    return a.term_tree(a.closed(poly)) if len(poly) > 1 else a.tree(poly)


def items_of(tree: Formula) -> Items:
    """An entrywise product in normal form as a multiset."""
    match tree:
        case t.Infix("⊙" | "⊘" as op, left, right):
            found = items_of(left)
            for item, power in items_of(right).items():
                found[item] = found.get(item, Fraction(0)) + (power if op == "⊙" else -power)
            return found
        case t.Infix(".^", base, t.Number(value)):
            return {base: Fraction(str(value))}
        case t.Infix(".^", base, t.Infix("/", t.Number(above), t.Number(below))):
            return {base: Fraction(int(above), int(below))}
        case _:
            return {} if is_ones(tree) else {tree: ONE}


def tree_of(items: Items, dims: Dims) -> Formula:
    """A multiset as an entrywise product, what is divided by behind."""

    def joined(sign: int) -> Formula | None:
        powers = [(str(item), item, sign * k) for item, k in items.items() if sign * k > 0]
        made: Formula | None = None
        for _, item, k in sorted(powers, key=lambda each: each[0]):
            part = item if k == 1 else t.Infix(".^", item, number(k))
            made = part if made is None else t.Infix("⊙", made, part)
        return made

    above, below = joined(1), joined(-1)
    above = ones(dims) if above is None else above
    return above if below is None else t.Infix("⊘", above, below)


def _made(a: Algebra, items: Items, dims: Dims) -> Poly:
    if not items:
        return a.poly(ones(dims))
    if len(items) == 1 and ONE in items.values():
        return a.poly(next(iter(items)))
    for item, k in items.items() if dims[1] != UNIT else ():
        split = _rank_one(a, a.factors(item) or ()) if k in (1, -1) else None
        if split:  # (a bᵀ) ⊙ M = diag(a) M diag(b)
            left, right = (t.Apply("diag", part) if k == 1 else t.Apply("inv", t.Apply("diag", part)) for part in split)
            return a.poly(product(left, tree_of({key: p for key, p in items.items() if key != item}, dims), right))
    if dims[0] == dims[1] != UNIT and any(is_constant(item, "I") and k > 0 for item, k in items.items()):
        above = {item: k for item, k in items.items() if k > 0 and not is_constant(item, "I")}  # I ⊙ M
        diagonal = t.Apply("diag", t.Apply("diag", tree_of(above, dims))) if above else identity(dims[0])
        below = {item: k for item, k in items.items() if k < 0}
        if not below:
            return a.poly(diagonal)
        items = {a.simplify(diagonal): ONE, **below}
    unsymmetric = [item for item in items if not a.is_symmetric(item)]
    is_turned = sum(1 if isinstance(item, t.Transpose) else -1 for item in unsymmetric) > 0
    if is_turned:
        items = {_turned(a, item): k for item, k in items.items()}
    base = tree_of(items, flipped(dims) if is_turned else dims)
    return (Term(ONE, (), (a.oriented(Factor(base, ONE, is_turned)),)),)


# --- Diagonals


@normal_form("diag")
def _diag(a: Algebra, tree: t.Apply) -> Poly:
    if a.is_scalar(tree.of):
        return a.poly(tree.of)
    if a.dims(tree.of)[1] != UNIT:
        return a.linear(tree.of, lambda word: _diagonal(a, word))
    poly = a.poly(tree.of)
    if len(poly) > 1 and not a.moving(tree.of):
        poly = (a.closed(poly),)
    return a.collect(out for term in poly for out in a.scale(_diagonal_matrix(a, term.word), term._replace(word=())))


def _diagonal_matrix(a: Algebra, word: tuple[Factor, ...]) -> Poly:
    match word:
        case (Factor(t.Constant("1", (n,))),):
            return a.poly(identity(of_size(n)))
        case (Factor(t.Constant("e", (i, n))),):
            return a.poly(t.Constant("E", (i, i, n, n)))
        case _:
            return (Term(ONE, (), (Factor(t.Apply("diag", a.word_tree(word))),)),)


def _diagonal(a: Algebra, word: tuple[Factor, ...]) -> Poly:
    """The diagonal of a word as a vector."""
    if split := _rank_one(a, word):  # diag(u vᵀ) = u ⊙ v
        return a.poly(t.Infix("⊙", *split))
    match word:
        case (Factor(t.Apply("diag", v), power),) if power in (1, -1):
            return a.poly(v if power == 1 else t.Infix("⊘", ones(a.dims(v)), v))
        case (Factor(t.Constant("I", (n,))),):
            return a.poly(t.Constant("1", (n,)))
        case (Factor(t.Constant("E", (i, j, m, _))),) if i == j:
            return a.poly(t.Constant("e", (i, m)))
        case (Factor(t.Apply("tril" | "triu", of), power),) if power == 1:
            return a.poly(t.Apply("diag", of))
        case (Factor(t.Apply("diag", v), power), *rest) if power == 1:
            return a.poly(t.Infix("⊙", v, t.Apply("diag", a.word_tree(rest))))
        case (*rest, Factor(t.Apply("diag", v), power)) if power == 1:
            return a.poly(t.Infix("⊙", t.Apply("diag", a.word_tree(rest)), v))
        case (Factor(base, power, True),):
            word = (Factor(base, power),)
        case _:
            pass
    ways = (word, a.turned_word(word))
    key = ("diag", frozenset(ways))
    if key not in a.spelled:
        best = min(ways, key=lambda w: sum(f.turned for f in w))
        a.spelled[key] = t.Apply("diag", a.word_tree(best))
    return (Term(ONE, (), (Factor(a.spelled[key]),)),)


# --- Single entries


@normal_form(t.Entry)
def _entry(a: Algebra, tree: t.Entry) -> Poly:
    rows, columns = a.dims(tree.of)
    if len(tree.indices) == 1 and UNIT not in (rows, columns):  # a column of X, in a sum over its columns
        return a.atom(tree)

    def one(word: tuple[Factor, ...]) -> Poly:
        indices = tree.indices
        if len(indices) == 1:
            word = a.turned_word(word) if rows == UNIT else word
            match word:
                case (Factor(t.Constant("1")),):
                    return a.poly(t.Number(1))
                case (Factor(t.Infix("⊙" | "⊘" | ".^") as base, power, _),) if power == 1:
                    parts = [t.Power(t.Entry(item, indices), number(k)) for item, k in items_of(base).items()]
                    return a.poly(product(*parts))
                case _:
                    return entry_of(a, word, indices)
        if split := _rank_one(a, word):
            return a.poly(product(t.Entry(split[0], indices[:1]), t.Entry(split[1], indices[1:])))
        return entry_of(a, word, indices)

    return a.linear(tree.of, one)


def _kron(a: Algebra, tree: t.Infix) -> Poly:
    if a.is_scalar(tree.left) or a.is_scalar(tree.right):
        return a.poly(product(tree.left, tree.right))

    def op(u: Formula, v: Formula) -> Poly:
        (m, n), (p, q) = a.dims(u), a.dims(v)
        if is_constant(u, "I") and is_constant(v, "I"):
            return a.poly(identity(a.dims(t.Infix("⊗", u, v))[0]))
        if n == UNIT and p == UNIT:  # a ⊗ bᵀ = a bᵀ
            return a.poly(product(u, v))
        if m == UNIT and q == UNIT:  # aᵀ ⊗ b = b aᵀ
            return a.poly(product(v, u))
        return (Term(ONE, (), (Factor(t.Infix("⊗", u, v)),)),)

    return _bilinear(a, tree, op)


def _cross(a: Algebra, tree: t.Infix) -> Poly:
    def op(u: Formula, v: Formula) -> Poly:
        return () if u == v else (Term(ONE, (), (Factor(t.Infix("×", u, v)),)),)

    return _bilinear(a, tree, op)


def _bilinear(a: Algebra, tree: t.Infix, op: Callable[[Formula, Formula], Poly]) -> Poly:
    pairs = ((u, v) for u in a.opened(a.poly(tree.left)) for v in a.opened(a.poly(tree.right)))
    return a.collect(
        out
        for u, v in pairs
        for out in a.scale(
            op(a.word_tree(u.word), a.word_tree(v.word)), Term(u.coef * v.coef, a.merged((*u.scalars, *v.scalars)))
        )
    )


def _blocks(a: Algebra, tree: t.Infix) -> Poly:
    return a.atom(t.Infix("⊕", a.simplify(tree.left), a.simplify(tree.right)))


OPERATIONS = {
    "/": _quotient, "·": _dot, "⊙": _times, "⊘": _over, ".^": _to_the, "⊗": _kron, "×": _cross, "⊕": _blocks,
}  # fmt: skip
