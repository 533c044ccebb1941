"""The entries of a linear map that is a sum of products, from its factors."""

import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import Literal

from matcalc.planner.cost import ClosedJaxpr, JaxprEqn, is_jitted, known
from matcalc.planner.evaluate import Values
from matcalc.planner.search import Label, Labels, Node, Space, Term, TooLarge, cheapest
from matcalc.planner.transform import TERMS, bind, evaluate

MOST = 64  # products of one map, beyond which a basis is less work


def jacobian_of_linear(apply: Callable[[Any], Any], variable: jax.ShapeDtypeStruct) -> Array:
    """The entries of a linear map, the axes of its value first and then those of its variable.

    P V Q is a product with V in it; without V, and with the labels of V open, it is the derivative P ⊗ Qᵀ. A map of
    another form is applied to a basis; TypeError if it is one of complex numbers, as it may be linear over ℝ only.
    """
    program, written = _Program(variable), cast(ClosedJaxpr, jax.make_jaxpr(apply)(variable))
    shape = (*written.out_avals[0].shape, *variable.shape)

    def by_basis() -> Array:
        if jnp.issubdtype(variable.dtype, jnp.complexfloating):
            raise TypeError(f"this map is written down for real variables only, got {variable.dtype}. Apply it with @.")
        if 0 in shape:
            return jnp.zeros(shape, written.out_avals[0].dtype)
        basis = jnp.eye(math.prod(variable.shape), dtype=variable.dtype).reshape(-1, *variable.shape)
        return jax.vmap(lambda V: evaluate(written, [V])[0], out_axes=-1)(basis).reshape(shape)

    try:
        (value,) = program.run(written, [program.V])
        if not isinstance(value, tuple):  # 0, as it does not depend on V
            return jnp.zeros(shape, value.dtype)
        entries = program.entries(value, shape)
    except (NotAProduct, TooLarge):
        return by_basis()
    return lax.cond(jnp.all(jnp.stack(program.assumed)), entries, by_basis) if program.assumed else entries()


class NotAProduct(Exception):
    """The map is not a sum of products with its argument as one factor."""


@dataclass(frozen=True)
class Product:
    """A product of arrays and V, with a label on every axis; a label that is not one of `axes` is summed over.

    Of ones there is but their number.
    """

    sign: int
    factors: tuple[tuple[Array | int, Labels], ...]
    of_V: Labels
    axes: Labels

    def times(self, array: Array | int, labels: Labels, axes: Labels) -> "Product":
        """With one more factor."""
        return replace(self, factors=(*self.factors, (array, labels)), axes=axes)

    def renamed(self, old: Label, new: Label) -> "Product":
        """With one label for two."""

        def named(labels: Labels) -> Labels:
            return tuple(new if label == old else label for label in labels)

        factors = tuple((array, named(labels)) for array, labels in self.factors)
        return Product(self.sign, factors, named(self.of_V), named(self.axes))


Sum = tuple[Product, ...]  # a value that is linear in V
Value = Array | Sum
Rule = Callable[[Product], Product]


