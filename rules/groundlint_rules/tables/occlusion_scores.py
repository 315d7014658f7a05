"""How much of a boxed object is hidden by anything, boxed or not: as far as its picture tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.features.foreground import CHANNELS, QUARTERS

MIN_SIDE = 20
"""Pixels of the longer side from which a box is judged: what hides a part of less is not to be seen."""

MIN_CROPS, MIN_IMAGES = 50, 10
"""Crops that a label needs, and images that they come from: what its objects have in common is their mean."""

SCHEMA = pl.Schema(
    {
        "manifest": pl.String(),
        "line": pl.Int32(),
        "source_ref": pl.String(),
        "attribute": pl.String(),
        "box": pl.Int32(),
        "label": pl.String(),
        "crops": pl.Int64(),
        "figure": pl.Float64(),
        "lack": pl.Float64(),
        "score": pl.Float64(),
    }
)

_PLACE = ("manifest", "line", "source_ref", "attribute", "box", "label")
_EDGES = ("left", "top", "width", "height")


@table(features=("foreground", "foreground_sharpness"))
def concealment(boxes: LazyFrame, crops: LazyFrame) -> DataFrame:
    """One box of at least 20 pixels, of a label with 50 of them in 10 images, and how much of its object lacks.

    `crops` of its label; `figure`, how far the middle of the box differs from what is round it in the way in which
    its label's boxes do, 1 for as far as their mean; `lack`, how far that is, in the quarter of the middle of which it
    is most so, below what is usual in crops of its size and sharpness, in robust deviations; `score`, 0 visible to 1
    hidden: the share of the label's crops that lack less.
    Of a crop that differs rather in the way of another label, whose label is to be doubted first, both are null.
    """
    keys = ("manifest", "line", "attribute", "box")
    seen = crops.filter(col("foreground").is_not_null()).select(*keys, picture="foreground", sharpness="foreground_sharpness")
    label = ("attribute", "label")
    rows = (
        boxes.filter(col("label").is_not_null())
        .filter(pl.max_horizontal("width", "height") >= MIN_SIDE)
        .join(seen, on=keys)
        .filter(pl.len().over(label) >= MIN_CROPS, col("source_ref").n_unique().over(label) >= MIN_IMAGES)
    )
    # In an order of their own, so that sums do not depend on that of the lines.
    ordered = rows.sort("source_ref", *_EDGES).collect()
    made = [row for (_,), part in ordered.group_by("attribute", maintain_order=True) for row in _of_attribute(part)]
    return DataFrame(made, schema=SCHEMA)


def _of_attribute(rows: DataFrame) -> Iterator[dict[str, Any]]:
    import numpy as np

    from groundlint_rules.algorithms.occlusion import elsewhere, standing_out, unusual
    from groundlint_rules.algorithms.stacked import stacked

    parts = rows.partition_by("label")
    pictures = [stacked(part["picture"], QUARTERS * CHANNELS, np.int8) for part in parts]
    ways = [of_label.mean(0) for of_label in pictures]
    for number, (part, of_label) in enumerate(zip(parts, pictures, strict=True)):
        images = part["source_ref"].to_list()
        figures = standing_out(of_label, images)
        # All its images fell into one fold: there are no others.
        if np.isnan(figures).any():
            continue
        is_doubted = elsewhere(of_label, figures, ways[:number] + ways[number + 1 :])
        size = part.select((col("width") * col("height")).log() / 2).to_series().to_numpy()
        conditions = np.stack([size, part["sharpness"].to_numpy()], 1)
        quarters = of_label.reshape(-1, QUARTERS, CHANNELS)
        lacks = [unusual(-standing_out(quarters[:, n], images), conditions) for n in range(QUARTERS)]
        lack = np.max(lacks, 0)
        # Rounded, since the last digits depend on how a machine adds up.
        lack = np.where(is_doubted, np.nan, lack.round(6))
        score = np.searchsorted(np.sort(lack), lack) / max(len(lack) - is_doubted.sum() - 1, 1)
        for n, row in enumerate(part.select(_PLACE).iter_rows(named=True)):
            yield row | {
                "crops": len(lack),
                "figure": round(float(figures[n]), 6),
                "lack": None if is_doubted[n] else float(lack[n]),
                "score": None if is_doubted[n] else float(score[n]),
            }
