"""Formulas of matrix calculus: read, printed, sized and evaluated.

>>> from matcalc.formula import parse, evaluate
>>> str(parse("tr(A*X*B)'  -  2 A'B'"))
'tr(A X B)ᵀ - 2 Aᵀ Bᵀ'
"""

from matcalc.formula._errors import FormulaError as FormulaError
from matcalc.formula.evaluate import evaluate as evaluate
from matcalc.formula.parser import parse as parse
from matcalc.formula.parser import parse_equation as parse_equation
from matcalc.formula.shapes import infer as infer
from matcalc.formula.tree import Formula as Formula
from matcalc.formula.tree import terms as terms

__all__ = ["Formula", "FormulaError", "evaluate", "infer", "parse", "parse_equation", "terms"]
