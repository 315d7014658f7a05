"""IMG: image files that cannot be read, and images that contradict their manifest."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import (
    FACT,
    Bad,
    Good,
    Rule,
    Safety,
    Severity,
    json_number,
    note,
    pointer,
    set_value,
)
from groundlint_rules.tables.verdicts import MAX_IMAGE_BYTES, MAX_IMAGE_SIDE


class UnreadableImage(Rule):
    """The image cannot be decoded.

    ## Why it matters
    Training skips the image or stops at it.

    ## How to fix it
    Export the image again from its original.

    ## Causes
    The decoder raised an error, crashed, took too long or would have needed too much memory.
    """

    code = "IMG201"
    name = "image-unreadable"
    severity = Severity.ERROR
    precision = FACT
    message = "the image cannot be decoded: {detail}; export it again"
    features = ("decoded",)
    examples = (
        Good(images=[{"decoded": True}]),
        Bad(
            images=[{"fault": "unreadable", "detail": "broken PNG file"}],
            says="the image cannot be decoded: broken PNG file; export it again",
        ),
        Bad(images=[{"fault": "timed-out", "detail": "measuring it takes more than 30 s"}]),
        Good(images=[{"fault": "too-big", "width": 13_000, "height": 13_000}]),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that failed to decode, except truncated ones and those larger than the service accepts."""
        is_other = col("fault").is_in(["unreadable", "crashed", "timed-out"])
        return images.filter(is_other | ((col("fault") == "too-big") & ~_is_refused_for_size()))


