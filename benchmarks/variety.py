"""Measure how often the rules on balance and variety find what is planted for one label of a public set.

Each fault is planted in a label of a set, which a draw chooses; the recall is the mean of ten draws, as is the number
of other labels that are flagged. accuracy.py runs it. Images are changed in a temporary folder.
"""

from __future__ import annotations

import copy
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from measured import Measured
from PIL import Image, ImageEnhance
from planted import Draw, Line, boxes

import groundlint

DRAWS = 10
IMAGES = 40
"""Images of each label that are used, to limit the time."""

MIN_IMAGES = 25


class Case(NamedTuple):
    """A fault of one label, and the rule that should find it."""

    rule: str
    data: str
    fault: str
    plant: Callable[[Draw, list[Line], str, Path], None]


def label_of(line: Line) -> str:
    return line["label-metadata"]["class-name"]


def place(line: Line, folder: Path) -> Path:
    return folder / line["source-ref"].removeprefix("s3://datasets/")


def members(draw: Draw, lines: list[Line], label: str, share: float = 1) -> list[Line]:
    """A share of the lines with a label."""
    own = [line for line in lines if label_of(line) == label]
    return draw.sample(own, round(share * len(own)))


def resized(draw: Draw, lines: list[Line], label: str, folder: Path) -> None:
    for line in members(draw, lines, label, 0.9):
        with Image.open(place(line, folder)) as image:
            image.resize((320, 240)).save(place(line, folder))


def from_one_camera(draw: Draw, lines: list[Line], label: str, folder: Path) -> None:
    """90% of the label from one camera, and 5% of the others; the rest is from three other cameras."""
    own = {id(line) for line in members(draw, lines, label, 0.9)}
    for line in lines:
        is_it = id(line) in own or (label_of(line) != label and draw.random() < 0.05)
        exif = Image.Exif()
        exif[0x0110] = "EOS 5D" if is_it else draw.choice(["X100", "D90", "iPhone 6"])
        with Image.open(place(line, folder)) as image:
            image.save(place(line, folder), exif=exif)


def as_png(draw: Draw, lines: list[Line], label: str, folder: Path) -> None:
    for line in members(draw, lines, label, 0.9):
        with Image.open(place(line, folder)) as image:
            image.save(place(line, folder), format="PNG")


def brightened(draw: Draw, lines: list[Line], label: str, folder: Path, factor: float = 2.0) -> None:
    for line in members(draw, lines, label):
        with Image.open(place(line, folder)) as image:
            ImageEnhance.Brightness(image.convert("RGB")).enhance(factor).save(place(line, folder))


def darkened(draw: Draw, lines: list[Line], label: str, folder: Path) -> None:
    brightened(draw, lines, label, folder, 0.35)


def in_one_folder(draw: Draw, lines: list[Line], label: str, folder: Path) -> None:
    """90% of the label in one folder, everything else in six others."""
    own = {id(line) for line in members(draw, lines, label, 0.9)}
    for line in lines:
        batch = 0 if id(line) in own else draw.randint(1, 6)
        target = folder / f"batch{batch}" / Path(line["source-ref"]).name
        target.parent.mkdir(exist_ok=True)
        place(line, folder).rename(target)
        line["source-ref"] = f"s3://datasets/batch{batch}/{target.name}"


