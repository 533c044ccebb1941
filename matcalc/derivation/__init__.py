"""Derivation: a function is typed, and its derivative comes back, verified."""

from matcalc.derivation.derivation import Derivation as Derivation
from matcalc.derivation.derive import Derivations as Derivations
from matcalc.derivation.derive import derive as derive
