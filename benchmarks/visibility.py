"""How often people agree with what the boxes tell of cut off and hidden objects: kitti_labels and wider_occ.

The figures are of all boxes: no parameter of the rules was chosen on these sets. A part of accuracy.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
from measured import Measured, at_recall, auroc, exported, flagged
from polars import col


def visibility(data: Path, name: str) -> pl.DataFrame:
    """The table `visibility` of a set, beside people's judgement."""
    truth = pl.read_csv(data / name / "truth.csv", infer_schema_length=None)
    return exported("visibility", data / name / "output.manifest").join(truth, on=["source_ref", "box"])


def figures(data: Path) -> Iterator[Measured]:
    """How often people agree with each rule."""
    kitti = visibility(data, "kitti_labels")
    known = kitti.filter(col("occlusion") <= 2, col("covered").is_not_null())
    hidden = known["occlusion"] >= 1
    rule = ((col("covered_same") >= 0.3) | (col("covered_other") >= 0.5)).fill_null(False)
    name = f"kitti_labels, {known.height:,} boxes"
    yield Measured("VIS102", name, "flagged, against people's occlusion", flagged(known, rule, col("occlusion") >= 1))
    precision, area = at_recall(known["covered"], hidden, 0.6), auroc(known["covered"], hidden)
    yield Measured(
        "VIS102", name, "covered share, as a ranking", f"precision {precision:.3f} at recall .60, AUROC {area:.3f}"
    )
    heavy = auroc(known["covered"], known["occlusion"] == 2)
    yield Measured("VIS102", name, "the same against heavy occlusion", f"AUROC {heavy:.3f}")
    cut = kitti.filter(col("truncation") >= 0)
    said = flagged(cut, col("sides") >= 1, col("truncation") >= 0.15)
    yield Measured("VIS101", f"kitti_labels, {cut.height:,} boxes", "flagged, against truncation of .15 and more", said)
    wider = visibility(data, "wider_occ").filter(col("covered").is_not_null())
    name = f"wider_occ, {wider.height:,} faces"
    yield Measured("VIS102", name, "flagged, against people's occlusion", flagged(wider, rule, col("occlusion") >= 1))
    area = auroc(wider["covered"], wider["occlusion"] >= 1)
    yield Measured("VIS102", name, "covered share, as a ranking", f"AUROC {area:.3f}")
