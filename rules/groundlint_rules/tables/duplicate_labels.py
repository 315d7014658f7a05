"""The labels and boxes of duplicates beside those of the image they are compared with."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table
from groundlint_rules.geometry import EDGES, iou, with_edges

MATCHED = 0.945
"""Intersection over union from which two boxes match: those of copies in one published set overlap by 0.947 or more."""

_IMAGE = ("data_set", "split", "source_ref")


@table()
def duplicate_labels(split_duplicates: LazyFrame, labels: LazyFrame) -> LazyFrame:
    """The image-level labels of a duplicate in one attribute beside those of `first`, the first labeled image of its
    group.

    `labels` and `labels_first` join the labels by commas; `label` is the only one of the duplicate, else null.
    `attribute` is null where the two images have no attribute in common and all labels are compared.
    """
    named = labels.select(*_IMAGE, "attribute", "label")
    labeled = split_duplicates.join(named, on=_IMAGE, how="semi").sort("rank")
    first = labeled.group_by("data_set", "split", "kept").agg(first=col("source_ref").first())
    doubled = split_duplicates.select(*_IMAGE, "kept").join(first, on=["data_set", "split", "kept"])
    both = _comparable(doubled.filter(col("source_ref") != col("first")).drop("kept"), named)
    place = [*_IMAGE, "first", "attribute"]
    own, theirs = (
        rows.group_by(place).agg(
            labels=col("label").unique().sort().str.join(", "),
            label=pl.when(col("label").n_unique() == 1).then(col("label").first()),
        )
        for rows in both
    )
    return own.join(theirs.drop("label"), on=place, suffix="_first", nulls_equal=True)


@table()
def duplicate_boxes(split_duplicates: LazyFrame, boxes: LazyFrame, images: LazyFrame) -> LazyFrame:
    """One box of a duplicate, or of `first`, the image of equal size in the same position that it is compared with.

    `overlap` is the highest intersection over union with a box of the same label in the other image, 0 if there is
    none. `attribute` is null where the two images have no attribute in common and all boxes are compared.
    """
    # Collected, because the queries below would read all boxes many times.
    of_members = boxes.join(split_duplicates, on=_IMAGE, how="semi").collect().lazy()
    edges = with_edges(of_members).select(*_IMAGE, "attribute", "label", *EDGES)
    both = _comparable(_of_equal_size(split_duplicates, images), edges)
    own, theirs = (rows.with_row_index("row") for rows in both)
    place = [*_IMAGE, "first", "attribute", "label"]
    overlaps = own.join(theirs, on=place, suffix="_other", nulls_equal=True).select("row", "row_other", overlap=iou())
    sides = (
        rows.join(overlaps.group_by(row).agg(col("overlap").max()), left_on="row", right_on=row, how="left")
        for rows, row in ((own, "row"), (theirs, "row_other"))
    )
    return pl.concat(side.select(*place, col("overlap").fill_null(0.0)) for side in sides)


def _of_equal_size(split_duplicates: LazyFrame, images: LazyFrame) -> LazyFrame:
    """Images of a split with the `first` image in the same position, where both have one size."""
    size = images.select("data_set", "source_ref", "width", "height")
    return (
        split_duplicates.select(*_IMAGE, first="kept_frame")
        .filter(col("source_ref") != col("first"))
        .join(size, on=["data_set", "source_ref"])
        .join(size, left_on=["data_set", "first"], right_on=["data_set", "source_ref"], suffix="_first")
        .filter(col("width") == col("width_first"), col("height") == col("height_first"))
        .select(*_IMAGE, "first")
    )


def _comparable(pairs: LazyFrame, rows: LazyFrame) -> tuple[LazyFrame, LazyFrame]:
    """The rows of each image, and those of its `first` image; both have the source-refs of the two as columns.

    If the two have attributes in common, only these are compared. Otherwise all are, with the attribute null: two
    labeling jobs may name their attributes differently.
    """
    own = pairs.join(rows, on=_IMAGE)
    theirs = pairs.join(rows, left_on=["data_set", "split", "first"], right_on=_IMAGE)
    shared = own.join(theirs, on=[*_IMAGE, "attribute"], how="semi").select(*_IMAGE, "attribute").unique()

    def compared(side: LazyFrame) -> LazyFrame:
        of_shared = side.join(shared, on=[*_IMAGE, "attribute"], how="semi")
        of_none = side.join(shared, on=_IMAGE, how="anti").with_columns(attribute=lit(None, pl.String))
        return pl.concat([of_shared, of_none])

    return compared(own), compared(theirs)
