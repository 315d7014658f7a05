"""BOX: boxes with unusual sizes or positions, and sizes of images that contradict each other."""

from __future__ import annotations

import math

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Option, Rule, Severity
from groundlint.engine.base_tables import RECTANGLE
from groundlint_rules.algorithms.robust import robust_sigma
from groundlint_rules.tables.verdicts import is_outside, is_too_small

_TIMES = 2
"""Factor by which a box must differ: where a label's boxes are nearly equal, small differences come from drawing."""

_MIN_SIGMA = 0.01
"""Smallest spread assumed, for labels whose boxes are all equal."""

_NEAR_PX = 2
"""Distance from the image edge, in px, within which a box may be truncated, so that its size means nothing."""

_MEASURES = {"aspect-ratio": 1, "size": 2}
"""What is compared, and the power to which the message raises it: sides are compared, areas reported."""

_WHOLE = {"left": 0, "top": 0, "width": 640, "height": 480}
_NEARLY_WHOLE = {"left": 0, "top": 0, "width": 600, "height": 480}

_ALIKE = tuple({"line": 2 + n, "width": 88 + n % 25} for n in range(60))
_FLAT = ({"line": 1, "width": 300}, *_ALIKE)
_LARGE = ({"line": 1, "width": 300, "height": 300}, *_ALIKE)
_VARIED_FLAT = (
    {"line": 1, "width": 400, "height": 20},
    *({"line": 2 + n, "width": 20 * (1 + n % 10)} for n in range(60)),
)


