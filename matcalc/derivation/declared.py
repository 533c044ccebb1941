"""A derivation as an identity: its declaration, as a chapter of the handbook writes it, and what that declares."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matcalc import domains
from matcalc.calculus import Algebra, NotDerivable, written
from matcalc.calculus.printed import flat
from matcalc.calculus.shapes import with_sizes
from matcalc.calculus.terms import UNIT
from matcalc.catalogue import Identity
from matcalc.catalogue.signature import letters
from matcalc.claims.problem import Problem
from matcalc.derivation.conditions import conditions
from matcalc.derivation.identifiers import as_spelled, check_name
from matcalc.derivation.lefts import derivative_of
from matcalc.derivation.programs import Derived, from_vec, in_shape, program, shapes_of
from matcalc.derivation.texts import Code, free, statement
from matcalc.derivation.words import CHAPTER, RESERVED, helpers_of, imports_of
from matcalc.domains import Domain
from matcalc.formula import Formula, parse
from matcalc.formula import tree as t
from matcalc.formula.shapes import typed
from matcalc.formula.sizes import Size, shape_of_array
from matcalc.formula.words import MATRIX_FUNCTIONS

SOURCE = "derived by matcalc"


@dataclass(frozen=True)
class Declared:
    """What a declaration says: its texts, its conditions, and a function in Python."""

    formula: str
    derivative: str
    wrt: str
    where: Mapping[str, Domain]
    order: int
    printed: str
    function: str
    helpers: tuple[str, ...]


def identity_of(derivation: Derived, name: str) -> Identity[Any]:
    """The derivation as an identity that stands in no catalogue."""
    declared = _declared(derivation, name)
    source = "\n\n".join([*_imports(declared), *declared.helpers, declared.function])
    namespace: dict[str, Any] = {"__name__": "matcalc.derived"}
    exec(source, namespace)  # the text that `code("identity")` gives, of names that are identifiers
    texts = (declared.formula, declared.derivative)
    options: Any = {"wrt": declared.wrt, "order": declared.order, "printed": declared.printed}
    problem = _function(derivation)
    sizes = {letter: size for letter, size in problem.sizes.items() if letter in _letters(problem)}
    return Identity(
        namespace[name], *texts, source=SOURCE, covers="", where=declared.where, sizes=sizes, **options
    )  # fmt: skip


def function_of_arrays(derivation: Derived) -> Callable[..., Any]:
    """The derivative in JAX's layout, of arrays that fit, with its products in the cheapest order."""
    identity = identity_of(derivation, "derivative")

    def derivative(*args: Any, **kwargs: Any) -> Any:
        return identity.derivative(*args, **kwargs)

    derivative.__doc__ = f"{derivative_of(derivation.asked.formula, derivation.wrt)} = {derivation.formula}."
    Derivative: Any = derivative
    Derivative.__signature__ = identity.signature.python
    return derivative


def declaration_of(derivation: Derived, name: str) -> str:
    """The declaration for the catalogue, with its imports. ValueError for a domain that has no name there."""
    declared = _declared(derivation, name)
    named = {key: _name_of(domain, key) for key, domain in declared.where.items()}
    options = [f'"{declared.formula}"', f'"{declared.derivative}"', f'wrt="{declared.wrt}"']
    if named:
        conditions = ", ".join([f'"{key}": {domain}' for key, domain in named.items()])
        options.append(f"where={{{conditions}}}")
    options += [f"order={declared.order}"] if declared.order == 2 else []
    options += [f'printed="{declared.printed}"'] if declared.printed == "vec" else []
    options += [f'source="{SOURCE}"', 'covers=""']
    lines = ["@identity(", *[f"    {option}," for option in options], ")"]
    imports = _imports(declared, sorted(set(named.values())), "identity")
    return "\n\n\n".join(["\n".join(imports), *declared.helpers, "\n".join([*lines, declared.function])]) + "\n"


def _imports(declared: Declared, named: list[str] | None = None, *of_catalogue: str) -> list[str]:
    body = "\n".join([*declared.helpers, declared.function])
    lines = [line for line in imports_of(body) if line]
    own = [line for line in lines if line.startswith("from matcalc")]
    others = [line for line in lines if line not in own]
    others += ["from typing import Annotated"] if "Annotated[" in body else []
    others += ["from jax import Array", "from jaxtyping import Float"]
    own = [f"from matcalc.catalogue import {', '.join(of_catalogue)}"] * bool(of_catalogue) + own
    own += [f"from matcalc.domains import {', '.join(named)}"] if named else []
    standard = sorted(line for line in others if line in ("import math", "from typing import Annotated"))
    installed = sorted((line for line in others if line not in standard), key=lambda line: line.split()[::-2])
    groups = [standard, sorted(installed, key=lambda line: (line.split()[0] == "from", line)), sorted(own)]
    return "\n\n".join("\n".join(group) for group in groups if group).splitlines()


# --- What it says


def _function(derivation: Derived) -> Problem:
    """The function whose derivative it is: f, and of a mixed second derivative the first one."""
    return derivation.last if len(set(derivation.wrt)) > 1 else derivation.asked


