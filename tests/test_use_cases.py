"""Data sets with image-level labels beside boxes, with one label or several, and few-shot labels without test boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lines import classification, detection, manifest
from polars import DataFrame

import groundlint

RULES = (
    "mixed-labels-and-boxes",
    "few-images-with-several-labels",
    "few-shot-label-without-test-boxes",
    "labels-without-test-boxes",
    "too-few-usable-labels",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def boxed(name: str, label: str) -> dict[str, Any]:
    return detection(f"s3://bucket/{name}.jpg", **{"class-map": {"0": label}})


def labeled(name: str, *labels: str) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for n, label in enumerate(labels):
        line |= classification(f"s3://bucket/{name}.jpg", label, name=f"label-{n}")
    return line


def found(train: list[dict[str, Any]], test: list[dict[str, Any]] | None = None) -> DataFrame:
    Path("train.manifest").write_text(manifest(*train))
    Path("test.manifest").write_text(manifest(*(test or [])))
    tested = ["test.manifest"] if test is not None else []
    result = groundlint.check(train=["train.manifest"], test=tested, isolated=True, select=RULES)
    return result.findings.select("name", "severity", "manifest", "line", "label", "message", "related")


LOGOS = [boxed(f"logo{n}", "logo") for n in range(10)] + [boxed(f"car{n}", "car") for n in range(20)]


def test_a_few_shot_label_is_reported_with_its_test_images_that_lack_boxes() -> None:
    test = [boxed("t1", "car"), boxed("t2", "logo"), labeled("t3", "logo"), labeled("t4", "logo"), labeled("t5", "car")]
    (row,) = found(LOGOS, test).filter(name="few-shot-label-without-test-boxes").iter_rows(named=True)
    assert (row["severity"], row["line"], row["label"]) == ("info", None, "logo")
    assert row["message"].startswith("'logo' has boxes on only 10 training images, and none on 2 of its 3 test images")
    assert [place["source_ref"] for place in row["related"]] == ["s3://bucket/t3.jpg", "s3://bucket/t4.jpg"]


def test_a_label_with_eleven_boxed_training_images_is_not_few_shot() -> None:
    test = [boxed("t1", "car"), labeled("t2", "logo")]
    names = found([*LOGOS, boxed("logo10", "logo")], test)["name"].to_list()
    assert "few-shot-label-without-test-boxes" not in names


def test_several_boxes_on_an_image_are_one_training_image() -> None:
    train = [detection(f"s3://bucket/{n}.jpg", ({}, {"left": 300})) for n in range(10)]
    (row,) = found(train, [labeled("t", "cat")]).filter(label="cat").iter_rows(named=True)
    assert row["message"].startswith("'cat' has boxes on only 10 training images, and none on 1 of its 1 test image;")


def test_what_each_choice_discards_is_counted_over_both_splits() -> None:
    train = [labeled("1", "cat"), labeled("2", "dog"), boxed("3", "cat"), boxed("4", "cow"), labeled("5", "dog")]
    test = [labeled("6", "cat"), labeled("7", "dog"), boxed("8", "cat"), boxed("9", "cow")]
    (row,) = found(train, test).filter(name="mixed-labels-and-boxes").iter_rows(named=True)
    assert (row["severity"], row["manifest"], row["line"]) == ("warning", "train.manifest", None)
    assert row["message"] == (
        "mixed labels and boxes: training on image-level labels discards 4 lines and 1 label, "
        "on boxes 5 lines and 1 label, of 9 lines and 3 labels; keep one kind"
    )


def test_lines_that_are_lost_anyway_do_not_count_as_discarded() -> None:
    broken = boxed("3", "cow") | {"animals-metadata": {}}
    names = found([labeled("1", "cat"), labeled("2", "dog"), broken])["name"].to_list()
    assert "mixed-labels-and-boxes" not in names


def test_a_choice_that_fails_is_reported_by_the_code_of_the_service_alone() -> None:
    names = found([labeled("1", "cat"), boxed("2", "cat")])["name"].to_list()
    assert names == ["too-few-usable-labels"]


def test_training_images_without_boxes_need_test_images_with_boxes() -> None:
    train = [labeled(str(n), label) for n, label in enumerate(("acme", "initech", "initech"))]
    silent = found(train, [boxed("t1", "acme"), boxed("t2", "initech")])
    assert "labels-without-test-boxes" not in silent["name"].to_list()
    (row,) = found(train, [boxed("t1", "acme")]).filter(name="labels-without-test-boxes").iter_rows(named=True)
    assert row["message"].startswith("'initech' has image-level labels only, and no box in the test data;")
    assert row["label"] == "initech"


def test_a_data_set_without_boxes_is_for_classification() -> None:
    train = [labeled(f"{label}{n}", label) for label in ("cat", "dog") for n in range(20)]
    assert found(train, [labeled("t1", "cat"), labeled("t2", "dog")]).is_empty()


def test_the_few_images_with_several_labels_are_reported_line_by_line() -> None:
    train = [labeled(str(n), "cat" if n % 2 else "dog") for n in range(98)]
    odd = [labeled("98", "cat", "dog"), labeled("99", "dog", "cow")]
    rows = found([*train, *odd]).filter(name="few-images-with-several-labels")
    assert rows["line"].to_list() == [99, 100]
    assert rows["message"][1].startswith("2 image-level labels ('cow', 'dog') where 98.0% of the images have one;")
    # Where many images have several, they are meant to.
    many = [labeled(f"m{n}", "cat", "dog") for n in range(6)]
    assert found([*train, *many]).filter(name="few-images-with-several-labels").is_empty()


def test_two_attributes_with_the_same_label_are_one_label() -> None:
    train = [labeled(str(n), "cat" if n % 2 else "dog") for n in range(60)]
    assert found([*train, labeled("60", "cat", "cat")]).is_empty()
