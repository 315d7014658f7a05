"""The JSON report as its published schema describes it, and the text report as a person reads it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from findings import finding, frame, on_manifest, presented, report
from reports import rendered

from groundlint.engine.findings import KEYS
from groundlint.report.listing import shortest_names
from groundlint.report.report import Report
from groundlint.report.schema import schema
from groundlint.summary import Images

PUBLISHED = json.loads((Path(__file__).parents[1] / "docs/report.schema.json").read_text(encoding="utf-8"))
LONG = "box 0 ('cat') is outside the image (left 541 px, the image is 640 px wide); clip the box to the image"
COLOR = re.compile(r"\x1b\[[0-9;]*m")
CAUSE = [finding(line=n, box=n) for n in range(1, 4)]
EFFECT = on_manifest(message="3 of 4 lines are invalid", caused_by="BOX101")


def text(of: Report, **parts: Any) -> str:
    return rendered("text", presented(of, **parts))


def lines(of: Report, **parts: Any) -> list[str]:
    return text(of, quiet=True, **parts).splitlines()


@pytest.fixture(scope="module")
def value() -> Any:
    place = {"manifest": "b.manifest", "line": 2, "attribute": None, "box": None, "source_ref": "s3://bucket/2.jpg"}
    rows = (
        finding(related=[place], score=0.5, aws="ERROR_INVALID_BOUNDING_BOX"),
        on_manifest(severity="warning"),
        finding(severity="info", typical=True, image="images/1.jpg"),
    )
    return json.loads(rendered("json", report(*rows, notes=("too many boxes to compare",))))


def test_the_published_schema_is_the_one_of_the_models_and_valid() -> None:
    assert schema() == PUBLISHED
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)


def test_the_json_report_has_the_published_form(value: Any) -> None:
    jsonschema.validate(value, PUBLISHED)
    assert (value["schema_version"], value["tool"]) == (1, {"name": "groundlint", "version": "1.2.3"})
    assert value["summary"]["counts"] == {"error": 1, "warning": 1, "info": 1}
    assert value["summary"]["notes"] == [
        {"kind": "a-note", "manifest": None, "count": None, "message": "too many boxes to compare"}
    ]


def test_the_schema_refuses_what_is_not_a_report(value: Any) -> None:
    validator = jsonschema.Draft202012Validator(PUBLISHED)
    for key in value:
        assert not validator.is_valid({name: part for name, part in value.items() if name != key})
    first = value["findings"][0]
    for key in first:
        short = [{name: part for name, part in first.items() if name != key}]
        assert not validator.is_valid(value | {"findings": short}), key
    assert not validator.is_valid(value | {"findings": [first | {"severity": "fatal"}]})


def test_findings_have_the_keys_of_the_contract_in_order(value: Any) -> None:
    keys = "code name severity message manifest line attribute box label source_ref image score typical aws loses"
    assert " ".join(value["findings"][0]) == f"{keys} caused_by fix related fingerprint url"
    assert tuple(value["findings"][0]) == KEYS


def test_text_groups_by_manifest_and_lists_the_worst_first() -> None:
    of = report(
        finding(manifest="b.manifest", line=7, severity="warning", precision=0.8, score=0.2, code="DUP102"),
        finding(manifest="b.manifest", line=8, severity="warning", precision=0.8, score=0.9, code="DUP102"),
        finding(manifest="b.manifest", line=9, severity="warning", precision=1.0, code="BOX301"),
        finding(manifest="a.manifest", line=3),
    )
    rows = lines(of)
    assert [row.split()[0] for row in rows if row] == ["a.manifest", "3", "b.manifest", "9", "8", "7"]
    assert rows[0] == "a.manifest"
    assert rows[1].split()[1:4] == ["error", "BOX101", "box-outside-image"]


def test_a_row_of_text_names_line_severity_rule_image_service_code_and_message() -> None:
    row = lines(report(finding(aws="ERROR_X", image="images/1.jpg")), width=160)[1]
    assert row == "  1  error    BOX101 box-outside-image  1.jpg  [ERROR_X] box 0 leaves the image"
    assert lines(report(on_manifest()), width=160)[1].split()[0] == "-"


@pytest.mark.parametrize("width", [60, 100, 160])
def test_text_fits_the_terminal_and_messages_are_aligned(width: int) -> None:
    of = report(finding(message=LONG, source_ref="s3://bucket/folder/image-1.jpg"), finding(line=12, message=LONG))
    rows = lines(of, width=width)
    assert max(map(len, rows)) <= width
    assert " ".join(" ".join(rows).split()).count(LONG.split(";")[1].strip()) == 2 or width == 60
    starts = {len(row) - len(row.lstrip()) for row in rows[1:] if not re.match(r" +\d+  ", row)}
    assert len(starts) <= 1
    numbers = [row.index("error") for row in rows if " error " in row]
    assert len(set(numbers)) == 1


def test_text_never_breaks_a_path() -> None:
    path = f"s3://bucket/{'long-folder/' * 10}1.jpg"
    assert path in text(report(finding(message=f"near-duplicate of {path}; delete one of them")), width=60)


def test_text_lists_five_rows_of_a_rule_and_manifest_and_says_how_to_see_the_rest() -> None:
    of = report(*(finding(line=n, manifest=f"{name}.manifest") for name in "ab" for n in range(1, 10)))
    rows = lines(of)
    assert sum("box 0 leaves the image" in row for row in rows) == 10
    assert sum("4 more of BOX101 box-outside-image; --limit 0 lists all" in row for row in rows) == 2
    assert sum("box 0 leaves the image" in row for row in lines(of, limit=1)) == 2
    every = lines(of, limit=0)
    assert sum("box 0 leaves the image" in row for row in every) == 18
    assert "more of" not in "\n".join(every)


def test_text_counts_infos_by_rule_unless_they_are_asked_for() -> None:
    of = report(
        *(finding(severity="info", code="VIS101", name="object-truncated", line=n) for n in range(1, 4)),
        finding(severity="info", code="BAL101", name="label-imbalance", message="'a' is rare"),
    )
    rows = lines(of)
    assert rows[0] == "4 infos of 2 rules, not listed; --min-severity info lists them:"
    assert [row.split() for row in rows[1:]] == [
        ["3", "VIS101", "object-truncated"],
        ["1", "BAL101", "label-imbalance"],
    ]
    assert sum("  info  " in row for row in lines(of, lists_infos=True)) == 4
    of_one = lines(of, listed=frozenset({"BAL101"}))
    assert sum("  info  " in row for row in of_one) == 1
    assert "3 infos of 1 rule, not listed; --min-severity info lists them:" in of_one


def test_text_folds_consequences_under_their_cause() -> None:
    rows = lines(report(EFFECT, *CAUSE, finding(line=9, code="BOX301", name="duplicated-box")), limit=2, width=160)
    codes = [row.split()[2:4] for row in rows[1:]]
    assert codes[0] == ["BOX101", "box-outside-image"]
    at = next(n for n, row in enumerate(rows) if "MAN102" in row)
    assert "└ MAN102 too-many-invalid-lines" in rows[at]
    assert "1 more of BOX101" in rows[at - 1]
    assert "caused by" not in rows[at]


def test_a_consequence_whose_cause_is_not_listed_names_it() -> None:
    (_, row) = lines(report(EFFECT), width=160)
    assert row.endswith("3 of 4 lines are invalid (caused by BOX101)")


def test_consequences_that_name_each_other_are_listed_all_the_same() -> None:
    of = report(on_manifest(code="AAA101", caused_by="BBB101"), on_manifest(code="BBB101", caused_by="AAA101"))
    assert sum("too-many-invalid-lines" in row for row in lines(of)) == 2


def test_typical_findings_are_one_line_for_people_and_complete_for_programs() -> None:
    says = "typical of this data set: 63% of the images are blurred"
    of = report(
        *(
            finding(severity="info", typical=True, typical_of=says, manifest=f"{n % 2}.manifest", line=n)
            for n in range(8)
        )
    )
    for form in ("text", "github", "markdown"):
        assert rendered(form, of).count("typical of this data set: 63%") == 1, form
        assert "leaves the image" not in rendered(form, of)
    assert len(json.loads(rendered("json", of))["findings"]) == 8
    assert rendered("csv", of).count("leaves the image") == 8
    assert rendered("concise", of).count("leaves the image") == 8


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/1.jpg", "a/2.jpg"], ["1.jpg", "2.jpg"]),
        (["a/1.jpg", "b/1.jpg", "c/2.jpg"], ["a/1.jpg", "b/1.jpg", "2.jpg"]),
        (["1.jpg", "a/1.jpg"], ["1.jpg", "a/1.jpg"]),
        (["s3://x/a/1.jpg", "s3://y/a/1.jpg"], ["x/a/1.jpg", "y/a/1.jpg"]),
        (["s3://x/a/"], ["a/"]),
        ([""], [""]),
    ],
)
def test_an_image_has_the_shortest_name_that_no_other_has(paths: list[str], names: list[str]) -> None:
    found = shortest_names(paths)
    assert [found[path] for path in paths] == names


def test_text_ends_with_the_numbers_of_the_run_and_what_to_do_next() -> None:
    of = report(*CAUSE, finding(severity="info"))
    summary = of.summary.model_copy(
        update={"images": Images(total=1200, found=0, unreadable=0), "suppressed": 2, "baselined": 3}
    )
    shown = text(replace(of, summary=summary, baseline="groundlint-baseline.json"))
    numbers, suggestions = shown.split("\n\n")[-2:]
    assert numbers == (
        "4 lines, 1 manifest, 0 of 1,200 images found, target rekognition\n"
        "3 errors, 0 warnings, 1 info, 2 suppressed, 3 baselined (baseline: groundlint-baseline.json)"
    )
    assert suggestions == (
        "Next:\n"
        "  groundlint rule BOX101            explains box-outside-image\n"
        "  groundlint check --images FOLDER  checks the images too\n"
    )
    assert "groundlint baseline create" in text(of)
    sound = text(report())
    assert sound == (
        "0 lines, 1 manifest, 1 image, target rekognition\n0 errors, 0 warnings, 0 infos, 0 suppressed, 0 baselined\n"
    )


def test_quiet_text_has_findings_only() -> None:
    of = report(*CAUSE)
    loud, quiet = text(of), text(of, quiet=True)
    assert loud.startswith(quiet)
    assert "errors" not in quiet
    assert text(report(), quiet=True) == ""


@pytest.mark.parametrize("width", [60, 160])
def test_color_adds_nothing_but_color(width: int) -> None:
    of = report(*CAUSE, EFFECT, finding(severity="warning", message=LONG), finding(severity="info", code="VIS101"))
    colored = text(of, color=True, width=width, limit=1)
    assert "\x1b[" in colored
    assert COLOR.sub("", colored) == text(of, width=width, limit=1)
    assert set(re.findall(r"\x1b\[([0-9;]*)m", colored)) <= {"0", "1", "2", "1;31", "1;35", "1;36"}


def test_statistics_count_every_finding_by_rule() -> None:
    of = report(*CAUSE, finding(severity="info", code="VIS101", name="object-truncated"))
    rows = [row.split() for row in lines(of, statistics=True)]
    at = rows.index(["Findings", "by", "rule:"])
    assert rows[at + 1 :] == [
        ["3", "error", "BOX101", "box-outside-image"],
        ["1", "info", "VIS101", "object-truncated"],
    ]


@pytest.mark.parametrize("form", ["text", "concise"])
def test_suppressed_findings_are_shown_with_the_reason_if_asked_for(form: str) -> None:
    hidden = frame(finding(), finding(line=2)).with_columns(suppression=pl.Series([None, "twins"]))
    of = replace(report(), hidden=hidden)
    assert "suppressed: twins" not in rendered(form, of)
    shown = rendered(form, presented(of, show_suppressed=True))
    assert "data/a.manifest:1: error BOX101 box-outside-image: box 0 leaves the image (s3://bucket/1.jpg) " in shown
    assert "[in the baseline]" in shown
    assert "[suppressed: twins]" in shown
