"""The derivatives of the catalogue in other frameworks, for comparison: each made from the printed formula.

The formula is evaluated once, on arrays that record what is done to them on a tape (a Wengert list): a straight-line
function in NumPy's words, such as `t1 = x @ A; t2 = t1 @ x`, as a user of the framework would have written it. The
framework differentiates it in its own way, and nothing of this module or of `matcalc.formula` runs when it is timed.
"""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from types import ModuleType
from typing import Any, Literal

import jax
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from matcalc.catalogue import Identity, Rule
from matcalc.catalogue.declaration import RuleDeclaration
from matcalc.formula import Formula, evaluate, infer, parse
from matcalc.formula.tree import Apply, Name
from matcalc.timing import tensorgrad

Thunk = Callable[[], Any]
Find = Callable[[str], Any]  # a function of a framework by NumPy's name for it
Orientation = Literal["", "column", "row", "number"]  # a vector as a matrix, or a number as one

PEERS = ("torch", "autograd", "tensorgrad", "numpy")
OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "power": "**"}
INDEX: Mapping[Orientation, str] = {"": "", "column": "[:, None]", "row": "[None, :]", "number": "[None, None]"}
TURNED: Mapping[Orientation, Orientation] = {"column": "row", "row": "column", "number": "number"}
OF_PRODUCT: Mapping[tuple[Orientation, ...], Orientation] = {
    ("", ""): "",
    ("", "column"): "column",
    ("row", ""): "row",
    ("row", "column"): "number",
}
OF_MATRICES = {"exp": "expm", "ln": "logm", "sin": "sinm", "cos": "cosm", "sqrt": "sqrtm"}


class Unsupported(Exception):
    """Why a framework does not give this derivative."""


def peer(name: str, identity: Identity[Any], values: Mapping[str, Any], batch: int | None = None) -> Thunk | None:
    """The derivative by `identity.wrt` in JAX's layout, as a framework computes it; None where it cannot.

    `values` are NumPy arrays of one dtype and integers by name of argument, each array with a leading axis of length
    `batch` where that is given. The inputs are converted here, and not when the thunk is called.
    """
    try:
        return derivative(name, identity, values, batch)
    except Unsupported:
        return None


def derivative(name: str, identity: Identity[Any], values: Mapping[str, Any], batch: int | None = None) -> Thunk:
    """As `peer`, but it raises `Unsupported` with the reason. What it returns has run once.

    torch: `torch.func.grad` of a scalar, else `jacfwd`; `hessian`; under `vmap` for a batch. autograd: `grad`, else
    `jacobian`; `hessian`. tensorgrad: the code that it generates for PyTorch. numpy: the printed closed form, from left
    to right. Of a rule, the function of x is its formula at U + ∂U·x, and the derivative is taken at x = 0.
    """
    if batch is not None and name != "torch":
        raise Unsupported(f"{name} has no vmap")
    arrays = {p.name: np.asarray(values[p.name]) for p in identity.signature.arrays}
    one = {**values, **{key: np.asarray(array if batch is None else array[0]) for key, array in arrays.items()}}
    value_shape, shape = _shapes(identity, one)
    if isinstance(identity, Rule) and name != "numpy":
        one["x"] = zero = identity.declaration.origin(one)
        arrays["x"] = zero if batch is None else np.zeros((batch, *zero.shape), zero.dtype)
    order = sorted(arrays, key=lambda key: key != identity.wrt)  # what is differentiated by comes first
    inputs: list[Any] = [arrays[key] for key in order]
    if name == "torch":
        torch: Any = importlib.import_module("torch")
        inputs = [torch.as_tensor(value) for value in inputs]
        by = torch.func.hessian if identity.order == 2 else torch.func.jacfwd if value_shape else torch.func.grad
        run = by(Tape(identity, one, value_shape, _of_torch(torch)).function(order, torch.as_tensor))
        run = run if batch is None else torch.func.vmap(run)
    elif name == "autograd":
        autograd: Any = importlib.import_module("autograd")
        by = autograd.hessian if identity.order == 2 else autograd.jacobian if value_shape else autograd.grad
        run = by(Tape(identity, one, value_shape, _of_autograd()).function(order))
    elif name == "tensorgrad":
        inputs, run = [], _by_tensorgrad(identity, one, value_shape, {key: arrays[key] for key in order})
    else:
        run = Tape(identity, one, shape, _of_numpy, is_closed_form=True).function(order)
    return _tried(lambda: run(*inputs), shape if batch is None else (batch, *shape))


