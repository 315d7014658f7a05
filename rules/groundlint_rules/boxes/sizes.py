"""BOX: places and sizes that no annotator would draw."""

from __future__ import annotations

import math

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.service import and_others

_MAD_TO_SIGMA = 1.4826
"""Of a normal distribution: standard deviation over median absolute deviation."""

_TIMES = 2
"""Times by which a box must differ: where a label's spread is next to nothing, small differences are drawing."""

_TOUCHES = 2
"""Pixels from the frame within which a box counts as cut off, so that its size says nothing."""


class BoxCoversImage(Rule):
    """A box covers the whole image.

    ## Why is this bad?
    It teaches the model nothing on where the object is. Often it is an image label that was turned into a box.

    ## How to mend it
    Draw the box round the object. Where the object does fill the frame, leave it.

    ## How far it can be trusted
    Advice: whether an object fills its image only the picture tells. It flags none of raccoon,
    bccd, kitti and wider_occ.
    """

    code = "BOX306"
    name = "box-covers-image"
    severity = Severity.INFO
    message = "box {box} of {label!r} covers {score:.1%} of the image"
    examples = (
        Good(boxes=[{"left": 0, "top": 0, "width": 600, "height": 480}]),
        Bad(
            boxes=[{"left": 0, "top": 0, "width": 640, "height": 480}],
            says="box 0 of 'cat' covers 100.0% of the image",
        ),
    )
    share: float = Option(0.99, ge=0.5, le=1, description="Share of the image from which it counts as covered.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Boxes within the image that leave next to nothing of it."""
        area = col("width") * col("height") / (col("image_width") * col("image_height"))
        return boxes.with_columns(score=area).filter(col("score").is_between(self.share, 1.0001))


class FractionalPixels(Rule):
    """Boxes are given in fractions of pixels.

    ## Why is this bad?
    The format names whole numbers. The service is known to take fractions; other readers cut them off, and values
    below one are often shares of the image, which are no pixels at all. One finding stands for a manifest.

    ## How to mend it
    Round the numbers, or multiply shares by the size of the image.
    """

    code = "BOX307"
    name = "fractional-pixels"
    severity = Severity.INFO
    message = "box {box} of `{attribute}` is not in whole pixels{others}"
    examples = (
        Good(boxes=[{"left": 12.0}]),
        Bad(boxes=[{"left": 12.5}], says="box 0 of `animals` is not in whole pixels"),
        Bad(
            boxes=[{"left": 12.5}, {"line": 2, "top": 0.25}],
            says="box 0 of `animals` is not in whole pixels; so on 1 other lines",
        ),
    )

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """One such box of each manifest and attribute."""
        is_whole = pl.all_horizontal(col(side) == col(side).round() for side in ("left", "top", "width", "height"))
        odd = boxes.filter(~is_whole).group_by("manifest", "attribute", "line").agg(col("source_ref", "box").first())
        return (
            odd.sort("source_ref", "line")
            .group_by("manifest", "attribute")
            .agg(col("line", "source_ref", "box").first(), others=and_others())
        )


class ContradictingImageSize(Rule):
    """Two attributes of a line declare different sizes of the image.

    ## Why is this bad?
    One of them is wrong, and with it the place of all its boxes.

    ## How to mend it
    Scale the boxes of the wrong one to the size of the file.
    """

    code = "BOX308"
    name = "contradicting-image-size"
    severity = Severity.WARNING
    message = "`image_size` of `{attribute}` is {image_width} x {image_height}, that of `{first}` {width} x {height}"
    examples = (
        Good(attributes=[{}, {"attribute": "plants"}]),
        Bad(
            attributes=[{}, {"attribute": "plants", "image_width": 480, "image_height": 640}],
            says="`image_size` of `plants` is 480 x 640, that of `animals` 640 x 480",
        ),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Attributes whose size is not that of the line's first."""
        sized = attributes.filter(col("image_width").is_not_null() & col("image_height").is_not_null())
        first = (
            sized.sort("attribute")
            .group_by("manifest", "line")
            .agg(first=col("attribute").first(), width=col("image_width").first(), height=col("image_height").first())
        )
        both = sized.join(first, on=["manifest", "line"])
        return both.filter((col("image_width") != col("width")) | (col("image_height") != col("height")))


class OddBoxShape(Rule):
    """A box is much longer or flatter than its label's other boxes.

    ## Why is this bad?
    Where a label's boxes are alike in shape, one that is not has often slipped, holds two objects, or is of another
    label.

    ## How to mend it
    Look at the image; tighten the box or correct the label.

    ## How far it can be trusted
    Advice. Width over height, on a logarithmic scale, is compared with the label's median in units of its median
    absolute deviation, and only where that spread is narrow: elsewhere the measure is chance (AUROC .37 to .44 for
    cats and dogs of VOC). Where it is narrow, z of 2 and above met objects that people call truncated with precision
    .85 and .79. Of boxes flattened in bccd it finds .95, and flags 1.1 % of the set's own images
    (benchmarks/planted.py). Boxes at the frame are left out.
    """

    code = "BOX309"
    name = "odd-box-shape"
    severity = Severity.INFO
    message = "box {box} of {label!r} has width over height {shape:.2f}; the middle of its {count} boxes is {usual:.2f}"
    examples = (
        Good(boxes=[{"line": n, "width": 95 + n % 11, "height": 100} for n in range(60)]),
        Bad(
            boxes=[{"line": n, "width": 88 + n % 25} for n in range(60)] + [{"line": 61, "width": 300}],
            says="box 0 of 'cat' has width over height 3.00; the middle of its 61 boxes is 0.98",
        ),
        Good(boxes=[{"line": n, "width": 20 * (1 + n % 10)} for n in range(60)] + [{"line": 61, "width": 400}]),
    )
    min_z: float = Option(5.0, ge=2, description="Robust standard deviations from which a box is odd.")
    min_boxes: int = Option(50, ge=10, description="Boxes that a label needs.")
    max_spread: float = Option(0.25, gt=0, description="Widest spread of a label, as a robust sigma of the logarithm.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Boxes far from the middle of a label that has one."""
        shape = (col("width") / col("height")).log()
        odd = _odd(boxes, shape, self.min_z, self.min_boxes, self.max_spread)
        return odd.with_columns(shape=col("value").exp(), usual=col("middle").exp())


class OddBoxSize(Rule):
    """A box is much bigger or smaller than its label's other boxes.

    ## Why is this bad?
    Where a label's boxes are alike in size, one that is not has often slipped, holds several objects, or is of another
    label.

    ## How to mend it
    Look at the image; tighten the box or correct the label.

    ## How far it can be trusted
    Advice. Of the red cells of bccd whose box was grown to the whole image it finds .95, and flags .3 % of the
    set's images (benchmarks/planted.py). The side of a square of the box's area, as a share
    of the image's, is compared as BOX309 compares shapes, and only where a label's sizes are alike, as in microscopy
    or on a conveyor. Boxes at the frame are left out.
    """

    code = "BOX310"
    name = "odd-box-size"
    severity = Severity.INFO
    message = "box {box} of {label!r} is {times:.1f} times {than} than is usual for the label's {count} boxes"
    examples = (
        Good(boxes=[{"line": n, "width": 95 + n % 11} for n in range(60)]),
        Bad(
            boxes=[{"line": n, "width": 88 + n % 25} for n in range(60)] + [{"line": 61, "width": 300, "height": 300}],
            says="box 0 of 'cat' is 3.0 times bigger than is usual for the label's 61 boxes",
        ),
    )
    min_z: float = Option(5.0, ge=2, description="Robust standard deviations from which a box is odd.")
    min_boxes: int = Option(50, ge=10, description="Boxes that a label needs.")
    max_spread: float = Option(0.25, gt=0, description="Widest spread of a label, as a robust sigma of the logarithm.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Boxes far from the middle of a label that has one."""
        share = (col("width") * col("height")) / (col("image_width") * col("image_height"))
        odd = _odd(boxes, share.sqrt().log(), self.min_z, self.min_boxes, self.max_spread)
        distance = col("value") - col("middle")
        return odd.with_columns(
            times=distance.abs().exp(), than=pl.when(distance > 0).then(lit("bigger")).otherwise(lit("smaller"))
        )


def _odd(boxes: LazyFrame, value: Expr, min_z: float, min_boxes: int, max_spread: float) -> LazyFrame:
    """Boxes whose value lies far from the median of their label, in units of a narrow spread."""
    is_free = (
        (pl.min_horizontal("left", "top") > _TOUCHES)
        & (col("left") + col("width") < col("image_width") - _TOUCHES)
        & (col("top") + col("height") < col("image_height") - _TOUCHES)
    )
    label = ("attribute", "label")
    sized = boxes.with_row_index("row").filter(is_free, col("width") > 0, col("height") > 0)
    # Millions of boxes, used several times: only what is needed, and held once.
    free = sized.select("row", *label, value=value).collect()
    middle = free.group_by(label).agg(count=pl.len(), middle=col("value").median()).filter(col("count") >= min_boxes)
    free = free.join(middle, on=label)
    distance = (col("value") - col("middle")).abs()
    spread = free.group_by(label).agg(spread=distance.median() * _MAD_TO_SIGMA)
    # All boxes of one size have no spread: then a hundredth is taken, so that drawing by hand is no fault.
    narrow = spread.filter(col("spread") <= max_spread).with_columns(col("spread").clip(0.01))
    z = distance / col("spread")
    far = free.filter(distance >= math.log(_TIMES)).lazy()
    odd = far.join(narrow.lazy(), on=label).filter(z >= min_z)
    places = boxes.select("manifest", "line", "box", "source_ref").with_row_index("row")
    return odd.with_columns(score=1 - min_z / (z + min_z)).join(places, on="row")
