"""Derivatives of formulas by rules: differentials, adjoints and Jacobians, and one normal form that simplifies."""

# The tables of rules are filled when these are imported.
from matcalc.calculus import closings, entries, functions, products, sums
from matcalc.calculus.algebra import Algebra as Algebra
from matcalc.calculus.derive import Derivative as Derivative
from matcalc.calculus.derive import derivative as derivative
from matcalc.calculus.printed import written as written
from matcalc.calculus.shorten import shortest as shortest
from matcalc.calculus.terms import NotDerivable as NotDerivable

RULES = (products, closings, entries, functions, sums)
