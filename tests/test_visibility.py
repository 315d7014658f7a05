"""How visible a boxed object is: compared with a count of every pixel of the image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import detection
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app

SIDE = 24
PLACE = st.tuples(st.integers(0, SIDE - 4), st.integers(0, SIDE - 4), st.integers(1, 4), st.integers(1, 4))


def exported(
    folder: Path, boxes: list[dict[str, Any]], size: tuple[int, int] = (640, 480), table: str = "visibility"
) -> pl.DataFrame:
    """An exported table of one line with these boxes."""
    line = detection("s3://bucket/1.jpg", tuple(boxes))
    line["animals"]["image_size"] = [{"width": size[0], "height": size[1], "depth": 3}]
    (folder / "a.manifest").write_text(json.dumps(line) + "\n", encoding="utf-8")
    target = folder / "table.parquet"
    done = CliRunner().invoke(
        app, ["export", table, str(folder / "a.manifest"), "--isolated", "--no-cache", "--to", str(target)]
    )
    assert done.exit_code == 0, done.output
    return pl.read_parquet(target).sort("box")


def counted_shares(places: list[tuple[int, ...]]) -> list[tuple[float, ...]]:
    """The covered shares of each box, counted pixel by pixel: by boxes in front, and by all."""
    found = []
    for n, (left, top, width, height) in enumerate(places):
        in_front, any_box = np.zeros((2, 2 * SIDE, 2 * SIDE), bool)
        for m, (x, y, w, h) in enumerate(places):
            in_x, in_y = min(left + width, x + w) - max(left, x), min(top + height, y + h) - max(top, y)
            is_inside = in_x > 0 and in_y > 0 and in_x * in_y >= 0.9 * width * height
            if m == n or is_inside or w * h >= 16 * width * height:
                continue
            area = (slice(y, y + h), slice(x, x + w))
            any_box[area] = True
            if (y + h) - (top + height) > 0.02 * height:
                in_front[area] = True
        own = (slice(top, top + height), slice(left, left + width))
        found.append((float(in_front[own].mean()), float(any_box[own].mean())))
    return found


@given(places=st.lists(PLACE, min_size=1, max_size=8))
def test_covered_shares_equal_the_share_of_pixels_under_other_boxes(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, ...]]
) -> None:
    places = [(left, top, 3 * width, 3 * height) for left, top, width, height in places]
    boxes = [dict(zip(("left", "top", "width", "height"), place, strict=True)) for place in places]
    table = exported(tmp_path_factory.mktemp("set"), boxes, size=(2 * SIDE, 2 * SIDE), table="box_coverage")
    for row, expected in zip(table.select("covered", "covered_any").rows(), counted_shares(places), strict=True):
        assert row == pytest.approx(expected)


@pytest.mark.parametrize(
    ("box", "sides"),
    [
        ({"left": 10, "top": 10, "width": 50, "height": 50}, 0),
        ({"left": 2, "top": 10, "width": 50, "height": 50}, 1),
        ({"left": 3, "top": 10, "width": 50, "height": 50}, 0),
        ({"left": 10, "top": 10, "width": 628, "height": 50}, 1),
        ({"left": 0, "top": 0, "width": 100, "height": 480}, 3),
        ({"left": 0, "top": 0, "width": 640, "height": 480}, 0),
        ({"left": -5, "top": 10, "width": 50, "height": 50}, None),
    ],
)
def test_a_box_touches_the_edge_within_two_pixels_unless_it_is_the_whole_image(
    tmp_path: Path, box: dict[str, int], sides: int | None
) -> None:
    assert exported(tmp_path, [box])["sides"].to_list() == [sides]


def test_in_a_large_image_a_box_touches_the_edge_within_a_quarter_of_a_percent(tmp_path: Path) -> None:
    boxes = [{"left": left, "top": 100, "width": 50, "height": 50} for left in (10, 11)]
    assert exported(tmp_path, boxes, size=(4000, 3000))["sides"].to_list() == [1, 0]


def test_without_images_visibility_is_exported_for_every_box(tmp_path: Path) -> None:
    free, truncated = {"left": 300, "top": 100}, {"left": 0, "top": 300}
    behind = {"left": 100, "top": 100, "width": 40, "height": 40}
    front = {"left": 110, "top": 110, "width": 40, "height": 40, "class_id": 1}
    table = exported(tmp_path, [free, truncated, behind, front])
    assert table.columns == [
        "manifest", "line", "source_ref", "attribute", "box", "label", "sides", "covered", "score",
    ]  # fmt: skip
    assert table["covered"].to_list() == [0, 0, 0.5625, 0]
    score = table["score"].to_list()
    assert score[:2] == [0, 0.71]
    assert score[2] > 0.5 > score[3]


def test_boxes_of_crowded_attributes_have_sides_but_no_covered_share(tmp_path: Path) -> None:
    table = exported(tmp_path, [{"left": 0}] * 201)
    assert table["sides"].to_list() == [1] * 201
    assert table["covered"].null_count() == 201


def found(folder: Path, boxes: list[dict[str, Any]], **options: Any) -> list[int]:
    """Numbers of the boxes that object-occluded reports in one line without an image."""
    line = detection("s3://bucket/1.jpg", tuple(boxes))
    (folder / "a.manifest").write_text(json.dumps(line) + "\n", encoding="utf-8")
    findings = groundlint.check(folder / "a.manifest", isolated=True, select=["object-occluded"], **options).findings
    return findings["box"].to_list()


BIG = {"left": 100, "top": 100, "width": 300, "height": 300}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("other", [0, 1])
@pytest.mark.parametrize("above", [2, 30, 150])
def test_a_small_box_inside_a_big_one_is_not_occluded_by_it(
    tmp_path: Path, above: int, other: int, *, fast: bool
) -> None:
    small = {"left": 200, "top": 340 - above, "width": 60, "height": 60, "class_id": other}
    assert found(tmp_path, [BIG, small], fast=fast) == []
    assert exported(tmp_path, [BIG, small])["covered"].to_list() == [0, 0]


def test_something_small_that_sticks_out_of_what_holds_it_is_not_occluded_by_it(tmp_path: Path) -> None:
    assert found(tmp_path, [BIG, {"left": 370, "top": 200, "width": 60, "height": 60}]) == []


@pytest.mark.parametrize("fast", [False, True])
def test_without_images_a_box_behind_another_one_is_occluded(tmp_path: Path, *, fast: bool) -> None:
    behind = {"left": 150, "top": 60, "width": 250, "height": 250}
    assert found(tmp_path, [BIG, behind], fast=fast) == [1]


def test_boxes_that_overlap_in_their_corners_do_not_occlude_each_other(tmp_path: Path) -> None:
    round_things = [{"left": left, "top": left, "width": 100, "height": 100} for left in (100, 170, 240)]
    assert found(tmp_path, round_things) == []
    assert max(exported(tmp_path, round_things)["covered"]) == pytest.approx(0.09)


SQUARE = {"width": 100, "height": 100}
COVERED = tuple(SQUARE | {"left": x, "top": y} for x, y in ((100, 100), (180, 130), (140, 140), (100, 20)))


@pytest.mark.parametrize(
    ("rule", "boxes", "related"),
    [
        # What lies behind the reported box covers nothing of it.
        ("VIS102", COVERED, {0: [2, 1]}),
        ("BOX301", ({}, {"left": 400}, {}), {2: [0]}),
        ("BOX302", ({}, {"class_id": 1}), {1: [0]}),
    ],
)
def test_the_boxes_that_a_finding_speaks_of_are_related(
    tmp_path: Path, rule: str, boxes: tuple[dict[str, Any], ...], related: dict[int, list[int]]
) -> None:
    line = detection("s3://bucket/1.jpg", boxes)
    (tmp_path / "a.manifest").write_text(json.dumps(line) + "\n", encoding="utf-8")
    found = groundlint.check(tmp_path / "a.manifest", select=rule, isolated=True).findings
    rows = {row["box"]: row["related"] for row in found.iter_rows(named=True)}
    assert {box: [place["box"] for place in rows.get(box, [])] for box in related} == related
    places = [place for row in rows.values() for place in row]
    assert {(place["line"], place["attribute"], place["source_ref"]) for place in places} == {
        (1, "animals", "s3://bucket/1.jpg")
    }


def test_a_width_that_is_lost_beside_a_large_number_covers_nothing(tmp_path: Path) -> None:
    boxes = [{"left": 238, "width": 8e-262, "top": 0, "height": 40}, {"left": 0, "width": 309, "top": 20, "height": 40}]
    assert exported(tmp_path, boxes)["covered"].to_list() == [0, 0]
