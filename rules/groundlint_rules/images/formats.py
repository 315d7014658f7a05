"""IMG: formats of image files that programs may read differently."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Rule, Severity, worded

_ACCEPTED = ["JPEG", "PNG", "MPO"]
"""Formats that Custom Labels accepts. MPO is a JPEG file with further images, which cameras and phones write."""

_EXTENSIONS = {"jpg": "JPEG", "jpeg": "JPEG", "jpe": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP"}

_MAX_GRAY_SHARE = 0.05
"""Share of gray images in a data set from which they are usual."""


class ExtensionContentMismatch(Rule):
    """The file extension does not match the format of the content.

    ## Why it matters
    Programs that rely on the extension fail on the file.

    ## How to fix it
    Rename or convert the file.
    """

    code = "IMG207"
    name = "extension-content-mismatch"
    severity = Severity.INFO
    precision = FACT
    message = "the extension is .{extension}, but the content is {format}; rename or convert the file"
    examples = (
        Good(images=[{"path": "1.JPG", "format": "JPEG"}, {"path": "2.jpg", "format": "MPO"}, {"path": "3"}]),
        Bad(
            images=[{"path": "1.jpg", "format": "PNG"}],
            says="the extension is .jpg, but the content is PNG; rename or convert the file",
        ),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """JPEG and PNG files with the extension of another format; unusual-image-format reports all other files."""
        return images.with_columns(extension=_extension()).filter(
            _has_other_extension(), col("format").is_in(_ACCEPTED)
        )


class UnusualImageFormat(Rule):
    """The image is neither JPEG nor PNG, is animated, or is not stored as 8-bit RGB.

    ## Why it matters
    Readers interpret such images differently, and not every program reads them.

    ## How to fix it
    Convert the image to a JPEG or PNG file in RGB, and check that it looks as intended.

    ## Causes
    - Under the target ground-truth, the file is neither JPEG nor PNG. Custom Labels rejects it: see IMG101.
    - The file has several frames, transparency, a palette, more than 8 bits per channel, or colors other than RGB.
    - The image is gray and fewer than 5% of the images of its data set are: it looks unlike all others.
    """

    code = "IMG208"
    name = "unusual-image-format"
    severity = Severity.INFO
    precision = FACT
    messages = {
        "file-format": "the file is {format}{more}; convert it to JPEG or PNG",
        "animated": "the image is animated, and readers use different frames; save one frame",
        "cmyk": "CMYK image: its colors depend on the reader; convert it to RGB",
        "bit-depth": "{bit_depth} bits per channel (mode {mode}); convert it to 8 bits",
        "high-bit-depth": "16 bits or more per channel (mode {mode}); convert it to 8 bits",
        "alpha": "the image has transparency (mode {mode}), shown on different backgrounds; convert it to RGB",
        "palette": "palette image (mode P); convert it to RGB",
        "color-space": "the image is stored as {mode}; convert it to RGB",
        "gray": "gray image (mode {mode}) in a data set of color images; check that it belongs here",
    }
    features = ("has_alpha", "bit_depth")
    examples = (
        Good(images=[{"mode": "RGB", "format": "PNG", "path": "1.png"} for _ in range(20)]),
        Good(images=[{"mode": "L"} for _ in range(20)]),
        Good(images=[{"format": "BMP", "path": "1.bmp"}]),
        Bad(
            images=[{"format": "BMP", "path": "1.bmp"}],
            limits=[{"target": "ground-truth"}],
            says="the file is BMP; convert it to JPEG or PNG",
        ),
        Bad(
            images=[{"format": "WEBP", "path": "1.jpg", "animated": True}],
            limits=[{"target": "ground-truth"}],
            says="the file is WEBP, animated, with the extension .jpg; convert it to JPEG or PNG",
        ),
        Bad(
            images=[{"animated": True}], says="the image is animated, and readers use different frames; save one frame"
        ),
        Bad(images=[{"mode": "CMYK"}], says="CMYK image: its colors depend on the reader; convert it to RGB"),
        Bad(
            images=[{"mode": "RGBA"}],
            says="the image has transparency (mode RGBA), shown on different backgrounds; convert it to RGB",
        ),
        Bad(images=[{"mode": "P", "has_alpha": True}]),
        Bad(images=[{"mode": "RGB", "bit_depth": 16}], says="16 bits per channel (mode RGB); convert it to 8 bits"),
        Bad(
            images=[{"mode": "L"}, *({} for _ in range(30))],
            says="gray image (mode L) in a data set of color images; check that it belongs here",
        ),
    )

    def check(self, images: LazyFrame, limits: LazyFrame) -> LazyFrame:
        """Unusual images, each with its most important cause."""
        more = pl.when("animated").then(lit(", animated")).otherwise(lit(""))
        named = worded(", with the extension .{}", _extension())
        more += pl.when(_has_other_extension()).then(named).otherwise(lit(""))
        columns = ("data_set", "source_ref", "format", "mode", "bit_depth")
        unusual = images.select(*columns, kind=_unusual(), more=more).filter(col("kind").is_not_null())
        # For Custom Labels, the service's code for an image that it rejects covers the fault.
        of_target = unusual.join(limits.select("target"), how="cross")
        return of_target.filter((col("kind") != "file-format") | (col("target") == "ground-truth"))


def _unusual() -> Expr:
    """What is unusual about the format of an image, as a kind of message; null if nothing is."""
    mode, is_gray = col("mode"), col("mode").is_in(["L", "1"])
    is_file = col("format").is_not_null() & ~col("format").is_in(_ACCEPTED)
    kinds = (
        (is_file, "file-format"),
        (col("animated"), "animated"),
        (mode == "CMYK", "cmyk"),
        (col("bit_depth") > 8, "bit-depth"),
        (mode.str.starts_with("I") | (mode == "F"), "high-bit-depth"),
        (mode.is_in(["RGBA", "LA", "PA", "La", "RGBa"]) | col("has_alpha"), "alpha"),
        (mode == "P", "palette"),
        (mode.is_in(["YCbCr", "LAB", "HSV"]), "color-space"),
        (is_gray & (is_gray.mean().over("data_set") < _MAX_GRAY_SHARE), "gray"),
    )
    kind = pl.coalesce(pl.when(condition).then(lit(kind)) for condition, kind in kinds)
    return pl.when(col("format").is_not_null()).then(kind)


def _extension() -> Expr:
    """The extension of the local file, or of the object in S3, in lower case and without its dot."""
    return pl.coalesce("path", "source_ref").str.to_lowercase().str.extract(r"\.([a-z]+)$")


def _has_other_extension() -> Expr:
    """Whether a file has the extension of a format other than its own."""
    meant = _extension().replace_strict(_EXTENSIONS, default=None, return_dtype=pl.String)
    return ((meant != col("format")) & ~((meant == "JPEG") & (col("format") == "MPO"))).fill_null(False)
