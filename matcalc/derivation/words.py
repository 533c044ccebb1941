"""The words of the languages that code is written in: what they call each function, and what they must import for it.

A word is a call with `{x}` for the argument. What a language lacks is a function of its own, `HELPERS`, that is written
before the derivative where it calls it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# --- Words

_ENTRIES = ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt", "abs", "sign")
_REDUCTIONS = ("sum", "mean", "max", "min")


@dataclass(frozen=True)
class Language:
    """How to say things of arrays in one library."""

    xp: str
    entries: Mapping[str, str]  # functions of numbers and of each entry
    matrices: Mapping[str, str]  # functions of matrices
    vectors: Mapping[str, str]  # of vectors as a whole
    calls: Mapping[str, str]  # other operations, by name
    helpers: Mapping[str, str] = field(default_factory=dict[str, str])
    solves: bool = True
    places: str = "dtype={0}.dtype"  # of a new array beside {0}
    permute: str = "transpose"  # the method that reorders axes
    of_kron: str = "{x}"  # an operand of a Kronecker product


def _entries(xp: str, **others: str) -> dict[str, str]:
    usual = {name: f"{xp}.{name}({{x}})" for name in _ENTRIES}
    return {**usual, "ln": f"{xp}.log({{x}})", **others}


def _matrices(xp: str, **others: str) -> dict[str, str]:
    return {
        **{name: f"{xp}.{name}({{x}})" for name in (*_REDUCTIONS, "tril", "triu", "diag")},
        **{name: f"{xp}.linalg.{name}({{x}})" for name in ("det", "inv", "pinv", "norm")},
        **{"tr": f"{xp}.trace({{x}})", "adj": "adj({x})"},
        **{"logabsdet": f"{xp}.linalg.slogdet({{x}})[1]"},
        **{"norm2": f"{xp}.linalg.norm({{x}}, 2)", "nuclear": f'{xp}.linalg.norm({{x}}, "nuc")'},
        **others,
    }


def _vectors(xp: str, **others: str) -> dict[str, str]:
    return {
        **{name: f"{xp}.{name}({{x}})" for name in (*_REDUCTIONS, "diag")},
        **{"norm": f"{xp}.linalg.norm({{x}})", "norm1": f"{xp}.sum({xp}.abs({{x}}))"},
        **{"norminf": f"{xp}.max({xp}.abs({{x}}))"},
        **others,
    }


def _calls(xp: str, **others: str) -> dict[str, str]:
    return {
        **{name: f"{xp}.{name}" for name in ("outer", "kron", "cross")},
        **{name: f"{xp}.linalg.{name}" for name in ("solve", "matrix_power")},
        **others,
    }


# --- Functions that a language lacks

_FRECHET = '''
def frechet(g, U, V):
    """The derivative of the matrix function g at U in the direction V."""
    n = U.shape[0]
    block = {block}
    return g(block)[:n, n:]
'''
_SELECTIONS = {
    "commutation": '''
def commutation(m, n):
    """The matrix K with K vec(A) = vec(A.T) for m×n matrices A."""
    return np.eye(m * n)[np.arange(m * n).reshape(n, m).T.reshape(-1)]
''',
    "vech": '''
def vech(S):
    """The entries of S on and below the diagonal, column by column."""
    n = S.shape[0]
    i, j = np.triu_indices(n)
    return S[j, i]
''',
    "duplication": '''
def duplication(n):
    """The matrix D with D vech(S) = vec(S) for symmetric S."""
    i, j = np.triu_indices(n)
    places = np.zeros((n, n), int)
    places[i, j] = places[j, i] = np.arange(len(i))
    return np.eye(len(i))[places.reshape(-1)]
''',
    "elimination": '''
def elimination(n):
    """The matrix L with L vec(A) = vech(A)."""
    i, j = np.triu_indices(n)
    return np.eye(n * n)[i * n + j]
''',
}
_ADJ = '''
def adj(X):
    """The adjugate, with X adj(X) = det(X) I, of a matrix of any rank."""
    U, s, Vt = {xp}.linalg.svd(X)
    others = {others}
    sign = {xp}.sign({xp}.linalg.det(U) * {xp}.linalg.det(Vt))
    return sign * (Vt.T * others) @ U.T
'''
_JAX_HELPERS = {
    "sinm": '''
def sinm(X):
    """The sine of a matrix."""
    return sinm_cosm(X)[0]
''',
    "cosm": '''
def cosm(X):
    """The cosine of a matrix."""
    return sinm_cosm(X)[1]
''',
    "tanm": '''
def tanm(X):
    """The tangent of a matrix."""
    sine, cosine = sinm_cosm(X)
    return jnp.linalg.solve(cosine, sine)
''',
    "sinhm": '''
def sinhm(X):
    """The hyperbolic sine of a matrix."""
    return (jax.scipy.linalg.expm(X) - jax.scipy.linalg.expm(-X)) / 2
''',
    "coshm": '''
def coshm(X):
    """The hyperbolic cosine of a matrix."""
    return (jax.scipy.linalg.expm(X) + jax.scipy.linalg.expm(-X)) / 2
''',
    "frechet": _FRECHET.format(block="jnp.block([[U, V], [jnp.zeros_like(U), U]])"),
    **_SELECTIONS,
}
_TORCH_HELPERS = {
    "adj": _ADJ.format(
        xp="torch", others="torch.stack([torch.prod(torch.cat([s[:i], s[i + 1 :]])) for i in range(len(s))])"
    ),
    "sinm": '''
def sinm(X):
    """The sine of a matrix, the imaginary part of exp(i X)."""
    return torch.matrix_exp(1j * X).imag
''',
    "cosm": '''
def cosm(X):
    """The cosine of a matrix, the real part of exp(i X)."""
    return torch.matrix_exp(1j * X).real
''',
    "tanm": '''
def tanm(X):
    """The tangent of a matrix."""
    return torch.linalg.solve(cosm(X), sinm(X))
''',
    "sinhm": '''
def sinhm(X):
    """The hyperbolic sine of a matrix."""
    return (torch.matrix_exp(X) - torch.matrix_exp(-X)) / 2
''',
    "coshm": '''
def coshm(X):
    """The hyperbolic cosine of a matrix."""
    return (torch.matrix_exp(X) + torch.matrix_exp(-X)) / 2
''',
    "by_eigenvalues": '''
def by_eigenvalues(g, X):
    """The matrix function g of a diagonalizable matrix."""
    w, V = torch.linalg.eig(X)
    return torch.linalg.solve(V.T, (V * g(w)).T).T.real
''',
    "frechet_by_eigenvalues": '''
def frechet_by_eigenvalues(g, slope, U, V):
    """The derivative of the matrix function g at a diagonalizable U in the direction V, by divided differences."""
    w, W = torch.linalg.eig(U)
    change = w[:, None] - w[None, :]
    same = torch.abs(change) <= 1e-7 * torch.max(torch.abs(w))
    quotients = (g(w)[:, None] - g(w)[None, :]) / torch.where(same, torch.ones_like(change), change)
    quotients = torch.where(same, slope((w[:, None] + w[None, :]) / 2), quotients)
    inside = quotients * torch.linalg.solve(W, V.to(W.dtype) @ W)
    return torch.linalg.solve(W.T, (W @ inside).T).T.real
''',
    "frechet": _FRECHET.format(block="torch.cat([torch.cat([U, V], 1), torch.cat([0 * U, U], 1)], 0)"),
    **_SELECTIONS,
}

# --- Languages

_MATRIX_FUNCTIONS = ("sin", "cos", "tan", "sinh", "cosh")
_IN_JAX = {
    **{name: f"{name}m({{x}})" for name in _MATRIX_FUNCTIONS},
    **{"exp": "jax.scipy.linalg.expm({x})", "ln": "logm({x})", "sqrt": "sqrtm({x})"},
}
_JAX_ENTRIES = {name: f"jax.nn.{name}({{x}})" for name in ("sigmoid", "softplus", "relu")}
_JAX_VECTORS = {name: f"jax.nn.{name}({{x}})" for name in ("softmax", "logsumexp")}
_JAX_CALLS = {
    "blkdiag": "jax.scipy.linalg.block_diag",
    "L_exp": "jax.scipy.linalg.expm_frechet({U}, {V}, compute_expm=False)",
    "L": "frechet({g}, {U}, {V})",
}

JAX = Language(
    "jnp",
    _entries("jnp", **_JAX_ENTRIES),
    _matrices("jnp", **_IN_JAX),
    _vectors("jnp", **_JAX_VECTORS),
    _calls("jnp", **_JAX_CALLS),
    _JAX_HELPERS,
)
CHAPTER = Language(  # as the chapters of the handbook write it
    "jnp",
    JAX.entries,
    {**JAX.matrices, **{"tr": "tr({x})", "det": "det({x})", "inv": "inv({x})", "exp": "expm({x})"}}
    | {"logabsdet": "logabsdet({x})", "norm": "norm({x})"},
    {**JAX.vectors, "norm": "norm({x})"},
    {**JAX.calls, "outer": "outer", "matrix_power": "mpow"},
    _JAX_HELPERS,
    solves=False,
)
NUMPY = Language(
    "np",
    _entries(
        "np",
        sigmoid="scipy.special.expit({x})",
        softplus="np.logaddexp({x}, 0)",
        relu="np.maximum({x}, 0)",
    ),
    _matrices(
        "np",
        **{name: f"scipy.linalg.{name}m({{x}})" for name in (*_MATRIX_FUNCTIONS, "exp", "sqrt")},
        ln="scipy.linalg.logm({x})",
    ),
    _vectors("np", **{name: f"scipy.special.{name}({{x}})" for name in ("softmax", "logsumexp")}),
    _calls(
        "np",
        blkdiag="scipy.linalg.block_diag",
        L_exp="scipy.linalg.expm_frechet({U}, {V}, compute_expm=False)",
        L="frechet({g}, {U}, {V})",
    ),
    {
        "adj": _ADJ.format(xp="np", others="np.array([np.prod(np.delete(s, i)) for i in range(len(s))])"),
        "frechet": _FRECHET.format(block="np.block([[U, V], [np.zeros_like(U), U]])"),
        **_SELECTIONS,
    },
)
_EIGEN = "by_eigenvalues({g}, {{x}})"
TORCH = Language(
    "torch",
    _entries(
        "torch",
        sigmoid="torch.sigmoid({x})",
        softplus="torch.nn.functional.softplus({x})",
        relu="torch.relu({x})",
    ),
    _matrices(
        "torch",
        **{name: f"{name}m({{x}})" for name in _MATRIX_FUNCTIONS},
        exp="torch.matrix_exp({x})",
        ln=_EIGEN.format(g="torch.log"),
        sqrt=_EIGEN.format(g="torch.sqrt"),
    ),
    _vectors("torch", softmax="torch.softmax({x}, 0)", logsumexp="torch.logsumexp({x}, 0)"),
    _calls(
        "torch",
        cross="torch.linalg.cross",
        blkdiag="torch.block_diag",
        L="frechet({g}, {U}, {V})",
        L_ln="frechet_by_eigenvalues(torch.log, torch.reciprocal, {U}, {V})",
        L_sqrt="frechet_by_eigenvalues(torch.sqrt, lambda w: 0.5 / torch.sqrt(w), {U}, {V})",
    ),
    _TORCH_HELPERS,
    places="dtype={0}.dtype, device={0}.device",
    permute="permute",
    of_kron="{x}.contiguous()",  # PyTorch takes no other
)
LANGUAGES = {"jax": JAX, "numpy": NUMPY, "torch": TORCH, "identity": CHAPTER}

# --- What is imported

_IN_MATCALC = ("adj", "det", "expm", "inv", "logabsdet", "logm", "mpow", "norm", "outer", "sinm_cosm", "sqrtm", "tr")
_MODULES = {
    "math": "import math",
    "jax.scipy": "import jax.scipy.linalg",
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "np": "import numpy as np",
    "scipy.linalg": "import scipy.linalg",
    "scipy.special": "import scipy.special",
    "torch": "import torch",
}
RESERVED = frozenset(
    {*_IN_MATCALC, *_JAX_HELPERS, *_TORCH_HELPERS, "Array", "Float", "Annotated", "identity", "domains"}
)


_DOCSTRING = re.compile('""".*?"""', re.DOTALL)


def helpers_of(code: str, language: Language) -> list[str]:
    """The functions that code calls and the language lacks, with those that they call before them."""
    found: list[str] = []
    for name, text in language.helpers.items():
        if _is_called(name, code) and text not in found:
            body = text.partition("):")[2]
            found += [helper for helper in helpers_of(body, language) if helper not in found]
            found.append(text)
    return found


def imports_of(code: str) -> list[str]:
    """The lines that import what code uses, in three groups."""
    lines = [line for module, line in _MODULES.items() if _is_used(module, code)]
    if "import jax.scipy.linalg" in lines and not re.search(r"(?<![\w.])jax\.(?!scipy)", code):
        lines.remove("import jax")
    own = [name for name in _IN_MATCALC if _is_called(name, code) and f"def {name}(" not in code]
    groups = [
        [line for line in lines if line == "import math"],
        sorted(line for line in lines if line != "import math"),
    ]
    groups.append([f"from matcalc.linalg import {', '.join(own)}"] if own else [])
    return "\n\n".join("\n".join(group) for group in groups if group).splitlines()


def _is_called(name: str, code: str) -> bool:
    return re.search(rf"(?<![\w.]){name}(?=[(,])", _DOCSTRING.sub("", code)) is not None


def _is_used(module: str, code: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(module)}\.", _DOCSTRING.sub("", code)) is not None
