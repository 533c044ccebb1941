"""Programs lowered and compiled: what is said of them, and the processes that do it, which may die or hang."""

import io
import json
import sys
from contextlib import closing

import jax
import jax.numpy as jnp
import pytest

from matcalc import CATALOGUE
from matcalc.devices import TARGETS, Outcome, Program, child, left_out, outcomes, programs, run
from matcalc.devices.compilers import compiled, lowered
from matcalc.devices.worker import serve

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def of(*names, **options):
    return list(programs([CATALOGUE[name] for name in names], **options))


def planted(monkeypatch, name, body):
    monkeypatch.setattr(CATALOGUE[name].declaration, "body", body)
    return of(name)[0]


# --- Programs


def test_programs_are_those_of_every_kind_quantity_contender_and_dtype():
    made = of("tr_axb", quantities=("derivative", "hessian"), dtypes=("float32", "float64"))
    assert len(made) == len(set(made)) == 8
    assert {p.contender for p in made} == {"closed form", "autodiff"}
    assert dict(made[0].sizes) == {"l": 10, "m": 11, "n": 12}
    assert len(of("matvec")) == 1  # a definition has nothing to differentiate
    assert of("ax", quantities=("hessian",)) == []  # only a scalar has a Hessian
    assert {p.kind for p in of("product_rule")} == set(CATALOGUE["product_rule"].covers)


def test_a_program_computes_what_the_identity_does():
    A, X = map(jnp.asarray, CATALOGUE["tr_axtx"].sample(0))
    closed, automatic = (jax.jit(p.function)(A, X) for p in of("tr_axtx"))
    assert jnp.allclose(closed, X @ A.T + X @ A, rtol=1e-4)
    assert jnp.allclose(automatic, closed, rtol=1e-4)
    closed, automatic = (jax.jit(p.function)(A, X) for p in of("tr_axtx", quantities=("hessian",)))
    assert closed.shape == X.shape * 2
    assert jnp.allclose(automatic, closed, rtol=1e-4)


def test_shapes_outside_of_a_domain_are_left_out():
    entry, wide = CATALOGUE["logdet_xtx"], {"m": 3, "l": 5}
    assert list(programs([entry], sizes=wide)) == []
    (line,) = left_out([entry], wide)
    assert line.startswith("left out: logdet_xtx: X must be")


# --- Lowering and compiling


def test_lowered_for_all_platforms():
    found = lowered(of("det_x")[0], PLATFORMS, "highest")
    assert [o.verdict for o in found] == ["lowered"] * 4
    assert found[0].products > 0
    assert found[0].weak == 0
    (in_default,) = lowered(of("det_x")[0], ["tpu"], "default")
    assert 0 < in_default.weak <= in_default.products == found[0].products


def test_a_program_that_only_the_cpu_takes(monkeypatch):
    """Schur's decomposition is one."""

    def body(X):
        return jnp.trace(X), jax.scipy.linalg.schur(X)[0]

    found = lowered(planted(monkeypatch, "tr_x", body), PLATFORMS, "highest")
    assert [o.verdict for o in found] == ["lowered", "rejected", "rejected", "rejected"]
    for outcome, platform in zip(found[1:], PLATFORMS[1:], strict=True):
        assert "schur" in outcome.reason
        assert platform in outcome.reason
        assert "\n" not in outcome.reason


def test_a_program_that_cannot_be_traced(monkeypatch):
    def body(X):
        raise ValueError("one line\n\nanother")

    program = planted(monkeypatch, "tr_x", body)
    for found in (lowered(program, ["cpu"], "highest"), [compiled(program, "cpu", jax.devices("cpu")[0], "highest")]):
        assert [(o.verdict, o.reason) for o in found] == [("rejected", "ValueError: one line")]


def test_compiled_for_a_device():
    outcome = compiled(of("det_x", dtypes=("float64",))[0], "cpu", jax.devices("cpu")[0], "highest")
    assert outcome.verdict == "compiled"
    assert "lapack_dgetrf_ffi" in outcome.custom_calls
    assert outcome.memory_bytes >= 2 * 8 * 12 * 12  # X and its derivative
    assert outcome.seconds > 0


def test_what_a_tpu_takes():
    assert TARGETS["tpu"].dtypes == TARGETS["tpu:v5e"].dtypes == ("float32",)
    assert TARGETS["cuda:sm_90a"].dtypes == ("float32", "float64")
    found = list(outcomes(of("tr_x", dtypes=("float32", "float64")), [TARGETS["cpu"], TARGETS["tpu"]], "highest"))
    assert sorted((p.dtype, target) for p, target, _ in found) == sorted(
        [("float32", "cpu"), ("float32", "tpu"), ("float64", "cpu")] * 2
    )


