"""IMG: images of poor quality."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.scoring import score_above, score_below

_SOUND = {
    "dark_level": 20.0,
    "bright_level": 230.0,
    "clipped_share": 0.01,
    "spread": 150.0,
    "blur": 1.5,
    "noise": 0.3,
    "structure": 0.3,
    "jpeg_quality": 80.0,
}
"""Measurements of a good image."""

_MIN_IMAGES = 20
"""Images that a data set needs before its images can be compared with each other."""


def _measured(images: LazyFrame) -> LazyFrame:
    """The images that were decoded."""
    return images.filter(col("fault").is_null() & col("digest").is_not_null())


class DarkImage(Rule):
    """The image is underexposed.

    ## Why it matters
    The object is hardly visible, and a model learns noise.

    ## How to fix it
    Take the image again with more light, or remove it.

    ## How reliable it is
    It finds all 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning) after they are exposed
    three stops darker (recall 1.00), and flags 0.1% of the originals, such as a raccoon at night. Precision has not
    been measured.
    """

    code = "IMG301"
    name = "image-dark"
    severity = Severity.WARNING
    typical = "underexposed"
    message = "underexposed: 99% of pixels are darker than {bright_level:.0f} of 255"
    features = ("bright_level",)
    examples = (
        Good(images=[_SOUND]),
        Bad(
            images=[_SOUND | {"bright_level": 60.0}],
            says="underexposed: 99% of pixels are darker than 60 of 255",
        ),
        Good(images=[_SOUND | {"bright_level": 90.0}], options={"min_level": 80.0}),
        Bad(images=[_SOUND | {"bright_level": 90.0}], options={"min_level": 100.0}),
    )
    min_level: float = Option(104.0, gt=0, lt=255, description="Gray level that the brightest 1% must reach.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images without a bright area."""
        score = score_below("bright_level", self.min_level)
        return _measured(images).filter(col("bright_level") < self.min_level).with_columns(score=score)


