"""Check a derivative that is typed as a formula: both are read, sized and evaluated, and the referee judges."""

import contextlib
import difflib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, reduce
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.domains import Domain, general, named, positive, well_conditioned, with_principal_logarithm
from matcalc.formula import Formula, FormulaError, evaluate, infer, parse
from matcalc.formula import tree as t
from matcalc.formula.printing import Style, show
from matcalc.formula.shapes import deduce
from matcalc.formula.sizes import Size, size_product
from matcalc.formula.tokens import FUNCTIONS, GREEK, MATRIX_FUNCTIONS
from matcalc.formula.variables import Variables, variables
from matcalc.layout import LAYOUTS, Layout, from_layout, layout_shape
from matcalc.referee.check import settings
from matcalc.referee.comparison import Comparison
from matcalc.referee.evidence import Evidence, Look
from matcalc.referee.judge import Explain
from matcalc.referee.judge import report as judged
from matcalc.referee.report import Cause, Report, Verdict
from matcalc.referee.runs import Runs
from matcalc.referee.subject import Subject

Array = np.ndarray[Any, Any]
Shape = tuple[Size, ...]
AskedLayout = Literal["jax", "numerator", "denominator", "vec", "either"]
ASKED: tuple[AskedLayout, ...] = get_args(AskedLayout)

SIZES = (3, 4, 2, 5, 6, 7, 8, *range(9, 80))  # distinct, so that nothing fits by accident
EXPONENT = 3
DRAWS = 20
ASSIGNMENTS = 60  # of numbers to sizes, that are tried
MOST = 4096  # entries of a variable
DIRECTION = 2**20  # a seed by which nothing else is drawn: along x many functions do not change
STEP = 1e-3  # of finite differences, relative
SAME = 1e-6  # relative, of what is compared by them
SCALES = (2.0**-3, 2.0**-6)  # of points nearer to 0, at which a claim has to hold too
DIGITS = 1e-6  # an error below it is one of rounding, by somebody
CERTAIN = 20  # digits: the differences in ball arithmetic have about 40


