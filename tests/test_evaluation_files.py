"""Files of an evaluation: they become predictions of the images of the manifests, and bad files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command import groundlint
from lines import classification, detection, manifest

from groundlint.config.data_sets import Request
from groundlint.config.settings import Config
from groundlint.engine.evaluate import MadeNote
from groundlint.engine.registry import Registry
from groundlint.evaluation.evaluation_formats import EvaluationFileError
from groundlint.session import Session

ANIMALS = ("cat", "dog")
NAME = "rekognition-custom-labels-evaluation"
DETAILS = f"{NAME}-details"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with a test manifest of labels and one of boxes: images 0 to 3, of cats and dogs in turn."""
    monkeypatch.chdir(tmp_path)
    Path("labels.manifest").write_text(manifest(*(classification(ref(n), ANIMALS[n % 2]) for n in range(4))))
    Path("boxes.manifest").write_text(manifest(*(detection(ref(n), ({"class_id": n % 2},)) for n in range(4))))


def ref(n: int) -> str:
    return f"s3://bucket/{n}.jpg"


def evaluated(label: str, confidence: float, outcome: str = "true-positive", n: int = 0) -> dict[str, Any]:
    """The attribute of a snapshot for one label of an image."""
    outcomes = ("true-positive", "true-negative", "false-positive", "false-negative")
    line = classification("", label, f"{NAME}-{n}", confidence=confidence, **{"human-annotated": "no"})
    line[f"{NAME}-{n}-metadata"][DETAILS] = {f"is-{name}": name == outcome for name in outcomes}
    del line["source-ref"]
    return line


def snapshot(*attributes: dict[str, Any], name: str = "snapshot.json") -> str:
    """A snapshot with the predictions on images 0, 1, …"""
    lines = [classification(ref(n), ANIMALS[n % 2], "training-0") | own for n, own in enumerate(attributes)]
    Path(name).write_text(manifest(*lines))
    return name


def summary(*entries: Any, name: str = "summary.json") -> str:
    Path(name).write_text(json.dumps({"Version": 1, "LabelEvaluationResults": list(entries)}))
    return name


def result_of(label: str, **metrics: float) -> dict[str, Any]:
    return {"Label": label, "NumberOfTestingImages": 2, "Metrics": metrics}


def read(*files: str, manifests: Request | None = None) -> tuple[dict[str, pl.DataFrame], list[MadeNote]]:
    """The tables of a run with these files, and its notes."""
    paths = tuple(map(Path, files))
    request = manifests or Request(("labels.manifest",))
    registry = Registry()
    session = Session(registry, Config(), Request(**{**vars(request), "evaluation": paths, "jobs": 1}))
    loaded = session.load(registry.graph.plan((), tables=["predictions"]))
    return dict(loaded.tables), list(loaded.notes)


def table(name: str = "own.csv", **columns: Any) -> str:
    rows = pl.DataFrame({"source_ref": [ref(0), ref(1)], "label": ["cat", "cat"], "confidence": [0.9, 0.4], **columns})
    rows.write_csv(name) if name.endswith(".csv") else rows.write_parquet(name)
    return name


def test_the_predictions_of_a_snapshot_are_on_the_lines_that_name_its_images() -> None:
    tables, notes = read(snapshot(*[evaluated("cat", 0.9 - n / 10) for n in range(4)]))
    rows = tables["predictions"].select("manifest", "line", "source_ref", "label", "confidence", "box")
    assert rows.rows() == [("labels.manifest", n + 1, ref(n), "cat", 0.9 - n / 10, None) for n in range(4)]
    assert tables["evaluated_images"]["line"].to_list() == [1, 2, 3, 4]
    assert notes == []


def test_boxes_of_a_snapshot_have_their_place_and_confidence() -> None:
    line = detection(ref(0), ({"left": 5},), name=NAME, objects=[{"confidence": 0.7}])
    Path("snapshot.json").write_text(manifest(line))
    tables, _ = read("snapshot.json", manifests=Request(("boxes.manifest",)))
    columns = ("label", "confidence", "box", "left", "top", "width", "height")
    assert tables["predictions"].select(columns).rows() == [("cat", 0.7, 0, 5, 20, 30, 40)]


def test_the_thresholds_are_those_of_the_summary_else_those_that_the_snapshot_implies() -> None:
    predicted = [
        evaluated("cat", 0.9),
        evaluated("cat", 0.6, "false-positive"),
        evaluated("dog", 0.3, "false-negative"),
        evaluated("cat", 0.5, "true-negative"),
    ]
    tables, _ = read(snapshot(*predicted))
    assert dict(tables["evaluated_labels"].select("label", "threshold").iter_rows()) == {"cat": 0.6, "dog": 1.0}
    tables, _ = read("snapshot.json", summary(result_of("cat", Threshold=0.55, Precision=0.5, Recall=1, F1Score=0.67)))
    (cat, dog) = tables["evaluated_labels"].drop("summary").rows()
    assert cat == ("cat", 0.55, 2, 0.5, 1.0, 0.67)
    assert dog[:2] == ("dog", 1.0)


