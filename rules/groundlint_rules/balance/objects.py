"""BAL: the size and the position of the objects of a label, from boxes alone."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.scoring import score_above, score_below
from groundlint_rules.tables.verdicts import is_outside, is_too_small

_ROOM = 0.1
"""Share of the image on either side of a centered box from which its position says something: a box that fills the
image cannot be anywhere else."""

_CENTRAL = 0.25
"""Share of the way from the center to the edge up to which a box is centered."""

_TINY = {"width": 20, "height": 20}
_CENTERED = {"left": 270, "top": 190}


class ObjectsSmall(Rule):
    """The objects of a label are small in nearly all of their images.

    ## Why it matters
    The service's guide says that the object should fill a large part of the image. Training scales images down, and of
    an object of a few pixels nothing is left to learn from.

    ## How to fix it
    Move closer, or cut the images into tiles and label these. Do the same with the images that the model will see.

    ## How reliable it is
    The share is exact; the limit is ours, because the guide gives none. It is the size below which COCO calls an object
    small: 32 x 32 px of 640 x 480 px, 0.33% of the image. Only the largest box of the label in each image counts, since
    small objects beside a large one, such as a crowd in the background, do no harm. Each label of the training data
    with enough images gets one finding.

    No label of raccoon, bccd, kitti_labels, wider_occ, coco128 and animalpose is reported; the smallest medians are
    those of Platelets in bccd (0.53%) and of Cyclist in kitti_labels (0.59%).
    """

    code = "BAL105"
    name = "objects-small"
    severity = Severity.INFO
    message = (
        "the largest {label!r} of an image covers only {median:.2%} of it (median of {images:# image}); "
        "move closer, or cut the images into tiles"
    )
    examples = (
        Good(boxes=[{"line": n} for n in range(10)]),
        Bad(
            boxes=[{"line": n, **_TINY} for n in range(10)],
            says="the largest 'cat' of an image covers only 0.13% of it (median of 10 images); "
            "move closer, or cut the images into tiles",
        ),
        # Small boxes beside a large one.
        Good(boxes=[{"line": n, **size} for n in range(10) for size in ({}, _TINY, _TINY)]),
        Good(boxes=[{"line": n, **_TINY} for n in range(10)], options={"share": 0.001}),
        Bad(boxes=[{"line": n, **_TINY} for n in range(10)], options={"share": 0.002}),
        Good(boxes=[{"line": n, **_TINY} for n in range(10)], options={"min_images": 11}),
        Bad(boxes=[{"line": n, **_TINY} for n in range(9)], options={"min_images": 9}),
    )
    share: float = Option(
        0.0033, gt=0, lt=1, description="Share of the image below which the median of the largest boxes is reported."
    )
    min_images: int = Option(10, ge=1, description="Number of images that a label needs.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Labels whose largest boxes are small."""
        area = col("width") * col("height") / (col("image_width") * col("image_height"))
        largest_boxes = _sound(boxes).group_by("data_set", "label", "source_ref").agg(largest=area.max())
        labels = largest_boxes.group_by("data_set", "label").agg(images=pl.len(), median=col("largest").median())
        small = labels.filter(col("images") >= self.min_images, col("median") < self.share)
        return small.with_columns(score=score_below("median", self.share))


class ObjectsAlwaysCentered(Rule):
    """The objects of a label are nearly always in the center of the image.

    ## Why it matters
    The model learns that the label is in the center, and misses objects elsewhere. The service's guide asks for images
    that vary the object and its surroundings.

    ## How to fix it
    Add images with the object in other places, or cut the images so that it is not in the center. Where the camera will
    always show it there, leave it.

    ## How reliable it is
    A box is centered if, on both axes, it is not farther from the center than a quarter of the way to the edge of the
    image: 6% of boxes that are placed at random are. Only boxes with room to be elsewhere count, at least a tenth of
    the image on each side of a centered box. Each label of the training data with enough images gets one finding.

    No label of raccoon, bccd, kitti_labels, wider_occ, coco128 and animalpose is reported: the greatest share is that
    of Car in kitti_labels (42% of its boxes, which are along the horizon), and raccoon has 16%.
    """

    code = "BAL106"
    name = "objects-always-centered"
    severity = Severity.INFO
    message = (
        "{centered:.0%} of the boxes of {label!r} are in the center of their image ({images:# image}), "
        "6% would be by chance; add images with {label!r} in other places"
    )
    examples = (
        Good(boxes=[{"line": n, "left": 25 * n} for n in range(20)]),
        Good(boxes=[{"line": n, **_CENTERED} for n in range(19)]),
        Bad(
            boxes=[{"line": n, **_CENTERED} for n in range(20)],
            says="100% of the boxes of 'cat' are in the center of their image (20 images), 6% would be by chance; "
            "add images with 'cat' in other places",
        ),
        # Boxes that fill the image.
        Good(boxes=[{"line": n, "left": 40, "top": 30, "width": 560, "height": 420} for n in range(20)]),
        Good(boxes=[{"line": n, **_CENTERED} for n in range(20)], options={"min_images": 21}),
        Bad(boxes=[{"line": n, **_CENTERED} for n in range(10)], options={"min_images": 10}),
        Good(boxes=[{"line": n, **(_CENTERED if n < 16 else {})} for n in range(20)], options={"share": 0.85}),
        Bad(boxes=[{"line": n, **(_CENTERED if n < 12 else {})} for n in range(20)], options={"share": 0.6}),
    )
    share: float = Option(0.8, ge=0.2, le=1, description="Share of centered boxes from which a label is reported.")
    min_images: int = Option(20, ge=10, description="Number of images with a box that has room.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        """Labels most of whose boxes are in the center."""
        axes = (("left", "width", "image_width"), ("top", "height", "image_height"))
        # As shares of the image: the room on each side of a centered box, and how far this one is from the center.
        room = {side: (1 - col(side) / col(whole)) / 2 for _, side, whole in axes}
        away = {side: ((col(start) + col(side) / 2) / col(whole) - 0.5).abs() for start, side, whole in axes}
        is_free = pl.all_horizontal(room[side] >= _ROOM for side in room)
        is_centered = pl.all_horizontal(away[side] <= _CENTRAL * room[side] for side in room)
        labels = (
            _sound(boxes)
            .filter(is_free)
            .group_by("data_set", "label")
            .agg(images=col("source_ref").n_unique(), centered=is_centered.mean())
        )
        often = labels.filter(col("images") >= self.min_images, col("centered") >= self.share)
        return often.with_columns(score=score_above("centered", self.share))


def _sound(boxes: LazyFrame) -> LazyFrame:
    """Boxes of labeled training images that the service would use."""
    return boxes.filter(
        col("usable"),
        col("split") == "train",
        col("label").is_not_null(),
        col("source_ref").is_not_null(),
        ~is_outside(),
        ~is_too_small(),
    )
