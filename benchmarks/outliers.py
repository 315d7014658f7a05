"""How often pictures that do not belong are found: fifteen of another set put among clothing's. A part of accuracy.py.

Means of 10 draws on half 1 of the images. Neighbours and limit were chosen on other draws from the same sets, of which
a part was in this half too. Each strange picture bears the label of a picture of clothing drawn at random.
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

STRANGE = ("savoias", "wider_occ", "raccoon", "flowers12_aug", "cifar10n")
DRAWS, COUNT = 10, 15
DEVIATIONS = 3.5
"""From which the rule names a picture."""


def lines_of(data: Path, name: str) -> list[dict[str, Any]]:
    """The lines of half 1 of a set."""
    lines = [json.loads(line) for line in (data / name / "output.manifest").read_text().splitlines()]
    return [line for line, half in zip(lines, halves(line["source-ref"] for line in lines), strict=True) if half == 1]


def draw_of(own: list[dict[str, Any]], others: list[dict[str, Any]], draw: int) -> Iterator[dict[str, Any]]:
    """The lines of clothing, and after them those of some strange pictures with labels of clothing."""
    random = np.random.default_rng(draw)
    yield from own
    for n in random.choice(len(others), COUNT, replace=False):
        yield own[random.integers(len(own))] | {"source-ref": others[n]["source-ref"]}


def figures(data: Path) -> Iterator[Measured]:
    """What the page of the rule shows."""
    own = lines_of(data, "clothing")
    with tempfile.TemporaryDirectory() as folder:
        manifest, cache = Path(folder) / "a.manifest", Path(folder) / "cache"
        images = f"s3://datasets={data.resolve()}"
        for name in STRANGE:
            others = lines_of(data, name)
            measured = []
            for draw in range(DRAWS):
                lines = list(draw_of(own, others, draw))
                manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
                rows = exported("outliers", manifest, cache, images).drop_nulls("deviations")
                strange = rows["line"] > len(own)
                named = rows["deviations"] >= DEVIATIONS
                right = (named & strange).sum()
                measured.append((right / COUNT, right / max(named.sum(), 1), auroc(rows["deviations"], strange)))
            recall, precision, area = np.mean(measured, axis=0)
            said = f"precision {precision:.3f}, recall {recall:.3f}; AUROC {area:.3f}"
            yield Measured("SUS106", f"clothing, half 1, {len(own)} images", f"{COUNT} planted from {name}", said)
        manifest.write_text("".join(json.dumps(line) + "\n" for line in own))
        rows = exported("outliers", manifest, cache, images)
        count = rows.select((pl.col("deviations") >= DEVIATIONS).sum()).item()
        yield Measured("SUS106", f"clothing, half 1, {len(own)} images", "named as published", f"{count}")
