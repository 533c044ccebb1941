"""Derivatives typed as formulas, checked."""

from matcalc.claims.check import FormulaReport as FormulaReport
from matcalc.claims.check import check_formula as check_formula
