"""Clutter: cluttered images are found, and what lies in boxes is not clutter."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import detection
from PIL import Image, ImageDraw

import groundlint
from groundlint_rules.features.clutter import GRID
from groundlint_rules.tables.clutter import clutter

SIDE = 256


def plain(number: int) -> Image.Image:
    """A wall with one thing in front of it."""
    image = Image.new("RGB", (SIDE, SIDE), (200 - number, 190, 170))
    ImageDraw.Draw(image).rectangle((60, 60, 190, 200), fill=(number, 40, 90))
    return image


def crowded(part: float = 1.0) -> Image.Image:
    """The left part full of small things in many colors."""
    draw, image = random.Random(1), plain(0)
    for _ in range(600):
        x, y = draw.randrange(int(part * SIDE)), draw.randrange(SIDE)
        color = (draw.randrange(256), draw.randrange(256), draw.randrange(256))
        ImageDraw.Draw(image).rectangle((x, y, min(x + 14, part * SIDE), y + 14), fill=color)
    return image


def flagged(folder: Path, images: list[Image.Image], *boxes: dict[str, int]) -> list[int]:
    """Lines that are reported as cluttered; the boxes are those of the last image."""
    lines = []
    for n, image in enumerate(images):
        image.save(folder / f"{n}.png")
        of_line = boxes if n == len(images) - 1 and boxes else ({"left": 60, "top": 60, "width": 130, "height": 140},)
        line = detection(f"s3://bucket/{n}.png", of_line)
        line["animals"]["image_size"] = [{"width": SIDE, "height": SIDE, "depth": 3}]
        lines.append(json.dumps(line) + "\n")
    manifest = folder / "train.manifest"
    manifest.write_text("".join(lines), encoding="utf-8")
    found = groundlint.check(manifest, isolated=True, select=["cluttered-image"]).findings
    return sorted(found["line"].to_list())


@pytest.mark.parametrize("count", [5, 40])
def test_only_the_cluttered_image_is_found_in_a_small_and_in_a_large_data_set(tmp_path: Path, count: int) -> None:
    images = [*(plain(n) for n in range(count)), crowded()]
    assert flagged(tmp_path, images, {"left": 100, "top": 100, "width": 20, "height": 20}) == [count + 1]


def test_what_lies_in_a_box_is_not_clutter(tmp_path: Path) -> None:
    images = [*(plain(n) for n in range(40)), crowded(0.5)]
    outside = {"left": 200, "top": 100, "width": 20, "height": 20}
    assert flagged(tmp_path, images, outside) == [41]
    assert flagged(tmp_path, images, {"left": 0, "top": 0, "width": 140, "height": 256}) == []


def test_a_data_set_of_cluttered_images_has_no_findings(tmp_path: Path) -> None:
    images = [crowded(0.8 + 0.005 * n) for n in range(40)]
    assert flagged(tmp_path, images) == []


EDGE = st.integers(0, 4 * GRID)
BOXES = st.lists(st.tuples(st.integers(0, 3), EDGE, EDGE, EDGE, EDGE), max_size=6)
IMAGES = [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
"""Data set and source-ref: two data sets name the same images and have boxes of their own."""


@given(boxes=BOXES, seed=st.integers(0, 9))
def test_the_density_is_that_of_the_cells_that_no_box_touches(
    boxes: list[tuple[int, int, int, int, int]], seed: int
) -> None:
    cells = np.random.default_rng(seed).integers(0, 60, (len(IMAGES), GRID, GRID)).astype(np.uint8)
    side = 4 * GRID
    images = pl.DataFrame(
        {
            "data_set": [data_set for data_set, _ in IMAGES],
            "source_ref": [name for _, name in IMAGES],
            "width": side,
            "height": side,
            "edge_share": [grid.tobytes() for grid in cells],
            "color_count": 300,
        }
    )
    rows = [
        {
            "data_set": IMAGES[n][0],
            "source_ref": IMAGES[n][1],
            "attribute_id": n,
            "left": float(min(x, right)),
            "top": float(min(y, bottom)),
            "width": float(abs(right - x) + 1),
            "height": float(abs(bottom - y) + 1),
            "image_width": side,
            "image_height": side,
        }
        for n, x, y, right, bottom in boxes
    ]
    schema = {"data_set": pl.Int64, "source_ref": pl.String, "attribute_id": pl.Int64}
    schema |= dict.fromkeys(("left", "top", "width", "height"), pl.Float64)
    schema |= dict.fromkeys(("image_width", "image_height"), pl.Int32)
    table = clutter.function(images.lazy(), pl.DataFrame(rows, schema=schema).lazy()).lazy().collect()
    densities = {
        (data_set, name): density for data_set, name, density in table["data_set", "source_ref", "density"].rows()
    }
    for n, image in enumerate(IMAGES):
        free = np.ones((GRID, GRID), bool)
        for of, x, y, right, bottom in boxes:
            if of == n:
                left, right_end = min(x, right) / 4, min((max(x, right) + 1) / 4, GRID)
                upper, lower_end = min(y, bottom) / 4, min((max(y, bottom) + 1) / 4, GRID)
                for row in range(GRID):
                    for column in range(GRID):
                        is_touched = column + 1 > left and column < right_end and row + 1 > upper and row < lower_end
                        free[row, column] &= not is_touched
        if free.mean() < 0.1:
            assert densities[image] is None
        else:
            assert densities[image] == pytest.approx(cells[n][free].mean() / 255)
