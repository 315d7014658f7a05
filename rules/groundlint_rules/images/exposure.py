"""IMG: images that are too dark, too bright or flat."""

from __future__ import annotations

from polars import Expr, LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity, Status
from groundlint_rules.images.decoded import decoded
from groundlint_rules.scoring import score_above, score_below

_SOUND = {
    "bright_level": 230.0,
    "clipped_share": 0.01,
    "clipped_objects": None,
    "object_dark_level": None,
    "solid_share": None,
    "spread": 150.0,
}
"""Measurements of a good image."""

_WHITE = _SOUND | {"clipped_share": 0.6, "object_dark_level": 30.0, "solid_share": 0.8}
"""An image of which most is white."""

_PALE = _WHITE | {"clipped_objects": 0.01, "object_dark_level": 100.0}
"""The same without anything dark."""

_MADE_WHITE = 0.001
"""Share of clipped pixels in objects below which what is white was made so, such as bars beside a photograph."""

_SOLID = 0.3
"""Share of solid areas below which what is not white is text or lines."""

_DARK_LEVEL = 104.0
"""Level that the brightest 0.5% of an image that is not underexposed reach."""

_PALE_SHARE = 0.3
"""Share of white pixels from which an image may be overexposed, or a page or product on white."""


class DarkImage(Rule):
    """The image is underexposed.

    ## Why it matters
    The object is hardly visible, and a model learns noise.

    ## How to fix it
    Take the image again with more light, or remove it.

    ## How reliable it is
    It finds all 1,009 photographs of clothing, raccoon and savoias (half 1, not used for tuning) after they are exposed
    three stops darker (recall 1.00), and all 242 of imagenet_sample, trashnet, coco128, animalpose and savoias_objects
    (half 1). Of the 12,156 images of twelve public sets it flags one, a cat in the dark in animalpose, which was judged
    by eye to be dark but one to keep.

    It judges the brightest channel, so a blue or red scene, as in fluorescence microscopy, is not dark, and a night
    scene with a lamp is not either.
    """

    code = "IMG301"
    name = "image-dark"
    severity = Severity.INFO
    typical = "underexposed"
    message = "underexposed: 99.5% of pixels are darker than {bright_level:.0f} of 255 in every color"
    features = ("bright_level",)
    examples = (
        Good(images=[_SOUND]),
        Bad(
            images=[_SOUND | {"bright_level": 60.0}],
            says="underexposed: 99.5% of pixels are darker than 60 of 255 in every color",
        ),
        Good(images=[_SOUND | {"bright_level": 90.0}], options={"min_level": 80.0}),
        Bad(images=[_SOUND | {"bright_level": 90.0}], options={"min_level": 100.0}),
    )
    min_level: float = Option(
        _DARK_LEVEL, gt=0, lt=255, description="Level that the brightest 0.5% must reach in some color."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images without a bright area."""
        score = score_below("bright_level", self.min_level)
        return decoded(images).filter(col("bright_level") < self.min_level).with_columns(score=score)


class BrightImage(Rule):
    """The image is overexposed.

    ## Why it matters
    White areas have no details left.

    ## How to fix it
    Take the image again with less exposure, or remove it.

    ## How reliable it is
    Of the photographs of clothing, raccoon and savoias (half 1, not used for tuning) that have at least 40% clipped
    pixels after they are exposed four stops brighter, it finds 0.97 of 903 (recall), and of those of
    imagenet_sample, trashnet, coco128, animalpose and savoias_objects (half 1) 0.99 of 221. But of the ten that it
    flags in ten public sets as published, none was judged by eye one to remove or take again: they are products and
    people before a white background, and saturated colors, such as those of a red flower, which count as clipped.

    A white area that reaches the border counts as background. The image is reported if objects in front of it are
    clipped, or if nothing in them is dark. Text on a page is not an object.
    """

    code = "IMG302"
    name = "image-bright"
    status = Status.PREVIEW
    severity = Severity.INFO
    typical = "overexposed"
    message = (
        "overexposed: {clipped_share:.0%} of pixels are white, and {clipped_objects:.0%} of the objects are clipped; "
        "take the image again"
    )
    features = ("clipped_share", "clipped_objects", "object_dark_level", "solid_share")
    examples = (
        Good(images=[_SOUND, _WHITE | {"clipped_objects": 0.02}]),
        Bad(
            images=[_WHITE | {"clipped_objects": 0.3}],
            says="overexposed: 60% of pixels are white, and 30% of the objects are clipped; take the image again",
        ),
        Good(images=[_WHITE | {"clipped_objects": 0.1}], options={"min_clipped": 0.12}),
        Bad(images=[_WHITE | {"clipped_objects": 0.06}], options={"min_clipped": 0.05}),
        Good(images=[_PALE | {"solid_share": 0.2}]),
        Good(images=[_PALE], options={"min_dark_level": 110.0}),
        Bad(images=[_PALE], options={"min_dark_level": 90.0}),
    )
    min_clipped: float = Option(
        0.08, gt=0, le=1, description="Share of clipped pixels, apart from a white background, that are too many."
    )
    min_dark_level: float = Option(
        70.0, ge=0, lt=255, description="Gray level from which the darkest 5% of the objects count as bright."
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that are white in large part, with clipped objects, or with nothing dark in them."""
        is_pale = (
            (col("object_dark_level") >= self.min_dark_level)
            & (col("clipped_objects") >= _MADE_WHITE)
            & (col("solid_share") >= _SOLID)
        )
        clipped = decoded(images).filter((col("clipped_objects") >= self.min_clipped) | is_pale)
        return clipped.with_columns(score=score_above(col("clipped_objects") + col("clipped_share"), 0.5))


class LowContrastImage(Rule):
    """The whole image has about the same brightness.

    ## Why it matters
    Edges are weak everywhere, as in fog, behind a dirty lens or against the light.

    ## How to fix it
    Take the image again, or remove it.

    ## How reliable it is
    Of all images of twelve public sets it flags one, in cifar10n. Precision and recall have not been measured. It
    judges the channel with the most contrast.
    """

    code = "IMG303"
    name = "image-low-contrast"
    severity = Severity.INFO
    typical = "low in contrast"
    message = "low contrast: 90% of pixels lie within {spread:.0f} of 255 gray levels; take the image again"
    features = ("spread", "bright_level", "clipped_share")
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
        return decoded(images).filter(is_flat).with_columns(score=score_below("spread", self.min_spread))


def _is_badly_exposed() -> Expr:
    """Whether an image is underexposed, or white in large part, which explains its low contrast."""
    return (col("bright_level") < _DARK_LEVEL) | (col("clipped_share") >= _PALE_SHARE)
