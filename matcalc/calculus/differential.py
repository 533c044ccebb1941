"""Differentials: one rule for each operation, in the order of the book. What they make is linear in ∂X.

See Magnus and Neudecker, Matrix Differential Calculus, chapters 8 and 9.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from matcalc.calculus.algebra import Algebra
from matcalc.calculus.functions import acts_on_entries
from matcalc.calculus.terms import (
    SCALAR,
    UNIT,
    NotDerivable,
    at,
    fresh,
    identity,
    inverse,
    minus,
    ones,
    product,
    quotient,
    sized,
    trace,
)
from matcalc.calculus.words import as_tree
from matcalc.formula import Formula, parse
from matcalc.formula import tree as t
from matcalc.formula.arbitrary import derivative_of, is_arbitrary
from matcalc.formula.words import MATRIX_FUNCTIONS

WRITTEN_OUT = 3  # the largest power of a matrix of which each term is written

# The derivative of g(u): of a number, of each entry, and of a matrix where U and dU commute.
OF_ONE_NUMBER: Mapping[str, Formula] = {
    "exp": parse("exp(u)"),
    "ln": parse("1/u"),
    "sin": parse("cos(u)"),
    "cos": parse("-sin(u)"),
    "tan": parse("1 + tan(u)^2"),
    "sinh": parse("cosh(u)"),
    "cosh": parse("sinh(u)"),
    "tanh": parse("1 - tanh(u)^2"),
    "sqrt": parse("1/(2 sqrt(u))"),
    "sigmoid": parse("sigmoid(u) (1 - sigmoid(u))"),
    "softplus": parse("sigmoid(u)"),
    "abs": parse("sign(u)"),
    "relu": parse("(1 + sign(u))/2"),
    "sign": parse("0"),
}

LINEAR = frozenset({"tr", "sum", "mean", "vec", "vech", "diag", "tril", "triu", "cross"})

Rule = Callable[[Algebra, Formula, Formula], Formula]
OF_FUNCTIONS: dict[str, Rule] = {}  # dg(U), from U and dU


def differential_of(*functions: str) -> Callable[[Rule], Rule]:
    """Declares the differential of functions."""

    def declare(rule: Rule) -> Rule:
        OF_FUNCTIONS.update(dict.fromkeys(functions, rule))
        return rule

    return declare


# --- Determinants and inverses


@differential_of("det")
def _determinant(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d|U| = tr(adj(U) dU), of an invertible U |U| tr(U⁻¹ dU)."""
    if a.is_scalar(U):  # the modulus
        return product(t.Apply("sign", U), dU)
    if a.is_(U, "invertible"):
        return product(t.Apply("det", U), trace(product(inverse(U), dU)))
    return trace(product(t.Apply("adj", U), dU))


