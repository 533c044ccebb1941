r"""From text to terminals: ASCII, Unicode and TeX spell the same ones.

Every letter is a variable of its own, so `AXB` is three tokens; function words, Greek letters spelled out with four
or more letters (`beta`; shorter ones where no letter stands beside them, `mu`) and declared names are read first,
longest first.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from matcalc.formula.code import IN_CODE, POWER, is_code
from matcalc.formula.errors import FormulaError
from matcalc.formula.patterns import LETTER, LOWERED, RAISED, pattern
from matcalc.formula.subscripts import width
from matcalc.formula.words import BARE_GREEK as BARE_GREEK
from matcalc.formula.words import DECORATIONS, FUNCTIONS, GREEK, NUMPY, VARIANTS
from matcalc.formula.words import ENTRYWISE as ENTRYWISE
from matcalc.formula.words import MATRIX_FUNCTIONS as MATRIX_FUNCTIONS
from matcalc.formula.words import SPELLED as SPELLED

MAX_LENGTH = 20_000
MAX_DEPTH = 200
_CALLED = "\ue002"  # a σ that is a function

_SUPERSCRIPTS = str.maketrans(RAISED + "⁺⁻", "0123456789()abcdefghijklmnoprstuvwxyz+-")
_SUBSCRIPTS = str.maketrans(LOWERED, "0123456789aeoxhklmnpstiruvj")
_OPENING = {
    **{"_LPAR": "_RPAR", "_LSQB": "_RSQB", "_LBRACE": "_RBRACE", "_LBAR": "_RBAR", "_LNORM": "_RNORM"},
    **{"_LANGLE": "_RANGLE", "_POWER_OF_ENTRIES": "_RBRACE"},
}
_CLOSING = frozenset(_OPENING.values())
_ENDS = _CLOSING | {
    *("NAME", "NUMBER", "ONES", "SUB", "TRANSPOSE", "INVERSE", "INVERSE_TRANSPOSE", "PINV", "ADJUGATE", "FACTORIAL"),
    *("LABEL", "SUBWORD", "KIND", "_CROSSED", "METHOD"),
}  # an operand may end with these, so a bar after one of them can close


@dataclass(frozen=True, slots=True)
class Token:
    """A terminal of the grammar: its type, its normal spelling, and its place in the text."""

    type: str
    value: str
    start: int
    end: int


def canonical(name: str) -> str:
    r"""The name a variable goes by: `\beta` and `beta` are `β`."""
    name = name.removeprefix("\\")
    return GREEK.get(name) or VARIANTS.get(name) or name


def tokenize(text: str, names: Collection[str] = (), functions: Collection[str] = ()) -> Iterator[Token]:
    """The terminals of `text`, with every bar known as an opening or a closing one."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the formula has {len(text):,} characters; at most {MAX_LENGTH:,} are read")
    declared = frozenset(name for name in names if len(name) > 1 and re.fullmatch(r"\w+", name))
    for name in declared:
        if name in FUNCTIONS or not re.fullmatch(rf"{LETTER}[\u0302-\u0307A-Za-zΑ-Ωα-ω0-9_]+", name):
            raise FormulaError(f"{name!r} cannot be a name: write a letter, then letters and digits, and no function")
    # ‖x‖^2_2 is ‖x‖_2^2, in as many characters; and a Σ before x_i at the very beginning is a sum
    turned = re.sub(r"(\\\||\|\||‖|\\r?Vert)(\s*)\^(\{2\}|2)_(\{[2F]\}|[2F])", r"\1\2_\4^\3", text)
    if is_code(text):
        turned = POWER.sub(f"{IN_CODE} ", turned)
    if turned.count("Σ") == 1:
        turned = re.sub(r"^(\s*)Σ(?=\s*[a-z]_\{?[ijk]\b)", r"\1∑", turned)
    plain = frozenset(name for name in declared if "_" not in name)
    if not plain & {"sigma"} and "σ" not in {*names, *functions}:
        turned = _with_sigmoids(turned)
    return _paired(text, _raw(turned, 0, _Declared(plain, frozenset(functions), frozenset(names)), text))


