"""Measure how many faults the rules find that are planted in public sets.

For rules for which no public set has annotations by people: ten faults are planted at random, and the recall is the
mean of twenty draws. accuracy.py runs it.
"""

from __future__ import annotations

import copy
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from measured import Measured

import groundlint

DRAWS = 20
FAULTS = 10

Line = dict[str, Any]
Draw = random.Random


class Planting(NamedTuple):
    """A fault that is planted in ten lines of a set, and the rule that should find it."""

    rule: str
    data: str
    fault: str
    plant: Callable[[Draw, Line, list[Line]], None]


def boxes(line: Line) -> list[dict[str, Any]]:
    return line["bounding-box"]["annotations"]


def add_box(line: Line, box: dict[str, Any]) -> None:
    boxes(line).append(box)
    line["bounding-box-metadata"]["objects"].append({"confidence": 1})


def repeat_box(draw: Draw, line: Line, _: list[Line]) -> None:
    add_box(line, dict(draw.choice([box for box in boxes(line) if box["width"] and box["height"]])))


def shift_box(draw: Draw, line: Line, _: list[Line]) -> None:
    """The same object boxed again, 1% smaller on two sides."""
    box = draw.choice([box for box in boxes(line) if box["width"] >= 100 and box["height"] >= 100] or boxes(line)[:1])
    moved = {"left": box["left"] + box["width"] // 100, "top": box["top"], "class_id": box["class_id"]}
    add_box(line, moved | {"width": box["width"] - box["width"] // 50, "height": box["height"]})


def relabel_copy(draw: Draw, line: Line, _: list[Line]) -> None:
    box = dict(draw.choice([box for box in boxes(line) if box["width"] and box["height"]]))
    add_box(line, box | {"class_id": 99})
    line["bounding-box-metadata"]["class-map"]["99"] = "another"


def shift_attribute(draw: Draw, line: Line, lines: list[Line]) -> None:
    """The boxes again in a second label attribute, with one of them moved and narrowed."""
    line["adjusted"] = copy.deepcopy(line["bounding-box"])
    line["adjusted-metadata"] = copy.deepcopy(line["bounding-box-metadata"])
    box = draw.choice(line["adjusted"]["annotations"])
    box["left"], box["width"] = box["left"] + box["width"] // 2, max(2, box["width"] // 3)


def swap_size(_: Draw, line: Line, lines: list[Line]) -> None:
    size = line["bounding-box"]["image_size"][0]
    other = {"image_size": [size | {"width": size["width"] * 2}], "annotations": []}
    line["adjusted"], line["adjusted-metadata"] = other, line["bounding-box-metadata"] | {"objects": []}


def grow_box(draw: Draw, line: Line, _: list[Line]) -> None:
    box = draw.choice(boxes(line))
    size = line["bounding-box"]["image_size"][0]
    box.update(left=5, top=5, width=size["width"] - 10, height=size["height"] - 10, class_id=1)


def flatten_box(draw: Draw, line: Line, _: list[Line]) -> None:
    size = line["bounding-box"]["image_size"][0]
    box = draw.choice(boxes(line))
    box.update(left=5, top=20, width=size["width"] - 10, height=20, class_id=1)


def relabel(draw: Draw, line: Line, lines: list[Line]) -> None:
    names = {each["label-metadata"]["class-name"] for each in lines}
    line["label-metadata"]["class-name"] = draw.choice(sorted(names - {line["label-metadata"]["class-name"]}))


def misspell(draw: Draw, line: Line, _: list[Line]) -> None:
    name = line["label-metadata"]["class-name"]
    forms = [
        name.upper(),
        f"{name}\u200b",
        name.replace("o", "\u043e").replace("a", "\u0430"),
        f"{name[:2]} {name[2:]}",
    ]
    line["label-metadata"]["class-name"] = draw.choice([form for form in forms if form != name])


def doubt(_: Draw, line: Line, lines: list[Line]) -> None:
    line["label-metadata"]["confidence"] = 0.3


def reject(draw: Draw, line: Line, _: list[Line]) -> None:
    line["check"], line["check-metadata"] = (
        "1",
        line["label-metadata"]
        | {
            "type": "groundtruth/label-verification",
            "class-name": "bad",
        },
    )


PLANTINGS = (
    Planting("BOX301", "bccd", "a box repeated", repeat_box),
    Planting("BOX301", "kitti_labels", "a box repeated", repeat_box),
    Planting("BOX301", "raccoon", "an object boxed twice", shift_box),
    Planting("BOX302", "kitti_labels", "a box repeated with another label", relabel_copy),
    Planting("BOX302", "raccoon", "a box repeated with another label", relabel_copy),
    Planting("BOX305", "raccoon", "a box moved in a second label attribute", shift_attribute),
    Planting("BOX308", "raccoon", "another image_size in a second label attribute", swap_size),
    Planting("BOX309", "bccd", "the box of a red blood cell over the width of the image", flatten_box),
    Planting("BOX309", "bccd", "the box of a red blood cell over the whole image", grow_box),
    Planting("LBL301", "clothing", "a misspelled label", misspell),
    Planting("LBL304", "clothing", "a label that the verification job rejected", reject),
    Planting("LBL307", "clothing", "confidence 0.3 where all others have 1", doubt),
    Planting("SUS101", "clothing", "a wrong label", relabel),
)


def flagged(lines: list[Line], rule: str, folder: Path) -> set[str]:
    """What a rule flags: source-refs, or labels for findings that concern no image."""
    path = folder / "planted.manifest"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = groundlint.check(path, select=[rule], isolated=True).findings
    return set(found["source_ref"].drop_nulls()) | set(
        found.filter(found["source_ref"].is_null())["label"].drop_nulls()
    )


def measure(data: Path, planting: Planting, folder: Path) -> tuple[float, int]:
    """Recall of planted faults, and the number of other images that are flagged because of them; means over draws."""
    text = (data / planting.data / "output.manifest").read_text(encoding="utf-8")
    sound = [json.loads(line) for line in text.splitlines()]
    before = flagged(sound, planting.rule, folder)
    found = other = 0
    for seed in range(DRAWS):
        draw = random.Random(seed)
        lines = copy.deepcopy(sound)
        chosen = draw.sample(range(len(lines)), FAULTS)
        for n in chosen:
            planting.plant(draw, lines[n], sound)
        flags = flagged(lines, planting.rule, folder)
        if planting.rule == "LBL301":
            wanted = {lines[n]["label-metadata"]["class-name"] for n in chosen}
        else:
            wanted = {lines[n]["source-ref"] for n in chosen}
        found += len(wanted & flags) / len(wanted)
        other += len(flags - wanted - before)
    return found / DRAWS, round(other / DRAWS)


def figures(data: Path) -> Iterator[Measured]:
    """The recall of each planted fault."""
    with tempfile.TemporaryDirectory() as folder:
        for planting in PLANTINGS:
            recall, other = measure(data, planting, Path(folder))
            figure = f"{recall:.3f}" + (f", {other} other images flagged" if other else "")
            yield Measured(planting.rule, planting.data, f"planted faults found: {planting.fault}", figure)
