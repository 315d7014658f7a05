"""IMG: pictures that show their object badly."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity, worded

_SOUND = {
    "darkest": 20.0,
    "brightest": 230.0,
    "burnt": 0.01,
    "spread": 150.0,
    "blur": 1.5,
    "noise": 0.3,
    "structure": 0.3,
    "jpeg_quality": 80.0,
}
"""What a good picture measures."""


_MANY = 0.2
"""Share of a set's pictures beyond which a fault is the set's own manner, as of microscopes, and is said once."""

_MIN_IMAGES = 20
"""Pictures that a set must have for its manner to show."""


def _singled_out(images: LazyFrame, is_bad: Expr, text: Expr, manner: str, stands_out: Expr | None = None) -> LazyFrame:
    """Bad pictures, each with its `text`; or one finding on the whole set, as info, where that is its manner.

    `manner` ends the sentence "20 of 30 pictures are …". Where not all that is bad is worth naming, `stands_out` tells
    what is.
    """
    judged = images.filter(col("fault").is_null() & col("digest").is_not_null()).with_columns(
        is_bad=is_bad.fill_null(False), stands_out=lit(True) if stands_out is None else stands_out
    )
    count, bad = pl.len(), col("is_bad").sum()
    is_manner = (count >= _MIN_IMAGES) & (bad > _MANY * count)
    single = judged.filter(col("is_bad") & col("stands_out"), ~is_manner).select(
        "source_ref", what=text, severity=lit(None, pl.String)
    )
    whole = judged.select(count=count, bad=bad, is_manner=is_manner).filter("is_manner")
    said = worded(
        f"{{}} of the {{}} pictures {manner}: it is the set's manner, and no single one is named", "bad", "count"
    )
    return pl.concat(
        [single, whole.select(source_ref=lit(None, pl.String), what=said, severity=lit(Severity.INFO.value))]
    )


class DarkImage(Rule):
    """The picture is nearly black.

    ## Why is this bad?
    The object can hardly be told, and what the model learns from it is noise.

    ## How to mend it
    Expose the picture anew, or leave it out.

    ## How far it can be trusted
    Photographs exposed three stops darker are found; of the sets' own it flags one raccoon, taken at night.
    """

    code = "IMG301"
    name = "image-dark"
    severity = Severity.WARNING
    message = "{what}"
    features = ("brightest",)
    examples = (
        Good(images=[_SOUND]),
        Bad(images=[_SOUND | {"brightest": 60.0}], says="the picture is dark: 99% of it lie below shade 60 of 255"),
    )
    shade: float = Option(104.0, gt=0, lt=255, description="Shade that the brightest hundredth must reach.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Pictures without a bright spot."""
        text = worded("the picture is dark: 99% of it lie below shade {} of 255", _whole("brightest"))
        return _singled_out(images, col("brightest") < self.shade, text, "are dark")


