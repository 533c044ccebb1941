"""The shape of a formula from those of its variables, and the shapes of variables from a formula."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

from matcalc.formula import tree as t
from matcalc.formula.inference import Inference
from matcalc.formula.sizes import (
    LETTERS,
    Dim,
    Size,
    Unknown,
    known,
    shape_of_array,
    size_product,
    size_sum,
    size_triangle,
)
from matcalc.formula.typed import Typed
from matcalc.formula.unification import Mismatch
from matcalc.formula.variables import variables


def infer(
    tree: t.Formula, shapes: Mapping[str, Sequence[Size]], shape: Sequence[Size] | None = None
) -> tuple[Size, ...]:
    """The shape of the formula: `()` of a scalar, `("n",)` of a column, `(1, "n")` of a row, else all sizes.

    `shapes` maps names to shapes, given alike; names of sizes are scalars themselves. `shape` is the expected result,
    from which `I`, `0`, `e_i` and `E_ij` can get their sizes.

    >>> from matcalc.formula import parse
    >>> infer(parse("A x + b"), {"A": ("m", "n"), "x": ("n",), "b": ("m",)})
    ('m',)
    """
    return shape_of_array(typed(tree, shapes, shape).dims)


def deduce(
    tree: t.Formula,
    ranks: Mapping[str, int],
    given: Mapping[str, Sequence[Size]] | None = None,
    square: Collection[str] = (),
) -> dict[str, tuple[Size, ...]]:
    """The shapes of variables, of which only the number of axes is known, that make the formula fit.

    Sizes that the formula leaves free are letters that it does not use. `given` are shapes that are known, and `square`
    the variables that are square matrices by what is known of them, as invertible ones are.

    >>> from matcalc.formula import parse
    >>> deduce(parse("tr(A X B)"), {"A": 2, "X": 2, "B": 2})
    {'A': ('l', 'm'), 'X': ('m', 'n'), 'B': ('n', 'l')}
    """
    fixed = dict(given or {})
    used: set[Size] = {node.name for node in t.nodes(tree) if isinstance(node, t.Name)} | {
        size for shape in fixed.values() for size in shape
    }

    def unused() -> Iterator[str]:
        yield from (letter for letter in LETTERS if letter not in used)
        yield from (f"s{number}" for number in itertools.count(1))

    letters, names = unused(), unused()
    unknown = {
        name: tuple([Unknown(letter=next(letters)) for _ in range(rank)])
        for name, rank in ranks.items()
        if name not in fixed
    }
    unknown |= {name: (unknown[name][0],) * 2 for name in square if name in unknown and len(unknown[name]) == 2}
    numbers = dict.fromkeys(variables(tree).integers - {*ranks, *fixed}, ())  # the n of Σ_{i=1}^{n} as a factor
    inference = Inference(tree, {**numbers, **fixed}, {}, unknown)
    inference.run(None)
    try:
        inference.products.match_factors()
    except Mismatch:
        inference.fail_as_whole("the formula does not tell the sizes in its Kronecker products; give them")
    free: dict[Unknown, Size] = {}
    for name, size in inference.named.items():  # the n of I_n
        if isinstance(written := known(size), Unknown):
            free.setdefault(written, name)
    products = inference.products
    composed = {
        known(whole): (make, one, other, words)
        for equations, make, words in (
            (products.open, size_product, "a factor of a product ⊗ or of vec is as large as all of it"),
            (products.sums, size_sum, "a block is as large as all of the blocks"),
            (products.triangles, lambda side, _: size_triangle(side), "vech(S) is as long as S"),
        )
        for one, other, whole in equations
    }

    def found(size: Dim) -> Size:
        size = known(size)
        if isinstance(size, Unknown):
            if size in composed and size not in free:
                make, one, other, words = composed.pop(size)
                if size in (known(one), known(other)):
                    inference.fail_as_whole(words)
                free[size] = make(found(one), found(other))
            if size not in free:
                free[size] = next(names)
            return free[size]
        return size

    return {name: tuple(fixed[name]) if name in fixed else tuple(map(found, unknown[name])) for name in ranks}


def typed(
    tree: t.Formula,
    shapes: Mapping[str, Sequence[Size]],
    shape: Sequence[Size] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Typed:
    """The formula with the shape of every node."""
    return typed_with_sizes(tree, shapes, shape, sizes)[0]


def typed_with_sizes(
    tree: t.Formula,
    shapes: Mapping[str, Sequence[Size]],
    shape: Sequence[Size] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> tuple[Typed, dict[str, Size]]:
    """The same, with what the names in I_n and Σ_{i=1}^{n} are by the shapes of the variables, where these tell it.

    >>> from matcalc.formula import parse
    >>> typed_with_sizes(parse("I_n X"), {"X": (5, "k")})[1]
    {'n': 5}
    """
    inference = Inference(tree, shapes, sizes or {})
    root = inference.run(shape)
    found = {name: known(size) for name, size in inference.named.items()} | inference.counted
    return root, {name: size for name, size in found.items() if not isinstance(size, Unknown)}
