"""Measures how well outliers are found: 15 images of another set among those of clothing. A part of accuracy.py.

Means of 10 draws on half 1 of the images. The number of neighbors and the threshold were tuned on other draws from the
same sets, part of which were in this half too. Each planted image has the label of a random image of clothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measured import Measured, auroc, exported, halves

PLANTED_SETS = ("savoias", "wider_occ", "raccoon", "flowers12_aug", "cifar10n")
DRAWS, COUNT = 10, 15
DEVIATIONS = 3.5
"""Threshold of the rule."""


def lines_of(data: Path, name: str) -> list[dict[str, Any]]:
    """The lines of half 1 of a set."""
    lines = [json.loads(line) for line in (data / name / "output.manifest").read_text().splitlines()]
    return [line for line, half in zip(lines, halves(line["source-ref"] for line in lines), strict=True) if half == 1]


def draw_of(own: list[dict[str, Any]], others: list[dict[str, Any]], draw: int) -> Iterator[dict[str, Any]]:
    """The lines of clothing, followed by planted lines of other images with labels of clothing."""
    random = np.random.default_rng(draw)
    yield from own
    for n in random.choice(len(others), COUNT, replace=False):
        yield own[random.integers(len(own))] | {"source-ref": others[n]["source-ref"]}


def figures(data: Path) -> Iterator[Measured]:
    """Figures for the page of the rule."""
    own = lines_of(data, "clothing")
    with tempfile.TemporaryDirectory() as folder:
        manifest, cache = Path(folder) / "a.manifest", Path(folder) / "cache"
        images = f"s3://datasets={data.resolve()}"
        for name in PLANTED_SETS:
            others = lines_of(data, name)
            measured = []
            for draw in range(DRAWS):
                lines = list(draw_of(own, others, draw))
                manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
                rows = exported("outliers", manifest, cache, images).drop_nulls("deviations")
                is_planted = rows["line"] > len(own)
                flagged = rows["deviations"] >= DEVIATIONS
                right = (flagged & is_planted).sum()
                measured.append((right / COUNT, right / max(flagged.sum(), 1), auroc(rows["deviations"], is_planted)))
            recall, precision, area = np.mean(measured, axis=0)
            text = f"precision {precision:.3f}, recall {recall:.3f}; AUROC {area:.3f}"
            yield Measured("SUS106", f"clothing, half 1, {len(own)} images", f"{COUNT} planted from {name}", text)
        manifest.write_text("".join(json.dumps(line) + "\n" for line in own))
        rows = exported("outliers", manifest, cache, images)
        count = rows.select((pl.col("deviations") >= DEVIATIONS).sum()).item()
        yield Measured("SUS106", f"clothing, half 1, {len(own)} images", "flagged as published", f"{count}")
