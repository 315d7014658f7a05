"""The reports for GitHub Actions, GitLab and JUnit."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
import xmlschema
from corpora import SCHEMAS
from findings import finding, on_manifest, report
from reports import COMMAND, MIXED, OURS, hostile, many, rendered
from test_attack import ATTACKS, UNSEEN, naughty_strings
from test_sarif import sarif_run

from groundlint.report import listing
from groundlint.report.report import Report


def test_github_annotates_and_escapes() -> None:
    image = "(s3://bucket/1.jpg)"
    assert rendered("github", MIXED).splitlines() == [
        "::error file=data/a.manifest,line=3,title=BOX101 box-outside-image::100%25 wrong: a, b (images/1.jpg)",
        f"::warning file=data/a.manifest,line=1,title=DUP101 exact-duplicate::[ERROR_X] box 0 leaves the image {image}",
        "::notice file=b c/ä%3A1.manifest,line=1,title=LBL201 label-few-images::few",
        "groundlint: 3 of 3 findings annotated, 0 left out",
    ]
    line = rendered("github", report(on_manifest(manifest="50%,a:b\n.manifest", message="a\r\nb"))).splitlines()[0]
    place = "file=50%25%2Ca%3Ab\\x0a.manifest,line=1"
    assert line == f"::error {place},title=MAN102 too-many-invalid-lines::a\\x0d\\x0ab"


def test_github_gives_the_most_certain_three_of_a_rule_and_counts_the_rest() -> None:
    *lines, last = rendered("github", many()).splitlines()
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
    *lines, last = rendered("github", of).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert last == "groundlint: 20 of 40 findings annotated, 20 left out"


def test_worst_first_sorts_by_reliability_and_then_by_score() -> None:
    given = [(None, 0.9), (0.7, 0.2), (0.7, None), (1.0, None), (0.7, 0.9), (0.9, 0.1)]
    rows = (
        finding(line=n, code=f"BOX{n}", precision=precision, score=score)
        for n, (precision, score) in enumerate(given, start=1)
    )
    *commands, _ = rendered("github", report(*rows)).splitlines()
    assert [int(OURS.fullmatch(line)[3]) for line in commands] == [4, 6, 5, 2, 3, 1]


def test_gitlab_has_the_keys_of_code_quality() -> None:
    issues = json.loads(rendered("gitlab", MIXED))
    assert issues[1] == {
        "description": "DUP101 exact-duplicate: [ERROR_X] box 0 leaves the image (s3://bucket/1.jpg)",
        "check_name": "exact-duplicate",
        "fingerprint": "f1",
        "severity": "minor",
        "location": {"path": "data/a.manifest", "lines": {"begin": 1}},
    }
    assert [issue["severity"] for issue in issues] == ["major", "minor", "info"]
    assert issues[2]["location"]["path"] == "b c/ä:1.manifest"
    assert json.loads(rendered("gitlab", report())) == []


def test_equal_fingerprints_become_different_where_they_must_be_unique() -> None:
    of = report(*(finding(fingerprint="same", message=text) for text in "abc"), finding(fingerprint="other"))
    wanted = ["same", "same:2", "same:3", "other"]
    assert [issue["fingerprint"] for issue in json.loads(rendered("gitlab", of))] == wanted
    hashes = [result["partialFingerprints"]["primaryLocationLineHash"] for result in sarif_run(of)["results"]]
    assert hashes == wanted
    assert [json.loads(line)["fingerprint"] for line in rendered("jsonl", of).splitlines()][:3] == ["same"] * 3


@pytest.mark.parametrize("of", [report(), MIXED, hostile([*ATTACKS, " ", "\t"])], ids=["empty", "mixed", "hostile"])
def test_junit_is_valid(of: Report) -> None:
    xmlschema.XMLSchema(SCHEMAS / "junit.xsd").validate(rendered("junit", of))


def test_junit_has_a_suite_for_each_manifest_and_a_case_for_each_finding() -> None:
    first, second = ElementTree.fromstring(rendered("junit", MIXED))
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
def test_junit_failures_are_only_the_findings_that_fail_the_run(failing: tuple[str, ...], failures: int) -> None:
    of = report(*(finding(severity=level) for level in ("error", "warning", "info")), failing=frozenset(failing))
    root = ElementTree.fromstring(rendered("junit", of))
    assert len(list(root.iter("failure"))) == failures
    assert len((root[0].findtext("system-out") or "").splitlines()) == 3 - failures


def test_junit_cases_on_boxes_of_a_line_have_names_of_their_own() -> None:
    boxes = [finding(box=n, attribute=attribute) for attribute in ("animals", "things") for n in range(3)]
    suite = ElementTree.fromstring(rendered("junit", report(*boxes)))
    names = {(case.get("classname"), case.get("name")) for case in suite.iter("testcase")}
    assert len(names) == 6


def test_junit_cases_of_one_place_have_names_of_their_own_that_stay_when_others_go() -> None:
    def cases(*findings: dict[str, Any]) -> list[tuple[str | None, str | None]]:
        suite = ElementTree.fromstring(rendered("junit", report(*findings)))
        return [(case.get("classname"), case.get("name")) for case in suite.iter("testcase")]

    whole = {"line": None, "attribute": None, "box": None, "code": "SPL103"}
    of_labels = [finding(**whole, label=label) for label in "abc"]
    assert len(set(cases(*of_labels))) == 3
    assert cases(*of_labels)[1:] == cases(*of_labels[1:])
    alike = [*of_labels, finding(**whole, label="a"), finding(**whole, label="a"), finding(), finding()]
    assert len(set(cases(*alike))) == 7
    assert cases(*alike)[:3] == cases(*of_labels)


@pytest.mark.parametrize("texts", [ATTACKS, naughty_strings()])
def test_xml_is_read_back_as_it_is_shown(texts: list[str]) -> None:
    texts = [*texts, "\x00\x0b\x1f\ufffe\uffff", "]]>", "</failure><failure>"]
    of = hostile(texts)
    text = rendered("junit", of)
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
