"""IMG: images that the service does not accept."""

from __future__ import annotations

from groundlint import Bad, Good, Severity
from groundlint_rules.service import PlainLostLineRule


class InvalidImage(PlainLostLineRule):
    """The service cannot use the image.

    ## Why it matters
    The service drops the line.

    ## How to fix it
    Provide the image as JPEG or PNG of at most 15 MB, with sides of 64 to 4,096 px and an aspect ratio of at most 20:1.
    If you resize or crop an image, transform its boxes in the same way.

    ## Causes
    - The file is not an image, or has another format than JPEG and PNG.
    - The file has more than 15 MB.
    - A side is below 64 or above 4,096 px, and the line has no boxes; on a line with boxes this is IMG102.
    - The longer side is more than 20 times the shorter one.
    - The object does not exist. Only S3 says that, with `--s3`; an image that is not among the local files may exist.

    ## Undocumented service behavior
    The documents do not say whether exactly 20:1 is too long; here it is not. The aspect ratio is that of `image_size`
    where it is declared.
    """

    code = "IMG101"
    name = "invalid-image"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_IMAGE"
    messages = {
        "missing-image": "the image cannot be loaded: {found}; upload it or correct the source-ref",
        "not-an-image": "not an image: {found}; replace or convert the file",
        "unsupported-image-format": "unsupported image format {found}; convert the image to JPEG or PNG",
        "image-file-too-large": "image file too large: {count:,} bytes, but {limit:,} are allowed; compress it",
        "image-side-out-of-range": "image of {found} px: each side must have 64 to 4,096 px; resize it",
        "image-too-elongated": "image of {found} px: its aspect ratio is above 20:1; crop it",
    }
    examples = (
        Good(attributes=[{"image_width": 2000, "image_height": 100}]),
        Bad(
            attributes=[{"image_width": 2001, "image_height": 100}],
            says="image of 2001 x 100 px: its aspect ratio is above 20:1; crop it",
        ),
        Bad(images=[{"format": "GIF"}], says="unsupported image format GIF; convert the image to JPEG or PNG"),
        Bad(
            images=[{"bytes": 16_000_000}],
            says="image file too large: 16,000,000 bytes, but 15,728,640 are allowed; compress it",
        ),
        Bad(
            images=[{"width": 5000, "height": 4000}],
            says="image of 5000 x 4000 px: each side must have 64 to 4,096 px; resize it",
        ),
        Good(images=[{"found": False, "path": None, "format": None, "width": None, "height": None}]),
        Bad(
            images=[{"fault": "no-image", "detail": "the file is empty", "format": None}],
            says="not an image: the file is empty; replace or convert the file",
        ),
        Bad(images=[{"format": "GIF"}, {"source_ref": "s3://bucket/2.jpg"}]),
        Bad(
            images=[{"found": False, "path": None, "fault": "no-object", "detail": "the object does not exist"}],
            says="the image cannot be loaded: the object does not exist; upload it or correct the source-ref",
        ),
    )


class InvalidImageDimension(PlainLostLineRule):
    """An image with boxes has a side below 64 or above 4,096 pixels.

    ## Why it matters
    The service drops the line.

    ## How to fix it
    Resize the image together with its boxes.

    ## Undocumented service behavior
    The documents do not say whether 64 and 4,096 px themselves are allowed; here they are.
    """

    code = "IMG102"
    name = "invalid-image-dimension"
    severity = Severity.ERROR
    aws = "ERROR_INVALID_IMAGE_DIMENSION"
    message = "image of {found} px: each side must have 64 to 4,096 px; resize it together with its boxes"
    examples = (
        Good(attributes=[{"image_width": 4096, "image_height": 205}]),
        Bad(
            attributes=[{"image_width": 640, "image_height": 63}],
            says="image of 640 x 63 px: each side must have 64 to 4,096 px; resize it together with its boxes",
        ),
        Bad(attributes=[{"image_width": 4097}]),
        Bad(boxes=[{"image_height": 63}, {"line": 2}]),
    )
