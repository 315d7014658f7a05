"""Outputs of the user's own model: they find wrong labels without images, and bad files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lines import classification, detection, manifest

import groundlint
from groundlint.api import Result
from groundlint.engine.evaluate import MadeNote
from groundlint.engine.examples import Example
from groundlint.engine.registry import Registry
from groundlint.evaluation.model_outputs import ModelOutputError, ModelOutputs
from groundlint.example_tables import example_tables

COUNT = 200
WRONG = 17
"""The line, from 1, with a wrong label."""


def shown(n: int) -> int:
    return n % 2


def given(n: int) -> int:
    return 1 - shown(n) if n + 1 == WRONG else shown(n)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest of labels and one of boxes, and no image."""
    monkeypatch.chdir(tmp_path)
    lines = [classification(f"s3://bucket/{n}.jpg", ("cat", "dog")[given(n)]) for n in range(COUNT)]
    Path("labels.manifest").write_text(manifest(*lines))
    boxes = [detection(f"s3://bucket/{n}.jpg", ({"class_id": given(n)},)) for n in range(COUNT)]
    Path("boxes.manifest").write_text(manifest(*boxes))
    return tmp_path


def keys(**columns: Any) -> pl.DataFrame:
    refs = [f"s3://bucket/{n}.jpg" for n in range(COUNT)]
    return pl.DataFrame({"source_ref": refs, "attribute": "animal", **columns})


def vectors() -> list[list[float]]:
    random = np.random.default_rng(0)
    middles = np.array([[0.0] * 8, [4.0] * 8])
    return [(middles[shown(n)] + random.normal(0, 1, 8)).tolist() for n in range(COUNT)]


def probabilities() -> pl.DataFrame:
    random = np.random.default_rng(0)
    dog = [abs(shown(n) - random.uniform(0, 0.02)) for n in range(COUNT)]
    return keys(cat=[1 - p for p in dog], dog=dog)


def check(manifest_: str, **files: str) -> Result:
    return groundlint.check(manifest_, select=["SUS102", "SUS105"], isolated=True, **files)


def suspects(result: Result) -> list[tuple[str, int, int | None]]:
    return result.findings.select("code", "line", "box").rows()


def messages(result: Result) -> str:
    return "\n".join(note.message for note in result.summary.notes if note.kind == "model-outputs-incomplete")


def test_embeddings_find_a_wrong_label_without_an_image() -> None:
    keys(embedding=vectors()).write_parquet("own.parquet")
    result = check("labels.manifest", embeddings="own.parquet")
    assert suspects(result) == [("SUS102", WRONG, None)]
    assert "SUS102" not in {rule.code for rule in result.summary.skipped_rules}
    assert messages(result) == ""


@pytest.mark.parametrize("name", ["own.parquet", "own.csv"])
def test_probabilities_find_a_wrong_label_without_an_image(name: str) -> None:
    rows = probabilities().with_columns(box=pl.lit(None, pl.Int64))
    rows.write_csv(name) if name.endswith(".csv") else rows.write_parquet(name)
    assert suspects(check("labels.manifest", pred_probs=name)) == [("SUS102", WRONG, None)]


def test_a_column_belongs_to_the_label_with_its_name() -> None:
    probabilities().select("source_ref", "attribute", "dog", "cat").write_csv("turned.csv")
    assert suspects(check("labels.manifest", pred_probs="turned.csv")) == [("SUS102", WRONG, None)]
    probabilities().rename({"cat": "dog", "dog": "cat"}).write_csv("swapped.csv")
    assert len(check("labels.manifest", pred_probs="swapped.csv").findings.filter(line=WRONG)) == 0


def test_embeddings_of_boxes_find_a_wrong_label() -> None:
    keys(embedding=vectors(), box=[0] * COUNT).with_columns(attribute=pl.lit("animals")).write_parquet("own.parquet")
    assert suspects(check("boxes.manifest", embeddings="own.parquet")) == [("SUS105", WRONG, 0)]


def test_without_them_nothing_is_judged_and_the_rules_are_skipped() -> None:
    result = check("labels.manifest")
    assert suspects(result) == []
    assert {"SUS102", "SUS105"} <= {rule.code for rule in result.summary.skipped_rules}


def notes(**files: Path) -> list[MadeNote]:
    """The notes on files of model outputs for the labels of `labels.manifest`."""
    rows = {"labels": [{"line": n + 1, "label": ("cat", "dog")[given(n)], "attribute": "animal"} for n in range(COUNT)]}
    rows["labels"] = [row | {"source_ref": f"s3://bucket/{n}.jpg"} for n, row in enumerate(rows["labels"])]
    tables = {name: rows.collect() for name, rows in example_tables(Registry(), Example(boxes=[], **rows)).items()}
    return ModelOutputs(embeddings=files.get("embeddings"), pred_probs=files.get("pred_probs")).notes(tables)


