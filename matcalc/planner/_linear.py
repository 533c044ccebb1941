"""The entries of a linear map that is a sum of products, from its factors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

from matcalc.planner._evaluate import Values
from matcalc.planner._search import Factor, Label, Node, Term, TooLarge, cheapest
from matcalc.planner._transform import Program, bind
from matcalc.planner._work import is_jitted


def jacobian_of_linear(apply: Callable[[Any], Any], variable: jax.ShapeDtypeStruct) -> Array:
    """The entries of a linear map, the axes of its value first and then those of its variable.

    P V Q is a product with V in it; without V, and with the labels of V open, it is the derivative P ⊗ Qᵀ. A map of
    another form is applied to a basis.
    """
    written = jax.make_jaxpr(apply)(variable)
    # Products of different precisions do not join; at the highest all do.
    changes = {"precision": (lax.Precision.HIGHEST,) * 2} if len(_precisions(written.jaxpr)) > 1 else {}
    closed = jax.make_jaxpr(lambda V: _joined(written, [V], changes))(variable)
    program, (V,), (value,) = Program(closed.jaxpr), closed.jaxpr.invars, closed.jaxpr.outvars
    form = program.forms.get(value) if isinstance(value, Var) else None
    constants = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))

    def read(name: Any) -> Any:
        atom: Any = program.atoms[name]
        return constants[atom] if isinstance(atom, Var) else jnp.asarray(atom.val, atom.aval.dtype)

    factors = [] if form is None else program.arrays(value)
    try:
        if form is None or not form.is_whole or any(isinstance(a, Var) and a in program.made_by for a in factors):
            raise NotAProduct
        terms = [_without(program, V, term) for term in form.terms]
        part = program.space.sum(terms)
        plan = cheapest(program.space, [part.node])
        return Values(program.space, plan, read, form.precision).of(part, terms[0].axes)
    except (NotAProduct, TooLarge):
        return jax.jacfwd(apply)(jnp.zeros(variable.shape, variable.dtype))


def _joined(closed: ClosedJaxpr, arrays: Sequence[Any], changes: Mapping[str, Any]) -> list[Any]:
    """What a program computes, without what keeps its products apart: barriers and jitted functions."""
    env: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    env |= zip(closed.jaxpr.invars, arrays, strict=True)

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else env[atom]

    for eqn in closed.jaxpr.eqns:
        results = values = [read(atom) for atom in eqn.invars]
        if is_jitted(eqn):
            results = _joined(eqn.params["jaxpr"], values, changes)
        elif eqn.primitive is lax.dot_general_p:
            results = bind(eqn.replace(params={**eqn.params, **changes}), values)
        elif eqn.primitive is not lax.optimization_barrier_p:
            results = bind(eqn, values)
        env |= zip(eqn.outvars, results, strict=True)
    return [read(atom) for atom in closed.jaxpr.outvars]


def _precisions(jaxpr: Jaxpr) -> set[Any]:
    """Those of all products."""
    inner = (_precisions(eqn.params["jaxpr"].jaxpr) for eqn in jaxpr.eqns if is_jitted(eqn))
    return {eqn.params["precision"] for eqn in jaxpr.eqns if eqn.primitive is lax.dot_general_p}.union(*inner)


class NotAProduct(Exception):
    """The map is not a sum of products with its argument as one factor."""


def _without(program: Program, V: Any, term: Term) -> Term:
    """A product without V, and with the axes of V behind its own. NotAProduct where V is not one of its factors."""
    node = program.space.array(id(V), V.aval.shape)
    factors = [factor for factor in term.factors if factor[0] != node]
    if len(factors) != len(term.factors) - 1:
        raise NotAProduct
    ((_, labels),) = (factor for factor in term.factors if factor[0] == node)
    elsewhere = {label for _, others in factors for label in others}
    axes: list[Label] = []
    for label, size in zip(labels, V.aval.shape, strict=True):
        if label in term.axes or label in axes:  # an index of V is one of the value, or two of V are one: δ says so
            fresh = program.fresh_label()
            factors.append(_constant(program, "eye", (size, size), V.aval.dtype, (label, fresh)))
            axes.append(fresh)
        else:
            if label not in elsewhere:  # V alone is summed over it
                factors.append(_constant(program, "ones", (size,), V.aval.dtype, (label,)))
            axes.append(label)
    return Term(term.sign, tuple(factors), (*term.axes, *axes))


def _constant(program: Program, kind: str, shape: tuple[int, ...], dtype: Any, labels: tuple[Label, ...]) -> Factor:
    node: Node = program.space.array((shape[0], dtype), shape, kind)
    return node, labels