@dataclass(frozen=True)
class Problem:
    """A function as a formula, with the shapes of its variables; sizes that it leaves free are letters."""

    formula: Formula
    wrt: str
    found: Variables
    shapes: Mapping[str, Shape]
    where: Mapping[str, Domain]
    sizes: Mapping[str, int]  # a number for every letter that is a size
    names: frozenset[str]  # declared ones, of several letters
    exponent: int = EXPONENT  # and bound of sums

    @cached_property
    def integers(self) -> dict[str, int]:
        """A value for every integer: subscripts count entries from 0."""
        places = {name: (self.exponent + place) % 2 for place, name in enumerate(sorted(self.found.indices))}
        return {name: places.get(name, self.exponent) for name in sorted(self.found.integers) if name not in self.sizes}

    @property
    def elsewhere(self) -> "Problem":
        """The same with other numbers for sizes and integers, by which what is true for one number only is found."""
        larger = {letter: size + 1 for letter, size in self.sizes.items()}
        return replace(self, sizes=larger, exponent=self.exponent + 1)

    def numbers(self, shape: Shape) -> tuple[int, ...]:
        """A shape with numbers for letters."""
        return tuple(math.prod(int(self.sizes.get(part, part)) for part in str(size).split()) for size in shape)

    @property
    def symbols(self) -> dict[str, Shape]:
        """The shapes of all names, those of integers too."""
        return dict(self.shapes) | {name: () for name in self.integers}

    @cached_property
    def value_shape(self) -> Shape:
        """The shape of the function's value."""
        return infer(self.formula, self.symbols)

    def due(self, layout: Layout) -> Shape:
        """The shape that the derivative has in a layout, in letters."""
        value, variable = (tuple(shape) for shape in (self.value_shape, self.shapes[self.wrt]))
        if layout == "vec":
            return (_times(value), _times(variable))
        # Every axis gets a number of its own, so that where it goes can be read off.
        count = len(value) + len(variable)
        places = layout_shape(tuple(range(2, len(value) + 2)), tuple(range(len(value) + 2, count + 2)), layout)
        return tuple(1 if place == 1 else (value + variable)[place - 2] for place in places)

    def evaluate(
        self, tree: Formula, values: Mapping[str, Any], shape: Sequence[int] | None = None, xp: Any = np
    ) -> Any:
        """A formula in the variables at their values, by NumPy or JAX; NaN where it is no real number."""
        try:
            with np.errstate(all="ignore"):
                value = evaluate(tree, {**values, **self.integers}, sizes=self.sizes, shape=shape, xp=xp)
        except FormulaError:
            raise
        except (ValueError, ArithmeticError):  # by which NumPy and SciPy say that a matrix is singular or infinite
            value = None
        if value is None or np.iscomplexobj(value):
            return np.full(self.numbers(infer(tree, self.symbols)) if shape is None else tuple(shape), np.nan)
        return value

    def claimed(self, claim: Formula, values: Mapping[str, Any], layout: Layout) -> Array:
        """A claimed derivative at values."""
        return self.evaluate(claim, values, self.numbers(self.due(layout)))

    def in_jax_layout(self, claim: Formula, values: Mapping[str, Any], layout: Layout) -> Array:
        """The same with the axes of the value first."""
        value, variable = self.numbers(self.value_shape), self.numbers(self.shapes[self.wrt])
        return from_layout(self.claimed(claim, values, layout), value, variable, layout)

    @cached_property
    def is_restricted(self) -> bool:
        """Whether it has a logarithm or a root, of which not every argument is inside its domain."""
        functions = {node.function for node in t.nodes(self.formula) if isinstance(node, t.Apply)}
        return not functions.isdisjoint(("ln", "sqrt", "ln.", "sqrt."))

    def draw(self, seed: int) -> dict[str, Array]:
        """A random point where the function is finite. FormulaError where none is found."""
        rng = np.random.default_rng(seed)
        first, then = (_principal, _positive) if self.is_restricted else (_general, _principal)
        for attempt in range(DRAWS):
            usual = first if attempt < DRAWS // 2 else then
            values: dict[str, Array] = {}
            for name, shape in self.shapes.items():
                lengths = self.numbers(shape)
                domain = self.where.get(name) or usual(lengths)
                values[name] = np.asarray(domain.sample(rng, lengths), np.float64)
            if np.all(np.isfinite(self.evaluate(self.formula, values))):
                return values
        text = str(self.formula)
        raise FormulaError("no random point was found where this is a finite number", text, 0, len(text))

    @np.errstate(all="ignore")
    def along(self, values: Mapping[str, Array], v: Array) -> Array:
        """The derivative along v, by finite differences of fourth order."""
        x, h = values[self.wrt], STEP * max(1.0, float(np.abs(values[self.wrt]).max()))
        at = {k: self.evaluate(self.formula, {**values, self.wrt: x + k * h * v}) for k in (-2, -1, 1, 2)}
        return np.asarray(at[-2] - 8 * at[-1] + 8 * at[1] - at[2]) / (12 * h)

    def truth(self, values: Mapping[str, Array]) -> Array:
        """The derivative along every axis, in JAX's layout."""
        x = values[self.wrt]
        columns = [self.along(values, v.reshape(x.shape)) for v in np.eye(x.size)]
        return np.stack(columns, -1).reshape((*columns[0].shape, *x.shape))

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function of the arrays: by NumPy for its arrays, so that only what JAX differentiates is compiled.

        It is jitted to say that it is one and the same at every call, so that its programs are kept.
        """

        def f(*args: Any) -> Any:
            xp = np if all(isinstance(a, np.ndarray) for a in args) else jnp
            return self.evaluate(self.formula, dict(zip(self.shapes, args, strict=True)), xp=xp)

        f.__name__ = str(self.formula)
        return jax.jit(f)

    def near(self, values: Mapping[str, Array]) -> Iterator[tuple[str, dict[str, Array]]]:
        """Points that differ in signs or in scale, as far as the domains allow."""

        def changed(change: Callable[[Array], Array], names: Iterable[str]) -> dict[str, Array]:
            new = {name: change(values[name]) for name in names}
            return {**values, **{name: a for name, a in new.items() if self.is_inside(name, a)}}

        for name in values:
            yield "sign", changed(np.negative, [name])
        yield "sign", changed(lambda a: np.concatenate([-a[:1], a[1:]]) if a.ndim else -a, [self.wrt])
        for factor in SCALES:
            yield "scale", changed(lambda a, factor=factor: factor * a, values)

    def is_inside(self, name: str, value: Array) -> bool:
        """Whether a value is in the domain that was declared for the variable, if any was."""
        return name not in self.where or self.where[name].contains(value)

    def direction(self, values: Mapping[str, Array]) -> Array:
        """A random direction in which the variable may move."""
        v = np.random.default_rng(DIRECTION).standard_normal(values[self.wrt].shape)
        domain = self.where.get(self.wrt)
        v = domain.project(v) if domain and domain.is_subspace else v
        return v / np.linalg.norm(v)

    def slope(self, values: Mapping[str, Array]) -> Array:
        """The derivative along a random direction in which the variable may move."""
        return self.along(values, self.direction(values))

    def confirms(self, D: Array, values: Mapping[str, Array]) -> bool | None:
        """Whether this is the derivative, in JAX's layout, along that direction; None where there is none."""
        v = self.direction(values)
        slope = self.along(values, v)
        return same(np.tensordot(D, v, v.ndim), slope) if np.all(np.isfinite(slope)) else None

    @cached_property
    @np.errstate(all="ignore")
    def regularity(self) -> int:
        """2 where the function is smooth and varies, 1 where it is smooth, else 0, as ln |X'X| is of a wide X."""
        try:
            values = self.draw(0)
            slope = np.abs(self.slope(values)).max()
            moved = {**values, self.wrt: values[self.wrt] * (1 + 1e-7)}
            change = np.abs(self.evaluate(self.formula, moved) - self.evaluate(self.formula, values))
        except FormulaError:
            return 0
        size = 1 + np.abs(self.evaluate(self.formula, values)).max()
        if not slope < 1e6 or not change.max() < 1e-4 * size:
            return 0
        return 2 if slope > 1e-6 else 1


