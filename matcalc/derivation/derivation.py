"""`matcalc.derive`: the derivative of a formula, verified before it is given."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, overload

from matcalc.calculus import Algebra, Derivative, NotDerivable, written
from matcalc.calculus.layouts import arranged, natural
from matcalc.calculus.terms import dims_of
from matcalc.claims.check import check_formula
from matcalc.claims.derived import derived, facts_of
from matcalc.claims.problem import Problem
from matcalc.claims.reading import Domains, Shapes, read_problem, variables_of
from matcalc.claims.report import FormulaReport, shapes_in_words
from matcalc.claims.threads import one_thread
from matcalc.claims.verification import Verified, verify, with_names
from matcalc.derivation.conditions import conditions
from matcalc.derivation.lefts import derivative_of, differential_of
from matcalc.derivation.moved import meant, with_derivatives
from matcalc.derivation.steps import Step, steps
from matcalc.formula import Formula
from matcalc.formula.parser import name_of
from matcalc.formula.sizes import shape_of_array
from matcalc.layout import Layout

Order = Literal[1, 2]


@dataclass(frozen=True, eq=False, repr=False)
class Derivation:
    """A derivative that was derived by rules and verified. Print it; `formula` is the derivative.

    `asked` is the function as it was read, `wrt` are the variables in the order of differentiation, `found` the
    derivatives by the first and by all of them, `verified` says who agreed.
    """

    asked: Problem
    wrt: tuple[str, ...]
    stages: tuple[Problem, ...]  # of which each is differentiated by one variable more
    found: tuple[Derivative, ...]
    verified: Verified
    seconds: float
    moved: tuple[str, ...] = ()  # variables that are functions of the first of `wrt`

    @property
    def last(self) -> Problem:
        """The function that is differentiated last: f itself, or its gradient."""
        return self.stages[-1]

    @cached_property
    def algebra(self) -> Algebra:
        """The rules for these variables."""
        names = {name: dims_of(shape) for name, shape in self.asked.symbols.items()}
        return Algebra(names, facts_of(self.asked))

    @property
    def natural(self) -> Layout:
        """The layout of `formula`: JAX's, or vec of what has more than two axes."""
        return natural(dims_of(self.last.value_shape), dims_of(self.last.shapes[self.wrt[-1]]))

    @property
    def is_closed(self) -> bool:
        """Whether there is a formula for the derivative, and not for the differential only."""
        return self.found[-1].formula is not None

    @property
    def formula(self) -> Formula:
        """The derivative: a gradient in the shape of the variable, a Jacobian with a row for every entry of f.

        Where only the differential has a closed form, it is that.
        """
        return self.layout(self.natural) if self.is_closed else self.differential

    def layout(self, layout: Layout) -> Formula:
        """The derivative in a layout. ValueError where it has more than two axes, which no formula has.

        NotDerivable where only the differential has a closed form.
        """
        tree = self.sized(layout)
        return written(tree, self.algebra.names, self.last.due(layout))

    def sized(self, layout: Layout) -> Formula:
        """The derivative in a layout, whose constants carry their sizes, as the code of it needs them."""
        if not self.is_closed:
            raise NotDerivable(f"Only the differential has a closed form: {self.found[-1].reason}.")
        value, variable = (dims_of(s) for s in (self.last.value_shape, self.last.shapes[self.wrt[-1]]))
        return arranged(self.algebra, self.found[-1], value, variable, layout)

    @property
    def differential(self) -> Formula:
        """dF, linear in the differential of the variable that is differentiated by last."""
        found, x = self.found[-1], self.wrt[-1]
        names = {**self.algebra.names, f"d{x}": self.algebra.names[x]}
        return with_names(written(found.differential, names, self.last.value_shape))

    @property
    def conditions(self) -> tuple[str, ...]:
        """What must hold for the formula to have a value, beyond what was declared."""
        last = self.found[-1]
        return conditions(last.differential if last.formula is None else last.formula, self.algebra)

    def check(self, **options: Any) -> FormulaReport:
        """The derivative as a claim before the whole referee; options are those of `matcalc.check_formula`."""
        where = {name: domain for name, domain in self.last.where.items()}
        return check_formula(
            self.last.formula, self.formula, wrt=self.wrt[-1], layout=self.natural, shape=self.last.shapes, where=where,
            **options,
        )  # fmt: skip

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The way there, line by line, each by a rule and compared with finite differences."""
        return steps(self.algebra, self.stages, self.found, self.moved)

    def as_dict(self, layout: Layout | None = None) -> dict[str, Any]:
        """All of it in terms of JSON, the derivative in a layout."""
        layout = layout or self.natural
        return {
            "schema": 1,
            "formula": str(self.asked.formula),
            "wrt": self.wrt[0] if len(set(self.wrt)) == 1 else list(self.wrt),
            "order": len(self.wrt),
            "layout": layout,
            "derivative": str(self.layout(layout)) if self.is_closed else None,
            "differential": str(self.differential),
            "conditions": list(self.conditions),
            "read": list(self.asked.notes),
            "shapes": {name: [str(size) for size in shape] for name, shape in self.asked.shapes.items()},
            "steps": [{"rule": step.rule, "text": step.text, "tex": step.tex} for step in self.steps],
            "verified": {
                "witnesses": list(self.verified.witnesses),
                "error": self.verified.error,
                "digits": self.verified.digits,
            },
            "seconds": self.seconds,
        }

    def text(self, layout: Layout | None = None) -> str:
        """What is printed, in a layout."""
        if self.is_closed:
            layout = layout or self.natural
            lines = [f"{derivative_of(self.asked.formula, self.wrt)} = {self.layout(layout)}", f"in {layout} layout"]
        else:
            lines = [f"{differential_of(self.last.formula)} = {self.differential}"]
            lines.append(f"No formula has the derivative itself: {self.found[-1].reason}.")
        lines += [f"where {', '.join(self.conditions)}"] if self.conditions else []
        if self.asked.notes:
            lines.append(f"read as {self.asked.formula}: {', '.join(self.asked.notes)}")
        lines.append(shapes_in_words(self.asked.shapes, {}))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        left = derivative_of(self.asked.formula, self.wrt, "tex")
        return f"$${left if self.is_closed else differential_of(self.last.formula, 'tex')} = {self.formula.tex()}$$"


@dataclass(frozen=True, eq=False, repr=False)
class Derivations(Mapping[str, Derivation]):
    """The derivatives of a function by each of its variables, by name."""

    by_name: Mapping[str, Derivation]

    def __getitem__(self, name: str) -> Derivation:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.by_name.values()))

    __repr__ = __str__


@overload
def derive(
    formula: str | Formula,
    wrt: str | Sequence[str],
    *,
    order: Order | None = None,
    shape: Shapes = None,
    where: Domains = None,
    let: Sequence[str] = (),
    functions: Sequence[str] = (),
    moved: Sequence[str] = (),
) -> Derivation: ...


@overload
def derive(
    formula: str | Formula,
    wrt: None = None,
    *,
    order: Order | None = None,
    shape: Shapes = None,
    where: Domains = None,
    let: Sequence[str] = (),
    functions: Sequence[str] = (),
    moved: Sequence[str] = (),
) -> Derivations: ...


def derive(
    formula: str | Formula,
    wrt: str | Sequence[str] | None = None,
    *,
    order: Order | None = None,
    shape: Shapes = None,
    where: Domains = None,
    let: Sequence[str] = (),
    functions: Sequence[str] = (),
    moved: Sequence[str] = (),
) -> Derivation | Derivations:
    """Derive the derivative of a formula by rules, verify it, and give it as short as it can be written.

    >>> from matcalc import derive
    >>> print(derive("tr(A X B X' C)", wrt="X").layout("numerator"))
    B Xᵀ C A + Bᵀ Xᵀ Aᵀ Cᵀ

    The formula is read as `check_formula` reads it, with the same `shape`, `where` and `let`. Without `wrt` the
    derivatives by all variables come back, by name. `order=2` gives the Hessian, and two names in `wrt` the mixed
    second derivative. `functions` names those that stand for any smooth one, ["g"], and `moved` variables that are
    functions of `wrt`, ["U", "V"], whose derivatives are printed as ∂_xU. Raises FormulaError for what cannot be read
    or sized, ValueError for options without sense, NotDerivable (a ValueError) where the language has no closed form,
    with the operation, and Disagreement where the witnesses say that the rules went wrong. Source: Magnus and
    Neudecker, Matrix Differential Calculus, chapters 8 to 10.
    """
    if order not in (None, 1, 2):
        raise ValueError(f"order must be 1 or 2; got {order!r}.")
    options: dict[str, Any] = {"shape": shape, "where": where, "let": let, "functions": functions}
    with one_thread():
        if wrt is None:
            return _by_all(formula, order or 1, options)
        names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        if len(names) not in (1, 2) or (len(names) == 2 and order == 1):
            raise ValueError(f"A derivative is by one variable, or of order 2 by two; got {', '.join(names)}.")
        if moved and (order == 2 or len(names) == 2):
            raise ValueError("With variables that move along, order must be 1.")
        return _derive(formula, names * 2 if order == 2 and len(names) == 1 else names, options, tuple(moved))


def _by_all(formula: str | Formula, order: Order, options: dict[str, Any]) -> Derivations:
    """The derivatives by every variable. NotDerivable where there is none by any."""
    found: dict[str, Derivation] = {}
    reasons: list[str] = []
    for name in variables_of(formula, **options):
        try:
            found[name] = _derive(formula, (name,) * order, options)
        except NotDerivable as reason:
            reasons.append(f"by {name}: {reason}")
    if not found:
        raise NotDerivable("; ".join(reasons) or f"{formula} has no variables.")
    return Derivations(found)


def _derive(
    formula: str | Formula, wrt: tuple[str, ...], options: dict[str, Any], moved: tuple[str, ...] = ()
) -> Derivation:
    """The derivative by one variable after the other."""
    started = time.perf_counter()
    asked = read_problem(formula, wrt[0], may_be_absent=True, **options)
    chain = tuple(asked.wrt if name == wrt[0] else name_of(name) for name in wrt)
    for name in chain:
        if name not in asked.shapes:
            listed = ", ".join(asked.shapes)
            raise ValueError(f"{name} does not occur in {asked.formula} as a variable; its variables are {listed}.")
    moved = tuple(name_of(name) for name in moved)
    asked = with_derivatives(asked, moved)
    found = derived(asked, chain, moved)
    if len(found) < len(chain):
        raise NotDerivable(f"Only the differential of the first derivative has a closed form: {found[-1].reason}.")
    derivation = Derivation(asked, chain, _stages(asked, chain, found), tuple(found), Verified((), 0.0), 0.0, moved)
    return replace(derivation, verified=_verified(derivation), seconds=time.perf_counter() - started)


def _stages(asked: Problem, chain: Sequence[str], found: Sequence[Derivative]) -> tuple[Problem, ...]:
    """The function, and its gradient as a function of the next variable."""
    stages = [asked]
    for each, name in zip(found, chain[1:], strict=False):
        assert each.formula is not None
        names = {key: dims_of(shape) for key, shape in asked.symbols.items()}
        gradient = written(each.formula, names, shape_of_array(each.dims))
        stages.append(replace(asked, formula=gradient, wrt=name))
    return tuple(stages)


def _verified(derivation: Derivation) -> Verified:
    """What the witnesses say of every stage; NotDerivable where there are none."""
    said: list[Verified] = []
    for count, stage in enumerate(derivation.stages, 1):
        until = replace(
            derivation, wrt=derivation.wrt[:count], stages=derivation.stages[:count], found=derivation.found[:count]
        )
        claim = meant(until.formula, stage, derivation.moved)
        moving = replace(stage, formula=meant(stage.formula, stage, derivation.moved)) if derivation.moved else stage
        verdict = verify(moving, claim, until.natural if until.is_closed else "jax")
        if verdict is None:
            raise NotDerivable(f"No point was found at which the derivative of {stage.formula} could be verified.")
        said.append(verdict)
    digits = [each.digits for each in said if each.digits is not None]
    lowest = min(digits) if len(digits) == len(said) else None
    return Verified(said[-1].witnesses, max(each.error for each in said), lowest)
