"""Where boxes are in files, and the sample of them on which costly features are measured."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, col, lit

from groundlint.engine.base_tables import RECTANGLE

MAX_SAMPLED_OF_LABEL, MAX_SAMPLED = 20_000, 200_000
"""Boxes of a label, and of all labels of a data set, on which features with `only_sampled` are measured."""

_IMAGE = ["data_set", "source_ref"]

NOWHERE = DataFrame(
    schema={
        "data_set": pl.Int32(),
        "file": pl.String(),
        **dict.fromkeys(RECTANGLE, pl.Float64()),
        "sampled": pl.Boolean(),
    }
)
"""No places."""


def boxes_in_files(boxes: DataFrame, files: DataFrame) -> DataFrame:
    """Return the boxes with area that are in files, with the `file` and whether a box is `sampled`.

    The sample is even over the boxes of a label. It depends neither on the order of the lines nor on which images are
    on this machine.

    Args:
        boxes: The base table.
        files: data_set, source_ref and `file` of images.
    """
    rows = (
        boxes.drop_nulls(RECTANGLE)
        .filter(pl.min_horizontal("width", "height") > 0)
        .select(*_IMAGE, "attribute", "label", *RECTANGLE)
        .sort("source_ref", *RECTANGLE)
    )
    label = ("data_set", "attribute", "label")
    labels = rows.select(label).unique().group_by("data_set").len("labels")
    rows = rows.join(labels, on="data_set", how="left", maintain_order="left")
    most = pl.min_horizontal(lit(MAX_SAMPLED_OF_LABEL, pl.Int64), MAX_SAMPLED // col("labels").cast(pl.Int64))
    position, count = pl.int_range(pl.len()).over(label), pl.len().cast(pl.Int64).over(label)
    is_sampled = (position + 1) * most // count > position * most // count
    return rows.with_columns(sampled=is_sampled).join(files.select(*_IMAGE, "file"), on=_IMAGE)


def places(rows: DataFrame) -> DataFrame:
    """Return where boxes are, each place of a file and data set once, and whether a box there is `sampled`.

    Args:
        rows: What `boxes_in_files` returns.
    """
    return rows.group_by("data_set", "file", *RECTANGLE).agg(col("sampled").any())
