"""Findings on image files, from the files to the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from image_sets import COUNT, image_bytes, write_images, write_manifest
from lines import classification, detection
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app

# Rules that need the images only, and not what the service would say.
SELECT = ("--select", "IMG201,IMG202,IMG205,IMG206")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_images()
    return tmp_path


def check(*arguments: str) -> tuple[int, Any, str]:
    """Exit status, report and standard error of the command."""
    result = CliRunner().invoke(app, ["check", "a.manifest", "--output", "json:report.json", *SELECT, *arguments])
    return result.exit_code, json.loads(Path("report.json").read_text()), result.stderr


def test_images_are_counted_in_the_summary() -> None:
    Path("images/3.jpg").write_bytes(image_bytes()[:-300])
    Path("images/4.jpg").unlink()
    status, report, _ = check()
    assert status == 1
    assert report["summary"]["images"] == {"total": COUNT, "found": COUNT - 1, "unreadable": 1}
    assert [(finding["name"], finding["image"]) for finding in report["findings"]] == [
        ("image-truncated", "images/3.jpg")
    ]


def test_an_image_is_judged_by_its_own_size() -> None:
    write_manifest(*(detection(f"s3://bucket/images/{n}.jpg") for n in range(3)))
    for n, size in enumerate(((640, 480), (640, 100), (480, 640))):
        Path(f"images/{n}.jpg").write_bytes(image_bytes(size))
    found = [(finding["line"], finding["name"]) for finding in check()[1]["findings"]]
    assert found == [(2, "wrong-image-size"), (3, "wrong-image-size")]


def test_a_truncated_image_still_has_an_orientation(folder: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    data = image_bytes(exif=exif)
    Path("images/0.jpg").write_bytes(data[: len(data) * 2 // 3])
    write_manifest(*(detection(f"s3://bucket/images/{n}.jpg") for n in range(3)))
    # Measured, then stored, then recalled.
    for flags in (("--no-cache",), (), ()):
        names = {finding["name"] for finding in check(*flags)[1]["findings"] if finding["line"] == 1}
        assert names >= {"image-truncated", "image-exif-rotated"}


def test_without_any_image_a_note_says_so_and_names_the_rules_that_were_skipped() -> None:
    Path("images").rename("gone")
    status, report, said = check()
    assert (status, report["findings"]) == (0, [])
    assert said.count("no image of a.manifest was found in ") == 1
    assert report["summary"]["images"] == {"total": COUNT, "found": 0, "unreadable": 0}
    assert {skipped["code"] for skipped in report["summary"]["skipped_rules"]} == set(SELECT[1].split(","))
    assert not Path(".groundlint_cache").exists()


def test_findings_do_not_depend_on_the_number_of_workers_or_the_cache() -> None:
    Path("images/3.jpg").write_bytes(image_bytes()[:-300])
    write_manifest(*(classification(f"s3://bucket/images/{n}.jpg") for n in range(COUNT)))
    runs = (("--jobs", "1", "--no-cache"), ("--jobs", "3", "--no-cache"), ("--jobs", "2"), ("--jobs", "2"))
    findings = [check(*flags)[1]["findings"] for flags in runs]
    assert findings[0] != []
    assert findings[1:] == findings[:1] * 3


def test_the_python_function_looks_at_images_too() -> None:
    Path("images/3.jpg").write_bytes(image_bytes()[:-300])
    result = groundlint.check("a.manifest", select=["image-truncated"])
    assert result.findings["source_ref"].to_list() == ["s3://bucket/images/3.jpg"]


def test_verbose_output_has_the_traceback_of_a_worker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The worker finds this file in place of Pillow; this process has imported Pillow already.
    (folder / "PIL.py").write_text("raise ImportError('not in a worker')\n")
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    status, _, said = check("--no-cache")
    assert status == 2
    assert "error: the worker for images failed: ImportError: not in a worker\n" in said
    assert "Traceback" not in said
    assert "raise ImportError('not in a worker')" in check("--no-cache", "-v")[2]
