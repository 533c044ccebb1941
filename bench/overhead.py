"""What a call of an identity costs beyond a call of its bare jitted function.

    python bench/overhead.py [--json FILE]

Both are called in turn, A B A B …, in batches long enough for the clock; each ratio is the median over pairs, with the
quartiles beside it. Sizes are 64 throughout, the dtype is float32.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import records
from machine import environment

import matcalc
from matcalc import Identity, Rule

SIZE = 64
PAIRS = 41
BATCH_SECONDS = 0.004


def batch(f: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    """Seconds a call."""
    start = time.perf_counter()
    for _ in range(calls):
        result = f(*arguments)
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / calls


def compare(identity: Identity[Any]) -> dict[str, Any]:
    """Time over time of the bare function, its quartiles, and both times."""
    names = identity.signature.names(next(iter(identity.covers)))
    sample = identity.sample(0, **dict.fromkeys(names, SIZE))
    arguments = tuple(a if isinstance(a, int) else jax.device_put(a) for a in sample)
    static = tuple(i for i, a in enumerate(arguments) if isinstance(a, int))
    part = 1 if isinstance(identity, Rule) else 0
    bare = jax.jit(lambda *a: identity.declaration.body(*a)[part], static_argnums=static)
    for f in (identity, bare):
        jax.block_until_ready(f(*arguments))
    calls = max(1, int(BATCH_SECONDS / batch(bare, arguments, 3)))
    pairs = [(batch(identity, arguments, calls), batch(bare, arguments, calls)) for _ in range(PAIRS)]
    low, ratio, high = statistics.quantiles([ours / theirs for ours, theirs in pairs], n=4)
    return {
        "name": identity.name,
        "ratio": ratio,
        "low": low,
        "high": high,
        "identity_s": statistics.median(ours for ours, _ in pairs),
        "bare_s": statistics.median(theirs for _, theirs in pairs),
    }


def main() -> None:
    """Print a line for each identity, and the median of all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE")
    target = parser.parse_args().json
    results: list[dict[str, Any]] = []
    print(f"{'identity':28} {'identity':>10} {'bare':>10}   ratio (quartiles)")
    for identity in matcalc.CATALOGUE.values():
        r = compare(identity)
        results.append(r)
        times = f"{r['identity_s'] * 1e6:8.1f}µs {r['bare_s'] * 1e6:8.1f}µs"
        print(f"{r['name']:28} {times}   {r['ratio']:.3f} ({r['low']:.3f} to {r['high']:.3f})", flush=True)
    median = statistics.median(r["ratio"] for r in results)
    print(f"median ratio over {len(results)} identities: {median:.3f}; largest {max(r['ratio'] for r in results):.3f}")
    if target:
        known = {"schema": 1, "environment": environment(), "median_ratio": median}
        records.write(target, known | {"identities": records.table(results)})


if __name__ == "__main__":
    main()
