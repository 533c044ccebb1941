r"""What stands around a formula in a paper: `f(X) = …`, `\frac{\partial f}{\partial X} = …`, and `… where M = …`."""

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from matcalc.formula import tree as t
from matcalc.formula.arbitrary import name_of_function
from matcalc.formula.code import POWER, is_code
from matcalc.formula.errors import FormulaError
from matcalc.formula.parser import name_of, parse
from matcalc.formula.subscripts import doubtful
from matcalc.formula.tokens import canonical
from matcalc.formula.words import FUNCTIONS, SPELLED

NODES = 20_000  # of a formula with its definitions put in
LONGEST = 300  # characters of a left side
_WHERE = re.compile(r"\b(?:where|with)\b")
_BETWEEN = re.compile(r"[,;]|\\(?:text|mbox)\{ *and *\}|\band\b")
_WORD = r"(?:\\(?:math(?:cal|bf|rm|scr)|operatorname|text)\s*\{\s*\w+\s*\}|\\?[A-Za-zΑ-Ωα-ω]\w*)"
_NAME = rf"{_WORD}(?:_\w|_\\[A-Za-z]+|_\{{[\w\\, ]+\}})?"
_CALLED = re.compile(rf"\s*{_NAME}\s*(?:\(\s*[^()=]*\s*\))?\s*")
_PARTIAL = r"(?:\\partial|∂|\\mathrm\s*\{?d\}?|\\(?:rm\s+)?d|d)"
_BY = rf"(?P<by>(?:\\(?:math(?:bf|rm)|boldsymbol|bm|vec)\s*\{{?\s*)?{_NAME}(?:\^(?:\{{?(?:T|\\top)\}}?))?)"
_LEFT = [
    re.compile(
        rf"\s*\\[dt]?frac\s*\{{\s*{_PARTIAL}[^{{}}]*(?:\{{[^{{}}]*\}}[^{{}}]*)*\}}\s*\{{\s*{_PARTIAL}\s*{_BY}\s*\}}\s*\}}?.*"
    ),
    re.compile(rf"\s*{_PARTIAL}[^/=]*/\s*{_PARTIAL}\s*{_BY}.*"),
    re.compile(rf"\s*(?:\\nabla|∇)\s*_\s*\{{?\s*{_BY}\s*\}}?.*"),
    re.compile(r"\s*(?:\\nabla|∇)(?P<by>)\s*\S.*"),
]
_SQUARED = r"(?:\^\s*\{?\s*2\s*\}?|²)"
_SECOND = [  # ∂²f/∂x∂xᵀ and d²f/dx², ∇²f and ∇_x∇_xᵀf, Hess f and D²f, f''
    re.compile(rf"\\[dt]?frac\s*\{{\s*{_PARTIAL}\s*{_SQUARED}.*?\}}\s*\{{(?P<by>.*)\}}[\w\\(){{}}\s]*"),
    re.compile(rf"{_PARTIAL}\s*{_SQUARED}[^/]*/(?P<by>.*)"),
    re.compile(rf"(?:\\nabla|∇)\s*{_SQUARED}(?:\s*_\s*(?:\{{(?P<by>[^{{}}]*)\}}|\w))?.*"),
    re.compile(rf"(?:\\nabla|∇)\s*_\s*(?:\{{(?P<by>[^{{}}]*)\}}|\w)\s*{_SQUARED}.*"),
    re.compile(r"(?:(?:\\nabla|∇)\s*(?:_\s*(?:\{[^{}]*\}|\w))?\s*){2}.*(?P<by>)"),
    re.compile(r"(?:\\(?:operatorname|mathrm|text)\s*\{\s*)?Hess(?:ian)?(?![a-z]).*(?P<by>)"),
    re.compile(rf"(?:D|{_PARTIAL})\s*{_SQUARED}.*(?P<by>)"),
    re.compile(r"(?:\\nabla|∇)\s*_\s*\{(?P<by>\s*(?P<x>\\[a-z]+|\w)\s*(?P=x)\s*)\}.*"),
    re.compile(rf"{_NAME}\s*(?:''|′′|″|\^\s*\{{\s*\\prime\s*\\prime\s*\}})\s*(?:\([^()]*\))?(?P<by>)"),
]
_HESSIAN = re.compile(
    r"(?:\\(?:math(?:bf|rm|cal)|boldsymbol|bm)\s*\{?\s*)?H\s*\}?\s*(?:_\s*(?:\{[^{}]*\}|\w)\s*)?(?:f\s*)?(?:\([^()]*\))?"
)
_LETTER_CALLED = re.compile(
    r"(?<![A-Za-z\\^_])(\\[A-Za-z]+(?:_\w)?|[A-Za-zΑ-Ωα-ω](?:_\w)?)\((\\?[A-Za-zΑ-Ωα-ω]+(?:_\w)?)\)"
)  # f(x), as nobody writes a product
_DIFFERENTIAL = re.compile(
    rf"\s*{_PARTIAL}\s*(?:{_NAME}(?:\s*\([^()=]*\))?\s*|(?:\\[A-Za-z|]|[(\[|‖]|(?:{'|'.join(FUNCTIONS)})(?![A-Za-z])).*)"
)
_OPERATORS = [  # before the function that is differentiated
    re.compile(rf"\s*\\[dt]?frac\s*\{{\s*{_PARTIAL}\s*\}}\s*\{{\s*{_PARTIAL}\s*{_BY}\s*\}}?\s*\}}(?P<of>.+)"),
    re.compile(
        rf"\s*\\[dt]?frac\s*\{{\s*{_PARTIAL}(?P<of>[^{{}}]*(?:\{{[^{{}}]*\}}[^{{}}]*)+|[^{{}}]*\([^{{}}]*)\}}\s*\{{\s*{_PARTIAL}\s*{_BY}\s*\}}?\s*\}}"
    ),
    re.compile(rf"\s*{_PARTIAL}\s*/\s*{_PARTIAL}\s*{_BY}(?![A-Za-z_])(?P<of>.+)"),
    re.compile(rf"\s*(?:\\nabla|∇)\s*_\s*(?:\{{\s*{_BY}\s*\}}?\s*\}}|(?P<letter>\\[A-Za-z]+|\w))(?P<of>.+)"),
]


