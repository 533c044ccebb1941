"""`matcalc verify`: its results, its options and what is wrong with them."""

import re

import jax
import pytest
from command_line import ENVIRONMENT, RESULT, SUMMARY, matcalc, read, wrong

from matcalc import Identity
from matcalc import tr_axb as matcalc_tr_axb

FEW = ("--dtype", "float64", "--layout", "numerator")


@pytest.mark.parametrize("names", [("tr_x",), ("tr_x", "ax")])
def test_verify(names, tmp_path):
    file = tmp_path / "result.json"
    printed = matcalc("verify", *names, "--json", file).stdout
    result = read(file.read_text(encoding="utf-8"))
    assert result.keys() == {"schema", "environment", "results", "certificates", "summary"}
    assert result["schema"] == 1
    assert result["environment"].keys() == ENVIRONMENT
    assert result["summary"].keys() == SUMMARY
    assert result["summary"]["pass"] == len(result["results"]) == 4 * len(names)
    assert result["summary"]["interrupted"] is False
    for r in result["results"]:
        assert r.keys() == RESULT
        assert (r["verdict"], r["cause"], r["seed"]) == ("pass", None, 0)
    assert {(r["name"], r["dtype"], r["layout"]) for r in result["results"]} == {
        (n, d, l) for n in names for d in ("float32", "float64") for l in ("numerator", "denominator")
    }
    assert all(name in printed for name in names)
    assert f"{4 * len(names)} checks: {4 * len(names)} pass, 0 fail, 0 inconclusive, 0 autodiff-wrong." in printed
    assert list(tmp_path.iterdir()) == [file]


def test_json_on_stdout_is_alone_there_and_html_has_the_tables_all_the_same(tmp_path):
    html = tmp_path / "tables.html"
    result = matcalc("verify", "tr_x", "--json", "-", "--html", html)
    assert read(result.stdout)["summary"]["pass"] == 4
    assert result.stderr == ""
    text = html.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "tr_x" in text
    assert "4 pass" in re.sub("<.*?>", "", text)


def test_options_of_verify_arrive(tmp_path):
    options = ["--dtype", "float64", "--layout", "jax,vec,jax", "--sizes", "m=2, n=5", "--seed", "7"]
    options += ["--precision", "default", "--platform", "cpu"]
    result = read(matcalc("verify", "ax", *options, "--json", "-").stdout)
    assert [(r["dtype"], r["layout"], r["seed"]) for r in result["results"]] == [
        ("float64", l, 7) for l in ("jax", "vec")
    ]
    assert all(r["sizes"] == {"m": 2, "n": 5} for r in result["results"])
    assert (result["environment"]["matmul_precision"], result["environment"]["platform"]) == ("default", "cpu")


def test_the_seed_decides_the_numbers():
    def errors(seed):
        results = read(matcalc("verify", "tr_axb", "--seed", seed, "--json", "-").stdout)["results"]
        return [(r["error_autodiff"], r["error_fd"]) for r in results]

    assert errors(1) == errors(1) != errors(2)


@pytest.mark.parametrize("seed", [-1, -(2**70), 2**70])
def test_any_integer_is_a_seed(seed):
    (result,) = read(matcalc("verify", "tr_x", *FEW, "--seed", seed, "--json", "-").stdout)["results"]
    assert (result["seed"], result["verdict"]) == (seed, "pass")
    checked = read(matcalc("check", "tr(X)", "--wrt", "X", "--claim", "I", "--seed", seed, "--json", "-").stdout)
    assert checked["verdict"] == "pass"


def test_a_wrong_closed_form_fails_and_says_why(monkeypatch):
    def tr_axb(A, X, B):
        f, df_dX = matcalc_tr_axb.declaration.body(A, X, B)
        return f, 2 * df_dX

    tr_axb.__annotations__ = matcalc_tr_axb.declaration.body.__annotations__
    doubled = Identity(tr_axb, "tr(A X B)", "Aᵀ Bᵀ", source="", covers="trace_axb")
    monkeypatch.setattr("matcalc.cli.verify.chosen", lambda names: [doubled])
    printed = matcalc("verify", "tr_axb", code=1).stdout
    (result, *_) = read(matcalc("verify", "tr_axb", "--json", "-", code=1).stdout)["results"]
    assert result["verdict"] == "fail"
    assert result["cause"] == "It is 2 times the gradient. Multiply it by 1/2."
    flat = " ".join(printed.split())
    assert "fail: tr_axb (scalar by matrix, float32): It is 2 times the gradient. Multiply it by 1/2." in flat
    assert "4 checks: 0 pass, 4 fail" in flat
    assert "0 formulas of the notes verified" in flat


