r"""Formulas of matrix calculus: read, printed, sized and evaluated.

>>> from matcalc.formula import parse, evaluate
>>> str(parse("tr(A*X*B)'  -  2 A'B'"))
'tr(A X B)ᵀ - 2 Aᵀ Bᵀ'

ASCII, Unicode and TeX may be mixed; `X'`, `Xᵀ`, `X^T` and `X^\top` are one tree. What notation leaves open is settled
here so:

* A variable is one letter: `AXB` is a product of three, as are `A X B`, `A*B`, `A@B` and `A·B`. Names of functions
  (`words.FUNCTIONS`) come first; so do Greek letters spelled with four letters or more (`beta`; shorter ones where no
  letter stands beside them, `mu`) and the names declared to `parse`. A label makes a name, `W^{(1)}`, and an accent,
  `\hat{x}`; what a subscript makes is settled by the whole formula: see `matcalc.formula.meaning`.
* A subscript without braces is one letter, as in TeX, `A_ix` is A_i x; two letters of one kind, both indices or both
  none, are one, `a_ij` and `Σ_xy`, but of two capitals the second is a factor where it stands by itself, `W^TS_BW`.
* A function takes parentheses, `tr(A X)`, or bars, `ln |X|`, which then take no superscript: `(ln |X|)²`, not
  `ln |X|²`. At the end of a product it takes a letter too, `λ tr X`, or a function, `log det X`; `tr A X` is refused.
  `sin(X)ᵀ` transposes the sine.
* Of a square matrix exp, ln, sin, cos, tan, sinh, cosh and sqrt are functions of the matrix. Of a vector they are taken
  of each entry, as with a dot: `exp.(X)`. tanh, sigmoid, softplus, relu, sign and abs are always taken of each entry.
* `‖X‖` is the Frobenius norm, also written `‖X‖_F`; `‖X‖_2` is the spectral norm, of vectors the length; `‖X‖_*` is
  the nuclear norm. `X^*` is the adjugate, and `x^*` a name. `X^{1/2}` is sqrt(X).
* A number beside an array stands at every entry, `1 - tanh(x)`, as do mean(x), max(x), min(x) and logsumexp(x). Beside
  a square matrix it is refused, where it could mean a multiple of I.
* `L_exp(U, V)` is the derivative of exp at the matrix U along V, likewise of ln, sin, cos, tan, sinh, cosh and sqrt.
* `[a]_×` is the matrix with `[a]_× b = a × b`, `unvec_mn(v)` the m×n matrix A with `vec(A) = v`, and vech(S) stacks the
  columns of the lower triangle. `K_mn`, `D_n` and `L_n` are the commutation, the duplication and the elimination matrix
  where m and n are sizes; with numbers they are written `commutation(2, 3)`, `duplication(3)` and `elimination(3)`.
* A dot between two vectors multiplies them to a number, `x · y`; elsewhere it says nothing.
* Products bind tighter than ⊗, ⊙, ⊘ and ×, which go from left to right: `A B ⊗ C` is `(A B) ⊗ C`, and printed so.
* `/` divides the product before it by the one factor after it; `a/b c` is refused: write `(a/b) c` or `a/(b c)`. A
  minus takes a whole product, and a Σ reaches to the next + or - of its level.
* `|X|` is the determinant, of a scalar the absolute value, of a vector its length. A bar closes the innermost open bar
  when an operand has just ended, so `|A| - |X|` and `|A||X|` work; inside bars write det( ).
* `^` takes one number, one letter or parentheses. `^T`, `^-1`, `^-T`, `^+` and `^*` are marks. `e^{X}` and `e^X` are
  exp(X); `e^k` is a power of the variable e.
* `**` is `^`, and beside words of NumPy (`np.`, `@`, `X.T`, `X.sum()`) the power of each entry, `.^`.
* A letter before a parenthesis is a factor, `x (yᵀ z)`, unless it is declared to `parse` as a function. Then `g(X)` is
  one of a matrix or, with a dot and of vectors, of the entries, as `exp` is, and `g'(X)` its derivative; `∇g(x)` is
  `g'(x)ᵀ`.
* `∂U`, `dU` and `d(U)` are values of their own: dU; `∂_x U` is dU_dx, `∂²U` is d2U. They take superscripts only in
  parentheses, `(∂U)ᵀ`.
* `I`, `0`, `e_i`, `E_ij` and the vector of ones `𝟏` are constants sized by the context; `I_n`, `0_mn` and `1_n` say
  their sizes, `I_mn` has m n rows. A 1 is the vector of ones where it is transposed or directly behind a factor:
  `1' X 1`. `[e]_i` is an entry of a vector e. `a_ij` is the entry of A where A is a matrix.
* `Σ_{i=1}^{n}` has bounds; `∑_i` goes over all entries that i counts.
* As a subscript, the index of a Σ and a number count from 1, as in books; a given integer counts from 0, as in Python.
  As a number each is what it is.
* A row times a column is a scalar, and a scalar multiplies anything. Products go from left to right: `aᵀ x A` is read,
  `A aᵀ x` needs its parentheses, `A (aᵀ x)`.

The functions are tr, det, logdet, adj, inv, pinv, sum, mean, max, min, vec, vech, unvec, diag, tril, triu, norm, norm1,
norminf, nuclear, kron, cross, blkdiag, exp, ln, sin, cos, tan, sinh, cosh, sqrt, tanh, sigmoid, softplus, relu, sign,
abs, softmax, logsumexp, commutation, duplication and elimination.
"""

from matcalc.formula.errors import FormulaError as FormulaError
from matcalc.formula.evaluation import evaluate as evaluate
from matcalc.formula.parser import parse as parse
from matcalc.formula.parser import parse_equation as parse_equation
from matcalc.formula.shapes import infer as infer
from matcalc.formula.spelling import as_text
from matcalc.formula.tree import Formula as Formula
from matcalc.formula.tree import terms as terms

__doc__ = f"{__doc__}\nIn each line below, all spellings are one formula:\n\n{as_text()}\n"
