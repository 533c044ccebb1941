"""The main job on real data: the diabetes study of Efron, Hastie, Johnstone and Tibshirani (2004), 442 patients."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from typer.testing import CliRunner

from matcalc.cli import app

NAMES = ["lsq_xa_minus_b", "fro_xat_minus_b", "quad_axtxa", "logdet_xtx"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    X, y = load_diabetes(return_X_y=True)
    a = np.linalg.lstsq(X, y, rcond=None)[0]
    path = tmp_path_factory.mktemp("data") / "diabetes.npz"
    np.savez(path, X=X, a=a, b=y, A=a[None, :], B=y[:, None])
    ran = CliRunner().invoke(app, ["verify", *NAMES, "--inputs", str(path), "--json", "-"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)["results"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_verified_on_the_diabetes_design_matrix(results, name, dtype):
    mine = [r for r in results if (r["name"], r["dtype"]) == (name, dtype)]
    assert [r["layout"] for r in mine] == ["numerator", "denominator"]
    for r in mine:
        assert r["verdict"] == "pass"
        assert (r["sizes"]["m"], r["sizes"]["l" if name == "logdet_xtx" else "n"]) == (442, 10)
        assert r["error_fd"] < (1e-9 if dtype == "float64" else 1e-3)
