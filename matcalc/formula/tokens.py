r"""From text to terminals: ASCII, Unicode and TeX spell the same ones.

Every letter is a variable of its own, so `AXB` is three tokens; function words, Greek letters spelled out with four
or more letters (`beta`; the shorter ones are `\mu`, `\xi`) and declared names are read first, longest first.
"""

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from matcalc.formula.errors import FormulaError

MAX_LENGTH = 20_000
MAX_DEPTH = 200

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
SPELLED = {letter: word for word, letter in GREEK.items()}
BARE_GREEK = frozenset(word for word in GREEK if len(word) >= 4)

MATRIX_FUNCTIONS = ("exp", "ln", "sin", "cos", "sqrt")  # of vectors, and with a dot, entry by entry
_OF_ENTRIES = ("tanh", "sigmoid", "softplus")
ENTRYWISE = (*_OF_ENTRIES, *(f"{name}." for name in MATRIX_FUNCTIONS))
FUNCTIONS = {
    name: name
    for name in (
        *("tr", "det", "logdet", "adj", "inv", "pinv", "sum", "vec", "diag", "norm", "norm2", "kron", "cross"),
        *MATRIX_FUNCTIONS,
        *_OF_ENTRIES,
    )
} | {"log": "ln", "trace": "tr", "Tr": "tr"}

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
_LOWERED = "₀₁₂₃₄₅₆₇₈₉ₐₑₒₓₕₖₗₘₙₚₛₜᵢᵣᵤᵥⱼ"
_SUPERSCRIPTS = str.maketrans(_RAISED + "⁺⁻", "0123456789()abcdefghijklmnoprstuvwxyz+-")
_SUBSCRIPTS = str.maketrans(_LOWERED, "0123456789aeoxhklmnpstiruvj")
_LETTER = "[A-Za-zΑ-Ωα-ω]"
_T = r"(?:\\!\s*)?(?:T|⊤|ᵀ|\\top(?![a-z])|\\intercal|\\prime|\\(?:math(?:sf|rm)|text)\s*(?:T|\{T\})|\\(?:rm|sf)\s+T)"
_CARET = r"(?:\^|\*\*)"
_OPENING = {"_LPAR": "_RPAR", "_LSQB": "_RSQB", "_LBRACE": "_RBRACE", "_LBAR": "_RBAR", "_LNORM": "_RNORM"}
_CLOSING = frozenset(_OPENING.values())
_ENDS = _CLOSING | {
    *("NAME", "NUMBER", "ONES", "SUB", "TRANSPOSE", "INVERSE", "INVERSE_TRANSPOSE", "PINV", "ADJUGATE", "FACTORIAL"),
}  # an operand may end with these, so a bar after one of them can close


@dataclass(frozen=True, slots=True)
class Token:
    """A terminal of the grammar: its type, its normal spelling, and its place in the text."""

    type: str
    value: str
    start: int
    end: int


def _raised(body: str) -> str:
    """The pattern of `^body`, with or without braces or parentheses."""
    return rf"{_CARET}\s*(?:{body}|\{{\s*{body}\s*\}}|\(\s*{body}\s*\))"


