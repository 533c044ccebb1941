"""The derivative that comes out when something that depends on the argument is held constant."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from matcalc.referee.blocks import Blocks
from matcalc.referee.causes.search import Search, claim_at
from matcalc.referee.constants import SITES
from matcalc.referee.findings import Cause
from matcalc.referee.jaxprs import Held
from matcalc.referee.programs import Arrays


def held_constant(search: Search) -> Iterator[Cause]:
    """A mean, a norm, a variance: one value of f was taken for a constant, or all sums and products together."""
    runs = search.runs
    if runs.order != 1 or runs.form != "derivative" or not search.has_automatic or runs.of_value.mode != "jit":
        return
    start, tangents = runs.subject.start(runs.exact), runs.tangents(np.float64)
    try:
        held = Held(runs.of_value.traced(start, runs.exact, tangents))
    except Exception:  # an operation that cannot be run alone: nothing is known this way
        return
    if not 0 < len(held.sites) <= SITES:
        return

    is_wide = sum(v.size for v in start) > runs.centre[0].size
    jacobian: Any = jax.jacrev if is_wide else jax.jacfwd
    derivative = jax.jit(lambda mask, moved, rest: jacobian(lambda v: held(mask, *v, *rest)[0])(moved))

    def with_held(mask: Any, at: Arrays) -> Blocks:
        blocks = derivative(mask, runs.subject.start(at), [*at, *tangents])
        return search.evidence.view(search.evidence.space.shaped([np.asarray(D) for D in blocks]))

    def is_claimed(mask: Any) -> bool:
        if not search.agree(with_held(mask, runs.exact), search.seen):
            return False
        if search.second is None:
            return True
        there = claim_at(search.evidence, search.second.arrays)
        return there is not None and search.agree(with_held(mask, search.second.arrays), there)

    remedy = "It depends on the argument: add what comes of that."
    for k, (_, line) in enumerate(held.sites):
        if line and is_claimed(np.arange(len(held.sites)) == k):
            yield Cause("held constant", f"It is the derivative with {line} held constant.", remedy)
    # All together, but for those through which the whole derivative passes, such as a sum of losses at the end.
    sums = np.array([name.startswith("reduce_") for name, _ in held.sites])
    for k in np.flatnonzero(sums):
        sums[k] = any(np.any(D) for D in with_held(np.arange(len(sums)) == k, runs.exact))
    if np.sum(sums) > 1 and is_claimed(sums):
        text = "It is the derivative with all sums and extrema inside f held constant."
        yield Cause("held constant", text, "They depend on the argument: add what comes of that.")
