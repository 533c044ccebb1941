"""Three Hessians that tensorgrad publishes, side by side in one run: closed form, jax, torch and tensorgrad.

    python bench/tensorgrad_rows.py [--json FILE] [--seconds S]

The rows are those of tensorgrad's benchmarks/hessian_step.py (xᵀ A x), newton_step.py (the Hessian of its regularised
logistic loss, without the Newton step) and second_order_scale.py (log-sum-exp), at their sizes, in float32. Every
contender is a function of arrays that are there already, is checked against the closed form in float64 by NumPy, and is
timed in turn with the others. A ratio is the time of a contender over that of the closed form, round by round.

tensorgrad compiles to PyTorch. What is timed is the program that it generates, and the same handed to torch.compile as
`torch_compile=True` does. Its wrapper is left out: it names the axes of tensors, which PyTorch 2.13 no longer has.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import records
from machine import environment

import matcalc
from matcalc.timing import compute_on_call, in_turn, keep_memory, ratio

Array = np.ndarray[Any, Any]
Contenders = dict[str, Callable[[], Any]]

CLOSED = "closed form"
AGREE = 1e-4  # norm-wise, in float32
RIDGE = 1e-3  # newton_step.py's LAMBDA


@dataclass(frozen=True)
class Row:
    """A function with its inputs, the variable first: in JAX, in PyTorch, its Hessian as tensorgrad derives it and as
    a closed form, jitted.
    """

    name: str
    inputs: Mapping[str, Array]
    jax: Callable[..., Any]
    torch: Callable[..., Any]
    tensorgrad: tuple[Any, dict[Any, int]]  # and its sizes
    closed: Callable[..., Any]
    expected: Array

    def contenders(self) -> Contenders:
        """Each computes the Hessian in float32 and returns its framework's array."""
        import torch

        ours = [jnp.asarray(x) for x in self.inputs.values()]
        theirs = [torch.as_tensor(x) for x in self.inputs.values()]
        by_jax, by_torch = jax.jit(jax.hessian(self.jax)), torch.func.hessian(self.torch)
        return {
            CLOSED: lambda: self.closed(*ours),
            "jax.hessian, jitted": lambda: by_jax(*ours),
            "torch.func.hessian": lambda: by_torch(*theirs),
            "tensorgrad": self.generated(is_compiled=False),
            "tensorgrad, torch.compile": self.generated(is_compiled=True),
        }

    def generated(self, is_compiled: bool) -> Callable[[], Any]:
        """What tensorgrad generates for these sizes, without its wrapper."""
        import torch
        from tensorgrad.compiler import compile_to_callable

        hessian, sizes = self.tensorgrad
        program = compile_to_callable(hessian, torch_compile=is_compiled)
        function = program.codegen.specialize(sizes, dtype=torch.float32, for_inductor=is_compiled)
        if is_compiled:
            function = torch.compile(function, fullgraph=True, dynamic=False)
        tensors = [torch.as_tensor(self.inputs[variable.name]) for variable in program.vars]

        def run() -> Any:
            with torch.no_grad():
                return function(*tensors)[0]

        return run


def quadratic(rng: np.random.Generator, n: int = 2048) -> Row:
    """xᵀ A x, whose Hessian is A + Aᵀ."""
    import sympy
    import tensorgrad

    x, A = rng.normal(size=n), rng.normal(size=(n, n))

    symbol = sympy.Symbol("n")
    v, M = tensorgrad.Variable("x", symbol), tensorgrad.Variable("A", i=symbol, j=symbol)
    f = (v.rename(n="i") @ M) @ v.rename(n="j")
    return Row(
        name=f"xᵀ A x, n = {n}",
        inputs=float32(x=x, A=A),
        jax=lambda x, A: x @ A @ x,
        torch=lambda x, A: x @ A @ x,
        tensorgrad=(f.grad(v, {"n": "di"}).grad(v, {"n": "dj"}), {symbol: n}),
        closed=matcalc.hess_quad_xax.derivative,
        expected=A + A.T,
    )


