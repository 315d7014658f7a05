"""Groups of images that belong into one part of a split."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.tables.duplicate_groups import first_rows

_IMAGE = ("data_set", "source_ref")


@table()
def split_groups(duplicate_groups: LazyFrame, similar_groups: LazyFrame, frame_sequences: LazyFrame) -> DataFrame:
    """One image that belongs into the same part of a split as others of its data set.

    They are duplicates, near-duplicates or similar images, or numbered files that may be frames of one film. `group`
    names the first image of all that are connected in one of these ways.
    """
    parts = {"group": duplicate_groups, "similar": similar_groups.rename({"group": "similar"})}
    named = [members.select(*_IMAGE, kind=lit(kind), name=kind) for kind, members in parts.items()]
    films = frame_sequences.select(*_IMAGE, kind=lit("film"), name="sequence")
    members = pl.concat([*named, films]).unique().collect()
    images = members.select(_IMAGE).unique().sort(_IMAGE).with_row_index("row")
    rows = members.join(images, on=_IMAGE).sort("data_set", "kind", "name", "row")
    paired = rows.with_columns(first=col("row").first().over("data_set", "kind", "name"))
    firsts = first_rows(images.height, paired.select("first", "row").iter_rows())
    grouped = images.select(*_IMAGE, group=images["source_ref"].gather(firsts))
    return grouped.filter(pl.len().over("data_set", "group") > 1)
