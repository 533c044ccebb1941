"""From a function to one that takes its matrix products in the cheapest order."""

import functools
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var

from matcalc.planner.cost import ClosedJaxpr, is_jitted, known, work_of
from matcalc.planner.evaluate import OURS, Values, copied, is_small, keeps_sums, small_product
from matcalc.planner.search import (
    FACTORS,
    Label,
    Labels,
    Node,
    Part,
    Plan,
    Space,
    Term,
    TooLarge,
    cheapest,
    connected,
    thin_sums,
    time,
)

Pairs = Callable[[Labels, Labels], tuple[Any, Any]]
P = ParamSpec("P")
R = TypeVar("R")


def reassociate(fun: Callable[P, R]) -> Callable[P, R]:
    """The same function with sums of matrix products evaluated in the cheapest order for the shapes it is called with.

    Products are associated anew, sub-products that are used twice computed once (up to transposition), common ends
    factored, P Q + P R = P (Q + R), traces of products taken without the last product, scalars multiplied where they
    meet the fewest entries, and inverses applied as solutions that share one factorisation. Jitted functions of nothing
    but such sums count as if written out. It never takes more multiply-adds and additions than `fun` as written, which
    is evaluated as it is where nothing is to be gained, as is all else in `fun`. The result agrees to rounding, as no
    product is multiplied out, unless it overflows on the way: Q + R may where P Q + P R does not, and the other way.

    It can be jitted, mapped and differentiated. The order is chosen when it is traced, so jit it: an eager call chooses
    it every time. Arguments are what `fun` takes; those that are no arrays stay as they are.
    """

    if not callable(fun):
        raise TypeError(f"reassociate takes a function, got {type(fun).__name__}.")

    @functools.wraps(fun)
    def reassociated(*args: P.args, **kwargs: P.kwargs) -> R:
        leaves, tree = jax.tree.flatten((args, kwargs))
        places = [k for k, leaf in enumerate(leaves) if _is_array(leaf)]

        def of_arrays(*arrays: Any) -> Any:
            at = dict(zip(places, arrays, strict=True))
            arguments: Any = jax.tree.unflatten(tree, [at.get(k, leaf) for k, leaf in enumerate(leaves)])
            return cast(Any, fun)(*arguments[0], **arguments[1])

        # As JAX takes them: arrays of NumPy have other dtypes, and arithmetic of their own.
        arrays = [
            jnp.asarray(leaves[k]) if isinstance(leaves[k], np.ndarray | np.generic) else leaves[k] for k in places
        ]
        closed, shape = jax.make_jaxpr(of_arrays, return_shape=True)(*arrays)
        return jax.tree.unflatten(jax.tree.structure(shape), evaluate(closed, arrays))

    return reassociated


def _is_array(leaf: Any) -> bool:
    try:
        return hasattr(leaf, "dtype") and jax.typeof(leaf) is not None
    except TypeError:  # what has a dtype and is none, such as jnp.float32
        return False


def evaluate(closed: ClosedJaxpr, arrays: Sequence[Any]) -> list[Any]:
    """What a program computes, each group of sums of products in its cheapest order."""
    closed = inlined(closed)
    program = Program(closed.jaxpr)
    env: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    env |= dict(zip(closed.jaxpr.invars, arrays, strict=True))

    def read(atom: Any) -> Any:
        return jnp.asarray(atom.val) if isinstance(atom, Literal) else env[atom]

    made: dict[Var, Values] = {}
    for group in program.groups:
        values = Values(program.space, group.plan, lambda name: read(program.atoms[name]), group.precision)
        made |= dict.fromkeys(group.goals, values)
    for eqn in closed.jaxpr.eqns:
        if made.keys() & {*eqn.outvars}:
            (goal,) = eqn.outvars
            env[goal] = _meant(made[goal].of(*program.goals[goal]))
        elif id(eqn) in program.bound:
            values = [a.val if isinstance(a, Literal) else env[a] for a in eqn.invars]
            env |= zip(eqn.outvars, bind(eqn, values), strict=True)
    return [read(atom) for atom in closed.jaxpr.outvars]


