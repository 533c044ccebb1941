"""Measuring closed forms against automatic differentiation, so that a sceptic can believe it."""

from matcalc.timing.cell import QUANTITIES as QUANTITIES
from matcalc.timing.cell import REGIMES as REGIMES
from matcalc.timing.cell import Cell as Cell
from matcalc.timing.cell import Quantity as Quantity
from matcalc.timing.cell import cells as cells
from matcalc.timing.cell import why_none as why_none
from matcalc.timing.clock import compute_on_call as compute_on_call
from matcalc.timing.clock import geometric_mean as geometric_mean
from matcalc.timing.clock import in_turn as in_turn
from matcalc.timing.clock import keep_memory as keep_memory
from matcalc.timing.clock import ratio as ratio
from matcalc.timing.peers import PEERS as PEERS
from matcalc.timing.run import AUTODIFF as AUTODIFF
from matcalc.timing.run import OURS as OURS
from matcalc.timing.run import LeftOut as LeftOut
from matcalc.timing.run import Measured as Measured
from matcalc.timing.run import measure as measure
from matcalc.timing.show import plot as plot
from matcalc.timing.show import shown_ratio as shown_ratio
from matcalc.timing.show import shown_time as shown_time
from matcalc.timing.show import summary as summary
from matcalc.timing.show import verdict as verdict