class BrightImage(Rule):
    """The image is overexposed.

    ## Why it matters
    White areas have no details left.

    ## How to fix it
    Take the image again with less exposure, or remove it.

    ## How reliable it is
    Of 903 photographs of clothing, raccoon and savoias (half 1, not used for tuning) that have at least 40% clipped
    pixels after they are exposed four stops brighter, it finds 0.965 (recall). It flags none of the 1,009 originals.
    Precision has not been measured. A dark object in front of a white wall is not flagged, because the darkest 5% of
    the pixels must be bright too.
    """

    code = "IMG302"
    name = "image-bright"
    severity = Severity.WARNING
    typical = "overexposed"
    message = (
        "overexposed: {clipped_share:.0%} of pixels are white, and 95% are brighter than {dark_level:.0f} of 255; "
        "take the image again"
    )
    features = ("clipped_share", "dark_level")
    examples = (
        Good(images=[_SOUND, _SOUND | {"clipped_share": 0.6}]),
        Bad(
            images=[_SOUND | {"clipped_share": 0.6, "dark_level": 120.0}],
            says="overexposed: 60% of pixels are white, and 95% are brighter than 120 of 255; take the image again",
        ),
        Good(images=[_SOUND | {"clipped_share": 0.4, "dark_level": 120.0}], options={"min_clipped_share": 0.5}),
        Bad(images=[_SOUND | {"clipped_share": 0.4, "dark_level": 120.0}], options={"min_clipped_share": 0.4}),
        Good(images=[_SOUND | {"clipped_share": 0.6, "dark_level": 80.0}], options={"min_dark_level": 90.0}),
        Bad(images=[_SOUND | {"clipped_share": 0.6, "dark_level": 80.0}], options={"min_dark_level": 75.0}),
    )
    min_clipped_share: float = Option(
        0.3, gt=0, le=1, description="Share of white pixels from which an image may be overexposed."
    )
    min_dark_level: float = Option(
        70.0, ge=0, lt=255, description="Gray level from which the darkest 5% of the pixels count as bright."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images with many white and no dark pixels."""
        is_clipped = (col("clipped_share") >= self.min_clipped_share) & (col("dark_level") >= self.min_dark_level)
        score = score_above("clipped_share", self.min_clipped_share)
        return _measured(images).filter(is_clipped).with_columns(score=score)


class LowContrastImage(Rule):
    """The whole image has about the same brightness.

    ## Why it matters
    Edges are weak everywhere, as in fog, behind a dirty lens or against the light.

    ## How to fix it
    Take the image again, or remove it.

    ## How reliable it is
    It flags none of 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning). Precision and
    recall have not been measured.
    """

    code = "IMG303"
    name = "image-low-contrast"
    severity = Severity.INFO
    typical = "low in contrast"
    message = "low contrast: 90% of pixels lie within {spread:.0f} of 255 gray levels; take the image again"
    features = ("spread", "bright_level", "clipped_share", "dark_level")
    examples = (
        Good(images=[_SOUND, _SOUND | {"spread": 20.0, "bright_level": 50.0}]),
        Bad(
            images=[_SOUND | {"spread": 20.0}],
            says="low contrast: 90% of pixels lie within 20 of 255 gray levels; take the image again",
        ),
        Good(images=[_SOUND | {"spread": 30.0}], options={"min_spread": 25.0}),
        Bad(images=[_SOUND | {"spread": 30.0}], options={"min_spread": 31.0}),
    )
    min_spread: float = Option(35.0, gt=0, lt=255, description="Gray levels over which 90% of the pixels must spread.")

    def check(self, images: LazyFrame) -> LazyFrame:
        """Flat images, except underexposed and overexposed ones."""
        is_flat = (col("spread") < self.min_spread) & ~_is_badly_exposed()
        return _measured(images).filter(is_flat).with_columns(score=score_below("spread", self.min_spread))


class BlurredImage(Rule):
    """The image is out of focus or has motion blur.

    ## Why it matters
    The details that distinguish an object are lost.

    ## How to fix it
    Take the image again, or remove it.

    ## How reliable it is
    Of 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning), scaled to 512 px, it finds
    0.998 after a Gaussian blur of 4 px and 0.964 after a motion blur of 21 px (recall), and flags 0.2% of the
    originals. Precision has not been measured.

    It measures how steeply the strongest edges rise, so a plain background does not matter. It measures the image
    reduced to 160 px, so an image that is soft only at full size passes, and so does a sharp object in front of a
    blurred background. In a data set of soft images, such as those from a microscope, only those that are much softer
    than the others are reported.
    """

    code = "IMG304"
    name = "image-blurred"
    severity = Severity.WARNING
    typical = "blurred"
    message = "blurred: the sharpest edges spread over {blur:.1f} px (image scaled to 512 px)"
    features = ("blur",)
    examples = (
        Good(images=[_SOUND, {"blur": None}]),
        Bad(
            images=[_SOUND | {"blur": 4.2}],
            says="blurred: the sharpest edges spread over 4.2 px (image scaled to 512 px)",
        ),
        Good(images=[_SOUND | {"blur": 4.0}], options={"max_blur": 4.5}),
        Bad(images=[_SOUND | {"blur": 4.0}], options={"max_blur": 3.0}),
        Good(images=[_SOUND | {"blur": 2.5 if n else 4.5} for n in range(20)], options={"times_median": 2.0}),
        Bad(images=[_SOUND | {"blur": 2.5 if n else 4.5} for n in range(20)], options={"times_median": 1.5}),
    )
    max_blur: float = Option(
        3.8,
        gt=0,
        description="Blur of the sharpest edges from which an image is reported, in px of an image scaled to 512 px.",
    )
    times_median: float = Option(
        1.75, ge=1, description="Minimum blur as a multiple of the median of the data set, if it has 20 images or more."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that lack sharp edges in at least one direction, and are blurred in comparison with their data set."""
        median, count = col("blur").median().over("data_set"), pl.len().over("data_set")
        stands_out = (count < _MIN_IMAGES) | (col("blur") >= self.times_median * median)
        is_blurred = col("blur") >= self.max_blur
        blurred = _measured(images).filter(is_blurred & stands_out)
        return blurred.with_columns(score=score_above("blur", self.max_blur))


