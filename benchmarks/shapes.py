"""The shapes of sound lines, and the formats in which tools write them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

BUCKET = "s3://example-bucket"
LABELS = ("car", "van", "truck", "bus", "pedestrian", "cyclist", "traffic light", "traffic sign")
SIZES = ((640, 480), (1024, 768), (1280, 720), (1920, 1080), (4000, 3000))
SPACINGS = ((",", ":"), (", ", ": "), (", ", " : "), (",", ": "))

# Numbers of boxes of an attribute. The mean is 3.2; since some lines have two attributes, a line has 3.5 on average.
BOX_COUNTS = (1, 2, 3, 4, 5, 6, 8, 12)
BOX_WEIGHTS = (23, 24, 19, 13, 8, 6, 5, 2)

Object = dict[str, Any]


class Shape(NamedTuple):
    """A kind of line that one source of manifests writes: `make` returns the line for the image with a number."""

    name: str
    weight: int
    make: Callable[[Draw, int], Object]


class Draw:
    """Random parts of lines, all from one generator of random numbers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def size(self) -> tuple[int, int]:
        return self.rng.choice(SIZES)

    def boxes(self, size: tuple[int, int], ids: Sequence[int], count: int = 0) -> list[Object]:
        """Boxes that the service accepts: inside the image, and larger than 1 px after its scaling."""
        rng, (width, height) = self.rng, size
        boxes = []
        for _ in range(count or rng.choices(BOX_COUNTS, BOX_WEIGHTS)[0]):
            w, h = 8 + int(rng.random() * width / 3), 8 + int(rng.random() * height / 3)
            left, top = int(rng.random() * (width - w)), int(rng.random() * (height - h))
            boxes.append({"class_id": rng.choice(ids), "left": left, "top": top, "width": w, "height": h})
        return boxes

    def confidence(self) -> float:
        return round(self.rng.random(), 2)

    def date(self) -> str:
        rng = self.rng
        day = f"2024-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
        return f"{day}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"


def detection(draw: Draw, name: str, *, count: int = 0, ids: Sequence[int] = range(len(LABELS))) -> Object:
    """A detection attribute as a labeling job writes it: `class-map` has the ids of the line only."""
    width, height = size = draw.size()
    boxes = draw.boxes(size, ids, count)
    return {
        name: {"image_size": [{"width": width, "height": height, "depth": 3}], "annotations": boxes},
        f"{name}-metadata": {
            "objects": [{"confidence": draw.confidence()} for _ in boxes],
            "class-map": {str(box["class_id"]): LABELS[box["class_id"] % len(LABELS)] for box in boxes},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": draw.date() + f".{draw.rng.randrange(1_000_000):06}",
            "job-name": f"labeling-job/{name}",
        },
    }


def classification(draw: Draw, name: str) -> Object:
    """An image-level label."""
    number = draw.rng.randrange(3)
    return {
        name: number,
        f"{name}-metadata": {
            "class-name": ("day", "dusk", "night")[number],
            "confidence": draw.confidence(),
            "type": "groundtruth/image-classification",
            "job-name": f"labeling-job/{name}",
            "human-annotated": "yes",
            "creation-date": draw.date() + ".417",
        },
    }


def source_ref(number: int) -> Object:
    return {"source-ref": f"{BUCKET}/street/2024/{number // 1000:04}/{number:08}.jpg"}


def plain(draw: Draw, number: int) -> Object:
    return source_ref(number) | detection(draw, "bounding-box")


def without_job(draw: Draw, number: int) -> Object:
    line = source_ref(number) | detection(draw, "vehicles")
    del line["vehicles-metadata"]["job-name"]
    return line


def adjusted(draw: Draw, number: int) -> Object:
    """Two attributes: an adjustment job keeps the original beside its own."""
    first = detection(draw, "street-objects")
    value, metadata = first["street-objects"], first["street-objects-metadata"]
    width = value["image_size"][0]["width"]
    moved = [box | {"left": min(box["left"] + 1, width - box["width"])} for box in value["annotations"]]
    second = {
        "adjusted-street-objects": value | {"annotations": moved},
        "adjusted-street-objects-metadata": metadata
        | {"job-name": "labeling-job/adjusted-street-objects", "adjustment-status": "adjusted"},
    }
    return source_ref(number) | first | second


