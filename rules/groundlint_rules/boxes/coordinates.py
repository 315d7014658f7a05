"""BOX: coordinates that mean something other than pixels from the top left corner, on most lines of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import polars as pl
from polars import Expr, LazyFrame, col

from groundlint import Bad, Good, Safety, json_number, pointer, set_value
from groundlint.engine.base_tables import RECTANGLE
from groundlint_rules.diagnoses import DiagnosisRule, with_values

_PLACES = ((20, 30, 200, 150), (330, 250, 250, 200), (150, 200, 220, 240), (400, 60, 190, 120)) * 2
"""Left, top, width and height of boxes in different parts of an image of 640 x 480 px."""

_SCALES = {
    "left": col("image_width"),
    "top": col("image_height"),
    "width": col("image_width"),
    "height": col("image_height"),
}
"""The side of the image that is 1 where coordinates are fractions, by side of the box."""

_LARGE = {"image_width": 4000, "image_height": 3000}


def _boxes(written: Callable[[int, int, int, int], Sequence[float]], **size: int) -> list[dict[str, float]]:
    """Boxes on lines of their own, each with the four numbers that are written for it."""
    return [
        {"line": n, **dict(zip(RECTANGLE, written(*place), strict=True)), **size} for n, place in enumerate(_PLACES, 1)
    ]


_SOUND = _boxes(lambda *place: place)
_FRACTIONS = _boxes(lambda left, top, width, height: (left / 640, top / 480, width / 640, height / 480))
_PERCENTAGES = _boxes(lambda x, y, width, height: (x / 6.4, y / 4.8, width / 6.4, height / 4.8), **_LARGE)
_CORNERS = _boxes(lambda left, top, width, height: (left, top, left + width, top + height))
_CENTERS = _boxes(lambda left, top, width, height: (left + width / 2, top + height / 2, width, height))
_IN_CORNER = [{"line": n, "left": 10, "top": 10, "width": 80, "height": 80} for n in range(1, 9)]
_OVER_THE_EDGE = [{"line": n, "left": 541, "top": 381} for n in range(1, 9)]


class CoordinatesRule(DiagnosisRule):
    """A diagnosis of coordinates that mean something else; the fix converts those of all lines that it explains."""

    converted: ClassVar[Mapping[str, Expr]]
    """The numbers of a box in px, by side, for those sides that change."""

    def check(self, diagnoses: LazyFrame, set_wide_causes: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """The diagnosed manifests, with the edits of all boxes on the lines that the cause explains."""
        manifest = ["data_set", "manifest"]
        explained = set_wide_causes.filter(col("cause") == self.code).select("line_id").unique()
        known = boxes.filter(pl.all_horizontal(col(*RECTANGLE, "image_width", "image_height").is_not_null()))
        edits = [
            set_value(
                pointer(col("attribute"), "annotations", col("box"), side),
                json_number(number),
                manifest=col("manifest"),
                line=col("line"),
            )
            for side, number in self.converted.items()
        ]
        of_manifests = (
            known.join(explained, on="line_id", how="semi")
            .sort("box_id")
            .select(*manifest, edits=pl.concat_list(edits))
            .explode("edits", empty_as_null=False)
            .group_by(manifest, maintain_order=True)
            .agg("edits")
        )
        return self.of_rule(diagnoses).join(of_manifests, on=manifest, how="left")


class CoordinatesAsFractions(CoordinatesRule):
    """Box coordinates are fractions of the image instead of pixels.

    ## Why it matters
    A box of 0.2 x 0.3 px is too small for training: the service drops it.

    ## How to fix it
    Multiply left and width by the width of the image, top and height by its height. YOLO files have fractions, and the
    center of the box instead of its corner.
    """

    code = "BOX401"
    name = "coordinates-as-fractions"
    message = (
        "box coordinates are fractions of the image instead of pixels on {lines:,} of {count:# line}; multiply them by "
        "the image's width and height"
    )
    fixes = {Safety.UNSAFE: "Multiplies the numbers of boxes by the width and height of `image_size`."}
    examples = (
        Good(boxes=_SOUND),
        Good(boxes=[*_SOUND, {"line": 9, "left": 0.1, "top": 0.1, "width": 0.2, "height": 0.2}]),
        Bad(
            boxes=_FRACTIONS,
            says="box coordinates are fractions of the image instead of pixels on 8 of 8 lines; multiply them by "
            "the image's width and height",
        ),
    )

    converted = {side: col(side) * scale for side, scale in _SCALES.items()}


class CoordinatesAsPercentages(CoordinatesRule):
    """Box coordinates are percentages of the image instead of pixels.

    ## Why it matters
    All boxes are in the top left corner of their images, 100 x 100 px at most, where the objects are not.

    ## How to fix it
    Multiply left and width by the width of the image / 100, top and height by its height / 100. Label Studio exports
    percentages.

    ## How reliable it is
    It needs images of at least 250 px a side, and boxes that reach beyond 60 in both directions and differ in place, so
    that a logo in one corner of all images is not reported. It reports none of raccoon, bccd, coco128, animalpose,
    wider_occ and kitti_labels, nor of the eight public manifests.
    """

    code = "BOX402"
    name = "coordinates-as-percentages"
    message = (
        "box coordinates are percentages of the image instead of pixels on {lines:,} of {count:# line}; multiply them "
        "by the image's width and height / 100"
    )
    fixes = {Safety.UNSAFE: "Multiplies the numbers of boxes by the width and height of `image_size` / 100."}
    examples = (
        Good(boxes=_SOUND),
        Good(boxes=_IN_CORNER),
        Bad(
            boxes=_PERCENTAGES,
            says="box coordinates are percentages of the image instead of pixels on 8 of 8 lines; multiply them "
            "by the image's width and height / 100",
        ),
    )

    converted = {side: col(side) * scale / 100 for side, scale in _SCALES.items()}


class CornersAsSizes(CoordinatesRule):
    """The right and bottom edges of boxes are given as their width and height.

    ## Why it matters
    Boxes are far too large, and the service drops those that extend beyond the image.

    ## How to fix it
    Subtract left from width and top from height. Pascal VOC and many detectors give the corners of a box.

    ## How reliable it is
    On more than half of the lines (or on a tenth, if nearly all boxes fit) boxes extend beyond the image by more than
    2 px, and all their widths and heights are right and bottom edges within it. It reports none of raccoon, bccd,
    coco128, animalpose, wider_occ and kitti_labels, nor of the eight public manifests.
    """

    code = "BOX403"
    name = "corners-as-sizes"
    message = (
        "width and height of boxes are their right and bottom edges on {lines:,} of {count:# line}; "
        "subtract left and top"
    )
    fixes = {Safety.UNSAFE: "Subtracts left from width and top from height."}
    examples = (
        Good(boxes=_SOUND),
        Good(boxes=_OVER_THE_EDGE),
        Bad(
            boxes=_CORNERS,
            says="width and height of boxes are their right and bottom edges on 8 of 8 lines; subtract left and top",
        ),
    )

    converted = {"width": col("width") - col("left"), "height": col("height") - col("top")}


class CentersAsCorners(CoordinatesRule):
    """The center of boxes is given as their top left corner.

    ## Why it matters
    All boxes are too far right and down by half their size, and the service drops those that extend beyond the image.

    ## How to fix it
    Subtract half of the width from left and half of the height from top. YOLO files have the center of a box.

    ## How reliable it is
    On more than half of the lines (or on a tenth, if nearly all boxes fit) boxes extend beyond the right or bottom edge
    by more than 2 px, and all of them are within the image when left and top are read as their center. It reports none
    of raccoon, bccd, coco128, animalpose, wider_occ and kitti_labels, nor of the eight public manifests.
    """

    code = "BOX404"
    name = "centers-as-corners"
    message = (
        "left and top of boxes are their center on {lines:,} of {count:# line}; subtract half of the width and height"
    )
    fixes = {Safety.UNSAFE: "Subtracts half of the width from left and half of the height from top."}
    examples = (
        Good(boxes=_SOUND),
        Good(boxes=_OVER_THE_EDGE),
        Bad(
            boxes=_CENTERS,
            says="left and top of boxes are their center on 8 of 8 lines; subtract half of the width and height",
        ),
    )

    converted = {"left": col("left") - col("width") / 2, "top": col("top") - col("height") / 2}


class CopiedImageSize(DiagnosisRule):
    """Most lines declare the same `image_size`, although their images have other sizes.

    ## Why it matters
    Boxes are positions in an image of the declared size: on another image they are in the wrong place, and the service
    drops those that extend beyond the declared size.

    ## How to fix it
    Write the size of each image into its own line. The boxes are right if they were drawn on the images themselves.
    """

    code = "BOX405"
    name = "copied-image-size"
    message = (
        "`image_size` is {image_width} x {image_height} px on {lines:,} of {count:# line} whose images have other sizes"
        "; write the size of each image"
    )
    fixes = {Safety.UNSAFE: "Writes the size of the image file into the `image_size` of each line."}
    examples = (
        Good(images=[{"width": 640, "height": 480}], attributes=[{}]),
        Bad(
            images=[{"width": 800 + n, "height": 600} for n in range(4)],
            attributes=[{"line": n} for n in range(1, 5)],
            says="`image_size` is 640 x 480 px on 4 of 4 lines whose images have other sizes; "
            "write the size of each image",
        ),
    )

    def check(self, diagnoses: LazyFrame, copied_image_sizes: LazyFrame) -> LazyFrame:
        """The diagnosed manifests, with the size that most lines declare."""
        rows = with_values(self.of_rule(diagnoses), copied_image_sizes, "image_width", "image_height")
        return rows.join(_declaring(copied_image_sizes), on=["data_set", "manifest"], how="left")


def _declaring(sizes: LazyFrame) -> LazyFrame:
    """The edits, by manifest, that declare `width` and `height` as the `image_size` of attributes."""
    edits = [
        set_value(
            pointer(col("attribute"), "image_size", "0", side),
            json_number(col(side)),
            manifest=col("manifest"),
            line=col("line"),
        )
        for side in ("width", "height")
    ]
    return (
        sizes.sort("line", "attribute")
        .select("data_set", "manifest", edits=pl.concat_list(edits))
        .explode("edits", empty_as_null=False)
        .group_by("data_set", "manifest", maintain_order=True)
        .agg("edits")
    )
