"""A table of the third party."""

from __future__ import annotations

from polars import LazyFrame, col

from groundlint import table


@table()
def crowds(boxes: LazyFrame) -> LazyFrame:
    """One label attribute of a line, with the number of its boxes in `size`."""
    return boxes.group_by("data_set", "line_id", "attribute_id").agg(size=col("box").len())
