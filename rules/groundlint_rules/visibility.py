"""VIS: objects that are cut off by the frame or hidden, by other objects or by what nobody boxed."""

from __future__ import annotations

from typing import Literal

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity

_CONCEALED = {
    "manifest": "train.manifest",
    "line": 1,
    "source_ref": "s3://bucket/1.jpg",
    "attribute": "animals",
    "box": 0,
    "label": "cat",
    "crops": 200,
    "figure": 0.4,
    "lack": 3.0,
    "score": 0.985,
}


_BEFORE = {"left": 120, "top": 184, "width": 40, "height": 40}
"""A box of which two fifths lie before another."""


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
    hides an object is most often not boxed, and then it is not seen: of hidden faces in wider_occ it finds .02; VIS104
    looks for the others. For views from above set `front = "any"`: a lower edge is not nearer there.
    """

    code = "VIS102"
    name = "object-occluded"
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
        Good(boxes=[{}, _BEFORE]),
        Bad(
            boxes=[{}, _BEFORE],
            options={"front": "any"},
            says="box 1 of 'cat' is covered by 40%: the object is probably hidden",
        ),
    )
    same: float = Option(0.3, gt=0, le=1, description="Covered share under boxes of the same label.")
    other: float = Option(0.5, gt=0, le=1, description="Covered share under boxes of other labels.")
    front: Literal["lower-bottom", "any"] = Option(
        "lower-bottom", description="Which boxes cover: those of a lower bottom edge, or any that overlap."
    )

    def check(self, visibility: LazyFrame) -> LazyFrame:
        """Boxes that are mostly under others."""
        of = "_any" if self.front == "any" else ""
        is_hidden = (col(f"covered_same{of}") >= self.same) | (col(f"covered_other{of}") >= self.other)
        share = pl.max_horizontal("covered_same_any", "covered_other_any") if of else col("covered")
        return visibility.filter(is_hidden).with_columns(share=share, score=share)


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
    message = "{hidden} of the {count} boxes of {label!r} in the {split} split touch the frame or are covered by others"
    examples = (
        Good(boxes=[{"line": n} for n in range(60)]),
        Bad(
            boxes=[{"line": n, "left": 0 if n < 40 else 50} for n in range(60)],
            says="40 of the 60 boxes of 'cat' in the train split touch the frame or are covered by others",
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


class ObjectHiddenByUnboxed(Rule):
    """A box shows less of its object than others of its label do: something unboxed may hide it.

    ## Why is this bad?
    The guide asks for objects that are not hidden by others. Most of what hides an object is not boxed: a hand, a pole,
    a leaf.

    ## How to mend it
    Look at the boxes from the top of the ranking; leave out objects that are hardly to be seen, or take the picture
    from elsewhere.

    ## How far it can be trusted
    A small net looks at the middle of each box and at what is round it; what they differ in is compared, quarter by
    quarter, with the mean of the label's other boxes, and what blur and size explain is taken out. On wider_occ, faces
    of which people noted what is hidden, a hidden face of at least 20 px ranks before another in .82 of the pairs (95 %
    interval .78 to .86; .83 among faces of like height, .82 among like blurred ones), by boxes alone in .59, by height
    alone in .61. Of what is named by default .48 is hidden, where .12 of all faces are, and .21 of the hidden are
    found; .71 of it people called hidden, heavily blurred, oddly posed or oddly lit; much of the rest is seen from the
    side. Of boxes that were half covered by a piece of another picture it finds .40 in bccd and .11 in raccoon, where
    it ranks them before others in .84 of the pairs, and names 2 % of all boxes where nothing was covered
    (benchmarks/visibility.py). So it is a ranking to be looked through; all boxes are exported as `concealment`. Judged
    are labels with at least 50 boxes of at least 20 px in 10 images. Boxes that look like another label's are left out:
    they are rather mislabelled (.81 of those with exchanged labels in bccd).

    Each box costs a pass of the net, as each picture does for mislabel-suspect; up to 20,000 of a label and 200,000
    of all are looked at. Where that is too dear, `--ignore VIS104`.
    """

    code = "VIS104"
    name = "object-hidden-by-unboxed"
    severity = Severity.INFO
    message = "box {box} of {label!r} shows less of it than {score:.1%} of its {crops} crops: it may be hidden"
    examples = (
        Good(concealment=[_CONCEALED | {"lack": 2.9}]),
        Good(concealment=[_CONCEALED | {"lack": None, "score": None}]),
        Bad(
            concealment=[_CONCEALED],
            says="box 0 of 'cat' shows less of it than 98.5% of its 200 crops: it may be hidden",
        ),
    )
    lack: float = Option(
        3.0, gt=0, description="Robust deviations below what its label's crops of like size and sharpness show."
    )

    def check(self, concealment: LazyFrame) -> LazyFrame:
        """Boxes that show the least of their label."""
        return concealment.filter(col("lack") >= self.lack)
