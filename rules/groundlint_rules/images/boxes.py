"""IMG: objects that are hard to see in their boxes."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import FACT, Bad, Good, Option, Rule, Severity
from groundlint_rules.scoring import score_below

_SOUND = {"crop_sharpness": 20.0, "crop_brightness": 180.0, "crop_contrast": 30.0}
"""Measurements of a good box."""


def _labeled(crops: LazyFrame, boxes: LazyFrame, measurement: str) -> LazyFrame:
    """One measurement of each crop where it is known, with the box number and the label."""
    measured = crops.filter(col(measurement).is_not_null()).select("box_id", measurement)
    return measured.join(boxes.select("data_set", "box_id", "box", "label"), on="box_id")


class ObjectBlurred(Rule):
    """The object in a box is blurred, or has too few pixels to be sharp.

    ## Why it matters
    The service's guide asks for sharp objects. A blurred object teaches a model its outline at best.

    ## How to fix it
    Take the image again, focused on the object and from a shorter distance, or remove the box.

    ## How reliable it is
    Of 1,275 faces of wider_occ (half 1, not used for tuning) it flags 322. People called 0.96 of these blurred
    (precision), and 0.40 of the faces that they called blurred are flagged (recall). It also agrees with people among
    faces of similar size (AUROC 0.79). For a label whose objects are all soft, such as cells under a microscope, only
    those that are softer than the others are reported. Of the 39 reported boxes of bccd, coco128 and wider_occ that
    were judged by eye, 29 should be removed or taken again (precision 0.74).
    """

    code = "IMG401"
    name = "object-blurred"
    severity = Severity.INFO
    precision = 0.74
    typical = "blurred"
    message = (
        "box {box} ({label!r}) is blurred (sharpness {crop_sharpness:.1f}, usual for the label {usual_sharpness:.1f})"
    )
    features = ("crop_sharpness",)
    examples = (
        Good(boxes=[{}], crops=[_SOUND]),
        Good(boxes=[{"box": n} for n in range(9)], crops=[{"box": n, "crop_sharpness": 3.0} for n in range(9)]),
        Bad(
            boxes=[{"box": n} for n in range(9)],
            crops=[_SOUND | {"box": n, "crop_sharpness": 3.0 if n == 4 else 20.0} for n in range(9)],
            says="box 4 ('cat') is blurred (sharpness 3.0, usual for the label 20.0)",
        ),
        Good(
            boxes=[{"box": n} for n in range(9)],
            crops=[_SOUND | {"box": n, "crop_sharpness": 3.0 if n == 4 else 20.0} for n in range(9)],
            options={"min_sharpness": 2.0},
        ),
        Bad(
            boxes=[{"box": n} for n in range(9)],
            crops=[_SOUND | {"box": n, "crop_sharpness": 6.0 if n == 4 else 20.0} for n in range(9)],
            options={"min_sharpness": 8.0},
        ),
        Good(
            boxes=[{"box": n} for n in range(9)],
            crops=[_SOUND | {"box": n, "crop_sharpness": 3.0 if n == 4 else 7.0} for n in range(9)],
            options={"share_of_median": 0.4},
        ),
        Bad(
            boxes=[{"box": n} for n in range(9)],
            crops=[_SOUND | {"box": n, "crop_sharpness": 4.0 if n == 4 else 7.0} for n in range(9)],
            options={"share_of_median": 0.6},
        ),
    )
    min_sharpness: float = Option(5.0, gt=0, description="Sharpness, in gray levels, below which a box may be blurred.")
    share_of_median: float = Option(
        0.5, gt=0, le=1, description="Share of the median sharpness of its label below which a box may be blurred."
    )

    def check(self, crops: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Boxes that are soft, and softer than the others of their label."""
        usual = col("crop_sharpness").median().over("data_set", "label")
        limit = pl.min_horizontal(self.min_sharpness, self.share_of_median * col("usual_sharpness"))
        return (
            _labeled(crops, boxes, "crop_sharpness")
            .with_columns(usual_sharpness=usual)
            .filter(col("crop_sharpness") < limit)
            .with_columns(score=score_below("crop_sharpness", self.min_sharpness))
        )


