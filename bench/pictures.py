"""Draw the pictures of bench/results from the result files beside them.

    python bench/pictures.py

They are small PNG files of few colours. To draw one in full, use `matcalc bench --plot`.
"""

import argparse
import io
from pathlib import Path
from typing import Any

import records

from matcalc.timing import OURS, Measured, plot

RESULTS = Path(__file__).parent / "results"
DOTS = 60  # an inch
COLOURS = 24


def measured(cell: dict[str, Any]) -> Measured:
    """What a picture needs to know of a cell."""
    return Measured(
        name=cell["name"],
        kind="",
        regime=cell["sizes"],
        quantity="",
        sizes={},
        dtype=cell["dtype"],
        batch=None,
        contender=OURS,
        median_s=0.0,
        low_s=0.0,
        high_s=0.0,
        ratio_to_autodiff=cell["ratio"],
        ratio_low=cell["low"],
        ratio_high=cell["high"],
        rounds=0,
        is_autodiff=cell["verdict"] == "same",
    )


def exponents(record: dict[str, Any]) -> Any:
    """Time over n for every function, a line for each way."""
    from matplotlib.figure import Figure

    fits, times = records.rows(record["exponents"]), records.rows(record["times"])
    functions = list(dict.fromkeys(fit["function"] for fit in fits))
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    for ax, function in zip(figure.subplots(1, len(functions)), functions, strict=True):
        for fit in (fit for fit in fits if fit["function"] == function):
            line = [(t["n"], t["seconds"]) for t in times if (t["function"], t["way"]) == (function, fit["way"])]
            style = "-o" if "closed" in fit["way"] else "--s"
            ax.loglog(*zip(*line, strict=True), style, markersize=4, label=f"{fit['way']}: n^{fit['exponent']:.1f}")
        ax.set_title(function, fontsize=10)
        ax.set_xlabel("n")
        ax.legend(fontsize=8)
    figure.supylabel("seconds")
    return figure


def save(figure: Any, name: str) -> None:
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS)
    Image.open(drawn).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(RESULTS / name, optimize=True)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    for name in ("bench", "hessians"):
        cells = records.rows(records.read(RESULTS / f"{name}.json")["cells"])
        save(plot([measured(cell) for cell in cells]), f"{name}.png")
    save(exponents(records.read(RESULTS / "exponents.json")), "exponents.png")


if __name__ == "__main__":
    main()
