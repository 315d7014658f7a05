"""Recreate fixtures/photographs from the public sets clothing, raccoon and bccd, with planted faults.

Usage: `python tools/remake_photographs.py DATA`, with the folder of the public sets. The planted faults are listed in
planted.csv beside the manifests. Mistakes of the published sets themselves are kept.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

FOLDER = Path(__file__).parents[1] / "fixtures/photographs"
BUCKET = "s3://example-bucket"
TRAIN = {"t-shirt": 88, "pants": 50, "shoes": 50, "hat": 16}
"""Training images of each label. Hats are rare: 5.5 times fewer than t-shirts."""
TEST = 8
RACCOONS, CELLS = 48, 24
WRONG = {"t-shirt": "shoes", "pants": "hat", "shoes": "pants"}
DESCRIBED = {"human-annotated": "yes", "creation-date": "2024-05-02T10:11:12", "confidence": 1.0}


class Fixture:
    """The manifests to be written, and the faults that are planted in them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.planted: list[tuple[str, str]] = []

    def published(self, name: str) -> list[dict[str, Any]]:
        """Lines of a public set, in an order that depends only on the name of each image."""
        text = (self.data / name / "output.manifest").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        return sorted(lines, key=lambda line: hashlib.sha256(line["source-ref"].encode()).digest())

    def photograph(self, reference: str, longest: int) -> Image.Image:
        """A published photograph, upright, at most so many px on its longer side."""
        with Image.open(self.data / reference.removeprefix("s3://datasets/")) as stored:
            image = ImageOps.exif_transpose(stored).convert("RGB")
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        return image

    def save(self, image: Image.Image, name: str, quality: int = 80) -> str:
        """Save an image and return its source-ref."""
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=quality, optimize=True)
        return f"{BUCKET}/{name}"

    def label(self, manifest: str, reference: str, name: str) -> None:
        """Add a line with an image-level label."""
        described = {"class-name": name, "type": "groundtruth/image-classification", "job-name": "labeling-job/clothes"}
        number = sorted(TRAIN).index(name)
        self.lines[manifest].append(
            {"source-ref": reference, "garment": number, "garment-metadata": described | DESCRIBED}
        )

    def boxes(self, manifest: str, reference: str, size: tuple[int, int], boxes: list[dict[str, int]]) -> None:
        """Add a line with boxes."""
        names = {"raccoons.manifest": {"0": "raccoon"}, "cells.manifest": {"0": "Platelets", "1": "RBC", "2": "WBC"}}
        used = {str(box["class_id"]) for box in boxes}
        described = {
            "objects": [{"confidence": 1.0}] * len(boxes),
            "class-map": {number: name for number, name in names[manifest].items() if number in used},
            "type": "groundtruth/object-detection",
            "job-name": f"labeling-job/{manifest.partition('.')[0]}",
        }
        value = {"image_size": [{"width": size[0], "height": size[1], "depth": 3}], "annotations": boxes}
        described |= {key: part for key, part in DESCRIBED.items() if key != "confidence"}
        self.lines[manifest].append({"source-ref": reference, "objects": value, "objects-metadata": described})

    def write(self) -> None:
        """Write the manifests and the list of planted faults."""
        for manifest, lines in self.lines.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (FOLDER / manifest).write_text(text, encoding="utf-8")
        with (FOLDER / "planted.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["rule", "source_ref"])
            writer.writerows(self.planted)


def clothes(fixture: Fixture) -> None:
    """Image-level labels: some wrong, some images duplicated, hats rare."""
    of_label: dict[str, list[str]] = defaultdict(list)
    for line in fixture.published("clothing"):
        of_label[line["label-metadata"]["class-name"]].append(line["source-ref"])
    numbers = {"train": 0, "test": 0}
    kept: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, count in TRAIN.items():
        for n, published in enumerate(of_label[name][: count + TEST]):
            split = "train" if n < count else "test"
            reference = fixture.save(fixture.photograph(published, 160), f"clothes/{split}-{numbers[split]:03}.jpg")
            numbers[split] += 1
            kept[split].append((reference, name))
            is_wrong = n == 7 and name in WRONG
            fixture.label(f"clothes-{split}.manifest", reference, WRONG[name] if is_wrong else name)
            if is_wrong:
                fixture.planted.append(("mislabel-suspect", reference))
    copies = {
        "exact-duplicate": ("train", None),
        "near-duplicate": ("train", lambda image: image.resize((image.width * 3 // 4, image.height * 3 // 4))),
        "leaked-image": ("test", ImageOps.mirror),
    }
    for n, (rule, (split, change)) in enumerate(copies.items()):
        original, name = kept["train"][20 + 30 * n]
        source = FOLDER / original.removeprefix(f"{BUCKET}/")
        target = FOLDER / f"clothes/{split}-{numbers[split]:03}.jpg"
        numbers[split] += 1
        if change is None:
            shutil.copyfile(source, target)
        else:
            change(Image.open(source)).save(target, quality=80)
        reference = f"{BUCKET}/clothes/{target.name}"
        fixture.label(f"clothes-{split}.manifest", reference, name)
        fixture.planted.append((rule, reference))
    fixture.planted.append(("label-imbalance", ""))


def raccoons(fixture: Fixture) -> None:
    """Boxes: two raccoons behind another one, two among many other things."""
    lines = [line for line in fixture.published("raccoon") if len(line["bounding-box"]["annotations"]) == 1]
    images = [fixture.photograph(line["source-ref"], 240) for line in lines[:RACCOONS]]
    wardrobe = [line["source-ref"] for line in fixture.published("clothing")[:400]]
    for n, (line, image) in enumerate(zip(lines, images, strict=False)):
        published = line["bounding-box"]["image_size"][0]
        boxes = [_scaled(line["bounding-box"]["annotations"][0], image.width / published["width"], image)]
        name = f"raccoons/{n:03}.jpg"
        if n in (10, 20):
            boxes.append(_put_in_front(image, boxes[0], images[n + 1]))
            fixture.planted.append(("object-occluded", f"{BUCKET}/{name}"))
        shown = image
        if n in (30, 40):
            things = [fixture.photograph(reference, 60) for reference in wardrobe[n * 8 : n * 8 + 40]]
            shown, boxes = _among(image, boxes[0], things)
            fixture.planted.append(("cluttered-image", f"{BUCKET}/{name}"))
        fixture.boxes("raccoons.manifest", fixture.save(shown, name), shown.size, boxes)


def cells(fixture: Fixture) -> None:
    """Images with many boxes and without planted faults."""
    for n, line in enumerate(fixture.published("bccd")[:CELLS]):
        image = fixture.photograph(line["source-ref"], 320)
        boxes = [_scaled(box, 0.5, image) for box in line["bounding-box"]["annotations"]]
        number = {name: str(key) for key, name in enumerate(("Platelets", "RBC", "WBC"))}
        names = line["bounding-box-metadata"]["class-map"]
        for box in boxes:
            box["class_id"] = int(number[names[str(box["class_id"])]])
        reference = fixture.save(image, f"cells/{n:03}.jpg")
        fixture.boxes(
            "cells.manifest", reference, image.size, [box for box in boxes if min(box["width"], box["height"]) > 1]
        )


def _scaled(box: dict[str, int], scale: float, image: Image.Image) -> dict[str, int]:
    """A box of the published image, scaled to an image and clipped to it."""
    left, top = round(box["left"] * scale), round(box["top"] * scale)
    width = min(round(box["width"] * scale), image.width - left)
    height = min(round(box["height"] * scale), image.height - top)
    return {"class_id": box["class_id"], "left": left, "top": top, "width": width, "height": height}


def _put_in_front(image: Image.Image, box: dict[str, int], other: Image.Image) -> dict[str, int]:
    """Paste the middle of another photograph over the lower two thirds of a box, and return its box."""
    left, width = box["left"], box["width"]
    top = box["top"] + box["height"] // 3
    height = min(box["height"] * 4 // 5, image.height - top)
    image.paste(ImageOps.fit(other, (width, height)), (left, top))
    return {"class_id": 0, "left": left, "top": top, "width": width, "height": height}


def _among(
    image: Image.Image, box: dict[str, int], things: list[Image.Image]
) -> tuple[Image.Image, list[dict[str, int]]]:
    """A new image with an object among many other things, and the object's box."""
    draw = random.Random(0)  # noqa: S311 - not used for secrets
    scene = Image.new("RGB", (240, 180), (90, 90, 90))
    for n in range(120):
        thing = things[n % len(things)].resize((26, 32))
        scene.paste(
            thing.rotate(draw.randrange(360), expand=True), (draw.randrange(-10, 230), draw.randrange(-10, 170))
        )
    area = (box["left"], box["top"], box["left"] + box["width"], box["top"] + box["height"])
    scene.paste(image.crop(area).resize((72, 72)), (84, 54))
    return scene, [{"class_id": 0, "left": 84, "top": 54, "width": 72, "height": 72}]


def main() -> None:
    """Recreate the folder."""
    for name in ("clothes", "raccoons", "cells"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    fixture = Fixture(Path(sys.argv[1]))
    clothes(fixture)
    raccoons(fixture)
    cells(fixture)
    fixture.write()


if __name__ == "__main__":
    main()
