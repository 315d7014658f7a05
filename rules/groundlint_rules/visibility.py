"""VIS: objects that are truncated by the image edge or occluded, by other objects or by something without a box."""

from __future__ import annotations

from typing import Literal

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import Bad, Cost, Good, Option, Rule, Severity
from groundlint_rules.tables.box_coverage import covers
from groundlint_rules.tables.occlusion import OTHER, SAME, evidence, probability
from groundlint_rules.tables.visibility import TRUNCATED

_Boxes = tuple[dict[str, int | str], ...]

_ON_EDGE = {"left": 0, "top": 1}
_BEHIND_SAME: _Boxes = ({}, {"left": 120, "top": 120})
_BEHIND_OTHER: _Boxes = ({}, {"left": 120, "label": "dog", "height": 110})
_IN_FRONT: _Boxes = ({}, {"left": 120, "top": 184, "width": 40, "height": 40})
"""Two boxes; 40% of the second lies in front of the first."""

_MAX_COVERING = 5
"""Boxes in front of an occluded one that its finding names."""

_SCORED = {"box_id": 0, "boxes": 200, "foreground": 0.4, "deviations": 3.0, "score": 0.985}


def _is_occluded(boxes: Expr, of: str = "") -> Expr:
    """Whether boxes suggest that an object is occluded, and its pixels, where measured, do not reject it."""
    return (boxes >= 1) & (probability(boxes, of) >= 0.5)


class ObjectTruncated(Rule):
    """A box touches the image edge: the object is probably truncated.

    ## Why it matters
    The service's guide asks for objects that are fully visible. From a truncated object the model learns only a part.

    ## How to fix it
    Take the image from further away, or leave the object out.

    ## How reliable it is
    Contact is a fact; only the image shows whether the object is truncated. On KITTI (20,106 boxes), where people
    measured truncation, 0.82 of the boxes that touch the image edge were truncated by 15% or more (precision), and
    0.998 of the boxes truncated that far touch it (recall; benchmarks/visibility.py). On VOC, people called 0.76 of the
    boxes that touch the edge truncated: 0.71 of those that touch it with one side, 0.94 with four. Half of the objects
    that people call truncated there are cut off by another object and touch no edge. In healthy sets 12% to 27% of the
    images have such a box, which is why the severity is info.
    """

    code = "VIS101"
    name = "object-truncated"
    severity = Severity.INFO
    precision = 0.76
    typical = "probably truncated"
    message = "box {box} ({label!r}) touches the image edge on {sides:# side}: the object is probably truncated"
    examples = (
        Good(boxes=[{}, {"left": 0, "top": 0, "width": 640, "height": 480}]),
        Bad(
            boxes=[_ON_EDGE | {"top": 100}],
            says="box 0 ('cat') touches the image edge on 1 side: the object is probably truncated",
        ),
        Bad(
            boxes=[_ON_EDGE],
            options={"min_sides": 2},
            says="box 0 ('cat') touches the image edge on 2 sides: the object is probably truncated",
        ),
        Good(boxes=[_ON_EDGE], options={"min_sides": 3}),
    )
    min_sides: int = Option(1, ge=1, le=4, description="Number of sides of the image that a box must touch.")

    def check(self, box_coverage: LazyFrame) -> LazyFrame:
        """Boxes at the image edge."""
        at_edge = box_coverage.filter(col("sides") >= self.min_sides)
        return at_edge.with_columns(score=col("sides").replace_strict(TRUNCATED, return_dtype=pl.Float64))