def _times(shape: Shape) -> Size:
    """The number of entries, in letters."""
    return reduce(size_product, shape) if shape else 1


def _general(shape: tuple[int, ...]) -> Domain:
    return well_conditioned if len(shape) == 2 else general


def _principal(shape: tuple[int, ...]) -> Domain:
    """Where logarithms and roots are real, of square matrices those of matrices."""
    return with_principal_logarithm if len(shape) == 2 and shape[0] == shape[1] else positive


def _positive(_: tuple[int, ...]) -> Domain:
    return positive


def problem(
    formula: str | Formula,
    wrt: str,
    *,
    shape: Mapping[str, Sequence[Size]] | None = None,
    where: Mapping[str, str | Domain] | None = None,
) -> Problem:
    """A function typed as a formula. FormulaError for what cannot be read or sized, ValueError for wrong options."""
    given = {spelled(name): tuple(sizes) for name, sizes in (shape or {}).items()}
    domains = {spelled(name): each if isinstance(each, Domain) else named(each) for name, each in (where or {}).items()}
    wrt = spelled(wrt)
    names = frozenset(name for name in (*given, *domains, wrt) if len(name) > 1)
    tree = parse(formula, names) if isinstance(formula, str) else formula
    found = variables(tree)
    for name in (*given, *domains, wrt):
        if name not in found.ranks:
            listed = ", ".join(found.ranks) or "none"
            raise ValueError(f"{name} does not occur in {tree} as a variable; its variables are {listed}.")
    for name, domain in domains.items():
        if _is_of_square_matrices(domain) and not found.ranks[name] and name not in given:  # a Σ that is a covariance
            found = replace(found, ranks={**found.ranks, name: 2})
    if any(size == 0 for shape in given.values() for size in shape):
        raise ValueError("A size must be at least 1; got 0.")
    try:
        shapes = deduce(tree, found.ranks, given)
        for name, domain in domains.items():
            if _is_of_square_matrices(domain) and len(shapes[name]) == 2:
                given.setdefault(name, (shapes[name][0], shapes[name][0]))
                shapes = deduce(tree, found.ranks, given)
    except FormulaError as error:
        hint = _hint(str(formula), [name for name, rank in found.ranks.items() if rank == 1 and name not in given])
        raise FormulaError(error.reason + hint, error.text, error.start, error.end) from None
    # A row has the derivative of the column: tables of derivatives do not tell them apart.
    scalars = {name for name, shape in shapes.items() if not shape} | found.integers
    if infer(tree, {**shapes, **dict.fromkeys(found.integers, ())})[:1] == (1,):
        tree = t.transpose(tree, scalars)
    letters = list(dict.fromkeys(size for shape in shapes.values() for size in shape if isinstance(size, str)))
    taken = {size for shape in shapes.values() for size in shape}
    free = [size for size in SIZES if size not in taken][: len(letters) + 1]
    most = max((math.prod(size for size in shape if isinstance(size, int)) for shape in shapes.values()), default=1)
    if most > MOST:
        raise ValueError(f"A variable of {most:,} entries; at most {MOST:,} are tried. Smaller sizes tell as much.")
    best: Problem | None = None
    # Whether A X B is invertible, or Xᵀ X, depends on which of the sizes is the larger.
    for numbers in itertools.islice(itertools.permutations(free, len(letters)), ASSIGNMENTS):
        asked = Problem(tree, wrt, found, shapes, domains, dict(zip(letters, numbers, strict=True)), names)
        if best is None or asked.regularity > best.regularity:
            best = asked
        if best.regularity == 2:
            break
    assert best is not None
    return best


