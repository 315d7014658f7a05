"""IMG: images that lack detail, or show noise or compression in its place."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.images.decoded import decoded
from groundlint_rules.scoring import score_above, score_below

_SOUND = {
    "blur": 1.5,
    "edge_rise": None,
    "edge_rise_ratio": None,
    "flat_noise": None,
    "structure": 0.3,
    "jpeg_quality": 80.0,
}
"""Measurements of a good image."""

_SOFT = _SOUND | {"blur": 4.2, "edge_rise": 8.0, "edge_rise_ratio": 1.0}
"""An image that is out of focus."""

_MOTION = 1.28
"""How many times as far edges rise in the softest direction as in the sharpest from which a blur comes from motion."""

_MIN_IMAGES = 20
"""Images that a data set needs before its images can be compared with each other."""


class BlurredImage(Rule):
    """The image is out of focus or has motion blur.

    ## Why it matters
    The details that distinguish an object are lost.

    ## How to fix it
    Take the image again, or remove it.

    ## How reliable it is
    Of 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning), scaled to 512 px, it finds 0.98
    after a Gaussian blur of 4 px and 0.94 after a motion blur of 21 px (recall); of 242 of imagenet_sample, trashnet,
    coco128, animalpose and savoias_objects (half 1), 0.98 and 0.92. Of ten public sets as published it flags four
    images, a blood smear, a garment and two pieces of waste, which were judged by eye ones to keep. Four are too few
    for a precision.

    An image that is soft at 160 px is measured again at up to 1,024 px, at all its edges: a pale object before a pale
    wall is not blurred. A blur is reported if it is strong in all directions, or if it is clearly stronger in one, as
    by motion: photographs that are a little soft pass. So do images with a sharp object in front of a blurred
    background. In a data set of soft images, such as those from a microscope, only those that are much softer than the
    others are reported.
    """

    code = "IMG304"
    name = "image-blurred"
    severity = Severity.INFO
    typical = "blurred"
    messages = {
        "out of focus": "out of focus: the sharpest edges spread over {edge_rise:.1f} px (image scaled to 512 px)",
        "moved": "blurred in one direction, as by motion: the sharpest edges across it spread over {edge_rise:.1f} px "
        "(image scaled to 512 px)",
    }
    features = ("blur", "edge_rise", "edge_rise_ratio")
    examples = (
        Good(images=[_SOUND, {"blur": None}, {"blur": 4.0, "edge_rise": None}, _SOFT | {"edge_rise": 6.5}]),
        Bad(
            images=[_SOFT | {"edge_rise": 8.2}],
            says="out of focus: the sharpest edges spread over 8.2 px (image scaled to 512 px)",
        ),
        Bad(
            images=[_SOFT | {"edge_rise": 4.2, "edge_rise_ratio": 1.8}],
            says="blurred in one direction, as by motion: the sharpest edges across it spread over 4.2 px (image "
            "scaled to 512 px)",
        ),
        Good(images=[_SOFT | {"edge_rise": 8.0}], options={"max_rise": 8.5}),
        Bad(images=[_SOFT | {"edge_rise": 6.0}], options={"max_rise": 5.5}),
        Good(images=[_SOFT | {"edge_rise": 4.2, "edge_rise_ratio": 1.8}], options={"max_motion_rise": 4.5}),
        Bad(images=[_SOFT | {"edge_rise": 3.0, "edge_rise_ratio": 1.8}], options={"max_motion_rise": 2.5}),
        Good(
            images=[{"blur": 2.5} if n else _SOFT | {"blur": 4.5} for n in range(20)],
            options={"times_median": 2.0},
        ),
        Bad(
            images=[{"blur": 2.5} if n else _SOFT | {"blur": 4.5} for n in range(20)],
            options={"times_median": 1.5},
        ),
    )
    max_rise: float = Option(
        7.0,
        gt=0,
        description="Distance over which the sharpest edges rise from which an image is out of focus, in px of an "
        "image scaled to 512 px.",
    )
    max_motion_rise: float = Option(3.3, gt=0, description="The same for edges that are softer in one direction.")
    times_median: float = Option(
        1.75, ge=1, description="Minimum blur as a multiple of the median of the data set, if it has 20 images or more."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that lack sharp edges in at least one direction, and are blurred in comparison with their data set."""
        median, count = col("blur").median().over("data_set"), pl.len().over("data_set")
        stands_out = (count < _MIN_IMAGES) | (col("blur") >= self.times_median * median)
        is_moved = col("edge_rise_ratio") >= _MOTION
        limit = pl.when(is_moved).then(self.max_motion_rise).otherwise(self.max_rise)
        blurred = decoded(images).filter(stands_out & (col("edge_rise") >= limit))
        kind = pl.when(is_moved).then(lit("moved")).otherwise(lit("out of focus"))
        return blurred.with_columns(kind=kind, score=col("edge_rise") / (col("edge_rise") + limit))


