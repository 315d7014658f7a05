"""Expressions for areas and overlaps of boxes; the columns of a second box have the suffix `_other`."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col

EDGES = ("left", "top", "right", "bottom")
"""Columns with the four edges of a box, in px."""


def with_edges(boxes: LazyFrame) -> LazyFrame:
    """Boxes with the columns `right` and `bottom`, in px."""
    return boxes.with_columns(right=col("left") + col("width"), bottom=col("top") + col("height"))


def area(suffix: str = "") -> Expr:
    """Area of a box, in px²."""
    return (col(f"right{suffix}") - col(f"left{suffix}")) * (col(f"bottom{suffix}") - col(f"top{suffix}"))


def overlapping() -> Expr:
    """Whether two boxes share area; null where a side is unknown."""
    in_x = (col("left") < col("right_other")) & (col("left_other") < col("right"))
    in_y = (col("top") < col("bottom_other")) & (col("top_other") < col("bottom"))
    return in_x & in_y


def common() -> Expr:
    """Area that two boxes share, in px²."""
    width = pl.min_horizontal("right", "right_other") - pl.max_horizontal("left", "left_other")
    height = pl.min_horizontal("bottom", "bottom_other") - pl.max_horizontal("top", "top_other")
    return width.clip(0) * height.clip(0)


def iou() -> Expr:
    """Intersection over union of two boxes, 0 to 1."""
    return common() / (area() + area("_other") - common())
