"""A manifest that is train and test: each split is judged for itself, and the manifest as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lines import classification, detection, manifest
from typer.testing import CliRunner

from groundlint.cli import app


def findings(folder: Path, *lines: dict[str, Any] | str) -> list[dict[str, Any]]:
    path, report = folder / "a.manifest", folder / "report.json"
    path.write_text(manifest(*lines))
    arguments = ["check", "--isolated", "--train", str(path), "--test", str(path), "--output", f"json:{report}"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in (0, 1), result.output
    found: list[dict[str, Any]] = json.loads(report.read_text())["findings"]
    return found


def test_a_repeated_image_is_told_once_a_split_with_the_line_before_it(tmp_path: Path) -> None:
    lines = [detection(f"s3://bucket/{n}.jpg", ({}, {"left": 300})) for n in range(4)]
    found = findings(tmp_path, *lines, lines[0])
    repeated = [f for f in found if f["name"] == "repeated-source-ref"]
    assert [(f["line"], f["loses"]) for f in repeated] == [(5, "line")] * 2
    assert [[(place["line"]) for place in f["related"]] for f in repeated] == [[1]] * 2
    # One line of five is lost, which is no more than a fifth; no box lies on itself.
    assert {f["name"] for f in found if f["severity"] == "error"} == {"repeated-source-ref"}
    assert "duplicated-box" not in {f["name"] for f in found}


def test_what_the_losses_of_the_manifest_come_to_is_told_once(tmp_path: Path) -> None:
    found = findings(tmp_path, *[detection(f"s3://bucket/{n}.jpg") for n in range(3)], "{", "{")
    messages = [f["message"] for f in found if f["name"] in ("too-many-invalid-lines", "too-many-removed-lines")]
    assert [message.split(";")[0] for message in messages] == [
        "2 of 5 lines are lost",
        "2 of 5 lines would be removed silently",
    ]


def test_test_data_that_cannot_be_read_are_test_data_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(manifest(classification(), classification("s3://bucket/2.jpg", "dog")))
    Path("groundlint.toml").write_text('[datasets.pets]\ntrain = "train.manifest"\ntest = "test.manifest"\n')
    done = CliRunner().invoke(app, ["check", "--select", "SPL", "--output", "json:report.json"])
    report = json.loads(Path("report.json").read_text())
    assert done.exit_code == 2
    assert report["findings"] == []
    assert report["summary"]["manifests"] == 1
