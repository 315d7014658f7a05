"""How much of each boxed object is to be seen: what the frame cuts off and what other boxes cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.geometry import EDGES, with_edges
from groundlint_rules.tables.overlaps import MAX_BOXES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BOX = ("manifest", "line", "attribute", "box")

_NEAR_PIXELS, _NEAR_SHARE = 2, 0.0025
"""Distance from the frame that counts as contact: converters write width - 1 and count from 1."""

_TIE = 0.02
"""Share of a box's height by which another's lower edge must be lower to be in front."""

_WHOLE = 0.9
"""Share of the image from which a box is one of the whole image, which the frame does not cut."""

_CUT = (0.33, 0.71, 0.85, 0.90, 0.94)
"""Share of VOC objects that people called truncated, by the number of sides that touch the frame."""

_CELLS = 4_000_000
"""Cells that are held at once where pieces are united."""

_COVERS = {
    "covered": col("in_front"),
    "covered_same": col("in_front") & (col("label") == col("label_other")),
    "covered_other": col("in_front") & (col("label") != col("label_other")),
    "covered_same_any": col("label") == col("label_other"),
    "covered_other_any": col("label") != col("label_other"),
}


@table()
def visibility(boxes: LazyFrame, overlaps: LazyFrame) -> DataFrame:
    """One box, and how much of it is to be seen.

    `sides` of the frame that it touches, 0 to 4, null without `image_size` and for a box that leaves the image, which
    the service rejects; `covered`, 0 to 1, the share of its area under boxes in front of it, of which `covered_same`
    under those of its label and `covered_other` under others; `covered_same_any`
    and `covered_other_any` the same under any boxes, in front or not; `score` 0 visible to 1 hidden or cut, null where
    neither is known. In front is what has the lower bottom edge, or at equal ones is bigger: on the ground the nearer
    thing stands lower in the picture. Lines of too many boxes to compare have no `covered`.
    """
    near_x = pl.max_horizontal(lit(_NEAR_PIXELS), _NEAR_SHARE * col("image_width"))
    near_y = pl.max_horizontal(lit(_NEAR_PIXELS), _NEAR_SHARE * col("image_height"))
    touched = (
        (col("left") <= near_x).cast(pl.Int32)
        + (col("top") <= near_y)
        + (col("left") + col("width") >= col("image_width") - near_x)
        + (col("top") + col("height") >= col("image_height") - near_y)
    )
    is_inside = (
        (pl.min_horizontal("left", "top") >= 0)
        & (col("left") + col("width") <= col("image_width"))
        & (col("top") + col("height") <= col("image_height"))
    )
    is_whole = col("width") * col("height") >= _WHOLE * col("image_width") * col("image_height")
    sides = boxes.select(
        *_BOX,
        "split",
        "source_ref",
        "label",
        sides=pl.when(is_inside).then(pl.when(is_whole).then(0).otherwise(touched)),
        is_compared=pl.len().over("manifest", "line", "attribute") <= MAX_BOXES,
    ).collect()
    found = _covered(with_edges(boxes.select("label", "left", "top", "width", "height")), overlaps).collect()
    # Few boxes are covered. They are put in their places rather than joined, which would copy what all boxes have.
    for name in _COVERS:
        share = pl.zeros(sides.height, pl.Float64, eager=True).scatter(found["row"], found[name].fill_null(0.0))
        sides = sides.with_columns(pl.when("is_compared").then(share).alias(name))
    cut = col("sides").replace_strict(dict(enumerate((0.0, *_CUT[1:]))), return_dtype=pl.Float64)
    return sides.drop("is_compared").with_columns(score=pl.max_horizontal(cut, "covered"))


def _covered(boxes: LazyFrame, overlaps: LazyFrame) -> LazyFrame:
    """The covered shares of each box that shares area with another, by its `row`."""
    columns = ("row", "row_other", "common", "area", "area_other")
    swapped = overlaps.rename({"row": "row_other", "row_other": "row", "area": "area_other", "area_other": "area"})
    # In order, polars need not look for what belongs together.
    pairs = pl.concat([overlaps.select(columns), swapped.select(columns)]).sort("row").collect()
    own = boxes.select("label", *EDGES).collect()
    other = own.rename(lambda name: f"{name}_other")
    both = pl.concat([pairs, own[pairs["row"]], other[pairs["row_other"]]], how="horizontal")
    lower = col("bottom_other") - col("bottom")
    tie = _TIE * (col("bottom") - col("top"))
    in_front = (lower > tie) | ((lower.abs() <= tie) & (col("area_other") > col("area")))
    pieces = both.select(
        "row",
        "label",
        "label_other",
        "area",
        "common",
        in_front=in_front,
        left=pl.max_horizontal("left", "left_other"),
        top=pl.max_horizontal("top", "top_other"),
        right=pl.min_horizontal("right", "right_other"),
        bottom=pl.min_horizontal("bottom", "bottom_other"),
    )
    found = pieces.lazy().select("row").unique()
    for name, cover in _COVERS.items():
        found = found.join(_share(pieces.filter(cover), name), on="row", how="left")
    return found


def _share(pieces: DataFrame, name: str) -> LazyFrame:
    """Share of each box's area that lies under pieces: of several the union is taken."""
    grouped = pieces.group_by("row").agg(count=pl.len(), total=col("common").sum(), area=col("area").first())
    several = grouped.filter(col("count") > 1).select("row", "count")
    unions = _unions(pieces.select("row", *EDGES).join(several, on="row", maintain_order="left"))
    # Rounded, since the last digits depend on how many are added up at once.
    share = (pl.coalesce("union", "total") / col("area")).round(9)
    return grouped.lazy().join(unions.lazy(), on="row", how="left").select("row", share.alias(name))


def _unions(pieces: DataFrame) -> DataFrame:
    """Area under the pieces of each `row`, of which it has `count`; they are in order."""
    found = [DataFrame(schema={"row": pieces.schema["row"], "union": pl.Float64})]
    for (count,), part in pieces.group_by("count"):
        rectangles = part.select(EDGES).to_numpy().reshape(-1, count, len(EDGES))
        found.append(DataFrame({"row": part["row"].gather_every(count), "union": union_areas(rectangles)}))
    return pl.concat(found)


def union_areas(rectangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Areas under sets of rectangles, what several of a set cover counted once.

    Their edges cut the plane into cells, each of which lies in a rectangle or outside.

    Args:
        rectangles: (sets, rectangles of a set, 4): left, top, right, bottom.
    """
    import numpy as np

    count = rectangles.shape[1]
    areas = np.empty(len(rectangles))
    step = max(1, _CELLS // (4 * count * count))
    for start in range(0, len(rectangles), step):
        part = rectangles[start : start + step]
        left, top, right, bottom = (part[:, :, edge, None] for edge in range(4))
        xs = np.sort(part[:, :, 0::2].reshape(len(part), 1, -1))
        ys = np.sort(part[:, :, 1::2].reshape(len(part), 1, -1))
        in_x = (left <= xs[:, :, :-1]) & (xs[:, :, 1:] <= right)
        in_y = (top <= ys[:, :, :-1]) & (ys[:, :, 1:] <= bottom)
        is_covered = in_x.transpose(0, 2, 1).astype(np.float32) @ in_y.astype(np.float32) > 0
        areas[start : start + step] = (np.diff(xs) @ is_covered @ np.diff(ys).transpose(0, 2, 1)).ravel()
    return areas
