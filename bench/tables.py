"""Write the figures of bench/README.md and README.md from the result files.

    python bench/tables.py [--check]

What stands between `<!-- figures: NAME -->` and `<!-- end -->` is written by the function NAME of this file. With
`--check`, nothing is written, and the exit code is 1 where a file is not what would be written.
"""

import argparse
import math
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import records

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCUMENTS = (HERE / "README.md", HERE.parent / "README.md")
MARKED = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

REGIMES = {
    "scalar": "scalars",
    "square 8": "square, 8",
    "square 64": "square, 64",
    "square 256": "square, 256",
    "square 1024": "square, 1024",
    "tall": "tall (2048, 8, 64)",
    "wide": "wide (8, 2048, 64)",
    "thin": "thin (64, 2048, 8)",
    "long": "long (64, 64, 2048)",
    "10000 of 4": "10,000 of 4×4",
}
FULL = 1e-3  # a tolerance that no coarse product has
SHORT = 0.95  # of autodiff's speed
LIMIT = 1.25  # of the least time that the machine needs
DTYPES = ("float64", "float32")
LIBRARIES = ("jax", "numpy", "autograd", "chex", "scipy", "sympy", "tensorgrad", "torch", "hypothesis", "python-flint")

Record = dict[str, Any]
Row = dict[str, Any]


def result(name: str) -> Record:
    """A result file."""
    return records.read(RESULTS / f"{name}.json")