def _with_sigmoids(text: str) -> str:
    r"""σ( is the sigmoid, unless σ stands elsewhere without a parenthesis, as a variable; in as many characters."""
    sigma, called = r"(?:\\sigma(?![A-Za-z])|σ|(?<![A-Za-z])sigma(?![A-Za-z]))", r"(?=\s*(?:\\left)?\s*\()"
    if re.search(sigma + r"(?!\s*(?:\\left)?\s*\()", text):
        return text
    return re.sub(sigma + called, lambda found: _CALLED + " " * (len(found.group()) - 1), text)


@dataclass(frozen=True, slots=True)
class _Declared:
    """Names of several letters, and functions that have only a name."""

    names: frozenset[str]
    functions: frozenset[str]
    known: frozenset[str]  # all names, those of one letter too


def _raw(text: str, offset: int, names: _Declared, whole: str) -> Iterator[Token]:
    """The terminals of `text`, which begins at `offset` of `whole`; bars are still bars."""
    terminals, position = pattern(names.names, names.functions), 0
    last, kind_of_base = "", ""  # the kinds of the last terminal, and of what has the last subscript
    name = ""  # the last one
    opened: list[str] = []  # of what each open brace is the subscript
    while position < len(text):
        if text[position] == _CALLED:
            yield Token("FUNC", "sigmoid", offset + position, offset + position + 1)
            position, last = position + 1, "FUNC"
            continue
        match = terminals.match(text, position)
        start = offset + position
        if match is None or match.lastgroup is None:
            raise FormulaError(_unreadable(text[position:]), whole, start)
        kind, value, end = match.lastgroup, match.group(), offset + match.end()
        is_power = kind == "LABEL" and last not in ("NAME", "SUB", "SUBWORD")
        if is_power or (kind == "POWER_TRANSPOSED" and last == "_SIGMA"):
            kind, value = "_CARET", "**" if value.startswith("**") else "^"
            end = start + len(value)
        if kind == "SUB" and re.match(f"_{LETTER}", value):
            if not (letters := width(text, position + 1, name if last == "NAME" else "", names.known)):
                raise FormulaError(_unreadable(value), whole, start)
            value = value[: letters + 1]
            end = start + len(value)
        is_small = last in ("NAME", "SUB", "SUBWORD") and name[:1].islower()  # x^* is a name, X^* the adjugate
        position = end - offset
        if kind == "_UNDER":
            kind_of_base = last
        if kind == "_LBRACE":
            opened.append(kind_of_base if last == "_UNDER" else last if last == "_FRAC" else "")
        if kind != "SPACE":
            of = opened.pop() if kind == "_RBRACE" and opened else ""
            if of == "_FRAC" and (below := re.compile(r"\s*(\\[A-Za-z]+|\w)").match(text, position)):  # \frac{a}2
                yield Token(kind, value, start, end)
                yield from _braced(below[1], offset + below.start(1), offset + below.end())
                position, last = below.end(), "_RBRACE"
                continue
            last = {"NAME": "SUB", "_SIGMA": "_SIGMA"}.get(of, kind)
        match kind:
            case "SPACE":
                continue
            case "WRAP":
                brace = value.index("{") + 1
                word = value[brace:-1].strip().removesuffix(".")
                if word == "11":
                    yield Token("ONES", "1", start, end)
                    yield Token("ONES", "1", start, end)
                    last = "ONES"
                    continue
                if value.startswith(r"\operatorname") and word not in FUNCTIONS:
                    raise FormulaError(f"unknown function {word}", whole, start, end)
                if word in FUNCTIONS:
                    yield Token("FUNC", FUNCTIONS[word] + "." * value[:-1].rstrip().endswith("."), start, end)
                    continue
                for token in _raw(value[brace:-1], start + brace, names, whole):
                    last, name = token.type, token.value
                    yield token
            case "CALLED":
                bare, gradient = re.subn(r"(?:∇|\\nabla(?![a-z]))\s*", "", value)
                called = "∇" * gradient + of_function(re.sub(r"^\\[a-z]+\s*\{|['′″^{}\s.,]|\\prime", "", bare))
                marks = value.count("'") + value.count("′") + value.count("prime") + 2 * value.count("″")
                yield Token("FUNC", called + "'" * marks + "." * value.endswith("."), start, end)
            case "EULER":
                last = "_EULER"
                yield Token("_EULER", "e", start, end)
            case "WORD":
                word = re.sub(r"[{}\s]|\\[a-z]+\s*", "", value)
                yield Token("FUNC", FUNCTIONS[word], start, end)
            case "SUPERSCRIPT":
                yield Token("_CARET", "^", start, end)
                yield Token("_LPAR", "(", start, end)
                yield from _raw(value.translate(_SUPERSCRIPTS), start, names, whole)
                yield Token("_RPAR", ")", end, end)
            case "NUMPY" if value.endswith(".slogdet"):
                yield Token("SLOGDET", value, start, end)
            case "NUMPY":
                yield Token("FUNC", _of_numpy(value.rpartition(".")[2], whole, start, end), start, end)
            case "POWER_TRANSPOSED":
                exponent = re.sub(r"[\^*{\s]", "", value)
                inner = re.match(r"-?(?:[0-9]+|[a-z])", exponent)
                yield Token("_CARET", "^", start, end)
                yield Token("_LPAR", "(", start, end)
                yield from _raw(inner.group() if inner else "", start, names, whole)
                yield Token("_RPAR", ")", end, end)
                yield Token("TRANSPOSE", "'", start, end)
            case "MARK_TRANSPOSED" | "ADJUGATE" | "STAR":
                mark = "PINV" if re.search(r"\+|dagger", value) else "ADJUGATE"
                is_star = "star" in value or "⋆" in value
                is_label = mark == "ADJUGATE" and (is_small or is_star)
                label = "⋆" if is_star and not is_small else "*"
                yield Token("LABEL", label, start, end) if is_label else Token(mark, value, start, end)
                if kind == "MARK_TRANSPOSED":
                    yield Token("TRANSPOSE", "'", start, end)
            case "ORDER":
                yield Token("_COMMA", ",", start, end)
                if word := re.search(r"fro|nuc|inf", value):
                    yield Token("KIND", word.group(), start, end)
            case "METHOD":
                word = re.sub(r"\W", "", value)
                yield Token("METHOD", FUNCTIONS[word], start, end)
            case "LABEL":
                body, transposed = _label(value)
                yield Token("LABEL", body, start, end)
                if transposed:
                    yield Token("TRANSPOSE", "'", start, end)
            case "SUBWORD":
                word = re.sub(
                    r"^_\s*\{?\s*(?:\\[a-z]+)?[\s{]*|[\s}]+$", "", re.sub(r"\s*(?:\||\\mid|\\vert)\s*", "|", value)
                )
                yield Token("SUBWORD", word, start, end)
            case "KIND":
                yield Token("KIND", "∞" if "inf" in value or "∞" in value else "*", start, end)
            case "DECORATED":
                bare = re.sub(r"\\(?:math(?:bf|rm)|boldsymbol|bm|pmb)(?![a-z])|[{}\s]", " ", value).strip()
                word = re.match(r"\\([a-z]+)", bare)
                letter = re.sub(r"^\\[a-z]+|\s", "", bare)
                name = canonical(letter) + DECORATIONS[word[1] if word else ""]
                yield Token("NAME", name, start, end)
                last = "NAME"
            case "FRACTION":
                bare = re.sub(r"\\[dt]?frac|\\partial|\\mathrm|\^\s*\{?2\}?|\s", "", value)  # {U}{x}
                of, by = bare[1:-1].split("}{")
                mark = "²" if len(by) == 2 else "" if by in "xX" else f"_{by}"
                yield Token("PARTIAL", f"∂{mark}", start, end)
                yield Token("NAME", canonical(of.strip("{}")), start, end)
            case "RATIO" | "VULGAR":
                above, _, below = unicodedata.normalize("NFKC", value).replace("⁄", "/").partition("/")
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
                for each in re.findall(r"\\[A-Za-z]+|\w", re.sub(r"^\\[dt]?frac", "", value)):
                    yield from _braced(each, start, end)
                last = "_RBRACE"  # a brace that follows is the denominator
            case "PARTIAL":
                mark = re.sub(r"∂|\\partial|[\s{}^]", "", value).replace("2", "²")
                yield Token("PARTIAL", f"∂{mark}", start, end)
            case "DIFFERENTIAL":
                mark, _, of = value[1:-1].partition("(") if "(" in value else ("", "", value[1:])
                yield Token("PARTIAL", f"∂{mark.replace('2', '²')}", start, end)
                yield Token("NAME", canonical(of.strip()), start, end)
            case "FUNC":
                word, dot, _ = value.removeprefix("\\").partition(".")
                yield Token("FUNC", FUNCTIONS[word] + dot, start, end)
            case "FRECHET":
                *_, word = re.findall("[A-Za-z]+", value)
                yield Token("FRECHET", FUNCTIONS[word], start, end)
            case "NAME" | "DECLARED":
                name = canonical(value)
                yield Token("NAME", name, start, end)
                last = "NAME"
            case "SUB":
                yield Token("SUB", canonical(value.removeprefix("_").translate(_SUBSCRIPTS)), start, end)
            case _:
                yield Token(kind, value, start, end)


