"""Sizes as papers write them: the bound of a sum as a factor, sizes of vec and ⊗, norms of the vectors of a sum."""

import pytest

from matcalc import check_formula, derive
from matcalc.formula import FormulaError, parse

POSITIVE = {"where": {r"\Sigma": "positive definite"}}
LIKELIHOOD = r"-\frac n2\ln|\Sigma|-\frac12\sum_{i=1}^n(x_i-\mu)^T\Sigma^{-1}(x_i-\mu)"
SCATTER = r"\frac12\Sigma^{-1}\sum_{i=1}^n(x_i-\mu)(x_i-\mu)^T\Sigma^{-1}"
CENTRED = r"\operatorname{tr}(X(I_n-\frac1n\mathbf 1_n\mathbf 1_n^T)X^T)"
OF_CENTRED = r"2X(I_n-\frac1n\mathbf 1_n\mathbf 1_n^T)"


def judge(formula, wrt, right, wrong, options):
    """The right claim passes and a mistake in it fails; what is derived passes too."""
    assert check_formula(formula, right, wrt=wrt, **options).ok, (formula, right)
    assert check_formula(formula, wrong, wrt=wrt, **options).verdict == "fail", (formula, wrong)
    found = derive(formula, wrt, **options)
    assert check_formula(formula, str(found.formula), wrt=wrt, **options).ok, (formula, found.formula)


@pytest.mark.parametrize(
    ("formula", "wrt", "right", "wrong", "options"),
    [
        (r"\frac1n\sum_{i=1}^n(y_i-w^Tx_i)^2", "w", r"-\frac2n\sum_{i=1}^n(y_i-w^Tx_i)x_i",
         r"-2\sum_{i=1}^n(y_i-w^Tx_i)x_i", {}),
        (LIKELIHOOD, r"\Sigma", rf"-\frac n2\Sigma^{{-1}}+{SCATTER}", rf"-\frac12\Sigma^{{-1}}+{SCATTER}", POSITIVE),
        (LIKELIHOOD, r"\mu", r"\Sigma^{-1}(\sum_{i=1}^n x_i-n\mu)", r"\Sigma^{-1}(\sum_{i=1}^n x_i-\mu)", POSITIVE),
        (r"\frac1{2m}\sum_{i=1}^m(\theta^Tx^{(i)}-y^{(i)})^2", r"\theta",
         r"\frac1m\sum_{i=1}^m(\theta^Tx^{(i)}-y^{(i)})x^{(i)}",
         r"\frac2m\sum_{i=1}^m(\theta^Tx^{(i)}-y^{(i)})x^{(i)}", {}),
        (r"\frac1n x^T 1_n", "x", r"\frac1n 1_n", "1_n", {}),
        (CENTRED, "X", OF_CENTRED, r"2X(I_n-\mathbf 1_n\mathbf 1_n^T)", {}),
        (CENTRED, "X", OF_CENTRED, r"2X(I_n-\mathbf 1_n\mathbf 1_n^T)", {"shape": {"X": (3, 5)}}),
        (CENTRED, "X", OF_CENTRED, r"2X(I_n-\mathbf 1_n\mathbf 1_n^T)", {"shape": {"X": ("m", "k")}}),
        (r"n\sum_{i=1}^n x_i^2", "x", "2 n x", "2 x", {"shape": {"x": (5,)}}),
        (r"n\sum_{i=1}^n x_i^2", "x", "2 n x", "2 x", {"shape": {"n": ()}}),
        (r"\frac1n x^Tx", "x", r"\frac2n x", "2 x", {"shape": {"x": ("n",)}}),
    ],
)  # fmt: skip
def test_a_size_is_a_number_wherever_it_stands(formula, wrt, right, wrong, options):
    judge(formula, wrt, right, wrong, options)


