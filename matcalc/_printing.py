"""An identity as people read it: its equation in either layout, and its description."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from matcalc._identity import Identity, Rule
from matcalc._layout import Layout
from matcalc.formula import Formula, parse, terms
from matcalc.formula.tree import rename, transpose

Style = Literal["unicode", "ascii", "tex"]


def equation(
    identity: Identity[Any], layout: Layout = "jax", style: Style = "unicode", names: Mapping[str, str] | None = None
) -> str:
    """∂f/∂X = … in the given layout, with other `names` for its arguments. ValueError for a layout not printed."""
    f, derivative = (rename(parse(text[0]), names or {}) for text in (identity.formulas, identity.derivative_formulas))
    if layout not in ("jax", *layouts(identity)):
        printed = ", ".join(("jax", *layouts(identity)))
        raise ValueError(f"{identity.name} is printed in these layouts: {printed}; got {layout!r}.")
    if layout not in ("jax", _printed_layout(identity)):
        derivative = transpose(derivative, {(names or {}).get(name, name) for name in scalars(identity)})
    x = (names or {}).get(identity.wrt, identity.wrt)
    return f"{_differentiated(identity, f, x, style)} = {shown(derivative, style)}"


def layouts(identity: Identity[Any]) -> tuple[Layout, ...]:
    """The layouts that differ in print. How they do depends on the kind, so there are none where it has several."""
    return ("numerator", "denominator") if identity.order > 0 and len(identity.covers) == 1 else ()


def shown(formula: Formula, style: Style) -> str:
    """A tree as text."""
    return {"unicode": formula.__str__, "ascii": formula.ascii, "tex": formula.tex}[style]()


def scalars(identity: Identity[Any]) -> frozenset[str]:
    """The arguments that are scalars, which a transpose leaves alone."""
    return frozenset(p.name for p in identity.signature.parameters if not p.axes)


def _printed_layout(identity: Identity[Any]) -> Layout:
    """The layout in which the derivative of this kind has the shape that JAX gives it."""
    return "denominator" if next(iter(identity.covers)).startswith("scalar") else "numerator"


def _differentiated(identity: Identity[Any], f: Formula, x: str, style: Style) -> str:
    text = shown(f, style)
    if identity.order == 0:
        return text
    if len(terms(f)) > 1:
        text = f"\\left({text}\\right)" if style == "tex" else f"({text})"
    power = identity.order
    match style:
        case "unicode":
            return f"∂²/∂{x}² {text}" if power == 2 else f"∂/∂{x} {text}"
        case "ascii":
            return f"d2/d{x}2 {text}" if power == 2 else f"d/d{x} {text}"
        case "tex":
            x = {"β": r"\beta"}.get(x, x)
            operator = (
                rf"\frac{{\partial^2}}{{\partial {x}^2}}" if power == 2 else rf"\frac{{\partial}}{{\partial {x}}}"
            )
            return f"{operator} {text}"


def description(identity: Identity[Any]) -> str:
    """What `help()` shows: meaning, formula in both layouts, equal forms, shapes, conditions and source."""
    lines = [inspect.getdoc(identity.body) or "", ""]
    for layout in layouts(identity):
        lines.append(f"    {equation(identity, layout)}    ({layout} layout)")
    if not layouts(identity):
        lines.append(f"    {equation(identity)}")
    if isinstance(identity, Rule):
        lines += ["", "The symbols ∂U stand for derivatives in JAX's layout: axes of U, then those of the variable."]
    facts = [
        ("Equal forms", " = ".join(identity.formulas) if len(identity.formulas) > 1 else ""),
        ("Derivative", " = ".join(identity.derivative_formulas) if len(identity.derivative_formulas) > 1 else ""),
        ("Shapes", ", ".join(f"{p.name}: {p.shape_text}" for p in identity.signature.arrays)),
        ("Integers", ", ".join(_integer(p) for p in identity.signature.integers)),
        ("Kind", ", ".join(identity.covers)),
        ("Requires", identity.condition),
        ("Source", identity.source),
    ]
    lines += ["", *(f"{name + ':':12} {text}" for name, text in facts if text)]
    return "\n".join(lines)


def _integer(p: Any) -> str:
    return f"{p.name}: an index, 0 ≤ {p.name} < {p.indexes}" if p.indexes else f"{p.name} ≥ 1"
