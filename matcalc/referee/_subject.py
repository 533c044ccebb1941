"""The function under examination as a function of plain arrays, and the programs made of it."""

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import jax
import jax.numpy as jnp
import numpy as np

from matcalc._domains import Domain, named
from matcalc._identity import Identity
from matcalc._linalg import jax_rules
from matcalc.referee._program import Edited, coarsest
from matcalc.referee._tolerance import relative

Array = np.ndarray[Any, Any]
Arrays = list[Any]
Form = Literal["derivative", "pushforward", "pullback"]
Modes = tuple[Literal["jit", "eager", "numpy"], ...]
HASTY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
HASTY_PASSES = 64  # of forward mode, of which there is less to compile than of reverse mode

REPEATED = 1e-6  # what may change between two runs: the order of a sum, and no more
AGAIN = 3  # times that a function is run or traced once more; a random mask of few entries can be the same twice
ARRAYS = (np.ndarray, jax.Array)
TANGENTS = 3  # along so many random tangents a pushforward is examined, and a pullback at so many cotangents


class Raised(Exception):
    """What a function given to the referee raised."""


@dataclass(frozen=True)
class Spec:
    """How the arguments of a function are made of arrays, and what is differentiated by which of them.

    `statics` are those leaves of the arguments that are no arrays, by place, with their types, for 1 is equal to True;
    `variables` are places in the list of the arrays, and `positions` says which arguments they make up.
    """

    tree: Any
    statics: tuple[tuple[int, Any, type], ...]
    variables: tuple[int, ...]
    positions: tuple[int, ...]
    is_one: bool
    form: Form
    order: int
    is_hasty: bool

    def arguments(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of the function."""
        leaves = list(arrays)
        for place, leaf, _ in self.statics:
            leaves.insert(place, leaf)
        return jax.tree.unflatten(self.tree, leaves)

    def moved(self, arrays: Sequence[Any], variables: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of the function with other values of the variables."""
        at = dict(zip(self.variables, variables, strict=True))
        return self.arguments([at.get(place, a) for place, a in enumerate(arrays)])

    def tangents(self, arrays: Sequence[Any], variables: Sequence[Any]) -> Any:
        """Something for each variable, in the structure that the variables have among the arguments."""
        arguments = self.moved(arrays, variables)
        return arguments[self.positions[0]] if self.is_one else tuple(arguments[p] for p in self.positions)


def plain(f: Callable[..., Any]) -> Callable[..., Any]:
    """What `f` computes, without the rules by which it says to be differentiated."""
    while True:
        if isinstance(f, Identity):
            return functools.partial(_value_of, f)
        if not isinstance(f, (jax.custom_jvp, jax.custom_vjp, jax.stages.Wrapped)):
            return f
        f = cast(Any, f).__wrapped__


def _value_of(entry: Identity[Any], *args: Any) -> Any:
    return entry.value_of(entry.signature.bind(args, {}))


class Program:
    """A function of lists of arrays that gives a list of NumPy arrays.

    It is compiled; where the function cannot be traced, it runs operation by operation, and where JAX's arrays are not
    to its taste, on copies of NumPy arrays. `mode` says how it ran last, `runs` how often. Raised for what it raises in
    every mode.
    """

    def __init__(
        self, function: Callable[..., Any], modes: Modes = ("jit", "eager", "numpy"), is_hasty: bool = False
    ) -> None:
        options: dict[str, Any] | None = HASTY if is_hasty else None
        self.function, self.compiled = function, jax.jit(function, compiler_options=options)
        self.modes = list(modes)
        self.runs = 0
        self.mutates = False
        self._coarsest: Any = None
        self._edited: Edited | None = None

    @property
    def mode(self) -> str:
        return self.modes[0]

    def __call__(self, *arguments: Arrays) -> list[Array]:
        first: Exception | None = None
        while True:
            try:
                result = self._run(arguments)
                self.runs += 1
                return result
            except Exception as error:
                first = first if first and not isinstance(first, jax.errors.JAXTypeError) else error
                if len(self.modes) == 1:
                    raise Raised(f"{type(first).__name__}: {str(first).strip() or 'no message'}") from None
                self.modes.pop(0)

    def coarsest(self, *arguments: Arrays) -> Any:
        """The dtype of the fewest bits that it computes with when it is given float64."""
        if self._coarsest is None:
            result = self(*arguments) if not self.runs else []
            if self.mode == "jit":
                self._coarsest = coarsest(self.compiled.trace(*arguments).jaxpr)
            else:
                result = result or self(*arguments)
                self._coarsest = next((r.dtype for r in result if is_real(r)), np.dtype(np.float64))
        return self._coarsest or np.dtype(np.float64)

    def shapes(self, *arguments: Arrays) -> list[tuple[int, ...]]:
        """The shapes of the results, without computing them where that can be."""
        try:
            return [r.shape for r in jax.tree.leaves(jax.eval_shape(self.function, *arguments))]
        except Exception:
            return [r.shape for r in self(*arguments)]

    def edited(self, *arguments: Arrays) -> Edited:
        """The same program with places that can be changed; it takes the arguments in one flat list."""
        if self._edited is None:
            self._edited = Edited(self.compiled.trace(*arguments).jaxpr)
        return self._edited

    def is_impure(self, *arguments: Arrays) -> bool:
        """Whether it gives other results when it is called again, or becomes another program when traced again."""
        if self.mode != "jit":
            first = self(*arguments)
            again = (zip(first, self(*arguments), strict=True) for _ in range(AGAIN))
            return any(relative(a, b, 1.0) > REPEATED for pairs in again for a, b in pairs)
        first = self._traced(*arguments)
        return any(first != self._traced(*arguments) for _ in range(AGAIN))

    def _traced(self, *arguments: Arrays) -> tuple[str, list[bytes]]:
        """The program and its constants, to compare."""
        closed = jax.make_jaxpr(lambda *a: self.function(*a))(*arguments)  # traced anew, as it is another function
        arrays = (a for a in closed.consts if isinstance(a, ARRAYS))
        plain = (jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a for a in arrays)
        return str(closed.jaxpr), [np.asarray(a).tobytes() for a in plain]

    def _run(self, arguments: tuple[Arrays, ...]) -> list[Array]:
        if self.mode == "numpy":
            copies = [[np.array(a) for a in arrays] for arrays in arguments]
            result = self.function(*copies)
            for arrays, copied in zip(arguments, copies, strict=True):
                for a, b in zip(arrays, copied, strict=True):
                    self.mutates |= not np.array_equal(a, b, equal_nan=is_real(b))
        elif self.mode == "eager":
            result = self.function(*([jnp.asarray(a) for a in arrays] for arrays in arguments))
        else:
            result = self.compiled(*arguments)
        return [np.asarray(r) for r in jax.tree.leaves(result)]


class Subject:
    """A function at a point: its arguments as arrays, its variables by name, and where they may move.

    What `is_hasty` is run by NumPy, and only what JAX differentiates is compiled, with little optimisation and for no
    other dtype than its own and float64; the report is without Taylor remainders. So it is where formulas are typed.

    Raises ValueError or TypeError for a `wrt` or `where` that names no argument, and for an unknown domain.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        wrt: int | str | Sequence[int | str],
        where: Mapping[int | str, Domain | str] | Domain | str | None,
        form: Form,
        order: int,
        seed: int,
        is_hasty: bool = False,
    ) -> None:
        self.f, self.plain = f, plain(f)
        self.seed, self.rng = seed, np.random.default_rng(seed)
        names = _parameter_names(f, len(args))
        chosen: Sequence[Any] = wrt if isinstance(wrt, Sequence) and not isinstance(wrt, str) else (wrt,)
        is_one = chosen is not wrt
        positions = tuple(_position(w, names) for w in chosen)
        if not positions or len(set(positions)) < len(positions):
            raise ValueError(f"wrt must name one or more different arguments, got {wrt!r}.")
        paths, tree = jax.tree_util.tree_flatten_with_path(args)
        owners = [path[0].idx for path, _ in paths]
        labels = [names[path[0].idx] + jax.tree_util.keystr(path[1:]) for path, _ in paths]
        leaves = [_as_array(leaf) for _, leaf in paths]
        arrays = [place for place, leaf in enumerate(leaves) if isinstance(leaf, (np.ndarray, jax.Array))]
        self.arrays = [leaves[place] for place in arrays]
        self.labels = [labels[place] for place in arrays]
        self.variables = [k for p in positions for k, place in enumerate(arrays) if owners[place] == p]
        self.not_arrays = [labels[k] for k in range(len(leaves)) if owners[k] in positions and k not in arrays]
        statics = tuple((k, leaf, type(leaf)) for k, leaf in enumerate(leaves) if k not in arrays)
        self.spec = Spec(tree, statics, tuple(self.variables), positions, is_one, form, order, is_hasty)
        self.domains: dict[int, Domain] = {}
        if where is not None:
            given = where if isinstance(where, Mapping) else dict.fromkeys(positions, where)
            for key, domain in given.items():
                if not isinstance(cast(Any, domain), (Domain, str)):
                    raise ValueError(f"where names domains, such as 'symmetric', got {domain!r}.")
                p = _position(key, names)
                for k, place in enumerate(arrays):
                    if owners[place] == p:
                        self.domains[k] = named(domain) if isinstance(domain, str) else domain

    # --- The arguments

    @property
    def names(self) -> list[str]:
        """The names of the variables."""
        return [self.labels[k] for k in self.variables]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the variables."""
        return [self.arrays[k].shape for k in self.variables]

    def perturbed(self, arrays: Arrays, change: float, chosen: Sequence[int] | None = None) -> Arrays:
        """Every entry changed by that much, relatively, up or down, and then brought back into the domain.

        Zeros stay, for what is sparse is so for a reason; but for an array of nothing else, which would not move.
        """
        moved = [
            np.asarray(a + change * self.rng.choice([-1.0, 1.0], a.shape) * (a if np.any(a) else 1), a.dtype)
            if is_real(a) and (chosen is None or k in chosen)
            else a
            for k, a in enumerate(arrays)
        ]
        return [self.domains[k].project(a) if k in self.domains else a for k, a in enumerate(moved)]

    def general(self, arrays: Arrays, chosen: list[int]) -> Arrays:
        """The same with general matrices of the same size in the places chosen, but for those of a declared domain."""
        return [
            a + 0.3 * np.linalg.norm(a) / math.sqrt(a.size) * self.rng.standard_normal(a.shape)
            if k in chosen and k not in self.domains
            else a
            for k, a in enumerate(arrays)
        ]

    def outside(self) -> str | None:
        """Why the arguments are no point at which there is something to examine, if so."""
        for k, domain in self.domains.items():
            if not domain.contains(self.arrays[k]):
                return f"{self.labels[k]} is declared {domain.text}, and here it is not."
        return None

    # --- The programs

    @functools.cached_property
    def value(self) -> Program:
        """The value, as a function of (variables, all arrays, tangents)."""
        return _kept(_value, self.f, self.spec)

    @functools.cached_property
    def derivative(self) -> Program:
        """The derivative of that by JAX's own rules, in its layout: a block for each variable (for each pair)."""
        return _kept(_derivative, self.f, self.spec)

    def derivative_by(self, place: int) -> Program:
        """The derivative by another of the arrays."""
        return _kept(_derivative, self.f, replace(self.spec, variables=(place,)))

    def claim(self, gradient: Callable[..., Any]) -> Program:
        """What `gradient` says of (all arrays, tangents)."""
        return _kept(_claim, gradient, self.spec)

    def start(self, arrays: Arrays) -> Arrays:
        """The variables of `value`: arguments, or for a pushforward the coefficients of the tangents."""
        if self.spec.form == "pushforward":
            return [np.zeros(TANGENTS, np.result_type(*(arrays[k].dtype for k in self.variables)))]
        return [arrays[k] for k in self.variables]


def is_real(a: Any) -> bool:
    """Whether it is an array of real floating numbers."""
    return isinstance(a, (np.ndarray, jax.Array)) and jnp.issubdtype(a.dtype, jnp.floating)


def _value(f: Callable[..., Any], spec: Spec) -> Callable[[Arrays, Arrays, Arrays], Any]:
    f = plain(f)

    def value(variables: Arrays, arrays: Arrays, tangents: Arrays) -> Any:
        if spec.form == "pushforward":
            (coefficients,) = variables
            along = [jnp.tensordot(coefficients, v, 1) for v in tangents]
            variables = [arrays[k] + v for k, v in zip(spec.variables, along, strict=True)]
        result = f(*spec.moved(arrays, variables))
        return jnp.tensordot(tangents[0], result, np.ndim(result)) if spec.form == "pullback" else result

    return value


def _derivative(f: Callable[..., Any], spec: Spec) -> Callable[[Arrays, Arrays, Arrays], Any]:
    value = _value(f, spec)

    def derivative(variables: Arrays, arrays: Arrays, tangents: Arrays) -> Any:
        def at(moved: Arrays) -> Any:
            return value(moved, arrays, tangents)

        g: Callable[[Arrays], Any] = at
        for _ in range(spec.order):
            g = _jacobian(g, variables, spec.is_hasty)
        with jax_rules():
            return g(variables)

    return derivative


def _jacobian(g: Callable[[Arrays], Any], variables: Arrays, is_hasty: bool) -> Callable[[Arrays], Any]:
    """By the mode that takes fewer passes; by the other where JAX lacks a rule for it."""
    size = sum(np.size(v) for v in variables)
    if is_hasty and size <= HASTY_PASSES:
        return jax.jacfwd(g)
    try:
        outputs = jax.tree.leaves(jax.eval_shape(g, variables))
    except jax.errors.JAXTypeError:  # it branches on values: known ones, where it is not compiled
        outputs = jax.tree.leaves(g(variables))
    if [o.shape for o in outputs] == [()]:
        return jax.grad(lambda v: jax.tree.leaves(g(v))[0])
    forward = size <= sum(o.size for o in outputs)
    modes = (jax.jacfwd, jax.jacrev) if forward or len(outputs) > 1 else (jax.jacrev, jax.jacfwd)
    try:
        jax.eval_shape(modes[0](g), variables)
    except jax.errors.JAXTypeError:
        return modes[0](g)
    except Exception:
        return modes[1](g)
    return modes[0](g)


def _claim(gradient: Callable[..., Any], spec: Spec) -> Callable[[Arrays, Arrays], Any]:
    def claim(arrays: Arrays, tangents: Arrays) -> Any:
        arguments = spec.arguments(arrays)
        if spec.form == "derivative":
            return gradient(*arguments)
        if spec.form == "pushforward":
            results = [gradient(arguments, spec.tangents(arrays, [v[k] for v in tangents])) for k in range(TANGENTS)]
            return [jnp.stack(jax.tree.leaves(results), axis=-1)]
        results = [jax.tree.leaves(gradient(arguments, tangents[0][k])) for k in range(TANGENTS)]
        return [jnp.stack(block) for block in zip(*results, strict=True)]

    return claim


def _kept(make: Callable[..., Callable[..., Any]], function: Callable[..., Any], spec: Spec) -> Program:
    """A program; of a jitted function, which is one and the same at every call, the one made before."""
    if isinstance(function, (jax.stages.Wrapped, Identity)):
        try:
            return _keep(make, function, spec)
        except TypeError:  # a static argument that cannot be hashed
            pass
    return _made(make, function, spec)


@functools.lru_cache(maxsize=256)
def _keep(make: Callable[..., Callable[..., Any]], function: Callable[..., Any], spec: Spec) -> Program:
    return _made(make, function, spec)


def _made(make: Callable[..., Callable[..., Any]], function: Callable[..., Any], spec: Spec) -> Program:
    if make is _derivative:
        return Program(make(function, spec), ("jit", "eager"), spec.is_hasty)
    return Program(make(function, spec), ("numpy",)) if spec.is_hasty else Program(make(function, spec))


def _parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = [p for p in inspect.signature(f).parameters.values() if p.kind != p.KEYWORD_ONLY]
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind != p.VAR_POSITIONAL][:count]
    return names + [f"argument {k}" for k in range(len(names), count)]


def _position(key: int | str, names: list[str]) -> int:
    if isinstance(key, str) and key in names:
        return names.index(key)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool) and -len(names) <= key < len(names):
        return int(key) % len(names)
    raise ValueError(f"There is no argument {key!r}; there are {len(names)}: {', '.join(names)}.")


def _as_array(leaf: Any) -> Any:
    """Numbers of Python in float64; arrays of NumPy and JAX as NumPy's; anything else as it is."""
    if isinstance(leaf, (float, complex, np.generic)):
        return np.asarray(leaf)
    if isinstance(leaf, jax.Array) and not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(leaf)
    if isinstance(leaf, np.ndarray):  # made a plain one, of numbers that JAX has
        plain = np.asarray(leaf)
        if plain.dtype.kind == "f" and plain.dtype.itemsize > 8:
            return plain.astype(np.float64)
        return plain if plain.dtype.isnative else plain.astype(plain.dtype.newbyteorder("="))
    return leaf
