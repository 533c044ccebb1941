"""The referee: independent witnesses of a derivative, a tolerance that is derived, and a verdict with its reason."""

from matcalc.referee.check import check_gradient as check_gradient
from matcalc.referee.check import examine as examine
from matcalc.referee.check import settings as settings
from matcalc.referee.check import validated as validated
from matcalc.referee.differences import Estimate as Estimate
from matcalc.referee.differences import finite_differences as finite_differences
from matcalc.referee.emulation import EMULATED as EMULATED
from matcalc.referee.emulation import Emulated as Emulated
from matcalc.referee.emulation import emulate_products as emulate_products
from matcalc.referee.findings import VERDICTS as VERDICTS
from matcalc.referee.findings import Cause as Cause
from matcalc.referee.findings import Variable as Variable
from matcalc.referee.findings import Verdict as Verdict
from matcalc.referee.log_det import check_log_det as check_log_det
from matcalc.referee.report import GradientError as GradientError
from matcalc.referee.report import Report as Report
from matcalc.referee.tolerances import PRECISIONS as PRECISIONS
from matcalc.referee.tolerances import Precision as Precision
from matcalc.referee.tolerances import tolerance as tolerance
from matcalc.referee.tolerances import unit_roundoff as unit_roundoff
