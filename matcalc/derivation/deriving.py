"""`matcalc.derive`: the derivative of a formula or of a JAX function, verified before it is given."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from matcalc.calculus import Derivative, NotDerivable, written
from matcalc.claims.derived import derived, dims_of_names
from matcalc.claims.problem import Problem
from matcalc.claims.reading import CONVENTIONS, Convention, Domains, Order, Shapes, read_problem, variables_of
from matcalc.claims.threads import one_thread
from matcalc.claims.verification import Verified, verify
from matcalc.derivation.derivation import Derivation
from matcalc.derivation.moved import meant, with_derivatives
from matcalc.derivation.traced import Examples, read_function
from matcalc.formula import Formula, FormulaError, parse
from matcalc.formula import tree as t
from matcalc.formula.parser import name_of
from matcalc.formula.sizes import shape_of_array
from matcalc.formula.texts import spelled

Function = str | Formula | Callable[..., Any]


@dataclass(frozen=True, eq=False, repr=False)
class Derivations(Mapping[str, Derivation]):
    """The derivatives of a function by each of its variables, by name; `missing` says by which there is none."""

    by_name: Mapping[str, Derivation]
    missing: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Derivation:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __str__(self) -> str:
        return "\n\n".join([*map(str, self.by_name.values()), *self.missing])

    __repr__ = __str__


@overload
def derive(
    formula: Function,
    wrt: str | Sequence[str],
    *,
    order: Order | None = None,
    shape: Shapes = None,
    args: Examples = None,
    where: Domains = None,
    let: Sequence[str] = (),
    functions: Sequence[str] = (),
    moved: Sequence[str] = (),
    convention: Convention = "full",
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
    convention: Convention = "full",
) -> Derivations: ...


def derive(
    formula: Function,
    wrt: str | Sequence[str] | None = None,
    *,
    order: Order | None = None,
    shape: Shapes = None,
    args: Examples = None,
    where: Domains = None,
    let: Sequence[str] = (),
    functions: Sequence[str] = (),
    moved: Sequence[str] = (),
    convention: Convention = "full",
) -> Derivation | Derivations:
    """Derive the derivative of a function by rules, verify it, and give it as short as it can be written.

    >>> from matcalc import derive
    >>> print(derive("tr(A X B X' C)", wrt="X").layout("numerator"))
    B Xᵀ C A + Bᵀ Xᵀ Aᵀ Cᵀ

    A formula is read as `check_formula` reads it, with the same `shape`, `where`, `let` and `functions`. Without `wrt`
    the derivatives by all its variables come back, by name. `order=2` gives the Hessian, and two names in `wrt` the
    mixed second derivative. `moved` are variables that are functions of `wrt`, ["U", "V"] of U V by x, whose
    derivatives are printed as ∂_xU. By a symmetric matrix the result is the derivative by entries that all move freely;
    `convention="independent"` is by those of one triangle, 2 G - G ⊙ I.

    A function that JAX can trace is read back into a formula, in the names of its arguments, and compared with that at
    random points:

    >>> print(derive(lambda X, w: ((X @ w) ** 2).sum(), wrt="w", shape={"X": ("m", "n"), "w": ("n",)}).formula)
    2 Xᵀ X w

    Its arguments are given by `shape`, or by examples, `args`, in their order or by name: of these equal sizes are
    taken for one size, integers for constants. Arguments of neither kind keep their defaults. An array that it
    closes over is a variable c1, c2 …; where the program depends on a size, as a loop does, it is read at one number.
    The result is the derivative of the value; rules of `jax.custom_jvp` and `jax.custom_vjp` are not asked.

    Raises FormulaError for what cannot be read or sized, ValueError for options without sense, NotDerivable (a
    ValueError) where the language has no closed form, with the operation, and Disagreement where the witnesses say that
    the rules went wrong. Source: Magnus and Neudecker, Matrix Differential Calculus, chapters 8 to 10.
    """
    if order not in (None, 1, 2):
        raise ValueError(f"order must be 1 or 2; got {order!r}.")
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {', '.join(CONVENTIONS)}; got {convention!r}.")
    options: dict[str, Any] = {"shape": shape, "where": where}
    typed: dict[str, Any] = {"let": let, "functions": functions}
    with one_thread():
        if wrt is None:
            if not isinstance(formula, str | Formula):
                raise ValueError("Name the argument to differentiate a function by, in wrt.")
            if convention == "independent":
                raise ValueError("Name the symmetric matrix whose entries are independent, in wrt.")
            return _by_all(formula, order or 1, options | typed)
        names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
        if len(names) not in (1, 2) or (len(names) == 2 and order == 1):
            raise ValueError(f"A derivative is by one variable, or of order 2 by two; got {', '.join(names)}.")
        names = names * 2 if order == 2 and len(names) == 1 else names
        if moved and len(names) == 2:
            raise ValueError("With variables that move along, order must be 1.")
        if convention == "independent" and (moved or len(names) == 2):
            raise ValueError("By independent entries is a first derivative, by one variable: leave the convention out.")
        started = time.perf_counter()
        if isinstance(formula, str | Formula):
            typed |= {"convention": convention}
            if args is not None:
                raise ValueError("args are example arguments of a function; of a formula give the shape.")
            for name in names:
                if not _is_name(name):
                    raise ValueError(f"wrt is the name of a variable, such as X; got {name!r}.")
            asked = read_problem(formula, names[0], may_be_absent=True, **options, **typed)
        else:
            if let or functions or moved:
                raise ValueError("let, functions and moved are of a typed formula; a function has its own names.")
            if convention == "independent":
                raise ValueError("By independent entries is of a typed formula; leave the convention out.")
            asked = read_function(formula, names, args=args, **options)
        return _derived(asked, names, tuple(name_of(name) for name in moved), started)


def _is_name(text: str) -> bool:
    try:
        return isinstance(parse(text, spelled((text,))), t.Name)
    except FormulaError:
        return False


def _by_all(formula: str | Formula, order: Order, options: dict[str, Any]) -> Derivations:
    """The derivatives by every variable. NotDerivable where there is none by any."""
    found: dict[str, Derivation] = {}
    missing: list[str] = []
    for name in variables_of(formula, **options):
        started = time.perf_counter()
        try:
            found[name] = _derived(read_problem(formula, name, **options), (name,) * order, (), started)
        except NotDerivable as reason:
            missing.append(f"by {name}: {reason}")
    if not found:
        raise NotDerivable("; ".join(missing) or f"{formula} has no variables.")
    return Derivations(found, tuple(missing))


def _derived(asked: Problem, wrt: Sequence[str], moved: tuple[str, ...], started: float) -> Derivation:
    """The derivative by one variable after the other."""
    chain = tuple(asked.wrt if name == wrt[0] else name_of(name) for name in wrt)
    for name in chain:
        if name not in asked.shapes:
            listed = ", ".join(asked.shapes)
            raise ValueError(f"{name} does not occur in {asked.formula} as a variable; its variables are {listed}.")
    asked = with_derivatives(asked, moved)
    try:
        found = derived(asked, chain, moved)
    except NotDerivable as reason:
        raise NotDerivable(f"{asked.formula} has no derivative by {chain[0]} in closed form: {reason}.") from None
    if len(found) < len(chain):
        raise NotDerivable(f"Only the differential of the first derivative has a closed form: {found[-1].reason}.")
    derivation = Derivation(asked, chain, _stages(asked, chain, found), tuple(found), Verified((), 0.0), 0.0, moved)
    return replace(derivation, verified=_verified(derivation), seconds=time.perf_counter() - started)


def _stages(asked: Problem, chain: Sequence[str], found: Sequence[Derivative]) -> tuple[Problem, ...]:
    """The function, and its gradient as a function of the next variable."""
    stages = [asked]
    for each, name in zip(found, chain[1:], strict=False):
        assert each.formula is not None
        gradient = written(each.formula, dims_of_names(asked), shape_of_array(each.dims), is_alone=True)
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
