"""Metrics and thresholds of an evaluated model, by hand and as laws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import polars as pl
import pytest
from command import groundlint
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import REGISTRY

from groundlint import check
from groundlint.engine.evaluate import Workspace, collected
from groundlint.engine.examples import Example
from groundlint.engine.trade_offs import KEYS
from groundlint.example_tables import example_tables
from groundlint.report.schema import schema
from groundlint_rules.algorithms.bootstrap import interval, resampled_sums
from groundlint_rules.algorithms.greedy_matching import greedy_matches
from groundlint_rules.algorithms.threshold_choice import Predictions, trade_offs
from groundlint_rules.algorithms.two_groups import silhouettes, two_groups, unit


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


FIXTURE = Path(__file__).parents[1] / "fixtures/evaluation"
FILES = [FIXTURE / f"{name}-{part}.json" for name in ("fruit", "birds") for part in ("snapshot", "summary")]
MANIFESTS = [FIXTURE / "fruit.manifest", FIXTURE / "birds.manifest"]


def fixture_report(*options: str) -> str:
    evaluation = [f"--evaluation={file}" for file in FILES]
    arguments = ["check", *map(str, MANIFESTS), *evaluation, "--isolated", "--select", "EVA", "--no-progress", *options]
    done = groundlint(*arguments, cwd=FIXTURE, COLUMNS="100")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_metrics_of_the_fixture_are_those_computed_by_hand() -> None:
    rows = json.loads(fixture_report("--output", "json"))["evaluation"]
    names = ("true_positives", "false_positives", "false_negatives", "precision", "recall", "f1")
    found = {row["label"]: [row[name] for name in names] for row in rows if row["point"] == "assumed"}
    by_hand = {
        "apple": [8, 2, 2, 8 / 10, 8 / 10, 16 / 20],
        "pear": [6, 2, 2, 6 / 8, 6 / 8, 12 / 16],
        "plum": [1, 0, 1, 1 / 1, 1 / 2, 2 / 3],
        "bird": [2, 1, 1, 2 / 3, 2 / 3, 4 / 6],
    }
    assert found == {label: pytest.approx(figures, abs=1e-6) for label, figures in by_hand.items()}


def test_the_findings_of_the_fixture_are_those_that_were_planted() -> None:
    found = check(*MANIFESTS, evaluation=FILES, select=["EVA", "EVA302"], isolated=True).findings
    rows = found.select("code", "label", "line").sort("code", "label").rows()
    few = [("EVA102", label, None) for label in ("bird", "pear", "plum")]
    assert rows == [("EVA101", "pear", None), *few, ("EVA301", "apple", None), ("EVA302", "bird", 2)]
    related = found.filter(code="EVA301")["related"][0].struct.field("source_ref").to_list()
    assert related == [f"s3://orchard/{name}.jpg" for name in ("apple-10", "apple-9", "pear-7")]


def test_the_trade_off_is_a_table_in_text_and_markdown() -> None:
    text = fixture_report("--limit", "1")
    assert "Evaluation, lowest F1 first (with 95% intervals over images):" in text
    assert f"  {MANIFESTS[1]}: 'bird' (2 images)\n" in text
    assert "         0.50  0.67 (0.50 to 1.00)  0.67 (0.50 to 1.00)  0.67   2   1   1  assumed\n" in text
    assert "  3 other labels; --limit 0 lists all\n" in text
    markdown = fixture_report("--output", "markdown")
    assert (
        "| 0.56 | 1.00 (1.00 to 1.00) | 0.80 (0.50 to 1.00) | 0.89 | 8 | 0 | 2 | raising it further does not pay |"
        in markdown
    )
    assert "Evaluation" not in fixture_report("-q")


def test_the_json_report_with_and_without_an_evaluation_follows_its_schema() -> None:
    report = json.loads(fixture_report("--output", "json"))
    jsonschema.validate(report, schema())
    without = groundlint("check", str(MANIFESTS[0]), "--isolated", "--output", "json", cwd=FIXTURE)
    assert "evaluation" not in json.loads(without.stdout)
    assert set(report["evaluation"][0]) == set(KEYS)


def test_the_order_of_lines_changes_no_report(tmp_path: Path) -> None:
    reports = []
    for step in (1, -1):
        for file in (*MANIFESTS, *FILES[::2]):
            lines = file.read_text().splitlines()[::step]
            (tmp_path / file.name).write_text("".join(f"{line}\n" for line in lines))
        options = [f"--evaluation={tmp_path / file.name}" for file in FILES[::2]]
        names = [file.name for file in MANIFESTS]
        done = groundlint("check", *names, *options, "--isolated", "--select=EVA", "--output=json", cwd=tmp_path)
        report = json.loads(done.stdout)
        messages = sorted((finding["source_ref"] or "", finding["message"]) for finding in report["findings"])
        reports.append((messages, report["evaluation"]))
    assert reports[0] == reports[1]


@pytest.mark.parametrize(("name", "count"), [("matched_predictions", 24), ("confused_objects", 4)])
def test_a_table_of_predictions_is_exported_with_its_lines(name: str, count: int, tmp_path: Path) -> None:
    options = ("--evaluation", str(FILES[0]), "--isolated", "--to", "rows.csv")
    done = groundlint("export", name, str(MANIFESTS[0]), *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = pl.read_csv(tmp_path / "rows.csv")
    assert rows.height == count
    assert rows["line"].null_count() == 0


def embeddings(*means: tuple[range, int]) -> list[dict[str, Any]]:
    """Embeddings of images around one of several directions."""
    random = np.random.default_rng(0)
    rows = []
    for images, direction in means:
        for n in images:
            numbers = random.normal(0, 0.1, 8)
            numbers[direction] += 1
            rows.append({"source_ref": f"s3://bucket/{n}.jpg", "attribute": "animals", "numbers": numbers.tolist()})
    return rows


def test_a_label_of_two_kinds_is_divided_into_them() -> None:
    labels = [image(n) for n in range(1, 31)]
    vectors = embeddings((range(1, 21), 0), (range(21, 31), 1))
    (row,) = table("label_groups", labels=labels, predictions=[], embeddings=vectors).to_dicts()
    assert (row["first"], row["second"]) == (20, 10)
    assert row["silhouette"] > 0.8
    numbers = [int(ref.removeprefix("s3://bucket/").removesuffix(".jpg")) for ref in row["shown"]]
    assert [n > 20 for n in numbers] == [False] * 3 + [True] * 3


def test_false_positives_that_are_another_label_are_no_unknown_group() -> None:
    labels = [image(n) for n in range(1, 21)] + [image(n, "dog") for n in range(21, 31)]
    unlabeled = [{"line": n, "label": None} for n in range(31, 41)]
    predictions = [image(n, confidence=0.9) for n in range(1, 41)]
    vectors = embeddings((range(1, 21), 0), (range(21, 31), 1), (range(31, 41), 2))
    given = [{"label": "cat", "threshold": 0.5}]
    (row,) = table(
        "unknown_groups",
        labels=labels + unlabeled,
        predictions=predictions,
        embeddings=vectors,
        evaluated_labels=given,
    ).to_dicts()
    # The ten dogs are taken for cats; only the ten images without a label count.
    assert (row["label"], row["first"], row["second"]) == ("cat", 20, 10)
    assert row["silhouette"] > 0.8


@pytest.mark.parametrize(("second_labels", "groups"), [((), 0), ((21,), 1)])
def test_what_the_only_label_of_an_image_shows_is_known(second_labels: tuple[int, ...], groups: int) -> None:
    labels = [image(n) for n in range(1, 21)] + [image(n, "dog") for n in range(21, 31)]
    labels += [image(n, "cow") for n in second_labels]
    # The model finds the ten dogs, and takes them for cats too.
    predictions = [image(n, confidence=0.9) for n in range(1, 31)]
    predictions += [image(n, "dog", confidence=0.9) for n in range(21, 31)]
    found = table(
        "unknown_groups",
        labels=labels,
        predictions=predictions,
        embeddings=embeddings((range(1, 21), 0), (range(21, 31), 1)),
        evaluated_labels=[{"label": name, "threshold": 0.5} for name in ("cat", "dog")],
    )
    assert found.filter(pl.col("label") == "cat").height == groups


def test_silhouettes_are_those_computed_by_hand() -> None:
    vectors = unit(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    found = silhouettes(vectors, np.array([False, False, True, True]))
    # Distances are 1 minus the cosine: 0 within the first group, 1 - r within the second, with r = sqrt(1/2).
    r = 0.5**0.5
    to_first, own = (1 + 1) / 2, 1 - r
    assert found == pytest.approx([1, 1, (to_first - own) / to_first, 0], abs=1e-9)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=12))
def test_the_second_of_two_groups_is_not_the_larger_one(rows: list[list[int]]) -> None:
    is_second = two_groups(unit(np.array(rows, dtype=float)))
    assert is_second.sum() * 2 <= len(rows)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.booleans(), st.integers(0, 4)), min_size=1, max_size=12),
    st.integers(0, 5),
    st.integers(0, 100),
)
@settings(max_examples=30, deadline=None)
def test_a_higher_threshold_never_finds_more(rows: list[tuple[int, bool, int]], missed: int, assumed: int) -> None:
    percent, is_true, images = zip(*rows, strict=True)
    predictions = Predictions(np.array(percent) / 100, np.array(is_true), np.array(images))
    objects = np.bincount(predictions.image[predictions.is_true], minlength=5) + np.array([missed, 0, 0, 0, 0])
    found = trade_offs(predictions, objects, 5, assumed / 100)
    assert [each.threshold for each in found] == sorted({each.threshold for each in found})
    for name in ("true_positives", "false_positives"):
        counts = [getattr(each, name) for each in found]
        assert counts == sorted(counts, reverse=True)
    (at_assumed,) = (each for each in found if each.point == "assumed")
    assert at_assumed.threshold == assumed / 100
    assert all(each.threshold > at_assumed.threshold for each in found if each.point == "precision")
    assert all(each.threshold < at_assumed.threshold for each in found if each.point == "recall")


def test_a_summary_whose_average_was_changed_is_reported(tmp_path: Path) -> None:
    summary = json.loads((FIXTURE / "birds-summary.json").read_text())
    summary["AggregatedEvaluationResults"]["Recall"] = 0.9
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    files = (FIXTURE / "birds-snapshot.json", tmp_path / "summary.json")
    found = check(FIXTURE / "birds.manifest", evaluation=files, select=["EVA103"], isolated=True).findings
    assert found["message"].item() == (
        "the summary gives 0.90 as recall of all labels, but the mean over the labels is 0.67 and over all predictions "
        "it is 0.67; get the summary again"
    )