class ObjectOccluded(Rule):
    """A box is covered by boxes in front of it: the object is probably occluded.

    ## Why it matters
    The service's guide asks for objects that are not occluded. From an occluded object the model learns what covers it.

    ## How to fix it
    Take the image from another position, or leave the object out. `related` names the boxes that cover most of it.

    ## How reliable it is
    A box counts as in front of another if its bottom edge is lower. Only the overlap of the ellipses in the two boxes
    counts, and a box that lies inside another is in front of it, or in it: food on a plate, a lamb before a ewe. Where
    images were measured, the pixels decide with the boxes: an object that looks as complete as others of its label is
    not reported (see object-possibly-occluded, which finds what occludes without a box). With `--fast`, and without
    images, boxes alone decide.

    - On KITTI (19,090 boxes of street scenes, boxes only), where people noted occlusion, the precision is 0.96 and the
      recall 0.61 (benchmarks/visibility.py).
    - Of the boxes reported with images, 38 of 57 in coco128, 36 of 48 drawn from bccd, 2 of 3 in animalpose and 4 of 7
      in raccoon were judged occluded by eye. The limits were chosen on KITTI, and those for labels of few boxes on
      coco128 and animalpose. Of the 56 reported boxes with the highest scores of ten public sets, 32 or 33 were judged
      hidden by a fifth or more: the judges differ on one.
    - On wider_occ (2,707 faces) 39 are reported; people called 0.44 of them occluded. What occludes a face is usually
      not boxed: the recall is 0.04.

    For views from above set `front` to `"any"`: there, a lower bottom edge does not mean nearer.
    """

    code = "VIS102"
    name = "object-occluded"
    severity = Severity.INFO
    precision = 0.58
    typical = "probably occluded"
    images_are_optional = True
    message = "box {box} ({label!r}) is {share:.0%} covered by other boxes: the object is probably occluded"
    examples = (
        Good(boxes=[{}, {"left": 150, "top": 150, "label": "dog"}]),
        Bad(
            boxes=_BEHIND_SAME,
            options={"same": 0.6},
            says="box 0 ('cat') is 64% covered by other boxes: the object is probably occluded",
        ),
        Good(boxes=_BEHIND_SAME, options={"same": 0.7}),
        Bad(
            boxes=_BEHIND_OTHER,
            options={"other": 0.7},
            says="box 0 ('cat') is 80% covered by other boxes: the object is probably occluded",
        ),
        Good(boxes=_BEHIND_OTHER, options={"other": 0.9}),
        Good(boxes=_IN_FRONT, options={"front": "lower-bottom"}),
        Bad(
            boxes=_IN_FRONT,
            options={"front": "any"},
            says="box 1 ('cat') is 40% covered by other boxes: the object is probably occluded",
        ),
    )
    same: float = Option(
        SAME, gt=0, le=1, description="Hidden share of an object from which boxes of its own label count."
    )
    other: float = Option(
        OTHER, gt=0, le=1, description="Hidden share of an object from which boxes of other labels count."
    )
    front: Literal["lower-bottom", "any"] = Option(
        "lower-bottom",
        description="Boxes that count as in front: those with a lower bottom edge, or any that overlap.",
    )

    def check(self, occlusion: LazyFrame, overlaps: LazyFrame) -> LazyFrame:
        """Boxes that other boxes occlude, unless their pixels say otherwise; what covers them most is related."""
        of = "_any" if self.front == "any" else ""
        boxes = evidence(self.same, self.other, of)
        occluded = occlusion.filter(_is_occluded(boxes, of)).collect().lazy()
        covering = (
            covers(overlaps)
            .filter(lit(self.front == "any") | col("in_front"))
            .join(occluded.select("box_id"), on="box_id", how="semi")
            .sort("common", "box_other", descending=[True, False])
            .group_by("box_id", maintain_order=True)
            .agg(related=col("box_other").head(_MAX_COVERING))
        )
        rows = occluded.with_columns(share=col(f"covered{of}"), score=probability(boxes, of))
        return rows.join(covering, on="box_id", how="left")


class OftenOccludedLabel(Rule):
    """Most objects of a label are truncated or occluded.

    ## Why it matters
    The model rarely sees a whole object of the label.

    ## How to fix it
    Add images in which the objects are fully visible.

    ## How reliable it is
    It counts the boxes that VIS101 and VIS102 report with their default options, and is as reliable as these: where
    images were measured, only boxes that their pixels confirm. Single errors even out over the many boxes of a label.
    """

    code = "VIS103"
    name = "often-occluded-label"
    severity = Severity.WARNING
    images_are_optional = True
    message = (
        "{occluded:,} of the {count:,} {label!r} boxes in the {split} split touch the image edge or are covered by "
        "other boxes; add images in which they are fully visible"
    )
    examples = (
        Good(boxes=[{"line": n + 1} for n in range(60)]),
        Bad(
            boxes=[{"line": n + 1, "left": 0 if n < 40 else 50} for n in range(60)],
            options={"share": 0.6},
            says="40 of the 60 'cat' boxes in the train split touch the image edge or are covered by other boxes; "
            "add images in which they are fully visible",
        ),
        Good(boxes=[{"line": n + 1, "left": 0 if n < 40 else 50} for n in range(60)], options={"share": 0.7}),
        Bad(boxes=[{"line": n + 1, "left": 0} for n in range(20)], options={"min_boxes": 20}),
        Good(boxes=[{"line": n + 1, "left": 0} for n in range(60)], options={"min_boxes": 61}),
    )
    share: float = Option(
        0.5, gt=0, le=1, description="Share of truncated or occluded boxes above which a label is reported."
    )
    min_boxes: int = Option(50, ge=1, description="Number of boxes that a label needs.")

    def check(self, occlusion: LazyFrame) -> LazyFrame:
        """Labels most of whose boxes are at the image edge or occluded."""
        is_counted = (col("sides") >= 1) | _is_occluded(evidence(SAME, OTHER))
        counts = occlusion.group_by("data_set", "split", "attribute", "label").agg(
            count=pl.len(), occluded=is_counted.sum()
        )
        often = counts.filter(col("count") >= self.min_boxes, col("occluded") > self.share * col("count"))
        return often.with_columns(score=col("occluded") / col("count"))