class WholeImageBox(Rule):
    """A box covers the whole image.

    ## Why it matters
    It does not teach the model where the object is. Often it is an image-level label that was turned into a box.

    ## How to fix it
    Draw the box around the object. Where the object does fill the image, leave it.

    ## How reliable it is
    That the box covers the image is a fact; only the image shows whether the object does. It reports no image of
    raccoon, bccd, kitti_labels and wider_occ.
    """

    code = "BOX306"
    name = "whole-image-box"
    severity = Severity.INFO
    precision = FACT
    message = "box {box} ({label!r}) covers {score:.1%} of the image; draw it around the object"
    examples = (
        Good(boxes=[_NEARLY_WHOLE], options={"share": 0.95}),
        Bad(
            boxes=[_NEARLY_WHOLE],
            options={"share": 0.9},
            says="box 0 ('cat') covers 93.8% of the image; draw it around the object",
        ),
        Bad(boxes=[_WHOLE], says="box 0 ('cat') covers 100.0% of the image; draw it around the object"),
    )
    share: float = Option(0.99, ge=0.5, le=1, description="Share of the image from which a box counts as covering it.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Boxes within the image that cover almost all of it."""
        share = col("width") * col("height") / (col("image_width") * col("image_height"))
        covering = boxes.select("box_id", "box", "label", share=share).filter(
            # Rounding may exceed the whole; boxes that leave the image are the service's own error.
            col("share").is_between(self.share, 1.0001)
        )
        return covering.select("box_id", "box", "label", score=col("share").clip(upper_bound=1))


class FractionalPixels(Rule):
    """Boxes are given in fractions of pixels.

    ## Why it matters
    The format requires whole numbers. The service accepts fractions, but other readers cut them off, and values below 1
    are often shares of the image and not pixels at all. Each attribute of a manifest gets one finding.

    ## How to fix it
    Round the numbers, or multiply shares by the size of the image.
    """

    code = "BOX307"
    name = "fractional-pixels"
    severity = Severity.INFO
    precision = FACT
    message = "box {box} of `{attribute}` is not in whole pixels (on {lines:# line} of the manifest); round the values"
    examples = (
        Good(boxes=[{"left": 12.0}]),
        Bad(
            boxes=[{"left": 12.5}],
            says="box 0 of `animals` is not in whole pixels (on 1 line of the manifest); round the values",
        ),
        Bad(
            boxes=[{"left": 12.5}, {"line": 2, "top": 0.25}],
            says="box 0 of `animals` is not in whole pixels (on 2 lines of the manifest); round the values",
        ),
    )

    def check(self, boxes: LazyFrame, unused_lines: LazyFrame) -> LazyFrame:
        """One such box of each manifest and attribute, if possible one that the service uses."""
        is_whole = pl.all_horizontal(col(side) == col(side).round() for side in RECTANGLE)
        lost = unused_lines.select("line_id", is_lost=lit(True))
        is_unused = is_outside() | is_too_small() | ~col("usable") | col("is_lost").fill_null(False)
        first = col("box_id", "box").sort_by("is_unused", "source_ref", "line", "box").first()
        fractional = boxes.filter(~is_whole).join(lost, on="line_id", how="left").with_columns(is_unused=is_unused)
        of_attribute = fractional.group_by("data_set", "split", "manifest", "attribute")
        return of_attribute.agg(first, lines=col("line").n_unique())


class ConflictingImageSizes(Rule):
    """Two attributes of a line declare different sizes of the image.

    ## Why it matters
    One of them is wrong, and so are the positions of all its boxes.

    ## How to fix it
    Scale the boxes of the wrong one to the size of the file.
    """

    code = "BOX308"
    name = "conflicting-image-sizes"
    severity = Severity.WARNING
    precision = FACT
    message = (
        "`{attribute}` declares an image of {image_width} x {image_height} px, `{first}` one of {width} x {height} px; "
        "correct the wrong one and its boxes"
    )
    examples = (
        Good(boxes=[{}, {"attribute": "plants"}]),
        Bad(
            boxes=[{}, {"attribute": "plants", "image_width": 480, "image_height": 640}],
            says="`plants` declares an image of 480 x 640 px, `animals` one of 640 x 480 px; "
            "correct the wrong one and its boxes",
        ),
    )

    def check(self, attributes: LazyFrame) -> LazyFrame:
        """Attributes whose size differs from that of the first attribute of the line."""
        size = ("image_width", "image_height")
        sized = attributes.filter(col("image_width").is_not_null() & col("image_height").is_not_null())
        differs = pl.any_horizontal(col(side).min() != col(side).max() for side in size)
        several = sized.group_by("line_id").agg(differs=differs).filter("differs")
        in_order = sized.join(several, on="line_id", how="semi").sort("attribute")
        first = {"first": "attribute", "width": "image_width", "height": "image_height"}
        both = in_order.with_columns(col(column).first().over("line_id").alias(name) for name, column in first.items())
        return both.filter((col("image_width") != col("width")) | (col("image_height") != col("height")))


class UnusualBox(Rule):
    """A box has a size or an aspect ratio that is unusual for its label.

    ## Why it matters
    Where a label's boxes are alike in size or shape, one that is not has often slipped, holds several objects, or
    belongs to another label.

    ## How to fix it
    Look at the image. Tighten the box or correct the label.

    ## How reliable it is
    The aspect ratio and the size of a box are compared with the label's median, on a logarithmic scale and in robust
    standard deviations (z scores). The size is the side of a square with the box's share of the image as its area.
    Labels are judged only where this spread is narrow, as in microscopy or on a conveyor. Boxes at the image edge are
    left out.

    Where the spread is narrow, boxes whose aspect ratio has a z score of 2 or more were objects that people call
    occluded: precision 0.85 and recall 0.46 for tvmonitor of VOC, 0.79 and 0.16 for Pedestrian of KITTI. Elsewhere the
    aspect ratio is at or below chance (AUROC 0.37 for cats and 0.44 for dogs of VOC).

    Of red cells of bccd whose box was flattened it finds 0.95, and of those whose box was grown to the whole image 0.95
    (recall; means of 20 draws of 10 boxes; benchmarks/planted.py). It reports 1.4% of the set's own 364 images: 1.1% by
    the aspect ratio and 0.3% by the size.
    """

    code = "BOX309"
    name = "unusual-box"
    severity = Severity.INFO
    messages = {
        "aspect-ratio": "box {box} ({label!r}) has aspect ratio {value:.2f}; the median for {label!r} is {median:.2f}",
        "size": "box {box} ({label!r}) covers {value:.2%} of the image; the median for {label!r} is {median:.2%}",
    }
    examples = (
        Good(boxes=_ALIKE),
        Bad(boxes=_FLAT, says="box 0 ('cat') has aspect ratio 3.00; the median for 'cat' is 0.98"),
        Bad(boxes=_LARGE, says="box 0 ('cat') covers 29.30% of the image; the median for 'cat' is 3.19%"),
        Good(boxes=_FLAT, options={"min_z": 20}),
        Bad(boxes=_FLAT, options={"min_z": 10}),
        Good(boxes=_FLAT, options={"min_boxes": 62}),
        Bad(boxes=_FLAT, options={"min_boxes": 61}),
        Good(boxes=_VARIED_FLAT, options={"max_spread": 0.25, "min_z": 2}),
        Bad(boxes=_VARIED_FLAT, options={"max_spread": 1.0, "min_z": 2}),
    )
    min_z: float = Option(5.0, ge=2, description="Robust standard deviations from which a box is unusual.")
    min_boxes: int = Option(50, ge=10, description="Number of boxes that a label needs.")
    max_spread: float = Option(
        0.25, gt=0, description="Largest robust standard deviation, of logarithms, with which a label is judged."
    )

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Boxes far from the median of a label with a narrow spread, by the measure in which they are farther."""
        label = ("data_set", "attribute", "label")
        measured = _untouched(boxes).collect()
        statistics = measured.group_by(label).agg(
            pl.len().alias("count"),
            *(col(name).median().alias(f"{name}_median") for name in _MEASURES),
            *(robust_sigma(col(name)).alias(f"{name}_sigma") for name in _MEASURES),
        )
        known = statistics.filter(col("count") >= self.min_boxes)
        far = [self._far(measured, known, kind, power) for kind, power in _MEASURES.items()]
        return pl.concat(far).sort("score", descending=True).unique("box_id", keep="first", maintain_order=True)

    def _far(self, measured: DataFrame, statistics: DataFrame, kind: str, power: int) -> LazyFrame:
        """The boxes that are unusual in one measure."""
        label = ("data_set", "attribute", "label")
        spread = statistics.select(*label, median=f"{kind}_median", sigma=f"{kind}_sigma")
        narrow = spread.filter(col("sigma") <= self.max_spread)
        distance = (col(kind) - col("median")).abs()
        z = distance / col("sigma").clip(_MIN_SIGMA)
        rows = measured.lazy().join(narrow.lazy(), on=label).filter(distance >= math.log(_TIMES), z >= self.min_z)
        # Of two measures the one with the greater z score has the greater score.
        score = 1 - self.min_z / (z + self.min_z)
        value, median = ((power * col(name)).exp() for name in (kind, "median"))
        return rows.select("box_id", kind=lit(kind), value=value, median=median, score=score)


def _untouched(boxes: LazyFrame) -> LazyFrame:
    """Boxes that do not touch the image edge, with the logarithms of their aspect ratio and size."""
    is_free = (
        (pl.min_horizontal("left", "top") > _NEAR_PX)
        & (col("left") + col("width") < col("image_width") - _NEAR_PX)
        & (col("top") + col("height") < col("image_height") - _NEAR_PX)
    )
    share = col("width") * col("height") / (col("image_width") * col("image_height"))
    measures = {"aspect-ratio": (col("width") / col("height")).log(), "size": share.sqrt().log()}
    usable = boxes.filter(is_free, col("width") > 0, col("height") > 0, col("label").is_not_null())
    return usable.select("data_set", "attribute", "label", "box_id", **measures)
