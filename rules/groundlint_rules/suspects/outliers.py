"""SUS: images that may not belong to the data set."""

from __future__ import annotations

from typing import Any

from polars import LazyFrame, col

from groundlint import Bad, Cost, Good, Option, Rule, Severity, Status

_FAR: dict[str, Any] = {"line_id": 0, "attribute_id": 0, "label": "cat", "distance": 0.4, "deviations": 3.5}


class ImageOutlier(Rule):
    """An image is unlike nearly all other images of the data set.

    ## Why it matters
    It may be there by mistake: a screenshot, another subject, a broken download. Or it is the only one of its kind, and
    the model does not learn the kind from a single image.

    ## How to fix it
    Look at the images from the top of the ranking. Remove what does not belong, and add more images like the others.

    ## How reliable it is
    It is a ranking to look through, of images with image-level labels. The distance of an image is compared with what
    is usual for its label, because some labels are more varied than others; all distances are exported as `outliers`.
    Unusual images do not stand out if there are dozens of them. It flags a cat's eye, black images and drawings in
    CIFAR-10N, and garments on strongly patterned carpets in clothing. When 15 images of another set are added to the
    793 images of clothing (half 1, not used for tuning), precision is 0.81 to 0.94 and recall 0.31 to 0.88, depending
    on the set.
    """

    code = "SUS106"
    name = "image-outlier"
    status = Status.PREVIEW
    severity = Severity.INFO
    cost = Cost.SLOW
    typical = "unlike the others of their label"
    message = (
        "unlike other images: {deviations:.1f} standard deviations farther from them than usual for {label!r}; "
        "check that it belongs here"
    )
    examples = (
        Good(labels=[{}], outliers=[_FAR | {"deviations": 3.4}]),
        Good(labels=[{}], outliers=[_FAR | {"deviations": None}]),
        Good(
            labels=[{}, {"attribute": "pets", "label": "dog"}],
            outliers=[_FAR, _FAR | {"attribute_id": 1, "label": "dog", "deviations": 1.0}],
        ),
        Bad(
            labels=[{}],
            outliers=[_FAR | {"deviations": 4.2}],
            says="unlike other images: 4.2 standard deviations farther from them than usual for 'cat'; "
            "check that it belongs here",
        ),
        Good(labels=[{}], outliers=[_FAR], options={"min_deviations": 3.6}),
        Bad(labels=[{}], outliers=[_FAR | {"deviations": 3.4}], options={"min_deviations": 3.3}),
    )
    min_deviations: float = Option(3.5, gt=0, description="Robust standard deviations from which an image is reported.")

    def check(self, outliers: LazyFrame) -> LazyFrame:
        """Images that are farther away than usual for each of their labels, with the label that fits best."""
        is_least = col("deviations") == col("deviations").min().over("line_id")
        far = outliers.filter(is_least).filter(col("deviations") >= self.min_deviations)
        return far.with_columns(score=1 - 1 / (1 + col("deviations")))
