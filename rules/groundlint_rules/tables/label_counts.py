"""How often each label occurs."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table


@table()
def label_counts(labels: LazyFrame, boxes: LazyFrame) -> LazyFrame:
    """One label of a split and use case: its `images` (distinct source-refs) and `boxes` (null for image labels).

    `use_case` is classification or detection. Boxes whose class has no name are left out.
    """
    of_images = labels.group_by("split", "label").agg(
        use_case=lit("classification"), images=col("source_ref").n_unique(), boxes=lit(None, pl.UInt32)
    )
    of_boxes = (
        boxes.filter(col("label").is_not_null())
        .group_by("split", "label")
        .agg(use_case=lit("detection"), images=col("source_ref").n_unique(), boxes=pl.len())
    )
    return pl.concat([of_images, of_boxes]).with_columns(col("images", "boxes").cast(pl.Int64))
