"""Hostile data: people see text, programs get what was meant, and no line takes the machine down."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from corpora import NAUGHTY_STRINGS
from hypothesis import given
from hypothesis import strategies as st
from lines import classification, detection, manifest
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.sanitize import at_line_start, visible

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
    "in the middle ##[error]owned ##vso[task.complete]",
    "###[error]owned",
    "##teamcity[buildStop]",
    "\u202eevil\u202c",
    "zero\u200bwidth",
    "line\u2028separator\u2029",
    "{detail} {0} %s",
    "🏳️‍🌈",
    "x" * 3000,
]
# What may reach a terminal: printable text, and line feeds that are ours.
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)


def naughty_strings() -> list[str]:
    loaded: list[str] = json.loads(NAUGHTY_STRINGS.read_text("utf-8"))
    return loaded


def check(folder: Path, name: str, text: str | bytes, status: int | None = 1) -> tuple[str, Any]:
    """The text report, with every finding, and the JSON report on a manifest of this name and text."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    report = folder / "report.json"
    flags = ["--isolated", "--limit", "0", "--min-severity", "info", "--output", f"json:{report}"]
    result = CliRunner().invoke(app, ["check", *flags, "--", str(folder / name)])
    assert status is None or result.exit_code == status, result.output
    value = json.loads(report.read_text(encoding="utf-8"))
    jsonschema.validate(value, json.loads(SCHEMA.read_text()))
    return result.output, value


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
def test_an_attack_is_shown_and_has_no_effect(tmp_path: Path, text: str) -> None:
    output, value = check(tmp_path, "a.manifest", manifest(classification(text), detection("s3://b/k", type=text)))
    assert not UNSEEN.search(output)
    assert not COMMAND.search(output)
    assert text in {finding["source_ref"] for finding in value["findings"]}


@pytest.mark.parametrize("text", [text for text in ATTACKS if len(text) < 200])
def test_an_attack_as_attribute_and_label_is_shown_and_has_no_effect(tmp_path: Path, text: str) -> None:
    lines = (
        detection("s3://bucket/1.jpg", ({"left": -1},), **{"class-map": {"0": text}}),
        detection("s3://bucket/2.jpg", name=text, type="groundtruth/custom"),
    )
    output, value = check(tmp_path, "a.manifest", manifest(*lines))
    assert not UNSEEN.search(output)
    assert not COMMAND.search(output)
    assert text in {finding["label"] for finding in value["findings"]}
    assert text in {finding["attribute"] for finding in value["findings"]}


def test_a_label_name_that_is_too_long_is_reported_and_cut(tmp_path: Path) -> None:
    name = "\x1b[31m" + "x" * 3000
    lines = [classification("s3://bucket/1.jpg", name), detection("s3://bucket/2.jpg", **{"class-map": {"0": name}})]
    output, value = check(tmp_path, "a.manifest", manifest(*lines))
    assert [f["label"] for f in value["findings"] if f["name"] == "label-name-too-long"] == [name, name]
    assert "x" * 400 not in output
    assert not UNSEEN.search(output)


NAMES = [f"{text.replace('/', '|')}.manifest" for text in ATTACKS if len(text) < 200]


