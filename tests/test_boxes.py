"""Pairs of boxes, unusual boxes, and the statistics behind them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars import col

from groundlint.engine.evaluate import evaluate
from groundlint.engine.examples import Good
from groundlint.engine.registry import load
from groundlint.example_tables import example_tables
from groundlint_rules.algorithms.rectangles import union_areas
from groundlint_rules.algorithms.robust import median_absolute_deviation, robust_z, sigma_of_residuals
from groundlint_rules.tables import overlaps as overlap_tables
from groundlint_rules.tables.overlaps import MAX_COMPARED_BOXES, overlaps

REGISTRY = load(isolated=True)
NUMBERS = st.lists(st.integers(-1000, 1000), min_size=1, max_size=30)


def box(line: int, left: int, width: int) -> dict[str, int]:
    return {"line": line, "left": left, "width": width}


BOXES = st.lists(st.builds(box, st.integers(1, 4), st.integers(0, 50), st.integers(1, 60)), min_size=1, max_size=20)


@given(boxes=BOXES)
def test_overlaps_hold_each_pair_of_an_attribute_that_shares_area_once(boxes: list[dict[str, int]]) -> None:
    rows = example_tables(REGISTRY, Good(boxes=boxes))["boxes"].collect().sort("box_id").rows(named=True)
    expected = {
        (one["box_id"], other["box_id"])
        for one in rows
        for other in rows
        if one["attribute_id"] == other["attribute_id"]
        and one["box"] > other["box"]
        and max(one["left"], other["left"]) < min(one["left"] + one["width"], other["left"] + other["width"])
    }
    made = overlaps.function(pl.DataFrame(rows).lazy())
    assert isinstance(made, pl.DataFrame)
    assert made.height == len(expected)
    assert set(made.select("box_id", "box_id_other").rows()) == expected


def test_overlaps_do_not_depend_on_the_size_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = example_tables(REGISTRY, Good(boxes=[box(n % 7, n, 40) for n in range(60)]))["boxes"]
    order = ["box_id", "box_id_other"]
    one = overlaps.function(boxes).lazy().sort(order).collect()
    monkeypatch.setattr(overlap_tables, "_PAIRS", 10)
    assert overlaps.function(boxes).lazy().sort(order).collect().equals(one)


def test_a_note_counts_the_boxes_that_are_not_compared() -> None:
    crowded = [{"left": n % 500} for n in range(MAX_COMPARED_BOXES + 1)]
    tables = example_tables(REGISTRY, Good(boxes=[*crowded, {"line": 2}]))
    rule = REGISTRY.find("nested-box")()
    notes = evaluate(REGISTRY.graph.plan([rule], notes=REGISTRY.notes.values()), tables).notes
    assert [(note.kind, note.manifest, note.count) for note in notes] == [("boxes-not-compared", "train.manifest", 201)]
    assert notes[0].message.startswith("1 attribute with more than 200 boxes: 201 boxes were not compared")


def test_a_box_that_is_unusual_in_size_and_aspect_ratio_is_reported_once() -> None:
    boxes = [{"line": n, "width": 88 + n % 25, "height": 95 + n % 11} for n in range(60)]
    tables = example_tables(REGISTRY, Good(boxes=[*boxes, {"line": 61, "width": 500, "height": 30}]))
    found = evaluate(REGISTRY.graph.plan([REGISTRY.find("unusual-box")()]), tables).findings
    assert found["line"].to_list() == [61]
    assert 0.5 <= found["score"][0] < 1


@given(values=NUMBERS)
def test_the_median_absolute_deviation_is_the_median_distance_from_the_median(values: list[int]) -> None:
    made = pl.DataFrame({"x": values}).select(median_absolute_deviation(col("x"))).item()
    assert made == np.median(np.abs(np.array(values) - np.median(values)))


@given(groups=st.lists(NUMBERS, min_size=1, max_size=3))
def test_robust_z_is_the_distance_from_the_median_of_its_group_in_robust_deviations(groups: list[list[int]]) -> None:
    rows = pl.DataFrame([{"group": n, "x": float(x)} for n, values in enumerate(groups) for x in values])
    made = rows.with_columns(z=robust_z(col("x"), over=["group"], min_sigma=0.5))
    for n, values in enumerate(groups):
        centered = np.array(values) - np.median(values)
        expected = centered / max(sigma_of_residuals(centered), 0.5)
        assert made.filter(col("group") == n)["z"].to_list() == pytest.approx(expected)


def test_robust_z_is_null_where_values_do_not_spread() -> None:
    rows = pl.DataFrame({"x": [1.0, 1.0, 1.0, 5.0, None]})
    assert rows.select(robust_z(col("x"))).to_series().to_list() == [None] * 5
    assert rows.select(robust_z(col("x"), min_sigma=1.0)).to_series().to_list() == [0, 0, 0, 4, None]


def test_the_robust_deviation_of_normal_values_is_their_standard_deviation() -> None:
    values = np.random.default_rng(0).normal(0, 3, 20_001)
    assert sigma_of_residuals(values) == pytest.approx(3, rel=0.03)


@given(st.lists(st.tuples(*[st.integers(0, 8)] * 2, *[st.integers(1, 8)] * 2), min_size=1, max_size=5))
def test_the_area_of_a_union_counts_each_cell_once(places: list[tuple[int, int, int, int]]) -> None:
    cells = np.zeros((16, 16), bool)
    for left, top, width, height in places:
        cells[left : left + width, top : top + height] = True
    rectangles = [[left, top, left + width, top + height] for left, top, width, height in places]
    assert union_areas(np.array([rectangles], float))[0] == cells.sum()


def test_a_box_with_an_unknown_side_overlaps_nothing() -> None:
    boxes = example_tables(REGISTRY, Good(boxes=[{}, {"left": None}, {}]))["boxes"]
    assert overlaps.function(boxes).lazy().collect().select("box_other", "box").rows() == [(0, 2)]


def test_equal_boxes_of_a_crowded_attribute_are_reported_though_it_is_not_compared() -> None:
    crowded = [{"left": n, "top": n} for n in range(MAX_COMPARED_BOXES)]
    tables = example_tables(REGISTRY, Good(boxes=[*crowded, crowded[7]]))
    found = evaluate(REGISTRY.graph.plan([REGISTRY.find("duplicated-box")()]), tables).findings
    assert found.select("box", "message").rows() == [
        (200, "boxes 7 and 200 ('cat') overlap by 100%; remove one of them")
    ]
