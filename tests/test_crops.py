"""The content of boxes: the faults that are found in it, and that odd boxes are passed over."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from lines import detection
from PIL import Image, ImageDraw, ImageFilter

import groundlint

SIZE = (640, 480)
PLACES = [(x, y) for y in (20, 180, 340) for x in (20, 140, 260, 380, 500)]
SIDE = 80


def scene(changed: int, change: Any) -> Image.Image:
    """A gray wall with fifteen patterned squares, one of which is changed."""
    image = Image.new("RGB", SIZE, (150, 150, 150))
    draw = random.Random(1)
    for n, place in enumerate(PLACES):
        thing = Image.new("RGB", (SIDE, SIDE), (40, 60, 90))
        for _ in range(60):
            x, y = draw.randrange(SIDE), draw.randrange(SIDE)
            color = (draw.randrange(60, 256), draw.randrange(60, 256), draw.randrange(60, 256))
            ImageDraw.Draw(thing).rectangle((x, y, x + 8, y + 8), fill=color)
        image.paste(change(thing) if n == changed else thing, place)
    return image


def boxes() -> list[dict[str, Any]]:
    return [{"left": x, "top": y, "width": SIDE, "height": SIDE} for x, y in PLACES]


def found(
    folder: Path, images: dict[str, Image.Image | bytes], lines: list[dict[str, Any]]
) -> set[tuple[str, int, int | None]]:
    """Name, line and box of the findings on the content of boxes."""
    for name, image in images.items():
        if isinstance(image, bytes):
            (folder / name).write_bytes(image)
        else:
            image.save(folder / name)
    manifest = folder / "a.manifest"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    findings = groundlint.check(
        manifest, isolated=True, select=["IMG4"], preview=True, cache_dir=folder / "cache"
    ).findings
    return set(findings.select("name", "line", "box").rows())


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("object-blurred", lambda thing: thing.filter(ImageFilter.GaussianBlur(8))),
        ("object-dark", lambda thing: thing.point(lambda level: level // 5)),
        ("object-low-contrast", lambda thing: Image.new("RGB", thing.size, (150, 150, 150))),
    ],
)
def test_only_the_changed_object_is_found(tmp_path: Path, rule: str, change: Any) -> None:
    line = detection("s3://bucket/1.png", tuple(boxes()))
    names = found(tmp_path, {"1.png": scene(7, change)}, [line])
    assert (rule, 1, 7) in names
    assert {box for _, _, box in names} == {7}


def test_objects_of_one_color_are_not_dark(tmp_path: Path) -> None:
    none = Image.new("L", (SIDE, SIDE))
    line = detection("s3://bucket/1.png", tuple(boxes()))
    image = scene(7, lambda thing: Image.merge("RGB", (none, none, thing.convert("L").point(lambda n: n // 2 + 100))))
    assert "object-dark" not in {name for name, _, _ in found(tmp_path, {"1.png": image}, [line])}


@pytest.mark.parametrize("outline", [(120, 150, 150), (150, 150, 190)])
def test_an_object_with_an_outline_has_contrast_though_its_mean_is_that_of_the_background(
    tmp_path: Path, outline: tuple[int, int, int]
) -> None:
    def cell(thing: Image.Image) -> Image.Image:
        made = Image.new("RGB", thing.size, (150, 150, 150))
        ImageDraw.Draw(made).ellipse((8, 8, SIDE - 8, SIDE - 8), outline=outline, width=5)
        return made

    line = detection("s3://bucket/1.png", tuple(boxes()))
    names = {name for name, _, _ in found(tmp_path, {"1.png": scene(7, cell)}, [line])}
    assert "object-low-contrast" not in names


def test_a_soft_spot_on_a_plain_background_has_contrast(tmp_path: Path) -> None:
    def spot(thing: Image.Image) -> Image.Image:
        made = Image.new("RGB", thing.size, (150, 150, 150))
        ImageDraw.Draw(made).ellipse((25, 25, SIDE - 25, SIDE - 25), fill=(110, 90, 190))
        return made.filter(ImageFilter.GaussianBlur(9))

    line = detection("s3://bucket/1.png", tuple(boxes()))
    names = {name for name, _, _ in found(tmp_path, {"1.png": scene(7, spot)}, [line])}
    assert "object-low-contrast" not in names


def test_objects_of_a_label_whose_objects_are_all_soft_are_not_reported(tmp_path: Path) -> None:
    image = scene(-1, None).filter(ImageFilter.GaussianBlur(8))
    assert found(tmp_path, {"1.png": image}, [detection("s3://bucket/1.png", tuple(boxes()))]) == set()


def test_odd_boxes_and_files_do_not_keep_others_from_being_judged(tmp_path: Path) -> None:
    odd = [
        {"left": -50, "top": -50, "width": 70, "height": 70},
        {"left": 600, "top": 440, "width": 300, "height": 300},
        {"left": 5000, "top": 5000, "width": 50, "height": 50},
        {"left": 10, "top": 10, "width": 0, "height": 0},
        {"left": 10.5, "top": 10.25, "width": 60.75, "height": 60.5},
        {"left": 0, "top": 0, "width": 640, "height": 480},
    ]
    blurred = scene(7, lambda thing: thing.filter(ImageFilter.GaussianBlur(8)))
    lines = [
        detection("s3://bucket/1.png", (*boxes(), *odd)),
        detection("s3://bucket/2.png", tuple(boxes())),
        detection("s3://bucket/1.png", tuple(boxes()[6:9])),
    ]
    lines[2]["source-ref"] = "s3://bucket/3.png"
    names = found(tmp_path, {"1.png": blurred, "2.png": b"no image", "3.png": blurred}, lines)
    assert {("object-blurred", 1, 7), ("object-blurred", 3, 1)} <= names
    assert not {line for _, line, _ in names} & {2}


def test_cached_measurements_give_the_same_findings_and_new_boxes_are_measured(tmp_path: Path) -> None:
    image = scene(7, lambda thing: thing.filter(ImageFilter.GaussianBlur(8)))
    few = detection("s3://bucket/1.png", tuple(boxes()[:4]))
    every = detection("s3://bucket/1.png", tuple(boxes()))
    assert found(tmp_path, {"1.png": image}, [few]) == set()
    assert found(tmp_path, {}, [every]) == found(tmp_path, {}, [every]) == {("object-blurred", 1, 7)}
