"""Every documented code of the service: reported where the documents say so, and not below its limit."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from corpora import SERVICE_CODES
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import REGISTRY, evaluated, judged
from lines import classification, detection, manifest
from service_cases import CASES, Case

from groundlint.config.data_sets import Source
from groundlint.manifest.kinds import Kind
from groundlint_rules import samples, service_codes

PAGE = Path(__file__).parents[1] / "docs/service-codes.md"
NAMED = {name for case in CASES for name in (*case.raises, *case.spares)}
RULES = [
    rule
    for rule in REGISTRY.rules.values()
    if {rule.name, rule.aws} & NAMED or rule.code in {kind.rule for kind in Kind}
]


def findings(folder: Path, case: Case) -> list[dict[str, Any]]:
    """The findings in the data set of a case, under its settings."""
    settings = {name.replace("-", "_"): value for name, value in case.settings.items()}
    train = folder / f"train{case.suffix}"
    train.write_bytes(case.train.encode(settings.pop("encoding", "utf-8")))
    sources = [Source(train.name, "train", train)]
    if case.test is not None:
        sources.append(Source("test.manifest", "test", data=case.test.encode()))
    return judged(RULES, *sources, **settings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row}: {case.what}")
def test_the_service_code(case: Case, tmp_path: Path) -> None:
    found = findings(tmp_path, case)
    for code, places in case.raises.items():
        where = [(f["line"], f["attribute"], f["box"], f["loses"]) for f in found if code in (f["name"], f["aws"])]
        assert sorted(where, key=str) == sorted(places, key=str)
    spared = [finding for finding in found if {finding["aws"], finding["name"]} & set(case.spares)]
    assert spared == []


def rows() -> list[str]:
    with SERVICE_CODES.open(newline="") as file:
        return [row["code"] for row in csv.DictReader(file)]


def test_every_documented_code_has_a_case_or_an_explanation() -> None:
    noted = {note.row for note in service_codes.NOTES}
    covered = {case.row for case in CASES} | {code for case in CASES for code in case.raises}
    # A sparse file has a test of its own.
    assert set(rows()) - covered - noted <= {"ERROR_MANIFEST_SIZE_TOO_LARGE"}


def test_the_page_of_codes_has_every_documented_row() -> None:
    page = PAGE.read_text()
    assert [row for row in rows() if f"| `{row}` |" not in page] == []


def test_the_page_of_codes_is_fresh() -> None:
    assert PAGE.read_text() == service_codes.page(REGISTRY.rules), "renew it with: make docs"


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_belongs_to_an_installed_rule_with_its_service_code(kind: Kind) -> None:
    rule = REGISTRY.rules[kind.rule]
    # A manifest close to the limit of the service is within it.
    expected = None if kind is Kind.MANIFEST_NEAR_LIMIT else rule.aws
    assert kind.aws == expected


@pytest.mark.parametrize("code", sorted({kind.rule for kind in Kind}))
def test_a_rule_has_messages_for_exactly_its_kinds(code: str) -> None:
    rule, kinds = REGISTRY.rules[code], {kind.value for kind in Kind if kind.rule == code}
    if rule.messages:
        assert set(rule.messages) == kinds
    else:
        # The kind of a rule with one message is named as the rule is.
        assert kinds == {rule.name}


def test_a_manifest_above_a_gibibyte_is_refused_unread(tmp_path: Path) -> None:
    manifest = tmp_path / "a.manifest"
    manifest.touch()
    with manifest.open("r+b") as file:
        file.truncate(2**30 + 1)
    found = judged(RULES, Source("a.manifest", "train", manifest))
    assert [(f["aws"], f["line"], f["loses"]) for f in found] == [("ERROR_MANIFEST_SIZE_TOO_LARGE", None, "training")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (classification(**{"creation-date": "late"}), "classification needs at least 2"),
        (detection(**{"creation-date": "late"}), "detection needs at least 1"),
    ],
)
def test_where_no_label_is_usable_the_limit_is_that_of_the_attributes(line: dict[str, Any], says: str) -> None:
    found = judged(RULES, Source("a.manifest", "train", data=manifest(line).encode()))
    (message,) = [f["message"] for f in found if f["name"] == "too-few-labels"]
    assert message.startswith(f"the train split has 0 usable labels, but {says}")


def test_the_only_attribute_without_boxes_follows_from_the_line_without_boxes() -> None:
    empty = json.loads(samples.detection(value={"annotations": []}, metadata={"objects": []}))
    second = {"more": empty["animals"], "more-metadata": empty["animals-metadata"]}
    text = "".join(f"{json.dumps(line)}\n" for line in (empty, empty | {"source-ref": "s3://b/2.jpg"} | second))
    found = judged(RULES, Source("a.manifest", "train", data=text.encode()))
    causes = [(f["line"], f["attribute"], f["caused_by"]) for f in found if f["code"] == "LBL110"]
    assert causes == [(1, "animals", "LBL109"), (2, "animals", None), (2, "more", None)]


@pytest.mark.parametrize(("target", "counts"), [("ground-truth", [2]), ("rekognition", [])])
def test_video_lines_are_a_note_of_ground_truth(target: str, counts: list[int]) -> None:
    video = {"v-ref": "s3://b/s.json", "v-ref-metadata": {"type": "groundtruth/video-object-tracking"}}
    lines = [json.loads(samples.detection(source_ref=f"s3://b/{n}.jpg")) | video for n in range(2)]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    rule = REGISTRY.find("mask-without-colors")
    notes = evaluated([rule], Source("a.manifest", "train", data=text.encode()), target=target).notes
    assert [note.count for note in notes if note.kind == "video-or-point-cloud-lines"] == counts


LINE_CASES = [case for case in CASES if len(case.raises) == 1 and not case.settings and case.train.count("\n") == 11]


@settings(max_examples=25, deadline=None)
@given(case=st.sampled_from(LINE_CASES), count=st.integers(1, 5))
def test_further_valid_lines_remove_no_finding(
    case: Case, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    more = "".join(f"{samples.detection(source_ref=f's3://bucket/more{n}.jpg')}\n" for n in range(count))
    before = findings(tmp_path_factory.mktemp("before"), case)
    after = findings(tmp_path_factory.mktemp("after"), case._replace(train=case.train + more))
    of_line = [(f["code"], f["line"], f["attribute"], f["box"]) for f in before if f["line"]]
    assert set(of_line) <= {(f["code"], f["line"], f["attribute"], f["box"]) for f in after}
