"""Boxes whose content is found again in the same image, where no box is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from polars import DataFrame, LazyFrame, col

from groundlint import table
from groundlint_rules.features.small_image import MEDIUM_SIDE
from groundlint_rules.wide_columns import wide_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_AREA = 0.1
"""Share of the image above which a box is no small object such as a logo."""

_MOST_OF_IMAGE = 5
"""Boxes of an image whose content is looked for, the largest first, to limit the time."""

_SCHEMA = pl.Schema(
    {
        "data_set": pl.Int32(),
        "box_id": pl.Int32(),
        "correlation": pl.Float64(),
        "at_left": pl.Float64(),
        "at_top": pl.Float64(),
        "at_width": pl.Float64(),
        "at_height": pl.Float64(),
    }
)


@table(features=("medium_image",))
def unboxed_repeats(boxes: LazyFrame, images: LazyFrame) -> DataFrame:
    """One small box, and the place outside of all boxes of its image that correlates most with its content.

    `correlation`, 0 to 1, is that of the gray levels at 64 px. Boxes of up to a tenth of the image are looked for, at
    most five of an image. `at_left`, `at_top`, `at_width` and `at_height` are px of the image.
    """
    sides = ("left", "top", "width", "height")
    drawn = boxes.filter("usable").drop_nulls([*sides, "image_width", "image_height"])
    drawn = drawn.filter(col("image_width") > 0, col("image_height") > 0)
    columns = ("data_set", "source_ref", "box_id", *sides, "image_width", "image_height")
    small = col("width") * col("height") <= _MAX_AREA * col("image_width") * col("image_height")
    found: list[dict[str, Any]] = []
    with_small = drawn.filter(small).select("data_set", "source_ref").unique()
    rows = drawn.select(columns).join(with_small, on=["data_set", "source_ref"], how="semi")
    medium = wide_column(images, "medium_image", MEDIUM_SIDE**2, among=with_small)
    rows = rows.join(medium.rows.lazy(), on=["data_set", "source_ref"]).sort("place", "box_id")
    for (place,), image in rows.collect().group_by("place", maintain_order=True):
        found += _of_image(image, medium.values[place].reshape(MEDIUM_SIDE, MEDIUM_SIDE))
    return DataFrame(found, schema=_SCHEMA, orient="row")


def _of_image(rows: DataFrame, gray: NDArray[np.uint8]) -> list[dict[str, Any]]:
    from groundlint_rules.algorithms.repeated_patch import MIN_SIDE, repetition

    edges = {}
    for row in rows.iter_rows(named=True):
        x, y = (MEDIUM_SIDE / row[side] for side in ("image_width", "image_height"))
        ends = ((row["left"], x), (row["top"], y), (row["left"] + row["width"], x), (row["top"] + row["height"], y))
        edges[row["box_id"]] = tuple(min(MEDIUM_SIDE, max(0, round(end * scale))) for end, scale in ends)
    size = {box: (right - left) * (bottom - top) for box, (left, top, right, bottom) in edges.items()}
    chosen = [box for box in edges if 0 < size[box] <= _MAX_AREA * MEDIUM_SIDE**2]
    chosen.sort(key=lambda box: (-size[box], edges[box]))
    found = []
    for box in chosen[:_MOST_OF_IMAGE]:
        left, top, right, bottom = edges[box]
        place = None
        if min(right - left, bottom - top) >= MIN_SIDE:
            place = repetition(gray, (left, top, right, bottom), list(edges.values()))
        if place:
            first = rows.row(0, named=True)
            x, y = (first[side] / MEDIUM_SIDE for side in ("image_width", "image_height"))
            at = place.edges
            row = {"data_set": first["data_set"], "box_id": box, "correlation": place.correlation}
            row |= {"at_left": at[0] * x, "at_top": at[1] * y}
            found.append(row | {"at_width": (at[2] - at[0]) * x, "at_height": (at[3] - at[1]) * y})
    return found
