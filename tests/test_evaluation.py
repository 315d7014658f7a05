"""Metrics and thresholds of an evaluated model, by hand and as laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import REGISTRY

from groundlint.engine.evaluate import Workspace, collected
from groundlint.engine.examples import Example
from groundlint.testing import example_tables
from groundlint_rules.algorithms.bootstrap import interval, resampled_sums
from groundlint_rules.algorithms.greedy_matching import greedy_matches


def table(name: str, **rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A derived table of evaluated images, of which `predictions`, `labels` and `boxes` are given."""
    lines = {row["line"] for part in ("predictions", "labels", "boxes") for row in rows.get(part, [])}
    images = [{"line": line} for line in sorted(lines)]
    tables = example_tables(REGISTRY, Example(**{"evaluated_images": images, **rows}))
    plan = REGISTRY.graph.plan((), tables=[name])
    return collected(Workspace(plan, tables).table(name))


def box(line: int, left: float, label: str = "cat", **others: Any) -> dict[str, Any]:
    return {"line": line, "label": label, "left": left, "top": 0.0, "width": 100.0, "height": 100.0, **others}


def image(line: int, label: str = "cat", **others: Any) -> dict[str, Any]:
    return {"line": line, "label": label, **others}


def metrics(**rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    columns = ("true_positives", "false_positives", "false_negatives", "precision", "recall", "f1", "threshold")
    return {row[0]: row[1:] for row in table("label_metrics", **rows).select("label", *columns).iter_rows()}


def test_metrics_of_image_labels_are_those_of_the_guide() -> None:
    # 8 of 9 predictions are right, and 8 of 13 images are found: 8/9 = 0.89, 8/13 = 0.62.
    labels = [image(n) for n in range(1, 14)] + [image(14, "dog")]
    predictions = [image(n, confidence=0.9) for n in (*range(1, 9), 14)] + [image(13, confidence=0.4)]
    found = metrics(labels=labels, predictions=predictions, evaluated_labels=[{"label": "cat", "threshold": 0.5}])
    assert found["cat"] == (8, 1, 5, 8 / 9, 8 / 13, 16 / 22, 0.5)
    assert found["dog"] == (0, 0, 1, None, 0.0, 0.0, None)


def test_without_a_given_threshold_it_is_that_of_the_highest_f1() -> None:
    labels = [image(1), image(2), image(3), image(4, "dog"), image(5, "dog")]
    confidences = {1: 0.9, 2: 0.8, 4: 0.7, 3: 0.6, 5: 0.5}
    found = metrics(labels=labels, predictions=[image(n, confidence=c) for n, c in confidences.items()])
    # F1 is 2/4, 4/5, 4/6, 6/7 and 6/8.
    assert found["cat"] == (3, 1, 0, 0.75, 1.0, 6 / 7, 0.6)


def test_a_box_is_matched_once_by_the_most_confident_prediction() -> None:
    boxes = [box(1, 0), box(1, 300), box(2, 0, "dog")]
    predictions = [
        box(1, 20, confidence=0.6),  # IoU 80/120, but the next one is more confident.
        box(1, 30, confidence=0.8),  # IoU 70/130.
        box(1, 350, confidence=0.9),  # IoU 50/150 is too low.
        box(2, 10, confidence=0.7),  # On a dog.
    ]
    rows = table("matched_predictions", boxes=boxes, predictions=predictions).sort("confidence")
    assert rows["is_true"].to_list() == [False, False, True, False]
    assert rows["other_label"].to_list() == [None, "dog", None, None]
    assert rows["best_iou"].to_list() == pytest.approx([80 / 120, 90 / 110, 70 / 130, 50 / 150])


def test_a_prediction_takes_the_free_box_with_the_highest_overlap() -> None:
    boxes = [box(1, 0), box(1, 40)]
    predictions = [box(1, 30, confidence=0.9), box(1, 30, confidence=0.8)]
    # IoU 70/130 with the first box and 90/110 with the second.
    assert table("evaluated_objects", boxes=boxes, predictions=predictions).sort("box_id")["confidence"].to_list() == [
        0.8,
        0.9,
    ]


def test_images_without_prediction_count_as_missed() -> None:
    assert metrics(labels=[image(1), image(2)], predictions=[image(1, confidence=0.9)])["cat"][:3] == (1, 0, 1)


def test_thresholds_for_precision_and_recall_stop_where_they_cost_more_than_they_give() -> None:
    # Above 0.6 only true ones, 5 false ones from 0.5 to 0.6, and 10 more objects below the threshold.
    labels = [image(n) for n in range(1, 31)] + [image(n, "dog") for n in range(31, 41)]
    confidence = {**dict.fromkeys(range(1, 21), 0.75), **dict.fromkeys(range(31, 36), 0.55)}
    confidence |= dict.fromkeys(range(21, 31), 0.35)
    predictions = [image(n, confidence=c) for n, c in confidence.items()]
    of_service = [{"label": "cat", "threshold": 0.5}]
    rows = table("threshold_trade_offs", labels=labels, predictions=predictions, evaluated_labels=of_service)
    found = {row["point"]: row for row in rows.filter(label="cat").iter_rows(named=True)}
    assert (found["assumed"]["precision"], found["assumed"]["recall"]) == pytest.approx((20 / 25, 20 / 30), abs=1e-6)
    assert found["precision"]["threshold"] == 0.56
    assert found["precision"]["precision_gain"] == pytest.approx(0.2)
    assert 0 < found["precision"]["precision_gain_low"] < 0.2 < found["precision"]["precision_gain_high"]
    assert found["precision"]["recall_gain"] == 0
    assert found["recall"]["threshold"] == 0.35
    assert (found["recall"]["precision"], found["recall"]["recall"]) == pytest.approx((30 / 35, 1), abs=1e-6)
    assert rows.filter(label="cat")["threshold"].is_sorted()


def test_the_order_of_lines_changes_no_interval() -> None:
    refs = {n: f"s3://bucket/{n}.jpg" for n in range(1, 41)}
    results = []
    for order in (list(refs), [*refs][::-1]):
        labels = [image(place, source_ref=refs[n]) for place, n in enumerate(order, 1) if n % 3]
        predictions = [image(p, source_ref=refs[n], confidence=n / 50) for p, n in enumerate(order, 1)]
        results.append(table("threshold_trade_offs", labels=labels, predictions=predictions))
    assert results[0].equals(results[1])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_greedy_matches_are_one_to_one_and_maximal(pairs: list[tuple[int, int]]) -> None:
    matches = greedy_matches(pairs)
    assert len(set(matches.values())) == len(matches)
    assert all(prediction in matches or box_ in matches.values() for prediction, box_ in pairs)


def test_the_interval_of_a_share_is_about_that_of_the_binomial_distribution() -> None:
    # 80 of 100 images: the normal approximation gives 0.8 +- 1.96 * sqrt(0.8 * 0.2 / 100) = 0.72 to 0.88.
    sums = resampled_sums(np.array([[1.0]] * 80 + [[0.0]] * 20), 100)
    (low, high) = interval(sums / 100)[:, 0]
    assert (low, high) == pytest.approx((0.72, 0.88), abs=0.02)
    without_zeros = interval(resampled_sums(np.ones((80, 1)), 100) / 100)[:, 0]
    assert without_zeros == pytest.approx((low, high), abs=0.02)
