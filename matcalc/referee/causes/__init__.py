"""Why a gradient is wrong: hypotheses, each tested numerically, the most specific that explains it reported.

A cause is a function from a `Search` to the causes that hold, and stands in the module of what it looks at: the whole
derivative, its entries, the programs, other points, shapes. A new one is put in its place among HYPOTHESES.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from matcalc.referee.causes import entries, factors, held, points, programs, whole
from matcalc.referee.causes.search import Search
from matcalc.referee.comparison import Comparison
from matcalc.referee.evidence import Evidence
from matcalc.referee.findings import Cause
from matcalc.referee.look import Look

Hypothesis = Callable[[Search], Iterator[Cause]]

HYPOTHESES: tuple[Hypothesis, ...] = (
    whole.not_finite,
    whole.zero,
    whole.not_zero,
    whole.sign,
    whole.conjugated,
    factors.by_log,
    whole.named_factor,
    whole.vec_order,
    whole.other_layout,
    whole.symmetric_convention,
    whole.along_a_domain,
    whole.other_argument,
    entries.one_entry,
    programs.operand_transposed,
    programs.claim_edited,
    factors.missing_factor,
    points.special_arguments,
    factors.missing_matrix,
    programs.truth_edited,
    held.held_constant,
    points.constant,
    whole.any_factor,
    entries.single_entries,
    programs.claim_scaled,
    programs.truth_scaled,
    whole.layout_and_factor,
)
# What is right at the point and wrong nearby is right in all that can be seen there.
HYPOTHESES_NEARBY: tuple[Hypothesis, ...] = (points.constant, points.special_arguments, points.this_point)


def explain(evidence: Evidence, look: Look, wrong: Comparison) -> Cause:
    """The most specific cause that explains why the claim is wrong there."""
    search = Search(evidence, look, wrong)
    hypotheses = HYPOTHESES_NEARBY if wrong.place == "nearby" else HYPOTHESES
    causes = (cause for hypothesis in hypotheses for cause in hypothesis(search))
    found = next(causes, None) or entries.unknown(search)
    return replace(found, text=search.prefix + found.text)
