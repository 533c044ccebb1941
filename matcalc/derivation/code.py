"""A derivation as code to paste: a function for JAX, NumPy or PyTorch, an equation in TeX, a declaration."""

from typing import Literal, get_args

from matcalc.derivation.declared import declaration_of
from matcalc.derivation.identifiers import check_name, in_ascii
from matcalc.derivation.lefts import derivative_of
from matcalc.derivation.naming import shortened
from matcalc.derivation.programs import Derived, from_vec, in_shape, program
from matcalc.derivation.texts import Code, free, statement
from matcalc.derivation.words import LANGUAGES, RESERVED, helpers_of, imports_of
from matcalc.formula import tree as t
from matcalc.layout import Layout, check_layout

CodeLanguage = Literal["jax", "numpy", "torch", "tex", "identity"]
CODE_LANGUAGES: tuple[CodeLanguage, ...] = get_args(CodeLanguage)


def layout_of_formula(derivation: Derived, layout: Layout) -> Layout:
    """The layout itself, or vec where the derivative has more than two axes in it and is no formula."""
    return layout if derivation.natural == "jax" else "vec"


def code_of(derivation: Derived, language: str, layout: Layout | None, name: str) -> str:
    """The derivative in a language. ValueError for another language or layout, and for a name that Python has not."""
    check_name(name)
    layout = layout or derivation.natural
    check_layout(layout)
    match language:
        case "jax" | "numpy" | "torch":
            return function_of(derivation, language, layout, name)
        case "tex":
            return equation(derivation, layout)
        case "identity":
            return declaration_of(derivation, name)
        case _:
            raise ValueError(f"language must be one of {', '.join(CODE_LANGUAGES)}; got {language!r}.")


def function_of(derivation: Derived, language: str, layout: Layout, name: str) -> str:
    """A function of the variables, in their order, with its imports and the functions that its library lacks."""
    problem, words = derivation.last, LANGUAGES[language]
    names = in_ascii([*problem.shapes, *problem.integers], {*RESERVED, name})
    of_formula = layout_of_formula(derivation, layout)
    tree = derivation.sized(of_formula)
    made = program(problem, words, names, [tree])
    value = in_shape(made.writer, tree, made.values[0], problem.due(of_formula))
    stacked: list[str] = []
    if layout != of_formula:
        J = free("J", names.values())
        stacked = statement(f"{J} =", value)
        value = from_vec(made.writer, Code(J), problem.value_shape, problem.shapes[problem.wrt], layout)
    body = [*made.lines, *stacked, *statement("return", value)]
    vec = ", in vec layout" if layout != of_formula else ""
    head = [
        f"def {name}({', '.join(names.values())}):",
        f'    """{derivative_of(derivation.asked.formula, derivation.wrt)} = {derivation.layout(of_formula)}{vec}."""',
    ]
    function = "\n".join([*head, *[f"    {line}" for line in body]])
    helpers = [helper.strip("\n") for helper in helpers_of("\n".join(body), words)]
    return module([*helpers, function])


def module(functions: list[str]) -> str:
    """Functions with the imports before them, as a file has them."""
    text = "\n\n\n".join(functions)
    imports = imports_of(text)
    return "\n".join([*imports, *([""] * 2 if imports else []), text, ""])


# --- TeX


def equation(derivation: Derived, layout: Layout) -> str:
    r"""The derivative as an equation, ∂f/∂X = …; where parts of it have names, an align block with theirs first."""
    problem = derivation.last
    numbers = {*problem.integers, *problem.sizes}
    named = shortened(derivation.layout(layout), {*problem.shapes, *numbers}, numbers, "tex")
    left = left_side(derivation, layout)
    if not named.parts:
        return f"{left} = {named.whole.tex()}"
    lines = [f"{t.Name(name).tex()} &= {part.tex()}" for name, part in named.parts.items()]
    lines.append(f"{left} &= {named.whole.tex()}")
    return "\n".join([r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"])


def left_side(derivation: Derived, layout: Layout) -> str:
    r"""What is derived, \frac{\partial f}{\partial X}, with a letter that no variable has."""
    value, (first, *others) = derivation.asked.value_shape, derivation.wrt
    letters = "FGHJ" if len(value) == 2 else "fghj"
    taken = {*derivation.asked.symbols, *derivation.asked.sizes}
    f = next((letter for letter in letters if letter not in taken), letters[0] + "_0")
    x = [t.Name(name).tex() for name in (first, *others)]
    if layout == "vec":
        of, by = rf"\operatorname{{vec}} {f}", rf"(\operatorname{{vec}} {x[-1]})^\top"
        inner = rf"\operatorname{{vec}} \frac{{\partial {f}}}{{\partial {x[0]}}}"
        return rf"\frac{{\partial {inner if others else of}}}{{\partial {by}}}"
    if not others:
        return rf"\frac{{\partial {f}}}{{\partial {x[0]}}}"
    by = rf"\partial {x[0]}^2" if x[0] == x[1] else rf"\partial {x[0]} \partial {x[1]}"
    return rf"\frac{{\partial^2 {f}}}{{{by}}}"
