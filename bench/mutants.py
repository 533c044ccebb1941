"""Wrong gradients, each made from a right one by a single mistake whose cause is known."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from specimens import COMPLEX, Specimen

from matcalc.layout import LAYOUTS, to_layout

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]

SAME = 1e-9  # what differs relatively by less is the same gradient
ANOTHER = 10**6  # the seed of another point
STRAYED = 0.3  # from a stationary point
BLOCKS = {"missing term": "zero", "doubled term": "factor", "term": "sign"}  # what a mistake is to a whole block
POWERS = range(1, 7)  # of a tenth, by which a factor is off
TRACED = (1,)  # of them, those of gradients that JAX can trace; the others are NumPy's, of which nothing compiles


@dataclass(frozen=True, eq=False)
class Mutant:
    """A wrong gradient: a function of the arguments, in `layout`.

    `causes` are those that count as its right name: its own first, and those of other mistakes with the same result.
    `size` is how far it is from the right one, norm-wise relative: at the point, or if it is right there, `elsewhere`.
    """

    label: str
    causes: tuple[str, ...]
    claim: Function
    layout: str = "jax"
    size: float = float("nan")
    elsewhere: bool = False

    def planted(self, specimen: Specimen, args: tuple[Array, ...]) -> Array:
        """What it claims at a point, in JAX's layout."""
        claimed = np.asarray(self.claim(*args))
        return claimed if self.layout == "jax" else _unstacked(claimed, *_axes(specimen, args))


# What holds for special arguments only, by name of function; it is said when.
SPECIAL: Mapping[str, Mapping[str, Function]] = {
    "quad_xax": {"2 A x, for symmetric A": lambda x, A: 2 * A @ x},
    "hess_quad_xax": {"2 A, for symmetric A": lambda x, A: 2 * A},
    "tr_axxt": {"2 A X, for symmetric A": lambda A, X: 2 * A @ X},
    "tr_axtx": {"2 X A, for symmetric A": lambda A, X: 2 * X @ A},
    "tr_xaxtb": {"2 B X A, for symmetric A and B": lambda X, A, B: 2 * B @ X @ A},
    "tr_axbxtc": {"2 C A X B, for symmetric C A and B": lambda A, X, B, C: 2 * C @ A @ X @ B},
    "tr_axtbxc": {"2 B X C A, for symmetric C A and B": lambda A, X, B, C: 2 * B @ X @ C @ A},
    "bilinear_axb": {"b aᵀ, for a = b": lambda a, X, b: (a[:, None] * b[None, :]).T},
    "quad_axtxa": {"2 a (X a)ᵀ, for symmetric ones": lambda a, X: (2 * (X @ a)[:, None] * a[None, :]).T},
    "logabsdet_x": {
        "X, for orthogonal X": lambda X: X,
        "1/diag(X), for diagonal X": lambda X: _xp(X).diag(1 / _xp(X).diag(X)),
    },
    "logdet_xtx": {"2 X, for orthonormal columns": lambda X: 2 * X},
    "norm_x_minus_a": {"x/‖x‖, for a = 0": lambda x, a: x / _xp(x).sqrt(x @ x)},
    "normalization": {"I - x xᵀ, for ‖x‖ = 1": lambda x: _xp(x).eye(len(x), dtype=x.dtype) - x[:, None] * x},
    "cosine_similarity": {"b - (aᵀ b) a, for unit vectors": lambda a, b: b - (a @ b) * a},
    "cubed_magnitudes": {"3 x², for positive x": lambda x: 3 * x**2},
    "orthogonality_penalty": {"0, for orthonormal columns": lambda X: 0 * X},
    "nuclear_norm": {"I, for positive definite X": lambda X: _xp(X).eye(len(X), dtype=X.dtype)},
    "elu": {"1, for positive x": lambda x: _xp(x).ones_like(x)},
}


def mutants(specimen: Specimen, args: tuple[Array, ...]) -> tuple[list[Mutant], int]:
    """The distinct wrong gradients at a point in float64, and how many mistakes make no difference there.

    Mistakes with the same result are one mutant, which any of their causes names rightly.
    """
    if specimen.stationary:  # where mistakes make a difference
        args = _strayed(specimen, args, 0)
    right = np.asarray(specimen.gradient(*args))
    here: list[tuple[Mutant, Array]] = []
    elsewhere: list[Mutant] = []
    without_effect = 0
    for mutant in _candidates(specimen, args, right):
        claimed = mutant.planted(specimen, args)
        if not np.all(np.isfinite(claimed)):
            without_effect += 1
        elif "this point" in mutant.causes:
            other = _moved(specimen, args)
            size = distance(np.asarray(mutant.claim(*other)), np.asarray(specimen.gradient(*other)))
            if SAME < size < np.inf and distance(claimed, right) <= SAME:
                elsewhere.append(replace(mutant, size=size, elsewhere=True))
            else:
                without_effect += 1
        elif distance(claimed, right) <= SAME:
            without_effect += 1
        else:
            same = [i for i, (_, known) in enumerate(here) if distance(claimed, known) <= SAME]
            size = distance(claimed, right)
            for i in same:
                known, value = here[i]
                here[i] = (replace(known, causes=_joined(known.causes, mutant.causes)), value)
                mutant = replace(mutant, causes=_joined(mutant.causes, known.causes))
            if all(here[i][0].layout != mutant.layout for i in same):
                here.append((replace(mutant, size=size), claimed))
    return [mutant for mutant, _ in here] + elsewhere, without_effect


