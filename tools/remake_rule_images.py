"""Make the example images of rule pages, docs/rules/images, from fixtures/photographs.

Run it from the root of the project. The images are CC0 and MIT, as fixtures/photographs/README.md says.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

SOURCE = Path("fixtures/photographs")
TARGET = Path("docs/rules/images")
HEIGHT = 200
RACCOON = "raccoons/000.jpg"
BOX_COLOR = "#ff2d9b"


def opened(name: str) -> Image.Image:
    """An image of the fixture in RGB, HEIGHT px high."""
    image = Image.open(SOURCE / name).convert("RGB")
    return image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)


def with_boxes(name: str, *numbers: int) -> Image.Image:
    """An image with some boxes of its line drawn; all if no number is given."""
    folder, _, file = name.partition("/")
    lines = (SOURCE / f"{folder}.manifest").read_text(encoding="utf-8").splitlines()
    line = next(value for value in map(json.loads, lines) if value["source-ref"].endswith(f"/{file}"))
    value = next(part for part in line.values() if isinstance(part, dict) and "annotations" in part)
    image = opened(name)
    scale = HEIGHT / value["image_size"][0]["height"]
    draw = ImageDraw.Draw(image)
    for number, box in enumerate(value["annotations"]):
        if not numbers or number in numbers:
            left, top = box["left"] * scale, box["top"] * scale
            draw.rectangle(
                (left, top, left + box["width"] * scale, top + box["height"] * scale), outline=BOX_COLOR, width=3
            )
    return image


def _rotated(name: str) -> Image.Image:
    """An image turned by 90 degrees under boxes that were not."""
    plain, boxed = opened(name), with_boxes(name)
    turned = plain.rotate(-90, expand=True)
    scale = HEIGHT / turned.height
    turned = turned.resize((round(turned.width * scale), HEIGHT))
    marks = Image.composite(boxed, Image.new("RGB", boxed.size), _difference(plain, boxed))
    turned.paste(marks.crop((0, 0, *turned.size)), mask=_difference(plain, boxed).crop((0, 0, *turned.size)))
    return turned


def _difference(one: Image.Image, other: Image.Image) -> Image.Image:
    return ImageChops.difference(one, other).convert("L").point(lambda value: 255 if value > 24 else 0)


def beside(*images: Image.Image) -> Image.Image:
    """Images side by side."""
    whole = Image.new("RGB", (sum(image.width for image in images) + 8 * (len(images) - 1), HEIGHT), "white")
    left = 0
    for image in images:
        whole.paste(image, (left, 0))
        left += image.width + 8
    return whole


def noisy(image: Image.Image) -> Image.Image:
    """An image with strong Gaussian noise."""
    draw = random.Random(0)  # noqa: S311 - not for security
    data = bytes(max(0, min(255, round(value + draw.gauss(0, 40)))) for value in image.tobytes())
    return Image.frombytes("RGB", image.size, data)


def saved(image: Image.Image, quality: int) -> Image.Image:
    """An image after a JPEG of some quality."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def truncated(image: Image.Image) -> Image.Image:
    """An image as viewers show it when the second half of the file is missing."""
    gray = Image.new("RGB", (image.width, image.height // 2), (128, 128, 128))
    image.paste(gray, (0, image.height - gray.height))
    return image


EXAMPLES: dict[str, Callable[[], Image.Image]] = {
    "IMG202": lambda: truncated(opened(RACCOON)),
    "IMG205": lambda: beside(with_boxes("raccoons/005.jpg"), _rotated("raccoons/005.jpg")),
    "IMG301": lambda: ImageEnhance.Brightness(opened(RACCOON)).enhance(0.15),
    "IMG302": lambda: ImageEnhance.Brightness(opened(RACCOON)).enhance(4),
    "IMG303": lambda: ImageEnhance.Contrast(opened(RACCOON)).enhance(0.12),
    "IMG304": lambda: opened(RACCOON).filter(ImageFilter.GaussianBlur(3)),
    "IMG305": lambda: Image.new("RGB", (260, HEIGHT), (96, 96, 96)),
    "IMG306": lambda: noisy(opened(RACCOON)),
    "IMG307": lambda: saved(opened(RACCOON), 5),
    "IMG401": lambda: with_boxes("cells/002.jpg", 0),
    "CLU101": lambda: opened("raccoons/030.jpg"),
    "DUP101": lambda: beside(opened("clothes/train-020.jpg"), opened("clothes/train-204.jpg")),
    "DUP102": lambda: beside(opened("clothes/train-050.jpg"), opened("clothes/train-205.jpg")),
    "DUP105": lambda: beside(with_boxes("raccoons/046.jpg"), with_boxes("raccoons/009.jpg")),
    "SPL204": lambda: beside(opened("clothes/train-080.jpg"), opened("clothes/test-032.jpg")),
    "SUS102": lambda: opened("clothes/train-007.jpg"),
    "SUS106": lambda: opened("clothes/train-041.jpg"),
    "VIS101": lambda: with_boxes(RACCOON),
    "VIS102": lambda: with_boxes("raccoons/010.jpg"),
    "VIS104": lambda: with_boxes("cells/018.jpg", 4),
}


def main() -> None:
    """Write all images."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for code, make in EXAMPLES.items():
        image = make()
        whole = Image.new("RGB", image.size)
        whole.paste(image.convert("RGB").resize((image.width, image.height)))
        whole.save(TARGET / f"{code}.jpg", quality=80)


if __name__ == "__main__":
    main()
