"""Attack the check of typed formulas with random text and random trees.

    python bench/fuzz.py [--texts 10000] [--trees 100000] [--processes 2] [--json FILE]

Texts are pairs of random formula and claim: they are checked, and what passes also in ball arithmetic, or refused with
a message. Trees are random functions, sums, products and compositions of known ones, with their derivatives by the
rules of calculus. Each is claimed as it is, rewritten into an equal form, with changes at random places, or with a
factor near 1. The verdict is compared with ball arithmetic at another point, where a right claim agrees with a
difference quotient to 20 digits.
"""

import argparse
import os
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import records
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from machine import environment

from matcalc import check_formula
from matcalc.claims.causes.edits import single_edits
from matcalc.claims.certificate import certify_claim
from matcalc.claims.points import draw, regularity
from matcalc.claims.problem import Problem
from matcalc.claims.reading import read_problem
from matcalc.claims.verdict import CERTAIN, ask_referee, is_approximated
from matcalc.formula import Formula, FormulaError, parse
from matcalc.formula import tree as t
from matcalc.formula.spelling import table
from matcalc.formula.words import FUNCTIONS
from matcalc.referee import Cause

Pair = tuple[Formula, Formula]  # a function of X with a scalar value, and its derivative in denominator layout

KNOWN = {
    "tr(A X B)": "A' B'",
    "tr(A X B X')": "A' X B' + A X B",
    "tr(X^3)": "3 X'^2",
    "tr(X^-1 A)": "-X^-T A' X^-T",
    "tr(kron(A, X))": "tr(A) I",
    "tr(A (B .* X))": "A' .* B",
    "tr(exp(X))": "exp(X)'",
    "tr(sin(X))": "cos(X)'",
    "a' X b": "a b'",
    "a' X^-1 b": "-X^-T a b' X^-T",
    "||X b - a||^2": "2 (X b - a) b'",
    "||X - A||": "(X - A)/||X - A||",
    "vec(A)' vec(X B)": "A B'",
    "|X|": "adj(X)'",
    "|A X B|": "|A X B| X^-T",
    "ln(||X||^2)": "2 X/||X||^2",
    "ln(sum(exp.(X)))": "exp.(X)/sum(exp.(X))",
    "sum(sigmoid(A X))": "A' (sigmoid(A X) .* (1 1' - sigmoid(A X)))",
    "sum(A ./ exp.(X))": "-A ./ exp.(X)",
    "a' tanh(X b)": "(a .* (ones - tanh(X b) .* tanh(X b))) b'",
    "logsumexp(X b)": "softmax(X b) b'",
    "a' softmax(X b)": "(softmax(X b) .* a - softmax(X b) (a' softmax(X b))) b'",
    "sum(tril(X) .* A)": "tril(A)",
    "sum((A X).^3)": "3 A' (A X).^2",
    "tr(sinh(X))": "cosh(X)'",
    "tr(A exp(X))": "L_exp(X', A')",
    "tr(A cos(X B))": "L_cos(B' X', A') B'",
    "vech(A)' vech(X B)": "tril(A) B'",
    "tr(A unvec_nn(kron(B, A) vec(X)))": "A' A' B",
    "vec(A)' commutation(n, n) vec(X)": "A'",
    "(X a) · (X b)": "X (a b' + b a')",
}
CLAIMS = 250  # of one function
PART = 1000  # claims about trees, after which a process takes another seed
DEPTH = 2  # of compositions
SHAPES = {name: ("n", "n") for name in "ABX"} | {name: ("n",) for name in "ab"}
WORDS = r"tr(X) ⊗ ⊙ ⊘ × Σ_{i=1}^{3} \sum_{k=1}^{2} e_i E_ij I 𝟏 ᵀ ⁻¹ ^T ^{-T} ^+ \frac{ \top || dX 1'"
SPELLINGS = [spelling for line in table() for spelling in line.spellings]
PIECES = [*"AXBxaβk+-*/'()|_^[]{}=,.!0123 \\", *(f"{name}(" for name in FUNCTIONS), *KNOWN, *WORDS.split(), *SPELLINGS]
RANDOM = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
PLACES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.sampled_from(PIECES)), max_size=2)


@st.composite
def texts(draw: Callable[[Any], Any]) -> tuple[str, str]:
    """Random text, or that of a known function and its derivative with pieces in random places."""
    if draw(st.integers(0, 15)):
        return draw(RANDOM), draw(RANDOM)
    f, D = draw(st.sampled_from(list(KNOWN.items())))
    return mangled(f, draw(PLACES)), mangled(D, draw(PLACES))


def mangled(text: str, places: list[tuple[int, int, str]]) -> str:
    """A text with pieces in the place of others."""
    for place, length, piece in places:
        text = text[:place] + piece + text[place + length :]
    return text


def function(rng: random.Random, depth: int) -> Pair:
    """A random function with its derivative."""
    if depth == 0:
        f, D = rng.choice(list(KNOWN.items()))
        return parse(f), parse(D)
    (f, df), (g, dg) = function(rng, depth - 1), function(rng, rng.randrange(depth))
    half = t.Number(0.5)
    match rng.randrange(5):
        case 0:
            return t.Sum((f, g)), t.Sum((df, dg))
        case 1:
            return t.Sum((f, t.Neg(g))), t.Sum((df, t.Neg(dg)))
        case 2:
            return t.Product((f, g)), t.Sum((t.Product((g, df)), t.Product((f, dg))))
        case 3:
            return t.Apply("sin", t.Product((half, f))), t.Product((half, t.Apply("cos", t.Product((half, f))), df))
        case _:
            return t.Power(f, t.Number(2)), t.Product((t.Number(2), f, df))


