r"""The one regular expression of the language: a named group for each terminal, earlier ones first."""

import re
from functools import lru_cache

from matcalc.formula.arbitrary import pattern_of_calls
from matcalc.formula.code import IN_CODE, METHODS
from matcalc.formula.subscripts import LETTER as LETTER
from matcalc.formula.words import (
    BARE_GREEK,
    DECORATIONS,
    DOTTED,
    FUNCTIONS,
    GREEK,
    MARKED_FUNCTIONS,
    MATRIX_FUNCTIONS,
    VARIANTS,
    WHOLE_GREEK,
)

RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
LOWERED = "₀₁₂₃₄₅₆₇₈₉ₐₑₒₓₕₖₗₘₙₚₛₜᵢᵣᵤᵥⱼ"
_T = (
    r"(?:\\!\s*)?(?:T|⊤|ᵀ|\\top(?![a-z])|\\intercal|\\prime|'"
    r"|\\(?:math(?:sf|rm|bf|it|tt)|text|mbox|textrm)\s*(?:T|\{T\})|\\(?:rm|sf|bf|it)\s+T)"
)
_TEXT = r"\\(?:text(?:rm|bf|it|sf|normal)?|math(?:rm|it|bf|sf)|mbox|operatorname)"
_KIND = r"(?:\*|∗|\\ast(?![a-z])|\\infty(?![a-z])|∞|\\star(?![a-z]))"  # of a norm
_INDEX = r"(?:[A-Za-z0-9](?:\s*[-+]\s*[0-9]+)?)"  # of the two in P_{k|k-1}
_CARET = r"(?:\^|\*\*)"
_DECORATED = "|".join(sorted(DECORATIONS, key=len, reverse=True))
_GREEK = "|".join(sorted((*GREEK, *VARIANTS), key=len, reverse=True))
_LETTERS_OF_INDICES = "ijkl"  # of which three are subscripts, and no word
_DECIMAL = r"(?:[0-9]+(?:\.[0-9]+)?|(?<![0-9A-Za-z)\]}])\.[0-9]+)"


def _raised(body: str) -> str:
    """The pattern of `^body`, with or without braces or parentheses."""
    return rf"{_CARET}\s*(?:{body}|\{{\s*{body}\s*\}}|\(\s*{body}\s*\))"


def _longest_first(words: "frozenset[str] | set[str]") -> str:
    return "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word)))) or "(?!)"


