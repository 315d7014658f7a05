"""Reports under attack: whatever the data says, people see text and programs get what was meant."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import classification, detection, manifest
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.report.sanitize import at_line_start, visible

NAUGHTY = Path(__file__).parents[2] / "shared/data/corpora/naughty_strings/blns.json"
SCHEMA = Path(__file__).parents[1] / "docs/report.schema.json"
ATTACKS = [
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://evil\x07link\x1b]8;;\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b31m",
    "a\rb",
    "a\x08b",
    "::error::owned",
    "\n::warning file=x::owned",
    "##[error]owned",
    "##vso[task.complete]",
    "\u202eevil\u202c",
    "zero\u200bwidth",
    "line\u2028separator\u2029",
    "{detail} {0} %s",
    "🏳️‍🌈",
    "x" * 3000,
]
# What may reach a terminal: printable text, and line feeds that are ours.
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
COMMAND = re.compile(r"^\s*(::|##\[|##vso\[)", re.MULTILINE)


def naughty_strings() -> list[str]:
    loaded: list[str] = json.loads(NAUGHTY.read_text("utf-8")) if NAUGHTY.is_file() else []
    return loaded


def check(folder: Path, name: str, text: str) -> tuple[str, Any]:
    """The text report and the JSON report on a manifest of this name and text."""
    (folder / name).write_text(text, encoding="utf-8")
    report = folder / "report.json"
    result = CliRunner().invoke(app, ["check", str(folder / name), "--isolated", "--output", f"json:{report}"])
    assert result.exit_code == 1, result.output
    value = json.loads(report.read_text(encoding="utf-8"))
    jsonschema.validate(value, json.loads(SCHEMA.read_text()))
    return result.output, value


@pytest.mark.skipif(not NAUGHTY.is_file(), reason="the corpus lies outside the project, in ../shared/data/corpora")
def test_naughty_strings_as_label_attribute_and_source_ref(tmp_path: Path) -> None:
    strings = [text for text in naughty_strings() if 0 < len(text) <= 256]
    lines = []
    for n, text in enumerate(strings):
        # Each line has a fault whose message carries the string.
        lines.append(detection(f"s3://bucket/{n}-{text}", ({"left": -1},), **{"class-map": {"0": text}}))
        lines.append(detection(f"s3://bucket/{n}", name=f"a{text}", type="groundtruth/custom"))
        lines.append(classification(text))
    output, value = check(tmp_path, "a.manifest", manifest(*lines))
    assert not UNSEEN.search(output)
    assert not COMMAND.search(output)
    outside = [finding for finding in value["findings"] if finding["name"] == "box-outside-image"]
    assert [finding["label"] for finding in outside] == strings
    unsupported = [finding for finding in value["findings"] if finding["name"] == "unsupported-label-type"]
    assert [finding["attribute"] for finding in unsupported] == [f"a{text}" for text in strings]
    invalid = {finding["source_ref"] for finding in value["findings"] if finding["name"] == "invalid-source-ref"}
    assert invalid >= {text for text in strings if not text.startswith("s3://")}


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_is_shown_and_not_done(tmp_path: Path, text: str) -> None:
    output, value = check(tmp_path, "a.manifest", manifest(classification(text), detection("s3://b/k", type=text)))
    assert not UNSEEN.search(output)
    assert not COMMAND.search(output)
    assert text in {finding["source_ref"] for finding in value["findings"]}


@pytest.mark.parametrize(
    "name", ["::error::x.manifest", "\x1b[2J.manifest", "a\n::error::b.manifest", "\u202e.manifest"]
)
def test_a_file_name_that_attacks_is_shown_and_not_done(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output, value = check(Path(), name, manifest(classification("no uri")))
    assert not UNSEEN.search(output)
    assert not COMMAND.search(output)
    assert value["findings"][0]["manifest"] == name


def test_a_line_of_fifty_megabytes_is_one_finding(tmp_path: Path) -> None:
    _, value = check(tmp_path, "a.manifest", '{"x": "' + "y" * 50_000_000 + '"}\n' + manifest(detection()))
    assert [finding["name"] for finding in value["findings"] if finding["line"] == 1] == ["line-too-long"]


@given(st.text())
def test_visible_text_has_nothing_unseen_and_is_stable(text: str) -> None:
    shown = visible(text)
    assert not UNSEEN.search(shown)
    assert "\n" not in shown
    assert visible(shown) == shown


@given(st.text())
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    plain = re.sub(r"[^a-zA-Z0-9 äöü한]", "", text)[:400]
    assert visible(plain) == plain


@pytest.mark.parametrize("text", ["::x", "  ::x", "##[x", "##vso[x"])
def test_no_line_begins_with_a_workflow_command(text: str) -> None:
    assert not COMMAND.search(at_line_start(text))


def test_the_text_report_names_each_place(tmp_path: Path) -> None:
    output, value = check(tmp_path, "a.manifest", manifest(detection("s3://b/1", ({"left": -1}, {})), ""))
    for finding in value["findings"]:
        place = f"{finding['manifest']}:{finding['line']}" if finding["line"] else finding["manifest"]
        aws = f"[{finding['aws']}] " if finding["aws"] else ""
        assert f"{place}: {finding['code']} {aws}{finding['message']}\n" in output
    assert output.splitlines()[-1].startswith("2 lines, 1 manifest, 1 image, target rekognition: ")
