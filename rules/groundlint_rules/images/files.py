"""IMG: files that cannot be read, and what a file says against the manifest."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import Bad, Good, Rule, Severity, worded
from groundlint_rules.tables.verdicts import MAX_BYTES, MAX_SIDE

_TAKEN = ["JPEG", "PNG", "MPO"]
"""Formats that Custom Labels takes: of others it is enough to say that it does not."""

_SUFFIXES = {"jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP"}


class UnreadableImage(Rule):
    """The image cannot be decoded.

    ## Why is this bad?
    A trainer leaves it out, or ends on it. The decoder raised, crashed, took too long, or would have needed too much
    memory.

    ## How to mend it
    Save the picture anew from its original.
    """

    code = "IMG201"
    name = "image-unreadable"
    severity = Severity.ERROR
    message = "the image cannot be decoded: {detail}"
    features = ("decoded",)
    examples = (
        Good(images=[{"decoded": True}]),
        Bad(
            images=[{"fault": "unreadable", "detail": "broken PNG file"}],
            says="the image cannot be decoded: broken PNG file",
        ),
        Bad(images=[{"fault": "timed-out", "detail": "it takes more than 30 s"}]),
        Good(images=[{"fault": "too-big", "width": 13_000, "height": 13_000}]),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images at which a decoder failed, but for those that end too early or are larger than the service takes."""
        is_other = col("fault").is_in(["unreadable", "crashed", "timed-out"])
        return images.filter(is_other | ((col("fault") == "too-big") & ~_is_refused_for_size()))


