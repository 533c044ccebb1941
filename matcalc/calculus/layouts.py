"""A derivative in the layouts: what of it is turned, and what is stacked."""

from matcalc.calculus.algebra import Algebra
from matcalc.calculus.derive import Derivative
from matcalc.calculus.shorten import shortest
from matcalc.calculus.terms import SCALAR, UNIT, Dims, flipped, identity
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.layout import Layout, check_layout


def natural(value: Dims, variable: Dims) -> Layout:
    """The layout in which a derivative is found: JAX's, or vec where that has more than two axes."""
    return "jax" if _axes(value) + _axes(variable) <= 2 else "vec"


def _axes(dims: Dims) -> int:
    return sum(size != UNIT for size in dims)


def arranged(a: Algebra, found: Derivative, value: Dims, variable: Dims, layout: Layout) -> Formula:
    """The derivative in a layout. ValueError where the layout has more than two axes."""
    check_layout(layout)
    assert found.formula is not None
    own = natural(value, variable)
    if layout == own or found.formula == t.Number(0):
        return found.formula
    if own == "vec":
        raise ValueError(
            f"In {layout} layout this derivative has {_axes(value) + _axes(variable)} axes, and a formula has two at "
            "most; take layout='vec'."
        )
    is_column = UNIT in found.dims and found.dims != SCALAR
    is_gradient = value == SCALAR
    if layout == "vec":
        stacked = found.formula if is_column or found.dims == SCALAR else t.Apply("vec", found.formula)
        if not is_gradient:
            return stacked if variable == SCALAR else found.formula
        return turned(a, stacked)
    turns = layout == ("numerator" if is_gradient else "denominator")
    return turned(a, found.formula) if turns else found.formula


def by_independent_entries(a: Algebra, G: Formula) -> Formula:
    """The derivative by the entries of a symmetric matrix, G + Gᵀ - G ⊙ I, from the one by all that move freely."""
    both = t.Sum((G, t.Transpose(G), t.Neg(t.Infix("⊙", G, identity(a.dims(G)[0])))))
    return shortest(a, both, a.dims(G))


def turned(a: Algebra, tree: Formula) -> Formula:
    """The transpose, written as briefly as it can be."""
    return shortest(a, t.Transpose(tree), flipped(a.dims(tree)))