# --- Words and tables


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A table of Markdown."""
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join(['---'] * len(columns))} |"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def machine(of: Record) -> str:
    """What a record was measured on."""
    known = of["environment"]
    cores = f", {known['cores']} cores" if "cores" in known else ""
    libraries = ", ".join(f"{name} {number}" for name, number in known.items() if name in LIBRARIES)
    date = f"; {known['date'][:10]}" if "date" in known else ""
    return f"{known.get('processor') or known['machine']}{cores}; Python {known['python']}, {libraries}{date}"


def source(name: str) -> str:
    """Where figures come from."""
    return f"From [`{name}.json`](results/{name}.json): {machine(result(name))}."


def times(seconds: Iterable[float]) -> str:
    return ", ".join(f"{s:.1f} s" for s in seconds)


def number(x: float) -> str:
    """To three digits, and two decimals at the most."""
    return f"{x:.{2 if x < 10 else 1 if x < 100 else 0}f}"


def interval(row: Row) -> str:
    return f"{number(row['ratio'])} ({number(row['low'])} to {number(row['high'])})"


def mean(cells: Sequence[Row]) -> float:
    """The geometric mean of the ratios."""
    return math.exp(statistics.fmean(math.log(cell["ratio"]) for cell in cells)) if cells else math.nan


def differ(cells: Iterable[Row]) -> list[Row]:
    """Those where XLA does not make the same program of both."""
    return [cell for cell in cells if cell["verdict"] != "same"]


def short(cells: Iterable[Row]) -> list[Row]:
    """Those whose interval begins below `SHORT`, the worst first."""
    return sorted((cell for cell in differ(cells) if cell["low"] < SHORT), key=lambda cell: cell["ratio"])


def place(cell: Row) -> tuple[str, str, str]:
    return cell["name"], cell["sizes"], cell["dtype"]


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


# --- The main job


def main_job() -> Iterator[str]:
    job, calls = result("main_job"), result("overhead")
    every = records.rows(calls["identities"])
    worst = max(every, key=lambda row: row["ratio"])
    told, (low, high) = job["verify_summary"], job["import_ratio_quartiles"]
    verdicts = ", ".join(f"{told[verdict]} {verdict}" for verdict in ("pass", "fail", "inconclusive", "autodiff-wrong"))
    total = sum(told[verdict] for verdict in ("pass", "fail", "inconclusive", "autodiff-wrong"))
    yield from table(
        ("", ""),
        [
            (f"`matcalc verify`, cold, {len(job['verify_s'])} runs", times(job["verify_s"])),
            ("its checks", f"{total}: {verdicts}"),
            *before(job),
            ("`import matcalc` over `import jax`", f"{job['import_ratio']:.2f} (quartiles {low:.2f} to {high:.2f})"),
            (
                "a call of an identity over one of its bare jitted function, at n = 64",
                f"median {statistics.median(row['ratio'] for row in every):.2f} over {len(every)} entries; worst "
                f"{worst['ratio']:.2f} (`{worst['name']}`, {1e6 * worst['bare_s']:.1f} µs bare)",
            ),
        ],
    )
    yield ""
    yield f"{source('main_job')} {source('overhead')}"


def before(job: Record) -> Iterator[tuple[str, str]]:
    """The time of another commit, where it was measured in turn."""
    if "before" in job:
        other = job["before"]
        told = f"{times(other['verify_s'])}; ratio of the medians {other['ratio']:.2f}"
        yield f"the same at {other['commit']}, in turn", told


# --- Closed forms against autodiff


def by_regime(cells: Sequence[Row]) -> Iterator[str]:
    groups = [(text, [cell for cell in cells if cell["sizes"] == regime]) for regime, text in REGIMES.items()]
    rows: list[tuple[Any, ...]] = []
    for text, group in [*((text, group) for text, group in groups if group), ("all", cells)]:
        counts = Counter(cell["verdict"] for cell in group)
        others = differ(group)
        rows.append(
            (
                text,
                len(group),
                *(counts[verdict] for verdict in ("same", "win", "tie", "loss")),
                number(mean(group)),
                number(mean(others)),
                len(short(others)),
            )
        )
    columns = ("sizes", "cells", "same", "wins", "ties", "losses", "geometric mean", "without same", f"below {SHORT}")
    yield from table(columns, rows)


def compared(name: str) -> Iterator[str]:
    """The table of a file, and what it was measured on."""
    yield from by_regime(records.rows(result(name)["cells"]))
    yield ""
    yield source(name)


def derivatives() -> Iterator[str]:
    yield from compared("bench")


def derivatives_below() -> Iterator[str]:
    """Those that begin below, with what a second run found."""
    cells, again = (records.rows(result(name)["cells"]) for name in ("bench", "bench_again"))
    known, second = short(cells), {place(cell): cell for cell in again}
    rows = [(f"`{c['name']}`", c["sizes"], c["dtype"], interval(c), interval(second[place(c)])) for c in known]
    yield from table(("identity", "sizes", "dtype", "ratio", "measured again"), rows)
    yield ""
    stay = [cell for cell in known if second[place(cell)]["low"] < SHORT]
    new = short(cell for cell in again if place(cell) not in {place(k) for k in known})
    named = ", ".join(f"`{c['name']}` ({c['sizes']}, {c['dtype']}, {c['ratio']:.2f})" for c in new)
    yield (
        f"{len(stay)} of the {len(known)} began below {SHORT} again. Of the {len(again) - len(known)} other cells of "
        f"the second run, {len(new)} began below it that had not before{named and f': {named}'}."
    )
    same = [cell for cell in cells if cell["verdict"] == "same"]
    below = sum(cell["low"] < SHORT for cell in same)
    yield (
        f"Of the {len(same)} cells where XLA makes the same program of both, {below} begin below {SHORT} too. They are "
        "not measured on; they show what the measurement itself is off by."
    )
    yield ""
    yield source("bench_again")


def derivatives_other() -> Iterator[str]:
    """What is left out, memory, compilation, and the limit of the machine."""
    record = result("bench")
    cells, limits = (records.rows(record[part]) for part in ("cells", "limits"))
    identities = list(dict.fromkeys(text.split()[0] for text in record["left_out"]))
    more = sorted(
        (cell for cell in cells if cell["bytes"] > cell["autodiff_bytes"]),
        key=lambda cell: -cell["bytes"] / cell["autodiff_bytes"],
    )
    much = [cell for cell in more if cell["bytes"] > 1.01 * cell["autodiff_bytes"]]
    above = sorted((cell for cell in limits if cell["limit"] > LIMIT), key=lambda cell: -cell["limit"])
    of_these = ", ".join(f"`{name}`" for name in identities)
    yield (
        f"- {count(len(record['left_out']), 'cell')} are left out, of {of_these}: a call takes more than two seconds, "
        "or no well-conditioned point was found."
    )
    named = ", ".join(
        f"`{c['name']}` ({c['sizes']}, {c['dtype']}) {c['bytes'] / c['autodiff_bytes']:.2f} times" for c in much
    )
    yield (
        f"- {count(len(more), 'cell')} of {count(len({c['name'] for c in more}), 'function')} take more memory than "
        f"autodiff: {named}, and {len(more) - len(much)} cells at most 1% more."
    )
    worst = ", ".join(f"`{c['name']}` ({c['dtype']}) {c['limit']:.2f}" for c in above[:3])
    yield (
        f"- {count(len(limits), 'program')} of products only at n = 1024 take "
        f"{statistics.median(c['limit'] for c in limits):.2f} of the least time that the machine needs (median), and "
        f"{len(above)} more than {LIMIT}, at the worst {worst}."
    )
    yield (
        f"- XLA compiles a closed form in {record['compiling_over_autodiff']:.2f} times what autodiff takes, and with "
        f"tracing and planning in {record['tracing_and_compiling_over_autodiff']:.2f} times (medians)."
    )


def derivatives_jax_0_10() -> Iterator[str]:
    yield from compared("bench_jax_0.10")
    cells = short(records.rows(result("bench_jax_0.10")["cells"]))
    yield ""
    yield f"The worst ten of the {len(cells)} that begin below {SHORT}:"
    yield ""
    yield from table(
        ("identity", "sizes", "dtype", "ratio"),
        [(f"`{c['name']}`", c["sizes"], c["dtype"], interval(c)) for c in cells[:10]],
    )


def hessians() -> Iterator[str]:
    yield from compared("hessians")
    record = result("hessians")
    cells = records.rows(record["cells"])
    more = sum(cell["bytes"] > cell["autodiff_bytes"] for cell in cells)
    share = statistics.median(cell["bytes"] / cell["autodiff_bytes"] for cell in cells)
    yield ""
    yield (
        f"{more or 'No'} Hessian takes more memory than autodiff's, in the median {share:.2f} of it. "
        f"{count(len(record['left_out']), 'cell')} are left out, of which a call takes more than two seconds."
    )


def both_tables() -> Iterator[str]:
    cells = [cell for name in ("bench", "hessians") for cell in records.rows(result(name)["cells"])]
    yield (
        f"Over the {len(cells):,} cells of both tables the geometric mean is {mean(cells):.2f}, and "
        f"{mean(differ(cells)):.2f} without those where XLA makes the same program of both."
    )


def tr_axbxtc() -> Iterator[str]:
    sizes = {"tall": "(2048, 8, 64)", "wide": "(8, 2048, 64)", "thin": "(64, 2048, 8)", "long": "(64, 64, 2048)"}
    cells = [cell for cell in records.rows(result("tr_axbxtc")["cells"]) if cell["dtype"] == "float32"]
    shown = [(sizes.get(c["sizes"], f"({re.sub('[a-z]=', '', c['sizes']).replace(',', ', ')})"), c) for c in cells]
    yield from table(("(l, m, n)", "`jax.grad` / closed form"), [(text, interval(cell)) for text, cell in shown])
    yield ""
    yield source("tr_axbxtc")


def exponents() -> Iterator[str]:
    fits = records.rows(result("exponents")["exponents"])
    grows = [f"n^{r['exponent']:.1f} ({r['low']:.1f} to {r['high']:.1f})" for r in fits]
    functions = [r["function"].replace("|", r"\|") for r in fits]
    yield from table(("", "way", "grows as"), zip(functions, (r["way"] for r in fits), grows, strict=True))
    yield ""
    yield source("exponents")


# --- Other libraries


def of_tensorgrad() -> dict[str, dict[str, Row]]:
    """The contenders of each published Hessian."""
    found: dict[str, dict[str, Row]] = {}
    for row in records.rows(result("tensorgrad_rows")["contenders"]):
        found.setdefault(row["row"], {})[row["contender"]] = row
    return found


def tensorgrad_rows() -> Iterator[str]:
    by_row = of_tensorgrad()
    contenders = list(next(iter(by_row.values())))
    yield from table(
        ("median ms", *contenders),
        [(name, *(f"{1e3 * by[c]['median_s']:.3g}" for c in contenders)) for name, by in by_row.items()],
    )
    yield ""
    yield from table(
        ("its time / that of the closed form", *contenders[1:]),
        [(name, *(interval(by[c]) for c in contenders[1:])) for name, by in by_row.items()],
    )
    known = result("tensorgrad_rows")["environment"]
    yield ""
    yield (
        f"{source('tensorgrad_rows')} PyTorch had {known['torch_threads']} threads, and other processes kept "
        f"{known['processors_kept_busy_by_others']:.2f} processors busy."
    )


def peers() -> Iterator[str]:
    answers = records.rows(result("peers")["answers"])
    rows: list[tuple[Any, ...]] = []
    for peer in [name for name in answers[0] if name != "derivative"]:
        counts = Counter(row[peer] if row[peer] in ("right", "wrong") else "none" for row in answers)
        wrong = ", ".join(f"`{row['derivative'].split(',')[0]}`" for row in answers if row[peer] == "wrong")
        rows.append((peer, counts["right"], f"{counts['wrong']}{wrong and f' ({wrong})'}", counts["none"]))
    yield from table((f"of {len(answers)} derivatives", "right", "wrong", "not there"), rows)
    yield ""
    yield source("peers")


# --- The referee

NAMES = {
    "matcalc": "`matcalc.check_gradient`",
    "jax fwd": "`jax.test_util.check_grads`, forward",
    "jax rev": "`jax.test_util.check_grads`, reverse",
    "chex": "`chex.assert_numerical_grads`",
    "torch": "`torch.autograd.gradcheck`",
    "scipy": "`scipy.optimize.check_grad`, at 10⁻⁶",
    "autograd": "`autograd.test_util.check_grads`",
}


def answers(contender: str, dtype: str, gradients: str) -> Row:
    """How a contender answered to one kind of gradients."""
    every = records.rows(result("referee")["answers"])
    asked = (contender, dtype, gradients, "")
    return next(r for r in every if (r["contender"], r["dtype"], r["gradients"], r["of"]) == asked)


def share(row: Row, answer: str) -> str:
    """So many of those that the checker takes."""
    takes = row["checks"] - row["not applicable"]
    return f"{row[answer]} of {takes}" if takes else "–"


def milliseconds(contender: str, dtype: str, checks_of: str) -> float:
    every = records.rows(result("referee")["milliseconds"])
    asked = (contender, dtype, checks_of)
    return next(r["median"] for r in every if (r["contender"], r["dtype"], r["checks of"]) == asked)


def referee() -> Iterator[str]:
    columns = ["", *(f"{of}, {d}" for of in ("right ones rejected", "wrong ones accepted") for d in DTYPES)]
    rows = [
        (
            text,
            *(share(answers(name, dtype, "right_shared"), "rejected") for dtype in DTYPES),
            *(share(answers(name, dtype, "mutants"), "accepted") for dtype in DTYPES),
            f"{milliseconds(name, 'float64', 'right_warm'):.1f}",
        )
        for name, text in NAMES.items()
    ]
    yield from table((*columns, "ms a right check, float64"), rows)
    yield ""
    yield source("referee")


def referee_alone() -> Iterator[str]:
    """What matcalc does on all points, and what it costs."""
    record = result("referee")
    causes = records.rows(record["causes_named"])
    right = {dtype: answers("matcalc", dtype, "right") for dtype in DTYPES}
    above = {dtype: answers("matcalc", dtype, "mutants_above_the_tolerance") for dtype in DTYPES}
    elsewhere = {dtype: answers("matcalc", dtype, "wrong_elsewhere_only") for dtype in DTYPES}
    named = {
        dtype: [sum(c[key] for c in causes if c["dtype"] == dtype) for key in ("right", "wrong")] for dtype in DTYPES
    }
    cost = records.rows(record["cost"])
    at_work = {dtype: [c["ratio"] for c in cost if c["dtype"] == dtype] for dtype in DTYPES}

    def said(of: Callable[[str], Any]) -> tuple[Any, ...]:
        return tuple(of(dtype) for dtype in DTYPES)

    yield from table(
        ("`matcalc.check_gradient`, on all points", *DTYPES),
        [
            ("right gradients rejected", *said(lambda d: share(right[d], "rejected"))),
            ("right gradients left open", *said(lambda d: share(right[d], "inconclusive"))),
            ("wrong ones accepted", *said(lambda d: share(answers("matcalc", d, "mutants"), "accepted"))),
            ("… of those above the tolerance", *said(lambda d: share(above[d], "accepted"))),
            ("wrong only elsewhere, accepted", *said(lambda d: share(elsewhere[d], "accepted"))),
            ("causes named right", *said(lambda d: f"{named[d][0]} of {sum(named[d])}")),
            ("ms a right check", *said(lambda d: f"{milliseconds('matcalc', d, 'right_warm'):.1f}")),
            ("ms a wrong one", *said(lambda d: f"{milliseconds('matcalc', d, 'mutant_warm'):.0f}")),
            ("ms a first check, which compiles", *said(lambda d: f"{milliseconds('matcalc', d, 'cold'):.0f}")),
            (
                "a check of 256×256 entries over f and `jax.grad(f)`",
                *said(lambda d: f"{min(at_work[d]):.1f} to {max(at_work[d]):.1f}"),
            ),
        ],
    )
    counts = record["counts"]
    yield ""
    yield (
        f"{counts['functions']} functions at {counts['functions at sizes']} sizes, {counts['mutants']:,} planted "
        f"mistakes, {record['seconds'] / 60:.0f} minutes."
    )


def emulated() -> Iterator[str]:
    """The catalogue with coarse products."""
    record = result("emulated")
    kinds, planted = records.rows(record["kinds"]), records.rows(record["planted"])
    rows: list[tuple[Any, ...]] = []
    for precision, text in {"tf32": "TF32", "bf16": "bfloat16"}.items():
        of = [r for r in kinds if r["precision"] == precision]
        verdicts = Counter(r["verdict"] for r in of)
        passed = [r for r in of if r["verdict"] == "pass"]
        errors = [r for r in planted if r["precision"] == precision]
        caught, every = (
            sum(r["count"] for r in each) for each in ([r for r in errors if r["verdict"] == "fail"], errors)
        )
        rows.append(
            (
                text,
                *(verdicts[verdict] for verdict in ("pass", "inconclusive", "fail", "autodiff-wrong")),
                f"{max(r['error'] / r['tolerance'] for r in passed):.2f}",
                f"{statistics.median(r['tolerance'] for r in passed if r['tolerance'] > FULL):.1e}",
                f"{caught} of {every} of {record['size'][precision]:.0%}",
            )
        )
    columns = ("products in", "pass", "inconclusive", "fail", "autodiff-wrong", "error / tolerance, at most")
    yield from table((*columns, "median tolerance of those with products", "planted errors that fail"), rows)
    yield ""
    named = ", ".join(
        f"`{r['name']}` ({r['kind']}, {r['precision']}, κ {number(r['condition'])})"
        for r in kinds
        if r["verdict"] != "pass"
    )
    full = sum(r["tolerance"] <= FULL for r in kinds if r["precision"] == "tf32")
    yield f"- Of the {len(kinds) // 2} closed forms {full} have no matrix product, and the tolerance of float32."
    if named:
        yield f"- Too ill-conditioned for products that coarse: {named}."
    yield ""
    yield source("emulated")


# --- Typed formulas


def check_time() -> Iterator[str]:
    claims = records.rows(result("check_time")["claims"])
    rows: list[tuple[Any, ...]] = []
    for kind in ("right", "wrong"):
        taken = [claim[f"{kind}_s"] for claim in claims]
        longest = max(claims, key=lambda claim: claim[f"{kind}_s"])
        f = longest["f"].replace("|", r"\|")
        rows.append((kind, len(taken), f"{statistics.median(taken):.1f} s", f"{max(taken):.1f} s", f"`{f}`"))
    yield from table(("claims", "", "median", "longest", "which"), rows)
    yield ""
    yield source("check_time")


def claims() -> Iterator[str]:
    record = result("claims")
    of_source = records.rows(record["sources"])
    answers = [(side, answer) for side in ("right", "wrong") for answer in ("pass", "fail", "inconclusive")]
    shown = [(side, answer) for side, answer in answers if any(row[f"{side}, {answer}"] for row in of_source)]
    names = [f"{side}: {answer}" for side, answer in shown]
    yield from table(
        ("claims", "", *names, "longest check"),
        [
            (
                row["source"],
                row["claims"],
                *(f"{row[f'{side}, {answer}']:,}" for side, answer in shown),
                f"{row['longest_s']:.1f} s",
            )
            for row in of_source
        ],
    )
    yield ""
    yield f"At {record['seeds']} seeds each. Not as it should be: {'; '.join(record['failures']) or 'none'}."
    yield ""
    yield source("claims")


def fuzz() -> Iterator[str]:
    record = result("fuzz")
    runs = records.rows(record["runs"])
    totals = Counter[str]()
    for run in runs:
        totals.update({name: number for name, number in run.items() if number and name not in ("seed", "functions")})
    for kind, what in (("texts", "pairs of random text"), ("trees", "claims about random functions of a matrix")):
        answered = {name.partition(": ")[2]: number for name, number in totals.items() if name.startswith(kind)}
        by_answer = ", ".join(
            f"{number:,} {answer}" for answer, number in sorted(answered.items(), key=lambda i: -i[1])
        )
        yield f"- {sum(answered.values()):,} {what}: {by_answer}."
    yield f"- {count(sum(run['functions'] for run in runs), 'function')}, {record['seconds'] / 60:.0f} minutes."
    yield f"- {count(len(record['failures']), 'failure')} (crashes, and verdicts that ball arithmetic contradicts)."
    yield ""
    yield source("fuzz")


# --- Derivation

DERIVERS = {"matcalc": "matcalc, by rules", "matcalc.derive": "`matcalc.derive`, with reading and verifying"} | {
    name: name for name in ("sympy", "tensorgrad")
}


def derivations() -> Iterator[str]:
    """What became of random formulas, once the attack has been run."""
    if not (RESULTS / "derivations.json").exists():
        yield "Not measured yet."
        return
    record = result("derivations")
    rows: list[tuple[Any, ...]] = []
    for run in record["runs"]:
        kinds = Counter[str]()
        for answer, number in run["answers"].items():
            kinds[re.split("[:,]", answer)[0]] += number
        shown = [kinds[kind] for kind in ("right", "not derivable", "refused", "not judged")]
        times = [f"{1e3 * run[key]:.1f}" for key in ("median_s", "p99_s", "max_s")]
        what = "derivatives" if run["order"] == 1 else "Hessians"
        rows.append((what, f"{run['formulas']:,}", *shown, kinds["wrong"], kinds["crash"], *times))
    asked = ("of random formulas", "", "right", "not derivable", "refused", "not judged", "wrong", "crashes")
    yield from table((*asked, "median ms", "99%", "longest"), rows)
    yield ""
    for kind, what in (("not derivable", "Not derivable"), ("not judged", "Not judged")):
        reasons = Counter[str]()
        for run in record["runs"]:
            for answer, number in run["answers"].items():
                if answer.startswith(f"{kind}:"):
                    reason = answer.partition(": ")[2]
                    reasons["others" if "has no derivative" in reason else reason] += number
        if reasons:
            yield f"- {what}: {', '.join(f'{number:,} {reason}' for reason, number in reasons.most_common())}."
    apart = sum(run["answers"].get("right, by differences", 0) for run in record["runs"])
    yield f"- {apart:,} of the right ones are judged by finite differences, the others by ball arithmetic."
    yield f"- {count(len(record['failures']), 'failure')} in {record['seconds'] / 60:.0f} minutes."
    yield ""
    yield source("derivations")


def asked_for(row: Row) -> str:
    """The function of a row, and what it is differentiated by."""
    return f"`{row['f']}` by {row['wrt']}{' twice' * (row['order'] == 2)}"


def derive_time() -> Iterator[str]:
    every = records.rows(result("derive_time")["expressions"])
    rows: list[tuple[Any, ...]] = []
    for name, text in DERIVERS.items():
        counts = Counter(row.get(name, row["matcalc"]) for row in every)
        times = sorted(row[f"{name}_s"] for row in every if row[f"{name}_s"] is not None)
        shown = [counts["right"], counts["wrong"], counts[""]]
        shown += [f"{1e3 * statistics.median(times):.1f}", f"{1e3 * times[math.ceil(0.99 * len(times)) - 1]:.0f}"]
        if name == "matcalc":
            rows.append((text, *shown, "", ""))
            continue
        right = [row for row in every if row[f"{name}_s"] is not None]
        over = geometric(row[f"{name}_s"] / row["matcalc_s"] for row in right)
        lengths = [row.get(f"{name}_length", row["matcalc_length"]) / max(row["matcalc_length"], 1) for row in right]
        rows.append((text, *shown, number(over), f"{statistics.fmean(lengths):.2f}"))
    asked = (f"of {len(every)} expressions", "right", "wrong", "no answer", "median ms", "99%")
    yield from table((*asked, "its time / that of the rules", "its length / that of matcalc"), rows)
    longest = max(every, key=lambda row: row["matcalc_s"])
    wrong = [asked_for(row) for row in every if row["sympy"] == "wrong"]
    longer = [
        (asked_for(row), row["matcalc_length"], shortest)
        for row in every
        if (others := [row[f"{name}_length"] for name in ("sympy", "tensorgrad") if row[name] == "right"])
        and (shortest := min(others)) < row["matcalc_length"]
    ]
    yield ""
    yield f"- The longest derivation by rules: {1e3 * longest['matcalc_s']:.0f} ms, of {asked_for(longest)}."
    if wrong:
        yield f"- SymPy is wrong for {', '.join(wrong)}."
    told = "; ".join(f"{text}: {ours} where {other} do" for text, ours, other in longer)
    yield f"- {count(len(longer), 'result')} of matcalc {'is' if len(longer) == 1 else 'are'} longer than another's" + (
        f": {told}." if told else "."
    )
    yield ""
    yield source("derive_time")


def geometric(values: Iterable[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def derived_gradients() -> Iterator[str]:
    cells = records.rows(result("derived_gradients")["cells"])
    by: dict[str, list[Row]] = {}
    for cell in cells:
        by.setdefault(asked_for(cell), []).append(cell)
    shown = [
        (
            text.replace("|", r"\|"),
            *(part for cell in of for part in (REGIMES[cell["sizes"]], told(cell))),
            *[""] * (4 - 2 * len(of)),
        )
        for text, of in by.items()
    ]
    yield from table(("", "sizes", "autodiff / derived", "sizes", "autodiff / derived"), shown)
    counts = Counter(cell["verdict"] for cell in cells)
    lost = ", ".join(
        f"{asked_for(cell)} ({REGIMES[cell['sizes']]}, {number(cell['ratio'])})"
        for cell in sorted(cells, key=lambda cell: cell["ratio"])
        if cell["verdict"] == "loss"
    )
    yield ""
    yield (
        f"Of {count(len(cells), 'cell')} {counts['win']} are wins, {counts['tie']} ties, {counts['same']} the same "
        f"program. The geometric mean is {number(mean(cells))}, of those that differ {number(mean(differ(cells)))}. "
        f"{count(counts['loss'], 'loss', 'losses')}{lost and f': {lost}'}."
    )
    yield ""
    yield source("derived_gradients")


def told(cell: Row) -> str:
    return f"{interval(cell)}{', same program' * (cell['verdict'] == 'same')}"


# --- README.md


def five() -> Iterator[str]:
    """The five figures of the README, losses beside wins."""
    job = result("main_job")
    told = job["verify_summary"]
    cells, second, old = (records.rows(result(name)["cells"]) for name in ("bench", "hessians", "bench_jax_0.10"))
    counts, second_counts, old_counts = (Counter(cell["verdict"] for cell in each) for each in (cells, second, old))
    wrong = {dtype: answers("matcalc", dtype, "mutants") for dtype in DTYPES}
    right = {dtype: answers("matcalc", dtype, "right") for dtype in DTYPES}
    above = {dtype: answers("matcalc", dtype, "mutants_above_the_tolerance")["accepted"] for dtype in DTYPES}
    rejected = sum(right[dtype]["rejected"] for dtype in DTYPES)
    others = [milliseconds(name, "float64", "right_warm") for name in NAMES if name != "matcalc"]
    published = of_tensorgrad()
    against = {c: [by[c]["ratio"] for by in published.values()] for c in ("tensorgrad", "tensorgrad, torch.compile")}
    by_compile = dict(zip(published, against["tensorgrad, torch.compile"], strict=True))
    worst = min(by_compile, key=lambda name: by_compile[name])
    checks = sum(told[verdict] for verdict in ("pass", "fail", "inconclusive", "autodiff-wrong"))
    yield from table(
        ("measured on a CPU", "wins", "losses"),
        [
            (
                "`matcalc verify`",
                f"{told['pass']} of {checks} checks pass",
                f"{statistics.median(job['verify_s']):.0f} s from a cold start, nearly all of it compilation",
            ),
            (
                f"derivatives against `jax.grad`, `jacfwd` and `jacrev`: {len(cells):,} cells",
                f"{counts['win']} faster, {mean(differ(cells)):.1f} times in the geometric mean of those that differ",
                f"{counts['loss']} slower, at the worst {min(c['ratio'] for c in differ(cells)):.2f} times as fast; "
                f"{counts['tie']} ties; {counts['same']} are the same program. With jax 0.10, {old_counts['loss']} of "
                f"{len(old):,} are slower, at the worst {min(c['ratio'] for c in differ(old)):.2f} times as fast",
            ),
            (
                f"Hessians against `jax.hessian`: {len(second)} cells",
                f"{second_counts['win']} faster, {mean(second):.1f} times in the geometric mean",
                f"{second_counts['loss']} slower, at the worst {min(c['ratio'] for c in second):.2f} times as fast; "
                f"{second_counts['tie']} ties",
            ),
            (
                f"checking gradients: {wrong['float64']['checks']:,} planted mistakes",
                f"{wrong['float64']['accepted'] or 'none'} accepted in float64, {above['float64'] or 'none'} above the "
                "tolerance; of "
                f"{right['float64']['checks']:,} right gradients {rejected or 'none'} rejected",
                f"{wrong['float32']['accepted']:,} accepted in float32, {above['float32'] or 'none'} of them above the "
                "tolerance; "
                f"{milliseconds('matcalc', 'float64', 'right_warm'):.1f} ms a check, where other checkers take "
                f"{min(others):.1f} to {max(others):.1f} ms",
            ),
            (
                f"{len(published)} Hessians that tensorgrad publishes",
                f"{min(against['tensorgrad']):.2f} to {max(against['tensorgrad']):.1f} times as fast as tensorgrad",
                f"{by_compile[worst]:.2f} times as fast as its code with `torch.compile`, for {worst.split(',')[0]}",
            ),
        ],
    )


# --- Compiled for chips


def compiled() -> Iterator[str]:
    record = result("compile")
    programs = records.rows(record["programs"])
    rows: list[tuple[Any, ...]] = []
    for chip in records.rows(record["chips"]):
        name, verdicts = chip["target"], chip["verdicts"]
        done = [row for row in programs if isinstance(row[name], float | int)]
        slowest, largest = (max(done, key=lambda row, of=of: row[of]) for of in (name, f"{name} bytes"))
        rows.append(
            (
                name,
                ", ".join(dict.fromkeys(row["dtype"] for row in done)),
                verdicts.get("compiled", 0),
                sum(verdicts.values()) - verdicts.get("compiled", 0),
                f"{statistics.median(row[name] for row in done):.2f}",
                f"{slowest[name]:.1f} (`{slowest['name']}`)",
                f"{largest[f'{name} bytes'] / 1e6:.2f} MB (`{largest['name']}`)",
            )
        )
    yield from table(("chip", "dtypes", "compiled", "not", "median s", "slowest, s", "largest memory"), rows)
    yield ""
    of_calls: dict[str, list[str]] = {}
    for chip in records.rows(record["chips"]):
        of_calls.setdefault(chip["custom_calls"] or "nothing", []).append(chip["target"])
    for calls, chips in of_calls.items():
        yield f"Programs for {', '.join(chips)} call {', '.join(f'`{call}`' for call in calls.split(', '))}."
    yield ""
    known = record["environment"]["compilers"]
    libraries = ", ".join(f"{name} {number}" for name, number in known.items())
    yield f"{source('compile')} Compilers: {libraries}."


# --- Files


def written(text: str) -> str:
    """The text with its figures as they are now."""

    def block(match: re.Match[str]) -> str:
        lines = "\n".join(globals()[match[2]]())
        return f"{match[1]}\n{lines}\n\n{match[3]}"

    return MARKED.sub(block, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where something would change")
    is_check = parser.parse_args().check
    stale: list[str] = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        if (now := written(text)) != text:
            stale.append(path.name if path.parent != HERE else f"bench/{path.name}")
            if not is_check:
                path.write_text(now, encoding="utf-8")
    if is_check and stale:
        sys.exit(f"{' and '.join(stale)}: the figures are not those of bench/results. Run python bench/tables.py.")


if __name__ == "__main__":
    main()
