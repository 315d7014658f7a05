"""BOX: boxes that the service drops."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.service import ServiceRule


class BoxOutsideImage(ServiceRule):
    """A box leaves the frame of its image.

    ## Why is this bad?
    The service drops the box. Its corner or its far edge lies outside the size that `image_size` declares, or a side is
    negative.

    ## How to mend it
    Clip the box to the image; where the image was scaled or rotated, do the same to its boxes.
    """

    code = "BOX101"
    name = "box-outside-image"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_BOUNDING_BOX"
    examples = (
        Good(boxes=[{"left": 540, "width": 100, "image_width": 640}]),
        Good(boxes=[{"left": 138.8, "width": 501.2000000000001, "image_width": 640}]),
        Bad(
            boxes=[{"left": 541, "width": 100, "image_width": 640}],
            says="box 0 of cat (left 541.0, top 100.0, width 100.0, height 100.0) leaves the image of 640 x 480 pixels",
        ),
        Bad(boxes=[{"top": -1}]),
    )


class BoxTooSmall(ServiceRule):
    """A side of a box is one pixel or less.

    ## Why is this bad?
    The service drops the box. Images with a side over 1,280 pixels are scaled down for training, and their boxes with
    them.

    ## How to mend it
    Remove the box, or cut the image round the object.

    ## What the documents leave open
    Which side is scaled to 1,280 (the longer is taken), and whether one small side is enough (it is).
    """

    code = "BOX102"
    name = "box-too-small"
    severity = Severity.ERROR
    aws = "ERROR_BOUNDING_BOX_TOO_SMALL"
    examples = (
        Good(boxes=[{"width": 1.5}]),
        Bad(
            boxes=[{"width": 1}],
            says="box 0 of cat (1.0 x 100.0) has a side of 1 pixel or less once training scales the image of 640 x 480",
        ),
        Bad(boxes=[{"width": 2, "image_width": 2560, "image_height": 1920}]),
    )


class TooManyBoxes(ServiceRule):
    """An attribute has more than 50 boxes.

    ## Why is this bad?
    The service takes at most 50 boxes of an image.

    ## How to mend it
    Cut the image into tiles, or leave out the smallest objects.

    ## What the documents leave open
    Whether boxes are counted by attribute (they are here) or by line, and what is lost: one page says nothing is.
    """

    code = "BOX103"
    name = "too-many-boxes"
    severity = Severity.ERROR
    aws = "ERROR_TOO_MANY_BOUNDING_BOXES"
    examples = (
        Good(attributes=[{"boxes": 50}]),
        Bad(attributes=[{"boxes": 51}], says="`animals` has 51 boxes; the service takes 50"),
    )


class NoValidBoxes(ServiceRule):
    """None of the line's boxes can be used.

    ## Why is this bad?
    Each box is dropped for its own reason, and with the last one the line.

    ## How to mend it
    Mend the boxes.
    """

    code = "BOX104"
    name = "no-valid-boxes"
    severity = Severity.ERROR
    aws = "ERROR_NO_VALID_ANNOTATIONS"
    examples = (
        Good(boxes=[{"left": -1}, {"box": 1}]),
        Bad(boxes=[{"left": -1}, {"box": 1, "width": 0}], says="none of the 2 boxes of the line can be used"),
    )
