"""EVA: advice from the evaluation of a trained model."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import FACT, Bad, Cost, Good, Option, Rule, Severity, Status
from groundlint_rules.scoring import score_above, score_below
from groundlint_rules.tables.evaluation_groups import MIN_IN_GROUP

_LABEL = ("data_set", "label")

_Z = 1.96
"""Standard deviations of a 95% interval."""

_MAX_IOU = 0.1
"""IoU with all boxes below which a prediction lies on none of them."""

MIN_SHARE = 0.2
"""Share of the images that the smaller of two groups needs: a few odd images do not make a label."""

_METRICS: dict[str, Any] = {
    "label": "cat",
    "objects": 13,
    "images": 13,
    "evaluated": 40,
    "threshold": 0.5,
    "true_positives": 8,
    "false_positives": 1,
    "false_negatives": 5,
    "precision": 8 / 9,
    "recall": 8 / 13,
    "f1": 16 / 22,
}
_SUMMARY = {"label": "cat", "threshold": 0.5, "images": 13, "precision": 0.889, "recall": 0.615, "f1": 0.727}

_TRADE_OFF: dict[str, Any] = {
    "label": "cat",
    "images": 40,
    "point": "assumed",
    "threshold": 0.5,
    "true_positives": 38,
    "false_positives": 20,
    "false_negatives": 2,
    "precision": 38 / 58,
    "recall": 0.95,
    "precision_gain": 0.0,
    "precision_gain_low": 0.0,
    "precision_gain_high": 0.0,
    "recall_gain": 0.0,
    "recall_gain_low": 0.0,
    "recall_gain_high": 0.0,
}
_RAISED = _TRADE_OFF | {
    "point": "precision",
    "threshold": 0.71,
    "true_positives": 36,
    "false_positives": 6,
    "false_negatives": 4,
    "precision": 36 / 42,
    "recall": 0.9,
    "precision_gain": 36 / 42 - 38 / 58,
    "precision_gain_low": 0.11,
    "precision_gain_high": 0.3,
    "recall_gain": -0.05,
    "recall_gain_low": -0.12,
    "recall_gain_high": 0.0,
}
_STRICT = _TRADE_OFF | {
    "true_positives": 20,
    "false_positives": 2,
    "false_negatives": 20,
    "precision": 20 / 22,
    "recall": 0.5,
}
_LOWERED = _STRICT | {
    "point": "recall",
    "threshold": 0.21,
    "true_positives": 36,
    "false_positives": 6,
    "false_negatives": 4,
    "precision": 36 / 42,
    "recall": 0.9,
    "precision_gain": 36 / 42 - 20 / 22,
    "precision_gain_low": -0.13,
    "precision_gain_high": 0.01,
    "recall_gain": 0.4,
    "recall_gain_low": 0.25,
    "recall_gain_high": 0.55,
}

_FALSE: dict[str, Any] = {
    "line": 1,
    "label": "cat",
    "confidence": 0.95,
    "left": 10.0,
    "top": 20.0,
    "width": 30.0,
    "height": 40.0,
}


class MetricsUnlikeSummary(Rule):
    """The metrics of a label, computed again, differ from those in the service's summary.

    Precision is TP / (TP + FP), recall is TP / (TP + FN), and F1 is their harmonic mean, all at the threshold that the
    summary gives. Predicted boxes are matched at an IoU of 0.5, the most confident ones first.

    ## Why it matters
    The summary, the snapshot and the manifests do not belong together, or labels were changed after the evaluation. All
    further advice rests on them.

    ## How to fix it
    Check that the files are of one evaluation, and that the test manifest is the one with which the model was tested.

    ## How reliable it is
    The difference is a fact. Small ones may come from a different way of matching boxes, which the service does not
    document.
    """

    code = "EVA101"
    name = "metrics-unlike-summary"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "metrics": "precision {precision:.2f}, recall {recall:.2f} and F1 {f1:.2f} of {label!r} differ from the "
        "summary ({precision_given:.2f}, {recall_given:.2f}, {f1_given:.2f}); check that the files are of one "
        "evaluation",
        "images": "{images:# evaluated image} of {label!r}, but the summary counts {images_given:,}; check that the "
        "files are of one evaluation",
    }
    examples = (
        Good(labels=[{}], label_metrics=[_METRICS], evaluated_labels=[_SUMMARY]),
        Good(labels=[{}], label_metrics=[_METRICS], evaluated_labels=[{"label": "cat", "threshold": 0.5}]),
        Bad(
            labels=[{}],
            label_metrics=[_METRICS],
            evaluated_labels=[_SUMMARY | {"recall": 0.7, "f1": 0.78}],
            says="precision 0.89, recall 0.62 and F1 0.73 of 'cat' differ from the summary (0.89, 0.70, 0.78); check "
            "that the files are of one evaluation",
        ),
        Bad(
            labels=[{}],
            label_metrics=[_METRICS],
            evaluated_labels=[_SUMMARY | {"images": 20}],
            says="13 evaluated images of 'cat', but the summary counts 20; check that the files are of one evaluation",
        ),
        Good(
            labels=[{}],
            label_metrics=[_METRICS],
            evaluated_labels=[_SUMMARY | {"recall": 0.63}],
            options={"max_difference": 0.03},
        ),
        Bad(
            labels=[{}],
            label_metrics=[_METRICS],
            evaluated_labels=[_SUMMARY | {"recall": 0.63}],
            options={"max_difference": 0.01},
        ),
    )
    max_difference: float = Option(0.02, ge=0, lt=1, description="Difference of a metric up to which it is accepted.")

    def check(self, label_metrics: LazyFrame, evaluated_labels: LazyFrame) -> LazyFrame:
        """Labels whose metrics or numbers of images are not those of the summary."""
        names = ("precision", "recall", "f1")
        given = evaluated_labels.select("label", "images", *names).unique("label")
        joined = label_metrics.join(given, on="label", suffix="_given").with_columns(
            # The service has no null: a label that is never predicted has a precision of 0.
            col(names).fill_null(0)
        )
        difference = pl.max_horizontal((col(name) - col(f"{name}_given")).abs() for name in names)
        differing = joined.filter(difference > self.max_difference).with_columns(
            col(f"{name}_given").fill_null(col(name)) for name in names
        )
        counted = joined.filter(col("images") != col("images_given"))
        of_metrics = differing.with_columns(kind=lit("metrics"), score=difference)
        return pl.concat([of_metrics, counted.with_columns(kind=lit("images"), score=lit(None, pl.Float64))])


class MetricsOfFewImages(Rule):
    """The metrics of a label rest on a handful of evaluated images.

    ## Why it matters
    With 8 of 10 images found, the recall may be anything from 0.49 to 0.94: a new training that changes it by 0.1 says
    nothing. The service also chooses the threshold of a label on these images.

    ## How to fix it
    Add test images of the label.

    ## How reliable it is
    The counts are facts. The interval is that of Wilson ("Probable inference, the law of succession, and statistical
    inference", JASA 1927) with 95%.
    """

    code = "EVA102"
    name = "metrics-of-few-images"
    severity = Severity.INFO
    precision = FACT
    message = (
        "the metrics of {label!r} rest on {images:# image}: a recall of {recall:.2f} may be {low:.2f} to {high:.2f}; "
        "add test images"
    )
    examples = (
        Good(labels=[{}], label_metrics=[_METRICS]),
        Bad(
            labels=[{}],
            label_metrics=[_METRICS | {"images": 5, "objects": 5, "true_positives": 4, "recall": 0.8}],
            says="the metrics of 'cat' rest on 5 images: a recall of 0.80 may be 0.38 to 0.96; add test images",
        ),
        Good(labels=[{}], label_metrics=[_METRICS], options={"min_images": 13}),
        Bad(labels=[{}], label_metrics=[_METRICS], options={"min_images": 14}),
    )
    min_images: int = Option(10, ge=1, description="Number of evaluated images that a label needs.")

    def check(self, label_metrics: LazyFrame) -> LazyFrame:
        """Labels with too few evaluated images."""
        few = label_metrics.filter(col("objects") > 0, col("images") < self.min_images)
        low, high = _wilson(col("true_positives"), col("objects"))
        return few.with_columns(low=low, high=high, score=score_below("images", self.min_images))


def _wilson(part: Expr, whole: Expr) -> tuple[Expr, Expr]:
    """The 95% interval of a share."""
    share, squared = part / whole, _Z**2
    middle = share + squared / (2 * whole)
    half = _Z * (share * (1 - share) / whole + squared / (4 * whole**2)).sqrt()
    scale = 1 + squared / whole
    return (middle - half) / scale, (middle + half) / scale


class ThresholdForPrecision(Rule):
    """A label has many false positives, and a higher threshold avoids most of them at a small price.

    ## Why it matters
    The service's guide advises to raise the threshold (`MinConfidence`) first, before images are added. The gain
    diminishes: beyond the threshold that is named here, a further step costs more recall than the precision is worth
    (F0.5, which counts precision twice as much as recall, falls again).

    ## How to fix it
    Use the threshold when you call the model (`MinConfidence` is in percent). The report lists what other thresholds
    would give.

    ## How reliable it is
    The figures are those of the evaluated images, and the threshold was chosen on them: on new images the gain is a
    little smaller. The intervals are 95% bootstrap intervals over images. A label is reported only if its precision
    is clearly below its recall, and if the interval of the gain excludes 0.
    """

    code = "EVA201"
    name = "threshold-too-low"
    severity = Severity.INFO
    message = (
        "precision {precision_assumed:.2f} of {label!r} at threshold {assumed:.2f}: at {threshold:.2f} it is "
        "{precision:.2f} ({precision_gain_low:+.2f} to {precision_gain_high:+.2f}) and recall {recall:.2f} "
        "({recall_gain_low:+.2f} to {recall_gain_high:+.2f}); raise the threshold"
    )
    examples = (
        Good(labels=[{}], threshold_trade_offs=[_TRADE_OFF]),
        Good(labels=[{}], threshold_trade_offs=[_TRADE_OFF, _RAISED | {"precision_gain_low": -0.01}]),
        Bad(
            labels=[{}],
            threshold_trade_offs=[_TRADE_OFF, _RAISED],
            says="precision 0.66 of 'cat' at threshold 0.50: at 0.71 it is 0.86 (+0.11 to +0.30) and recall 0.90 "
            "(-0.12 to +0.00); raise the threshold",
        ),
        Good(labels=[{}], threshold_trade_offs=[_TRADE_OFF, _RAISED], options={"min_gap": 0.3}),
        Bad(labels=[{}], threshold_trade_offs=[_TRADE_OFF, _RAISED], options={"min_gap": 0.2}),
    )
    min_gap: float = Option(
        0.1, ge=0, lt=1, description="How far the precision must be below the recall at the assumed threshold."
    )

    def check(self, threshold_trade_offs: LazyFrame) -> LazyFrame:
        """Labels with a precision far below their recall, and a threshold that raises it."""
        advised = _advised(threshold_trade_offs, "precision").filter(col("precision_gain_low") > 0)
        gap = col("recall_assumed") - col("precision_assumed")
        return advised.filter(gap >= self.min_gap).with_columns(score=score_above(gap, self.min_gap))


class ThresholdForRecall(Rule):
    """A label is often missed, and a lower threshold finds most of it at a small price.

    ## Why it matters
    The service's guide advises to lower the threshold first, before images are added. Below the threshold that is named
    here, a further step costs more precision than the recall is worth (F2, which counts recall twice as much as
    precision, falls again).

    ## How to fix it
    Use the threshold when you call the model (`MinConfidence` is in percent). The report lists what other thresholds
    would give.

    ## How reliable it is
    As for threshold-too-low: the figures are those of the images on which the threshold was chosen. Predictions below
    the assumed threshold must be in the snapshot or table, else nothing is reported.
    """

    code = "EVA202"
    name = "threshold-too-high"
    severity = Severity.INFO
    message = (
        "recall {recall_assumed:.2f} of {label!r} at threshold {assumed:.2f}: at {threshold:.2f} it is {recall:.2f} "
        "({recall_gain_low:+.2f} to {recall_gain_high:+.2f}) and precision {precision:.2f} "
        "({precision_gain_low:+.2f} to {precision_gain_high:+.2f}); lower the threshold"
    )
    examples = (
        Good(labels=[{}], threshold_trade_offs=[_STRICT]),
        Good(labels=[{}], threshold_trade_offs=[_STRICT, _LOWERED | {"recall_gain_low": -0.01}]),
        Bad(
            labels=[{}],
            threshold_trade_offs=[_STRICT, _LOWERED],
            says="recall 0.50 of 'cat' at threshold 0.50: at 0.21 it is 0.90 (+0.25 to +0.55) and precision 0.86 "
            "(-0.13 to +0.01); lower the threshold",
        ),
        Good(labels=[{}], threshold_trade_offs=[_STRICT, _LOWERED], options={"min_gap": 0.5}),
        Bad(labels=[{}], threshold_trade_offs=[_STRICT, _LOWERED], options={"min_gap": 0.4}),
    )
    min_gap: float = Option(
        0.1, ge=0, lt=1, description="How far the recall must be below the precision at the assumed threshold."
    )

    def check(self, threshold_trade_offs: LazyFrame) -> LazyFrame:
        """Labels with a recall far below their precision, and a threshold that raises it."""
        advised = _advised(threshold_trade_offs, "recall").filter(col("recall_gain_low") > 0)
        gap = col("precision_assumed") - col("recall_assumed")
        return advised.filter(gap >= self.min_gap).with_columns(score=score_above(gap, self.min_gap))


def _advised(trade_offs: LazyFrame, point: str) -> LazyFrame:
    """The thresholds for precision or recall, beside the figures at the assumed ones."""
    assumed = trade_offs.filter(col("point") == "assumed")
    assumed = assumed.select(*_LABEL, "precision", "recall", assumed="threshold")
    return trade_offs.filter(col("point") == point).join(assumed, on=_LABEL, suffix="_assumed")


_CONFUSED = [
    *({"line": n, "label": "cat", "other_label": "dog", "source_ref": f"s3://bucket/{n}.jpg"} for n in range(1, 5)),
    {"line": 9, "label": "dog", "other_label": "cat", "source_ref": "s3://bucket/9.jpg"},
]
_BOTH = [_METRICS | {"objects": 20}, _METRICS | {"label": "dog", "objects": 18}]
_TAKEN = ("cat", "dog", "dog", "dog")
_ODDS: dict[str, Any] = {
    "source_ref": "s3://bucket/1.jpg",
    "attribute": "animals",
    "box": None,
    "label": "cat",
    "suspicion": 0.9,
    "suggested_label": "dog",
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
    That the evaluated model confuses them is a fact; that wrong labels are the reason is not known.
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
    Precision has not been measured, so the rule is in preview. Only predictions above the threshold of their label and
    the given confidence are reported, that share less than a tenth with any box (IoU).
    """

    code = "EVA302"
    name = "prediction-without-box"
    status = Status.PREVIEW
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


_GROUPS: dict[str, Any] = {
    "label": "cat",
    "first": 30,
    "second": 12,
    "silhouette": 0.25,
    "shown": ["s3://bucket/1.jpg", "s3://bucket/2.jpg"],
}
_RARELY_FOUND = _METRICS | {"recall": 0.5}


class UnknownLabel(Rule):
    """False positives of a label look alike, and are none of the other labels.

    ## Why it matters
    They show something that has no label yet and that the model takes for this one. The service's guide advises to add
    a label for it, with these images.

    ## How to fix it
    Look at the related images: three that the model finds rightly, then three of the false positives. If these show one
    kind of thing, add a label for it, with more images of it.

    ## How reliable it is
    Only image-level labels are judged, with at least 5 false and 5 true positives; their embeddings are compared (mean
    silhouette of the false positives). 10 random images of one label were compared with all images of another one: in
    clothing (half 1), 66 of 90 such groups reach the limit, and 2 of 50 groups of 10 images of the same label; in
    trashnet (all images), 19 of 30 and 0 of 25 (benchmarks/label_groups.py). The limit was chosen on half 0 of
    clothing. False positives of a real model are more like the label than these, so fewer are found; that was not
    measured.
    """

    code = "EVA303"
    name = "unknown-label"
    status = Status.PREVIEW
    severity = Severity.INFO
    cost = Cost.SLOW
    message = (
        "{second:# false positive} of {label!r} look alike, and unlike its images (silhouette {silhouette:.2f}); add a "
        "label for what the related images show"
    )
    examples = (
        Good(labels=[{}], unknown_groups=[_GROUPS | {"silhouette": 0.09}]),
        Bad(
            labels=[{}],
            unknown_groups=[_GROUPS],
            says="12 false positives of 'cat' look alike, and unlike its images (silhouette 0.25); add a label for "
            "what the related images show",
        ),
        Good(labels=[{}], unknown_groups=[_GROUPS], options={"min_silhouette": 0.26}),
        Bad(labels=[{}], unknown_groups=[_GROUPS], options={"min_silhouette": 0.24}),
    )
    min_silhouette: float = Option(0.1, gt=0, lt=1, description="Mean silhouette from which a group is reported.")

    def check(self, unknown_groups: LazyFrame) -> LazyFrame:
        """Labels whose false positives are a group of their own."""
        return _distinct(unknown_groups, self.min_silhouette)


class MixedLabel(Rule):
    """The model often misses a label, and the images of the label fall into two groups.

    ## Why it matters
    A label that mixes things that look different is hard to learn. The service's guide advises to split it, such as
    "bad" into "burnt" and "broken".

    ## How to fix it
    Look at the related images: three of the larger group, then three of the other one. If they show two kinds of
    things, make two labels of them. If they differ in their surroundings only, add images that vary these.

    ## How reliable it is
    Only image-level labels with at least 10 images are judged, by 2-means over their embeddings. The limits were chosen
    on half 0 of clothing. In half 1, none of 10 labels has two groups; after two labels were merged, 16 of 45 have, and
    the groups are the two labels with an accuracy of 0.98. In trashnet (all images) it is none of 6 labels, and 4 of
    15 after merging, with 0.90 (benchmarks/label_groups.py). It is not known how often two groups are the reason for a
    low recall.
    """

    code = "EVA304"
    name = "label-of-two-kinds"
    status = Status.PREVIEW
    severity = Severity.INFO
    cost = Cost.SLOW
    message = (
        "recall {recall:.2f} of {label!r}, whose images fall into two groups ({first:,} and {second:,}, silhouette "
        "{silhouette:.2f}); consider two labels"
    )
    examples = (
        Good(label_metrics=[_METRICS | {"recall": 0.8}], labels=[{}], label_groups=[_GROUPS]),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS | {"silhouette": 0.19}]),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS | {"second": 7}]),
        Bad(
            label_metrics=[_RARELY_FOUND],
            labels=[{}],
            label_groups=[_GROUPS],
            says="recall 0.50 of 'cat', whose images fall into two groups (30 and 12, silhouette 0.25); consider two "
            "labels",
        ),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS], options={"max_recall": 0.49}),
        Bad(
            label_metrics=[_METRICS | {"recall": 0.8}],
            labels=[{}],
            label_groups=[_GROUPS],
            options={"max_recall": 0.8},
        ),
        Good(label_metrics=[_RARELY_FOUND], labels=[{}], label_groups=[_GROUPS], options={"min_silhouette": 0.26}),
        Bad(
            label_metrics=[_RARELY_FOUND],
            labels=[{}],
            label_groups=[_GROUPS | {"silhouette": 0.19}],
            options={"min_silhouette": 0.18},
        ),
    )
    max_recall: float = Option(0.7, gt=0, le=1, description="Recall up to which a label is reported.")
    min_silhouette: float = Option(0.2, gt=0, lt=1, description="Mean silhouette from which a label is reported.")

    def check(self, label_groups: LazyFrame, label_metrics: LazyFrame) -> LazyFrame:
        """Labels of low recall whose images are two groups."""
        missed = label_metrics.filter(col("recall") <= self.max_recall).select(*_LABEL, "recall")
        is_balanced = col("second") >= MIN_SHARE * (col("first") + col("second"))
        return _distinct(label_groups.filter(is_balanced), self.min_silhouette).join(missed, on=_LABEL)


def _distinct(groups: LazyFrame, min_silhouette: float) -> LazyFrame:
    """Groups that are far enough apart, of enough images, with the images to show."""
    apart = groups.filter(col("silhouette") >= min_silhouette, col("second") >= MIN_IN_GROUP)
    return apart.with_columns(related="shown", score=score_above("silhouette", min_silhouette))