def of_function(name: str) -> str:
    """The name of a function that is spelled so without braces, as a variable has it: h_θ, f_{Wb}."""
    letter, _, subscript = re.sub(r"\\([A-Za-z]+)", lambda found: canonical(found[1]), name).partition("_")
    return letter + (
        f"_{{{subscript}}}" if len(subscript) > 1 and not subscript.isdigit() else f"_{subscript}" * bool(subscript)
    )


def _braced(letter: str, start: int, end: int) -> Iterator[Token]:
    """A number or a letter as TeX takes it, one token of which stands for itself in braces."""
    yield Token("_LBRACE", "{", start, end)
    yield Token("NUMBER" if letter.isdigit() else "NAME", canonical(letter), start, end)
    yield Token("_RBRACE", "}", start, end)


def _label(value: str) -> tuple[str, bool]:
    r"""What a superscript that is no power says, and whether a transpose follows in its braces: `^{(1)T}`."""
    body = re.sub(
        r"^(?:\^|\*\*)\s*|[{}\s]|\\(?:text|math)?(?:rm|bf|it|sf|normal)?(?![a-z])|\\mbox|\\operatorname", "", value
    )
    found = re.match(r"\(\w+\)|\[\w+\]|\w+", body)
    word = found.group() if found else body
    return word, len(word) < len(body)


