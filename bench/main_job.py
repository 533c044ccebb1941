"""How long the main job and the import take, in fresh processes.

    python bench/main_job.py [--json FILE] [--runs N] [--before FOLDER]

`matcalc verify` runs several times, cold: nothing is cached between processes. With `--before`, which takes a checkout
of another commit, both run in turn, and the ratio is that of the medians. `import matcalc` and `import jax` are timed
in turn, A B A B …, and compared pair by pair.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import records

HERE = Path(__file__).parent.parent
PAIRS = 21


def seconds(folder: Path, *arguments: str) -> float:
    """Wall time of a fresh process of this Python, with the package of a checkout."""
    unset = ("JAX_", "XLA_", "PYTHONPATH")  # a cache of compiled programs is one of them
    variables = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder, env=variables)
    return time.perf_counter() - start


def verified(folder: Path) -> tuple[float, dict[str, Any]]:
    """The time of `matcalc verify`, and what it wrote."""
    with tempfile.TemporaryDirectory() as written:
        file = Path(written) / "verify.json"
        return seconds(folder, "-m", "matcalc", "verify", "--json", str(file)), json.loads(file.read_text())


def commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    """Print the times, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--runs", metavar="N", type=int, default=3)
    parser.add_argument("--before", metavar="FOLDER", type=Path, help="a checkout of another commit to compare with")
    asked = parser.parse_args()
    verify, before = list[float](), list[float]()
    protocol: dict[str, Any] = {}
    for _ in range(asked.runs):
        time_taken, protocol = verified(HERE)
        verify.append(time_taken)
        if asked.before:
            before.append(verified(asked.before)[0])
    known = protocol["environment"]
    pairs = [(seconds(HERE, "-c", "import matcalc"), seconds(HERE, "-c", "import jax")) for _ in range(PAIRS)]
    low, ratio, high = statistics.quantiles([ours / theirs for ours, theirs in pairs], n=4)
    result = {
        "schema": 1,
        "environment": known,
        "verify_s": verify,
        "verify_summary": protocol["summary"],
        "import_matcalc_s": statistics.median(ours for ours, _ in pairs),
        "import_jax_s": statistics.median(theirs for _, theirs in pairs),
        "import_ratio": ratio,
        "import_ratio_quartiles": [low, high],
    }
    print(f"matcalc verify: {listed(verify)} s, cold, {known['cores']} cores ({known['processor']})")
    if asked.before:
        over = statistics.median(verify) / statistics.median(before)
        result |= {"before": {"commit": commit(asked.before), "verify_s": before, "ratio": over}}
        print(f"before, at {result['before']['commit']}: {listed(before)} s; ratio of the medians {over:.3f}")
    print(f"import matcalc / import jax: {ratio:.3f} (quartiles {low:.3f} to {high:.3f})")
    if asked.json:
        records.write(asked.json, result)


def listed(times: list[float]) -> str:
    return ", ".join(f"{s:.1f}" for s in times)


if __name__ == "__main__":
    main()
