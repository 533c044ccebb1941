"""`verify` in several processes: the same results as in one, and an end of all of them with the command."""

import multiprocessing
import os

import pytest
from command_line import matcalc, process, read, wrong

from matcalc.cli import verify as command

NAMES = ("tr_x", "ax", "xa", "tr_ax")
FEW = ("--dtype", "float64", "--layout", "numerator")


@pytest.fixture
def two_processes(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(command, "WORTH", 2)


def results(*options):
    return read(matcalc("verify", *NAMES, *FEW, *options, "--json", "-").stdout)["results"]


def test_results_are_those_of_one_process(two_processes, monkeypatch):
    counts, begin = [], command._processes
    monkeypatch.setattr(command, "_processes", lambda count, *given: counts.append(count) or begin(count, *given))
    several = results()
    assert not multiprocessing.active_children()
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert several == results()
    assert counts == [2, 1]


def test_wrong_sizes_are_told_as_in_one_process(two_processes, monkeypatch):
    too_large = ("verify", *NAMES, *FEW, "--sizes", "n=100000000,m=100000000")
    message = wrong(*too_large)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert message == wrong(*too_large)


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_an_accelerator_is_held_by_one_process(platform):
    assert command._processes(8, platform, None) is None
    assert command._processes(1, "cpu", None) is None


ENDED_FROM_OUTSIDE = """
import multiprocessing, os, threading, time
os.cpu_count = lambda: 2

def end_one():
    while not multiprocessing.active_children():
        time.sleep(0.01)
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

if __name__ == "__main__":
    threading.Thread(target=end_one, daemon=True).start()
"""

INTERRUPTED = """
import multiprocessing, os
import matcalc.cli.verify as command
os.cpu_count = lambda: 2

class Interrupting(command.Bar):
    def advance(self, entry):
        super().advance(entry)
        os.kill(os.getpid(), signal.SIGINT)

command.Bar = Interrupting
"""


def test_a_process_that_is_ended_from_outside_is_told():
    with process("verify", first=ENDED_FROM_OUTSIDE) as run:
        printed, errors = run.communicate(timeout=120)
    assert (run.returncode, printed) == (2, "")
    assert "A process that verified was ended from outside, as is done where memory runs out." in errors
    assert "Traceback" not in errors


def test_ctrl_c_ends_all_processes_with_the_results_so_far(tmp_path):
    file = tmp_path / "result.json"
    ended = "[child.join(30) for child in multiprocessing.active_children()]; "  # that were told to end
    ended += "assert not multiprocessing.active_children()"
    with process("verify", "--json", file, first=INTERRUPTED, last=ended) as run:
        printed, errors = run.communicate(timeout=120)
    assert (run.returncode, errors) == (1, "")
    assert "of 103 identities were verified." in printed
    assert 0 < len(read(file.read_text(encoding="utf-8"))["results"]) < 103