# --- Processes


def test_the_worker_lowers_what_it_is_asked():
    program = of("tr_axb")[0]
    question = {"program": {**vars(program), "sizes": program.sizes}, "targets": ["cpu", "tpu"], "precision": "highest"}
    answers = io.StringIO()
    serve(None, [json.dumps(question)], answers)
    ready, found = map(json.loads, answers.getvalue().splitlines())
    assert ready == {"device": None}
    assert [Outcome(**o).verdict for o in found] == ["lowered"] * 2


def test_processes_find_what_this_one_does(monkeypatch):
    made, targets = of("tr_axb", "det_x"), [TARGETS[name] for name in PLATFORMS]

    def found():
        with closing(outcomes(made, targets, "highest")) as answers:
            return {(p, target): (o.verdict, o.products, o.weak) for p, target, o in answers}

    here = found()
    monkeypatch.setattr(run, "WORTH", 1)
    assert found() == here
    assert len(here) == 16


WORKER = """
import json, os, sys, time
chip = sys.argv[1]
if chip == "tpu:v4":
    print(json.dumps({"reason": "ValueError: no abacus"}), flush=True)
    sys.exit()
if chip == "tpu:v5p":
    sys.exit("the abacus broke\\n")
print(json.dumps({"device": chip}), flush=True)
for line in sys.stdin:
    name = json.loads(line)["program"]["name"]
    if name == "ax":
        print("F0000 a check failed", file=sys.stderr, flush=True)
        os.kill(os.getpid(), 9)
    if name == "matvec":
        time.sleep(600)
    print(json.dumps([{"verdict": "compiled", "seconds": 0.5, "products": 0, "weak": 0}]), flush=True)
"""


@pytest.fixture
def worker(monkeypatch):
    """One that compiles nothing, dies of `ax`, and hangs in `matvec`."""
    monkeypatch.setattr(child, "WORKER", [sys.executable, "-c", WORKER])


def verdicts(names, target, limit=60.0):
    with closing(outcomes(of(*names), [TARGETS[target]], "highest", limit)) as answers:
        return [(p.name, outcome.verdict, outcome.reason) for p, _, outcome in answers]


@pytest.mark.parametrize("cores", [1, 3])
def test_a_process_that_dies_is_started_again_behind_what_killed_it(worker, monkeypatch, cores):
    monkeypatch.setattr(run, "_cores", lambda: cores)
    found = verdicts(["tr_x", "ax", "tr_axb"], "tpu:v5e")
    dead = "The process that compiled it was ended by SIGKILL: F0000 a check failed"
    assert sorted(found) == sorted(
        [("tr_x", "compiled", None), ("ax", "crashed", dead), ("tr_axb", "compiled", None)] * 2
    )


def test_a_process_that_hangs_is_ended(worker, monkeypatch):
    monkeypatch.setattr(run, "_cores", lambda: 1)
    found = verdicts(["tr_x", "matvec", "tr_axb"], "tpu:v5e", limit=6.0)
    assert [verdict for _, verdict, _ in found] == ["compiled"] * 2 + ["timed out"] + ["compiled"] * 2
    assert found[2][2] == "It was not done within 6 s."


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("tpu:v4", "ValueError: no abacus"),
        ("tpu:v5p", "it was ended with exit code 1: the abacus broke"),
    ],
)
def test_a_compiler_that_does_not_start(worker, target, reason):
    found = verdicts(["tr_x", "tr_axb"], target)
    assert {verdict for _, verdict, _ in found} == {"crashed"}
    assert {told for *_, told in found} == {f"What compiles for {target} does not start: {reason}"}


def test_who_stops_listening_ends_the_processes(worker):
    """Though one of them hangs."""
    with closing(outcomes(of("tr_x", "matvec", "tr_axb"), [TARGETS["tpu:v5e"]], "highest")) as answers:
        assert next(answers)[2].verdict == "compiled"


def test_every_target_has_its_extra():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert {t.extra for t in TARGETS.values() if t.is_chip} == {"tpu-compile", "cuda-compile"}
    assert extras["tpu-compile"] == ["jax[tpu]>=0.10"]  # which brings libtpu
    for package in TARGETS["cuda:sm_90a"].packages:
        assert any(requirement.startswith(package + ">=") for requirement in extras["cuda-compile"])


def test_programs_are_small_enough_to_send():
    program = of("det_x")[0]
    assert Program(**json.loads(json.dumps({**vars(program)})) | {"sizes": program.sizes}) == program
