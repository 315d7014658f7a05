"""Formats for other programs: what they require, their limits, and that data stays data in each of them."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from findings import LISTED, URL, finding, on_manifest, report
from lines import classification, detection, manifest
from test_attack import ATTACKS, NAMES, NAUGHTY, UNSEEN, naughty_strings

from groundlint import Rule, Severity
from groundlint.engine.findings import KEYS, worst_first
from groundlint.report import FORMATS, listing, markdown, sarif
from groundlint.report.report import Presentation, Report
from groundlint.sanitize import plain_json, visible

SCHEMAS = Path(__file__).parents[2] / "shared/spec/schemas"
NEEDS_SCHEMAS = pytest.mark.skipif(
    not SCHEMAS.is_dir(), reason="the schemas are outside the project, in ../shared/spec"
)
NEEDS_NAUGHTY = pytest.mark.skipif(not NAUGHTY.is_file(), reason="the corpus is outside the project, in ../shared")
JSON_FORMATS = ("json", "jsonl", "sarif", "gitlab")
# The commands that GitHub's runner would take from a line, and those that we mean.
COMMAND = re.compile(r"^\s*::|##\w*\[")
OURS = re.compile(r"::(error|warning|notice) file=([^:,\n]+),line=([1-9][0-9]*),title=([^:,\n]+)::(\S.*)")


class Outside(Rule):
    """A box leaves the frame
    of its image.

    ## Why it matters
    The service drops it.
    """

    code = "BOX101"
    name = "box-outside-image"
    severity = Severity.ERROR
    precision = 0.95
    message = "box {box} leaves the image"


def hostile(texts: list[str]) -> Report:
    """Each text as message, label, attribute, source-ref, image, service code, related place and manifest."""
    rows = []
    for n, text in enumerate(texts):
        severity = ("error", "warning", "info")[n % 3]
        place = {"manifest": text or "x", "line": None, "attribute": text, "box": None, "source_ref": text}
        rows.append(
            finding(
                code=f"BOX{n:03}",
                severity=severity,
                message=f"label {text} of {text}",
                attribute=text,
                label=text,
                source_ref=text,
                image=text if n % 2 else None,
                aws=text,
                pointer=text,
                related=[place],
            )
        )
        whole = {"message": text, "manifest": text or "x", "line": None, "source_ref": None}
        rows.append(finding(code=f"DUP{n:03}", severity=severity, **whole))
    return report(*rows, presentation=LISTED)


def many() -> Report:
    """More findings than any limit; the most serious ones and those of rare rules are at the end."""
    rows = [finding(severity="info", code="BOX300", line=n + 1) for n in range(4000)]
    rows += [finding(severity="warning", code="BOX200", line=n + 1, score=n / 2000) for n in range(2000)]
    rows += [finding(severity="info", code="BOX400"), finding(severity="info", code="BOX500")]
    rows += [finding(severity="error", code="BOX100", precision=0.9, line=n + 1) for n in range(20)]
    rows += [finding(severity="error", code="MAN100", line=None, box=None, loses="training")]
    return report(*rows)


MIXED = report(
    finding(line=3, message="100% wrong: a, b", image="images/1.jpg"),
    finding(severity="warning", line=None, code="DUP101", name="exact-duplicate", aws="ERROR_X", url=None),
    on_manifest(severity="info", manifest="b c/ä:1.manifest", code="LBL201", name="label-few-images", message="few"),
    rules={"BOX101": Outside},
)


def sarif_run(of: Report) -> Any:
    return json.loads(FORMATS["sarif"](of))["runs"][0]


def test_json_lines_are_the_findings_of_the_json_report() -> None:
    text = FORMATS["jsonl"](MIXED)
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    assert lines == json.loads(FORMATS["json"](MIXED))["findings"]
    assert [tuple(line) for line in lines] == [KEYS] * 3


@NEEDS_SCHEMAS
@pytest.mark.parametrize("of", [report(), MIXED, hostile(ATTACKS)], ids=["empty", "mixed", "hostile"])
def test_sarif_is_valid(of: Report) -> None:
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(json.loads(FORMATS["sarif"](of)))


@pytest.mark.parametrize("of", [MIXED, hostile(ATTACKS)], ids=["mixed", "hostile"])
def test_sarif_has_what_github_demands(of: Report) -> None:
    run = sarif_run(of)
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
    assert len(run["results"]) == of.findings.height
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"].strip()
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        for place in (*result["locations"], *result.get("relatedLocations", ())):
            location = place["physicalLocation"]
            assert set(location["region"]) == {"startLine", "startColumn", "endLine", "endColumn"}
            assert min(location["region"].values()) >= 1
            assert location["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
            uri = location["artifactLocation"]["uri"]
            assert re.fullmatch(r"(?!/)(?:[\w.~/-]|%[0-9A-F]{2})+", uri, re.ASCII), uri
            assert ".." not in uri.split("/")


def test_sarif_says_what_the_finding_says() -> None:
    run = sarif_run(MIXED)
    first, second, third = run["results"]
    assert (first["ruleId"], first["level"]) == ("BOX101", "error")
    assert first["message"] == {"text": "box-outside-image: 100% wrong: a, b (images/1.jpg)"}
    assert first["partialFingerprints"] == {"primaryLocationLineHash": "f0"}
    region = {"startLine": 3, "startColumn": 1, "endLine": 3, "endColumn": 2}
    address = {"uri": "data/a.manifest", "uriBaseId": "%SRCROOT%"}
    place = {"fullyQualifiedName": "/animals/annotations/0", "kind": "member"}
    assert first["locations"] == [
        {"physicalLocation": {"artifactLocation": address, "region": region}, "logicalLocations": [place]}
    ]
    said = "exact-duplicate: [ERROR_X] box 0 leaves the image (s3://bucket/1.jpg)"
    assert (second["level"], second["message"]["text"]) == ("warning", said)
    assert second["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    assert (third["level"], third["message"]["text"]) == ("note", "label-few-images: few")
    assert third["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "b%20c/%C3%A4%3A1.manifest"
    assert "logicalLocations" not in third["locations"][0]
    box, duplicate, _ = run["tool"]["driver"]["rules"]
    assert box["shortDescription"]["text"] == "A box leaves the frame of its image."
    assert box["help"]["text"].endswith("The service drops it.")
    assert (box["helpUri"], box["defaultConfiguration"]) == (URL, {"level": "error"})
    assert box["properties"] == {"problem.severity": "error", "precision": "very-high"}
    assert (duplicate["help"]["text"], "helpUri" in duplicate) == ("exact-duplicate", False)
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_sarif_names_the_part_of_the_line_by_its_json_pointer() -> None:
    found = (finding(pointer="/animals/image_size/0/width"), finding(attribute="a/b~c", box=None))
    results = sarif_run(report(*found))["results"]
    names = [result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for result in results]
    assert names == ["/animals/image_size/0/width", "/a~1b~0c"]


def test_sarif_carries_notes() -> None:
    (invocation,) = sarif_run(report(notes=("no image of a.manifest was found",)))["invocations"]
    assert invocation["toolExecutionNotifications"] == [
        {"level": "note", "message": {"text": "no image of a.manifest was found"}}
    ]


def test_sarif_says_that_not_everything_was_checked() -> None:
    assert sarif_run(report(is_whole=False))["invocations"] == [{"executionSuccessful": False}]


def test_sarif_holds_the_worst_5000_one_of_each_rule_and_counts_the_rest() -> None:
    run = sarif_run(many())
    results = run["results"]
    assert len(results) == sarif.MAX_RESULTS == 5000
    order = [("error", "warning", "note").index(result["level"]) for result in results]
    assert order == sorted(order)
    assert results[0]["ruleId"] == "MAN100"
    counts = {code: sum(result["ruleId"] == code for result in results) for code in ("BOX100", "BOX200", "BOX300")}
    assert counts == {"BOX100": 20, "BOX200": 2000, "BOX300": 2977}
    assert {"BOX400", "BOX500"} < {result["ruleId"] for result in results}
    lines = [r["locations"][0]["physicalLocation"]["region"]["startLine"] for r in results if r["ruleId"] == "BOX200"]
    assert lines == list(range(2000, 0, -1)), "the highest score comes first"
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("1,023 findings are left out")


def test_sarif_names_related_places_and_makes_no_links_of_data() -> None:
    place = {"manifest": "b.manifest", "line": 7, "attribute": None, "box": None, "source_ref": "s3://b/[k](http://e)"}
    nowhere = place | {"manifest": None}
    (result,) = sarif_run(report(finding(message="see [it](http://evil)", related=[nowhere, place])))["results"]
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "b.manifest"
    assert related["physicalLocation"]["region"]["startLine"] == 7
    assert related["message"]["text"] == "s3://b/[k] (http://e)"
    assert result["message"]["text"].startswith("box-outside-image: see [it] (http://evil)")


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
def test_paths_are_those_of_the_repository_and_what_is_outside_is_not_taken_for_one(given: str, path: str) -> None:
    of = report(finding(manifest=given))
    location = sarif_run(of)["results"][0]["locations"][0]["physicalLocation"]
    assert unquote(location["artifactLocation"]["uri"]) == path
    assert json.loads(FORMATS["gitlab"](of))[0]["location"]["path"] == path
    assert f"file={path}," in FORMATS["github"](of)


def test_github_annotates_and_escapes() -> None:
    image = "(s3://bucket/1.jpg)"
    assert FORMATS["github"](MIXED).splitlines() == [
        "::error file=data/a.manifest,line=3,title=BOX101 box-outside-image::100%25 wrong: a, b (images/1.jpg)",
        f"::warning file=data/a.manifest,line=1,title=DUP101 exact-duplicate::[ERROR_X] box 0 leaves the image {image}",
        "::notice file=b c/ä%3A1.manifest,line=1,title=LBL201 label-few-images::few",
        "groundlint: 3 of 3 findings annotated, 0 left out",
    ]
    line = FORMATS["github"](report(on_manifest(manifest="50%,a:b\n.manifest", message="a\r\nb"))).splitlines()[0]
    place = "file=50%25%2Ca%3Ab\\x0a.manifest,line=1"
    assert line == f"::error {place},title=MAN102 too-many-invalid-lines::a\\x0d\\x0ab"


def test_github_gives_the_most_certain_three_of_a_rule_and_counts_the_rest() -> None:
    *lines, last = FORMATS["github"](many()).splitlines()
    titles = [re.findall(r"::(\w+) .*title=(\w+)", line)[0] for line in lines]
    assert titles == [
        ("error", "MAN100"),
        *[("error", "BOX100")] * 3,
        *[("warning", "BOX200")] * 3,
        *[("notice", "BOX300")] * 3,
        ("notice", "BOX400"),
        ("notice", "BOX500"),
    ]
    of_warnings = [int(re.findall(r"line=(\d+)", line)[0]) for line in lines if line.startswith("::warning")]
    assert of_warnings == [2000, 1999, 1998], "the highest score comes first"
    assert last == "groundlint: 12 of 6,023 findings annotated, 6,011 left out"


def test_github_gives_ten_of_a_severity() -> None:
    of = report(*(finding(code=f"BOX{n}", severity=level) for n in range(100, 120) for level in ("error", "warning")))
    *lines, last = FORMATS["github"](of).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert last == "groundlint: 20 of 40 findings annotated, 20 left out"


def test_worse_is_what_is_more_reliable_and_then_what_scores_higher() -> None:
    given = [(None, 0.9), (0.7, 0.2), (0.7, None), (1.0, None), (0.7, 0.9), (0.9, 0.1)]
    rows = (
        finding(line=n, code=f"BOX{n}", precision=precision, score=score)
        for n, (precision, score) in enumerate(given, start=1)
    )
    *commands, _ = FORMATS["github"](report(*rows)).splitlines()
    assert [int(OURS.fullmatch(line)[3]) for line in commands] == [4, 6, 5, 2, 3, 1]


def test_gitlab_has_the_keys_of_code_quality() -> None:
    issues = json.loads(FORMATS["gitlab"](MIXED))
    assert issues[1] == {
        "description": "DUP101 exact-duplicate: [ERROR_X] box 0 leaves the image (s3://bucket/1.jpg)",
        "check_name": "exact-duplicate",
        "fingerprint": "f1",
        "severity": "minor",
        "location": {"path": "data/a.manifest", "lines": {"begin": 1}},
    }
    assert [issue["severity"] for issue in issues] == ["major", "minor", "info"]
    assert issues[2]["location"]["path"] == "b c/ä:1.manifest"
    assert json.loads(FORMATS["gitlab"](report())) == []


def test_equal_fingerprints_become_different_where_they_must_be_unique() -> None:
    of = report(*(finding(fingerprint="same", message=text) for text in "abc"), finding(fingerprint="other"))
    wanted = ["same", "same:2", "same:3", "other"]
    assert [issue["fingerprint"] for issue in json.loads(FORMATS["gitlab"](of))] == wanted
    hashes = [result["partialFingerprints"]["primaryLocationLineHash"] for result in sarif_run(of)["results"]]
    assert hashes == wanted
    assert [json.loads(line)["fingerprint"] for line in FORMATS["jsonl"](of).splitlines()][:3] == ["same"] * 3


@NEEDS_SCHEMAS
@pytest.mark.parametrize("of", [report(), MIXED, hostile([*ATTACKS, " ", "\t"])], ids=["empty", "mixed", "hostile"])
def test_junit_is_valid(of: Report) -> None:
    xmlschema.XMLSchema(SCHEMAS / "junit.xsd").validate(FORMATS["junit"](of))


def test_junit_has_a_suite_for_each_manifest_and_a_case_for_each_finding() -> None:
    first, second = ElementTree.fromstring(FORMATS["junit"](MIXED))
    assert (first.get("name"), first.get("tests"), first.get("failures")) == ("data/a.manifest", "2", "1")
    assert (second.get("name"), second.get("tests"), second.get("failures")) == ("b c/ä:1.manifest", "1", "0")
    assert (first.get("id"), second.get("id")) == ("0", "1")
    cases = [case.get("name") for case in first.iter("testcase")]
    assert cases == ["BOX101 box-outside-image", "DUP101 exact-duplicate"]
    (error,) = first.iter("failure")
    said = "BOX101 box-outside-image: 100% wrong: a, b (images/1.jpg)"
    assert (error.get("type"), error.get("message")) == ("error", said)
    assert error.text == f"data/a.manifest:3: error {said}"
    assert first.findtext("system-out") == (
        "data/a.manifest: warning DUP101 exact-duplicate: [ERROR_X] box 0 leaves the image (s3://bucket/1.jpg)"
    )
    assert second.findtext("system-out") == "b c/ä:1.manifest: info LBL201 label-few-images: few"


@pytest.mark.parametrize(
    ("failing", "failures"), [((), 0), (("error",), 1), (("error", "warning"), 2), (("error", "warning", "info"), 3)]
)
def test_in_junit_only_what_fails_the_run_is_a_failure(failing: tuple[str, ...], failures: int) -> None:
    of = report(*(finding(severity=level) for level in ("error", "warning", "info")), failing=frozenset(failing))
    root = ElementTree.fromstring(FORMATS["junit"](of))
    assert len(list(root.iter("failure"))) == failures
    assert len((root[0].findtext("system-out") or "").splitlines()) == 3 - failures


def test_junit_cases_on_boxes_of_a_line_have_names_of_their_own() -> None:
    boxes = [finding(box=n, attribute=attribute) for attribute in ("animals", "things") for n in range(3)]
    suite = ElementTree.fromstring(FORMATS["junit"](report(*boxes)))
    names = {(case.get("classname"), case.get("name")) for case in suite.iter("testcase")}
    assert len(names) == 6


def test_junit_cases_of_one_place_have_names_of_their_own_that_stay_when_others_go() -> None:
    def cases(*findings: dict[str, Any]) -> list[tuple[str | None, str | None]]:
        suite = ElementTree.fromstring(FORMATS["junit"](report(*findings)))
        return [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]

    whole = {"line": None, "attribute": None, "box": None, "code": "SPL103"}
    of_labels = [finding(**whole, label=label) for label in "abc"]
    assert len(set(cases(*of_labels))) == 3
    assert cases(*of_labels)[1:] == cases(*of_labels[1:])
    alike = [*of_labels, finding(**whole, label="a"), finding(**whole, label="a"), finding(), finding()]
    assert len(set(cases(*alike))) == 7
    assert cases(*alike)[:3] == cases(*of_labels)


def test_markdown_counts_by_rule_and_lists_the_worst_first() -> None:
    text = FORMATS["markdown"](many())
    rows = [re.split(r" *\| *", line)[1:-1] for line in text.splitlines() if line.startswith("| [")]
    assert [(re.findall(r"\w+", row[0])[0], row[2], row[3]) for row in rows] == [
        ("BOX100", "error", "20"),
        ("MAN100", "error", "1"),
        ("BOX200", "warning", "2,000"),
        ("BOX300", "info", "4,000"),
        ("BOX400", "info", "1"),
        ("BOX500", "info", "1"),
    ]
    items = [line for line in text.splitlines() if line.startswith("- ")]
    assert items[0].startswith(f"- error [MAN100]({URL}) box-outside-image data/a.manifest: box 0 leaves the image")
    assert len(items) == 6023
    assert "left out" not in text


def test_markdown_without_findings_says_so() -> None:
    assert "No findings to show." in FORMATS["markdown"](report())


def test_markdown_stays_below_its_limit_in_bytes_and_counts_what_is_left_out() -> None:
    of = report(*(finding(line=n, message="ä" * 400) for n in range(1, 5001)))
    text = FORMATS["markdown"](of)
    assert 899 * 1024 < len(text.encode()) <= 900 * 1024 == markdown.MAX_BYTES
    *_, last = text.splitlines()
    assert last == f"{5000 - text.count('- error'):,} findings are left out."


def read_markdown(text: str) -> tuple[list[str], list[Any]]:
    """The text of each list item, and all tokens, as a reader of CommonMark with tables sees them."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(text)
    lines = [token for token in tokens if token.type == "inline"]
    items = ["".join(child.content for child in line.children) for line in lines if line.level == 3]
    return items, [*tokens, *(child for line in lines for child in line.children)]


