"""Checkers of gradients, each on its own terms: with its documented defaults, and planted as its users plant theirs.

Each is given the function of the variable alone, and a gradient for it, which may be wrong. The libraries are
imported by `Contender.load`, so that the study can run where some are not installed.
"""

import functools
import importlib
import importlib.metadata
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
from mutants import Mutant
from specimens import Grouping, Specimen

import matcalc

Array = np.ndarray[Any, Any]
Answer = Literal["accepted", "rejected", "inconclusive", "not applicable", "crashed"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)

SCIPY_ACCEPTS = 1e-6


@dataclass(frozen=True, eq=False)
class Case:
    """A gradient to check: a right one, or a mutant of it, at a point, in the dtype of its arguments."""

    specimen: Specimen
    args: tuple[Array, ...]
    mutant: Mutant | None = None

    @property
    def x(self) -> Array:
        return self.args[self.specimen.wrt]

    def f(self, x: Any) -> Any:
        """The function of the variable alone; for a Hessian, its gradient."""
        wrt = self.specimen.wrt
        return self.specimen.differentiated(*self.args[:wrt], x, *self.args[wrt + 1 :])

    def claimed(self) -> Array:
        """The gradient to check, in JAX's layout."""
        return (
            self.mutant.planted(self.specimen, self.args)
            if self.mutant
            else np.asarray(self.specimen.gradient(*self.args))
        )


@dataclass(frozen=True)
class Outcome:
    """What a checker answers, how long it takes, and for matcalc what else it says."""

    answer: Answer
    seconds: float
    detail: str = ""
    cause: str = ""
    tolerance: float = float("nan")
    verdict: str = ""


Checker = Callable[[Case], Any]  # returns None, False or True; or raises to reject


def run(checker: Checker, case: Case) -> Outcome:
    """Time a check and read its answer. A gradient of a wrong shape may be rejected by any error at all."""
    torch = sys.modules.get("torch.autograd.gradcheck")
    rejections = (AssertionError, *([torch.GradcheckError] if torch else []))
    start = time.perf_counter()
    try:
        answer = checker(case)
    except NotApplicable as reason:
        return Outcome("not applicable", time.perf_counter() - start, str(reason))
    except rejections as rejection:
        return Outcome("rejected", time.perf_counter() - start, str(rejection)[:200])
    except Exception as error:
        seconds, message = time.perf_counter() - start, f"{type(error).__name__}: {error}"[:300]
        mistaken = case.mutant is not None and checker is not matcalc_check
        wrong_shape = mistaken and case.claimed().shape != np.asarray(case.specimen.gradient(*case.args)).shape
        return Outcome("rejected" if wrong_shape else "crashed", seconds, message)
    seconds = time.perf_counter() - start
    if isinstance(answer, Outcome):
        return Outcome(**{**vars(answer), "seconds": seconds})
    return Outcome("rejected" if answer is False else "accepted", seconds)


class NotApplicable(Exception):
    """A checker does not take a case, by its documentation."""


def matcalc_check(case: Case) -> Outcome:
    """Every argument is passed, and declared symmetric where the formula asks for it; only the variable is checked."""
    specimen, mutant, args = case.specimen, case.mutant, case.args
    f, claim = specimen.f, mutant.claim if mutant else specimen.gradient
    if specimen.grouping is not None:
        f, claim, args = _as_given(specimen.grouping, specimen.wrt, f, claim, args)
    report = matcalc.check_gradient(
        f,
        claim,
        *args,
        wrt=specimen.wrt,
        order=specimen.order,
        layout=mutant.layout if mutant else "jax",
        where=dict.fromkeys(specimen.symmetric, "symmetric"),
    )
    answers: dict[str, Answer] = {"pass": "accepted", "autodiff-wrong": "accepted", "fail": "rejected"}
    return Outcome(
        answers.get(report.verdict, "inconclusive"),
        0.0,
        str(report.cause or ""),
        report.cause.name if report.cause else "",
        report.tolerance,
        report.verdict,
    )


def _as_given(group: Grouping, wrt: int, f: Any, claim: Any, args: Any) -> tuple[Any, Any, Any]:
    """The function, its gradient and its arguments with the variable as the user has it."""
    given = (*args[:wrt], group.variable(args[wrt]), *args[wrt + 1 :])
    return _of_given(group, wrt, f), (lambda *a: group.gradient(claim(*_vectors(group, wrt, a)))), given


@functools.lru_cache(maxsize=4)  # compiled once for all checks of a specimen
def _of_given(group: Grouping, wrt: int, f: Any) -> Any:
    return jax.jit(lambda *a: f(*_vectors(group, wrt, a)))


def _vectors(group: Grouping, wrt: int, args: Any) -> Any:
    return (*args[:wrt], group.vector(args[wrt]), *args[wrt + 1 :])


def _forward(case: Case) -> Callable[[Any], Any]:
    D = case.claimed()
    planted = jax.custom_jvp(case.f)

    @planted.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return case.f(*primals), jnp.tensordot(D, tangents[0], case.x.ndim)

    return planted


