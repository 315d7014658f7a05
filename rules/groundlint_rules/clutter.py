"""CLU: images that show much besides the labeled objects."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity, Status
from groundlint_rules.algorithms.robust import robust_z
from groundlint_rules.scoring import score_above, score_below


def _image(density: int, colors: int = 260) -> dict[str, object]:
    """An image with a uniform density of edges, in parts of 255; with 260 colors the density is its score."""
    return {"width": 640, "height": 480, "edge_share": bytes([density] * 256), "color_count": colors}


def _boxes(count: int, side: float, line: int = 1) -> list[dict[str, object]]:
    """Square boxes on the image of a line."""
    return [{"line": line, "left": 10.0, "top": 10.0, "width": side, "height": side} for _ in range(count)]


_ORDINARY = [_image(8 + n % 3) for n in range(39)]
"""Images with a score of 0.03 to 0.04."""

_FEW_BOXES = [box for line in range(2, 41) for box in _boxes(1 + line % 3, 200.0, line)]
"""One to three boxes on each line from the second on."""

_MIN_SIGMA = 1e-9
"""Smallest standard deviation of scores to divide by: where all images but a few are equal, these stand out."""

_MIN_SIGMA_OF_BOXES = 0.25
"""The same for logarithms of the number of boxes, where small differences mean nothing."""


class ClutteredImage(Rule):
    """The image has more edges and colors outside its boxes than most of the data set.

    ## Why it matters
    The service's guide asks for images that are not cluttered with irrelevant things, because a model learns these as
    well.

    ## How to fix it
    Check whether the image shows what it is labeled for. Crop it, or remove it.

    ## How reliable it is
    On the 200 scenes of savoias, which people compared in pairs, the score follows their judgment (rank correlation
    0.70). Of the 39 scenes of half 1, which was not used for tuning, with a score of 0.15 or more, 82% are among the
    40% that people found most complex (precision 0.82; recall was not measured), and 5% among the 40% least complex.
    Grass and foliage are sometimes taken for clutter, because they have many edges, though few colors. So are patterned
    objects without a box: of 30 reported images of ten public sets, one was judged by eye so busy that its subject is
    hard to find.
    """

    code = "CLU101"
    name = "cluttered-image"
    severity = Severity.INFO
    precision = 0.03
    typical = "cluttered"
    message = "cluttered image: edges cover {density:.0%} of it{where}, {color_count:,} distinct colors"
    examples = (
        Good(images=[_image(30), *_ORDINARY]),
        Good(images=[_image(45 + n % 3) for n in range(40)]),
        Bad(
            images=[_image(43, 447), *_ORDINARY],
            says="cluttered image: edges cover 17% of it, 447 distinct colors",
        ),
        Bad(
            images=[_image(41, 450), *_ORDINARY],
            boxes=_boxes(1, 100.0),
            says="cluttered image: edges cover 16% of it outside the boxes, 450 distinct colors",
        ),
        Good(images=[_image(45), *_ORDINARY], options={"min_score": 0.2}),
        Bad(images=[_image(30), *_ORDINARY], options={"min_score": 0.1}),
        Good(images=[_image(45), *_ORDINARY], options={"min_z": 40.0}),
        Bad(images=[_image(45), *_ORDINARY], options={"min_z": 10.0}),
        Good(images=[_image(43)], options={"min_score_of_few": 0.18}),
        Bad(images=[_image(43)], options={"min_score_of_few": 0.16}),
        Good(images=[_image(43), *_ORDINARY], options={"min_images": 100}),
        Bad(images=[_image(43), *_ORDINARY], options={"min_images": 40}),
    )
    min_score: float = Option(0.15, gt=0, description="Clutter score from which an image may be cluttered.")
    min_z: float = Option(
        2.0, ge=0, description="Robust standard deviations by which the score must exceed the median of the data set."
    )
    min_score_of_few: float = Option(
        0.18, gt=0, description="Clutter score from which an image of a small data set is cluttered."
    )
    min_images: int = Option(
        30, ge=2, description="Number of images from which a data set is compared with its median."
    )

    def check(self, clutter: LazyFrame) -> LazyFrame:
        """Images that are cluttered in themselves and in comparison with their data set."""
        z = robust_z(col("score"), over=("data_set",), min_sigma=_MIN_SIGMA)
        stands_out = pl.when(pl.len().over("data_set") >= self.min_images).then(z >= self.min_z)
        is_cluttered = (col("score") >= self.min_score) & stands_out.otherwise(col("score") >= self.min_score_of_few)
        where = pl.when(col("boxes") > 0).then(lit(" outside the boxes")).otherwise(lit(""))
        return clutter.filter(is_cluttered).with_columns(where=where, score=score_above("score", self.min_score))


class ManySmallBoxes(Rule):
    """The image has far more boxes than most of the data set, and all of them are small.

    ## Why it matters
    The service's guide asks for objects that fill a good part of the image. In a crowd annotators miss objects, and a
    model learns to miss them too.

    ## How to fix it
    Check whether all objects have a box, or split the image into parts.

    ## How reliable it is
    The rule follows from the service's guide. No public set has human judgments of it.
    """

    code = "CLU102"
    name = "many-small-boxes"
    status = Status.PREVIEW
    severity = Severity.INFO
    typical = "crowded with small boxes"
    message = (
        "{boxes} boxes, the largest covers {largest:.1%} of the image: far more and smaller than in most images; "
        "check that none is missing"
    )
    examples = (
        Good(
            images=[_image(8) for _ in range(20)],
            boxes=[box for line in range(1, 21) for box in _boxes(20 + line % 5, 30.0, line)],
        ),
        Good(images=[_image(8) for _ in range(40)], boxes=[*_boxes(60, 200.0), *_FEW_BOXES]),
        Bad(
            images=[_image(8) for _ in range(40)],
            boxes=[*_boxes(60, 55.0), *_FEW_BOXES],
            says="60 boxes, the largest covers 1.0% of the image: far more and smaller than in most images; "
            "check that none is missing",
        ),
        Good(
            images=[_image(8) for _ in range(40)],
            boxes=[*_boxes(20, 55.0), *_FEW_BOXES],
            options={"min_boxes": 21},
        ),
        Bad(
            images=[_image(8) for _ in range(40)],
            boxes=[*_boxes(20, 55.0), *_FEW_BOXES],
            options={"min_boxes": 20},
        ),
        Good(
            images=[_image(8) for _ in range(40)],
            boxes=[*_boxes(60, 100.0), *_FEW_BOXES],
            options={"max_largest": 0.03},
        ),
        Bad(
            images=[_image(8) for _ in range(40)],
            boxes=[*_boxes(60, 100.0), *_FEW_BOXES],
            options={"max_largest": 0.04},
        ),
        Good(
            images=[_image(8) for _ in range(40)],
            boxes=[*_boxes(20, 55.0), *_FEW_BOXES],
            options={"min_z": 10.0},
        ),
        Bad(
            images=[_image(8) for _ in range(40)],
            boxes=[*_boxes(20, 55.0), *_FEW_BOXES],
            options={"min_z": 2.0},
        ),
    )
    min_boxes: int = Option(10, ge=2, description="Number of boxes from which an image may have too many.")
    max_largest: float = Option(
        0.05, gt=0, le=1, description="Share of the image that the largest box must stay below."
    )
    min_z: float = Option(
        3.0,
        ge=0,
        description="Robust standard deviations by which the logarithm of the count must exceed the median of the data "
        "set.",
    )

    def check(self, clutter: LazyFrame) -> LazyFrame:
        """Images with many more boxes than the others of their data set that have any."""
        z = robust_z(col("boxes").log1p(), over=("data_set",), min_sigma=_MIN_SIGMA_OF_BOXES)
        boxed = clutter.filter(col("boxes") > 0).with_columns(z=z)
        is_crowd = (col("boxes") >= self.min_boxes) & (col("z") >= self.min_z)
        crowds = boxed.filter(is_crowd & (col("largest") < self.max_largest))
        return crowds.with_columns(score=score_above("z", self.min_z))


class SmallObjectInClutter(Rule):
    """All boxes of a cluttered image are tiny.

    ## Why it matters
    The objects fill almost none of the image, and the rest distracts the model.

    ## How to fix it
    Crop the image around the object, or remove it.

    ## How reliable it is
    The rule follows from the service's guide. No public set has human judgments of it.
    """

    code = "CLU103"
    name = "small-object-in-clutter"
    status = Status.PREVIEW
    severity = Severity.INFO
    typical = "cluttered around tiny objects"
    message = (
        "the largest box covers {largest:.1%} of the image, and edges cover {density:.0%} of the rest; crop the image"
    )
    examples = (
        Good(images=[_image(8), _image(51)], boxes=_boxes(1, 35.0)),
        Bad(
            images=[_image(46)],
            boxes=_boxes(1, 35.0),
            says="the largest box covers 0.4% of the image, and edges cover 18% of the rest; crop the image",
        ),
        Good(images=[_image(46)], boxes=_boxes(1, 35.0), options={"max_largest": 0.003}),
        Bad(images=[_image(46)], boxes=_boxes(1, 70.0), options={"max_largest": 0.02}),
        Good(images=[_image(46)], boxes=_boxes(1, 35.0), options={"min_score": 0.2}),
        Bad(images=[_image(30)], boxes=_boxes(1, 35.0), options={"min_score": 0.1}),
    )
    max_largest: float = Option(
        0.01, gt=0, le=1, description="Share of the image that the largest box must stay below."
    )
    min_score: float = Option(0.15, gt=0, description="Clutter score from which an image is cluttered.")

    def check(self, clutter: LazyFrame) -> LazyFrame:
        """Cluttered images whose largest box is tiny."""
        found = clutter.filter(col("largest") < self.max_largest, col("score") >= self.min_score)
        return found.with_columns(score=score_below("largest", self.max_largest))
