"""The entry point of the command. It is light, so that Ctrl-C is answered while the rest is still imported."""

import errno
import gc
import os
import signal
import sys
from typing import Any, cast

from matcalc.cli import exits


def main() -> None:
    """Run the command. Where the terminal lacks a letter of a formula, it shows a question mark."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            cast(Any, stream).reconfigure(errors="replace")
        _run()
    except KeyboardInterrupt:
        sys.exit(exits.interrupted())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        from matcalc.cli.output import discard_output

        discard_output()  # or Python tries once more when it ends
        if error.errno == errno.ENOSPC:
            print(f"Error: cannot write what is printed: {error.strerror}.", file=sys.stderr)
        sys.exit(exits.FAILED)


def _run() -> None:
    # An exception would not do while modules are imported: some of them catch all, and then the command runs on.
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # which it is not in the background
    if is_heard:
        signal.signal(signal.SIGINT, lambda *_: os._exit(exits.interrupted()))
    from matcalc.cli.commands import app

    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was measured is written
    gc.freeze()  # what was imported stays: looking through it for garbage takes a tenth of the time of a check
    try:
        app()
    finally:
        sys.stdout.flush()
        if is_heard:  # All is written, and Python waits for identities that are still being verified.
            signal.signal(signal.SIGINT, lambda *_: os._exit(exits.FAILED))