class LowInformationImage(Rule):
    """The image has almost no structure.

    ## Why it matters
    A model learns nothing from an empty frame, a lens cap or a placeholder.

    ## How to fix it
    Remove the image.

    ## How reliable it is
    It flags none of the images of 8 public sets. Precision and recall have not been measured.
    """

    code = "IMG305"
    name = "image-low-information"
    severity = Severity.WARNING
    typical = "nearly empty"
    message = "nearly empty: only {structure:.1%} of pixels differ from a neighbor; remove the image"
    features = ("structure",)
    examples = (
        Good(images=[_SOUND]),
        Bad(
            images=[_SOUND | {"structure": 0.001}],
            says="nearly empty: only 0.1% of pixels differ from a neighbor; remove the image",
        ),
        Good(images=[_SOUND | {"structure": 0.004}], options={"min_structure": 0.003}),
        Bad(images=[_SOUND | {"structure": 0.006}], options={"min_structure": 0.007}),
    )
    min_structure: float = Option(
        0.005, gt=0, lt=1, description="Share of pixels that must differ from a neighbor by more than 8 gray levels."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images without structure."""
        score = score_below("structure", self.min_structure)
        return _measured(images).filter(col("structure") < self.min_structure).with_columns(score=score)


class NoisyImage(Rule):
    """The image is full of noise.

    ## Why it matters
    A model learns the noise of one camera.

    ## How to fix it
    Take the image with more light, or remove it.

    ## How reliable it is
    It finds all 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning) after noise with a
    standard deviation of 40 of 255 is added (recall 1.00), and flags 0.3% of the originals. Precision has not been
    measured. On coco128 it flags 2 of 64 images, both wrongly: their grass and leaves are rough in color. It measures
    color, so it does not detect the noise of a monochrome camera.
    """

    code = "IMG306"
    name = "image-noisy"
    severity = Severity.WARNING
    typical = "noisy"
    message = "noisy: color noise has a standard deviation of {noise:.1f} of 255; take the image with more light"
    features = ("noise",)
    examples = (
        Good(images=[_SOUND]),
        Bad(
            images=[_SOUND | {"noise": 8.0}],
            says="noisy: color noise has a standard deviation of 8.0 of 255; take the image with more light",
        ),
        Good(images=[_SOUND | {"noise": 5.0}], options={"max_noise": 6.0}),
        Bad(images=[_SOUND | {"noise": 4.0}], options={"max_noise": 3.0}),
    )
    max_noise: float = Option(
        4.5, gt=0, description="Standard deviation of the noise from which an image is reported, in levels of 255."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images with rough colors."""
        score = score_above("noise", self.max_noise)
        return _measured(images).filter(col("noise") >= self.max_noise).with_columns(score=score)


class CompressedImage(Rule):
    """The JPEG file is compressed so strongly that the loss is visible.

    ## Why it matters
    Blocks of 8 x 8 px replace fine structure.

    ## How to fix it
    Export the image again from its original.

    ## How reliable it is
    It finds all 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning) after they are saved
    as JPEG of quality 5 (recall 1.00), and flags none of the originals. Precision has not been measured. It reads the
    quantization tables of the file, so an image that was strongly compressed earlier and saved again at a high quality
    passes.
    """

    code = "IMG307"
    name = "image-compressed"
    severity = Severity.WARNING
    typical = "strongly compressed"
    message = "strongly compressed: JPEG quality {jpeg_quality:.0f} of 100; export the image again"
    features = ("jpeg_quality",)
    examples = (
        Good(images=[_SOUND, {"jpeg_quality": None}]),
        Bad(
            images=[_SOUND | {"jpeg_quality": 12.0}],
            says="strongly compressed: JPEG quality 12 of 100; export the image again",
        ),
        Good(images=[_SOUND | {"jpeg_quality": 15.0}], options={"min_quality": 10.0}),
        Bad(images=[_SOUND | {"jpeg_quality": 25.0}], options={"min_quality": 30.0}),
    )
    min_quality: float = Option(
        20.0, ge=1, le=100, description="JPEG quality that an image must have, on the scale of libjpeg."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """JPEG files with coarse quantization tables."""
        score = score_below("jpeg_quality", self.min_quality)
        return _measured(images).filter(col("jpeg_quality") < self.min_quality).with_columns(score=score)


def _is_badly_exposed() -> Expr:
    """Whether an image is underexposed or overexposed, which explains its low contrast."""
    return (col("bright_level") < 104) | ((col("clipped_share") >= 0.3) & (col("dark_level") >= 40))
