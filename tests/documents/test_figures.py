"""The figures of the documents are those of the result files, and these stay small."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BENCH = ROOT / "bench"
RESULTS = sorted((BENCH / "results").iterdir())
NOT_INSTALLED = ("autograd", "chex", "sympy", "tensorgrad", "torch")  # of the extra `bench`


def test_documents_say_what_the_result_files_say():
    command = [sys.executable, str(BENCH / "tables.py"), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert checked.returncode == 0, checked.stderr


def test_a_changed_figure_is_noticed(tmp_path):
    for folder in ("", "bench", "bench/results"):
        (tmp_path / folder).mkdir(exist_ok=True)
    copied = ["README.md", "bench/README.md", "bench/tables.py", "bench/records.py"]
    for name in [*copied, *(f"bench/results/{path.name}" for path in RESULTS if path.suffix == ".json")]:
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    job = tmp_path / "bench" / "results" / "main_job.json"
    record = json.loads(job.read_text(encoding="utf-8"))
    job.write_text(json.dumps(record | {"verify_s": [1000.0]}), encoding="utf-8")
    command = [sys.executable, str(tmp_path / "bench" / "tables.py")]
    checked = subprocess.run([*command, "--check"], capture_output=True, text=True)
    assert checked.returncode == 1
    assert "bench/README.md and README.md: the figures are not those of bench/results" in checked.stderr
    assert subprocess.run(command).returncode == 0
    assert subprocess.run([*command, "--check"]).returncode == 0
    assert "1000 s from a cold start" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_result_files_are_small_and_name_machine_and_versions():
    assert sum(path.stat().st_size for path in RESULTS) <= 400_000
    shown = (BENCH / "README.md").read_text(encoding="utf-8")
    for path in RESULTS:
        assert f"results/{path.name}" in shown
        if path.suffix == ".json":
            known = json.loads(path.read_text(encoding="utf-8"))["environment"]
            assert {"jax", "python", "platform"} <= set(known), path.name


def test_rows_of_result_files_have_the_length_of_their_columns():
    tables = 0
    for path in RESULTS:
        record = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else {}
        for table in [part for part in record.values() if isinstance(part, dict) and "columns" in part]:
            tables += 1
            assert {len(row) for row in table["rows"]} <= {len(table["columns"])}
    assert tables > 10


def test_texts_that_come_again_and_again_are_written_once(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCH))
    import records

    rows = [{"name": f"det_{k % 4}", "f": f"f{k}", "verdict": None if k % 5 else "win", "x": k / 2} for k in range(20)]
    records.write(tmp_path / "result.json", {"cells": records.table(rows)})
    assert records.rows(records.read(tmp_path / "result.json")["cells"]) == rows
    text = (tmp_path / "result.json").read_text(encoding="utf-8")
    assert (text.count("det_3"), text.count("win"), text.count("f7")) == (1, 1, 1)


def test_scripts_can_be_read_without_the_libraries_that_they_compare_with():
    """A script whose imports fit the package no more is seen before its day of use."""
    names = [path.stem for path in sorted(BENCH.glob("*.py"))]
    text = f"import sys; sys.modules.update(dict.fromkeys({NOT_INSTALLED})); import {', '.join(names)}"
    command = [sys.executable, "-c", text]
    run = subprocess.run(command, capture_output=True, text=True, cwd=BENCH, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert run.returncode == 0, run.stderr