class ObjectDark(Rule):
    """The object in a box is nearly black.

    ## Why it matters
    The service's guide asks for well-lit objects. A nearly black object teaches a model nothing.

    ## How to fix it
    Light the object, or remove the box. If it is black by nature, suppress the finding with that reason.

    ## How reliable it is
    It judges the brightest channel, so a red or blue object is not dark. It finds 0.74 of the 217 boxes of raccoon
    after they are exposed three stops darker (recall). Of the 34 reported boxes of animalpose, coco128 and wider_occ
    that were judged by eye, 22 or 23 should be removed or taken again (precision 0.66): the judges differ on one.
    """

    code = "IMG402"
    name = "object-dark"
    severity = Severity.INFO
    precision = 0.66
    typical = "dark"
    message = (
        "box {box} ({label!r}) is dark: 95% of its pixels are darker than {crop_brightness:.0f} of 255 in every color; "
        "light the object or remove the box"
    )
    features = ("crop_brightness",)
    examples = (
        Good(boxes=[{}], crops=[_SOUND]),
        Bad(
            boxes=[{}],
            crops=[_SOUND | {"crop_brightness": 40.0}],
            says="box 0 ('cat') is dark: 95% of its pixels are darker than 40 of 255 in every color; "
            "light the object or remove the box",
        ),
        Good(boxes=[{}], crops=[_SOUND | {"crop_brightness": 80.0}], options={"min_brightness": 70.0}),
        Bad(boxes=[{}], crops=[_SOUND | {"crop_brightness": 80.0}], options={"min_brightness": 85.0}),
    )
    min_brightness: float = Option(
        90.0, gt=0, lt=255, description="Level that the brightest 5% must reach in some color."
    )

    def check(self, crops: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Boxes without a bright area."""
        dark = _labeled(crops, boxes, "crop_brightness").filter(col("crop_brightness") < self.min_brightness)
        return dark.with_columns(score=score_below("crop_brightness", self.min_brightness))


class ObjectLowContrast(Rule):
    """The content of a box looks like its surroundings.

    ## Why it matters
    The service's guide asks for contrast between object and background. A model cannot learn what does not stand out,
    and a box that looks like its surroundings may be empty.

    ## How to fix it
    Check whether the object is there, and take the image in front of another background.

    ## How reliable it is
    It looks for outlines in the box, in the colors of its own pixels and those at its edge: an object with a visible
    outline is not reported, whatever its mean color is. An empty box on a patterned ground is not found.

    It flags 7 of the 2,268 faces of at least 20 px in wider_occ, all of them judged by eye hardly visible in the dark
    or in colored light, and none of the 5,719 boxes of animalpose, coco128, raccoon and bccd. The limit was chosen on
    these sets.
    """

    code = "IMG403"
    name = "object-low-contrast"
    severity = Severity.INFO
    precision = 1.0
    typical = "hard to tell from their background"
    message = "box {box} ({label!r}) barely stands out from its background (contrast {crop_contrast:.1f} of 255)"
    features = ("crop_contrast",)
    examples = (
        Good(boxes=[{}], crops=[_SOUND]),
        Bad(
            boxes=[{}],
            crops=[_SOUND | {"crop_contrast": 6.2}],
            says="box 0 ('cat') barely stands out from its background (contrast 6.2 of 255)",
        ),
        Good(boxes=[{}], crops=[_SOUND | {"crop_contrast": 8.0}], options={"min_contrast": 7.5}),
        Bad(boxes=[{}], crops=[_SOUND | {"crop_contrast": 22.0}], options={"min_contrast": 25.0}),
    )
    min_contrast: float = Option(
        18.0, gt=0, lt=255, description="Color step, of 255 levels, that 5% of the pixels of a box must exceed."
    )

    def check(self, crops: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Boxes that look like their surroundings."""
        flat = _labeled(crops, boxes, "crop_contrast").filter(col("crop_contrast") < self.min_contrast)
        return flat.with_columns(score=score_below("crop_contrast", self.min_contrast))


class LowResolutionObject(Rule):
    """A box has very few pixels.

    ## Why it matters
    An object of a few pixels has no details to learn, and the model is taught to see it in noise.

    ## How to fix it
    Take the image from a shorter distance or at a higher resolution, or remove the box.

    ## How reliable it is
    The size is a fact. People called 97% of the 261 faces below 16 px in wider_occ (half 1, not used for tuning)
    blurred.
    """

    code = "IMG404"
    name = "low-resolution-object"
    severity = Severity.INFO
    precision = FACT
    typical = "very small"
    message = "box {box} ({label!r}) has only {width:.0f} x {height:.0f} px; remove it"
    examples = (
        Good(boxes=[{"width": 8, "height": 16}]),
        Good(boxes=[{"width": None, "height": 8}]),
        Bad(boxes=[{"width": 8, "height": 15}], says="box 0 ('cat') has only 8 x 15 px; remove it"),
        Good(boxes=[{"width": 8, "height": 12}], options={"min_side": 10.0}),
        Bad(boxes=[{"width": 8, "height": 18}], options={"min_side": 20.0}),
    )
    min_side: float = Option(16.0, gt=1, description="Pixels that the longer side of a box must have.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Boxes that are too small to show anything."""
        # `max_horizontal` ignores nulls, so that a box with one unknown side would count.
        sized = boxes.select("box_id", "box", "label", "width", "height").drop_nulls(["width", "height"])
        longer = pl.max_horizontal("width", "height")
        small = sized.filter(longer.is_between(1, self.min_side, closed="none"))
        return small.with_columns(score=score_below(longer, self.min_side))