@pytest.mark.parametrize("texts", [ATTACKS, pytest.param(naughty_strings(), marks=NEEDS_NAUGHTY)])
def test_markdown_shows_data_as_it_is_and_obeys_none(texts: list[str]) -> None:
    of = hostile(texts)
    items, tokens = read_markdown(FORMATS["markdown"](of))
    allowed = {"text", "text_special", "link_open", "link_close", "inline", "heading_open", "heading_close"}
    allowed |= {f"{part}_{end}" for part in ("paragraph", "bullet_list", "list_item") for end in ("open", "close")}
    allowed |= {f"{part}_{end}" for part in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")}
    assert {token.type for token in tokens} <= allowed
    assert {token.attrs["href"] for token in tokens if token.type == "link_open"} == {URL}
    assert len(items) == of.findings.height
    wanted = []
    for row in worst_first(listing.with_images(of.findings)).iter_rows(named=True):
        place = visible(row["manifest"], limit=None) + (f":{row['line']}" if row["line"] else "")
        said = listing.sentence(row["name"], row["aws"], row["message"], row["shown_image"])
        wanted.append(f"{row['severity']} {row['code']} {row['name']} {place}: {said}".rstrip())
    assert [item.replace("@\u200b", "@").rstrip() for item in items] == wanted


@pytest.mark.parametrize("text", ["https://evil.example", "HTTP://EVIL", "www.evil.example", "WWW.evil", "ftp://evil"])
def test_markdown_makes_no_link_of_an_address(text: str) -> None:
    shown = markdown.escaped(f"see {text} now")
    assert not re.search(r"[a-z]://|www\.", shown, re.IGNORECASE)


def test_markdown_mentions_nobody() -> None:
    shown = markdown.escaped("@octocat and me@example.org")
    assert not re.search(r"@\w", shown)


@pytest.mark.parametrize("form", JSON_FORMATS)
@pytest.mark.parametrize("texts", [ATTACKS, pytest.param(naughty_strings(), marks=NEEDS_NAUGHTY)])
def test_json_formats_are_plain_and_carry_data_exactly(form: str, texts: list[str]) -> None:
    of = hostile(texts)
    text = FORMATS[form](of)
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


@pytest.mark.parametrize("texts", [ATTACKS, pytest.param(naughty_strings(), marks=NEEDS_NAUGHTY)])
def test_xml_is_read_back_as_what_people_are_shown(texts: list[str]) -> None:
    texts = [*texts, "\x00\x0b\x1f\ufffe\uffff", "]]>", "</failure><failure>"]
    of = hostile(texts)
    text = FORMATS["junit"](of)
    assert re.fullmatch(r"[\n\x20-\x7e]+", text)
    assert not any(COMMAND.search(line) for line in text.split("\n"))
    root = ElementTree.fromstring(text)
    rows = listing.with_images(of.findings).to_dicts()
    said = [
        f"{row['code']} {row['name']}: {listing.sentence(row['name'], row['aws'], row['message'], row['shown_image'])}"
        for row in rows
        if row["severity"] == "error"
    ]
    assert sorted(str(failure.get("message")) for failure in root.iter("failure")) == sorted(said)
    noted = [line for suite in root for line in (suite.findtext("system-out") or "").split("\n") if line]
    assert len(noted) == sum(row["severity"] != "error" for row in rows)
    assert not any(COMMAND.search(line) for line in noted)
    assert not UNSEEN.search("".join(noted))
    assert len(list(root.iter("testcase"))) == len(rows)


@pytest.mark.parametrize("form", ["text", "concise", "csv", "github", "markdown"])
@pytest.mark.parametrize("texts", [[text] for text in ATTACKS] + [pytest.param(naughty_strings(), marks=NEEDS_NAUGHTY)])
def test_no_line_for_people_hides_anything_or_gives_a_command(form: str, texts: list[str]) -> None:
    text = FORMATS[form](hostile(texts))
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
        lines = FORMATS[form](of).split("\n")
        assert not [line for line in lines if COMMAND.search(line) and not OURS.fullmatch(line)], form
    assert sarif_run(of)["tool"]["driver"]["rules"][0]["help"]["text"] == "A box. ##[error]owned."


@pytest.mark.parametrize("width", range(24, 80, 7))
def test_a_message_that_is_wrapped_gives_no_command(width: int) -> None:
    message = "x " * 10 + "::error::owned " * 8 + "##vso[task.complete] ##[error]x"
    of = report(finding(message=message), presentation=Presentation(width=width))
    assert not [line for line in FORMATS["text"](of).split("\n") if COMMAND.search(line)]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a.manifest", "a.manifest"),
        ("é.manifest", "é.manifest"),
        ("/a.manifest", "/a.manifest"),
        ("../a.manifest", "../a.manifest"),
        ("_a.manifest", "_a.manifest"),
        ("1.manifest", "1.manifest"),
        ("-", "./-"),
        ("--flag.manifest", "./--flag.manifest"),
        ("::error::x", "./::error::x"),
        (" x", "./ x"),
        ("@x", "./@x"),
        ("##[error]x", "./\\x23#[error]x"),
        ("\x1b[2J.manifest", "./\\x1b[2J.manifest"),
    ],
)
def test_a_path_that_begins_a_line_begins_harmlessly(path: str, shown: str) -> None:
    of = report(finding(manifest=path, line=4), on_manifest(manifest=path))
    concise = FORMATS["concise"](of).splitlines()
    assert concise[0].startswith(f"{shown}:4: error BOX101 ")
    assert concise[1].startswith(f"{shown}: error MAN102 ")
    assert FORMATS["text"](of).splitlines()[0] == shown


