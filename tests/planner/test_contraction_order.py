"""Contraction orders: the cheapest of all, by exhaustive search, and soon found."""

import functools
import itertools
import math

import numpy as np
import pytest

from matcalc.planner import network
from matcalc.planner.network import Term
from matcalc.planner.search import cheapest
from matcalc.planner.space import TRAFFIC, WRITTEN, Space

SIZES = (1, 2, 3, 5, 8)


# --- Against exhaustive search over chains of matrices


def chains(rng, terms, factors):
    """A random sum of chains of matrices, some transposed, some the same; with the shapes of the matrices."""
    shapes: dict[str, tuple[int, int]] = {}
    rows, columns = rng.choice(SIZES, 2)

    def factor(m, n):
        known = [(name, t) for name, s in shapes.items() for t in (False, True) if (s[::-1] if t else s) == (m, n)]
        if known and rng.random() < 0.6:
            return known[rng.integers(len(known))]
        name, transposed = f"M{len(shapes):02}", bool(rng.random() < 0.3)
        shapes[name] = (n, m) if transposed else (m, n)
        return name, transposed

    def chain():
        sizes = [rows, *rng.choice(SIZES, rng.integers(factors)), columns]
        return tuple(factor(int(m), int(n)) for m, n in itertools.pairwise(sizes))

    return [(int(rng.choice([1, -1])), chain()) for _ in range(terms)], shapes


def exhaustive(sums, shapes):
    """The least cost of all these sums, by writing down every plan: each a set of what is computed, with its cost."""

    def size_of(chain):
        first, last = of(chain[0]), of(chain[-1])
        return first[0], last[1]

    def of(factor):
        name, transposed = factor
        m, n = shapes[name] if isinstance(name, str) else size_of(name[0][1])
        return (n, m) if transposed else (m, n)

    def turned(chain):
        return tuple((name, not transposed) for name, transposed in reversed(chain))

    def one_of(chain):
        return min(chain, turned(chain), key=repr)

    def sum_of(group):
        """A sum as a factor: the same up to transposition, then with whether it is transposed."""
        straight = tuple(sorted(group, key=repr))
        other = tuple(sorted(((sign, turned(chain)) for sign, chain in group), key=repr))
        return (straight, False) if repr(straight) <= repr(other) else (other, True)

    @functools.cache
    def of_chain(chain):
        if len(chain) == 1:
            name, _ = chain[0]
            return (frozenset(),) if isinstance(name, str) else of_sum(name)
        if one_of(chain) != chain:
            return of_chain(one_of(chain))
        (m, n), plans = size_of(chain), set()
        for k in range(1, len(chain)):
            left, right = chain[:k], chain[k:]
            inner = size_of(left)[1]
            own = (("chain", chain, k), m * inner * n + TRAFFIC * (m * inner + inner * n + m * n))
            plans |= {p | q | {own} for p in of_chain(left) for q in of_chain(right)}
        return tuple(plans)

    @functools.cache
    def of_sum(group):
        if len(group) == 1 and group[0][0] == 1:
            return of_chain(group[0][1])
        size, terms = math.prod(size_of(group[0][1])), len(group)
        own = (("sum", group), (terms - 1) * size + TRAFFIC * (terms + 1) * size)
        plans = {
            frozenset().union(*parts, [own]) for parts in itertools.product(*(of_chain(chain) for _, chain in group))
        }
        for many in range(2, len(group) + 1):
            for chosen in itertools.combinations(range(len(group)), many):
                members = [group[k] for k in chosen]
                rest = [group[k] for k in range(len(group)) if k not in chosen]
                for length in range(1, min(len(chain) for _, chain in members)):
                    heads, tails = {c[:length] for _, c in members}, {c[-length:] for _, c in members}
                    if len(heads) == 1:
                        inner = sum_of([(sign, chain[length:]) for sign, chain in members])
                        plans |= set(of_sum(sum_of([*rest, (1, (*heads.pop(), inner))])[0]))
                    if len(tails) == 1:
                        inner = sum_of([(sign, chain[:-length]) for sign, chain in members])
                        plans |= set(of_sum(sum_of([*rest, (1, (inner, *tails.pop()))])[0]))
        return tuple(plans)

    plans = itertools.product(*(of_sum(sum_of(terms)[0]) for terms in sums))
    return min(sum(cost for _, cost in frozenset().union(*together)) for together in plans)


def planned(sums, shapes):
    space = Space()

    def term(sign, chain):
        labels = range(len(chain) + 1)
        pairs = [(i, j) if not t else (j, i) for (i, j), (_, t) in zip(itertools.pairwise(labels), chain, strict=True)]
        factors = tuple((space.array(name, shapes[name]), pair) for (name, _), pair in zip(chain, pairs, strict=True))
        return Term(sign, factors, (0, len(chain)))

    return cheapest(space, [space.sum([term(*t) for t in terms]).node for terms in sums])


@pytest.mark.parametrize(
    ("terms", "factors", "cases"), [(1, 6, 200), (2, 6, 100), (3, 5, 100), (4, 4, 100), (4, 6, 20)]
)
def test_the_plan_is_the_cheapest_of_all(terms, factors, cases):
    rng = np.random.default_rng([terms, factors])
    for _ in range(cases):
        drawn, shapes = chains(rng, terms, factors)
        assert planned([drawn], shapes).cost == exhaustive([drawn], shapes), (drawn, shapes)


@pytest.mark.parametrize(("sums", "terms", "factors", "cases"), [(2, 1, 5, 200), (2, 2, 4, 100), (3, 1, 4, 100)])
def test_the_plan_of_several_sums_is_the_cheapest_of_all(sums, terms, factors, cases):
    """What they have in common is computed once, and counts once."""
    rng, shared = np.random.default_rng([sums, terms, factors]), 0
    for _ in range(cases):
        drawn, shapes = chains(rng, sums * terms, factors)
        split = [drawn[k : k + terms] for k in range(0, len(drawn), terms)]
        cost = planned(split, shapes).cost
        assert cost == exhaustive(split, shapes), (split, shapes)
        shared += cost < sum(planned([one], shapes).cost for one in split)
    assert shared > 4


# --- How long it takes


def test_planning_an_entry_takes_little(case, monkeypatch):
    """A plan numbers the labels of products, in every order of their factors: some 100 times a millisecond."""
    count, numbered = 0, network._renamed

    def counted(*given):
        nonlocal count
        count += 1
        return numbered(*given)

    monkeypatch.setattr(network, "_renamed", counted)
    entry, kind = case
    entry.plan(kind=kind)
    assert count < 1.5 * WRITTEN