class BrightImage(Rule):
    """The picture is burnt out.

    ## Why is this bad?
    Where it is white nothing can be told any more.

    ## How to mend it
    Expose the picture anew, or leave it out.

    ## How far it can be trusted
    Photographs of which four more stops burnt two fifths are found. A dark object before a white wall is no fault: the
    darkest twentieth must be bright as well.
    """

    code = "IMG302"
    name = "image-bright"
    severity = Severity.WARNING
    message = "{what}"
    features = ("burnt", "darkest")
    examples = (
        Good(images=[_SOUND, _SOUND | {"burnt": 0.6}]),
        Bad(
            images=[_SOUND | {"burnt": 0.6, "darkest": 120.0}],
            says="60% of the picture are white and nothing in it is dark",
        ),
    )
    share: float = Option(0.3, gt=0, le=1, description="Share of white from which a picture counts as burnt.")
    shade: float = Option(70.0, ge=0, lt=255, description="Shade above which the darkest twentieth must lie.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Pictures much of which is white, and none of which is dark."""
        text = worded("{}% of the picture are white and nothing in it is dark", _whole(100 * col("burnt")))
        is_burnt = (col("burnt") >= self.share) & (col("darkest") >= self.shade)
        return _singled_out(images, is_burnt, text, "are burnt out")


class LowContrastImage(Rule):
    """The picture is all of about the same brightness.

    ## Why is this bad?
    Fog, a veiled lens or backlight: edges are weak everywhere.

    ## How to mend it
    Take the picture anew, or leave it out.

    ## How far it can be trusted
    It flags next to none of the public sets' photographs; how often people would agree is not measured.
    """

    code = "IMG303"
    name = "image-low-contrast"
    severity = Severity.INFO
    message = "{what}"
    features = ("spread", "brightest", "burnt", "darkest")
    examples = (
        Good(images=[_SOUND, _SOUND | {"spread": 20.0, "brightest": 50.0}]),
        Bad(images=[_SOUND | {"spread": 20.0}], says="nine tenths of the picture lie within 20 of 255 shades"),
    )
    shades: float = Option(35.0, gt=0, lt=255, description="Shades over which nine tenths must reach.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Flat pictures that are neither dark nor burnt."""
        text = worded("nine tenths of the picture lie within {} of 255 shades", _whole("spread"))
        return _singled_out(images, (col("spread") < self.shades) & ~_is_badly_exposed(), text, "are flat")


class BlurredImage(Rule):
    """The picture is out of focus, or the camera moved.

    ## Why is this bad?
    Fine structure by which the object is told is gone.

    ## How to mend it
    Take the picture anew, or leave it out.

    ## How far it can be trusted
    Photographs blurred by 4 pixels of 512, or moved over 21, are found. It asks how fast the strongest edges rise, so
    that a plain background is no fault, and looks at a version of 160 pixels, so that what is only soft at full size
    passes. A sharp object before a blurred background passes too. In a set that is soft throughout, as of microscopes,
    only what is softer still is named.
    """

    code = "IMG304"
    name = "image-blurred"
    severity = Severity.WARNING
    message = "{what}"
    features = ("blur",)
    examples = (
        Good(images=[_SOUND, {"blur": None}]),
        Bad(
            images=[_SOUND | {"blur": 4.2}],
            says="the picture is blurred: no edge is sharper than 4.2 pixels of a picture 512 long",
        ),
    )
    pixels: float = Option(3.8, gt=0, description="Blur that its sharpest edges must not reach, of 512 pixels.")
    times: float = Option(1.75, ge=1, description="The same as a multiple of the set's median, which may be soft.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Pictures without a sharp edge in some direction."""
        text = worded(
            "the picture is blurred: no edge is sharper than {} pixels of a picture 512 long", col("blur").round(1)
        )
        stands_out = (pl.len() < _MIN_IMAGES) | (col("blur") >= self.times * col("blur").median())
        return _singled_out(images, col("blur") >= self.pixels, text, "are soft", stands_out)


class LowInformationImage(Rule):
    """There is next to nothing in the picture.

    ## Why is this bad?
    An empty frame, a lens cap or a placeholder teaches nothing.

    ## How to mend it
    Leave it out.

    ## How far it can be trusted
    It flags none of the public sets' photographs; how often people would agree is not measured.
    """

    code = "IMG305"
    name = "image-low-information"
    severity = Severity.WARNING
    message = "{what}"
    features = ("structure",)
    examples = (
        Good(images=[_SOUND]),
        Bad(
            images=[_SOUND | {"structure": 0.001}],
            says="the picture is next to empty: 0.1% of its pixels differ from their neighbours",
        ),
    )
    share: float = Option(0.005, gt=0, lt=1, description="Share of pixels that must differ from a neighbour.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Pictures without structure."""
        share = (100 * col("structure")).round(1)
        text = worded("the picture is next to empty: {}% of its pixels differ from their neighbours", share)
        return _singled_out(images, col("structure") < self.share, text, "are next to empty")


class NoisyImage(Rule):
    """The picture is full of noise.

    ## Why is this bad?
    The model learns the noise of one camera.

    ## How to mend it
    Take the picture with more light, or leave it out.

    ## How far it can be trusted
    Photographs with noise of 40 shades of 255 are found. It looks at colour, where foliage and fabric are smooth; noise
    of a grey camera is not seen.
    """

    code = "IMG306"
    name = "image-noisy"
    severity = Severity.WARNING
    message = "{what}"
    features = ("noise",)
    examples = (
        Good(images=[_SOUND]),
        Bad(images=[_SOUND | {"noise": 8.0}], says="the picture is noisy: 8.0 shades in colour"),
    )
    shades: float = Option(4.5, gt=0, description="Standard deviation, in shades, from which a picture is noisy.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Pictures whose colours are rough."""
        text = worded("the picture is noisy: {} shades in colour", col("noise").round(1))
        return _singled_out(images, col("noise") >= self.shades, text, "are noisy")


class CompressedImage(Rule):
    """The JPEG is compressed so strongly that it shows.

    ## Why is this bad?
    Blocks of eight pixels take the place of structure.

    ## How to mend it
    Export the picture anew from its original.

    ## How far it can be trusted
    JPEGs of quality 5 are found. It reads the file's own tables: a picture that was spoilt earlier and saved anew
    passes.
    """

    code = "IMG307"
    name = "image-compressed"
    severity = Severity.WARNING
    message = "{what}"
    features = ("jpeg_quality",)
    examples = (
        Good(images=[_SOUND, {"jpeg_quality": None}]),
        Bad(images=[_SOUND | {"jpeg_quality": 12.0}], says="the JPEG is of quality 12 of 100"),
    )
    quality: float = Option(20.0, ge=1, le=100, description="Quality that a JPEG must have, as libjpeg counts.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """JPEGs with coarse tables."""
        text = worded("the JPEG is of quality {} of 100", _whole("jpeg_quality"))
        return _singled_out(images, col("jpeg_quality") < self.quality, text, "are strongly compressed")


def _is_badly_exposed() -> Expr:
    """Whether a picture is dark or burnt, which says more than that it is flat."""
    return (col("brightest") < 104) | ((col("burnt") >= 0.3) & (col("darkest") >= 40))


def _whole(value: str | Expr) -> Expr:
    """A number without its fraction."""
    number = col(value) if isinstance(value, str) else value
    return number.round().cast(pl.Int64)
