"""Programs compiled for devices that need not be here, and what they are: what `matcalc compile` does."""

from matcalc.devices.compilers import VERDICTS as VERDICTS
from matcalc.devices.compilers import Outcome as Outcome
from matcalc.devices.compilers import Verdict as Verdict
from matcalc.devices.products import products as products
from matcalc.devices.products import weak_products as weak_products
from matcalc.devices.programs import QUANTITIES as QUANTITIES
from matcalc.devices.programs import Program as Program
from matcalc.devices.programs import Quantity as Quantity
from matcalc.devices.programs import left_out as left_out
from matcalc.devices.programs import programs as programs
from matcalc.devices.run import LIMIT as LIMIT
from matcalc.devices.run import outcomes as outcomes
from matcalc.devices.targets import TARGETS as TARGETS
from matcalc.devices.targets import Target as Target
