"""What was found about a derivative typed as a formula."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from matcalc.claims.causes.search import Mended
from matcalc.claims.derived import right_derivative
from matcalc.claims.problem import Problem, Shape
from matcalc.formula import Formula
from matcalc.formula.tree import Style
from matcalc.layout import Layout
from matcalc.referee import Cause, Report, Verdict


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

    @cached_property
    def derivative(self) -> Formula | None:
        """The derivative, where it is known: the claim if that is right, or what the cause or the rules give."""
        if self.ok:
            return self.claim
        if isinstance(self.cause, Mended) and self.cause.derivative is not None:
            return self.cause.derivative
        is_differential = self.asked.is_differential(self.claim)
        return None if is_differential else right_derivative(self.asked, self.layout)

    @property
    def what(self) -> str:
        """What was asked for, in words: the derivative of f by X."""
        return f"{self.asked.what} of {self.asked.formula.show(self.style)} by {self.asked.wrt}"

    @property
    def manner(self) -> str:
        """How it is written, in words, to stand behind it."""
        if self.asked.is_differential(self.claim):
            return f", as a {'second ' * (self.asked.order - 1)}differential"
        if self.asked.order == 1:
            return f", in {self.layout} layout"
        return f", by vec({self.asked.wrt})" if self.layout == "vec" else ""

    def as_dict(self) -> dict[str, Any]:
        """All of it in terms of JSON."""
        numbers = self.report.as_dict() if self.report else {}
        return {
            "schema": 1,
            "verdict": self.verdict,
            "cause": self.cause and {key: getattr(self.cause, key) for key in ("name", "text", "remedy")},
            "derivative": None if self.derivative is None else str(self.derivative),
            "formula": str(self.asked.formula),
            "wrt": self.asked.wrt,
            "order": self.asked.order,
            "claim": str(self.claim),
            "layout": self.layout,
            "convention": "independent" if self.asked.is_independent else "full",
            "certificate": self.certificate,
            "read": list(self.asked.notes),
            "shapes": {name: [str(size) for size in shape] for name, shape in self.asked.shapes.items()},
            "sizes": dict(self.asked.sizes),
            "functions": dict(self.asked.functions),
            **{key: numbers.get(key) for key in ("dtype", "seed", "errors", "tolerance", "condition")},
        }

    def __str__(self) -> str:
        claim, what = self.claim.show(self.style), self.what
        said = {
            "pass": f"{what} is {claim}",
            "autodiff-wrong": f"{what} is {claim}, and JAX's is wrong",
            "fail": f"{claim} is not {what}",
            "inconclusive": f"whether {what} is {claim}",
        }
        how = f", by the independent entries of a symmetric {self.asked.wrt}" if self.asked.is_independent else ""
        lines = [f"{self.verdict}: {said[self.verdict]}{self.manner}{how}"]
        lines += [str(self.cause)] if self.cause else []
        if self.asked.notes:
            lines.append(f"read as {self.asked.formula} and {self.claim}: {', '.join(self.asked.notes)}")
        lines.append(shapes_in_words(self.asked.shapes, self.asked.sizes, self.asked.functions))
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


def shapes_in_words(shapes: Mapping[str, Shape], sizes: Mapping[str, int], functions: Mapping[str, str]) -> str:
    """Every variable with its shape, functions with what their values are, and the numbers that stand for letters."""
    words = [f"{name} {'×'.join(map(str, shape)) if shape else 'a scalar'}" for name, shape in shapes.items()]
    words += [f"{name} any smooth function" + f" to a {kind}" * bool(kind) for name, kind in functions.items()]
    tried = f", at {', '.join(f'{letter}={size}' for letter, size in sizes.items())}" if sizes else ""
    return f"with {', '.join(words)}{tried}"
