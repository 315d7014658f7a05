"""EVA: what a trained model mistakes, and which images to look at."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Option, Rule, Severity
from groundlint_rules.samples import METRICS
from groundlint_rules.scoring import score_above

_LABEL = ("data_set", "label")

_MAX_IOU = 0.1
"""IoU with all boxes below which a prediction lies on none of them."""

_MIN_FOUND = 10
"""Right predictions that a label needs before their confidences say something."""

_MOST_RELATED = 6

_FALSE: dict[str, Any] = {
    "line": 1,
    "label": "cat",
    "confidence": 0.95,
    "left": 10.0,
    "top": 20.0,
    "width": 30.0,
    "height": 40.0,
}

_CONFUSED = [
    *({"line": n, "label": "cat", "other_label": "dog", "source_ref": f"s3://bucket/{n}.jpg"} for n in range(1, 5)),
    {"line": 9, "label": "dog", "other_label": "cat", "source_ref": "s3://bucket/9.jpg"},
]
_BOTH = [METRICS | {"objects": 20}, METRICS | {"label": "dog", "objects": 18}]
_TAKEN = ("cat", "dog", "dog", "dog")
_ODDS: dict[str, Any] = {
    "source_ref": "s3://bucket/1.jpg",
    "attribute": "animals",
    "box": None,
    "label": "cat",
    "suspicion": 0.9,
    "suggested_label": "dog",
    "attribute_id": 0,
    "flagged": False,
}


class ConfusedPredictions(Rule):
    """The model takes one label for another, in one direction or both.

    ## Why it matters
    The service's guide advises to look for wrong labels first, in training and test images, and then to add images
    that show the difference.

    ## How to fix it
    Look at the related images, in their order. First come those whose labels look wrong (`label_odds` suspects them
    and suggests the other label of the pair), then those that the model confused. Correct wrong labels. Then add
    training images of both labels that are like the confused ones.

    ## How reliable it is
    That the evaluated model confuses them is a fact; that wrong labels are the reason is not known. Of the images shown
    for a classifier of clothing, half have a wrong label where a tenth of all labels were made wrong. In trashnet as
    published, three pairs are reported, and all 19 labels of the images shown are right. Images like those shown raise
    F1 no more than as many random ones (benchmarks/advice_for_labels.py).
    """

    code = "EVA301"
    name = "labels-confused-by-the-model"
    severity = Severity.INFO
    images_are_optional = True
    message = (
        "{label!r} and {other_label!r} are confused: {there} of {objects:,} {label!r} are taken for {other_label!r}, "
        "{back} of {other_objects:,} the other way round; check the labels of the related images first, then add "
        "images like them"
    )
    examples = (
        Good(labels=[{}], confused_objects=_CONFUSED[:2], label_metrics=_BOTH, label_odds=[_ODDS]),
        Bad(
            labels=[{}],
            confused_objects=_CONFUSED,
            label_metrics=_BOTH,
            label_odds=[_ODDS],
            says="'cat' and 'dog' are confused: 4 of 20 'cat' are taken for 'dog', 1 of 18 the other way round; "
            "check the labels of the related images first, then add images like them",
        ),
        Bad(
            labels=[{"line": n} for n in range(1, 5)],
            predictions=[{"line": n, "label": label, "confidence": 0.9} for n, label in enumerate(_TAKEN, 1)],
            evaluated_images=[{"line": n} for n in range(1, 5)],
            says="'cat' and 'dog' are confused: 3 of 4 'cat' are taken for 'dog', 0 of 0 the other way round; check "
            "the labels of the related images first, then add images like them",
        ),
        Good(
            labels=[{}], confused_objects=_CONFUSED, label_metrics=_BOTH, label_odds=[_ODDS], options={"min_objects": 6}
        ),
        Bad(
            labels=[{}], confused_objects=_CONFUSED, label_metrics=_BOTH, label_odds=[_ODDS], options={"min_objects": 5}
        ),
        Good(labels=[{}], confused_objects=_CONFUSED, label_metrics=_BOTH, label_odds=[_ODDS], options={"share": 0.3}),
        Bad(labels=[{}], confused_objects=_CONFUSED, label_metrics=_BOTH, label_odds=[_ODDS], options={"share": 0.2}),
    )
    share: float = Option(0.1, gt=0, lt=1, description="Share of one of the labels that is taken for the other.")
    min_objects: int = Option(3, ge=1, description="Number of labels or boxes that are confused, in both directions.")

    def check(self, confused_pairs: LazyFrame) -> LazyFrame:
        """Pairs of labels that the model confuses, with the images to look at."""
        share = pl.max_horizontal(
            pl.when(col(whole) > 0).then(col(part) / col(whole))
            for part, whole in (("there", "objects"), ("back", "other_objects"))
        )
        enough = (share >= self.share) & (col("there") + col("back") >= self.min_objects)
        return confused_pairs.filter(enough).with_columns(related="shown", score=score_above(share, self.share))


class PredictionWithoutBox(Rule):
    """A trained model confidently finds an object where no box is.

    ## Why it matters
    If the model is right, a box is missing. The metrics then count a right prediction as a false positive, and in
    training data the model learns that the object is background.

    ## How to fix it
    Look at the place. Add the box if the object is there.

    ## How reliable it is
    Only predictions above the threshold of their label and the given confidence are reported, that share less than a
    tenth with any box (IoU). The boxes of a fifth of raccoon's images were removed, and a sliding-window detector was
    trained on the rest of these images (benchmarks/advice_for_boxes.py): 0.82 of the places reported are those of
    missing boxes, and after they were drawn the detector is as good as with all boxes. In raccoon (200 images) and
    animalpose (111 images) as published, nothing is reported. A detector that takes something else for the object with
    confidence is not distinguished from one that is right.
    """

    code = "EVA302"
    name = "prediction-without-box"
    severity = Severity.INFO
    message = (
        "the model finds {label!r} (confidence {confidence:.2f}) at left {left:.0f}, top {top:.0f}, width {width:.0f}, "
        "height {height:.0f} px, where no box is; add the missing box"
    )
    examples = (
        Good(boxes=[_FALSE], predictions=[_FALSE], evaluated_images=[{}]),
        Good(boxes=[_FALSE | {"left": 500.0}], predictions=[_FALSE | {"confidence": 0.5}], evaluated_images=[{}]),
        Bad(
            boxes=[_FALSE | {"left": 500.0}],
            predictions=[_FALSE, _FALSE | {"left": 500.0}],
            evaluated_images=[{}],
            says="the model finds 'cat' (confidence 0.95) at left 10, top 20, width 30, height 40 px, where no box is; "
            "add the missing box",
        ),
        Good(boxes=[], predictions=[_FALSE], evaluated_images=[{}], options={"min_confidence": 0.96}),
        Bad(
            boxes=[_FALSE | {"left": 500.0}],
            predictions=[_FALSE, _FALSE | {"left": 500.0}],
            evaluated_images=[{}],
            options={"min_confidence": 0.9},
        ),
    )
    min_confidence: float = Option(0.8, ge=0, le=1, description="Confidence from which a prediction is reported.")

    def check(self, matched_predictions: LazyFrame, label_metrics: LazyFrame) -> LazyFrame:
        """Confident predictions that share hardly any area with a box."""
        confident = matched_predictions.join(label_metrics.select(*_LABEL, "threshold"), on=_LABEL).filter(
            col("best_iou") < _MAX_IOU, col("confidence") >= pl.max_horizontal("threshold", lit(self.min_confidence))
        )
        # What is of a prediction is not a place in the manifest.
        return confident.drop("box_id").with_columns(score=col("confidence"))


_FOUND = [
    {"source_ref": f"s3://bucket/{n}.jpg", "label": "cat", "confidence": 0.25 + n / 50, "box_id": None}
    for n in range(1, 13)
]


class LowConfidences(Rule):
    """The right predictions of a label have low confidences.

    ## Why it matters
    The service's guide takes low confidences as a sign that the model should be trained again with more images. A
    program that calls the model without a threshold of its own misses such objects.

    ## How to fix it
    Add training images of the label that are like those with low confidences, and train again. Until then, use the
    assumed threshold when you call the model.

    ## How reliable it is
    The confidences are facts. Those of different models cannot be compared: a model that divides the probability among
    many labels gives lower ones. Only right predictions at or above the assumed threshold count, and labels with at
    least 10 of them.
    """

    code = "EVA305"
    name = "low-confidences"
    severity = Severity.INFO
    precision = FACT
    message = (
        "half of the {count:# right prediction} of {label!r} have a confidence of at most {confidence:.2f}; add images "
        "like the related ones, and train again"
    )
    examples = (
        Good(labels=[{}], label_metrics=[METRICS | {"threshold": 0.3}], evaluated_objects=_FOUND[:9]),
        # Predictions below the threshold do not count.
        Good(labels=[{}], label_metrics=[METRICS | {"threshold": 0.32}], evaluated_objects=_FOUND),
        Bad(
            labels=[{}],
            label_metrics=[METRICS | {"threshold": 0.1}],
            evaluated_objects=_FOUND,
            says="half of the 12 right predictions of 'cat' have a confidence of at most 0.38; add images like the "
            "related ones, and train again",
        ),
        Good(
            labels=[{}],
            label_metrics=[METRICS | {"threshold": 0.1}],
            evaluated_objects=_FOUND,
            options={"min_confidence": 0.37},
        ),
        Bad(
            labels=[{}],
            label_metrics=[METRICS | {"threshold": 0.1}],
            evaluated_objects=_FOUND,
            options={"min_confidence": 0.39},
        ),
    )
    min_confidence: float = Option(
        0.5, gt=0, le=1, description="Median confidence of the right predictions up to which a label is reported."
    )

    def check(self, evaluated_objects: LazyFrame, label_metrics: LazyFrame) -> LazyFrame:
        """Labels whose right predictions have a low median confidence, with the images of the lowest ones."""
        found = evaluated_objects.join(label_metrics.select(*_LABEL, "threshold"), on=_LABEL)
        found = found.filter(col("confidence") >= col("threshold")).sort("confidence", "source_ref")
        labels = found.group_by(_LABEL).agg(
            col("confidence").median(),
            count=pl.len(),
            related=col("source_ref").unique(maintain_order=True).head(_MOST_RELATED),
        )
        low = labels.filter(col("count") >= _MIN_FOUND, col("confidence") < self.min_confidence)
        return low.with_columns(score=1 - col("confidence"))


_GIVEN = {"label": "cat", "confidence": 0.004}
_SURE = {"label": "dog", "confidence": 0.95}


class RuledOutLabel(Rule):
    """The model gives the label of an image hardly any confidence, and is sure of another one.

    ## Why it matters
    A wrong label among the test images makes the metrics wrong. The prediction of another label counts as a false
    positive, although it is right.

    ## How to fix it
    Look at the image, and correct the label if it is wrong.

    ## How reliable it is
    Only image-level labels are judged: of a box that is not found, there is no prediction whose confidence would be
    near 0. The evaluation must have predictions of such low confidences. Labels that `mislabel-suspect` reports are
    left out. The limit was chosen on half 0 of cifar10n; it suits the probabilities of a model with one label an image.
    There, 17 labels of half 1 are reported for a classifier of the embeddings, of which 15 are wrong.
    """

    code = "EVA306"
    name = "label-ruled-out-by-the-model"
    severity = Severity.INFO
    images_are_optional = True
    message = (
        "the model gives {label!r} a confidence of {confidence:.3f}, but {other_label!r} {other:.2f}; check the label "
        "of the image"
    )
    examples = (
        Good(labels=[{}], evaluated_images=[{}], predictions=[_GIVEN], label_odds=[_ODDS]),
        Good(
            labels=[{}],
            evaluated_images=[{}],
            predictions=[_GIVEN | {"confidence": 0.05}, _SURE],
            label_odds=[_ODDS],
        ),
        # The image has both labels.
        Good(
            labels=[{}, {"label": "dog"}],
            evaluated_images=[{}],
            predictions=[_GIVEN, _SURE],
            label_odds=[_ODDS],
        ),
        Good(
            labels=[{}],
            evaluated_images=[{}],
            predictions=[_GIVEN, _SURE],
            label_odds=[_ODDS | {"flagged": True}],
        ),
        Bad(
            labels=[{}],
            evaluated_images=[{}],
            predictions=[_GIVEN, _SURE],
            label_odds=[_ODDS],
            says="the model gives 'cat' a confidence of 0.004, but 'dog' 0.95; check the label of the image",
        ),
        Good(
            labels=[{}],
            evaluated_images=[{}],
            predictions=[_GIVEN, _SURE],
            label_odds=[_ODDS],
            options={"max_confidence": 0.003},
        ),
        Bad(
            labels=[{}],
            evaluated_images=[{}],
            predictions=[_GIVEN, _SURE],
            label_odds=[_ODDS],
            options={"max_confidence": 0.005},
        ),
    )
    max_confidence: float = Option(
        0.02, ge=0, lt=1, description="Confidence of the given label up to which it is reported."
    )

    def check(
        self,
        evaluated_objects: LazyFrame,
        matched_predictions: LazyFrame,
        label_metrics: LazyFrame,
        label_odds: LazyFrame,
    ) -> LazyFrame:
        """Image-level labels with a confidence near 0, where another label is above its threshold."""
        given = evaluated_objects.filter(col("box_id").is_null(), col("confidence") <= self.max_confidence)
        thresholds = label_metrics.select(*_LABEL, "threshold")
        others = matched_predictions.join(thresholds, on=_LABEL).filter(
            ~col("is_true"), col("left").is_null(), col("confidence") >= col("threshold")
        )
        surest = others.sort(-col("confidence"), "label").unique("line_id", keep="first", maintain_order=True)
        reported = label_odds.filter("flagged").select("attribute_id", "label")
        return (
            given.join(surest.select("line_id", other="confidence", other_label="label"), on="line_id")
            .join(reported, on=["attribute_id", "label"], how="anti")
            .with_columns(score=1 - col("confidence"))
        )
