"""How well the score of clutter follows people's judgement: the 200 scenes of savoias.

`python benchmarks/clutter.py ../shared/data`; the weight of the colours was chosen on the half
`sha256(source_ref)[0] & 1` = 0, the figures are of all scenes and of half 1.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars import col

SETS = ("savoias", "raccoon", "bccd", "clothing", "wider_occ", "flowers12_aug")
DRAWS = 2000

Numbers = NDArray[np.float64]


def clutter(data: Path, name: str) -> pl.DataFrame:
    """The table `clutter` of a set."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clutter.parquet"
        manifest = data / name / "output.manifest"
        command = ["export", "clutter", manifest, "--isolated", "--no-cache", "--to", file]
        subprocess.run([sys.executable, "-m", "groundlint", *command], check=True, capture_output=True)
        return pl.read_parquet(file)


def flagged(data: Path, name: str, code: str) -> int:
    """Findings of a rule on a set."""
    manifest = data / name / "output.manifest"
    command = ["check", manifest, "--isolated", "--no-cache", "--select", code, "--exit-zero", "--output", "jsonl"]
    done = subprocess.run([sys.executable, "-m", "groundlint", *command], check=True, capture_output=True)
    return done.stdout.count(b"\n")


def spearman(one: Numbers, other: Numbers) -> float:
    """Rank correlation, ties sharing their mean rank."""
    ranks = (pl.Series(values).rank("average").to_numpy() for values in (one, other))
    return float(np.corrcoef(*ranks)[0, 1])


def main() -> None:
    data = Path(sys.argv[1])
    truth = pl.read_csv(data / "savoias/truth.csv").select("source_ref", "complexity")
    rows = clutter(data, "savoias").join(truth, on="source_ref").sort("source_ref")
    half = np.array([hashlib.sha256(ref.encode()).digest()[0] & 1 for ref in rows["source_ref"]])
    people, density, score = (rows[name].to_numpy().astype(float) for name in ("complexity", "density", "score"))
    for name, chosen in (("all", half >= 0), ("half 1", half == 1)):
        agreed = [spearman(values[chosen], people[chosen]) for values in (density, score)]
        draw = np.random.default_rng(0)
        places = np.flatnonzero(chosen)
        gains = []
        for _ in range(DRAWS):
            some = draw.choice(places, len(places))
            gains.append(spearman(score[some], people[some]) - spearman(density[some], people[some]))
        low, high = np.quantile(gains, [0.025, 0.975])
        print(f"savoias, {name}, {len(places)} scenes: density {agreed[0]:.3f}, score {agreed[1]:.3f}")
        print(f"  gain {agreed[1] - agreed[0]:.3f}, 95 % of bootstrap draws {low:.3f} to {high:.3f}")
    above = people[(score >= 0.13) & (half == 1)]
    upper, lower = (above >= np.quantile(people, 0.6)).mean(), (above < np.quantile(people, 0.4)).mean()
    print(f"  score of .13 and more, half 1: {len(above)} scenes, {upper:.2f} in people's upper two fifths", end="")
    print(f", {lower:.2f} in the lower two")
    for name in SETS:
        images = pl.read_ndjson(data / name / "output.manifest", infer_schema_length=None).height
        counts = ", ".join(
            f"{code} {flagged(data, name, code) / images:.1%}" for code in ("CLU101", "CLU102", "CLU103")
        )
        median = clutter(data, name).select(col("score").median()).item()
        print(f"{name}, {images:,} images: median score {median:.3f}, flagged {counts}")


if __name__ == "__main__":
    main()
