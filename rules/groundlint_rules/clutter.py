"""CLU: pictures with much to see beside what they are labelled for."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity

_ROW = {
    "manifest": "train.manifest",
    "line": 1,
    "source_ref": "s3://bucket/1.jpg",
    "density": 0.05,
    "colours": 200,
    "score": 0.03,
    "boxes": 1,
    "largest": 0.2,
}


def _row(line: int, **values: float | None) -> dict[str, object]:
    return _ROW | {"line": line, "source_ref": f"s3://bucket/{line}.jpg"} | values


_ORDINARY = [_row(n, score=0.03 + 0.001 * (n % 9)) for n in range(1, 41)]


class ClutteredImage(Rule):
    """The picture is fuller of contours and colours than most of the set.

    ## Why is this bad?
    The guide asks for images that are not cluttered with things that do not matter: the model learns these as well.

    ## How to mend it
    Look whether the picture shows what it is labelled for; crop it, or leave it out.

    ## How far it can be trusted
    On the 200 scenes of savoias, which people compared two by two, the score follows their judgement, and of the scenes
    that score as high as a flagged one four in five are in people's upper two fifths. Grass and foliage are taken for
    clutter at times: they have many contours, though few colours; and so is a patterned object that has no box.
    """

    code = "CLU101"
    name = "cluttered-image"
    severity = Severity.INFO
    message = "the picture is cluttered: {density:.0%} of it{where} are contours, in {colours:,} colours"
    examples = (
        Good(clutter=[*_ORDINARY, _row(99, score=0.12)]),
        Good(clutter=[_row(n, score=0.15 + 0.001 * (n % 9)) for n in range(1, 41)]),
        Bad(
            clutter=[*_ORDINARY, _row(99, density=0.16, score=0.18, colours=450)],
            says="the picture is cluttered: 16% of it outside the boxes are contours, in 450 colours",
        ),
    )
    min_score: float = Option(0.15, gt=0, description="Score from which a picture may be cluttered.")
    min_z: float = Option(2.0, ge=0, description="Robust standard deviations above the set's median that it must be.")
    min_score_of_few: float = Option(0.18, gt=0, description="The same in a set too small for a median to tell.")
    min_images: int = Option(30, ge=2, description="Pictures from which the median tells.")

    def check(self, clutter: LazyFrame) -> LazyFrame:
        """Pictures that are cluttered by themselves and beside the others."""
        stands_out = pl.when(pl.len() >= self.min_images).then(_robust_z(col("score")) >= self.min_z)
        is_cluttered = (col("score") >= self.min_score) & stands_out.otherwise(col("score") >= self.min_score_of_few)
        where = pl.when(col("boxes") > 0).then(pl.lit(" outside the boxes")).otherwise(pl.lit(""))
        return clutter.filter(is_cluttered).with_columns(where=where)


class ManySmallBoxes(Rule):
    """The picture has far more boxes than most of the set, and small ones.

    ## Why is this bad?
    The guide asks for objects that fill a good part of the image; in a crowd annotators miss objects, and what is
    missed teaches the model to miss it.

    ## How to mend it
    Look whether all objects have their box; cut the picture into parts.

    ## How far it can be trusted
    It follows from the guide; no public set has people's judgement of it.
    """

    code = "CLU102"
    name = "many-small-boxes"
    severity = Severity.INFO
    message = "{boxes} boxes, the largest over {largest:.1%} of the picture: far more and smaller than in most images"
    examples = (
        Good(clutter=[_row(n, boxes=20 + n % 5, largest=0.01) for n in range(40)]),
        Good(clutter=[*_ORDINARY, _row(99, boxes=60, largest=0.2)]),
        Bad(
            clutter=[*_ORDINARY, _row(99, boxes=60, largest=0.01)],
            says="60 boxes, the largest over 1.0% of the picture: far more and smaller than in most images",
        ),
    )
    min_boxes: int = Option(10, ge=2, description="Boxes from which there may be many.")
    max_largest: float = Option(0.05, gt=0, le=1, description="Share of the picture that the largest must not reach.")
    min_z: float = Option(3.0, ge=0, description="Robust standard deviations above the median, of the logarithm.")

    def check(self, clutter: LazyFrame) -> LazyFrame:
        """Pictures with many more boxes than the others that have any."""
        boxed = clutter.filter(col("boxes") > 0)
        is_crowd = (col("boxes") >= self.min_boxes) & (_robust_z(col("boxes").log1p(), least=0.25) >= self.min_z)
        return boxed.filter(is_crowd & (col("largest") < self.max_largest))


class SmallObjectInClutter(Rule):
    """All boxes of a cluttered picture are tiny.

    ## Why is this bad?
    Next to nothing of the picture is the object, and much of it draws the eye, and the model's.

    ## How to mend it
    Crop the picture round the object, or leave it out.

    ## How far it can be trusted
    It follows from the guide; no public set has people's judgement of it.
    """

    code = "CLU103"
    name = "small-object-in-clutter"
    severity = Severity.INFO
    message = "the largest box covers {largest:.1%} of the picture, and {density:.0%} of the rest are contours"
    examples = (
        Good(clutter=[_row(1, largest=0.004), _row(2, score=0.2)]),
        Bad(
            clutter=[_row(1, largest=0.004, score=0.2, density=0.18)],
            says="the largest box covers 0.4% of the picture, and 18% of the rest are contours",
        ),
    )
    max_largest: float = Option(0.01, gt=0, le=1, description="Share of the picture that the largest must not reach.")
    min_score: float = Option(0.15, gt=0, description="Score from which a picture is cluttered.")

    def check(self, clutter: LazyFrame) -> LazyFrame:
        """Cluttered pictures of which the boxes are a tiny part."""
        return clutter.filter(col("largest") < self.max_largest, col("score") >= self.min_score)


def _robust_z(value: Expr, least: float = 0.0) -> Expr:
    """Standard deviations above the median, by the median absolute deviation, which is at least `least`."""
    middle = value.median()
    deviation = 1.4826 * (value - middle).abs().median()
    return (value - middle) / pl.max_horizontal(deviation, pl.lit(max(least, 1e-9)))
