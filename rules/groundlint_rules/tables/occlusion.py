"""How probably each boxed object is occluded, by the boxes in front of it and by what its pixels show."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import table

SAME, OTHER = 0.08, 0.3
"""Hidden shares from which boxes of its own label and of other labels suggest that an object is occluded.

Boxes of other labels often belong to what holds the object or what it lies on: on coco128, 10 of 18 boxes hidden from
0.1 on by other labels were occluded, and 5 of 7 hidden from 0.3 on.
"""

_UNCHECKED = 0.25
"""Hidden share from which boxes of its own label suggest that an object is occluded if images were measured, but its
label has too few boxes for an occlusion score, so that nothing can confirm it. Boxes of other labels do not: 4 of 15
such boxes of coco128 were occluded.
"""

_EVEN = 3.0
"""Robust deviations at which an object without a box in front of it counts as occluded with probability 0.5.

Of the faces of wider_occ, people called occluded: 0.02 below 0, 0.07 from 0, 0.19 from 1, 0.36 from 2, 0.44 from 3 and
0.65 from 4 on.
"""

_GAIN = 7.4
"""Odds, relative to none, that boxes from the limits on add: e², so that 0.9 deviations are then enough.

Of the faces of wider_occ hidden by 0.05 or more, people called 20 of 36 occluded from 2 deviations on, 4 of 11 from 1
on, and none of 3 below.
"""


@table(features=("foreground",))
def occlusion(box_coverage: LazyFrame, occlusion_scores: LazyFrame, crops: LazyFrame) -> LazyFrame:
    """One box: its row of `box_coverage`, its `deviations` of `occlusion_scores`, and whether its set `is_measured`.

    Without images and in fast runs nothing is measured, and `deviations` are null.
    """
    scores = occlusion_scores.select("box_id", "deviations")
    measured = crops.filter(col("foreground").is_not_null()).select("data_set").unique()
    joined = box_coverage.join(scores, on="box_id", how="left", maintain_order="left")
    known = measured.with_columns(is_measured=lit(True))
    joined = joined.join(known, on="data_set", how="left", maintain_order="left")
    return joined.with_columns(col("is_measured").fill_null(False))


def evidence(same: float, other: float, of: str = "") -> Expr:
    """What boxes say: the hidden share in units of its limits, so that 1 and more suggest an occluded object.

    Args:
        same: Limit for boxes of the same label.
        other: Limit for boxes of other labels.
        of: "_any" if all overlapping boxes count, and not only those in front.
    """
    return pl.max_horizontal(col(f"hidden_same{of}") / same, col(f"hidden_other{of}") / other)


def probability(boxes: Expr, of: str = "") -> Expr:
    """Probability that an object is occluded, 0 to 1; null where neither boxes nor pixels say anything.

    Where the object has an occlusion score, both add to its log odds. In a measured data set, an object without one,
    because its label has too few boxes, rests on boxes of its own label: a hidden share of 0.25 gives 0.5. Without
    images, boxes alone decide.

    Args:
        boxes: What boxes say, as from `evidence`.
        of: As for `evidence`.
    """
    odds = (
        pl.when(col("deviations").is_not_null())
        .then((col("deviations") - _EVEN).exp() * (1 + _GAIN * boxes.fill_null(0.0)))
        .when("is_measured")
        .then(col(f"hidden_same{of}") / _UNCHECKED)
        .otherwise(boxes)
    )
    return odds / (1 + odds)
