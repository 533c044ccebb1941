"""Programs for targets, in as many processes as there are processors, as they are done."""

import os
import queue
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass

from matcalc.devices.child import Child, Died, DoesNotStart, Hung
from matcalc.devices.compilers import Outcome, lowered
from matcalc.devices.program import Program
from matcalc.devices.targets import Target

LIMIT = 180.0  # seconds of a program
WORTH = 24  # programs that take as long to lower as a process to start, or longer


@dataclass(frozen=True)
class Task:
    """A program for a chip, or for platforms at once."""

    program: Program
    targets: tuple[str, ...]
    chip: str | None


Answer = tuple[Program, str, Outcome]


def outcomes(
    programs: Sequence[Program], targets: Sequence[Target], precision: str, limit: float = LIMIT
) -> Generator[Answer]:
    """What becomes of each program for each target that has its dtype, in the order in which that is known.

    A few programs are lowered in this process. Otherwise a process for each processor does the work: one that dies is
    started again behind the program that it died of, and one that gives no answer within the limit is ended.
    """
    tasks = list(_tasks(programs, targets))
    if len(tasks) < WORTH and not any(task.chip for task in tasks):
        for task in tasks:
            yield from _answers(task, lowered(task.program, task.targets, precision))
        return
    crew = _Crew(tasks, precision, limit)
    try:
        yield from crew.answers()
    finally:
        crew.end()


def _tasks(programs: Sequence[Program], targets: Sequence[Target]) -> Iterator[Task]:
    """Those of a compiler one after another, as each is a process of its own."""
    for program in programs:
        platforms = tuple(t.name for t in targets if not t.is_chip and program.dtype in t.dtypes)
        if platforms:
            yield Task(program, platforms, None)
    for target in targets:
        if target.is_chip:
            yield from (Task(p, (target.name,), target.name) for p in programs if p.dtype in target.dtypes)


def _answers(task: Task, found: Sequence[Outcome]) -> Iterator[Answer]:
    yield from ((task.program, target, outcome) for target, outcome in zip(task.targets, found, strict=True))


class _Crew:
    """Threads that take one task after another, each with a process that does it."""

    def __init__(self, tasks: Sequence[Task], precision: str, limit: float) -> None:
        self.waiting, self.precision, self.limit = deque(tasks), precision, limit
        self.done: queue.Queue[tuple[Task, list[Outcome]] | Exception] = queue.Queue()
        self.count = len(tasks)
        self.children: dict[int, Child] = {}
        self.broken: dict[str | None, DoesNotStart] = {}
        self.lock = threading.Lock()
        self.is_ended = False
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(min(_cores(), self.count))]
        for thread in self.threads:
            thread.start()

    def answers(self) -> Iterator[Answer]:
        """Those of all tasks."""
        for _ in range(self.count):
            done = self.done.get()
            if isinstance(done, Exception):
                raise done
            yield from _answers(*done)

    def end(self) -> None:
        """End all processes, whatever they do."""
        with self.lock:
            self.is_ended = True
            self.waiting.clear()
            for child in self.children.values():
                child.kill()
        for thread in self.threads:  # each closes what leads to its process
            thread.join()

    def _work(self) -> None:
        place = threading.get_ident()
        try:
            while True:
                try:
                    task = self.waiting.popleft()
                except IndexError:
                    break
                self.done.put((task, self._found(task, place)))
        except Exception as error:  # is raised where the answers are awaited
            self.done.put(error)
        finally:
            self._dismiss(place)

    def _found(self, task: Task, place: int) -> list[Outcome]:
        question = {"program": asdict(task.program), "targets": task.targets, "precision": self.precision}
        try:
            return [Outcome(**answer) for answer in self._child(task.chip, place).ask(question)]
        except DoesNotStart as error:
            outcome = Outcome("crashed", f"What compiles for {task.chip or 'platforms'} does not start: {error}")
        except Died as error:
            outcome = Outcome("crashed", f"The process that compiled it was {error}")
        except Hung:
            outcome = Outcome("timed out", f"It was not done within {self.limit:g} s.", self.limit)
        self._dismiss(place)
        return [outcome] * len(task.targets)

    def _child(self, chip: str | None, place: int) -> Child:
        """The process of a thread, which is started where it has none, or one for something else."""
        child = self.children.get(place)
        if child is not None and child.chip == chip:
            return child
        self._dismiss(place)
        if chip in self.broken:
            raise self.broken[chip]
        with self.lock:
            if self.is_ended:
                raise DoesNotStart("it is not needed any more")
            child = self.children[place] = Child(chip, self.limit)
        try:
            child.wait()
        except DoesNotStart as error:
            self.broken[chip] = error  # nor will it the next time
            raise
        return child

    def _dismiss(self, place: int) -> None:
        with self.lock:
            child = self.children.pop(place, None)
        if child is not None:
            child.close()


def _cores() -> int:
    return os.cpu_count() or 1
