"""Which labels each image has, and how often each label occurs."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import table

USE_CASES = pl.Enum(["classification", "detection"])
"""Image-level labels and bounding boxes: the service trains on one of the two."""


@table()
def image_labels(labels: LazyFrame, boxes: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """One label of an image in a split: `line_id`, `data_set`, `split`, `use_case`, `label` and `boxes`.

    `line_id` is the first line of the split that names the image, and stands for the image. `use_case` is
    classification or detection, `boxes` the number of boxes with the label, null for image-level labels. Lines without
    a source-ref and labels without a name are left out.
    """
    key = ("line_id", "data_set", "split", "label")
    is_known = col("source_ref").is_not_null() & col("label").is_not_null()
    of_images = labels.filter(is_known).select(*key, boxes=lit(None, pl.Int64)).unique()
    of_boxes = boxes.filter(is_known).group_by(key).agg(boxes=pl.len().cast(pl.Int64))
    rows = pl.concat(
        [
            of_images.with_columns(use_case=lit("classification", USE_CASES)),
            of_boxes.with_columns(use_case=lit("detection", USE_CASES)),
        ]
    )
    image = ("data_set", "split", "source_ref")
    # Hardly any line repeats an image, so that joining the few is much faster than grouping by source-ref.
    repeated = lines.filter(col("source_ref").is_not_null(), pl.struct(image).is_duplicated()).select(
        "line_id", first_line_id=col("line_id").min().over(image)
    )
    united = (
        rows.join(repeated, on="line_id")
        .with_columns(line_id="first_line_id")
        .group_by(*key, "use_case")
        .agg(boxes=_sum_of_boxes())
    )
    return pl.concat([rows.join(repeated, on="line_id", how="anti"), united], how="diagonal")


@table()
def label_counts(image_labels: LazyFrame) -> LazyFrame:
    """One label of a split and use case: its `images` (distinct ones) and `boxes` (null for image-level labels)."""
    return image_labels.group_by("data_set", "split", "use_case", "label").agg(
        images=pl.len().cast(pl.Int64), boxes=_sum_of_boxes()
    )


@table()
def labeled_images(image_labels: LazyFrame) -> LazyFrame:
    """One split and use case of a data set: its labeled `images`, and how many have several labels (`scenes`)."""
    images = image_labels.group_by("data_set", "split", "use_case", "line_id").agg(labels=pl.len())
    return images.group_by("data_set", "split", "use_case").agg(
        images=pl.len().cast(pl.Int64), scenes=(col("labels") > 1).sum().cast(pl.Int64)
    )


def _sum_of_boxes() -> Expr:
    """The boxes of a group, null where it has none: the sum of nothing but nulls would be 0."""
    return pl.when(col("boxes").is_not_null().any()).then(col("boxes").sum())
