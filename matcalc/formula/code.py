"""Formulas that are code for NumPy, JAX or PyTorch: there `**` is the power of each entry."""

import re

from matcalc.formula.words import DOTTED

METHODS = ("sum", "mean", "max", "min", "trace", "det", "logdet", "norm")  # X.sum()
_MARKS = re.compile(
    rf"(?<![A-Za-z])(?:{'|'.join(DOTTED)})\.[a-z]|@|\.m?T(?![A-Za-z])|\.(?:{'|'.join(METHODS)}|dot|transpose|t)\("
)
IN_CODE = "\ue003"  # for ** in such a text
POWER = re.compile(r"(?<!\.)\*\*")


def is_code(text: str) -> bool:
    """Whether something in the text is written as NumPy has it: np., jnp., @, X.T or X.sum()."""
    return bool(_MARKS.search(text))


def as_in(text: str, other: str) -> str:
    """The text, of as many characters, in which `**` is what it is in the other one, if that tells."""
    if is_code(text) and (is_code(other) or not POWER.search(other)):
        return text
    if is_code(other):
        return POWER.sub(".^", text)
    return POWER.sub("^ ", text) if POWER.search(other) else text
