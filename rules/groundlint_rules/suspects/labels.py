"""SUS: labels that are probably wrong."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import Bad, Cost, Good, Option, Rule, Severity, note
from groundlint_rules.samples import LABEL_ODDS
from groundlint_rules.scoring import score_above
from groundlint_rules.tables.label_odds import MIN_SIGNAL

_SORTED = [
    {"line": n, "source_ref": f"s3://bucket/{name}/{n}.jpg", "label": name}
    for n, name in enumerate(["cat", "dog"] * 20, 1)
]
_MISPLACED = [*_SORTED, {"line": 99, "source_ref": "s3://bucket/cat/99.jpg", "label": "dog"}]

_FLAGGED = LABEL_ODDS | {"flagged": True}


_ONE_OF_SEVERAL: dict[str, Any] = {
    "line_id": 0,
    "attribute_id": 0,
    "label": "cat",
    "suspicion": 0.9,
    "p_given": 0.002,
    "flagged": True,
    "signal": 0.95,
    "nearest": ["s3://bucket/2.jpg"],
}


class FolderLabelMismatch(Rule):
    """An image is in the folder of another label.

    ## Why it matters
    If the folders of a data set are named after its labels, and nearly all images have the label of their folder, an
    image that does not was put into the wrong folder or got the wrong label.

    ## How to fix it
    Look at the image. Correct the label, or move the image.

    ## How reliable it is
    On clothing, whose folders are named after its labels, it flags nothing as published, and it finds all planted wrong
    labels (recall 1.00; benchmarks/planted.py).
    """

    code = "SUS101"
    name = "folder-label-mismatch"
    severity = Severity.WARNING
    message = (
        "labeled {label!r} but in the folder {folder!r}: {agreeing:.0%} of images have the label of their folder; "
        "correct the label or move the image"
    )
    examples = (
        Good(labels=_SORTED),
        Good(labels=[row | {"label": "cat"} for row in _SORTED]),
        Bad(
            labels=_MISPLACED,
            says="labeled 'dog' but in the folder 'cat': 98% of images have the label of their folder; "
            "correct the label or move the image",
        ),
        Good(labels=_MISPLACED, options={"agreement": 0.98}),
        Bad(labels=_MISPLACED, options={"agreement": 0.97}),
        Good(labels=_MISPLACED, options={"min_images": 42}),
        Bad(labels=_MISPLACED, options={"min_images": 41}),
    )
    agreement: float = Option(
        0.8, gt=0.5, lt=1, description="Share of images that must have the label of their folder."
    )
    min_images: int = Option(
        20, ge=2, description="Number of images in folders named after labels that an attribute needs."
    )

    def check(self, labels: LazyFrame) -> LazyFrame:
        """Labels that differ from the folder of the image, where folders are named after labels."""
        known = labels.select("data_set", meant=col("label").str.to_lowercase()).unique()
        # An image with several labels is in the folder of one of them.
        single = labels.filter(pl.len().over("attribute_id") == 1)
        folder = col("source_ref").str.extract(r"([^/]+)/[^/]+$")
        in_folders = single.with_columns(folder=folder, meant=folder.str.to_lowercase())
        agrees = col("meant") == col("label").str.to_lowercase()
        attribute = ("data_set", "attribute")
        counted = in_folders.join(known, on=["data_set", "meant"], how="semi").with_columns(
            agreeing=agrees.mean().over(attribute),
            folders=col("meant").filter(agrees).n_unique().over(attribute),
            images=pl.len().over(attribute),
        )
        has_folders = (col("folders") > 1) & (col("images") >= self.min_images)
        misplaced = counted.filter(has_folders, col("agreeing") >= self.agreement, ~agrees)
        return misplaced.with_columns(score=score_above("agreeing", self.agreement))


class MislabelSuspect(Rule):
    """An image looks like those of another label.

    ## Why it matters
    Wrong labels cost more than missing images: the model is trained on them and tested by them. `related` names the
    nearest images with the suggested label.

    ## How to fix it
    Compare the image with the related ones, and correct the label if it is wrong.

    ## How reliable it is
    A shrinkage discriminant over what a small neural net sees in the images, and their nearest neighbors, judge each
    label without having seen the image or its duplicates. A label is flagged only if the calibrated probabilities and
    the nearest images agree, and only if labels exchanged as a check are found well enough (`signal`).

    All figures are for the half of the images on which nothing was tuned (benchmarks/mislabel.py). On errors that
    people made, in CIFAR-10N (9% wrong labels, images of 32 px), precision is 0.92 and recall 0.19; this precision
    ranks the findings. With 5% of the labels of clothing exchanged at random, precision is 0.97 and recall 0.60; with
    5% exchanged for similar labels, they are 0.94 and 0.43; with 5% of the true labels of CIFAR-10, they are 0.87 and
    0.52, and 0.90 and 0.33. Of clothing as published it flags 0.1% of the labels. The order of all labels is exported
    as `label_odds` (AUROC 0.99 and 0.97 on clothing, 0.93 on CIFAR-10N). It is less precise in small sets: in trashnet,
    171 images, precision is 0.70 and recall 0.32 after random, 0.66 and 0.14 after similar exchanges, because three odd
    images, such as a printed carton, are flagged in many draws. Only lines with one label in an attribute are judged,
    and labels with at least 12 images.
    """

    code = "SUS102"
    name = "mislabel-suspect"
    severity = Severity.WARNING
    cost = Cost.SLOW
    precision = 0.92
    message = "labeled {label!r} but looks like {suggested_label!r} (confidence {confidence:.2f})"
    examples = (
        Good(image_label_odds=[LABEL_ODDS]),
        Bad(image_label_odds=[_FLAGGED], says="labeled 'cat' but looks like 'dog' (confidence 0.97)"),
        Good(image_label_odds=[_FLAGGED], options={"max_p_given": 0.001}),
        Bad(image_label_odds=[_FLAGGED], options={"max_p_given": 0.003}),
    )
    max_p_given: float = Option(
        0.01,
        gt=0,
        le=0.01,
        description="Calibrated probability of the given label up to which it is flagged. By its own model, groundlint "
        "flags labels up to 0.005, or 0.01 of fewer than 150 labels.",
    )

    def check(self, image_label_odds: LazyFrame) -> LazyFrame:
        """Labels that the model, the nearest images and the self-check find wrong."""
        return _suspects(image_label_odds, self.max_p_given)


class ObjectMislabelSuspect(Rule):
    """The object in a box looks like those of another label.

    ## Why it matters
    A wrong label teaches the model two errors: that the object is one thing, and that it is not the other. `related`
    names the nearest boxes with the suggested label.

    ## How to fix it
    Compare the box with the related images, and correct the label if it is wrong.

    ## How reliable it is
    It compares what a small neural net sees in the boxes and an eighth of their size around them, in the same way as
    mislabel-suspect. It was measured on two sets only, blood cells of three kinds that are easy to distinguish and 134
    animals of five kinds, so it is advice.

    - After the labels of 54 boxes of bccd were swapped, precision is 0.95 and recall 0.90. In bccd as published
      it flags 3 of 4,888 boxes, and all three labels are wrong: a platelet labeled as a white cell, and two white cells
      labeled as platelets.
    - In animalpose as published it flags none of 134 boxes. With 5% of the labels exchanged at random, precision is
      0.97 and recall 0.36 over all boxes; with 5% exchanged for similar labels, they are 0.97 and 0.28.

    Boxes of at least 16 px are judged, of labels with at least 12 images; at most 20,000 boxes of a label and 200,000
    boxes in all.
    """

    code = "SUS105"
    name = "object-mislabel-suspect"
    severity = Severity.INFO
    cost = Cost.SLOW
    message = "box {box} labeled {label!r} but looks like {suggested_label!r} (confidence {confidence:.2f})"
    examples = (
        Good(box_label_odds=[LABEL_ODDS | {"box": 3}]),
        Bad(
            box_label_odds=[_FLAGGED | {"box": 3}],
            says="box 3 labeled 'cat' but looks like 'dog' (confidence 0.97)",
        ),
        Good(box_label_odds=[_FLAGGED | {"box": 3}], options={"max_p_given": 0.001}),
        Bad(box_label_odds=[_FLAGGED | {"box": 3}], options={"max_p_given": 0.003}),
    )
    max_p_given: float = Option(
        0.01,
        gt=0,
        le=0.01,
        description="Calibrated probability of the given label up to which it is flagged. By its own model, groundlint "
        "flags labels up to 0.005, or 0.01 of fewer than 150 labels.",
    )

    def check(self, box_label_odds: LazyFrame) -> LazyFrame:
        """Labels of boxes that the model, the nearest boxes and the self-check find wrong."""
        return _suspects(box_label_odds, self.max_p_given)


class MultiLabelMislabelSuspect(Rule):
    """An image has a label, among several, and looks like the images without it.

    ## Why it matters
    A label of something that the image does not show teaches the model whatever else is in the image. `related` names
    the nearest images without the label.

    ## How to fix it
    Compare the image with the related ones, and remove the label if it is wrong.

    ## How reliable it is
    Each label is judged against all images without it, in the same way as mislabel-suspect. No public set with several
    labels and known errors was available. Instead, the labels of clothing were judged as if an image could have
    several, and each was added to one image for every twenty that have it (benchmarks/mislabel.py, the half of the
    images on which nothing was tuned). On these planted errors precision is 0.88 and recall 0.42; of the set as
    published it flags 0.25% of the labels. The order of all labels is exported as `multi_label_odds` (AUROC 0.97).
    Missing labels are not looked for. Only the 100 most frequent labels are judged, and only if they have at least 12
    images.
    """

    code = "SUS107"
    name = "multi-label-mislabel-suspect"
    severity = Severity.INFO
    cost = Cost.SLOW
    message = "labeled {label!r} but looks like images without this label (confidence {confidence:.3f})"
    examples = (
        Good(labels=[{}], multi_label_odds=[_ONE_OF_SEVERAL | {"flagged": False}]),
        Bad(
            labels=[{}],
            multi_label_odds=[_ONE_OF_SEVERAL],
            says="labeled 'cat' but looks like images without this label (confidence 0.998)",
        ),
        Good(labels=[{}], multi_label_odds=[_ONE_OF_SEVERAL], options={"max_p_given": 0.001}),
        Bad(labels=[{}], multi_label_odds=[_ONE_OF_SEVERAL], options={"max_p_given": 0.003}),
    )
    max_p_given: float = Option(
        0.005, gt=0, le=0.005, description="Calibrated probability of the label up to which it is flagged."
    )

    def check(self, multi_label_odds: LazyFrame) -> LazyFrame:
        """Labels among several that the model, the nearest images and the self-check find wrong."""
        odds = multi_label_odds.with_columns(p_suggested=1 - col("p_given"))
        # The message shows three digits, because all of these confidences are above 0.99.
        return _suspects(odds, self.max_p_given, most=0.999)


_NO_SIGNAL = (
    "{count:# label} of `{attribute}` not checked for errors: labels exchanged as a check are not found reliably "
    "(AUROC {signal:.2f}, at least {needed:.2f} is needed)"
)


@note(rules=("mislabel-suspect", "confused-labels"), message=_NO_SIGNAL)
def no_label_signal(image_label_odds: LazyFrame) -> LazyFrame:
    """The number of labels of images that the features cannot distinguish, by attribute."""
    return _without_signal(image_label_odds)


@note(rules=("object-mislabel-suspect", "confused-labels"), message=_NO_SIGNAL)
def no_object_label_signal(box_label_odds: LazyFrame) -> LazyFrame:
    """The number of labels of boxes that the features cannot distinguish, by attribute."""
    return _without_signal(box_label_odds)


@note(rules=("multi-label-mislabel-suspect",), message=_NO_SIGNAL)
def no_multi_label_signal(multi_label_odds: LazyFrame, attributes: LazyFrame) -> LazyFrame:
    """The number of labels among several that the features cannot distinguish, by attribute."""
    places = attributes.select("attribute_id", "manifest", "attribute")
    return _without_signal(multi_label_odds.join(places, on="attribute_id"))


def _without_signal(odds: LazyFrame) -> LazyFrame:
    """The number of labels of each attribute of a manifest that were not judged, because the self-check failed."""
    attribute = ["data_set", "manifest", "attribute"]
    failed = odds.filter(col("signal") < MIN_SIGNAL).group_by(attribute)
    return failed.agg(count=pl.len(), signal=col("signal").max(), needed=lit(MIN_SIGNAL)).sort(attribute)


def _suspects(odds: LazyFrame, max_p_given: float, most: float = 0.99) -> LazyFrame:
    """Labels that are flagged and whose probability is at most `max_p_given`, with their score and confidence.

    The confidence is at most `most`, so that its rounded value is not 1.
    """
    flagged = odds.filter(col("flagged"), col("p_given") <= max_p_given)
    confidence = col("p_suggested").clip(upper_bound=most)
    return flagged.with_columns(score="suspicion", related="nearest", confidence=confidence)