def _hint(text: str, vectors: Sequence[str]) -> str:
    """What may be behind sizes that do not fit: a function that is none, or a scalar."""
    for word in re.findall(r"[A-Za-z]{3,}(?=\()", text):
        if word not in FUNCTIONS and word not in GREEK:
            close = difflib.get_close_matches(word.lower(), FUNCTIONS, 1, 0.5)
            return f". {word} is read as {' '.join(word)}" + (f"; is {close[0]} meant?" if close else "")
    said = ", ".join(f"{name}=scalar" for name in vectors)
    return f". A lower-case letter is a vector, unless it is said to be a scalar: {said}" if said else ""


def spelled(name: str) -> str:
    """The name as formulas have it: lambda and \\lambda are λ."""
    return GREEK.get(name.strip().removeprefix("\\"), name.strip())


def _is_of_square_matrices(domain: Domain) -> bool:
    return not domain.contains(np.eye(3, 2) + 0.5)


@dataclass(frozen=True, eq=False, repr=False)
class FormulaReport:
    """What was found about a derivative typed as a formula. Print it; `ok` says whether it is right.

    `asked` is the function, with the shapes of its variables, in letters where the formula leaves sizes free, and the
    numbers that were tried for them; `layout` is the one in which the claim was read, and `report` that of
    `check_gradient`, None where the shapes of the claim do not fit. `certificate` are the digits in which the claim
    agrees with a difference quotient in ball arithmetic, or why there are none; None where nobody asked.
    """

    verdict: Verdict
    cause: Cause | None
    asked: Problem
    claim: Formula
    layout: Layout
    report: Report | None
    style: Style = "unicode"
    certificate: float | str | None = None

    @property
    def ok(self) -> bool:
        """Whether the claim is right."""
        return self.verdict in ("pass", "autodiff-wrong")

    def as_dict(self) -> dict[str, Any]:
        """All of it in terms of JSON."""
        numbers = self.report.as_dict() if self.report else {}
        return {
            "schema": 1,
            "verdict": self.verdict,
            "cause": self.cause and asdict(self.cause),
            "formula": str(self.asked.formula),
            "wrt": self.asked.wrt,
            "claim": str(self.claim),
            "layout": self.layout,
            "certificate": self.certificate,
            "shapes": {name: [str(size) for size in shape] for name, shape in self.asked.shapes.items()},
            "sizes": dict(self.asked.sizes),
            **{key: numbers.get(key) for key in ("dtype", "seed", "errors", "tolerance", "condition")},
        }

    def __str__(self) -> str:
        f, claim, wrt = show(self.asked.formula, self.style), show(self.claim, self.style), self.asked.wrt
        said = {
            "pass": f"the derivative of {f} by {wrt} is {claim}",
            "autodiff-wrong": f"the derivative of {f} by {wrt} is {claim}, and JAX's is wrong",
            "fail": f"{claim} is not the derivative of {f} by {wrt}",
            "inconclusive": f"whether the derivative of {f} by {wrt} is {claim}",
        }
        lines = [f"{self.verdict}: {said[self.verdict]}, in {self.layout} layout"]
        lines += [str(self.cause)] if self.cause else []
        lines.append(shapes_in_words(self.asked.shapes, self.asked.sizes))
        if self.report:
            errors = ", ".join(f"{error:.0e} against {name}" for name, error in self.report.errors.items())
            lines.append(f"errors in {self.report.dtype}: {errors}; tolerance {self.report.tolerance:.0e}")
        match self.certificate:
            case None:
                pass
            case str(reason):
                lines.append(f"not certified: {reason}")
            case digits:
                lines.append(f"in ball arithmetic it agrees with a difference quotient to {digits:.0f} digits")
        return "\n".join(lines)

    __repr__ = __str__


