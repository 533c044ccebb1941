"""The referee: independent witnesses of a derivative, a tolerance that is derived, and a verdict with its reason."""

from matcalc.referee._check import check_gradient as check_gradient
from matcalc.referee._finite_differences import Estimate as Estimate
from matcalc.referee._finite_differences import finite_differences as finite_differences
from matcalc.referee._formula import FormulaReport as FormulaReport
from matcalc.referee._formula import check_formula as check_formula
from matcalc.referee._report import VERDICTS as VERDICTS
from matcalc.referee._report import Cause as Cause
from matcalc.referee._report import GradientError as GradientError
from matcalc.referee._report import Report as Report
from matcalc.referee._report import Variable as Variable
from matcalc.referee._report import Verdict as Verdict
from matcalc.referee._tolerance import PRECISIONS as PRECISIONS
from matcalc.referee._tolerance import Precision as Precision
from matcalc.referee._tolerance import tolerance as tolerance
from matcalc.referee._tolerance import unit_roundoff as unit_roundoff
from matcalc.referee._verify import Result as Result
from matcalc.referee._verify import Settings as Settings
from matcalc.referee._verify import verify as verify