def by_chance(draw: Draw, lines: list[Line], label: str, folder: Path) -> None:
    """No fault: a third of all images get another size."""
    for line in draw.sample(lines, len(lines) // 3):
        with Image.open(place(line, folder)) as image:
            image.resize((320, 240)).save(place(line, folder))


def of_three(draw: Draw, lines: list[Line], label: str, folder: Path) -> None:
    """All images of the label are crops of three, of 60% to 95% of their sides, 0.7 to 1.4 times as bright."""
    own = members(draw, lines, label)
    sources = [Image.open(place(line, folder)).convert("RGB") for line in own[:3]]
    for line in own:
        image = draw.choice(sources)
        kept = draw.uniform(0.6, 0.95)
        width, height = (round(kept * side) for side in image.size)
        left, top = (
            draw.randint(0, side - own_side) for side, own_side in zip(image.size, (width, height), strict=True)
        )
        crop = image.crop((left, top, left + width, top + height))
        ImageEnhance.Brightness(crop).enhance(draw.uniform(0.7, 1.4)).save(place(line, folder))


SHORTCUTS = (
    Case("BAL107", "clothing", "90% of a label resized to 320 x 240 px", resized),
    Case("BAL107", "clothing", "a camera of 90% of a label and 5% of the others", from_one_camera),
    Case("BAL107", "clothing", "90% of a label saved as PNG", as_png),
    Case("BAL107", "clothing", "90% of a label in one folder, all others in six", in_one_folder),
    Case("BAL107", "clothing", "a label made 2 times as bright", brightened),
    Case("BAL107", "clothing", "a label made 0.35 times as bright", darkened),
    Case("BAL107", "clothing", "none, a third of all images resized at random", by_chance),
    Case("BAL108", "clothing", "a label of crops of three images", of_three),
    Case("BAL108", "trashnet", "a label of crops of three images", of_three),
)


def sampled(data: Path, name: str) -> list[Line]:
    """Up to 40 lines of each label of a set; the same in each run."""
    counts: dict[str, int] = {}
    chosen = []
    for text in (data / name / "output.manifest").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        counts[label_of(line)] = counts.get(label_of(line), 0) + 1
        if counts[label_of(line)] <= IMAGES:
            chosen.append(line)
    return [line for line in chosen if counts[label_of(line)] >= MIN_IMAGES]


def flagged(lines: list[Line], rule: str, folder: Path) -> set[str]:
    """Labels that a rule flags; images are below the folder."""
    path = folder / "planted.manifest"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = groundlint.check(path, select=[rule], isolated=True, images=[f"s3://datasets={folder}"])
    assert found.summary.images.found == len(lines)
    return set(found.findings["label"])


def of_case(data: Path, case: Case) -> Measured:
    """The share of draws in which the label is found, and the mean number of other labels that are flagged."""
    sound = sampled(data, case.data)
    labels = sorted({label_of(line) for line in sound})
    found = other = 0
    for seed in range(DRAWS):
        draw = random.Random(seed)
        lines, label = copy.deepcopy(sound), draw.choice(labels)
        with tempfile.TemporaryDirectory() as folder:
            for line in lines:
                copied = place(line, Path(folder))
                copied.parent.mkdir(parents=True, exist_ok=True)
                copied.write_bytes(place(line, data).read_bytes())
            case.plant(draw, lines, label, Path(folder))
            flags = flagged(lines, case.rule, Path(folder))
        found += label in flags
        other += len(flags - {label})
    return Measured(
        case.rule, case.data, f"planted faults found: {case.fault}", f"{found} of {DRAWS}, {other} other labels flagged"
    )


def small(draw: Draw, box: dict[str, int], size: dict[str, int]) -> None:
    """The object at 2% to 5% of the image's sides, in the same place."""
    for start, side, whole in (("left", "width", "width"), ("top", "height", "height")):
        middle = box[start] + box[side] / 2
        box[side] = max(2, round(size[whole] * draw.uniform(0.02, 0.05)))
        box[start] = max(0, min(size[whole] - box[side], round(middle - box[side] / 2)))


def centered(draw: Draw, box: dict[str, int], size: dict[str, int]) -> None:
    """The object reduced to less than half of the image, up to 4% of its sides off the center."""
    for start, side, whole in (("left", "width", "width"), ("top", "height", "height")):
        box[side] = max(2, min(box[side], round(0.45 * size[whole])))
        box[start] = round((size[whole] - box[side]) / 2 + draw.uniform(-0.04, 0.04) * size[whole])


OBJECTS = (
    ("BAL105", "objects of a label 2% to 5% of the sides of 9 in 10 images", small),
    ("BAL106", "objects of a label in the center of 9 in 10 images", centered),
)


def of_objects(data: Path) -> Iterator[Measured]:
    """What is found of faults planted in the boxes of labels with 25 and more images; one draw for each label."""
    sets = ("raccoon", "bccd", "kitti_labels", "wider_occ", "animalpose")
    for rule, fault, change in OBJECTS:
        found = total = other = 0
        for name in sets:
            lines = [json.loads(text) for text in (data / name / "output.manifest").read_text().splitlines()]
            counts = Counter(
                label for line in lines for label in set(line["bounding-box-metadata"]["class-map"].values())
            )
            for label in sorted(label for label, count in counts.items() if count >= MIN_IMAGES):
                total += 1
                draw, planted = random.Random(total), copy.deepcopy(lines)
                for line in planted:
                    ids = {n for n, each in line["bounding-box-metadata"]["class-map"].items() if each == label}
                    if draw.random() < 0.9:
                        for box in boxes(line):
                            if str(box["class_id"]) in ids:
                                change(draw, box, line["bounding-box"]["image_size"][0])
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "planted.manifest"
                    path.write_text("".join(json.dumps(line) + "\n" for line in planted), encoding="utf-8")
                    flags = set(groundlint.check(path, select=[rule], isolated=True).findings["label"])
                found += label in flags
                other += len(flags - {label})
        yield Measured(
            rule, ", ".join(sets), f"planted faults found: {fault}", f"{found} of {total}, {other} other labels flagged"
        )


def figures(data: Path) -> Iterator[Measured]:
    """What is found of each planted fault."""
    yield from of_objects(data)
    for case in SHORTCUTS:
        yield of_case(data, case)