@differential_of("inv")
def _inverse(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """dU⁻¹ = -U⁻¹ dU U⁻¹."""
    return t.Neg(product(inverse(U), dU, inverse(U)))


@differential_of("pinv")
def _pseudoinverse(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """dU⁺ = -U⁺ dU U⁺ + U⁺ U⁺ᵀ dUᵀ (I - U U⁺) + (I - U⁺ U) dUᵀ U⁺ᵀ U⁺, where the rank does not change."""
    P, (m, n) = t.Apply("pinv", U), a.dims(U)
    left = product(P, t.Transpose(P), t.Transpose(dU), minus(identity(m), product(U, P)))
    right = product(minus(identity(n), product(P, U)), t.Transpose(dU), t.Transpose(P), P)
    return t.Sum((t.Neg(product(P, dU, P)), left, right))


@differential_of("adj")
def _adjugate(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d adj(U) = |U| (tr(U⁻¹ dU) U⁻¹ - U⁻¹ dU U⁻¹)."""
    V = inverse(U)
    return product(t.Apply("det", U), minus(product(trace(product(V, dU)), V), product(V, dU, V)))


# --- Norms, and functions of vectors


@differential_of("norm")
def _norm(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d‖U‖ = tr(Uᵀ dU)/‖U‖."""
    return quotient(inner_product(a, U, dU), t.Apply("norm", U))


@differential_of("norm2")
def _norm2(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d‖u‖ = uᵀ du/‖u‖ of a vector."""
    if UNIT not in a.dims(U):
        raise NotDerivable("the spectral norm of a matrix needs its singular vectors, which have no word here")
    return _norm(a, U, dU)


@differential_of("norm1")
def _norm1(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d‖u‖₁ = sign(u)ᵀ du."""
    return inner_product(a, t.Apply("sign", U), dU)


@differential_of("nuclear")
def _nuclear(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d‖U‖_* = tr((Uᵀ U)^(-1/2) Uᵀ dU), where the columns of U are independent."""
    return trace(product(inverse(t.Apply("sqrt", product(t.Transpose(U), U))), t.Transpose(U), dU))


@differential_of("logsumexp")
def _logsumexp(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d ln Σ exp(u_i) = softmax(u)ᵀ du."""
    return inner_product(a, t.Apply("softmax", U), dU)


@differential_of("softmax")
def _softmax(a: Algebra, U: Formula, dU: Formula) -> Formula:
    """d softmax(u) = p ⊙ du - p pᵀ du with p = softmax(u)."""
    p = t.Apply("softmax", U)
    return minus(t.Infix("⊙", p, dU), product(inner_product(a, p, dU), p))


def inner_product(a: Algebra, U: Formula, V: Formula) -> Formula:
    """⟨U, V⟩ = tr(Uᵀ V)."""
    match a.dims(V):
        case ("1", "1"):
            return product(U, V)
        case (_, "1"):
            return product(t.Transpose(U), V)
        case ("1", _):
            return product(U, t.Transpose(V))
        case _:
            return trace(product(t.Transpose(U), V))


# --- Functions of a number, of each entry, and of a matrix


def of_one_number(a: Algebra, function: str, U: Formula, dU: Formula) -> Formula:
    """g'(u) du, of entries g'(U) ⊙ dU, of a matrix the Fréchet derivative L_g(U, dU)."""
    name = function.removesuffix(".")
    if a.is_scalar(U):
        return product(at(rule_of(name), {"u": U}), dU)
    if acts_on_entries(a, function, U):
        return t.Infix("⊙", by_entries(a, rule_of(name), U), dU)
    return t.Frechet(name, U, dU)


def rule_of(name: str) -> Formula:
    """The derivative of a function of one number, as a formula in u; of one that has only a name it is g'(u)."""
    return OF_ONE_NUMBER[name] if name in OF_ONE_NUMBER else t.Apply(derivative_of(name), t.Name("u"))


def by_entries(a: Algebra, rule: Formula, U: Formula) -> Formula:
    """A formula in the number u, at each entry of U."""
    every, zero = ones(a.dims(U)), t.Constant("0", (sized(a.dims(U)[0]), sized(a.dims(U)[1])))

    def read(tree: Formula) -> Formula:
        match tree:
            case t.Name("u"):
                return U
            case t.Number(value):
                return every if value == 1 else product(tree, every) if value else zero
            case t.Product((t.Number() as number, *rest)):
                return product(number, read(t.product_of(rest)))
            case t.Product((first, *rest)):
                made = read(first)
                for factor in rest:
                    made = t.Infix("⊙", made, read(factor))
                return made
            case t.Infix("/", left, t.Number() as number):
                return quotient(read(left), number)
            case t.Infix("/", left, right):
                return t.Infix("⊘", read(left), read(right))
            case t.Power(base, exponent):
                return t.Infix(".^", read(base), exponent)
            case t.Apply(function, of):
                dotted = (function in MATRIX_FUNCTIONS or is_arbitrary(function)) and UNIT not in a.dims(U)
                return t.Apply(f"{function}." if dotted else function, read(of))
            case _:
                return t.with_children(tree, [read(child) for child in t.children(tree)])

    return read(rule)


def of_matrix(a: Algebra, function: str, U: Formula) -> Formula:
    """g'(U), by which the Fréchet derivative is a product where U and dU commute."""

    def read(tree: Formula) -> Formula:
        match tree:
            case t.Name("u"):
                return U
            case t.Number(value):
                eye = identity(a.dims(U)[0])
                return eye if value == 1 else product(tree, eye) if value else minus(eye, eye)
            case t.Product((t.Number() as number, *rest)):
                return product(number, read(t.product_of(rest)))
            case t.Infix("/", t.Number() as number, right):
                return product(number, inverse(read(right)))
            case t.Power(base, exponent):
                return t.Power(read(base), exponent)
            case _:
                return t.with_children(tree, [read(child) for child in t.children(tree)])

    return read(rule_of(function))


# --- Any formula


def differential(a: Algebra, f: Formula, leaves: Mapping[str, Formula]) -> Formula | None:
    """d(f), where `leaves` are the differentials of variables; None where f does not depend on them."""

    def d(f: Formula) -> Formula | None:
        return leaves.get(f.name) if isinstance(f, t.Name) else one_rule(a, f, d)

    return d(f)


def one_rule(a: Algebra, f: Formula, d: Callable[[Formula], Formula | None]) -> Formula | None:
    """d(f) by one rule, from the differentials d of its parts, each None where the part is constant."""
    match f:
        case t.Neg(U):
            return None if (dU := d(U)) is None else t.Neg(dU)
        case t.Transpose(U):
            return None if (dU := d(U)) is None else t.Transpose(dU)
        case t.Sum(parts):
            return _sum(map(d, parts))
        case t.Product(factors):
            return _sum(
                None if (du := d(factor)) is None else product(*factors[:i], du, *factors[i + 1 :])
                for i, factor in enumerate(factors)
            )
        case t.Infix("/", U, s):
            dU, ds = d(U), d(s)
            above = None if dU is None else quotient(dU, s)
            below = None if ds is None else t.Neg(quotient(product(ds, U), t.Power(s, t.Number(2))))
            return _sum([above, below])
        case t.Infix("⊘", U, V):
            dU, dV = d(U), d(V)
            above = None if dU is None else t.Infix("⊘", dU, V)
            below = None if dV is None else t.Neg(t.Infix("⊙", t.Infix("⊘", f, V), dV))
            return _sum([above, below])
        case t.Infix(".^", U, k):
            return _power_by_entries(a, f, d(U), d(k))
        case t.Infix("⊕", U, V):
            if d(U) is not None or d(V) is not None:
                raise NotDerivable(f"a block of {f} has no word here")
            return None
        case t.Infix(op, U, V):
            dU, dV = d(U), d(V)
            left = None if dU is None else t.Infix(op, dU, V)
            return _sum([left, None if dV is None else t.Infix(op, U, dV)])
        case t.Power(U, k):
            return _power(a, f, d(U), d(k))
        case t.Apply(function, U):
            return None if (dU := d(U)) is None else _function(a, function, U, dU)
        case t.Entry(U, indices):
            return None if (dU := d(U)) is None else t.Entry(dU, indices)
        case t.Unvec(sizes, U):
            return None if (dU := d(U)) is None else t.Unvec(sizes, dU)
        case t.Sigma(index, start, stop, body):
            return None if (du := d(body)) is None else t.Sigma(index, start, stop, du)
        case t.Frechet(function):
            if any(d(child) is not None for child in t.children(f)):
                raise NotDerivable(f"the derivative of L_{function} has no word here")
            return None
        case _:
            return None


def name_of_rule(a: Algebra, f: Formula) -> str:
    """What the rule is called by which `one_rule` differentiates."""
    match f:
        case t.Sum() | t.Neg():
            return "sum"
        case t.Product() | t.Infix("⊗" | "⊙" | "×" | "·"):
            return "product rule"
        case t.Infix("/" | "⊘"):
            return "quotient rule"
        case t.Power() | t.Infix(".^"):
            return "power rule"
        case t.Transpose():
            return "d Uᵀ = (dU)ᵀ"
        case t.Apply(function, U):
            name = function.removesuffix(".")
            if name in OF_FUNCTIONS:
                return (OF_FUNCTIONS[name].__doc__ or name).partition(".")[0]
            if name in LINEAR:
                return f"{name} is linear"
            if a.is_scalar(U):
                return f"d {name}(u) = ({rule_of(name)}) du"
            is_by_entry = acts_on_entries(a, function, U)
            return f"{name} of each entry" if is_by_entry else f"the Fréchet derivative L_{name}(U, dU)"
        case _:
            return "linear"


def _sum(terms: Any) -> Formula | None:
    given = [term for term in terms if term is not None]
    return t.sum_of(given) if given else None


def _function(a: Algebra, function: str, U: Formula, dU: Formula) -> Formula:
    name = function.removesuffix(".")
    if name in LINEAR:
        return t.Apply(name, dU)
    if name in OF_FUNCTIONS:
        return OF_FUNCTIONS[name](a, U, dU)
    if name in OF_ONE_NUMBER or is_arbitrary(name):
        return of_one_number(a, function, U, dU)
    raise NotDerivable(f"there is no rule for {function}")


def _power(a: Algebra, f: t.Power, dU: Formula | None, dk: Formula | None) -> Formula | None:
    """du^k = k u^(k-1) du + u^k ln(u) dk, of a matrix Σ U^(i-1) dU U^(k-i)."""
    U, k = f.base, f.exponent
    if a.dims(U) == SCALAR:
        by_base = None if dU is None else product(k, _lowered(a, U, k, t.Power), dU)
        return _sum([by_base, None if dk is None else product(f, t.Apply("ln", U), dk)])
    if dk is not None:
        raise NotDerivable(f"the exponent of a matrix is an integer; {k} is differentiated by")
    return None if dU is None else power_of_matrix(a, U, dU, k)


def power_of_matrix(a: Algebra, U: Formula, dU: Formula, exponent: Formula) -> Formula:
    """d(U^k) = Σ U^(i-1) dU U^(k-i), of which few terms are written out."""
    k = a.exponent(exponent)
    if isinstance(k, Fraction) and k.denominator == 1:
        n, V = int(abs(k)), (U if k > 0 else inverse(U))
        if n <= WRITTEN_OUT:
            dV = dU if k > 0 else t.Neg(product(V, dU, V))
            return t.sum_of([product(*[V] * i, dV, *[V] * (n - 1 - i)) for i in range(n)])
    if isinstance(k, Fraction) and k < 0:
        V = inverse(U)
        return power_of_matrix(a, V, t.Neg(product(V, dU, V)), t.Number(int(-k)))
    (i,) = fresh(1, U, dU, exponent)
    index = t.Name(i)
    body = product(t.Power(U, minus(index, t.Number(1))), dU, t.Power(U, minus(exponent, index)))
    return t.Sigma(i, t.Number(1), exponent, body)


def _power_by_entries(a: Algebra, f: t.Infix, dU: Formula | None, dk: Formula | None) -> Formula | None:
    """d(U.^k) = k U.^(k-1) ⊙ dU."""
    if dk is not None:
        raise NotDerivable(f"the exponent of {f} is differentiated by")
    if dU is None:
        return None
    if not a.is_scalar(f.right):
        raise NotDerivable(f"the exponents of {f} are an array")
    lowered = _lowered(a, f.left, f.right, lambda U, k: t.Infix(".^", U, k))
    return product(f.right, t.Infix("⊙", lowered, dU))


def _lowered(a: Algebra, U: Formula, k: Formula, power: Callable[[Formula, Formula], Formula]) -> Formula:
    """U to the power k - 1, which for numbers is worked out."""
    less = a.exponent(minus(k, t.Number(1)))
    return U if less == 1 else power(U, as_tree(less))
