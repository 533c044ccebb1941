"""Printing: one walk over the tree, three ways of spelling.

Parentheses are printed by precedence, and around every product beside ⊗, ⊙ or ×, so that nobody has to know which of
the two binds tighter.
"""

import re
from decimal import Decimal

from matcalc.formula import tree as t
from matcalc.formula.arbitrary import is_arbitrary, name_of_function
from matcalc.formula.subscripts import is_one
from matcalc.formula.tree import Style as Style
from matcalc.formula.words import ACCENTS, BARE_GREEK, FUNCTIONS, SIZED, SPELLED

# How tightly a formula holds together; an operand printed where a higher level is needed gets parentheses.
_SUM, _SIGMA, _INFIX, _QUOTIENT, _PRODUCT, _FACTOR, _PRIMARY = range(7)

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_MARKS = {
    "unicode": {"T": "ᵀ", "inv": "⁻¹", "pinv": "⁺", "-T": "⁻ᵀ"},
    "ascii": {"T": "'", "inv": "^-1", "pinv": "^+", "-T": "^-T"},
    "tex": {"T": r"^\top", "inv": "^{-1}", "pinv": "^{+}", "-T": r"^{-\top}"},
}
_OPS = {
    "unicode": {"⊗": " ⊗ ", "⊙": " ⊙ ", "⊘": " ⊘ ", "×": " × ", "·": " · "},
    "ascii": {"⊙": " .* ", "⊘": " ./ "},  # kron(A, B), cross(u, v) and dot(x, y) are words
    "tex": {"⊗": r" \otimes ", "⊙": r" \odot ", "⊘": r" \oslash ", "×": r" \times ", "·": r" \cdot "},
}
_WORDS = {"⊗": "kron", "×": "cross", "·": "dot", "⊕": "blkdiag"}
_MARK_TEXTS = {"T", "-T", "-1"}
_CONSTANTS = {("e", 1), ("E", 1), ("E", 2)}  # e_i and E_ij are no entries
_ONES = {"unicode": "𝟏", "ascii": "ones", "tex": r"\mathbf{1}"}
_CROSSED = {"unicode": "_×", "ascii": "_cross", "tex": r"_{\times}"}
_SIZED = {symbol: word for word, symbol in SIZED.items()}
_BARS = {
    "unicode": {
        **{"det": ("|", "|"), "norm": ("‖", "‖"), "norm2": ("‖", "‖₂"), "norm1": ("‖", "‖₁")},
        **{"norminf": ("‖", "‖_∞"), "nuclear": ("‖", "‖_*")},
    },
    "ascii": {
        **{"det": ("|", "|"), "norm": ("||", "||"), "norm2": ("||", "||_2"), "norm1": ("||", "||_1")},
        **{"norminf": ("||", r"||_\infty"), "nuclear": ("||", "||_{*}")},
    },
    "tex": {
        "det": (r"\lvert ", r" \rvert"),
        "norm": (r"\lVert ", r" \rVert"),
        "norm2": (r"\lVert ", r" \rVert_2"),
        "norm1": (r"\lVert ", r" \rVert_1"),
        "norminf": (r"\lVert ", r" \rVert_\infty"),
        "nuclear": (r"\lVert ", r" \rVert_{*}"),
    },
}
_NORMS = ("norm", "norm1", "norm2", "norminf", "nuclear")
_TEX_WORDS = {"det", "ln", "sin", "cos", "exp", "sinh", "cosh", "tan"}
_OPERATOR = r"\operatorname{%s}"
_BEGIN, _END = "\ue000", "\ue001"  # around the formula to point at


def show(tree: t.Formula, style: Style) -> str:
    """The formula as text."""
    return _Printer(style).text(tree)


t.Formula.show = show


def locate(tree: t.Formula, part: t.Formula) -> tuple[str, int, int]:
    """The formula in Unicode, and where in it the node `part` (the object, not an equal one) is printed."""
    text = _Printer("unicode", part).text(tree)
    start, end = text.find(_BEGIN), text.find(_END)
    text = text.replace(_BEGIN, "").replace(_END, "")
    return (text, start, end - 1) if start >= 0 else (text, 0, len(text))


