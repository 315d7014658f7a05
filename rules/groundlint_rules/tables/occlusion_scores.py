"""How complete each boxed object looks compared with the others of its label, whatever may cover it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame, LazyFrame, Series, col

from groundlint import table
from groundlint.engine.base_tables import RECTANGLE
from groundlint_rules.features.foreground import CHANNELS, QUARTERS

MIN_SIDE = 20
"""Pixels of the longer side from which a box is judged: in smaller boxes, an occluded part cannot be recognized."""

MIN_BOXES, MIN_IMAGES = 50, 10
"""Boxes that a label needs, and images that they must come from, so that their mean shows what they have in common."""

SCHEMA = pl.Schema(
    {
        "data_set": pl.Int32(),
        "box_id": pl.Int32(),
        "boxes": pl.Int64(),
        "foreground": pl.Float64(),
        "deviations": pl.Float64(),
        "score": pl.Float64(),
    }
)

_ATTRIBUTE = ("data_set", "attribute")


@table(features=("foreground", "foreground_sharpness"))
def occlusion_scores(boxes: LazyFrame, crops: LazyFrame) -> DataFrame:
    """One box of at least 20 px, of a label with 50 such boxes in 10 images, and how complete its object looks.

    - `boxes`: number of boxes of its label.
    - `foreground`: how much the middle of the box differs from its surroundings in the direction in which the boxes of
      its label differ from theirs; 1 is their mean.
    - `deviations`: how far this is below what is usual for boxes of its size and sharpness, in robust standard
      deviations, for the quarter of the middle where it is farthest.
    - `score`: share of the label's boxes that deviate less, from 0 (visible) to 1 (occluded).

    `deviations` and `score` are null for a box that resembles the boxes of another label more: its label may be wrong.
    """
    seen = crops.filter(col("foreground").is_not_null()).select(
        "box_id", vector="foreground", sharpness="foreground_sharpness"
    )
    label = (*_ATTRIBUTE, "label")
    rows = (
        boxes.filter(col("label").is_not_null(), pl.max_horizontal("width", "height") >= MIN_SIDE)
        .select("box_id", *label, "source_ref", *RECTANGLE)
        .join(seen, on="box_id")
        .filter(pl.len().over(label) >= MIN_BOXES, col("source_ref").n_unique().over(label) >= MIN_IMAGES)
    )
    # In an order of their own, so that sums do not depend on the order of lines.
    ordered = rows.sort(*_ATTRIBUTE, "source_ref", *RECTANGLE).collect()
    groups = ordered.partition_by(*_ATTRIBUTE, maintain_order=True)
    empty = DataFrame(schema=SCHEMA)
    return pl.concat([empty, *(part for group in groups for part in _of_attribute(group))])


def _of_attribute(rows: DataFrame) -> Iterator[DataFrame]:
    """The scores of the boxes of an attribute, label by label."""
    import numpy as np

    from groundlint_rules.algorithms.occlusion import excess, foreground_of, resembles_another
    from groundlint_rules.algorithms.stacked import stacked

    parts = rows.partition_by("label")
    vectors = [stacked(part["vector"], QUARTERS * CHANNELS, np.int8) for part in parts]
    means = [of_label.mean(0) for of_label in vectors]
    for number, (part, of_label) in enumerate(zip(parts, vectors, strict=True)):
        images = part["source_ref"].to_list()
        foreground = foreground_of(of_label, images)
        # All images of the label fell into one fold: there are no others to compare with.
        if np.isnan(foreground).any():
            continue
        is_doubted = resembles_another(of_label, foreground, means[:number] + means[number + 1 :])
        size = part.select((col("width") * col("height")).log() / 2).to_series().to_numpy()
        conditions = np.stack([size, part["sharpness"].to_numpy()], 1)
        quarters = of_label.reshape(-1, QUARTERS, CHANNELS)
        deviations = np.max([excess(-foreground_of(quarters[:, n], images), conditions) for n in range(QUARTERS)], 0)
        # Rounded, because the last digits depend on the machine.
        deviations = np.where(is_doubted, np.nan, deviations.round(6))
        ranked = np.sort(deviations[~is_doubted])
        score = np.where(is_doubted, np.nan, np.searchsorted(ranked, deviations) / max(len(ranked), 1))
        scores = {"foreground": foreground.round(6), "deviations": deviations, "score": score}
        measured = [Series(name, values).fill_nan(None) for name, values in scores.items()]
        scored = part.select("data_set", "box_id").with_columns(*measured, boxes=len(deviations))
        yield scored.select(list(SCHEMA)).cast(SCHEMA)
