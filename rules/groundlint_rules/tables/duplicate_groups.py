"""Groups of images that are duplicates of each other, in a whole data set and within each split."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from polars import DataFrame, LazyFrame, Series, col, lit

from groundlint import table
from groundlint_rules.tables.duplicate_labels import MATCHED
from groundlint_rules.tables.near_pairs import keeping_order

MAX_RELATED = 21
"""Images of its group that a finding names: the one to keep and 20 others."""

_SAME_FRAME = (col("relation") == "exact") | ((col("relation") == "near") & (col("distance") <= 2) & ~col("is_crop"))
"""Whether a pair has its objects in the same position: in images taken moments apart, they may have moved."""

_IMAGE = ("data_set", "source_ref")

_GROUP = ("data_set", "split", "kept")


@table()
def duplicate_groups(hash_pairs: LazyFrame, images: LazyFrame) -> DataFrame:
    """One image that is a duplicate or near-duplicate of another image of its data set. Connected pairs form a group.

    `group`, `frame` and `exact` are three nested groups, each named by its first image: all duplicates, those in the
    same position, and those of equal bytes or pixels. `rank` is the order in which images are kept, best first.
    `distance` is the number of bits in which the hash of the image differs from that of the nearest one paired with it.
    """
    pairs = hash_pairs.select(
        "data_set", "a_source_ref", "b_source_ref", "relation", "distance", same_frame=_SAME_FRAME
    ).collect()
    ends = [pairs.select("data_set", "distance", source_ref=side) for side in ("a_source_ref", "b_source_ref")]
    paired = pl.concat(ends).group_by(_IMAGE).agg(col("distance").min())
    area = col("width").cast(pl.Int64) * col("height")
    ranked = (
        images.join(paired.lazy(), on=_IMAGE)
        .sort("data_set", *keeping_order(area), nulls_last=True)
        .select(*_IMAGE, "distance")
        .collect()
        .with_row_index("row")
    )
    numbers = ranked.select("row", *_IMAGE)
    numbered = pairs.join(numbers, left_on=["data_set", "a_source_ref"], right_on=_IMAGE).join(
        numbers, left_on=["data_set", "b_source_ref"], right_on=_IMAGE, suffix="_b"
    )
    refs = ranked["source_ref"]
    parts = {
        "group": numbered,
        "frame": numbered.filter("same_frame"),
        "exact": numbered.filter(col("relation") == "exact"),
    }
    firsts = {name: first_rows(ranked.height, part.select("row", "row_b").iter_rows()) for name, part in parts.items()}
    return ranked.select(
        *_IMAGE,
        "distance",
        rank=pl.int_range(pl.len()).over("data_set"),
        **{name: refs.gather(rows) for name, rows in firsts.items()},
    )


@table()
def split_duplicates(duplicate_groups: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """One image of `duplicate_groups` in one split that names it, first on `line` of `manifest`.

    `kept`, `kept_frame` and `kept_exact` name the image of `group`, `frame` and `exact` to keep in the split: the image
    itself if it is the only one of its group there.
    """
    first = (
        lines.join(duplicate_groups, on=_IMAGE, how="semi")
        .sort("manifest", "line")
        .unique(["data_set", "split", "source_ref"], keep="first")
    )
    members = first.select("data_set", "split", "manifest", "line", "source_ref").join(duplicate_groups, on=_IMAGE)
    kinds = {"kept": "group", "kept_frame": "frame", "kept_exact": "exact"}
    return members.sort("data_set", "split", "rank").with_columns(
        col("source_ref").first().over("data_set", "split", kind).alias(name) for name, kind in kinds.items()
    )


@table()
def duplicates(split_duplicates: LazyFrame, duplicate_labels: LazyFrame, duplicate_boxes: LazyFrame) -> LazyFrame:
    """One duplicate of a split: each image of a group except `kept`, the one to keep.

    `line` of `manifest` names it first. `relation` is exact if an image that is kept in its place has equal bytes or
    pixels, else near; `original` is that image, else `kept`. `size` is the number of images of the group in the split,
    and `related` holds the one to keep and up to 20 others. It `agrees` if its labels and boxes are those of the images
    it is compared with.
    """
    members = split_duplicates.sort("data_set", "split", "rank").with_columns(
        size=pl.len().over(_GROUP), position=pl.int_range(pl.len()).over(_GROUP)
    )
    doubled = members.filter(col("source_ref") != col("kept"))
    shown = members.filter(col("position") <= MAX_RELATED).select(
        *_GROUP, "position", place=pl.struct("manifest", "line", "source_ref")
    )
    related = (
        doubled.select(*_GROUP, "source_ref")
        .join(shown, on=_GROUP)
        .filter(col("place").struct.field("source_ref") != col("source_ref"))
        .sort("position")
        .group_by("data_set", "split", "source_ref", maintain_order=True)
        .agg(related=col("place").head(MAX_RELATED))
    )
    image = ["data_set", "split", "source_ref"]
    differing = pl.concat(
        [
            duplicate_labels.filter(col("labels") != col("labels_first")).select(image),
            duplicate_boxes.filter(col("overlap") < MATCHED).select(image),
        ]
    ).unique()
    agreeing = differing.with_columns(agrees=lit(value=False))
    compared = doubled.join(related, on=image).join(agreeing, on=image, how="left")
    is_exact = col("kept_exact") != col("source_ref")
    return compared.select(
        *("data_set", "split", "manifest", "line", "source_ref", "kept", "distance", "size", "related"),
        col("agrees").fill_null(value=True),
        relation=pl.when(is_exact).then(lit("exact")).otherwise(lit("near")),
        original=pl.when(is_exact).then("kept_exact").otherwise("kept"),
    )


def first_rows(count: int, pairs: Iterable[tuple[int, int]]) -> Series:
    """For each of `count` rows, the first row of its group; pairs of rows connect a group."""
    root = list(range(count))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = row = root[root[row]]
        return row

    for a, b in pairs:
        first, second = sorted((find(a), find(b)))
        root[second] = first
    return Series([find(row) for row in range(count)], dtype=pl.UInt32)
