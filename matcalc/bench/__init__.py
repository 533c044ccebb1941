"""Measuring closed forms against automatic differentiation, so that a sceptic can believe it."""

from matcalc.bench._cells import QUANTITIES as QUANTITIES
from matcalc.bench._cells import REGIMES as REGIMES
from matcalc.bench._cells import Cell as Cell
from matcalc.bench._cells import Quantity as Quantity
from matcalc.bench._cells import cells as cells
from matcalc.bench._cells import why_none as why_none
from matcalc.bench._measure import compute_on_call as compute_on_call
from matcalc.bench._measure import geometric_mean as geometric_mean
from matcalc.bench._measure import in_turn as in_turn
from matcalc.bench._measure import keep_memory as keep_memory
from matcalc.bench._measure import ratio as ratio
from matcalc.bench._peers import PEERS as PEERS
from matcalc.bench._run import AUTODIFF as AUTODIFF
from matcalc.bench._run import OURS as OURS
from matcalc.bench._run import LeftOut as LeftOut
from matcalc.bench._run import Measured as Measured
from matcalc.bench._run import measure as measure
from matcalc.bench._show import plot as plot
from matcalc.bench._show import shown_ratio as shown_ratio
from matcalc.bench._show import shown_time as shown_time
from matcalc.bench._show import summary as summary
from matcalc.bench._show import verdict as verdict
