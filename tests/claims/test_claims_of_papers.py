"""Claims as papers, answers and code write them; a mistake in each is found."""

import re

import pytest

from matcalc import check_formula
from matcalc.formula import FormulaError

CLAIMS = [
    # f, variable, claim
    (r"\mbox{tr}(X A)", "X", "A^T"),
    (r"\text{Tr}[X A]", "X", "A^T"),
    (r"\vec{x}^T A \vec{x}", "x", "(A+A^T)x"),
    (r"\hat{x}^T A \hat{x}", r"\hat{x}", r"(A+A^T)\hat x"),
    (r"\langle Ax, y\rangle", "x", "A^T y"),
    (r"(x-a)\cdot(x-a)", "x", "2(x-a)"),
    (r"\sum_i x_i^2", "x", "2x"),
    (r"\mathbf 1^T x", "x", "1"),
    (r"\sum_{i,j} A_{ij} X_{ij}", "X", "A"),
    (r"-\sum_i p_i \log p_i", "p", r"-\log(p) - 1"),
    (r"\sum_{i=1}^n (y_i - w^T x_i)^2", "w", r"-2\sum_{i=1}^n (y_i - w^T x_i) x_i"),
    (r"\sum_{i=1}^N \log(1+\exp(-y_i w^T x_i))", "w", r"-\sum_{i=1}^N y_i x_i/(1+\exp(y_i w^T x_i))"),
    (r"\sum_i \| A x^{(i)} - y^{(i)}\|^2", "A", r"2 \sum_i (A x^{(i)} - y^{(i)}) (x^{(i)})^T"),
    (r"\sum_i x_i^T A x_i", "A", r"\sum_i x_i x_i^T"),
    (r"\log\sum_i e^{x_i}", "x", "softmax(x)"),
    ("y' softmax(x)", "x", "diag(softmax(x)) y - softmax(x) softmax(x)'y"),
    ("a' relu(X b)", "b", "X'(a .* (1 + sign(X b))/2)"),
    (r"\|Ax-b\|_1", "x", "A^T sign(Ax-b)"),
    ("sum(tril(X) .* A)", "X", "tril(A)"),
    ("ln|blkdiag(A, X)|", "X", "X^-T"),
    ("np.linalg.norm(A @ x - b)**2", "x", "2*A.T @ (A @ x - b)"),
    ("np.sum(np.log(X))", "X", "1 ./ X"),
    ("x.dot(A @ x)", "x", "(A + A.T) @ x"),
    ("trace(X'*A*X)", "X", "(A+A')*X"),
    ("tr(M^T M), where M = I - A X", "X", "-2 A^T M"),
    ("(y - p)'(y - p) where p = softmax(W x)", "x", "-2 W'(diag(p) - p p')(y - p)"),
    (r"\mathcal{L}(w) = \|Xw-y\|^2", "w", r"\nabla_w \mathcal{L} = 2X^T(Xw-y)"),
    ("tr(AX)", "X", r"\frac{\partial \operatorname{tr}(AX)}{\partial \mathbf{X}} = A^T"),
    ("x^t A x", "x", "(A+A^t) x"),
    ("tr(X^{-2T} A)", "X", "-(X^{-1} A^T X^{-2} + X^{-2} A^T X^{-1})^T"),
    ("a^{(1)T} X a^{(2)}", "X", "a^{(1)} a^{(2)T}"),
    (r"\| W^{[2]} \tanh(W^{[1]} x) - y\|^2", "W^{[2]}", r"2 (W^{[2]} \tanh(W^{[1]} x) - y) \tanh(W^{[1]} x)^T"),
    (r"\| W_2 W_1 x - y\|^2", "W_1", "2 W_2^T (W_2 W_1 x - y) x^T"),
    ("tr(K_{k+1} P_k)", "P_k", "K_{k+1}^T"),
    (r"x_{new}^T A x_{old}", "x_{old}", "A^T x_{new}"),
    ("x_1^2 + x_2", "x", "2 x_1 e_1 + e_2"),
    ("a_{ij} b'A b", "A", "(b'A b) e_i e_j' + a_ij b b'"),
    ("tr(A) [A]_{12}", "A", "tr(A) e_1 e_2' + A_{12} I"),
    ("beta' X' X beta", "beta", "2 X'X beta"),
    (r"\|y - X\beta\|^2", r"\beta", r"-2X^T(y - X\beta)"),
    (r"(x-\mu)^T \Sigma^{-1} (x-\mu)", r"\Sigma", r"-\Sigma^{-T}(x-\mu)(x-\mu)^T\Sigma^{-T}"),
    ("(x-mu)'(x-mu)", "mu", "-2(x-mu)"),
    (r"\sum_i \alpha_i x_i^T w", "w", r"\sum_i \alpha_i x_i"),
    (r"\sigma(w^T x)", "w", r"\sigma(w^T x)(1-\sigma(w^T x)) x"),
    (r"\sigma^2 x'x", "x", r"2 \sigma^2 x"),
    ("2^{a'x}", "x", r"\ln(2) 2^{a'x} a"),
    ("cosh(a'x)", "x", "sinh(a'x) a"),
    ("|x|^2", "x", "2x"),
    (r"\ln\frac{\det T}{\det S}", "T", "T^{-T}"),
    ("1e-3 x'x + .5 a'x", "x", "2e-3 x + a/2"),
    (r"{x^T A x \over x^T x}", "x", r"{(A+A^T)x \over x^Tx} - 2 {x^T A x\over (x^Tx)^2} x"),
    (r"\dfrac{1}{2}\|Ax-b\|_2^2+\lambda\|x\|_1", "x", r"A^T(Ax-b)+\lambda sign(x)"),
    (r"\frac{1}{n}\|Xw-y\|^2", "w", r"\frac{2}{n}X^T(Xw-y)"),
    (r"-\frac n2\ln|\Sigma| - \frac12 tr(\Sigma^{-1}S)", r"\Sigma",
     r"-\frac n2 \Sigma^{-T} + \frac12(\Sigma^{-1}S\Sigma^{-1})^T"),
    ("||x-x||^2 + x'x", "x", "2x"),
    # subscripts without braces
    (r"w^TS_Bw", "w", "(S_B+S_B^T)w"),
    (r"\operatorname{tr}(W^TS_BW)", "W", "(S_B+S_B^T)W"),
    (r"\frac{w^TS_Bw}{w^TS_Ww}", "w", r"\frac{(S_B+S_B^T)w}{w^TS_Ww}-\frac{w^TS_Bw}{(w^TS_Ww)^2}(S_W+S_W^T)w"),
    (r"\sum_{i=1}^n\log(1+\exp(-y_iw^Tx_i))", "w", r"-\sum_{i=1}^n\sigma(-y_iw^T x_i)y_ix_i"),
    # code
    ("np.sum(X**2)", "X", "2*X"),
    ("np.sum((X@w-y)**2)", "w", "2*X.T@(X@w-y)"),
    ("np.sum(x**3)", "x", "3*x**2"),
    ("trace(X**3)", "X", "3*X.T**2"),
    ("(x'*A*x)/(x'*x)", "x", "(A+A')*x/(x'*x) - 2*(x'*A*x)/(x'*x)/(x'*x)*x"),
    ("np.linalg.slogdet(X)[1]", "X", "np.linalg.inv(X).T"),
    ("np.square(X@w-y).sum()", "w", "2*X.T@(X@w-y)"),
    ("norm(X,'fro')**2", "X", "2*X"),
    ("b.T @ np.linalg.solve(A, x)", "x", "np.linalg.solve(A.T, b)"),
    # TeX
    (r"\frac\lambda2 x^Tx", "x", r"\lambda x"),
    (r"\frac1\sigma a^Tx - \frac{\lambda}2 \log 2\pi", "x", r"\frac{a}\sigma"),
    (r"x^TP_{k|k-1}x", "x", r"(P_{k|k-1}+P_{k|k-1}^T)x"),
    (r"b^TX^{+T}a", "a", "X^+b"),
    (r"\|x-x^*\|^2", "x", "2(x-x^*)"),
    # whole equations
    (r"f = \frac{\partial}{\partial X}\operatorname{tr}(AX)", "X", "A^T"),
    (r"\nabla_x x^TAx", "x", "(A+A^T)x"),
    (r"\frac{\partial \operatorname{tr}(AX)}{\partial X}", "X", r"\frac{\partial f}{\partial X} = A^T"),
    (r"\frac1{2m}\sum_{i=1}^m(\theta^Tx^{(i)}-y^{(i)})^2", r"\theta",
     r"\frac1m\sum_{i=1}^m(\theta^Tx^{(i)}-y^{(i)})x^{(i)}"),
    # by differential
    (r"\log\det X", "X", r"d\log\det X = \operatorname{tr}(X^{-1}dX)"),
    ("X^{-1}", "X", r"-X^{-1}(\partial X)X^{-1}"),
    (r"\operatorname{tr}(AX)", "X", r"\operatorname{tr}(A\partial X)"),
    ("x'x", "x", "2x'∂x"),
    ("X^-1", "X", "-X^-1 dX X^-1"),
    ("x'A x", "x", "x'(A+A')dx"),
    (r"\ln\det X", "X", r"\operatorname{tr}(X^{-1} \mathrm{d}X)"),
    ("X'X", "X", "dX'X + X'dX"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "wrt", "claim"), CLAIMS)
