"""Measure how often the rules on a whole data set or label attribute find what is planted in public sets.

A finding counts if its message says what was planted, with the right numbers. No image is opened. accuracy.py runs it.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from measured import Measured
from planted import Draw, Line, boxes

import groundlint

DRAWS = 10

BOXED = ("raccoon", "bccd", "kitti_labels", "wider_occ", "coco128")
SEVERAL_LABELS = ("bccd", "kitti_labels", "coco128")
LABELED = ("clothing", "cifar10n", "trashnet", "imagenet_sample")


class Case(NamedTuple):
    """A fault of some sets, and the rule that should find it. `plant` changes the lines, and returns what the message
    should say.
    """

    rule: str
    data: Sequence[str]
    fault: str
    plant: Callable[[Draw, list[Line]], str]
    split: str = "train"


def attribute_of(line: Line) -> str:
    return "bounding-box" if "bounding-box" in line else "label"


def chosen(draw: Draw, lines: list[Line]) -> list[Line]:
    """Two lines or more, at most half of them."""
    return draw.sample(lines, draw.randint(2, len(lines) // 2))


def few_left(draw: Draw, lines: list[Line]) -> str:
    """Between 2 and 9 images with a label or box are left."""
    named = [line for line in lines if attribute_of(line) == "label" or boxes(line)]
    lines[:] = draw.sample(named, draw.randint(2, 9))
    return f"{len(lines)} labeled images"


def unused_class(draw: Draw, lines: list[Line]) -> str:
    for line in chosen(draw, lines):
        line["bounding-box-metadata"]["class-map"]["9999"] = "another"
    return "'another'"


def boxes_lost(draw: Draw, lines: list[Line]) -> str:
    """All boxes of a label are lost, and the label is still in the class maps."""
    maps = (line["bounding-box-metadata"]["class-map"] for line in lines)
    number, label = draw.choice(sorted({item for each in maps for item in each.items()}))
    for line in lines:
        kept = [box for box in boxes(line) if str(box["class_id"]) != number]
        line["bounding-box"]["annotations"] = kept
        line["bounding-box-metadata"]["objects"] = [{"confidence": 1} for _ in kept]
    return f"'{label}'"


def by_machine(draw: Draw, lines: list[Line]) -> str:
    changed = chosen(draw, lines)
    for line in changed:
        line[f"{attribute_of(line)}-metadata"]["human-annotated"] = "no"
    return f" on {len(changed):,} of {len(lines):,} lines"


def snapshot(draw: Draw, lines: list[Line]) -> str:
    """The lines of an evaluation's snapshot, which have the predictions of the model."""
    predicted = "rekognition-custom-labels-evaluation"
    changed = chosen(draw, lines)
    for line in changed:
        name = attribute_of(line)
        key = predicted if name == "bounding-box" else f"{predicted}-0"
        job = {"human-annotated": "no", "job-name": "rekognition-custom-labels-evaluation-job"}
        line[key], line[f"{key}-metadata"] = line[name], line[f"{name}-metadata"] | job
    return f" on {len(changed):,} lines of a training manifest"


def labels_for_boxes(draw: Draw, lines: list[Line]) -> str:
    """Some images have the label of a box in place of their boxes."""
    changed = chosen(draw, [line for line in lines if boxes(line)])
    for line in changed:
        described, box = line.pop("bounding-box-metadata"), draw.choice(line.pop("bounding-box")["annotations"])
        line["label"] = box["class_id"]
        line["label-metadata"] = {
            "confidence": 1,
            "class-name": described["class-map"][str(box["class_id"])],
            "type": "groundtruth/image-classification",
            **{key: described[key] for key in ("human-annotated", "creation-date", "job-name")},
        }
    return f"on boxes {len(changed):,} lines"


def boxes_for_labels(draw: Draw, lines: list[Line]) -> str:
    """Some images have a box in place of their label."""
    changed = chosen(draw, lines)
    for line in changed:
        described, number = line.pop("label-metadata"), line.pop("label")
        line["bounding-box"] = {
            "image_size": [{"width": 640, "height": 480, "depth": 3}],
            "annotations": [{"class_id": number, "left": 100, "top": 80, "width": 300, "height": 240}],
        }
        line["bounding-box-metadata"] = {
            "objects": [{"confidence": 1}],
            "class-map": {str(number): described["class-name"]},
            "type": "groundtruth/object-detection",
            **{key: described[key] for key in ("human-annotated", "creation-date", "job-name")},
        }
    return f"on image-level labels discards {len(changed):,} lines"


CASES = (
    Case("BAL103", BOXED + LABELED, "2 to 9 images with a label or box", few_left),
    Case("LBL303", BOXED, "a class that no box uses in some class maps", unused_class),
    Case("LBL303", SEVERAL_LABELS, "a label that lost all its boxes", boxes_lost),
    Case("LBL305", BOXED + LABELED, "labels of some lines by a machine", by_machine),
    Case("LBL306", BOXED + LABELED, "predictions of a snapshot on some lines", snapshot),
    Case("LBL306", BOXED + LABELED, "none, predictions on some lines of the test data", snapshot, "test"),
    Case("LBL308", SEVERAL_LABELS, "image-level labels in place of the boxes of some lines", labels_for_boxes),
    Case("LBL308", LABELED, "boxes in place of the labels of some lines", boxes_for_labels),
)


def messages(rule: str, lines: list[Line], split: str, folder: Path) -> list[str]:
    """What a rule says of a manifest."""
    path = folder / "planted.manifest"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return groundlint.check(**{split: path}, select=rule, isolated=True).findings["message"].to_list()


def of_case(data: Path, case: Case) -> str:
    """In how many draws a fault is found, and what else is reported."""
    found = other = before = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for data_set in case.data:
            texts = (data / data_set / "output.manifest").read_text(encoding="utf-8").splitlines()
            before += len(messages(case.rule, [json.loads(text) for text in texts], case.split, folder))
            for seed in range(DRAWS):
                lines = [json.loads(text) for text in texts]
                wanted = case.plant(random.Random(seed), lines)
                is_wanted = [wanted in message for message in messages(case.rule, lines, case.split, folder)]
                found, other = found + any(is_wanted), other + is_wanted.count(False)
    return f"{found} of {DRAWS * len(case.data)}, {other} other findings; {before} in the sets as published"


def figures(data: Path) -> Iterator[Measured]:
    """What is found of each planted fault."""
    for case in CASES:
        yield Measured(case.rule, ", ".join(case.data), f"planted faults found: {case.fault}", of_case(data, case))
