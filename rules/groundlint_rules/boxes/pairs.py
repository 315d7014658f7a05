"""BOX: boxes that contradict or repeat each other."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint.engine.base_tables import RECTANGLE
from groundlint_rules.tables.overlaps import MAX_COMPARED_BOXES

_BOX = ("box_id", "box", "label")

_IOU = 0.95
_IOU_MEANING = "Intersection over union from which two boxes count as one."

_NINE_TENTHS = ({"width": 100}, {"width": 90})
_NINE_TENTHS_DOG: tuple[dict[str, int | str], ...] = ({"width": 90, "label": "dog"}, {})
_LEANING_OUT = ({"left": 96, "width": 100, "label": "dog"}, {"width": 120})
"""Two boxes; 0.96 of the first lies within the second."""


class DuplicatedBox(Rule):
    """Two boxes of an image mark the same object.

    ## Why it matters
    The object counts twice in training and in every metric. Usually one worker's box was merged with another's, or a
    line was merged with itself.

    ## How to fix it
    Remove one of the boxes.

    ## How reliable it is
    No public set has human judgments of it. Boxes of bccd, kitti_labels and raccoon were repeated at random, exactly or
    1% off: it finds all of them (recall 1.00; means of 20 draws of 10 boxes), and it reports none of the sets' own
    boxes (benchmarks/planted.py).
    """

    code = "BOX301"
    name = "duplicated-box"
    severity = Severity.WARNING
    message = "boxes {box_other} and {box} ({label!r}) overlap by {score:.0%}; remove one of them"
    examples = (
        Good(boxes=[{"left": 0}, {"left": 300}]),
        Good(boxes=[{"line": 1}, {"line": 2}]),
        Good(boxes=[{}, {"label": "dog"}]),
        Bad(boxes=[{}, {}], says="boxes 0 and 1 ('cat') overlap by 100%; remove one of them"),
        Good(boxes=_NINE_TENTHS, options={"iou": 0.95}),
        Bad(boxes=_NINE_TENTHS, options={"iou": 0.9}, says="boxes 0 and 1 ('cat') overlap by 90%; remove one of them"),
        Bad(
            boxes=[{} for _ in range(MAX_COMPARED_BOXES + 1)],
            says="boxes 0 and 200 ('cat') overlap by 100%; remove one of them",
        ),
    )
    iou: float = Option(_IOU, ge=0.5, le=1, description=_IOU_MEANING)

    def check(self, overlaps: LazyFrame, attributes: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Each box with the first one before it that it repeats; in crowded attributes, equal boxes only."""
        same = overlaps.filter(col("label") == col("label_other"), col("iou") >= self.iou)
        crowded = attributes.filter(col("boxes") > MAX_COMPARED_BOXES)
        place = ("attribute_id", "label", *RECTANGLE)
        equal = (
            boxes.filter(col("width") > 0, col("height") > 0, col("label").is_not_null())
            .join(crowded, on="attribute_id", how="semi")
            .with_columns(box_other=col("box").min().over(place), iou=lit(1.0))
            .filter(col("box") > col("box_other"))
        )
        columns = ("box_id", "box", "box_other", "iou")
        found = pl.concat([_with_first(same).select(columns), equal.select(columns)])
        return found.rename({"iou": "score"}).with_columns(related=pl.concat_list("box_other"))


class ConflictingBoxLabels(Rule):
    """Two boxes of an image mark the same object under different labels.

    ## Why it matters
    At most one of the labels is right; the model is taught both.

    ## How to fix it
    Keep the box with the right label.

    ## How reliable it is
    Boxes of kitti_labels and raccoon were repeated under another label: it finds all of them (recall 1.00; means of 20
    draws of 10 boxes), and it reports none of the sets' own boxes (benchmarks/planted.py). Two things that fill the
    same box, such as a face and a mask on it, are reported too.
    """

    code = "BOX302"
    name = "conflicting-box-labels"
    severity = Severity.WARNING
    message = (
        "boxes {box_other} ({label_other!r}) and {box} ({label!r}) overlap by {score:.0%} but differ in label; "
        "keep the right one"
    )
    examples = (
        Good(boxes=[{}, {}]),
        Good(boxes=[{"left": 0}, {"left": 300, "label": "dog"}]),
        Bad(
            boxes=[{}, {"label": "dog"}],
            says="boxes 0 ('cat') and 1 ('dog') overlap by 100% but differ in label; keep the right one",
        ),
        Good(boxes=_NINE_TENTHS_DOG, options={"iou": 0.95}),
        Bad(boxes=_NINE_TENTHS_DOG, options={"iou": 0.9}),
    )
    iou: float = Option(_IOU, ge=0.5, le=1, description=_IOU_MEANING)

    def check(self, overlaps: LazyFrame) -> LazyFrame:
        """Each box with the first one before it that has another label and the same place."""
        other = overlaps.filter(col("label") != col("label_other"), col("iou") >= self.iou)
        columns = ("box_id", "box", "label", "box_other", "label_other")
        return _with_first(other).select(*columns, score="iou", related=pl.concat_list("box_other"))


