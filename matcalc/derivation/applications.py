"""Functions of a formula as Python: of numbers, of entries, of vectors and of matrices."""

from matcalc.derivation import texts
from matcalc.derivation.texts import Code
from matcalc.derivation.writing import Writing
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.typed import acts_by_entry

NUMBERS = {"exp": "exp", "ln": "log", "sqrt": "sqrt", **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh")}}
OF_ALL = ("sum", "mean", "max", "min", "tr", "logsumexp", "diag", "tril", "triu")


def applied(w: Writing, function: str, of: Formula) -> Code:
    """A function of one argument; of a scalar the ordinary one."""
    match function:
        case "!":
            return texts.call("math.factorial", w.code(of))
        case "vec":
            return Code(f"{texts.turned(w.code(of)).text}.reshape(-1)") if w.is_matrix(of) else w.code(of)
        case "vech":
            return texts.call("vech", w.code(of))
        case "cross":
            return w.call("cross", w.identity("3"), _thrice(w, of))
        case "ln" if isinstance(of, t.Apply) and of.function == "det" and w.is_matrix(of.of):
            return w.word("logabsdet", w.code(of.of))
        case "inv" if w.is_matrix(of):
            w.inverted[of] += 1
            return w.word("inv", w.code(of))
        case _ if w.is_scalar(of):
            return _of_number(w, function.removesuffix("."), of)
        case _:
            return _of_array(w, function, of)


def _thrice(w: Writing, of: Formula) -> Code:
    """A vector beside each row of a 3×3 matrix."""
    return Code(f"{w.language.xp}.stack([{w.code(of).text}] * 3)")


def _of_number(w: Writing, function: str, of: Formula) -> Code:
    x = w.code(of)
    match function:
        case "inv" | "pinv":
            return texts.divided(Code("1"), x)
        case "det" | "norm" | "norm1" | "norm2" | "norminf" | "nuclear":
            return w.word("abs", x)
        case "adj" | "softmax":
            return Code("1.0")
        case _ if function in OF_ALL:
            return x
        case _ if function in NUMBERS and w.is_static(of):
            return texts.call(f"math.{NUMBERS[function]}", x)
        case _:
            return w.called(w.language.entries, function, x)


def _of_array(w: Writing, function: str, of: Formula) -> Code:
    x, name = w.code(of), function.removesuffix(".")
    if acts_by_entry(function, w.dims(of)):
        return w.called(w.language.entries, name, x)
    if w.is_matrix(of):
        return w.called(w.language.matrices, name, x)
    return w.called(w.language.vectors, "norm" if name in ("norm2", "det") else name, x)


def frechet(w: Writing, function: str, U: Code, V: Code) -> Code:
    """The derivative of a matrix function at U in the direction V."""
    calls = w.language.calls
    g = w.language.matrices[function].removesuffix("({x})")
    template = calls.get(f"L_{function}", calls["L"])
    return Code(template.format(g=g, U=U.text, V=V.text))
