"""matcalc: the matrix-calculus handbook as running JAX code."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from matcalc.catalogue import CATALOGUE as CATALOGUE
from matcalc.catalogue import Identity as Identity
from matcalc.catalogue import Rule as Rule
from matcalc.handbook.determinants import cofactor as cofactor
from matcalc.handbook.determinants import det_axb as det_axb
from matcalc.handbook.determinants import det_axb_invertible as det_axb_invertible
from matcalc.handbook.determinants import det_axb_square as det_axb_square
from matcalc.handbook.determinants import det_x as det_x
from matcalc.handbook.determinants import det_x_invertible as det_x_invertible
from matcalc.handbook.determinants import det_xk as det_xk
from matcalc.handbook.determinants import det_xtax as det_xtax
from matcalc.handbook.determinants import det_xtax_invertible as det_xtax_invertible
from matcalc.handbook.determinants import det_xtax_square as det_xtax_square
from matcalc.handbook.determinants import det_xtax_symmetric as det_xtax_symmetric
from matcalc.handbook.determinants import det_xtx as det_xtx
from matcalc.handbook.determinants import ln_power_of_a as ln_power_of_a
from matcalc.handbook.determinants import logabsdet_ax as logabsdet_ax
from matcalc.handbook.determinants import logabsdet_x as logabsdet_x
from matcalc.handbook.determinants import logdet_xtx as logdet_xtx
from matcalc.handbook.matrix_by_scalar import axb_by_element as axb_by_element
from matcalc.handbook.matrix_by_scalar import cos_xa as cos_xa
from matcalc.handbook.matrix_by_scalar import exp_xa as exp_xa
from matcalc.handbook.matrix_by_scalar import hadamard_rule as hadamard_rule
from matcalc.handbook.matrix_by_scalar import inv_element_by_element as inv_element_by_element
from matcalc.handbook.matrix_by_scalar import inverse_rule as inverse_rule
from matcalc.handbook.matrix_by_scalar import inverse_second_rule as inverse_second_rule
from matcalc.handbook.matrix_by_scalar import kronecker_product as kronecker_product
from matcalc.handbook.matrix_by_scalar import kronecker_rule as kronecker_rule
from matcalc.handbook.matrix_by_scalar import ln_xa as ln_xa
from matcalc.handbook.matrix_by_scalar import matrix_by_element as matrix_by_element
from matcalc.handbook.matrix_by_scalar import outer_rule as outer_rule
from matcalc.handbook.matrix_by_scalar import polynomial_of_xa as polynomial_of_xa
from matcalc.handbook.matrix_by_scalar import polynomial_xa as polynomial_xa
from matcalc.handbook.matrix_by_scalar import power_rule as power_rule
from matcalc.handbook.matrix_by_scalar import product_rule as product_rule
from matcalc.handbook.matrix_by_scalar import sandwich_rule as sandwich_rule
from matcalc.handbook.matrix_by_scalar import sin_xa as sin_xa
from matcalc.handbook.matrix_by_scalar import triple_product_rule as triple_product_rule
from matcalc.handbook.rules import chain_rule as chain_rule
from matcalc.handbook.rules import chain_rule_matrix as chain_rule_matrix
from matcalc.handbook.rules import chain_rule_scalar as chain_rule_scalar
from matcalc.handbook.rules import constant as constant
from matcalc.handbook.rules import derivative_of as derivative_of
from matcalc.handbook.rules import itself as itself
from matcalc.handbook.rules import multiple_rule as multiple_rule
from matcalc.handbook.rules import scaled_rule as scaled_rule
from matcalc.handbook.rules import sum_rule as sum_rule
from matcalc.handbook.scalar_by_vector import affine_bilinear as affine_bilinear
from matcalc.handbook.scalar_by_vector import bilinear_bax as bilinear_bax
from matcalc.handbook.scalar_by_vector import bilinear_rule as bilinear_rule
from matcalc.handbook.scalar_by_vector import component as component
from matcalc.handbook.scalar_by_vector import gram as gram
from matcalc.handbook.scalar_by_vector import hess_quad_xax as hess_quad_xax
from matcalc.handbook.scalar_by_vector import hess_quad_xax_symmetric as hess_quad_xax_symmetric
from matcalc.handbook.scalar_by_vector import inner_ax as inner_ax
from matcalc.handbook.scalar_by_vector import inner_constant_rule as inner_constant_rule
from matcalc.handbook.scalar_by_vector import inner_rule as inner_rule
from matcalc.handbook.scalar_by_vector import norm_x_minus_a as norm_x_minus_a
from matcalc.handbook.scalar_by_vector import quad_ata as quad_ata
from matcalc.handbook.scalar_by_vector import quad_xax as quad_xax
from matcalc.handbook.scalar_by_vector import quad_xax_symmetric as quad_xax_symmetric
from matcalc.handbook.scalar_by_vector import quad_xbax as quad_xbax
from matcalc.handbook.scalar_by_vector import row_ax as row_ax
from matcalc.handbook.scalar_by_vector import sqnorm_x as sqnorm_x
from matcalc.handbook.traces import bilinear_axb as bilinear_axb
from matcalc.handbook.traces import cos_series as cos_series
from matcalc.handbook.traces import element as element
from matcalc.handbook.traces import exp_series as exp_series
from matcalc.handbook.traces import fro_xat_minus_b as fro_xat_minus_b
from matcalc.handbook.traces import inv_element as inv_element
from matcalc.handbook.traces import lsq_xa_minus_b as lsq_xa_minus_b
from matcalc.handbook.traces import quad_axtxa as quad_axtxa
from matcalc.handbook.traces import sin_series as sin_series
from matcalc.handbook.traces import tr_atx as tr_atx
from matcalc.handbook.traces import tr_ax as tr_ax
from matcalc.handbook.traces import tr_axb as tr_axb
from matcalc.handbook.traces import tr_axbxtc as tr_axbxtc
from matcalc.handbook.traces import tr_axinvb as tr_axinvb
from matcalc.handbook.traces import tr_axkb as tr_axkb
from matcalc.handbook.traces import tr_axtbxc as tr_axtbxc
from matcalc.handbook.traces import tr_axtx as tr_axtx
from matcalc.handbook.traces import tr_axxt as tr_axxt
from matcalc.handbook.traces import tr_baxt as tr_baxt
from matcalc.handbook.traces import tr_cosm as tr_cosm
from matcalc.handbook.traces import tr_expm as tr_expm
from matcalc.handbook.traces import tr_inv_x_plus_a as tr_inv_x_plus_a
from matcalc.handbook.traces import tr_kron_ax as tr_kron_ax
from matcalc.handbook.traces import tr_kron_ax_rect as tr_kron_ax_rect
from matcalc.handbook.traces import tr_kron_xx as tr_kron_xx
from matcalc.handbook.traces import tr_multiple_rule as tr_multiple_rule
from matcalc.handbook.traces import tr_product_rule as tr_product_rule
from matcalc.handbook.traces import tr_sinm as tr_sinm
from matcalc.handbook.traces import tr_sum_rule as tr_sum_rule
from matcalc.handbook.traces import tr_x as tr_x
from matcalc.handbook.traces import tr_xaxtb as tr_xaxtb
from matcalc.handbook.traces import tr_xk as tr_xk
from matcalc.handbook.vector_by_scalar import cross_product as cross_product
from matcalc.handbook.vector_by_scalar import cross_rule as cross_rule
from matcalc.handbook.vector_by_scalar import row_linear_rule as row_linear_rule
from matcalc.handbook.vector_by_scalar import vector_by_component as vector_by_component
from matcalc.handbook.vector_by_vector import ax as ax
from matcalc.handbook.vector_by_vector import direction_x_minus_a as direction_x_minus_a
from matcalc.handbook.vector_by_vector import linear_rule as linear_rule
from matcalc.handbook.vector_by_vector import matvec as matvec
from matcalc.handbook.vector_by_vector import scaled_vector_rule as scaled_vector_rule
from matcalc.handbook.vector_by_vector import xa as xa

__version__ = "0.1.0"

if TYPE_CHECKING:
    from matcalc.claims import check_formula as check_formula
    from matcalc.derivation import Derivation as Derivation
    from matcalc.derivation import derive as derive
    from matcalc.planner import DerivativeOperator as DerivativeOperator
    from matcalc.planner import derivative_operator as derivative_operator
    from matcalc.planner import reassociate as reassociate
    from matcalc.referee import check_gradient as check_gradient
    from matcalc.referee import check_log_det as check_log_det

# Who imports an identity need not wait for the machinery that these bring.
_LATER = {
    "Derivation": "matcalc.derivation",
    "DerivativeOperator": "matcalc.planner",
    "check_formula": "matcalc.claims",
    "check_gradient": "matcalc.referee",
    "check_log_det": "matcalc.referee",
    "derivative_operator": "matcalc.planner",
    "derive": "matcalc.derivation",
    "reassociate": "matcalc.planner",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(_LATER[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
