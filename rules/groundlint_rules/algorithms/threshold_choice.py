"""Thresholds for the confidence of a label: what each gives, and up to where raising or lowering it pays.

It pays as long as F-beta rises (van Rijsbergen, "Information retrieval", 1979): F0.5 counts precision twice as much as
recall, F2 recall twice as much as precision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from groundlint_rules.algorithms.bootstrap import interval, resampled_sums

_STEPS = np.arange(1, 10) / 10

_FOR_PRECISION, _FOR_RECALL = 0.5, 2.0


class Predictions(NamedTuple):
    """The predictions of a label: confidence, whether it is true, and the number of the image, each (predictions,)."""

    confidence: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    image: NDArray[np.intp]


class TradeOff(NamedTuple):
    """What one threshold gives; each interval has a lower and an upper limit. Values are NaN where not defined."""

    point: str
    threshold: float
    true_positives: int
    false_positives: int
    precision: float
    recall: float
    intervals: dict[str, tuple[float, float]]
    precision_gain: float
    recall_gain: float


def trade_offs(predictions: Predictions, objects: NDArray[np.intp], images: int, assumed: float) -> list[TradeOff]:
    """What the assumed threshold, those for precision and for recall, and steps of 0.1 give.

    Args:
        predictions: The predictions of the label.
        objects: (images with a prediction or an object,) number of objects of the label that should be found.
        images: Number of evaluated images.
        assumed: The threshold in force.

    Returns:
        The thresholds in ascending order.
    """
    points = dict.fromkeys(_STEPS.tolist(), "step")
    # The service takes thresholds in percent.
    grid = np.arange(1, 100) / 100
    for point, thresholds, beta in (
        # Of equal ones, that nearest to the assumed threshold is chosen.
        ("precision", grid[grid > assumed], _FOR_PRECISION),
        ("recall", grid[grid < assumed][::-1], _FOR_RECALL),
    ):
        scores = [_f_beta(predictions, objects.sum(), threshold, beta) for threshold in thresholds]
        if scores and max(scores) > _f_beta(predictions, objects.sum(), assumed, beta):
            points[float(thresholds[int(np.argmax(scores))])] = point
    points[assumed] = "assumed"
    thresholds = np.array(sorted(points))
    counts = np.stack([_counts(predictions, len(objects), threshold) for threshold in thresholds], axis=1)
    flat = np.concatenate([counts.reshape(len(objects), -1), objects[:, None]], axis=1)
    place = int(np.flatnonzero(thresholds == assumed)[0])
    figures = _figures(flat.sum(axis=0, keepdims=True), place)
    limits = {name: interval(values) for name, values in _figures(resampled_sums(flat, images), place).items()}
    found = counts.sum(axis=0)
    return [
        TradeOff(
            points[threshold],
            threshold,
            int(found[n, 0]),
            int(found[n, 1] - found[n, 0]),
            float(figures["precision"][0, n]),
            float(figures["recall"][0, n]),
            {name: (float(low[n]), float(high[n])) for name, (low, high) in limits.items()},
            float(figures["precision_gain"][0, n]),
            float(figures["recall_gain"][0, n]),
        )
        for n, threshold in enumerate(thresholds.tolist())
    ]


def _f_beta(predictions: Predictions, objects: int, threshold: float, beta: float) -> float:
    is_positive = predictions.confidence >= threshold
    true = int((is_positive & predictions.is_true).sum())
    # The denominator is (1 + beta²) true + beta² missed + false.
    whole = beta**2 * objects + int(is_positive.sum())
    return (1 + beta**2) * true / whole if whole else 0.0


def _counts(predictions: Predictions, images: int, threshold: float) -> NDArray[np.float64]:
    """True and all positive predictions of each image, (images, 2)."""
    is_positive = predictions.confidence >= threshold
    of_image = predictions.image[is_positive]
    true = np.bincount(of_image, predictions.is_true[is_positive], images)
    return np.stack([true, np.bincount(of_image, minlength=images)], axis=1)


def _figures(sums: NDArray[np.float64], assumed: int) -> dict[str, NDArray[np.float64]]:
    """Precision, recall, and their gains over the threshold at place `assumed`, each (draws, thresholds).

    `sums` are true and all positive predictions of each threshold, then the number of objects: (draws, columns).
    """
    true, positive, objects = sums[:, :-1:2], sums[:, 1:-1:2], sums[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = true / positive, true / objects
    return {
        "precision": precision,
        "recall": recall,
        "precision_gain": precision - precision[:, [assumed]],
        "recall_gain": recall - recall[:, [assumed]],
    }
