"""Measure how many images of other sets are found among the images of clothing. accuracy.py runs it.

Fifteen images of another set are added to half 1 of clothing, each with the label of a random image of clothing;
figures are means of 10 draws. The limits of the rule were chosen on clothing, trashnet and cifar10n as published.
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

from groundlint_rules.suspects.outliers import ImageOutlier

OTHERS = ("savoias", "wider_occ", "raccoon", "flowers12_aug", "cifar10n")
DRAWS, COUNT = 10, 15


def lines_of(data: Path, name: str) -> list[dict[str, Any]]:
    """The lines of half 1 of a set."""
    lines = [json.loads(line) for line in (data / name / "output.manifest").read_text().splitlines()]
    return [line for line, half in zip(lines, halves(line["source-ref"] for line in lines), strict=True) if half == 1]


def flagged(rows: pl.DataFrame) -> pl.Series:
    """Whether each line of the table `outliers` is reported."""
    found = ImageOutlier().check(rows.rename({"line": "line_id"}).lazy()).collect()["line_id"]
    return rows["line"].is_in(found.implode())


def draw_of(own: list[dict[str, Any]], others: list[dict[str, Any]], draw: int) -> Iterator[dict[str, Any]]:
    """The lines of clothing, followed by lines of images of another set with labels of clothing."""
    random = np.random.default_rng(draw)
    yield from own
    for n in random.choice(len(others), COUNT, replace=False):
        yield own[random.integers(len(own))] | {"source-ref": others[n]["source-ref"]}


def figures(data: Path) -> Iterator[Measured]:
    """The figures on the page of the rule."""
    own = lines_of(data, "clothing")
    with tempfile.TemporaryDirectory() as folder:
        manifest, cache = Path(folder) / "a.manifest", Path(folder) / "cache"
        images = f"s3://datasets={data.resolve()}"
        for name in OTHERS:
            others = lines_of(data, name)
            measured = []
            for draw in range(DRAWS):
                lines = list(draw_of(own, others, draw))
                manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
                rows = exported("outliers", manifest, cache, images).drop_nulls("deviations")
                is_other = rows["line"] > len(own)
                is_flagged = flagged(rows)
                right = (is_flagged & is_other).sum()
                measured.append((right / COUNT, right / max(is_flagged.sum(), 1), auroc(rows["deviations"], is_other)))
            recall, precision, area = np.mean(measured, axis=0)
            said = f"precision {precision:.3f}, recall {recall:.3f}; AUROC {area:.3f}"
            yield Measured("SUS106", f"clothing, half 1, {len(own)} images", f"{COUNT} images of {name} added", said)
        manifest.write_text("".join(json.dumps(line) + "\n" for line in own))
        rows = exported("outliers", manifest, cache, images)
        count = flagged(rows).sum()
        yield Measured("SUS106", f"clothing, half 1, {len(own)} images", "images flagged as published", f"{count}")
