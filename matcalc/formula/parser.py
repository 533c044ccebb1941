"""Reading formulas."""

import re
from collections.abc import Collection
from functools import lru_cache
from importlib.resources import files
from typing import Any

from matcalc.formula import tree as t
from matcalc.formula.errors import FormulaError
from matcalc.formula.names import declared, joined
from matcalc.formula.tokens import MAX_DEPTH, Token, canonical, tokenize

_OPERAND = "a variable, a number, a function or a parenthesis"
_CLOSERS = {
    **{"_RPAR": "')'", "_RSQB": "']'", "_RBRACE": "'}'", "_RBAR": "a closing '|'", "_RNORM": "a closing '‖'"},
    **{"_EQUALS": "'='", "_RANGLE": "a closing '⟩'", "$END": "the end"},
}
_OTHERS = {
    "_UNDER": "'_{'",
    "_CARET": "'^'",
    "_LBRACE": "'{'",
    "_LPAR": "'('",
    "_LSQB": "'['",
    "_COMMA": "','",
    "NAME": "a variable",
}


def parse(text: str, names: Collection[str] = (), functions: Collection[str] = ()) -> t.Formula:
    """Read one formula. `names` are variables of several letters, `functions` those that have only a name.

    >>> parse("tr(A X B)'")
    <Transpose tr(A X B)ᵀ>
    >>> parse("g'(a'x) a", functions=["g"])
    <Product g'(aᵀ x) a>
    """
    return _read(text, names, "formula", functions)[0]


def parse_equation(text: str, names: Collection[str] = ()) -> tuple[t.Formula, ...]:
    """Read the sides of an equation, one or several.

    >>> parse_equation("(X⁻¹)' = X^-T")
    (<Transpose X⁻ᵀ>, <Transpose X⁻ᵀ>)
    """
    return _read(text, names, "equation")


def name_of(text: str) -> str:
    r"""The name that a text spells: `\Sigma_{xy}` is Σ_{xy}, `beta` is β; a word is a name of several letters."""
    text = text.strip().strip("$")
    if re.fullmatch(r"\\?[^\W_]+", text):
        return canonical(text)
    try:
        tree = parse(text)
    except FormulaError:
        return canonical(text)
    match tree:
        case t.Name(name):
            return name
        case t.Entry(t.Name(base), indices) | t.Constant("e" | "E" | "I" as base, (_, *_) as indices):
            return joined(base, indices)
        case _:
            return canonical(text)


def _read(text: str, names: Collection[str], start: str, functions: Collection[str] = ()) -> tuple[t.Formula, ...]:
    from lark import Token as Terminal
    from lark import UnexpectedToken

    from matcalc.formula.builder import Misread

    reader = _lark().parse_interactive(start=start)
    end = token = Token("$END", "", len(text), len(text))
    sides: tuple[t.Formula, ...] = ()
    try:
        for token in (*tokenize(text, names, functions), end):
            sides = reader.feed_token(Terminal(token.type, token.value, token.start, end_pos=token.end))
    except UnexpectedToken:
        found = "the formula ends here" if token is end else f"found {text[token.start : token.end]!r}"
        message = f"expected {_expected(reader.accepts())}; {found}{_remedy(token, text)}"
        raise FormulaError(message, text, token.start, token.end) from None
    except Misread as error:
        place = error.token or Terminal("", "", token.start, end_pos=token.end)
        raise FormulaError(str(error), text, place.start_pos or 0, place.end_pos) from None
    if any(t.depth(side) > MAX_DEPTH for side in sides):
        raise FormulaError(f"nested deeper than {MAX_DEPTH}", text)
    subscripted = frozenset(name for name in names if "_" in name)
    return tuple(declared(side, subscripted) for side in sides) if subscripted else sides


def _remedy(token: Token, text: str) -> str:
    """What helps where a term goes on."""
    before = text[: token.start]
    if token.type in ("NAME", "FUNC", "_EULER", "_LPAR", "_LNORM", "_LBAR", "_FRAC", "NUMBER", "ONES") and re.search(
        r"/[^-+,=]*$", before
    ):
        return ". After a quotient write parentheses: (a/b) c or a/(b c)"
    if token.type in ("_CARET", "SUPERSCRIPT") and re.search(r"(?:ln|log|det)\s*(?:\||\\|det)", before):
        return ". Write (ln |X|)^2 or ln(|X|^2)"
    if token.type in ("NAME", "NUMBER", "_LPAR") and re.search(r"(?:tr|det|ln|log|exp)\s+\S+\s*$", before):
        return ". Write the argument of the function in parentheses"
    return ""


def _expected(terminals: Collection[str]) -> str:
    """What may stand here, in words."""
    if "NUMBER" in terminals and "_PLUS" not in terminals:
        return _OPERAND
    known = ["an operator"] if "_PLUS" in terminals else []
    spelled = _CLOSERS if known else _CLOSERS | _OTHERS
    return " or ".join(known + [word for terminal, word in spelled.items() if terminal in terminals])


@lru_cache(maxsize=1)
def _lark() -> Any:
    """The LALR parser of `grammar.lark`, which builds the tree while it reads."""
    from lark import Lark

    from matcalc.formula.builder import Builder

    grammar = files("matcalc.formula").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", start=["formula", "equation"], transformer=Builder())
