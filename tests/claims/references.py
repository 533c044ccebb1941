r"""Derivatives that public references state, each beside a mistake that people make in it.

MC: K. B. Petersen and M. S. Pedersen, The Matrix Cookbook (2012), by equation number. WP: Wikipedia, "Matrix calculus",
by table. MN: J. R. Magnus and H. Neudecker, Matrix Differential Calculus (3rd ed. 2019), by section. Gradients are in
denominator layout, derivatives of vectors in numerator layout; conditions that the references state once, for a whole
section, stand in `where`.
"""

from dataclasses import dataclass, field, replace

from matcalc.formula import parse
from matcalc.formula.tree import transpose
from matcalc.formula.variables import variables

OTHER = {"denominator": "numerator", "numerator": "denominator"}


@dataclass(frozen=True)
class Claim:
    """A derivative from a reference, and a wrong one with the cause that should be named."""

    source: str
    f: str
    wrt: str
    right: str
    wrong: str
    cause: str
    where: dict[str, str] = field(default_factory=dict)
    shape: dict[str, tuple[int | str, ...]] = field(default_factory=dict)
    layout: str = "denominator"


def turned(claim: Claim) -> Claim:
    """A claim and its mistake in the other layout, in the TeX that is printed."""
    f = parse(claim.f)
    scalars = {name for name, rank in variables(f).ranks.items() if rank == 0}
    scalars |= {name for name, shape in claim.shape.items() if not shape}
    right, wrong = (transpose(parse(text), scalars).tex() for text in (claim.right, claim.wrong))
    return replace(claim, f=f.tex(), right=right, wrong=wrong, layout=OTHER[claim.layout])


def _c(source, f, wrt, right, wrong, cause, **options):
    return Claim(source, f, wrt, right, wrong, cause, **options)


W_SYMMETRIC = {"W": "symmetric"}
NUMERATOR = {"layout": "numerator"}
SCALAR_C = {"c": ()}
SQUARE_B = {"B": ("n", "n")}

