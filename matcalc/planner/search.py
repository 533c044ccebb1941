"""The cheapest contraction order of several sums of products, by branch and bound.

What is minimised. A plan σ chooses an option for each node that it needs. N(σ) are these nodes: the goals, and with a
node n the parts of its option σ(n). With the price c of an option, the plan costs

    C(σ) = Σ c(σ(n)) over n ∈ N(σ).

N(σ) is a set: what is needed twice, a common subexpression, is paid once. So the costs of the parts of a node do not
add up to that of the node, and dynamic programming, which gives the order of one product of different arrays, does not
give that of several. The problem is NP-hard already for one product [1]. The parts of a connected product are
connected, as in [2]; common subexpressions are weighed while orders are chosen, as in [3], not looked for afterwards.

Why the state is sufficient. A state of the search is the set of nodes for which an option is still to be chosen
(`todo`), the options chosen so far, and their price (`paid`). A node is in canonical form and its options depend on
nothing else. So `todo` and the nodes that have been chosen determine all completions of the state, and what they add to
the price; the order in which nodes were chosen does not matter. Every plan can be reached, by choosing σ(n) for each n.
The search ends, because no node is a part of itself.

Why the bound is admissible. The bound of a node is the least, over its options, of the price and the bounds of those
parts that cannot stand at a second place:

    b(n) = min over o of c(o) + Σ b(p) over the parts p of o that stand at one place.

No completion costs less than paid + Σ b(n) over n ∈ todo. Unroll the sum along the choices of the completion: it
consists of prices of nodes that the completion has to pay. It is too large only if a node is in it twice, or is paid
already; such a node stands at two places. Let the goals hold the array a s(a) times, and p hold it k(a) times. Options
never use an array more often than the node holds it. So if p stands at two places, then 2 k(a) ≤ s(a) for all a; where
that fails for some a, p stands at one place only. All other parts may be shared, and count nothing in b.

A branch is cut off where its bound is no less than the price of the best plan found [4]. The options of least bound are
tried first, and after STEPS states the best plan found is taken.

[1] C.-C. Lam, P. Sadayappan, R. Wenger, On optimizing a class of multi-dimensional loops with reductions for parallel
    execution, Parallel Processing Letters 7 (1997).
[2] R. N. C. Pfeifer, J. Haegeman, F. Verstraete, Faster identification of optimal contraction sequences for tensor
    networks, Physical Review E 90, 033315 (2014), arXiv:1304.6112.
[3] A. Hartono et al., Identifying cost-effective common subexpressions to reduce operation count in tensor contraction
    evaluations, International Conference on Computational Science (2006).
[4] A. H. Land, A. G. Doig, An automatic method of solving discrete programming problems, Econometrica 28 (1960).
"""

import functools
import math
from collections import Counter
from collections.abc import Sequence

from matcalc.planner.network import Node
from matcalc.planner.plan import Plan
from matcalc.planner.space import Option, Space

STEPS = 5000  # states that are looked at, at most, once a plan is found
UNIT = 2**64  # of cost in a price; what is less decides only between plans of equal cost


def cheapest(space: Space, goals: Sequence[Node]) -> Plan:
    """The plan of least cost; of several, one that keeps little in memory. TooLarge if it would take too long."""
    supply = sum((space.arrays[goal] for goal in goals), Counter[Node]())
    bounds: dict[Node, int] = {}

    @functools.cache
    def can_be_shared(node: Node) -> bool:
        """Whether the goals hold the arrays of a node often enough for it to stand at two places."""
        return all(2 * count <= supply[a] for a, count in space.arrays[node].items())

    @functools.cache
    def kept(node: Node) -> int:
        """The entries of a node, times the arrays that a program computes while it can keep them.

        These are the arrays computed later than all those in the node. A (X Y) keeps less than (A X) Y where much is
        done to get Y.
        """
        newest = max(space.computed & {*space.arrays[node]}, default=-1)
        return math.prod(space.shapes[node]) * sum(array > newest for array in space.computed & {*supply})

    def price(node: Node, option: Option) -> int:
        return UNIT * option.cost + kept(node)

    def bound(node: Node) -> int:
        if node not in bounds:
            bounds[node] = min((bound_with(node, option) for option in space.options(node)), default=0)
        return bounds[node]

    def bound_with(node: Node, option: Option) -> int:
        parts = {part.node for part in option.parts}
        return price(node, option) + sum(bound(part) for part in parts if not can_be_shared(part))

    best: tuple[float, dict[Node, Option]] = (math.inf, {})
    steps = 0

    def search(todo: frozenset[Node], chosen: dict[Node, Option], paid: int) -> None:
        nonlocal best, steps
        steps += 1
        if paid + sum(map(bound, todo)) >= best[0] or (steps > STEPS and best[1]):
            return
        if not todo:
            best = (paid, chosen)
            return
        node = max(todo, key=lambda node: (space.arrays[node].total(), node))  # of the most arrays
        rest = todo - {node}
        options = space.options(node)
        if not options:
            search(rest, chosen, paid)
        for option in sorted(options, key=functools.partial(bound_with, node)):
            new = {part.node for part in option.parts} - chosen.keys()
            search(rest | new, chosen | {node: option}, paid + price(node, option))

    search(frozenset(goals), {}, 0)
    return Plan(tuple(goals), best[1])
