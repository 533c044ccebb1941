"""Functions that have only a name: g(u) stands for any smooth function, and g'(u) for its derivative.

One of numbers is, as `exp` is, one of a matrix too or, with a dot and of vectors, one of the entries. Its value is that
of a combination of powers, a sine and an exponential. One of vectors or matrices has a kind, what its values are: a
scalar, a vector or a matrix. The numbers in it are given under a key of its own, as variables are.
"""

import re
from collections.abc import Container
from typing import Any

import numpy as np

from matcalc.formula.words import FUNCTIONS

Array = Any

KINDS = {"scalar": (1, 2), "vector": (2, 1), "matrix": (2,)}  # of values; how many axes the numbers may have
NUMBERS = 7  # in the combination
SLOW = 4  # by which the rate of the exponential is divided, so that it does not hide the other terms
_KNOWN = frozenset(FUNCTIONS.values()) | {"!"}


def is_arbitrary(function: str) -> bool:
    """Whether a function has only a name, as `g`, `g'` and `g.` have."""
    return name_of_function(function) not in _KNOWN


def name_of_function(function: str) -> str:
    """The name without the marks of a derivative, and without a dot."""
    return function.rstrip(".").rstrip("'")


def key_of(name: str, kind: str = "") -> str:
    """Under what the numbers of a function are given; no variable is called so."""
    return f"{kind} {name}(t)".strip()


def kind_of(name: str, keys: Container[str]) -> str:
    """The kind of a function whose numbers are given under one of these keys; "" for one of numbers."""
    return next((kind for kind in KINDS if key_of(name, kind) in keys), "")


def derivative_of(function: str) -> str:
    """What the derivative of a function is called."""
    return f"{function.rstrip('.')}'{'.' * function.endswith('.')}"


def combination(function: str, x: Array, c: Array, functions: Any, *, of_matrix: bool) -> Array:
    """c₀ + c₁ t + c₂ t² + c₃ sin(c₄ t) + c₅ exp(c₆ t/4), or as many derivatives of it as the function has marks."""
    order = function.count("'")
    apply = functions.matrix if of_matrix else functions.scalar
    one = functions.identity(x) if of_matrix else 1
    square = x @ x if of_matrix else x * x
    wave, rate = c[4], c[6] / SLOW
    powers = [(c[0] * one + c[1] * x + c[2] * square), (c[1] * one + 2 * c[2] * x), 2 * c[2] * one, 0 * c[2] * one]
    sign = -1 if order % 4 > 1 else 1
    wavy = sign * c[3] * wave**order * apply(("sin", "cos")[order % 2], wave * x)
    return powers[min(order, 3)] + wavy + c[5] * rate**order * apply("exp", rate * x)


def valued(kind: str, order: int, x: Array, W: Array, functions: Any) -> Array:
    """sin(s) + s q of s = ⟨W, x⟩ or, where the value is a vector, s = W x, with q = ⟨x, x⟩/2; or its derivative.

    Derivatives are in numerator layout. Of a number t, it is sin(t W) + t² cos(W) by entry.
    """
    W = W[:, None] if np.ndim(W) == 1 else W

    def wave(turn: int, at: Array) -> Array:
        value = functions.scalar(("sin", "cos")[turn % 2], at)
        return -value if turn % 4 > 1 else value

    if np.ndim(x) == 0:
        powers = (x * x, 2 * x, 2, 0)
        return W**order * wave(order, W * x) + powers[min(order, 3)] * wave(1, W)
    s, q = W @ x if kind == "vector" else (W * x).sum(), (x * x).sum() / 2
    match order:
        case 0:
            return wave(0, s) + s * q
        case 1 if kind == "vector":
            return (wave(1, s) + q) * W + s @ x.T
        case 1:
            return ((wave(1, s) + q) * W + s * x).T
        case _:
            return wave(2, s) * (W @ W.T) + W @ x.T + x @ W.T + s * functions.identity(x)


def pattern_of_calls(names: "frozenset[str]", spelled: "dict[str, str]") -> str:
    """What a call of one of these functions begins with, its name and the marks of a derivative, in ASCII and TeX."""

    def form(letter: str) -> str:
        words = [rf"\\{word}(?![A-Za-z])" for word, spelt in spelled.items() if spelt == letter]
        return f"(?:{'|'.join([re.escape(letter), *words])})"

    forms = [re.escape(name) for name in names]
    for letter, subscript in (name.split("_", 1) for name in names if "_" in name):  # h_\theta, f_{W,b}
        forms.append(
            form(letter) + r"\s*_\s*\{?" + r"[\s,]*".join(["", *map(form, subscript.strip("{}")), ""]) + r"\}?"
        )
    forms += [rf"\\?{word}" for word, letter in spelled.items() if letter in names]
    either = "|".join(sorted(forms, key=len, reverse=True)) or "(?!)"
    wrapped = rf"\\(?:operatorname|math(?:rm|bf|cal|it)|text|boldsymbol|bm)\s*\{{\s*(?:{either})\s*\}}"
    marks = r"(?:\s*(?:'|′|″|\^\s*(?:\\prime|\{\s*(?:\\prime\s*|')+\})))*"
    return rf"(?:(?:∇|\\nabla(?![a-z]))\s*)?(?:{wrapped}|{either}){marks}\s*\.?(?=\s*(?:\\left)?\s*[(\[])"
