"""Which boxes overlap: within a label attribute, and between two attributes of a line."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame, Expr, LazyFrame, col

from groundlint import note, table
from groundlint.engine.base_tables import RECTANGLE
from groundlint_rules.geometry import EDGES, area, common, iou, overlapping, with_edges

MAX_COMPARED_BOXES = 200
"""Boxes of an attribute above which pairs are not formed: 5,000 boxes would make twelve million."""

MIN_IOU = 0.5
"""Intersection over union from which boxes of two attributes are counterparts."""

_PAIRS = 2_000_000
"""Pairs that are held in memory at once: 100 MB."""


@table()
def overlaps(boxes: LazyFrame) -> DataFrame:
    """Two boxes of the same attribute that share area, each pair once.

    `box` comes after `box_other`; `common`, `area` and `area_other` are in px²; `iou` is 0 to 1. Attributes of more
    than 200 boxes are left out.
    """
    columns = ("data_set", "attribute_id", "box_id", "box", "label", *EDGES)
    others = ("attribute_id", "box_id", "box", "label", *EDGES)
    found = []
    for batch in _batches(boxes):
        part = with_edges(batch.lazy())
        pairs = (
            part.select(columns)
            .join(part.select(others), on="attribute_id", suffix="_other")
            .filter(col("box") > col("box_other"), overlapping())
        )
        measures = {"common": common(), "area": area(), "area_other": area("_other"), "iou": iou()}
        found.append(pairs.with_columns(**measures).collect())
    return pl.concat(found)


def _has_area() -> tuple[Expr, Expr]:
    """Whether a box has area. Beside a large `left`, a tiny width is lost: its right edge is its left one."""
    return col("left") + col("width") > col("left"), col("top") + col("height") > col("top")


def _batches(boxes: LazyFrame) -> Iterator[DataFrame]:
    """The boxes with area in attributes of several boxes, in parts of about `_PAIRS` pairs; at least one part."""
    columns = ("data_set", "attribute_id", "box_id", "box", "label", *RECTANGLE)
    beside = (
        boxes.select(*columns, count=pl.len().over("attribute_id"))
        .filter(col("count").is_between(2, MAX_COMPARED_BOXES), *_has_area())
        .collect()
    )
    parts = 1 + beside["count"].cast(pl.Int64).sum() // _PAIRS
    if parts > 1:
        yield from beside.with_columns(part=col("attribute_id") % parts).partition_by("part")
    else:
        yield beside


@table()
def counterparts(attributes: LazyFrame, boxes: LazyFrame) -> LazyFrame:
    """Two attributes of a line with boxes of the same labels: `alone` of their `count` boxes have no counterpart.

    `attribute` comes after `attribute_other`. Only labels that the manifest has in several attributes are compared: one
    attribute for cars and one for people do not contradict each other.
    """
    manifest = ("data_set", "manifest")
    of_line = ("line_id", "attribute_id", "attribute")
    several = attributes.filter(col("boxes") > 0).group_by("line_id").len().filter(col("len") > 1)
    shared = (
        boxes.select(*manifest, "attribute", "label").unique().group_by(*manifest, "label").len().filter(col("len") > 1)
    )
    compared = (
        with_edges(boxes.join(several, on="line_id", how="semi"))
        .join(shared, on=[*manifest, "label"], how="semi")
        .select(*of_line, "data_set", "box_id", "label", *EDGES)
        # It is used three times below, and polars would compute it each time.
        .collect()
        .lazy()
    )
    counts = compared.group_by(*of_line, "data_set").agg(count=pl.len())
    is_later = col("attribute") > col("attribute_other")
    pairs = counts.join(counts.drop("data_set"), on="line_id", suffix="_other").filter(is_later)
    both = ("attribute_id", "attribute_id_other")
    matches = (
        compared.join(compared, on=["line_id", "label"], suffix="_other")
        .filter(is_later, iou() >= MIN_IOU)
        .group_by(both)
        # Each box once, however many boxes of the other attribute it matches.
        .agg(matched=col("box_id").n_unique() + col("box_id_other").n_unique())
    )
    total = col("count") + col("count_other")
    return pairs.join(matches, on=both, how="left").select(
        "data_set", *of_line, "attribute_other", *both[1:], count=total, alone=total - col("matched").fill_null(0)
    )


@note(
    rules=(
        "duplicated-box",
        "conflicting-box-labels",
        "nested-box",
        "object-occluded",
        "often-occluded-label",
    ),
    message=f"{{attributes:# attribute}} with more than {MAX_COMPARED_BOXES} boxes: {{count:,}} boxes were not "
    "compared with each other; only equal boxes are reported",
)
def boxes_not_compared(attributes: LazyFrame) -> LazyFrame:
    """Manifests in which attributes have too many boxes for `overlaps`."""
    crowded = attributes.filter(col("boxes") > MAX_COMPARED_BOXES)
    return crowded.group_by("data_set", "manifest").agg(count=col("boxes").sum(), attributes=pl.len())
