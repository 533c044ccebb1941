"""A process that lowers or compiles, one program after another: it may die or hang without harm to this one."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import textwrap
from typing import Any, cast

WORKER = [sys.executable, "-m", "matcalc.devices.worker"]
# Nothing is computed, and no TPU is asked for: neither of this machine's nor of a cloud; several compilers may run.
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "0",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
}
LONGEST = 200  # letters of what a process said last


class Died(Exception):
    """The process ended without an answer; the text says how."""


class Hung(Exception):
    """The process was ended, as it gave no answer in time."""


class DoesNotStart(Exception):
    """The process has no compiler for the chip; the text says why."""


class Child:
    """A process that answers questions in lines of JSON. For the name of a chip, or none to lower."""

    def __init__(self, chip: str | None, limit: float) -> None:
        self.chip, self.limit = chip, limit
        self._said, name = tempfile.mkstemp()
        os.unlink(name)  # so that it is gone when it is closed
        path = os.pathsep.join(filter(None, sys.path))
        # A session of its own: Ctrl-C is for the process that prints.
        self._process = subprocess.Popen(
            WORKER + ([chip] if chip else []),
            env=os.environ | ENVIRONMENT | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Until it can be asked. DoesNotStart where it cannot."""
        try:
            first: dict[str, Any] = self._answer()
        except Died as error:
            raise DoesNotStart(f"it was {error}") from None
        except Hung:
            raise DoesNotStart(f"no answer within {self.limit:g} s") from None
        if "reason" in first:
            raise DoesNotStart(first["reason"])

    def ask(self, question: Any) -> Any:
        """The answer to a question. Died and Hung where there is none."""
        pipe: Any = self._process.stdin
        try:
            pipe.write(json.dumps(question).encode() + b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise Died(self._how_it_ended()) from None
        return self._answer()

    def kill(self) -> None:
        """End the process, from whatever thread: who waits for its answer is told that it died."""
        self._process.kill()

    def close(self) -> None:
        """End the process, and close what led there."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):  # of a question that nobody read
                cast(Any, pipe).close()
        os.close(self._said)

    def _answer(self) -> Any:
        """The next line. Died and Hung where there is none."""
        pipe: Any = self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            if not selector.select(self.limit):
                raise Hung
        line = pipe.readline()
        if not line.endswith(b"\n"):
            raise Died(self._how_it_ended())
        return json.loads(line)

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        lines = os.pread(self._said, os.fstat(self._said).st_size, 0).decode(errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "")
        return how + (f": {textwrap.shorten(last, LONGEST, placeholder=' …')}" if last else "")
