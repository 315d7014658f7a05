"""What the text report says of boxes by label, before it lists single ones: with the real command."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import detection, manifest
from typer.testing import CliRunner

from groundlint.cli import app

CUT, WHOLE = {"left": 0, "top": 100}, {"left": 100, "top": 100}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(cats: int, dogs: int, *arguments: str) -> str:
    """The report on 20 cats and 50 dogs, some of which are cut off by the image edge."""
    boxes = [(0, n < cats) for n in range(20)] + [(1, n < dogs) for n in range(50)]
    lines = [
        detection(f"s3://bucket/{n}.jpg", ((CUT if is_cut else WHOLE) | {"class_id": label},))
        for n, (label, is_cut) in enumerate(boxes)
    ]
    Path("a.manifest").write_text(manifest(*lines))
    done = CliRunner().invoke(app, ["check", "a.manifest", "--isolated", "--no-cache", "--select", "VIS", *arguments])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_a_label_that_is_reported_more_often_is_compared_with_the_others() -> None:
    assert "VIS101 object-truncated 25% of the 20 'cat' boxes; 4% of the others" in printed(5, 2)


def test_labels_that_are_reported_alike_are_not_named() -> None:
    assert "VIS101 object-truncated 20% of the 70 boxes" in printed(4, 10)


def test_shares_come_before_the_boxes_that_are_listed() -> None:
    text = printed(5, 2, "--min-severity", "info")
    share = text.index("VIS101 object-truncated: 25% of the 20 'cat' boxes; 4% of the others")
    assert 0 <= share < text.index("touches the image edge")


def test_a_share_is_never_rounded_to_nothing() -> None:
    boxes = [detection(f"s3://bucket/{n}.jpg", (CUT if n < 3 else WHOLE,)) for n in range(700)]
    Path("a.manifest").write_text(manifest(*boxes))
    done = CliRunner().invoke(app, ["check", "a.manifest", "--isolated", "--no-cache", "--select", "VIS"])
    assert "<1% of the 700 boxes" in done.output


def test_two_boxes_are_no_share() -> None:
    assert "boxes" not in printed(1, 1).partition("not listed")[2].partition("lines")[0]


def test_a_label_is_not_named_because_none_of_few_others_is_reported() -> None:
    boxes = [detection(f"s3://bucket/{n}.jpg", (CUT if n < 3 else WHOLE,)) for n in range(200)]
    few = [detection(f"s3://bucket/dog-{n}.jpg", (WHOLE | {"class_id": 1},)) for n in range(20)]
    Path("a.manifest").write_text(manifest(*boxes, *few))
    done = CliRunner().invoke(app, ["check", "a.manifest", "--isolated", "--no-cache", "--select", "VIS"])
    assert "1% of the 220 boxes" in done.output
