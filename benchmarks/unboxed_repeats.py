"""Measure how often the repetition of a boxed object is found: a copy of a box's content, planted in the same image.

The copy is 0.85 to 1.2 times as large and 0.85 to 1.15 times as bright, and lies on no box. The limit was chosen on the
first 61 images with a small box of bccd and of wider_occ, which are left out here. Raccoon has six such images, which
are all used: the limit was not chosen on them, but the first prototype of the rule was tried on them. accuracy.py runs
it.
"""

from __future__ import annotations

import copy
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measured import Measured
from PIL import Image, ImageEnhance
from planted import Draw, Line, boxes

import groundlint

SETS = {"raccoon": 0, "bccd": 61, "wider_occ": 61}
"""Sets, and the number of images that are left out, because the limit was chosen on them."""

MOST = 150
MIN_SHARE, MAX_AREA = 0.15, 0.1
"""Sides of a box as a share of those of the image from which, and its area up to which, it is copied."""


def is_small(box: dict[str, int], size: dict[str, int]) -> bool:
    """Whether a box is one that the rule looks for."""
    width, height = box["width"] / size["width"], box["height"] / size["height"]
    return min(width, height) >= MIN_SHARE and width * height <= MAX_AREA


def plant(draw: Draw, line: Line, file: Path) -> bool:
    """Copy the content of a small box to a free place; false if there is none."""
    size = line["bounding-box"]["image_size"][0]
    box = draw.choice([box for box in boxes(line) if is_small(box, size)])
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    corners = (box["left"], box["top"], box["left"] + box["width"], box["top"] + box["height"])
    scale = draw.uniform(0.85, 1.2)
    width, height = round(box["width"] * scale), round(box["height"] * scale)
    part = ImageEnhance.Brightness(image.crop(corners).resize((width, height))).enhance(draw.uniform(0.85, 1.15))
    for _ in range(100):
        left, top = draw.randint(0, max(0, image.width - width)), draw.randint(0, max(0, image.height - height))
        if all(
            left + width < each["left"]
            or left > each["left"] + each["width"]
            or top + height < each["top"]
            or top > each["top"] + each["height"]
            for each in boxes(line)
        ):
            image.paste(part, (left, top))
            image.save(file, quality=90)
            return True
    return False


def flagged(lines: list[Line], folder: Path) -> set[str]:
    """The images in which the rule reports a box."""
    path = folder / "planted.manifest"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = groundlint.check(path, select=["LBL310"], isolated=True, images=[f"s3://datasets={folder}"])
    return set(found.findings["source_ref"])


def figures(data: Path) -> Iterator[Measured]:
    """The share of copies that are found, and the images that are flagged as published."""
    for name, used in SETS.items():
        lines = [json.loads(text) for text in (data / name / "output.manifest").read_text().splitlines()]
        lines = [line for line in lines if any(is_small(b, line["bounding-box"]["image_size"][0]) for b in boxes(line))]
        lines = lines[used:][:MOST]
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / line["source-ref"].removeprefix("s3://datasets/") for line in lines]
            for line, file in zip(lines, files, strict=True):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes((data / line["source-ref"].removeprefix("s3://datasets/")).read_bytes())
            before = flagged(lines, Path(folder))
            draw = random.Random(0)
            changed = [line for line, file in zip(lines, files, strict=True) if plant(draw, copy.deepcopy(line), file)]
            found = flagged(changed, Path(folder))
        figure = f"{len(found)} of {len(changed)}; as published {len(before)} of {len(lines)} images are flagged"
        yield Measured("LBL310", name, "copies of small objects found", figure)
