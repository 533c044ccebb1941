"""Where a derivative has a value: what is inverted, divided by, or under a root or a logarithm in it."""

from collections.abc import Iterator

from matcalc.calculus import Algebra, written
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import shape_of_array


def conditions(tree: Formula, a: Algebra) -> tuple[str, ...]:
    """The conditions that a formula needs, without those that were declared."""

    def said(part: Formula) -> Formula:
        return written(part, a.names, shape_of_array(a.dims(part)))

    def nonzero(s: Formula) -> Iterator[str]:
        """What must not be zero for a product not to be."""
        match s:
            case t.Number() | t.Apply("exp"):
                return
            case t.Apply("sum", t.Apply("exp")):
                return
            case t.Product(parts) if all(map(a.is_scalar, parts)):
                for part in parts:
                    yield from nonzero(part)
            case t.Power(base) | t.Apply("sqrt", base):
                yield from nonzero(base)
            case _:
                yield f"{said(s)} ≠ 0"

    def invertible(U: Formula) -> Iterator[str]:
        if isinstance(U, t.Apply) and U.function == "sqrt":
            yield from invertible(U.of)
        elif not a.is_(U, "invertible"):
            yield f"{said(U)} is invertible"

    def found(node: Formula) -> Iterator[str]:
        match node:
            case t.Apply("inv", u) | t.Power(u, t.Neg()) if not a.is_scalar(u):
                yield from invertible(u)
            case t.Apply("pinv", u):
                yield f"the rank of {said(u)} is locally constant"
            case t.Infix("/", _, s):
                yield from nonzero(s)
            case t.Apply("ln" | "sqrt" as function, s) if a.is_scalar(s):
                yield f"{said(s)} {'>' if function == 'ln' else '≥'} 0"
            case _:
                pass

    texts = dict.fromkeys(text for node in t.nodes(tree) for text in found(node))
    # s ≠ 0 and s ≥ 0 are s > 0.
    positive = {text[:-4] for text in texts if text.endswith(" ≥ 0") and f"{text[:-4]} ≠ 0" in texts}
    return tuple(dict.fromkeys(f"{text[:-4]} > 0" if text[:-4] in positive else text for text in texts))
