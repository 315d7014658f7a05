"""Compare the clutter score with human judgment on the 200 scenes of savoias. accuracy.py runs it.

The weight of the colors was chosen on the half with `sha256(source_ref)[0] & 1` = 0. Figures are of all scenes and of
half 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from measured import Measured, exported, halves
from numpy.typing import NDArray

DRAWS = 2000

Numbers = NDArray[np.float64]


def spearman(one: Numbers, other: Numbers) -> float:
    """Spearman's rank correlation; ties share their mean rank."""
    ranks = (pl.Series(values).rank("average").to_numpy() for values in (one, other))
    return float(np.corrcoef(*ranks)[0, 1])


def figures(data: Path) -> Iterator[Measured]:
    """The figures on the page of the rule: rank correlations, and how people rated scenes with a high score."""
    truth = pl.read_csv(data / "savoias/truth.csv").select("source_ref", "complexity")
    rows = exported("clutter", data / "savoias/output.manifest").join(truth, on="source_ref").sort("source_ref")
    half = halves(rows["source_ref"]).to_numpy()
    people, density, score = (rows[name].to_numpy().astype(float) for name in ("complexity", "density", "score"))
    for name, chosen in (("all 200 scenes", half >= 0), (f"half 1, {sum(half)} scenes", half == 1)):
        agreed = [spearman(values[chosen], people[chosen]) for values in (density, score)]
        draw = np.random.default_rng(0)
        places = np.flatnonzero(chosen)
        gains = []
        for _ in range(DRAWS):
            some = draw.choice(places, len(places))
            gains.append(spearman(score[some], people[some]) - spearman(density[some], people[some]))
        low, high = np.quantile(gains, [0.025, 0.975])
        said = f"{agreed[1]:.3f}; edge density alone {agreed[0]:.3f}, gain {low:+.3f} to {high:+.3f} (95%)"
        yield Measured("CLU101", f"savoias, {name}", "rank correlation of the score with human judgment", said)
    above = people[(score >= 0.15) & (half == 1)]
    upper, lower = (above >= np.quantile(people, 0.6)).mean(), (above < np.quantile(people, 0.4)).mean()
    said = f"{upper:.0%} are among the 40% that people rated most complex, {lower:.0%} among the least complex 40%"
    yield Measured("CLU101", "savoias, half 1", f"the {len(above)} scenes with a score of 0.15 or more", said)