def equal(rng: random.Random, D: Formula) -> Formula:
    """Another way to write a derivative."""
    match rng.randrange(4):
        case 0:
            return t.Transpose(D.T)
        case 1:
            half = t.Product((t.Number(0.5), D))
            return t.Sum((half, half))
        case 2 if isinstance(D, t.Sum):
            return t.Sum(tuple(rng.sample(D.terms, len(D.terms))))
        case _:
            return t.Sum((D, t.Name("A"), t.Neg(t.Name("A"))))


def claimed(rng: random.Random, D: Formula) -> Formula:
    """A claim of the derivative D: right, or with mistakes."""
    match rng.randrange(6):
        case 0:
            return equal(rng, D)
        case 1:
            return t.Product((t.Number(1 + 10.0 ** -rng.randrange(1, 9)), D))
        case changes:
            for _ in range(1 if changes < 5 else 2):
                D = rng.choice([D, *single_edits(D, ["A", "B", "X", "a", "b"])])  # of I there is none
            return D


def unnamed(*_: Any) -> Cause:
    """No cause is looked for."""
    return Cause("unknown", "")


def verdicts(asked: Problem, D: Formula) -> Callable[[int], str]:
    """What happens to the claim of a given number, in words."""
    here, there = (draw(asked, 0, f"attack {place}") for place in ("here", "there"))

    def verdict(number: int) -> str:
        claim = claimed(random.Random(number), D)
        try:
            asked.in_jax_layout(claim, here, "denominator")
        except FormulaError:
            return "refused"
        try:
            digits = certify_claim(asked, claim, "denominator", there)
        except FormulaError:
            return "not certified"
        found = ask_referee(asked, claim, "denominator", here, unnamed).verdict
        if found == "inconclusive":
            return found
        if found == "pass" and 9 < digits < CERTAIN and is_approximated(asked, claim):
            return "pass to 9 digits"
        assert (found == "pass") == (digits >= CERTAIN), f"{found}, {digits} digits: {claim} for {asked.formula}"
        return found

    return verdict


def attack(case: Callable[..., str], strategy: Any, count: int, start: int) -> tuple[Counter[str], list[str]]:
    """How often each answer came, and what went wrong."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []

    @seeded(start)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def run(drawn: Any) -> None:
        counts[case(*drawn)] += 1

    try:
        run()
    except Exception:
        wrong.append(traceback.format_exc(limit=-3))
        print(wrong[-1], file=sys.stderr, flush=True)
    return counts, wrong


def checked(formula: str, claim: str) -> str:
    """What happens to a text. AssertionError where ball arithmetic contradicts a pass."""
    try:
        report = check_formula(formula, claim, wrt="X")
        if report.ok:
            certified = check_formula(formula, claim, wrt="X", certify=True)
            assert certified.ok, f"{formula} has not the derivative {claim}, which passes: {certified}"
        return report.verdict
    except ValueError as error:  # FormulaError too
        return "refused" if 0 < len(str(error)) < 2000 else f"refused with {len(str(error))} characters"


def attacks(texts_count: int, trees_count: int, start: int) -> dict[str, Any]:
    """Both attacks, from a seed."""
    read, failures = attack(checked, texts(), texts_count, start)
    trees: Counter[str] = Counter()
    rng, functions = random.Random(start), 0
    while trees.total() < trees_count:
        f, D = function(rng, rng.randrange(DEPTH + 1))
        try:
            asked = read_problem(f, "X", shape={name: s for name, s in SHAPES.items() if t.Name(name) in t.nodes(f)})
            asked = asked if regularity(asked) == 2 else None
        except ValueError:  # too deep to be read, or nowhere finite
            continue
        if asked:
            functions += 1
            counts, wrong = attack(verdicts(asked, D), st.tuples(st.integers(0, 2**40)), CLAIMS, start)
            trees += counts
            failures += wrong
    print(
        f"seed {start}: {read.total()} texts, {trees.total()} claims, {len(failures)} failures",
        file=sys.stderr,
        flush=True,
    )
    return {"seed": start, "texts": dict(read), "functions": functions, "trees": dict(trees), "failures": failures}


def answers(run: dict[str, Any]) -> dict[str, int]:
    """How often each answer came, to texts and to claims about trees."""
    return {f"{kind}: {answer}": count for kind in ("texts", "trees") for answer, count in run[kind].items()}


def main() -> None:
    """Run both attacks, print what came of them, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--trees", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    began = time.perf_counter()
    parts = max(options.processes, options.trees // PART)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        seeds = range(options.seed, options.seed + parts)
        runs = list(pool.map(attacks, [options.texts // parts] * parts, [options.trees // parts] * parts, seeds))
    seconds = time.perf_counter() - began
    read, trees = (sum((Counter(run[kind]) for run in runs), Counter[str]()) for kind in ("texts", "trees"))
    failures = [failure for run in runs for failure in run["failures"]]
    print(f"{read.total()} texts: {dict(read)}")
    print(f"{trees.total()} claims about {sum(run['functions'] for run in runs)} functions: {dict(trees)}")
    print(f"{len(failures)} failures, {seconds:.0f} s", *failures, sep="\n")
    if options.json:
        result = {
            "schema": 1,
            "environment": environment("hypothesis", "python-flint"),
            "seconds": seconds,
            "runs": records.table({"seed": run["seed"], "functions": run["functions"]} | answers(run) for run in runs),
            "failures": failures,
        }
        records.write(options.json, result)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