def shapes_in_words(shapes: Mapping[str, Shape], sizes: Mapping[str, int]) -> str:
    """Every variable with its shape, and the numbers that stand for letters."""
    words = [f"{name} {'×'.join(map(str, shape)) if shape else 'a scalar'}" for name, shape in shapes.items()]
    tried = f", at {', '.join(f'{letter}={size}' for letter, size in sizes.items())}" if sizes else ""
    return f"with {', '.join(words)}{tried}"


def check_formula(
    formula: str | Formula,
    claim: str | Formula,
    *,
    wrt: str,
    layout: AskedLayout = "either",
    shape: Mapping[str, Sequence[Size]] | None = None,
    where: Mapping[str, str | Domain] | None = None,
    dtype: Literal["float32", "float64"] = "float64",
    seed: int = 0,
    certify: bool = False,
) -> FormulaReport:
    """Check a derivative typed as a formula, and say what is wrong with it.

    >>> from matcalc import check_formula
    >>> check_formula("tr(A X B X' C)", "B X' C A + B' X' A' C'", wrt="X").verdict
    'pass'

    Both are read by `matcalc.formula.parse`: ASCII, Unicode and TeX. Capitals are matrices, lower-case letters vectors,
    Greek letters scalars; `shape` says otherwise, {"c": (), "A": (3, "n")}. Sizes are found from the formula, and those
    that it leaves free are given distinct numbers. `layout="either"` takes the claim in numerator or denominator
    layout, whichever fits (of matrices by matrices, in that of vec); a row counts as a column, as in the tables.
    `where` names the domain of variables, {"A": "symmetric"}; by a variable with a domain, derivatives are compared
    along the directions inside it. The claim is judged at a random point as by `check_gradient`, and has to hold where
    signs, scales, sizes and integers are others too. With `certify` it is also judged in ball arithmetic, where what is
    right only in the digits of the dtype fails.

    Raises FormulaError, which points at the place, for what cannot be read or sized, and for a claim that has no shape
    of such a derivative; ValueError for options that make no sense; with `certify` ImportError without python-flint.
    """
    from matcalc.claims.causes import explain

    if layout not in ASKED:
        raise ValueError(f"layout must be one of {', '.join(ASKED)}; got {layout!r}.")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}.")
    asked = problem(formula, wrt, shape=shape, where=where)
    text = claim if isinstance(claim, str) else str(claim)
    tree = parse(claim, asked.names) if isinstance(claim, str) else claim
    extra = [name for name in variables(tree).ranks if name not in asked.symbols and name not in asked.sizes]
    if extra:
        known = ", ".join(asked.symbols)
        raise FormulaError(f"{extra[0]} is not in the function, which has {known}", text, max(text.find(extra[0]), 0))
    values = asked.draw(seed)
    style: Style = "tex" if "\\" in text else "ascii" if text.isascii() else "unicode"
    try:
        chosen = _layout(asked, tree, values, layout)
    except FormulaError as misfit:
        for each in candidates(asked, layout):
            if cause := explain(asked, tree, each, layout, style, seed):
                cause = replace(cause, text=f"{cause.text} As it stands, the shapes do not fit: {misfit.reason}.")
                return FormulaReport("fail", cause, asked, tree, each, None, style)
        raise

    def in_its_terms(evidence: Evidence, look: Look, wrong: Comparison) -> Cause:
        del evidence, look
        if (error := max(wrong.errors)) < DIGITS:
            return _digits(error)
        unknown = f"It is off by {error:.1e}, and no single change in it is right."
        return explain(asked, tree, chosen, layout, style, seed) or Cause("unknown", unknown)

    given = {name: value.astype(dtype) for name, value in values.items()}
    report = judge_claim(asked, tree, chosen, given, in_its_terms, seed)
    found = FormulaReport(report.verdict, report.cause, asked, tree, chosen, report, style)
    if found.ok and (cause := _refuted_elsewhere(asked, tree, chosen, values, seed)):
        found = replace(found, verdict="fail", cause=cause)
    if not certify:
        return found
    from matcalc.claims.certificate import certify_claim

    try:
        digits = certify_claim(asked, tree, chosen, values, seed)
    except FormulaError as error:
        return replace(found, certificate=error.reason)
    if found.verdict == "pass" and digits < CERTAIN:
        found = replace(found, verdict="fail", cause=_digits(10**-digits))
    return replace(found, certificate=digits)


