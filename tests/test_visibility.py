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

from groundlint.cli import app

SIDE = 24
PLACE = st.tuples(
    st.integers(0, SIDE - 4), st.integers(0, SIDE - 4), st.integers(1, 4), st.integers(1, 4), st.integers(0, 1)
)


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


COVERS = ("covered", "covered_same", "covered_other", "covered_same_any", "covered_other_any")


def counted_shares(places: list[tuple[int, ...]]) -> list[tuple[float, ...]]:
    """The covered shares of each box, counted pixel by pixel."""
    found = []
    for n, (left, top, width, height, label) in enumerate(places):
        covered = {name: np.zeros((2 * SIDE, 2 * SIDE), bool) for name in COVERS}
        for m, (x, y, w, h, other_label) in enumerate(places):
            if m == n:
                continue
            area = (slice(y, y + h), slice(x, x + w))
            covered["covered_same_any" if other_label == label else "covered_other_any"][area] = True
            lower = (y + h) - (top + height)
            is_tie = abs(lower) <= 0.02 * height
            if (not is_tie and lower > 0) or (is_tie and w * h > width * height):
                covered["covered"][area] = True
                covered["covered_same" if other_label == label else "covered_other"][area] = True
        own = (slice(top, top + height), slice(left, left + width))
        found.append(tuple(float(covered[name][own].mean()) for name in COVERS))
    return found


@given(places=st.lists(PLACE, min_size=1, max_size=8))
def test_covered_shares_equal_the_share_of_pixels_under_other_boxes(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, ...]]
) -> None:
    places = [(left, top, 3 * width, 3 * height, label) for left, top, width, height, label in places]
    boxes = [
        {"left": left, "top": top, "width": width, "height": height, "class_id": label}
        for left, top, width, height, label in places
    ]
    table = exported(tmp_path_factory.mktemp("set"), boxes, size=(2 * SIDE, 2 * SIDE), table="box_coverage")
    for row, expected in zip(table.select(COVERS).rows(), counted_shares(places), strict=True):
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
    assert table["score"].to_list() == [0, 0.71, 0.5625, 0]


def test_boxes_of_crowded_attributes_have_sides_but_no_covered_share(tmp_path: Path) -> None:
    table = exported(tmp_path, [{"left": 0}] * 201)
    assert table["sides"].to_list() == [1] * 201
    assert table["covered"].null_count() == 201
