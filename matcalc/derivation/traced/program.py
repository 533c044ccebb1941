"""A traced program read back into a formula, operation by operation."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jax.extend.core import Literal

from matcalc.calculus import Algebra, NotDerivable
from matcalc.calculus.terms import Dims
from matcalc.derivation.traced.arrays import COLUMNS, ROWS, Array, Count, Unreadable, Writer, constant
from matcalc.derivation.traced.calls import is_of_jax, known
from matcalc.derivation.traced.rules import RULES, Value
from matcalc.formula import Formula
from matcalc.formula import tree as t
from matcalc.formula.sizes import Size
from matcalc.referee.jaxprs import line_of

# From operations that call a function to the parameter that holds its program.
PROGRAMS = {
    **{"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr"},
    **{"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr", "custom_vmap_call": "call"},
    **{"remat2": "jaxpr", "checkpoint": "jaxpr"},
}


class NotRead(NotDerivable):
    """An operation that no formula says, with its name and its place."""


class ProgramReader:
    """Reads programs in variables of given shapes; `facts` are what is known of them, `wrt` what is differentiated by.

    With `drops_maxima` the largest entry is read as 0, as it may be where it is subtracted against overflow and added
    again, in logsumexp. Whether that is right is asked afterwards, of values.
    """

    def __init__(
        self,
        names: Mapping[str, Dims],
        facts: Mapping[Formula, frozenset[str]],
        wrt: Iterable[str],
        *,
        drops_maxima: bool,
    ) -> None:
        self.algebra = Algebra(names, facts)
        self.writer = Writer([name for name, dims in names.items() if dims == ("1", "1")] + [*self.algebra.sizes])
        self.wrt = frozenset(wrt)
        self.drops_maxima = drops_maxima
        self.has_maxima = self.has_choices = False
        self.factors: dict[str, tuple[Formula, str]] = {}  # of Cholesky decompositions: of what, and where
        self.places: list[str] = []  # of the operations that are being read, the innermost last

    # --- What rules ask

    def size_of(self, dim: Any) -> Size:
        """A size of JAX: a number, a letter, or a product of both."""
        if isinstance(dim, int | np.integer):
            return int(dim)
        parts = [part for factor in str(dim).split("*") for part in _repeated(factor)]
        if not all(part.isalnum() for part in parts):
            raise Unreadable(f"it makes an array of size {dim}, for which formulas have no letter")
        numbers = [part for part in parts if part.isdigit()]
        return " ".join([*numbers, *sorted(part for part in parts if not part.isdigit())])

    def depends(self, tree: Formula) -> bool:
        """Whether one of the variables that are differentiated by is in a formula."""
        found = {node.name for node in t.nodes(tree) if isinstance(node, t.Name)}
        inside = {name for factor in found & self.factors.keys() for name in _names(self.factors[factor][0])}
        return bool(self.wrt & (found | inside))

    def factor_of(self, a: Array) -> Formula:
        """The lower triangular L of A = L Lᵀ, a name that goes where L is multiplied by its transpose."""
        A = self._upright(self.writer.laid(a, {0: ROWS, 1: COLUMNS}))
        if not self.algebra.is_symmetric(A):
            raise Unreadable(f"it reads one triangle of {A}, which may be not symmetric; declare it so in where=")
        name = f"Cholesky factor {len(self.factors) + 1}"
        self.factors[name] = (A, self.places[-1])
        self.algebra.names[name] = self.algebra.dims(A)
        return t.Name(name)

    def _upright(self, A: Formula) -> Formula:
        """A symmetric matrix as it was written: B of Bᵀ, and of (B + Bᵀ)/2, which jnp.linalg.cholesky makes of it."""
        match A:
            case t.Transpose(of):
                return of
            case t.Infix("/", t.Sum(parts), t.Number(2)):
                half = t.sum_of(parts[: len(parts) // 2])
                twice = {*self.algebra.poly(t.Sum((half, half)))}
                return half if self.algebra.is_symmetric(half) and {*self.algebra.poly(A.left)} == twice else A
            case _:
                return A

    def is_factor(self, tree: Formula) -> bool:
        return isinstance(tree, t.Name) and tree.name in self.factors

    # --- The walk

    def read(self, closed: Any, arguments: Iterable[Value], constants: Iterable[Value]) -> list[Value]:
        """The results of a program."""
        jaxpr = closed.jaxpr if hasattr(closed, "consts") else closed
        values: dict[Any, Value] = dict(zip(jaxpr.constvars, constants, strict=True))
        values |= zip(jaxpr.invars, arguments, strict=True)
        needed = self._needed(jaxpr)
        for eqn in jaxpr.eqns:
            if id(eqn) in needed:
                operands = [self._literal(v) if isinstance(v, Literal) else values[v] for v in eqn.invars]
                results = self._operation(eqn, operands)
                values |= zip(eqn.outvars, results, strict=False)
        return [self._literal(v) if isinstance(v, Literal) else values[v] for v in jaxpr.outvars]

    @staticmethod
    def _needed(jaxpr: Any) -> set[int]:
        """The operations on which the results depend: what nobody uses need not be read."""
        wanted, found = {v for v in jaxpr.outvars if not isinstance(v, Literal)}, set[int]()
        for eqn in reversed(jaxpr.eqns):
            if not wanted.isdisjoint(eqn.outvars):
                found.add(id(eqn))
                wanted |= {v for v in eqn.invars if not isinstance(v, Literal)}
        return found

    def _literal(self, literal: Any) -> Array:
        value = np.asarray(literal.val)
        written = value.astype(literal.aval.dtype) if value.dtype.kind == "f" else value
        return constant(float(str(written)) if value.dtype.kind == "f" else float(value), value.shape)

    def _operation(self, eqn: Any, operands: list[Value]) -> list[Value]:
        name, inner = eqn.primitive.name, None
        if name in PROGRAMS:
            inner = eqn.params[PROGRAMS[name]]
        program = getattr(inner, "jaxpr", inner)
        if program is not None:
            name = (program.debug_info.func_src_info or name).partition(" at ")[0].lstrip("_")
        # What stands in JAX itself was perhaps traced for another function first, and remembers the lines of that.
        is_inside = bool(self.places) and self.places[-1].startswith("in ")
        self.places.append(self.places[-1] if is_inside else line_of(eqn))
        try:
            called = known(program) if program is not None else None
            if called is not None:
                return _several(called(self, eqn, *operands))
            if program is not None:
                if is_of_jax(program) and not is_inside:
                    self.places[-1] = f"in {self.places[-1]}"
                constants = [self._constant(value) for value in getattr(inner, "consts", ())]
                return self.read(inner, operands, constants)
            if name not in RULES:
                raise Unreadable("no formula says it")
            if any(isinstance(value, Count) for value in operands) and name not in COUNTING:
                raise Unreadable("it takes places for numbers")
            return _several(RULES[name](self, eqn, *operands))
        except NotRead:
            raise
        except (Unreadable, NotDerivable) as reason:
            place = self.places[-1].removeprefix("in ")
            raise NotRead(f"{name}{f' at {place}' if place else ''} is not read: {reason}.") from None
        finally:
            self.places.pop()

    def _constant(self, value: Any) -> Array:
        array = np.asarray(value)
        if array.size == 0 or np.any(array != array.flat[0]):
            raise Unreadable("it has an array inside that is no argument")
        return constant(float(array.flat[0]), array.shape)

    # --- What is left at the end

    def finished(self, tree: Formula) -> Formula:
        """The formula without factors of decompositions: L Lᵀ = A, and L⁻ᵀ L⁻¹ = A⁻¹."""
        tree = self._multiplied(tree)
        for node in t.nodes(tree):
            match node:
                case t.Name(name) if name in self.factors:
                    place = self.factors[name][1].removeprefix("in ")
                    raise NotDerivable(
                        f"cholesky at {place} is not read: its factor L has no word, only L Lᵀ and (L Lᵀ)⁻¹ have."
                    )
                case t.Number(float() as value) if value == float("inf"):
                    raise NotDerivable("An infinite number is in the function, and no formula says it.")
                case _:
                    pass
        return tree

    def _multiplied(self, tree: Formula) -> Formula:
        tree = t.with_children(tree, [self._multiplied(child) for child in t.children(tree)])
        if not isinstance(tree, t.Product):
            return tree
        made: list[Formula] = []
        for factor in tree.factors:
            met = self._met(made[-1], factor) if made else None
            if met is not None:
                made.pop()
            made += [factor] if met is None else met.factors if isinstance(met, t.Product) else [met]
        return t.product_of(made)

    def _met(self, left: Formula, right: Formula) -> Formula | None:
        match left, right:
            case t.Name(L), t.Transpose(t.Name(other)) if other == L and L in self.factors:
                return self.factors[L][0]
            case t.Transpose(t.Apply("inv", t.Name(other))), t.Apply("inv", t.Name(L)) if (
                other == L and L in self.factors
            ):
                return t.Apply("inv", self.factors[L][0])
            case _:
                return None


COUNTING = ("add", "eq", "ge", "gt", "le", "lt", "ne", "convert_element_type", "broadcast_in_dim", "reshape")


def _several(result: Any) -> list[Value]:
    return list(result) if isinstance(result, tuple) else [result]


def _names(tree: Formula) -> set[str]:
    return {node.name for node in t.nodes(tree) if isinstance(node, t.Name)}


def _repeated(factor: str) -> list[str]:
    """n^2 as n and n."""
    base, _, exponent = factor.partition("^")
    return [base] * int(exponent or 1)