class NestedBox(Rule):
    """A box lies within a box of another label and fills most of it.

    ## Why it matters
    Often it is one object that was boxed under two labels. Where the inner object is a part or the content of the outer
    one, nothing is wrong.

    ## How to fix it
    Look at the image. Where it is one object, keep the better box.

    ## How reliable it is
    Precision and recall have not been measured: no public set distinguishes parts from mistakes. It reports 0.1% of the
    images of kitti_labels and none of raccoon, bccd and wider_occ.
    """

    code = "BOX303"
    name = "nested-box"
    severity = Severity.INFO
    message = (
        "box {box} ({label!r}) lies within box {outer} ({label_outer!r}) and fills {score:.0%} of it; "
        "keep one if both mark the same object"
    )
    examples = (
        Good(boxes=[{"width": 90}, {}]),
        Good(boxes=[{"width": 30, "label": "dog"}, {}]),
        Bad(
            boxes=_NINE_TENTHS_DOG,
            says="box 0 ('dog') lies within box 1 ('cat') and fills 90% of it; keep one if both mark the same object",
        ),
        Good(boxes=_LEANING_OUT, options={"inside": 0.97}),
        Bad(boxes=_LEANING_OUT, options={"inside": 0.95}),
        Good(boxes=_NINE_TENTHS_DOG, options={"fills": 0.95}),
        Bad(boxes=[{"width": 50, "label": "dog"}, {}], options={"fills": 0.5}),
    )
    inside: float = Option(0.98, ge=0.5, le=1, description="Share of the inner box that must lie in the outer one.")
    fills: float = Option(0.7, ge=0.1, le=1, description="Share of the outer box that the inner one must fill.")

    def check(self, overlaps: LazyFrame) -> LazyFrame:
        """The inner box of each nested pair, unless the two coincide and conflicting-box-labels reports them."""
        is_inner = col("area") <= col("area_other")
        small, big = pl.min_horizontal("area", "area_other"), pl.max_horizontal("area", "area_other")
        nested = overlaps.filter(
            col("label") != col("label_other"),
            col("iou") < _IOU,
            col("common") >= self.inside * small,
            col("common") >= self.fills * big,
        )
        inner = [pl.when(is_inner).then(name).otherwise(f"{name}_other").alias(name) for name in _BOX]
        outer = {f"{name}_outer": pl.when(is_inner).then(f"{name}_other").otherwise(name) for name in ("box", "label")}
        rows = nested.select(*inner, **outer, score=col("common") / big).rename({"box_outer": "outer"})
        return rows.with_columns(related=pl.concat_list("outer"))


class DisagreeingAttributes(Rule):
    """Two attributes of a line have boxes of the same labels that disagree.

    ## Why it matters
    Usually one is the first labeling and the other its adjustment. If a model is trained on both, each object counts
    twice, once in the wrong place.

    ## How to fix it
    Keep the newest attribute and remove the other one from the manifest.

    ## How reliable it is
    Second attributes in which one box is moved were planted in raccoon: it finds all of them (recall 1.00; mean of 20
    draws of 10 lines; benchmarks/planted.py). Only labels that the manifest has in both attributes are compared, so
    that an attribute for cars and one for people agree.
    """

    code = "BOX305"
    name = "disagreeing-attributes"
    severity = Severity.WARNING
    message = (
        "`{attribute_other}` and `{attribute}` box the same labels, but {alone:,} of {count:# box} have no counterpart"
        "; keep one attribute"
    )
    examples = (
        Good(boxes=[{}, {"attribute": "checked"}]),
        Good(boxes=[{}, {"attribute": "checked", "label": "dog", "left": 300}]),
        Bad(
            boxes=[{}, {"attribute": "checked", "left": 300}],
            says="`animals` and `checked` box the same labels, but 2 of 2 boxes have no counterpart; "
            "keep one attribute",
        ),
    )

    def check(self, counterparts: LazyFrame) -> LazyFrame:
        """One finding for each two attributes of a line."""
        return counterparts.filter(col("alone") > 0)


def _with_first(pairs: LazyFrame) -> LazyFrame:
    """Each box once, with the first of the boxes before it."""
    return pairs.sort("box_other").unique("box_id", keep="first", maintain_order=True)
