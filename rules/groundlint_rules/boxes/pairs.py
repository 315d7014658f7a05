"""BOX: boxes that stand in each other's place."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.tables.overlaps import MAX_BOXES

_BOX = ("manifest", "line", "attribute", "box")
_IOU = 0.95
_IOU_MEANING = "Intersection over union from which two boxes count as one."


class DuplicatedBox(Rule):
    """Two boxes of an image mark the same object.

    ## Why is this bad?
    The object counts twice in training and in every metric. Usually one worker's box was merged with another's, or a
    line was merged with itself.

    ## How to mend it
    Remove one of the boxes.

    ## How far it can be trusted
    No public set has people's judgement on it. Of the boxes repeated at random in bccd, kitti and raccoon, exactly or a
    hundredth off, it finds all, and flags none of the sets' own (benchmarks/planted.py).
    """

    code = "BOX301"
    name = "duplicated-box"
    severity = Severity.WARNING
    message = "boxes {box_other} and {box} of {label!r} overlap by {score:.0%}"
    examples = (
        Good(boxes=[{"left": 0}, {"left": 300}]),
        Good(boxes=[{"line": 1}, {"line": 2}]),
        Good(boxes=[{}, {"label": "dog"}]),
        Bad(boxes=[{}, {}], says="boxes 0 and 1 of 'cat' overlap by 100%"),
        Bad(boxes=[{"width": 100}, {"width": 90}], options={"iou": 0.9}),
        Bad(boxes=[{} for _ in range(MAX_BOXES + 1)], says="boxes 0 and 200 of 'cat' overlap by 100%"),
    )
    iou: float = Option(_IOU, ge=0.5, le=1, description=_IOU_MEANING)

    def check(self, overlaps: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Each box with the first one before it that it repeats; in crowded lines, equal boxes only."""
        same = overlaps.filter(col("label") == col("label_other"), col("iou") >= self.iou)
        first = same.sort("box_other").group_by(*_BOX, maintain_order=True).first()
        is_crowded = pl.len().over("manifest", "line", "attribute") > MAX_BOXES
        crowded = boxes.filter(col("width") > 0, col("height") > 0).filter(is_crowded)
        equals = crowded.sort("box").with_columns(
            box_other=col("box")
            .first()
            .over("manifest", "line", "attribute", "label", "left", "top", "width", "height"),
            iou=lit(1.0),
        )
        columns = (*_BOX, "source_ref", "label", "box_other", "iou")
        repeated = equals.filter(col("box") > col("box_other"))
        return pl.concat([first.select(columns), repeated.select(columns)]).rename({"iou": "score"})


class BoxUnderTwoLabels(Rule):
    """Two boxes of an image mark the same object and name it differently.

    ## Why is this bad?
    At most one of the labels is right; the model is taught both.

    ## How to mend it
    Keep the box with the right label.

    ## How far it can be trusted
    Of the boxes repeated under another label in kitti and raccoon it finds all, and flags none of the sets' own
    (benchmarks/planted.py). Two things that fill the same frame, as a face and a mask on it, would be flagged too.
    """

    code = "BOX302"
    name = "box-under-two-labels"
    severity = Severity.WARNING
    message = "boxes {box_other} and {box} overlap by {score:.0%}, but one is {label_other!r} and one {label!r}"
    examples = (
        Good(boxes=[{}, {}]),
        Good(boxes=[{"left": 0}, {"left": 300, "label": "dog"}]),
        Bad(
            boxes=[{}, {"label": "dog"}],
            says="boxes 0 and 1 overlap by 100%, but one is 'cat' and one 'dog'",
        ),
    )
    iou: float = Option(_IOU, ge=0.5, le=1, description=_IOU_MEANING)

    def check(self, overlaps: LazyFrame) -> LazyFrame:
        """Each box with the first one before it of another label and the same place."""
        other = overlaps.filter(col("label") != col("label_other"), col("iou") >= self.iou)
        return other.sort("box_other").group_by(*_BOX, maintain_order=True).first().rename({"iou": "score"})


