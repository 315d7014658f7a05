"""Reports: the line for people, and the object for programs that the published schema describes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lines import classification, detection, manifest

from groundlint.config.data_sets import Request
from groundlint.config.settings import Config
from groundlint.engine import registry
from groundlint.policy.policy import count
from groundlint.policy.selection import of_config
from groundlint.report import FORMATS
from groundlint.report.report import Report
from groundlint.report.schema import schema
from groundlint.session import run

PUBLISHED = json.loads((Path(__file__).parents[1] / "docs/report.schema.json").read_text(encoding="utf-8"))
REGISTRY = registry.load(isolated=True)
CONFIG = Config()
FAULTS = manifest(
    detection("s3://bucket/1.jpg", ({"left": -1}, {"width": 0}, {"class_id": 1})),
    "",
    classification("no uri"),
    "{",
    {"source-ref": "s3://bucket/2.jpg"},
    *(detection(f"s3://bucket/{n}.jpg", ({"left": -1}, {})) for n in range(100, 153)),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report of many kinds of findings: on lines, boxes, and the manifest as a whole."""
    path = tmp_path_factory.mktemp("report") / "a.manifest"
    path.write_text(FAULTS)
    outcome = run(REGISTRY, of_config(REGISTRY, CONFIG), CONFIG, Request((str(path),)))
    rest = {"counts": count(outcome.findings), "suppressed": 0, "baselined": 0, "skipped_rules": []}
    return Report("1.2.3", outcome.target, outcome.summary | rest, outcome.findings)


@pytest.fixture(scope="module")
def value(report: Report) -> Any:
    return json.loads(FORMATS["json"](report))


def test_the_published_schema_is_the_one_of_the_models_and_a_schema() -> None:
    assert schema() == PUBLISHED
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)


def test_the_json_report_is_as_published(value: Any) -> None:
    jsonschema.validate(value, PUBLISHED)
    assert (value["schema_version"], value["tool"]) == (1, {"name": "groundlint", "version": "1.2.3"})


def test_the_schema_refuses_what_is_not_a_report(value: Any) -> None:
    validator = jsonschema.Draft202012Validator(PUBLISHED)
    for key in value:
        assert not validator.is_valid({name: part for name, part in value.items() if name != key})
    finding = value["findings"][0]
    for key in finding:
        short = [{name: part for name, part in finding.items() if name != key}]
        assert not validator.is_valid(value | {"findings": short}), key
    assert not validator.is_valid(value | {"findings": [finding | {"severity": "fatal"}]})


def test_findings_have_the_keys_of_the_contract_in_order(value: Any) -> None:
    keys = "code name severity message manifest line attribute box label source_ref score aws loses related"
    assert " ".join(value["findings"][0]) == f"{keys} fingerprint url"


def test_findings_stand_in_order_of_manifest_line_attribute_box_and_code(value: Any) -> None:
    def place(finding: Any) -> tuple[Any, ...]:
        line, box = finding["line"] or 0, -1 if finding["box"] is None else finding["box"]
        return finding["manifest"], line, finding["attribute"] or "", box, finding["code"]

    places = [place(finding) for finding in value["findings"]]
    assert places == sorted(places)
    assert {finding["line"] for finding in value["findings"]} >= {None, 1, 3, 4, 5}


def test_the_counts_are_those_of_the_findings(value: Any) -> None:
    severities = [finding["severity"] for finding in value["findings"]]
    assert value["summary"]["counts"] == {level: severities.count(level) for level in ("error", "warning", "info")}
    assert value["summary"]["lines"] == 58


def test_each_finding_of_ours_has_the_address_of_its_page(value: Any) -> None:
    for finding in value["findings"]:
        assert re.fullmatch(rf"https://\S+/{finding['code']}\.md", finding["url"])


def test_text_names_each_place_code_and_service_code(report: Report, value: Any) -> None:
    lines = FORMATS["text"](report).splitlines()
    shown: dict[str, int] = {}
    for finding in value["findings"]:
        shown[finding["code"]] = shown.get(finding["code"], 0) + 1
        place = f"{finding['manifest']}:{finding['line']}" if finding["line"] else finding["manifest"]
        aws = f"[{finding['aws']}] " if finding["aws"] else ""
        line = f"{place}: {finding['code']} {aws}{finding['message']}"
        assert (line in lines) == (shown[finding["code"]] <= 50), line


def test_text_shows_fifty_of_a_rule_and_manifest_and_counts_the_rest(report: Report) -> None:
    text = FORMATS["text"](report)
    assert text.count(": BOX101 [") == 50
    assert "a.manifest: BOX101 and 4 more of box-outside-image\n" in text


def test_text_ends_with_the_numbers_of_the_run(report: Report) -> None:
    last = FORMATS["text"](report).splitlines()[-1]
    errors, warnings, info = report.summary["counts"].values()
    assert last == (
        f"58 lines, 1 manifest, 56 images, target rekognition: {errors} errors, "
        f"{warnings} warning{'' if warnings == 1 else 's'}, {info} info, 0 suppressed, 0 baselined"
    )


def test_quiet_text_has_findings_only(report: Report) -> None:
    loud, quiet = FORMATS["text"](report), FORMATS["text"](replace(report, quiet=True))
    assert loud.splitlines()[:-1] == quiet.splitlines()


def test_colour_adds_nothing_but_colour(report: Report) -> None:
    coloured = FORMATS["text"](replace(report, color=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == FORMATS["text"](report)


def test_statistics_count_every_finding_by_rule(report: Report) -> None:
    table = FORMATS["text"](replace(report, statistics=True, quiet=True)).removeprefix(
        FORMATS["text"](replace(report, quiet=True))
    )
    rows = [line.split() for line in table.splitlines()]
    assert sum(int(number) for number, *_ in rows) == report.findings.height
    assert ["54", "BOX101", "error", "box-outside-image"] in rows