def _of_numpy(word: str, whole: str, start: int, end: int) -> str:
    """The function that a word of NumPy is."""
    known = NUMPY.get(word) or FUNCTIONS.get(word)
    if known is None:
        raise FormulaError(f"unknown function {word} of NumPy", whole, start, end)
    if re.search(r"[A-Za-z)\]']\s*\*\s*[A-Za-z(\[]", whole):
        raise FormulaError("beside functions of NumPy, * would be entry by entry: write .* or @", whole, start, end)
    return known


def _paired(text: str, tokens: Iterator[Token]) -> Iterator[Token]:
    """Tell opening bars from closing ones and ones from the number 1, and keep the nesting within bounds.

    A bar closes when the innermost open delimiter is such a bar and an operand has just ended; otherwise it opens.
    A 1 directly behind an operand, or before ones, is the vector of ones: as a number it would change nothing.
    """
    closers: list[str] = []  # what would close each open delimiter
    before, previous = "", ""
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
        elif (token.type, token.value) == ("NUMBER", "1") and (
            ended or (following == "ONES" and "_CARET" not in (previous, before * (previous == "MINUS")))
        ):
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
            before, previous = previous, kind


def _unreadable(rest: str) -> str:
    """Why no terminal begins `rest`."""
    if rest.startswith("\\"):
        command = re.match(r"\\[A-Za-z]*", rest)
        return f"unknown command {command.group() if command else rest[:2]}"
    if rest.startswith("_"):
        return "after _ come one or two letters, a number, or braces"
    return f"unexpected character {rest[0]!r}"