class NestedBox(Rule):
    """A box lies within one of another label and fills most of it.

    ## Why is this bad?
    Often it is one object that was boxed under two labels. Where the inner one is a part or the content of the outer,
    nothing is wrong.

    ## How to mend it
    Look at the image; where it is one object keep the better box.

    ## How far it can be trusted
    Advice: no public set tells parts from slips.
    """

    code = "BOX303"
    name = "nested-box"
    severity = Severity.INFO
    message = "box {inner} ({label_inner!r}) lies within box {outer} ({label_outer!r}) and fills {score:.0%} of it"
    examples = (
        Good(boxes=[{"width": 90}, {}]),
        Good(boxes=[{"width": 30, "label": "dog"}, {}]),
        Bad(
            boxes=[{"width": 90, "label": "dog"}, {}],
            says="box 0 ('dog') lies within box 1 ('cat') and fills 90% of it",
        ),
    )
    inside: float = Option(0.98, ge=0.5, le=1, description="Share of the inner box that lies in the outer.")
    fills: float = Option(0.7, ge=0.1, le=1, description="Share of the outer box that the inner fills.")

    def check(self, overlaps: LazyFrame) -> LazyFrame:
        """The inner box of each pair that is not as good as identical."""
        is_inner = col("area") <= col("area_other")
        small, big = pl.min_horizontal("area", "area_other"), pl.max_horizontal("area", "area_other")
        nested = overlaps.filter(
            col("label") != col("label_other"),
            col("iou") < _IOU,
            col("common") >= self.inside * small,
            col("common") >= self.fills * big,
        )
        return nested.with_columns(
            inner=pl.when(is_inner).then("box").otherwise("box_other"),
            outer=pl.when(is_inner).then("box_other").otherwise("box"),
            label_inner=pl.when(is_inner).then("label").otherwise("label_other"),
            label_outer=pl.when(is_inner).then("label_other").otherwise("label"),
            score=col("common") / big,
        ).with_columns(box=col("inner"), label=col("label_inner"))


class BoxesNotCompared(Rule):
    """An attribute has too many boxes to compare each with each.

    ## Why is this bad?
    Overlapping boxes of the line are not found; equal ones are.

    ## How to mend it
    Cut the image into tiles: the service takes 50 boxes of an image.
    """

    code = "BOX304"
    name = "boxes-not-compared"
    severity = Severity.INFO
    message = "`{attribute}` has {boxes} boxes; they are not compared with each other"
    examples = (
        Good(attributes=[{"boxes": MAX_BOXES}]),
        Bad(attributes=[{"boxes": 201}], says="`animals` has 201 boxes; they are not compared with each other"),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Attributes with more boxes than the table of overlaps takes."""
        return attributes.filter(col("boxes") > MAX_BOXES)


class DisagreeingAttributes(Rule):
    """Two attributes of a line box the same labels and do not agree.

    ## Why is this bad?
    Usually one is the first labeling and the other its adjustment. Trained on both, each object counts twice, once in
    the wrong place.

    ## How to mend it
    Keep the newest attribute and remove the other from the manifest.

    ## How far it can be trusted
    Of the second attributes planted in raccoon with one box moved it finds all (benchmarks/planted.py). Only labels
    that the manifest has in both attributes are compared, so that cars and people agree.
    """

    code = "BOX305"
    name = "disagreeing-attributes"
    severity = Severity.WARNING
    message = (
        "`{attribute_other}` and `{attribute}` box the same labels, but {alone} of {count} boxes have no counterpart"
    )
    examples = (
        Good(boxes=[{}, {"attribute": "checked"}]),
        Good(boxes=[{}, {"attribute": "checked", "label": "dog", "left": 300}]),
        Bad(
            boxes=[{}, {"attribute": "checked", "left": 300}],
            says="`animals` and `checked` box the same labels, but 2 of 2 boxes have no counterpart",
        ),
    )

    def check(self, counterparts: LazyFrame) -> LazyFrame:
        """One finding for each two attributes of a line."""
        return counterparts.filter(col("alone") > 0)
