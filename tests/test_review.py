"""`groundlint review`: which lines are written again, that they keep their bytes, and what is refused."""

from __future__ import annotations

import codecs
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import groundlint
from lines import classification, detection, manifest

LEFT = ({"left": -5}, {})
OUTSIDE = [detection(f"s3://bucket/{n}.jpg", LEFT if n in (2, 5, 9) else ({},)) for n in range(12)]


def check(folder: Path, *arguments: str, **manifests: str | bytes) -> None:
    """Write manifests and a report on them."""
    for name, text in manifests.items():
        data = text.encode() if isinstance(text, str) else text
        (folder / f"{name}.manifest").write_bytes(data)
    names = [f"{name}.manifest" for name in manifests]
    done = groundlint("check", *names, "--fast", "--exit-zero", "--output", "json:r.json", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr


def review(folder: Path, *arguments: str) -> tuple[list[bytes], str]:
    """The lines that the command writes, and what it prints."""
    done = groundlint("review", "r.json", "--to", "relabel.manifest", *arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return (folder / "relabel.manifest").read_bytes().splitlines(keepends=True), done.stdout


def sources(lines: list[bytes]) -> list[str]:
    return [json.loads(line)["source-ref"].rpartition("/")[2] for line in lines]


def finding(**values: Any) -> dict[str, Any]:
    """A finding of a report."""
    places = dict.fromkeys(["attribute", "box", "label", "image", "score", "aws", "loses", "caused_by", "fix", "url"])
    known = {
        "code": "BOX101",
        "name": "box-outside-image",
        "severity": "error",
        "message": "x",
        "manifest": "a.manifest",
        "line": 1,
        "source_ref": "s3://bucket/0.jpg",
        "typical": False,
        "related": [],
        "fingerprint": "0",
    }
    return {**places, **known, **values}


def write_report(folder: Path, *findings: dict[str, Any], **changed: Any) -> None:
    """A report with some findings on a.manifest, which has twelve lines."""
    (folder / "a.manifest").write_text(manifest(*OUTSIDE))
    report = {
        "schema_version": 1,
        "tool": {"name": "groundlint", "version": "0"},
        "target": "rekognition",
        "summary": {
            **dict.fromkeys(["manifests", "lines", "labels", "boxes", "suppressed", "baselined"], 0),
            "images": {"total": 0, "found": None, "unreadable": None},
            "counts": {"error": 0, "warning": 0, "info": 0},
            "skipped_rules": [],
            "notes": [],
        },
        "findings": findings,
    }
    (folder / "r.json").write_text(json.dumps(report | changed))


THREE = [finding(line=n + 1, source_ref=f"s3://bucket/{n}.jpg", attribute="animals") for n in (2, 5, 9)]


def test_lines_keep_their_bytes_and_their_order(tmp_path: Path) -> None:
    """A byte order mark is left out, and the last line gets the end that the others have."""
    text = manifest(*OUTSIDE[:10]).replace('": ', '" :  ').replace("\n", "\r\n").encode()
    check(tmp_path, a=codecs.BOM_UTF8 + text[:-2])
    lines, shown = review(tmp_path, "--select", "BOX101")
    assert lines == [text.splitlines(keepends=True)[n] for n in (2, 5, 9)]
    assert "relabel.manifest: 3 images of 3 findings\n" in shown
    assert "'animals' on 3 of 3 lines: an adjustment or verification job" in shown


def test_what_is_written_can_be_checked_and_labeled(tmp_path: Path) -> None:
    check(tmp_path, a=manifest(*OUTSIDE))
    lines, _ = review(tmp_path, "--select", "BOX101")
    assert [json.loads(line) for line in lines] == [OUTSIDE[n] for n in (2, 5, 9)]
    options = ("--target", "ground-truth", "--select", "MAN,LBL,REF", "--output", "concise")
    done = groundlint("check", "relabel.manifest", *options, "--fail-on", "info", cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_each_image_is_written_once_in_the_order_of_manifests_and_lines(tmp_path: Path) -> None:
    twice = [*OUTSIDE, detection("s3://bucket/5.jpg", ({"left": -1}, {"left": -1}))]
    check(tmp_path, b=manifest(*twice), a=manifest(*(detection(f"s3://other/{n}.jpg", LEFT) for n in (8, 7))))
    lines, _ = review(tmp_path, "--select", "BOX101")
    assert sources(lines) == ["8.jpg", "7.jpg", "2.jpg", "5.jpg", "9.jpg"]


@pytest.mark.parametrize("selector", ["BOX101", "Box1", "box-outside-image", "ERROR_INVALID_BOUNDING_BOX", "BAL,BOX1"])
def test_selectors_are_those_of_check(selector: str, tmp_path: Path) -> None:
    write_report(tmp_path, *THREE, finding(code="BOX301", line=4, source_ref="s3://bucket/3.jpg"))
    assert sources(review(tmp_path, "--select", selector)[0]) == ["2.jpg", "5.jpg", "9.jpg"]


def test_severity_and_score_choose(tmp_path: Path) -> None:
    places = [{"line": n, "source_ref": f"s3://bucket/{n - 1}.jpg"} for n in (1, 2, 3, 4)]
    severities = ["error", "warning", "warning", "info"]
    scores = [None, 0.5, 0.95, 0.9]
    write_report(
        tmp_path,
        *(
            finding(**place, severity=level, score=score)
            for place, level, score in zip(places, severities, scores, strict=True)
        ),
    )
    assert sources(review(tmp_path)[0]) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert sources(review(tmp_path, "--min-severity", "warning")[0]) == ["0.jpg", "1.jpg", "2.jpg"]
    assert sources(review(tmp_path, "--min-score", "0.9")[0]) == ["2.jpg", "3.jpg"]
    assert sources(review(tmp_path, "--min-score", "0.9", "--min-severity", "warning")[0]) == ["2.jpg"]


def test_nothing_selected_replaces_an_older_file_by_an_empty_one(tmp_path: Path) -> None:
    write_report(tmp_path, finding())
    (tmp_path / "relabel.manifest").write_text("from yesterday")
    assert review(tmp_path, "--select", "SUS") == (
        [],
        "relabel.manifest: 0 images of 0 findings\nthere is nothing to label again\n",
    )


def test_the_label_attributes_are_those_that_the_findings_name(tmp_path: Path) -> None:
    both = detection("s3://bucket/0.jpg") | classification("s3://bucket/0.jpg", name="scene")
    write_report(
        tmp_path,
        finding(attribute="animals"),
        finding(line=2, source_ref="s3://bucket/1.jpg"),
    )
    (tmp_path / "a.manifest").write_text(manifest(both, classification("s3://bucket/1.jpg", name="scene")))
    _, shown = review(tmp_path)
    assert shown.splitlines()[1:] == [
        "label attributes to name in the job:",
        "  'animals' on 1 of 2 lines: an adjustment or verification job takes it as the existing labels",
        "  'scene' on 1 of 2 lines: a new labeling job with another attribute name labels the images again",
    ]


def test_a_name_of_an_attribute_is_no_command_of_a_workflow(tmp_path: Path) -> None:
    write_report(tmp_path, finding())
    (tmp_path / "a.manifest").write_text(manifest(classification("s3://bucket/0.jpg", name="x##vso[task.x]\x1b[2J")))
    _, shown = review(tmp_path)
    assert r"'x\x23#vso[task.x]\x1b[2J' on 1 of 1 line" in shown


def test_findings_without_an_image_and_broken_lines_are_counted(tmp_path: Path) -> None:
    write_report(
        tmp_path,
        finding(),
        finding(line=None, source_ref=None),
        finding(manifest="gone.manifest", line=None, source_ref=None),
        finding(line=13, source_ref=None),
        finding(line=14, source_ref="https://example.com/1.jpg"),
    )
    (tmp_path / "a.manifest").write_text(manifest(*OUTSIDE, '{"source-ref": ', detection("https://example.com/1.jpg")))
    done = groundlint("review", "r.json", "--to", "x.manifest", cwd=tmp_path)
    assert done.returncode == 0
    said = groundlint_notes(tmp_path)
    assert "note: 2 findings are not about an image, but about a label, manifest or data set" in said
    assert "note: 2 findings are on lines without valid JSON or an S3 URI in source-ref" in said
    assert "x.manifest: 1 image of 1 finding" in done.stdout
    said = groundlint_notes(tmp_path, "--min-score", "0.5")
    assert said == "note: 5 of 5 selected findings have no score; --min-score leaves them out\n"


def groundlint_notes(folder: Path, *arguments: str) -> str:
    """Standard error of a review with its notes."""
    words = [sys.executable, "-m", "groundlint", "review", "r.json", "--to", "x.manifest", *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "a.manifest").unlink(), "a.manifest: r.json is about this manifest, which does not"),
        (lambda folder: (folder / "a.manifest").write_text(""), "run `groundlint check` again for a new report"),
        (
            lambda folder: (folder / "a.manifest").write_text(manifest(*OUTSIDE[1:])),
            "a.manifest:3, a.manifest:6, a.manifest:10: no longer name the images of the report; the manifest",
        ),
        (lambda folder: (folder / "r.json").write_text("{"), "r.json: not a JSON report; write a new one"),
        (lambda folder: (folder / "r.json").write_text('{"runs": []}'), "which has `schema_version`"),
        (lambda folder: (folder / "r.json").unlink(), "r.json: No such file"),
        (
            lambda folder: write_report(folder, finding(), schema_version=2),
            "`schema_version` is 2, this groundlint reads 1",
        ),
        (lambda folder: write_report(folder, finding(line="1", more=1)), "r.json: not a report of this groundlint"),
        (lambda folder: (folder / "r.json").write_text("[" * 100_000), "r.json: not a JSON report"),
    ],
)
def test_what_cannot_be_reviewed_is_refused(change: Any, says: str, tmp_path: Path) -> None:
    write_report(tmp_path, *THREE)
    change(tmp_path)
    done = groundlint("review", "r.json", "--to", "relabel.manifest", cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr, done.stderr
    assert not (tmp_path / "relabel.manifest").exists()


def test_the_files_that_are_read_are_not_overwritten(tmp_path: Path) -> None:
    write_report(tmp_path, *THREE)
    (tmp_path / "link.manifest").symlink_to("a.manifest")
    for name in ("a.manifest", "./a.manifest", "link.manifest", "r.json"):
        done = groundlint("review", "r.json", "--to", name, cwd=tmp_path)
        assert done.returncode == 2
        assert "write to another file" in done.stderr
    assert (tmp_path / "a.manifest").read_text() == manifest(*OUTSIDE)


def test_an_unknown_selector_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    write_report(tmp_path, finding())
    done = groundlint("review", "r.json", "--to", "x.manifest", "--select", "box-outsid-image", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean `box-outside-image`?" in done.stderr


def test_a_real_report_gives_the_lines_of_its_warnings(tmp_path: Path) -> None:
    photographs = Path(__file__).parents[1] / "fixtures/photographs"
    shutil.copytree(photographs, tmp_path, dirs_exist_ok=True)
    done = groundlint("check", "--fast", "--exit-zero", "--output", "json:r.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    findings = json.loads((tmp_path / "r.json").read_text())["findings"]
    wanted = {each["source_ref"] for each in findings if each["severity"] != "info" and each["line"]}
    lines, _ = review(tmp_path, "--min-severity", "warning")
    assert wanted == {json.loads(line)["source-ref"] for line in lines}
    known = {
        line
        for path in tmp_path.glob("*.manifest")
        if path.stem != "relabel"
        for line in path.read_bytes().splitlines()
    }
    assert {line.rstrip(b"\n") for line in lines} <= known
