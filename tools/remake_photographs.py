"""Makes fixtures/photographs from the public sets clothing, raccoon and bccd, and plants faults of five kinds.

`python tools/remake_photographs.py ../shared/data`. What is planted is written to planted.csv beside the manifests.
The mistakes that the published sets have of their own stay in.
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
"""Hats are the rare label: 5.5 times fewer than t-shirts."""
TEST = 8
RACCOONS, CELLS = 48, 24
WRONG = {"t-shirt": "shoes", "pants": "hat", "shoes": "pants"}
DESCRIBED = {"human-annotated": "yes", "creation-date": "2024-05-02T10:11:12", "confidence": 1.0}


class Fixture:
    """The files that are written, and what is planted in them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.planted: list[tuple[str, str]] = []

    def published(self, name: str) -> list[dict[str, Any]]:
        """Lines of a public set, in an order that depends on nothing but the name of each image."""
        text = (self.data / name / "output.manifest").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        return sorted(lines, key=lambda line: hashlib.sha256(line["source-ref"].encode()).digest())

    def picture(self, reference: str, longest: int) -> Image.Image:
        """A published photograph, upright and reduced."""
        with Image.open(self.data / reference.removeprefix("s3://datasets/")) as image:
            picture = ImageOps.exif_transpose(image).convert("RGB")
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        return picture

    def save(self, picture: Image.Image, name: str, quality: int = 80) -> str:
        """Store a picture; its source-ref."""
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=quality, optimize=True)
        return f"{BUCKET}/{name}"

    def label(self, manifest: str, reference: str, name: str) -> None:
        """Add a line with an image label."""
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
        """Write the manifests and the list of what is planted."""
        for manifest, lines in self.lines.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (FOLDER / manifest).write_text(text, encoding="utf-8")
        with (FOLDER / "planted.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["rule", "source_ref"])
            writer.writerows(self.planted)


def clothes(fixture: Fixture) -> None:
    """Image labels: some wrong, some pictures twice, hats rare."""
    of_label: dict[str, list[str]] = defaultdict(list)
    for line in fixture.published("clothing"):
        of_label[line["label-metadata"]["class-name"]].append(line["source-ref"])
    numbers = {"train": 0, "test": 0}
    kept: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, count in TRAIN.items():
        for n, published in enumerate(of_label[name][: count + TEST]):
            split = "train" if n < count else "test"
            reference = fixture.save(fixture.picture(published, 160), f"clothes/{split}-{numbers[split]:03}.jpg")
            numbers[split] += 1
            kept[split].append((reference, name))
            is_wrong = n == 7 and name in WRONG
            fixture.label(f"clothes-{split}.manifest", reference, WRONG[name] if is_wrong else name)
            if is_wrong:
                fixture.planted.append(("mislabel-suspect", reference))
    copies = {
        "exact-duplicate": ("train", None),
        "near-duplicate": ("train", lambda picture: picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))),
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
    """Boxes: two raccoons behind another, two in the middle of many other things."""
    lines = [line for line in fixture.published("raccoon") if len(line["bounding-box"]["annotations"]) == 1]
    pictures = [fixture.picture(line["source-ref"], 240) for line in lines[:RACCOONS]]
    wardrobe = [line["source-ref"] for line in fixture.published("clothing")[:400]]
    for n, (line, picture) in enumerate(zip(lines, pictures, strict=False)):
        published = line["bounding-box"]["image_size"][0]
        boxes = [_scaled(line["bounding-box"]["annotations"][0], picture.width / published["width"], picture)]
        name = f"raccoons/{n:03}.jpg"
        if n in (10, 20):
            boxes.append(_put_before(picture, boxes[0], pictures[n + 1]))
            fixture.planted.append(("object-occluded", f"{BUCKET}/{name}"))
        shown = picture
        if n in (30, 40):
            things = [fixture.picture(reference, 60) for reference in wardrobe[n * 8 : n * 8 + 40]]
            shown, boxes = _among(picture, boxes[0], things)
            fixture.planted.append(("cluttered-image", f"{BUCKET}/{name}"))
        fixture.boxes("raccoons.manifest", fixture.save(shown, name), shown.size, boxes)


def cells(fixture: Fixture) -> None:
    """Dense pictures that are as they should be."""
    for n, line in enumerate(fixture.published("bccd")[:CELLS]):
        picture = fixture.picture(line["source-ref"], 320)
        boxes = [_scaled(box, 0.5, picture) for box in line["bounding-box"]["annotations"]]
        number = {name: str(key) for key, name in enumerate(("Platelets", "RBC", "WBC"))}
        names = line["bounding-box-metadata"]["class-map"]
        for box in boxes:
            box["class_id"] = int(number[names[str(box["class_id"])]])
        reference = fixture.save(picture, f"cells/{n:03}.jpg")
        fixture.boxes(
            "cells.manifest", reference, picture.size, [box for box in boxes if min(box["width"], box["height"]) > 1]
        )


def _scaled(box: dict[str, int], scale: float, picture: Image.Image) -> dict[str, int]:
    left, top = round(box["left"] * scale), round(box["top"] * scale)
    width = min(round(box["width"] * scale), picture.width - left)
    height = min(round(box["height"] * scale), picture.height - top)
    return {"class_id": box["class_id"], "left": left, "top": top, "width": width, "height": height}


def _put_before(picture: Image.Image, box: dict[str, int], other: Image.Image) -> dict[str, int]:
    """Put another photograph's middle before the lower two thirds of a box; its box."""
    left, width = box["left"], box["width"]
    top = box["top"] + box["height"] // 3
    height = min(box["height"] * 4 // 5, picture.height - top)
    picture.paste(ImageOps.fit(other, (width, height)), (left, top))
    return {"class_id": 0, "left": left, "top": top, "width": width, "height": height}


def _among(
    picture: Image.Image, box: dict[str, int], things: list[Image.Image]
) -> tuple[Image.Image, list[dict[str, int]]]:
    """A small object among many other things: the new picture, and the object's box."""
    draw = random.Random(0)  # noqa: S311 - for a picture, not a secret
    scene = Image.new("RGB", (240, 180), (90, 90, 90))
    for n in range(120):
        thing = things[n % len(things)].resize((26, 32))
        scene.paste(
            thing.rotate(draw.randrange(360), expand=True), (draw.randrange(-10, 230), draw.randrange(-10, 170))
        )
    area = (box["left"], box["top"], box["left"] + box["width"], box["top"] + box["height"])
    scene.paste(picture.crop(area).resize((72, 72)), (84, 54))
    return scene, [{"class_id": 0, "left": 84, "top": 54, "width": 72, "height": 72}]


def main() -> None:
    """Write the folder anew."""
    for name in ("clothes", "raccoons", "cells"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    fixture = Fixture(Path(sys.argv[1]))
    clothes(fixture)
    raccoons(fixture)
    cells(fixture)
    fixture.write()


if __name__ == "__main__":
    main()
