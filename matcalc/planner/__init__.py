"""The planner: sums of matrix products in the cheapest order for the shapes at hand."""

from matcalc.planner.cost import Work as Work
from matcalc.planner.cost import work as work
from matcalc.planner.describe import Order as Order
from matcalc.planner.describe import steps as steps
from matcalc.planner.linear import jacobian_of_linear as jacobian_of_linear
from matcalc.planner.operator import DerivativeOperator as DerivativeOperator
from matcalc.planner.operator import derivative_operator as derivative_operator
from matcalc.planner.transform import reassociate as reassociate
