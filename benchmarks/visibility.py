"""Compare the rules on truncated and occluded objects with annotations by people: kitti_labels and wider_occ.

The limits of VIS102 were chosen on half 0 of kitti_labels. accuracy.py runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
from measured import Measured, agreement, at_recall, auroc, exported, halves
from polars import col

from groundlint_rules.tables.occlusion import OTHER, SAME, evidence, probability


def judged_boxes(data: Path, name: str) -> pl.DataFrame:
    """The table `occlusion` of a set, with the annotations by people."""
    truth = pl.read_csv(data / name / "truth.csv", infer_schema_length=None)
    return exported("occlusion", data / name / "output.manifest").join(truth, on=["source_ref", "box"])


def figures(data: Path) -> Iterator[Measured]:
    """The figures on the pages of the rules."""
    kitti = judged_boxes(data, "kitti_labels")
    known = kitti.filter(col("occlusion") <= 2, col("covered").is_not_null())
    occluded = known["occlusion"] >= 1
    boxes = evidence(SAME, OTHER)
    rule = ((boxes >= 1) & (probability(boxes) >= 0.5)).fill_null(False)
    name = f"kitti_labels, {known.height:,} boxes"
    against = "flagged boxes compared with occlusion annotated by people"
    yield Measured("VIS102", name, against, agreement(known, rule, col("occlusion") >= 1))
    here = known.filter(halves(known["source_ref"]) == 1)
    half = f"kitti_labels, half 1, {here.height:,} boxes"
    yield Measured("VIS102", half, against, agreement(here, rule, col("occlusion") >= 1))
    score = known.select(boxes.alias("score"))["score"]
    precision, area = at_recall(score, occluded, 0.6), auroc(score, occluded)
    ranking = "ranking by hidden share compared with occlusion annotated by people"
    yield Measured("VIS102", name, ranking, f"precision {precision:.3f} at recall 0.60, AUROC {area:.3f}")
    heavy = auroc(score, known["occlusion"] == 2)
    yield Measured("VIS102", name, "the same for heavy occlusion", f"AUROC {heavy:.3f}")
    truncated = kitti.filter(col("truncation") >= 0)
    said = agreement(truncated, col("sides") >= 1, col("truncation") >= 0.15)
    name = f"kitti_labels, {truncated.height:,} boxes"
    yield Measured("VIS101", name, "flagged boxes compared with truncation of 0.15 or more annotated by people", said)
    wider = judged_boxes(data, "wider_occ").filter(col("covered").is_not_null())
    name = f"wider_occ, {wider.height:,} faces"
    yield Measured("VIS102", name, against, agreement(wider, rule, col("occlusion") >= 1))
    area = auroc(wider.select(boxes.alias("score"))["score"], wider["occlusion"] >= 1)
    yield Measured("VIS102", name, ranking, f"AUROC {area:.3f}")
