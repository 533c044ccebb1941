"""Formulas from JAX functions: a function is traced, and its program is read back into a formula."""

# The table of rules is filled when these are imported.
from matcalc.derivation.traced import choices, places, primitives
from matcalc.derivation.traced.arguments import Examples as Examples
from matcalc.derivation.traced.tracing import read_function as read_function

RULES = (primitives, choices, places)