class TruncatedImage(Rule):
    """The image ends before its picture does.

    ## Why is this bad?
    Decoders fill the rest with grey or refuse the file. Usually a download or copy was cut off.

    ## How to mend it
    Copy the file anew.
    """

    code = "IMG202"
    name = "image-truncated"
    severity = Severity.ERROR
    message = "the image is cut off: {detail}"
    features = ("decoded",)
    examples = (
        Good(images=[{"decoded": True}]),
        Bad(
            images=[{"fault": "truncated", "detail": "image file is truncated (31 bytes not processed)"}],
            says="the image is cut off: image file is truncated (31 bytes not processed)",
        ),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images whose data ends too early."""
        return images.filter(col("fault") == "truncated")


class ImageTooBigToJudge(Rule):
    """The image is too large to be looked at here.

    ## Why is this bad?
    What only its picture shows is not judged. Most trainers scale such images down first.

    ## How to mend it
    Scale the image down, with its boxes.
    """

    code = "IMG209"
    name = "image-too-big-to-judge"
    severity = Severity.INFO
    message = "the image is not decoded: {detail}"
    features = ("decoded",)
    targets = ("ground-truth",)
    examples = (
        Good(images=[{"width": 4000, "height": 4000}]),
        Bad(
            images=[{"fault": "too-big", "width": 9000, "height": 9000, "detail": "it has 9,000 x 9,000 pixels"}],
            says="the image is not decoded: it has 9,000 x 9,000 pixels",
        ),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that Custom Labels would refuse for their size, where another service is to take them."""
        return images.filter(col("fault") == "too-big", _is_refused_for_size())


def _is_refused_for_size() -> Expr:
    """Whether Custom Labels has a code of its own for the size of a file or of its picture."""
    return ((col("bytes") > MAX_BYTES) | (pl.max_horizontal("width", "height") > MAX_SIDE)).fill_null(False)


class MissingImage(Rule):
    """The file that the line names is not there, or is no image.

    ## Why is this bad?
    The labeling job fails on the object.

    ## How to mend it
    Bring the file, or mend the source-ref.
    """

    code = "IMG203"
    name = "image-missing"
    severity = Severity.ERROR
    message = "{what}"
    targets = ("ground-truth",)
    examples = (
        Good(images=[{}]),
        Bad(images=[{"found": False, "path": None}], says="the image is not found"),
        Bad(
            images=[{"fault": "refused", "detail": "it is no regular file", "found": False}],
            says="the image is not opened: it is no regular file",
        ),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images without a file that is one."""
        what = (
            pl.when(col("fault") == "refused")
            .then(worded("the image is not opened: {}", "detail"))
            .when(~col("found"))
            .then(lit("the image is not found"))
            .when(col("fault") == "no-image")
            .then(worded("the file is no image that can be read: {}", "detail"))
        )
        return images.with_columns(what=what).filter(col("what").is_not_null())


class ImageNotFetched(Rule):
    """The file is a pointer of Git LFS, not the image.

    ## Why is this bad?
    It is not: it only cannot be judged here.

    ## How to mend it
    Run `git lfs pull` before the check.
    """

    code = "IMG204"
    name = "image-not-fetched"
    severity = Severity.INFO
    message = "{detail}"
    features = ("decoded",)
    examples = (
        Good(images=[{}]),
        Bad(images=[{"fault": "not-fetched", "detail": "the file is a Git LFS pointer; run `git lfs pull`"}]),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that are pointers."""
        return images.filter(col("fault") == "not-fetched")


class ExifRotatedImage(Rule):
    """The picture is stored turned, and EXIF says how to turn it back.

    ## Why is this bad?
    Some readers turn it and some do not. Boxes drawn on the turned picture lie elsewhere on the stored one, and
    `image_size` is right for one of them only.

    ## How to mend it
    Turn the picture itself and remove the note; look at the boxes.

    ## How far it can be trusted
    What EXIF says is exact. Without boxes or a contradicting `image_size` it is info: most readers cope.
    """

    code = "IMG205"
    name = "image-exif-rotated"
    severity = Severity.WARNING
    message = "EXIF turns the picture of {width} x {height} pixels (orientation {orientation}){size}"
    features = ("orientation",)
    examples = (
        Good(images=[{"orientation": 1}, {}]),
        Bad(
            images=[{"orientation": 6, "width": 640, "height": 480}],
            says="EXIF turns the picture of 640 x 480 pixels (orientation 6)",
        ),
        Bad(
            images=[{"orientation": 6, "width": 640, "height": 480}],
            attributes=[{"image_width": 480, "image_height": 640, "boxes": 1}],
            says="EXIF turns the picture of 640 x 480 pixels (orientation 6); `image_size` is of the turned one",
        ),
    )

    def check(self, images: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Images that readers may turn, graver where something was measured on them."""
        turned = images.filter(col("orientation").is_between(2, 8))
        on_them = attributes.group_by("source_ref").agg(
            has_boxes=(col("boxes") > 0).any(),
            declared_width=col("image_width").drop_nulls().first(),
            declared_height=col("image_height").drop_nulls().first(),
        )
        swapped = (col("declared_width") == col("height")) & (col("declared_height") == col("width"))
        is_swapped = (swapped & (col("width") != col("height"))).fill_null(False)
        is_grave = is_swapped | col("has_boxes").fill_null(False)
        return turned.join(on_them, on="source_ref", how="left").with_columns(
            size=pl.when(is_swapped).then(lit("; `image_size` is of the turned one")).otherwise(lit("")),
            severity=pl.when(is_grave).then(lit(Severity.WARNING)).otherwise(lit(Severity.INFO)),
        )


class WrongImageSize(Rule):
    """`image_size` is not the size of the file's picture.

    ## Why is this bad?
    Boxes are places in an image of the declared size: on another they lie wrong.

    ## How to mend it
    If the image was scaled, scale its boxes; if sides are swapped, the image was turned after it was labelled.
    """

    code = "IMG206"
    name = "wrong-image-size"
    severity = Severity.WARNING
    message = (
        "`image_size` of `{attribute}` is {image_width} x {image_height}, the file's picture {width} x {height}{how}"
    )
    features = ("orientation",)
    examples = (
        Good(images=[{"width": 640, "height": 480}], attributes=[{}]),
        Good(images=[{"width": 480, "height": 640, "orientation": 6}], attributes=[{}]),
        Bad(
            images=[{"width": 320, "height": 240}],
            attributes=[{}],
            says="`image_size` of `animals` is 640 x 480, the file's picture 320 x 240",
        ),
        Bad(
            images=[{"width": 480, "height": 640}],
            attributes=[{}],
            says="`image_size` of `animals` is 640 x 480, the file's picture 480 x 640: the sides are swapped",
        ),
    )

    def check(self, images: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Attributes of another size; swapped sides that EXIF explains are its rule's."""
        both = attributes.join(images.filter(col("width").is_not_null()), on="source_ref")
        is_swapped = (col("image_width") == col("height")) & (col("image_height") == col("width"))
        is_turned = col("orientation").is_between(5, 8).fill_null(False)
        other = (col("image_width") != col("width")) | (col("image_height") != col("height"))
        return both.filter(other, ~(is_swapped & is_turned)).with_columns(
            how=pl.when(is_swapped).then(lit(": the sides are swapped")).otherwise(lit(""))
        )


class SuffixContradictsContent(Rule):
    """The file's suffix names another format than it has.

    ## Why is this bad?
    Programs that go by the suffix fail on it.

    ## How to mend it
    Rename or convert the file.
    """

    code = "IMG207"
    name = "suffix-contradicts-content"
    severity = Severity.INFO
    message = "the suffix is .{suffix}, the content {format}"
    examples = (
        Good(images=[{"path": "1.JPG", "format": "JPEG"}, {"path": "2.jpg", "format": "MPO"}, {"path": "3"}]),
        Bad(images=[{"path": "1.jpg", "format": "PNG"}], says="the suffix is .jpg, the content PNG"),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images whose suffix is that of another format."""
        return images.with_columns(suffix=_suffix()).filter(_contradicts(), col("format").is_in(_TAKEN))


def _suffix() -> Expr:
    return col("path").str.to_lowercase().str.extract(r"\.([a-z]+)$")


def _contradicts() -> Expr:
    """Whether a file's suffix names another format than it has."""
    meant = _suffix().replace_strict(_SUFFIXES, default=None, return_dtype=pl.String)
    # Several pictures in one file, the first of them a plain JPEG: cameras and phones write those.
    return ((meant != col("format")) & ~((meant == "JPEG") & (col("format") == "MPO"))).fill_null(False)


class UnusualFormat(Rule):
    """The file is neither JPEG nor PNG.

    ## Why is this bad?
    Custom Labels refuses it, and not every trainer reads it.

    ## How to mend it
    Convert it to JPEG or PNG.
    """

    code = "IMG210"
    name = "unusual-format"
    severity = Severity.INFO
    message = "the file is {format}{more}"
    targets = ("ground-truth",)
    examples = (
        Good(images=[{"format": "PNG", "path": "1.png"}]),
        Bad(images=[{"format": "BMP", "path": "1.bmp"}], says="the file is BMP"),
        Bad(
            images=[{"format": "WEBP", "path": "1.jpg", "animated": True}],
            says="the file is WEBP, animated, though its suffix is .jpg",
        ),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Files of other formats, with what else of them their rules would say."""
        animated = pl.when("animated").then(lit(", animated")).otherwise(lit(""))
        suffix = pl.when(_contradicts()).then(worded(", though its suffix is .{}", _suffix())).otherwise(lit(""))
        others = images.filter(col("format").is_not_null(), ~col("format").is_in(_TAKEN))
        return others.with_columns(more=animated + suffix)


class UnusualPicture(Rule):
    """The picture is not in plain RGB, or is animated.

    ## Why is this bad?
    Readers differ in what they make of it: of transparency, of sixteen bits, of inks, of a palette, of frames. A single
    grey picture among coloured ones also looks unlike all others.

    ## How to mend it
    Convert it to RGB as you want it to be seen.
    """

    code = "IMG208"
    name = "unusual-picture"
    severity = Severity.INFO
    message = "the picture {what}"
    features = ("transparent", "bits")
    examples = (
        Good(images=[{"mode": "RGB"} for _ in range(20)]),
        Good(images=[{"mode": "L"} for _ in range(20)]),
        Bad(images=[{"mode": "CMYK"}], says="the picture is in inks (CMYK)"),
        Bad(images=[{"mode": "RGBA"}], says="the picture has transparency (RGBA)"),
        Bad(images=[{"mode": "P", "transparent": True}], says="the picture has transparency (P)"),
        Bad(images=[{"mode": "RGB", "bits": 16}], says="the picture has 16 bits a colour (RGB)"),
        Bad(images=[{"animated": True}], says="the picture is animated"),
        Bad(images=[{"mode": "L"}, *({} for _ in range(30))], says="the picture is grey (L), as few others are"),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Modes that are not RGB; grey only where next to none are."""
        mode = col("mode")
        few_grey = mode.is_in(["L", "1"]).mean() < 0.05
        what = (
            pl.when("animated")
            .then(lit("is animated"))
            .when(mode == "CMYK")
            .then(lit("is in inks (CMYK)"))
            .when(col("bits") > 8)
            .then(worded("has {} bits a colour ({})", "bits", mode))
            .when(mode.str.starts_with("I") | (mode == "F"))
            .then(worded("has sixteen bits or more a colour ({})", mode))
            .when(mode.is_in(["RGBA", "LA", "PA", "La", "RGBa"]) | col("transparent"))
            .then(worded("has transparency ({})", mode))
            .when(mode == "P")
            .then(lit("has a palette (P)"))
            .when(mode.is_in(["YCbCr", "LAB", "HSV"]))
            .then(worded("is stored as {}", mode))
            .when(mode.is_in(["L", "1"]) & few_grey)
            .then(worded("is grey ({}), as few others are", mode))
        )
        return images.with_columns(what=what).filter(col("what").is_not_null(), col("format").is_in(_TAKEN))
