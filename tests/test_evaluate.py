"""Judging: only what is needed is computed, once, and no rule's fault hides what others find."""

from __future__ import annotations

from typing import Any, ClassVar

import polars as pl
import pytest
from polars import DataFrame, LazyFrame, col

from groundlint import Rule, Severity, table
from groundlint.engine.evaluate import Judgement, judge, plan
from groundlint.engine.examples import Example
from groundlint.engine.registry import Registry, load

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
    """A rule that fails."""

    code, name = "TST003", "raises"

    def check(self, boxes: LazyFrame) -> LazyFrame:
        raise ValueError("no idea")


class WantsMore(Base):
    """A rule whose message wants what its rows lack."""

    code, name = "TST004", "wants-more"
    message = "{nothing}"

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes


class Alarmed(Base):
    """A rule of a severity that there is not."""

    code, name = "TST006", "alarmed"

    def check(self, boxes: LazyFrame) -> LazyFrame:
        return boxes.with_columns(severity=pl.lit("fatal"))


class Related(Base):
    """An image resembles others."""

    code, name = "TST005", "related"
    message = "like others"
    answer: ClassVar[dict[str, Any]] = {}

    def check(self, lines: LazyFrame) -> DataFrame:
        return DataFrame(self.answer)


def run(*rules: type[Rule], **rows: Any) -> Judgement:
    registry = Registry({rule.code: rule for rule in rules}, {t.name: t for t in (doubles, quadruples)})
    CALLS.clear()
    example = Example(**rows or {"boxes": [{"width": 10}]})
    return judge(plan(registry, [rule() for rule in rules]), example.tables())


def test_a_table_that_no_selected_rule_needs_is_not_computed() -> None:
    run(Double)
    assert CALLS == ["doubles"]


def test_a_table_that_several_rules_need_is_computed_once() -> None:
    judgement = run(Double, Quadruple)
    assert CALLS == ["doubles", "quadruples"]
    assert judgement.findings["message"].to_list() == ["20", "40"]


def test_all_rules_need_no_more_than_their_tables() -> None:
    registry = load(isolated=True)
    made = plan(registry, [registry.rules["MAN203"]()])
    assert (made.base, made.derived) == ({"problems"}, frozenset())
    assert "classes" not in plan(registry, [registry.rules["BOX101"]()]).base


@pytest.mark.parametrize(
    ("rule", "error"), [(Raises, "ValueError: no idea"), (WantsMore, "wants 'nothing'"), (Alarmed, "fatal")]
)
def test_a_rule_that_fails_is_named_and_the_others_report(rule: type[Rule], error: str) -> None:
    judgement = run(rule, Double)
    assert [(raised.code, error in raised.error) for raised in judgement.raised] == [(rule.code, True)]
    assert judgement.findings["code"].to_list() == ["TST001"]


def test_a_finding_with_only_an_image_stands_on_the_first_line_that_names_it() -> None:
    Related.answer = {"source_ref": ["s3://bucket/2.jpg"], "related": [["s3://bucket/1.jpg"]]}
    found = run(Related, lines=[{"line": 1}, {"line": 2}]).findings.row(0, named=True)
    assert (found["manifest"], found["line"]) == ("train.manifest", 2)
    assert found["related"] == [
        {"manifest": "train.manifest", "line": 1, "attribute": None, "box": None, "source_ref": "s3://bucket/1.jpg"}
    ]


def test_a_finding_without_a_place_stands_on_the_training_manifest() -> None:
    Related.answer = {"label": ["cat"]}
    rows = [{"manifest": "test.manifest", "split": "test"}, {"line": 2}]
    found = run(Related, lines=rows).findings.row(0, named=True)
    assert (found["manifest"], found["line"], found["label"]) == ("train.manifest", None, "cat")


def test_a_score_that_is_no_number_is_none() -> None:
    Related.answer = {"source_ref": ["s3://bucket/1.jpg"], "score": [float("nan")]}
    assert run(Related, lines=[{}]).findings["score"].to_list() == [None]


def test_findings_stand_in_the_order_of_reports() -> None:
    places = [(2, 0), (1, 1), (1, 0), (None, None)]
    Related.answer = {"manifest": ["a"] * 4, "line": [line for line, _ in places], "box": [box for _, box in places]}
    found = run(Related, lines=[{"manifest": "a"}, {"manifest": "a", "line": 2}]).findings
    assert found.select("line", "box").rows() == [(None, None), (1, 0), (1, 1), (2, 0)]
    assert found.schema["line"] == pl.Int32
