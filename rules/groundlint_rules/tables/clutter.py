"""How cluttered each image is outside its boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, Series, col

from groundlint import table
from groundlint.engine.base_tables import RECTANGLE
from groundlint_rules.features.clutter import GRID
from groundlint_rules.geometry import EDGES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grids = NDArray[np.bool_]

_MIN_OUTSIDE = 0.1
"""Smallest share of an image outside its boxes with which it is judged."""

_AT_ONCE = 1_024
"""Images whose cells are held in memory at once: about 8 MB."""

_USUAL_COLORS, _COLOR_WEIGHT = 260, 0.05
"""Median number of colors in photographs, for which the score is the edge density, and the weight of a factor of e."""

_IMAGE = ("data_set", "source_ref")


@table(features=("edge_share", "color_count"), objects=("images",))
def clutter(images: LazyFrame, boxes: LazyFrame) -> LazyFrame:
    """One image that was measured, and how cluttered it is outside its boxes.

    - `density`: share of pixels outside the boxes that are on thin edges, 0 to 1; null if less than 10% of the image
      is outside them. The boxes are left out because they hold what the image is meant to show.
    - `color_count`: number of distinct colors.
    - `score`: the density, raised or lowered by the number of colors; null where the density is. Grass has many edges
      and few colors, a full shelf has many of both.
    - `boxes`: number of boxes in the attribute that has most of them.
    - `largest`: share of the image covered by the largest box; null without boxes.
    """
    columns = (*_IMAGE, "width", "height", "edge_share", "color_count")
    measured = images.filter(col("edge_share").is_not_null()).select(columns).sort(_IMAGE).collect()
    placed = _placed(measured, boxes)
    area = (col("right") - col("left")) * (col("bottom") - col("top"))
    of_attribute = placed.group_by("row", "attribute_id").agg(boxes=pl.len(), largest=area.max())
    of_image = of_attribute.group_by("row").agg(pl.max("boxes", "largest"))
    density = _density(measured["edge_share"], placed)
    colors = _COLOR_WEIGHT * (col("color_count").clip(1) / _USUAL_COLORS).log()
    return (
        measured.select(*_IMAGE, "color_count", density=density)
        .with_row_index("row")
        .join(of_image, on="row", how="left")
        .lazy()
        .select(
            *_IMAGE,
            "density",
            "color_count",
            "largest",
            score=col("density") + colors,
            boxes=col("boxes").fill_null(0).cast(pl.Int32),
        )
    )


def _placed(measured: DataFrame, boxes: LazyFrame) -> DataFrame:
    """Boxes with the `row` of their image among those measured, and with edges as shares of the image's sides."""
    images = measured.select(*_IMAGE, width_of_image="width", height_of_image="height").with_row_index("row").lazy()
    width = pl.coalesce("image_width", "width_of_image")
    height = pl.coalesce("image_height", "height_of_image")
    edges = {
        "left": col("left") / width,
        "top": col("top") / height,
        "right": (col("left") + col("width")) / width,
        "bottom": (col("top") + col("height")) / height,
    }
    sides = (*RECTANGLE, "image_width", "image_height")
    return (
        boxes.select(*_IMAGE, "attribute_id", *sides)
        .join(images, on=_IMAGE)
        .select("row", "attribute_id", **{name: edge.clip(0, 1) for name, edge in edges.items()})
        .drop_nulls(EDGES)
        .collect()
    )


def _density(edge_shares: Series, placed: DataFrame) -> Series:
    """The share of edge pixels outside the boxes of each image."""
    import numpy as np

    from groundlint_rules.algorithms.stacked import stacked

    density = np.empty(len(edge_shares))
    for start in range(0, len(edge_shares), _AT_ONCE):
        part = edge_shares.slice(start, _AT_ONCE)
        here = placed.filter(col("row").is_between(start, start + len(part) - 1))
        shares = stacked(part, GRID * GRID, np.uint8).reshape(-1, GRID, GRID) / 255
        outside = ~_covered(len(part), here.with_columns(col("row") - start))
        area = outside.mean((1, 2))
        found = (shares * outside).mean((1, 2)) / np.maximum(area, _MIN_OUTSIDE)
        density[start : start + len(part)] = np.where(area >= _MIN_OUTSIDE, found, np.nan)
    return Series(density).fill_nan(None)


def _covered(count: int, placed: DataFrame) -> Grids:
    """Which cells a box touches, (count, GRID, GRID); partly covered cells count, because outlines are not clutter.

    Each box adds 1 to its cells: the cumulative sums, in both directions, of signs at its four corners.
    """
    import numpy as np

    rows = placed["row"].to_numpy()
    left, top = (np.floor(placed[name].to_numpy() * GRID).astype(np.intp).clip(0, GRID) for name in ("left", "top"))
    right, bottom = (np.ceil(placed[name].to_numpy() * GRID).astype(np.intp) for name in ("right", "bottom"))
    corners = np.zeros((count, GRID + 1, GRID + 1), np.int32)
    for y, x, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(corners, (rows, y, x), sign)
    covered: Grids = corners.cumsum(1).cumsum(2)[:, :GRID, :GRID] > 0
    return covered
