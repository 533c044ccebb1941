"""Formulas to differentiate: those of the tests, and those of the kinds that matrixcalculus.org shows.

The page (https://www.matrixcalculus.org/documentation) has ten examples. They stand here in the language of matcalc, by
each of their variables and some twice, with the losses of its authors' papers on Hessians and their common parts:
logistic regression, least squares, the factorisation of a matrix, determinants and inverses.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PUBLIC = Path(__file__).parent.parent / "tests" / "derivation" / "public.json"

Order = Literal[1, 2]


@dataclass(frozen=True)
class Expression:
    """A function and what it is differentiated by, with the options of `matcalc.derive`."""

    source: Literal["tests", "pages"]
    f: str
    wrt: str
    order: Order = 1
    where: Mapping[str, str] = field(default_factory=dict)
    shape: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """As `matcalc.derive` and `read_problem` take them."""
        return {"where": dict(self.where), "shape": {name: tuple(shape) for name, shape in self.shape.items()}}

    def __str__(self) -> str:
        return f"{self.f} by {self.wrt}{' twice' * (self.order == 2)}"


def of_tests() -> Iterator[Expression]:
    """Those that have a right answer in the tests."""
    for each in json.loads(PUBLIC.read_text(encoding="utf-8")):
        options = {"where": each.get("where", {}), "shape": each.get("shape", {})}
        yield Expression("tests", each["f"], each["wrt"], each.get("order", 1), **options)


# A function; what it is differentiated by, and by what twice; which letters of it are scalars, and no vectors.
PAGES: tuple[tuple[str, str, str, str], ...] = (
    ("x' A x + c sin(y)' x", "x c y A", "x y", "c"),
    ("1/2 x' A x", "x A", "", ""),
    ("A exp(x)", "x", "", ""),
    ("sin(x)' y", "x y", "x", ""),
    ("(y .* v)' x", "x y v", "", ""),
    ("a^b", "a", "a", "a"),
    ("exp(b ln(a))", "b", "", "a b"),  # the same: what stands in an exponent is an integer here
    ("||A x - y||_1", "x y A", "", ""),
    ("||A x - y||^2", "x y A", "x", ""),
    ("sum(ln(exp(-y .* (X w)) + ones))", "w X y", "w", ""),
    ("tr(A X' B X C)", "X A B C", "", ""),
    ("ln |X^-1|", "X", "", ""),
    ("||A x - y||", "x", "x", ""),
    ("||T - U V'||^2", "U V", "", ""),
    ("|X|", "X", "", ""),
    ("w' X^-1 w", "X", "", ""),
    ("tr(X^-1 A)", "X", "", ""),
)


def of_pages() -> Iterator[Expression]:
    """Those of the kinds that matrixcalculus.org shows."""
    for f, once, twice, scalars in PAGES:
        shape = {name: () for name in scalars.split()}
        yield from (Expression("pages", f, name, 1, shape=shape) for name in once.split())
        yield from (Expression("pages", f, name, 2, shape=shape) for name in twice.split())


EXPRESSIONS = (*of_tests(), *of_pages())
