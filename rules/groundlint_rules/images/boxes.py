"""IMG: objects that are badly to be seen in their boxes."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity

_KEYS = ("manifest", "line", "attribute", "box")

_SHARP = {"crop_sharpness": 20.0, "crop_brightest": 180.0, "crop_contrast": 30.0}


def _labelled(crops: LazyFrame, boxes: LazyFrame) -> LazyFrame:
    """Crops with the labels of their boxes."""
    return crops.join(boxes.select(*_KEYS, "label"), on=_KEYS)


class ObjectBlurred(Rule):
    """The object in a box is blurred, or has too few pixels to be sharp.

    ## Why is this bad?
    The guide asks for sharp objects: of a blurred one the model learns its outline at best.

    ## How to mend it
    Take the picture anew, focused on the object and from nearer by, or leave the object out.

    ## How far it can be trusted
    Its measure follows people's judgement of faces, also among faces of like size. In a label that is soft throughout,
    as cells under a microscope, only what is softer still is named.
    """

    code = "IMG401"
    name = "object-blurred"
    severity = Severity.INFO
    message = "box {box} of {label!r} is blurred: pressed to 64 pixels its detail is {crop_sharpness:.1f} shades"
    features = ("crop_sharpness",)
    examples = (
        Good(boxes=[{}], crops=[_SHARP]),
        Good(boxes=[{"box": n} for n in range(9)], crops=[{"box": n, "crop_sharpness": 3.0} for n in range(9)]),
        Bad(
            boxes=[{"box": n} for n in range(9)],
            crops=[_SHARP | {"box": n, "crop_sharpness": 3.0 if n == 4 else 20.0} for n in range(9)],
            says="box 4 of 'cat' is blurred: pressed to 64 pixels its detail is 3.0 shades",
        ),
    )
    detail: float = Option(5.0, gt=0, description="Detail in shades that a box must have.")
    share: float = Option(0.5, gt=0, le=1, description="The same as a share of its label's median.")

    def check(self, crops: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Boxes that are soft by themselves and beside their label's others."""
        usual = col("crop_sharpness").median().over("label")
        is_soft = (col("crop_sharpness") < self.detail) & (col("crop_sharpness") < self.share * usual)
        return _labelled(crops, boxes).filter(is_soft)


class ObjectDark(Rule):
    """The object in a box is nearly black.

    ## Why is this bad?
    The guide asks for bright objects: in the dark the model sees nothing to learn.

    ## How to mend it
    Light the object, or leave it out. Where it is black by nature, ignore the finding with that reason.
    """

    code = "IMG402"
    name = "object-dark"
    severity = Severity.INFO
    message = "box {box} of {label!r} is dark: 95% of it lie below shade {crop_brightest:.0f} of 255"
    features = ("crop_brightest",)
    examples = (
        Good(boxes=[{}], crops=[_SHARP]),
        Bad(
            boxes=[{}],
            crops=[_SHARP | {"crop_brightest": 40.0}],
            says="box 0 of 'cat' is dark: 95% of it lie below shade 40 of 255",
        ),
    )
    shade: float = Option(90.0, gt=0, lt=255, description="Shade that the brightest twentieth must reach.")

    def check(self, crops: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Boxes without a bright part."""
        return _labelled(crops, boxes).filter(col("crop_brightest") < self.shade)


class ObjectLowContrast(Rule):
    """A box looks like what is round it.

    ## Why is this bad?
    The guide asks for contrast with the background: what cannot be told from it cannot be learned, and a box that looks
    like its surroundings may hold nothing.

    ## How to mend it
    Look whether the object is there; take the picture before another background.

    ## How far it can be trusted
    It compares the shades of both, not their pattern: a striped thing on a plain ground of the same shades is flagged.
    """

    code = "IMG403"
    name = "object-low-contrast"
    severity = Severity.INFO
    message = "box {box} of {label!r} differs by {crop_contrast:.1f} of 255 shades from what is round it"
    features = ("crop_contrast",)
    examples = (
        Good(boxes=[{}], crops=[_SHARP]),
        Bad(
            boxes=[{}],
            crops=[_SHARP | {"crop_contrast": 1.2}],
            says="box 0 of 'cat' differs by 1.2 of 255 shades from what is round it",
        ),
    )
    shades: float = Option(2.5, gt=0, lt=255, description="Shades by which a box must differ from its surroundings.")

    def check(self, crops: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Boxes that are like what is round them."""
        return _labelled(crops, boxes).filter(col("crop_contrast") < self.shades)


class ObjectFewPixels(Rule):
    """A box has hardly any pixels.

    ## Why is this bad?
    There is nothing to learn of an object of a few pixels, and the model is taught to see it in noise.

    ## How to mend it
    Take the picture from nearer by or at a higher resolution, or leave the box out.

    ## How far it can be trusted
    A count cannot be wrong. Of faces below 20 pixels in wider_occ people called most blurred.
    """

    code = "IMG404"
    name = "object-few-pixels"
    severity = Severity.INFO
    message = "box {box} of {label!r} has {width:.0f} x {height:.0f} pixels"
    examples = (
        Good(boxes=[{"width": 8, "height": 16}]),
        Good(boxes=[{"width": None, "height": 8}]),
        Bad(boxes=[{"width": 8, "height": 15}], says="box 0 of 'cat' has 8 x 15 pixels"),
    )
    side: float = Option(16.0, gt=1, description="Pixels that the longer side must have.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Boxes that are too small to show anything."""
        longer = pl.max_horizontal("width", "height")
        # The greater of a number and nothing is the number.
        return boxes.drop_nulls(["width", "height"]).filter(longer.is_between(1, self.side, closed="none"))
