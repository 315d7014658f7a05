"""The dependency graph: what a plan needs, what needs images, and what names something unknown or itself."""

from __future__ import annotations

from typing import Any

import pytest
from polars import LazyFrame, lit

from groundlint import Rule, Severity, feature, note, step, table
from groundlint.engine.graph import Graph
from groundlint.engine.notes import Note
from groundlint.engine.registry import Registry
from groundlint.engine.tables import DerivedTable


@step(of="images")
def gray(pixels: Any) -> Any:
    return pixels


@feature(of="images", dtype=float)
def sharpness(gray: Any) -> float:
    """Sharpness."""
    return 0.0


@feature(of="crops", dtype=float)
def contrast(crop: Any) -> float:
    """Contrast."""
    return 0.0


@feature(of="images", dtype=float)
def embedding(gray: Any) -> float:
    """Embedding."""
    return 0.0


@table(features=("sharpness",))
def blurred(images: LazyFrame) -> LazyFrame:
    """One blurred image."""
    return images


@table()
def blurred_labels(blurred: LazyFrame, labels: LazyFrame) -> LazyFrame:
    """One label of a blurred image."""
    return labels


@table()
def scores(blurred: LazyFrame, pred_probs: LazyFrame) -> LazyFrame:
    """One label with a score from the user's model, or from the image."""
    return pred_probs


class Base(Rule):
    """Base of the rules of these tests."""

    severity = Severity.INFO
    message = "found"


class OnLines(Base):
    """A rule on lines."""

    code, name = "TST001", "on-lines"

    def check(self, lines: LazyFrame) -> LazyFrame:
        return lines


class OnBlurred(Base):
    """A rule on a table that needs a feature."""

    code, name = "TST002", "on-blurred"

    def check(self, blurred_labels: LazyFrame) -> LazyFrame:
        return blurred_labels


class OnCrops(Base):
    """A rule with a feature of its own."""

    code, name, features = "TST003", "on-crops", ("contrast",)

    def check(self, crops: LazyFrame) -> LazyFrame:
        return crops


class OnScores(Base):
    """A rule on a table that the user's model can fill."""

    code, name = "TST004", "on-scores"

    def check(self, scores: LazyFrame) -> LazyFrame:
        return scores


@note(rules=("on-blurred",), message="limited")
def limited(boxes: LazyFrame) -> LazyFrame:
    return boxes.select("data_set", count=lit(1))


FEATURES = {each.name: each for each in (gray, sharpness, contrast, embedding)}
TABLES = {each.name: each for each in (blurred, blurred_labels, scores)}
GRAPH = Graph(TABLES, FEATURES)


def test_a_plan_has_no_more_than_its_rules_need() -> None:
    plan = GRAPH.plan([OnLines()])
    assert (plan.base, plan.derived, plan.features, plan.columns) == ({"lines"}, frozenset(), (), ())


def test_a_plan_has_the_tables_features_and_steps_that_its_rules_need() -> None:
    plan = GRAPH.plan([OnBlurred(), OnCrops()])
    assert plan.base == {"images", "crops", "labels"}
    assert plan.derived == {"blurred", "blurred_labels"}
    assert plan.features == (contrast, gray, sharpness)
    assert plan.columns == (contrast, sharpness)


def test_a_note_is_in_a_plan_with_one_of_its_rules() -> None:
    assert GRAPH.plan([OnLines()], notes=[limited]).notes == ()
    plan = GRAPH.plan([OnBlurred()], notes=[limited])
    assert (plan.notes, "boxes" in plan.base) == ((limited,), True)


def test_a_table_that_is_wanted_by_name_has_all_its_features() -> None:
    plan = GRAPH.plan((), tables=["images"])
    assert set(plan.columns) == {embedding, sharpness}


def test_uses_are_counted_over_rules_notes_and_tables() -> None:
    plan = GRAPH.plan([OnBlurred(), OnScores(), OnLines()], notes=[limited])
    assert plan.uses["blurred"] == 2
    assert plan.uses["images"] == plan.uses["boxes"] == plan.uses["lines"] == 1


def test_rules_run_where_their_tables_are_there() -> None:
    order = [scoped.rule.code for scoped in GRAPH.plan([OnBlurred(), OnScores(), OnLines()]).in_order()]
    assert order[0] == "TST001"
    assert sorted(order) == ["TST001", "TST002", "TST004"]


@pytest.mark.parametrize(
    ("rule", "given", "needs"),
    [
        (OnLines, (), False),
        (OnBlurred, (), True),
        (OnCrops, ("pred_probs",), True),
        (OnScores, (), True),
        (OnScores, ("pred_probs",), False),
    ],
)
def test_a_rule_needs_images_unless_the_user_gives_what_replaces_them(
    rule: type[Rule], given: tuple[str, ...], needs: bool
) -> None:
    assert GRAPH.needs_images(rule, given) == GRAPH.needs_images(rule(), given) == needs


def faults(tables: dict[str, DerivedTable], rule: type[Rule] = OnLines, notes: tuple[Note, ...] = ()) -> list[str]:
    registry = Registry({rule.code: rule}, {note.kind: note for note in notes}, tables, FEATURES)
    owner = dict.fromkeys([rule.code, *registry.notes, *tables, *FEATURES], "acme")
    return list(registry.graph.faults(registry.rules, registry.notes, owner))


def test_a_sound_graph_has_no_faults() -> None:
    assert faults(TABLES, OnBlurred, (limited,)) == []


def test_an_unknown_table_is_named_with_its_user_and_a_suggestion() -> None:
    (fault,) = faults({}, OnBlurred)
    assert fault.startswith("the rule TST002 of the package acme needs the table blurred_labels, which no package")
    (fault,) = faults({"blurred_labels": blurred_labels, "blured": blurred}, OnBlurred)
    assert fault.startswith("the table blurred_labels of the package acme needs the table blurred, ")
    assert fault.endswith("did you mean `blured`?")


def test_an_unknown_feature_and_an_unknown_input_are_named() -> None:
    @table(features=("sharpnes",))
    def odd(images: LazyFrame) -> LazyFrame:
        return images

    (fault,) = faults({"odd": odd})
    assert "needs the feature sharpnes, which no package offers; did you mean `sharpness`?" in fault
    registry = Registry(features={"sharpness": sharpness})
    (fault,) = registry.graph.faults({}, {}, {"sharpness": "acme"})
    assert "the feature sharpness of the package acme needs the input gray" in fault


def test_the_features_of_a_condition_are_measured_and_must_be_there() -> None:
    @feature(of="images", dtype=float, when=lambda sharpness: sharpness < 1)
    def sharpness_at_full_size(whole: object) -> float:
        """Measured on suspects."""
        return 0.0

    known = {each.name: each for each in (gray, sharpness, sharpness_at_full_size)}
    graph = Registry(features=known).graph
    assert graph.measured(["sharpness_at_full_size"]) == [gray, sharpness, sharpness_at_full_size]
    alone = Registry(features={"sharpness_at_full_size": sharpness_at_full_size}).graph
    (fault,) = alone.faults({}, {}, {"sharpness_at_full_size": "acme"})
    assert "needs the feature sharpness, which no package offers" in fault


def test_tables_that_need_each_other_are_named() -> None:
    @table()
    def hen(egg: LazyFrame) -> LazyFrame:
        return egg

    @table()
    def egg(hen: LazyFrame) -> LazyFrame:
        return hen

    (fault,) = faults({"hen": hen, "egg": egg})
    assert "need each other in a cycle" in fault
    assert {"hen", "egg"} <= set(fault.replace(",", "").split())