@lru_cache(maxsize=64)
def pattern(names: frozenset[str], functions: frozenset[str] = frozenset()) -> re.Pattern[str]:
    """The pattern of the terminals; `names` and `functions` are declared ones."""
    whole = rf"(?<![A-Za-z])(?:{_longest_first(WHOLE_GREEK)})(?![A-Za-z])"
    name = rf"(?:\\(?:{_GREEK})(?![A-Za-z])|{_longest_first(names | BARE_GREEK)}|{whole}|{LETTER}[̃̂̄̇]?)"
    greek = rf"\\(?:{_GREEK})(?![A-Za-z])"
    free = _longest_first(set(FUNCTIONS) - MARKED_FUNCTIONS)
    marked_functions = rf"(?:{_longest_first(MARKED_FUNCTIONS)})(?=\s*(?:\\left)?\s*\.?[(\[{{])"
    marks = rf"\s*(?:-\s*1|-?\s*{_T}|\+|\\dagger)\s*\}}"
    alone = r"(?<![0-9.^])(?<!\*\*)"
    transposed = rf"\s*(?:'|ᵀ|⊤|\^\s*(?:{_T}|\{{\s*{_T}\s*\}}))"
    words = _longest_first(set(FUNCTIONS))
    of_matrices = _longest_first({word for word, function in FUNCTIONS.items() if function in MATRIX_FUNCTIONS})
    no_labels = _longest_first({*FUNCTIONS, *BARE_GREEK, *names, "ones"})
    label = r"(?:\(\s*(?:[0-9]{1,2}|[A-SU-Za-z][A-Za-z]*)\s*\)|\[\s*[0-9A-Za-z]+\s*\])"
    patterns = {
        "SPACE": r"\s+|[~&$]|\\[,;:!> ]|\\(?:left|right|middle|[bB]igg?[lr]?|q?quad|limits|displaystyle)(?![A-Za-z])"
        r"|\\(?:mathbf|boldsymbol|bm|pmb|vec|mathrm)(?=\s+[A-Za-z\\]|\\)|\\(?:bf|rm|it|sf|cal)(?![A-Za-z])"
        r"|\\(?:nonumber|notag)(?![A-Za-z])",
        "CALLED": pattern_of_calls(functions, {**GREEK, **VARIANTS}),
        # A 1 that is transposed is the vector of ones, as is one behind an operand: see `_paired`.
        "ONES": r"[𝟏𝟙]|\\(?:math(?:bf|bb)|boldsymbol|bm|pmb|textbf|vec)\s*(?:1|\{\s*1\s*\})|\{\s*\\bf\s+1\s*\}"
        r"|ones(?![a-z])"
        rf"|(?:{alone}1(?=1?{transposed})|(?<={alone}1)1(?={transposed}))",  # 11^T is 1 1^T
        "RATIO": r"(?<![\^*.])[0-9]+\s*/\s*[0-9]+(?![0-9.!^⁻⁰-⁹])(?=\s*\*?\s*(?:[A-Za-zα-ωΑ-Ω|‖⟨(\[]|\\[A-Za-z|{]))",
        "VULGAR": "[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]",
        "NUMBER": rf"{_DECIMAL}(?:[eE][-+]?[0-9]+(?![0-9A-Za-z]))?",
        "WORD": rf"\{{\s*\\(?:rm|bf|it|sf|mathrm)\s*(?:{words})\s*\}}"  # {\rm tr}
        rf"|\\mathop\s*\{{\s*\\(?:mathrm|rm|text|sf)\s*\{{?\s*(?:{words})\s*\}}?\s*\}}",
        "EULER": rf"\\(?:mathrm|text|rm)\s*\{{\s*e\s*\}}(?=\s*{_CARET}\s*\{{)",  # \mathrm{e}^{X}
        "WRAP": r"\\(?:math(?:bf|bb|cal|rm|it|sf|scr|frak|op)|boldsymbol|bm|pmb|vec|operatorname\*?"
        r"|text(?:bf|rm|it|sf)?|mbox)\s*\{[^{}]*\}",
        "DECORATED": rf"\\(?:math(?:bf|rm)|boldsymbol|bm|pmb)\s*\{{\s*\\(?:{_DECORATED})\s*"
        rf"(?:\{{\s*{name}\s*\}}|(?=[\sA-Za-z\\])\s*{name})\s*\}}|"
        rf"\\(?:{_DECORATED})\s*(?:\{{\s*(?:\\(?:math(?:bf|rm)|boldsymbol|bm)\s*\{{\s*{name}\s*\}}"
        rf"|{name})\s*\}}|(?=[\sA-Za-z\\])\s*{name})",
        "DECLARED": _longest_first(set(names)),
        "ORDER": rf",\s*(?:ord\s*=\s*)?(?:['\"](?:fro|nuc)['\"]|(?:(?:{'|'.join(DOTTED)})\.)?inf(?![a-z]))|,\s*ord\s*=",
        "METHOD": rf"\.(?:{'|'.join(METHODS)})\(\s*\)",
        "NUMPY": rf"(?<![A-Za-z])(?:{'|'.join(DOTTED)})\.(?:(?:linalg|special|nn|functional|numpy|scipy)\.)*[A-Za-z_]+",
        "_SIGMA": r"Σ(?=\s*_\s*\{[^{}=]*=)|∑|\\sum(?![A-Za-z])|sum(?=\s*_)",
        "FRACTION": rf"\\[dt]?frac\s*\{{\s*\\partial\s*(?:\^\s*\{{?2\}}?)?\s*(?:{name}|\\mathrm\{{{name}\}})\s*\}}"
        r"\s*\{\s*\\partial\s*[A-Za-z]\s*(?:\\partial\s*[A-Za-z]\s*)?\}",
        "PARTIAL": r"(?:∂|\\partial(?![A-Za-z]))(?:\s*_\s*\{\s*[A-Za-z]\s*\}|_[A-Za-z]|²|\^2|\^\{2\})?",
        "DIFFERENTIAL": rf"d(?:_[A-Za-z]|2)?\(\s*{name}\s*\)|(?<![A-Za-z])d[A-Z]",
        "FUNC": rf"(?:\\(?:{_longest_first(set(FUNCTIONS))})(?![A-Za-z])|{free}|{marked_functions})"
        r"(?:\.(?=\s*(?:\\left)?\s*[(\[{]|\Z))?",
        # L_exp(U, V): the parenthesis follows at once, as it does not behind an entry L_ln of a matrix L.
        "FRECHET": rf"L_(?:\\?(?:{of_matrices})|\{{\s*(?:\\?(?:{of_matrices})|{_TEXT}\s*\{{\s*(?:{of_matrices})\s*\}})"
        r"\s*\})(?=(?:\s*\\(?:left|[bB]igg?l?)\s*)?\()",
        "_EULER": rf"e(?=\s*{_CARET}\s*(?:\{{(?!{marks})|[A-SU-Z]))",
        "NAME": name,
        "DIGITS": rf"\\[dt]?frac(?:\s*(?:[0-9]|{greek})|\s+[A-Za-z])\s*(?:{greek}|[0-9A-Za-z]|(?=\{{))",
        "_FRAC": r"\\[dt]?frac(?![A-Za-z])",
        "_OVER": r"\\over(?![A-Za-z])",
        "_CARET_IN_CODE": IN_CODE,
        "_DOTTED_CARET": r"\.\s*(?:\^|\*\*)",
        "_POWER_OF_ENTRIES": rf"{_CARET}\s*\{{\s*(?:\\odot(?![a-z])|\\circ(?![a-z])|⊙|∘)",  # X^{\odot 2}
        "INVERSE_TRANSPOSE": "⁻ᵀ|" + _raised(rf"-\s*{_T}"),
        "INVERSE": rf"⁻¹(?![{RAISED}])|\.inverse\(\)|" + _raised(r"-\s*1(?![0-9.!]|\s*\w)"),
        "POWER_TRANSPOSED": rf"{_CARET}\s*\{{\s*-?\s*(?:[0-9]+|[a-z])\s*{_T}\s*\}}",  # X^{-2T}
        "TRANSPOSE": rf"'|ᵀ|⊤|\.m?T(?![A-Za-z])|\.'|\.(?:transpose|t)\(\)|\^\s*(?:{_T}|\{{\s*{_T}\s*\}})",
        "ADJUGATE": _raised(r"(?:[*∗]|\\ast(?![a-z]))"),
        "STAR": _raised(r"(?:⋆|★|\\star(?![a-z]))"),
        "MARK_TRANSPOSED": rf"{_CARET}\s*\{{\s*(?:\+|\\dagger|[*∗⋆]|\\ast|\\star)\s*{_T}\s*\}}",  # X^{+T}
        "PINV": "⁺|†|" + _raised(r"(?:\+|†|\\dagger)"),
        "SUPERSCRIPT": rf"(?:[{RAISED}]|[⁺⁻](?=[{RAISED}]))+",
        "LABEL": rf"{_CARET}\s*(?:\{{\s*(?:{label}\s*(?:{_T}|\\dagger)?|(?!(?:{no_labels})\s*\}})[A-Za-z]{{3,}}"
        rf"|\(?\s*{_TEXT}\s*\{{\s*\(?[A-Za-z0-9]{{2,}}\)?\s*\}}\s*\)?|\\rm\s+[A-Za-z]{{2,}})\s*\}}"
        rf"|{_TEXT}\s*\{{\s*\(?[A-Za-z0-9]{{2,}}\)?\s*\}})",
        "_CROSSED": r"_\s*(?:×|\\times(?![A-Za-z])|\{\s*(?:×|\\times)\s*\}|cross(?![A-Za-z]))",  # of [a]_×
        "KIND": rf"_\s*(?:{_KIND}|\{{\s*{_KIND}\s*\}})|(?<=[|‖∥])_(?:inf(?![A-Za-z])|\{{\s*inf\s*\}})",
        "SUBWORD": rf"_\s*(?:\{{\s*{_INDEX}\s*(?:\||\\mid(?![a-z])|\\vert(?![a-z]))\s*{_INDEX}\s*\}}"
        rf"|\{{\s*{_TEXT}\s*\{{\s*[A-Za-z0-9]+\s*\}}\s*\}}|{_TEXT}\s*\{{\s*[A-Za-z0-9]+\s*\}}"
        rf"|\{{\s*\\rm\s+[A-Za-z0-9]+\s*\}}|\{{\s*(?![{_LETTERS_OF_INDICES}]+\s*\}})[A-Za-z]{{3,}}[0-9]*\s*\}})",
        "SUB": rf"_{LETTER}{{1,2}}|_[0-9]+|_\\(?:{_GREEK})(?![A-Za-z])|[{LOWERED}]+",  # of two letters see `subscripts`
        "_UNDER": r"_(?=\s*\{)",
        "_CARET": _CARET,
        "FACTORIAL": r"!",
        "_PLUS": r"\+",
        "MINUS": r"[-−–]",
        "KRON": r"⊗|\\otimes",
        "HADAMARD": r"[⊙∘]|\\odot|\\circ(?![A-Za-z])|\.\*",
        "HADAMARD_QUOTIENT": r"⊘|\\oslash|\./",
        "CROSS": r"×|\\times",
        "DOT": r"[@·⋅∙]|\\cdot(?![a-z])|\\bullet(?![a-z])|\.dot(?=\s*\()",
        "_DOT": r"\*",
        "_SLASH": r"/",
        "_COMMA": r",",
        "_EQUALS": r"=",
        "_LANGLE": r"\\langle(?![a-z])|⟨|<",
        "_RANGLE": r"\\rangle(?![a-z])|⟩|>",
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
