"""How visible each boxed object is, by image edges, boxes in front of it and its measured content."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import table
from groundlint_rules.tables.occlusion import OTHER, SAME, evidence, probability

TRUNCATED = {0: 0.0, 1: 0.71, 2: 0.85, 3: 0.90, 4: 0.94}
"""Share of VOC objects that people called truncated, by the number of sides of the image that their box touches.

Without contact it was 0.33, mostly truncated by other objects; 0 stands for no evidence.
"""


@table()
def visibility(occlusion: LazyFrame) -> LazyFrame:
    """One box, and how visible its object is.

    `sides` is the number of sides of the image that the box touches, 0 to 4, and `covered` the share of its area under
    boxes in front of it, 0 to 1. `score`, from 0 (visible) to 1 (occluded or truncated), is the largest of

    - the share of objects that people called truncated among those whose box touches as many sides,
    - the probability that it is occluded: by the boxes in front of it, and where images were measured, by how complete
      its pixels look compared with other boxes of its label (`occlusion_scores`). Each confirms or rejects the other.

    The score is null where none of them is known. On wider_occ (2,267 faces, 273 of them occluded) its AUROC is
    0.85, like that of the pixels alone; that of the covered share is 0.59.
    """
    truncated = col("sides").replace_strict(TRUNCATED, return_dtype=pl.Float64)
    occluded = probability(evidence(SAME, OTHER))
    return occlusion.select("data_set", "box_id", "sides", "covered", score=pl.max_horizontal(truncated, occluded))
