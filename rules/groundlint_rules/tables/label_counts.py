"""Which labels each image has, and how often each label occurs."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table


@table()
def image_labels(labels: LazyFrame, boxes: LazyFrame) -> LazyFrame:
    """One label of an image of a split and use case: how many `boxes` bear it there (null for image labels).

    `use_case` is classification or detection. Boxes whose class has no name are left out.
    """
    image = ("split", "source_ref", "label")
    of_images = labels.select(*image, use_case=lit("classification"), boxes=lit(None, pl.Int64)).unique()
    of_boxes = boxes.filter(col("label").is_not_null()).group_by(image).agg(boxes=pl.len())
    detections = of_boxes.select(*image, lit("detection").alias("use_case"), col("boxes").cast(pl.Int64))
    return pl.concat([of_images, detections])


@table()
def label_counts(image_labels: LazyFrame) -> LazyFrame:
    """One label of a split and use case: its `images` (distinct source-refs) and `boxes` (null for image labels)."""
    boxes = pl.when(col("boxes").is_not_null().any()).then(col("boxes").sum())
    counts = image_labels.group_by("split", "label", "use_case").agg(images=pl.len(), boxes=boxes)
    return counts.with_columns(col("images").cast(pl.Int64))
