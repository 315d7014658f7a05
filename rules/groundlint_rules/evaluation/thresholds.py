"""EVA: thresholds of a trained model that pay."""

from __future__ import annotations

from typing import Any

from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint_rules.scoring import score_above

_LABEL = ("data_set", "label")

_PAYS = col("precision_gain") + col("recall_gain") > 0
"""What is gained is more than what is lost; else the thresholds are only listed in the report."""

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
    is clearly below its recall, if the interval of the gain excludes 0, and if precision gains more than recall loses.
    For 20 classifiers of the 10 labels of clothing, a higher threshold is advised 5 times, and a lower one 4 times
    (benchmarks/advice_for_labels.py). Of 30 thresholds planted where the precision is far below the recall, 23 are
    reported (benchmarks/planted_evaluations.py). Of the others, the four in clothing and trashnet were looked at: the
    threshold with the highest F0.5 would cost as much recall as it gains precision, or more.
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
        # It would cost more than it gives.
        Good(labels=[{}], threshold_trade_offs=[_TRADE_OFF, _RAISED | {"recall_gain": -0.3}]),
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
        advised = _advised(threshold_trade_offs, "precision").filter(col("precision_gain_low") > 0, _PAYS)
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
    the assumed threshold must be in the snapshot or table, else nothing is reported. Recall must gain more than
    precision loses. Of 30 thresholds planted where the recall is far below the precision, 24 are reported
    (benchmarks/planted_evaluations.py). Of the others, the three in trashnet were looked at: the threshold with the
    highest F2 would cost more precision than it gains recall.
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
        Good(labels=[{}], threshold_trade_offs=[_STRICT, _LOWERED | {"precision_gain": -0.45}]),
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
        advised = _advised(threshold_trade_offs, "recall").filter(col("recall_gain_low") > 0, _PAYS)
        gap = col("precision_assumed") - col("recall_assumed")
        return advised.filter(gap >= self.min_gap).with_columns(score=score_above(gap, self.min_gap))


def _advised(trade_offs: LazyFrame, point: str) -> LazyFrame:
    """The thresholds for precision or recall, beside the figures at the assumed ones."""
    assumed = trade_offs.filter(col("point") == "assumed")
    assumed = assumed.select(*_LABEL, "precision", "recall", assumed="threshold")
    return trade_offs.filter(col("point") == point).join(assumed, on=_LABEL, suffix="_assumed")
