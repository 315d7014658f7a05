"""How cluttered each picture is, as far as its boxes leave something to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, Series, col

from groundlint import table
from groundlint_rules.geometry import EDGES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grids = NDArray[np.bool_]

GRID = 16
"""Cells in each direction of the feature `contours`."""

_LEAST_OUTSIDE = 0.1
"""Share of a picture outside the boxes below which it says nothing."""

_AT_ONCE = 1_024
"""Pictures whose cells are held at once: some 8 MB."""

_COLOURS, _COLOUR_WEIGHT = 260, 0.05
"""Median number of colours in photographs, at which the score is the density, and what a factor of e weighs."""


@table(features=("contours", "colours"), objects=("images",))
def clutter(images: LazyFrame, boxes: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """One image that was measured.

    `density`, 0 to 1, is the share of thin contours among the pixels outside the boxes, which are what the picture is
    about; null where these leave less than a tenth. `colours` is how many there are; `score` the density and a part of
    the colours together: grass has many contours and few colours, a full shelf has both. `boxes` is how many there are
    in the attribute of most, `largest` the share of the picture under the largest, null without any. `manifest` and
    `line` are the first that name the image.
    """
    first = lines.sort("manifest", "line").unique("source_ref", keep="first").select("manifest", "line", "source_ref")
    seen = images.filter(col("contours").is_not_null()).select("source_ref", "width", "height", "contours", "colours")
    measured = seen.join(first, on="source_ref").sort("source_ref").collect()
    placed = _placed(measured, boxes)
    counts = placed.group_by("source_ref", "manifest", "line", "attribute").agg(
        boxes=pl.len(), largest=((col("right") - col("left")) * (col("bottom") - col("top"))).max()
    )
    of_image = counts.group_by("source_ref").agg(pl.max("boxes", "largest"))
    density = _density(measured, placed)
    colours = _COLOUR_WEIGHT * (col("colours").clip(1) / _COLOURS).log()
    return (
        measured.with_columns(density=density)
        .join(of_image, on="source_ref", how="left")
        .lazy()
        .select(
            "manifest",
            "line",
            "source_ref",
            "density",
            "colours",
            "largest",
            score=col("density") + colours,
            boxes=col("boxes").fill_null(0).cast(pl.Int32),
        )
    )


def _placed(measured: DataFrame, boxes: LazyFrame) -> DataFrame:
    """Boxes with edges in parts of the picture, by `row` of the image measured."""
    names = measured.select("source_ref", "width", "height").with_row_index("row").lazy()
    wide, high = pl.coalesce("image_width", "width_image"), pl.coalesce("image_height", "height_image")
    edges = {
        "left": col("left") / wide,
        "top": col("top") / high,
        "right": (col("left") + col("width")) / wide,
        "bottom": (col("top") + col("height")) / high,
    }
    return (
        boxes.join(names, on="source_ref", suffix="_image")
        .select("row", "source_ref", "manifest", "line", "attribute", **{n: e.clip(0, 1) for n, e in edges.items()})
        .drop_nulls(EDGES)
        .collect()
    )


def _density(measured: DataFrame, placed: DataFrame) -> Series:
    """Share of contours outside the boxes of each image."""
    import numpy as np

    from groundlint_rules.algorithms.stacked import stacked

    density = np.empty(measured.height)
    for start in range(0, measured.height, _AT_ONCE):
        contours = measured["contours"].slice(start, _AT_ONCE)
        here = placed.filter(col("row").is_between(start, start + len(contours) - 1))
        shares = stacked(contours, GRID * GRID, np.uint8).reshape(-1, GRID, GRID) / 255
        outside = ~_covered(len(contours), here.with_columns(col("row") - start))
        area = outside.mean((1, 2))
        found = (shares * outside).mean((1, 2)) / np.maximum(area, _LEAST_OUTSIDE)
        density[start : start + len(contours)] = np.where(area >= _LEAST_OUTSIDE, found, np.nan)
    return Series(density).fill_nan(None)


def _covered(count: int, placed: DataFrame) -> Grids:
    """Cells that a box touches: an object's own outline is no clutter.

    Each box adds one in its cells, by the sums over both directions of what is set at its corners.
    """
    import numpy as np

    rows = placed["row"].to_numpy()
    left, top = (np.floor(placed[name].to_numpy() * GRID).astype(np.intp).clip(0, GRID) for name in ("left", "top"))
    right, bottom = (np.ceil(placed[name].to_numpy() * GRID).astype(np.intp) for name in ("right", "bottom"))
    corners = np.zeros((count, GRID + 1, GRID + 1), np.int32)
    for y, x, step in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(corners, (rows, y, x), step)
    covered: Grids = corners.cumsum(1).cumsum(2)[:, :GRID, :GRID] > 0
    return covered