def jax_forward(case: Case) -> None:
    """`order` has no default; only the first derivative is claimed."""
    jax.test_util.check_grads(_forward(case), (case.x,), order=1, modes=("fwd",))


def jax_reverse(case: Case) -> None:
    D = case.claimed()
    planted = jax.custom_vjp(case.f)
    planted.defvjp(lambda x: (case.f(x), None), lambda _, g: (jnp.tensordot(g, D, g.ndim),))
    jax.test_util.check_grads(planted, (case.x,), order=1, modes=("rev",))


def chex_check(case: Case) -> None:
    import chex

    chex.assert_numerical_grads(_forward(case), (case.x,), order=1)


def torch_check(case: Case) -> bool:
    import torch

    D = torch.from_numpy(case.claimed().copy())

    class Planted(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return torch.from_numpy(np.array(case.f(x.detach().numpy())))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return torch.tensordot(g, D, dims=g.ndim)

    return torch.autograd.gradcheck(Planted.apply, (torch.from_numpy(case.x.copy()).requires_grad_(),))


def scipy_check(case: Case) -> Outcome:
    """Flattened, as SciPy takes vectors. It returns a distance, and the caller decides."""
    import scipy.optimize

    if case.x.dtype != np.float64:
        raise NotApplicable("its step is below the resolution of float32")
    D = case.claimed()
    value_shape = jax.eval_shape(case.f, case.x).shape
    J = D.reshape(-1, case.x.size) if value_shape else D.ravel()

    def f(x: Array) -> Any:
        value = np.asarray(case.f(x.reshape(case.x.shape)))
        return value.ravel() if value_shape else float(value)

    error = float(scipy.optimize.check_grad(f, lambda _: J, case.x.ravel()))
    size = float(np.linalg.norm(J))
    relative = error / size if size > 0 else float("inf") if error > 0 else 0.0
    return Outcome("accepted" if relative <= SCIPY_ACCEPTS else "rejected", 0.0, f"{relative:.3e}", tolerance=relative)


def autograd_check(case: Case) -> None:
    """Of order 1: the default, 2, would need a derivative of the claimed gradient."""
    import autograd.extend
    import autograd.test_util

    D = case.claimed()

    def value(x: Any) -> Any:
        return np.asarray(case.f(x))

    planted = autograd.extend.primitive(value)
    autograd.extend.defvjp(planted, lambda ans, x: lambda g: np.tensordot(g, D, np.ndim(g)))
    autograd.extend.defjvp(planted, lambda g, ans, x: np.tensordot(D, g, np.ndim(x)))
    np.random.seed(0)  # it draws its directions from NumPy's global generator
    autograd.test_util.check_grads(planted, order=1)(case.x)


@dataclass(frozen=True)
class Contender:
    """A checker, and how it was used."""

    name: str
    check: Checker
    package: str
    terms: str
    modules: tuple[str, ...] = ()

    def load(self) -> None:
        """Import what the check needs, so that no check is timed with it. ImportError names what is missing."""
        for name in self.modules:
            importlib.import_module(name)

    @property
    def version(self) -> str:
        return matcalc.__version__ if self.package == "matcalc" else importlib.metadata.version(self.package)


CONTENDERS = (
    Contender(
        "matcalc",
        matcalc_check,
        "matcalc",
        "check_gradient with its defaults; all arguments are passed, with where= for those symmetric by condition",
    ),
    Contender(
        "jax fwd", jax_forward, "jax", 'jax.test_util.check_grads(order=1, modes=("fwd",)), planted by custom_jvp'
    ),
    Contender(
        "jax rev", jax_reverse, "jax", 'jax.test_util.check_grads(order=1, modes=("rev",)), planted by custom_vjp'
    ),
    Contender(
        "chex", chex_check, "chex", "chex.assert_numerical_grads(order=1), both modes, planted by custom_jvp", ("chex",)
    ),
    Contender(
        "torch",
        torch_check,
        "torch",
        "torch.autograd.gradcheck; backward of an autograd.Function contracts the claimed gradient. Its documentation "
        "says that it will likely fail below double precision; float32 is tried all the same",
        ("torch", "torch.autograd.gradcheck"),
    ),
    Contender(
        "scipy",
        scipy_check,
        "scipy",
        "scipy.optimize.check_grad returns a distance and names no threshold; users take 1e-6 to 1e-3, absolute or "
        f"relative. Accepted here: at most {SCIPY_ACCEPTS:.0e} of the norm of the gradient. Float64 only, flattened",
        ("scipy.optimize",),
    ),
    Contender(
        "autograd",
        autograd_check,
        "autograd",
        "autograd.test_util.check_grads(order=1), both modes, planted by defvjp and defjvp of a primitive. Its step "
        "and tolerances, 1e-6, are those of float64; float32 is tried all the same",
        ("autograd.extend", "autograd.test_util"),
    ),
)
