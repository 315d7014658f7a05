"""Single kinds of faults met in public reports, with the result that a practitioner needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import groundlint, report_of
from lines import classification, manifest


def check(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and findings of the command with all fast rules, but those on missing images."""
    flags = ("--fast", "--output", "json:report.json", "--ignore", "image-missing")
    done = groundlint("check", "a.manifest", *flags, *arguments, cwd=folder)
    return done.returncode, report_of(folder / "report.json")["findings"]


def write(folder: Path, *lines: dict[str, Any]) -> None:
    (folder / "a.manifest").write_text(manifest(*lines))


def test_lines_without_confidence_are_lost_labels_of_classification(tmp_path: Path) -> None:
    lines = [classification(f"s3://bucket/{n}.jpg", "ab"[n % 2]) for n in range(12)]
    for line in lines:
        del line["animal-metadata"]["confidence"]
    write(tmp_path, *lines)
    status, found = check(tmp_path)
    assert status == 1
    (few,) = [f["message"] for f in found if f["name"] == "too-few-labels"]
    assert "classification needs at least 2; fix the 12 lines that would be dropped" in few
    assert "detection" not in json.dumps(found)
    assert [f["code"] for f in found if f["aws"] is None] == []


def test_backslashes_in_keys_are_one_warning(tmp_path: Path) -> None:
    write(tmp_path, *(classification(f"s3://my-bucket/img\\cat\\{n}.jpg", "ab"[n % 2]) for n in range(12)))
    status, found = check(tmp_path, "--select", "REF")
    assert status == 0
    (finding,) = found
    assert (finding["name"], finding["severity"], finding["line"]) == ("suspicious-key", "warning", 1)
    assert finding["message"].startswith("the key of source-ref has backslashes: s3://my-bucket/img\\cat\\0.jpg; ")
    assert finding["message"].endswith("; also on 11 other lines")


@pytest.mark.parametrize(("column", "is_close"), [("racoon", True), ("Raccoon", True), ("beaver", False)])
def test_a_misspelled_column_of_probabilities_names_the_close_label(
    tmp_path: Path, column: str, is_close: bool
) -> None:
    write(tmp_path, *(classification(f"s3://bucket/{n}.jpg", ("fox", "raccoon")[n % 2]) for n in range(12)))
    rows = [f"s3://bucket/{n}.jpg,animal,0.5,0.5" for n in range(12)]
    (tmp_path / "p.csv").write_text("\n".join([f"source_ref,attribute,fox,{column}", *rows]))
    done = groundlint("check", "a.manifest", "--fast", "--pred-probs", "p.csv", cwd=tmp_path)
    assert (done.returncode == 2) == is_close
    if is_close:
        assert done.stdout == ""
        assert (
            f"p.csv: the column '{column}' matches no label of the manifests, but 'raccoon' has no column"
            in done.stderr
        )