def without_left_side(text: str) -> str:
    """The formula behind `f(X) =`. FormulaError for an equation between two formulas."""
    sides = _sides(text)
    if len(sides) == 1:
        return text
    if len(sides) == 2 and _is_name(sides[0]):
        return sides[1]
    start = text.find("=")
    if len(sides) == 2 and (found := _operator(sides[0])):
        of, claim = found["of"].strip(), sides[1].strip()
        raise FormulaError(f"this is an equation; give {of} as the function, and {claim} as the claim", text, start)
    raise FormulaError("this is an equation; give one side, or f = … with a name on the left", text, start)


def differentiated(text: str, wrt: str = "") -> str:
    r"""The function behind ∂/∂X, `\frac{\partial}{\partial X}` or ∇_X; FormulaError where X is not `wrt`."""
    if len(text) > LONGEST or not (found := _operator(text)):
        return text
    by = _bare_name(found["by"] or found.groupdict().get("letter") or "")
    if wrt and name_of(by) != wrt:
        raise FormulaError(f"this is a derivative by {name_of(by)}; asked for is that by {wrt}", text, 0)
    return found["of"]


def _operator(text: str) -> re.Match[str] | None:
    """What a text is that begins with the sign of a derivative by a variable."""
    return next(filter(None, (pattern.fullmatch(text) for pattern in _OPERATORS)), None)


def _bare_name(text: str) -> str:
    """A variable without what makes it bold, and without a transpose."""
    return re.sub(r"\\(?:math(?:bf|rm)|boldsymbol|bm|vec)\s*\{?|\^.*|[{}\s]", "", text)


def second_order(text: str) -> tuple[str, bool]:
    """The left side of a claim that is a second derivative, and whether that is certain: H = … may be another name."""
    sides = _sides(text)
    left = _bare(sides[0]) if len(sides) > 1 else ""
    is_certain = _second(left) is not None
    return (left, is_certain) if is_certain or _HESSIAN.fullmatch(left) else ("", False)


def claimed_side(text: str, wrt: str, order: int = 1) -> str:
    r"""The claim behind `\frac{\partial f}{\partial X} =`, `∇_X f =` or `∇²f =`.

    FormulaError for that by another variable, or of another order.
    """
    sides = _sides(text)
    if len(sides) == 1:
        return text
    if (second := _second(sides[0])) and len(sides) == 2:
        if others := _others(second["by"] or "", wrt):
            raise FormulaError(
                f"the claim is a derivative by {others[0]} too; asked for is that by {wrt} twice", text, 0
            )
        return sides[1]
    left = next((found for pattern in _LEFT if (found := pattern.fullmatch(sides[0]))), None)
    if len(sides) > 2 or not (left or _is_name(sides[0]) or _DIFFERENTIAL.fullmatch(sides[0])):
        raise FormulaError("a claim is one formula; check the sides of an equation one by one", text, text.find("="))
    if left and order == 2:
        raise FormulaError("the claim is a first derivative; asked for is the second", text, 0)
    by = _bare_name(left["by"]) if left else ""
    if by and name_of(by) != wrt:
        raise FormulaError(f"the claim is a derivative by {name_of(by)}; asked for is that by {wrt}", text, 0)
    return sides[1]


