"""Tests of rules: what completes examples, and which faults of examples and rules are reported."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from lines import classification, detection, manifest
from polars import DataFrame, LazyFrame, col

from groundlint import Bad, Good, Option, Rule, Safety, Severity, pointer, set_value, table
from groundlint.engine.examples import Example
from groundlint.engine.registry import Registry
from groundlint.example_tables import example_tables, manifest_lines
from groundlint.testing import example_faults, judged, property_faults


@table()
def widest(boxes: LazyFrame) -> LazyFrame:
    """One data set with the width of its widest box."""
    return boxes.group_by("data_set").agg(col("width").max())


REGISTRY = Registry(tables={"widest": widest})


class Wide(Rule):
    """A box is wide."""

    code, name, severity = "TST001", "wide", Severity.INFO
    message = "box {box} is {width:.0f} wide"
    most: float = Option(200, ge=1, description="Width that a box may have.")

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.filter(col("width") > self.most)


def faults_of(*examples: Example) -> list[str]:
    rule = type("Tried", (Wide,), {"__doc__": Wide.__doc__, "__module__": __name__, "examples": examples})
    return example_faults(REGISTRY, rule)


GOOD, BAD = Good(boxes=[{"width": 200}]), Bad(boxes=[{"width": 201}], says="box 0 is 201 wide")


def test_examples_that_hold_have_no_faults() -> None:
    assert faults_of(GOOD, BAD) == []


def test_one_of_several_findings_must_have_the_message() -> None:
    assert faults_of(GOOD, Bad(boxes=[{"width": 300}, {"width": 400}], says="box 1 is 400 wide")) == []


def test_an_example_may_set_options() -> None:
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
def test_an_example_that_does_not_hold_is_reported(example: Example, fault: str) -> None:
    (found,) = faults_of(GOOD, BAD, example)
    assert found.startswith(f"TST001 wide, example 3 {fault}")


def test_a_rule_needs_good_and_bad_examples() -> None:
    assert faults_of(GOOD) == ["TST001 wide has no Bad example"]
    assert faults_of(BAD) == ["TST001 wide has no Good example"]


def rows(example: Example, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return example_tables(REGISTRY, example)[table].select(*columns).collect().rows()


def test_rows_get_the_rows_that_they_belong_to() -> None:
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


def test_a_row_that_is_given_is_not_added_again() -> None:
    example = Example(boxes=[{}], attributes=[{"human": False}], lines=[{"source_ref": "s3://bucket/x.jpg"}])
    assert rows(example, "attributes", "human") == [(False,)]
    assert rows(example, "lines", "source_ref") == [("s3://bucket/x.jpg",)]


def test_manifests_are_read_by_the_reader() -> None:
    test = manifest(classification(), '{"source-ref": ')
    example = Example(manifest=manifest(detection()), test_manifest=test)
    assert rows(example, "boxes", "manifest", "split", "label", "left") == [("train.manifest", "train", "cat", 10.0)]
    assert rows(example, "problems", "manifest", "line", "kind") == [("test.manifest", 2, "invalid-json")]


def test_rows_have_ids_that_join_them() -> None:
    example = Example(boxes=[{"line": 3}, {"line": 3}, {"line": 4, "attribute": "cars"}])
    assert rows(example, "boxes", "line_id", "attribute_id", "box_id") == [(0, 0, 0), (0, 0, 1), (1, 1, 2)]
    assert rows(example, "attributes", "line_id", "attribute_id") == [(0, 0), (1, 1)]
    assert rows(example, "lines", "line_id", "line") == [(0, 3), (1, 4)]


def test_rows_are_shown_as_the_lines_that_a_reader_makes_them_from() -> None:
    example = Example(
        boxes=[{"left": 7, "label": "dog"}, {"line": 2}], labels=[{"label": "indoors", "attribute": "place"}]
    )
    (first, second) = manifest_lines(example)
    read = Example(manifest=f"{first}\n{second}\n")
    for table_, columns in (("boxes", ("line", "left", "label")), ("labels", ("line", "label", "attribute"))):
        assert sorted(rows(read, table_, *columns)) == sorted(rows(example, table_, *columns))
    assert rows(read, "problems", "kind") == []
    assert manifest_lines(Example(images=[{}])) == []


class Sound(Wide):
    """A box is wide."""

    code, name = "TST002", "sound"
    examples = (
        Good(boxes=[{"width": 300}], options={"most": 300}),
        Bad(boxes=[{"width": 300}], options={"most": 299}),
        Bad(boxes=[{"width": 300, "line": 2}, {"width": 400}]),
    )


class RaisesOnNull(Sound):
    """A box is wide."""

    def check(self, boxes: LazyFrame) -> DataFrame:
        rows = boxes.collect()
        return rows.filter(pl.Series([width - self.most > 0 for width in rows["width"]], dtype=pl.Boolean))


class RaisesOnEmpty(Sound):
    """A box is wide."""

    def check(self, boxes: LazyFrame) -> DataFrame:
        rows = boxes.collect()
        rows["width"].to_list()[0]
        return rows.filter(col("width") > self.most)


class DependsOnOrder(Sound):
    """The first box is wide."""

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.head(1).filter(col("width") > self.most)


class PoolsDataSets(Sound):
    """A box is wide among all data sets."""

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.filter(col("width") > self.most, pl.len() < 3)


class LacksExamplesOfTheOption(Sound):
    """A box is wide."""

    examples = (Good(boxes=[{}]), Bad(boxes=[{"width": 300}]))


class IgnoresTheOption(Sound):
    """A box is wide."""

    examples = (Good(boxes=[{}], options={"most": 300}), Bad(boxes=[{"width": 400}], options={"most": 300}))

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.filter(col("width") > 200)


def test_a_sound_rule_has_no_faults() -> None:
    assert property_faults(REGISTRY, Sound) == []


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (RaisesOnNull, "raises where boxes.width is null: TypeError"),
        (RaisesOnEmpty, "raises on empty tables: IndexError"),
        (DependsOnOrder, "the findings depend on the order of rows"),
        (PoolsDataSets, "the findings differ if another data set is judged in the same run"),
        (LacksExamplesOfTheOption, "has no Good example that sets the option most"),
        (LacksExamplesOfTheOption, "has no Bad example that sets the option most"),
        (IgnoresTheOption, "in no example does the option most change a result"),
    ],
)
def test_a_fault_of_a_rule_is_reported(rule: type[Rule], fault: str) -> None:
    assert any(fault in found for found in property_faults(REGISTRY, rule))


def narrowed(new: str = "20", **parts: Any) -> type[Rule]:
    """A rule on boxes wider than 20 px, whose fix gives them another width."""

    def check(self: Rule, boxes: LazyFrame) -> LazyFrame:
        at = pointer(col("attribute"), "annotations", col("box"), "width")
        return boxes.filter(col("width") > 20).with_columns(edits=pl.concat_list(set_value(at, pl.lit(new))))

    own: dict[str, Any] = {
        "__doc__": "A box is wider than 20 px.",
        "__module__": __name__,
        "code": "TST002",
        "name": "wider",
        "severity": Severity.INFO,
        "message": "box {box} is {width:.0f} wide",
        "fixes": {Safety.SAFE: "Makes the box narrower."},
        "examples": (Good(boxes=[{"width": 9}]), Bad(manifest=WIDE_BOX)),
        "check": check,
    }
    return type("Narrowed", (Rule,), own | parts)


WIDE_BOX = manifest(detection(boxes=({"width": 300}, {"width": 9})))


def test_a_fix_must_remove_its_finding() -> None:
    assert property_faults(REGISTRY, narrowed()) == []
    faults = property_faults(REGISTRY, narrowed("300.0"))
    assert faults == ["TST002 wider, example 2: its fix removes no finding"]


def test_each_kind_of_fix_needs_an_example() -> None:
    rule = narrowed(examples=(Good(boxes=[{"width": 9}]),))
    assert property_faults(REGISTRY, rule) == ["TST002 wider: no example shows its safe fix"]


def test_a_fix_must_be_declared() -> None:
    evaluation = judged(REGISTRY, narrowed(fixes={}), Bad(manifest=WIDE_BOX))
    assert evaluation.raised[0].error == "KeyError: `fixes` of TST002 does not say what a fix does that is 'not named'"
