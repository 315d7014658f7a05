"""A run: what is judged together, whose findings are reported, and what the summary says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lines import detection, manifest
from PIL import Image
from runs import SMALL, checked

from groundlint.config.data_sets import Request

NARROW = detection("s3://bucket/narrow.jpg", ({"width": 1}, {}))
DATA_SET = '[datasets.a]\ntrain = "train.manifest"\ntest = "test.manifest"\n'
SHARED = "".join(
    f'[datasets.{name}]\ntrain = "{name}.manifest"\ntest = "test.manifest"\n' for name in ("train", "other")
)


def boxes(prefix: str, count: int, class_id: int = 0) -> str:
    """Lines with a box each."""
    return manifest(*(detection(f"s3://bucket/{prefix}{n}.jpg", ({"class_id": class_id},)) for n in range(count)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a data set whose test part has a label that its training part lacks."""
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(boxes("a", 60) + manifest(NARROW))
    Path("test.manifest").write_text(boxes("b", 12, class_id=1))
    Path("other.manifest").write_text(boxes("c", 12))
    return tmp_path


def configure(text: str) -> None:
    Path("groundlint.toml").write_text(text)


def places(*paths: str, request: Request | None = None) -> list[tuple[str, str, int | None]]:
    found = checked(*paths, request=request, rules=SMALL).findings
    return found.select("code", "manifest", "line").rows()


ON_DATA_SET = ("TST103", "train.manifest", None)
ON_LINE = ("TST101", "train.manifest", 61)


def test_a_data_set_is_judged_as_a_whole() -> None:
    configure(DATA_SET)
    assert places() == [ON_DATA_SET, ON_LINE]
    Path("groundlint.toml").unlink()
    assert places() == [ON_LINE]
    assert places(request=Request(train=("train.manifest",), test=("test.manifest",))) == [ON_DATA_SET, ON_LINE]


def test_findings_on_named_manifests_and_on_their_data_set_are_reported() -> None:
    configure(DATA_SET)
    assert places("test.manifest") == [ON_DATA_SET]
    assert places("train.manifest") == [ON_DATA_SET, ON_LINE]


def test_the_summary_covers_named_manifests() -> None:
    configure(DATA_SET)
    summary = checked("test.manifest", rules=SMALL).summary
    assert (summary.manifests, summary.lines, summary.labels, summary.boxes) == (1, 12, 0, 12)
    assert (summary.images.total, summary.images.found, summary.images.unreadable) == (12, None, None)
    whole = checked(rules=SMALL).summary
    assert (whole.manifests, whole.lines, whole.boxes) == (2, 73, 74)


def test_a_manifest_that_data_sets_share_is_reported_and_counted_once() -> None:
    configure(SHARED)
    Path("test.manifest").write_text(boxes("b", 12) + manifest(NARROW))
    outcome = checked(rules=SMALL)
    assert outcome.findings["manifest"].to_list() == ["test.manifest", "train.manifest"]
    assert (outcome.summary.manifests, outcome.summary.lines) == (3, 61 + 12 + 13)


def test_an_image_that_one_of_several_data_sets_finds_counts_as_found_in_any_order() -> None:
    for name in ("with", "without"):
        Path(name).mkdir()
        Path(name, "x.manifest").write_text(boxes("a", 3))
    for n in range(3):
        Image.new("RGB", (640, 480)).save(Path("with", f"a{n}.jpg"))
    for paths in (("with", "without"), ("without", "with")) * 3:
        images = checked(*paths, ignore=["ALL"], extend_select=["IMG207"]).summary.images
        assert (images.total, images.found, images.unreadable) == (3, 3, 0)


def test_a_finding_has_the_name_by_which_its_manifest_was_given(folder: Path) -> None:
    configure(DATA_SET)
    name = str(folder / "train.manifest")
    assert {manifest for _, manifest, _ in places(name)} == {name}


