"""Checking from Python: findings as a table, and errors where the command exits with 2."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from image_sets import image_bytes
from lines import detection, manifest

import groundlint
from groundlint.config.data_sets import UsageError
from groundlint.config.settings import ConfigError
from groundlint.engine.findings import KEYS
from groundlint.engine.registry import SelectionError

TWICE = detection("s3://bucket/1.jpg", ({}, {}))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest that has a box twice."""
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(manifest(TWICE, detection("s3://bucket/2.jpg")))
    return tmp_path


def codes(**arguments: Any) -> set[str]:
    return set(
        groundlint.check("train.manifest", **{"isolated": True, "select": ["BOX3"], **arguments}).findings["code"]
    )


def test_the_findings_are_a_table_with_the_keys_of_the_json_report() -> None:
    result = groundlint.check("train.manifest", select=["BOX301"], isolated=True)
    assert result.findings.columns == list(KEYS)
    assert result.findings.select("code", "line", "severity").rows() == [("BOX301", 1, "warning")]
    assert result.summary.counts.warning == 1
    assert "<table" in result._repr_html_()


def test_notes_are_shown_with_an_exported_table() -> None:
    result = groundlint.check("train.manifest", select=["IMG207"], isolated=True)
    assert [rule.code for rule in result.summary.skipped_rules] == ["IMG207"]
    assert [(note.kind, note.count) for note in result.summary.notes] == [("images-not-found", 2)]
    assert "<p>no image of train.manifest was found" in result._repr_html_()


def test_rules_are_selected_and_ignored() -> None:
    assert codes() == codes(select=["duplicated-box"]) == codes(select=["MAN3"], extend_select=["BOX301"]) == {"BOX301"}
    assert codes(ignore=["BOX301"]) == set()
    assert codes(select="BOX301") == {"BOX301"}
    assert codes(ignore="BOX301") == set()


def test_a_part_of_one_manifest_and_one_folder_of_images_need_no_list() -> None:
    Path("test.manifest").write_text(manifest(detection("s3://bucket/1.jpg")))
    result = groundlint.check(train="train.manifest", test=Path("test.manifest"), select="SPL204", isolated=True)
    assert result.findings["manifest"].to_list() == ["test.manifest"]
    with pytest.raises(UsageError, match="there is no folder nowhere"):
        groundlint.check("train.manifest", images="nowhere", isolated=True)


def test_a_configuration_is_found_given_or_ignored() -> None:
    Path("groundlint.toml").write_text('select = ["BOX302"]\n')
    Path("sub").mkdir()
    Path("sub/groundlint.toml").write_text('select = ["BOX301"]\n')
    assert codes(isolated=False, select=None) == set()
    assert codes(isolated=False, select=None, config="sub/groundlint.toml") == {"BOX301"}
    assert codes() == {"BOX301"}


@pytest.mark.parametrize(
    ("error", "says", "arguments"),
    [
        (UsageError, "missing.manifest: No such file", {"paths": ["missing.manifest"]}),
        (UsageError, "empty: the folder has no manifest", {"paths": ["empty"]}),
        (UsageError, "--test takes one path; repeat it", {"test": ["other.manifest"]}),
        (SelectionError, "did you mean `BOX3", {"select": ["BOX30X"]}),
        (ConfigError, "--target", {"target": "mars"}),
        (ConfigError, "no.toml: the configuration cannot be read", {"config": "no.toml", "isolated": False}),
    ],
)
def test_errors_with_exit_status_2_are_raised(error: type[Exception], says: str, arguments: dict[str, Any]) -> None:
    Path("empty").mkdir()
    paths = arguments.pop("paths", ["train.manifest"])
    with pytest.raises(error, match=says):
        groundlint.check(*paths, **{"select": ["BOX3"], "isolated": True, **arguments})


@pytest.mark.parametrize("path", ["", "a\\u0000b"])
def test_a_path_that_cannot_be_one_is_refused_with_its_key(path: str) -> None:
    Path("groundlint.toml").write_text(f'[datasets.a]\ntrain = "{path}"\n')
    with pytest.raises(ConfigError, match=r"`datasets\.a\.train"):
        groundlint.check()


def test_a_notebook_shows_the_page_with_images_in_a_frame() -> None:
    Path("1.jpg").write_bytes(image_bytes())
    result = groundlint.check("train.manifest", select=["BOX301"], isolated=True, page=True)
    assert result.page is not None
    assert "data:image/webp;base64," in result.page.html
    shown = result._repr_html_()
    frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts allow-downloads" [^<>]*></iframe>', shown)
    assert frame is not None
    assert html.unescape(frame[1]) == result.page.html
    result.page.save("report.html")
    assert Path("report.html").read_text(encoding="utf-8") == result.page.html


def test_no_page_is_made_unless_it_is_asked_for() -> None:
    assert groundlint.check("train.manifest", select=["BOX301"], isolated=True).page is None
