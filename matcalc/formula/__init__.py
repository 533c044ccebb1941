r"""Formulas of matrix calculus: read, printed, sized and evaluated.

>>> from matcalc.formula import parse, evaluate
>>> str(parse("tr(A*X*B)'  -  2 A'B'"))
'tr(A X B)ᵀ - 2 Aᵀ Bᵀ'

ASCII, Unicode and TeX may be mixed; `X'`, `Xᵀ`, `X^T` and `X^\top` are one tree. What notation leaves open is settled
here so:

* A variable is one letter: `AXB` is a product of three, as are `A X B`, `A*B`, `A@B` and `A·B`. The names of functions
  (`tokens.FUNCTIONS`) come first; so do Greek letters spelled with four letters or more (`beta`; the short ones are
  `\mu`, `\xi`) and the names declared to `parse`.
* A function takes parentheses, `tr(A X)`, or bars, `ln |X|`, which then take no superscript: `(ln |X|)²`, not
  `ln |X|²`. At the end of a product it takes a letter too, `λ tr X`, or a function, `log det X`; `tr A X` is refused.
  `sin(X)ᵀ` transposes the sine.
* Of a square matrix exp, ln, sin, cos and sqrt are functions of the matrix. Of a vector they are taken of each entry,
  as with a dot: `exp.(X)`. tanh, sigmoid and softplus are always taken of each entry.
* `‖X‖` is the Frobenius norm, also written `‖X‖_F`; `‖x‖_2` is of vectors only. `X^*` is the adjugate.
* Products bind tighter than ⊗, ⊙, ⊘ and ×, which go from left to right: `A B ⊗ C` is `(A B) ⊗ C`, and printed so.
* `/` divides the product before it by the one factor after it; `a/b c` is refused: write `(a/b) c` or `a/(b c)`. A
  minus takes a whole product, and a Σ reaches to the next + or - of its level.
* `|X|` is the determinant, of a scalar the absolute value. A bar closes the innermost open bar when an operand has just
  ended, so `|A| - |X|` and `|A||X|` work; inside bars write det( ).
* `^` takes one number, one letter or parentheses. `^T`, `^-1`, `^-T`, `^+` and `^*` are marks. `e^{X}` and `e^X` are
  exp(X); `e^k` is a power of the variable e.
* `∂U`, `dU` and `d(U)` are values of their own: dU; `∂_x U` is dU_dx, `∂²U` is d2U. They take superscripts only in
  parentheses, `(∂U)ᵀ`.
* `I`, `0`, `e_i`, `E_ij` and the vector of ones `𝟏` are constants sized by the context; `I_n`, `0_mn` and `1_n` say
  their sizes. A 1 is the vector of ones where it is transposed or directly behind a factor: `1' X 1`. `[e]_i` is an
  entry of a vector e. `a_ij` is the entry of A where A is a matrix.
* As a subscript, the index of a Σ and a number count from 1, as in books; a given integer counts from 0, as in Python.
  As a number each is what it is.
* A row times a column is a scalar, and a scalar multiplies anything. Products go from left to right: `aᵀ x A` is read,
  `A aᵀ x` needs its parentheses, `A (aᵀ x)`.

The functions are tr, det, logdet, adj, inv, pinv, sum, vec, diag, norm, kron, cross, exp, ln, sin, cos, sqrt, tanh,
sigmoid and softplus. In each line below, all spellings are one tree:

    A X B   AXB   A*X*B   A @ X @ B   A·X·B   A \cdot X \cdot B
    X'   X^T   X.T   Xᵀ   X^\top   X^{\mathsf{T}}
    X^-1   X⁻¹   X^{-1}   inv(X)
    X^-T   X⁻ᵀ   X^{-T}   X^{-\top}
    X^+   X⁺   X^\dagger   pinv(X)
    X^*   X^{\ast}   adj(X)
    X^3   X³   X^{3}
    a/b   \frac{a}{b}
    X   \mathbf{X}   \boldsymbol{X}
    β   beta   \beta
    tr(X)   trace(X)   \operatorname{tr}(X)
    det(X)   |X|   \det X   \lvert X \rvert
    ln |X|   log |X|   \log\det X   logdet(X)
    norm(X)   ||X||   ‖X‖   ||X||_F   \lVert X \rVert_F
    ||x||_2   ‖x‖₂
    exp(X)   e^X   e^{X}   \exp(X)
    A .* B   A ⊙ B   A \odot B   A \circ B
    A ./ B   A ⊘ B   A \oslash B
    kron(A, B)   A ⊗ B   A \otimes B
    cross(u, v)   u × v   u \times v
    ones   𝟏   \mathbf{1}
    x_i   x_{i}   xᵢ
    a_ij   a_{ij}
    Σ_{i=1}^{k} X^i   sum_{i=1}^{k} X^i   \sum_{i=1}^{k} X^i
    ∂U   dU   d(U)   \partial U
"""

from matcalc.formula.errors import FormulaError as FormulaError
from matcalc.formula.evaluation import evaluate as evaluate
from matcalc.formula.parser import parse as parse
from matcalc.formula.parser import parse_equation as parse_equation
from matcalc.formula.shapes import infer as infer
from matcalc.formula.tree import Formula as Formula
from matcalc.formula.tree import terms as terms
