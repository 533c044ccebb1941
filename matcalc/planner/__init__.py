"""The planner: sums of matrix products in the cheapest order for the shapes at hand."""

from matcalc.planner._describe import Order as Order
from matcalc.planner._describe import steps as steps
from matcalc.planner._linear import jacobian_of_linear as jacobian_of_linear
from matcalc.planner._transform import reassociate as reassociate
from matcalc.planner._work import Work as Work
from matcalc.planner._work import work as work