def _declared(derivation: Derived, name: str) -> Declared:
    check_name(name)
    if derivation.asked.is_independent:
        raise NotDerivable("An identity is differentiated by entries that move freely: leave the convention out.")
    problem = _function(derivation)
    order = 2 if problem is not derivation.last else 1
    names = as_spelled([*problem.shapes, *problem.integers], {*RESERVED, *vars(domains), name})
    f = flat(with_sizes(typed(problem.formula, problem.symbols)))
    D = derivation.sized(derivation.natural)
    made = program(derivation.last, CHAPTER, names, [f, D])
    x = names[problem.wrt]
    left = "d2f_d{}2" if order == 2 else "df_d{}"
    value, derivative = free("f", names.values()), free(left.format(x), names.values())
    f_code = in_shape(made.writer, f, made.values[0], problem.value_shape)
    D_code = in_shape(made.writer, D, made.values[1], derivation.last.due(derivation.natural))
    stacked: list[str] = []
    if derivation.natural == "vec":
        last, J = derivation.last, free("J", names.values())
        stacked = statement(f"{J} =", D_code)
        D_code = from_vec(made.writer, Code(J), last.value_shape, last.shapes[last.wrt], "jax")
    body = [*made.lines, *statement(f"{value} =", f_code), *stacked, *statement(f"{derivative} =", D_code)]
    if any(line.startswith(f"{f_code.text} = ") for line in body):  # f itself is a part that has a name
        rest = [line for line in body if line != f"{value} = {f_code.text}"]
        body = [re.sub(rf"\b{f_code.text}\b", value, line) for line in rest]
    body.append(f"return {value}, {derivative}")
    places = _places(problem, f)
    arguments = [
        f'{names[key]}: Float[Array, "{" ".join(map(_axis, shape))}"]' for key, shape in problem.shapes.items()
    ]
    arguments += [
        f'{names[key]}: Annotated[int, "{places[key]}"]' if key in places else f"{names[key]}: int"
        for key in problem.integers
    ]
    doc = '"""Derived by rules, and verified."""'
    function = "\n".join([f"def {name}({', '.join(arguments)}):", *[f"    {line}" for line in (doc, *body)]])
    return Declared(
        str(t.rename(problem.formula, names)),
        str(t.rename(derivation.formula, names)),
        x,
        _conditions(derivation, problem, (f, D), names),
        order,
        derivation.natural,
        function,
        tuple(helper.strip("\n") for helper in helpers_of("\n".join(body), CHAPTER)),
    )


def _axis(size: Size) -> str:
    """A size as an axis of jaxtyping: m*n."""
    text = re.sub(r"(\w)\(", r"\1*(", str(size)).replace(" ", "*")
    return text.replace("/2", "//2")


def _letters(problem: Problem) -> set[str]:
    return {letter for shape in problem.shapes.values() for size in shape for letter in letters(_axis(size))}


def _places(problem: Problem, f: Formula) -> dict[str, str]:
    """The axes that given integers count the places of."""
    shapes = shapes_of(problem).dims
    found: dict[str, str] = {}
    for node in t.nodes(f):
        match node:
            case t.Entry(of, indices):
                sizes = [size for size in shapes(of) if size != UNIT]
            case t.Constant("e" | "E", indices):
                sizes = [size for size in shapes(node) if size != UNIT]
            case _:
                continue
        for index, size in zip(indices, sizes, strict=False):
            if isinstance(index, t.Name) and index.name in problem.found.indices:
                found.setdefault(index.name, _axis(size))
    return found


# --- Conditions

SAID = {"{} is invertible": domains.invertible, "{} ≠ 0": domains.nonzero, "{} > 0": domains.positive}
SAID |= {"{} ≥ 0": domains.positive}  # a root has no derivative at 0
WEAK = (domains.invertible, domains.nonzero)  # which follow from other conditions on the same


def _conditions(
    derivation: Derived, problem: Problem, trees: Sequence[Formula], names: Mapping[str, str]
) -> dict[str, Domain]:
    """The domains of arguments and of formulas in them."""
    a = derivation.algebra
    given = {names[name]: domain for name, domain in problem.where.items()}
    found: dict[str, Domain] = {}
    for part, domain in (each for tree in trees for each in (*_of_functions(tree, a), *_said(tree, a, problem))):
        inside = {node.name for node in t.nodes(part) if isinstance(node, t.Name)}
        if inside and inside <= {*problem.symbols, *problem.sizes}:  # and no index of a sum
            text = str(t.rename(part, names))
            key = f"{text}ᵀ" if given.get(text, domain) is not domain else text
            found[key] = found.get(key, domain) if domain in WEAK else domain
    return {**given, **found}


def _said(tree: Formula, a: Algebra, problem: Problem) -> Iterator[tuple[Formula, Domain]]:
    """The conditions that are printed; that a rank is constant is true of random matrices."""
    for condition in conditions(tree, a):
        for said, domain in SAID.items():
            behind = said.removeprefix("{}")
            if condition.endswith(behind):
                yield parse(condition.removesuffix(behind), {*problem.names, *problem.symbols}), domain


def _of_functions(tree: Formula, a: Algebra) -> Iterator[tuple[Formula, Domain]]:
    """Where logarithms and roots of matrices and of entries are real."""
    for node in t.nodes(tree):
        match node:
            case t.Apply("ln" | "sqrt" | "ln." | "sqrt." as function, u) if not a.is_scalar(u):
                is_of_matrix = function in MATRIX_FUNCTIONS and UNIT not in a.dims(u)
                domain = domains.with_principal_logarithm if is_of_matrix else domains.positive
                yield written(u, a.names, shape_of_array(a.dims(u))), domain
            case _:
                pass


def _name_of(domain: Domain, key: str) -> str:
    for name, known in vars(domains).items():
        if known is domain:
            return name
    raise ValueError(f"The domain of {key}, {domain.text}, has no name in matcalc.domains; use identity() instead.")
