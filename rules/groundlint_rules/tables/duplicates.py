"""Groups of images of a split that show the same, and leaks between splits."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.tables.near_pairs import keeping_order

_SCHEMA = pl.Schema(
    {"source_ref": pl.String(), "kept": pl.String(), "relation": pl.String(), "others": pl.List(pl.String())}
)


@table()
def split_pairs(near_pairs: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """The rows of `near_pairs` with the split of each image, `a_split` and `b_split`: that of its first line."""
    first = lines.sort("manifest", "line").unique("source_ref", keep="first")
    splits = first.select("source_ref", col("split").cast(pl.String))
    return (
        near_pairs.join(splits, left_on="a_source_ref", right_on="source_ref")
        .rename({"split": "a_split"})
        .join(splits, left_on="b_source_ref", right_on="source_ref")
        .rename({"split": "b_split"})
    )


@table()
def duplicates(split_pairs: LazyFrame, images: LazyFrame) -> DataFrame:
    """One image that shows the same as another of its split, the one to keep.

    `relation` is exact if equal bytes or pixels lead to the one kept, else near; `others` is the rest of its group, the
    one kept first.
    """
    pairs = split_pairs.filter(col("a_split") == col("b_split")).collect()
    named = pl.concat([pairs["a_source_ref"], pairs["b_source_ref"]]).unique()
    area = col("width").cast(pl.Int64) * col("height")
    chosen = images.filter(col("source_ref").is_in(named.implode())).sort(*keeping_order(area), nulls_last=True)
    rank = {ref: n for n, ref in enumerate(chosen.select("source_ref").collect()["source_ref"])}
    every = list(pairs.select("a_source_ref", "b_source_ref", "relation").iter_rows())
    exact = _groups([(a, b) for a, b, relation in every if relation == "exact"], rank)
    whole = _groups([(a, b) for a, b, _ in every], rank)
    rows = [
        (
            member,
            group[0],
            "exact" if exact.get(member, [member])[0] != member else "near",
            [r for r in group if r != member],
        )
        for member, group in whole.items()
        if member != group[0]
    ]
    return DataFrame(rows, schema=_SCHEMA, orient="row")


def _groups(pairs: list[tuple[str, str]], rank: dict[str, int]) -> dict[str, list[str]]:
    """For each image the group that it is in, the one to keep first: whatever pairs lead to."""
    root = {name: name for pair in pairs for name in pair}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = name = root[root[name]]
        return name

    for a, b in pairs:
        first, second = sorted((find(a), find(b)), key=rank.__getitem__)
        root[second] = first
    groups: dict[str, list[str]] = {}
    for name in sorted(root, key=rank.__getitem__):
        groups.setdefault(find(name), []).append(name)
    return {name: group for group in groups.values() for name in group}
