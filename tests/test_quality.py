"""Image quality: strong faults put into photographs are found, each by its own rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import groundlint as command
from lines import classification
from PIL import Image, ImageDraw, ImageFilter

import groundlint

PHOTOGRAPHS = Path(__file__).parents[1] / "fixtures/photographs"
ORIGINALS = sorted((PHOTOGRAPHS / "raccoons").iterdir())[:12]

Change = Callable[[Image.Image], Image.Image]


def originals() -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in ORIGINALS]


def written(folder: Path, images: list[Image.Image], quality: int = 90) -> Path:
    """A manifest of images; the last one is saved in the given JPEG quality."""
    folder.mkdir(exist_ok=True)
    lines = []
    for n, image in enumerate(images):
        image.save(folder / f"{n}.jpg", quality=quality if n == len(images) - 1 else 90)
        lines.append(json.dumps(classification(f"s3://bucket/{n}.jpg")) + "\n")
    manifest = folder / "train.manifest"
    manifest.write_text("".join(lines), encoding="utf-8")
    return manifest


def findings(*manifests: Path, select: str = "IMG3") -> pl.DataFrame:
    return groundlint.check(*manifests, isolated=True, select=[select], preview=True).findings


def exposed(image: Image.Image, stops: float) -> Image.Image:
    levels = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4) * 2.0**stops
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return image.point((np.clip(back, 0, 1) * 255).round().astype(int).tolist() * 3)


def noisy(image: Image.Image) -> Image.Image:
    # JPEG files store color at half resolution, so the noise must survive in the image as it is reduced for measuring.
    image = image.resize((2 * image.width, 2 * image.height))
    pixels = np.asarray(image, float) + np.random.default_rng(0).normal(0, 40, (image.height, image.width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def flat(image: Image.Image) -> Image.Image:
    return image.point(lambda level: 110 + level * 20 // 255)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("image-dark", lambda image: exposed(image, -4)),
        ("image-bright", lambda image: exposed(image, 4.5)),
        ("image-low-contrast", flat),
        ("image-blurred", lambda image: image.filter(ImageFilter.GaussianBlur(4 * max(image.size) / 512 + 1))),
        ("image-noisy", noisy),
        ("image-low-information", lambda image: Image.new("RGB", image.size, (120, 130, 140))),
    ],
)
def test_a_strong_fault_is_found_by_its_rule(tmp_path: Path, rule: str, change: Change) -> None:
    images = originals()
    found = findings(written(tmp_path, [*images, change(images[3])]))
    assert rule in found["name"]
    assert set(found["line"]) == {len(images) + 1}


def test_strong_compression_is_found(tmp_path: Path) -> None:
    found = findings(written(tmp_path, originals(), quality=5))
    assert found.select("name", "line").rows() == [("image-compressed", len(ORIGINALS))]


def test_scenes_of_one_color_are_not_dark_or_empty(tmp_path: Path) -> None:
    none = Image.new("L", (480, 360))
    blue = [Image.merge("RGB", (none, none, image.convert("L").resize(none.size))) for image in originals()]
    assert findings(written(tmp_path, blue)).is_empty()


def page(n: int) -> Image.Image:
    """A white page of text."""
    image = Image.new("RGB", (600, 800), "white")
    for y in range(80, 760, 24):
        ImageDraw.Draw(image).text(
            (40, y), "the quick brown fox jumps over the lazy dog " * 2 + str(n * y), fill="black"
        )
    return image


def on_white(image: Image.Image) -> Image.Image:
    """A product shot."""
    ground = Image.new("RGB", (480, 480), "white")
    ground.paste(image.resize((180, 200)), (150, 140))
    return ground


def test_a_white_background_is_not_overexposure(tmp_path: Path) -> None:
    images = [*(page(n) for n in range(6)), *(on_white(image) for image in originals())]
    assert findings(written(tmp_path, images)).is_empty()


def test_clipped_objects_on_a_white_background_are_overexposed(tmp_path: Path) -> None:
    images = originals()
    found = findings(written(tmp_path, [*images, on_white(exposed(images[0], 4))]), select="image-bright")
    assert found["line"].to_list() == [len(images) + 1]


def test_an_image_with_soft_shadows_and_pale_sharp_edges_is_not_blurred(tmp_path: Path) -> None:
    shadow = Image.new("RGB", (1024, 768), "white")
    ImageDraw.Draw(shadow).rectangle((500, 100, 900, 700), fill="black")
    soft = shadow.filter(ImageFilter.GaussianBlur(16))
    bottle = soft.copy()
    for n in range(18 * 32):
        left, top = 40 + n % 18 * 20, 60 + n // 18 * 20
        ImageDraw.Draw(bottle).rectangle((left, top, left + 9, top + 9), fill=(218, 218, 218))
    found = findings(written(tmp_path, [*originals(), bottle, soft]), select="image-blurred")
    assert found["line"].to_list() == [len(ORIGINALS) + 2]


def test_colored_texture_is_not_noise(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    confetti = np.kron(draw.integers(0, 2, (120, 160, 1)), np.ones((4, 4, 1))) * [120, -120, 0] + [60, 180, 60]
    confetti[:, 500:] = 128
    images = [*originals(), Image.fromarray(confetti.astype(np.uint8))]
    assert findings(written(tmp_path, images), select="image-noisy").is_empty()


def test_a_fault_of_most_images_is_typical_of_the_data_set(tmp_path: Path) -> None:
    manifest = written(tmp_path, [*originals(), *(flat(image) for image in originals())])
    found = findings(manifest, select="image-low-contrast")
    assert set(found.select("severity", "typical").rows()) == {("info", True)}
    assert found["line"].to_list() == list(range(13, 25))
    text = command("check", "train.manifest", "--isolated", "--select", "image-low-contrast", cwd=tmp_path).stdout
    assert " ".join(text.split()).count("typical of this data set: 50% of the images are low in contrast") == 1
    assert "gray levels" not in text


def test_a_fault_typical_of_one_data_set_is_reported_per_image_in_another(tmp_path: Path) -> None:
    images = originals()
    flat_set = written(tmp_path / "flat", [flat(image) for image in images])
    dark_set = written(tmp_path / "dark", [*images, exposed(images[0], -4)])
    found = findings(flat_set, dark_set, select="image-dark")
    assert found.select("severity", "typical", "line").rows() == [("info", False, 13)]
    found = findings(flat_set, dark_set, select="image-low-contrast")
    assert set(found.select("severity", "typical").rows()) == {("info", True)}
    assert found.height == len(images)


def test_what_is_typical_does_not_depend_on_suppressed_findings(tmp_path: Path) -> None:
    manifest = written(tmp_path, [exposed(image, -4) if n < 3 else image for n, image in enumerate(originals())])
    config = tmp_path / "groundlint.toml"
    entry = '[[suppress]]\nrule = "image-dark"\nsource-ref = "s3://bucket/{n}.jpg"\nreason = "night"\n'
    config.write_text("".join(entry.format(n=n) for n in range(2)))
    found = groundlint.check(manifest, config=config, select=["image-dark"]).findings
    assert found.select("severity", "typical", "line").rows() == [("info", True, 3)]


def test_a_worse_image_has_a_higher_score(tmp_path: Path) -> None:
    images = originals()
    found = findings(written(tmp_path, [*images, exposed(images[3], -4), exposed(images[3], -5)]), select="image-dark")
    scores = dict(found.select("line", "score").rows())
    assert 0.5 < scores[len(images) + 1] < scores[len(images) + 2] < 1


def test_images_too_big_to_decode_are_counted_in_a_note(tmp_path: Path) -> None:
    manifest = written(tmp_path, originals())
    Image.new("1", (20_000, 20_000)).save(tmp_path / "3.jpg", "PNG")
    result = groundlint.check(manifest, isolated=True, select=["image-dark"])
    assert result.findings.is_empty()
    (note,) = (note for note in result.summary.notes if note.kind == "image-too-big")
    assert note.count == 1
    assert note.message.startswith("1 image too big to decode: ")