def _bare(text: str) -> str:
    """A left side without spaces of TeX, and what it is enclosed in."""
    return re.sub(r"\\[,;:! ]|[$&]", " ", text).strip()


def _second(left: str) -> re.Match[str] | None:
    """The left side of a claim, if it is a second derivative."""
    text = _bare(left)
    found = (pattern.fullmatch(text) for pattern in _SECOND if len(text) <= LONGEST)
    return next(filter(None, found), None)


def _others(text: str, wrt: str) -> list[str]:
    """The variables but this one of ∂x ∂yᵀ, or of a subscript xy."""
    vec = r"\\(?:operatorname|mathrm|text)\s*\{\s*vec\s*\}|\bvec\b|\\(?:math(?:bf|rm)|boldsymbol|bm|vec)(?![a-z])"
    marks = r"\^\s*\{?\s*(?:T|\\top|\\mathsf\s*T|2|')\s*\}?|['ᵀ⊤²(){}]"
    bare = re.sub(rf"{vec}|{marks}", " ", text)
    pieces = re.split(r"\\partial|∂|(?<![\\\w])d(?=\s*[\\\w])", bare)
    left = " ".join(piece for piece in pieces if piece.strip() and name_of(piece) != wrt)
    return [name for letter in re.findall(r"\\[A-Za-z]+|\w(?:_\w+)?", left) if (name := name_of(letter)) != wrt]


def _is_name(text: str) -> bool:
    """Whether the text is the name of a function, with its variables in parentheses or without."""
    return bool(_CALLED.fullmatch(text)) and text.partition("(")[0].strip(" \\") not in FUNCTIONS


def split_where(text: str) -> tuple[str, list[str]]:
    """The formula, and the definitions behind `where`."""
    found = _WHERE.search(text)
    if not found or "=" not in text[found.end() :]:
        return text, []
    parts: list[str] = []
    for piece in _BETWEEN.split(text[found.end() :].lstrip(" }:")):
        if "=" in piece or not parts:
            parts.append(piece)
        else:
            parts[-1] += f",{piece}"  # of a function of two, kron(A, B)
    return _without_end(text[: found.start()]), [part.strip(" .$") for part in parts if part.strip(" .$")]


def _without_end(text: str) -> str:
    """The text without the commas, spaces and commands at its end."""
    end = len(text.rstrip(" ,;.{"))
    for word in ("\\text", "\\mbox", "\\mathrm", "\\quad", "\\qquad", "\\ ", "\\,", "\\;") * 3:
        end = len(text[:end].removesuffix(word).rstrip(" ,;.{"))
    return text[:end]


@dataclass(frozen=True)
class Meaning:
    """What a name is defined to be; of a function f(x), by its argument x."""

    tree: t.Formula
    argument: str = ""

    def __str__(self) -> str:
        return str(self.tree)


def definitions(texts: Sequence[str], names: Sequence[str], functions: Collection[str] = ()) -> dict[str, Meaning]:
    """The meanings of definitions such as "M = I - A X" and "f(x) = exp(-x^2)", of which one may use another.

    `names` are variables of several letters, `functions` those that have only a name.
    """
    found: dict[str, Meaning] = {}
    parts = [_sides(text) for text in texts]
    for text, sides in zip(texts, parts, strict=True):
        if len(sides) != 2:
            raise FormulaError("a definition is a name, = and a formula: M = I - A X", text, 0, len(text))
    lefts = [_defined(text, left) for text, (left, _) in zip(texts, parts, strict=True)]
    words = spelled([*names, *(name for left in lefts for name in left if name)])
    called = {*functions, *(name_of(name) for name, argument in lefts if argument)}
    typed: dict[str, Meaning] = {}
    for text, (left, right), (given, argument) in zip(texts, parts, lefts, strict=True):
        name = name_of(given)
        if name in typed or name == "I" or (argument and name in FUNCTIONS):
            raise FormulaError(f"{name} cannot be defined{' twice' if name in typed else ''}", text, 0, len(left))
        typed[name] = Meaning(parse(right.strip(" .$"), words, called), argument and name_of(argument))
    while len(found) < len(typed):
        left = {name: meaning for name, meaning in typed.items() if name not in found}
        ready = [name for name, meaning in left.items() if not _used(meaning) & left.keys()]
        if not ready:
            raise FormulaError(f"{next(iter(left))} is defined by itself")
        found |= {
            name: replace(left[name], tree=substitute(left[name].tree, found, left[name].argument)) for name in ready
        }
    return found


