"""How much of each boxed object is to be seen: what the frame cuts off and what other boxes cover."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table
from groundlint_rules.geometry import EDGES, common
from groundlint_rules.tables.overlaps import MAX_BOXES

_BOX = ("manifest", "line", "attribute", "box")

_NEAR_PIXELS, _NEAR_SHARE = 2, 0.0025
"""Distance from the frame that counts as contact: converters write width - 1 and count from 1."""

_TIE = 0.02
"""Share of a box's height by which another's lower edge must be lower to be in front."""

_WHOLE = 0.9
"""Share of the image from which a box is one of the whole image, which the frame does not cut."""

_CUT = (0.33, 0.71, 0.85, 0.90, 0.94)
"""Share of VOC objects that people called truncated, by the number of sides that touch the frame."""

_COVERS = {
    "covered": col("in_front"),
    "covered_same": col("in_front") & (col("label") == col("label_other")),
    "covered_other": col("in_front") & (col("label") != col("label_other")),
    "covered_any": col("box").is_not_null(),
}


@table()
def visibility(boxes: LazyFrame, overlaps: LazyFrame) -> LazyFrame:
    """One box, and how much of it is to be seen.

    `sides` of the frame that it touches, 0 to 4, null without `image_size` and for a box that leaves the image, which
    the service rejects; `covered`, 0 to 1, the share of its area under boxes in front of it, of which `covered_same`
    under those of its label and `covered_other` under others; `covered_any` under any other box; `score` 0 visible to
    1 hidden or cut. In front is what has the lower bottom edge, or at equal ones is bigger: on the ground the nearer
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
    keys = (*_BOX, "split", "source_ref", "label")
    sides = boxes.select(*keys, sides=pl.when(is_inside).then(pl.when(is_whole).then(0).otherwise(touched)))
    is_compared = pl.len().over("manifest", "line", "attribute") <= MAX_BOXES
    covers = sides.join(_covered(overlaps), on=_BOX, how="left").with_columns(
        pl.when(is_compared).then(col(name).fill_null(0.0)).alias(name) for name in _COVERS
    )
    cut = col("sides").fill_null(0).replace_strict(dict(enumerate((0.0, *_CUT[1:]))), return_dtype=pl.Float64)
    return covers.with_columns(score=pl.max_horizontal(cut, "covered"))


def _covered(overlaps: LazyFrame) -> LazyFrame:
    """The covered shares of each box that shares area with another."""
    other = {f"{name}_other": name for name in ("box", "label", "area", *EDGES)}
    swapped = overlaps.rename({**other, **{name: f"{name}_other" for name in other.values()}})
    both = pl.concat([overlaps, swapped.select(overlaps.collect_schema().names())])
    lower = col("bottom_other") - col("bottom")
    tie = _TIE * (col("bottom") - col("top"))
    in_front = (lower > tie) | ((lower.abs() <= tie) & (col("area_other") > col("area")))
    shared = both.select(
        *_BOX,
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
    found = shared.select(_BOX).unique()
    for name, cover in _COVERS.items():
        found = found.join(_share(shared.filter(cover), name), on=_BOX, how="left")
    return found


def _share(pieces: LazyFrame, name: str) -> LazyFrame:
    """Share of each box's area that lies under pieces: of several the union is taken."""
    ends = [col(edge).first() for edge in EDGES] + [col(edge).last().alias(f"{edge}_other") for edge in EDGES]
    grouped = pieces.group_by(_BOX).agg(*ends, count=pl.len(), total=col("common").sum(), area=col("area").first())
    many = grouped.filter(col("count") > 2).select(_BOX)
    rectangles = pieces.join(many, on=_BOX, how="semi").group_by(_BOX).agg(rectangle=pl.concat_list(EDGES))
    unions = rectangles.select(
        *_BOX, union=col("rectangle").map_elements(lambda rows: union_area(rows.to_list()), return_dtype=pl.Float64)
    )
    # One piece is what it is, two are their sum without what they share.
    twice = pl.when(col("count") == 2).then(common()).otherwise(0.0)
    share = pl.coalesce("union", col("total") - twice) / col("area")
    return grouped.join(unions, on=_BOX, how="left").select(*_BOX, share.alias(name))


def union_area(rectangles: Iterable[Iterable[float]]) -> float:
    """Area under rectangles (left, top, right, bottom), what several cover counted once."""
    rows = [tuple(rectangle) for rectangle in rectangles]
    xs = sorted({x for row in rows for x in (row[0], row[2])})
    area = 0.0
    for left, right in itertools.pairwise(xs):
        spans = sorted((row[1], row[3]) for row in rows if row[0] <= left and row[2] >= right)
        end = float("-inf")
        for top, bottom in spans:
            if bottom > end:
                area += (right - left) * (bottom - max(top, end))
                end = bottom
    return area
