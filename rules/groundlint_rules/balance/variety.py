"""BAL: how much the images of a label differ from each other."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.scoring import score_above, score_below

_COPIES = [{"digest": f"{max(n, 6)}"} for n in range(20)]
_LABELS = [{"line": n} for n in range(1, 21)]
_ALIKE = {"label": "cat", "images": 60, "duplicated": 12, "compared": 60, "different": 3}


class LabelLowVariety(Rule):
    """The images of a label show only a few different things, or many of them are duplicates.

    ## Why it matters
    The label has fewer different images than its count suggests. The service's guide asks for images that vary the
    object and its surroundings: a model that was trained on variations of three photographs recognizes these three.

    ## How to fix it
    Add images with other objects, backgrounds and lighting. Copies that were made by shifting, cropping or brightening
    belong into the training program, not into the data set.

    ## How reliable it is
    Up to 100 images of a label are compared by the embeddings of a small neural net, less their mean over the data set.
    Images are alike from a cosine of 0.7, and images connected by pairs that are alike form a group; a group counts as
    one different image. Where no image was embedded, as with `--fast`, only duplicates count; they are as reliable as
    DUP101 and DUP102.

    It reports no label of raccoon, bccd, clothing, cifar10n, wider_occ, trashnet, imagenet_sample, coco128 and
    animalpose: of the compared images of their labels, 88% and more differ. It reports all 12 labels of flowers12_aug,
    which was made of shifted and flipped copies: in the 50 to 145 images of a label, made of 11 to 19 photographs, it
    finds 7 to 16 different ones.
    """

    code = "BAL108"
    name = "label-low-variety"
    severity = Severity.INFO
    messages = {
        "alike": "only {different} of {compared:# compared image} of {label!r} differ clearly from each other; "
        "add images with other objects, backgrounds and lighting",
        "duplicates": "{duplicated} of {images:# image} of {label!r} are duplicates of others; add different images",
    }
    examples = (
        Good(labels=[{}], label_variety=[_ALIKE | {"different": 55}]),
        Bad(
            labels=[{}],
            label_variety=[_ALIKE],
            says="only 3 of 60 compared images of 'cat' differ clearly from each other; "
            "add images with other objects, backgrounds and lighting",
        ),
        Good(labels=_LABELS[:19], images=_COPIES[:19]),
        Bad(
            labels=_LABELS,
            images=_COPIES,
            says="6 of 20 images of 'cat' are duplicates of others; add different images",
        ),
        Good(labels=_LABELS, images=_COPIES, options={"min_duplicates": 0.31}),
        Bad(labels=_LABELS, images=_COPIES, options={"min_duplicates": 0.29}),
        Good(labels=[{}], label_variety=[_ALIKE], options={"max_different": 0.04}),
        Bad(labels=[{}], label_variety=[_ALIKE | {"different": 40}], options={"max_different": 0.7}),
        Good(labels=[{}], label_variety=[_ALIKE], options={"min_images": 61}),
        Bad(labels=_LABELS[:10], images=_COPIES[:10], options={"min_images": 10}),
    )
    max_different: float = Option(
        0.5, gt=0, lt=1, description="Share of different images up to which a label is reported."
    )
    min_duplicates: float = Option(0.3, gt=0, le=1, description="Share of duplicates from which a label is reported.")
    min_images: int = Option(20, ge=2, description="Number of images that a label needs.")

    def check(self, label_variety: LazyFrame) -> LazyFrame:
        """Labels with few different images, or else with many duplicates."""
        different, duplicated = col("different") / col("compared"), col("duplicated") / col("images")
        is_alike = (col("compared") >= self.min_images) & (different <= self.max_different)
        known = label_variety.filter(col("images") >= self.min_images).with_columns(is_alike=is_alike.fill_null(False))
        return known.filter(col("is_alike") | (duplicated >= self.min_duplicates)).with_columns(
            kind=pl.when("is_alike").then(lit("alike")).otherwise(lit("duplicates")),
            score=pl.when("is_alike")
            .then(score_below(different, self.max_different))
            .otherwise(score_above(duplicated, self.min_duplicates)),
        )
