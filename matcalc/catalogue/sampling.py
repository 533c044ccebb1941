"""Random points well inside the domain of a formula."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from matcalc.catalogue.declaration import Arguments, Declaration
from matcalc.catalogue.signature import Kind
from matcalc.domains import DEPTH, LEAST_DEPTH, general, well_conditioned
from matcalc.streams import stream

LARGE = 2**16  # entries of an array, of which drawing another one takes long
DRAWS = 20


def sample(declared: Declaration, key: Any, dtype: Any, kind: Kind | None, sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """Random arguments in the order of the signature, NumPy arrays of `dtype` and integers.

    ValueError for sizes that the signature does not have, and where the domain has no point of these; TypeError for a
    key that is neither an integer nor one JAX key.
    """
    kind = declared.chosen(kind)
    shapes, lengths = declared.signature.shapes(kind, sizes), declared.signature.sizes(kind, sizes)
    rng = stream(key, declared.name)
    # A condition on a product or a sum is met by drawing well-conditioned matrices until it is met deeply.
    compound = set(declared.where) - set(shapes)
    usual = well_conditioned if compound else general
    deepest, found = LEAST_DEPTH, None
    enough = DEPTH if max(map(math.prod, shapes.values())) <= LARGE else LEAST_DEPTH
    for _ in range(DRAWS):
        drawn: Arguments = {}
        for p in declared.signature.parameters:
            if p.is_integer:
                drawn[p.name] = int(rng.integers(lengths[p.indexes]) if p.indexes else rng.integers(2, 6))
            else:
                array = declared.where.get(p.name, usual).sample(rng, shapes[p.name])
                drawn[p.name] = np.asarray(array, dtype)
        conditions = declared.where.items()
        depth = min((domain.depth(declared.evaluate(text, drawn)) for text, domain in conditions), default=1)
        if depth > deepest:
            deepest, found = depth, drawn
        if deepest > enough:
            break
    if found:
        return tuple(found.values())
    listed = ", ".join(f"{axis}={size}" for axis, size in lengths.items())
    raise ValueError(f"{declared.name}: found no point with {declared.condition} at the sizes {listed}; choose others.")
