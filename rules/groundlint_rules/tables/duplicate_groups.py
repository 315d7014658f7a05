"""Groups of images that show the same, over a whole data set and within each split."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.tables.near_pairs import keeping_order

_COPIES = pl.Schema(
    {"source_ref": pl.String(), "rank": pl.Int64(), "group": pl.String(), "frame": pl.String(), "exact": pl.String()}
)

_SAME_FRAME = (col("relation") == "exact") | ((col("relation") == "near") & (col("distance") <= 2))
"""Pairs in one position. A picture taken again a moment later is a near duplicate too, and things may have moved."""


@table()
def copies(near_pairs: LazyFrame, images: LazyFrame) -> DataFrame:
    """One image that shows the same as another of the data set, in groups that hold whatever pairs lead to.

    `group`, `frame` and `exact` each name the first image of a group, in the order `rank` in which one is kept: of all
    that show the same, of those among them that lie in the same position, and of those that are equal in bytes or
    pixels.
    """
    pairs = near_pairs.select("a_source_ref", "b_source_ref", "relation", same_frame=_SAME_FRAME).collect()
    named = pl.concat([pairs["a_source_ref"], pairs["b_source_ref"]]).unique()
    area = col("width").cast(pl.Int64) * col("height")
    chosen = images.filter(col("source_ref").is_in(named.implode())).sort(*keeping_order(area), nulls_last=True)
    refs = chosen.select("source_ref").collect()["source_ref"].to_list()
    parts = (pairs, pairs.filter("same_frame"), pairs.filter(col("relation") == "exact"))
    firsts = [_firsts(refs, part.select("a_source_ref", "b_source_ref").iter_rows()) for part in parts]
    rows = [(ref, rank, *(first[ref] for first in firsts)) for rank, ref in enumerate(refs)]
    return DataFrame(rows, schema=_COPIES, orient="row")


@table()
def split_copies(copies: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """One row of `copies` in each split that names the image, first on `line` of `manifest`.

    `kept`, `kept_frame` and `kept_exact` name the first of the split in each of the three kinds of group.
    """
    first = lines.sort("manifest", "line").unique(["split", "source_ref"], keep="first")
    members = first.select(col("split").cast(pl.String), "manifest", "line", "source_ref").join(copies, on="source_ref")
    kinds = {"kept": "group", "kept_frame": "frame", "kept_exact": "exact"}
    return members.sort("split", "rank").with_columns(
        col("source_ref").first().over("split", of).alias(name) for name, of in kinds.items()
    )


@table()
def duplicates(split_copies: LazyFrame) -> LazyFrame:
    """One image of a split that shows the same as another of it, the one to keep; `line` of `manifest` names it first.

    `relation` is exact if an image that would rather be kept is equal in bytes or pixels, else near; `like` is that
    image, or the one kept. `others` is the rest of its group in the split, the one kept first.
    """
    members = split_copies.collect()
    groups = members.group_by("split", "kept", maintain_order=True).agg(all="source_ref")
    doubled = members.filter(col("source_ref") != col("kept"))
    named = doubled.join(groups, on=["split", "kept"], how="left", maintain_order="left")
    others = [[name for name in names if name != own] for own, names in named.select("source_ref", "all").iter_rows()]
    is_exact = col("kept_exact") != col("source_ref")
    return doubled.lazy().select(
        "split",
        "manifest",
        "line",
        "source_ref",
        "kept",
        relation=pl.when(is_exact).then(pl.lit("exact")).otherwise(pl.lit("near")),
        like=pl.when(is_exact).then("kept_exact").otherwise("kept"),
        others=pl.Series(others, dtype=pl.List(pl.String)),
    )


def _firsts(names: list[str], pairs: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """For each name the first, in their order, of the group that pairs lead to."""
    rank = {name: n for n, name in enumerate(names)}
    root = {name: name for name in names}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = name = root[root[name]]
        return name

    for a, b in pairs:
        first, second = sorted((find(a), find(b)), key=rank.__getitem__)
        root[second] = first
    return {name: find(name) for name in names}
