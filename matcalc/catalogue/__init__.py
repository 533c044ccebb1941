"""What makes a function of a chapter an identity: its declaration, and everything that is done with it."""

from matcalc.catalogue.declare import CATALOGUE as CATALOGUE
from matcalc.catalogue.declare import definition as definition
from matcalc.catalogue.declare import identity as identity
from matcalc.catalogue.declare import rule as rule
from matcalc.catalogue.identities import Identity as Identity
from matcalc.catalogue.identities import Rule as Rule