def _digits(error: float) -> Cause:
    text = f"It is the derivative to {-math.log10(error):.0f} digits only."
    return Cause("digits", text, "Is there a rounded number in it?")


def is_approximated(asked: Problem, claim: Formula) -> bool:
    """Whether there are functions of matrices, which libraries compute to fewer digits than products."""
    nodes = (*t.nodes(asked.formula), *t.nodes(claim))
    return any(isinstance(node, t.Apply) and node.function in MATRIX_FUNCTIONS for node in nodes)


def judge_claim(
    asked: Problem, claim: Formula, layout: Layout, values: Mapping[str, Array], explain: Explain, seed: int = 0
) -> Report:
    """What the referee says of a claimed derivative at a point; `explain` names the cause of what is wrong."""
    names = list(asked.shapes)

    def gradient(*args: Any) -> Array:
        return asked.claimed(claim, dict(zip(names, args, strict=True)), layout)

    domains: dict[int | str, Domain | str] = {names.index(name): domain for name, domain in asked.where.items()}
    point, place = tuple(values[name] for name in names), names.index(asked.wrt)
    with settings("highest"), np.errstate(all="ignore"):
        subject = Subject(
            asked.function, point, place, domains or None, "derivative", 1, seed, is_hasty=True, by="numpy"
        )
        report = judged(Evidence(Runs(subject, gradient, layout=layout, precision="highest", platform=None)), explain)
    # The referee forgives what library functions may be off by, and here nothing else is forgiven.
    error = report.errors.get("autodiff", 0.0)
    if report.verdict == "pass" and error > report.tolerance and not is_approximated(asked, claim):
        return replace(report, verdict="fail", cause=_digits(error))
    return report


