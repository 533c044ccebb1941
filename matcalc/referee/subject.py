"""The function under examination at a point: its arguments as arrays, its variables, and the programs made of it."""

import copy
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from matcalc.domains import Domain, named
from matcalc.linalg import jax_rules
from matcalc.referee.constants import GENERAL, HASTY_PASSES, TANGENTS
from matcalc.referee.programs import ARRAYS, Arrays, Program, is_real
from matcalc.referee.spec import By, Form, Spec
from matcalc.referee.tensors import array, is_tensor, jacobian
from matcalc.referee.tolerances import relative
from matcalc.streams import stream


class Subject:
    """A function at a point: its arguments as arrays, its variables by name, and where they may move.

    Arguments that lie in their domains to rounding are brought into them; `rounded` is how far that moved them.
    `is_hasty` is for many small functions, of which most of the time is spent compiling: their witnesses are compiled
    with little optimisation. With `by="numpy"` values and claims are computed by NumPy, and the report is without
    Taylor remainders: so it is where formulas are typed.

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
        seed: Any,
        is_hasty: bool = False,
        by: By = "jax",
    ) -> None:
        self.f, self.plain, self.seed = f, plain(f), seed
        names = _parameter_names(f, len(args))
        chosen: Sequence[Any] = wrt if isinstance(wrt, Sequence) and not isinstance(wrt, str) else (wrt,)
        is_one = chosen is not wrt
        positions = tuple(_position(w, names) for w in chosen)
        if not positions or len(set(positions)) < len(positions):
            raise ValueError(f"wrt must name one or more different arguments, got {wrt!r}.")
        paths, tree = jax.tree_util.tree_flatten_with_path(args)
        owners = [path[0].idx for path, _ in paths]
        labels = [names[path[0].idx] + jax.tree_util.keystr(path[1:]) for path, _ in paths]
        self.masked = [label for label, (_, leaf) in zip(labels, paths, strict=True) if np.ma.is_masked(leaf)]
        leaves = [_as_array(leaf) for _, leaf in paths]
        shardings = [_sharding(leaf) for _, leaf in paths]
        arrays = [place for place, leaf in enumerate(leaves) if isinstance(leaf, ARRAYS)]
        self.arrays = [leaves[place] for place in arrays]
        self.labels = [labels[place] for place in arrays]
        self.shardings = [shardings[place] for place in arrays]
        self.variables = [k for p in positions for k, place in enumerate(arrays) if owners[place] == p]
        self.not_arrays = [labels[k] for k in range(len(leaves)) if owners[k] in positions and k not in arrays]
        pairs = tuple(k for k in self.variables if np.iscomplexobj(self.arrays[k]))
        for k in pairs:
            self.arrays[k] = np.stack([self.arrays[k].real, self.arrays[k].imag], axis=-1)
        self.complex = [self.labels[k] for k in pairs]
        self.fixed: list[str] = []
        self.empty: list[str] = []
        moving = [k for k in self.variables if is_real(self.arrays[k]) and self.arrays[k].size]
        if moving:  # the others are held fixed, such as an activation function or a counter among parameters
            held = [k for k in self.variables if k not in moving]
            self.empty = [self.labels[k] for k in held if is_real(self.arrays[k])]
            self.fixed = self.not_arrays + [self.labels[k] for k in held if not is_real(self.arrays[k])]
            self.not_arrays, self.variables = [], moving
        statics = tuple((k, leaf, type(leaf)) for k, leaf in enumerate(leaves) if k not in arrays)
        tensors = tuple(k for k, place in enumerate(arrays) if is_tensor(paths[place][1]))
        self.spec = Spec(
            *(tree, statics, tuple(self.variables), positions, tuple(owners), is_one, form, order, is_hasty, by),
            tensors,
            pairs,
            tuple(names),
        )
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
        self.rounded = 0.0
        for k, domain in self.domains.items():
            if is_real(a := self.arrays[k]) and domain.contains(a):  # to rounding at least, of which it is freed
                self.arrays[k] = domain.project(a)
                self.rounded = max(self.rounded, relative(a, self.arrays[k], 1.0))

    def at(self, arrays: Arrays) -> "Subject":
        """The same function at another point; what was compiled is kept."""
        moved = copy.copy(self)
        moved.arrays = arrays
        return moved

    # --- The arguments

    @property
    def names(self) -> list[str]:
        """The names of the variables."""
        return [self.labels[k] for k in self.variables]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the variables."""
        return [self.arrays[k].shape for k in self.variables]

    @property
    def notes(self) -> list[str]:
        """What is held fixed or has no entry, and how the derivative by what is complex is meant."""
        held = [f"Held fixed, as they are no floating numbers: {', '.join(self.fixed)}."] if self.fixed else []
        held += [f"Without an entry, and with nothing to compare: {', '.join(self.empty)}."] if self.empty else []
        meant = "compared as JAX's, ∂f/∂x - i ∂f/∂y at x + i y, its parts on the last axis"
        return held + ([f"The derivative by {', '.join(self.complex)} is {meant}."] if self.complex else [])

    def random(self, purpose: str) -> np.random.Generator:
        """The random numbers for one purpose, the same whenever they are asked for."""
        return stream(self.seed, purpose)

    def perturbed(self, arrays: Arrays, change: float, purpose: str, chosen: Sequence[int] | None = None) -> Arrays:
        """Every entry changed by that much, relatively, up or down, and then brought back into the domain.

        Zeros stay, for what is sparse is so for a reason; but for an array of nothing else, which would not move. What
        is not finite stays too, such as the -∞ of a mask.
        """
        rng = self.random(purpose)
        moved = [
            np.asarray(a + change * rng.choice([-1.0, 1.0], a.shape) * (_finite(a) if np.any(a) else 1), a.dtype)
            if is_real(a) and (chosen is None or k in chosen)
            else a
            for k, a in enumerate(arrays)
        ]
        return [self.domains[k].project(a) if k in self.domains else a for k, a in enumerate(moved)]

    def general(self, arrays: Arrays, chosen: list[int], purpose: str = "general matrices") -> Arrays:
        """The same with general matrices of the same size in the places chosen, but for those of a declared domain."""
        rng = self.random(purpose)
        return [
            a + GENERAL * np.linalg.norm(_finite(a)) / math.sqrt(a.size) * rng.standard_normal(a.shape)
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

    @property
    def _kept_by(self) -> Callable[..., Any]:
        """The function by which programs are kept: a jitted one, if there is one."""
        return self.f if isinstance(self.f, jax.stages.Wrapped) else self.plain

    @functools.cached_property
    def value(self) -> Program:
        """The value, as a function of (variables, all arrays, tangents)."""
        return _kept(_value, self._kept_by, self.spec)

    @functools.cached_property
    def derivative(self) -> Program:
        """The derivative of that by JAX's own rules, in its layout: a block for each variable (for each pair)."""
        return _kept(_derivative, self._kept_by, self.spec)

    def derivative_by(self, place: int) -> Program:
        """The derivative by another of the arrays."""
        return _kept(_derivative, self._kept_by, replace(self.spec, variables=(place,)))

    def claim(self, gradient: Callable[..., Any]) -> Program:
        """What `gradient` says of (all arrays, tangents)."""
        return _kept(_claim, gradient, self.spec)

    def start(self, arrays: Arrays) -> Arrays:
        """The variables of `value`: arguments, or for a pushforward the coefficients of the tangents."""
        if self.spec.form == "pushforward":
            return [np.zeros(TANGENTS, np.result_type(*(arrays[k].dtype for k in self.variables)))]
        return [arrays[k] for k in self.variables]


def plain(f: Callable[..., Any]) -> Callable[..., Any]:
    """What `f` computes, without the rules by which it says to be differentiated.

    A function of any class may name that itself, as `__plain__`.
    """
    while not hasattr(f, "__plain__"):
        if not isinstance(f, (jax.custom_jvp, jax.custom_vjp, jax.stages.Wrapped)):
            return f
        f = cast(Any, f).__wrapped__
    return cast(Any, f).__plain__


def _finite(a: Any) -> Any:
    """The same with 0 for what is not finite."""
    return np.where(np.isfinite(a), a, np.zeros((), a.dtype))


def in_dtype(arrays: Arrays, dtype: Any) -> Arrays:
    """The same arrays, those of floating numbers in this dtype."""
    return [a.astype(dtype, copy=False) if is_real(a) else a for a in arrays]


def in_float64(arrays: Arrays) -> Arrays:
    return in_dtype(arrays, np.float64)


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


def _derivative_of_tensors(f: Callable[..., Any], spec: Spec) -> Callable[[Arrays, Arrays, Arrays], Any]:
    def derivative(variables: Arrays, arrays: Arrays, tangents: Arrays) -> Any:
        del tangents
        return jacobian(lambda moved: f(*spec.moved(arrays, moved)), variables, spec.order)

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
            return spec.moving(gradient(*arguments))
        if spec.form == "pushforward":
            results = [gradient(arguments, spec.tangents(arrays, [v[k] for v in tangents])) for k in range(TANGENTS)]
            return [jnp.stack(jax.tree.leaves(results), axis=-1)]
        results = [jax.tree.leaves(spec.moving(gradient(arguments, tangents[0][k]))) for k in range(TANGENTS)]
        return [jnp.stack(block) for block in zip(*results, strict=True)]

    return claim


def _kept(make: Callable[..., Callable[..., Any]], function: Callable[..., Any], spec: Spec) -> Program:
    """A program; of a jitted function, which is one and the same at every call, the one made before."""
    if isinstance(function, jax.stages.Wrapped):
        try:
            return _keep(make, function, spec)
        except TypeError:  # a static argument that cannot be hashed
            pass
    return _made(make, function, spec)


@functools.lru_cache(maxsize=256)
def _keep(make: Callable[..., Callable[..., Any]], function: Callable[..., Any], spec: Spec) -> Program:
    return _made(make, function, spec)


def _made(make: Callable[..., Callable[..., Any]], function: Callable[..., Any], spec: Spec) -> Program:
    if spec.tensors:
        return Program((_derivative_of_tensors if make is _derivative else make)(function, spec), ("numpy",))
    if make is _derivative:
        return Program(make(function, spec), ("jit", "eager"), spec.is_hasty)
    if spec.by == "numpy":
        return Program(make(function, spec), ("numpy",))
    return Program(make(function, spec), ("jit", "eager", "numpy"), spec.is_hasty and make is _value)


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


def _sharding(leaf: Any) -> Any | None:
    """How an array lies over several devices, if it does."""
    is_sharded = isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1
    return leaf.sharding if is_sharded else None


def _as_array(leaf: Any) -> Any:
    """Numbers of Python in float64; arrays of NumPy and JAX as NumPy's; anything else as it is."""
    if is_tensor(leaf):
        return array(leaf)
    if isinstance(leaf, (float, complex, np.generic)):
        return np.asarray(leaf)
    if isinstance(leaf, jax.Array) and not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(leaf)
    if isinstance(leaf, np.ndarray):  # made a plain one, of numbers that JAX has
        native = np.asarray(leaf)
        if native.dtype.kind == "f" and native.dtype.itemsize > 8:
            return native.astype(np.float64)
        return native if native.dtype.isnative else native.astype(native.dtype.newbyteorder("="))
    return leaf
