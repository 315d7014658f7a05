"""What the service drops raises no further findings of ours; its own further codes name the rule of their cause."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import REGISTRY
from lines import classification, detection, line_texts, manifest

import groundlint
from groundlint.engine.base_tables import BASE
from groundlint.engine.cascade import COVERED_PLACES, without_covered
from groundlint.engine.evaluate import evaluate
from groundlint.engine.examples import Bad
from groundlint.engine.rule import Rule
from groundlint.example_tables import example_tables
from groundlint.manifest.kinds import Kind

OURS = [
    pytest.param(rule, id=f"{code} {rule.name}")
    for code, rule in sorted(REGISTRY.rules.items())
    if rule.aws is None and "rekognition" in rule.targets
]


def lost(tables: dict[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Tables in which the service drops each line, because of its source-ref."""
    lines = (
        tables.get("lines", BASE["lines"].empty().lazy()).select("data_set", "line_id", "manifest", "line").collect()
    )
    known = tables.get("problems", BASE["problems"].empty().lazy()).collect()
    faults = lines.with_columns(kind=pl.lit(Kind.INVALID_SOURCE_REF.value), loses=pl.lit("line"))
    problems = pl.concat([known, faults.cast({"line_id": known.schema["line_id"]})], how="diagonal")
    return tables | {"problems": problems.lazy()}


@pytest.mark.parametrize("rule", OURS)
def test_no_finding_of_ours_stands_on_a_dropped_line(rule: type[Rule]) -> None:
    # Under ground-truth, Custom Labels drops nothing; examples of derived tables have no lines that could be dropped.
    examples = [each for each in rule.examples if isinstance(each, Bad) and {*each.rows} <= {*BASE} - {"limits"}]
    for example in examples:
        plan = REGISTRY.graph.plan([rule(**example.options)], kept=[COVERED_PLACES])
        evaluation = evaluate(plan, lost(example_tables(REGISTRY, example)))
        assert evaluation.raised == []
        left = without_covered(evaluation.findings, evaluation.kept[COVERED_PLACES], REGISTRY.rules)
        assert left.filter(pl.col("line").is_not_null(), pl.col("loses").is_null(), pl.col("aws").is_null()).is_empty()
        # Findings on labels, manifests and data sets remain.
        whole = evaluation.findings.filter(pl.col("line").is_null())
        assert left.filter(pl.col("line").is_null()).height == whole.height


def findings(folder: Path, *lines: dict[str, Any] | str, **options: Any) -> list[dict[str, Any]]:
    path = folder / "a.manifest"
    path.write_text(manifest(*lines), encoding="utf-8", errors="surrogatepass")
    found: list[dict[str, Any]] = groundlint.check(path, isolated=True, fast=True, **options).findings.to_dicts()
    return found


