"""What is to be seen of a box: told from every pixel of the image, one by one."""

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


def visibility(folder: Path, boxes: list[dict[str, Any]], size: tuple[int, int] = (640, 480)) -> pl.DataFrame:
    """The exported table of one line with these boxes."""
    line = detection("s3://bucket/1.jpg", tuple(boxes))
    line["animals"]["image_size"] = [{"width": size[0], "height": size[1], "depth": 3}]
    (folder / "a.manifest").write_text(json.dumps(line) + "\n", encoding="utf-8")
    target = folder / "visibility.parquet"
    done = CliRunner().invoke(
        app, ["export", "visibility", str(folder / "a.manifest"), "--isolated", "--no-cache", "--to", str(target)]
    )
    assert done.exit_code == 0, done.output
    return pl.read_parquet(target).sort("box")


KINDS = ("front", "same", "other", "same_any", "other_any")


def shares(places: list[tuple[int, ...]]) -> list[tuple[float, ...]]:
    """Of each box the shares under boxes in front, of them under its label's and under others, and under any."""
    found = []
    for n, (left, top, width, height, label) in enumerate(places):
        hidden = {name: np.zeros((2 * SIDE, 2 * SIDE), bool) for name in KINDS}
        for m, (x, y, w, h, of) in enumerate(places):
            if m == n:
                continue
            area = (slice(y, y + h), slice(x, x + w))
            hidden["same_any" if of == label else "other_any"][area] = True
            lower = (y + h) - (top + height)
            is_tie = abs(lower) <= 0.02 * height
            if (not is_tie and lower > 0) or (is_tie and w * h > width * height):
                hidden["front"][area] = True
                hidden["same" if of == label else "other"][area] = True
        own = (slice(top, top + height), slice(left, left + width))
        found.append(tuple(float(hidden[name][own].mean()) for name in KINDS))
    return found


@given(places=st.lists(PLACE, min_size=1, max_size=8))
def test_the_covered_share_is_that_of_the_pixels_under_boxes_in_front(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, ...]]
) -> None:
    places = [(left, top, 3 * width, 3 * height, label) for left, top, width, height, label in places]
    boxes = [
        {"left": left, "top": top, "width": width, "height": height, "class_id": label}
        for left, top, width, height, label in places
    ]
    table = visibility(tmp_path_factory.mktemp("set"), boxes, size=(2 * SIDE, 2 * SIDE))
    columns = table.select("covered", "covered_same", "covered_other", "covered_same_any", "covered_other_any").rows()
    for made, expected in zip(columns, shares(places), strict=True):
        assert made == pytest.approx(expected)


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
def test_contact_with_the_frame_is_within_two_pixels_and_none_of_a_whole_image(
    tmp_path: Path, box: dict[str, int], sides: int | None
) -> None:
    assert visibility(tmp_path, [box])["sides"].to_list() == [sides]


def test_in_a_large_image_contact_is_a_quarter_of_a_percent(tmp_path: Path) -> None:
    boxes = [{"left": left, "top": 100, "width": 50, "height": 50} for left in (10, 11)]
    assert visibility(tmp_path, boxes, size=(4000, 3000))["sides"].to_list() == [1, 0]
