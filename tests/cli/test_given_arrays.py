"""Arrays that are given to `matcalc verify` in an .npz file."""

import numpy as np
import pytest
from command_line import matcalc, read, wrong

SQUARE = np.array([[2.0, 1.0, 0.0], [-1.0, 3.0, 0.5], [0.25, 0.0, 1.5]])


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        np.savez(tmp_path / "inputs.npz", **arrays)
        return tmp_path / "inputs.npz"

    return save


def test_inputs_that_pass(save):
    rng = np.random.default_rng(0)
    A, X, B = (rng.standard_normal(shape) for shape in ((2, 3), (3, 4), (4, 2)))
    result = read(matcalc("verify", "tr_axb", "--inputs", save(A=A, X=X, B=B, unused=A), "--json", "-").stdout)
    assert result["summary"]["pass"] == 4
    assert all(r["sizes"] == {"l": 2, "m": 3, "n": 4} for r in result["results"])
    matcalc("verify", "tr_x", "--inputs", save(X=SQUARE.astype(np.float16)))


def test_an_integer_among_the_inputs_serves_several_identities(save):
    result = read(matcalc("verify", "tr_xk", "det_xk", "--inputs", save(X=SQUARE, k=3), "--json", "-").stdout)
    assert result["summary"]["pass"] == 8
    assert all(r["sizes"] == {"n": 3, "k": 3} for r in result["results"])


def test_scalars_and_indices_among_the_inputs(save):
    file = save(X=SQUARE, s=np.float32(2), i=np.uint8(1), j=0)
    result = read(matcalc("verify", "matrix_by_element", "--inputs", file, "--json", "-").stdout)
    assert result["summary"]["pass"] == 4
    matcalc("verify", "matrix_by_element", "--inputs", save(X=SQUARE, s=2, i=1, j=0))


STATIC = "(Under jax.jit, name it in static_argnames.)"


@pytest.mark.parametrize(
    ("name", "arrays", "message"),
    [
        ("tr_xk", {"X": SQUARE}, "FILE lacks the argument k of tr_xk; it holds X."),
        ("tr_x", {}, "FILE lacks the argument X of tr_x; it holds nothing."),
        ("tr_xk", {"X": SQUARE, "k": 0}, "tr_xk: k must be at least 1, got 0."),
        (
            "tr_xk",
            {"X": SQUARE, "k": 2.0},
            f"tr_xk: k must be an integer of Python, known while tracing, got float. {STATIC}",
        ),
        (
            "tr_xk",
            {"X": SQUARE, "k": [2]},
            f"tr_xk: k must be an integer of Python, known while tracing, got ndarray. {STATIC}",
        ),
        (
            "tr_x",
            {"X": np.eye(3, dtype=np.int32)},
            "tr_x: X must have a real floating dtype, got int32. Convert it, for example by .astype(jnp.float32).",
        ),
        (
            "tr_x",
            {"X": np.eye(3) * 1j},
            "tr_x: X must have a real floating dtype, got complex128. Convert it, for example by .astype(jnp.float32).",
        ),
        (
            "tr_x",
            {"X": np.ones((2, 3))},
            "tr_x: X must be n×n, got shape (2, 3), where both n must agree. (Identities are unbatched; use jax.vmap.)",
        ),
        ("tr_x", {"X": np.ones((0, 0))}, "tr_x: X has shape (0, 0); every size must be at least 1."),
        ("tr_x", {"X": 1.0}, "tr_x: X must be an array (n×n), got float. Use jnp.asarray."),
        (
            "tr_x",
            {"X": np.array([[None]])},
            "FILE is not a readable .npz file of arrays (Object arrays cannot be loaded when allow_pickle=False).",
        ),
    ],
)
def test_inputs_that_do_not_fit(name, arrays, message, save):
    file = save(**arrays)
    assert wrong("verify", name, "--inputs", file) == f"--inputs: {message.replace('FILE', str(file))}"


def test_inputs_need_a_name(save):
    message = "--inputs needs the name of the identity that the arrays are for."
    assert wrong("verify", "--inputs", save(X=SQUARE)) == message


def test_what_is_no_npz_file(save, tmp_path):
    good = save(X=SQUARE).read_bytes()
    np.save(tmp_path / "array.npy", SQUARE)
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "cut.npz").write_bytes(good[: len(good) // 2])
    (tmp_path / "damaged.npz").write_bytes(good.replace(SQUARE.tobytes()[:8], bytes(8)))
    np.save(tmp_path / "pickle.npy", np.array([None]), allow_pickle=True)
    for name in ("array.npy", "text.npz", "empty.npz", "cut.npz", "damaged.npz", "pickle.npy", "nosuch.npz", "."):
        path = tmp_path / name
        message = wrong("verify", "tr_x", "--inputs", path)
        assert message.startswith(f"--inputs: {path} is not a readable .npz file of arrays (")


@pytest.mark.parametrize(
    ("name", "X", "cause"),
    [
        ("tr_x", np.where(SQUARE == 0.25, np.nan, SQUARE), "X contains NaN; every entry must be finite."),
        ("tr_x", np.where(SQUARE == 0.25, np.inf, SQUARE), "X contains an infinite entry; every entry must be finite."),
        ("logabsdet_x", np.ones((3, 3)), "The formula requires X invertible, and here it is not."),
    ],
)
def test_inputs_outside_the_domain_are_inconclusive(name, X, cause, save):
    file = save(X=X)
    result = read(matcalc("verify", name, "--inputs", file, "--json", "-", code=1).stdout)
    assert {(r["verdict"], r["cause"]) for r in result["results"]} == {("inconclusive", cause)}
    assert all(r[error] is None for r in result["results"] for error in ("error_autodiff", "error_fd", "tolerance"))
    assert cause in " ".join(matcalc("verify", name, "--inputs", file, code=1).stdout.split())
