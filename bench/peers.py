"""Which derivatives of the catalogue other frameworks give, and whether they are right.

    python bench/peers.py [--json FILE] [--against torch,autograd,tensorgrad,numpy]

Each is computed at size 8 in float64, from the program that `matcalc bench --against` would time, and compared with the
closed form, norm-wise.
"""

import argparse
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import records
from machine import environment

import matcalc
from matcalc.timing import PEERS, Cell, cells
from matcalc.timing.peers import Unsupported, derivative

AGREE = 1e-8


def closed_form(cell: Cell) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(jax.jit(cell.ours())(*cell.arrays))


def answer(peer: str, cell: Cell, expected: np.ndarray) -> str:
    """ "right", "wrong", or why there is none."""
    try:
        found = np.asarray(derivative(peer, cell.identity, cell.values)())
    except Unsupported as reason:
        return str(reason)
    return "right" if np.linalg.norm(found - expected) <= AGREE * np.linalg.norm(expected) else "wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description="Which derivatives other frameworks give.")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--against", default=",".join(PEERS))
    options = parser.parse_args()
    every = [
        cell for e in matcalc.CATALOGUE.values() if e.order for cell in cells(e, ["float64"], ["scalar", "square 8"])
    ]
    expected = [closed_form(cell) for cell in every]
    answers = {
        peer: {
            f"{cell.identity.name}, {cell.kind}": answer(peer, cell, right)
            for cell, right in zip(every, expected, strict=True)
        }
        for peer in options.against.split(",")
    }
    for peer, by_cell in answers.items():
        counts = Counter(each if each in ("right", "wrong") else "not there" for each in by_cell.values())
        print(f"{peer}, of {len(by_cell)}: " + ", ".join(f"{number} {kind}" for kind, number in counts.items()))
        for cell, each in by_cell.items():
            if each != "right":
                print(f"  {cell}: {each}")
    if options.json:
        by_derivative = [
            {"derivative": cell} | {peer: by_cell[cell] for peer, by_cell in answers.items()}
            for cell in next(iter(answers.values()))
        ]
        known = {"schema": 1, "environment": environment()}
        records.write(options.json, known | {"answers": records.table(by_derivative)})


if __name__ == "__main__":
    main()