class _Program:
    """Runs a linear program with what depends on V as sums of products, and all else as arrays."""

    def __init__(self, variable: jax.ShapeDtypeStruct) -> None:
        self.dtype = variable.dtype
        self.assumed: list[Array] = []  # what must hold for the map to be this one
        self._precisions: set[Any] = set()
        self._eyes: dict[int, Array] = {}
        self._labels = itertools.count()
        axes = tuple(itertools.islice(self._labels, len(variable.shape)))
        self.V: Sum = (Product(1, (), axes, axes),)

    def run(self, closed: ClosedJaxpr, values: Sequence[Value]) -> list[Value]:
        """The results of a program. NotAProduct if one of them is not a sum of products."""
        env: dict[Any, Value] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        env |= zip(closed.jaxpr.invars, values, strict=True)

        def read(atom: Any) -> Value:
            aval: Any = atom.aval
            return jnp.asarray(atom.val, aval.dtype) if isinstance(atom, Literal) else env[atom]

        for eqn in closed.jaxpr.eqns:
            inputs = [read(atom) for atom in eqn.invars]
            is_linear = any(isinstance(value, tuple) for value in inputs)
            env |= zip(eqn.outvars, self._linear(eqn, inputs) if is_linear else bind(eqn, inputs), strict=True)
        return [read(atom) for atom in closed.jaxpr.outvars]

    def _linear(self, eqn: JaxprEqn, inputs: list[Any]) -> Sequence[Value]:
        """The results of an operation on what depends on V."""
        name = known(eqn) or eqn.primitive.name
        if is_jitted(eqn):
            return self.run(eqn.params["jaxpr"], inputs)
        if name == "optimization_barrier":
            return inputs
        if name == "cond":
            return self._cond(eqn, *inputs)
        if name not in SUMS | PRODUCTS or eqn.outvars[0].aval.dtype != self.dtype:
            raise NotAProduct
        if name in SUMS:
            over = eqn.outvars[0].aval.shape
            spread = [
                tuple(map(self._over(atom.aval.shape, over), value)) if isinstance(value, tuple) else value
                for atom, value in zip(eqn.invars, inputs, strict=True)
            ]
            products = getattr(self, f"_{name}")(*spread)
            if len(products) > MOST:
                raise NotAProduct
            return [products]
        k, *more = (k for k, value in enumerate(inputs) if isinstance(value, tuple))
        if more:
            raise NotAProduct
        rule: Rule = getattr(self, f"_{name}")(eqn, k, eqn.invars[k].aval.shape, *inputs[:k], *inputs[k + 1 :])
        return [tuple(map(rule, inputs[k]))]

    def _cond(self, eqn: JaxprEqn, index: Any, *operands: Any) -> list[Value]:
        """The results of the first branch that gives sums of products, assumed to be taken."""
        before = self.assumed
        for k, branch in enumerate(eqn.params["branches"]):
            self.assumed = [*before, index == jnp.asarray(k, index.dtype)]
            try:
                return self.run(branch, operands)
            except NotAProduct:
                continue
        raise NotAProduct

    # --- Sums

    def _over(self, shape: Sequence[int], over: Sequence[int]) -> Rule:
        """Of an operation by entries that takes numbers and axes of one entry for arrays."""
        return self._spread({i: i for i in _kept(shape, over)}, over)

    def _add(self, a: Any, b: Any) -> Sum:
        return _products(a) + _products(b)

    def _add_any(self, a: Any, b: Any) -> Sum:
        return self._add(a, b)

    def _sub(self, a: Any, b: Any) -> Sum:
        return self._add(a, tuple(replace(product, sign=-product.sign) for product in _products(b)))

    def _select_n(self, which: Any, *cases: Any) -> Sum:
        """Where one number decides, the products of all cases; what is not taken has the factors 0."""
        if isinstance(which, tuple) or which.ndim:
            raise NotAProduct
        return tuple(
            self._where(which == jnp.asarray(k, which.dtype), product)
            for k, case in enumerate(cases)
            for product in _products(case)
        )

    def _where(self, is_taken: Array, product: Product) -> Product:
        """A product, or one with all factors 0."""
        factors = tuple(
            (a if isinstance(a, int) else jnp.where(is_taken, a, 0), labels) for a, labels in product.factors
        )
        return replace(product, factors=factors).times(is_taken.astype(self.dtype), (), product.axes)

    # --- What operations do to a product, given which operand it is, its shape, and the other operands

    def _dot_general(self, eqn: JaxprEqn, k: int, shape: Sequence[int], array: Array) -> Rule:
        contracted, batch = eqn.params["dimension_numbers"]
        if eqn.params.get("preferred_element_type") not in (None, self.dtype) or eqn.params.get("out_sharding"):
            raise NotAProduct
        if contracted[0]:
            self._precisions.add(eqn.params["precision"])
        same = dict(zip((*contracted[1 - k], *batch[1 - k]), (*contracted[k], *batch[k]), strict=True))

        def rule(product: Product) -> Product:
            axes = product.axes
            labels = tuple(axes[same[j]] if j in same else next(self._labels) for j in range(array.ndim))
            ours = tuple(label for i, label in enumerate(axes) if i not in same.values())
            others = tuple(label for j, label in enumerate(labels) if j not in same)
            free = ours + others if k == 0 else others + ours
            return product.times(array, labels, (*(axes[i] for i in batch[k]), *free))

        return rule

    def _mul(self, eqn: JaxprEqn, k: int, shape: Sequence[int], array: Array) -> Rule:
        over = eqn.outvars[0].aval.shape
        kept, spread = _kept(array.shape, over), self._over(shape, over)
        factor = array.reshape([over[i] for i in kept])

        def rule(product: Product) -> Product:
            product = spread(product)
            return product.times(factor, tuple(product.axes[i] for i in kept), product.axes)

        return rule

    def _neg(self, *_: Any) -> Rule:
        return lambda product: replace(product, sign=-product.sign)

    def _transpose(self, eqn: JaxprEqn, *_: Any) -> Rule:
        return lambda product: replace(product, axes=tuple(product.axes[i] for i in eqn.params["permutation"]))

    def _broadcast_in_dim(self, eqn: JaxprEqn, k: int, shape: Sequence[int], *_: Any) -> Rule:
        over = eqn.params["shape"]
        return self._spread(
            {j: i for i, j in enumerate(eqn.params["broadcast_dimensions"]) if shape[i] == over[j]}, over
        )

    def _reshape(self, eqn: JaxprEqn, k: int, shape: Sequence[int], *_: Any) -> Rule:
        """Axes of one entry more or less."""
        over = eqn.params["new_sizes"]
        axes, places = ([i for i, size in enumerate(sizes) if size != 1] for sizes in (shape, over))
        if eqn.params["dimensions"] is not None or [shape[i] for i in axes] != [over[j] for j in places]:
            raise NotAProduct
        return self._spread(dict(zip(places, axes, strict=True)), over)

    def _spread(self, kept: Mapping[int, int], over: Sequence[int]) -> Rule:
        """Constant along all axes but those that are kept, given which they were; one entry of all others."""

        def rule(product: Product) -> Product:
            axes = product.axes
            new = {j: next(self._labels) for j in range(len(over)) if j not in kept}
            product = replace(product, axes=tuple(axes[kept[j]] if j in kept else new[j] for j in range(len(over))))
            return functools.reduce(lambda p, j: p.times(over[j], (new[j],), p.axes), new, product)

        return rule

    def _squeeze(self, eqn: JaxprEqn, *_: Any) -> Rule:
        return _summed(eqn.params["dimensions"])

    def _reduce_sum(self, eqn: JaxprEqn, *_: Any) -> Rule:
        return _summed(eqn.params["axes"])

    def _slice(self, eqn: JaxprEqn, k: int, shape: Sequence[int], *_: Any) -> Rule:
        """A product with rows of the identity matrix."""
        limits, strides = eqn.params["limit_indices"], eqn.params["strides"] or (1,) * len(shape)
        rows: dict[int, Array] = {}
        for axis, bounds in enumerate(zip(eqn.params["start_indices"], limits, strides, strict=True)):
            if len(range(*bounds)) < shape[axis]:
                rows[axis] = (jnp.arange(*bounds)[:, None] == jnp.arange(shape[axis])[None]).astype(self.dtype)

        def rule(product: Product) -> Product:
            for axis, E in rows.items():
                new, old = next(self._labels), product.axes[axis]
                product = product.times(E, (new, old), (*product.axes[:axis], new, *product.axes[axis + 1 :]))
            return product

        return rule

    def _trace(self, eqn: JaxprEqn, k: int, shape: Sequence[int]) -> Rule:
        if shape[0] != shape[1]:
            raise NotAProduct

        def rule(product: Product) -> Product:
            i, j, *others = product.axes
            return replace(product, axes=tuple(others)).renamed(j, i)

        return rule

    def _diag(self, *_: Any) -> Rule:
        return lambda product: replace(product, axes=2 * product.axes)

    def _custom_linear_solve(self, eqn: JaxprEqn, k: int, shape: Sequence[int], *constants: Array) -> Rule:
        """A product with the inverse, where each column of the solution depends on one column."""
        is_by_columns = len(shape) == 1 or _is_matrix_product(eqn.params["jaxprs"].matvec)
        if 0 in shape or not is_by_columns or not sum(eqn.params["const_lengths"]) == k == len(constants):
            raise NotAProduct
        n, m = shape[0], math.prod(shape[1:])
        E = jnp.eye(n, -(-n // m) * m, dtype=self.dtype).reshape(n, -1, *shape[1:])
        A_inv = jax.vmap(lambda b: bind(eqn, [*constants, b])[0], 1, 1)(E).reshape(n, -1)[:, :n]

        def rule(product: Product) -> Product:
            row, (column, *others) = next(self._labels), product.axes
            return product.times(A_inv, (row, column), (row, *others))

        return rule

    # --- The derivative

    def entries(self, value: Sum, shape: Sequence[int]) -> Callable[[], Array]:
        """Computes the entries of the derivative of a value by V."""
        derivatives = [self._without_V(product, shape) for product in value]
        # Products of different precisions do not join; at the highest all do.
        precision = self._precisions.pop() if len(self._precisions) == 1 else (lax.Precision.HIGHEST,) * 2
        parts = self._planned(derivatives, precision)
        return lambda: functools.reduce(operator.add, (part() for part in parts))

    def _without_V(self, product: Product, shape: Sequence[int]) -> Product:
        """A product with the axes of V behind its own. An index of both is a δ, and one of V alone has a factor 1."""
        arrays = {label for array, labels in product.factors if not isinstance(array, int) for label in labels}
        factors = [f for f in product.factors if not isinstance(f[0], int) or f[1][0] not in arrays]
        axes: list[Label] = []
        for label, size in zip((*product.axes, *product.of_V), shape, strict=True):
            if label in axes:
                new = next(self._labels)
                factors.append((self._eye(size), (label, new)))
                axes.append(new)
            else:
                if not any(label in labels for _, labels in factors):
                    factors.append((size, (label,)))
                axes.append(label)
        return Product(product.sign, tuple(factors) or ((jnp.ones((), self.dtype), ()),), (), tuple(axes))

    def _eye(self, size: int) -> Array:
        if size not in self._eyes:
            self._eyes[size] = jnp.diag(jnp.ones(size, self.dtype))
        return self._eyes[size]

    def _planned(self, products: Sequence[Product], precision: Any) -> list[Callable[[], Array]]:
        """The sum in as few parts as can be planned."""
        half = len(products) // 2
        try:
            if len(products) <= TERMS:
                return [self._plan(products, precision)]
        except TooLarge:
            if not half:
                raise
        return self._planned(products[:half], precision) + self._planned(products[half:], precision)

    def _plan(self, products: Sequence[Product], precision: Any) -> Callable[[], Array]:
        space, arrays = Space(), dict[int, Array]()  # by place in memory, for they can't be hashed

        def node(array: Array | int) -> Node:
            if isinstance(array, int):
                return space.array((array, self.dtype), (array,), "ones")
            arrays[id(array)] = array
            return space.array(id(array), array.shape)

        def term(product: Product) -> Term:
            return Term(product.sign, tuple((node(array), labels) for array, labels in product.factors), product.axes)

        part = space.sum(list(map(term, products)))
        plan = cheapest(space, [part.node])
        return lambda: Values(space, plan, arrays.__getitem__, precision).of(part, products[0].axes)


SUMS = {"add", "add_any", "select_n", "sub"}
PRODUCTS = {
    "broadcast_in_dim", "custom_linear_solve", "diag", "dot_general", "mul", "neg", "reduce_sum", "reshape", "slice",
    "squeeze", "trace", "transpose",
}  # fmt: skip


def _products(value: Value) -> Sum:
    """Those of a value; none of what does not depend on V, which is 0."""
    return value if isinstance(value, tuple) else ()


def _kept(shape: Sequence[int], over: Sequence[int]) -> list[int]:
    """The axes along which an array is not repeated where it stands for one of another shape."""
    if shape and len(shape) != len(over):
        raise NotAProduct
    return [i for i, size in enumerate(shape) if size == over[i]]


def _summed(axes: Sequence[int]) -> Rule:
    return lambda product: replace(product, axes=tuple(l for i, l in enumerate(product.axes) if i not in axes))


def _is_matrix_product(matvec: ClosedJaxpr) -> bool:
    """Whether a function of a matrix is the product of another with it."""
    if len(matvec.jaxpr.eqns) != 1:
        return False
    (eqn,) = matvec.jaxpr.eqns
    if eqn.primitive is not lax.dot_general_p or eqn.invars[1] is not matvec.jaxpr.invars[-1]:
        return False
    return eqn.params["dimension_numbers"] == (((1,), (0,)), ((), ()))
