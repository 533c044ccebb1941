"""What a child process runs: it answers each line, a program with what it is for, by what became of it.

    python -m matcalc.devices.worker [TARGET]

With the name of a chip, programs are compiled for it, and lowered otherwise. The first line that is written says which
device that is, or why there is none.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, TextIO

from matcalc.devices.compilers import Outcome, compiled, lowered
from matcalc.devices.program import Program
from matcalc.devices.targets import TARGETS


def serve(name: str | None, questions: Iterable[str], answers: TextIO) -> None:
    """Answer until there are no more questions."""

    def write(answer: Any) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    target, device = TARGETS[name] if name else None, None
    if target:
        try:
            device = target.device()
        except Exception as error:  # XLA and the plugins have many
            write({"reason": f"{type(error).__name__}: {error}"})
            return
    write({"device": device and device.device_kind})
    for line in questions:
        question = json.loads(line)
        program = Program(**question["program"] | {"sizes": tuple(map(tuple, question["program"]["sizes"]))})
        found: list[Outcome]
        if target:
            found = [compiled(program, target.platform, device, question["precision"])]
        else:
            found = lowered(program, question["targets"], question["precision"])
        write([asdict(outcome) for outcome in found])


def main() -> None:
    """Answers go where stdout led; what compilers print there goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.argv[1] if len(sys.argv) > 1 else None, sys.stdin, answers)


if __name__ == "__main__":
    main()