def test_concise_is_one_line_for_each_finding() -> None:
    assert FORMATS["concise"](MIXED).splitlines() == [
        "data/a.manifest:3: error BOX101 box-outside-image: 100% wrong: a, b (images/1.jpg)",
        "data/a.manifest: warning DUP101 exact-duplicate: [ERROR_X] box 0 leaves the image (s3://bucket/1.jpg)",
        "b c/ä:1.manifest: info LBL201 label-few-images: few",
    ]
    assert FORMATS["concise"](many()).count("\n") == 6023
    assert FORMATS["concise"](report()) == ""


def table(of: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(FORMATS["csv"](of))))


def test_csv_has_a_row_for_each_finding_and_the_keys_of_json_as_columns() -> None:
    place = {"manifest": "b.manifest", "line": 2, "attribute": None, "box": None, "source_ref": "s3://bucket/é.jpg"}
    of = report(finding(related=[place], score=0.5, message='a "b", c'), on_manifest())
    first, second = table(of)
    assert tuple(first) == KEYS
    assert (first["message"], first["line"], first["score"], first["typical"]) == ('a "b", c', "1", "0.5", "false")
    assert json.loads(first["related"]) == [place]
    assert (second["line"], second["source_ref"], second["related"]) == ("", "", "[]")
    assert table(report()) == []
    assert FORMATS["csv"](report()).count("\n") == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_of_csv_is_taken_for_a_formula(text: str) -> None:
    (row,) = table(report(finding(message=text, label=text, manifest=text)))
    for name in ("message", "label", "manifest"):
        assert row[name][0] not in "=+-@\t\r"
        assert row[name].endswith(text[-1])


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


def test_code_scanning_learns_that_a_manifest_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(manifest(detection()))
    command = [
        sys.executable,
        "-m",
        "groundlint",
        "check",
        "--isolated",
        "--output",
        "sarif",
        "a.manifest",
        "b.manifest",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 2
    (invocation,) = json.loads(done.stdout)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_report_gives_the_same_text(form: str) -> None:
    assert FORMATS[form](many()) == FORMATS[form](many())
