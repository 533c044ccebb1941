"""How a command ends: its exit code, and what is said where it is interrupted. It imports nothing that takes time."""

import sys

CODES = "Exit code: 0 all is well, 1 something failed or the run was interrupted, 2 wrong usage."
FAILED = 1


def interrupted() -> int:
    """Say in one line that the run was interrupted, where there is nothing else to say. Returns the exit code."""
    print("Interrupted.", file=sys.stderr)
    return FAILED