@lru_cache(maxsize=64)
def _pattern(names: frozenset[str]) -> re.Pattern[str]:
    """The one regular expression of the language: a named group for each terminal, earlier ones first."""
    words = sorted(names | BARE_GREEK, key=len, reverse=True)
    greek = "|".join(sorted(GREEK, key=len, reverse=True))
    name = rf"(?:\\(?:{greek})(?![A-Za-z])|{'|'.join(map(re.escape, words))}|{_LETTER})"
    functions = "|".join(sorted(FUNCTIONS, key=len, reverse=True))
    declared = "|".join(map(re.escape, sorted(names, key=len, reverse=True))) or "(?!)"
    marks = rf"\s*(?:-\s*1|-?\s*{_T}|\+|\\dagger)\s*\}}"
    patterns = {
        "SPACE": r"\s+|[~&$]|\\[,;:!> ]|\\(?:left|right|[bB]igg?[lr]?|q?quad|limits|displaystyle)(?![A-Za-z])"
        r"|\\(?:mathbf|boldsymbol|bm)(?=\s+[A-Za-z\\])|\\(?:bf|rm|it|sf)(?![A-Za-z])",
        # A 1 that is transposed is the vector of ones, as is one behind an operand: see `_paired`.
        "ONES": r"[𝟏𝟙]|\\(?:math(?:bf|bb)|boldsymbol|bm)\s*(?:1|\{\s*1\s*\})|ones(?![a-z])"
        rf"|(?<![0-9.])1(?=\s*(?:'|ᵀ|\^\s*(?:{_T}|\{{\s*{_T}\s*\}})))",
        "RATIO": r"(?<![\^*])[0-9]+\s*/\s*[0-9]+(?![0-9.!^⁻⁰-⁹])(?=\s*[A-Za-zα-ωΑ-Ω|‖(])",  # 1/2 x
        "NUMBER": r"[0-9]+(?:\.[0-9]+)?",
        "WRAP": r"\\(?:math(?:bf|bb|cal|rm|it|sf)|boldsymbol|bm|operatorname\*?|text)\s*\{[^{}]*\}",
        "DECLARED": declared,
        "_SIGMA": r"Σ(?=\s*_\s*\{[^{}=]*=)|(?:∑|\\sum(?![A-Za-z])|sum)(?=\s*_\s*\{)",
        "FRACTION": rf"\\[dt]?frac\s*\{{\s*\\partial\s*(?:\^\s*\{{?2\}}?)?\s*(?:{name}|\\mathrm\{{{name}\}})\s*\}}"
        r"\s*\{\s*\\partial\s*[A-Za-z]\s*(?:\\partial\s*[A-Za-z]\s*)?\}",
        "PARTIAL": r"(?:∂|\\partial(?![A-Za-z]))(?:\s*_\s*\{\s*[A-Za-z]\s*\}|_[A-Za-z]|²|\^2|\^\{2\})?",
        "DIFFERENTIAL": rf"d(?:_[A-Za-z]|2)?\(\s*{name}\s*\)|(?<![A-Za-z])d[A-Z]",
        "FUNC": rf"(?:\\(?:{functions})(?![A-Za-z])|{functions})(?:\.(?=\s*(?:\\left)?\s*[(\[{{]|\Z))?",
        "_EULER": rf"e(?=\s*{_CARET}\s*(?:\{{(?!{marks})|[A-SU-Z]))",
        "NAME": name,
        "DIGITS": r"\\[dt]?frac\s*[0-9]\s*[0-9]",  # \frac12
        "_FRAC": r"\\[dt]?frac(?![A-Za-z])",
        "INVERSE_TRANSPOSE": "⁻ᵀ|" + _raised(rf"-\s*{_T}"),
        "INVERSE": rf"⁻¹(?![{_RAISED}])|" + _raised(r"-\s*1(?![0-9.!])"),
        "TRANSPOSE": rf"'|ᵀ|\.T(?![A-Za-z])|\^\s*(?:{_T}|\{{\s*{_T}\s*\}})",
        "ADJUGATE": _raised(r"(?:[*∗]|\\ast)"),
        "PINV": "⁺|†|" + _raised(r"(?:\+|†|\\dagger)"),
        "SUPERSCRIPT": rf"(?:[{_RAISED}]|[⁺⁻](?=[{_RAISED}]))+",
        "SUB": rf"_{_LETTER}{{1,2}}(?!{_LETTER})|_[0-9]+|[{_LOWERED}]+",
        "_UNDER": r"_(?=\s*\{)",
        "_CARET": _CARET,
        "FACTORIAL": r"!",
        "_PLUS": r"\+",
        "MINUS": r"[-−–]",
        "KRON": r"⊗|\\otimes",
        "HADAMARD": r"[⊙∘]|\\odot|\\circ(?![A-Za-z])|\.\*",
        "HADAMARD_QUOTIENT": r"⊘|\\oslash|\./",
        "CROSS": r"×|\\times",
        "_DOT": r"[*@·⋅∙]|\\cdot(?![a-z])",
        "_SLASH": r"/",
        "_COMMA": r",",
        "_EQUALS": r"=",
        "_LBAR": r"\\lvert",
        "_RBAR": r"\\rvert",
        "_LNORM": r"\\lVert",
        "_RNORM": r"\\rVert",
        "NORM": r"\|\||‖|∥|\\\||\\Vert(?![A-Za-z])",
        "BAR": r"\||\\vert(?![A-Za-z])",
        "_LPAR": r"\(",
        "_RPAR": r"\)",
        "_LSQB": r"\[",
        "_RSQB": r"\]",
        "_LBRACE": r"\\?\{",
        "_RBRACE": r"\\?\}",
    }
    return re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in patterns.items()))


def canonical(name: str) -> str:
    r"""The name a variable goes by: `\beta` and `beta` are `β`."""
    name = name.removeprefix("\\")
    return GREEK.get(name, name)


