"""Formulas that are code for NumPy, JAX or PyTorch: there `**` is the power of each entry."""

import re

from matcalc.formula.words import DOTTED

METHODS = ("sum", "mean", "max", "min", "trace", "det", "logdet", "norm")  # X.sum()
_MARKS = re.compile(
    rf"(?<![A-Za-z])(?:{'|'.join(DOTTED)})\.[a-z]|@|\.m?T(?![A-Za-z])|\.(?:{'|'.join(METHODS)}|dot|transpose|t)\("
)
POWER = re.compile(r"(?<!\.)\*\*")


def is_code(text: str) -> bool:
    """Whether something in the text is written as NumPy has it: np., jnp., @, X.T or X.sum()."""
    return bool(_MARKS.search(text))


def by_entry(text: str) -> str:
    """The same text, of as many characters, in which `**` is the power of each entry."""
    return POWER.sub(".^", text)


def as_in(text: str, other: str) -> str:
    """The text, of as many characters, in which `**` is what it is in the other one, if that tells."""
    if is_code(other):
        return by_entry(text)
    return POWER.sub("^ ", text) if POWER.search(other) else text
