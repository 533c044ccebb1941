"""Derivatives by tensorgrad: the tape of a peer is run on symbolic tensors, whose axes are edges with names."""

import functools
import importlib
import itertools
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_names = (f"e{k}" for k in itertools.count())


class Named:
    """A tensor of tensorgrad as NumPy would have it: its edges in the order of the axes."""

    def __init__(self, tensor: Any, *edges: str) -> None:
        self.tensor, self.edges = tensor, edges

    @property
    def ndim(self) -> int:
        return len(self.edges)

    @property
    def T(self) -> "Named":
        return Named(self.tensor, *reversed(self.edges))

    def renamed(self, *edges: str) -> "Named":
        """The same with these edges; with new ones if none are given."""
        edges = edges or tuple(itertools.islice(_names, self.ndim))
        return Named(self.tensor.rename(**dict(zip(self.edges, edges, strict=True))), *edges)

    def contracted(self, other: "Named", axes: int) -> "Named":
        """The sum over the last axes of this one and as many first ones of the other."""
        a, b = self.renamed(), other.renamed()
        kept, shared = a.edges[: a.ndim - axes], a.edges[a.ndim - axes :]
        free = b.edges[axes:]
        return Named(a.tensor @ b.renamed(*shared, *free).tensor, *kept, *free)

    def __matmul__(self, other: "Named") -> "Named":
        return self.contracted(other, 1)

    def __mul__(self, other: "Named | float") -> "Named":
        if not isinstance(other, Named):
            return Named(self.tensor * other, *self.edges)
        if not self.ndim or not other.ndim:
            return self.contracted(other, 0)
        return Named(self.tensor * self._like(other), *self.edges)

    def __add__(self, other: "Named | float") -> "Named":
        return Named(self.tensor + self._like(other), *self.edges)

    def __sub__(self, other: "Named | float") -> "Named":
        return Named(self.tensor - self._like(other), *self.edges)

    def __neg__(self) -> "Named":
        return self * -1

    def __truediv__(self, other: "Named | float") -> "Named":
        return self * (other**-1 if isinstance(other, Named) else 1 / other)

    def __pow__(self, exponent: float) -> "Named":
        fraction = Fraction(exponent).limit_denominator(100)
        return Named(
            _functions().pow(self.tensor, int(fraction) if fraction.denominator == 1 else fraction), *self.edges
        )

    def __radd__(self, other: float) -> "Named":
        return self + other

    def __rmul__(self, other: float) -> "Named":
        return self * other

    def __rsub__(self, other: float) -> "Named":
        return -self + other

    def __rtruediv__(self, other: float) -> "Named":
        return self**-1 * other

    def __getitem__(self, place: Any) -> "Named":
        raise NotImplementedError("a part of an array")

    def _like(self, other: "Named | float") -> Any:
        """The tensor of an operand, with the edges of this one."""
        if isinstance(other, Named) and other.ndim == self.ndim:
            return other.renamed(*self.edges).tensor
        if isinstance(other, Named) or self.ndim:
            raise NotImplementedError("an operand that has to be repeated along an axis")
        return other


def find(name: str) -> Callable[..., Named]:
    """A function by NumPy's name for it."""
    if name not in FUNCTIONS:
        raise NotImplementedError(f"tensorgrad has no {name}")
    return FUNCTIONS[name]


def _functions() -> Any:
    return importlib.import_module("tensorgrad.functions")


def _entrywise(name: str) -> Callable[[Named], Named]:
    return lambda X: Named(getattr(_functions(), name)(X.tensor), *X.edges)


def _scalar(name: str) -> Callable[[Named], Named]:
    return lambda X: Named(getattr(_functions(), name)(X.tensor))


FUNCTIONS: Mapping[str, Callable[..., Named]] = {
    **{name: _entrywise(name) for name in ("exp", "log", "sqrt", "tanh", "abs")},
    **{name: _scalar(name) for name in ("trace", "sum")},
    "linalg.det": _scalar("det"),
    # Its inverse, contracted with X over edges of the same name, is the identity: X⁻ᵀ by the places of its edges.
    "linalg.inv": lambda X: Named(_functions().inverse(X.tensor), *reversed(X.edges)),
    "linalg.norm": lambda X: Named(_functions().sqrt(_functions().frobenius2(X.tensor))),
    "linalg.matrix_power": lambda X, k: functools.reduce(Named.__matmul__, [X] * k),
    "outer": lambda a, b: a.contracted(b, 0),
    "tensordot": Named.contracted,
}


def compiled(
    replay: Callable[[Callable[[Array], Named]], Callable[..., Named]],
    arrays: Mapping[str, Array],
    order: int,
) -> Callable[[], Any]:
    """The derivative of a function by the first of its arguments, as one without arguments.

    `replay` makes the function of the arguments, given what makes a tensor of a constant. What is called is the code
    that tensorgrad generates for these sizes, without its wrapper, which names the axes of arrays of PyTorch.
    """
    tensorgrad: Any = importlib.import_module("tensorgrad")
    compiler: Any = importlib.import_module("tensorgrad.compiler")
    sympy: Any = importlib.import_module("sympy")
    torch: Any = importlib.import_module("torch")
    symbols: dict[int, Any] = {}
    given: dict[str, Array] = {}

    def variable(name: str, value: Array) -> Named:
        given[name] = value
        edges = [next(_names) for _ in value.shape]
        sizes = [symbols.setdefault(size, sympy.Symbol(f"n{size}")) for size in value.shape]
        return Named(tensorgrad.Variable(name, **dict(zip(edges, sizes, strict=True))), *edges)

    def constant(value: Array) -> Named:
        if value.ndim == 2 and np.array_equal(value, np.eye(len(value))):
            edges = [next(_names) for _ in value.shape]
            size = symbols.setdefault(len(value), sympy.Symbol(f"n{len(value)}"))
            return Named(tensorgrad.Delta(size, *edges), *edges)
        return variable(f"c{len(given)}", value)

    inputs = [variable(name, value) for name, value in arrays.items()]
    result = replay(constant)(*inputs)
    tensor, wanted = result.tensor, list(result.edges)
    for _ in range(order):
        new = [next(_names) for _ in inputs[0].edges]
        tensor = tensor.grad(inputs[0].tensor, dict(zip(inputs[0].edges, new, strict=True)))
        wanted += new
    generated = compiler.compile_to_callable(tensor)
    dtype = torch.as_tensor(next(iter(arrays.values()))).dtype
    function = generated.codegen.specialize({symbol: size for size, symbol in symbols.items()}, dtype=dtype)
    tensors = [torch.as_tensor(given[v.name]) for v in generated.vars]
    ((_, edges),) = generated.outputs
    permutation = [edges.index(edge) for edge in wanted]

    def run() -> Any:
        with torch.no_grad():
            return function(*tensors)[0].permute(permutation)

    return run