@pytest.mark.parametrize("name", ["own.csv", "own.parquet"])
def test_confidences_of_a_table_may_be_percent(name: str) -> None:
    tables, _ = read(table(name, confidence=[97.5, 0.5]))
    assert tables["predictions"]["confidence"].to_list() == [0.975, 0.005]


def test_images_of_the_manifest_without_prediction_are_evaluated_and_noted() -> None:
    tables, notes = read(table())
    assert tables["evaluated_images"].height == 4
    text = "own.csv: 2 of 4 images of the manifests have no prediction; their labels count as not found"
    assert notes == [MadeNote("evaluation-incomplete", None, 2, text)]


def test_images_that_are_not_in_a_snapshot_are_not_evaluated_but_noted() -> None:
    tables, notes = read(snapshot(evaluated("cat", 0.9)))
    assert tables["evaluated_images"]["line"].to_list() == [1]
    assert [note.message for note in notes] == ["snapshot.json: 3 of 4 images of the manifests are not in the snapshot"]


def test_images_that_no_manifest_has_are_counted() -> None:
    tables, notes = read(table(source_ref=[ref(0), ref(99)]))
    assert tables["predictions"].height == 1
    assert "own.csv: 1 of 2 images of the evaluation are in no manifest" in notes[0].message


def test_only_test_images_are_evaluated_where_there_are_some() -> None:
    Path("test.manifest").write_text(manifest(classification(ref(1), "dog")))
    tables, notes = read(table(), manifests=Request(train=("labels.manifest",), test=("test.manifest",)))
    assert tables["evaluated_images"].select("manifest", "line").rows() == [("test.manifest", 1)]
    assert tables["predictions"].select("manifest", "line").rows() == [("test.manifest", 1)]
    assert "1 image outside the test data is not used" in notes[0].message


def test_predictions_of_the_manifests_are_replaced() -> None:
    predicted = classification(ref(0), "cat") | evaluated("dog", 0.2)
    Path("with.manifest").write_text(manifest(predicted))
    tables, _ = read(table(), manifests=Request(("with.manifest",)))
    assert tables["predictions"].select("label", "confidence").rows() == [("cat", 0.9)]


BOXES = {"left": [1.0, 1.0], "top": [2.0, 2.0], "width": [30.0, 30.0], "height": [40.0, 40.0]}
BAD_TABLES: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelled label": (
        {"label": ["cat", "dgo"]},
        "own.csv: line 3: the label 'dgo' is in no manifest; did you mean",
    ),
    "no label": ({"label": ["cat", None]}, "own.csv: line 3: label is empty"),
    "no confidence": ({"confidence": [0.5, None]}, "own.csv: line 3: confidence must be a number"),
    "NaN": ({"confidence": [float("nan"), 0.5]}, "own.csv: line 2: confidence must be a number"),
    "a word": ({"confidence": ["0.5", "high"]}, "own.csv: line 3: confidence is 'high'; it must be a number"),
    "above 100": ({"confidence": [50, 101]}, "own.csv: line 3: confidence must be a number from 0 to 1, or from 0 to"),
    "below 0": ({"confidence": [-0.1, 0.5]}, "own.csv: line 2: confidence must be"),
    "no width": ({"left": [1, 1], "top": [1, 1], "height": [1, 1]}, "own.csv: there is no column width"),
    "no height": (BOXES | {"height": [40, 0]}, "own.csv: line 3: width and height must be above 0 px"),
    "a box on one row": (BOXES | {"left": [1.0, None]}, "own.csv: line 3: left, top, width, height must be numbers"),
    "shares": ({name: [0.1, 0.2] for name in BOXES}, "own.csv: the boxes are written as shares of the image"),
    "a label twice": ({"source_ref": [ref(0), ref(0)]}, "own.csv: line 3: the image and label of this row"),
    "no known image": ({"source_ref": ["a.jpg", "b.jpg"]}, "own.csv: none of the 2 images of the evaluation is in a"),
}


@pytest.mark.parametrize("what", BAD_TABLES)
def test_a_table_that_cannot_be_used_is_refused(what: str) -> None:
    columns, says = BAD_TABLES[what]
    with pytest.raises(EvaluationFileError) as raised:
        read(table(**columns))
    assert str(raised.value).startswith(says)