def _joined(causes: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(causes + others))


def distance(D: Array, right: Array) -> float:
    """Norm-wise relative; infinite from zero, and between different shapes."""
    if D.shape != right.shape:
        return float("inf")
    difference, size = float(np.linalg.norm((D - right).ravel())), float(np.linalg.norm(right.ravel()))
    return difference / size if size > 0 else 0.0 if difference == 0 else float("inf")


def _candidates(specimen: Specimen, args: tuple[Array, ...], right: Array) -> Iterator[Mutant]:
    """Every single mistake that fits the shapes of the function."""
    gradient, wrt, x = specimen.gradient, specimen.wrt, args[specimen.wrt]
    value_ndim = right.ndim - x.ndim

    def changed(cause: str, label: str, change: Callable[[Any], Any], with_numpy: bool = False) -> Mutant:
        return Mutant(label, (cause,), (_changed_with_numpy if with_numpy else _changed)(gradient, change))

    # Another number
    yield changed("sign", "sign", lambda D: -D)
    if specimen.grouping is COMPLEX:
        parts = np.where(np.arange(x.size) < x.size // 2, 1, -1)
        yield changed("conjugate", "conjugate", lambda D: D * parts.astype(D.dtype))
        yield changed("conjugate", "Wirtinger's conjugate", lambda D: D * (parts / 2).astype(D.dtype))
    factors = {"2": (2.0, False), "1/2": (0.5, False)}
    slight = {f"1 {'+-'[s]} 1e-{k}": (1 + (-1) ** s * 10.0**-k, k not in TRACED) for k in POWERS for s in (0, 1)}
    for text, (factor, with_numpy) in (factors | slight).items():
        change = _changed_with_numpy if with_numpy else _changed
        half = ("conjugate",) if factor == 0.5 and specimen.grouping is COMPLEX else ()  # Wirtinger's
        yield Mutant(f"factor {text}", ("factor", *half), change(gradient, lambda D, factor=factor: factor * D))
    counts = {n for n in (*x.shape[:1], *(len(args[i]) for i in [specimen.samples] if i is not None)) if n > 1}
    for n in sorted(counts):
        causes = ("mean", "factor") if specimen.grouping else ("mean",)  # it is no size that the user sees
        yield Mutant(f"mean over {n}", causes, _changed(gradient, lambda D, n=n: D / n))
    if specimen.samples is not None and (n := len(args[specimen.samples])) > 1:
        yield Mutant(f"sum over {n} for mean", ("mean", "factor"), _changed(gradient, lambda D, n=n: D * n))

    # Other places
    for layout in LAYOUTS[1:3] if specimen.grouping is None else ():
        yield changed("transposed", f"transposed ({layout})", lambda D, layout=layout: to_layout(D, value_ndim, layout))
    if specimen.order == 1 and (x.ndim >= 2 or value_ndim >= 2) and value_ndim >= 1:
        sizes = (int(np.prod(right.shape[:value_ndim])), x.size)
        stacked_by_rows = _changed(gradient, lambda D: D.reshape(sizes))
        yield Mutant("stacked by rows", ("vec order",), stacked_by_rows, layout="vec")
    if specimen.order == 1 and value_ndim == 0 and x.ndim == 2 and 1 < x.shape[0] == x.shape[1]:
        yield changed("symmetric convention", "(G + Gᵀ)/2", lambda D: (D + D.T) / 2)
        yield changed("symmetric convention", "G + Gᵀ - diag(G)", lambda D: D + D.T - D * np.eye(len(D), dtype=D.dtype))

    # Single entries: one that counts
    largest = np.max(np.abs(right), initial=0.0)
    counting = np.argwhere(np.abs(right) >= 0.1 * largest)
    place = tuple(counting[len(counting) // 2]) if right.ndim else ()
    E = np.zeros(right.shape)
    E[place] = 1
    entry = f"entry {', '.join(map(str, place))}"
    for text, (factor, with_numpy) in slight.items():
        off = (factor - 1) * E
        yield changed("entries", f"{entry} times {text}", lambda D, off=off: D + D * off.astype(D.dtype), with_numpy)
    norm = float(np.linalg.norm(right.ravel())) or 1.0
    yield changed("entries", f"{entry} plus 0.1 norms", lambda D: D + (0.1 * norm * E).astype(D.dtype))

    # Terms
    mistakes = (("without", "missing term", 0), ("twice", "doubled term", 2), ("wrong sign of", "term", -1))
    for text in specimen.parts:
        for label, cause, times in mistakes:
            of_block = (BLOCKS[cause],) if specimen.grouping else ()  # a term is all of a block
            yield Mutant(f"{label} {text}", (cause, *of_block), _sum_with(specimen.parts, text, times))

    # Other arguments
    for i, argument in enumerate(args):
        if argument.ndim == 2 and 1 < argument.shape[0] == argument.shape[1]:
            for label, cause, change in (
                ("transposed", "operand transposed", lambda A: A.T),
                ("symmetrized", "special arguments", lambda A: (A + A.T) / 2),
            ):
                yield Mutant(f"argument {i} {label}", (cause,), _at(gradient, i, change))
        if i != wrt and argument.shape == x.shape and specimen.order == 1:
            yield Mutant(f"derivative by argument {i}", ("other argument",), specimen.by(i))
    for label, claim in SPECIAL.get(specimen.name, {}).items():
        yield Mutant(label, ("special arguments",), claim)

    # Other points
    another = _strayed(specimen, args, 1) if specimen.stationary else _moved(specimen, args)
    stale = np.asarray(gradient(*another))
    yield Mutant("at another point", ("constant",), _constant(stale, wrt))
    if specimen.stationary:  # there it is right by chance
        return
    yield Mutant("kept from this point", ("this point", "constant"), _constant(right, wrt))
    yield changed("this point", "twice its change from this point", lambda D: D + (D - right.astype(D.dtype)))


def _xp(array: Any) -> Any:
    """The module whose functions take this array: JAX's while it is traced, else NumPy."""
    return jnp if isinstance(array, jax.core.Tracer) else np


def _changed(gradient: Function, change: Callable[[Any], Any]) -> Function:
    """As NumPy computes it at numbers, which saves compiling each small step; traced, as JAX does."""

    def claim(*args: Any) -> Any:
        D = gradient(*args)
        return change(_xp(D).asarray(D))

    return claim


def _changed_with_numpy(gradient: Function, change: Callable[[Any], Any]) -> Function:
    """The same as a function that cannot be traced, as gradients in plain NumPy are."""
    return lambda *args: change(np.asarray(gradient(*args)))


def _sum_with(parts: Mapping[str, Function], which: str, times: int) -> Function:
    """The sum of the terms as it is written with one of them left out, counted twice or subtracted."""

    def claim(*args: Any) -> Any:
        terms = [(name, part(*args)) for name, part in parts.items()]
        written = [(term, times < 0 and name == which) for name, term in terms for _ in range(_count(name))]
        (first, negative), *others = written
        total = -first if negative else first
        for term, negative in others:
            total = total - term if negative else total + term
        return total

    def _count(name: str) -> int:
        return abs(times) if name == which else 1

    return claim


def _at(gradient: Function, i: int, change: Callable[[Any], Any]) -> Function:
    return lambda *args: gradient(*args[:i], change(args[i]), *args[i + 1 :])


def _constant(D: Array, wrt: int) -> Function:
    return lambda *args: D.astype(args[wrt].dtype)


def _strayed(specimen: Specimen, args: tuple[Array, ...], seed: int) -> tuple[Array, ...]:
    """The same arguments with the variable away from its stationary point."""
    rng, k = np.random.default_rng(seed), specimen.wrt
    return (*args[:k], args[k] + STRAYED * rng.standard_normal(args[k].shape), *args[k + 1 :])


def _moved(specimen: Specimen, args: tuple[Array, ...]) -> tuple[Array, ...]:
    """The same arguments with the variable of another point."""
    return (*args[: specimen.wrt], specimen.point(ANOTHER)[specimen.wrt], *args[specimen.wrt + 1 :])


def _axes(specimen: Specimen, args: tuple[Array, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return jax.eval_shape(specimen.f, *args).shape, args[specimen.wrt].shape


def _unstacked(D: Array, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> Array:
    """From the layout "vec", with columns stacked, to JAX's."""
    reversed_axes = D.reshape(*outputs[::-1], *inputs[::-1])
    axes = [*range(len(outputs))[::-1], *(len(outputs) + i for i in range(len(inputs))[::-1])]
    return reversed_axes.transpose(axes)
