r"""How far a subscript without braces goes: in TeX one letter, of indices and names two.

`A_ix` is A_i x, `w^TS_Bw` is wᵀ S_B w. Two letters are one subscript where they are of one kind, both indices or both
none, as in `a_ij` and `Σ_xy`; of two capitals the second is a factor if it stands elsewhere by itself, as in
`tr(W^TS_BW)`. A name that is known comes first.
"""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from matcalc.formula.words import BARE_GREEK, FUNCTIONS, GREEK, VARIANTS

LETTER = "[A-Za-zΑ-Ωα-ω]"
_INDICES = frozenset("ijklmnpqrst")
_WORDS = sorted(FUNCTIONS, key=len, reverse=True)
_NOT_ALONE = re.compile(
    rf"\\[A-Za-z]+|_\s*\{{[^{{}}]*\}}|_{LETTER}{{1,2}}|\^\s*\{{?\s*T|\.T|(?<![A-Za-z])(?:{'|'.join(_WORDS)})(?=[\s({{\[|])"
)
_SUBSCRIPTED = re.compile(rf"(\\[A-Za-z]+|{LETTER})_(?={LETTER}{{2}})")


def width(text: str, start: int, base: str, names: Collection[str]) -> int:
    """How many of the letters that begin at `start` are the subscript of `base`: 1 or 2, of a word without braces 0."""
    run = _run(text, start, names)
    first, second = run[0], run[1:2]
    if not second or f"{base}_{first}" in names:
        return 1 + (f"{base}_{{{run[:2]}}}" in names and bool(second))
    if f"{base}_{{{run[:2]}}}" in names:
        return 2
    if _is_factor(text, second, names) and first.isupper() and second.isupper():
        return 1
    if re.match(f"{LETTER}[a-zα-ω]{{2}}|[A-ZΑ-Ω]{{3}}", run):
        return 0
    return 2 if is_one(run[:2]) else 1


def is_one(pair: str) -> bool:
    """Whether two letters are of one kind: both capitals, both indices, or both neither."""
    first, second = pair
    return first.isupper() == second.isupper() and (first in _INDICES) == (second in _INDICES)


def doubtful(text: str, names: Collection[str]) -> Iterator[str]:
    """What could be doubted of subscripts without braces, in words."""
    for found in _SUBSCRIPTED.finditer(text):
        word = found[1].removeprefix("\\")
        base, start = GREEK.get(word) or VARIANTS.get(word) or word, found.end()
        if len(base) > 1 or len(run := _run(text, start, names)) < 2:
            continue
        first, second = run[:2]
        match width(text, start, base, names):
            case 1 if first.isupper() or second.islower():
                yield f"{base}_{first}{second} is read as {base}_{first} {second}"
            case 2 if (
                first not in _INDICES and _is_factor(text, second, names) and f"{base}_{{{first}{second}}}" not in names
            ):
                yield f"{base}_{first}{second} is read as {base}_{{{first}{second}}}"
            case _:
                pass


def _run(text: str, start: int, names: Collection[str]) -> str:
    """The letters from here on, without one that has a subscript of its own, and without a word of the language."""
    found = re.compile(f"{LETTER}+").match(text, start)
    assert found
    run, behind = found.group(), text[found.end() :].lstrip()
    for cut in range(1, min(len(run), 4)):
        word = run[cut:]
        is_called = word in FUNCTIONS and behind.startswith(("(", "[", "{", "|", "."))
        if is_called or word in BARE_GREEK or (len(word) > 1 and word in names):
            return run[:cut]
    return run[:-1] if len(run) > 1 and behind.startswith("_") else run


def _is_factor(text: str, letter: str, names: Collection[str]) -> bool:
    """Whether the letter stands by itself somewhere, neither with a subscript nor as one."""
    return letter in names or letter in _alone(text)


@lru_cache(maxsize=4)
def _alone(text: str) -> frozenset[str]:
    return frozenset(_NOT_ALONE.sub(" ", text))