def bind(eqn: JaxprEqn, values: list[Any]) -> list[Any]:
    """An operation as it was written; a jitted function is planned inside; our own are inverses, traces, and products
    of small matrices."""
    if (name := known(eqn)) in OURS and _is_understood(eqn) and keeps_sums(_aval(eqn.outvars[0]).dtype):
        return [_meant(OURS[name](*values))]
    if _is_small(eqn):
        a, b = values
        return [small_product(a, b, eqn.params["dimension_numbers"], eqn.params["precision"])]
    if eqn.primitive.name == "jit" and gains(eqn.params["jaxpr"]):
        eqn = eqn.replace(params=eqn.params | {"jaxpr": planned(eqn.params["jaxpr"])})
    return _as_it_is(eqn, values)


def _meant(value: Any) -> Any:
    """A value whose dtype does not give way to that of others, as that of a number of Python does."""
    return lax.convert_element_type(value, value.dtype)


def _as_it_is(eqn: JaxprEqn, values: list[Any]) -> list[Any]:
    with eqn.ctx.manager:
        results = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(eqn.params))
    return list(results) if eqn.primitive.multiple_results else [results]


def planned(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same program, planned."""
    return jax.make_jaxpr(lambda *arrays: evaluate(closed, arrays))(*closed.in_avals)


def gains(closed: ClosedJaxpr) -> bool:
    """Whether there is anything to gain in a program."""
    jaxpr = inlined(closed).jaxpr
    inner = (eqn.params["jaxpr"] for eqn in jaxpr.eqns if is_jitted(eqn))
    return any(map(_is_small, jaxpr.eqns)) or bool(Program(jaxpr).groups) or any(map(gains, inner))


def inlined(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same program with jitted functions of nothing but sums of products written out, as a power of a matrix is."""
    chosen = {id(eqn) for eqn in closed.jaxpr.eqns if _is_of_sums(eqn)}
    if not chosen:
        return closed

    def run(closed: ClosedJaxpr, arrays: Sequence[Any], is_inlined: Callable[[JaxprEqn], bool]) -> list[Any]:
        env: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        env |= dict(zip(closed.jaxpr.invars, arrays, strict=True))
        for eqn in closed.jaxpr.eqns:
            values = [a.val if isinstance(a, Literal) else env[a] for a in eqn.invars]
            # What is jitted inside of sums of products is such a sum too.
            results = run(eqn.params["jaxpr"], values, is_jitted) if is_inlined(eqn) else _as_it_is(eqn, values)
            env |= zip(eqn.outvars, results, strict=True)
        return [a.val if isinstance(a, Literal) else env[a] for a in closed.jaxpr.outvars]

    return jax.make_jaxpr(lambda *arrays: run(closed, arrays, lambda eqn: id(eqn) in chosen))(*closed.in_avals)


def _is_of_sums(eqn: JaxprEqn) -> bool:
    """Whether an operation is a jitted function of sums of products only, compiled in no way of its own."""
    if not is_jitted(eqn):
        return False
    inside = eqn.params["jaxpr"].jaxpr.eqns
    if not all((known(e) or e.primitive.name) in UNDERSTOOD or _is_of_sums(e) for e in inside):
        return False
    (plain,) = jax.make_jaxpr(jax.jit(lambda x: x))(0.0).eqns
    own = {name: value for name, value in eqn.params.items() if name not in ("jaxpr", "name")}
    return all({*_entries(value)} <= {*_entries(plain.params[name])} for name, value in own.items())


def _entries(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_small(eqn: JaxprEqn) -> bool:
    """Whether an operation is a product of small matrices."""
    if eqn.primitive is not lax.dot_general_p or eqn.params.get("out_sharding"):
        return False
    a, b = (_aval(atom) for atom in eqn.invars)
    return _is_understood(eqn) and is_small(a.shape, b.shape, a.dtype, eqn.params["dimension_numbers"])


def _is_understood(eqn: JaxprEqn, *, converts: bool = False) -> bool:
    """Whether the arrays of an operation are such as are understood: floating point numbers, all of one dtype.

    Not one that gives way to that of others, or that JAX as it is set has not; no sizes that are unknown; and no axis
    of a mesh in their types.
    """
    *given, out = (_aval(atom) for atom in (*eqn.invars, *eqn.outvars))
    is_one = converts or all(aval.dtype == out.dtype for aval in given)
    return (
        is_one and jnp.issubdtype(out.dtype, jnp.inexact) and not out.weak_type and all(map(_is_plain, (*given, out)))
    )


def _is_plain(aval: Any) -> bool:
    is_sharded = any(part is not None for part in aval.sharding.spec)
    is_known = all(isinstance(size, int) for size in aval.shape)
    return is_known and not is_sharded and jax.dtypes.canonicalize_dtype(aval.dtype) == aval.dtype


CONSTANT: Label = -1


@dataclass(frozen=True)
class Form:
    """A value as a sum of products. An axis that it is constant along has the label CONSTANT."""

    terms: tuple[Term, ...]
    dtype: Any
    precision: Any = None
    multiplies: bool = False  # whether `precision` means anything

    @property
    def is_whole(self) -> bool:
        """Whether every entry is there; along axes of one label there is but a diagonal, along CONSTANT one entry."""
        return all(CONSTANT not in term.axes and len(set(term.axes)) == len(term.axes) for term in self.terms)


@dataclass(frozen=True)
class Group:
    """Goals that have arrays in common, and the plan for them."""

    goals: tuple[Var, ...]
    plan: Plan
    precision: Any
    written: tuple[JaxprEqn, ...]  # the operations instead of which it is


class Program:
    """What of a program are sums of products: its `goals`, in the `groups` that gain by a plan; `bound` is the rest."""

    def __init__(self, jaxpr: Jaxpr) -> None:
        self.jaxpr = jaxpr
        self.made_by = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
        self.space = Space()
        self.atoms: dict[int, Any] = {}  # by name: the place in memory, for literals have no other
        self._labels = itertools.count()
        self.forms: dict[Var, Form] = {}
        for eqn in jaxpr.eqns:
            if len(eqn.outvars) == 1 and not eqn.effects and (form := self._form(eqn)) is not None:
                self.forms[eqn.outvars[0]] = form
        self.goals: dict[Var, tuple[Part, Labels]] = {}
        needed, _ = self._needed({var for var, form in self.forms.items() if form.is_whole})
        groups = [group for goals in connected(needed, self._marks) if (group := self._group(goals))]
        self.groups, self.bound = self._gaining(groups)

    # --- Forms

    def _form(self, eqn: JaxprEqn) -> Form | None:
        """The result of an operation as a sum of products, if it is one."""
        name = known(eqn) or eqn.primitive.name
        if name not in UNDERSTOOD or not _is_understood(eqn, converts=name == "convert_element_type"):
            return None
        return getattr(self, f"_{name}")(eqn, *eqn.invars)

    def _array(self, atom: Any, kind: str = "array") -> Node:
        self.atoms[id(atom)], shape = atom, tuple(_aval(atom).shape)
        if isinstance(atom, Var) and atom in self.made_by:
            self.space.computed.add(self.space.array(id(atom), shape))
        return self.space.array(id(atom), shape, kind)

    def _whole(self, atom: Any) -> Form:
        """A value as one factor."""
        labels = tuple(next(self._labels) for _ in atom.aval.shape)
        return Form((Term(1, ((self._array(atom), labels),), labels),), atom.aval.dtype)

    def _fresh(self, atom: Any) -> Form:
        """The form of a value, with labels of its own; the value itself where it has none."""
        form = None if isinstance(atom, Literal) else self.forms.get(atom)
        if form is None:
            return self._whole(atom)
        return replace(form, terms=tuple(self._renamed(term) for term in form.terms))

    def _renamed(self, term: Term) -> Term:
        old = {label for _, labels in term.factors for label in labels}
        return _with_labels(term, {label: next(self._labels) for label in old})

    def _factor(self, atom: Any) -> Form:
        """The form of a value that is multiplied: a product, or the value itself where that is a sum."""
        form = self._fresh(atom)
        return form if len(form.terms) == 1 and len(form.terms[0].factors) < FACTORS else self._whole(atom)

    def _product(
        self,
        a: Any,
        b: Any,
        pairs: Pairs,
        precision: Any = None,
        *,
        sums: bool = False,
        over: Sequence[int] | None = None,
    ) -> Form | None:
        """The product of two values; `pairs` says which labels are one, and which are the axes of the result.

        Entry by entry they are first spread `over` the shape of the result.
        """
        left, right = self._factor(a), self._factor(b)
        clash = left.multiplies and right.multiplies and left.precision != right.precision
        for form in (left, right):
            clash |= sums and form.multiplies and form.precision != precision
        if clash or len(left.terms[0].factors) + len(right.terms[0].factors) > FACTORS:
            left, right = self._whole(a), self._whole(b)
        if over is not None:
            left, right = (self._spread(f, x.aval.shape, range(x.aval.ndim), over) for f, x in ((left, a), (right, b)))
        (s,), (t,) = left.terms, right.terms
        same, axes = pairs(s.axes, t.axes)
        if any(CONSTANT in pair for pair in same):
            return None
        names: dict[Label, Label] = {}
        for old, new in same:
            old, new = _last(names, old), _last(names, new)
            if old != new:
                names[old] = new
        joined = self._without_ones(_with_labels(Term(s.sign * t.sign, s.factors + t.factors, axes), names))
        inner = left if left.multiplies else right
        return Form((joined,), left.dtype, precision if sums else inner.precision, sums or inner.multiplies)

    def _without_ones(self, term: Term) -> Term:
        """A product without ones along labels that stand at something else too."""
        ones = [f for f in term.factors if self.space.nodes[f[0]][0] == "ones"]
        for factor in ones:
            others = [f for f in term.factors if f is not factor]
            if any(factor[1][0] in labels for _, labels in others):
                term = replace(term, factors=tuple(others))
        return term

    def _dot_general(self, eqn: JaxprEqn, a: Any, b: Any) -> Form | None:
        (contracted, batch), out = eqn.params["dimension_numbers"], _aval(eqn.outvars[0])
        if eqn.params.get("preferred_element_type") not in (None, out.dtype) or eqn.params.get("out_sharding"):
            return None

        def pairs(left: Labels, right: Labels) -> tuple[Any, Any]:
            same = [(right[j], left[i]) for i, j in (*zip(*contracted, strict=True), *zip(*batch, strict=True))]
            of_left = [left[i] for i in batch[0]]
            of_left += [label for i, label in enumerate(left) if i not in (*contracted[0], *batch[0])]
            of_right = [label for j, label in enumerate(right) if j not in (*contracted[1], *batch[1])]
            return same, (*of_left, *of_right)

        form = self._product(a, b, pairs, eqn.params["precision"], sums=True)
        return form if form is None or CONSTANT not in form.terms[0].axes else None

    def _mul(self, eqn: JaxprEqn, a: Any, b: Any) -> Form | None:
        """A product with a scalar, or with what is constant along some axis; not of any two arrays entry by entry."""
        shapes, out = (a.aval.shape, b.aval.shape), _aval(eqn.outvars[0]).shape
        forms = [self._spread(self._factor(atom), atom.aval.shape, range(atom.aval.ndim), out) for atom in (a, b)]
        if all(shapes) and not any(CONSTANT in form.terms[0].axes for form in forms):
            return None

        def pairs(left: Labels, right: Labels) -> tuple[Any, Any]:
            both = [(r, l) for l, r in zip(left, right, strict=True) if CONSTANT not in (l, r)]
            return both, tuple(l if l != CONSTANT else r for l, r in zip(left, right, strict=True))

        return self._product(a, b, pairs, over=out)

    def _broadcast_in_dim(self, eqn: JaxprEqn, a: Any, *_: Any) -> Form | None:
        form = self._factor(a)
        return self._spread(form, a.aval.shape, eqn.params["broadcast_dimensions"], eqn.params["shape"])

    @staticmethod
    def _spread(form: Form, shape: Sequence[int], places: Sequence[int], over: Sequence[int]) -> Form:
        """A product that is constant along new axes, and along those of size 1 that become longer."""
        (term,) = form.terms
        axes = [CONSTANT] * len(over)
        for label, size, place in zip(term.axes, shape, places, strict=True):
            axes[place] = label if size == over[place] else CONSTANT
        return replace(form, terms=(replace(term, axes=tuple(axes)),))

    def _transpose(self, eqn: JaxprEqn, a: Any) -> Form:
        form, order = self._fresh(a), eqn.params["permutation"]
        return replace(form, terms=tuple(replace(t, axes=tuple(t.axes[i] for i in order)) for t in form.terms))

    def _neg(self, eqn: JaxprEqn, a: Any) -> Form:
        form = self._fresh(a)
        return replace(form, terms=tuple(replace(term, sign=-term.sign) for term in form.terms))

    def _add(self, eqn: JaxprEqn, a: Any, b: Any, sign: int = 1) -> Form | None:
        if a.aval.shape != b.aval.shape or isinstance(a, Literal) or isinstance(b, Literal):
            return None
        forms = [self._fresh(a), self._fresh(b)]
        precisions = {form.precision for form in forms if form.multiplies}
        for k, atom in enumerate((a, b)):
            if not forms[k].is_whole or len(precisions) > 1:
                forms[k] = self._whole(atom)
        if len(forms[0].terms) + len(forms[1].terms) > TERMS:
            k = int(len(forms[1].terms) > len(forms[0].terms))
            forms[k] = self._whole((a, b)[k])
        left, right = forms
        terms = (*left.terms, *(replace(term, sign=sign * term.sign) for term in right.terms))
        inner = left if left.multiplies else right
        return Form(terms, left.dtype, inner.precision, inner.multiplies)

    def _add_any(self, eqn: JaxprEqn, a: Any, b: Any) -> Form | None:
        return self._add(eqn, a, b)

    def _sub(self, eqn: JaxprEqn, a: Any, b: Any) -> Form | None:
        return self._add(eqn, a, b, -1)

    def _trace(self, eqn: JaxprEqn, a: Any) -> Form | None:
        if len(a.aval.shape) > 2:
            return None
        form = self._factor(a)
        if CONSTANT in form.terms[0].axes:
            form = self._whole(a)
        (term,) = form.terms
        i, j = term.axes
        return replace(form, terms=(_with_labels(replace(term, axes=()), {j: i} if i != j else {}),))

    def _diag(self, eqn: JaxprEqn, a: Any) -> Form:
        """A diagonal matrix: one label on both axes."""
        form = self._whole(a)
        (term,) = form.terms
        return replace(form, terms=(replace(term, axes=2 * term.axes),))

    def _convert_element_type(self, eqn: JaxprEqn, a: Any) -> Form | None:
        """The identity matrix, as `jnp.eye` makes it: the diagonal matrix of ones."""
        out = _aval(eqn.outvars[0])
        if not self._is_eye(a):
            return None
        labels = (next(self._labels),)
        ones = self.space.array((out.shape[0], out.dtype), out.shape[:1], "ones")
        return Form((Term(1, ((ones, labels),), 2 * labels),), out.dtype)

    def _is_eye(self, a: Any) -> bool:
        """Whether this is [i = j], with i + 0 = j in the terms of JAX."""
        if (equal := self._made(a, "eq")) is None or a.aval.ndim != 2 or a.aval.shape[0] != a.aval.shape[1]:
            return False
        rows, columns = equal.invars
        if (added := self._made(rows, "add")) is not None:
            rows, zero = added.invars
            if not isinstance(zero, Literal) or zero.val != 0:
                return False
        counts = [self._made(rows, "iota"), self._made(columns, "iota")]
        if not jnp.issubdtype(rows.aval.dtype, jnp.integer) or jnp.iinfo(rows.aval.dtype).max < a.aval.shape[0] - 1:
            return False  # it would count anew
        return [count and count.params["dimension"] for count in counts] == [0, 1]

    def _made(self, a: Any, by: str) -> Any:
        """The operation of this name that makes a value, if one does."""
        eqn = self.made_by.get(a) if isinstance(a, Var) else None
        return eqn if eqn is not None and eqn.primitive.name == by else None

    def _inv(self, eqn: JaxprEqn, a: Any) -> Form:
        form = self._whole(a)
        (term,) = form.terms
        ((_, labels),) = term.factors
        return replace(form, terms=(replace(term, factors=((self._array(a, "inverse"), labels),)),))

    # --- Goals

    def _needed(self, goals: Collection[Var]) -> tuple[list[Var], set[int]]:
        """Which of the goals are needed, in the order in which they are made; and the operations that make all else."""
        todo = [atom for atom in self.jaxpr.outvars if isinstance(atom, Var)]
        bound = {id(eqn) for eqn in self.jaxpr.eqns if eqn.effects}
        todo += [a for eqn in self.jaxpr.eqns if eqn.effects for a in eqn.invars if isinstance(a, Var)]
        seen: set[Var] = set()
        while todo:
            var = todo.pop()
            if var in seen or var not in self.made_by:
                continue
            seen.add(var)
            if var in goals:
                todo += [atom for atom in self._arrays(var) if isinstance(atom, Var)]
            else:
                bound.add(id(self.made_by[var]))
                todo += [a for a in self.made_by[var].invars if isinstance(a, Var)]
        return [var for eqn in self.jaxpr.eqns for var in eqn.outvars if var in goals and var in seen], bound

    def _arrays(self, var: Var) -> list[Any]:
        """The values that stand as factors in the form of another."""
        names = [self.space.nodes[node][1] for term in self.forms[var].terms for node, _ in term.factors]
        return [self.atoms[name] for name in names if name in self.atoms]

    def _marks(self, goal: Var) -> list[Any]:
        """What goals of a group have in common: an array, and their precision."""
        form = self.forms[goal]
        precision = form.precision if form.multiplies else None
        return [(id(atom), precision) for atom in self._arrays(goal)]

    def _group(self, goals: list[Var]) -> Group | None:
        """The goals with a plan, unless there are too many."""
        written = self._written(goals)
        if not any(work_of(eqn).operations for eqn in written):
            return None
        try:
            for goal in goals:
                form = self.forms[goal]
                self.goals[goal] = self.space.sum(form.terms), form.terms[0].axes
            plan = cheapest(self.space, [self.goals[goal][0].node for goal in goals])
        except TooLarge:
            return None
        precision = next((form.precision for goal in goals if (form := self.forms[goal]).multiplies), None)
        return Group(tuple(goals), plan, precision, tuple(written))

    def _gaining(self, groups: list[Group]) -> tuple[list[Group], set[int]]:
        """The groups whose plans cost less than what is written and take no more operations; and what else is bound.

        What is written for a group does not count where it is done all the same, for something else.
        """
        while True:
            _, bound = self._needed({goal for group in groups for goal in group.goals})
            done, gaining = set(bound), list[Group]()
            for group in groups:
                saved = [eqn for eqn in group.written if id(eqn) not in done]
                done |= set(map(id, saved))
                is_cheaper = group.plan.cost < sum(map(self._time, saved)) or thin_sums(self.space, group.plan)
                if is_cheaper and group.plan.operations <= sum(work_of(eqn).operations for eqn in saved):
                    gaining.append(group)
            if len(gaining) == len(groups):
                return groups, bound
            groups = gaining

    def _time(self, eqn: JaxprEqn) -> int:
        operations, moved, _ = work_of(eqn)
        return time(operations, moved + 2 * self._copied(eqn), solves=known(eqn) == "inv")

    def _copied(self, eqn: JaxprEqn) -> int:
        """The entries that a product of matrices copies as written, and would not with its factors swapped."""
        if eqn.primitive.name != "dot_general":
            return 0
        (contracted, batch), factors, sizes = eqn.params["dimension_numbers"], list[Labels](), dict[Label, int]()
        if len(contracted[0]) != 1 or batch != ((), ()) or max(_aval(atom).ndim for atom in eqn.invars) > 2:
            return 0
        summed = 2
        for k, (atom, (axis,)) in enumerate(zip(eqn.invars, contracted, strict=True)):
            labels = tuple(summed if i == axis else k for i in range(_aval(atom).ndim))
            sizes |= zip(labels, _aval(atom).shape, strict=True)
            factors.append(labels if self._made(atom, "transpose") is None else labels[::-1])
        left, right = factors
        opened = tuple(label for label in left + right if label != summed)
        return max(0, copied(left, right, sizes, opened, opened) - copied(right, left, sizes, opened, opened))

    def _written(self, goals: Sequence[Var]) -> list[JaxprEqn]:
        """The operations by which goals are made of arrays."""
        arrays = {atom for goal in goals for atom in self._arrays(goal) if isinstance(atom, Var)}
        todo, found = list(goals), dict[int, JaxprEqn]()
        while todo:
            eqn = self.made_by[todo.pop()]
            if id(eqn) not in found:
                found[id(eqn)] = eqn
                todo += [a for a in eqn.invars if isinstance(a, Var) and a in self.forms and a not in arrays]
        return list(found.values())


TERMS = 4  # of one sum, beyond which its plans are too many
UNDERSTOOD = {
    "add", "add_any", "broadcast_in_dim", "convert_element_type", "diag", "dot_general", "inv", "mul", "neg", "sub",
    "trace", "transpose",
}  # fmt: skip


def _with_labels(term: Term, names: dict[Label, Label]) -> Term:
    def named(labels: Labels) -> Labels:
        return tuple(_last(names, label) for label in labels)

    return Term(term.sign, tuple((node, named(labels)) for node, labels in term.factors), named(term.axes))


def _aval(atom: Any) -> Any:
    """The shape and dtype of a value."""
    return atom.aval


def _last(names: dict[Label, Label], label: Label) -> Label:
    """The name of a label after all renaming."""
    while label in names:
        label = names[label]
    return label