def with_extra_keys(draw: Draw, number: int) -> Object:
    rng = draw.rng
    extra = {"id": number, "weather": rng.choice(("rain", "sun", "snow")), "reviewed": rng.random() < 0.5, "note": None}
    return source_ref(number) | extra | {"speed": round(rng.random() * 30, 3)} | detection(draw, "objects")


def with_image_label(draw: Draw, number: int) -> Object:
    return source_ref(number) | detection(draw, "boxes") | classification(draw, "time-of-day")


def console(draw: Draw, number: int) -> Object:
    """A line as the Custom Labels console writes it."""
    line = source_ref(number) | detection(draw, "street_BB") | {"cl-metadata": {"is_labeled": True}}
    line["street_BB-metadata"]["objects"] = [{"confidence": 1} for _ in line["street_BB"]["annotations"]]
    return line


def adjustment_only(draw: Draw, number: int) -> Object:
    line = source_ref(number) | detection(draw, "adjusted-signs")
    line["adjusted-signs-metadata"]["adjustment-status"] = draw.rng.choice(("adjusted", "unadjusted"))
    return line


def fractional(draw: Draw, number: int) -> Object:
    """Boxes that are averages of the boxes of several workers."""
    line = source_ref(number) | detection(draw, "mean-box")
    for box in line["mean-box"]["annotations"]:
        box["left"] = round(box["left"] + draw.rng.random(), 4)
        box["width"] = round(box["width"] - 1.5 + draw.rng.random() / 2, 4)
        box["top"] += 0.5
        box["height"] -= 0.5
    return line


def automatic(draw: Draw, number: int) -> Object:
    """Labels from a model: ids from 40, a class map with all classes, a date with a time zone."""
    line = source_ref(number) | detection(draw, "auto", ids=range(40, 40 + len(LABELS)))
    line["auto-metadata"] |= {
        "class-map": {str(40 + i): label for i, label in enumerate(LABELS)},
        "human-annotated": "no",
        "creation-date": draw.date() + "Z",
    }
    return line


def outside_ascii(draw: Draw, number: int) -> Object:
    line = detection(draw, "objekte") | {"source-ref": f"{BUCKET}/거리 사진/{number:08}.jpg"}
    line["objekte-metadata"]["class-map"] |= {"0": "Fußgänger", "1": "横断歩道"}
    return line


SHAPES = (
    Shape("plain", 12, plain),
    Shape("no job-name", 11, without_job),
    Shape("two attributes", 10, adjusted),
    Shape("extra scalar keys", 11, with_extra_keys),
    Shape("image label beside boxes", 11, with_image_label),
    Shape("console export", 11, console),
    Shape("adjustment-status", 11, adjustment_only),
    Shape("fractional pixels", 11, fractional),
    Shape("automatic", 10, automatic),
    Shape("names outside ASCII", 2, outside_ascii),
)


class Writing(NamedTuple):
    """The format of one tool: order of keys in objects of every level, spacing, escapes."""

    rank: Mapping[str, float] | None
    encode: Callable[[Object], str]

    def text(self, line: Object) -> str:
        return self.encode(line if self.rank is None else self._ordered(line, self.rank))

    def _ordered(self, value: Any, rank: Mapping[str, float]) -> Any:
        if isinstance(value, dict):
            return {key: self._ordered(value[key], rank) for key in sorted(value, key=lambda key: rank.get(key, 0.5))}
        return [self._ordered(item, rank) for item in value] if isinstance(value, list) else value


def writings(shape: Shape, draw: Draw) -> list[Writing]:
    """Four formats of a shape: the usual order of keys with two spacings, and two random orders with two others."""
    keys = sorted(_keys(shape.make(draw, 0)))
    found = []
    for i, spacing in enumerate(SPACINGS):
        rank = {key: draw.rng.random() for key in keys} if i >= 2 else None
        found.append(Writing(rank, json.JSONEncoder(separators=spacing, ensure_ascii=i % 2 == 1).encode))
    return found


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)