class TruncatedImage(Rule):
    """The image file ends before the image is complete, or zeros stand in the place of its data.

    ## Why it matters
    Decoders fill the rest with gray or reject the file. Usually a download or a copy was interrupted.

    ## How to fix it
    Copy the file again.

    ## How reliable it is
    A JPEG file that lacks nothing but its end marker is whole and is not reported. A run of 64 zero bytes or more in
    the data of a JPEG file is reported if blocks are missing or data is left over, as it is not where an area is flat.
    Zeros in the pixels of uncompressed files (BMP, PPM) and in lossy WebP files are not recognized.
    """

    code = "IMG202"
    name = "image-truncated"
    severity = Severity.ERROR
    precision = FACT
    message = "the image is truncated: {detail}; copy the file again"
    features = ("decoded",)
    examples = (
        Good(images=[{"decoded": True}]),
        Bad(
            images=[{"fault": "truncated", "detail": "image file is truncated (31 bytes not processed)"}],
            says="the image is truncated: image file is truncated (31 bytes not processed); copy the file again",
        ),
        Bad(images=[{"fault": "truncated", "detail": "53,134 bytes of its image data are zeros"}]),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images whose data ends too early."""
        return images.filter(col("fault") == "truncated")


@note(
    rules=(
        "image-truncated",
        "image-dark",
        "image-bright",
        "image-low-contrast",
        "image-blurred",
        "image-low-information",
        "image-noisy",
        "cluttered-image",
    ),
    message="{count:# image} too big to decode: not judged by rules on the content of images",
)
def image_too_big(images: LazyFrame) -> LazyFrame:
    """The number of images that were not decoded because of a size that Custom Labels rejects by a code of its own."""
    too_big = images.filter(col("fault") == "too-big", _is_refused_for_size())
    return too_big.group_by("data_set").agg(count=pl.len())


def _is_refused_for_size() -> Expr:
    """Whether Custom Labels refuses the size of a file or of its image with a code of its own."""
    return ((col("bytes") > MAX_IMAGE_BYTES) | (pl.max_horizontal("width", "height") > MAX_IMAGE_SIDE)).fill_null(False)


class ExifRotatedImage(Rule):
    """EXIF metadata says that the stored image must be rotated or mirrored.

    ## Why it matters
    Some readers apply the EXIF orientation and others do not. Boxes drawn on the rotated view are in the wrong place on
    the stored image, and `image_size` is right for only one of the two.

    ## How to fix it
    Apply the orientation to the pixels, remove it from the EXIF metadata, and check the boxes.

    ## How reliable it is
    The orientation is a fact. For images without boxes whose `image_size` does not contradict it, the finding is an
    info, because most readers handle them.
    """

    code = "IMG205"
    name = "image-exif-rotated"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "boxes": "EXIF orientation {orientation} {turns} this image; boxes drawn on the {turned} view are in the wrong "
        "place",
        "size": "EXIF orientation {orientation} {turns} this image, and `image_size` is that of the {turned} view; "
        "apply it to the pixels",
        "no-boxes": "EXIF orientation {orientation} {turns} this image, and some readers ignore it; "
        "apply it to the pixels",
    }
    features = ("orientation",)
    examples = (
        Good(images=[{"orientation": 1}, {}]),
        Bad(
            images=[{"orientation": 3, "width": 640, "height": 480}],
            says="EXIF orientation 3 rotates this image, and some readers ignore it; apply it to the pixels",
        ),
        Bad(
            images=[{"orientation": 6, "width": 640, "height": 480}],
            boxes=[{}],
            says="EXIF orientation 6 rotates this image; boxes drawn on the rotated view are in the wrong place",
        ),
        Bad(
            images=[{"orientation": 6, "width": 640, "height": 480}],
            boxes=[{"image_width": 480, "image_height": 640}],
            says="EXIF orientation 6 rotates this image, and `image_size` is that of the rotated view; "
            "apply it to the pixels",
        ),
    )

    def check(self, images: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Images that readers may rotate; a warning if boxes or `image_size` depend on it."""
        image = ("data_set", "source_ref")
        columns = (*image, "orientation", "width", "height")
        rotated = images.filter(col("orientation").is_between(2, 8)).select(columns)
        is_swapped = (col("image_width") == col("height")) & (col("image_height") == col("width"))
        labeled = attributes.select(*image, "image_width", "image_height", "boxes").join(rotated, on=image)
        of_image = labeled.group_by(image).agg(
            has_size_of_view=(is_swapped & (col("width") != col("height"))).any(), has_boxes=(col("boxes") > 0).any()
        )
        kind = pl.when("has_size_of_view").then(lit("size")).when("has_boxes").then(lit("boxes"))
        is_mirrored = col("orientation").is_in([2, 4])
        rows = rotated.join(of_image, on=image, how="left").with_columns(
            kind=kind.otherwise(lit("no-boxes")),
            turns=pl.when(is_mirrored).then(lit("mirrors")).otherwise(lit("rotates")),
            turned=pl.when(is_mirrored).then(lit("mirrored")).otherwise(lit("rotated")),
        )
        return rows.with_columns(severity=pl.when(col("kind") == "no-boxes").then(lit(Severity.INFO.value)))


class WrongImageSize(Rule):
    """`image_size` differs from the size of the image file.

    ## Why it matters
    Boxes are positions in an image of the declared size. On an image of another size they are in the wrong place.

    ## How to fix it
    If the image was scaled, scale its boxes and `image_size` too. If width and height are swapped, the image was
    rotated after it was labeled.
    """

    code = "IMG206"
    name = "wrong-image-size"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "other": "`image_size` of `{attribute}` is {image_width} x {image_height} px, but the image is "
        "{width} x {height} px; scale the boxes and `image_size`",
        "swapped": "`image_size` of `{attribute}` is {image_width} x {image_height} px, but the image is "
        "{width} x {height} px: width and height are swapped; rotate the image or the boxes",
    }
    fixes = {Safety.UNSAFE: "Writes the size of the file into `image_size`, if all boxes are within the image then."}
    features = ("orientation",)
    examples = (
        Good(images=[{"width": 640, "height": 480}], attributes=[{}]),
        Good(images=[{"width": 480, "height": 640, "orientation": 6}], attributes=[{}]),
        Bad(
            images=[{"width": 320, "height": 240}],
            attributes=[{}],
            says="`image_size` of `animals` is 640 x 480 px, but the image is 320 x 240 px; scale the boxes and "
            "`image_size`",
        ),
        Bad(
            images=[{"width": 480, "height": 640}],
            attributes=[{}],
            says="`image_size` of `animals` is 640 x 480 px, but the image is 480 x 640 px: width and height are "
            "swapped; rotate the image or the boxes",
        ),
    )

    def check(self, images: LazyFrame, attributes: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Attributes that declare another size. Swapped sides that EXIF explains are left to image-exif-rotated."""
        image = ("data_set", "source_ref")
        sizes = images.filter(col("width").is_not_null()).select(*image, "width", "height", "orientation")
        declared = attributes.filter(col("image_width").is_not_null())
        both = declared.select(*image, "attribute_id", "attribute", "image_width", "image_height").join(sizes, on=image)
        is_swapped = (col("image_width") == col("height")) & (col("image_height") == col("width"))
        is_rotated = col("orientation").is_between(5, 8).fill_null(False)
        is_other = (col("image_width") != col("width")) | (col("image_height") != col("height"))
        wrong = both.filter(is_other, ~(is_swapped & is_rotated)).with_columns(
            kind=pl.when(is_swapped).then(lit("swapped")).otherwise(lit("other"))
        )
        ends = boxes.select("attribute_id", right=col("left") + col("width"), bottom=col("top") + col("height"))
        last = (
            ends.join(wrong.select("attribute_id").unique(), on="attribute_id", how="semi")
            .group_by("attribute_id")
            .agg(col("right").max(), col("bottom").max())
        )
        fits = (col("right") <= col("width")).fill_null(True) & (col("bottom") <= col("height")).fill_null(True)
        declared_size = [
            set_value(pointer(col("attribute"), "image_size", "0", side), json_number(col(side)))
            for side in ("width", "height")
        ]
        rows = wrong.join(last, on="attribute_id", how="left")
        is_fixed = (col("kind") == "other") & fits
        return rows.with_columns(edits=pl.when(is_fixed).then(pl.concat_list(declared_size))).drop("right", "bottom")
