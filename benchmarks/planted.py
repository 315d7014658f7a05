"""How well the rules on tables find faults that are planted in healthy public sets.

Where no public set has people's judgement for a rule, this is what its page can say: of ten faults planted at random it
found so many, in the mean of twenty draws. A part of accuracy.py.
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


class Plant(NamedTuple):
    """A fault that is planted in `FAULTS` lines of a set, and the rule that must find each."""

    rule: str
    data: str
    fault: str
    spoil: Callable[[Draw, Line, list[Line]], None]


def boxes(line: Line) -> list[dict[str, Any]]:
    return line["bounding-box"]["annotations"]


def add_box(line: Line, box: dict[str, Any]) -> None:
    boxes(line).append(box)
    line["bounding-box-metadata"]["objects"].append({"confidence": 1})


def repeat_box(draw: Draw, line: Line, _: list[Line]) -> None:
    add_box(line, dict(draw.choice([box for box in boxes(line) if box["width"] and box["height"]])))


def shift_box(draw: Draw, line: Line, _: list[Line]) -> None:
    """A second worker's box: a hundredth off on each side."""
    box = draw.choice([box for box in boxes(line) if box["width"] >= 100 and box["height"] >= 100] or boxes(line)[:1])
    moved = {"left": box["left"] + box["width"] // 100, "top": box["top"], "class_id": box["class_id"]}
    add_box(line, moved | {"width": box["width"] - box["width"] // 50, "height": box["height"]})


def relabel_copy(draw: Draw, line: Line, _: list[Line]) -> None:
    box = dict(draw.choice([box for box in boxes(line) if box["width"] and box["height"]]))
    add_box(line, box | {"class_id": 99})
    line["bounding-box-metadata"]["class-map"]["99"] = "another"


def shift_attribute(draw: Draw, line: Line, lines: list[Line]) -> None:
    """The boxes again under another key, one of them elsewhere; every other line has both keys and they agree."""
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


PLANTS = (
    Plant("BOX301", "bccd", "a box repeated", repeat_box),
    Plant("BOX301", "kitti_labels", "a box repeated", repeat_box),
    Plant("BOX301", "raccoon", "a second worker's box", shift_box),
    Plant("BOX302", "kitti_labels", "a box repeated under another label", relabel_copy),
    Plant("BOX302", "raccoon", "a box repeated under another label", relabel_copy),
    Plant("BOX305", "raccoon", "a box moved in a second attribute", shift_attribute),
    Plant("BOX308", "raccoon", "another image_size in a second attribute", swap_size),
    Plant("BOX309", "bccd", "a red cell's box over the width of the image", flatten_box),
    Plant("BOX309", "bccd", "a red cell's box over the whole image", grow_box),
    Plant("LBL301", "clothing", "a label in other letters", misspell),
    Plant("LBL304", "clothing", "a verification that says bad", reject),
    Plant("LBL307", "clothing", "confidence .3 among 1", doubt),
    Plant("SUS101", "clothing", "a wrong label", relabel),
)


def flagged(lines: list[Line], rule: str, folder: Path) -> set[str]:
    """What a rule flags: source-refs, and labels where a finding has no image."""
    path = folder / "planted.manifest"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = groundlint.check(path, select=[rule], isolated=True)
    return set(found["source_ref"].drop_nulls()) | set(
        found.filter(found["source_ref"].is_null())["label"].drop_nulls()
    )


def measure(data: Path, plant: Plant, folder: Path) -> tuple[float, int]:
    """Recall of planted faults, and how many further images are flagged once they are there; means over draws."""
    text = (data / plant.data / "output.manifest").read_text(encoding="utf-8")
    sound = [json.loads(line) for line in text.splitlines()]
    before = flagged(sound, plant.rule, folder)
    found = other = 0
    for seed in range(DRAWS):
        draw = random.Random(seed)
        lines = copy.deepcopy(sound)
        chosen = draw.sample(range(len(lines)), FAULTS)
        for n in chosen:
            plant.spoil(draw, lines[n], sound)
        flags = flagged(lines, plant.rule, folder)
        if plant.rule == "LBL301":
            wanted = {lines[n]["label-metadata"]["class-name"] for n in chosen}
        else:
            wanted = {lines[n]["source-ref"] for n in chosen}
        found += len(wanted & flags) / len(wanted)
        other += len(flags - wanted - before)
    return found / DRAWS, round(other / DRAWS)


def figures(data: Path) -> Iterator[Measured]:
    """What is found of each planted fault."""
    with tempfile.TemporaryDirectory() as folder:
        for plant in PLANTS:
            recall, other = measure(data, plant, Path(folder))
            beside = f", {other} further images flagged" if other else ""
            yield Measured(plant.rule, plant.data, f"planted, found: {plant.fault}", f"{recall:.3f}{beside}")