def test_what_papers_write_is_read_as_it_is_meant(formula, wrt, claim):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.verdict == "pass", report
    sides = claim.split("= ") if "= " in claim else ["", claim]
    wrong = check_formula(formula, f"{sides[0]}{'= ' if sides[0] else ''}1.01 ({sides[1]})", wrt=wrt)
    assert wrong.verdict == "fail", wrong


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "read"),
    [
        ("tr(A^t X)", "X", "A", "A^t is read as Aᵀ"),
        ("theta' A theta", "theta", "(A + A') theta", "θ is read as a vector"),
        ("tr(W^{(1)T} A)", "W", "A", "W is W^{(1)}"),
        ("sum(x)", "x", "1", "1 is the vector of ones"),
        (r"\sum_i \|x_i - c\|^2", "c", r"-2\sum_i (x_i - c)", "x_i are read as vectors, the columns of x"),
        (r"\frac1N x'x", "x", r"\frac2N x", "N is read as a number"),
        ("w^TS_Bw", "w", "(S_B+S_B^T)w", "S_Bw is read as S_B w"),
        (r"\log\det(A^*X)", "X", "X^-T", "A^* is read as the adjugate"),
        (r"\nabla_X \operatorname{tr}(AX)", "X", "A^T", "the function is tr(A X)"),
        ("np.sum(X**2)", "X", "2*X", "** is read as the power of each entry, as in NumPy"),
        ("trace(X**2)", "X", "2*X'", "** is read as the power of a matrix, X²; that of each entry is .^"),
        ("y'Σ_xy x", "x", "Σ_xy'y", "Σ_xy is read as Σ_{xy}"),
    ],
)
def test_the_answer_says_how_it_was_read(formula, wrt, claim, read):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.ok, report
    assert read in str(report)
    assert read in report.as_dict()["read"]


