"""Evaluation: tables are computed once and only if needed, and a rule that raises does not hide what others find."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import polars as pl
import pytest
from polars import DataFrame, LazyFrame, col

from groundlint import Rule, Severity, note, table
from groundlint.engine.evaluate import Evaluation, evaluate
from groundlint.engine.examples import Example
from groundlint.engine.registry import Registry
from groundlint.example_tables import example_tables, together

CALLS: list[str] = []


@table()
def doubles(boxes: LazyFrame) -> LazyFrame:
    """One box, twice as wide."""
    CALLS.append("doubles")
    return boxes.with_columns(col("width") * 2)


@table()
def quadruples(doubles: LazyFrame) -> LazyFrame:
    """One box, four times as wide."""
    CALLS.append("quadruples")
    return doubles.with_columns(col("width") * 2)


@table()
def broken(boxes: LazyFrame) -> LazyFrame:
    """A table that raises."""
    CALLS.append("broken")
    raise ValueError("no idea")


@table()
def slow(boxes: LazyFrame) -> LazyFrame:
    """A table whose query, once collected, takes time."""
    return boxes.map_batches(lambda rows: (time.sleep(0.3), rows)[1])


@table()
def on_slow(slow: LazyFrame) -> LazyFrame:
    """A table that needs one that takes time."""
    return slow


@table()
def on_broken(broken: LazyFrame) -> LazyFrame:
    """A table that needs one that raises."""
    return broken


class Base(Rule):
    """Base of the rules of these tests."""

    severity = Severity.WARNING
    message = "{width:.0f}"


class Double(Base):
    """A box is twice as wide."""

    code, name = "TST001", "double"

    def check(self, doubles: LazyFrame) -> LazyFrame:
        return doubles


class Quadruple(Base):
    """A box is four times as wide."""

    code, name = "TST002", "quadruple"

    def check(self, quadruples: LazyFrame, doubles: LazyFrame) -> LazyFrame:
        return quadruples


class Raises(Base):
    """A rule that raises."""

    code, name = "TST003", "raises"

    def check(self, boxes: LazyFrame) -> LazyFrame:
        raise ValueError("no idea")


class LacksColumn(Base):
    """A rule whose message needs a column that its rows do not have."""

    code, name = "TST004", "lacks-column"
    message = "{nothing}"

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes


class UnknownSeverity(Base):
    """A rule with a severity that does not exist."""

    code, name = "TST006", "unknown-severity"

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.with_columns(severity=pl.lit("fatal"))


class Placeless(Base):
    """A rule whose rows do not say where they are."""

    code, name = "TST007", "placeless"

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.select(col("width").sum())


class OnBroken(Base):
    """A rule that needs a table that raises."""

    code, name = "TST008", "on-broken"

    def check(self, broken: LazyFrame) -> LazyFrame:
        return broken


class FarFromBroken(Base):
    """A rule that needs a table that needs a table that raises."""

    code, name = "TST009", "far-from-broken"

    def check(self, on_broken: LazyFrame) -> LazyFrame:
        return on_broken


class FarFromSlow(Base):
    """A rule that needs a table that needs a table that takes time."""

    code, name = "TST012", "far-from-slow"

    def check(self, on_slow: LazyFrame) -> LazyFrame:
        return on_slow


class Answers(Base):
    """A rule that returns what a test gives it."""

    code, name = "TST005", "answers"
    message = "found"
    answer: ClassVar[dict[str, Any]] = {}

    def check(self, lines: LazyFrame) -> DataFrame:
        return DataFrame(self.answer)


class Several(Base):
    """A rule with a message for each kind of its rows."""

    code, name = "TST010", "several"
    messages: ClassVar[dict[str, str]] = {"wide": "{count:# box} too wide", "narrow": "narrow by {count:.1f}"}

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.select("box_id", kind=pl.when(col("width") > 50).then(pl.lit("wide")).otherwise(pl.lit("narrow")))


@note(rules=("double",), message="{count:# box} in {manifest}")
def few_boxes(boxes: LazyFrame) -> LazyFrame:
    return boxes.group_by("manifest").len("count")


TABLES = (doubles, quadruples, broken, on_broken, slow, on_slow)


def run(*rules: type[Rule], tables: dict[str, LazyFrame] | None = None, **rows: Any) -> Evaluation:
    registry = Registry({rule.code: rule for rule in rules}, {"few-boxes": few_boxes}, {t.name: t for t in TABLES})
    CALLS.clear()
    given = tables or example_tables(registry, Example(**rows or {"boxes": [{"width": 10}]}))
    return evaluate(registry.graph.plan([rule() for rule in rules], notes=registry.notes.values()), given)


def placed(answer: dict[str, Any], **rows: Any) -> dict[str, Any]:
    """The one finding of the rule that answers so."""
    Answers.answer = answer
    return run(Answers, **rows).findings.row(0, named=True)


def test_a_table_that_no_rule_needs_is_not_computed() -> None:
    run(Double)
    assert CALLS == ["doubles"]


def test_a_table_that_several_rules_need_is_computed_once() -> None:
    evaluation = run(Double, Quadruple)
    assert CALLS == ["doubles", "quadruples"]
    assert evaluation.findings["message"].to_list() == ["20", "40"]
    assert set(evaluation.seconds) == {
        ("rule", "TST001"),
        ("rule", "TST002"),
        ("table", "doubles"),
        ("table", "quadruples"),
    }


def test_the_time_of_a_rule_is_without_that_of_the_table_that_it_is_the_first_to_need() -> None:
    seconds = run(FarFromSlow).seconds
    assert set(seconds) == {("table", "slow"), ("table", "on_slow"), ("rule", "TST012")}
    assert max(seconds, key=lambda timed: seconds[timed]) == ("table", "slow")


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (Raises, "ValueError: no idea"),
        (LacksColumn, "needs the column 'nothing'"),
        (UnknownSeverity, "fatal"),
        (Placeless, "neither a manifest nor a data_set"),
    ],
)
def test_a_rule_that_raises_is_named_and_the_others_report(rule: type[Rule], error: str) -> None:
    evaluation = run(rule, Double)
    (raised,) = evaluation.raised
    assert (raised.what, raised.blocks, error in raised.error) == (f"rule {rule.code}", (rule.code,), True)
    assert "Traceback" in raised.traceback
    assert evaluation.findings["code"].to_list() == ["TST001"]


def test_a_table_that_raises_is_computed_and_reported_once_with_the_rules_that_it_blocks() -> None:
    evaluation = run(OnBroken, FarFromBroken, Double)
    assert CALLS.count("broken") == 1
    (raised,) = evaluation.raised
    assert (raised.what, raised.error, set(raised.blocks)) == (
        "table broken",
        "ValueError: no idea",
        {"TST008", "TST009"},
    )
    assert evaluation.findings["code"].to_list() == ["TST001"]


def test_a_note_is_made_where_one_of_its_rules_is_selected() -> None:
    (made,) = run(Double, boxes=[{}, {}]).notes
    assert made == ("few-boxes", "train.manifest", 2, "2 boxes in train.manifest")
    assert run(Quadruple).notes == []


def test_a_rule_may_have_a_message_for_each_kind_of_row() -> None:
    class Counted(Several):
        """The same with numbers."""

        code, name = "TST011", "counted"

        def check(self, boxes: LazyFrame) -> LazyFrame:
            return super().check(boxes).with_columns(count=pl.lit(1))

    found = run(Counted, boxes=[{"width": 60}, {"width": 10}]).findings
    assert found["message"].to_list() == ["1 box too wide", "narrow by 1.0"]


@pytest.mark.parametrize(("key", "box", "label"), [("box_id", 1, "dog"), ("attribute_id", None, None)])
def test_an_id_gives_the_place_of_a_finding(key: str, box: int | None, label: str | None) -> None:
    rows = [{"line": 3}, {"line": 3, "label": "dog"}]
    found = placed({key: [1 if box else 0]}, boxes=rows)
    expected = ("train.manifest", 3, "animals", box, label, "s3://bucket/3.jpg", 0)
    names = ("manifest", "line", "attribute", "box", "label", "source_ref", "data_set")
    assert tuple(found[name] for name in names) == expected


def test_a_line_id_gives_the_place_of_a_finding() -> None:
    found = placed({"line_id": [1]}, lines=[{}, {"line": 2}])
    assert (found["manifest"], found["line"], found["attribute"]) == ("train.manifest", 2, None)


def test_a_finding_on_an_image_is_placed_on_the_first_line_of_its_data_set_that_names_it() -> None:
    parts = [{"lines": [{"line": 1}, {"line": 2}]}, {"lines": [{"line": 1}, {"line": 2}]}]
    tables = together([example_tables(Registry(), Example(**part)) for part in parts])
    Answers.answer = {"data_set": [1], "source_ref": ["s3://bucket/2.jpg"], "related": [["s3://bucket/1.jpg"]]}
    found = run(Answers, tables=tables).findings.row(0, named=True)
    assert (found["manifest"], found["line"]) == ("1/train.manifest", 2)
    place = {"manifest": "1/train.manifest", "line": 1, "attribute": None, "box": None}
    assert found["related"] == [place | {"source_ref": "s3://bucket/1.jpg"}]


def test_a_finding_without_a_place_is_placed_on_the_training_manifest() -> None:
    rows = [{"manifest": "test.manifest", "split": "test"}, {"line": 2}]
    found = placed({"data_set": [0], "label": ["cat"]}, lines=rows)
    assert (found["manifest"], found["line"], found["label"]) == ("train.manifest", None, "cat")


def test_a_score_that_is_not_a_number_is_null() -> None:
    assert placed({"line_id": [0], "score": [float("nan")]}, lines=[{}])["score"] is None


def test_findings_are_in_the_order_of_reports() -> None:
    places = [(2, 0), (1, 1), (1, 0), (None, None)]
    Answers.answer = {"manifest": ["a"] * 4, "line": [line for line, _ in places], "box": [box for _, box in places]}
    found = run(Answers, lines=[{"manifest": "a"}, {"manifest": "a", "line": 2}]).findings
    assert found.select("line", "box").rows() == [(None, None), (1, 0), (1, 1), (2, 0)]
    assert found.schema["line"] == pl.Int32
