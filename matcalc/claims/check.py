"""Check a derivative that is typed as a formula: both are read, sized and evaluated, and the referee judges."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from matcalc.claims.causes import explain
from matcalc.claims.certificate import certify_claim
from matcalc.claims.layouts import ASKED, AskedLayout, candidates, choose, with_letters_for
from matcalc.claims.points import draw, not_real
from matcalc.claims.problem import Arguments, Array, Problem
from matcalc.claims.reading import (
    CONVENTIONS,
    ORDERS,
    Convention,
    Domains,
    Functions,
    Order,
    Shapes,
    read_problem,
    shapes_of,
)
from matcalc.claims.report import FormulaReport
from matcalc.claims.threads import one_thread
from matcalc.claims.verdict import CERTAIN, ask_referee, refuted_elsewhere, too_few_digits, without_value
from matcalc.formula import Formula, FormulaError, parse
from matcalc.formula import tree as t
from matcalc.formula.code import as_in
from matcalc.formula.errors import Misfit
from matcalc.formula.meaning import settle
from matcalc.formula.names import letter_of
from matcalc.formula.texts import claimed_side, definitions, doubts, second_order, spelled, split_where, substitute
from matcalc.formula.tree import Style
from matcalc.formula.variables import spellings, variables
from matcalc.formula.words import SPELLED
from matcalc.layout import Layout
from matcalc.referee import Cause
from matcalc.referee.comparison import Comparison
from matcalc.referee.evidence import Evidence
from matcalc.referee.look import Look
from matcalc.streams import words

DIGITS = 1e-6  # an error below it is one of rounding, by somebody


def check_formula(
    formula: str | Formula,
    claim: str | Formula,
    *,
    wrt: str,
    layout: AskedLayout = "either",
    shape: Shapes = None,
    where: Domains = None,
    convention: Convention = "full",
    dtype: Literal["float32", "float64"] = "float64",
    seed: Any = 0,
    certify: bool = False,
    let: Sequence[str] = (),
    order: Order = 1,
    functions: Functions = (),
) -> FormulaReport:
    """Check a derivative typed as a formula, and say what is wrong with it.

    >>> from matcalc import check_formula
    >>> check_formula("tr(A X B X' C)", "B X' C A + B' X' A' C'", wrt="X").verdict
    'pass'

    Both are read by `matcalc.formula.parse`: ASCII, Unicode and TeX. Capitals are matrices, lower-case letters vectors,
    small Greek ones scalars, or vectors where only that fits; `shape` says otherwise, {"c": (), "A": (3, "n")}. Sizes
    are found from the formula, and those that it leaves free are given distinct numbers. `layout="either"` takes the
    claim in numerator or denominator layout, whichever fits (of matrices by matrices, in that of vec); a row counts as
    a column, as in the tables. `where` names the domain of variables, {"A": "symmetric"}; by a variable with a linear
    domain, such as this one, derivatives are compared along the directions inside it. Both may be text as of the
    command, "A=symmetric, X=invertible" and "c=scalar". `convention="independent"` takes the derivative by the
    independent entries of a symmetric matrix, which is 2 G - G ⊙ I of the gradient G. The claim is judged at a random
    point as by `check_gradient`, and has to hold where signs, scales, sizes and integers are others too. With `certify`
    it is also judged in ball arithmetic, where what is right only in the digits of the dtype fails. `seed` is an
    integer or a JAX key, by which all points are drawn.

    `let` defines names and functions, ["M = I - A X", "f(x) = exp(-x^2)"], as do texts that end in "where M = I - A X".
    `functions` names those that stand for any smooth one, ["g"]: then g(a'x) is no product, and g'(a'x) its derivative.
    As exp is, g is a function of a matrix, and one of the entries of a vector or, with a dot, of a matrix, g.(X). Those
    of vectors and matrices are declared by their values, {"f": "scalar", "u": "vector"}; u'(x) is in numerator layout,
    and ∇f(x) is f'(x)'. {"U": "matrix"} is a function of a number.

    With `order=2` the claim is the Hessian of a scalar function, n×n of a vector and by a matrix that of vec(X), or the
    second derivative by a scalar; a claim that begins with "∇²f =" or "∂²f/∂x∂xᵀ =" says so itself.

    Raises FormulaError, which points at the place, for what cannot be read or sized; ValueError for options without
    sense; with `certify` ImportError without python-flint.
    """
    if layout not in ASKED:
        raise ValueError(f"layout must be one of {', '.join(ASKED)}; got {layout!r}.")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}.")
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {', '.join(CONVENTIONS)}; got {convention!r}.")
    if order not in ORDERS:
        raise ValueError(f"order must be 1 or 2; got {order!r}.")
    try:
        words(seed)
    except TypeError:
        raise ValueError(f"seed must be an integer or a JAX key, got {seed!r}.") from None
    with one_thread():
        lets = [let] if isinstance(let, str) else let
        options: dict[str, Any] = {"shape": shape, "where": where, "convention": convention, "functions": functions}
        read = partial(read_problem, formula, wrt, let=lets, **options)
        asked = _asked(read, claim, order)
        tree, style, notes = _read_claim(asked, str(formula), claim)
        asked = replace(asked, notes=(*asked.notes, *notes)) if notes else asked
        asked = with_letters_for(asked, tree, layout, {size for sizes in shapes_of(shape).values() for size in sizes})
        return _check(asked, tree, style, layout, dtype, seed, certify)


def _asked(read: Callable[..., Problem], claim: str | Formula, order: Order) -> Problem:
    """The function, and the order of its derivative, which the left side of the claim may say: ∇²f = …"""
    left, is_certain = second_order(split_where(claim)[0]) if isinstance(claim, str) else ("", False)
    asked = read(order=2 if is_certain else order)
    if left and asked.order == 1 and not asked.value_shape and left not in asked.symbols:
        asked = read(order=2)
    return replace(asked, notes=(*asked.notes, f"{left} is {asked.what}")) if left and asked.order > order else asked


def _check(
    asked: Problem, tree: Formula, style: Style, layout: AskedLayout, dtype: str, seed: Any, certify: bool
) -> FormulaReport:
    """The report on a claim that was read."""
    point = draw(asked, seed, "point of a claim")
    try:
        chosen, fitting = choose(asked, tree, point, layout, seed)
    except FormulaError as misfit:
        if explained := explain(asked, tree, point, candidates(asked, layout), layout, style, seed):
            cause, read = explained
            cause = replace(cause, text=f"{cause.text} As it stands, the shapes do not fit: {misfit.reason}.")
            return FormulaReport("fail", cause, asked, tree, read, None, style)
        if not isinstance(misfit, Misfit):
            raise
        scalars = [name for name, shape in asked.shapes.items() if not shape and letter_of(name) in SPELLED]
        remedy = f"{' and '.join(scalars)}, read as a scalar, may be a vector: then say so by its shape."
        cause = Cause("shape", f"The shapes do not fit: {misfit.reason}.", remedy if scalars else "")
        return FormulaReport("fail", cause, asked, tree, candidates(asked, layout)[0], None, style)
    if cause := without_value(asked, tree, chosen, point, seed):
        return FormulaReport("fail", cause, asked, tree, chosen, None, style)
    if not np.all(np.isfinite(asked.claimed(tree, point, chosen))):
        cause = Cause("not finite", f"It is not a finite number here{not_real(asked, tree, point)}.")
        return FormulaReport("fail", cause, asked, tree, chosen, None, style)
    if asked.is_independent and not _is_symmetric(asked.claimed(tree, point, chosen)):
        text = f"By the independent entries of a symmetric {asked.wrt} the derivative is symmetric, and this is not."
        return FormulaReport("fail", Cause("symmetric convention", text), asked, tree, chosen, None, style)
    reading: list[Layout] = [chosen]  # in which a wrong claim is nearest to the derivative

    def in_its_terms(evidence: Evidence, look: Look, wrong: Comparison) -> Cause:
        del evidence, look
        if (error := max(wrong.errors)) < DIGITS:
            return too_few_digits(error)
        if explained := explain(asked, tree, point, fitting, layout, style, seed):
            cause, reading[0] = explained
            return cause
        return Cause("unknown", f"It is off by {error:.1e}, and no single change in it is right.")

    given = {name: value.astype(dtype) for name, value in point.items()}
    report = ask_referee(asked, tree, chosen, given, in_its_terms, seed)
    found = FormulaReport(report.verdict, report.cause, asked, tree, reading[0], report, style)
    if found.verdict == "fail" and found.cause and found.cause.name == "digits":
        found = _right_but_for_rounding(found, chosen, point, seed)
    if found.ok and (cause := refuted_elsewhere(asked, tree, chosen, point, seed)):
        found = replace(found, verdict="fail", cause=cause)
    if not certify:
        return found
    try:
        digits = certify_claim(asked, tree, chosen, point, seed)
    except FormulaError as error:
        return replace(found, certificate=error.reason)
    if found.verdict == "pass" and digits < CERTAIN:
        found = replace(found, verdict="fail", cause=too_few_digits(10**-digits))
    return replace(found, certificate=digits)


def _right_but_for_rounding(found: FormulaReport, layout: Layout, point: Arguments, seed: Any) -> FormulaReport:
    """A claim that is off by little is right if it is so in ball arithmetic: as it is written it loses digits here."""
    try:
        digits = certify_claim(found.asked, found.claim, layout, point, seed)
    except (FormulaError, ImportError):
        return found
    return found if digits < CERTAIN else replace(found, verdict="pass", cause=None, certificate=digits)


def _is_symmetric(D: Array) -> bool:
    return bool(np.allclose(D, D.T, rtol=0, atol=DIGITS * np.abs(D).max()))


def _differentials(claim: Formula, names: Collection[str]) -> Formula:
    """The claim in which ∂X is the differential dX, one of these names."""
    if isinstance(claim, t.Derivative):
        return t.Name(claim.key) if claim.key in names else claim
    return t.with_children(claim, [_differentials(part, names) for part in t.children(claim)])


def _read_claim(asked: Problem, formula: str, claim: str | Formula) -> tuple[Formula, Style, tuple[str, ...]]:
    """The claim, the style in which it is written, and how it was read, where that could be doubted.

    FormulaError where it has variables that the function lacks.
    """
    text = claim if isinstance(claim, str) else str(claim)
    noted: tuple[str, ...] = ()
    is_ascii = text.isascii() and formula.isascii()
    style: Style = "tex" if "\\" in text else "ascii" if is_ascii else "unicode"
    known = {*asked.symbols, *asked.sizes}
    if isinstance(claim, str):
        body, behind = split_where(claim)
        meanings = {**asked.definitions, **definitions(behind, sorted(asked.names), asked.functions)}
        called = {*asked.functions, *(name for name, meaning in meanings.items() if meaning.argument)}
        names = asked.names | known | spelled(sorted(meanings))
        differential = set() if "d" in known else {f"d{word}" for word in spellings(asked.wrt)}
        body = re.sub(
            r"\\(?:mathrm|text|rm)\s*\{?\s*d(?![A-Za-z])\s*\}?\s*", "d", claimed_side(body, asked.wrt, asked.order)
        )
        claim = substitute(parse(as_in(body, formula), names | differential, called), meanings)
        noted = doubts(body, claim, called, names)
        claim = t.rename(_differentials(claim, differential), dict.fromkeys(differential, asked.differential))
    known |= {asked.differential} & {node.name for node in t.nodes(claim) if isinstance(node, t.Name)}
    tree, notes = settle(claim, known, asked.sizes, asked.integers)
    notes += noted
    if tree == t.Number(1) and len(asked.derivative_shape) == 1:
        tree, notes = t.Constant("1"), (*notes, "1 is the vector of ones")
    extra = [name for name in variables(tree).ranks if name not in known]
    if bare := [name for name in extra if name in asked.functions]:
        raise FormulaError(f"{bare[0]} is a function, and stands here without an argument", text, text.find(bare[0]))
    if extra:
        listed = ", ".join(asked.symbols)
        raise FormulaError(f"{extra[0]} is not in the function, which has {listed}", text, max(text.find(extra[0]), 0))
    return tree, style, tuple(note for note in notes if note not in asked.notes)
