"""Names of variables as names of Python: λ is lambda_, x̂ is x_hat, W^{(1)} is W_1."""

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable

from matcalc.formula.words import ACCENTS, FUNCTIONS, SPELLED

# What the emitted programs call by name.
BUILTINS = frozenset({"sum", "range", "len", "jax", "jnp", "np", "numpy", "torch", "scipy", "math", "matcalc"})


def check_name(name: str) -> None:
    """ValueError unless it is a name that Python has."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"name must be a name of Python, such as gradient_of_loss; got {name!r}.")


def in_ascii(names: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """An identifier for each name, in ASCII; a clash is resolved by an underscore behind it."""
    return _distinct({name: _word(name) for name in names}, taken, "_")


def as_spelled(names: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """An identifier for each name: the name itself where that is one, β, and elsewhere one that the language reads."""
    words: dict[str, str] = {}
    for name in names:
        is_same = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
        words[name] = name if is_same else _word(name).replace("_", "")
    return _distinct(words, {*taken, *FUNCTIONS}, "0")


def _word(name: str) -> str:
    """The name in ASCII letters, digits and underscores: Greek letters and accents spelled out."""
    spelled = [f"_{ACCENTS[letter]}" if letter in ACCENTS else SPELLED.get(letter, letter) for letter in name]
    plain = unicodedata.normalize("NFKD", "".join(spelled)).encode("ascii", "replace").decode()
    word = re.sub(r"\W+", "_", plain).strip("_")
    return word if word.isidentifier() else f"v_{word}"


def _distinct(words: dict[str, str], taken: Collection[str], suffix: str) -> dict[str, str]:
    used = {*taken, *keyword.kwlist, *BUILTINS}
    found: dict[str, str] = {}
    for name, word in words.items():
        while word in used:
            word += suffix
        used.add(word)
        found[name] = word
    return found
