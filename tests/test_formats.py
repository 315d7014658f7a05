"""What holds for every format: data stays data, and no line is a command of a CI system."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from findings import finding, report
from lines import classification, detection, manifest
from reports import COMMAND, MIXED, OURS, Outside, hostile, many, rendered
from test_attack import ATTACKS, NAMES, UNSEEN, naughty_strings
from test_sarif import sarif_run

from groundlint.engine.findings import KEYS
from groundlint.report import FORMATS, listing
from groundlint.report.report import Presentation
from groundlint.sanitize import plain_json

JSON_FORMATS = ("json", "jsonl", "sarif", "gitlab")


def test_json_lines_are_the_findings_of_the_json_report() -> None:
    text = rendered("jsonl", MIXED)
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert lines == json.loads(rendered("json", MIXED))["findings"]
    assert [tuple(line) for line in lines] == [KEYS] * 3


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("a.manifest", "a.manifest"),
        ("./x/../a.manifest", "a.manifest"),
        ("/repository/x/a.manifest", "x/a.manifest"),
        ("x/..", "."),
        ("..", listing.OUTSIDE),
        ("..a.manifest", "..a.manifest"),
        ("../data/a.manifest", f"{listing.OUTSIDE}/data/a.manifest"),
        ("/mnt/data/a.manifest", f"{listing.OUTSIDE}/mnt/data/a.manifest"),
        ("-", "-"),
    ],
)
def test_paths_are_relative_to_the_repository_and_marked_if_outside(given: str, path: str) -> None:
    of = report(finding(manifest=given))
    location = sarif_run(of)["results"][0]["locations"][0]["physicalLocation"]
    assert unquote(location["artifactLocation"]["uri"]) == path
    assert json.loads(rendered("gitlab", of))[0]["location"]["path"] == path
    assert f"file={path}," in rendered("github", of)


@pytest.mark.parametrize("form", JSON_FORMATS)
@pytest.mark.parametrize("texts", [ATTACKS, naughty_strings()])
def test_json_formats_are_plain_and_carry_data_exactly(form: str, texts: list[str]) -> None:
    of = hostile(texts)
    text = rendered(form, of)
    assert re.fullmatch(r"[\n\x20-\x7e]+", text)
    assert not any(COMMAND.search(line) for line in text.split("\n"))
    values = [json.loads(line) for line in text.split("\n")[:-1]]
    if form == "sarif":
        assert len(values[0]["runs"][0]["results"]) == of.findings.height
    elif form == "gitlab":
        assert [issue["description"] for issue in values[0]] == [
            f"{row['code']} {row['name']}: "
            f"{listing.sentence(row['name'], row['aws'], row['message'], row['shown_image'])}"
            for row in listing.with_images(of.findings).iter_rows(named=True)
        ]
    else:
        rows = values[0]["findings"] if form == "json" else values
        assert rows == of.findings.select(KEYS).to_dicts()


@pytest.mark.parametrize("form", ["text", "concise", "csv", "github", "markdown"])
@pytest.mark.parametrize("texts", [[text] for text in ATTACKS] + [naughty_strings()])
def test_no_line_for_people_hides_anything_or_gives_a_command(form: str, texts: list[str]) -> None:
    text = rendered(form, hostile(texts))
    assert not UNSEEN.search(text)
    lines = text.split("\n")
    foreign = [line for line in lines if COMMAND.search(line) and not (form == "github" and OURS.fullmatch(line))]
    assert foreign == []
    assert any(OURS.fullmatch(line) for line in lines) == (form == "github")


class Hostile(Outside):
    """A box. ##[error]owned."""


def test_neither_the_output_of_a_suite_nor_the_help_of_a_rule_gives_a_command() -> None:
    row = finding(severity="info", manifest="::error::owned")
    of = report(row, row, rules={"BOX101": Hostile}, notes=("::error::owned ##[error]owned",))
    for form in FORMATS:
        lines = rendered(form, of).split("\n")
        assert not [line for line in lines if COMMAND.search(line) and not OURS.fullmatch(line)], form
    assert sarif_run(of)["tool"]["driver"]["rules"][0]["help"]["text"] == "A box. ##[error]owned."


@pytest.mark.parametrize("width", range(24, 80, 7))
def test_a_message_that_is_wrapped_gives_no_command(width: int) -> None:
    message = "x " * 10 + "::error::owned " * 8 + "##vso[task.complete] ##[error]x"
    of = report(finding(message=message), presentation=Presentation(width=width))
    assert not [line for line in rendered("text", of).split("\n") if COMMAND.search(line)]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('"##[error]"', r'"\u0023#[error]"'),
        ('"###vso[x"', r'"#\u0023#vso[x"'),
        (r'"\\##[x"', r'"\\\u0023#[x"'),
        ('"é\u2028\x7f🏳"', r'"\u00e9\u2028\u007f\ud83c\udff3"'),
        ('"# [x] ##"', '"# [x] ##"'),
    ],
)
def test_plain_json_means_the_same(text: str, plain: str) -> None:
    assert plain_json(text) == plain
    assert json.loads(plain) == json.loads(text)


@pytest.fixture(scope="module")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name in NAMES:
        text = name.removesuffix(".manifest")
        fault = detection("s3://bucket/1.jpg", ({"left": -1},), **{"class-map": {"0": text}})
        (folder / name).write_text(manifest(fault, classification(text), detection(text, name=text, type="custom")))
    return folder


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_prints_each_format_and_nothing_foreign_on_a_hostile_folder(
    form: str, hostile_folder: Path
) -> None:
    command = [sys.executable, "-m", "groundlint", "check", "--isolated", "--output", form, "."]
    done = subprocess.run(command, cwd=hostile_folder, capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())
    assert not UNSEEN.search(done.stderr)
    assert re.search(r"[A-Z]{3}[0-9]{3}", done.stdout)
    assert not UNSEEN.search(done.stdout)
    lines = done.stdout.split("\n")
    foreign = [line for line in lines if COMMAND.search(line) and not (form == "github" and OURS.fullmatch(line))]
    assert foreign == []
    if form == "sarif":
        rules = json.loads(done.stdout)["runs"][0]["tool"]["driver"]["rules"]
        (box,) = (rule for rule in rules if rule["id"] == "BOX101")
        assert box["shortDescription"]["text"].endswith(".")
        assert "## Why it matters" in box["help"]["text"]


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_report_gives_the_same_text(form: str) -> None:
    assert rendered(form, many()) == rendered(form, many())


def test_a_report_of_several_parts_has_every_finding_once_and_in_order() -> None:
    wanted = [f"finding {n}" for n in range(listing.AT_ONCE + 2)]
    of = report(*(finding(severity=("error", "info")[n % 2], message=text) for n, text in enumerate(wanted)))
    assert [each["message"] for each in json.loads(rendered("json", of))["findings"]] == wanted
    assert [json.loads(line)["message"] for line in rendered("jsonl", of).splitlines()] == wanted
    assert [row["message"] for row in csv.DictReader(io.StringIO(rendered("csv", of)))] == wanted
    assert [len(json.loads(rendered("gitlab", of))), rendered("concise", of).count("\n")] == [len(wanted)] * 2
    suites = ElementTree.fromstring(rendered("junit", of))
    assert len(suites.findall("*/testcase")) == len(wanted)
    failures = [each.attrib["message"] for each in suites.findall("*/testcase/failure")]
    printed = [line for each in suites.findall("*/system-out") for line in (each.text or "").split("\n")]
    for said, those in ((failures, wanted[::2]), (printed, wanted[1::2])):
        assert len(said) == len(those)
        assert all(text in line for text, line in zip(those, said, strict=True))
