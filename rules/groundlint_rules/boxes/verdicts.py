"""BOX: boxes that the service drops."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.service import ServiceRule


class BoxOutsideImage(ServiceRule):
    """A box extends beyond its image.

    ## Why it matters
    The service drops the box: it extends beyond the size that `image_size` declares, or has a negative side.

    ## How to fix it
    Clip the box to the image. If the image was resized or rotated, transform its boxes in the same way.
    """

    code = "BOX101"
    name = "box-outside-image"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_BOUNDING_BOX"
    message = "box {box} ({label!r}) extends beyond the image of {expected} px: {found}; clip it"
    examples = (
        Good(boxes=[{"left": 540, "width": 100, "image_width": 640}]),
        Good(boxes=[{"left": 138.8, "width": 501.2000000000001, "image_width": 640}]),
        Bad(
            boxes=[{"left": 541, "width": 100, "image_width": 640}],
            says="box 0 ('cat') extends beyond the image of 640 x 480 px: "
            "left 541.0, top 100.0, width 100.0, height 100.0; clip it",
        ),
        Bad(boxes=[{"top": -1}]),
    )


class BoxTooSmall(ServiceRule):
    """A side of a box is one pixel or less.

    ## Why it matters
    The service drops the box. Before training it scales down images with a side over 1,280 px, together with their
    boxes.

    ## How to fix it
    Remove the box, or crop the image around the object.

    ## Undocumented service behavior
    The documents do not say which side is scaled to 1,280 px (here the longer one), nor whether one small side is
    enough (here it is).
    """

    code = "BOX102"
    name = "box-too-small"
    severity = Severity.ERROR
    aws = "ERROR_BOUNDING_BOX_TOO_SMALL"
    message = (
        "box {box} ({label!r}) is too small: {found} px in an image of {expected} px, 1 px or less after resizing; "
        "remove it"
    )
    examples = (
        Good(boxes=[{"width": 1.5}]),
        Bad(
            boxes=[{"width": 1}],
            says="box 0 ('cat') is too small: 1.0 x 100.0 px in an image of 640 x 480 px, 1 px or less after resizing; "
            "remove it",
        ),
        Bad(boxes=[{"width": 2, "image_width": 2560, "image_height": 1920}]),
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


class NoValidBoxes(ServiceRule):
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
    )
