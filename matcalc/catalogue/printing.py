"""An identity as people read it: its equation in either layout, and its description."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from matcalc.catalogue.declaration import Declaration
from matcalc.catalogue.references import reference_texts
from matcalc.formula import Formula, terms
from matcalc.formula.tree import Name, rename, transpose
from matcalc.layout import Layout

Style = Literal["unicode", "ascii", "tex"]


def equation(
    declared: Declaration, layout: Layout = "jax", style: Style = "unicode", names: Mapping[str, str] | None = None
) -> str:
    """∂f/∂X = … in the given layout, with other `names` for its arguments; a line for each kind where they differ.

    ValueError for a layout in which it is not printed.
    """
    if layout not in ("jax", *layouts(declared)):
        printed = ", ".join(("jax", *layouts(declared)))
        raise ValueError(f"{declared.name} is printed in these layouts: {printed}; got {layout!r}.")
    kinds: dict[str, list[str]] = {}
    for kind in declared.covers:
        kinds.setdefault(_equation(declared, kind, layout, style, names or {}), []).append(kind)
    if len(kinds) == 1:
        return next(iter(kinds))
    said = r"%s \quad \text{(%s)}" if style == "tex" else "%s    (%s)"
    return "\n".join(said % (text, ", ".join(some)) for text, some in kinds.items())


def _equation(declared: Declaration, kind: str, layout: Layout, style: Style, names: Mapping[str, str]) -> str:
    texts = (declared.formulas[0], declared.derivative_formulas[0])
    f, derivative = (rename(declared.parsed(text), names) for text in texts)
    if declared.printed == "jax" and layout not in ("jax", _printed_layout(kind)):
        derivative = transpose(derivative, {names.get(name, name) for name in scalars(declared, kind)})
    return f"{_differentiated(declared, f, names.get(declared.wrt, declared.wrt), style)} = {shown(derivative, style)}"


def layouts(declared: Declaration) -> tuple[Layout, ...]:
    """The layouts that differ in print: none of a definition."""
    if declared.printed == "vec":
        return ("vec",)
    return ("numerator", "denominator") if declared.order > 0 else ()


def shown(formula: Formula, style: Style) -> str:
    """A tree as text."""
    return {"unicode": formula.__str__, "ascii": formula.ascii, "tex": formula.tex}[style]()


def scalars(declared: Declaration, kind: str) -> frozenset[str]:
    """The arguments that are scalars, which a transpose leaves alone."""
    shapes = declared.signature.shapes(kind, {})
    return frozenset(p.name for p in declared.signature.parameters if not shapes.get(p.name))


def _printed_layout(kind: str) -> Layout:
    """The layout in which the derivative of this kind has the shape that JAX gives it."""
    return "denominator" if kind.startswith("scalar") else "numerator"


def _differentiated(declared: Declaration, f: Formula, x: str, style: Style) -> str:
    text = shown(f, style)
    if declared.order == 0:
        return text
    if len(terms(f)) > 1:
        text = f"\\left({text}\\right)" if style == "tex" else f"({text})"
    power = declared.order
    match style:
        case "unicode":
            return f"∂²/∂{x}² {text}" if power == 2 else f"∂/∂{x} {text}"
        case "ascii":
            return f"d2/d{x}2 {text}" if power == 2 else f"d/d{x} {text}"
        case "tex":
            x = Name(x).tex()
            operator = (
                rf"\frac{{\partial^2}}{{\partial {x}^2}}" if power == 2 else rf"\frac{{\partial}}{{\partial {x}}}"
            )
            return f"{operator} {text}"


def description(declared: Declaration) -> str:
    """What `help()` shows: meaning, formula in both layouts, equal forms, shapes, conditions, source and references."""
    lines = [inspect.getdoc(declared.body) or "", ""]
    for layout in layouts(declared):
        lines += [f"    {line}    ({layout} layout)" for line in equation(declared, layout).splitlines()]
    if not layouts(declared):
        lines.append(f"    {equation(declared)}")
    if declared.is_rule:
        lines += ["", "The symbols ∂U stand for derivatives in JAX's layout: axes of U, then those of the variable."]
    facts = [
        ("Equal forms", " = ".join(declared.formulas) if len(declared.formulas) > 1 else ""),
        ("Derivative", " = ".join(declared.derivative_formulas) if len(declared.derivative_formulas) > 1 else ""),
        ("Shapes", ", ".join(f"{p.name}: {p.shape_text}" for p in declared.signature.arrays)),
        ("Integers", ", ".join(_integer(p) for p in declared.signature.integers)),
        ("Kind", ", ".join(declared.covers)),
        ("Requires", declared.condition),
        ("Source", declared.source),
        ("References", ("\n" + " " * 13).join(reference_texts(declared))),
    ]
    lines += ["", *(f"{name + ':':12} {text}" for name, text in facts if text)]
    return "\n".join(lines)


def _integer(p: Any) -> str:
    return f"{p.name}: an index, 0 ≤ {p.name} < {p.indexes}" if p.indexes else f"{p.name} ≥ 1"