@pytest.mark.parametrize(
    "arguments",
    [["."], [".", "--show-files"], ["-v", "--", *NAMES], ["--", *(f"missing{name}" for name in NAMES)]],
    ids=["folder", "--show-files", "named", "missing"],
)
def test_no_stream_of_the_command_carries_an_attack_by_a_file_name(tmp_path: Path, arguments: list[str]) -> None:
    for name in NAMES:
        (tmp_path / name).write_text(manifest(classification("no uri")))
    command = [sys.executable, "-m", "groundlint", "check", "--isolated", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    streams = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    assert sum(stream.count(".manifest") for stream in streams) >= len(NAMES)
    for stream in streams:
        assert not UNSEEN.search(stream)
        assert not COMMAND.search(stream)


@pytest.mark.parametrize(
    "name", ["::error::x.manifest", "\x1b[2J.manifest", "a\n::error::b.manifest", "\u202e.manifest"]
)
def test_an_attack_as_file_name_is_shown_and_has_no_effect(
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


HUGE = {
    "deep": b'{"source-ref": ' + b"[" * 100_000 + b"}",
    "closed and deep": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "five thousand digits": b'{"source-ref": "s3://bucket/1.jpg", "n": ' + b"1" * 5_000 + b"}",
    "long exponent": b'{"source-ref": "s3://bucket/1.jpg", "n": 1e' + b"9" * 5_000 + b"}",
    "one brace a million times": b"{" * 1_000_000,
    "quotes": b'"' * 1_000_000,
    "NaN": b'{"source-ref": "s3://bucket/1.jpg", "n": NaN}',
    "infinity": b'{"source-ref": "s3://bucket/1.jpg", "n": -Infinity}',
    "lone surrogate": b'{"source-ref": "s3://bucket/\\ud800.jpg"}',
    "no UTF-8": b'{"source-ref": "s3://bucket/\xff.jpg"}',
    "NUL": b'{"source-ref": "s3://bucket/\x00.jpg"}',
    "key twice": b'{"source-ref": "s3://bucket/1.jpg", "source-ref": "s3://bucket/2.jpg"}',
}


@pytest.mark.parametrize("name", HUGE)
def test_a_line_that_breaks_parsers_is_a_finding_and_the_next_line_is_read(tmp_path: Path, name: str) -> None:
    sound = json.dumps(detection("s3://bucket/9.jpg", ({"left": -1}, {}))).encode()
    output, value = check(tmp_path, "a.manifest", HUGE[name] + b"\n" + sound + b"\n")
    assert not UNSEEN.search(output)
    codes = {finding["line"]: finding["name"] for finding in value["findings"] if finding["line"]}
    assert codes[2] == "box-outside-image"
    if name not in ("five thousand digits", "long exponent"):
        assert 1 in codes


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xef\xbb\xbf{LINE}\n", "byte-order-mark"),
        (b"{LINE}\r\n", "crlf-line-ends"),
        ("{LINE}\n".encode("utf-16"), None),
    ],
)
def test_bytes_of_another_system_are_named(tmp_path: Path, data: bytes, name: str | None) -> None:
    line = json.dumps(detection("s3://bucket/1.jpg"))
    if name is None:
        data = data.decode("utf-16").replace("{LINE}", line).encode("utf-16")
    _, value = check(tmp_path, "a.manifest", data.replace(b"{LINE}", line.encode()), status=None)
    names = {finding["name"] for finding in value["findings"]}
    codes = {finding["aws"] for finding in value["findings"]}
    assert name in names if name else "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT" in codes


def test_boxes_without_numbers_break_no_rule(tmp_path: Path) -> None:
    values = (None, "x", -1, 0, 3, 1e9, 12.5)
    lines = []
    for one, other in itertools.combinations(("left", "top", "width", "height"), 2):
        for pair in itertools.product(values, repeat=2):
            for size in (8, 100):
                box = dict.fromkeys(("left", "top", "width", "height"), size) | dict(
                    zip((one, other), pair, strict=True)
                )
                small = {"left": 5, "top": 5, "width": 7, "height": 7}
                lines.append(detection(f"s3://bucket/{len(lines)}.jpg", (box, small)))
    for sizes in ([], [{}], [{"width": None, "height": 480}], [{"width": 640}], [{"width": 0, "height": 0}], None, "x"):
        line = detection(f"s3://bucket/{len(lines)}.jpg")
        line["animals"]["image_size"] = sizes
        lines.append(line)
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    done = CliRunner().invoke(app, ["check", str(tmp_path / "a.manifest"), "--isolated", "--select", "ALL"])
    assert (done.exit_code, [line for line in done.stderr.splitlines() if line.startswith("error")]) == (1, [])


def test_only_line_feeds_separate_lines(tmp_path: Path) -> None:
    ref = "s3://bucket/a\u2028b\u0085c\x1cd\u2029.jpg"
    line = json.dumps(classification(ref, "cat"), ensure_ascii=False).replace("\x1c", "\\u001c")
    _, value = check(tmp_path, "a.manifest", line + "\n" + "{}\n")
    assert value["summary"]["lines"] == 2
    assert [finding["line"] for finding in value["findings"] if finding["name"] == "missing-source-ref"] == [2]


@given(st.text())
def test_visible_text_hides_nothing_and_is_stable(text: str) -> None:
    shown = visible(text)
    assert not UNSEEN.search(shown)
    assert "\n" not in shown
    assert visible(shown) == shown


@given(st.text())
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    plain = re.sub(r"[^a-zA-Z0-9 äöü한]", "", text)[:400]
    assert visible(plain) == plain


@pytest.mark.parametrize("text", ["::x", "  ::x", "##[x", "##vso[x", "a ##vso[x", "###[x", "##\u200b[x"])
def test_no_line_holds_a_workflow_command(text: str) -> None:
    assert not COMMAND.search(at_line_start(visible(text)))
