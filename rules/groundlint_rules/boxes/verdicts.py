"""BOX: boxes that the service drops."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Rule, Safety, Severity, json_number, pointer, set_value
from groundlint.engine.base_tables import RECTANGLE
from groundlint_rules.service import PlainLostLineRule, ServiceRule, repairing, verdicts_of
from groundlint_rules.tables.verdicts import is_too_small

MAX_CLIPPED = 2.0
"""Distance, in px, up to which clipping a box cannot change what it marks."""

_ROUNDING = 1e-9


class BoxOutsideImage(Rule):
    """A box extends beyond its image.

    ## Why it matters
    The service drops the box: it extends beyond the size that `image_size` declares, or has a negative side.

    ## How to fix it
    Clip the box to the image. If the image was resized or rotated, transform its boxes in the same way.

    ## Causes
    - The box extends beyond one or two edges of the image.
    - The box lies outside the image: its place or `image_size` is wrong.
    - The box has a negative width or height: its left and right, or top and bottom edges are exchanged.
    """

    code = "BOX101"
    name = "box-outside-image"
    severity = Severity.ERROR
    precision = FACT
    targets = ("rekognition",)
    aws = "ERROR_INVALID_BOUNDING_BOX"
    messages = {
        "box-outside-image": "box {box} ({label!r}) extends {found}; clip it",
        "box-beyond-image": "box {box} ({label!r}) lies outside the image of {expected} px: {found}; "
        "correct or remove it",
        "negative-box": "box {box} ({label!r}) has a negative {found}; exchange the two edges",
    }
    fixes = {
        Safety.SAFE: "Clips a box to its image, if it extends at most 2 px beyond each edge and stays large enough."
    }
    examples = (
        Good(boxes=[{"left": 540, "width": 100, "image_width": 640}]),
        Good(boxes=[{"left": 138.8, "width": 501.2000000000001, "image_width": 640}]),
        Bad(
            boxes=[{"left": 1828, "width": 92.0005, "image_width": 1920}],
            says="box 0 ('cat') extends 0.0005 px beyond the right edge; clip it",
        ),
        Bad(
            boxes=[{"left": -5, "top": 381.5}],
            says="box 0 ('cat') extends 5 px beyond the left edge and 1.5 px beyond the bottom edge; clip it",
        ),
        Bad(
            boxes=[{"left": 700}],
            says="box 0 ('cat') lies outside the image of 640 x 480 px: left 700, top 100, width 100, height 100; "
            "correct or remove it",
        ),
        Bad(
            boxes=[{"width": -20}],
            says="box 0 ('cat') has a negative width (-20 px); exchange the two edges",
        ),
    )

    def check(self, verdicts: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Every verdict of the rule's kinds."""
        rows = verdicts_of(self, verdicts)
        slight = rows.filter(col("kind") == "box-outside-image", col("caused_by").is_null()).select("box_id").unique()
        clipped = _clipped(boxes.join(slight, on="box_id", how="semi"))
        rows = rows.join(clipped, on="box_id", how="left", nulls_equal=False)
        return repairing(rows, col("clips").is_not_null(), col("clips"), Safety.SAFE).drop("clips")


def _clipped(boxes: LazyFrame) -> LazyFrame:
    """Boxes that extend slightly beyond their image, with `clips`: the edits of the numbers that clipping changes."""
    inner = {
        "left": pl.max_horizontal("left", lit(0.0)),
        "top": pl.max_horizontal("top", lit(0.0)),
        "right": pl.min_horizontal(col("left") + col("width"), "image_width"),
        "bottom": pl.min_horizontal(col("top") + col("height"), "image_height"),
    }
    beyond = pl.max_horizontal(
        -col("left"),
        -col("top"),
        col("left") + col("width") - col("image_width"),
        col("top") + col("height") - col("image_height"),
    )
    sizes = {"width": col("right") - col("left"), "height": col("bottom") - col("top")}
    numbers = boxes.select("box_id", "attribute", "box", "image_width", "image_height", **inner, beyond=beyond)
    clipped = numbers.with_columns(**sizes).filter(col("beyond") <= MAX_CLIPPED, ~is_too_small())
    given = boxes.select("box_id", *(col(side).alias(f"{side}_given") for side in RECTANGLE))
    edits = [
        pl.when((col(side) - col(f"{side}_given")).abs() > _ROUNDING).then(
            set_value(pointer(col("attribute"), "annotations", col("box"), side), json_number(col(side)))
        )
        for side in RECTANGLE
    ]
    return clipped.join(given, on="box_id").select("box_id", clips=pl.concat_list(edits))