def test_labels_are_rejected_though_the_service_drops_what_the_verification_job_says(tmp_path: Path) -> None:
    answer = classification(label="bad", name="check", type="groundtruth/label-verification")
    lines = [detection(f"s3://bucket/{n}.jpg") for n in range(12)]
    found = findings(tmp_path, *lines[:-1], answer | lines[-1], select=["LBL107", "LBL304"])
    # The boxes are trained on.
    assert {(each["code"], each["line"], each["loses"]) for each in found} == {
        ("LBL107", 12, "attribute"),
        ("LBL304", 12, None),
    }


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(line_texts(), min_size=1, max_size=12))
def test_no_finding_of_ours_stands_on_what_a_finding_says_is_lost(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    sound = [detection(f"s3://bucket/{n}.jpg") for n in range(12)]
    found = findings(tmp_path_factory.mktemp("generated"), *sound, *texts)
    lines = {each["line"] for each in found if each["loses"] == "line"}
    attributes = {(each["line"], each["attribute"]) for each in found if each["loses"] == "attribute"}
    boxes = {(each["line"], each["attribute"], each["box"]) for each in found if each["loses"] == "box"}
    for each in found:
        if each["line"] is None or each["aws"] or each["loses"]:
            continue
        assert each["line"] not in lines, each
        assert (each["line"], each["attribute"]) not in attributes, each
        assert (each["line"], each["attribute"], each["box"]) not in boxes, each


def test_a_dropped_box_has_one_finding_and_the_others_keep_theirs(tmp_path: Path) -> None:
    small = {"left": 0, "top": 100, "width": 1, "height": 50}
    cut = {"left": 0, "top": 0, "width": 100, "height": 100}
    lines = [detection("s3://bucket/a.jpg", (small, cut)), *(detection(f"s3://bucket/{n}.jpg") for n in range(12))]
    found = [(each["box"], each["name"]) for each in findings(tmp_path, *lines) if each["line"] == 1]
    assert sorted(found) == [(0, "box-too-small"), (1, "object-truncated")]


def test_under_ground_truth_nothing_is_dropped_by_custom_labels(tmp_path: Path) -> None:
    edge = {"left": 0, "top": 0, "width": 1, "height": 50}
    found = findings(tmp_path, detection("s3://bucket/a.jpg", (edge,)), target="ground-truth")
    assert "object-truncated" in {each["name"] for each in found}


def test_the_cause_is_the_rule_with_most_lines(tmp_path: Path) -> None:
    outside, small = {"left": 630}, {"width": 1}
    bad = [detection("s3://bucket/a.jpg", (outside, small)), detection("s3://bucket/b.jpg", (outside, outside))]
    found = findings(tmp_path, *bad, detection("s3://bucket/c.jpg"))
    assert {each["caused_by"] for each in found if each["code"] in ("BOX104", "MAN107")} == {"BOX101"}


def test_too_few_labels_follow_from_lost_lines_only_if_these_had_enough(tmp_path: Path) -> None:
    lines = [classification(f"s3://bucket/{n}.jpg", "cat" if n else "dog") for n in range(12)]
    del lines[0]["animal-metadata"]["confidence"]
    [few] = [each for each in findings(tmp_path, *lines) if each["code"] == "LBL111"]
    assert few["caused_by"] == "LBL103"
    for line in lines:
        line["animal-metadata"]["class-name"] = "cat"
    [few] = [each for each in findings(tmp_path, *lines) if each["code"] == "LBL111"]
    assert few["caused_by"] is None


def test_a_finding_on_a_key_of_the_manifest_moves_to_a_line_that_is_used(tmp_path: Path) -> None:
    lines = [detection(f"s3://bucket/{n:02}.jpg") | {"boxes": {"annotations": []}} for n in range(12)]
    lines[0]["source-ref"] = "https://example.org/a.jpg"
    [orphan] = [each for each in findings(tmp_path, *lines) if each["name"] == "orphan-key"]
    assert orphan["line"] == 2
    assert "also on 10 other lines" in orphan["message"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{'source-ref': 's3://bucket/1.jpg', 'x': None}\n", "line 1 is a Python object, not JSON"),
        (f"{json.dumps(detection())},\n" * 3, "line 1 ends in a comma"),
        ('\n{"source-ref": "s3://bucket/1.jpg",}\n', "line 2 has a comma before a closing bracket"),
        (f"{json.dumps(json.dumps(detection()))}\n" * 3, "line 1 is a string that holds the object"),
        (json.dumps({"DatasetEntries": [json.dumps(detection())]}, indent=2), "the response of list-dataset-entries"),
        (json.dumps(detection(), indent=2), "the object that begins on line 1 does not end there"),
        ("source-ref,label\ns3://bucket/1.jpg,cat\n", "the file is CSV"),
        ('{"source-ref": NaN}\n', "(line 1: NaN is not a JSON number; write a finite number or null)"),
        ("[1]\n[2]\n", "it looks like JSON values other than objects"),
    ],
)
def test_a_file_no_line_of_which_is_an_object_gives_the_reason_of_the_first(
    text: str, says: str, tmp_path: Path
) -> None:
    [found] = findings(tmp_path, text)
    assert (found["code"], found["line"], found["loses"]) == ("MAN101", None, "training")
    assert says in found["message"]
