"""EVA: metrics of a trained model."""

from __future__ import annotations

from typing import Any

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import FACT, Bad, Good, Option, Rule, Severity
from groundlint_rules.samples import METRICS
from groundlint_rules.scoring import score_below

_LABEL = ("data_set", "label")

_Z = 1.96
"""Standard deviations of a 95% interval."""

_OF_SUMMARIES = ("data_set", "summary")

_FIGURES = ("precision", "recall", "f1")

_SUMMARY = {"label": "cat", "threshold": 0.5, "images": 13, "precision": 0.889, "recall": 0.615, "f1": 0.727}

_TWO = [
    METRICS,
    METRICS
    | {"label": "dog", "objects": 5, "true_positives": 5, "false_positives": 0, "precision": 1.0, "recall": 1.0},
]
_TWO[1] |= {"images": 5, "false_negatives": 0, "f1": 1.0}
_OF_SUMMARY: list[dict[str, Any]] = [{"label": label, "summary": "summary.json"} for label in ("cat", "dog")]
_FIGURE: dict[str, Any] = {"summary": "summary.json", "figure": "precision", "value": 0.94}
_CELL: dict[str, Any] = _FIGURE | {"figure": "confusion", "label": "cat", "other_label": "dog", "value": 2 / 13}
_TAKEN = [{"line": n, "label": "cat", "other_label": "dog"} for n in (1, 2)]


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
        Good(labels=[{}], label_metrics=[METRICS], evaluated_labels=[_SUMMARY]),
        Good(labels=[{}], label_metrics=[METRICS], evaluated_labels=[{"label": "cat", "threshold": 0.5}]),
        Bad(
            labels=[{}],
            label_metrics=[METRICS],
            evaluated_labels=[_SUMMARY | {"recall": 0.7, "f1": 0.78}],
            says="precision 0.89, recall 0.62 and F1 0.73 of 'cat' differ from the summary (0.89, 0.70, 0.78); check "
            "that the files are of one evaluation",
        ),
        Bad(
            labels=[{}],
            label_metrics=[METRICS],
            evaluated_labels=[_SUMMARY | {"images": 20}],
            says="13 evaluated images of 'cat', but the summary counts 20; check that the files are of one evaluation",
        ),
        Good(
            labels=[{}],
            label_metrics=[METRICS],
            evaluated_labels=[_SUMMARY | {"recall": 0.63}],
            options={"max_difference": 0.03},
        ),
        Bad(
            labels=[{}],
            label_metrics=[METRICS],
            evaluated_labels=[_SUMMARY | {"recall": 0.63}],
            options={"max_difference": 0.01},
        ),
    )
    max_difference: float = Option(0.02, ge=0, lt=1, description="Difference of a metric up to which it is accepted.")

    def check(self, label_metrics: LazyFrame, evaluated_labels: LazyFrame) -> LazyFrame:
        """Labels whose metrics or numbers of images are not those of the summary."""
        joined = _beside_summary(label_metrics, evaluated_labels)
        differing = joined.filter(col("difference") > self.max_difference).with_columns(
            col(f"{name}_given").fill_null(col(name)) for name in _FIGURES
        )
        counted = joined.filter(col("images") != col("images_given"))
        of_metrics = differing.with_columns(kind=lit("metrics"), score=col("difference"))
        return pl.concat([of_metrics, counted.with_columns(kind=lit("images"), score=lit(None, pl.Float64))])


def _beside_summary(label_metrics: LazyFrame, evaluated_labels: LazyFrame) -> LazyFrame:
    """The metrics of labels beside those of their summary, and the largest difference."""
    given = evaluated_labels.select("label", "images", "summary", *_FIGURES).unique("label")
    joined = label_metrics.join(given, on="label", suffix="_given").with_columns(
        # The service has no null: a label that is never predicted has a precision of 0.
        col(_FIGURES).fill_null(0)
    )
    differences = ((col(name) - col(f"{name}_given")).abs() for name in _FIGURES)
    return joined.with_columns(difference=pl.max_horizontal(differences))


