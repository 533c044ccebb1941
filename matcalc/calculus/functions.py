"""Normal forms of functions of one argument: inverses, determinants, norms, and those of matrices and of entries."""

from matcalc.calculus.algebra import Algebra, as_one, normal_form
from matcalc.calculus.products import power_of_scalar
from matcalc.calculus.terms import HALF, ONE, UNIT, Factor, NotDerivable, Poly, Term, identity, ones, product
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.arbitrary import is_arbitrary
from matcalc.formula.typed import acts_by_entry
from matcalc.formula.words import MATRIX_FUNCTIONS

# Functions of numbers at 0.
AT_ZERO: dict[str, Formula] = {
    **dict.fromkeys(("exp", "cos", "cosh"), t.Number(1)),
    **dict.fromkeys(("sin", "sinh", "tan", "tanh", "sqrt", "relu", "sign", "abs"), t.Number(0)),
    "sigmoid": t.Infix("/", t.Number(1), t.Number(2)),
    "softplus": t.Apply("ln", t.Number(2)),
}


def acts_on_entries(a: Algebra, function: str, of: Formula) -> bool:
    """Whether a function is taken of each entry."""
    return acts_by_entry(function, a.dims(of))


# --- Inverses


@normal_form("inv")
def _inverse(a: Algebra, tree: t.Apply) -> Poly:
    if a.is_scalar(tree.of):
        return a.reciprocal(tree.of)
    poly = a.poly(tree.of)
    if not poly:
        raise NotDerivable("it has the inverse of 0")
    term = as_one(a, poly)
    outside = Term(1 / term.coef, a.powers(term.scalars, -ONE))
    match term.word:
        case (Factor(t.Infix("⊗", u, v), power, turned),) if power == 1 and a.is_square(u) and a.is_square(v):
            made = a.poly(t.Infix("⊗", t.Apply("inv", u), t.Apply("inv", v)))
            return a.scale(a.transposed(made) if turned else made, outside)
        case word if all(rows == columns for rows, columns in map(a.factor_dims, word)):
            factors = [factor._replace(power=a.scaled(factor.power, -ONE)) for factor in reversed(word)]
            return a.term(outside.coef, outside.scalars, factors)
        case word:  # of a product of other matrices as a whole
            turned_word = a.turned_word(word)
            is_turned = ("product", turned_word) in a.spelled and ("product", word) not in a.spelled
            base = a.spelled.setdefault(("product", turned_word if is_turned else word), a.word_tree(word))
            return (Term(*outside[:2], (Factor(base, -ONE, is_turned and turned_word != word),)),)


@normal_form("pinv")
def _pseudoinverse(a: Algebra, tree: t.Apply) -> Poly:
    """(U⁺)⁺ = U, and U⁺ = U⁻¹ of an invertible U."""
    if a.is_scalar(tree.of):
        return a.reciprocal(tree.of)
    if isinstance(tree.of, t.Apply) and tree.of.function == "pinv":
        return a.poly(tree.of.of)
    term = _one_term(a, tree.of)
    outside = Term(1 / term.coef, a.powers(term.scalars, -ONE))
    base, is_turned = _upright(a, (Term(ONE, (), term.word),))
    if a.is_(base, "invertible"):
        made = a.poly(t.Apply("inv", base))
        return a.scale(a.transposed(made) if is_turned else made, outside)
    return (Term(*outside[:2], (a.oriented(Factor(t.Apply("pinv", base), ONE, is_turned)),)),)


@normal_form("adj")
def _adjugate(a: Algebra, tree: t.Apply) -> Poly:
    if a.is_scalar(tree.of):
        return a.poly(t.Number(1))
    base, is_turned = _upright(a, a.poly(tree.of))
    return (Term(ONE, (), (a.oriented(Factor(t.Apply("adj", base), ONE, is_turned)),)),)


def _one_term(a: Algebra, of: Formula) -> Term:
    poly = a.poly(of)
    if not poly:
        raise NotDerivable(f"{of} is 0")
    return as_one(a, poly)


def _upright(a: Algebra, poly: Poly) -> tuple[Formula, bool]:
    """An argument without a transpose around it, and whether there was one."""
    if not poly:
        raise NotDerivable("it has a function of 0")
    term = as_one(a, poly)
    is_turned = len(term.word) == 1 and term.word[0].turned
    word = (term.word[0]._replace(turned=False),) if is_turned else term.word
    return a.term_tree(term._replace(word=word)), is_turned


# --- Determinants and norms


@normal_form("det")
def _determinant(a: Algebra, tree: t.Apply) -> Poly:
    """|A B| = |A| |B| of square matrices, |A^k| = |A|^k; of a scalar the modulus, of a vector the length."""
    if a.is_scalar(tree.of):
        return _modulus(a, tree)
    if UNIT in a.dims(tree.of):
        return a.poly(t.Apply("norm", tree.of))
    poly = a.poly(tree.of)
    if not poly:
        return ()
    coef, scalars, word = as_one(a, poly)
    if coef == 1 and not scalars:
        if len(word) > 1 and all(rows == columns for rows, columns in map(a.factor_dims, word)):
            return a.poly(product(*[t.Apply("det", a.factor_tree(factor)) for factor in word]))
        if len(word) == 1:
            base, power, _ = word[0]
            if isinstance(base, t.Constant) and base.symbol == "I":
                return a.poly(t.Number(1))
            if power != 1:
                det = t.Apply("det", base)
                (inner,) = a.poly(det)
                return (Term(ONE, a.powers(inner.scalars, power)),)
            word = (Factor(base),)
    return (Term(ONE, ((t.Apply("det", a.term_tree(Term(coef, scalars, word))), ONE),)),)


