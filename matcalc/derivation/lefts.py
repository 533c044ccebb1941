"""What stands before the equals sign: ∂/∂X f, in text and in TeX."""

from collections.abc import Sequence

from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.tree import Style


def derivative_of(f: Formula, wrt: Sequence[str], style: Style = "unicode") -> str:
    """∂/∂X f, of a second derivative ∂²/∂x² f or ∂²/∂x∂y f."""
    names = [t.Name(name).show(style) for name in wrt]
    is_same = len(names) == 2 and names[0] == names[1]
    shown = f.show(style) if isinstance(f, t.Name | t.Apply) else f"({f.show(style)})"
    if style == "tex":
        below = rf"\partial {names[0]}^2" if is_same else "".join(rf"\partial {name} " for name in names).strip()
        return rf"\frac{{\partial{'^2' if len(names) == 2 else ''}}}{{{below}}} {shown}"
    power, square = ("^2", "^2") if style == "ascii" else ("²", "²")
    sign = "d" if style == "ascii" else "∂"
    below = f"{sign}{names[0]}{square}" if is_same else "".join(f"{sign}{name}" for name in names)
    return f"{sign}{power if len(names) == 2 else ''}/{below} {shown}"


def differential_of(f: Formula, style: Style = "unicode") -> str:
    """d(f)."""
    return rf"\mathrm{{d}}({f.show(style)})" if style == "tex" else f"d({f.show(style)})"
