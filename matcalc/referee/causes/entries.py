"""Causes that look at single entries, and what is said where no cause is found."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from matcalc.referee.causes.search import Search
from matcalc.referee.constants import SINGLE
from matcalc.referee.findings import Cause


def one_entry(search: Search) -> Iterator[Cause]:
    yield from _entries(search, 1)


def single_entries(search: Search) -> Iterator[Cause]:
    yield from _entries(search, SINGLE)


def _entries(search: Search, at_most: int) -> Iterator[Cause]:
    if search.evidence.witness_is_projected:
        return
    found: list[str] = []
    for k in search.bad:
        D, T = search.seen[k], search.truth[k]
        if D.size == 1 or D.shape != T.shape:
            return
        by_size = np.argsort(-np.abs(D - T).ravel())
        corrected = D.copy()
        for count, flat in enumerate(by_size[: min(at_most, (D.size + 1) // 2)], 1):
            place = np.unravel_index(flat, D.shape)
            corrected[place] = T[place]
            if search.evidence.distances([corrected], [T])[0] <= search.limit(k):
                places = [np.unravel_index(i, D.shape) for i in by_size[:count]]
                seen = {search.entry(place): _entry(search, k, place) for place in reversed(places)}
                found += reversed(seen.values())
                break
        else:
            return
    if found:
        yield Cause("entries", f"{'; '.join(found)}; all others agree.", "Look at these entries.")


def _entry(search: Search, block: int, place: tuple[Any, ...]) -> str:
    claimed, true = float(search.seen[block][place]), float(search.truth[block][place])
    where = f"Entry ({', '.join(map(str, search.entry(place)))})"
    if true and abs(claimed / true - 1) < 0.5:
        off = claimed / true - 1
        return f"{where} is {100 * abs(off):.2g}% too {'large' if off > 0 else 'small'}"
    return f"{where} is {claimed:.4g} and should be {true:.4g}"


def unknown(search: Search) -> Cause:
    k = max(search.bad, key=lambda k: search.before[k])
    D, T = search.seen[k], search.truth[k]
    text = f"It is off by {search.before[k]:.1e}, where rounding explains {search.wrong.allowed[k]:.0e}"
    if search.evidence.witness_is_projected:
        text += ", along random directions"
    elif D.shape == T.shape and D.size > 1:
        off = np.abs(D - T)
        wrong = int(np.sum(off > search.allowed[k] * np.linalg.norm(T) / math.sqrt(T.size)))
        place = np.unravel_index(int(np.argmax(off)), D.shape)
        entry = _entry(search, k, place).replace("Entry", "entry")
        text += f"; {wrong} of {D.size} entries are off, most of all {entry}"
    return Cause("unknown", text + ".", "No single cause explains it.")