def _refuted_elsewhere(
    asked: Problem, claim: Formula, layout: Layout, values: Mapping[str, Array], seed: int
) -> Cause | None:
    """Why a claim that is right at a point is not right at others, with other numbers, signs or sizes, if so."""
    other = asked.elsewhere
    numbers = ", ".join(f"{name} = {number}" for name, number in {**asked.sizes, **asked.integers}.items())
    causes = {
        "special": Cause("special", f"True only for {numbers}.", "A number in it should be one of these letters."),
        "sign": Cause("special", "True at some points only: where signs are others, it is wrong."),
        "scale": Cause("special", "True where both are flat to rounding, and wrong nearer to 0."),
    }
    points = [(asked, kind, point) for kind, point in asked.near(values)]
    with contextlib.suppress(FormulaError):
        points.append((other, "special", other.draw(seed)))
    for problem, kind, point in points:
        cause = causes[kind]
        try:
            D = problem.in_jax_layout(claim, point, layout)
        except FormulaError:
            return cause
        # Differences are quick, and the referee has the last word.
        if problem.confirms(D, point) is False:
            report = judge_claim(problem, claim, layout, point, lambda *_, cause=cause: cause, seed)
            if report.verdict == "fail":
                return cause
    return None


def candidates(asked: Problem, layout: AskedLayout) -> tuple[Layout, ...]:
    """The layouts in which a claim may be read."""
    if layout != "either":
        return (layout,)
    axes = len(asked.value_shape) + len(asked.shapes[asked.wrt])
    return ("vec",) if axes > 2 else ("denominator", "numerator")


def _layout(asked: Problem, claim: Formula, values: Mapping[str, Array], layout: AskedLayout) -> Layout:
    """The layout in which the claim is right or, if it is in none, in which it has a shape."""
    # A direction that leaves domains too: inside that of symmetric matrices, layouts do not differ.
    v = np.random.default_rng(DIRECTION).standard_normal(values[asked.wrt].shape)
    slope = asked.along(values, v)
    fitting: list[Layout] = []
    failure: FormulaError | None = None
    for each in candidates(asked, layout):
        try:
            D = asked.in_jax_layout(claim, values, each)
        except FormulaError as error:
            failure = failure or _named(asked, claim, each, error)
            continue
        fitting.append(each)
        if same(np.tensordot(D, v, v.ndim), slope):
            return each
    if not fitting:
        assert failure is not None
        raise failure
    return fitting[0]


def _named(asked: Problem, claim: Formula, layout: Layout, error: FormulaError) -> FormulaError:
    """What is wrong with the shapes of a claim, in letters."""
    try:
        got = infer(claim, asked.symbols)
    except FormulaError as inner:
        return inner
    text = str(claim)
    ways = " and ".join(f"{_shape(asked.due(each))} in {each} layout" for each in LAYOUTS[1:3])
    message = f"the claim is {_shape(got)}; the derivative of {asked.formula} by {asked.wrt} is {ways}"
    return FormulaError(message, text, 0, len(text)) if got != asked.due(layout) else error


def _shape(shape: Iterable[Size]) -> str:
    sizes = [str(size).replace(" ", "") for size in shape]
    return "×".join(sizes) if len(sizes) > 1 else f"{sizes[0]}×1" if sizes else "a scalar"


def same(one: Array, other: Array, tolerance: float = SAME) -> bool:
    """Whether two arrays are equal up to what finite differences can tell."""
    if one.shape != other.shape or not np.all(np.isfinite(one)):
        return False
    return bool(
        np.linalg.norm(one - other) <= tolerance * max(np.linalg.norm(other), 1e-3 * np.linalg.norm(one), 1e-12)
    )