FORM = "--sizes takes name=number with numbers from 1, such as l=2,m=3; got "


@pytest.mark.parametrize("part", ["n", "n=", "n=0", "n=-1", "n=x", "n=1.5", "n==2", "n=²", "=", ""])
def test_sizes_in_a_wrong_form(part):
    assert wrong("verify", "tr_x", "--sizes", part or "n=3,") == f"{FORM}{part!r}."


def test_sizes_that_do_not_exist_or_that_cannot_be():
    assert wrong("verify", "tr_x", "--sizes", "zz=3") == "--sizes: no size is named 'zz' here, only n."
    assert wrong("verify", "tr_axb", "--sizes", "=3").startswith("--sizes: no size is named '' here, only ")
    assert wrong("verify", "tr_x", "--sizes", "n=10000000").startswith("Unable to allocate")
    told = matcalc("verify", "det_axb_invertible", "--sizes", "l=5", code=1).stdout
    assert "found no point with A X B invertible at the sizes l=5" in " ".join(told.split())


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--dtype", "float16", "--dtype takes float32, float64; got 'float16'."),
        ("--dtype", "float32,", "--dtype takes float32, float64; got ''."),
        ("--layout", "rows", "--layout takes jax, numerator, denominator, vec; got 'rows'."),
        ("--layout", "", "--layout takes jax, numerator, denominator, vec; got ''."),
        ("--precision", "low", "--precision takes highest, high, default; got 'low'."),
        ("--platform", "cuda", "--platform takes cpu, gpu, tpu; got 'cuda'."),
        ("--emulate", "fp8", "--emulate takes tf32, bf16; got 'fp8'."),
        ("--emulate", "", "--emulate takes tf32, bf16; got ''."),
    ],
)
def test_a_wrong_value_of_an_option(option, value, message):
    assert wrong("verify", "tr_x", option, value) == message


def test_options_that_exclude_emulated_products():
    message = "--emulate rounds the products of a CPU, as if it were another; got --platform gpu."
    assert wrong("verify", "tr_x", "--emulate", "tf32", "--platform", "gpu") == message
    message = "--emulate rounds products of high or default precision; got --precision highest."
    assert wrong("verify", "tr_x", "--emulate", "bf16", "--precision", "highest") == message


def test_emulated_products_are_rounded_and_the_tolerance_knows():
    result = read(matcalc("verify", "bilinear_bax", "--emulate", "tf32", "--layout", "jax", "--json", "-").stdout)
    assert result["environment"]["matmul_precision"] == "default (tf32 emulated)"
    single, double = result["results"]
    assert (single["verdict"], double["verdict"]) == ("pass", "pass")
    assert 1e-5 < single["error_reference"] < single["tolerance"] < 0.1
    assert double["tolerance"] < 1e-12


def test_other_wrong_values():
    assert wrong("show", "tr_x", "--layout", "vec") == "--layout takes jax, numerator, denominator; got 'vec'."
    assert wrong("show", "tr_x", "--style", "html") == "--style takes unicode, ascii, tex; got 'html'."
    for command in (["verify", "tr_x"], ["check", "tr(X)", "--wrt", "X"]):
        assert "'--seed'" in wrong(*command, "--seed", "x")
        assert "'--seed'" in wrong(*command, "--seed", "1.5")


@pytest.mark.parametrize("platform", ["gpu", "tpu"])
def test_a_platform_that_is_not_here(platform, monkeypatch):
    devices = jax.devices

    def without(name=None):
        if name == platform:
            raise RuntimeError(f"Unknown backend {name}")
        return devices(name)

    monkeypatch.setattr(jax, "devices", without)
    message = f"JAX finds no {platform} here; `matcalc devices` lists what it finds."
    assert wrong("verify", "tr_x", "--platform", platform) == message
