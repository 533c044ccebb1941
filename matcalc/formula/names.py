"""Names with subscripts, superscripts and accents: `S_W`, `W_{k+1}`, `W^{(1)}`, `x̂`.

A name is its letter, then `_` and its subscript, then `^{…}` and its label, as in TeX; a subscript of one character or
of digits has no braces.
"""

import re
from collections.abc import Collection

from matcalc.formula import tree as t
from matcalc.formula.words import DECORATIONS

_ACCENTS = "".join(dict.fromkeys(DECORATIONS.values()))


def joined(base: str, indices: tuple[t.Formula, ...]) -> str:
    """The name that a letter and a subscript make: x and (i,) `x_i`, K and (k+1,) `K_{k+1}`."""
    words = "".join(str(index).replace(" ", "") for index in indices)
    return f"{base}_{words}" if len(words) == 1 or words.isdigit() else f"{base}_{{{words}}}"


def letter_of(name: str) -> str:
    """The letter of a name, which says what kind of thing it is: a matrix, a vector or a scalar."""
    return re.sub(f"[{_ACCENTS}]", "", re.split(r"[_^]", name)[0])


def is_one_letter(name: str) -> bool:
    """Whether the name is a letter, with a subscript, a label or an accent where it has one."""
    return len(letter_of(name)) == 1


def declared(tree: t.Formula, names: Collection[str]) -> t.Formula:
    """The formula in which what is declared as a name of its own, such as S_W, is one."""
    match tree:
        case t.Entry(t.Name(base), indices) if (name := joined(base, indices)) in names:
            return t.Name(name)
        case t.Constant("e" | "E" | "I" as base, (_, *_) as indices) if (name := joined(base, indices)) in names:
            return t.Name(name)
        case _:
            parts = t.children(tree)
            return t.with_children(tree, [declared(part, names) for part in parts]) if parts else tree
