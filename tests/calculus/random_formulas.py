"""Random formulas of a given shape, whose constants carry their sizes, and their values by `formula.evaluate`."""

import numpy as np
from hypothesis import strategies as st

from matcalc.calculus import terms, written
from matcalc.calculus.terms import SCALAR, UNIT
from matcalc.formula import FormulaError, evaluate
from matcalc.formula import tree as t
from matcalc.formula.sizes import shape_of_array, size_in_numbers

SIZES = {"m": 2, "n": 3}
NAMES = {
    **{"A": ("m", "n"), "B": ("n", "m"), "X": ("n", "n"), "Y": ("n", "n"), "Z": ("m", "m")},
    **{"S": ("n", "n"), "Q": ("n", "n"), "P": ("n", "n")},
    **{"x": ("n", UNIT), "y": ("n", UNIT), "u": ("m", UNIT), "v": ("m", UNIT), "α": SCALAR, "β": SCALAR},
}
FACTS = {"S": {"symmetric"}, "Q": {"orthogonal", "invertible"}, "P": {"symmetric", "invertible"}}
FACTS = {t.Name(name): frozenset(facts) for name, facts in FACTS.items()}

OF_NUMBERS = ("exp", "sin", "cos", "tanh", "sigmoid", "softplus", "ln", "sqrt", "det", "norm", "sign")
OF_ENTRIES = ("tanh", "sigmoid", "softplus", "exp.", "sin.", "cos.", "sqrt.", "ln.", "abs", "relu")
OF_MATRICES = ("exp", "sin", "cos", "sqrt", "ln")


def _picked(draw, ways):
    """One of the ways to make a formula: only the one that is taken is gone."""
    return draw(st.sampled_from(ways))()


@st.composite
def formulas(draw, dims=None, depth=3, names=tuple(NAMES)):
    """A formula of this shape, or of any."""
    if dims is None:
        dims = draw(st.sampled_from([SCALAR, ("n", UNIT), ("n", "n"), ("m", "n"), ("n", "m"), (UNIT, "n")]))
    return _made(draw, dims, depth, names)


def _made(draw, dims, depth, names):
    rows, columns = dims

    def leaf():
        known = [t.Name(name) for name in names if NAMES[name] == dims]
        turned = [t.Transpose(t.Name(name)) for name in names if NAMES[name] == dims[::-1] != dims]
        if dims == SCALAR:
            known += [t.Number(draw(st.integers(1, 3)))]
        elif rows == columns:
            known += [terms.identity(rows)]
        elif UNIT in dims or not known + turned:
            known += [terms.ones(dims)]
        return draw(st.sampled_from([*known, *turned]))

    def part(*shape):
        return _made(draw, shape, depth - 1, names)

    def product():
        inner = draw(st.sampled_from(["m", "n", UNIT]))
        return terms.product(part(rows, inner), part(inner, columns))

    def of_square(function, rows=rows):
        return t.Apply(function, part(rows, rows))

    def kron(m, n):
        return t.Infix("⊗", part(m, m), part(n, n))

    def turning():
        return [terms.commutation("n", "m"), kron("m", "n"), terms.commutation("m", "n")]

    def vec(m, n):
        return t.Apply("vec", part(m, n))

    some = st.sampled_from
    ways = [
        leaf,
        lambda: t.Sum((part(*dims), part(*dims))),
        lambda: t.Sum((part(*dims), t.Neg(part(*dims)))),
        lambda: t.Neg(part(*dims)),
        lambda: terms.product(part(*SCALAR), part(*dims)),
        lambda: terms.quotient(part(*dims), part(*SCALAR)),
        lambda: t.Transpose(part(columns, rows)),
        product,
        product,
    ]
    if dims == SCALAR:
        k = [t.Number(2), t.Number(3), t.Neg(t.Number(1)), terms.number(terms.HALF), t.Neg(t.Number(2)), t.Name("α")]
        ways += [
            lambda: t.Apply(draw(some(OF_NUMBERS)), part(*SCALAR)),
            lambda: of_square(draw(some(("tr", "det", "sum", "norm"))), draw(some(("m", "n")))),
            lambda: t.Apply("sum", part("m", "n")),
            lambda: t.Apply(draw(some(("norm", "sum", "norm1", "logsumexp", "mean"))), part("n", UNIT)),
            lambda: t.Power(part(*SCALAR), draw(some(k))),
            lambda: t.Entry(part("m", "n"), (t.Number(1), t.Number(2))),
            lambda: t.Entry(part("n", UNIT), (t.Number(2),)),
            lambda: t.Infix("·", part("n", UNIT), part("n", UNIT)),
            lambda: terms.trace(terms.product(kron("n", "m"), *draw(some([[], [kron("n", "m")], turning()])))),
            lambda: t.Apply("sum", terms.product(*draw(some([[], turning()])), kron("n", "m"))),
            lambda: terms.product(t.Transpose(vec("m", "n")), kron("n", "m"), vec("m", "n")),
            lambda: t.Sigma("i", t.Number(1), t.Name("n"), terms.product(_entry(part, "i"), _entry(part, "i"))),
            lambda: t.Sigma("i", t.Number(1), t.Number(3), t.Power(part(*SCALAR), t.Name("i"))),
        ]
        return (leaf if depth == 0 else lambda: _picked(draw, ways))()
    ways += [
        lambda: t.Infix("⊙", part(*dims), part(*dims)),
        lambda: t.Infix("⊘", part(*dims), part(*dims)),
        lambda: t.Infix(".^", part(*dims), draw(some([t.Number(2), t.Number(3), terms.number(terms.HALF)]))),
        lambda: t.Apply(draw(some(OF_ENTRIES)), part(*dims)),
    ]
    if columns == UNIT:
        ways += [
            lambda: t.Apply("diag", part(rows, rows)),
            lambda: t.Apply("softmax", part(*dims)),
            lambda: t.Sigma("i", t.Number(1), t.Name(rows), terms.product(_entry(part, "i", rows), _e("i", rows))),
        ]
    if rows == columns:
        power = st.sampled_from([t.Number(2), t.Number(3), t.Number(5), t.Neg(t.Number(2)), t.Number(0)])
        ways += [
            lambda: of_square(draw(some(("inv", "adj", "pinv", "tril", "triu")))),
            lambda: of_square(draw(some(OF_MATRICES))),
            lambda: t.Apply("diag", part(rows, UNIT)),
            lambda: t.Power(part(rows, rows), draw(power)),
        ]
    if UNIT not in dims:
        ways += [
            lambda: t.Apply("pinv", part(columns, rows)),
            lambda: t.Apply(draw(some(("tril", "triu"))), part(*dims)),
        ]
    return (leaf if depth == 0 else lambda: _picked(draw, ways))()


