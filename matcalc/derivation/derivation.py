"""`matcalc.derive`: the derivative of a formula, verified before it is given."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from matcalc.calculus import Algebra, Derivative, NotDerivable, written
from matcalc.calculus.terms import dims_of
from matcalc.catalogue import Identity
from matcalc.claims.check import check_formula
from matcalc.claims.derived import derived, facts_of
from matcalc.claims.problem import Problem
from matcalc.claims.reading import Domains, Shapes, read_problem
from matcalc.claims.report import FormulaReport, shapes_in_words
from matcalc.claims.threads import one_thread
from matcalc.derivation.code import code_of
from matcalc.derivation.conditions import conditions
from matcalc.derivation.declared import function_of_arrays, identity_of
from matcalc.derivation.layouts import arranged, natural
from matcalc.derivation.naming import equations
from matcalc.derivation.verification import Verified, verify
from matcalc.formula import Formula
from matcalc.formula.sizes import shape_of_array
from matcalc.layout import Layout

ORDERS = (1, 2)


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
    def formula(self) -> Formula:
        """The derivative: a gradient in the shape of the variable, a Jacobian with a row for every entry of f."""
        return self.layout(self.natural)

    def layout(self, layout: Layout) -> Formula:
        """The derivative in a layout. ValueError where it has more than two axes, which no formula has."""
        tree = self.sized(layout)
        return written(tree, self.algebra.names, self.last.due(layout))

    def sized(self, layout: Layout) -> Formula:
        """The derivative in a layout, whose constants carry their sizes, as the code of it needs them."""
        value, variable = (dims_of(s) for s in (self.last.value_shape, self.last.shapes[self.wrt[-1]]))
        return arranged(self.algebra, self.found[-1], value, variable, layout)

    @property
    def differential(self) -> Formula:
        """dF, linear in the differential of the variable that is differentiated by last."""
        return written(self.found[-1].differential, self.algebra.names, self.last.value_shape)

    @property
    def conditions(self) -> tuple[str, ...]:
        """What must hold for the formula to have a value, beyond what was declared."""
        return conditions(self.sized(self.natural), self.algebra)

    def code(self, language: str, layout: Layout | None = None, name: str = "derivative") -> str:
        """The derivative as code: "jax", "numpy", "torch", "tex", or "identity", a declaration for the catalogue.

        A function has the variables for arguments, in their order, vectors as arrays of one axis, and gives an array in
        the `layout`. ValueError for another language, layout or name.
        """
        return code_of(self, language, layout, name)

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The derivative in JAX's layout as a function of JAX arrays, its products in the cheapest order.

        `jit`, `vmap` and `grad` work on it. Integers are Python's. ValueError and TypeError for arguments that do not
        fit.
        """
        return function_of_arrays(self)

    def identity(self, name: str = "derived") -> Identity[Any]:
        """An identity that no catalogue has: the function, whose derivative by the variable is this closed form.

        Layouts, `plan`, `sample` and `check` come with it. Of a mixed second derivative it is the first derivative by
        the second variable.
        """
        return identity_of(self, name)

    def check(self, **options: Any) -> FormulaReport:
        """The derivative as a claim before the whole referee; options are those of `matcalc.check_formula`."""
        where = {name: domain for name, domain in self.last.where.items()}
        return check_formula(
            self.last.formula, self.formula, wrt=self.wrt[-1], layout=self.natural, shape=self.last.shapes, where=where,
            **options,
        )  # fmt: skip

    @property
    def left(self) -> str:
        """What is derived, as it stands before the equals sign."""
        by = "".join(f"∂{name}" for name in self.wrt)
        power = "²" if len(self.wrt) == 2 else ""
        if len(self.wrt) == 2 and self.wrt[0] == self.wrt[1]:
            by = f"∂{self.wrt[0]}²"
        return f"∂{power}/{by} {self.asked.formula.show('unicode')}"

    def __str__(self) -> str:
        numbers = {*self.last.integers, *self.last.sizes}
        lines = [*equations(self.left, self.formula, self.last.symbols, numbers), f"in {self.natural} layout"]
        lines += [f"where {', '.join(self.conditions)}"] if self.conditions else []
        if self.asked.notes:
            lines.append(f"read as {self.asked.formula}: {', '.join(self.asked.notes)}")
        lines.append(shapes_in_words(self.asked.shapes, {}))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return f"$${self.formula.tex()}$$"


def derive(
    formula: str | Formula,
    wrt: str | Sequence[str],
    *,
    order: Literal[1, 2] = 1,
    shape: Shapes = None,
    where: Domains = None,
    let: Sequence[str] = (),
) -> Derivation:
    """Derive the derivative of a formula by rules, verify it, and give it as short as it can be written.

    >>> from matcalc import derive
    >>> print(derive("tr(A X B X' C)", wrt="X").layout("numerator"))
    B Xᵀ C A + Bᵀ Xᵀ Aᵀ Cᵀ

    The formula is read as `check_formula` reads it, with the same `shape`, `where` and `let`. `order=2` gives the
    Hessian, and two names in `wrt` the mixed second derivative. Raises FormulaError for what cannot be read or sized,
    ValueError for options without sense, NotDerivable (a ValueError) where the language has no closed form, with the
    operation, and Disagreement where the witnesses say that the rules went wrong. Source: Magnus and Neudecker, Matrix
    Differential Calculus, chapters 8 to 10.
    """
    started = time.perf_counter()
    names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
    if order not in ORDERS or len(names) not in ORDERS:
        raise ValueError(f"order must be 1 or 2, with at most two variables; got order={order!r} by {names}.")
    names = names * 2 if order == 2 and len(names) == 1 else names
    with one_thread():
        asked = read_problem(formula, names[0], shape=shape, where=where, let=let)
        chain = (asked.wrt, *names[1:]) if names[0] != names[-1] else (asked.wrt,) * len(names)
        for name in chain:
            if name not in asked.shapes:
                raise ValueError(
                    f"{name} does not occur in {asked.formula}; its variables are {', '.join(asked.shapes)}."
                )
        found = derived(asked, chain)
        if (reason := found[-1].reason) or len(found) < len(chain):
            raise NotDerivable(f"Only the differential has a closed form: {found[-1].reason or reason}.")
        derivation = Derivation(asked, chain, _stages(asked, chain, found), tuple(found), Verified((), 0.0), 0.0)
        verified = _verified(derivation)
    return replace(derivation, verified=verified, seconds=time.perf_counter() - started)


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
        verdict = verify(stage, until.formula, until.natural)
        if verdict is None:
            raise NotDerivable(f"No point was found at which the derivative of {stage.formula} could be verified.")
        said.append(verdict)
    digits = [each.digits for each in said]
    return Verified(
        said[-1].witnesses, max(each.error for each in said), None if None in digits else min(d for d in digits if d)
    )
