"""Which boxes of a line lie on each other: within an attribute, and between two."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.geometry import EDGES, area, common, iou, with_edges

MAX_BOXES = 200
"""Boxes of a line and attribute beyond which no pairs are formed: 5,000 would make twelve million."""

MIN_IOU = 0.5
"""Intersection over union from which boxes of two attributes are counterparts."""


@table()
def overlaps(boxes: LazyFrame) -> DataFrame:
    """Two boxes of a line and attribute that share area, each pair once.

    `box` comes after `box_other`; `row` and `row_other` are their places in `boxes`, from 0; `common`, `area` and
    `area_other` are in px², `iou` is 0 to 1. Lines of more than `MAX_BOXES` boxes are left out.
    """
    line = ("manifest", "line", "attribute")
    # A manifest that is in two splits has each line twice.
    group = ("split", *line)
    is_first = pl.any_horizontal(col(name).ne_missing(col(name).shift()) for name in group)
    places = (
        boxes.with_row_index("row")
        .filter(col("width") > 0, col("height") > 0)
        .select("row", *group, "box")
        .sort(*group, "box")
        .select("row", first=pl.when(is_first).then(pl.int_range(pl.len(), dtype=pl.Int32)).forward_fill())
        .select("row", place=pl.int_range(pl.len(), dtype=pl.Int32) - col("first"), count=pl.len().over("first"))
        .filter(col("count").is_between(2, MAX_BOXES))
        .select("row", "place")
        .with_row_index("at")
        .collect()
    )
    # Put in order last: sorted with the keys they would be moved with those.
    edges = with_edges(boxes.select("left", "top", "width", "height")).select(EDGES).collect()
    frame = pl.concat([places, edges[places["row"]]], how="horizontal")
    # Each box is compared with the one before it, then with the one before that, until no line has as many.
    pairs = [_sharing(frame.head(0), frame.head(0))]
    later = frame
    for distance in range(1, MAX_BOXES):
        later = later.filter(col("place") >= distance)
        if later.is_empty():
            break
        pairs.append(_sharing(later, frame[later["at"] - distance]))
    found = pl.concat(pairs)
    named = boxes.select(*line, "source_ref", "box", "label").collect()
    others = named.select(box_other="box", label_other="label")
    return pl.concat([named[found["row"]], others[found["row_other"]], found], how="horizontal")


def _sharing(later: DataFrame, earlier: DataFrame) -> DataFrame:
    """The pairs that share area, of the boxes that stand in the same row of two frames."""
    names = ("row", *EDGES)
    both = pl.concat(
        [later.select(names), earlier.select(col(name).alias(f"{name}_other") for name in names)], how="horizontal"
    )
    shared = both.lazy().filter(common() > 0)
    return shared.select(
        "row", "row_other", common=common(), area=area(), area_other=area("_other"), iou=iou()
    ).collect()


@table()
def counterparts(boxes: LazyFrame) -> LazyFrame:
    """Two attributes of a line with boxes of the same labels: of `count` boxes in both, how many stand `alone`.

    Only labels that the manifest has in several attributes are compared: one attribute for cars and one for people do
    not contradict each other.
    """
    line = ("manifest", "line")
    several = boxes.select(*line, "attribute").unique().group_by(line).len()
    shared = boxes.group_by("manifest", "label").agg(attributes=col("attribute").n_unique())
    rows = (
        with_edges(boxes)
        .join(several.filter(col("len") > 1), on=line, how="semi")
        .join(shared.filter(col("attributes") > 1), on=["manifest", "label"], how="semi")
        .select(*line, "source_ref", "attribute", "box", "label", *EDGES)
        # Used four times below: polars would compute it as often.
        .collect()
        .lazy()
    )
    counts = rows.group_by(*line, "source_ref", "attribute").agg(count=pl.len())
    is_second = col("attribute") > col("attribute_other")
    attributes = counts.join(counts, on=line, suffix="_other").filter(is_second)
    compared = rows.join(attributes, on=line, how="semi")
    both = (*line, "attribute", "attribute_other")
    pairs = (
        compared.join(compared, on=[*line, "label"], suffix="_other")
        .filter(is_second, iou() >= MIN_IOU)
        .select(*both, "box", "box_other")
        .collect()
        .lazy()
    )
    # Each box once, however many it fits.
    matched = pl.concat(
        [pairs.select(*both, "box").unique(), pairs.select(*both, col("box_other").alias("box")).unique()]
    )
    total = col("count") + col("count_other")
    counted = matched.group_by(both).agg(matched=pl.len())
    return attributes.join(counted, on=both, how="left").select(
        *line, "source_ref", "attribute", "attribute_other", count=total, alone=total - col("matched").fill_null(0)
    )
