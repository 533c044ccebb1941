"""The parts of a program that are planned: groups of sums of products that have arrays in common."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from jax.extend.core import Jaxpr, Var

from matcalc.planner.cost import work_of
from matcalc.planner.kernels import copied_entries
from matcalc.planner.network import Label, Labels, Part, connected_components
from matcalc.planner.operations import JaxprEqn, known
from matcalc.planner.plan import Plan, thin_sums
from matcalc.planner.recognition import Recogniser
from matcalc.planner.search import cheapest
from matcalc.planner.space import TooLarge, estimated_time


@dataclass(frozen=True)
class Group:
    """Goals that have arrays in common, and the plan for them."""

    goals: tuple[Var, ...]
    plan: Plan
    precision: Any
    written: tuple[JaxprEqn, ...]  # the operations that the plan replaces


class Grouping:
    """A program as groups of goals, each with a plan that gains something, and the rest, which stays as it is.

    A goal is a sum of products that something else needs. `parts` has for each goal its node and the order of its axes.
    """

    def __init__(self, jaxpr: Jaxpr) -> None:
        self.jaxpr = jaxpr
        self.recognised = Recogniser(jaxpr)
        self.parts: dict[Var, tuple[Part, Labels]] = {}
        goals, _ = self._needed({var for var, found in self.recognised.sums.items() if found.has_all_entries})
        groups = [group for goals in connected_components(goals, self._marks) if (group := self._group(goals))]
        self.groups, self.rest = self._gaining(groups)  # the rest by place in memory of the operations

    def _needed(self, candidates: Collection[Var]) -> tuple[list[Var], set[int]]:
        """Which candidates are needed as goals, in the order in which they are made; and the operations of the rest."""
        todo = [atom for atom in self.jaxpr.outvars if isinstance(atom, Var)]
        rest = {id(eqn) for eqn in self.jaxpr.eqns if eqn.effects}
        todo += [a for eqn in self.jaxpr.eqns if eqn.effects for a in eqn.invars if isinstance(a, Var)]
        makers, seen = self.recognised.makers, set[Var]()
        while todo:
            var = todo.pop()
            if var in seen or var not in makers:
                continue
            seen.add(var)
            if var in candidates:
                todo += [atom for atom in self._arrays(var) if isinstance(atom, Var)]
            else:
                rest.add(id(makers[var]))
                todo += [a for a in makers[var].invars if isinstance(a, Var)]
        return [var for eqn in self.jaxpr.eqns for var in eqn.outvars if var in candidates and var in seen], rest

    def _arrays(self, var: Var) -> list[Any]:
        """The values that are the factors of a sum of products."""
        space, atoms = self.recognised.space, self.recognised.atoms
        names = [space.nodes[node][1] for term in self.recognised.sums[var].terms for node, _ in term.factors]
        return [atoms[name] for name in names if name in atoms]

    def _marks(self, goal: Var) -> list[Any]:
        """What goals of one group have in common: an array, and their precision."""
        found = self.recognised.sums[goal]
        precision = found.precision if found.multiplies else None
        return [(id(atom), precision) for atom in self._arrays(goal)]

    def _group(self, goals: Sequence[Var]) -> Group | None:
        """The goals with their plan; None if there is nothing to compute, or a plan would take too long to find."""
        written = self._written(goals)
        if not any(work_of(eqn).operations for eqn in written):
            return None
        sums, space = self.recognised.sums, self.recognised.space
        try:
            for goal in goals:
                terms = sums[goal].terms
                self.parts[goal] = space.sum(terms), terms[0].axes
            plan = cheapest(space, [self.parts[goal][0].node for goal in goals])
        except TooLarge:
            return None
        precision = next((sums[goal].precision for goal in goals if sums[goal].multiplies), None)
        return Group(tuple(goals), plan, precision, tuple(written))

    def _written(self, goals: Sequence[Var]) -> list[JaxprEqn]:
        """The operations that make the goals of their arrays in the program as written."""
        arrays = {atom for goal in goals for atom in self._arrays(goal) if isinstance(atom, Var)}
        todo, found = list(goals), dict[int, JaxprEqn]()
        while todo:
            eqn = self.recognised.makers[todo.pop()]
            if id(eqn) not in found:
                found[id(eqn)] = eqn
                todo += [a for a in eqn.invars if isinstance(a, Var) and a in self.recognised.sums and a not in arrays]
        return list(found.values())

    # --- What a plan gains

    def _gaining(self, groups: list[Group]) -> tuple[list[Group], set[int]]:
        """The groups whose plans cost less than what they replace and take no more operations; and the rest.

        An operation that is done anyway, for the rest or for another group, does not count as replaced.
        """
        while True:
            _, rest = self._needed({goal for group in groups for goal in group.goals})
            done, gaining = set(rest), list[Group]()
            for group in groups:
                saved = [eqn for eqn in group.written if id(eqn) not in done]
                done |= set(map(id, saved))
                is_cheaper = group.plan.cost < sum(map(self._time, saved))
                is_cheaper = is_cheaper or bool(thin_sums(self.recognised.space, group.plan))
                if is_cheaper and group.plan.operations <= sum(work_of(eqn).operations for eqn in saved):
                    gaining.append(group)
            if len(gaining) == len(groups):
                return groups, rest
            groups = gaining

    def _time(self, eqn: JaxprEqn) -> int:
        operations, moved, _ = work_of(eqn)
        return estimated_time(operations, moved + 2 * self._needlessly_copied(eqn), solves=known(eqn) == "inv")

    def _needlessly_copied(self, eqn: JaxprEqn) -> int:
        """The entries that a product of matrices copies as written, and would not with its factors swapped."""
        if eqn.primitive.name != "dot_general":
            return 0
        (contracted, batch), factors, sizes = eqn.params["dimension_numbers"], list[Labels](), dict[Label, int]()
        if len(contracted[0]) != 1 or batch != ((), ()) or max(atom.aval.ndim for atom in eqn.invars) > 2:
            return 0
        summed = 2
        for k, (atom, (axis,)) in enumerate(zip(eqn.invars, contracted, strict=True)):
            labels = tuple(summed if i == axis else k for i in range(atom.aval.ndim))
            sizes |= zip(labels, atom.aval.shape, strict=True)
            factors.append(labels if self.recognised.made_by(atom, "transpose") is None else labels[::-1])
        left, right = factors
        opened = tuple(label for label in left + right if label != summed)
        as_written, swapped = (copied_entries(*two, sizes, opened, opened) for two in ((left, right), (right, left)))
        return max(0, as_written - swapped)