def _e(i, n):
    return terms.unit(i, n)


def _entry(part, i, n="n"):
    return t.Entry(part(n, UNIT), (t.Name(i),))


# --- Values


def points(seed, of=NAMES):
    """Arrays for all variables, in which the facts hold."""
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(size=[SIZES[size] for size in shape_of_array(dims)]) for name, dims in of.items()}
    values["S"] = values["S"] + values["S"].T
    values["Q"] = np.linalg.qr(values["Q"])[0]
    values["P"] = values["P"] @ values["P"].T + np.eye(3)
    return values


def value(tree, dims, point, names=NAMES):
    """The value as an array, NaN where it is none."""
    shape = [size_in_numbers(size, SIZES) for size in shape_of_array(dims)]
    try:
        with np.errstate(all="ignore"):
            found = evaluate(written(tree, names, shape_of_array(dims)), point, sizes=SIZES, shape=shape)
    except FormulaError:
        raise
    except (ValueError, ArithmeticError):  # by which NumPy and SciPy say that a matrix is singular or infinite
        return np.full(shape, np.nan)
    return np.full(shape, np.nan) if np.iscomplexobj(found) else found


def spread(tree, dims, point, names=NAMES):
    """The value, and how much it moves where every entry of the variables moves by its rounding, 1e6 fold."""
    v = value(tree, dims, point, names)
    near = {name: a * (1 + 1e-10 * np.cos(np.arange(1.0, a.size + 1))).reshape(a.shape) for name, a in point.items()}
    with np.errstate(invalid="ignore"):
        return v, np.abs(value(tree, dims, near, names) - v).max()


def slope(of, point, name, v, step=1e-3):
    """The derivative of a function of points along v by one variable, by central differences of eighth order."""
    total = 0
    with np.errstate(invalid="ignore"):
        for k, weight in enumerate((4 / 5, -1 / 5, 4 / 105, -1 / 280), 1):
            there, back = ({**point, name: point[name] + sign * k * step * v} for sign in (1, -1))
            total = total + weight * (of(there) - of(back))
    return total / step


def along(found, value_dims, x_dims, point, v, names=NAMES):
    """The derivative along v that a `Derivative` says."""
    with np.errstate(invalid="ignore"):
        return _along(value(found.formula, found.dims, point, names), value_dims, x_dims, v)


def _along(D, value_dims, x_dims, v):
    shape = [size_in_numbers(size, SIZES) for size in shape_of_array(value_dims)]
    if value_dims == SCALAR:
        return np.sum(D * v)
    if x_dims == SCALAR:
        return D * v
    return (D.reshape(-1, v.size) @ v.ravel(order="F")).reshape(shape[::-1]).T
