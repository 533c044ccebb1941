"""The planner: sums of matrix products in the cheapest order for the shapes at hand.

`transform` replaces a function by one that is planned. What it takes from the others, in this order: `operations` says
what an operation of a traced program is, and `recognition` which values are sums of products. `grouping` puts those
together that share arrays, and has a plan made for each group: a sum of products is a `network` in canonical form,
`space` has all options to compute it, `search` finds the cheapest `plan`. `execution` carries the plan out, with the
operations of `kernels`. `cost` counts the work of a program, `describe` prints a plan; `operator` and `linear` apply
derivatives and write them down.
"""

from matcalc.planner.cost import Work as Work
from matcalc.planner.cost import work as work
from matcalc.planner.describe import Order as Order
from matcalc.planner.describe import steps as steps
from matcalc.planner.linear import jacobian_of_linear as jacobian_of_linear
from matcalc.planner.operator import DerivativeOperator as DerivativeOperator
from matcalc.planner.operator import derivative_operator as derivative_operator
from matcalc.planner.transform import reassociate as reassociate