def _shapes(identity: Identity[Any], values: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of the value and of the derivative, in JAX's layout."""
    arrays = {p.name: jax.ShapeDtypeStruct(values[p.name].shape, np.float32) for p in identity.signature.arrays}
    value, D = jax.eval_shape(lambda arrays: identity.declaration.body(**{**values, **arrays}), arrays)
    return value.shape, D.shape


def _tried(thunk: Thunk, shape: tuple[int, ...]) -> Thunk:
    """The thunk, which has run once, with a result of the right shape."""
    try:
        got = tuple(np.shape(thunk()))
    except NotImplementedError as error:  # a function that has no derivative in this framework
        raise Unsupported(str(error)) from None
    if got != shape:
        raise Unsupported(f"its derivative has shape {got} and not {shape}")
    return thunk


# --- The frameworks


def _of_torch(torch: Any) -> Find:
    def exponential(X: Any) -> Any:  # exp(iX) = cos X + i sin X
        return torch.linalg.matrix_exp(1j * X)

    own = {
        "cross": torch.linalg.cross,
        "expm": torch.linalg.matrix_exp,
        "sinm": lambda X: exponential(X).imag,
        "cosm": lambda X: exponential(X).real,
    }  # and there is no logarithm of a matrix
    return lambda name: own.get(name) or _found(torch, name)


def _of_autograd() -> Find:
    anp: Any = importlib.import_module("autograd.numpy")
    # Its own power has no derivative, that of a trace is in float64 always, and there are no functions of matrices.
    own = {"linalg.matrix_power": lambda X, k: functools.reduce(anp.matmul, [X] * k)}
    return lambda name: own.get(name) or _found(anp, name)


def _by_tensorgrad(
    identity: Identity[Any], values: Mapping[str, Any], shape: Sequence[int], arrays: Mapping[str, Any]
) -> Thunk:
    try:
        tape = Tape(identity, values, shape, tensorgrad.find)
        return tensorgrad.compiled(functools.partial(tape.function, list(arrays)), arrays, identity.order)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise Unsupported(str(error)) from None


def _of_numpy(name: str) -> Any:
    return _found(importlib.import_module("scipy.linalg") if name in OF_MATRICES.values() else np, name)


def _found(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise Unsupported(f"{module.__name__} has no {name}")
    return found


# --- The tape


class Tape:
    """What evaluating a formula does to its arguments: the function of an identity, or its closed derivative."""

    def __init__(
        self,
        identity: Identity[Any],
        values: Mapping[str, Any],
        shape: Sequence[int],
        find: Find,
        is_closed_form: bool = False,
    ) -> None:
        self.lines: dict[str, str] = {}  # the name of each expression; one that comes twice is computed once
        self.find, self.functions = find, dict[str, Any]()
        self.constants: dict[str, Any] = {}
        self.numpy = _Numpy(self, np)
        sizes = {axis: n for axis, n in identity.signature.measure(values).items() if isinstance(n, int)}
        traced: dict[str, Any] = {
            key: Traced(self, key, value) if isinstance(value, np.ndarray) else value for key, value in values.items()
        }
        if isinstance(identity.declaration, RuleDeclaration) and not is_closed_form:
            traced = identity.declaration.moved(traced, traced["x"], self._contracted)
        text = (identity.derivative_formulas if is_closed_form else identity.formulas)[0]
        # In NumPy either would be a loop over all entries and no expression, and slow for that reason alone.
        if is_closed_form and any(np.ndim(value) > 2 for value in values.values()):
            raise Unsupported("∂U has more axes than a matrix, and the formula means it entry by entry of x")
        if text.count("Σ") > 1:
            raise Unsupported("the formula is a sum over all entries")
        with np.errstate(all="ignore"):
            tree = self._without_functions_of_matrices(parse(text), traced)
            result = evaluate(tree, traced, sizes=sizes, shape=shape, xp=self.numpy)
        # A constant is computed anew at each call, as by all others.
        self.result = result.text if isinstance(result, Traced) else f"{self._constant(result)}.copy()"

    def function(self, order: Sequence[str], constant: Callable[[Any], Any] = np.asarray) -> Any:
        """The tape as a function of its arguments in this order, with constants as the framework has them."""
        scope = self.functions | {name: constant(value) for name, value in self.constants.items()}
        exec(f"def replayed({', '.join(order)}):\n    " + "\n    ".join([*self.text, f"return {self.result}"]), scope)
        return scope["replayed"]

    @property
    def text(self) -> list[str]:
        """The lines of the tape."""
        return [f"{name} = {text}" for text, name in self.lines.items()]

    def record(self, text: str, value: Any, orientation: Orientation = "") -> Any:
        """A line of the tape, and its result, or several."""
        name = self.lines.setdefault(text, f"t{len(self.lines) + 1}")
        if isinstance(value, tuple):
            return tuple([Traced(self, f"{name}[{i}]", part) for i, part in enumerate(value)])
        return Traced(self, name, value, orientation)

    def call(self, name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A call of a function, written down where it has to do with the arguments."""
        if not any(isinstance(a, Traced) for a in args):
            return function(*args, **kwargs)
        if name == "linalg.matrix_power" and args[1] < 2:
            return args[0] if args[1] else np.eye(len(args[0]), dtype=args[0].dtype)
        spelled = name.replace(".", "_")
        self.functions[spelled] = self.find(name)
        operands = list(map(self.traced, args))
        texts = [a.name if name == "linalg.norm" else a.text for a in operands]  # the norm of a column is a vector's
        texts += [f"{key}={value!r}" for key, value in kwargs.items()]
        return self.record(f"{spelled}({', '.join(texts)})", function(*[a.value for a in operands], **kwargs))

    def operate(self, ufunc: np.ufunc, args: Sequence[Any]) -> Any:
        """An operator on one or two: on vectors as vectors, where that can be, and not on 0 + A, I A and 1 A."""
        for i, other in enumerate(reversed(args) if ufunc.nin == 2 else ()):
            if isinstance(other, Traced) and _is_neutral(ufunc, args[i]):
                return other
        operands = list(map(self.traced, args))
        orientations: tuple[Orientation, ...] = tuple([a.orientation for a in operands])
        if ufunc is np.matmul and orientations == ("column", "row"):
            return self.call("outer", np.outer, [Traced(self, a.name, a.array) for a in operands], {})
        of_arrays: set[Orientation] = {a.orientation for a in operands if a.ndim} or {""}
        orientation = (
            OF_PRODUCT.get(orientations) if ufunc is np.matmul else of_arrays.pop() if len(of_arrays) == 1 else None
        )
        if orientation is None:
            orientation, operands = "", [Traced(self, a.text, a.value) for a in operands]
        names = [a.name for a in operands]
        text = f" {OPERATORS[ufunc.__name__]} ".join(names) if len(names) == 2 else f"-{names[0]}"
        return self.record(text, ufunc(*[a.array for a in operands]), orientation)

    def traced(self, value: Any) -> "Traced":
        """A value of the tape; a constant becomes one."""
        if isinstance(value, Traced):
            return value
        if np.ndim(value) == 0:
            return Traced(self, repr(value.item() if hasattr(value, "item") else value), value)
        orientation: Orientation = (
            "" if value.ndim != 2 else "column" if value.shape[1] == 1 else "row" if len(value) == 1 else ""
        )
        array = value.reshape(-1) if orientation else value
        return Traced(self, self._constant(array), array, orientation)

    def _contracted(self, D: Any, x: Any, axes: int) -> Any:
        """D·x; of a number x a plain product, as a user would write it."""
        return self.numpy.tensordot(D, x, axes) if axes else D * x

    def _constant(self, value: Any) -> str:
        for name, known in self.constants.items():
            if known.dtype == value.dtype and np.array_equal(known, value):
                return name
        name = f"c{len(self.constants) + 1}"
        self.constants[name] = value
        return name

    def _without_functions_of_matrices(self, tree: Formula, values: dict[str, Any]) -> Formula:
        """The formula with a name for each exp(X), …, whose value is added; `evaluate` would compute them by JAX."""

        def changed(part: Any) -> Any:
            if isinstance(part, tuple):
                return tuple(map(changed, part))
            return self._without_functions_of_matrices(part, values) if isinstance(part, Formula) else part

        every: Any = tree  # every kind of formula is a dataclass
        tree = replace(every, **{field.name: changed(getattr(tree, field.name)) for field in fields(every)})
        if not isinstance(tree, Apply) or tree.function not in OF_MATRICES:
            return tree
        if len(infer(tree.of, {key: np.shape(value) for key, value in values.items()})) < 2:
            return tree
        function, letter = OF_MATRICES[tree.function], "ΦΨΩ"[sum(name in values for name in "ΦΨΩ")]
        operand = evaluate(tree.of, values, xp=self.numpy)
        values[letter] = self.call(function, _of_numpy(function), [operand], {})
        return Name(letter)


class Traced(NDArrayOperatorsMixin):
    """An array that a tape computes, with its value at the arguments at hand.

    The tape has it under `name` as `array`; of a vector or number, `orientation` may say the matrix that is meant.
    """

    def __init__(self, tape: Tape, name: str, array: Any, orientation: Orientation = "") -> None:
        self.tape, self.name, self.array = tape, name, np.asarray(array)
        self.orientation: Orientation = orientation
        self.text = name + INDEX[orientation]
        self.value = self.array[{"": (), "column": (..., None), "row": (None,), "number": (None, None)}[orientation]]
        self.shape, self.ndim, self.size = self.value.shape, self.value.ndim, self.value.size
        self.dtype = self.value.dtype

    def __len__(self) -> int:
        return len(self.value)

    @property
    def T(self) -> Any:
        if self.orientation:
            return self._as(TURNED[self.orientation])
        return self.tape.record(f"{self.name}.T", self.value.T)

    def astype(self, dtype: Any) -> Any:
        return self  # all are of one dtype

    def reshape(self, *shape: Any) -> Any:
        value = self.value.reshape(*shape)
        if value.shape in (self.shape, self.array.shape):
            return self if value.shape == self.shape else self._as("")
        if self.array.ndim == 1 and value.shape == (self.size, 1):
            return self._as("column")
        return self.tape.record(f"{self.text}.reshape({value.shape})", value)

    def __getitem__(self, place: Any) -> Any:
        if place == (slice(None), None) and self.array.ndim == 1:
            return self._as("column")
        subscript = f"[{place!r}]".replace("slice(None, None, None)", ":").replace("[(", "[").replace(")]", "]")
        return self.tape.record(self.text + subscript, self.value[place])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.tape.operate(ufunc, args)

    def _as(self, orientation: Orientation) -> "Traced":
        return Traced(self.tape, self.name, self.array, orientation)


class _Numpy:
    """NumPy, or a part of it, that records what is done to traced arrays on a tape."""

    def __init__(self, tape: Tape, module: ModuleType, prefix: str = "") -> None:
        self._tape, self._module, self._prefix = tape, module, prefix

    def asarray(self, value: Any, dtype: Any = None) -> Any:
        return value if isinstance(value, Traced) else np.asarray(value, dtype)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, ModuleType):
            return _Numpy(self._tape, found, f"{name}.")
        if isinstance(found, type) or not callable(found):
            return found
        return lambda *args, **kwargs: self._tape.call(self._prefix + name, found, args, kwargs)


def _is_neutral(ufunc: np.ufunc, value: Any) -> bool:
    """Whether a constant leaves the other operand as it is: of a sum 0, of a product I or 1."""
    if isinstance(value, Traced):
        return False
    if ufunc is np.matmul:
        return np.array_equal(value, np.eye(len(value)))
    if ufunc is np.add:
        return not np.any(value)
    return ufunc is np.multiply and np.ndim(value) == 0 and value == 1
