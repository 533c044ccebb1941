"""A plan as people read it: one line for each step, and what it takes against other ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax.extend.core import Var

from matcalc.planner.cost import Work, operations_of
from matcalc.planner.operations import ClosedJaxpr, called_name, called_operation, known, name_of, needed

# What is printed like its argument, because it only moves entries.
SILENT = {"broadcast_in_dim", "convert_element_type", "copy", "optimization_barrier", "reshape", "stop_gradient"}
# Of the other operations of a program, those that are named below a plan.
TOLD = {"cholesky", "cond", "custom_linear_solve", "eigh", "lu", "qr", "svd", "triangular_solve", "while"}
SIGNS = {"add": " + ", "add_any": " + ", "sub": " - ", "mul": " ", "div": "/"}


@dataclass(frozen=True)
class Step:
    """One operation: its result by name, what it does, the shape of the result, and its multiply-adds and additions."""

    name: str
    text: str
    shape: tuple[int, ...]
    operations: int


@dataclass(frozen=True, repr=False)
class Order:
    """The order of evaluation chosen for a function, and its work beside that of other ways to compute the same."""

    title: str
    steps: Sequence[Step]
    works: Mapping[str, Work]
    itemsize: int

    def __str__(self) -> str:
        lines = [(f"{s.name} = {s.text}", _shape(s.shape), f"{s.operations:,}") for s in self.steps]
        lines = [("", "shape", "multiply-adds"), *lines]
        widths = [max(len(cells) for cells in column) for column in zip(*lines, strict=True)]
        text = [self.title, ""]
        text += [f"  {a:{widths[0]}}  {b:{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in lines]
        text += ["", f"  {'':12}{'multiply-adds':>18}{'bytes moved':>18}"]
        for way, work in self.works.items():
            rest = f"  with {', '.join(sorted(work.others & TOLD))}" if work.others & TOLD else ""
            text.append(f"  {way:12}{work.operations:>18,}  {work.moved * self.itemsize:>16,}{rest}")
        return "\n".join(text)

    __repr__ = __str__


def steps(closed: ClosedJaxpr, names: Sequence[str]) -> list[Step]:
    """The operations of a program that its results need, with its arguments by these names."""
    texts: dict[Any, str] = dict(zip(closed.jaxpr.invars, names, strict=True))
    wanted = {id(eqn) for eqn in needed(closed.jaxpr, inside=False)}
    found: list[Step] = []

    def text(atom: Any) -> str:
        return texts.get(atom, "c") if isinstance(atom, Var) else f"{atom.val:g}" if atom.aval.ndim == 0 else "c"

    for eqn in closed.jaxpr.eqns:
        if id(eqn) not in wanted:
            continue
        inputs = [text(atom) for atom in eqn.invars]
        if eqn.primitive.name in SILENT and inputs:
            texts[eqn.outvars[0]] = inputs[0]
        elif eqn.primitive.name == "transpose":
            texts[eqn.outvars[0]] = f"{inputs[0]}ᵀ"
        elif eqn.primitive.name == "neg":
            texts[eqn.outvars[0]] = f"-{inputs[0]}"
        else:
            name = f"T{len(found) + 1}"
            texts |= dict.fromkeys(eqn.outvars, name)
            out: Any = eqn.outvars[0].aval
            found.append(Step(name, _written(called_operation(eqn), inputs), out.shape, operations_of(eqn)))
    return found


def _written(eqn: Any, inputs: Sequence[str]) -> str:
    name = name_of(eqn)
    if name in ("dot_general", "product_by_entries"):
        left, right, out = (atom.aval.ndim for atom in (*eqn.invars, *eqn.outvars))
        if max(left, right) > 2 or out != left + right - 2:
            return f"{inputs[0]} · {inputs[1]}"
        of_left, of_right, *_ = _summed_over(eqn)
        turned = of_left == (0,), of_right == (1,)
        return " ".join(f"{factor}ᵀ" if turn else factor for factor, turn in zip(inputs, turned, strict=True))
    if name in SIGNS:
        return SIGNS[name].join(inputs)
    if name == "custom_linear_solve":  # the matrix is the first of its constants
        return f"{inputs[0]}⁻¹ {inputs[-1]}"
    return f"{known(eqn) or called_name(eqn) or name}({', '.join(dict.fromkeys(inputs))})"


def _summed_over(eqn: Any) -> Sequence[tuple[int, ...]]:
    """The axes of the left and of the right factor that a product sums over, and maybe more."""
    if eqn.primitive.name == "dot_general":
        return eqn.params["dimension_numbers"][0]
    return [inner.params["dimensions"] for inner in eqn.params["jaxpr"].eqns if inner.primitive.name == "squeeze"]


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"