def _not_ones(text: str, ones: str = "1") -> str:
    """In parentheses where a number 1 in front would be read as the vector of ones."""
    return f"({text})" if re.match(rf"{ones}(?![0-9.])", text.lstrip(_BEGIN)) else text


def _word(function: str, style: Style) -> str:
    """The name of a function."""
    return function if style != "tex" else rf"\{function}" if function in _TEX_WORDS else _OPERATOR % function


class _Printer:
    def __init__(self, style: Style, marked: t.Formula | None = None) -> None:
        self.style: Style = style
        self.marked = marked
        self.bars = 0  # how many are open

    def text(self, tree: t.Formula, least: int = _SUM) -> str:
        """The formula as text, in parentheses if it holds together less than `least`."""
        text = self._text(tree)
        if self._level(tree) < least:
            tall = self.style == "tex" and any(part in text for part in (r"\frac", r"\sum"))
            text = rf"\left({text}\right)" if tall else f"({text})"
        return f"{_BEGIN}{text}{_END}" if tree is self.marked else text

    def _level(self, tree: t.Formula) -> int:
        match tree:
            case t.Sum() | t.Neg():
                return _SUM
            case t.Sigma():
                return _SIGMA
            case t.Product(factors):
                return _SIGMA if isinstance(factors[-1], t.Sigma) else _PRODUCT
            case t.Infix("/"):
                return _FACTOR if self.style == "tex" else _QUOTIENT
            case t.Infix("·") if self._is_dotted(tree):
                return _PRODUCT
            case t.Infix("⊕" | "·"):
                return _PRIMARY
            case t.Infix(".^"):
                return _FACTOR
            case t.Infix(op):
                return _PRIMARY if self.style == "ascii" and op in _WORDS else _INFIX
            case t.Power() | t.Transpose() | t.Derivative() | t.Apply("inv" | "pinv" | "!"):
                return _FACTOR
            case t.Apply("exp") if self.style == "tex":
                return _FACTOR
            case t.Apply("ln", of) if self._barred(of):
                return _FACTOR
            case _:
                return _PRIMARY

    def _text(self, tree: t.Formula) -> str:
        match tree:
            case t.Number(value):
                return format(Decimal(repr(value)), "f")
            case t.Name(name):
                return self._name(name)
            case t.Derivative():
                return self._derivative(tree)
            case t.Constant("K" | "D" | "L" as symbol, sizes) if not all(isinstance(size, t.Name) for size in sizes):
                return f"{_word(_SIZED[symbol], self.style)}({', '.join(map(self.text, sizes))})"  # D_1 is a name
            case t.Constant(symbol, indices):
                return (_ONES[self.style] if symbol == "1" else symbol) + self._subscript(indices)
            case t.Entry(t.Name(name), indices) if (name, len(indices)) not in _CONSTANTS:
                return self._name(name) + self._subscript(indices)
            case t.Entry(of, indices):
                return f"[{self.text(of)}]{self._subscript(indices)}"
            case t.Sum((first, *rest)):
                signed = [(" - ", part.of) if isinstance(part, t.Neg) else (" + ", part) for part in rest]
                head = self.text(first, _SUM if isinstance(first, t.Neg) else _SIGMA)
                return head + "".join([sign + self.text(part, _SIGMA) for sign, part in signed])
            case t.Neg(of):
                return "-" + self.text(of, _SIGMA)
            case t.Product((*first, last)):
                tail = self.text(last, _SIGMA if isinstance(last, t.Sigma) else _FACTOR)
                return " ".join([_not_ones(text) for text in [*[self.text(factor, _FACTOR) for factor in first], tail]])
            case t.Infix():
                return self._infix(tree)
            case t.Power(base, exponent):
                return self._power(base, exponent)
            case t.Transpose(t.Apply("inv", of)):
                return self.text(of, _PRIMARY) + _MARKS[self.style]["-T"]
            case t.Transpose(of):
                return _not_ones(self.text(of, _PRIMARY), "11?") + _MARKS[self.style]["T"]
            case t.Apply(function, of):
                return self._apply(tree, function, of)
            case t.Frechet(function, of, along):
                word = _word(function, self.style)
                subscript = f"{{{word}}}" if self.style == "tex" else word
                return f"L_{subscript}({self.text(of)}, {self.text(along)})"
            case t.Unvec(sizes, of):
                return f"{_word('unvec', self.style)}{self._subscript(sizes)}({self.text(of)})"
            case t.Sigma(index, _, t.Name("…"), body):
                sign = {"unicode": "∑", "ascii": "sum", "tex": r"\sum"}[self.style]
                return f"{sign}_{self._single(index)} {_not_ones(self.text(body, _SIGMA))}"
            case t.Sigma(index, start, stop, body):
                sign = {"unicode": "Σ", "ascii": "sum", "tex": r"\sum"}[self.style]
                lower, upper = f"{self._name(index)}={self._compact(start)}", self._braced(stop)
                return f"{sign}_{{{lower}}}^{{{upper}}} {_not_ones(self.text(body, _SIGMA))}"
            case _:
                raise TypeError(f"not a formula: {type(tree).__name__}")

    def _name(self, name: str) -> str:
        letter, subscript, label = re.fullmatch(r"([^_^]*)(_[^^]*)?(.*)", name, re.DOTALL).groups()  # pyright: ignore
        subscript, label = subscript or "", label or ""
        if self.style != "unicode":
            subscript, label = ("".join(map(self._letter, part)) for part in (subscript, label))
        if self.style == "tex":
            label = label.replace("⋆", r"\star")
            subscript = f"_{{{subscript[1:]}}}" if subscript and not subscript.startswith("_{") else subscript
        return self._letter(letter) + subscript + label

    def _letter(self, name: str) -> str:
        """A name without subscripts."""
        if self.style == "unicode":
            return name
        if name[-1:] in ACCENTS:
            return rf"\{ACCENTS[name[-1]]}{{{self._letter(name[:-1])}}}"
        word = SPELLED.get(name)
        if self.style == "ascii":
            return name if word is None else word if word in BARE_GREEK else f"\\{word}"
        return f"\\{word}" if word else name if len(name) == 1 or not name.isalnum() else rf"\mathrm{{{name}}}"

    def _function(self, function: str) -> str:
        """The name of a function, of one that has only a name as that of a variable, with the marks of a derivative."""
        if not is_arbitrary(function):
            return _word(function, self.style)
        name = name_of_function(function)
        return self._name(name) + function[len(name) :]

    def _single(self, index: str) -> str:
        text = self._name(index)
        return text if len(text) == 1 and self.style != "tex" else f"{{{text}}}"

    def _is_dotted(self, tree: t.Infix) -> bool:
        """Whether a dot is printed between two vectors: where it is read back so."""
        return self.style != "ascii" and t.is_column(tree.left) and t.is_column(tree.right)

    def _derivative(self, tree: t.Derivative) -> str:
        name, by = self._name(tree.of), tree.by
        match self.style:
            case "unicode":
                return f"∂_{by}{name}" if by not in ("", "²") else f"∂{by}{name}"
            case "ascii":
                return f"d2({name})" if by == "²" else f"d_{by}({name})" if by else f"d({name})"
            case "tex" if not by:
                return rf"\frac{{\partial {name}}}{{\partial x}}"
            case "tex":
                return rf"\partial^{{2}} {name}" if by == "²" else rf"\partial_{{{by}}} {name}"

    def _subscript(self, indices: tuple[t.Formula, ...]) -> str:
        if not indices:
            return ""
        texts = [self._compact(index) for index in indices]
        letters = all(len(text) == 1 and text.isalpha() for text in texts) and "".join(texts) not in FUNCTIONS
        body = ("" if letters else ",").join(texts)
        reads_back = len(body) == 1 or (len(body) == 2 and body.islower() and is_one(body))
        short = (letters and reads_back) or (len(texts) == 1 and body.isdigit())
        return f"_{body}" if short and self.style != "tex" else f"_{{{body}}}"

    def _compact(self, tree: t.Formula) -> str:
        return self.text(tree).replace(" + ", "+").replace(" - ", "-")

    def _braced(self, tree: t.Formula) -> str:
        """What stands in the braces of ^{...}: not what would be read as a mark."""
        text = self._compact(tree)
        return f"({text})" if text in _MARK_TEXTS else text

    def _infix(self, tree: t.Infix) -> str:
        match tree, self.style:
            case t.Infix("/", left, right), "tex":
                return rf"\frac{{{self.text(left)}}}{{{self.text(right)}}}"
            case t.Infix("/", left, right), _:
                return f"{self.text(left, _PRODUCT)}/{self.text(right, _FACTOR)}"
            case t.Infix("·", left, right), style if self._is_dotted(tree):
                return (
                    self.text(left, _PRODUCT if isinstance(left, t.Product) else _FACTOR)
                    + _OPS[style]["·"]
                    + (self.text(right, _PRODUCT if isinstance(right, t.Product) else _FACTOR))
                )
            case t.Infix("⊕" | "·" as op, left, right), style:
                return f"{_word(_WORDS[op], style)}({self.text(left)}, {self.text(right)})"
            case t.Infix(".^", base, exponent), style:
                return self._power(base, exponent, r"\odot " if style == "tex" else ".")
            case t.Infix("⊗" | "×" as op, left, right), "ascii":
                return f"{_WORDS[op]}({self.text(left)}, {self.text(right)})"
            case t.Infix(op, left, right), style:
                chained = isinstance(left, t.Infix) and left.op == op
                return self.text(left, _INFIX if chained else _FACTOR) + _OPS[style][op] + self.text(right, _FACTOR)

    def _power(self, base: t.Formula, exponent: t.Formula, dot: str = "") -> str:
        text = self._compact(exponent)
        whole = isinstance(exponent, t.Number) and text.isdigit()
        letter = isinstance(exponent, t.Name) and text != "T" and len(exponent.name) == 1
        euler = isinstance(base, t.Name) and base.name == "e" and (self.style == "tex" or re.fullmatch("[A-Z]", text))
        base_text = "(e)" if euler else self.text(base, _PRIMARY)  # e^{k} and e^X would be the exponential
        if self.style == "tex":
            return f"{base_text}^{{{dot}{self._compact(exponent) if dot else self._braced(exponent)}}}"
        if dot:
            return base_text + (f".^{text}" if whole or letter else f".^({text})")
        if self.style == "unicode" and whole:
            return base_text + text.translate(_SUPERSCRIPTS)
        return base_text + (f"^{text}" if whole or letter else f"^({text})")

    def _barred(self, tree: t.Formula) -> bool:
        """Whether bars are printed around the argument: not inside other bars, where words say it."""
        match tree:
            case t.Apply("det"):
                return not self.bars
            case t.Apply(function) if function in _NORMS:
                return not self.bars or self.style == "tex"
            case _:
                return False

    def _apply(self, tree: t.Apply, function: str, of: t.Formula) -> str:
        tex = self.style == "tex"
        match function:
            case "inv" | "pinv":
                return self.text(of, _PRIMARY) + _MARKS[self.style][function]
            case "!":
                return self.text(of, _PRIMARY) + "!"
            case "cross":
                return f"[{self.text(of)}]{_CROSSED[self.style]}"
            case _ if self._barred(tree):
                left, right = _BARS[self.style][function]
                self.bars += 1
                text = self.text(of)
                self.bars -= 1
                return left + text + right
            case "exp" if tex and (text := self.text(of)) not in _MARK_TEXTS:
                return f"e^{{{text}}}"
            case "sqrt" if tex:
                return rf"\sqrt{{{self.text(of)}}}"
            case "ln" if self._barred(of):
                return (r"\ln " if tex else "ln ") + self.text(of)
            case _:
                return f"{self._function(function)}({self.text(of)})"