def test_columns_without_a_label_and_labels_without_a_column_are_noted() -> None:
    probabilities().rename({"cat": "foo", "dog": "bar"}).write_csv("own.csv")
    (note,) = notes(pred_probs=Path("own.csv"))
    assert "own.csv: columns that match no label of the manifests: 'bar', 'foo'" in note.message
    assert "labels without a column, which are not judged by it: 'cat', 'dog'" in note.message


@pytest.mark.parametrize(("label", "column"), [("dog", "dogg"), ("dog", "Dog"), ("cat", "cats"), ("dog", "dgo")])
def test_a_misspelled_column_is_refused_with_the_label_that_is_close(label: str, column: str) -> None:
    probabilities().rename({label: column}).write_csv("own.csv")
    with pytest.raises(ModelOutputError, match=f"^own.csv: the column '{column}' matches no label .* '{label}' has no"):
        notes(pred_probs=Path("own.csv"))


def test_a_further_column_that_is_close_to_a_label_with_a_column_is_noted() -> None:
    probabilities().with_columns(dogs=pl.lit(0.0)).write_csv("own.csv")
    (note,) = notes(pred_probs=Path("own.csv"))
    assert note.message == "own.csv: columns that match no label of the manifests: 'dogs'"


def test_rows_and_labels_without_a_counterpart_are_counted() -> None:
    rows = keys(embedding=vectors()).head(150)
    other = rows.head(3).with_columns(source_ref=pl.lit("s3://other/") + pl.col("source_ref").str.slice(-5))
    pl.concat([rows, other]).write_parquet("own.parquet")
    (note,) = notes(embeddings=Path("own.parquet"))
    text = "3 of 153 rows match no label or box of the manifests; 50 of 200 labels and boxes have no row and are not "
    assert note == ("model-outputs-incomplete", None, 53, f"own.parquet: {text}judged by it")


BROKEN = {
    "no such file": ("embeddings", None, "the file cannot be read"),
    "another format": ("embeddings", "text", "the file must be named *.parquet"),
    "no key": ("pred_probs", pl.DataFrame({"cat": [0.5], "dog": [0.5]}), "there is no column source_ref"),
    "no embedding": ("embeddings", keys(vector=[[1.0]] * COUNT), "there is no column embedding"),
    "text as embedding": ("embeddings", keys(embedding=["1"] * COUNT), "holds String, not lists of numbers"),
    "two lengths": (
        "embeddings",
        keys(embedding=[[1.0]] * (COUNT - 1) + [[1.0, 2.0]]),
        "of row 200 has another",
    ),
    "not a number": ("embeddings", keys(embedding=[[float("nan")]] * COUNT), "has NaN"),
    "an object twice": (
        "embeddings",
        pl.concat([keys(embedding=[[1.0]] * COUNT)] * 2),
        "has two rows with the same attribute and box",
    ),
    "one label": ("pred_probs", keys(cat=[1.0] * COUNT), "1 column of labels; at least 2 are needed"),
    "more than one": (
        "pred_probs",
        keys(cat=[1.0] * COUNT, dog=[0.0] * 9 + [1.5] * (COUNT - 9)),
        "row 10 has a value",
    ),
    "words": ("pred_probs", keys(cat=[1.0] * COUNT, dog=["no"] * COUNT), "'dog' holds String, not probabilities"),
    "no row": ("pred_probs", keys(cat=[1.0] * COUNT, dog=[0.0] * COUNT).clear(), "the file has no rows"),
    "no vector": ("embeddings", keys(embedding=[[1.0]] * COUNT).clear(), "the file has no rows"),
    "part of a box": ("embeddings", keys(embedding=[[1.0]] * COUNT, box=[0.5] * COUNT), "whole number"),
    "half a box": ("pred_probs", keys(cat=[1.0] * COUNT, dog=[0.0] * COUNT, box=["a"] * COUNT), "whole number"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_cannot_be_used_is_refused(what: str) -> None:
    flag, content, says = BROKEN[what]
    name = "own.txt" if isinstance(content, str) else "own.parquet"
    if isinstance(content, pl.DataFrame):
        content.write_parquet(name)
    elif content:
        Path(name).write_text(content)
    with pytest.raises(ModelOutputError) as raised:
        notes(**{flag: Path(name)})
    assert str(raised.value).startswith(f"{name}: ")
    assert says in str(raised.value)