def tokenize(text: str, names: Collection[str] = ()) -> Iterator[Token]:
    """The terminals of `text`, with every bar known as an opening or a closing one."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the formula has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    declared = frozenset(name for name in names if len(name) > 1)
    for name in declared:
        if name in FUNCTIONS or not re.fullmatch(rf"{_LETTER}[A-Za-zΑ-Ωα-ω0-9]+", name):
            raise FormulaError(f"{name!r} cannot be a name: write a letter, then letters and digits, and no function")
    # ‖x‖^2_2 is ‖x‖_2^2, in as many characters
    turned = re.sub(r"(\\\||\|\||‖|\\r?Vert)(\s*)\^(\{2\}|2)_(\{[2F]\}|[2F])", r"\1\2_\4^\3", text)
    return _paired(text, _raw(turned, 0, declared, text))


def _raw(text: str, offset: int, names: frozenset[str], whole: str) -> Iterator[Token]:
    """The terminals of `text`, which begins at `offset` of `whole`; bars are still bars."""
    pattern, position = _pattern(names), 0
    while position < len(text):
        match = pattern.match(text, position)
        start = offset + position
        if match is None or match.lastgroup is None:
            raise FormulaError(_unreadable(text[position:]), whole, start)
        kind, value, end = match.lastgroup, match.group(), offset + match.end()
        position = match.end()
        match kind:
            case "SPACE":
                continue
            case "WRAP":
                brace = value.index("{") + 1
                if value.startswith(r"\operatorname") and value[brace:-1].strip().removesuffix(".") not in FUNCTIONS:
                    raise FormulaError(f"unknown function {value[brace:-1].strip()}", whole, start, end)
                yield from _raw(value[brace:-1], start + brace, names, whole)
            case "SUPERSCRIPT":
                yield Token("_CARET", "^", start, end)
                yield Token("_LPAR", "(", start, end)
                yield from _raw(value.translate(_SUPERSCRIPTS), start, names, whole)
                yield Token("_RPAR", ")", end, end)
            case "FRACTION":
                bare = re.sub(r"\\[dt]?frac|\\partial|\\mathrm|\^\s*\{?2\}?|\s", "", value)  # {U}{x}
                of, by = bare[1:-1].split("}{")
                mark = "²" if len(by) == 2 else "" if by in "xX" else f"_{by}"
                yield Token("PARTIAL", f"∂{mark}", start, end)
                yield Token("NAME", canonical(of.strip("{}")), start, end)
            case "RATIO":
                above, _, below = value.partition("/")
                for kind, part in (
                    ("_LPAR", "("),
                    ("NUMBER", above),
                    ("_SLASH", "/"),
                    ("NUMBER", below),
                    ("_RPAR", ")"),
                ):
                    yield Token(kind, part.strip(), start, end)
            case "DIGITS":
                yield Token("_FRAC", value, start, end)
                for digit in re.findall("[0-9]", value):
                    for kind, part in (("_LBRACE", "{"), ("NUMBER", digit), ("_RBRACE", "}")):
                        yield Token(kind, part, start, end)
            case "PARTIAL":
                mark = re.sub(r"∂|\\partial|[\s{}^]", "", value).replace("2", "²")
                yield Token("PARTIAL", f"∂{mark}", start, end)
            case "DIFFERENTIAL":
                mark, _, of = value[1:-1].partition("(") if "(" in value else ("", "", value[1:])
                yield Token("PARTIAL", f"∂{mark.replace('2', '²')}", start, end)
                yield Token("NAME", canonical(of.strip()), start, end)
            case "FUNC":
                name, dot, _ = value.removeprefix("\\").partition(".")
                yield Token("FUNC", FUNCTIONS[name] + dot, start, end)
            case "NAME" | "DECLARED":
                yield Token("NAME", canonical(value), start, end)
            case "SUB":
                yield Token("SUB", value.removeprefix("_").translate(_SUBSCRIPTS), start, end)
            case _:
                yield Token(kind, value, start, end)


def _paired(text: str, tokens: Iterator[Token]) -> Iterator[Token]:
    """Tell opening bars from closing ones and ones from the number 1, and keep the nesting within bounds.

    A bar closes when the innermost open delimiter is such a bar and an operand has just ended; otherwise it opens.
    A 1 directly behind an operand, or before ones, is the vector of ones: as a number it would change nothing.
    """
    closers: list[str] = []  # what would close each open delimiter
    previous = ""
    given, ahead = itertools.tee(tokens)
    for token, following in itertools.zip_longest(given, (token.type for token in itertools.islice(ahead, 1, None))):
        kinds = [token.type]
        ended = previous in _ENDS
        if token.type == "BAR":
            kinds = ["_RBAR" if ended and closers[-1:] == ["_RBAR"] else "_LBAR"]
        elif token.type == "NORM":
            if ended and closers[-1:] == ["_RBAR"] and token.value == "||":  # |A||B|, |(|A|)||B|
                kinds = ["_RBAR", "_RBAR" if closers[-2:] == ["_RBAR", "_RBAR"] else "_LBAR"]
            else:
                kinds = ["_RNORM" if ended and closers[-1:] == ["_RNORM"] else "_LNORM"]
        elif (token.type, token.value) == ("NUMBER", "1") and (ended or (following == "ONES" and previous != "_CARET")):
            kinds = ["ONES"]
        width = (token.end - token.start) // len(kinds)
        for number, kind in enumerate(kinds):
            if kind in _OPENING:
                closers.append(_OPENING[kind])
            elif closers and kind == closers[-1]:
                closers.pop()
            if len(closers) > MAX_DEPTH:
                raise FormulaError(f"nested deeper than {MAX_DEPTH}", text, token.start)
            start = token.start + number * width
            yield Token(kind, token.value, start, token.end if kind == kinds[-1] else start + width)
            previous = kind


def _unreadable(rest: str) -> str:
    """Why no terminal begins `rest`."""
    if rest.startswith("\\"):
        command = re.match(r"\\[A-Za-z]*", rest)
        return f"unknown command {command.group() if command else rest[:2]}"
    if rest.startswith("_"):
        return "after _ come one or two letters, a number, or braces"
    return f"unexpected character {rest[0]!r}"
