"""Programs compiled for devices that need not be here, and what they are: what `matcalc compile` does."""

from matcalc.devices.compilers import VERDICTS as VERDICTS
from matcalc.devices.compilers import Outcome as Outcome
from matcalc.devices.compilers import Verdict as Verdict
from matcalc.devices.program import QUANTITIES as QUANTITIES
from matcalc.devices.program import Program as Program
from matcalc.devices.program import Quantity as Quantity
from matcalc.devices.program import left_out as left_out
from matcalc.devices.program import programs as programs
from matcalc.devices.run import LIMIT as LIMIT
from matcalc.devices.run import outcomes as outcomes
from matcalc.devices.targets import TARGETS as TARGETS
from matcalc.devices.targets import Target as Target
