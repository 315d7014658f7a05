"""Suppression: entries of the configuration leave out findings, with a reason and until a date."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lines import detection, manifest
from PIL import Image
from runs import checked

TWICE = ({}, {})
LINES = [detection(f"s3://bucket/{folder}/{n}.jpg", TWICE) for folder in ("a", "b") for n in range(6)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest that has every box twice."""
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(manifest(*LINES))
    return tmp_path


@pytest.fixture
def link(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another path to the working directory."""
    path = tmp_path_factory.mktemp("links") / "link"
    path.symlink_to(folder)
    return path


def configure(text: str, select: str = '"BOX301", "CFG"') -> None:
    Path("groundlint.toml").write_text(f"select = [{select}]\n{text}")


def entry(rule: str = "BOX301", **keys: str) -> str:
    lines = [
        f'{key.replace("_", "-")} = "{value}"\n' for key, value in {"rule": rule, "reason": "checked", **keys}.items()
    ]
    return f"[[suppress]]\n{''.join(lines)}"


def found(*paths: str, code: str = "BOX301", **flags: Any) -> list[Any]:
    return checked(*paths, **flags).findings.filter(code=code)["source_ref"].to_list()


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({}, 0),
        ({"rule": "BOX"}, 0),
        ({"rule": "duplicated-box"}, 0),
        ({"files": "train.manifest"}, 0),
        ({"files": "*.manifest"}, 0),
        ({"files": "sub/*"}, 12),
        ({"files": "../*"}, 12),
        ({"source_ref": "s3://bucket/a/*"}, 6),
        ({"source_ref": "s3://bucket/a"}, 6),
        ({"source_ref": "**/a/*"}, 6),
        ({"source_ref": "s3://bucket/[ab]/[!1-5].jpg"}, 10),
        ({"rule": "BOX302"}, 12),
    ],
)
def test_an_entry_leaves_out_the_findings_that_it_matches(
    folder: Path, link: Path, keys: dict[str, str], left: int
) -> None:
    configure(entry(**keys))
    outcome = checked()
    assert outcome.findings.filter(code="BOX301").height == left
    assert outcome.summary.suppressed == 12 - left
    for way in (folder, link):
        assert len(found(str(way / "train.manifest"))) == left


def test_a_left_out_finding_has_the_reason_of_the_first_entry_that_matches() -> None:
    configure(entry(source_ref="s3://bucket/a/0.jpg", reason="twins") + entry(source_ref="0.jpg", reason="other"))
    hidden = checked().hidden
    assert hidden.select("source_ref", "suppression").rows() == [
        ("s3://bucket/a/0.jpg", "twins"),
        ("s3://bucket/b/0.jpg", "other"),
    ]


def test_an_entry_past_its_date_stops_applying_and_is_a_warning() -> None:
    day = datetime.datetime.now(tz=datetime.UTC).date()
    for expires, left, codes in ((day, 0, []), (day - datetime.timedelta(days=1), 12, ["CFG101"])):
        configure(f"{entry()}expires = {expires}\n")
        assert len(found()) == left
        of_config = checked().findings.filter(pl.col("code").str.starts_with("CFG"))
        assert of_config["code"].to_list() == codes
    assert of_config.select("manifest", "line", "severity").rows() == [("groundlint.toml", None, "warning")]


def test_an_entry_that_matches_nothing_is_an_info_where_its_rule_and_a_manifest_were_judged() -> None:
    Path("other.manifest").write_text(manifest(detection()))
    configure(entry(files="other.manifest"))
    assert checked().findings.filter(code="CFG102").select("severity", "line").rows() == [("info", None)]
    assert found("train.manifest", code="CFG102") == []
    assert found(code="CFG102", select=["BOX302", "CFG"]) == []


def test_a_hostile_glob_takes_no_exponential_time() -> None:
    configure(entry(source_ref=f"{'*a' * 300}b"))
    Path("train.manifest").write_text(manifest(detection(f"s3://bucket/{'a' * 1000}", TWICE)))
    assert len(found()) == 1


def test_an_entry_for_a_rule_on_images_is_not_unused_where_no_image_was_found() -> None:
    select = '"IMG207", "BOX301", "CFG"'
    for line in LINES:
        image = Path("seen", line["source-ref"].removeprefix("s3://bucket/"))
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (640, 480)).save(image, "PNG")
    configure(entry("IMG207"), select)
    assert checked(images=("seen",)).summary.suppressed == 12
    assert found(code="CFG102") == []
    Path("other.manifest").write_text(manifest(detection("s3://bucket/gone.jpg")))
    configure(entry("IMG207", files="other.manifest"), select)
    assert "CFG102" not in set(checked(images=("seen",)).findings["code"])
    for image in Path("seen").glob("*/*.jpg"):
        Image.new("RGB", (640, 480)).save(image)
    configure(entry("IMG207", files="train.manifest"), select)
    assert "CFG102" in set(checked(images=("seen",)).findings["code"])


def test_an_entry_for_a_manifest_that_cannot_be_read_is_not_unused() -> None:
    configure(entry(files="gone.manifest"))
    outcome = checked("train.manifest", "gone.manifest")
    assert [text.partition(":")[0] for text in outcome.unread] == ["gone.manifest"]
    assert "CFG102" not in set(outcome.findings["code"])
