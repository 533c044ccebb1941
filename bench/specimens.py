"""Functions with right gradients: every identity of the catalogue, and functions that stand in no catalogue.

The latter are written as those of the catalogue are: a function returns its value and its gradient, or the terms whose
sum the gradient is, with the axes of the value first. Run as a script, this file compares each gradient with JAX's.
"""

import argparse
import functools
import inspect
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid, softmax, softplus
from jax.scipy.special import logsumexp

from matcalc import CATALOGUE, Identity, Rule
from matcalc.domains import symmetric
from matcalc.formula import evaluate, parse, terms

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Grouping:
    """What a variable that is a vector is to the user: a pytree of blocks of it, or complex numbers.

    `variable` makes that of the vector, `vector` is its inverse, and `gradient` makes of a gradient by the vector that
    which JAX would give.
    """

    variable: Callable[[Any], Any]
    vector: Callable[[Any], Any]
    gradient: Callable[[Any], Any]


def in_blocks(size: int) -> Grouping:
    """The first entries, and the others."""
    return Grouping(lambda x: {"a": x[:size], "b": x[size:]}, _joined, lambda D: {"a": D[:size], "b": D[size:]})


def _joined(blocks: Any) -> Any:
    return jnp.concatenate([blocks["a"], blocks["b"]])


