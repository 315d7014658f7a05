"""Images that are unlike the others: they are reported, duplicates do not hide them, and small data sets have none."""

from __future__ import annotations

from pathlib import Path
from random import Random

from lines import classification, manifest
from PIL import Image, ImageDraw

import groundlint

COUNT = 60


def usual(n: int) -> Image.Image:
    """Balls on a green background."""
    random = Random(n)
    image = Image.new("RGB", (128, 96), (60, 130, 70))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, radius = random.randint(0, 128), random.randint(0, 96), random.randint(6, 20)
        color = (random.randint(120, 255), random.randint(0, 120), random.randint(0, 120))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    return image


def strange() -> Image.Image:
    """A page of lines on a white background."""
    page = Image.new("RGB", (128, 96), "white")
    draw = ImageDraw.Draw(page)
    for y in range(8, 90, 8):
        draw.line((8, y, 120 - y % 3 * 20, y), fill="black", width=2)
    return page


def stripes(n: int) -> Image.Image:
    """Blue and white stripes."""
    random = Random(n)
    image = Image.new("RGB", (128, 96), "white")
    draw = ImageDraw.Draw(image)
    for x in range(0, 128, random.randint(10, 20)):
        draw.rectangle((x, 0, x + random.randint(3, 8), 96), fill=(random.randint(0, 90), 40, 200))
    return image


def written(folder: Path, *images: Image.Image, labels: str = "") -> Path:
    """A manifest with its images in a new folder; all have one label unless each is given by a letter."""
    folder.mkdir()
    for n, image in enumerate(images):
        image.save(folder / f"{n}.png")
    path = folder / "train.manifest"
    names = labels or "a" * len(images)
    path.write_text(manifest(*(classification(f"s3://bucket/{n}.png", name) for n, name in enumerate(names))))
    return path


def reported(*paths: Path) -> list[tuple[str, str]]:
    """Folder and image of each outlier, with scores in the right range."""
    found = groundlint.check(*paths, isolated=True, select=["image-outlier"]).findings
    assert found["score"].is_between(0, 1, closed="none").all()
    return [(Path(path).parent.name, ref) for path, ref in found.select("manifest", "source_ref").rows()]


def test_a_strange_image_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path / "a", *(usual(n) for n in range(COUNT)), strange())
    assert ("a", f"s3://bucket/{COUNT}.png") in reported(path)


def test_duplicates_of_a_strange_image_do_not_hide_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a", *(usual(n) for n in range(COUNT)), *[strange()] * 8)
    assert {("a", f"s3://bucket/{COUNT + n}.png") for n in range(8)} <= set(reported(path))


def test_an_image_is_compared_with_those_of_its_own_data_set(tmp_path: Path) -> None:
    usual_only = written(tmp_path / "a", *(usual(n) for n in range(COUNT)))
    with_strange = written(tmp_path / "b", *(usual(n) for n in range(COUNT, 2 * COUNT)), strange())
    assert reported(usual_only, with_strange) == [*reported(usual_only), *reported(with_strange)]


def test_a_small_data_set_has_no_outliers(tmp_path: Path) -> None:
    assert reported(written(tmp_path / "a", *(usual(n) for n in range(20)), strange())) == []


def test_an_image_with_another_label_than_those_like_it_is_said_to_be_nearer_to_them(tmp_path: Path) -> None:
    images = [*(usual(n) for n in range(COUNT)), *(stripes(n) for n in range(COUNT)), strange()]
    path = written(tmp_path / "a", *images, labels="b" * COUNT + "s" * (COUNT - 1) + "b" + "b")
    found = groundlint.check(path, isolated=True, select=["image-outlier"]).findings
    messages = dict(found.select("source_ref", "message").rows())
    assert "nearer to 's'" in messages[f"s3://bucket/{2 * COUNT - 1}.png"]
    assert "unlike all other images" in messages[f"s3://bucket/{2 * COUNT}.png"]