class AggregatesUnlikeSummary(Rule):
    """The metrics of all labels, or cells of the confusion matrix, computed again, differ from the service's summary.

    ## Why it matters
    The metrics of each label agree, so the summary was probably edited, or put together from several ones. Comparisons
    of two versions of a model rest on the metrics of all labels, and the advice on confused labels rests on the matrix.

    ## How to fix it
    Get the summary of the evaluation again.

    ## How reliable it is
    The service does not document how it averages: a metric is accepted if it is near the mean over the labels or near
    the share of all predictions. A cell of the matrix is taken for the share of the images of a label that are missed
    and taken for another one. Cells that the summary leaves out, and those of a label with itself, are not compared.
    Where the metrics of a label differ, only `metrics-unlike-summary` is reported.
    """

    code = "EVA103"
    name = "aggregates-unlike-summary"
    severity = Severity.INFO
    precision = FACT
    messages = {
        "metric": "the summary gives {given:.2f} as {figure} of all labels, but the mean over the labels is {mean:.2f} "
        "and over all predictions it is {total:.2f}; get the summary again",
        "confusion": "the summary gives {given:.2f} as the share of {label!r} that is taken for {other_label!r}, but "
        "it is {found:.2f}, and {count:# cell} of its confusion matrix {differ}; get the summary again",
    }
    examples = (
        Good(labels=[{}], label_metrics=_TWO, evaluated_labels=_OF_SUMMARY, summary_figures=[_FIGURE]),
        # The mean over the labels, and the share of all predictions.
        Good(
            labels=[{}],
            label_metrics=_TWO,
            evaluated_labels=_OF_SUMMARY,
            summary_figures=[_FIGURE | {"figure": "recall", "value": 13 / 18}],
        ),
        Bad(
            labels=[{}],
            label_metrics=_TWO,
            evaluated_labels=_OF_SUMMARY,
            summary_figures=[_FIGURE | {"value": 0.75}],
            says="the summary gives 0.75 as precision of all labels, but the mean over the labels is 0.94 and over all "
            "predictions it is 0.93; get the summary again",
        ),
        # The metrics of a label differ already.
        Good(
            labels=[{}],
            label_metrics=_TWO,
            evaluated_labels=[_OF_SUMMARY[0] | {"recall": 0.8}, _OF_SUMMARY[1]],
            summary_figures=[_FIGURE | {"value": 0.75}],
        ),
        Good(
            labels=[{}],
            label_metrics=_TWO,
            evaluated_labels=_OF_SUMMARY,
            confused_objects=_TAKEN,
            summary_figures=[_CELL],
        ),
        Bad(
            labels=[{}],
            label_metrics=_TWO,
            evaluated_labels=_OF_SUMMARY,
            confused_objects=_TAKEN,
            summary_figures=[_CELL | {"value": 0.45}],
            says="the summary gives 0.45 as the share of 'cat' that is taken for 'dog', but it is 0.15, and 1 cell of "
            "its confusion matrix differs; get the summary again",
        ),
        Good(
            labels=[{}],
            label_metrics=_TWO,
            evaluated_labels=_OF_SUMMARY,
            summary_figures=[_FIGURE | {"value": 0.9}],
            options={"max_difference": 0.05},
        ),
        Bad(
            labels=[{}],
            label_metrics=_TWO,
            evaluated_labels=_OF_SUMMARY,
            summary_figures=[_FIGURE | {"value": 0.9}],
            options={"max_difference": 0.02},
        ),
    )
    max_difference: float = Option(0.02, ge=0, lt=1, description="Difference of a figure up to which it is accepted.")

    def check(
        self,
        label_metrics: LazyFrame,
        evaluated_labels: LazyFrame,
        summary_figures: LazyFrame,
        confused_objects: LazyFrame,
    ) -> LazyFrame:
        """The figure of each summary that differs most, of the metrics and of the matrix."""
        labels = _beside_summary(label_metrics, evaluated_labels).filter(col("summary").is_not_null())
        named = evaluated_labels.group_by("summary").agg(named=pl.len())
        sums = {name: col(name).sum() for name in ("true_positives", "false_positives", "objects")}
        sound = (
            labels.group_by(_OF_SUMMARIES)
            .agg(col(_FIGURES).mean(), *sums.values(), labels=pl.len(), worst=col("difference").max().fill_null(0))
            .join(named, on="summary")
            # All labels of the summary are in this data set.
            .filter(col("labels") == col("named"), col("worst") <= self.max_difference)
        )
        return pl.concat(
            [self._metrics(sound, summary_figures), self._cells(sound, summary_figures, labels, confused_objects)],
            how="diagonal",
        )

    def _metrics(self, sound: LazyFrame, summary_figures: LazyFrame) -> LazyFrame:
        predicted = col("true_positives") + col("false_positives")
        totals = {
            "precision": col("true_positives") / predicted,
            "recall": col("true_positives") / col("objects"),
            "f1": 2 * col("true_positives") / (predicted + col("objects")),
        }
        found = [
            sound.select(*_OF_SUMMARIES, figure=lit(name), mean=col(name), total=total.fill_nan(0))
            for name, total in totals.items()
        ]
        joined = summary_figures.rename({"value": "given"}).drop("label", "other_label")
        joined = joined.join(pl.concat(found), on=["summary", "figure"])
        difference = pl.min_horizontal((col("given") - col(name)).abs() for name in ("mean", "total"))
        return self._largest(joined.with_columns(difference=difference)).with_columns(kind=lit("metric"))

    def _cells(
        self, sound: LazyFrame, summary_figures: LazyFrame, labels: LazyFrame, confused_objects: LazyFrame
    ) -> LazyFrame:
        cells = summary_figures.filter(col("figure") == "confusion", col("label") != col("other_label"))
        counts = confused_objects.group_by(*_LABEL, "other_label").agg(taken=pl.len())
        joined = (
            cells.rename({"value": "given"})
            .join(labels.filter(col("objects") > 0).select(*_OF_SUMMARIES, "label", "objects"), on=["summary", "label"])
            .join(sound.select(_OF_SUMMARIES), on=_OF_SUMMARIES, how="semi")
            .join(counts, on=[*_LABEL, "other_label"], how="left")
            .with_columns(found=col("taken").fill_null(0) / col("objects"))
        )
        return self._largest(joined.with_columns(difference=(col("given") - col("found")).abs())).with_columns(
            kind=lit("confusion"), differ=pl.when(col("count") == 1).then(lit("differs")).otherwise(lit("differ"))
        )

    def _largest(self, figures: LazyFrame) -> LazyFrame:
        """The figure of each summary that differs most, and the number of those that differ."""
        differing = figures.filter(col("difference") > self.max_difference)
        differing = differing.with_columns(count=pl.len().over(_OF_SUMMARIES), score=col("difference"))
        order = [name for name in ("figure", "label", "other_label") if name in figures.collect_schema().names()]
        return differing.sort(-col("difference"), *order).unique(_OF_SUMMARIES, keep="first", maintain_order=True)


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
        Good(labels=[{}], label_metrics=[METRICS]),
        Bad(
            labels=[{}],
            label_metrics=[METRICS | {"images": 5, "objects": 5, "true_positives": 4, "recall": 0.8}],
            says="the metrics of 'cat' rest on 5 images: a recall of 0.80 may be 0.38 to 0.96; add test images",
        ),
        Good(labels=[{}], label_metrics=[METRICS], options={"min_images": 13}),
        Bad(labels=[{}], label_metrics=[METRICS], options={"min_images": 14}),
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
