"""What a user's own model gave: wrong labels are found by it, without images too, and a bad file is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from lines import classification, detection, manifest
from typer.testing import CliRunner

from groundlint.cli import app

COUNT = 200
WRONG = 17
"""The line, from 1, whose label is not what its image shows."""


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


def check(*arguments: str) -> tuple[int, Any, str]:
    """Exit status, report and standard error of the command."""
    done = CliRunner().invoke(app, ["check", "--isolated", "--output", "json:report.json", *arguments])
    report = json.loads(Path("report.json").read_text()) if Path("report.json").exists() else None
    return done.exit_code, report, done.stderr


def suspects(report: Any) -> Iterator[tuple[str, int, int | None]]:
    for finding in report["findings"]:
        if finding["code"].startswith("SUS"):
            yield finding["code"], finding["line"], finding["box"]


def test_embeddings_find_a_wrong_label_without_an_image(folder: Path) -> None:
    keys(embedding=vectors()).write_parquet("own.parquet")
    status, report, stderr = check("labels.manifest", "--embeddings", "own.parquet")
    assert (status, list(suspects(report))) == (0, [("SUS102", WRONG, None)])
    assert "SUS102" not in {rule["code"] for rule in report["summary"]["skipped_rules"]}
    assert "own.parquet" not in stderr


@pytest.mark.parametrize("name", ["own.parquet", "own.csv"])
def test_probabilities_find_a_wrong_label_without_an_image(name: str, folder: Path) -> None:
    rows = probabilities().with_columns(box=pl.lit(None, pl.Int64))
    rows.write_csv(name) if name.endswith(".csv") else rows.write_parquet(name)
    status, report, _ = check("labels.manifest", "--pred-probs", name)
    assert (status, list(suspects(report))) == (0, [("SUS102", WRONG, None)])


def test_a_probability_is_that_of_the_label_whose_name_its_column_has(folder: Path) -> None:
    probabilities().select("source_ref", "attribute", "dog", "cat").write_csv("turned.csv")
    assert list(suspects(check("labels.manifest", "--pred-probs", "turned.csv")[1])) == [("SUS102", WRONG, None)]
    probabilities().rename({"cat": "dog", "dog": "cat"}).write_csv("swapped.csv")
    told = CliRunner().invoke(
        app, ["export", "label_odds", "labels.manifest", "--pred-probs", "swapped.csv", "--to", "odds.csv", "-q"]
    )
    assert told.exit_code == 0
    odds = pl.read_csv("odds.csv")
    assert odds.filter(pl.col("p_given") < 0.5)["line"].to_list() == [n for n in range(1, COUNT + 1) if n != WRONG]


def test_columns_that_name_no_label_and_labels_without_a_column_are_told(folder: Path) -> None:
    probabilities().rename({"cat": "foo", "dog": "bar"}).write_csv("own.csv")
    status, report, stderr = check("labels.manifest", "--pred-probs", "own.csv")
    assert (status, list(suspects(report))) == (0, [])
    assert "its columns 'bar', 'foo' name no label of the manifests" in stderr
    assert "the labels 'cat', 'dog' have no column and are not judged by it" in stderr


def test_embeddings_of_boxes_find_a_wrong_one(folder: Path) -> None:
    keys(embedding=vectors(), box=[0] * COUNT).with_columns(attribute=pl.lit("animals")).write_parquet("own.parquet")
    status, report, _ = check("boxes.manifest", "--embeddings", "own.parquet")
    assert (status, list(suspects(report))) == (0, [("SUS105", WRONG, 0)])


def test_without_them_nothing_is_judged_and_that_is_said(folder: Path) -> None:
    _, report, _ = check("labels.manifest")
    assert not list(suspects(report))
    assert {"SUS102", "SUS105"} <= {rule["code"] for rule in report["summary"]["skipped_rules"]}


def test_what_has_no_counterpart_is_counted(folder: Path) -> None:
    rows = keys(embedding=vectors()).head(150)
    other = rows.head(3).with_columns(source_ref=pl.lit("s3://other/") + pl.col("source_ref").str.slice(-5))
    pl.concat([rows, other]).write_parquet("own.parquet")
    status, _, stderr = check("labels.manifest", "--embeddings", "own.parquet")
    assert status == 0
    assert "own.parquet: 3 of its 153 rows name no label or box of the manifests; 50 labels and boxes are not" in stderr


BROKEN = {
    "no such file": ("--embeddings", None, "it cannot be read"),
    "another format": ("--embeddings", "text", "it must be a file named *.parquet"),
    "no key": ("--pred-probs", pl.DataFrame({"cat": [0.5], "dog": [0.5]}), "there is no column source_ref"),
    "no embedding": ("--embeddings", keys(vector=[[1.0]] * COUNT), "there is no column embedding"),
    "text as embedding": ("--embeddings", keys(embedding=["1"] * COUNT), "holds String, not lists of numbers"),
    "two lengths": ("--embeddings", keys(embedding=[[1.0]] * (COUNT - 1) + [[1.0, 2.0]]), "of row 200 has another"),
    "not a number": ("--embeddings", keys(embedding=[[float("nan")]] * COUNT), "hold NaN"),
    "an object twice": (
        "--embeddings",
        pl.concat([keys(embedding=[[1.0]] * COUNT)] * 2),
        "is there twice with the same attribute and box",
    ),
    "one label": ("--pred-probs", keys(cat=[1.0] * COUNT), "there are 1 columns of labels"),
    "more than one": ("--pred-probs", keys(cat=[1.0] * COUNT, dog=[0.0] * 9 + [1.5] * (COUNT - 9)), "row 10 holds"),
    "words": ("--pred-probs", keys(cat=[1.0] * COUNT, dog=["no"] * COUNT), "'dog' holds String, not probabilities"),
    "no row": ("--pred-probs", keys(cat=[1.0] * COUNT, dog=[0.0] * COUNT).clear(), "there is no row in it"),
    "no vector": ("--embeddings", keys(embedding=[[1.0]] * COUNT).clear(), "there is no row in it"),
    "part of a box": ("--embeddings", keys(embedding=[[1.0]] * COUNT, box=[0.5] * COUNT), "whole number"),
    "half a box": ("--pred-probs", keys(cat=[1.0] * COUNT, dog=[0.0] * COUNT, box=["a"] * COUNT), "whole number"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_that_cannot_be_used_is_named(what: str, folder: Path) -> None:
    flag, content, told = BROKEN[what]
    name = "own.txt" if isinstance(content, str) else "own.parquet"
    if isinstance(content, pl.DataFrame):
        content.write_parquet(name)
    elif content:
        Path(name).write_text(content)
    status, _, stderr = check("labels.manifest", flag, name)
    assert status == 2
    assert stderr.startswith(f"error: {name}: ")
    assert told in " ".join(stderr.split())
