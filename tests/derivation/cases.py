"""Functions whose derivatives are emitted as code in the tests."""

import functools
import json
from pathlib import Path

from matcalc import derive
from matcalc.claims.points import draw
from matcalc.derivation import Derivation

PUBLIC = [
    (case["f"], case["wrt"], {key: case[key] for key in ("where", "shape", "order") if key in case})
    for case in json.loads((Path(__file__).parent / "public.json").read_text())
]
# Functions of matrices, Kronecker products, sums, and all else that a derivation can say.
WORDS = [
    *[(f"tr(A {function}(X))", "X", {}) for function in ("exp", "ln", "sqrt", "sin", "cos", "sinh", "cosh", "tan")],
    *[("tr(A X^-1 B X^-1)", "X", {}), ("ln |X| tr(A X)", "X", {}), ("|X|^2", "X", {}), ("tr(A X^+)", "X", {})],
    *[("X'", "X", {}), ("X' A X", "X", {}), ("X^3", "X", {}), ("diag(x) A", "x", {}), ("diag(X)", "X", {})],
    *[("tril(X)", "X", {}), ("tr(A tril(X))", "X", {}), ("softmax(x)", "x", {}), ("logsumexp(A x)", "x", {})],
    *[("sum(abs(x))", "x", {}), ("sum(relu(A x))", "x", {}), ("X.^3", "X", {}), ("kron(A, X)", "X", {})],
    *[("tr(X kron(A, B))", "X", {}), ("tr(C kron(A, X))", "X", {}), ("x' kron(A, B) x", "x", {})],
    *[("sum_{i=1}^{n} ln(a' x + i)", "x", {"shape": {"x": ["n"], "a": ["n"]}}), ("x_i^2", "x", {})],
    *[("∑_i x_i' A x_i", wrt, {"shape": {"x": ["m", "n"]}}) for wrt in "Ax"],
    *[("exp(x' A x)", "x", {"order": 2}), ("(a' X b)^2", "X", {"order": 2}), ("s^3", "s", {"shape": "s=scalar"})],
    *[
        ("3 s", "s", {"shape": "s=scalar"}),
        ("s^3", "s", {"order": 2, "shape": "s=scalar"}),
        ("a' x", "x", {"order": 2}),
    ],
    *[("mean(x)", "x", {}), ("1' X 1", "X", {}), ("X 1", "X", {}), ("a' X 1", "X", {}), ("e_i' X e_j", "X", {})],
    *[("diag(a ./ x) b", "x", {}), ("cross(A x, b)", "x", {}), ("unvec_{mn}(x)' a", "x", {"shape": {"x": ["m n"]}})],
    *[("x' A y", ("x", "y"), {}), ("sqrt(2) ||x||^2 ln(k)", "x", {"shape": "k=scalar"}), ("A X + X B", "X", {})],
    *[("(X a - b) .* c", "X", {}), ("||A x - b|| exp(||A x - b||)", "x", {}), ("X", "X", {}), ("β x", "β", {})],
]
# Names that are none of Python, or that code uses itself; sizes that are 1.
NAMES = [
    *[("λ x' A x", "λ", {}), ("lambda ||x||^2", "x", {}), ("tr(Σ^-1 S)", "Σ", {"where": "Σ=invertible"})],
    *[("||W^{(1)} x - y||^2", "W^{(1)}", {}), (r"\hat{x}' A \hat{x}", "x̂", {}), ("W^{(1)} W^{(2)} x", "x", {})],
    *[("tr(S_W^-1 S_B)", "S_W", {"shape": {"S_W": ["n", "n"], "S_B": ["n", "n"]}})],
    *[("np x' x", "x", {"shape": "np=scalar"}), ("jnp (x' A x)^2/||A x||", "x", {"shape": "jnp=scalar"})],
    *[("T1 ||A x - b||", "x", {"shape": "T1=scalar"}), ("T_1 x' x", "x", {"shape": "T_1=scalar"})],
    *[("f' x + ||f - x||", "x", {}), ("J' X J", "X", {"shape": {"J": ["n", "n"], "X": ["n", "n"]}})],
    *[("x' A x", "x", {"shape": {"A": [1, 1], "x": [1]}}), ("tr(A X B)", "X", {"shape": {"A": [1, 2], "B": [1, 1]}})],
]
CASES = [*PUBLIC, *WORDS, *NAMES]


def name_of(case) -> str:
    f, wrt, options = case
    return f"{f} by {','.join(wrt)}{' twice' if 'order' in options else ''}{' given' if 'where' in options else ''}"


@functools.cache
def _derived(text: str) -> Derivation:
    f, wrt, options = json.loads(text)
    return derive(f, wrt if isinstance(wrt, str) else tuple(wrt), **options)


def derivation_of(case) -> Derivation:
    """The derivation, once in each process."""
    return _derived(json.dumps(case))


def point_of(derivation, seed=0):
    """Arguments in float64 by name, and integers."""
    return {**draw(derivation.last, seed, "point of emitted code"), **derivation.last.integers}


def expected(derivation, layout, point):
    """The derivative that was verified, evaluated as a formula."""
    last = derivation.last
    arrays = {name: value for name, value in point.items() if name not in last.integers}
    return last.value_of(derivation.layout(layout), arrays, last.numbers(last.due(layout)))
