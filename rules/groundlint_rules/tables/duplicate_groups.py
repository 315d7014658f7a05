"""Groups of images that show the same, over a whole data set and within each split."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from polars import DataFrame, LazyFrame, Series, col, lit

from groundlint import table
from groundlint_rules.tables.near_pairs import keeping_order

_MAX_RELATED = 21
"""Images of its group that a finding names: the one to keep and 20 others."""

_SAME_FRAME = (col("relation") == "exact") | ((col("relation") == "near") & (col("distance") <= 2))
"""Pairs in the same position. In an image taken a moment later, which is near too, objects may have moved."""

_IMAGE = ("data_set", "source_ref")

_GROUP = ("data_set", "split", "kept")


@table()
def duplicate_groups(near_pairs: LazyFrame, images: LazyFrame) -> DataFrame:
    """One image that shows the same as another image of its data set. Pairs that share an image form one group.

    `group`, `frame` and `exact` name a group by its first image, in the order `rank` in which one is kept: all images
    that show the same, those of them in the same position, and those of equal bytes or pixels. `distance` counts the
    bits in which the hash differs from the nearest of its pairs.
    """
    pairs = near_pairs.select(
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
    firsts = {name: _firsts(ranked.height, part.select("row", "row_b").iter_rows()) for name, part in parts.items()}
    return ranked.select(
        *_IMAGE,
        "distance",
        rank=pl.int_range(pl.len()).over("data_set"),
        **{name: refs.gather(rows) for name, rows in firsts.items()},
    )


@table()
def split_duplicates(duplicate_groups: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """One image of `duplicate_groups` in one split that names it, first on `line` of `manifest`.

    `kept`, `kept_frame` and `kept_exact` name the image to keep in the split, of each of the three kinds of group. An
    image that is alone in its split is its own.
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
def duplicates(split_duplicates: LazyFrame) -> LazyFrame:
    """One image of a split that shows the same as another image of it, except the one to keep, `kept`.

    `line` of `manifest` names it first. `relation` is exact if an image that is rather kept has equal bytes or pixels,
    else near; `original` is that image, or the one to keep. `size` is the number of images of the group in the split,
    `related` are the one to keep and up to 20 others.
    """
    members = split_duplicates.sort("data_set", "split", "rank").with_columns(
        size=pl.len().over(_GROUP), position=pl.int_range(pl.len()).over(_GROUP)
    )
    doubled = members.filter(col("source_ref") != col("kept"))
    shown = members.filter(col("position") <= _MAX_RELATED).select(
        *_GROUP, "position", place=pl.struct("manifest", "line", "source_ref")
    )
    related = (
        doubled.select(*_GROUP, "source_ref")
        .join(shown, on=_GROUP)
        .filter(col("place").struct.field("source_ref") != col("source_ref"))
        .sort("position")
        .group_by("data_set", "split", "source_ref", maintain_order=True)
        .agg(related=col("place").head(_MAX_RELATED))
    )
    is_exact = col("kept_exact") != col("source_ref")
    return doubled.join(related, on=["data_set", "split", "source_ref"]).select(
        *("data_set", "split", "manifest", "line", "source_ref", "kept", "distance", "size", "related"),
        relation=pl.when(is_exact).then(lit("exact")).otherwise(lit("near")),
        original=pl.when(is_exact).then("kept_exact").otherwise("kept"),
    )


def _firsts(count: int, pairs: Iterable[tuple[int, int]]) -> Series:
    """For each of `count` rows the first row of the group that pairs connect it with."""
    root = list(range(count))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = row = root[root[row]]
        return row

    for a, b in pairs:
        first, second = sorted((find(a), find(b)))
        root[second] = first
    return Series([find(row) for row in range(count)], dtype=pl.UInt32)
