"""How long `matcalc check` takes from a cold start, on every claim of the tests, right and wrong.

    python bench/check_time.py [--every N] [--json FILE]

Each claim, or every Nth, is checked in a fresh process, in which nothing is cached.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "claims"))

import records
from machine import environment
from references import CLAIMS, Claim

ASKED = 3.0  # seconds


def checked(claim: Claim, derivative: str) -> dict[str, Any]:
    """The verdict on a claim, and the seconds that it took."""
    command = [sys.executable, "-m", "matcalc", "check", claim.f, "--wrt", claim.wrt, "--claim", derivative]
    command += ["--layout", claim.layout]
    if claim.where:
        command += ["--where", ",".join(f"{name}={domain}" for name, domain in claim.where.items())]
    for name, shape in claim.shape.items():
        command += ["--shape", f"{name}={','.join(map(str, shape)) or 'scalar'}"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    start = time.perf_counter()
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=variables)
    seconds = time.perf_counter() - start
    verdict = process.stdout.partition(":")[0]
    return {"source": claim.source, "f": claim.f, "verdict": verdict, "seconds": seconds}


def main() -> None:
    """Print the times, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    target, claims = options.json, CLAIMS[:: options.every]
    right = [checked(claim, claim.right) for claim in claims]
    wrong = [checked(claim, claim.wrong) for claim in claims]
    assert all(each["verdict"] == "pass" for each in right)
    assert all(each["verdict"] == "fail" for each in wrong)
    for kind, results in (("right", right), ("wrong", wrong)):
        times = sorted(each["seconds"] for each in results)
        late = [each for each in results if each["seconds"] > ASKED]
        print(f"{len(times)} {kind} claims: median {statistics.median(times):.2f} s, longest {times[-1]:.2f} s")
        print(f"{len(late)} took more than {ASKED:.0f} s: {', '.join(each['f'] for each in late)}")
    if target:
        claims_timed = [
            {"source": r["source"], "f": r["f"], "right_s": r["seconds"], "wrong_s": w["seconds"]}
            for r, w in zip(right, wrong, strict=True)
        ]
        known = {"schema": 1, "environment": environment("scipy")}
        records.write(target, known | {"claims": records.table(claims_timed)})


if __name__ == "__main__":
    main()
