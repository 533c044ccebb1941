"""Functions of matrices that JAX lacks, or computes unsoundly, with their derivatives.

Each is plain JAX: it runs on every platform, under jit, vmap and differentiation of any order, save where its
docstring says otherwise.
"""

from matcalc.linalg.basic import eye as eye
from matcalc.linalg.basic import factor as factor
from matcalc.linalg.basic import inv as inv
from matcalc.linalg.basic import inverse as inverse
from matcalc.linalg.basic import kron_diagonal as kron_diagonal
from matcalc.linalg.basic import mpow as mpow
from matcalc.linalg.basic import norm as norm
from matcalc.linalg.basic import outer as outer
from matcalc.linalg.basic import product as product
from matcalc.linalg.basic import tall as tall
from matcalc.linalg.basic import tr as tr
from matcalc.linalg.basic import unit as unit
from matcalc.linalg.derivatives import autodiff as autodiff
from matcalc.linalg.derivatives import jax_rules as jax_rules
from matcalc.linalg.derivatives import with_derivative as with_derivative
from matcalc.linalg.determinants import adj as adj
from matcalc.linalg.determinants import det as det
from matcalc.linalg.determinants import logabsdet as logabsdet
from matcalc.linalg.functions import expm as expm
from matcalc.linalg.functions import logm as logm
from matcalc.linalg.functions import polynomial as polynomial
from matcalc.linalg.functions import polynomial_slope as polynomial_slope
from matcalc.linalg.functions import power_series as power_series
from matcalc.linalg.functions import sandwiched_powers as sandwiched_powers
from matcalc.linalg.functions import sinm_cosm as sinm_cosm
from matcalc.linalg.functions import sqrtm as sqrtm
