"""Examples of rules: what completes them, and what `groundlint test` says where one does not hold."""

from __future__ import annotations

from typing import Any

import pytest
from polars import LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Severity
from groundlint.engine.examples import Example, faults
from groundlint.engine.registry import load
from groundlint_rules import samples

REGISTRY = load(isolated=True)


class Wide(Rule):
    """A box is wide."""

    code, name, severity = "TST001", "wide", Severity.INFO
    message = "box {box} is {width:.0f} wide"
    most: float = Option(200, ge=1, description="Width that a box may have.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.filter(col("width") > self.most)


def faults_of(*examples: Example) -> list[str]:
    rule = type("Tried", (Wide,), {"__doc__": Wide.__doc__, "__module__": __name__, "examples": examples})
    return faults(REGISTRY, rule)


GOOD, BAD = Good(boxes=[{"width": 200}]), Bad(boxes=[{"width": 201}], says="box 0 is 201 wide")


def test_examples_that_hold_are_no_fault() -> None:
    assert faults_of(GOOD, BAD) == []


def test_of_several_findings_one_must_say_it() -> None:
    assert faults_of(GOOD, Bad(boxes=[{"width": 300}, {"width": 400}], says="box 1 is 400 wide")) == []


def test_options_of_an_example_are_the_rules() -> None:
    assert faults_of(Good(boxes=[{"width": 300}], options={"most": 300}), BAD) == []


@pytest.mark.parametrize(
    ("example", "fault"),
    [
        (Good(boxes=[{"width": 201}]), "is good, but the rule says: box 0 is 201 wide"),
        (Bad(boxes=[{"width": 200}]), "is bad, but the rule finds nothing"),
        (Bad(boxes=[{"width": 201}], says="wide"), "should say: wide\n  but says: box 0 is 201 wide"),
        (Bad(boxs=[{"width": 201}]), "cannot be judged: no package offers the table boxs"),
        (Bad(boxes=[{"widht": 201}]), "cannot be judged: the table boxes has no column widht"),
        (Bad(boxes=[{"width": "wide"}]), 'cannot be judged: could not append value: "wide"'),
        (Bad(boxes=[{}], options={"least": 1.0}), "cannot be judged: its option 'least': Extra inputs"),
        (Bad(boxes=[{}], options={"most": 0.5}), "cannot be judged: its option 'most': Input should be greater"),
    ],
    ids=lambda part: part.split(":")[0] if isinstance(part, str) else "",
)
def test_an_example_that_does_not_hold_is_named(example: Example, fault: str) -> None:
    (found,) = faults_of(GOOD, BAD, example)
    assert found.startswith(f"TST001 wide, example 3 {fault}")


def test_a_rule_without_examples_is_named() -> None:
    assert faults_of(GOOD) == ["TST001 wide has no Bad example"]
    assert faults_of(BAD) == ["TST001 wide has no Good example"]


def rows(example: Example, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return example.tables()[table].select(*columns).collect().rows()


def test_rows_bring_the_rows_that_they_hang_on() -> None:
    example = Example(boxes=[{"line": 3}, {"line": 3}, {"line": 4, "attribute": "cars"}], labels=[{"line": 4}])
    assert rows(example, "boxes", "line", "box") == [(3, 0), (3, 1), (4, 0)]
    assert rows(example, "attributes", "line", "attribute", "kind", "boxes") == [
        (3, "animals", "detection", 2),
        (4, "cars", "detection", 1),
        (4, "animals", "classification", None),
    ]
    assert rows(example, "lines", "line", "source_ref") == [(3, "s3://bucket/3.jpg"), (4, "s3://bucket/4.jpg")]
    assert rows(example, "manifests", "manifest", "lines") == [("train.manifest", 4)]
    assert rows(example, "limits", "region", "max_images") == [(None, None)]


def test_a_row_that_is_given_is_not_completed_by_another() -> None:
    example = Example(boxes=[{}], attributes=[{"human": False}], lines=[{"split": "test"}])
    assert rows(example, "attributes", "human") == [(False,)]
    assert rows(example, "lines", "split") == [("test",)]


def test_lines_go_through_the_real_reader() -> None:
    test = samples.lines(samples.classification(), '{"source-ref": ')
    example = Example(manifest=samples.lines(samples.detection()), test_manifest=test)
    assert rows(example, "boxes", "manifest", "split", "label", "left") == [("train.manifest", "train", "cat", 10.0)]
    assert rows(example, "problems", "manifest", "line", "kind") == [("test.manifest", 2, "invalid-json")]