@pytest.mark.parametrize(
    ("formula", "wrt", "claim"),
    [
        ("tr(A X)", "X", "A'"),
        ("f(X) = tr(A X)", "X", "A'"),
        (r"\mathbf{1}^T((Ax)\odot(Bx))", "x", r"A^T Bx + B^T Ax"),
        (r"y'\Sigma_{xy} x", "x", r"\Sigma_{xy}^T y"),
    ],
)
def test_nothing_is_said_where_nobody_doubts(formula, wrt, claim):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.ok
    assert "read as" not in str(report)


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "given", "message"),
    [
        ("tr(AX)", "X", r"\nabla_A f = A^T", {}, "asked for is that by X"),
        ("tr(AX) = tr(XA)", "X", "A'", {}, "this is an equation"),
        ("a'x/(b'x)", "x", "a/(b'x) - (a'x)/(b'x)^2 b", {}, "write parentheses: (a/b) c or a/(b c)"),
        (r"\gamma^{2T} x'x", "x", "x", {}, "γ is a scalar, and T no transpose in its exponent"),
        ("tr(X^{TT})", "X", "X", {}, "the transpose of a power is (X^2)^T"),
        (r"\sum_i tr(A_i X)", "X", "A", {}, "A_i would be a matrix for every i, of three axes"),
        (r"\sum_i\|A_ix-b_i\|^2", "x", "x", {}, "A_i would be a matrix for every i, of three axes"),
        (r"\operatorname{tr}\left(\operatorname{softmax}(QK^T)V\right)", "V", "V", {}, "softmax is of vectors"),
        ("np.trace(A * X)", "X", "A", {}, "* would be entry by entry"),
        (r"\|A\|_{3,1}", "A", "A", {}, "of norms"),
        ("tr(M)", "M", "I", {"let": ["M = A X"]}, "M is defined as A X"),
        ("tr(M)", "X", "A'", {"let": "M"}, "a definition is a name"),
        (
            r"\frac{\partial}{\partial X}\operatorname{tr}(AX) = A^T",
            "X",
            "A'",
            {},
            r"give \operatorname{tr}(AX) as the function, and A^T as the claim",
        ),
        ("∂/∂A tr(AX)", "X", "A'", {}, "this is a derivative by A; asked for is that by X"),
        (r"\log\det(X)^2", "X", "A", {}, "Write (ln |X|)^2 or ln(|X|^2)"),
        (r"\log 2\pi\sigma^2 + x'x", "x", "x", {}, "Write the argument of the function in parentheses"),
        ("np.linalg.slogdet(X)", "X", "X", {}, "expected '['"),
    ],
)
def test_what_is_refused_says_the_remedy(formula, wrt, claim, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_formula(formula, claim, wrt=wrt, **given)


def test_functions_and_residuals_are_defined_as_papers_name_them():
    for f, claim, wrt, let in (
        (r"h_\theta(x)^2", r"2h_\theta(x)x", r"\theta", r"h_\theta(x) = \theta^T x"),
        (r"\|f_{W,b}(x)\|^2", r"2f_{W,b}(x)x^T", "W", r"f_{W,b}(x) = Wx+b"),
        ("e'e", "-2X'e", "b", "e = y - Xb"),
        (r"\|E\|_F^2", "-2X'E", "B", "E = Y - XB"),
    ):
        assert check_formula(f, claim, wrt=wrt, let=[let]).ok
        assert not check_formula(f, f"1.01 ({claim})", wrt=wrt, let=[let]).ok


def test_eleven_transposed_is_the_vector_of_ones_twice():
    for ones in ("11^T", r"\mathbf{11}^T"):
        f, right = rf"\operatorname{{tr}}(X(I-\frac1n {ones})X^T)", r"2X(I-\frac1n\mathbf 1\mathbf 1^T)"
        assert check_formula(f, right, wrt="X", shape="X=m,n").ok
        assert not check_formula(f, r"2X(I-\frac2n\mathbf 1\mathbf 1^T)", wrt="X", shape="X=m,n").ok


def test_a_power_in_code_is_not_that_of_the_matrix():
    assert not check_formula("np.trace(X**2)", "2*X.T", wrt="X").ok
    assert not check_formula("np.sum(X**2)", "X + X.T", wrt="X").ok


def test_definitions_hold_in_the_claim_too():
    assert check_formula("tr(M'M)", "-2 A' M", wrt="X", let=["M = B - A X", "B = I"]).ok
    assert not check_formula("tr(M'M)", "2 A' M", wrt="X", let=["M = B - A X", "B = I"]).ok
    assert check_formula("||y - X w||^2", "-2 X' r where r = y - X w", wrt="w").ok


def test_sizes_are_numbers_in_formulas():
    assert check_formula("sum(x)/n", "ones/n", wrt="x", shape={"x": ("n",)}).ok
    assert check_formula("X'", "K_mn", wrt="X", shape={"X": ("m", "n")}).ok
    assert not check_formula("X'", "K_nm", wrt="X", shape={"X": ("m", "n")}).ok


def test_all_square_by_their_domains():
    where = dict.fromkeys("ABX", "invertible")
    assert check_formula("|A X B|", "|A X B| X^-T", wrt="X", where=where).ok
    assert check_formula("|A X B|", "|A X B| X^-T", wrt="X", where={"B": "invertible", "X": "invertible"}).ok


def test_a_differential_is_linear():
    for claim in ("tr(A' dX) dX", "sum(A .* dX .* dX)", "tr(A dX) + 1"):
        assert check_formula("tr(A' X)", claim, wrt="X").verdict == "fail"
    assert check_formula("d x'x", "2 d x", wrt="x", shape={"d": ()}).ok  # d is a variable


def test_unknown_words_are_refused():
    with pytest.raises(FormulaError, match="unknown function"):
        check_formula(r"\operatorname{rank}(X)", "X", wrt="X")


@pytest.mark.parametrize(
    ("formula", "wrt", "claim", "read"),
    [
        (r"\phi(x)^T w", "w", r"\phi x", "φ(x) is read as a product"),
        (r"\sigma(w'x)", "w", r"\sigma(w'x)(1-\sigma(w'x)) x", "σ( ) is read as the sigmoid"),
        ("x'A x + b'x + c", "x", "(A + A')x + b", "c is read as a number"),
        ("A_{12} tr(A)", "A", "tr(A) e_1 e_2' + A_12 I", "A_12 is read as an entry of A"),
    ],
)
def test_readings_that_could_be_doubted_are_said(formula, wrt, claim, read):
    report = check_formula(formula, claim, wrt=wrt)
    assert report.ok, report
    assert read in str(report)


def test_a_greek_letter_that_was_read_as_a_scalar_is_told():
    report = check_formula(
        r"||Y - X \beta||^2 + \lambda ||\beta||^2", r"-2 X^T(Y - X\beta) + 2\lambda\beta", wrt=r"\beta"
    )
    assert report.verdict == "fail"
    assert report.cause is not None
    assert "β and λ, read as a scalar, may be a vector" in report.cause.remedy
