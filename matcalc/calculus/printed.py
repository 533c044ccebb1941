"""Formulas as they are printed: constants without the sizes that the context tells."""

from collections.abc import Mapping, Sequence

from matcalc.calculus.terms import Dims, identity, of_size, product, replace
from matcalc.formula import Formula, FormulaError, infer
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size, shape_of_array


def written(tree: Formula, names: Mapping[str, Dims], shape: Sequence[Size], *, is_alone: bool = False) -> Formula:
    """The formula in the language, of a given shape, with as few sizes as tell all others.

    One that is alone has to tell its own shape too.
    """
    shapes = {name: shape_of_array(dims) for name, dims in names.items()}
    for way in _ways(tree):
        try:
            if infer(way, shapes, None if is_alone else shape) == tuple(shape):
                return way
        except FormulaError:
            continue
    return _ways(tree)[-1]


def _ways(tree: Formula) -> list[Formula]:
    """Without sizes, with those of I and 𝟏, and with all."""
    some = _without_own_sizes(tree)
    return [replace(some, _bare), some, _without_own_sizes(replace(tree, _with_factors))]


def _bare(node: Formula) -> Formula | None:
    match node:
        case t.Constant("I" | "1" as symbol, (_,)):
            return t.Constant(symbol)
        case _:
            return None


def _without_own_sizes(tree: Formula) -> Formula:
    """e_i and E_ij without the sizes that they carry inside this room."""

    def change(node: Formula) -> Formula | None:
        match node:
            case t.Constant("e", (i, _)):
                return t.Constant("e", (i,))
            case t.Constant("E", (i, j, _, _)):
                return t.Constant("E", (i, j))
            case _:
                return None

    return flat(replace(tree, change))


def flat(tree: Formula) -> Formula:
    """A scalar product in front of a product as factors of it: xᵀ A x I."""
    match tree:
        case t.Product((t.Product(first), *rest)):
            return flat(t.Product((*first, *rest)))
        case _:
            return t.with_children(tree, [flat(child) for child in t.children(tree)])


def _with_factors(node: Formula) -> Formula | None:
    """Sizes that the language can say: I_m ⊗ I_n for I of size m n, I_n e_i for an e_i of size n."""
    match node:
        case t.Constant("I", (t.Product(names),)):
            made = identity(of_size(names[0]))
            for name in names[1:]:
                made = t.Infix("⊗", made, identity(of_size(name)))
            return made
        case t.Constant("e", (i, n)):
            return product(identity(of_size(n)), t.Constant("e", (i,)))
        case t.Constant("E", (i, j, m, n)):
            return product(identity(of_size(m)), t.Constant("E", (i, j)), identity(of_size(n)))
        case _:
            return None
