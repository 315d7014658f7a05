"""How visible each boxed object is, by image edges, boxes in front of it and its measured content."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import table

TRUNCATED = {0: 0.0, 1: 0.71, 2: 0.85, 3: 0.90, 4: 0.94}
"""Share of VOC objects that people called truncated, by the number of sides of the image that their box touches.

Without contact it was 0.33, mostly truncated by other objects; 0 stands for no evidence.
"""

_EVEN = 3.0
"""Robust deviations at which an object counts as occluded with probability 0.5.

Of the faces of wider_occ, people called occluded: 0.02 below 0, 0.07 from 0, 0.19 from 1, 0.36 from 2, 0.44 from 3 and
0.65 from 4 on.
"""


@table()
def visibility(box_coverage: LazyFrame, occlusion_scores: LazyFrame) -> LazyFrame:
    """One box, and how visible its object is.

    `sides` is the number of sides of the image that the box touches, 0 to 4, and `covered` the share of its area under
    boxes in front of it, 0 to 1. `score`, from 0 (visible) to 1 (occluded or truncated), is the largest of

    - the share of objects that people called truncated among those whose box touches as many sides,
    - `covered`,
    - where images were measured, a logistic curve over the `deviations` of `occlusion_scores`, 0.5 at 3.

    The score is null where none of them is known. On wider_occ (2,267 faces, 273 of them occluded) its AUROC is 0.82,
    like that of `deviations` alone; that of boxes and image edges alone is 0.60. Fast rules use `box_coverage`, because
    this table needs a neural network.
    """
    truncated = col("sides").replace_strict(TRUNCATED, return_dtype=pl.Float64)
    occluded = 1 / (1 + (_EVEN - col("deviations")).exp())
    scores = occlusion_scores.select("box_id", "deviations")
    return box_coverage.join(scores, on="box_id", how="left", maintain_order="left").select(
        "data_set", "box_id", "sides", "covered", score=pl.max_horizontal(truncated, "covered", occluded)
    )
