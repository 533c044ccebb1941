"""How cost grows with n: structured second derivatives and Jacobians beside automatic differentiation.

    python bench/exponents.py [--json FILE]

For each of three functions the ways are timed in turn, in float32, at sizes that double until one takes `LONGEST`
seconds or its result has more than `ENTRIES` entries. The exponent is the slope of ln time over ln n at the three
largest sizes of a way (by least squares), with the spread over the rounds of the run.
"""

import argparse
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import records
from machine import environment

import matcalc
from matcalc import derivative_operator
from matcalc.timing import in_turn, keep_memory

Way = tuple[Callable[..., Any], int]  # a function of X and V, and how its largest array grows: n to that power
LONGEST, ENTRIES = 1.0, 2**26
SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
LAST = 3  # sizes that the exponent is fitted to


def times(dense: Any, V: Any) -> Any:
    """A dense derivative of a matrix by a matrix, or a dense Hessian, times V."""
    return jnp.tensordot(dense, V, 2)


def log_det(X: Any) -> Any:
    return jnp.linalg.slogdet(X)[1]


def kronecker_trace(X: Any) -> Any:
    return jnp.trace(jnp.kron(X, X))


FUNCTIONS: Mapping[str, Mapping[str, Way]] = {
    "the Hessian of ln |det X|, times V": {
        "closed form, as operator": (lambda X, V: matcalc.logabsdet_x.derivative_operator(X, order=2) @ V, 2),
        "closed form, dense": (lambda X, V: times(matcalc.logabsdet_x.derivative_operator(X, order=2).dense(), V), 4),
        "jax.hessian": (lambda X, V: times(jax.hessian(log_det)(X), V), 4),
        "jax.jvp of jax.grad": (lambda X, V: jax.jvp(jax.grad(log_det), (X,), (V,))[1], 2),
    },
    "the Jacobian of X⁻¹, times V": {
        "closed form, as operator": (lambda X, V: derivative_operator(jnp.linalg.inv, X) @ V, 2),
        "closed form, dense": (lambda X, V: times(derivative_operator(jnp.linalg.inv, X).dense(), V), 4),
        "jax.jacfwd": (lambda X, V: times(jax.jacfwd(jnp.linalg.inv)(X), V), 4),
        "jax.jvp": (lambda X, V: jax.jvp(jnp.linalg.inv, (X,), (V,))[1], 2),
    },
    "tr(X ⊗ X) and its derivative": {
        "closed form": (lambda X, _: matcalc.tr_kron_xx.value_and_derivative(X), 2),
        "jax.value_and_grad": (lambda X, _: jax.value_and_grad(kronecker_trace)(X), 4),
    },
}


def measure(ways: Mapping[str, Way]) -> dict[str, dict[int, list[float]]]:
    """Seconds a call by way and size, round by round."""
    found: dict[str, dict[int, list[float]]] = {name: {} for name in ways}
    left = dict(ways)
    for n in SIZES:
        rng = np.random.default_rng(n)
        X = jnp.asarray(np.eye(n) + rng.normal(size=(n, n)) / (4 * n**0.5), jnp.float32)
        V = jnp.asarray(rng.normal(size=(n, n)), jnp.float32)
        left = {name: way for name, way in left.items() if n ** way[1] <= ENTRIES}
        programs = {name: jax.jit(f).lower(X, V).compile() for name, (f, _) in left.items()}
        results = {name: [np.asarray(a) for a in jax.tree.leaves(p(X, V))] for name, p in programs.items()}
        for result in results.values():
            for got, want in zip(result, next(iter(results.values())), strict=True):
                assert np.linalg.norm(got - want) <= 1e-3 * np.linalg.norm(want)
        thunks = {name: functools.partial(program, X, V) for name, program in programs.items()}
        for name, samples in in_turn(thunks, seconds=3, pairs=15).items():
            found[name][n] = samples
            print(f"  n={n:<5} {name:26} {np.median(samples) * 1e3:10.3f} ms", flush=True)
            if np.median(samples) > LONGEST:
                del left[name]
    return found


def exponent(samples: Mapping[int, list[float]]) -> tuple[float, float, float]:
    """The slope over the last sizes: its median and its quartiles over the rounds."""
    sizes = list(samples)[-LAST:]
    rounds = min(len(samples[n]) for n in sizes)
    slopes, _ = np.polyfit(np.log(sizes), np.log([samples[n][:rounds] for n in sizes]), 1)
    low, slope, high = np.quantile(slopes, [0.25, 0.5, 0.75])
    return float(slope), float(low), float(high)


def main() -> None:
    """Print all times and exponents, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE", type=Path)
    asked = parser.parse_args()
    keep_memory()
    results: list[dict[str, Any]] = []
    for function, ways in FUNCTIONS.items():
        print(function)
        for way, samples in measure(ways).items():
            slope, low, high = exponent(samples)
            print(f"  {way:34} n^{slope:.2f} ({low:.2f} to {high:.2f})")
            results.append(
                {
                    "function": function,
                    "way": way,
                    "exponent": slope,
                    "low": low,
                    "high": high,
                    "sizes": list(samples),
                    "median_s": [float(np.median(taken)) for taken in samples.values()],
                }
            )
    if asked.json:
        times = [
            {"function": r["function"], "way": r["way"], "n": n, "seconds": seconds}
            for r in results
            for n, seconds in zip(r["sizes"], r["median_s"], strict=True)
        ]
        fits = [{k: v for k, v in r.items() if k not in ("sizes", "median_s")} for r in results]
        known = {"schema": 1, "environment": environment()}
        records.write(asked.json, known | {"exponents": records.table(fits), "times": records.table(times)})


if __name__ == "__main__":
    main()