class ObjectPossiblyOccluded(Rule):
    """A box shows less of its object than other boxes of its label: something without a box may occlude it.

    ## Why it matters
    The service's guide asks for objects that are not occluded. Most of what occludes an object is not boxed: a hand, a
    pole, a leaf.

    ## How to fix it
    Look at the boxes from the top of the ranking. Leave out objects that are hardly visible, or take the image from
    another position.

    ## How reliable it is
    A small neural net compares the middle of each box with its surroundings. How they differ is compared, quarter by
    quarter, with the mean of the label's other boxes, after subtracting what blur and size explain.

    - On wider_occ (2,267 faces of at least 20 px, 273 of which people called occluded), an occluded face ranks before
      another in 0.85 of the pairs (95% interval 0.81 to 0.88; 0.85 among faces of similar height, 0.85 among similarly
      blurred ones), while the covered share of the boxes alone reaches 0.59 and height alone 0.61.
    - Of the 116 faces that are reported there by default, 0.61 are occluded (precision), where 0.12 of all faces are,
      and 0.26 of the occluded faces are found (recall). People called 0.78 of the reported faces occluded, heavily
      blurred, oddly posed or oddly lit; many of the others are seen from the side.
    - When half of a box is covered by a piece of another image, it finds 0.58 of such boxes in bccd (4,886 boxes) and
      0.16 in raccoon (208 boxes; recall), and ranks them before others in 0.88 and 0.86 of the pairs. Of all boxes of
      the two sets as published it reports 2% and 4% (benchmarks/occlusion.py).

    So it is a ranking to look through; `groundlint export occlusion_scores` writes all boxes. Labels with at least 50
    boxes of at least 20 px in 10 images are judged. Boxes that look like those of another label are left out, because
    they are probably mislabeled; this applies to 0.80 of the boxes of bccd whose labels were exchanged.

    Each box takes one pass of the net, which object-mislabel-suspect uses too. Up to 20,000 boxes of a label and
    200,000 boxes in all are measured. `--fast` leaves the rule out.
    """

    code = "VIS104"
    name = "object-possibly-occluded"
    severity = Severity.INFO
    cost = Cost.SLOW
    precision = 0.61
    typical = "possibly occluded"
    message = (
        "box {box} ({label!r}) may be occluded: it looks less complete than {score:.1%} of the {boxes:,} {label!r} "
        "boxes"
    )
    examples = (
        Good(boxes=[{}], occlusion_scores=[_SCORED | {"deviations": 2.9}]),
        Good(boxes=[{}], occlusion_scores=[_SCORED | {"deviations": None, "score": None}]),
        Bad(
            boxes=[{}],
            occlusion_scores=[_SCORED],
            says="box 0 ('cat') may be occluded: it looks less complete than 98.5% of the 200 'cat' boxes",
        ),
        Bad(boxes=[{}], occlusion_scores=[_SCORED | {"deviations": 2.5}], options={"min_deviations": 2.0}),
        Good(boxes=[{}], occlusion_scores=[_SCORED], options={"min_deviations": 3.5}),
    )
    min_deviations: float = Option(
        3.0,
        gt=0,
        description="Robust standard deviations by which a box must look less complete than usual for its label, size "
        "and sharpness.",
    )

    def check(self, occlusion_scores: LazyFrame) -> LazyFrame:
        """Boxes that look much less complete than usual for their label."""
        return occlusion_scores.filter(col("deviations") >= self.min_deviations)
