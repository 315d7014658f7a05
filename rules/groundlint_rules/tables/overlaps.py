"""Which boxes of a line lie on each other: within an attribute, and between two."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.geometry import EDGES, area, common, iou, with_edges

MAX_BOXES = 200
"""Boxes of a line and attribute beyond which no pairs are formed: 5,000 would make twelve million."""

MIN_IOU = 0.5
"""Intersection over union from which boxes of two attributes are counterparts."""

_PAIRS = 300_000
"""Pairs that are held at once."""


@table()
def overlaps(boxes: LazyFrame) -> LazyFrame:
    """Two boxes of a line and attribute that share area, each pair once.

    `box` comes after `box_other`; `common`, `area` and `area_other` are in px², `iou` is 0 to 1; the edges of
    both are in px. Lines of more than `MAX_BOXES` boxes are left out.
    """
    line = ("manifest", "line", "attribute", "source_ref")
    lines = (
        with_edges(boxes.filter(col("width") > 0, col("height") > 0))
        .group_by(line)
        .agg("box", "label", *EDGES, count=pl.len())
        .filter(col("count").is_between(2, MAX_BOXES))
        .with_row_index("group")
        .collect()
    )
    pairs = pl.concat([_pairs(batch) for batch in _batches(lines)])
    return pairs.lazy().join(lines.lazy().select("group", *line), on="group", how="left").drop("group")


def _batches(lines: DataFrame) -> Iterator[DataFrame]:
    """Lines in parts whose pairs fit into memory; one part at least, so that there is a schema."""
    part = (col("count").cast(pl.Int64) ** 2).cum_sum() // _PAIRS
    yield from lines.with_columns(part=part).partition_by("part", include_key=False) or [lines]


def _pairs(lines: DataFrame) -> DataFrame:
    columns = ("box", "label", *EDGES)
    rows = lines.lazy().select("group", *columns).explode(columns, empty_as_null=False)
    return (
        rows.join(rows, on="group", suffix="_other")
        .filter(col("box") > col("box_other"), common() > 0)
        .select(
            "group",
            "box",
            "box_other",
            "label",
            "label_other",
            common=common(),
            area=area(),
            area_other=area("_other"),
            iou=iou(),
            **{edge: col(edge) for edge in EDGES},
            **{f"{edge}_other": col(f"{edge}_other") for edge in EDGES},
        )
        .collect()
    )


@table()
def counterparts(boxes: LazyFrame) -> LazyFrame:
    """Two attributes of a line with boxes of the same labels: of `count` boxes in both, how many stand `alone`.

    Only labels that the manifest has in several attributes are compared: one attribute for cars and one for people do
    not contradict each other.
    """
    line = ("manifest", "line")
    several = boxes.filter(col("attribute").n_unique().over("manifest") > 1)
    shared = several.filter(col("attribute").n_unique().over("manifest", "label") > 1)
    rows = with_edges(shared).select(*line, "source_ref", "attribute", "box", "label", *EDGES)
    counts = rows.group_by(*line, "source_ref", "attribute").agg(count=pl.len())
    is_second = col("attribute") > col("attribute_other")
    attributes = counts.join(counts, on=line, suffix="_other").filter(is_second)
    compared = rows.join(attributes, on=line, how="semi")
    matched = (
        compared.join(compared, on=[*line, "label"], suffix="_other")
        .filter(is_second, iou() >= MIN_IOU)
        .group_by(*line, "attribute", "attribute_other")
        .agg(matched=col("box").n_unique() + col("box_other").n_unique())
    )
    total = col("count") + col("count_other")
    return attributes.join(matched, on=[*line, "attribute", "attribute_other"], how="left").select(
        *line, "source_ref", "attribute", "attribute_other", count=total, alone=total - col("matched").fill_null(0)
    )
