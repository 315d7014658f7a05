"""SARIF: valid, within the limits of GitHub, and saying what the findings say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from corpora import SCHEMAS
from findings import URL, finding, report
from lines import detection, manifest
from reports import MIXED, hostile, many, rendered
from test_attack import ATTACKS

from groundlint.report import sarif
from groundlint.report.report import Report


def sarif_run(of: Report) -> Any:
    return json.loads(rendered("sarif", of))["runs"][0]


@pytest.mark.parametrize("of", [report(), MIXED, hostile(ATTACKS)], ids=["empty", "mixed", "hostile"])
def test_sarif_is_valid(of: Report) -> None:
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(json.loads(rendered("sarif", of)))


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