COMPLEX = Grouping(
    lambda x: x[: len(x) // 2] + 1j * x[len(x) // 2 :],
    lambda z: jnp.concatenate([z.real, z.imag]),
    lambda D: D[: len(D) // 2] - 1j * D[len(D) // 2 :],
)


@dataclass(frozen=True, eq=False)
class Specimen:
    """A function at one choice of sizes, its right gradient, and where to check it.

    `f` and `gradient` are jitted and take the same arrays; `draw` makes float64 arrays from a random generator. `parts`
    are functions of the same arrays by name, whose sum is the gradient; empty where it has one term only. `samples` is
    the argument whose leading axis counts samples, if one does. `variant` counts the choices of sizes. Where it is
    `stationary` the gradient, or a block of it, vanishes to rounding at every point drawn. `grouping` says what the
    variable is to the user, if that is no array of real numbers.
    """

    name: str
    sizes: Mapping[str, int]
    f: Function
    gradient: Function
    draw: Callable[[np.random.Generator], tuple[Array, ...]]
    wrt: int = 0
    order: int = 1
    parts: Mapping[str, Function] = field(default_factory=dict)
    samples: int | None = None
    symmetric: tuple[int, ...] = ()
    variant: int = 0
    in_catalogue: bool = False
    stationary: bool = False
    grouping: Grouping | None = None

    @property
    def key(self) -> str:
        """The name with the sizes: what there is one program for."""
        return f"{self.name}({', '.join(f'{name}={size}' for name, size in self.sizes.items())})"

    def point(self, seed: int, dtype: str = "float64") -> tuple[Array, ...]:
        """Random arguments, the same in every process."""
        rng = np.random.default_rng([seed, zlib.crc32(self.key.encode())])
        return tuple(np.asarray(a, dtype) for a in self.draw(rng))

    @functools.cached_property
    def differentiated(self) -> Function:
        """The function whose Jacobian the gradient is: `f`, or for a Hessian its gradient."""
        return self.f if self.order == 1 else jax.jit(jax.grad(self.f, self.wrt))

    @functools.cached_property
    def autodiff(self) -> Function:
        """The same derivative by JAX."""
        return self.by(self.wrt)

    def by(self, argument: int) -> Function:
        """The derivative with respect to any argument, by JAX."""

        def derivative(*args: Any) -> Any:
            of_scalar = not jax.eval_shape(self.differentiated, *args).shape
            return (jax.grad if of_scalar else jax.jacfwd)(self.differentiated, argument)(*args)

        return jax.jit(derivative)


# --- The catalogue

# The defaults, others, and every size 1.
SIZES: tuple[Mapping[str, int], ...] = (
    {},
    {"l": 3, "m": 5, "n": 6, "p": 2},
    {"l": 1, "m": 1, "n": 1, "p": 1, "q": 1},
)
DEEP = 0.02  # relative distance to the border of the domain


def catalogue() -> Iterator[Specimen]:
    """Every entry that has a derivative, of each kind, at several sizes."""
    for entry in CATALOGUE.values():
        if entry.order > 0:
            for kind in entry.covers:
                names = entry.signature.names(kind)
                given = {name: size for sizes in SIZES for name, size in sizes.items()}.keys()
                for variant, sizes in enumerate(SIZES if given & set(names) else SIZES[:1]):
                    chosen = {name: size for name, size in sizes.items() if name in names}
                    yield replace(of_entry(entry, kind, chosen), variant=variant)


def of_entry(entry: Identity[Any], kind: Any, sizes: Mapping[str, int]) -> Specimen:
    """An identity as a function of all its arrays, a rule as a function of x before them; integers are fixed."""
    is_rule = isinstance(entry, Rule)
    arrays = [p.name for p in entry.signature.arrays]
    names = [p.name for p in entry.signature.parameters]

    def sample(seed: int) -> dict[str, Any]:
        return dict(zip(names, entry.sample(seed, dtype=np.float64, kind=kind, **sizes), strict=True))

    integers = {name: value for name, value in sample(0).items() if isinstance(value, int)}

    def values_of(args: tuple[Any, ...]) -> dict[str, Any]:
        given = dict(zip(arrays, args[1:] if is_rule else args, strict=True)) | integers
        values = {name: given[name] for name in names}
        return entry.declaration.moved(values, args[0]) if is_rule else values

    def draw(rng: np.random.Generator) -> tuple[Array, ...]:
        while True:
            sampled = sample(int(rng.integers(2**31)))
            args = tuple(sampled[name] for name in arrays)
            if is_rule:  # x = 0 is where rules are stated; here they are checked elsewhere too
                origin = entry.declaration.origin(sampled)
                args = (origin if rng.integers(4) == 0 else 0.3 * rng.standard_normal(origin.shape), *args)
            values = {name: np.asarray(v) if name in arrays else v for name, v in values_of(args).items()}
            if all(
                domain.depth(entry.declaration.evaluate(text, values)) > DEEP for text, domain in entry.where.items()
            ):
                return args

    def part(text: str) -> Function:
        def value(*args: Any) -> Any:
            values = values_of(args)
            shape = jax.eval_shape(lambda *a: entry.declaration.derivative_of(values_of(a)), *args).shape
            return term_of(entry, text, values, shape)

        return value

    printed = max((terms(parse(form)) for form in entry.derivative_formulas), key=len)
    return Specimen(
        name=entry.name if len(entry.covers) == 1 else f"{entry.name} {kind}",
        sizes={name: size for name, size in entry.signature.sizes(kind, sizes).items() if not name.isdigit()},
        f=jax.jit(lambda *args: entry.declaration.value_of(values_of(args))),
        gradient=jax.jit(lambda *args: entry.declaration.derivative_of(values_of(args))),
        draw=draw,
        wrt=0 if is_rule else arrays.index(entry.wrt),
        order=entry.order,
        parts={str(term): part(str(term)) for term in printed} if len(printed) > 1 else {},
        symmetric=tuple(i for i, name in enumerate(arrays) if entry.where.get(name) is symmetric),
        in_catalogue=True,
    )


def term_of(entry: Identity[Any], text: str, values: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """A term of a printed derivative, as `Identity.evaluate` has it, of JAX's arrays too."""
    xp = jnp if any(isinstance(value, jax.core.Tracer) for value in values.values()) else np
    formula, sizes = parse(text), {n: s for n, s in entry.signature.measure(values).items() if isinstance(s, int)}
    tensors = [name for name, value in values.items() if np.ndim(value) > 2]
    if not tensors:
        return evaluate(formula, values, sizes=sizes, shape=shape, xp=xp)
    entries = [
        evaluate(formula, {**values, **{dU: values[dU][(..., *entry)] for dU in tensors}}, xp=xp)
        for entry in np.ndindex(*shape)
    ]
    return xp.stack([xp.asarray(entry) for entry in entries]).reshape(shape)


# --- Functions by hand

Source = Callable[[], Iterator[Specimen]]
_written: list[Source] = []


def hand(
    draw: Callable[..., tuple[Array, ...]],
    *sizes: tuple[int, ...],
    wrt: int = 0,
    order: int = 1,
    samples: int | None = None,
    name: str = "",
    stationary: bool = False,
    grouping: Callable[..., Grouping] | None = None,
    into: list[Source] = _written,
) -> Callable[[Function], Function]:
    """Declare a function: `draw(rng, *sizes)` makes its arguments, the body returns value and gradient or terms.

    `into` is the list that it is added to, and `grouping` takes the sizes.
    """

    def declare(body: Function) -> Function:
        def gradient(*args: Any) -> Any:
            derivative = body(*args)[1]
            return sum(derivative[1:], start=derivative[0]) if isinstance(derivative, tuple) else derivative

        def parts_at(example: tuple[Array, ...]) -> dict[str, Function]:
            derivative = jax.eval_shape(lambda *args: body(*args)[1], *example)
            count = len(derivative) if isinstance(derivative, tuple) else 0
            return {f"term {i + 1}": jax.jit(lambda *args, i=i: body(*args)[1][i]) for i in range(count)}

        def specimens() -> Iterator[Specimen]:
            names = list(inspect.signature(draw).parameters)[1:]
            for variant, chosen in enumerate(sizes):
                drawn = functools.partial(lambda rng, chosen: draw(rng, *chosen), chosen=chosen)
                yield Specimen(
                    name=name or body.__name__,
                    sizes=dict(zip(names, chosen, strict=True)),
                    f=jax.jit(lambda *args: body(*args)[0]),
                    gradient=jax.jit(gradient),
                    draw=drawn,
                    wrt=wrt,
                    order=order,
                    parts=parts_at(drawn(np.random.default_rng(0))),
                    samples=samples,
                    variant=variant,
                    stationary=stationary,
                    grouping=grouping(*chosen) if grouping else None,
                )

        into.append(specimens)
        return body

    return declare


def by_hand() -> Iterator[Specimen]:
    """Every function of this file at its sizes."""
    for specimens in _written:
        yield from specimens()


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return np.asarray(rng.standard_normal(shape))


def positive(rng: np.random.Generator, *shape: int) -> Array:
    return np.asarray(rng.uniform(0.5, 2.0, shape))


def signs(rng: np.random.Generator, *shape: int) -> Array:
    return rng.choice([-1.0, 1.0], shape)


def one_hot(rng: np.random.Generator, m: int, n: int) -> Array:
    return np.eye(n)[rng.integers(n, size=m)]


def distribution(rng: np.random.Generator, n: int) -> Array:
    return rng.dirichlet(2 * np.ones(n))


def orthogonal(rng: np.random.Generator, n: int) -> Array:
    return np.linalg.qr(normal(rng, n, n))[0]


def with_singular_values(rng: np.random.Generator, s: Array) -> Array:
    return orthogonal(rng, len(s)) * s @ orthogonal(rng, len(s))


def covariance(rng: np.random.Generator, n: int) -> Array:
    Q = orthogonal(rng, n)
    S = Q * positive(rng, n) @ Q.T
    return (S + S.T) / 2


def hilbert(n: int) -> Array:
    return 1 / (np.add.outer(np.arange(n), np.arange(n)) + 1.0)


def eye(x: Any) -> Any:
    return jnp.eye(len(x), dtype=x.dtype)


# Losses of linear models


def data(rng: np.random.Generator, m: int, n: int) -> tuple[Array, Array]:
    """Weights such that predictions are of order 1, and inputs."""
    return normal(rng, n) / np.sqrt(n), normal(rng, m, n)


@hand(lambda rng, m, n: (*data(rng, m, n), signs(rng, m)), (20, 5), (1, 1), (64, 256), samples=1)
def logistic_loss(w, X, y):
    z = y * (X @ w)
    return jnp.sum(softplus(-z)), -X.T @ (y * sigmoid(-z))


@hand(lambda rng, m, n: (*data(rng, m, n), signs(rng, m)), (20, 5), (32, 12), samples=1)
def mean_logistic_loss_with_penalty(w, X, y):
    z = y * (X @ w)
    return jnp.mean(softplus(-z)) + 0.05 * w @ w, (-X.T @ (y * sigmoid(-z)) / len(y), 0.1 * w)


@hand(lambda rng, m, n: (*data(rng, m, n), signs(rng, m)), (20, 4), (3, 1), order=2, samples=1)
def logistic_loss_hessian(w, X, y):
    z = y * (X @ w)
    p = sigmoid(z)
    return jnp.sum(softplus(-z)), (X.T * (p * (1 - p))) @ X


@hand(lambda rng, m, n: (*data(rng, m, n), signs(rng, m)), (6, 4), (30, 16))
def logistic_loss_of_each_sample(w, X, y):
    """By vmap."""
    losses = jax.vmap(lambda x, t: softplus(-t * (x @ w)))(X, y)
    return losses, -(y * sigmoid(-y * (X @ w)))[:, None] * X


@hand(
    lambda rng, m, n, k: (normal(rng, n, k) / np.sqrt(n), normal(rng, m, n), one_hot(rng, m, k)),
    (20, 5, 3),
    (16, 64, 10),
    (8, 3, 3),
    samples=1,
)
def softmax_cross_entropy(W, X, Y):
    Z = X @ W
    loss = jnp.mean(logsumexp(Z, axis=1) - jnp.sum(Z * Y, axis=1))
    return loss, (X.T @ softmax(Z) / len(X), -X.T @ Y / len(X))


@hand(lambda rng, m, n: (*data(rng, m, n), normal(rng, m)), (20, 5), (1, 1), (128, 256), samples=1)
def mean_squared_error(w, X, y):
    r = X @ w - y
    return jnp.mean(r**2), 2 * X.T @ r / len(y)


@hand(lambda rng, m, n: (*data(rng, m, n), normal(rng, m), positive(rng)), (20, 5), (10, 40))
def ridge(w, X, y, a):
    r = X @ w - y
    return r @ r + a * (w @ w), (2 * X.T @ r, 2 * a * w)


@hand(lambda rng, m, n: (*data(rng, m, n), rng.poisson(2.0, m) * 1.0), (20, 5), (50, 16))
def poisson_loss(w, X, y):
    z = X @ w
    return jnp.sum(jnp.exp(z) - y * z), (X.T @ jnp.exp(z), -X.T @ y)


@hand(lambda rng, m, n: (*data(rng, m, n), normal(rng, m)), (20, 5), (40, 30))
def pseudo_huber_loss(w, X, y):
    r = X @ w - y
    return jnp.sum(jnp.sqrt(1 + r**2) - 1), X.T @ (r / jnp.sqrt(1 + r**2))


@hand(lambda rng, m, n: (*data(rng, m, n), normal(rng, m)), (20, 5), (40, 30))
def log_cosh_loss(w, X, y):
    r = X @ w - y
    return jnp.sum(jnp.logaddexp(r, -r)), X.T @ jnp.tanh(r)


@hand(lambda rng, m, n: (*data(rng, m, n), normal(rng, m)), (20, 5), (40, 30))
def student_t_loss(w, X, y):
    r = X @ w - y
    return 2.5 * jnp.sum(jnp.log1p(r**2 / 4)), X.T @ (5 * r / (4 + r**2))


# Likelihoods and divergences


@hand(lambda rng, n: (normal(rng, n), normal(rng, n), 0.5 * normal(rng, n)), (4,), (1,), (100,))
def gaussian_nll_by_mean(mu, y, s):
    r = (y - mu) * jnp.exp(-s)
    return jnp.sum(s + r**2 / 2), -r * jnp.exp(-s)


@hand(lambda rng, n: (0.5 * normal(rng, n), normal(rng, n), normal(rng, n)), (4,), (1,), (100,))
def gaussian_nll_by_log_deviation(s, y, mu):
    r = (y - mu) * jnp.exp(-s)
    return jnp.sum(s + r**2 / 2), (jnp.ones_like(s), -(r**2))


@hand(lambda rng, n: (covariance(rng, n), normal(rng, n)), (4,), (1,), (12,))
def gaussian_nll_by_covariance(S, r):
    """At a symmetric S, all of whose entries are free."""
    a = jnp.linalg.solve(S, r)
    b = jnp.linalg.solve(S.T, r)
    f = (jnp.linalg.slogdet(S)[1] + r @ a) / 2
    return f, (jnp.linalg.inv(S).T / 2, -jnp.outer(b, a) / 2)


@hand(lambda rng, m, n: (covariance(rng, n), normal(rng, m, n)), (10, 4), (30, 8), samples=1)
def gaussian_nll_by_precision(P, X):
    f = jnp.einsum("ki,ij,kj", X, P, X) / (2 * len(X)) - jnp.linalg.slogdet(P)[1] / 2
    return f, (X.T @ X / (2 * len(X)), -jnp.linalg.inv(P).T / 2)


@hand(lambda rng, n: (normal(rng, n), distribution(rng, n)), (5,), (2,), (256,))
def kl_divergence_from_softmax(z, p):
    return jnp.sum(p * (jnp.log(p) - z)) + logsumexp(z), (softmax(z), -p)


@hand(lambda rng, n: (normal(rng, n), normal(rng, n)), (4,), (1,), (64,))
def kl_divergence_by_log_variance(l, mu):
    return jnp.sum(jnp.exp(l) + mu**2 - 1 - l) / 2, (jnp.exp(l) / 2, -jnp.ones_like(l) / 2)


@hand(lambda rng, n: (normal(rng, n),), (5,), (1,), (256,))
def log_sum_exp(x):
    return logsumexp(x), softmax(x)


@hand(lambda rng, n: (normal(rng, n),), (5,), (2,), order=2)
def log_sum_exp_hessian(x):
    p = softmax(x)
    return logsumexp(x), (jnp.diag(p), -jnp.outer(p, p))


@hand(lambda rng, n: (normal(rng, n),), (5,), (50,))
def entropy_of_softmax(x):
    p, log_p = softmax(x), x - logsumexp(x)
    H = -jnp.sum(p * log_p)
    return H, (-p * log_p, -H * p)


@hand(
    lambda rng, m: (
        np.asarray(0.3 * rng.standard_normal()),
        (np.subtract.outer(*2 * [normal(rng, m)])) ** 2,
        normal(rng, m),
    ),
    (8,),
    (40,),
)
def gaussian_process_by_log_length(t, D2, y):
    """The negative log-likelihood of a Gaussian process, from squared distances of its points."""
    R = D2 * jnp.exp(-2 * t)
    E = jnp.exp(-R / 2)
    K = E + 0.1 * eye(y)
    a = jnp.linalg.solve(K, y)
    f = (y @ a + jnp.linalg.slogdet(K)[1]) / 2
    return f, (-a @ (R * E) @ a / 2, jnp.trace(jnp.linalg.solve(K, R * E)) / 2)


# Layers


def net_data(rng: np.random.Generator, d: int, h: int, m: int) -> tuple[Array, ...]:
    W, b = normal(rng, h, d) / np.sqrt(d), 0.3 * normal(rng, h)
    return W, b, normal(rng, 2, h) / np.sqrt(h), 0.3 * normal(rng, 2), normal(rng, d, m), normal(rng, 2, m)


def tanh_net(by: int, W, b, V, c, X, Y):
    """Half the mean squared error of V tanh(W X + b) + c, with samples in columns."""
    H = jnp.tanh(W @ X + b[:, None])
    E = V @ H + c[:, None] - Y
    G = (V.T @ E) * (1 - H**2)
    m = X.shape[1]
    return jnp.sum(E**2) / (2 * m), (G @ X.T / m, G.sum(1) / m, E @ H.T / m, E.sum(1) / m)[by]


for _by, _weight in enumerate(("first_weights", "first_bias", "second_weights", "second_bias")):
    hand(net_data, (3, 4, 10), (16, 16, 32), wrt=_by, name=f"tanh_net_by_{_weight}")(functools.partial(tanh_net, _by))


def gelu_slope(x: Any) -> Any:
    density = jnp.exp(-(x**2) / 2) * float(1 / np.sqrt(2 * np.pi))
    return jax.scipy.stats.norm.cdf(x) + x * density


@hand(lambda rng, n: (normal(rng, n),), (5,), (256,))
def gelu(x):
    return jnp.sum(jax.nn.gelu(x, approximate=False)), gelu_slope(x)


@hand(lambda rng, n: (normal(rng, n),), (5,), (1,), (32,))
def gelu_elementwise(x):
    return jax.nn.gelu(x, approximate=False), jnp.diag(gelu_slope(x))


@hand(lambda rng, n: (normal(rng, n),), (5,), (256,))
def gelu_by_tanh(x):
    c = float(np.sqrt(2 / np.pi))
    t = jnp.tanh(c * (x + 0.044715 * x**3))
    return jnp.sum(jax.nn.gelu(x)), ((1 + t) / 2, x / 2 * (1 - t**2) * c * (1 + 3 * 0.044715 * x**2))


@hand(lambda rng, m, n: (normal(rng, m, n),), (3, 4), (16, 16))
def swish(X):
    s = sigmoid(X)
    return jnp.sum(jax.nn.silu(X)), (s, X * s * (1 - s))


@hand(lambda rng, n: (normal(rng, n),), (5,), (64,))
def elu(x):
    """Its slope is continuous, its curvature is not."""
    return jnp.sum(jax.nn.elu(x)), jnp.where(x > 0, 1, jnp.exp(jnp.minimum(x, 0)))


@hand(lambda rng, n: (normal(rng, n),), (5,), (2,), (64,), (256,))
def softmax_jacobian(x):
    p = softmax(x)
    return p, (jnp.diag(p), -jnp.outer(p, p))


def standardized(x: Any) -> tuple[Any, Any]:
    s = jnp.sqrt(jnp.var(x) + 1e-5)
    return (x - jnp.mean(x)) / s, s


@hand(lambda rng, n: (normal(rng, n),), (5,), (48,))
def layer_norm(x):
    y, s = standardized(x)
    return y, (eye(x) / s, -jnp.ones((len(x), len(x)), x.dtype) / (len(x) * s), -jnp.outer(y, y) / (len(x) * s))


@hand(lambda rng, m, n: (normal(rng, m, n), normal(rng, m, n)), (3, 5), (16, 32))
def layer_norm_of_a_batch(X, G):
    """By vmap, against a given cotangent."""
    Y, s = jax.vmap(standardized)(X)
    s = s[:, None]
    shared = -Y * jnp.mean(G * Y, axis=1, keepdims=True) / s
    return jnp.sum(G * Y), (G / s, -jnp.mean(G, axis=1, keepdims=True) / s * jnp.ones_like(X), shared)


@hand(
    lambda rng, m, k, d: (normal(rng, m, d), normal(rng, k, d), normal(rng, k, d), normal(rng, m, d)),
    (3, 5, 4),
    (8, 12, 16),
)
def attention_score(Q, K, V, G):
    """Scaled dot-product attention against a given cotangent."""
    P = softmax(Q @ K.T / Q.shape[1] ** 0.5)
    dP = G @ V.T
    return jnp.sum(G * (P @ V)), (P * (dP - jnp.sum(dP * P, axis=1, keepdims=True))) @ K / Q.shape[1] ** 0.5


@hand(lambda rng, m, k, d: (normal(rng, m, d), normal(rng, k, d), normal(rng, k, d)), (2, 3, 4), (5, 4, 6))
def attention_by_queries(Q, K, V):
    P = softmax(Q @ K.T / Q.shape[1] ** 0.5)
    O = P @ V
    per_query = jnp.einsum("ik,ika,kb->iab", P, V[None] - O[:, None], K) / Q.shape[1] ** 0.5
    return O, jnp.einsum("ij,iab->iajb", eye(Q), per_query)


@hand(lambda rng, m, n: (normal(rng, m, n), normal(rng, m, n)), (4, 3), (16, 12))
def contrastive_loss(Z, K):
    S = 2 * Z @ K.T
    m = len(Z)
    return jnp.mean(logsumexp(S, axis=1) - jnp.diag(S)), (2 * softmax(S) @ K / m, -2 * K / m)


@hand(lambda rng, d: (normal(rng, 4, d),), (3,), (32,))
def embedding(E):
    """Rows picked by number: one twice, one never."""
    rows = np.array([0, 2, 2, 1])
    return jnp.sum(jnp.sin(E[rows])), jnp.zeros_like(E).at[rows].add(jnp.cos(E[rows]))


@hand(lambda rng, n, k: (normal(rng, k), normal(rng, n)), (6, 3), (20, 5))
def convolution(w, x):
    k = len(w)
    return jnp.convolve(x, w), jnp.stack([jnp.pad(x, (i, k - 1 - i)) for i in range(k)], axis=1)


@hand(lambda rng, T: (np.asarray(0.8 * rng.standard_normal()), normal(rng, T)), (5,), (50,))
def recurrence(a, x):
    """h ← tanh(a h + x), by scan; the gradient by forward sensitivities."""

    def step(carry: Any, x_t: Any) -> Any:
        h, s = carry
        new = jnp.tanh(a * h + x_t)
        slope = (1 - new**2) * (h + a * s)
        return (new, slope), (new, slope)

    zero = jnp.zeros((), x.dtype)
    _, (h, _) = jax.lax.scan(step, (zero, jax.lax.stop_gradient(zero)), x)
    _, (states, slopes) = jax.lax.scan(step, (zero, zero), x)
    return jnp.sum(h**2), 2 * jnp.sum(states * slopes)


# Matrices


@hand(
    lambda rng, m, n, k: (normal(rng, m, k), normal(rng, n, k), normal(rng, m, n), rng.integers(2, size=(m, n)) * 1.0),
    (4, 5, 2),
    (12, 10, 3),
)
def matrix_factorization(U, V, R, M):
    E = M * (U @ V.T - R)
    return jnp.sum(E**2) / 2 + 0.05 * jnp.sum(U**2), (E @ V, 0.1 * U)


@hand(lambda rng, m, n: (normal(rng, m, n),), (4, 3), (10, 10))
def orthogonality_penalty(X):
    return jnp.sum((X.T @ X - jnp.eye(X.shape[1], dtype=X.dtype)) ** 2), (4 * X @ X.T @ X, -4 * X)


@hand(lambda rng, m, n: (normal(rng, m, n),), (3, 4), (6, 2), (24, 30))
def logdet_of_i_plus_gram(X):
    M = eye(X) + X @ X.T
    return jnp.linalg.slogdet(M)[1], 2 * jnp.linalg.solve(M, X)


@hand(lambda rng, n: (with_singular_values(rng, 1.0 + np.arange(n)),), (4,), (10,))
def nuclear_norm(X):
    U, s, Vt = jnp.linalg.svd(X)
    return jnp.sum(s), U @ Vt


def separated(rng: np.random.Generator, n: int) -> Array:
    """Eigenvalues of the symmetric part 1 … n, and a skew part beside it."""
    Q, K = orthogonal(rng, n), normal(rng, n, n)
    return Q * (1.0 + np.arange(n)) @ Q.T + (K - K.T) / 4


@hand(lambda rng, n: (separated(rng, n),), (4,), (8,))
def largest_eigenvalue_of_symmetric_part(X):
    values, vectors = jnp.linalg.eigh((X + X.T) / 2)
    return values[-1], jnp.outer(vectors[:, -1], vectors[:, -1])


@hand(lambda rng, m, n: (normal(rng, m, n),), (4, 3), (12, 5))
def sum_of_distances(X):
    difference = X[:, None] - X[None]
    d = jnp.sqrt(1 + jnp.sum(difference**2, axis=2))
    return jnp.sum(d) / 2, jnp.sum(difference / d[:, :, None], axis=1)


@hand(lambda rng, n: (normal(rng, n), normal(rng, n)), (4,), (1,), (200,))
def cosine_similarity(a, b):
    ra, rb = jnp.sqrt(a @ a), jnp.sqrt(b @ b)
    return a @ b / (ra * rb), (b / (ra * rb), -(a @ b) * a / (ra**3 * rb))


@hand(lambda rng, n: (normal(rng, n),), (4,), (64,))
def normalization(x):
    r = jnp.sqrt(x @ x)
    return x / r, (eye(x) / r, -jnp.outer(x, x) / r**3)


@hand(lambda rng, n: (normal(rng, n),), (3,), (1,), (12,))
def outer_square(x):
    """x xᵀ, a matrix by a vector."""
    I = eye(x)
    return jnp.outer(x, x), (jnp.einsum("ik,j->ijk", I, x), jnp.einsum("i,jk->ijk", x, I))


@hand(lambda rng, n: (with_singular_values(rng, positive(rng, n)),), (3,), (1,), (6,))
def inverse(X):
    Y = jnp.linalg.inv(X)
    return Y, -jnp.einsum("ik,lj->ijkl", Y, Y)


@hand(lambda rng, m, n: (normal(rng, m, n), normal(rng, m, m), normal(rng, n, n)), (3, 4), (3, 3))
def sandwich(X, A, B):
    """A X B, a matrix by a matrix."""
    return A @ X @ B, jnp.einsum("ik,lj->ijkl", A, B)


@hand(lambda rng, m, n: (normal(rng, m, n),), (3, 2), (6, 5))
def gram(X):
    """XᵀX, a matrix by a matrix."""
    I = jnp.eye(X.shape[1], dtype=X.dtype)
    return X.T @ X, (jnp.einsum("il,kj->ijkl", I, X), jnp.einsum("ki,jl->ijkl", X, I))


@hand(lambda rng, m, n: (normal(rng, m, n),), (2, 3), (4, 5))
def sine_elementwise(X):
    m, n = X.shape
    return jnp.sin(X), jnp.diag(jnp.cos(X).ravel()).reshape(m, n, m, n)


@hand(lambda rng, m, n: (normal(rng, m, n) / np.sqrt(n), normal(rng, n)), (3, 4), (8, 16))
def tanh_layer_by_weights(W, x):
    """A vector by a matrix."""
    h = jnp.tanh(W @ x)
    return h, jnp.einsum("ij,k->ijk", jnp.diag(1 - h**2), x)


# Of one variable and of entries


@hand(lambda rng: (normal(rng),), ())
def sinc(x):
    return jnp.sin(x) / x, (jnp.cos(x) / x, -jnp.sin(x) / x**2)


@hand(lambda rng: (normal(rng),), ())
def curve(t):
    """A vector by a scalar."""
    return jnp.stack([jnp.cos(t), jnp.sin(t), t**2]), jnp.stack([-jnp.sin(t), jnp.cos(t), 2 * t])


@hand(lambda rng: (normal(rng),), ())
def rotation(t):
    """A matrix by a scalar."""
    c, s = jnp.cos(t), jnp.sin(t)
    return jnp.stack([c, -s, s, c]).reshape(2, 2), jnp.stack([-s, -c, c, -s]).reshape(2, 2)


@hand(lambda rng, n: (normal(rng, n),), (4,), (1,), (256,))
def sum_of_sines(x):
    return jnp.sum(jnp.sin(x)), jnp.cos(x)


@hand(lambda rng, n: (positive(rng, n),), (4,), (10,))
def product(x):
    return jnp.prod(x), jnp.prod(x) / x


@hand(lambda rng, n: (positive(rng, n),), (4,), (64,))
def self_powers(x):
    y = x**x
    return jnp.sum(y), (y * jnp.log(x), y)


@hand(lambda rng, n: (normal(rng, n),), (5,), (64,))
def cubed_magnitudes(x):
    return jnp.sum(jnp.abs(x) ** 3), 3 * x * jnp.abs(x)


@hand(lambda rng, n: (normal(rng, n), positive(rng, n)), (8,), (32,))
def power_spectrum(x, g):
    """Through complex numbers: Σ g |Fx|²."""
    y = jnp.fft.fft(x)
    return jnp.sum(g * (y.real**2 + y.imag**2)), 2 * len(x) * jnp.fft.ifft(g * y).real


@hand(lambda rng, n: (normal(rng, n),), (4,), (2,), (64,))
def rosenbrock(x):
    u, zero = x[1:] - x[:-1] ** 2, jnp.zeros(1, x.dtype)

    def head(y: Any) -> Any:
        return jnp.concatenate([y, zero])

    f = jnp.sum(100 * u**2 + (1 - x[:-1]) ** 2)
    return f, (head(-400 * x[:-1] * u), jnp.concatenate([zero, 200 * u]), head(-2 * (1 - x[:-1])))


@hand(lambda rng, n: (normal(rng, n), normal(rng, n, n)), (4,), (6,), order=2)
def quartic_hessian(x, A):
    y = A @ x
    return jnp.sum(y**4) / 12, (A.T * y**2) @ A


# Ill-conditioned, badly scaled


@hand(lambda rng, n: (normal(rng, n), normal(rng, n)), (6,), (10,))
def least_squares_with_a_hilbert_matrix(x, b):
    H = jnp.asarray(hilbert(len(x)), x.dtype)
    r = H @ x - b
    return r @ r / 2, H.T @ r


@hand(lambda rng, n: (hilbert(n) * (1 + 1e-6 * normal(rng, n, n)), normal(rng, n), normal(rng, n)), (3,), (4,))
def solve_with_a_hilbert_matrix(A, a, b):
    return a @ jnp.linalg.solve(A, b), -jnp.outer(jnp.linalg.solve(A.T, a), jnp.linalg.solve(A, b))


@hand(lambda rng, n, k: (with_singular_values(rng, np.logspace(0, -k, n)),), (5, 3), (5, 6))
def logdet_of_nearly_singular(X):
    return jnp.linalg.slogdet(X)[1], jnp.linalg.inv(X).T


@hand(lambda rng, n: (normal(rng, n) * np.logspace(-3, 3, n), np.logspace(3, -3, n)), (7,), (32,))
def badly_scaled(x, s):
    y = s * x
    return jnp.sum(y**2) / 2 + jnp.sin(jnp.sum(y)), (s * y, s * jnp.cos(jnp.sum(y)))


@hand(lambda rng, n: (1e6 * positive(rng, n),), (4,), (64,))
def large_numbers(x):
    return jnp.sum(x * jnp.log(x)), (jnp.log(x), jnp.ones_like(x))


@hand(lambda rng, n: (1e-6 * normal(rng, n), normal(rng, n)), (4,), (64,))
def small_numbers(x, a):
    return 1e-4 * jnp.exp(1e6 * (a @ x) / len(x)), 1e2 * jnp.exp(1e6 * (a @ x) / len(x)) * a / len(x)


@hand(lambda rng, n: (normal(rng, n),), (4,), (64,))
def large_constant(x):
    """The digits of the value that x moves are the last ones."""
    return 1e4 + jnp.sum(x**2) / 2, x


# --- At a stationary point, where a derivative is what rounding leaves of it


def solution(rng: np.random.Generator, m: int, n: int) -> tuple[Array, Array, Array]:
    A, b = normal(rng, m, n), normal(rng, m)
    return np.linalg.lstsq(A, b, rcond=None)[0], A, b


@hand(lambda rng, m, n: solution(rng, m, n), (8, 3), (40, 12), stationary=True)
def least_squares_at_its_solution(x, A, b):
    r = A @ x - b
    return r @ r / 2, (A.T @ (A @ x), -A.T @ b)


def fitted(rng: np.random.Generator, m: int, n: int) -> tuple[Array, Array, Array]:
    A, y, w = normal(rng, m, n), np.sign(normal(rng, m)), np.zeros(n)
    for _ in range(40):
        s = 1 / (1 + np.exp(y * (A @ w)))
        w = w + np.linalg.solve(A.T @ ((s * (1 - s))[:, None] * A) + np.eye(n), A.T @ (s * y) - w)
    return w, A, y


@hand(lambda rng, m, n: fitted(rng, m, n), (12, 3), (60, 10), stationary=True)
def logistic_regression_at_its_optimum(w, A, y):
    return jnp.sum(softplus(-y * (A @ w))) + w @ w / 2, (-A.T @ (y * sigmoid(-y * (A @ w))), w)


@hand(lambda rng, n: (lambda x: (x, x.copy()))(normal(rng, n)), (3,), (20,), stationary=True)
def kernel_at_equal_points(x, y):
    k = jnp.exp(-jnp.sum((x - y) ** 2) / 2)
    return k, -(x - y) * k


@hand(lambda rng, n: (np.zeros(n), positive(rng, n)), (3,), (20,), stationary=True)
def cosines_at_zero(x, a):
    return jnp.sum(a * jnp.cos(x)), -a * jnp.sin(x)


@hand(lambda rng, n: (np.zeros(n), normal(rng, n, n)), (4,), (12,), stationary=True)
def quadratic_at_zero(x, A):
    return x @ A @ x / 2 + 1, (A @ x / 2, A.T @ x / 2)


@hand(lambda rng, m, n: (np.zeros((m, n)), normal(rng, m), normal(rng, n)), (3, 4), (10, 8), stationary=True)
def weights_that_begin_at_zero(W, a, b):
    t = jnp.tanh(a @ W @ b)
    return t**2 / 2 + jnp.sum(W**2) / 2, (t * (1 - t**2) * jnp.outer(a, b), W)


# --- With several blocks, of which one is stationary; by complex variables; coarsely rounded


def two(u: Any, v: Any) -> tuple[Any, Any]:
    """A gradient by two blocks, as terms that are each by one of them."""
    u, v = u.ravel(), v.ravel()
    return jnp.concatenate([u, jnp.zeros_like(v)]), jnp.concatenate([jnp.zeros_like(u), v])


@hand(
    lambda rng, m, n: (lambda a, v: (np.concatenate([a, v]), a))(normal(rng, m), normal(rng, n)),
    (3, 4),
    (12, 9),
    stationary=True,
    grouping=lambda m, n: in_blocks(m),
)
def one_block_at_its_optimum(x, a):
    u, v = x[: len(a)], x[len(a) :]
    return jnp.sum((u - a) ** 2) / 2 + jnp.sum(jnp.sin(v)), two(u - a, jnp.cos(v))


@hand(
    lambda rng, d, h: (np.concatenate([normal(rng, d * h), np.zeros(h)]), normal(rng, d), normal(rng, 1)[0] + 3),
    (2, 3),
    (6, 5),
    stationary=True,
    grouping=lambda d, h: in_blocks(d * h),
)
def net_with_a_head_that_begins_at_zero(p, x, y):
    h = len(p) // (len(x) + 1)
    W, v = p[:-h].reshape(h, -1), p[-h:]
    t = jnp.tanh(W @ x)
    r = v @ t - y
    return r**2 / 2, two(r * jnp.outer(v * (1 - t**2), x), r * t)


@hand(
    lambda rng, m, n: (normal(rng, 2 * n), normal(rng, m, n), normal(rng, m, n), normal(rng, m)),
    (4, 3),
    (12, 8),
    grouping=lambda m, n: COMPLEX,
)
def complex_least_squares(x, A, B, b):
    n = len(x) // 2
    s, t = A @ x[:n] - B @ x[n:] - b, B @ x[:n] + A @ x[n:]
    return (s @ s + t @ t) / 2, jnp.concatenate([A.T @ s + B.T @ t, A.T @ t - B.T @ s])


@hand(lambda rng, n: (normal(rng, 2 * n), positive(rng, n)), (3,), (20,), grouping=lambda n: COMPLEX)
def weighted_fourth_powers_of_moduli(x, a):
    n = len(x) // 2
    squares = x[:n] ** 2 + x[n:] ** 2
    return a @ squares**2 / 4, jnp.tile(a * squares, 2) * x


@hand(lambda rng, n: (normal(rng, n), positive(rng, n)), (3,), (20,))
def sines_in_float32(x, a):
    y, b = x.astype(jnp.float32), a.astype(jnp.float32)
    return jnp.sum(b * jnp.sin(y)), b * jnp.cos(y)


@hand(lambda rng, n: (normal(rng, n), normal(rng, n, n)), (3,), (12,))
def logistic_in_float32(x, A):
    z = A.astype(jnp.float32) @ x.astype(jnp.float32)
    return jnp.sum(softplus(z)), A.astype(jnp.float32).T @ sigmoid(z)


def main() -> None:
    """Compare each right gradient with JAX's in float64, and each sum of terms with the gradient."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    jax.config.update("jax_enable_x64", True)
    specimens = [*catalogue(), *by_hand()]
    worst: dict[str, float] = {}
    for specimen in specimens:
        for seed in range(3):
            args = specimen.point(seed)
            D, expected = np.asarray(specimen.gradient(*args)), np.asarray(specimen.autodiff(*args))
            assert D.shape == expected.shape, specimen.key
            # Where a derivative vanishes, it is rounding on either side.
            size = max(np.linalg.norm(expected), 1e-12 * np.max(np.abs(specimen.differentiated(*args)))) or 1.0
            errors = [np.linalg.norm(D - expected) / size]
            if specimen.parts:
                errors.append(
                    np.linalg.norm(sum(np.asarray(part(*args)) for part in specimen.parts.values()) - D) / size
                )
            worst[specimen.key] = max(worst.get(specimen.key, 0.0), *errors)
    for key, error in sorted(worst.items(), key=lambda item: -item[1])[:12]:
        print(f"{error:8.1e}  {key}")
    names = {specimen.name for specimen in specimens if not specimen.in_catalogue}
    print(f"{len(specimens)} functions at their sizes agree so far with JAX; {len(names)} were written by hand")


if __name__ == "__main__":
    main()
