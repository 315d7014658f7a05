"""IMG: images that the service does not take."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.service import ServiceRule


class InvalidImage(ServiceRule):
    """The image is not one that the service can use.

    ## Why is this bad?
    The service drops the line: the image is more than 20 times as long as wide.

    ## How to mend it
    Cut the image, with its boxes.

    ## What the documents leave open
    Whether exactly 20:1 is too long: here it is not. The shape is taken from `image_size` where that is declared.
    """

    code = "IMG101"
    name = "invalid-image"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_IMAGE"
    examples = (
        Good(attributes=[{"image_width": 2000, "image_height": 100}]),
        Bad(
            attributes=[{"image_width": 2001, "image_height": 100}],
            says="the image of 2001 x 100 pixels is more than 20 times as long as wide; cut it",
        ),
    )


class InvalidImageDimension(ServiceRule):
    """An image with boxes has a side below 64 or above 4,096 pixels.

    ## Why is this bad?
    The service drops the line.

    ## How to mend it
    Scale the image, and its boxes with it.

    ## What the documents leave open
    Whether 64 and 4,096 themselves are allowed: here they are.
    """

    code = "IMG102"
    name = "invalid-image-dimension"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_IMAGE_DIMENSION"
    examples = (
        Good(attributes=[{"image_width": 4096, "image_height": 205}]),
        Bad(
            attributes=[{"image_width": 640, "image_height": 63}],
            says="the image of 640 x 63 pixels has a side outside 64 to 4096; scale it with its boxes",
        ),
        Bad(attributes=[{"image_width": 4097}]),
    )
