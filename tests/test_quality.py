"""Poor pictures: strong faults put into real photographs are found, each by its own rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lines import classification
from PIL import Image, ImageFilter

import groundlint

PHOTOGRAPHS = Path(__file__).parents[1] / "fixtures/photographs"
ORIGINALS = sorted((PHOTOGRAPHS / "raccoons").iterdir())[:12]

Change = Callable[[Image.Image], Image.Image]


def flagged(folder: Path, pictures: list[Image.Image], quality: int = 90) -> set[tuple[str, int]]:
    """Rules on quality, and the line of each finding; the last picture is saved in the given quality."""
    lines = []
    for n, picture in enumerate(pictures):
        picture.save(folder / f"{n}.jpg", quality=quality if n == len(pictures) - 1 else 90)
        lines.append(json.dumps(classification(f"s3://bucket/{n}.jpg")) + "\n")
    manifest = folder / "train.manifest"
    manifest.write_text("".join(lines), encoding="utf-8")
    found = groundlint.check(manifest, isolated=True, select=["IMG3"])
    return set(found.select("name", "line").rows())


def exposed(picture: Image.Image, stops: float) -> Image.Image:
    shades = np.arange(256) / 255
    linear = np.where(shades <= 0.04045, shades / 12.92, ((shades + 0.055) / 1.055) ** 2.4) * 2.0**stops
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return picture.point((np.clip(back, 0, 1) * 255).round().astype(int).tolist() * 3)


def noisy(picture: Image.Image) -> Image.Image:
    # Of a JPEG half the colours are stored: noise shows in one that is reduced for the look.
    picture = picture.resize((2 * picture.width, 2 * picture.height))
    pixels = np.asarray(picture, float) + np.random.default_rng(0).normal(0, 40, (picture.height, picture.width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def flat(picture: Image.Image) -> Image.Image:
    return picture.point(lambda shade: 110 + shade * 20 // 255)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("image-dark", lambda picture: exposed(picture, -4)),
        ("image-bright", lambda picture: exposed(picture, 4.5)),
        ("image-low-contrast", flat),
        ("image-blurred", lambda picture: picture.filter(ImageFilter.GaussianBlur(4 * max(picture.size) / 512 + 1))),
        ("image-noisy", noisy),
        ("image-low-information", lambda picture: Image.new("RGB", picture.size, (120, 130, 140))),
    ],
)
def test_a_strong_fault_is_found_by_its_rule(tmp_path: Path, rule: str, change: Change) -> None:
    originals = [Image.open(path).convert("RGB") for path in ORIGINALS]
    found = flagged(tmp_path, [*originals, change(originals[3])])
    assert {name for name, line in found if line == len(originals) + 1} >= {rule}
    assert not {line for _, line in found if line <= len(originals)}


def test_strong_compression_is_read_from_the_file(tmp_path: Path) -> None:
    pictures = [Image.open(path).convert("RGB") for path in ORIGINALS]
    assert flagged(tmp_path, pictures, quality=5) == {("image-compressed", len(pictures))}


def test_a_fault_of_most_pictures_is_the_manner_of_the_set_and_said_once(tmp_path: Path) -> None:
    pictures = [flat(Image.open(path).convert("RGB")) for path in ORIGINALS] * 2
    flagged(tmp_path, pictures)
    found = groundlint.check(tmp_path / "train.manifest", isolated=True, select=["image-low-contrast"])
    assert found.select("line", "severity").rows() == [(None, "info")]
    assert found["message"][0].startswith("24 of the 24 pictures ")