@normal_form("abs")
def _absolute(a: Algebra, tree: t.Apply) -> Poly:
    return _modulus(a, t.Apply("det", tree.of)) if a.is_scalar(tree.of) else a_function(a, tree)


def _modulus(a: Algebra, tree: t.Apply) -> Poly:
    poly = a.poly(tree.of)
    if not poly:
        return ()
    term = as_one(a, poly)
    scalars = [(base if _is_positive(a, base) else t.Apply(tree.function, base), power) for base, power in term.scalars]
    return (Term(abs(term.coef), a.merged(scalars)),)


def _is_positive(a: Algebra, scalar: Formula) -> bool:
    """Whether a scalar has no sign by its form."""
    match scalar:
        case t.Apply("norm" | "norm2" | "exp" | "abs" | "sigmoid" | "softplus" | "nuclear"):
            return True
        case t.Apply("det", of):
            return a.is_scalar(of)
        case t.Number():
            return True
        case t.Name(name):
            return name in a.sizes
        case _:
            return False


@normal_form("norm", "norm2", "norm1", "norminf", "nuclear")
def _norm(a: Algebra, tree: t.Apply) -> Poly:
    """‖c X‖ = |c| ‖X‖ and ‖Xᵀ‖ = ‖X‖."""
    if a.is_scalar(tree.of):
        return _modulus(a, t.Apply("det", tree.of))
    name = "norm" if tree.function == "norm2" and UNIT in a.dims(tree.of) else tree.function
    poly = a.poly(tree.of)
    if not poly:
        return ()
    coef, scalars, word = as_one(a, poly)
    if len(word) == 1:
        word = (word[0]._replace(turned=False),)
    outside = _modulus(a, t.Apply("det", a.term_tree(Term(coef, scalars))))
    return a.times(outside, (Term(ONE, ((t.Apply(name, a.word_tree(word)), ONE),)),))


# --- Functions of numbers, of entries and of matrices


@normal_form("ln")
def _logarithm(a: Algebra, tree: t.Apply) -> Poly:
    """ln 1/s = -ln s."""
    if not a.is_scalar(tree.of):
        return a_function(a, tree)
    match a.poly(tree.of):
        case (Term(coef, ((base, power),), ()),) if coef == 1 and power == -1:
            return a.scale(a.poly(t.Apply("ln", base)), Term(-ONE))
        case (Term(coef, (), ()),) if coef == 1:
            return ()
        case _:
            return (Term(ONE, ((t.Apply("ln", a.simplify(tree.of)), ONE),)),)


@normal_form("sign")
def _sign(a: Algebra, tree: t.Apply) -> Poly:
    """sign(s) = s/|s|."""
    if not a.is_scalar(tree.of):
        return a_function(a, tree)
    return a.times(a.poly(tree.of), a.reciprocal(t.Apply("det", tree.of)))


@normal_form("sqrt")
def _root(a: Algebra, tree: t.Apply) -> Poly:
    if not a.is_scalar(tree.of):
        return a_function(a, tree)
    poly = a.poly(tree.of)
    return power_of_scalar(a, as_one(a, poly), HALF) if poly else ()


@normal_form(t.Apply)
def a_function(a: Algebra, tree: t.Apply) -> Poly:
    """g(Xᵀ) = g(X)ᵀ, of functions of matrices and of entries alike."""
    name = tree.function.removesuffix(".")
    if not a.poly(tree.of):
        return _at_zero(a, tree, name)
    if a.is_scalar(tree):
        return (Term(ONE, ((t.Apply(name, a.simplify(tree.of)), ONE),)),)
    is_either = name in MATRIX_FUNCTIONS or is_arbitrary(name)
    if is_either and acts_on_entries(a, tree.function, tree.of) and UNIT not in a.dims(tree.of):
        name = f"{name}."
    base, is_turned = _upright(a, a.poly(tree.of))
    return (Term(ONE, (), (a.oriented(Factor(t.Apply(name, base), ONE, is_turned)),)),)


def _at_zero(a: Algebra, tree: t.Apply, name: str) -> Poly:
    """The value at 0: of a number, at every entry, and of matrices as a multiple of I."""
    if name not in AT_ZERO:
        raise NotDerivable(f"{name} of 0")
    rows, columns = a.dims(tree)
    everywhere = ones((rows, columns)) if acts_on_entries(a, tree.function, tree.of) else identity(rows)
    return a.poly(product(AT_ZERO[name], everywhere))


@normal_form("!")
def _factorial(a: Algebra, tree: t.Apply) -> Poly:
    return a.atom(tree)


@normal_form(t.Frechet)
def _frechet(a: Algebra, tree: t.Frechet) -> Poly:
    """L_g(U, c V) = c L_g(U, V)."""
    U = a.simplify(tree.of)
    return a.collect(
        term._replace(word=(Factor(t.Frechet(tree.function, U, a.word_tree(term.word))),))
        for term in a.opened(a.poly(tree.along))
    )


@normal_form("vec", "vech", "tril", "triu", "cross")
def _linear(a: Algebra, tree: t.Apply) -> Poly:
    if a.is_scalar(tree.of):
        return a.poly(tree.of)
    return a.collect(
        term._replace(word=(Factor(t.Apply(tree.function, a.word_tree(term.word))),))
        for term in a.opened(a.poly(tree.of))
    )