class LowInformationImage(Rule):
    """The image has almost no structure.

    ## Why it matters
    A model learns nothing from an empty frame, a lens cap or a placeholder.

    ## How to fix it
    Remove the image.

    ## How reliable it is
    It flags none of the images of twelve public sets. Precision and recall have not been measured.
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
        return decoded(images).filter(col("structure") < self.min_structure).with_columns(score=score)


class NoisyImage(Rule):
    """The image is full of noise.

    ## Why it matters
    A model learns the noise of one camera.

    ## How to fix it
    Take the image with more light, or remove it.

    ## How reliable it is
    It finds all 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning) after noise with a
    standard deviation of 40 of 255 is added (recall), and 0.99 of 242 of imagenet_sample, trashnet, coco128, animalpose
    and savoias_objects (half 1). It flags none of the images of twelve public sets, so its precision could not be
    measured.

    An image that is rough in color at 160 px is measured again at full size, in its smoothest areas: leaves, carpet and
    gravel are rough, but not everywhere. The first measure does not see the noise of a monochrome camera.
    """

    code = "IMG306"
    name = "image-noisy"
    severity = Severity.WARNING
    typical = "noisy"
    message = (
        "noisy: noise in the smoothest areas has a standard deviation of {flat_noise:.1f} of 255; "
        "take the image with more light"
    )
    features = ("flat_noise",)
    examples = (
        Good(images=[_SOUND]),
        Bad(
            images=[_SOUND | {"flat_noise": 18.0}],
            says="noisy: noise in the smoothest areas has a standard deviation of 18.0 of 255; "
            "take the image with more light",
        ),
        Good(images=[_SOUND | {"flat_noise": 11.0}], options={"max_noise": 12.0}),
        Bad(images=[_SOUND | {"flat_noise": 8.0}], options={"max_noise": 7.0}),
    )
    max_noise: float = Option(
        10.0, gt=0, description="Standard deviation of the noise from which an image is reported, in levels of 255."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that are rough in their smoothest areas."""
        noisy = decoded(images).filter(col("flat_noise") >= self.max_noise)
        return noisy.with_columns(score=score_above("flat_noise", self.max_noise))


class CompressedImage(Rule):
    """The JPEG file is compressed so strongly that the loss is visible.

    ## Why it matters
    Blocks of 8 x 8 px replace fine structure.

    ## How to fix it
    Export the image again from its original.

    ## How reliable it is
    It finds all 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning) after they are saved
    as JPEG of quality 5 (recall 1.00), and all 242 of imagenet_sample, trashnet, coco128, animalpose and
    savoias_objects (half 1). It flags none of the images of twelve public sets, so its precision could not be
    measured. It reads the quantization tables of the file, so an image that was strongly compressed earlier and saved
    again at a high quality passes.
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
        return decoded(images).filter(col("jpeg_quality") < self.min_quality).with_columns(score=score)
