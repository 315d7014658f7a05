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


def with_rectangles(name: str, *rectangles: tuple[float, float, float, float]) -> Image.Image:
    """An image with rectangles drawn; left, top, width and height in pixels of the image.

    What lies outside is drawn on a white margin.
    """
    image = opened(name)
    scale = HEIGHT / Image.open(SOURCE / name).height
    right = max(image.width, *(round((left + width) * scale) + 3 for left, _, width, _ in rectangles))
    canvas = Image.new("RGB", (right, HEIGHT), "white")
    canvas.paste(image)
    draw = ImageDraw.Draw(canvas)
    for left, top, width, height in rectangles:
        corners = (left * scale, top * scale, (left + width) * scale, min((top + height) * scale, HEIGHT - 1))
        draw.rectangle(corners, outline=BOX_COLOR, width=3)
    return canvas


def cropped(image: Image.Image, share: float) -> Image.Image:
    """The middle of an image without a share of its width and height, enlarged again."""
    x, y = image.width * share / 2, image.height * share / 2
    return image.crop((round(x), round(y), round(image.width - x), round(image.height - y))).resize(image.size)


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


def _mask(name: str, rectangle: tuple[float, float, float, float]) -> Image.Image:
    """White in a rectangle of an image, black elsewhere."""
    image = opened(name)
    scale = HEIGHT / Image.open(SOURCE / name).height
    left, top, width, height = (side * scale for side in rectangle)
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).rectangle((left, top, left + width, top + height), fill=255)
    return mask


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
    "IMG402": lambda: ImageChops.composite(
        ImageEnhance.Brightness(with_rectangles("raccoons/002.jpg", (40, 38, 150, 135))).enhance(0.12),
        with_rectangles("raccoons/002.jpg", (40, 38, 150, 135)),
        _mask("raccoons/002.jpg", (43, 41, 144, 129)),
    ),
    "IMG404": lambda: with_boxes("cells/000.jpg", 13),
    "LBL310": lambda: with_boxes("cells/019.jpg", 8),
    "BOX101": lambda: with_rectangles("raccoons/005.jpg", (120, 20, 150, 120)),
    "BOX301": lambda: with_rectangles("raccoons/002.jpg", (40, 38, 150, 135), (43, 40, 148, 132)),
    "BOX302": lambda: with_rectangles("raccoons/002.jpg", (40, 38, 150, 135), (37, 35, 156, 141)),
    "BOX303": lambda: with_rectangles("raccoons/002.jpg", (40, 38, 150, 135), (46, 44, 138, 122)),
    "BOX306": lambda: with_rectangles("raccoons/001.jpg", (1, 1, 238, 163)),
    "BOX309": lambda: with_boxes("cells/014.jpg", 9),
    "BOX403": lambda: with_rectangles("raccoons/002.jpg", (40, 38, 190, 173)),
    "BOX404": lambda: with_rectangles("raccoons/002.jpg", (115, 105, 150, 135)),
    "CLU101": lambda: opened("raccoons/030.jpg"),
    "DUP101": lambda: beside(opened("clothes/train-020.jpg"), opened("clothes/train-204.jpg")),
    "DUP102": lambda: beside(opened("clothes/train-050.jpg"), opened("clothes/train-205.jpg")),
    "DUP105": lambda: beside(with_boxes("raccoons/046.jpg"), with_boxes("raccoons/009.jpg")),
    "DUP104": lambda: beside(opened("clothes/train-050.jpg"), opened("clothes/train-205.jpg")),
    "DUP107": lambda: beside(opened("raccoons/006.jpg"), cropped(opened("raccoons/006.jpg"), 0.25)),
    "SPL204": lambda: beside(opened("clothes/train-080.jpg"), opened("clothes/test-032.jpg")),
    "SUS102": lambda: opened("clothes/train-007.jpg"),
    "SUS106": lambda: opened("clothes/train-041.jpg"),
    "SUS105": lambda: with_boxes("cells/014.jpg", 10),
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
