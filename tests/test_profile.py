"""The portrait of a data set: its numbers, and that it stays short, within the width and harmless."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import groundlint
from lines import classification, detection, manifest
from PIL import Image

from groundlint.report.layout import columns

PHOTOGRAPHS = Path(__file__).parents[1] / "fixtures" / "photographs"


def profiled(folder: Path, *arguments: str) -> Any:
    done = groundlint("profile", *arguments, "--output", "json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def text_of(folder: Path, *arguments: str, **environment: str) -> str:
    done = groundlint("profile", *arguments, cwd=folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_data_set_with_splits_and_images_is_described(tmp_path: Path) -> None:
    report = profiled(PHOTOGRAPHS, "--train", "clothes-train.manifest", "--test", "clothes-test.manifest", "--no-cache")
    (portrait,) = report["data_sets"]
    assert (portrait["images"], portrait["images_found"], portrait["unlabeled_images"]) == (239, 239, 0)
    assert [(part["split"], part["images"], part["labels"]) for part in portrait["splits"]] == [
        ("train", 206, 206),
        ("test", 33, 33),
    ]
    hat = next(part for part in portrait["labels"] if part["label"] == "hat")
    assert (hat["images"], hat["images_by_split"], hat["boxes"]) == (25, {"train": 17, "test": 8}, None)
    assert hat["image_share"] == pytest.approx(25 / 239, abs=1e-6)
    assert portrait["image_sizes"]["source"] == "files"
    # Two planted copies within the training data and others across the splits.
    assert 2 <= portrait["duplicates"]["redundant"] < portrait["duplicates"]["images"] < 20
    assert 128 < portrait["exposure"]["bright_level"]["median"] <= 255
    assert portrait["boxes"] == {"short_side": None, "area_share": None, "per_image": None}
    assert [job["job"] for job in portrait["jobs"]] == ["labeling-job/clothes"]
    assert portrait["workers"]["by_people"] == 239
    assert portrait["not_looked_at"]["skipped_rules"] == []


def test_boxes_are_described_by_side_share_and_number(tmp_path: Path) -> None:
    boxes = ({"width": 64, "height": 48}, {"width": 320, "height": 240, "class_id": 1}, {"width": 320, "height": 240})
    lines = [detection("s3://bucket/1.jpg", boxes[:1]), detection("s3://bucket/2.jpg", boxes[1:])]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    (portrait,) = profiled(tmp_path)["data_sets"]
    sizes = portrait["boxes"]
    assert [sizes["short_side"][name] for name in ("min", "median", "max")] == [48, 240, 240]
    assert [sizes["area_share"][name] for name in ("min", "median", "max")] == [0.01, 0.25, 0.25]
    assert sizes["per_image"]["max"] == 2
    cat, dog = portrait["labels"]
    assert (cat["label"], cat["images"], cat["boxes"], cat["box_share"]) == (
        "cat",
        2,
        2,
        pytest.approx(2 / 3, abs=1e-6),
    )
    assert (dog["label"], dog["images"], dog["image_share"]) == ("dog", 1, 0.5)
    assert portrait["use_cases"] == [
        {"use_case": "detection", "images": 2, "images_with_several_labels": 1, "labels": 2}
    ]


def test_the_json_has_these_keys_only(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(manifest(detection()))
    report = profiled(tmp_path)
    assert list(report) == ["schema_version", "tool", "target", "data_sets", "notes"]
    assert report["schema_version"] == 1
    assert list(report["data_sets"][0]) == [
        "manifests",
        "images",
        "images_found",
        "unlabeled_images",
        "splits",
        "use_cases",
        "labels",
        "boxes",
        "image_sizes",
        "duplicates",
        "exposure",
        "jobs",
        "workers",
        "not_looked_at",
    ]
    assert list(report["notes"][0]) == ["kind", "manifest", "count", "message"]


def test_without_images_it_says_so_and_describes_what_the_manifest_declares(tmp_path: Path) -> None:
    lines = manifest(detection("s3://bucket/1.jpg"), detection("s3://bucket/2.jpg")) + "\n{not json}\n"
    (tmp_path / "a.manifest").write_text(lines)
    report = profiled(tmp_path)
    (portrait,) = report["data_sets"]
    assert [note["kind"] for note in report["notes"]] == ["images-not-found"]
    assert (portrait["duplicates"], portrait["exposure"]) == (None, None)
    assert (portrait["image_sizes"]["source"], portrait["image_sizes"]["most_frequent"]) == ("image_size", [640, 480])
    left_out = portrait["not_looked_at"]
    assert (left_out["images_not_found"], left_out["lines"]) == (2, 2)
    assert "IMG301" in left_out["skipped_rules"]
    text = text_of(tmp_path)
    assert "not looked at   2 images not found; 2 lines blank or not a JSON object; " in text
    assert "0 of 2 images" in text
    assert "near-duplicates" not in text


def test_an_empty_manifest_has_a_portrait(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text("")
    (portrait,) = profiled(tmp_path)["data_sets"]
    assert (portrait["images"], portrait["labels"], portrait["image_sizes"]) == (0, [], None)
    assert (
        text_of(tmp_path)
        == "a.manifest\n  contents        0 lines, 0 images\n  looked at       0 lines, 0 of 0 images\n"
    )
    assert "## a.manifest" in text_of(tmp_path, "--output", "markdown")


def test_each_data_set_has_a_portrait_of_its_own(tmp_path: Path) -> None:
    for name, count in (("a", 2), ("b", 3), ("c", 4)):
        lines = [classification(f"s3://bucket/{name}{n}.jpg", name) for n in range(count)]
        (tmp_path / f"{name}.manifest").write_text(manifest(*lines))
    (tmp_path / "groundlint.toml").write_text('[datasets.ab]\ntrain = "a.manifest"\ntest = "b.manifest"\n')
    found = {tuple(each["manifests"]): each for each in profiled(tmp_path, ".")["data_sets"]}
    assert {names: portrait["images"] for names, portrait in found.items()} == {
        ("a.manifest", "b.manifest"): 5,
        ("c.manifest",): 4,
    }
    # A manifest that is named alone brings its data set.
    (portrait,) = profiled(tmp_path, "a.manifest")["data_sets"]
    assert portrait == found["a.manifest", "b.manifest"]


def test_a_manifest_in_two_splits_counts_once_in_the_whole(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(manifest(detection("s3://bucket/1.jpg", ({}, {"left": 300}))))
    (portrait,) = profiled(tmp_path, "--train", "a.manifest", "--test", "a.manifest")["data_sets"]
    (label,) = portrait["labels"]
    assert (label["images"], label["boxes"], label["images_by_split"]) == (1, 2, {"train": 1, "test": 1})
    assert (portrait["images"], portrait["boxes"]["per_image"]["max"], portrait["workers"]["labels"]) == (1, 2, 2)


HOSTILE = ["::error::x", "##[group]y", "\x1b[31mred", "\u202eabc", "<img src=x>", "[a](http://b)", "@all", "猫" * 90]


def test_hostile_names_are_shown_harmlessly(tmp_path: Path) -> None:
    lines = [
        classification(f"s3://bucket/{n}.jpg", name, **{"job-name": f"::warning::{name}"})
        for n, name in enumerate(HOSTILE)
    ]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    for width in ("20", "60"):
        text = text_of(tmp_path, COLUMNS=width)
        assert not [line for line in text.splitlines() if line.strip().startswith(("::", "##"))]
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert all(name in text.replace("\\x3a", ":") for name in ("::error::x", "\\x1b[31mred", "\\u202eabc"))
    markdown = text_of(tmp_path, "--output", "markdown")
    assert not re.search(r"(?<!\\)<img|(?<!\\)\[a|@all|\x1b|(?<!\\)://", markdown)
    names = {part["label"] for part in profiled(tmp_path)["data_sets"][0]["labels"]}
    assert names == set(HOSTILE)


@pytest.mark.parametrize("width", [60, 120])
def test_text_fits_the_width_and_lists_ten_labels(tmp_path: Path, width: int) -> None:
    lines = [
        detection(f"s3://bucket/{n}-{k}.jpg", ({},), **{"class-map": {"0": f"label {n} with a rather long name " * 3}})
        for n in range(25)
        for k in range(n + 1)
    ]
    lines += [classification(f"s3://bucket/{n}.jpg", "一二三四五六七八九十" * 9) for n in range(30)]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    text = text_of(tmp_path, COLUMNS=str(width))
    assert max(map(columns, text.splitlines())) <= width
    assert len(text.splitlines()) <= 30
    assert text.endswith("    16 more labels, the rarest on 1 image\n")
    assert text.count("label ") >= 9


def test_labels_by_machines_and_by_single_workers_are_counted(tmp_path: Path) -> None:
    lines = [
        classification("s3://bucket/1.jpg", confidence=0),
        classification("s3://bucket/2.jpg"),
        classification("s3://bucket/3.jpg", **{"human-annotated": "no", "confidence": 0}),
    ]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    (portrait,) = profiled(tmp_path)["data_sets"]
    assert portrait["workers"] == {"by_people": 2, "by_machine": 1, "unknown": 0, "labels": 3, "single_worker": 1}
    assert "labeled by people 67%, a machine 33%; 33% of labels with confidence 0" in text_of(tmp_path, COLUMNS="120")


def test_reports_go_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(manifest(detection()))
    done = groundlint("profile", "--output", "json:a.json", "--output", "markdown:a.md", cwd=tmp_path)
    assert done.stdout.startswith("a.manifest\n")
    assert json.loads((tmp_path / "a.json").read_text())["data_sets"][0]["images"] == 1
    assert "| cat | 1 | 100% | 1 | 100% |" in (tmp_path / "a.md").read_text()
    assert groundlint("profile", "--output", "sarif", cwd=tmp_path).returncode == 2


def test_what_cannot_be_read_ends_with_2_and_the_rest_is_described(tmp_path: Path) -> None:
    Image.new("RGB", (640, 480)).save(tmp_path / "1.jpg")
    (tmp_path / "2.jpg").write_text("no image")
    (tmp_path / "a.manifest").write_text(manifest(detection("s3://bucket/1.jpg"), detection("s3://bucket/2.jpg")))
    done = groundlint("profile", "a.manifest", "missing.manifest", "--no-cache", cwd=tmp_path)
    assert done.returncode == 2
    assert "error: missing.manifest: " in done.stderr
    assert "2 lines, 1 of 2 images" in done.stdout
    assert "1 unreadable image" in done.stdout


def test_the_order_of_lines_and_the_number_of_processes_change_nothing(tmp_path: Path) -> None:
    lines = [
        *(PHOTOGRAPHS / "cells.manifest").read_text().splitlines(),
        *manifest(detection(), detection("s3://b/2")).splitlines(),
    ]
    described = []
    for name, part, jobs in (("a", lines, "1"), ("b", lines[::-1], "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.manifest").write_text("\n".join(part))
        done = profiled(tmp_path / name, "--images", str(PHOTOGRAPHS / "cells"), "--jobs", jobs, "--no-cache")
        described.append(done["data_sets"])
    assert described[0] == described[1]
    assert described[0][0]["images_found"] == 24
