"""Derivation: a function is typed, and its derivative comes back, verified."""

from matcalc.derivation.derivation import Derivation as Derivation
from matcalc.derivation.deriving import Derivations as Derivations
from matcalc.derivation.deriving import derive as derive
