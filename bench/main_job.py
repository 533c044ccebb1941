"""How long the main job and the import take, in fresh processes.

    python bench/main_job.py [--json FILE]

`matcalc verify` runs three times, cold: nothing is cached between processes. `import matcalc` and `import jax` are
timed in turn, A B A B …, and compared pair by pair.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNS = 3
PAIRS = 21


def seconds(*arguments: str) -> float:
    """Wall time of a fresh process of this Python."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print the times, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", metavar="FILE")
    target = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "verify.json")
        verify = [seconds("-m", "matcalc", "verify", "--json", file) for _ in range(RUNS)]
        protocol: dict[str, Any] = json.loads(Path(file).read_text())
    known = protocol["environment"]
    pairs = [(seconds("-c", "import matcalc"), seconds("-c", "import jax")) for _ in range(PAIRS)]
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
    times = ", ".join(f"{s:.1f}" for s in verify)
    print(f"matcalc verify: {times} s, cold, {known['cores']} cores ({known['processor']})")
    print(f"import matcalc / import jax: {ratio:.3f} (quartiles {low:.3f} to {high:.3f})")
    if target:
        Path(target).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
