"""A plan: the option chosen for each node, and which of its sums are computed as one product."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from matcalc.planner.network import Node
from matcalc.planner.space import Option, Space


@dataclass(frozen=True)
class Plan:
    """The contraction order of the goals: for each node that they need the option chosen."""

    goals: tuple[Node, ...]
    chosen: Mapping[Node, Option]

    @property
    def operations(self) -> int:
        return sum(option.operations for option in self.chosen.values())

    @property
    def cost(self) -> int:
        return sum(option.cost for option in self.chosen.values())


def thin_sums(space: Space, plan: Plan) -> list[Option]:
    """The sums of matrix products that are computed as one product: P Q + R S = [P R] [Q; S].

    That writes the sum once instead of each product and the sum. It pays where [P R] and [Q; S], which are written
    instead, have together no more entries than the sum.
    """
    uses = Counter(plan.goals) + Counter(part.node for option in plan.chosen.values() for part in option.parts)

    def is_thin(option: Option) -> bool:
        stacked = written = 0
        for part in option.parts:
            product = plan.chosen.get(part.node)
            if product is None or product.name != "contract" or uses[part.node] > 1:
                return False
            left, right = product.parts
            if not len(left.labels) == len(right.labels) == len(product.labels) == 2:
                return False
            if len({*left.labels} - {*product.labels}) != 1 or {*left.labels} == {*right.labels}:
                return False
            stacked += math.prod(space.shapes[left.node]) + math.prod(space.shapes[right.node])
            written = math.prod(space.shapes[part.node])
        return stacked <= written

    return [option for option in plan.chosen.values() if option.name == "add" and is_thin(option)]