def _defined(text: str, left: str) -> tuple[str, str]:
    """The name that is defined, and the argument of a function."""
    called = re.fullmatch(rf"\s*({_NAME})\s*\(([^()]*)\)\s*", left)
    if called and not re.fullmatch(_NAME, called[2].strip()):
        raise FormulaError("a function is defined by one argument, a letter: f(x) = …", text, 0, len(left))
    return (called[1].strip(), called[2].strip()) if called else (left.strip(), "")


def _used(meaning: Meaning) -> set[str]:
    """The names in a meaning, those of functions too."""
    used: set[str] = set()
    for node in t.nodes(meaning.tree):
        match node:
            case t.Name(name) if name != meaning.argument:
                used.add(name)
            case t.Apply(function):
                used.add(name_of_function(function))
            case _:
                pass
    return used


def spelled(names: Sequence[str]) -> frozenset[str]:
    """The names as `parse` wants them: words as they are typed, others in their normal form."""
    return frozenset(name.strip() for name in names) | {name_of(name) for name in names}


def substitute(tree: t.Formula, meanings: Mapping[str, Meaning], but: str = "") -> t.Formula:
    """The formula with what its names are defined to be, `but` one. FormulaError where it becomes too large."""
    if not meanings:
        return tree

    def meant(name: str, bound: frozenset[str]) -> Meaning:
        if caught := bound & _used(meanings[name]):
            raise FormulaError(f"{name} depends on {min(caught)}, which is bound by a sum here; write it out")
        return meanings[name]

    def put(node: t.Formula, bound: frozenset[str]) -> t.Formula:
        match node:
            case t.Name(name) if name in meanings and name != but:
                return meant(name, bound).tree
            case t.Apply(function, of) if (name := name_of_function(function)) in meanings and meanings[name].argument:
                if function != name:
                    raise FormulaError(f"{name} is defined, and {function} is not: write it out")
                return substitute(meant(name, bound).tree, {meanings[name].argument: Meaning(put(of, bound))})
            case t.Sigma(index):
                bound = bound | {index}
            case _:
                pass
        return t.with_children(node, [put(child, bound) for child in t.children(node)])

    whole = put(tree, frozenset())
    if sum(1 for _ in itertools.islice(t.nodes(whole), NODES + 1)) > NODES:
        raise FormulaError(f"with its definitions put in, the formula has more than {NODES:,} parts")
    return whole


def doubts(text: str, tree: t.Formula, functions: Collection[str] = (), names: Collection[str] = ()) -> tuple[str, ...]:
    r"""What a reader could doubt of how a text is read, in words: φ(x) is a product, and σ(x) the sigmoid."""
    known = {*FUNCTIONS, *functions}
    called = [
        (found[1], found[2])
        for found in _LETTER_CALLED.finditer(text)
        if not found[1].startswith("\\") or canonical(found[1].partition("_")[0]) in SPELLED
    ]
    products = [(name_of(letter), inner) for letter, inner in called if not known & {letter, name_of(letter)}]
    notes = [
        f"{name}({inner}) is read as a product, for {name} is not declared as a function" for name, inner in products
    ]
    if "sigmoid" not in text and any(
        isinstance(node, t.Apply) and node.function == "sigmoid" for node in t.nodes(tree)
    ):
        notes = [note for note in notes if not note.startswith("σ(")] + ["σ( ) is read as the sigmoid"]
    if re.search(r"[|‖∥]\s*_\s*\{\s*2\s*,\s*1\s*\}", text):
        notes.append("‖ ‖_{2,1} is read as the sum of the norms of the columns")
    if re.search(r"\^\s*\{?\s*(?:[*∗]|\\ast)", text):
        adjugates = (node for node in t.nodes(tree) if isinstance(node, t.Apply) and node.function == "adj")
        notes += [f"{node.of}^* is read as the adjugate" for node in adjugates]
    return tuple(dict.fromkeys([*notes, *doubtful(text, names), *_of_powers(text, tree)]))


def _of_powers(text: str, tree: t.Formula) -> Iterator[str]:
    """What ** is read as."""
    if not POWER.search(text):
        return
    if is_code(text):
        if any(isinstance(node, t.Infix) and node.op == ".^" for node in t.nodes(tree)):
            yield "** is read as the power of each entry, as in NumPy"
        return
    for node in t.nodes(tree):
        match node:
            case t.Power(base) | t.Apply("inv", base) if not (t.is_scalar(base) or t.is_column(base)):
                yield f"** is read as the power of a matrix, {node}; that of each entry is .^"
                return
            case _:
                pass


def _sides(text: str) -> list[str]:
    """The text split at each = that stands in no braces."""
    places = [-1, *_equals(text), len(text)]
    return [text[start + 1 : end].removesuffix(":") for start, end in itertools.pairwise(places)]


def _equals(text: str) -> Iterator[int]:
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "{(") - (character in "})")
        if character == "=" and depth == 0:
            yield place