BAD_FILES: dict[str, tuple[str, str]] = {
    "no column": ("own.csv:source_ref,label,conf\na,b,1\n", "own.csv: there is no column confidence; the columns are"),
    "no row": ("own.csv:source_ref,label,confidence\n", "own.csv: the file has no rows"),
    "no JSON": ("a.json:{]\n", "a.json: line 1: invalid JSON"),
    "no source-ref": ('a.json:{"a": 1}\n', "a.json: line 1: there is no source-ref"),
    "no prediction": (f"a.json:{json.dumps(classification(ref(0)))}\n", "a.json: no line has an attribute of an eval"),
    "no confidence": (
        f"a.json:{json.dumps({'source-ref': ref(0)} | evaluated('cat', 1.5))}\n",
        f"a.json: line 1: {NAME}-0: the confidence is 1.5; it must be a number from 0 to 1",
    ),
    "only a summary": (
        f"a.json:{json.dumps({'LabelEvaluationResults': [result_of('cat', Precision=1)]})}",
        "a.json: a summary has no predictions; give the snapshot",
    ),
    "part of a summary": ('a.json:{"EvaluationDetails": {}}', "a.json: there is no list LabelEvaluationResults"),
    "a bad metric": (
        f"a.json:{json.dumps({'LabelEvaluationResults': [result_of('cat', Precision=89)]})}",
        "a.json: LabelEvaluationResults[0].Metrics.Precision: 89 is not a number from 0 to 1",
    ),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_that_cannot_be_used_is_refused(what: str) -> None:
    content, says = BAD_FILES[what]
    name, _, text = content.partition(":")
    Path(name).write_text(text)
    with pytest.raises(EvaluationFileError) as raised:
        read(name)
    assert str(raised.value).startswith(says)


def test_a_snapshot_in_which_nothing_is_found_is_an_evaluation() -> None:
    Path("snapshot.json").write_text(manifest(detection(ref(0), (), name=NAME)))
    tables, _ = read("snapshot.json", manifests=Request(("boxes.manifest",)))
    assert tables["predictions"].is_empty()
    assert tables["evaluated_images"].height == 1


def test_predictions_of_another_kind_than_the_manifests_are_refused() -> None:
    says = "own.csv: line 2: the predictions have no boxes, but the evaluated images have only boxes"
    with pytest.raises(EvaluationFileError, match=says):
        read(table(), manifests=Request(("boxes.manifest",)))
    says = "own.csv: line 2: the predictions have boxes, but the evaluated images have only image-level labels"
    with pytest.raises(EvaluationFileError, match=says):
        read(table(**BOXES))


def test_two_evaluations_of_an_image_are_refused() -> None:
    with pytest.raises(EvaluationFileError, match=f"a.csv, b.csv: several files have predictions on {ref(0)}"):
        read(table("a.csv"), table("b.csv"))


def test_labels_that_look_like_numbers_stay_as_written() -> None:
    Path("labels.manifest").write_text(manifest(classification(ref(0), "01"), classification(ref(1), "1")))
    tables, _ = read(table(label=["01", "1"]))
    assert tables["predictions"]["label"].to_list() == ["01", "1"]


def test_a_missing_file_is_named() -> None:
    for name in ("none.csv", "none.json"):
        with pytest.raises(EvaluationFileError, match=f"^{name}: the file cannot be read: No such file"):
            read(name)


def test_export_writes_the_predictions_and_a_bad_file_ends_with_2(tmp_path: Path) -> None:
    table(name="own.csv")
    done = groundlint(
        "export", "predictions", "labels.manifest", "--evaluation", "own.csv", "--to", "p.csv", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert pl.read_csv("p.csv").select("line", "label", "confidence").rows() == [(1, "cat", 0.9), (2, "cat", 0.4)]
    table(name="own.csv", confidence=[1.0, 200.0])
    done = groundlint("check", "labels.manifest", "--evaluation", "own.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "own.csv: line 3: confidence must be a number from 0 to 1" in done.stderr


def test_the_figures_of_all_labels_in_a_summary_are_read() -> None:
    cell = {"GroundTruthLabel": "cat", "PredictedLabel": "dog", "Value": 0.25}
    aggregated = {"Metrics": {"F1Score": 0.5, "Recall": 0.75}, "ConfusionMatrix": [cell]}
    Path("summary.json").write_text(
        json.dumps({"AggregatedEvaluationResults": aggregated, "LabelEvaluationResults": [result_of("cat")]})
    )
    tables, _ = read(snapshot(evaluated("cat", 0.9)), "summary.json")
    assert tables["summary_figures"].sort("figure").rows() == [
        ("summary.json", "confusion", "cat", "dog", 0.25),
        ("summary.json", "f1", None, None, 0.5),
        ("summary.json", "recall", None, None, 0.75),
    ]


@pytest.mark.parametrize(
    ("aggregated", "message"),
    [
        ({"Recall": 75}, "Recall: 75 is not a number from 0 to 1"),
        (
            {"ConfusionMatrix": [{"GroundTruthLabel": "cat"}]},
            "ConfusionMatrix[0]: GroundTruthLabel or PredictedLabel is missing",
        ),
    ],
)
def test_wrong_figures_of_all_labels_are_refused(aggregated: dict[str, Any], message: str) -> None:
    Path("summary.json").write_text(
        json.dumps({"AggregatedEvaluationResults": aggregated, "LabelEvaluationResults": [result_of("cat")]})
    )
    with pytest.raises(EvaluationFileError) as raised:
        read(snapshot(evaluated("cat", 0.9)), "summary.json")
    assert str(raised.value) == f"summary.json: AggregatedEvaluationResults.{message}"
