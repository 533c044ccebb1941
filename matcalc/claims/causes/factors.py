"""What may be meant as a factor: variables, and what stands in the function and in the claim; and products of them.

Products are compared with what is missing in numbers, thousands at once; a product L R is never formed for that, as
⟨L R, T⟩ is ⟨L, T R'⟩, and |L R|² is ⟨L'L, R R'⟩.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.arbitrary import derivative_of, is_arbitrary

Points = Sequence[tuple[Problem, Arguments]]

MATRICES, SCALARS = 40, 60  # at most, that are tried
CHAINS = 600  # products, at most, on either side of a longer one
LONGEST = 4  # factors of these
SAME = 1e-10  # the square of the sine of an angle between what is the same but for a factor
INVERTED = ("inv", "det", "pinv", "adj")


@dataclass(frozen=True, eq=False)
class Chain:
    """A product of factors, with its values at all points: as matrices, a vector being a column."""

    factors: tuple[Formula, ...]
    values: Array  # (points, rows, columns)


def scalars(problem: Problem, claim: Formula) -> Iterator[Formula]:
    """What may be a factor: letters, sizes, numbers in the function and the claim, roots and powers."""
    letters = [name for name, shape in problem.symbols.items() if not shape]
    simple: list[Formula] = [t.Name(name) for name in (*letters, *problem.sizes)]
    inner = dict.fromkeys((*t.nodes(problem.formula), *t.nodes(claim)))
    parts = [node for node in inner if isinstance(node, (t.Apply, t.Product, t.Sum, t.Infix, t.Power, t.Entry))]
    one, two, three = t.Number(1), t.Number(2), t.Number(3)
    for x in (*simple, *sorted(parts, key=t.depth)):
        yield from (x, t.Infix("/", one, x), t.Power(x, two), t.Infix("/", one, t.Power(x, two)))
        yield from (t.Apply("sqrt", x), t.Infix("/", one, t.Apply("sqrt", x)))
        yield from (t.Infix("/", one, t.Power(x, three)) for _ in range(problem.order - 1))
        match x:
            case t.Apply(function, of) if function in DERIVATIVES or is_arbitrary(function):
                yield t.Apply(DERIVATIVES.get(function) or derivative_of(function), of)
            case t.Power(base, exponent):
                yield t.Power(base, t.Sum((exponent, t.Neg(one))))
                yield t.Product((exponent, t.Power(base, t.Sum((exponent, t.Neg(one))))))
            case _:
                pass

    called = [x for x in inner if isinstance(x, t.Apply) and is_arbitrary(x.function)]
    for one, other in itertools.permutations(called, 2):  # as the rule of products has them
        yield t.Product((one, t.Apply(derivative_of(other.function), other.of)))


DERIVATIVES = {"sin": "cos", "cos": "sin", "softplus": "sigmoid"}


def scalar_values(problem: Problem, claim: Formula, points: Points) -> list[tuple[Formula, Array]]:
    """The numbers that may be a factor, at all points, each value once."""
    found: list[tuple[Formula, Array]] = []
    for tree in scalars(problem, claim):
        try:
            values = [each.value_of(tree, at) for each, at in points]
        except ValueError:
            continue
        if any(np.ndim(value) for value in values):
            continue
        known = np.array(values, np.float64)
        is_one = np.allclose(known, known[0], rtol=1e-9)  # the same everywhere: a number, and no function of arguments
        is_factor = np.all(np.isfinite(known)) and np.all(known) and not is_one
        if is_factor and not any(np.allclose(known, other, rtol=1e-9) for _, other in found):
            found.append((tree, known))
        if len(found) == SCALARS:
            break
    return found


def matrices(problem: Problem, claim: Formula, points: Points) -> list[Chain]:
    """Matrices and vectors that may be a factor, at all points, each value once; the simple ones first."""
    trees = [*t.nodes(problem.formula), *t.nodes(claim)]
    arbitrary = [tree for tree in trees if isinstance(tree, t.Apply) and is_arbitrary(tree.function)]
    trees += [t.Apply(derivative_of(tree.function), tree.of) for tree in arbitrary]
    is_inverted = any(isinstance(node, t.Apply) and node.function in INVERTED for node in trees)
    inner = sorted(dict.fromkeys(trees), key=lambda tree: (t.depth(tree), isinstance(tree, t.Product)))
    found: list[Chain] = []
    for tree in (*map(t.Name, problem.shapes), *inner):
        if isinstance(tree, (t.Number, t.Constant)):
            continue
        turned = t.transpose(tree, [name for name, shape in problem.symbols.items() if not shape])
        inverse = (t.Apply("inv", tree), t.Transpose(t.Apply("inv", tree))) if is_inverted else ()
        for each in (tree, turned, *inverse, t.Apply("diag", tree)):
            chain = _chain(each, points)
            if chain and not any(_is_same(chain.values, other.values) for other in found):
                found.append(chain)
        if len(found) >= MATRICES:
            break
    return found


def _chain(tree: Formula, points: Points) -> Chain | None:
    """A factor with its values; None for numbers, and for what has no value."""
    try:
        values = [np.asarray(each.value_of(tree, at)) for each, at in points]
    except ValueError:
        return None
    if any(value.ndim not in (1, 2) or not np.all(np.isfinite(value)) for value in values):
        return None
    return Chain((tree,), np.stack([value.reshape(len(value), -1) for value in values]))


def _is_same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=0))


def products(
    factors: Sequence[Chain], numbers: Sequence[tuple[Formula, Array]], target: Array, others: Array
) -> Iterator[tuple[Formula, ...]]:
    """Products, of numbers too, that make up the target but for a factor and multiples of `others`; short ones first.

    `target` is (points, rows, columns), `others` (how many, points, rows, columns), the numbers have a value at each.
    """
    if not factors or not np.any(target):
        return
    basis = np.linalg.qr(others.reshape(len(others), -1).T)[0].T.reshape(others.shape) if len(others) else others
    flat = target.ravel()
    for each in basis:
        flat = flat - (each.ravel() @ flat) * each.ravel()
    size = float(flat @ flat)
    if size <= 1e-16 * float(target.ravel() @ target.ravel()):
        return
    left = flat.reshape(target.shape)
    ones: list[tuple[Formula | None, Array]] = [(None, np.ones(len(target)))]
    levels = list(itertools.islice(_levels(factors), LONGEST))
    rows, columns = target.shape[1:]
    for count in range(1, 2 * LONGEST + 1):
        starts, ends = (count + 1) // 2 - 1, count // 2 - 1
        if starts >= len(levels) or ends >= len(levels):
            return
        first = [chain for chain in levels[starts] if chain.values.shape[1] == rows]
        last = levels[ends] if ends >= 0 else [None]
        for inner in {chain.values.shape[2] for chain in first}:
            L = [chain for chain in first if chain.values.shape[2] == inner]
            if ends < 0:
                R = [Chain((), np.broadcast_to(np.eye(inner), (len(target), inner, inner)))] if inner == columns else []
            else:
                R = [c for c in last if c and c.values.shape[1:] == (inner, columns)]
            if L and R:
                yield from _matching(L, R, [*ones, *numbers] if count <= 4 else ones, left, basis, size)


def _matching(
    L: Sequence[Chain],
    R: Sequence[Chain],
    numbers: Sequence[tuple[Formula | None, Array]],
    target: Array,
    basis: Array,
    size: float,
) -> Iterator[tuple[Formula, ...]]:
    """The products of one of each, times a number, that are the target but for a factor and the span of the basis."""
    lefts, rights = (np.stack([chain.values for chain in side]) for side in (L, R))  # (how many, points, rows, columns)

    def along(values: Array) -> Array:
        """The inner products with all L R at each point, (points, of L, of R)."""
        turned = np.einsum("pik,rpjk->rpij", values, rights, optimize=True)
        return np.einsum("lpij,rpij->plr", lefts, turned, optimize=True)

    grams = np.einsum("lpij,lpik->lpjk", lefts, lefts), np.einsum("rpij,rpkj->rpik", rights, rights)
    squares = np.einsum("lpij,rpij->plr", *grams, optimize=True)
    inner, spanned = along(target), [along(each) for each in basis]
    for number, values in numbers:
        d = np.tensordot(values, inner, 1)
        n = np.tensordot(values**2, squares, 1)
        left = n - sum((np.tensordot(values, each, 1) ** 2 for each in spanned), np.zeros_like(n))
        with np.errstate(all="ignore"):
            sine = 1 - d**2 / (left * size)
        for i, j in np.argwhere((sine < SAME) & (left > 1e-12 * n)):
            yield (*((number,) if number is not None else ()), *L[i].factors, *R[j].factors)


def _levels(factors: Sequence[Chain]) -> Iterator[list[Chain]]:
    """All products of one factor, of two, and so on, while there are not too many."""
    level = list(factors)
    while level and len(level) <= CHAINS:
        yield level
        longer: list[Chain] = []
        for chain, factor in itertools.product(level, factors):
            if chain.values.shape[2] == factor.values.shape[1]:
                longer.append(Chain(chain.factors + factor.factors, chain.values @ factor.values))
                if len(longer) > CHAINS:
                    return
        level = longer