CLAIMS = [
    # Determinants
    _c("MC 49", "det(X)", "X", "det(X) X^-T", "det(X) X^-1", "layout"),
    _c("MC 49, adjugate", "|X|", "X", "adj(X)'", "adj(X)", "layout"),
    _c("MC 51", "det(A X B)", "X", "det(A X B) A' (A X B)^-T B'", "det(A X B) A' (A X B)^-1 B'", "term"),
    _c(
        "MC 51, X square",
        "|A X B|",
        "X",
        "|A X B| X^-T",
        "|A X B| X^-T A",
        "term",
        shape={"A": ("n", "n"), "B": ("n", "n")},
    ),
    _c("MC 52", "|X' A X|", "X", "2 |X' A X| X^-T", "|X' A X| X^-T", "factor", shape={"X": ("n", "n")}),
    _c(
        "MC 53",
        "|X' A X|",
        "X",
        "2 |X' A X| A X (X' A X)^-1",
        "|X' A X| A X (X' A X)^-1",
        "factor",
        where={"A": "symmetric"},
    ),
    _c(
        "MC 54",
        "|X' A X|",
        "X",
        "|X' A X| (A X (X' A X)^-1 + A' X (X' A' X)^-1)",
        "2 |X' A X| A X (X' A X)^-1",
        "condition",
    ),
    _c("MC 55", "ln |X' X|", "X", "2 (X^+)'", "2 X^+", "layout"),
    _c("MC 57", "ln |X|", "X", "X^-T", "-X^-T", "sign"),
    _c("MC 58", "det(X^k)", "X", "k |X|^k X^-T", "k |X|^(k-1) X^-T", "term"),
    _c("MC 62", "|X^-1|", "X", "-|X^-1| X^-T", "|X^-1| X^-T", "sign"),
    _c("MN 9.10, log det of X'X", "ln |X' X|", "X", "2 X (X' X)^-1", "X (X' X)^-1", "factor"),
    _c("MN 9.10, det XX'", "|X X'|", "X", "2 |X X'| (X X')^-1 X", "2 |X X'| (X' X)^-1 X", "term", shape={"X": (3, 3)}),
    _c("WP scalar by matrix, |X^n|", "|X^n|", "X", "n |X^n| X^-T", "|X^n| X^-T", "term"),
    _c("WP scalar by matrix, ln |aX|", "ln |c X|", "X", "X^-T", "c X^-T", "term", shape=SCALAR_C),
    # Inverses
    _c("MC 61", "a' X^-1 b", "X", "-X^-T a b' X^-T", "-X^-T b a' X^-T", "term"),
    _c("MC 63", "tr(A X^-1 B)", "X", "-(X^-1 B A X^-1)'", "-X^-1 B A X^-1", "layout"),
    _c("MC 64", "tr((X + A)^-1)", "X", "-((X + A)^-1 (X + A)^-1)'", "((X + A)^-1 (X + A)^-1)'", "sign"),
    _c(
        "MC 124",
        "tr(A X^-1 B)",
        "X",
        "-X^-T A' B' X^-T",
        "-X^-T B' A' X^-T",
        "term",
        shape={"A": ("n", "n"), "B": ("n", "n")},
    ),
    _c(
        "MC 125",
        "tr((X' C X)^-1 A)",
        "X",
        "-C X (X' C X)^-1 (A + A') (X' C X)^-1",
        "-C X (X' C X)^-1 (A - A') (X' C X)^-1",
        "term",
        where={"C": "symmetric"},
    ),
    _c(
        "MC 126",
        "tr((X' C X)^-1 (X' B X))",
        "X",
        "-2 C X (X' C X)^-1 X' B X (X' C X)^-1 + 2 B X (X' C X)^-1",
        "-2 C X (X' C X)^-1 X' B X (X' C X)^-1 + B X (X' C X)^-1",
        "factor",
        where={"B": "symmetric", "C": "symmetric"},
    ),
    _c(
        "MC 127",
        "tr((A + X' C X)^-1 (X' B X))",
        "X",
        "-2 C X (A + X' C X)^-1 X' B X (A + X' C X)^-1 + 2 B X (A + X' C X)^-1",
        "2 C X (A + X' C X)^-1 X' B X (A + X' C X)^-1 + 2 B X (A + X' C X)^-1",
        "sign",
        where={"A": "symmetric", "B": "symmetric", "C": "symmetric"},
    ),
    # First order
    _c("MC 69", "x' a", "x", "a", "2 a", "factor"),
    _c("MC 69, turned", "a' x", "x", "a", "x", "variable"),
    _c("MC 70", "a' X b", "X", "a b'", "b a'", "layout"),
    _c("MC 71", "a' X' b", "X", "b a'", "a b'", "layout"),
    _c("MC 72", "a' X a", "X", "a a'", "2 a a'", "factor"),
    _c("MC 72, turned", "a' X' a", "X", "a a'", "-a a'", "sign"),
    # Second order
    _c("MC 77", "b' X' X c", "X", "X (b c' + c b')", "2 X b c'", "missing term"),
    _c(
        "MC 78",
        "(B x + b)' C (D x + d)",
        "x",
        "B' C (D x + d) + D' C' (B x + b)",
        "B' C (D x + d) + D' C (B x + b)",
        "term",
    ),
    _c("MC 81", "x' B x", "x", "(B + B') x", "2 B x", "condition"),
    _c("MC 82", "b' X' D X c", "X", "D' X b c' + D X c b'", "D' X b c' + D' X c b'", "term"),
    _c("MC 83", "(X b + c)' D (X b + c)", "X", "(D + D') (X b + c) b'", "2 D (X b + c) b'", "condition"),
    _c("MC 84", "(x - A s)' W (x - A s)", "s", "-2 A' W (x - A s)", "2 A' W (x - A s)", "sign", where=W_SYMMETRIC),
    _c("MC 85", "(x - s)' W (x - s)", "x", "2 W (x - s)", "W (x - s)", "factor", where=W_SYMMETRIC),
    _c("MC 86", "(x - s)' W (x - s)", "s", "-2 W (x - s)", "2 W (x - s)", "sign", where=W_SYMMETRIC),
    _c("MC 87", "(x - A s)' W (x - A s)", "x", "2 W (x - A s)", "-2 A' W (x - A s)", "variable", where=W_SYMMETRIC),
    _c("MC 88", "(x - A s)' W (x - A s)", "A", "-2 W (x - A s) s'", "-2 W (x + A s) s'", "term", where=W_SYMMETRIC),
    _c("MC 97", "x' A x + b' x", "x", "(A + A') x + b", "(A + A') x", "missing term"),
    _c("MC 97, symmetric", "x' A x + b' x", "x", "2 A x + b", "A x + b", "factor", where={"A": "symmetric"}),
    _c("MN 5.4, quadratic form", "x' A x", "x", "(A + A') x", "(A - A') x", "term"),
    _c("MN 5.4, symmetric", "x' A x", "x", "2 A x", "A x", "factor", where={"A": "symmetric"}),
    _c("WP scalar by vector, 1", "a' x x' b", "x", "(a b' + b a') x", "a b' x", "missing term"),
    _c("WP scalar by vector, 2", "b' A x", "x", "A' b", "A b", "term", shape={"A": ("n", "n")}),
    _c("WP scalar by vector, 3", "x' x", "x", "2 x", "x", "factor"),
    _c(
        "WP scalar by vector, 4",
        "(A x + b)' C (D x + e)",
        "x",
        "D' C' (A x + b) + A' C (D x + e)",
        "D' C' (A x + b) - A' C (D x + e)",
        "sign",
    ),
    _c("WP scalar by vector, 5", "||x - a||", "x", "(x - a)/||x - a||", "(x - a)/||x - a||^2", "term"),
    _c("least squares", "||A x - b||^2", "x", "2 A' (A x - b)", "2 A (A x - b)", "term", shape={"A": ("n", "n")}),
    _c("ridge", "||A x - b||^2 + λ ||x||^2", "x", "2 A' (A x - b) + 2 λ x", "2 A' (A x - b) + λ x", "factor"),
    _c("WP, x'x by A x", "x' A' A x", "x", "2 A' A x", "2 A A' x", "term", shape={"A": ("n", "n")}),
    # Traces of first order
    _c("MC 99", "tr(X)", "X", "I", "X", "term"),
    _c("MC 100", "tr(X A)", "X", "A'", "A", "layout"),
    _c("MC 101", "tr(A X B)", "X", "A' B'", "B A", "layout"),
    _c("MC 102", "tr(A X' B)", "X", "B A", "A' B'", "layout"),
    _c("MC 103", "tr(X' A)", "X", "A", "A'", "layout"),
    _c("MC 104", "tr(A X')", "X", "A", "-A", "sign"),
    _c("MC 105", "tr(A ⊗ X)", "X", "tr(A) I", "tr(X) I", "term"),
    _c("WP scalar by matrix, tr(AX)", "tr(A X)", "X", "A'", "2 A'", "factor"),
    _c("WP scalar by matrix, a tr X", "α tr(X)", "X", "α I", "I", "term"),
    # Traces of second order
    _c("MC 106", "tr(X^2)", "X", "2 X'", "2 X", "layout"),
    _c("MC 107", "tr(X^2 B)", "X", "(X B + B X)'", "X B + B X", "layout"),
    _c("MC 108", "tr(X' B X)", "X", "B X + B' X", "2 B X", "condition"),
    _c("MC 109", "tr(B X X')", "X", "B X + B' X", "B X", "missing term"),
    _c("MC 110", "tr(X X' B)", "X", "B X + B' X", "B X - B' X", "sign"),
    _c("MC 111", "tr(X B X')", "X", "X B' + X B", "B' X + B X", "terms", shape={"X": ("n", "n")}),
    _c("MC 112", "tr(B X' X)", "X", "X B' + X B", "2 X B", "condition"),
    _c("MC 113", "tr(X' X B)", "X", "X B' + X B", "X B'", "missing term"),
    _c(
        "MC 114",
        "tr(A X B X)",
        "X",
        "A' X' B' + B' X' A'",
        "A' X' B' + A' X' B'",
        "term",
        shape={"A": ("n", "n"), "X": ("n", "n")},
    ),
    _c("MC 115", "tr(X' X)", "X", "2 X", "X", "factor"),
    _c(
        "MC 116",
        "tr(B' X' C X B)",
        "X",
        "C' X B B' + C X B B'",
        "C' X B' B + C X B B'",
        "term",
        shape={"B": ("n", "n")},
    ),
    _c("MC 117", "tr(X' B X C)", "X", "B X C + B' X C'", "B X C + B' X C", "term"),
    _c("MC 118", "tr(A X B X' C)", "X", "A' C' X B' + C A X B", "A' C' X B' + C A X B'", "term"),
    _c(
        "MC 119",
        "tr((A X B + C) (A X B + C)')",
        "X",
        "2 A' (A X B + C) B'",
        "2 A' (A X B + C) B",
        "term",
        shape={"B": ("n", "n")},
    ),
    _c("MC 120", "tr(X ⊗ X)", "X", "2 tr(X) I", "2 tr(X) X", "term"),
    _c(
        "WP scalar by matrix, tr(X'AX)", "tr(X' A X)", "X", "(A + A') X", "(A + A') X'", "term", shape={"X": ("n", "n")}
    ),
    _c("MN 9.9, tr(XAXB)", "tr(X A X B)", "X", "(A X B + B X A)'", "A X B + B X A", "layout", shape={"X": ("n", "n")}),
    _c("MN 9.9, tr(XAX'B)", "tr(X A X' B)", "X", "B' X A' + B X A", "B' X A' + B X A'", "term"),
    # Higher orders and functions of matrices
    _c("MC 121", "tr(X^k)", "X", "k (X^(k-1))'", "k X^(k-1)", "layout"),
    _c(
        "MC 122",
        "tr(A X^k)",
        "X",
        "sum_{r=0}^{k-1} (X^r A X^(k-r-1))'",
        "sum_{r=0}^{k-1} X^r A X^(k-r-1)",
        "layout",
    ),
    _c(
        "MC 91",
        "a' X^n b",
        "X",
        "sum_{r=0}^{n-1} (X^r)' a b' (X^(n-1-r))'",
        "sum_{r=0}^{n-1} (X^r)' b a' (X^(n-1-r))'",
        "term",
    ),
    _c(
        "MC 123",
        "tr(B' X' C X X' C X B)",
        "X",
        "C X X' C X B B' + C' X B B' X' C' X + C X B B' X' C X + C' X X' C' X B B'",
        "C X X' C X B B' + C' X B B' X' C' X + C X B B' X' C X + C' X X' C X B B'",
        "term",
    ),
    _c("MC 128", "tr(sin(X))", "X", "cos(X)'", "sin(X)'", "term"),
    _c("WP scalar by matrix, tr(e^X)", "tr(exp(X))", "X", "exp(X)'", "exp(X)", "layout"),
    _c("WP scalar by matrix, tr(cos X)", "tr(cos(X))", "X", "-sin(X)'", "sin(X)'", "sign"),
    _c("WP scalar by matrix, tr(ln X)", "tr(ln(X))", "X", "X^-T", "X^-1", "layout"),
    # Norms
    _c("MC 129", "norm(x - a)", "x", "(x - a)/norm(x - a)", "(a - x)/norm(x - a)", "sign"),
    _c("MC 131", "||x||^2", "x", "2 x", "2 x/||x||", "term"),
    _c("MC 132", "||X||^2", "X", "2 X", "2 X'", "layout"),
    _c("Frobenius distance", "||X - A||^2", "X", "2 (X - A)", "2 (A - X)", "sign"),
    _c(
        "Frobenius regression",
        "||X A' - B||^2",
        "X",
        "2 (X A' - B) A",
        "2 (X A' - B) A'",
        "term",
        shape={"A": ("n", "n")},
    ),
    _c(
        "MC 129, gradient of a norm of A x",
        "||A x||",
        "x",
        "A' A x/||A x||",
        "A A' x/||A x||",
        "term",
        shape={"A": ("n", "n")},
    ),
    # Vectors by vectors
    _c(
        "MC 130",
        "(x - a)/||x - a||",
        "x",
        "I/||x - a|| - (x - a) (x - a)'/||x - a||^3",
        "I/||x - a|| - (x - a) (x - a)'/||x - a||^2",
        "term",
        **NUMERATOR,
    ),
    _c("WP vector by vector, Ax", "A x", "x", "A", "A'", "layout", **NUMERATOR),
    _c("WP vector by vector, x'A as a column", "A' x", "x", "A'", "A", "layout", **NUMERATOR),
    _c("WP vector by vector, a u", "α A x", "x", "α A", "A", "term", **NUMERATOR),
    _c("WP vector by vector, x", "x", "x", "I", "2 I", "factor", **NUMERATOR),
    _c(
        "WP vector by vector, product rule",
        "(a' x) A x",
        "x",
        "A x a' + (a' x) A",
        "A x a'",
        "missing term",
        **NUMERATOR,
    ),
    _c("WP vector by vector, sum", "A x + B x", "x", "A + B", "A - B", "sign", **NUMERATOR),
    _c("outer", "x (x' a)", "x", "(x' a) I + x a'", "(x' a) I + a x'", "layout", **NUMERATOR),
    _c("quadratic times vector", "(x' x) a", "x", "2 a x'", "2 x a'", "layout", **NUMERATOR),
    _c("Hadamard square", "x .* x", "x", "2 diag(x)", "diag(x)", "factor", **NUMERATOR),
    _c(
        "MN 5.8, A x b' x",
        "A x (b' x)",
        "x",
        "(b' x) A + A x b'",
        "(b' x) A + A b x'",
        "term",
        shape={"A": ("n", "n")},
        **NUMERATOR,
    ),
    # Scalars by scalars, and by what a scalar multiplies
    _c("scalar cubed", "λ^3", "λ", "3 λ^2", "λ^2", "factor"),
    _c("WP scalar by scalar, quadratic", "λ^2 a' a", "λ", "2 λ a' a", "λ a' a", "factor"),
    _c("WP scalar by scalar, trace", "tr(λ A)", "λ", "tr(A)", "λ tr(A)", "term"),
    _c(
        "MC 46, |Y| for Y = A + λ B",
        "|A + λ B|",
        "λ",
        "|A + λ B| tr((A + λ B)^-1 B)",
        "|A + λ B| tr((A + λ B)^-1 A)",
        "term",
    ),
    _c("MC 43, ln |A + λ B|", "ln |A + λ B|", "λ", "tr((A + λ B)^-1 B)", "tr((A + λ B)^-1)", "term"),
    _c(
        "MC 59, tr of Y inverse",
        "tr((A + λ B)^-1)",
        "λ",
        "-tr((A + λ B)^-1 B (A + λ B)^-1)",
        "-tr((A + λ B)^-1 B)",
        "term",
    ),
    # Matrices by scalars, in numerator layout
    _c(
        "MC 59", "(A + λ B)^-1", "λ", "-(A + λ B)^-1 B (A + λ B)^-1", "(A + λ B)^-1 B (A + λ B)^-1", "sign", **NUMERATOR
    ),
    _c("WP matrix by scalar, AUB", "A (λ B) C", "λ", "A B C", "λ A B C", "term", **NUMERATOR),
    _c("WP matrix by scalar, UV", "(λ A) (λ B)", "λ", "2 λ A B", "λ A B", "factor", **NUMERATOR),
    _c("WP matrix by scalar, e^(xA)", "exp(λ A)", "λ", "A exp(λ A)", "exp(λ A)", "term", **NUMERATOR),
    _c("WP matrix by scalar, sum", "λ A + λ^2 B", "λ", "A + 2 λ B", "A + λ B", "factor", **NUMERATOR),
    _c("WP matrix by scalar, kron", "(λ A) ⊗ B", "λ", "A ⊗ B", "B ⊗ A", "term", **NUMERATOR),
    # Matrices by matrices, in the layout of vec
    _c("MN 9.13, AXB", "A X B", "X", "B' ⊗ A", "A ⊗ B'", "term", layout="vec"),
    _c("MN 9.13, X inverse", "X^-1", "X", "-X^-T ⊗ X^-1", "-X^-1 ⊗ X^-T", "layout", layout="vec"),
    _c("MN 9.13, X squared", "X^2", "X", "I ⊗ X + X' ⊗ I", "I ⊗ X + X ⊗ I", "term", layout="vec"),
    _c("MN 9.13, A X", "A X", "X", "I ⊗ A", "A ⊗ I", "term", layout="vec"),
    _c("MN 9.13, X B", "X B", "X", "B' ⊗ I", "B ⊗ I", "layout", shape={"B": ("n", "n")}, layout="vec"),
    _c("MN 9.12, X a", "X a", "X", "a' ⊗ I", "I ⊗ a'", "term", shape={"X": ("n", "n")}, layout="vec"),
    # Statistics and learning
    _c("Gaussian, by the mean", "(x - m)' W (x - m)", "m", "-2 W (x - m)", "-2 (x - m)", "term", where=W_SYMMETRIC),
    _c("Gaussian, by the precision", "ln |X| - a' X a", "X", "X^-T - a a'", "X^-T + a a'", "sign"),
    _c(
        "Gaussian, by the covariance",
        "ln |X| + a' X^-1 a",
        "X",
        "X^-T - X^-T a a' X^-T",
        "X^-T - X^-1 a a' X^-T",
        "term",
    ),
    _c("evidence", "ln |λ I + A' A|", "λ", "tr((λ I + A' A)^-1)", "(tr(λ I + A' A))^-1", "term"),
    _c("log of a quadratic", "ln(x' x)", "x", "2 x/(x' x)", "x/(x' x)", "factor"),
    _c(
        "softplus of a'x, before the sum",
        "ln(1 + exp(a' x))",
        "x",
        "(exp(a' x)/(1 + exp(a' x))) a",
        "(1/(1 + exp(a' x))) a",
        "factor",
    ),
    _c("radial function", "exp(-x' x)", "x", "-2 exp(-x' x) x", "2 exp(-x' x) x", "sign"),
    _c("linear layer, squared loss, by weights", "||X a - b||^2", "X", "2 (X a - b) a'", "2 a (X a - b)'", "layout"),
    _c(
        "linear layer, squared loss, by input",
        "||X a - b||^2",
        "a",
        "2 X' (X a - b)",
        "2 X (X a - b)",
        "term",
        shape={"X": ("n", "n")},
    ),
    _c(
        "low rank, by the first factor",
        "||X Y' - A||^2",
        "X",
        "2 (X Y' - A) Y",
        "2 (X Y' - A)' Y",
        "term",
        shape={"A": ("n", "n")},
    ),
    _c(
        "low rank, by the second factor",
        "||X Y' - A||^2",
        "Y",
        "2 (X Y' - A)' X",
        "2 (X Y' - A) X",
        "term",
        shape={"A": ("n", "n")},
    ),
    _c("projection residual", "tr(X' A X) - tr(B X)", "X", "(A + A') X - B'", "(A + A') X + B'", "sign"),
    _c(
        "Rayleigh quotient",
        "x' A x/(x' x)",
        "x",
        "2 A x/(x' x) - 2 (x' A x) x/(x' x)^2",
        "2 A x/(x' x) - (x' A x) x/(x' x)^2",
        "factor",
        where={"A": "symmetric"},
    ),
    _c("cosine", "a' x/||x||", "x", "a/||x|| - (a' x) x/||x||^3", "a/||x|| - (a' x) x/||x||^2", "term"),
    _c("regulariser", "tr(X' X) + λ ||X - A||^2", "X", "2 X + 2 λ (X - A)", "2 X + λ (X - A)", "factor"),
    _c("Mahalanobis, by a factor of the metric", "||X a||^2", "X", "2 X a a'", "X a a'", "factor"),
    _c("Procrustes", "||A X - B||^2", "X", "2 A' (A X - B)", "2 A' (B - A X)", "sign"),
    _c("linear in X on both sides", "tr(A X + X B)", "X", "A' + B'", "A' - B'", "sign", shape={"X": ("n", "n")}),
    _c(
        "bilinear, by a matrix",
        "a' A X B b",
        "X",
        "A' a b' B'",
        "A' b a' B'",
        "term",
        shape={"A": ("n", "n"), "B": ("n", "n")},
    ),
    _c("cubic form", "x' x a' x", "x", "2 (a' x) x + (x' x) a", "(a' x) x + (x' x) a", "factor"),
    _c("quartic", "(x' A x)^2", "x", "2 (x' A x) (A + A') x", "2 (x' A x) A x", "missing term"),
    _c(
        "nested inverse",
        "a' (X' X)^-1 b",
        "X",
        "-X (X' X)^-1 (a b' + b a') (X' X)^-1",
        "-X (X' X)^-1 (a b' - b a') (X' X)^-1",
        "term",
    ),
    # More of the tables
    _c(
        "WP scalar by vector, u'v",
        "(A x)' (B x)",
        "x",
        "A' B x + B' A x",
        "A' B x + B A x",
        "term",
        shape={"B": ("n", "n")},
    ),
    _c("WP scalar by matrix, tr(A'X)", "tr(A' X)", "X", "A", "A'", "layout"),
    _c("WP scalar by matrix, tr(X^-1 A)", "tr(X^-1 A)", "X", "-X^-T A' X^-T", "-X^-1 A X^-1", "layout"),
    _c("WP scalar by matrix, a'X'CXb", "a' X' C X b", "X", "C' X a b' + C X b a'", "C X a b' + C X b a'", "term"),
    _c("WP scalar by matrix, (Xa)'C(Xa)", "(X a)' C (X a)", "X", "(C + C') X a a'", "2 C X a a'", "condition"),
    _c("MN 9.10, a power of the determinant", "|X|^2", "X", "2 |X|^2 X^-T", "2 |X| X^-T", "term"),
    _c("MN 9.9, norm of A X", "||A X||^2", "X", "2 A' A X", "2 A A' X", "term", shape={"A": ("n", "n")}),
    _c("MN 9.9, tr(A X A')", "tr(A X A')", "X", "A' A", "A A'", "term", shape={"A": ("n", "n")}),
    _c("bilinear form, by the second vector", "x' A y", "y", "A' x", "A x", "term", shape={"A": ("n", "n")}),
    _c("bilinear form, by its matrix", "x' A y", "A", "x y'", "y x'", "layout"),
    _c("exponential of a trace", "exp(tr(A X))", "X", "exp(tr(A X)) A'", "exp(tr(A X)) A", "layout"),
    _c("trace times determinant", "tr(X) |X|", "X", "|X| I + tr(X) |X| X^-T", "|X| I - tr(X) |X| X^-T", "sign"),
    _c(
        "MN 5.15, inverse of a shifted matrix",
        "a' (X + B)^-1 b",
        "X",
        "-(X + B)^-T a b' (X + B)^-T",
        "-(X + B)^-T b a' (X + B)^-T",
        "term",
    ),
    _c(
        "difference of quadratics", "x' A x - x' B x", "x", "(A + A') x - (B + B') x", "(A + A') x - (B - B') x", "term"
    ),
]
