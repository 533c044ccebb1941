"""The command as the tests run it: in this process where its ending is not the point, and what its JSON holds."""

import json
import os
import re
import subprocess
import sys

from typer.testing import CliRunner

from matcalc.cli import app

# Of the contract; what is more is named apart.
ENVIRONMENT = {
    "matcalc",
    "jax",
    "jaxlib",
    "python",
    "platform",
    "device_kind",
    "device_count",
    "matmul_precision",
    "date",
}
ENVIRONMENT |= {"processor", "cores"}
LISTED = {"name", "formula", "derivative", "kind", "wrt", "shapes", "where", "source", "covers", "also"}
LISTED |= {"derivative_also", "references"}
RESULT = {
    "name",
    "covers",
    "formula",
    "derivative",
    "kind",
    "layout",
    "dtype",
    "sizes",
    "seed",
    "verdict",
    "cause",
    "error_autodiff",
    "error_reference",
    "error_fd",
    "tolerance",
    "condition",
} | {"chapter"}
SUMMARY = {"pass", "fail", "inconclusive", "autodiff-wrong", "seconds"} | {"interrupted"}


def matcalc(*args, code=0):
    """Run the command in this process; no ending but an exit code."""
    result = CliRunner().invoke(app, [str(arg) for arg in args], prog_name="matcalc")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def wrong(*args):
    """What wrong usage is told: exit code 2, nothing on stdout and one message, in one line."""
    result = matcalc(*args, code=2)
    assert result.stdout == ""
    (message,) = re.findall(r"^Error: (?:Invalid value: )?(.+)\Z", result.stderr.strip(), re.MULTILINE)
    return message


def read(text):
    """JSON in the strict sense."""

    def refuse(token):
        raise ValueError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def process(*args, first="", last=""):
    """The command as a process of its own, in which Ctrl-C works even where the suite runs in the background.

    Python takes more than a second to import it. `first` and `last` are code that runs before and after it.
    """
    code = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += f"{first}\ntry: runpy.run_module('matcalc', run_name='__main__')\nfinally: {last or 'pass'}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, env=environment, **pipes)
