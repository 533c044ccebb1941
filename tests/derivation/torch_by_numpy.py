"""The part of PyTorch that emitted code calls, on NumPy arrays: what runs it where PyTorch is not installed.

It takes what PyTorch takes and no more: `kron` wants contiguous operands, functions of numbers want tensors, and dtypes
do not mix in products.
"""

from types import ModuleType

import numpy as np
import scipy.linalg
import scipy.special


class Tensor(np.ndarray):
    """An array with the methods of a tensor."""

    @property
    def T(self):
        assert self.ndim == 2, "PyTorch transposes matrices only"
        return np.transpose(self)

    def permute(self, *axes):
        return np.transpose(self, axes)

    def contiguous(self):
        return tensor(np.ascontiguousarray(self)) if self.ndim else self

    def to(self, dtype):
        return self.astype(dtype)

    def __matmul__(self, other):
        assert isinstance(other, Tensor), f"a {type(other).__name__} is no tensor"
        assert self.dtype == other.dtype, "PyTorch multiplies matrices of one dtype"
        return tensor(np.matmul(self, other))


def tensor(values):
    return np.asarray(values).view(Tensor)


def _new(make):
    def function(shape, dtype, device):
        assert device == "cpu"
        return tensor(make(shape, dtype=dtype))

    return function


def _of_tensors(function):
    def checked(*tensors, **options):
        parts = [t for each in tensors for t in (each if isinstance(each, list | tuple) else [each])]
        for each in parts:
            assert isinstance(each, Tensor | int | str), type(each)
        assert isinstance(parts[0], Tensor), "PyTorch's functions take tensors"
        return tensor(function(*tensors, **options))

    return checked


def _kron(A, B):
    assert all(X.flags.c_contiguous for X in (A, B)), "PyTorch's kron takes contiguous operands"
    return np.kron(A, B)


def _asarray(values, dtype, device):
    assert device == "cpu"
    return tensor(np.asarray(values, dtype))


def _expm(X):
    return scipy.linalg.expm(np.asarray(X))


NUMPY = {
    **{name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt", "abs")},
    **{
        name: getattr(np, name)
        for name in ("sign", "sum", "mean", "max", "min", "trace", "outer", "diag", "reciprocal")
    },
    **{name: getattr(np, name) for name in ("tril", "triu", "where", "ones_like", "prod", "stack")},
    **{"kron": _kron, "cat": np.concatenate, "sigmoid": scipy.special.expit, "matrix_exp": _expm},
    **{"relu": lambda x: np.maximum(x, 0), "softmax": scipy.special.softmax, "logsumexp": scipy.special.logsumexp},
    "block_diag": scipy.linalg.block_diag,
}
LINALG = ("det", "inv", "pinv", "norm", "solve", "matrix_power", "slogdet", "svd", "cross", "eig")


def module() -> ModuleType:
    """The module, to stand for `torch` in `sys.modules`."""
    made = ModuleType("torch")
    for name, function in NUMPY.items():
        setattr(made, name, _of_tensors(function))
    made.eye, made.ones, made.zeros = (
        _new(make) for make in (lambda n, dtype: np.eye(n, dtype=dtype), np.ones, np.zeros)
    )
    made.asarray, made.tensor = _asarray, tensor
    made.linalg = ModuleType("torch.linalg")
    for name in LINALG:
        setattr(made.linalg, name, _of_tensors(getattr(np.linalg, name)))
    made.linalg.svd = lambda X: tuple(map(tensor, np.linalg.svd(X)))
    made.linalg.slogdet = lambda X: tuple(map(tensor, np.linalg.slogdet(X)))
    made.linalg.eig = lambda X: tuple(tensor(part.astype(complex)) for part in np.linalg.eig(X))
    made.nn = ModuleType("torch.nn")
    made.nn.functional = ModuleType("torch.nn.functional")
    made.nn.functional.softplus = _of_tensors(lambda x: np.logaddexp(x, 0))
    return made
