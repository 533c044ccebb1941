"""The words of the language: Greek letters, accents, and the names of functions."""

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
SPELLED = {letter: word for word, letter in GREEK.items()}
BARE_GREEK = frozenset(word for word in GREEK if len(word) >= 4)  # read without a backslash, within other letters too
WHOLE_GREEK = frozenset(GREEK) - BARE_GREEK  # and these where no letter stands beside them
VARIANTS = {"varepsilon": "ε", "vartheta": "θ", "varphi": "φ", "varrho": "ρ", "varsigma": "σ", "varpi": "π"}

# Accents make another name: \\hat{x} is not x.
DECORATIONS = {
    "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303",
    "bar": "\u0304", "overline": "\u0304", "dot": "\u0307",
}  # fmt: skip
ACCENTS = {accent: word for word, accent in reversed(DECORATIONS.items())}

MATRIX_FUNCTIONS = ("exp", "ln", "sin", "cos", "sqrt", "sinh", "cosh", "tan")  # of vectors, and with a dot, of entries
_OF_ENTRIES = ("tanh", "sigmoid", "softplus", "relu", "sign", "abs")
ENTRYWISE = (*_OF_ENTRIES, *(f"{name}." for name in MATRIX_FUNCTIONS))
OF_VECTORS = ("softmax", "logsumexp", "norm1", "norminf")  # and of no matrix
TO_SCALARS = ("sum", "mean", "max", "min")  # of all entries
LIBRARY_FUNCTIONS = (*MATRIX_FUNCTIONS, "softmax", "logsumexp", "norm2", "nuclear")  # by iterations, or that cancel
OPERATIONS = ("dot", "inner", "outer", "hadamard", "transpose", "eye")  # what has a notation of its own
SIZED = {"commutation": "K", "duplication": "D", "elimination": "L"}  # words for constants, of their sizes

FUNCTIONS = {
    name: name
    for name in (
        *("tr", "det", "logdet", "adj", "inv", "pinv", "vec", "diag", "norm", "norm2", "kron", "cross", "tril", "triu"),
        *("nuclear", "blkdiag", "vech", "unvec", *SIZED, *OPERATIONS),
        *(*OF_VECTORS, *TO_SCALARS, *MATRIX_FUNCTIONS, *_OF_ENTRIES),
    )
} | {
    **{"log": "ln", "Log": "ln", "Ln": "ln", "Exp": "exp", "expm": "exp", "logm": "ln", "sqrtm": "sqrt"},
    **{"sinm": "sin", "cosm": "cos", "sgn": "sign", "ReLU": "relu", "lse": "logsumexp", "LSE": "logsumexp"},
    **{"trace": "tr", "Tr": "tr", "TR": "tr", "Trace": "tr", "Det": "det", "Diag": "diag", "Vec": "vec"},
    **{"blockdiag": "blkdiag", "multiply": "hadamard", "adjugate": "adj"},
}
# Words that could be products of letters are functions only before a parenthesis or behind a backslash.
MARKED_FUNCTIONS = frozenset({"abs", "max", "min", "mean", "tan", "sign", "sgn", "lse", "dot", "inner", "outer", "eye"})

# NumPy's functions act entry by entry where the plain words are functions of matrices.
NUMPY = {
    **{word: f"{word}." for word in ("exp", "sin", "cos", "sqrt", "sinh", "cosh", "tan")},
    **{"log": "ln.", "absolute": "abs", "matmul": "matmul", "vdot": "inner", "outer": "outer", "dot": "dot"},
    **{"square": "square", "power": "power", "solve": "solve"},
    **{"block_diag": "blkdiag", "identity": "eye", "maximum": "max", "relu": "relu"},
}
DOTTED = ("np", "jnp", "numpy", "scipy", "torch", "jax", "xp")
