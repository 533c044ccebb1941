"""Which values of a traced program are sums of products of arrays, and of which.

Each primitive that the planner understands has a rule in RULES: it gives the sum of products that a result is, from
those that the operands are, or None where the operation has no such result.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal, Var

from matcalc.planner.network import Label, Labels, Node, Term
from matcalc.planner.operations import JaxprEqn, is_plain, name_of, rule
from matcalc.planner.space import FACTORS, Space

TERMS = 4  # of one sum, beyond which its contraction orders are too many
CONSTANT: Label = -1

Pairs = Sequence[tuple[Label, Label]]


@dataclass(frozen=True)
class SumOfProducts:
    """A value as a sum of products. An axis along which it is constant has the label CONSTANT."""

    terms: tuple[Term, ...]
    dtype: Any
    precision: Any = None
    multiplies: bool = False  # whether a product is taken, so that `precision` means anything

    @property
    def has_all_entries(self) -> bool:
        """Whether contracting gives every entry: not where two axes have one label, or an axis the label CONSTANT.

        Then it gives only the diagonal, or only one entry of many.
        """
        return all(CONSTANT not in term.axes and len(set(term.axes)) == len(term.axes) for term in self.terms)


class Recogniser:
    """Goes through a program and finds the sums of products; `space` has the arrays that they are made of."""

    def __init__(self, jaxpr: Jaxpr) -> None:
        self.space = Space()
        self.atoms: dict[int, Any] = {}  # the arrays of the space by name: their place in memory, as literals have none
        self.makers: Mapping[Any, Any] = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
        self.sums: dict[Var, SumOfProducts] = {}
        self.labels = itertools.count()
        for eqn in jaxpr.eqns:
            if len(eqn.outvars) == 1 and not eqn.effects and (found := self._recognise(eqn)) is not None:
                self.sums[eqn.outvars[0]] = found

    def _recognise(self, eqn: JaxprEqn) -> SumOfProducts | None:
        """The sum of products that an operation gives, if it gives one."""
        name = name_of(eqn)
        if name not in RULES or not is_plain(eqn, converts=name == "convert_element_type"):
            return None
        return RULES[name](self, eqn, *eqn.invars)

    # --- Operands

    def array(self, atom: Any, kind: str = "array") -> Node:
        """The node of an array, of the kind that `Space.array` is given."""
        self.atoms[id(atom)], shape = atom, tuple(atom.aval.shape)
        if isinstance(atom, Var) and atom in self.makers:
            self.space.computed.add(self.space.array(id(atom), shape))
        return self.space.array(id(atom), shape, kind)

    def as_factor(self, atom: Any) -> SumOfProducts:
        """A value as one factor, whatever it was made of."""
        labels = tuple(next(self.labels) for _ in atom.aval.shape)
        return SumOfProducts((Term(1, ((self.array(atom), labels),), labels),), atom.aval.dtype)

    def as_sum(self, atom: Any) -> SumOfProducts:
        """A value as the sum of products that it is, with labels that nothing else has; else as one factor."""
        found = None if isinstance(atom, Literal) else self.sums.get(atom)
        if found is None:
            return self.as_factor(atom)
        return replace(found, terms=tuple(self._with_own_labels(term) for term in found.terms))

    def _with_own_labels(self, term: Term) -> Term:
        old = {label for _, labels in term.factors for label in labels}
        return with_labels(term, {label: next(self.labels) for label in old})

    def as_product(self, atom: Any) -> SumOfProducts:
        """A value as the product that it is; else, and where it has too many factors, as one factor."""
        found = self.as_sum(atom)
        return found if len(found.terms) == 1 and len(found.terms[0].factors) < FACTORS else self.as_factor(atom)

    def made_by(self, atom: Any, name: str) -> Any:
        """The operation of this name that makes a value, if one does."""
        eqn = self.makers.get(atom) if isinstance(atom, Var) else None
        return eqn if eqn is not None and eqn.primitive.name == name else None

    # --- Products

    def product(
        self,
        a: Any,
        b: Any,
        join: Callable[[Labels, Labels], tuple[Pairs, Labels]],
        precision: Any = None,
        *,
        sums: bool = False,
        over: Sequence[int] | None = None,
    ) -> SumOfProducts | None:
        """The product of two values.

        From the labels of both `join` gives pairs of labels that are to be one, and the axes of the result. Where the
        product `sums` over labels, it is of this precision. For a product entry by entry both values are broadcast
        `over` its shape first. None where a constant axis would have to be joined.
        """
        left, right = self.as_product(a), self.as_product(b)
        clash = left.multiplies and right.multiplies and left.precision != right.precision
        for found in (left, right):
            clash |= sums and found.multiplies and found.precision != precision
        if clash or len(left.terms[0].factors) + len(right.terms[0].factors) > FACTORS:
            left, right = self.as_factor(a), self.as_factor(b)
        if over is not None:
            left, right = (broadcast(f, x.aval.shape, range(x.aval.ndim), over) for f, x in ((left, a), (right, b)))
        (s,), (t,) = left.terms, right.terms
        pairs, axes = join(s.axes, t.axes)
        if any(CONSTANT in pair for pair in pairs):
            return None
        names: dict[Label, Label] = {}
        for old, new in pairs:
            old, new = _last(names, old), _last(names, new)
            if old != new:
                names[old] = new
        joined = self._without_ones(with_labels(Term(s.sign * t.sign, s.factors + t.factors, axes), names))
        inner = left if left.multiplies else right
        return SumOfProducts((joined,), left.dtype, precision if sums else inner.precision, sums or inner.multiplies)

    def _without_ones(self, term: Term) -> Term:
        """A product without the vectors of ones whose label another factor has, too."""
        ones = [f for f in term.factors if self.space.nodes[f[0]][0] == "ones"]
        for factor in ones:
            others = [f for f in term.factors if f is not factor]
            if any(factor[1][0] in labels for _, labels in others):
                term = replace(term, factors=tuple(others))
        return term


def broadcast(
    product: SumOfProducts, shape: Sequence[int], places: Sequence[int], over: Sequence[int]
) -> SumOfProducts:
    """A product with its axes at these places of a shape; constant along all others, and where it has but one entry."""
    (term,) = product.terms
    axes = [CONSTANT] * len(over)
    for label, size, place in zip(term.axes, shape, places, strict=True):
        axes[place] = label if size == over[place] else CONSTANT
    return replace(product, terms=(replace(term, axes=tuple(axes)),))


def with_labels(term: Term, names: Mapping[Label, Label]) -> Term:
    """A term with its labels renamed, a new name that has a new name itself again."""

    def named(labels: Labels) -> Labels:
        return tuple(_last(names, label) for label in labels)

    return Term(term.sign, tuple((node, named(labels)) for node, labels in term.factors), named(term.axes))


def _last(names: Mapping[Label, Label], label: Label) -> Label:
    while label in names:
        label = names[label]
    return label


# --- Rules. They get the recogniser, the operation and its operands.

RULES: dict[str, Callable[..., SumOfProducts | None]] = {}


@rule(RULES, "dot_general")
def dot_general(recognised: Recogniser, eqn: JaxprEqn, a: Any, b: Any) -> SumOfProducts | None:
    (contracted, batch), out = eqn.params["dimension_numbers"], eqn.outvars[0].aval
    if eqn.params.get("preferred_element_type") not in (None, out.dtype) or eqn.params.get("out_sharding"):
        return None

    def join(left: Labels, right: Labels) -> tuple[Pairs, Labels]:
        pairs = [(right[j], left[i]) for i, j in (*zip(*contracted, strict=True), *zip(*batch, strict=True))]
        of_left = [left[i] for i in batch[0]]
        of_left += [label for i, label in enumerate(left) if i not in (*contracted[0], *batch[0])]
        of_right = [label for j, label in enumerate(right) if j not in (*contracted[1], *batch[1])]
        return pairs, (*of_left, *of_right)

    found = recognised.product(a, b, join, eqn.params["precision"], sums=True)
    return found if found is None or CONSTANT not in found.terms[0].axes else None


@rule(RULES, "mul")
def mul(recognised: Recogniser, eqn: JaxprEqn, a: Any, b: Any) -> SumOfProducts | None:
    """A product with a scalar, or with what is constant along some axis; not of any two arrays entry by entry."""
    shapes, out = (a.aval.shape, b.aval.shape), eqn.outvars[0].aval.shape
    operands = [broadcast(recognised.as_product(x), x.aval.shape, range(x.aval.ndim), out) for x in (a, b)]
    if all(shapes) and not any(CONSTANT in operand.terms[0].axes for operand in operands):
        return None

    def join(left: Labels, right: Labels) -> tuple[Pairs, Labels]:
        both = [(r, l) for l, r in zip(left, right, strict=True) if CONSTANT not in (l, r)]
        return both, tuple(l if l != CONSTANT else r for l, r in zip(left, right, strict=True))

    return recognised.product(a, b, join, over=out)


@rule(RULES, "broadcast_in_dim")
def broadcast_in_dim(recognised: Recogniser, eqn: JaxprEqn, a: Any, *_: Any) -> SumOfProducts | None:
    return broadcast(recognised.as_product(a), a.aval.shape, eqn.params["broadcast_dimensions"], eqn.params["shape"])


@rule(RULES, "transpose")
def transpose(recognised: Recogniser, eqn: JaxprEqn, a: Any) -> SumOfProducts:
    operand, order = recognised.as_sum(a), eqn.params["permutation"]
    return replace(operand, terms=tuple(replace(t, axes=tuple(t.axes[i] for i in order)) for t in operand.terms))


@rule(RULES, "neg")
def neg(recognised: Recogniser, eqn: JaxprEqn, a: Any) -> SumOfProducts:
    operand = recognised.as_sum(a)
    return replace(operand, terms=tuple(replace(term, sign=-term.sign) for term in operand.terms))


@rule(RULES, "add", "add_any")
def add(recognised: Recogniser, eqn: JaxprEqn, a: Any, b: Any, sign: int = 1) -> SumOfProducts | None:
    if a.aval.shape != b.aval.shape or isinstance(a, Literal) or isinstance(b, Literal):
        return None
    operands = [recognised.as_sum(a), recognised.as_sum(b)]
    precisions = {operand.precision for operand in operands if operand.multiplies}
    for k, atom in enumerate((a, b)):
        if not operands[k].has_all_entries or len(precisions) > 1:
            operands[k] = recognised.as_factor(atom)
    if len(operands[0].terms) + len(operands[1].terms) > TERMS:
        k = int(len(operands[1].terms) > len(operands[0].terms))
        operands[k] = recognised.as_factor((a, b)[k])
    left, right = operands
    terms = (*left.terms, *(replace(term, sign=sign * term.sign) for term in right.terms))
    inner = left if left.multiplies else right
    return SumOfProducts(terms, left.dtype, inner.precision, inner.multiplies)


@rule(RULES, "sub")
def sub(recognised: Recogniser, eqn: JaxprEqn, a: Any, b: Any) -> SumOfProducts | None:
    return add(recognised, eqn, a, b, -1)


@rule(RULES, "trace")
def trace(recognised: Recogniser, eqn: JaxprEqn, a: Any) -> SumOfProducts | None:
    if len(a.aval.shape) > 2:
        return None
    operand = recognised.as_product(a)
    if CONSTANT in operand.terms[0].axes:
        operand = recognised.as_factor(a)
    (term,) = operand.terms
    i, j = term.axes
    return replace(operand, terms=(with_labels(replace(term, axes=()), {j: i} if i != j else {}),))


@rule(RULES, "diag")
def diag(recognised: Recogniser, eqn: JaxprEqn, a: Any) -> SumOfProducts:
    """A diagonal matrix: one label on both axes."""
    operand = recognised.as_factor(a)
    (term,) = operand.terms
    return replace(operand, terms=(replace(term, axes=2 * term.axes),))


@rule(RULES, "inv")
def inv(recognised: Recogniser, eqn: JaxprEqn, a: Any) -> SumOfProducts:
    operand = recognised.as_factor(a)
    (term,) = operand.terms
    ((_, labels),) = term.factors
    return replace(operand, terms=(replace(term, factors=((recognised.array(a, "inverse"), labels),)),))


@rule(RULES, "convert_element_type")
def convert_element_type(recognised: Recogniser, eqn: JaxprEqn, a: Any) -> SumOfProducts | None:
    """The identity matrix, as `jnp.eye` makes it: the diagonal matrix of ones."""
    out = eqn.outvars[0].aval
    if not _is_eye(recognised, a):
        return None
    labels = (next(recognised.labels),)
    ones = recognised.space.array((out.shape[0], out.dtype), out.shape[:1], "ones")
    return SumOfProducts((Term(1, ((ones, labels),), 2 * labels),), out.dtype)


def _is_eye(recognised: Recogniser, a: Any) -> bool:
    """Whether a value is [i = j], with i + 0 = j in the terms of JAX."""
    if (equal := recognised.made_by(a, "eq")) is None or a.aval.ndim != 2 or a.aval.shape[0] != a.aval.shape[1]:
        return False
    rows, columns = equal.invars
    if (added := recognised.made_by(rows, "add")) is not None:
        rows, zero = added.invars
        if not isinstance(zero, Literal) or zero.val != 0:
            return False
    counts = [recognised.made_by(rows, "iota"), recognised.made_by(columns, "iota")]
    if not jnp.issubdtype(rows.aval.dtype, jnp.integer) or jnp.iinfo(rows.aval.dtype).max < a.aval.shape[0] - 1:
        return False  # the count overflows and starts again
    return [count and count.params["dimension"] for count in counts] == [0, 1]
