"""What the benchmark shows to people: who won, where not, and a picture."""

import re

from matcalc.timing import AUTODIFF, OURS, Measured, plot, summary, verdict


def measured(contender, ratios=(1.0, 1.0, 1.0), **changes):
    given = dict(zip(("ratio_to_autodiff", "ratio_low", "ratio_high"), ratios, strict=True))
    times = {"median_s": 1e-3, "low_s": 1e-3, "high_s": 1e-3, "rounds": 7, "peak_bytes": 10}
    where = {"name": "f", "kind": "scalar by matrix", "regime": "square 8", "quantity": "derivative", "sizes": {"n": 8}}
    return Measured(**where | times | given | changes, dtype="float32", batch=None, contender=contender)


def test_verdicts_and_the_summary_name_what_falls_short():
    assert verdict(measured(OURS, (2.0, 1.5, 3.0))) == "win"
    assert verdict(measured(OURS, (1.0, 0.9, 1.1))) == "tie"
    assert verdict(measured(OURS, (0.5, 0.4, 0.6))) == "loss"
    assert verdict(measured(OURS, (0.5, 0.4, 0.6), is_autodiff=True)) == "same"
    results = []
    for name, ratios, peak in (("good", (4.0, 3.0, 5.0), 10), ("bad", (0.25, 0.2, 0.3), 11)):
        results += [measured(OURS, ratios, name=name, peak_bytes=peak), measured(AUTODIFF, name=name)]
    text = "\n".join(summary(results))
    assert re.search(r"square 8 +2 +1 +0 +0 +1 +1\.00 +1\n", text)
    assert "1 cells with a lower end of the interval below 0.95:" in text
    assert "bad (scalar by matrix), square 8, float32, derivative: 0.25 (0.20 to 0.30)" in text
    assert "1 cells take more memory than autodiff: bad." in text
    assert "good" not in text
    assert len(plot(results).axes) == 1
