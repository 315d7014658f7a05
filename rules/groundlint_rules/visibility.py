"""VIS: objects that are cut off by the frame or hidden by others."""

from __future__ import annotations

from typing import Literal

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity


class ObjectTruncated(Rule):
    """A box touches the frame of its image: the object is probably cut off.

    ## Why is this bad?
    The guide asks for objects that are fully visible. Of a cut object the model learns the part.

    ## How to mend it
    Take the picture from further away, or leave the object out.

    ## How far it can be trusted
    Contact is a fact, whether the object is cut only the picture tells. On kitti, where people measured how much is cut
    off, .82 of the boxes that touch were cut by 15 % and more, and of those all but .2 % touch
    (benchmarks/visibility.py). On VOC .76 of those that touch were called truncated, .71 with one side and .94 with
    four; half of the truncated objects there are cut by another object and do not touch. In healthy sets 12 to
    27 % of the images have such a box: it is info.
    """

    code = "VIS101"
    name = "object-truncated"
    is_summed_up = True
    severity = Severity.INFO
    message = "box {box} of {label!r} touches the frame ({sides} of 4 sides): the object is probably cut off"
    examples = (
        Good(boxes=[{}, {"left": 0, "top": 0, "width": 640, "height": 480}]),
        Bad(
            boxes=[{"left": 0, "top": 1}],
            says="box 0 of 'cat' touches the frame (2 of 4 sides): the object is probably cut off",
        ),
    )
    min_sides: int = Option(1, ge=1, le=4, description="Sides of the frame that a box must touch.")

    def check(self, visibility: LazyFrame) -> LazyFrame:
        """Boxes at the frame."""
        return visibility.filter(col("sides") >= self.min_sides)


class ObjectOccluded(Rule):
    """A box is covered by others in front of it: the object is probably hidden.

    ## Why is this bad?
    The guide asks for objects that are not hidden by others. Of a hidden object the model learns what hides it.

    ## How to mend it
    Take the picture from elsewhere, or leave the object out.

    ## How far it can be trusted
    On kitti, street scenes in which people noted what is hidden, .95 of those it flags are, and it finds .61 of them
    (benchmarks/visibility.py). On VOC, outside the frame's edge, .67 of boxes covered by .3 under one of their own
    label and .41 of those covered under others were called hidden. What
    hides an object is most often not boxed, and then it is not seen: of hidden faces in wider_occ one in ten. For views
    from above set `front = "any"`: a lower edge is not nearer there.
    """

    code = "VIS102"
    name = "object-occluded"
    is_summed_up = True
    severity = Severity.INFO
    message = "box {box} of {label!r} is covered by {share:.0%}: the object is probably hidden"
    examples = (
        Good(boxes=[{}, {"left": 150, "top": 150, "label": "dog"}]),
        Good(boxes=[{"top": 150}, {"left": 120, "top": 100}], options={"same": 1.0}),
        Bad(
            boxes=[{}, {"left": 120, "top": 120}],
            says="box 0 of 'cat' is covered by 64%: the object is probably hidden",
        ),
        Bad(boxes=[{}, {"left": 120, "label": "dog", "height": 110}]),
    )
    same: float = Option(0.3, gt=0, le=1, description="Covered share under boxes of the same label.")
    other: float = Option(0.5, gt=0, le=1, description="Covered share under boxes of other labels.")
    front: Literal["lower-bottom", "any"] = Option(
        "lower-bottom", description="Which boxes cover: those of a lower bottom edge, or any that overlap."
    )

    def check(self, visibility: LazyFrame) -> LazyFrame:
        """Boxes that are mostly under others."""
        if self.front == "any":
            return visibility.with_columns(share=col("covered_any"), score=col("covered_any")).filter(
                col("share") >= self.other
            )
        hidden = visibility.filter((col("covered_same") >= self.same) | (col("covered_other") >= self.other))
        return hidden.with_columns(share=col("covered"), score=col("covered"))


class LabelOftenHidden(Rule):
    """Most objects of a label are cut off or hidden.

    ## Why is this bad?
    The model never sees the label whole.

    ## How to mend it
    Add images in which the objects are fully visible.

    ## How far it can be trusted
    As far as VIS101 and VIS102, whose thresholds it counts with; by the many of a label single errors even out.
    """

    code = "VIS103"
    name = "label-often-hidden"
    severity = Severity.WARNING
    message = "{hidden} of the {count} boxes of {label!r} touch the frame or are covered by others"
    examples = (
        Good(boxes=[{"line": n} for n in range(60)]),
        Bad(
            boxes=[{"line": n, "left": 0 if n < 40 else 50} for n in range(60)],
            says="40 of the 60 boxes of 'cat' touch the frame or are covered by others",
        ),
    )
    share: float = Option(0.5, gt=0, le=1, description="Share of a label's boxes from which it is named.")
    min_boxes: int = Option(50, ge=1, description="Boxes that a label needs.")

    def check(self, visibility: LazyFrame) -> LazyFrame:
        """Labels most of whose boxes are at the frame or under others."""
        is_hidden = (col("sides") >= 1) | (col("covered_same") >= 0.3) | (col("covered_other") >= 0.5)
        counts = visibility.group_by("split", "label").agg(
            count=pl.len(), hidden=is_hidden.fill_null(lit(False)).sum(), score=is_hidden.mean()
        )
        return counts.filter(col("count") >= self.min_boxes, col("hidden") > self.share * col("count"))