class BoxTooSmall(ServiceRule):
    """A side of a box is one pixel or less.

    ## Why it matters
    The service drops the box. Before training it scales down images with a side over 1,280 px, together with their
    boxes.

    ## How to fix it
    Remove the box, or crop the image around the object.

    ## Causes
    - The object is too small for the size of the image.
    - A box of at most 1 x 1 px at 0, 0 is used for “no object”. The service has no negatives: it ignores lines without
      boxes.

    ## Undocumented service behavior
    The documents do not say which side is scaled to 1,280 px (here the longer one), nor whether one small side is
    enough (here it is).
    """

    code = "BOX102"
    name = "box-too-small"
    severity = Severity.ERROR
    aws = "ERROR_BOUNDING_BOX_TOO_SMALL"
    messages = {
        "box-too-small": "box {box} ({label!r}) is too small: {found} px in an image of {expected} px, "
        "1 px or less after resizing; remove it",
        "placeholder-box": "box {box} ({label!r}) of {found} px in the corner means “no object”: negatives are "
        "lines without boxes, which the service ignores; remove it",
    }
    examples = (
        Good(boxes=[{"width": 1.5}]),
        Bad(
            boxes=[{"width": 1}],
            says="box 0 ('cat') is too small: 1 x 100 px in an image of 640 x 480 px, 1 px or less after resizing; "
            "remove it",
        ),
        Bad(boxes=[{"width": 2, "image_width": 2560, "image_height": 1920}]),
        Bad(
            boxes=[{"left": 0, "top": 0, "width": 1, "height": 1}],
            says="box 0 ('cat') of 1 x 1 px in the corner means “no object”: negatives are lines without "
            "boxes, which the service ignores; remove it",
        ),
    )


class TooManyBoxes(ServiceRule):
    """An attribute has more than 50 boxes.

    ## Why it matters
    The service accepts at most 50 boxes per image.

    ## How to fix it
    Cut the image into tiles, or remove the smallest objects.

    ## Undocumented service behavior
    The documents do not say whether boxes are counted by attribute (as here) or by line, nor what is lost. One page
    says that nothing is lost.
    """

    code = "BOX103"
    name = "too-many-boxes"
    severity = Severity.ERROR
    aws = "ERROR_TOO_MANY_BOUNDING_BOXES"
    message = "`{key}` has {count:# box}, but the service accepts {limit}; cut the image into tiles"
    examples = (
        Good(attributes=[{"boxes": 50}]),
        Bad(
            boxes=[{"left": n} for n in range(51)],
            says="`animals` has 51 boxes, but the service accepts 50; cut the image into tiles",
        ),
    )


class NoValidBoxes(PlainLostLineRule):
    """None of the line's boxes is valid.

    ## Why it matters
    The service drops each box for a reason of its own, and the line because it has no box left.

    ## How to fix it
    Fix the boxes.
    """

    code = "BOX104"
    name = "no-valid-boxes"
    severity = Severity.ERROR
    aws = "ERROR_NO_VALID_ANNOTATIONS"
    message = "no valid boxes ({count:# box} dropped): the service drops this line; fix the boxes"
    examples = (
        Good(boxes=[{"left": -1}, {"box": 1}]),
        Bad(
            boxes=[{"left": -1}, {"box": 1, "width": 0}],
            says="no valid boxes (2 boxes dropped): the service drops this line; fix the boxes",
        ),
        Bad(boxes=[{"left": -1}, {"line": 2}]),
    )