@pytest.mark.parametrize(
    ("formula", "wrt", "right", "wrong", "options"),
    [
        ("vec(X)' kron(B, A) vec(X)", "X", "A X B' + A' X B", "A X B + A' X B'", {}),
        (r"\|(B^T\otimes A)\operatorname{vec}(X)-\operatorname{vec}(C)\|^2", "X", "2A^T(AXB-C)B^T", "2A^T(AXB-C)B", {}),
        (r"\|(B\otimes A)\operatorname{vec}(X)-\operatorname{vec}(C)\|^2", "X", "2A^T(AXB^T-C)B", "2(AXB^T-C)B", {}),
        ("vec(X)' kron(B, A) vec(Y)", "X", "A Y B'", "A Y B", {}),
        ("vec(X)' kron(B, A) vec(X)", "X", "unvec_lm((B ⊗ A + B' ⊗ A') vec(X))", "unvec_lm((B ⊗ A) vec(X))",
         {"shape": {"X": ("l", "m"), "A": ("m", "m"), "B": ("l", "l")}}),
        ("vec(Y)' kron(B, A) vec(X)", "X", "unvec_{3,4}((B' ⊗ A') vec(Y))", "unvec_{3,4}((B ⊗ A) vec(Y))",
         {"shape": {"X": (3, 4), "Y": (4, 3), "A": (3, 3), "B": (4, 4)}}),
    ],
)  # fmt: skip
def test_the_sizes_of_vec_are_those_of_its_kronecker_product(formula, wrt, right, wrong, options):
    judge(formula, wrt, right, wrong, options)


NEAR = r"\|x-\mu\|_{\Sigma^{-1}}^2"


@pytest.mark.parametrize(
    ("formula", "wrt", "right", "wrong", "options"),
    [
        (r"\|x-x_0\|^2", "x", "2(x-x_0)", "2x", {}),
        (r"\frac12(x-x_k)^TA(x-x_k)", "x", r"\frac12(A+A^T)(x-x_k)", r"A(x-x_k)", {}),
        (r"\|x-x_0\|^2 + b^Tx_0", "x_0", "2(x_0-x)+b", "2(x-x_0)+b", {}),
        (r"x_1 x^Tx", "x", "2x_1x+(x^Tx)e_1", "2x_1x", {}),
        (r"\sum_i\|w_i\|_2", "w", r"\sum_i w_ie_i^T/\|w_i\|", r"\sum_i w_ie_i^T", {}),
        (r"\sum_{ij}A_{ij}\|y_i-y_j\|^2", "y", r"2\sum_{ij}A_{ij}(y_i-y_j)(e_i-e_j)^T",
         r"2\sum_{ij}A_{ij}(y_i-y_j)e_i^T", {}),
        (r"\sum_{i=1}^n\|x_i-\mu\|^2", r"\mu", r"2(n\mu-\sum_{i=1}^nx_i)", r"2(\mu-\sum_{i=1}^nx_i)", {}),
        (r"\|x\|_A^2", "x", "(A+A^T)x", "2Ax", {}),
        (NEAR, "x", r"2\Sigma^{-1}(x-\mu)", r"2\Sigma(x-\mu)", POSITIVE),
        (r"\|X\|_{2,1}", "X", "X diag(diag(X'X).^(-1/2))", "X diag(diag(X X').^(-1/2))", {}),
    ],
)  # fmt: skip
def test_what_a_letter_with_a_subscript_is_by_where_it_stands(formula, wrt, right, wrong, options):
    judge(formula, wrt, right, wrong, options)


def test_the_norm_of_infinity_in_ascii():
    assert parse("||x||_inf^2") == parse(r"\|x\|_\infty^2")
    assert parse("x_{inf}") == parse(r"x_{\mathrm{inf}}")


def test_the_norm_of_columns_is_said():
    assert (
        "‖ ‖_{2,1} is read as the sum of the norms of the columns"
        in check_formula(r"\|X\|_{2,1}", "X", wrt="X").asked.notes
    )
    with pytest.raises(FormulaError, match="of norms"):
        parse(r"\|x\|_{i}")


@pytest.mark.parametrize(
    ("formula", "claim"),
    [
        ("X^TX", r"(I_{n^2}+K_{nn})(I_n\otimes X^T)"),
        ("X^TX", r"(I+K_{nn})(I_n\otimes X^T)"),
        ("XX^T", r"(I+K_{mm})(X\otimes I_m)"),
        ("XX^T", r"(I_{m^2}+K_{mm})(X\otimes I_m)"),
    ],
)
@pytest.mark.parametrize("shape", [None, {"X": ("m", "n")}])
def test_sizes_that_only_the_claim_names(formula, claim, shape):
    assert check_formula(formula, claim, wrt="X", shape=shape).ok
    assert check_formula(formula, claim.replace("+", "-"), wrt="X", shape=shape).verdict == "fail"