def test_data_sets_judged_in_one_run_give_the_findings_of_separate_runs() -> None:
    together = places("train.manifest", "test.manifest", "other.manifest")
    assert together == places("other.manifest") + places("test.manifest") + places("train.manifest")


def test_standard_input_may_be_a_part_of_a_data_set() -> None:
    data = Path("train.manifest").read_bytes()
    request = Request(train=("-",), test=("test.manifest",), stdin=data)
    assert places(request=request) == [("TST103", "-", None), ("TST101", "-", 61)]


def test_standard_input_stands_for_the_file_whose_name_it_has() -> None:
    configure(DATA_SET)
    request = Request(("-",), stdin=boxes("b", 3).encode(), stdin_name="test.manifest")
    outcome = checked(request=request, rules=SMALL)
    assert outcome.findings.is_empty()
    assert outcome.summary.lines == 3


def test_an_excluded_run_has_a_note_and_no_findings() -> None:
    outcome = checked(request=Request(("train.manifest",), force_exclude=True), rules=SMALL, exclude=["train.*"])
    assert (outcome.findings.height, outcome.unread, outcome.raised) == (0, [], [])
    assert [note.kind for note in outcome.summary.notes] == ["no-files-left"]
    assert (outcome.summary.manifests, outcome.summary.lines, outcome.summary.images.total) == (0, 0, 0)


def test_a_failing_git_is_in_the_notes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init"], check=True, capture_output=True)
    monkeypatch.setenv("PATH", "")
    outcome = checked(".", ".", rules=SMALL)
    assert outcome.summary.manifests == 3
    assert [note.kind for note in outcome.summary.notes] == ["git-failed"]


@pytest.mark.parametrize("name", ["missing.manifest", "x" * 300 + ".manifest"])
def test_a_manifest_that_cannot_be_read_is_named_and_the_others_are_judged(name: str) -> None:
    outcome = checked(name, "train.manifest", rules=SMALL)
    (text,) = outcome.unread
    assert text.startswith(f"{name}: ")
    assert outcome.findings["line"].to_list() == [61]


RAISING = '''
from groundlint import Rule, Severity


class Broken(Rule):
    """It cannot judge."""

    code = "ZZZ101"
    name = "cannot-judge"
    severity = Severity.WARNING
    message = "never"

    def check(self, lines):
        raise ValueError("no \\x1b[31m such\\n::error::thing")
'''


def test_a_rule_that_raises_is_named_and_the_others_are_reported(folder: Path) -> None:
    Path("train.manifest").write_text(manifest(detection("s3://bucket/1.jpg", ({}, {}))))
    installed = folder / "site"
    (installed / "acme-1.dist-info").mkdir(parents=True)
    (installed / "acme_rules.py").write_text(RAISING)
    (installed / "acme-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (installed / "acme-1.dist-info/entry_points.txt").write_text("[groundlint.rules]\nacme = acme_rules\n")

    def check(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "groundlint", "check", "train.manifest", "-q", *options]
        environment = os.environ | {"PYTHONPATH": f"{installed}:{os.environ.get('PYTHONPATH', '')}"}
        return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)

    done = check("--exit-zero", "--summary-file", "gate.json")
    assert done.returncode == 2
    assert done.stderr == "error: the rule ZZZ101 failed: ValueError: no \\x1b[31m such; ::error::thing\n"
    assert "BOX301" in done.stdout
    assert '"passed": 0' in Path("gate.json").read_text()
    check("--output", "json:report.json")
    skipped = json.loads(Path("report.json").read_text())["summary"]["skipped_rules"]
    assert {"code": "ZZZ101", "reason": "the rule failed"} in skipped
    loud = check("-v")
    assert "Traceback" in loud.stderr
    assert not [line for line in loud.stderr.splitlines() if line.lstrip().startswith("::")]
    for without in (("--ignore", "ZZZ101"), ("--isolated",)):
        assert check(*without, "--exit-zero").returncode == 0
