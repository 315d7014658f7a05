"""How sizes, positions and brightness are distributed in a data set: counts for charts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl
from polars import DataFrame, Expr, col

from groundlint.engine.base_tables import BASE

GRID = 10
"""Rows and columns of the grid of box positions."""

_SIDES = (8, 16, 32, 64, 128, 256, 512)
"""Limits between the bins of the shorter sides of boxes, in pixels."""

_LEVELS = tuple(range(32, 256, 32))
"""Limits between the bins of brightness."""

_MOST_SIZES = 8
"""Image sizes that are listed."""


class Bin(NamedTuple):
    """A range of values, without its upper limit, and how many are in it; a limit is None where there is none."""

    low: int | None
    high: int | None
    size: int


class SizeCount(NamedTuple):
    """Images of one size, in pixels."""

    width: int
    height: int
    images: int


class Distributions(NamedTuple):
    """One data set. Parts are empty where nothing is known.

    Attributes:
        short_sides: Boxes by their shorter side, in pixels.
        positions: Boxes by the position of their center: rows from top to bottom, in each the columns from left to
            right.
        image_sizes: The most frequent sizes of images, the most frequent first.
        other_sizes: Images of any other size.
        bright_levels: Images by the level that 99.5% of their pixels do not exceed, 0 to 255.
    """

    short_sides: list[Bin]
    positions: list[list[int]]
    image_sizes: list[SizeCount]
    other_sizes: int
    bright_levels: list[Bin]


def distributions(tables: Mapping[str, DataFrame], count: int) -> list[Distributions]:
    """The distributions of data sets, in their order.

    Args:
        tables: The tables `boxes`, `attributes` and, if images were looked for, `images`.
        count: Number of data sets of the run.
    """
    images = tables.get("images", BASE["images"].empty())
    return [
        _of_data_set(*(rows.filter(col("data_set") == n) for rows in (tables["boxes"], tables["attributes"], images)))
        for n in range(count)
    ]


def _of_data_set(boxes: DataFrame, attributes: DataFrame, images: DataFrame) -> Distributions:
    # A manifest in two splits has its rows twice.
    boxes = boxes.unique(["manifest", "line", "attribute", "box"], maintain_order=True)
    sizes = images.select("width", "height").drop_nulls()
    if sizes.is_empty():
        declared = attributes.select("source_ref", width="image_width", height="image_height").drop_nulls().unique()
        sizes = declared.drop("source_ref")
    counts = sizes.group_by("width", "height").len("images").sort("images", "width", "height", descending=True)
    most = counts.head(_MOST_SIZES)
    has_levels = "bright_level" in images.columns
    return Distributions(
        _bins(boxes.select(value=pl.min_horizontal("width", "height")), _SIDES),
        _positions(boxes),
        [SizeCount(*row) for row in most.iter_rows()],
        int(counts["images"].sum()) - int(most["images"].sum()),
        _bins(images.select(value="bright_level"), _LEVELS) if has_levels else [],
    )


def _bins(rows: DataFrame, limits: Sequence[int]) -> list[Bin]:
    """The finite `value`s by the limits between bins; empty if there are none."""
    values = rows["value"].cast(pl.Float64)
    values = values.filter(values.is_finite().fill_null(False))
    if values.is_empty():
        return []
    edges = [None, *limits, None]
    counts = []
    for low, high in itertools.pairwise(edges):
        is_inside = (values >= (low if low is not None else float("-inf"))) & (
            values < (high if high is not None else float("inf"))
        )
        counts.append(Bin(low, high, int(is_inside.sum())))
    return counts


def _positions(boxes: DataFrame) -> list[list[int]]:
    cells = boxes.select(row=_cell("top", "height"), column=_cell("left", "width")).drop_nulls()
    if cells.is_empty():
        return []
    counts = {(row, column): count for row, column, count in cells.group_by("row", "column").len().iter_rows()}
    return [[counts.get((row, column), 0) for column in range(GRID)] for row in range(GRID)]


def _cell(start: str, length: str) -> Expr:
    """The row or column of the grid in which the center of a box lies; null where the size of the image is unknown."""
    center = (col(start) + col(length) / 2) / col(f"image_{length}")
    cell = (center * GRID).floor().clip(0, GRID - 1)
    return pl.when(center.is_finite()).then(cell).cast(pl.Int32)
