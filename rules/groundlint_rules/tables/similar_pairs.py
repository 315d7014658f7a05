"""Similar images: pairs of which one is a part of the other or a frame of the same film, and their groups."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.features.small_image import MEDIUM_SIDE
from groundlint_rules.tables.duplicate_groups import first_rows
from groundlint_rules.tables.near_pairs import keeping_order, named
from groundlint_rules.tables.scene_changes import without_other_objects

MAX_COMPARED = 100_000
"""Images of a data set above which they are not compared: time grows with their square."""

_NEIGHBORS = 10
"""Nearest neighbors of each image that are candidates.

A crop is among the ten nearest of 1,546 images of clothing, where different garments look alike, in 0.99 (15%) and 0.94
(30%) of the cases."""

_MIN_COSINE = 0.35
"""Cosine of embeddings, less their mean, of a candidate."""

_FEW = 50
"""Images up to which the cosine does not matter: the mean of few images is too much like each of them."""

_BATCH = 2048
"""Pairs whose images are decoded together."""

_IMAGE = ("data_set", "source_ref")

_PAIRS = pl.Schema({"a": pl.UInt32(), "b": pl.UInt32(), "similarity": pl.Float64()})


@table(features=("image_embedding", "medium_image", "small_image"))
def similar_pairs(
    images: LazyFrame, duplicate_groups: LazyFrame, lines: LazyFrame, boxes: LazyFrame, labels: LazyFrame
) -> LazyFrame:
    """Two images of a data set that show nearly the same, although neither is a version of the other.

    `similarity` is the correlation with which the middle of one is found in the other, 0.94 to 1. Of duplicates, only
    the first of a group is compared. Images are compared with their ten nearest neighbors. Images of one scene that
    show other objects are no pair.
    """
    copies = duplicate_groups.filter(col("group") != col("source_ref"))
    rows = (
        images.filter(col("image_embedding").is_not_null(), col("medium_image").is_not_null())
        .filter(pl.len().over("data_set") <= MAX_COMPARED)
        .join(copies, on=_IMAGE, how="anti")
        .select(*_IMAGE, "image_embedding", "medium_image")
        # Sorted, so that rounding does not depend on the order of lines.
        .sort(_IMAGE)
        .collect()
        .with_row_index("row")
    )
    pairs = pl.concat([DataFrame(schema=_PAIRS), *_of_each_data_set(rows)])
    similar = pairs.with_columns(distance=lit(None, pl.Int32), relation=lit("similar"), is_crop=lit(False))
    found = named(similar, rows.select("row", *_IMAGE), lines, "similarity")
    return without_other_objects(found, images, boxes, labels)


@table()
def similar_groups(
    similar_pairs: LazyFrame, duplicate_groups: LazyFrame, images: LazyFrame, lines: LazyFrame
) -> LazyFrame:
    """One image, in one split, of a group of similar images and their duplicates; connected pairs form a group.

    `group` names the first image, `rank` is the order in which images are kept, best first, and `similarity` that of
    the most similar pair. `is_duplicate` where another rule reports the image: as a duplicate of a better one in its
    split, or as a test image that is a duplicate of a training image.
    """
    pairs = similar_pairs.select("data_set", "a_source_ref", "b_source_ref", "similarity").collect()
    ends = [pairs.select("data_set", "similarity", source_ref=side) for side in ("a_source_ref", "b_source_ref")]
    # Rounded, because the last digits depend on how a machine adds up.
    paired = pl.concat(ends).group_by(_IMAGE).agg(col("similarity").max().round(6))
    paired = paired.sort(_IMAGE).with_row_index("row")
    numbers = paired.select("row", *_IMAGE)
    numbered = pairs.join(numbers, left_on=["data_set", "a_source_ref"], right_on=_IMAGE).join(
        numbers, left_on=["data_set", "b_source_ref"], right_on=_IMAGE, suffix="_b"
    )
    firsts = first_rows(paired.height, numbered.select("row", "row_b").iter_rows())
    grouped = paired.select(*_IMAGE, "similarity", similar=paired["source_ref"].gather(firsts)).lazy()
    duplicates = duplicate_groups.select(*_IMAGE, copied="group")
    of_copies = duplicates.join(grouped, left_on=["data_set", "copied"], right_on=_IMAGE)
    of_others = grouped.join(duplicates, on=_IMAGE, how="anti").with_columns(copied="source_ref")
    members = pl.concat([of_copies, of_others.select(of_copies.collect_schema().names())])
    first = (
        lines.join(members, on=_IMAGE, how="semi")
        .sort("manifest", "line")
        .unique(["data_set", "split", "source_ref"], keep="first")
        .select("data_set", "split", "manifest", "line", "source_ref")
    )
    area = col("width").cast(pl.Int64) * col("height")
    sizes = images.select(*_IMAGE, "bytes", area=area)
    is_trained = (col("split") == "train").any().over("data_set", "copied")
    position = pl.int_range(pl.len()).over("data_set", "split", "copied")
    return (
        first.join(members, on=_IMAGE)
        .join(sizes, on=_IMAGE)
        .sort("data_set", *keeping_order(col("area")), "split", nulls_last=True)
        .with_columns(
            rank=pl.int_range(pl.len()).over("data_set"),
            is_duplicate=(position > 0) | ((col("split") == "test") & is_trained),
        )
        .select(
            *("data_set", "split", "manifest", "line", "source_ref", "rank", "similarity", "is_duplicate"),
            group="similar",
        )
    )


def _of_each_data_set(rows: DataFrame) -> Iterator[DataFrame]:
    """Similar pairs of the images of each data set; the rows are sorted by data set."""
    start = 0
    for length in rows["data_set"].rle().struct.field("len"):
        yield _similar(rows.slice(start, length))
        start += length


def _similar(rows: DataFrame) -> DataFrame:
    import numpy as np

    from groundlint_rules.algorithms.image_overlap import MIN_OVERLAP, overlap
    from groundlint_rules.algorithms.nearest_neighbors import nearest, reduced
    from groundlint_rules.algorithms.stacked import stacked

    embeddings = reduced(stacked(rows["image_embedding"], NUMBERS, np.uint8))
    near = nearest(embeddings, _NEIGHBORS, _MIN_COSINE if len(rows) > _FEW else -np.inf)
    parts = [DataFrame(schema=_PAIRS)]
    for start in range(0, len(near), _BATCH):
        pair = near[start : start + _BATCH]
        one, other = (
            stacked(rows["medium_image"].gather(positions), MEDIUM_SIDE**2, np.uint8).reshape(
                -1, MEDIUM_SIDE, MEDIUM_SIDE
            )
            for positions in pair.T
        )
        similarity = overlap(one, other)
        found = similarity >= MIN_OVERLAP
        a, b = (rows["row"].gather(pair[found, side]) for side in (0, 1))
        parts.append(DataFrame({"a": a, "b": b, "similarity": similarity[found].astype(np.float64)}, schema=_PAIRS))
    return pl.concat(parts)
