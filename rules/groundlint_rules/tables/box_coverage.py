"""How much of each box other boxes cover, and how many sides of the image it touches: from the manifest alone."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, Expr, LazyFrame, col, lit

from groundlint import table
from groundlint_rules.geometry import EDGES
from groundlint_rules.tables.overlaps import MAX_COMPARED_BOXES

_NEAR_PX, _NEAR_SHARE = 2, 0.0025
"""Distance from the image edge that counts as contact: converters write width - 1 and count from 1."""

_TIE = 0.02
"""Share of a box's height by which another box's bottom edge must be lower to be in front."""

_WHOLE = 0.9
"""Share of the image from which a box counts as covering the whole image, and not as truncated by its edge."""

_CONTAINED = 0.9
"""Share of a box inside another one from which it counts as lying in it: in front of it, or contained in it."""

_MUCH_LARGER = 16
"""Times the area of a box from which another box does not occlude it: it holds the object, or the object lies on it.

On kitti_labels (half 0), 0.84 of the boxes inside one that large are occluded, and 0.98 of those inside a smaller one.
"""

_COVERS = {"covered": col("in_front"), "covered_any": lit(True)}
_HIDES = {
    "hidden_same": col("in_front") & col("same"),
    "hidden_other": col("in_front") & ~col("same"),
    "hidden_same_any": col("same"),
    "hidden_other_any": ~col("same"),
}


@table()
def box_coverage(attributes: LazyFrame, boxes: LazyFrame, overlaps: LazyFrame) -> LazyFrame:
    """One box: how many sides of the image it touches, and how much of it other boxes cover.

    `sides`, 0 to 4, is null without `image_size` and for a box that extends beyond the image, which the service drops.
    `covered`, 0 to 1, is the share of the box's area under boxes of its attribute that are in front of it. A box
    counts as in front if its bottom edge is lower by more than 2% of the other's height: on the ground, nearer objects
    are lower in the image. A box that lies inside another by 0.9 or more is not covered by it, nor by one of 16 times
    its area: a small object in the box of a large one is in front of it, or in it. `covered_any` counts all other
    overlapping boxes, in front or not.

    `hidden_same` and `hidden_other` are the shares of the ellipse in the box under the ellipses in boxes in front of
    it, of its own label and of other labels; `hidden_same_any` and `hidden_other_any` count all other overlapping
    boxes. Most boxes overlap in their corners, which objects do not fill. All shares are null in attributes of more
    than 200 boxes, which are not compared.
    """
    crowded = attributes.filter(col("boxes") > MAX_COMPARED_BOXES).select("attribute_id").collect().to_series()
    is_compared = ~col("attribute_id").is_in(crowded.implode())
    kept = ("data_set", "box_id", "split", "attribute", "label")
    known = boxes.select(*kept, sides=_sides(), is_compared=is_compared)
    shares = [pl.when("is_compared").then(col(name).fill_null(0.0)).alias(name) for name in (*_COVERS, *_HIDES)]
    return known.join(_covered(overlaps), on="box_id", how="left").select(*kept, "sides", *shares)


def _sides() -> Expr:
    """Number of sides of the image that a box touches."""
    near_x = pl.max_horizontal(lit(_NEAR_PX), _NEAR_SHARE * col("image_width"))
    near_y = pl.max_horizontal(lit(_NEAR_PX), _NEAR_SHARE * col("image_height"))
    right, bottom = col("left") + col("width"), col("top") + col("height")
    touched = (
        (col("left") <= near_x).cast(pl.Int32)
        + (col("top") <= near_y)
        + (right >= col("image_width") - near_x)
        + (bottom >= col("image_height") - near_y)
    )
    is_inside = (
        (pl.min_horizontal("left", "top") >= 0) & (right <= col("image_width")) & (bottom <= col("image_height"))
    )
    is_whole = col("width") * col("height") >= _WHOLE * col("image_width") * col("image_height")
    return pl.when(is_inside).then(pl.when(is_whole).then(0).otherwise(touched))


def covers(overlaps: LazyFrame) -> LazyFrame:
    """Two boxes of an attribute, the second of which (`box_other`) may cover a part of the first (`box_id`).

    `common` is the area that they share, in px², and `in_front` says whether the second is in front of the first.
    """
    both = [overlaps.select(**_shared("", "_other")), overlaps.select(**_shared("_other", ""))]
    may_cover = (col("common") < _CONTAINED * col("area")) & (col("area_other") < _MUCH_LARGER * col("area"))
    return pl.concat(both).filter(may_cover)


def _covered(overlaps: LazyFrame) -> LazyFrame:
    """The covered shares of each box that overlaps another, by `box_id`."""
    # Collected, because polars would compute it for each kind of cover; sorted, because counting pieces is then faster.
    pieces = covers(overlaps).drop("box_other").sort("box_id").collect()
    covering = [pl.when(cover).then("common").otherwise(0.0).alias(name) for name, cover in _COVERS.items()]
    totals = pieces.lazy().select("box_id", "area", *covering).group_by("box_id")
    found = totals.agg(col("area").first(), col(*_COVERS).sum())
    several = pieces.filter(pl.len().over("box_id") > 1)
    for name, cover in _COVERS.items():
        unions = _unions(several.filter(cover)).rename({"union": f"{name}_union"}).lazy()
        found = found.join(unions, on="box_id", how="left")
    for name, cover in _HIDES.items():
        found = found.join(_hidden(pieces.filter(cover)).rename({"share": name}).lazy(), on="box_id", how="left")
    # Rounded, because the last digits depend on the order of sums.
    shares = [(pl.coalesce(f"{name}_union", name) / col("area")).round(9).alias(name) for name in _COVERS]
    return found.select("box_id", *shares, *_HIDES)


def _shared(own: str, other: str) -> dict[str, Expr]:
    """What one box of a pair shares with the other, and whether the other is in front; boxes are named by suffix."""
    lower = col(f"bottom{other}") - col(f"bottom{own}")
    tie = _TIE * (col(f"bottom{own}") - col(f"top{own}"))
    return {
        "box_id": col(f"box_id{own}"),
        "box_other": col(f"box{other}"),
        "area": col(f"area{own}"),
        "area_other": col(f"area{other}"),
        "common": col("common"),
        "in_front": lower > tie,
        "same": col("label") == col("label_other"),
        "left": pl.max_horizontal("left", "left_other"),
        "top": pl.max_horizontal("top", "top_other"),
        "right": pl.min_horizontal("right", "right_other"),
        "bottom": pl.min_horizontal("bottom", "bottom_other"),
        **{f"{edge}_own": col(f"{edge}{own}") for edge in EDGES},
        **{f"{edge}_of_other": col(f"{edge}{other}") for edge in EDGES},
    }


def _unions(pieces: DataFrame) -> DataFrame:
    """Area of the union of the pieces of each box that has several; they are sorted by box."""
    counted = pieces.with_columns(count=pl.len().over("box_id")).filter(col("count") > 1)
    found = [DataFrame(schema={"box_id": pieces.schema["box_id"], "union": pl.Float64})]
    if not counted.is_empty():
        # numpy costs more than a small check.
        from groundlint_rules.algorithms.rectangles import union_areas
    for part in counted.partition_by("count", maintain_order=True):
        count = part["count"][0]
        rectangles = part.select(EDGES).to_numpy().reshape(-1, count, len(EDGES))
        found.append(DataFrame({"box_id": part["box_id"].gather_every(count), "union": union_areas(rectangles)}))
    return pl.concat(found)


def _hidden(pieces: DataFrame) -> DataFrame:
    """Share of the ellipse in each box that the ellipses of the pieces' other boxes cover; pieces are sorted by box."""
    if pieces.is_empty():
        return DataFrame(schema={"box_id": pieces.schema["box_id"], "share": pl.Float64})
    # numpy costs more than a small check.
    from groundlint_rules.algorithms.ellipses import covered_shares

    owners = pieces["box_id"].rle_id().to_numpy()
    own, other = (pieces.select([f"{edge}{whose}" for edge in EDGES]).to_numpy() for whose in ("_own", "_of_other"))
    shares = covered_shares(own, other, owners)
    return DataFrame([pieces["box_id"].unique(maintain_order=True), pl.Series("share", shares)])
