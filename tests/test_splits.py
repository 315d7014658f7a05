"""Rules on training against test data: leaks without images, and data sets that are compared only within themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import classification, manifest
from polars import DataFrame

import groundlint
from groundlint.engine.evaluate import evaluate
from groundlint.engine.examples import Example
from groundlint.engine.registry import Registry, load
from groundlint.example_tables import example_tables, together


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load(isolated=True)


def findings(registry: Registry, rule: str, *data_sets: Example) -> DataFrame:
    """What a rule finds in data sets that are judged together."""
    plan = registry.graph.plan([registry.find(rule)()])
    evaluation = evaluate(plan, together([example_tables(registry, data_set) for data_set in data_sets]))
    assert not evaluation.raised
    return evaluation.findings


def images(*names: str, label: str = "cat") -> str:
    return manifest(*[classification(f"s3://bucket/{name}.jpg", label) for name in names])


def test_a_leaked_source_ref_is_found_without_images(tmp_path: Path) -> None:
    train, test = tmp_path / "a.manifest", tmp_path / "b.manifest"
    train.write_text(images("1", "2"))
    test.write_text(images("3", "2"))
    found = groundlint.check(train=[train], test=[test], isolated=True, select=["leaked-image"]).findings
    assert found.select("manifest", "line", "source_ref").rows() == [(str(test), 2, "s3://bucket/2.jpg")]
    assert [(place["manifest"], place["line"]) for place in found["related"][0]] == [(str(train), 2)]


def test_a_leak_refers_to_the_first_training_line_of_the_image(registry: Registry) -> None:
    found = findings(registry, "leaked-image", Example(manifest=images("2", "1", "1"), test_manifest=images("1")))
    assert [place["line"] for place in found["related"][0]] == [2]


def test_every_test_line_with_a_leaked_image_is_found(registry: Registry) -> None:
    found = findings(registry, "leaked-image", Example(manifest=images("1"), test_manifest=images("1", "2", "1")))
    assert found["line"].to_list() == [1, 3]


def test_lines_without_source_ref_are_not_the_same_image(registry: Registry) -> None:
    lines = [{"source_ref": None}, {"source_ref": None, "manifest": "test.manifest", "split": "test"}]
    assert findings(registry, "leaked-image", Example(lines=lines)).is_empty()


def test_an_image_in_the_training_data_of_another_data_set_is_not_leaked(registry: Registry) -> None:
    data_sets = [
        Example(manifest=images("1"), test_manifest=images("2")),
        Example(manifest=images("2"), test_manifest=images("1")),
    ]
    assert findings(registry, "leaked-image", *data_sets).is_empty()


def test_a_reference_image_is_not_leaked(registry: Registry) -> None:
    lines = [{"manifest": "reference.manifest", "split": "reference"}, {"manifest": "test.manifest", "split": "test"}]
    assert findings(registry, "leaked-image", Example(lines=lines)).is_empty()


def test_a_test_image_in_the_training_data_is_not_reported_again_as_a_duplicate(registry: Registry) -> None:
    place = {"line": 1, "group": "s3://bucket/1.jpg", "exact": "s3://bucket/1.jpg", "distance": 0}
    copies = [
        place | {"split": "train", "manifest": "train.manifest", "source_ref": "s3://bucket/1.jpg", "rank": 0},
        place | {"split": "test", "manifest": "test.manifest", "source_ref": "s3://bucket/1.jpg", "rank": 0},
        place | {"split": "test", "manifest": "test.manifest", "line": 2, "source_ref": "s3://bucket/2.jpg", "rank": 1},
    ]
    data = Example(manifest=images("1"), test_manifest=images("1", "2"), split_duplicates=copies)
    first, second = findings(registry, "leaked-image", data)["message"]
    assert first.startswith("this image is also in the training data")
    assert second.startswith("duplicate of the training image s3://bucket/1.jpg")


def test_a_missing_label_is_found_beside_a_data_set_with_too_little_overlap(registry: Registry) -> None:
    mostly_missing = Example(manifest=images("1") + images("2", label="dog"), test_manifest=images("3", label="cow"))
    one_missing = Example(manifest=images("1") + images("2", label="dog"), test_manifest=images("3"))
    found = findings(registry, "label-missing-from-split", mostly_missing, one_missing)
    assert found.select("data_set", "label").rows() == [(1, "dog")]


def test_a_label_in_the_test_data_of_another_data_set_is_missing(registry: Registry) -> None:
    first = Example(manifest=images("1") + images("2", label="dog"), test_manifest=images("3"))
    second = Example(manifest=images("1") + images("2", label="dog"), test_manifest=images("3", label="dog"))
    found = findings(registry, "label-missing-from-split", first, second)
    assert found.select("data_set", "label").rows() == [(0, "dog"), (1, "cat")]


def split_names(*templates: str, count: int = 60, block: bool = False) -> Example:
    """A data set of numbered files, every fifth or the last fifth of them test data."""
    in_test = [n >= 0.8 * count if block else n % 5 == 0 for n in range(count)]
    train, test = (
        images(*(template.format(n) for template in templates for n in range(count) if in_test[n] == part))
        for part in (False, True)
    )
    return Example(manifest=train, test_manifest=test)


@pytest.mark.parametrize(
    "template",
    [
        "frame_{:06}",
        "frame{}",
        "video_03/{:05}",
        "drive/frames/{:05}",
        "holiday.mp4-{:04}",
        "cam2/img-{:04}-left",
        "holiday_mp4-{:04}_jpg.rf.0a1b2c",
    ],
)
def test_frames_divided_at_random_are_one_info_without_images(registry: Registry, template: str) -> None:
    found = findings(registry, "sequence-split", split_names(template))
    assert found.select("manifest", "line", "severity").rows() == [("0/train.manifest", None, "info")]
    assert found["message"].item().startswith("12 test images may be frames next to training images")
    assert len(found["related"].item()) == 12


@pytest.mark.parametrize(
    "template", ["{}", "{:06}", "raccoon-{}", "BloodImage_{:05}", "webcams/{:04}", "n01440764_{}", "sequel_{:04}"]
)
def test_files_that_are_only_numbered_are_not_taken_for_frames(registry: Registry, template: str) -> None:
    assert findings(registry, "sequence-split", split_names(template)).is_empty()


def test_a_film_that_is_cut_once_between_the_splits_is_no_finding(registry: Registry) -> None:
    assert findings(registry, "sequence-split", split_names("frame_{:06}", block=True)).is_empty()


def test_folders_of_the_splits_do_not_hide_a_sequence(registry: Registry) -> None:
    train = images(*(f"train/frame_{n:04}" for n in range(50) if n % 5))
    test = images(*(f"test/frame_{n:04}" for n in range(0, 50, 5)))
    found = findings(registry, "sequence-split", Example(manifest=train, test_manifest=test))
    assert "s3://bucket/test/frame_0000.jpg and s3://bucket/train/frame_0001.jpg" in found["message"].item()


def test_numbers_of_several_recordings_are_frames_but_those_of_labels_are_not(registry: Registry) -> None:
    recordings = split_names("0419_{:05}", "0420_{:05}", "0421_{:05}", count=20)
    assert findings(registry, "sequence-split", recordings).height == 1
    labels = split_names("cat_{:05}", "dog_{:05}", "cow_{:05}", count=20)
    assert findings(registry, "sequence-split", labels).is_empty()
