"""What comes of a derivation: the derivative in every layout, the way there, and who verified it."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from matcalc.calculus import Algebra, Derivative, NotDerivable, written
from matcalc.calculus.layouts import natural
from matcalc.calculus.terms import dims_of
from matcalc.catalogue import Identity
from matcalc.claims.check import check_formula
from matcalc.claims.derived import algebra_of, in_layout
from matcalc.claims.problem import Problem
from matcalc.claims.report import FormulaReport, shapes_in_words
from matcalc.claims.verification import Verified, with_names
from matcalc.derivation.code import CODE_LANGUAGES, code_of
from matcalc.derivation.conditions import conditions
from matcalc.derivation.declared import function_of_arrays, identity_of
from matcalc.derivation.lefts import derivative_of, differential_of
from matcalc.derivation.naming import equations
from matcalc.derivation.steps import Step, steps
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.layout import Layout


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
        return algebra_of(self.asked)

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
        is_independent = self.asked.is_independent
        return in_layout(self.algebra, self.found[-1], value, variable, layout, is_independent=is_independent)

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
        last = self.last
        given: dict[str, Any] = {"shape": last.shapes, "where": dict(last.where), "functions": last.functions}
        given |= {"convention": "independent"} if last.is_independent else {}
        return check_formula(last.formula, self.formula, wrt=self.wrt[-1], layout=self.natural, **given, **options)

    @property
    def moving(self) -> str:
        """How the entries of a symmetric variable move, where it is one."""
        x = self.wrt[-1]
        if self.asked.is_independent:
            return f"by the independent entries of a symmetric {x}"
        if not self.algebra.is_(t.Name(x), "symmetric"):
            return ""
        return f'by all entries of a symmetric {x}, each alone; convention="independent" is by those of one triangle'

    @property
    def left(self) -> str:
        """What stands before the equals sign: ∂/∂X f."""
        return derivative_of(self.asked.formula, self.wrt)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The way there, line by line, each by a rule and compared with finite differences."""
        lines = steps(self.algebra, self.stages, self.found, self.moved)
        if self.asked.is_independent:
            lines += (Step("by independent entries: G + Gᵀ - G ⊙ I", self.formula),)
        return lines

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
            "read": [*self.asked.notes, *filter(None, [self.moving])],
            "shapes": {name: [str(size) for size in shape] for name, shape in self.asked.shapes.items()},
            "steps": [{"rule": step.rule, "text": step.text, "tex": step.tex} for step in self.steps],
            "code": self._codes(layout),
            "verified": {
                "witnesses": list(self.verified.witnesses),
                "error": self.verified.error,
                "digits": self.verified.digits,
            },
            "seconds": self.seconds,
        }

    def _codes(self, layout: Layout) -> dict[str, str]:
        """The code in every language that has words for all that is in it."""
        found: dict[str, str] = {}
        for language in CODE_LANGUAGES:
            with contextlib.suppress(NotDerivable):
                found[language] = self.code(language, layout)
        return found

    def text(self, layout: Layout | None = None) -> str:
        """What is printed, in a layout."""
        if self.is_closed:
            layout = layout or self.natural
            numbers = {*self.last.integers, *self.last.sizes}
            lines = equations(self.left, self.layout(layout), self.last.symbols, numbers)
            lines.append(f"in {layout} layout")
            lines += [] if self.found[-1].is_factored else ["It has too many terms to look for all common factors."]
        else:
            lines = [f"{differential_of(self.last.formula)} = {self.differential}"]
            lines.append(f"No formula has the derivative itself: {self.found[-1].reason}.")
        lines += [f"where {', '.join(self.conditions)}"] if self.conditions else []
        lines += [self.moving] if self.moving else []
        if self.asked.notes:
            lines.append(f"read as {self.asked.formula}: {', '.join(self.asked.notes)}")
        lines.append(shapes_in_words(self.asked.shapes, {}, self.asked.functions))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        left = derivative_of(self.asked.formula, self.wrt, "tex")
        return f"$${left if self.is_closed else differential_of(self.last.formula, 'tex')} = {self.formula.tex()}$$"