def logistic(rng: np.random.Generator, m: int = 2048, n: int = 256) -> Row:
    """The mean of ln(1 + exp(-(2y - 1) Xw)) and λ/2 ‖w‖², whose Hessian is Xᵀ diag(s(1 - s)/m) X + λ I."""
    import sympy
    import tensorgrad
    import tensorgrad.functions as F
    import torch

    X, w = rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=n)
    y = (rng.uniform(size=m) < 1 / (1 + np.exp(-X @ w))).astype(float)

    def loss(w: Any, X: Any, y: Any, xp: Any) -> Any:
        return xp.log(1 + xp.exp(-((2 * y - 1) * (X @ w)))).mean() + RIDGE / 2 * (w @ w)

    @jax.jit
    def closed(w: Any, X: Any, y: Any) -> Any:
        s = jax.nn.sigmoid(X @ w)
        weights = s * (1 - s) / m

        def times(left: Any, right: Any) -> Any:
            # Written down, or XLA multiplies by what is scaled and turned, which takes longer.
            return jax.lax.optimization_barrier(left.T * weights) @ right

        X_1, X_2 = X[:, : n // 2], X[:, n // 2 :]
        upper, corner = times(X_1, X), times(X_2, X_2)  # symmetric: the fourth quarter is the second, turned
        return jnp.block([[upper], [upper[:, n // 2 :].T, corner]]) + RIDGE * jnp.eye(n, dtype=X.dtype)

    rows, columns = sympy.symbols("batch d")
    X_, w_ = tensorgrad.Variable("X", rows, columns), tensorgrad.Variable("w", columns)
    y_ = tensorgrad.Variable("y", rows)
    softplus = F.log(F.exp(-((2 * y_ - 1) * (X_ @ w_))) + 1)
    f = F.mean(softplus, dim="batch") + 0.5 * RIDGE * F.frobenius2(w_)
    s = 1 / (1 + np.exp(-X @ w))
    return Row(
        name=f"logistic loss, X {m}×{n}",
        inputs=float32(w=w, X=X, y=y),
        jax=lambda w, X, y: loss(w, X, y, jnp),
        torch=lambda w, X, y: loss(w, X, y, torch),
        tensorgrad=(f.grad(w_, {"d": "di"}).grad(w_, {"d": "dj"}), {rows: m, columns: n}),
        closed=closed,
        expected=X.T @ ((s * (1 - s) / m)[:, None] * X) + RIDGE * np.eye(n),
    )


def logsumexp(rng: np.random.Generator, n: int = 1024) -> Row:
    """ln Σ exp(x_i), whose Hessian is diag(p) - p pᵀ with p = softmax(x)."""
    import sympy
    import tensorgrad
    import tensorgrad.functions as F
    import torch

    x = rng.normal(size=n)

    @jax.jit
    def closed(x: Any) -> Any:
        p = jax.lax.optimization_barrier(jax.nn.softmax(x))  # or XLA divides anew for every entry
        return jnp.diag(p) - jnp.outer(p, p)

    symbol = sympy.Symbol("n")
    v = tensorgrad.Variable("x", symbol)
    f = F.log(F.sum(F.exp(v)))
    p = np.exp(x - x.max()) / np.exp(x - x.max()).sum()
    return Row(
        name=f"ln Σ exp(x), n = {n}",
        inputs=float32(x=x),
        jax=jax.nn.logsumexp,
        torch=lambda x: torch.logsumexp(x, 0),
        tensorgrad=(f.grad(v, {"n": "di"}).grad(v, {"n": "dj"}), {symbol: n}),
        closed=closed,
        expected=np.diag(p) - np.outer(p, p),
    )


def float32(**arrays: Array) -> dict[str, Array]:
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def measured(row: Row, seconds: float) -> dict[str, dict[str, Any]]:
    """For each contender its error, its median time and its ratio to the closed form, with a 95% interval."""
    contenders = row.contenders()
    errors = {
        name: float(np.linalg.norm(np.asarray(thunk()) - row.expected) / np.linalg.norm(row.expected))
        for name, thunk in contenders.items()
    }
    wrong = [name for name, error in errors.items() if not error < AGREE]
    if wrong:
        raise SystemExit(f"{row.name}: {', '.join(wrong)} computes something else.")
    samples = in_turn(contenders, seconds=seconds, settling=True)
    result: dict[str, dict[str, Any]] = {}
    for name, times in samples.items():
        middle, low, high = ratio(samples[CLOSED], times)
        result[name] = {
            "median_s": statistics.median(times),
            "least_s": min(times),
            "ratio": middle,
            "low": low,
            "high": high,
            "rounds": len(times),
            "error": errors[name],
        }
    return result


class Others:
    """How many processors other processes keep busy.

    PyTorch's threads wait for one another: where one does not get a processor, a tenth of a millisecond becomes ten.
    """

    def __init__(self) -> None:
        self.start = self.now()

    @staticmethod
    def now() -> tuple[float, float]:
        """Seconds of processors used by others since the machine started, and seconds of the clock."""
        stat = Path("/proc/stat")
        ticks = [int(n) for n in stat.read_text().split("\n")[0].split()[1:]] if stat.exists() else [0] * 5
        busy = (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")  # idle and waiting do not count
        return busy - sum(os.times()[:4]), time.perf_counter()

    def __float__(self) -> float:
        (busy, clock), (busy_before, clock_before) = self.now(), self.start
        return (busy - busy_before) / (clock - clock_before)


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each row")
    options = parser.parse_args()
    import torch

    keep_memory()
    compute_on_call()
    rng = np.random.default_rng(0)
    found: list[dict[str, Any]] = []
    others = Others()
    for make in (quadratic, logistic, logsumexp):
        row = make(rng)
        timed = measured(row, options.seconds)
        found += [{"row": row.name, "contender": name} | r for name, r in timed.items()]
        print(f"\nHessian of {row.name}")
        print(f"{'':28}{'median ms':>12}{'least ms':>12}   times the closed form")
        for name, r in timed.items():
            print(
                f"{name:28}{1e3 * r['median_s']:12.3f}{1e3 * r['least_s']:12.3f}"
                f"{r['ratio']:12.2f} ({r['low']:.2f} to {r['high']:.2f})"
            )
    print(f"\nMeanwhile other processes kept {float(others):.2f} processors busy; near 0 it can be believed.")
    if options.json:
        known = environment("torch", "tensorgrad") | {
            "torch_threads": torch.get_num_threads(),
            "processors_kept_busy_by_others": round(float(others), 3),
        }
        result = {"schema": 1, "environment": known, "seconds": options.seconds, "contenders": records.table(found)}
        records.write(options.json, result)


if __name__ == "__main__":
    main()
